"""Offline HTML reports whose figures can be recomputed from the snapshot."""
