"""An explorer in JupyterLab with no network: each control moves the marks, and what is shown can be handed on."""

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
    wait_until_again,
    wait_until_drawn,
)
from tests.helpers.jupyter_servers import READY, command, execute, open_in_lab, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.helpers.jupyter_servers import Server

HEADS = {"tasks": "Share of tasks", "hours": "Share of described weekly hours", "headcount": "of all incumbents by AI"}
SELECTED = 'print(sorted(explorer.selected["job_family"].unique()))'


@pytest.fixture(scope="module")
def notebook(lab: Server, opened: Callable[..., Page]) -> Page:
    """Open a notebook with an explorer and run it."""
    page = opened()
    write_notebook(lab.folder / "explorer.ipynb", CELL, "pass", SELECTED)
    open_in_lab(page, lab, "explorer.ipynb")
    wait_until_drawn(page)
    execute(page, "start = explorer.state")
    page.first = marks(page)  # type: ignore[attr-defined]
    return page


@pytest.fixture
def page(notebook: Page) -> Page:
    """Give the page, its explorer as it was at first."""
    execute(notebook, "explorer.state = start")
    wait_until_again(notebook, notebook.first)  # type: ignore[attr-defined]
    return notebook


def state(page: Page) -> dict[str, Any]:
    """Ask the kernel for the state."""
    said: dict[str, Any] = json.loads(execute(page, "import json; print(json.dumps(explorer.state))"))
    return said


def test_each_control_changes_the_marks(page: Page, pictures: Path) -> None:
    first, expected = marks(page), state(page)
    for number, (act, said, becomes) in enumerate(tour(page)):
        changed(page, act, said)
        known = state(page)
        expected |= {name: known[name] if value is ... else value for name, value in becomes.items()}
        assert known == expected
        assert page.locator(".tpa-chart").evaluate("one => one.scrollWidth <= one.clientWidth"), "the chart is cut off"
        page.locator(".tpa-explorer").screenshot(path=pictures / f"lab-{number:02}-{'-'.join(becomes)}.png")
    for act in (press(page, "view", "AI impact"), press(page, "show", "shares of levels")):
        changed(page, act)
    assert changed(page, press(page, "weight", "hours")) == first
    assert page.asked == []  # type: ignore[attr-defined]
    assert page.failed == []  # type: ignore[attr-defined]


def test_the_slider_in_the_chart_moves_dots_while_python_is_busy(page: Page, lab: Server) -> None:
    changed(page, press(page, "show", "exposure by weight"))
    begun, free, done = (lab.folder / name for name in ("begun", "free", "done"))
    page.evaluate(
        "code => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }) }",
        "import pathlib, time\npathlib.Path('begun').touch()\nwhile not pathlib.Path('free').exists():\n"
        "    time.sleep(0.01)\npathlib.Path('done').touch()",
    )
    try:
        while not begun.exists():
            next_frame(page)
        changed(page, lambda: slide_in_chart(page, "0.8"), "at 0.80")
        assert not done.exists()
    finally:
        free.touch()
    while state(page)["level_weights"]["H2"] != 0.8:
        pass
    assert "H2" in execute(page, "print(explorer.code())")


def test_bars_stay_where_they_are_while_titles_take_one_line_or_two(page: Page) -> None:
    top = """() => Math.min(...[...document.querySelectorAll(".tpa-chart .mark-rect path[aria-label]")].map(
        bar => bar.getBoundingClientRect().top))"""
    lines = "() => document.querySelectorAll('.tpa-chart .role-title-text tspan').length"
    seen = set()
    for weight in ("tasks", "headcount", "hours"):
        page.locator(".tpa-weight").get_by_role("button", name=weight, exact=True).click()
        page.wait_for_function(
            "said => document.querySelector('.tpa-chart svg').textContent.includes(said)", arg=HEADS[weight]
        )
        seen.add((page.evaluate(lines) > 1, page.evaluate(top)))
    assert {two for two, _ in seen} == {True, False}
    assert len({place for _, place in seen}) == 1


def test_a_screen_reader_is_told_which_button_is_pressed(page: Page) -> None:
    view = page.get_by_role("group", name="View")
    assert view.get_by_role("button", name="AI impact", pressed=True).count() == 1
    changed(page, press(page, "view", "Weekly hours"))
    view.get_by_role("button", name="Weekly hours", pressed=True).wait_for()
    assert view.get_by_role("button", pressed=True).count() == 1
    assert page.get_by_role("button", name="Show the Python", pressed=False).count() == 1


def test_a_click_on_a_bar_selects_its_family(page: Page) -> None:
    page.get_by_role("button", name="Show the Python").click()
    click_bar(page, "Finance")
    page.locator(".tpa-chart .mark-rect path[aria-label*='Job family: Sales;']").first.click(modifiers=["Shift"])
    page.locator("pre.tpa-python").get_by_text('.is_in(["Finance", "Sales"])').wait_for()
    faint = page.eval_on_selector_all(
        ".tpa-chart .mark-rect path[aria-label*='Job family: Manufacturing;']",
        "all => all.map(one => one.getAttribute('opacity'))",
    )
    assert set(faint) == {"0.6"}
    cell = page.locator(".jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    cell.get_by_text("['Finance', 'Sales']").wait_for()
    page.get_by_role("button", name="Show the Python").click()
    page.locator("pre.tpa-python").wait_for(state="hidden")


def test_the_python_gives_what_is_shown(page: Page) -> None:
    changed(page, choose(page, "families", "Finance", "Sales"))
    button = page.get_by_role("button", name="Show the Python")
    button.click()
    shown = page.locator("pre.tpa-python", has_text='families=["Finance", "Sales"]')
    shown.wait_for()
    code = shown.inner_text()
    button.click()
    code = f'profiles = tpa.load_sample("2026-11")\n{code}\n'
    assert execute(page, f"{code}print(table.equals(explorer.selected), chart.__class__.__name__)") == "True Chart\n"


@pytest.mark.parametrize(("kind", "suffix", "begins"), [("PNG", "png", b"\x89PNG"), ("web page", "html", b"<!")])
def test_the_chart_is_downloaded(page: Page, kind: str, suffix: str, begins: bytes) -> None:
    choose(page, "chart-as", kind)()
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download chart").click()
    assert waited.value.suggested_filename == f"impact.{suffix}"
    content = Path(waited.value.path()).read_bytes()
    assert content.lower().startswith(begins.lower())
    assert len(content) > 20_000


def test_the_table_is_downloaded(page: Page) -> None:
    changed(page, press(page, "weight", "tasks"))
    choose(page, "table-as", "Parquet")()
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download table").click()
    later = tpa.load_sample("2026-11")
    expected = tpa.suppress(tpa.impact(later, weight="tasks"), later)
    assert_frame_equal(pl.read_parquet(io.BytesIO(Path(waited.value.path()).read_bytes())), expected)


def test_every_control_is_reached_and_moved_by_keyboard(page: Page) -> None:
    changed(page, press(page, "show", "exposure by weight"))
    page.locator(".tpa-view button").first.focus()
    reached: list[str] = []
    controls = ["view", "show", "level_weights", "states", "families", "chart"]
    controls += ["chart-as", "download-chart", "table-as", "download-table", "code"]
    where = """names => {
        const at = document.activeElement;
        return at.closest(".tpa-explorer") && (names.find(name => at.closest(`.tpa-${name}`)) ?? "");
    }"""
    while (at := page.evaluate(where, controls)) is not None:
        reached.append(at)
        page.keyboard.press("Tab")
    assert list(dict.fromkeys(one for one in reached if one)) == controls, "in the order they are seen in"
    page.locator(".tpa-show button").first.focus()
    changed(page, lambda: page.keyboard.press("Space"), "Share of described weekly hours")
    page.locator(".tpa-weight button").first.focus()
    changed(page, lambda: page.keyboard.press("Enter"), "Share of tasks")
    page.locator(".tpa-families select").focus()
    changed(page, lambda: page.keyboard.press("ArrowDown"))
    assert state(page)["families"] == ["Customer Service"]
    page.locator(".tpa-states select").focus()
    cells = page.locator(".jp-CodeCell").count()
    changed(page, lambda: page.keyboard.press("ArrowDown"), "100% are validated")
    for _ in range(2):
        page.keyboard.press("d")
    assert execute(page, "print('there')") == "there\n"
    assert page.locator(".jp-CodeCell").count() == cells, "the keys are the explorer's, not the notebook's"


def test_what_goes_wrong_is_said_above_the_chart_which_stays(
    lab: Server, opened: Callable[..., Page], pictures: Path
) -> None:
    """A snapshot is removed while an explorer looks at it."""
    page = opened()
    tpa.write_profiles(tpa.load_sample(), lab.folder / "snapshot")
    cell = CELL.replace('tpa.load_sample("2026-11"), tpa.load_sample()', 'tpa.read_profiles("snapshot", lazy=True)')
    write_notebook(lab.folder / "removed.ipynb", cell)
    open_in_lab(page, lab, "removed.ipynb")
    wait_until_drawn(page)
    changed(page, press(page, "view", "Tasks"))
    before = marks(page)
    (lab.folder / "snapshot").rename(lab.folder / "elsewhere")
    find(page, "report")()  # nobody can foresee what is searched for, so that it is not drawn yet
    page.locator(".tpa-error").wait_for()
    assert "file of the snapshot cannot be read" in page.locator(".tpa-error").inner_text()
    page.locator(".tpa-explorer").screenshot(path=pictures / "lab-error.png")
    said, chart = page.locator(".tpa-error").bounding_box(), page.locator(".tpa-chart").bounding_box()
    assert said["y"] + said["height"] <= chart["y"] + 1  # type: ignore[index]
    assert marks(page) == before
    (lab.folder / "elsewhere").rename(lab.folder / "snapshot")
    changed(page, find(page, "invoice"), "“invoice”")
    page.locator(".tpa-error").wait_for(state="detached")


def test_a_chart_that_cannot_be_drawn_is_a_sentence_and_the_next_one_is_drawn(page: Page) -> None:
    broken = {"data": {"values": [{}]}, "transform": [{"calculate": "1 +", "as": "x"}], "mark": "point"}
    execute(page, f"explorer._chart.swap({broken})")
    page.locator(".tpa-chart [role=alert]").get_by_text("The chart could not be drawn: ").wait_for()
    execute(page, "explorer._chart.swap(explorer._spec)")
    wait_until_again(page, page.first)  # type: ignore[attr-defined]


def test_a_saved_notebook_shows_the_picture_without_its_kernel(
    page: Page, lab: Server, opened: Callable[..., Page], pictures: Path
) -> None:
    """Once as who saved it finds it on the next day, trusted, and once as who gets it by mail: untrusted, no kernel."""
    assert not page.locator(".jp-OutputArea-output img").is_visible(), "not while the explorer lives"
    command(page, "docmanager:save")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = lab.folder / "explorer.ipynb"
    assert saved.stat().st_size < 400_000
    mailed = json.loads(saved.read_text(encoding="utf-8"))
    assert "widgets" not in mailed["metadata"], "it would hold the script of the chart, a megabyte"
    mailed["metadata"]["kernelspec"] = {"display_name": "R", "language": "R", "name": "ir"}
    mailed["metadata"]["language_info"] = {"name": "R"}
    mailed["cells"][0]["source"] += "  # came by mail"
    (lab.folder / "mailed.ipynb").write_text(json.dumps(mailed), encoding="utf-8")
    shutil.copy(saved, lab.folder / "next_day.ipynb")
    for name, trusted in (("next_day", True), ("mailed", False)):
        other = opened()
        other.goto(f"{lab.url}/lab/tree/{name}.ipynb?reset&token={lab.token}")
        if trusted:
            other.wait_for_function(READY)
            other.get_by_text("model not found").wait_for()
        else:
            other.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
        picture = other.locator(".jp-OutputArea-output img")
        picture.wait_for()
        assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 900
        assert other.evaluate("window.jupyterapp.shell.currentWidget.context.model.cells.get(0).trusted") is trusted
        other.screenshot(path=pictures / f"lab-{name}.png")
        assert other.asked == []  # type: ignore[attr-defined]


def test_a_saved_notebook_as_a_page_shows_the_picture(page: Page, lab: Server, opened: Callable[..., Page]) -> None:
    command(page, "docmanager:save")
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "explorer.ipynb"]
    subprocess.run(convert, cwd=lab.folder, check=True, capture_output=True)
    other = opened(offline=True)
    other.goto((lab.folder / "explorer.html").as_uri())
    picture = other.locator("img[src^='data:image/png']")
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 900
