"""Change in the company's exposure between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import (
    job_warnings,
    meaning_of_both,
    pull_warnings,
    weight_warnings,
)
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.decomposition import (
    EXCLUDED_NOTE,
    INDEX_DIFFERENCE,
    decompose,
    only_weighted_levels,
    weighted_sums,
)
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.snapshot_pairs import families_last, jobs_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles

__all__ = ["Part", "compare_exposure"]

#: Ways to break down the change in exposure.
Part = Literal["family", "job"]


@cached
def compare_exposure(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: Part = "family",
    level_weights: Mapping[str, float] = WEIGHTS,
    states: Sequence[str] = COUNTED_STATES,
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
        Break down by ``"family"`` or ``"job"``. Jobs in both snapshots are listed under their later family.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    states
        Validation states to include.

    Returns
    -------
    pl.DataFrame
        One row per family or job, followed by a row with the total. Families are sorted by name with ``(no family)``
        last, and jobs are sorted by family and id. ``by="job"`` adds the String columns ``job_id`` and ``job_name``
        after ``job_family``. The name comes from the later snapshot if possible, otherwise from the earlier one. If
        neither has a name, the id is used. If there are no jobs, the result is empty.

        =====================  =======  ============================================================
        ``scope``              String   ``family`` or ``job``, or ``all`` in the last row
        ``job_family``         String   job family; null in the last row
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
                                        has an index in both snapshots)
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
    check_choice("by", by, Part)
    level_weights = checked_weights(level_weights)
    first, second = aggregate_tasks(before, states), aggregate_tasks(after, states)
    jobs = jobs_of(first.jobs, second.jobs)
    part = "job_id" if by == "job" else "group"
    sums = [_sums(reduced, jobs, level_weights, part, side) for reduced, side in ((first, "before"), (second, "after"))]
    both = sums[0].join(sums[1], on=part, how="full", coalesce=True)
    if by == "job":
        names = _names(first.jobs, second.jobs)
        both = jobs.select("group", "job_id").join(names, on="job_id").join(both, on="job_id")
    order = families_last(*(["job_id"] if by == "job" else []))
    result = decompose(both.with_columns(scope=pl.lit(by)).sort(order).drop("scope"), by)
    return attach_metadata(
        result,
        meaning_of_both(
            only_weighted_levels(first, level_weights),
            only_weighted_levels(second, level_weights),
            measure="compare_exposure",
            value=f"contribution of each {by} to the change in the exposure index of the company",
            **INDEX_DIFFERENCE,
            level_weights=level_weights,
            policy=(
                EXCLUDED_NOTE,
                f"A {by} without an index in one snapshot counts as entry or exit. See its reason.",
                "Jobs in both snapshots are counted in their family of the later one.",
            ),
            warnings=(
                *pull_warnings(before, after),
                *weight_warnings(level_weights, first.cells, second.cells),
                *job_warnings(jobs),
            ),
        ),
    )


def _sums(
    reduced: TaskCounts, jobs: pl.DataFrame, level_weights: Mapping[str, float], part: str, side: str
) -> pl.DataFrame:
    """Compute a snapshot's sums by family or job."""
    families = reduced.jobs.select("job", "job_id").join(jobs.select("job_id", "group"), on="job_id", how="left")
    cells = reduced.cells.drop("group").join(families, on="job", how="left", maintain_order="left")
    sums = (
        families.group_by(part).agg(jobs=pl.len()).join(weighted_sums(cells, level_weights, part), on=part, how="left")
    )
    return sums.rename({name: f"{name}_{side}" for name in sums.columns if name != part})


def _names(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    names = [
        frame.select("job_id", job_name=pl.col("job_name") if "job_name" in frame.columns else pl.lit(None, pl.String))
        for frame in (after, before)
    ]
    return (
        names[0]
        .join(names[1], on="job_id", how="full", coalesce=True)
        .select("job_id", job_name=pl.coalesce("job_name", "job_name_right", "job_id"))
    )
