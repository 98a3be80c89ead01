"""Whatever goes wrong, a pull ends whole or with one error that says what it was; see the table for all of it."""

from __future__ import annotations

import inspect
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.faults import table
from tests.faults.table import CASES, OTHER, Case, Fails, Whole
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
    """Give a server on another port, which counts as another host."""
    with Host(lambda _: said(200, {"access_token": "stolen"})) as made:
        yield made


def pointed(fault: Fault, other: Host) -> Fault:
    """Point a redirect to the other host, now that its port is known."""

    def change_fields(reply: Reply) -> Reply:
        made = fault(reply)
        return replace(made, headers={k: v.replace(OTHER, other.address) for k, v in made.headers.items()})

    return changed


def pull(case: Case, client: Client) -> Any:
    if case.body is not None:
        return client.request("POST", EXPORT, body=case.body)
    return tpa.load_task_profiles(client, progress=False, **{"limit": 1, **case.asked})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fault_has_expected_result(case: Case, other: Host) -> None:
    waits: list[float] = []
    with Tenant(case.catalogue, rules=case.rules, client_secret=SECRET) as tenant:
        tenant.faults.update({n: pointed(fault, other) for n, fault in case.export.items()})
        tenant.token_faults.update({n: pointed(fault, other) for n, fault in case.token.items()})
        policy = tpa.RetryPolicy(tries=2, base=0)
        start = time.monotonic()
        with Client(resolve(tenant.settings), retry=policy, limits=case.limits, sleep=waits.append) as client:
            if isinstance(case.then, Whole):
                check_whole(case.then, pull(case, client))
                assert [pytest.approx(wait, abs=1.5) for wait in waits if wait] == list(case.then.waits)
            else:
                check_error(case.then, case, client)
        assert time.monotonic() - start < 10
        assert tenant.requests.count(("POST", EXPORT)) == case.then.requests
        assert tenant.requests.count(("POST", "/oauth/token")) == case.then.tokens
    assert other.received == []


def check_whole(then: Whole, profiles: tpa.TaskProfiles) -> None:
    assert profiles.jobs["job_id"].to_list() == then.jobs
    assert profiles.manifest["complete"] is True
    assert {name: profiles.manifest[name] for name in then.manifest} == then.manifest
    assert {name: profiles.tasks[name].to_list() for name in then.tasks} == then.tasks


def check_error(then: Fails, case: Case, client: Client) -> None:
    with pytest.raises(tpa.TpAnalyticsError) as exc_info:
        pull(case, client)
    assert type(exc_info.value) is then.kind
    message = str(exc_info.value)
    assert all(word in message for word in then.words), message
    assert SECRET not in message
    assert "tok-" not in message
    assert len(message) < 700


def test_every_fault_is_in_the_table() -> None:
    tried = re.findall(r"faults\.(\w+)\(", inspect.getsource(table))
    assert set(tried) == set(faults.__all__)


def test_every_fault_is_exported_and_documented() -> None:
    made = [f for name, f in vars(faults).items() if inspect.isfunction(f) and f.__module__ == faults.__name__]
    switches = [f for f in made if not f.__name__.startswith("_")]
    assert [f.__name__ for f in sorted(switches, key=lambda f: f.__name__)] == faults.__all__
    assert all(f.__doc__ and callable(f()) for f in switches), "each works without arguments too"
