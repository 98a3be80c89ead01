"""Share of the people or jobs whose work is exposed to at least some degree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import aggregate_tasks, per_job, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, checked_week
from tpanalytics.measures._core.level_sums import attach_staffing, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.staff import STAFF, people_notes, with_listed_jobs, with_staff, without_staff_note
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.measures.exposure import DIGITS, POTENTIAL_CHANGE, add_index, exposure_meaning
from tpanalytics.typing import CountWeight, CurveWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["LAST_PLACE", "exposed_jobs", "exposure_curve", "place_of"]

#: Number of the last threshold. There is one for each whole percentage.
LAST_PLACE = 100


@cached
def exposure_curve(
    profiles: TaskProfiles,
    *,
    by: By = None,
    weight: CurveWeight = "headcount",
    work: CountWeight = "hours",
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute the share of people, or of jobs, in jobs where at least x% of the work is exposed to AI, for each x.

    The exposed part of a job's work is its exposure index, as in `exposure`. Jobs without an index are excluded from
    the share, and widen its bounds. Exposure estimates potential change, not job losses.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id``, the columns in `by`, ``headcount`` (people) or ``fte`` (full-time equivalents),
        depending on `weight`, and, if present, ``contract_hours`` (hours per week) from `jobs`, and ``job_id,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Columns of the jobs, people or tasks to group by, or None for all jobs together. With a column of the people, a
        job counts in each of its groups, with the people in that group, and jobs without people in none. With a column
        of the tasks, the index of a job is based on its tasks in the group.
    weight
        What to count: people (``"headcount"``), full-time equivalents (``"fte"``), or ``"jobs"``. The first two exclude
        jobs without people.
    work
        Measure the work of a job in ``"hours"`` (per week) or ``"tasks"``.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed. Weights of only 0 and 1 give the
        share of the work at the levels with weight 1.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects the bounds. If None, nothing is assumed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        101 rows per group, for thresholds from 0% to 100%. The columns in `by` come first.

        ==================  =======  ================================================================
        ``at_least``        Float64  threshold: the exposed share of a job's work, 0 to 1
        ``share``           Float64  share of the people (or jobs) in jobs that reach the threshold, 0 to 1. It is 1 at
                                     the threshold 0 and never increases; null if no job has an index
        ``share_low``       Float64  lower bound of the share: jobs without an index don't reach the threshold, and
                                     missing data lower the index of the others
        ``share_high``      Float64  upper bound of the share
        ``amount``          Float64  people (or jobs) in jobs that reach the threshold
        ``total``           Float64  people (or jobs) in jobs with an index
        ``jobs_at_least``   UInt32   jobs that reach the threshold
        ``jobs``            UInt32   jobs in the group
        ``jobs_in_index``    UInt32   jobs with an index and, unless jobs are counted, people
        ``coverage``        Float64  share of tasks with a weighted level and, unless `work` is tasks, stated hours,
                                     0 to 1
        ``data_grade``      String   A (coverage of at least 0.9), B (at least 0.7) or C: do not quote on its own
        ``basis``           String   the `weight`
        ``work``            String   hours or tasks
        ``reason``          String   why ``share`` is null: ``NO_TASKS``, ``NO_HEADCOUNT``, ``NO_HOURS`` or
                                     ``NO_LEVELS``
        ==================  =======  ================================================================

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

    Notes
    -----
    Eloundou et al. (2023), *GPTs are GPTs*, report such shares: about 80% of workers are in occupations with at least
    10% of tasks exposed.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> curve = exposure_curve(load_sample(), weight="jobs")
    >>> curve.select("at_least", pl.col("share").round(2)).rows()[10:80:30]
    [(0.1, 1.0), (0.4, 0.88), (0.7, 0.09)]
    """
    exposed = exposed_jobs(
        profiles,
        by=by,
        weight=weight,
        work=work,
        level_weights=level_weights,
        contract_hours=contract_hours,
        states=states,
    )
    reduced = exposed.reduced
    result = (
        _curves(exposed)
        .join(_totals(exposed.jobs), on="group", how="left")
        .with_columns(
            share=share_of(pl.col("amount"), pl.col("total")),
            share_low=share_of(pl.col("amount_low"), pl.col("staffed")),
            share_high=share_of(pl.col("amount_high"), pl.col("staffed")),
            basis=pl.lit(weight),
            work=pl.lit(work),
        )
        .with_columns(data_grade=grade(pl.col("coverage")), reason=pl.when(pl.col("share").is_null()).then("reason"))
        .sort(reduced.groups.order, "at_least")
        .select(
            *("group", "at_least", "share", "share_low", "share_high", "amount", "total", "jobs_at_least", "jobs"),
            *("jobs_in_index", "coverage", "data_grade", "basis", "work", "reason"),
        )
    )
    return attach_metadata(reduced.groups.named(result), _meaning(exposed, weight, work, level_weights, contract_hours))


def _meaning(
    exposed: ExposedJobs,
    weight: CurveWeight,
    work: CountWeight,
    level_weights: Mapping[str, float],
    contract_hours: float | None,
) -> Meaning:
    counted = STAFF.get(weight, "jobs").replace("headcount", "people")
    in_jobs = "" if counted == "jobs" else " in jobs"
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    excluded = "without a weighted level" if work == "tasks" else "without hours or without a weighted level"
    return replace(
        exposure_meaning(
            exposed.reduced,
            level_weights,
            None if work == "tasks" else week,
            staffed=weight in STAFF,
            covered="level" if work == "tasks" else "both",
            measure="exposure_curve",
            value=f"share of the {counted}{in_jobs} where at least a given share of the {work} is exposed",
            basis="job" if weight == "jobs" else weight,
            numerator=f"{counted}{in_jobs} that reach the threshold",
            denominator=f"{counted}{in_jobs} with an exposure index",
        ),
        policy=(
            POTENTIAL_CHANGE,
            f"Tasks {excluded} are excluded from the index of a job, not counted as zero.",
            *_jobs_without_index(exposed.jobs),
            f"Bounds allow for {_GAPS[work]} and jobs without an index.",
            *without_staff_note(weight),
            *people_notes(exposed.reduced),
        ),
        contract_hours=week,
    )


_GAPS = {"tasks": "unknown levels", "hours": "unknown levels, contract hours that are not documented,"}


class ExposedJobs(NamedTuple):
    """The exposure index of each job."""

    reduced: TaskCounts
    #: One row per job and group: ``job, job_id, group, tasks, tasks_stated, reason``, the index ``exposure``, its
    #: bounds ``low`` and ``high``, and ``people`` (what the weight counts, null if unknown).
    jobs: pl.DataFrame


@cached
def exposed_jobs(
    profiles: TaskProfiles,
    *,
    by: By,
    weight: CurveWeight,
    work: CountWeight,
    level_weights: Mapping[str, float],
    contract_hours: float | None,
    states: Sequence[str] | None,
) -> ExposedJobs:
    """Return each job's exposure index with its bounds. Jobs whose bounds are unknown can have any index."""
    check_choice("weight", weight, CurveWeight)
    check_choice("work", work, CountWeight)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states, by=by)
    people = reduced.jobs.select("job", counted=pl.lit(1.0))
    if weight in STAFF:
        people = with_staff(reduced, weight, "weight='jobs'").jobs.select("job", counted="headcount")
        reduced = with_listed_jobs(reduced)._replace(weight=weight)
    cells = reduced.cells
    if work == "tasks":  # treat every task as one documented hour
        one_hour = {"hours": pl.col("n").cast(pl.Float64), "n_known": pl.col("n"), "n_imputed": pl.lit(0)}
        cells = cells.with_columns(**one_hour)
    staffing = attach_staffing(reduced.jobs, cells, contract_hours=week)
    jobs = per_job(reduced._replace(cells=cells)).drop("tasks_stated")
    jobs = add_index(jobs.drop("tasks_with_hours"), level_sums(staffing, "job"), level_weights, "job")
    # Even if the levels of a job narrow its bounds, it can have any index unless it counts in the share. Otherwise the
    # share could lie outside its bounds.
    has_index = pl.col("exposure").is_not_null()
    low, high = (
        pl.coalesce(pl.when(has_index).then(bound), pl.lit(float(other)))
        for bound, other in (("bound_low", min(level_weights.values())), ("bound_high", max(level_weights.values())))
    )
    return ExposedJobs(
        reduced,
        jobs.join(people, on="job")
        .sort("job")
        .select(
            *("job", "job_id", "group", "tasks", "tasks_stated", "reason"),
            pl.col("counted").alias("people"),
            exposure=pl.col("exposure").round(DIGITS),
            low=low.round(DIGITS),
            high=high.round(DIGITS),
        ),
    )


def _thresholds() -> pl.DataFrame:
    """Return the thresholds of the curve, 0 to 1."""
    return pl.DataFrame({"at_least": [place / LAST_PLACE for place in range(LAST_PLACE + 1)]})


def place_of(index: str) -> pl.Expr:
    """Return the number of the highest threshold that an index reaches, from 0. Indices are rounded to 9 decimals."""
    return (pl.col(index) * LAST_PLACE + 1e-6).floor().cast(pl.Int64)


def _counts_at_least(jobs: pl.DataFrame, index: str, **sums: pl.Expr) -> pl.DataFrame:
    """Sum over the jobs of each group whose `index` is at least the threshold, for each threshold."""
    reached = jobs.filter(pl.col(index).is_not_null()).group_by("group", place=place_of(index)).agg(**sums)
    grid = (
        jobs.select("group").unique().join(_thresholds().with_row_index("place").cast({"place": pl.Int64}), how="cross")
    )
    return (
        grid.join(reached, on=["group", "place"], how="left")
        .sort("group", "place", descending=[False, True])
        .with_columns(pl.col(name).fill_null(0).cum_sum().over("group") for name in sums)
        .select("group", "at_least", *sums)
    )


def _curves(exposed: ExposedJobs) -> pl.DataFrame:
    staffed = exposed.jobs.filter(pl.col("people").is_not_null())
    people = pl.col("people").sum()
    known = _counts_at_least(staffed, "exposure", amount=people, jobs_at_least=pl.len())
    keys = ["group", "at_least"]
    low = _counts_at_least(staffed, "low", amount_low=people)
    high = _counts_at_least(staffed, "high", amount_high=people)
    grid = exposed.reduced.groups.table.select("group").join(_thresholds(), how="cross")
    return (
        grid.join(known, on=keys, how="left")
        .join(low, on=keys, how="left")
        .join(high, on=keys, how="left")
        .with_columns(pl.col("jobs_at_least").fill_null(0).cast(pl.UInt32), pl.col("amount").fill_null(0.0))
    )


def _totals(jobs: pl.DataFrame) -> pl.DataFrame:
    has_index, people = pl.col("exposure").is_not_null(), pl.col("people")
    reasons = ["NO_LEVELS", "NO_HOURS", "NO_TASKS"]
    reason = pl.coalesce(pl.when((pl.col("reason") == reason).any()).then(pl.lit(reason)) for reason in reasons)
    return jobs.group_by("group").agg(
        total=people.filter(has_index).sum(),
        staffed=people.sum(),
        jobs=pl.len().cast(pl.UInt32),
        jobs_in_index=(has_index & people.is_not_null()).sum().cast(pl.UInt32),
        coverage=share_of(pl.col("tasks_stated").sum(), pl.col("tasks").sum()),
        reason=pl.when(has_index.any()).then(pl.lit("NO_HEADCOUNT")).otherwise(reason),
    )


def _jobs_without_index(jobs: pl.DataFrame) -> tuple[str, ...]:
    n = jobs.filter(pl.col("exposure").is_null()).get_column("job_id").n_unique()
    return (f"{plural(n, 'job')} {'has' if n == 1 else 'have'} no index.",) if n else ()
