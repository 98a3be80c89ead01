"""Report tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tpanalytics.formatting import MINUS, NONE, coverage_percent, percent
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["SEPARATOR", "Column", "ReportTable", "between", "number", "printed"]

Kind = Literal[
    "text", "letter", "count", "hours", "change", "share", "known", "points", "index", "index change", "names"
]

#: Separator between interval bounds: an en dash with thin spaces.
SEPARATOR = "\u2009\u2013\u2009"


@dataclass(frozen=True)
class Column:
    """Table column. If `upper` is set, cells show an interval from `name` to `upper`."""

    name: str
    head: str
    kind: Kind = "count"
    upper: str | None = None

    @property
    def textual(self) -> bool:
        """Whether the column contains left-aligned text."""
        return self.kind in ("text", "names")


@dataclass(frozen=True)
class ReportTable:
    """Report table. Suppressed rows only show the first `keys` columns and ``jobs``."""

    frame: pl.DataFrame
    columns: tuple[Column, ...]
    caption: str
    meaning: Meaning | None = None
    notes: tuple[str, ...] = ()
    keys: int = 1
    empty: str = "No jobs to show."
    fields: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = [name for column in self.columns for name in (column.name, column.upper) if name]
        object.__setattr__(self, "fields", tuple(dict.fromkeys(names)))


def printed(table: ReportTable) -> list[list[str]]:
    """Format all table cells."""
    return [
        [_cell(row, column, key=n < table.keys) for n, column in enumerate(table.columns)]
        for row in table.frame.iter_rows(named=True)
    ]


def reason_notes(table: ReportTable) -> list[str]:
    """Return a note for each reason why values are missing."""
    if "reason" not in table.frame.columns:
        return []
    reasons = table.frame.get_column("reason").drop_nulls().unique(maintain_order=True)
    return [
        f"{SUPPRESSED_MARK if reason == SUPPRESSED else NONE}: {NULL_REASONS.get(reason, reason)}."
        for reason in reasons
    ]


def _cell(row: Mapping[str, Any], column: Column, *, key: bool) -> str:
    value = row[column.name]
    if row.get("reason") == SUPPRESSED and not key and (value is None or column.name != "jobs"):
        return SUPPRESSED_MARK
    if column.upper is not None:
        return between(value, row[column.upper], column.kind)
    return number(value, column.kind)


def between(low: float | None, high: float | None, kind: Kind) -> str:
    """Format an interval."""
    if low is None and high is None:
        return NONE
    if low is None or high is None:
        return f"at most {number(high, kind)}" if low is None else f"at least {number(low, kind)}"
    ends = [number(end, kind) for end in (low, high)]
    if ends[0] == ends[1]:
        return ends[0]
    if kind in ("share", "known"):
        ends[0] = ends[0].removesuffix("%")
    return SEPARATOR.join(ends)


def number(value: Any, kind: Kind) -> str:
    """Format a value. Missing values are shown as a dash."""
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
            return coverage_percent(value)
        case "index":
            return f"{value:.2f}"
    places, factor = {"change": (1, 1), "points": (1, 100), "index change": (3, 1)}[kind]
    text = f"{round(value * factor, places) + 0.0:+,.{places}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text[1:]
