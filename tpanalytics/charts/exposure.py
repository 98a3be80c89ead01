"""Chart of the exposure index per group of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.labels import columns, ties
from tpanalytics.formatting import NONE, coverage_percent, listed
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.staff import checked_weight
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.about import about
from tpanalytics.measures.exposure import exposure as measure_exposure
from tpanalytics.measures.exposure_ranking import exposure_ranking
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_exposure"]

_WIDTH, _ROW = 430, 32
_COLUMNS = (
    SideColumn("figure", "index", 46, muted=False),
    SideColumn("held", ["lower and", "upper bound"], 124),
    SideColumn("known", ["tasks", "used"], 168),
    SideColumn("grade", "grade", 206),
    SideColumn("place", ["rank (95%", "interval)"], 262, muted=False),
)
#: Vertical offsets within a row: index and intervals above the middle, range of H2 weights below.
_UP, _DOWN = -3, 8
_GREY, _BAND = "#7A7A80", "#E3EBEB"
#: Vertical position of the legend above the plot.
_KEY = -42
_DOTS = {"A": "enough data", "B": "enough data", "C": "grade C"}
#: Maximum number of lines joining groups, and the distance between lines in pixels.
_MOST_TIES, _TIE = 9, 9


def plot_exposure(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    contract_hours: float | None = None,
    weight: StaffWeight | None = None,
    rounds: int = 2000,
    seed: int = 0,
    states: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw each group's exposure index, with uncertainty.

    Dots show the index and are hollow for grade C. Thick and thin lines are 66% and 95% bootstrap intervals over jobs.
    The line below shows the range for H2 weights from 0 to 1. The light band shows the bounds, allowing for missing
    data. Groups joined by a line on the right are not distinguishable. Rows of suppressed groups or groups
    without an index show the reason instead.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `exposure`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    contract_hours
        Weekly contract hours to assume if a job has none. Only affects the bounds.
    weight
        ``"hours"`` counts each job once. ``"headcount"`` multiplies the hours by the people in the job, and ``"fte"``
        by full-time equivalents. If None, people if `by` has a column of people, and hours otherwise.
    rounds, seed
        Number of bootstrap resamples and random seed, passed to `exposure_ranking`.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    top
        Number of groups to draw, those with the most documented weekly hours. If None, all are drawn.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.LayerChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_exposure(load_sample(), rounds=200)
    >>> chart.to_dict()["description"][:53]
    'Dots and intervals of the exposure index for 16 job f'
    """
    profiles = with_cache(profiles)
    words = grouping(profiles, by)
    unit: StaffWeight = checked_weight(profiles, by, weight, StaffWeight)
    options: dict[str, Any] = {"level_weights": level_weights, "weight": unit, "states": states}
    week = {"contract_hours": contract_hours}
    released = captions.released(measure_exposure, profiles, privacy, by=by, **week, **options)
    if released.height == 0:
        return frame.no_jobs()
    totals = captions.rows_for_totals(measure_exposure, profiles, words, released, None, **week, **options)
    largest = frame.Largest(frame.checked_top(top), pl.col("hours"), "most documented weekly hours")
    layout = frame.groups(totals, released, profiles, privacy, words, largest=largest)
    # Only rank the groups shown. A missing rank would reveal a suppressed group's position.
    shown = released.filter(~captions.is_suppressed()).get_column("group").to_list()
    ranks = exposure_ranking(profiles, by=by, rounds=rounds, seed=seed, families=shown, **options)
    groups = _rows(layout.rows, layout.labelled(captions.labelled(ranks)))
    order = groups.get_column("group").to_list()
    tied, y, range_of_h2 = ties(groups), frame.group_axis(order), "H2" in level_weights
    joined = columns(tied, order)
    return frame.chart(
        layout,
        groups,
        [*_key(groups, range_of_h2=range_of_h2), *_intervals(groups, y, words, range_of_h2=range_of_h2)],
        _COLUMNS,
        title=_headline(words.spoken(groups), words),
        basis=f"Exposure index, 0 to 1: share of {captions.UNIT[unit]}, weighted by AI impact level",
        description=_description(groups, tied, layout),
        notes=[
            *_footnotes(totals, level_weights, groups, words, many_ties=len(joined) > _MOST_TIES),
            *words.overlap_notes(unit, about(released)),
        ],
        size=(_WIDTH, _ROW),
        below=46,
        over=_joined(joined, y),
    )


def _rows(exposure: pl.DataFrame, ranks: pl.DataFrame) -> pl.DataFrame:
    """Add the ranks and intervals, and format the columns."""
    drawn = ["interval_low", "interval_high", "inner_low", "inner_high", "rank", "rank_low", "rank_high"]
    places = pl.struct("rank", "rank_low", "rank_high").map_elements(captions.rank_range, return_dtype=pl.String)
    bounds = pl.struct("bound_low", "bound_high").map_elements(
        lambda row: captions.index_range(row["bound_low"], row["bound_high"]), return_dtype=pl.String, skip_nulls=False
    )
    why = pl.col("reason").replace_strict(
        captions.NO_INDEX, default=captions.NO_INDEX["NO_HOURS"], return_dtype=pl.String
    )
    return (
        exposure.join(ranks.select("group", *drawn), on="group", how="left", maintain_order="left")
        .with_columns(
            figure=frame.formatted("exposure", captions.index_text),
            held=bounds,
            place=places,
            known=frame.formatted("coverage", coverage_percent),
            grade=pl.col("data_grade").fill_null(NONE),
            dot=pl.col("data_grade").replace_strict(_DOTS, default=None, return_dtype=pl.String),
            missing=captions.missing_figure_reason({}, pl.when(pl.col("exposure").is_null()).then(why)),
        )
        .with_columns(captions.mask_suppressed("figure", "held", "place", "known", "grade"))
    )


def _x(field: str) -> alt.X:
    axis = alt.Axis(title=None, tickCount=5, format=".1f")
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, 1]), axis=axis)


def _intervals(groups: pl.DataFrame, y: alt.Y, words: Grouping, *, range_of_h2: bool) -> list[alt.Chart]:
    rows = alt.Chart(
        groups.filter(pl.col("exposure").is_not_null()).select(
            *("group", "exposure", "weight_low", "weight_high", "interval_low", "interval_high"),
            *("inner_low", "inner_high", "dot", "jobs_in_index", "tasks_in_index"),
        )
    )
    banded = groups.filter(pl.col("bound_low").is_not_null() & pl.col("bound_high").is_not_null())
    bounds = (
        alt.Chart(banded.select("group", "bound_low", "bound_high"))
        .mark_bar(size=25, color=_BAND, stroke=_BAND, strokeWidth=1)
        .encode(
            x=_x("bound_low"),
            x2=alt.X2("bound_high:Q"),
            y=y,
            tooltip=captions.tooltips("bound_low", "bound_high", words=words),
        )
    )
    ranges = [
        rows.mark_rule(stroke=_GREY, strokeWidth=1, yOffset=_DOWN).encode(
            x=_x("weight_low"), x2=alt.X2("weight_high:Q"), y=y
        ),
        *(
            rows.mark_point(shape=shape, size=22, filled=True, fill=_GREY, yOffset=_DOWN, opacity=1).encode(
                x=_x(f"weight_{side}"), y=y
            )
            for side, shape in (("low", "triangle-right"), ("high", "triangle-left"))
        ),
    ]
    intervals = [
        rows.mark_rule(stroke=theme.INK, strokeWidth=width, yOffset=_UP).encode(
            x=_x(f"{name}_low"), x2=f"{name}_high:Q", y=y
        )
        for name, width in (("interval", 1.2), ("inner", 4))
    ]
    dots = rows.mark_point(shape="circle", size=72, stroke=theme.INK, strokeWidth=1.5, opacity=1, yOffset=_UP).encode(
        x=_x("exposure"),
        y=y,
        fill=alt.Fill("dot:N", scale=_filled(), legend=None),
        tooltip=captions.tooltips(
            *("exposure", "interval_low", "interval_high"),
            *("weight_low", "weight_high", "jobs_in_index", "tasks_in_index"),
            words=words,
        ),
    )
    return [bounds, *(ranges if range_of_h2 else []), *intervals, dots]


def _filled() -> alt.Scale:
    return alt.Scale(domain=list(dict.fromkeys(_DOTS.values())), range=[theme.ACCENT, "#FFFFFF"])


def _key(groups: pl.DataFrame, *, range_of_h2: bool) -> list[alt.Chart]:
    """Draw a legend above the plot."""
    if not groups.get_column("exposure").count():
        return []
    at, marks = 0, []
    base = alt.Chart(alt.InlineData(values=[{}]))

    def line(width: float, colour: str, left: int, right: int) -> alt.Chart:
        placed: alt.Chart = base.mark_rule(stroke=colour, strokeWidth=width).encode(
            **theme.pixel_encoding(x=left, x2=right, y=_KEY, y2=_KEY)
        )
        return placed

    def point(shape: str, size: int, fill: str, x: int, stroke: str) -> alt.Chart:
        placed: alt.Chart = base.mark_point(
            shape=shape, size=size, fill=fill, stroke=stroke, strokeWidth=1.5, opacity=1
        ).encode(**theme.pixel_encoding(x=x, y=_KEY))
        return placed

    grades = set(groups.get_column("data_grade").drop_nulls())
    if grades & {"A", "B"}:
        marks += [point("circle", 72, theme.ACCENT, 5, theme.INK), _label("index", 15)]
        at = 58
    if "C" in grades:
        marks += [point("circle", 72, "#FFFFFF", at + 5, theme.INK), _label("index (grade C)", at + 15)]
        at += 116
    if groups.get_column("interval_low").count():
        marks += [line(1.2, theme.INK, at, at + 30), line(4, theme.INK, at + 8, at + 22)]
        marks += [_label("66% and 95% intervals", at + 36)]
        at += 176
    if range_of_h2:
        marks += [line(1, _GREY, at, at + 28), point("triangle-right", 22, _GREY, at, _GREY)]
        marks += [point("triangle-left", 22, _GREY, at + 28, _GREY), _label("H2 weight 0 to 1", at + 36)]
        at += 148
    if groups.get_column("bound_low").count():
        marks += [line(12, _BAND, at, at + 28), _label("bounds allowing for missing data", at + 34)]
    return marks


def _label(text: str, x: int) -> alt.Chart:
    return theme.note(text, x=x, y=_KEY, baseline="middle", fontSize=10.5)


def _joined(joined: list[list[list[str]]], y: alt.Y) -> list[alt.Chart]:
    """Draw a line through each set of groups that are not distinguishable, with a dot per group."""
    if not joined or len(joined) > _MOST_TIES:
        return []
    left = _WIDTH + 284
    marks: list[alt.Chart] = []
    for at, column in enumerate(joined):
        x = theme.pixel_encoding(x=left + _TIE * at)
        ends = pl.DataFrame({"group": [group[0] for group in column], "last": [group[-1] for group in column]})
        members = pl.DataFrame({"group": [name for group in column for name in group]})
        marks += [
            alt.Chart(ends).mark_rule(stroke=theme.INK, strokeWidth=1).encode(**x, y=y, y2=alt.Y2("last:N")),
            alt.Chart(members)
            .mark_point(shape="circle", size=16, filled=True, fill=theme.INK, opacity=1)
            .encode(**x, y=y),
        ]
    header = ["joined: not", "distinguishable"]
    return [*marks, theme.note(header, x=left - 4, y=-18, baseline="bottom", lineHeight=12, fontSize=10.5)]


def _headline(groups: pl.DataFrame, words: Grouping) -> str:
    """Name the most exposed group if it's distinguishable from the others of grade A or B."""
    reason = captions.no_headline_reason(groups, words)
    if reason:
        return reason
    safe = groups.filter(captions.has_enough_data(words))
    top = safe.row(0, named=True)
    index = captions.index_text(top["exposure"])
    others = groups.filter(words.is_named() & pl.col("exposure").is_not_null()).height - 1
    if safe.height == 1:
        more = "; there is not enough data to compare the others" if others else ""
        return words.headline(top["group"], f"exposure {index}{_interval(top)}{more}")
    scope = captions.headline_scope(groups, words)
    if top["rank_low"] is None:
        return f"{top['group']} has the highest exposure{scope}, {index}, but too few jobs for an interval"
    rivals = safe.filter(pl.col("rank_low").fill_null(0) <= top["rank_high"]).get_column("group").to_list()
    if len(rivals) == 1:
        return f"{top['group']} is the most exposed {words.one}{scope}: {index}{_interval(top)}"
    if len(rivals) <= 3:
        return f"{listed(rivals)} are not distinguishable as the most exposed{scope}: up to {index}"
    some = f"{len(rivals)} of {safe.height} overlap, up to {index}"
    return f"No single {words.one} is clearly the most exposed{scope}: {some}"


def _interval(row: dict[str, Any]) -> str:
    """Format the index's 95% interval, or the bounds if the group has too few jobs."""
    if row["interval_low"] is not None:
        return f" (95% interval {captions.index_range(row['interval_low'], row['interval_high'])})"
    if row["held"] not in {NONE, row["figure"]}:
        return f" (bounds {row['held']})"
    return ""


def _footnotes(
    measured: pl.DataFrame,
    level_weights: Mapping[str, float],
    groups: pl.DataFrame,
    words: Grouping,
    *,
    many_ties: bool,
) -> list[str]:
    few = groups.filter(pl.col("exposure").is_not_null() & pl.col("interval_low").is_null()).height
    brackets = f" A rank in brackets has no interval because the {words.one} has fewer than 5 jobs."
    of = f" of each {words.one}" if words.by else ""
    bootstrap = f"Intervals come from a bootstrap over the jobs{of} and do not allow for missing data."
    unbounded = groups.filter(
        pl.col("exposure").is_not_null() & (pl.col("bound_low").is_null() | pl.col("bound_high").is_null())
    ).height
    return [
        captions.index_coverage(measured),
        bootstrap + brackets * (few > 0),
        *(
            [f"{unbounded} {words.many} have no bounds: both task hours and contract hours are missing."]
            * (unbounded > 1)
        ),
        *([f"Too many {words.many} overlap to join them by lines; compare their ranks instead."] * many_ties),
        captions.index_definition(level_weights),
        captions.INDEX_GRADE,
    ]


def _description(groups: pl.DataFrame, tied: list[list[str]], layout: frame.DrawnGroups) -> tuple[str, str, list[str]]:
    summary = f"Dots and intervals of the exposure index for {layout.population}."
    rows = groups.filter(pl.col("exposure").is_not_null())
    shape = [
        *(f"Not distinguishable: {listed(group)}." for group in tied),
        *captions.missing_figure_note(groups, "exposure"),
    ]
    if not rows.height:
        return summary, "", shape
    summary += layout.words.sorted_by("index, highest first") + (
        " The thick and thin lines are 66% and 95% intervals, the band shows "
        "the bounds allowing for missing data, and the line below is the range for H2 weights from 0 to 1."
    )
    top, bottom = rows.row(0, named=True), rows.row(-1, named=True)
    figures = "; ".join(map(_row, rows.iter_rows(named=True)))
    if not layout.words.by:
        return summary, f"Index: {_row({**top, 'group': ''}).strip()}.", shape
    extremes = (
        f"The index ranges from {captions.index_text(top['exposure'])} in {top['group']} to "
        f"{captions.index_text(bottom['exposure'])} in {bottom['group']}. All: {figures}."
    )
    return summary, extremes, shape


def _row(row: Mapping[str, Any]) -> str:
    parts = [f"{row['group']} {row['figure']}", f"grade {row['grade']}", f"rank {row['place']}"]
    if row["interval_low"] is not None:
        parts.insert(1, f"95% interval {captions.index_range(row['interval_low'], row['interval_high'])}")
    if row["held"] != NONE:
        parts.insert(1, f"bounds {row['held']}")
    return f"{', '.join(parts)}, {row['known']} of tasks used"
