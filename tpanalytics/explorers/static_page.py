"""An explorer as one page that needs neither Python nor network: every state of its controls is drawn in advance."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

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

#: A page must be small enough to be mailed.
_MAX_BYTES = 2_000_000
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
    """Draw every state that the controls of a page can reach, and write them as one page."""
    return save_text(_page(facts, state, jobs=jobs), path)


def _page(facts: Facts, state: State, *, jobs: bool) -> str:
    import vl_convert

    entries: list[dict[str, Any]] = []
    reason = _omitted_views(facts, state, jobs=jobs).get(state["view"])
    if reason is not None:
        warn(f"The view that is shown now is not in the page: {reason}.")
    for reachable in _reachable_states(facts, state, jobs=jobs):
        view = view_of(reachable, facts)
        spec = spec_of(view.chart.of(facts.source))
        at = {name: _plain(reachable[name]) for name in ("view", *_enumerable(reachable, jobs=jobs))}
        entries.append({"at": at, "spec": spec, "title": title_of(spec), "code": view.code([])})
    values = {name: {entry["at"].get(name) for entry in entries} - {None} for name in _LABELS}
    offered = {
        name: {
            "label": _LABELS[name],
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
            offered=script_safe(offered),
            library=library(),
            script=_read(assets / "frozen.js"),
            note=_note(facts),
        )
    )
    size = len(text.encode())
    if size > _MAX_BYTES:
        raise ShareError(
            f"The page would have {size / 1e6:.1f} MB, and {_MAX_BYTES / 1e6:g} MB are the most that go through the "
            "mail. Freeze an explorer of fewer job families, or without jobs."
        )
    return text


def _read(path: Traversable) -> str:
    return path.read_text(encoding="utf-8")


def _choices(facts: Facts, state: State) -> dict[str, list[tuple[str, Any]]]:
    """Return what can be chosen in the page; of the families only the selected ones, if any are."""
    choices = facts.options(state["states"])
    if state["families"]:
        visible = facts.visible_families(state["states"])
        choices["family"] = [(family, family) for family in state["families"] if family in visible]
    if state["states"] not in [value for _, value in choices["states"]]:
        choices["states"] = [(", ".join(state["states"]), state["states"])]
    return choices


def _omitted_views(facts: Facts, state: State, *, jobs: bool) -> dict[str, str]:
    """Return the views that are not in the page, with the reason."""
    reasons = {}
    if not jobs:
        reasons["tasks"] = "it names jobs; jobs=True puts it in"
    elif not _choices(facts, state)["family"]:
        reasons["tasks"] = "the jobs of the families that are chosen are hidden"
    if state["families"]:
        reasons["compare"] = "what changed is told of all job families, and some are chosen"
    return reasons


def _enumerable(state: State, *, jobs: bool) -> list[str]:
    return [name for name in controls(state) if name in _LABELS and (name != "family" or jobs)]


def _reachable_states(facts: Facts, state: State, *, jobs: bool) -> Iterator[State]:
    """Yield the states that the controls of the page can reach, the current one first."""
    choices = _choices(facts, state)
    families = [family for _, family in choices["family"]] if jobs else []
    family = state["family"] if state["family"] in families else next(iter(families), None)
    start = {**state, "job": None, "search": "", "picked": [], "family": family}
    omitted = _omitted_views(facts, state, jobs=jobs)
    views = [view for _, view in choices["view"] if view not in omitted]
    waiting, seen = [{**start, "view": view} for view in sorted(views, key=lambda view: view != start["view"])], set()
    while waiting:
        current = waiting.pop(0)
        names = _enumerable(current, jobs=jobs)
        key = tuple((name, _plain(current[name])) for name in ("view", *names))
        if key in seen:
            continue
        seen.add(key)
        yield current
        waiting += [{**current, name: value} for name in names for _, value in choices[name]]


def _plain(value: Any) -> str:
    """Write a choice as text that the page can compare."""
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _note(facts: Facts) -> str:
    privacy = facts.privacy
    hidden = (
        "Nothing is hidden, however few jobs or people it tells of."
        if privacy is None or privacy.off
        else f"What tells of fewer than {privacy.min_jobs} jobs or {privacy.min_headcount:g} people is hidden."
    )
    return f"{hidden} The page holds the figures it shows, and asks nothing of any network."
