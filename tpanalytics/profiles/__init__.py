"""Load, read, store and filter task profiles."""
