"""Which figures are suppressed because they describe too few jobs or people."""
