"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""
