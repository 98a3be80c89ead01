"""Notebook widget for exploring task profiles."""
