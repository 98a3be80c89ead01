"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""

from tpanalytics.charts.changed.bridge import plot_change_bridge
from tpanalytics.charts.changed.dumbbell import plot_change_by_family
from tpanalytics.charts.changed.moves import plot_level_moves
from tpanalytics.charts.exposed.exposure import plot_exposure_by_family
from tpanalytics.charts.exposed.heatmap import plot_level_heatmap
from tpanalytics.charts.exposed.impact import plot_impact_by_family
from tpanalytics.charts.exposed.scatter import plot_exposure_by_job
from tpanalytics.charts.exposed.weight_lines import plot_weight_lines
from tpanalytics.charts.first.candidates import plot_automation_candidates
from tpanalytics.charts.first.concentration import plot_concentration
from tpanalytics.charts.first.overlap import plot_family_overlap
from tpanalytics.charts.found.families import plot_found_tasks
from tpanalytics.charts.freed.fragmentation import plot_fragmentation
from tpanalytics.charts.job.jobs import plot_jobs
from tpanalytics.charts.job.sheet import plot_job
from tpanalytics.charts.known.hours import plot_hours_by_family
from tpanalytics.charts.known.quality import plot_data_quality
from tpanalytics.charts.printed import for_print

__all__ = [
    "for_print",
    "plot_automation_candidates",
    "plot_change_bridge",
    "plot_change_by_family",
    "plot_concentration",
    "plot_data_quality",
    "plot_exposure_by_family",
    "plot_exposure_by_job",
    "plot_family_overlap",
    "plot_found_tasks",
    "plot_fragmentation",
    "plot_hours_by_family",
    "plot_impact_by_family",
    "plot_job",
    "plot_jobs",
    "plot_level_heatmap",
    "plot_level_moves",
    "plot_weight_lines",
]
