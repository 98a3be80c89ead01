"""Explorers of any group of jobs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.explorers.conftest import unvalidated_charts
from tests.helpers.explorer_widget import chart_spec, click, control
from tests.helpers.grouped import with_countries, with_sites
from tpanalytics.schema import COUNTED_STATES, TASKS

__all__ = ["unvalidated_charts"]

STATES: list[dict[str, Any]] = [
    {},
    {"show": "weights"},
    {"view": "hours", "states": ["validated"]},
    {"view": "impact", "show": "curve", "states": list(COUNTED_STATES)},
    {"view": "skills"},
    {"view": "tasks"},
    {"search": "re"},
    {"view": "compare", "search": ""},
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
        by_group = "value" in state or state.get("change") == "groups"
        if by_group and not explorer._facts.compares_groups(COUNTED_STATES):
            continue  # a single group has no changes by group, and different groups can be suppressed
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
        if "country" not in explorer.selected.columns:
            continue  # all jobs together
        rows = explorer.selected.filter(pl.col("country").is_in(list(suppressed)))
        assert set(rows["reason"] if "reason" in rows.columns else ()) <= {"SUPPRESSED"}
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
    views = [value for _, value in control(explorer, "view").options]
    assert views == ["impact", "hours", "skills", "tasks", "compare"]
    whole = tpa.explore(after, before, by=None, state={"view": "compare"})
    assert [value for _, value in control(whole, "change").options] == ["bridge", "moves"]
    assert control(whole, "groups") not in whole._control_bar.children
    for by, message in (("contry", "did you mean 'country'"), ("job_id", "must name columns that group jobs")):
        with pytest.raises(tpa.SchemaError, match=message):
            tpa.explore(after, before, by=by)


BY: list[Any] = ["country", ["country", "pay_grade"], "site", None]


@pytest.mark.parametrize("by", BY)
def test_jobs_of_each_group_can_be_opened(by: Any, grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    profiles = grouped[1]
    explorer = tpa.explore(profiles, by=by, state={"view": "tasks"}, privacy=tpa.Privacy(min_headcount=0))
    columns = [by] if isinstance(by, str) else by or []
    if by is not None:
        group = explorer._facts.visible_groups(COUNTED_STATES)[0]
        click(explorer, "group", group)
        assert explorer.state["group"] == group
        assert explorer.selected.select(pl.concat_str(columns, separator=" · ")).to_series().unique().to_list() == [
            group
        ]
    names: dict[str, Any] = {"profiles": profiles}
    exec(explorer.code(), names)
    assert names["table"].equals(explorer.selected)
    assert names["chart"].to_dict()["datasets"] == chart_spec(explorer)["datasets"]
    jobs = tpa.hours(profiles, by=[*columns, "job_id"], weight="hours")
    assert set(explorer.selected["job_id"]) <= set(jobs["job_id"])
    job = explorer.selected["job_id"][0]
    click(explorer, "job_id", job)
    assert explorer.state["job"] == job
    texts = [getattr(child, "description", "") or child.value for child in explorer._breadcrumb.children]
    assert texts[0] == {"country": "All countries", "site": "All sites", None: "All jobs"}.get(
        by if by is None or isinstance(by, str) else "", "All groups"
    )
    explorer._breadcrumb.children[0].click()
    assert (explorer.state["group"], explorer.state["job"]) == (None, None)


def test_jobs_with_few_people_in_one_site_are_hidden_in_all_sites(
    grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    profiles = grouped[1]
    first = profiles.people.filter(site="Ghent").item(0, "job_id")  # type: ignore[union-attr]
    few = pl.when((pl.col("job_id") == first) & (pl.col("site") == "Ghent")).then(1).otherwise(20)
    people = profiles.people.with_columns(headcount=few.cast(pl.Int64), fte=few.cast(pl.Float64))  # type: ignore[union-attr]
    assert people.filter(job_id=first).height == 2
    explorer = tpa.explore(replace(profiles, people=people), by="site", state={"view": "tasks", "group": "Ghent"})
    ghent = set(explorer.selected["job_id"])
    assert first not in ghent
    assert first not in json.dumps(chart_spec(explorer)["datasets"])
    hidden = set(people.filter(site="Ghent")["job_id"]) - ghent
    assert len(hidden) == 2, "another job protects it from the total of the site"
    explorer.state = {"group": "Lyon"}
    lyon = set(people.filter(site="Lyon")["job_id"])
    hidden_too = lyon - set(explorer.selected["job_id"])
    assert first in hidden_too, "the rest of the job's people would reveal those in Ghent"
    assert len(hidden_too) == 2


def test_skills_are_of_all_jobs_or_of_the_selected_groups(
    grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    profiles = grouped[1]
    privacy = tpa.Privacy(min_headcount=0)
    explorer = tpa.explore(profiles, by="country", state={"view": "skills"}, privacy=privacy)
    assert explorer.selected.equals(tpa.suppress(tpa.skills(profiles, by=None), profiles, privacy=privacy))
    explorer.state = {"groups": ["BE"]}
    shown = tpa.suppress(tpa.skills(profiles, by="country"), profiles, privacy=privacy)
    assert explorer.selected.equals(shown.filter(country="BE"))
    nothing = tpa.explore(profiles, by="country", state={"view": "skills"}, privacy=tpa.Privacy(min_jobs=10_000))
    assert set(nothing.selected["reason"]) == {"SUPPRESSED"}


def test_skills_are_only_offered_if_tasks_have_skills(grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    profiles = replace(
        grouped[1], tasks=grouped[1].tasks.with_columns(linked_skills=pl.lit([], TASKS["linked_skills"]))
    )
    explorer = tpa.explore(profiles)
    assert "skills" not in [value for _, value in control(explorer, "view").options]
    with pytest.raises(tpa.SchemaError, match=r"`view` must not be 'skills': no task has a skill\. Load"):
        explorer.state = {"view": "skills"}


def test_jobs_without_people_are_in_no_site(grouped: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    profiles = grouped[1]
    people = profiles.people.drop_nulls("site").filter(pl.col("job_id") != "job-0001")  # type: ignore[union-attr]
    explorer = tpa.explore(replace(profiles, people=people), by="site")
    assert set(explorer.selected["site"]) == set(people["site"])
    assert explorer.selected.filter(reason="SUPPRESSED").is_empty()
    with pytest.raises(tpa.ArgumentError, match="no site"):
        explorer.state = {"groups": ["(no site)"]}
