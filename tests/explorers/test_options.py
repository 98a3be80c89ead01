"""Suppression in the options, charts and tables of an explorer."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.by_job import hours_by_job
from tests.helpers.explorer_widget import chart_spec, click, control
from tpanalytics.explorers.static_page import _reachable_states
from tpanalytics.schema import COUNTED_STATES


def with_two_jobs(profiles: tpa.TaskProfiles, family: str) -> tpa.TaskProfiles:
    """Return the profiles with only two jobs of a family, which is then suppressed."""
    jobs = profiles.jobs.filter((pl.col("job_family") != family) | (pl.int_range(pl.len()).over("job_family") < 2))
    return tpa.TaskProfiles(jobs, profiles.tasks.join(jobs, on="job_id", how="semi"))


def test_suppressed_family_is_suppressed_in_every_view(profiles: tpa.TaskProfiles) -> None:
    profiles = with_two_jobs(profiles, "Finance")
    explorer = tpa.explore(profiles)
    suppressed = set(explorer._facts.groups) - set(explorer._facts.visible_groups(COUNTED_STATES))
    assert "Finance" in suppressed
    assert len(suppressed) > 1
    actual = tpa.hours(profiles).filter(pl.col("job_family").is_in(list(suppressed)))
    assert not [value for _, value in control(explorer, "group").options if value in suppressed]
    for state in _reachable_states(explorer._facts, explorer.state, jobs=True):
        explorer.state = state
        if state["view"] == "skills":
            continue  # figures of all jobs together
        rows = explorer.selected.filter(pl.col("job_family").is_in(list(suppressed)))
        assert not rows.height or set(rows.get_column("reason")) == {"SUPPRESSED"}
        data = json.dumps(chart_spec(explorer).get("datasets", {}))
        assert not [hours for hours in actual["hours"] if f": {hours}," in data]
    explorer.state = {"view": "tasks", "search": "a", "group": None}
    assert explorer.selected.height
    assert not set(explorer.selected["job_family"]) & suppressed
    click(explorer, "group", "Finance")
    assert explorer.state["group"] is None


def test_tables_have_no_figures_if_everything_is_suppressed(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    explorer = tpa.explore(snapshots[1], snapshots[0], privacy=tpa.Privacy(min_jobs=10_000))
    for state in [*_reachable_states(explorer._facts, explorer.state, jobs=True), {"view": "tasks", "search": "a"}]:
        explorer.state = state
        figures = explorer.selected.select(pl.selectors.numeric() - pl.selectors.by_name("jobs", require_all=False))
        assert figures.height == 0 or figures.select(pl.all().count()).sum_horizontal().item() == 0, explorer.code()


def test_table_of_level_changes_suppresses_the_same_cells_as_the_chart(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    explorer = tpa.explore(snapshots[1], snapshots[0], state={"view": "compare", "change": "moves"})
    suppressed = explorer.selected.filter(reason="SUPPRESSED")
    transitions = tpa.transitions(*snapshots)
    small = transitions.filter(pl.col("jobs") < 3)
    assert small.height
    assert small.join(suppressed, on=["level_before", "level_after"], how="anti", nulls_equal=True).height == 0
    figures = ("tasks", "jobs", "tasks_with_hours", "hours_before", "hours_after", "share")
    assert suppressed.select(pl.col(figures).count()).sum_horizontal().item() == 0
    assert f"{suppressed.height} level changes are suppressed" in json.dumps(chart_spec(explorer))
    assert explorer.selected.height == transitions.height


def test_changes_by_family_are_not_offered_if_they_suppress_other_families(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    before, after = with_two_jobs(snapshots[0], "Sales"), snapshots[1]
    explorer = tpa.explore(after, before, state={"view": "compare"})
    assert explorer._facts.visible_groups(COUNTED_STATES) == explorer._facts.groups
    assert [value for _, value in control(explorer, "change").options] == ["bridge", "moves"]
    assert explorer.selected["scope"].to_list() == ["all"]
    with pytest.raises(tpa.SchemaError, match="`change` must be 'bridge' or 'moves', not 'groups'"):
        explorer.state = {"change": "groups"}
    variables: dict[str, Any] = {"before": before, "profiles": after}
    exec(explorer.code(), variables)
    assert variables["table"].equals(explorer.selected)
    unsuppressed = tpa.explore(after, before, state={"view": "compare", "change": "groups"}, privacy=None)
    assert "Sales" in unsuppressed.selected["job_family"].to_list()


@pytest.mark.parametrize("states", [["validated", "suggested"], ["validated"]])
def test_suppressed_job_cannot_be_derived_from_the_family_total(profiles: tpa.TaskProfiles, states: list[str]) -> None:
    job = profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    headcount = pl.when(pl.col("job_id") == job).then(1.0).otherwise(8.0)
    profiles = tpa.TaskProfiles(profiles.jobs.with_columns(headcount=headcount), profiles.tasks)
    explorer = tpa.explore(profiles, state={"view": "tasks", "group": "Finance", "states": states})
    data = json.dumps(chart_spec(explorer)["datasets"])
    rows, finance = explorer.selected, profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"]
    options = {value for _, value in control(explorer, "job").options} - {None}
    assert 0 < rows.height < len(finance) - 1
    assert set(rows["job_id"]) == options == {job_id for job_id in finance if f'"{job_id}"' in data}
    family_hours = tpa.hours(profiles, states=states).filter(job_family="Finance")["hours"][0]
    job_hours = hours_by_job(profiles, states=states).filter(job_id=job)["hours"][0]
    assert job_hours
    assert abs(family_hours - rows["hours"].sum() - job_hours) > 1e-6
    explorer.state = {"view": "tasks", "search": "a", "group": None}
    matches = tpa.find_tasks(profiles, "a", states=states).filter(job_family="Finance")
    omitted = matches.join(explorer.selected, on="task_id", how="anti")["job_id"]
    assert omitted.n_unique() > 1
    assert job in omitted.to_list()
    assert "The table omits" in explorer._message.value


def test_job_with_few_people_cannot_be_opened(profiles: tpa.TaskProfiles) -> None:
    job = profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    headcount = pl.when(pl.col("job_id") == job).then(2.0).otherwise("headcount")
    profiles = tpa.TaskProfiles(profiles.jobs.with_columns(headcount=headcount), profiles.tasks, profiles.manifest)
    explorer = tpa.explore(profiles, state={"view": "tasks", "group": "Finance"})
    assert job not in [value for _, value in control(explorer, "job").options]
    assert job not in explorer.selected["job_id"].to_list()
    assert job not in json.dumps(chart_spec(explorer))
    with pytest.raises(tpa.SchemaError, match="one of the 2 jobs shown for family 'Finance'"):
        explorer.state = {"job": job}
    unsuppressed = tpa.explore(profiles, state={"view": "tasks", "group": "Finance", "job": job}, privacy=None)
    assert unsuppressed.state["job"] == job


def test_family_suppressed_for_some_states_cannot_be_opened(profiles: tpa.TaskProfiles) -> None:
    two = profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"][:2].to_list()
    in_finance = pl.col("job_family") == "Finance"
    state = pl.when(in_finance & ~pl.col("job_id").is_in(two)).then(pl.lit("suggested")).otherwise(pl.lit("validated"))
    tasks = profiles.tasks.drop("job_family", strict=False)
    tasks = tasks.join(profiles.jobs.select("job_id", "job_family"), on="job_id").with_columns(validation_state=state)
    explorer = tpa.explore(tpa.TaskProfiles(profiles.jobs, tasks), state={"view": "tasks", "group": "Finance"})
    control(explorer, "states").value = ("validated",)
    assert explorer.state["group"] is None
    assert "Finance" not in [value for _, value in control(explorer, "group").options]
    explorer.state = {"search": "a"}
    assert "Finance" not in explorer.selected["job_family"].to_list()
    with pytest.raises(tpa.SchemaError, match=r"`group` must not be 'Finance': its jobs are suppressed \(small group"):
        explorer.state = {"group": "Finance"}


def test_validated_only_is_not_offered_if_the_difference_reveals_a_small_group(profiles: tpa.TaskProfiles) -> None:
    job = profiles.jobs.filter(pl.col("job_family") == "Finance")["job_id"][0]
    state = pl.when(pl.col("job_id") == job).then(pl.lit("suggested")).otherwise(pl.lit("validated"))
    one_suggested = tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(validation_state=state))
    assert len(control(tpa.explore(one_suggested), "states").options) == 1
    assert len(control(tpa.explore(one_suggested, privacy=None), "states").options) == 2
    assert len(control(tpa.explore(profiles), "states").options) == 2
    assert len(control(tpa.explore(profiles, one_suggested), "states").options) == 1
