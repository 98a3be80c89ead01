"""Tests of the chart of the jobs in a family."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.by_job import hours_by_job
from tests.helpers.chart_specs import job_in, layers, layers_of, rows_of, text_of, title_of
from tests.helpers.companies import many
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.render import png
from tpanalytics.formatting import hours, percent
from tpanalytics.measures._core.cache import with_cache


def rows_of_mark(spec: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    """Return the rows of the first layer with a mark type."""
    return rows_of(spec, layers_of(spec, mark)[0])


def job_ids(spec: dict[str, Any]) -> list[str]:
    return next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))


def test_bars_match_the_measure(company: tpa.TaskProfiles) -> None:
    by_job = hours_by_job(company)
    family = "Finance" if "Finance" in by_job["job_family"] else "Legal Occupations"
    jobs = by_job.filter(job_family=family)
    spec = tpa.plot_jobs(company, family, privacy=None).to_dict()
    bars = rows_of_mark(spec, "bar")
    own = company.tasks.filter(
        pl.col("job_id").is_in(jobs["job_id"].implode()), pl.col("validation_state") != "rejected"
    ).with_columns(pl.col("ai_impact_level").fill_null("not assessed"))
    sums = own.group_by("job_id", "ai_impact_level").agg(
        pl.col("weekly_hours").sum(), tasks=pl.col("weekly_hours").count()
    )
    expected = {(job, level): (amount, n) for job, level, amount, n in sums.rows() if amount > 0}
    drawn = {(row["job_id"], row["level"]): (row["hours"], row["tasks"]) for row in bars}
    assert drawn.keys() == expected.keys()
    assert all(drawn[key] == (pytest.approx(expected[key][0]), expected[key][1]) for key in drawn)
    for job in jobs["job_id"]:
        parts = [row for row in bars if row["job_id"] == job]
        assert [row["level"] for row in parts] == sorted(row["level"] for row in parts)
        assert [row["start"] for row in parts[:1]] == [0] * bool(parts)
        assert all(part["end"] == pytest.approx(following["start"]) for part, following in itertools.pairwise(parts))
    amounts = dict(jobs.select("job_id", pl.col("hours").round(2).fill_null(-1.0)).rows())
    assert [amounts[job] for job in job_ids(spec)] == sorted(amounts.values(), reverse=True)
    without_hours = {
        row["job_id"]: row["open"]
        for layer in layers_of(spec, "text")
        if "data" in layer
        for row in rows_of(spec, layer)
        if "open" in row
    }
    missing = jobs.select("job_id", n=pl.col("tasks") - pl.col("tasks_with_hours")).rows()
    assert without_hours == {job: str(n) if n else "\u2013" for job, n in missing}
    ticks = [row for layer in layers_of(spec, "tick") for row in rows_of(spec, layer)]
    weeks = {row["job_id"]: row["contract_hours"] for row in ticks}
    assert weeks == dict(jobs.drop_nulls("contract_hours").select("job_id", "contract_hours").rows())
    for name, amount in jobs.select("job_name", "hours").rows():
        assert f"{name} {'unknown hours' if amount is None else hours(amount)}" in spec["description"]


def test_hours_without_a_level_are_hatched(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_jobs(sample, "Finance", privacy=None).to_dict()
    segments = [row for row in rows_of_mark(spec, "bar") if row["level"] == "not assessed"]
    strokes = rows_of_mark(spec, "point")
    wide = {row["job_id"] for row in segments if row["hours"] > 2}
    assert wide <= {row["job_id"] for row in strokes} <= {row["job_id"] for row in segments}
    ends = {row["job_id"]: (row["start"], row["end"]) for row in segments}
    assert all(ends[row["job_id"]][0] < row["at"] < ends[row["job_id"]][1] for row in strokes)


def test_chart_contains_job_names_but_no_tasks(sample: tpa.TaskProfiles) -> None:
    marked = replace(
        sample, tasks=sample.tasks.with_columns(task=pl.lit("CANARY"), ai_impact_rationale=pl.lit("CANARY"))
    )
    text = text_of(tpa.plot_jobs(marked, "Finance", privacy=None).to_dict())
    assert "CANARY" not in text
    own = sample.jobs.filter(pl.col("job_family") == "Finance")
    assert all(name in text for name in own["job_name"])
    others = sample.jobs.filter(pl.col("job_family") != "Finance")
    assert not [job for job in others["job_id"] if job in text]


def test_only_the_jobs_with_the_most_hours_are_drawn() -> None:
    profiles = profiles_of([job_in("A", ("H1", 1.0 + i), headcount=9.0) for i in range(64)])
    chart = tpa.plot_jobs(profiles, "A")
    spec = chart.to_dict()
    assert job_ids(spec) == [f"j{i:03d}" for i in reversed(range(24, 64))]
    rest = hours(sum(range(1, 25)))
    assert f"Only the 40 jobs with the most hours are drawn, not 24 other jobs with {rest} a week." in text_of(spec)
    assert f"from {percent(1.0)} to {percent(1.0)} in single jobs" in title_of(chart)


def test_hatching_of_many_jobs_stays_small() -> None:
    profiles = profiles_of([job_in("A", (None, 40.0), headcount=9.0)] * 64)
    assert sum(map(len, tpa.plot_jobs(profiles, "A").to_dict()["datasets"].values())) < 3000


def test_jobs_with_the_same_name_have_separate_bars(sample: tpa.TaskProfiles) -> None:
    same_name = replace(sample, jobs=sample.jobs.with_columns(job_name=pl.lit("Clerk")))
    spec = tpa.plot_jobs(same_name, "Finance", privacy=None).to_dict()
    assert len(job_ids(spec)) == len(set(job_ids(spec))) == 15
    assert {row["name"] for row in rows_of_mark(spec, "bar")} == {"Clerk"}


def test_jobs_without_a_name_are_labelled_by_id(sample: tpa.TaskProfiles) -> None:
    unnamed = replace(sample, jobs=sample.jobs.with_columns(job_name=pl.lit(None, dtype=pl.String)))
    bars = rows_of_mark(tpa.plot_jobs(unnamed, "Finance").to_dict(), "bar")
    assert {row["name"] for row in bars} <= set(sample.jobs["job_id"])


def test_jobs_of_a_suppressed_family_are_not_drawn() -> None:
    profiles = profiles_of([*[job_in("A", ("H1", 7.25), headcount=9.0)] * 2, *[job_in("B", headcount=9.0)] * 9])
    chart = tpa.plot_jobs(profiles, "A")
    assert title_of(chart) == "The jobs in A are suppressed"
    assert "7.2" not in text_of(chart.to_dict())
    assert "j000" not in text_of(chart.to_dict())
    assert "7.2" in text_of(tpa.plot_jobs(profiles, "A", privacy=None).to_dict())


def test_jobs_with_few_people_are_suppressed_as_in_plot_job(sample: tpa.TaskProfiles) -> None:
    for family in sample.jobs["job_family"].drop_nulls().unique().sort()[::4]:
        spec = tpa.plot_jobs(sample, family).to_dict()
        own = sample.jobs.filter(pl.col("job_family") == family)
        few = own.filter(pl.col("headcount") < 5)
        shown = {row["job_id"] for rows in spec["datasets"].values() for row in rows if "job_id" in row}
        suppressed = own.height - len(shown)
        protects_another = suppressed > few.height and (few.height == 1 or few["headcount"].sum() < 5)
        assert suppressed == few.height or protects_another
        assert f"{suppressed} jobs are suppressed: fewer than 5 people" in text_of(spec)
        assert not shown or f"{len(shown)} of {own.height} jobs" in spec["title"]["subtitle"]
        for job, name in few.select("job_id", "job_name").rows():
            assert job not in text_of(spec)
            assert f"{name} " not in spec["description"]
            with pytest.raises(tpa.SchemaError, match="personal data"):
                tpa.plot_job(sample, job)
        lenient = tpa.plot_jobs(sample, family, privacy=tpa.Privacy(min_headcount=0))
        assert "suppressed" not in text_of(lenient.to_dict())


def test_no_bar_is_drawn_if_all_jobs_are_suppressed() -> None:
    profiles = profiles_of([job_in("A", ("H1", 7.25), headcount=2.0)] * 3)
    chart = tpa.plot_jobs(profiles, "A")
    assert title_of(chart) == "No job in A can be shown"
    assert "3 jobs are suppressed: fewer than 5 people" in text_of(chart.to_dict())
    assert "7.2" not in text_of(chart.to_dict())


@pytest.mark.parametrize(
    ("tasks", "title"),
    [
        ([[], []], "A: no tasks"),
        ([[("H1", None)], []], "A: 1 task without documented hours"),
        ([[("H1", 0.0)], []], "A: all documented hours are zero"),
        ([[("H1", 2.0), ("H1", None)], []], "A: there is not enough data to say how much of the work is highly"),
        (
            [[("H1", 40.0)], [("H2", 40.0)]],
            (
                f"A: {percent(0.5)} ({percent(0.5)} to {percent(0.5)}) of documented weekly hours are highly "
                f"automatable, from {percent(0.0)} to"
            ),
        ),
        ([[("H2", 40.0)]], f"A: {percent(0.0)} of documented weekly hours are highly automatable"),
    ],
)
def test_headline_allows_for_missing_data(tasks: list[Any], title: str) -> None:
    profiles = profiles_of([job_in("A", *some, headcount=9.0) for some in tasks])
    chart = tpa.plot_jobs(profiles, "A", privacy=None)
    assert title_of(chart).startswith(title)
    assert len(job_ids(chart.to_dict())) == len(tasks), "jobs without data keep a row"
    assert png(chart.to_dict(), 1.0).startswith(b"\x89PNG")


def test_unknown_family_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"`group`: 'Finanz' is not a job family \(did you mean 'Finance'\?\)"):
        tpa.plot_jobs(sample, "Finanz")


def test_families_can_be_selected_by_their_printed_name() -> None:
    names = ["constructor", "line\x0bbreak"]
    profiles = profiles_of([job_in(name, ("H1", 3.0), headcount=9.0) for name in names for _ in range(3)])
    for row in rows_of_mark(tpa.plot_impact(profiles).to_dict(), "bar"):
        assert percent(1.0) in title_of(tpa.plot_jobs(profiles, row["group"]))


def test_cached_profiles_give_the_same_chart_without_reading_the_tasks_again(sample: tpa.TaskProfiles) -> None:
    cached = with_cache(tpa.load_sample())
    before = tpa.plot_jobs(cached, "Finance").to_dict()
    object.__setattr__(cached, "tasks", cached.tasks.clear())  # only the columns are read
    assert tpa.plot_jobs(cached, "Finance").to_dict() == before == tpa.plot_jobs(sample, "Finance").to_dict()
    assert tpa.plot_jobs(cached, "Sales").to_dict() == tpa.plot_jobs(sample, "Sales").to_dict()


@pytest.mark.parametrize("families", [1, 60])
def test_job_names_in_any_script_are_drawn(families: int) -> None:
    profiles = many(families)
    names = ["計測機器の校正担当者", "מנהל קשרי לקוחות", "constructor", "a\x00b", "x" * 300]
    jobs = profiles.jobs.with_columns(job_name=pl.Series([names[i % 5] for i in range(profiles.jobs.height)]))
    spec = tpa.plot_jobs(replace(profiles, jobs=jobs), profiles.jobs["job_family"][0], privacy=None).to_dict()
    assert "\x00" not in json.dumps(spec, ensure_ascii=False)
    assert png(spec, 1.0).startswith(b"\x89PNG")
