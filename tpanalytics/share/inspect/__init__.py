"""Inspect files before they are shared."""
