"""Chart of a measure over the snapshots of a history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.charts._core.frame import name_lines
from tpanalytics.charts._core.labels import spread
from tpanalytics.charts._core.trend_text import ALL, SOME, Shown, quotable_lines, sentence, spans_of
from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import (
    NONE,
    clean_text,
    coverage_percent,
)
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import unknown_group_message
from tpanalytics.measures._core.groups import ALL_JOBS, BY_FAMILY, SEPARATOR, group_columns, missing_label
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.suppress import suppress
from tpanalytics.measures.trend import figure_column, trend
from tpanalytics.schema import AS_OF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import History
    from tpanalytics.typing import By, TrendMeasure

__all__ = ["plot_trend"]

_WIDTH, _HEIGHT = 460, 340
#: Maximum width of a label in characters, height of its lines, and distance between the labels of dates in pixels.
_WRAP, _LINE, _DATE = 34, 12, 64
_ROLES = {"leads": (theme.INK, 2.4), "named": ("#77777E", 1.2), "other": ("#CFCFD4", 0.8)}


def plot_trend(
    history: History,
    *,
    measure: TrendMeasure = "exposure",
    by: By = BY_FAMILY,
    level: str | None = None,
    groups: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
    **options: Any,
) -> alt.LayerChart:
    """Draw a measure over the snapshots of a history, with a line for each group.

    The line is broken (dotted) where the coverage changed by more than 5 percentage points, because the change can then
    be due to newly measured tasks rather than the work. Points are hollow for grade C. The lines with the largest
    comparable increase and decrease are bold. If there are more than 18 lines, only those with the largest changes, the
    highest and the lowest are labelled.

    Parameters
    ----------
    history
        Snapshots from `read_history`.
    measure
        ``"exposure"``, ``"hours"``, ``"impact"`` or ``"coverage"``, as in `trend`.
    by
        Column or columns of the jobs, people or tasks to group by, or None for all jobs together. If there are several
        tenants, each of them has its own lines.
    level
        AI impact level, only for ``measure="impact"``. The default is ``"H1"``.
    groups
        Names of the lines to draw, or None for all. The figures do not depend on the selection.
    privacy
        Thresholds for suppressing small groups. A group that is small at any date is suppressed at all dates. If None,
        nothing is suppressed.
    **options
        Other arguments of the measure, such as ``states``, ``weight`` or ``level_weights``.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If `history` is not a `History`, or a required column is missing.
    ArgumentError
        If an argument is invalid, or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample, read_history, write_profiles
    >>> for state in ("2026-05", "2026-11"):
    ...     _ = write_profiles(load_sample(state), f"snapshots/{state}")
    >>> chart = plot_trend(read_history("snapshots"), measure="hours")
    >>> chart.to_dict()["description"][:59]
    'Line chart of the documented weekly hours of 16 job familie'
    """
    history = with_cache(history)  # type: ignore[assignment]  # a history stays one
    how: dict[str, Any] = {"measure": measure, "level": level, **options}
    result = trend(history, by=by, **how)
    if not result.height:
        return theme.empty_chart("No jobs in this history", "There is nothing to draw.")
    released = suppress(result, history, privacy=privacy)
    dates = list(result.get_column(AS_OF).unique().sort())
    shown = Shown(
        _named(released, measure),
        about(released),
        measure,
        "H1" if level is None else level,
        dates,
        group_columns(history, by),
    )
    rows = _selected(shown, groups)
    notes = shown.notes(rows, None if groups is not None else trend(history, by=None, **how), history)
    texts: dict[str, Any] = {
        "title": shown.headline(rows),
        "subtitle": shown.subtitle(rows),
        "description": shown.description(rows, notes),
    }
    lines = _roles(rows.filter(pl.col("figure").is_not_null()), shown)
    if not lines.height:
        below = captions.wrapped(notes)
        return theme.assemble([theme.note(below, x=0, y=8)], width=620, height=16 * len(below), **texts)
    layout = _layout(lines, shown)
    return theme.assemble(
        [
            *_segments(lines, layout),
            *_points(lines, layout, shown),
            *_labels(lines, layout, shown),
            theme.footer(captions.wrapped(notes), below=46),
        ],
        width=_WIDTH,
        height=layout.height,
        **texts,
    )


def _named(result: pl.DataFrame, measure: TrendMeasure) -> pl.DataFrame:
    """Add the name of each row's ``line``, its ``figure``, and the ``day`` as a number."""
    columns = [name for name in about(result).by if name != AS_OF]
    names = [pl.format("{} ({})", "job_name", "job_id") if name == "job_id" else pl.col(name) for name in columns]
    line = pl.concat_str(names, separator=SEPARATOR) if names else pl.lit(ALL_JOBS)
    return pl.DataFrame(result).with_columns(
        line=line.map_elements(clean_text, return_dtype=pl.String),
        figure=figure_column(result.columns, measure),
        day=pl.col(AS_OF).to_physical().cast(pl.Int64),
        unnamed=pl.any_horizontal([pl.col(name) == missing_label(name) for name in columns] or [pl.lit(value=False)]),
    )


def _selected(shown: Shown, groups: Sequence[str] | None) -> pl.DataFrame:
    """Return the rows of the selected lines, or all rows."""
    if groups is None:
        return shown.rows
    present = shown.rows.get_column("line").unique(maintain_order=True).to_list()
    if isinstance(groups, str) or not groups:
        raise ArgumentError(f"`groups` must be a list of lines like {present[:1]}, or None for all, not {groups!r}.")
    unknown = [unknown_group_message(str(name), present, shown.noun) for name in groups if name not in present]
    if unknown:
        raise ArgumentError(f"`groups`: {'; '.join(unknown)}.")
    return shown.rows.filter(pl.col("line").is_in(list(groups)))


@dataclass(frozen=True)
class _Layout:
    """Range of the figures, height of the plot in pixels, days of the snapshots, and the texts of their dates."""

    low: float
    high: float
    height: int
    days: list[int]
    texts: list[str]
    axis: dict[str, Any]

    @property
    def ends(self) -> tuple[int, int]:
        """First and last day on the axis."""
        return (self.days[0] - 1, self.days[0]) if len(self.days) == 1 else (self.days[0], self.days[-1])

    def x(self, field: str = "day") -> alt.X:
        """Return the axis of dates, with labels as far apart as needed."""
        first, last = self.ends
        labelled: list[int] = []
        for day in reversed(self.days):
            if not labelled or (labelled[-1] - day) / (last - first) * _WIDTH >= _DATE:
                labelled.append(day)
        names = [self.texts[self.days.index(day)] for day in labelled]
        axis = {
            "title": None,
            "values": labelled,
            "labelExpr": f"{json.dumps(names)}[indexof({json.dumps(labelled)}, datum.value)]",
            "labelFlush": False,
            "labelOverlap": False,
            "grid": True,
        }
        return alt.X(f"{field}:Q", axis=axis, scale={"domain": [first, last], "nice": False, "zero": False})

    def y(self, field: str) -> alt.Y:
        """Return the axis of figures."""
        scale = {"domain": [self.low, self.high], "nice": False, "zero": False}
        return alt.Y(f"{field}:Q", axis=self.axis, scale=scale)


def _layout(lines: pl.DataFrame, shown: Shown) -> _Layout:
    figures = lines.get_column("figure")
    least, most = float(figures.min()), float(figures.max())  # type: ignore[arg-type]
    margin = max((most - least) * 0.08, abs(most) * 0.02, 0.005)
    low, high = max(0.0, least - margin), most + margin
    if shown.measure != "hours":
        high = min(high, 1.02)
    labels = lines.filter(pl.col("role") != "other").get_column("line").unique()
    needed = sum(_LINE * len(_lines_of(name)) + 4 for name in labels) + 10
    formats = {"exposure": "format(datum.value, '.2f')", "hours": "format(datum.value, ',.0f') + ' h'"}
    axis = {
        "title": None,
        "tickCount": 5,
        # Labels are rounded, so closer ticks would have equal ones.
        "tickMinStep": 1 if shown.measure == "hours" else 0.01,
        "grid": True,
        "labelExpr": formats.get(shown.measure, "round(datum.value * 100) + '%'"),
    }
    days = sorted(shown.rows.get_column("day").unique())
    return _Layout(low, high, max(_HEIGHT, needed), days, [shown.day(value) for value in shown.dates], axis)


def _lines_of(name: str) -> list[str]:
    return name_lines(name, _WRAP, most=3)


def _roles(lines: pl.DataFrame, shown: Shown) -> pl.DataFrame:
    """Add a ``role``: 'leads' for the largest changes, 'named', or 'other' for lines without a label."""
    if not lines.height:
        return lines.with_columns(role=pl.lit(None, dtype=pl.String))
    spans = spans_of(lines, shown.measure)
    whole = (pl.col("from") == shown.dates[0]) & (pl.col("to") == shown.dates[-1])
    good = quotable_lines(spans.filter(whole)).with_columns(rises=pl.col("change") > 0)
    # The headline names the largest change. The largest in the other direction is bold as well.
    leads = set(good.unique("rises", keep="first", maintain_order=True).get_column("line"))
    if spans.height == 1:
        leads = {spans.item(0, "line")}
    by_change = spans.sort(pl.col("change").abs().round(9), "line", descending=[True, False]).get_column("line")
    by_figure = spans.sort(pl.col("end").round(9), "line").get_column("line")
    named = list(dict.fromkeys([*sorted(leads), by_figure[0], by_figure[-1], *by_change]))
    named = named if len(named) <= ALL else named[:SOME]
    return lines.with_columns(
        role=pl.when(pl.col("line").is_in(list(leads)))
        .then(pl.lit("leads"))
        .when(pl.col("line").is_in(named))
        .then(pl.lit("named"))
        .otherwise(pl.lit("other"))
    )


def _colour() -> alt.Color:
    return alt.Color(
        "role:N", scale=alt.Scale(domain=list(_ROLES), range=[look[0] for look in _ROLES.values()]), legend=None
    )


def _segments(lines: pl.DataFrame, layout: _Layout) -> list[alt.Chart]:
    """Draw the changes between two dates, dotted if they are not comparable."""
    earlier = lines.select("line", AS_OF, day_before="day", before="figure")
    steps = lines.join(earlier, left_on=["line", "previous"], right_on=["line", AS_OF], maintain_order="left")
    drawn = []
    looks: dict[bool, dict[str, Any]] = {False: {"strokeDash": [2, 4]}, True: {}}
    for role, (colour, width) in reversed(_ROLES.items()):
        for comparable, look in looks.items():
            rows = steps.filter((pl.col("comparable") == comparable) & (pl.col("role") == role))
            if rows.height:
                mark = alt.Chart(rows.select("day_before", "day", "before", "figure"))
                mark = mark.mark_rule(stroke=colour, strokeWidth=width, **look)
                x, y = layout.x("day_before"), layout.y("before")
                drawn.append(mark.encode(x=x, x2=alt.X2("day:Q"), y=y, y2=alt.Y2("figure:Q")))
    return drawn


def _points(lines: pl.DataFrame, layout: _Layout, shown: Shown) -> list[alt.Chart]:
    """Draw a point for each figure, hollow for grade C."""
    texts = {
        "date": pl.col(AS_OF).map_elements(shown.day, return_dtype=pl.String),
        "value": pl.col("figure").map_elements(shown.text, return_dtype=pl.String),
        "covered": pl.col("coverage").map_elements(coverage_percent, return_dtype=pl.String, skip_nulls=False),
    }
    rows = lines.sort(pl.col("role").replace_strict(list(_ROLES), [2, 1, 0], return_dtype=pl.Int8), maintain_order=True)
    rows = rows.select("line", "day", "figure", "jobs", "data_grade", "role", **texts)
    titles: dict[str, Any] = {
        "line": ("N", sentence(shown.noun), None),
        "date": ("N", "Date", None),
        "value": ("N", sentence(shown.figure), None),
        "covered": ("N", "Coverage", None),
        "data_grade": ("N", "Grade", None),
        "jobs": ("Q", "Jobs", ","),
    }
    is_c = (pl.col("data_grade") == "C").fill_null(value=False)
    return [
        alt.Chart(part)
        .mark_point(shape="circle", size=30, strokeWidth=1.4, opacity=1, **look)
        .encode(x=layout.x(), y=layout.y("figure"), color=_colour(), tooltip=captions.tooltips(**titles))
        for part, look in ((rows.filter(~is_c), {"filled": True}), (rows.filter(is_c), {"fill": "#FFFFFF"}))
        if part.height
    ]


def _labels(lines: pl.DataFrame, layout: _Layout, shown: Shown) -> list[alt.Chart]:
    """Draw the last figure, the name and the change of each line to the right, without overlap."""
    spans = spans_of(lines.filter(pl.col("role") != "other"), shown.measure)
    spans = spans.join(lines.select("line", "role").unique(), on="line").sort("end", "line")
    days = lines.group_by("line").agg(pl.col("day").max().alias("last_day"))
    spans = spans.join(days, on="line", maintain_order="left")
    until = ["" if day == shown.dates[-1] else f" (until {shown.day(day)})" for day in spans.get_column("to")]
    names = [_lines_of(f"{name}{end}") for name, end in zip(spans.get_column("line"), until, strict=True)]
    pixel = (layout.high - layout.low) / layout.height
    slots = [float(_LINE * len(name) + 4) for name in names]
    wanted = [(end - layout.low) / pixel for end in spans.get_column("end")]
    places = [layout.low + place * pixel for place in spread(wanted, slots, layout.height)]
    above = [place + _LINE / 2 * (len(name) - 1) * pixel for place, name in zip(places, names, strict=True)]
    table = spans.select(
        "role",
        "end",
        "last_day",
        label=pl.Series(places, dtype=pl.Float64).round(6),
        above=pl.Series(above, dtype=pl.Float64).round(6),
        value=pl.col("end").map_elements(shown.text, return_dtype=pl.String),
        name=pl.Series(["\n".join(name) for name in names], dtype=pl.String),
        change=pl.Series([_change_text(row, shown) for row in spans.iter_rows(named=True)], dtype=pl.String),
    )
    several = len(shown.dates) > 1
    drawn = alt.Chart(table if several else table.drop("change"))
    bold = alt.ExprRef("datum.role == 'leads' ? 'bold' : 'normal'")
    colour = theme.ink_if("datum.role == 'leads'", theme.INK, theme.MUTED)
    text: dict[str, Any] = {"align": "left", "baseline": "middle", "fontSize": 11}
    broken = spans.filter(~pl.col("comparable")).height > 0
    columns: list[tuple[str, str, int, Any]] = [("value", "label", 30, bold)]
    if several:
        columns.append(("change", "label", 84, "normal"))
    columns.append(("name", "above", (188 if broken else 174) if several else 84, bold))
    marks = [
        drawn.mark_rule(stroke="#B5B5BA", strokeWidth=0.7).encode(
            **theme.pixel_encoding(x2=_WIDTH + 26), x=layout.x("last_day"), y=layout.y("end"), y2=alt.Y2("label:Q")
        )
    ]
    for field, height, x, weight in columns:
        mark = drawn.mark_text(**text, fontWeight=weight, lineBreak="\n", lineHeight=_LINE)
        marks.append(
            mark.encode(
                **theme.pixel_encoding(x=_WIDTH + x),
                y=layout.y(height),
                text=alt.Text(f"{field}:N"),
                color=colour,
            )
        )
    heads = {30: [shown.day(shown.dates[-1])], 84: [f"since {shown.day(shown.dates[0])}"]} if several else {}
    for x, words in heads.items():
        marks.append(theme.note(words, x=_WIDTH + x, y=-10, baseline="bottom", fontSize=10.5))
    return marks


def _change_text(row: dict[str, Any], shown: Shown) -> str:
    if row["from"] != shown.dates[0] or row["to"] != shown.dates[-1]:
        return NONE
    return shown.change_text(row["change"]) if row["comparable"] else "coverage changed"
