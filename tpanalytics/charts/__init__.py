"""Tidy frames in, Altair charts out; nothing is computed here but where a mark goes."""

from tpanalytics.charts.changed.bridge import plot_change_bridge
from tpanalytics.charts.changed.dumbbell import plot_change_by_family
from tpanalytics.charts.changed.moves import plot_level_moves
from tpanalytics.charts.exposed.impact import plot_impact_by_family
from tpanalytics.charts.job.sheet import plot_job
from tpanalytics.charts.known.hours import plot_hours_by_family
from tpanalytics.charts.known.quality import plot_data_quality

__all__ = [
    "plot_change_bridge",
    "plot_change_by_family",
    "plot_data_quality",
    "plot_hours_by_family",
    "plot_impact_by_family",
    "plot_job",
    "plot_level_moves",
]
