"""Task transitions between AI impact levels or validation states."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import TaskCounts, check_hours, group_jobs, known_sum, of_jobs, sum_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import job_warnings, match_warnings, meaning_of_both, pull_warnings
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.snapshot_pairs import jobs_of, match_tasks
from tpanalytics.measures._core.task_identity import BY_TEXT, has_no_identity, read_identified
from tpanalytics.schema import NO_STATE, NOT_ASSESSED, level_order
from tpanalytics.typing import SameTask, TransitionOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["MOVES", "transitions"]

#: Values of the ``move`` column, in sort order.
MOVES = ("stayed", "relevelled", "newly assessed", "no longer assessed", "added", "removed")
_SIDES = ("before", "after")


@cached
def transitions(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    of: TransitionOf = "level",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Count tasks by their AI impact level or validation state in two snapshots.

    Tasks count as ``not assessed`` if they have no level, or if their levels within a job conflict. Missing hours are
    excluded, not counted as zero. Transitions between states include rejected tasks, so no hours are reported for them.

    Parameters
    ----------
    before, after
        The two snapshots to compare. Uses ``job_id`` from `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) from `tasks`.
    of
        Use ``"level"`` for AI impact levels, or ``"state"`` for validation states.
    same_task
        Match the tasks of a job by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are
        compared. Matching rows of the same job are merged, using the state that comes first in the order described
        below.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
        Cannot be combined with ``of="state"``, which always includes all states.

    Returns
    -------
    pl.DataFrame
        ``of="level"`` returns one row per pair of levels. Rows are sorted by ``move``, in the order shown below, and
        then by the levels before and after. Levels are sorted from H1 to H5, followed by unknown levels and ``not
        assessed``.

        =====================  =======  ============================================================
        ``move``               String   ``stayed``, ``relevelled``, ``newly assessed``, ``no longer assessed``,
                                        ``added`` or ``removed``
        ``level_before``       String   AI impact level before; null if the task was added
        ``level_after``        String   AI impact level after; null if the task was removed
        ``tasks``              UInt32   distinct tasks of each job
        ``jobs``               UInt32   jobs with such a task
        ``tasks_with_hours``   UInt32   tasks with hours in each snapshot that contains them
        ``hours_before``       Float64  hours per week of ``tasks_with_hours`` before; null if there are none
        ``hours_after``        Float64  hours per week of ``tasks_with_hours`` after
        ``share``              Float64  share of the tasks in both snapshots with this ``level_before``, 0 to 1; null
                                        for ``added`` and ``removed``
        =====================  =======  ============================================================

        ``of="state"`` returns one row per pair of states. Rows are sorted by the states before and after: ``validated``
        and ``suggested`` come first, followed by any other states by name, ``(no state)``, ``rejected`` and null.

        ================  =======  ============================================================
        ``state_before``  String   validation state before; null if the task was added
        ``state_after``   String   validation state after; null if the task was removed
        ``tasks``         UInt32   distinct tasks of each job
        ``jobs``          UInt32   jobs with such a task
        ``share``         Float64  share of the tasks with this ``state_before``, 0 to 1; null for added tasks
        ================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored (only with ``of="level"``).

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> may, november = load_sample("2026-05"), load_sample("2026-11")
    >>> by_level = transitions(may, november)
    >>> by_level.filter(move="relevelled").select("level_before", "level_after", "tasks").rows()
    [('H2', 'H1', 113), ('H3', 'H2', 106)]
    >>> by_state = transitions(may, november, of="state")
    >>> by_state.filter(state_before="suggested").select("state_after", "tasks").rows()
    [('validated', 525), ('suggested', 860), ('rejected', 86), (None, 69)]
    """
    check_choice("of", of, TransitionOf)
    if of == "level":
        return _of_levels(before, after, same_task, states)
    if states is not None:
        raise ArgumentError("`states` must be omitted with of='state', which includes all states.")
    return _of_states(before, after, same_task)


def _of_levels(
    before: TaskProfiles, after: TaskProfiles, same_task: SameTask, states: Sequence[str] | None
) -> pl.DataFrame:
    pair = match_tasks(before, after, states, by=None, same_task=same_task)
    order = level_order([*pair.levels, None])
    result = (
        _with_moves(pair.tasks)
        .group_by("move", "level_before", "level_after", maintain_order=True)
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
            pl.col("with_hours").sum().cast(pl.UInt32).alias("tasks_with_hours"),
            *(known_sum(f"hours_{side}") for side in _SIDES),
        )
        .with_columns(share=_share_of_level())
        .sort(_position("move", MOVES), *(_position(f"level_{side}", order) for side in _SIDES))
    )
    return attach_metadata(
        result,
        meaning_of_both(
            pair.before,
            pair.after,
            columns=pair.groups.columns,
            covered="level",
            measure="transitions",
            value="tasks of a job by AI impact level before and after",
            unit="tasks, and hours per week",
            basis="task",
            policy=(
                f"Tasks are matched by job and task {pair.matched_by}.",
                "Tasks without a level are 'not assessed'. Newly assessed tasks change the data, not the work.",
                "Hours include only tasks with hours in each snapshot that contains them; missing hours are not zero.",
            ),
            warnings=(*pull_warnings(before, after), *match_warnings(pair)),
        ),
    )


def _with_moves(tasks: pl.DataFrame) -> pl.DataFrame:
    """Add ``move`` and ``with_hours`` to all tasks with an id or text, and fill in the levels before and after."""
    in_before, in_after = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null()
    level = {side: pl.col(f"level_{side}").fill_null(NOT_ASSESSED) for side in _SIDES}
    rated = {side: level[side] != NOT_ASSESSED for side in _SIDES}
    move = (
        pl.when(~in_before)
        .then(pl.lit("added"))
        .when(~in_after)
        .then(pl.lit("removed"))
        .when(level["before"] == level["after"])
        .then(pl.lit("stayed"))
        .when(rated["before"] & rated["after"])
        .then(pl.lit("relevelled"))
        .when(rated["after"])
        .then(pl.lit("newly assessed"))
        .otherwise(pl.lit("no longer assessed"))
    )
    # Require hours in each snapshot, so the hours before and after are for the same tasks.
    complete = {side: (pl.col(f"n_{side}") == pl.col(f"n_known_{side}")).fill_null(value=True) for side in _SIDES}
    return (
        tasks.filter("named")
        .with_columns(
            move=move,
            level_before=pl.when(in_before).then(level["before"]),
            level_after=pl.when(in_after).then(level["after"]),
            with_hours=complete["before"] & complete["after"],
        )
        .with_columns(pl.when("with_hours").then(f"hours_{side}") for side in _SIDES)
    )


def _share_of_level() -> pl.Expr:
    in_both = ~pl.col("move").is_in(["added", "removed"])
    return pl.when(in_both).then(pl.col("tasks") / pl.col("tasks").filter(in_both).sum().over("level_before"))


def _position(column: str, order: Sequence[str]) -> pl.Expr:
    positions = pl.col(column).replace_strict(list(order), list(range(len(order))), return_dtype=pl.Int32)
    return positions.cast(pl.Int32)


def _of_states(before: TaskProfiles, after: TaskProfiles, same_task: SameTask) -> pl.DataFrame:
    sides, matched_by = _states_of_both(before, after, same_task)
    (counts_before, states_before), (counts_after, states_after) = sides
    states = sorted({*counts_before.states.get_column("state"), *counts_after.states.get_column("state")}, key=_rank)
    share = pl.col("tasks") / pl.col("tasks").sum().over("state_before")
    result = (
        states_before.join(states_after, on=["job_id", "name"], how="full", coalesce=True)
        .group_by(state_before="state", state_after="state_right")
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
        )
        .with_columns(share=pl.when(pl.col("state_before").is_not_null()).then(share))
        .sort(*(_position(f"state_{side}", states) for side in _SIDES), nulls_last=True)
    )
    meaning = meaning_of(
        counts_after,
        measure="transitions",
        value="tasks of a job by validation state before and after",
        unit="tasks",
        basis="task",
        policy=(
            f"Before: {counts_before.jobs.height:,} jobs; after: {counts_after.jobs.height:,} jobs.",
            f"Tasks are matched by job and task {matched_by}; tasks without {matched_by} are excluded.",
            "Rejected tasks are included, unlike in other measures.",
        ),
        warnings=(
            *([BY_TEXT] * (matched_by != same_task)),
            *pull_warnings(before, after),
            *(
                ["Neither snapshot contains rejected tasks. Removed tasks may have been rejected and not exported."]
                * ("rejected" not in states and bool(states))
            ),
            *job_warnings(jobs_of(counts_before.jobs, counts_after.jobs)),
        ),
    )
    return attach_metadata(result, replace(meaning, coverage={}, grade=None))


def _states_of_both(
    before: TaskProfiles, after: TaskProfiles, same_task: SameTask
) -> tuple[list[tuple[TaskCounts, pl.DataFrame]], SameTask]:
    """Return the `_states` of both snapshots, by text if one has no ids. Also returns how the tasks are matched."""
    found = [_states(each, same_task) for each in (before, after)]
    if same_task == "id" and any(map(_has_no_identities, found)):
        by_text = [_states(each, "text") for each in (before, after)]
        if not any(map(_has_no_identities, by_text)):
            return by_text, "text"
    return found, same_task


def _has_no_identities(side: tuple[TaskCounts, pl.DataFrame]) -> bool:
    counts, states = side
    return states.is_empty() and not counts.states.is_empty()


def _states(profiles: TaskProfiles, same_task: SameTask) -> tuple[TaskCounts, pl.DataFrame]:
    """Return a snapshot's task counts, and the state of each task with an id or text."""
    inputs = read_identified(profiles, same_task, by=None)
    tasks, columns = inputs.tasks, inputs.columns
    jobs, groups = group_jobs(inputs.jobs, columns)
    sums = sum_tasks(tasks, "name", "job_id", "state")
    check_hours(tasks, sums)
    by_job = of_jobs(sums, jobs)
    in_states = by_job.group_by("state").agg(pl.col("n").sum()).sort("state")
    ranked = sorted(in_states.get_column("state"), key=_rank)
    positions = pl.DataFrame({"position": range(len(ranked)), "state": ranked}, schema=_STATES)
    tasks_with_state = (
        sums.filter(~has_no_identity())
        .join(positions, on="state")
        .group_by("job_id", "name")
        .agg(pl.col("position").min())
        .join(positions, on="position")
        .drop("position")
    )
    cells = by_job.group_by("job", "group").agg(
        pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed")
    )
    return TaskCounts(
        jobs.drop("n_tasks", strict=False), cells.sort("job"), in_states, ranked, groups
    ), tasks_with_state


_STATES = {"position": pl.Int32, "state": pl.String}


def _rank(state: str) -> tuple[int, str]:
    order = {"validated": 0, "suggested": 1, NO_STATE: 3, "rejected": 4}
    return order.get(state, 2), state
