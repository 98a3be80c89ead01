"""Slider of the weight sensitivity chart in saved pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


def texts(page: Page) -> list[str]:
    """Return the texts in the chart."""
    result: list[str] = page.eval_on_selector_all("#chart svg text", "all => all.map(text => text.textContent)")
    return result


def dots(page: Page) -> dict[str, tuple[float, float]]:
    """Return the position of each family's dot."""
    rows: list[Any] = page.eval_on_selector_all(
        "#chart svg .mark-symbol path[aria-label*='Index at this weight']",
        "all => all.map(dot => { const box = dot.getBoundingClientRect();"
        " return [dot.getAttribute('aria-label'), box.x + box.width / 2, box.y + box.height / 2]; })",
    )
    return {re.search("Job family: ([^;]+)", label)[1]: (x, y) for label, x, y in rows}  # type: ignore[index]


@pytest.mark.parametrize("width", [400, 1300])
def test_slider_is_visible_and_the_page_fits_the_window(browser: Browser, tmp_path: Path, width: int) -> None:
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(tpa.save(tpa.plot_weight_sensitivity(tpa.load_sample()), tmp_path / "lines.html").as_uri())
    page.locator("input[type=range]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for element in page.locator(".vega-bind input, .vega-bind span").all():
        box = element.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    context.close()


def test_slider_moves_the_dots_and_updates_the_figures(browser: Browser, tmp_path: Path) -> None:
    profiles = tpa.load_sample()
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    console: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.goto(tpa.save(tpa.plot_weight_sensitivity(profiles), tmp_path / "lines.html").as_uri())
    slider = page.locator("input[type=range]")
    slider.wait_for()
    assert slider.input_value() == "0.5"
    assert page.get_by_role("slider", name="Weight of H2, partly automatable").count() == 1
    lines = tpa.exposure(profiles).select("job_family", "weight_low", "weight_high").rows()
    positions = {}
    for weight in ("0.5", "0.8", "0"):
        slider.fill(weight)
        page.wait_for_function(
            "label => [...document.querySelectorAll('#chart svg text')].some(text => text.textContent === label)",
            arg=f"at {float(weight):.2f}",
        )
        positions[weight] = dots(page)
        assert set(positions[weight]) == {family for family, *_ in lines}
        figures = texts(page)
        for _, low, high in lines:
            assert f"{low + float(weight) * (high - low):.2f}" in figures
    xs = {weight: {x for x, _ in by_family.values()} for weight, by_family in positions.items()}
    left, middle, right = (min(xs[weight]) for weight in ("0", "0.5", "0.8"))
    assert all(max(values) - min(values) < 1 for values in xs.values())
    assert (middle - left, right - left) == pytest.approx((200, 320), abs=2)
    steep = [line for line in lines if line[2] - line[1] > 0.2]
    scales = {(positions["0"][f][1] - positions["0.5"][f][1]) / (0.5 * (high - low)) for f, low, high in steep}
    assert max(scales) - min(scales) < 0.05 * max(scales)
    assert min(scales) > 100
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "[...document.querySelectorAll('#chart svg text')].some(text => text.textContent === 'at 0.01')"
    )
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert console == []
    context.close()
