"""An export on its way into a folder: each page is on disk, with its cursor, before the next is counted on.

A page is one file: its tasks are its rows, and all else that is kept of it, the cursor too, is in the file's
metadata. So data and cursor move in one step, and at no moment is one there without the other. The file's name says
which pages it holds and ends with the hash of its bytes; what is not whole is asked for again.
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
from tpanalytics.profiles.completeness import Note, drop_jobs, in_order, prove_complete, restore
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

#: Pages that are joined to one file once they are there: few files to read, little to hold in memory.
_PAGES_A_FILE = 16


class _Piece(NamedTuple):
    note: Note
    part: Part


class Pull:
    """An unfinished export in a locked folder; it is resumed only for the same request; use it as a context manager."""

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self._folder = folder
        # The snapshot until the export is sealed; a manifest of a later version is not replaced.
        self._standing = read_manifest(folder) if (folder / MANIFEST).exists() else ({}, {})
        kind = self._standing[0].get("source", {}).get("kind", "export")
        if kind != "export":
            raise SnapshotError(f"{folder} holds no export but data of another kind ({kind}); choose another folder.")
        self._asked = json.loads(json.dumps(asked))
        self.started = now()
        self.resumed_pages = 0
        self._id = secrets.token_hex(4)
        self._begun = False
        self._starts: list[str | None] = []
        self._pieces: list[_Piece] = []
        self._at_hand: dict[str, pl.DataFrame] = {}  # of the files that are to be joined next
        self._writing: Future[_Piece] | None = None
        self._joining: tuple[list[_Piece], Future[_Piece]] | None = None
        self._disk = ThreadPoolExecutor(1, "tpanalytics-disk")  # the next page is decoded while this one is written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.shutdown()

    def resume(self) -> list[Chain]:
        """Return the chains of the unfinished export as they were left; an empty list where there is none."""
        state = self._state()
        if state is None:
            return []
        differences = list(_differences(state["asked"], self._asked))
        if differences:
            raise SnapshotError(
                f"{self._folder} holds an unfinished export of another request: {'; '.join(differences)}. Ask as "
                "then to go on with it, pass resume=False to start over, or choose another folder."
            )
        self._id, self.started, self._begun = state["pull"], state["started"], True
        self._starts = state["chains"]
        self._pieces = self._found()
        self.resumed_pages = self.kept_pages()
        return restore([Chain(i, after) for i, after in enumerate(self._starts)], self.notes)

    @property
    def notes(self) -> list[Note]:
        """The notes of the pages kept so far."""
        return [piece.note for piece in self._pieces]

    def kept_pages(self) -> int:
        """Count the pages on disk, once the last one is written."""
        with suppress(OSError):
            self._take_written()
        return sum(note.pages for note in self.notes)

    def begin(self, chains: list[Chain]) -> None:
        """Start from the first page; what an unfinished export left is removed once the first page is kept."""
        with suppress(OSError):  # what could not be written is not needed any more
            self._take_written()
            self._take_joined(wait=True)
        self._id, self._begun, self.started = secrets.token_hex(4), False, now()
        self._starts = [chain.starting_after for chain in chains]
        self._pieces, self._at_hand, self.resumed_pages = [], {}, 0

    def keep(self, note: Note, tasks: pl.DataFrame) -> None:
        """Write a page to disk; it counts once the next is kept, or the export sealed."""
        try:
            self._take_written()
            if not self._begun:
                self._write_state()
            self._writing = self._disk.submit(self._write_page, note, tasks)
        except OSError as error:
            raise unwritable(self._folder, error) from None

    def seal(
        self, manifest: Mapping[str, Any], name_jobs: Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]]
    ) -> None:
        """Prove that the export is complete, and make it the snapshot; `name_jobs` fills in names and families."""
        try:
            self._take_written()
            self._take_joined(wait=True)
            whole = prove_complete(self.notes, self._drop)
            self._join_rest()
            named, counts = name_jobs(whole.jobs)
            parts = {
                "jobs": [write_part(self._folder, "jobs", named)],
                "tasks": [self._pieces[place].part for place in in_order(self.notes)],
                "rejects": [write_part(self._folder, "rejects", whole.rejects)],
            }
            write_manifest(self._folder, {**manifest, **whole.counts, **counts, "pull": self._id}, parts)
            (self._folder / STATE).unlink(missing_ok=True)
        except PaginationError as error:
            raise SnapshotError(
                f"{self._folder}: the pages do not make up the whole export ({error}). Pass resume=False to start over."
            ) from error
        except OSError as error:
            raise unwritable(self._folder, error) from None

    def _drop(self, place: int, jobs: set[int]) -> Note:
        old = self._pieces[place]
        self._pieces[place] = self._write(*drop_jobs(old.note, self._read(old), jobs))
        return self._pieces[place].note

    def _state(self) -> dict[str, Any] | None:
        path = self._folder / STATE
        if not path.is_file():
            return None
        state: Any = None
        with suppress(OSError, ValueError, RecursionError):
            state = json.loads(path.read_text(encoding="utf-8"))
        version = state.get("schema") if isinstance(state, dict) else None
        if isinstance(version, int) and version != SCHEMA_VERSION:
            raise SnapshotError(
                f"{path} was written with schema {version}, this version goes on with {SCHEMA_VERSION}. Update "
                "tpanalytics, or pass resume=False to start over."
            )
        try:
            msgspec.convert(state, _State)
        except msgspec.ValidationError:
            warn(f"{path} cannot be read, so the export starts over from the first page.")
            return None
        if state["pull"] == self._standing[0].get("pull"):  # sealed, and then the process died
            path.unlink()
            clear(self._folder, self._kept())
            return None
        return dict(state)

    def _write_state(self) -> None:
        state = _State(SCHEMA_VERSION, self._id, self.started, self._asked, self._starts)
        write_json(self._folder / STATE, msgspec.to_builtins(state))
        self._begun = True
        clear(self._folder, self._kept())

    def _kept(self) -> set[str]:
        return {part.file for parts in self._standing[1].values() for part in parts}

    def _found(self) -> list[_Piece]:
        """Find the pages on disk, each chain up to the first that is missing or damaged; remove the rest."""
        by_chain: dict[int, list[_Piece]] = {}
        for path in self._folder.iterdir():
            if is_part(path) and path.name.startswith(f"tasks-{self._id}-"):
                piece = _piece(path)
                if piece is not None and piece.note.chain < len(self._starts):
                    by_chain.setdefault(piece.note.chain, []).append(piece)
        pieces: list[_Piece] = []
        for found in by_chain.values():
            page = 0
            # Of pages that are in a joined file and in their own the joined one counts.
            for piece in sorted(found, key=lambda piece: (piece.note.first, -piece.note.last)):
                if piece.note.first == page + 1:
                    pieces.append(piece)
                    page = piece.note.last
        clear(self._folder, self._kept() | {piece.part.file for piece in pieces})
        return pieces

    def _write(self, note: Note, tasks: pl.DataFrame, **options: Any) -> _Piece:
        name = f"tasks-{self._id}-{note.chain:03d}-{note.first:06d}-{note.last:06d}"
        # Which family a job is in is known only at the end; reading takes it from the jobs.
        tasks = tasks.drop("job_family", strict=False)
        return _Piece(note, write_part(self._folder, name, tasks, msgspec.json.encode(note), **options))

    def _write_page(self, note: Note, tasks: pl.DataFrame) -> _Piece:
        piece = self._write(note, tasks, compression="uncompressed", statistics=False)  # it will soon be joined
        self._at_hand[piece.part.file] = tasks.drop("job_family")
        return piece

    def _take_written(self) -> None:
        """Count the page that was submitted last, once it is written."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._pieces.append(writing.result())
            self._join(self._pieces[-1].note.chain)

    def _read(self, piece: _Piece) -> pl.DataFrame:
        tasks = self._at_hand.pop(piece.part.file, None)
        return pl.read_parquet(self._folder / piece.part.file) if tasks is None else tasks

    def _join(self, chain: int) -> None:
        """Join the single pages of a chain to one file in the background, once there are enough."""
        self._take_joined(wait=False)
        single = self._single(chain)
        if self._joining is None and len(single) >= _PAGES_A_FILE:
            single = single[:_PAGES_A_FILE]
            self._joining = single, self._disk.submit(self._joined, single)

    def _join_rest(self) -> None:
        for chain in {piece.note.chain for piece in self._pieces}:
            if len(single := self._single(chain)) > 1:
                self._joining = single, self._disk.submit(self._joined, single)
                self._take_joined(wait=True)

    def _single(self, chain: int) -> list[_Piece]:
        return [piece for piece in self._pieces if piece.note.chain == chain and piece.note.pages == 1]

    def _joined(self, pieces: list[_Piece]) -> _Piece:
        note = reduce(Note.joined, (piece.note for piece in pieces))
        return self._write(note, pl.concat([self._read(piece) for piece in pieces]), compression="zstd")

    def _take_joined(self, *, wait: bool) -> None:
        """Replace the pages by their joined file, if it is written."""
        if self._joining is None or not (wait or self._joining[1].done()):
            return
        pieces, future = self._joining
        self._joining = None
        joined = {piece.part.file for piece in pieces}
        self._pieces = [piece for piece in self._pieces if piece.part.file not in joined] + [future.result()]
        for piece in pieces:
            with suppress(OSError):
                (self._folder / piece.part.file).unlink()


class _State(msgspec.Struct):
    """What `STATE` holds: which export is unfinished, and after which jobs its chains begin."""

    schema: int
    pull: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    started: str
    asked: dict[str, Any]
    chains: list[str | None]


def _piece(path: Path) -> _Piece | None:
    """Read a file of pages and prove that it is whole; None where it is not."""
    try:
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if digest[:16] != path.stem.rpartition("-")[2]:
            return None
        note = msgspec.json.decode(pl.read_parquet_metadata(io.BytesIO(raw))["tpanalytics"], type=Note)
    except (OSError, KeyError, msgspec.DecodeError, pl.exceptions.PolarsError):
        return None
    return _Piece(note, Part(path.name, note.n_tasks, digest))


def _differences(then: Any, now: Any, name: str = "") -> Iterator[str]:
    """Describe how two requests differ, name by name."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _differences(then.get(key), now.get(key), key)
    elif then != now and not (name == "service_version" and None in {then, now}):  # it could not be asked for once
        yield f"{name} was {json.dumps(then)} and is {json.dumps(now)} now"
