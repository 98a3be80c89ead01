"""Hours by level and by set of levels, for computing an index and its bounds with any weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import (
    aggregate_jobs,
    aggregate_tasks,
    columns_of_jobs,
    each_task_once,
    known_sum,
    n_stated,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.staff import STAFF, with_staff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "GroupSums",
    "LevelSums",
    "attach_level_set_values",
    "attach_staffing",
    "group_sums",
    "groups_as_jobs",
    "jobs_with_hours",
    "level_sums",
    "undocumented_hours_expressions",
]

#: Sets of levels are stored as bits in one or more integers, with this many bits per integer.
_BITS = 62


def attach_staffing(
    jobs: pl.DataFrame, cells: pl.DataFrame, *, by_headcount: bool = False, contract_hours: float | None = None
) -> pl.DataFrame:
    """Add the job's ``staff`` (people) and ``week`` (contract hours) to each cell."""
    staff = pl.col("headcount") if by_headcount else pl.lit(1.0)
    week = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    week = week if contract_hours is None else week.fill_null(contract_hours)
    people = jobs.select("job", staff=staff, week=week)
    return cells.join(people, on="job", maintain_order="left").filter(pl.col("staff").is_not_null())


def groups_as_jobs(cells: pl.DataFrame) -> pl.DataFrame:
    """Treat each family as a single job with one person and no contract hours, for when only sums matter."""
    return cells.with_columns(job="group", staff=1.0, week=pl.lit(None, dtype=pl.Float64))


def undocumented_hours_expressions(**more: pl.Expr) -> list[pl.Expr]:
    """Return expressions for a job's ``rest``: undocumented contract hours times people, or null if unknown."""
    rest = (pl.col("week").first() - pl.col("hours").sum()).clip(lower_bound=0) * pl.col("staff").first()
    return [
        pl.when(pl.col("staff").first() == 0).then(0.0).otherwise(rest).alias("rest"),
        *(expression.alias(name) for name, expression in more.items()),
    ]


class LevelSums(NamedTuple):
    """Sums by job or family, for use with any weights. Family sums don't grow with the number of jobs."""

    #: Sorted levels.
    levels: list[str]
    #: For each ``level``: ``amount`` (hours per week times people, or null if there are none), the number of ``tasks``
    #: with hours, the number with documented hours (``stated``), and ``people``.
    amounts: pl.DataFrame
    #: For each set of levels, the number of ``jobs`` that have hours at exactly these levels.
    with_hours: pl.DataFrame
    #: For each set of levels, jobs whose tasks without hours have exactly these levels. ``rest`` sums the undocumented
    #: contract hours, and ``unknown`` counts the jobs where these are unknown.
    without_hours: pl.DataFrame


def level_sums(cells: pl.DataFrame, by: str) -> LevelSums:
    """Sum the cells from `attach_staffing` by job or family."""
    levels = cells.get_column("level").unique().sort().to_list()
    parts = _parts(levels)
    cells = cells.with_columns(amount=pl.col("hours") * pl.col("staff"))
    marks = {"with": pl.col("amount").is_not_null(), "without": pl.col("n_known") < pl.col("n")}
    cells = cells.with_columns(_bit(part).alias(name) for name, part in parts.items()).with_columns(
        pl.when(marked).then(name).otherwise(0).alias(f"{kind} {name}")
        for kind, marked in marks.items()
        for name in parts
    )
    family = {"group": pl.col("group").first()} if by == "group" else {}
    sets = {f"{kind} {name}": pl.col(f"{kind} {name}").bitwise_or() for kind in marks for name in parts}
    per_job = cells.group_by("job", maintain_order=True).agg(undocumented_hours_expressions(**family, **sets))

    def grouped(kind: str, **sums: pl.Expr) -> pl.DataFrame:
        jobs = per_job.rename({f"{kind} {name}": name for name in parts})
        some = jobs.filter(pl.any_horizontal(pl.col(name) != 0 for name in parts))
        return some.group_by(by, *parts, maintain_order=True).agg(**sums)

    amounts = cells.group_by(by, "level", maintain_order=True).agg(
        amount=known_sum("amount"), tasks=pl.col("n_known").sum(), stated=n_stated.sum(), people=pl.col("staff").sum()
    )
    rest = pl.col("rest")
    return LevelSums(
        levels, amounts, grouped("with", jobs=pl.len()), grouped("without", rest=rest.sum(), unknown=rest.null_count())
    )


def attach_level_set_values(
    rows: pl.DataFrame, levels: list[str], **value_of: Callable[[list[str]], float]
) -> pl.DataFrame:
    """Add columns computed from the set of levels in each row. `levels` must come from the same `LevelSums`."""
    parts = _parts(levels)
    sets = rows.select(*parts).unique(maintain_order=True)
    members = [
        [
            level
            for bits, part in zip(numbers, parts.values(), strict=True)
            for position, level in enumerate(part)
            if bits >> position & 1
        ]
        for numbers in sets.rows()
    ]
    columns = [
        pl.Series(name, [compute(levels_of_set) for levels_of_set in members], dtype=pl.Float64)
        for name, compute in value_of.items()
    ]
    return rows.join(sets.with_columns(columns), on=list(parts), how="left", maintain_order="left")


def _parts(levels: list[str]) -> dict[str, list[str]]:
    """Return the integer columns that store a set of levels, along with the levels in each column."""
    return {f"set {start}": levels[start : start + _BITS] for start in range(0, max(len(levels), 1), _BITS)}


def _bit(levels: list[str]) -> pl.Expr:
    bits = {level: 1 << position for position, level in enumerate(levels)}
    return pl.col("level").replace_strict(bits, default=0, return_dtype=pl.Int64)


class GroupSums(NamedTuple):
    """Family sums, for use with any weights."""

    #: ``job_family, jobs, tasks, hours``. Counts are null if there are none.
    families: pl.DataFrame
    #: Level sums by family. Unless `per_job` is set, each family is treated as a single job.
    levels: LevelSums
    per_job: bool
    #: The counts, with cells grouped by level only.
    reduced: TaskCounts
    #: Cached results of `jobs_with_hours`, keyed by levels.
    jobs_with_hours: dict[tuple[str, ...], pl.DataFrame]


@cached
def group_sums(
    profiles: TaskProfiles, *, by: By, states: Sequence[str] | None, weight: str, week: float | None
) -> GroupSums:
    """Return the sums needed for an exposure index and its bounds, using `week` if contract hours are missing."""
    # Individual jobs are only needed for headcounts and for undocumented contract hours.
    staffed = weight in STAFF
    per_job = staffed or week is not None or "contract_hours" in columns_of_jobs(profiles)
    reduced = with_staff(aggregate_tasks(profiles, states, by=by, per="job" if per_job else "group"), weight)
    cells = groups_as_jobs(reduced.cells)
    if per_job:
        cells = attach_staffing(reduced.jobs, reduced.cells, by_headcount=staffed, contract_hours=week)
    jobs = reduced.jobs.group_by("group").agg(jobs=pl.len())
    tasks = reduced.cells.group_by("group").agg(tasks=pl.col("n").sum(), hours=known_sum("hours"))
    by_level = reduced.cells.group_by("level", maintain_order=True).agg(
        pl.col("n", "n_known", "hours", "imputed", "n_imputed").sum()
    )
    return GroupSums(
        jobs.join(tasks, on="group", how="left"),
        level_sums(cells, "group"),
        per_job,
        reduced._replace(cells=by_level, once=each_task_once(reduced) if reduced.groups.columns.people else None),
        {},
    )


def jobs_with_hours(profiles: TaskProfiles, sums: GroupSums, levels: list[str]) -> pl.DataFrame:
    """Return ``jobs_in_index``, the number of jobs with hours at any of these levels, for each family."""
    key = tuple(levels)
    if key not in sums.jobs_with_hours:
        jobs = aggregate_jobs(profiles, sums.reduced, levels=levels).filter(pl.col("n_known") > 0)
        sums.jobs_with_hours[key] = jobs.group_by("group").agg(jobs_in_index=pl.len())
    return sums.jobs_with_hours[key]
