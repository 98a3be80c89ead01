"""Ribbons from what was to what is, each as wide as what it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a ribbon carries, and its look: what stayed is muted, and what only became known is no change in work.
KINDS = {"stayed": "#E4E4E8", "rated otherwise": theme.ACCENT, "known or not": "#A9A9B0", "come or gone": "#DDD7CB"}
_WIDTH, _NODE, _GAP = 300, 16, 10
#: Every fill there is, of ribbons, of places by level and of cells; one scale for all, since panels share theirs.
_FILLS = {
    **KINDS,
    **theme.LEVEL_COLOURS,
    "another level": "#BDBDC2",
    "top cell": "#CFE6E8",
    "stayed cell": "#EFEFF2",
    "other cell": "#FFFFFF",
}
#: Points of a ribbon's edge; the curve between them is smooth.
_POINTS = 11


class Flow(NamedTuple):
    """What goes from a place on the left to one on the right: places, amount, one of `KINDS`, and its label if any."""

    start: str
    end: str
    amount: float
    kind: str
    label: str = ""


def ribbons(
    flows: Sequence[Flow], left: Sequence[str], right: Sequence[str], words: dict[str, str], height: int
) -> alt.LayerChart:
    """Draw flows between two stacks of places."""
    total = sum(flow.amount for flow in flows)
    unit = (height - _GAP * (max(len(left), len(right)) - 1)) / total
    starts = _tops([(place, sum(f.amount for f in flows if f.start == place)) for place in left], unit)
    ends = _tops([(place, sum(f.amount for f in flows if f.end == place)) for place in right], unit)
    rank = {place: number for number, place in enumerate([*left, *right])}
    laid: dict[tuple[str, str], list[float]] = {}
    for side, tops, order in (
        (0, dict(starts), sorted(flows, key=lambda f: (left.index(f.start), right.index(f.end)))),
        (1, dict(ends), sorted(flows, key=lambda f: (right.index(f.end), rank[f.start]))),
    ):
        for flow in order:
            place = flow.end if side else flow.start
            laid.setdefault((flow.start, flow.end), []).append(tops[place])
            tops[place] += flow.amount * unit
    rows, labels = [], []
    for number, flow in enumerate(flows):
        top, bottom = laid[flow.start, flow.end]
        thick = flow.amount * unit
        for point in range(_POINTS):
            t = point / (_POINTS - 1)
            at = top + (bottom - top) * t * t * (3 - 2 * t)
            rows.append((number, flow.kind, round(t, 2), round(at, 1), round(at + thick, 1)))
        if flow.label:
            # A ribbon too thin for its label has it above.
            labels.append((0.5, (top + bottom + thick) / 2 - (0 if thick > 16 else thick / 2 + 8), flow.label))
    schema = {"n": pl.Int64, "paint": pl.String, "x": pl.Float64, "top": pl.Float64, "end": pl.Float64}
    y = alt.Y("top:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    stayed = pl.col("paint") == "stayed"
    paths = pl.DataFrame(rows, schema=schema, orient="row")
    drawn = [
        alt.Chart(part)
        .mark_area(opacity=0.85, interpolate="monotone", line=False)
        .encode(x=x, y=y, y2=alt.Y2("end:Q"), detail=alt.Detail("n:N"), fill=paint())
        for part in (paths.filter(stayed), paths.filter(~stayed))
    ]
    named = alt.Chart(
        pl.DataFrame(labels, schema={"x": pl.Float64, "at": pl.Float64, "label": pl.String}, orient="row")
    )
    halo = named.mark_text(fontSize=11, fontWeight="bold", stroke="#FFFFFF", strokeWidth=4, strokeJoin="round")
    ink = named.mark_text(fontSize=11, fontWeight="bold", color=theme.INK)
    place_of_label = alt.Y("at:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    marks = [
        *drawn,
        *_nodes(starts, flows, unit, words, height, left=True),
        *_nodes(ends, flows, unit, words, height, left=False),
        *(mark.encode(x=x, y=place_of_label, text=alt.Text("label:N")) for mark in (halo, ink)),
    ]
    chart: alt.LayerChart = alt.LayerChart(layer=marks, width=_WIDTH, height=height)
    return chart


def paint() -> alt.Fill:
    """Fill by what stands in ``paint``: one of `KINDS`, a level, ``another level`` or a kind of cell."""
    return alt.Fill("paint:N", scale=alt.Scale(domain=list(_FILLS), range=list(_FILLS.values())), legend=None)


def _tops(amounts: Sequence[tuple[str, float]], unit: float) -> dict[str, float]:
    tops, at = {}, 0.0
    for place, amount in amounts:
        tops[place] = at
        at += amount * unit + _GAP
    return tops


def _nodes(
    tops: dict[str, float], flows: Sequence[Flow], unit: float, words: dict[str, str], height: int, *, left: bool
) -> list[alt.Chart]:
    """Draw the stack of one side: a block per place in its level's colour, named beside it."""
    amounts = {place: sum(f.amount for f in flows if (f.start if left else f.end) == place) for place in tops}
    rows = [
        (
            words[place],
            place if place in theme.LEVEL_COLOURS else "another level",
            round(top, 1),
            round(top + amounts[place] * unit, 1),
        )
        for place, top in tops.items()
    ]
    schema = {"level": pl.String, "paint": pl.String, "top": pl.Float64, "end": pl.Float64}
    blocks = pl.DataFrame(rows, schema=schema, orient="row")
    middles = blocks.select("level", middle=((pl.col("top") + pl.col("end")) / 2).round(1))
    scale = alt.Scale(domain=[height, 0], nice=False)
    edge, beside = (-_NODE, -_NODE - 6) if left else (_WIDTH, _WIDTH + _NODE + 6)
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
        .encode(**theme.pixel_encoding(x=beside), y=alt.Y("middle:Q", scale=scale, axis=None), text=alt.Text("level:N"))
    )
    return [block, name]
