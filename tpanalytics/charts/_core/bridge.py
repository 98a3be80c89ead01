"""The bridge from the hours at one level before to those after, by what happened to the tasks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.formatting import covered, hours, plural
from tpanalytics.measures._core.change_notes import counts_suggested
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from tpanalytics.charts._core.frame import Groups
    from tpanalytics.measures._core.metadata import Meaning

_WIDTH, _ROW, _BAR = 430, 38, 20
_NAMES = {
    "before": "Before",
    "added": "Added tasks",
    "removed": "Removed tasks",
    "relevelled": "Rated otherwise",
    "hours_changed": "Longer or shorter",
    "newly_measured": "Newly measured",
    "after": "After",
}
#: Room right of the bars for the figure of the rightmost, as a share of what is drawn.
_ROOM = 0.2
_LESS = "#B5D9DC"


def bridge(groups: Groups, whole: dict[str, Any], meaning: Meaning) -> theme.Chart:
    """Draw a bar for each term of the change; ``whole`` is the row of `compare` for the company."""
    steps, notes = _steps(whole), _notes(whole, meaning)
    return theme.assemble(
        [*_bars(steps), theme.footer(captions.wrapped([*notes, *groups.sources]), below=44)],
        title=_finding(whole, meaning),
        subtitle=f"Weekly hours rated {whole['level']}, for one incumbent of each job · {groups.population}",
        description=_description(steps, whole, notes, groups.population),
        width=_WIDTH,
        height=len(_NAMES) * _ROW,
    )


def _steps(whole: dict[str, Any]) -> pl.DataFrame:
    """Place each term where the one before it ends, between the two totals."""
    at = whole["before"] or 0.0
    rows = [_step("before", whole["before"], at, at, whole)]
    for term in TERMS:
        change = whole[term] or 0.0  # null is nothing there
        rows.append(_step(term, whole[term], at, at + change, whole))
        at += change
    rows.append(_step("after", whole["after"], at, at, whole))
    return pl.DataFrame(rows, infer_schema_length=None)


def _step(term: str, value: float | None, start: float, end: float, whole: dict[str, Any]) -> dict[str, Any]:
    total = term in ("before", "after")
    kind = "total" if total else "measured" if term == "newly_measured" else "more" if end >= start else "less"
    return {
        "term": _named(term, whole),
        "start": float(start),
        "end": float(end),
        "most": float(max(start, end)),
        "kind": kind,
        "figure": (hours(value) if total else captions.signed_hours(value)) if value is not None else "not known",
        "said": _said(term, whole),
        "drawn": value is not None,
    }


def _said(term: str, whole: dict[str, Any]) -> str:
    """Describe a term in one line."""
    level = whole["level"]
    if term in ("before", "after"):
        tasks, known = whole[f"tasks_{term}"], whole[f"coverage_{term}"]
        if whole[term] is None:
            # The reason of a row is that of the first side which has none.
            first = term == "before" or whole["before"] is not None
            why = NONE_BECAUSE.get(whole["reason"], "not known") if first else "no task has hours and a level"
            return f"{plural(tasks, 'task')}: {why}"
        return f"{plural(tasks, 'task')}, {covered(known)} of them with hours and level"
    if term in ("added", "removed"):
        n, without = whole[f"tasks_{term}"], whole[f"tasks_{term}_unmeasured"]
        where = "not there before" if term == "added" else "not there any more"
        gaps = f", {without:,} without hours" if without else ""
        return f"{plural(n, 'task')} of any level {where}{gaps}"
    return {
        "relevelled": f"tasks that came to {level} or left it",
        "hours_changed": f"tasks at {level} whose hours changed",
        "newly_measured": "hours or levels that were or are not known: data, not work",
    }[term]


def _bars(steps: pl.DataFrame) -> list[alt.Chart]:
    names = steps.get_column("term").to_list()
    y = alt.Y(
        "term:N",
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(title=None, grid=False, labelFontSize=12, labelLimit=220),
    )
    low, high = min(*steps["start"], *steps["end"]), max(*steps["start"], *steps["end"])
    span = high - low or high or 1.0
    # So that terms can be seen beside far larger totals, the axis need not begin at 0; totals are ticks then, not bars.
    first = 0.0 if low < span else low - 0.12 * span
    domain = [first, high + _ROOM * (high - first or 1.0)]
    scale = alt.Scale(domain=domain, nice=False)
    cut = "" if first == 0 else "; the axis does not begin at 0"
    axis = alt.Axis(title=f"hours a week{cut}", titleAnchor="start", tickCount=6)
    if not steps.get_column("drawn").any():
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("start:Q", scale=scale, axis=axis)
    terms = steps.filter(pl.col("kind") != "total")
    shown = alt.Chart(terms.select("term", "start", "end", "kind", "figure", "said"))
    tooltip = captions.tooltips(
        term=("N", "Term", None), figure=("N", "Hours a week", None), said=("N", "What it is", None)
    )
    fills = alt.Scale(domain=["more", "less", "measured"], range=[theme.ACCENT, _LESS, "#FFFFFF"])
    bars = shown.mark_bar(size=_BAR, stroke=theme.OUTLINE, strokeWidth=1).encode(
        x=x, x2=alt.X2("end:Q"), y=y, color=alt.Color("kind:N", scale=fills, legend=None), tooltip=tooltip
    )
    totals = (
        alt.Chart(steps.filter(pl.col("kind") == "total", "drawn").select("term", "start"))
        .mark_tick(thickness=4, size=_BAR + 6, color=theme.INK, opacity=1)
        .encode(x=x, y=y)
    )
    links = (
        alt.Chart(_links(steps, names))
        .mark_rule(stroke=theme.MUTED, strokeWidth=1, strokeDash=[2, 2])
        .encode(x=alt.X("at:Q", scale=scale, axis=axis), y=alt.Y("term:N", sort=names), y2=alt.Y2("next:N"))
    )
    hatching = theme.hatched(alt.Chart(_strokes(terms, domain)), _BAR).encode(
        x=alt.X("at:Q", scale=scale, axis=axis), y=y
    )
    figures = (
        alt.Chart(steps.select("term", "most", "figure"))
        .mark_text(align="left", dx=7, fontSize=12, fontWeight="bold", color=theme.INK)
        .encode(x=alt.X("most:Q", scale=scale, axis=axis), y=y, text=alt.Text("figure:N"))
    )
    said = (
        alt.Chart(steps.select("term", "said"))
        .mark_text(align="left", fontSize=11, color=theme.MUTED)
        .encode(**theme.pixel_encoding(x=_WIDTH + 8), y=y, text=alt.Text("said:N"))
    )
    return [links, bars, hatching, totals, figures, said]


def _links(steps: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Link the end of each row to the beginning of the next, unless a total is not known."""
    rows = steps.select("term", "end", "drawn").rows()
    links = [
        {"term": term, "next": following[0], "at": end}
        for (term, end, drawn), following in itertools.pairwise(rows)
        if (drawn or term != names[0]) and (following[2] or following[0] != names[-1])
    ]
    return pl.DataFrame(links, schema={"term": pl.String, "next": pl.String, "at": pl.Float64})


def _strokes(terms: pl.DataFrame, domain: list[float]) -> pl.DataFrame:
    """Place the strokes of the hatching, clear of the edges of the bar."""
    per_pixel = (domain[1] - domain[0]) / _WIDTH
    places = [
        {"term": term, "at": at}
        for term, start, end in terms.filter(pl.col("kind") == "measured").select("term", "start", "end").rows()
        for at in theme.strokes(min(start, end), max(start, end), per_pixel)
    ]
    return pl.DataFrame(places, schema={"term": pl.String, "at": pl.Float64})


def _named(term: str, whole: dict[str, Any]) -> str:
    """Name a term; newly measured hours below zero are no longer measured."""
    less = term == "newly_measured" and (whole[term] or 0.0) < 0
    return "No longer measured" if less else _NAMES[term]


def _work(whole: dict[str, Any]) -> float:
    return float(sum(whole[term] or 0.0 for term in TERMS if term != "newly_measured"))


def _finding(whole: dict[str, Any], meaning: Meaning) -> str:
    """State how much of the change is work and how much measurement; not for grade C."""
    level = whole["level"]
    if not whole["tasks_before"] and not whole["tasks_after"]:
        return captions.NO_TASK_IN_EITHER
    if whole["before"] is None or whole["after"] is None:
        side = "before" if whole["before"] is None else "after"
        return f"How the hours at {level} changed cannot be shown: {side}, no task has hours and a level"
    if whole["data_grade"] == "C":
        was, now = captions.coverage_before_after(meaning)
        return (
            f"Too little is known to say how the hours at {level} changed: hours and level of {covered(was)} of tasks "
            f"before, {covered(now)} after"
        )
    change, new = whole["after"] - whole["before"], whole["newly_measured"] or 0.0
    if round(change, 1) == 0 and round(new, 1) == 0:
        return f"The hours at {level} are what they were: {hours(whole['after'])} a week"
    way = "rose" if change > 0 else "fell" if change < 0 else "stayed at"
    totals = f"from {hours(whole['before'])} to {hours(whole['after'])} a week" if change else hours(whole["after"])
    of_work = "changes in work and rating" if counts_suggested(meaning.states) else "changes in work, rating and state"
    measured = f"{captions.signed_hours(new)} {_named('newly_measured', whole).lower()}"
    parts = f"{captions.signed_hours(_work(whole))} by {of_work}, {measured}"
    if round(new, 1) == 0:
        parts = f"{captions.signed_hours(_work(whole))}, all of it by {of_work}"
    return f"Hours at {level} {way} {totals}: {parts}"


def _notes(whole: dict[str, Any], meaning: Meaning) -> list[str]:
    lines = captions.coverage_of_both(meaning)
    if not whole["tasks_before"] and not whole["tasks_after"]:
        return lines
    if captions.coverage_shifted(meaning):
        lines.append("What is known moved by more than 5 points, so the bridge is what counts, not the difference.")
    matched = (
        f"{whole['tasks_both']:,} tasks are on both sides, {whole['tasks_both_measured']:,} of them measured on both; "
        "a task rejected in between counts as removed."
    )
    return [*lines, matched, captions.grade_note("hours and a level on both sides", whole["data_grade"])]


def _description(steps: pl.DataFrame, whole: dict[str, Any], notes: list[str], of: str) -> str:
    level = whole["level"]
    built = (
        f"Bridge of bars from the weekly hours rated {level} before to those after, for {of}. "
        "Terms in fixed order: tasks added, removed, rated otherwise, longer or shorter, and hatched what is newly "
        "measured."
    )
    said = "; ".join(
        f"{term} {figure} ({what})" for term, figure, what in steps.select("term", "figure", "said").rows()
    )
    terms = [(abs(whole[term] or 0.0), _named(term, whole)) for term in TERMS]
    largest = max(terms)
    shape = f"The largest term is {largest[1].lower()}." if largest[0] else "No term moves anything."
    if whole["before"] is not None and whole["after"] is not None:
        shape += f" The terms add up to {captions.signed_hours(whole['after'] - whole['before'])}."
    return captions.alt_text(built, " ".join([f"{said}.", *notes]), shape)
