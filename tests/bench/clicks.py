"""Time from a click to the changed chart in JupyterLab, compared with a widget that swaps two specifications."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, installed, log, ratios, run_in_process

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["rows"]

_TITLE = "clicks: click to changed marks, explorer over a bare JupyterChart swapping the same two specifications"
_BARE = """import altair as alt
import ipywidgets as widgets

alt.JupyterChart.enable_offline()
drawn = {}
for weight in ("tasks", "hours"):
    explorer.state = {"weight": weight}
    drawn[weight] = explorer._chart.spec
bare = alt.JupyterChart(None, embed_options={"renderer": "svg"})
bare.spec = drawn["hours"]
bare.add_class("bare-chart")
choice = widgets.ToggleButtons(options=["tasks", "hours"], value="hours")
choice.add_class("bare-weight")
choice.observe(lambda change: setattr(bare, "spec", drawn[change["new"]]), "value")
widgets.VBox([choice, bare])"""
#: Return the milliseconds from the click to the first frame with changed marks.
_CLICK = """async ([weight, chart, name]) => {
  const shown = () => [...document.querySelectorAll(`.${chart} svg.marks path[d]`)]
    .map(path => path.getAttribute("d")).sort().join();
  const button = [...document.querySelectorAll(`.${weight} button`)].find(item => item.textContent.trim() === name);
  const before = shown(), start = performance.now();
  button.click();
  for (;;) {
    await new Promise(done => requestAnimationFrame(done));
    const now = shown();
    if (now && now !== before) { return performance.now() - start; }
    if (performance.now() - start > 30000) { throw new Error(`the chart did not change after a click on ${name}`); }
  }
}"""


def rows(pairs: int) -> list[Row]:
    """Measure clicks if JupyterLab and a browser are installed."""
    missing = [name for name in ("playwright", "jupyterlab") if not installed(name)]
    missing += ["chromium"] * (shutil.which("chromium") is None)
    if missing:
        return [Row(_TITLE, [], Target("at most", 1.5), why=f"not installed: {', '.join(missing)}")]
    log(f"clicks: {pairs} pairs")
    times = run_in_process("clicks:clicked", pairs=2 * pairs)
    return [
        Row(_TITLE, ratios(times["ours"], times["bare"]), Target("at most", 1.5)),
        Row("clicks: click to changed marks, explorer", times["ours"], unit=" ms"),
        Row("clicks: click to changed marks, bare JupyterChart", times["bare"], unit=" ms"),
    ]


def clicked(pairs: int) -> dict[str, list[float]]:
    """Click on the weights of both widgets alternately and return milliseconds."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS
    from tests.helpers.explorer_page import CELL, wait_until_drawn
    from tests.helpers.jupyter_servers import open_in_lab, running, write_notebook

    with (
        tempfile.TemporaryDirectory(prefix="tpanalytics-bench-clicks-") as root,
        running("jupyterlab", Path(root) / "lab") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 2600})
        write_notebook(lab.folder / "clicks.ipynb", CELL, _BARE)
        open_in_lab(page, lab, "clicks.ipynb")
        wait_until_drawn(page)
        page.wait_for_selector(".bare-chart svg.marks path[d]")
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(pairs + 2):  # the first two rounds only load modules
            name = ("tasks", "hours")[number % 2]
            for kind, weight, chart in (("ours", "tpa-weight", "tpa-chart"), ("bare", "bare-weight", "bare-chart")):
                milliseconds = _click(page, weight, chart, name)
                if number > 1:
                    times[kind].append(milliseconds)
        browser.close()
    return times


def _click(page: Page, *where: Any) -> float:
    milliseconds: float = page.evaluate(_CLICK, list(where))
    return milliseconds
