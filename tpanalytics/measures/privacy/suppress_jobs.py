"""Suppress the rows of jobs with few people, and of jobs in small groups."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.formatting import plural_of
from tpanalytics.measures._core.aggregate import aggregate_tasks, family_or_none
from tpanalytics.measures._core.cache import cached, with_cache
from tpanalytics.measures._core.groups import BY_FAMILY, SEPARATOR, group_columns, missing_label, short_noun
from tpanalytics.measures._core.labels import by_of
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata
from tpanalytics.measures.privacy.group_counts import below_threshold, members, per_member_counts
from tpanalytics.measures.privacy.suppress_cells import extend_suppression
from tpanalytics.measures.privacy.suppress_groups import NOTHING_SUPPRESSED, small_groups, states_of, with_meaning
from tpanalytics.schema import AS_OF, TENANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import History, TaskProfiles
    from tpanalytics.typing import By

__all__ = [
    "groups_of_jobs",
    "suppress_jobs",
    "suppress_jobs_over_time",
    "suppressed_jobs",
    "without_suppressed_jobs",
]


def groups_of_jobs(by: Sequence[str], profiles: TaskProfiles) -> By:
    """Return the columns of `by` without the job id. If there are none, use job families or all jobs together."""
    return tuple(name for name in by if name != "job_id") or family_or_none(profiles)


def suppress_jobs(result: pl.DataFrame, profiles: TaskProfiles, privacy: Privacy) -> pl.DataFrame:
    """Remove the rows of jobs that are suppressed in their group."""
    meaning, states, by = get_metadata(result), states_of(result), groups_of_jobs(by_of(result), profiles)
    jobs = members(profiles, states, by)
    unknown = result.join(jobs, on="job_id", how="anti")
    if unknown.height:
        raise SchemaError(
            f"`result` has the job {unknown.item(0, 'job_id')!r}, which `profiles` does not have. "
            "Pass the profiles that the result was computed from."
        )
    shown = without_suppressed_jobs(result, profiles, by=by, states=states, privacy=privacy)
    if meaning is None:
        return shown
    note = NOTHING_SUPPRESSED
    if not privacy.off:
        n = suppressed_members(profiles, by=by, states=states, privacy=privacy).height
        names = group_columns(profiles, by).by
        groups = "families" if names == (BY_FAMILY,) else plural_of(short_noun(names))
        note = (
            f"{n:,} of {jobs.height:,} jobs are suppressed: they{f' or their {groups}' * bool(names)} have fewer "
            f"than {privacy.min_headcount:g} people or {privacy.min_jobs} jobs, or a total would reveal another job."
        )
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, note)))


def without_suppressed_jobs(
    result: pl.DataFrame, profiles: TaskProfiles, *, by: By, states: Sequence[str] | None, privacy: Privacy
) -> pl.DataFrame:
    """Remove the rows of jobs that are suppressed, in the same group if a job can be in several groups."""
    small, columns = suppressed_members(profiles, by=by, states=states, privacy=privacy), group_columns(profiles, by)
    rows = pl.DataFrame(result)
    if not columns.overlap or not set(columns.by) <= set(rows.columns):
        return rows.filter(~pl.col("job_id").is_in(small.get_column("job_id").unique().to_list()))
    label = pl.concat_str([pl.col(name).cast(pl.String) for name in columns.by], separator=SEPARATOR)
    labelled = rows.with_columns(label.alias("group of job"))
    small = small.rename({"group": "group of job"})
    shown = labelled.join(small, on=["job_id", "group of job"], how="anti", maintain_order="left")
    return shown.drop("group of job")


def suppressed_jobs(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = None,
) -> pl.Series:
    """Return the ids of the jobs that `suppress` removes from a result by job, given groups that don't overlap."""
    if privacy is None:
        return members(profiles, states, by).get_column("job_id").clear()
    return suppressed_members(profiles, by=by, states=states, privacy=privacy).get_column("job_id").unique().sort()


@cached
def suppressed_members(
    profiles: TaskProfiles, *, by: By, states: Sequence[str] | None, privacy: Privacy
) -> pl.DataFrame:
    """Return ``job_id, group`` for the rows of jobs to remove from a result by job."""
    jobs = members(profiles, states, by)
    if privacy.off:
        return jobs.select("job_id", "group").clear()
    columns = group_columns(profiles, by)
    groups = small_groups(profiles, by=by, states=states, privacy=privacy, staffed=bool(columns.people))
    cells = per_member_counts(jobs)
    # Each row describes a single job, so only the number of people matters.
    is_small = below_threshold(cells.columns, replace(privacy, min_jobs=0), staffed=False)
    cells = cells.with_columns(suppressed=is_small | pl.col("group").is_in(groups))
    labels = aggregate_tasks(profiles, states, by=by, by_level=False, checked=True).groups.table
    totals = ["group"]
    for number, names in enumerate(_fewer_columns(columns.by, profiles)):
        part, keys = f"part {number}", ["job_id"]
        if names and set(names) <= set(columns.by):
            label = pl.concat_str(names, separator=SEPARATOR).alias(part)
            cells = cells.join(labels.select("group", label), on="group", maintain_order="left")
            keys.append(part)
        # Rows that are removed from a result by fewer columns are removed from this one too.
        hidden = suppressed_members(profiles, by=names or None, states=states, privacy=privacy)
        hidden = hidden.rename({"group": part}).select(keys).unique().with_columns(hidden=pl.lit(value=True))
        cells = cells.join(hidden, on=keys, how="left", maintain_order="left")
        cells = cells.with_columns(pl.col("suppressed") | pl.col("hidden").is_not_null()).drop("hidden")
        if columns.people and part in keys:
            # The people of a job add up over its groups, so the sum of some of them must not reveal another one.
            cells = cells.with_columns(pl.concat_str("job_id", part, separator="\0").alias(part))
            totals.append(part)
    if columns.people:
        totals.append("job_id")
    while True:
        before = cells.get_column("suppressed").sum()
        for total in totals:
            cells = _protect_jobs(cells, total, privacy)
        if len(totals) == 1 or cells.get_column("suppressed").sum() == before:
            return cells.filter("suppressed").select("job_id", "group").sort("job_id", "group")


def _fewer_columns(by: Sequence[str], profiles: TaskProfiles) -> list[tuple[str, ...]]:
    """Return the groupings by all but one of the columns, and the groups of results by job alone."""
    usual = group_columns(profiles, family_or_none(profiles)).by
    fewer = [names for names in combinations(by, len(by) - 1) if names] if by else []
    return [names for names in dict.fromkeys([*fewer, usual]) if names != tuple(by)]


def _protect_jobs(cells: pl.DataFrame, total: str, privacy: Privacy) -> pl.DataFrame:
    """Suppress the next smallest rows until those behind each total together have enough people."""
    ordered = cells.sort(total, ~pl.col("suppressed"), "headcount", "job_id", "group", nulls_last=True)
    together = ordered.select(pl.col("^.*_(jobs|people)$").cum_sum().over(total))
    # A job with an unknown headcount might not have any people, so it can't protect another job.
    layers = [
        name.removesuffix("_jobs") for name in together.columns if name.endswith("_jobs") and "staffed" not in name
    ]
    enough = [(pl.col(f"{name}_jobs") == 0) | (pl.col(f"{name}_people") >= privacy.min_headcount) for name in layers]
    return extend_suppression(ordered, total, together.select(pl.all_horizontal(enough)).to_series())


def suppress_jobs_over_time(result: pl.DataFrame, history: History, privacy: Privacy) -> pl.DataFrame:
    """Remove the suppressed jobs of each snapshot. If the result has changes, they are removed at all dates."""
    meaning, snapshot = get_metadata(result), [name for name in (TENANT, AS_OF) if name in by_of(result)]
    rest = [name for name in by_of(result) if name not in snapshot]
    keys = ["job_id", *rest, *(name for name in snapshot if name != AS_OF or "change" not in result.columns)]
    keys = list(dict.fromkeys(keys))
    n_jobs, removed = result.select("job_id", *snapshot).unique().height, []
    for row in result.select(snapshot).unique(maintain_order=True).iter_rows(named=True):
        tenant = row.get(TENANT)
        profiles = with_cache(history.at(row[AS_OF], None if tenant == missing_label(TENANT) else tenant))
        rows = pl.DataFrame(result).filter(pl.col(name).eq_missing(pl.lit(value)) for name, value in row.items())
        by = groups_of_jobs(rest, profiles)
        shown = without_suppressed_jobs(rows, profiles, by=by, states=states_of(result), privacy=privacy)
        removed.append(rows.join(shown, on=keys, how="anti", nulls_equal=True).select(keys))
    small = pl.concat(removed) if removed else result.select(keys).clear()
    result = pl.DataFrame(result).join(small, on=keys, how="anti", nulls_equal=True, maintain_order="left")
    n_shown = result.select("job_id", *snapshot).unique().height
    note = NOTHING_SUPPRESSED if privacy.off else f"{n_jobs - n_shown:,} of {n_jobs:,} rows of jobs are suppressed."
    return with_meaning(result, meaning and replace(meaning, policy=(*meaning.policy, note)))
