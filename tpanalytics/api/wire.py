"""Decode export pages into columns.

The cursor is read first, so that the next page can be requested while the records are being decoded. Most pages have no
errors or unknown fields, and are decoded in a single call. Other pages are decoded record by record, so that errors can
identify the record. Valid records are decoded the same way in both cases.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import chain, repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from tpanalytics.api.records import (
    DECODE_ERRORS,
    Decoded,
    KnownRecord,
    Record,
    SourceData,
    TasksNotFound,
    decode_record,
    job_id_of,
)
from tpanalytics.errors import RecordError
from tpanalytics.typing import ResponseFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Batch", "Envelope", "InvalidPage", "ResponseFormat", "decode_page", "read_cursor", "read_envelope"]


class Envelope(msgspec.Struct, kw_only=True):
    """A page with all records decoded, or all left as bytes."""

    has_next: bool
    records: list[Any]
    next_starting_after: str | int | None = None


class _Outline(msgspec.Struct):
    has_next: bool
    records: msgspec.Raw
    next_starting_after: str | int | None = None


class _KnownPage(Envelope):
    records: list[KnownRecord]


class _RawPage(Envelope):
    records: list[msgspec.Raw]


class Batch(NamedTuple):
    """A page's jobs and tasks as columns, along with rejected records and unknown fields.

    List columns are omitted if they are empty for every task in the page. Unknown fields are only counted in list
    format, since any key in the hierarchy format could be a group name.
    """

    jobs: dict[str, list[Any]]
    tasks: dict[str, list[Any]]
    rejects: list[dict[str, str | None]]
    unknown_fields: Mapping[str, int] = MappingProxyType({})

    def first_jobs(self, n: int) -> Batch:
        """Return a batch with only the first `n` jobs and their tasks."""
        n_tasks = sum(self.jobs["n_tasks"][:n])
        jobs = {name: column[:n] for name, column in self.jobs.items()}
        return self._replace(jobs=jobs, tasks={name: column[:n_tasks] for name, column in self.tasks.items()})


class InvalidPage(ValueError):  # noqa: N818  internal
    """The response body is not a valid page. The caller converts this to an `ApiError`."""


_decode_outline = msgspec.json.Decoder(_Outline).decode
_decode_known_page = msgspec.json.Decoder(_KnownPage).decode
_decode_raw_page = msgspec.json.Decoder(_RawPage).decode


def read_cursor(body: bytes) -> tuple[bool, str | None]:
    """Return whether there is a next page, and the next cursor, without decoding the records."""
    # If the page has no cursor, use the last record's id.
    outline: _Outline = _decode(_decode_outline, body)
    cursor = outline.next_starting_after
    if memoryview(outline.records)[0] != ord("["):
        raise InvalidPage("not in the documented format: Expected a list - at `$.records`")
    if cursor in {None, ""}:
        records = _decode(_decode_raw_page, body).records if outline.has_next else []
        cursor = job_id_of(records[-1]) if records else None
    return outline.has_next, None if cursor is None else str(cursor)


def read_envelope(body: bytes) -> Envelope:
    """Decode a page. If any record is invalid or has unknown fields, all records are left as bytes."""
    try:
        return _decode_known_page(body)
    except DECODE_ERRORS:
        page: Envelope = _decode(_decode_raw_page, body)
        return page


def _decode(decoder: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        raise InvalidPage(f"not in the documented format: {error}") from None
    except DECODE_ERRORS as error:
        raise InvalidPage(f"not valid JSON: {error}") from None


def decode_page(
    envelope: Envelope,
    *,
    where: str,
    response_format: ResponseFormat | None = "list",
    on_bad_record: Literal["raise", "collect"] = "raise",
) -> Batch:
    """Convert a page's records to columns."""
    decoded: list[Decoded] = []
    unknown: Counter[str] = Counter()
    rejects: list[dict[str, str | None]] = []
    for number, raw in enumerate(envelope.records, start=1):
        if isinstance(raw, Record):
            decoded.append((raw.external_id, raw.tasks, None))
            continue
        try:
            location = f"{where}, record {number}"
            decoded.append(decode_record(raw, where=location, response_format=response_format, unknown=unknown))
        except RecordError as error:
            if on_bad_record == "raise" and not isinstance(error, TasksNotFound):
                raise
            rejects.append(
                {
                    "where": error.where,
                    "job_id": error.job_id,
                    "path": error.path,
                    "reason": error.reason if error.found is None else f"{error.reason}; found {error.found}",
                    "raw": bytes(raw).decode("utf-8", "replace"),
                }
            )
    return _columns(decoded, rejects)._replace(unknown_fields=unknown)


def _columns(records: list[Decoded], rejects: list[dict[str, str | None]]) -> Batch:
    job_ids = _to_text([job_id for job_id, _, _ in records])
    counts = [len(tasks) for _, tasks, _ in records]
    flat = list(chain.from_iterable([tasks for _, tasks, _ in records]))
    impacts = [task.ai_impact for task in flat]
    columns: dict[str, list[Any]] = {
        "job_id": list(chain.from_iterable(map(repeat, job_ids, counts))),
        "task_id": _to_text([task.task_id for task in flat]),
        "task": [task.task for task in flat],
        "validation_state": [task.validation_state for task in flat],
        "weekly_hours": [task.weekly_hours for task in flat],
        "ai_impact_level": [None if impact is None else impact.level for impact in impacts],
        "ai_impact_rationale": [None if impact is None else impact.rationale for impact in impacts],
    }
    # List columns are slow to build and most exports don't include them, so skip them if there's no data.
    sources: list[Sequence[SourceData] | None] = [task.source_data for task in flat]
    if sources.count(None) == len(sources):  # employees have source events instead
        sources = [task.source_events for task in flat]
    if sources.count(None) < len(sources):
        columns["source_data"] = [
            None if entries is None else _to_text([source.external_id for source in entries]) for entries in sources
        ]
    skills = [task.linked_skills for task in flat]
    if skills.count(None) < len(skills):
        for skill in chain.from_iterable(filter(None, skills)):
            if isinstance(skill.skill_id, int):
                skill.skill_id = str(skill.skill_id)
        columns["linked_skills"] = skills
    if any(paths for _, _, paths in records):
        columns["hierarchy"] = [path for _, tasks, paths in records for path in paths or [[]] * len(tasks)]
    return Batch(jobs={"job_id": job_ids, "n_tasks": counts}, tasks=columns, rejects=rejects)


def _to_text(ids: list[str | int]) -> list[str]:
    """Convert numeric ids to strings."""
    with suppress(TypeError):
        "".join(ids)  # type: ignore[arg-type]  # raises TypeError for numbers; faster than checking each type
        return ids  # type: ignore[return-value]
    return [str(value) for value in ids]
