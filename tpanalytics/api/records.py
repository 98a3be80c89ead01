"""One record of the export, a job with its tasks, as bytes in, checked values out; pure.

Records are decoded by msgspec with a type for every field, because building a frame from dicts checks nothing: Polars
would cut 1.9 to 1 and turn ``"five"`` into null without a word. Unknown fields and unknown levels are tolerated,
a wrong type is not.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from tpanalytics.errors import RecordError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from tpanalytics.typing import ResponseFormat

__all__ = [
    "BROKEN",
    "Decoded",
    "KnownRecord",
    "NotUnderstood",
    "Record",
    "decode_record",
    "job_id_of",
]

#: What the decoder raises for bytes that are not what they should be.
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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


class SourceEvent(SourceData, gc=False):
    """A piece of an employee's history that a task was derived from."""

    event_type: str | None = None


class Task(msgspec.Struct, gc=False):
    """A task of a job or an employee, with what was included."""

    task_id: Id
    task: str
    validation_state: str
    weekly_hours: Hours | None = None
    ai_impact: AiImpact | None = None
    source_data: list[SourceData] | None = None
    source_events: list[SourceEvent] | None = None
    linked_skills: list[LinkedSkill] | None = None


class Record(msgspec.Struct, gc=False):
    """A job with its flat list of tasks."""

    external_id: Id
    tasks: list[Task]


# The same without any field this version does not know, at any depth. A record of these means the same in either
# format: there is nothing in it that could be a group.
class _KnownAiImpact(AiImpact, forbid_unknown_fields=True): ...


class _KnownSourceData(SourceData, forbid_unknown_fields=True): ...


class _KnownSourceEvent(SourceEvent, forbid_unknown_fields=True): ...


class _KnownLinkedSkill(LinkedSkill, forbid_unknown_fields=True): ...


class _KnownTask(Task, forbid_unknown_fields=True):
    ai_impact: _KnownAiImpact | None = None
    source_data: list[_KnownSourceData] | None = None  # type: ignore[assignment]  # the lists are only read
    source_events: list[_KnownSourceEvent] | None = None  # type: ignore[assignment]
    linked_skills: list[_KnownLinkedSkill] | None = None  # type: ignore[assignment]


class KnownRecord(Record, forbid_unknown_fields=True):
    """A record without any unknown field, which is the usual case and so is tried first."""

    tasks: list[_KnownTask]  # type: ignore[assignment]


class _RecordId(msgspec.Struct):
    external_id: Id


class _Outline(msgspec.Struct):
    tasks: msgspec.Raw = msgspec.Raw(b"")


class NotUnderstood(RecordError):  # noqa: N818  it never leaves the package
    """A record in the hierarchy format whose tasks could not be found; it is kept aside, and never ends an export."""


_decode_list_record = msgspec.json.Decoder(Record).decode
_decode_known_record = msgspec.json.Decoder(KnownRecord).decode
# For the names of fields alone: what an unknown field holds need not be anything Python can hold, such as 1e999.
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_tasks_fields = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_RECORD_FIELDS, _TASK_FIELDS = set(Record.__struct_fields__), set(Task.__struct_fields__)
_decode_outline = msgspec.json.Decoder(_Outline).decode
_decode_id = msgspec.json.Decoder(_RecordId).decode
Decoded = tuple["str | int", "Sequence[Task]", "list[list[str]] | None"]


def decode_record(
    raw: bytes | msgspec.Raw,
    *,
    where: str,
    response_format: ResponseFormat | None,
    unknown: Counter[str] | None = None,
) -> Decoded:
    """Decode one record: its id, its tasks, and each task's place in the hierarchy, if it has one."""
    try:
        if response_format != "hierarchy":
            try:
                return _flat(raw, unknown)
            except BROKEN:
                if response_format == "list" or _is_flat(raw):
                    raise
        return _decode_tree(msgspec.json.decode(raw))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        kind = NotUnderstood if isinstance(error, _OddTree) else RecordError
        raise _record_error(raw, where, path.rstrip("`") or "$", reason, kind) from None
    except BROKEN as error:
        raise RecordError(where=where, job_id=None, path="$", reason=f"not readable as JSON: {error}") from None


def job_id_of(raw: bytes | msgspec.Raw) -> str | None:
    """Read the id of a record that may be wrong in all else; None where it has none."""
    try:
        return str(_decode_id(raw).external_id)
    except BROKEN:
        return None


def _flat(raw: bytes | msgspec.Raw, unknown: Counter[str] | None) -> Decoded:
    """Decode a flat record, counting unknown fields."""
    try:
        known = _decode_known_record(raw)
    except BROKEN:
        record = _decode_list_record(raw)
    else:
        return known.external_id, known.tasks, None
    if unknown is not None:
        fields = _decode_fields(raw)
        unknown.update(fields.keys() - _RECORD_FIELDS)
        for task in _decode_tasks_fields(fields["tasks"]):
            unknown.update(f"tasks[].{key}" for key in task.keys() - _TASK_FIELDS)
    return record.external_id, record.tasks, None


def _is_flat(raw: bytes | msgspec.Raw) -> bool:
    """Return whether a record has the list of the flat form, right or wrong."""
    try:
        return bytes(_decode_outline(raw).tasks) != b""
    except BROKEN:
        return False


def _decode_tree(tree: Any) -> Decoded:
    """Find the tasks of a nested record without relying on the names of its groups."""
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

    # A text or number next to the tree is an unknown field, not a tree in a shape not known here.
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


#: Keys under which a tree is looked for first; a record may have others as well.
_TREES = ("hierarchy", "tree", "tasks")


class _OddTree(msgspec.ValidationError):
    """A tree has ends, and none of them is a task."""


def _ends_in_an_object(node: Any) -> bool:
    """Return whether a tree has an end that may be a task under other names."""
    if isinstance(node, list):
        return any(_ends_in_an_object(item) for item in node)
    if not isinstance(node, dict):
        return False
    inner = [value for value in node.values() if isinstance(value, (list, dict))]
    return any(_ends_in_an_object(value) for value in inner) if inner else bool(node)


#: Fields whose value may be quoted in a message even where it is text; any other text may be a task or a rationale.
_CODES = ("external_id", "task_id", "skill_id", "validation_state", "weekly_hours", "level")


def _record_error(raw: bytes | msgspec.Raw, where: str, path: str, reason: str, kind: type[RecordError]) -> RecordError:
    job_id, found = job_id_of(raw), None
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path)
    with suppress(*BROKEN, KeyError, IndexError, TypeError):  # what is quoted may itself not be readable
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
