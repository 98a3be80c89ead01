"""Resuming interrupted exports."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.profiles.snapshot.conftest import assert_same, exports, interrupt, job, pull, refuse
from tests.profiles.snapshot.test_read_write import manifest_of, names, no_file_larger_than
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.profiles.snapshot.read_write import replace_jobs

#: Pages are merged into files of 16 pages.
THREE_FILES = Catalogue([job(i, tasks=i % 3) for i in range(35)])


@pytest.mark.parametrize(("pages", "files"), [(1, 1), (2, 1), (16, 1), (17, 2), (18, 2), (35, 3)])
def test_pages_left_over_are_merged_as_well(tenant: Tenant, pages: int, files: int) -> None:
    tenant.catalogue = Catalogue([job(i, tasks=1) for i in range(pages)])
    pull(tenant)
    assert len(list(Path("snapshot").glob("tasks-*"))) == files


@pytest.mark.parametrize("page", [1, 16, 17, 18, 35])
def test_export_resumes_at_the_failed_page(tenant: Tenant, page: int) -> None:
    tenant.catalogue = THREE_FILES
    interrupt(tenant, page)
    before = exports(tenant)
    resumed = pull(tenant)
    assert exports(tenant) - before == 35 - (page - 1)
    assert_same(resumed, pull(tenant, None))
    assert resumed.manifest["resumed_pages"] == page - 1
    assert tpa.read_profiles("snapshot").manifest == resumed.manifest
    assert not Path("snapshot", "unfinished.json").exists()


def test_export_can_be_resumed_repeatedly(tenant: Tenant) -> None:
    before = exports(tenant)
    for page in (3, 1, 6, 2):
        interrupt(tenant, page)
    assert_same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 12 + 4 + 12


def test_pages_are_merged_into_few_files(tenant: Tenant) -> None:
    tenant.catalogue = THREE_FILES
    interrupt(tenant, 32)
    assert len([name for name in names("snapshot") if name.startswith("tasks-")]) < 20
    pull(tenant)
    assert len(manifest_of("snapshot")["parts"]["tasks"]) == 3
    assert len(names("snapshot")) == 3 + 3


def test_snapshot_is_readable_until_next_export_is_complete(tenant: Tenant) -> None:
    first = pull(tenant)
    tenant.catalogue = Catalogue([job(i) for i in range(5)])
    interrupt(tenant, 3)
    assert_same(tpa.read_profiles("snapshot"), first)
    second = pull(tenant)
    assert second.jobs.height == 5
    assert_same(tpa.read_profiles("snapshot"), second)
    assert len(names("snapshot")) == 4, "files of the first export are left"


def test_resume_false_starts_over(tenant: Tenant) -> None:
    interrupt(tenant, 10)
    before = exports(tenant)
    pull(tenant, resume=False)
    assert exports(tenant) - before == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"include": ("weekly_hours",)}, r'include was \["ai_impact", "weekly_hours"\] and is now \["weekly_hours"\]'),
        ({"limit": 2}, "limit was 1 and is now 2"),
        ({"response_format": "hierarchy"}, 'response_format was "list" and is now "hierarchy"'),
        (
            {"filters": [{"filter": "last_updated", "value": "2026-01-01", "operator": "gt"}]},
            r"filters was \[\] and is now",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_unfinished_export_with_other_parameters_raises(tenant: Tenant, options: dict[str, Any], message: str) -> None:
    interrupt(tenant, 5)
    before = names("snapshot"), exports(tenant)
    with pytest.raises(tpa.SnapshotError, match=message) as exc_info:
        pull(tenant, **options)
    assert "resume=False" in str(exc_info.value)
    assert (names("snapshot"), exports(tenant)) == before
    assert pull(tenant).jobs.height == 12


def test_unfinished_export_of_other_tenant_raises(tenant: Tenant) -> None:
    interrupt(tenant, 5)
    with (
        Tenant(name="other") as other,
        pytest.raises(tpa.SnapshotError, match='tenant was "alderbrook" and is now "other"'),
    ):
        pull(other)


def test_unknown_cursor_starts_over_with_warning(tenant: Tenant) -> None:
    interrupt(tenant, 5)
    tenant.catalogue = Catalogue([job(i) for i in range(12) if i != 3])
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"starts over from the first page.*no longer knows its last job"):
        profiles = pull(tenant)
    assert profiles.jobs["job_id"].to_list() == [f"job-{i:03d}" for i in range(12) if i != 3]
    assert_same(profiles, pull(tenant, None))


def test_pages_are_kept_if_starting_over_fails(tenant: Tenant) -> None:
    interrupt(tenant, 5)
    number = exports(tenant)
    unknown = lambda reply: replace(reply, status=400, body=b"[]")  # noqa: E731
    tenant.faults |= {number + 1: unknown, number + 2: unknown, number + 3: refuse}
    with pytest.warns(tpa.TpAnalyticsWarning, match="starts over"), pytest.raises(tpa.AuthError):
        pull(tenant)
    tenant.faults.clear()
    pull(tenant)
    assert exports(tenant) == number + 3 + 8


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped bit", "missing", "of another page"])
def test_damaged_page_and_later_pages_are_requested_again(tenant: Tenant, damage: str) -> None:
    interrupt(tenant, 9)
    pages = sorted(Path("snapshot").glob("tasks-*"))
    path = pages[4]
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        flipped = raw[:60] + bytes([raw[60] ^ 1]) + raw[61:]
        path.write_bytes(
            {"truncated": raw[:-1], "emptied": b"", "flipped bit": flipped, "of another page": pages[0].read_bytes()}[
                damage
            ]
        )
    before = exports(tenant)
    assert_same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 8 + 12


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"schema": 2}', b'{"schema": "x"}', b"\xff"], ids=repr)
def test_unreadable_state_starts_over_with_warning(tenant: Tenant, raw: bytes) -> None:
    interrupt(tenant, 5)
    Path("snapshot", "unfinished.json").write_bytes(raw)
    with pytest.warns(tpa.TpAnalyticsWarning, match="starts over from the first page"):
        assert_same(pull(tenant), pull(tenant, None))


def test_state_of_later_version_raises(tenant: Tenant) -> None:
    interrupt(tenant, 5)
    state = Path("snapshot", "unfinished.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "schema": 4}))
    with pytest.raises(tpa.SnapshotError, match="schema version 4"):
        pull(tenant)


def test_state_of_earlier_version_is_resumed(tenant: Tenant) -> None:
    interrupt(tenant, 5)
    state = Path("snapshot", "unfinished.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "schema": 2}))
    profiles = pull(tenant)
    assert profiles.manifest["resumed_pages"] > 0
    assert_same(profiles, pull(tenant, None))


def test_full_disk_raises_and_keeps_saved_pages(tenant: Tenant) -> None:
    interrupt(tenant, 9)
    with no_file_larger_than(1000), pytest.raises(tpa.SnapshotError, match="could not be written") as exc_info:
        pull(tenant)
    assert exc_info.value.__notes__[0].startswith("8 pages are saved. Run the same call again to resume")
    before = exports(tenant)
    assert_same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 4 + 12


def test_unwritable_folder_raises_before_any_request(tenant: Tenant) -> None:
    Path("file").write_text("mine")
    with pytest.raises(tpa.SnapshotError, match="could not be written"):
        pull(tenant, "file/snapshot")
    assert tenant.requests == []


def test_duplicates_are_dropped_from_files(tenant: Tenant) -> None:
    def repeat_job(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["records"].insert(0, job(0))
        return replace(reply, body=json.dumps(page).encode())

    tenant.catalogue = Catalogue([job(i) for i in range(5)])
    tenant.faults[3] = tenant.faults[4] = repeat_job
    profiles = pull(tenant)
    assert profiles.manifest["duplicates"] == 2
    assert profiles.manifest["repeated_tasks"] == 0
    assert profiles.jobs["job_id"].is_unique().all()
    assert profiles.tasks.height == profiles.jobs["n_tasks"].sum() == 10


WRITER = """
import sys, time
from pathlib import Path
from tpanalytics.profiles.snapshot.layout import locked
with locked(Path("snapshot")):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_folder_is_locked_by_running_process_only(tenant: Tenant) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdin is not None
    with writer.stdout, writer.stdin:
        assert writer.stdout.readline() == b"locked\n"
        for write in (lambda: pull(tenant), lambda: tpa.write_profiles(tpa.load_sample(), "snapshot")):
            with pytest.raises(tpa.SnapshotError, match="another process is writing"):
                write()
        assert tenant.requests == []
        writer.kill()
        writer.wait()
    assert pull(tenant).jobs.height == 12


def test_lazy_frames_equal_eager_frames(tenant: Tenant) -> None:
    lazy = pull(tenant, lazy=True)
    assert isinstance(lazy.tasks, pl.LazyFrame)
    eager = tpa.read_profiles("snapshot")
    assert_frame_equal(lazy.jobs.collect(), eager.jobs)
    assert_frame_equal(lazy.tasks.collect(), eager.tasks)
    assert_frame_equal(tpa.hours(lazy), tpa.hours(eager))
    with pytest.raises(tpa.ConfigError, match="lazy=True"):
        pull(tenant, None, lazy=True)


def test_lazy_tasks_have_families() -> None:
    with Tenant() as tenant:
        lazy = pull(tenant, limit=100, families="lists", lazy=True)
        eager = pull(tenant, None, limit=100, families="lists")
    assert_frame_equal(lazy.tasks.collect(), eager.tasks)
    assert lazy.manifest["families"] == eager.manifest["families"]


def test_manifest_has_number_of_listed_jobs() -> None:
    with Tenant() as tenant:
        profiles = pull(tenant, limit=100)
        assert profiles.manifest["jobs_in_tenant_list"] == 240
        assert "3 pages, 0 duplicates, complete; may be a subset" in repr(profiles)
        del tenant.catalogue.records[100]
        profiles = pull(tenant, limit=100)
        assert "complete, but the tenant's list of jobs has 240" in repr(profiles)
    with Tenant(Catalogue([job(1)])) as without_lists:
        without_lists.rules = replace(without_lists.rules, lists=False)
        assert pull(without_lists).manifest["jobs_in_tenant_list"] is None


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_schema_version_is_read(sample: tpa.TaskProfiles, version: int) -> None:
    old = sample.jobs.drop("headcount").rename({"fte": "headcount"})  # it contained full-time equivalents
    tpa.write_profiles(replace(sample, jobs=old), "snapshot")
    manifest = manifest_of("snapshot")
    del manifest["parts"]["people"]
    if version == 1:
        manifest["parts"] = {table: parts[0] for table, parts in manifest["parts"].items()}
    Path("snapshot", "manifest.json").write_text(json.dumps({**manifest, "schema": version}))
    profiles = tpa.read_profiles("snapshot")
    assert_frame_equal(profiles.tasks, sample.tasks)
    assert_frame_equal(profiles.jobs, sample.jobs.drop("headcount"))
    assert_frame_equal(tpa.read_profiles("snapshot", lazy=True).jobs.collect(), profiles.jobs)
    assert profiles.people is None
    tpa.write_profiles(profiles, "snapshot")  # writes the current version
    assert manifest_of("snapshot")["schema"] == 3
    assert_frame_equal(tpa.read_profiles("snapshot").jobs, profiles.jobs)


def test_rejects_are_kept_on_resume(tenant: Tenant) -> None:
    invalid = {"external_id": "job-bad", "tasks": [{"task_id": "t", "task": 5, "validation_state": "validated"}]}
    tenant.catalogue = Catalogue([job(0), invalid, job(2), job(3)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interrupt(tenant, 4, on_bad_record="collect")
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"1 invalid record skipped"):
        profiles = pull(tenant, on_bad_record="collect")
    assert profiles.rejects.select("job_id", "path").rows() == [("job-bad", "$.tasks[0].task")]
    assert json.loads(profiles.rejects["raw"].item()) == invalid
    assert_frame_equal(tpa.read_profiles("snapshot").rejects, profiles.rejects)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_single_error_on_resume_does_not_discard_pages(tenant: Tenant, status: int) -> None:
    """Pages are only discarded if the service rejects the cursor twice, because a gateway may return errors too."""
    interrupt(tenant, 9)
    before = exports(tenant)
    tenant.faults[before + 1] = lambda reply: replace(reply, status=status, body=b"<html>Not now</html>")
    if status in {404, 410}:
        with pytest.raises(tpa.ApiError, match=str(status)):
            pull(tenant)
    assert_same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 1 + 4 + 12


def test_export_does_not_replace_other_data(tenant: Tenant, sample: tpa.TaskProfiles) -> None:
    tpa.write_profiles(sample, "snapshot")
    with pytest.raises(tpa.SnapshotError, match=r"contains other data \(sample\)"):
        pull(tenant)
    assert tpa.read_profiles("snapshot").tasks.height == sample.tasks.height


@pytest.mark.parametrize("folder", ["x" * 300, "a\0b"])
def test_invalid_folder_name_raises(tenant: Tenant, folder: str) -> None:
    with pytest.raises(tpa.SnapshotError, match="cannot be used as a folder"):
        pull(tenant, folder)
    assert tenant.requests == []


def test_duplicates_are_counted_after_failed_seal(tenant: Tenant) -> None:
    def repeat_job(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["records"].insert(0, job(0))
        return replace(reply, body=json.dumps(page).encode())

    tenant.faults[3] = repeat_job
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tpanalytics.profiles.snapshot.resume.write_manifest", full_disk)
        with pytest.raises(tpa.SnapshotError, match="No space left"):
            pull(tenant)
    assert pull(tenant).manifest["duplicates"] == 1


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_identical_invalid_records_are_counted_separately(tenant: Tenant) -> None:
    def add_empty_record(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        return replace(reply, body=json.dumps({**page, "records": [{}, *page["records"]]}).encode())

    tenant.catalogue = Catalogue([job(i) for i in range(4)])
    tenant.faults |= {1: add_empty_record, 3: add_empty_record}
    with pytest.warns(tpa.TpAnalyticsWarning, match="2 invalid records"):
        assert pull(tenant, None, on_bad_record="collect").rejects.height == 2


def test_families_are_not_written_to_another_export(tenant: Tenant) -> None:
    first = pull(tenant, limit=12)
    pull(tenant, limit=6)
    with pytest.raises(tpa.SnapshotError, match="replaced by another export"):
        replace_jobs(first, Path("snapshot"))
    second = tpa.read_profiles("snapshot")
    interrupt(tenant, 3)
    with pytest.raises(tpa.SnapshotError, match="replaced by another export"):
        replace_jobs(second, Path("snapshot"))
    assert_same(tpa.read_profiles("snapshot"), second)
