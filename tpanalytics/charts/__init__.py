"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""

from tpanalytics.charts.exposed.impact import plot_impact_by_family
from tpanalytics.charts.known.hours import plot_hours_by_family
from tpanalytics.charts.printed import for_print

__all__ = ["for_print", "plot_hours_by_family", "plot_impact_by_family"]
