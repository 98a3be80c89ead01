"""Shared code of the measures."""
