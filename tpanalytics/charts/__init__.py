"""Released rows in, Altair charts out; one module per chart."""
