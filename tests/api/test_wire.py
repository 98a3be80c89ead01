"""Decoding of pages and records."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from tpanalytics.api.records import decode_record
from tpanalytics.api.wire import Batch, InvalidPage, ResponseFormat, decode_page, read_cursor, read_envelope
from tpanalytics.errors import RecordError

CANARY = "Bargain hard with Northwind"
FORMATS: tuple[ResponseFormat | None, ...] = ("list", "hierarchy", None)
HUGE = b"9" * 5000  # exceeds the limit of Python for converting digits to an int


def task(**changes: Any) -> dict[str, Any]:
    """Return a task with all fields, except those set to `...`."""
    fields = {
        "task_id": "t1",
        "task": CANARY,
        "validation_state": "validated",
        "weekly_hours": 2.5,
        "ai_impact": {"level": "H3", "rationale": CANARY},
        "source_data": [{"external_id": "jd-1"}],
        "linked_skills": [{"skill_id": "s1", "skill": CANARY}],
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def record(*tasks: Any, **changes: Any) -> dict[str, Any]:
    fields = {"external_id": "job-1", "tasks": list(tasks), **changes}
    return {name: value for name, value in fields.items() if value is not ...}


def page(*records: Any, **changes: Any) -> bytes:
    return json.dumps({"has_next": False, "records": list(records), **changes}).encode()


def decode(body: bytes, response_format: ResponseFormat | None = "list", **options: Any) -> Batch:
    """Decode a page and add the list columns that are omitted if no task has them."""
    batch = decode_page(read_envelope(body), where="page 7", response_format=response_format, **options)
    height = sum(batch.jobs["n_tasks"])
    defaults = {"source_data": [None] * height, "linked_skills": [None] * height, "hierarchy": [[]] * height}
    tasks = {**defaults, **batch.tasks}
    tasks["linked_skills"] = msgspec.to_builtins(tasks["linked_skills"])
    return batch._replace(tasks=tasks)


def as_groups(tasks: list[dict[str, Any]], path: list[str]) -> dict[str, Any]:
    """Nest tasks in named levels."""
    domain, subdomain, cluster, canonical = path
    leaf = {"cluster": cluster, "canonical_tasks": [{"canonical_task": canonical, "tasks": tasks}]}
    return {"hierarchy": [{"domain": domain, "subdomains": [{"subdomain": subdomain, "clusters": [leaf]}]}]}


def as_nodes(tasks: list[dict[str, Any]], path: list[str]) -> dict[str, Any]:
    """Nest tasks in uniform nodes."""
    node: dict[str, Any] = {"name": path[-1], "level": "canonical_task", "children": [], "tasks": tasks}
    for label, level in zip(path[-2::-1], ("cluster", "subdomain", "domain"), strict=True):
        node = {"name": label, "level": level, "children": [node], "tasks": []}
    return {"tree": [node]}


# Record with an invalid value, path of the value, part of the reason, quoted value.
INVALID = {
    "hours as words": (record(task(weekly_hours="five")), "$.tasks[0].weekly_hours", "got 'str'", '"five"'),
    "hours as digits": (record(task(weekly_hours="5")), "$.tasks[0].weekly_hours", "got 'str'", '"5"'),
    "negative hours": (record(task(), task(weekly_hours=-0.5)), "$.tasks[1].weekly_hours", ">= 0", "-0.5"),
    "hours as a boolean": (record(task(weekly_hours=True)), "$.tasks[0].weekly_hours", "got 'bool'", "true"),
    "hours as an object": (record(task(weekly_hours={"value": 5})), "$.tasks[0].weekly_hours", "got 'object'", None),
    "hours out of range": (
        record(task(weekly_hours=10**400)),
        "$.tasks[0].weekly_hours",
        "out of range",
        "1" + "0" * 39,
    ),
    "a task that is a number": (record(task(task=5)), "$.tasks[0].task", "got 'int'", "5"),
    "a task without text": (record(task(task=...)), "$.tasks[0]", "missing required field 'task'", None),
    "a task without id": (record(task(task_id=...)), "$.tasks[0]", "missing required field 'task_id'", None),
    "an empty task id": (record(task(task_id="")), "$.tasks[0].task_id", "length >= 1", '""'),
    "a fractional task id": (record(task(task_id=1.5)), "$.tasks[0].task_id", "got 'float'", "1.5"),
    "a task without state": (record(task(validation_state=...)), "$.tasks[0]", "'validation_state'", None),
    "a null state": (record(task(validation_state=None)), "$.tasks[0].validation_state", "got 'null'", None),
    "a level that is a number": (record(task(ai_impact={"level": 3})), "$.tasks[0].ai_impact.level", "got 'int'", "3"),
    "an impact that is a text": (record(task(ai_impact=CANARY)), "$.tasks[0].ai_impact", "got 'str'", None),
    "a rationale that is a list": (
        record(task(ai_impact={"rationale": [CANARY]})),
        "$.tasks[0].ai_impact.rationale",
        "got 'array'",
        None,
    ),
    "a skill that is a list": (
        record(task(linked_skills=[{"skill_id": "s", "skill": [CANARY]}])),
        "$.tasks[0].linked_skills[0].skill",
        "got 'array'",
        None,
    ),
    "skills as texts": (record(task(linked_skills=[CANARY])), "$.tasks[0].linked_skills[0]", "got 'str'", None),
    "sources as a text": (record(task(source_data=CANARY)), "$.tasks[0].source_data", "got 'str'", None),
    "a source without id": (record(task(source_data=[{}])), "$.tasks[0].source_data[0]", "'external_id'", None),
    "tasks as texts": (record(CANARY), "$.tasks[0]", "got 'str'", None),
    "tasks as a text": (record(tasks=CANARY), "$.tasks", "got 'str'", None),
    "tasks that are null": (record(tasks=None), "$.tasks", "got 'null'", None),
    "no tasks": (record(tasks=...), "$", "missing required field 'tasks'", None),
}


@pytest.mark.parametrize(("invalid", "path", "reason", "found"), INVALID.values(), ids=INVALID.keys())
def test_invalid_value_raises_with_job_path_reason_and_value(
    invalid: dict[str, Any], path: str, reason: str, found: str | None
) -> None:
    with pytest.raises(RecordError) as exc_info:
        decode(page(record(external_id="job-0"), invalid))
    error = exc_info.value
    assert (error.where, error.job_id, error.path, error.found) == ("page 7, record 2", "job-1", path, found)
    assert reason in error.reason
    for part in ("page 7, record 2", "job 'job-1'", path, error.reason, found or "", "on_bad_record='collect'"):
        assert part in str(error)


@pytest.mark.parametrize("response_format", FORMATS)
@pytest.mark.parametrize("invalid", [invalid for invalid, *_ in INVALID.values()], ids=INVALID.keys())
def test_free_text_is_not_quoted(invalid: dict[str, Any], response_format: ResponseFormat | None) -> None:
    try:
        rejects = decode(page(invalid), response_format, on_bad_record="collect").rejects
        decode(page(invalid), response_format)
    except RecordError as error:
        texts = [str(error), repr(error), *map(str, vars(error).values()), *(str(r["reason"]) for r in rejects)]
        assert rejects
        assert not [text for text in texts if "Bargain" in text or "Northwind" in text]
    else:
        assert response_format == "hierarchy"  # has no fixed field names, so fewer values are invalid
        assert not rejects


@pytest.mark.parametrize(
    ("external_id", "found"), [(True, "true"), (1.5, "1.5"), ("", '""'), (None, None), ([CANARY], None), (..., None)]
)
@pytest.mark.parametrize("response_format", FORMATS)
def test_invalid_job_id_raises(external_id: Any, found: str | None, response_format: ResponseFormat | None) -> None:
    with pytest.raises(RecordError, match="without a readable external_id") as exc_info:
        decode(page(record(task(), external_id=external_id)), response_format)
    assert exc_info.value.job_id is None
    assert exc_info.value.found == found
    assert "external_id" in exc_info.value.path + exc_info.value.reason


@pytest.mark.parametrize("invalid", [None, 5, "text", [], [CANARY], {}], ids=repr)
@pytest.mark.parametrize("response_format", FORMATS)
def test_invalid_record_raises(invalid: Any, response_format: ResponseFormat | None) -> None:
    with pytest.raises(RecordError, match=r"page 7, record 1"):
        decode(page(invalid), response_format)


def test_collect_skips_invalid_records() -> None:
    invalid = record(task(weekly_hours="five"), external_id="job-2")
    batch = decode(page(record(task()), invalid, record(external_id="job-3")), on_bad_record="collect")
    assert batch.jobs == {"job_id": ["job-1", "job-3"], "n_tasks": [1, 0]}
    assert batch.tasks["job_id"] == ["job-1"]
    [reject] = batch.rejects
    assert reject["where"] == "page 7, record 2"
    assert reject["job_id"] == "job-2"
    assert reject["path"] == "$.tasks[0].weekly_hours"
    assert '"five"' in str(reject["reason"])


def test_unknown_fields_levels_and_states_are_accepted() -> None:
    unknown = task(validation_state="initially_validated", ai_impact={"level": "H9", "score": 1}, owner={"name": "x"})
    batch = decode(page(record(unknown, job_name="Clerk", rank=None), total=12))
    assert batch.tasks["validation_state"] == ["initially_validated"]
    assert batch.tasks["ai_impact_level"] == ["H9"]
    assert batch.tasks["ai_impact_rationale"] == [None]


@pytest.mark.parametrize("value", [b"1e999", HUGE, b"-" + HUGE, b"[" * 400 + b"]" * 400], ids=lambda value: value[:9])
@pytest.mark.parametrize("response_format", ["list", None])
def test_unknown_field_can_have_any_value(value: bytes, response_format: ResponseFormat | None) -> None:
    valid_task = b'{"task_id":"t","task":"x","validation_state":"v","later":%s}' % value
    body = b'{"has_next":false,"records":[{"external_id":"j","tasks":[%s],"later":%s}]}' % (valid_task, value)
    batch = decode(body, response_format)
    assert batch.tasks["task_id"] == ["t"]
    assert batch.unknown_fields == {"later": 1, "tasks[].later": 1}


@pytest.mark.parametrize("value", [None, ...], ids=["null", "missing"])
def test_optional_fields_can_be_null_or_missing(value: Any) -> None:
    optional = ("weekly_hours", "ai_impact", "source_data", "linked_skills")
    batch = decode(page(record(task(**dict.fromkeys(optional, value)))))
    for column in ("weekly_hours", "ai_impact_level", "ai_impact_rationale", "source_data", "linked_skills"):
        assert batch.tasks[column] == [None]


def test_nested_optional_fields_can_be_null() -> None:
    nulls = task(ai_impact={"level": None, "rationale": None}, linked_skills=[{"skill_id": "s", "skill": None}])
    batch = decode(page(record(nulls)))
    assert batch.tasks["ai_impact_level"] == [None]
    assert batch.tasks["linked_skills"] == [[{"skill_id": "s", "skill": None}]]


def test_empty_list_is_not_null() -> None:
    batch = decode(page(record(task(source_data=[], linked_skills=None), task(source_data=None, linked_skills=[]))))
    assert batch.tasks["source_data"] == [[], None]
    assert batch.tasks["linked_skills"] == [None, []]


@pytest.mark.parametrize("response_format", FORMATS)
@pytest.mark.parametrize("number", [0, -7, 17, 2**63, 10**29])
def test_numeric_ids_become_text(number: int, response_format: ResponseFormat | None) -> None:
    numbered = task(
        task_id=number, source_data=[{"external_id": number}], linked_skills=[{"skill_id": number, "skill": "s"}]
    )
    batch = decode(page(record(numbered, external_id=number)), response_format)
    assert batch.jobs["job_id"] == batch.tasks["job_id"] == batch.tasks["task_id"] == [str(number)]
    assert batch.tasks["source_data"] == [[str(number)]]
    assert batch.tasks["linked_skills"] == [[{"skill_id": str(number), "skill": "s"}]]


@pytest.mark.parametrize("hours", [0, 0.0, 2.5, 40, 1e300])
def test_hours_are_floats(hours: float) -> None:
    [decoded] = decode(page(record(task(weekly_hours=hours)))).tasks["weekly_hours"]
    assert isinstance(decoded, float)
    assert decoded == hours


@pytest.mark.parametrize(
    "invalid",
    [
        b'{"external_id":"j","tasks":[{"task_id":"t","task":"\xff","validation_state":"v"}]}',
        b'{"external_id":true,"tasks":[],"note":"\xff"}',
        b'{"external_id":%s,"tasks":[]}' % HUGE,
        b'{"external_id":"j","tasks":[{"task_id":"t","task":"x","validation_state":"v","weekly_hours":%s}]}' % HUGE,
        b'{"external_id":"j","tasks":[{"task_id":"t","task":"x","validation_state":"v","weekly_hours":1e999}]}',
        b'{"external_id":"j","tasks":7,"note":%s%s}' % (b"[" * 400, b"]" * 400),
    ],
    ids=["invalid UTF-8", "invalid UTF-8 and id", "huge id", "huge hours", "infinite hours", "deep nesting"],
)
@pytest.mark.parametrize("response_format", FORMATS)
def test_undecodable_record_is_a_single_reject(invalid: bytes, response_format: ResponseFormat | None) -> None:
    body = b'{"has_next":false,"records":[%s,{"external_id":"good","tasks":[]}]}' % invalid
    with pytest.raises(RecordError, match="page 7, record 1"):
        decode(body, response_format)
    batch = decode(body, response_format, on_bad_record="collect")
    assert batch.jobs["job_id"] == ["good"]
    assert len(batch.rejects) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"<html>sign in</html>", "not valid JSON"),
        (page(record(task()))[:-30], "not valid JSON"),
        (page() + b" and more", "not valid JSON"),
        (page().decode().encode("utf-16"), "not valid JSON"),
        (b'{"has_next":false,"records":[' + b"[" * 100_000, "not valid JSON"),
        (b'{"has_next":false,"records":[{"external_id":"\\ud800","tasks":[]}]}', "not valid JSON"),
        (b'{"has_next":false,"records":[NaN]}', "not valid JSON"),
        (b"[]", "not in the documented format"),
        (b'[{"title":"400 Bad Request","description":"no"}]', "not in the documented format"),
        (b'{"has_next":false}', "records"),
        (b'{"records":[]}', "has_next"),
        (page(has_next="no"), "$.has_next"),
        (page(records=None), "$.records"),
        (page(next_starting_after=1.5), "$.next_starting_after"),
        (b'{"has_next":true,"records":[],"next_starting_after":%s}' % HUGE, "$.next_starting_after"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_invalid_page_raises(body: bytes, reason: str) -> None:
    for read in (read_cursor, read_envelope):
        with pytest.raises(InvalidPage) as exc_info:
            read(body)
        assert reason in str(exc_info.value)
        assert "Bargain" not in str(exc_info.value)


@pytest.mark.parametrize(
    ("fields", "cursor"),
    [
        ({"has_next": True, "next_starting_after": "job-9"}, "job-9"),
        ({"has_next": True, "next_starting_after": 9}, "9"),
        ({"has_next": True, "records": [record(external_id="a"), record(external_id="b")]}, "b"),
        ({"has_next": True, "records": [record(external_id=12)]}, "12"),
        ({"has_next": True, "next_starting_after": None, "records": [record(external_id="b")]}, "b"),
        ({"has_next": True, "next_starting_after": "c", "records": [record(external_id="b")]}, "c"),
        ({"has_next": True, "records": [{"tasks": []}]}, None),
        ({"has_next": True}, None),
        ({"has_next": False, "records": [record(external_id="b")]}, None),
    ],
    ids=repr,
)
def test_cursor_defaults_to_last_job(fields: dict[str, Any], cursor: str | None) -> None:
    assert read_cursor(page(**fields))[1] == cursor


PATH = ["Finance", "Payables", "Invoice handling", "Match invoices to orders"]


@pytest.mark.parametrize("nest", [as_groups, as_nodes])
@pytest.mark.parametrize("response_format", ["hierarchy", None])
def test_hierarchy_has_the_same_tasks_as_the_list(nest: Any, response_format: ResponseFormat | None) -> None:
    tasks = [
        task(task_id="a"),
        task(task_id="b", weekly_hours=None, linked_skills=[]),
        task(task_id="c", ai_impact=...),
    ]
    flat = decode(page(record(*tasks)))
    nested = decode(page(record(tasks=..., **nest(tasks, PATH))), response_format)
    assert nested.jobs == flat.jobs
    assert {**nested.tasks, "hierarchy": None} == {**flat.tasks, "hierarchy": None}
    assert nested.tasks["hierarchy"] == [PATH] * 3
    assert flat.tasks["hierarchy"] == [[]] * 3


def test_tasks_outside_the_taxonomy_have_an_empty_path() -> None:
    outside = {"domain": None, "subdomains": [{"subdomain": None, "clusters": [{"tasks": [task(task_id="out")]}]}]}
    tree = as_groups([task(task_id="in")], PATH)["hierarchy"]
    batch = decode(page(record(tasks=..., hierarchy=[outside, *tree, task(task_id="bare")])), "hierarchy")
    assert batch.tasks["task_id"] == ["out", "in", "bare"]
    assert batch.tasks["hierarchy"] == [[], PATH, []]


def test_ids_are_not_used_as_labels() -> None:
    group = {"domain_id": "d-1", "domain": "Finance", "tasks": [task()]}
    assert decode(page(record(tasks=..., hierarchy=[group])), "hierarchy").tasks["hierarchy"] == [["Finance"]]


@pytest.mark.parametrize("profile", [[], None], ids=repr)
@pytest.mark.parametrize("key", ["hierarchy", "tree"])
def test_empty_hierarchy_is_a_job_without_tasks(key: str, profile: Any) -> None:
    batch = decode(page(record(tasks=..., **{key: profile}, job_name="Clerk", rank=3)), "hierarchy")
    assert batch.jobs == {"job_id": ["job-1"], "n_tasks": [0]}


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"updated": "2026-05-01"},
        {"profile": CANARY},
    ],
    ids=repr,
)
def test_record_without_tasks_and_hierarchy_raises(rest: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="Expected") as exc_info:
        decode(page(record(tasks=..., **rest)), "hierarchy")
    assert (exc_info.value.job_id, exc_info.value.path) == ("job-1", "$")
    assert "Bargain" not in str(exc_info.value)


@pytest.mark.parametrize(
    "rest",
    [
        {"profile": [{"id": "t", "sentence": CANARY}]},
        {"hierarchy": [{"domain": "Finance", "items": [{"id": "t", "name": CANARY}]}]},
    ],
    ids=repr,
)
def test_tree_without_recognizable_tasks_is_rejected(rest: dict[str, Any]) -> None:
    batch = decode(page(record(tasks=..., **rest), record(external_id="job-2", tasks=..., hierarchy=[])), "hierarchy")
    assert batch.jobs["job_id"] == ["job-2"], "counted as a job without tasks"
    (reject,) = batch.rejects
    assert (reject["job_id"], CANARY in str(reject["raw"])) == ("job-1", True)
    assert "Bargain" not in str(reject["reason"])


@pytest.mark.parametrize(
    "rest",
    [
        {"hierarchy": [{"domain": "Finance", "subdomains": []}]},
        {"hierarchy": [], "labels": ["a"], "meta": {"x": 1}},
        {"labels": ["a"], "anything": []},
    ],
    ids=repr,
)
def test_tree_without_leaves_is_a_job_without_tasks(rest: dict[str, Any]) -> None:
    batch = decode(page(record(tasks=..., **rest)), "hierarchy")
    assert (batch.jobs, batch.rejects) == ({"job_id": ["job-1"], "n_tasks": [0]}, [])


def test_invalid_value_in_hierarchy_has_full_path() -> None:
    with pytest.raises(RecordError) as exc_info:
        decode(page(record(tasks=..., **as_groups([task(), task(weekly_hours="five")], PATH))), "hierarchy")
    path = "$.hierarchy[0].subdomains[0].clusters[0].canonical_tasks[0].tasks[1].weekly_hours"
    assert (exc_info.value.path, exc_info.value.found) == (path, '"five"')


def test_format_is_detected_per_record() -> None:
    nested = record(tasks=..., external_id="nested", **as_groups([task()], PATH))
    batch = decode(page(record(task()), nested, record(external_id="bare")), None)
    assert batch.jobs == {"job_id": ["job-1", "nested", "bare"], "n_tasks": [1, 1, 0]}
    assert batch.tasks["hierarchy"] == [[], PATH]


# Random values, and records of them that are often nearly valid.
_scalar = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)
_any = st.recursive(_scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
_id = st.text("abc-_019é", min_size=1, max_size=6)
_task = st.fixed_dictionaries(
    {"task_id": _id, "task": st.text(max_size=12), "validation_state": st.sampled_from(["validated", "new"])},
    optional={
        "weekly_hours": st.none() | st.floats(0, 1e9) | st.integers(0, 60),
        "ai_impact": st.none() | st.fixed_dictionaries({}, optional={"level": st.sampled_from(["H1", "H9", None])}),
        "source_data": st.none() | st.lists(st.fixed_dictionaries({"external_id": _id}), max_size=2),
        "linked_skills": st.none() | st.lists(st.fixed_dictionaries({"skill_id": _id, "skill": _id}), max_size=2),
        "later": _any,
    },
)
_record = st.fixed_dictionaries({"external_id": _id, "tasks": st.lists(_task, max_size=3)}, optional={"extra": _any})
_any_task = st.dictionaries(st.sampled_from(["task_id", "task", "validation_state", "weekly_hours"]), _any)
_any_record = st.fixed_dictionaries({"external_id": _id | _any, "tasks": st.lists(_any_task, max_size=2) | _any})


def decode_or_none(records: list[Any], response_format: ResponseFormat | None) -> Batch | None:
    """Decode records, or return None if one of them is invalid."""
    try:
        return decode(page(*records), response_format)
    except RecordError:
        return None


@given(st.binary(max_size=300), st.sampled_from(FORMATS), st.sampled_from(["raise", "collect"]))
@example(b"[" * 100_000, "list", "raise")
@example(page(record(task()))[:-1] + b"\xff}", None, "collect")
def test_arbitrary_bytes_are_decoded_or_raise(body: bytes, response_format: Any, on_bad_record: Any) -> None:
    try:
        batch = decode(body, response_format, on_bad_record=on_bad_record)
    except (InvalidPage, RecordError):
        return
    assert len(batch.jobs["job_id"]) == len(batch.jobs["n_tasks"])


@given(st.data(), st.lists(_record | _any_record, min_size=1, max_size=3), st.sampled_from(FORMATS))
def test_damaged_page_is_decoded_or_raises(data: st.DataObject, records: list[Any], response_format: Any) -> None:
    body = bytearray(page(*records))
    for position in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[position] = data.draw(st.integers(0, 255))
    del body[data.draw(st.sampled_from([len(body), len(body) // 2, len(body) - 1])) :]
    try:
        batch = decode(bytes(body), response_format, on_bad_record="collect")
    except InvalidPage:
        return
    assert all(len(column) == sum(batch.jobs["n_tasks"]) for column in batch.tasks.values())
    assert len(batch.jobs["job_id"]) + len(batch.rejects) == len(read_envelope(bytes(body)).records)


@given(st.lists(_record, max_size=4))
def test_decoded_page_equals_parsed_json(records: list[dict[str, Any]]) -> None:
    body = page(*records)
    batch = decode(body)
    expected = json.loads(body)["records"]
    tasks = [(job["external_id"], task) for job in expected for task in job["tasks"]]
    assert batch.jobs["job_id"] == [job["external_id"] for job in expected]
    assert batch.jobs["n_tasks"] == [len(job["tasks"]) for job in expected]
    assert batch.tasks["job_id"] == [job_id for job_id, _ in tasks]
    for name in ("task_id", "task", "validation_state", "weekly_hours", "linked_skills"):
        assert batch.tasks[name] == [task.get(name) for _, task in tasks]
    assert batch.tasks["ai_impact_level"] == [(task.get("ai_impact") or {}).get("level") for _, task in tasks]
    sources = [task.get("source_data") for _, task in tasks]
    assert batch.tasks["source_data"] == [s and [x["external_id"] for x in s] for s in sources]


@given(st.lists(_record | _any_record, min_size=1, max_size=4), st.sampled_from(FORMATS))
def test_record_is_independent_of_other_records(records: list[Any], response_format: ResponseFormat | None) -> None:
    single = [decode_or_none([record], response_format) for record in records]
    batches = [batch for batch in single if batch is not None]
    valid = [record for record, batch in zip(records, single, strict=True) if batch is not None]
    expected_jobs = [job for batch in batches for job in zip(*batch.jobs.values(), strict=True)]
    expected_tasks = [row for batch in batches for row in zip(*batch.tasks.values(), strict=True)]
    without_invalid = decode(page(*valid), response_format)
    with_invalid = decode(page(None, *records, "invalid"), response_format, on_bad_record="collect")
    for batch in (without_invalid, with_invalid):
        assert list(zip(*batch.jobs.values(), strict=True)) == expected_jobs
        assert list(zip(*batch.tasks.values(), strict=True)) == expected_tasks
    n_trees = sum(len(batch.rejects) for batch in batches)  # unknown trees are rejected without raising
    assert len(without_invalid.rejects) == n_trees
    assert len(with_invalid.rejects) == 2 + len(records) - len(valid) + n_trees


@given(_record)
def test_single_record_equals_record_on_a_page(record: dict[str, Any]) -> None:
    job_id, tasks, paths = decode_record(json.dumps(record).encode(), where="here", response_format="list")
    batch = decode(page(record))
    assert (str(job_id), len(tasks), paths) == (batch.jobs["job_id"][0], batch.jobs["n_tasks"][0], None)
    assert [t.task for t in tasks] == batch.tasks["task"]
    assert msgspec.to_builtins([t.weekly_hours for t in tasks]) == batch.tasks["weekly_hours"]
