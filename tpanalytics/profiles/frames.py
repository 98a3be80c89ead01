"""Build data frames with the schema's dtypes from decoded columns."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tpanalytics.api.wire import Batch

__all__ = ["frame_of", "frames_of"]


def frames_of(batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a page's jobs and tasks, with all columns in the schema."""
    return frame_of(batch.jobs, schema.JOBS), frame_of(batch.tasks, schema.TASKS)


#: Values for columns that are missing from a response: an empty list for the hierarchy path, null otherwise.
_MISSING = {
    name: pl.Series(name, [[] if name == "hierarchy" else None], dtype).new_from_index(0, 10_000)
    for name, dtype in {**schema.JOBS, **schema.TASKS}.items()
}


def frame_of(columns: dict[str, list[Any]], dtypes: dict[str, Any]) -> pl.DataFrame:
    """Return a frame with the given dtypes, filling in missing columns."""
    height = len(columns["job_id"])
    return pl.DataFrame(
        [
            _series(name, columns[name], dtype) if name in columns else _missing(name, height)
            for name, dtype in dtypes.items()
        ]
    )


def _missing(name: str, height: int) -> pl.Series:
    rows = _MISSING[name]
    return rows.head(height) if height <= rows.len() else rows.new_from_index(0, height)  # slicing doesn't copy


def _series(name: str, values: list[Any], dtype: Any) -> pl.Series:
    """Return a column. Lists are built by grouping all entries, 10 times faster than row by row."""
    if not isinstance(dtype, pl.List):
        return pl.Series(name, values, dtype)
    # Add a null to the start of each row so that empty rows are grouped too. The nulls are removed below.
    entries: list[Any] = []
    for row in values:
        entries.append(None)
        if row:
            entries += row
    numbers = pl.Series("row", _repeat(range(len(values)), [1 + len(row or ()) for row in values]), pl.UInt32)
    if isinstance(dtype.inner, pl.Struct):
        fields = dtype.inner.fields
        flat = pl.DataFrame(
            [pl.Series(f.name, [getattr(entry, f.name, None) for entry in entries], f.dtype) for f in fields]
        ).to_struct(name)
    else:
        flat = pl.Series(name, entries, dtype.inner)
    rows = pl.DataFrame([numbers.set_sorted(), flat]).group_by("row", maintain_order=True)
    lists = rows.agg(pl.col(name).slice(1)).get_column(name)
    if None not in values:
        return lists
    not_null = pl.Series([row is not None for row in values])
    return pl.select(pl.when(not_null).then(lists).alias(name)).to_series()


def _repeat(values: Iterable[Any], counts: list[int]) -> list[Any]:
    return list(chain.from_iterable(map(repeat, values, counts)))
