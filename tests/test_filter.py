"""Filtering of task profiles."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies


@pytest.fixture
def staffed(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the sample with people in two countries in half of the jobs, and in one country in the others."""
    ids = sample.jobs["job_id"].to_list()
    rows = [(job, country, 2, 1.5) for i, job in enumerate(ids) for country in ("BE", "NL")[: 1 + i % 2]]
    roster = pl.DataFrame(rows, schema=["job_id", "country", "headcount", "fte"], orient="row")
    return tpa.assign_people(sample, roster, by="country")


def test_jobs_and_tasks_are_filtered_together(sample: tpa.TaskProfiles) -> None:
    sales = sample.filter(pl.col("contract_hours") > 38, job_family="Sales")
    assert 0 < sales.jobs.height < sample.jobs.filter(job_family="Sales").height + 1
    assert set(sales.jobs["job_family"]) == {"Sales"}
    assert_frame_equal(sales.tasks, sample.tasks.filter(pl.col("job_id").is_in(sales.jobs["job_id"].implode())))
    summary = f"TaskProfiles: {sales.jobs.height} jobs and {sales.tasks.height} tasks out of 240 jobs"
    assert repr(sales).startswith(summary)


def test_jobs_without_tasks_can_match(sample: tpa.TaskProfiles) -> None:
    empty = sample.filter(pl.col("n_tasks") == 0)
    assert empty.jobs.height == 8
    assert empty.tasks.height == 0
    assert tpa.coverage(empty)["jobs_without_tasks"].sum() == 8


def test_lists_of_values(sample: tpa.TaskProfiles) -> None:
    both = sample.filter(job_family=["Sales", "Finance"])
    assert set(both.jobs["job_family"]) == {"Sales", "Finance"}
    assert_frame_equal(both.jobs, sample.filter(pl.col("job_family").is_in(["Sales", "Finance"])).jobs)


def test_people_are_filtered_with_their_jobs(staffed: tpa.TaskProfiles) -> None:
    dutch = staffed.filter(country="NL")
    assert dutch.jobs.height == 120
    assert dutch.people is not None
    assert set(dutch.people["country"]) == {"NL"}
    assert dutch.people["job_id"].to_list() == dutch.jobs["job_id"].to_list()
    assert set(dutch.tasks["job_id"]) <= set(dutch.jobs["job_id"])
    assert dutch.jobs.select(pl.col("headcount", "fte").unique()).row(0) == (2, 1.5)
    assert "With 240 people in 120 jobs by country" in repr(dutch)

    sales = staffed.filter(job_family="Sales")
    assert sales.people is not None
    assert set(sales.people["job_id"]) == set(sales.jobs["job_id"])
    assert sales.people["country"].n_unique() == 2

    # A condition on both tables.
    mixed = staffed.filter((pl.col("country") == "NL") & (pl.col("job_family") == "Sales"))
    assert_frame_equal(mixed.jobs, staffed.filter(country="NL", job_family="Sales").jobs)
    either = staffed.filter((pl.col("country") == "NL") | (pl.col("job_family") == "Sales"))
    assert set(either.jobs["job_id"]) == {*dutch.jobs["job_id"], *sales.jobs["job_id"]}


@given(companies, st.data())
def test_countries_add_up(profiles: tpa.TaskProfiles, data: Any) -> None:
    rows = [
        (job, country, data.draw(st.none() | st.integers(0, 5)), data.draw(st.none() | st.floats(0, 5)))
        for job in profiles.jobs["job_id"]
        for country in ("BE", "NL")
    ]
    roster = pl.DataFrame(
        rows, schema=["job_id", "country", "headcount", "fte"], orient="row", infer_schema_length=None
    )
    roster = roster.with_columns(pl.col("headcount").cast(pl.Int64), pl.col("fte").cast(pl.Float64))
    staffed = tpa.assign_people(profiles, roster, by=["country"])
    parts = [staffed.filter(country=country) for country in ("BE", "NL")]
    assert [part.jobs.height for part in parts] == [profiles.jobs.height] * 2
    assert_frame_equal(pl.concat([part.people for part in parts]), staffed.people, check_row_order=False)
    for name in ("headcount", "fte"):
        expected = roster.group_by("job_id", maintain_order=True).agg(
            pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum())
        )
        if roster[name].count():
            assert staffed.jobs[name].to_list() == pytest.approx(expected[name].to_list())
            for part in parts:
                assert part.people is not None
                assert part.jobs[name].to_list() == part.people[name].to_list()
    assert_frame_equal(staffed.filter(country=["BE", "NL"]).jobs, staffed.jobs)


def test_lazy_frames_stay_lazy(sample: tpa.TaskProfiles, staffed: tpa.TaskProfiles) -> None:
    lazy = tpa.TaskProfiles(sample.jobs.lazy(), sample.tasks.lazy()).filter(job_family="Sales")
    assert isinstance(lazy.tasks, pl.LazyFrame)
    eager = sample.filter(job_family="Sales")
    assert_frame_equal(tpa.hours(lazy), tpa.hours(eager))
    assert "in a polars LazyFrame, not counted" in repr(lazy)
    mixed = tpa.TaskProfiles(staffed.jobs, staffed.tasks.lazy(), people=staffed.people).filter(country="NL")
    assert isinstance(mixed.jobs, pl.DataFrame)
    assert isinstance(mixed.tasks, pl.LazyFrame)
    assert_frame_equal(mixed.tasks.collect(), staffed.filter(country="NL").tasks)


def test_states_are_stored(sample: tpa.TaskProfiles) -> None:
    validated = sample.filter(states=["validated"])
    assert validated.manifest["states"] == ["validated"]
    assert_frame_equal(validated.tasks, sample.tasks)
    assert "states" not in sample.manifest
    assert validated.filter(job_family="Sales").manifest["states"] == ["validated"]
    for states in ("validated", [], ["rejected"]):
        with pytest.raises(tpa.ArgumentError, match="`states` must"):
            sample.filter(states=states)


def test_pipe(sample: tpa.TaskProfiles) -> None:
    assert_frame_equal(sample.pipe(tpa.hours, by=None), tpa.hours(sample, by=None))


def test_invalid_filters_raise(sample: tpa.TaskProfiles, staffed: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'job_famly' is not a column of the jobs.*did you mean 'job_family'"):
        sample.filter(job_famly="Sales")
    with pytest.raises(tpa.SchemaError, match=r"'country' is not a column of the jobs.*assign_people"):
        sample.filter(pl.col("country") == "BE")
    with pytest.raises(tpa.SchemaError, match=r"'site' is not a column of the jobs or people \(there are 'job_id'"):
        staffed.filter(site="Ghent")
    with pytest.raises(tpa.SchemaError, match="must be a Polars frame to be filtered, not list"):
        tpa.TaskProfiles([], []).filter(job_family="Sales")
    with pytest.raises(tpa.ArgumentError, match="must be an expression like"):
        sample.filter("Sales")  # type: ignore[arg-type]
    with pytest.raises(tpa.ArgumentError, match="do not fit the columns"):
        sample.filter(n_tasks="many")


def test_unknown_values_warn(sample: tpa.TaskProfiles, staffed: tpa.TaskProfiles) -> None:
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"job family 'Finanze'\. Did you mean 'Finance'\?"):
        assert sample.filter(job_family="Finanze").jobs.is_empty()
    with pytest.warns(tpa.TpAnalyticsWarning, match="No row has the country 'DE'"):
        assert staffed.filter(country=["NL", "DE"]).jobs.height == 120


def test_only_similar_columns_are_suggested() -> None:
    with pytest.raises(tpa.SchemaError, match=r"'countri' is not a column of the jobs.*\(there are 'job_id'"):
        tpa.load_sample().filter(countri="BE")
