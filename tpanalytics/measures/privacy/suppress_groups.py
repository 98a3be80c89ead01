"""Suppress the figures of small groups, and of any others that totals would reveal."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import SEPARATOR, group_columns, short_noun
from tpanalytics.measures._core.labels import by_of, with_labels
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures.privacy.group_counts import (
    below_threshold,
    counts_of,
    group_counts,
    groups_with_people,
)
from tpanalytics.measures.privacy.policy import SUPPRESSED, suppression_note
from tpanalytics.measures.privacy.suppress_cells import WITHIN, cells_of, hide_suppressed, protect_from_totals
from tpanalytics.schema import AS_OF, TENANT, TaskProfiles, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.typing import By

__all__ = [
    "KEYS",
    "NOTHING_SUPPRESSED",
    "are_all_suppressed",
    "by_headcount",
    "larger_groups",
    "may_be_by_headcount",
    "small_groups",
    "states_of",
    "suppress_groups",
    "suppressed_families",
    "with_meaning",
]

#: Columns that identify a row within a group.
KEYS = ("ai_impact_level", "block_hours")
NOTHING_SUPPRESSED = "Nothing is suppressed, so figures can describe single jobs or people."


def small_groups(
    profiles: TaskProfiles,
    *,
    by: By,
    states: Sequence[str] | None,
    privacy: Privacy,
    staffed: bool = False,
) -> list[str]:
    """Return the labels of the groups to suppress, for figures that count people if `staffed` is set."""
    if privacy.off:
        return []
    counts = group_counts(profiles, by=by, states=states)
    larger = larger_groups(profiles, by=by, states=states, privacy=privacy, staffed=staffed)
    labels = counts.select("group").join(larger, on="group", how="left", maintain_order="left")
    return [
        group
        for part in labels.partition_by("snapshot", maintain_order=True)
        for group in suppressed_families(
            suppress_groups(
                part.select("group"),
                counts.join(part, on="group", how="semi"),
                privacy,
                staffed=staffed,
                larger=larger,
            )
        )
    ]


@cached
def larger_groups(
    profiles: TaskProfiles,
    *,
    by: By,
    states: Sequence[str] | None,
    privacy: Privacy,
    staffed: bool,
) -> pl.DataFrame:
    """Return ``group, snapshot, is_listed, in_suppressed`` and the larger groups by fewer of the columns.

    For example, groups by country and pay grade are in a group by country and one by pay grade. A group is
    ``in_suppressed`` if one of these is suppressed, because the sum of its parts would reveal it. A group by a column
    of people has no people if none of its jobs is in the table of people.
    """
    columns = group_columns(profiles, by)
    dates = [name for name in columns.by if name in (TENANT, AS_OF) and columns.history]
    free = [name for name in columns.by if name not in dates]
    if not (dates or columns.people) and len(free) < 2:
        flags = dict.fromkeys(("is_listed", "in_suppressed"), pl.Boolean)
        return pl.DataFrame(schema={"group": pl.String, "snapshot": pl.String, **flags})
    table = aggregate_tasks(profiles, states, by=by, by_level=False, checked=True).groups.table
    is_listed = pl.lit(value=True)
    if columns.people:
        is_listed = pl.col("group").is_in(groups_with_people(profiles, by=by, states=states).implode())
    labels: dict[str, pl.Expr] = {}
    in_suppressed = pl.lit(value=False)
    for size in range(1, len(free)):
        for chosen in combinations(free, size):
            names = [name for name in columns.by if name in chosen or name in dates]
            label = pl.concat_str(names, separator=SEPARATOR)
            labels[f"{WITHIN}{len(labels)}"] = label
            if size == len(free) - 1:
                small = small_groups(profiles, by=names, states=states, privacy=privacy, staffed=staffed)
                in_suppressed |= label.is_in(small)
    snapshot = pl.concat_str(dates, separator=SEPARATOR) if dates else pl.lit("")
    return table.select("group", snapshot=snapshot, is_listed=is_listed, in_suppressed=in_suppressed, **labels)


def are_all_suppressed(families: pl.DataFrame) -> bool:
    """Return `True` if every family is suppressed, in which case totals must not be shown either."""
    return families.height > 0 and bool(families.get_column("reason").eq(SUPPRESSED).fill_null(value=False).all())


def suppressed_families(result: pl.DataFrame) -> list[str]:
    """Return the families that have suppressed rows, in row order."""
    if "reason" not in result.columns:
        return []
    return (
        with_labels(result)
        .filter(pl.col("reason") == SUPPRESSED)
        .get_column("group")
        .unique(maintain_order=True)
        .to_list()
    )


def suppress_groups(
    result: pl.DataFrame,
    profiles: TaskProfiles | pl.DataFrame | None,
    privacy: Privacy,
    keys: Sequence[str] = KEYS,
    also: Sequence[str] = (),
    *,
    staffed: bool = False,
    larger: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Suppress small families and those in `also`, plus any others needed so totals don't reveal them.

    `larger` is a result of `larger_groups`, which is only needed if `profiles` are counts.
    """
    require(result, *(["group"] if "group" in result.columns else by_of(result)), name="result")
    keys, meaning, original = [key for key in keys if key in result.columns], get_metadata(result), result
    result = result if "reason" in result.columns else result.with_columns(reason=pl.lit(None, dtype=pl.String))
    if privacy.off:
        return with_meaning(result.clone(), meaning and replace(meaning, policy=(*meaning.policy, NOTHING_SUPPRESSED)))
    counts = counts_of(profiles, states_of(original), by_of(original))
    cells = cells_of(result, keys, counts)
    staffed = staffed or by_headcount(original)
    if isinstance(profiles, TaskProfiles):
        states, by = states_of(original), by_of(original)
        larger = larger_groups(profiles, by=by, states=states, privacy=privacy, staffed=staffed)
    if larger is not None:
        cells = cells.join(larger, on="group", how="left", maintain_order="left")
        cells = cells.with_columns(suppressed=pl.col("suppressed") | pl.col("in_suppressed").fill_null(value=False))
    is_small = below_threshold(cells.columns, privacy, staffed=staffed)
    cells = cells.with_columns(suppressed=pl.col("suppressed") | pl.col("group").is_in(list(also)) | is_small)
    # Jobs without people reveal no one, so no other group is suppressed to protect them.
    listed = pl.lit(value=True) if larger is None else pl.col("is_listed").fill_null(value=True)
    protected = protect_from_totals(cells.filter(listed), privacy, staffed=staffed)
    cells = pl.concat([protected, cells.filter(~listed)]).sort("row")
    shown = hide_suppressed(result, keys, cells)
    if meaning is not None:
        n = cells.filter("suppressed").get_column("group").n_unique()
        note = suppression_note(n, cells.get_column("group").n_unique(), privacy, short_noun(by_of(original)))
        meaning = replace(meaning, policy=(*meaning.policy, note))
        if counts is None and "headcount" not in result.columns:
            note = "Families were suppressed by number of jobs only. Pass profiles to suppress by headcount as well."
            meaning = replace(meaning, warnings=(*meaning.warnings, note))
        if cells.height and cells.get_column("suppressed").all():
            meaning = without_totals(meaning)
    return with_meaning(shown, meaning)


def may_be_by_headcount(result: pl.DataFrame) -> bool:
    """Return whether figures may be by headcount. This is assumed if the result has no metadata."""
    return get_metadata(result) is None or by_headcount(result)


def by_headcount(result: pl.DataFrame) -> bool:
    """Return whether figures count people or full-time equivalents."""
    meaning = get_metadata(result)
    by_name = any(re.search(r"(^|_)(headcount|fte)(_|$)", name) for name in result.columns if name not in STAFF)
    return by_name or (meaning is not None and meaning.basis in STAFF)


def states_of(result: pl.DataFrame) -> Sequence[str] | None:
    """Return the validation states counted in a result, or None if it has no metadata."""
    meaning = get_metadata(result)
    return meaning.states if meaning and meaning.states else None


def with_meaning(result: pl.DataFrame, meaning: Meaning | None) -> pl.DataFrame:
    """Attach metadata if there are any."""
    return result if meaning is None else attach_metadata(result, meaning)
