"""Columns become frames, built against the schema, so that no value is guessed at."""

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
    """Build the jobs and the tasks of one page, with every column of the schema."""
    return frame_of(batch.jobs, schema.JOBS), frame_of(batch.tasks, schema.TASKS)


#: The value where a column was not asked for: outside the hierarchy format a task's path is empty, all else is null.
_ABSENT = {
    name: pl.Series(name, [[] if name == "hierarchy" else None], dtype).new_from_index(0, 10_000)
    for name, dtype in {**schema.JOBS, **schema.TASKS}.items()
}


def frame_of(columns: dict[str, list[Any]], wanted: dict[str, Any]) -> pl.DataFrame:
    """Build jobs or tasks, whichever `wanted` is the schema of; a column that is not given is null."""
    height = len(columns["job_id"])
    return pl.DataFrame(
        [
            _series(name, columns[name], dtype) if name in columns else _absent(name, height)
            for name, dtype in wanted.items()
        ]
    )


def _absent(name: str, height: int) -> pl.Series:
    """Return an absent column; a part of one that is there already costs nothing."""
    rows = _ABSENT[name]
    return rows.head(height) if height <= rows.len() else rows.new_from_index(0, height)


def _series(name: str, values: list[Any], dtype: Any) -> pl.Series:
    """Build a column; a list column from all its entries at once, since Polars takes ten times as long list by list."""
    if not isinstance(dtype, pl.List):
        return pl.Series(name, values, dtype)
    # A null before the entries of each row keeps the empty rows among the groups; it is cut off again.
    entries: list[Any] = []
    for row in values:
        entries.append(None)
        if row:
            entries += row
    numbers = pl.Series("row", _repeated(range(len(values)), [1 + len(row or ()) for row in values]), pl.UInt32)
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
    given = pl.Series([row is not None for row in values])
    return pl.select(pl.when(given).then(lists).alias(name)).to_series()


def _repeated(values: Iterable[Any], counts: list[int]) -> list[Any]:
    """Repeat each value as often as its count says."""
    return list(chain.from_iterable(map(repeat, values, counts)))
