"""Small panels with curves of shares, one per group."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt

from tpanalytics.charts._core import captions, theme
from tpanalytics.formatting import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Panel", "draw_panels", "more_panels"]

_WIDTH, _HEIGHT, _PER_ROW = 190, 130, 4
#: Maximum length of a panel title and of a footnote, in characters.
_NAME, _LINE = 32, 160
_TITLE: dict[str, Any] = {
    "fontSize": 12,
    "subtitleFontSize": 10.5,
    "offset": 8,
    "anchor": "start",
    "frame": "group",
    "subtitlePadding": 2,
}


class Panel(NamedTuple):
    """A panel's title and subtitle, and a function that returns its marks for the axes ``x`` and ``y``."""

    name: str
    detail: str
    marks: Callable[[dict[str, Any], dict[str, Any]], list[alt.Chart]]


def draw_panels(
    panels: Sequence[Panel],
    notes: Sequence[str],
    *,
    axes: tuple[str, str],
    title: str,
    subtitle: str,
    description: str,
) -> theme.Panels:
    """Arrange panels in rows of similar length, with the vertical axis at the left of each row."""
    x_title, y_title = axes
    rows = -(-len(panels) // _PER_ROW)
    per_row = -(-len(panels) // max(rows, 1))
    charts = []
    for place, panel in enumerate(panels):
        x, y = _axis(x_title, shown=True), _axis(y_title, shown=place % per_row == 0)
        lines = textwrap.wrap(clean_text(panel.name) or "", _NAME, max_lines=2, placeholder=" …")
        heading = alt.Title(lines or "(unnamed)", subtitle=panel.detail, **_TITLE)
        marks = panel.marks(x, y)
        charts.append(alt.LayerChart(layer=marks, width=_WIDTH, height=_HEIGHT, title=heading))
    return theme.assemble_panels(
        [
            alt.ConcatChart(concat=charts, columns=max(per_row, 1), spacing={"row": 26, "column": 26}),
            theme.footer_panel(captions.wrapped(notes, _LINE)),
        ],
        columns=1,
        title=title,
        subtitle=subtitle,
        description=description,
        spacing=30,
    )


def more_panels(left_out: int, every: str) -> list[str]:
    """Report how many groups have no panel, and how to see them, if any."""
    if not left_out:
        return []
    return [f"{left_out:,} of {every} {'is' if left_out == 1 else 'are'} not drawn. Pass `top` (up to 40) or `groups`."]


def _axis(title: str, *, shown: bool) -> dict[str, Any]:
    """Return the axis of a share, with labels and a title if it is shown."""
    axis = {
        "title": title if shown else None,
        "titleFontWeight": "normal",
        "titlePadding": 6,
        "values": [0, 0.25, 0.5, 0.75, 1],
        "labels": shown,
        "labelExpr": "round(datum.value * 100) + '%'",
        "labelFontSize": 10,
        "labelOverlap": False,
    }
    return {"axis": axis, "scale": {"domain": [0, 1], "nice": False}}
