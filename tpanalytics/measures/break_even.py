"""H2 weights at which two job families swap places in the exposure ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import aggregate_tasks, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import groups_as_jobs, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, index_of
from tpanalytics.measures.exposure import DIGITS, exposure_meaning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["break_even"]

#: Treat smaller differences between two indices as rounding errors.
_TOLERANCE = 1e-12


@cached
def break_even(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return the pairs of job families whose order by exposure depends on the H2 weight.

    A family's exposure index is linear in the H2 weight, from ``weight_low`` at 0 to ``weight_high`` at 1. If the lines
    for two families intersect, they do so at ``(low_a - low_b) / ((high_b - low_b) - (high_a - low_a))``. Pairs whose
    order never changes and families without an index are omitted.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` from `jobs` and ``job_id, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. A job counts once in every group that has it, so groups by a column of people or tasks overlap. With a
        column of tasks, these are the groups where it has such a task. Jobs without people are in a group such as
        ``(no country)``.
    level_weights
        Weight of each level, 0 to 1, including H2. Levels without a weight count as not assessed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per pair, sorted by how close ``break_even`` is to the H2 weight in `level_weights`, and then by name.

        =================  =======  ==================================================================
        ``group_a``       String   the more exposed family at `level_weights`, or the first by name if equal
        ``group_b``       String   the other family
        ``break_even``     Float64  H2 weight at which both are equally exposed, between 0 and 1
        ``a_leads``        String   whether ``group_a`` is more exposed ``"above"`` or ``"below"`` that weight
        ``exposure_a``     Float64  index of ``group_a`` at `level_weights`, 0 to 1
        ``exposure_b``     Float64  index of ``group_b``
        ``weight_low_a``   Float64  index of ``group_a`` with an H2 weight of 0
        ``weight_high_a``  Float64  index of ``group_a`` with an H2 weight of 1
        ``weight_low_b``   Float64  index of ``group_b`` with an H2 weight of 0
        ``weight_high_b``  Float64  index of ``group_b`` with an H2 weight of 1
        ``data_grade``     String   lower of the two data grades, by index coverage
        =================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If a weight is invalid or H2 has no weight.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> pairs = break_even(load_sample())
    >>> pairs.select("group_a", "group_b", pl.col("break_even").round(2), "a_leads").row(0)
    ('Supply Chain and Logistics', 'Customer Service', 0.48, 'above')
    """
    level_weights = checked_weights(level_weights)
    if "H2" not in level_weights:
        raise ArgumentError(f"`level_weights` must include a weight for 'H2', not {level_weights!r}.")
    reduced = aggregate_tasks(profiles, states, by=by, per="group")
    sums = level_sums(groups_as_jobs(reduced.cells), "group")
    tasks = reduced.cells.group_by("group").agg(tasks=pl.col("n").sum())
    lines = (
        index_of(sums, level_weights, "group")
        .filter(pl.col("exposure").is_not_null())
        .join(tasks, on="group")
        .sort("group")
        .with_row_index("place")
        .select(
            *("place", "exposure", "weight_low", "weight_high"),
            "group",
            data_grade=grade(share_of(pl.col("tasks_stated"), pl.col("tasks"))),
        )
    )
    result = _crossing_pairs(lines, level_weights["H2"])
    n = lines.height
    return attach_metadata(
        result,
        exposure_meaning(
            reduced,
            level_weights,
            None,
            measure="break_even",
            value="weight of H2 at which two families are equally exposed",
            basis="hours",
            policy=(
                f"The weight of H2 decides the order of {result.height:,} of {n * (n - 1) // 2:,} pairs of families.",
                "Only the weight of H2 is varied. See the bounds of exposure for missing data.",
            ),
        ),
    )


def _crossing_pairs(lines: pl.DataFrame, b: float) -> pl.DataFrame:
    pairs = lines.join(lines, how="cross", suffix="_b").filter(pl.col("place") < pl.col("place_b"))
    low, high = (pl.col(name) - pl.col(f"{name}_b") for name in ("weight_low", "weight_high"))
    distinct = pl.min_horizontal(low.abs(), high.abs()) > _TOLERANCE
    crossing = pairs.filter(distinct & ((low > 0) != (high > 0))).with_columns(break_even=low / (low - high))
    b_leads = pl.col("exposure_b") - pl.col("exposure") > _TOLERANCE
    columns = ("group", "exposure", "weight_low", "weight_high")
    return (
        crossing.with_columns(
            *(pl.when(b_leads).then(f"{name}_b").otherwise(name).alias(f"{name}_a") for name in columns),
            *(pl.when(b_leads).then(name).otherwise(f"{name}_b").alias(f"{name}_b") for name in columns),
        )
        .with_columns(
            a_leads=pl.when(pl.col("weight_high_a") > pl.col("weight_high_b"))
            .then(pl.lit("above"))
            .otherwise(pl.lit("below")),
            data_grade=pl.max_horizontal("data_grade", "data_grade_b"),  # the worse of the two grades
        )
        .sort((pl.col("break_even") - b).abs().round(DIGITS), "group_a", "group_b")
        .select(
            *("group_a", "group_b", "break_even", "a_leads", "exposure_a", "exposure_b"),
            *("weight_low_a", "weight_high_a", "weight_low_b", "weight_high_b", "data_grade"),
        )
    )
