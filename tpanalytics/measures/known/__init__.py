"""What is known, and how good it is."""
