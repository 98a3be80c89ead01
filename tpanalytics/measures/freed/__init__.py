"""What could be freed, and whether it comes in blocks that can be used."""
