"""Columns of a page become two frames, built against the schema, so that no value is guessed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema

if TYPE_CHECKING:
    from tpanalytics.api.wire import Batch

__all__ = ["frames_of"]


def frames_of(batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the jobs and the tasks of a page, with the columns of `tpanalytics.schema`."""
    return _frame(batch.jobs, schema.JOBS), _frame(batch.tasks, schema.TASKS)


def _frame(columns: dict[str, list[Any]], wanted: dict[str, Any]) -> pl.DataFrame:
    present = {name: dtype for name, dtype in wanted.items() if name in columns}
    frame = pl.DataFrame({name: columns[name] for name in present}, schema=present)
    # Outside the hierarchy format a task's path is empty; all else that was not asked for is null.
    absent: dict[str, Any] = {name: [] if name == "hierarchy" else None for name in wanted}
    return frame.select(
        pl.col(name) if name in present else pl.lit(absent[name], dtype=dtype).alias(name)
        for name, dtype in wanted.items()
    )
