"""The report: one offline page whose figures can be recomputed from the snapshot."""
