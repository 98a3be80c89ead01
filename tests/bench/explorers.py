"""Changes of controls of an explorer compared with drawing the same chart from the tasks."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING, Any

from tests.bench.generate import Export, generated
from tests.bench.measure import Row, Target, log, ratios, run_in_process
from tests.bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

#: The time must not depend on the number of tasks, within 10% for differences between processes.
_CLICK, _GROWTH = Target("at most", 0.1), Target("at most", 1.1)
#: All but the last are drawn in advance.
_CHANGES = {
    "button": "pressing a button",
    "family": "selecting a family",
    "step": "moving a weight by one step",
    "far": "moving a weight far",
    "several": "selecting several families, which is not drawn in advance",
}


def rows(jobs: int, pairs: int, data: str | None) -> list[Row]:
    """Measure with `jobs` and with ten times as many jobs."""
    result, measured = [], []
    with tempfile.TemporaryDirectory(prefix="tpanalytics-bench-explorers-") as root:
        for size in (jobs, 10 * jobs):
            export = Export(generated(size, data))
            log(f"explorers: {export.tasks:,} tasks, {pairs} pairs")
            with serving(export.folder) as service:
                service.behave(page_seconds=0, gzip=False)
                run_in_process("measures:prepared", settings=service.settings, folder=f"{root}/{size}")
            measured.append(run_in_process("explorers:moved", folder=f"{root}/{size}", pairs=pairs))
            for name, change in _CHANGES.items():
                values = ratios(measured[-1][name], measured[-1][f"{name} redrawn"])
                result.append(
                    Row(f"explorers: {change}, over drawing from tasks, {export.tasks:,} tasks", values, _CLICK)
                )
                milliseconds = [1000 * value for value in measured[-1][name]]
                result.append(Row(f"explorers: time of {change}, {export.tasks:,} tasks", milliseconds, unit=" ms"))
            result.append(
                Row(f"explorers: time to open, {export.tasks:,} tasks", [1000 * measured[-1]["open"]], unit=" ms")
            )
    small, large = measured
    for name, change in _CHANGES.items():
        values = ratios(large[name], small[name])
        result.append(Row(f"explorers: {change}, ten times the tasks over the tasks", values, _GROWTH))
    return result


def moved(folder: str, pairs: int) -> dict[str, Any]:
    """Change controls of an explorer, alternating with drawing the chart from the tasks, and return seconds."""
    import tpanalytics as tpa

    profiles = tpa.read_profiles(folder)
    tpa.explore(tpa.load_sample())  # load modules
    start = time.perf_counter()
    explorer = tpa.explore(profiles)
    times: dict[str, Any] = {"open": time.perf_counter() - start}
    times |= {name + suffix: [] for name in _CHANGES for suffix in ("", " redrawn")}
    families = list(explorer._facts.groups)
    weight, listed = (explorer._control_bar.controls[name].widget for name in ("weight", "groups"))
    scale = explorer._control_bar.controls["level_weights"]._sliders["H1"]
    levels = {"groups": [], "weight": "hours", "show": "levels"}
    for number in range(pairs + 1):
        family, several = families[1 + number], families[: 2 + number]
        begin, end = round(0.9 - 0.05 * number, 2), round(0.05 + 0.05 * number, 2)
        level_weights = {**levels, "show": "weights", "level_weights": {"H1": begin, "H2": 0.5, "H3": 0.0}}
        moves: dict[str, tuple[dict[str, Any], Callable[[], None]]] = {
            "button": (levels, lambda: setattr(weight, "value", "tasks")),
            "family": (levels, lambda family=family: setattr(listed, "value", (family,))),
            "step": (level_weights, lambda begin=begin: setattr(scale, "value", round(begin - 0.05, 2))),
            "several": (levels, lambda several=several: setattr(listed, "value", tuple(several))),
            "far": (level_weights, lambda end=end: setattr(scale, "value", end)),
        }
        for name, (state, move) in moves.items():
            explorer.state = state
            for ahead in explorer._specs.ahead(explorer.state):
                explorer._specs.of(ahead)  # done automatically in an event loop
            _timed(times, name, move, explorer, profiles, record=number > 0)
    return times


def _timed(
    times: dict[str, Any], name: str, move: Callable[[], None], explorer: Any, profiles: Any, *, record: bool
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
        raise SystemExit(f"explorers: {name}: the chart does not match the controls.")
    if record:  # the first round only loads modules
        times[name].append(middle - start)
        times[f"{name} redrawn"].append(end - middle)
