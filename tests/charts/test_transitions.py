"""Tests of the chart of re-rated tasks."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tests.helpers.chart_specs import (
    RESERVED_NAMES,
    job_in,
    layers,
    layers_of,
    rows_of,
    rows_with,
    text_of,
    three_jobs_in,
    title_of,
)
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours, percent


def cells_of(spec: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return the printed figure for each pair of levels."""
    return {
        (row["before"][:2], row["after"]): row["figure"]
        for layer in layers(spec)
        for row in rows_of(spec, layer)
        if {"before", "after", "figure"} <= set(row)
    }


@pytest.mark.parametrize("weight", ["tasks", "hours"])
def test_table_and_ribbons_match_the_measure(sample: tpa.TaskProfiles, later: tpa.TaskProfiles, weight: Any) -> None:
    spec = tpa.plot_transitions(sample, later, weight=weight).to_dict()
    cells, transitions = cells_of(spec), tpa.transitions(sample, later)
    both = transitions.filter(pl.col("move").is_in(["stayed", "relevelled"]))
    for start, end, n, amount in both.select("level_before", "level_after", "tasks", "hours_before").rows():
        assert cells[start[:2], end] == (f"{n:,}" if weight == "tasks" else hours(amount))
    assert cells["H1", "H3"] == "0"
    ribbons = {
        row["n"]: row["end"] - row["top"]
        for layer in layers_of(spec, "area")
        for row in rows_of(spec, layer)
        if row["x"] == 0
    }
    amounts = transitions.select(
        pl.col("tasks").cast(pl.Float64) if weight == "tasks" else pl.coalesce("hours_before", "hours_after")
    ).to_series()
    unit = sum(ribbons.values()) / amounts.sum()
    assert sorted(ribbons.values()) == pytest.approx([amount * unit for amount in sorted(amounts)], abs=0.11)


def test_largest_changes_are_labelled(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    spec = tpa.plot_transitions(sample, later).to_dict()
    assert (
        " ".join(spec["title"]["text"])
        == f"219 of 4,810 tasks ({percent(0.05)}) were re-rated, most often from H2 to H1 (113)"
    )
    assert {row["label"] for row in rows_with(spec, "label")} == {"H2 to H1: 113", "H3 to H2: 106"}
    assert "Largest changes: H2 to H1 (113) and H3 to H2 (106)." in spec["description"]


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        ([("H2", 2.0)], [("H1", 4.0)], {"tasks": "3 of 3 tasks", "hours": "6 of 6 documented hours a week"}),
        ([("H2", 2.0)], [("H2", 4.0)], "No task was re-rated"),
        ([(None, 2.0)], [("H2", 4.0)], "There is not enough data on re-rated tasks: 0"),
        ([("H2", 2.0)], [], "No task is in both snapshots, so re-ratings cannot be shown"),
        ([], [], "No tasks in either snapshot"),
    ],
)
@pytest.mark.parametrize("weight", ["tasks", "hours"])
def test_headline_allows_for_missing_data(before: list[Any], after: list[Any], title: Any, weight: Any) -> None:
    chart = tpa.plot_transitions(three_jobs_in("A", *before), three_jobs_in("A", *after), weight=weight)
    if isinstance(title, dict):
        most = "most often" if weight == "tasks" else "the largest part"
        title = f"{title[weight]} ({percent(1.0)}) were re-rated, {most} from H2 to H1"
    assert title_of(chart).startswith(title)


def test_changes_of_few_jobs_are_suppressed_with_their_totals() -> None:
    unchanged = [job_in("A", ("H1", 2.0), ("H2", 2.0), ("H3", 2.0), headcount=4.0)] * 6
    re_rated = job_in("A", ("H1", 2.0), ("H1", 2.0), ("H3", 2.0), headcount=4.0)
    before, after = profiles_of(unchanged), profiles_of([re_rated, *unchanged[1:]])
    spec = tpa.plot_transitions(before, after).to_dict()
    cells = cells_of(spec)
    assert cells["H2", "H1"] == "\u00b7"
    assert cells["H2", "all"] == "\u2013"
    assert cells["H3", "H3"] == "6"
    assert "are suppressed: fewer than 3 jobs" in text_of(spec)
    assert spec["title"]["text"] == ["None of the tasks shown was re-rated"]
    shown = tpa.plot_transitions(before, after, privacy=None)
    assert title_of(shown).startswith(f"1 of 18 tasks ({percent(1 / 18)}) was re-rated, most often from H2 to H1")


def test_nothing_is_drawn_if_all_changes_are_suppressed() -> None:
    unchanged = [job_in("A", ("H1", 2.0), ("H2", 2.0), headcount=4.0)] * 6
    re_rated = job_in("A", ("H1", 2.0), ("H1", 2.0), headcount=4.0)
    chart = tpa.plot_transitions(profiles_of(unchanged), profiles_of([re_rated, *unchanged[1:]]))
    assert title_of(chart) == "All level changes are suppressed (too few jobs)"
    assert "H2" not in json.dumps(chart.to_dict())


# Four names leave few enough levels for ribbons.
@pytest.mark.parametrize("names", [RESERVED_NAMES[:4], RESERVED_NAMES], ids=["ribbons", "table"])
def test_reserved_names_of_levels_are_drawn(names: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    before = three_jobs_in("A", *((level, 2.0) for level in ("H1", *names)))
    after = three_jobs_in("A", *((level, 2.0) for level in (names[0], *names)))
    picture = vl_convert.vegalite_to_svg(tpa.plot_transitions(before, after, privacy=None).to_dict())
    assert "constructor" in picture
    assert "toString" in picture
    assert (": 3</text>" in picture) == (len(names) == 4)
    assert "ERROR" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["added", "removed", "all"])
def test_levels_named_like_a_row_of_the_table_are_levels(name: str) -> None:
    before, after = three_jobs_in("A", (name, 2.0)), three_jobs_in("A", ("H1", 2.0))
    for snapshots in ((before, after), (after, before)):
        title = tpa.plot_transitions(*snapshots)["title"]["text"][0]
        assert title.startswith(f"3 of 3 tasks ({percent(1.0)}) were re-rated")


def test_invalid_weight_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match="`weight` must be 'tasks' or 'hours', not 'cost'"):
        tpa.plot_transitions(sample, sample, weight="cost")  # type: ignore[arg-type]
