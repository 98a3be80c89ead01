"""Exposure of the work of families and jobs to AI: an index, its range over the weight of H2, and its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, per_job, share_of
from tpanalytics.measures._core.bounds import index_bounds, taken_week
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, checked_week
from tpanalytics.measures._core.level_sums import attach_staffing, family_sums, jobs_with_hours, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, index_of, unmapped, weight_of
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.level_sums import LevelSums
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles

__all__ = [
    "DIGITS",
    "bounds_by_family",
    "exposure",
    "exposure_by_job",
    "exposure_meaning",
    "indexed",
]


#: With fewer tasks a job's polarisation says nothing.
_TASKS_FOR_POLARISATION = 3
#: Two figures nearer than this are the same; what orders rows must not depend on how floats were added up.
DIGITS = 9
_BOUNDS = "The bounds hold whatever the unknown levels are and wherever undescribed contract hours belong."


@cached
def exposure(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    weight: StaffWeight = "hours",
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Measure how exposed each family's work is to AI, how far the weight of H2 moves it, and what it may be.

    The index is the sum of hours times the weight of their level, over the hours that have a level with a weight
    (the scores alpha, beta and zeta of Eloundou et al., 2023, *GPTs are GPTs*, are its values with a weight of 0, 0.5
    and 1 for the middle level). Tasks without hours, without level or with a level that has no weight are left out of
    it and widen its bounds. It is null where no hours have a weight, and says what could change, not who leaves.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``contract_hours`` (hours per week) of `jobs`, for headcount
        also ``headcount`` (full-time equivalents), and ``job_id, ai_impact_level, validation_state, weekly_hours``
        (hours per week) of `tasks`.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the bounds alone; None
        takes none.
    weight
        ``"hours"`` counts each job once; ``"headcount"`` counts it once per full-time equivalent, leaving out jobs
        whose headcount is not known.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, most exposed first, ties by name, families without an index last.

        =================  =======  ==================================================================
        ``job_family``     String   the family
        ``exposure``       Float64  the index, 0 to 1
        ``weight_low``     Float64  the same with a weight of 0 for H2: only H1 counts
        ``weight_high``    Float64  the same with a weight of 1 for H2
        ``bound_low``      Float64  least the index can be at the `level_weights`, whatever the unknown levels are and
                                    wherever undescribed contract hours belong; null where contract hours are needed
                                    and not known
        ``bound_high``     Float64  most it can be; see `bounds.index_bounds`
        ``numerator``      Float64  hours per week times weight, by headcount times full-time equivalents
        ``denominator``    Float64  hours per week that have a weight, likewise
        ``jobs``           UInt32   jobs of the family
        ``jobs_weighed``   UInt32   jobs that are in the index
        ``tasks``          UInt32   tasks that count
        ``tasks_weighed``  UInt32   those that are in the index
        ``coverage``       Float64  share of the tasks that are in the index, 0 to 1
        ``data_grade``     String   A from 0.9 of ``coverage``, B from 0.7, C below; of a C quote only the bounds
        ``reason``         String   why ``exposure`` is null, or with it known a bound: a word of
                                    `metadata.NONE_BECAUSE`
        =================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for; or a weight, `weight` or `contract_hours` is not
        as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = exposure(load_sample())
    >>> table.select("job_family", pl.col("exposure", "weight_low", "weight_high").round(2), "data_grade").row(0)
    ('Field Service and Installation', 0.64, 0.46, 0.81, 'C')
    """
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    check_choice("weight", weight, StaffWeight)
    by_headcount = weight == "headcount"
    sums = family_sums(profiles, states=states, by_headcount=by_headcount, week=week)
    reduced, found = sums.reduced, indexed(sums.families, sums.levels, level_weights, "job_family")
    if not sums.per_job:
        jobs = jobs_with_hours(profiles, sums, sorted(level_weights))
        found = found.drop("jobs_weighed").join(jobs, on="job_family", how="left")
        found = found.with_columns(pl.col("jobs_weighed").fill_null(0))
    result = found.select(
        *("job_family", "exposure", "weight_low", "weight_high", "bound_low", "bound_high", "numerator", "denominator"),
        *(pl.col(name).cast(pl.UInt32) for name in ("jobs", "jobs_weighed", "tasks", "tasks_weighed")),
        *("coverage", "data_grade", "reason"),
    ).sort(pl.col("exposure").round(DIGITS), "job_family", descending=[True, False], nulls_last=True)
    poor = result.filter(data_grade="C").height
    return attach_metadata(
        result,
        exposure_meaning(
            reduced,
            level_weights,
            week,
            measure="exposure",
            value="exposure index of a family's work",
            basis=weight,
            staffed=by_headcount,
            numerator="weekly hours times weight" + " times full-time equivalents" * by_headcount,
            denominator="weekly hours with a weight" + " times full-time equivalents" * by_headcount,
            policy=(_BOUNDS, *(("Jobs without a headcount are left out.",) * by_headcount)),
            warnings=(f"{poor} of {result.height} families are of grade C: of those quote only the bounds.",)
            * (poor > 0),
        ),
    )


def bounds_by_family(
    profiles: TaskProfiles, *, level_weights: Mapping[str, float], contract_hours: float | None, states: Sequence[str]
) -> pl.DataFrame:
    """Return only the bounds of `exposure`: ``job_family, bound_low, bound_high``, in no order."""
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    sums = family_sums(profiles, states=states, by_headcount=False, week=week)
    return index_bounds(sums.levels, level_weights, "job_family")


@cached
def exposure_by_job(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Measure how exposed each job's work is to AI, and whether it is evenly so or split in two.

    The index and its bounds are those of `exposure`, for one job. The dispersion is the standard deviation
    of the weights over its hours, ``sqrt(sum(h * (w - E)**2) / sum(h))``; the polarisation its square over the most it
    can be, ``E * (1 - E)``: 1 where all hours weigh 0 or 1, so that the job could be split, 0 where all weigh alike,
    so that all of it could be lifted.

    Parameters
    ----------
    profiles
        Reads what `exposure` reads, and where present ``job_name`` of `jobs`.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the bounds alone; None
        takes none.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per job, by id.

        =================  =======  ==================================================================
        ``job_id``         String   the job
        ``job_name``       String   its name, or its id where it has none
        ``job_family``     String   its family
        ``exposure``       Float64  the index, 0 to 1; null where no hours have a weight
        ``weight_low``     Float64  the same with a weight of 0 for H2
        ``weight_high``    Float64  the same with a weight of 1 for H2
        ``bound_low``      Float64  least the index can be; null where contract hours are needed and not known
        ``bound_high``     Float64  most it can be
        ``dispersion``     Float64  standard deviation of the weights over the hours, 0 to 0.5
        ``polarisation``   Float64  0 to 1; null where ``exposure`` is 0 or 1, or fewer than 3 tasks are in the index
        ``hours``          Float64  described hours per week; null where no task has hours
        ``denominator``    Float64  hours per week that have a weight
        ``headcount``      Float64  full-time equivalents; null where not known. It weighs nothing here
        ``tasks``          UInt32   tasks that count
        ``tasks_weighed``  UInt32   those that are in the index
        ``coverage``       Float64  share of the tasks that are in the index, 0 to 1; null for a job without tasks
        ``data_grade``     String   A, B, C by ``coverage``; of a C quote only the bounds
        ``reason``         String   why ``exposure`` is null, or with it known a bound: a word of
                                    `metadata.NONE_BECAUSE`
        =================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a column is missing, or a weight or `contract_hours` is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> jobs = exposure_by_job(load_sample())
    >>> jobs.select("job_name", pl.col("exposure", "dispersion", "polarisation").round(2)).row(0)
    ('Quotation Specialist', 0.57, 0.41, 0.68)
    """
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states)
    cells = attach_staffing(reduced.jobs, reduced.cells, contract_hours=week)
    jobs = per_job(reduced).drop("tasks_with_hours", "tasks_stated")
    found = indexed(jobs, level_sums(cells, "job"), level_weights, "job")
    spread = (
        cells.join(found.select("job", "exposure"), on="job", how="left", maintain_order="left")
        .with_columns(weight=weight_of(level_weights))
        .filter(pl.col("weight").is_not_null() & pl.col("exposure").is_not_null())
        .group_by("job", maintain_order=True)
        .agg(
            variance=(pl.col("hours") * (pl.col("weight") - pl.col("exposure")) ** 2).sum() / pl.col("hours").sum(),
        )
    )
    most = pl.col("exposure") * (1 - pl.col("exposure"))
    enough = pl.col("tasks_weighed") >= _TASKS_FOR_POLARISATION
    result = (
        found.join(spread, on="job", how="left")
        .sort("job")
        .select(
            *("job_id", pl.coalesce("job_name", "job_id").alias("job_name"), "job_family"),
            *("exposure", "weight_low", "weight_high", "bound_low", "bound_high"),
            dispersion=pl.col("variance").sqrt(),
            polarisation=pl.when(enough).then(share_of(pl.col("variance"), most).clip(0, 1)),
            hours=pl.col("hours"),
            denominator=pl.col("denominator"),
            headcount=pl.col("headcount"),
            tasks=pl.col("tasks").cast(pl.UInt32),
            tasks_weighed=pl.col("tasks_weighed").cast(pl.UInt32),
            coverage=pl.col("coverage"),
            data_grade=pl.col("data_grade"),
            reason=pl.col("reason"),
        )
    )
    return attach_metadata(
        result,
        exposure_meaning(
            reduced,
            level_weights,
            week,
            measure="exposure_by_job",
            value="exposure index of a job's work",
            basis="hours",
            numerator="weekly hours times weight",
            denominator="weekly hours with a weight",
            policy=(_BOUNDS, "Dispersion is the standard deviation of the weights over the hours."),
        ),
    )


def indexed(table: pl.DataFrame, sums: LevelSums, level_weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Attach to each job or family of the `table` its index, bounds, coverage, grade and reason."""
    counts = ["tasks", "jobs_weighed", "tasks_weighed", "tasks_stated", "tasks_with_hours"]
    left_out = (
        pl.when(pl.col("tasks") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(pl.col("people").fill_null(0) == 0)
        .then(pl.lit("NO_HEADCOUNT"))
        .when(pl.col("tasks_with_hours") == 0)
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("denominator").is_null())
        .then(pl.lit("NO_LEVELS"))
        .when(pl.col("exposure").is_null())
        .then(pl.lit("NO_HOURS"))
        .when(pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
        .then(pl.lit("NO_CONTRACT_HOURS"))
    )
    return (
        table.join(index_of(sums, level_weights, by), on=by, how="left")
        .join(index_bounds(sums, level_weights, by), on=by, how="left")
        .with_columns(pl.col(name).fill_null(0) for name in counts)
        .with_columns(coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")), reason=left_out)
        .with_columns(data_grade=grade(pl.col("coverage")))
    )


def exposure_meaning(
    reduced: TaskCounts,
    level_weights: Mapping[str, float],
    week: float | None,
    *,
    policy: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    **fields: Any,
) -> Meaning:
    """Make the metadata of a result that depends on weights: a level without one is not known."""
    cells, jobs = reduced.cells, reduced.jobs
    mapped = pl.col("level").is_in(list(level_weights))
    strange = unmapped(cells.get_column("level").unique(), level_weights)
    if strange:
        n = cells.filter(pl.col("level").is_in(strange)).get_column("n").sum()
        warnings = (
            f"{n:,} tasks are at {', '.join(strange)}, which has no weight here; they count as unknown until it has.",
            *warnings,
        )
    warnings = (*taken_week(jobs, week), *warnings)
    known = reduced._replace(
        cells=cells.with_columns(level=pl.when(mapped).then("level").otherwise(pl.lit(NOT_ASSESSED)))
    )
    return meaning_of(
        known,
        level_weights=level_weights,
        unit="share, 0 to 1",
        policy=(
            "Exposure says what could change, not who leaves.",
            "Tasks without hours or without a level that has a weight are left out of the index; they are not zero.",
            *(("weight_low and weight_high give H2 a weight of 0 and of 1.",) * ("H2" in level_weights)),
            *policy,
        ),
        warnings=warnings,
        **fields,
    )
