"""Widgets to explore task profiles: controls, one pure view of their state, one chart."""

from tpanalytics.explorers.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]
