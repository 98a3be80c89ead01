"""Read several snapshots as one history."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import SchemaError, SnapshotError
from tpanalytics.profiles.snapshot.layout import MANIFEST, STATE, read_versioned
from tpanalytics.profiles.snapshot.read_write import open_snapshot
from tpanalytics.profiles.snapshot.taxonomy_columns import with_stored_taxonomy
from tpanalytics.schema import AS_OF, TENANT, History

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from tpanalytics.schema import TaskProfiles

__all__ = ["read_history"]

#: Kinds of data in a snapshot that are not the task profiles of a company.
_OTHER_KINDS = {"employees": "the tasks of employees", "job": "a single job"}


class _Snapshot(NamedTuple):
    folder: Path
    tenant: str | None
    as_of: date
    #: Start and end of the export. Equal to `as_of` if they are unknown.
    started: datetime
    finished: datetime
    schema: int
    manifest: dict[str, Any]


def read_history(source: str | Path | Sequence[str | Path]) -> History:
    """Read several snapshots of one or more tenants as a history.

    A snapshot is dated by the day on which its export finished (UTC), the sample by its state. Only the manifests are
    read, and the file hashes verified. The tables are lazy frames: do not move or change the files while you use them.
    Missing columns of a snapshot are null.

    Parameters
    ----------
    source
        A folder whose direct sub-folders are snapshots, or a list of snapshot folders. Other sub-folders are ignored.

    Returns
    -------
    History
        The jobs and tasks of all snapshots, with the extra columns ``tenant`` (String, null for samples and files) and
        ``as_of`` (Date). Pass it to a measure with ``by=["as_of", ...]``, or to `trend`. ``history.snapshots`` lists
        the snapshots, and ``history.at("2026-05-01")`` returns one of them.

    Raises
    ------
    SnapshotError
        If there is no snapshot, or one is unfinished, damaged, undated, of another schema version, or not of a company.
        If two snapshots of a tenant have the same date, or their exports overlap in time.
    SchemaError
        If `source` is not a path or a list of paths, or if a column has different types in two snapshots.

    Examples
    --------
    >>> from tpanalytics import hours, load_sample, write_profiles
    >>> for state in ("2026-05", "2026-11"):
    ...     _ = write_profiles(load_sample(state), f"snapshots/{state}")
    >>> history = read_history("snapshots")
    >>> history
    History of 2 snapshots:
    2026-05-01: 240 jobs, 5,825 tasks
    2026-11-01: 245 jobs, 5,955 tasks
    >>> hours(history, by=["as_of", "job_family"]).head(1).select("as_of", "job_family", "hours").row(0)
    ('2026-05-01', 'Data and Analytics', 475.0)
    """
    snapshots = [_read_snapshot(folder) for folder in _folders(source)]
    # Snapshots without a tenant come last, as in the groups of a measure.
    snapshots.sort(key=lambda one: (one.tenant is None, one.tenant or "", one.started, str(one.folder)))
    _check_schema_versions(snapshots)
    _check_times(snapshots)
    opened = [
        (one, with_stored_taxonomy(open_snapshot(one.folder, lazy=True, verified=False), one.folder))
        for one in snapshots
    ]
    entries = [
        {
            TENANT: one.tenant,
            AS_OF: one.as_of.isoformat(),
            "folder": str(one.folder),
            "jobs": one.manifest.get("jobs"),
            "tasks": one.manifest.get("tasks"),
            "manifest": one.manifest,
        }
        for one in snapshots
    ]
    return History(
        jobs=_concat("jobs", [(one, profiles.jobs) for one, profiles in opened]),
        tasks=_concat("tasks", [(one, profiles.tasks) for one, profiles in opened]),
        manifest={"source": {"kind": "history"}, "snapshots": entries, **_default_states(snapshots)},
        rejects=_concat("rejects", [(one, profiles.rejects.lazy()) for one, profiles in opened]).collect(),
        people=_concat_people(opened),
    )


def _folders(source: Any) -> list[Path]:
    """Return the folders of the snapshots."""
    if not isinstance(source, str | os.PathLike):
        items: list[Any] = [*source] if isinstance(source, Iterable) else [None]
        if not all(isinstance(path, str | os.PathLike) for path in items):
            raise SchemaError(f"`source` must be a folder or a list of snapshot folders, not {type(source).__name__}.")
        folders = [local_path(path) for path in items]
        if not folders:
            raise SnapshotError("`source` must list at least one snapshot folder, not [].")
        if len({folder.resolve() for folder in folders}) < len(folders):
            raise SnapshotError("`source` lists the same snapshot folder twice. Remove one of them.")
        return folders
    root = local_path(source)
    if (root / MANIFEST).is_file():
        raise SnapshotError(
            f"{root} is a snapshot itself. Pass the folder that contains it, a list of paths, or call read_profiles."
        )
    if not root.is_dir():
        raise SnapshotError(f"{root} is not a folder. Pass the folder that contains the snapshots.")
    found = sorted(path for path in root.iterdir() if (path / MANIFEST).is_file() or (path / STATE).is_file())
    if not found:
        raise SnapshotError(
            f"{root} has no snapshot in its direct sub-folders. Pass the folder that contains them, or a list of paths."
        )
    return found


def _read_snapshot(folder: Path) -> _Snapshot:
    if (folder / STATE).is_file() and not (folder / MANIFEST).is_file():
        raise SnapshotError(
            f"{folder} contains an unfinished export. Resume it with load_task_profiles, or pass a list of paths "
            "without it."
        )
    manifest, _, version = read_versioned(folder)
    source = manifest.get("source") or {}
    other = _OTHER_KINDS.get(source.get("kind", ""))
    if other:
        raise SnapshotError(
            f"{folder} contains {other}, not the task profiles of a company. Pass a list of paths without it."
        )
    finished = _time(manifest.get("finished")) or _time(manifest.get("started")) or _stated_time(manifest)
    if finished is None:
        raise SnapshotError(
            f"{folder} has no date: it was not exported but read from a file or frames. "
            "Pass a list of paths without it, or write it again with a date in manifest['as_of']."
        )
    started = _time(manifest.get("started")) or finished
    return _Snapshot(
        folder,
        source.get("tenant"),
        finished.date(),
        min(started, finished),
        finished,
        version,
        manifest,
    )


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _stated_time(manifest: Mapping[str, Any]) -> datetime | None:
    """Return the date stated for data that were not exported: the state of the sample, or ``as_of``."""
    source = manifest.get("source") or {}
    stated = manifest.get(AS_OF) or source.get(AS_OF) or source.get("state")
    return None if stated is None else _time(stated) or _time(f"{stated}-01")


def _check_schema_versions(snapshots: Sequence[_Snapshot]) -> None:
    newest = max(snapshots, key=lambda one: one.schema)
    older = next((one for one in snapshots if one.schema != newest.schema), None)
    if older is not None:
        raise SnapshotError(
            f"{older.folder} has schema version {older.schema}, {newest.folder} has {newest.schema}. "
            f"Update the older one with write_profiles(read_profiles({str(older.folder)!r}), {str(older.folder)!r})."
        )


def _check_times(snapshots: Sequence[_Snapshot]) -> None:
    """Raise an error if two snapshots of a tenant have the same date or overlap in time."""
    for first, second in pairwise(snapshots):
        if first.tenant != second.tenant:
            continue
        whose = f"of the tenant {first.tenant!r}" if first.tenant else "without a tenant"
        both = f"{first.folder} and {second.folder} are both {whose}"
        if first.as_of == second.as_of:
            raise SnapshotError(f"{both} and both of {first.as_of}. Pass a list of paths with only one of them.")
        if second.started < first.finished:
            raise SnapshotError(
                f"{both}, and their exports overlap in time ({second.started:%Y-%m-%d %H:%M} is before "
                f"{first.finished:%Y-%m-%d %H:%M}). Pass a list of paths with only one of them."
            )


def _default_states(snapshots: Sequence[_Snapshot]) -> dict[str, list[str]]:
    """Return the validation states that measures count by default, if the snapshots set any."""
    first, states = snapshots[0], snapshots[0].manifest.get("states")
    other = next((one for one in snapshots if one.manifest.get("states") != states), None)
    if other is not None:
        raise SnapshotError(
            f"{first.folder} and {other.folder} count other validation states by default ({states} and "
            f"{other.manifest.get('states')}). Write one of them again with profiles.filter(states=...)."
        )
    return {} if states is None else {"states": states}


def _concat(name: str, frames: Sequence[tuple[_Snapshot, pl.LazyFrame]]) -> pl.LazyFrame:
    """Concatenate a table of all snapshots. Columns that a snapshot does not have are null."""
    seen: dict[str, tuple[pl.DataType, Path]] = {}
    parts = []
    for one, frame in frames:
        for column, dtype in frame.collect_schema().items():
            if column in (TENANT, AS_OF):
                raise SchemaError(
                    f"`{column}` is a column of `{name}` in {one.folder}, but a history adds a column of this name. "
                    "Rename it and write the snapshot again."
                )
            first, where = seen.setdefault(column, (dtype, one.folder))
            alike = first == dtype or (first.is_numeric() and dtype.is_numeric()) or pl.Null in (first, dtype)
            if not alike:
                raise SchemaError(
                    f"`{column}` of `{name}` is {dtype} in {one.folder} but {first} in {where}. "
                    "Cast it in one of them and write the snapshot again."
                )
        tenant, day = pl.lit(one.tenant, dtype=pl.String), pl.lit(one.as_of, dtype=pl.Date)
        parts.append(frame.with_columns(tenant.alias(TENANT), day.alias(AS_OF)))
    return pl.concat(parts, how="diagonal_relaxed")


def _concat_people(opened: Sequence[tuple[_Snapshot, TaskProfiles]]) -> pl.LazyFrame | None:
    """Concatenate the people. For a snapshot without a people table, they are the headcounts of its jobs."""
    if all(profiles.people is None for _, profiles in opened):
        return None
    frames = []
    for one, profiles in opened:
        people = profiles.people
        if people is None:
            counts = [name for name in ("headcount", "fte") if name in profiles.jobs.collect_schema()]
            people = profiles.jobs.select("job_id", *counts)
        frames.append((one, people.lazy()))
    return _concat("people", frames)
