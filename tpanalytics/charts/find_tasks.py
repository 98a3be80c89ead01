"""Chart of the tasks matching a search, per group of jobs."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.charts._core.grouping import capitalized, grouping
from tpanalytics.formatting import clean_text, hours, listed, percent, plural, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import get_metadata
from tpanalytics.measures.find_tasks import matches_by_group, search_words
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["plot_find_tasks"]

_WIDTH, _ROW, _BAR = 470, 26, 16
_COLUMNS = (
    SideColumn("seen", "tasks found", 92, muted=False),
    SideColumn("amount", ["documented", "weekly hours"], 176, muted=False),
    SideColumn("open", ["without", "hours"], 250),
)
#: Fill colours of the bar's parts.
_PARTS = {"with hours": theme.ACCENT, "without hours": "#FFFFFF"}
#: Possible distances between axis ticks, as shares, and the maximum number of ticks.
_STEPS, _TICKS = (0.01, 0.02, 0.05, 0.1, 0.2), 6
#: Maximum total length of the search words in a title, in characters.
_WORDS = 60


def plot_find_tasks(
    profiles: TaskProfiles,
    text: str,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int | None = frame.TOP,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw the share of each group's tasks that contain all the search words.

    Tasks with missing hours are hatched. Columns show the number of matching tasks and their documented weekly hours.
    The chart contains the search words, but no task text. Rows of suppressed groups show the reason instead.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `find_tasks`. Use that function to list the matching tasks.
    text
        One or more words, in any order. Case is ignored, and words also match parts of longer words.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Names of the groups to draw, or None for all. The axis scale does not depend on the selection.
    top
        Number of groups to draw, those with the most matching tasks. If None, or with `groups`, all are drawn.
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
        If `text` has no words, or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_find_tasks(load_sample(), "customer quotation")
    >>> " ".join(chart.to_dict()["title"]["text"])[:50]
    '“customer” and “quotation” are in 9 of 5,516 tasks'
    """
    profiles = with_cache(profiles)
    quoted = _quoted(search_words(text))
    words = grouping(profiles, by)
    released = captions.released(matches_by_group, profiles, privacy, by=by, text=text, states=states)
    if released.height == 0:
        return frame.no_jobs()
    # Scale the axis to all groups, so bar lengths don't depend on the selection.
    step, end = _axis([0.0, *released.get_column("share").drop_nulls()])
    shown = filter_groups(released, groups)
    counts = captions.rows_for_totals(matches_by_group, profiles, words, shown, groups, text=text, states=states)
    largest = frame.Largest(frame.checked_top(top), pl.col("found"), "most matching tasks")
    layout = frame.groups(counts, shown, profiles, privacy, words, groups, largest)
    rows = _rows(layout.rows)
    # The headline describes the groups drawn.
    of_drawn = counts
    if layout.out_of:
        drawn = shown.filter(pl.col("group").is_in(list(layout.labels)))
        of_drawn = captions.rows_for_totals(
            matches_by_group, profiles, words, drawn, list(layout.labels), text=text, states=states
        )
    headline = _headline(words.spoken(rows), of_drawn, quoted, words)
    return frame.chart(
        layout,
        rows,
        _bars(rows, step, end, words),
        _COLUMNS,
        title=headline,
        basis=f"Share of tasks whose text contains {quoted}",
        description=_description(rows, headline, quoted, layout),
        notes=[*_footnotes(counts), *words.overlap_notes(None)],
        size=(_WIDTH, _ROW),
    )


def _quoted(words: list[str]) -> str:
    """Quote the search words, or only the first few if a title would get too long."""
    shown = [clean_text(textwrap.shorten(word, _WORDS // 2, placeholder="…")) or "" for word in words]
    while len(shown) > 1 and sum(map(len, shown)) > _WORDS:
        shown.pop()
    quoted = [f"“{word}”" for word in shown]
    return listed([*quoted, plural(len(words) - len(shown), "more word")] if len(shown) < len(words) else quoted)


def _axis(shares: list[float]) -> tuple[float, float]:
    """Return the tick distance and the end of the axis."""
    largest = max(shares)
    step = next((step for step in _STEPS if largest <= step * (_TICKS - 1)), _STEPS[-1])
    return step, min(1.0, max(1, math.ceil(round(largest / step, 9))) * step)


def _rows(released: pl.DataFrame) -> pl.DataFrame:
    """Sort the groups by share, largest first, and format the columns."""
    return (
        released.sort(pl.col("share").round(9), "found", "group", descending=[True, True, False], nulls_last=True)
        .with_columns(
            seen=pl.struct("found", "tasks").map_elements(
                lambda row: f"{row['found'] or 0:,} of {row['tasks'] or 0:,}", return_dtype=pl.String
            ),
            amount=pl.col("hours").map_batches(frame.hours_column, return_dtype=pl.String),
            open=frame.counts_as_text(pl.col("found") - pl.col("found_with_hours")),
            missing=captions.missing_figure_reason({"no tasks": pl.col("tasks") == 0, "none": pl.col("found") == 0}),
        )
        .with_columns(captions.mask_suppressed("seen", "amount", "open"))
    )


def _bars(rows: pl.DataFrame, step: float, top: float, words: Grouping) -> list[alt.Chart]:
    y = frame.group_axis(rows.get_column("group").to_list())
    ticks = [round(step * i, 4) for i in range(int(top / step + 0.5) + 1)]
    axis = alt.Axis(title=None, values=ticks, labelExpr="round(datum.value * 100) + '%'")
    if not rows.get_column("found").fill_null(0).sum():
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    with_hours, without_hours = _PARTS
    share_with_hours = pl.col("found_with_hours") / pl.col("tasks")
    matches = rows.filter(pl.col("found") > 0)
    parts = pl.concat(
        [
            matches.with_columns(
                part=pl.lit(with_hours), start=pl.lit(0.0), end=share_with_hours, tasks="found_with_hours"
            ),
            matches.with_columns(
                part=pl.lit(without_hours),
                start=share_with_hours,
                end="share",
                tasks=pl.col("found") - pl.col("found_with_hours"),
                hours=pl.lit(None, dtype=pl.Float64),
            ),
        ]
    ).filter(pl.col("tasks") > 0)
    bars = (
        alt.Chart(parts.select("group", "part", "start", "end", "tasks", "hours"))
        .mark_bar(stroke=theme.OUTLINE, strokeWidth=1, size=_BAR)
        .encode(
            x=x,
            x2=alt.X2("end:Q"),
            y=y,
            fill=alt.Fill(
                "part:N",
                scale=alt.Scale(domain=list(_PARTS), range=list(_PARTS.values())),
                legend=alt.Legend(symbolStrokeColor=theme.OUTLINE) if parts.height else None,
            ),
            tooltip=captions.tooltips(
                words=words,
                part=("N", "Tasks found", None),
                tasks=("Q", "Number of tasks", ","),
                hours=("Q", "Weekly hours", ",.1f"),
            ),
        )
    )
    per_pixel = top / _WIDTH * max(1.0, rows.height / 20)
    strokes = pl.DataFrame(
        [
            {"group": group, "at": at}
            for group, start, end in parts.filter(part=without_hours).select("group", "start", "end").rows()
            for at in theme.strokes(start, end, per_pixel)
        ],
        schema={"group": pl.String, "at": pl.Float64},
    )
    return [bars, theme.hatched(alt.Chart(strokes), _BAR).encode(x=alt.X("at:Q"), y=y)]


def _headline(rows: pl.DataFrame, counts: pl.DataFrame, quoted: str, words: Grouping) -> str:
    """Return a headline with the number of matching tasks and the group with the largest share."""
    shown = rows.filter(~captions.is_suppressed())
    if not shown.height:
        return words.all_suppressed
    scope = f" in the {words.many} shown" if shown.height < rows.height else ""
    if not total(counts, "tasks"):
        return f"No tasks{scope or ' in these task profiles'}"
    if not total(shown, "found"):
        return f"No tasks{scope} contain {quoted}"
    found, with_hours = total(counts, "found"), total(counts, "found_with_hours")
    are = "are" if quoted.count("“") > 1 else "is"
    amount = hours(float(counts.get_column("hours").sum()))
    headline = f"{quoted} {are} in {found:,} of {plural(total(counts, 'tasks'), 'task')}"
    headline += f", with {amount} a week documented" if with_hours else ", with no hours documented"
    groups = shown.filter(words.is_named(), pl.col("found") > 0)
    if groups.height == 0 or shown.height == 1:
        return headline
    group, share = groups.select("group", "share").row(0)
    tied = groups.filter(pl.col("share").round(9) == round(share, 9)).height
    if tied > 1:
        return (
            f"{headline}; the largest share, {percent(share)}, is in {tied:,} {words.many}{scope and ' of those shown'}"
        )
    return f"{headline}; the largest share{scope} is in {group}, {percent(share)} of its tasks"


def _footnotes(counts: pl.DataFrame) -> list[str]:
    found, without_text = total(counts, "found"), total(counts, "tasks_without_text")
    missing = found - total(counts, "found_with_hours")
    note = f"{missing:,} of {plural(found, 'task')} found {'has' if missing == 1 else 'have'} no hours. " * bool(found)
    no_text = f" {plural(without_text, 'task')} without text cannot be found."
    return [
        f"{note}{captions.MISSING_HOURS} {captions.rejected_note(get_metadata(counts))}",
        f"The search ignores case and matches parts of words.{no_text * bool(without_text)}",
        "Shares are lower bounds because tasks that use other words for the same work are not found.",
    ]


def _description(
    rows: pl.DataFrame, headline: str, quoted: str, layout: frame.DrawnGroups
) -> tuple[str, str, list[str]]:
    summary = f"Bars of the share of tasks whose text contains {quoted}, for {layout.population}, largest share first."
    matches = rows.filter(pl.col("found") > 0)
    figures = (
        f"{group} {n:,} tasks, {percent(share)}, {hours(amount) if amount is not None else 'unknown hours'}"
        for group, n, share, amount in matches.select("group", "found", "share", "hours").rows()
    )
    extremes = f"{headline}." + (
        f" {capitalized(layout.words.many)} with matches: {'; '.join(figures)}."
        if matches.height and layout.words.by
        else ""
    )
    none = rows.filter(pl.col("found") == 0).get_column("group").to_list()
    return summary, extremes, [f"None in {listed(none)}."] if none else []
