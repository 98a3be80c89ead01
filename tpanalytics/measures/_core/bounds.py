"""What a share or an index may be, given what is not known: partial identification, without any guess at the gaps.

Manski, C. F. (2005), Partial identification with missing data: concepts and findings, International Journal of
Approximate Reasoning 39. Here a task without level may have any level, and the contract hours that a job does not
describe may all belong to any of its tasks without hours, or to none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import share_of
from tpanalytics.measures._core.level_sums import attach_staffing, beside_sets, undescribed
from tpanalytics.measures._core.weights import weight_of
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.measures._core.level_sums import LevelSums
    from tpanalytics.measures.impact import Weight

__all__ = [
    "index_bounds",
    "share_bounds",
    "taken_week",
]


def taken_week(jobs: pl.DataFrame, week: float | None) -> tuple[str, ...]:
    """Say for how many jobs contract hours were taken that they do not have."""
    without = jobs.height - (jobs.get_column("contract_hours").count() if "contract_hours" in jobs.columns else 0)
    if week is None or not without:
        return ()
    return (f"{without:,} of {jobs.height:,} jobs have no contract hours; their bounds take {week:g} hours per week.",)


def index_bounds(sums: LevelSums, level_weights: Mapping[str, float], by: str) -> pl.DataFrame:
    """Bound the exposure index of jobs or families, in closed form.

    A task whose level is missing or has no weight may have any weight of the map, and the undescribed contract hours
    R of a job that has tasks without hours may all belong to any of those, or to none. With A the known hours times
    the largest weight they can have and B the known hours, the index is most where the R whose tasks can weigh most
    are added one weight after the other, as long as that raises ``A / B``: the largest ratio of running sums. The
    least is the mirror image.

    Parameters
    ----------
    sums
        As `level_sums.level_sums` gives them.
    level_weights
        As `weights.checked_weights` gives them.
    by
        ``"job"`` or ``"job_family"``, as for the `sums`.

    Returns
    -------
    pl.DataFrame
        One row per job or family of `sums`: ``bound_low, bound_high``; null where contract hours that are not known
        could move them, or where there can be no hours at all.
    """
    least, most = min(level_weights.values()), max(level_weights.values())
    known = (
        sums.amounts.with_columns(
            low=weight_of(level_weights).fill_null(least),
            high=weight_of(level_weights).fill_null(most),
        )
        .group_by(by, maintain_order=True)
        .agg(
            whole=pl.col("amount").sum(),
            low=(pl.col("amount") * pl.col("low")).sum(),
            high=(pl.col("amount") * pl.col("high")).sum(),
        )
    )
    gaps = beside_sets(
        sums.without_hours,
        sums.levels,
        low=lambda levels: min(level_weights.get(level, least) for level in levels),
        high=lambda levels: max(level_weights.get(level, most) for level in levels),
    )
    sides = [_extreme(known, gaps, by, side) for side in ("low", "high")]
    return known.select(by).join(sides[0], on=by, how="left").join(sides[1], on=by, how="left")


def _extreme(known: pl.DataFrame, gaps: pl.DataFrame, by: str, side: str) -> pl.DataFrame:
    """Give ``bound_low`` or ``bound_high``; what can be added has as many weights as the map, whatever the jobs."""
    upper, weight, rest = side == "high", pl.col("weight"), pl.col("rest")
    steps = (
        gaps.rename({side: "weight"})
        .group_by(by, "weight", maintain_order=True)
        .agg(rest.sum(), pl.col("unknown").sum())
        .sort(by, weight, descending=[False, upper])
        .with_columns(more=rest.cum_sum().over(by), more_exposed=(rest * weight).cum_sum().over(by))
        .join(known.select(by, "whole", exposed=side), on=by, how="left", maintain_order="left")
    )
    reached = share_of(pl.col("exposed") + pl.col("more_exposed"), pl.col("whole") + pl.col("more"))
    if_unknown = weight.filter(pl.col("unknown") > 0)
    best = steps.group_by(by).agg(
        reached=reached.max() if upper else reached.min(),
        if_unknown=if_unknown.max() if upper else if_unknown.min(),
    )
    start = share_of(pl.col(side), pl.col("whole"))
    extreme = (pl.max_horizontal if upper else pl.min_horizontal)(start, "reached")
    # Without a contract the rest may be as large as you like: no bound, unless it could not move this one.
    # The last digit of a sum decides nothing.
    moved = pl.col("if_unknown") > extreme + 1e-9 if upper else pl.col("if_unknown") < extreme - 1e-9
    stays = moved.fill_null(value=False).not_() & extreme.is_not_null()
    return known.join(best, on=by, how="left").select(
        by, pl.when(stays).then(extreme.clip(0, 1)).alias(f"bound_{side}")
    )


def share_bounds(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Bound each level's share of each family, in closed form.

    For a level x, with A the amount known to be at x, U the known amount without level, B all that is known, and R the
    undescribed contract hours of the jobs that have a task without hours: the share is least where no unknown amount
    is at x and every R that can lie elsewhere does, ``A / (B + R)``; and most where all of it is at x,
    ``(A + U + R) / (B + R)`` with the R that can lie at x. Both are null where contract hours are needed and missing.

    Parameters
    ----------
    jobs, cells
        As in `aggregate.TaskCounts`; with ``weight="headcount"`` jobs need the column ``headcount``.
    weight
        What the share is a share of.

    Returns
    -------
    pl.DataFrame
        ``job_family, level, share_low, share_high``; no rows for *not assessed*.
    """
    if weight == "tasks":
        cells, rest = cells.with_columns(amount=pl.col("n").cast(pl.Float64)), None
    else:
        cells = attach_staffing(jobs, cells, by_headcount=weight == "headcount")
        cells = cells.with_columns(amount=pl.col("hours") * pl.col("staff"))
        rest = _undescribed(cells)
    return _shares(cells.group_by("job_family", "level").agg(pl.col("amount").sum()), rest)


def _undescribed(cells: pl.DataFrame) -> pl.DataFrame:
    """Add up, by family and level, the hours that the jobs with such tasks without hours do not describe.

    Returns
    -------
    pl.DataFrame
        ``job_family, level`` and four sums over jobs with a task without hours: ``all`` that have one of this level,
        ``assessed`` those of them without one that is not assessed, ``alone`` those with none of another level, and
        ``mixed`` those with several levels, each at its first. ``…_unknown`` counts those without contract hours.
    """
    is_open = pl.col("n_known") < pl.col("n")
    per_job = cells.group_by("job").agg(
        undescribed(levels=is_open.sum(), gap=(is_open & (pl.col("level") == NOT_ASSESSED)).any())
    )
    open_cells = (
        cells.filter(pl.col("n_known") < pl.col("n"))
        .select("job", "job_family", "level", first=pl.col("job").is_first_distinct())
        .join(per_job, on="job", maintain_order="left")
    )
    several = pl.col("levels") > 1
    which = {
        "all": pl.lit(value=True),
        "assessed": ~pl.col("gap"),
        "alone": ~several,
        "mixed": several & pl.col("first"),
    }
    rest = pl.col("rest")
    return open_cells.group_by("job_family", "level", maintain_order=True).agg(
        **{name: rest.filter(jobs).sum() for name, jobs in which.items()},
        **{f"{name}_unknown": rest.filter(jobs).null_count() for name, jobs in which.items()},
    )


def _shares(amounts: pl.DataFrame, rest: pl.DataFrame | None) -> pl.DataFrame:
    """Bound the share of every level in every family, beside all ``other`` levels that the family has."""
    by, other = ["job_family", "level"], pl.col("other")
    amount, is_level, is_gap = pl.col("amount"), other == pl.col("level"), other == NOT_ASSESSED
    levels = amounts.select(pl.col("level").filter(pl.col("level") != NOT_ASSESSED).unique())

    def beside(sums: pl.DataFrame) -> pl.DataFrame:
        return levels.join(sums.rename({"level": "other"}), how="cross").sort(*by, "other")

    table = (
        beside(amounts)
        .group_by(by, maintain_order=True)
        .agg(amount=amount.filter(is_level).sum(), all_known=amount.sum(), without_level=amount.filter(is_gap).sum())
    )
    if rest is None:
        table = table.with_columns(here=pl.lit(0.0), elsewhere=pl.lit(0.0), anywhere=pl.lit(0.0))
    else:
        sums = (
            beside(rest)
            .group_by(by, maintain_order=True)
            .agg(
                here=_sum_if_known(all=is_gap, assessed=is_level),
                elsewhere=_sum_if_known(mixed=pl.lit(value=True), alone=~is_level),
                anywhere=_sum_if_known(mixed=pl.lit(value=True), alone=pl.lit(value=True)),
            )
        )
        # A family without such a job has nothing undescribed; one with a job of unknown contract has no bound.
        closed = ~pl.col("job_family").is_in(rest.get_column("job_family").unique().implode())
        table = table.join(sums, on=by, how="left").with_columns(
            pl.when(closed).then(0.0).otherwise(pl.col(name)).alias(name) for name in ("here", "elsewhere", "anywhere")
        )
    most, least = pl.col("all_known") + pl.col("here"), pl.col("all_known") + pl.col("elsewhere")
    return table.select(
        *by,
        share_low=pl.when(least > 0)
        .then(pl.col("amount") / least)
        .when((least == 0) & (pl.col("anywhere") > 0))
        .then(1.0),
        share_high=pl.when(most > 0)
        .then((pl.col("amount") + pl.col("without_level") + pl.col("here")) / most)
        .when((most == 0) & (pl.col("anywhere") > 0))
        .then(0.0),
    )


def _sum_if_known(**which: pl.Expr) -> pl.Expr:
    """Add up some of the sums of `_undescribed`; null where those of one of their jobs are not known."""
    known = pl.sum_horizontal(pl.col(name).filter(levels).sum() for name, levels in which.items())
    unknown = pl.sum_horizontal(pl.col(f"{name}_unknown").filter(levels).sum() for name, levels in which.items())
    return pl.when(unknown == 0).then(known)
