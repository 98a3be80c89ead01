"""Random pairs of snapshots, and the expected results of comparing them, computed by loops and SQL."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.builders import query
from tests.helpers.random_profiles import _job as any_job, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COMPARISONS",
    "every_comparison",
    "expected_split",
    "exposure_sums",
    "resolved_tasks",
    "rounded_profiles",
    "small_profiles",
]


def rounded_profiles(jobs: list[Any]) -> tpa.TaskProfiles:
    """Build profiles without hours so small that dividing them underflows."""
    profiles = profiles_of(jobs)
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(pl.col("weekly_hours").round(6)))


small_profiles = st.lists(any_job, max_size=3).map(rounded_profiles)


COMPARISONS: dict[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], pl.DataFrame]] = {
    "compare": tpa.compare,
    "exposure by family": tpa.compare_exposure,
    "exposure by job": lambda before, after: tpa.compare_exposure(before, after, by="job_id"),
    "transitions of levels": tpa.transitions,
    "transitions of states": lambda before, after: tpa.transitions(before, after, of="state"),
}
every_comparison = pytest.mark.parametrize("measure", COMPARISONS.values(), ids=COMPARISONS)


class Task(NamedTuple):
    """A task of a job, after its rows were combined."""

    hours: float
    hours_at_level: float
    level: str | None
    measured: bool
    with_hours: bool


def resolved_tasks(profiles: tpa.TaskProfiles, level: str) -> dict[tuple[str, str], Task]:
    """Combine the rows of each task of each job."""
    rows = defaultdict(list)
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected":
            rows[row["job_id"], row["task_id"]].append(row)
    tasks = {}
    for key, same in rows.items():
        validated = {r["ai_impact_level"] for r in same if r["validation_state"] == "validated"} - {None}
        levels = validated or {r["ai_impact_level"] for r in same} - {None}
        hours = [r["weekly_hours"] for r in same]
        resolved, total = next(iter(levels)) if len(levels) == 1 else None, sum(h or 0.0 for h in hours)
        with_hours = None not in hours
        at_level = total if resolved == level else 0.0
        tasks[key] = Task(total, at_level, resolved, with_hours and resolved is not None, with_hours)
    return tasks


def exposure_sums(
    profiles: tpa.TaskProfiles, part: str, level_weights: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the sum of hours times weight, and of hours with a weight, by a column."""
    weights = pl.DataFrame({"level": list(level_weights), "w": list(level_weights.values())})
    rows = query(
        profiles,
        f"""select {part} as part, sum(weekly_hours * w) as exposed, sum(weekly_hours) as hours
            from (select job_id, coalesce(job_family, '(no job family)') as job_family from jobs)
            join tasks using (job_id) join weights on level = ai_impact_level
            where validation_state in ('validated', 'suggested') and weekly_hours is not null
            group by 1 having hours > 0""",
        weights=weights,
    )
    return {row["part"]: (row["exposed"], row["hours"]) for row in rows}


def expected_split(first: dict[str, Any], second: dict[str, Any]) -> dict[str, float] | None:
    """Compute the terms of the decomposition from its formula."""
    c = first.keys() & second.keys()
    if not c:
        return None
    sum1, sum2 = (sum(side[k][1] for k in c) for side in (first, second))
    all1, all2 = (sum(hours for _, hours in side.values()) for side in (first, second))
    e1, e2 = ({k: exposed / hours for k, (exposed, hours) in side.items()} for side in (first, second))
    mean1, mean2 = sum(first[k][0] for k in c) / sum1, sum(second[k][0] for k in c) / sum2
    s1, s2 = {k: first[k][1] / sum1 for k in c}, {k: second[k][1] / sum2 for k in c}
    return {
        "within": sum((s1[k] + s2[k]) / 2 * (e2[k] - e1[k]) for k in c),
        "mix": sum((e1[k] + e2[k]) / 2 * (s2[k] - s1[k]) for k in c),
        "entry": sum(second[k][1] / all2 * (e2[k] - mean2) for k in second.keys() - c),
        "exit": sum(first[k][1] / all1 * (mean1 - e1[k]) for k in first.keys() - c),
    }
