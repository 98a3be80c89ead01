"""Results with one label per group instead of the columns that define the groups."""

from __future__ import annotations

import polars as pl

from tpanalytics.measures._core.groups import ALL_JOBS, BY_FAMILY, SEPARATOR
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata

__all__ = ["by_of", "with_labels", "without_labels"]


def by_of(result: pl.DataFrame) -> tuple[str, ...]:
    """Return the columns that define the groups of a result. Without metadata, they are assumed to be job families."""
    meaning = get_metadata(result)
    return (BY_FAMILY,) if meaning is None else meaning.by


def with_labels(result: pl.DataFrame) -> pl.DataFrame:
    """Replace the columns that define the groups with a ``group`` label, unless rows are single jobs."""
    by = by_of(result)
    if "job_id" in result.columns or "group" in result.columns or not set(by) <= set(result.columns):
        return result
    label = pl.concat_str(by, separator=SEPARATOR) if by else pl.lit(ALL_JOBS)
    labelled = pl.DataFrame(result).select(label.alias("group"), pl.exclude(by) if by else pl.all())
    meaning = get_metadata(result)
    return labelled if meaning is None else attach_metadata(labelled, meaning)


def without_labels(labelled: pl.DataFrame, result: pl.DataFrame) -> pl.DataFrame:
    """Replace the ``group`` label with the columns that define the groups in the original `result`."""
    if "group" not in labelled.columns:
        return labelled
    by, meaning = by_of(result), get_metadata(labelled)
    if not by:
        named = pl.DataFrame(labelled).drop("group")
        return named if meaning is None else attach_metadata(named, meaning)
    columns = pl.DataFrame(result).select(by).with_columns(pl.DataFrame(with_labels(result)).get_column("group"))
    named = pl.DataFrame(labelled).join(
        columns.unique("group"), on="group", how="left", nulls_equal=True, maintain_order="left"
    )
    named = named.select(*by, pl.exclude("group", *by))
    return named if meaning is None else attach_metadata(named, meaning)
