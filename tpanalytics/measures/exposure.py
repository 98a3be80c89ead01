"""Exposure index for job families and jobs, including bounds and sensitivity to the H2 weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import aggregate_tasks, each_task_once, per_job, share_of
from tpanalytics.measures._core.bounds import assumed_week_note, index_bounds
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import attach_staffing, group_sums, jobs_with_hours, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.measures._core.staff import STAFF, checked_weight, without_staff_note
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, index_of, unmapped, weight_of
from tpanalytics.schema import NOT_ASSESSED
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.level_sums import LevelSums
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "DIGITS",
    "POTENTIAL_CHANGE",
    "add_index",
    "bounds_by_group",
    "exposure",
    "exposure_meaning",
    "exposure_of_jobs",
]

#: Minimum number of tasks for the polarisation.
_TASKS_FOR_POLARISATION = 3
#: Round to this many decimals before sorting, so floating-point errors don't affect the order.
DIGITS = 9
#: Note attached to all exposure results.
POTENTIAL_CHANGE = "Exposure estimates potential change, not job losses."
_BOUNDS = "Bounds allow for all unknown levels and for contract hours that are not documented."


@cached
def exposure(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: StaffWeight | None = None,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute each job family's exposure to AI.

    Exposure is the mean level weight over all hours with a level weight. With a weight of 0, 0.5 or 1 for the middle
    level (H2), this is the alpha, beta or zeta score in Eloundou et al. (2023), *GPTs are GPTs*. Those scores have
    three levels, so H4 and H5 have no weight by default. Pass ``level_weights={"H1": 1, "H2": 0.5, "H3": 0,
    "H4": 0, "H5": 0}`` to count them as not exposed. Tasks without hours or without a weighted level are excluded from
    the index but widen its bounds. An unknown level can have any weight between the smallest and largest in
    `level_weights`. Exposure estimates potential change, not job losses.

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
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects the bounds. If None, nothing is assumed.
    weight
        ``"hours"`` counts each job once. ``"headcount"`` multiplies each job's hours by its people and ``"fte"`` by its
        full-time equivalents, excluding jobs without them. None means ``"headcount"`` if `by` has a column of people,
        and ``"hours"`` otherwise.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by exposure in descending order (nulls last) and then by name. Dates
        (``"as_of"``) are in order.

        ==================  =======  ==================================================================
        ``job_family``      String   the columns in `by`
        ``jobs``            UInt32   jobs in the family
        ``tasks``           UInt32   tasks in the selected states
        ``hours``           Float64  documented hours per week, for one incumbent of each job; null if unknown
        ``exposure``        Float64  exposure index, 0 to 1; null if no hours have a weight
        ``weight_low``      Float64  index with an H2 weight of 0
        ``weight_high``     Float64  index with an H2 weight of 1
        ``bound_low``       Float64  lower bound of the index, allowing for unknown levels and undocumented contract
                                     hours; null if required contract hours are missing
        ``bound_high``      Float64  upper bound of the index
        ``coverage``        Float64  share of tasks with stated hours and a weighted level, 0 to 1
        ``data_grade``      String   A (coverage of at least 0.9), B (at least 0.7) or C: quote only the bounds
        ``numerator``       Float64  hours per week times level weight (and headcount)
        ``denominator``     Float64  hours per week with a level weight (times headcount)
        ``jobs_in_index``   UInt32   jobs included in the index
        ``tasks_in_index``  UInt32   tasks included in the index
        ``reason``          String   why ``exposure`` is null (``NO_TASKS``, ``NO_HEADCOUNT``, ``NO_HOURS``,
                                     ``NO_LEVELS``) or a bound is (``NO_CONTRACT_HOURS``)
        ==================  =======  ==================================================================

        Groups by ``job_id`` add ``dispersion`` and ``polarisation`` (Float64). The dispersion is the standard deviation
        of the weights over the job's hours, ``sqrt(sum(h * (w - E)**2) / sum(h))``, 0 to 0.5. The polarisation is
        ``dispersion**2`` divided by its maximum, ``E * (1 - E)``. It is 1 if every hour has a weight of 0 or 1, so that
        the job could be split, and 0 if all hours have the same weight. It is null if ``exposure`` is 0 or 1, or if
        fewer than 3 tasks are in the index.

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
    >>> table = exposure(load_sample())
    >>> table.select("job_family", pl.col("exposure", "weight_low", "weight_high").round(2), "data_grade").row(0)
    ('Field Service and Installation', 0.64, 0.46, 0.81, 'C')
    """
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    weight = checked_weight(profiles, by, weight, StaffWeight)
    staffed = weight in STAFF
    sums = group_sums(profiles, by=by, states=states, weight=weight, week=week)
    reduced, families = sums.reduced, add_index(sums.families, sums.levels, level_weights, "group")
    if not sums.per_job:
        jobs = jobs_with_hours(profiles, sums, sorted(level_weights))
        families = families.drop("jobs_in_index").join(jobs, on="group", how="left")
        families = families.with_columns(pl.col("jobs_in_index").fill_null(0))
    result = families.select(
        *("group", pl.col("jobs").cast(pl.UInt32), pl.col("tasks").cast(pl.UInt32), "hours"),
        *("exposure", "weight_low", "weight_high", "bound_low", "bound_high", "coverage", "data_grade"),
        *("numerator", "denominator"),
        *(pl.col(name).cast(pl.UInt32) for name in ("jobs_in_index", "tasks_in_index")),
        "reason",
    )
    if "job_id" in reduced.groups.columns.by:
        result = result.join(
            _spread(aggregate_tasks(profiles, states, by=by, checked=True), families, level_weights),
            on="group",
            how="left",
        )
    result = reduced.groups.largest_first(result, pl.col("exposure").round(DIGITS))
    grade_c = result.filter(data_grade="C").height
    times_staff = f" times {STAFF[weight]}" if staffed else ""
    return attach_metadata(
        reduced.groups.named(result),
        exposure_meaning(
            reduced,
            level_weights,
            week,
            measure="exposure",
            value=f"exposure index of {reduced.groups.a_group}'s work",
            basis=weight,
            staffed=staffed,
            numerator=f"weekly hours times weight{times_staff}",
            denominator=f"weekly hours with a weight{times_staff}",
            policy=(_BOUNDS, *without_staff_note(weight)),
            warnings=(f"Quote only the bounds where the data grade is C ({grade_c} of {result.height}).",)
            * (grade_c > 0),
        ),
    )


def bounds_by_group(
    profiles: TaskProfiles,
    *,
    level_weights: Mapping[str, float],
    contract_hours: float | None,
    states: Sequence[str] | None,
    by: By = BY_FAMILY,
) -> pl.DataFrame:
    """Return each group's exposure bounds, in no particular order."""
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    sums = group_sums(profiles, by=by, states=states, weight="hours", week=week)
    return index_bounds(sums.levels, level_weights, "group")


def exposure_of_jobs(
    profiles: TaskProfiles, *, by: By = BY_FAMILY, level_weights: Mapping[str, float], states: Sequence[str] | None
) -> pl.DataFrame:
    """Return each job's index, hours and headcount, with one row for each of the job's groups."""
    reduced = aggregate_tasks(profiles, states, by=by)
    cells = attach_staffing(reduced.jobs, reduced.cells)
    jobs = per_job(reduced).with_columns(job_name=pl.coalesce("job_name", "job_id"))
    jobs = jobs.drop("tasks_with_hours", "tasks_stated")
    return add_index(jobs, level_sums(cells, "job"), checked_weights(level_weights), "job").sort("job")


def _spread(reduced: TaskCounts, families: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return how the hours of single jobs spread over the weights."""
    cells = reduced.cells.join(families.select("group", "exposure", "tasks_in_index"), on="group", how="left")
    variance = (pl.col("hours") * (pl.col("weight") - pl.col("exposure")) ** 2).sum() / pl.col("hours").sum()
    max_variance = pl.col("exposure").first() * (1 - pl.col("exposure").first())
    enough_tasks = pl.col("tasks_in_index").first() >= _TASKS_FOR_POLARISATION
    return (
        cells.with_columns(weight=weight_of(level_weights))
        .filter(pl.col("weight").is_not_null() & pl.col("exposure").is_not_null())
        .group_by("group", maintain_order=True)
        .agg(
            dispersion=variance.sqrt(),
            polarisation=pl.when(enough_tasks).then(share_of(variance, max_variance).clip(0, 1)),
        )
    )


def add_index(table: pl.DataFrame, sums: LevelSums, level_weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Add the index, bounds, coverage, grade and reason to a table of jobs or families."""
    counts = ["tasks", "jobs_in_index", "tasks_in_index", "tasks_stated", "tasks_with_hours"]
    reason = (
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
        .with_columns(coverage=share_of(pl.col("tasks_stated"), pl.col("tasks")), reason=reason)
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
    """Build the metadata for a result that depends on level weights."""
    cells, jobs = each_task_once(reduced), reduced.jobs
    has_weight = pl.col("level").is_in(list(level_weights))
    unweighted = unmapped(cells.get_column("level").unique(), level_weights)
    if unweighted:
        n = cells.filter(pl.col("level").is_in(unweighted)).get_column("n").sum()
        warnings = (
            f"Levels without a weight count as not assessed: {', '.join(unweighted)} ({plural(n, 'task')}).",
            *warnings,
        )
    warnings = (*assumed_week_note(jobs, week), *warnings)
    level = pl.when(has_weight).then("level").otherwise(pl.lit(NOT_ASSESSED))
    weighted = reduced._replace(
        cells=reduced.cells.with_columns(level=level),
        once=None if reduced.once is None else reduced.once.with_columns(level=level),
    )
    return meaning_of(
        weighted,
        level_weights=level_weights,
        unit="share, 0 to 1",
        policy=(
            POTENTIAL_CHANGE,
            "Tasks without hours or without a weighted level are excluded from the index, not counted as zero.",
            *(("The index is also computed with H2 weights of 0 and 1.",) * ("H2" in level_weights)),
            *policy,
        ),
        warnings=warnings,
        **fields,
    )
