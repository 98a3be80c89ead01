"""Tests of the chart of the concentration of hours."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import layers_of, rows_of, task_job, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import percent


def test_curves_match_the_measure(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_concentration(sample)
    spec = chart.to_dict()
    lines = [rows_of(spec, layer) for layer in layers_of(spec, "line")]
    curve = tpa.concentration_curve(sample)
    for part, rows in zip(("H1", "all"), lines[1:], strict=True):
        expected = curve.filter(part=part)
        assert [row["k"] for row in rows] == [0, *expected["k"]]
        shares = expected["share_of_hours"].to_list()
        assert [row["share_of_hours"] for row in rows[1:]] == pytest.approx(shares, abs=1e-5)
        assert len(rows) < 200
    for part in ("H1", "all"):
        row = curve.filter(part=part).row(-1, named=True)
        for number in ("tasks_for_80", "tasks_with_hours", "tasks_without_hours"):
            assert f"{row[number]:,}" in spec["description"]
            assert f"{row[number]:,}" in json.dumps(spec)
    first = curve.filter(part="H1").row(0, named=True)
    share = percent(first["tasks_for_80"] / first["tasks_with_hours"])
    assert title_of(chart).startswith(
        f"{first['tasks_for_80']} of {first['tasks_with_hours']} tasks ({share}) take up 80% of the H1 hours"
    )


def test_thinned_curve_stays_close_to_the_full_curve() -> None:
    rows = [(f"t{i:05d}", "H1", 0.25 + (i * i % 9973) / 500 + (90.0 if i < 3 else 0.0)) for i in range(4000)]
    curve = tpa.concentration_curve(profiles_of([task_job("A", *rows)])).filter(part="all")
    assert curve.height < 200
    amounts = sorted((hours for _, _, hours in rows), reverse=True)
    total = sum(amounts)
    points = [(0, 0.0), *curve.select("k", "share_of_hours").rows()]
    at, largest_error = 0, 0.0
    for k, cumulative in enumerate(itertools.accumulate(amounts), 1):
        at += points[at + 1][0] < k
        (left, low), (right, high) = points[at], points[at + 1]
        interpolated = low + (high - low) * (k - left) / (right - left)
        largest_error = max(largest_error, abs(interpolated - cumulative / total))
    assert largest_error < 0.0002
    assert points[-1][0] == 4000
    assert curve.filter(pl.col("k") == pl.col("tasks_for_80")).height == 1


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        (
            [task_job("A", ("a", "H2", 4.0), ("b", "H2", 1.0))],
            f"1 of 2 tasks ({percent(0.5)}) takes up 80% of all documented hours",
        ),
        (
            [task_job("A", ("a", "H1", 4.0), ("b", "H2", 1.0))],
            f"1 of 1 task ({percent(1.0)}) takes up 80% of the H1 hours",
        ),
        ([task_job("A", ("a", "H1", None))], "The concentration of hours is unknown: no hours are documented"),
        ([task_job("A", ("a", "H1", 0.0))], "The concentration of hours is unknown: all documented hours are zero"),
        (
            [task_job("A", ("a", "H1", 2.0), ("b", "H1", None), ("c", "H1", None))],
            f"There is not enough data to show the concentration of hours: {percent(0.33)} of tasks have hours",
        ),
        ([task_job("A")], "No tasks in these task profiles"),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[Any], title: str) -> None:
    chart = tpa.plot_concentration(profiles_of(jobs), privacy=None)
    assert title_of(chart).startswith(title)
    assert chart.to_dict()["description"]


def test_each_group_has_a_panel_with_its_curve(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_concentration(
        sample, by="job_family", groups=["Finance", "Human Resources", "Manufacturing"]
    ).to_dict()
    curves = tpa.suppress(tpa.concentration_curve(sample, by="job_family"), sample)
    at_80 = (
        curves.filter(part="all")
        .unique("job_family")
        .with_columns(share=pl.col("tasks_for_80") / pl.col("tasks_with_hours"))
    )
    panels = spec["concat"][0]["concat"]
    names = [panel["title"]["text"][0] for panel in panels]
    assert names == at_80.filter(pl.col("job_family").is_in(names)).sort("share")["job_family"].to_list()
    for panel, name in zip(panels, names, strict=True):
        row = at_80.filter(job_family=name).row(0, named=True)
        detail = f"{row['tasks_for_80']} of {row['tasks_with_hours']} tasks = 80%, grade "
        assert panel["title"]["subtitle"][:-1] == detail
        lines = [rows_of({**panel, "datasets": spec["datasets"]}, layer) for layer in layers_of(panel, "line")]
        points = curves.filter(job_family=name, part="all")
        x, y = ([point[f"share_of_{what}"] for point in lines[-1]] for what in ("tasks", "hours"))
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        drawn = np.interp(points["share_of_tasks"].to_numpy(), x, y)
        assert drawn == pytest.approx(points["share_of_hours"].to_numpy(), abs=0.01)
        assert f"{name} {percent(row['share'])}" in spec["description"]
    low, high = (percent(at_80.filter(job_family=name).item(0, "share")) for name in (names[0], names[-1]))
    of_tasks = f"{low} of tasks take up 80% of them, compared with {high} in {names[-1]}"
    assert " ".join(spec["title"]["text"]) == f"Hours are most concentrated in {names[0]}: {of_tasks}"


def test_curves_of_small_groups_are_not_drawn(sample: tpa.TaskProfiles) -> None:
    few = tpa.Privacy(min_jobs=14)
    shown = tpa.suppress(tpa.concentration_curve(sample, by="job_family"), sample, privacy=few)
    suppressed = shown.filter(part="all", reason="SUPPRESSED")["job_family"].to_list()
    spec = tpa.plot_concentration(sample, by="job_family", privacy=few).to_dict()
    assert suppressed
    names = [" ".join(panel["title"]["text"]) for panel in spec["concat"][0]["concat"]]
    assert not set(suppressed) & set(names)
    assert "Suppressed (small group): " in json.dumps(spec)
    none = tpa.plot_concentration(sample, by="job_family", privacy=tpa.Privacy(min_jobs=1000))
    assert title_of(none) == "All job families are suppressed (too few jobs or people)"
    assert "concat" not in none.to_dict()
    some = tpa.plot_concentration(sample, by="job_family", top=2).to_dict()
    assert len(some["concat"][0]["concat"]) == 2
    assert "15 of 17 job families are not drawn. Pass `top` (up to 40) or `groups`." in json.dumps(some)
