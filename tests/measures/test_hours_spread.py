"""How hours spread over the people of a family is what one gets by lining the people up."""

from __future__ import annotations

import math
from typing import Any

import hypothesis
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of

QUANTILES = {"min": 0.0, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0}


def company(*jobs: tuple[float | None, float | None]) -> tpa.TaskProfiles:
    """Give one family: hours and headcount of its jobs."""
    task = {"task_id": "t", "validation_state": "validated", "ai_impact_level": "H1"}
    return profiles_of(
        [
            {"job_family": "A", "headcount": staff, "contract_hours": None, "tasks": [{**task, "weekly_hours": hours}]}
            for hours, staff in jobs
        ]
    )


def spread(profiles: tpa.TaskProfiles, **arguments: Any) -> dict[str, Any]:
    return tpa.hours(profiles, spread_over="headcount", **arguments).row(0, named=True)


def test_people_are_lined_up_and_jobs_without_headcount_are_not() -> None:
    row = spread(company((10.0, 1.0), (20.0, 1.0), (30.0, 6.0), (40.0, 1.0), (50.0, 1.0), (99.0, None), (99.0, 0.0)))
    assert row["hours_per_job"] == pytest.approx((10 + 20 + 180 + 40 + 50) / 10)
    assert [row[f"hours_{name}"] for name in QUANTILES] == [10.0, 10.0, 30.0, 30.0, 30.0, 40.0, 50.0]
    assert (row["hours"], row["jobs_with_hours"]) == (348.0, 7)


@hypothesis.given(profiles=companies)
def test_quantiles_of_people_equal_brute_force(profiles: tpa.TaskProfiles) -> None:
    staff = dict(profiles.jobs.select("job_id", "headcount").rows())
    of_jobs = tpa.hours_by_job(profiles)
    for row in tpa.hours(profiles, spread_over="headcount").iter_rows(named=True):
        jobs = of_jobs.filter(job_family=row["job_family"]).select("job_id", "hours").rows()
        people = sorted((hours, staff[name]) for name, hours in jobs if hours is not None and staff[name])
        total = sum(n for _, n in people)
        if not people:
            assert row["hours_per_job"] is None
            assert row["reason"] in {"NO_TASKS", "NO_HOURS", "NO_HEADCOUNT"}
            continue
        assert row["reason"] is None
        assert math.isclose(row["hours_per_job"], sum(hours * n for hours, n in people) / total, abs_tol=1e-9)
        for name, q in QUANTILES.items():
            least = next(
                hours
                for i, (hours, _) in enumerate(people)
                if sum(n for _, n in people[: i + 1]) >= q * total - 1e-9 * total
            )
            assert row[f"hours_{name}"] == (least if len(people) >= 5 else None)


@hypothesis.given(profiles=companies)
def test_one_person_in_each_job_changes_only_how_quantiles_are_cut(profiles: tpa.TaskProfiles) -> None:
    alone = tpa.TaskProfiles(profiles.jobs.with_columns(headcount=pl.lit(1.0)), profiles.tasks)
    cut = [f"hours_{name}" for name in QUANTILES if name not in ("min", "max")]
    ours = tpa.hours(alone, spread_over="headcount").drop(cut)
    assert_frame_equal(ours, tpa.hours(alone).drop(cut), abs_tol=1e-9)


def test_a_mean_that_is_null_says_why() -> None:
    assert spread(company((10.0, None)))["reason"] == "NO_HEADCOUNT"
    assert spread(company((None, 1.0)))["reason"] == "NO_HOURS"
    half = company((10.0, 1.0))
    half = tpa.TaskProfiles(
        half.jobs, pl.concat([half.tasks, half.tasks.with_columns(weekly_hours=pl.lit(None, pl.Float64))])
    )
    assert spread(half, complete_only=True)["reason"] == "BELOW_COVERAGE"
    assert tpa.hours(half, complete_only=True).item(0, "reason") == "BELOW_COVERAGE"
    assert tpa.hours(half).item(0, "reason") is None


def test_the_spread_over_people_needs_people_and_a_known_word() -> None:
    bare = company((10.0, 1.0))
    with pytest.raises(tpa.SchemaError, match="`jobs` has no column 'headcount'"):
        spread(tpa.TaskProfiles(bare.jobs.drop("headcount"), bare.tasks))
    with pytest.raises(tpa.SchemaError, match="`spread_over` must be 'jobs' or 'headcount', not 'fte'"):
        tpa.hours(bare, spread_over="fte")  # type: ignore[arg-type]


def test_no_jobs_give_the_same_columns() -> None:
    none = tpa.hours(company(), spread_over="headcount")
    assert_frame_equal(none, tpa.hours(company((1.0, 1.0)), spread_over="headcount").clear())
