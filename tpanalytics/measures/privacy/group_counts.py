"""Count the jobs and people behind each figure, and compare the counts with the privacy settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_tasks, per_job
from tpanalytics.measures._core.cache import cached
from tpanalytics.schema import COUNTED_STATES, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy

__all__ = [
    "below_threshold",
    "check_cells",
    "count_differences",
    "counts_of",
    "group_counts",
    "job_differences",
    "keys_of_small_groups",
    "members",
    "own_counts",
    "pair_counts",
    "people_of",
    "per_member_counts",
]

#: A headcount figure would reveal a job with more than this share of the people.
_DOMINANT = 0.85
#: Subsets of a family's jobs: all jobs, with tasks, with hours, and with both hours and a headcount.
_LAYERS = ("all", "described", "measured", "staffed")
#: Columns that identify a single job, even in a large family.
_OF_ONE_JOB = ("job_id", "job_name", "most_influential_job", "influence")


def check_cells(result: pl.DataFrame, keys: Sequence[str], *, alone: bool) -> None:
    """Raise an error unless the result has one row per family and `keys`, plus job counts if `alone` is set."""
    if alone and "jobs" not in result.columns:
        raise SchemaError("`result` has no column 'jobs' (jobs per family). Add it, or pass `profiles`.")
    job_columns = [name for name in _OF_ONE_JOB if name in result.columns]
    if job_columns:
        raise SchemaError(
            f"`result` has columns about single jobs: {', '.join(map(repr, job_columns))}. "
            "Pass a result by family, without these columns."
        )
    duplicates = result.filter(pl.struct("job_family", *keys).is_duplicated())
    if duplicates.height:
        same_keys = f" with the same {', '.join(map(repr, keys))}" if keys else ""
        raise SchemaError(
            f"`result` has several rows for the family {duplicates.item(0, 'job_family')!r}{same_keys}. "
            "Pass the columns that distinguish them as keys=[...]."
        )


@cached
def group_counts(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count the jobs and people behind each family's figures."""
    return _count_by_family(members(profiles, states))


def counts_of(profiles: TaskProfiles | pl.DataFrame | None, states: Sequence[str]) -> pl.DataFrame | None:
    """Return the group counts for `profiles`. Existing counts and None are returned unchanged."""
    if not isinstance(profiles, TaskProfiles):
        return profiles
    return group_counts(profiles, states=states)


@cached
def pair_counts(before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count each family's jobs and people in both snapshots, using each job's later family."""
    first, second = members(before, states), members(after, states)
    moved = first.join(second.select("job_id", now="job_family"), on="job_id", how="left", maintain_order="left")
    sides = [
        _count_by_family(jobs).select("job_family", pl.exclude("job_family").name.prefix(f"{side}_"))
        for side, jobs in (
            ("before", moved.with_columns(pl.coalesce("now", "job_family").alias("job_family")).drop("now")),
            ("after", second),
        )
    ]
    families = pl.concat([first.get_column("job_family"), second.get_column("job_family")]).unique().sort()
    table = families.to_frame()
    for side in sides:
        table = table.join(side, on="job_family", how="left", maintain_order="left")
    return table.with_columns(pl.exclude("job_family").fill_null(0))


def below_threshold(columns: Sequence[str], privacy: Privacy, *, staffed: bool) -> pl.Expr:
    """Match rows where any count is below the limits. Counts of zero jobs are ignored, as they reveal nothing."""
    is_small = []
    for name in (column.removesuffix("_jobs") for column in columns if column.endswith("_jobs")):
        if name.endswith("staffed") and not staffed:
            continue
        jobs, people, unknown, largest = (pl.col(f"{name}_{of}") for of in ("jobs", "people", "unknown", "largest"))
        few = jobs < privacy.min_jobs
        few |= (unknown < max(privacy.min_jobs, 1)) & (people < privacy.min_headcount)
        if name.endswith("staffed") and privacy.min_headcount:
            few |= largest > _DOMINANT * people
        is_small.append(jobs.is_null() | ((jobs > 0) & few))
    return pl.any_horizontal(is_small)


def own_counts(columns: Sequence[str]) -> dict[str, pl.Expr]:
    """Return expressions for the job and people counts available in a result's columns."""
    if "jobs" not in columns:
        return {}
    jobs = pl.col("jobs").cast(pl.Int64)
    layers = {"all": jobs}
    if "jobs_without_tasks" in columns:
        layers["described"] = jobs - pl.col("jobs_without_tasks").cast(pl.Int64)
    if "jobs_with_hours" in columns:
        layers["measured"] = pl.col("jobs_with_hours").cast(pl.Int64)
    headcount = pl.col("headcount").cast(pl.Float64) if "headcount" in columns else pl.lit(None, dtype=pl.Float64)
    counts = {}
    for name, count in layers.items():
        counts[f"own_{name}_jobs"] = count
        counts[f"own_{name}_people"] = headcount.fill_null(0)
        counts[f"own_{name}_unknown"] = pl.when(headcount.is_null()).then(count).otherwise(0)
        counts[f"own_{name}_largest"] = pl.lit(0.0)
    return counts


def count_differences(result: pl.DataFrame, released: pl.DataFrame) -> pl.DataFrame:
    """Return the differences in counts by family. Replaced jobs are not detected."""
    for name, frame in (("result", result), ("released", released)):
        require(frame, "job_family", "jobs", name=name)
    counts = own_counts([name for name in result.columns if name in released.columns])
    first, second = (frame.select("job_family", **counts).group_by("job_family").max() for frame in (result, released))
    both = first.join(second, on="job_family", how="full", coalesce=True)
    differing = both.select(
        "job_family", *((pl.col(n).fill_null(0) - pl.col(f"{n}_right").fill_null(0)).abs() for n in counts)
    )
    # Headcounts can change even if the jobs are the same. We don't know for how many jobs they changed.
    changed = pl.when(pl.col("own_all_people") > 0)
    return differing.with_columns(
        own_staffed_jobs=changed.then(pl.lit(2**31)).otherwise(0),
        own_staffed_people=pl.col("own_all_people"),
        own_staffed_unknown=pl.lit(0),
        own_staffed_largest=pl.lit(0.0),
    )


def job_differences(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Count by family the jobs that are in only one of two results or whose headcount changed."""
    both = first.join(second, on=["job_id", "job_family"], how="full", coalesce=True)
    now, before = pl.col("headcount"), pl.col("headcount_right")
    in_only_one = {
        name: pl.col(name).fill_null(value=False) != pl.col(f"{name}_right").fill_null(value=False) for name in _LAYERS
    }
    in_only_one["staffed"] |= (now != before).fill_null(value=False) & pl.col("staffed") & pl.col("staffed_right")
    people = pl.when(now != before).then((now - before).abs()).otherwise(pl.coalesce(now, before))
    return _count_by_family(both.with_columns(headcount=people, **in_only_one))


@cached
def members(profiles: TaskProfiles, states: Sequence[str]) -> pl.DataFrame:
    """Return each job's family, headcount and subsets."""
    jobs = people_of(profiles, per_job(aggregate_tasks(profiles, states, by_level=False, checked=True)))
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


def people_of(profiles: TaskProfiles, jobs: pl.DataFrame) -> pl.DataFrame:
    """Add a headcount column to the jobs: 1 if each job represents an employee, or null if it is missing."""
    if (profiles.manifest.get("source") or {}).get("kind") == "employees":
        return jobs.with_columns(headcount=pl.lit(1.0))
    if "headcount" not in jobs.columns:
        return jobs.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
    return jobs


def keys_of_small_groups(layers: Mapping[str, pl.DataFrame], jobs: pl.DataFrame, privacy: Privacy) -> pl.Series:
    """Return the keys of small groups, plus the next smallest groups needed to protect them from totals."""
    jobs_by_layer = {name: pairs.join(jobs.select("job", "headcount"), on="job") for name, pairs in layers.items()}
    cells = next(iter(layers.values())).select(pl.col("key").unique()).sort("key")
    for name, pairs in jobs_by_layer.items():
        cells = cells.join(pairs.group_by("key").agg(**_counts_of(name)), on="key", how="left")
    cells = cells.with_columns(pl.exclude("key").fill_null(0))
    few = below_threshold(cells.columns, privacy, staffed=True)
    first = next(iter(layers))
    order = cells.with_columns(few=few).sort(~pl.col("few"), f"{first}_jobs", "key").with_row_index("place")
    # Count a job with several keys only once, under its first key.
    together = order.select("place", "key", "few")
    for name, pairs in jobs_by_layer.items():
        first_place = pairs.join(order.select("key", "place"), on="key").sort("place").unique("job", keep="first")
        new = first_place.group_by("place").agg(**_counts_of(name))
        together = together.join(new, on="place", how="left").sort("place")
    together = together.with_columns(
        pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum(), pl.col("^.*_largest$").fill_null(0).cum_max()
    )
    n_small = int(order.get_column("few").sum())
    if not n_small:
        return order.get_column("key").clear()
    enough = together.filter(~few & (pl.col("place") >= max(n_small, 2) - 1)).get_column("place")
    return order.head(enough[0] + 1 if enough.len() else order.height).get_column("key").sort()


def _counts_of(layer: str) -> dict[str, pl.Expr]:
    headcount = pl.col("headcount")
    return {
        f"{layer}_jobs": pl.len().cast(pl.Int64),
        f"{layer}_people": headcount.sum(),
        f"{layer}_unknown": headcount.null_count().cast(pl.Int64),
        f"{layer}_largest": headcount.max().fill_null(0.0),
    }


def per_member_counts(members: pl.DataFrame) -> pl.DataFrame:
    """Return each member's contribution to the counts returned by `group_counts`."""
    headcount = pl.col("headcount")
    counts = {}
    for name in _LAYERS:
        is_member, people = pl.col(name), pl.when(name).then(headcount).fill_null(0.0)
        counts[f"{name}_jobs"] = is_member.cast(pl.Int64)
        counts[f"{name}_people"] = people
        counts[f"{name}_unknown"] = (is_member & headcount.is_null()).cast(pl.Int64)
        counts[f"{name}_largest"] = people
    return members.select("job_id", "job_family", "headcount", **counts)


def _count_by_family(members: pl.DataFrame) -> pl.DataFrame:
    alone = per_member_counts(members).sort("job_id").group_by("job_family", maintain_order=True)
    sums, largest = pl.col("^.*_(jobs|people|unknown)$").sum(), pl.col("^.*_largest$").max()
    order = [f"{name}_{of}" for name in _LAYERS for of in ("jobs", "people", "unknown", "largest")]
    return alone.agg(sums, largest).select("job_family", *order).sort("job_family")
