"""Readers that take a file apart, one per format."""
