"""File format readers."""
