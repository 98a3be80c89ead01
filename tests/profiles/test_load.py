"""Loading task profiles from a tenant."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_records import EVERYTHING, records as random_records
from tests.profiles.conftest import job, small_company, task, write
from tpanalytics.api.wire import decode_page, read_envelope
from tpanalytics.demo.handlers import Catalogue, Rules
from tpanalytics.profiles.frames import frames_of
from tpanalytics.schema import JOBS, REJECTS, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.demo.server import Reply, Tenant

OPTIONAL = ("weekly_hours", "ai_impact_level", "ai_impact_rationale", "source_data", "linked_skills")


def load(tenant: Tenant, **options: Any) -> tpa.TaskProfiles:
    client = tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=2, base=0))
    return tpa.load_task_profiles(client, **{"include": EVERYTHING, "progress": False, **options})


def assert_same_tables(left: tpa.TaskProfiles, right: tpa.TaskProfiles) -> None:
    assert_frame_equal(left.jobs, right.jobs)
    assert_frame_equal(left.tasks, right.tasks)


def edit_page(change: Callable[[dict[str, Any]], object]) -> Callable[[Reply], Reply]:
    """Return a fault that changes a page in place."""

    def fault(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        change(page)
        return replace(reply, body=json.dumps(page).encode())

    return fault


def exports(tenant: Tenant) -> int:
    return sum(path.endswith("task_profiles") for _, path in tenant.requests)


@pytest.mark.parametrize("limit", [1, 7, 39])
def test_page_size_does_not_change_tables(serve: Callable[..., Tenant], limit: int) -> None:
    tenant = serve()
    expected, profiles = load(tenant, limit=15), load(tenant, limit=limit)
    assert_same_tables(expected, profiles)
    assert expected.manifest["pages"] == 3
    assert profiles.manifest["pages"] == -(-40 // limit)
    assert profiles.manifest["duplicates"] == 0


@given(random_records(), st.integers(1, 4), st.sampled_from(["groups", "nodes"]))
def test_tables_are_independent_of_page_size_format_and_source(
    tenant: Tenant, records: list[dict[str, Any]], limit: int, shape: Any
) -> None:
    tenant.catalogue, tenant.rules = Catalogue(records), Rules(hierarchy_shape=shape)
    expected = load(tenant)
    assert_same_tables(load(tenant, limit=limit), expected)
    tree = load(tenant, limit=limit, response_format="hierarchy")
    assert_frame_equal(tree.jobs, expected.jobs)
    # The tree has a different order because it groups tasks by path.
    rows = expected.tasks.drop("hierarchy").rows()
    assert sorted(tree.tasks.drop("hierarchy").rows(), key=repr) == sorted(rows, key=repr)
    assert_same_tables(tpa.read_records(write("records.json", json.dumps(records))), expected)


@given(random_records())
def test_frames_contain_the_values_of_the_page(records: list[dict[str, Any]]) -> None:
    body = json.dumps({"has_next": False, "records": records}).encode()
    jobs, tasks = frames_of(decode_page(read_envelope(body), where="here", response_format="list"))
    assert (jobs.schema, tasks.schema) == (pl.Schema(JOBS), pl.Schema(TASKS))
    assert jobs.select("job_id", "n_tasks").rows() == [(job["external_id"], len(job["tasks"])) for job in records]
    expected = [{**task, "job_id": job["external_id"]} for job in records for task in job["tasks"]]
    for name in ("job_id", "task_id", "task", "validation_state", "weekly_hours", "linked_skills"):
        assert tasks[name].to_list() == [task.get(name) for task in expected]
    for part in ("level", "rationale"):
        assert tasks[f"ai_impact_{part}"].to_list() == [(task.get("ai_impact") or {}).get(part) for task in expected]
    sources = [task.get("source_data") for task in expected]
    assert tasks["source_data"].to_list() == [s and [entry["external_id"] for entry in s] for s in sources]
    assert tasks["hierarchy"].to_list() == [[]] * len(expected)


def test_hierarchy_adds_path_of_each_task(serve: Callable[..., Tenant]) -> None:
    flat = load(serve())
    for shape in ("groups", "nodes"):
        nested = load(serve(hierarchy_shape=shape), response_format="hierarchy")
        assert_frame_equal(nested.jobs, flat.jobs)
        assert_frame_equal(
            nested.tasks.drop("hierarchy"), flat.tasks.drop("hierarchy"), check_row_order=False, check_exact=True
        )
        expected = {
            (record["external_id"], task["task_id"]): task["hierarchy"] or []
            for record in small_company().records
            for task in record["tasks"]
        }
        rows = nested.tasks.select("job_id", "task_id", "hierarchy").rows()
        assert all(expected[job_id, task_id] == path for job_id, task_id, path in rows)
        assert {len(path) for *_, path in rows} == {0, 4}
    assert flat.tasks["hierarchy"].list.len().to_list() == [0] * flat.tasks.height


def test_jobs_without_tasks_are_kept(serve: Callable[..., Tenant]) -> None:
    records = [job(0), job(1, task(1)), job(2), job(3), job(4, task(1), task(2)), job(5)]
    for response_format in ("list", "hierarchy"):
        profiles = load(serve(*records), limit=2, response_format=response_format)
        assert profiles.jobs.select("job_id", "n_tasks").rows() == [
            ("job-0", 0),
            ("job-1", 1),
            ("job-2", 0),
            ("job-3", 0),
            ("job-4", 2),
            ("job-5", 0),
        ]
        assert profiles.tasks["job_id"].to_list() == ["job-1", "job-4", "job-4"]


def test_export_without_any_tasks(serve: Callable[..., Tenant]) -> None:
    profiles = load(serve(*[job(i) for i in range(5)]), limit=2)
    assert profiles.jobs["n_tasks"].to_list() == [0] * 5
    assert profiles.tasks.schema == pl.Schema(TASKS)


def test_repeated_jobs_are_dropped_and_counted(serve: Callable[..., Tenant]) -> None:
    tenant = serve(job(1, task(1), task(2)), job(2), job(3, task(3)), job(4, task(4)))
    # Job 1 moves during the export, and job 3 is on the second page twice.
    tenant.faults[2] = edit_page(lambda page: page["records"].extend([job(1, task(9)), job(3, task(9), task(10))]))
    profiles = load(tenant, limit=2)
    assert profiles.jobs.select("job_id", "n_tasks").rows() == [("job-1", 2), ("job-2", 0), ("job-3", 1), ("job-4", 1)]
    assert profiles.tasks.select("job_id", "task_id").rows() == [
        ("job-1", "t1"),
        ("job-1", "t2"),
        ("job-3", "t3"),
        ("job-4", "t4"),
    ]
    assert (profiles.manifest["jobs"], profiles.manifest["tasks"], profiles.manifest["duplicates"]) == (4, 4, 2)
    assert "2 duplicates" in repr(profiles)


@pytest.mark.parametrize("response_format", ["list", "hierarchy"])
def test_invalid_record_raises_or_is_collected(serve: Callable[..., Tenant], response_format: Any) -> None:
    invalid = job(3, task(1), task(2, weekly_hours="five", task="Confidential text"))
    tenant = serve(job(1, task(1)), job(2), invalid, job(4, task(1)))
    with pytest.raises(tpa.RecordError, match="page 2, record 1, job 'job-3'") as exc_info:
        load(tenant, limit=2, response_format=response_format)
    assert "weekly_hours" in exc_info.value.path
    assert "Confidential" not in str(exc_info.value)

    with pytest.warns(tpa.TpAnalyticsWarning, match="1 invalid record.*page 2, record 1, job 'job-3"):
        profiles = load(tenant, limit=2, response_format=response_format, on_bad_record="collect")
    assert profiles.jobs["job_id"].to_list() == ["job-1", "job-2", "job-4"]
    assert profiles.tasks["job_id"].to_list() == ["job-1", "job-4"]
    assert profiles.rejects.schema == pl.Schema(REJECTS)
    [reject] = profiles.rejects.to_dicts()
    assert (reject["where"], reject["job_id"], reject["path"]) == ("page 2, record 1", "job-3", exc_info.value.path)
    assert '"five"' in reject["reason"]
    assert "Confidential" in reject.pop("raw")
    assert "Confidential" not in str(reject)
    assert profiles.manifest["rejects"] == 1
    assert "1 invalid record skipped" in repr(profiles)


def test_valid_record_after_invalid_one_is_not_a_duplicate(serve: Callable[..., Tenant]) -> None:
    tenant = serve(job(1, task(1)), job(2, task(2)))
    tenant.faults[1] = edit_page(lambda page: page["records"].insert(0, job(2, {"task_id": "t"})))
    with pytest.warns(tpa.TpAnalyticsWarning):
        profiles = load(tenant, on_bad_record="collect")
    assert profiles.jobs["job_id"].to_list() == ["job-1", "job-2"]
    assert (profiles.manifest["rejects"], profiles.manifest["duplicates"]) == (1, 0)


@pytest.mark.parametrize("layout", ["one job", "one task per job", "one job per page"])
def test_values_that_appear_late_are_kept(serve: Callable[..., Tenant], layout: str) -> None:
    late = {
        "weekly_hours": 2.5,
        "ai_impact": {"level": "H9", "rationale": "late"},
        "source_data": [{"external_id": "jd"}],
        "linked_skills": [{"skill_id": "s", "skill": "Late"}],
    }
    tasks = [*(task(i, weekly_hours=1) for i in range(100)), task(100, **late), task(101, weekly_hours=3)]
    records = [job(0, *tasks)] if layout == "one job" else [job(i, task) for i, task in enumerate(tasks)]
    loaded = load(serve(*records), limit=1 if layout == "one job per page" else 100)
    read = tpa.read_records(write("records.json", json.dumps(records)))
    for profiles in (loaded, read):
        hours = profiles.tasks["weekly_hours"]
        assert hours.dtype == pl.Float64
        assert hours.to_list() == [1.0] * 100 + [2.5, 3.0]
        row = profiles.tasks.row(100, named=True)
        assert (row["ai_impact_level"], row["ai_impact_rationale"]) == ("H9", "late")
        assert row["source_data"] == ["jd"]
        assert row["linked_skills"] == [{"skill_id": "s", "skill": "Late"}]
        assert profiles.tasks.schema == pl.Schema(TASKS)


@pytest.mark.parametrize("response_format", ["list", "hierarchy"])
def test_empty_export_has_typed_columns(tenant: Tenant, response_format: Any) -> None:
    tenant.catalogue = Catalogue([])
    profiles = load(tenant, response_format=response_format)
    for frame, schema in ((profiles.jobs, JOBS), (profiles.tasks, TASKS), (profiles.rejects, REJECTS)):
        assert frame.height == 0
        assert frame.schema == pl.Schema(schema)
    assert profiles.manifest["complete"] is True
    assert (profiles.manifest["jobs"], profiles.manifest["pages"]) == (0, 1)


def test_excluded_columns_are_null(serve: Callable[..., Tenant]) -> None:
    tasks = load(serve(), include=()).tasks
    assert tasks.schema == pl.Schema(TASKS)
    assert [tasks[name].null_count() for name in OPTIONAL] == [tasks.height] * len(OPTIONAL)
    assert tasks["validation_state"].null_count() == 0


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("weekly_hours", {"weekly_hours"}),
        ("ai_impact", {"ai_impact_level", "ai_impact_rationale"}),
        ("source_data", {"source_data"}),
        ("linked_skills", {"linked_skills"}),
    ],
)
def test_include_fills_its_columns(serve: Callable[..., Tenant], name: str, columns: set[str]) -> None:
    tasks = load(serve(), include=(name,)).tasks
    assert {column for column in OPTIONAL if tasks[column].null_count() < tasks.height} == columns


def test_rejected_tasks_are_optional(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    assert "rejected" not in load(tenant, include=()).tasks["validation_state"].unique()
    assert "rejected" in load(tenant, include=("rejected_tasks",)).tasks["validation_state"].unique()


def test_unrequested_values_are_kept(serve: Callable[..., Tenant]) -> None:
    assert_same_tables(load(serve(generous=True), include=()), load(serve(), include=("weekly_hours",)))


def test_loading_equals_reading_the_same_records(serve: Callable[..., Tenant]) -> None:
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in small_company().records)
    assert_same_tables(load(serve()), tpa.read_records(write("export.jsonl", lines)))


def test_manifest_describes_request_and_result(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    manifest = load(
        tenant, limit=15, filters=({"filter": "last_updated", "value": "1990-01-01", "operator": "gt"},)
    ).manifest
    assert manifest["source"] == {
        "kind": "export",
        "base_url": tenant.base_url,
        "tenant": "alderbrook",
        "service_version": "2025-01-29",
    }
    assert manifest["request"]["limit"] == 15
    assert manifest["request"]["include"] == list(EVERYTHING)
    assert manifest["request"]["filters"][0]["value"] == "1990-01-01"
    assert manifest["pages"] == exports(tenant)
    assert manifest["started"] <= manifest["finished"]
    assert json.loads(json.dumps(manifest)) == manifest
    assert tenant.settings["client_secret"] not in json.dumps(manifest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"include": "weekly_hours"}, "must be a list"),
        ({"include": ("hours",)}, "include"),
        ({"families": "fam-fin"}, "'lists'"),
        ({"response_format": "tree"}, "hierarchy"),
        ({"external_vendor": "oracle"}, "workday"),
        ({"on_bad_record": "skip"}, "collect"),
        ({"limit": 0}, "1 to 100"),
        ({"limit": 101}, "1 to 100"),
        ({"filters": ("last_updated",)}, "filters"),
    ],
    ids=repr,
)
def test_invalid_arguments_raise_before_any_request(
    serve: Callable[..., Tenant], options: dict[str, Any], message: str
) -> None:
    tenant = serve(job(1))
    with pytest.raises(tpa.ConfigError, match=message):
        load(tenant, **options)
    assert tenant.requests == []


@pytest.mark.parametrize(
    "load",
    [tpa.load_task_profiles, lambda client: tpa.load_job(client, "job-1"), tpa.load_employee_task_profiles],
    ids=["all jobs", "one job", "employees"],
)
def test_missing_client_raises(load: Callable[[Any], Any]) -> None:
    with pytest.raises(tpa.ArgumentError, match=r"`client` must be a Client from connect\(\), not None\."):
        load(None)


def test_folder_with_other_files_raises_before_any_request(serve: Callable[..., Tenant]) -> None:
    tenant = serve(job(1))
    write("letter.txt", "mine")
    with pytest.raises(tpa.SnapshotError, match="is not a snapshot"):
        load(tenant, snapshot=".")
    assert tenant.requests == []
    assert Path("letter.txt").read_text() == "mine"


def test_snapshot_equals_loaded_profiles(serve: Callable[..., Tenant]) -> None:
    loaded = load(serve(), snapshot="snapshot", families="lists")
    read = tpa.read_profiles("snapshot")
    assert_same_tables(loaded, read)
    assert read.manifest == loaded.manifest


def test_interrupted_export_can_be_resumed(
    serve: Callable[..., Tenant],
) -> None:
    tenant = serve()
    tenant.faults[2] = edit_page(lambda page: page.update(records="none"))
    client = tpa.connect(**tenant.settings)
    with pytest.raises(tpa.ApiError, match=r"records"):
        tpa.load_task_profiles(client, snapshot="snapshot", limit=15, progress=False)
    assert client.on_wait is None
    with pytest.raises(tpa.SnapshotError, match="contains an unfinished export"):
        tpa.read_profiles("snapshot")
    tenant.faults.clear()
    before = exports(tenant)
    resumed = tpa.load_task_profiles(client, snapshot="snapshot", limit=15, progress=False)
    assert_same_tables(resumed, tpa.load_task_profiles(client, limit=15, progress=False))
    assert exports(tenant) - before == 2 + 3


class Terminal(io.StringIO):
    """Text stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("progress", [True, False])
def test_progress_bar_is_optional(
    serve: Callable[..., Tenant], monkeypatch: pytest.MonkeyPatch, progress: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    load(serve(*[job(i) for i in range(3)]), limit=1, progress=progress)
    assert ("Task profiles" in terminal.getvalue()) is progress
    assert bool(terminal.getvalue()) is progress


@pytest.mark.parametrize("status", [403, 404, 500])
def test_missing_version_does_not_stop_export(serve: Callable[..., Tenant], status: int) -> None:
    tenant = serve()
    original = tenant.reply

    def reply_without_version(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
        reply = original(method, target, headers, raw)
        return replace(reply, status=status, body=b"[]") if target.startswith("/version") else reply

    tenant.reply = reply_without_version  # type: ignore[method-assign]
    profiles = load(tenant)
    assert (profiles.jobs.height, profiles.manifest["source"]["service_version"]) == (40, None)


def test_missing_lists_raise_before_export(serve: Callable[..., Tenant]) -> None:
    tenant = serve(lists=False)
    with pytest.raises(tpa.ApiError, match="this tenant has no such list"):
        load(tenant, families="lists")
    assert not [path for _, path in tenant.requests if "export" in path]


def test_unknown_levels_and_fields_are_counted(serve: Callable[..., Tenant]) -> None:
    unknown = {**task(1, ai_impact={"level": "H9"}), "mood": "good"}
    tenant = serve(job(1, unknown, {**task(1), "mood": None}), {**job(2, task(2)), "colour": "red"})
    tenant.faults[0] = lambda reply: replace(reply, body=reply.body.replace(b'"task_id"', b'"shape": 1, "task_id"'))
    profiles = load(tenant)
    assert profiles.tasks["ai_impact_level"].to_list()[0] == "H9"
    assert profiles.manifest["unknown_levels"] == {"H9": 1}
    assert profiles.manifest["unknown_fields"] == {"colour": 1, "tasks[].shape": 3}
    assert profiles.manifest["repeated_tasks"] == 1
