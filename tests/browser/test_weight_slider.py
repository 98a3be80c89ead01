"""Moving the slider of the weight lines moves the marks, in a saved page, with no Python and no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page


def figures(page: Page) -> list[str]:
    """Give the texts of the column that follows the slider, from its heading on."""
    words: list[str] = page.eval_on_selector_all("#chart svg text", "all => all.map(one => one.textContent)")
    return words


def dots(page: Page) -> dict[str, tuple[float, float]]:
    """Give where the dot of each family stands."""
    found: list[Any] = page.eval_on_selector_all(
        "#chart svg .mark-symbol path[aria-label*='Index at this weight']",
        "all => all.map(one => { const box = one.getBoundingClientRect();"
        " return [one.getAttribute('aria-label'), box.x + box.width / 2, box.y + box.height / 2]; })",
    )
    return {re.search("Job family: ([^;]+)", label)[1]: (x, y) for label, x, y in found}  # type: ignore[index]


@pytest.mark.parametrize("width", [400, 1300])
def test_the_slider_is_in_sight_and_the_page_as_wide_as_its_window(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(tpa.save(tpa.plot_weight_sensitivity(tpa.load_sample()), tmp_path / "lines.html").as_uri())
    page.locator("input[type=range]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for part in page.locator(".vega-bind input, .vega-bind span").all():
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    context.close()


def test_the_slider_moves_rule_dots_and_figures(browser: Browser, tmp_path: Path) -> None:
    profiles = tpa.load_sample()
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(tpa.save(tpa.plot_weight_sensitivity(profiles), tmp_path / "lines.html").as_uri())
    slider = page.locator("input[type=range]")
    slider.wait_for()
    assert slider.input_value() == "0.5"
    assert page.get_by_role("slider", name="Weight of H2, partly automatable").count() == 1
    lines = tpa.exposure(profiles).select("job_family", "weight_low", "weight_high").rows()
    places = {}
    for weight in ("0.5", "0.8", "0"):
        slider.fill(weight)
        page.wait_for_function(
            "weight => [...document.querySelectorAll('#chart svg text')].some(one => one.textContent === weight)",
            arg=f"at {float(weight):.2f}",
        )
        places[weight] = dots(page)
        assert set(places[weight]) == {family for family, *_ in lines}
        words = figures(page)
        for _, low, high in lines:
            assert f"{low + float(weight) * (high - low):.2f}" in words
    spread = {weight: {x for x, _ in found.values()} for weight, found in places.items()}
    left, middle, right = (min(spread[weight]) for weight in ("0", "0.5", "0.8"))
    assert all(max(xs) - min(xs) < 1 for xs in spread.values())
    assert (middle - left, right - left) == pytest.approx((200, 320), abs=2)
    tall = [family for family, low, high in lines if high - low > 0.2]
    scale = {(places["0"][f][1] - places["0.5"][f][1]) / (0.5 * (high - low)) for f, low, high in lines if f in tall}
    assert max(scale) - min(scale) < 0.05 * max(scale)
    assert min(scale) > 100
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "[...document.querySelectorAll('#chart svg text')].some(one => one.textContent === 'at 0.01')"
    )
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []
    context.close()
