"""In every chart all words can be read: none lies on another, and none is cut at an edge."""

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

#: Letters seldom fill their line: a fifth of its height above them and below is air.
_LAPS = r"""() => {
  const edge = document.querySelector("svg").getBoundingClientRect();
  const lines = [...document.querySelectorAll("svg text")]
    .flatMap(one => one.querySelector("tspan") ? [...one.querySelectorAll("tspan")] : [one])
    .filter(one => one.textContent.trim())
    .map(one => {
      const range = document.createRange();
      range.selectNodeContents(one);
      const box = range.getBoundingClientRect(), air = box.height / 5;
      return {said: one.textContent, left: box.left, right: box.right, top: box.top + air, bottom: box.bottom - air};
    });
  const cut = lines
    .filter(one => one.left < edge.left - 1 || one.right > edge.right + 1)
    .concat(lines.filter(one => one.top < edge.top - 1 || one.bottom > edge.bottom + 1))
    .concat(lines.filter(one => /\S…$/.test(one.said)))  // a name that is parted by intent has a space there
    .map(one => "cut: " + one.said);
  // A halo is the same words once more.
  const lapping = lines.flatMap((one, at) => lines.slice(at + 1)
    .filter(other => other.said !== one.said)
    .filter(other => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1.5
      && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1.5)
    .map(other => one.said + " on " + other.said));
  return [lines.length, [...cut, ...lapping]];
}"""


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_no_word_lies_on_another_or_is_cut(browser: Browser, plot: Callable[..., Any]) -> None:
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 1000})
    page = context.new_page()
    for profiles in (tpa.load_sample(), many(6)):
        page.set_content(f'<body style="margin: 60px">{vl_convert.vegalite_to_svg(plot(profiles).to_dict())}')
        words, wrong = page.evaluate(_LAPS)
        assert words > 1
        assert wrong == []
    context.close()
