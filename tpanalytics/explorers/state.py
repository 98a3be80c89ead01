"""The state of an explorer: what every control says, as plain values, and what each may say."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.explorers.options import VALIDATED
from tpanalytics.measures._core.checks import checked_states, no_family
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.explorers.options import Facts

__all__ = ["START", "WEIGHT_STEPS", "State", "checked", "options"]

State = dict[str, Any]

START: State = {
    "view": "impact",
    "states": list(COUNTED_STATES),
    "families": [],
    "picked": [],
    "show": "levels",
    "weight": "hours",
    "level_weights": dict(WEIGHTS),
    "family": None,
    "job": None,
    "search": "",
    "rationales": False,
    "change": "bridge",
    "level": "H1",
    "counted": "tasks",
    "value": "hours",
}

#: Where the weight of a level can be moved to by a control.
WEIGHT_STEPS = [round(0.05 * step, 2) for step in range(21)]
#: Entries that may say more than is offered; what they say is checked otherwise.
_OPEN = {"states", "family"}


def options(facts: Facts, states: Sequence[str]) -> dict[str, list[tuple[str, Any]]]:
    """Give label and value of whatever one chooses one of, while tasks in these states count."""
    views = [("AI impact", "impact"), ("Weekly hours", "hours"), ("Tasks", "tasks")]
    return {
        "states": [
            ("validated and suggested", list(COUNTED_STATES)),
            *[("validated only", list(VALIDATED))] * facts.states_apart,
        ],
        "view": [*views, *[("What changed", "compare")] * (facts.source.before is not None)],
        "show": [("shares of levels", "levels"), ("exposure by weight", "weights")],
        "weight": [("tasks", "tasks"), ("hours", "hours"), *[("headcount", "headcount")] * facts.staffed],
        "change": [
            *[("bridge", "bridge"), ("moves of levels", "moves")],
            *[("job families", "families")] * facts.change_by_family(states),
        ],
        "level": [(level, level) for level in facts.levels],
        "counted": [("tasks", "tasks"), ("hours", "hours")],
        "value": [("hours", "hours"), ("exposure", "exposure")],
        "family": [("all job families", None), *((family, family) for family in facts.open(states))],
    }


def checked(state: State, changes: Mapping[str, Any], facts: Facts) -> State:
    """Change a state; refuse one that cannot be shown.

    Raises
    ------
    SchemaError
        Saying which entry, and what it may be.
    """
    if not isinstance(changes, Mapping):
        raise SchemaError(f"state={changes!r}: give a dict as Explorer.state is, whole or in part.")
    state = {**state, **changes}
    _check_entries(state)
    state["states"] = checked_states(state["states"])
    _check_choices(state, facts)
    _check_names(state, facts)
    if not isinstance(state["search"], str) or not isinstance(state["rationales"], bool):
        raise SchemaError("state: search is a text, and rationales True or False.")
    level_weights = checked_weights(state["level_weights"])
    if "H2" not in level_weights:
        raise SchemaError(
            f"state: level_weights={level_weights!r}; give H2 one too, since the chart moves it from 0 to 1."
        )
    if changes.get("family") is not None and state["family"] not in facts.open(state["states"]):
        raise SchemaError(
            f"state: the jobs of family {state['family']!r} are hidden: they are too few, or would tell of others."
        )
    jobs = [job for _, job in facts.jobs_of(state["family"], state["states"])]
    if changes.get("job") is not None and changes["job"] not in jobs:
        raise SchemaError(
            f"state: job={changes['job']!r} is none of the {len(jobs)} jobs that may be looked at in family "
            f"{state['family']!r}; give the family by name and the job by id."
        )
    return {
        **state,
        "families": list(dict.fromkeys(state["families"])),
        "picked": list(dict.fromkeys(state["picked"])),
        "level_weights": level_weights,
    }


def _check_entries(state: State) -> None:
    for name in state:
        if name not in START:
            near = difflib.get_close_matches(str(name), START, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(START)}."
            raise SchemaError(f"state: there is no entry {name!r}; {hint}")


def _check_choices(state: State, facts: Facts) -> None:
    for name, choices in options(facts, state["states"]).items():
        allowed = [value for _, value in choices]
        if name not in _OPEN and (not isinstance(state[name], str) or state[name] not in allowed):
            raise SchemaError(f"state: {name}={state[name]!r}; choose from {', '.join(map(str, allowed))}.")


def _check_names(state: State, facts: Facts) -> None:
    for name in ("families", "picked"):
        if not isinstance(state[name], list | tuple) or not all(isinstance(one, str) for one in state[name]):
            raise SchemaError(f"state: {name}={state[name]!r}; give a list of names, empty for all.")
    for family in [*state["families"], *([] if state["family"] is None else [state["family"]])]:
        if family not in facts.families:
            raise SchemaError(f"state: {no_family(str(family), list(facts.families))}.")
