"""Match tasks between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import TaskCounts, known_sum
from tpanalytics.measures._core.groups import BY_FAMILY, check_groups_of_both, groups_of_both
from tpanalytics.measures._core.snapshots import check_one_snapshot
from tpanalytics.measures._core.task_identity import (
    has_no_identity,
    identify_tasks,
    resolve_repeats,
    states_of_rows,
)
from tpanalytics.schema import NOT_ASSESSED, counted_states, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.groups import Groups
    from tpanalytics.measures._core.task_identity import IdentifiedTasks
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["Pair", "jobs_of", "match_tasks", "one_job_per_group", "total_last"]


class Pair(NamedTuple):
    """Matched tasks from two snapshots."""

    #: One row per job, sorted by id: ``job_id``, ``family_before``, ``family_after`` (null if the job is missing) and
    #: ``job_family``, the later of the two families. Moving to another family doesn't count as a change.
    jobs: pl.DataFrame
    #: One row per job and task, with ``job_id, name`` and ``named`` (whether the task has an identity). The other
    #: columns have a ``_before`` and an ``_after`` version, null if the task is missing: ``n`` rows, ``n_known`` with
    #: hours, ``hours`` per week, hours ``at`` the requested level, ``level`` (null if missing or conflicting),
    #: ``conflict`` and ``measured`` (whether the level and all hours are documented). Tasks without an identity share a
    #: single row per job.
    tasks: pl.DataFrame
    #: Counts for each snapshot by job and level, used for the coverage.
    before: TaskCounts
    after: TaskCounts
    #: Sorted levels from both snapshots.
    levels: list[str]
    #: How tasks should be matched, by id or by text, and how they are.
    same_task: SameTask
    matched_by: SameTask
    #: Groups in either snapshot.
    groups: Groups
    #: ``name, task`` for the tasks of each snapshot, with the text of the task.
    texts: tuple[pl.DataFrame, pl.DataFrame]


def match_tasks(
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str] | None = None,
    *,
    by: By = BY_FAMILY,
    same_task: SameTask = "id",
    level: str = "",
) -> Pair:
    """Match tasks between two snapshots by job and identity, storing the hours at `level` in a separate column."""
    check_one_snapshot(before=before, after=after)
    check_groups_of_both(before, after, by)
    counted = counted_states(states, before, after)
    identified, matched_by = identify_tasks(before, after, states=counted, same_task=same_task, by=by)
    sides = [_one_job_per_group(side) for side in identified]
    resolved = [resolve_repeats(side) for side in sides]
    rows = [_one_per_name(*side, level) for side in zip(sides, resolved, strict=True)]
    facts = [name for name in rows[0].columns if name not in ("job_id", "name")]
    tasks = (
        rows[0]
        .rename({name: f"{name}_before" for name in facts})
        .join(
            rows[1].rename({name: f"{name}_after" for name in facts}),
            on=["job_id", "name"],
            how="full",
            coalesce=True,
            nulls_equal=True,
            maintain_order="left_right",
        )
        .with_columns(named=~has_no_identity())
    )
    first, second = (_cells(side, combined, counted) for side, combined in zip(sides, resolved, strict=True))
    levels = level_order(level for side in sides for level in side.rows.get_column("level").unique())
    groups = groups_of_both(first.groups, second.groups)
    texts = (sides[0].keys.select("name", "task"), sides[1].keys.select("name", "task"))
    return Pair(jobs_of(first.jobs, second.jobs), tasks, first, second, levels, same_task, matched_by, groups, texts)


def one_job_per_group(jobs: pl.DataFrame, groups: Groups) -> pl.DataFrame:
    """Return the jobs with a different id in each group, so that jobs in several groups are matched within each."""
    if not groups.columns.overlap:
        return jobs
    return jobs.with_columns(job_id=pl.concat_str("job_id", "group", separator="\0"))


def _one_job_per_group(tasks: IdentifiedTasks) -> IdentifiedTasks:
    return tasks._replace(jobs=one_job_per_group(tasks.jobs, tasks.groups))


def jobs_of(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the jobs and job families from both snapshots, in the `Pair.jobs` format."""
    sides = [
        frame.select("job_id", pl.col("group").alias(f"family_{side}"))
        for frame, side in ((before, "before"), (after, "after"))
    ]
    return (
        sides[0]
        .join(sides[1], on="job_id", how="full", coalesce=True)
        .select("job_id", pl.coalesce("family_after", "family_before").alias("group"), pl.exclude("job_id"))
        .sort("job_id")
    )


def total_last(groups: Groups) -> list[pl.Expr]:
    """Return sort keys that place the groups first and the total last."""
    return [pl.col("scope") == "all", groups.order]


def _one_per_name(tasks: IdentifiedTasks, resolved: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return the `Pair.tasks` columns for a single snapshot."""
    at = pl.when(pl.col("level") == level).then("hours")
    columns = ("key", "job", "n", "n_known", "n_imputed", "hours", "at", "level", "conflict")
    rows = resolved.with_columns(at=at, level=pl.when(pl.col("level") != NOT_ASSESSED).then("level"))
    named, nameless = rows.filter("named").select(columns), rows.filter(~pl.col("named"))
    if nameless.height:
        together = nameless.group_by("key", "job", maintain_order=True).agg(
            pl.col("n", "n_known", "n_imputed").sum(),
            known_sum("hours"),
            known_sum("at"),
            level=pl.lit(None, dtype=pl.String),
            conflict=pl.lit(value=False),
        )
        named = pl.concat([named, together.select(columns)])
    complete = (pl.col("n") == pl.col("n_known")) & (pl.col("n_imputed") == 0)
    return (
        named.join(tasks.jobs.select("job", "job_id"), on="job", how="left", maintain_order="left")
        .join(tasks.keys.select("key", "name"), on="key", how="left", maintain_order="left")
        .sort("key", "job")
        .select(
            *("job_id", "name", "n", "n_known", "hours", "at", "level", "conflict"),
            measured=pl.col("level").is_not_null() & complete,
        )
    )


def _cells(tasks: IdentifiedTasks, resolved: pl.DataFrame, counted: list[str]) -> TaskCounts:
    cells = (
        resolved.group_by("job", "level")
        .agg(pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed"))
        .join(tasks.jobs.select("job", "group"), on="job", how="left")
        .sort("job", "level")
    )
    return TaskCounts(tasks.jobs, cells, states_of_rows(resolved), counted, tasks.groups)
