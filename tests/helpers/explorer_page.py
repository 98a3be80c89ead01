"""Reading and operating an explorer on a JupyterLab or Voilà page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

#: Notebook cell that opens the explorer.
CELL = """import tpanalytics as tpa

explorer = tpa.explore(tpa.load_sample("2026-11"), tpa.load_sample())
explorer"""

_MARKS = """() => {
  const all = selector => [...document.querySelectorAll(`.tpa-chart svg.marks ${selector}`)];
  return [...all("path[d]").map(path => path.getAttribute("d")), ...all("text").map(text => text.textContent)].sort();
}"""
_CHANGED = f"""([before, text]) => {{
  const now = ({_MARKS})();
  return now.join() !== before.join() && now.join(" ").includes(text);
}}"""


def marks(page: Page) -> list[str]:
    """Return the paths and texts of the chart, sorted because Vega does not always draw in the same order."""
    result: list[str] = page.evaluate(_MARKS)
    return result


def changed(page: Page, act: Callable[[], Any], text: str = "") -> list[str]:
    """Act, wait until the marks change and contain `text`, and return the marks."""
    before = marks(page)
    act()
    page.wait_for_function(_CHANGED, arg=[before, text])
    return marks(page)


def wait_until_drawn(page: Page) -> None:
    """Wait for the first chart."""
    page.wait_for_function(f"({_MARKS})().length > 20")


def wait_for_marks(page: Page, expected: list[str]) -> None:
    """Wait until the chart has the expected marks."""
    page.wait_for_function(f"expected => ({_MARKS})().join() === expected.join()", arg=expected)


def next_frame(page: Page) -> None:
    """Wait until the page has rendered a frame."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def slide_in_chart(page: Page, weight: str) -> None:
    """Move the slider in the chart until the marks change, because the chart is drawn before it handles events."""
    slider = page.get_by_role("slider", name="Weight of H2, partly automatable")
    label = page.locator(".tpa-chart svg.marks text").get_by_text(f"at {float(weight):.2f}", exact=True)
    while not label.count():
        slider.fill(weight)
        next_frame(page)


def click_bar(page: Page, family: str) -> None:
    """Click on a bar until the displayed code selects its family, because the chart handles events with a delay."""
    bar = page.locator(f".tpa-chart .mark-rect path[aria-label*='Job family: {family};']").first
    code = page.locator("pre.tpa-python").get_by_text(f'.is_in(["{family}"])')
    while not code.count():
        bar.click()
        next_frame(page)


def press(page: Page, control: str, button: str) -> Callable[[], Any]:
    """Return an action that presses a button of a control."""
    return lambda: page.locator(f".tpa-{control}").get_by_role("button", name=button, exact=True).click()


def choose(page: Page, control: str, *labels: str) -> Callable[[], Any]:
    """Return an action that selects options of a list."""
    return lambda: page.locator(f".tpa-{control} select").select_option(label=list(labels))


def slide(page: Page, level: str, key: str) -> Callable[[], Any]:
    """Return an action that moves the slider of a level by keyboard."""
    slider = page.locator(".tpa-level_weights > *").filter(has_text=f"Weight of {level}")
    return lambda: slider.get_by_role("slider").press(key)


def find(page: Page, text: str) -> Callable[[], Any]:
    """Return an action that searches for tasks."""

    def act() -> None:
        page.locator(".tpa-search input").fill(text)
        page.locator(".tpa-search input").press("Enter")

    return act


def tour(page: Page) -> list[tuple[Callable[[], Any], str, dict[str, Any]]]:
    """Return an action per control, the text that the chart then contains, and the expected state changes."""
    first = "Customer Service Representative"
    return [
        (press(page, "weight", "tasks"), "Share of tasks by AI impact level", {"weight": "tasks"}),
        (press(page, "weight", "headcount"), "headcount", {"weight": "headcount"}),
        (choose(page, "states", "validated only"), "100% are validated", {"states": ["validated"]}),
        (choose(page, "groups", "Finance", "Sales"), "2 selected families", {"groups": ["Finance", "Sales"]}),
        (press(page, "show", "exposure by weight"), "weight of H2", {"show": "weights"}),
        (slide(page, "H1", "ArrowLeft"), "H1 = 0.95", {"level_weights": {"H1": 0.95, "H2": 0.5, "H3": 0.0}}),
        (press(page, "show", "exposure curve"), "up", {"show": "curve"}),
        (press(page, "view", "Skills"), "pairs of job family and skill", {"view": "skills"}),
        (press(page, "view", "Weekly hours"), "documented hours", {"view": "hours"}),
        (choose(page, "groups"), "16 job families", {"groups": []}),
        (press(page, "view", "Tasks"), "Share of tasks", {"view": "tasks"}),
        (find(page, "report"), "“report”", {"search": "report"}),
        (find(page, ""), "Share of tasks", {"search": ""}),
        (choose(page, "group", "Customer Service"), "Customer Service", {"group": "Customer Service"}),
        (choose(page, "job", first), first, {"job": ...}),
        (lambda: page.locator(".tpa-rationales input").check(), "", {"rationales": True}),
        (press(page, "view", "What changed"), "Hours at H1", {"view": "compare"}),
        (choose(page, "level", "H2"), "Hours at H2", {"level": "H2"}),
        (press(page, "change", "level changes"), "re-rated", {"change": "moves"}),
        (press(page, "counted", "hours"), "hours", {"counted": "hours"}),
        (press(page, "change", "job families"), "ring: before", {"change": "groups"}),
        (press(page, "value", "exposure"), "xposure", {"value": "exposure"}),
        (choose(page, "states", "validated and suggested"), "", {"states": ["validated", "suggested"]}),
    ]
