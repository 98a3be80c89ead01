"""Evidence block in a report: data, arguments, versions and code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.schema import NO_FAMILY, provenance
from tpanalytics.share.bundle import made_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section
    from tpanalytics.share.report.tables import ReportTable

__all__ = ["block", "choices", "code_of", "content_hash", "digest", "preamble", "versions"]

_SLICE_ROWS = 20_000


def content_hash(profiles: TaskProfiles) -> str:
    """Return a hash of both tables, ignoring row and column order."""
    checksum = hashlib.sha256()
    for frame in (profiles.jobs, profiles.tasks):
        names = sorted(frame.columns)
        lines = []
        for part in frame.select(names).iter_slices(_SLICE_ROWS):
            texts = [name for name, dtype in part.schema.items() if dtype in (pl.Categorical, pl.Enum)]
            rows = part.with_columns(pl.col(texts).cast(pl.String)).iter_rows()
            lines += [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
        checksum.update(json.dumps(names).encode())
        for line in sorted(lines):
            checksum.update(line.encode("utf-8", "surrogatepass"))
    return checksum.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of libraries that can affect figures and charts."""
    return made_with("polars", "altair", "vl-convert-python", "jinja2")


def choices(scope: ReportScope) -> dict[str, Any]:
    """Return the arguments passed to `save_report`."""
    return {
        "families": scope.family,
        "states": list(scope.states),
        "level_weights": dict(scope.level_weights),
        "contract_hours": scope.contract_hours,
        "privacy": scope.privacy and asdict(scope.privacy),
        "title": scope.title,
        "rationales": scope.rationales,
        "jobs": scope.jobs,
    }


def snapshot(profiles: TaskProfiles) -> dict[str, Any]:
    """Describe a snapshot used in the report."""
    manifest = profiles.manifest
    return {
        "computed_sha256": content_hash(profiles),
        "content_sha256": manifest.get("content_sha256"),
        "jobs": profiles.jobs.height,
        "tasks": profiles.tasks.height,
        "provenance": provenance(manifest),
        "request": manifest.get("request"),
        "finished": manifest.get("finished"),
    }


def block(scope: ReportScope, tables: Sequence[tuple[Section, ReportTable]], created: str) -> dict[str, Any]:
    """Return the machine-readable evidence, including every table at full precision."""
    evidence: dict[str, Any] = {
        "report": 1,
        "made": created,
        "snapshot": snapshot(scope.profiles),
        "before": None if scope.before is None else snapshot(scope.before),
        "choices": choices(scope),
        "versions": versions(),
        "tables": {
            section.key: {
                "measure": section.measure.name,
                "fields": list(table.fields),
                "rows": [list(row) for row in table.frame.select(table.fields).rows()],
            }
            for section, table in tables
        },
    }
    return {**evidence, "sha256": digest(evidence)}


def digest(evidence: Mapping[str, Any]) -> str:
    """Return an evidence block's hash, ignoring any stored hash."""
    content = {name: value for name, value in evidence.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def preamble(scope: ReportScope) -> str:
    """Return the Python code to run before any section's code."""
    lines = ["import polars as pl", "import tpanalytics as tpa", ""]
    lines.append('profiles = tpa.read_profiles("SNAPSHOT")')
    if scope.before is not None:
        lines.append('before = tpa.read_profiles("SNAPSHOT_BEFORE")')
    lines += [
        f"states = {scope.states!r}",
        f"level_weights = {dict(scope.level_weights)!r}",
        f"contract_hours = {scope.contract_hours!r}",
        f"limits = {asdict(scope.limits)!r}",
        "privacy = tpa.Privacy(**limits)",
    ]
    family = scope.family
    if family is None:
        return "\n".join(lines)
    in_family = f'pl.col("job_family").fill_null({NO_FAMILY!r}) == {family!r}'
    lines.append(f"part = profiles.filter({in_family})")
    if scope.before is not None:
        lines += [
            f'removed = before.jobs.join(profiles.jobs, on="job_id", how="anti").filter({in_family})',
            'ids = [*part.jobs["job_id"], *removed["job_id"]]',
            'part_before = before.filter(pl.col("job_id").is_in(ids))',
        ]
    return "\n".join(lines)


def code_of(section: Section, scope: ReportScope) -> str:
    """Return the Python code for a section's table and charts."""
    part, part_before = ("profiles", "before") if scope.family is None else ("part", "part_before")
    if section.code:
        result = re.sub(r"\bpart\b", part, section.code).replace("SUPPRESSED_FAMILIES", repr(sorted(scope.suppressed)))
    elif section.cut == "part":
        result = section.measure.text(profiles=part, before=part_before)
    else:
        result = section.measure.text()
        if section.cut == "family":
            result = f"tpa.suppress({result}, profiles, privacy=privacy)"
        if scope.family is not None:
            result += f".filter(job_family={scope.family!r})"
    lines = [f"{section.key.replace('-', '_')} = {result}"]
    return "\n".join([*lines, *(chart.text(profiles=part, before=part_before) for chart in section.charts)])
