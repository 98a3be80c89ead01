"""How many jobs and people stand behind each family's figures, and whether they are too few to be told of."""

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
    "behind_of",
    "below_threshold",
    "both_behind",
    "check_cells",
    "count_differences",
    "group_counts",
    "job_differences",
    "keys_of_few",
    "members",
    "own_counts",
    "people_of",
    "per_member_counts",
]

#: A headcount cell of which one job has more than this share tells of that job.
_DOMINANT = 0.85
#: The jobs of a family; those with a task; those with hours; those with hours and headcount, for figures by headcount.
_LAYERS = ("all", "described", "measured", "staffed")
#: Columns that tell of one job; however many there are in its family, they do not protect it.
_OF_ONE_JOB = ("job_id", "job_name", "most_influential_job", "influence")


def check_cells(result: pl.DataFrame, keys: Sequence[str], *, alone: bool) -> None:
    """Refuse a result whose rows are not cells by family and `keys`; `alone`, it must count their jobs itself."""
    if alone and "jobs" not in result.columns:
        raise SchemaError("result lacks 'jobs', the number of jobs of its family; pass profiles to suppress as well.")
    of_one = [name for name in _OF_ONE_JOB if name in result.columns]
    if of_one:
        raise SchemaError(
            f"result tells of single jobs in {', '.join(map(repr, of_one))}; to hide small families would not protect "
            "them. Pass a result by family, without these columns."
        )
    twice = result.filter(pl.struct("job_family", *keys).is_duplicated())
    if twice.height:
        alike = f" that are alike in {', '.join(keys)}" if keys else ""
        raise SchemaError(
            f"result has several rows of the family {twice.item(0, 'job_family')!r}{alike}; name the columns that tell "
            "them apart as keys=[...]."
        )


@cached
def group_counts(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count what stands behind each family's figures, for `suppress`."""
    return _counted(members(profiles, states))


def behind_of(profiles: TaskProfiles | pl.DataFrame | None, states: Sequence[str]) -> pl.DataFrame | None:
    """Count what stands behind figures of `profiles`, unless it has been counted, or cannot be."""
    if not isinstance(profiles, TaskProfiles):
        return profiles
    return group_counts(profiles, states=states)


@cached
def both_behind(before: TaskProfiles, after: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Count the jobs and people behind each family in two snapshots; a family is shown if both pass."""
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


def below_threshold(columns: Sequence[str], privacy: Privacy, *, staffed: bool) -> pl.Expr:
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


@cached
def members(profiles: TaskProfiles, states: Sequence[str]) -> pl.DataFrame:
    """Give for each job its family and headcount, and behind which figures it stands."""
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
    """Give jobs a headcount: null where it is not known, and one where each job is an employee."""
    if (profiles.manifest.get("source") or {}).get("kind") == "employees":
        return jobs.with_columns(headcount=pl.lit(1.0))
    if "headcount" not in jobs.columns:
        return jobs.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
    return jobs


def keys_of_few(layers: Mapping[str, pl.DataFrame], jobs: pl.DataFrame, privacy: Privacy) -> pl.Series:
    """List the keys of small groups, with the next smallest, so that no total reveals them."""
    behind = {name: pairs.join(jobs.select("job", "headcount"), on="job") for name, pairs in layers.items()}
    cells = next(iter(layers.values())).select(pl.col("key").unique()).sort("key")
    for name, pairs in behind.items():
        cells = cells.join(pairs.group_by("key").agg(**_counts_of(name)), on="key", how="left")
    cells = cells.with_columns(pl.exclude("key").fill_null(0))
    few = below_threshold(cells.columns, privacy, staffed=True)
    first = next(iter(layers))
    order = cells.with_columns(few=few).sort(~pl.col("few"), f"{first}_jobs", "key").with_row_index("place")
    # A job behind several keys counts once in what they tell together: where it first comes.
    together = order.select("place", "key", "few")
    for name, pairs in behind.items():
        first_place = pairs.join(order.select("key", "place"), on="key").sort("place").unique("job", keep="first")
        new = first_place.group_by("place").agg(**_counts_of(name))
        together = together.join(new, on="place", how="left").sort("place")
    together = together.with_columns(
        pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum(), pl.col("^.*_largest$").fill_null(0).cum_max()
    )
    hidden = int(order.get_column("few").sum())
    if not hidden:
        return order.get_column("key").clear()
    enough = together.filter(~few & (pl.col("place") >= max(hidden, 2) - 1)).get_column("place")
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
    """Give for each of `members` what it adds to the counts of `group_counts`, with its id, family and headcount."""
    headcount = pl.col("headcount")
    counts = {}
    for name in _LAYERS:
        there, people = pl.col(name), pl.when(name).then(headcount).fill_null(0.0)
        counts[f"{name}_jobs"] = there.cast(pl.Int64)
        counts[f"{name}_people"] = people
        counts[f"{name}_unknown"] = (there & headcount.is_null()).cast(pl.Int64)
        counts[f"{name}_largest"] = people
    return members.select("job_id", "job_family", "headcount", **counts)


def _counted(members: pl.DataFrame) -> pl.DataFrame:
    alone = per_member_counts(members).sort("job_id").group_by("job_family", maintain_order=True)
    sums, largest = pl.col("^.*_(jobs|people|unknown)$").sum(), pl.col("^.*_largest$").max()
    order = [f"{name}_{of}" for name in _LAYERS for of in ("jobs", "people", "unknown", "largest")]
    return alone.agg(sums, largest).select("job_family", *order).sort("job_family")
