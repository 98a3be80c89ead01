"""Decoding of arbitrary and damaged pages."""

from __future__ import annotations

import io
import json
import math
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_records import records
from tpanalytics.api.wire import Envelope, InvalidPage, ResponseFormat, decode_page, read_cursor, read_envelope
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.profiles.frames import frames_of
from tpanalytics.schema import JOBS, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(120)
with_deadline = settings(deadline=5000, suppress_health_check=list(HealthCheck))
formats: st.SearchStrategy[ResponseFormat | None] = st.sampled_from(["list", "hierarchy", None])
actions: st.SearchStrategy[Literal["raise", "collect"]] = st.sampled_from(["raise", "collect"])

# JSON text of unusual values, including those that json.dumps never writes.
_unusual = st.sampled_from(
    [
        "1e999",
        "-1e999",
        "1e-999",
        "-0.0",
        "NaN",
        "-Infinity",
        "9" * 400,
        "9" * 5000,
        str(2**63),
        str(2**64),
        str(-(2**64)),
        "1." + "9" * 400,
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '""',
        '"' + "é" * 70_000 + '"',
        "[" * 40 + "]" * 40,
        "[" * 300 + "]" * 300,
        "[" * 2000 + "]" * 2000,
        '{"a":' * 300 + "1" + "}" * 300,
        '{"tasks":' * 150 + "[]" + "}" * 150,
        '{"task_id":"t","task":"x","validation_state":"v"}',
        '[{"task_id":"t","task":"x","validation_state":"v","weekly_hours":-1}]',
        '{"domain":"d","tasks":[{"task_id":1,"task":"x","validation_state":"v"}]}',
        '{"task_id":"t","task_id":2,"task":"x","validation_state":"v"}',
    ]
)
_value = st.one_of(_unusual, st.from_type(type(None) | bool | int | float).map(json.dumps), st.text().map(json.dumps))
_names = st.sampled_from(
    ["external_id", "tasks", "task_id", "task", "validation_state", "weekly_hours", "ai_impact", "level", "rationale"]
) | st.sampled_from(["source_data", "linked_skills", "skill_id", "skill", "hierarchy", "has_next", "records"])


@st.composite
def pages(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid page with lists, trees or both."""
    jobs = draw(records(max_size=4))
    for job in jobs:
        if draw(st.booleans()):
            tree: Any = job.pop("tasks")
            for level in draw(st.lists(st.sampled_from(["domain", "name", "task", "id"]), max_size=4)):
                tree = [{level: "Finance", "groups": tree}]
            job["hierarchy"] = tree
    return {"has_next": draw(st.booleans()), "records": jobs, "next_starting_after": draw(st.none() | st.text())}


@st.composite
def unusual_pages(draw: st.DrawFn) -> bytes:
    """Return a page in which values are replaced and fields duplicated, renamed, added or removed."""
    remaining = draw(st.integers(1, 3))
    page = draw(pages())

    def to_json(node: Any) -> str:
        nonlocal remaining
        if remaining and draw(st.integers(0, 9)) == 0:
            remaining -= 1
            return draw(_value)
        if isinstance(node, list):
            return f"[{','.join(map(to_json, node))}]"
        if not isinstance(node, dict):
            return json.dumps(node)
        fields = [(key, to_json(value)) for key, value in node.items()]
        if remaining and fields and draw(st.integers(0, 9)) == 0:
            remaining -= 1
            at = draw(st.integers(0, len(fields) - 1))
            name, value = fields[at]
            changes = [(name, draw(_value)), (draw(_names | st.text(max_size=4)), value)]
            fields[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(changes), max_size=2))
        return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in fields)}}}"

    return to_json(page).encode("utf-8", "surrogatepass")


@st.composite
def damaged_pages(draw: st.DrawFn) -> bytes:
    """Return a page in which bytes are removed, duplicated or replaced."""
    body = bytearray(json.dumps(draw(pages()), ensure_ascii=draw(st.booleans())).encode())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.sampled_from([0, 1, 1, 2, 10, 10_000])))
        some = st.binary(min_size=1, max_size=3) | st.sampled_from(
            [b'"', b"\\", b"{", b"]", b",", b"-", b"\xed\xa0\x80"]
        )
        body[start:end] = draw(st.sampled_from([b"", bytes(body[start:end]) * 2, draw(some)]))
    return bytes(body)


class _Undecoded(msgspec.Struct):
    records: list[msgspec.Raw]


def check_decoding(body: bytes, response_format: ResponseFormat | None, action: Literal["raise", "collect"]) -> None:
    """Decode a body and check the tables, unless an expected error is raised."""
    try:
        _, cursor = read_cursor(body)
        envelope = read_envelope(body)
        batch = decode_page(envelope, where="page 1", response_format=response_format, on_bad_record=action)
    except (InvalidPage, tpa.RecordError) as error:
        str(error).encode()  # the message can be printed
        return
    assert cursor is None or cursor.encode()
    jobs, tasks = frames_of(batch)
    assert (jobs.schema, tasks.schema) == (pl.Schema(JOBS), pl.Schema(TASKS))
    assert jobs.height + len(batch.rejects) == len(envelope.records)
    check_tables(jobs, tasks)
    pl.DataFrame(batch.rejects, schema=tpa.schema.REJECTS)
    # Decoding record by record gives the same result.
    undecoded = Envelope(has_next=False, records=msgspec.json.decode(body, type=_Undecoded).records)
    by_record = decode_page(undecoded, where="page 1", response_format=response_format, on_bad_record=action)
    for frame, expected in zip((jobs, tasks), frames_of(by_record), strict=True):
        assert_frame_equal(frame, expected)
    assert (batch.rejects, batch.unknown_fields) == (by_record.rejects, by_record.unknown_fields)


def check_tables(jobs: pl.DataFrame, tasks: pl.DataFrame) -> None:
    """Check the invariants of all exports."""
    assert jobs["n_tasks"].sum() == tasks.height
    assert jobs["job_id"].null_count() == 0
    assert set(tasks["job_id"]) <= set(jobs["job_id"])
    for name in ("job_id", "task_id", "task", "validation_state"):
        assert tasks[name].null_count() == 0
    assert tasks["hierarchy"].null_count() == 0
    assert all(math.isfinite(hours) and hours >= 0 for hours in tasks["weekly_hours"].drop_nulls())
    for frame in (jobs, tasks):
        file = io.BytesIO()
        frame.write_parquet(file)
        file.seek(0)
        assert_frame_equal(pl.read_parquet(file), frame)
        assert json.dumps(frame.rows(), ensure_ascii=False).encode()


@with_deadline
@given(st.binary(max_size=400), formats, actions)
@example(b"[" * 100_000, "list", "raise")
@example(b'{"has_next":false,"records":' + b"[" * 100_000, None, "collect")
def test_arbitrary_bytes(body: bytes, response_format: ResponseFormat | None, action: Any) -> None:
    check_decoding(body, response_format, action)


@with_deadline
@given(damaged_pages(), formats, actions)
def test_pages_with_damaged_bytes(body: bytes, response_format: ResponseFormat | None, action: Any) -> None:
    check_decoding(body, response_format, action)


@with_deadline
@given(unusual_pages(), formats, actions)
def test_pages_with_unusual_values(body: bytes, response_format: ResponseFormat | None, action: Any) -> None:
    check_decoding(body, response_format, action)


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[..., tpa.TaskProfiles]]:
    """Return a function that loads an export with the given bytes as its only page."""
    with Tenant(Catalogue([])) as tenant:
        client = tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=1))

        def load(body: bytes, **options: Any) -> tpa.TaskProfiles:
            def fault(reply: Reply) -> Reply:
                return replace(reply, body=body)

            tenant.faults[0] = fault
            return tpa.load_task_profiles(client, progress=False, **options)

        yield load


@with_deadline
@given(damaged_pages() | unusual_pages() | st.binary(max_size=50), formats.filter(bool), actions)
def test_export_returns_tables_or_raises(
    load: Callable[..., tpa.TaskProfiles], body: bytes, response_format: Any, action: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
        try:
            profiles = load(body, response_format=response_format, on_bad_record=action)
        except tpa.TpAnalyticsError as error:
            str(error).encode()  # the message can be printed
            return
    check_tables(profiles.jobs, profiles.tasks)
    assert json.dumps(profiles.manifest, allow_nan=False, ensure_ascii=False).encode()
    assert repr(profiles)
