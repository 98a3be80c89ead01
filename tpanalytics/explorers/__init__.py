"""Widgets to explore task profiles: controls, one pure view of their state, one chart."""
