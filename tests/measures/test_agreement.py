"""Each job has each task once, by the rule asked for; and agreement is what its definition says."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures._core.agreement import agreement, ordinal_alpha
from tpanalytics.measures._core.task_identity import aggregate_by_identity, one_row_per_task
from tpanalytics.measures.coverage import uneven_hours

if TYPE_CHECKING:
    from collections.abc import Sequence


def ratings_of(units: Sequence[Sequence[str]]) -> pl.DataFrame:
    rows = [(key, level, n) for key, levels in enumerate(units) for level, n in sorted(Counter(levels).items())]
    return pl.DataFrame(rows, schema={"key": pl.UInt32, "level": pl.String, "jobs": pl.Int64}, orient="row")


def alpha_by_pairs(units: Sequence[Sequence[str]]) -> float | None:
    """Compute it from every ordered pair of ratings, one by one."""
    pairable = [[int(level[1]) for level in levels] for levels in units if len(levels) > 1]
    values = [value for levels in pairable for value in levels]
    frequency = Counter(values)

    def distance(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        return float(sum(frequency[g] for g in range(low, high + 1)) - (frequency[a] + frequency[b]) / 2) ** 2

    n = len(values)
    expected = sum(distance(a, b) for a, b in itertools.permutations(values, 2)) / (n * (n - 1)) if n > 1 else 0.0
    if not expected:
        return None
    observed = sum(
        sum(distance(a, b) for a, b in itertools.permutations(levels, 2)) / (len(levels) - 1) for levels in pairable
    )
    return 1 - observed / n / expected


def test_alpha_is_that_of_the_published_example() -> None:
    # Four observers and twelve units, Krippendorff 2011, with missing data: ordinal alpha 0.815.
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [[f"H{row[unit]}" for row in observers if row[unit] != "."] for unit in range(12)]
    assert ordinal_alpha(ratings_of(units)) == pytest.approx(0.815, abs=0.0005)


@hypothesis.given(units=st.lists(st.lists(st.sampled_from(["H1", "H2", "H3", "H4", "H5"]), max_size=5), max_size=12))
def test_alpha_equals_brute_force(units: list[list[str]]) -> None:
    ours, theirs = ordinal_alpha(ratings_of(units)), alpha_by_pairs(units)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert math.isclose(ours, theirs, abs_tol=1e-9)


def test_a_level_outside_the_order_moves_no_alpha() -> None:
    units = [["H1", "H1", "H2"], ["H3", "H3"], ["H2", "H1"]]
    beside = [["H1", "H9", "H1", "H2"], ["H3", "H3", "höchst"], ["H2", "H1"], ["H9", "H9"]]
    assert ordinal_alpha(ratings_of(beside)) == pytest.approx(ordinal_alpha(ratings_of(units)))


def test_opposed_ratings_agree_less_than_near_ones() -> None:
    even = [["H1", "H1"], ["H2", "H2"], ["H3", "H3"]]
    near, far = ordinal_alpha(ratings_of([*even, ["H1", "H2"]])), ordinal_alpha(ratings_of([*even, ["H1", "H3"]]))
    assert near is not None
    assert far is not None
    assert far < near < 1


@hypothesis.given(units=st.lists(st.lists(st.sampled_from(["H1", "H2", "H9"]), max_size=6), max_size=8))
def test_pairs_are_those_one_would_count(units: list[list[str]]) -> None:
    unique = pl.DataFrame({"key": [key for key, levels in enumerate(units) for _ in levels]}, schema={"key": pl.UInt32})
    found = agreement(unique, ratings_of(units))
    pairs = [pair for levels in units for pair in itertools.combinations(levels, 2)]
    assert (found.pairs, found.equal) == (len(pairs), sum(a == b for a, b in pairs))
    assert found.rated == found.shared == sum(len(levels) > 1 for levels in units)
    assert found.differing == sum(len(set(levels)) > 1 for levels in units)


def test_jobs_beyond_number_do_not_overflow() -> None:
    rated = pl.DataFrame({"key": [0], "level": ["H1"], "jobs": [100_000]})
    assert agreement(pl.DataFrame({"key": [0, 0]}), rated).pairs == 4_999_950_000


@pytest.mark.parametrize("rule", ["keep", "max", "sum"])
@hypothesis.given(profiles=companies)
def test_keys_are_made_unique_as_by_hand(profiles: tpa.TaskProfiles, rule: Any) -> None:
    shared = aggregate_by_identity(profiles)
    names, jobs = dict(shared.keys.select("key", "name").rows()), dict(shared.jobs.select("job", "job_id").rows())
    expected = defaultdict(list)
    for row in profiles.tasks.filter(pl.col("validation_state") != "rejected").iter_rows(named=True):
        expected[row["task_id"], row["job_id"]].append(row)
    found = one_row_per_task(shared.rows, hours=rule)
    assert found.select("key", "job").rows() == sorted(found.select("key", "job").rows())
    assert {(names[key], jobs[of_job]) for key, of_job in found.select("key", "job").rows()} == set(expected)
    for row in found.iter_rows(named=True):
        tasks = expected[names[row["key"]], jobs[row["job"]]]
        known = [task["weekly_hours"] for task in tasks if task["weekly_hours"] is not None]
        hours = {"keep": sum(known), "max": max(known, default=0.0), "sum": sum(known)}[rule]
        if not known or (rule == "sum" and len(known) < len(tasks)):
            assert row["hours"] is None
        else:
            assert math.isclose(row["hours"], hours, abs_tol=1e-9)
        assert (row["n"], row["n_known"]) == (len(tasks), len(known))
        stated = {task["ai_impact_level"] for task in tasks} - {None}
        settled = {task["ai_impact_level"] for task in tasks if task["validation_state"] == "validated"} - {None}
        level = "not assessed" if not stated else None
        for levels in (settled, stated):
            if len(levels) == 1:
                level = next(iter(levels))
        assert row["level"] == level
        assert (row["reason"] == "CONFLICT") == (level is None)
        assert row["validated"] == (len(settled) == 1)


def test_no_tasks_give_the_columns_of_some() -> None:
    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": "H1"}
    one = {"job_family": "A", "headcount": None, "contract_hours": None, "tasks": [task]}
    some = one_row_per_task(aggregate_by_identity(profiles_of([one])).rows, hours="max")
    none = one_row_per_task(aggregate_by_identity(profiles_of([])).rows, hours="max")
    assert none.height == 0
    assert none.schema == some.schema


def test_another_rule_is_refused_with_the_choices() -> None:
    with pytest.raises(tpa.SchemaError, match="`hours` must be 'keep', 'max' or 'sum', not 'mean'"):
        one_row_per_task(aggregate_by_identity(profiles_of([])).rows, hours="mean")  # type: ignore[arg-type]


@hypothesis.given(profiles=companies)
def test_groups_are_compared_with_all_others(profiles: tpa.TaskProfiles) -> None:
    found = uneven_hours(aggregate_tasks(profiles, by_state=True).cells)
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    columns = {
        "validation state": counted["validation_state"],
        "AI impact level": counted["ai_impact_level"].fill_null("not assessed"),
        "job family": counted["job_family"].fill_null("(no family)"),
    }
    groups = {
        (by, value) for by, column in columns.items() if column.n_unique() > 1 for value in column.unique().to_list()
    }
    assert set(found.select("by", "group").rows()) == groups
    known = counted["weekly_hours"].is_not_null()
    for row in found.iter_rows(named=True):
        inside = columns[row["by"]] == row["group"]
        shares = known.filter(inside).mean(), known.filter(~inside).mean()
        assert row["tasks"] == inside.sum()
        assert math.isclose(row["coverage"], shares[0], abs_tol=1e-9)
        assert math.isclose(row["others"], shares[1], abs_tol=1e-9)
        if row["stands_out"]:
            assert abs(shares[0] - shares[1]) > 0.1
