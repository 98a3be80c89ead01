"""Stage one of every measure: tasks of any size, on the engine that holds them, become one small Polars table.

It is written on Narwhals, so that the frames may be Polars eager or lazy, pandas, DuckDB or Spark; only sums and counts
by plain keys, which every engine does alike and which add up over parts. All that follows is small and local.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError, TpAnalyticsWarning
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How a missing validation state is called; it never counts unless asked for.
_NO_STATE = "(no state)"

__all__ = ["Cells", "columns_of_jobs", "known_sum", "per_job", "reduce_tasks", "share_of"]


class Cells(NamedTuple):
    """The small tables every family measure starts from.

    Attributes
    ----------
    jobs
        ``job`` (its place by id), ``job_id, job_name, job_family`` (never null), and where the profiles have them
        ``headcount``, ``contract_hours``; one row per job.
    cells
        ``job`` unless per family, ``job_family``, and ``level`` and ``state`` (never null) where asked for, ``n``
        tasks, ``n_known`` of them with hours, and their ``hours`` (hours per week, null where none is known); one row
        per combination that counts, in a fixed order.
    """

    jobs: pl.DataFrame
    cells: pl.DataFrame


def columns_of_jobs(profiles: TaskProfiles) -> list[str]:
    """Give the columns of the jobs, without reading a row.

    Raises
    ------
    SchemaError
        If these are no profiles, or jobs lack what every measure reads.
    """
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(
            f"A measure takes TaskProfiles, not a {type(profiles).__name__}; pass profiles, not profiles.tasks, or "
            "build TaskProfiles(jobs, tasks)."
        )
    require(profiles.jobs, "job_id", "job_family", name="jobs")
    return list(nw.from_native(profiles.jobs).collect_schema().names())


def reduce_tasks(
    profiles: TaskProfiles,
    states: Sequence[str] = COUNTED_STATES,
    *,
    per: Literal["job", "family"] = "job",
    by_level: bool = True,
    by_state: bool = False,
    checked: bool = False,
) -> Cells:
    """Count tasks and add up hours by job or family, and by level and state if asked to; one pass over the tasks.

    Parameters
    ----------
    profiles
        Reads ``job_id, ai_impact_level, validation_state, weekly_hours`` of `tasks`, and ``job_id, job_family`` of
        `jobs`; by family also ``job_family`` of `tasks` and ``n_tasks`` of `jobs`, where they agree.
    states
        Validation states that count. ``rejected`` cannot be among them.
    per
        What cells are kept apart by; fewer are quicker.
    by_level, by_state
        Keep levels, and validation states, apart too.
    checked
        The measure has called this before with the same tasks, so what is odd about them has been said.

    Raises
    ------
    SchemaError
        If a column is missing, the job of a task that counts is not in `jobs`, hours are negative or infinite, or
        `states` is no list of states that can count.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.
    """
    states = _checked_states(states)
    columns_of_jobs(profiles)
    require(profiles.tasks, "job_id", "ai_impact_level", "validation_state", "weekly_hours", name="tasks")
    jobs = _jobs(profiles.jobs)
    tasks = nw.from_native(profiles.tasks).lazy()
    present = tasks.collect_schema().names()
    _check_numbers(tasks, "tasks", "weekly_hours")
    kept = [*(["level"] if by_level else []), *(["state"] if by_state else [])]
    sums = None
    if per == "family" and "job_family" in present and "n_tasks" in jobs.columns:
        sums = _sums(tasks, "job_family", kept, states).with_columns(pl.col("job_family").fill_null(NO_FAMILY))
        if not _families_agree(sums, jobs):
            sums = None
    by_job = sums is None
    if sums is None:
        sums = _sums(tasks, "job_id", kept, states)
    odd = (pl.col("strange") > 0) | (pl.col("least") < 0) | pl.col("most").is_infinite()
    if not checked and (sums.filter(odd).height or not set(states) <= set(COUNTED_STATES)):
        _check_all(tasks, states)
    cells = sums.filter(pl.col("n") > 0)
    if by_job:
        cells = cells.join(jobs.select("job_id", "job", "job_family"), on="job_id", how="left")
        strangers = cells.filter(pl.col("job").is_null()).get_column("job_id").unique().sort()
        if strangers.len():
            raise SchemaError(
                f"tasks holds {strangers.len()} job(s) that jobs does not have, the first is {strangers[0]!r}. "
                "Every task's job must have its row in jobs."
            )
    # A fixed order, so that floats add up alike however the engine handed the rows over.
    place = ["job"] if by_job else ["job_family"]
    cells = cells.select(*place, *(["job_family"] if by_job else []), *kept, "n", "n_known", "hours").sort(
        *place, *kept
    )
    if by_job and per == "family":
        totals = (pl.col("n").sum(), pl.col("n_known").sum(), known_sum("hours").alias("hours"))
        cells = cells.group_by("job_family", *kept).agg(*totals).sort("job_family", *kept)
    return Cells(jobs.drop("n_tasks", strict=False), cells)


_COLUMN_OF = {"level": "ai_impact_level", "state": "validation_state"}
_WHERE_MISSING = {"level": NOT_ASSESSED, "state": _NO_STATE}


def _sums(tasks: Any, key: str, kept: Sequence[str], states: Sequence[str]) -> pl.DataFrame:
    """Add up on the engine; what does not count is looked over in the same pass, and is not in the sums."""
    hours = nw.col("weekly_hours").cast(nw.Float64)
    keys = [key, *(_COLUMN_OF[name] for name in kept)]
    reduced = (
        tasks.select(
            *dict.fromkeys([*keys, "validation_state"]),
            # An engine may say NaN where it means null; not known is not known.
            weekly_hours=nw.when(~hours.is_nan()).then(hours),
        )
        .with_columns(
            counts=_is_in(states).cast(nw.Int64),
            strange=(~_is_in([*COUNTED_STATES, "rejected", *states])).cast(nw.Int64),
        )
        .with_columns(counted=nw.when(nw.col("counts") == 1).then(nw.col("weekly_hours")))
        .group_by(*keys)
        .agg(
            rows=nw.len(),
            n=nw.col("counts").sum(),
            n_known=nw.col("counted").count(),
            hours=nw.col("counted").sum(),
            least=nw.col("weekly_hours").min(),
            most=nw.col("weekly_hours").max(),
            strange=nw.col("strange").sum(),
        )
    )
    return to_polars(reduced.to_native()).select(
        pl.col(key).cast(pl.String),
        *(pl.col(_COLUMN_OF[name]).cast(pl.String).fill_null(_WHERE_MISSING[name]).alias(name) for name in kept),
        *(pl.col(name).cast(pl.UInt32) for name in ("rows", "n", "n_known", "strange")),
        *(pl.col(name).cast(pl.Float64) for name in ("least", "most")),
        hours=pl.when(pl.col("n_known") > 0).then(pl.col("hours").cast(pl.Float64)),
    )


def _is_in(states: Sequence[str]) -> Any:
    """Say whether a task is in one of the states; each engine compares its own kind of text, so null stands apart."""
    state, named = nw.col("validation_state"), [name for name in dict.fromkeys(states) if name != _NO_STATE]
    wanted = [state.is_in(named)] if named else []
    wanted += [state.is_null()] if _NO_STATE in states else []
    return nw.any_horizontal(*wanted, ignore_nulls=True)


def _families_agree(sums: pl.DataFrame, jobs: pl.DataFrame) -> bool:
    """Prove that the families that stand beside the tasks are those of their jobs: as many tasks in each of them."""
    seen = sums.group_by("job_family").agg(rows=pl.col("rows").sum())
    listed = jobs.group_by("job_family").agg(n_tasks=pl.col("n_tasks").sum()).filter(pl.col("n_tasks") > 0)
    both = seen.join(listed, on="job_family", how="full")
    return bool(both.select((pl.col("rows") == pl.col("n_tasks")).fill_null(value=False).all()).item())


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
    wanted = [
        name
        for name in ("job_id", "job_name", "job_family", "n_tasks", "headcount", "contract_hours")
        if name in present
    ]
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
    """Say what is wrong with some task, whatever its state: hours that cannot be, or a state that is lost unsaid."""
    hours = nw.col("weekly_hours")
    tasks = tasks.select(
        "job_id",
        "validation_state",
        weekly_hours=nw.when(~hours.cast(nw.Float64).is_nan()).then(hours.cast(nw.Float64)),
    )
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
