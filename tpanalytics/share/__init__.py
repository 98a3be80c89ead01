"""Save, check and report results."""
