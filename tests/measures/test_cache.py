"""What is remembered is what would be measured, of these tables and these choices and no others."""

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


def test_nothing_is_measured_twice_and_nothing_else_is_given(sample: tpa.TaskProfiles) -> None:
    calls = []

    @cached
    def measure(profiles: tpa.TaskProfiles, *, weight: str = "hours", states: list[str] | None = None) -> pl.DataFrame:
        calls.append((weight, states))
        return tpa.impact(profiles, weight=weight, states=states or ["validated"])

    kept = with_cache(sample)
    for _ in range(2):
        for weight in ("hours", "tasks"):
            for states in (["validated"], ["validated", "suggested"]):
                found = measure(kept, weight=weight, states=states)
                assert_frame_equal(found, tpa.impact(sample, weight=weight, states=states))
    assert len(calls) == 4
    one, other = (
        measure(kept, states=["validated"], weight="hours"),
        measure(kept, weight="hours", states=("validated",)),
    )
    assert_frame_equal(one, other)
    assert len(calls) == 4, "neither the order of names nor the kind of list makes another question"


def test_profiles_that_do_not_remember_are_measured_each_time(sample: tpa.TaskProfiles) -> None:
    first = tpa.hours(sample)
    assert tpa.hours(sample) is not first


def test_every_measure_of_profiles_that_remember_is_as_of_others() -> None:
    profiles = odd()
    kept = with_cache(profiles)
    for _ in range(2):  # in the second round everything is remembered, and by more than one measure
        for name, measure in MEASURES.items():
            assert measure(kept).equals(measure(profiles)), name


def test_other_tables_begin_with_nothing(sample: tpa.TaskProfiles) -> None:
    kept = with_cache(sample)
    tpa.impact(kept)
    one = pl.col("job_family") == "Finance"
    for other in (
        replace(kept, jobs=kept.jobs.filter(one), tasks=kept.tasks.filter(one)),
        tpa.filter_jobs(kept, one),
    ):
        assert tpa.impact(other)["job_family"].unique().to_list() == ["Finance"]
    assert with_cache(kept) is kept


def test_an_earlier_snapshot_that_takes_the_place_of_another_is_another(sample: tpa.TaskProfiles) -> None:
    kept = with_cache(sample)
    found = []
    for state in ("2026-05", "2026-11", "2026-05"):
        before = tpa.load_sample(state)
        found.append(tpa.compare(before, kept).filter(scope="all").item(0, "before"))
        del before
    assert found[0] == found[2] != found[1]


def test_what_is_odd_about_the_tasks_is_said_again_where_it_was_not(sample: tpa.TaskProfiles) -> None:
    odd = replace(sample, tasks=sample.tasks.with_columns(weekly_hours=-1.0))
    kept = with_cache(odd)
    for _ in range(2):
        with pytest.raises(tpa.SchemaError, match="must be 0 or more and finite"):
            tpa.impact(kept)
    drafts = with_cache(replace(sample, tasks=sample.tasks.with_columns(validation_state=pl.lit("draft"))))
    with pytest.warns(tpa.TpAnalyticsWarning, match="draft"):
        tpa.hours(drafts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tpa.hours(drafts)


@pytest.mark.parametrize("remember", [False, True], ids=["plain", "remembering"])
@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_warns_once_and_at_the_line_that_asked(name: str, *, remember: bool) -> None:
    company = odd()
    drafts = pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("draft")).otherwise("validation_state")
    company = replace(company, tasks=company.tasks.with_columns(validation_state=drafts))
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", tpa.TpAnalyticsWarning)
        MEASURES[name](with_cache(company) if remember else company)
    said = [one for one in noted if "draft" in str(one.message)]
    assert len({str(one.message) for one in said}) == len(said)
    assert {one.filename for one in said} <= {public_measures.__file__, __file__}


def test_what_nobody_has_asked_for_longest_is_forgotten_first(
    sample: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tpanalytics.measures._core.cache._MOST", 3)
    asked = []

    @cached
    def measure(_: tpa.TaskProfiles, *, number: int) -> int:
        asked.append(number)
        return number

    kept = with_cache(sample)
    for number in (1, 2, 3, 1, 4, 1, 3, 2):
        assert measure(kept, number=number) == number
    assert asked == [1, 2, 3, 4, 2]
