"""Chart widget and the clicks it reports."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

import tpanalytics as tpa
from tests.helpers.explorer_widget import chart_spec, click, control, move_chart_slider, weight_slider
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    import pytest


def test_chart_slider_changes_the_state_without_a_new_chart(explorer: tpa.Explorer) -> None:
    explorer.state = {"show": "weights"}
    spec = chart_spec(explorer)
    move_chart_slider(explorer, 0.3)
    assert explorer.state["level_weights"]["H2"] == 0.3
    assert chart_spec(explorer) == spec
    control(explorer, "states").value = ("validated",)
    assert '"H2": 0.3' in explorer.code()
    assert explorer.state["level_weights"]["H2"] == 0.3


def test_chart_slider_keeps_a_pending_change(explorer: tpa.Explorer) -> None:
    explorer.state = {"show": "weights"}
    before = chart_spec(explorer)

    async def move_both_sliders() -> None:
        weight_slider(explorer, "H1").value = 0.35
        move_chart_slider(explorer, 0.7)
        while explorer._draw_timer is not None:
            await asyncio.sleep(0)

    asyncio.run(move_both_sliders())
    assert explorer.state["level_weights"] == {"H1": 0.35, "H2": 0.7, "H3": 0.0}
    assert chart_spec(explorer) != before
    assert chart_spec(explorer)["params"][0]["value"] == 0.7


def test_click_selects_rows(explorer: tpa.Explorer) -> None:
    all_rows = explorer.selected
    click(explorer, "group", "Finance")
    assert explorer.selected.equals(all_rows.filter(pl.col("job_family") == "Finance"))
    assert explorer.state["picked"] == ["Finance"]
    assert "Finance" in explorer.code()
    click(explorer, "group", "Finance", "Sales")
    assert set(explorer.selected["job_family"]) == {"Finance", "Sales"}
    control(explorer, "weight").value = "tasks"
    assert set(explorer.selected["job_family"]) == {"Finance", "Sales"}
    picked = [param for param in chart_spec(explorer)["params"] if param["name"] == "picked"]
    assert picked[0]["value"] == [{"group": "Finance"}, {"group": "Sales"}]
    click(explorer, "group")
    assert set(explorer.selected["job_family"]) == set(all_rows["job_family"])
    control(explorer, "groups").value = ("Sales",)
    assert explorer.state["picked"] == []


def test_click_before_the_new_chart_is_drawn_is_ignored(explorer: tpa.Explorer) -> None:
    explorer.state = {"view": "tasks", "group": "Finance"}

    async def click_early() -> None:
        explorer._specs._specs.clear()
        control(explorer, "view").value = "hours"
        assert explorer._draw_timer is not None
        click(explorer, "job_id", explorer._facts.visible_jobs("Finance", COUNTED_STATES)[0][1])

    asyncio.run(click_early())
    assert explorer.state["picked"] == []


def test_click_on_the_previous_chart_is_ignored(explorer: tpa.Explorer) -> None:
    chart = explorer._chart
    # The browser may send a click before it receives the new chart.
    late = {"revision": chart.revision, "values": {"picked": [{"group": "Finance"}]}}
    control(explorer, "view").value = "hours"
    assert late["revision"] != chart.revision
    chart.params = late
    assert explorer.state["picked"] == []
    click(explorer, "group", "Sales")
    assert explorer.state["picked"] == ["Sales"]


def test_python_clears_a_selection_in_the_browser(explorer: tpa.Explorer) -> None:
    explorer.state = {}
    revision = explorer._chart.revision
    explorer.state = {}
    assert explorer._chart.revision == revision, "the same chart is not sent again"
    click(explorer, "group", "Sales")
    explorer.state = {"picked": []}
    assert explorer._chart.revision > revision, "the specification is the same, but the browser shows a selection"


def test_global_settings_of_altair_do_not_change(profiles: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    from altair.utils import schemapi

    def settings() -> tuple[Any, ...]:
        return schemapi.DEBUG_MODE, alt.JupyterChart._esm, alt.data_transformers.active, alt.theme.active

    def to_dict(chart: alt.LayerChart, *args: Any, **kwargs: Any) -> dict[str, Any]:
        observed.append(settings())  # also while drawing, because another thread may draw its own charts
        return original(chart, *args, **kwargs)

    observed: list[Any] = []
    before, original = settings(), alt.LayerChart.to_dict
    monkeypatch.setattr(alt.LayerChart, "to_dict", to_dict)
    explorer = tpa.explore(profiles)
    control(explorer, "view").value = "hours"
    assert len(observed) >= 2
    assert {*observed, settings()} == {before}


def test_widget_script_works_offline_and_is_built_once(explorer: tpa.Explorer, profiles: tpa.TaskProfiles) -> None:
    script = explorer._chart._esm
    assert not re.search(r"""(from|import)\s*\(?["']https?:""", script)
    assert "The chart could not be drawn" in script
    assert len(script) > 500_000, "contains Vega"
    assert tpa.explore(profiles)._chart._esm is script
