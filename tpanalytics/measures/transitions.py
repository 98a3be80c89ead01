"""Which tasks moved: from level to level, and from one validation state to another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import TaskCounts, check_hours, known_sum, of_jobs, sum_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import job_warnings, match_warnings, meaning_of_both, pull_warnings
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.snapshot_pairs import jobs_of, match_tasks
from tpanalytics.measures._core.task_identity import has_no_identity, read_identified
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED, level_order
from tpanalytics.typing import SameTask, TransitionOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["MOVES", "transitions"]

#: What can happen to a task's level, in the order of the rows.
MOVES = ("stayed", "relevelled", "newly assessed", "no longer assessed", "added", "removed")
_SIDES = ("before", "after")


@cached
def transitions(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    of: TransitionOf = "level",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Count the tasks that went from each AI impact level to each, or from each validation state to each.

    Tasks that are on both sides make the table; those that are on one side only follow it, so that nothing is lost
    between the snapshots. A missing level is ``not assessed``, never a level; so is one in doubt, where rows of one
    task in one job have levels that contradict each other. States include ``rejected``, which every other measure
    leaves out: they show which tasks were rejected in between, and which suggestions were validated. No hours are added
    up by state, for a rejected task never counts.

    Parameters
    ----------
    before, after
        The two snapshots. Reads ``job_id, job_family`` of `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) of `tasks`.
    of
        What moves: the AI impact ``"level"`` of a task, with its hours, or its validation ``"state"``.
    same_task
        By what a task of a job is the same before and after, as in `compare`. Rows of one job that are the same task
        are one task, by the rule of `_core.task_identity`; by state it is in the first of its states in the order of
        the rows of the result.
    states
        Validation states that count by level. By state every task counts, and other `states` are refused.

    Returns
    -------
    pl.DataFrame
        By level, one row per pair of levels that any task has, in the order of `MOVES`, then by level before and
        after, H1 to H5, then unknown ones, then ``not assessed``.

        =====================  =======  ============================================================
        ``move``               String   ``stayed``, ``relevelled``, ``newly assessed``, ``no longer assessed``; or
                                        ``added`` or ``removed`` for tasks on one side only
        ``level_before``       String   the level before; null where the task was not there
        ``level_after``        String   the level after; null where the task is not there
        ``tasks``              UInt32   tasks of a job, each counted once
        ``jobs``               UInt32   jobs that have such a task
        ``tasks_with_hours``   UInt32   those of them with hours on every side they are on
        ``hours_before``       Float64  hours per week of ``tasks_with_hours`` before; null where there is none
        ``hours_after``        Float64  the same after
        ``share``              Float64  share of the tasks of ``level_before`` on both sides that went to
                                        ``level_after``, 0 to 1; null for ``added`` and ``removed``
        =====================  =======  ============================================================

        By state, one row per pair of states that any task has, by state before and after: ``validated``,
        ``suggested``, others by name, ``(no state)``, ``rejected``; tasks that were not there before come last.

        ================  =======  ============================================================
        ``state_before``  String   the state before; null where the task was not there
        ``state_after``   String   the state after; null where the task is not there
        ``tasks``         UInt32   tasks of a job, each counted once
        ``jobs``          UInt32   jobs that have such a task
        ``share``         Float64  share of the tasks of ``state_before`` that went to ``state_after``, 0 to 1; null
                                   where the task was not there
        ================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a column is missing, `of` or `same_task` is not one of its values, or other `states` are asked for
        with ``of="state"``.

    Warns
    -----
    TpAnalyticsWarning
        By level, if tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> may, november = load_sample("2026-05"), load_sample("2026-11")
    >>> moves = transitions(may, november)
    >>> moves.filter(move="relevelled").select("level_before", "level_after", "tasks").rows()
    [('H2', 'H1', 113), ('H3', 'H2', 106)]
    >>> moves = transitions(may, november, of="state")
    >>> moves.filter(state_before="suggested").select("state_after", "tasks").rows()
    [('validated', 525), ('suggested', 860), ('rejected', 86), (None, 69)]
    """
    check_choice("of", of, TransitionOf)
    if of == "level":
        return _of_levels(before, after, same_task, states)
    if list(states) != list(COUNTED_STATES):
        raise SchemaError(
            f"states={states!r}: with of='state' every state counts. Leave states out, or use of='level'."
        )
    return _of_states(before, after, same_task)


def _of_levels(before: TaskProfiles, after: TaskProfiles, same_task: SameTask, states: Sequence[str]) -> pl.DataFrame:
    pair = match_tasks(before, after, states, same_task=same_task)
    order = level_order([*pair.levels, None])
    result = (
        _moved(pair.tasks)
        .group_by("move", "level_before", "level_after", maintain_order=True)
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
            pl.col("with_hours").sum().cast(pl.UInt32).alias("tasks_with_hours"),
            *(known_sum(f"hours_{side}") for side in _SIDES),
        )
        .with_columns(share=_share_of_level())
        .sort(_place("move", MOVES), *(_place(f"level_{side}", order) for side in _SIDES))
    )
    return attach_metadata(
        result,
        meaning_of_both(
            pair.before,
            pair.after,
            covered="level",
            measure="transitions",
            value="tasks of a job that went from one AI impact level to another",
            unit="tasks, and hours per week",
            basis="task",
            policy=(
                f"A task is the same before and after if its job and its {'id' if same_task == 'id' else 'text'} are.",
                "A missing level is 'not assessed'; that a level became known is a fact about the data, not the work.",
                "Hours are of tasks with hours on every side they are on; those of the others are not zero.",
            ),
            warnings=(*pull_warnings(before, after), *match_warnings(pair)),
        ),
    )


def _moved(tasks: pl.DataFrame) -> pl.DataFrame:
    """Name what happened to each task that has an identity: ``move``, ``with_hours`` and its levels."""
    here, there = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null()
    known = {side: pl.col(f"level_{side}").fill_null(NOT_ASSESSED) for side in _SIDES}
    rated = {side: known[side] != NOT_ASSESSED for side in _SIDES}
    move = (
        pl.when(~here)
        .then(pl.lit("added"))
        .when(~there)
        .then(pl.lit("removed"))
        .when(known["before"] == known["after"])
        .then(pl.lit("stayed"))
        .when(rated["before"] & rated["after"])
        .then(pl.lit("relevelled"))
        .when(rated["after"])
        .then(pl.lit("newly assessed"))
        .otherwise(pl.lit("no longer assessed"))
    )
    # Hours are of tasks that have them on every side, so that before and after describe the same work.
    complete = {side: (pl.col(f"n_{side}") == pl.col(f"n_known_{side}")).fill_null(value=True) for side in _SIDES}
    return (
        tasks.filter("named")
        .with_columns(
            move=move,
            level_before=pl.when(here).then(known["before"]),
            level_after=pl.when(there).then(known["after"]),
            with_hours=complete["before"] & complete["after"],
        )
        .with_columns(pl.when("with_hours").then(f"hours_{side}") for side in _SIDES)
    )


def _share_of_level() -> pl.Expr:
    on_both = ~pl.col("move").is_in(["added", "removed"])
    return pl.when(on_both).then(pl.col("tasks") / pl.col("tasks").filter(on_both).sum().over("level_before"))


def _place(column: str, order: Sequence[str]) -> pl.Expr:
    places = pl.col(column).replace_strict(list(order), list(range(len(order))), return_dtype=pl.Int32)
    return places.cast(pl.Int32)


def _of_states(before: TaskProfiles, after: TaskProfiles, same_task: SameTask) -> pl.DataFrame:
    (first, was), (second, now) = (_states(profiles, same_task) for profiles in (before, after))
    states = sorted({*first.states.get_column("state"), *second.states.get_column("state")}, key=_rank)
    share = pl.col("tasks") / pl.col("tasks").sum().over("state_before")
    result = (
        was.join(now, on=["job_id", "name"], how="full", coalesce=True)
        .group_by(state_before="state", state_after="state_right")
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
        )
        .with_columns(share=pl.when(pl.col("state_before").is_not_null()).then(share))
        .sort(*(_place(f"state_{side}", states) for side in _SIDES), nulls_last=True)
    )
    meaning = meaning_of(
        second,
        measure="transitions",
        value="tasks of a job that went from one validation state to another",
        unit="tasks",
        basis="task",
        policy=(
            f"Before: {first.jobs.height:,} jobs; after: {second.jobs.height:,} jobs.",
            f"A task is the same before and after if its job and its {'id' if same_task == 'id' else 'text'} are.",
            "Tasks without that are left out. Rejected tasks are counted here, and nowhere else.",
        ),
        warnings=(
            *pull_warnings(before, after),
            *(
                ["No rejected task is in either snapshot; what is gone may have been rejected, and not exported."]
                * ("rejected" not in states and bool(states))
            ),
            *job_warnings(jobs_of(first.jobs, second.jobs)),
        ),
    )
    return attach_metadata(result, replace(meaning, coverage={}, grade=None))


def _states(profiles: TaskProfiles, same_task: SameTask) -> tuple[TaskCounts, pl.DataFrame]:
    """Count the tasks of one snapshot, and give the state of each job's task that has an identity."""
    jobs, tasks = read_identified(profiles, same_task)
    sums = sum_tasks(tasks, "name", "job_id", "state")
    check_hours(tasks, sums)
    by_job = of_jobs(sums, jobs)
    in_states = by_job.group_by("state").agg(pl.col("n").sum()).sort("state")
    ranked = sorted(in_states.get_column("state"), key=_rank)
    places = pl.DataFrame({"place": range(len(ranked)), "state": ranked}, schema=_STATES)
    ones = (
        sums.filter(~has_no_identity())
        .join(places, on="state")
        .group_by("job_id", "name")
        .agg(pl.col("place").min())
        .join(places, on="place")
        .drop("place")
    )
    cells = by_job.group_by("job", "job_family").agg(
        pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed")
    )
    return TaskCounts(jobs.drop("n_tasks", strict=False), cells.sort("job"), in_states, ranked), ones


_STATES = {"place": pl.Int32, "state": pl.String}


def _rank(state: str) -> tuple[int, str]:
    order = {"validated": 0, "suggested": 1, "(no state)": 3, "rejected": 4}
    return order.get(state, 2), state
