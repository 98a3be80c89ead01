"""Reports in an offline browser: accessibility, layout, printing and escaping."""

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

pytestmark = pytest.mark.slow

#: Width of A4 paper between the margins, in pixels.
PAPER = round(180 / 25.4 * 96)
WINDOW: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a report of the company with all sections, of a family, and with everything suppressed."""
    folder = tmp_path_factory.mktemp("reports")
    after, before = tpa.load_sample("2026-11"), tpa.load_sample()
    return {
        "company": tpa.save_report(after, folder / "company.html", before=before),
        "family": tpa.save_report(before, folder / "family.html", groups="Finance", jobs=True, rationales=True),
        "suppressed": tpa.save_report(before, folder / "suppressed.html", privacy=tpa.Privacy(min_jobs=1000)),
    }


def open_file(browser: Browser, path: Path, **options: Any) -> Page:
    """Open a page that records its requests and console messages."""
    context = browser.new_context(offline=True, **{"viewport": WINDOW, **options})
    page = context.new_page()
    page.requested, page.console = [], []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.requested.append(request.url))  # type: ignore[attr-defined]
    page.on("console", lambda message: page.console.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.console.append(str(error)))  # type: ignore[attr-defined]
    page.goto(path.as_uri())
    if options.get("java_script_enabled", True) and page.locator("script#library").count():
        page.wait_for_selector("html[data-drawn]")
    return page


@pytest.fixture(scope="module", params=["company", "family", "suppressed"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def shared(browser: Browser, kind: str, reports: dict[str, Path]) -> Iterator[Page]:
    """Open each report once, because drawing its charts is slow."""
    page = open_file(browser, reports[kind])
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.wasOpen = details.open })")
    yield page
    page.context.close()


@pytest.fixture
def page(shared: Page) -> Iterator[Page]:
    """Reset the page after each test."""
    yield shared
    shared.emulate_media(media="screen", color_scheme="light")
    shared.set_viewport_size(WINDOW)
    shared.eval_on_selector_all("details", "all => all.forEach(details => { details.open = details.wasOpen })")


def unfold(page: Page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_is_accessible_and_makes_no_requests(page: Page, scheme: Literal["light", "dark"]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    # The dark scheme only changes colours.
    rules = {"runOnly": ["cat.color"]} if scheme == "dark" else {}
    result = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response
    assert [(rule["id"], [node["target"] for node in rule["nodes"]][:3]) for rule in result["violations"]] == []
    assert "color-contrast" in {rule["id"] for rule in result["passes"]}
    assert [url for url in page.requested if not url.startswith(("file:", "data:", "blob:"))] == []  # type: ignore[attr-defined]
    assert page.console == []  # type: ignore[attr-defined]


def test_report_has_title_language_headings_pictures_and_tables(page: Page) -> None:
    assert page.title() == page.locator("h1").inner_text()
    assert page.locator("html").get_attribute("lang") == "en"
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(heading => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.eval_on_selector_all("img", "all => all.every(img => img.alt.length > 60 && img.naturalWidth > 200)")
    unfold(page)
    tables = page.eval_on_selector_all(
        "table",
        """all => all.map(table => [table.caption.innerText,
            ...["thead th[scope=col]", "tbody th[scope=row]", "tbody tr"]
            .map(selector => table.querySelectorAll(selector).length)])""",
    )
    assert tables
    for caption, columns, row_headers, rows in tables:
        assert caption
        assert columns > 2
        assert row_headers == rows
    targets = page.eval_on_selector_all("nav a", "all => all.map(link => link.getAttribute('href'))")
    assert len(targets) >= 5
    assert all(page.locator(target).count() == 1 for target in targets)


def test_interactive_charts_replace_the_pictures(page: Page, kind: str) -> None:
    figures, drawn = page.locator("figure"), page.locator("figure.drawn")
    assert drawn.count() >= 2 or kind == "suppressed"
    assert figures.count() == drawn.count() or kind == "company", "only large reports keep some pictures"
    for figure in figures.all():
        assert figure.locator(".live svg").is_visible() != figure.locator("img").is_visible()


def test_report_is_complete_without_javascript(browser: Browser, kind: str, reports: dict[str, Path]) -> None:
    page = open_file(browser, reports[kind], java_script_enabled=False)
    pictures = page.locator("figure img").all()
    assert all(picture.is_visible() and picture.bounding_box()["width"] > 600 for picture in pictures)
    assert len(pictures) >= 2 or kind == "suppressed"
    page.locator("summary").first.click()
    assert page.locator("table").first.is_visible()
    page.context.close()


def test_first_tab_stop_skips_to_the_report(browser: Browser, reports: dict[str, Path]) -> None:
    page = open_file(browser, reports["family"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")
    page.context.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_report_fits_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_charts_and_tables_are_legible_on_a_phone(browser: Browser, reports: dict[str, Path]) -> None:
    page = open_file(browser, reports["company"], viewport={"width": 400, "height": 900})
    unfold(page)
    for chart in page.locator("figure .live svg").all():
        assert chart.bounding_box()["width"] == pytest.approx(float(chart.get_attribute("width") or 0), abs=1)
    assert page.locator("td.long").count() > 0
    assert all(cell.bounding_box()["width"] > 240 for cell in page.locator("td.long").all())
    table = page.locator("#mix .wide")
    header = table.locator("tbody th").first
    before = header.bounding_box()["x"]
    table.evaluate("box => { box.scrollLeft = 150 }")
    page.wait_for_function("document.querySelector('#mix .wide').scrollLeft === 150")
    assert header.bounding_box()["x"] == before, "row headers do not scroll"
    page.context.close()


def test_charts_without_a_slider_reserve_no_space_for_it(browser: Browser, reports: dict[str, Path]) -> None:
    page = open_file(browser, reports["company"], color_scheme="dark")
    bindings = page.eval_on_selector_all(
        ".vega-bindings", "all => all.map(box => [box.children.length, box.getBoundingClientRect().height])"
    )
    assert [count for count, _ in bindings if count] == [1]
    assert all(height == 0 for count, height in bindings if not count)
    slider = page.locator("input[type=range]")
    assert slider.evaluate("input => getComputedStyle(input).colorScheme") == "light"
    page.context.close()


def test_print_layout_is_not_cut_off(page: Page) -> None:
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('main *, header *, footer *')].filter(element => {
            const box = element.getBoundingClientRect();
            return box.width && box.right > document.documentElement.clientWidth + 1;
        }).map(element => element.tagName + ' ' + element.textContent.slice(0, 40))"""
    )
    assert clipped == []
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("figure .live").first.is_visible()
    heights = page.eval_on_selector_all("figure img", "all => all.map(img => img.getBoundingClientRect().height)")
    assert all(0 < height <= 205 / 25.4 * 96 + 1 for height in heights), "each chart fits on one page"
    assert all(table.is_visible() for table in page.locator("table").all()), "collapsed tables are printed"
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 30


def test_markup_in_names_is_escaped(browser: Browser, tmp_path: Path) -> None:
    markup = "</script><img src=x onerror=document.title='run'><b>'\"{{ 7*7 }}&amp;"
    profiles = tpa.load_sample()
    renamed = (
        pl.when(pl.col("job_family") == "Finance").then(pl.lit(markup)).otherwise("job_family").alias("job_family")
    )
    first = pl.lit(markup).alias("task")
    profiles = tpa.TaskProfiles(
        profiles.jobs.with_columns(renamed, job_name=pl.lit(markup)),
        profiles.tasks.with_columns(renamed, first, ai_impact_rationale=pl.lit(markup)),
        profiles.manifest,
    )
    for family in (None, markup):
        path = tmp_path / "markup.html"
        with one_chart_only():
            tpa.save_report(profiles, path, groups=family, jobs=True, rationales=True, title=markup)
        page = open_file(browser, path)
        assert page.title() == markup
        assert page.locator("img:not(.still)").count() == 0
        assert page.locator("main b:not(dd b)").count() == 0
        assert page.get_by_text(markup, exact=False).first.count() == 1
        assert page.console == []  # type: ignore[attr-defined]
        page.context.close()
