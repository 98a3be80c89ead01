"""Whether few tasks hold most of the hours: one curve for all work and one for the part at H1 (C9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.formatting import covered, percent, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.about import about
from tpanalytics.measures.concentration import concentration_curve
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["plot_concentration"]

_WIDTH, _HEIGHT = 430, 360
#: What is said of the curves stands right of the plot, in pixels from its left edge.
_BESIDE, _BAR = _WIDTH + 36, 210
_PARTS = {"H1": "H1, highly automatable", "all": "all work"}
_COLOURS = {"H1": theme.LEVEL_COLOURS["H1"], "all": theme.ACCENT}
#: The one on top is thin and dashed, so that both are seen where they run together.
_DASHES = {"H1": [1, 0], "all": [6, 4]}
_WIDTHS = {"H1": 4.0, "all": 2.0}
_DOTS = {"H1": 170, "all": 60}
#: Where what is said of each curve begins, in pixels from the top.
_TOPS = {"H1": 18, "all": 148}
_LINE = 128
#: Width of a stroke of the hatching, which is a character.
_STROKE = 3.06


def plot_concentration(
    profiles: TaskProfiles,
    *,
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart:
    """Draw how much of the hours the tasks with most of them hold, for all work and for its highly automatable part.

    Each curve starts with the task that takes most hours and ends with the one that takes least; the further it is
    above the straight line, the fewer tasks carry the work. The dots stand where 80 % of the hours are reached. Tasks
    without known hours are on no curve: they are hatched in the bars beside it, and counted. The chart holds points of
    the curves, nothing of any single task or job.

    Parameters
    ----------
    profiles
        As for `concentration_curve`.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing.
    states
        Validation states that count.
    privacy
        How few jobs or people a figure may tell of; where all families would be hidden, nothing is drawn. None hides
        nothing.

    Returns
    -------
    alt.LayerChart
        Restyle it as any Altair chart; write it with `save`.

    Raises
    ------
    SchemaError
        If a column is missing, or `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_concentration(load_sample())
    >>> chart.to_dict()["description"][:48]
    'Curves of the share of weekly hours over the sha'
    """
    profiles = with_cache(profiles)
    coverage = captions.released(measure_coverage, profiles, privacy, states=states)
    if not coverage.height:
        return frame.no_jobs()
    if not frame.any_shown(coverage):
        return theme.empty_chart(captions.ALL_HIDDEN, "Nothing can be said of the company without telling of them.")
    curve = concentration_curve(profiles, same_task=same_task, states=states)
    meaning = about(curve)
    ends = {row["part"]: row for row in curve.group_by("part", maintain_order=True).last().iter_rows(named=True)}
    if not any(row["tasks_with_hours"] + row["tasks_without_hours"] for row in ends.values()):
        return theme.empty_chart("No task is described", f"There are {plural(meaning.jobs, 'job')}, none with a task.")
    points = curve.drop_nulls("k")
    population = captions.jobs_and_tasks(meaning.jobs, meaning.tasks)
    finding = _finding(ends, meaning)
    return theme.assemble(
        [
            *_lines(points),
            *_beside(ends),
            theme.footer([*_notes(meaning, same_task), *captions.source_line(profiles.manifest)], below=52),
        ],
        title=finding,
        subtitle=f"Share of described weekly hours held by the tasks with most of them · {population}",
        description=_description(points, ends, meaning, population),
        width=_WIDTH,
        height=_HEIGHT,
    )


def _lines(points: pl.DataFrame) -> list[alt.Chart]:
    """Draw the curves, the line of equal hours, and where 80% are reached."""
    parts = points.get_column("part").unique(maintain_order=True).to_list()
    columns = ("part", "k", "share_of_tasks", "share_of_hours")
    first = pl.DataFrame([(part, 0, 0.0, 0.0) for part in parts], schema=points.select(columns).schema, orient="row")
    drawn = pl.concat([first, points.select(columns)]).with_columns(pl.col("share_of_tasks", "share_of_hours").round(5))
    scale = alt.Scale(domain=[0, 1], nice=False)
    share = "round(datum.value * 100) + '\u00a0%'"
    grid: dict[str, Any] = {"tickCount": 5, "labelExpr": share, "titleAnchor": "start"}
    # An axis title at the top reads without turning the head.
    x = alt.X("share_of_tasks:Q", scale=scale, axis=alt.Axis(title="share of tasks, most hours first", **grid))
    y = alt.Y(
        "share_of_hours:Q",
        scale=scale,
        axis=alt.Axis(title="share of hours", titleAngle=0, titleAlign="left", titleY=-10, titleX=-34, **grid),
    )
    even = pl.DataFrame({"share_of_tasks": [0.0, 1.0], "share_of_hours": [0.0, 1.0]})
    equal = alt.Chart(even).mark_line(stroke="#8A8A90", strokeWidth=1).encode(x=x, y=y)
    if not parts:
        return [equal]
    most = (
        points.filter(pl.col("k") == pl.col("tasks_for_80"))
        .select("part", "k", pl.col("share_of_tasks", "share_of_hours").round(5))
        .with_columns(floor=pl.lit(0.0))
    )
    marks = [equal]
    for part in (part for part in _PARTS if part in parts):
        look: dict[str, Any] = {"stroke": _COLOURS[part], "strokeWidth": _WIDTHS[part], "strokeDash": _DASHES[part]}
        mine = drawn.filter(part=part).select("share_of_tasks", "share_of_hours", "k")
        marks.append(alt.Chart(mine).mark_line(**look).encode(x=x, y=y, order=alt.Order("k:Q")))
    for part in (part for part in _PARTS if part in parts):
        reached = alt.Chart(most.filter(part=part).select("k", "share_of_tasks", "share_of_hours", "floor"))
        drop = reached.mark_rule(stroke=_COLOURS[part], strokeWidth=1, strokeDash=[2, 3])
        dot = reached.mark_point(
            shape="circle",
            filled=True,
            size=_DOTS[part],
            opacity=1,
            fill=_COLOURS[part],
            stroke="#FFFFFF",
            strokeWidth=1.5,
        )
        told = captions.tooltips(
            k=("Q", f"Tasks that hold 80 %, {_PARTS[part]}", ","),
            share_of_tasks=("Q", "Share of tasks", ".1%"),
            share_of_hours=("Q", "Share of hours", ".1%"),
        )
        marks += [drop.encode(x=x, y=y, y2=alt.Y2("floor:Q")), dot.encode(x=x, y=y, tooltip=told)]
    return marks


def _beside(ends: dict[str, Any]) -> list[alt.Chart]:
    """Describe each curve right of the plot: its name, where it reaches 80%, and how many tasks are not on it."""
    marks: list[alt.Chart] = []
    for part, row in ends.items():
        top = _TOPS[part]
        known, unknown = row["tasks_with_hours"], row["tasks_without_hours"]
        sample = _bar(
            _BESIDE, _BESIDE + 26, top, stroke=_COLOURS[part], strokeWidth=_WIDTHS[part], strokeDash=_DASHES[part]
        )
        marks += [
            sample,
            theme.note(_PARTS[part], x=_BESIDE + 34, y=top, baseline="middle", fontWeight="bold", color=theme.INK),
            theme.note(_reached(part, row), x=_BESIDE, y=top + 14, baseline="top", color=theme.INK),
        ]
        if known + unknown:
            end = _BESIDE + _BAR
            edge = min(_BESIDE + _BAR * known / (known + unknown), end - 1)
            at = top + 68
            marks += [
                _bar(_BESIDE, end, at, stroke=theme.OUTLINE, strokeWidth=12),
                _bar(_BESIDE + 1, end - 1, at, stroke="#FFFFFF", strokeWidth=10),
                *([_bar(_BESIDE + 1, edge, at, stroke=theme.SHADE, strokeWidth=10)] * (known > 0)),
                *([_hatched(edge, end - 1, at)] * (unknown > 0)),
                theme.note(_unknown(row), x=_BESIDE, y=at + 12, baseline="top", fontSize=10.5),
            ]
    return [
        *marks,
        _bar(_BESIDE, _BESIDE + 26, 288, stroke="#8A8A90", strokeWidth=1),
        theme.note("if every task took the same hours", x=_BESIDE + 34, y=288, baseline="middle"),
    ]


def _bar(start: float, end: float, y: float, **look: Any) -> alt.Chart:
    mark = alt.Chart(alt.InlineData(values=[{}])).mark_rule(**look)
    placed: alt.Chart = mark.encode(**theme.pixel_encoding(x=start, x2=end, y=y))
    return placed


def _hatched(start: float, end: float, y: float) -> alt.Chart:
    """Hatch what is not known, with one stroke at least."""
    return theme.note(
        "/" * max(1, int((end - start) / _STROKE)),
        x=round(end),
        y=round(y),
        align="right",
        baseline="middle",
        color="#6B6B6B",
    )


def _reached(part: str, row: dict[str, Any]) -> list[str]:
    if row["tasks_for_80"] is None:
        none = "no hours are known" if row["tasks_without_hours"] else "no task is rated so"
        return [none if not row["tasks_with_hours"] else "all known hours are zero"]
    of = "H1 hours" if part == "H1" else "all hours"
    share = percent(row["tasks_for_80"] / row["tasks_with_hours"])
    return [
        f"{plural(row['tasks_for_80'], 'task')} = 80\u00a0% of {of}",
        f"{share} of {plural(row['tasks_with_hours'], 'task')} with hours",
    ]


def _unknown(row: dict[str, Any]) -> str:
    if not row["tasks_without_hours"]:
        return "no task without hours"
    return f"{plural(row['tasks_without_hours'], 'task')} without hours: not on the curve"


def _finding(ends: dict[str, Any], meaning: Meaning) -> str:
    """State in how many tasks most of the H1 hours lie; of all hours where none are H1."""
    everything, part = ends["all"], ends["H1"]
    if everything["tasks_for_80"] is None:
        zero = " but zero" if everything["tasks_with_hours"] else ""
        return f"Whether few tasks hold most hours cannot be said: no hours{zero} are known"
    if meaning.grade == "C":
        share = covered(meaning.coverage["hours"])
        return f"Too little is known to say whether few tasks hold most hours: {share} of tasks have hours"
    row, of = (everything, "all described hours") if part["tasks_for_80"] is None else (part, "the H1 hours")
    share = percent(row["tasks_for_80"] / row["tasks_with_hours"])
    said = f"{row['tasks_for_80']:,} of {plural(row['tasks_with_hours'], 'task')} ({share}) hold 80\u00a0% of {of}"
    if row is part:
        share = percent(everything["tasks_for_80"] / everything["tasks_with_hours"])
        return f"{said}; in all work it takes {share} of tasks"
    return f"{said}; no hours are known at H1"


def _notes(meaning: Meaning, same_task: SameTask) -> list[str]:
    by = "id" if same_task == "id" else "wording"
    lines = [
        f"{captions.known_of(meaning, 'hours', 'level')} {captions.MISSING_HOURS}",
        f"{captions.grade_note('hours', meaning.grade)} {captions.JUDGED}",
        f"Tasks of the same {by} count once, with the hours of one incumbent in each job.",
        *meaning.warnings,
    ]
    return captions.wrapped(lines, _LINE)


def _description(points: pl.DataFrame, ends: dict[str, Any], meaning: Meaning, population: str) -> str:
    built = (
        "Curves of the share of weekly hours over the share of tasks, those with most hours first, for all work and "
        f"for its highly automatable part (H1), with the line of equal hours, for {population}."
    )
    numbers = [
        f"{_PARTS[part].capitalize() if part == 'all' else _PARTS[part]}: {', '.join(_reached(part, row))}; "
        f"{_unknown(row)}."
        for part, row in reversed(ends.items())
    ]
    shape = []
    for part in ("H1", "all"):
        first = points.filter(part=part).filter(pl.col("share_of_tasks") >= 0.1).head(1)
        if first.height:
            share, tasks = first.row(0, named=True)["share_of_hours"], first.row(0, named=True)["share_of_tasks"]
            of = "the H1 hours" if part == "H1" else "all hours"
            shape.append(f"The first {percent(tasks)} of tasks hold {percent(share)} of {of}.")
    return captions.alt_text(built, " ".join(numbers), " ".join([*shape, *_notes(meaning, "id")[:1]]))
