"""Suppress the figures of small cells, and any others that totals would reveal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures.privacy.group_counts import below_threshold, check_cells, own_counts
from tpanalytics.measures.privacy.policy import SUPPRESSED

if TYPE_CHECKING:
    from tpanalytics.measures.privacy.policy import Privacy

__all__ = ["KEPT", "WITHIN", "cells_of", "extend_suppression", "hide_suppressed", "protect_from_totals"]

#: Columns that keep their values in suppressed rows, in addition to the keys.
KEPT = ("jobs", "basis", "reason")
#: Prefix of columns with the label of a larger group, such as the country of a group by country and pay grade.
WITHIN = "within "


def hide_suppressed(result: pl.DataFrame, keys: list[str], cells: pl.DataFrame) -> pl.DataFrame:
    """Set the figures of suppressed cells to null, and move fully suppressed families to the end."""
    suppressed, kept = cells.get_column("suppressed"), {"group", *keys, *KEPT}
    own = pl.col("own_all_jobs").n_unique().over("group")
    if "jobs" in result.columns and cells.select((own > 1).any()).item():
        kept.remove("jobs")  # counted for each cell rather than each family, so it must be suppressed too
    is_all_suppressed = pl.col("suppressed").all().over("group")
    order = (
        cells.with_columns(all_suppressed=is_all_suppressed)
        .sort(
            "all_suppressed",
            pl.when("all_suppressed").then(pl.col("group").str.starts_with("(no ")),
            pl.when("all_suppressed").then("group"),
            "row",
        )
        .get_column("row")
    )
    shown = result.with_columns(
        *(pl.when(~pl.lit(suppressed)).then(pl.col(name)).alias(name) for name in result.columns if name not in kept),
        reason=pl.when(pl.lit(suppressed)).then(pl.lit(SUPPRESSED)).otherwise("reason"),
    )[order]
    if keys and shown.height and suppressed.all():
        # Even the list of levels would reveal information.
        null_keys = (pl.lit(None, dtype=shown.schema[key]).alias(key) for key in keys)
        shown = shown.unique("group", keep="first", maintain_order=True).with_columns(null_keys)
    return shown


def cells_of(result: pl.DataFrame, keys: list[str], counts: pl.DataFrame | None) -> pl.DataFrame:
    """Return each row's counts, taken from its own columns and from `counts`."""
    check_cells(result, keys, alone=counts is None)
    parts = [pl.col(key).cast(pl.String).fill_null("\0") for key in keys]
    cells = result.select(
        "group",
        key=pl.concat_str(parts, separator="\x1f") if parts else pl.lit(""),
        tasks=pl.col("tasks").cast(pl.Float64).fill_null(0) if "tasks" in result.columns else pl.lit(1.0),
        suppressed=(pl.col("reason") == SUPPRESSED).fill_null(value=False),
        **own_counts(result.columns),
    ).with_row_index("row")
    if counts is None:
        return cells
    unknown = cells.join(counts, on="group", how="anti").get_column("group").sort()
    if unknown.len():
        raise SchemaError(
            f"`result` has the family {unknown[0]!r}, which `profiles` does not have. "
            "Pass the profiles that the result was computed from."
        )
    return cells.join(counts, on="group", maintain_order="left")


def protect_from_totals(cells: pl.DataFrame, privacy: Privacy, *, staffed: bool) -> pl.DataFrame:
    """Suppress the next smallest cells until those behind each total, and those of each group, are enough together.

    There are totals of all groups, and of the groups with the same label in a column ``within ...``.
    """
    of_jobs = [name for name in cells.columns if name.endswith("_jobs") and (staffed or "staffed" not in name)]
    empty = pl.min_horizontal(of_jobs) == 0  # suppressing empty cells doesn't protect the others
    is_small = below_threshold(cells.columns, privacy, staffed=staffed)
    totals = ["key", *(name for name in cells.columns if name.startswith(WITHIN))]
    cells = cells.with_columns(pl.concat_str(name, "key", separator="\x1f").alias(name) for name in totals[1:])
    while True:
        before = cells.get_column("suppressed").sum()
        for total in totals:
            ordered = cells.sort(~pl.col("suppressed"), empty, of_jobs[0], "group", "key")
            together = ordered.select(
                pl.col("^.*_(jobs|people|unknown)$").fill_null(0).cum_sum().over(total),
                pl.col("^.*_largest$").fill_null(0).cum_max().over(total),
            )
            # The total of empty cells is known to be zero, so they don't protect each other either.
            enough = ~is_small & (pl.col(of_jobs[0]) > 0)
            cells = extend_suppression(ordered, total, together.select(enough).to_series())
        if cells.get_column("key").n_unique() > 1:
            ordered = cells.sort(~pl.col("suppressed"), pl.col("tasks") == 0, of_jobs[0], "tasks", "key", "group")
            cells = extend_suppression(ordered, "group", pl.repeat(value=True, n=cells.height, eager=True))
        if cells.get_column("suppressed").sum() == before:
            return cells.sort("row")


def extend_suppression(ordered: pl.DataFrame, within: str, enough: pl.Series) -> pl.DataFrame:
    """In each group with suppressed rows, suppress at least two rows, and continue up to the first `enough` row."""
    place, n_suppressed = pl.col("place"), pl.col("n_suppressed")
    return (
        ordered.with_columns(
            enough=enough,
            place=pl.int_range(pl.len()).over(within),
            n_suppressed=pl.col("suppressed").sum().over(within).cast(pl.Int64),
        )
        .with_columns(last=pl.when(pl.col("enough") & (place >= 1) & (place >= n_suppressed - 1)).then(place))
        .with_columns(pl.col("last").min().over(within))
        .with_columns(
            suppressed=pl.col("suppressed") | ((n_suppressed > 0) & (place <= pl.col("last").fill_null(pl.len())))
        )
        .drop("enough", "place", "n_suppressed", "last")
    )
