"""Format numbers and text, as plain text or HTML."""

from __future__ import annotations

import difflib
import html
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

__all__ = [
    "MINUS",
    "NONE",
    "clean_text",
    "coverage_percent",
    "hours",
    "html_lines",
    "html_table",
    "is_table",
    "listed",
    "not_profiles",
    "one_of",
    "percent",
    "plural",
    "plural_of",
    "total",
    "unknown_group_message",
]

#: Non-breaking space that keeps a number and its unit on the same line.
_SPACE = "\u00a0"
_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
#: Built-in JavaScript object properties. Vega would mistake a category of the same name for the property.
_RESERVED = {
    *("constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString"),
    *("valueOf", "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__"),
}
#: Suffixes of tables, and of exported records.
_TABLES, _RECORDS = {".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods"}, {".json", ".jsonl", ".ndjson"}
MINUS = "\u2212"
#: Placeholder for a missing figure.
NONE = "–"  # noqa: RUF001


def percent(share: float | None) -> str:
    """Format a share as a whole percentage. Only exactly 0 and 1 are shown as 0% and 100%."""
    if share is None:
        return NONE
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def coverage_percent(share: float | None) -> str:
    """Format coverage as a whole percentage, rounded down so that 90% means at least 90%."""
    return percent(share if share is None else math.floor(share * 100 + 1e-9) / 100)


def hours(value: float | None) -> str:
    """Format hours per week with at most one decimal."""
    if value is None:
        return NONE
    value = round(value, 1)
    return f"{value:,.0f}{_SPACE}h" if abs(value) >= 100 or value == round(value) else f"{value:,.1f}{_SPACE}h"


def plural(n: Any, word: str) -> str:
    """Format a count followed by its noun, such as "2 families"."""
    return f"{n:,} {word if n == 1 else plural_of(word)}"


def plural_of(word: str) -> str:
    """Return the plural of a noun, such as "families"."""
    if word.endswith("y") and word[-2:-1] not in {*"aeiou"}:
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def clean_text(text: str | None) -> str | None:
    """Replace line breaks and invalid XML characters, and escape reserved names."""
    if text is None:
        return None
    cleaned = _FORBIDDEN.sub("\ufffd", _BREAKS.sub(" ", text))
    return f"{cleaned}\u200b" if cleaned in _RESERVED else cleaned


def total(frame: pl.DataFrame, column: str) -> int:
    """Return the sum of a count column."""
    return int(frame.get_column(column).sum())


def listed(items: Iterable[str]) -> str:
    """Join items with commas and a final "and"."""
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def html_lines(text: str) -> str:
    """Format lines of text as an HTML list, with the first line as the heading."""
    first, *rest = (html.escape(line) for line in text.split("\n"))
    items = "".join(f"<li>{line}</li>" for line in rest)
    return f"<div><strong>{first}</strong>{f'<ul>{items}</ul>' if items else ''}</div>"


def html_table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Format rows as an HTML table."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def unknown_group_message(text: str, groups: list[str], noun: str = "job family") -> str:
    """Format the message for an unknown group, suggesting similar names or the first three groups."""
    by_fold = {group.casefold(): group for group in groups}
    containing = [fold for fold in by_fold if text.casefold() and text.casefold() in fold]
    similar = difflib.get_close_matches(text.casefold(), by_fold, n=3, cutoff=0.5)
    suggestions = [by_fold[fold] for fold in [*dict.fromkeys([*containing, *similar])][:5]]
    if suggestions:
        return f"{text!r} is not a {noun} (did you mean {one_of(suggestions)}?)"
    more = f" and {len(groups) - 3:,} more" if len(groups) > 3 else ""
    return f"{text!r} is not a {noun} (there are {', '.join(map(repr, groups[:3])) or 'none'}{more})"


def one_of(values: Iterable[str]) -> str:
    """Format a choice of quoted values, such as "'a', 'b' or 'c'"."""
    *first, last = map(repr, values)
    return f"{', '.join(first)} or {last}" if first else last


def not_profiles(argument: str, value: Any) -> str:
    """Return the message for an argument that is not a `TaskProfiles`."""
    advice = "Pass the profiles, not a table or a result."
    if isinstance(value, str | Path):
        suffixes = {suffix.lower() for suffix in Path(value).suffixes}
        reader = "from_frames" if suffixes & _TABLES else "read_records" if suffixes & _RECORDS else "read_profiles"
        advice = f"Read them first, with {reader}({str(value)[:80]!r})."
    return f"`{argument}` must be TaskProfiles, not {type(value).__name__}. {advice}"


def is_table(manifest: Mapping[str, Any]) -> bool:
    """Return whether the data is a table of the user's, which has columns rather than requested fields."""
    return (manifest.get("source") or {}).get("kind") == "frames"
