"""A row per job family with an arrow from its figure before to the one after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.formatting import NONE, covered, hours, listed
from tpanalytics.measures._core.metadata import NONE_BECAUSE, grade
from tpanalytics.measures.privacy.policy import HIDDEN
from tpanalytics.schema import NO_FAMILY

if TYPE_CHECKING:
    from tpanalytics.measures._core.metadata import Meaning

_WIDTH, _ROW = 400, 30
_MEASURED_NOTE = (
    "More known is no change in work: read dashed arrows beside the bridge, which sets newly measured hours apart."
)


class _Figure(NamedTuple):
    """What is compared, hours at a level or the exposure index, and how it is written."""

    level: str | None

    @property
    def name(self) -> str:
        return "exposure" if self.level is None else f"{self.level} hours"

    @property
    def basis(self) -> str:
        if self.level is None:
            return f"Exposure index, 0 to 1: share of {captions.UNIT['hours']}, weighted by AI impact level"
        words = theme.LEVEL_WORDS.get(self.level, self.level).removeprefix(self.level).strip()
        return f"Weekly hours rated {self.level}{words and f', {words}'}, for one incumbent of each job"

    def write(self, value: float | None) -> str:
        return captions.index_text(value) if self.level is None else hours(value)

    def signed(self, change: float | None, digits: int | None = None) -> str:
        return captions.signed(change) if self.level is None else captions.signed_hours(change, digits)


def dumbbell(groups: frame.Groups, whole: dict[str, Any], meaning: Meaning, level: str | None) -> theme.Chart:
    """Draw the hours at a level, or without one the exposure index; ``whole`` is the row for the company."""
    of = _Figure(level)
    was, now = ("exposure_before", "exposure_after") if level is None else ("before", "after")
    rows = _families(groups.rows.rename({was: "was", now: "now"}), of)
    known = captions.coverage_of_both(meaning, weighed=level is None)
    together = _together(whole[was], whole[now], of)
    return frame.chart(
        groups,
        rows,
        _arrows(rows, of),
        [
            SideColumn("rise", "change" if level is None else ["change,", "a week"], 66, muted=False),
            SideColumn("rate", ["of what", "was"], 122, muted=False),
            SideColumn("known", ["tasks with hours,", "level"], 222),
            SideColumn("shows", ["tells", "of"], 312),
            SideColumn("grade", "grade", 356),
        ],
        title=_finding(rows, of),
        basis=of.basis,
        description=_description(rows, of, groups, [*together, *known[1:]]),
        notes=[*known, *together, _MEASURED_NOTE, captions.grade_note("hours and a level on both sides")],
        size=(_WIDTH, _ROW),
        below=44,
    )


def _families(shown: pl.DataFrame, of: _Figure) -> pl.DataFrame:
    """Order the families by their change, the largest rise first."""
    why = pl.col("reason").replace_strict({**NONE_BECAUSE, **captions.NO_INDEX}, default=None, return_dtype=pl.String)
    families = shown.with_columns(
        change=pl.col("now") - pl.col("was"),
        measured=captions.coverage_changed(),
        data_grade=grade(pl.min_horizontal("coverage_before", "coverage_after")),
        hidden=captions.is_hidden(),
    ).sort(
        *("hidden", pl.col("change").is_null(), pl.col("change").round(9), "job_family"),
        descending=[False, False, True, False],
    )
    digits = frame.decimals(families.get_column("change").to_list())
    texts = []
    for row in families.rows(named=True):
        known = [row["coverage_before"], row["coverage_after"]]
        unknown = None in known or row["change"] is None
        texts.append(
            {
                "rise": of.signed(row["change"], digits),
                "rate": captions.relative(row["change"], row["was"]),
                "known": NONE if known == [None, None] else f"{covered(known[0])} → {covered(known[1])}",
                "shows": NONE if unknown else "measurement" if row["measured"] else "work",
                "one": f"before {of.write(row['was'])}, after {of.write(row['now'])}",
            }
        )
    one = pl.concat_str("one", why.fill_null("not known on one side"), separator=": ")
    neither = pl.col("was").is_null() & pl.col("now").is_null()
    schema = dict.fromkeys(("rise", "rate", "known", "shows", "one"), pl.String)
    return families.hstack(pl.DataFrame(texts, schema=schema)).with_columns(
        captions.mask_hidden("rise", "rate", "known", "shows"),
        grade=pl.when("hidden").then(pl.lit(HIDDEN)).otherwise(pl.col("data_grade").fill_null(NONE)),
        missing=captions.why_missing(
            {}, pl.when(pl.col("change").is_null()).then(pl.when(neither).then(why).otherwise(one))
        ),
    )


def _arrows(families: pl.DataFrame, of: _Figure) -> list[alt.Chart]:
    y = frame.group_axis(families.get_column("job_family").to_list())
    rows = families.filter(pl.col("change").is_not_null()).select(
        *("job_family", "was", "now", "rise", "rate", "known", "measured"),
        head=pl.when(pl.col("change") > 0)
        .then(pl.lit("triangle-right"))
        .when(pl.col("change") < 0)
        .then(pl.lit("triangle-left"))
        .otherwise(pl.lit("circle")),
    )
    ends = [*rows.get_column("was"), *rows.get_column("now")]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = (high - low or abs(high) or 1.0) * 0.06
    scale = alt.Scale(domain=[max(0.0, low - room), high + room], nice=False)
    axis = alt.Axis(title=f"hours a week at {of.level}", titleAnchor="start", tickCount=6)
    if of.level is None:
        axis = alt.Axis(title=None, tickCount=6, format=".2~f")
    if not rows.height:
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("was:Q", scale=scale, axis=axis)
    dashed = alt.StrokeDashValue([1, 0], condition=theme.when("datum.measured", [3, 3]))
    number = ".2f" if of.level is None else ",.1f"
    tooltip = captions.tooltips(
        "job_family",
        was=("Q", "Before", number),
        now=("Q", "After", number),
        rise=("N", "Change", None),
        rate=("N", "Of what was", None),
        known=("N", "Hours and level known", None),
    )
    drawn = alt.Chart(rows)
    line = drawn.mark_rule(strokeWidth=2, stroke=theme.ACCENT).encode(x=x, x2=alt.X2("now:Q"), y=y, strokeDash=dashed)
    start = drawn.mark_point(
        shape="circle", size=64, fill="#FFFFFF", stroke=theme.ACCENT, strokeWidth=1.6, opacity=1
    ).encode(x=x, y=y, tooltip=tooltip)
    end = drawn.mark_point(size=110, fill=theme.ACCENT, stroke=theme.ACCENT, strokeWidth=1, opacity=1).encode(
        x=alt.X("now:Q", scale=scale, axis=axis), y=y, shape=alt.Shape("head:N", scale=None), tooltip=tooltip
    )
    key = "ring: before, arrowhead: after; dashed where what is known moved by more than 5 points"
    return [line, start, end, *([theme.note(key, x=0, y=-12, fontSize=10.5)] * bool(rows.height))]


def _finding(families: pl.DataFrame, of: _Figure) -> str:
    """State the largest change among the families of grade A or B whose coverage is as before."""
    shown = families.filter(~pl.col("hidden"))
    if not shown.height:
        return captions.ALL_HIDDEN
    if not shown.select((pl.col("tasks_before") + pl.col("tasks_after")).sum()).item():
        return captions.NO_TASK_IN_EITHER
    both = shown.filter(pl.col("change").is_not_null(), pl.col("job_family") != NO_FAMILY)
    if not both.height:
        has = "an exposure that is" if of.level is None else f"{of.name} that are"
        return f"No family has {has} known both before and after"
    safe = both.filter(pl.col("data_grade").is_in(["A", "B"]))
    if not safe.height:
        return f"Too little is known to say how the {of.name} of job families changed"
    steady = safe.filter(~pl.col("measured"))
    if not steady.height:
        return f"In every family what is known moved by more than 5 points: no change in {of.name} is work alone"
    row = max(steady.rows(named=True), key=lambda row: abs(round(row["change"], 9)))
    where = "Where about as much is known as before, " if steady.height < both.height else ""
    of_shown = " of those shown" if shown.height < families.height else ""
    if round(row["change"], 2 if of.level is None else 1) == 0:
        another = "another exposure" if of.level is None else f"other {of.name}"
        return _capitalized(f"{where}no family{of_shown} has {another} than before")
    most = "rose" if row["change"] > 0 else "fell"
    if both.height > 1 and steady.height > 1:
        most = f"{most} most"
    alike = steady.filter(pl.col("change").round(9) == round(row["change"], 9)).get_column("job_family").to_list()
    if len(alike) > 1:
        named = listed(alike) if len(alike) <= 3 else f"{len(alike)} families alike"
        return _capitalized(f"{where}{of.name} {most} in {named}{of_shown}: {row['rise']} each")
    by = row["rise"] if of.level is None else captions.relative(row["change"], row["was"])
    change = f"from {of.write(row['was'])} to {of.write(row['now'])}" + (f" ({by})" if by != NONE else "")
    return _capitalized(f"{where}{of.name} {most} in {row['job_family']}{of_shown * (steady.height > 1)}: {change}")


def _capitalized(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _together(was: float | None, now: float | None, of: _Figure) -> list[str]:
    if was is None or now is None:
        return []
    rate = f"{captions.relative(now - was, was)} of what was"
    return [f"All together: {of.write(was)} before, {of.write(now)} after ({of.signed(now - was)}, {rate})."]


def _description(
    families: pl.DataFrame, of: _Figure, groups: frame.Groups, known: list[str]
) -> tuple[str, str, list[str]]:
    built = (
        f"Arrows from before to after of {of.name} for {groups.population}. "
        "Families in order of their change, the largest rise first."
    )
    both = families.filter(pl.col("change").is_not_null())
    changes = [
        f"{row['job_family']} from {of.write(row['was'])} to {of.write(row['now'])} ({row['rise']}, {row['rate']})"
        for row in both.rows(named=True)
    ]
    extremes = ([f"Changes: {listed(changes)}."] if changes else []) + known * groups.totals
    shape = []
    measured = both.filter("measured").select("job_family", "known").rows()
    if measured:
        where = listed(f"{family} ({known})" for family, known in measured)
        shape.append(f"What is known moved by more than 5 points, so that it tells of measurement, in {where}.")
    return built, " ".join(extremes), [*shape, *captions.no_figure(families, "change")]
