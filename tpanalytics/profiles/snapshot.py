"""A folder of Parquet files and a manifest, written so that a crash leaves the old state or the new one.

The manifest names its parts and their hashes, and it is replaced last: a part that no manifest names does not count.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._files import whole_file
from tpanalytics.errors import SnapshotError
from tpanalytics.schema import JOBS, REJECTS, TASKS, TaskProfiles, require, to_polars

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_target", "read_profiles", "write_profiles"]

_MANIFEST = "manifest.json"
_SCHEMA_VERSION = 1
_TABLES = ("jobs", "tasks", "rejects")


def write_profiles(profiles: TaskProfiles, folder: str | Path) -> Path:
    """Write task profiles to a folder: three Parquet files and a manifest.

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
        If the folder holds something else, or cannot be written; nothing was changed then.
    SchemaError
        If a table lacks a column.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> sample = load_sample()
    >>> read_profiles(write_profiles(sample, "snapshot")).tasks.equals(sample.tasks)
    True
    """
    folder = Path(folder)
    check_target(folder)
    require(profiles.jobs, *JOBS, name="jobs")
    require(profiles.tasks, *TASKS, name="tasks")
    if (folder / _MANIFEST).exists():
        _manifest(folder)  # what a later version wrote, or nobody can read, is not replaced
    parts: dict[str, dict[str, Any]] = {}
    try:
        for table in _TABLES:
            parts[table] = _write_part(folder, table, getattr(profiles, table))
        manifest = {**profiles.manifest, "schema": _SCHEMA_VERSION, "parts": parts}
        with whole_file(folder / _MANIFEST) as draft:
            draft.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        _remove(folder, parts)
        raise SnapshotError(
            f"{folder}: the snapshot could not be written ({error.strerror or error}). What was there is unchanged."
        ) from None
    except BaseException:
        _remove(folder, parts)
        raise
    # Parts of the snapshot before, and of any that was broken off, hold people's data too.
    named = {part["file"] for part in parts.values()}
    for entry in folder.iterdir():
        if _is_part(entry) and entry.name not in named:
            with suppress(OSError):  # another program may have it open
                entry.unlink()
    return folder


def read_profiles(folder: str | Path) -> TaskProfiles:
    """Read task profiles from a folder that `write_profiles` wrote; no network from here on.

    Parameters
    ----------
    folder
        The snapshot.

    Returns
    -------
    TaskProfiles
        As it was written, manifest included.

    Raises
    ------
    SnapshotError
        If the folder is no snapshot, or a part is missing or damaged.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> read_profiles(write_profiles(load_sample(), "snapshot"))
    TaskProfiles: 240 jobs and 5,825 tasks; invented data of a company that does not exist, as of 2026-05.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    frames = {table: _read_part(folder, table, manifest["parts"][table]) for table in _TABLES}
    rest = {key: value for key, value in manifest.items() if key not in {"parts", "schema"}}
    return TaskProfiles(jobs=frames["jobs"], tasks=frames["tasks"], manifest=rest, rejects=frames["rejects"])


def check_target(folder: Path) -> None:
    """Refuse a folder that holds something else than a snapshot, before any work is done.

    Raises
    ------
    SnapshotError
        If it does, or if it is a file.
    """
    if folder.is_dir() and not (folder / _MANIFEST).exists():
        others = [entry.name for entry in folder.iterdir() if not (entry.name.startswith(".") or _is_part(entry))]
        if others:
            raise SnapshotError(
                f"{folder} holds files but no {_MANIFEST}: it is no snapshot ({others[0]!r} is there). "
                "Choose an empty folder."
            )
    if folder.exists() and not folder.is_dir():
        raise SnapshotError(f"{folder} is a file; a snapshot needs a folder.")


def _is_part(path: Path) -> bool:
    return re.fullmatch(rf"\.?({'|'.join(_TABLES)})-[0-9a-f]{{8}}(-[0-9a-f]{{8}})?\.parquet", path.name) is not None


def _write_part(folder: Path, table: str, frame: Any) -> dict[str, Any]:
    eager = to_polars(frame)
    path = folder / f"{table}-{secrets.token_hex(4)}.parquet"
    with whole_file(path) as draft:
        try:
            eager.write_parquet(draft)
        except pl.exceptions.PolarsError as error:  # what Polars makes of a full disk
            raise OSError(str(error)) from None
    return {"file": path.name, "rows": eager.height, "sha256": _digest(path)}


def _remove(folder: Path, parts: Mapping[str, Mapping[str, Any]]) -> None:
    for part in parts.values():
        (folder / Path(part["file"]).name).unlink(missing_ok=True)


def _read_part(folder: Path, table: str, part: Mapping[str, Any]) -> pl.DataFrame:
    path = folder / Path(part["file"]).name
    if not path.is_file():
        raise SnapshotError(f"{folder}: the part {path.name} is missing. Restore it, or export again.")
    if _digest(path) != part["sha256"]:
        raise SnapshotError(f"{folder}: the part {path.name} is damaged (its hash differs). Export again.")
    frame = pl.read_parquet(path)
    if frame.height != part["rows"]:
        raise SnapshotError(f"{folder}: {path.name} holds {frame.height} rows, not {part['rows']}.")
    require(frame, *{"jobs": JOBS, "tasks": TASKS, "rejects": REJECTS}[table], name=path.name)
    return frame


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise SnapshotError(f"{folder} is no snapshot: it has no {_MANIFEST}.")
    manifest: Any = None
    version, well_formed = None, False
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema"]
        parts = [manifest["parts"][table] for table in _TABLES]
        well_formed = all({"rows", "sha256"} <= part.keys() and isinstance(part["file"], str) for part in parts)
    if isinstance(version, int) and version != _SCHEMA_VERSION:  # its parts may be described in another way
        raise SnapshotError(
            f"{folder} was written with schema {version}, this version reads {_SCHEMA_VERSION}. Update tpanalytics."
        )
    if version != _SCHEMA_VERSION or not well_formed:
        raise SnapshotError(f"{path} is damaged or was not written by tpanalytics. Export again.")
    return dict(manifest)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
