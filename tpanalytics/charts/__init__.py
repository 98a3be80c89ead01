"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""

from tpanalytics.charts.exposed.exposure import plot_exposure_by_family
from tpanalytics.charts.exposed.heatmap import plot_level_heatmap
from tpanalytics.charts.exposed.impact import plot_impact_by_family
from tpanalytics.charts.exposed.scatter import plot_exposure_by_job
from tpanalytics.charts.exposed.weight_lines import plot_weight_lines
from tpanalytics.charts.first.candidates import plot_automation_candidates
from tpanalytics.charts.first.concentration import plot_concentration
from tpanalytics.charts.first.overlap import plot_family_overlap
from tpanalytics.charts.freed.fragmentation import plot_fragmentation
from tpanalytics.charts.known.hours import plot_hours_by_family
from tpanalytics.charts.printed import for_print

__all__ = [
    "for_print",
    "plot_automation_candidates",
    "plot_concentration",
    "plot_exposure_by_family",
    "plot_exposure_by_job",
    "plot_family_overlap",
    "plot_fragmentation",
    "plot_hours_by_family",
    "plot_impact_by_family",
    "plot_level_heatmap",
    "plot_weight_lines",
]
