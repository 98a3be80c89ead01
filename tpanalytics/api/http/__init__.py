"""Sending requests, retrying them and reading their responses."""
