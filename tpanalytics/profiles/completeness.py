"""What is kept of each page in addition to its tasks, and the proof that the pages together are the whole export.

A note is small, so that notes of a hundred thousand jobs fit where their tasks would not; it travels with the tasks, in
memory or in the metadata of their file.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from tpanalytics import schema
from tpanalytics.errors import PaginationError, warn
from tpanalytics.profiles.frames import frame_of
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tpanalytics.api.parallel import Chain, DecodedPage
    from tpanalytics.api.wire import Batch

__all__ = [
    "Note",
    "Tables",
    "Whole",
    "drop_jobs",
    "in_order",
    "prove_complete",
    "record_batch",
    "record_page",
    "restore",
    "warn_of_rejects",
]


class Note(msgspec.Struct):
    """Pages `first` to `last` of a chain: their jobs, what was left out, and where the chain continues."""

    chain: int = 0
    first: int = 1
    last: int = 1
    following: str | None = None
    met: int | None = None
    jobs: list[tuple[str, int]] = []
    rejects: list[dict[str, str | None]] = []
    unknown_fields: dict[str, int] = {}
    unknown_levels: dict[str, int] = {}
    repeated_tasks: int = 0
    dropped: int = 0

    @property
    def pages(self) -> int:
        """How many pages these are."""
        return self.last - self.first + 1

    @property
    def n_tasks(self) -> int:
        """How many tasks the pages hold."""
        return sum(n for _, n in self.jobs)

    def joined(self, later: Note) -> Note:
        """Return the note of these pages and of those that follow them."""
        return Note(
            self.chain,
            self.first,
            later.last,
            later.following,
            later.met,
            self.jobs + later.jobs,
            self.rejects + later.rejects,
            _added(self.unknown_fields, later.unknown_fields),
            _added(self.unknown_levels, later.unknown_levels),
            self.repeated_tasks + later.repeated_tasks,
            self.dropped + later.dropped,
        )


class Whole(NamedTuple):
    """An export proven complete: its notes in the service's order, jobs counted once."""

    jobs: pl.DataFrame
    rejects: pl.DataFrame
    counts: dict[str, Any]


def record_batch(batch: Batch) -> tuple[Note, pl.DataFrame]:
    """Return the note of decoded records and the frame of their tasks."""
    tasks = frame_of(batch.tasks, schema.TASKS)
    jobs = list(zip(batch.jobs["job_id"], batch.jobs["n_tasks"], strict=True))
    note = Note(jobs=jobs, rejects=list(batch.rejects), unknown_fields=dict(batch.unknown_fields))
    return _counted(note, batch.tasks), tasks


def record_page(page: DecodedPage) -> tuple[Note, pl.DataFrame]:
    """Return the note of a page and the frame of its tasks."""
    note, tasks = record_batch(page.batch)
    note.chain, note.first, note.last = page.chain, page.number, page.number
    note.following, note.met = page.following, page.met
    return note, tasks


def restore(chains: Iterable[Chain], notes: Iterable[Note]) -> list[Chain]:
    """Return the chains as their notes left them."""
    restored = list(chains)
    for note in sorted(notes, key=lambda note: note.last):
        job_ids = [job_id for job_id, _ in note.jobs]
        restored[note.chain] = restored[note.chain].advance(note.last, note.following, note.met, job_ids)
    return restored


def in_order(notes: Iterable[Note]) -> Iterator[int]:
    """Follow the chains from the first job to the last, and yield the places of their notes."""
    by_chain: dict[int, list[tuple[int, Note]]] = {}
    for place, note in enumerate(notes):
        by_chain.setdefault(note.chain, []).append((place, note))
    chain: int | None = 0
    passed: set[int] = set()
    while chain is not None:
        if chain in passed or chain not in by_chain:
            raise PaginationError(f"chain {chain} is missing or leads in a circle")
        passed.add(chain)
        page, open_ended = 0, True
        for place, note in sorted(by_chain[chain], key=lambda entry: entry[1].first):
            if note.first != page + 1 or not open_ended:
                raise PaginationError(f"page {page + 1} of chain {chain} is missing, or one too many")
            page, open_ended = note.last, note.met is None and note.following is not None
            yield place
        if open_ended:
            raise PaginationError(f"chain {chain} has not come to its end")
        chain = note.met


def prove_complete(notes: list[Note], drop: Callable[[int, set[int]], Note]) -> Whole:
    """Prove that the pages of `notes` lead from the first job to the last, and count each job once."""
    whole, repeats = _whole_and_repeats(notes)
    if repeats:
        for place, jobs in repeats.items():
            notes[place] = drop(place, jobs)
        whole = _whole_and_repeats(notes)[0]
    return whole


def _whole_and_repeats(notes: list[Note]) -> tuple[Whole, dict[int, set[int]]]:
    counts: dict[str, Any] = {"jobs": 0, "tasks": 0, "pages": 0, "duplicates": 0, "rejects": 0, "repeated_tasks": 0}
    fields: dict[str, int] = {}
    levels: dict[str, int] = {}
    ids: dict[str, int] = {}
    rejects: list[dict[str, str | None]] = []
    chain_of: dict[str | None, int] = {}
    repeats: dict[int, set[int]] = {}
    for place in in_order(notes):
        note = notes[place]
        for i, (job_id, n) in enumerate(note.jobs):
            if job_id in ids:
                repeats.setdefault(place, set()).add(i)
            else:
                ids[job_id] = n
        counts["pages"] += note.pages
        fields, levels = _added(fields, note.unknown_fields), _added(levels, note.unknown_levels)
        counts["repeated_tasks"] += note.repeated_tasks
        counts["duplicates"] += note.dropped
        # Where chains meet, both saw the records before the head of the second.
        rejects += [entry for entry in note.rejects if chain_of.setdefault(entry["raw"], note.chain) == note.chain]
    counts |= {"jobs": len(ids), "tasks": sum(ids.values()), "rejects": len(rejects)}
    counts |= {"unknown_levels": dict(sorted(levels.items())), "unknown_fields": dict(sorted(fields.items()))}
    jobs = frame_of({"job_id": list(ids), "n_tasks": list(ids.values())}, schema.JOBS)
    return Whole(jobs, pl.DataFrame(rejects, schema=schema.REJECTS), counts), repeats


def drop_jobs(note: Note, tasks: pl.DataFrame, places: set[int]) -> tuple[Note, pl.DataFrame]:
    """Leave out jobs at `places`, which came before, with their tasks, and count them."""
    kept = pl.Series([i not in places for i, (_, n) in enumerate(note.jobs) for _ in range(n)], dtype=pl.Boolean)
    tasks = tasks.filter(kept)
    jobs = [job for i, job in enumerate(note.jobs) if i not in places]
    counted = tasks.select("job_id", "task_id", "ai_impact_level").to_dict(as_series=False)
    note = msgspec.structs.replace(note, jobs=jobs, dropped=note.dropped + len(places))
    return _counted(note, counted), tasks


class Tables:
    """Pages in memory: their notes and their tasks."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._tasks: list[pl.DataFrame] = []

    def keep(self, note: Note, tasks: pl.DataFrame) -> None:
        """Keep a page."""
        self.notes.append(note)
        self._tasks.append(tasks)

    def profiles(self, manifest: dict[str, Any]) -> TaskProfiles:
        """Join the pages in the service's order, each job once, and describe them."""

        def drop(place: int, jobs: set[int]) -> Note:
            note, self._tasks[place] = drop_jobs(self.notes[place], self._tasks[place], jobs)
            return note

        whole = prove_complete(self.notes, drop)
        frames = [schema.empty(schema.TASKS), *(self._tasks[place] for place in in_order(self.notes))]
        return TaskProfiles(
            jobs=whole.jobs,
            tasks=pl.concat(frames, rechunk=True),
            manifest={**manifest, **whole.counts},
            rejects=whole.rejects,
        )


def warn_of_rejects(rejects: pl.DataFrame) -> None:
    """Warn that records were left out."""
    if rejects.height:
        first = rejects.row(0, named=True)
        warn(
            f"{rejects.height} record(s) were left out, the first is {first['where']}, job {first['job_id']}: "
            f"{first['reason']}. See profiles.rejects."
        )


def _counted(note: Note, columns: Mapping[str, list[Any]]) -> Note:
    """Count what the manifest reports of tasks; all tasks of a job are in one page."""
    levels = Counter(columns["ai_impact_level"])
    note.unknown_levels = {level: n for level, n in levels.items() if level not in _KNOWN}
    ids = columns["job_id"], columns["task_id"]
    note.repeated_tasks = note.n_tasks - len(set(zip(*ids, strict=True)))
    return note


_KNOWN = {None, *schema.LEVELS}


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other)) if one or other else {}
