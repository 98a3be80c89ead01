"""Jobs whose missing data would narrow the exposure bounds the most."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures._core.bounds import assumed_week_note, extreme_indices, known_hours, open_hours
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole, checked_week
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import attach_staffing, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, unmapped, weight_of
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["data_gaps"]

#: Round to this many decimals before sorting, so floating-point errors don't affect the order.
_DIGITS = 9
_COLUMNS = ("job_id", "job_name", "job_family", "kind", "tasks_to_ask", "hours_at_issue", "narrowing", "cumulative")


@cached
def data_gaps(
    profiles: TaskProfiles,
    *,
    top: int = 20,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """List the jobs whose missing hours or levels widen the exposure bounds the most.

    The bounds are for the index over all jobs. An unknown level can have any weight, and a job's undocumented contract
    hours can belong to any of its tasks without hours, or to none of them (Manski, 2005, *Partial identification with
    missing data*). ``narrowing`` is the minimum amount by which the bounds narrow if the job's missing data is
    provided. This is exact for levels. For hours, it is the smaller of two cases: the tasks turn out to have no hours,
    or one task has all undocumented hours. If the bounds are unknown because contract hours are missing, ``narrowing``
    is the share of tasks that lack hours or a level. Tasks that lack both are listed under hours.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``job_name`` and ``contract_hours`` (hours per week)
        from `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    top
        Maximum number of rows to return, 1 or more.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    contract_hours
        Weekly contract hours to assume for jobs without any. If None, nothing is assumed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per job and kind of missing data. Rows are sorted by ``narrowing`` and ``hours_at_issue`` in descending
        order, then by id and kind. Empty if no data is missing.

        ==================  =======  ==================================================================
        ``job_id``          String   id of the job
        ``job_name``        String   name of the job, or its id if it has none
        ``job_family``      String   job family
        ``kind``            String   missing data: ``"hours"`` or ``"level"``
        ``tasks_to_ask``    UInt32   tasks without hours, or tasks with hours but without a level
        ``hours_at_issue``  Float64  hours per week: undocumented contract hours (null if unknown), or
                                     hours of the tasks without a level
        ``narrowing``       Float64  minimum reduction in the width of the bounds, 0 to 1
        ``cumulative``      Float64  running total of ``narrowing``; only a guide if ``room`` is ``"bounds"``,
                                     since the reductions interact
        ``room``            String   what ``narrowing`` measures: ``"bounds"`` or ``"share of tasks"``
        ==================  =======  ==================================================================

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
    >>> gaps = data_gaps(load_sample(), contract_hours=40)
    >>> gaps.select("job_id", "kind", "tasks_to_ask", "hours_at_issue", "room").row(0)
    ('job-0153', 'level', 11, 29.5, 'bounds')
    """
    check_whole("top", top, least=1)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states)
    gaps = _gaps(attach_staffing(reduced.jobs, reduced.cells, contract_hours=week), level_weights)
    bounds = extreme_indices(gaps.known, gaps.open, ["all"]).select("bound_low", "bound_high").row(0)
    bounded = None not in bounds or not gaps.open.get_column("unknown").sum()
    table = _by_bounds(gaps, reduced.cells, level_weights, bounds) if bounded else _by_share(gaps.jobs)
    name = pl.coalesce("job_name", "job_id") if "job_name" in reduced.jobs.columns else pl.col("job_id")
    table = (
        table.join(reduced.jobs.select("job", "job_id", job_name=name.cast(pl.String)), on="job", how="left")
        .with_columns(narrowing=pl.col("narrowing").clip(lower_bound=0.0))
        .sort(
            pl.col("narrowing").round(_DIGITS),
            pl.col("hours_at_issue").round(_DIGITS),
            "job_id",
            "kind",
            descending=[True, True, False, False],
            nulls_last=True,
        )
        .with_columns(cumulative=pl.col("narrowing").cum_sum())
    )
    result = (
        table.rename({"group": BY_FAMILY})
        .select(*_COLUMNS, room=pl.lit("bounds" if bounded else "share of tasks"))
        .head(top)
    )
    unweighted = unmapped(reduced.cells.get_column("level").to_list(), level_weights)
    known = pl.when(pl.col("level").is_in(list(level_weights))).then("level").otherwise(pl.lit(NOT_ASSESSED))
    return attach_metadata(
        result,
        meaning_of(
            reduced._replace(cells=reduced.cells.with_columns(level=known)),
            measure="data_gaps",
            value="minimum reduction of the width of the bounds if the job provides its missing data",
            unit="share, 0 to 1",
            basis="hours" if bounded else "task",
            level_weights=level_weights,
            policy=(_gaps_note(gaps.jobs, bounds, bounded=bounded), *assumed_week_note(reduced.jobs, week)),
            warnings=(f"Levels without a weight count as not assessed: {', '.join(unweighted)}.",) * bool(unweighted),
        ),
    )


class _Gaps(NamedTuple):
    """Known and missing data by job and in total.

    Attributes
    ----------
    jobs
        One row per job that has tasks. ``unweighted_tasks`` is the number of tasks with hours but without a weighted
        level, and ``unweighted`` is their total hours. ``open_tasks`` is the number of tasks without hours,
        ``low`` and ``high`` are their minimum and maximum weight, and ``rest`` is their undocumented contract hours
        (null if unknown).
    known, open
        Totals of `known_hours` and `open_hours`, with ``all`` as the key column.
    """

    jobs: pl.DataFrame
    known: pl.DataFrame
    open: pl.DataFrame


def _gaps(cells: pl.DataFrame, level_weights: Mapping[str, float]) -> _Gaps:
    any_weight = min(level_weights.values()), max(level_weights.values())
    sums, everything = level_sums(cells, "job"), pl.lit(0).alias("all")
    known, rest = known_hours(sums, level_weights, "job", any_weight), open_hours(sums, level_weights, any_weight)
    unweighted = weight_of(level_weights).is_null()
    jobs = (
        cells.group_by("job", "group", maintain_order=True)
        .agg(
            tasks=pl.col("n").sum(),
            unweighted=pl.col("hours").filter(unweighted).sum(),
            unweighted_tasks=pl.col("n_known").filter(unweighted).sum(),
            open_tasks=(pl.col("n") - pl.col("n_known")).sum(),
        )
        .join(rest.select("job", "low", "high", "rest", "unknown"), on="job", how="left", maintain_order="left")
        .with_columns(rest=pl.when(pl.col("open_tasks") == 0).then(0.0).when(pl.col("unknown") == 0).then("rest"))
    )
    return _Gaps(
        jobs,
        known.select(everything, pl.col("whole", "low", "high").sum()),
        rest.group_by("low", "high", maintain_order=True)
        .agg(pl.col("rest").sum(), pl.col("unknown").cast(pl.Int64).sum())
        .with_columns(everything),
    )


def _gaps_note(jobs: pl.DataFrame, bounds: tuple[float | None, float | None], *, bounded: bool) -> str:
    """Return a note on the missing data and the current bounds."""
    if not jobs.height:
        return "No tasks to check."
    missing = jobs.select((pl.col("open_tasks") + pl.col("unweighted_tasks")).sum() / pl.col("tasks").sum()).item()
    if not missing:
        return "Nothing is missing: all tasks have hours and a weighted level."
    share = f"{missing:.1%} of the tasks lack hours or a weighted level."
    if not bounded:
        return f"{share} The bounds are unknown because contract hours of their jobs are missing."
    low, high = bounds
    if low is None or high is None:
        return f"{share} The exposure index is undefined because no hours are known."
    return f"{share} The exposure index of all jobs is between {low:.3f} and {high:.3f}."


def _by_bounds(
    gaps: _Gaps, cells: pl.DataFrame, level_weights: Mapping[str, float], bounds: tuple[float | None, float | None]
) -> pl.DataFrame:
    """Return how much the bounds narrow if a job's missing data is filled in the least informative way."""
    before = 0.0 if bounds[0] is None or bounds[1] is None else bounds[1] - bounds[0]
    answers = pl.concat(
        [_answers_of_hours(gaps.jobs, cells, level_weights), _answers_of_levels(gaps.jobs, level_weights)]
    ).with_row_index("answer")
    job = {name: pl.col(f"{name}_job") for name in ("low", "high", "rest", "unknown")}
    # Hours that have been filled in are no longer open. Clip the remaining sums, since floating-point errors can make
    # them negative.
    answered = (pl.col("kind") == "hours") & (pl.col("low") == job["low"]) & (pl.col("high") == job["high"])
    still_open = (
        answers.select("answer", "kind", *(pl.col(name).name.suffix("_job") for name in job))
        .join(gaps.open, how="cross", maintain_order="left_right")
        .select(
            *("answer", "low", "high"),
            rest=pl.when(answered)
            .then((pl.col("rest") - job["rest"].fill_null(0.0)).clip(lower_bound=0.0))
            .otherwise("rest"),
            unknown=pl.col("unknown") - pl.when(answered).then(job["unknown"]).otherwise(0),
        )
    )
    now = gaps.known.row(0, named=True)
    known = answers.select("answer", **{name: now[name] + pl.col(f"more_{name}") for name in ("whole", "low", "high")})
    after = answers.join(extreme_indices(known, still_open, ["answer"]), on="answer")
    # If a bound is still unknown, assume that the bounds don't narrow.
    width = (pl.col("bound_high") - pl.col("bound_low")).fill_null(before)
    return after.group_by("job", "group", "kind", "tasks_to_ask", "hours_at_issue").agg(narrowing=before - width.max())


_ANSWER = (
    *("job", "group", "kind", "tasks_to_ask", "hours_at_issue", "low", "high", "rest", "unknown"),
    *("more_whole", "more_low", "more_high"),
)


def _answers_of_levels(jobs: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return answers with the lowest and the highest weight. One of them is always the worst case."""
    lowest, highest = min(level_weights.values()), max(level_weights.values())
    extremes = pl.DataFrame({"answer": [lowest, highest]}, schema={"answer": pl.Float64})
    return (
        jobs.filter(pl.col("unweighted_tasks") > 0)
        .join(extremes, how="cross", maintain_order="left_right")
        .with_columns(
            kind=pl.lit("level"),
            tasks_to_ask="unweighted_tasks",
            hours_at_issue="unweighted",
            more_whole=pl.lit(0.0),
            more_low=pl.col("unweighted") * (pl.col("answer") - lowest),
            more_high=pl.col("unweighted") * (pl.col("answer") - highest),
        )
        .select(_ANSWER)
    )


def _answers_of_hours(jobs: pl.DataFrame, cells: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return answers that assign all undocumented hours to tasks with the same weight, or to no tasks at all."""
    weight = weight_of(level_weights)
    answers_by_weight = (
        cells.filter(pl.col("n_known") < pl.col("n"))
        .select(
            "job",
            at_low=weight.fill_null(min(level_weights.values())),
            at_high=weight.fill_null(max(level_weights.values())),
            share=pl.lit(1.0),
        )
        .unique()
    )
    no_hours = answers_by_weight.select("job", at_low=pl.lit(0.0), at_high=pl.lit(0.0), share=pl.lit(0.0)).unique()
    rest = pl.col("rest")
    return (
        jobs.join(pl.concat([answers_by_weight, no_hours]), on="job")
        .with_columns(
            kind=pl.lit("hours"),
            tasks_to_ask="open_tasks",
            hours_at_issue="rest",
            more_whole=rest * pl.col("share"),
            more_low=rest * pl.col("at_low"),
            more_high=rest * pl.col("at_high"),
        )
        .select(_ANSWER)
    )


def _by_share(jobs: pl.DataFrame) -> pl.DataFrame:
    """Return each job's tasks with missing data as a share of all tasks."""
    kinds = {
        "hours": (pl.col("open_tasks"), pl.col("rest")),
        "level": (pl.col("unweighted_tasks"), pl.col("unweighted")),
    }
    all_tasks = pl.col("tasks").sum()
    return pl.concat(
        jobs.select(
            "job",
            "group",
            kind=pl.lit(kind),
            tasks_to_ask=tasks,
            hours_at_issue=hours,
            narrowing=tasks / all_tasks,
        ).filter(pl.col("tasks_to_ask") > 0)
        for kind, (tasks, hours) in kinds.items()
    )
