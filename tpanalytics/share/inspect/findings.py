"""Pieces of an inspected file, and findings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

__all__ = ["MAX_SIZE", "Finding", "Piece", "Severity", "decoded", "is_external", "snake_case", "table_of"]

Severity = Literal["stop", "look", "note"]
#: Maximum decompressed size in bytes, to protect against decompression bombs.
MAX_SIZE = 300_000_000


@dataclass(frozen=True)
class Piece:
    """Part of a file. Pieces that aren't `listed` are searched, but not reported as rows or text."""

    where: str
    text: str = ""
    table: pl.DataFrame | None = None
    listed: bool = True


@dataclass(frozen=True)
class Finding:
    """A finding in a file. `found` must not quote secrets, personal data or sentences in full."""

    where: str
    what: str
    found: str
    severity: Severity


def snake_case(name: str) -> str:
    """Convert a column name to snake case."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def table_of(header: list[str], rows: list[list[Any]]) -> pl.DataFrame:
    """Return a table of text cells, adding numbers to duplicate and empty column names."""
    width = max([len(header), *map(len, rows)], default=0)
    names: list[str] = []
    for i in range(width):
        name = header[i].strip() if i < len(header) and header[i].strip() else f"column {i + 1}"
        names.append(name if name not in names else f"{name} ({i + 1})")
    cells = {name: [_text(row[i]) if i < len(row) else None for row in rows] for i, name in enumerate(names)}
    return pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String))


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, list):
        return "; ".join(str(part) for part in value)
    return str(value)


def decoded(content: bytes) -> str:
    """Decode bytes using the byte order mark, if any, otherwise as UTF-8 or Windows-1252."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def is_external(address: str | None) -> bool:
    """Return whether a URL points to another host."""
    return bool(address and re.match(r"\s*(?:(?:https?|ftp|wss?):)?//", address))
