"""The chart of the exposure curve shows the released points of the measure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tpanalytics.formatting import percent
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

#: The sample has no grade C if all its levels have a weight.
WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0, "H4": 0.0, "H5": 0.0}


@pytest.fixture(scope="module")
def few(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return four families."""
    return with_cache(sample.filter(job_family=["Finance", "Human Resources", "Procurement", "Sales"]))


def title(spec: dict[str, Any]) -> str:
    return " ".join(spec["title"]["text"])


def rows_with(spec: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows if set(names) <= set(row)]


def test_the_headline_is_the_share_at_half_of_the_work(few: tpa.TaskProfiles) -> None:
    released = tpa.suppress(tpa.exposure_curve(few, level_weights=WEIGHTS), few)
    row = released.filter(at_least=0.5).row(0, named=True)
    assert row["share"] is not None
    headline = title(tpa.plot_exposure_curve(few, level_weights=WEIGHTS).to_dict())
    assert headline.startswith(f"{percent(row['share'])} (bounds ")
    assert headline.endswith("of people are in jobs with at least 50% of the hours exposed")


def test_grade_c_quotes_only_the_bounds(few: tpa.TaskProfiles) -> None:
    few_levels = pl.when(pl.int_range(pl.len()) % 3 == 0).then("ai_impact_level").alias("ai_impact_level")
    chart = tpa.plot_exposure_curve(replace(few, tasks=few.tasks.with_columns(few_levels))).to_dict()
    assert title(chart).startswith("Allowing for missing data, ")
    assert "Data grade: C." in json.dumps(chart)


def test_only_released_points_are_drawn_and_the_band_contains_them(few: tpa.TaskProfiles) -> None:
    released = tpa.suppress(tpa.exposure_curve(few), few)
    shown = {at: share for at, share in released.select("at_least", "share").rows() if share is not None}
    chart = tpa.plot_exposure_curve(few).to_dict()
    assert released["share"].null_count()
    points = rows_with(chart, "at_least", "share", "low", "high")
    assert {row["at_least"]: row["share"] for row in points} == shown
    assert all(row["low"] <= row["share"] <= row["high"] for row in points)


def test_each_group_has_a_panel(few: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure_curve(few, by="job_family", top=3, level_weights=WEIGHTS).to_dict()
    assert "first 3 of 4 job families" in spec["title"]["subtitle"]
    assert len(spec["concat"][0]["concat"]) == 3
    finance = tpa.plot_exposure_curve(few, by="job_family", groups=["Finance"], level_weights=WEIGHTS).to_dict()
    assert title(finance).startswith("Finance: ")


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (
            lambda p: tpa.plot_exposure_curve(p, privacy=tpa.Privacy(min_jobs=10_000)),
            "The exposure curve is suppressed",
        ),
        (
            lambda p: tpa.plot_exposure_curve(
                replace(p, tasks=p.tasks.with_columns(ai_impact_level=pl.lit(None, pl.String)))
            ),
            "Exposure cannot be computed: no task has a level with a weight",
        ),
    ],
)
def test_the_title_says_why_there_is_no_curve(
    few: tpa.TaskProfiles, draw: Callable[[tpa.TaskProfiles], Any], text: str
) -> None:
    chart = draw(few).to_dict()
    assert title(chart).startswith(text)
    assert not rows_with(chart, "share")


def test_invalid_arguments_raise(few: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.ArgumentError, match="`top` must be a whole number from 1 to 40, not 0"):
        tpa.plot_exposure_curve(few, by="job_family", top=0)
    with pytest.raises(tpa.ArgumentError, match="`weight` must be 'headcount', 'fte' or 'jobs', not 'hours'"):
        tpa.plot_exposure_curve(few, weight="hours")  # type: ignore[arg-type]
