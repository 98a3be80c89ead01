"""Sample data and demo server."""
