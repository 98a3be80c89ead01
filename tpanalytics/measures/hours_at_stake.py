"""Hours of highly automatable work, with lower and upper bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, n_stated, share_of
from tpanalytics.measures._core.bounds import assumed_week_note
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import attach_staffing, undocumented_hours_expressions
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.staff import STAFF, checked_weight, named_after, with_optional_staff
from tpanalytics.measures.exposure import DIGITS, POTENTIAL_CHANGE
from tpanalytics.schema import LEVELS, NOT_ASSESSED, level_order
from tpanalytics.typing import StaffCount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["hours_at_stake"]


@cached
def hours_at_stake(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level: str = "H1",
    weight: StaffCount | None = None,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Sum the weekly hours of highly automatable work in each job family, with lower and upper bounds.

    The lower bound is the sum of the documented hours at the level. The upper bound also includes the hours of tasks
    that are not assessed. If a job has a task without hours that is or could be at the level, its undocumented contract
    hours are included as well. Missing hours are not counted as zero. If there are tasks at the level but none have
    hours, ``hours`` is null.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``fte`` (full-time equivalents) or ``headcount``
        (people), depending on `weight`, and ``contract_hours`` (hours per week) from `jobs`, and ``job_id,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. With a column of people, figures count the people in each group by default, and jobs without people
        are in no group. Hours for one person per job count once in every group that has the job, so groups overlap.
        With a column of tasks, a job counts in every group where it has such a task.
    weight
        ``"fte"`` counts full-time equivalents, ``"headcount"`` people. None means ``"headcount"`` if `by` has a column
        of people, and ``"fte"`` otherwise, so results by other columns have ``fte_hours``. State it to compare results.
    level
        AI impact level to sum.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects the upper bound. If None, nothing is
        assumed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by hours in descending order (nulls last) and then by name. Dates (``"as_of"``) are
        in order. Columns starting with ``hours`` contain hours per week for one incumbent per job. Columns starting
        with ``fte_hours`` are multiplied by full-time equivalents. They only include jobs with this count, and are null
        if there are none. With ``weight="headcount"``, they count people and are named after ``headcount``.

        ========================  =======  ==================================================================
        ``job_family``            String   the columns in `by`
        ``hours``                 Float64  documented hours at the level; 0 if there are hours but no tasks at the level
        ``hours_low``             Float64  lower bound; 0 if ``hours`` is null
        ``hours_high``            Float64  upper bound; null if required contract hours are missing
        ``fte_hours``             Float64  ``hours`` times full-time equivalents
        ``fte_hours_low``         Float64  ``hours_low`` times full-time equivalents
        ``fte_hours_high``        Float64  ``hours_high`` times full-time equivalents
        ``jobs``                  UInt32   jobs in the family
        ``jobs_with_fte``         UInt32   jobs with full-time equivalents
        ``tasks``                 UInt32   tasks in the selected states
        ``tasks_at_stake``        UInt32   tasks at the level
        ``tasks_without_hours``   UInt32   tasks at the level without hours
        ``tasks_without_level``   UInt32   tasks that are not assessed
        ``coverage``              Float64  share of tasks with stated hours and a level, 0 to 1
        ``data_grade``            String   A (coverage of at least 0.9), B (at least 0.7) or C: quote only the bounds
        ``reason``                String   why ``hours`` is null (``NO_TASKS``, ``NO_HOURS``, ``NO_LEVELS``) or
                                           ``hours_high`` is (``NO_CONTRACT_HOURS``)
        ========================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> stake = hours_at_stake(load_sample())
    >>> stake.select("job_family", "hours", "hours_high", "fte_hours").row(0)
    ('Customer Service', 168.5, 262.25, 2005.875)
    """
    if not isinstance(level, str) or level in ("", NOT_ASSESSED):
        raise ArgumentError(f"`level` must be an AI impact level like 'H1', not {level!r}.")
    week = checked_week(contract_hours)
    weight = checked_weight(profiles, by, weight, StaffCount, "fte")
    reduced = aggregate_tasks(profiles, states, by=by)
    has_staff = weight in reduced.jobs.columns
    reduced = with_optional_staff(reduced, weight)
    jobs, cells = reduced.jobs, reduced.cells
    levels = level_order(cells.filter(pl.col("level") != NOT_ASSESSED).get_column("level").unique().to_list())
    if levels and level not in {*LEVELS, *levels}:
        raise ArgumentError(f"`level` must be a level of the tasks ({', '.join(map(repr, levels))}), not {level!r}.")
    by_job = _stake(attach_staffing(jobs, cells, contract_hours=week), level)
    by_headcount = _stake(attach_staffing(jobs, cells, by_headcount=True, contract_hours=week), level)
    names = ["tasks", "tasks_at_stake", "tasks_without_hours", "tasks_without_level"]
    result = (
        jobs.group_by("group")
        .agg(jobs=pl.len(), jobs_with_headcount=pl.col("headcount").count())
        .join(_counts(cells, level), on="group", how="left")
        .join(by_job, on="group", how="left")
        .join(by_headcount.rename(lambda name: name.replace("hours", "headcount_hours")), on="group", how="left")
        .with_columns(pl.col(name).fill_null(0) for name in names)
        .with_columns(coverage=share_of(pl.col("with_both_stated"), pl.col("tasks")), reason=_reason())
        .select(
            *("group", "hours", "hours_low", "hours_high"),
            *("headcount_hours", "headcount_hours_low", "headcount_hours_high"),
            *(pl.col(name).cast(pl.UInt32) for name in ("jobs", "jobs_with_headcount", *names)),
            *("coverage", grade(pl.col("coverage")).alias("data_grade"), "reason"),
        )
        .pipe(reduced.groups.largest_first, pl.col("hours").round(DIGITS))
    )
    unbounded = result.filter(pl.col("hours").is_not_null() & pl.col("hours_high").is_null()).height
    return attach_metadata(
        reduced.groups.named(named_after(result, weight)),
        meaning_of(
            reduced,
            staffed=has_staff,
            measure="hours_at_stake",
            value=f"hours of {reduced.groups.a_group}'s work at level {level}",
            unit="hours per week",
            basis="hours",
            policy=(
                POTENTIAL_CHANGE,
                f"hours is for one incumbent of each job; {weight}_hours is hours times {STAFF[weight]}.",
                (
                    "The upper bound adds tasks that are not assessed, and undocumented contract hours of jobs with a "
                    f"task without hours that is or could be at {level}."
                ),
            ),
            warnings=(
                *assumed_week_note(reduced.jobs, week),
                *(
                    (f"{unbounded} of {result.height} groups have no upper bound: contract hours are missing.",)
                    * (unbounded > 0)
                ),
            ),
        ),
    )


def _counts(cells: pl.DataFrame, level: str) -> pl.DataFrame:
    at_level, not_assessed = pl.col("level") == level, pl.col("level") == NOT_ASSESSED
    return cells.group_by("group").agg(
        tasks=pl.col("n").sum(),
        tasks_at_stake=pl.col("n").filter(at_level).sum(),
        tasks_without_hours=(pl.col("n") - pl.col("n_known")).filter(at_level).sum(),
        tasks_without_level=pl.col("n").filter(not_assessed).sum(),
        with_hours=pl.col("n_known").sum(),
        with_both=pl.col("n_known").filter(~not_assessed).sum(),
        with_both_stated=n_stated.filter(~not_assessed).sum(),
    )


def _reason() -> pl.Expr:
    """Return an expression for why ``hours`` or ``hours_high`` is null."""
    return (
        pl.when(pl.col("tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("hours").is_null() & (pl.col("with_hours") > 0) & (pl.col("with_both") == 0))
        .then(pl.lit("NO_LEVELS"))
        .when(pl.col("hours").is_null())
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("hours_high").is_null())
        .then(pl.lit("NO_CONTRACT_HOURS"))
    )


def _stake(cells: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return each family's hours at the level, with bounds. `cells` must come from `attach_staffing`."""
    at_level, not_assessed = pl.col("level") == level, pl.col("level") == NOT_ASSESSED
    cells = cells.with_columns(
        amount=pl.col("hours") * pl.col("staff"), is_open=(pl.col("n_known") < pl.col("n")) & (at_level | not_assessed)
    ).with_columns(at_level=pl.when(at_level).then("amount"))
    rest = (
        cells.group_by("group", "job", maintain_order=True)
        .agg(undocumented_hours_expressions(is_open=pl.col("is_open").any()))
        .filter(pl.col("is_open"))
        .group_by("group", maintain_order=True)
        .agg(pl.col("rest").sum(), unknown=pl.col("rest").null_count())
    )
    # Only return 0 if there are no tasks at the level and at least one assessed task has hours.
    none_at_level = (pl.col("n_at_level") == 0) & (pl.col("n_rated") > 0)
    return (
        cells.group_by("group", maintain_order=True)
        .agg(
            known=known_sum("at_level"),
            more=pl.col("amount").filter(not_assessed).sum(),
            n_at_level=pl.col("n").filter(at_level).sum(),
            n_rated=pl.col("n_known").filter(~not_assessed).sum(),
        )
        .join(rest, on="group", how="left")
        .with_columns(low=pl.col("known").fill_null(0.0))
        .select(
            "group",
            hours=pl.when(none_at_level).then(0.0).otherwise("known"),
            hours_low="low",
            hours_high=pl.when(pl.col("unknown").fill_null(0) == 0).then(
                pl.col("low") + pl.col("more") + pl.col("rest").fill_null(0.0)
            ),
        )
    )
