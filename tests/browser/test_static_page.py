"""Self-contained explorer pages in an offline browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tpanalytics as tpa
from tests.browser.test_report import open_file
from tests.helpers.companies import many

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

MARKS = """() => [...document.querySelectorAll('#chart svg path, #chart svg text')]
  .map((mark) => mark.getAttribute('d') ?? mark.textContent).sort()"""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    profiles = many(4, jobs=4)
    explorer = tpa.explore(profiles, profiles, privacy=None)
    file: Path = explorer.freeze(tmp_path_factory.mktemp("frozen") / "page.html", jobs=True)
    page = open_file(browser, file)
    yield page
    page.context.close()


def marks(page: Page) -> list[str]:
    result: list[str] = page.evaluate(MARKS)
    return result


def drawn(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.drawn"))


def choose(page: Page, name: str, value: str) -> None:
    """Change a control and wait until the chart is drawn."""
    before = drawn(page)
    control = page.locator(f"#control-{name}")
    if control.locator("select").count():
        control.locator("select").select_option(value)
    else:
        values = control.locator("input").evaluate_all("all => all.map((input) => input.value)")
        control.locator("input").nth(values.index(value)).check(force=True)
    page.wait_for_function("before => document.documentElement.dataset.drawn !== before", arg=before)


def test_each_control_changes_the_chart_or_its_code(page: Page) -> None:
    changes = [
        ("weight", "tasks"),
        ("states", "validated"),
        ("show", "weights"),
        ("view", "hours"),
        ("view", "compare"),
        ("change", "moves"),
        ("counted", "hours"),
        ("change", "groups"),
        ("value", "exposure"),
        ("view", "impact"),
    ]
    page.set_viewport_size({"width": 1000, "height": 900})
    for name, value in changes:
        before = [page.locator(f"#{element}").text_content() for element in ("python", "description")]
        choose(page, name, value)
        assert 2 <= page.locator("#controls fieldset:visible").count() <= 4
        assert page.locator(f"#control-{name}").is_visible()
        assert page.locator("#chart").evaluate("box => box.scrollWidth <= box.clientWidth"), "the chart is cut off"
        assert [page.locator(f"#{element}").text_content() for element in ("python", "description")] != before
    choose(page, "show", "levels")
    drawn_before = marks(page)
    choose(page, "weight", "hours")
    assert marks(page) != drawn_before


def test_family_list_opens_the_jobs_of_a_family(page: Page) -> None:
    choose(page, "view", "tasks")
    before = marks(page)
    family = page.locator("#control-group select option, #control-group input").nth(1).get_attribute("value")
    assert family
    choose(page, "group", family)
    assert marks(page) != before
    assert "plot_jobs" in (page.locator("#python").text_content() or "")
    choose(page, "view", "impact")


def test_chart_slider_works_without_python(page: Page) -> None:
    choose(page, "show", "weights")
    before = page.evaluate(f"JSON.stringify(({MARKS})())")
    slider = page.locator("#chart .vega-bind input")
    slider.fill("0.8")
    page.wait_for_function(f"before => JSON.stringify(({MARKS})()) !== before", arg=before)
    assert "0.8" in page.locator("#chart .vega-bind").inner_text()
    choose(page, "show", "levels")


def test_controls_work_by_keyboard(page: Page) -> None:
    page.locator("#control-view input:checked").focus()
    before = drawn(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.documentElement.dataset.drawn !== before", arg=before)
    assert page.locator("#control-view input:checked").get_attribute("value") == "hours"
    choose(page, "view", "impact")


def test_page_is_accessible_and_makes_no_requests(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    assert [url for url in page.requested if not url.startswith(("file:", "data:", "blob:"))] == []  # type: ignore[attr-defined]
    assert page.console == []  # type: ignore[attr-defined]
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_first_chart_is_visible_without_javascript(browser: Browser, page: Page) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    static = context.new_page()
    static.goto(page.url)
    assert static.locator("#chart svg").bounding_box()["height"] > 100  # type: ignore[index]
    assert static.locator("noscript p").is_visible()
    context.close()
