"""Every chart there is, by the name its tests and its picture go by; another chart is another line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAMILY_ROWS", "NAMES_NOTHING", "NAMES_WORK", "PLOTS", "half_a_year_later"]


def half_a_year_later(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Change profiles as half a year would, the same way each time: hours, levels, some tasks gone."""
    row = pl.int_range(pl.len())
    level = pl.col("ai_impact_level")
    tasks = profiles.tasks.with_columns(
        pl.when(row % 5 == 1).then(pl.col("weekly_hours") * 1.5).otherwise("weekly_hours").alias("weekly_hours"),
        pl.when((row % 4 == 2) & (level == "H2"))
        .then(pl.lit("H1"))
        .when((row % 6 == 1) & (level == "H3"))
        .then(pl.lit("H2"))
        .otherwise(level)
        .alias("ai_impact_level"),
    ).filter(row % 11 != 7)
    return tpa.TaskProfiles(profiles.jobs, tasks, profiles.manifest)


def _sheet(profiles: tpa.TaskProfiles) -> Any:
    first = profiles.jobs.get_column("job_id").to_list()
    return tpa.plot_job(profiles, first[0] if first else "none", privacy=None)


#: Each takes profiles and gives the chart; one of two snapshots makes the other from them.
PLOTS: dict[str, Callable[[tpa.TaskProfiles], Any]] = {
    "impact by tasks": lambda profiles: tpa.plot_impact_by_family(profiles, weight="tasks"),
    "impact by hours": lambda profiles: tpa.plot_impact_by_family(profiles, weight="hours"),
    "impact by headcount": lambda profiles: tpa.plot_impact_by_family(profiles, weight="headcount"),
    "hours": tpa.plot_hours_by_family,
    "change of hours": lambda profiles: tpa.plot_change_by_family(profiles, half_a_year_later(profiles)),
    "change of exposure": lambda profiles: tpa.plot_change_by_family(
        profiles, half_a_year_later(profiles), value="exposure"
    ),
    "bridge": lambda profiles: tpa.plot_change_bridge(profiles, half_a_year_later(profiles)),
    "moves by tasks": lambda profiles: tpa.plot_level_moves(profiles, half_a_year_later(profiles)),
    "moves by hours": lambda profiles: tpa.plot_level_moves(profiles, half_a_year_later(profiles), by="hours"),
    "quality": tpa.plot_data_quality,
    "job": _sheet,
}
#: Charts with a row per family, in which a hidden family keeps its row.
FAMILY_ROWS = [
    "impact by tasks",
    "impact by hours",
    "impact by headcount",
    "hours",
    "change of hours",
    "change of exposure",
    "quality",
]
#: Charts that name jobs or tasks, because that is what was asked; no chart holds a rationale or an id unasked.
NAMES_WORK: set[str] = {"job"}
#: Charts that name neither families nor levels of the data.
NAMES_NOTHING: set[str] = {"bridge"}
