"""Weekly hours that could be freed under explicit assumptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.scenario import (
    CAPACITY_NOTE,
    FULL_TIME_WEEK,
    MISSING_DATA_NOTE,
    assumed,
    checked_freed,
    checked_share,
    freed_per_job,
    staffed_meaning,
    times_headcount,
    why_null,
)
from tpanalytics.measures._core.staff import check_staff, checked_weight, named_after, with_optional_staff
from tpanalytics.typing import StaffCount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.scenario import Range, Span
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["capacity"]

_COUNTS = ("tasks", "tasks_with_hours", "tasks_known", "tasks_stated")
_ONE_PERSON = "Columns hours to per_job_high are for one person in each job, before adoption and realisation."
_MOST = (
    "capacity_most is an upper bound: tasks without a level have the level that frees most, and tasks without hours "
    "fill the contract hours of their job. Jobs without tasks are excluded."
)


@cached
def capacity(
    profiles: TaskProfiles,
    *,
    freed: Mapping[str, Range],
    adoption: Range | None = None,
    realisation: Range | None = None,
    by: By = BY_FAMILY,
    weight: StaffCount | None = None,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute the weekly hours that could be freed in each job family under the given assumptions.

    Each person in a job gains ``F = sum of hours * freed[level]``. A family's capacity is ``adoption * realisation *
    sum of N * F``, where N is the job's full-time equivalents or people, depending on `weight`. For full-time weeks,
    each job's freed hours are divided by its contract hours. Full-time weeks measure capacity, not headcount reduction.
    There are no default assumptions. Figures that depend on a missing assumption are null, with the reason in
    ``capacity_reason``. Pass a pair (low, high) to get a lower and an upper figure.

    Tasks without hours or without a level only affect ``capacity_most``. Figures for all people exclude jobs without a
    headcount.

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
        of people, and ``"fte"`` otherwise.
    freed
        Share of task time freed at each level, 0 to 1. Each value is a number or a pair (low, high). Include every
        level in the data, with 0 for levels at which no time is freed.
    adoption
        Share of people who adopt the change, 0 to 1, as a number or a pair (low, high). If None, the figures after
        adoption and realisation are null.
    realisation
        Share of the freed time that remains after review, rework and switching, 0 to 1, as a number or a pair (low,
        high). If None, the figures after adoption and realisation are null.
    contract_hours
        Length of a full-time week in hours, for jobs without contract hours. If None, full-time weeks and
        ``capacity_most`` are null for families where a job with a headcount is missing the required contract hours.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group in `jobs`, sorted by name with ``(no job family)`` last. Hours are per week. The first columns
        are for one person per job, before adoption and realisation. They don't require a headcount:

        =======================  =======  ================================================================
        ``job_family``           String   the columns in `by`
        ``jobs``                 UInt32   jobs
        ``jobs_measured``        UInt32   jobs with a task that has hours and a level
        ``hours``                Float64  hours of tasks with a level
        ``freed_low``            Float64  hours freed at the low end of `freed`
        ``freed_high``           Float64  hours freed at the high end of `freed`
        ``share_low``            Float64  ``freed_low / hours``, 0 to 1
        ``share_high``           Float64  ``freed_high / hours``, 0 to 1
        ``per_job_low``          Float64  ``freed_low`` per measured job
        ``per_job_high``         Float64  ``freed_high`` per measured job
        ``coverage``             Float64  share of tasks with hours and a level, 0 to 1
        ``data_grade``           String   A (``coverage`` of at least 0.9), B (at least 0.7) or C: do not
                                          quote on its own
        ``reason``               String   why these figures are null: ``NO_TASKS``, ``NO_HOURS`` or
                                          ``NO_LEVELS``
        =======================  =======  ================================================================

        The remaining columns are for all people. With ``weight="headcount"``, they count people, and are named after
        ``headcount`` instead of ``fte``:

        ================================  =======  =========================================================
        ``jobs_with_fte``                 UInt32   jobs with full-time equivalents
        ``jobs_measured_with_fte``        UInt32   those with a task that has hours and a level
        ``fte``                           Float64  full-time equivalents of these measured jobs
        ``fte_hours``                     Float64  documented hours times full-time equivalents, at any level
        ``fte_freed_low``                 Float64  hours freed before adoption and realisation, low end
        ``fte_freed_high``                Float64  hours freed before adoption and realisation, high end
        ``capacity_low``                  Float64  hours freed after adoption and realisation, low end
        ``capacity_high``                 Float64  hours freed after adoption and realisation, high end
        ``capacity_most``                 Float64  upper bound, if tasks without a level are at the level that frees
                                                   the most time, and tasks without hours fill the contract hours
        ``full_time_weeks_low``           Float64  ``capacity_low`` in full-time weeks
        ``full_time_weeks_high``          Float64  ``capacity_high`` in full-time weeks
        ``capacity_coverage``             Float64  share of tasks with hours and a level in jobs with a
                                                   headcount, 0 to 1
        ``capacity_data_grade``           String   A (``capacity_coverage`` of at least 0.9), B (at least 0.7) or C
        ``capacity_reason``               String   why a figure for all people is null: ``NO_TASKS``,
                                                   ``NO_HEADCOUNT``, ``NO_HOURS``, ``NO_LEVELS``, ``NOT_ASSUMED``
                                                   (no adoption or realisation) or ``NO_CONTRACT_HOURS``
        ================================  =======  =========================================================

    Raises
    ------
    SchemaError
        If a required column is missing, `freed` does not include every level in the data, or an argument is invalid.
        The column that `weight` counts is required if `adoption` or `realisation` is set.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> levels = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0}
    >>> table = capacity(load_sample(), freed=levels, adoption=(0.3, 0.6), realisation=0.7, contract_hours=38.5)
    >>> table.select("job_family", pl.col("share_low", "capacity_low", "capacity_high").round(3)).row(0)
    ('Customer Service', 0.187, 209.596, 671.932)
    >>> capacity(load_sample(), freed=levels).select("capacity_low", "capacity_reason").row(0)
    (None, 'NOT_ASSUMED')
    """
    levels, week = checked_freed(freed), checked_week(contract_hours, FULL_TIME_WEEK)
    adopted = None if adoption is None else checked_share("adoption", adoption)
    realised = None if realisation is None else checked_share("realisation", realisation)
    weight = checked_weight(profiles, by, weight, StaffCount, "fte")
    reduced = aggregate_tasks(profiles, states, by=by)
    if adopted or realised:
        check_staff(reduced, weight, "capacity without adoption and realisation for one person per job")
    reduced = with_optional_staff(reduced, weight)
    per_job = freed_per_job(reduced, levels, week)
    result = (
        _per_person(per_job)
        .join(_over_all_people(per_job, adopted, realised), on="group", how="left", maintain_order="left")
        .sort(reduced.groups.order)
    )
    return attach_metadata(
        reduced.groups.named(named_after(result, weight)),
        _meaning(reduced, per_job, weight, levels, adopted, realised, week),
    )


def _per_person(per_job: pl.DataFrame) -> pl.DataFrame:
    families = per_job.group_by("group", maintain_order=True).agg(
        pl.col(*_COUNTS).sum(),
        jobs=pl.len(),
        jobs_measured=pl.col("freed_low").count().cast(pl.UInt32),
        hours=known_sum("hours_known"),
        freed_low=known_sum("freed_low"),
        freed_high=known_sum("freed_high"),
    )
    ends = ("low", "high")
    return families.with_columns(
        coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")), all_tasks="tasks", jobs_with_headcount="jobs"
    ).select(
        *("group", "jobs", "jobs_measured", "hours", "freed_low", "freed_high"),
        **{f"share_{end}": share_of(pl.col(f"freed_{end}"), pl.col("hours")) for end in ends},
        **{f"per_job_{end}": share_of(pl.col(f"freed_{end}"), pl.col("jobs_measured")) for end in ends},
        coverage="coverage",
        data_grade=grade(pl.col("coverage")),
        reason=why_null(),
    )


def _over_all_people(per_job: pl.DataFrame, adoption: Span | None, realisation: Span | None) -> pl.DataFrame:
    no_week = pl.col("week").is_null() & pl.col("people").is_not_null()
    no_freed_most = pl.col("freed_most").is_null() & pl.col("headcount").is_not_null() & (pl.col("all_tasks") > 0)
    families = (
        times_headcount(per_job)
        .with_columns(weeks_low=pl.col("freed_low") / pl.col("week"), weeks_high=pl.col("freed_high") / pl.col("week"))
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("all_tasks", *_COUNTS).sum(),
            jobs_with_headcount=pl.col("headcount").count().cast(pl.UInt32),
            jobs_measured_with_headcount=pl.col("people").count().cast(pl.UInt32),
            people=known_sum("people"),
            headcount_hours=known_sum("hours"),
            headcount_freed_low=known_sum("freed_low"),
            headcount_freed_high=known_sum("freed_high"),
            freed_most=pl.when(~no_freed_most.any()).then(known_sum("freed_most")),
            **{f"weeks_{end}": pl.when(~no_week.any()).then(known_sum(f"weeks_{end}")) for end in ("low", "high")},
        )
        .with_columns(capacity_coverage=share_of(pl.col("tasks_stated"), pl.col("all_tasks")))
    )
    low = high = pl.lit(None, dtype=pl.Float64)
    if adoption and realisation:
        low, high = pl.lit(adoption.low * realisation.low), pl.lit(adoption.high * realisation.high)
    not_assumed = pl.when(not (adoption and realisation)).then(pl.lit("NOT_ASSUMED"))
    no_contract = pl.when(pl.any_horizontal(pl.col("weeks_low", "freed_most").is_null())).then(
        pl.lit("NO_CONTRACT_HOURS")
    )
    return families.select(
        *("group", "jobs_with_headcount", "jobs_measured_with_headcount", "people", "headcount_hours"),
        *("headcount_freed_low", "headcount_freed_high"),
        capacity_low=pl.col("headcount_freed_low") * low,
        capacity_high=pl.col("headcount_freed_high") * high,
        capacity_most=pl.col("freed_most") * high,
        full_time_weeks_low=pl.col("weeks_low") * low,
        full_time_weeks_high=pl.col("weeks_high") * high,
        capacity_coverage="capacity_coverage",
        capacity_data_grade=grade(pl.col("capacity_coverage")),
        capacity_reason=pl.coalesce(why_null(), not_assumed, no_contract),
    )


def _meaning(
    reduced: TaskCounts,
    per_job: pl.DataFrame,
    weight: StaffCount,
    levels: Mapping[str, Span],
    adoption: Span | None,
    realisation: Span | None,
    week: float | None,
) -> Meaning:
    if not (adoption and realisation):
        return meaning_of(
            reduced,
            measure="capacity",
            value="weekly hours that could be freed for one person in each job, before adoption and realisation",
            unit="hours per week",
            basis="hours",
            numerator="weekly hours freed",
            denominator="weekly hours of tasks with a level, in share_low and share_high",
            policy=(
                CAPACITY_NOTE,
                f"{assumed(levels)}.",
                _ONE_PERSON,
                "Capacity over all people requires both `adoption` and `realisation`.",
                MISSING_DATA_NOTE,
            ),
        )
    scenario = f"adoption {adoption}; realisation {realisation}; " + (
        f"a full-time week is the contract hours of the job, or {week:g} hours if they are missing."
        if week is not None
        else "a full-time week is the contract hours of the job."
    )
    return staffed_meaning(
        reduced,
        per_job,
        weight,
        measure="capacity",
        value="weekly hours that could be freed over all people",
        unit="hours per week",
        policy=(
            CAPACITY_NOTE,
            f"{assumed(levels)}; {scenario}",
            _ONE_PERSON,
            MISSING_DATA_NOTE,
            _MOST,
        ),
    )
