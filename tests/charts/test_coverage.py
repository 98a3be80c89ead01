"""Tests of the chart of data coverage."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import job_in, layers, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import coverage_percent


def test_cells_match_the_measure(company: tpa.TaskProfiles) -> None:
    spec = tpa.plot_coverage(company).to_dict()
    coverage = tpa.coverage(company)
    cells = {
        (row["group"], row["what"]): (row["known"] - row["from"]) / (row["to"] - row["from"])
        for rows in spec["datasets"].values()
        for row in rows
        if "what" in row
    }
    names = {
        "hours_coverage": "hours",
        "level_coverage": "level",
        "validated_share": "validated",
        "both_coverage": "hours and level",
    }
    for column, name in names.items():
        for family, share in coverage.filter(pl.col(column).is_not_null()).select("job_family", column).rows():
            assert cells[family, name] == pytest.approx(share)
            assert coverage_percent(share) in spec["description"]
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    both = dict(coverage.select("job_family", "both_coverage").rows())
    assert order == sorted(both, key=lambda family: (both[family] is None, round(both[family] or 0, 9), family))
    printed = {
        row["group"]: (row["verdict"], row["bare"])
        for rows in spec["datasets"].values()
        for row in rows
        if "verdict" in row
    }
    verdicts = {"A": "safe to quote", "B": "quote with coverage", "C": "do not quote alone", None: "\u2013"}
    without_tasks = pl.format("{} of {}", "jobs_without_tasks", "jobs")
    rows = coverage.select("job_family", "data_grade", without_tasks).rows()
    assert printed == {family: (verdicts[grade], counts) for family, grade, counts in rows}


def test_share_with_a_source_matches_the_quality_report(sample: tpa.TaskProfiles) -> None:
    source = pl.col("source_data")
    empty = pl.lit([], dtype=sample.tasks.schema["source_data"])
    tasks = sample.tasks.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(empty).otherwise(source).alias("source_data")
    )
    profiles = tpa.TaskProfiles(sample.jobs, tasks, sample.manifest)
    missing = tpa.quality_report(profiles).filter(check="evidence_missing").item(0, "value")
    assert f"{coverage_percent(1 - missing)} with a source" in tpa.plot_coverage(profiles).to_dict()["description"]


def test_fields_that_were_not_requested_are_not_drawn_as_zero(sample: tpa.TaskProfiles) -> None:
    tasks = sample.tasks.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("weekly_hours"),
        pl.lit(None, dtype=sample.tasks.schema["source_data"]).alias("source_data"),
    )
    manifest = {**sample.manifest, "request": {"include": ["ai_impact"]}}
    chart = tpa.plot_coverage(tpa.TaskProfiles(sample.jobs, tasks, manifest))
    spec = chart.to_dict()
    headers = [layer["mark"]["text"] for layer in layers(spec) if isinstance(layer["mark"].get("text"), list)]
    assert ["hours", "(not requested)"] in headers
    assert ["source", "(not requested)"] in headers
    assert {row["what"] for rows in spec["datasets"].values() for row in rows if "what" in row} == {
        "level",
        "validated",
    }
    assert title_of(chart) == "Figures that need hours are missing: not requested when loading"
    assert "Not requested when loading, so unknown rather than 0%: hours and source." in json.dumps(spec)
    without_manifest = tpa.plot_coverage(tpa.TaskProfiles(sample.jobs, tasks, {})).to_dict()
    assert '"(no task has", "hours)"' in json.dumps(without_manifest)


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        ([job_in("A", ("H1", 2.0))], f"A: {coverage_percent(1.0)} of tasks have hours and a level, safe to quote"),
        ([job_in(None, ("H1", 2.0))], f"{coverage_percent(1.0)} of tasks have hours and a level: safe to quote"),
        ([job_in("A")], "No tasks in these task profiles"),
        ([job_in("A", ("H1", None)), job_in("B", ("H1", None))], "No family has enough data to quote on its own"),
        ([job_in("A", ("H1", None)), job_in("B", ("H1", 1.0))], "A does not have enough data to quote on its own"),
        (
            [*[job_in(family, ("H1", None)) for family in "ABCD"], job_in("E", ("H1", 1.0))],
            "4 of 5 families do not have enough data to quote on their own; lowest coverage: A, 0",
        ),
        (
            [job_in("A", ("H1", 1.0)), job_in("B", ("H1", 1.0)), job_in("C")],
            "All 2 families with tasks have enough data to quote on their own",
        ),
        (
            [job_in("A", ("H1", 1.0)), job_in("B", *[("H1", 1.0)] * 3, ("H1", None))],
            "1 of 2 families have enough data to quote on their own; quote the others with coverage",
        ),
        (
            [job_in(family, *[("H1", 1.0)] * 3, ("H1", None)) for family in "AB"],
            "All 2 families should be quoted with their coverage",
        ),
    ],
)
def test_headline_counts_the_families_with_enough_data(jobs: list[dict[str, Any]], title: str) -> None:
    assert title_of(tpa.plot_coverage(profiles_of(jobs), privacy=None)).startswith(title)
