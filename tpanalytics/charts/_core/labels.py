"""Where labels stand so that none covers another, which line is the highest where, and who is tied with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.charts._core.frame import name_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Height of a line of a label in pixels, and how many characters go into it.
LINE, WRAP = 12, 34
#: Up to so many families are all named; of more only some, so that each name can be read.
ALL, SOME = 18, 10


class Extent(NamedTuple):
    """Where the plot ends in the index, and how high it is in pixels."""

    low: float
    high: float
    height: int

    @property
    def pixel(self) -> float:
        """Return the height of a pixel in the index."""
        return (self.high - self.low) / self.height


class Leader(NamedTuple):
    """A family that is the most exposed from a weight of H2 on, and the index at which it takes the lead."""

    family: str
    since: float
    level: float


def leaders(lines: pl.DataFrame, pairs: pl.DataFrame) -> list[Leader]:
    """List the families that lead as the weight of H2 goes from 0 to 1."""
    if not lines.height:
        return []
    ends = {family: (low, high) for family, low, high in _ends(lines)}
    turns = [
        (b, *both) for *both, b in pairs.select("family_a", "family_b", "break_even").rows() if ends.keys() >= {*both}
    ]
    start = min(ends, key=lambda family: (-round(ends[family][0], 9), -round(ends[family][1], 9), family))
    found = [Leader(start, 0.0, ends[start][0])]
    while True:
        now, since, _ = found[-1]
        steep = ends[now][1] - ends[now][0]
        over = [
            (round(b, 9), -(ends[other][1] - ends[other][0]), other, b)
            for b, *both in turns
            if now in both and b > since + 1e-9
            for other in both
            if other != now and ends[other][1] - ends[other][0] > steep
        ]
        if not over:
            return found
        *_, family, b = min(over)
        low, high = ends[family]
        found.append(Leader(family, b, low + b * (high - low)))


def _ends(lines: pl.DataFrame) -> list[tuple[str, float, float]]:
    rows: list[tuple[str, float, float]] = lines.select("job_family", "weight_low", "weight_high").rows()
    return rows


def spread(wanted: Sequence[float], slots: Sequence[float], room: float) -> list[float]:
    """Move labels apart by as little as it takes, keeping their order."""
    before = [sum(slots[:i]) + slots[i] / 2 for i in range(len(slots))]
    pools: list[tuple[float, int]] = []
    for place, ahead in zip(wanted, before, strict=True):
        mean, n = place - ahead, 1
        while pools and pools[-1][0] > mean:
            other, m = pools.pop()
            mean, n = (mean * n + other * m) / (n + m), n + m
        pools.append((mean, n))
    most = max(0.0, room - sum(slots))
    offsets = [min(max(mean, 0.0), most) for mean, n in pools for _ in range(n)]
    return [offset + ahead for offset, ahead in zip(offsets, before, strict=True)]


def words(family: str) -> list[str]:
    return name_lines(family, WRAP, most=3)


def slot(family: str) -> int:
    """Return the height of a label in pixels."""
    return LINE * len(words(family)) + 4


def labelled(rows: pl.DataFrame, end: str, extent: Extent) -> pl.DataFrame:
    """Return each line's label at an `end` its place beside the plot, in the index."""
    ordered = rows.sort(end, "job_family")
    names = [words(name) for name in ordered["job_family"]]
    wanted = [(value - extent.low) / extent.pixel for value in ordered[end]]
    slots = [slot(name) for name in ordered["job_family"]]
    label = pl.Series(
        [extent.low + place * extent.pixel for place in spread(wanted, slots, extent.height)], dtype=pl.Float64
    )
    lifted = pl.Series([LINE / 2 * (len(name) - 1) * extent.pixel for name in names], dtype=pl.Float64)
    return ordered.select(
        *("role", "weight_low", "weight_high"),
        end=pl.col(end),
        figure=pl.col(end).map_elements(captions.index_text, return_dtype=pl.String),
        label=label.round(5),
        above=(label + lifted).round(5),
        name=pl.Series(["\n".join(name) for name in names], dtype=pl.String),
    )


def ties(families: pl.DataFrame) -> list[list[str]]:
    """Gather the families that all overlap in place, pair by pair, each group as large as it can be."""
    rows = families.filter(pl.col("rank_low").is_not_null()).select("job_family", "rank_low", "rank_high").rows()
    overlapping = [
        [family for family, low, high in rows if low <= place <= high] for place in sorted({r[1] for r in rows})
    ]
    largest = [
        group for group in overlapping if len(group) > 1 and not any(set(group) < set(other) for other in overlapping)
    ]
    return [list(group) for group in dict.fromkeys(map(tuple, largest))]


def columns(groups: list[list[str]], order: list[str]) -> list[list[list[str]]]:
    """Return each group a column; groups that share no row between their ends share one."""
    found: list[list[list[str]]] = []
    for group in groups:
        first = order.index(group[0])
        free = next((column for column in found if order.index(column[-1][-1]) < first), None)
        if free is None:
            found.append([group])
        else:
            free.append(group)
    return found


def sanitized_pairs(crossings: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Keep the pairs of families that are both drawn, under the names they are drawn by."""
    names = dict(zip(shown["job_family"], theme.sanitize_labels(shown)["job_family"], strict=True))
    sides = [pl.col(f"family_{side}") for side in "ab"]
    return (
        crossings.filter(side.is_in(list(names)) for side in sides)
        .with_columns(side.replace_strict(names, default=None, return_dtype=pl.String) for side in sides)
        .select("family_a", "family_b", "break_even")
    )


def roles(lines: pl.DataFrame, pairs: pl.DataFrame, first: list[Leader]) -> pl.DataFrame:
    """State which lines lead, which have a name, and which stay in the background."""
    by_name = {family: (round(low, 9), round(high, 9)) for family, low, high in _ends(lines)}
    highest = [by_name[leader.family] for leader in first]
    lead = [family for family, ends in by_name.items() if ends in highest]  # one that lies on another leads as well
    named = lines.get_column("job_family").to_list()
    if len(named) > ALL:
        ends = [lines.sort(column, "job_family").item(0, "job_family") for column in ("weight_low", "weight_high")]
        turning = pl.concat([pairs["family_a"], pairs["family_b"]]).value_counts(name="times")
        turning = turning.sort("times", turning.columns[0], descending=[True, False])
        named = list(dict.fromkeys([*lead, *ends, *turning.to_series()]))[: max(SOME, len(lead))]
    role = (
        pl.when(pl.col("job_family").is_in(lead))
        .then(pl.lit("leads"))
        .when(pl.col("job_family").is_in(named))
        .then(pl.lit("named"))
        .otherwise(pl.lit("other"))
    )
    return lines.with_columns(role=role)
