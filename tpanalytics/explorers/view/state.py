"""The state of an explorer: what every control says, as plain values, and what each may say."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.measures.amounts import checked_states
from tpanalytics.measures.certain.words import no_family
from tpanalytics.measures.exposed.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.explorers.view.facts import Facts

__all__ = ["START", "WEIGHT_STEPS", "State", "checked", "options"]

State = dict[str, Any]

START: State = {
    "view": "impact",
    "states": list(COUNTED_STATES),
    "families": [],
    "picked": [],
    "show": "levels",
    "weight": "hours",
    "weights": dict(WEIGHTS),
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


def options(facts: Facts) -> dict[str, list[tuple[str, Any]]]:
    """Give label and value of whatever one chooses one of."""
    views = [("AI impact", "impact"), ("Weekly hours", "hours"), ("Tasks", "tasks")]
    return {
        "states": [("validated and suggested", list(COUNTED_STATES)), ("validated only", ["validated"])],
        "view": [*views, *[("What changed", "compare")] * facts.compared],
        "show": [("shares of levels", "levels"), ("exposure by weight", "weights")],
        "weight": [("tasks", "tasks"), ("hours", "hours"), *[("headcount", "headcount")] * facts.staffed],
        "change": [
            *[("bridge", "bridge"), ("moves of levels", "moves")],
            *[("job families", "families")] * facts.change_by_family,
        ],
        "level": [(level, level) for level in facts.levels],
        "counted": [("tasks", "tasks"), ("hours", "hours")],
        "value": [("hours", "hours"), ("exposure", "exposure")],
        "family": [("all job families", None), *((family, family) for family in facts.open)],
    }


def checked(state: Mapping[str, Any], facts: Facts) -> State:
    """Refuse a state that cannot be shown.

    Raises
    ------
    SchemaError
        Saying which entry, and what it may be.
    """
    for name in state:
        if name not in START:
            near = difflib.get_close_matches(str(name), START, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(START)}."
            raise SchemaError(f"state: there is no entry {name!r}; {hint}")
    for name, choices in options(facts).items():
        if name not in _OPEN and state[name] not in (allowed := [value for _, value in choices]):
            raise SchemaError(f"state: {name}={state[name]!r}; choose from {', '.join(map(str, allowed))}.")
    for name in ("families", "picked"):
        if isinstance(state[name], str) or not all(isinstance(one, str) for one in state[name]):
            raise SchemaError(f"state: {name}={state[name]!r}; give a list of names, empty for all.")
    for family in [*state["families"], *([] if state["family"] is None else [state["family"]])]:
        if family not in facts.families:
            raise SchemaError(f"state: {no_family(str(family), list(facts.families))}.")
    if not isinstance(state["search"], str) or not isinstance(state["rationales"], bool):
        raise SchemaError("state: search is a text, and rationales True or False.")
    return {
        **state,
        "states": checked_states(state["states"]),
        "families": list(state["families"]),
        "picked": list(state["picked"]),
        "weights": checked_weights(state["weights"]),
    }
