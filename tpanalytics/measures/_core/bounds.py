"""Lower and upper bounds for hours, shares and indices, allowing for all missing data (partial identification).

A task without a level can have any level. Undocumented contract hours can belong to any of the job's tasks without
hours, or to none of them. If contract hours are missing, a bound is null unless the missing hours cannot change it.

Manski, C. F. (2005), Partial identification with missing data: concepts and findings, International Journal of
Approximate Reasoning 39.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import share_of
from tpanalytics.measures._core.level_sums import (
    attach_level_set_values,
    level_sums,
)
from tpanalytics.measures._core.weights import weight_of
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.measures._core.level_sums import LevelSums

__all__ = [
    "assumed_week_note",
    "extreme_indices",
    "hours_bounds",
    "index_bounds",
    "known_hours",
    "open_hours",
    "share_bounds",
]

#: Lowest and highest possible weight for a task without a level.
Range = tuple[float, float]


def assumed_week_note(jobs: pl.DataFrame, week: float | None) -> tuple[str, ...]:
    """Return a warning if contract hours are assumed for some jobs."""
    jobs = jobs.unique("job_id") if "job_id" in jobs.columns else jobs  # they can be in several groups
    without = jobs.height - (jobs.get_column("contract_hours").count() if "contract_hours" in jobs.columns else 0)
    if week is None or not without:
        return ()
    return (f"The bounds assume {week:g} h per week for jobs without contract hours ({without:,} of {jobs.height:,}).",)


def index_bounds(sums: LevelSums, level_weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Return ``bound_low, bound_high`` for the exposure index of each job or family."""
    any_weight = min(level_weights.values()), max(level_weights.values())
    known = known_hours(sums, level_weights, by, any_weight)
    return extreme_indices(known, open_hours(sums, level_weights, any_weight), [by])


def share_bounds(cells: pl.DataFrame, *more_levels: str) -> pl.DataFrame:
    """Return bounds for each level's share by family. A share is an index where only that level has weight 1."""
    sums = level_sums(cells, "group")
    levels = sorted({*sums.levels, *more_levels} - {NOT_ASSESSED})
    known, gaps, any_weight = [], [], (0.0, 1.0)
    for level in levels:
        weights, named = {name: float(name == level) for name in levels}, pl.lit(level).alias("level")
        known.append(known_hours(sums, weights, "group", any_weight).with_columns(named))
        gaps.append(open_hours(sums, weights, any_weight).with_columns(named))
    by = ["group", "level"]
    if not levels:
        return pl.DataFrame(schema={**dict.fromkeys(by, pl.String), "share_low": pl.Float64, "share_high": pl.Float64})
    bounds = extreme_indices(pl.concat(known), pl.concat(gaps), by)
    return bounds.rename({"bound_low": "share_low", "bound_high": "share_high"})


def hours_bounds(sums: LevelSums) -> pl.DataFrame:
    """Return each family's documented hours, plus an upper bound that includes all undocumented hours."""
    rest = sums.without_hours.group_by("group").agg(pl.col("rest").sum(), pl.col("unknown").sum())
    return (
        sums.amounts.group_by("group", maintain_order=True)
        .agg(bound_low=pl.col("amount").sum())
        .join(rest, on="group", how="left", maintain_order="left")
        .select(
            *("group", "bound_low"),
            bound_high=pl.when(pl.col("unknown").fill_null(0) == 0).then(
                pl.col("bound_low") + pl.col("rest").fill_null(0.0)
            ),
        )
    )


def known_hours(sums: LevelSums, level_weights: Mapping[str, float], by: str, any_weight: Range) -> pl.DataFrame:
    """Return documented hours (``whole``) by job or family, with bounds on the exposed hours (``low, high``)."""
    amount, weight = pl.col("amount"), weight_of(level_weights)
    return (
        sums.amounts.with_columns(low=weight.fill_null(any_weight[0]), high=weight.fill_null(any_weight[1]))
        .group_by(by, maintain_order=True)
        .agg(whole=amount.sum(), low=(amount * pl.col("low")).sum(), high=(amount * pl.col("high")).sum())
    )


def open_hours(sums: LevelSums, level_weights: Mapping[str, float], any_weight: Range) -> pl.DataFrame:
    """Add the lowest and highest possible weight (``low, high``) to `LevelSums.without_hours`."""
    least, most = any_weight
    return attach_level_set_values(
        sums.without_hours,
        sums.levels,
        low=lambda levels: min(level_weights.get(level, least) for level in levels),
        high=lambda levels: max(level_weights.get(level, most) for level in levels),
    )


def extreme_indices(known: pl.DataFrame, gaps: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Compute index bounds in closed form from `known_hours` and `open_hours`."""
    sides = [_extreme(known, gaps, by, side) for side in ("low", "high")]
    return known.select(by).join(sides[0], on=by, how="left").join(sides[1], on=by, how="left")


def _extreme(known: pl.DataFrame, gaps: pl.DataFrame, by: list[str], side: str) -> pl.DataFrame:
    upper, weight, rest = side == "high", pl.col("weight"), pl.col("rest")
    steps = (
        gaps.rename({side: "weight"})
        .group_by(*by, "weight", maintain_order=True)
        .agg(rest.sum(), pl.col("unknown").sum())
        .sort(*by, weight, descending=[*(False for _ in by), upper])
        .with_columns(more=rest.cum_sum().over(by), more_exposed=(rest * weight).cum_sum().over(by))
        .join(known.select(*by, "whole", exposed=side), on=by, how="left", maintain_order="left")
    )
    reached = share_of(pl.col("exposed") + pl.col("more_exposed"), pl.col("whole") + pl.col("more"))
    if_unknown = weight.filter(pl.col("unknown") > 0)
    best = steps.group_by(by).agg(
        reached=reached.max() if upper else reached.min(),
        if_unknown=if_unknown.max() if upper else if_unknown.min(),
    )
    start = share_of(pl.col(side), pl.col("whole"))
    extreme = (pl.max_horizontal if upper else pl.min_horizontal)(start, "reached")
    # Allow for rounding errors in the sums.
    changes = pl.col("if_unknown") > extreme + 1e-9 if upper else pl.col("if_unknown") < extreme - 1e-9
    stays = changes.fill_null(value=False).not_() & extreme.is_not_null()
    return known.join(best, on=by, how="left").select(
        *by, pl.when(stays).then(extreme.clip(0, 1)).alias(f"bound_{side}")
    )
