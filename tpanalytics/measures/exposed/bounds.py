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
    from tpanalytics.measures.exposed.impact import Weight

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
        people = jobs.select("job", staff=staff, week=week).filter(pl.col("staff").is_not_null())
        cells = cells.join(people, on="job", maintain_order="left").filter(pl.col("staff").is_not_null())
        cells = cells.with_columns(amount=pl.col("hours") * pl.col("staff"))
        rest = _undescribed(cells)
    amounts = cells.group_by("job_family", "level").agg(pl.col("amount").sum())
    levels = [level for level in amounts.get_column("level").unique().sort() if level != NOT_ASSESSED]
    return pl.concat(
        [_of_level(level, amounts, rest) for level in levels]
        or [
            pl.DataFrame(
                schema=dict.fromkeys(_COLUMNS, pl.String) | {"share_low": pl.Float64, "share_high": pl.Float64}
            )
        ]
    )


_COLUMNS = ("job_family", "level", "share_low", "share_high")


def _undescribed(cells: pl.DataFrame) -> pl.DataFrame:
    """Add up, by family and level, the hours that the jobs with such tasks without hours do not describe.

    Returns
    -------
    pl.DataFrame
        ``job_family, level`` and four sums over jobs with a task without hours: ``all`` that have one of this level,
        ``assessed`` those of them without one that is not assessed, ``alone`` those with none of another level, and
        ``mixed`` those with several levels, each at its first. ``…_unknown`` counts those without contract hours.
    """
    described = pl.col("hours").sum()
    per_job = cells.group_by("job").agg(
        rest=(pl.col("week").first() - described).clip(lower_bound=0) * pl.col("staff").first(),
        levels=(pl.col("n_known") < pl.col("n")).sum(),
        gap=((pl.col("n_known") < pl.col("n")) & (pl.col("level") == NOT_ASSESSED)).any(),
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


def _of_level(level: str, amounts: pl.DataFrame, rest: pl.DataFrame | None) -> pl.DataFrame:
    amount, is_level, is_gap = pl.col("amount"), pl.col("level") == level, pl.col("level") == NOT_ASSESSED
    table = amounts.group_by("job_family").agg(
        amount=amount.filter(is_level).sum(), all_known=amount.sum(), without_level=amount.filter(is_gap).sum()
    )
    if rest is None:
        table = table.with_columns(here=pl.lit(0.0), elsewhere=pl.lit(0.0), anywhere=pl.lit(0.0))
    else:
        sums = rest.group_by("job_family").agg(
            here=_sum_if_known(all=is_gap, assessed=is_level),
            elsewhere=_sum_if_known(mixed=pl.lit(value=True), alone=~is_level),
            anywhere=_sum_if_known(mixed=pl.lit(value=True), alone=pl.lit(value=True)),
        )
        # A family without such a job has nothing undescribed; one with a job of unknown contract has no bound.
        closed = ~pl.col("job_family").is_in(rest.get_column("job_family").unique().implode())
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


def _sum_if_known(**which: pl.Expr) -> pl.Expr:
    """Add up some of the sums of `_undescribed`; null where those of one of their jobs are not known."""
    known = pl.sum_horizontal(pl.col(name).filter(levels).sum() for name, levels in which.items())
    unknown = pl.sum_horizontal(pl.col(f"{name}_unknown").filter(levels).sum() for name, levels in which.items())
    return pl.when(unknown == 0).then(known)
