"""Headline cards in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import NONE, coverage_percent, percent, plural
from tpanalytics.measures._core.metadata import STATES_UNKNOWN, grade_of, no_known_level
from tpanalytics.measures._core.staff import NEEDED
from tpanalytics.share.report.tables import SEPARATOR, between, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.share.report.results import Results
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["MISSING", "Card", "cards", "sentences"]

_AT_H1 = pl.col("ai_impact_level") == "H1"
#: Matches the label of a group with a missing value, such as "(no job family)".
MISSING = r"(^| · )\(no [^()]*\)"
_GRADES = {"A": "high coverage", "B": "medium coverage", "C": "low coverage; do not quote on its own"}


@dataclass(frozen=True)
class Card:
    """A headline figure."""

    key: str
    name: str
    value: str
    unit: str
    interval: str
    grade: str
    grade_label: str
    comparator: str
    caveat: str
    interval_label: str = "Range"


def cards(scope: ReportScope, results: Results) -> list[Card]:
    """Return the cards, or an empty list if there are no jobs or if totals would reveal suppressed groups."""
    if scope.all_suppressed or not scope.shown.jobs.height:
        return []
    return [_automatable(results, scope), _exposure(results, scope), _hours(results), _coverage(results, scope)]


def sentences(scope: ReportScope, results: Results) -> list[str]:
    """Return the notes that apply to all figures."""
    lines = [
        "Exposure estimates potential change, not job losses.",
        "Hours measure capacity, not headcount.",
    ]
    row = _first(results.totals["hours"])
    if not scope.all_suppressed and row.get("tasks"):
        missing = percent(1 - row["tasks_with_hours"] / row["tasks"])
        lines += [f"{missing} of tasks have no hours. They are excluded, not counted as zero.", _judgements(scope)]
    else:
        lines += ["Missing hours are excluded, not counted as zero.", "AI impact levels are judgements."]
    lines += scope.grouping.overlap_notes(None)
    lines.append("The formulas are defined by tpanalytics, not by the source of the data.")
    lines.append(
        f"The export contains {plural(scope.profiles.jobs.height, 'job')} and may be a subset of the tenant's jobs."
    )
    return lines


def _judgements(scope: ReportScope) -> str:
    states = pl.col("validation_state").cast(pl.String)
    counted = scope.shown.tasks.filter(states.is_in(list(scope.states)))  # not those without a state
    if not counted.height:
        return f"AI impact levels are judgements. {STATES_UNKNOWN}"
    validated = counted.filter(states == "validated").height
    return f"AI impact levels are judgements. {coverage_percent(validated / counted.height)} of tasks are validated."


def _automatable(results: Results, scope: ReportScope) -> Card:
    total = results.totals["mix"]
    row = _first(total.filter(_AT_H1))
    if not row:  # no hours at H1, or no tasks
        first = _first(total)
        known = first.get("share") is not None and not no_known_level(total.get_column("ai_impact_level").drop_nulls())
        value = 0.0 if known and total.get_column("share").sum() else None
        row = {"share": value, "share_low": None, "share_high": None, "data_grade": first.get("data_grade")}
    return Card(
        key="automatable",
        name="Highly automatable",
        value=percent(row["share"]),
        unit=f"of {scope.work}",
        interval=_between(row["share_low"], row["share_high"], "share"),
        comparator=_comparator(results, "mix", "share", percent, scope.grouping.noun),
        caveat="Not a share of jobs or people.",
        **_grade(row["data_grade"]),
    )


def _exposure(results: Results, scope: ReportScope) -> Card:
    row = _first(results.totals["exposure"])
    value, low, high = (row.get(name) for name in ("exposure", "bound_low", "bound_high"))
    low_coverage = row.get("data_grade") == "C" and None not in (low, high)  # coverage is too low for a single number
    estimate = f"{value:.2f}" if low_coverage and value is not None else ""
    return Card(
        key="exposure",
        name="Exposure index",
        value=between(low, high, "index") if low_coverage else NONE if value is None else f"{value:.2f}",
        unit="from 0 to 1, hours weighted by level",
        interval=f"{estimate}, based on known data" if estimate else _between(low, high, "index"),
        comparator=_comparator(results, "exposure", "exposure", lambda share: f"{share:.2f}", scope.grouping.noun),
        caveat="Potential change, not job losses.",
        interval_label="Estimate" if estimate else "Range",
        **_grade(row.get("data_grade")),
    )


def _hours(results: Results) -> Card:
    row = _first(results.totals["hours"])
    value, upper, per_job = (row.get(name) for name in ("hours", "hours_high", "hours_per_job"))
    comparator = ""
    if per_job is not None and results.company:
        comparator = f"{per_job:.1f} per job; company {_first(results.company['hours'])['hours_per_job']:.1f}"
    elif per_job is not None:
        comparator = f"{per_job:.1f} per job, for {plural(row['jobs_with_hours'], 'job')} with hours"
    return Card(
        key="hours",
        name="Documented weekly hours",
        value=NONE if value is None else f"{value:,.0f}",
        unit="for one incumbent per job",
        interval="" if value is None or upper is None else f"{value:,.0f} to {upper:,.0f}",
        comparator=comparator,
        caveat="Capacity, not headcount.",
        **_grade(grade_of(row.get("coverage"))),
    )


def _coverage(results: Results, scope: ReportScope) -> Card:
    row = _first(results.totals["mix"])
    with_hours = _first(results.totals["hours"]).get("coverage")
    company = f"company {coverage_percent(_first(results.company['mix'])['coverage'])}" if results.company else ""
    return Card(
        key="known",
        name="Coverage",
        value=coverage_percent(row.get("coverage")),
        unit=f"of tasks have {NEEDED[scope.weight]}",
        interval="" if with_hours is None else f"{coverage_percent(with_hours)} of tasks",
        comparator=company,
        caveat="Missing data are not counted as zero and may differ from known data.",
        interval_label="Hours",
        **_grade(row.get("data_grade")),
    )


def _first(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True) if frame.height else {}


def _between(low: float | None, high: float | None, kind: Any) -> str:
    if low is None or high is None:
        return "unknown"
    text = between(low, high, kind)
    if SEPARATOR not in text:
        return f"{text}, allowing for missing data"
    return f"{number(low, kind)} to {number(high, kind)}"


def _grade(letter: str | None) -> dict[str, str]:
    return {"grade": letter or NONE, "grade_label": _GRADES.get(letter or "", "no data")}


def _comparator(results: Results, key: str, name: str, format_value: Callable[[Any], str], noun: str) -> str:
    """Return the company figure in group reports, otherwise the highest and lowest groups graded A or B."""
    at_h1 = _AT_H1 if key == "mix" else pl.lit(value=True)
    if results.company:
        value = _first(results.company[key].filter(at_h1)).get(name)
        return "" if value is None else f"company {format_value(value)}"
    is_missing = pl.col("group").str.contains(MISSING)
    comparable = (
        results.groups[key]
        .filter(at_h1, pl.col(name).is_not_null(), pl.col("data_grade").is_in(["A", "B"]), ~is_missing)
        .sort(name, "group", descending=[True, False])
    )
    if comparable.height < 2:
        return ""
    ends = [comparable.select("group", name).row(n) for n in (0, -1)]
    if format_value(ends[0][1]) == format_value(ends[1][1]):
        return f"{format_value(ends[0][1])} in {plural(comparable.height, noun)}"
    return "; ".join(
        f"{label} {group}, {format_value(value)}"
        for label, (group, value) in zip(("highest", "lowest"), ends, strict=True)
    )
