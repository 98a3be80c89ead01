"""Tests that apply to every comparison of two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import as_pandas, in_parts, job, one_job, task
from tests.helpers.random_profiles import profiles_of
from tests.helpers.snapshot_pairs import (
    COMPARISONS,
    every_comparison,
    small_profiles,
)
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.decomposition import SPLIT
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def sample_pair() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    return tpa.load_sample("2026-05"), tpa.load_sample("2026-11")


@hypothesis.given(profiles=small_profiles)
def test_snapshot_compared_with_itself_has_no_changes(profiles: tpa.TaskProfiles) -> None:
    profiles = with_cache(profiles)
    for row in tpa.compare(profiles, profiles).iter_rows(named=True):
        assert row["before"] == row["after"]
        assert {row[term] for term in TERMS} <= {0.0, None}
        assert row["churn"] in (0.0, None)
    for row in tpa.compare_exposure(profiles, profiles).iter_rows(named=True):
        assert {round(row[term] or 0.0, 12) for term in SPLIT} == {0.0}
    assert set(tpa.transitions(profiles, profiles)["move"]) <= {"stayed"}


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([], [job(task())], "NO_JOBS"),
        ([job()], [job(task())], "NO_TASKS"),
        ([job(task("H1", None))], [job(task())], "NO_HOURS"),
        ([job(task(None, 3.0))], [job(task())], "NO_LEVELS"),
        ([job(task(None, 3.0), task("H1", None, key="u"))], [job(task())], "NO_LEVELS"),
        ([job(task())], [], "NO_JOBS"),
    ],
)
def test_snapshot_without_data_has_a_reason(before: list[Any], after: list[Any], reason: str) -> None:
    pair = profiles_of(before), profiles_of(after)
    for result in (tpa.compare(*pair), tpa.compare_exposure(*pair)):
        assert result["reason"].to_list() == [reason, reason]
    assert tpa.compare(*pair).row(0, named=True)["before" if before == [] or reason != "NO_JOBS" else "after"] is None


def test_family_without_tasks_has_null_figures() -> None:
    before = profiles_of([job(task()), job(family="Empty")])
    row = tpa.compare(before, before).filter(job_family="Empty").row(0, named=True)
    assert [row[name] for name in ("before", *TERMS, "after")] == [None] * (len(TERMS) + 2)
    assert (row["reason"], row["churn"], row["jobs_both"], row["tasks_both"]) == ("NO_TASKS", None, 1, 0)
    row = tpa.compare_exposure(before, before).filter(job_family="Empty").row(0, named=True)
    assert [row[name] for name in ("exposure_before", "change", *SPLIT, "contribution")] == [None] * 7


@hypothesis.given(
    measure=st.sampled_from(list(COMPARISONS.values())),
    before=small_profiles,
    after=small_profiles,
    seed=st.integers(0, 2**32 - 1),
)
def test_row_order_does_not_matter(
    before: tpa.TaskProfiles, after: tpa.TaskProfiles, seed: int, measure: Callable[..., pl.DataFrame]
) -> None:
    result = measure(before, after)
    assert_frame_equal(measure(in_parts(before, seed), in_parts(after, seed)), result, abs_tol=1e-9)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    for name in ("churn", "share", "coverage_before", "coverage_after", "exposure_before", "exposure_after"):
        if name in result.columns:
            assert result[name].drop_nulls().is_between(0, 1 + 1e-9).all()


@every_comparison
def test_no_jobs_return_an_empty_table(measure: Callable[..., pl.DataFrame]) -> None:
    empty = measure(profiles_of([]), profiles_of([]))
    assert empty.height == 0
    assert_frame_equal(empty, measure(one_job(task()), one_job(task("H2"))).clear())
    assert tpa.about(empty).grade is None


@every_comparison
def test_every_backend_returns_the_same(sample_pair: Any, measure: Callable[..., pl.DataFrame]) -> None:
    expected = measure(*sample_pair)
    pandas = [(as_pandas(side.jobs), as_pandas(side.tasks)) for side in sample_pair]
    for frames in (pandas, [tuple(map(duckdb.from_df, pair)) for pair in pandas]):
        assert_frame_equal(measure(*(tpa.TaskProfiles(*pair) for pair in frames)), expected, abs_tol=1e-9)
    mixed = measure(tpa.TaskProfiles(*pandas[0]), sample_pair[1])
    assert_frame_equal(mixed, expected, abs_tol=1e-9)
