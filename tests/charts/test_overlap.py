"""Tests of the heatmap of shared tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import layers, rows_encoding, task_job, title_of
from tests.helpers.companies import many
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import percent
from tpanalytics.measures.overlap import order_by_similarity

SIX_TASKS = [(f"t{i}", "H1", 2.0) for i in range(6)]


@pytest.mark.parametrize("weight", ["hours", "tasks"])
def test_squares_match_the_measure(sample: tpa.TaskProfiles, weight: Any) -> None:
    spec = tpa.plot_overlap(sample, weight=weight).to_dict()
    labels = next(layer["encoding"]["y"]["axis"]["labelExpr"] for layer in layers(spec) if "y" in layer["encoding"])
    order = [" ".join(lines).rsplit("\u2002", 1)[0] for lines in json.loads(labels.removesuffix("[datum.value - 1]"))]
    assert sorted(order) == sorted({*sample.jobs["job_family"].drop_nulls(), "(no job family)"})
    assert order[-1] == "(no job family)"
    squares = rows_encoding(spec, "rect", "share")
    shares = {(order[row["row"] - 1], order[row["col"] - 1]): row["share"] for row in squares}
    overlap = tpa.overlap(sample)
    for row in overlap.iter_rows(named=True):
        pair = (row["group_a"], row["group_b"])
        a_in_b = row["jaccard"] if weight == "tasks" else row["containment_a_in_b"]
        b_in_a = row["jaccard"] if weight == "tasks" else row["containment_b_in_a"]
        assert shares[pair] == pytest.approx(a_in_b, abs=1e-4)
        assert shares[pair[::-1]] == pytest.approx(b_in_a, abs=1e-4)
    assert len(shares) == 2 * overlap.height
    largest = max(share for pair, share in shares.items() if "(no job family)" not in pair)
    assert percent(largest) in spec["description"]


def test_similar_families_are_next_to_each_other() -> None:
    similarity = {("A", "D"): 0.9, ("B", "D"): 0.6, ("C", "B"): 0.5}
    assert order_by_similarity("ABCD", similarity) == ["A", "D", "B", "C"]
    assert order_by_similarity("ABCD", {(b, a): share for (a, b), share in similarity.items()}) == ["A", "D", "B", "C"]
    assert order_by_similarity("ABC", {}) == ["A", "B", "C"]
    assert order_by_similarity("A", {}) == ["A"]
    assert order_by_similarity("", {}) == []


def test_pairs_with_few_shared_tasks_have_a_sign_instead_of_a_figure() -> None:
    tasks = [(f"t{i}", "H1", 2.0) for i in range(8)]
    jobs = [
        task_job("A", *tasks),
        task_job("B", *tasks[:6], ("x", "H1", 2.0)),
        task_job("C", *tasks[:3]),
        task_job("D"),
    ]
    chart = tpa.plot_overlap(profiles_of(jobs), privacy=None)
    spec = chart.to_dict()
    signs = [row["sign"] for row in rows_encoding(spec, "text", "sign")]
    assert signs.count("\u25e6") == 4
    assert signs.count("\u2013") == 6
    assert "fewer than 5 shared tasks" in json.dumps(spec)
    assert len(rows_encoding(spec, "rect", "share")) == 2
    assert title_of(chart) == (
        f"B and A share the most work: {percent(0.86)} of the hours in B are in shared tasks; 2 squares are above 50%"
    )


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        ([task_job("A", ("a", "H1", 1.0))], "A is the only job family, so there is no overlap to show"),
        ([task_job("A", ("a", "H1", 1.0)), task_job("B", ("b", "H1", 1.0))], "No two job families share a task"),
        ([task_job("A"), task_job("B")], "There is not enough data to compare the work of job families"),
        (
            [task_job(family, ("a", "H1", 1.0)) for family in "AB"],
            "No two job families share enough tasks to be compared",
        ),
        (
            [task_job(family, *SIX_TASKS, *[(key, "H1", None) for key in "xyz"]) for family in "AB"],
            "There is not enough data to say which job families share the most work",
        ),
        (
            [task_job(family, *SIX_TASKS) for family in ("A", None)],
            "There is not enough data to say which job families share the most work",
        ),
        (
            [task_job(family, *SIX_TASKS) for family in "ABC"],
            f"3 pairs of families share the most work: {percent(1.0)} of one family's hours are in shared tasks",
        ),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[Any], title: str) -> None:
    assert title_of(tpa.plot_overlap(profiles_of(jobs), privacy=None)).startswith(title)


def test_the_largest_of_many_families_are_drawn() -> None:
    spec = tpa.plot_overlap(many(64, jobs=1), privacy=None).to_dict()
    assert "Only the 60 families with the most tasks are drawn, not 4 others." in json.dumps(spec)
    assert len(rows_encoding(spec, "rect", "share")) == 60 * 59
