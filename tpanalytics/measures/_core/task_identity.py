"""Identify rows for the same task and merge repeated rows within a job.

Two rows are the same task if they have the same id or, with ``same_task="text"``, the same text, ignoring case and
spacing. If no task has an id, such as in many CSV files, texts are compared instead. Rows without an id or text never
match. Repeated rows within a job are merged into a single task:

- Hours are summed, so totals agree with `hours`. Missing hours are ignored.
- The level comes from the validated rows or, if none of those has a level, from all rows. Rows without a level are
  ignored. If the remaining levels conflict, the task has no level.

The result doesn't depend on row order. `impact`, `exposure` and `coverage` count rows instead of tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.measures._core.aggregate import (
    Inputs,
    People,
    TaskCounts,
    check_hours,
    check_states,
    count_once,
    group_jobs,
    known_sum,
    of_jobs,
    read_inputs,
    sum_tasks,
)
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.schema import LEVELS, NO_STATE, NOT_ASSESSED, counted_states, require
from tpanalytics.typing import SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.groups import Groups
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "BY_TEXT",
    "DIGITS",
    "IdentifiedTasks",
    "RepeatedHours",
    "TaskMatrix",
    "aggregate_by_identity",
    "has_no_identity",
    "identify_tasks",
    "level_agreement",
    "one_row_per_task",
    "per_task",
    "read_identified",
    "resolve_repeats",
    "states_of_rows",
    "task_matrix",
]

#: How to merge the hours of repeated rows.
RepeatedHours = Literal["keep", "max", "sum"]
#: Stated if tasks are matched by text although `same_task` is "id".
BY_TEXT = "Tasks are matched by text, because ids are missing."
#: Number of decimals for comparing hours, since float sums depend on row order.
DIGITS = 9


class IdentifiedTasks(NamedTuple):
    """Tasks grouped by identity, before repeated rows are merged."""

    #: See `aggregate.TaskCounts`.
    jobs: pl.DataFrame
    #: ``key`` (row number when sorted by ``name``), ``name`` (the identity) and ``task`` (the text, or the
    #: alphabetically first of several).
    keys: pl.DataFrame
    #: Sorted, with one row per task, job and level: ``key, job, level`` (never null), ``n`` rows, ``n_known`` with
    #: hours, ``hours`` (total per week, or null if there are none), ``longest`` (hours of the longest row), ``imputed``
    #: hours, ``n_imputed`` rows with imputed hours, ``n_validated`` rows and ``n_stateless`` rows without a state.
    rows: pl.DataFrame
    groups: Groups
    people: People | None = None


class TaskMatrix(NamedTuple):
    """Tasks by job, after merging repeated rows."""

    #: Counts for all tasks, including those without an identity.
    reduced: TaskCounts
    #: ``key, name, task`` as in `IdentifiedTasks`, omitting those without an identity.
    keys: pl.DataFrame
    #: One row per task and job: ``key, job, level, n, n_known, hours, n_validated, n_stateless``.
    rows: pl.DataFrame
    #: Unique ``key, level`` pairs before merging rows.
    levels: pl.DataFrame
    #: Warnings about missing identities, repeated tasks and conflicting levels.
    warnings: tuple[str, ...]
    #: Whether tasks are matched by id or by text.
    same_task: SameTask


def read_identified(profiles: TaskProfiles, same_task: SameTask, by: By = BY_FAMILY) -> Inputs:
    """Return the result of `read_inputs`, with the identity of each task in the ``name`` column."""
    check_choice("same_task", same_task, SameTask)
    inputs = read_inputs(profiles, by)
    require(profiles.tasks, "task_id", "task", name="tasks")
    text = nw.col("task").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return inputs._replace(tasks=inputs.tasks.with_columns(name=nw.col("task_id") if same_task == "id" else text))


def has_no_identity() -> pl.Expr:
    """Match tasks whose ``name`` is null or blank."""
    return pl.col("name").str.strip_chars().fill_null("") == ""


def aggregate_by_identity(
    profiles: TaskProfiles,
    states: Sequence[str] | None = None,
    *,
    same_task: SameTask = "id",
    by: By = BY_FAMILY,
) -> IdentifiedTasks:
    """Count tasks and sum hours by task identity, job and level in a single pass."""
    states = counted_states(states, profiles)
    inputs = read_identified(profiles, same_task, by)
    tasks, columns = inputs.tasks, inputs.columns
    sums = sum_tasks(tasks, "name", "job_id", *columns.tasks, "level", "state", task="task")
    check_hours(tasks, sums)
    check_states(sums, states)
    counted = sums.filter(pl.col("state").is_in(states))
    jobs, groups = group_jobs(inputs.jobs, columns, counted)
    counted = of_jobs(counted, jobs, columns)
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
            n_stateless=pl.col("n").filter(pl.col("state") == NO_STATE).sum(),
        )
    )
    return IdentifiedTasks(jobs.drop("n_tasks", strict=False), keys, rows, groups, inputs.people)


def identify_tasks(
    *profiles: TaskProfiles, states: Sequence[str], same_task: SameTask, by: By
) -> tuple[list[IdentifiedTasks], SameTask]:
    """Aggregate each snapshot, by text if one has no ids. Also returns how the tasks are matched."""

    def sides(how: SameTask) -> list[IdentifiedTasks]:
        return [aggregate_by_identity(each, states, same_task=how, by=by) for each in profiles]

    found = sides(same_task)
    if same_task == "id" and any(map(_has_no_identities, found)):
        by_text = sides("text")
        if not any(map(_has_no_identities, by_text)):
            return by_text, "text"
    return found, same_task


def _has_no_identities(tasks: IdentifiedTasks) -> bool:
    return not tasks.rows.is_empty() and tasks.keys.filter(~has_no_identity()).is_empty()


_COUNTS = ("n", "n_known", "n_imputed", "n_validated", "n_stateless")


def one_row_per_task(rows: pl.DataFrame, *, hours: RepeatedHours = "keep") -> pl.DataFrame:
    """Merge repeated rows into one row per task and job. The level is null if the levels conflict."""
    check_choice("hours", hours, RepeatedHours)
    stated = pl.when(pl.col("level") != NOT_ASSESSED).then(pl.col("level"))
    rows = rows.with_columns(
        *(pl.col(name).cast(pl.UInt32) for name in _COUNTS),
        reason=pl.lit(None, dtype=pl.String),
        stated=stated,
        settled=pl.when(pl.col("n_validated") > 0).then(stated),
    )
    # Most tasks have a single row, so only group the repeated ones. The rows are already sorted.
    repeated = (pl.col("key") == pl.col("key").shift(1)) & (pl.col("job") == pl.col("job").shift(1))
    several = repeated.fill_null(value=False) | repeated.shift(-1).fill_null(value=False)
    complete = pl.col("n_known") == pl.col("n")
    single = rows.filter(~several).with_columns(
        validated=pl.col("settled").is_not_null(),
        hours={"keep": pl.col("hours"), "max": pl.col("longest"), "sum": pl.when(complete).then("hours")}[hours],
    )
    combined = (
        rows.filter(several)
        .group_by("key", "job")
        .agg(
            *(pl.col(name).sum() for name in _COUNTS),
            # There is one row per key, job and level, so this is the number of levels.
            pl.col("stated").min(),
            pl.col("settled").min(),
            n_stated=pl.col("stated").count(),
            n_settled=pl.col("settled").count(),
            imputed=known_sum("imputed"),
            hours=pl.col("longest").max() if hours == "max" else known_sum("hours"),
        )
        .with_columns(
            level=pl.when(pl.col("n_stated") == 0)
            .then(pl.lit(NOT_ASSESSED))
            .when(pl.col("n_stated") == 1)
            .then("stated")
            .when(pl.col("n_settled") == 1)
            .then("settled"),
            validated=pl.col("n_settled") == 1,
            hours=pl.when(complete | (hours != "sum")).then("hours"),
        )
        .with_columns(reason=pl.when(pl.col("level").is_null()).then(pl.lit("CONFLICT")))
    )
    columns = ("key", "job", "level", "reason", *_COUNTS, "hours", "imputed", "validated")
    return pl.concat([single.select(columns), combined.select(columns)]).sort("key", "job")


def resolve_repeats(tasks: IdentifiedTasks) -> pl.DataFrame:
    """Merge repeated rows. Tasks without an identity keep one row per job and level."""
    nameless = tasks.keys.filter(has_no_identity()).get_column("key").implode()
    is_nameless = pl.col("key").is_in(nameless)
    identified = one_row_per_task(tasks.rows.filter(~is_nameless))
    columns = ("key", "job", "level", *_COUNTS, "hours", "imputed")
    others = tasks.rows.filter(is_nameless).with_columns(pl.col(name).cast(pl.UInt32) for name in _COUNTS)
    conflict = pl.col("level").is_null()
    return pl.concat(
        [
            identified.select(*columns, named=pl.lit(value=True), conflict=conflict),
            others.select(*columns, named=pl.lit(value=False), conflict=conflict),
        ]
    ).with_columns(pl.col("level").fill_null(NOT_ASSESSED))


def states_of_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Count tasks by validation state, in the `aggregate.TaskCounts` format."""
    n, validated, stateless = (int(rows.get_column(name).sum()) for name in ("n", "n_validated", "n_stateless"))
    counts = {NO_STATE: stateless, "suggested": n - validated - stateless, "validated": validated}
    return pl.DataFrame({"state": list(counts), "n": list(counts.values())})


def task_matrix(
    profiles: TaskProfiles, states: Sequence[str] | None, same_task: SameTask, *, by: By = BY_FAMILY
) -> TaskMatrix:
    """Return one row per task and job, omitting tasks without an identity."""
    states = counted_states(states, profiles)
    (tasks,), matched_by = identify_tasks(profiles, states=states, same_task=same_task, by=by)
    resolved = resolve_repeats(tasks)
    once = count_once(resolved, tasks.jobs, tasks.groups.columns)
    reduced = TaskCounts(tasks.jobs, resolved, states_of_rows(once), states, tasks.groups, people=tasks.people)
    keys = tasks.keys.filter(~has_no_identity())
    rows = resolved.filter("named")
    levels = tasks.rows.join(keys, on="key", how="semi").select("key", "level").unique().sort("key", "level")
    nameless = int(once.filter(~pl.col("named")).get_column("n").sum())
    repeated, conflicts = once.select(
        (pl.col("named") & (pl.col("n") > 1)).sum().alias("repeated"), (pl.col("named") & pl.col("conflict")).sum()
    ).row(0)
    warnings = (
        *_if_any(matched_by != same_task, BY_TEXT),
        *_if_any(nameless, f"Tasks without {matched_by} are excluded ({nameless:,})."),
        *_if_any(repeated, f"Tasks repeated in a job are counted once, with added hours ({repeated:,})."),
        *_if_any(conflicts, f"Tasks with conflicting levels in a job count as not assessed ({conflicts:,})."),
        *(_same_texts(keys) if matched_by == "id" else ()),
        *_unknown_levels(levels),
    )
    wanted = ("key", "job", "level", "n", "n_known", "hours", "n_validated", "n_stateless")
    return TaskMatrix(reduced, keys, rows.select(wanted), levels, warnings, matched_by)


def _if_any(n: int, sentence: str) -> tuple[str, ...]:
    return (sentence,) if n else ()


def _same_texts(keys: pl.DataFrame) -> tuple[str, ...]:
    text = pl.col("task").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    same = keys.select(text=text).drop_nulls().filter(pl.col("text") != "").filter(pl.col("text").is_duplicated())
    return _if_any(
        same.height,
        f"Different task ids have the same text ({same.height:,}). Pass same_task='text' to combine them.",
    )


def _unknown_levels(levels: pl.DataFrame) -> tuple[str, ...]:
    known = {*LEVELS, NOT_ASSESSED}
    unknown = [level for level in levels.get_column("level").unique().sort().to_list() if level not in known]
    return _if_any(len(unknown), f"Levels other than H1 to H5 are counted under their own name: {', '.join(unknown)}.")


def per_task(matrix: TaskMatrix) -> pl.DataFrame:
    """Return ``key, jobs, families, tasks, tasks_with_hours, hours, n_validated, n_stateless`` for each task.

    The families are null if the groups are not job families.
    """
    by_family = matrix.reduced.groups.columns.by == (BY_FAMILY,)
    family = pl.col("group").rank("dense").alias("family")
    return (
        matrix.rows.join(matrix.reduced.jobs.select("job", family), on="job", how="left", maintain_order="left")
        .group_by("key")
        .agg(
            jobs=pl.len(),
            families=pl.when(by_family).then(pl.col("family").n_unique()),
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            hours=known_sum("hours"),
            n_validated=pl.col("n_validated").sum(),
            n_stateless=pl.col("n_stateless").sum(),
        )
        .sort("key")
        .with_columns(
            pl.col("jobs", "families", "tasks", "tasks_with_hours", "n_validated", "n_stateless").cast(pl.UInt32)
        )
    )


def level_agreement(matrix: TaskMatrix) -> pl.DataFrame:
    """Return ``key, level_agreement``, the share of job pairs that agree on the level."""
    jobs = pl.col("jobs")
    return (
        matrix.rows.filter(pl.col("level") != NOT_ASSESSED)
        .group_by("key", "level")
        .agg(jobs=pl.len().cast(pl.Float64))
        .group_by("key")
        .agg(rated=jobs.sum(), equal=(jobs * (jobs - 1)).sum())
        .filter(pl.col("rated") > 1)
        .select("key", level_agreement=pl.col("equal") / (pl.col("rated") * (pl.col("rated") - 1)))
        .sort("key")
    )
