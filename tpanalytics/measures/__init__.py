"""Task profiles in, small tidy frames out; the one place that computes."""
