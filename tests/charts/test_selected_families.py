"""Tests of charts of selected families, which reveal no more than the chart of all families."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

PLOTS = [tpa.plot_impact, tpa.plot_hours, tpa.plot_weight_sensitivity]
every_plot = pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)


def families_in(spec: dict[str, Any]) -> set[str]:
    return {row["group"] for rows in spec["datasets"].values() for row in rows if "group" in row}


@every_plot
def test_only_selected_families_are_drawn(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    spec = plot(sample, groups=["Finance", "Sales"]).to_dict()
    assert families_in(spec) == {"Finance", "Sales"}
    assert "2 job families" in spec["title"]["subtitle"]


@every_plot
def test_suppressed_families_stay_suppressed_in_a_selection(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    privacy = tpa.Privacy(min_jobs=9)
    released = tpa.suppress(tpa.hours(sample), sample, privacy=privacy)
    suppressed = released.filter(reason="SUPPRESSED").get_column("job_family").to_list()
    assert len(suppressed) > 1
    assert "Finance" not in suppressed
    assert "uppressed (small group)" in json.dumps(plot(sample, groups=suppressed, privacy=privacy).to_dict())
    jobs = sample.jobs.filter(pl.col("job_family") == "Finance").height
    # A total that included the suppressed family would reveal it.
    for selection in (["Finance"], ["Finance", suppressed[0]]):
        assert f"{jobs} jobs" in plot(sample, groups=selection, privacy=privacy).to_dict()["title"]["subtitle"]


@every_plot
def test_unknown_and_empty_selections_raise(plot: Callable[..., Any], sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"'Finanz' is not a job family \(did you mean 'Finance'\?\)"):
        plot(sample, groups=["Finanz"])
    with pytest.raises(tpa.SchemaError, match="`groups` must"):
        plot(sample, groups=[])


def test_axis_is_the_same_for_any_selection(sample: tpa.TaskProfiles) -> None:
    def domain(chart: Any) -> list[float]:
        scales = [layer["encoding"]["x"].get("scale") for layer in chart.to_dict()["layer"] if "x" in layer["encoding"]]
        return next(scale["domain"] for scale in scales if scale)

    assert domain(tpa.plot_hours(sample)) == domain(tpa.plot_hours(sample, groups=["Sales"]))
