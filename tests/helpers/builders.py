"""Builders of small task profiles, and helpers to compare results."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "TASKS",
    "TASKS_WITH_WEIGHTS",
    "as_pandas",
    "check_row_order",
    "close",
    "in_parts",
    "job",
    "one_job",
    "query",
    "task",
    "with_headcount",
    "with_staffing",
]

#: SQL for `query`: the tasks as ``t``, with ``not assessed`` for a missing level.
TASKS = """with family as (select *, coalesce(job_family, '(no job family)') as family from jobs),
    t as (select p.family, p.job_id, x.weekly_hours as h, coalesce(x.ai_impact_level, 'not assessed') as level,
                 x.validation_state as state, p.headcount as fte
          from tasks x join family p using (job_id) where x.validation_state in ('validated', 'suggested')) """
#: SQL for `query`: the tasks as ``t``, with the weight of their level, and its weight if H2 = 0 and H2 = 1.
TASKS_WITH_WEIGHTS = """with family as (select *, coalesce(job_family, '(no job family)') as family from jobs),
    w as (from (values ('H1', 1.0, 1.0, 1.0), ('H2', 0.5, 0.0, 1.0), ('H3', 0.0, 0.0, 0.0)) v(level, b, b0, b1)),
    t as (select p.family, p.job_id, p.headcount fte, p.contract_hours c, x.weekly_hours h,
                 x.ai_impact_level as level, w.b::double b, w.b0::double b0, w.b1::double b1
          from tasks x join family p using (job_id) left join w on w.level = x.ai_impact_level
          where x.validation_state in ('validated', 'suggested')) """


def task(
    level: str | None = "H1", hours: float | None = 1.0, state: str = "validated", key: str | None = "t"
) -> dict[str, Any]:
    return {"task_id": key, "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(
    *tasks: dict[str, Any], family: str | None = "A", headcount: float | None = None, week: float | None = None
) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": week, "tasks": list(tasks)}


def one_job(*tasks: dict[str, Any], family: str | None = "A") -> tpa.TaskProfiles:
    return profiles_of([job(*tasks, family=family)])


def in_parts(profiles: tpa.TaskProfiles, seed: int, cut: float = 0.5) -> tpa.TaskProfiles:
    """Shuffle the rows and concatenate the tasks from two lazy frames."""
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = int(tasks.height * cut)
    return tpa.TaskProfiles(jobs.lazy(), pl.concat([tasks[at:].lazy(), tasks[:at].lazy()]))


def check_row_order(
    measure: Callable[[tpa.TaskProfiles], pl.DataFrame],
    profiles: tpa.TaskProfiles,
    seed: int,
    cut: float,
    *,
    tolerance: float = 1e-9,
) -> pl.DataFrame:
    """Check that the order of rows does not change the result and that its figures are finite, and return it."""
    result = measure(profiles)
    assert_frame_equal(measure(in_parts(profiles, seed, cut)), result, abs_tol=tolerance)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    return result


def with_headcount(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    if "headcount" in profiles.jobs.columns:
        return profiles
    return tpa.TaskProfiles(profiles.jobs.with_columns(**_people()), profiles.tasks)


def with_staffing(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Add headcounts, FTE and contract hours, some of them missing."""
    n = pl.int_range(pl.len()) % 5
    jobs = profiles.jobs.with_columns(**_people(), contract_hours=pl.when(n > 0).then(pl.lit(38.5)))
    return tpa.TaskProfiles(jobs, profiles.tasks)


def _people() -> dict[str, pl.Expr]:
    people = pl.int_range(pl.len()) % 7
    return {"headcount": pl.when(people > 0).then(people), "fte": pl.when(people > 0).then(0.75 * people)}


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Convert the text and number columns to pandas."""
    return pd.DataFrame(frame.select(pl.col(pl.String, pl.Float64, pl.Int64)).to_dict(as_series=False))


def close(actual: float | None, expected: float | None) -> bool:
    if actual is None or expected is None:
        return actual is expected
    return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-9)


@functools.cache
def database() -> duckdb.DuckDBPyConnection:
    """Return one database for all queries, because opening one takes longer than a query."""
    return duckdb.connect(config={"threads": 1})


def query(profiles: tpa.TaskProfiles, sql: str, **tables: pl.DataFrame) -> list[dict[str, Any]]:
    """Run SQL over the tables `jobs` and `tasks`."""
    connection = database()
    columns = ["job_id", "task_id", "validation_state", "weekly_hours", "ai_impact_level"]
    for name, frame in {"jobs": profiles.jobs, "tasks": profiles.tasks.select(columns), **tables}.items():
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create or replace table {name} as from '{name}.parquet'")
    result = connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
