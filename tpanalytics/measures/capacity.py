"""How many hours a week could be freed, by what is assumed of each level, of adoption and of what remains of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, share_of
from tpanalytics.measures._core.assumptions import (
    FULL_TIME_WEEK,
    NOT_WHO_LEAVES,
    ONLY_KNOWN,
    assumed,
    checked_freed,
    checked_share,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.scenario import (
    BY_FAMILY,
    freed_per_job,
    needs_headcount,
    needs_week,
    of_staff,
    staffed_meaning,
    why_null,
)
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.assumptions import Range
    from tpanalytics.schema import TaskProfiles

__all__ = ["capacity", "freed_by_family"]

_MOST = (
    "capacity_most adds what they could free: a task without a level by the level that frees most, and the rest of "
    "the week in jobs with tasks without hours. Jobs without tasks add nothing to it."
)


@cached
def capacity(
    profiles: TaskProfiles,
    *,
    freed: Mapping[str, Range],
    adoption: Range,
    realisation: Range,
    contract_hours: float | None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Add up the hours a week that could be freed in each job family, over all its people.

    One person in a job is freed of ``F = sum of hours * freed[level]``. A family's capacity is ``adoption *
    realisation * sum of headcount * F``, and its full-time weeks are the same with each job's hours divided by its
    week: hours equal to so many full-time weeks; not so many posts. Nothing is assumed for you. A pair (least, most)
    gives the lower and the upper figure.

    Tasks without hours or without a level are in no figure but ``capacity_most``. Jobs without a headcount are left
    out, never counted as one person.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family, headcount`` (full-time equivalents) and where present ``contract_hours`` (hours per
        week) of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    freed
        Share of a task's time that is freed, 0 to 1, by level: a number, or a pair (least, most). Every level that a
        task has must be there; give 0 to one that frees nothing.
    adoption
        Share of the people whom it reaches, 0 to 1; a number or a pair.
    realisation
        Share of the freed time that remains after review, rework and switching, 0 to 1; a number or a pair.
    contract_hours
        Hours of a full-time week, for jobs without contract hours. None if every job with a headcount has them.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, by name, ``(no family)`` last. Hours are per week, over all people.

        =========================  =======  ================================================================
        ``job_family``             String   the family
        ``jobs``                   UInt32   jobs
        ``jobs_with_headcount``    UInt32   those with a headcount
        ``jobs_measured``          UInt32   those of them with a task that has hours and a level
        ``people``                 Float64  their full-time equivalents
        ``headcount_hours``        Float64  described hours times headcount, whatever their level
        ``freed_low``              Float64  hours freed before adoption and realisation, by the least of `freed`
        ``freed_high``             Float64  the same by the most
        ``capacity_low``           Float64  hours freed after adoption and realisation, by the least of each
        ``capacity_high``          Float64  the same by the most
        ``capacity_most``          Float64  most it can be if tasks without a level are of the level that frees most,
                                            and the rest of each week belongs to tasks without hours
        ``full_time_weeks_low``    Float64  ``capacity_low`` in full-time weeks; not posts
        ``full_time_weeks_high``   Float64  ``capacity_high`` in full-time weeks; not posts
        ``coverage``               Float64  share of the family's tasks with hours and a level in jobs with a
                                            headcount, 0 to 1
        ``data_grade``             String   A from 0.9 of ``coverage``, B from 0.7, C below; quote no C alone
        ``reason``                 String   why figures are null; null where they are not
        =========================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included; a level has no share in `freed`; an assumption is no share; or
        `contract_hours` is None and a job with a headcount has no contract hours.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = capacity(
    ...     load_sample(),
    ...     freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0},
    ...     adoption=(0.3, 0.6),
    ...     realisation=0.7,
    ...     contract_hours=38.5,
    ... )
    >>> table.select("job_family", pl.col("capacity_low", "capacity_high").round(1)).row(0)
    ('Customer Service', 209.6, 671.9)
    """
    levels, week = checked_freed(freed), checked_week(contract_hours, FULL_TIME_WEEK)
    reach, kept = checked_share("adoption", adoption), checked_share("realisation", realisation)
    reduced = aggregate_tasks(profiles, states)
    needs_headcount(reduced.jobs)
    per_job = freed_per_job(reduced, levels, week)
    needs_week(per_job)
    low, high = reach.low * kept.low, reach.high * kept.high
    result = (
        of_staff(per_job)
        .with_columns(weeks_low=pl.col("freed_low") / pl.col("week"), weeks_high=pl.col("freed_high") / pl.col("week"))
        .group_by("job_family", maintain_order=True)
        .agg(
            pl.col("all_tasks", "tasks", "tasks_with_hours", "tasks_known", "tasks_stated").sum(),
            jobs=pl.len(),
            jobs_with_headcount=pl.col("headcount").count().cast(pl.UInt32),
            jobs_measured=pl.col("people").count().cast(pl.UInt32),
            **{name: known_sum(name) for name in ("people", "freed_low", "freed_high", "freed_most")},
            headcount_hours=known_sum("hours"),
            weeks_low=known_sum("weeks_low"),
            weeks_high=known_sum("weeks_high"),
        )
        .sort(BY_FAMILY)
        .with_columns(coverage=share_of(pl.col("tasks_stated"), pl.col("all_tasks")))
        .select(
            *("job_family", "jobs", "jobs_with_headcount", "jobs_measured", "people", "headcount_hours"),
            *("freed_low", "freed_high"),
            capacity_low=pl.col("freed_low") * low,
            capacity_high=pl.col("freed_high") * high,
            capacity_most=pl.col("freed_most") * high,
            full_time_weeks_low=pl.col("weeks_low") * low,
            full_time_weeks_high=pl.col("weeks_high") * high,
            coverage="coverage",
            data_grade=grade(pl.col("coverage")),
            reason=why_null(),
        )
    )
    said = f"adoption {reach}; realisation {kept}; " + (
        f"a full-time week is the contract hours of the job, or {week:g} hours where they are not known."
        if week is not None
        else "a full-time week is the contract hours of the job."
    )
    meaning = staffed_meaning(
        reduced,
        per_job,
        measure="capacity",
        value="weekly hours that could be freed over all people; full_time_weeks are hours equal to so many full-time "
        "weeks, not so many posts",
        unit="hours per week",
        policy=(
            NOT_WHO_LEAVES,
            "Hours equal to n full-time weeks are not n posts.",
            f"{assumed(levels)}; {said}",
            ONLY_KNOWN,
            _MOST,
        ),
    )
    return attach_metadata(result, meaning)


@cached
def freed_by_family(
    profiles: TaskProfiles, *, freed: Mapping[str, Range], states: Sequence[str] = COUNTED_STATES
) -> pl.DataFrame:
    """Add up the hours a week that one person in each job of a family would be freed of.

    It counts one person for each job, so it needs no headcount and says nothing of how many people there are; see
    `capacity` for that. ``F = sum of hours * freed[level]``, before adoption and realisation. Tasks without
    hours or without a level are in no figure, and read ``coverage`` for how many those are.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours
        per week) of `tasks`.
    freed
        Share of a task's time that is freed, 0 to 1, by level: a number, or a pair (least, most). Every level that a
        task has must be there; give 0 to one that frees nothing.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, by name, ``(no family)`` last. Hours are per week, for one person in each job.

        ===================  =======  ================================================================
        ``job_family``       String   the family
        ``jobs``             UInt32   jobs
        ``jobs_measured``    UInt32   those with a task that has hours and a level
        ``hours``            Float64  hours of tasks with a level
        ``freed_low``        Float64  hours freed, by the least of `freed`
        ``freed_high``       Float64  the same by the most
        ``share_low``        Float64  ``freed_low / hours``, 0 to 1
        ``share_high``       Float64  ``freed_high / hours``, 0 to 1
        ``per_job_low``      Float64  ``freed_low`` per measured job
        ``per_job_high``     Float64  ``freed_high`` per measured job
        ``coverage``         Float64  share of tasks with hours and a level, 0 to 1
        ``data_grade``       String   A from 0.9 of ``coverage``, B from 0.7, C below; quote no C alone
        ``reason``           String   why figures are null; null where they are not
        ===================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing, a level has no share in `freed`, or one is no share.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> shares = freed_by_family(load_sample(), freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0})
    >>> shares.select("job_family", pl.col("share_low", "share_high").round(3)).row(0)
    ('Customer Service', 0.187, 0.3)
    """
    levels = checked_freed(freed)
    reduced = aggregate_tasks(profiles, states)
    result = (
        freed_per_job(reduced, levels)
        .group_by("job_family", maintain_order=True)
        .agg(
            pl.col("tasks", "tasks_with_hours", "tasks_known", "tasks_stated").sum(),
            jobs=pl.len(),
            jobs_measured=pl.col("freed_low").count().cast(pl.UInt32),
            hours=known_sum("hours_known"),
            freed_low=known_sum("freed_low"),
            freed_high=known_sum("freed_high"),
        )
        .sort(BY_FAMILY)
        .with_columns(
            coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")), all_tasks="tasks", jobs_with_headcount="jobs"
        )
        .select(
            *("job_family", "jobs", "jobs_measured", "hours", "freed_low", "freed_high"),
            share_low=share_of(pl.col("freed_low"), pl.col("hours")),
            share_high=share_of(pl.col("freed_high"), pl.col("hours")),
            per_job_low=share_of(pl.col("freed_low"), pl.col("jobs_measured")),
            per_job_high=share_of(pl.col("freed_high"), pl.col("jobs_measured")),
            coverage="coverage",
            data_grade=grade(pl.col("coverage")),
            reason=why_null(),
        )
    )
    meaning = meaning_of(
        reduced,
        measure="freed_by_family",
        value="weekly hours that could be freed, for one person in each job; before adoption and realisation",
        unit="hours per week",
        basis="hours",
        numerator="weekly hours freed",
        denominator="weekly hours of tasks with a level, in share_low and share_high",
        policy=(
            NOT_WHO_LEAVES,
            f"{assumed(levels)}.",
            "One person counts for each job; how many people there are is not in it.",
            ONLY_KNOWN,
        ),
    )
    return attach_metadata(result, meaning)
