"""Text in charts does not overlap and is not cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import vl_convert

import tpanalytics as tpa
from tests.helpers.companies import many
from tests.helpers.plots import PLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

#: Ignores a fifth of the line height above and below each text, which letters rarely fill.
_PROBLEMS = r"""() => {
  const edge = document.querySelector("svg").getBoundingClientRect();
  const lines = [...document.querySelectorAll("svg text")]
    .flatMap(text => text.querySelector("tspan") ? [...text.querySelectorAll("tspan")] : [text])
    .filter(line => line.textContent.trim())
    .map(line => {
      const range = document.createRange();
      range.selectNodeContents(line);
      const box = range.getBoundingClientRect(), gap = box.height / 5;
      return {text: line.textContent, left: box.left, right: box.right, top: box.top + gap, bottom: box.bottom - gap};
    });
  const cut = lines
    .filter(line => line.left < edge.left - 1 || line.right > edge.right + 1)
    .concat(lines.filter(line => line.top < edge.top - 1 || line.bottom > edge.bottom + 1))
    .concat(lines.filter(line => /\S…$/.test(line.text)))  // our own ellipses follow a space
    .map(line => "cut off: " + line.text);
  // The halo of a label repeats its text.
  const overlaps = lines.flatMap((line, index) => lines.slice(index + 1)
    .filter(other => other.text !== line.text)
    .filter(other => Math.min(line.right, other.right) - Math.max(line.left, other.left) > 1.5
      && Math.min(line.bottom, other.bottom) - Math.max(line.top, other.top) > 1.5)
    .map(other => line.text + " overlaps " + other.text));
  return [lines.length, [...cut, ...overlaps]];
}"""


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_texts_do_not_overlap_and_are_not_cut_off(browser: Browser, plot: Callable[..., Any]) -> None:
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 1000})
    page = context.new_page()
    for profiles in (tpa.load_sample(), many(6)):
        page.set_content(f'<body style="margin: 60px">{vl_convert.vegalite_to_svg(plot(profiles).to_dict())}')
        count, problems = page.evaluate(_PROBLEMS)
        assert count > 1
        assert problems == []
    context.close()
