"""Messages, drawing, threads and display of an explorer."""

from __future__ import annotations

import asyncio
from threading import Thread, get_ident
from time import sleep
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.explorer_widget import chart_spec, control
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from pathlib import Path


def test_invalid_arguments_raise(profiles: tpa.TaskProfiles) -> None:
    for value in (0, profiles.tasks, "folder"):
        with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not"):
            tpa.explore(value)  # type: ignore[arg-type]
        with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not"):
            tpa.explore(profiles, value)  # type: ignore[arg-type]
    for privacy in (5, False, {"min_jobs": 3}):
        with pytest.raises(tpa.SchemaError, match="must be a Privacy"):
            tpa.explore(profiles, privacy=privacy)  # type: ignore[arg-type]


def test_errors_are_shown_above_the_previous_chart(explorer: tpa.Explorer) -> None:
    spec = chart_spec(explorer)
    states = control(explorer, "states")
    states.options = [*states.options, ("draft", ("draft",))]
    states.value = ("draft",)
    assert "no task is &#x27;draft&#x27;" in explorer._message.value
    assert 'role="status"' in explorer._message.value
    assert chart_spec(explorer) == spec
    states.value = ("validated",)
    assert explorer._message.value == ""
    assert chart_spec(explorer) != spec


def test_missing_snapshot_shows_an_error_and_cached_charts(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    tpa.write_profiles(profiles, tmp_path / "snapshot")
    explorer = tpa.explore(tpa.read_profiles(tmp_path / "snapshot", lazy=True))
    spec = chart_spec(explorer)
    (tmp_path / "snapshot").rename(tmp_path / "elsewhere")
    control(explorer, "view").value = "tasks"
    control(explorer, "search").value = "report"
    assert "file of the snapshot cannot be read" in explorer._message.value
    assert "snapshot/" not in explorer._message.value, "no paths in messages"
    with pytest.raises(tpa.SnapshotError, match="file of the snapshot cannot be read"):
        explorer.state = {"search": "invoice"}
    explorer.state = {"view": "impact", "search": ""}
    assert chart_spec(explorer) == spec


def test_warnings_are_shown_with_cached_charts_too(profiles: tpa.TaskProfiles) -> None:
    state = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("draft")).otherwise("validation_state")
    drafts = tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(validation_state=state), profiles.manifest)
    with pytest.warns(tpa.TpAnalyticsWarning, match="draft"):
        explorer = tpa.explore(drafts)
    control(explorer, "states").value = ("validated",)
    assert "3 in state" in explorer._message.value
    control(explorer, "show").value = "weights"
    control(explorer, "show").value = "levels"
    assert "3 in state" in explorer._message.value


def test_simultaneous_changes_are_drawn_once(profiles: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = tpa.explore(profiles)
    drawn: list[Any] = []
    monkeypatch.setattr(explorer._chart, "swap", drawn.append)

    async def change() -> None:
        for weight in ("tasks", "headcount"):
            control(explorer, "weight").value = weight
        control(explorer, "groups").value = ("Finance",)
        control(explorer, "groups").value = ("Finance", "Sales")
        assert drawn == []
        while not drawn:
            await asyncio.sleep(0.005)

    asyncio.run(change())
    assert len(drawn) == 1
    assert explorer.state["groups"] == ["Finance", "Sales"]
    assert explorer.state["weight"] == "headcount"


def test_threads_do_not_draw_concurrently(explorer: tpa.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Notebooks receive widget messages in one thread, with an event loop, and run cells in another.
    monkeypatch.setattr("tpanalytics.explorers.explorer._IDLE", 0)
    monkeypatch.setattr("tpanalytics.explorers.explorer._PAUSE", 0)
    active: list[int] = []
    problems: list[str] = []
    original = type(explorer._specs).of

    def of(specs: Any, view: Any, *picked: Any) -> dict[str, Any]:
        active.append(get_ident())
        if len(set(active)) > 1:
            problems.append(str(view))
        sleep(0.002)  # lets the other thread run
        try:
            return original(specs, view, *picked)
        finally:
            active.remove(get_ident())

    monkeypatch.setattr(type(explorer._specs), "of", of)

    async def receive_messages() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(str(context)))
        for number in range(12):
            control(explorer, "weight").value = ("tasks", "hours")[number % 2]
            for _ in range(4):
                await asyncio.sleep(0)

    thread = Thread(target=lambda: asyncio.run(receive_messages()))
    thread.start()
    number = 0
    while thread.is_alive():
        number += 1
        explorer.state = {"states": [["validated"], list(COUNTED_STATES)][number % 2]}
        assert explorer.code()
    thread.join()
    assert problems == []
    explorer.state = {"states": ["validated"], "weight": "tasks"}
    assert explorer._view.chart == explorer._drawn
    assert control(explorer, "weight").value == "tasks"


def test_notebook_stores_a_picture_and_a_description(explorer: tpa.Explorer) -> None:
    bundle, metadata = explorer._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert len(bundle["image/png"]) < 250_000
    assert metadata["image/png"]["width"] > 500
    assert bundle["text/plain"].startswith("Stacked bars of documented weekly hours")
