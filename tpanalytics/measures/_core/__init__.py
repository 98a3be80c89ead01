"""Code shared by the measures."""
