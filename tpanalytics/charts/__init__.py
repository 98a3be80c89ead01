"""Released rows in, Altair charts out; one file per chart."""
