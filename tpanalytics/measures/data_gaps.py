"""What to ask for next, so that the headline becomes narrower soonest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, aggregate_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole, checked_week
from tpanalytics.measures._core.claim_bounds import bounds_of, job_room, room_sums, with_week
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, unmapped
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["data_gaps"]

#: Two narrowings nearer than this are the same; what orders rows must not hang on how floats were added up.
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
    hours the worst of none at all and all undescribed hours at any one of the tasks in question. Where a job that has
    tasks without hours has no contract hours there are no bounds, and the room is instead the share of tasks that lack
    hours or level. A task that lacks both is asked for its hours first.

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
    check_whole("top", top, "give how many rows you want, a whole number from 1.", least=1)
    level_weights, week = checked_weights(level_weights), checked_week(contract_hours)
    reduced = aggregate_tasks(profiles, states)
    room = job_room(with_week(reduced.jobs, week), reduced.cells, level_weights)
    sums = room.select(room_sums(level_weights))
    bounds = sums.select(bounds_of(level_weights)).row(0)
    bounded = sums.item(0, "unknown") == 0
    width = bounds[1] - bounds[0] if bounds[0] is not None and bounds[1] is not None else None
    found = _by_bounds(room, reduced.cells, sums, level_weights, width) if bounded else _by_share(room)
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
            policy=(_room(reduced, room, bounds, bounded=bounded), *_taken(reduced, week)),
            warnings=(f"Levels without a weight count as unknown: {', '.join(strange)}.",) if strange else (),
        ),
    )


def _room(reduced: TaskCounts, room: pl.DataFrame, bounds: tuple[float | None, float | None], *, bounded: bool) -> str:
    """Say how much room there is now."""
    if not reduced.cells.height:
        return "No task counts, so there is nothing to ask about."
    lacking = room.select((pl.col("open_tasks") + pl.col("vague_tasks")).sum() / pl.col("tasks").sum()).item()
    if not lacking:
        return "Nothing is missing: every task that counts has hours and a level that has a weight."
    said = f"{lacking:.1%} of the tasks that count lack hours or a level that has a weight"
    if not bounded:
        return f"{said}; contract hours of jobs that have such tasks are missing, so there are no bounds."
    low, high = bounds
    if low is None or high is None:
        return f"{said}; there are no hours that an index could be worked out of."
    return f"{said}; the exposure index of all work lies within {low:.3f} and {high:.3f}."


def _taken(reduced: TaskCounts, week: float | None) -> tuple[str, ...]:
    jobs = reduced.jobs
    without = jobs.height - (jobs.get_column("contract_hours").count() if "contract_hours" in jobs.columns else 0)
    if week is None or not without:
        return ()
    return (f"{without:,} of {jobs.height:,} jobs have no contract hours; they are taken to have {week:g} per week.",)


def _by_bounds(
    room: pl.DataFrame, cells: pl.DataFrame, sums: pl.DataFrame, level_weights: Mapping[str, float], width: float | None
) -> pl.DataFrame:
    """Work the bounds out anew with each answer, from the sums less the job plus the answer."""
    least, most = min(level_weights.values()), max(level_weights.values())
    ways = pl.DataFrame({"answer": [least, most]}, schema={"answer": pl.Float64})
    # The bounds are a largest and a smallest of straight lines in a level's weight: the worst answer is an extreme.
    levels = room.filter(pl.col("vague_tasks") > 0).join(ways, how="cross", maintain_order="left_right")
    levels = levels.with_columns(
        kind=pl.lit("level"),
        tasks_to_ask=pl.col("vague_tasks"),
        hours_at_issue=pl.col("vague"),
        more_low=pl.col("vague") * (pl.col("answer") - least),
        more_high=pl.col("vague") * (pl.col("answer") - most),
        more_whole=pl.lit(0.0),
    )
    weight = pl.col("level").replace_strict(level_weights, default=None, return_dtype=pl.Float64)
    places = (
        cells.filter(pl.col("n_known") < pl.col("n"))
        .select("job", at_low=weight.fill_null(least), at_high=weight.fill_null(most), share=pl.lit(1.0))
        .unique()
    )
    nowhere = places.select("job", at_low=pl.lit(0.0), at_high=pl.lit(0.0), share=pl.lit(0.0)).unique()
    hours = room.join(pl.concat([places, nowhere]), on="job").with_columns(
        kind=pl.lit("hours"),
        tasks_to_ask=pl.col("open_tasks"),
        hours_at_issue=pl.col("rest"),
        more_whole=pl.col("rest") * pl.col("share"),
        more_low=pl.col("rest") * pl.col("at_low"),
        more_high=pl.col("rest") * pl.col("at_high"),
    )
    keys = ("job", "job_family", "kind", "tasks_to_ask", "hours_at_issue")
    wanted = (*keys, "rest", "open_low", "open_high", "more_whole", "more_low", "more_high")
    answers = pl.concat([hours.select(wanted), levels.select(wanted)])
    answered = answers.select(*keys, *_after(sums, level_weights)).with_columns(*bounds_of(level_weights))
    before = 0.0 if width is None else width
    left = (pl.col("bound_high") - pl.col("bound_low")).fill_null(before)
    return answered.group_by(keys).agg(narrowing=before - left.max())


def _after(sums: pl.DataFrame, level_weights: Mapping[str, float]) -> list[pl.Expr]:
    """Give the sums of all jobs once one has answered; hours that were told are no longer to be placed."""
    now = sums.row(0, named=True)
    told, rest = pl.col("kind") == "hours", pl.col("rest")
    after = [
        pl.lit(0).alias("unknown"),
        *((pl.lit(now[name]) + pl.col(f"more_{name}")).alias(name) for name in ("whole", "low", "high")),
    ]
    for i, weight in enumerate(sorted(set(level_weights.values()))):
        for side, takes in (("high", pl.col("open_high") >= weight), ("low", pl.col("open_low") <= weight)):
            for name, less in (("rest", rest), ("part", rest * pl.col(f"open_{side}"))):
                column = f"{side}_{name}_{i}"
                gone = pl.when(told & takes).then(less).otherwise(0.0)
                # What is left of a sum is not less than nothing, whatever floats say.
                after.append((pl.lit(now[column]) - gone).clip(lower_bound=0.0).alias(column))
    return after


def _by_share(room: pl.DataFrame) -> pl.DataFrame:
    """Give each gap's share of all tasks."""
    kinds = {
        "hours": (pl.col("open_tasks"), pl.col("rest")),
        "level": (pl.col("vague_tasks"), pl.col("vague")),
    }
    all_tasks = pl.col("tasks").sum()
    return pl.concat(
        room.select(
            "job",
            "job_family",
            kind=pl.lit(kind),
            tasks_to_ask=tasks,
            hours_at_issue=hours,
            narrowing=tasks / all_tasks,
        ).filter(pl.col("tasks_to_ask") > 0)
        for kind, (tasks, hours) in kinds.items()
    )
