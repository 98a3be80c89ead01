"""Tests of the difference in exposure between two families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import as_pandas, close, job, one_job, task
from tests.helpers.random_profiles import _job as any_job, profiles_of
from tests.helpers.snapshot_pairs import (
    expected_split,
    exposure_sums,
    rounded_profiles,
)
from tpanalytics.measures._core.decomposition import SPLIT
from tpanalytics.measures._core.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable


@hypothesis.given(other=st.sampled_from(["Sales", None]), jobs=st.lists(any_job, min_size=2, max_size=5))
def test_terms_equal_the_formula_for_random_profiles(jobs: list[Any], other: str | None) -> None:
    profiles = rounded_profiles([{**jobs[0], "job_family": "Finance"}, {**jobs[1], "job_family": "Sales"}, *jobs[2:]])
    family = pl.col("job_family").fill_null("(no job family)")
    other_jobs = profiles.jobs.filter(family != "Finance" if other is None else family == other)
    family_jobs = profiles.jobs.filter(family == "Finance")
    sides = [
        tpa.TaskProfiles(jobs, profiles.tasks.join(jobs, on="job_id", how="semi")) for jobs in (other_jobs, family_jobs)
    ]
    first, second = (exposure_sums(side, "task_id", WEIGHTS) for side in sides)
    expected = expected_split(first, second)
    result = tpa.compare_groups(profiles, "Finance", other, category="task_id")
    for row in result.filter(scope="all").iter_rows(named=True):
        for name, sums in (("exposure_other", first), ("exposure", second)):
            total = sum(hours for _, hours in sums.values())
            assert close(row[name], sum(x for x, _ in sums.values()) / total if total else None)
        for term, column in zip(SPLIT, ("within", "mix", "only_family", "only_other"), strict=True):
            assert close(row[column], expected[term] if expected else None)
        assert close(row["contribution"], row["difference"] if expected else None)
        assert close(result.filter(scope="category")["contribution"].sum(), row["contribution"] or 0.0)
        assert (row["reason"] is None) == (expected is not None)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()


def test_different_work_and_different_levels_are_separate_terms() -> None:
    family = job(task("H1", 5.0, key="a"), task("H2", 5.0, key="b"))
    re_rated = job(task("H2", 5.0, key="a"), task("H2", 5.0, key="b"), family="B")
    other_mix = job(task("H1", 2.0, key="a"), task("H2", 8.0, key="b"), family="C")
    profiles = profiles_of([family, re_rated, other_mix])
    total = tpa.compare_groups(profiles, "A", "B", category="task_id").row(-1, named=True)
    assert (total["within"], total["mix"], total["difference"]) == pytest.approx((0.25, 0.0, 0.25))
    total = tpa.compare_groups(profiles, "A", "C", category="task_id").row(-1, named=True)
    assert (total["within"], total["mix"], total["difference"]) == pytest.approx((0.0, 0.15, 0.15))


def test_single_family_has_no_comparison() -> None:
    result = tpa.compare_groups(one_job(task()), "A", category="task_id")
    assert result.select("exposure", "exposure_other", "within", "reason").rows() == [(1.0, None, None, "NO_JOBS")] * 2
    assert tpa.compare_groups(one_job(), "A", category="task_id").rows() == []
    assert tpa.compare_groups(one_job(), "A", category="task_id").schema == result.schema


def test_tasks_without_a_category_are_grouped() -> None:
    profiles = one_job(task("H1", 2.0), task("H2", 2.0, key=None))
    categories = tpa.compare_groups(profiles, "A", category="task_id")["category"]
    assert categories.to_list() == ["(no category)", "t", None]


def test_missing_categories_are_the_same_on_every_backend(sample: tpa.TaskProfiles) -> None:
    expected = tpa.compare_groups(sample, "Finance", category="task_id")
    frames = as_pandas(sample.jobs), as_pandas(sample.tasks)
    for profiles in (tpa.TaskProfiles(*frames), tpa.TaskProfiles(*map(duckdb.from_df, frames))):
        assert_frame_equal(tpa.compare_groups(profiles, "Finance", category="task_id"), expected, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.compare_groups(p, "A", category="cluster"), "`tasks` has no column 'cluster'"),
        (lambda p: tpa.compare_groups(p, "A", category="linked_skills"), "not the nested column 'linked_skills'"),
        (lambda p: tpa.compare_groups(p, "B", category="task_id"), "`family`: 'B' is not a job family .*'A'"),
        (lambda p: tpa.compare_groups(p, "A", "B", category="task_id"), "`other`: 'B' is not a job family"),
        (
            lambda p: tpa.compare_groups(p, "A", "A", category="task_id"),
            "`other` must be a different job family or None",
        ),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
