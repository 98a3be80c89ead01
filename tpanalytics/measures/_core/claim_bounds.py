"""What the exposure index may be, by sums that single jobs can be taken out of again.

The closed form of `_core.bounds` (Manski, 2005): a task whose level is not known may weigh what
any level weighs, and the contract hours that a job does not describe may belong to any of its tasks without hours, or
to none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import share_of
from tpanalytics.measures._core.bounds import share_bounds
from tpanalytics.measures._core.weights import weight_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bounds_of", "job_room", "possible", "room_sums", "with_week"]


def with_week(jobs: pl.DataFrame, week: float | None) -> pl.DataFrame:
    """Give the jobs with ``contract_hours``, those not known taken to be `week`."""
    own = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    return jobs.with_columns(contract_hours=own if week is None else own.fill_null(week))


def job_room(jobs: pl.DataFrame, cells: pl.DataFrame, level_weights: Mapping[str, float]) -> pl.DataFrame:
    """Say per job what is known, and what room is left.

    Parameters
    ----------
    jobs
        As `with_week` gives them.
    cells
        Per job and level, as in `aggregate.TaskCounts`.
    level_weights
        Weight of each level.

    Returns
    -------
    pl.DataFrame
        ``job, job_family, tasks``; ``whole`` known hours, ``low`` and ``high``, those times the least and the most
        they can weigh; ``vague``, the known hours whose weight is not known, of ``vague_tasks``; ``open_tasks``
        without hours, ``open_low`` and ``open_high``, the least and the most one of them can weigh, and ``rest``, the
        contract hours that may be theirs: 0 without such a task, null where not known. One row per job with a task.
    """
    weight = weight_of(level_weights)
    hours, is_open, known = pl.col("hours").fill_null(0.0), pl.col("n_known") < pl.col("n"), pl.col("weight")
    return (
        cells.with_columns(
            weight=weight,
            low_weight=weight.fill_null(min(level_weights.values())),
            high_weight=weight.fill_null(max(level_weights.values())),
        )
        .group_by("job", "job_family", maintain_order=True)
        .agg(
            tasks=pl.col("n").sum(),
            whole=hours.sum(),
            low=(hours * pl.col("low_weight")).sum(),
            high=(hours * pl.col("high_weight")).sum(),
            vague=hours.filter(known.is_null()).sum(),
            vague_tasks=pl.col("n_known").filter(known.is_null()).sum(),
            open_tasks=(pl.col("n") - pl.col("n_known")).sum(),
            open_low=pl.col("low_weight").filter(is_open).min(),
            open_high=pl.col("high_weight").filter(is_open).max(),
        )
        .join(jobs.select("job", "contract_hours"), on="job", how="left", maintain_order="left")
        .with_columns(
            rest=pl.when(pl.col("open_tasks") == 0)
            .then(0.0)
            .otherwise((pl.col("contract_hours") - pl.col("whole")).clip(lower_bound=0))
        )
        .drop("contract_hours")
    )


def room_sums(level_weights: Mapping[str, float]) -> list[pl.Expr]:
    """Say how to add up jobs of `job_room`: what is known, and, by least weight, what can be added to it.

    ``high_rest_i`` are the undescribed hours that can weigh at least the i-th weight, and ``high_part_i`` those times
    what they can weigh at most; ``low_…`` those that can weigh at most the i-th weight. ``unknown`` counts jobs whose
    undescribed hours are not known.
    """
    rest = pl.col("rest")
    sums = [*(pl.col(name).sum() for name in ("whole", "low", "high")), rest.null_count().alias("unknown")]
    for i, weight in enumerate(sorted(set(level_weights.values()))):
        for side, takes in (("high", pl.col("open_high") >= weight), ("low", pl.col("open_low") <= weight)):
            sums.append(rest.filter(takes).sum().alias(f"{side}_rest_{i}"))
            sums.append((rest * pl.col(f"open_{side}")).filter(takes).sum().alias(f"{side}_part_{i}"))
    return sums


def bounds_of(level_weights: Mapping[str, float]) -> list[pl.Expr]:
    """Say how to work out the bounds of what `room_sums` added up; null where a contract is not known."""
    places = range(len(set(level_weights.values())))
    whole, known = pl.col("whole"), pl.col("unknown") == 0
    sides = {
        side: [
            share_of(pl.col(side), whole),
            *(share_of(pl.col(side) + pl.col(f"{side}_part_{i}"), whole + pl.col(f"{side}_rest_{i}")) for i in places),
        ]
        for side in ("low", "high")
    }
    return [
        pl.when(known).then(pl.min_horizontal(sides["low"]).clip(0, 1)).alias("bound_low"),
        pl.when(known).then(pl.max_horizontal(sides["high"]).clip(0, 1)).alias("bound_high"),
    ]


def possible(
    jobs: pl.DataFrame, cells: pl.DataFrame, measure: str, level_weights: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Give the least and the most each figure can be; a family where they are not known is not there."""
    if measure == "h1_share":
        found = share_bounds(jobs, cells, "hours").filter(pl.col("level") == "H1").drop("level")
        # A family no task of which is at H1 has no row for it: what is unknown may still be.
        found = found.filter(pl.col("job_family").is_in(_at_h1(cells).implode()))
        lost = cells.filter(~pl.col("job_family").is_in(_at_h1(cells).implode()))
        if lost.height:
            none = lost.group_by("job_family", maintain_order=True).first()
            zero = none.with_columns(level=pl.lit("H1"), hours=pl.lit(0.0), n=pl.col("n") * 0, n_known=pl.col("n") * 0)
            again = (
                share_bounds(jobs, pl.concat([lost, zero.select(lost.columns)]), "hours")
                .filter(pl.col("level") == "H1")
                .drop("level")
            )
            found = pl.concat([found, again])
    else:
        room = job_room(jobs, cells, level_weights)
        if measure == "exposure":
            sums = room.group_by("job_family", maintain_order=True).agg(room_sums(level_weights))
            found = sums.select("job_family", *bounds_of(level_weights))
        else:
            described = pl.col("whole").sum()
            over = pl.lit(1.0) if measure == "hours" else pl.len()
            found = room.group_by("job_family", maintain_order=True).agg(
                low=described / over,
                high=pl.when(pl.col("rest").null_count() == 0).then((described + pl.col("rest").sum()) / over),
            )
    return {family: (low, high) for family, low, high in found.drop_nulls().rows()}


def _at_h1(cells: pl.DataFrame) -> pl.Series:
    return cells.filter(pl.col("level") == "H1").get_column("job_family").unique()
