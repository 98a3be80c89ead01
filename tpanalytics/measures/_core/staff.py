"""People in the jobs: which count a weight uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.groups import group_columns

if TYPE_CHECKING:
    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "STAFF",
    "check_staff",
    "checked_weight",
    "named_after",
    "with_optional_staff",
    "with_staff",
    "without_staff_note",
]

#: Weights that multiply each job's hours by its people, with a noun for what they count.
STAFF = {"headcount": "headcount", "fte": "full-time equivalents"}


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
    check_staff(reduced.jobs.columns, weight, alternative)
    return reduced._replace(jobs=reduced.jobs.with_columns(headcount=pl.col(weight)))


def check_staff(columns: list[str], weight: str, alternative: str = "weight='hours'") -> None:
    """Raise an error if the jobs have no people or full-time equivalents, whichever `weight` counts."""
    if weight in columns:
        return
    other = next(name for name in STAFF if name != weight)
    remedy = f"weight={other!r}" if other in columns else alternative
    raise SchemaError(
        f"`jobs` has no column {weight!r} ({'people' if weight == 'headcount' else STAFF[weight]}). "
        f"Add it with assign_people or assign_families, or use {remedy}."
    )


def named_after(result: pl.DataFrame, weight: str) -> pl.DataFrame:
    """Name the columns about people after the count that `weight` uses, such as ``fte_hours``."""
    return result.rename(lambda name: weight if name == "people" else name.replace("headcount", weight))


def with_optional_staff(reduced: TaskCounts, weight: str) -> TaskCounts:
    """Like `with_staff`, but the ``headcount`` column is null if the jobs don't have the count."""
    count = pl.col(weight) if weight in reduced.jobs.columns else pl.lit(None, dtype=pl.Float64)
    return reduced._replace(jobs=reduced.jobs.with_columns(headcount=count))


def without_staff_note(weight: str) -> tuple[str, ...]:
    """Return a sentence about jobs without people, if the weight needs them."""
    return (f"Jobs without {STAFF[weight]} are excluded.",) if weight in STAFF else ()
