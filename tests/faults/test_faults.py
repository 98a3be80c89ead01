"""Results of exports with faults, as listed in the table."""

from __future__ import annotations

import inspect
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.faults import table
from tests.faults.table import CASES, OTHER, Case, Fails, Succeeds
from tests.helpers.scripted_server import Host, said
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve
from tpanalytics.demo import faults
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.demo.faults import Fault
    from tpanalytics.demo.server import Reply

EXPORT = "/job_architecture/export/jobs/task_profiles"
SECRET = "S3CR3T-canary"


@pytest.fixture
def other() -> Iterator[Host]:
    """Return a server on another port, which counts as another host."""
    with Host(lambda _: said(200, {"access_token": "stolen"})) as host:
        yield host


def with_url_of(other: Host, fault: Fault) -> Fault:
    """Return the fault with the URL of the other host in its headers."""

    def changed_fault(reply: Reply) -> Reply:
        result = fault(reply)
        return replace(result, headers={k: v.replace(OTHER, other.address) for k, v in result.headers.items()})

    return changed_fault


def pull(case: Case, client: Client) -> Any:
    if case.body is not None:
        return client.request("POST", EXPORT, body=case.body)
    return tpa.load_task_profiles(client, progress=False, **{"limit": 1, **case.options})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fault_has_expected_result(case: Case, other: Host) -> None:
    waits: list[float] = []
    with Tenant(case.catalogue, rules=case.rules, client_secret=SECRET) as tenant:
        tenant.faults.update({n: with_url_of(other, fault) for n, fault in case.export.items()})
        tenant.token_faults.update({n: with_url_of(other, fault) for n, fault in case.token.items()})
        policy = tpa.RetryPolicy(tries=2, base=0)
        start = time.monotonic()
        with Client(resolve(tenant.settings), retry=policy, limits=case.limits, sleep=waits.append) as client:
            if isinstance(case.expected, Succeeds):
                check_profiles(case.expected, pull(case, client))
                assert [pytest.approx(wait, abs=1.5) for wait in waits if wait] == list(case.expected.waits)
            else:
                check_error(case.expected, case, client)
        assert time.monotonic() - start < 10
        assert tenant.requests.count(("POST", EXPORT)) == case.expected.requests
        assert tenant.requests.count(("POST", "/oauth/token")) == case.expected.tokens
    assert other.received == []


def check_profiles(expected: Succeeds, profiles: tpa.TaskProfiles) -> None:
    assert profiles.jobs["job_id"].to_list() == expected.jobs
    assert profiles.manifest["complete"] is True
    assert {name: profiles.manifest[name] for name in expected.manifest} == expected.manifest
    assert {name: profiles.tasks[name].to_list() for name in expected.tasks} == expected.tasks


def check_error(expected: Fails, case: Case, client: Client) -> None:
    with pytest.raises(tpa.TpAnalyticsError) as exc_info:
        pull(case, client)
    assert type(exc_info.value) is expected.kind
    message = str(exc_info.value)
    assert all(word in message for word in expected.words), message
    assert SECRET not in message
    assert "tok-" not in message
    assert len(message) < 700


def test_every_fault_is_in_the_table() -> None:
    used = re.findall(r"faults\.(\w+)\(", inspect.getsource(table))
    assert set(used) == set(faults.__all__)


def test_every_fault_is_exported_and_documented() -> None:
    functions = [f for name, f in vars(faults).items() if inspect.isfunction(f) and f.__module__ == faults.__name__]
    public = [f for f in functions if not f.__name__.startswith("_")]
    assert [f.__name__ for f in sorted(public, key=lambda f: f.__name__)] == faults.__all__
    assert all(f.__doc__ and callable(f()) for f in public), "all arguments must be optional"
