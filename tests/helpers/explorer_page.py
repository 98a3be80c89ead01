"""An explorer on a page, be it of JupyterLab or Voilà: what its chart shows, and how its controls are moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

#: What is looked at, the later snapshot first.
CELL = """import tpanalytics as tpa

explorer = tpa.explore(tpa.load_sample("2026-11"), tpa.load_sample())
explorer"""

_MARKS = """() => {
  const all = what => [...document.querySelectorAll(`.tpa-chart svg.marks ${what}`)];
  return [...all("path[d]").map(one => one.getAttribute("d")), ...all("text").map(one => one.textContent)].sort();
}"""
_CHANGED = f"""([before, said]) => {{
  const now = ({_MARKS})();
  return now.join() !== before.join() && now.join(" ").includes(said);
}}"""


def marks(page: Page) -> list[str]:
    """Give the paths and the texts of the chart, sorted: Vega draws the same marks in another order."""
    found: list[str] = page.evaluate(_MARKS)
    return found


def changed(page: Page, act: Callable[[], Any], said: str = "") -> list[str]:
    """Act, wait until the chart has other marks and says so, and give them."""
    before = marks(page)
    act()
    page.wait_for_function(_CHANGED, arg=[before, said])
    return marks(page)


def wait_until_drawn(page: Page) -> None:
    """Wait for the first chart."""
    page.wait_for_function(f"({_MARKS})().length > 20")


def wait_until_again(page: Page, before: list[str]) -> None:
    """Wait until the chart has the marks it had before."""
    page.wait_for_function(f"before => ({_MARKS})().join() === before.join()", arg=before)


def next_frame(page: Page) -> None:
    """Let the page draw what it has to."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def slide_in_chart(page: Page, weight: str) -> None:
    """Move the slider of the chart itself until its marks follow; as with clicks, it listens a moment late."""
    slider = page.get_by_role("slider", name="Weight of H2, partly automatable")
    said = page.locator(".tpa-chart svg.marks text").get_by_text(f"at {float(weight):.2f}", exact=True)
    while not said.count():
        slider.fill(weight)
        next_frame(page)


def click_bar(page: Page, family: str) -> None:
    """Click on a bar of a family until the Python that is shown speaks of it.

    The marks are there a moment before the chart listens to clicks, and nothing on the page says when it does.
    """
    bar = page.locator(f".tpa-chart .mark-rect path[aria-label*='Job family: {family};']").first
    said = page.locator("pre.tpa-python").get_by_text(f'.is_in(["{family}"])')
    while not said.count():
        bar.click()
        next_frame(page)


def press(page: Page, control: str, button: str) -> Callable[[], Any]:
    """Press one of a row of buttons."""
    return lambda: page.locator(f".tpa-{control}").get_by_role("button", name=button, exact=True).click()


def choose(page: Page, control: str, *what: str) -> Callable[[], Any]:
    """Choose in a list."""
    return lambda: page.locator(f".tpa-{control} select").select_option(label=list(what))


def slide(page: Page, level: str, key: str) -> Callable[[], Any]:
    """Move the slider of a level by keyboard."""
    scale = page.locator(".tpa-level_weights > *").filter(has_text=f"{level} counts")
    return lambda: scale.get_by_role("slider").press(key)


def find(page: Page, words: str) -> Callable[[], Any]:
    """Search for tasks."""

    def act() -> None:
        page.locator(".tpa-search input").fill(words)
        page.locator(".tpa-search input").press("Enter")

    return act


def tour(page: Page) -> list[tuple[Callable[[], Any], str, dict[str, Any]]]:
    """Give one move of each control after the other, what the chart then says, and what of the state it changes."""
    first = "Customer Service Representative"
    return [
        (press(page, "weight", "tasks"), "Share of tasks by AI impact level", {"weight": "tasks"}),
        (press(page, "weight", "headcount"), "headcount", {"weight": "headcount"}),
        (choose(page, "states", "validated only"), "100% are validated", {"states": ["validated"]}),
        (choose(page, "families", "Finance", "Sales"), "2 chosen families", {"families": ["Finance", "Sales"]}),
        (press(page, "show", "exposure by weight"), "weight of H2", {"show": "weights"}),
        (slide(page, "H1", "ArrowLeft"), "H1 0.95", {"level_weights": {"H1": 0.95, "H2": 0.5, "H3": 0.0}}),
        (press(page, "view", "Weekly hours"), "Described hours", {"view": "hours"}),
        (choose(page, "families"), "16 job families", {"families": []}),
        (press(page, "view", "Tasks"), "Share of tasks", {"view": "tasks"}),
        (find(page, "report"), "“report”", {"search": "report"}),
        (find(page, ""), "Share of tasks", {"search": ""}),
        (choose(page, "family", "Customer Service"), "Customer Service", {"family": "Customer Service"}),
        (choose(page, "job", first), first, {"job": ...}),
        (lambda: page.locator(".tpa-rationales input").check(), "", {"rationales": True}),
        (press(page, "view", "What changed"), "Hours at H1", {"view": "compare"}),
        (choose(page, "level", "H2"), "Hours at H2", {"level": "H2"}),
        (press(page, "change", "moves of levels"), "rated otherwise", {"change": "moves"}),
        (press(page, "counted", "hours"), "hours", {"counted": "hours"}),
        (press(page, "change", "job families"), "ring: before", {"change": "families"}),
        (press(page, "value", "exposure"), "xposure", {"value": "exposure"}),
        (choose(page, "states", "validated and suggested"), "", {"states": ["validated", "suggested"]}),
    ]
