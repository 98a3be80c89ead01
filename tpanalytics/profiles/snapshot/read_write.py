"""Write and read snapshots."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema
from tpanalytics._paths import local_path
from tpanalytics.errors import SchemaError, SnapshotError
from tpanalytics.formatting import not_profiles
from tpanalytics.profiles.snapshot.layout import (
    MANIFEST,
    STATE,
    Part,
    locked,
    paths_of,
    read_manifest,
    read_versioned,
    unwritable,
    verify,
    write_manifest,
    write_part,
)
from tpanalytics.profiles.snapshot.taxonomy_columns import with_stored_taxonomy
from tpanalytics.schema import JOBS, PEOPLE, TASKS, History, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["open_snapshot", "read_profiles", "replace_jobs", "write_profiles"]

#: Columns that frames of some engines can't have, or that measures read from the jobs.
_OPTIONAL_TASKS = ("job_family", "source_data", "linked_skills", "hierarchy")


def write_profiles(profiles: TaskProfiles, folder: str | Path) -> Path:
    """Write task profiles to a snapshot folder.

    A snapshot consists of Parquet files and a manifest. Nulls are preserved. An existing snapshot is only replaced once
    the new one is complete.

    Parameters
    ----------
    profiles
        Task profiles with frames of any engine. Lists of sources and skills, taxonomy paths and the job family are
        optional in ``tasks``.
    folder
        A new or empty folder, or one that contains a snapshot.

    Returns
    -------
    Path
        The folder path.

    Raises
    ------
    SnapshotError
        If the folder contains other files, can't be written to, or is in use by another process. An existing snapshot
        is not changed.
    SchemaError
        If a table is missing a column, or a column can't be converted to its documented dtype without loss.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> sample = load_sample()
    >>> read_profiles(write_profiles(sample, "snapshot")).tasks.equals(sample.tasks)
    True
    """
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(not_profiles("profiles", profiles))
    if isinstance(profiles, History):
        raise SchemaError("`profiles` must be one snapshot, not a history. Pass history.at('2026-05-01').")
    folder = local_path(folder)
    require(profiles.jobs, *JOBS, name="jobs")
    require(profiles.tasks, *(name for name in TASKS if name not in _OPTIONAL_TASKS), name="tasks")
    if profiles.people is not None:
        require(profiles.people, *PEOPLE, name="people")
    with locked(folder):
        if (folder / MANIFEST).exists():
            read_manifest(folder)  # don't replace snapshots that are unreadable or from a later version
        tables = {
            "jobs": lambda: _with_dtypes(to_polars(profiles.jobs), JOBS, "jobs"),
            "tasks": lambda: _with_dtypes(_tasks_of(profiles), TASKS, "tasks"),
            "rejects": lambda: profiles.rejects,
            **({} if profiles.people is None else {"people": lambda: to_polars(profiles.people)}),
        }
        _replace(folder, profiles.manifest, {}, tables)
        (folder / STATE).unlink(missing_ok=True)  # otherwise, resuming the export would overwrite the new snapshot
    return folder


def _tasks_of(profiles: TaskProfiles) -> pl.DataFrame:
    """Return the tasks with all documented columns. Frames of some engines have no lists."""
    tasks = to_polars(profiles.tasks)
    missing = [name for name in _OPTIONAL_TASKS if name not in tasks.columns]
    if not missing:
        return tasks
    tasks = tasks.with_columns(pl.lit(None, dtype=TASKS[name]).alias(name) for name in missing)
    if "job_family" in missing:
        jobs = to_polars(profiles.jobs).select(pl.col("job_id", "job_family").cast(pl.String))
        tasks = tasks.with_columns(pl.col("job_id").cast(pl.String)).drop("job_family")
        tasks = tasks.join(jobs, on="job_id", how="left", maintain_order="left")
    return tasks.select(*TASKS, pl.exclude(*TASKS))


def _with_dtypes(frame: pl.DataFrame, dtypes: Mapping[str, Any], name: str) -> pl.DataFrame:
    """Cast documented columns that have another dtype, as in frames of other engines."""
    different = [column for column, dtype in dtypes.items() if frame.schema[column] != dtype]
    for column in different:
        values = frame.get_column(column)
        try:
            cast = values.cast(dtypes[column])
            lossless = not values.dtype.is_numeric() or not dtypes[column].is_numeric() or (cast == values).all()
        except pl.exceptions.PolarsError:
            lossless = False
        if not lossless or (column.endswith("_id") and values.dtype.is_float()):
            raise SchemaError(
                f"`{column}` of `{name}` must be {dtypes[column]}, not {values.dtype}. Convert it, or use from_frames."
            )
        frame = frame.with_columns(cast)
    return frame


def replace_jobs(profiles: TaskProfiles, folder: Path) -> TaskProfiles:
    """Replace the jobs in the snapshot that `profiles` was read from."""
    with locked(folder):
        manifest, parts = read_manifest(folder)
        if manifest["content_sha256"] != profiles.manifest["content_sha256"] or (folder / STATE).exists():
            raise SnapshotError(
                f"{folder} was replaced by another export in the meantime, so nothing was changed. Run the same "
                "call again."
            )
        unchanged = {table: of_table for table, of_table in parts.items() if table != "jobs"}
        manifest = _replace(folder, profiles.manifest, unchanged, {"jobs": lambda: to_polars(profiles.jobs)})
    return replace(profiles, manifest=manifest)


def _replace(
    folder: Path,
    manifest: Mapping[str, Any],
    unchanged: Mapping[str, list[Part]],
    tables: Mapping[str, Callable[[], pl.DataFrame]],
) -> dict[str, Any]:
    """Write the tables and a new manifest. If this fails, the snapshot is left unchanged."""
    written: dict[str, list[Part]] = {}
    try:
        for table, frame in tables.items():
            written[table] = [write_part(folder, table, frame())]
        return write_manifest(folder, manifest, {**unchanged, **written})
    except BaseException as error:
        for parts in written.values():
            for part in parts:
                with suppress(OSError):
                    _remove_new(folder, part)
        if isinstance(error, OSError):
            raise unwritable(folder, error) from None
        raise


def _remove_new(folder: Path, part: Part) -> None:
    """Delete a part, unless the current snapshot uses the same file."""
    with suppress(SnapshotError):
        if part.file in {current.file for parts in read_manifest(folder)[1].values() for current in parts}:
            return
    (folder / part.file).unlink(missing_ok=True)


def read_profiles(folder: str | Path, *, lazy: bool = False) -> TaskProfiles:
    """Read task profiles from a snapshot folder.

    All file hashes are verified. Nulls are preserved.

    Parameters
    ----------
    folder
        A folder written by `load_task_profiles` or `write_profiles`.
    lazy
        If True, return lazy frames. Use this for snapshots that don't fit into memory. Do not move or change the files
        while you are using the frames.

    Returns
    -------
    TaskProfiles
        The task profiles as they were written, including the manifest and people. If `load_taxonomy` saved the taxonomy
        in the folder, ``tasks`` also have its columns ``domain, subdomain, cluster, canonical_task``. In snapshots of
        earlier versions, the ``headcount`` in full-time equivalents is called ``fte``.

    Raises
    ------
    SnapshotError
        If the folder is not a snapshot or contains an unfinished export, or if a file is missing or damaged.

    Warns
    -----
    TpAnalyticsWarning
        If the saved taxonomy does not have all tasks, because `load_taxonomy` was interrupted or there are new tasks.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> read_profiles(write_profiles(load_sample(), "snapshot"))
    TaskProfiles: 240 jobs and 5,825 tasks; sample data for a fictional company, as of 2026-05.
    """
    folder = local_path(folder)
    return with_stored_taxonomy(open_snapshot(folder, lazy=lazy, verified=False), folder)


def open_snapshot(folder: Path, *, lazy: bool, verified: bool) -> TaskProfiles:
    """Read a snapshot without the places of tasks in the taxonomy. Files are not checked if `verified` is set."""
    manifest, parts, version = read_versioned(folder)
    paths = paths_of(folder, parts) if verified else verify(folder, parts)
    jobs, tasks, rejects = (pl.scan_parquet(paths[table]) for table in ("jobs", "tasks", "rejects"))
    people = pl.read_parquet(paths["people"]) if paths["people"] else None
    if version < 3 and "fte" not in (names := jobs.collect_schema().names()) and "headcount" in names:
        jobs = jobs.rename({"headcount": "fte"})  # it contained full-time equivalents
    if "job_family" not in tasks.collect_schema():  # exports only store the family in the jobs table
        families = jobs.select("job_id", "job_family").collect()
        # Use an expression instead of a join, so that Polars can skip it if the column isn't used.
        family = pl.col("job_id").replace_strict(
            families.get_column("job_id"), families.get_column("job_family"), default=None, return_dtype=pl.String
        )
        tasks = tasks.with_columns(job_family=family).select(list(schema.TASKS))
    if not lazy:
        jobs, tasks = jobs.collect(), tasks.collect()  # type: ignore[assignment]
    return TaskProfiles(jobs=jobs, tasks=tasks, manifest=manifest, rejects=rejects.collect(), people=people)
