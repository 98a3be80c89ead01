"""Invented data, and the embedded server that exports them as the service would."""
