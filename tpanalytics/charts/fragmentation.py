"""Chart of freed hours by block size."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.formatting import NONE, coverage_percent, plural
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures._core.staff import NEEDED, checked_weight
from tpanalytics.measures.about import about
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.fragmentation import fragmentation as measure_fragmentation
from tpanalytics.measures.privacy.policy import SUPPRESSED, SUPPRESSED_MARK, USUAL, Privacy
from tpanalytics.typing import StaffCount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures._core.scenario import Range
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_fragmentation"]

#: Draw every group if there are at most `_ALL`. Otherwise, draw only the `_LARGEST`.
_ALL, _LARGEST = 24, 12
_COLUMNS, _WIDTH, _HEIGHT, _WRAP = 4, 188, 92, 32
_HALF_DAY = 4.0
_BLOCKS = (0.5, *(float(hours) for hours in range(1, 17)))
_LEGEND = (
    "Bands show the range under the assumptions, and the black bar marks half a day (4 h). Below each name: usable "
    "share of the freed hours, usable of all freed full-time equivalents (FTE), data grade."
)


def plot_fragmentation(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: StaffCount | None = None,
    freed: Mapping[str, Range],
    realisation: Range,
    adoption: Range,
    contract_hours: float | None,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.ConcatChart | alt.LayerChart:
    """Draw the share of freed hours by minimum block size, with one panel per group.

    Block sizes are in hours per person and week. The band shows the range under the assumptions, and the black bar
    marks half a day (4 hours). The usable full-time equivalents are shown below the group's name. Groups with the
    most usable hours come first. If there are more than 24 groups, only the first 12 are drawn. Panels of suppressed
    groups or groups without a figure show the reason instead.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `fragmentation`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    weight
        Count of the people in each job: ``"fte"`` (full-time equivalents) or ``"headcount"`` (people). None means
        ``"headcount"`` if `by` has a column of people, and ``"fte"`` otherwise.
    freed, realisation
        Required assumptions, passed to `fragmentation`. Ranges are drawn as a band.
    adoption, contract_hours
        Assumptions as in `capacity`. Only used for full-time equivalents, so adoption does not change the shares.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Thresholds for suppressing small groups. If None, nothing is suppressed.

    Returns
    -------
    alt.ConcatChart or alt.LayerChart
        An Altair chart that you can customize or pass to `save`. It has no panels if there are no jobs.

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
    >>> chart = plot_fragmentation(
    ...     load_sample(),
    ...     freed={"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0},
    ...     realisation=(0.5, 0.8),
    ...     adoption=(0.3, 0.6),
    ...     contract_hours=38.5,
    ... )
    >>> chart.to_dict()["description"][:43]
    'Bands of the share of freed hours in blocks'
    """
    words, weight = grouping(profiles, by), checked_weight(profiles, by, weight, StaffCount, "fte")
    how: dict[str, Any] = {
        "weight": weight,
        "freed": freed,
        "realisation": realisation,
        "block_hours": _BLOCKS,
        "adoption": adoption,
        "contract_hours": contract_hours,
        "states": states,
    }
    shown = captions.released(measure_fragmentation, profiles, privacy, by=by, **how)
    if not shown.height:
        return frame.no_jobs()
    freed_blocks = measure_fragmentation(profiles, by=None if words.overlap else by, **how)
    meaning = about(freed_blocks)
    totals = captions.rows_for_totals(measure_coverage, profiles, words, shown, None, states=states)
    layout = frame.groups(totals, shown, profiles, privacy, words)
    groups = _rows(layout.rows)
    drawn = groups if groups.height <= _ALL else groups.head(_LARGEST)
    needed = NEEDED[weight]
    headline = _headline(groups, freed_blocks, meaning, words, needed)
    notes = layout.footnotes(_footnotes(meaning, groups.height, drawn.height, words, needed))
    rows = drawn.to_dicts()
    panels = [
        _panel(row, layout.rows, left=at % _COLUMNS == 0, bottom=_has_axis(rows, at)) for at, row in enumerate(rows)
    ]
    below = alt.LayerChart(layer=[theme.footer(notes, below=4)], width=1, height=1)
    return theme.assemble_panels(
        [alt.ConcatChart(concat=panels, columns=_COLUMNS), below],
        columns=1,
        title=headline,
        subtitle=f"Share of freed hours by minimum block size per person and week · {layout.population}",
        description=_description(drawn, groups, layout, headline),
    )


def _rows(shown: pl.DataFrame) -> pl.DataFrame:
    """Return the figures for half-day blocks, most usable hours first and suppressed groups last."""
    return (
        shown.filter((pl.col("block_hours") == _HALF_DAY) | pl.col("block_hours").is_null())  # null if fully suppressed
        .with_columns(suppressed=captions.is_suppressed())
        .sort(
            *("suppressed", "usable_weeks_high", "full_time_weeks_high", "group"),
            descending=[False, True, True, False],
            nulls_last=True,
        )
        .drop("suppressed")
    )


def _has_axis(rows: list[dict[str, Any]], at: int) -> bool:
    """Return True if there is no curve in the panel below."""
    return at + _COLUMNS >= len(rows) or rows[at + _COLUMNS]["usable_share_high"] is None


def _panel(row: dict[str, Any], shown: pl.DataFrame, *, left: bool, bottom: bool) -> alt.LayerChart:
    """Draw a group's panel, with axis labels only on the left and bottom edges."""
    group = row["group"]
    curve = shown.filter(group=group).select(
        "block_hours", low=pl.col("usable_share_low").round(4), high=pl.col("usable_share_high").round(4)
    )
    x = alt.X(
        "block_hours:Q",
        scale=alt.Scale(domain=[0, _BLOCKS[-1]], nice=False),
        axis=alt.Axis(
            title="hours per person and week" if bottom else None,
            titleAnchor="start",
            values=[0, 4, 8, 12, 16],
            labels=bottom,
            labelExpr="datum.value + '\u00a0h'",
            grid=False,
        ),
    )
    axis = alt.Axis(title=None, values=[0, 0.5, 1], labels=left, labelExpr=_PERCENT)
    scale = alt.Scale(domain=[0, 1], nice=False)
    y, top = (alt.Y(f"{end}:Q", scale=scale, axis=axis) for end in ("low", "high"))
    name = frame.name_lines(group, _WRAP, most=3)
    # Use notes instead of a title. A title's position depends on the axis labels, so panels wouldn't line up.
    head = [
        theme.note(
            name, x=0, y=-26 - 13 * (len(name) - 1), fontSize=11.5, fontWeight="bold", color=theme.INK, lineHeight=13
        ),
        theme.note(_fte(row), x=0, y=-11, fontSize=10.5),
    ]
    if row["usable_share_high"] is None:
        background = (
            alt.Chart(alt.InlineData(values=[{}]))
            .mark_rect(fill="#F4F4F6")
            .encode(**theme.pixel_encoding(x=0, x2=_WIDTH, y=0, y2=_HEIGHT))
        )
        reason = theme.note(_reason(row), x=8, y=_HEIGHT // 2, baseline="middle", fontStyle="italic", fontSize=10.5)
        return alt.LayerChart(layer=[background, reason, *head], width=_WIDTH, height=_HEIGHT)
    base = alt.Chart(curve)
    band = base.mark_area(color="#A9CED1", opacity=0.75).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    edges = [base.mark_line(stroke=theme.ACCENT, strokeWidth=1.4).encode(x=x, y=end) for end in (y, top)]
    at = alt.Chart(curve.filter(block_hours=_HALF_DAY))
    mark = at.mark_rule(stroke=theme.INK, strokeWidth=3, strokeCap="square").encode(
        x=x,
        y=y,
        y2=alt.Y2("high:Q"),
        tooltip=captions.tooltips(
            block_hours=("Q", "Block size, hours per person and week", None),
            low=("Q", "Usable share, low", ".0%"),
            high=("Q", "Usable share, high", ".0%"),
        ),
    )
    return alt.LayerChart(layer=[band, *edges, mark, *head], width=_WIDTH, height=_HEIGHT)


_PERCENT = "round(datum.value * 100) + '%'"


def _reason(row: dict[str, Any]) -> list[str]:
    if row["reason"] == SUPPRESSED:
        return textwrap.wrap(f"{SUPPRESSED_MARK} {captions.SUPPRESSED_LABEL}", 30)
    return textwrap.wrap(NULL_REASONS.get(row["reason"], "unknown"), 30)


def _fte(row: dict[str, Any]) -> str:
    """Format the usable share, the usable and total freed FTE, and the data grade for half-day blocks."""
    if row["reason"] == SUPPRESSED:
        return SUPPRESSED_MARK
    if row["usable_share_high"] is None:
        return NONE
    share = _span(row["usable_share_low"], row["usable_share_high"], coverage_percent)
    usable = _span(row["usable_weeks_low"], row["usable_weeks_high"], _number)
    freed = _span(row["full_time_weeks_low"], row["full_time_weeks_high"], _number)
    return f"{share}: {usable} of {freed} FTE · {row['data_grade']}"


def _span(low: float, high: float, write: Callable[[float], str]) -> str:
    start, end = write(low), write(high)
    return start if start == end else f"{start.removesuffix('%').rstrip()}{_TO}{end}"


_TO = "\u2013"


def _number(fte: float) -> str:
    return f"{fte:,.1f}" if 0 < fte < 10 else f"{fte:,.0f}"


def _headline(groups: pl.DataFrame, freed_blocks: pl.DataFrame, meaning: Meaning, words: Grouping, needed: str) -> str:
    """Return a headline with the total FTE freed in blocks of at least half a day."""
    if not frame.any_shown(groups):
        return words.all_suppressed
    half = freed_blocks.filter(block_hours=_HALF_DAY)
    sums = half.select(pl.col("^(usable|full_time)_weeks_.*$").sum()).row(0, named=True)
    if not half.get_column("usable_weeks_high").count():
        reasons = set(half.get_column("reason").drop_nulls())
        reason = f": {NULL_REASONS[reasons.pop()]}" if len(reasons) == 1 else ""
        return f"The block sizes of freed hours are unknown{reason}"
    if not sums["full_time_weeks_high"]:
        return "No hours are freed under these assumptions"
    if meaning.grade == "C":
        share = coverage_percent(meaning.coverage[captions.staffed_part(meaning)])
        return f"There is not enough data on block sizes: {share} of tasks have {needed}"
    usable, freed = (
        _span(sums[f"{of}_weeks_low"], sums[f"{of}_weeks_high"], _number).replace(_TO, " to ")
        for of in ("usable", "full_time")
    )
    return f"{usable} of {freed} freed full-time equivalents come in blocks of half a day (4\u00a0h) or more"


def _footnotes(meaning: Meaning, groups: int, drawn: int, words: Grouping, needed: str) -> list[str]:
    return [
        captions.coverage_of(meaning, captions.staffed_part(meaning), needed=needed),
        captions.grade_note(needed, meaning.grade),
        _LEGEND,
        *(
            [f"Only the {drawn} {words.many} with the most usable hours are drawn, not {groups - drawn} others."]
            * (drawn < groups)
        ),
        *words.overlap_notes("fte"),
        " ".join([*meaning.policy, *meaning.warnings]),
    ]


def _description(drawn: pl.DataFrame, groups: pl.DataFrame, layout: frame.DrawnGroups, headline: str) -> str:
    words = layout.words
    each = f", one per {words.noun}," if words.by else ""
    summary = (
        f"Bands of the share of freed hours in blocks of a minimum size, from half an hour to {_BLOCKS[-1]:g} hours "
        f"per person and week, in {plural(drawn.height, 'panel')}{each} for {layout.population}."
    )
    known = drawn.filter(pl.col("usable_share_high").is_not_null())
    numbers = "; ".join(f"{row['group']} {_fte(row)}" for row in known.iter_rows(named=True))
    unknown = drawn.filter(pl.col("usable_share_high").is_null() & ~captions.is_suppressed())
    shape = [f"{row['group']}: {NULL_REASONS.get(row['reason'], 'unknown')}." for row in unknown.iter_rows(named=True)]
    if groups.height > drawn.height:
        shape.append(f"{groups.height - drawn.height} more {words.many} are not drawn.")
    extremes = f"{headline}." + (f" At half a day: {numbers}." if numbers else "")
    return captions.alt_text(summary, extremes, " ".join([*shape, *captions.suppressed_names(groups)]))
