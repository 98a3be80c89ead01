"""Stage one for two snapshots: one row per job and task, with what is known of it before and after.

A task that stands more than once in a job is one task there (rule R5): its hours are added up, and its level is the one
on which its rows agree, or on which the validated ones among them agree; it has none where they do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, checked_states, known_sum
from tpanalytics.measures._core.task_identity import reduce_keys
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.task_identity import SameTask, Shared
    from tpanalytics.schema import TaskProfiles

__all__ = ["Pair", "families_last", "jobs_of", "match_tasks"]


class Pair(NamedTuple):
    """Two snapshots, task by task.

    Attributes
    ----------
    jobs
        ``job_id``, ``job_family`` (of the later snapshot where the job is in it, so that a move between families is no
        change in work), ``family_before`` and ``family_after`` (null where the job is not there); by id.
    tasks
        One row per job and task in a fixed order: ``job_id, name``, ``named`` (it has an identity), and for both
        snapshots with the ending ``_before`` or ``_after``: ``n`` rows, ``n_known`` of them with hours, their
        ``hours`` (hours per week) and those ``at`` the level asked for by its rows, ``level`` (null where missing or
        in conflict), ``conflict`` and ``measured`` (one level, and hours that are all known and stated). All of them
        are null where the task is not there.
    before, after
        Each snapshot by job and level, for coverage.
    same_task
        By what tasks were matched.
    """

    jobs: pl.DataFrame
    tasks: pl.DataFrame
    before: TaskCounts
    after: TaskCounts
    same_task: SameTask


def match_tasks(
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str] = COUNTED_STATES,
    *,
    same_task: SameTask = "id",
    level: str = "",
) -> Pair:
    """Match the tasks of two snapshots by job and identity; one pass over each.

    Parameters
    ----------
    before, after
        As `task_identity.reduce_keys` reads them.
    states
        Validation states that count.
    same_task
        By what two tasks are the same.
    level
        The level whose hours are kept apart.

    Raises
    ------
    SchemaError
        As `reduce_keys`.

    Warns
    -----
    TpAnalyticsWarning
        As `reduce_keys`.
    """
    counted = checked_states(states)
    shared = [reduce_keys(profiles, counted, same_task=same_task) for profiles in (before, after)]
    ones = [_one_per_task(side, level) for side in shared]
    facts = [name for name in ones[0].columns if name not in ("job_id", "name")]
    tasks = (
        ones[0]
        .rename({name: f"{name}_before" for name in facts})
        .join(
            ones[1].rename({name: f"{name}_after" for name in facts}),
            on=["job_id", "name"],
            how="full",
            coalesce=True,
            nulls_equal=True,
            maintain_order="left_right",
        )
        .with_columns(named=(pl.col("name") != "").fill_null(value=False))
    )
    first, second = (_cells(side, counted) for side in shared)
    return Pair(jobs_of(first.jobs, second.jobs), tasks, first, second, same_task)


def jobs_of(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """List the jobs of both snapshots with their families, as `Pair.jobs`."""
    sides = [
        frame.select("job_id", pl.col("job_family").alias(f"family_{side}"))
        for frame, side in ((before, "before"), (after, "after"))
    ]
    return (
        sides[0]
        .join(sides[1], on="job_id", how="full", coalesce=True)
        .select("job_id", pl.coalesce("family_after", "family_before").alias("job_family"), pl.exclude("job_id"))
        .sort("job_id")
    )


def families_last(*more: str) -> list[pl.Expr | str]:
    """Give what puts families in order by name, ``(no family)`` after them, and the row of all last."""
    return [pl.col("scope") == "all", pl.col("job_family") == NO_FAMILY, "job_family", *more]


def _one_per_task(shared: Shared, level: str) -> pl.DataFrame:
    levels = level_order(shared.rows.get_column("level").unique().to_list())
    # Levels as numbers: least and most of them tell whether rows agree, without a list per task.
    places = pl.DataFrame({"place": range(len(levels)), "level": levels}, schema=_LEVELS)
    rated = pl.when(pl.col("level") != NOT_ASSESSED).then(pl.col("place"))
    settled = pl.when(pl.col("n_validated") > 0).then(rated)
    ones = (
        shared.rows.join(places, on="level", how="left", maintain_order="left")
        .with_columns(rated=rated, settled=settled, at=pl.when(pl.col("level") == level).then(pl.col("hours")))
        .group_by("key", "job", maintain_order=True)
        .agg(
            pl.col("n").sum(),
            pl.col("n_known").sum(),
            known_sum("hours"),
            known_sum("at"),
            pl.col("n_imputed").sum(),
            rated_least=pl.col("rated").min(),
            rated_most=pl.col("rated").max(),
            settled_least=pl.col("settled").min(),
            settled_most=pl.col("settled").max(),
        )
    )
    least, most = pl.coalesce("settled_least", "rated_least"), pl.coalesce("settled_most", "rated_most")
    return (
        ones.with_columns(place=pl.when(least == most).then(least), conflict=(least != most).fill_null(value=False))
        .join(places, on="place", how="left", maintain_order="left")
        .join(shared.jobs.select("job", "job_id"), on="job", how="left", maintain_order="left")
        .join(shared.keys.select("key", "name"), on="key", how="left", maintain_order="left")
        .select(
            *("job_id", "name", "n", "n_known", "hours", "at", "level", "conflict"),
            measured=pl.col("level").is_not_null() & (pl.col("n") == pl.col("n_known")) & (pl.col("n_imputed") == 0),
        )
    )


_LEVELS = {"place": pl.Int32, "level": pl.String}


def _cells(shared: Shared, counted: list[str]) -> TaskCounts:
    """Give a snapshot as `aggregate.aggregate_tasks` would, without another pass over its tasks."""
    cells = (
        shared.rows.group_by("job", "level")
        .agg(pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed"))
        .join(shared.jobs.select("job", "job_family"), on="job", how="left")
        .sort("job", "level")
    )
    validated, n = (int(shared.rows.get_column(name).sum()) for name in ("n_validated", "n"))
    states = pl.DataFrame({"state": ["suggested", "validated"], "n": [n - validated, validated]})
    return TaskCounts(shared.jobs, cells, states, counted)
