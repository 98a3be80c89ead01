"""What could be freed, and in what blocks."""
