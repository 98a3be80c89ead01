"""Bounds hold whatever the gaps are, and no narrower ones would: they equal brute force over every way to fill them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.measures.random_profiles import companies, profiles_of

_task = st.tuples(st.sampled_from(["H1", "H2", None]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_job = st.tuples(st.lists(_task, max_size=3), st.sampled_from([5.0, 20.0, 40.0]), st.sampled_from([1.0, 3.0]))


def company(jobs: list[Any]) -> tpa.TaskProfiles:
    return profiles_of(
        [
            {
                "job_family": "A",
                "headcount": staff,
                "contract_hours": week,
                "tasks": [
                    {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
                    for i, (level, h) in enumerate(tasks)
                ],
            }
            for tasks, week, staff in jobs
        ]
    )


def brute_force(jobs: list[Any], level: str, *, by_headcount: bool) -> tuple[float, float] | None:
    """Try every corner: an unknown level is `level` or not, an undescribed week goes to one open task or nowhere."""
    ways_of_jobs = []
    for tasks, week, staff in jobs:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        open_tasks = [i for i, (_, h) in enumerate(tasks) if h is None]
        ways = set()
        for filled in itertools.product(*([x] if x is not None else [level, "other"] for x, _ in tasks)):
            for taker in [None, *open_tasks]:
                hours = [(h or 0.0) + (rest if i == taker else 0.0) for i, (_, h) in enumerate(tasks)]
                at_level = sum(h for h, x in zip(hours, filled, strict=True) if x == level)
                scale = staff if by_headcount else 1.0
                ways.add((at_level * scale, sum(hours) * scale))
        ways_of_jobs.append(sorted(ways))
    shares = []
    for combination in itertools.product(*ways_of_jobs):
        part, whole = (sum(column) for column in zip(*combination, strict=True))
        if whole > 0:
            shares.append(part / whole)
    return (min(shares), max(shares)) if shares else None


@pytest.mark.parametrize("weight", ["hours", "headcount"])
@hypothesis.given(jobs=st.lists(_job, min_size=1, max_size=3))
@hypothesis.settings(deadline=None, max_examples=60)
def test_bounds_equal_brute_force(jobs: list[Any], weight: Any) -> None:
    for row in tpa.impact(company(jobs), weight=weight).iter_rows(named=True):
        if row["level"] in (None, "not assessed"):
            assert (row["share_low"], row["share_high"]) == (None, None)
            continue
        expected = brute_force(jobs, row["level"], by_headcount=weight == "headcount")
        if expected is None:
            assert (row["share_low"], row["share_high"]) == (None, None)
        else:
            assert math.isclose(row["share_low"], expected[0], abs_tol=1e-9)
            assert math.isclose(row["share_high"], expected[1], abs_tol=1e-9)


@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount"])
@hypothesis.given(profiles=companies)
@hypothesis.settings(deadline=None, max_examples=30)
def test_a_share_lies_within_its_bounds(profiles: tpa.TaskProfiles, weight: Any) -> None:
    for row in tpa.impact(profiles, weight=weight).iter_rows(named=True):
        low, share, high = row["share_low"], row["share"], row["share_high"]
        for bound in (low, high):
            assert bound is None or -1e-9 <= bound <= 1 + 1e-9
        if share is not None and low is not None and row["level"] != "not assessed":
            assert low <= share + 1e-9
        if share is not None and high is not None and row["level"] != "not assessed":
            assert share <= high + 1e-9


def test_the_worked_example() -> None:
    jobs = [([("H1", 10.0), ("H2", 12.0), ("H3", None), (None, 4.0)], 40.0, 1.0)]
    rows = {row["level"]: row for row in tpa.impact(company(jobs)).iter_rows(named=True)}
    assert (rows["H1"]["share_low"], rows["H1"]["share_high"]) == pytest.approx((10 / 40, 14 / 26))
    assert (rows["H3"]["share_low"], rows["H3"]["share_high"]) == pytest.approx((0.0, 18 / 40))


def test_without_contract_hours_there_is_no_bound_to_invent() -> None:
    profiles = company([([("H1", 10.0), ("H2", None)], 40.0, 1.0)])
    bare = tpa.TaskProfiles(profiles.jobs.drop("contract_hours"), profiles.tasks)
    assert tpa.impact(bare).select("share_low", "share_high").row(0) == (None, 1.0)
    assert tpa.impact(bare).select("share_low", "share_high").row(1) == (0.0, None)
