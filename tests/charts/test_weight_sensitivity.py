"""Tests of the chart of the exposure index against the weight of H2."""

from __future__ import annotations

from typing import Any

import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import (
    ALL_SUPPRESSED,
    company_with_small_families,
    job_in,
    layers_of,
    rows_of,
    rows_with,
    text_of,
    title_of,
)
from tests.helpers.companies import many
from tests.helpers.random_profiles import profiles_of

A = job_in("A", ("H1", 4.0), ("H2", 1.0), ("H3", 5.0))
B = job_in("B", ("H1", 2.0), ("H2", 6.0), ("H3", 2.0))
CROSSING_IN_ONE_POINT = [("P", 5.0, 0.0, 5.0), ("Q", 4.0, 2.0, 4.0), ("R", 3.0, 4.0, 3.0)]


def test_lines_match_the_measure(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    columns = ("weight_low", "weight_high", "data_grade")
    drawn = {(row["group"], *(row[column] for column in columns)) for row in rows_with(spec, "data_grade")}
    assert drawn == set(tpa.exposure(sample).select("job_family", *columns).rows())
    line = next(layer for layer in layers_of(spec, "rule") if {"x2", "y2"} <= set(layer["encoding"]))["encoding"]
    assert (line["x"]["datum"], line["x2"]["datum"]) == (0, 1)
    assert (line["y"]["field"], line["y2"]["field"]) == ("weight_low", "weight_high")


def test_band_matches_the_bounds_of_the_family_in_the_headline(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    band = rows_of(spec, layers_of(spec, "area")[0])
    assert {row["group"] for row in band} == {"Finance"}
    for row in band:
        level_weights = {"H1": 1.0, "H2": row["b"], "H3": 0.0}
        exposure = tpa.exposure(sample, level_weights=level_weights).filter(job_family="Finance")
        assert (row["bound_low"], row["bound_high"]) == exposure.select("bound_low", "bound_high").row(0)
    assert {row["b"] for row in band} >= {0.0, 0.5, 1.0}


def test_the_leading_family_changes_at_break_even_weights(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    changes = rows_with(spec, "b", "said")
    break_even = {round(b, 12) for b in tpa.break_even(sample).get_column("break_even")}
    assert len(changes) == 2
    assert {round(row["b"], 12) for row in changes} <= break_even
    assert [row["said"] for row in changes] == [f"b* {row['b']:.2f}" for row in changes]
    assert all(row["said"] in spec["description"] for row in changes)


@pytest.mark.parametrize("company", ["real", 60])
def test_only_some_of_many_lines_are_labelled(company: Any, request: pytest.FixtureRequest) -> None:
    profiles = request.getfixturevalue(company) if isinstance(company, str) else many(company)
    spec = tpa.plot_weight_sensitivity(profiles).to_dict()
    roles = [row["role"] for row in rows_with(spec, "data_grade")]
    unlabelled = roles.count("other")
    assert 0 < unlabelled < len(roles)
    assert f"{unlabelled} of {len(roles)} lines are not labelled" in text_of(spec)
    assert len({row["name"] for row in rows_with(spec, "name", "above")}) == len(roles) - unlabelled


def test_alt_text_contains_every_printed_figure(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample).to_dict()
    labels = [
        (row["name"].replace("\n", " "), row["figure"])
        for layer in layers_of(spec, "text")
        for row in rows_of(spec, layer)
        if {"name", "figure"} <= set(row)
    ]
    lines = rows_with(spec, "data_grade")
    assert {name for name, _ in labels} == {row["group"] for row in lines}
    for row in lines:
        low, high = row["weight_low"], row["weight_high"]
        assert {figure for name, figure in labels if name == row["group"]} == {f"{low:.2f}", f"{high:.2f}"}
        text = f"{row['group']} {low:.2f} at 0, {(low + high) / 2:.2f} at 0.50, {high:.2f} at 1"
        assert text in spec["description"]


def test_slider_starts_at_the_weight_of_h2(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_weight_sensitivity(sample, level_weights={"H1": 1, "H2": 0.25, "H3": 0}).to_dict()
    (slider,) = spec["params"]
    assert (slider["name"], slider["value"]) == ("weight_of_h2", 0.25)
    assert (slider["bind"]["input"], slider["bind"]["min"], slider["bind"]["max"]) == ("range", 0, 1)


def test_missing_weight_of_h2_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match="H2"):
        tpa.plot_weight_sensitivity(sample, level_weights={"H1": 1.0})


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        ([A, B], "The most exposed family changes at an H2 weight of 0.40: A below, B above"),
        ([A], "A: exposure 0.40 to 0.50, depending on the weight of partly automatable tasks"),
        (
            [A, job_in("C", ("H1", 9.0), ("H1", None), ("H1", None))],
            (
                "A: exposure 0.40 to 0.50, depending on the weight of partly automatable tasks; there is not enough "
                "data on the others"
            ),
        ),
        ([A, job_in("D", ("H1", 1.0), ("H3", 9.0))], "A has the highest exposure at any weight of H2: 0.40 to 0.50"),
        (
            [job_in(f, ("H1", a), ("H2", b), ("H3", c)) for f, a, b, c in CROSSING_IN_ONE_POINT],
            "The most exposed family changes at an H2 weight of 0.50: P below, R above",
        ),
        ([A, {**A, "job_family": "E"}], "A and E have the highest exposure at any weight of H2: 0.40 to 0.50"),
        ([job_in(None, ("H1", 9.0))], "There is not enough data to say which job family is most exposed"),
        ([job_in("A", ("H1", None))], "Exposure of A cannot be computed: no task has hours above 0"),
        ([job_in("A", ("H4", 2.0))], "Exposure of A cannot be computed: no task has a level with a weight"),
        ([job_in("A")], "No tasks in these task profiles"),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[dict[str, Any]], title: str) -> None:
    assert title_of(tpa.plot_weight_sensitivity(profiles_of(jobs), privacy=None)) == title


def test_suppressed_families_have_no_line() -> None:
    spec = tpa.plot_weight_sensitivity(company_with_small_families("Tiny", "Small", "Little")).to_dict()
    lines = rows_with(spec, "data_grade")
    assert {row["group"] for row in lines} == {"A", "B"}
    assert {row["role"] for row in lines} == {"leads"}  # A and B are equal
    assert "Suppressed (small group): Little, Small and Tiny." in text_of(spec)


def test_totals_are_not_shown_if_all_families_are_suppressed() -> None:
    chart = tpa.plot_weight_sensitivity(company_with_small_families("Tiny", "Small", jobs=0))
    assert title_of(chart) == ALL_SUPPRESSED
    assert not [total for total in ("% of", "2 jobs", "2 tasks") if total in text_of(chart.to_dict())]
