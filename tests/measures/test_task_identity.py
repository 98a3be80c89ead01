"""Repeated rows of a task are combined in the same way by all measures."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.task_identity import aggregate_by_identity, one_row_per_task


def repeated(*rows: tuple[str | None, str, float | None]) -> tpa.TaskProfiles:
    tasks = [
        {"task_id": "t", "ai_impact_level": level, "validation_state": state, "weekly_hours": hours}
        for level, state, hours in rows
    ]
    return profiles_of([{"job_family": "A", "headcount": 2.0, "contract_hours": 40.0, "tasks": tasks}])


def all_hours_known(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Fill missing hours and round to quarter hours, so that `transitions` counts the hours of all tasks."""
    hours = (pl.col("weekly_hours").fill_null(2.5) * 4).round() / 4
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(weekly_hours=hours))


def h1_hours_by_task(profiles: tpa.TaskProfiles) -> dict[str, float]:
    """Return the hours of tasks at H1 by task."""
    rows_of_task: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected":
            rows_of_task[row["job_id"], row["task_id"]].append(row)
    hours: dict[str, float] = defaultdict(float)
    for (_, task), rows in rows_of_task.items():
        validated = {row["ai_impact_level"] for row in rows if row["validation_state"] == "validated"} - {None}
        levels = validated or {row["ai_impact_level"] for row in rows} - {None}
        if levels == {"H1"}:
            hours[task] += sum(row["weekly_hours"] for row in rows)
    return hours


def check_h1_hours(profiles: tpa.TaskProfiles, expected: dict[str, float]) -> None:
    total = sum(expected.values())
    bridge = tpa.compare(profiles, profiles).filter(scope="all")
    assert {hours or 0.0 for hours in (*bridge["before"], *bridge["after"])} <= {total}
    moves = tpa.transitions(profiles, profiles).filter(level_before="H1")
    assert (moves["hours_before"].sum(), moves["hours_after"].sum()) == (total, total)
    candidates = tpa.automation_candidates(profiles, rounds=0)
    curve = tpa.automation_curve(profiles)
    for table in (candidates, curve):
        assert dict(table.select("task_key", "h1_hours").rows()).items() <= expected.items()
    for hours, share in candidates.select("h1_hours", "share_of_h1").rows():
        assert math.isclose(share * total if total else 0.0, hours)


def check_all_hours(profiles: tpa.TaskProfiles) -> None:
    total = tpa.hours(profiles)["hours"].sum()
    assert tpa.concentration(profiles)["hours"].sum() == total
    assert tpa.shared_tasks(profiles, min_jobs=1)["hours"].sum() == total
    moves = tpa.transitions(profiles, profiles)
    assert (moves["hours_before"].sum(), moves["hours_after"].sum()) == (total, total)


@pytest.mark.parametrize(
    ("rows", "hours"),
    [
        ([("H1", "validated", 3.0), ("H2", "suggested", 2.0), (None, "suggested", 1.0)], 6.0),
        ([("H1", "suggested", 3.0), ("H2", "validated", 2.0), (None, "suggested", 1.0)], None),
        ([("H1", "validated", 3.0), ("H2", "validated", 2.0)], None),
        ([("H1", "suggested", 3.0), ("H2", "suggested", 2.0)], None),
        ([("H1", "suggested", 3.0), (None, "validated", 2.0)], 5.0),
    ],
)
def test_a_repeated_task_has_the_same_hours_in_every_measure(rows: list[Any], hours: float | None) -> None:
    for order in (rows, rows[::-1]):
        profiles = with_cache(repeated(*order))
        check_h1_hours(profiles, {} if hours is None else {"t": hours})
        check_all_hours(profiles)
        candidates = tpa.automation_candidates(profiles, rounds=0)
        assert candidates["h1_hours"].to_list() == [hours] * (hours is not None)


@hypothesis.given(profiles=companies.map(all_hours_known), seed=st.integers(0, 2**32 - 1))
def test_hours_of_repeated_tasks_are_the_same_for_random_companies(profiles: tpa.TaskProfiles, seed: int) -> None:
    tasks = profiles.tasks.sample(fraction=1, shuffle=True, seed=seed)
    shuffled = with_cache(tpa.TaskProfiles(profiles.jobs, tasks))
    check_h1_hours(shuffled, h1_hours_by_task(profiles))
    check_all_hours(shuffled)


def test_conflicting_levels_count_as_not_assessed() -> None:
    conflict = repeated(("H1", "validated", 3.0), ("H2", "validated", 2.0))
    row = tpa.compare(conflict, conflict).row(-1, named=True)
    assert (row["before"], row["after"], row["reason"], row["coverage_before"]) == (None, None, "NO_LEVELS", 0.0)
    assert tpa.transitions(conflict, conflict)["level_before"].to_list() == ["not assessed"]


def test_tasks_without_identity_are_not_combined() -> None:
    rows = repeated(("H1", "validated", 3.0), ("H2", "validated", 2.0))
    for name in (None, "", "  "):
        name_or_null = pl.lit(name, pl.String)
        nameless = tpa.TaskProfiles(rows.jobs, rows.tasks.with_columns(task_id=name_or_null, task=name_or_null))
        assert tpa.compare(nameless, nameless).item(-1, "before") == 3.0
        assert tpa.transitions(nameless, nameless).height == 0
        assert tpa.automation_candidates(nameless, rounds=0).height == 0


@hypothesis.given(rule=st.sampled_from(["keep", "max", "sum"]), profiles=companies)
def test_rows_of_a_task_are_combined_by_the_rule(profiles: tpa.TaskProfiles, rule: Any) -> None:
    shared = aggregate_by_identity(profiles)
    names, jobs = dict(shared.keys.select("key", "name").rows()), dict(shared.jobs.select("job", "job_id").rows())
    expected = defaultdict(list)
    for row in profiles.tasks.filter(pl.col("validation_state") != "rejected").iter_rows(named=True):
        expected[row["task_id"], row["job_id"]].append(row)
    result = one_row_per_task(shared.rows, hours=rule)
    assert result.select("key", "job").rows() == sorted(result.select("key", "job").rows())
    assert {(names[key], jobs[job]) for key, job in result.select("key", "job").rows()} == set(expected)
    for row in result.iter_rows(named=True):
        tasks = expected[names[row["key"]], jobs[row["job"]]]
        hours_of_rows = [task["weekly_hours"] for task in tasks if task["weekly_hours"] is not None]
        hours = {"keep": sum(hours_of_rows), "max": max(hours_of_rows, default=0.0), "sum": sum(hours_of_rows)}[rule]
        if not hours_of_rows or (rule == "sum" and len(hours_of_rows) < len(tasks)):
            assert row["hours"] is None
        else:
            assert math.isclose(row["hours"], hours, abs_tol=1e-9)
        assert (row["n"], row["n_known"]) == (len(tasks), len(hours_of_rows))
        levels = {task["ai_impact_level"] for task in tasks} - {None}
        validated = {task["ai_impact_level"] for task in tasks if task["validation_state"] == "validated"} - {None}
        level = "not assessed" if not levels else None
        for candidates in (validated, levels):
            if len(candidates) == 1:
                level = next(iter(candidates))
        assert row["level"] == level
        assert (row["reason"] == "CONFLICT") == (level is None)
        assert row["validated"] == (len(validated) == 1)


def test_no_tasks_return_the_same_schema() -> None:
    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": "H1"}
    job = {"job_family": "A", "headcount": None, "contract_hours": None, "tasks": [task]}
    expected = one_row_per_task(aggregate_by_identity(profiles_of([job])).rows, hours="max")
    result = one_row_per_task(aggregate_by_identity(profiles_of([])).rows, hours="max")
    assert result.height == 0
    assert result.schema == expected.schema


def test_unknown_rule_raises() -> None:
    with pytest.raises(tpa.SchemaError, match="`hours` must be 'keep', 'max' or 'sum', not 'mean'"):
        one_row_per_task(aggregate_by_identity(profiles_of([])).rows, hours="mean")  # type: ignore[arg-type]
