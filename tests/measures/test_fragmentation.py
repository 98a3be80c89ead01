from __future__ import annotations

import itertools
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tests.helpers.scenarios import LOW, approx, fragmentation, job, task


def per_person(profiles: tpa.TaskProfiles, shares: dict[str, float]) -> dict[str, list[tuple[float, float]]]:
    """Return the headcount and the freed hours per person of each measured job, by family."""
    freed: dict[str, float] = {}
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected" and None not in (row["weekly_hours"], row["ai_impact_level"]):
            hours = row["weekly_hours"] * shares[row["ai_impact_level"]]
            freed[row["job_id"]] = freed.get(row["job_id"], 0.0) + hours
    families: dict[str, list[tuple[float, float]]] = {}
    for row in profiles.jobs.iter_rows(named=True):
        jobs = families.setdefault(row["job_family"] or "(no job family)", [])
        if row["headcount"] is not None and row["job_id"] in freed:
            jobs.append((row["headcount"], freed[row["job_id"]]))
    return families


@hypothesis.given(profiles=companies, block=st.sampled_from([0.05, 1.0, 2.5, 8.0]))
def test_usable_hours_match_a_plain_python_computation(profiles: tpa.TaskProfiles, block: float) -> None:
    expected = per_person(profiles, {level: share * 0.5 for level, share in LOW.items()})
    result = tpa.fragmentation(profiles, freed=LOW, realisation=0.5, block_hours=block, weight="headcount")
    assert result["job_family"].to_list() == sorted(expected, key=lambda family: (family == "(no job family)", family))
    for row in result.iter_rows(named=True):
        jobs = expected[row["job_family"]]
        total = sum(people * hours for people, hours in jobs)
        usable = sum(people * hours for people, hours in jobs if hours >= block - 1e-9)
        assert row["jobs_measured"] == len(jobs)
        for end in ("low", "high"):
            assert row[f"gained_{end}"] == approx(total if jobs else None)
            assert row[f"usable_hours_{end}"] == approx(usable if jobs else None)
            assert row[f"usable_share_{end}"] == approx(usable / total if total else None)
            assert row[f"median_gained_{end}"] == approx(weighted_median(jobs))
        assert (row["reason"] is None) == (total > 0)
        assert (row["reason"] == "NOTHING_FREED") == (bool(jobs) and total == 0)


def weighted_median(jobs: list[tuple[float, float]]) -> float | None:
    half, so_far = sum(people for people, _ in jobs) / 2, 0.0
    for people, hours in sorted((pair for pair in jobs if pair[0] > 0), key=lambda pair: pair[1]):
        so_far += people
        if so_far >= half - 1e-9:
            return hours
    return None


_hours = st.sampled_from([0.0, 2.0, 5.0, 10.0, 20.0])
_people = st.sampled_from([0.0, 1.0, 4.0])


@hypothesis.given(jobs=st.lists(st.tuples(_hours, _hours, _people), min_size=1, max_size=4))
def test_usable_share_is_bounded_by_brute_force(jobs: list[tuple[float, float, float]]) -> None:
    freed: dict[str, Any] = {"H1": (0.2, 0.6), "H3": (0.0, 0.1)}
    profiles = profiles_of([job(task("H1", h1), task("H3", h3), headcount=n) for h1, h3, n in jobs])
    row = tpa.fragmentation(profiles, freed=freed, realisation=(0.5, 1), block_hours=2).row(0, named=True)
    candidates, shares = [], []
    for h1, h3, people in jobs:
        low, high = 0.5 * 0.2 * h1, 0.6 * h1 + 0.1 * h3
        thresholds = [hours for hours in (2.0 - 1e-7, 2.0, 1e-7) if low <= hours <= high]
        candidates.append([(people, hours) for hours in (low, high, *thresholds)])
    for chosen in itertools.product(*candidates):
        total = sum(people * hours for people, hours in chosen)
        if total > 0:
            shares.append(sum(people * hours for people, hours in chosen if hours >= 2.0 - 1e-9) / total)
    if not shares:
        assert (row["usable_share_low"], row["usable_share_high"], row["reason"]) == (None, None, "NOTHING_FREED")
    else:
        assert row["usable_share_low"] == pytest.approx(min(shares), abs=1e-5)
        assert row["usable_share_high"] == pytest.approx(max(shares), abs=1e-5)


@hypothesis.given(profiles=companies)
def test_usable_hours_decrease_with_the_block_size(profiles: tpa.TaskProfiles) -> None:
    for _, curve in fragmentation(profiles, block_hours=[8, 0.5, 4, 2, 0.5]).group_by("job_family"):
        assert curve["block_hours"].to_list() == [0.5, 2.0, 4.0, 8.0]
        for name in ("usable_hours_low", "usable_hours_high", "usable_share_low", "usable_share_high"):
            steps = curve[name].drop_nulls().to_list()
            assert all(larger <= smaller + 1e-9 for smaller, larger in itertools.pairwise(steps))
        for low, high in curve.select("usable_share_low", "usable_share_high").drop_nulls().rows():
            assert -1e-9 <= low <= high + 1e-9 <= 1 + 2e-9


def test_rounding_errors_do_not_exclude_an_exactly_filled_block() -> None:
    thirds = profiles_of([job(*(task("H1", 0.1) for _ in range(30)), headcount=5)])
    row = tpa.fragmentation(thirds, freed={"H1": 1}, realisation=1, block_hours=3.0).row(0, named=True)
    assert row["usable_share_low"] == 1.0


@pytest.mark.parametrize("blocks", [[], 0, -1.0, [1, 0], "4", [float("inf")], None])
def test_invalid_block_hours_raise(blocks: Any) -> None:
    with pytest.raises(tpa.SchemaError, match="`block_hours` must be above 0 and finite"):
        fragmentation(profiles_of([job(task())]), block_hours=blocks)
