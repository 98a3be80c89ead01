"""Loading the place of each task in the taxonomy."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.profiles.conftest import job, small_company, task, write
from tests.profiles.test_load import Terminal
from tpanalytics.demo import faults
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.schema import HIERARCHY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.demo.server import Reply, Tenant

LEVELS = list(HIERARCHY)
PLACE = ["Finance", "Payables", "Invoices", "Match invoices"]


def company(n: int = 6) -> list[dict[str, Any]]:
    """Return two jobs with the same tasks. Every third task has no place."""
    tasks = [task(i, hierarchy=None if i % 3 == 0 else [*PLACE[:3], f"Task {i}"]) for i in range(n)]
    return [job(1, *tasks), job(2, *tasks[:2])]


@pytest.fixture
def small(serve: Callable[..., Tenant]) -> Tenant:
    """Return a tenant with a few jobs of the sample company."""
    tenant, catalogue = serve(), small_company()
    tenant.catalogue = Catalogue(catalogue.records[:4], catalogue.jobs[:4], catalogue.families)
    return tenant


def connect(tenant: Tenant) -> tpa.Client:
    return tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=2, base=0), token_cache=False)


def export(tenant: Tenant, **options: Any) -> tpa.TaskProfiles:
    return tpa.load_task_profiles(connect(tenant), progress=False, **options)


def load(tenant: Tenant, profiles: tpa.TaskProfiles, **options: Any) -> tpa.TaskProfiles:
    return tpa.load_taxonomy(connect(tenant), profiles, **{"progress": False, "workers": 1, **options})


def requested(tenant: Tenant) -> list[str]:
    """Return the tasks requested since the last call, sorted."""
    found = sorted(path.removeprefix("/tasks/") for _, path in tenant.requests if path.startswith("/tasks/"))
    tenant.requests.clear()
    return found


def places(profiles: tpa.TaskProfiles) -> dict[str, list[str | None]]:
    return {row[0]: list(row[1:]) for row in profiles.tasks.select("task_id", *LEVELS).unique().rows()}


def expected_places(catalogue: Catalogue) -> dict[str, list[str | None]]:
    tasks = (task for record in catalogue.records for task in record["tasks"] if task["validation_state"] != "rejected")
    return {task["task_id"]: task["hierarchy"] or [None] * 4 for task in tasks}


@pytest.mark.parametrize("workers", [1, 8])
def test_each_distinct_task_is_requested_once(small: Tenant, workers: int) -> None:
    profiles = export(small)
    small.requests.clear()
    small.tokens_issued = 0
    loaded = load(small, profiles, workers=workers)
    expected = expected_places(small.catalogue)
    assert places(loaded) == expected
    assert requested(small) == sorted(expected)
    assert small.tokens_issued == 1
    assert_frame_equal(loaded.tasks.drop(LEVELS), profiles.tasks)
    assert loaded.tasks.schema.dtypes()[-4:] == [pl.String] * 4
    unplaced = sum(expected[task_id][0] is None for task_id in profiles.tasks["task_id"])
    assert loaded.manifest["taxonomy"] == {
        "distinct_tasks": len(expected),
        "distinct_tasks_with_place": sum(place[0] is not None for place in expected.values()),
        "distinct_tasks_not_found": 0,
        "tasks_without_place": unplaced,
    }
    assert unplaced > 0
    assert f", {unplaced} tasks without a place in the taxonomy, complete" in repr(loaded)
    assert json.loads(json.dumps(loaded.manifest)) == loaded.manifest


def test_number_of_parallel_requests_is_bounded(serve: Callable[..., Tenant]) -> None:
    tenant, lock = serve(*company(30)), threading.Lock()
    running, most = 0, 0

    def count(reply: Reply) -> Reply:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.005)
        with lock:
            running -= 1
        return reply

    profiles = export(tenant)
    tenant.task_faults[0] = count
    load(tenant, profiles, workers=3)
    assert 2 <= most <= 3


def test_measures_can_be_grouped_by_the_taxonomy(small: Tenant) -> None:
    loaded = load(small, export(small), workers=4)
    impact = tpa.impact(loaded, by="domain", weight="tasks")
    counts = impact.group_by("domain").agg(pl.col("tasks").sum())
    tasks = loaded.tasks.group_by(pl.col("domain").fill_null("(no domain)")).len("tasks")
    assert_frame_equal(counts, tasks, check_row_order=False, check_dtypes=False)
    assert tpa.hours(loaded, by="cluster")["cluster"].n_unique() > 5


def test_tree_needs_no_requests(small: Tenant) -> None:
    tree = export(small, response_format="hierarchy")
    small.requests.clear()
    loaded = load(small, tree)
    expected = expected_places(small.catalogue)
    assert places(loaded) == expected
    # Only tasks without a path are requested, since the format of the tree is not documented.
    assert requested(small) == sorted(task_id for task_id, place in expected.items() if place[0] is None)
    placed = replace(tree, tasks=tree.tasks.filter(pl.col("hierarchy").list.len() > 0))
    assert places(load(small, placed)).keys() == {task_id for task_id, place in expected.items() if place[0]}
    assert small.requests == []


def test_tasks_placed_in_one_job_are_not_requested_for_another(serve: Callable[..., Tenant]) -> None:
    rows = {"job_id": ["a", "b", "c"], "task_id": ["t1", "t1", "t1"], "hierarchy": [PLACE, [], PLACE[:2]]}
    profiles = tpa.TaskProfiles(pl.DataFrame({"job_id": ["a", "b", "c"]}), pl.DataFrame(rows))
    tenant = serve(job(1))
    assert load(tenant, profiles).tasks.select(LEVELS).rows() == [tuple(PLACE)] * 3
    assert tenant.requests == []


def test_second_call_requests_only_tasks_without_a_place(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    loaded = load(tenant, export(tenant))
    assert len(requested(tenant)) == 6
    again = load(tenant, loaded)
    assert requested(tenant) == ["t0", "t3"]
    assert_frame_equal(again.tasks, loaded.tasks)
    load(tenant, loaded, resume=False)
    assert len(requested(tenant)) == 6


@pytest.mark.parametrize("in_folder", [False, True])
def test_cached_tasks_are_not_requested_again(
    serve: Callable[..., Tenant], in_folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(Path("home").absolute()))
    tenant = serve(*company())
    cache = "snapshot" if in_folder else "~/new/taxonomy.jsonl"
    profiles = export(tenant, snapshot="snapshot")
    first = load(tenant, profiles, cache=cache)
    assert len(requested(tenant)) == 6
    tenant.catalogue = Catalogue(company(8))
    later = export(tenant, snapshot="snapshot")
    assert_frame_equal(load(tenant, profiles, cache=Path(cache)).tasks, first.tasks)
    tenant.requests.clear()
    loaded = load(tenant, later, cache=cache)
    assert requested(tenant) == ["t6", "t7"]
    assert places(loaded)["t7"] == [*PLACE[:3], "Task 7"]
    load(tenant, later, cache=cache, resume=False)
    assert len(requested(tenant)) == 8
    load(tenant, later, cache=cache)
    assert requested(tenant) == []
    if in_folder:
        assert Path("snapshot", "taxonomy.jsonl").exists()
        assert_frame_equal(tpa.read_profiles("snapshot").tasks.drop(LEVELS, strict=False), later.tasks)


@pytest.mark.parametrize(
    ("fault", "workers"),
    [(faults.bad_request(403), 1), (faults.unavailable(), 3), (faults.html(200), 3), (faults.cut(), 1)],
    ids=["denied", "unavailable", "html", "cut"],
)
def test_interrupted_call_can_be_resumed(
    serve: Callable[..., Tenant], fault: Callable[[Reply], Reply], workers: int
) -> None:
    tenant = serve(*company(20))
    profiles = export(tenant)
    tenant.task_faults |= dict.fromkeys(range(9, 40), fault)
    with pytest.raises(tpa.TpAnalyticsError, match=r"/tasks/t\d+") as caught:
        load(tenant, profiles, cache="taxonomy.jsonl", workers=workers)
    saved = len(Path("taxonomy.jsonl").read_bytes().splitlines()) - 1
    assert 8 - workers <= saved <= 8
    assert caught.value.__notes__ == [f"{saved} tasks are saved. Run the same call again to resume."]
    tenant.task_faults.clear()
    tenant.requests.clear()
    loaded = load(tenant, profiles, cache="taxonomy.jsonl", workers=workers)
    assert len(requested(tenant)) == 20 - saved
    assert_frame_equal(loaded.tasks, load(tenant, profiles).tasks)


def test_interrupted_call_without_cache_says_that_nothing_is_saved(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    profiles = export(tenant)
    tenant.task_faults[3] = faults.bad_request()
    with pytest.raises(tpa.ApiError) as caught:
        load(tenant, profiles)
    assert caught.value.__notes__ == ["Nothing is saved. Pass `cache` to be able to resume."]


def test_keyboard_interrupt_keeps_saved_tasks(serve: Callable[..., Tenant], monkeypatch: pytest.MonkeyPatch) -> None:
    from tpanalytics.profiles.snapshot.taxonomy_file import TaxonomyFile

    tenant = serve(*company())
    profiles = export(tenant)
    add = TaxonomyFile.add

    def interrupt(file: TaxonomyFile, place: Any) -> None:
        if file.n_added == 3:
            raise KeyboardInterrupt
        add(file, place)

    with monkeypatch.context() as patch:
        patch.setattr(TaxonomyFile, "add", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            load(tenant, profiles, cache="taxonomy.jsonl")
    assert "3 tasks are saved" in caught.value.__notes__[0]
    tenant.requests.clear()
    load(tenant, profiles, cache="taxonomy.jsonl")
    assert set(requested(tenant)) == {"t3", "t4", "t5"}  # a request may still have been in progress


@given(st.data())
def test_damaged_cache_is_repaired(tenant: Tenant, data: st.DataObject) -> None:
    """A file cut off or changed at any byte either is refused or gives the same places."""
    tenant.catalogue = Catalogue(company())
    profiles = export(tenant)
    Path("taxonomy.jsonl").unlink(missing_ok=True)
    expected = load(tenant, profiles, cache="taxonomy.jsonl")
    raw = bytearray(Path("taxonomy.jsonl").read_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        del raw[position:]
    else:
        raw[position] = ord("\n")
    Path("taxonomy.jsonl").write_bytes(raw)
    with suppress(tpa.SnapshotError):
        assert_frame_equal(load(tenant, profiles, cache="taxonomy.jsonl").tasks, expected.tasks)
        tenant.requests.clear()
        load(tenant, profiles, cache="taxonomy.jsonl")
        assert requested(tenant) == []


def test_unknown_tasks_have_no_place_and_are_counted(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    profiles = export(tenant)
    del tenant.catalogue.task_of["t2"]
    for options in ({"cache": "taxonomy.jsonl"}, {"cache": "taxonomy.jsonl"}):
        loaded = load(tenant, profiles, **options)
        assert loaded.manifest["taxonomy"]["distinct_tasks_not_found"] == 1
        assert loaded.manifest["taxonomy"]["tasks_without_place"] == 2 + 1 + 1
        assert places(loaded)["t2"] == [None] * 4
    assert requested(tenant).count("t2") == 1


def test_warns_if_no_task_has_a_place(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    profiles = export(tenant)
    tenant.task_faults[0] = faults.bad_request(404)
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"The service knows none of 6 distinct tasks \(404\)"):
        loaded = load(tenant, profiles)
    assert loaded.tasks["domain"].null_count() == loaded.tasks.height
    tenant.task_faults.clear()
    tenant.catalogue = Catalogue([job(1, *(task(i) for i in range(6)))])
    with pytest.warns(tpa.TpAnalyticsWarning, match="None of 6 distinct tasks has a place in the taxonomy"):
        load(tenant, profiles)


def respond(body: Any) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("hierarchy", "expected"),
    [
        (None, [None] * 4),
        ({}, [None] * 4),
        ({"domain": "Finance"}, ["Finance", None, None, None]),
        ({"domain": "", "cluster": "C", "canonical_task": None, "id": 7}, [None, None, "C", None]),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:None of")
def test_partial_places_are_kept(tenant: Tenant, hierarchy: Any, expected: list[str | None]) -> None:
    tenant.catalogue = Catalogue([job(1, task(1))])
    tenant.task_faults[0] = respond({"task_id": "t1", "hierarchy": hierarchy, "mood": "good"})
    try:
        assert places(load(tenant, export(tenant))) == {"t1": expected}
    finally:
        tenant.task_faults.clear()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "not a task in the documented format"),
        ({"task_id": "t1", "hierarchy": ["Finance"]}, "not a task in the documented format"),
        ({"task_id": "t1", "hierarchy": {"name": "Finance"}}, "hierarchy has none of domain, subdomain"),
        ({"task_id": "t1", "hierarchy": {"domain": {"name": "Finance"}}}, "levels that are not strings"),
        ({"task_id": "t2", "hierarchy": None}, "another task"),
    ],
    ids=repr,
)
def test_unexpected_response_raises(tenant: Tenant, body: Any, reason: str) -> None:
    tenant.catalogue = Catalogue([job(1, task(1))])
    profiles = export(tenant)
    tenant.task_faults[0] = respond(body)
    try:
        with pytest.raises(tpa.ApiError, match=f"GET /tasks/t1: .*{reason}"):
            load(tenant, profiles, cache="taxonomy.jsonl")
    finally:
        tenant.task_faults.clear()
    assert not Path("taxonomy.jsonl").exists()


def test_faults_that_pass_are_survived(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    profiles = export(tenant)
    expected = load(tenant, profiles)
    tenant.task_faults = {
        7: faults.rate_limited(0),
        8: faults.unavailable(),
        10: faults.expired(),
        12: faults.cut(),
    }
    tenant.tokens_issued = 0
    tenant.requests.clear()
    client = tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=3, base=0), token_cache=False)
    loaded = tpa.load_taxonomy(client, profiles, workers=1, progress=False)
    assert_frame_equal(loaded.tasks, expected.tasks)
    assert (len(requested(tenant)), tenant.tokens_issued) == (6 + 4, 2)


def test_ids_with_special_characters(tenant: Tenant) -> None:
    ids = ["a/b?c=d", "ä ö", "50%", "..", "."]
    tasks = [{**task(1), "task_id": task_id, "hierarchy": PLACE} for task_id in ids]
    tenant.catalogue = Catalogue([job(1, *tasks)])
    loaded = load(tenant, export(tenant))
    assert {task_id for task_id, place in places(loaded).items() if place == PLACE} == set(ids[:3])
    assert loaded.manifest["taxonomy"]["tasks_without_place"] == 2


def test_lazy_tasks_remain_lazy(small: Tenant) -> None:
    expected = load(small, export(small), cache="taxonomy.jsonl")
    profiles = export(small, snapshot="snapshot", lazy=True)
    loaded = load(small, profiles, cache="taxonomy.jsonl")
    assert isinstance(loaded.tasks, pl.LazyFrame)
    assert_frame_equal(loaded.tasks.collect(), expected.tasks)
    assert loaded.manifest["taxonomy"] == expected.manifest["taxonomy"]


def test_columns_survive_snapshots_and_assigned_families(small: Tenant) -> None:
    loaded = load(small, export(small))
    assigned = tpa.assign_families(loaded, pl.DataFrame(small.catalogue.jobs))
    assert_frame_equal(assigned.tasks.select(LEVELS), loaded.tasks.select(LEVELS))
    read = tpa.read_profiles(tpa.write_profiles(assigned, "snapshot"))
    assert_frame_equal(read.tasks, assigned.tasks)
    assert read.manifest["taxonomy"] == loaded.manifest["taxonomy"]


def test_profiles_without_tasks(tenant: Tenant) -> None:
    tenant.catalogue = Catalogue([job(1)])
    loaded = load(tenant, export(tenant))
    assert loaded.tasks.select(LEVELS).schema == dict.fromkeys(LEVELS, pl.String)
    assert loaded.manifest["taxonomy"]["distinct_tasks"] == 0


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"cache": "other.jsonl"},
            tpa.SnapshotError,
            "other.jsonl does not contain a taxonomy. Choose another `cache`",
        ),
        ({"cache": "newer.jsonl"}, tpa.SnapshotError, "newer.jsonl has version 2"),
        ({"cache": "tenant.jsonl"}, tpa.SnapshotError, "contains the taxonomy of the tenant 'else'"),
        ({"cache": "tenant.jsonl", "resume": False}, tpa.SnapshotError, "contains the taxonomy of the tenant 'else'"),
        ({"cache": "."}, tpa.SnapshotError, r"the folder of a snapshot, but \. has no manifest\.json"),
        ({"cache": "missing"}, tpa.SnapshotError, "the folder of a snapshot, but missing does not exist"),
        ({"cache": "other.jsonl/taxonomy.jsonl"}, tpa.SnapshotError, "cannot be used as `cache`"),
        ({"cache": "a\0b.jsonl"}, tpa.SnapshotError, "cannot be used as `cache`"),
        ({"workers": 0}, tpa.ConfigError, "`workers` must be a whole number, 1 or more, not 0"),
    ],
    ids=repr,
)
def test_invalid_arguments_raise_before_any_request(
    tenant: Tenant, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    write("other.jsonl", "job_id,task_id\n1,2\n")
    write("newer.jsonl", json.dumps({"taxonomy": 2, "base_url": "", "tenant": ""}))
    write("tenant.jsonl", json.dumps({"taxonomy": 1, "base_url": tenant.base_url, "tenant": "else"}) + "\n")
    tenant.catalogue = Catalogue(company())
    profiles = export(tenant)
    tenant.requests.clear()
    before = {path: path.read_bytes() for path in Path().glob("*.jsonl")}
    with pytest.raises(kind, match=message):
        load(tenant, profiles, **options)
    assert tenant.requests == []
    assert {path: path.read_bytes() for path in Path().glob("*.jsonl")} == before


def test_cache_in_use_raises(tenant: Tenant) -> None:
    from filelock import FileLock

    tenant.catalogue = Catalogue(company())
    profiles = export(tenant)
    with FileLock(".taxonomy.jsonl.lock"), pytest.raises(tpa.SnapshotError, match="another process is writing to this"):
        load(tenant, profiles, cache="taxonomy.jsonl")


def test_invalid_profiles_raise(tenant: Tenant) -> None:
    tasks = pl.DataFrame({"job_id": ["a"], "task_id": ["t"]})
    jobs = pl.DataFrame({"job_id": ["a"]})
    for profiles, message in (
        (tasks, "`profiles` must be TaskProfiles, not DataFrame"),
        (tpa.TaskProfiles(jobs, pd.DataFrame({"task_id": ["t"]})), "requires Polars frames"),
        (tpa.TaskProfiles(jobs, tasks.drop("task_id")), "`tasks` has no column 'task_id'"),
        (tpa.TaskProfiles(jobs, tasks.with_columns(domain=pl.lit("x"))), "already has a column 'domain', but not all"),
    ):
        with pytest.raises(tpa.SchemaError, match=message):
            tpa.load_taxonomy(connect(tenant), profiles)
    with pytest.raises(tpa.ArgumentError, match="`client` must be a Client"):
        tpa.load_taxonomy(None, tpa.TaskProfiles(jobs, tasks))  # type: ignore[arg-type]


def test_taxonomy_is_pruned_with_its_snapshot(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    for name in ("old", "new"):
        load(tenant, export(tenant, snapshot=f"data/{name}"), cache=f"data/{name}")
        manifest = Path("data", name, "manifest.json")
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "finished": f"2026-0{len(name)}"}))  # the order is not by time
    pruned = tpa.prune_snapshots("data", keep=1)
    assert [not Path(folder).exists() for folder in pruned["folder"]] == [True]


@pytest.mark.parametrize("lazy", [True, False])
def test_taxonomy_saved_with_a_snapshot_is_read_with_it(serve: Callable[..., Tenant], lazy: bool) -> None:
    tenant = serve(*company())
    profiles = export(tenant, snapshot="data/first")
    assert_frame_equal(tpa.read_profiles("data/first").tasks, profiles.tasks)
    loaded = load(tenant, profiles, cache="data/first")
    read = tpa.read_profiles("data/first", lazy=lazy)
    assert isinstance(read.tasks, pl.LazyFrame) is lazy
    assert_frame_equal(read.tasks.lazy().collect(), loaded.tasks)
    assert read.manifest["taxonomy"] == loaded.manifest["taxonomy"]
    expected = tpa.impact(loaded, by="domain")
    assert_frame_equal(tpa.impact(read, by="domain"), expected)
    history = tpa.read_history(["data/first"])
    over_time = tpa.impact(history, by=["as_of", "domain"])
    assert_frame_equal(over_time.drop("as_of"), expected)
    # Other files are still as they were, and the columns are written like any others.
    tpa.write_profiles(read, "copy")
    assert_frame_equal(tpa.read_profiles("copy").tasks, loaded.tasks)


def test_incomplete_taxonomy_is_read_with_a_warning(serve: Callable[..., Tenant]) -> None:
    tenant = serve(*company())
    load(tenant, export(tenant, snapshot="snapshot"), cache="snapshot")
    file = Path("snapshot", "taxonomy.jsonl")
    head, *lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(head + b"".join(lines[:2]) + lines[2][:10])
    left = len(lines) - 2
    with pytest.warns(tpa.TpAnalyticsWarning, match=rf"no place for {left} distinct tasks of {len(lines)}, .* `cache`"):
        read = tpa.read_profiles("snapshot")
    assert read.tasks["domain"].null_count() > 0
    assert file.read_bytes().endswith(lines[2][:10]), "reading does not change the file"
    file.write_bytes(b"job_id,task_id\n")
    with pytest.raises(tpa.SnapshotError, match="does not contain a taxonomy"):
        tpa.read_profiles("snapshot")


@pytest.mark.parametrize("progress", [True, False])
def test_progress_bar_is_optional(
    serve: Callable[..., Tenant], monkeypatch: pytest.MonkeyPatch, progress: bool
) -> None:
    tenant = serve(*company())
    profiles = export(tenant)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    load(tenant, profiles, progress=progress)
    assert ("Taxonomy" in terminal.getvalue()) is progress
