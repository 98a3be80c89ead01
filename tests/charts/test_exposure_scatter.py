"""Tests of the scatter chart of exposure against hours."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.by_job import exposure_by_job
from tests.helpers.chart_specs import (
    CANARY_FIGURES,
    company_with_small_families,
    job_in,
    layers,
    layers_of,
    rows_of,
    rows_with,
    text_of,
    title_of,
)
from tests.helpers.companies import many
from tests.helpers.random_profiles import profiles_of

A = job_in("A", ("H1", 4.0), ("H2", 1.0), ("H3", 5.0))


def panel_rows(spec: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the rows of the dots of each panel."""
    rows = [
        [rows_of({**panel, "datasets": spec["datasets"]}, layer) for layer in layers_of(panel, "point")]
        for panel in spec["concat"]
    ]
    return [row for dots in rows for row in dots]


def test_dots_contain_all_jobs_with_an_index(company: tpa.TaskProfiles) -> None:
    dots = rows_with(tpa.plot_exposure_scatter(company).to_dict(), "long", "index")
    jobs = exposure_by_job(company).drop_nulls("exposure").join(company.jobs, on="job_id", suffix="_of_job")
    assert sum(row["jobs"] for row in dots) == jobs.height
    hollow = sum(row["jobs"] for row in dots if "grade C" in row["known"])
    assert hollow == jobs.filter(data_grade="C").height
    mean = sum(row["jobs"] * row["index"] for row in dots) / jobs.height
    assert mean == pytest.approx(jobs["exposure"].mean(), abs=0.003)
    has_headcount = "headcount" in jobs.columns and jobs["headcount"].null_count() == 0
    people = jobs["headcount"].sum() if has_headcount else float(jobs.height)
    assert sum(row["many"] for row in dots) == pytest.approx(people, rel=0.001)


def test_dashed_lines_are_the_medians(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure_scatter(sample).to_dict()
    jobs = exposure_by_job(sample).filter(pl.col("exposure").is_not_null())
    horizontal, vertical = (rows_of(spec, layer)[0] for layer in layers_of(spec, "rule")[:2])
    assert horizontal == {"index": jobs["exposure"].median()}
    assert vertical == {"long": jobs["hours"].median()}


def test_few_families_have_a_panel_each() -> None:
    panels = panel_rows(tpa.plot_exposure_scatter(many(6)).to_dict())
    assert [sum(row["jobs"] for row in rows) for rows in panels] == [3] * 6


def test_specification_of_thousands_of_jobs_stays_small() -> None:
    jobs = [
        job_in(f"F{i % 9}", ("H1", 1.0 + i * 7 % 31), ("H2", 1.0 + i * 13 % 17), ("H3", i * 11 % 29 + 0.5))
        for i in range(3000)
    ]
    spec = tpa.plot_exposure_scatter(profiles_of(jobs)).to_dict()
    assert sum(row["jobs"] for row in rows_with(spec, "long", "index")) == 3000
    assert sum(map(len, spec["datasets"].values())) < 500
    assert len(json.dumps(spec["datasets"])) < 50_000


def test_jobs_are_labelled_only_if_requested(sample: tpa.TaskProfiles) -> None:
    names = set(sample.jobs["job_name"]) | set(sample.jobs["job_id"])
    text = text_of(tpa.plot_exposure_scatter(sample).to_dict())
    assert not [name for name in names if f'"{name}"' in text]
    spec = tpa.plot_exposure_scatter(sample, names=True).to_dict()
    labels = rows_with(spec, "name")
    jobs = {row["job_name"]: row for row in exposure_by_job(sample).iter_rows(named=True)}
    assert labels
    for row in labels:
        job = jobs[row["name"]]
        assert (row["index"], row["long"]) == (job["exposure"], job["hours"])
        assert job["data_grade"] != "C"
        assert f"{row['name']} {row['index']:.2f}, " in spec["description"]


@pytest.mark.parametrize("names", [False, True])
def test_jobs_of_suppressed_families_are_not_drawn(names: bool) -> None:
    company = company_with_small_families("Tiny", "Small", "Little")
    spec = tpa.plot_exposure_scatter(company, names=names).to_dict()
    rows = [
        row
        for panel in spec["concat"]
        for layer in layers(panel)
        for row in rows_of({**panel, "datasets": spec["datasets"]}, layer)
    ]
    assert sum(row.get("jobs", 0) for row in rows) == 6
    text = text_of(spec)
    assert "Suppressed (small group): Little, Small and Tiny." in text
    assert not [figure for figure in CANARY_FIGURES if figure in text]


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        ([A] * 5, "80% of the 5 jobs have an exposure of 0.45; the median is 0.45"),
        (
            [*[A] * 5, job_in("C", ("H1", 9.0), ("H1", None), ("H1", None))],
            "80% of the 5 jobs with enough data have an exposure of 0.45",
        ),
        ([A] * 4, "There is not enough data to compare the exposure of single jobs"),
        ([job_in("A", (None, 3.0))], "Exposure of the jobs cannot be computed"),
        ([job_in("A")], "No tasks in these task profiles"),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[dict[str, Any]], title: str) -> None:
    assert title_of(tpa.plot_exposure_scatter(profiles_of(jobs), privacy=None)).startswith(title)
