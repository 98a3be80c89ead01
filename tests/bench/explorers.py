"""What a change of a control costs, beside drawing the same chart anew from the tasks."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, ratios, said, separately
from tests.bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

#: No slower with ten times the tasks; a tenth is what two processes differ by anyway.
_CLICK, _GROWN = Target("at most", 0.1), Target("at most", 1.1)
#: After a rest all but the last are drawn already.
_HOW = {
    "button": "a button pressed",
    "family": "a family marked",
    "step": "a weight moved by a step",
    "far": "a weight moved far",
    "several": "several families marked at once, which is not foreseen",
}


def rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure with so many jobs, and with ten times as many."""
    found, taken = [], []
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-explorers-") as root:
        for size in (jobs, 10 * jobs):
            export = Export(generated(size, data))
            said(f"explorers: {export.tasks:,} tasks, {pairs} pairs")
            with serving(export.folder) as service:
                service.behave(page_seconds=0, gzip=False)
                separately("measures:prepared", settings=service.settings, folder=f"{root}/{size}")
            taken.append(separately("explorers:moved", folder=f"{root}/{size}", pairs=pairs))
            anew = "the same chart from its tasks"
            for name, how in _HOW.items():
                values = ratios(taken[-1][name], taken[-1][f"{name} anew"])
                found.append(Row(f"explorers: {how}, over {anew}, {export.tasks:,} tasks", values, _CLICK))
                milliseconds = [1000 * value for value in taken[-1][name]]
                found.append(Row(f"explorers: time of {how}, {export.tasks:,} tasks", milliseconds, unit=" ms"))
            found.append(
                Row(f"explorers: time to open, {export.tasks:,} tasks", [1000 * taken[-1]["open"]], unit=" ms")
            )
    small, large = taken
    for name, how in _HOW.items():
        values = ratios(large[name], small[name])
        found.append(Row(f"explorers: {how}, ten times the tasks over the tasks", values, _GROWN))
    return found


def moved(folder: str, pairs: int) -> dict[str, Any]:
    """Move controls of an explorer, and draw each chart anew from the tasks in turn; gives seconds."""
    import tpanalytics as tpa

    profiles = tpa.read_profiles(folder)
    tpa.explore(tpa.load_sample())  # loads what every explorer needs
    start = time.perf_counter()
    explorer = tpa.explore(profiles)
    taken: dict[str, Any] = {"open": time.perf_counter() - start}
    taken |= {name + more: [] for name in _HOW for more in ("", " anew")}
    families = list(explorer._facts.families)
    weight, listed = (explorer._control_bar.controls[name].widget for name in ("weight", "families"))
    scale = explorer._control_bar.controls["level_weights"]._sliders["H1"]
    levels = {"families": [], "weight": "hours", "show": "levels"}
    for number in range(pairs + 1):
        one, few = families[1 + number], families[: 2 + number]
        begin, end = round(0.9 - 0.05 * number, 2), round(0.05 + 0.05 * number, 2)
        level_weights = {**levels, "show": "weights", "level_weights": {"H1": begin, "H2": 0.5, "H3": 0.0}}
        moves: dict[str, tuple[dict[str, Any], Callable[[], None]]] = {
            "button": (levels, lambda: setattr(weight, "value", "tasks")),
            "family": (levels, lambda one=one: setattr(listed, "value", (one,))),
            "step": (level_weights, lambda begin=begin: setattr(scale, "value", round(begin - 0.05, 2))),
            "several": (levels, lambda few=few: setattr(listed, "value", tuple(few))),
            "far": (level_weights, lambda end=end: setattr(scale, "value", end)),
        }
        for name, (state, move) in moves.items():
            explorer.state = state
            for ahead in explorer._specs.ahead(explorer.state):
                explorer._specs.of(ahead)  # what it does by itself where a loop runs
            _timed(taken, name, move, explorer, profiles, kept=number > 0)
    return taken


def _timed(
    taken: dict[str, Any], name: str, move: Callable[[], None], explorer: Any, profiles: Any, *, kept: bool
) -> None:
    from tpanalytics.share.calls import Source

    before = explorer._chart.spec
    start = time.perf_counter()
    move()
    middle = time.perf_counter()
    drawn = explorer._view.chart.of(Source(profiles)).to_dict()
    end = time.perf_counter()
    shown = explorer._chart.spec
    if shown == before or drawn["datasets"] != shown["datasets"]:
        raise SystemExit(f"explorers: {name}: the chart is not the one that the controls ask for.")
    if kept:  # in the first round everything loads what it needs
        taken[name].append(middle - start)
        taken[f"{name} anew"].append(end - middle)
