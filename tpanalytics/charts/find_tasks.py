"""In which job families the tasks are that hold the words somebody looks for."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.frame import SideColumn
from tpanalytics.formatting import hours, listed, percent, plural, printable, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.find_tasks import found_by_family, read_words
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.measures.privacy.release import filter_families
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_find_tasks"]

_WIDTH, _ROW, _BAR = 470, 26, 16
_COLUMNS = (
    SideColumn("seen", "tasks found", 92, muted=False),
    SideColumn("amount", ["hours a week", "known"], 176, muted=False),
    SideColumn("open", ["without", "hours"], 250),
)
#: The parts of a bar, and what they are filled with.
_PARTS = {"hours known": theme.ACCENT, "hours not known": "#FFFFFF"}
#: Distances of the axis' marks, as shares; never so many marks that their words would meet.
_STEPS, _MARKS = (0.01, 0.02, 0.05, 0.1, 0.2), 6
#: Length of the words in a title, in characters.
_WORDS = 60


def plot_find_tasks(
    profiles: TaskProfiles,
    text: str,
    *,
    states: Sequence[str] = COUNTED_STATES,
    families: Sequence[str] | None = None,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw in which job families the tasks are whose text holds all words of a text.

    A bar is the share of the family's tasks; its hatched part are tasks whose hours are not known. How many tasks they
    are and the hours they are known to take stand beside it. The chart holds the words that were looked for, and no
    text of a task. A family that is hidden because too few jobs or people stand behind it keeps its row and says so.

    Parameters
    ----------
    profiles
        As for `find_tasks`, which lists the tasks.
    text
        A word or several, in any order; without regard to case, within longer words too.
    states
        Validation states that count.
    families
        Draw these alone, each as it stands among all; None draws every family.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, `text` holds no word, or a family is not there.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_find_tasks(load_sample(), "customer quotation")
    >>> " ".join(chart.to_dict()["title"]["text"])[:50]
    '“customer” and “quotation” are in 9 of 5,516 tasks'
    """
    profiles = with_cache(profiles)
    named = _named(read_words(text))
    everyone = found_by_family(profiles, text=text, states=states)
    if everyone.height == 0:
        return frame.no_jobs()
    guard = captions.released(found_by_family, profiles, privacy, text=text, states=states)
    # Of all families, so that bars stay as long as they are when others are chosen.
    step, top = _axis([0.0, *guard.get_column("share").drop_nulls()])
    shown = filter_families(guard, families)
    everyone = captions.rows_for_totals(everyone, shown, families)
    groups = frame.groups(everyone, shown, profiles, privacy, families)
    rows = _rows(groups.rows)
    finding = _finding(rows, everyone, named)
    return frame.chart(
        groups,
        rows,
        _bars(rows, step, top),
        _COLUMNS,
        title=finding,
        basis=f"Share of tasks whose text holds {named}",
        description=_description(rows, finding, named, groups.population),
        notes=_notes(everyone),
        size=(_WIDTH, _ROW),
    )


def _named(words: list[str]) -> str:
    """Quote the words in a sentence, and not all of them if they are many."""
    shown = [printable(textwrap.shorten(word, _WORDS // 2, placeholder="…")) or "" for word in words]
    while len(shown) > 1 and sum(map(len, shown)) > _WORDS:
        shown.pop()
    quoted = [f"“{word}”" for word in shown]
    return listed([*quoted, plural(len(words) - len(shown), "more word")] if len(shown) < len(words) else quoted)


def _axis(shares: list[float]) -> tuple[float, float]:
    """Return how far the marks of the axis are apart, and where it ends."""
    most = max(shares)
    step = next((step for step in _STEPS if most <= step * (_MARKS - 1)), _STEPS[-1])
    return step, min(1.0, max(1, math.ceil(round(most / step, 9))) * step)


def _rows(shown: pl.DataFrame) -> pl.DataFrame:
    """Put the largest share first."""
    return (
        shown.sort(pl.col("share").round(9), "found", "job_family", descending=[True, True, False], nulls_last=True)
        .with_columns(
            seen=pl.struct("found", "tasks").map_elements(
                lambda row: f"{row['found'] or 0:,} of {row['tasks'] or 0:,}", return_dtype=pl.String
            ),
            amount=pl.col("hours").map_batches(frame.hours_column, return_dtype=pl.String),
            open=frame.counts_as_text(pl.col("found") - pl.col("found_with_hours")),
            missing=captions.why_missing({"no task described": pl.col("tasks") == 0, "none": pl.col("found") == 0}),
        )
        .with_columns(captions.mask_hidden("seen", "amount", "open"))
    )


def _bars(rows: pl.DataFrame, step: float, top: float) -> list[alt.Chart]:
    y = frame.group_axis(rows.get_column("job_family").to_list())
    marks = [round(step * i, 4) for i in range(int(top / step + 0.5) + 1)]
    axis = alt.Axis(title=None, values=marks, labelExpr="round(datum.value * 100) + '\u00a0%'")
    if not rows.get_column("found").fill_null(0).sum():
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    known, open_ = _PARTS
    timed = pl.col("found_with_hours") / pl.col("tasks")
    found = rows.filter(pl.col("found") > 0)
    parts = pl.concat(
        [
            found.with_columns(part=pl.lit(known), start=pl.lit(0.0), end=timed, tasks="found_with_hours"),
            found.with_columns(
                part=pl.lit(open_),
                start=timed,
                end="share",
                tasks=pl.col("found") - pl.col("found_with_hours"),
                hours=pl.lit(None, dtype=pl.Float64),
            ),
        ]
    ).filter(pl.col("tasks") > 0)
    bars = (
        alt.Chart(parts.select("job_family", "part", "start", "end", "tasks", "hours"))
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
                "job_family",
                part=("N", "Tasks found, with", None),
                tasks=("Q", "How many", ","),
                hours=("Q", "Hours a week", ",.1f"),
            ),
        )
    )
    per_pixel = top / _WIDTH * max(1.0, rows.height / 20)
    strokes = pl.DataFrame(
        [
            {"job_family": family, "at": at}
            for family, start, end in parts.filter(part=open_).select("job_family", "start", "end").rows()
            for at in theme.strokes(start, end, per_pixel)
        ],
        schema={"job_family": pl.String, "at": pl.Float64},
    )
    return [bars, theme.hatched(alt.Chart(strokes), _BAR).encode(x=alt.X("at:Q"), y=y)]


def _finding(rows: pl.DataFrame, everyone: pl.DataFrame, named: str) -> str:
    """State how many tasks hold the words, and where they are most of the work."""
    shown = rows.filter(~captions.is_hidden())
    if not shown.height:
        return captions.ALL_HIDDEN
    of_shown = " of the families shown" if shown.height < rows.height else ""
    if not total(everyone, "tasks"):
        return f"No task{of_shown} is described"
    if not total(shown, "found"):
        return f"No task{of_shown} holds {named}"
    found, timed = total(everyone, "found"), total(everyone, "found_with_hours")
    are = "are" if named.count("“") > 1 else "is"
    said = f"{named} {are} in {found:,} of {plural(total(everyone, 'tasks'), 'task')}"
    said += (
        f", with {hours(float(everyone.get_column('hours').sum()))} a week known"
        if timed
        else ", of none of which hours are known"
    )
    most = shown.filter(pl.col("job_family") != NO_FAMILY, pl.col("found") > 0)
    if most.height == 0 or shown.height == 1:
        return said
    family, share = most.select("job_family", "share").row(0)
    alike = most.filter(pl.col("share").round(9) == round(share, 9)).height
    if alike > 1:
        return f"{said}; the largest share, {percent(share)}, in {alike:,} families{of_shown and ' of those shown'}"
    return f"{said}; most in {family}{of_shown and ', of those shown'}, {percent(share)} of its tasks"


def _notes(everyone: pl.DataFrame) -> list[str]:
    found, without_text = total(everyone, "found"), total(everyone, "tasks_without_text")
    dark = found - total(everyone, "found_with_hours")
    missing = f"{dark:,} of {plural(found, 'task')} found {'has' if dark == 1 else 'have'} no hours. " if found else ""
    unseen = f" {plural(without_text, 'task')} {'has' if without_text == 1 else 'have'} no text to be found by."
    return [
        f"{missing}{captions.MISSING_HOURS} Rejected tasks do not count.",
        f"Words are looked for without regard to case, within longer words too.{unseen * bool(without_text)}",
        "The same work told in other words is not found, so that shares are lower bounds.",
    ]


def _description(rows: pl.DataFrame, finding: str, named: str, population: str) -> tuple[str, str, list[str]]:
    built = f"Bars of the share of tasks whose text holds {named}, for {population}, the largest share first."
    found = rows.filter(pl.col("found") > 0)
    each = (
        f"{family} {n:,} tasks, {percent(share)}, {hours(amount) if amount is not None else 'hours not known'}"
        for family, n, share, amount in found.select("job_family", "found", "share", "hours").rows()
    )
    extremes = f"{finding}." + (f" All that have any: {'; '.join(each)}." if found.height else "")
    none = rows.filter(pl.col("found") == 0).get_column("job_family").to_list()
    return built, extremes, [f"None in {listed(none)}."] if none else []
