"""Tests of the chart of tasks that match a search."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import job_in, layers, layers_of, rows_of, text_of, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.render import png
from tpanalytics.formatting import hours, percent
from tpanalytics.measures.find_tasks import matches_by_group


def bars_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return rows_of(spec, layers_of(spec, "bar")[0])


@pytest.mark.parametrize("text", ["customer", "Customer ORDER", "e"])
def test_bars_match_the_measure(company: tpa.TaskProfiles, text: str) -> None:
    spec = tpa.plot_find_tasks(company, text).to_dict()
    matches = tpa.find_tasks(company, text)
    counts = dict(tpa.impact(company).group_by("job_family").agg(pl.col("tasks").sum()).rows())
    bars = bars_of(spec)
    assert {row["group"] for row in bars} == set(matches["job_family"])
    for family in matches["job_family"].unique():
        own = matches.filter(job_family=family)
        parts = {row["part"]: row for row in bars if row["group"] == family}
        assert sum(part["tasks"] for part in parts.values()) == own.height
        assert parts.get("without hours", {"tasks": 0})["tasks"] == own["weekly_hours"].null_count()
        ends = [(row["start"], row["end"]) for row in bars if row["group"] == family]
        assert ends[0][0] == 0
        assert all(part[1] == pytest.approx(following[0]) for part, following in itertools.pairwise(ends))
        assert ends[-1][1] == pytest.approx(own.height / counts[family])
        known = own["weekly_hours"].drop_nulls()
        amount = hours(float(known.sum())) if known.len() else "unknown hours"
        figures = f"{family} {own.height:,} tasks, {percent(own.height / counts[family])}, {amount}"
        assert figures in spec["description"]
    printed = {
        row["group"]: row["seen"]
        for layer in layers_of(spec, "text")
        if "data" in layer
        for row in rows_of(spec, layer)
        if "seen" in row
    }
    assert printed == {f: f"{matches.filter(job_family=f).height:,} of {n:,}" for f, n in counts.items()}
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    shares = {family: matches.filter(job_family=family).height / n if n else -1 for family, n in counts.items()}
    assert [round(shares[f], 9) for f in order] == sorted((round(s, 9) for s in shares.values()), reverse=True)


def test_chart_contains_no_task_text_and_no_ids(sample: tpa.TaskProfiles) -> None:
    marked = replace(sample, tasks=sample.tasks.with_columns(task=pl.format("CANARY {}", "task")))
    spec = tpa.plot_find_tasks(marked, "customer").to_dict()
    assert bars_of(spec)
    assert "CANARY" not in text_of(spec)
    ids = {*sample.tasks["task_id"].unique(), *sample.jobs["job_id"]}
    assert not [key for key in ids if f'"{key}"' in text_of(spec)]


@pytest.mark.parametrize(
    ("tasks", "text", "title"),
    [
        ([[("H1", 2.0)], [("H1", 2.0)]], "zzz", "No tasks contain “zzz”"),
        ([[], []], "do", "No tasks in these task profiles"),
        (
            [[("H1", None)], []],
            "do",
            f"“do” is in 1 of 1 task, with no hours documented; the largest share is in A, {percent(1.0)}",
        ),
        (
            [[("H1", 2.0)], [("H1", 3.0)]],
            "care do",
            "“care” and “do” are in 2 of 2 tasks, with 5\xa0h a week documented; the",
        ),
        (
            [[("H1", 2.0)], [("H1", 3.0)]],
            "do",
            f"“do” is in 2 of 2 tasks, with 5\xa0h a week documented; the largest share, {percent(1.0)}, is in 2 famil",
        ),
        ([[("H1", 2.0)]], "do", "“do” is in 1 of 1 task, with 2\xa0h a week documented"),
    ],
)
def test_headline_allows_for_missing_data(tasks: list[Any], text: str, title: str) -> None:
    profiles = profiles_of([job_in(name, *some) for name, some in zip("AB", tasks, strict=False)])
    chart = tpa.plot_find_tasks(profiles, text, privacy=None)
    assert title_of(chart).startswith(title)
    assert png(chart.to_dict(), 1.0).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "text", ["constructor", 'x\x07 "', "<b> 研究 開発", "a" * 500, " ".join(f"word{i}" for i in range(90))]
)
def test_search_words_of_any_kind_and_length_are_drawn(sample: tpa.TaskProfiles, text: str) -> None:
    spec = tpa.plot_find_tasks(sample, text).to_dict()
    assert len(" ".join(spec["title"]["text"])) < 220
    assert "\x07" not in text_of(spec)
    assert png(spec, 1.0).startswith(b"\x89PNG")


def test_long_lists_of_search_words_are_cut(sample: tpa.TaskProfiles) -> None:
    text = " ".join(f"word{i:02d}{'x' * 6}" for i in range(90))
    assert "and 85 more words" in title_of(tpa.plot_find_tasks(sample, text))


def test_tasks_without_text_are_counted() -> None:
    profiles = profiles_of([job_in("A", ("H1", 2.0), ("H1", 2.0))] * 3)
    row = pl.int_range(pl.len())
    tasks = profiles.tasks.with_columns(task=pl.when(row > 0).then("task"))
    text = text_of(tpa.plot_find_tasks(replace(profiles, tasks=tasks), "do", privacy=None).to_dict())
    assert "1 task without text cannot be found." in text
    assert "without text" not in text_of(tpa.plot_find_tasks(profiles, "do", privacy=None).to_dict())


def test_selected_families_are_drawn_as_in_the_full_chart(sample: tpa.TaskProfiles) -> None:
    selection = ["Sales", "Finance"]
    chart = tpa.plot_find_tasks(sample, "customer", groups=selection)
    spec, full = chart.to_dict(), tpa.plot_find_tasks(sample, "customer").to_dict()
    assert {row["group"] for row in bars_of(spec)} == set(selection)
    assert [row for row in bars_of(full) if row["group"] in selection] == bars_of(spec)
    scales = [layers_of(each, "bar")[0]["encoding"]["x"]["scale"] for each in (spec, full)]
    assert scales[0] == scales[1]
    counts = matches_by_group(sample, "customer").filter(pl.col("job_family").is_in(selection))
    title = f"2 selected families · “customer” is in {counts['found'].sum()} of {counts['tasks'].sum()} tasks"
    assert title_of(chart).startswith(title)


def test_unknown_family_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'Sale' is not a job family \(did you mean 'Sales'\?\)"):
        tpa.plot_find_tasks(sample, "customer", groups=["Sale"])


def test_text_without_words_raises(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match="`text` must contain at least one word"):
        tpa.plot_find_tasks(sample, " ")
