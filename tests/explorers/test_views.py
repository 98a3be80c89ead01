"""Chart, table and code of all explorer states."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.explorer_widget import chart_spec
from tests.helpers.unvalidated_charts import without_validation
from tpanalytics.explorers.static_page import _reachable_states
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKER = "CANARY-7f3a"


class Visit(NamedTuple):
    """Everything an explorer shows and returns in one state."""

    state: dict[str, Any]
    code: str
    spec: dict[str, Any]
    selected: pl.DataFrame
    labels: dict[str, list[str]]


def states(explorer: tpa.Explorer) -> Iterator[dict[str, Any]]:
    start = explorer.state
    yield from _reachable_states(explorer._facts, start, jobs=False)
    job = explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1]
    for search in ("", "report"):
        yield {**start, "view": "tasks", "search": search}
    yield {**start, "view": "tasks", "group": "Finance"}
    for rationales in (False, True):
        yield {**start, "view": "tasks", "group": "Finance", "job": job, "rationales": rationales}
    yield {**start, "groups": ["Sales", "Finance"]}
    yield {**start, "show": "weights", "level_weights": {"H1": 0.9, "H2": 0.25, "H4": 0.1}}
    yield {**start, "picked": ["Finance"]}


@pytest.fixture(scope="module")
def unvalidated_charts() -> None:
    """Validate charts, because their code is run here in every state."""


@pytest.fixture(scope="module")
def marked(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> list[tpa.TaskProfiles]:
    """Return both snapshots with a marker in every rationale."""
    rationale = pl.lit(MARKER).alias("ai_impact_rationale")
    return [tpa.TaskProfiles(each.jobs, each.tasks.with_columns(rationale), each.manifest) for each in snapshots]


@pytest.fixture(scope="module")
def visits(marked: list[tpa.TaskProfiles]) -> list[Visit]:
    """Visit all states once, because drawing them is slow."""
    with without_validation():
        explorer = tpa.explore(marked[1], marked[0])
        return [visit(explorer, state) for state in states(explorer)]


def visit(explorer: tpa.Explorer, state: dict[str, Any]) -> Visit:
    explorer.state = state
    widgets = {
        name: control.widget
        for name, control in explorer._control_bar.controls.items()
        if control.widget in explorer._control_bar.children
    }
    assert len(widgets) == len(explorer._control_bar.children)
    labels = {name: labels_of(widget) for name, widget in widgets.items()}
    return Visit(explorer.state, explorer.code(), {**chart_spec(explorer)}, explorer.selected, labels)


def labels_of(widget: Any) -> list[str]:
    children = getattr(widget, "children", ())
    return [text for child in children for text in labels_of(child)] if children else [widget.description]


@pytest.mark.slow
def test_code_reproduces_chart_and_table_in_every_state(visits: list[Visit], marked: list[tpa.TaskProfiles]) -> None:
    by_code = {visit.code: visit for visit in visits}
    for code, visit in by_code.items():
        variables: dict[str, Any] = dict(zip(("before", "profiles"), marked, strict=True))
        exec(code, variables)
        spec = variables["chart"].to_dict()
        assert spec["datasets"] == visit.spec["datasets"], code
        assert spec["title"] == {key: value for key, value in visit.spec["title"].items() if key != "offset"}
        assert spec.get("params", []) == [param for param in visit.spec.get("params", []) if param["name"] != "picked"]
        assert isinstance(visit.selected, pl.DataFrame)
        assert variables["table"].equals(visit.selected)
    assert len(by_code) > 25


def test_code_uses_the_explored_profiles() -> None:
    # The manifest of these profiles says that they are the sample, although they were filtered.
    finance = tpa.load_sample().filter(job_family="Finance")
    code = tpa.explore(finance).code()
    assert "load_sample" not in code
    variables: dict[str, Any] = {"profiles": finance}
    exec(code, variables)
    assert set(variables["table"]["job_family"]) == {"Finance"}


def test_only_relevant_controls_are_shown_and_each_has_a_label(visits: list[Visit], explorer: tpa.Explorer) -> None:
    names = {name for name, choices in explorer._facts.options(COUNTED_STATES).items() if len(choices) > 1}
    for visit in visits:
        assert all(texts and all(texts) for texts in visit.labels.values())
        level_weights = visit.state["view"] == "impact" and visit.state["show"] == "weights"
        assert ("level_weights" in visit.labels) == level_weights
    assert names - {"view"} <= {name for visit in visits for name in visit.labels}


@pytest.mark.slow
def test_rationales_are_only_included_on_request(
    visits: list[Visit], marked: list[tpa.TaskProfiles], tmp_path: Path
) -> None:
    requested = [visit for visit in visits if visit.state["rationales"] and visit.state["job"] is not None]
    assert requested
    for visit in visits:
        output = [visit.spec, visit.state, visit.code, visit.selected.to_dicts()]
        assert (MARKER in json.dumps(output, default=str)) == (visit in requested)
    page = tpa.explore(marked[1], marked[0]).freeze(tmp_path / "all.html", jobs=True)
    assert MARKER.encode() not in page.read_bytes()


def test_table_of_a_job_contains_the_counted_tasks(explorer: tpa.Explorer, profiles: tpa.TaskProfiles) -> None:
    job = profiles.tasks.filter(validation_state="suggested")["job_id"][0]
    family = profiles.jobs.filter(job_id=job)["job_family"][0]
    for states in (["validated"], ["validated", "suggested"]):
        explorer.state = {"view": "tasks", "group": family, "job": job, "states": states}
        assert set(explorer.selected["validation_state"]) == set(states)
        assert f"{explorer.selected.height} tasks" in json.dumps(chart_spec(explorer), ensure_ascii=False)


def test_selected_rows_have_metadata(explorer: tpa.Explorer) -> None:
    for state in ({"groups": ["Finance"]}, {"groups": [], "picked": ["Sales"]}, {"view": "tasks", "search": "a"}):
        explorer.state = state
        meaning = tpa.about(explorer.selected)
        assert meaning.unit
        if "search" not in state:
            assert meaning.grade is None, "the grade of the company does not apply to a subset"
