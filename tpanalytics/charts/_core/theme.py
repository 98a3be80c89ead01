"""Chart theme and notebook display.

The theme is applied per chart and not globally, so other Altair charts in a notebook aren't affected.
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
from tpanalytics.formatting import clean_text
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

INK, MUTED, OUTLINE, SHADE = "#1B1B1F", "#5A5A60", "#3A3A40", "#DCE4E5"
ACCENT = "#21787F"
# Liberation Sans ships with the renderer and has the same metrics as Arial, so layouts don't depend on the platform.
FONT = "Liberation Sans, Arial, sans-serif"
_NOT_ASSESSED = "#FFFFFF"
_UNKNOWN = "#BDBDC2"
#: Colours get darker from H5 to H1, so the order is still visible in greyscale.
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
#: Distance between hatching strokes in pixels.
_HATCH = 7
#: Maximum length of a title line in characters.
_TITLE = 104
#: Right-to-left text before punctuation and a number, which would otherwise be rendered right to left, too.
_RTL_TEXT = re.compile("([\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff][^A-Za-z,:;(]*)(?=[,:;] ?\\(?[0-9]| \\([0-9])")


class _PngDisplay:
    """Display charts as PNG images. Altair's default renderer loads scripts from a CDN."""

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return displayed(self.to_dict())  # type: ignore[attr-defined]  # defined by the chart class

    def copy(self, deep: Any = True, ignore: list[str] | None = None) -> Any:  # noqa: FBT002
        """Copy the chart, with a fast path for the shallow copies made by `to_dict`."""
        if deep is not False:
            return super().copy(deep, ignore)  # type: ignore[misc]
        duplicate = copy.copy(self)
        vars(duplicate).update({name: copy.copy(part) for name, part in vars(self).items()})
        return duplicate


class Chart(_PngDisplay, alt.LayerChart):
    """Layered chart, displayed as a PNG image in notebooks."""


class Panels(_PngDisplay, alt.ConcatChart):
    """Concatenated chart, displayed as a PNG image in notebooks."""


def assemble(
    layers: Sequence[alt.Chart | alt.LayerChart],
    *,
    title: str,
    subtitle: str | Sequence[str],
    description: str,
    width: int,
    height: int,
) -> Chart:
    """Combine layers into a themed chart with a title. Later layers are drawn on top."""
    return Chart(layer=list(layers), width=width, height=height, **_chart_options(title, subtitle, description))


def assemble_panels(
    panels: Sequence[alt.Chart | alt.LayerChart | alt.ConcatChart | alt.HConcatChart],
    *,
    columns: int,
    title: str,
    subtitle: str | Sequence[str],
    description: str,
    **layout: Any,
) -> Panels:
    """Arrange panels in a grid below a title. The last panel contains the footnotes."""
    return Panels(concat=list(panels), columns=columns, **layout, **_chart_options(title, subtitle, description))


def _chart_options(title: str, subtitle: str | Sequence[str], description: str) -> dict[str, Any]:
    # Pass these to the constructor. `properties` and `configure` would copy the entire chart, including its data.
    title = _RTL_TEXT.sub("\\1\u200e", title)
    lines = math.ceil(len(title) / _TITLE)
    heading = alt.Title(
        textwrap.wrap(title, _TITLE if lines < 2 else len(title) // lines + 8), subtitle=subtitle or alt.Undefined
    )
    return {"title": heading, "description": description, "config": _config()}


def _config() -> alt.Config:
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
    """Replace characters that can't be rendered in group and level names."""
    names = [name for name in ("group", "level", "ai_impact_level") if name in frame.columns]
    return frame.with_columns(
        pl.col(name).replace_strict(
            (values := frame.get_column(name).unique().to_list()),
            [clean_text(value) for value in values],
            return_dtype=pl.String,
        )
        for name in names
    )


def percent_axis() -> alt.Axis:
    """Return an axis that formats shares as percentages."""
    return alt.Axis(title=None, tickCount=5, labelExpr="round(datum.value * 100) + '%'")


def pixel_encoding(**channels: float | alt.ExprRef) -> dict[str, Any]:
    """Return `encode` arguments for positions in pixels."""
    # We can't use `alt.value` here, it's slow: Altair searches the entire schema to resolve it.
    classes: dict[str, Any] = {"x": alt.XValue, "x2": alt.X2Value, "y": alt.YValue, "y2": alt.Y2Value}
    return {name: classes[name](position) for name, position in channels.items()}


def when(test: str, value: Any) -> dict[str, Any]:
    """Return a condition that sets a value if `test` is true."""
    return {"test": test, "value": value}


def ink_if(test: str, then: str, otherwise: str) -> alt.ColorValue:
    """Return a conditional text colour."""
    return alt.ColorValue(otherwise, condition=when(test, then))


def note(text: str | Sequence[str], *, x: int, y: int | alt.ExprRef, **look: Any) -> alt.Chart:
    """Return a text mark at a fixed position, independent of the data."""
    look = {"fontSize": 11, "color": MUTED, "align": "left", "lineHeight": 15, **look}
    mark = alt.Chart(alt.InlineData(values=[{}])).mark_text(text=text if isinstance(text, str) else list(text), **look)
    layer: alt.Chart = mark.encode(**pixel_encoding(x=x, y=y))
    return layer


def footer(lines: Sequence[str], *, below: int = 38) -> alt.Chart:
    """Return a layer with footnotes, `below` pixels under the plot."""
    return note(list(lines), x=0, y=alt.expr(f"height + {below}"), baseline="top", fontSize=10.5)


def strokes(low: float, high: float, per_pixel: float) -> list[float]:
    """Return positions for hatching strokes between `low` and `high`, spaced evenly from the middle."""
    half, distance = (high - low) / 2, _HATCH * per_pixel
    steps = range(int(max(half - 3 * per_pixel, 0) / distance + 0.5))
    return [round((low + high) / 2 + side * (step + 0.5) * distance, 5) for step in steps for side in (-1, 1)]


def hatched(positions: alt.Chart, bar: int) -> alt.Chart:
    """Draw hatching strokes at `positions`, sized for bars `bar` pixels high."""
    mark: alt.Chart = positions.mark_point(
        shape="M-0.3,1L0.3,-1", size=bar**2 * 0.62, stroke="#9A9AA0", strokeWidth=1, opacity=1
    )
    return mark


def footer_panel(lines: Sequence[str]) -> alt.LayerChart:
    """Return a panel with only footnotes."""
    panel: alt.LayerChart = alt.LayerChart(layer=[footer(lines, below=0)], width=600, height=1)
    return panel


def empty_chart(text: str, detail: str) -> Chart:
    """Return a chart with only a message."""
    return assemble(
        [note(detail, x=0, y=20, fontSize=13)],
        title=text,
        subtitle="",
        description=f"{text}. {detail}",
        width=520,
        height=40,
    )


def level_scale(levels: Sequence[str]) -> alt.Scale:
    """Return the colour scale for the levels."""
    return alt.Scale(domain=list(levels), range=[LEVEL_COLOURS.get(level, _UNKNOWN) for level in levels])


def level_legend(levels: Sequence[str]) -> alt.Legend | None:
    """Return the legend for the levels, or None without levels. Empty legends can't be rendered."""
    if not levels:
        return None
    labels = [LEVEL_WORDS.get(level, f"{level} (unknown level)") for level in levels]
    return alt.Legend(
        labelExpr=f"{json.dumps(labels)}[indexof({json.dumps(list(levels))}, datum.label)]",
        symbolStrokeColor=OUTLINE,
        columns=min(len(levels), 6),
    )
