"""A table of a report: which columns of a measure's result it prints, how, and what must be said beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tpanalytics.formatting import MINUS, NONE, covered, percent
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.privacy.policy import HIDDEN, SUPPRESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["TO", "Column", "ReportTable", "between", "number", "printed"]

Kind = Literal[
    "text", "letter", "count", "hours", "change", "share", "known", "points", "index", "index change", "names"
]

#: From one end of an interval to the other: an en dash between thin spaces.
TO = "\u2009\u2013\u2009"


@dataclass(frozen=True)
class Column:
    """A column as it is printed."""

    name: str
    head: str
    kind: Kind = "count"
    upper: str | None = None

    @property
    def textual(self) -> bool:
        """Is set to the left, as words are, and not to the right, as numbers are."""
        return self.kind in ("text", "names")


@dataclass(frozen=True)
class ReportTable:
    """What a table holds.

    Attributes
    ----------
    frame
        One row per row of the table. The first `keys` columns say what a row is about; where ``reason`` says that a
        row is hidden, nothing else of it is printed.
    columns
        What is printed, in order.
    meaning
        Of the measure behind it, for the method section.
    caption
        What the table shows, in a sentence.
    notes
        What must be said beside it.
    keys
        How many of the columns head a row.
    """

    frame: pl.DataFrame
    columns: tuple[Column, ...]
    caption: str
    meaning: Meaning | None = None
    notes: tuple[str, ...] = ()
    keys: int = 1
    empty: str = "There is nothing to show."
    fields: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [name for column in self.columns for name in (column.name, column.upper) if name]
        object.__setattr__(self, "fields", tuple(dict.fromkeys(names)))


def printed(table: ReportTable) -> list[list[str]]:
    """Write every cell of a table, row by row."""
    return [
        [_cell(row, column, key=place < table.keys) for place, column in enumerate(table.columns)]
        for row in table.frame.iter_rows(named=True)
    ]


def why_not(table: ReportTable) -> list[str]:
    """Say in words what the reasons in a table mean, each once."""
    if "reason" not in table.frame.columns:
        return []
    reasons = table.frame.get_column("reason").drop_nulls().unique(maintain_order=True)
    said = {SUPPRESSED: f"{HIDDEN} is {NONE_BECAUSE[SUPPRESSED]}"}
    words = [said.get(reason) or f"{NONE} stands where {NONE_BECAUSE.get(reason, reason)}" for reason in reasons]
    return [f"{word}." for word in words]


def _cell(row: Mapping[str, Any], column: Column, *, key: bool) -> str:
    value = row[column.name]
    if row.get("reason") == SUPPRESSED and not key and (value is None or column.name != "jobs"):
        return HIDDEN
    if column.upper is not None:
        return between(value, row[column.upper], column.kind)
    return number(value, column.kind)


def between(low: float | None, high: float | None, kind: Kind) -> str:
    """Write an interval; an end that is not known is said to be so."""
    if low is None and high is None:
        return NONE
    if low is None or high is None:
        return f"at most {number(high, kind)}" if low is None else f"at least {number(low, kind)}"
    ends = [number(end, kind) for end in (low, high)]
    if ends[0] == ends[1]:
        return ends[0]
    if kind in ("share", "known"):
        ends[0] = ends[0].removesuffix("\u00a0%")
    return TO.join(ends)


def number(value: Any, kind: Kind) -> str:
    """Write a value as its kind is written; what is not known is a dash, never 0 or blank."""
    if value is None:
        return NONE
    match kind:
        case "text" | "letter":
            return str(value)
        case "names":
            return ", ".join(map(str, value)) or NONE
        case "count":
            return f"{value:,.0f}"
        case "hours":
            return f"{value:,.1f}"
        case "share":
            return percent(value)
        case "known":
            return covered(value)
        case "index":
            return f"{value:.2f}"
    places, factor = {"change": (1, 1), "points": (1, 100), "index change": (3, 1)}[kind]
    text = f"{round(value * factor, places) + 0.0:+,.{places}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text[1:]
