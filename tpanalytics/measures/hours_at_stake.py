"""Hours of work that are highly automatable, with their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, n_stated, share_of
from tpanalytics.measures._core.bounds import taken_week
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.level_sums import attach_staffing, undescribed_hours
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures.exposure import DIGITS
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["hours_at_stake"]


@cached
def hours_at_stake(
    profiles: TaskProfiles,
    *,
    level: str = "H1",
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Add up each family's weekly hours that are highly automatable, and say between what they lie.

    The least is the hours known to be at the level; the most adds the hours of tasks without level, and the contract
    hours that a job does not describe where it has a task without hours that is, or may be, at the level. Tasks
    without hours are not zero: ``hours`` is null where tasks are at the level and none of them has hours.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``headcount`` (full-time equivalents) and ``contract_hours``
        (hours per week) of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week)
        of `tasks`.
    level
        The level whose hours are at stake. Every other level, known or new, is not at stake.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the most there can be;
        None takes none.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, most hours first, ties by name, families without a figure last. Hours are per
        week: ``hours…`` for one incumbent of each job, ``headcount_hours…`` times the full-time equivalents of the
        jobs that have a headcount, null where none has.

        ========================  =======  ==================================================================
        ``job_family``            String   the family
        ``hours``                 Float64  hours known to be at the level; 0 where hours are known and none is
        ``hours_low``             Float64  least they can be: the same, and 0 where ``hours`` is null
        ``hours_high``            Float64  most they can be; null where contract hours are needed and not known
        ``headcount_hours``       Float64  as ``hours``, across people
        ``headcount_hours_low``   Float64  as ``hours_low``
        ``headcount_hours_high``  Float64  as ``hours_high``
        ``jobs``                  UInt32   jobs of the family
        ``jobs_with_headcount``   UInt32   those that have a headcount
        ``tasks``                 UInt32   tasks that count
        ``tasks_at_stake``        UInt32   those at the level
        ``tasks_without_hours``   UInt32   tasks at the level without hours
        ``tasks_without_level``   UInt32   tasks that are not assessed
        ``coverage``              Float64  share of the tasks that have hours and a level, 0 to 1
        ``data_grade``            String   A from 0.9 of ``coverage``, B from 0.7, C below; of a C quote only low and
                                           high
        ``reason``                String   why ``hours`` is null, or with them known ``hours_high``: a word of
                                           `metadata.NONE_BECAUSE`
        ========================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a column is missing, `level` is no level, or `contract_hours` no hours of a week.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> stake = hours_at_stake(load_sample())
    >>> stake.select("job_family", "hours", "hours_high", "headcount_hours").row(0)
    ('Customer Service', 168.5, 262.25, 2005.875)
    """
    if not isinstance(level, str) or level in ("", NOT_ASSESSED):
        raise SchemaError(f"level={level!r}: give the name of one AI impact level, like 'H1'.")
    week = checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states)
    jobs, cells = reduced.jobs, reduced.cells
    has_people = "headcount" in jobs.columns
    if not has_people:
        jobs = jobs.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
    by_hours = _stake(attach_staffing(jobs, cells, contract_hours=week), level)
    by_people = _stake(attach_staffing(jobs, cells, by_headcount=True, contract_hours=week), level)
    names = ["tasks", "tasks_at_stake", "tasks_without_hours", "tasks_without_level"]
    result = (
        jobs.group_by("job_family")
        .agg(jobs=pl.len(), jobs_with_headcount=pl.col("headcount").count())
        .join(_counts(cells, level), on="job_family", how="left")
        .join(by_hours, on="job_family", how="left")
        .join(by_people.rename(lambda name: name.replace("hours", "headcount_hours")), on="job_family", how="left")
        .with_columns(pl.col(name).fill_null(0) for name in names)
        .with_columns(coverage=share_of(pl.col("with_both_stated"), pl.col("tasks")), reason=_reason())
        .select(
            *("job_family", "hours", "hours_low", "hours_high"),
            *("headcount_hours", "headcount_hours_low", "headcount_hours_high"),
            *(pl.col(name).cast(pl.UInt32) for name in ("jobs", "jobs_with_headcount", *names)),
            *("coverage", grade(pl.col("coverage")).alias("data_grade"), "reason"),
        )
        .sort(pl.col("hours").round(DIGITS), "job_family", descending=[True, False], nulls_last=True)
    )
    lacking = result.filter(pl.col("hours").is_not_null() & pl.col("hours_high").is_null()).height
    return attach_metadata(
        result,
        meaning_of(
            reduced,
            staffed=has_people,
            measure="hours_at_stake",
            value=f"hours of a family's work at level {level}",
            unit="hours per week",
            basis="hours",
            policy=(
                "Exposure says what could change, not who leaves.",
                "hours is for one incumbent of each job; headcount_hours counts only jobs with a headcount.",
                (
                    "The most there can be adds tasks without level, and undescribed contract hours where a task "
                    f"without hours is, or may be, at {level}."
                ),
            ),
            warnings=(
                *taken_week(reduced.jobs, week),
                *(
                    (f"For {lacking} of {result.height} families there is no upper bound without contract hours.",)
                    * (lacking > 0)
                ),
            ),
        ),
    )


def _counts(cells: pl.DataFrame, level: str) -> pl.DataFrame:
    at, gap = pl.col("level") == level, pl.col("level") == NOT_ASSESSED
    return cells.group_by("job_family").agg(
        tasks=pl.col("n").sum(),
        tasks_at_stake=pl.col("n").filter(at).sum(),
        tasks_without_hours=(pl.col("n") - pl.col("n_known")).filter(at).sum(),
        tasks_without_level=pl.col("n").filter(gap).sum(),
        with_hours=pl.col("n_known").sum(),
        with_both=pl.col("n_known").filter(~gap).sum(),
        with_both_stated=n_stated.filter(~gap).sum(),
    )


def _reason() -> pl.Expr:
    """Return why ``hours`` is null, or with them known ``hours_high``."""
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
    """Return ``job_family, hours, hours_low, hours_high`` from the cells of `attach_staffing`."""
    at, gap = pl.col("level") == level, pl.col("level") == NOT_ASSESSED
    cells = cells.with_columns(
        amount=pl.col("hours") * pl.col("staff"), is_open=(pl.col("n_known") < pl.col("n")) & (at | gap)
    ).with_columns(at_level=pl.when(at).then("amount"))
    rest = (
        cells.group_by("job_family", "job", maintain_order=True)
        .agg(undescribed_hours(is_open=pl.col("is_open").any()))
        .filter(pl.col("is_open"))
        .group_by("job_family", maintain_order=True)
        .agg(pl.col("rest").sum(), unknown=pl.col("rest").null_count())
    )
    # Hours of 0 are known only where some hours are, and where no task at the level lacks them all.
    none_there = (pl.col("n_at") == 0) & (pl.col("n_rated") > 0)
    return (
        cells.group_by("job_family", maintain_order=True)
        .agg(
            known=known_sum("at_level"),
            more=pl.col("amount").filter(gap).sum(),
            n_at=pl.col("n").filter(at).sum(),
            n_rated=pl.col("n_known").filter(~gap).sum(),
        )
        .join(rest, on="job_family", how="left")
        .with_columns(low=pl.col("known").fill_null(0.0))
        .select(
            "job_family",
            hours=pl.when(none_there).then(0.0).otherwise("known"),
            hours_low="low",
            hours_high=pl.when(pl.col("unknown").fill_null(0) == 0).then(
                pl.col("low") + pl.col("more") + pl.col("rest").fill_null(0.0)
            ),
        )
    )
