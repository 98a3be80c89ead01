"""Suppress pairs of groups, and curves of a part of the work, that would reveal a small group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_jobs, aggregate_tasks
from tpanalytics.measures.privacy.group_counts import is_small_group, people_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["without_pairs", "without_parts"]


def without_pairs(
    result: pl.DataFrame, meaning: Meaning, small: Sequence[str], reason: str
) -> tuple[pl.DataFrame, str]:
    """Suppress the pairs with a small group, or remove them if the result has no reasons, and return a note."""
    if "job_id" in meaning.by:
        raise SchemaError("`result` compares single jobs, so it cannot be suppressed. Leave 'job_id' out of `by`.")
    is_small = pl.any_horizontal(pl.col("group_a", "group_b").is_in(list(small)))
    n = int(result.select(is_small.sum()).item())
    note = f"{n:,} of {result.height:,} pairs are suppressed (one of the groups is)."
    if "reason" not in result.columns:
        return result.filter(~is_small), note
    figures = [name for name in result.columns if name not in ("group_a", "group_b", "reason")]
    shown = result.with_columns(
        *(pl.when(~is_small).then(pl.col(name)).alias(name) for name in figures),
        reason=pl.when(is_small).then(pl.lit(reason)).otherwise("reason"),
    )
    return shown, note


def without_parts(
    result: pl.DataFrame, profiles: TaskProfiles, meaning: Meaning, small: Sequence[str], privacy: Privacy, reason: str
) -> tuple[pl.DataFrame, str]:
    """Keep one row without figures for each curve that is based on few jobs or people, and return a note."""
    states = list(meaning.states)
    reduced = aggregate_tasks(profiles, states, by=meaning.by, by_level=False, checked=True)
    people = people_of(profiles, reduced.jobs).select("job", "headcount")
    rated = aggregate_jobs(profiles, reduced, levels=["H1"]).filter(pl.col("n_known") > 0).join(people, on="job")
    few_rated = [
        group
        for group, headcounts in rated.group_by("group").agg("headcount").rows()
        if is_small_group(headcounts, privacy)
    ]
    in_small = pl.col("group").is_in(list(small)) | ((pl.col("part") == "H1") & pl.col("group").is_in(few_rated))
    marked = result.with_columns(reason=pl.when(in_small).then(pl.lit(reason)))
    figures = [name for name in result.columns if name not in ("group", "part")]
    shown = marked.filter(~in_small | pl.int_range(pl.len()).over("group", "part").eq(0)).with_columns(
        pl.when(pl.col("reason").is_null()).then(pl.col(name)).alias(name) for name in figures
    )
    curves = marked.filter(in_small).select("group", "part").unique()
    if not curves.height:
        return shown, "No curve is suppressed."
    if meaning.by:
        of = marked.select("group", "part").unique().height
        return shown, f"{curves.height:,} of {of:,} curves are suppressed (too few jobs or people)."
    which = "Both curves are" if curves.height > 1 else f"The curve of {curves.item(0, 'part')} is"
    return shown, f"{which} suppressed (too few jobs or people)."
