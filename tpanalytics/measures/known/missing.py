"""Whether hours are missing at random, or more among some tasks than among others."""

from __future__ import annotations

import polars as pl

__all__ = ["GROUPS", "uneven_hours"]

#: By what tasks are told apart: the column, and how it is called.
GROUPS = {"state": "validation state", "level": "AI impact level", "job_family": "job family"}
_POINTS = 0.1
_STANDARD_ERRORS = 3.0


def uneven_hours(cells: pl.DataFrame) -> pl.DataFrame:
    """Compare, by validation state, level and family, the share of tasks with hours with that of all other tasks.

    A group stands out if the two shares differ by more than 10 points and by more than 3 standard errors of such a
    difference, ``sqrt(p (1 - p) (1/n + 1/n_others))`` with p that of all tasks; so that few tasks prove nothing. Of two
    groups that are each other's others, only the one with fewer hours stands out.

    Parameters
    ----------
    cells
        As in `tpanalytics.measures.reduce.Cells`, by level and state; reads ``n`` and ``n_known``.

    Returns
    -------
    pl.DataFrame
        One row per group that has others beside it; by ``by`` (state, level, family), largest difference first.

        ===============  =======  ============================================
        ``by``           String   what the tasks have in common
        ``group``        String   its value
        ``tasks``        UInt32   tasks of the group
        ``coverage``     Float64  share of them with hours
        ``others``       Float64  the same among all other tasks
        ``difference``   Float64  the first less the second
        ``stands_out``   Boolean  it is more than small numbers explain
        ===============  =======  ============================================
    """
    n, known = (int(cells.get_column(name).sum()) for name in ("n", "n_known"))
    p = known / n if n else 0.0
    groups = pl.concat(
        cells.group_by(pl.col(column).alias("group"))
        .agg(tasks=pl.col("n").sum().cast(pl.Int64), known=pl.col("n_known").sum().cast(pl.Int64))
        .with_columns(by=pl.lit(called), order=pl.lit(place))
        for place, (column, called) in enumerate(GROUPS.items())
    ).filter(pl.col("tasks") < n)
    error = (p * (1 - p) * (1 / pl.col("tasks") + 1 / (n - pl.col("tasks")))).sqrt()
    difference = pl.col("difference").abs()
    return (
        groups.with_columns(
            coverage=pl.col("known") / pl.col("tasks"), others=(known - pl.col("known")) / (n - pl.col("tasks"))
        )
        .with_columns(difference=pl.col("coverage") - pl.col("others"))
        .with_columns(
            stands_out=(difference > _POINTS)
            & (difference > _STANDARD_ERRORS * error)
            & ((pl.len().over("by") > 2) | (pl.col("difference") < 0))
        )
        # Rounded, so that an engine's last digit decides no order.
        .sort("order", -difference.round(9), "group")
        .select("by", "group", pl.col("tasks").cast(pl.UInt32), "coverage", "others", "difference", "stands_out")
    )
