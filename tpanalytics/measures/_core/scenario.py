"""What one person in each job would no longer do, by what is assumed of each level."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import known_sum, n_stated
from tpanalytics.measures._core.assumptions import must_name
from tpanalytics.measures._core.checks import check_headcount
from tpanalytics.measures._core.metadata import grade_of, meaning_of
from tpanalytics.schema import NO_FAMILY, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.assumptions import Span
    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["BY_FAMILY", "freed_per_job", "needs_headcount", "needs_week", "of_staff", "staffed_meaning", "why_null"]

#: The order of every result here: families by name, jobs without one last.
BY_FAMILY: tuple[Any, ...] = (pl.col("job_family") == NO_FAMILY, "job_family")


def needs_headcount(jobs: pl.DataFrame) -> None:
    """Refuse jobs without headcounts.

    Raises
    ------
    SchemaError
        If the column is missing.
    """
    check_headcount(jobs.columns, "freed_by_family, which counts one person for each job")


def needs_week(per_job: pl.DataFrame) -> None:
    """Refuse jobs whose full-time week nobody has said.

    Raises
    ------
    SchemaError
        If a job with a headcount has none.
    """
    without = per_job.filter(pl.col("week").is_null() & pl.col("headcount").is_not_null())
    if without.height:
        raise SchemaError(
            f"contract_hours=None, but {without.height:,} job(s) with a headcount have no contract_hours, the first is "
            f"{without.item(0, 'job_id')!r}. Give the hours of a full-time week."
        )


def freed_per_job(reduced: TaskCounts, freed: Mapping[str, Span], contract_hours: float | None = None) -> pl.DataFrame:
    """Add up the hours that one person in each job is freed of, and what the unknown could add to them.

    Parameters
    ----------
    reduced
        Per job and by level.
    freed
        As `checked_freed` gives it.
    contract_hours
        The week of a job without contract hours.

    Returns
    -------
    pl.DataFrame
        The columns of `TaskCounts.jobs`, and per job ``tasks, tasks_with_hours, tasks_known`` (with hours and a level),
        ``tasks_stated`` (of those, the ones whose hours were not put in) and,
        in hours per week, ``week`` (null where not known), ``hours``, ``hours_known`` (of tasks with a level),
        ``freed_low, freed_high`` (null where no task has both) and ``freed_most`` (null without tasks, or where a week
        is needed and not known); one row per job, by number.

    Raises
    ------
    SchemaError
        If a level of the data is not in `freed`.
    """
    jobs, cells = reduced.jobs, reduced.cells
    must_name(cells.get_column("level").unique(), freed)
    share = {
        end: pl.col("level").replace_strict(
            {level: getattr(span, end) for level, span in freed.items()}, default=None, return_dtype=pl.Float64
        )
        for end in ("low", "high")
    }
    most = max(span.high for span in freed.values())
    unrated = pl.col("level") == NOT_ASSESSED
    rated = pl.col("hours").filter(~unrated)
    sums = (
        cells.with_columns(
            freed_low=pl.col("hours") * share["low"],
            freed_high=pl.col("hours") * share["high"],
            # A task without hours may take the whole rest of the week, at the share of its level; or of any level.
            open_share=pl.when(pl.col("n_known") < pl.col("n")).then(share["high"].fill_null(most)),
        )
        .group_by("job", maintain_order=True)
        .agg(
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            tasks_known=pl.col("n_known").filter(~unrated).sum(),
            tasks_stated=n_stated.filter(~unrated).sum(),
            hours=known_sum("hours"),
            freed_low=known_sum("freed_low"),
            freed_high=known_sum("freed_high"),
            hours_known=pl.when(rated.count() > 0).then(rated.sum()),
            unrated=pl.col("hours").filter(unrated).sum(),
            open_share=pl.col("open_share").max(),
        )
    )
    week = pl.lit(contract_hours, dtype=pl.Float64)
    if "contract_hours" in jobs.columns:
        week = pl.coalesce("contract_hours", week)
    rest = (pl.col("week") - pl.col("hours").fill_null(0.0)).clip(lower_bound=0.0)
    # Null for a job without tasks: of what it could free nothing is known.
    unknown = pl.col("unrated") * most + pl.when(pl.col("open_share").is_null()).then(0.0).otherwise(
        rest * pl.col("open_share")
    )
    counts = ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated")
    return (
        jobs.with_columns(week=week)
        .join(sums, on="job", how="left", maintain_order="left")
        .with_columns(
            *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts),
            freed_most=pl.col("freed_high").fill_null(0.0) + unknown,
        )
        .drop("open_share", "unrated")
    )


def of_staff(frame: pl.DataFrame) -> pl.DataFrame:
    """Count people in the place of one person: hours times headcount, null where that is not known.

    Tasks that count are then those of jobs with a headcount, and ``all_tasks`` are those of all.
    """
    staff, staffed = pl.col("headcount"), pl.col("headcount").is_not_null()
    counts, hours = (
        ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated"),
        ("hours", "freed_low", "freed_high", "freed_most"),
    )
    return frame.with_columns(
        *(pl.when(staffed).then(name).otherwise(0).cast(pl.UInt32).alias(name) for name in counts),
        *(pl.col(name) * staff for name in hours),
        all_tasks=pl.col("tasks"),
        people=pl.when(pl.col("freed_low").is_not_null()).then(staff),
    )


def why_null() -> pl.Expr:
    """Say why a family has no figure (rule R9); null where it has one.

    Reads ``all_tasks, jobs_with_headcount, tasks, tasks_with_hours, tasks_known`` of the family.
    """
    return (
        pl.when(pl.col("all_tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("jobs_with_headcount") == 0)
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("tasks_with_hours") == 0)
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("tasks_known") == 0)
        .then(pl.lit("NO_LEVELS"))
    )


def staffed_meaning(reduced: TaskCounts, per_job: pl.DataFrame, **said: Any) -> Meaning:
    """Make the meaning of a figure by headcount, graded by the tasks that have hours, a level and people."""
    staffed = pl.col("headcount").is_not_null()
    known, tasks, unstaffed = per_job.select(
        pl.col("tasks_stated").filter(staffed).sum(), pl.col("tasks").sum(), (~staffed).sum().alias("unstaffed")
    ).row(0)
    covered = known / tasks if tasks else None
    warnings = _over_described(per_job)
    if unstaffed:
        warnings = (f"{unstaffed:,} of {per_job.height:,} jobs have no headcount and are left out.", *warnings)
    meaning = meaning_of(reduced, staffed=True, basis="headcount", warnings=warnings, **said)
    coverage = {**meaning.coverage, "hours, level and headcount": covered}
    return replace(meaning, coverage=coverage, grade=grade_of(covered))


def _over_described(per_job: pl.DataFrame) -> tuple[str, ...]:
    """Warn of jobs whose tasks come to more than their week, so that more may be freed than people work."""
    more = (pl.col("hours") > 1.1 * pl.col("week")) & pl.col("headcount").is_not_null()
    n = per_job.select(more.sum()).item()
    if not n:
        return ()
    return (f"In {n:,} job(s) the tasks come to more than 1.1 times the week; more may be freed there than is worked.",)
