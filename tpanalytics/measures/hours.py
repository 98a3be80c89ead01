"""How many weekly hours jobs describe, and how they spread over the jobs of a family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, aggregate_tasks, known_sum, per_job, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_flag, check_headcount
from tpanalytics.measures._core.metadata import Meaning, attach_metadata, meaning_of
from tpanalytics.schema import COUNTED_STATES
from tpanalytics.typing import SpreadOver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["OVER_DESCRIBED", "UNDER_DESCRIBED", "hours", "hours_by_job", "is_over", "is_under"]

#: Below this many jobs a quantile says no more than the values themselves.
_JOBS_FOR_QUANTILES = 5
#: Shares of the contract week beyond which described hours are not to be trusted (rule R10).
OVER_DESCRIBED, UNDER_DESCRIBED = 1.1, 0.5

#: Share of the contract week that a job's tasks describe (M4).
_described_week = share_of(pl.col("hours"), pl.col("contract_hours"))
#: Missing hours could only add to it, so that this is certain of incomplete jobs too. An engine's last digit, in which
#: sums may differ, decides nothing.
is_over = _described_week > OVER_DESCRIBED + 1e-9
#: Missing hours may be just what lacks, so that this is said of complete jobs only.
is_under = pl.col("complete") & (_described_week < UNDER_DESCRIBED - 1e-9)


@cached
def hours_by_job(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Add up the described weekly hours of each job.

    A job none of whose tasks has hours has null hours, not 0.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``job_name, contract_hours`` of `jobs`, and the columns of
        `tasks` that `hours` reads.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per job, by id.

        ====================  =======  ============================================================
        ``job_id``            String   the job
        ``job_name``          String   its name, or its id where it has none
        ``job_family``        String   its family
        ``tasks``             UInt32   tasks that count
        ``tasks_with_hours``  UInt32   those with hours
        ``hours``             Float64  described hours per week; null where no task has hours
        ``complete``          Boolean  it has tasks and all have hours
        ``contract_hours``    Float64  hours per week in the contract; null where not known
        ``described_week``    Float64  ``hours / contract_hours``; null where either is not known
        ``flag``              String   ``over-described`` above 1.1 of the contract week; ``under-described``
                                       below 0.5 where all tasks have hours; else null
        ``reason``            String   why ``hours`` is null: ``NO_TASKS`` or ``NO_HOURS``
        ====================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> hours_by_job(load_sample()).select("job_name", "tasks", "hours", "complete").row(0)
    ('Quotation Specialist', 21, 35.75, False)
    """
    reduced = aggregate_tasks(profiles, states, by_level=False)
    result = per_job(reduced).select(
        "job_id",
        pl.coalesce("job_name", "job_id").alias("job_name"),
        "job_family",
        "tasks",
        "tasks_with_hours",
        "hours",
        "complete",
        "contract_hours",
        described_week=_described_week,
        flag=pl.when(is_over).then(pl.lit("over-described")).when(is_under).then(pl.lit("under-described")),
        reason=_why_no_hours,
    )
    said = {"value": "described hours of a job, for one incumbent", "policy": (_NOT_ZERO,)}
    return attach_metadata(result, _hours_meaning(reduced, "hours_by_job", **said))


@cached
def hours(
    profiles: TaskProfiles,
    *,
    states: Sequence[str] = COUNTED_STATES,
    complete_only: bool = False,
    spread_over: SpreadOver = "jobs",
) -> pl.DataFrame:
    """Sum weekly hours per job family, show how they spread over its jobs, and how much is known.

    A task without hours counts in ``tasks`` and adds nothing to ``hours``; read ``coverage`` before comparing two
    families. ``hours`` is null where no task of the family has hours. Jobs without tasks or without hours enter no
    mean and no quantile.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family``, where present ``contract_hours`` (hours per week) and if asked for ``headcount``
        (full-time equivalents) of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per
        week) of `tasks`.
    states
        Validation states that count.
    complete_only
        Take the mean and the quantiles over the jobs all of whose tasks have hours, instead of those with at least
        one; the counts and sums stay.
    spread_over
        ``"jobs"``: each job counts once in the mean and the quantiles. ``"headcount"``: each counts as many times as it
        has people, and one whose headcount is not known does not; a quantile is then the least hours that at least
        that share of the people have (the inverse of the weighted distribution function). The sums stay, for one
        incumbent of each job.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, most hours first, ties by name. Hours are per week, for one incumbent of each
        job. Quantiles over jobs are linear (type 7 of Hyndman and Fan, 1996). All are null below 5 jobs; see
        `hours_by_job` then.

        ======================  =======  ================================================================
        ``job_family``          String   the family
        ``jobs``                UInt32   jobs
        ``jobs_without_tasks``  UInt32   jobs without a task that counts
        ``jobs_with_hours``     UInt32   jobs with hours for at least one task
        ``jobs_complete``       UInt32   jobs with tasks, all of which have hours
        ``tasks``               UInt32   tasks that count
        ``tasks_with_hours``    UInt32   those with hours
        ``hours``               Float64  described hours
        ``hours_high``          Float64  most it could be if undescribed contract hours belong to tasks without
                                         hours; null where such a job has no contract hours
        ``hours_per_job``       Float64  mean over jobs with hours, or over their people
        ``hours_min`` …         Float64  ``hours_min, hours_p10, hours_p25, hours_p50, hours_p75, hours_p90,
                                         hours_max``: the spread over jobs with hours
        ``coverage``            Float64  share of tasks with stated hours, 0 to 1
        ``reason``              String   why ``hours`` is null, ``NO_TASKS`` or ``NO_HOURS``; or, if only
                                         ``hours_per_job`` is, ``NO_HEADCOUNT``, or ``BELOW_COVERAGE`` where no job
                                         is complete
        ======================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for, or `spread_over` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = hours(load_sample())
    >>> table.select("job_family", "hours", pl.col("coverage").round(3)).row(0)
    ('Data and Analytics', 475.0, 0.901)
    """
    check_choice("spread_over", spread_over, SpreadOver)
    check_flag("complete_only", complete_only)
    reduced = aggregate_tasks(profiles, states, by_level=False)
    staffed = spread_over == "headcount"
    if staffed:
        check_headcount(reduced.jobs.columns, "spread_over='jobs'")
    in_mean = pl.col("hours").is_not_null()
    if complete_only:
        in_mean &= pl.col("complete")
    if staffed:
        in_mean &= (pl.col("headcount") > 0).fill_null(value=False)
    shown = pl.col("hours").filter(in_mean)
    enough = shown.len() >= _JOBS_FOR_QUANTILES
    mean, of_share = _people_have(in_mean) if staffed else _jobs_have(in_mean)
    quantiles = {"min": 0.0, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0}
    open_end = pl.col("tasks_with_hours") < pl.col("tasks")
    rest = pl.when(open_end).then((pl.col("contract_hours") - pl.col("hours").fill_null(0)).clip(lower_bound=0))
    result = (
        per_job(reduced)
        .with_columns(rest=rest.otherwise(0.0))
        .sort("hours", maintain_order=True)  # jobs stand by id, and equal ones stay so
        .group_by("job_family", maintain_order=True)
        .agg(
            jobs=pl.len(),
            jobs_without_tasks=(pl.col("tasks") == 0).sum(),
            jobs_with_hours=pl.col("hours").count(),
            jobs_complete=pl.col("complete").sum(),
            tasks=pl.col("tasks").sum(),
            tasks_with_hours=pl.col("tasks_with_hours").sum(),
            tasks_stated=pl.col("tasks_stated").sum(),
            hours=known_sum("hours"),
            hours_high=pl.when((pl.col("tasks").sum() > 0) & (pl.col("rest").null_count() == 0)).then(
                pl.col("hours").sum() + pl.col("rest").sum()
            ),
            hours_per_job=mean,
            **{f"hours_{name}": pl.when(enough).then(of_share(q)) for name, q in quantiles.items()},
            complete=(pl.col("complete") & pl.col("hours").is_not_null()).any(),
        )
        .with_columns(
            coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")),
            reason=pl.coalesce(
                _why_no_hours,
                pl.when(pl.col("hours_per_job").is_null() & ~pl.col("complete") & complete_only).then(
                    pl.lit("BELOW_COVERAGE")
                ),
                pl.when(pl.col("hours_per_job").is_null()).then(pl.lit("NO_HEADCOUNT")),
            ),
        )
        .drop("complete", "tasks_stated")
        .sort(["hours", "job_family"], descending=[True, False], nulls_last=True)
    )
    means = "complete jobs" if complete_only else "jobs with hours"
    means += ", each as often as it has people; those without a headcount are left out" if staffed else ""
    policy = (_NOT_ZERO, f"Means and quantiles are over {means}; jobs without tasks or hours lower no mean.")
    said = {"value": "described hours of a family, for one incumbent of each job", "policy": policy}
    return attach_metadata(result, _hours_meaning(reduced, "hours", staffed=staffed, **said))


def _jobs_have(which: pl.Expr) -> tuple[pl.Expr, Callable[[float], pl.Expr]]:
    """Give the mean of the jobs' hours, and what gives a quantile of them."""
    shown = pl.col("hours").filter(which)
    return shown.mean(), lambda q: shown.quantile(q, interpolation="linear")


def _people_have(which: pl.Expr) -> tuple[pl.Expr, Callable[[float], pl.Expr]]:
    """Give the mean of the people's hours, and what gives a quantile of them; jobs must be sorted by hours."""
    hours, people = pl.col("hours").filter(which), pl.col("headcount").filter(which)
    up_to = people.cum_sum()
    # The last digit of a sum of people decides nothing.
    least = lambda q: hours.filter(up_to >= (q - 1e-9) * people.sum()).first()  # noqa: E731
    return share_of((hours * people).sum(), people.sum()), least


_why_no_hours = (
    pl.when(pl.col("tasks") == 0).then(pl.lit("NO_TASKS")).when(pl.col("hours").is_null()).then(pl.lit("NO_HOURS"))
)
_NOT_ZERO = "Tasks without hours add nothing to hours; they are not zero."


def _hours_meaning(reduced: TaskCounts, measure: str, **said: Any) -> Meaning:
    basis = "headcount" if said.get("staffed") else "hours"
    return meaning_of(reduced, covered="hours", measure=measure, unit="hours per week", basis=basis, **said)
