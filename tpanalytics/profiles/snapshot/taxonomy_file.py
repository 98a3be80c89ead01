"""File with the places of tasks in the taxonomy, which is saved while they are being loaded.

The first line names the tenant. Each further line is the response for a task. If a process is killed while it writes a
line, the line is ignored and the task is requested again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec
from filelock import FileLock, Timeout

from tpanalytics._atomic import atomic_write
from tpanalytics.api.records import DECODE_ERRORS
from tpanalytics.errors import SnapshotError
from tpanalytics.profiles.snapshot.layout import MANIFEST, STATE, TAXONOMY, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["Place", "TaxonomyFile", "open_taxonomy", "read_places"]

_VERSION = 1
_Line = TypeVar("_Line")


class Place(msgspec.Struct, frozen=True):
    """The response for a task: its domain, subdomain, cluster and canonical task, or None if it has no place."""

    task_id: str
    levels: tuple[str | None, str | None, str | None, str | None] | None = None
    found: bool = True


class _Head(msgspec.Struct):
    taxonomy: int
    base_url: str
    tenant: str


class TaxonomyFile:
    """The places loaded so far. `add` appends to the file, if there is one."""

    def __init__(self, path: Path | None, head: _Head, places: Mapping[str, Place], *, append: bool) -> None:
        self.path = path
        self.places = dict(places)
        self.n_added = 0
        self._head = head
        self._append = append
        self._open = ExitStack()
        self._file: BinaryIO | None = None

    def add(self, place: Place) -> None:
        """Add a place, replacing the file's contents on the first call unless it is continued."""
        if self.path is not None:
            try:
                if self._file is None:
                    if not self._append:
                        _write(self.path, self._head, {})
                    self._file = self._open.enter_context(self.path.open("ab", buffering=0))
                self._file.write(_encode(place))
            except OSError as error:
                raise _unusable(self.path, error) from None
        self.places[place.task_id] = place
        self.n_added += 1

    def close(self) -> None:
        """Close the file."""
        self._open.close()


@contextmanager
def open_taxonomy(path: Path | None, base_url: str, tenant: str, *, resume: bool) -> Iterator[TaxonomyFile]:
    """Lock and read a taxonomy file, which can be in a snapshot folder. If the path is None, nothing is written."""
    head = _Head(_VERSION, base_url, tenant)
    if path is None:
        yield TaxonomyFile(None, head, {}, append=False)
        return
    target, lock = _target(path)
    with lock:
        places = _read(target, head)
        file = TaxonomyFile(target, head, places or {} if resume else {}, append=resume and places is not None)
        try:
            yield file
        finally:
            file.close()


def read_places(path: Path) -> dict[str, Place]:
    """Return the places in a taxonomy file, or none if there is no such file. The file is not changed."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if not raw:
        return {}
    first, *lines = raw.split(b"\n")
    head = _decoded(first, _Head)
    if head is None or head.taxonomy != _VERSION:
        raise _unreadable(path, "it does not contain a taxonomy" if head is None else f"it has version {head.taxonomy}")
    places = (_decoded(line, Place) for line in lines)  # the last line may be cut off
    return {place.task_id: place for place in places if place is not None}


def _decoded(line: bytes, kind: type[_Line]) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=kind)
    except DECODE_ERRORS:
        return None


def _unreadable(path: Path, reason: str) -> SnapshotError:
    return SnapshotError(f"{path} cannot be read: {reason}. Delete it, or run load_taxonomy again.")


def _target(path: Path) -> tuple[Path, AbstractContextManager[Any]]:
    """Return the file to use for a path, and its lock."""
    try:
        if path.is_dir():
            if not ((path / MANIFEST).exists() or (path / STATE).exists()):
                raise SnapshotError(
                    f"`cache` must be a file or the folder of a snapshot, but {path} has no {MANIFEST}. "
                    f"Pass a file such as {TAXONOMY!r}."
                )
            return path / TAXONOMY, locked(path)
        if not path.exists() and not path.suffix:
            raise SnapshotError(
                f"`cache` must be a file or the folder of a snapshot, but {path} does not exist. "
                f"Pass a file such as {TAXONOMY!r}."
            )
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from None
    return path, _locked_file(path)


@contextmanager
def _locked_file(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        lock.acquire()
    except Timeout:
        raise SnapshotError(
            f"{path}: another process is writing to this file. Wait for it to finish, or choose another `cache`."
        ) from None
    except (OSError, ValueError, NotImplementedError) as error:
        raise _unusable(path, error) from None
    try:
        yield
    finally:
        lock.release()


def _read(path: Path, head: _Head) -> dict[str, Place] | None:
    """Return the places in a file, or None if there is no such file. Lines that are cut off are removed."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from None
    if not raw:
        return None
    first, *lines = raw.split(b"\n")
    _check_head(path, first, head)
    places: dict[str, Place] = {}
    damaged = not lines or lines.pop() != b""
    for line in lines:
        try:
            place = msgspec.json.decode(line, type=Place)
        except DECODE_ERRORS:
            damaged = True
        else:
            places[place.task_id] = place
    if damaged:
        try:
            _write(path, head, places)
        except OSError as error:
            raise _unusable(path, error) from None
    return places


def _check_head(path: Path, line: bytes, head: _Head) -> None:
    try:
        found = msgspec.json.decode(line, type=_Head)
    except DECODE_ERRORS:
        raise SnapshotError(f"{path} does not contain a taxonomy. Choose another `cache`.") from None
    if found.taxonomy != _VERSION:
        raise SnapshotError(
            f"{path} has version {found.taxonomy}, but this version of tpanalytics reads {_VERSION}. "
            "Update tpanalytics or choose another `cache`."
        )
    if found != head:
        raise SnapshotError(
            f"{path} contains the taxonomy of the tenant {found.tenant!r} on {found.base_url}. Choose another `cache`."
        )


def _write(path: Path, head: _Head, places: Mapping[str, Place]) -> None:
    entries: list[_Head | Place] = [head, *places.values()]
    with atomic_write(path) as draft:
        draft.write_bytes(b"".join(map(_encode, entries)))


def _encode(entry: _Head | Place) -> bytes:
    return msgspec.json.encode(entry) + b"\n"


def _unusable(path: Path, error: Exception) -> SnapshotError:
    reason = getattr(error, "strerror", None) or error
    return SnapshotError(f"{str(path)[:80]!r} cannot be used as `cache`: {reason}. Choose another file or folder.")
