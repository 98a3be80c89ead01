"""Stage one for what jobs share: one small row per task identity and job, for measures across jobs.

The identity of a task is its id, or, where every job has ids of its own, its text without case and spacing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.measures._core.aggregate import (
    check_hours,
    check_states,
    checked_states,
    known_sum,
    of_jobs,
    read_inputs,
    sum_tasks,
)
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.schema import COUNTED_STATES, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["SameTask", "Shared", "read_named", "reduce_keys"]

#: By what two tasks are the same: their id, or their text without case and spacing.
SameTask = Literal["id", "text"]


class Shared(NamedTuple):
    """Which job has which task.

    Attributes
    ----------
    jobs
        As in `aggregate.TaskCounts`.
    keys
        ``key`` (a number, in the order of ``name``), ``name`` (the identity) and ``task`` (its text; the first in
        order where there are several).
    rows
        ``key, job, level`` (never null), ``n`` tasks, ``n_known`` of them with hours, their ``hours`` (hours per week,
        null where none is known), the ``longest`` of them, ``imputed`` those of them that `impute_hours` put in
        and ``n_imputed`` the tasks that have them, ``n_validated``; sorted by key, job and level.
    """

    jobs: pl.DataFrame
    keys: pl.DataFrame
    rows: pl.DataFrame


def reduce_keys(
    profiles: TaskProfiles, states: Sequence[str] = COUNTED_STATES, *, same_task: SameTask = "id"
) -> Shared:
    """Count tasks and add up hours by task identity, job and level; one pass over the tasks.

    The table has at most as many rows as there are tasks, whatever the engine, and is held by Polars.

    Parameters
    ----------
    profiles
        Reads what `aggregate.aggregate_tasks` reads, and ``task_id, task`` of `tasks`.
    states
        Validation states that count.
    same_task
        By what two tasks are the same.

    Raises
    ------
    SchemaError
        As `aggregate_tasks`, or if `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        As `aggregate_tasks`.
    """
    states = checked_states(states)
    jobs, tasks = read_named(profiles, same_task)
    sums = sum_tasks(tasks, "name", "job_id", "level", "state", task="task")
    check_hours(tasks, sums)
    check_states(sums, states)
    counted = of_jobs(sums.filter(pl.col("state").is_in(states)), jobs)
    keys = counted.group_by("name").agg(pl.col("task").min()).sort("name").with_row_index("key")
    rows = (
        counted.join(keys.select("name", "key"), on="name", nulls_equal=True)
        .sort("key", "job", "level", "state")
        .group_by("key", "job", "level", maintain_order=True)
        .agg(
            pl.col("n").sum(),
            pl.col("n_known").sum(),
            hours=known_sum("hours"),
            longest=pl.col("most").max(),
            imputed=known_sum("imputed"),
            n_imputed=pl.col("n_imputed").sum(),
            n_validated=pl.col("n").filter(pl.col("state") == "validated").sum(),
        )
    )
    return Shared(jobs.drop("n_tasks", strict=False), keys, rows)


def read_named(profiles: TaskProfiles, same_task: SameTask) -> tuple[pl.DataFrame, Any]:
    """Do what `aggregate.read_inputs` does, and give the tasks their identity as ``name``."""
    check_choice("same_task", same_task, SameTask)
    jobs, tasks = read_inputs(profiles)
    require(profiles.tasks, "task_id", "task", name="tasks")
    text = nw.col("task").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return jobs, tasks.with_columns(name=nw.col("task_id") if same_task == "id" else text)
