"""Stacked bars of AI impact levels, one per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import theme
from tpanalytics.formatting import percent
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Minimum share of a labelled segment. Segments without a level also need space for the hatching.
_WIDE = 0.048
#: Distance between hatching strokes, padding at the segment edges, and half the width of a character, in pixels.
_HATCH, _EDGE, _CHARACTER = 9.5, 2, 3.4


def level_bars(
    rows: pl.DataFrame,
    y: alt.Y,
    levels: Sequence[str],
    tooltip: Sequence[alt.Tooltip],
    *,
    width: int,
    bar: int = 20,
    key: str = "place",
) -> list[alt.Chart]:
    """Draw bars from `rows` with `key`, ``level, share`` and the fields of the tooltip. Levels must be in order."""
    segments = _segments(rows, key)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, 1]), axis=theme.percent_axis())
    drawn = alt.Chart(segments)
    bars = drawn.mark_bar(stroke=theme.OUTLINE, strokeWidth=1, size=bar).encode(
        x=x,
        x2=alt.X2("end:Q"),
        y=y,
        color=alt.Color("level:N", scale=theme.level_scale(levels), legend=theme.level_legend(levels)),
        tooltip=list(tooltip),
    )
    hatching = theme.hatched(alt.Chart(_strokes(segments, width, key)), bar).encode(x=alt.X("at:Q"), y=y)
    figures = drawn.mark_text(fontSize=11).encode(
        x=alt.X("middle:Q"), y=y, text=alt.Text("figure:N"), color=theme.ink_if("datum.dark", "#FFFFFF", theme.INK)
    )
    return [bars, hatching, figures]


def _segments(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    end = pl.col("share").cum_sum().over(key)
    width = pl.when(pl.col("level") == NOT_ASSESSED).then(2.0).otherwise(1.0) * _WIDE
    figure = pl.col("share").map_elements(percent, return_dtype=pl.String)
    return (
        rows.filter(pl.col("share") > 0)
        .with_columns(start=end - pl.col("share"), end=end)
        .with_columns(
            middle=((pl.col("start") + pl.col("end")) / 2).round(5),
            figure=pl.when(pl.col("share") >= width).then(figure).otherwise(pl.lit("")),
            dark=pl.col("level").is_in(["H1", "H2"]),
        )
    )


def _strokes(segments: pl.DataFrame, width: int, key: str) -> pl.DataFrame:
    """Return positions for hatching strokes in segments without a level, leaving space for the figure."""
    # Draw fewer strokes for many rows. Altair raises an error for more than 5,000 rows of data.
    distance = _HATCH * max(1.0, segments.get_column(key).n_unique() / 40)
    strokes = [
        {key: place, "at": round((start + end) / 2 + side * offset / width, 4)}
        for place, start, end, figure in segments.filter(pl.col("level") == NOT_ASSESSED)
        .select(key, "start", "end", "figure")
        .rows()
        for side in (-1, 1)
        for step in range(int(width / 2 / distance))
        if (offset := (_CHARACTER * len(figure) + 6 if figure else distance / 2) + step * distance)
        < (end - start) * width / 2 - _EDGE
    ]
    return pl.DataFrame(strokes, schema={key: segments.schema[key], "at": pl.Float64})
