"""Cached and prerendered charts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import tpanalytics as tpa
from tests.helpers.companies import many
from tests.helpers.explorer_widget import chart_spec, control, weight_slider


@pytest.fixture
def _no_idle_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0.0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0.0)


def test_measures_are_not_computed_again(explorer: tpa.Explorer) -> None:
    for weight in ("tasks", "headcount", "hours"):
        control(explorer, "weight").value = weight
    results = explorer._source.profiles.results
    count = len(results)
    for weight in ("tasks", "headcount", "hours"):
        control(explorer, "weight").value = weight
    control(explorer, "groups").value = ("Finance", "Sales")
    assert len(results) == count, "selecting families filters cached results"


CLICKS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "other weight": ({"weight": "tasks"}, "weight", "headcount"),
    "other states": ({"weight": "tasks"}, "states", ("validated",)),
    "other view": ({"weight": "tasks"}, "view", "compare"),
    "select one family": ({"weight": "tasks"}, "groups", ("Sales",)),
    "add a family": ({"groups": ["Sales"]}, "groups", ("Finance", "Sales")),
    "remove a family": ({"groups": ["Finance", "Sales"]}, "groups", ("Finance",)),
    "range of families": ({"groups": ["Finance"]}, "groups", ("Finance", "Human Resources", "Manufacturing")),
    "distant weight": ({"show": "weights"}, "level_weights", {"H3": 0.7}),
    "next weight": ({"show": "weights"}, "level_weights", {"H1": 0.95}),
    "exclude a level": (
        {"show": "weights", "level_weights": {"H1": 1.0, "H2": 0.5, "H3": 0.0}},
        "level_weights",
        {"H3": -1.0},
    ),
    "jobs of a family": ({"view": "tasks"}, "group", "Sales"),
}


@pytest.mark.slow
@pytest.mark.usefixtures("_no_idle_time")
@pytest.mark.parametrize("click", CLICKS)
def test_charts_one_click_away_are_prerendered(
    explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch, click: str
) -> None:
    state, name, value = CLICKS[click]

    async def wait_and_click() -> None:
        explorer.state = state
        spec = chart_spec(explorer)
        while explorer._ahead_timer is not None:
            await asyncio.sleep(0)
        assert chart_spec(explorer) == spec
        drawn: list[Any] = []
        monkeypatch.setattr(explorer._chart, "swap", drawn.append)
        if isinstance(value, dict):
            for level, weight in value.items():
                weight_slider(explorer, level).value = weight
        else:
            control(explorer, name).value = value
        assert len(drawn) == 1, "drawn without delay"

    asyncio.run(wait_and_click())


@pytest.mark.usefixtures("_no_idle_time")
def test_cache_and_prerendering_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.explorers.spec_cache._MAX_SPECS", 12)
    explorer = tpa.explore(many(30))

    async def wait() -> None:
        explorer.state = {"weight": "tasks"}
        while explorer._ahead_timer is not None:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(wait(), 60))
    assert len(explorer._specs._specs) <= 12


@pytest.mark.usefixtures("_no_idle_time")
def test_closed_explorer_stops_prerendering(explorer: tpa.Explorer) -> None:
    async def close() -> int:
        explorer.state = {"weight": "tasks"}
        while len(explorer._specs._specs) < 4:
            await asyncio.sleep(0)
        explorer.close()
        cached = len(explorer._specs._specs)
        control(explorer, "groups").value = ("Finance",)
        for _ in range(20):
            await asyncio.sleep(0)
        return cached

    cached = asyncio.run(close())
    assert len(explorer._specs._specs) <= cached + 1, "at most the requested chart is drawn"
    assert explorer._ahead_timer is None
    assert explorer._draw_timer is None
