"""Level weights and the exposure index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import known_sum, share_of
from tpanalytics.measures._core.checks import is_number
from tpanalytics.measures._core.level_sums import attach_level_set_values
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tpanalytics.measures._core.level_sums import LevelSums

__all__ = [
    "WEIGHTS",
    "at",
    "checked_weights",
    "index_of",
    "job_sums",
    "unmapped",
    "weight_of",
]

#: Default weights: 1 for highly automatable work, 0.5 for partly automatable work, 0 for human judgement.
WEIGHTS: dict[str, float] = {"H1": 1.0, "H2": 0.5, "H3": 0.0}


def checked_weights(level_weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights as floats. Raise an error for weights outside 0 to 1 and for the level 'not assessed'."""
    if not isinstance(level_weights, Mapping) or not level_weights:
        raise ArgumentError(
            f"`level_weights` must be a dict of level and weight, like {WEIGHTS}, not {level_weights!r}."
        )
    for level, weight in level_weights.items():
        if not isinstance(level, str):
            raise ArgumentError(f"Levels in `level_weights` must be strings like 'H1', not {level!r}.")
        if not is_number(weight) or not 0 <= weight <= 1:
            raise ArgumentError(
                f"The weight of {level!r} in `level_weights` must be a number from 0 to 1, not {weight!r}."
            )
        if level == NOT_ASSESSED:
            raise ArgumentError(
                f"`level_weights` must not contain {NOT_ASSESSED!r}. Tasks without a level widen the bounds instead."
            )
    return {level: float(weight) for level, weight in level_weights.items()}


def at(level_weights: Mapping[str, float], b: float) -> dict[str, float]:
    """Return a copy of the weights with H2, if present, set to `b`."""
    return {**level_weights, "H2": b} if "H2" in level_weights else dict(level_weights)


def unmapped(levels: Iterable[str], level_weights: Mapping[str, float]) -> list[str]:
    """Return the assessed levels without a weight, which count as not assessed."""
    return sorted(set(levels) - set(level_weights) - {NOT_ASSESSED})


def weight_of(level_weights: Mapping[str, float]) -> pl.Expr:
    """Return the weight for each value in the ``level`` column, or null if the level has no weight."""
    return pl.col("level").replace_strict(dict(level_weights), default=None, return_dtype=pl.Float64)


def job_sums(cells: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Return each job's hours at levels with a weight (``weighed``) and their weighted sum (``exposed``), or null."""
    weight = weight_of(level_weights)
    return (
        cells.with_columns(weighed=pl.when(weight.is_not_null()).then("hours"), exposed=pl.col("hours") * weight)
        .group_by("job", "group", maintain_order=True)
        .agg(exposed=known_sum("exposed"), weighed=known_sum("weighed"))
    )


def index_of(sums: LevelSums, level_weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Return the exposure index: the weighted sum of hours, divided by the hours at levels with a weight."""
    parts = {"numerator": level_weights, "low": at(level_weights, 0.0), "high": at(level_weights, 1.0)}
    weighed = weight_of(level_weights).is_not_null()
    index = {"exposure": "numerator", "weight_low": "low", "weight_high": "high"}
    jobs = attach_level_set_values(
        sums.with_hours, sums.levels, weighed=lambda levels: any(level in level_weights for level in levels)
    )
    jobs = jobs.group_by(by).agg(jobs_in_index=pl.col("jobs").filter(pl.col("weighed") > 0).sum())
    return (
        sums.amounts.with_columns(
            denominator=pl.when(weighed).then("amount"),
            tasks_in_index=pl.when(weighed).then("tasks").otherwise(0),
            tasks_stated=pl.when(weighed).then("stated").otherwise(0),
            **{name: pl.col("amount") * weight_of(weights) for name, weights in parts.items()},
        )
        .group_by(by, maintain_order=True)
        .agg(
            *(known_sum(name).alias(name) for name in (*parts, "denominator")),
            tasks_in_index=pl.col("tasks_in_index").sum(),
            tasks_stated=pl.col("tasks_stated").sum(),
            tasks_with_hours=pl.col("tasks").sum(),
            people=pl.col("people").sum(),
        )
        .join(jobs, on=by, how="left", maintain_order="left")
        .with_columns(share_of(pl.col(part), pl.col("denominator")).alias(name) for name, part in index.items())
        .drop("low", "high")
    )
