"""Altair charts of the measures, with one module per chart."""
