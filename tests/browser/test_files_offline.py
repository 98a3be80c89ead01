"""What is handed over shows itself in a real browser with no network: a saved chart, a notebook as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest

import tpanalytics as tpa
from tests.notebooks import NOTEBOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PLOTS: dict[str, Callable[..., Any]] = {"impact": tpa.plot_impact, "hours": tpa.plot_hours}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page that records every request and every word on its console."""
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    opened.asked, opened.said = [], []  # type: ignore[attr-defined]
    opened.on("request", lambda request: opened.asked.append(request.url))  # type: ignore[attr-defined]
    opened.on("console", lambda message: opened.said.append(message.text))  # type: ignore[attr-defined]
    opened.on("pageerror", lambda error: opened.said.append(str(error)))  # type: ignore[attr-defined]
    yield opened
    context.close()


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_a_saved_chart_draws_itself_and_asks_nobody(page: Any, plot: Callable[..., Any], tmp_path: Path) -> None:
    profiles = tpa.load_sample()
    page.goto(tpa.save(plot(profiles), tmp_path / "chart.html").as_uri())
    page.wait_for_selector("#chart svg .mark-symbol path, #chart svg .mark-rect path")
    words = page.eval_on_selector_all("#chart svg text", "all => all.map(one => one.textContent)")
    assert "Finance" in words
    assert any("have hours" in word for word in words)
    assert page.locator("#chart svg").first.bounding_box()["width"] > 700
    assert page.get_by_role("figure").first.get_attribute("aria-label")
    assert page.title() == " ".join(plot(profiles).to_dict()["title"]["text"])
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.said == []


def test_bars_of_a_saved_chart_are_as_long_as_the_shares(page: Any, tmp_path: Path) -> None:
    profiles = tpa.load_sample()
    page.goto(tpa.save(tpa.plot_impact(profiles), tmp_path / "chart.html").as_uri())
    page.wait_for_selector("#chart svg .mark-rect path")
    drawn = page.eval_on_selector_all(
        "#chart svg .mark-rect path[aria-label]",
        "all => all.map(one => [one.getAttribute('aria-label'), one.getBBox().width])",
    )
    widths = {label: width for label, width in drawn if "level: H1" in label}
    shares = dict(tpa.impact(profiles).filter(level="H1").select("job_family", "share").rows())
    assert len(widths) == len(shares)
    for label, width in widths.items():
        family = next(
            family for family in shares if f"Job family: {family};" in label or f"job_family: {family};" in label
        )
        assert width == pytest.approx(540 * shares[family], abs=1.5)


def test_a_chart_is_there_without_javascript(browser: Browser, tmp_path: Path) -> None:
    path = tpa.save(tpa.plot_impact(tpa.load_sample()), tmp_path / "chart.html")
    context = browser.new_context(offline=True, java_script_enabled=False)
    still = context.new_page()
    still.goto(path.as_uri())
    assert still.locator("noscript svg, svg").first.bounding_box() is not None
    context.close()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_as_a_page_shows_its_charts_without_script_or_network(
    browser: Browser, path: Path, tmp_path: Path
) -> None:
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    target = tmp_path / "notebook.html"
    target.write_text(html, encoding="utf-8")
    context = browser.new_context(offline=True, java_script_enabled=False)
    still = context.new_page()
    asked: list[str] = []
    still.on("request", lambda request: asked.append(request.url))
    still.goto(target.as_uri())
    pictures = [picture.bounding_box() for picture in still.locator("img").all()]
    expected = sum("image/png" in o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", []))
    assert len(pictures) == expected > 0
    assert all(box and box["width"] > 600 and box["height"] > 200 for box in pictures)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()
