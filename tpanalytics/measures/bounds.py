"""What a share may be, given what is not known: partial identification, without any guess at the missing values.

Manski, C. F. (2005), Partial identification with missing data: concepts and findings, International Journal of
Approximate Reasoning 39. Here a task without level may have any level, and the contract hours that a job does not
describe may all belong to any of its tasks without hours, or to none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from tpanalytics.measures.impact import Weight

__all__ = ["share_bounds"]


def share_bounds(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Bound each level's share of each family, in closed form.

    For a level x, with A the amount known to be at x, U the known amount without level, B all that is known, and R the
    undescribed contract hours of the jobs that have a task without hours: the share is least where no unknown amount
    is at x and every R that can lie elsewhere does, ``A / (B + R)``; and most where all of it is at x,
    ``(A + U + R) / (B + R)`` with the R that can lie at x. Both are null where contract hours are needed and missing.

    Parameters
    ----------
    jobs, cells
        As in `tpanalytics.measures.reduce.Cells`; with ``weight="headcount"`` jobs need the column ``headcount``.
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
        staff = pl.col("headcount") if weight == "headcount" else pl.lit(1.0)
        week = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
        people = jobs.select("job_id", staff=staff, week=week).filter(pl.col("staff").is_not_null())
        cells = cells.join(people, on="job_id").with_columns(amount=pl.col("hours") * pl.col("staff"))
        rest = _undescribed(cells)
    known = pl.col("amount")
    families = cells.group_by("job_family").agg(
        all_known=known.sum(), without_level=known.filter(pl.col("level") == NOT_ASSESSED).sum()
    )
    levels = [level for level in cells.get_column("level").unique().sort() if level != NOT_ASSESSED]
    return pl.concat(
        [_of_level(level, cells, families, rest) for level in levels]
        or [
            pl.DataFrame(
                schema=dict.fromkeys(_COLUMNS, pl.String) | {"share_low": pl.Float64, "share_high": pl.Float64}
            )
        ]
    )


_COLUMNS = ("job_family", "level", "share_low", "share_high")


def _undescribed(cells: pl.DataFrame) -> pl.DataFrame:
    """Give for each job with a task without hours the levels of those tasks, and the hours they may share."""
    described = pl.col("hours").sum()
    return (
        cells.group_by("job_id", "job_family")
        .agg(
            rest=((pl.col("week").first() - described).clip(lower_bound=0) * pl.col("staff").first()),
            open=pl.col("level").filter(~pl.col("hours_known")).unique(),
        )
        .filter(pl.col("open").list.len() > 0)
        .sort("job_id")
    )


def _of_level(level: str, cells: pl.DataFrame, families: pl.DataFrame, rest: pl.DataFrame | None) -> pl.DataFrame:
    at_level = cells.filter(level=level).group_by("job_family").agg(amount=pl.col("amount").sum())
    table = families.join(at_level, on="job_family", how="left").with_columns(pl.col("amount").fill_null(0.0))
    if rest is None:
        table = table.with_columns(here=pl.lit(0.0), elsewhere=pl.lit(0.0), anywhere=pl.lit(0.0))
    else:
        may_be_here = pl.col("open").list.contains(level) | pl.col("open").list.contains(NOT_ASSESSED)
        others = pl.col("open").list.len() - pl.col("open").list.contains(level).cast(pl.UInt32)
        sums = rest.group_by("job_family").agg(
            here=_sum_if_known(may_be_here),
            elsewhere=_sum_if_known(others > 0),
            anywhere=_sum_if_known(pl.lit(value=True)),
        )
        # A family without such a job has nothing undescribed; one with a job of unknown contract has no bound.
        open_families = rest.get_column("job_family").unique().implode()
        closed = ~pl.col("job_family").is_in(open_families)
        table = table.join(sums, on="job_family", how="left").with_columns(
            pl.when(closed).then(0.0).otherwise(pl.col(name)).alias(name) for name in ("here", "elsewhere", "anywhere")
        )
    most, least = pl.col("all_known") + pl.col("here"), pl.col("all_known") + pl.col("elsewhere")
    return table.select(
        "job_family",
        level=pl.lit(level),
        share_low=pl.when(least > 0)
        .then(pl.col("amount") / least)
        .when((least == 0) & (pl.col("anywhere") > 0))
        .then(1.0),
        share_high=pl.when(most > 0)
        .then((pl.col("amount") + pl.col("without_level") + pl.col("here")) / most)
        .when((most == 0) & (pl.col("anywhere") > 0))
        .then(0.0),
    )


def _sum_if_known(which: pl.Expr) -> pl.Expr:
    """Add up the undescribed hours of some jobs; null where those of one of them are not known."""
    some = pl.col("rest").filter(which)
    return pl.when(some.null_count() == 0).then(some.sum())
