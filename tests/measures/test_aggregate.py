"""Tests of how tasks are read and aggregated on every backend."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import as_pandas, one_job, task

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("backend", ["polars", "pandas", "duckdb"])
def test_nan_hours_are_missing(backend: str) -> None:
    profiles = one_job(task("H1", 4.0), task("H2", None))
    tasks = profiles.tasks.with_columns(pl.col("weekly_hours").fill_null(float("nan")))
    frames = {
        "polars": (profiles.jobs, tasks),
        "pandas": (as_pandas(profiles.jobs), as_pandas(tasks)),
        "duckdb": tuple(duckdb.from_df(as_pandas(frame)) for frame in (profiles.jobs, tasks)),
    }[backend]
    row = tpa.hours(tpa.TaskProfiles(*frames)).row(0, named=True)
    assert (row["hours"], row["tasks_with_hours"], row["coverage"]) == (4.0, 1, 0.5)


def test_empty_pandas_frames_are_allowed() -> None:
    profiles = one_job(task())
    empty = tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks).head(0))
    assert tpa.hours(empty).select("jobs", "tasks", "hours").rows() == [(1, 0, None)]


@pytest.mark.parametrize("kind", ["polars enum", "polars text", "pandas category", "pandas text", "duckdb"])
def test_tasks_without_a_state_can_be_included_on_every_backend(sample: tpa.TaskProfiles, kind: str) -> None:
    every_third = pl.int_range(pl.len()) % 3 == 0
    tasks = sample.tasks.with_columns(validation_state=pl.when(~every_third).then("validation_state")).drop(
        "source_data", "linked_skills", "hierarchy"
    )
    expected = tasks.filter(pl.col("validation_state").is_null() | (pl.col("validation_state") == "validated")).height
    state = pl.col("validation_state")
    frames = {
        "polars enum": lambda: tasks.with_columns(state.cast(pl.Enum(["validated", "suggested", "rejected"]))),
        "polars text": lambda: tasks,
        "pandas category": lambda: as_pandas(tasks).astype({"validation_state": "category"}),
        "pandas text": lambda: as_pandas(tasks),
        "duckdb": lambda: duckdb.from_df(as_pandas(tasks)),
    }
    profiles = tpa.TaskProfiles(sample.jobs, frames[kind]())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        included = tpa.impact(profiles, weight="tasks", states=["validated", "(no state)"])
        missing = tpa.impact(profiles, weight="tasks", states=["(no state)"])
    assert included["tasks"].sum() == expected
    assert missing["tasks"].sum() == tasks["validation_state"].null_count()


@pytest.mark.parametrize("kind", ["polars", "polars lazy", "duckdb"])
def test_tasks_with_a_short_taxonomy_path_have_no_domain(kind: str, tmp_path: Path) -> None:
    profiles = one_job(task("H1", 2.0), task("H1", 3.0), task("H1", 5.0))
    paths = pl.Series([["Finance"], [], None], dtype=pl.List(pl.String))
    profiles = replace(profiles, tasks=profiles.tasks.with_columns(hierarchy=paths))
    frames = {"polars": profiles, "polars lazy": replace(profiles, tasks=profiles.tasks.lazy())}
    if kind == "duckdb":
        profiles.tasks.write_parquet(tmp_path / "tasks.parquet")
        frames[kind] = replace(profiles, tasks=duckdb.read_parquet(str(tmp_path / "tasks.parquet")))
    result = tpa.hours(frames[kind], by="domain").select("domain", "tasks", "hours")
    assert sorted(result.rows()) == [("(no domain)", 2, 8.0), ("Finance", 1, 2.0)]
