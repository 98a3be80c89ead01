"""Loading an export with several workers."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.profiles.snapshot.conftest import assert_same, exports, job, pull
from tpanalytics.api.export import ExportRequest, decode
from tpanalytics.api.parallel import Chain, Walk
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.errors import PaginationError
from tpanalytics.profiles.completeness import Note, Tables, describe_page, export_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOME_FAMILIES = ["fam-fin", "fam-hr", "fam-it"]


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture(scope="module")
def single_worker(tenant: Tenant) -> Callable[[Any, int], tpa.TaskProfiles]:
    """Return a cached function that loads profiles with one worker."""
    cache: dict[str, tpa.TaskProfiles] = {}

    def load(families: Any, limit: int) -> tpa.TaskProfiles:
        key = f"{families} {limit}"
        if key not in cache:
            cache[key] = pull(tenant, None, families=families, limit=limit)
        return cache[key]

    return load


@pytest.mark.parametrize(
    ("workers", "limit", "families", "snapshot"),
    [
        (2, 100, "lists", None),
        (3, 100, SOME_FAMILIES, "snapshot"),
        (4, 7, SOME_FAMILIES, None),
        (7, 13, "lists", "snapshot"),
        (50, 20, "lists", None),
        (50, 20, SOME_FAMILIES, "snapshot"),
    ],
)
def test_result_does_not_depend_on_workers(
    tenant: Tenant,
    single_worker: Callable[..., tpa.TaskProfiles],
    workers: int,
    limit: int,
    families: Any,
    snapshot: str | None,
) -> None:
    expected = single_worker(families, limit)
    tenant.tokens_issued, before = 0, exports(tenant)
    profiles = pull(tenant, snapshot, families=families, limit=limit, workers=workers)
    assert tenant.tokens_issued == 1
    assert_frame_equal(profiles.jobs, expected.jobs)
    assert_frame_equal(profiles.tasks, expected.tasks)
    assert profiles.manifest["families"] == expected.manifest["families"]
    assert profiles.manifest["duplicates"] == 0
    if families == "lists":
        assert exports(tenant) - before <= 2 * (-(-240 // limit) + workers), "too many pages are requested twice"


def test_jobs_without_family_are_loaded(tenant: Tenant) -> None:
    profiles = pull(tenant, None, families=["fam-fin"], other_jobs="keep", limit=10, workers=3)
    assert profiles.jobs["job_family"].value_counts(sort=True).rows()[0][0] is None
    assert profiles.jobs.height == 240


@given(st.integers(0, 24), st.integers(1, 7), st.lists(st.integers(-1, 30), max_size=6, unique=True), st.integers())
def test_chains_with_arbitrary_starts_cover_the_export(
    tenant: Tenant, jobs: int, limit: int, starts: list[int], seed: int
) -> None:
    """Starts may be unknown or unordered, and pages may arrive in any order."""
    rng = random.Random(seed)

    def jitter(reply: Reply) -> Reply:
        time.sleep(rng.choice([0, 0, 0.002]))
        return reply

    with Tenant(Catalogue([job(i, tasks=1) for i in range(jobs)])) as small, tpa.connect(**small.settings) as client:
        small.faults[0] = jitter
        chains = [Chain(0), *(Chain(i, f"job-{start:03d}") for i, start in enumerate(starts, start=1))]
        tables = Tables()
        request = ExportRequest(limit=limit)
        decoder = partial(decode, client, request, on_bad_record="raise")
        for page in Walk(client, request, chains, decode=decoder, workers=3):
            tables.add(*describe_page(page))
    profiles = tables.profiles({})
    assert profiles.jobs["job_id"].to_list() == [f"job-{i:03d}" for i in range(jobs)]
    assert profiles.tasks["job_id"].to_list() == [f"job-{i:03d}" for i in range(jobs)]
    assert profiles.manifest["duplicates"] == 0


def test_repeated_job_does_not_end_a_chain() -> None:
    """The first job of the second chain is repeated on the first page."""

    def repeat_job(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        if page["records"] and page["records"][0]["external_id"] == "job-000":
            page["records"].insert(1, job(10))
        return replace(reply, body=json.dumps(page).encode())

    jobs = [{"job_id": f"job-{i:03d}", "job_family_id": "fam"} for i in range(20)]
    records = [job(i) for i in range(20)]
    with Tenant(Catalogue(records, jobs, [{"job_family_id": "fam", "job_family_name": "Family"}])) as tenant:
        tenant.faults[0] = repeat_job
        profiles = pull(tenant, None, families="lists", limit=5, workers=2)
    assert sorted(profiles.jobs["job_id"]) == [f"job-{i:03d}" for i in range(20)]
    assert profiles.manifest["duplicates"] == 1


@given(
    st.integers(1, 5),
    st.integers(2, 4),
    st.integers(0, 11),
    st.integers(0, 11),
    st.sampled_from(["repeated", "moved before the export", "moved during the export"]),
)
def test_moved_or_repeated_job_does_not_lose_others(
    limit: int, workers: int, source: int, target: int, change: str
) -> None:
    records = [job(i) for i in range(12)]
    changed = [record for i, record in enumerate(records) if change == "repeated" or i != source]
    changed.insert(min(target, source), records[source])  # a job moved to the end could be missed by one worker too
    jobs = [{"job_id": record["external_id"], "job_family_id": "fam"} for record in records]
    before, after = (
        Catalogue(rows, jobs, [{"job_family_id": "fam", "job_family_name": "Family"}]) for rows in (records, changed)
    )
    during_export = change == "moved during the export"

    with Tenant(before if during_export else after) as tenant:

        def change_catalogue(reply: Reply) -> Reply:
            tenant.catalogue = before if exports(tenant) <= workers else after
            return reply

        expected = pull(tenant, None, families="lists", limit=limit)
        if during_export:
            tenant.requests.clear()
            tenant.faults[0] = change_catalogue
        try:
            profiles = pull(tenant, None, families="lists", limit=limit, workers=workers)
        except PaginationError:
            assert during_export  # raised if a page ends with the moved job
            return
    # Any number of workers may miss a job that moves across a page boundary.
    missed = {records[source]["external_id"]} if during_export else set()
    assert set(expected.jobs["job_id"]) - missed <= set(profiles.jobs["job_id"])
    assert profiles.jobs["job_id"].is_unique().all()


def test_export_can_be_resumed_with_other_number_of_workers(tenant: Tenant) -> None:
    expected = pull(tenant, None, families="lists", limit=5)
    for page, workers in ((20, 4), (10, 1), (12, 2)):
        tenant.faults[exports(tenant) + page] = lambda reply: replace(reply, status=403, body=b"[]")
        with pytest.raises(tpa.AuthError):
            pull(tenant, families="lists", limit=5, workers=workers)
        tenant.faults.clear()
    before = exports(tenant)
    profiles = pull(tenant, families="lists", limit=5, workers=8)
    assert exports(tenant) - before < 48 - 15
    assert_frame_equal(profiles.tasks, expected.tasks)
    assert_frame_equal(profiles.jobs, expected.jobs)


def test_error_in_one_worker_stops_the_others(tenant: Tenant) -> None:
    before = exports(tenant)
    # Fail several requests, because the error of a page that turns out not to be needed is ignored.
    for number in range(before + 9, before + 14):
        tenant.faults[number] = lambda reply: replace(reply, status=400, body=b"[]")
    with pytest.raises(tpa.ApiError, match="400"):
        pull(tenant, None, families="lists", limit=2, workers=4)
    tenant.faults.clear()
    time.sleep(0.3)
    assert exports(tenant) - before < 30


@pytest.mark.parametrize(
    ("options", "message"),
    [({"workers": 0}, "1 or more, not 0"), ({"workers": 2.0}, "whole number"), ({"workers": 2}, "families='lists'")],
    ids=repr,
)
def test_invalid_workers_raise(tenant: Tenant, options: dict[str, Any], message: str) -> None:
    with pytest.raises(tpa.ConfigError, match=message):
        pull(tenant, None, **options)


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [Note(following="x")],
        [Note(met=1)],
        [Note(met=1), Note(chain=1, met=0)],
        [Note(first=2, last=2)],
        [Note(following="x"), Note(first=3, last=3)],
        [Note(met=1), Note(first=2, last=2), Note(chain=1)],
        [Note(chain=1)],
    ],
    ids=["no pages", "no end", "missing chain", "cycle", "no start", "gap", "extra page", "no first chain"],
)
def test_incomplete_pages_raise(notes: list[Note]) -> None:
    with pytest.raises(PaginationError):
        list(export_order(notes))


def test_assert_same_detects_differences() -> None:
    with Tenant(Catalogue([job(1)])) as left, Tenant(Catalogue([job(2)])) as right, pytest.raises(AssertionError):
        assert_same(pull(left, None), pull(right, None))
