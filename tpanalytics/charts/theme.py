"""How every chart looks, and how it shows itself in a notebook.

The look is set on each chart, never in Altair's global theme: other charts of the same notebook stay as they are.
"""

from __future__ import annotations

import json
import math
import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts.picture import png
from tpanalytics.measures.privacy import HIDDEN, SUPPRESSED, Privacy, hidden_families, said_of_hidden
from tpanalytics.schema import NO_FAMILY, NOT_ASSESSED
from tpanalytics.words import listed, plural, printable, total

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ACCENT",
    "INK",
    "LEVEL_COLOURS",
    "LEVEL_WORDS",
    "MUTED",
    "OUTLINE",
    "SHADE",
    "Chart",
    "column",
    "empty_chart",
    "family_axis",
    "finish",
    "note",
]

INK, MUTED, OUTLINE, SHADE = "#1B1B1F", "#5A5A60", "#3A3A40", "#DCE4E5"
ACCENT = "#21787F"
#: What stands in the row of a family that is hidden for its own sake or for another's, and the title where all are.
WHY_HIDDEN = "hidden to protect small groups of jobs or people"
ALL_HIDDEN = "Every job family is hidden: its figures tell of too few jobs or people"
# Liberation Sans comes with the renderer and has Arial's widths: a chart measures the same everywhere.
FONT = "Liberation Sans, Arial, sans-serif"
_NOT_ASSESSED = "#FFFFFF"
_UNKNOWN = "#BDBDC2"
#: Lightness falls from H5 to H1, so the order survives greyscale; every segment has an outline and a label besides.
LEVEL_COLOURS = {
    "H1": "#200A45",
    "H2": "#21787F",
    "H3": "#F7E27E",
    "H4": "#FCF3C9",
    "H5": "#FFFCF0",
    NOT_ASSESSED: _NOT_ASSESSED,
}
LEVEL_WORDS = {
    "H1": "H1 highly automatable",
    "H2": "H2 partly automatable",
    "H3": "H3 human judgement",
    "H4": "H4 human, AI helps",
    "H5": "H5 human only",
    NOT_ASSESSED: NOT_ASSESSED,
}
#: Width of a title in characters; a longer one is parted evenly.
_TITLE = 104
#: Width of a family name in the axis, in characters before it goes to the next line.
_WRAP = 38
_LINE = 12
#: Sharp on most screens, and still small enough to keep in a notebook.
_DISPLAY_SCALE = 1.5


class Chart(alt.LayerChart):
    """A layered chart that shows itself in a notebook as a picture, with its description as text.

    The stock display fetches scripts from another host; this one needs neither script nor network, and it is still
    there when the notebook is reopened, mailed or shown on a page.
    """

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        spec = self.to_dict()
        picture = png(spec, _DISPLAY_SCALE)
        # Without its size in points a notebook would show the picture pixel by pixel.
        width, height = (round(int.from_bytes(picture[i : i + 4], "big") / _DISPLAY_SCALE) for i in (16, 20))
        text = spec.get("description", "chart")
        return {"image/png": picture, "text/plain": text}, {"image/png": {"width": width, "height": height}}


def finish(
    layers: Sequence[alt.Chart | alt.LayerChart],
    *,
    title: str,
    subtitle: str,
    description: str,
    width: int,
    rows: int,
    row_height: int,
) -> Chart:
    """Put layers together under one title, in the house's look.

    Parameters
    ----------
    layers
        Marks, first at the bottom.
    title, subtitle
        The finding, and what it is about.
    description
        Text for those who do not see the chart.
    width, row_height
        In pixels.
    rows
        Number of rows of the chart.
    """
    lines = math.ceil(len(title) / _TITLE)
    heading = alt.Title(
        textwrap.wrap(title, _TITLE if lines < 2 else len(title) // lines + 8), subtitle=subtitle or alt.Undefined
    )
    chart: Chart = (
        Chart(layer=list(layers))
        .properties(title=heading, description=description, width=width, height=max(rows, 1) * row_height)
        .configure(font=FONT, background="#FFFFFF", padding={"left": 12, "right": 16, "top": 12, "bottom": 12})
        .configure_view(stroke=None)
        .configure_title(
            anchor="start",
            frame="bounds",
            align="left",
            fontSize=17,
            fontWeight="bold",
            color=INK,
            subtitleFontSize=12,
            subtitleColor=MUTED,
            subtitleLineHeight=17,
            subtitlePadding=6,
            offset=18,
        )
        .configure_axis(
            labelFontSize=11,
            titleFontSize=11,
            labelColor=INK,
            titleColor=MUTED,
            titleFontWeight="normal",
            gridColor="#E9E9EC",
            domain=False,
            ticks=False,
            labelPadding=6,
        )
        .configure_legend(
            orient="top",
            direction="horizontal",
            title=None,
            labelFontSize=11,
            labelColor=INK,
            labelLimit=260,
            symbolStrokeWidth=1,
            symbolSize=130,
            symbolType="square",
            columnPadding=14,
            offset=34,
        )
    )
    return chart


def drawable(frame: pl.DataFrame) -> pl.DataFrame:
    """Make the names of a frame ones that a picture can hold."""
    names = [name for name in ("job_family", "level") if name in frame.columns]
    return frame.with_columns(
        pl.col(name).replace_strict(
            (values := frame.get_column(name).unique().to_list()),
            [printable(value) for value in values],
            return_dtype=pl.String,
        )
        for name in names
    )


def family_axis(order: Sequence[str]) -> alt.Y:
    """Give the axis of families in the order asked for; a long name goes over several lines, and none is cut."""
    lines = {family: _lines(family) for family in order}
    # Vega hangs further lines below the first; half of their height up again puts the name beside its row.
    lifted = [
        {"test": f"indexof({json.dumps(names)}, datum.label) >= 0", "value": -_LINE / 2 * (count - 1)}
        for count in range(2, max(map(len, lines.values()), default=1) + 1)
        if (names := [family for family in order if len(lines[family]) == count])
    ]
    axis = alt.Axis(
        title=None,
        # By position, not by name: a family may be called "constructor".
        labelExpr=f"{json.dumps(list(lines.values()))}[indexof({json.dumps(list(lines))}, datum.label)]",
        labelLimit=400,
        labelLineHeight=_LINE,
        labelOffset={"condition": lifted, "value": 0} if lifted else 0,
        grid=False,
    )
    return alt.Y("job_family:N", sort=list(order), axis=axis, scale=alt.Scale(domain=list(order)))


def row_height(order: Sequence[str], usual: int) -> int:
    """Give the height of a row in pixels, enough for the name with the most lines."""
    return max([usual, *(_LINE * len(_lines(family)) + 4 for family in order)])


def _lines(family: str) -> list[str]:
    return textwrap.wrap(family, _WRAP, max_lines=4, placeholder=" …") or ["(unnamed)"]


def percent_axis() -> alt.Axis:
    """Give an axis of shares."""
    return alt.Axis(title=None, tickCount=5, labelExpr="round(datum.value * 100) + '\u00a0%'")


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
        body.encode(x=alt.value(x), y=y, text=f"{field}:N"),
        note(header, x=x, y=-6 - 12 * (lines - 1), align="right", baseline="bottom", lineHeight=12, fontSize=10.5),
    ]


def note(text: str | Sequence[str], *, x: int, y: int | alt.ExprRef, **look: Any) -> alt.Chart:
    """Write a line of the chart itself, which no datum stands behind."""
    look = {"fontSize": 11, "color": MUTED, "align": "left", "lineHeight": 15, **look}
    mark = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=text if isinstance(text, str) else list(text), **look)
    placed: alt.Chart = mark.encode(x=alt.value(x), y=alt.value(y))
    return placed


def population(families: pl.DataFrame, *, totals: bool = True) -> str:
    """Count families, jobs and tasks, or without `totals` families alone; say where there are jobs without a family."""
    named = families.get_column("job_family").ne(NO_FAMILY).sum()
    without = " and jobs without one" if named < families.height else ""
    if not totals:
        return f"{plural(named, 'job family')}{without}"
    jobs, tasks = plural(total(families, "jobs"), "job"), plural(total(families, "tasks"), "task")
    return f"{plural(named, 'job family')}{without}, {jobs}, {tasks}"


def hidden_note(result: pl.DataFrame, privacy: Privacy | None) -> list[str]:
    """Say in a line of the footer how many families are hidden, if any is."""
    hidden = len(hidden_families(result))
    if not hidden or privacy is None:
        return []
    said = said_of_hidden(hidden, result.get_column("job_family").n_unique(), privacy)
    return [said.replace("hidden:", f"hidden ({HIDDEN}):", 1)]


def is_hidden() -> pl.Expr:
    """Tell the rows of families that are hidden."""
    return (pl.col("reason") == SUPPRESSED).fill_null(value=False)


def unless_hidden(*columns: str) -> list[pl.Expr]:
    """Print the sign of what is hidden in text columns of hidden families."""
    return [pl.when(is_hidden()).then(pl.lit(HIDDEN)).otherwise(name).alias(name) for name in columns]


def hidden_names(families: pl.DataFrame) -> list[str]:
    """Say in a sentence of the description which families are hidden, if any is."""
    names = families.filter(is_hidden()).get_column("job_family").to_list()
    return [f"Hidden, to protect small groups of jobs or people: {listed(names)}."] if names else []


def remarks(families: pl.DataFrame, y: alt.Y, field: str) -> list[alt.Chart]:
    """Write into the rows that have no marks why they have none."""
    rows = families.filter(pl.col(field).is_not_null()).select("job_family", field)
    if not rows.height:
        return []
    mark = alt.Chart(rows).mark_text(align="left", fontSize=11, fontStyle="italic", color=MUTED)
    return [mark.encode(x=alt.value(4), y=y, text=f"{field}:N")]


def footer(lines: Sequence[str], *, below: int = 38) -> alt.Chart:
    """Write the policy, `below` pixels under the plot."""
    return note(list(lines), x=0, y=alt.expr(f"height + {below}"), baseline="top", fontSize=10.5)


def empty_chart(text: str, detail: str) -> Chart:
    """Make the chart for an input that has nothing to show, and say so."""
    return finish(
        [note(detail, x=0, y=20, fontSize=13)],
        title=text,
        subtitle="",
        description=f"{text}. {detail}",
        width=520,
        rows=1,
        row_height=40,
    )


def level_scale(levels: Sequence[str]) -> alt.Scale:
    """Give each level its colour, whatever else the data hold."""
    return alt.Scale(domain=list(levels), range=[LEVEL_COLOURS.get(level, _UNKNOWN) for level in levels])


def level_legend(levels: Sequence[str]) -> alt.Legend | None:
    """Say beside each colour what the level means; an empty legend would break the picture."""
    if not levels:
        return None
    words = [LEVEL_WORDS.get(level, f"{level} (unknown level)") for level in levels]
    return alt.Legend(
        labelExpr=f"{json.dumps(words)}[indexof({json.dumps(list(levels))}, datum.label)]",
        symbolStrokeColor=OUTLINE,
        columns=min(len(levels), 6),
    )
