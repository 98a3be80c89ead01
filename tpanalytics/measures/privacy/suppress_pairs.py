"""Suppress pairs of groups, and curves of a part of the work, that would reveal a small group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_jobs, aggregate_tasks
from tpanalytics.measures.privacy.group_counts import is_small_group, people_of
from tpanalytics.measures.privacy.suppress_groups import small_groups

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
    result: pl.DataFrame, profiles: TaskProfiles, meaning: Meaning, privacy: Privacy, reason: str
) -> tuple[pl.DataFrame, str]:
    """Keep one row without figures for each curve that is based on few jobs or people, and return a note."""
    states = list(meaning.states)
    all_small = bool(small_groups(profiles, by=None, states=states, privacy=privacy))
    reduced = aggregate_tasks(profiles, states, by=None, by_level=False, checked=True)
    people = people_of(profiles, reduced.jobs).select("job", "headcount")
    rated = aggregate_jobs(profiles, reduced, levels=["H1"]).filter(pl.col("n_known") > 0).join(people, on="job")
    is_small = {"all": all_small, "H1": all_small or is_small_group(rated.get_column("headcount").to_list(), privacy)}
    small = [part for part in result.get_column("part").unique(maintain_order=True) if is_small[part]]
    in_small = pl.col("part").is_in(small)
    empty = result.filter(in_small).unique("part", keep="first", maintain_order=True).select("part")
    shown = result.with_columns(reason=pl.lit(None, dtype=pl.String)).filter(~in_small)
    shown = pl.concat([shown, empty.with_columns(reason=pl.lit(reason))], how="diagonal")
    curves = f"the curve of {' and '.join(small)} is" if len(small) == 1 else "both curves are"
    note = f"{curves[:1].upper()}{curves[1:]} suppressed (too few jobs or people)." if small else ""
    return shown, note or "No curve is suppressed."
