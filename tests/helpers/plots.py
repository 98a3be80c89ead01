"""All charts by name, for tests that apply to every chart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tests.helpers.histories import DAYS, history_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAMILY_ROWS", "GROUP_PLOTS", "NAMELESS", "NAMES_WORK", "PLOTS", "fragmentation", "half_a_year_later"]


def fragmentation(profiles: tpa.TaskProfiles, **arguments: Any) -> Any:
    """Draw the chart with an assumption for each level in the data."""
    levels = ["H1", *profiles.tasks.get_column("ai_impact_level").drop_nulls().unique().sort()]
    freed = {level: {"H1": (0.4, 0.7), "H2": (0.15, 0.3)}.get(level, 0.0) for level in levels}
    return tpa.plot_fragmentation(
        profiles,
        **{"weight": "headcount", **arguments},
        freed=freed,
        realisation=(0.6, 0.8),
        adoption=(0.3, 0.6),
        contract_hours=38.5,
    )


def half_a_year_later(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return a deterministic later snapshot with changed hours and levels, and some tasks removed."""
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
    return replace(profiles, tasks=tasks)


def _sheet(profiles: tpa.TaskProfiles) -> Any:
    first = profiles.jobs.get_column("job_id").to_list()
    return tpa.plot_job(profiles, first[0] if first else "none", privacy=None)


def _jobs(profiles: tpa.TaskProfiles) -> Any:
    families = profiles.jobs.get_column("job_family").to_list()
    return tpa.plot_jobs(profiles, (families[0] if families else None) or "(no job family)", privacy=None)


def _over_time(profiles: tpa.TaskProfiles) -> Any:
    return tpa.plot_trend(
        history_of({("company", DAYS[0]): profiles, ("company", DAYS[1]): half_a_year_later(profiles)})
    )


#: Functions from profiles to a chart. Charts of two snapshots derive the second one.
PLOTS: dict[str, Callable[[tpa.TaskProfiles], Any]] = {
    "impact by tasks": lambda profiles: tpa.plot_impact(profiles, weight="tasks"),
    "impact by hours": lambda profiles: tpa.plot_impact(profiles, weight="hours"),
    "impact by headcount": lambda profiles: tpa.plot_impact(profiles, weight="headcount"),
    "hours": tpa.plot_hours,
    "weight lines": tpa.plot_weight_sensitivity,
    "exposure": lambda profiles: tpa.plot_exposure(profiles, rounds=100),
    "exposure of jobs": tpa.plot_exposure_scatter,
    "exposure of jobs by name": lambda profiles: tpa.plot_exposure_scatter(profiles, names=True),
    "exposure curve": tpa.plot_exposure_curve,
    "exposure curve by family": lambda profiles: tpa.plot_exposure_curve(profiles, by="job_family"),
    "skills": lambda profiles: tpa.plot_skills(profiles, by=None),
    "skills by family": lambda profiles: tpa.plot_skills(profiles, by="job_family"),
    "concentration": tpa.plot_concentration,
    "concentration by family": lambda profiles: tpa.plot_concentration(profiles, by="job_family"),
    "candidates": tpa.plot_automation_candidates,
    "candidates by headcount": lambda profiles: tpa.plot_automation_candidates(profiles, weight="headcount"),
    "family overlap": tpa.plot_overlap,
    "family overlap by tasks": lambda profiles: tpa.plot_overlap(profiles, weight="tasks"),
    "fragmentation": fragmentation,
    "change of hours": lambda profiles: tpa.plot_compare(profiles, half_a_year_later(profiles), by="job_family"),
    "change of exposure": lambda profiles: tpa.plot_compare(
        profiles, half_a_year_later(profiles), by="job_family", measure="exposure"
    ),
    "bridge": lambda profiles: tpa.plot_compare(profiles, half_a_year_later(profiles)),
    "moves by tasks": lambda profiles: tpa.plot_transitions(profiles, half_a_year_later(profiles)),
    "moves by hours": lambda profiles: tpa.plot_transitions(profiles, half_a_year_later(profiles), weight="hours"),
    "over time": _over_time,
    "quality": tpa.plot_coverage,
    "job": _sheet,
    "jobs of a family": _jobs,
    "found tasks": lambda profiles: tpa.plot_find_tasks(profiles, "re"),
}
#: Charts with an argument `by`, with default arguments for tests.
GROUP_PLOTS: dict[str, Callable[..., Any]] = {
    "impact": tpa.plot_impact,
    "hours": tpa.plot_hours,
    "weight lines": tpa.plot_weight_sensitivity,
    "exposure": lambda profiles, **arguments: tpa.plot_exposure(profiles, rounds=100, **arguments),
    "exposure of jobs": tpa.plot_exposure_scatter,
    "overlap": tpa.plot_overlap,
    "fragmentation": fragmentation,
    "change of hours": lambda profiles, **arguments: tpa.plot_compare(
        profiles, half_a_year_later(profiles), **arguments
    ),
    "change of exposure": lambda profiles, **arguments: tpa.plot_compare(
        profiles, half_a_year_later(profiles), measure="exposure", **arguments
    ),
    "quality": tpa.plot_coverage,
    "found tasks": lambda profiles, **arguments: tpa.plot_find_tasks(profiles, "re", **arguments),
}
#: Charts with a row per family, in which suppressed families keep their row.
FAMILY_ROWS = ["change of hours", "change of exposure", "quality", "found tasks"]
#: Charts that contain names of jobs or tasks. No chart contains rationales or ids by default.
NAMES_WORK = {
    *("exposure of jobs by name", "candidates", "candidates by headcount", "job", "jobs of a family", "skills"),
    "skills by family",
}
#: Charts of the whole company, without names of families.
NAMELESS = {
    *("exposure curve", "exposure curve by family", "skills", "concentration", "candidates"),
    *("candidates by headcount", "bridge", "moves by tasks", "moves by hours"),
}
