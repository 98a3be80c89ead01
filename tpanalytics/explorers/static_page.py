"""An explorer as one page that needs neither Python nor network: every state of its controls was drawn beforehand."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from tpanalytics.errors import ShareError, warn
from tpanalytics.explorers.state import options
from tpanalytics.explorers.views import controls, shown
from tpanalytics.share.chart_files import spec_of, title_of
from tpanalytics.share.report.embed import library, script_safe
from tpanalytics.share.save import save_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable
    from pathlib import Path

    from tpanalytics.explorers.options import Facts
    from tpanalytics.explorers.state import State

__all__ = ["write"]

#: A page must go through the mail.
_MOST = 2_000_000
_LABELS = {
    "view": "View",
    "show": "Show",
    "weight": "Weighed by",
    "states": "Tasks that count",
    "family": "Job family",
    "change": "Show",
    "level": "Hours rated",
    "counted": "Counted in",
    "value": "Change of",
}


def write(facts: Facts, state: State, path: Path, *, jobs: bool) -> Path:
    """Draw every state that the controls of a page can reach, and write them as one page.

    Raises
    ------
    ShareError
        If the page would be too large to be mailed, or cannot be written.
    """
    return save_text(_page(facts, state, jobs=jobs), path)


def _page(facts: Facts, state: State, *, jobs: bool) -> str:
    import vl_convert

    entries: list[dict[str, Any]] = []
    why = _left_out(facts, state, jobs=jobs).get(state["view"])
    if why is not None:
        warn(f"The view that is shown now is not in the page: {why}.")
    for reached in _reached(facts, state, jobs=jobs):
        what = shown(reached, facts)
        spec = spec_of(what.chart.of(facts.source))
        at = {name: _plain(reached[name]) for name in ("view", *_enumerable(reached, jobs=jobs))}
        entries.append({"at": at, "spec": spec, "title": title_of(spec), "code": what.code([])})
    there = {name: {entry["at"].get(name) for entry in entries} - {None} for name in _LABELS}
    offered = {
        name: {
            "label": _LABELS[name],
            "options": [(label, _plain(value)) for label, value in choices if _plain(value) in there[name]],
            "value": _plain(state[name]),
        }
        for name, choices in _choices(facts, state).items()
        if len(there[name]) > 1
    }
    look = files("tpanalytics.explorers") / "assets"
    text = (
        Environment(autoescape=True, undefined=StrictUndefined)
        .from_string(_read(look / "frozen.html.j2"))
        .render(
            title="Task profiles: weekly hours and AI impact",
            first=entries[0],
            still=vl_convert.vegalite_to_svg(entries[0]["spec"]),
            style=_read(look / "frozen.css"),
            entries=script_safe(entries),
            offered=script_safe(offered),
            library=library(),
            script=_read(look / "frozen.js"),
            said=_said(facts),
        )
    )
    size = len(text.encode())
    if size > _MOST:
        raise ShareError(
            f"The page would have {size / 1e6:.1f} MB, and {_MOST / 1e6:g} MB are the most that go through the mail. "
            "Freeze an explorer of fewer job families, or without jobs."
        )
    return text


def _read(path: Traversable) -> str:
    return path.read_text(encoding="utf-8")


def _choices(facts: Facts, state: State) -> dict[str, list[tuple[str, Any]]]:
    """Give what can be chosen without Python; where families are chosen, none but these."""
    offered = options(facts, state["states"])
    if state["families"]:
        offered["family"] = [(family, family) for family in state["families"] if family in facts.open(state["states"])]
    if state["states"] not in [value for _, value in offered["states"]]:
        offered["states"] = [(", ".join(state["states"]), state["states"])]
    return offered


def _left_out(facts: Facts, state: State, *, jobs: bool) -> dict[str, str]:
    """Say which views are not in the page, and why."""
    why = {}
    if not jobs:
        why["tasks"] = "it names jobs; jobs=True puts it in"
    elif not _choices(facts, state)["family"]:
        why["tasks"] = "the jobs of the families that are chosen are hidden"
    if state["families"]:
        why["compare"] = "what changed is told of all job families, and some are chosen"
    return why


def _enumerable(state: State, *, jobs: bool) -> list[str]:
    return [name for name in controls(state) if name in _LABELS and (name != "family" or jobs)]


def _reached(facts: Facts, state: State, *, jobs: bool) -> Iterator[State]:
    """Go from choice to choice through all states there are, the one at hand first; which families are drawn stays."""
    choices = _choices(facts, state)
    among = [family for _, family in choices["family"]] if jobs else []
    family = state["family"] if state["family"] in among else next(iter(among), None)
    begun = {**state, "job": None, "search": "", "picked": [], "family": family}
    left_out = _left_out(facts, state, jobs=jobs)
    views = [view for _, view in choices["view"] if view not in left_out]
    waiting, seen = [{**begun, "view": view} for view in sorted(views, key=lambda view: view != begun["view"])], set()
    while waiting:
        at = waiting.pop(0)
        names = _enumerable(at, jobs=jobs)
        key = tuple((name, _plain(at[name])) for name in ("view", *names))
        if key in seen:
            continue
        seen.add(key)
        yield at
        waiting += [{**at, name: value} for name in names for _, value in choices[name]]


def _plain(value: Any) -> str:
    """Write a choice so that it can be compared in the page."""
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _said(facts: Facts) -> str:
    guard = facts.privacy
    hidden = (
        "Nothing is hidden, however few jobs or people it tells of."
        if guard is None or guard.off
        else f"What tells of fewer than {guard.min_jobs} jobs or {guard.min_headcount:g} people is hidden."
    )
    return f"{hidden} The page holds the figures it shows, and asks nothing of any network."
