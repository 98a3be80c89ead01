"""Measures computed from task profiles. No other layer computes figures."""
