"""Aggregate tasks into a small Polars table, the first step of every measure.

Narwhals only sums and counts by key here, so this runs on Polars (eager or lazy), pandas, DuckDB and Spark.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.cache import cached, check_profiles
from tpanalytics.measures._core.checks import (
    check_amounts,
    check_hours,
    check_numbers,
    check_states,
    checked_states,
    n_stated,
    share_of,
)
from tpanalytics.schema import COUNTED_STATES, IMPUTED, NO_FAMILY, NOT_ASSESSED, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Label for a missing validation state. Tasks without a state are only counted if this label is requested.
NO_STATE = "(no state)"

__all__ = [
    "NO_STATE",
    "TaskCounts",
    "aggregate_jobs",
    "aggregate_tasks",
    "check_hours",
    "check_states",
    "checked_states",
    "columns_of_jobs",
    "counts",
    "families_in_order",
    "known_sum",
    "n_stated",
    "of_jobs",
    "per_job",
    "read_inputs",
    "share_of",
    "sum_tasks",
]


class TaskCounts(NamedTuple):
    """Aggregated tables used by all measures."""

    #: One row per job: ``job`` (row number when sorted by id), ``job_id, job_name, job_family`` (never null), plus
    #: ``headcount`` and ``contract_hours`` if available.
    jobs: pl.DataFrame
    #: Sorted, with one row per group of counted tasks: ``job`` (unless grouped by family), ``job_family``, optional
    #: ``level`` and ``state`` (never null), ``n`` tasks and ``n_known`` tasks with hours. ``hours`` are per week, and
    #: null if no task has any. ``imputed`` is the imputed part of the hours, from ``n_imputed`` tasks.
    cells: pl.DataFrame
    #: ``state, n``: number of counted tasks per validation state.
    states: pl.DataFrame
    #: Validation states to count.
    counted: list[str]


def columns_of_jobs(profiles: TaskProfiles) -> list[str]:
    """Return the job column names without reading any rows."""
    check_profiles(profiles)
    require(profiles.jobs, "job_id", "group", name="jobs")
    return list(nw.from_native(profiles.jobs).collect_schema().names())


def aggregate_tasks(
    profiles: TaskProfiles,
    states: Sequence[str] = COUNTED_STATES,
    *,
    per: Literal["job", "family"] = "job",
    by_level: bool = True,
    by_state: bool = False,
    checked: bool = False,
) -> TaskCounts:
    """Count tasks and sum hours by job or by family, and optionally by level and state."""
    keys = [*(["level"] * by_level), *(["state"] * by_state)]
    return _aggregate(profiles, states=checked_states(states), per=per, by=keys, checked=checked)


@cached
def _aggregate(profiles: TaskProfiles, states: list[str], per: str, by: list[str], *, checked: bool) -> TaskCounts:
    jobs, tasks = read_inputs(profiles)
    state_counts = _count_states(tasks, states)
    if not checked:
        check_hours(tasks, state_counts)
        check_states(state_counts, states)
    all_count = state_counts.get_column("state").is_in(states).all()
    cells = None
    if per == "family" and "group" in tasks.collect_schema().names() and "n_tasks" in jobs.columns:
        # Include ignored tasks too, since `_families_agree` compares the total number of tasks.
        keys = ["group", *by, *(["counts"] * (not all_count))]
        sums = sum_tasks(tasks if all_count else tasks.with_columns(counts=counts(states)), *keys, extremes=False)
        sums = sums.with_columns(pl.col("group").fill_null(NO_FAMILY))
        if _families_agree(sums, jobs):
            cells = sums if all_count else sums.filter(pl.col("counts") == "true")
    if cells is None:
        counted = tasks if all_count else tasks.filter(counts(states))
        cells = of_jobs(sum_tasks(counted, "job_id", *by, extremes=False), jobs).sort("job", *by)
    else:
        cells = cells.sort("group", *by)
    # Sort first. Engines return rows in different orders, and float sums depend on the order.
    keys = [*(["job"] if per == "job" else []), "group", *by]
    if per == "family":
        cells = (
            cells.group_by(keys, maintain_order=True)
            .agg(
                *(pl.col(name).sum() for name in ("n", "n_known", "n_imputed")),
                hours=known_sum("hours"),
                imputed=known_sum("imputed"),
            )
            .sort(keys)
        )
    return TaskCounts(
        jobs.drop("n_tasks", strict=False),
        cells.select(*keys, "n", "n_known", "hours", "imputed", "n_imputed"),
        state_counts.filter(pl.col("state").is_in(states)).select("state", "n"),
        states,
    )


def aggregate_jobs(profiles: TaskProfiles, reduced: TaskCounts, *, levels: Sequence[str] | None = None) -> pl.DataFrame:
    """Return ``job, job_family, n, n_known, hours`` for each job, for cells that are grouped by family."""
    sorted_levels = None if levels is None else sorted(levels)
    return of_jobs(_sum_by_job(profiles, states=reduced.counted, levels=sorted_levels), reduced.jobs).sort("job")


@cached
def _sum_by_job(profiles: TaskProfiles, states: list[str], levels: list[str] | None) -> pl.DataFrame:
    tasks = nw.from_native(profiles.tasks).lazy()
    if levels is not None:
        tasks = tasks.filter(_is_any("ai_impact_level", levels))
    return sum_tasks(tasks.filter(counts(states)), "job_id", extremes=False)


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
    hours = _known_hours()
    totals = to_polars(
        tasks.select(
            least=hours.min(),
            most=hours.max(),
            n=nw.len(),
            **{f"n_{i}": is_in.cast(nw.Int8).sum() for i, is_in in enumerate(are_in)},
        ).to_native()
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


def read_inputs(profiles: TaskProfiles) -> tuple[pl.DataFrame, Any]:
    """Check the required columns, and return the jobs (sorted and numbered by id) and the tasks to aggregate."""
    columns_of_jobs(profiles)
    require(profiles.tasks, "job_id", "ai_impact_level", "validation_state", "weekly_hours", name="tasks")
    tasks = nw.from_native(profiles.tasks).lazy()
    check_numbers(tasks, "tasks", "weekly_hours")
    return _read_jobs(profiles.jobs), tasks


def sum_tasks(tasks: Any, *keys: str, extremes: bool = True, **least_texts: str) -> pl.DataFrame:
    """Count tasks and sum hours by `keys` in the backend, for all validation states."""
    column_of = {"level": "ai_impact_level", "state": "validation_state"}
    where_missing = {"level": NOT_ASSESSED, "state": NO_STATE}
    known, columns = _known_hours(), [column_of.get(key, key) for key in keys]
    # `impute_hours` flags imputed hours in this column.
    marked = IMPUTED in tasks.collect_schema().names()
    imputed = {"imputed": nw.when(nw.col(IMPUTED)).then(known)} if marked else {}
    reduced = (
        tasks.select(*columns, *least_texts.values(), weekly_hours=known, **imputed)
        .group_by(*columns)
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
    imputed_hours = pl.col("imputed").cast(pl.Float64) if marked else pl.lit(0.0)
    texts = {key: pl.col(column).cast(pl.String) for key, column in zip(keys, columns, strict=True)}
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


def of_jobs(sums: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
    """Replace the job id with the job's row number and family."""
    joined = sums.join(jobs.select("job_id", "job", "group"), on="job_id", how="left")
    unknown = joined.filter(pl.col("job").is_null()).get_column("job_id").unique().sort()
    if unknown.len():
        raise SchemaError(
            f"`tasks` has jobs that `jobs` does not have, for example {unknown[0]!r} ({unknown.len():,} in total). "
            "Add a row to `jobs` for each of them."
        )
    return joined.drop("job_id")


def _families_agree(sums: pl.DataFrame, jobs: pl.DataFrame) -> bool:
    """Return `True` if both tables have the same number of tasks in each family."""
    counted = sums.group_by("group").agg(pl.col("n").sum())
    listed = jobs.group_by("group").agg(n_tasks=pl.col("n_tasks").sum()).filter(pl.col("n_tasks") > 0)
    both = counted.join(listed, on="group", how="full")
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
        for name, dtype in {"job_name": pl.String, "headcount": pl.Float64, "contract_hours": pl.Float64}.items()
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


def families_in_order(jobs: pl.DataFrame) -> pl.DataFrame:
    """Return the unique job families, sorted by name with ``(no family)`` last."""
    return jobs.select(pl.col("group").unique()).sort(pl.col("group") == NO_FAMILY, "group")


def _read_jobs(native: Any) -> pl.DataFrame:
    frame = nw.from_native(native).lazy()
    present = frame.collect_schema().names()
    read = ("job_id", "job_name", "group", "n_tasks", "headcount", "contract_hours")
    wanted = [name for name in read if name in present]
    for name in ("headcount", "contract_hours"):
        check_numbers(frame, "jobs", name)
    jobs = to_polars(frame.select(wanted).to_native())
    numbers = [name for name in ("headcount", "contract_hours") if name in present]
    jobs = jobs.with_columns(
        pl.col("job_id").cast(pl.String),
        pl.col("group").cast(pl.String).fill_null(NO_FAMILY),
        # Some engines return NaN instead of null.
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numbers),
    )
    if not jobs.get_column("job_id").is_sorted():
        jobs = jobs.sort("job_id")
    ids = jobs.get_column("job_id")
    duplicates = ids[1:].filter(ids[1:].eq_missing(ids[:-1]))
    if duplicates.len():
        raise SchemaError(
            f"`job_id` of `jobs` must be unique, but {duplicates[0]!r} is repeated. Remove the duplicate rows."
        )
    check_amounts(jobs)
    return jobs.with_row_index("job")
