"""Several workers give what one gives, whatever jobs the export is parted at, and whoever is quicker."""

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
from tests.profiles.snapshot.conftest import exports, job, pull, same
from tpanalytics.api.export import ExportRequest, decode
from tpanalytics.api.parallel import Chain, Walk
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.errors import PaginationError
from tpanalytics.profiles.completeness import Note, Tables, describe_page, export_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture(scope="module")
def alone(tenant: Tenant) -> Callable[[Any, int], tpa.TaskProfiles]:
    """Give what one worker gets, pulled once."""
    pulled: dict[str, tpa.TaskProfiles] = {}

    def of(families: Any, limit: int) -> tpa.TaskProfiles:
        key = f"{families} {limit}"
        if key not in pulled:
            pulled[key] = pull(tenant, None, families=families, limit=limit)
        return pulled[key]

    return of


@pytest.mark.parametrize("snapshot", [None, "snapshot"])
@pytest.mark.parametrize("families", ["lists", ["fam-fin", "fam-hr", "fam-it"]], ids=["lists", "filters"])
@pytest.mark.parametrize(("workers", "limit"), [(2, 100), (3, 100), (4, 7), (7, 13), (50, 20)])
def test_result_does_not_depend_on_workers(
    tenant: Tenant,
    alone: Callable[..., tpa.TaskProfiles],
    workers: int,
    limit: int,
    families: Any,
    snapshot: str | None,
) -> None:
    one = alone(families, limit)
    tenant.tokens_issued, before = 0, exports(tenant)
    several = pull(tenant, snapshot, families=families, limit=limit, workers=workers)
    assert tenant.tokens_issued == 1, "one token for all workers"
    assert_frame_equal(several.jobs, one.jobs)
    assert_frame_equal(several.tasks, one.tasks)
    assert several.manifest["families"] == one.manifest["families"]
    assert several.manifest["duplicates"] == 0
    if families == "lists":
        assert exports(tenant) - before <= 2 * (-(-240 // limit) + workers), "few pages are asked for twice"


def test_jobs_without_family_are_loaded(tenant: Tenant) -> None:
    profiles = pull(tenant, None, families=["fam-fin"], limit=10, workers=3)
    assert profiles.jobs["job_family"].value_counts(sort=True).rows()[0][0] is None
    assert profiles.jobs.height == 240


@given(st.integers(0, 24), st.integers(1, 7), st.lists(st.integers(-1, 30), max_size=6, unique=True), st.integers())
def test_chains_with_arbitrary_starts_cover_the_export(
    tenant: Tenant, jobs: int, limit: int, starts: list[int], seed: int
) -> None:
    """Starts that no job has, starts out of order, and pages that come in any order change nothing."""
    dice = random.Random(seed)

    def jitter(reply: Reply) -> Reply:
        time.sleep(dice.choice([0, 0, 0.002]))
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
    """The first job of the second chain comes once more on the first page: what lies between must not be lost."""

    def repeated(reply: Reply) -> Reply:
        page = json.loads(reply.body)
        if page["records"] and page["records"][0]["external_id"] == "job-000":
            page["records"].insert(1, job(10))
        return replace(reply, body=json.dumps(page).encode())

    jobs = [{"job_id": f"job-{i:03d}", "job_family_id": "fam"} for i in range(20)]
    records = [job(i) for i in range(20)]
    with Tenant(Catalogue(records, jobs, [{"job_family_id": "fam", "job_family_name": "Family"}])) as tenant:
        tenant.faults[0] = repeated
        profiles = pull(tenant, None, families="lists", limit=5, workers=2)
    assert sorted(profiles.jobs["job_id"]) == [f"job-{i:03d}" for i in range(20)]
    assert profiles.manifest["duplicates"] == 1


@given(
    st.integers(1, 5),
    st.integers(2, 4),
    st.integers(0, 11),
    st.integers(0, 11),
    st.sampled_from(["twice", "moved", "moves"]),
)
def test_moved_or_repeated_job_does_not_lose_others(limit: int, workers: int, which: int, to: int, how: str) -> None:
    """What one worker would see of a catalogue that is odd, or changes once the first pages are out, several see."""
    records = [job(i) for i in range(12)]
    odd = [record for i, record in enumerate(records) if how == "twice" or i != which]
    odd.insert(min(to, which), records[which])  # earlier: later it might be behind a cursor, for one worker too
    jobs = [{"job_id": record["external_id"], "job_family_id": "fam"} for record in records]
    before, after = (
        Catalogue(rows, jobs, [{"job_family_id": "fam", "job_family_name": "Family"}]) for rows in (records, odd)
    )

    with Tenant(before if how == "moves" else after) as tenant:

        def change(reply: Reply) -> Reply:
            tenant.catalogue = before if exports(tenant) <= workers else after
            return reply

        one = pull(tenant, None, families="lists", limit=limit)
        if how == "moves":
            tenant.requests.clear()
            tenant.faults[0] = change
        try:
            several = pull(tenant, None, families="lists", limit=limit, workers=workers)
        except PaginationError:
            assert how == "moves"  # a page may end with the job that moved behind its back: refused, and so not lost
            return
    # A job that moves over a page border may be missed by any number of workers; the others may not.
    missed = {records[which]["external_id"]} if how == "moves" else set()
    assert set(one.jobs["job_id"]) - missed <= set(several.jobs["job_id"])
    assert several.jobs["job_id"].is_unique().all()


def test_export_can_be_resumed_with_other_number_of_workers(tenant: Tenant) -> None:
    one = pull(tenant, None, families="lists", limit=5)
    for page, workers in ((20, 4), (10, 1), (12, 2)):
        tenant.faults[exports(tenant) + page] = lambda reply: replace(reply, status=403, body=b"[]")
        with pytest.raises(tpa.AuthError):
            pull(tenant, families="lists", limit=5, workers=workers)
        tenant.faults.clear()
    before = exports(tenant)
    several = pull(tenant, families="lists", limit=5, workers=8)
    assert exports(tenant) - before < 48 - 15
    assert_frame_equal(several.tasks, one.tasks)
    assert_frame_equal(several.jobs, one.jobs)


def test_error_in_one_worker_stops_the_others(tenant: Tenant) -> None:
    before = exports(tenant)
    # Some in a row: a page that was asked for ahead, and turns out not to be needed, may be refused without harm.
    for number in range(before + 9, before + 14):
        tenant.faults[number] = lambda reply: replace(reply, status=400, body=b"[]")
    with pytest.raises(tpa.ApiError, match="400"):
        pull(tenant, None, families="lists", limit=2, workers=4)
    tenant.faults.clear()
    time.sleep(0.3)
    assert exports(tenant) - before < 30


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"workers": 0}, "at least 1"), ({"workers": 2.0}, "whole number"), ({"workers": 2}, "families='lists'")],
    ids=repr,
)
def test_invalid_workers_raise(tenant: Tenant, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(tpa.ConfigError, match=said):
        pull(tenant, None, **asked)


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
    ids=["nothing", "no end", "meets nobody", "a circle", "no beginning", "a gap", "one too many", "not the first"],
)
def test_incomplete_pages_raise(notes: list[Note]) -> None:
    with pytest.raises(PaginationError):
        list(export_order(notes))


def test_assert_same_detects_differences() -> None:
    with Tenant(Catalogue([job(1)])) as one, Tenant(Catalogue([job(2)])) as other, pytest.raises(AssertionError):
        same(pull(one, None), pull(other, None))
