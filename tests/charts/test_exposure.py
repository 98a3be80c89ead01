"""Tests of the chart of the exposure index per job family."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import job_in, rows_with, title_of
from tests.helpers.random_profiles import profiles_of

A = job_in("A", ("H1", 4.0), ("H2", 1.0), ("H3", 5.0))
D = job_in("D", ("H3", 9.0))


def test_dots_and_intervals_match_the_measures(company: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure(company, rounds=100, seed=4).to_dict()
    rows = {row["group"]: row for row in rows_with(spec, "interval_low", "inner_low")}
    exposure = tpa.exposure(company).filter(pl.col("exposure").is_not_null())
    expected = exposure.join(tpa.exposure_ranking(company, rounds=100, seed=4), on="job_family")
    assert set(rows) == set(exposure["job_family"])
    columns = ["exposure", *(f"{name}_{end}" for name in ("weight", "interval", "inner") for end in ("low", "high"))]
    for row in expected.iter_rows(named=True):
        drawn = rows[row["job_family"]]
        for column in columns:
            assert drawn[column] == pytest.approx(row[column])
        assert (drawn["dot"] == "grade C") == (row["data_grade"] == "C")
    bands = {(row["group"], row["bound_low"], row["bound_high"]) for row in rows_with(spec, "bound_low")}
    bounded = exposure.filter(pl.col("bound_low").is_not_null() & pl.col("bound_high").is_not_null())
    assert bands == set(bounded["job_family", "bound_low", "bound_high"].rows())


def test_alt_text_contains_every_printed_figure(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure(sample, rounds=100).to_dict()
    parts = spec["description"].split("; ")
    for row in rows_with(spec, "figure", "place"):
        text = next(part for part in parts if f"{row['group']} {row['figure']}" in part)
        assert all(row[column] in text for column in ("held", "known", "place"))


def test_chart_is_deterministic_for_a_seed(sample: tpa.TaskProfiles) -> None:
    # `filter` returns profiles without a cache.
    few = sample.filter(pl.col("job_family").is_in(["Finance", "Sales"]))
    spec = tpa.plot_exposure(few, rounds=100).to_dict()
    assert tpa.plot_exposure(few, rounds=100).to_dict() == spec
    assert tpa.plot_exposure(few, rounds=100, seed=1).to_dict() != spec


def test_ranks_do_not_reveal_suppressed_families() -> None:
    large = [
        job_in(f, ("H1", 1.0 + i % 2), ("H3", 5.0 + n), headcount=2.0) for n, f in enumerate("AB") for i in range(6)
    ]
    small = [job_in(name, (level, 9.0)) for name, level in (("Tiny", "H1"), ("Wee", "H2"), ("Few", "H1"))] * 2
    ranks, expected = (
        {
            row["group"]: row["place"]
            for row in rows_with(tpa.plot_exposure(profiles_of(jobs), rounds=100).to_dict(), "place")
        }
        for jobs in ([*large, *small], large)
    )
    assert {ranks.pop(name) for name in ("Tiny", "Wee", "Few")} == {"·"}
    assert ranks == expected


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        ([A] * 5, "A: exposure 0.45 (95% interval 0.45)"),
        ([A], "A: exposure 0.45"),
        (
            [job_in("A", ("H1", 10.0), ("H2", 10.0), ("H3", 10.0), ("H3", None))],
            "A: exposure 0.50 (bounds 0.38 to 0.50)",
        ),
        (
            [*[A] * 5, *[{**A, "job_family": "E"}] * 5],
            "A and E are not distinguishable as the most exposed: up to 0.45",
        ),
        ([*[A] * 5, *[D] * 5], "A is the most exposed family: 0.45 (95% interval 0.45)"),
        ([*[A] * 2, *[D] * 5], "A has the highest exposure, 0.45, but too few jobs for an interval"),
        (
            [*[A] * 5, *[job_in("C", ("H1", 9.0), ("H1", None), ("H1", None))] * 5],
            "A: exposure 0.45 (95% interval 0.45); there is not enough data to compare the others",
        ),
        ([job_in("A", (None, 3.0))], "Exposure of A cannot be computed"),
        ([job_in("A")], "No tasks in these task profiles"),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[dict[str, Any]], title: str) -> None:
    jobs = [{**job, "tasks": [*job["tasks"]]} for job in jobs]
    assert title_of(tpa.plot_exposure(profiles_of(jobs), rounds=100, privacy=None)).startswith(title)
