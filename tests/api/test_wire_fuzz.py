"""Whatever bytes a service sends, they become tables that keep their promises or one of our errors; nothing else."""

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
slow_is_wrong = settings(deadline=5000, max_examples=200, suppress_health_check=list(HealthCheck))
formats: st.SearchStrategy[ResponseFormat | None] = st.sampled_from(["list", "hierarchy", None])
ways: st.SearchStrategy[Literal["raise", "collect"]] = st.sampled_from(["raise", "collect"])

# JSON as it may be written, which is more than json.dumps writes: any value as its text.
_odd = st.sampled_from(
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
_value = st.one_of(_odd, st.from_type(type(None) | bool | int | float).map(json.dumps), st.text().map(json.dumps))
_names = st.sampled_from(
    ["external_id", "tasks", "task_id", "task", "validation_state", "weekly_hours", "ai_impact", "level", "rationale"]
) | st.sampled_from(["source_data", "linked_skills", "skill_id", "skill", "hierarchy", "has_next", "records"])


@st.composite
def pages(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a good page, of lists, trees or both."""
    jobs = draw(records(max_size=4))
    for job in jobs:
        if draw(st.booleans()):
            tree: Any = job.pop("tasks")
            for level in draw(st.lists(st.sampled_from(["domain", "name", "task", "id"]), max_size=4)):
                tree = [{level: "Finance", "groups": tree}]
            job["hierarchy"] = tree
    return {"has_next": draw(st.booleans()), "records": jobs, "next_starting_after": draw(st.none() | st.text())}


@st.composite
def odd_pages(draw: st.DrawFn) -> bytes:
    """Draw a page in which values are replaced by others, and fields doubled, renamed, added or left out."""
    left = draw(st.integers(1, 3))
    page = draw(pages())

    def written(node: Any) -> str:
        nonlocal left
        if left and draw(st.integers(0, 9)) == 0:
            left -= 1
            return draw(_value)
        if isinstance(node, list):
            return f"[{','.join(map(written, node))}]"
        if not isinstance(node, dict):
            return json.dumps(node)
        fields = [(key, written(value)) for key, value in node.items()]
        if left and fields and draw(st.integers(0, 9)) == 0:
            left -= 1
            at = draw(st.integers(0, len(fields) - 1))
            name, value = fields[at]
            odd = [(name, draw(_value)), (draw(_names | st.text(max_size=4)), value)]
            fields[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.sampled_from(odd), max_size=2))
        return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in fields)}}}"

    return written(page).encode("utf-8", "surrogatepass")


@st.composite
def broken_pages(draw: st.DrawFn) -> bytes:
    """Draw a page with bytes flipped, cut out, doubled or put in."""
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


def keeps_its_promises(body: bytes, response_format: ResponseFormat | None, way: Literal["raise", "collect"]) -> None:
    """Decode a body and hold the tables against what they promise."""
    try:
        _, cursor = read_cursor(body)
        envelope = read_envelope(body)
        batch = decode_page(envelope, where="page 1", response_format=response_format, on_bad_record=way)
    except (InvalidPage, tpa.RecordError) as error:
        str(error).encode()  # it can be printed
        return
    assert cursor is None or cursor.encode()
    jobs, tasks = frames_of(batch)
    assert (jobs.schema, tasks.schema) == (pl.Schema(JOBS), pl.Schema(TASKS))
    assert jobs.height + len(batch.rejects) == len(envelope.records)
    hold(jobs, tasks)
    pl.DataFrame(batch.rejects, schema=tpa.schema.REJECTS)
    # A page read in one call is the same record by record.
    one_by_one = Envelope(has_next=False, records=msgspec.json.decode(body, type=_Undecoded).records)
    again = decode_page(one_by_one, where="page 1", response_format=response_format, on_bad_record=way)
    for frame, other in zip((jobs, tasks), frames_of(again), strict=True):
        assert_frame_equal(frame, other)
    assert (batch.rejects, batch.unknown_fields) == (again.rejects, again.unknown_fields)


def hold(jobs: pl.DataFrame, tasks: pl.DataFrame) -> None:
    """Check what holds for the tables of any export."""
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


@slow_is_wrong
@given(st.binary(max_size=400), formats, ways)
@example(b"[" * 100_000, "list", "raise")
@example(b'{"has_next":false,"records":' + b"[" * 100_000, None, "collect")
def test_arbitrary_bytes(body: bytes, response_format: ResponseFormat | None, way: Any) -> None:
    keeps_its_promises(body, response_format, way)


@slow_is_wrong
@given(broken_pages(), formats, ways)
def test_pages_with_broken_bytes(body: bytes, response_format: ResponseFormat | None, way: Any) -> None:
    keeps_its_promises(body, response_format, way)


@slow_is_wrong
@given(odd_pages(), formats, ways)
def test_pages_with_odd_values(body: bytes, response_format: ResponseFormat | None, way: Any) -> None:
    keeps_its_promises(body, response_format, way)


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[..., tpa.TaskProfiles]]:
    """Give a function that loads an export whose only page is the given bytes, over a socket."""
    with Tenant(Catalogue([])) as tenant:
        client = tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=1))

        def load(body: bytes, **options: Any) -> tpa.TaskProfiles:
            def fault(reply: Reply) -> Reply:
                return replace(reply, body=body)

            tenant.faults[0] = fault
            return tpa.load_task_profiles(client, progress=False, **options)

        yield load


@slow_is_wrong
@given(broken_pages() | odd_pages() | st.binary(max_size=50), formats.filter(bool), ways)
def test_export_returns_tables_or_raises(
    load: Callable[..., tpa.TaskProfiles], body: bytes, response_format: Any, way: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)
        try:
            profiles = load(body, response_format=response_format, on_bad_record=way)
        except tpa.TpAnalyticsError as error:
            str(error).encode()  # it can be printed
            return
    hold(profiles.jobs, profiles.tasks)
    assert json.dumps(profiles.manifest, allow_nan=False, ensure_ascii=False).encode()
    assert repr(profiles)
