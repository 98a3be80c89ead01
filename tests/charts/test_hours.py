"""Tests of the chart of weekly hours."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa
from tests.helpers.chart_specs import job_in, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.frame import hours_column
from tpanalytics.formatting import NONE, hours


def test_alt_text_contains_every_median(sample: tpa.TaskProfiles) -> None:
    description = tpa.plot_hours(sample).to_dict()["description"]
    for family, median in tpa.hours(sample).select("job_family", "hours_p50").rows():
        assert f"{family} {hours(median)}" in description


def test_families_with_grade_c_or_without_a_name_are_not_the_headline(sample: tpa.TaskProfiles) -> None:
    title = title_of(tpa.plot_hours(sample))
    assert "Product Management" not in title
    assert "(no job family)" not in title


@pytest.mark.parametrize(
    ("jobs", "title"),
    [
        (
            [job_in("A", ("H1", None)), job_in("B", ("H1", None))],
            "Weekly hours cannot be shown: no task has documented hours",
        ),
        ([job_in("A"), job_in("B")], "No tasks in these task profiles"),
        ([job_in("A", ("H1", 2.0)), job_in("B", ("H1", 3.0))], "There are not enough jobs to compare the hours"),
        (
            [job_in("A", ("H1", 2.0), ("H1", None)), job_in("B", ("H1", 3.0), ("H1", None))],
            "There is not enough data to compare the hours",
        ),
    ],
)
def test_headline_states_why_families_are_not_compared(jobs: list[Any], title: str) -> None:
    chart = tpa.plot_hours(profiles_of(jobs), privacy=None)
    assert title_of(chart).startswith(title)
    rows = [row for rows in chart.to_dict()["datasets"].values() for row in rows if "missing" in row]
    with_hours = any(task["weekly_hours"] for job in jobs for task in job["tasks"])
    assert len(rows) == (0 if with_hours else len(jobs))


@given(st.lists(st.none() | st.floats(0, 5000), max_size=12))
def test_hours_of_a_column_have_equal_decimals_and_only_zero_prints_as_zero(amounts: list[float | None]) -> None:
    texts = hours_column(pl.Series(amounts, dtype=pl.Float64)).to_list()
    decimals = {len(text.removesuffix("\u00a0h").partition(".")[2]) for text in texts if text != NONE}
    assert len(decimals) <= 1
    for amount, text in zip(amounts, texts, strict=True):
        assert (text == NONE) == (amount is None)
        if amount is not None:
            printed = float(text.removesuffix("\u00a0h").replace(",", ""))
            assert abs(printed - amount) <= 0.5 + 1e-9
            assert (printed == 0) == (round(amount, 1) == 0)
