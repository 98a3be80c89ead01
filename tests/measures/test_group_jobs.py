"""Tests of the jobs of one group, with small groups suppressed."""

from __future__ import annotations

from dataclasses import replace

import hypothesis
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import job, task
from tests.helpers.by_job import hours_by_job
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.group_jobs import jobs_of_group


def jobs_with_headcount(*headcounts: float | None) -> tpa.TaskProfiles:
    return profiles_of([job(task(hours=4.0), headcount=headcount, week=40.0) for headcount in headcounts])


@pytest.mark.parametrize(
    ("headcounts", "remaining"),
    [
        ([9.0, 9.0, 9.0], 3),
        ([1.0, 9.0, 9.0, 7.0], 2),  # also suppress the next smallest job, or the total would reveal the first
        ([1.0, 2.0, 9.0, 7.0], 1),  # two jobs together are still a small group
        ([1.0, 4.0, 9.0, 7.0], 2),
        ([1.0, None, 9.0, 7.0], 2),
        ([0.0, 9.0, 9.0], 1),
        ([None, None, None], 3),
        ([1.0, 1.0, 1.0], 0),
    ],
)
def test_suppressed_jobs_cannot_be_derived_from_the_total_of_the_family(
    headcounts: list[float | None], remaining: int
) -> None:
    profiles = jobs_with_headcount(*headcounts)
    result = jobs_of_group(profiles, "A", privacy=tpa.Privacy())
    assert (result.jobs.height, result.left_out) == (remaining, len(headcounts) - remaining)
    shown_ids = result.jobs["job_id"].to_list()
    shown = [n for i, n in enumerate(headcounts) if f"j{i:03d}" in shown_ids]
    assert all(n is None or n >= 5 for n in shown)
    suppressed = [n for i, n in enumerate(headcounts) if f"j{i:03d}" not in shown_ids]
    assert (
        not suppressed
        or not shown
        or (len(suppressed) > 1 and (None in suppressed or sum(n or 0 for n in suppressed) >= 5))
    )
    assert jobs_of_group(profiles, "A").jobs.height == len(headcounts)


def test_jobs_of_single_persons_are_suppressed() -> None:
    persons = replace(jobs_with_headcount(None, None, None), manifest={"source": {"kind": "employees"}})
    result = jobs_of_group(persons, "A", privacy=tpa.Privacy())
    assert (result.jobs.height, result.left_out) == (0, 3)


@hypothesis.given(profiles=companies)
def test_jobs_of_a_family_equal_hours_by_job(profiles: tpa.TaskProfiles) -> None:
    all_jobs = hours_by_job(profiles)
    for family in all_jobs["job_family"].unique():
        result = jobs_of_group(profiles, family)
        expected = all_jobs.filter(job_family=family)
        columns = ["job_id", "tasks", "tasks_with_hours", "hours", "contract_hours"]
        assert_frame_equal(result.jobs.sort("job_id").select(columns), expected.select(columns), abs_tol=1e-9)
        sums = dict(result.levels.filter(pl.col("hours") > 0).group_by("job").agg(pl.col("hours").sum()).rows())
        for number, hours, h1 in result.jobs.select("job", "hours", "h1").rows():
            assert sums.get(number, 0.0) == pytest.approx(hours or 0.0)
            h1_hours = result.levels.filter(job=number, level="H1")["hours"].sum()
            assert h1 == (pytest.approx(h1_hours / hours) if hours else None)
