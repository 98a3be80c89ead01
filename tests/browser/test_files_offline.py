"""Saved charts and converted notebooks in an offline browser."""

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
    """Open a page that records its requests and console messages."""
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.requested, page.console = [], []  # type: ignore[attr-defined]
    page.on("request", lambda request: page.requested.append(request.url))  # type: ignore[attr-defined]
    page.on("console", lambda message: page.console.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.console.append(str(error)))  # type: ignore[attr-defined]
    yield page
    context.close()


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_saved_chart_is_drawn_without_requests(page: Any, plot: Callable[..., Any], tmp_path: Path) -> None:
    chart = plot(tpa.load_sample())
    page.goto(tpa.save(chart, tmp_path / "chart.html").as_uri())
    page.wait_for_selector("#chart svg .mark-symbol path, #chart svg .mark-rect path")
    texts = page.eval_on_selector_all("#chart svg text", "all => all.map(text => text.textContent)")
    assert "Finance" in texts
    assert any("have hours" in text for text in texts)
    assert page.locator("#chart svg").first.bounding_box()["width"] > 700
    assert page.get_by_role("figure").first.get_attribute("aria-label")
    assert page.title() == " ".join(chart.to_dict()["title"]["text"])
    assert [url for url in page.requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.console == []


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tpa.save(tpa.plot_impact(tpa.load_sample()), tmp_path_factory.mktemp("saved") / "chart.html")


def test_bars_of_saved_chart_are_proportional_to_shares(page: Any, saved: Path) -> None:
    profiles = tpa.load_sample()
    page.goto(saved.as_uri())
    page.wait_for_selector("#chart svg .mark-rect path")
    bars = page.eval_on_selector_all(
        "#chart svg .mark-rect path[aria-label]",
        "all => all.map(bar => [bar.getAttribute('aria-label'), bar.getBBox().width])",
    )
    widths = {label: width for label, width in bars if "level: H1" in label}
    shares = dict(tpa.impact(profiles).filter(ai_impact_level="H1").select("job_family", "share").rows())
    assert len(widths) == len(shares)
    for label, width in widths.items():
        family = next(
            family for family in shares if f"Job family: {family};" in label or f"job_family: {family};" in label
        )
        assert width == pytest.approx(540 * shares[family], abs=1.5)


def test_saved_chart_is_visible_without_javascript(browser: Browser, saved: Path) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(saved.as_uri())
    assert page.locator("noscript svg, svg").first.bounding_box() is not None
    context.close()


#: Notebooks with charts of each kind: static, of an explorer, and of one family.
REPRESENTATIVE = ("01_quickstart", "05_exploring", "09_family_report")


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path.stem in REPRESENTATIVE else pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_converted_notebook_shows_its_charts_offline_without_javascript(
    browser: Browser, path: Path, tmp_path: Path
) -> None:
    from nbconvert import HTMLExporter

    notebook = nbformat.read(path, as_version=4)
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    target = tmp_path / "notebook.html"
    target.write_text(html, encoding="utf-8")
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(target.as_uri())
    pictures = [picture.bounding_box() for picture in page.locator("img").all()]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    expected = sum("image/png" in output.get("data", {}) for output in outputs)
    assert len(pictures) == expected > 0
    assert all(box and box["width"] > 600 and box["height"] > 200 for box in pictures)
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    context.close()
