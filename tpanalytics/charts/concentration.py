"""Chart of how weekly hours are concentrated in a few tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, frame, theme
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.charts._core.panels import Panel, draw_panels, more_panels
from tpanalytics.formatting import coverage_percent, listed, percent, plural
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.metadata import grade
from tpanalytics.measures._core.task_identity import BY_TEXT
from tpanalytics.measures.about import about
from tpanalytics.measures.concentration import concentration_curve
from tpanalytics.measures.coverage import coverage as measure_coverage
from tpanalytics.measures.privacy.policy import SUPPRESSED, USUAL
from tpanalytics.measures.privacy.release import filter_groups, release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tpanalytics.charts._core.grouping import Grouping
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["plot_concentration"]

_WIDTH, _HEIGHT = 430, 360
#: Left edge of the legend and width of the legend bars, in pixels.
_LEGEND, _BAR = _WIDTH + 36, 210
_PARTS = {"H1": "H1, highly automatable", "all": "all work"}
_COLOURS = {"H1": theme.LEVEL_COLOURS["H1"], "all": theme.ACCENT}
#: The curve drawn last is thin and dashed, so both curves stay visible where they overlap.
_DASHES = {"H1": [1, 0], "all": [6, 4]}
_WIDTHS = {"H1": 4.0, "all": 2.0}
_DOTS = {"H1": 170, "all": 60}
#: Vertical position of each legend entry in pixels.
_TOPS = {"H1": 18, "all": 148}
_LINE = 128
#: Width of a hatching stroke in pixels. Strokes are drawn as slashes.
_STROKE = 3.06
#: Number of points of a curve in a panel.
_STEPS = 40


def plot_concentration(
    profiles: TaskProfiles,
    *,
    by: By = None,
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    top: int = 24,
    privacy: Privacy | None = USUAL,
) -> alt.LayerChart | alt.ConcatChart:
    """Draw the cumulative share of hours against the share of tasks, for all work and for H1 work.

    Tasks are sorted by hours, longest first. The further a curve is above the diagonal, the fewer tasks take up most
    of the hours. Dots mark 80% of the hours. Tasks with missing hours are excluded from the curves. The legend shows
    how many there are, and the share (hatched). The chart contains no task names. With `by`, there is a panel per
    group, with the most concentrated first.

    Parameters
    ----------
    profiles
        Task profiles with the columns read by `concentration_curve`.
    by
        Column of the jobs, people or tasks that defines the groups, a list of columns, or None for all jobs together.
    same_task
        Match tasks by ``"id"`` or by ``"text"``, ignoring case and spacing.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    groups
        Groups to draw, or None for all. The figures do not depend on the selection.
    top
        Number of groups to draw, 1 to 40, with the most concentrated first.
    privacy
        Thresholds for suppressing small groups. A curve based on too few jobs or people is not drawn. If None, nothing
        is suppressed.

    Returns
    -------
    alt.LayerChart or alt.ConcatChart
        An Altair chart that you can customize or pass to `save`.

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid or a group does not exist.

    Warns
    -----
    TpAnalyticsWarning
        If tasks in an unknown validation state are excluded.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> chart = plot_concentration(load_sample())
    >>> chart.to_dict()["description"][:48]
    'Curves of the cumulative share of weekly hours a'
    """
    check_whole("top", top, "a whole number from 1 to 40", least=1, most=40)
    profiles = with_cache(profiles)
    if (words := grouping(profiles, by)).by:
        how: dict[str, Any] = {"by": by, "states": states}
        curves = captions.released(concentration_curve, profiles, privacy, same_task=same_task, **how)
        coverage = captions.labelled(measure_coverage(profiles, **how))
        return _panels(profiles, filter_groups(curves, groups), coverage, words, same_task, top)
    coverage = captions.released(measure_coverage, profiles, privacy, by=None, states=states)
    if not coverage.height:
        return frame.no_jobs()
    layout = frame.groups(coverage, coverage, profiles, privacy, grouping(profiles, None))
    if not layout.totals:
        return frame.all_suppressed_chart(layout)
    curve = release(concentration_curve, profiles, privacy=privacy, same_task=same_task, states=states)
    meaning = about(curve)
    ends = {row["part"]: row for row in curve.group_by("part", maintain_order=True).last().iter_rows(named=True)}
    if not any(ends["all"][name] for name in ("tasks_with_hours", "tasks_without_hours")):
        return theme.empty_chart("No tasks in these task profiles", f"Checked {plural(meaning.jobs, 'job')}.")
    points = pl.DataFrame(curve.drop_nulls("k"))
    population = captions.jobs_and_tasks(meaning.jobs, meaning.tasks)
    return theme.assemble(
        [
            *_lines(points),
            *_legend(ends),
            theme.footer([*_footnotes(meaning, same_task), *captions.source_line(profiles.manifest)], below=52),
        ],
        title=_headline(ends, meaning),
        subtitle=f"Cumulative share of documented weekly hours by share of tasks · {population}",
        description=_description(points, ends, meaning, population),
        width=_WIDTH,
        height=_HEIGHT,
    )


def _lines(points: pl.DataFrame) -> list[alt.Chart]:
    """Draw the curves, the diagonal, and the dots that mark 80% of the hours."""
    parts = points.get_column("part").unique(maintain_order=True).to_list()
    columns = ("part", "k", "share_of_tasks", "share_of_hours")
    first = pl.DataFrame([(part, 0, 0.0, 0.0) for part in parts], schema=points.select(columns).schema, orient="row")
    drawn = pl.concat([first, points.select(columns)]).with_columns(pl.col("share_of_tasks", "share_of_hours").round(5))
    scale = alt.Scale(domain=[0, 1], nice=False)
    share = "round(datum.value * 100) + '%'"
    grid: dict[str, Any] = {"tickCount": 5, "labelExpr": share, "titleAnchor": "start"}
    x = alt.X("share_of_tasks:Q", scale=scale, axis=alt.Axis(title="share of tasks, longest first", **grid))
    y = alt.Y(
        "share_of_hours:Q",
        scale=scale,
        axis=alt.Axis(title="share of hours", titleAngle=0, titleAlign="left", titleY=-10, titleX=-34, **grid),
    )
    even = pl.DataFrame({"share_of_tasks": [0.0, 1.0], "share_of_hours": [0.0, 1.0]})
    equal = alt.Chart(even).mark_line(stroke="#8A8A90", strokeWidth=1).encode(x=x, y=y)
    if not parts:
        return [equal]
    at_80 = (
        points.filter(pl.col("k") == pl.col("tasks_for_80"))
        .select("part", "k", pl.col("share_of_tasks", "share_of_hours").round(5))
        .with_columns(floor=pl.lit(0.0))
    )
    marks = [equal]
    for part in (part for part in _PARTS if part in parts):
        look: dict[str, Any] = {"stroke": _COLOURS[part], "strokeWidth": _WIDTHS[part], "strokeDash": _DASHES[part]}
        curve = drawn.filter(part=part).select("share_of_tasks", "share_of_hours", "k")
        marks.append(alt.Chart(curve).mark_line(**look).encode(x=x, y=y, order=alt.Order("k:Q")))
    for part in (part for part in _PARTS if part in parts):
        reached = alt.Chart(at_80.filter(part=part).select("k", "share_of_tasks", "share_of_hours", "floor"))
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
        tooltip = captions.tooltips(
            k=("Q", f"Tasks with 80% of the hours, {_PARTS[part]}", ","),
            share_of_tasks=("Q", "Share of tasks", ".1%"),
            share_of_hours=("Q", "Share of hours", ".1%"),
        )
        marks += [drop.encode(x=x, y=y, y2=alt.Y2("floor:Q")), dot.encode(x=x, y=y, tooltip=tooltip)]
    return marks


def _legend(ends: dict[str, Any]) -> list[alt.Chart]:
    """Draw a legend entry for each curve. It shows how many tasks reach 80% of the hours, and how many lack hours."""
    marks: list[alt.Chart] = []
    for part, row in ends.items():
        top = _TOPS[part]
        known, unknown = row["tasks_with_hours"] or 0, row["tasks_without_hours"] or 0
        sample = _bar(
            _LEGEND, _LEGEND + 26, top, stroke=_COLOURS[part], strokeWidth=_WIDTHS[part], strokeDash=_DASHES[part]
        )
        marks += [
            sample,
            theme.note(_PARTS[part], x=_LEGEND + 34, y=top, baseline="middle", fontWeight="bold", color=theme.INK),
            theme.note(_reached(part, row), x=_LEGEND, y=top + 14, baseline="top", color=theme.INK),
        ]
        if known + unknown:
            end = _LEGEND + _BAR
            edge = min(_LEGEND + _BAR * known / (known + unknown), end - 1)
            at = top + 68
            marks += [
                _bar(_LEGEND, end, at, stroke=theme.OUTLINE, strokeWidth=12),
                _bar(_LEGEND + 1, end - 1, at, stroke="#FFFFFF", strokeWidth=10),
                *([_bar(_LEGEND + 1, edge, at, stroke=theme.SHADE, strokeWidth=10)] * (known > 0)),
                *([_hatched(edge, end - 1, at)] * (unknown > 0)),
                theme.note(_without_hours(row), x=_LEGEND, y=at + 12, baseline="top", fontSize=10.5),
            ]
    return [
        *marks,
        _bar(_LEGEND, _LEGEND + 26, 288, stroke="#8A8A90", strokeWidth=1),
        theme.note("if all tasks took equal hours", x=_LEGEND + 34, y=288, baseline="middle"),
    ]


def _bar(start: float, end: float, y: float, **look: Any) -> alt.Chart:
    mark = alt.Chart(alt.InlineData(values=[{}])).mark_rule(**look)
    placed: alt.Chart = mark.encode(**theme.pixel_encoding(x=start, x2=end, y=y))
    return placed


def _hatched(start: float, end: float, y: float) -> alt.Chart:
    """Hatch part of a bar, using at least one stroke."""
    return theme.note(
        "/" * max(1, int((end - start) / _STROKE)),
        x=round(end),
        y=round(y),
        align="right",
        baseline="middle",
        color="#6B6B6B",
    )


def _reached(part: str, row: dict[str, Any]) -> list[str]:
    if row.get("reason") == SUPPRESSED:
        return [captions.SUPPRESSED_LABEL]
    if row["tasks_for_80"] is None:
        none = "no documented hours" if row["tasks_without_hours"] else "no task at this level"
        return [none if not row["tasks_with_hours"] else "all documented hours are zero"]
    of = "H1 hours" if part == "H1" else "all hours"
    share = percent(row["tasks_for_80"] / row["tasks_with_hours"])
    return [
        f"{plural(row['tasks_for_80'], 'task')} = 80% of {of}",
        f"{share} of {plural(row['tasks_with_hours'], 'task')} with hours",
    ]


def _without_hours(row: dict[str, Any]) -> str:
    if row.get("reason") == SUPPRESSED:
        return "no curve is drawn"
    if not row["tasks_without_hours"]:
        return "all tasks have hours"
    return f"{plural(row['tasks_without_hours'], 'task')} without hours, not on the curve"


def _headline(ends: dict[str, Any], meaning: Meaning) -> str:
    """Return a headline with the number of tasks that take up 80% of the H1 hours, or of all hours without H1."""
    everything, part = ends["all"], ends["H1"]
    if everything["tasks_for_80"] is None:
        reason = "all documented hours are zero" if everything["tasks_with_hours"] else "no hours are documented"
        return f"The concentration of hours is unknown: {reason}"
    if meaning.grade == "C":
        share = coverage_percent(meaning.coverage["hours"])
        return f"There is not enough data to show the concentration of hours: {share} of tasks have hours"
    row, of = (everything, "all documented hours") if part["tasks_for_80"] is None else (part, "the H1 hours")
    share = percent(row["tasks_for_80"] / row["tasks_with_hours"])
    take = "takes" if row["tasks_for_80"] == 1 else "take"
    headline = f"{row['tasks_for_80']:,} of {plural(row['tasks_with_hours'], 'task')} ({share}) {take} up 80% of {of}"
    if row is part:
        share = percent(everything["tasks_for_80"] / everything["tasks_with_hours"])
        return f"{headline}, compared with {share} of tasks for all work"
    if part.get("reason") == SUPPRESSED:
        return headline
    return f"{headline}; no hours are documented at H1"


def _footnotes(meaning: Meaning, same_task: SameTask) -> list[str]:
    key = "text" if same_task == "text" or BY_TEXT in meaning.warnings else "id"
    lines = [
        f"{captions.coverage_of(meaning, 'hours', 'level')} {captions.MISSING_HOURS}",
        f"{captions.grade_note('hours', meaning.grade)} {captions.LEVELS_NOTE}",
        f"Tasks with the same {key} count as one task, with the hours of one incumbent of each job.",
        *meaning.warnings,
    ]
    return captions.wrapped(lines, _LINE)


def _description(points: pl.DataFrame, ends: dict[str, Any], meaning: Meaning, population: str) -> str:
    summary = (
        "Curves of the cumulative share of weekly hours against the share of tasks, longest first, for all work and "
        f"for its highly automatable part (H1), with a diagonal for equal hours, for {population}."
    )
    numbers = [
        f"{_PARTS[part].capitalize() if part == 'all' else _PARTS[part]}: {', '.join(_reached(part, row))}; "
        f"{_without_hours(row)}."
        for part, row in reversed(ends.items())
    ]
    shape = []
    for part in ("H1", "all"):
        first = points.filter(part=part).filter(pl.col("share_of_tasks") >= 0.1).head(1)
        if first.height:
            share, tasks = first.row(0, named=True)["share_of_hours"], first.row(0, named=True)["share_of_tasks"]
            of = "the H1 hours" if part == "H1" else "all hours"
            shape.append(f"The first {percent(tasks)} of tasks take up {percent(share)} of {of}.")
    return captions.alt_text(summary, " ".join(numbers), " ".join([*shape, *_footnotes(meaning, "id")[:1]]))


# several curves -------------------------------------------------------------------------------------------------------

#: Headlines only compare shares of tasks that differ by at least this much.
_SIMILAR = 0.02


def _panels(
    profiles: TaskProfiles, curves: pl.DataFrame, coverage: pl.DataFrame, words: Grouping, same_task: SameTask, top: int
) -> theme.Chart | theme.Panels:
    meaning, sources = about(curves), captions.source_line(profiles.manifest)
    if not curves.height:
        return frame.no_jobs()
    population = ", ".join(
        [
            *([captions.population(words, curves)] if words.by != ("job_id",) else []),
            captions.jobs_and_tasks(meaning.jobs, meaning.tasks),
        ]
    )
    curves = pl.DataFrame(curves).join(coverage.select("group", "hours_coverage"), on="group", how="left")
    curves = theme.sanitize_labels(frame.with_job_names(curves))
    rows = _groups_of(curves)
    shown = rows.filter(pl.col("tasks_for_80").is_not_null())
    if not shown.height:
        names, unknown = captions.suppressed_names(rows), "The concentration of hours is unknown"
        title = words.all_suppressed if names else f"{unknown}: no hours are documented"
        lines = captions.wrapped([*names, *sources])
        return theme.assemble(
            [theme.note(lines, x=0, y=8)],
            title=title,
            subtitle=population,
            description=captions.alt_text(f"{title}.", " ".join(names)),
            width=620,
            height=16 * max(len(lines), 1),
        )
    drawn = shown.head(top)
    points = curves.filter(pl.col("group").is_in(drawn["group"].to_list())).drop_nulls("k")
    panels = [
        Panel(row["group"], _panel_detail(row), _panel_marks(points.filter(pl.col("group") == row["group"])))
        for row in drawn.iter_rows(named=True)
    ]
    title, notes = (
        _headline_of_panels(words.spoken(drawn), words, every=drawn.height == shown.height),
        _footnotes_of_panels(rows, drawn.height, words, same_task),
    )
    shares = [f"{group} {percent(share)}" for group, share in drawn.select("group", "share").rows()]
    return draw_panels(
        panels,
        [*notes, *words.overlap_notes("hours"), *meaning.warnings, *sources],
        axes=("share of tasks, longest first", "share of hours"),
        title=title,
        subtitle=f"Cumulative share of documented weekly hours by share of tasks · dark: H1, dashed: all work · "
        f"{population}",
        description=captions.alt_text(
            "Panels with curves of the cumulative share of weekly hours against the share of tasks, longest first, "
            f"for all work and for its highly automatable part (H1), per {words.noun}.",
            f"Share of tasks that take up 80% of the hours: {listed(shares)}.",
            " ".join(notes[:1]),
        ),
    )


def _groups_of(curves: pl.DataFrame) -> pl.DataFrame:
    """Return one row per group, with the most concentrated first and the share of tasks with 80% of the hours."""
    # Rows of suppressed jobs have no part.
    rows = curves.filter((pl.col("part") == "all") | pl.col("part").is_null())
    return (
        rows.unique("group", keep="first", maintain_order=True)
        .with_columns(
            share=pl.col("tasks_for_80") / pl.col("tasks_with_hours"), data_grade=grade(pl.col("hours_coverage"))
        )
        .sort(pl.col("share").round(9), "group", nulls_last=True)
    )


def _panel_detail(row: dict[str, Any]) -> str:
    of = f"{row['tasks_for_80']:,} of {plural(row['tasks_with_hours'], 'task')} = 80%"
    return f"{of}, grade {row['data_grade'] or 'none'}"


def _panel_marks(points: pl.DataFrame) -> Callable[[dict[str, Any], dict[str, Any]], list[alt.Chart]]:
    def marks(x: dict[str, Any], y: dict[str, Any]) -> list[alt.Chart]:
        across, up = alt.X("share_of_tasks:Q", **x), alt.Y("share_of_hours:Q", **y)
        even = alt.Chart(pl.DataFrame({"share_of_tasks": [0.0, 1.0], "share_of_hours": [0.0, 1.0]}))
        drawn = [even.mark_line(stroke="#8A8A90", strokeWidth=1).encode(x=across, y=up)]
        for part in ("H1", "all"):
            of_part = points.filter(part=part)
            if of_part.height:
                curve = _thinned(of_part.select("share_of_tasks", "share_of_hours"))
                look: dict[str, Any] = {"stroke": _COLOURS[part], "strokeDash": _DASHES[part]}
                line = alt.Chart(curve).mark_line(strokeWidth=_WIDTHS[part] * 0.75, **look)
                drawn.append(line.encode(x=across, y=up))
        return drawn + _panel_dot(points)

    return marks


def _thinned(curve: pl.DataFrame) -> pl.DataFrame:
    """Return the origin and up to `_STEPS` points at similar distances, which look like the full curve in a panel."""
    places = curve.with_columns(
        place=(pl.sum_horizontal("share_of_tasks", "share_of_hours") / 2 * (_STEPS - 1)).floor()
    )
    kept = places.unique("place", keep="last", maintain_order=True).drop("place")
    origin = pl.DataFrame([(0.0, 0.0)], schema=curve.schema, orient="row")
    return pl.concat([origin, kept]).with_columns(pl.all().round(3))


def _panel_dot(points: pl.DataFrame) -> list[alt.Chart]:
    """Mark where the curve of all work reaches 80% of the hours, and print the share of tasks."""
    at_80 = points.filter(pl.col("part") == "all", pl.col("k") == pl.col("tasks_for_80"))
    value = pl.col("share_of_tasks").map_elements(percent, return_dtype=pl.String)
    table = at_80.select(pl.col("share_of_tasks", "share_of_hours").round(5), "k", value=value)
    dot = alt.Chart(table).encode(x=alt.X("share_of_tasks:Q"), y=alt.Y("share_of_hours:Q"))
    tooltip = captions.tooltips("share_of_tasks", "share_of_hours", k=("Q", "Tasks with 80% of the hours", ","))
    return [
        dot.mark_point(
            shape="circle", filled=True, size=50, opacity=1, fill=theme.ACCENT, stroke="#FFFFFF", strokeWidth=1.2
        ).encode(tooltip=tooltip),
        dot.mark_text(align="right", baseline="bottom", dx=-6, dy=-3, fontSize=11, fontWeight="bold").encode(
            text=alt.Text("value:N")
        ),
    ]


def _headline_of_panels(drawn: pl.DataFrame, words: Grouping, *, every: bool) -> str:
    """Return the range of the share of tasks that take up 80% of the hours, ignoring grade C."""
    safe = drawn.filter(pl.col("data_grade").is_in(["A", "B"]) & words.is_named())
    if not safe.height:
        return f"There is not enough data to compare the concentration of hours of {words.nouns}"
    (first, low), (last, high) = safe.select("group", "share").row(0), safe.select("group", "share").row(-1)
    if safe.height == 1:
        return words.headline(first, f"{percent(low)} of tasks take up 80% of all documented hours")
    if not every:
        return f"Hours are most concentrated in {first}: {percent(low)} of tasks take up 80% of them"
    scope = f" among {words.many} with enough data" if safe.height < drawn.height else ""
    if high - low < _SIMILAR or percent(low) == percent(high):
        return f"About {percent(low)} of tasks take up 80% of the hours in every {words.one}{scope}"
    return (
        f"Hours are most concentrated in {first}{scope}: {percent(low)} of tasks take up 80% of them, "
        f"compared with {percent(high)} in {last}"
    )


def _footnotes_of_panels(rows: pl.DataFrame, n_drawn: int, words: Grouping, same_task: SameTask) -> list[str]:
    suppressed = rows.filter(captions.is_suppressed())
    unknown = rows.filter(pl.col("tasks_for_80").is_null() & ~captions.is_suppressed()).get_column("group").to_list()
    n_shown = rows.height - suppressed.height - len(unknown)
    return [
        *more_panels(n_shown - n_drawn, words.counted(n_shown)),
        *captions.suppressed_names(rows),
        *([f"No documented hours: {listed(unknown)}."] if unknown else []),
        f"The dot marks 80% of the hours. The straight line shows equal hours. {captions.MISSING_HOURS}",
        captions.grade_note("hours"),
        f"Tasks with the same {same_task} count as one task, with the hours of one incumbent of each job.",
    ]
