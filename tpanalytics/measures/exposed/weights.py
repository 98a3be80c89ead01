"""How much of a task counts as exposed, by its level; and each job's share in the index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures.reduce import known_sum
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["WEIGHTS", "at", "checked_weights", "job_sums", "unmapped"]

#: Highly automatable counts whole, partly automatable by half (0 to 1 are shown beside it), human judgement not.
WEIGHTS: dict[str, float] = {"H1": 1.0, "H2": 0.5, "H3": 0.0}


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Give the weights as plain numbers.

    Raises
    ------
    SchemaError
        If there is none, one is not within 0 to 1, or one is for tasks that are not assessed.
    """
    if not weights or not hasattr(weights, "items"):
        raise SchemaError(f"weights={weights!r}: give a weight from 0 to 1 by level, like {WEIGHTS}.")
    for level, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
        if not number or not 0 <= weight <= 1:
            raise SchemaError(f"weights: the weight of {level!r} is {weight!r}; it must be a number from 0 to 1.")
        if level == NOT_ASSESSED:
            raise SchemaError(
                f"weights: tasks that are {NOT_ASSESSED!r} have no weight; they widen the bounds instead."
            )
    return {level: float(weight) for level, weight in weights.items()}


def at(weights: Mapping[str, float], b: float) -> dict[str, float]:
    """Give the weights with that of H2 set to `b`, for the range and the break-even."""
    return {**weights, "H2": b} if "H2" in weights else dict(weights)


def unmapped(levels: Iterable[str], weights: Mapping[str, float]) -> list[str]:
    """List the levels that have no weight and so count as unknown until they are given one."""
    return sorted(set(levels) - set(weights) - {NOT_ASSESSED})


def job_sums(cells: pl.DataFrame, weights: Mapping[str, float]) -> pl.DataFrame:
    """Give each job's part in the index: what its hours with a weight come to, and how many they are.

    Parameters
    ----------
    cells
        As in `tpanalytics.measures.reduce.Cells`, per job and by level.
    weights
        As `checked_weights` gives them.

    Returns
    -------
    pl.DataFrame
        ``job, job_family, exposed`` (sum of hours times weight) and ``weighed`` (sum of hours), both in hours per
        week, null for a job without hours that have a weight; one row per job with a task that counts.
    """
    weight = pl.col("level").replace_strict(weights, default=None, return_dtype=pl.Float64)
    return (
        cells.with_columns(weighed=pl.when(weight.is_not_null()).then("hours"), exposed=pl.col("hours") * weight)
        .group_by("job", "job_family", maintain_order=True)
        .agg(exposed=known_sum("exposed"), weighed=known_sum("weighed"))
    )
