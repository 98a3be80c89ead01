"""Hours by level and sets of levels: the sums that an index and its bounds are computed from, whatever the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_jobs, aggregate_tasks, columns_of_jobs, known_sum, n_stated
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_headcount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "FamilySums",
    "LevelSums",
    "attach_level_set_values",
    "attach_staffing",
    "families_as_jobs",
    "family_sums",
    "jobs_with_hours",
    "level_sums",
    "undescribed_hours",
]

#: A set of levels is a number of at most 62 bits; where there are more levels, it is several numbers.
_BITS = 62


def attach_staffing(
    jobs: pl.DataFrame, cells: pl.DataFrame, *, by_headcount: bool = False, contract_hours: float | None = None
) -> pl.DataFrame:
    """Attach to each cell its job's ``staff`` and ``week``."""
    staff = pl.col("headcount") if by_headcount else pl.lit(1.0)
    week = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    week = week if contract_hours is None else week.fill_null(contract_hours)
    people = jobs.select("job", staff=staff, week=week)
    return cells.join(people, on="job", maintain_order="left").filter(pl.col("staff").is_not_null())


def families_as_jobs(cells: pl.DataFrame) -> pl.DataFrame:
    """Treat each family as one job of one person without contract hours, for where only its sums matter."""
    return cells.with_columns(job="job_family", staff=1.0, week=pl.lit(None, dtype=pl.Float64))


def undescribed_hours(**more: pl.Expr) -> list[pl.Expr]:
    """Return expressions for a job's ``rest``: its undocumented contract hours times its people, null where unknown."""
    rest = (pl.col("week").first() - pl.col("hours").sum()).clip(lower_bound=0) * pl.col("staff").first()
    return [
        pl.when(pl.col("staff").first() == 0).then(0.0).otherwise(rest).alias("rest"),
        *(expression.alias(name) for name, expression in more.items()),
    ]


class LevelSums(NamedTuple):
    """Sums by job or family that any weights can be applied to, as small for many jobs of a family as for few.

    Attributes
    ----------
    levels
        The levels that occur, in order.
    amounts
        By ``level``: ``amount`` (hours per week times people; null where none is known), ``tasks`` with hours,
        ``stated`` of these whose hours were not imputed, and ``people``.
    with_hours
        By set of levels: the number of ``jobs`` that have hours at exactly these levels.
    without_hours
        By set of levels: ``rest``, the undocumented contract hours of the jobs whose tasks without hours have exactly
        these levels, and the number of those jobs for which they are ``unknown``.
    """

    levels: list[str]
    amounts: pl.DataFrame
    with_hours: pl.DataFrame
    without_hours: pl.DataFrame


def level_sums(cells: pl.DataFrame, by: str) -> LevelSums:
    """Add up the cells of `attach_staffing` by job or family."""
    levels = cells.get_column("level").unique().sort().to_list()
    parts = _parts(levels)
    cells = cells.with_columns(amount=pl.col("hours") * pl.col("staff"))
    marks = {"with": pl.col("amount").is_not_null(), "without": pl.col("n_known") < pl.col("n")}
    cells = cells.with_columns(
        pl.when(marked).then(_bit(part)).otherwise(0).alias(f"{kind} {name}")
        for kind, marked in marks.items()
        for name, part in parts.items()
    )
    family = {"job_family": pl.col("job_family").first()} if by == "job_family" else {}
    sets = {f"{kind} {name}": pl.col(f"{kind} {name}").bitwise_or() for kind in marks for name in parts}
    per_job = cells.group_by("job", maintain_order=True).agg(undescribed_hours(**family, **sets))

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
    """Attach columns computed from each row's set of levels; `levels` are those of its `LevelSums`."""
    parts = _parts(levels)
    sets = rows.select(*parts).unique(maintain_order=True)
    members = [
        [
            level
            for bits, part in zip(numbers, parts.values(), strict=True)
            for place, level in enumerate(part)
            if bits >> place & 1
        ]
        for numbers in sets.rows()
    ]
    columns = [
        pl.Series(name, [compute(some) for some in members], dtype=pl.Float64) for name, compute in value_of.items()
    ]
    return rows.join(sets.with_columns(columns), on=list(parts), how="left", maintain_order="left")


def _parts(levels: list[str]) -> dict[str, list[str]]:
    """Return the columns that together hold a set of levels, and the levels whose bits are in each."""
    return {f"set {start}": levels[start : start + _BITS] for start in range(0, max(len(levels), 1), _BITS)}


def _bit(levels: list[str]) -> pl.Expr:
    bits = {level: 1 << place for place, level in enumerate(levels)}
    return pl.col("level").replace_strict(bits, default=0, return_dtype=pl.Int64)


class FamilySums(NamedTuple):
    """Sums of families that any weights can be applied to.

    Attributes
    ----------
    families
        ``job_family, jobs, tasks`` (null where it has none).
    levels, per_job
        Added up over jobs; or where not `per_job`, since only the sums of families matter, as if each were one job.
    reduced
        All that was counted, its cells by level alone.
    jobs_with_hours
        Results of the function of this name, by levels.
    """

    families: pl.DataFrame
    levels: LevelSums
    per_job: bool
    reduced: TaskCounts
    jobs_with_hours: dict[tuple[str, ...], pl.DataFrame]


@cached
def family_sums(profiles: TaskProfiles, *, states: Sequence[str], by_headcount: bool, week: float | None) -> FamilySums:
    """Add up by family all that an exposure index and its bounds are computed from; `week` is for missing contracts."""
    # Single jobs matter only for what belongs to a job: people and undocumented contract hours.
    per_job = by_headcount or week is not None or "contract_hours" in columns_of_jobs(profiles)
    reduced = aggregate_tasks(profiles, states, per="job" if per_job else "family")
    if by_headcount:
        check_headcount(reduced.jobs.columns)
    cells = families_as_jobs(reduced.cells)
    if per_job:
        cells = attach_staffing(reduced.jobs, reduced.cells, by_headcount=by_headcount, contract_hours=week)
    jobs = reduced.jobs.group_by("job_family").agg(jobs=pl.len())
    tasks = reduced.cells.group_by("job_family").agg(tasks=pl.col("n").sum())
    by_level = reduced.cells.group_by("level", maintain_order=True).agg(
        pl.col("n", "n_known", "hours", "imputed", "n_imputed").sum()
    )
    return FamilySums(
        jobs.join(tasks, on="job_family", how="left"),
        level_sums(cells, "job_family"),
        per_job,
        reduced._replace(cells=by_level),
        {},
    )


def jobs_with_hours(profiles: TaskProfiles, sums: FamilySums, levels: list[str]) -> pl.DataFrame:
    """Count by family, as ``jobs_weighed``, the jobs that have hours at any of these levels."""
    asked = tuple(levels)
    if asked not in sums.jobs_with_hours:
        jobs = aggregate_jobs(profiles, sums.reduced, levels=levels).filter(pl.col("n_known") > 0)
        sums.jobs_with_hours[asked] = jobs.group_by("job_family").agg(jobs_weighed=pl.len())
    return sums.jobs_with_hours[asked]
