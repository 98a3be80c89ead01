"""Files to hand on: saved atomically, by suffix, and checked for what they carry."""
