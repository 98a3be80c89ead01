"""Measures of task profiles. This is the only layer that computes figures."""
