from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of

KEYS = "abcde"
_hours = st.lists(st.sampled_from([None, 0.0, 1.0, 2.5, 6.0]), min_size=len(KEYS), max_size=len(KEYS))
_jobs = st.lists(st.tuples(_hours, st.sampled_from([1.0, 3.0])), min_size=1, max_size=5)


def company(jobs: list[Any]) -> tpa.TaskProfiles:
    return profiles_of(
        [
            {
                "job_family": "A",
                "headcount": headcount,
                "tasks": [
                    {"task_id": key, "validation_state": "validated", "weekly_hours": h, "ai_impact_level": "H1"}
                    for key, h in zip(KEYS, hours, strict=True)
                ],
            }
            for hours, headcount in jobs
        ]
    )


@hypothesis.given(profiles=companies, weight=st.sampled_from(["hours", "headcount", "fte"]))
def test_curve_accumulates_the_hours_of_the_candidates(profiles: tpa.TaskProfiles, weight: Any) -> None:
    candidates = tpa.automation_candidates(profiles, weight=weight, rounds=0).filter(pl.col("h1_hours").is_not_null())
    curve = tpa.automation_curve(profiles, weight=weight)
    assert curve["task_key"].to_list() == candidates["task_key"].to_list()
    assert curve["k"].to_list() == list(range(1, curve.height + 1))
    assert curve["h1_hours_cumulative"].to_list() == pytest.approx(list(itertools.accumulate(candidates["h1_hours"])))
    shares = candidates["share_of_h1"].drop_nulls()
    if shares.len():
        assert curve["share_cumulative"].to_list()[-1] == pytest.approx(shares.sum())


@hypothesis.given(jobs=_jobs, block=st.sampled_from([1.0, 4.0, 7.5]))
def test_greedy_order_fills_blocks_within_its_guarantee(jobs: list[Any], block: float) -> None:
    def hours_freed(hours: Any, chosen: Any) -> float:
        return sum(hours[KEYS.index(key)] or 0.0 for key in chosen)

    def filled(chosen: Any) -> float:
        return sum(headcount * min(block, hours_freed(hours, chosen)) for hours, headcount in jobs)

    curve = tpa.automation_curve(company(jobs), weight="headcount", block_hours=block)
    chosen: list[str] = []
    for row in curve.iter_rows(named=True):
        gains = {key: filled([*chosen, key]) - filled(chosen) for key in KEYS if key not in chosen}
        assert gains[row["task_key"]] == pytest.approx(max(gains.values()))
        chosen.append(row["task_key"])
        assert row["block_hours_filled"] == pytest.approx(filled(chosen))
        optimum = max(filled(keys) for keys in itertools.combinations(KEYS, len(chosen)))
        assert filled(chosen) >= (1 - 1 / math.e) * optimum - 1e-9
        relieved = sum(hours_freed(hours, chosen) >= block - 1e-9 for hours, _ in jobs)
        assert row["jobs_relieved"] == relieved
        with_hours = sum(any(h is not None for h in hours) for hours, _ in jobs)
        assert row["share_relieved"] == pytest.approx(relieved / with_hours)
    assert filled(chosen) == pytest.approx(filled(KEYS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block_hours": 0}, "`block_hours` must be above 0 and finite .*, or None, not 0"),
        ({"block_hours": float("nan")}, "`block_hours` must be above 0 and finite .*, or None, not nan"),
        ({"top": True}, "`top` must be a whole number, 1 or more, not True"),
    ],
)
def test_invalid_arguments_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.automation_curve(company([]), **arguments)


def test_missing_headcount_column_raises() -> None:
    profiles = company([])
    with pytest.raises(tpa.SchemaError, match="`jobs` has no column 'headcount'"):
        tpa.automation_curve(tpa.TaskProfiles(profiles.jobs.drop("headcount"), profiles.tasks), weight="headcount")
