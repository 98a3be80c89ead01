"""Suppress the skills of small groups of jobs or people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.skill_counts import count_by_skill, of_listed_jobs
from tpanalytics.measures.privacy.group_counts import below_threshold, people_of, sums_of
from tpanalytics.measures.privacy.suppress_cells import extend_suppression
from tpanalytics.measures.skills import ALL_TASKS, NO_SKILL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["skill_note", "small_skills", "without_skills"]


def small_skills(
    profiles: TaskProfiles,
    states: Sequence[str],
    by: By,
    privacy: Privacy,
    groups: Sequence[str],
    *,
    staffed: bool,
    listed: bool,
) -> pl.DataFrame:
    """Return ``group, skill_id, skill, suppressed`` for each skill. All skills of the small `groups` are suppressed.

    If `listed`, only jobs in the table of people are in groups of people.
    """
    counts = count_by_skill(profiles, list(states), by)
    counts = of_listed_jobs(counts) if listed else counts
    people = people_of(profiles, counts.reduced.jobs).select("job", "job_id", "headcount", "known_people", "known_fte")
    none = pl.lit(None, dtype=pl.UInt32).alias("key")
    linked = counts.links.join(counts.rows, on="row")
    without = counts.rows.join(counts.links, on="row", how="anti").with_columns(none)
    known = pl.col("n_known").sum() > 0
    rows = pl.concat([linked, without], how="diagonal").with_columns(pl.col("key").cast(pl.Int64).fill_null(-1))
    pairs = rows.group_by("group", "key", "job").agg(known=known).join(people, on="job")
    measured = pairs.filter("known")
    layers = {
        "described": pairs,
        "measured": measured,
    }
    if staffed:
        for name, count in (("staffed", "known_people"), ("staffed_fte", "known_fte")):
            layers[name] = measured.drop_nulls(count).with_columns(headcount=count)
    cells = _small_cells(layers, privacy, groups)
    names = counts.skills.cast({"key": pl.Int64})
    return cells.join(names, on="key", how="left").select(
        "group", "skill_id", pl.col("skill").fill_null(NO_SKILL), "suppressed"
    )


def _small_cells(layers: Mapping[str, pl.DataFrame], privacy: Privacy, groups: Sequence[str]) -> pl.DataFrame:
    """Return small pairs of group and skill, plus the next smallest ones needed to protect them from totals."""
    first = next(iter(layers))
    cells = layers[first].select("group", "key").unique()
    for name, pairs in layers.items():
        cells = cells.join(pairs.group_by("group", "key").agg(**sums_of(name)), on=["group", "key"], how="left")
    cells = cells.with_columns(pl.exclude("group", "key").fill_null(0)).sort("group", "key")
    is_small = below_threshold(cells.columns, privacy, staffed=True)
    cells = cells.with_columns(suppressed=is_small | pl.col("group").is_in(list(groups)))
    while True:
        before = cells.get_column("suppressed").sum()
        cells = _protect(cells, layers, privacy, within="group", other="key")
        if cells.get_column("group").n_unique() > 1:
            cells = _protect(cells, layers, privacy, within="key", other="group")
        if cells.get_column("suppressed").sum() == before:
            return cells.sort("group", "key")


def _protect(
    cells: pl.DataFrame, layers: Mapping[str, pl.DataFrame], privacy: Privacy, *, within: str, other: str
) -> pl.DataFrame:
    """Suppress the next smallest cells until the suppressed ones together are large enough. Jobs count once."""
    first = next(iter(layers))
    order = cells.sort(within, ~pl.col("suppressed"), f"{first}_jobs", other)
    order = order.with_columns(place=pl.int_range(pl.len()).over(within))
    together = order.select("group", "key", "place", "suppressed")
    for name, pairs in layers.items():
        placed = pairs.join(order.select("group", "key", "place"), on=["group", "key"]).sort("place")
        new = placed.unique([within, "job_id"], keep="first").group_by(within, "place").agg(**sums_of(name))
        together = together.join(new, on=[within, "place"], how="left", maintain_order="left")
    together = together.with_columns(
        pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum().over(within),
        pl.col("^.*_largest$").fill_null(0).cum_max().over(within),
    )
    enough = together.select(~below_threshold(together.columns, privacy, staffed=True)).to_series()
    suppressed = extend_suppression(together.drop("place"), within, enough).select("group", "key", "suppressed")
    return cells.drop("suppressed").join(suppressed, on=["group", "key"])


def without_skills(result: pl.DataFrame, skills: pl.DataFrame, groups: Sequence[str], reason: str) -> pl.DataFrame:
    """Remove suppressed skills. Keep a single row without figures for each suppressed group."""
    hidden = skills.filter("suppressed")
    keys = ["group", "skill_id", "skill"]
    shown = result.join(hidden, on=keys, how="anti", nulls_equal=True, maintain_order="left")
    in_groups = pl.col("group").is_in(list(groups))
    kept = [name for name in ("group", "basis") if name in result.columns]
    empty = shown.filter(in_groups & (pl.col("skill") == ALL_TASKS)).unique("group", keep="first", maintain_order=True)
    empty = empty.select(kept).with_columns(reason=pl.lit(reason))
    return pl.concat([shown.filter(~in_groups), empty], how="diagonal").select(result.columns)


def skill_note(skills: pl.DataFrame, privacy: Privacy, group: str) -> str:
    """Return a sentence with the number of suppressed skills."""
    limits = [f"{privacy.min_jobs} jobs"] * bool(privacy.min_jobs)
    limits += [f"{privacy.min_headcount:g} people"] * bool(privacy.min_headcount)
    n, of = int(skills.get_column("suppressed").sum()), "skills"
    if skills.get_column("group").n_unique() > 1:
        of = f"pairs of {group} and skill"
    reason = f"fewer than {' or '.join(limits)}, or a total would reveal one"
    return f"{n:,} of {skills.height:,} {of} are suppressed ({reason})."
