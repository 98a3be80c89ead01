"""Stage one of every measure: tasks of any size, on the engine that holds them, become one small Polars table.

It is written on Narwhals, so that the frames may be Polars eager or lazy, pandas, DuckDB or Spark; only sums and counts
by plain keys, which every engine does alike and which add up over parts. All that follows is small and local.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError, TpAnalyticsWarning
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How a missing validation state is called; it never counts unless asked for.
_NO_STATE = "(no state)"

__all__ = ["Cells", "known_sum", "per_job", "reduce_tasks", "share_of"]


class Cells(NamedTuple):
    """The small tables every family measure starts from.

    Attributes
    ----------
    jobs
        ``job`` (its place by id), ``job_id, job_name, job_family`` (never null), and where the profiles have them
        ``headcount``, ``contract_hours``; one row per job.
    cells
        ``job, job_family, level`` (never null), ``state`` where asked for, ``n`` tasks, ``n_known`` of them with hours,
        and their ``hours`` (hours per week, null where none is known); one row per combination that counts.
    """

    jobs: pl.DataFrame
    cells: pl.DataFrame


def reduce_tasks(profiles: TaskProfiles, states: Sequence[str] = COUNTED_STATES, *, by_state: bool = False) -> Cells:
    """Count tasks and add up hours by job and level, and by state if asked to.

    Parameters
    ----------
    profiles
        Reads ``job_id, ai_impact_level, validation_state, weekly_hours`` of `tasks`, and ``job_id, job_family`` of
        `jobs`.
    states
        Validation states that count. ``rejected`` cannot be among them.
    by_state
        Keep validation states apart.

    Raises
    ------
    SchemaError
        If a column is missing, the job of a task that counts is not in `jobs`, or `states` is no list of states that
        can count.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.
    """
    states = _checked_states(states)
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(
            f"A measure takes TaskProfiles, not a {type(profiles).__name__}; pass profiles, not profiles.tasks, or "
            "build TaskProfiles(jobs, tasks)."
        )
    require(profiles.jobs, "job_id", "job_family", name="jobs")
    require(profiles.tasks, "job_id", "ai_impact_level", "validation_state", "weekly_hours", name="tasks")
    jobs = _jobs(profiles.jobs)
    tasks = nw.from_native(profiles.tasks).lazy()
    _check_numbers(tasks, "tasks", "weekly_hours")
    hours = nw.col("weekly_hours")
    plain = tasks.select(
        "job_id",
        nw.col("ai_impact_level"),
        nw.col("validation_state"),
        hours.cast(nw.Float64),
        # An engine may say NaN where it means null; not known is not known.
    ).with_columns(weekly_hours=nw.when(~hours.is_nan()).then(hours))
    _check_all(plain, states)
    keys = ["job_id", "ai_impact_level", *(["validation_state"] if by_state else [])]
    # Each engine compares its own kind of text; a missing state is put into words only afterwards.
    state, named = nw.col("validation_state"), [name for name in states if name != _NO_STATE]
    wanted = [state.is_in(named)] if named else []
    wanted += [state.is_null()] if _NO_STATE in states else []
    counted = plain.filter(nw.any_horizontal(*wanted, ignore_nulls=True))
    reduced = counted.group_by(*keys).agg(n=nw.len(), n_known=hours.count(), hours=hours.sum())
    cells = to_polars(reduced.to_native()).select(
        pl.col("job_id").cast(pl.String),
        level=pl.col("ai_impact_level").cast(pl.String).fill_null(NOT_ASSESSED),
        **({"state": pl.col("validation_state").cast(pl.String).fill_null(_NO_STATE)} if by_state else {}),
        n=pl.col("n").cast(pl.UInt32),
        n_known=pl.col("n_known").cast(pl.UInt32),
        hours=pl.when(pl.col("n_known") > 0).then(pl.col("hours").cast(pl.Float64)),
    )
    cells = cells.join(jobs.select("job_id", "job", "job_family"), on="job_id", how="left")
    strangers = cells.filter(pl.col("job").is_null()).get_column("job_id").unique().sort()
    if strangers.len():
        raise SchemaError(
            f"tasks holds {strangers.len()} job(s) that jobs does not have, the first is {strangers[0]!r}. "
            "Every task's job must have its row in jobs."
        )
    # A fixed order, so that floats add up alike however the engine handed the rows over.
    levels = pl.Enum(cells.get_column("level").unique().sort())
    order = ["job", pl.col("level").cast(levels), *(["state"] if by_state else [])]
    return Cells(jobs, cells.drop("job_id").sort(order))


def per_job(reduced: Cells) -> pl.DataFrame:
    """Add up each job's tasks; a job without tasks keeps its row."""
    jobs, cells = reduced
    sums = cells.group_by("job").agg(
        tasks=pl.col("n").sum(),
        tasks_with_hours=pl.col("n_known").sum(),
        hours=known_sum("hours"),
    )
    optional = {
        name: pl.col(name) if name in jobs.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in (
            ("job_name", pl.String),
            ("headcount", pl.Float64),
            ("contract_hours", pl.Float64),
        )
    }
    counts = (pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("tasks", "tasks_with_hours"))
    return (
        jobs.select("job", "job_id", "job_family", *optional.values())
        .join(sums, on="job", how="left", maintain_order="left")
        .with_columns(counts)
        .with_columns(complete=(pl.col("tasks") > 0) & (pl.col("tasks") == pl.col("tasks_with_hours")))
    )


def known_sum(column: str) -> pl.Expr:
    """Add up, giving null instead of 0 where no value is known."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum())


def share_of(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Divide, giving null instead of NaN where there is nothing to divide by."""
    return pl.when(whole > 0).then(part / whole)


def _jobs(native: Any) -> pl.DataFrame:
    frame = nw.from_native(native).lazy()
    present = frame.collect_schema().names()
    wanted = [name for name in ("job_id", "job_name", "job_family", "headcount", "contract_hours") if name in present]
    for name in ("headcount", "contract_hours"):
        _check_numbers(frame, "jobs", name)
    jobs = to_polars(frame.select(wanted).to_native())
    if jobs.get_column("job_id").is_duplicated().any():
        twice = jobs.filter(pl.col("job_id").is_duplicated()).item(0, "job_id")
        raise SchemaError(f"jobs: job_id must be unique, but {twice!r} stands there more than once.")
    numbers = [name for name in ("headcount", "contract_hours") if name in present]
    jobs = jobs.with_columns(
        pl.col("job_id").cast(pl.String),
        pl.col("job_family").cast(pl.String).fill_null(NO_FAMILY),
        # An engine may say NaN where it means null; not known is not known.
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numbers),
    )
    return jobs.sort("job_id").with_row_index("job")


def _checked_states(states: Sequence[str]) -> list[str]:
    if isinstance(states, str) or not states:
        raise SchemaError(f"states={states!r}: give a list of validation states, like ['validated'].")
    if "rejected" in states:
        raise SchemaError("states holds 'rejected'; a rejected task never counts.")
    return list(states)


def _check_all(tasks: Any, states: list[str]) -> None:
    """Look over all tasks once, whatever their state: no hours that cannot be, and no state that is lost unsaid."""
    hours = nw.col("weekly_hours")
    seen = to_polars(
        tasks.group_by("validation_state").agg(n=nw.len(), least=hours.min(), most=hours.max()).to_native()
    ).select(
        state=pl.col("validation_state").cast(pl.String).fill_null(_NO_STATE),
        n=pl.col("n").cast(pl.UInt32),
        least=pl.col("least").cast(pl.Float64),
        most=pl.col("most").cast(pl.Float64),
    )
    wrong = seen.filter((pl.col("least") < 0) | pl.col("most").is_infinite())
    if wrong.height:
        least, most = wrong.select("least", "most").row(0)
        found = least if least < 0 else most
        job = to_polars(tasks.filter(hours == found).select("job_id").head(1).to_native()).item()
        raise SchemaError(
            f"tasks: weekly_hours of job {job!r} is {found}; hours per week are 0 or more, and finite. "
            "Correct it, or make it null where it is not known."
        )
    _check_states(seen, states)


def _check_numbers(frame: Any, name: str, column: str) -> None:
    dtype = frame.collect_schema().get(column)
    if dtype not in (nw.String, nw.Categorical, nw.Boolean):
        return
    known = to_polars(frame.select(known=(~nw.col(column).is_null()).sum()).to_native()).item()
    if known:  # pandas calls a column without any value text
        raise SchemaError(f"{name}: {column} must be numbers, and is {dtype}. Cast it first.")


def _check_states(seen: pl.DataFrame, states: list[str]) -> None:
    """Refuse a state nobody knows, and say aloud which tasks are left out although they are not rejected."""
    found = seen.get_column("state").unique().sort().to_list()
    lost = [state for state in states if state not in {*COUNTED_STATES, *found}]
    if lost and found:
        raise SchemaError(f"states: no task is in state {', '.join(map(repr, lost))}; the tasks have {found}.")
    known = {*COUNTED_STATES, "rejected", *states}
    others = seen.filter(~pl.col("state").is_in(known)).select("state", "n").sort("state")
    if others.height:
        listed = ", ".join(f"{n:,} in state {state!r}" for state, n in others.rows())
        warnings.warn(
            f"Tasks left out because their state is not counted: {listed}. Pass states=[...] to count them.",
            TpAnalyticsWarning,
            stacklevel=5,
        )
