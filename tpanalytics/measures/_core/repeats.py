"""What to do with a task that stands in a job more than once, so that each job has each task once."""

from __future__ import annotations

from typing import Literal

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.schema import NOT_ASSESSED

__all__ = ["RepeatedHours", "unique_keys"]

#: How many hours a task has that stands in its job more than once; see `unique_keys`.
RepeatedHours = Literal["keep", "max", "sum"]


def unique_keys(rows: pl.DataFrame, *, hours: RepeatedHours) -> pl.DataFrame:
    """Give each job each of its tasks once, with one level or none, and its hours.

    Levels: one that is missing contradicts nothing. Where a job's rows of a task have different levels, the level of
    the validated ones holds if they agree; else nobody can say which is right, and the level is null with the reason
    ``CONFLICT``. The hours are not touched by this.

    Parameters
    ----------
    rows
        As in `task_identity.Shared`, sorted as there; reads all its columns.
    hours
        ``"keep"``: the rows are different pieces of work that carry the same name; what is known of them adds up, as
        in every measure that does not ask what is the same. ``"max"``: the rows say the same thing again; the longest
        known counts. ``"sum"``: the rows are parts of one task; their hours add up, and are not known where one of
        them is not known, because a missing hour is no zero.

    Returns
    -------
    pl.DataFrame
        One row per key and job, in this order.

        =============  =======  ====================================================================
        ``key``        UInt32   the task, as in `rows`
        ``job``        UInt32   the job, as in `rows`
        ``level``      String   its level, ``not assessed`` where no row has one; null where they contradict
        ``reason``     String   ``CONFLICT`` where ``level`` is null, else null
        ``n``          UInt32   rows it was made of; by ``"keep"`` they remain that many tasks
        ``n_known``    UInt32   those with hours
        ``hours``      Float64  hours per week by the rule asked for; null where not known
        ``validated``  Boolean  its level was taken from a validated row
        =============  =======  ====================================================================

    Raises
    ------
    SchemaError
        If `hours` is none of its values.
    """
    check_choice("hours", hours, RepeatedHours)
    n, stated = pl.col("n"), pl.when(pl.col("level") != NOT_ASSESSED).then(pl.col("level"))
    rows = rows.with_columns(
        reason=pl.lit(None, dtype=pl.String),
        n=n.cast(pl.UInt32),
        n_known=pl.col("n_known").cast(pl.UInt32),
        stated=stated,
        settled=pl.when(pl.col("n_validated") > 0).then(stated),
    )
    # Most tasks have one row, and rows come sorted; only the others need to be brought together.
    again = (pl.col("key") == pl.col("key").shift(1)) & (pl.col("job") == pl.col("job").shift(1))
    several = again.fill_null(value=False) | again.shift(-1).fill_null(value=False)
    alone = rows.filter(~several).with_columns(
        validated=pl.col("settled").is_not_null(),
        hours={
            "keep": pl.col("hours"),
            "max": pl.col("longest"),
            "sum": pl.when(pl.col("n_known") == n).then(pl.col("hours")),
        }[hours],
    )
    joined = (
        rows.filter(several)
        .group_by("key", "job")
        .agg(
            pl.col("stated").min(),
            pl.col("settled").min(),
            # A key, a job and a level have one row, so that a count of rows is a count of levels.
            n_stated=pl.col("stated").count(),
            n_settled=pl.col("settled").count(),
            n=n.sum(),
            n_known=pl.col("n_known").sum(),
            hours={
                "keep": known_sum("hours"),
                "max": pl.col("longest").max(),
                "sum": pl.when(pl.col("n_known").sum() == n.sum()).then(pl.col("hours").sum()),
            }[hours],
        )
        .with_columns(
            level=pl.when(pl.col("n_stated") == 0)
            .then(pl.lit(NOT_ASSESSED))
            .when(pl.col("n_stated") == 1)
            .then("stated")
            .when(pl.col("n_settled") == 1)
            .then("settled"),
            validated=pl.col("n_settled") == 1,
        )
        .with_columns(reason=pl.when(pl.col("level").is_null()).then(pl.lit("CONFLICT")))
    )
    columns = ("key", "job", "level", "reason", "n", "n_known", "hours", "validated")
    return pl.concat([alone.select(columns), joined.select(columns)]).sort("key", "job")
