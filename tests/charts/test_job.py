"""Tests of the chart of a single job."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.by_job import exposure_by_job
from tests.helpers.chart_specs import job_in, layers_of, rows_of, text_of, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours, percent

FREED: dict[str, Any] = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0}


def test_every_hour_is_drawn_and_every_task_is_listed(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_job(sample, "job-0002").to_dict()
    own = sample.tasks.filter(pl.col("job_id") == "job-0002", pl.col("validation_state") != "rejected")
    blocks = next(rows for rows in spec["datasets"].values() if rows and {"start", "end", "task"} <= set(rows[0]))
    with_hours = own.filter(pl.col("weekly_hours") > 0)
    drawn = sorted((block["task"], block["end"] - block["start"]) for block in blocks)
    assert drawn == sorted(with_hours.select("task", "weekly_hours").rows())
    assert [block["level"] for block in blocks] == sorted(block["level"] for block in blocks)
    listed = [row["task"].replace("\n", " ") for rows in spec["datasets"].values() for row in rows if "task" in row]
    assert set(listed) == set(own["task"])
    assert spec["description"].count("unknown hours") == own["weekly_hours"].null_count()
    documented, week = own["weekly_hours"].sum(), 38.5
    note = f"{hours(documented)} documented of a 38.5\xa0h contract week, {hours(week - documented)} undocumented"
    assert note in text_of(spec)
    rest = next(rows for rows in spec["datasets"].values() if rows and set(rows[0]) == {"start", "end", "paint"})
    assert [(row["start"], row["end"]) for row in rest] == [(documented, week)]


def test_scenario_states_the_freed_and_remaining_hours(sample: tpa.TaskProfiles) -> None:
    description = tpa.plot_job(sample, "job-0002", freed=FREED).to_dict()["description"]
    own = sample.tasks.filter(
        pl.col("job_id") == "job-0002",
        pl.col("validation_state") != "rejected",
        pl.col("ai_impact_level").is_not_null(),
    )
    by_level = dict(own.group_by("ai_impact_level").agg(pl.col("weekly_hours").sum()).rows())
    low = by_level["H1"] * 0.4 + by_level["H2"] * 0.2
    high = by_level["H1"] * 0.7 + by_level["H2"] * 0.2
    with_level = hours(sum(by_level.values()))
    assert f"Scenario: {low:.1f} to {hours(high)} of {with_level} with a level would be freed" in description
    assert "Assumed, not measured: share of task time freed H1 0.4 to 0.7" in description
    assert "not a headcount reduction" in description
    assert "cenario" not in tpa.plot_job(sample, "job-0002").to_dict()["description"]


def test_scenario_without_a_level_of_the_job_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"`freed` .*'H2'"):
        tpa.plot_job(sample, "job-0002", freed={"H1": 0.5})


def test_rationales_are_quoted_only_if_requested(sample: tpa.TaskProfiles) -> None:
    marked = sample.tasks.with_columns(ai_impact_rationale=pl.format("CANARY-{}", pl.int_range(pl.len())))
    profiles = tpa.TaskProfiles(sample.jobs, marked, sample.manifest)
    assert "CANARY" not in json.dumps(tpa.plot_job(profiles, "job-0002").to_dict())
    spec = tpa.plot_job(profiles, "job-0002", rationales=True).to_dict()
    longest = (
        marked.filter(pl.col("job_id") == "job-0002", pl.col("validation_state") != "rejected")
        .sort(pl.col("weekly_hours"), "task", descending=[True, False], nulls_last=True)
        .head(3)
    )
    quoted = {word.strip(".,") for word in spec["description"].split() if "CANARY" in word}
    assert quoted == set(longest["ai_impact_rationale"])


def test_other_jobs_are_anonymous_marks(sample: tpa.TaskProfiles) -> None:
    jobs = sample.jobs.with_columns(
        job_name=pl.when(pl.col("job_id") == "job-0002").then("job_name").otherwise(pl.lit("CANARY-JOB"))
    )
    text = json.dumps(tpa.plot_job(tpa.TaskProfiles(jobs, sample.tasks), "job-0002").to_dict())
    assert "CANARY-JOB" not in text
    assert not [job_id for job_id in jobs["job_id"] if job_id in text]
    exposure = exposure_by_job(sample).filter(job_family="Sales").drop_nulls("exposure")
    strips = [rows for rows in json.loads(text)["datasets"].values() if rows and set(rows[0]) == {"exposure"}]
    assert sorted(row["exposure"] for rows in strips for row in rows) == sorted(exposure["exposure"].round(3))


@pytest.mark.parametrize(
    ("job_id", "message"),
    [
        ("job-0002x", r"`job_id`: 'job-0002x' is not a job \(did you mean 'job-0002'"),
        ("Quotation Specialist", r"did you mean 'job-0002' \(Quotation Specialist\)"),
        ("\u4e0d\u5728", r"is not a job \(there are 240 jobs, like 'job-"),
    ],
)
def test_unknown_job_raises_with_similar_names(sample: tpa.TaskProfiles, job_id: str, message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.plot_job(sample, job_id)


def test_job_with_few_people_raises() -> None:
    few = profiles_of([job_in("A", ("H1", 2.0), headcount=1.0)] * 5)
    with pytest.raises(tpa.SchemaError, match=r"fewer than 5 people, .* personal data\. Pass privacy=None"):
        tpa.plot_job(few, "j000")
    assert f"{percent(1.0)} of 2 documented hours" in title_of(tpa.plot_job(few, "j000", privacy=None))
    assert title_of(tpa.plot_job(few, "j000", privacy=tpa.Privacy(min_headcount=1)))
    unknown = profiles_of([job_in("A", ("H1", 2.0), headcount=None)] * 5)
    assert title_of(tpa.plot_job(unknown, "j000"))
    employees = tpa.TaskProfiles(unknown.jobs, unknown.tasks, {"source": {"kind": "employees"}})
    with pytest.raises(tpa.SchemaError, match="personal data"):
        tpa.plot_job(employees, "j000")


@pytest.mark.parametrize(
    ("tasks", "title"),
    [
        ([], "j000: no tasks"),
        ([("H1", None)], "j000: 1 task without documented hours"),
        ([("H1", 2.0), ("H1", None)], "j000: there is not enough data to say how much of the week is highly automat"),
        ([("H2", 2.0)], f"j000: {percent(0.0)} of 2 documented hours per week are highly automatable"),
        ([("H1", 50.0)], f"j000: {percent(1.0)} of 50 documented hours per week are highly automatable"),
    ],
)
def test_headline_allows_for_missing_data(tasks: list[Any], title: str) -> None:
    profiles = profiles_of([job_in("A", *tasks, headcount=9.0)] * 3)
    chart = tpa.plot_job(profiles, "j000", freed=FREED)
    assert title_of(chart).startswith(title)
    assert (tasks == [("H1", 50.0)]) == ("10\xa0h over" in chart.to_dict()["description"])


def test_other_jobs_of_a_suppressed_family_are_not_drawn() -> None:
    profiles = profiles_of([job_in("A", ("H1", 2.0), headcount=9.0)] * 2)
    text = json.dumps(tpa.plot_job(profiles, "j000").to_dict())
    assert "The other jobs in A are suppressed (small group)." in text
    assert '"exposure"' not in text


def test_job_without_a_family_has_no_peers() -> None:
    profiles = profiles_of([job_in(None, ("H1", 2.0), headcount=9.0)] * 4)
    assert "This job has no family to compare it with." in json.dumps(tpa.plot_job(profiles, "j000").to_dict())


def test_long_task_lists_are_cut_with_a_note() -> None:
    profiles = profiles_of([job_in("A", *[("H1", 0.5)] * 60, headcount=9.0)])
    spec = tpa.plot_job(profiles, "j000").to_dict()
    listed = [row for rows in spec["datasets"].values() for row in rows if "task" in row and "start" not in row]
    assert len(listed) == 40
    assert "and 20 more tasks with 10\xa0h" in text_of(spec)
    assert rows_of(spec, layers_of(spec, "rect")[0])
