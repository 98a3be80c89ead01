"""One request: sending, retrying, reading the body within limits, wording refusals."""
