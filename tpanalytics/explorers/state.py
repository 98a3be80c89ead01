"""Explorer state, with validation and transitions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import chain, zip_longest
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import is_table
from tpanalytics.measures._core.checks import check_choice, check_flag, unknown_group_message
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES, checked_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.explorers.options import Facts

__all__ = [
    "START",
    "WEIGHT_STEPS",
    "State",
    "adjacent_states",
    "checked_changes",
    "controls",
    "drill_down",
    "merge",
    "normalize",
]

State = dict[str, Any]

START: State = {
    "view": "impact",
    "states": list(COUNTED_STATES),
    "groups": [],
    "picked": [],
    "show": "levels",
    "weight": "hours",
    "level_weights": dict(WEIGHTS),
    "group": None,
    "job": None,
    "search": "",
    "rationales": False,
    "change": "bridge",
    "level": "H1",
    "counted": "tasks",
    "value": "hours",
}

#: Values available on the weight sliders.
WEIGHT_STEPS = [round(0.05 * step, 2) for step in range(21)]
#: Entries that affect the rows in the chart. Changing one of them clears the selection.
_CHANGES_ROWS = {"view", "group", "job", "search", "change", "value"}
#: Entries to validate separately, since they aren't limited to the control's options.
_UNLIMITED = {"states", "group"}


def controls(state: State, facts: Facts) -> tuple[str, ...]:
    """Return the names of a state's controls, in display order."""
    groups = ("groups",) * bool(facts.grouping.by)
    match state["view"]:
        case "hours":
            return ("states", *groups)
        case "skills":
            return ("weight", "states", *groups)
        case "tasks":
            return (*_steps(state, facts), *["rationales"] * bool(state["job"]), "states")
        case "compare":
            return ("change", {"moves": "counted", "groups": "value"}.get(state["change"], "level"), "states")
    shown = {"levels": ("weight",), "weights": ("level_weights",)}.get(state["show"], ())
    return ("show", *shown, "states", *groups)


def _steps(state: State, facts: Facts) -> tuple[str, ...]:
    """Return the controls that lead from all jobs to a single one."""
    if not facts.grouping.by:
        return ("job",) if state["job"] is not None else ("search",) if state["search"].strip() else ("search", "job")
    return ("search", "group") if state["group"] is None else ("group", "job")


def merge(state: State, changes: Mapping[str, Any], facts: Facts) -> State:
    """Apply changes to a state, clearing the selection if the rows in the chart change."""
    picked = [] if _CHANGES_ROWS & changes.keys() else state["picked"]
    return normalize({**state, "picked": picked, **changes}, facts)


def normalize(state: State, facts: Facts) -> State:
    """Return a state without inconsistent entries, such as a job from a different group."""
    states, group, job, picked = state["states"], state["group"], state["job"], state["picked"]
    if group is not None and group not in facts.visible_groups(states):
        group = None
    if job is not None and job not in [job_id for _, job_id in facts.visible_jobs(group, states)]:
        job = None
    if state["groups"] and "groups" in controls(state, facts):
        picked = [mark for mark in picked if mark in state["groups"]]
    return {**state, "group": group, "job": job, "picked": picked}


def drill_down(state: State, facts: Facts) -> State | None:
    """Return the state after opening the picked group or job, or None if it cannot be opened."""
    if state["view"] != "tasks" or not state["picked"]:
        return None
    level, mark = "group" if state["group"] is None and facts.grouping.by else "job", state["picked"][-1]
    below = merge(state, {level: mark}, facts)
    return below if below[level] == mark else None


def adjacent_states(state: State, facts: Facts) -> Iterator[State]:
    """Yield the states one click or key press away: buttons first, then lists and sliders in turn."""
    options, shown = facts.options(state["states"]), controls(state, facts)
    for name in [*(name for name in shown if name in options and name != "group"), "view"]:
        for _, value in options[name]:
            yield normalize({**state, name: value, "picked": []}, facts)
    selections = _adjacent_selections(state["groups"], facts.groups) if "groups" in shown else ()
    weights = _adjacent_weights(state["level_weights"], facts.levels) if "level_weights" in shown else ()
    opened = facts.visible_groups(state["states"]) if "group" in shown and not state["search"] else ()
    moves = (
        [{"groups": selection} for selection in selections],
        [{"level_weights": level_weights} for level_weights in weights],
        [{"group": group, "picked": []} for group in opened],
    )
    for change in chain.from_iterable(zip_longest(*moves)):
        if change is not None:
            yield normalize({**state, **change}, facts)


def _adjacent_selections(selected: list[str], groups: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the selections after a click, Ctrl-click or Shift-click on a group."""
    for group in groups:
        yield [group]
    if not selected:
        return
    for group in groups:
        yield [other for other in groups if (other in selected) != (other == group)]
    ends = sorted(map(groups.index, selected))
    for end in dict.fromkeys((ends[0], ends[-1])):
        for other in range(len(groups)):
            yield list(groups[min(end, other) : max(end, other) + 1])


def _adjacent_weights(level_weights: Mapping[str, float], levels: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Yield the weights after moving one slider, smallest steps first. The H2 slider is part of the chart."""
    moves = []
    for level in levels:
        if level != "H2":
            weight = level_weights.get(level, 0.0)
            others = {other: value for other, value in level_weights.items() if other != level}
            moves += [(abs(step - weight), dict(sorted({**others, level: step}.items()))) for step in WEIGHT_STEPS]
            moves.append((weight, others))
    for _, moved in sorted(moves, key=itemgetter(0)):
        yield moved


def checked_changes(state: State, changes: Mapping[str, Any], facts: Facts) -> State:
    """Validate and return the changes to a state, or raise an ArgumentError."""
    if not isinstance(changes, Mapping):
        raise ArgumentError(f"`state` must be a dict with entries of Explorer.state, not {changes!r}.")
    state = {**state, **changes}
    _check_entries(state)
    state["states"] = checked_states(state["states"])
    _check_choices(state, facts)
    _check_names(state, facts)
    if not isinstance(state["search"], str):
        raise ArgumentError(f"`search` must be a string, not {state['search']!r}.")
    check_flag("rationales", state["rationales"])
    state["level_weights"] = checked_weights(state["level_weights"])
    if "H2" not in state["level_weights"]:
        raise ArgumentError(
            "`level_weights` must include a weight for 'H2', which varies in the chart, "
            f"not {state['level_weights']!r}."
        )
    if changes.get("group") is not None and state["group"] not in facts.visible_groups(state["states"]):
        raise ArgumentError(f"`group` must not be {state['group']!r}: its jobs are suppressed (small group).")
    if changes.get("job") is not None:
        _check_job(state, facts)
    for name in ("groups", "picked"):
        state[name] = list(dict.fromkeys(state[name]))
    return {name: state[name] for name in changes}


def _check_job(state: State, facts: Facts) -> None:
    if state["group"] is None and facts.grouping.by:
        raise ArgumentError("`job` requires `group`. Set `group` before `job`.")
    jobs = [job for _, job in facts.visible_jobs(state["group"], state["states"])]
    if state["job"] not in jobs:
        of_group = f" for {facts.grouping.one} {state['group']!r}" if facts.grouping.by else ""
        raise ArgumentError(
            f"`job` must be the id of one of the {len(jobs)} jobs shown{of_group}, not {state['job']!r}."
        )


def _check_entries(state: State) -> None:
    for name in state:
        if name not in START:
            matches = difflib.get_close_matches(str(name), START, n=1)
            hint = f"did you mean {matches[0]!r}?" if matches else f"there are {', '.join(map(repr, START))}"
            raise ArgumentError(f"`state` has no entry {name!r} ({hint}).")


def _check_choices(state: State, facts: Facts) -> None:
    if state["view"] == "compare" and facts.source.before is None:
        *views, last = (repr(value) for _, value in facts.options(state["states"])["view"])
        allowed = f"{', '.join(views)} or {last}"
        raise ArgumentError(f"`view` must be {allowed}. 'compare' requires an earlier snapshot: pass `before`.")
    if state["view"] == "skills" and not facts.has_skills:
        advice = "Load the profiles with include=[..., 'linked_skills']."
        if is_table(facts.source.profiles.manifest):
            advice = "Add a column 'linked_skills' to the table."
        raise ArgumentError(f"`view` must not be 'skills': no task has a skill. {advice}")
    for name, choices in facts.options(state["states"]).items():
        if name not in _UNLIMITED:
            check_choice(name, state[name], [value for _, value in choices])


def _check_names(state: State, facts: Facts) -> None:
    for name in ("groups", "picked"):
        if not isinstance(state[name], list | tuple) or not all(isinstance(item, str) for item in state[name]):
            raise ArgumentError(f"`{name}` must be a list of names, empty for all, not {state[name]!r}.")
    for group in [*state["groups"], *([] if state["group"] is None else [state["group"]])]:
        if group not in facts.groups:
            noun = facts.grouping.noun
            raise ArgumentError(f"`state`: {unknown_group_message(str(group), list(facts.groups), noun)}.")
