"""Tests of the chart of automation candidates."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import CANARY, CANARY_FIGURES, rows_encoding, task_job, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours, percent


def test_dots_match_the_measure_and_the_alt_text_contains_every_number(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_automation_candidates(sample, rounds=100)
    spec, description = chart.to_dict(), chart.to_dict()["description"]
    candidates = tpa.automation_candidates(sample, top=15, rounds=100, privacy=tpa.Privacy())
    curve = tpa.automation_curve(sample, top=15, privacy=tpa.Privacy())
    dots = rows_encoding(spec, "point", "h1_hours")
    assert [row["h1_hours"] for row in dots] == candidates["h1_hours"].to_list()
    assert [row["h1_hours_high"] for row in dots] == candidates["h1_hours_high"].to_list()
    for row, share in zip(candidates.iter_rows(named=True), curve["share_cumulative"], strict=True):
        upper = f" to {hours(row['h1_hours_high'])}" if row["h1_hours_high"] > row["h1_hours"] else ""
        assert f"{row['task']}: {hours(row['h1_hours'])}{upper}, {percent(share)}" in description
        families = "1 family" if row["families"] == 1 else f"{row['families']} families"
        assert f"{row['jobs']} jobs in {families}, {percent(row['level_agreement'])} agreement" in description
        tie = "=" * (candidates["rank"].to_list().count(row["rank"]) > 1)
        assert f"rank {row['rank']}{tie} ({row['rank_low']}\u2013{row['rank_high']})" in description
    tenth = curve.row(9, named=True)
    assert title_of(chart) == (
        f"The first 10 candidates occur in {tenth['jobs_cumulative']} of 240 jobs: at least "
        f"{hours(tenth['h1_hours_cumulative'])} a week, {percent(tenth['share_cumulative'])} of the documented H1 hours"
    )


def test_jobs_with_several_candidates_count_once() -> None:
    company = profiles_of(
        [
            task_job("A", ("a", "H1", 5.0), ("b", "H1", 4.0)),
            task_job("A", ("a", "H1", 5.0)),
            task_job("B", ("c", "H1", 1.0)),
        ]
    )
    curve = tpa.automation_curve(company)
    assert curve.select("k", "jobs", "jobs_cumulative").rows() == [(1, 2, 2), (2, 1, 2), (3, 1, 3)]
    blocks = tpa.automation_curve(company, block_hours=1)
    assert blocks.select("task_key", "jobs_cumulative").rows() == [("a", 2), ("c", 3)]
    assert title_of(tpa.plot_automation_candidates(company, privacy=None)) == (
        "The first 3 candidates occur in 3 of 3 jobs: at least 15\xa0h a week, "
        f"{percent(1.0)} of the documented H1 hours"
    )


def test_chart_contains_no_rationales_and_no_jobs(sample: tpa.TaskProfiles) -> None:
    marked = sample.tasks.with_columns(ai_impact_rationale=pl.lit("CANARY"))
    jobs = sample.jobs.with_columns(job_name=pl.lit("CANARY"))
    text = json.dumps(tpa.plot_automation_candidates(tpa.TaskProfiles(jobs, marked), rounds=0).to_dict())
    assert "CANARY" not in text
    assert not [key for key in (*sample.jobs["job_id"], *sample.tasks["task_id"]) if f'"{key}"' in text]


def test_tasks_of_small_groups_are_suppressed_with_the_next_smallest_and_counted() -> None:
    large = [task_job("A", ("a", "H1", 5.0), ("b", "H1", 4.0), ("c", "H1", 3.0)) for _ in range(4)]
    single = task_job("A", ("secret", "H1", CANARY["hours"]), headcount=2.0)
    company = profiles_of([*large, single])
    text = json.dumps(tpa.plot_automation_candidates(company, rounds=0).to_dict())
    assert "secret" not in text
    assert not [figure for figure in CANARY_FIGURES if figure in text]
    assert "2 tasks are left out because" in text
    shown = tpa.automation_candidates(company, rounds=0, privacy=tpa.Privacy())
    assert shown.select("rank", "task_key").rows() == [(1, "b"), (2, "c")]
    everything = tpa.automation_candidates(company, rounds=0)
    assert everything.select("rank", "task_key").rows() == [(1, "secret"), (2, "a"), (3, "b"), (4, "c")]
    assert "secret" in json.dumps(tpa.plot_automation_candidates(company, rounds=0, privacy=None).to_dict())


def test_each_employee_counts_as_one_person() -> None:
    company = profiles_of([task_job("A", ("a", "H1", 5.0), headcount=None) for _ in range(4)])
    employees = tpa.TaskProfiles(company.jobs, company.tasks, {"source": {"kind": "employees"}})
    assert tpa.automation_candidates(company, rounds=0, privacy=tpa.Privacy()).height == 1
    assert tpa.automation_candidates(employees, rounds=0, privacy=tpa.Privacy()).height == 0
    assert title_of(tpa.plot_automation_candidates(employees)) == "No task rated H1 can be listed as a candidate"


@pytest.mark.parametrize(
    ("tasks", "title"),
    [
        ([("a", "H2", 4.0)], "No task is rated H1, highly automatable"),
        ([], "No task is rated H1, highly automatable"),
        ([("a", "H1", None)], "Automation candidates cannot be ranked: no hours are documented at H1"),
        ([("a", "H1", 0.0)], "The first candidate occurs in 1 of 1 job: at least 0\xa0h a week"),
    ],
)
def test_headline_allows_for_missing_data(tasks: list[Any], title: str) -> None:
    assert title_of(tpa.plot_automation_candidates(profiles_of([task_job("A", *tasks)]), privacy=None)) == title


def test_missing_upper_bounds_are_dashed_and_missing_hours_are_labelled() -> None:
    job = task_job("A", ("a", "H1", 5.0), ("a", "H1", None), ("b", "H1", None), contract_hours=None)
    spec = tpa.plot_automation_candidates(profiles_of([job]), privacy=None).to_dict()
    assert len(rows_encoding(spec, "rule", "end")) == 1
    assert "Dashed line (1 shown)" in json.dumps(spec)
    assert "no documented hours at H1" in json.dumps(spec["datasets"])


@pytest.mark.parametrize("top", [0, 41, True, "5"])
def test_invalid_top_raises(sample: tpa.TaskProfiles, top: Any) -> None:
    with pytest.raises(tpa.SchemaError, match=f"`top` must be a whole number from 1 to 40, not {top!r}"):
        tpa.plot_automation_candidates(sample, top=top, rounds=0)
