"""Task profiles as two tables: loaded, read, grouped, and kept as snapshots on disk."""
