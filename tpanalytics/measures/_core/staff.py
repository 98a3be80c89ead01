"""People in the jobs: which count a weight uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.groups import group_columns, short_noun

if TYPE_CHECKING:
    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "NEEDED",
    "STAFF",
    "check_staff",
    "checked_weight",
    "named_after",
    "people_notes",
    "people_notes_of",
    "unknown_not_zero",
    "with_listed_jobs",
    "with_optional_staff",
    "with_staff",
    "without_staff_note",
]

#: Weights that multiply each job's hours by its people, with a noun for what they count.
STAFF = {"headcount": "headcount", "fte": "full-time equivalents"}
#: What a task needs to count in the shares, by weight.
NEEDED = {
    "tasks": "a level",
    "hours": "hours and a level",
    "headcount": "hours, a level and a headcount",
    "fte": "hours, a level and an FTE",
}


def checked_weight(profiles: TaskProfiles, by: By, weight: str | None, allowed: Any, otherwise: str = "hours") -> Any:
    """Return the weight. None means "headcount" if `by` has a column of people, and `otherwise` if not."""
    if weight is not None:
        check_choice("weight", weight, allowed)
        return weight
    return "headcount" if group_columns(profiles, by).people else otherwise


def with_staff(reduced: TaskCounts, weight: str, alternative: str = "weight='hours'") -> TaskCounts:
    """Store the people or full-time equivalents that `weight` counts in the ``headcount`` column of the jobs."""
    if weight not in STAFF:
        return reduced
    check_staff(reduced, weight, alternative)
    return with_optional_staff(reduced, weight)


def check_staff(reduced: TaskCounts, weight: str, alternative: str = "weight='hours'") -> None:
    """Raise an error if the jobs have no people or full-time equivalents, whichever `weight` counts."""
    columns, people = reduced.jobs.columns, reduced.people
    unknown = people is not None and 0 < people.rows == people.unknown.get(weight)
    if weight in columns and not unknown:
        return
    other = next(name for name in STAFF if name != weight)
    has_other = other in columns and reduced.jobs.get_column(other).count() > 0
    remedy = f"weight={other!r}" if has_other else alternative
    if unknown:
        raise SchemaError(
            f"`{weight}` is unknown in all rows of the people that are counted. "
            f"Pass a roster with the column {weight!r} to assign_people, or use {remedy}."
        )
    raise SchemaError(
        f"`jobs` has no column {weight!r} ({'people' if weight == 'headcount' else STAFF[weight]}). "
        f"Add it with assign_people or assign_families, or use {remedy}."
    )


def named_after(result: pl.DataFrame, weight: str) -> pl.DataFrame:
    """Name the columns about people after the count that `weight` uses, such as ``fte_hours``."""
    return result.rename(lambda name: weight if name == "people" else name.replace("headcount", weight))


def with_optional_staff(reduced: TaskCounts, weight: str) -> TaskCounts:
    """Like `with_staff`, but the ``headcount`` column is null if the jobs don't have the count."""
    reduced = with_listed_jobs(reduced)
    count = pl.col(weight) if weight in reduced.jobs.columns else pl.lit(None, dtype=pl.Float64)
    reduced = reduced._replace(jobs=reduced.jobs.with_columns(headcount=count), weight=weight)
    return reduced._replace(jobs=unknown_not_zero(reduced, "headcount"))


def with_listed_jobs(reduced: TaskCounts) -> TaskCounts:
    """Leave out jobs that have no row in the table of people, if groups are by one of its columns."""
    people = reduced.people
    if people is None or people.states is None or not reduced.groups.columns.people:
        return reduced
    jobs = reduced.jobs.filter(~pl.col("job_id").is_in(people.unlisted.implode()))
    groups = reduced.groups.table.join(jobs, on="group", how="semi", maintain_order="left")
    return reduced._replace(
        jobs=jobs,
        cells=reduced.cells.join(jobs, on="job", how="semi", maintain_order="left"),
        states=people.states,
        groups=reduced.groups._replace(table=groups),
    )


def unknown_not_zero(reduced: TaskCounts, count: str) -> pl.DataFrame:
    """Return the jobs. Counts of 0 are unknown in groups where the only people with hours are unknown."""
    jobs = reduced.jobs
    if reduced.people is None:
        return jobs
    hours = reduced.cells.filter(pl.col("hours") > 0).select("job").unique()
    of_group = (
        jobs.join(hours, on="job", how="semi")
        .group_by("group")
        .agg(known=pl.col(count).sum(), unknown=pl.col(count).null_count())
        .filter((pl.col("known") == 0) & (pl.col("unknown") > 0))
    )
    if of_group.is_empty():
        return jobs
    is_zero = (pl.col(count) == 0) & pl.col("group").is_in(of_group.get_column("group").implode())
    return jobs.with_columns(pl.when(~is_zero.fill_null(value=False)).then(pl.col(count)).alias(count))


def people_notes(reduced: TaskCounts) -> tuple[str, ...]:
    """Return sentences on the jobs and people that figures by people exclude."""
    people, columns, notes = reduced.people, reduced.groups.columns, []
    if people is None or reduced.weight is None:
        return ()
    unlisted, unknown = people.unlisted.len(), people.unknown.get(reduced.weight, 0)
    if unlisted and columns.people:
        jobs, are = ("job", "is") if unlisted == 1 else ("jobs", "are")
        have = "has" if unlisted == 1 else "have"
        notes.append(f"{unlisted:,} {jobs} {have} {_NO_PEOPLE} and {are} in no {short_noun(columns.by)}.")
    if unknown:
        notes.append(f"{unknown:,} of {people.rows:,} {_PEOPLE} have no {STAFF[reduced.weight]} and are excluded.")
    return tuple(notes)


def people_notes_of(meaning: Meaning) -> list[str]:
    """Return the sentences of `people_notes` in the metadata of a result."""
    return [text for text in meaning.policy if f" {_NO_PEOPLE} and " in text or f" {_PEOPLE} have no " in text]


#: Parts of the sentences on people that are not counted.
_NO_PEOPLE, _PEOPLE = "no people", "rows of people"


def without_staff_note(weight: str) -> tuple[str, ...]:
    """Return a sentence about jobs without people, if the weight needs them."""
    return (f"Jobs without {STAFF[weight]} are excluded.",) if weight in STAFF else ()
