"""Change in the company's exposure between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import (
    job_warnings,
    meaning_of_both,
    pull_warnings,
    weight_warnings,
)
from tpanalytics.measures._core.decomposition import (
    EXCLUDED_NOTE,
    INDEX_DIFFERENCE,
    SPLIT,
    decompose,
    only_weighted_levels,
    weighted_sums,
)
from tpanalytics.measures._core.groups import BY_FAMILY, check_groups_of_both, groups_of_both
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.snapshot_pairs import jobs_of, one_job_per_group
from tpanalytics.measures._core.snapshots import check_one_snapshot
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["compare_exposure"]


@cached
def compare_exposure(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Break down the change in the company's exposure index by job family or by job.

    The index is defined as in `exposure`: hours multiplied by their level weight, divided by all hours with a level
    weight. Let s be a family's or job's share of these hours, and e its index. The contribution is the sum of four
    terms:

    - within, ``(s1 + s2) / 2 * (e2 - e1)``, if its own index changed
    - mix, ``((e1 + e2) / 2 - (Ec1 + Ec2) / 2) * (s2 - s1)``, if its share changed
    - entry, ``s2 * (e2 - Ec2)``, if it has an index only in the later snapshot
    - exit, ``s1 * (Ec1 - e1)``, if it has an index only in the earlier snapshot

    The within and mix terms only include families or jobs with an index in both snapshots. Their shares add up to 1,
    and Ec is the index over all of them. All contributions add up to the total change. A family or job without hours or
    levels in one of the snapshots also counts as an entry or exit, so check ``reason`` and the coverage before
    interpreting the result.

    Parameters
    ----------
    before, after
        The two snapshots to compare. Uses ``job_id, job_family`` and, if present, ``job_name`` from `jobs`, and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns, as in `impact`. Jobs in both snapshots are listed under their later group. A job in several
        groups, as with a column of people, is matched in each of them. The total counts it once, so its index does not
        break down into the contributions of the groups, which add up to the change in the index over all groups.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group, sorted by name with missing values last, followed by a row with the total. With
        ``by="job_id"``, ``job_name`` comes from the later snapshot if possible, otherwise from the earlier one. If
        there are no jobs, the result is empty.

        =====================  =======  ============================================================
        ``scope``              String   ``group`` or ``job``, or ``all`` in the last row
        ``job_family``         String   the columns in `by`; null in the last row
        ``exposure_before``    Float64  index before, 0 to 1; null if no hours have a weight
        ``exposure_after``     Float64  index after, 0 to 1; null if no hours have a weight
        ``change``             Float64  ``exposure_after - exposure_before``
        ``share_before``       Float64  share of all weighted hours before, 0 to 1
        ``share_after``        Float64  share of all weighted hours after, 0 to 1
        ``within``             Float64  contribution from a change in its own index
        ``mix``                Float64  contribution from a change in its share
        ``entry``              Float64  contribution if it has an index only after
        ``exit``               Float64  contribution if it has an index only before
        ``contribution``       Float64  ``within + mix + entry + exit``; equals ``change`` in the last row
        ``weight_low``         Float64  contribution with an H2 weight of 0
        ``weight_high``        Float64  contribution with an H2 weight of 1
        ``jobs_before``        UInt32   jobs before
        ``jobs_after``         UInt32   jobs after
        ``tasks_before``       UInt32   tasks before, in the selected states
        ``tasks_after``        UInt32   tasks after, in the selected states
        ``coverage_before``    Float64  share of tasks with documented hours and a weighted level before
        ``coverage_after``     Float64  share of tasks with documented hours and a weighted level after
        ``reason``             String   why an index is null (``NO_JOBS``, ``NO_TASKS``, ``NO_HOURS``,
                                        ``NO_LEVELS``) or the terms are (``TOO_FEW``: no family or job
                                        has an index in both snapshots; ``GROUPS_OVERLAP``: the total
                                        counts each job once, and the groups do not)
        =====================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> change = compare_exposure(load_sample("2026-05"), load_sample("2026-11"))
    >>> change.filter(scope="all").select(pl.col("exposure_before", "within", "mix", "exposure_after").round(3)).row(0)
    (0.545, 0.02, -0.001, 0.564)
    """
    check_one_snapshot(before=before, after=after)
    check_groups_of_both(before, after, by)
    level_weights = checked_weights(level_weights)
    first, second = (
        reduced._replace(jobs=one_job_per_group(reduced.jobs, reduced.groups))
        for reduced in (aggregate_tasks(before, states, by=by), aggregate_tasks(after, states, by=by))
    )
    groups = groups_of_both(first.groups, second.groups)
    jobs = jobs_of(first.jobs, second.jobs)
    sums = [_sums(reduced, jobs, level_weights, side) for reduced, side in ((first, "before"), (second, "after"))]
    both = sums[0].join(sums[1], on="group", how="full", coalesce=True)
    result = decompose(both.sort(groups.order), "group")
    if not groups.columns.by:
        result = result.filter(scope="all")
    together = [first, second]
    if groups.columns.overlap:
        together = [aggregate_tasks(profiles, states, by=None) for profiles in (before, after)]
        jobs = jobs_of(*(reduced.jobs for reduced in together))
        total = compare_exposure(before, after, by=None, level_weights=level_weights, states=states)
        result = pl.concat([result.filter(scope="group"), _without_terms(total)], how="diagonal")
    return attach_metadata(
        groups.named(result),
        meaning_of_both(
            *(only_weighted_levels(reduced, level_weights) for reduced in together),
            columns=groups.columns,
            measure="compare_exposure",
            value=f"contribution of each {groups.noun} to the change in the exposure index of the company",
            **INDEX_DIFFERENCE,
            level_weights=level_weights,
            policy=(
                EXCLUDED_NOTE,
                f"{groups.a_group.capitalize()} without an index in one snapshot is an entry or exit. See its reason.",
                f"Jobs in both snapshots are counted in their {groups.noun} of the later one.",
            ),
            warnings=(
                *pull_warnings(before, after),
                *weight_warnings(level_weights, *(reduced.cells for reduced in together)),
                *job_warnings(jobs, groups.noun),
            ),
        ),
    )


def _without_terms(total: pl.DataFrame) -> pl.DataFrame:
    """Remove the terms from the total, because those of overlapping groups do not add up to it."""
    terms = (*SPLIT, "contribution", "weight_low", "weight_high")
    return pl.DataFrame(total).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in terms),
        reason=pl.coalesce("reason", pl.lit("GROUPS_OVERLAP")),
    )


def _sums(reduced: TaskCounts, jobs: pl.DataFrame, level_weights: Mapping[str, float], side: str) -> pl.DataFrame:
    """Compute a snapshot's sums by family or job."""
    families = reduced.jobs.select("job", "job_id").join(jobs.select("job_id", "group"), on="job_id", how="left")
    cells = reduced.cells.drop("group").join(families, on="job", how="left", maintain_order="left")
    sums = (
        families.group_by("group")
        .agg(jobs=pl.len())
        .join(weighted_sums(cells, level_weights, "group"), on="group", how="left")
    )
    return sums.rename({name: f"{name}_{side}" for name in sums.columns if name != "group"})
