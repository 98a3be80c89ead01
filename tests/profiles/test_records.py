"""Reading raw records from files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa
from tests.profiles.conftest import job, task, write
from tpanalytics.schema import JOBS, TASKS

RECORDS = [
    job(1, task(1, weekly_hours=2.5)),
    job(2),
    job(3, task(3, task="Größe prüfen 測定\u2028 mit Umbruch"), extra=[{}]),
]
LINES = [json.dumps(record, ensure_ascii=False) for record in RECORDS]
PAGES = [
    json.dumps({"has_next": True, "records": RECORDS[:2], "next_starting_after": "job-2"}),
    json.dumps({"has_next": False, "records": RECORDS[2:]}),
]
LAYOUTS = {
    "lines": "\n".join(LINES),
    "trailing newline": "\n".join(LINES) + "\n",
    "Windows line endings": "\r\n".join(LINES) + "\r\n",
    "blank lines": "\n\n  \n" + "\n\n".join(LINES) + "\n \t\n",
    "a list": json.dumps(RECORDS),
    "an indented list": json.dumps(RECORDS, indent=2),
    "a page": json.dumps({"has_next": False, "records": RECORDS}),
    "an indented page": json.dumps({"records": RECORDS, "has_next": False}, indent=2),
    "a page per line": "\n".join(PAGES),
    "pages and records": "\n".join([PAGES[0], LINES[2]]),
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_supported_file_layouts(layout: str, compressed: bool, mark: bytes) -> None:
    raw = mark + layout.encode()
    profiles = tpa.read_records(
        write("export.jsonl.gz" if compressed else "export.json", gzip.compress(raw) if compressed else raw)
    )
    assert profiles.jobs.select("job_id", "n_tasks").rows() == [("job-1", 1), ("job-2", 0), ("job-3", 1)]
    assert profiles.tasks["task"].to_list() == [RECORDS[0]["tasks"][0]["task"], RECORDS[2]["tasks"][0]["task"]]
    assert profiles.tasks["weekly_hours"].to_list() == [2.5, None]
    assert profiles.manifest["source"]["kind"] == "file"
    assert "unknown whether the export was complete" in repr(profiles)


@pytest.mark.parametrize("raw", ["", "\n\n", "[]", '{"has_next": false, "records": []}'], ids=repr)
def test_empty_file_has_typed_columns(raw: str) -> None:
    profiles = tpa.read_records(write("export.jsonl", raw))
    assert profiles.jobs.schema == pl.Schema(JOBS)
    assert profiles.tasks.schema == pl.Schema(TASKS)
    assert profiles.jobs.height == profiles.tasks.height == 0


def test_file_can_mix_formats() -> None:
    tree = {"external_id": "job-9", "hierarchy": [{"domain": "Finance", "tasks": [task(9)]}]}
    path = write("export.jsonl", "\n".join([LINES[0], json.dumps(tree), LINES[1]]))
    assert tpa.read_records(path).tasks.select("job_id", "hierarchy").rows() == [("job-1", []), ("job-9", ["Finance"])]


def test_repeated_job_in_file_is_dropped() -> None:
    profiles = tpa.read_records(write("export.jsonl", "\n".join([*LINES, json.dumps(job(1))])))
    assert profiles.jobs["n_tasks"].to_list() == [1, 0, 1]
    assert profiles.manifest["duplicates"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINES[1] + "," + LINES[2], "not valid JSON"),
        (LINES[1][:-4], "not valid JSON"),
        ('{"external_id": "job-2"\n"tasks": []}', "not valid JSON"),
        ("null", "Expected 'object'"),
        ('{"external_id": "job-2"}', "job-2"),
        (json.dumps(job(2, task(1, weekly_hours=-1))), "weekly_hours"),
        ('{"note": ' + "[" * 100_000, "not valid JSON"),
    ],
    ids=["two per line", "truncated", "two lines", "null", "no tasks", "negative hours", "deep nesting"],
)
def test_invalid_line_raises_or_is_collected(line: str, message: str) -> None:
    path = write("export.jsonl", "\n".join([LINES[0], line, json.dumps(job(4))]))
    with pytest.raises(tpa.RecordError, match=r"export\.jsonl, record 2") as exc_info:
        tpa.read_records(path)
    assert message in str(exc_info.value)
    with pytest.warns(tpa.TpAnalyticsWarning):
        profiles = tpa.read_records(path, on_bad_record="collect")
    assert profiles.jobs["job_id"].to_list() == ["job-1", "job-4"]
    assert profiles.rejects["where"].to_list()[0] == "export.jsonl, record 2"


@pytest.mark.parametrize(
    "raw",
    [json.dumps(RECORDS)[:-9], "[" * 100_000, '{"records": ' + "[" * 100_000],
    ids=["truncated list", "deeply nested list", "deeply nested page"],
)
def test_invalid_json_raises(raw: str) -> None:
    with pytest.raises(tpa.RecordError, match=r"export\.json.*not valid JSON"):
        tpa.read_records(write("export.json", raw))


@pytest.mark.parametrize("raw", ["external_id,tasks\njob-1,\n", "\x00"], ids=["CSV", "a null byte"])
def test_file_without_json_raises(raw: str) -> None:
    with pytest.raises(tpa.ConfigError, match=r"export\.json does not contain JSON records.* assign_families"):
        tpa.read_records(write("export.json", raw))


def test_truncated_gzip_file_raises() -> None:
    raw = gzip.compress("\n".join(LINES).encode())
    for length in range(2, len(raw)):
        with pytest.raises(tpa.ConfigError, match=r"export\.jsonl\.gz cannot be read"):
            tpa.read_records(write("export.jsonl.gz", raw[:length]))


def test_damaged_gzip_file_raises() -> None:
    raw = gzip.compress("\n".join(LINES).encode(), mtime=0)
    for position in range(10, len(raw)):  # after the header
        damaged = bytearray(raw)
        damaged[position] ^= 0x55
        with pytest.raises(tpa.ConfigError, match=r"export\.jsonl\.gz cannot be read"):
            tpa.read_records(write("export.jsonl.gz", bytes(damaged)))


def test_missing_file_and_folder_raise() -> None:
    with pytest.raises(tpa.ConfigError, match=r"nothing\.jsonl cannot be read: No such file"):
        tpa.read_records(Path.cwd() / "nothing.jsonl")
    Path("folder").mkdir()
    with pytest.raises(tpa.ConfigError, match=r"folder is a folder\. Use read_profiles for a snapshot"):
        tpa.read_records("folder")


def test_invalid_on_bad_record_raises() -> None:
    with pytest.raises(tpa.ConfigError, match="collect"):
        tpa.read_records(write("export.jsonl", ""), on_bad_record="skip")  # type: ignore[arg-type]


@given(st.binary(max_size=60) | st.text('{}[]":,\n 1aexternal_idtasks', max_size=60).map(str.encode))
def test_arbitrary_files_are_read_or_raise(raw: bytes) -> None:
    try:
        profiles = tpa.read_records(write("export.jsonl", raw))
    except (tpa.RecordError, tpa.ConfigError):
        return
    assert profiles.jobs.schema == pl.Schema(JOBS)
    assert profiles.tasks.height == profiles.jobs["n_tasks"].sum()
