"""Evidence block in a report: data, arguments, versions and code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.groups import SEPARATOR
from tpanalytics.schema import provenance
from tpanalytics.share.bundle import made_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section
    from tpanalytics.share.report.tables import ReportTable

__all__ = [
    "FORMAT",
    "block",
    "choices",
    "code_of",
    "content_hash",
    "digest",
    "preamble",
    "rows_of_group",
    "versions",
]

#: Version of the evidence block. Version 1 had no groups other than job families.
FORMAT = 2
_SLICE_ROWS = 20_000


def content_hash(profiles: TaskProfiles) -> str:
    """Return a hash of the tables, ignoring row and column order."""
    checksum = hashlib.sha256()
    for frame in (profiles.jobs, profiles.tasks, *([] if profiles.people is None else [profiles.people])):
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
        "by": scope.by if isinstance(scope.by, str) else scope.by and list(scope.by),
        "groups": scope.group,
        "weight": scope.asked_weight,
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
        "report": FORMAT,
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
        f"by = {choices(scope)['by']!r}",
        f"weight = {scope.weight!r}",
        f"states = {scope.states!r}",
        f"level_weights = {dict(scope.level_weights)!r}",
        f"contract_hours = {scope.contract_hours!r}",
        f"limits = {asdict(scope.limits)!r}",
        "privacy = tpa.Privacy(**limits)",
    ]
    if scope.group is None:
        return "\n".join(lines)
    in_group = f"{scope.grouping.label} == {scope.group!r}"
    lines.append(f"part = profiles.filter({in_group})")
    if scope.before is not None:
        lines += [
            f'removed = before.jobs.join(profiles.jobs, on="job_id", how="anti").filter({in_group})',
            'ids = [*part.jobs["job_id"], *removed["job_id"]]',
            'part_before = before.filter(pl.col("job_id").is_in(ids))',
        ]
    return "\n".join(lines)


def rows_of_group(scope: ReportScope) -> str:
    """Return Python code that matches the rows of the report's group in a result."""
    by = scope.grouping.by
    label = f"pl.col({by[0]!r})" if len(by) == 1 else f"pl.concat_str({list(by)!r}, separator={SEPARATOR!r})"
    return f"{label} == {scope.group!r}"


def code_of(section: Section, scope: ReportScope) -> str:
    """Return the Python code for a section's table and charts."""
    part, part_before = ("profiles", "before") if scope.group is None else ("part", "part_before")
    if section.code:
        code = section.code if isinstance(section.code, str) else section.code(scope)
        result = re.sub(r"\bpart\b", part, code).replace("SUPPRESSED_GROUPS", repr(sorted(scope.suppressed)))
        result = result.replace("group=GROUP", f"group={scope.grouping.label}")
    elif section.cut == "part":
        result = section.measure.text(profiles=part, before=part_before)
    else:
        result = section.measure.text()
        if section.cut == "group":
            result = f"tpa.suppress({result}, profiles, privacy=privacy)"
        if scope.group is not None:
            result += f".filter({rows_of_group(scope)})"
    lines = [f"{section.key.replace('-', '_')} = {result}"]
    names = {} if section.drawn == "company" else {"profiles": part, "before": part_before}
    return "\n".join([*lines, *(chart.text(**names) for chart in section.charts)])
