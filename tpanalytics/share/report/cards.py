"""The headline cards: one number each, with its interval, its grade, what to compare it with, and what it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import NONE, covered, percent, plural
from tpanalytics.measures._core.metadata import grade_of
from tpanalytics.schema import NO_FAMILY
from tpanalytics.share.report.tables import TO, between

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.share.report.results import Results
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["Card", "cards", "sentences"]

_AT_H1 = pl.col("level") == "H1"
#: A word beside the letter, for those who meet it first on a card.
_GRADES = {"A": "well known", "B": "mostly known", "C": "too little known to quote alone"}


@dataclass(frozen=True)
class Card:
    """One number for the board."""

    key: str
    name: str
    value: str
    unit: str
    interval: str
    grade: str
    graded: str
    comparator: str
    not_mean: str


def cards(scope: ReportScope, results: Results) -> list[Card]:
    """Return the cards; none where a total would reveal what is suppressed, or where there is nothing."""
    if scope.all_hidden or not scope.shown.jobs.height:
        return []
    return [_automatable(results), _exposure(results), _hours(results), _known(results)]


def sentences(scope: ReportScope, results: Results) -> list[str]:
    """Return what must be stated with every figure, with the numbers of these data."""
    lines = [
        "Exposure says what could change, not who leaves.",
        "Hours equal to n full-time weeks are not n posts.",
    ]
    row = _first(results.totals["hours"])
    if not scope.all_hidden and row.get("tasks"):
        missing = percent(1 - row["tasks_with_hours"] / row["tasks"])
        lines += [f"{missing} of tasks have no hours; they are not zero.", _judgements(scope)]
    else:
        lines += ["A task without hours is not a task of zero hours.", "Levels are judgements."]
    lines.append("The formulas are ours, not the service's.")
    jobs = scope.profiles.jobs.height
    lines.append(
        f"An export may be a subset of the tenant: {plural(jobs, 'job')} {'was' if jobs == 1 else 'were'} seen."
    )
    return lines


def _judgements(scope: ReportScope) -> str:
    states = pl.col("validation_state").cast(pl.String)
    counted = scope.shown.tasks.filter(states.is_in(list(scope.states)))
    validated = counted.filter(states == "validated").height
    return f"Levels are judgements: {covered(validated / counted.height)} of tasks are validated."


def _automatable(results: Results) -> Card:
    total = results.totals["mix"]
    row = _first(total.filter(_AT_H1))
    if not row:  # nothing is at H1, or there is no task
        first = _first(total)
        value = 0.0 if first.get("share") is not None and total.get_column("share").sum() else None
        row = {"share": value, "share_low": None, "share_high": None, "data_grade": first.get("data_grade")}
    return Card(
        key="automatable",
        name="Highly automatable",
        value=percent(row["share"]),
        unit="of described weekly hours",
        interval=_between(row["share_low"], row["share_high"], "share"),
        comparator=_comparator(results, "mix", "share", percent),
        not_mean="Not a share of jobs, and not of people.",
        **_graded(row["data_grade"]),
    )


def _exposure(results: Results) -> Card:
    row = _first(results.totals["exposure"])
    value, low, high = (row.get(name) for name in ("exposure", "bound_low", "bound_high"))
    weak = row.get("data_grade") == "C" and None not in (low, high)  # coverage is too low for one number
    return Card(
        key="exposure",
        name="Exposure index",
        value=between(low, high, "index") if weak else NONE if value is None else f"{value:.2f}",
        unit="from 0 to 1, hours times weight",
        interval=f"{value:.2f} by what is known" if weak and value is not None else _between(low, high, "index"),
        comparator=_comparator(results, "exposure", "exposure", lambda share: f"{share:.2f}"),
        not_mean="Says what could change, not who leaves.",
        **_graded(row.get("data_grade")),
    )


def _hours(results: Results) -> Card:
    row = _first(results.totals["hours"])
    value, most, per_job = (row.get(name) for name in ("hours", "hours_high", "hours_per_job"))
    comparator = ""
    if per_job is not None and results.company:
        comparator = f"{per_job:.1f} a job; the company {_first(results.company['hours'])['hours_per_job']:.1f}"
    elif per_job is not None:
        comparator = f"{per_job:.1f} a job, of {plural(row['jobs_with_hours'], 'job')} with hours"
    return Card(
        key="hours",
        name="Described hours a week",
        value=NONE if value is None else f"{value:,.0f}",
        unit="for one incumbent of each job",
        interval="" if value is None or most is None else f"between {value:,.0f} and {most:,.0f}",
        comparator=comparator,
        not_mean="Hours equal to n full-time weeks are not n posts.",
        **_graded(grade_of(row.get("coverage"))),
    )


def _known(results: Results) -> Card:
    row = _first(results.totals["mix"])
    with_hours = _first(results.totals["hours"]).get("coverage")
    company = f"the company {covered(_first(results.company['mix'])['coverage'])}" if results.company else ""
    return Card(
        key="known",
        name="Known",
        value=covered(row.get("coverage")),
        unit="of tasks have hours and a level",
        interval="" if with_hours is None else f"{covered(with_hours)} have hours",
        comparator=company,
        not_mean="What is missing is not zero, and may differ from what is known.",
        **_graded(row.get("data_grade")),
    )


def _first(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True) if frame.height else {}


def _between(low: float | None, high: float | None, kind: Any) -> str:
    if low is None or high is None:
        return "how far off it can be is not known"
    said = between(low, high, kind)
    return f"between {said.replace(TO, ' and ')}" if TO in said else f"{said}, whatever is not known"


def _graded(letter: str | None) -> dict[str, str]:
    return {"grade": letter or NONE, "graded": _GRADES.get(letter or "", "nothing to grade")}


def _comparator(results: Results, key: str, name: str, written: Callable[[Any], str]) -> str:
    """Compare the company with its families of sufficient coverage, and a family with the company."""
    at_h1 = _AT_H1 if key == "mix" else pl.lit(value=True)
    if results.company:
        value = _first(results.company[key].filter(at_h1)).get(name)
        return "" if value is None else f"the company {written(value)}"
    families = results.families[key].filter(at_h1)
    safe = families.filter(
        pl.col(name).is_not_null() & pl.col("data_grade").is_in(["A", "B"]) & (pl.col("job_family") != NO_FAMILY)
    ).sort(name, "job_family", descending=[True, False])
    if safe.height < 2:
        return ""
    ends = [safe.select("job_family", name).row(place) for place in (0, -1)]
    return "; ".join(
        f"{side} {family}, {written(value)}" for side, (family, value) in zip(("most", "least"), ends, strict=True)
    )
