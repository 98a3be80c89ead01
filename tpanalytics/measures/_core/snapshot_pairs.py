"""Two snapshots matched task by task, after the rule of `task_identity`, with what is known before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import Cells, checked_states, known_sum
from tpanalytics.measures._core.cache import recall
from tpanalytics.measures._core.metadata import about, explained
from tpanalytics.measures._core.task_identity import (
    aggregate_by_identity,
    has_no_identity,
    resolve_repeats,
    states_of_rows,
)
from tpanalytics.measures.privacy.group_counts import both_behind
from tpanalytics.measures.privacy.policy import SUPPRESSED, Privacy
from tpanalytics.measures.privacy.suppress import guarded, suppress
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, level_order, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.task_identity import IdentifiedTasks, SameTask
    from tpanalytics.schema import TaskProfiles

__all__ = ["Pair", "families_last", "jobs_of", "match_tasks", "suppress_change"]


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
        ``hours`` (hours per week) and those ``at`` the level asked for, ``level`` (null where missing or in conflict),
        ``conflict`` and ``measured`` (one level, and hours that are all known and stated). All of them are null where
        the task is not there. The tasks of a job that have no identity share a row.
    before, after
        Each snapshot by job and level, for coverage.
    levels
        The levels of the rows of either snapshot, in order.
    same_task
        By what tasks were matched.
    """

    jobs: pl.DataFrame
    tasks: pl.DataFrame
    before: Cells
    after: Cells
    levels: list[str]
    same_task: SameTask


def match_tasks(
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str] = COUNTED_STATES,
    *,
    same_task: SameTask = "id",
    level: str = "",
) -> Pair:
    """Match the tasks of two snapshots by job and identity, keeping the hours at one level apart."""
    counted = checked_states(states)
    sides = [aggregate_by_identity(profiles, counted, same_task=same_task) for profiles in (before, after)]
    resolved = [resolve_repeats(side) for side in sides]
    ones = [_one_per_name(*side, level) for side in zip(sides, resolved, strict=True)]
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
        .with_columns(named=~has_no_identity())
    )
    first, second = (_cells(side, rows, counted) for side, rows in zip(sides, resolved, strict=True))
    levels = level_order(level for side in sides for level in side.rows.get_column("level").unique())
    return Pair(jobs_of(first.jobs, second.jobs), tasks, first, second, levels, same_task)


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
    """Return what puts families in order by name, ``(no family)`` after them, and the row of all last."""
    return [pl.col("scope") == "all", pl.col("job_family") == NO_FAMILY, "job_family", *more]


def _one_per_name(tasks: IdentifiedTasks, resolved: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return the facts of `Pair.tasks` about one snapshot."""
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


def _cells(tasks: IdentifiedTasks, resolved: pl.DataFrame, counted: list[str]) -> Cells:
    """Return a snapshot as `aggregate.reduce_tasks` would, by the levels of its tasks."""
    cells = (
        resolved.group_by("job", "level")
        .agg(pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed"))
        .join(tasks.jobs.select("job", "job_family"), on="job", how="left")
        .sort("job", "level")
    )
    return Cells(tasks.jobs, cells, states_of_rows(resolved), counted)


def suppress_change(
    result: pl.DataFrame,
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    min_jobs: int = 3,
    min_headcount: float = 5,
) -> pl.DataFrame:
    """Hide the figures of job families behind which too few jobs or people stand in either of two snapshots.

    A hidden row keeps its family; its figures become null, and ``reason`` says ``SUPPRESSED``. Rows of the whole are
    kept, unless every family is hidden: then they would tell what is. Moves between levels are hidden where too few
    jobs have such a task, and with them as many others as keep a total from telling; all where every family is hidden.

    Parameters
    ----------
    result
        What `compare` or `compare_exposure` gave: reads ``scope, job_family``; or `transitions` of levels, all its
        columns.
    before, after
        The snapshots it was made of.
    min_jobs
        Fewest jobs; 0 asks for none.
    min_headcount
        Fewest people (full-time equivalents); 0 asks for none.

    Returns
    -------
    pl.DataFrame
        Rows and columns of `result`, families first, and ``reason`` (String) if it had none. No row where nothing may
        be told.

    Raises
    ------
    SchemaError
        As `suppress`.

    Examples
    --------
    >>> import tpanalytics as tpa
    >>> before, after = tpa.load_sample("2026-05"), tpa.load_sample("2026-11")
    >>> hidden = suppress_change(tpa.compare(before, after), before, after, min_jobs=9)
    >>> hidden.filter(reason="SUPPRESSED").select("job_family", "after").rows()
    [('Field Service and Installation', None), ('(no family)', None)]
    """
    privacy = Privacy(min_jobs=min_jobs, min_headcount=min_headcount)
    meaning = about(result)
    behind = recall(both_behind, before, after, states=meaning.states or COUNTED_STATES)
    if meaning.measure == "transitions" and "level_before" in result.columns:
        return explained(_moves_hidden(result, behind, privacy), meaning)
    require(result, "scope", "job_family", name="result")
    of_families = pl.col("scope") == "family"
    families = guarded(result.filter(of_families).drop("scope"), behind, privacy)
    families, whole = families.with_columns(scope=pl.lit("family")), result.filter(~of_families)
    if families.height and families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all():
        whole = whole.clear()
    columns = [*result.columns, *(["reason"] if "reason" not in result.columns else [])]
    return explained(pl.concat([families, whole], how="diagonal").select(columns), meaning)


def _moves_hidden(moves: pl.DataFrame, behind: pl.DataFrame, privacy: Privacy) -> pl.DataFrame:
    """Hide moves that tell of too few jobs; shares of a level of which a move is hidden go with it."""
    require(moves, *_MOVED, "level_before", "level_after", "share", name="result")
    moves = moves.with_columns(reason=pl.lit(None, dtype=pl.String))
    families = guarded(behind.select("job_family"), behind, privacy)
    if families.height and families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all():
        return moves.clear()
    # A level before stands for a family: what is hidden must not be had back from a row's or a column's total.
    sides = [pl.col("level_before").fill_null("\0").alias("job_family"), pl.col("level_after").fill_null("\0")]
    cells = suppress(moves.select(*sides, *_MOVED), min_jobs=privacy.min_jobs, min_headcount=0, keys=["level_after"])
    hidden = cells.filter(reason=SUPPRESSED).select("job_family", "level_after", hidden=pl.lit(value=True))
    if hidden.height == cells.height:
        return moves.clear()
    flag = moves.select(sides).join(hidden, on=["job_family", "level_after"], how="left", maintain_order="left")
    marked = moves.with_columns(hidden=flag.get_column("hidden").fill_null(value=False))
    row = pl.col("hidden").any().over("level_before")
    return marked.with_columns(
        *(pl.when(~pl.col("hidden")).then(pl.col(name)).alias(name) for name in _MOVED),
        share=pl.when(~row).then("share"),
        reason=pl.when("hidden").then(pl.lit(SUPPRESSED)),
    ).drop("hidden")


_MOVED = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after")
