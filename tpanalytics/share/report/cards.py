"""The headline cards: one number each, with its interval, its grade, what to compare it with, and what it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import NONE, covered, percent, plural
from tpanalytics.measures._core.metadata import grade_of
from tpanalytics.measures.exposure import exposure as measure_exposure
from tpanalytics.measures.hours import hours as measure_hours
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.schema import NO_FAMILY
from tpanalytics.share.report.tables import TO, between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.scope import Asked

__all__ = ["Card", "cards", "sentences"]

#: A word beside the letter, for those who meet it first on a card.
_GRADES = {"A": "well known", "B": "mostly known", "C": "too little known to quote alone"}


@dataclass(frozen=True)
class Card:
    """One number for the board.

    Attributes
    ----------
    key
        Anchor in the page.
    name
        What the number is.
    value, unit
        As printed.
    interval
        What it can be at least and at most, in words.
    grade, graded
        The letter and what it says.
    comparator
        Another figure to hold it against.
    not_mean
        What must not be concluded.
    """

    key: str
    name: str
    value: str
    unit: str
    interval: str
    grade: str
    graded: str
    comparator: str
    not_mean: str


def cards(asked: Asked) -> list[Card]:
    """Work out the cards; none where a total would tell what is hidden, or where there is nothing."""
    if asked.all_hidden or not asked.shown.jobs.height:
        return []
    return [_automatable(asked), _exposure(asked), _hours(asked), _known(asked)]


def sentences(asked: Asked) -> list[str]:
    """Give what must be said beside every figure, with the numbers of these data."""
    said = [
        "Exposure says what could change, not who leaves.",
        "Hours equal to n full-time weeks are not n posts.",
    ]
    row = _row(asked, lambda profiles: measure_hours(profiles, states=asked.states))
    if not asked.all_hidden and row and row["tasks"]:
        missing = percent(1 - row["tasks_with_hours"] / row["tasks"])
        said += [f"{missing} of tasks have no hours; they are not zero.", _judgements(asked)]
    else:
        said += ["A task without hours is not a task of zero hours.", "Levels are judgements."]
    said.append("The formulas are ours, not the service's.")
    jobs = asked.profiles.jobs.height
    said.append(
        f"An export may be a subset of the tenant: {plural(jobs, 'job')} {'was' if jobs == 1 else 'were'} seen."
    )
    return said


def _judgements(asked: Asked) -> str:
    states = pl.col("validation_state").cast(pl.String)
    counted = asked.shown.tasks.filter(states.is_in(list(asked.states)))
    validated = counted.filter(states == "validated").height
    return f"Levels are judgements: {covered(validated / counted.height)} of tasks are validated."


def _automatable(asked: Asked) -> Card:
    def measure(profiles: TaskProfiles) -> pl.DataFrame:
        return measure_impact(profiles, weight="hours", states=asked.states)

    at_h1 = pl.col("level") == "H1"
    row, found = _row(asked, measure, rows=at_h1), None
    if row is None:  # nothing is at H1, or there is no task
        known = asked.as_one(measure)
        found = known.row(0, named=True) if known.height else None
        value = 0.0 if found and found["share"] is not None and known.get_column("share").sum() else None
        row = {"share": value, "share_low": None, "share_high": None, "data_grade": found and found["data_grade"]}
    low, high = row["share_low"], row["share_high"]
    return Card(
        key="automatable",
        name="Highly automatable",
        value=percent(row["share"]),
        unit="of described weekly hours",
        interval=_between(low, high, "share"),
        comparator=_beside(asked, measure, "share", percent, rows=at_h1),
        not_mean="Not a share of jobs, and not of people.",
        **_graded(row["data_grade"]),
    )


def _exposure(asked: Asked) -> Card:
    def measure(profiles: TaskProfiles) -> pl.DataFrame:
        return measure_exposure(
            profiles, level_weights=asked.level_weights, contract_hours=asked.contract_hours, states=asked.states
        )

    row = _row(asked, measure) or {}
    value, low, high = (row.get(name) for name in ("exposure", "bound_low", "bound_high"))
    weak = row.get("data_grade") == "C" and None not in (low, high)  # too little is known for one number
    return Card(
        key="exposure",
        name="Exposure index",
        value=between(low, high, "index") if weak else NONE if value is None else f"{value:.2f}",
        unit="from 0 to 1, hours times weight",
        interval=f"{value:.2f} by what is known" if weak and value is not None else _between(low, high, "index"),
        comparator=_beside(asked, measure, "exposure", lambda share: f"{share:.2f}"),
        not_mean="Says what could change, not who leaves.",
        **_graded(row.get("data_grade")),
    )


def _hours(asked: Asked) -> Card:
    def measure(profiles: TaskProfiles) -> pl.DataFrame:
        return measure_hours(profiles, states=asked.states)

    row = _row(asked, measure) or {}
    value, most, per_job = (row.get(name) for name in ("hours", "hours_high", "hours_per_job"))
    beside = "" if per_job is None else f"{per_job:.1f} a job, of {plural(row['jobs_with_hours'], 'job')} with hours"
    if asked.family is not None and per_job is not None:
        whole = asked.as_one(measure, company=True).row(0, named=True)["hours_per_job"]
        beside = f"{per_job:.1f} a job; the company {whole:.1f}"
    return Card(
        key="hours",
        name="Described hours a week",
        value=NONE if value is None else f"{value:,.0f}",
        unit="for one incumbent of each job",
        interval="" if value is None or most is None else f"between {value:,.0f} and {most:,.0f}",
        comparator=beside,
        not_mean="Hours equal to n full-time weeks are not n posts.",
        **_graded(grade_of(row.get("coverage"))),
    )


def _known(asked: Asked) -> Card:
    def measure(profiles: TaskProfiles) -> pl.DataFrame:
        return measure_impact(profiles, weight="hours", states=asked.states)

    row = _row(asked, measure) or {}
    hours = _row(asked, lambda profiles: measure_hours(profiles, states=asked.states)) or {}
    with_hours = hours.get("coverage")
    company = ""
    if asked.family is not None:
        company = f"the company {covered(asked.as_one(measure, company=True).row(0, named=True)['coverage'])}"
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


def _row(asked: Asked, measure: Any, *, rows: pl.Expr | bool = True) -> dict[str, Any] | None:
    frame = asked.as_one(measure).filter(rows)
    return frame.row(0, named=True) if frame.height else None


def _between(low: float | None, high: float | None, kind: Any) -> str:
    if low is None or high is None:
        return "how far off it can be is not known"
    said = between(low, high, kind)
    return f"between {said.replace(TO, ' and ')}" if TO in said else f"{said}, whatever is not known"


def _graded(letter: str | None) -> dict[str, str]:
    return {"grade": letter or NONE, "graded": _GRADES.get(letter or "", "nothing to grade")}


def _beside(asked: Asked, measure: Any, name: str, written: Any, *, rows: pl.Expr | bool = True) -> str:
    """Hold the company against its families of which enough is known, and a family against the company."""
    if asked.family is not None:
        whole = asked.as_one(measure, company=True).filter(rows)
        value = whole.row(0, named=True)[name] if whole.height else None
        return "" if value is None else f"the company {written(value)}"
    families = asked.by_family(measure).filter(rows)
    safe = families.filter(
        pl.col(name).is_not_null() & pl.col("data_grade").is_in(["A", "B"]) & (pl.col("job_family") != NO_FAMILY)
    ).sort(name, "job_family", descending=[True, False])
    if safe.height < 2:
        return ""
    ends: Sequence[tuple[str, float]] = [safe.select("job_family", name).row(place) for place in (0, -1)]
    return "; ".join(
        f"{side} {family}, {written(value)}" for side, (family, value) in zip(("most", "least"), ends, strict=True)
    )
