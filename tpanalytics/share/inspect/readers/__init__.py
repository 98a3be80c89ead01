"""Readers for each file format."""
