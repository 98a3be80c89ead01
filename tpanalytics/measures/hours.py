"""Documented weekly hours per job family and job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, aggregate_tasks, known_sum, per_job, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_flag, checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import Meaning, attach_metadata, grade, meaning_of
from tpanalytics.measures._core.staff import STAFF, checked_weight, with_staff
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["OVER_DESCRIBED", "UNDER_DESCRIBED", "hours", "is_over", "is_under"]

#: Minimum number of jobs for quantiles.
_JOBS_FOR_QUANTILES = 5
#: Documented hours outside these shares of the contract week are implausible.
OVER_DESCRIBED, UNDER_DESCRIBED = 1.1, 0.5

#: Share of the contract week that is documented.
_described_week = share_of(pl.col("hours"), pl.col("contract_hours"))
#: Whether a job has implausibly many hours. This includes incomplete jobs, since missing hours can only increase the
#: share. The tolerance allows for backends that sum floats in a different order.
is_over = _described_week > OVER_DESCRIBED + 1e-9
#: Whether a job has implausibly few hours. Incomplete jobs are ignored, since missing hours could be the reason.
is_under = pl.col("complete") & (_described_week < UNDER_DESCRIBED - 1e-9)


@cached
def hours(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: StaffWeight | None = None,
    contract_hours: float | None = None,
    complete_only: bool = False,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Sum each job family's documented weekly hours and describe their distribution over jobs.

    Tasks without hours are excluded. ``hours`` is null, not 0, if none of a family's tasks have hours. Jobs without
    tasks or without hours do not affect means and quantiles. Check ``coverage`` before comparing two families.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``contract_hours`` (hours per week) from `jobs`, and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
        The weights ``"headcount"`` and ``"fte"`` also use that column of `jobs` or `people`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. With a column of people, figures count the people in each group by default, and jobs without people
        are in no group. With the weights ``"tasks"`` and ``"hours"``, a job counts once in every group that has it, so
        groups overlap. With a column of tasks, a job counts in every group where it has such a task.
    weight
        ``"hours"`` counts each job once in the mean and the quantiles. ``"headcount"`` weights each job by its people
        and ``"fte"`` by its full-time equivalents, excluding jobs without them. Quantiles then use the inverse of the
        weighted distribution function. Sums of ``hours`` are always for one incumbent per job. None means
        ``"headcount"`` if `by` has a column of people, and ``"hours"`` otherwise.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects ``hours_high``.
    complete_only
        If True, compute the mean and the quantiles only from jobs in which every task has hours. Counts and sums are
        not affected.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by hours in descending order and then by name. Dates (``"as_of"``) are in order.
        Hours are per week, for one incumbent per job. Quantiles over jobs use linear interpolation (type 7 of Hyndman
        and Fan, 1996). With fewer than 5 jobs, all quantiles are null.

        ======================  =======  ================================================================
        ``job_family``          String   the columns in `by`
        ``jobs``                UInt32   jobs in the family
        ``jobs_without_tasks``  UInt32   jobs without a task in the selected states
        ``jobs_with_hours``     UInt32   jobs with hours for at least one task
        ``jobs_complete``       UInt32   jobs with tasks that all have hours
        ``tasks``               UInt32   tasks in the selected states
        ``tasks_with_hours``    UInt32   tasks with hours
        ``hours``               Float64  documented hours
        ``headcount_hours``     Float64  hours times people; only with ``weight="headcount"``, because groups where few
                                         jobs have a headcount are then suppressed
        ``hours_per_job``       Float64  mean over jobs with hours, or over their people or FTE
        ``hours_p25`` …         Float64  ``hours_p25, hours_p50, hours_p75``: quantiles over jobs with hours
        ``complete_p50``        Float64  median over jobs whose tasks all have hours
        ``coverage``            Float64  share of tasks with stated hours, 0 to 1
        ``data_grade``          String   A (coverage of at least 0.9), B (at least 0.7) or C: do not quote on its own
        ``hours_high``          Float64  upper bound: adds the undocumented contract hours of jobs in which some tasks
                                         lack hours; null if such a job has no contract hours
        ``hours_min`` …         Float64  ``hours_min, hours_p10, hours_p90, hours_max``: more quantiles
        ``fte_hours``           Float64  hours times full-time equivalents; only with ``weight="fte"``
        ``reason``              String   why ``hours`` is null (``NO_TASKS``, ``NO_HOURS``) or ``hours_per_job`` is
                                         (``NO_HEADCOUNT``, or ``BELOW_COVERAGE`` if no job is complete)
        ======================  =======  ================================================================

        Groups by ``job_id`` add these columns.

        ==================  =======  ====================================================================
        ``contract_hours``  Float64  contract hours per week; null if missing
        ``described_week``  Float64  ``hours / contract_hours``; null if either is null
        ``flag``            String   ``over-described`` if ``described_week`` is above 1.1, ``under-described`` if the
                                     job is complete and it is below 0.5; otherwise null
        ==================  =======  ====================================================================

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
    >>> table = hours(load_sample())
    >>> table.select("job_family", "hours", pl.col("coverage").round(3)).row(0)
    ('Data and Analytics', 475.0, 0.901)
    """
    weight, week = checked_weight(profiles, by, weight, StaffWeight), checked_week(contract_hours)
    check_flag("complete_only", complete_only)
    staffed = weight in STAFF
    reduced = with_staff(aggregate_tasks(profiles, states, by=by, by_level=False), weight)
    in_mean = pl.col("hours").is_not_null()
    if complete_only:
        in_mean &= pl.col("complete")
    if staffed:
        in_mean &= (pl.col("headcount") > 0).fill_null(value=False)
    enough_jobs = pl.col("hours").filter(in_mean).len() >= _JOBS_FOR_QUANTILES
    mean, quantile = _weighted_statistics(in_mean) if staffed else _statistics(in_mean)
    quantiles = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "min": 0.0, "p10": 0.1, "p90": 0.9, "max": 1.0}
    incomplete = pl.col("tasks_with_hours") < pl.col("tasks")
    contract_week = pl.col("contract_hours") if week is None else pl.col("contract_hours").fill_null(week)
    rest = pl.when(incomplete).then((contract_week - pl.col("hours").fill_null(0)).clip(lower_bound=0))
    jobs = per_job(reduced)
    result = (
        jobs.with_columns(rest=rest.otherwise(0.0), staff_hours=pl.col("hours") * pl.col("headcount"))
        .sort("hours", maintain_order=True)
        .group_by("group", maintain_order=True)
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
            **({f"{weight}_hours": known_sum("staff_hours")} if staffed else {}),
            hours_per_job=mean,
            **{f"hours_{name}": pl.when(enough_jobs).then(quantile(q)) for name, q in quantiles.items()},
            complete_p50=_median_of_complete(staffed=staffed),
            complete=(pl.col("complete") & pl.col("hours").is_not_null()).any(),
        )
        .with_columns(
            coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")),
            data_grade=grade(share_of(pl.col("tasks_stated"), pl.col("tasks"))),
            reason=pl.coalesce(
                _why_no_hours,
                pl.when(pl.col("hours_per_job").is_null() & ~pl.col("complete") & complete_only).then(
                    pl.lit("BELOW_COVERAGE")
                ),
                pl.when(pl.col("hours_per_job").is_null()).then(pl.lit("NO_HEADCOUNT")),
            ),
        )
        .select(_columns(weight))
        .pipe(reduced.groups.largest_first, pl.col("hours"))
    )
    if "job_id" in reduced.groups.columns.by:
        result = result.join(_of_single_jobs(jobs, contract_week), on="group", how="left", maintain_order="left")
    base = "complete jobs" if complete_only else "jobs with hours"
    base += f", weighted by {STAFF[weight]}; jobs without {STAFF[weight]} are excluded" if staffed else ""
    policy = (_NOT_ZERO, f"Means and quantiles are over {base}.")
    value = f"documented hours of {reduced.groups.a_group}, for one incumbent of each job"
    meaning = _hours_meaning(reduced, "hours", staffed=staffed, basis=weight, value=value, policy=policy)
    return attach_metadata(reduced.groups.named(result), meaning)


def _columns(weight: StaffWeight) -> list[str]:
    """Return the columns of the result in order, without those of single jobs."""
    return [
        *("group", "jobs", "jobs_without_tasks", "jobs_with_hours", "jobs_complete", "tasks", "tasks_with_hours"),
        *("hours", *(["headcount_hours"] if weight == "headcount" else []), "hours_per_job"),
        *("hours_p25", "hours_p50", "hours_p75", "complete_p50", "coverage", "data_grade", "hours_high"),
        *("hours_min", "hours_p10", "hours_p90", "hours_max", *(["fte_hours"] if weight == "fte" else []), "reason"),
    ]


def _of_single_jobs(jobs: pl.DataFrame, contract_week: pl.Expr) -> pl.DataFrame:
    return jobs.with_columns(contract_hours=contract_week).select(
        "group",
        "contract_hours",
        described_week=_described_week,
        flag=pl.when(is_over).then(pl.lit("over-described")).when(is_under).then(pl.lit("under-described")),
    )


def _statistics(included: pl.Expr) -> tuple[pl.Expr, Callable[[float], pl.Expr]]:
    """Return the included jobs' mean hours and a quantile function."""
    hours = pl.col("hours").filter(included)
    return hours.mean(), lambda q: hours.quantile(q, interpolation="linear")


def _weighted_statistics(included: pl.Expr) -> tuple[pl.Expr, Callable[[float], pl.Expr]]:
    """Like `_statistics`, but weighted by headcount. Jobs must be sorted by hours."""
    hours, people = pl.col("hours").filter(included), pl.col("headcount").filter(included)
    cumulative = people.cum_sum()
    # Subtract a small tolerance to allow for floating-point errors.
    quantile = lambda q: hours.filter(cumulative >= (q - 1e-9) * people.sum()).first()  # noqa: E731
    return share_of((hours * people).sum(), people.sum()), quantile


def _median_of_complete(*, staffed: bool) -> pl.Expr:
    """Return the median hours of the jobs whose tasks all have hours, or null if there are too few."""
    included = pl.col("complete") & pl.col("hours").is_not_null()
    if staffed:
        included &= (pl.col("headcount") > 0).fill_null(value=False)
    _, quantile = _weighted_statistics(included) if staffed else _statistics(included)
    return pl.when(pl.col("hours").filter(included).len() >= _JOBS_FOR_QUANTILES).then(quantile(0.5))


_why_no_hours = (
    pl.when(pl.col("tasks") == 0).then(pl.lit("NO_TASKS")).when(pl.col("hours").is_null()).then(pl.lit("NO_HOURS"))
)
_NOT_ZERO = "Missing hours are excluded, not counted as zero."


def _hours_meaning(reduced: TaskCounts, measure: str, **fields: Any) -> Meaning:
    return meaning_of(reduced, covered="hours", measure=measure, unit="hours per week", **fields)
