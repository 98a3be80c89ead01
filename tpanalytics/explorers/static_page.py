"""Export an explorer as a self-contained HTML page."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from tpanalytics.charts._core.grouping import capitalized
from tpanalytics.errors import ShareError, warn
from tpanalytics.explorers.state import controls
from tpanalytics.explorers.views import view_of
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

#: Maximum page size in bytes, so pages can be sent by email.
_MAX_BYTES = 2_000_000
_LABELS = {
    "view": "View",
    "show": "Show",
    "weight": "Weighted by",
    "states": "Validation states",
    "change": "Show",
    "level": "AI impact level",
    "counted": "Weighted by",
    "value": "Change in",
}


def write(facts: Facts, state: State, path: Path, *, jobs: bool) -> Path:
    """Draw the charts for all states reachable with the page's controls and write the page."""
    return save_text(_page(facts, state, jobs=jobs), path)


def _page(facts: Facts, state: State, *, jobs: bool) -> str:
    import vl_convert

    entries: list[dict[str, Any]] = []
    reason = _omitted_views(facts, state, jobs=jobs).get(state["view"])
    if reason is not None:
        warn(f"The page does not include the current view: {reason}.")
    for reachable in _reachable_states(facts, state, jobs=jobs):
        view = view_of(reachable, facts)
        spec = spec_of(view.chart.of(facts.source))
        at = {name: _plain(reachable[name]) for name in ("view", *_enumerable(facts, reachable, jobs=jobs))}
        entries.append({"at": at, "spec": spec, "title": title_of(spec), "code": view.code([])})
    labels = {**_LABELS, "group": capitalized(facts.grouping.noun)}
    values = {name: {entry["at"].get(name) for entry in entries} - {None} for name in labels}
    page_controls = {
        name: {
            "label": labels[name],
            "options": [(label, _plain(value)) for label, value in choices if _plain(value) in values[name]],
            "value": _plain(state[name]),
        }
        for name, choices in _choices(facts, state).items()
        if len(values[name]) > 1
    }
    assets = files("tpanalytics.explorers") / "assets"
    text = (
        Environment(autoescape=True, undefined=StrictUndefined)
        .from_string(_read(assets / "frozen.html.j2"))
        .render(
            title="Task profiles: weekly hours and AI impact",
            first=entries[0],
            still=vl_convert.vegalite_to_svg(entries[0]["spec"]),
            style=_read(assets / "frozen.css"),
            entries=script_safe(entries),
            controls=script_safe(page_controls),
            library=library(),
            script=_read(assets / "frozen.js"),
            note=_note(facts),
        )
    )
    size = len(text.encode())
    if size > _MAX_BYTES:
        raise ShareError(
            f"The page would be {size / 1e6:.1f} MB, but the limit for mailing is {_MAX_BYTES / 1e6:g} MB. "
            f"Select fewer {facts.grouping.nouns}, or pass jobs=False."
        )
    return text


def _read(path: Traversable) -> str:
    return path.read_text(encoding="utf-8")


def _choices(facts: Facts, state: State) -> dict[str, list[tuple[str, Any]]]:
    """Return the options for the page's controls. If groups are selected, only these are listed."""
    choices = facts.options(state["states"])
    if state["groups"]:
        visible = facts.visible_groups(state["states"])
        choices["group"] = [(group, group) for group in state["groups"] if group in visible]
    if state["states"] not in [value for _, value in choices["states"]]:
        choices["states"] = [(", ".join(state["states"]), state["states"])]
    return choices


def _omitted_views(facts: Facts, state: State, *, jobs: bool) -> dict[str, str]:
    """Return the omitted views, with a reason for each."""
    reasons = {}
    if not jobs:
        reasons["tasks"] = "it contains job names, which are only included with jobs=True"
    elif not _choices(facts, state)["group"]:
        reasons["tasks"] = f"the jobs of the selected {facts.grouping.many} are suppressed"
    if state["groups"]:
        reasons["compare"] = f"it covers all {facts.grouping.nouns}, but only some are selected"
    return reasons


def _enumerable(facts: Facts, state: State, *, jobs: bool) -> list[str]:
    names = {*_LABELS, *["group"] * jobs}
    return [name for name in controls(state, facts) if name in names]


def _reachable_states(facts: Facts, state: State, *, jobs: bool) -> Iterator[State]:
    """Yield the states reachable with the page's controls, starting with the current state."""
    choices = _choices(facts, state)
    groups = [group for _, group in choices["group"]] if jobs else []
    group = state["group"] if state["group"] in groups else next(iter(groups), None)
    start = {**state, "job": None, "search": "", "picked": [], "group": group}
    omitted = _omitted_views(facts, state, jobs=jobs)
    views = [view for _, view in choices["view"] if view not in omitted]
    queue, visited = [{**start, "view": view} for view in sorted(views, key=lambda view: view != start["view"])], set()
    while queue:
        current = queue.pop(0)
        names = _enumerable(facts, current, jobs=jobs)
        key = tuple((name, _plain(current[name])) for name in ("view", *names))
        if key in visited:
            continue
        visited.add(key)
        yield current
        queue += [{**current, name: value} for name in names for _, value in choices[name]]


def _plain(value: Any) -> str:
    """Convert an option value to a string, so the page's script can compare it."""
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _note(facts: Facts) -> str:
    privacy = facts.privacy
    suppression = (
        "No figures are suppressed."
        if privacy is None or privacy.off
        else f"Figures for fewer than {privacy.min_jobs} jobs or {privacy.min_headcount:g} people are suppressed."
    )
    return f"{suppression} The page contains all the figures it shows and works offline."
