"""How every chart looks, and how it shows itself in a notebook.

The look is set on each chart, never in Altair's global theme: other charts of the same notebook stay as they are.
"""

from __future__ import annotations

import copy
import json
import math
import re
import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core.render import displayed
from tpanalytics.formatting import printable
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

INK, MUTED, OUTLINE, SHADE = "#1B1B1F", "#5A5A60", "#3A3A40", "#DCE4E5"
ACCENT = "#21787F"
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
#: Pixels between the strokes of a hatching.
_HATCH = 7
#: Width of a title in characters; a longer one is parted evenly.
_TITLE = 104
#: A name written from right to left, up to a sign after which a number comes: it would be drawn as a part of the name.
_LEFTWARD = re.compile("([\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff][^A-Za-z,:;(]*)(?=[,:;] ?\\(?[0-9]| \\([0-9])")


class _Shown:
    """Shows itself in a notebook as a picture, with its description as text.

    The stock display fetches scripts from another host; this one needs neither script nor network, and it is still
    there when the notebook is reopened, mailed or shown on a page.
    """

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return displayed(self.to_dict())  # type: ignore[attr-defined]  # a chart's

    def copy(self, deep: Any = True, ignore: list[str] | None = None) -> Any:  # noqa: FBT002
        """Copy as a chart does, but where the parts need no copy (`to_dict`, at each part) do not make them anew."""
        if deep is not False:
            return super().copy(deep, ignore)  # type: ignore[misc]
        made = copy.copy(self)
        vars(made).update({name: copy.copy(part) for name, part in vars(self).items()})
        return made


class Chart(_Shown, alt.LayerChart):
    """Marks in layers that show themselves in a notebook as a picture."""


class Panels(_Shown, alt.ConcatChart):
    """Charts side by side and below each other that show themselves in a notebook as one picture."""


def assemble(
    layers: Sequence[alt.Chart | alt.LayerChart],
    *,
    title: str,
    subtitle: str | Sequence[str],
    description: str,
    width: int,
    height: int,
) -> Chart:
    """Put layers, the first at the bottom, under one title in the house's look."""
    return Chart(layer=list(layers), width=width, height=height, **_dress(title, subtitle, description))


def assemble_panels(
    panels: Sequence[alt.Chart | alt.LayerChart | alt.ConcatChart | alt.HConcatChart],
    *,
    columns: int,
    title: str,
    subtitle: str | Sequence[str],
    description: str,
    **layout: Any,
) -> Panels:
    """Put panels, the last of them a `footer_panel`, in rows of `columns` under one title."""
    return Panels(concat=list(panels), columns=columns, **layout, **_dress(title, subtitle, description))


def _dress(title: str, subtitle: str | Sequence[str], description: str) -> dict[str, Any]:
    """Give what a chart is made with; put on afterwards it would copy the whole chart, its data too."""
    title = _LEFTWARD.sub("\\1\u200e", title)
    lines = math.ceil(len(title) / _TITLE)
    heading = alt.Title(
        textwrap.wrap(title, _TITLE if lines < 2 else len(title) // lines + 8), subtitle=subtitle or alt.Undefined
    )
    return {"title": heading, "description": description, "config": _look()}


def _look() -> alt.Config:
    return alt.Config(
        font=FONT,
        background="#FFFFFF",
        padding={"left": 12, "right": 16, "top": 12, "bottom": 12},
        view=alt.ViewConfig(stroke=None),
        title=alt.TitleConfig(
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
        ),
        axis=alt.AxisConfig(
            labelFontSize=11,
            titleFontSize=11,
            labelColor=INK,
            titleColor=MUTED,
            titleFontWeight="normal",
            gridColor="#E9E9EC",
            domain=False,
            ticks=False,
            labelPadding=6,
        ),
        legend=alt.LegendConfig(
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
        ),
    )


def sanitize_labels(frame: pl.DataFrame) -> pl.DataFrame:
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


def percent_axis() -> alt.Axis:
    """Give an axis of shares."""
    return alt.Axis(title=None, tickCount=5, labelExpr="round(datum.value * 100) + '\u00a0%'")


def pixel_encoding(**channels: float | alt.ExprRef) -> dict[str, Any]:
    """Return places in pixels for `encode`."""
    # Channels are named by their class: Altair looks for the class of plain text, `alt.value` and `alt.condition` in
    # the whole schema, which takes longer than all else about a mark.
    classes: dict[str, Any] = {"x": alt.XValue, "x2": alt.X2Value, "y": alt.YValue, "y2": alt.Y2Value}
    return {name: classes[name](place) for name, place in channels.items()}


def when(test: str, value: Any) -> dict[str, Any]:
    """Give a value for the rows of which a test holds."""
    return {"test": test, "value": value}


def ink_if(test: str, then: str, otherwise: str) -> alt.ColorValue:
    """Give the rows of which a test holds one colour, the others another."""
    return alt.ColorValue(otherwise, condition=when(test, then))


def note(text: str | Sequence[str], *, x: int, y: int | alt.ExprRef, **look: Any) -> alt.Chart:
    """Write a line of the chart itself, which no datum stands behind."""
    look = {"fontSize": 11, "color": MUTED, "align": "left", "lineHeight": 15, **look}
    mark = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=text if isinstance(text, str) else list(text), **look)
    placed: alt.Chart = mark.encode(**pixel_encoding(x=x, y=y))
    return placed


def footer(lines: Sequence[str], *, below: int = 38) -> alt.Chart:
    """Write the policy, `below` pixels under the plot."""
    return note(list(lines), x=0, y=alt.expr(f"height + {below}"), baseline="top", fontSize=10.5)


def strokes(low: float, high: float, per_pixel: float) -> list[float]:
    """Place the strokes of a hatching between two ends, from the middle outwards and clear of both."""
    half, apart = (high - low) / 2, _HATCH * per_pixel
    steps = range(int(max(half - 3 * per_pixel, 0) / apart + 0.5))
    return [round((low + high) / 2 + side * (step + 0.5) * apart, 5) for step in steps for side in (-1, 1)]


def hatched(places: alt.Chart, bar: int) -> alt.Chart:
    """Draw strokes at `places` over bars of so many pixels."""
    mark: alt.Chart = places.mark_point(
        shape="M-0.3,1L0.3,-1", size=bar**2 * 0.62, stroke="#9A9AA0", strokeWidth=1, opacity=1
    )
    return mark


def footer_panel(lines: Sequence[str]) -> alt.LayerChart:
    """Write the policy in a panel of its own, below panels of marks."""
    panel: alt.LayerChart = alt.LayerChart(layer=[footer(lines, below=0)], width=600, height=1)
    return panel


def empty_chart(text: str, detail: str) -> Chart:
    """Make the chart for an input that has nothing to show, and say so."""
    return assemble(
        [note(detail, x=0, y=20, fontSize=13)],
        title=text,
        subtitle="",
        description=f"{text}. {detail}",
        width=520,
        height=40,
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
