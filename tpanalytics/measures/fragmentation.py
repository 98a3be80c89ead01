"""Whether freed hours come in blocks that one person can use, or in slivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.scenario import (
    BY_FAMILY,
    FULL_TIME_WEEK,
    NOT_WHO_LEAVES,
    ONLY_KNOWN,
    assumed,
    checked_blocks,
    checked_freed,
    checked_share,
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

    from tpanalytics.measures._core.scenario import Range, Span
    from tpanalytics.schema import TaskProfiles

__all__ = ["fragmentation"]

#: From half an hour to two days a week: the axis of the curve, no assumption.
_BLOCKS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
#: Engines add floats in different orders; a job that misses a block by less than this many hours reaches it.
_NEAR = 1e-9
_WEEKS = ("full_time_weeks_low", "full_time_weeks_high", "usable_weeks_low", "usable_weeks_high")


@cached
def fragmentation(
    profiles: TaskProfiles,
    *,
    freed: Mapping[str, Range],
    realisation: Range,
    block_hours: float | Sequence[float] = _BLOCKS,
    adoption: Range | None = None,
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Show how much of the freed time of each job family comes in blocks of a given size per person.

    One person in a job gains ``F = realisation * sum of hours * freed[level]`` hours a week. Of blocks of ``s`` hours
    the usable share is ``sum of headcount * F where F >= s, divided by sum of headcount * F``. Adoption, as the share
    of people whom it reaches, is on both sides of it and cancels. A block is what one person gains in a week, and may
    itself lie scattered over the week.

    With ranges, ``usable_share_low`` and ``usable_share_high`` are the least and the most it can be wherever in its
    range each job is; a job that may or may not reach the block counts against the least and for the most.

    Tasks without hours or without a level are in no figure. Jobs without a headcount are left out, never counted as
    one person.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family, headcount`` (full-time equivalents) and where present ``contract_hours`` (hours per
        week, only to warn) of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week)
        of `tasks`.
    freed
        Share of a task's time that is freed, 0 to 1, by level: a number, or a pair (least, most). Every level that a
        task has must be there; give 0 to one that frees nothing.
    realisation
        Share of the freed time that remains after review, rework and switching, 0 to 1; a number or a pair. Give 1 to
        ask for blocks of what is freed before that.
    block_hours
        Hours per person and week that make a block worth having, one or several. It is the axis of a curve, not an
        assumption, so it has a default: half an hour to two days.
    adoption
        Share of the people whom it reaches, 0 to 1, a number or a pair, to have the hours in full-time weeks as well;
        None gives none.
    contract_hours
        Hours of a full-time week, for jobs without contract hours. None if every job with a headcount has them.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs` and block size: families by name, ``(no family)`` last, then from small to large.

        ========================  =======  ================================================================
        ``job_family``            String   the family
        ``block_hours``           Float64  the block size, hours per person and week
        ``jobs_measured``         UInt32   jobs with a headcount and a task that has hours and a level
        ``people``                Float64  their full-time equivalents
        ``gained_low``              Float64  hours per week that remain, over all people, by the least
        ``gained_high``             Float64  the same by the most
        ``usable_hours_low``      Float64  those of them in blocks of this size, by the least
        ``usable_hours_high``     Float64  the same by the most
        ``usable_share_low``      Float64  least share in blocks of this size, 0 to 1; null where nothing is freed
        ``usable_share_high``     Float64  most share in blocks of this size, 0 to 1; null where nothing is freed
        ``median_gained_low``      Float64  hours per week that half of the people gain at most, by the least
        ``median_gained_high``     Float64  the same by the most
        ``coverage``              Float64  share of the family's tasks with hours and a level in jobs with a headcount,
                                           0 to 1
        ``data_grade``            String   A from 0.9 of ``coverage``, B from 0.7, C below; quote no C alone
        ``reason``                String   why figures are null; null where they are not
        ========================  =======  ================================================================

        With `adoption` also, in hours equal to so many full-time weeks; not so many posts:

        ========================  =======  ================================================================
        ``full_time_weeks_low``   Float64  hours that remain after adoption and realisation, by the least of each
        ``full_time_weeks_high``  Float64  the same by the most
        ``usable_weeks_low``      Float64  those of them in blocks of this size, by the least
        ``usable_weeks_high``     Float64  the same by the most
        ========================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included; a level has no share in `freed`; an assumption is no share;
        `block_hours` are not above 0; or full-time weeks are asked for and a job with a headcount has none.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

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
    levels, kept, blocks = checked_freed(freed), checked_share("realisation", realisation), checked_blocks(block_hours)
    reach, week = (
        None if adoption is None else checked_share("adoption", adoption),
        checked_week(contract_hours, FULL_TIME_WEEK),
    )
    reduced = aggregate_tasks(profiles, states)
    needs_headcount(reduced.jobs)
    per_job = freed_per_job(reduced, levels, week)
    if reach:
        needs_week(per_job)
    # Those of one person stay beside what of_staff makes of them, which is over all people.
    one = {"low": pl.col("freed_low") * kept.low, "high": pl.col("freed_high") * kept.high}
    people = of_staff(per_job.with_columns(**one)).with_columns(
        gained_low=pl.col("low") * pl.col("people"), gained_high=pl.col("high") * pl.col("people")
    )
    nothing = pl.when(pl.col("gained_high") == 0).then(pl.lit("NOTHING_FREED"))
    usable = pl.concat([_usable(people, hours, reach) for hours in blocks])
    result = (
        _gained(people, reach)
        .join(usable, on="job_family", how="left")
        .sort(*BY_FAMILY, "block_hours")
        .with_columns(coverage=share_of(pl.col("tasks_stated"), pl.col("all_tasks")))
        .select(
            *("job_family", "block_hours", "jobs_measured", "people", "gained_low", "gained_high"),
            *("usable_hours_low", "usable_hours_high", "usable_share_low", "usable_share_high"),
            *("median_gained_low", "median_gained_high", *(_WEEKS if reach else ()), "coverage"),
            data_grade=grade(pl.col("coverage")),
            reason=pl.coalesce(why_null(), nothing),
        )
    )
    meaning = staffed_meaning(
        reduced,
        per_job,
        measure="fragmentation",
        value="share of the freed time that comes in blocks of a given size per person",
        unit="share, 0 to 1",
        numerator="weekly hours freed where one person gains a block or more, times full-time equivalents",
        denominator="weekly hours freed, times full-time equivalents",
        policy=(
            NOT_WHO_LEAVES,
            f"{assumed(levels)}; realisation {kept}. Adoption is on both sides of the share and cancels.",
            *((f"Full-time weeks: adoption {reach}. Hours equal to n full-time weeks are not n posts.",) * bool(reach)),
            "A block is what one person gains in a week; it may lie scattered over the week.",
            "Least and most hold wherever in its range each job is.",
            ONLY_KNOWN,
        ),
    )
    return attach_metadata(result, meaning)


def _gained(people: pl.DataFrame, reach: Span | None) -> pl.DataFrame:
    """Add up by family what its people gain, whatever the size of a block; with adoption also in full-time weeks."""
    of_people = {f"full_time_weeks_{end}": pl.col(end) * pl.col("people") / pl.col("week") for end in ("low", "high")}
    sums = ("people", "gained_low", "gained_high", *of_people)
    families = (
        people.with_columns(**of_people)
        .group_by("job_family", maintain_order=True)
        .agg(
            pl.col("all_tasks", "tasks", "tasks_with_hours", "tasks_known", "tasks_stated").sum(),
            jobs_with_headcount=pl.col("headcount").count().cast(pl.UInt32),
            jobs_measured=pl.col("people").count().cast(pl.UInt32),
            **{name: known_sum(name) for name in sums},
        )
    )
    for end in ("low", "high"):
        families = families.join(_median(people, end), on="job_family", how="left")
    return _reached(families, "full_time_weeks", reach)


def _reached(weeks: pl.DataFrame, name: str, reach: Span | None) -> pl.DataFrame:
    """Multiply full-time weeks by the share of people whom adoption reaches."""
    if reach is None:
        return weeks
    return weeks.with_columns(pl.col(f"{name}_low") * reach.low, pl.col(f"{name}_high") * reach.high)


def _usable(people: pl.DataFrame, hours: float, reach: Span | None) -> pl.DataFrame:
    """Bound the usable hours and their share, for blocks of one size."""
    staff, low, high = pl.col("people"), pl.col("low"), pl.col("high")
    must, may = low >= hours - _NEAR, high >= hours - _NEAR
    amounts = {
        "usable_hours_low": pl.when(must).then(low).otherwise(0.0),
        "usable_hours_high": pl.when(may).then(high).otherwise(0.0),
        "lost_most": pl.when(must).then(0.0).when(may).then(hours).otherwise(high),
        "lost_least": pl.when(may).then(0.0).otherwise(low),
        "all_high": high,
    }
    amounts |= {f"usable_weeks_{end}": amounts[f"usable_hours_{end}"] / pl.col("week") for end in ("low", "high")}
    sums = (
        people.with_columns(((amount * staff).alias(name)) for name, amount in amounts.items())
        .group_by("job_family", maintain_order=True)
        .agg(known_sum(name).alias(name) for name in amounts)
    )
    useless = pl.when(pl.col("all_high") > 0).then(0.0)
    least, most = pl.col("usable_hours_low"), pl.col("usable_hours_high")
    shares = sums.select(
        "job_family",
        *("usable_hours_low", "usable_hours_high", "usable_weeks_low", "usable_weeks_high"),
        block_hours=pl.lit(hours),
        usable_share_low=share_of(least, least + pl.col("lost_most")),
        # Where the least gained is nothing, any of it that comes is still too little.
        usable_share_high=pl.coalesce(share_of(most, most + pl.col("lost_least")), useless),
    )
    return _reached(shares, "usable_weeks", reach)


def _median(people: pl.DataFrame, end: str) -> pl.DataFrame:
    """Return what half of the people gain at most: the inverse of their distribution, so always what some job gains."""
    so_far = pl.col("people").cum_sum().over("job_family")
    half = pl.col("people").sum().over("job_family") / 2
    return (
        people.filter(pl.col("people") > 0)
        .sort("job_family", end, "job")
        .filter(so_far >= half * (1 - _NEAR))
        .group_by("job_family", maintain_order=True)
        .agg(pl.col(end).first().alias(f"median_gained_{end}"))
    )
