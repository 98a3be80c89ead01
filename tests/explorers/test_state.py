"""State of an explorer."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tpanalytics as tpa
from tests.helpers.explorer_widget import chart_spec, click, control, weight_slider
from tpanalytics.explorers.state import START
from tpanalytics.schema import COUNTED_STATES


def test_state_round_trips_through_json(
    explorer: tpa.Explorer, snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]
) -> None:
    explorer.state = {"view": "hours", "groups": ["Finance", "Sales"], "states": ["validated"]}
    state = json.loads(json.dumps(explorer.state))
    restored = tpa.explore(snapshots[1], snapshots[0], state=state)
    assert restored.state == explorer.state
    assert restored.code() == explorer.code()
    assert chart_spec(restored) == chart_spec(explorer)
    assert control(restored, "groups").value == ("Finance", "Sales")
    assert control(restored, "states").value == ("validated",)


def test_state_is_a_copy(explorer: tpa.Explorer) -> None:
    explorer.state["groups"].append("Finance")
    explorer.state["level_weights"]["H1"] = 0.0
    assert explorer.state["groups"] == []
    assert explorer.state["level_weights"] == START["level_weights"]


@pytest.fixture(scope="module")
def unchanged(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tpa.Explorer:
    return tpa.explore(snapshots[1], snapshots[0])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("impact", "`state` must be a dict with entries of Explorer.state, not 'impact'"),
        ([("view", "tasks")], "`state` must be a dict with entries of Explorer.state"),
        ({"wieght": "tasks"}, r"`state` has no entry 'wieght' \(did you mean 'weight'\?\)"),
        ({"weight": "people"}, "`weight` must be 'tasks', 'hours', 'headcount' or 'fte', not 'people'"),
        ({"view": ["impact"]}, r"`view` must be 'impact', .* not \['impact'\]"),
        ({"groups": ["Finanz"]}, r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"),
        ({"groups": "Finance"}, "`groups` must be a list of names, empty for all, not 'Finance'"),
        ({"groups": None}, "`groups` must be a list of names, empty for all, not None"),
        ({"groups": iter(["Finance"])}, "`groups` must be a list of names"),
        ({"group": "Nowhere"}, "'Nowhere' is not a job family"),
        ({"job": ["x"]}, r"`job` requires `group`\. Set `group` before `job`\."),
        ({"picked": ["Finances"]}, "`picked` must contain only the 5 marks of this chart, not 'Finances'"),
        ({"level_weights": {"H1": 2}}, "must be a number from 0 to 1"),
        ({"level_weights": {1: 0.5}}, "Levels in `level_weights` must be strings like 'H1', not 1"),
        ({"level_weights": {"H1": 0.5}}, "`level_weights` must include a weight for 'H2'"),
        ({"states": ["rejected"]}, "are never counted"),
        ({"states": ["draft"]}, "no task is 'draft'"),
        ({"states": [None]}, "`states` must be a list of validation states"),
        ({"states": 5}, "`states` must be a list of validation states"),
        ({"search": 3}, "`search` must be a string, not 3"),
        ({"rationales": 1}, "`rationales` must be True or False, not 1"),
    ],
)
def test_invalid_state_raises_and_changes_nothing(unchanged: tpa.Explorer, state: Any, message: str) -> None:
    before, spec = unchanged.state, chart_spec(unchanged)
    with pytest.raises(tpa.SchemaError, match=message):
        unchanged.state = state
    assert (unchanged.state, chart_spec(unchanged)) == (before, spec)
    assert control(unchanged, "weight").value == before["weight"]


def test_one_snapshot_has_no_view_of_changes(profiles: tpa.TaskProfiles) -> None:
    explorer = tpa.explore(profiles)
    assert [label for label, _ in control(explorer, "view").options] == ["AI impact", "Weekly hours", "Skills", "Tasks"]
    with pytest.raises(tpa.SchemaError, match=r"'skills' or 'tasks'\. 'compare' requires an earlier snapshot"):
        explorer.state = {"view": "compare"}


def test_weights_between_slider_steps_are_preserved(explorer: tpa.Explorer) -> None:
    level_weights = {"H1": 0.93, "H2": 0.333, "H3": 0.0, "H9": 0.4}
    explorer.state = {"show": "weights", "level_weights": level_weights}
    assert explorer.state["level_weights"] == level_weights
    weight_slider(explorer, "H3").value = 0.1
    assert explorer.state["level_weights"] == {**level_weights, "H3": 0.1}


def test_inconsistent_entries_are_reset(explorer: tpa.Explorer) -> None:
    job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1]
    explorer.state = {"view": "tasks", "group": "Finance", "job": job}
    explorer.state = {"view": "impact"}
    explorer.state = {"group": "Sales"}
    assert explorer.state["job"] is None
    control(explorer, "weight").value = "tasks"
    assert "tasks" in explorer.code()
    explorer.state = {"picked": ["Finance"]}
    explorer.state = {"view": "tasks", "group": "Finance"}
    assert explorer.state["picked"] == []
    assert explorer.selected.height


def test_clicks_open_a_family_and_a_job(explorer: tpa.Explorer) -> None:
    control(explorer, "view").value = "tasks"
    click(explorer, "group", "Finance")
    assert explorer.state["group"] == "Finance"
    jobs = explorer.selected
    assert set(jobs["job_family"]) == {"Finance"}
    click(explorer, "job_id", jobs["job_id"][0])
    assert explorer.state["job"] == jobs["job_id"][0]
    assert set(explorer.selected["job_id"]) == {jobs["job_id"][0]}
    assert "ai_impact_rationale" not in explorer.selected.columns
    control(explorer, "rationales").value = True
    assert "ai_impact_rationale" in explorer.selected.columns
    control(explorer, "job").value = None
    assert explorer.selected.equals(jobs)
    control(explorer, "group").value = None
    assert explorer.state["job"] is None
    assert explorer.selected["job_family"].n_unique() == 5
