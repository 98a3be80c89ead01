"""Task profiles in, small tidy frames out; the only layer that computes figures."""
