"""How a request travels and what its answer says: pure of tokens and tables."""
