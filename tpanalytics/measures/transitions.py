"""Which tasks moved: from level to level, and from one validation state to another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, check_hours, known_sum, of_jobs, sum_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import meaning_of_both, said_of_jobs, said_of_pair, said_of_pulls
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.snapshot_pairs import jobs_of, match_tasks
from tpanalytics.measures._core.task_identity import read_named
from tpanalytics.schema import COUNTED_STATES, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.task_identity import SameTask
    from tpanalytics.schema import TaskProfiles

__all__ = ["MOVES", "level_moves", "state_moves"]

#: What can happen to a task's level, in the order of the rows.
MOVES = ("stayed", "relevelled", "newly assessed", "no longer assessed", "added", "removed")


@cached
def level_moves(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Count the tasks, and their hours, that went from each AI impact level to each.

    Tasks that are on both sides make the table of levels; those that are on one side only follow it, so that nothing
    is lost between the snapshots. A missing level is ``not assessed``, never a level; so is one in doubt, where rows
    of one task in one job have levels that contradict each other.

    Parameters
    ----------
    before, after
        The two snapshots. Reads ``job_id, job_family`` of `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) of `tasks`.
    same_task
        By what a task of a job is the same before and after, and what becomes of one that stands more than once in a
        job; as in `compare`.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per pair of levels that any task has, in the order of `MOVES`, then by level before and after, H1 to
        H5, then unknown ones, then ``not assessed``.

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

    Raises
    ------
    SchemaError
        If a column is missing, or `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> moves = level_moves(load_sample("2026-05"), load_sample("2026-11"))
    >>> moves.filter(move="relevelled").select("level_before", "level_after", "tasks").rows()
    [('H2', 'H1', 113), ('H3', 'H2', 106)]
    """
    pair = match_tasks(before, after, states, same_task=same_task)
    levels = level_order([*pair.before.cells.get_column("level"), *pair.after.cells.get_column("level"), None])
    here, there = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null()
    known = {side: pl.col(f"level_{side}").fill_null(NOT_ASSESSED) for side in ("before", "after")}
    rated = {side: known[side] != NOT_ASSESSED for side in known}
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
    # Hours are of tasks that have them on every side, so that before and after tell of the same work.
    complete = {side: (pl.col(f"n_{side}") == pl.col(f"n_known_{side}")).fill_null(value=True) for side in known}
    keys = ["move", "level_before", "level_after"]
    result = (
        pair.tasks.filter("named")
        .with_columns(
            move=move,
            level_before=pl.when(here).then(known["before"]),
            level_after=pl.when(there).then(known["after"]),
            with_hours=complete["before"] & complete["after"],
        )
        .with_columns(pl.when("with_hours").then(f"hours_{side}") for side in known)
        .group_by(keys, maintain_order=True)
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
            pl.col("with_hours").sum().cast(pl.UInt32).alias("tasks_with_hours"),
            *(known_sum(f"hours_{side}") for side in known),
        )
        .with_columns(share=_share_of_level())
        .sort(
            pl.col("move").replace_strict(list(MOVES), list(range(len(MOVES))), return_dtype=pl.Int32),
            *(
                pl.col(f"level_{side}")
                .replace_strict(levels, list(range(len(levels))), return_dtype=pl.Int32)
                .cast(pl.Int32)
                for side in ("before", "after")
            ),
        )
    )
    return attach_metadata(
        result,
        meaning_of_both(
            pair.before,
            pair.after,
            covered="level",
            measure="level_moves",
            value="tasks of a job that went from one AI impact level to another",
            unit="tasks, and hours per week",
            basis="task",
            policy=(
                f"A task is the same before and after if its job and its {'id' if same_task == 'id' else 'text'} are.",
                "A missing level is 'not assessed'; that a level became known is a fact about the data, not the work.",
                "Hours are of tasks with hours on every side they are on; those of the others are not zero.",
            ),
            warnings=(*said_of_pulls(before, after), *said_of_pair(pair)),
        ),
    )


def _share_of_level() -> pl.Expr:
    on_both = ~pl.col("move").is_in(["added", "removed"])
    return pl.when(on_both).then(pl.col("tasks") / pl.col("tasks").filter(on_both).sum().over("level_before"))


@cached
def state_moves(before: TaskProfiles, after: TaskProfiles, *, same_task: SameTask = "id") -> pl.DataFrame:
    """Count the tasks that went from each validation state to each, rejected ones included.

    It tells which tasks that are gone from every other measure were rejected, and which suggestions were validated.
    No hours are added up, for a rejected task never counts.

    Parameters
    ----------
    before, after
        The two snapshots. Reads ``job_id, job_family`` of `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` of `tasks`.
    same_task
        By what a task of a job is the same before and after, as in `compare`. One that stands more than once in a job
        is in the first of its states in the order of the rows.

    Returns
    -------
    pl.DataFrame
        One row per pair of states that any task has, by state before and after: ``validated``, ``suggested``, others
        by name, ``(no state)``, ``rejected``; tasks that were not there before come last.

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
        If a column is missing, or `same_task` is none of its values.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> moves = state_moves(load_sample("2026-05"), load_sample("2026-11"))
    >>> moves.filter(state_before="suggested").select("state_after", "tasks").rows()
    [('validated', 525), ('suggested', 860), ('rejected', 86), (None, 69)]
    """
    (first, was), (second, now) = (_states(profiles, same_task) for profiles in (before, after))
    states = sorted({*first.states.get_column("state"), *second.states.get_column("state")}, key=_rank)
    result = (
        was.join(now, on=["job_id", "name"], how="full", coalesce=True)
        .group_by(state_before="state", state_after="state_right")
        .agg(
            pl.len().cast(pl.UInt32).alias("tasks"),
            pl.col("job_id").n_unique().cast(pl.UInt32).alias("jobs"),
        )
        .with_columns(
            share=pl.when(pl.col("state_before").is_not_null()).then(
                pl.col("tasks") / pl.col("tasks").sum().over("state_before")
            )
        )
        .sort(
            *(
                pl.col(f"state_{side}")
                .replace_strict(states, list(range(len(states))), return_dtype=pl.Int32)
                .cast(pl.Int32)
                for side in ("before", "after")
            ),
            nulls_last=True,
        )
    )
    whole = meaning_of(
        second,
        measure="state_moves",
        value="tasks of a job that went from one validation state to another",
        unit="tasks",
        basis="task",
        policy=(
            f"Before: {first.jobs.height:,} jobs; after: {second.jobs.height:,} jobs.",
            f"A task is the same before and after if its job and its {'id' if same_task == 'id' else 'text'} are.",
            "Tasks without that are left out. Rejected tasks are counted here, and nowhere else.",
        ),
        warnings=(
            *said_of_pulls(before, after),
            *(
                ["No rejected task is in either snapshot; what is gone may have been rejected, and not exported."]
                * ("rejected" not in states and bool(states))
            ),
            *said_of_jobs(jobs_of(first.jobs, second.jobs)),
        ),
    )
    return attach_metadata(result, replace(whole, coverage={}, grade=None))


def _states(profiles: TaskProfiles, same_task: SameTask) -> tuple[TaskCounts, pl.DataFrame]:
    """Give one snapshot's counts, and the state of each job's task that has an identity."""
    jobs, tasks = read_named(profiles, same_task)
    sums = sum_tasks(tasks, "name", "job_id", "state")
    check_hours(tasks, sums)
    by_job = of_jobs(sums, jobs)
    in_states = by_job.group_by("state").agg(pl.col("n").sum()).sort("state")
    ranked = sorted(in_states.get_column("state"), key=_rank)
    places = pl.DataFrame({"place": range(len(ranked)), "state": ranked}, schema=_STATES)
    ones = (
        sums.filter((pl.col("name") != "").fill_null(value=False))
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
