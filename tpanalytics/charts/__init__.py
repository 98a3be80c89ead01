"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""

from tpanalytics.charts.exposed.impact import plot_impact_by_family
from tpanalytics.charts.first.candidates import plot_automation_candidates
from tpanalytics.charts.first.concentration import plot_concentration
from tpanalytics.charts.first.overlap import plot_family_overlap
from tpanalytics.charts.freed.fragmentation import plot_fragmentation
from tpanalytics.charts.known.hours import plot_hours_by_family

__all__ = [
    "plot_automation_candidates",
    "plot_concentration",
    "plot_family_overlap",
    "plot_fragmentation",
    "plot_hours_by_family",
    "plot_impact_by_family",
]
