"""HTTP requests, retries and responses."""
