"""Snapshot folder layout, consisting of Parquet files, a manifest with file hashes, and a lock file.

The manifest is replaced atomically once all parts have been written. If the process crashes, either the old or the new
snapshot remains. Unfinished exports also have a state file.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
from filelock import FileLock, Timeout

from tpanalytics._atomic import atomic_write
from tpanalytics.errors import SnapshotError
from tpanalytics.formatting import listed
from tpanalytics.schema import JOBS, PEOPLE, REJECTS, TASKS, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "LOCK",
    "MANIFEST",
    "SCHEMA_VERSION",
    "STATE",
    "TABLES",
    "TAXONOMY",
    "Part",
    "clear",
    "is_part",
    "locked",
    "now",
    "paths_of",
    "read_manifest",
    "read_versioned",
    "unwritable",
    "verify",
    "write_json",
    "write_manifest",
    "write_part",
]

MANIFEST = "manifest.json"
#: State file for an unfinished export.
STATE = "unfinished.json"
LOCK = ".lock"
#: Places of tasks in the taxonomy. They are kept if another export replaces the snapshot.
TAXONOMY = "taxonomy.jsonl"
SCHEMA_VERSION = 3
TABLES: dict[str, dict[str, Any]] = {"jobs": JOBS, "tasks": TASKS, "rejects": REJECTS, "people": PEOPLE}
#: Until version 1, there was one file per table. Until version 2, there were no people and ``headcount`` was in FTE.
_OLDER = {1, 2}


class Part(msgspec.Struct, frozen=True):
    """A Parquet file with all or part of a table."""

    file: str
    rows: int
    sha256: str


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, creating it if necessary."""
    _check_target(folder)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SnapshotError(
            f"{folder}: another process is writing to this snapshot. Wait for it to finish, or choose another folder."
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    except NotImplementedError:  # raised by older versions of filelock if the file system doesn't support locks
        raise SnapshotError(
            f"{folder}: the file system does not support file locks. Choose a folder on another disk."
        ) from None
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: OSError) -> SnapshotError:
    """Return an error for a snapshot that can't be written."""
    return SnapshotError(
        f"{folder}: the snapshot could not be written ({error.strerror or error}). The existing snapshot is unchanged."
    )


def _check_target(folder: Path) -> None:
    """Raise a `SnapshotError` unless the folder is empty or contains a snapshot."""
    try:
        others = _other_files(folder)
    except (OSError, ValueError) as error:  # invalid name or missing permission
        reason = getattr(error, "strerror", None) or error
        raise SnapshotError(
            f"{str(folder)[:80]!r} cannot be used as a folder: {reason}. Choose another folder."
        ) from None
    if others:
        raise SnapshotError(
            f"{folder} is not a snapshot: it contains {others[0]!r} but no {MANIFEST}. Choose an empty folder."
        )
    if folder.exists() and not folder.is_dir():
        raise SnapshotError(f"{folder} is a file. Choose a folder for the snapshot.")


def _other_files(folder: Path) -> list[str]:
    if "\0" in str(folder):  # not all versions of Python detect this
        raise ValueError("the name contains a null character")
    if not folder.is_dir() or (folder / MANIFEST).exists() or (folder / STATE).exists():
        return []
    others = [entry for entry in folder.iterdir() if not entry.name.startswith(".") and not is_part(entry)]
    return [entry.name for entry in others if entry.name != TAXONOMY]


_PART = re.compile(rf"\.?({'|'.join(TABLES)})-[0-9a-f-]+\.parquet|\.(manifest|unfinished)-[0-9a-f]+\.json")


def is_part(path: Path) -> bool:
    """Return `True` if the file belongs to a snapshot, or is a temporary file left behind by a killed process."""
    return _PART.fullmatch(path.name) is not None


def write_part(folder: Path, name: str, frame: pl.DataFrame, note: bytes | None = None, **options: Any) -> Part:
    """Write a table to a file and add its hash to the file name. `note` is stored in the Parquet metadata."""
    buffer = io.BytesIO()
    metadata = None if note is None else {"tpanalytics": note.decode()}
    frame.write_parquet(buffer, metadata=metadata, **options)
    raw = buffer.getbuffer()
    digest = hashlib.sha256(raw).hexdigest()
    path = folder / f"{name}-{digest[:16]}.parquet"
    with atomic_write(path) as draft:
        draft.write_bytes(raw)
    return Part(path.name, frame.height, digest)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path) as draft:
        draft.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_manifest(folder: Path, manifest: Mapping[str, Any], parts: Mapping[str, list[Part]]) -> dict[str, Any]:
    """Replace the manifest, delete the previous snapshot's files and return the new manifest."""
    parts = {table: parts.get(table, []) for table in TABLES}  # there may be no people
    digests = [part.sha256 for table in TABLES for part in parts[table]]
    content = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    entries = {table: [msgspec.to_builtins(part) for part in parts[table]] for table in TABLES}
    updated = {**manifest, "content_sha256": content}
    write_json(folder / MANIFEST, {**updated, "schema": SCHEMA_VERSION, "parts": entries})
    clear(folder, {part.file for table in TABLES for part in parts[table]})
    return updated


def clear(folder: Path, keep: Iterable[str]) -> None:
    """Delete all parts and temporary files in the folder, except those in `keep`."""
    keep = set(keep)
    for entry in folder.iterdir():
        if is_part(entry) and entry.name not in keep:
            with suppress(OSError):  # the file may be open in another program
                entry.unlink()


def read_manifest(folder: Path) -> tuple[dict[str, Any], dict[str, list[Part]]]:
    """Return a sealed snapshot's manifest, and the parts for each table."""
    manifest, parts, _ = read_versioned(folder)
    return manifest, parts


#: Maximum number of snapshots to list in an error.
_LISTED = 3


def _folder_advice(folder: Path) -> str:
    inside = sorted(each.parent.name for each in folder.glob(f"*/{MANIFEST}"))
    if not inside:
        return "Pass the folder of an export."
    more = [f"{len(inside) - _LISTED:,} more"] * (len(inside) > _LISTED)
    names = listed([*map(repr, inside[:_LISTED]), *more])
    return f"It contains {names}: pass {str(folder / inside[0])!r}, or use read_history for all of them."


def read_versioned(folder: Path) -> tuple[dict[str, Any], dict[str, list[Part]], int]:
    """Like `read_manifest`, and return the schema version."""
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / STATE).is_file():
            raise SnapshotError(
                f"{folder} contains an unfinished export. Call load_task_profiles with the same arguments, or run the "
                "same `tpanalytics export` command, to resume it."
            )
        raise SnapshotError(f"{folder} is not a snapshot: it has no {MANIFEST}. {_folder_advice(folder)}")
    manifest: Any = None
    version: Any = None
    parts: dict[str, list[Part]] = {}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, msgspec.ValidationError):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema"]
        listed = manifest["parts"]
        if version == 1:
            listed = {table: [part] for table, part in listed.items()}
        if version in _OLDER:
            listed = {**listed, "people": []}
        parts = {table: msgspec.convert(listed[table], list[Part]) for table in TABLES}
    if isinstance(version, int) and version not in {*_OLDER, SCHEMA_VERSION}:
        raise SnapshotError(
            f"{folder} has schema version {version}, but this version of tpanalytics reads {SCHEMA_VERSION}. "
            "Update tpanalytics."
        )
    if version not in {*_OLDER, SCHEMA_VERSION} or len(parts) < len(TABLES):
        raise SnapshotError(
            f"{path} is damaged or was not written by tpanalytics. Delete the folder or export to another one."
        )
    return {key: value for key, value in manifest.items() if key not in {"parts", "schema"}}, parts, version


def verify(folder: Path, parts: Mapping[str, list[Part]]) -> dict[str, list[Path]]:
    """Check hashes and columns in all parts, and return the paths for each table."""
    paths = paths_of(folder, parts)
    files = [(path, part) for table in TABLES for path, part in zip(paths[table], parts[table], strict=True)]
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_digest, [path for path, _ in files]))
    for (path, part), digest in zip(files, digests, strict=True):
        if digest is None:
            raise SnapshotError(f"{folder}: the file {path.name} is missing. Restore it or export again.")
        if digest != part.sha256:
            raise SnapshotError(
                f"{folder}: the file {path.name} is damaged (its hash differs). Restore it or export again."
            )
    for table, columns in TABLES.items():
        for path in paths[table][:1]:
            required = [name for name in columns if (table, name) != ("tasks", "job_family")]
            require(pl.scan_parquet(path), *required, name=path.name)
    return paths


def paths_of(folder: Path, parts: Mapping[str, list[Part]]) -> dict[str, list[Path]]:
    """Return the part paths for each table, ignoring any folder names in the manifest."""
    return {table: [folder / Path(part.file).name for part in parts[table]] for table in TABLES}


def now() -> str:
    """Return the current UTC time in ISO format, without fractional seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
