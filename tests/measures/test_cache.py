"""Cached results of measures."""

from __future__ import annotations

import warnings
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers import public_measures
from tests.helpers.public_measures import MEASURES, odd
from tpanalytics.measures._core.cache import cached, with_cache


def test_result_is_computed_once_per_choice_of_arguments(sample: tpa.TaskProfiles) -> None:
    calls = []

    @cached
    def measure(profiles: tpa.TaskProfiles, *, weight: str = "hours", states: list[str] | None = None) -> pl.DataFrame:
        calls.append((weight, states))
        return tpa.impact(profiles, weight=weight, states=states or ["validated"])

    cached_profiles = with_cache(sample)
    for _ in range(2):
        for weight in ("hours", "tasks"):
            for states in (["validated"], ["validated", "suggested"]):
                result = measure(cached_profiles, weight=weight, states=states)
                assert_frame_equal(result, tpa.impact(sample, weight=weight, states=states))
    assert len(calls) == 4
    first = measure(cached_profiles, states=["validated"], weight="hours")
    assert_frame_equal(first, measure(cached_profiles, weight="hours", states=("validated",)))
    assert len(calls) == 4, "the order of arguments and the type of list do not matter"


def test_profiles_without_cache_are_measured_each_time(sample: tpa.TaskProfiles) -> None:
    first = tpa.hours(sample)
    assert tpa.hours(sample) is not first


def test_cached_results_equal_uncached_ones() -> None:
    profiles = odd()
    cached_profiles = with_cache(profiles)
    expected = {name: measure(profiles) for name, measure in MEASURES.items()}
    for _ in range(2):  # all results are cached in the second round
        for name, measure in MEASURES.items():
            assert measure(cached_profiles).equals(expected[name]), name


def test_profiles_with_other_tables_have_an_empty_cache(sample: tpa.TaskProfiles) -> None:
    cached_profiles = with_cache(sample)
    tpa.impact(cached_profiles)
    finance = pl.col("job_family") == "Finance"
    for other in (
        replace(
            cached_profiles, jobs=cached_profiles.jobs.filter(finance), tasks=cached_profiles.tasks.filter(finance)
        ),
        cached_profiles.filter(finance),
    ):
        assert tpa.impact(other)["job_family"].unique().to_list() == ["Finance"]
    assert with_cache(cached_profiles) is cached_profiles


def test_earlier_snapshots_with_a_reused_id_are_distinguished(sample: tpa.TaskProfiles) -> None:
    cached_profiles = with_cache(sample)
    totals = []
    for state in ("2026-05", "2026-11", "2026-05"):
        before = tpa.load_sample(state)
        totals.append(tpa.compare(before, cached_profiles).filter(scope="all").item(0, "before"))
        del before
    assert totals[0] == totals[2] != totals[1]


def test_errors_are_raised_again_and_warnings_are_not_repeated(sample: tpa.TaskProfiles) -> None:
    invalid = replace(sample, tasks=sample.tasks.with_columns(weekly_hours=-1.0))
    cached_profiles = with_cache(invalid)
    for _ in range(2):
        with pytest.raises(tpa.SchemaError, match="must be 0 or more and finite"):
            tpa.impact(cached_profiles)
    drafts = with_cache(replace(sample, tasks=sample.tasks.with_columns(validation_state=pl.lit("draft"))))
    with pytest.warns(tpa.TpAnalyticsWarning, match="draft"):
        tpa.hours(drafts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tpa.hours(drafts)


@pytest.mark.parametrize("with_results", [False, True], ids=["no cache", "cache"])
@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_warns_once_at_the_line_of_the_call(name: str, *, with_results: bool) -> None:
    company = odd()
    drafts = pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("draft")).otherwise("validation_state")
    company = replace(company, tasks=company.tasks.with_columns(validation_state=drafts))
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always", tpa.TpAnalyticsWarning)
        MEASURES[name](with_cache(company) if with_results else company)
    about_drafts = [warning for warning in caught_warnings if "draft" in str(warning.message)]
    assert len({str(warning.message) for warning in about_drafts}) == len(about_drafts)
    assert {warning.filename for warning in about_drafts} <= {public_measures.__file__, __file__}


def test_least_recently_used_result_is_dropped_first(sample: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.measures._core.cache._MAX_RESULTS", 3)
    calls = []

    @cached
    def measure(_: tpa.TaskProfiles, *, number: int) -> int:
        calls.append(number)
        return number

    cached_profiles = with_cache(sample)
    for number in (1, 2, 3, 1, 4, 1, 3, 2):
        assert measure(cached_profiles, number=number) == number
    assert calls == [1, 2, 3, 4, 2]


def test_changing_a_result_in_place_does_not_change_the_cache(sample: tpa.TaskProfiles) -> None:
    profiles = with_cache(sample)
    result = tpa.coverage(profiles)
    result[0, "jobs"] = 99
    assert_frame_equal(pl.DataFrame(tpa.coverage(profiles)), pl.DataFrame(tpa.coverage(sample)))
