"""Aggregate tasks into a small Polars table, the first step of every measure.

Narwhals only sums and counts by key here, so this runs on Polars (eager or lazy), pandas, DuckDB, Spark,
Dask and Ibis.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import (
    check_amounts,
    check_hours,
    check_numbers,
    check_states,
    n_stated,
    share_of,
)
from tpanalytics.measures._core.groups import BY_FAMILY, GroupColumns, Groups, group_columns, label_groups
from tpanalytics.measures._core.hierarchy import with_hierarchy_levels
from tpanalytics.measures._core.snapshots import (
    SNAPSHOT,
    SNAPSHOT_COLUMNS,
    check_added_up,
    key_by_snapshot,
    mark_snapshots,
    plain_id,
    shown_id,
)
from tpanalytics.schema import (
    COUNTED_STATES,
    IMPUTED,
    NO_STATE,
    NOT_ASSESSED,
    History,
    TaskProfiles,
    check_profiles,
    counted_states,
    require,
    to_polars,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.typing import By

__all__ = [
    "Inputs",
    "People",
    "TaskCounts",
    "aggregate_jobs",
    "aggregate_tasks",
    "check_hours",
    "check_states",
    "columns_of_jobs",
    "count_once",
    "counts",
    "each_task_once",
    "family_or_none",
    "group_jobs",
    "known_sum",
    "n_stated",
    "of_jobs",
    "per_job",
    "read_inputs",
    "share_of",
    "states_of_others",
    "sum_tasks",
]


class People(NamedTuple):
    """Which of the people are not counted."""

    #: Number of rows in `people` that are of a job, and the number of them without a ``headcount`` or ``fte``.
    rows: int
    unknown: dict[str, int]
    #: Ids of the jobs without a row in `people`.
    unlisted: pl.Series
    #: ``state, n``, as in `TaskCounts.states`, without the tasks of these jobs. Only set if groups have such jobs.
    states: pl.DataFrame | None = None


class TaskCounts(NamedTuple):
    """The aggregated tables that all measures use."""

    #: One row per job, or per job and group if a job can be in several groups: ``job`` (row number when sorted by id),
    #: ``job_id, job_name, group`` (never null), plus ``headcount``, ``fte`` and ``contract_hours`` if known.
    jobs: pl.DataFrame
    #: Sorted, with one row per group of counted tasks: ``job`` (unless summed by group), ``group``, optional ``level``
    #: and ``state`` (never null), ``n`` tasks and ``n_known`` tasks with hours. ``hours`` are per week, and null if no
    #: task has any. ``imputed`` is the imputed part of the hours, from ``n_imputed`` tasks.
    cells: pl.DataFrame
    #: ``state, n``: number of counted tasks for each validation state.
    states: pl.DataFrame
    #: Validation states to count.
    counted: list[str]
    groups: Groups
    #: Like `cells`, but with each task counted once, if the cells are summed by groups of people.
    once: pl.DataFrame | None = None
    #: None if there is no table of people.
    people: People | None = None
    #: Whether figures count ``headcount`` or ``fte``, if any.
    weight: str | None = None


class Inputs(NamedTuple):
    """The tables to aggregate."""

    #: One row per job, or per job and combination of people columns, sorted by id. In a history, the id is preceded by
    #: the snapshot, so that it is unique.
    jobs: pl.DataFrame
    tasks: Any
    columns: GroupColumns
    people: People | None


def family_or_none(profiles: TaskProfiles) -> By:
    """Return the column with job families, or None (all jobs together) if `jobs` has none."""
    return BY_FAMILY if BY_FAMILY in columns_of_jobs(profiles) else None


def columns_of_jobs(profiles: TaskProfiles) -> list[str]:
    """Return the column names of the jobs without reading any rows."""
    check_profiles(profiles)
    require(profiles.jobs, "job_id", name="jobs")
    return list(nw.from_native(profiles.jobs).collect_schema().names())


def aggregate_tasks(
    profiles: TaskProfiles,
    states: Sequence[str] | None = None,
    *,
    by: By = BY_FAMILY,
    per: Literal["job", "group"] = "job",
    by_level: bool = True,
    by_state: bool = False,
    checked: bool = False,
) -> TaskCounts:
    """Count tasks and sum hours by job or by group, and optionally by level and state."""
    check_profiles(profiles)
    keys = [*(["level"] * by_level), *(["state"] * by_state)]
    return _aggregate(profiles, states=counted_states(states, profiles), by=by, per=per, keys=keys, checked=checked)


@cached
def _aggregate(
    profiles: TaskProfiles, states: list[str], by: By, per: str, keys: list[str], *, checked: bool
) -> TaskCounts:
    inputs = read_inputs(profiles, by)
    tasks, columns = inputs.tasks, inputs.columns
    by_columns = _sum_by_columns(inputs, keys) if per == "group" else None
    state_counts = _count_states(tasks, states) if by_columns is None else _states_in(by_columns[2])
    if not checked:
        check_hours(tasks, state_counts)
        check_states(state_counts, states)
    people = inputs.people
    if by_columns is None:
        # Jobs without people can be left out later, with the states of their tasks.
        leaves_out = people is not None and bool(columns.people) and people.unlisted.len() > 0
        split = ["state"] * (leaves_out and "state" not in keys)
        all_count = state_counts.get_column("state").is_in(states).all()
        sums = sum_tasks(
            tasks if all_count else tasks.filter(counts(states)),
            *("job_id", *columns.tasks, *keys, *split),
            extremes=False,
        )
        jobs, groups = group_jobs(inputs.jobs, columns, sums)
        if people is not None and columns.people:
            people = people._replace(states=states_of_others(sums, people.unlisted))
        # Sort first because engines return rows in different orders and the sum of floats depends on the order.
        # Numbers are sorted faster than texts.
        order = [pl.col(key).cast(pl.Enum(sums.get_column(key).unique().sort())) for key in (*keys, *split)]
        cells = of_jobs(sums.sort(order), jobs, columns)
        if split:
            cells = _sum_cells(cells, ["job", "group", *keys])
    else:
        jobs, groups, sums = by_columns
        cells = sums.filter(pl.col("state").is_in(states)).sort("group", *keys, "state")
    keys, once = [*(["job"] if per == "job" else []), "group", *keys], None
    if per == "group":
        once = count_once(cells, jobs, columns) if columns.people else None
        cells = _sum_cells(cells, keys).sort(keys)
    return TaskCounts(
        jobs.drop("n_tasks", strict=False),
        cells.select(*keys, "n", "n_known", "hours", "imputed", "n_imputed"),
        state_counts.filter(pl.col("state").is_in(states)).select("state", "n"),
        states,
        groups,
        once,
        people,
    )


def _sum_cells(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return cells.group_by(keys, maintain_order=True).agg(
        *(pl.col(name).sum() for name in ("n", "n_known", "n_imputed")),
        hours=known_sum("hours"),
        imputed=known_sum("imputed"),
    )


def states_of_others(sums: pl.DataFrame, unlisted: pl.Series) -> pl.DataFrame | None:
    """Count the tasks of other jobs by state, from sums by job and state. Return None if there are no other jobs."""
    if unlisted.is_empty():
        return None
    listed = sums.filter(~pl.col("job_id").is_in(unlisted.implode()))
    return listed.group_by("state").agg(pl.col("n").sum()).sort("state")


def count_once(rows: pl.DataFrame, jobs: pl.DataFrame, columns: GroupColumns) -> pl.DataFrame:
    """Select the rows of each job in one of its groups of people only, so that no task counts more than once."""
    if not columns.people:
        return rows
    first = jobs.unique(["job_id", *columns.tasks], keep="first", maintain_order=True).select("job")
    return rows.join(first, on="job", how="semi", maintain_order="left")


def each_task_once(reduced: TaskCounts) -> pl.DataFrame:
    """Return the cells with each task counted once, even if groups of people overlap."""
    return count_once(reduced.cells, reduced.jobs, reduced.groups.columns) if reduced.once is None else reduced.once


def _sum_by_columns(inputs: Inputs, keys: Sequence[str]) -> tuple[pl.DataFrame, Groups, pl.DataFrame] | None:
    """Return the jobs, groups, and sums of all tasks by the family or snapshot stored with each task, `keys` and state.

    Return None if the groups are other columns, or if those of the tasks differ from those of the jobs.
    """
    tasks, columns, by = inputs.tasks, inputs.columns, inputs.columns.by
    present = {BY_FAMILY, *(SNAPSHOT_COLUMNS if columns.history else ())} & {*tasks.collect_schema().names()}
    if not by or columns.overlap or not {*by} <= present or "n_tasks" not in inputs.jobs.columns:
        return None
    labelled, groups = label_groups(inputs.jobs, columns)
    of_groups = labelled.group_by("group").agg(pl.col(by).first().cast(pl.String), pl.col("n_tasks").sum())
    sums = sum_tasks(tasks, *by, *dict.fromkeys([*keys, "state"]))
    sums = sums.join(of_groups.drop("n_tasks"), on=by, how="left", nulls_equal=True).drop(by)
    if sums.get_column("group").null_count() or not _groups_agree(sums, of_groups):
        return None
    return _numbered(labelled, columns), groups, sums


def _states_in(sums: pl.DataFrame) -> pl.DataFrame:
    """Return ``state, n``, plus the ``least`` and ``most`` hours of any task, from sums by state."""
    return sums.group_by("state").agg(pl.col("least").min(), pl.col("most").max(), pl.col("n").sum()).sort("state")


def aggregate_jobs(profiles: TaskProfiles, reduced: TaskCounts, *, levels: Sequence[str] | None = None) -> pl.DataFrame:
    """Return ``job, group, n, n_known, hours`` for each job, for use when the cells are summed by group."""
    sorted_levels, columns = None if levels is None else sorted(levels), reduced.groups.columns
    sums = _sum_by_job(profiles, states=reduced.counted, levels=sorted_levels, task_columns=columns.tasks)
    return of_jobs(sums, reduced.jobs, columns).sort("job")


@cached
def _sum_by_job(
    profiles: TaskProfiles, states: list[str], levels: list[str] | None, task_columns: Sequence[str]
) -> pl.DataFrame:
    tasks = _tasks_with(profiles, task_columns)
    if levels is not None:
        tasks = tasks.filter(_is_any("ai_impact_level", levels))
    return sum_tasks(tasks.filter(counts(states)), "job_id", *task_columns, extremes=False)


def _is_any(column: str, texts: Sequence[str]) -> Any:
    # Faster than `is_in` for a few values.
    return functools.reduce(operator.or_, (nw.col(column).cast(nw.String) == text for text in texts))


def counts(states: Sequence[str]) -> Any:
    """Match tasks in the given validation states. The result can be null for other tasks."""
    in_states = _is_any("validation_state", states)
    return in_states | nw.col("validation_state").is_null() if NO_STATE in states else in_states


def _count_states(tasks: Any, states: list[str]) -> pl.DataFrame:
    """Return ``state, n`` for all tasks, plus the ``least`` and ``most`` hours of any task."""
    likely = sorted({*COUNTED_STATES, "rejected", *states} - {NO_STATE})
    are_in = [nw.col("validation_state").is_null(), *(_is_any("validation_state", [state]) for state in likely)]
    totals = to_polars(
        tasks.select("validation_state", weekly_hours=_known_hours())
        .select(
            least=nw.col("weekly_hours").min(),
            most=nw.col("weekly_hours").max(),
            n=nw.len(),
            **{f"n_{i}": is_in.cast(nw.Int8).sum() for i, is_in in enumerate(are_in)},
        )
        .to_native()
    )
    least, most, n, *counts = totals.row(0)
    if sum(count or 0 for count in counts) != n:  # some tasks are in other states
        return sum_tasks(tasks, "state").sort("state")
    rows = [(state, count, least, most) for state, count in zip([NO_STATE, *likely], counts, strict=True) if count]
    schema = {"state": pl.String, "n": pl.UInt32, "least": pl.Float64, "most": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("state")


def _known_hours() -> Any:
    # Some engines return NaN instead of null.
    hours = nw.col("weekly_hours").cast(nw.Float64)
    return nw.when(~hours.is_nan()).then(hours)


def read_inputs(profiles: TaskProfiles, by: By = BY_FAMILY) -> Inputs:
    """Check the required columns and return the jobs, sorted by id, and the tasks to aggregate."""
    columns_of_jobs(profiles)
    columns = group_columns(profiles, by)
    require(profiles.tasks, "job_id", "ai_impact_level", "validation_state", "weekly_hours", name="tasks")
    tasks = _tasks_with(profiles, columns.tasks)
    check_numbers(tasks, "tasks", "weekly_hours")
    jobs = _read_jobs(profiles.jobs, columns)
    if isinstance(profiles, History):
        check_added_up(jobs, columns.by)
    jobs, people = _attach_people(jobs, profiles.people, columns)
    return Inputs(jobs, tasks, columns, people)


def _tasks_with(profiles: TaskProfiles, task_columns: Sequence[str]) -> Any:
    """Return the tasks with the columns to group by, some of which can be levels of the hierarchy."""
    tasks = mark_snapshots(profiles)
    present = tasks.collect_schema().names()
    return with_hierarchy_levels(tasks, [name for name in task_columns if name not in present])


def group_jobs(
    jobs: pl.DataFrame, columns: GroupColumns, sums: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, Groups]:
    """Return numbered rows with their group, one for each value of the task columns in `sums`, and the groups."""
    if columns.tasks and sums is not None:
        present = sums.select("job_id", *columns.tasks).unique()
        jobs = jobs.join(present, on="job_id").sort("job_id", *columns.people, *columns.tasks, nulls_last=True)
    if columns.history and "job_id" in columns.by:
        labelled, groups = label_groups(jobs.with_columns(plain_id(), key="job_id"), columns)
        labelled = labelled.with_columns(job_id="key").drop("key")
    else:
        labelled, groups = label_groups(jobs, columns)
    return _numbered(labelled, columns), groups


def _numbered(labelled: pl.DataFrame, columns: GroupColumns) -> pl.DataFrame:
    kept = [name for name in labelled.columns if name not in {*columns.jobs, *columns.people} - {"job_id"}]
    return labelled.select(kept).with_row_index("job")


def sum_tasks(tasks: Any, *keys: str, extremes: bool = True, **least_texts: str) -> pl.DataFrame:
    """Count tasks and sum hours by `keys` in the backend, for all validation states."""
    column_of = {"level": "ai_impact_level", "state": "validation_state"}
    where_missing = {"level": NOT_ASSESSED, "state": NO_STATE}
    known, columns = _known_hours(), [column_of.get(key, key) for key in keys]
    distinct, present = list(dict.fromkeys(columns)), tasks.collect_schema().names()
    # Joining the snapshot and id of a job is only fast after the tasks are summed.
    snapshot = [name for name in SNAPSHOT if name in present] if "job_id" in keys else []
    # `impute_hours` flags imputed hours in this column.
    marked = IMPUTED in present
    imputed = {"imputed": nw.when(nw.col(IMPUTED)).then(known)} if marked else {}
    reduced = (
        tasks.select(*distinct, *snapshot, *least_texts.values(), weekly_hours=known, **imputed)
        .group_by(*distinct, *snapshot)
        .agg(
            n=nw.len(),
            n_known=nw.col("weekly_hours").count(),
            hours=nw.col("weekly_hours").sum(),
            **({"least": nw.col("weekly_hours").min(), "most": nw.col("weekly_hours").max()} if extremes else {}),
            **({"imputed": nw.col("imputed").sum(), "n_imputed": nw.col("imputed").count()} if marked else {}),
            **{name: nw.col(column).min() for name, column in least_texts.items()},
        )
    )
    sums = to_polars(reduced.to_native())
    if snapshot:
        sums = key_by_snapshot(sums, SNAPSHOT)
    imputed_hours = pl.col("imputed").cast(pl.Float64) if marked else pl.lit(0.0)
    texts = {
        key: pl.col(column) if sums.schema[column].is_nested() else pl.col(column).cast(pl.String)
        for key, column in zip(keys, columns, strict=True)
    }
    return sums.select(
        *(
            text.fill_null(where_missing[key]).alias(key) if key in where_missing else text
            for key, text in texts.items()
        ),
        *(pl.col(name).cast(pl.String) for name in least_texts),
        *(pl.col(name).cast(pl.UInt32) for name in ("n", "n_known")),
        *(pl.col(name).cast(pl.Float64) for name in ("least", "most") if extremes),
        hours=pl.when(pl.col("n_known") > 0).then(pl.col("hours").cast(pl.Float64)),
        imputed=pl.when(pl.col("n_known") > 0).then(imputed_hours),
        n_imputed=(pl.col("n_imputed") if marked else pl.lit(0)).cast(pl.UInt32),
    )


def of_jobs(sums: pl.DataFrame, jobs: pl.DataFrame, columns: GroupColumns | None = None) -> pl.DataFrame:
    """Return the sums of each row of the jobs, in the order of both tables, with its number and group."""
    keys = ["job_id", *(columns.tasks if columns else ())]
    unknown = sums.join(jobs, on="job_id", how="anti", nulls_equal=True).get_column("job_id").unique().sort()
    if unknown.len():
        raise SchemaError(
            "`tasks` has jobs that `jobs` does not have, "
            f"for example {shown_id(unknown[0])!r} ({unknown.len():,} in total). "
            "Add a row to `jobs` for each of them."
        )
    rows = jobs.select(*keys, "job", "group")
    return rows.join(sums, on=keys, nulls_equal=True, maintain_order="left_right").drop(keys)


def _groups_agree(sums: pl.DataFrame, listed: pl.DataFrame) -> bool:
    """Return `True` if both tables have the same number of tasks in each group."""
    counted = sums.group_by("group").agg(pl.col("n").sum())
    both = counted.join(listed.filter(pl.col("n_tasks") > 0), on="group", how="full")
    return bool(both.select((pl.col("n") == pl.col("n_tasks")).fill_null(value=False).all()).item())


def per_job(reduced: TaskCounts) -> pl.DataFrame:
    """Return the tasks and hours for each job, including jobs without tasks."""
    jobs, cells = reduced.jobs, reduced.cells
    sums = cells.group_by("job").agg(
        tasks=pl.col("n").sum(),
        tasks_with_hours=pl.col("n_known").sum(),
        tasks_stated=n_stated.sum(),
        hours=known_sum("hours"),
    )
    optional = {
        name: pl.col(name) if name in jobs.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in _OPTIONAL.items()
    }
    counts = (pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("tasks", "tasks_with_hours", "tasks_stated"))
    return (
        jobs.select("job", "job_id", "group", *optional.values())
        .join(sums, on="job", how="left", maintain_order="left")
        .with_columns(counts)
        .with_columns(complete=(pl.col("tasks") > 0) & (pl.col("tasks") == pl.col("tasks_with_hours")))
    )


def known_sum(column: str) -> pl.Expr:
    """Sum a column, returning null instead of 0 if every value is null."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum())


#: Optional columns of the jobs and their types after reading.
_OPTIONAL = {"job_name": pl.String, "headcount": pl.Float64, "fte": pl.Float64, "contract_hours": pl.Float64}


def _read_jobs(native: Any, columns: GroupColumns) -> pl.DataFrame:
    frame = nw.from_native(native).lazy()
    present = frame.collect_schema().names()
    read = dict.fromkeys(
        ("job_id", *_OPTIONAL, "n_tasks", *columns.jobs, *(SNAPSHOT_COLUMNS if columns.history else ()))
    )
    numbers = [name for name in ("headcount", "fte", "contract_hours") if name in present]
    for name in numbers:
        check_numbers(frame, "jobs", name)
    jobs = to_polars(frame.select([name for name in read if name in present]).to_native())
    jobs = jobs.with_columns(
        pl.col("job_id").cast(pl.String),
        # Some engines return NaN instead of null.
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numbers),
    )
    check_amounts(jobs)
    if columns.history:
        jobs = key_by_snapshot(jobs)
    if not jobs.get_column("job_id").is_sorted():
        jobs = jobs.sort("job_id")
    ids = jobs.get_column("job_id")
    duplicates = ids[1:].filter(ids[1:].eq_missing(ids[:-1]))
    if duplicates.len():
        raise SchemaError(
            f"`job_id` of `jobs` must be unique{' in each snapshot' * columns.history}, "
            f"but {shown_id(duplicates[0])!r} is repeated. Remove the duplicate rows."
        )
    return jobs


def _attach_people(jobs: pl.DataFrame, people: Any, columns: GroupColumns) -> tuple[pl.DataFrame, People | None]:
    """Replace the headcount and FTE with those of `people`, with a row per job and combination of people columns."""
    if people is None:
        return jobs, None
    table = to_polars(people)
    counts = [name for name in ("headcount", "fte") if name in table.columns]
    for name in counts:
        check_numbers(nw.from_native(table).lazy(), "people", name)
    # Some engines return NaN instead of null, or no type if all values are null.
    numbers = (pl.col(name).cast(pl.Float64).fill_nan(None) for name in counts)
    table = table.with_columns(pl.col("job_id").cast(pl.String), *numbers)
    check_amounts(table, "people")
    if columns.history:
        require(people, *SNAPSHOT_COLUMNS, name="people")
        table = key_by_snapshot(table)
    table = table.join(jobs.select("job_id"), on="job_id", how="semi", maintain_order="left")
    # The unit is a row of people, so that parts add up to totals: unknown rows are excluded everywhere. If all known
    # rows are 0, the sum is unknown.
    sums = {name: pl.col(name).sum() for name in counts}
    unknown = {name: pl.col(name).null_count() for name in counts}
    totals = [
        pl.when((unknown[name] == 0) | (sums[name] > 0)).then(sums[name]).cast(pl.Float64).alias(name)
        for name in counts
    ]
    people_of_jobs = table.group_by("job_id", *columns.people).agg(totals)
    joined = jobs.drop(counts, strict=False).join(people_of_jobs, on="job_id", how="left")
    listed = table.get_column("job_id").unique()
    left_out = People(
        table.height,
        {name: table.get_column(name).null_count() for name in counts},
        jobs.get_column("job_id").filter(~jobs.get_column("job_id").is_in(listed.implode())),
    )
    return joined.sort("job_id", *columns.people, nulls_last=True), left_out
