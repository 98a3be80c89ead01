"""Which missing data to ask for next, to narrow the bounds of the exposure index most."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, aggregate_tasks
from tpanalytics.measures._core.bounds import extreme_indices, known_hours, open_hours
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole, checked_week
from tpanalytics.measures._core.level_sums import attach_staffing, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, unmapped, weight_of
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["data_gaps"]

#: Two narrowings nearer than this are the same; what orders rows must not depend on how floats were added up.
_DIGITS = 9
_COLUMNS = ("job_id", "job_name", "job_family", "kind", "tasks_to_ask", "hours_at_issue", "narrowing", "cumulative")


@cached
def data_gaps(
    profiles: TaskProfiles,
    *,
    top: int = 20,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """List the jobs whose missing hours or levels leave most room in the exposure index of all work.

    The room is the width of the bounds of the index over all jobs (Manski, 2005: a task without a level that has a
    weight may have any, and the contract hours that a job does not describe may belong to any of its tasks without
    hours, or to none). What a job's answer takes off it is worked out for the worst answer: of levels exactly; of
    hours the worst of none at all and all undescribed hours at any one of the tasks in question. Where contract hours
    are needed for these bounds and missing, the room is instead the share of tasks that lack hours or level. A task
    that lacks both is asked for its hours first.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``job_name`` and ``contract_hours`` (hours per week) of `jobs`,
        and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    top
        How many rows to give, 1 or more.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have; None takes none.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per job and kind of gap, most narrowing first, ties by hours at issue, then id, then kind; no row where
        nothing is missing, and the result's meaning says so.

        ==================  =======  ==================================================================
        ``job_id``          String   the job
        ``job_name``        String   its name, or its id where it has none
        ``job_family``      String   its family
        ``kind``            String   what is missing: ``"hours"`` or ``"level"``
        ``tasks_to_ask``    UInt32   tasks that lack it; for ``"level"`` those with hours
        ``hours_at_issue``  Float64  hours per week: for ``"hours"`` those in the contract that no task describes, null
                                     where not known; for ``"level"`` those of the tasks
        ``narrowing``       Float64  how much narrower the room is at least, once the job has answered, 0 to 1
        ``cumulative``      Float64  sum of it so far: exact for shares, and a guide for bounds, which are no sums
        ``room``            String   what becomes narrower: ``"bounds"`` or ``"share of tasks"``
        ==================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a column is missing, or an argument is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> asked = data_gaps(load_sample(), contract_hours=40)
    >>> asked.select("job_id", "kind", "tasks_to_ask", "hours_at_issue", "room").row(0)
    ('job-0153', 'level', 11, 29.5, 'bounds')
    """
    check_whole("top", top, least=1)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states)
    gaps = _gaps(attach_staffing(reduced.jobs, reduced.cells, contract_hours=week), level_weights)
    bounds = extreme_indices(gaps.known, gaps.open, ["all"]).select("bound_low", "bound_high").row(0)
    bounded = None not in bounds or not gaps.open.get_column("unknown").sum()
    found = _by_bounds(gaps, reduced.cells, level_weights, bounds) if bounded else _by_share(gaps.jobs)
    named = pl.coalesce("job_name", "job_id") if "job_name" in reduced.jobs.columns else pl.col("job_id")
    found = (
        found.join(reduced.jobs.select("job", "job_id", job_name=named.cast(pl.String)), on="job", how="left")
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
    result = found.select(
        *_COLUMNS,
        room=pl.lit("bounds" if bounded else "share of tasks"),
    ).head(top)
    strange = unmapped(reduced.cells.get_column("level").to_list(), level_weights)
    known = pl.when(pl.col("level").is_in(list(level_weights))).then("level").otherwise(pl.lit(NOT_ASSESSED))
    return attach_metadata(
        result,
        meaning_of(
            reduced._replace(cells=reduced.cells.with_columns(level=known)),
            measure="data_gaps",
            value="how much narrower the room left by what is not known becomes with a job's answer, at least",
            unit="share, 0 to 1",
            basis="hours" if bounded else "task",
            level_weights=level_weights,
            policy=(_room(gaps.jobs, bounds, bounded=bounded), *_taken(reduced, week)),
            warnings=(f"Levels without a weight count as unknown: {', '.join(strange)}.",) if strange else (),
        ),
    )


class _Gaps(NamedTuple):
    """What is known and what is missing, by job and of all work.

    Attributes
    ----------
    jobs
        ``job, job_family, tasks``; ``vague_tasks`` with hours whose weight is not known, and their hours ``vague``;
        ``open_tasks`` without hours, the weights ``low`` and ``high`` they can have at least and at most, and
        ``rest``, the contract hours that may be theirs: null where not known. One row per job with a task.
    known, open
        Of all work, as `known_hours` and `open_hours` return them, by the key ``all``.
    """

    jobs: pl.DataFrame
    known: pl.DataFrame
    open: pl.DataFrame


def _gaps(cells: pl.DataFrame, level_weights: Mapping[str, float]) -> _Gaps:
    any_weight = min(level_weights.values()), max(level_weights.values())
    sums, everything = level_sums(cells, "job"), pl.lit(0).alias("all")
    known, rest = known_hours(sums, level_weights, "job", any_weight), open_hours(sums, level_weights, any_weight)
    vague = weight_of(level_weights).is_null()
    jobs = (
        cells.group_by("job", "job_family", maintain_order=True)
        .agg(
            tasks=pl.col("n").sum(),
            vague=pl.col("hours").filter(vague).sum(),
            vague_tasks=pl.col("n_known").filter(vague).sum(),
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


def _room(jobs: pl.DataFrame, bounds: tuple[float | None, float | None], *, bounded: bool) -> str:
    """Describe how far the bounds are apart now."""
    if not jobs.height:
        return "No task counts, so there is nothing to ask about."
    lacking = jobs.select((pl.col("open_tasks") + pl.col("vague_tasks")).sum() / pl.col("tasks").sum()).item()
    if not lacking:
        return "Nothing is missing: every task that counts has hours and a level that has a weight."
    gap = f"{lacking:.1%} of the tasks that count lack hours or a level that has a weight"
    if not bounded:
        return f"{gap}; contract hours of jobs that have such tasks are missing, so there are no bounds."
    low, high = bounds
    if low is None or high is None:
        return f"{gap}; there are no hours that an index could be worked out of."
    return f"{gap}; the exposure index of all work lies within {low:.3f} and {high:.3f}."


def _taken(reduced: TaskCounts, week: float | None) -> tuple[str, ...]:
    jobs = reduced.jobs
    without = jobs.height - (jobs.get_column("contract_hours").count() if "contract_hours" in jobs.columns else 0)
    if week is None or not without:
        return ()
    return (f"{without:,} of {jobs.height:,} jobs have no contract hours; they are taken to have {week:g} per week.",)


def _by_bounds(
    gaps: _Gaps, cells: pl.DataFrame, level_weights: Mapping[str, float], bounds: tuple[float | None, float | None]
) -> pl.DataFrame:
    """Recompute the bounds with each extreme answer of each job; the worst one tells how much is gained at least."""
    before = 0.0 if bounds[0] is None or bounds[1] is None else bounds[1] - bounds[0]
    answers = pl.concat(
        [_answers_of_hours(gaps.jobs, cells, level_weights), _answers_of_levels(gaps.jobs, level_weights)]
    ).with_row_index("answer")
    job = {name: pl.col(f"{name}_job") for name in ("low", "high", "rest", "unknown")}
    # Hours that were reported are no longer open; what is left of a sum is not less than nothing, whatever floats say.
    reported = (pl.col("kind") == "hours") & (pl.col("low") == job["low"]) & (pl.col("high") == job["high"])
    still_open = (
        answers.select("answer", "kind", *(pl.col(name).name.suffix("_job") for name in job))
        .join(gaps.open, how="cross", maintain_order="left_right")
        .select(
            *("answer", "low", "high"),
            rest=pl.when(reported)
            .then((pl.col("rest") - job["rest"].fill_null(0.0)).clip(lower_bound=0.0))
            .otherwise("rest"),
            unknown=pl.col("unknown") - pl.when(reported).then(job["unknown"]).otherwise(0),
        )
    )
    now = gaps.known.row(0, named=True)
    known = answers.select("answer", **{name: now[name] + pl.col(f"more_{name}") for name in ("whole", "low", "high")})
    after = answers.join(extreme_indices(known, still_open, ["answer"]), on="answer")
    # An answer never widens the bounds: where it leaves one open, nothing is sure to be gained.
    left = (pl.col("bound_high") - pl.col("bound_low")).fill_null(before)
    return after.group_by("job", "job_family", "kind", "tasks_to_ask", "hours_at_issue").agg(
        narrowing=before - left.max()
    )


_ANSWER = (
    *("job", "job_family", "kind", "tasks_to_ask", "hours_at_issue", "low", "high", "rest", "unknown"),
    *("more_whole", "more_low", "more_high"),
)


def _answers_of_levels(jobs: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return both extreme answers; the bounds are piecewise linear in a level's weight, so the worst is one of them."""
    least, most = min(level_weights.values()), max(level_weights.values())
    extremes = pl.DataFrame({"answer": [least, most]}, schema={"answer": pl.Float64})
    return (
        jobs.filter(pl.col("vague_tasks") > 0)
        .join(extremes, how="cross", maintain_order="left_right")
        .with_columns(
            kind=pl.lit("level"),
            tasks_to_ask="vague_tasks",
            hours_at_issue="vague",
            more_whole=pl.lit(0.0),
            more_low=pl.col("vague") * (pl.col("answer") - least),
            more_high=pl.col("vague") * (pl.col("answer") - most),
        )
        .select(_ANSWER)
    )


def _answers_of_hours(jobs: pl.DataFrame, cells: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return the answers that give all undocumented hours to tasks of one weight, or to none."""
    weight = weight_of(level_weights)
    places = (
        cells.filter(pl.col("n_known") < pl.col("n"))
        .select(
            "job",
            at_low=weight.fill_null(min(level_weights.values())),
            at_high=weight.fill_null(max(level_weights.values())),
            share=pl.lit(1.0),
        )
        .unique()
    )
    nowhere = places.select("job", at_low=pl.lit(0.0), at_high=pl.lit(0.0), share=pl.lit(0.0)).unique()
    rest = pl.col("rest")
    return (
        jobs.join(pl.concat([places, nowhere]), on="job")
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
    """Return each gap's share of all tasks."""
    kinds = {
        "hours": (pl.col("open_tasks"), pl.col("rest")),
        "level": (pl.col("vague_tasks"), pl.col("vague")),
    }
    all_tasks = pl.col("tasks").sum()
    return pl.concat(
        jobs.select(
            "job",
            "job_family",
            kind=pl.lit(kind),
            tasks_to_ask=tasks,
            hours_at_issue=hours,
            narrowing=tasks / all_tasks,
        ).filter(pl.col("tasks_to_ask") > 0)
        for kind, (tasks, hours) in kinds.items()
    )
