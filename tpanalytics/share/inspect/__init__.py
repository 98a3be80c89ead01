"""Inspection of files before they are shared."""
