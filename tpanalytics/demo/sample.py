"""Sample data."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import polars as pl

from tpanalytics._atomic import atomic_write
from tpanalytics.api.records import decode_record
from tpanalytics.demo.company import invent
from tpanalytics.demo.handlers import Catalogue, Rules, answer
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.profiles.families import assign_families, read_mapping
from tpanalytics.profiles.records import profiles_of, raw_records
from tpanalytics.typing import SampleState

if TYPE_CHECKING:
    from tpanalytics.demo.company import Company
    from tpanalytics.schema import TaskProfiles

__all__ = ["Catalogue", "Reply", "Rules", "Tenant", "catalogue_of", "invent", "load_sample", "write_sample"]


def load_sample(state: SampleState = "2026-05") -> TaskProfiles:
    """Load the task profiles of a fictional company.

    The data has gaps like a real export: jobs without tasks or a family, tasks without hours or a level, and rejected
    tasks. It is the same on every machine and needs no network access.

    Parameters
    ----------
    state
        ``"2026-05"``, or ``"2026-11"`` for the same company six months later.

    Returns
    -------
    TaskProfiles
        About 240 jobs in 16 families and 5,800 tasks. Jobs have a headcount (people), full-time equivalents and weekly
        contract hours.

    Raises
    ------
    ArgumentError
        If `state` is not one of the two values.

    Examples
    --------
    >>> load_sample()
    TaskProfiles: 240 jobs and 5,825 tasks; sample data for a fictional company, as of 2026-05.
    """
    company = invent(state)
    records = [msgspec.Raw(line) for line in _lines(company)]
    sample = profiles_of(records, "the sample", {"kind": "sample", "state": state})
    return assign_families(sample, pl.DataFrame(company.jobs), pl.DataFrame(company.families))


def write_sample(folder: str | Path) -> None:
    """Write the records of both states and the mapping tables to `folder`."""
    folder = Path(folder)
    for state in get_args(SampleState):
        company = invent(state)
        with atomic_write(folder / f"sample-{state}.jsonl.gz") as draft:
            draft.write_bytes(gzip.compress(b"".join(line + b"\n" for line in _lines(company)), mtime=0))
    company = invent()
    for name, rows in (("jobs.csv", company.jobs), ("job_families.csv", company.families)):
        with atomic_write(folder / name) as draft:
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            draft.write_text(text.getvalue(), encoding="utf-8")


def catalogue_of(records: str | Path, jobs: str | Path | None = None, families: str | Path | None = None) -> Catalogue:
    """Read records and mapping files for the demo server."""
    tables = [[] if path is None else read_mapping(path, "mapping").frame.to_dicts() for path in (jobs, families)]
    decoded: list[dict[str, Any]] = []
    for number, raw in enumerate(raw_records(Path(records)), start=1):
        # Raise a RecordError if the record is invalid.
        decode_record(raw, where=f"{Path(records).name}, record {number}", response_format="list")
        decoded.append(json.loads(bytes(raw)))
    return Catalogue(decoded, tables[0], tables[1])


def _lines(company: Company) -> list[bytes]:
    """Return the records as JSON lines, exported with all ``include`` values."""
    catalogue = Catalogue(company.records, company.jobs, company.families)
    include = ["ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours"]
    lines: list[bytes] = []
    body: dict[str, Any] = {"limit": 100, "include": include}
    while True:
        page = answer(catalogue, Rules(), "POST", "/job_architecture/export/jobs/task_profiles", {}, body).body
        lines += [json.dumps(record, ensure_ascii=False).encode() for record in page["records"]]
        if not page["has_next"]:
            return lines
        body["starting_after"] = page["next_starting_after"]
