"""Widgets to explore task profiles: controls, a pure view of their state, one chart."""
