"""Filtering of task profiles."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa


def test_jobs_and_tasks_are_filtered_together(sample: tpa.TaskProfiles) -> None:
    sales = tpa.filter_jobs(sample, pl.col("contract_hours") > 38, job_family="Sales")
    assert 0 < sales.jobs.height < sample.jobs.filter(job_family="Sales").height + 1
    assert set(sales.jobs["job_family"]) == {"Sales"}
    assert_frame_equal(sales.tasks, sample.tasks.filter(pl.col("job_id").is_in(sales.jobs["job_id"].implode())))
    summary = f"TaskProfiles: {sales.jobs.height} jobs and {sales.tasks.height} tasks out of 240 jobs"
    assert repr(sales).startswith(summary)


def test_jobs_without_tasks_can_match(sample: tpa.TaskProfiles) -> None:
    empty = tpa.filter_jobs(sample, pl.col("n_tasks") == 0)
    assert empty.jobs.height == 8
    assert empty.tasks.height == 0
    assert tpa.coverage(empty)["jobs_without_tasks"].sum() == 8


def test_lazy_frames_stay_lazy(sample: tpa.TaskProfiles) -> None:
    lazy = tpa.filter_jobs(tpa.TaskProfiles(sample.jobs.lazy(), sample.tasks.lazy()), job_family="Sales")
    assert isinstance(lazy.tasks, pl.LazyFrame)
    eager = tpa.filter_jobs(sample, job_family="Sales")
    assert_frame_equal(tpa.hours(lazy), tpa.hours(eager))
    assert "in a polars LazyFrame, not counted" in repr(lazy)


def test_invalid_filters_raise(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"famly.*It has: 'job_id', 'job_name'"):
        tpa.filter_jobs(sample, famly="Sales")
    with pytest.raises(tpa.SchemaError, match="requires Polars frames"):
        tpa.filter_jobs(tpa.TaskProfiles([], []), job_family="Sales")


def test_unknown_family_warns(sample: tpa.TaskProfiles) -> None:
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"job family 'Finanze'\. Did you mean 'Finance'\?"):
        assert tpa.filter_jobs(sample, job_family="Finanze").jobs.is_empty()
