"""Count the jobs and people behind each figure, and compare the counts with the privacy settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_tasks, per_job, read_inputs
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY, group_columns
from tpanalytics.measures._core.staff import with_listed_jobs
from tpanalytics.schema import TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.typing import By

__all__ = [
    "below_threshold",
    "check_cells",
    "count_differences",
    "counts_fte",
    "counts_of",
    "group_counts",
    "groups_with_people",
    "is_small_group",
    "job_differences",
    "keys_of_small_groups",
    "members",
    "own_counts",
    "pair_counts",
    "people_of",
    "per_member_counts",
    "sums_of",
]

#: A headcount figure would reveal a job with more than this share of the people.
_DOMINANT = 0.85
#: Subsets of a family's jobs (all jobs, with tasks, with hours, and with hours and a headcount or FTE), each with the
#: column that counts their people.
_LAYERS = {
    **dict.fromkeys(("all", "described", "measured"), "headcount"),
    "staffed": "known_people",
    "staffed_fte": "known_fte",
    "staffed_with_fte": "headcount",
}
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
    duplicates = result.filter(pl.struct("group", *keys).is_duplicated())
    if duplicates.height:
        same_keys = f" with the same {', '.join(map(repr, keys))}" if keys else ""
        raise SchemaError(
            f"`result` has several rows for the family {duplicates.item(0, 'group')!r}{same_keys}. "
            "Pass the columns that distinguish them as keys=[...]."
        )


@cached
def group_counts(profiles: TaskProfiles, *, by: By = BY_FAMILY, states: Sequence[str] | None = None) -> pl.DataFrame:
    """Count the jobs and people behind each family's figures."""
    return _count_by_family(members(profiles, states, by))


def counts_of(
    profiles: TaskProfiles | pl.DataFrame | None, states: Sequence[str] | None, by: By = BY_FAMILY
) -> pl.DataFrame | None:
    """Return the group counts for `profiles`. Existing counts and None are returned unchanged."""
    if not isinstance(profiles, TaskProfiles):
        return profiles
    return group_counts(profiles, by=by, states=states)


@cached
def pair_counts(
    before: TaskProfiles, after: TaskProfiles, *, by: By = BY_FAMILY, states: Sequence[str] | None = None
) -> pl.DataFrame:
    """Count each group's jobs and people in both snapshots, using each job's later group unless groups overlap."""
    first, second = members(before, states, by), members(after, states, by)
    keys = ["job_id", *(["group"] if group_columns(after, by).overlap else [])]
    later = second.select(*keys, now="group")
    moved = first.join(later, on=keys, how="left", maintain_order="left")
    sides = [
        _count_by_family(jobs).select("group", pl.exclude("group").name.prefix(f"{side}_"))
        for side, jobs in (
            ("before", moved.with_columns(pl.coalesce("now", "group").alias("group")).drop("now")),
            ("after", second),
        )
    ]
    families = pl.concat([first.get_column("group"), second.get_column("group")]).unique().sort()
    table = families.to_frame()
    for side in sides:
        table = table.join(side, on="group", how="left", maintain_order="left")
    return table.with_columns(pl.exclude("group").fill_null(0))


def below_threshold(columns: Sequence[str], privacy: Privacy, *, staffed: bool) -> pl.Expr:
    """Match rows where any count is below the limits. Counts of zero jobs are ignored, as they reveal nothing."""
    is_small = []
    for name in (column.removesuffix("_jobs") for column in columns if column.endswith("_jobs")):
        if "staffed" in name and not staffed:
            continue
        jobs, people, unknown, largest = (pl.col(f"{name}_{of}") for of in ("jobs", "people", "unknown", "largest"))
        few = jobs < privacy.min_jobs
        if name != "staffed_fte":  # full-time equivalents only count as people where people are unknown
            few |= (unknown < max(privacy.min_jobs, 1)) & (people < privacy.min_headcount)
        if name in ("staffed", "staffed_fte") and privacy.min_headcount:
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
        require(frame, "group", "jobs", name=name)
    counts = own_counts([name for name in result.columns if name in released.columns])
    first, second = (frame.select("group", **counts).group_by("group").max() for frame in (result, released))
    both = first.join(second, on="group", how="full", coalesce=True)
    differing = both.select(
        "group", *((pl.col(n).fill_null(0) - pl.col(f"{n}_right").fill_null(0)).abs() for n in counts)
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
    both = first.join(second, on=["job_id", "group"], how="full", coalesce=True)
    in_only_one, people = {}, {}
    for name, column in _LAYERS.items():
        now, before = pl.col(column), pl.col(f"{column}_right")
        people[column] = pl.when(now != before).then((now - before).abs()).otherwise(pl.coalesce(now, before))
        is_in, was_in = (pl.col(side).fill_null(value=False) for side in (name, f"{name}_right"))
        in_only_one[name] = is_in != was_in
        if "staffed" in name:
            in_only_one[name] |= (now != before).fill_null(value=False) & is_in & was_in
    return _count_by_family(both.with_columns(**people, **in_only_one))


@cached
def members(profiles: TaskProfiles, states: Sequence[str] | None = None, by: By = BY_FAMILY) -> pl.DataFrame:
    """Return each job's family, headcount and subsets."""
    jobs = people_of(profiles, per_job(aggregate_tasks(profiles, states, by=by, by_level=False, checked=True)))
    measured = pl.col("tasks_with_hours") > 0
    return jobs.select(
        "job_id",
        "group",
        *dict.fromkeys(_LAYERS.values()),
        all=pl.lit(value=True),
        described=pl.col("tasks") > 0,
        measured=measured,
        staffed=measured & pl.col("known_people").is_not_null(),
        staffed_fte=measured & pl.col("known_fte").is_not_null(),
        staffed_with_fte=measured & pl.col("known_fte").is_not_null(),
    )


def groups_with_people(profiles: TaskProfiles, *, by: By, states: Sequence[str] | None) -> pl.Series:
    """Return the groups that have jobs in the table of people."""
    reduced = with_listed_jobs(aggregate_tasks(profiles, states, by=by, by_level=False, checked=True))
    return reduced.jobs.get_column("group").unique()


def people_of(profiles: TaskProfiles, jobs: pl.DataFrame) -> pl.DataFrame:
    """Add ``headcount`` (people, or FTE where people are unknown), ``known_people`` and ``known_fte`` to the jobs.

    Employees count as 1.
    """
    columns = {"known_people": "headcount", "known_fte": "fte"}
    if (profiles.manifest.get("source") or {}).get("kind") == "employees":
        return jobs.with_columns(pl.lit(1.0).alias(name) for name in ("headcount", *columns))
    unknown = pl.lit(None, dtype=pl.Float64)
    counts = {name: pl.col(count) if count in jobs.columns else unknown for name, count in columns.items()}
    return jobs.with_columns(headcount=pl.coalesce(*counts.values()), **counts)


@cached
def counts_fte(profiles: TaskProfiles, by: By) -> bool:
    """Return whether full-time equivalents count as people in any job, because its people are unknown."""
    jobs = people_of(profiles, read_inputs(profiles, by).jobs)
    return not jobs.filter(pl.col("known_people").is_null() & pl.col("known_fte").is_not_null()).is_empty()


def keys_of_small_groups(layers: Mapping[str, pl.DataFrame], jobs: pl.DataFrame, privacy: Privacy) -> pl.Series:
    """Return the keys of small groups, plus the next smallest groups needed to protect them from totals."""
    jobs_by_layer = {name: pairs.join(jobs.select("job", "headcount"), on="job") for name, pairs in layers.items()}
    cells = next(iter(layers.values())).select(pl.col("key").unique()).sort("key")
    for name, pairs in jobs_by_layer.items():
        cells = cells.join(pairs.group_by("key").agg(**sums_of(name)), on="key", how="left")
    cells = cells.with_columns(pl.exclude("key").fill_null(0))
    few = below_threshold(cells.columns, privacy, staffed=True)
    first = next(iter(layers))
    order = cells.with_columns(few=few).sort(~pl.col("few"), f"{first}_jobs", "key").with_row_index("place")
    # Count a job with several keys only once, under its first key.
    together = order.select("place", "key", "few")
    for name, pairs in jobs_by_layer.items():
        first_place = pairs.join(order.select("key", "place"), on="key").sort("place").unique("job", keep="first")
        new = first_place.group_by("place").agg(**sums_of(name))
        together = together.join(new, on="place", how="left").sort("place")
    together = together.with_columns(
        pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum(), pl.col("^.*_largest$").fill_null(0).cum_max()
    )
    n_small = int(order.get_column("few").sum())
    if not n_small:
        return order.get_column("key").clear()
    enough = together.filter(~few & (pl.col("place") >= max(n_small, 2) - 1)).get_column("place")
    return order.head(enough[0] + 1 if enough.len() else order.height).get_column("key").sort()


def is_small_group(headcounts: Sequence[float | None], privacy: Privacy) -> bool:
    """Apply the rule of `below_threshold` to the headcounts of some jobs. Without jobs, there is nothing to reveal."""
    if not headcounts:
        return False
    known = [headcount for headcount in headcounts if headcount is not None]
    jobs, people, unknown = len(headcounts), sum(known), len(headcounts) - len(known)
    if jobs < privacy.min_jobs:
        return True
    if unknown < min(jobs, max(privacy.min_jobs, 1)) and people < privacy.min_headcount:
        return True
    return bool(privacy.min_headcount) and max(known, default=0.0) > _DOMINANT * people


def sums_of(layer: str) -> dict[str, pl.Expr]:
    """Return expressions for the counts of the jobs in a subset."""
    headcount = pl.col("headcount")
    return {
        f"{layer}_jobs": pl.len().cast(pl.Int64),
        f"{layer}_people": headcount.sum(),
        f"{layer}_unknown": headcount.null_count().cast(pl.Int64),
        f"{layer}_largest": headcount.max().fill_null(0.0),
    }


def per_member_counts(members: pl.DataFrame) -> pl.DataFrame:
    """Return each member's contribution to the counts returned by `group_counts`."""
    counts = {}
    for name, column in _LAYERS.items():
        headcount = pl.col(column)
        is_member, people = pl.col(name), pl.when(name).then(headcount).fill_null(0.0)
        counts[f"{name}_jobs"] = is_member.cast(pl.Int64)
        counts[f"{name}_people"] = people
        counts[f"{name}_unknown"] = (is_member & headcount.is_null()).cast(pl.Int64)
        counts[f"{name}_largest"] = people
    return members.select("job_id", "group", "headcount", **counts)


def _count_by_family(members: pl.DataFrame) -> pl.DataFrame:
    alone = per_member_counts(members).sort("job_id").group_by("group", maintain_order=True)
    sums, largest = pl.col("^.*_(jobs|people|unknown)$").sum(), pl.col("^.*_largest$").max()
    order = [f"{name}_{of}" for name in _LAYERS for of in ("jobs", "people", "unknown", "largest")]
    return alone.agg(sums, largest).select("group", *order).sort("group")
