"""Writing and reading of snapshots."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_records import records as random_records
from tpanalytics.schema import JOBS, OPTIONAL_JOBS, REJECTS, TASKS, empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tpanalytics.demo.server import Tenant

resource = pytest.importorskip("resource", reason="file size limits are required to simulate a full disk")


def assert_same(left: tpa.TaskProfiles, right: tpa.TaskProfiles) -> None:
    assert_frame_equal(left.jobs, right.jobs)
    assert_frame_equal(left.tasks, right.tasks)
    assert_frame_equal(left.rejects, right.rejects)
    assert {**left.manifest, "content_sha256": None} == {**right.manifest, "content_sha256": None}


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).rglob("*") if path.name != ".lock")


def manifest_of(folder: str | Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def small(name: str = "job-1") -> tpa.TaskProfiles:
    """Return task profiles of a job with one task."""
    task = {"job_id": name, "task_id": "t", "task": "Prüfen", "validation_state": "validated", "hierarchy": []}
    return tpa.TaskProfiles(
        jobs=pl.DataFrame({column: [{"job_id": name, "n_tasks": 1}.get(column)] for column in JOBS}, schema=JOBS),
        tasks=pl.DataFrame({column: [task.get(column)] for column in TASKS}, schema=TASKS),
        manifest={"jobs": 1, "tasks": 1},
    )


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Limit the size of written files to simulate a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_written_profiles_can_be_read(company: tpa.TaskProfiles) -> None:
    assert tpa.write_profiles(company, "snapshot") == Path("snapshot")
    assert_same(tpa.read_profiles("snapshot"), company)
    assert_same(tpa.read_profiles(Path("snapshot").resolve()), company)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(-1e9, 1e9)
    | st.text("aé研\n\"'\\", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abé", max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(random_records(), st.dictionaries(st.sampled_from(["source", "request", "jobs", "later"]), _json), st.data())
def test_random_profiles_can_be_read(
    records: list[dict[str, Any]], manifest: dict[str, Any], data: st.DataObject
) -> None:
    Path("records.json").write_text(json.dumps(records), encoding="utf-8")
    profiles = tpa.read_records("records.json")
    numbers = st.lists(st.none() | st.floats(0, 1e6), min_size=profiles.jobs.height, max_size=profiles.jobs.height)
    if data.draw(st.booleans()):
        profiles = replace(
            profiles, jobs=profiles.jobs.with_columns(fte=pl.Series(data.draw(numbers), dtype=pl.Float64))
        )
    rejects = [
        dict.fromkeys(REJECTS, text)
        for text in data.draw(st.lists(st.none() | st.text("é研,", max_size=3), max_size=2))
    ]
    profiles = replace(profiles, manifest=manifest, rejects=pl.DataFrame(rejects, schema=REJECTS))
    tpa.write_profiles(profiles, "snapshot")  # replaces the snapshot of the previous example
    assert_same(tpa.read_profiles("snapshot"), profiles)
    assert len(names("snapshot")) == 4


def test_empty_profiles_keep_their_dtypes() -> None:
    tpa.write_profiles(tpa.TaskProfiles(jobs=empty(JOBS), tasks=empty(TASKS)), "snapshot")
    profiles = tpa.read_profiles("snapshot")
    assert profiles.jobs.schema == pl.Schema(JOBS)
    assert profiles.tasks.schema == pl.Schema(TASKS)
    assert profiles.rejects.schema == pl.Schema(REJECTS)


def test_lazy_frames_can_be_written(sample: tpa.TaskProfiles) -> None:
    lazy = replace(sample, jobs=sample.jobs.lazy(), tasks=sample.tasks.lazy())
    assert_same(tpa.read_profiles(tpa.write_profiles(lazy, "snapshot")), sample)


def test_lazy_frame_can_replace_its_own_snapshot(sample: tpa.TaskProfiles) -> None:
    tpa.write_profiles(sample, "snapshot")
    part = Path("snapshot", manifest_of("snapshot")["parts"]["tasks"][0]["file"])
    validated = pl.scan_parquet(part).filter(pl.col("validation_state") == "validated")
    tpa.write_profiles(replace(sample, tasks=validated), "snapshot")
    assert tpa.read_profiles("snapshot").tasks["validation_state"].unique().to_list() == ["validated"]
    assert not part.exists()


def test_additional_columns_are_kept(sample: tpa.TaskProfiles) -> None:
    assert set(OPTIONAL_JOBS) <= set(sample.jobs.columns)
    wide = replace(sample, jobs=sample.jobs.with_columns(site=pl.lit("North")))
    assert_same(tpa.read_profiles(tpa.write_profiles(wide, "snapshot")), wide)


def test_people_are_kept(sample: tpa.TaskProfiles) -> None:
    people = pl.DataFrame(
        {"job_id": ["job-0002"] * 2, "country": ["BE", None], "headcount": [3, None], "fte": [None, 0.5]}
    )
    staffed = replace(sample, people=people)
    read = tpa.read_profiles(tpa.write_profiles(staffed, "snapshot"))
    assert_same(read, staffed)
    assert read.people is not None
    assert_frame_equal(read.people, people)
    lazy = tpa.read_profiles("snapshot", lazy=True)
    assert isinstance(lazy.tasks, pl.LazyFrame)
    assert lazy.people is not None
    assert len(names("snapshot")) == 5
    Path("snapshot", manifest_of("snapshot")["parts"]["people"][0]["file"]).unlink()
    with pytest.raises(tpa.SnapshotError, match=r"people-.* is missing"):
        tpa.read_profiles("snapshot")

    tpa.write_profiles(sample, "snapshot")
    assert tpa.read_profiles("snapshot").people is None
    assert len(names("snapshot")) == 4
    with pytest.raises(tpa.SchemaError, match="`people` has no column 'fte'"):
        tpa.write_profiles(replace(sample, people=people.drop("fte")), "other")


def test_parent_folders_are_created() -> None:
    assert_same(tpa.read_profiles(tpa.write_profiles(small(), "years/2026/snapshot")), small())
    Path("empty").mkdir()
    assert_same(tpa.read_profiles(tpa.write_profiles(small(), "empty")), small())


def test_snapshot_can_be_moved(sample: tpa.TaskProfiles) -> None:
    tpa.write_profiles(sample, "snapshot")
    Path("snapshot").rename("moved")
    assert_same(tpa.read_profiles("moved"), sample)


def test_replacing_a_snapshot_deletes_old_parts() -> None:
    for name in ("first", "second", "third"):
        tpa.write_profiles(small(name), "snapshot")
        parts = {part["file"] for table in manifest_of("snapshot")["parts"].values() for part in table}
        assert names("snapshot") == sorted({"manifest.json", *parts})
    assert_same(tpa.read_profiles("snapshot"), small("third"))


def test_other_files_in_a_snapshot_are_kept() -> None:
    tpa.write_profiles(small(), "snapshot")
    Path("snapshot", "notes.txt").write_text("mine")
    tpa.write_profiles(small("second"), "snapshot")
    assert Path("snapshot", "notes.txt").read_text() == "mine"


def test_snapshot_does_not_contain_secrets_or_paths(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    client = tpa.connect(**tenant.settings)
    folder = Path.cwd() / "private folder" / "snapshot"
    tpa.load_task_profiles(client, families="lists", snapshot=folder, progress=False)
    Path("files").mkdir()
    jobs = Path.cwd() / "files" / "jobs.csv"
    jobs.write_text("job_id,job_family_id\njob-0002,fam-a\n")
    export = Path.cwd() / "files" / "export.jsonl"
    export.write_text('{"external_id": "job-0002", "tasks": []}')
    other = tpa.write_profiles(tpa.assign_families(tpa.read_records(export), jobs), Path.cwd() / "other")
    secrets = (
        tenant.settings["client_secret"],
        tenant.settings["client_id"],
        str(Path.cwd()),
        "private folder",
    )
    for part in [*folder.iterdir(), *other.iterdir()]:
        raw = part.read_bytes()
        for secret in secrets:
            assert secret.encode() not in raw
        assert b"tok-" not in raw


def test_reading_other_folders_raises() -> None:
    Path("empty").mkdir()
    Path("file").write_text("x")
    for folder in ("missing", "empty", "file"):
        with pytest.raises(tpa.SnapshotError, match=f"{folder} is not a snapshot"):
            tpa.read_profiles(folder)


@pytest.mark.parametrize("table", ["jobs", "tasks", "rejects"])
def test_missing_part_raises(sample: tpa.TaskProfiles, table: str) -> None:
    tpa.write_profiles(sample, "snapshot")
    part = manifest_of("snapshot")["parts"][table][0]["file"]
    Path("snapshot", part).unlink()
    with pytest.raises(tpa.SnapshotError, match=f"{part} is missing"):
        tpa.read_profiles("snapshot")


@pytest.mark.parametrize("table", ["jobs", "tasks", "rejects"])
@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "extended", "emptied", "of another snapshot"])
def test_damaged_part_raises(sample: tpa.TaskProfiles, table: str, damage: str) -> None:
    tpa.write_profiles(sample, "snapshot")
    part = Path("snapshot", manifest_of("snapshot")["parts"][table][0]["file"])
    raw = part.read_bytes()
    middle = len(raw) // 2
    other = tpa.write_profiles(replace(small(), rejects=pl.DataFrame({c: ["x"] for c in REJECTS})), "other")
    part.write_bytes(
        {
            "flipped bit": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
            "truncated": raw[:-1],
            "extended": raw + b"\0",
            "emptied": b"",
            "of another snapshot": (other / manifest_of(other)["parts"][table][0]["file"]).read_bytes(),
        }[damage]
    )
    with pytest.raises(tpa.SnapshotError, match=f"{part.name} is damaged"):
        tpa.read_profiles("snapshot")


def part(**changes: Any) -> dict[str, Any]:
    return {"file": "jobs-1.parquet", "rows": 1, "sha256": "0", **changes}


PARTS = {table: [part()] for table in ("jobs", "tasks", "rejects")}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"schema": 4, "parts": PARTS}, "schema version 4"),
        ({"schema": 3, "parts": PARTS}, "is damaged"),
        ({"schema": 99, "tables": ["of a later version"]}, "schema version 99"),
        ({"schema": 1}, "is damaged"),
        ({"parts": PARTS}, "is damaged"),
        ({"schema": "1", "parts": PARTS}, "is damaged"),
        ({"schema": None, "parts": PARTS}, "is damaged"),
        ({"schema": 1, "parts": []}, "is damaged"),
        ({"schema": 2, "parts": {**PARTS, "jobs": None}}, "is damaged"),
        ({"schema": 2, "parts": {**PARTS, "jobs": [part(file=5)]}}, "is damaged"),
        ({"schema": 2, "parts": {**PARTS, "tasks": [{"file": "x"}]}}, "is damaged"),
        ({"schema": 2, "parts": {"jobs": [part()]}}, "is damaged"),
        ([], "is damaged"),
        (None, "is damaged"),
        ("text", "is damaged"),
        (b"", "is damaged"),
        (b'{"schema": 1, "par', "is damaged"),
        (b"\xff\xfe{}", "is damaged"),
        (b"[" * 100_000, "is damaged"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_invalid_manifest_raises(manifest: Any, message: str) -> None:
    tpa.write_profiles(small(), "snapshot")
    path = Path("snapshot", "manifest.json")
    path.write_bytes(manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode())
    before = {name: Path("snapshot", name).read_bytes() for name in names("snapshot")}
    with pytest.raises(tpa.SnapshotError, match=message):
        tpa.read_profiles("snapshot")
    with pytest.raises(tpa.SnapshotError, match=message):
        tpa.write_profiles(small("second"), "snapshot")
    assert {name: Path("snapshot", name).read_bytes() for name in names("snapshot")} == before


def test_manifest_cannot_refer_to_other_folders() -> None:
    tpa.write_profiles(small(), "snapshot")
    tpa.write_profiles(small("second"), "other")
    outside = Path("other", manifest_of("other")["parts"]["jobs"][0]["file"])
    manifest = manifest_of("snapshot")
    manifest["parts"]["jobs"][0]["file"] = f"../other/{outside.name}"
    Path("snapshot", "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(tpa.SnapshotError, match="is missing"):
        tpa.read_profiles("snapshot")
    tpa.write_profiles(small("third"), "snapshot")  # deletes the parts in the manifest
    assert_same(tpa.read_profiles("other"), small("second"))


def test_writing_to_other_folders_raises() -> None:
    Path("letters").mkdir()
    Path("letters", "dear.txt").write_text("mine")
    with pytest.raises(tpa.SnapshotError, match=r"letters is not a snapshot: it contains 'dear\.txt'"):
        tpa.write_profiles(small(), "letters")
    with pytest.raises(tpa.SnapshotError, match=r"dear\.txt is a file"):
        tpa.write_profiles(small(), "letters/dear.txt")
    with pytest.raises(tpa.SnapshotError, match="could not be written"):
        tpa.write_profiles(small(), "letters/dear.txt/snapshot")
    assert names("letters") == ["dear.txt"]
    assert Path("letters", "dear.txt").read_text() == "mine"


@pytest.mark.parametrize(("table", "column"), [("jobs", "n_tasks"), ("tasks", "weekly_hours")])
def test_missing_column_raises_before_writing(table: str, column: str) -> None:
    profiles = small()
    profiles = replace(profiles, **{table: getattr(profiles, table).drop(column)})
    with pytest.raises(tpa.SchemaError, match=f"`{table}` has no column '{column}'"):
        tpa.write_profiles(profiles, "snapshot")
    assert not Path("snapshot").exists()


# File size limit by the first file that exceeds it. A part with one row is smaller than its manifest.
LIMITS = {"first part": 10, "largest part": 100_000, "manifest": 10_000}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_failed_write_keeps_the_old_snapshot(sample: tpa.TaskProfiles, limit: int) -> None:
    tpa.write_profiles(small(), "snapshot")
    before = names("snapshot")
    new = replace(small("second"), manifest={"note": "x" * 20_000}) if limit == LIMITS["manifest"] else sample
    with no_file_larger_than(limit), pytest.raises(tpa.SnapshotError, match=r"could not be written.*unchanged"):
        tpa.write_profiles(new, "snapshot")
    assert names("snapshot") == before
    assert_same(tpa.read_profiles("snapshot"), small())
    tpa.write_profiles(new, "snapshot")  # succeeds without the limit
    assert_same(tpa.read_profiles("snapshot"), new)


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_failed_first_write_leaves_an_empty_folder(sample: tpa.TaskProfiles, limit: int) -> None:
    new = replace(small("second"), manifest={"note": "x" * 20_000}) if limit == LIMITS["manifest"] else sample
    with no_file_larger_than(limit), pytest.raises(tpa.SnapshotError, match="could not be written"):
        tpa.write_profiles(new, "snapshot")
    assert names("snapshot") == []
    assert_same(tpa.read_profiles(tpa.write_profiles(new, "snapshot")), new)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"manifest": {"when": object()}}, TypeError),
        ({"tasks": small().tasks.lazy().with_columns(pl.col("task").cast(pl.Int64))}, pl.exceptions.PolarsError),
    ],
    ids=["manifest that is not JSON", "lazy frame that cannot be collected"],
)
def test_failed_serialization_leaves_no_files(change: dict[str, Any], error: type[Exception]) -> None:
    tpa.write_profiles(small(), "snapshot")
    before = names("snapshot")
    with pytest.raises(error):
        tpa.write_profiles(replace(small("second"), **change), "snapshot")
    assert names("snapshot") == before
    assert_same(tpa.read_profiles("snapshot"), small())


def test_files_of_a_killed_process_are_removed(sample: tpa.TaskProfiles) -> None:
    folder = Path("snap")
    folder.mkdir()
    for name in ("jobs-01234567.parquet", ".tasks-01234567-89abcdef.parquet", ".DS_Store"):
        (folder / name).write_bytes(b"half")
    tpa.write_profiles(sample, folder)
    assert_frame_equal(tpa.read_profiles(folder).tasks, sample.tasks)
    remaining = {entry.name for entry in folder.iterdir()}
    assert not remaining & {"jobs-01234567.parquet", ".tasks-01234567-89abcdef.parquet"}
    assert ".DS_Store" in remaining


def test_a_folder_of_snapshots_is_answered_with_their_names(sample: tpa.TaskProfiles) -> None:
    for name in ("2026-05", "2026-11"):
        tpa.write_profiles(sample.filter(job_id="job-0002"), f"snapshots/{name}")
    with pytest.raises(tpa.SnapshotError, match=r"'2026-05' and '2026-11': pass '.*2026-05', or use read_history"):
        tpa.read_profiles("snapshots")
