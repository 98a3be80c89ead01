"""Suppression of small groups of jobs or people."""
