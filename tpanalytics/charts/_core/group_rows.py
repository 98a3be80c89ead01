"""A row per job family, or per job: its name, what is printed beside it, and what is said where it has no marks."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core.theme import INK, MUTED, note, pixels
from tpanalytics.formatting import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["column", "decimals", "family_axis", "in_column", "name_lines", "remarks", "row_axis", "row_height"]

#: Width of a family name in the axis, in characters before it goes to the next line.
_WRAP = 38
_LINE = 12


def family_axis(order: Sequence[str]) -> alt.Y:
    """Give the axis of families in the order asked for; a long name goes over several lines, and none is cut."""
    return row_axis("job_family", {family: family for family in order})


def row_axis(field: str, names: Mapping[str, str], width: int = _WRAP) -> alt.Y:
    """Give the axis of rows that are told apart by a field, in the order of its values and under their names."""
    order, lines = list(names), {value: name_lines(name, width) for value, name in names.items()}
    # Vega hangs further lines below the first; half of their height up again puts the name beside its row.
    lifted = [
        {"test": f"indexof({json.dumps(long)}, datum.label) >= 0", "value": -_LINE / 2 * (count - 1)}
        for count in range(2, max(map(len, lines.values()), default=1) + 1)
        if (long := [value for value in order if len(lines[value]) == count])
    ]
    # Plain mappings: every layer carries the axis, and each copy of an `alt.Axis` copies all that it could have.
    axis = {
        "title": None,
        # By position, not by name: a family may be called "constructor".
        "labelExpr": f"{json.dumps(list(lines.values()))}[indexof({json.dumps(list(lines))}, datum.label)]",
        "labelLimit": 400,
        "labelLineHeight": _LINE,
        "labelOffset": {"condition": lifted, "value": 0} if lifted else 0,
        "grid": False,
    }
    return alt.Y(f"{field}:N", sort=order, axis=axis, scale={"domain": order})


def row_height(order: Sequence[str], usual: int, width: int = _WRAP) -> int:
    """Give the height of a row in pixels, enough for the name with the most lines."""
    return max([usual, *(_LINE * len(name_lines(family, width)) + 4 for family in order)])


def name_lines(family: str, width: int = _WRAP, *, most: int = 4) -> list[str]:
    """Break a name to a width in characters, over so many lines at most."""
    return textwrap.wrap(family, width, max_lines=most, placeholder=" …") or ["(unnamed)"]


def column(
    rows: pl.DataFrame, y: alt.Y, field: str, header: str | Sequence[str], x: int, *, muted: bool = False
) -> list[alt.Chart]:
    """Print a field of each row right of the plot, its header above.

    Parameters
    ----------
    rows, y
        The rows and where they stand.
    field
        Text to print.
    header
        One line or several.
    x
        Right edge of the column in pixels.
    muted
        Print it as a remark.
    """
    body = alt.Chart(rows).mark_text(align="right", fontSize=11, color=MUTED if muted else INK)
    lines = 1 if isinstance(header, str) else len(header)
    return [
        body.encode(**pixels(x=x), y=y, text=alt.Text(f"{field}:N")),
        note(header, x=x, y=-6 - 12 * (lines - 1), align="right", baseline="bottom", lineHeight=12, fontSize=10.5),
    ]


def decimals(values: Sequence[float | None]) -> int:
    """Say how many decimals the hours of a column have: as many each, so that their points stand below each other."""
    known = [abs(round(value, 1)) for value in values if value is not None]
    whole = all(value == round(value) for value in known)
    large = any(value >= 100 for value in known) and all(value == 0 or value >= 10 for value in known)
    return 0 if whole or large else 1


def in_column(amounts: pl.Series) -> pl.Series:
    """Write the hours of a column, each with as many decimals."""
    digits = decimals(amounts.to_list())
    said = [NONE if amount is None else f"{amount:,.{digits}f}\u00a0h" for amount in amounts]
    return pl.Series(said, dtype=pl.String)


def remarks(rows: pl.DataFrame, y: alt.Y, field: str, *, row: str = "job_family") -> list[alt.Chart]:
    """Write into the rows that have no marks why they have none; `row` tells them apart."""
    rows = rows.filter(pl.col(field).is_not_null()).select(row, field)
    if not rows.height:
        return []
    mark = alt.Chart(rows).mark_text(align="left", fontSize=11, fontStyle="italic", color=MUTED)
    return [mark.encode(**pixels(x=4), y=y, text=alt.Text(f"{field}:N"))]
