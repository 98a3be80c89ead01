"""What several measures share, each idea once."""
