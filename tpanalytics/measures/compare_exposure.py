"""Why the exposure of a company is higher or lower than it was: its parts changed, or their weights among them did."""

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
from tpanalytics.measures._core.decomposition import INDEX_DIFFERENCE, LEFT_OUT, decompose, weighed_by, with_weight
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.snapshot_pairs import families_last, jobs_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles

__all__ = ["Part", "compare_exposure"]

#: Of what the company is made up.
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
    """Split the change of the company's exposure index over its families or jobs.

    The index is that of `exposure`: hours times the weight of their level, over the hours that have a
    weight. With s a part's share of those hours and e its index, its contribution is within, ``(s1 + s2) / 2 * (e2 -
    e1)``: it became more exposed or less; mix, ``((e1 + e2) / 2 - (Ec1 + Ec2) / 2) * (s2 - s1)``: it grew or shrank,
    being more exposed than the others or less; entry, ``s2 * (e2 - Ec2)``, or exit, ``s1 * (Ec1 - e1)``, where it has
    an index on one side only. Within and mix are over the parts that have an index on both sides, with shares of them
    and Ec their index together. All contributions add up to the change. A part whose tasks have no hours or no level
    on one side counts as not there, which is a fact about the data: read ``reason`` and the coverage.

    Parameters
    ----------
    before, after
        The two snapshots. Reads ``job_id, job_family`` and where present ``job_name`` of `jobs`, and ``job_id,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    by
        The parts: ``"family"`` or ``"job"``. A job that is in both counts on both sides in its family after.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family by name, ``(no family)`` after them, or per job in the order of its family and its id; then
        one row of all; no row where there is no job.

        =====================  =======  ============================================================
        ``scope``              String   ``family`` or ``job``; ``all`` for the last row
        ``job_family``         String   the family; null in the row of all
        ``exposure_before``    Float64  the index before, 0 to 1; null where no hours have a weight
        ``exposure_after``     Float64  the index after
        ``change``             Float64  after less before; null where either is
        ``share_before``       Float64  share of all hours that have a weight, 0 to 1
        ``share_after``        Float64  the same after
        ``within``             Float64  part of the company's change because the part's own index changed
        ``mix``                Float64  because its share did, among the parts on both sides
        ``entry``              Float64  because it has an index only after
        ``exit``               Float64  because it had one only before
        ``contribution``       Float64  the four together; in the row of all equal to ``change``
        ``weight_low``         Float64  the contribution with a weight of 0 for H2
        ``weight_high``        Float64  the contribution with a weight of 1 for H2
        ``jobs_before``        UInt32   jobs before
        ``jobs_after``         UInt32   jobs after
        ``tasks_before``       UInt32   tasks that count before
        ``tasks_after``        UInt32   tasks that count after
        ``coverage_before``    Float64  share of the tasks that have stated hours and a weight, 0 to 1
        ``coverage_after``     Float64  the same after
        ``reason``             String   why an index, first the one before, or else the split is null: a word of
                                        `metadata.NONE_BECAUSE`; ``TOO_FEW`` where no part has an
                                        index on both sides
        =====================  =======  ============================================================

        By job also ``job_id`` and ``job_name`` (as after where the job is there, its id where it has none), String,
        after ``job_family``.

    Raises
    ------
    SchemaError
        If a column is missing, or `by` or a weight is not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

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
    part = "job_id" if by == "job" else "job_family"
    sums = [_sums(reduced, jobs, level_weights, part, side) for reduced, side in ((first, "before"), (second, "after"))]
    both = sums[0].join(sums[1], on=part, how="full", coalesce=True)
    if by == "job":
        names = _names(first.jobs, second.jobs)
        both = jobs.select("job_family", "job_id").join(names, on="job_id").join(both, on="job_id")
    order = families_last(*(["job_id"] if by == "job" else []))
    result = decompose(both.with_columns(scope=pl.lit(by)).sort(order).drop("scope"), by)
    return attach_metadata(
        result,
        meaning_of_both(
            with_weight(first, level_weights),
            with_weight(second, level_weights),
            measure="compare_exposure",
            value=f"what each {by} contributes to the change of the company's exposure index",
            **INDEX_DIFFERENCE,
            level_weights=level_weights,
            policy=(
                LEFT_OUT,
                f"A {by} that has no index on one side counts as entry or exit there; read its reason.",
                "A job that is in both counts in its family after.",
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
    """Add up one snapshot by the parts of the comparison."""
    places = reduced.jobs.select("job", "job_id").join(jobs.select("job_id", "job_family"), on="job_id", how="left")
    cells = reduced.cells.drop("job_family").join(places, on="job", how="left", maintain_order="left")
    sums = places.group_by(part).agg(jobs=pl.len()).join(weighed_by(cells, level_weights, part), on=part, how="left")
    return sums.rename({name: f"{name}_{side}" for name in sums.columns if name != part})


def _names(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    named = [
        frame.select("job_id", job_name=pl.col("job_name") if "job_name" in frame.columns else pl.lit(None, pl.String))
        for frame in (after, before)
    ]
    return (
        named[0]
        .join(named[1], on="job_id", how="full", coalesce=True)
        .select("job_id", job_name=pl.coalesce("job_name", "job_name_right", "job_id"))
    )
