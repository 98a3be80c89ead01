"""Tests of transitions between levels or validation states."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import close, one_job, task
from tests.helpers.random_profiles import STATES
from tests.helpers.snapshot_pairs import (
    resolved_tasks,
    small_profiles,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@hypothesis.given(before=small_profiles, after=small_profiles)
def test_level_transitions_equal_loops_for_random_profiles(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    first, second = resolved_tasks(before, "H1"), resolved_tasks(after, "H1")
    expected: dict[tuple[Any, Any], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for key in {*first, *second}:
        levels = [(side[key].level or "not assessed") if key in side else None for side in (first, second)]
        totals = expected[levels[0], levels[1]]
        totals[0] += 1
        if all(side[key].with_hours for side in (first, second) if key in side):
            totals[1] += 1
            for i, side in ((2, first), (3, second)):
                totals[i] += side[key].hours if key in side else 0.0
    result = tpa.transitions(before, after)
    assert set(result.select("level_before", "level_after").rows()) == set(expected)
    for row in result.iter_rows(named=True):
        tasks, with_hours, hours_before, hours_after = expected[row["level_before"], row["level_after"]]
        assert (row["tasks"], row["tasks_with_hours"]) == (tasks, with_hours)
        assert close(row["hours_before"], hours_before if with_hours and row["level_before"] else None)
        assert close(row["hours_after"], hours_after if with_hours and row["level_after"] else None)
        rated = [level not in (None, "not assessed") for level in (row["level_before"], row["level_after"])]
        assert (row["move"] == "relevelled") == (all(rated) and row["level_before"] != row["level_after"])
    for (_,), rows in result.filter(~pl.col("move").is_in(["added", "removed"])).group_by("level_before"):
        assert math.isclose(rows["share"].sum(), 1.0)


def expected_states(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], str]:
    states: dict[tuple[str, str], str] = {}
    for row in profiles.tasks.iter_rows(named=True):
        key = row["job_id"], row["task_id"]
        states[key] = min(row["validation_state"], states.get(key, "rejected"), key=STATES.index)
    return states


@hypothesis.given(before=small_profiles, after=small_profiles)
def test_state_transitions_equal_loops_for_random_profiles(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    first, second = expected_states(before), expected_states(after)
    expected = Counter((first.get(key), second.get(key)) for key in {*first, *second})
    result = tpa.transitions(before, after, of="state")
    assert {row[:2]: row[2] for row in result.select("state_before", "state_after", "tasks").rows()} == expected
    for (state,), rows in result.group_by("state_before"):
        assert rows["share"].null_count() == rows.height if state is None else math.isclose(rows["share"].sum(), 1.0)


def test_rejected_tasks_are_separate_from_removed_tasks() -> None:
    before, after = one_job(task(state="suggested"), task(key="u")), one_job(task(state="rejected"))
    assert tpa.transitions(before, after, of="state").select("state_before", "state_after", "tasks").rows() == [
        ("validated", None, 1),
        ("suggested", "rejected", 1),
    ]
    assert any(
        "Neither snapshot contains rejected tasks" in text
        for text in tpa.about(tpa.transitions(before, before, of="state")).warnings
    )
    assert not tpa.about(tpa.transitions(before, after, of="state")).warnings


def test_rows_are_sorted_by_move_and_level() -> None:
    before = one_job(task("höchst", key="a"), task("H1", key="b"), task(None, key="c"), task("H2", key="d"))
    after = one_job(
        task("H1", key="a"), task("H1", key="b"), task("H3", key="c"), task(None, key="d"), task("H9", key="e")
    )
    assert tpa.transitions(before, after).select("move", "level_before", "level_after").rows() == [
        ("stayed", "H1", "H1"),
        ("relevelled", "höchst", "H1"),
        ("newly assessed", "not assessed", "H3"),
        ("no longer assessed", "H2", "not assessed"),
        ("added", None, "H9"),
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.transitions(p, p, same_task="name"), "must be 'id' or 'text', not"),
        (lambda p: tpa.transitions(p, p, of="state", same_task="name"), "must be 'id' or 'text', not"),
        (lambda p: tpa.transitions(p, p, of="job"), "`of` must be 'level' or 'state', not 'job'"),
        (lambda p: tpa.transitions(p, p, of="state", states=["validated"]), "`states` must be omitted with of='state'"),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
