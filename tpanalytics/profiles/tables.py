"""Columns of pages become two frames, built against the schema; no job is lost and none counted twice."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema
from tpanalytics.errors import TpAnalyticsWarning
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from tpanalytics.api.wire import Batch

__all__ = ["Tables"]


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
        jobs = _frame(batch.jobs, schema.JOBS)
        tasks = _frame(batch.tasks, schema.TASKS)
        first = []
        for job_id in batch.jobs["job_id"]:
            first.append(job_id not in self._seen)
            self._seen.add(job_id)
        if not all(first):
            self.duplicates += first.count(False)
            jobs = jobs.filter(pl.Series(first, dtype=pl.Boolean))
            counts = batch.jobs["n_tasks"]
            kept = [new for new, n in zip(first, counts, strict=True) for _ in range(n)]
            tasks = tasks.filter(pl.Series(kept, dtype=pl.Boolean))  # a page without tasks gives an empty list
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


def _frame(columns: dict[str, list[Any]], wanted: dict[str, Any]) -> pl.DataFrame:
    present = {name: dtype for name, dtype in wanted.items() if name in columns}
    frame = pl.DataFrame({name: columns[name] for name in present}, schema=present)
    # Outside the hierarchy format a task's path is empty; all else that was not asked for is null.
    absent: dict[str, Any] = {name: [] if name == "hierarchy" else None for name in wanted}
    return frame.select(
        pl.col(name) if name in present else pl.lit(absent[name], dtype=dtype).alias(name)
        for name, dtype in wanted.items()
    )
