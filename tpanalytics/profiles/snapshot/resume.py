"""Save an export one page at a time, so that it can be resumed.

Each page is written to a Parquet file before the next page is saved. Tasks are stored as rows, and the cursor and jobs
as metadata, so that data and cursor are always written together. The file name contains the page numbers and a file
hash. Damaged pages are requested again.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

import msgspec
import polars as pl

from tpanalytics.api.parallel import Chain
from tpanalytics.errors import PaginationError, SnapshotError, warn
from tpanalytics.profiles.completeness import Note, check_complete, drop_jobs, export_order, restore_chains
from tpanalytics.profiles.snapshot.layout import (
    MANIFEST,
    SCHEMA_VERSION,
    STATE,
    Part,
    clear,
    is_part,
    now,
    read_manifest,
    unwritable,
    write_json,
    write_manifest,
    write_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Pull"]

#: Number of pages to merge into a single file, as a trade-off between file count and memory use.
_PAGES_PER_FILE = 16
#: Schema versions of unfinished exports that can be resumed. Version 3 only changed complete snapshots.
_RESUMABLE = {2, SCHEMA_VERSION}


class _PageFile(NamedTuple):
    note: Note
    part: Part


class Pull:
    """A context manager for exporting to a locked folder. The export can be resumed with the same parameters."""

    def __init__(self, folder: Path, parameters: Mapping[str, Any]) -> None:
        self._folder = folder
        # The current snapshot remains valid until the export is sealed. This raises an error for later schema versions.
        self._current = read_manifest(folder) if (folder / MANIFEST).exists() else ({}, {})
        kind = self._current[0].get("source", {}).get("kind", "export")
        if kind != "export":
            raise SnapshotError(f"{folder} contains other data ({kind}), not an export. Choose another folder.")
        self._parameters = json.loads(json.dumps(parameters))
        self.started = now()
        self.resumed_pages = 0
        self._id = secrets.token_hex(4)
        self._has_state = False
        self._starts: list[str | None] = []
        self._files: list[_PageFile] = []
        self._in_memory: dict[str, pl.DataFrame] = {}  # tasks in the files that will be merged next
        self._writing: Future[_PageFile] | None = None
        self._merging: tuple[list[_PageFile], Future[_PageFile]] | None = None
        self._disk = ThreadPoolExecutor(1, "tpanalytics-disk")  # write each page while the next one is decoded

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.shutdown()

    def resume(self) -> list[Chain]:
        """Return the unfinished export's chains, or an empty list if there is no such export."""
        state = self._read_state()
        if state is None:
            return []
        differences = list(_differences(state["asked"], self._parameters))
        if differences:
            raise SnapshotError(
                f"{self._folder} contains an unfinished export with other parameters: {'; '.join(differences)}. Use "
                "the same parameters to resume it, pass resume=False to start over, or choose another folder."
            )
        self._id, self.started, self._has_state = state["pull"], state["started"], True
        self._starts = state["chains"]
        self._files = self._find_files()
        self.resumed_pages = self.saved_pages()
        return restore_chains([Chain(i, after) for i, after in enumerate(self._starts)], self.notes)

    @property
    def notes(self) -> list[Note]:
        """The metadata for all saved pages."""
        return [file.note for file in self._files]

    def saved_pages(self) -> int:
        """Wait for the current write to finish, and return the number of pages on disk."""
        with suppress(OSError):
            self._finish_write()
        return sum(note.pages for note in self.notes)

    def begin(self, chains: list[Chain]) -> None:
        """Start from the first page. The first call to `save` deletes files from any earlier unfinished export."""
        with suppress(OSError):  # the result isn't used
            self._finish_write()
            self._finish_merge(wait=True)
        self._id, self._has_state, self.started = secrets.token_hex(4), False, now()
        self._starts = [chain.starting_after for chain in chains]
        self._files, self._in_memory, self.resumed_pages = [], {}, 0

    def save(self, note: Note, tasks: pl.DataFrame) -> None:
        """Write a page to disk in the background."""
        try:
            self._finish_write()
            if not self._has_state:
                self._write_state()
            self._writing = self._disk.submit(self._write_page, note, tasks)
        except OSError as error:
            raise unwritable(self._folder, error) from None

    def seal(
        self, manifest: Mapping[str, Any], name_jobs: Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]]
    ) -> None:
        """Check that the export is complete, add names and families, and replace the snapshot."""
        try:
            self._finish_write()
            self._finish_merge(wait=True)
            export = check_complete(self.notes, self._drop)
            self._merge_rest()
            jobs, counts = name_jobs(export.jobs)
            parts = {
                "jobs": [write_part(self._folder, "jobs", jobs)],
                "tasks": [self._files[position].part for position in export_order(self.notes)],
                "rejects": [write_part(self._folder, "rejects", export.rejects)],
            }
            write_manifest(self._folder, {**manifest, **export.counts, **counts, "pull": self._id}, parts)
            (self._folder / STATE).unlink(missing_ok=True)
        except PaginationError as error:
            raise SnapshotError(
                f"{self._folder}: the saved pages are not a complete export ({error}). Pass resume=False to start over."
            ) from error
        except OSError as error:
            raise unwritable(self._folder, error) from None

    def _drop(self, position: int, jobs: set[int]) -> Note:
        old = self._files[position]
        self._files[position] = self._write(*drop_jobs(old.note, self._read(old), jobs))
        return self._files[position].note

    def _read_state(self) -> dict[str, Any] | None:
        path = self._folder / STATE
        if not path.is_file():
            return None
        state: Any = None
        with suppress(OSError, ValueError, RecursionError):
            state = json.loads(path.read_text(encoding="utf-8"))
        version = state.get("schema") if isinstance(state, dict) else None
        if isinstance(version, int) and version not in _RESUMABLE:
            raise SnapshotError(
                f"{path} has schema version {version}, but this version of tpanalytics resumes {SCHEMA_VERSION}. "
                "Update tpanalytics or pass resume=False to start over."
            )
        try:
            msgspec.convert(state, _State)
        except msgspec.ValidationError:
            warn(f"{path} cannot be read, so the export starts over from the first page.")
            return None
        if state["pull"] == self._current[0].get("pull"):  # the process ended after the export was sealed
            path.unlink()
            clear(self._folder, self._current_files())
            return None
        return dict(state)

    def _write_state(self) -> None:
        state = _State(SCHEMA_VERSION, self._id, self.started, self._parameters, self._starts)
        write_json(self._folder / STATE, msgspec.to_builtins(state))
        self._has_state = True
        clear(self._folder, self._current_files())

    def _current_files(self) -> set[str]:
        return {part.file for parts in self._current[1].values() for part in parts}

    def _find_files(self) -> list[_PageFile]:
        """Return each chain's saved pages, up to the first one that is missing or damaged. Delete all others."""
        by_chain: dict[int, list[_PageFile]] = {}
        for path in self._folder.iterdir():
            if is_part(path) and path.name.startswith(f"tasks-{self._id}-"):
                file = _read_page_file(path)
                if file is not None and file.note.chain < len(self._starts):
                    by_chain.setdefault(file.note.chain, []).append(file)
        files: list[_PageFile] = []
        for candidates in by_chain.values():
            page = 0
            # Merged files come before single pages.
            for file in sorted(candidates, key=lambda file: (file.note.first, -file.note.last)):
                if file.note.first == page + 1:
                    files.append(file)
                    page = file.note.last
        clear(self._folder, self._current_files() | {file.part.file for file in files})
        return files

    def _write(self, note: Note, tasks: pl.DataFrame, **options: Any) -> _PageFile:
        name = f"tasks-{self._id}-{note.chain:03d}-{note.first:06d}-{note.last:06d}"
        # Don't store families here. We don't know them until the end, and they're stored with the jobs.
        tasks = tasks.drop("job_family", strict=False)
        return _PageFile(note, write_part(self._folder, name, tasks, msgspec.json.encode(note), **options))

    def _write_page(self, note: Note, tasks: pl.DataFrame) -> _PageFile:
        file = self._write(note, tasks, compression="uncompressed", statistics=False)  # it will be merged soon
        self._in_memory[file.part.file] = tasks.drop("job_family")
        return file

    def _finish_write(self) -> None:
        """Wait for the current write to finish, and add the page."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._files.append(writing.result())
            self._start_merge(self._files[-1].note.chain)

    def _read(self, file: _PageFile) -> pl.DataFrame:
        tasks = self._in_memory.pop(file.part.file, None)
        return pl.read_parquet(self._folder / file.part.file) if tasks is None else tasks

    def _start_merge(self, chain: int) -> None:
        """Start merging a chain's single pages in the background, if there are enough."""
        self._finish_merge(wait=False)
        single = self._single_pages(chain)
        if self._merging is None and len(single) >= _PAGES_PER_FILE:
            single = single[:_PAGES_PER_FILE]
            self._merging = single, self._disk.submit(self._merge, single)

    def _merge_rest(self) -> None:
        for chain in {file.note.chain for file in self._files}:
            if len(single := self._single_pages(chain)) > 1:
                self._merging = single, self._disk.submit(self._merge, single)
                self._finish_merge(wait=True)

    def _single_pages(self, chain: int) -> list[_PageFile]:
        return [file for file in self._files if file.note.chain == chain and file.note.pages == 1]

    def _merge(self, files: list[_PageFile]) -> _PageFile:
        note = reduce(Note.merge, (file.note for file in files))
        return self._write(note, pl.concat([self._read(file) for file in files]), compression="zstd")

    def _finish_merge(self, *, wait: bool) -> None:
        """Replace the merged pages with the new file, if it's ready or `wait` is True."""
        if self._merging is None or not (wait or self._merging[1].done()):
            return
        files, future = self._merging
        self._merging = None
        merged = {file.part.file for file in files}
        self._files = [file for file in self._files if file.part.file not in merged] + [future.result()]
        for file in files:
            with suppress(OSError):
                (self._folder / file.part.file).unlink()


class _State(msgspec.Struct):
    """State file contents: the export parameters, and each chain's starting job."""

    schema: int
    pull: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    started: str
    asked: dict[str, Any]
    chains: list[str | None]


def _read_page_file(path: Path) -> _PageFile | None:
    """Read a page file's metadata. Returns None if the file is damaged."""
    try:
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if digest[:16] != path.stem.rpartition("-")[2]:
            return None
        note = msgspec.json.decode(pl.read_parquet_metadata(io.BytesIO(raw))["tpanalytics"], type=Note)
    except (OSError, KeyError, msgspec.DecodeError, pl.exceptions.PolarsError):
        return None
    return _PageFile(note, Part(path.name, note.n_tasks, digest))


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """Yield a description of each difference between two sets of parameters."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), key)
    elif old != new and not (name == "service_version" and None in {old, new}):  # one of them isn't available
        yield f"{name} was {json.dumps(old)} and is now {json.dumps(new)}"
