"""Page metadata, and a check that the pages form a complete export.

Page metadata (`Note`) is small enough to keep in memory, even if the tasks are not. It is stored together with the
tasks, either in memory or in the Parquet file's metadata.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from tpanalytics import schema
from tpanalytics.errors import PaginationError, warn
from tpanalytics.formatting import listed, plural
from tpanalytics.profiles.frames import frame_of
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tpanalytics.api.parallel import Chain, DecodedPage
    from tpanalytics.api.wire import Batch

__all__ = [
    "CompleteExport",
    "Note",
    "Tables",
    "check_complete",
    "describe_batch",
    "describe_page",
    "drop_jobs",
    "export_order",
    "restore_chains",
    "warn_of_rejects",
]


class Note(msgspec.Struct):
    """Metadata for pages `first` to `last` in a chain."""

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
        """The number of pages."""
        return self.last - self.first + 1

    @property
    def n_tasks(self) -> int:
        """The number of tasks."""
        return sum(n for _, n in self.jobs)

    def merge(self, later: Note) -> Note:
        """Return this metadata merged with the metadata for the following pages."""
        return Note(
            self.chain,
            self.first,
            later.last,
            later.following,
            later.met,
            self.jobs + later.jobs,
            self.rejects + later.rejects,
            _add_counts(self.unknown_fields, later.unknown_fields),
            _add_counts(self.unknown_levels, later.unknown_levels),
            self.repeated_tasks + later.repeated_tasks,
            self.dropped + later.dropped,
        )


class CompleteExport(NamedTuple):
    """A complete export's jobs (without duplicates), rejected records and counts, in the service's order."""

    jobs: pl.DataFrame
    rejects: pl.DataFrame
    counts: dict[str, Any]


def describe_batch(batch: Batch) -> tuple[Note, pl.DataFrame]:
    """Return metadata and tasks for a batch of decoded records."""
    tasks = frame_of(batch.tasks, schema.TASKS)
    jobs = list(zip(batch.jobs["job_id"], batch.jobs["n_tasks"], strict=True))
    note = Note(jobs=jobs, rejects=list(batch.rejects), unknown_fields=dict(batch.unknown_fields))
    return _count(note, batch.tasks), tasks


def describe_page(page: DecodedPage) -> tuple[Note, pl.DataFrame]:
    """Return metadata and tasks for a page."""
    note, tasks = describe_batch(page.batch)
    note.chain, note.first, note.last = page.chain, page.number, page.number
    note.following, note.met = page.following, page.met
    return note, tasks


def restore_chains(chains: Iterable[Chain], notes: Iterable[Note]) -> list[Chain]:
    """Return the chains, advanced past all pages loaded so far."""
    restored = list(chains)
    for note in sorted(notes, key=lambda note: note.last):
        job_ids = [job_id for job_id, _ in note.jobs]
        restored[note.chain] = restored[note.chain].advance(note.last, note.following, note.met, job_ids)
    return restored


def export_order(notes: Iterable[Note]) -> Iterator[int]:
    """Yield the positions of the notes in export order, from the first job to the last."""
    by_chain: dict[int, list[tuple[int, Note]]] = {}
    for position, note in enumerate(notes):
        by_chain.setdefault(note.chain, []).append((position, note))
    chain: int | None = 0
    visited: set[int] = set()
    while chain is not None:
        if chain in visited or chain not in by_chain:
            raise PaginationError(f"part {chain + 1} is missing or repeated")
        visited.add(chain)
        page, open_ended = 0, True
        for position, note in sorted(by_chain[chain], key=lambda entry: entry[1].first):
            if note.first != page + 1 or not open_ended:
                raise PaginationError(f"page {page + 1} of part {chain + 1} is missing or unexpected")
            page, open_ended = note.last, note.met is None and note.following is not None
            yield position
        if open_ended:
            raise PaginationError(f"part {chain + 1} is unfinished")
        chain = note.met


def check_complete(notes: list[Note], drop: Callable[[int, set[int]], Note]) -> CompleteExport:
    """Check that the pages form a complete export. Repeated jobs are dropped by calling `drop`."""
    export, repeats = _combine(notes)
    if repeats:
        for position, jobs in repeats.items():
            notes[position] = drop(position, jobs)
        export = _combine(notes)[0]
    return export


def _combine(notes: list[Note]) -> tuple[CompleteExport, dict[int, set[int]]]:
    """Return the export, and the positions of repeated jobs within each note."""
    counts: dict[str, Any] = {"jobs": 0, "tasks": 0, "pages": 0, "duplicates": 0, "rejects": 0, "repeated_tasks": 0}
    fields: dict[str, int] = {}
    levels: dict[str, int] = {}
    ids: dict[str, int] = {}
    rejects: list[dict[str, str | None]] = []
    chain_of: dict[str | None, int] = {}
    repeats: dict[int, set[int]] = {}
    for position in export_order(notes):
        note = notes[position]
        for i, (job_id, n) in enumerate(note.jobs):
            if job_id in ids:
                repeats.setdefault(position, set()).add(i)
            else:
                ids[job_id] = n
        counts["pages"] += note.pages
        fields, levels = _add_counts(fields, note.unknown_fields), _add_counts(levels, note.unknown_levels)
        counts["repeated_tasks"] += note.repeated_tasks
        counts["duplicates"] += note.dropped
        # A rejected record just before the second chain starts may be in both chains.
        rejects += [entry for entry in note.rejects if chain_of.setdefault(entry["raw"], note.chain) == note.chain]
    counts |= {"jobs": len(ids), "tasks": sum(ids.values()), "rejects": len(rejects)}
    counts |= {"unknown_levels": dict(sorted(levels.items())), "unknown_fields": dict(sorted(fields.items()))}
    jobs = frame_of({"job_id": list(ids), "n_tasks": list(ids.values())}, schema.JOBS)
    return CompleteExport(jobs, pl.DataFrame(rejects, schema=schema.REJECTS), counts), repeats


def drop_jobs(note: Note, tasks: pl.DataFrame, positions: set[int]) -> tuple[Note, pl.DataFrame]:
    """Drop the jobs at the given `positions`, along with their tasks."""
    mask = pl.Series([i not in positions for i, (_, n) in enumerate(note.jobs) for _ in range(n)], dtype=pl.Boolean)
    tasks = tasks.filter(mask)
    jobs = [job for i, job in enumerate(note.jobs) if i not in positions]
    columns = tasks.select("job_id", "task_id", "ai_impact_level").to_dict(as_series=False)
    note = msgspec.structs.replace(note, jobs=jobs, dropped=note.dropped + len(positions))
    return _count(note, columns), tasks


class Tables:
    """The pages of an export, stored in memory."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._tasks: list[pl.DataFrame] = []

    def add(self, note: Note, tasks: pl.DataFrame) -> None:
        """Add a page."""
        self.notes.append(note)
        self._tasks.append(tasks)

    def profiles(self, manifest: dict[str, Any]) -> TaskProfiles:
        """Concatenate all pages in the service's order, dropping repeated jobs."""

        def drop(position: int, jobs: set[int]) -> Note:
            note, self._tasks[position] = drop_jobs(self.notes[position], self._tasks[position], jobs)
            return note

        export = check_complete(self.notes, drop)
        frames = [schema.empty(schema.TASKS), *(self._tasks[position] for position in export_order(self.notes))]
        return TaskProfiles(
            jobs=export.jobs,
            tasks=pl.concat(frames, rechunk=True),
            manifest={**manifest, **export.counts},
            rejects=export.rejects,
        )


def warn_of_rejects(rejects: pl.DataFrame) -> None:
    """Show a warning if any records were skipped."""
    if rejects.height:
        first = rejects.row(0, named=True)
        warn(
            f"{plural(rejects.height, 'invalid record')} skipped, starting with {first['where']}, "
            f"job {first['job_id']!r}: {first['reason']}. See profiles.rejects."
        )


def warn_of_levels(levels: Mapping[str, int], name: str) -> None:
    """Show a warning if tasks have levels other than H1 to H5, given their numbers of tasks."""
    if not levels:
        return
    first = list(levels.items())[:_LISTED]
    texts = [f"{level[:30]!r} ({plural(n, 'task')})" for level, n in first]
    texts += [f"{len(levels) - _LISTED:,} more"] * (len(levels) > _LISTED)
    mapping = ", ".join(f"{level[:30]!r}: {_near_level(level)!r}" for level, _ in first)
    warn(
        f"{name}: `ai_impact_level` has values other than H1 to H5: {listed(texts)}. They are kept, but no weight or "
        f"share of H1 counts them; replace them, like pl.col('ai_impact_level').replace({{{mapping}}})."
    )


def _near_level(level: str) -> str:
    matches = [known for known in schema.LEVELS if known in level.upper()]
    return matches[0] if matches else "..."


def _count(note: Note, columns: Mapping[str, list[Any]]) -> Note:
    """Count unknown levels and repeated tasks, and store the counts in the note."""
    levels = Counter(columns["ai_impact_level"])
    note.unknown_levels = {level: n for level, n in levels.items() if level not in _KNOWN}
    ids = columns["job_id"], columns["task_id"]
    note.repeated_tasks = note.n_tasks - len(set(zip(*ids, strict=True)))
    return note


#: Maximum number of levels to list in a warning.
_LISTED = 5
_KNOWN = {None, *schema.LEVELS}


def _add_counts(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(left) + Counter(right)) if left or right else {}
