"""Bounds equal brute force over every way to fill in the missing data."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.by_job import exposure_by_job
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.check_claim import check_claim
from tpanalytics.measures.data_gaps import data_gaps
from tpanalytics.measures.exposure import exposure

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


def brute_force(
    jobs: list[Any], weights: dict[str, float], *, open_hours: float = 0.0, by_headcount: bool = False
) -> tuple[float | None, float | None]:
    """Try all extremes: a missing level has weight 0 or 1, the undocumented hours go to one task or none."""
    options_of_jobs = []
    for tasks, week, staff in jobs:
        rest = open_hours if week is None else max(0.0, week - sum(h for _, h in tasks if h is not None))
        scale = staff if by_headcount else 1.0
        options = set()
        for filled in itertools.product(*([weights[x]] if x in weights else [0.0, 1.0] for x, _ in tasks)):
            for taker in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]:
                hours = [scale * ((h or 0.0) + (rest if i == taker else 0.0)) for i, (_, h) in enumerate(tasks)]
                options.add((sum(h * w for h, w in zip(hours, filled, strict=True)), sum(hours)))
        options_of_jobs.append(sorted(options))
    indices = [
        sum(part for part, _ in combination) / sum(whole for _, whole in combination)
        for combination in itertools.product(*options_of_jobs)
        if sum(whole for _, whole in combination) > 0
    ]
    return (min(indices), max(indices)) if indices else (None, None)


def is_close(result: Any, expected: Any) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or math.isclose(a, b, abs_tol=1e-9))
        for a, b in zip(result, expected, strict=True)
    )


@hypothesis.given(weight=st.sampled_from(["hours", "headcount"]), jobs=st.lists(_job, min_size=1, max_size=3))
def test_bounds_equal_brute_force(jobs: list[Any], weight: Any) -> None:
    for row in tpa.impact(company(jobs), weight=weight).iter_rows(named=True):
        expected: tuple[float | None, float | None] = (None, None)
        if row["ai_impact_level"] not in (None, "not assessed"):
            weights = {level: float(level == row["ai_impact_level"]) for level in ("H1", "H2")}
            expected = brute_force(jobs, weights, by_headcount=weight == "headcount")
        assert is_close((row["share_low"], row["share_high"]), expected)


@hypothesis.given(weight=st.sampled_from(["tasks", "hours", "headcount"]), profiles=companies)
def test_share_is_within_its_bounds(profiles: tpa.TaskProfiles, weight: Any) -> None:
    for row in tpa.impact(profiles, weight=weight).iter_rows(named=True):
        low, share, high = row["share_low"], row["share"], row["share_high"]
        for bound in (low, high):
            assert bound is None or -1e-9 <= bound <= 1 + 1e-9
        if share is not None and low is not None and row["ai_impact_level"] != "not assessed":
            assert low <= share + 1e-9
        if share is not None and high is not None and row["ai_impact_level"] != "not assessed":
            assert share <= high + 1e-9


def test_worked_example() -> None:
    jobs = [([("H1", 10.0), ("H2", 12.0), ("H3", None), (None, 4.0)], 40.0, 1.0)]
    rows = {row["ai_impact_level"]: row for row in tpa.impact(company(jobs)).iter_rows(named=True)}
    assert (rows["H1"]["share_low"], rows["H1"]["share_high"]) == pytest.approx((10 / 40, 14 / 26))
    assert (rows["H3"]["share_low"], rows["H3"]["share_high"]) == pytest.approx((0.0, 18 / 40))


def test_missing_contract_hours_leave_bounds_null() -> None:
    profiles = company([([("H1", 10.0), ("H2", None)], 40.0, 1.0)])
    without_contract = tpa.TaskProfiles(profiles.jobs.drop("contract_hours"), profiles.tasks)
    assert tpa.impact(without_contract).select("share_low", "share_high").row(0) == (None, 1.0)
    assert tpa.impact(without_contract).select("share_low", "share_high").row(1) == (0.0, None)


WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}
_task_of_any_level = st.tuples(st.sampled_from(["H1", "H2", "H3", None]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_job_of_any_contract = st.tuples(
    st.lists(_task_of_any_level, max_size=3), st.sampled_from([None, 5.0, 40.0]), st.just(1.0)
)
_few_jobs = st.lists(_job_of_any_contract, min_size=1, max_size=3)


def certain_bounds(jobs: list[Any], weights: dict[str, float]) -> list[float | None]:
    """Return each bound that does not depend on the missing contract hours, and None for the others."""
    none, many = (brute_force(jobs, weights, open_hours=hours) for hours in (0.0, 1e4))
    return [
        first if first is not None and second is not None and math.isclose(first, second, abs_tol=1e-9) else None
        for first, second in zip(none, many, strict=True)
    ]


@hypothesis.given(jobs=_few_jobs)
def test_index_bounds_are_null_if_they_depend_on_missing_contract_hours(jobs: list[Any]) -> None:
    expected = certain_bounds(jobs, WEIGHTS)
    assert is_close(exposure(company(jobs)).select("bound_low", "bound_high").row(0), expected)
    for row, job in zip(exposure_by_job(company(jobs)).iter_rows(named=True), jobs, strict=True):
        assert is_close((row["bound_low"], row["bound_high"]), certain_bounds([job], WEIGHTS))


@hypothesis.given(jobs=_few_jobs)
def test_share_bounds_are_null_if_they_depend_on_missing_contract_hours(jobs: list[Any]) -> None:
    for row in tpa.impact(company(jobs)).iter_rows(named=True):
        if row["ai_impact_level"] in WEIGHTS:
            weights = {level: float(level == row["ai_impact_level"]) for level in WEIGHTS}
            assert is_close((row["share_low"], row["share_high"]), certain_bounds(jobs, weights))


def bounds_of_claim(profiles: tpa.TaskProfiles, family: str, other: str, **how: Any) -> Any:
    return check_claim(profiles, f'"{family}" > "{other}"', rounds=100, **how).bounds_left


def gaps_and_note(profiles: tpa.TaskProfiles, **how: Any) -> tuple[set[str], str]:
    result = data_gaps(profiles, **how)
    meaning = tpa.about(result)
    assert meaning is not None
    gaps = ("Nothing is missing", "No tasks to check", "of the tasks lack")
    (note,) = (note for note in meaning.policy if any(gap in note for gap in gaps))
    return set(result["room"]), note


def check_that_bounds_agree(profiles: tpa.TaskProfiles, **how: Any) -> None:
    profiles = with_cache(profiles)
    named = pl.col("job_family").fill_null("(no job family)")
    families = profiles.jobs.get_column("job_family").fill_null("(no job family)").unique().sort().to_list()
    shares = {
        row["job_family"]: (row["share_low"], row["share_high"])
        for row in tpa.impact(profiles).iter_rows(named=True)
        if row["ai_impact_level"] == "H1"
    }
    for row in exposure(profiles, **how).iter_rows(named=True):
        family, bounds = row["job_family"], (row["bound_low"], row["bound_high"])
        for other in [name for name in families if name != family][:1]:
            claim_bounds = bounds_of_claim(profiles, family, other, **how)
            assert is_close(claim_bounds, bounds) if claim_bounds else None in bounds
            share = bounds_of_claim(profiles, family, other, measure="h1_share")
            if family in shares:
                assert is_close(share, shares[family]) if share else None in shares[family]
        jobs = profiles.jobs.filter(named == family)
        alone = tpa.TaskProfiles(jobs, profiles.tasks.filter(pl.col("job_id").is_in(jobs["job_id"].implode())))
        room, note = gaps_and_note(alone, **how)
        if None in bounds:
            assert "between" not in note
        elif room:
            assert (room, note.partition(". ")[2]) == (
                {"bounds"},
                f"The exposure index of all jobs is between {bounds[0]:.3f} and {bounds[1]:.3f}.",
            )
        else:
            assert "Nothing is missing" in note
            assert is_close(bounds, (row["exposure"], row["exposure"]))


@hypothesis.given(contract_hours=st.sampled_from([None, 60]), profiles=companies)
def test_exposure_claims_and_gaps_have_the_same_bounds(profiles: tpa.TaskProfiles, contract_hours: Any) -> None:
    check_that_bounds_agree(profiles, **({} if contract_hours is None else {"contract_hours": contract_hours}))


@pytest.mark.parametrize(
    ("tasks", "bounds"),
    [
        ([("H1", 10.0), ("H1", None)], (1.0, 1.0)),
        ([(None, 3.0), ("H2", None)], (0.0, 1.0)),
        ([("H1", 10.0), ("H2", None)], (None, 1.0)),
        ([("H3", 10.0), ("H2", None)], (0.0, None)),
        ([("H1", 10.0), ("H3", 30.0)], (0.25, 0.25)),
        ([("H1", None)], (None, None)),
    ],
)
def test_bound_is_null_only_if_missing_contract_hours_can_change_it(tasks: Any, bounds: Any) -> None:
    profiles = company([(tasks, None, 1.0)])
    assert exposure(profiles).select("bound_low", "bound_high").row(0) == bounds
    two_families = tpa.TaskProfiles(
        pl.concat([profiles.jobs, profiles.jobs.with_columns(job_id=pl.lit("other"), job_family=pl.lit("B"))]),
        profiles.tasks,
    )
    check_that_bounds_agree(two_families)
