"""Reproducible exports of any size with texts of the sample catalogue.

All records are in one file, separated by commas, so that any page is a slice of it. A task has about 450 bytes, like in
a real export with the default fields.
"""

from __future__ import annotations

import gzip
import itertools
import json
import mmap
import os
import random
import shutil
import tempfile
import uuid
from array import array
from pathlib import Path
from typing import Any

import tpanalytics

__all__ = ["PAGE", "Export", "generated"]

PAGE = 100  # jobs
_VERSION = 1  # increase when the generated data change
_SEED = 20_260_501
_CHUNK = 1000  # jobs


class Export:
    """Generated export with numbers of jobs and tasks and its size in bytes."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        facts = json.loads((self.folder / "facts.json").read_text(encoding="utf-8"))
        self.jobs: int = facts["jobs"]
        self.tasks: int = facts["tasks"]
        self.size: int = facts["bytes"]
        self._starts = _read_array(self.folder / "starts")
        with (self.folder / "records").open("rb") as file:
            self._records = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def page(self, first: int, limit: int = PAGE) -> bytes:
        """Return the page that starts with job number `first`, starting at 0."""
        last = min(first + limit, self.jobs)
        head = b'{"has_next":false,"records":['
        if last < self.jobs:
            head = b'{"has_next":true,"next_starting_after":"%b","records":[' % job_id(last - 1).encode()
        return head + self._records[self._starts[first] : max(self._starts[first], self._starts[last] - 1)] + b"]}"

    def pages(self) -> list[bytes]:
        """Return all pages of `PAGE` jobs."""
        return [self.page(first) for first in range(0, self.jobs, PAGE)]

    def packed_pages(self) -> list[bytes]:
        """Return all pages compressed with gzip. The result is cached in the folder."""
        packed, starts = self.folder / "packed", self.folder / "packed-starts"
        if not starts.exists():
            bodies = [gzip.compress(page, compresslevel=6, mtime=0) for page in self.pages()]
            packed.write_bytes(b"".join(bodies))
            draft = starts.with_suffix(f".{os.getpid()}")
            draft.write_bytes(array("Q", itertools.accumulate(map(len, bodies), initial=0)).tobytes())
            draft.replace(starts)
        body, at = packed.read_bytes(), _read_array(starts)
        return [body[start:end] for start, end in itertools.pairwise(at)]


def job_id(number: int) -> str:
    """Return the ID of job `number`, starting at 0."""
    return f"job-{number:07d}"


def job_number(name: str) -> int:
    """Return the number of a job ID. Raises a `ValueError` if it is not valid."""
    return int(name.removeprefix("job-"))


def lists(jobs: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the entries of the lists of jobs and job families."""
    catalogue = _catalogue()
    families = [
        {
            "external_id": family["id"],
            "job_family_name": family["family"],
            "job_family_group": family["group"],
            "active": True,
            "last_updated": None,
        }
        for family in catalogue["families"]
    ]
    titles = [job["name"] for family in catalogue["families"] for job in family["jobs"]]
    entries = [
        {
            "external_id": job_id(number),
            "job_name": f"{titles[number % len(titles)]} {number}",
            "job_family_id": None if number % 37 == 0 else families[number % len(families)]["external_id"],
            "active": True,
            "last_updated": "2026-05-01",
        }
        for number in range(jobs)
    ]
    return entries, families


def generated(jobs: int, root: str | Path | None = None) -> Path:
    """Return the folder of an export with 20 tasks per job. The export is generated if it does not exist."""
    if jobs < 2 or jobs % 2:
        raise ValueError(f"`jobs` must be even, because tasks are distributed to pairs of jobs, not {jobs}.")
    folder = Path(root or Path(tempfile.gettempdir()) / "tpanalytics-bench") / f"jobs-{jobs}-v{_VERSION}"
    if (folder / "facts.json").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    try:
        _write(draft, jobs)
        draft.rename(folder)
    except OSError:
        if not (folder / "facts.json").exists():  # otherwise another process was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _write(folder: Path, jobs: int) -> None:
    draw = random.Random(_SEED)
    tasks = _tasks()
    rationales = [text for *_, text in tasks]
    sizes: list[int] = []
    for _ in range(jobs // 2):  # 40 tasks per pair of jobs; 2% of the pairs have a job without tasks
        size = 0 if draw.random() < 0.02 else draw.randrange(10, 21)
        sizes += (size, 40 - size)
    starts, at = array("Q", [0]), 0
    with (folder / "records").open("wb") as file:
        for first in range(0, jobs, _CHUNK):
            parts = []
            for number in range(first, min(first + _CHUNK, jobs)):
                records = [_task(draw, tasks, rationales, number) for _ in range(sizes[number])]
                part = f'{{"external_id":"{job_id(number)}","tasks":[{",".join(records)}]}},'.encode()
                parts.append(part)
                at += len(part)
                starts.append(at)
            file.write(b"".join(parts))
    (folder / "starts").write_bytes(starts.tobytes())
    facts = {"jobs": jobs, "tasks": sum(sizes), "bytes": at}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def _task(draw: random.Random, tasks: list[tuple[str, str, str, str]], rationales: list[str], number: int) -> str:
    """Return a task as JSON. A fifth of the tasks are unique to the job."""
    chance = draw.random
    slug, text, level, rationale = tasks[int(chance() * len(tasks))]
    if chance() < 0.2:
        slug = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        text = f"{text} (job {number})"
    record = (
        f'{{"task_id":"{slug}","task":"{text}","validation_state":"{"validated" if chance() < 0.6 else "suggested"}"'
    )
    if chance() < 0.8:
        record += f',"weekly_hours":{int(1 + chance() * 24) / 4}'
    elif chance() < 0.5:
        record += ',"weekly_hours":null'
    if chance() < 0.94:
        for _ in range(1 if chance() < 0.5 else 2):
            rationale = f"{rationale} {rationales[int(chance() * len(rationales))]}"
        record += f',"ai_impact":{{"level":"{level}","rationale":"{rationale}"}}'
    return record + "}"


def _tasks() -> list[tuple[str, str, str, str]]:
    """Return slug, text, level and rationale of each task in the catalogue, escaped for JSON."""
    catalogue = _catalogue()
    clusters = [cluster for family in catalogue["families"] for cluster in family["clusters"]] + catalogue["common"]
    result = []
    for number, task in enumerate(task for cluster in clusters for task in cluster["tasks"]):
        words = "-".join(task["canonical"].lower().split())
        # Include some non-ASCII characters, which slow down decoders.
        rationale = task["rationale"].replace(", ", " \u2013 ", 1) if number % 20 == 0 else task["rationale"]
        texts = (f"{words}-{number:04d}", task["task"], task["level"], rationale)
        result.append(tuple(json.dumps(text, ensure_ascii=False)[1:-1] for text in texts))
    return result  # type: ignore[return-value]


def _catalogue() -> dict[str, Any]:
    path = Path(tpanalytics.__file__).parent / "demo" / "catalogue.json"
    catalogue: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return catalogue


def _read_array(path: Path) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(path.read_bytes())
    return numbers
