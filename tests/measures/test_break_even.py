"""Tests of the H2 weight at which two families change order."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import job, one_job, task
from tests.helpers.random_profiles import companies, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable


@hypothesis.given(profiles=companies)
def test_every_pair_that_changes_order_is_found(profiles: tpa.TaskProfiles) -> None:
    lines = tpa.exposure(profiles).filter(pl.col("exposure").is_not_null()).rows_by_key("job_family", named=True)
    expected = {}
    for left, right in itertools.combinations(sorted(lines), 2):
        a, b = lines[left][0], lines[right][0]
        low, high = a["weight_low"] - b["weight_low"], a["weight_high"] - b["weight_high"]
        if min(abs(low), abs(high)) > 1e-12 and (low > 0) != (high > 0):
            expected[frozenset((left, right))] = low / (low - high)
    table = tpa.break_even(profiles)
    assert {frozenset(pair) for pair in table.select("group_a", "group_b").rows()} == set(expected)
    for row in table.iter_rows(named=True):
        b = row["break_even"]
        assert math.isclose(b, expected[frozenset((row["group_a"], row["group_b"]))], abs_tol=1e-9)
        assert 0 < b < 1
        at_b = [row[f"weight_low_{x}"] * (1 - b) + row[f"weight_high_{x}"] * b for x in "ab"]
        assert math.isclose(*at_b, abs_tol=1e-9)
        assert row["exposure_a"] >= row["exposure_b"] - 1e-12
        assert (row["a_leads"] == "above") == (row["weight_high_a"] > row["weight_high_b"])


def test_two_families_computed_by_hand() -> None:
    steep, flat = [task("H1", 1.0), task("H2", 9.0)], [task("H1", 4.0), task("H3", 6.0)]
    other = [task("H1", 10.0)]
    profiles = profiles_of([job(*steep, family="S"), job(*flat, family="F"), job(*other, family="Top")])
    row = tpa.break_even(profiles).row(0, named=True)
    assert tpa.break_even(profiles).height == 1
    assert (row["group_a"], row["group_b"], row["a_leads"]) == ("S", "F", "above")
    assert row["break_even"] == pytest.approx(1 / 3)
    low = tpa.break_even(profiles, level_weights={"H1": 1.0, "H2": 0.1, "H3": 0.0}).row(0, named=True)
    assert (low["group_a"], low["a_leads"], low["break_even"]) == ("F", "below", pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.break_even(p, level_weights={"H1": 1}), "must include a weight for 'H2'"),
        (lambda p: tpa.break_even(p, states="validated"), "`states` must be a list of validation states like"),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
