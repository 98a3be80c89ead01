"""A page of the export as bytes in, checked columns out; pure.

Records are decoded by msgspec with a type for every field, because building a frame from dicts checks nothing: Polars
would cut 1.9 to 1 and turn ``"five"`` into null without a word. Unknown fields and unknown levels are tolerated,
a wrong type is not. Each record is decoded by itself: that is as quick as a page at once, and a record means the same
whatever stands beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import msgspec

from tpanalytics.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Batch",
    "Envelope",
    "NotAPage",
    "NotUnderstood",
    "ResponseFormat",
    "decode_page",
    "decode_record",
    "read_envelope",
]

ResponseFormat = Literal["list", "hierarchy"]
#: Ids are text; a service that sends numbers is understood (contract section 5).
Id = Annotated[str, msgspec.Meta(min_length=1)] | int
Hours = Annotated[float, msgspec.Meta(ge=0)]


class AiImpact(msgspec.Struct, gc=False):
    """AI impact of a task; either part may be missing."""

    level: str | None = None
    rationale: str | None = None


class SourceData(msgspec.Struct, gc=False):
    """A piece of profile data a task was derived from."""

    external_id: Id


class LinkedSkill(msgspec.Struct, gc=False):
    """A skill that a task calls for."""

    skill_id: Id
    skill: str | None = None


class Task(msgspec.Struct, gc=False):
    """A task of a job, with what was included."""

    task_id: Id
    task: str
    validation_state: str
    weekly_hours: Hours | None = None
    ai_impact: AiImpact | None = None
    source_data: list[SourceData] | None = None
    linked_skills: list[LinkedSkill] | None = None


class Record(msgspec.Struct, gc=False):
    """A job with its flat list of tasks."""

    external_id: Id
    tasks: list[Task]


class _KnownTask(Task, forbid_unknown_fields=True):
    """A task that has no field this version does not know."""


class _KnownRecord(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record without any such field, which is the usual case and so is tried first."""

    external_id: Id
    tasks: list[_KnownTask]


class Envelope(msgspec.Struct):
    """What a page says about the next one; its records are left as bytes."""

    has_next: bool
    records: list[msgspec.Raw]
    next_starting_after: str | int | None = None


class _RecordId(msgspec.Struct):
    external_id: Id


class _Outline(msgspec.Struct):
    tasks: msgspec.Raw = msgspec.Raw(b"")


class Batch(NamedTuple):
    """Columns of the jobs and tasks in one page, the records that were left out, and the fields nobody knows.

    A list column that no task of the page has is not there. Unknown fields are counted in list format only: in the
    hierarchy format any key may be the name of a group.
    """

    jobs: dict[str, list[Any]]
    tasks: dict[str, list[Any]]
    rejects: list[dict[str, str | None]]
    unknown_fields: Mapping[str, int] = MappingProxyType({})


class NotUnderstood(RecordError):  # noqa: N818  it never leaves the package
    """A record in the hierarchy format whose tasks could not be found; it is kept aside, and never ends an export."""


class NotAPage(ValueError):  # noqa: N818  it never leaves the package; the loop turns it into an ApiError
    """The body is no page; the text says why."""


_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_list_record = msgspec.json.Decoder(Record).decode
_decode_known_record = msgspec.json.Decoder(_KnownRecord).decode
_decode_outline = msgspec.json.Decoder(_Outline).decode
_decode_id = msgspec.json.Decoder(_RecordId).decode
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_envelope(body: bytes) -> Envelope:
    """Read whether there is a next page and its cursor, without decoding the records.

    Raises
    ------
    NotAPage
        If the body is not JSON, or not of the documented form; the text holds no record.
    """
    try:
        envelope = _decode_envelope(body)
    except msgspec.ValidationError as error:
        raise NotAPage(f"not of the documented form: {error}") from None
    except _BROKEN as error:
        raise NotAPage(f"not readable as JSON: {error}") from None
    if envelope.next_starting_after == "":
        envelope.next_starting_after = None
    if envelope.has_next and envelope.next_starting_after is None and envelope.records:
        try:
            envelope.next_starting_after = _decode_id(envelope.records[-1]).external_id
        except _BROKEN:
            envelope.next_starting_after = None
    if isinstance(envelope.next_starting_after, int):
        envelope.next_starting_after = str(envelope.next_starting_after)
    return envelope


def decode_page(
    envelope: Envelope,
    *,
    where: str,
    response_format: ResponseFormat | None = "list",
    on_bad_record: Literal["raise", "collect"] = "raise",
) -> Batch:
    """Decode the records of a page and check the type of every field.

    Parameters
    ----------
    envelope
        The page, as `read_envelope` read it.
    where
        The page in words, for messages.
    response_format
        The format that was asked for; None looks at each record.
    on_bad_record
        ``"raise"`` stops at the first record that is not as documented, ``"collect"`` leaves it out and says so. A
        record in which no task can be found is left out and said in either case (contract 3.4).

    Raises
    ------
    RecordError
        If a record is not as documented and `on_bad_record` is ``"raise"``.
    """
    decoded: list[_Decoded] = []
    unknown: Counter[str] = Counter()
    rejects: list[dict[str, str | None]] = []
    for number, raw in enumerate(envelope.records, start=1):
        try:
            place = f"{where}, record {number}"
            decoded.append(decode_record(raw, where=place, response_format=response_format, unknown=unknown))
        except RecordError as error:
            if on_bad_record == "raise" and not isinstance(error, NotUnderstood):
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


_Decoded = tuple["str | int", "list[Task]", "list[list[str]] | None"]


def decode_record(
    raw: bytes | msgspec.Raw,
    *,
    where: str,
    response_format: ResponseFormat | None,
    unknown: Counter[str] | None = None,
) -> _Decoded:
    """Decode one record: its id, its tasks, and each task's place in the hierarchy, if it has one.

    Raises
    ------
    RecordError
        If the record is not as documented; names the job and the path of what is wrong.
    """
    try:
        if response_format != "hierarchy":
            try:
                return _flat(raw, unknown)
            except _BROKEN:
                if response_format == "list" or _is_flat(raw):
                    raise
        return _decode_tree(msgspec.json.decode(raw))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        kind = NotUnderstood if isinstance(error, _OddTree) else RecordError
        raise _record_error(raw, where, path.rstrip("`") or "$", reason, kind) from None
    except _BROKEN as error:
        raise RecordError(where=where, job_id=None, path="$", reason=f"not readable as JSON: {error}") from None


def _flat(raw: bytes | msgspec.Raw, unknown: Counter[str] | None) -> _Decoded:
    """Decode a flat record, counting the fields that are not known."""
    try:
        known = _decode_known_record(raw)
        return known.external_id, cast("list[Task]", known.tasks), None
    except _BROKEN:
        record = _decode_list_record(raw)
    if unknown is not None:
        tree = msgspec.json.decode(raw)
        unknown.update(key for key in tree if key not in Record.__struct_fields__)
        unknown.update(f"tasks[].{key}" for task in tree["tasks"] for key in task if key not in Task.__struct_fields__)
    return record.external_id, record.tasks, None


def _is_flat(raw: bytes | msgspec.Raw) -> bool:
    """Say whether a record has the list of the flat form, right or wrong."""
    try:
        return bytes(_decode_outline(raw).tasks) != b""
    except _BROKEN:
        return False


def _decode_tree(tree: Any) -> _Decoded:
    """Find the tasks of a nested record without relying on the names of its groups (contract 3.4)."""
    job_id = msgspec.convert(tree, _RecordId).external_id
    tasks: list[Task] = []
    paths: list[list[str]] = []

    def walk(node: Any, above: list[str], place: str) -> bool:
        """Collect the leaves below `node`; say whether there was one."""
        if isinstance(node, list):
            leaves = [walk(item, above, f"{place}[{i}]") for i, item in enumerate(node)]
            return any(leaves)
        if not isinstance(node, dict):
            return False
        label = next((v for k, v in node.items() if isinstance(v, str) and not k.endswith("id")), None)
        below = above if label is None else [*above, label]
        inner = [walk(v, below, f"{place}.{k}") for k, v in node.items() if isinstance(v, (list, dict))]
        if any(inner):
            return True
        if not {"task_id", "task"} & node.keys():
            return False
        try:
            tasks.append(msgspec.convert(node, Task))
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            raise msgspec.ValidationError(f"{reason} - at `{place}{path.rstrip('`')}`") from None
        paths.append(above)
        return True

    # A text or number beside the tree is an unknown field, not a tree in a shape not known here.
    content = {k: v for k, v in tree.items() if v is None or isinstance(v, (list, dict))}
    content.pop("external_id", None)
    for key, value in content.items():
        walk(value, [], f"$.{key}")
    if not content:
        raise msgspec.ValidationError("Expected the job's tasks or a hierarchy, got neither - at `$`")
    trees = {key: value for key, value in content.items() if key in _TREES} or content
    if not tasks and any(_ends_in_an_object(value) for value in trees.values()):
        raise _OddTree(
            f"Expected a task below {' or '.join(map(repr, trees))}, got none in a shape known here - at `$`"
        )
    return job_id, tasks, paths


#: Keys under which a tree is looked for first; a record may have others beside it.
_TREES = ("hierarchy", "tree", "tasks")


class _OddTree(msgspec.ValidationError):
    """A tree has ends, and none of them is a task."""


def _ends_in_an_object(node: Any) -> bool:
    """Say whether a tree has an end that may be a task under other names; an empty branch has none."""
    if isinstance(node, list):
        return any(_ends_in_an_object(item) for item in node)
    if not isinstance(node, dict):
        return False
    inner = [value for value in node.values() if isinstance(value, (list, dict))]
    return any(_ends_in_an_object(value) for value in inner) if inner else bool(node)


#: Fields whose value may be quoted in a message even where it is text; any other text may be a task or a rationale.
_CODES = ("external_id", "task_id", "skill_id", "validation_state", "weekly_hours", "level")


def _record_error(raw: bytes | msgspec.Raw, where: str, path: str, reason: str, kind: type[RecordError]) -> RecordError:
    job_id, found = None, None
    with suppress(*_BROKEN):
        job_id = str(_decode_id(raw).external_id)
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path)
    with suppress(*_BROKEN, KeyError, IndexError, TypeError):  # what is quoted may itself not be readable
        value = msgspec.json.decode(raw)
        for key, index in steps:
            value = value[key] if key else value[int(index)]
        if isinstance(value, (int, float)) or (isinstance(value, str) and steps and steps[-1][0] in _CODES):
            found = msgspec.json.encode(value).decode()[:40]
    return kind(
        where=where,
        job_id=job_id,
        path=path,
        reason=reason.replace("`", "'"),
        found=found,
    )


def _columns(records: list[_Decoded], rejects: list[dict[str, str | None]]) -> Batch:
    job_ids = _texts([job_id for job_id, _, _ in records])
    counts = [len(tasks) for _, tasks, _ in records]
    flat = [task for _, tasks, _ in records for task in tasks]
    impacts = [task.ai_impact for task in flat]
    columns: dict[str, list[Any]] = {
        "job_id": [job_id for job_id, n in zip(job_ids, counts, strict=True) for job_id in [job_id] * n],
        "task_id": _texts([task.task_id for task in flat]),
        "task": [task.task for task in flat],
        "validation_state": [task.validation_state for task in flat],
        "weekly_hours": [task.weekly_hours for task in flat],
        "ai_impact_level": [None if impact is None else impact.level for impact in impacts],
        "ai_impact_rationale": [None if impact is None else impact.rationale for impact in impacts],
    }
    # Lists cost more to build than all the rest, and most exports ask for none of them.
    sources = [task.source_data for task in flat]
    if sources.count(None) < len(sources):
        columns["source_data"] = [
            None if entries is None else _texts([source.external_id for source in entries]) for entries in sources
        ]
    skills = [task.linked_skills for task in flat]
    if skills.count(None) < len(skills):
        columns["linked_skills"] = [
            None if entries is None else [{"skill_id": str(skill.skill_id), "skill": skill.skill} for skill in entries]
            for entries in skills
        ]
    if any(paths for _, _, paths in records):
        columns["hierarchy"] = [path for _, tasks, paths in records for path in paths or [[]] * len(tasks)]
    return Batch(jobs={"job_id": job_ids, "n_tasks": counts}, tasks=columns, rejects=rejects)


def _texts(ids: list[str | int]) -> list[str]:
    """Make text of ids that came as numbers."""
    return [str(value) for value in ids] if int in map(type, ids) else ids  # type: ignore[return-value]
