"""Share of freed hours that come in usable blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.scenario import (
    CAPACITY_NOTE,
    FULL_TIME_WEEK,
    MISSING_DATA_NOTE,
    assumed,
    checked_blocks,
    checked_freed,
    checked_share,
    freed_per_job,
    needs_week,
    staffed_meaning,
    times_headcount,
    why_null,
)
from tpanalytics.measures._core.staff import STAFF, checked_weight, named_after, with_staff
from tpanalytics.typing import StaffCount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.scenario import Range, Span
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["fragmentation"]

#: Default block sizes, from half an hour to two days per week.
_BLOCKS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
#: Tolerance in hours, since backends add up floats in different orders.
_TOLERANCE = 1e-9
_WEEKS = ("full_time_weeks_low", "full_time_weeks_high", "usable_weeks_low", "usable_weeks_high")


@cached
def fragmentation(
    profiles: TaskProfiles,
    *,
    freed: Mapping[str, Range],
    realisation: Range,
    block_hours: float | Sequence[float] = _BLOCKS,
    adoption: Range | None = None,
    by: By = BY_FAMILY,
    weight: StaffCount | None = None,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute how much of each job family's freed time comes in blocks of a given size per person.

    Each person in a job gains ``F = realisation * sum(hours * freed[level])`` hours per week. The usable share for
    blocks of ``s`` hours is ``sum(headcount * F where F >= s) / sum(headcount * F)``. The adoption share cancels out. A
    block is the time gained per person and week, possibly spread over several days.

    Tasks without hours or a level are excluded, as are jobs without a headcount.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family``, the column that `weight` counts and, if present, ``contract_hours``
        (hours per week) from `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week)
        from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. With a column of people, figures count the people in each group by default, and jobs without people
        are in no group. Hours for one person per job count once in every group that has the job, so groups overlap.
        With a column of tasks, a job counts in every group where it has such a task.
    weight
        ``"fte"`` counts full-time equivalents, ``"headcount"`` people. None means ``"headcount"`` if `by` has a column
        of people, and ``"fte"`` otherwise.
    freed
        Share of task time freed at each level, 0 to 1. Each value is a number or a pair (lower, upper). Include every
        level in the data, with 0 for levels at which no time is freed.
    realisation
        Share of the freed time that remains after review, rework and switching, 0 to 1, as a number or a pair. Use 1 to
        ignore these losses.
    block_hours
        One or more block sizes, in hours per person and week. By default, six sizes from half an hour to two days.
    adoption
        Share of people who adopt the change, 0 to 1, as a number or a pair. If set, the result also contains full-time
        weeks.
    contract_hours
        Length of a full-time week in hours, for jobs without contract hours. Not needed if every job with a headcount
        has contract hours.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group and block size. Rows are sorted by family, with ``(no job family)`` last, and then by block
        size. Columns ending in ``_low`` and ``_high`` use the lower and upper assumptions.

        ========================  =======  ================================================================
        ``job_family``            String   the columns in `by`
        ``block_hours``           Float64  block size, hours per person and week
        ``jobs_measured``         UInt32   jobs with a headcount and a task with hours and a level
        ``fte``                   Float64  full-time equivalents in these jobs, or ``headcount`` (people)
        ``gained_low``            Float64  hours per week gained by all people
        ``gained_high``           Float64  the same, upper
        ``usable_hours_low``      Float64  gained hours in blocks of at least this size
        ``usable_hours_high``     Float64  the same, upper
        ``usable_share_low``      Float64  lower bound of the usable share, 0 to 1, over all combinations of assumptions
                                           by job; null if no time is freed
        ``usable_share_high``     Float64  upper bound of the usable share
        ``median_gained_low``     Float64  median hours per week gained per person
        ``median_gained_high``    Float64  the same, upper
        ``coverage``              Float64  share of tasks with stated hours, a level and a headcount, 0 to 1
        ``data_grade``            String   A (coverage of at least 0.9), B (at least 0.7) or C: do not quote on its own
        ``reason``                String   why figures are null: ``NO_TASKS``, ``NO_HEADCOUNT``, ``NO_HOURS``,
                                           ``NO_LEVELS`` or ``NOTHING_FREED``
        ========================  =======  ================================================================

        If `adoption` is set, the result also contains full-time weeks (capacity, not headcount reduction):

        ========================  =======  ================================================================
        ``full_time_weeks_low``   Float64  hours gained after adoption and realisation
        ``full_time_weeks_high``  Float64  the same, upper
        ``usable_weeks_low``      Float64  the part in blocks of at least this size
        ``usable_weeks_high``     Float64  the same, upper
        ========================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a required column (including ``headcount``) is missing, an argument is invalid, or `freed` does not include
        every level in the data. Also raised if `adoption` is set and a job with a headcount has no contract hours.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> blocks = fragmentation(
    ...     load_sample(),
    ...     freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0},
    ...     realisation=0.7,
    ...     block_hours=[1, 4, 8],
    ... )
    >>> blocks.select("block_hours", pl.col("usable_share_low", "usable_share_high").round(3)).head(3).rows()
    [(1.0, 1.0, 1.0), (4.0, 0.539, 0.918), (8.0, 0.0, 0.417)]
    """
    levels, realised = checked_freed(freed), checked_share("realisation", realisation)
    blocks = checked_blocks(block_hours)
    adopted = None if adoption is None else checked_share("adoption", adoption)
    week = checked_week(contract_hours, FULL_TIME_WEEK)
    weight = checked_weight(profiles, by, weight, StaffCount, "fte")
    reduced = with_staff(aggregate_tasks(profiles, states, by=by), weight, "`capacity`")
    per_job = freed_per_job(reduced, levels, week)
    if adopted:
        needs_week(per_job)
    # Compute the hours per person first. times_headcount multiplies the freed hours by headcount.
    per_person = {"low": pl.col("freed_low") * realised.low, "high": pl.col("freed_high") * realised.high}
    people = times_headcount(per_job.with_columns(**per_person)).with_columns(
        gained_low=pl.col("low") * pl.col("people"), gained_high=pl.col("high") * pl.col("people")
    )
    nothing_freed = pl.when(pl.col("gained_high") == 0).then(pl.lit("NOTHING_FREED"))
    usable = pl.concat([_usable(people, hours, adopted) for hours in blocks])
    result = (
        _gained(people, adopted)
        .join(usable, on="group", how="left")
        .sort(reduced.groups.order, "block_hours")
        .with_columns(coverage=share_of(pl.col("tasks_stated"), pl.col("all_tasks")))
        .select(
            *("group", "block_hours", "jobs_measured", "people", "gained_low", "gained_high"),
            *("usable_hours_low", "usable_hours_high", "usable_share_low", "usable_share_high"),
            *("median_gained_low", "median_gained_high", *(_WEEKS if adopted else ()), "coverage"),
            data_grade=grade(pl.col("coverage")),
            reason=pl.coalesce(why_null(), nothing_freed),
        )
    )
    meaning = staffed_meaning(
        reduced,
        per_job,
        weight,
        measure="fragmentation",
        value="share of the freed time in blocks of a given size per person",
        unit="share, 0 to 1",
        numerator=f"weekly hours freed in jobs where one person gains at least a block, times {STAFF[weight]}",
        denominator=f"weekly hours freed, times {STAFF[weight]}",
        policy=(
            CAPACITY_NOTE,
            f"{assumed(levels)}; realisation {realised}. Adoption cancels out of the share.",
            *((f"Full-time weeks assume adoption {adopted}.",) * bool(adopted)),
            "A block is one person's gain in a week, which may be spread over several days.",
            "Lower and upper bounds allow each job to be anywhere in the assumed ranges.",
            MISSING_DATA_NOTE,
        ),
    )
    return attach_metadata(reduced.groups.named(named_after(result, weight)), meaning)


def _gained(people: pl.DataFrame, adopted: Span | None) -> pl.DataFrame:
    """Sum the hours gained in each job family. These sums do not depend on the block size."""
    weeks = {f"full_time_weeks_{end}": pl.col(end) * pl.col("people") / pl.col("week") for end in ("low", "high")}
    sums = ("people", "gained_low", "gained_high", *weeks)
    families = (
        people.with_columns(**weeks)
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("all_tasks", "tasks", "tasks_with_hours", "tasks_known", "tasks_stated").sum(),
            jobs_with_headcount=pl.col("headcount").count().cast(pl.UInt32),
            jobs_measured=pl.col("people").count().cast(pl.UInt32),
            **{name: known_sum(name) for name in sums},
        )
    )
    for end in ("low", "high"):
        families = families.join(_median(people, end), on="group", how="left")
    return _adopted(families, "full_time_weeks", adopted)


def _adopted(weeks: pl.DataFrame, name: str, adopted: Span | None) -> pl.DataFrame:
    """Multiply full-time weeks by the adoption share."""
    if adopted is None:
        return weeks
    return weeks.with_columns(pl.col(f"{name}_low") * adopted.low, pl.col(f"{name}_high") * adopted.high)


def _usable(people: pl.DataFrame, hours: float, adopted: Span | None) -> pl.DataFrame:
    """Return bounds on the usable hours and usable share for a single block size."""
    staff, low, high = pl.col("people"), pl.col("low"), pl.col("high")
    always_usable, maybe_usable = low >= hours - _TOLERANCE, high >= hours - _TOLERANCE
    amounts = {
        "usable_hours_low": pl.when(always_usable).then(low).otherwise(0.0),
        "usable_hours_high": pl.when(maybe_usable).then(high).otherwise(0.0),
        "lost_high": pl.when(always_usable).then(0.0).when(maybe_usable).then(hours).otherwise(high),
        "lost_low": pl.when(maybe_usable).then(0.0).otherwise(low),
        "all_high": high,
    }
    amounts |= {f"usable_weeks_{end}": amounts[f"usable_hours_{end}"] / pl.col("week") for end in ("low", "high")}
    sums = (
        people.with_columns(((amount * staff).alias(name)) for name, amount in amounts.items())
        .group_by("group", maintain_order=True)
        .agg(known_sum(name).alias(name) for name in amounts)
    )
    none_usable = pl.when(pl.col("all_high") > 0).then(0.0)
    lower, upper = pl.col("usable_hours_low"), pl.col("usable_hours_high")
    shares = sums.select(
        "group",
        *("usable_hours_low", "usable_hours_high", "usable_weeks_low", "usable_weeks_high"),
        block_hours=pl.lit(hours),
        usable_share_low=share_of(lower, lower + pl.col("lost_high")),
        # The share is undefined if no hours are gained at the low end and no hours are usable at the high end.
        usable_share_high=pl.coalesce(share_of(upper, upper + pl.col("lost_low")), none_usable),
    )
    return _adopted(shares, "usable_weeks", adopted)


def _median(people: pl.DataFrame, end: str) -> pl.DataFrame:
    """Return the median hours gained per person from the inverse distribution function, without interpolation."""
    cumulative = pl.col("people").cum_sum().over("group")
    half = pl.col("people").sum().over("group") / 2
    return (
        people.filter(pl.col("people") > 0)
        .sort("group", end, "job")
        .filter(cumulative >= half * (1 - _TOLERANCE))
        .group_by("group", maintain_order=True)
        .agg(pl.col(end).first().alias(f"median_gained_{end}"))
    )
