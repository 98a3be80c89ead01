"""Columns of pages become two frames, built against the schema; no job is lost and none counted twice."""

from __future__ import annotations

import warnings
from collections import Counter
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema
from tpanalytics.errors import TpAnalyticsWarning
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tpanalytics.api.wire import Batch

__all__ = ["Tables", "frames_of"]


class Tables:
    """The frames of the pages so far; a job that came before is left out and counted."""

    def __init__(self) -> None:
        self.jobs: list[pl.DataFrame] = [schema.empty(schema.JOBS)]
        self.tasks: list[pl.DataFrame] = [schema.empty(schema.TASKS)]
        self.rejects: list[dict[str, str | None]] = []
        self.n_jobs = self.n_tasks = self.duplicates = 0
        self.unknown_fields: Counter[str] = Counter()
        self._seen: set[str] = set()

    def add(self, batch: Batch) -> None:
        """Append one page."""
        jobs, tasks = frames_of(batch)
        ids = batch.jobs["job_id"]
        fresh = set(ids)
        if len(fresh) < len(ids) or not self._seen.isdisjoint(fresh):
            first = []
            for job_id in ids:
                first.append(job_id in fresh and job_id not in self._seen)
                fresh.discard(job_id)
            self.duplicates += first.count(False)
            jobs = jobs.filter(pl.Series(first))
            tasks = tasks.filter(pl.Series(_repeated(first, batch.jobs["n_tasks"])))
        self._seen.update(ids)
        self.jobs.append(jobs)
        self.tasks.append(tasks)
        self.rejects += batch.rejects
        self.unknown_fields.update(batch.unknown_fields)
        self.n_jobs += jobs.height
        self.n_tasks += tasks.height

    def profiles(self, manifest: dict[str, Any]) -> TaskProfiles:
        """Join the pages and describe them."""
        from tpanalytics import __version__

        jobs, tasks = pl.concat(self.jobs, rechunk=True), pl.concat(self.tasks, rechunk=True)
        level = pl.col("ai_impact_level")
        odd = tasks.filter(level.is_not_null() & ~level.is_in(schema.KNOWN_LEVELS)).get_column("ai_impact_level")
        counts = {
            "jobs": self.n_jobs,
            "tasks": self.n_tasks,
            "duplicates": self.duplicates,
            "rejects": len(self.rejects),
            "repeated_tasks": tasks.height - tasks.select(pl.struct("job_id", "task_id").n_unique()).item(),
            "unknown_levels": dict(odd.value_counts(sort=True).rows()),
            "unknown_fields": dict(sorted(self.unknown_fields.items())),
        }
        if self.rejects:
            first = self.rejects[0]
            warnings.warn(
                f"{len(self.rejects)} record(s) were left out, the first is {first['where']}, job {first['job_id']}: "
                f"{first['reason']}. See profiles.rejects.",
                TpAnalyticsWarning,
                stacklevel=3,
            )
        return TaskProfiles(
            jobs=jobs,
            tasks=tasks,
            manifest={"tpanalytics": __version__, **manifest, **counts},
            rejects=pl.DataFrame(self.rejects, schema=schema.REJECTS),
        )


def frames_of(batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Build the jobs and the tasks of one page, with every column of the schema."""
    return _frame(batch.jobs, schema.JOBS), _frame(batch.tasks, schema.TASKS)


#: What stands where a column was not asked for: outside the hierarchy format a task's path is empty, all else is null.
_ABSENT = {
    name: pl.Series(name, [[] if name == "hierarchy" else None], dtype)
    for name, dtype in {**schema.JOBS, **schema.TASKS}.items()
}


def _frame(columns: dict[str, list[Any]], wanted: dict[str, Any]) -> pl.DataFrame:
    height = len(columns["job_id"])
    return pl.DataFrame(
        [
            _series(name, columns[name], dtype) if name in columns else _ABSENT[name].new_from_index(0, height)
            for name, dtype in wanted.items()
        ]
    )


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
