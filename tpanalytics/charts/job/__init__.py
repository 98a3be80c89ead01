"""One job on one page."""
