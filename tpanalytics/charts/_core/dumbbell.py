"""Dumbbell chart of the change per group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import capitalized
from tpanalytics.formatting import NONE, coverage_percent, hours, listed
from tpanalytics.measures._core.metadata import NULL_REASONS, grade
from tpanalytics.measures.privacy.policy import SUPPRESSED_MARK

if TYPE_CHECKING:
    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning

_WIDTH, _ROW = 400, 30
_MEASURED_NOTE = (
    "Dashed arrows partly reflect new data. The bridge chart shows newly measured hours as a separate term."
)


_GRADED = "hours and a level in both snapshots"


class _Figure(NamedTuple):
    """Quantity to compare: hours at `level`, or the exposure index if None."""

    level: str | None

    @property
    def name(self) -> str:
        return "exposure" if self.level is None else f"{self.level} hours"

    @property
    def basis(self) -> str:
        if self.level is None:
            return f"Exposure index, 0 to 1: share of {captions.UNIT['hours']}, weighted by AI impact level"
        words = theme.LEVEL_WORDS.get(self.level, self.level).removeprefix(self.level).strip()
        return f"Weekly hours rated {self.level}{words and f', {words}'}, one incumbent per job"

    def write(self, value: float | None) -> str:
        return captions.index_text(value) if self.level is None else hours(value)

    def signed(self, change: float | None, digits: int | None = None) -> str:
        return captions.signed(change) if self.level is None else captions.signed_hours(change, digits)


def dumbbell(layout: frame.DrawnGroups, company: dict[str, Any], meaning: Meaning, level: str | None) -> theme.Chart:
    """Draw the change in hours at `level`, or in exposure if None. `company` is the company-wide row."""
    figure = _Figure(level)
    was, now = ("exposure_before", "exposure_after") if level is None else ("before", "after")
    rows = _rows(layout.rows.rename({was: "was", now: "now"}), figure)
    coverage = captions.coverage_of_both(meaning, weighted=level is None)
    overall = _overall_note(company[was], company[now], figure)
    return frame.chart(
        layout,
        rows,
        _arrows(rows, figure, layout.words),
        [
            SideColumn("rise", "change" if level is None else ["change", "per week"], 66, muted=False),
            SideColumn("rate", ["relative", "change"], 122, muted=False),
            SideColumn("known", ["tasks with hours", "and level"], 222),
            SideColumn("shows", ["change", "in"], 312),
            SideColumn("grade", "grade", 356),
        ],
        title=_finding(layout.words.spoken(rows), figure, layout.words),
        basis=figure.basis,
        description=_description(rows, figure, layout, [*overall, *coverage[1:]]),
        notes=[*coverage, *overall, _MEASURED_NOTE, captions.grade_note(_GRADED), *layout.words.overlap_notes("hours")],
        size=(_WIDTH, _ROW),
        below=44,
    )


def _rows(shown: pl.DataFrame, figure: _Figure) -> pl.DataFrame:
    """Return the rows to draw, with the largest increase first."""
    why = pl.col("reason").replace_strict({**NULL_REASONS, **captions.NO_INDEX}, default=None, return_dtype=pl.String)
    groups = shown.with_columns(
        change=pl.col("now") - pl.col("was"),
        measured=captions.coverage_changed(),
        data_grade=grade(pl.min_horizontal("coverage_before", "coverage_after")),
        suppressed=captions.is_suppressed(),
    ).sort(
        *("suppressed", pl.col("change").is_null(), pl.col("change").round(9), "group"),
        descending=[False, False, True, False],
    )
    digits = frame.decimals(groups.get_column("change").to_list())
    texts = []
    for row in groups.rows(named=True):
        coverage = [row["coverage_before"], row["coverage_after"]]
        unknown = None in coverage or row["change"] is None
        texts.append(
            {
                "rise": figure.signed(row["change"], digits),
                "rate": captions.relative(row["change"], row["was"]),
                "known": NONE if coverage == [None, None] else " → ".join(map(coverage_percent, coverage)),
                "shows": NONE if unknown else "measurement" if row["measured"] else "work",
                "values": f"before {figure.write(row['was'])}, after {figure.write(row['now'])}",
            }
        )
    one_side = pl.concat_str("values", why.fill_null("unknown in one snapshot"), separator=": ")
    neither = pl.col("was").is_null() & pl.col("now").is_null()
    schema = dict.fromkeys(("rise", "rate", "known", "shows", "values"), pl.String)
    return groups.hstack(pl.DataFrame(texts, schema=schema)).with_columns(
        captions.mask_suppressed("rise", "rate", "known", "shows"),
        grade=pl.when("suppressed").then(pl.lit(SUPPRESSED_MARK)).otherwise(pl.col("data_grade").fill_null(NONE)),
        missing=captions.missing_figure_reason(
            {}, pl.when(pl.col("change").is_null()).then(pl.when(neither).then(why).otherwise(one_side))
        ),
    )


def _arrows(groups: pl.DataFrame, figure: _Figure, words: Grouping) -> list[alt.Chart]:
    y = frame.group_axis(groups.get_column("group").to_list())
    rows = groups.filter(pl.col("change").is_not_null()).select(
        *("group", "was", "now", "rise", "rate", "known", "measured"),
        head=pl.when(pl.col("change") > 0)
        .then(pl.lit("triangle-right"))
        .when(pl.col("change") < 0)
        .then(pl.lit("triangle-left"))
        .otherwise(pl.lit("circle")),
    )
    ends = [*rows.get_column("was"), *rows.get_column("now")]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    padding = (high - low or abs(high) or 1.0) * 0.06
    scale = alt.Scale(domain=[max(0.0, low - padding), high + padding], nice=False)
    axis = alt.Axis(title=f"weekly hours at {figure.level}", titleAnchor="start", tickCount=6)
    if figure.level is None:
        axis = alt.Axis(title=None, tickCount=6, format=".2~f")
    if not rows.height:
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("was:Q", scale=scale, axis=axis)
    dashed = alt.StrokeDashValue([1, 0], condition=theme.when("datum.measured", [3, 3]))
    number = ".2f" if figure.level is None else ",.1f"
    tooltip = captions.tooltips(
        words=words,
        was=("Q", "Before", number),
        now=("Q", "After", number),
        rise=("N", "Change", None),
        rate=("N", "Relative change", None),
        known=("N", "Tasks with hours and level", None),
    )
    base = alt.Chart(rows)
    line = base.mark_rule(strokeWidth=2, stroke=theme.ACCENT).encode(x=x, x2=alt.X2("now:Q"), y=y, strokeDash=dashed)
    start = base.mark_point(
        shape="circle", size=64, fill="#FFFFFF", stroke=theme.ACCENT, strokeWidth=1.6, opacity=1
    ).encode(x=x, y=y, tooltip=tooltip)
    end = base.mark_point(size=110, fill=theme.ACCENT, stroke=theme.ACCENT, strokeWidth=1, opacity=1).encode(
        x=alt.X("now:Q", scale=scale, axis=axis), y=y, shape=alt.Shape("head:N", scale=None), tooltip=tooltip
    )
    key = "ring: before, arrowhead: after, dashed: coverage changed by more than 5 points"
    return [line, start, end, *([theme.note(key, x=0, y=-12, fontSize=10.5)] * bool(rows.height))]


def _finding(groups: pl.DataFrame, figure: _Figure, words: Grouping) -> str:
    """Return a headline with the largest change, ignoring grade C and groups with unstable coverage."""
    shown = groups.filter(~pl.col("suppressed"))
    if not shown.height:
        return words.all_suppressed
    if not shown.select((pl.col("tasks_before") + pl.col("tasks_after")).sum()).item():
        return captions.NO_TASK_IN_EITHER
    both = shown.filter(pl.col("change").is_not_null(), words.is_named())
    if not both.height:
        return capitalized(f"{figure.name} cannot be compared: no {words.noun} has a figure in both snapshots")
    safe = both.filter(pl.col("data_grade").is_in(["A", "B"]))
    if not safe.height:
        return f"There is not enough data to say how the {figure.name} of {words.nouns} changed"
    steady = safe.filter(~pl.col("measured"))
    if not steady.height:
        return (
            f"Changes in {figure.name} partly reflect new data: every {words.one}'s coverage changed by over 5 points"
        )
    row = max(steady.rows(named=True), key=lambda row: abs(round(row["change"], 9)))
    among = f"Among {words.many} with stable coverage, " if steady.height < both.height else ""
    of_shown = " of those shown" if shown.height < groups.height else ""
    if round(row["change"], 2 if figure.level is None else 1) == 0:
        return capitalized(f"{among}{figure.name} did not change in any {words.one}{of_shown}")
    verb = "rose" if row["change"] > 0 else "fell"
    if both.height > 1 and steady.height > 1:
        verb = f"{verb} most"
    tied = steady.filter(pl.col("change").round(9) == round(row["change"], 9)).get_column("group").to_list()
    if len(tied) > 1:
        names = listed(tied) if len(tied) <= 3 else f"{len(tied)} {words.many}"
        return capitalized(f"{among}{figure.name} {verb} in {names}{of_shown}: {row['rise']} each")
    by = row["rise"] if figure.level is None else captions.relative(row["change"], row["was"])
    change = f"from {figure.write(row['was'])} to {figure.write(row['now'])}" + (f" ({by})" if by != NONE else "")
    return capitalized(f"{among}{figure.name} {verb} in {row['group']}{of_shown * (steady.height > 1)}: {change}")


def _overall_note(was: float | None, now: float | None, figure: _Figure) -> list[str]:
    if was is None or now is None:
        return []
    rate = captions.relative(now - was, was)
    return [f"Overall: {figure.write(was)} before, {figure.write(now)} after ({figure.signed(now - was)}, {rate})."]


def _description(
    groups: pl.DataFrame, figure: _Figure, layout: frame.DrawnGroups, notes: list[str]
) -> tuple[str, str, list[str]]:
    built = (
        f"Arrows show the change in {figure.name} for {layout.population}. "
        f"{capitalized(layout.words.many)} are sorted by change, largest increase first."
    )
    both = groups.filter(pl.col("change").is_not_null())
    changes = [
        f"{row['group']} from {figure.write(row['was'])} to {figure.write(row['now'])} ({row['rise']}, {row['rate']})"
        for row in both.rows(named=True)
    ]
    extremes = ([f"Changes: {listed(changes)}."] if changes else []) + notes * layout.totals
    shape = []
    measured = both.filter("measured").select("group", "known").rows()
    if measured:
        names = listed(f"{group} ({coverage})" for group, coverage in measured)
        shape.append(
            f"Changes that partly reflect new data (coverage changed by more than 5 percentage points): {names}."
        )
    return built, " ".join(extremes), [*shape, *captions.missing_figure_note(groups, "change")]
