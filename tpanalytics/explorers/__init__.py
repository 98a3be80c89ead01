"""Notebook widget to explore task profiles."""
