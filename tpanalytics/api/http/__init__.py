"""Send HTTP requests with retries, and read the responses."""
