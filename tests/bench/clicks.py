"""How long a click takes until the marks have changed in JupyterLab, beside a widget that only swaps the same two."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, installed, ratios, said, separately

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
#: Milliseconds from the click to the frame in which the chart shows other marks.
_CLICK = """async ([weight, chart, name]) => {
  const shown = () => [...document.querySelectorAll(`.${chart} svg.marks path[d]`)]
    .map(one => one.getAttribute("d")).sort().join();
  const button = [...document.querySelectorAll(`.${weight} button`)].find(one => one.textContent.trim() === name);
  const before = shown(), start = performance.now();
  button.click();
  for (;;) {
    await new Promise(done => requestAnimationFrame(done));
    const now = shown();
    if (now && now !== before) { return performance.now() - start; }
    if (performance.now() - start > 30000) { throw new Error(`nothing has changed after a click on ${name}`); }
  }
}"""


def rows(pairs: int) -> list[Row]:
    """Measure in JupyterLab, if it and a browser are there."""
    lacking = [name for name in ("playwright", "jupyterlab") if not installed(name)]
    lacking += ["chromium"] * (shutil.which("chromium") is None)
    if lacking:
        return [Row(_TITLE, [], Target("at most", 1.5), why=f"not installed: {', '.join(lacking)}")]
    said(f"clicks: {pairs} pairs")
    taken = separately("clicks:clicked", pairs=2 * pairs)
    return [
        Row(_TITLE, ratios(taken["ours"], taken["bare"]), Target("at most", 1.5)),
        Row("clicks: click to changed marks, explorer", taken["ours"], unit=" ms"),
        Row("clicks: click to changed marks, bare JupyterChart", taken["bare"], unit=" ms"),
    ]


def clicked(pairs: int) -> dict[str, list[float]]:
    """Click in turn on the weights of both; gives milliseconds."""
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
        taken: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(pairs + 2):  # the first two let everything load what it needs
            name = ("tasks", "hours")[number % 2]
            for kind, weight, chart in (("ours", "tpa-weight", "tpa-chart"), ("bare", "bare-weight", "bare-chart")):
                milliseconds = _click(page, weight, chart, name)
                if number > 1:
                    taken[kind].append(milliseconds)
        browser.close()
    return taken


def _click(page: Page, *where: Any) -> float:
    milliseconds: float = page.evaluate(_CLICK, list(where))
    return milliseconds
