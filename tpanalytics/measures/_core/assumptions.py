"""What a scenario assumes, checked and put into words; none of it is ever filled in for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.checks import is_number
from tpanalytics.schema import NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FULL_TIME_WEEK",
    "NOT_WHO_LEAVES",
    "ONLY_KNOWN",
    "Range",
    "Span",
    "assumed",
    "checked_blocks",
    "checked_freed",
    "checked_share",
    "must_name",
]

#: How an assumption is given: a number, or the least and the most it may be.
Range = float | tuple[float, float]


#: What must stand beside every figure of this kind.
NOT_WHO_LEAVES = "Exposure says what could change, not who leaves."
#: What the figures do with what is not known.
ONLY_KNOWN = "Tasks without hours or without a level are in no low and no high figure; they are not zero."


#: What to give as the hours of a full-time week.
FULL_TIME_WEEK = (
    "give the hours of a full-time week, more than 0 and at most 168; or None if every job with a headcount has "
    "contract_hours."
)


class Span(NamedTuple):
    """The least and the most an assumed share may be; the same where a number was given."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def checked_share(name: str, given: Any) -> Span:
    """Give an assumed share as its least and its most.

    Raises
    ------
    SchemaError
        If it is neither a number from 0 to 1 nor a pair of them in order.
    """
    pair = given if isinstance(given, tuple | list) else (given, given)
    if len(pair) != 2 or not all(is_number(value) and 0 <= value <= 1 for value in pair) or pair[0] > pair[1]:
        raise ArgumentError(f"{name}={given!r}: give a number from 0 to 1, or a pair (least, most) like (0.4, 0.7).")
    return Span(float(pair[0]), float(pair[1]))


def checked_freed(freed: Mapping[str, Range]) -> dict[str, Span]:
    """Give the share of a task's time that is freed, by level.

    Raises
    ------
    SchemaError
        If there is none, one is no share, or one is for tasks that are not assessed.
    """
    if not hasattr(freed, "items") or not freed:
        raise SchemaError(
            f"freed={freed!r}: give the share of a task's time that is freed by level, like "
            "{'H1': (0.4, 0.7), 'H2': 0.2, 'H3': 0}."
        )
    if NOT_ASSESSED in freed:
        raise SchemaError(f"freed: tasks that are {NOT_ASSESSED!r} free an unknown share; they count in the most.")
    return {level: checked_share(f"freed[{level!r}]", given) for level, given in freed.items()}


def must_name(levels: Iterable[str], freed: Mapping[str, Span]) -> None:
    """Refuse a level of the data that has no share, for then nobody has said what it frees.

    Raises
    ------
    SchemaError
        Lists those levels.
    """
    unnamed = [level for level in level_order(levels) if level not in freed and level != NOT_ASSESSED]
    if unnamed:
        raise SchemaError(
            f"freed says nothing of {', '.join(map(repr, unnamed))}, which tasks have; it names "
            f"{', '.join(map(repr, freed))}. Give each level its share, and 0 if it frees nothing."
        )


def checked_blocks(block_hours: Any) -> list[float]:
    """Give the block sizes in order, each once.

    Raises
    ------
    SchemaError
        If there is none, or one is no number above 0.
    """
    blocks = block_hours if isinstance(block_hours, list | tuple) else [block_hours]
    if not blocks or not all(is_number(hours) and hours > 0 for hours in blocks):
        raise SchemaError(
            f"block_hours={block_hours!r}: give hours per person and week above 0, one or several, like [1, 2, 4]."
        )
    return sorted({float(hours) for hours in blocks})


def assumed(levels: Mapping[str, Span]) -> str:
    """Put into words what is assumed of each level, as the beginning of a sentence."""
    return "Assumed, not measured: share of a task's time freed " + ", ".join(
        f"{level} {span}" for level, span in levels.items()
    )
