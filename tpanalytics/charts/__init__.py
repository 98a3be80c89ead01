"""Altair charts, one module per chart."""
