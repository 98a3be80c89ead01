"""An export that broke off goes on from the page it was at, and what it then holds is what an unbroken one gives."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.profiles.test_snapshot import manifest_of, names, no_file_larger_than
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.profiles.snapshot.read_write import replace_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORT = "/job_architecture/export/jobs/task_profiles"


def job(number: int, tasks: int = 2) -> dict[str, Any]:
    said = [
        {
            "task_id": f"t-{number}-{i}",
            "task": "Check the books",
            "validation_state": "validated",
            "weekly_hours": i + 0.5,
        }
        for i in range(tasks)
    ]
    return {"external_id": f"job-{number:03d}", "tasks": said}


def refused(reply: Reply) -> Reply:
    return replace(reply, status=403, body=b"[]")


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """Give a tenant of 70 jobs, which are 70 pages for `pull`."""
    with Tenant(Catalogue([job(i, tasks=i % 3) for i in range(70)])) as tenant:
        yield tenant


def pull(tenant: Tenant, folder: str | None = "kept", **asked: Any) -> tpa.TaskProfiles:
    with tpa.connect(**tenant.settings) as client:
        return tpa.load_task_profiles(client, snapshot=folder, **{"limit": 1, "progress": False, **asked})


def exports(tenant: Tenant) -> int:
    return sum(path == EXPORT for _, path in tenant.requests)


def broken_off(tenant: Tenant, page: int, **asked: Any) -> None:
    """Let an export of `tenant` fail at a page."""
    tenant.faults[exports(tenant) + page] = refused
    with pytest.raises(tpa.AuthError) as caught:
        pull(tenant, **asked)
    assert page == 1 or "asking again goes on from there" in caught.value.__notes__[0]
    tenant.faults.clear()


def same(one: tpa.TaskProfiles, other: tpa.TaskProfiles) -> None:
    assert_frame_equal(one.jobs, other.jobs)
    assert_frame_equal(one.tasks, other.tasks)
    counts = ("jobs", "tasks", "pages", "duplicates", "rejects", "repeated_tasks", "unknown_levels", "unknown_fields")
    assert {name: one.manifest[name] for name in counts} == {name: other.manifest[name] for name in counts}


@pytest.mark.parametrize("page", [1, 2, 16, 17, 18, 51, 70])
def test_it_goes_on_from_the_page_it_broke_off_at(tenant: Tenant, page: int) -> None:
    broken_off(tenant, page)
    before = exports(tenant)
    resumed = pull(tenant)
    assert exports(tenant) - before == 70 - (page - 1)
    same(resumed, pull(tenant, None))
    assert resumed.manifest["resumed_pages"] == page - 1
    assert tpa.read_profiles("kept").manifest == resumed.manifest
    assert not Path("kept", "unfinished.json").exists()


def test_it_may_break_off_again_and_again(tenant: Tenant) -> None:
    before = exports(tenant)
    for page in (5, 1, 30, 2):
        broken_off(tenant, page)
    same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 70 + 4 + 70


def test_pages_are_joined_to_few_files_on_the_way_and_at_the_end(tenant: Tenant) -> None:
    broken_off(tenant, 60)
    assert len([name for name in names("kept") if name.startswith("tasks-")]) < 40
    pull(tenant)
    assert len(manifest_of("kept")["parts"]["tasks"]) == 5
    assert len(names("kept")) == 5 + 3


def test_a_sealed_snapshot_stays_readable_until_the_next_export_is_whole(tenant: Tenant) -> None:
    first = pull(tenant)
    tenant.catalogue = Catalogue([job(i) for i in range(5)])
    broken_off(tenant, 3)
    same(tpa.read_profiles("kept"), first)
    second = pull(tenant)
    assert second.jobs.height == 5
    same(tpa.read_profiles("kept"), second)
    assert len(names("kept")) == 4, "nothing of the first is left"


def test_resume_false_starts_over(tenant: Tenant) -> None:
    broken_off(tenant, 50)
    before = exports(tenant)
    pull(tenant, resume=False)
    assert exports(tenant) - before == 70


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"include": ("weekly_hours",)}, r'include was \["ai_impact", "weekly_hours"\] and is \["weekly_hours"\] now'),
        ({"limit": 2}, "limit was 1 and is 2 now"),
        ({"response_format": "hierarchy"}, 'response_format was "list" and is "hierarchy" now'),
        (
            {"filters": [{"filter": "last_updated", "value": "2026-01-01", "operator": "gt"}]},
            r"filters was \[\] and is",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_unfinished_export_of_another_request_is_refused_and_kept(
    tenant: Tenant, asked: dict[str, Any], said: str
) -> None:
    broken_off(tenant, 5)
    before = names("kept"), exports(tenant)
    with pytest.raises(tpa.SnapshotError, match=said) as caught:
        pull(tenant, **asked)
    assert "resume=False" in str(caught.value)
    assert (names("kept"), exports(tenant)) == before
    assert pull(tenant).jobs.height == 70


def test_an_unfinished_export_of_another_tenant_is_refused(tenant: Tenant) -> None:
    broken_off(tenant, 5)
    with (
        Tenant(name="other") as other,
        pytest.raises(tpa.SnapshotError, match='tenant was "alderbrook" and is "other"'),
    ):
        pull(other)


def test_when_the_service_no_longer_knows_the_job_it_starts_over_and_says_so(tenant: Tenant) -> None:
    broken_off(tenant, 5)
    tenant.catalogue = Catalogue([job(i) for i in range(70) if i != 3])
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"no longer knows.*starts over from the first page.*does not name"):
        profiles = pull(tenant)
    assert profiles.jobs["job_id"].to_list() == [f"job-{i:03d}" for i in range(70) if i != 3]
    same(profiles, pull(tenant, None))


def test_pages_are_kept_when_starting_over_fails_too(tenant: Tenant) -> None:
    broken_off(tenant, 5)
    number = exports(tenant)
    unknown = lambda reply: replace(reply, status=400, body=b"[]")  # noqa: E731
    tenant.faults |= {number + 1: unknown, number + 2: unknown, number + 3: refused}
    with pytest.warns(tpa.TpAnalyticsWarning, match="starts over"), pytest.raises(tpa.AuthError):
        pull(tenant)
    tenant.faults.clear()
    pull(tenant)
    assert exports(tenant) == number + 3 + 66


@pytest.mark.parametrize("damage", ["cut", "emptied", "a flipped bit", "gone", "of another page"])
def test_a_damaged_page_and_those_after_it_are_asked_for_again(tenant: Tenant, damage: str) -> None:
    broken_off(tenant, 9)
    pages = sorted(Path("kept").glob("tasks-*"))
    path = pages[4]
    raw = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = raw[:60] + bytes([raw[60] ^ 1]) + raw[61:]
        path.write_bytes(
            {"cut": raw[:-1], "emptied": b"", "a flipped bit": flipped, "of another page": pages[0].read_bytes()}[
                damage
            ]
        )
    before = exports(tenant)
    same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 66 + 70


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"schema": 2}', b'{"schema": "x"}', b"\xff"], ids=repr)
def test_a_state_that_cannot_be_read_starts_over_and_says_so(tenant: Tenant, raw: bytes) -> None:
    broken_off(tenant, 5)
    Path("kept", "unfinished.json").write_bytes(raw)
    with pytest.warns(tpa.TpAnalyticsWarning, match="starts over from the first page"):
        same(pull(tenant), pull(tenant, None))


def test_a_state_of_a_later_version_is_refused(tenant: Tenant) -> None:
    broken_off(tenant, 5)
    state = Path("kept", "unfinished.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "schema": 3}))
    with pytest.raises(tpa.SnapshotError, match="schema 3"):
        pull(tenant)


def test_a_full_disk_is_said_and_what_was_there_stays_good(tenant: Tenant) -> None:
    broken_off(tenant, 9)
    with no_file_larger_than(1000), pytest.raises(tpa.SnapshotError, match="could not be written") as caught:
        pull(tenant)
    assert caught.value.__notes__[0].startswith("8 pages are kept; asking again goes on from there")
    before = exports(tenant)
    same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 62 + 70


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_sent(tenant: Tenant) -> None:
    Path("file").write_text("mine")
    with pytest.raises(tpa.SnapshotError, match="could not be written"):
        pull(tenant, "file/kept")
    assert tenant.requests == []


def test_duplicates_across_pages_are_left_out_of_the_files_too(tenant: Tenant) -> None:
    def repeated(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["records"].insert(0, job(0))
        return replace(reply, body=json.dumps(page).encode())

    tenant.catalogue = Catalogue([job(i) for i in range(5)])
    tenant.faults[3] = tenant.faults[4] = repeated
    profiles = pull(tenant)
    assert profiles.manifest["duplicates"] == 2
    assert profiles.manifest["repeated_tasks"] == 0
    assert profiles.jobs["job_id"].is_unique().all()
    assert profiles.tasks.height == profiles.jobs["n_tasks"].sum() == 10


WRITER = """
import sys, time
from pathlib import Path
from tpanalytics.profiles.snapshot.layout import locked
with locked(Path("kept")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_and_a_dead_one_is_in_nobodys_way(tenant: Tenant) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdin is not None
    with writer.stdout, writer.stdin:
        assert writer.stdout.readline() == b"held\n"
        for write in (lambda: pull(tenant), lambda: tpa.write_profiles(tpa.load_sample(), "kept")):
            with pytest.raises(tpa.SnapshotError, match="another process is writing"):
                write()
        assert tenant.requests == []
        writer.kill()
        writer.wait()
    assert pull(tenant).jobs.height == 70


def test_lazy_frames_over_the_files_give_the_same(tenant: Tenant) -> None:
    lazy = pull(tenant, lazy=True)
    assert isinstance(lazy.tasks, pl.LazyFrame)
    eager = tpa.read_profiles("kept")
    assert_frame_equal(lazy.jobs.collect(), eager.jobs)
    assert_frame_equal(lazy.tasks.collect(), eager.tasks)
    assert_frame_equal(tpa.hours(lazy), tpa.hours(eager))
    with pytest.raises(tpa.ConfigError, match="lazy=True"):
        pull(tenant, None, lazy=True)


def test_a_lazy_snapshot_knows_the_families_in_tasks_too() -> None:
    with Tenant() as tenant:
        lazy = pull(tenant, limit=100, families="lists", lazy=True)
        eager = pull(tenant, None, limit=100, families="lists")
    assert_frame_equal(lazy.tasks.collect(), eager.tasks)
    assert lazy.manifest["families"] == eager.manifest["families"]


def test_the_manifest_counts_what_the_tenant_lists() -> None:
    with Tenant() as tenant:
        whole = pull(tenant, limit=100)
        assert whole.manifest["jobs_in_tenant_list"] == 240
        assert "3 pages, 0 duplicates, complete; may be a subset" in repr(whole)
        del tenant.catalogue.records[100]
        fewer = pull(tenant, limit=100)
        assert "complete, but the tenant's list of jobs has 240" in repr(fewer)
    with Tenant(Catalogue([job(1)])) as bare:
        bare.rules = replace(bare.rules, lists=False)
        assert pull(bare).manifest["jobs_in_tenant_list"] is None


def test_snapshots_are_listed_and_old_ones_go(tenant: Tenant) -> None:
    for month in ("2026-08", "2026-09", "2026-10", "2026-11"):
        pull(tenant, f"data/{month}", limit=100)
        manifest = json.loads(Path("data", month, "manifest.json").read_text())
        manifest.update(started=f"{month}-01T00:00:00+00:00", finished=f"{month}-01T01:00:00+00:00")
        Path("data", month, "manifest.json").write_text(json.dumps(manifest))
    broken_off(tenant, 2, folder="data/unfinished")
    state = Path("data", "unfinished", "unfinished.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "started": "2026-09-02T00:00:00+00:00"}))
    tpa.write_profiles(tpa.load_sample(), "data/sample")
    Path("data/broken").mkdir()
    Path("data/broken/manifest.json").write_text("{")
    Path("data/broken/tasks-01234567.parquet").write_bytes(b"")
    Path("data/app").mkdir()
    Path("data/app/manifest.json").write_text('{"name": "of some program"}')
    Path("data/2026-08/notes.txt").write_text("mine")

    listed = tpa.list_snapshots("data")
    assert dict(listed.select("folder", "state").rows()) == {
        **{f"data/2026-{month}": "sealed" for month in ("08", "09", "10", "11")},
        "data/sample": "sealed",
        "data/unfinished": "unfinished",
        "data/broken": "damaged",
    }
    assert listed.row(0, named=True)["tenant"] == "alderbrook"
    assert listed.row(0, named=True)["folder"] == "data/2026-11"
    assert (listed["bytes"].head(5) > 0).all()

    gone = ["data/2026-09", "data/2026-08", "data/unfinished"]
    assert tpa.prune_snapshots("data", keep=2, dry_run=True)["folder"].to_list() == gone
    assert tpa.list_snapshots("data").height == 7
    assert tpa.prune_snapshots("data", keep=2)["folder"].to_list() == gone
    assert sorted(path.name for path in Path("data").iterdir()) == [
        *("2026-08", "2026-10", "2026-11", "app", "broken", "sample"),
    ]
    assert names("data/2026-08") == ["notes.txt"]
    with pytest.raises(tpa.ConfigError, match="at least 1"):
        tpa.prune_snapshots("data", keep=0)
    with pytest.raises(tpa.ConfigError, match="no folder"):
        tpa.list_snapshots("nowhere")


def test_what_an_earlier_version_wrote_is_read(sample: tpa.TaskProfiles) -> None:
    tpa.write_profiles(sample, "kept")
    manifest = manifest_of("kept")
    manifest["parts"] = {table: parts[0] for table, parts in manifest["parts"].items()}
    Path("kept", "manifest.json").write_text(json.dumps({**manifest, "schema": 1}))
    assert_frame_equal(tpa.read_profiles("kept").tasks, sample.tasks)


def test_collected_rejects_survive_a_broken_off_export(tenant: Tenant) -> None:
    bad = {"external_id": "job-bad", "tasks": [{"task_id": "t", "task": 5, "validation_state": "validated"}]}
    tenant.catalogue = Catalogue([job(0), bad, job(2), job(3)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        broken_off(tenant, 4, on_bad_record="collect")
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"1 record\(s\) were left out"):
        profiles = pull(tenant, on_bad_record="collect")
    assert profiles.rejects.select("job_id", "path").rows() == [("job-bad", "$.tasks[0].task")]
    assert json.loads(profiles.rejects["raw"].item()) == bad
    assert_frame_equal(tpa.read_profiles("kept").rejects, profiles.rejects)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_stray_refusal_of_the_first_request_loses_no_page(tenant: Tenant, status: int) -> None:
    """It may be a gateway's word; pages are dropped only when the service says twice that it knows no such job."""
    broken_off(tenant, 9)
    before = exports(tenant)
    tenant.faults[before + 1] = lambda reply: replace(reply, status=status, body=b"<html>Not now</html>")
    if status in {404, 410}:
        with pytest.raises(tpa.ApiError, match=str(status)):
            pull(tenant)
    same(pull(tenant), pull(tenant, None))
    assert exports(tenant) - before == 1 + 62 + 70


def test_an_export_under_way_into_an_old_snapshot_is_not_pruned(tenant: Tenant) -> None:
    for name in ("data/old", "data/new"):
        pull(tenant, name, limit=100)
    broken_off(tenant, 5, folder="data/old")
    assert tpa.prune_snapshots("data", keep=1).height == 0
    pull(tenant, "data/old")
    assert exports(tenant) == 2 + 5 + 66


def test_a_snapshot_with_a_damaged_part_is_listed_as_such_and_no_good_one_goes_for_it(tenant: Tenant) -> None:
    for name in ("data/good", "data/bad"):
        pull(tenant, name, limit=100)
    next(Path("data/bad").glob("tasks-*")).write_bytes(b"")
    assert dict(tpa.list_snapshots("data").select("folder", "state").rows()) == {
        "data/good": "sealed",
        "data/bad": "damaged",
    }
    assert tpa.prune_snapshots("data", keep=1).height == 0


def test_data_of_another_kind_are_not_replaced_by_an_export(tenant: Tenant, sample: tpa.TaskProfiles) -> None:
    tpa.write_profiles(sample, "kept")
    with pytest.raises(tpa.SnapshotError, match=r"data of another kind \(sample\)"):
        pull(tenant)
    assert tpa.read_profiles("kept").tasks.height == sample.tasks.height


@pytest.mark.parametrize("folder", ["x" * 300, "a\0b"])
def test_a_name_that_no_folder_can_have_is_refused(tenant: Tenant, folder: str) -> None:
    with pytest.raises(tpa.SnapshotError, match="cannot be used as a folder"):
        pull(tenant, folder)
    assert tenant.requests == []


def test_duplicates_are_counted_even_if_sealing_broke_off(tenant: Tenant) -> None:
    def repeated(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["records"].insert(0, job(0))
        return replace(reply, body=json.dumps(page).encode())

    tenant.faults[3] = repeated
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tpanalytics.profiles.snapshot.resume.write_manifest", full_disk)
        with pytest.raises(tpa.SnapshotError, match="No space left"):
            pull(tenant)
    assert pull(tenant).manifest["duplicates"] == 1


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_bad_records_alike_to_the_letter_are_each_counted(tenant: Tenant) -> None:
    def emptied(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        return replace(reply, body=json.dumps({**page, "records": [{}, *page["records"]]}).encode())

    tenant.catalogue = Catalogue([job(i) for i in range(4)])
    tenant.faults |= {1: emptied, 3: emptied}
    with pytest.warns(tpa.TpAnalyticsWarning, match="2 record"):
        assert pull(tenant, None, on_bad_record="collect").rejects.height == 2


def test_families_are_not_put_over_another_export(tenant: Tenant) -> None:
    first = pull(tenant, limit=100)
    pull(tenant, limit=50)
    with pytest.raises(tpa.SnapshotError, match="another export by now"):
        replace_jobs(first, Path("kept"))
    second = tpa.read_profiles("kept")
    broken_off(tenant, 3)
    with pytest.raises(tpa.SnapshotError, match="another export by now"):
        replace_jobs(second, Path("kept"))
    same(tpa.read_profiles("kept"), second)
