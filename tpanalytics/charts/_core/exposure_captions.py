"""What charts of levels and of the exposure index say of them, each in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.charts._core import captions
from tpanalytics.formatting import NONE, covered, listed, percent, plural, total
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.schema import NO_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "GRADED",
    "LINE",
    "NEEDED",
    "UNIT",
    "WHY",
    "among",
    "between",
    "figure",
    "graded_well",
    "known_line",
    "never_headline",
    "places",
    "row",
    "shares_between",
    "weights_line",
    "without_index",
]

#: Where a footer that names families is broken, in characters.
LINE = 118
#: What levels are shares of, by weight.
UNIT = {
    "tasks": "tasks",
    "hours": "described weekly hours",
    "headcount": "the weekly hours of all incumbents",
}
#: What a task must have to be weighed.
NEEDED = {
    "tasks": "with a level",
    "hours": "with hours and level",
    "headcount": "with hours, level and headcount",
}
GRADED = (
    "Grade by the share of tasks with hours and a level that has a weight: A from 90 %, B from 70 %, C below; quote no "
    "C alone."
)


def figure(index: float | None) -> str:
    """Write an index with two decimals."""
    return NONE if index is None else f"{index:.2f}"


def between(low: float | None, high: float | None) -> str:
    """Write a range of the index."""
    if low is None or high is None:
        return NONE
    ends = figure(low), figure(high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def shares_between(low: float | None, high: float | None) -> str:
    """Write in brackets what a share can be, if that is known and more than one figure."""
    ends = percent(low), percent(high)
    return "" if low is None or high is None or ends[0] == ends[1] else f" ({ends[0]} to {ends[1]})"


def among(families: pl.DataFrame) -> str:
    """Say of which families a headline speaks, if not of all: only of those that it may name."""
    well, shown = families.filter(graded_well()).height, families.filter(~captions.is_hidden()).height
    if well < shown:
        return " of those of which enough is known"
    return " of the families shown" if shown < families.height else ""


def graded_well() -> pl.Expr:
    """Tell the families that may be a headline: they have a name, an index, and enough of them is known."""
    well = pl.col("grade").is_in(["A", "B"]) & pl.col("exposure").is_not_null() & ~captions.is_hidden()
    return well & (pl.col("job_family") != NO_FAMILY)


def never_headline(families: pl.DataFrame) -> str | None:
    """Say why no family may be the headline, if none may."""
    shown = families.filter(~captions.is_hidden())
    if not shown.height:
        return captions.ALL_HIDDEN
    of_shown = " of the families shown" if shown.height < families.height else ""
    if not total(shown.fill_null(0), "tasks"):
        return f"No task{of_shown} is described"
    if not shown.get_column("exposure").count():
        whose = f" of {shown.item(0, 'job_family')}" if shown.height == families.height == 1 else of_shown
        return f"The exposure{whose} cannot be worked out: {_why(shown)}"
    if not shown.select(graded_well().any()).item():
        return "Too little is known to say which job family is most exposed"
    return None


def _why(shown: pl.DataFrame) -> str:
    reasons = shown.filter(pl.col("reason") != "NO_TASKS").get_column("reason").unique()
    return NONE_BECAUSE[reasons[0]] if len(reasons) == 1 else "no task has hours above 0 and a level that has a weight"


def without_index(families: pl.DataFrame) -> list[str]:
    """Name the families that have no index and say why, in a sentence per reason."""
    rows = families.filter(pl.col("exposure").is_null() & ~captions.is_hidden())
    return [
        f"No index: {listed(some.get_column('job_family').to_list())} ({NONE_BECAUSE[str(reason)]})."
        for (reason,), some in rows.group_by("reason", maintain_order=True)
    ]


def known_line(families: pl.DataFrame) -> str:
    """Say how much of all tasks the index rests on."""
    tasks = total(families.fill_null(0), "tasks")
    if not tasks:
        return "No job has a task that counts."
    share = covered(total(families.fill_null(0), "tasks_weighed") / tasks)
    return (
        f"{share} of {plural(tasks, 'task')} have hours and a level that has a weight; the others are left out, they "
        "are not zero."
    )


def weights_line(weights: Mapping[str, float]) -> str:
    """Say what each level counts."""
    said = listed(f"{level} {weight:g}" for level, weight in weights.items())
    return f"Index: share of weekly hours, by level {said}. It says what could change, not who leaves."


#: What stands in the row of a family that has no index.
WHY = {
    "NO_TASKS": "no task described",
    "NO_HOURS": "no hours are known, or all are zero",
    "NO_LEVELS": "no task with hours has a level that counts",
    "NO_HEADCOUNT": "no headcount is known",
}


def places(row: Mapping[str, int | None]) -> str:
    """Write from which to which place a family may come; in brackets the one it has, if nothing says how sure."""
    if row["rank"] is None:
        return NONE
    if row["rank_low"] is None:
        return f"({row['rank']})"
    return f"{row['rank_low']}" if row["rank_low"] == row["rank_high"] else f"{row['rank_low']} to {row['rank_high']}"


def row(row: Mapping[str, Any]) -> str:
    """Say all that is printed of a family."""
    parts = [f"{row['job_family']} {row['figure']}", f"grade {row['graded']}", f"place {row['place']}"]
    if row["interval_low"] is not None:
        parts.insert(1, f"resamples {between(row['interval_low'], row['interval_high'])}")
    if row["held"] != NONE:
        parts.insert(1, f"can be {row['held']}")
    return f"{', '.join(parts)}, {row['known']} of tasks in it"
