"""Match the headings of a user's table with documented columns."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["columns_argument", "similar_headings"]

#: Other names of documented columns, in lower case, with sorted words.
_ALIASES = {
    "job_id": "code job|job|job key|job no|job number|id role|code role|id position|external id|id|job ref",
    "job_name": "job title|title|job|role|position|name|job role|position title|role title",
    "job_family": "family|function job|family name|family job name|department",
    "job_family_id": "family id",
    "job_family_group": "family group|family group job name",
    "task_id": "id|activity id|task code|key task|number task",
    "task": "activity|description|description task|task text|duty|activity description|responsibility|name task",
    "validation_state": "state|status|validation|status validation|state task",
    "weekly_hours": "hours|h week|hours week|effort|effort weekly|hours task|h weekly|time|hours week weekly",
    "ai_impact_level": (
        "level|ai impact|ai level|impact|impact level|ai|ai category|h level|ai rating|rating|impact rating|"
        "ai impact rating|ai class|ai score|automation|ai automation|automation level|automation potential|"
        "automation rating|automatability"
    ),
    "ai_impact_rationale": "rationale|reason|ai rationale",
    "headcount": "people|employees|heads|hc|count head|employees number|employees of number",
    "fte": "ftes|equivalents full time|fte total",
    "contract_hours": "contract h week|contract week hours|hours standard|contract hours weekly",
}
#: Words without a meaning of their own.
_FILLERS = {"per", "of", "the", "in", "a", "an"}
#: Headings that are less similar are not suggested.
_SIMILAR = 0.75


def similar_headings(wanted: Iterable[str], headings: Iterable[str]) -> dict[str, str]:
    """Return the most similar heading for each wanted column, as ``{heading: column}``. Each is used once."""
    headings = list(headings)
    scores = [
        (_similarity(heading, column), -i, -j, heading, column)
        for i, column in enumerate(wanted)
        for j, heading in enumerate(headings)
    ]
    found: dict[str, str] = {}
    for score, *_, heading, column in sorted(scores, reverse=True):
        if score >= _SIMILAR and heading not in found and column not in found.values():
            found[heading] = column
    return {heading: found[heading] for heading in headings if heading in found}


def columns_argument(renamed: Iterable[tuple[str, str]]) -> str:
    """Return the argument `columns` as Python code."""
    return f"columns={{{', '.join(f'{_quoted(theirs)}: {_quoted(ours)}' for theirs, ours in renamed)}}}"


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def _similarity(heading: str, column: str) -> float:
    theirs, ours = _words(heading), _words(column)
    if theirs == ours or theirs in _ALIASES.get(column, "").split("|"):
        return 1.0
    return difflib.SequenceMatcher(None, theirs, ours).ratio()


def _words(name: str) -> str:
    """Return the words of a name in lower case and sorted."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W_]+", spaced.casefold())
    return " ".join(sorted(word for word in words if word not in _FILLERS))
