"""In which job families the tasks are that hold the words somebody looks for."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, group_rows, theme
from tpanalytics.formatting import NONE, hours, listed, percent, plural, printable, total
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.find_tasks import found_by_family, read_words
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["plot_find_tasks"]

_WIDTH, _ROW, _BAR = 470, 26, 16
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
        return theme.empty_chart("No jobs in these task profiles", "There is no task to look through.")
    guard = captions.released(found_by_family, profiles, privacy, text=text, states=states)
    # Of all families, so that bars stay as long as they are when others are chosen.
    step, top = _axis([0.0, *guard.get_column("share").drop_nulls()])
    shown = captions.chosen(guard, families)
    everyone = captions.countable(everyone, shown, families)
    rows = _rows(theme.drawable(shown))
    totals = not rows.select(captions.is_hidden().all()).item()  # where all is hidden, a total would tell it
    order = rows.get_column("job_family").to_list()
    policy = _policy(everyone) if totals else []
    return theme.finish(
        [
            *_bars(rows, order, step, top),
            *_beside(rows, order),
            theme.footer([*captions.hidden_note(shown, privacy), *policy, *captions.source_line(profiles.manifest)]),
        ],
        title=captions.titled(_finding(rows, everyone, named), families),
        subtitle=f"Share of tasks whose text holds {named} · {captions.population(everyone, totals=totals)}",
        description=_description(rows, everyone, named, policy, totals=totals),
        width=_WIDTH,
        height=len(order) * group_rows.row_height(order, _ROW),
    )


def _named(words: list[str]) -> str:
    """Write the words as in a sentence, and not all of them if they are many."""
    shown = [printable(textwrap.shorten(word, _WORDS // 2, placeholder="…")) or "" for word in words]
    while len(shown) > 1 and sum(map(len, shown)) > _WORDS:
        shown.pop()
    quoted = [f"“{word}”" for word in shown]
    return listed([*quoted, plural(len(words) - len(shown), "more word")] if len(shown) < len(words) else quoted)


def _axis(shares: list[float]) -> tuple[float, float]:
    """Say how far the marks of the axis are apart, and where it ends."""
    most = max(shares)
    step = next((step for step in _STEPS if most <= step * (_MARKS - 1)), _STEPS[-1])
    return step, min(1.0, max(1, math.ceil(round(most / step, 9))) * step)


def _rows(shown: pl.DataFrame) -> pl.DataFrame:
    """Put the largest share first, and write out what stands beside the bars, or why there is none."""
    without = pl.col("found") - pl.col("found_with_hours")
    return (
        shown.sort(pl.col("share").round(9), "found", "job_family", descending=[True, True, False], nulls_last=True)
        .with_columns(
            seen=pl.struct("found", "tasks").map_elements(
                lambda row: f"{row['found'] or 0:,} of {row['tasks'] or 0:,}", return_dtype=pl.String
            ),
            amount=pl.col("hours").map_batches(group_rows.in_column, return_dtype=pl.String),
            open=without.map_elements(lambda n: f"{n:,}" if n else NONE, return_dtype=pl.String, skip_nulls=False),
            missing=pl.when(captions.is_hidden())
            .then(pl.lit(captions.WHY_HIDDEN))
            .when(pl.col("tasks") == 0)
            .then(pl.lit("no task described"))
            .when(pl.col("found") == 0)
            .then(pl.lit("none")),
        )
        .with_columns(captions.unless_hidden("seen", "amount", "open"))
    )


def _bars(rows: pl.DataFrame, order: list[str], step: float, top: float) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    marks = [round(step * i, 4) for i in range(int(top / step + 0.5) + 1)]
    axis = alt.Axis(title=None, values=marks, labelExpr="round(datum.value * 100) + '\u00a0%'")
    if not rows.get_column("found").fill_null(0).sum():
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    known, open_ = _PARTS
    timed = pl.col("found_with_hours") / pl.col("tasks")
    told = ("job_family", "part", "start", "end", "tasks", "hours")
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
        alt.Chart(parts.select(told))
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
            tooltip=[
                alt.Tooltip("job_family:N", title="Job family"),
                alt.Tooltip("part:N", title="Tasks found, with"),
                alt.Tooltip("tasks:Q", title="How many", format=","),
                alt.Tooltip("hours:Q", title="Hours a week", format=",.1f"),
            ],
        )
    )
    per_pixel = top / _WIDTH * max(1.0, len(order) / 20)
    strokes = pl.DataFrame(
        [
            {"job_family": family, "at": at}
            for family, start, end in parts.filter(part=open_).select("job_family", "start", "end").rows()
            for at in theme.strokes(start, end, per_pixel)
        ],
        schema={"job_family": pl.String, "at": pl.Float64},
    )
    return [bars, theme.hatched(alt.Chart(strokes), _BAR).encode(x=alt.X("at:Q"), y=y)]


def _beside(rows: pl.DataFrame, order: list[str]) -> list[alt.Chart]:
    y = group_rows.family_axis(order)
    columns = [
        ("seen", "tasks found", _WIDTH + 92, False),
        ("amount", ["hours a week", "known"], _WIDTH + 176, False),
        ("open", ["without", "hours"], _WIDTH + 250, True),
    ]
    table = rows.select("job_family", "seen", "amount", "open")
    marks = [
        mark
        for field, header, x, muted in columns
        for mark in group_rows.column(table, y, field, header, x, muted=muted)
    ]
    return [*marks, *group_rows.remarks(rows, y, "missing")]


def _finding(rows: pl.DataFrame, everyone: pl.DataFrame, named: str) -> str:
    """Say how many tasks hold the words, and where they are most of the work."""
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


def _policy(everyone: pl.DataFrame) -> list[str]:
    found, timed = total(everyone, "found"), total(everyone, "found_with_hours")
    silent = total(everyone, "tasks_without_text")
    dark = found - timed
    missing = (
        f"{dark:,} of {plural(found, 'task')} found {'has' if dark == 1 else 'have'} no hours: not zero, and missing "
        "from the hours beside the bars."
        if found
        else "A task without hours is not one of zero hours."
    )
    unseen = f" {plural(silent, 'task')} {'has' if silent == 1 else 'have'} no text to be found by." if silent else ""
    return [
        f"Words are looked for without regard to case, within longer words too.{unseen}",
        "The same work told in other words is not found, so that shares are lower bounds.",
        f"{missing} Rejected tasks do not count.",
    ]


def _description(rows: pl.DataFrame, everyone: pl.DataFrame, named: str, policy: list[str], *, totals: bool) -> str:
    built = (
        f"Bars of the share of tasks whose text holds {named}, for {captions.population(everyone, totals=totals)}, the "
        "largest share first."
    )
    found = rows.filter(pl.col("found") > 0)
    each = (
        f"{family} {n:,} tasks, {percent(share)}, {hours(amount) if amount is not None else 'hours not known'}"
        for family, n, share, amount in found.select("job_family", "found", "share", "hours").rows()
    )
    extremes = f"{_finding(rows, everyone, named)}."
    extremes += f" All that have any: {'; '.join(each)}." if found.height else ""
    none = rows.filter(pl.col("found") == 0).get_column("job_family").to_list()
    shape = [f"None in {listed(none)}."] if none else []
    return theme.described(built, extremes, " ".join([*shape, *captions.hidden_names(rows), *policy]))
