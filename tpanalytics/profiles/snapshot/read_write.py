"""Task profiles onto disk and back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics import schema
from tpanalytics._paths import local_path
from tpanalytics.errors import SchemaError, SnapshotError
from tpanalytics.profiles.snapshot.layout import (
    MANIFEST,
    STATE,
    Part,
    locked,
    paths_of,
    read_manifest,
    unwritable,
    verify,
    write_manifest,
    write_part,
)
from tpanalytics.schema import JOBS, TASKS, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["opened", "read_profiles", "replace_jobs", "write_profiles"]


def write_profiles(profiles: TaskProfiles, folder: str | Path) -> Path:
    """Write task profiles to a folder: Parquet files and a manifest.

    Nulls stay null. A snapshot that is there already is replaced once the new one is complete on disk.

    Parameters
    ----------
    profiles
        With Polars frames, eager or lazy.
    folder
        A new or empty folder, or an earlier snapshot.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SnapshotError
        If the folder holds something else, cannot be written, or is being written to by another process; nothing
        was changed then.
    SchemaError
        If a table lacks a column.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> sample = load_sample()
    >>> read_profiles(write_profiles(sample, "snapshot")).tasks.equals(sample.tasks)
    True
    """
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(f"write_profiles takes TaskProfiles, not a {type(profiles).__name__}.")
    folder = local_path(folder)
    require(profiles.jobs, *JOBS, name="jobs")
    require(profiles.tasks, *TASKS, name="tasks")
    with locked(folder):
        if (folder / MANIFEST).exists():
            read_manifest(folder)  # what a later version wrote, or cannot be read, is not replaced
        tables = {
            "jobs": lambda: to_polars(profiles.jobs),
            "tasks": lambda: to_polars(profiles.tasks),
            "rejects": lambda: profiles.rejects,
        }
        _replace(folder, profiles.manifest, {}, tables)
        (folder / STATE).unlink(missing_ok=True)  # a broken-off export would take the place of what was just written
    return folder


def replace_jobs(profiles: TaskProfiles, folder: Path) -> TaskProfiles:
    """Write the jobs of `profiles` to the export that holds its tasks; the family of a task is that of its job."""
    with locked(folder):
        manifest, parts = read_manifest(folder)
        if manifest["content_sha256"] != profiles.manifest["content_sha256"] or (folder / STATE).exists():
            raise SnapshotError(
                f"{folder} holds another export by now; nothing was changed. Assign families to that one."
            )
        kept = {"tasks": parts["tasks"], "rejects": parts["rejects"]}
        manifest = _replace(folder, profiles.manifest, kept, {"jobs": lambda: to_polars(profiles.jobs)})
    return TaskProfiles(profiles.jobs, profiles.tasks, manifest, profiles.rejects)


def _replace(
    folder: Path,
    manifest: Mapping[str, Any],
    kept: Mapping[str, list[Part]],
    tables: Mapping[str, Callable[[], pl.DataFrame]],
) -> dict[str, Any]:
    """Write some tables, then the manifest that makes them the snapshot; on failure nothing has changed."""
    written: dict[str, list[Part]] = {}
    try:
        for table, frame in tables.items():
            written[table] = [write_part(folder, table, frame())]
        return write_manifest(folder, manifest, {**kept, **written})
    except BaseException as error:
        for parts in written.values():
            for part in parts:
                with suppress(OSError):
                    _remove_new(folder, part)
        if isinstance(error, OSError):
            raise unwritable(folder, error) from None
        raise


def _remove_new(folder: Path, part: Part) -> None:
    """Remove a part, unless the current snapshot has one of the same content and so of the same name."""
    with suppress(SnapshotError):
        if part.file in {named.file for parts in read_manifest(folder)[1].values() for named in parts}:
            return
    (folder / part.file).unlink(missing_ok=True)


def read_profiles(folder: str | Path, *, lazy: bool = False) -> TaskProfiles:
    """Read task profiles from a folder that an export or `write_profiles` wrote; no network from here on.

    Every part is proven to be the one that was written. A task's family is that of its job.

    Parameters
    ----------
    folder
        The snapshot.
    lazy
        Give `polars.LazyFrame`, read when they are asked for, part by part: for more tasks than fit into memory. The
        files must stay where they are as long as the frames are used.

    Returns
    -------
    TaskProfiles
        As it was written, manifest included.

    Raises
    ------
    SnapshotError
        If the folder is no snapshot, holds an unfinished export, or a part is missing or damaged.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> read_profiles(write_profiles(load_sample(), "snapshot"))
    TaskProfiles: 240 jobs and 5,825 tasks; sample data for a fictional company, as of 2026-05.
    """
    return opened(local_path(folder), lazy=lazy, proven=False)


def opened(folder: Path, *, lazy: bool, proven: bool) -> TaskProfiles:
    """Read a snapshot; `proven` skips the check that its parts are those that were written."""
    manifest, parts = read_manifest(folder)
    paths = paths_of(folder, parts) if proven else verify(folder, parts)
    jobs, tasks, rejects = (pl.scan_parquet(paths[table]) for table in ("jobs", "tasks", "rejects"))
    if "job_family" not in tasks.collect_schema():  # an export knows the families only when it has come to its end
        of_job = jobs.select("job_id", "job_family").collect()
        # A column made from another costs nothing where it is not used; a join would be done all the same.
        family = pl.col("job_id").replace_strict(
            of_job.get_column("job_id"), of_job.get_column("job_family"), default=None, return_dtype=pl.String
        )
        tasks = tasks.with_columns(job_family=family).select(list(schema.TASKS))
    if not lazy:
        jobs, tasks = jobs.collect(), tasks.collect()  # type: ignore[assignment]
    return TaskProfiles(jobs=jobs, tasks=tasks, manifest=manifest, rejects=rejects.collect())
