"""The snapshots of a history: unique job keys, and a check that they are not added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.schema import AS_OF, TENANT, History, TaskProfiles, check_profiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SNAPSHOT",
    "SNAPSHOT_COLUMNS",
    "check_added_up",
    "check_one_snapshot",
    "dates_as_text",
    "key_by_snapshot",
    "mark_snapshots",
    "plain_id",
    "shown_id",
    "tenants_of",
]

#: Columns that identify a snapshot in the tables of a history.
SNAPSHOT_COLUMNS = (TENANT, AS_OF)
#: Copies of these columns in the tasks. The tasks of a single snapshot can have columns named like the originals.
SNAPSHOT = ("snapshot tenant", "snapshot as_of")
#: Between the parts of a job key.
_SEPARATOR = "\0"


def mark_snapshots(profiles: TaskProfiles) -> Any:
    """Return the tasks, with copies of the snapshot columns if the profiles are a history."""
    tasks = nw.from_native(profiles.tasks).lazy()
    if not isinstance(profiles, History):
        return tasks
    require(profiles.jobs, *SNAPSHOT_COLUMNS, name="jobs")
    require(profiles.tasks, *SNAPSHOT_COLUMNS, name="tasks")
    return tasks.with_columns(**{copy: nw.col(name) for copy, name in zip(SNAPSHOT, SNAPSHOT_COLUMNS, strict=True)})


def key_by_snapshot(table: pl.DataFrame, columns: Sequence[str] = SNAPSHOT_COLUMNS) -> pl.DataFrame:
    """Precede each job id with its snapshot, so that it is unique in a history."""
    parts = dates_as_text(table, columns)
    key = pl.concat_str(*(part.fill_null("") for part in parts), pl.col("job_id").cast(pl.String), separator=_SEPARATOR)
    return table.with_columns(*parts, job_id=key)


def dates_as_text(table: pl.DataFrame, columns: Sequence[str]) -> list[pl.Expr]:
    """Return the columns as text. Engines return dates as dates or as midnight."""
    return [
        (pl.col(name).cast(pl.Date) if isinstance(table.schema[name], pl.Datetime) else pl.col(name)).cast(pl.String)
        for name in columns
    ]


def plain_id() -> pl.Expr:
    """Return the job id without its snapshot."""
    return pl.col("job_id").str.split(_SEPARATOR).list.last()


def shown_id(key: str | None) -> str | None:
    """Return the job id in a key, for messages."""
    return key if key is None else key.rpartition(_SEPARATOR)[2]


def tenants_of(history: History) -> list[str | None]:
    """Return the tenants in a history."""
    if history.manifest.get("snapshots"):
        return history.snapshots.get_column(TENANT).unique().to_list()
    require(history.jobs, *SNAPSHOT_COLUMNS, name="jobs")
    frame = nw.from_native(history.jobs).lazy().select(TENANT).unique()
    return to_polars(frame.to_native()).get_column(TENANT).to_list()


def check_added_up(jobs: pl.DataFrame, by: Sequence[str]) -> None:
    """Raise an error if a date is missing, or if groups would add up several dates or tenants."""
    days = jobs.get_column(AS_OF)
    invalid = days.filter(days.str.to_date("%Y-%m-%d", strict=False).is_null())
    if invalid.len():
        raise SchemaError(f"`{AS_OF}` of `jobs` must be a date like '2026-05-01' in every row, not {invalid[0]!r}.")
    several = jobs.get_column(TENANT).n_unique() > 1
    required = [*([TENANT] * several), AS_OF]
    missing = [name for name in required if name not in by]
    if missing:
        call = ", ".join(map(repr, [*required, *(name for name in by if name not in required)]))
        raise ArgumentError(
            f"`by` must include {' and '.join(map(repr, missing))} for a history, or its snapshots would be added up."
            " "
            f"Pass by=[{call}], or one snapshot with history.at({str(days.max())!r})."
        )


def check_one_snapshot(**profiles: TaskProfiles) -> None:
    """Raise an error if one of the arguments is a history."""
    for name, value in profiles.items():
        check_profiles(value, name)
        if isinstance(value, History):
            raise ArgumentError(
                f"`{name}` must be one snapshot, not a history. Pass history.at('2026-05-01') with one of its "
                "dates, or use `trend`."
            )
