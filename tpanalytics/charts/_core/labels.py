"""Line labels, and helpers to find leading and tied groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.charts._core import captions
from tpanalytics.charts._core.frame import name_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Label line height in pixels, and maximum label width in characters.
LINE, WRAP = 12, 34
#: Label every group if there are at most `ALL`. Otherwise, label about `SOME` of them to keep labels legible.
ALL, SOME = 18, 10


class Extent(NamedTuple):
    """Index range of a plot, and plot height in pixels."""

    low: float
    high: float
    height: int

    @property
    def pixel(self) -> float:
        """Index units per pixel."""
        return (self.high - self.low) / self.height


class Leader(NamedTuple):
    """Most exposed group from an H2 weight of `since` upwards. The index there is `level`."""

    group: str
    since: float
    level: float


def leaders(lines: pl.DataFrame, pairs: pl.DataFrame) -> list[Leader]:
    """Return the most exposed groups, in order, as the H2 weight increases from 0 to 1."""
    if not lines.height:
        return []
    ends = {group: (low, high) for group, low, high in _ends(lines)}
    crossings = [
        (b, *pair) for *pair, b in pairs.select("group_a", "group_b", "break_even").rows() if ends.keys() >= {*pair}
    ]
    start = min(ends, key=lambda group: (-round(ends[group][0], 9), -round(ends[group][1], 9), group))
    result = [Leader(start, 0.0, ends[start][0])]
    while True:
        current, since, _ = result[-1]
        slope = ends[current][1] - ends[current][0]
        overtaking = [
            (round(b, 9), -(ends[other][1] - ends[other][0]), other, b)
            for b, *pair in crossings
            if current in pair and b > since + 1e-9
            for other in pair
            if other != current and ends[other][1] - ends[other][0] > slope
        ]
        if not overtaking:
            return result
        *_, group, b = min(overtaking)
        low, high = ends[group]
        result.append(Leader(group, b, low + b * (high - low)))


def _ends(lines: pl.DataFrame) -> list[tuple[str, float, float]]:
    rows: list[tuple[str, float, float]] = lines.select("group", "weight_low", "weight_high").rows()
    return rows


def spread(wanted: Sequence[float], slots: Sequence[float], height: float) -> list[float]:
    """Move overlapping labels apart as little as possible, without changing the order."""
    # Subtract the space taken by earlier labels, then pool adjacent violators to make positions non-decreasing.
    occupied = [sum(slots[:i]) + slots[i] / 2 for i in range(len(slots))]
    pools: list[tuple[float, int]] = []
    for position, before in zip(wanted, occupied, strict=True):
        mean, n = position - before, 1
        while pools and pools[-1][0] > mean:
            other, m = pools.pop()
            mean, n = (mean * n + other * m) / (n + m), n + m
        pools.append((mean, n))
    most = max(0.0, height - sum(slots))
    offsets = [min(max(mean, 0.0), most) for mean, n in pools for _ in range(n)]
    return [offset + before for offset, before in zip(offsets, occupied, strict=True)]


def _label_lines(group: str) -> list[str]:
    return name_lines(group, WRAP, most=3)


def slot(group: str) -> int:
    """Return the label height in pixels, including padding."""
    return LINE * len(_label_lines(group)) + 4


def end_labels(rows: pl.DataFrame, end: str, extent: Extent) -> pl.DataFrame:
    """Return the labels at one end of the plot, positioned in index units."""
    ordered = rows.sort(end, "group")
    names = [_label_lines(name) for name in ordered["group"]]
    wanted = [(value - extent.low) / extent.pixel for value in ordered[end]]
    slots = [slot(name) for name in ordered["group"]]
    label = pl.Series(
        [extent.low + position * extent.pixel for position in spread(wanted, slots, extent.height)], dtype=pl.Float64
    )
    offset = pl.Series([LINE / 2 * (len(name) - 1) * extent.pixel for name in names], dtype=pl.Float64)
    return ordered.select(
        *("role", "weight_low", "weight_high"),
        end=pl.col(end),
        figure=pl.col(end).map_elements(captions.index_text, return_dtype=pl.String),
        label=label.round(5),
        above=(label + offset).round(5),
        name=pl.Series(["\n".join(name) for name in names], dtype=pl.String),
    )


def ties(groups: pl.DataFrame) -> list[list[str]]:
    """Return the largest sets of groups whose rank intervals all overlap."""
    rows = groups.filter(pl.col("rank_low").is_not_null()).select("group", "rank_low", "rank_high").rows()
    overlapping = [
        [group for group, low, high in rows if low <= rank <= high] for rank in sorted({row[1] for row in rows})
    ]
    largest = [
        group for group in overlapping if len(group) > 1 and not any(set(group) < set(other) for other in overlapping)
    ]
    return [list(group) for group in dict.fromkeys(map(tuple, largest))]


def columns(groups: list[list[str]], order: list[str]) -> list[list[list[str]]]:
    """Arrange sets of groups in columns so they don't overlap."""
    result: list[list[list[str]]] = []
    for group in groups:
        first = order.index(group[0])
        free = next((column for column in result if order.index(column[-1][-1]) < first), None)
        if free is None:
            result.append([group])
        else:
            free.append(group)
    return result


def drawn_pairs(crossings: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with both groups drawn."""
    names = lines.get_column("group").to_list()
    both = crossings.filter(pl.col(f"group_{side}").is_in(names) for side in "ab")
    return both.select("group_a", "group_b", "break_even")


def roles(lines: pl.DataFrame, pairs: pl.DataFrame, first: list[Leader]) -> pl.DataFrame:
    """Add a ``role`` column: 'leads', 'named', or 'other' for background lines."""
    by_name = {group: (round(low, 9), round(high, 9)) for group, low, high in _ends(lines)}
    highest = [by_name[leader.group] for leader in first]
    # Groups with the same line as a leader also lead.
    leading = [group for group, ends in by_name.items() if ends in highest]
    named = lines.get_column("group").to_list()
    if len(named) > ALL:
        lowest = [lines.sort(column, "group").item(0, "group") for column in ("weight_low", "weight_high")]
        crossings = pl.concat([pairs["group_a"], pairs["group_b"]]).value_counts(name="times")
        crossings = crossings.sort("times", crossings.columns[0], descending=[True, False])
        named = list(dict.fromkeys([*leading, *lowest, *crossings.to_series()]))[: max(SOME, len(leading))]
    role = (
        pl.when(pl.col("group").is_in(leading))
        .then(pl.lit("leads"))
        .when(pl.col("group").is_in(named))
        .then(pl.lit("named"))
        .otherwise(pl.lit("other"))
    )
    return lines.with_columns(role=role)
