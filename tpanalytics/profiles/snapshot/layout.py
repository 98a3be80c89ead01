"""What lies in a snapshot folder: Parquet parts, a manifest that names them with their hashes, and a lock.

The manifest is replaced last and at once: a part that no manifest names does not count, so that a crash leaves the old
snapshot or the new one. While an export is unfinished, `STATE` lies next to the parts it has so far.
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
from tpanalytics.schema import JOBS, REJECTS, TASKS, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "LOCK",
    "MANIFEST",
    "SCHEMA_VERSION",
    "STATE",
    "TABLES",
    "Part",
    "clear",
    "is_part",
    "locked",
    "now",
    "paths_of",
    "read_manifest",
    "unwritable",
    "verify",
    "write_json",
    "write_manifest",
    "write_part",
]

MANIFEST = "manifest.json"
#: The request of an export that has not come to its end.
STATE = "unfinished.json"
LOCK = ".lock"
SCHEMA_VERSION = 2
TABLES: dict[str, dict[str, Any]] = {"jobs": JOBS, "tasks": TASKS, "rejects": REJECTS}


class Part(msgspec.Struct, frozen=True):
    """A Parquet file of a table."""

    file: str
    rows: int
    sha256: str


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Reserve a folder for this process, and make it if it is missing; the lock ends with the process."""
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
    except NotImplementedError:  # a file system without locks, on an older library
        raise SnapshotError(f"{folder}: files cannot be locked there; choose a folder on another disk.") from None
    try:
        yield
    finally:
        lock.release()


def unwritable(folder: Path, error: OSError) -> SnapshotError:
    """Return the error for a folder or disk that cannot be written."""
    return SnapshotError(
        f"{folder}: the snapshot could not be written ({error.strerror or error}). What was there is unchanged."
    )


def _check_target(folder: Path) -> None:
    """Refuse a folder that holds something other than a snapshot."""
    try:
        others = _others(folder)
    except (OSError, ValueError) as error:  # a name that no file can have, or a folder that may not be looked into
        reason = getattr(error, "strerror", None) or error
        raise SnapshotError(f"{str(folder)[:80]!r} cannot be used as a folder: {reason}.") from None
    if others:
        raise SnapshotError(
            f"{folder} holds files but no {MANIFEST}: it is no snapshot ({others[0]!r} is there). "
            "Choose an empty folder."
        )
    if folder.exists() and not folder.is_dir():
        raise SnapshotError(f"{folder} is a file; a snapshot needs a folder.")


def _others(folder: Path) -> list[str]:
    if "\0" in str(folder):  # which some versions of Python pass over here, and trip over later
        raise ValueError("a name cannot hold a null character")
    if not folder.is_dir() or (folder / MANIFEST).exists() or (folder / STATE).exists():
        return []
    return [entry.name for entry in folder.iterdir() if not (entry.name.startswith(".") or is_part(entry))]


_PART = re.compile(rf"\.?({'|'.join(TABLES)})-[0-9a-f-]+\.parquet|\.(manifest|unfinished)-[0-9a-f]+\.json")


def is_part(path: Path) -> bool:
    """Return whether the name of a file is that of a part, or of a draft that a killed process left."""
    return _PART.fullmatch(path.name) is not None


def write_part(folder: Path, name: str, frame: pl.DataFrame, note: bytes | None = None, **options: Any) -> Part:
    """Write a table to a file whose name ends with the hash of its bytes, with a `note` in its metadata."""
    packed = io.BytesIO()
    metadata = None if note is None else {"tpanalytics": note.decode()}
    frame.write_parquet(packed, metadata=metadata, **options)
    raw = packed.getbuffer()
    digest = hashlib.sha256(raw).hexdigest()
    path = folder / f"{name}-{digest[:16]}.parquet"
    with atomic_write(path) as draft:
        draft.write_bytes(raw)
    return Part(path.name, frame.height, digest)


def write_json(path: Path, value: Any) -> None:
    """Write a small JSON file, whole or not at all."""
    with atomic_write(path) as draft:
        draft.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_manifest(folder: Path, manifest: Mapping[str, Any], parts: Mapping[str, list[Part]]) -> dict[str, Any]:
    """Replace the manifest, which makes its parts the snapshot, remove all other parts, and return it."""
    digests = [part.sha256 for table in TABLES for part in parts[table]]
    content = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    named = {table: [msgspec.to_builtins(part) for part in parts[table]] for table in TABLES}
    whole = {**manifest, "content_sha256": content}
    write_json(folder / MANIFEST, {**whole, "schema": SCHEMA_VERSION, "parts": named})
    clear(folder, {part.file for table in TABLES for part in parts[table]})
    return whole


def clear(folder: Path, kept: Iterable[str]) -> None:
    """Remove parts that are not among `kept`: of the snapshot before, or of a broken-off one; people's data too."""
    kept = set(kept)
    for entry in folder.iterdir():
        if is_part(entry) and entry.name not in kept:
            with suppress(OSError):  # another program may have it open
                entry.unlink()


def read_manifest(folder: Path) -> tuple[dict[str, Any], dict[str, list[Part]]]:
    """Read the manifest of a sealed snapshot, and the parts it names."""
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / STATE).is_file():
            raise SnapshotError(
                f"{folder} holds an export that was broken off. Go on with it: load_task_profiles with the same "
                "request and snapshot=, or in a shell `tpanalytics export` as before."
            )
        raise SnapshotError(f"{folder} is no snapshot: it has no {MANIFEST}.")
    manifest: Any = None
    version: Any = None
    parts: dict[str, list[Part]] = {}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, msgspec.ValidationError):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema"]
        if version == 1:  # one file a table, then
            manifest["parts"] = {table: [manifest["parts"][table]] for table in TABLES}
        parts = {table: msgspec.convert(manifest["parts"][table], list[Part]) for table in TABLES}
    if isinstance(version, int) and version not in {1, SCHEMA_VERSION}:  # its parts may be described in another way
        raise SnapshotError(
            f"{folder} was written with schema {version}, this version reads {SCHEMA_VERSION}. Update tpanalytics."
        )
    if version not in {1, SCHEMA_VERSION} or len(parts) < len(TABLES):
        raise SnapshotError(
            f"{path} is damaged or was not written by tpanalytics. Delete the folder, or export into another one."
        )
    return {key: value for key, value in manifest.items() if key not in {"parts", "schema"}}, parts


def verify(folder: Path, parts: Mapping[str, list[Part]]) -> dict[str, list[Path]]:
    """Prove that the parts are those that were written, and return their paths by table."""
    paths = paths_of(folder, parts)
    flat = [(path, part) for table in TABLES for path, part in zip(paths[table], parts[table], strict=True)]
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_digest, [path for path, _ in flat]))
    for (path, part), digest in zip(flat, digests, strict=True):
        if digest is None:
            raise SnapshotError(f"{folder}: the part {path.name} is missing. Restore it, or export again.")
        if digest != part.sha256:
            raise SnapshotError(f"{folder}: the part {path.name} is damaged (its hash differs). Export again.")
    for table, columns in TABLES.items():
        for path in paths[table][:1]:
            needed = [name for name in columns if (table, name) != ("tasks", "job_family")]
            require(pl.scan_parquet(path), *needed, name=path.name)
    return paths


def paths_of(folder: Path, parts: Mapping[str, list[Part]]) -> dict[str, list[Path]]:
    """Return the paths of the parts by table; a manifest cannot point outside its folder."""
    return {table: [folder / Path(part.file).name for part in parts[table]] for table in TABLES}


def now() -> str:
    """Return the time as manifests hold it, UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
