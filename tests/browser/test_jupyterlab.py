"""Explorer in JupyterLab, offline."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.explorer_page import (
    CELL,
    changed,
    choose,
    click_bar,
    find,
    marks,
    next_frame,
    press,
    slide_in_chart,
    tour,
    wait_for_marks,
    wait_until_drawn,
)
from tests.helpers.jupyter_servers import READY, command, execute, open_in_lab, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.helpers.jupyter_servers import Server

pytestmark = pytest.mark.slow

SUBTITLES = {
    "tasks": "Share of tasks",
    "hours": "Share of documented weekly hours",
    "headcount": "of all people by AI",
}
SELECTED = 'print(sorted(explorer.selected["job_family"].unique()))'


@pytest.fixture(scope="module")
def notebook(lab: Server, open_page: Callable[..., Page]) -> Page:
    """Run a notebook with an explorer."""
    page = open_page()
    write_notebook(lab.folder / "explorer.ipynb", CELL, "pass", SELECTED)
    open_in_lab(page, lab, "explorer.ipynb")
    wait_until_drawn(page)
    execute(page, "start = explorer.state")
    page.first = marks(page)  # type: ignore[attr-defined]
    return page


@pytest.fixture
def page(notebook: Page) -> Page:
    """Reset the explorer to its initial state."""
    execute(notebook, "explorer.state = start")
    wait_for_marks(notebook, notebook.first)  # type: ignore[attr-defined]
    return notebook


def state(page: Page) -> dict[str, Any]:
    """Return the state of the explorer in the kernel."""
    result: dict[str, Any] = json.loads(execute(page, "import json; print(json.dumps(explorer.state))"))
    return result


def test_each_control_changes_the_marks(page: Page, pictures: Path) -> None:
    first, expected = marks(page), state(page)
    for number, (act, text, changes) in enumerate(tour(page)):
        changed(page, act, text)
        current = state(page)
        expected |= {name: current[name] if value is ... else value for name, value in changes.items()}
        assert current == expected
        assert page.locator(".tpa-chart").evaluate("box => box.scrollWidth <= box.clientWidth"), "the chart is cut off"
        page.locator(".tpa-explorer").screenshot(path=pictures / f"lab-{number:02}-{'-'.join(changes)}.png")
    for act in (press(page, "view", "AI impact"), press(page, "show", "shares by level")):
        changed(page, act)
    assert changed(page, press(page, "weight", "hours")) == first
    assert page.requested == []  # type: ignore[attr-defined]
    assert page.errors == []  # type: ignore[attr-defined]


def test_chart_slider_works_while_the_kernel_is_busy(page: Page, lab: Server) -> None:
    changed(page, press(page, "show", "exposure by weight"))
    started, release, done = (lab.folder / name for name in ("started", "release", "done"))
    page.evaluate(
        "code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }) }",
        "import pathlib, time\npathlib.Path('started').touch()\nwhile not pathlib.Path('release').exists():\n"
        "    time.sleep(0.01)\npathlib.Path('done').touch()",
    )
    try:
        while not started.exists():
            next_frame(page)
        changed(page, lambda: slide_in_chart(page, "0.8"), "at 0.80")
        assert not done.exists()
    finally:
        release.touch()
    while state(page)["level_weights"]["H2"] != 0.8:
        pass
    assert "H2" in execute(page, "print(explorer.code())")


def test_bars_do_not_move_when_the_title_wraps(page: Page) -> None:
    top = """() => Math.min(...[...document.querySelectorAll(".tpa-chart .mark-rect path[aria-label]")].map(
        bar => bar.getBoundingClientRect().top))"""
    lines = "() => document.querySelectorAll('.tpa-chart .role-title-text tspan').length"
    changed(page, choose(page, "groups", "Finance", "Sales"))
    positions = set()
    for weight in ("tasks", "headcount", "hours"):
        page.locator(".tpa-weight").get_by_role("button", name=weight, exact=True).click()
        page.wait_for_function(
            "text => document.querySelector('.tpa-chart svg').textContent.includes(text)", arg=SUBTITLES[weight]
        )
        positions.add((page.evaluate(lines) > 1, page.evaluate(top)))
    assert {wrapped for wrapped, _ in positions} == {True, False}
    assert len({y for _, y in positions}) == 1


def test_pressed_buttons_are_marked_for_screen_readers(page: Page) -> None:
    view = page.get_by_role("group", name="View")
    assert view.get_by_role("button", name="AI impact", pressed=True).count() == 1
    changed(page, press(page, "view", "Weekly hours"))
    view.get_by_role("button", name="Weekly hours", pressed=True).wait_for()
    assert view.get_by_role("button", pressed=True).count() == 1
    assert page.get_by_role("button", name="Show Python code", pressed=False).count() == 1


def test_click_on_a_bar_selects_its_family(page: Page) -> None:
    page.get_by_role("button", name="Show Python code").click()
    click_bar(page, "Finance")
    page.locator(".tpa-chart .mark-rect path[aria-label*='Job family: Sales;']").first.click(modifiers=["Shift"])
    page.locator("pre.tpa-python").get_by_text('.is_in(["Finance", "Sales"])').wait_for()
    opacities = page.eval_on_selector_all(
        ".tpa-chart .mark-rect path[aria-label*='Job family: Manufacturing;']",
        "all => all.map(bar => bar.getAttribute('opacity'))",
    )
    assert set(opacities) == {"0.6"}
    cell = page.locator(".jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    cell.get_by_text("['Finance', 'Sales']").wait_for()
    page.get_by_role("button", name="Show Python code").click()
    page.locator("pre.tpa-python").wait_for(state="hidden")


def test_displayed_code_reproduces_the_chart(page: Page) -> None:
    changed(page, choose(page, "groups", "Finance", "Sales"))
    button = page.get_by_role("button", name="Show Python code")
    button.click()
    displayed = page.locator("pre.tpa-python", has_text='groups=["Finance", "Sales"]')
    displayed.wait_for()
    code = displayed.inner_text()
    button.click()
    code = f'profiles = tpa.load_sample("2026-11")\n{code}\n'
    assert execute(page, f"{code}print(table.equals(explorer.selected), chart.__class__.__name__)") == "True Chart\n"


@pytest.mark.parametrize(("kind", "suffix", "prefix"), [("PNG", "png", b"\x89PNG"), ("web page", "html", b"<!")])
def test_chart_can_be_downloaded(page: Page, kind: str, suffix: str, prefix: bytes) -> None:
    choose(page, "chart-as", kind)()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download chart").click()
    assert download.value.suggested_filename == f"impact.{suffix}"
    content = Path(download.value.path()).read_bytes()
    assert content.lower().startswith(prefix.lower())
    assert len(content) > 20_000


def test_table_can_be_downloaded(page: Page) -> None:
    changed(page, press(page, "weight", "tasks"))
    choose(page, "table-as", "Parquet")()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download table").click()
    later = tpa.load_sample("2026-11")
    expected = tpa.suppress(tpa.impact(later, weight="tasks"), later)
    assert_frame_equal(pl.read_parquet(io.BytesIO(Path(download.value.path()).read_bytes())), expected)


def test_all_controls_work_by_keyboard(page: Page) -> None:
    changed(page, press(page, "show", "exposure by weight"))
    page.locator(".tpa-view button").first.focus()
    focused: list[str] = []
    controls = ["view", "show", "level_weights", "states", "groups", "chart"]
    controls += ["chart-as", "download-chart", "table-as", "download-table", "code"]
    focused_control = """names => {
        const element = document.activeElement;
        return element.closest(".tpa-explorer") && (names.find(name => element.closest(`.tpa-${name}`)) ?? "");
    }"""
    while (name := page.evaluate(focused_control, controls)) is not None:
        focused.append(name)
        page.keyboard.press("Tab")
    assert list(dict.fromkeys(name for name in focused if name)) == controls, "the visual order"
    page.locator(".tpa-show button").first.focus()
    changed(page, lambda: page.keyboard.press("Space"), "Share of documented weekly hours")
    page.locator(".tpa-weight button").first.focus()
    changed(page, lambda: page.keyboard.press("Enter"), "Share of tasks")
    page.locator(".tpa-groups select").focus()
    changed(page, lambda: page.keyboard.press("ArrowDown"))
    assert state(page)["groups"] == ["Customer Service"]
    page.locator(".tpa-states select").focus()
    cells = page.locator(".jp-CodeCell").count()
    changed(page, lambda: page.keyboard.press("ArrowDown"), "100% are validated")
    for _ in range(2):
        page.keyboard.press("d")
    assert execute(page, "print('done')") == "done\n"
    assert page.locator(".jp-CodeCell").count() == cells, "JupyterLab does not handle the keys"


def test_errors_are_shown_above_the_previous_chart(lab: Server, open_page: Callable[..., Page], pictures: Path) -> None:
    page = open_page()
    tpa.write_profiles(tpa.load_sample(), lab.folder / "snapshot")
    cell = CELL.replace('tpa.load_sample("2026-11"), tpa.load_sample()', 'tpa.read_profiles("snapshot", lazy=True)')
    write_notebook(lab.folder / "removed.ipynb", cell)
    open_in_lab(page, lab, "removed.ipynb")
    wait_until_drawn(page)
    changed(page, press(page, "view", "Tasks"))
    before = marks(page)
    (lab.folder / "snapshot").rename(lab.folder / "elsewhere")
    find(page, "report")()  # search results are never prerendered
    page.locator(".tpa-error").wait_for()
    assert "file of the snapshot cannot be read" in page.locator(".tpa-error").inner_text()
    page.locator(".tpa-explorer").screenshot(path=pictures / "lab-error.png")
    message, chart = page.locator(".tpa-error").bounding_box(), page.locator(".tpa-chart").bounding_box()
    assert message["y"] + message["height"] <= chart["y"] + 1  # type: ignore[index]
    assert marks(page) == before
    (lab.folder / "elsewhere").rename(lab.folder / "snapshot")
    changed(page, find(page, "invoice"), "“invoice”")
    page.locator(".tpa-error").wait_for(state="detached")


def test_invalid_chart_shows_an_error_until_the_next_chart(page: Page) -> None:
    broken = {"data": {"values": [{}]}, "transform": [{"calculate": "1 +", "as": "x"}], "mark": "point"}
    execute(page, f"explorer._chart.swap({broken})")
    page.locator(".tpa-chart [role=alert]").get_by_text("The chart could not be drawn: ").wait_for()
    execute(page, "explorer._chart.swap(explorer._spec)")
    wait_for_marks(page, page.first)  # type: ignore[attr-defined]


def test_reopened_notebook_shows_the_picture(
    page: Page, lab: Server, open_page: Callable[..., Page], pictures: Path
) -> None:
    assert not page.locator(".jp-OutputArea-output img").is_visible(), "hidden while the widget runs"
    command(page, "docmanager:save")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = lab.folder / "explorer.ipynb"
    assert saved.stat().st_size < 400_000
    mailed = json.loads(saved.read_text(encoding="utf-8"))
    assert "widgets" not in mailed["metadata"], "the chart script is 1 MB"
    mailed["metadata"]["kernelspec"] = {"display_name": "R", "language": "R", "name": "ir"}
    mailed["metadata"]["language_info"] = {"name": "R"}
    mailed["cells"][0]["source"] += "  # makes the notebook untrusted"
    (lab.folder / "mailed.ipynb").write_text(json.dumps(mailed), encoding="utf-8")
    shutil.copy(saved, lab.folder / "reopened.ipynb")
    for name, trusted in (("reopened", True), ("mailed", False)):
        other = open_page()
        other.goto(f"{lab.url}/lab/tree/{name}.ipynb?reset&token={lab.token}")
        if trusted:
            other.wait_for_function(READY)
            other.get_by_text("model not found").wait_for()
        else:
            other.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
        picture = other.locator(".jp-OutputArea-output img")
        picture.wait_for()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 900
        assert other.evaluate("window.jupyterapp.shell.currentWidget.context.model.cells.get(0).trusted") is trusted
        other.screenshot(path=pictures / f"lab-{name}.png")
        assert other.requested == []  # type: ignore[attr-defined]


def test_converted_notebook_shows_the_picture(page: Page, lab: Server, open_page: Callable[..., Page]) -> None:
    command(page, "docmanager:save")
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "explorer.ipynb"]
    subprocess.run(convert, cwd=lab.folder, check=True, capture_output=True)
    other = open_page(offline=True)
    other.goto((lab.folder / "explorer.html").as_uri())
    picture = other.locator("img[src^='data:image/png']")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 900
