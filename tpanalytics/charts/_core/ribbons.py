"""Sankey-style ribbons between the levels before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Flow colours. Only re-rated tasks are highlighted.
KINDS = {
    "same level": "#E4E4E8",
    "re-rated": theme.ACCENT,
    "newly or no longer assessed": "#A9A9B0",
    "added or removed": "#DDD7CB",
}
_WIDTH, _NODE, _GAP = 300, 16, 10
#: Fill colours for ribbons, nodes and cells. The panels share a scale, so all colours must be in a single dict.
_FILLS = {
    **KINDS,
    **theme.LEVEL_COLOURS,
    "another level": "#BDBDC2",
    "top cell": "#CFE6E8",
    "stayed cell": "#EFEFF2",
    "other cell": "#FFFFFF",
}
#: Number of points along a ribbon's edge.
_POINTS = 11


class Flow(NamedTuple):
    """Flow from a node on the left to a node on the right. `kind` is a key in `KINDS`."""

    start: str
    end: str
    amount: float
    kind: str
    label: str = ""


def ribbons(
    flows: Sequence[Flow], left: Sequence[str], right: Sequence[str], words: dict[str, str], height: int
) -> alt.LayerChart:
    """Draw the flows between two stacks of nodes."""
    total = sum(flow.amount for flow in flows)
    unit = (height - _GAP * (max(len(left), len(right)) - 1)) / total
    starts = _tops([(node, sum(f.amount for f in flows if f.start == node)) for node in left], unit)
    ends = _tops([(node, sum(f.amount for f in flows if f.end == node)) for node in right], unit)
    rank = {node: number for number, node in enumerate([*left, *right])}
    positions: dict[tuple[str, str], list[float]] = {}
    for side, tops, order in (
        (0, dict(starts), sorted(flows, key=lambda f: (left.index(f.start), right.index(f.end)))),
        (1, dict(ends), sorted(flows, key=lambda f: (right.index(f.end), rank[f.start]))),
    ):
        for flow in order:
            node = flow.end if side else flow.start
            positions.setdefault((flow.start, flow.end), []).append(tops[node])
            tops[node] += flow.amount * unit
    rows, labels = [], []
    for number, flow in enumerate(flows):
        top, bottom = positions[flow.start, flow.end]
        thick = flow.amount * unit
        for point in range(_POINTS):
            t = point / (_POINTS - 1)
            at = top + (bottom - top) * t * t * (3 - 2 * t)
            rows.append((number, flow.kind, round(t, 2), round(at, 1), round(at + thick, 1)))
        if flow.label:
            # Place the label above the ribbon if it doesn't fit inside.
            labels.append((0.5, (top + bottom + thick) / 2 - (0 if thick > 16 else thick / 2 + 8), flow.label))
    schema = {"n": pl.Int64, "paint": pl.String, "x": pl.Float64, "top": pl.Float64, "end": pl.Float64}
    y = alt.Y("top:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    stayed = pl.col("paint") == "same level"
    paths = pl.DataFrame(rows, schema=schema, orient="row")
    areas = [
        alt.Chart(part)
        .mark_area(opacity=0.85, interpolate="monotone", line=False)
        .encode(x=x, y=y, y2=alt.Y2("end:Q"), detail=alt.Detail("n:N"), fill=paint())
        for part in (paths.filter(stayed), paths.filter(~stayed))
    ]
    text = alt.Chart(pl.DataFrame(labels, schema={"x": pl.Float64, "at": pl.Float64, "label": pl.String}, orient="row"))
    halo = text.mark_text(fontSize=11, fontWeight="bold", stroke="#FFFFFF", strokeWidth=4, strokeJoin="round")
    ink = text.mark_text(fontSize=11, fontWeight="bold", color=theme.INK)
    label_y = alt.Y("at:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    marks = [
        *areas,
        *_nodes(starts, flows, unit, words, height, left=True),
        *_nodes(ends, flows, unit, words, height, left=False),
        *(mark.encode(x=x, y=label_y, text=alt.Text("label:N")) for mark in (halo, ink)),
    ]
    chart: alt.LayerChart = alt.LayerChart(layer=marks, width=_WIDTH, height=height)
    return chart


def paint() -> alt.Fill:
    """Return the fill encoding for the ``paint`` column."""
    return alt.Fill("paint:N", scale=alt.Scale(domain=list(_FILLS), range=list(_FILLS.values())), legend=None)


def _tops(amounts: Sequence[tuple[str, float]], unit: float) -> dict[str, float]:
    tops, at = {}, 0.0
    for node, amount in amounts:
        tops[node] = at
        at += amount * unit + _GAP
    return tops


def _nodes(
    tops: dict[str, float], flows: Sequence[Flow], unit: float, words: dict[str, str], height: int, *, left: bool
) -> list[alt.Chart]:
    """Draw the labelled nodes on one side, coloured by level."""
    amounts = {node: sum(f.amount for f in flows if (f.start if left else f.end) == node) for node in tops}
    rows = [
        (
            words[node],
            node if node in theme.LEVEL_COLOURS else "another level",
            round(top, 1),
            round(top + amounts[node] * unit, 1),
        )
        for node, top in tops.items()
    ]
    schema = {"level": pl.String, "paint": pl.String, "top": pl.Float64, "end": pl.Float64}
    blocks = pl.DataFrame(rows, schema=schema, orient="row")
    middles = blocks.select("level", middle=((pl.col("top") + pl.col("end")) / 2).round(1))
    scale = alt.Scale(domain=[height, 0], nice=False)
    edge, label_x = (-_NODE, -_NODE - 6) if left else (_WIDTH, _WIDTH + _NODE + 6)
    block = (
        alt.Chart(blocks.drop("level"))
        .mark_rect(stroke=theme.OUTLINE, strokeWidth=1)
        .encode(
            **theme.pixel_encoding(x=edge, x2=edge + _NODE),
            y=alt.Y("top:Q", scale=scale, axis=None),
            y2=alt.Y2("end:Q"),
            fill=paint(),
        )
    )
    name = (
        alt.Chart(middles)
        .mark_text(align="right" if left else "left", fontSize=11, color=theme.INK)
        .encode(
            **theme.pixel_encoding(x=label_x), y=alt.Y("middle:Q", scale=scale, axis=None), text=alt.Text("level:N")
        )
    )
    return [block, name]
