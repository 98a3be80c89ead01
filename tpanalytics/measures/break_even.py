"""Which comparisons of families hang on how much a partly automatable task counts, and where they turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import aggregate_tasks, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.level_sums import families_as_jobs, level_sums
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights, index_of
from tpanalytics.measures.exposure import DIGITS, exposure_meaning
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["break_even"]

#: Two indexes nearer than this are the same: which is higher would hang on how floats were added up.
_SAME = 1e-12


@cached
def break_even(
    profiles: TaskProfiles, *, level_weights: Mapping[str, float] = WEIGHTS, states: Sequence[str] = COUNTED_STATES
) -> pl.DataFrame:
    """Find the pairs of families whose order by exposure turns with the weight of H2, and the weight where it does.

    As that weight b goes from 0 to 1 a family's index is a straight line from ``weight_low`` to ``weight_high``; two
    lines that cross within 0 and 1 do so at ``(low_a - low_b) / ((high_b - low_b) - (high_a - low_a))``. Pairs that
    keep their order are not in the result, nor are families without an index.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs` and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours
        per week) of `tasks`.
    level_weights
        Weight of each level, 0 to 1, H2 among them. A level that is not among them counts as unknown.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per pair that turns, the nearest to the weight in use first, ties by name.

        =================  =======  ==================================================================
        ``family_a``       String   the family that is more exposed at the weight in use; by name if equal there
        ``family_b``       String   the other
        ``break_even``     Float64  weight of H2 at which both are equally exposed, within 0 and 1
        ``a_leads``        String   on which side of it ``family_a`` is the more exposed: ``"above"`` or ``"below"``
        ``exposure_a``     Float64  index at the `level_weights`, 0 to 1
        ``exposure_b``     Float64  likewise
        ``weight_low_a``   Float64  index with a weight of 0 for H2
        ``weight_high_a``  Float64  index with a weight of 1 for H2
        ``weight_low_b``   Float64  as for ``family_a``
        ``weight_high_b``  Float64  likewise
        ``data_grade``     String   the poorer of both families' grades, by the tasks that are in the index
        =================  =======  ==================================================================

    Raises
    ------
    SchemaError
        If a column is missing, a weight is not as above, or there is none for H2.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> pairs = break_even(load_sample())
    >>> pairs.select("family_a", "family_b", pl.col("break_even").round(2), "a_leads").row(0)
    ('Supply Chain and Logistics', 'Customer Service', 0.48, 'above')
    """
    level_weights = checked_weights(level_weights)
    if "H2" not in level_weights:
        raise SchemaError(f"level_weights={level_weights!r}: the break-even is a weight of 'H2', so give H2 one too.")
    reduced = aggregate_tasks(profiles, states, per="family")
    sums = level_sums(families_as_jobs(reduced.cells), "job_family")
    tasks = reduced.cells.group_by("job_family").agg(tasks=pl.col("n").sum())
    lines = (
        index_of(sums, level_weights, "job_family")
        .filter(pl.col("exposure").is_not_null())
        .join(tasks, on="job_family")
        .sort("job_family")
        .with_row_index("place")
        .select(
            *("place", "exposure", "weight_low", "weight_high"),
            family="job_family",
            data_grade=grade(share_of(pl.col("tasks_stated"), pl.col("tasks"))),
        )
    )
    pairs = lines.join(lines, how="cross", suffix="_b").filter(pl.col("place") < pl.col("place_b"))
    low, high = (pl.col(name) - pl.col(f"{name}_b") for name in ("weight_low", "weight_high"))
    turns = pl.min_horizontal(low.abs(), high.abs()) > _SAME
    turning = pairs.filter(turns & ((low > 0) != (high > 0))).with_columns(break_even=low / (low - high))
    lead = pl.col("exposure_b") - pl.col("exposure") > _SAME
    sides = ("family", "exposure", "weight_low", "weight_high")
    b = level_weights["H2"]
    result = (
        turning.with_columns(
            *(pl.when(lead).then(f"{name}_b").otherwise(name).alias(f"{name}_a") for name in sides),
            *(pl.when(lead).then(name).otherwise(f"{name}_b").alias(f"{name}_b") for name in sides),
        )
        .with_columns(
            a_leads=pl.when(pl.col("weight_high_a") > pl.col("weight_high_b"))
            .then(pl.lit("above"))
            .otherwise(pl.lit("below")),
            data_grade=pl.max_horizontal("data_grade", "data_grade_b"),  # C comes after A
        )
        .sort((pl.col("break_even") - b).abs().round(DIGITS), "family_a", "family_b")
        .select(
            *("family_a", "family_b", "break_even", "a_leads", "exposure_a", "exposure_b"),
            *("weight_low_a", "weight_high_a", "weight_low_b", "weight_high_b", "data_grade"),
        )
    )
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
                (
                    f"Of {n * (n - 1) // 2:,} pairs of families {result.height:,} turn; the others keep their order "
                    "whatever H2 weighs."
                ),
                "Only the weight is varied; see the bounds of exposure for what is not known.",
            ),
        ),
    )
