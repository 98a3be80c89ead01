"""Explorers of any group of jobs."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.explorers.conftest import unvalidated_charts
from tests.helpers.explorer_widget import chart_spec, click, control
from tests.helpers.grouped import with_countries, with_sites
from tpanalytics.schema import COUNTED_STATES

__all__ = ["unvalidated_charts"]

STATES: list[dict[str, Any]] = [
    {},
    {"show": "weights"},
    {"view": "hours", "states": ["validated"]},
    {"view": "compare", "states": list(COUNTED_STATES)},
    {"change": "groups"},
    {"value": "exposure"},
    {"change": "moves"},
]


@pytest.fixture(scope="module")
def grouped(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    before, after = (with_sites(with_countries(profiles)) for profiles in snapshots)
    return before, after


@pytest.mark.parametrize("by", ["country", ["country", "pay_grade"], "site", None])
def test_code_of_each_view_reproduces_chart_and_table(
    by: Any, grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]
) -> None:
    before, after = grouped
    explorer = tpa.explore(after, before, by=by, privacy=tpa.Privacy(min_headcount=0))
    for state in STATES:
        if state.keys() & {"value"} | {state.get("change")} & {"groups"} and by is None:
            continue  # a single group has no changes by group
        explorer.state = state
        names: dict[str, Any] = {"profiles": after, "before": before}
        exec(explorer.code(), names)
        assert names["table"].equals(explorer.selected), explorer.code()
        assert names["chart"].to_dict()["datasets"] == chart_spec(explorer)["datasets"], explorer.code()
        text = json.dumps([chart_spec(explorer), explorer.code()], ensure_ascii=False)
        assert not re.search(r"famil(y|ies)\b", text.replace("font-family", ""), re.IGNORECASE), explorer.code()


def test_clicks_and_selections_filter_by_the_label_of_several_columns(
    grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    explorer = tpa.explore(grouped[1], by=["country", "pay_grade"], privacy=None)
    click(explorer, "group", "BE · 7")
    assert explorer.selected.select("country", "pay_grade").unique().rows() == [("BE", "7")]
    control(explorer, "groups").value = ("BE · 6", "BE · 7")
    assert set(explorer.selected["country"]) == {"BE"}
    assert control(explorer, "groups").description.startswith("Groups (")
    with pytest.raises(tpa.SchemaError, match=r"'BE · 9' is not a group \(did you mean 'BE"):
        explorer.state = {"groups": ["BE · 9"]}


def test_groups_are_suppressed_by_the_same_column(grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    before, after = grouped
    explorer = tpa.explore(after, before, by="country", privacy=tpa.Privacy(min_headcount=0))
    assert set(explorer._facts.groups) == {"BE", "DE", "FR", "LU", "(no country)"}
    suppressed = {*explorer._facts.groups} - {*explorer._facts.visible_groups(COUNTED_STATES)}
    assert "LU" in suppressed
    assert len(suppressed) == 2
    for state in STATES[:-1]:
        explorer.state = state
        rows = explorer.selected.filter(pl.col("country").is_in(list(suppressed)))
        assert set(rows["reason"]) == {"SUPPRESSED"}
        drawn = [row for rows in chart_spec(explorer)["datasets"].values() for row in rows if row.get("group") == "LU"]
        assert not [value for row in drawn for value in row.values() if isinstance(value, float)], state


def test_people_are_counted_first_in_groups_of_people(grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    profiles = grouped[1]
    explorer = tpa.explore(profiles, by="site")
    assert explorer.state["weight"] == "headcount"
    assert explorer.selected.equals(tpa.suppress(tpa.impact(profiles, by="site"), profiles))
    assert tpa.explore(profiles, by="country").state["weight"] == "hours"


def test_only_views_by_group_are_offered(grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    before, after = grouped
    explorer = tpa.explore(after, before, by="country")
    assert [value for _, value in control(explorer, "view").options] == ["impact", "hours", "compare"]
    with pytest.raises(tpa.SchemaError, match="`view` must not be 'tasks': jobs and tasks are listed by job family"):
        explorer.state = {"view": "tasks"}
    whole = tpa.explore(after, before, by=None, state={"view": "compare"})
    assert [value for _, value in control(whole, "change").options] == ["bridge", "moves"]
    assert control(whole, "groups") not in whole._control_bar.children
    for by, message in (("contry", "did you mean 'country'"), ("job_id", "must name columns that group jobs")):
        with pytest.raises(tpa.SchemaError, match=message):
            tpa.explore(after, before, by=by)
