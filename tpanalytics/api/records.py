"""Decode and validate single records (a job and its tasks).

Fields are decoded strictly. Otherwise, Polars would silently truncate 1.9 to 1 and turn ``"five"`` into null. Unknown
fields and levels are accepted, but values of the wrong type raise an error.
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
    "DECODE_ERRORS",
    "Decoded",
    "KnownRecord",
    "Record",
    "TasksNotFound",
    "decode_record",
    "job_id_of",
]

#: Exceptions that the decoder raises for invalid input.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: Ids should be strings, but numbers are also accepted.
Id = Annotated[str, msgspec.Meta(min_length=1)] | int
Hours = Annotated[float, msgspec.Meta(ge=0)]


class AiImpact(msgspec.Struct, gc=False):
    """A task's AI impact level and rationale."""

    level: str | None = None
    rationale: str | None = None


class SourceData(msgspec.Struct, gc=False):
    """A reference to profile data used to derive a task."""

    external_id: Id


class LinkedSkill(msgspec.Struct, gc=False):
    """A skill that a task requires."""

    skill_id: Id
    skill: str | None = None


class SourceEvent(SourceData, gc=False):
    """A reference to an event in an employee's history, used to derive a task."""

    event_type: str | None = None


class Task(msgspec.Struct, gc=False):
    """A task performed in a job or by an employee."""

    task_id: Id
    task: str
    validation_state: str
    weekly_hours: Hours | None = None
    ai_impact: AiImpact | None = None
    source_data: list[SourceData] | None = None
    source_events: list[SourceEvent] | None = None
    linked_skills: list[LinkedSkill] | None = None


class Record(msgspec.Struct, gc=False):
    """A job with a flat list of tasks."""

    external_id: Id
    tasks: list[Task]


# Strict versions of the structs that reject unknown fields at any depth. Records that pass are valid in both response
# formats, since no field could be a group name.
class _KnownAiImpact(AiImpact, forbid_unknown_fields=True): ...


class _KnownSourceData(SourceData, forbid_unknown_fields=True): ...


class _KnownSourceEvent(SourceEvent, forbid_unknown_fields=True): ...


class _KnownLinkedSkill(LinkedSkill, forbid_unknown_fields=True): ...


class _KnownTask(Task, forbid_unknown_fields=True):
    ai_impact: _KnownAiImpact | None = None
    source_data: list[_KnownSourceData] | None = None  # type: ignore[assignment]  # these lists are never modified
    source_events: list[_KnownSourceEvent] | None = None  # type: ignore[assignment]
    linked_skills: list[_KnownLinkedSkill] | None = None  # type: ignore[assignment]


class KnownRecord(Record, forbid_unknown_fields=True):
    """A record without unknown fields. Most records match, so this is tried first."""

    tasks: list[_KnownTask]  # type: ignore[assignment]


class _RecordId(msgspec.Struct):
    external_id: Id


class _Outline(msgspec.Struct):
    tasks: msgspec.Raw = msgspec.Raw(b"")


class TasksNotFound(RecordError):  # noqa: N818  internal
    """A hierarchy record contains no tasks. These records are rejected, but don't stop the export."""


_decode_list_record = msgspec.json.Decoder(Record).decode
_decode_known_record = msgspec.json.Decoder(KnownRecord).decode
# Only decode the field names. Some JSON values can't be represented in Python (e.g. 1e999).
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
    """Decode a record and return the id, the tasks and, for hierarchies, each task's path."""
    try:
        if response_format != "hierarchy":
            try:
                return _flat(raw, unknown)
            except DECODE_ERRORS:
                if response_format == "list" or _is_flat(raw):
                    raise
        return _decode_tree(msgspec.json.decode(raw))
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        kind = TasksNotFound if isinstance(error, _UnknownTree) else RecordError
        raise _record_error(raw, where, path.rstrip("`") or "$", reason, kind) from None
    except DECODE_ERRORS as error:
        raise RecordError(where=where, job_id=None, path="$", reason=f"not valid JSON: {error}") from None


def job_id_of(raw: bytes | msgspec.Raw) -> str | None:
    """Return a record's id, or None. The rest of the record may be invalid."""
    try:
        return str(_decode_id(raw).external_id)
    except DECODE_ERRORS:
        return None


def _flat(raw: bytes | msgspec.Raw, unknown: Counter[str] | None) -> Decoded:
    """Decode a flat record and count any unknown fields."""
    try:
        known = _decode_known_record(raw)
    except DECODE_ERRORS:
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
    """Return `True` if the record has a ``tasks`` field, as in the list format."""
    try:
        return bytes(_decode_outline(raw).tasks) != b""
    except DECODE_ERRORS:
        return False


def _decode_tree(tree: Any) -> Decoded:
    """Collect the tasks in a nested record. Group names don't matter."""
    job_id = msgspec.convert(tree, _RecordId).external_id
    tasks: list[Task] = []
    paths: list[list[str]] = []

    def walk(node: Any, parents: list[str], location: str) -> bool:
        """Collect the tasks below `node`, returning `True` if there are any."""
        if isinstance(node, list):
            has_tasks = [walk(item, parents, f"{location}[{i}]") for i, item in enumerate(node)]
            return any(has_tasks)
        if not isinstance(node, dict):
            return False
        label = next((v for k, v in node.items() if isinstance(v, str) and not k.endswith("id")), None)
        path = parents if label is None else [*parents, label]
        has_tasks = [walk(v, path, f"{location}.{k}") for k, v in node.items() if isinstance(v, (list, dict))]
        if any(has_tasks):
            return True
        if not {"task_id", "task"} & node.keys():
            return False
        try:
            tasks.append(msgspec.convert(node, Task))
        except msgspec.ValidationError as error:
            reason, _, field = str(error).partition(" - at `$")
            raise msgspec.ValidationError(f"{reason} - at `{location}{field.rstrip('`')}`") from None
        paths.append(parents)
        return True

    # Ignore strings and numbers at the top level, which are unknown fields.
    content = {k: v for k, v in tree.items() if v is None or isinstance(v, (list, dict))}
    content.pop("external_id", None)
    for key, value in content.items():
        walk(value, [], f"$.{key}")
    if not content:
        raise msgspec.ValidationError("Expected `tasks` or a hierarchy of tasks, found neither - at `$`")
    trees = {key: value for key, value in content.items() if key in _TREES} or content
    if not tasks and any(_has_object_leaf(value) for value in trees.values()):
        raise _UnknownTree(f"Expected tasks under {' or '.join(map(repr, trees))}, found none - at `$`")
    return job_id, tasks, paths


#: Keys that may contain the hierarchy. If none is present, all keys are searched.
_TREES = ("hierarchy", "tree", "tasks")


class _UnknownTree(msgspec.ValidationError):
    """The tree has leaf nodes, but no tasks."""


def _has_object_leaf(node: Any) -> bool:
    """Return `True` if the tree has a leaf node that might be a task with different field names."""
    if isinstance(node, list):
        return any(_has_object_leaf(item) for item in node)
    if not isinstance(node, dict):
        return False
    children = [value for value in node.values() if isinstance(value, (list, dict))]
    return any(_has_object_leaf(value) for value in children) if children else bool(node)


#: Text fields that may be quoted in messages. Other fields may be confidential (task names, rationales).
_QUOTABLE = ("external_id", "task_id", "skill_id", "validation_state", "weekly_hours", "level")


def _record_error(raw: bytes | msgspec.Raw, where: str, path: str, reason: str, kind: type[RecordError]) -> RecordError:
    job_id, found = job_id_of(raw), None
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path)
    with suppress(*DECODE_ERRORS, KeyError, IndexError, TypeError):  # the value may be unreadable
        value = msgspec.json.decode(raw)
        for key, index in steps:
            value = value[key] if key else value[int(index)]
        if isinstance(value, (int, float)) or (isinstance(value, str) and steps and steps[-1][0] in _QUOTABLE):
            found = msgspec.json.encode(value).decode()[:40]
    return kind(
        where=where,
        job_id=job_id,
        path=path,
        reason=reason.replace("`", "'"),
        found=found,
    )
