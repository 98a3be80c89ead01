"""A report in a real browser with no network: silent, reachable, readable without scripts, and whole on paper."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.reports import one_chart_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, ViewportSize

#: Pixels of the width between the margins of A4 paper.
PAPER = round(180 / 25.4 * 96)
#: A window as many have it.
WINDOW: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a report of each kind; that of the company has the change as well, which is all a page can have."""
    folder = tmp_path_factory.mktemp("reports")
    now, then = tpa.load_sample("2026-11"), tpa.load_sample()
    return {
        "company": tpa.save_report(now, folder / "company.html", before=then),
        "family": tpa.save_report(then, folder / "family.html", families="Finance", jobs=True, rationales=True),
        "hidden": tpa.save_report(then, folder / "hidden.html", privacy=tpa.Privacy(min_jobs=1000)),
    }


def opened(browser: Browser, path: Path, **how: Any) -> Page:
    context = browser.new_context(offline=True, **{"viewport": WINDOW, **how})
    page = context.new_page()
    page.asked, page.said = [], []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.asked.append(request.url))  # type: ignore[attr-defined]
    page.on("console", lambda message: page.said.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.said.append(str(error)))  # type: ignore[attr-defined]
    page.goto(path.as_uri())
    if how.get("java_script_enabled", True) and page.locator("script#library").count():
        page.wait_for_selector("html[data-drawn]")
    return page


@pytest.fixture(scope="module", params=["company", "family", "hidden"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def shared(browser: Browser, kind: str, reports: dict[str, Path]) -> Iterator[Page]:
    """Open a report once: drawing its charts takes most of the time."""
    page = opened(browser, reports[kind])
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.wasOpen = one.open })")
    yield page
    page.context.close()


@pytest.fixture
def page(shared: Page) -> Iterator[Page]:
    """Give the page as it was opened."""
    yield shared
    shared.emulate_media(media="screen", color_scheme="light")
    shared.set_viewport_size(WINDOW)
    shared.eval_on_selector_all("details", "all => all.forEach(one => { one.open = one.wasOpen })")


def unfold(page: Page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_asked_said_or_out_of_reach(page: Page, scheme: Literal["light", "dark"]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    # In the dark nothing but colours is another.
    rules = {"runOnly": ["cat.color"]} if scheme == "dark" else {}
    result = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in result["violations"]] == []
    assert "color-contrast" in {one["id"] for one in result["passes"]}
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []  # type: ignore[attr-defined]
    assert page.said == []  # type: ignore[attr-defined]


def test_title_language_headings_pictures_and_tables_are_there(page: Page) -> None:
    assert page.title() == page.locator("h1").inner_text()
    assert page.locator("html").get_attribute("lang") == "en"
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.eval_on_selector_all("img", "all => all.every(one => one.alt.length > 60 && one.naturalWidth > 200)")
    unfold(page)
    tables = page.eval_on_selector_all(
        "table",
        """all => all.map(one => [one.caption.innerText, ...["thead th[scope=col]", "tbody th[scope=row]", "tbody tr"]
            .map(part => one.querySelectorAll(part).length)])""",
    )
    assert tables
    for caption, heads, named, rows in tables:
        assert caption
        assert heads > 2
        assert named == rows
    targets = page.eval_on_selector_all("nav a", "all => all.map(one => one.getAttribute('href'))")
    assert len(targets) >= 5
    assert all(page.locator(target).count() == 1 for target in targets)


def test_charts_are_drawn_anew_and_pictures_make_room(page: Page, kind: str) -> None:
    figures, drawn = page.locator("figure"), page.locator("figure.drawn")
    assert drawn.count() >= 2 or kind == "hidden"
    assert figures.count() == drawn.count() or kind == "company", "only so large a page keeps some as pictures"
    for figure in figures.all():
        assert figure.locator(".live svg").is_visible() != figure.locator("img").is_visible()


def test_all_is_there_without_scripts(browser: Browser, kind: str, reports: dict[str, Path]) -> None:
    page = opened(browser, reports[kind], java_script_enabled=False)
    pictures = page.locator("figure img").all()
    assert all(picture.is_visible() and picture.bounding_box()["width"] > 600 for picture in pictures)
    assert len(pictures) >= 2 or kind == "hidden"
    page.locator("summary").first.click()
    assert page.locator("table").first.is_visible()
    page.context.close()


def test_the_first_stop_of_the_keyboard_leads_to_the_report(browser: Browser, reports: dict[str, Path]) -> None:
    page = opened(browser, reports["family"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")
    page.context.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_is_as_wide_as_its_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_a_phone_words_can_be_read_and_rows_keep_their_name(browser: Browser, reports: dict[str, Path]) -> None:
    page = opened(browser, reports["company"], viewport={"width": 400, "height": 900})
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
    for drawn in page.locator("figure .live svg").all():
        assert drawn.bounding_box()["width"] == pytest.approx(float(drawn.get_attribute("width") or 0), abs=1)
    assert page.locator("td.long").count() > 0
    assert all(cell.bounding_box()["width"] > 240 for cell in page.locator("td.long").all())
    table = page.locator("#mix .wide")
    name = table.locator("tbody th").first
    before = name.bounding_box()["x"]
    table.evaluate("one => { one.scrollLeft = 150 }")
    page.wait_for_function("document.querySelector('#mix .wide').scrollLeft === 150")
    assert name.bounding_box()["x"] == before
    page.context.close()


def test_a_chart_without_a_control_leaves_no_room_for_one(browser: Browser, reports: dict[str, Path]) -> None:
    page = opened(browser, reports["company"], color_scheme="dark")
    rooms = page.eval_on_selector_all(
        ".vega-bindings", "all => all.map(one => [one.children.length, one.getBoundingClientRect().height])"
    )
    assert [count for count, _ in rooms if count] == [1]
    assert all(height == 0 for count, height in rooms if not count)
    slider = page.locator("input[type=range]")
    assert slider.evaluate("one => getComputedStyle(one).colorScheme") == "light"
    page.context.close()


def test_paper_cuts_nothing(page: Page) -> None:
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('main *, header *, footer *')].filter(one => {
            const box = one.getBoundingClientRect();
            return box.width && box.right > document.documentElement.clientWidth + 1;
        }).map(one => one.tagName + ' ' + one.textContent.slice(0, 40))"""
    )
    assert clipped == []
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("figure .live").first.is_visible()
    tall = page.eval_on_selector_all("figure img", "all => all.map(one => one.getBoundingClientRect().height)")
    assert all(0 < height <= 205 / 25.4 * 96 + 1 for height in tall), "a chart fits on one sheet"
    assert all(table.is_visible() for table in page.locator("table").all()), "paper cannot be unfolded"
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert printed.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 30


def test_names_are_text(browser: Browser, tmp_path: Path) -> None:
    odd = "</script><img src=x onerror=document.title='run'><b>'\"{{ 7*7 }}&amp;"
    profiles = tpa.load_sample()
    renamed = pl.when(pl.col("job_family") == "Finance").then(pl.lit(odd)).otherwise("job_family").alias("job_family")
    first = pl.lit(odd).alias("task")
    profiles = tpa.TaskProfiles(
        profiles.jobs.with_columns(renamed, job_name=pl.lit(odd)),
        profiles.tasks.with_columns(renamed, first, ai_impact_rationale=pl.lit(odd)),
        profiles.manifest,
    )
    for family in (None, odd):
        path = tmp_path / "odd.html"
        with one_chart_only():
            tpa.save_report(profiles, path, families=family, jobs=True, rationales=True, title=odd)
        page = opened(browser, path)
        assert page.title() == odd
        assert page.locator("img:not(.still)").count() == 0
        assert page.locator("main b:not(dd b)").count() == 0
        assert page.get_by_text(odd, exact=False).first.count() == 1
        assert page.said == []  # type: ignore[attr-defined]
        page.context.close()
