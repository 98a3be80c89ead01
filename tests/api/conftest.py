"""Fixtures and helpers for tests of the client."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.scripted_server import Host, Received, jobs, make_client, said
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tpanalytics as tpa
    from tpanalytics.api.session import Client

#: Initial time of the `clock` fixture, in seconds since 1970.
NOW = 1_800_000_000

EXPORT = "/job_architecture/export/jobs/task_profiles"
TOKEN = ("POST", "/oauth/token")
CREDENTIAL = {"client_id": "cid", "client_secret": 's3cr"et-Vögel', "audience": "eu3", "tenant": "northwind"}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3)) as tenant:
        yield tenant


def ask(client: Client) -> Any:
    """Request the first page."""
    return json.loads(client.request("POST", EXPORT, body={"limit": 100}))


def settings_of(host: Host) -> dict[str, Any]:
    return {"base_url": host.address, "token_url": f"{host.address}/oauth/token", **CREDENTIAL}


def service(received: Received) -> Reply:
    """Return a valid response to every request."""
    if received.target == "/oauth/token":
        return said(200, {"access_token": f"tok-{received.method}", "expires_in": 60, "token_type": "Bearer"})
    return said(200, {"has_next": False, "records": []})


def error_of(tenant: Tenant, kind: type[tpa.TpAnalyticsError], waits: list[float] | None = None, **policy: Any) -> Any:
    """Request a page and return the error, which must be exactly of this kind."""
    with make_client(tenant.settings, waits, **policy) as client, pytest.raises(kind) as exc_info:
        ask(client)
    assert type(exc_info.value) is kind
    return exc_info.value


def exports(tenant: Tenant) -> int:
    return tenant.requests.count(("POST", EXPORT))


def traceback_with_locals(error: BaseException) -> str:
    """Return the local variables of all frames outside the tests, and the message."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    frames = [frame for frame in stack if "tests" not in frame.filename]
    assert frames
    return "".join(f"{frame.name} {frame.locals}" for frame in frames) + str(error)


class Clock:
    """Replacement for `time.time` that only changes when a test sets `now`."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock
