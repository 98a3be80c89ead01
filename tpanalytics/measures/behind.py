"""How many jobs and people stand behind each family's figures, and whether they are too few to be told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures.reduce import per_job, reduce_tasks
from tpanalytics.schema import COUNTED_STATES, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "both_behind",
    "count_differences",
    "job_differences",
    "jobs_behind",
    "members",
    "own_counts",
    "tells_of_few",
]

#: A headcount cell of which one job has more than this share tells of that job.
_DOMINANT = 0.85
#: The jobs of a family; those with a task; those with hours; those with hours and headcount, for figures by headcount.
_LAYERS = ("all", "described", "measured", "staffed")


def jobs_behind(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count what stands behind each family's figures, for `suppress`.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``headcount`` (full-time equivalents) of `jobs`, and what
        `hours_by_job` reads of `tasks`. Where a job is an employee, it is one person.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family: ``job_family``, and for ``all`` its jobs, those ``described`` by a task, ``measured`` in
        hours, and ``staffed`` besides: ``…_jobs``; ``…_people``, the sum of the headcounts known; ``…_unknown``, the
        jobs without one; and ``…_largest``, the largest headcount.
    """
    return _counted(members(profiles, states))


def both_behind(before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count what stands behind each family's figures in two snapshots, for `suppress`: a family is shown if both pass.

    Parameters
    ----------
    before, after
        As for `jobs_behind`. A job that is in both counts on both sides in its family after, as in the comparisons.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of either: the columns of `jobs_behind`, beginning with ``before_`` and ``after_``.
    """
    one, other = members(before, states), members(after, states)
    moved = one.join(other.select("job_id", now="job_family"), on="job_id", how="left", maintain_order="left")
    sides = [
        _counted(jobs).select("job_family", pl.exclude("job_family").name.prefix(f"{side}_"))
        for side, jobs in (
            ("before", moved.with_columns(pl.coalesce("now", "job_family").alias("job_family")).drop("now")),
            ("after", other),
        )
    ]
    families = pl.concat([one.get_column("job_family"), other.get_column("job_family")]).unique().sort()
    table = families.to_frame()
    for side in sides:
        table = table.join(side, on="job_family", how="left", maintain_order="left")
    return table.with_columns(pl.exclude("job_family").fill_null(0))


def tells_of_few(columns: Sequence[str], privacy: Privacy, *, staffed: bool) -> pl.Expr:
    """Say whether any of the counts tells of too few; a count of no job tells of nobody."""
    found = []
    for name in (column.removesuffix("_jobs") for column in columns if column.endswith("_jobs")):
        if name.endswith("staffed") and not staffed:
            continue
        jobs, people, unknown, largest = (pl.col(f"{name}_{of}") for of in ("jobs", "people", "unknown", "largest"))
        few = jobs < privacy.min_jobs
        few |= (unknown < jobs) & (unknown < max(privacy.min_jobs, 1)) & (people < privacy.min_headcount)
        if name.endswith("staffed") and privacy.min_headcount:
            few |= largest > _DOMINANT * people
        found.append(jobs.is_null() | ((jobs > 0) & few))
    return pl.any_horizontal(found)


def own_counts(columns: Sequence[str]) -> dict[str, pl.Expr]:
    """Give the counts that a result's own columns tell, by row."""
    if "jobs" not in columns:
        return {}
    jobs = pl.col("jobs").cast(pl.Int64)
    layers = {"all": jobs}
    if "jobs_without_tasks" in columns:
        layers["described"] = jobs - pl.col("jobs_without_tasks").cast(pl.Int64)
    if "jobs_with_hours" in columns:
        layers["measured"] = pl.col("jobs_with_hours").cast(pl.Int64)
    headcount = pl.col("headcount").cast(pl.Float64) if "headcount" in columns else pl.lit(None, dtype=pl.Float64)
    found = {}
    for name, count in layers.items():
        found[f"own_{name}_jobs"] = count
        found[f"own_{name}_people"] = headcount.fill_null(0)
        found[f"own_{name}_unknown"] = pl.when(headcount.is_null()).then(count).otherwise(0)
        found[f"own_{name}_largest"] = pl.lit(0.0)
    return found


def count_differences(result: pl.DataFrame, released: pl.DataFrame) -> pl.DataFrame:
    """Subtract the counts of both, by family; that one job took the place of another is not seen."""
    for name, frame in (("result", result), ("released", released)):
        require(frame, "job_family", "jobs", name=name)
    counts = own_counts([name for name in result.columns if name in released.columns])
    one, other = (frame.select("job_family", **counts).group_by("job_family").max() for frame in (result, released))
    both = one.join(other, on="job_family", how="full", coalesce=True)
    differing = both.select(
        "job_family", *((pl.col(n).fill_null(0) - pl.col(f"{n}_right").fill_null(0)).abs() for n in counts)
    )
    # Headcounts can change without a job coming or going; of how many jobs is not seen.
    some = pl.when(pl.col("own_all_people") > 0)
    return differing.with_columns(
        own_staffed_jobs=some.then(pl.lit(2**31)).otherwise(0),
        own_staffed_people=pl.col("own_all_people"),
        own_staffed_unknown=pl.lit(0),
        own_staffed_largest=pl.lit(0.0),
    )


def job_differences(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Count by family the jobs that stand behind one of both only; by headcount also those of which it changed."""
    both = one.join(other, on=["job_id", "job_family"], how="full", coalesce=True)
    now, before = pl.col("headcount"), pl.col("headcount_right")
    in_one = {
        name: pl.col(name).fill_null(value=False) != pl.col(f"{name}_right").fill_null(value=False) for name in _LAYERS
    }
    in_one["staffed"] |= (now != before).fill_null(value=False) & pl.col("staffed") & pl.col("staffed_right")
    people = pl.when(now != before).then((now - before).abs()).otherwise(pl.coalesce(now, before))
    return _counted(both.with_columns(headcount=people, **in_one))


def members(profiles: TaskProfiles, states: Sequence[str]) -> pl.DataFrame:
    """Give for each job its family and headcount, and behind which figures it stands."""
    jobs = per_job(reduce_tasks(profiles, states, by_level=False, checked=True))
    if profiles.manifest.get("source", {}).get("kind") == "employees":
        jobs = jobs.with_columns(headcount=pl.lit(1.0))
    measured = pl.col("tasks_with_hours") > 0
    return jobs.select(
        "job_id",
        "job_family",
        "headcount",
        all=pl.lit(value=True),
        described=pl.col("tasks") > 0,
        measured=measured,
        staffed=measured & pl.col("headcount").is_not_null(),
    )


def _counted(members: pl.DataFrame) -> pl.DataFrame:
    headcount = pl.col("headcount")
    counts = {}
    for name in _LAYERS:
        there = pl.col(name)
        counts[f"{name}_jobs"] = there.sum().cast(pl.Int64)
        counts[f"{name}_people"] = headcount.filter(there).sum()
        counts[f"{name}_unknown"] = headcount.filter(there).null_count().cast(pl.Int64)
        counts[f"{name}_largest"] = headcount.filter(there).max().fill_null(0.0)
    return members.sort("job_id").group_by("job_family", maintain_order=True).agg(**counts).sort("job_family")
