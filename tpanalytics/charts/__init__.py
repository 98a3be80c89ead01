"""Altair charts of the measures, one module per chart."""
