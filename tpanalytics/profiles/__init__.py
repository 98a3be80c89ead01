"""The data: from pages, files or a folder into two tables, and back onto disk."""
