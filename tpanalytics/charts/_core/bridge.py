"""Bridge chart of the change in weekly hours at an AI impact level."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from tpanalytics.charts._core import captions, theme
from tpanalytics.formatting import coverage_percent, hours, plural
from tpanalytics.measures._core.change_notes import counts_suggested
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from tpanalytics.charts._core.frame import DrawnGroups
    from tpanalytics.measures._core.metadata import Meaning

_WIDTH, _ROW, _BAR = 430, 38, 20
_NAMES = {
    "before": "Before",
    "added": "Added tasks",
    "removed": "Removed tasks",
    "relevelled": "Re-rated tasks",
    "hours_changed": "Hours changed",
    "newly_measured": "Newly measured",
    "after": "After",
}
#: Fraction of the axis range reserved for the rightmost bar's label.
_LABEL_SPACE = 0.2
_DECREASE = "#B5D9DC"


def bridge(layout: DrawnGroups, company: dict[str, Any], meaning: Meaning) -> theme.Chart:
    """Draw one bar per term of the change. `company` is the company-wide row from `compare`."""
    steps, notes = _steps(company), _notes(company, meaning)
    return theme.assemble(
        [*_bars(steps), theme.footer(captions.wrapped([*notes, *layout.sources]), below=44)],
        title=_finding(company, meaning),
        subtitle=f"Weekly hours rated {company['ai_impact_level']}, one incumbent per job · {layout.population}",
        description=_description(steps, company, notes, layout.population),
        width=_WIDTH,
        height=len(_NAMES) * _ROW,
    )


def _steps(company: dict[str, Any]) -> pl.DataFrame:
    """Return one row per bar, each starting where the previous one ends."""
    at = company["before"] or 0.0
    rows = [_step("before", company["before"], at, at, company)]
    for term in TERMS:
        change = company[term] or 0.0  # null if there are no such tasks
        rows.append(_step(term, company[term], at, at + change, company))
        at += change
    rows.append(_step("after", company["after"], at, at, company))
    return pl.DataFrame(rows, infer_schema_length=None)


def _step(term: str, value: float | None, start: float, end: float, company: dict[str, Any]) -> dict[str, Any]:
    total = term in ("before", "after")
    kind = "total" if total else "measured" if term == "newly_measured" else "more" if end >= start else "less"
    return {
        "term": _label(term, company),
        "start": float(start),
        "end": float(end),
        "most": float(max(start, end)),
        "kind": kind,
        "figure": (hours(value) if total else captions.signed_hours(value)) if value is not None else "unknown",
        "detail": _detail(term, company),
        "drawn": value is not None,
    }


def _detail(term: str, company: dict[str, Any]) -> str:
    level = company["ai_impact_level"]
    if term in ("before", "after"):
        tasks, coverage = company[f"tasks_{term}"], company[f"coverage_{term}"]
        if company[term] is None:
            # The row's reason applies to the first snapshot that has no figure.
            first = term == "before" or company["before"] is not None
            why = NULL_REASONS.get(company["reason"], "unknown") if first else "no task has hours and a level"
            return f"{plural(tasks, 'task')}: {why}"
        return f"{plural(tasks, 'task')}, {coverage_percent(coverage)} with hours and a level"
    if term in ("added", "removed"):
        n, without = company[f"tasks_{term}"], company[f"tasks_{term}_unmeasured"]
        gaps = f", {without:,} without hours" if without else ""
        return f"{plural(n, 'task')} of any level{gaps}"
    return {
        "relevelled": f"tasks re-rated to or from {level}",
        "hours_changed": f"tasks at {level} whose hours changed",
        "newly_measured": "hours or level missing in one snapshot, not a change in work",
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
    # Truncate the axis so small changes between large totals are visible. Totals are drawn as ticks instead of bars.
    first = 0.0 if low < span else low - 0.12 * span
    domain = [first, high + _LABEL_SPACE * (high - first or 1.0)]
    scale = alt.Scale(domain=domain, nice=False)
    truncated = "" if first == 0 else " (axis does not start at 0)"
    axis = alt.Axis(title=f"weekly hours{truncated}", titleAnchor="start", tickCount=6)
    if not steps.get_column("drawn").any():
        axis = alt.Axis(title=None, labels=False, grid=False)
    x = alt.X("start:Q", scale=scale, axis=axis)
    terms = steps.filter(pl.col("kind") != "total")
    base = alt.Chart(terms.select("term", "start", "end", "kind", "figure", "detail"))
    tooltip = captions.tooltips(
        term=("N", "Term", None), figure=("N", "Weekly hours", None), detail=("N", "Description", None)
    )
    fills = alt.Scale(domain=["more", "less", "measured"], range=[theme.ACCENT, _DECREASE, "#FFFFFF"])
    bars = base.mark_bar(size=_BAR, stroke=theme.OUTLINE, strokeWidth=1).encode(
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
    details = (
        alt.Chart(steps.select("term", "detail"))
        .mark_text(align="left", fontSize=11, color=theme.MUTED)
        .encode(**theme.pixel_encoding(x=_WIDTH + 8), y=y, text=alt.Text("detail:N"))
    )
    return [links, bars, hatching, totals, figures, details]


def _links(steps: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Connect each bar to the next, skipping unknown totals."""
    rows = steps.select("term", "end", "drawn").rows()
    links = [
        {"term": term, "next": following[0], "at": end}
        for (term, end, drawn), following in itertools.pairwise(rows)
        if (drawn or term != names[0]) and (following[2] or following[0] != names[-1])
    ]
    return pl.DataFrame(links, schema={"term": pl.String, "next": pl.String, "at": pl.Float64})


def _strokes(terms: pl.DataFrame, domain: list[float]) -> pl.DataFrame:
    """Return positions for the hatching strokes inside the bars."""
    per_pixel = (domain[1] - domain[0]) / _WIDTH
    positions = [
        {"term": term, "at": at}
        for term, start, end in terms.filter(pl.col("kind") == "measured").select("term", "start", "end").rows()
        for at in theme.strokes(min(start, end), max(start, end), per_pixel)
    ]
    return pl.DataFrame(positions, schema={"term": pl.String, "at": pl.Float64})


def _label(term: str, company: dict[str, Any]) -> str:
    """Return a term's label, which depends on the sign for newly measured hours."""
    less = term == "newly_measured" and (company[term] or 0.0) < 0
    return "No longer measured" if less else _NAMES[term]


def _work(company: dict[str, Any]) -> float:
    return float(sum(company[term] or 0.0 for term in TERMS if term != "newly_measured"))


def _finding(company: dict[str, Any], meaning: Meaning) -> str:
    """Return a headline that separates changes in work from newly measured hours."""
    level = company["ai_impact_level"]
    if not company["tasks_before"] and not company["tasks_after"]:
        return captions.NO_TASK_IN_EITHER
    if company["before"] is None or company["after"] is None:
        side = "before" if company["before"] is None else "after"
        return f"Change in hours at {level} cannot be shown: no task {side} has hours and a level"
    if company["data_grade"] == "C":
        was, now = captions.coverage_before_after(meaning)
        return (
            f"There is not enough data to say how hours at {level} changed: {coverage_percent(was)} of tasks before "
            f"and {coverage_percent(now)} after have hours and a level"
        )
    change, new = company["after"] - company["before"], company["newly_measured"] or 0.0
    if round(change, 1) == 0 and round(new, 1) == 0:
        return f"Hours at {level} are unchanged: {hours(company['after'])} a week"
    verb = "rose" if change > 0 else "fell" if change < 0 else "stayed at"
    totals = (
        f"from {hours(company['before'])} to {hours(company['after'])} a week" if change else hours(company["after"])
    )
    causes = "changes in work and rating" if counts_suggested(meaning.states) else "changes in work, rating and state"
    measured = f"{captions.signed_hours(new)} {_label('newly_measured', company).lower()}"
    parts = f"{captions.signed_hours(_work(company))} from {causes}, {measured}"
    if round(new, 1) == 0:
        parts = f"{captions.signed_hours(_work(company))}, all from {causes}"
    return f"Hours at {level} {verb} {totals}: {parts}"


def _notes(company: dict[str, Any], meaning: Meaning) -> list[str]:
    lines = captions.coverage_of_both(meaning)
    if not company["tasks_before"] and not company["tasks_after"]:
        return lines
    if captions.coverage_shifted(meaning):
        lines.append("Coverage changed by more than 5 percentage points: quote the terms, not the total change.")
    matched = (
        f"{company['tasks_both']:,} tasks are in both snapshots, {company['tasks_both_measured']:,} of them with hours "
        "and a level in both. A task that was rejected between the snapshots counts as removed."
    )
    return [*lines, matched, captions.grade_note("hours and a level in both snapshots", company["data_grade"])]


def _description(steps: pl.DataFrame, company: dict[str, Any], notes: list[str], of: str) -> str:
    level = company["ai_impact_level"]
    built = (
        f"Bridge chart from the weekly hours rated {level} before to the hours after, for {of}. "
        "Bars in fixed order: tasks added, removed, re-rated, hours changed, and newly measured (hatched)."
    )
    figures = "; ".join(
        f"{term} {figure} ({detail})" for term, figure, detail in steps.select("term", "figure", "detail").rows()
    )
    terms = [(abs(company[term] or 0.0), _label(term, company)) for term in TERMS]
    largest = max(terms)
    shape = f"The largest term is {largest[1].lower()}." if largest[0] else "All terms are zero."
    if company["before"] is not None and company["after"] is not None:
        shape += f" The terms add up to {captions.signed_hours(company['after'] - company['before'])}."
    return captions.alt_text(built, " ".join([f"{figures}.", *notes]), shape)
