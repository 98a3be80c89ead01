"""Listeners hear of a request at the right moment, and the parts of the libraries that keep deadlines are there."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

import tpanalytics as tpa
from tests.helpers.scripted_server import Host, Received, client_of, instead, jobs, said
from tpanalytics.api.http import transport
from tpanalytics.demo import faults
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.demo.server import Reply

EXPORT = "/job_architecture/export/jobs/task_profiles"


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3)) as made:
        yield made


def test_a_request_is_announced_each_time_it_has_left_and_before_it_is_answered() -> None:
    left, seen = threading.Event(), []

    def answer(received: Received) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": "tok"})
        seen.append((left.wait(5), received.body))
        left.clear()
        return said(503) if len(seen) == 1 else said(200, {"records": []})

    with Host(answer) as host:
        given = {"base_url": host.address, "token_url": f"{host.address}/oauth/token", "client_id": "c"}
        with client_of(given | {"client_secret": "s", "audience": "a", "tenant": "t"}) as client:
            client.request("POST", "/x", body={"limit": 1}, on_request_sent=left.set)
    assert seen == [(True, b'{"limit": 1}')] * 2


def test_an_announced_body_is_sent_whole_however_large() -> None:
    calls: list[None] = []
    with Host(lambda _: said(200, {"access_token": "tok"})) as host:
        given = {"base_url": host.address, "token_url": f"{host.address}/oauth/token", "client_id": "c"}
        with client_of(given | {"client_secret": "s", "audience": "a", "tenant": "t"}) as client:
            body = {"filters": ["x" * 300_000]}
            client.request("POST", "/x", body=body, on_request_sent=lambda: calls.append(None))
        assert len(host.received[-1].body) > 300_000
        assert host.received[-1].headers["content-length"] == str(len(host.received[-1].body))
        assert "transfer-encoding" not in host.received[-1].headers
    assert len(calls) == 1


def test_the_listener_of_a_request_is_told_in_place_of_the_clients(tenant: Tenant) -> None:
    tenant.token_faults[1] = tenant.faults[1] = instead(503)
    of_client: list[str] = []
    of_request: list[str] = []
    with client_of(tenant.settings) as client:
        client.on_wait = of_client.append
        client.request("POST", EXPORT, body={"limit": 1}, on_wait=of_request.append)
    assert of_client == []
    assert len(of_request) == 2, "of the token, and of the page"


def test_what_is_optional_is_tried_once(tenant: Tenant) -> None:
    tenant.faults[0] = instead(503)
    waits: list[float] = []
    with client_of(tenant.settings, waits) as client, pytest.raises(tpa.ApiError):
        client.request("POST", EXPORT, body={"limit": 1}, optional=True)
    assert (tenant.requests.count(("POST", EXPORT)), waits) == (1, [])


def test_what_is_optional_is_not_waited_for_long(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.api.http.sender._OPTIONAL_SILENCE_SECONDS", 0.2)
    tenant.faults[0] = faults.slow(1)
    with client_of(tenant.settings) as client:
        with pytest.raises(tpa.Unreachable, match=r"no answer within 0\.2 s \(try 1 of 1\)"):
            client.request("POST", EXPORT, body={"limit": 1}, optional=True)
        assert b"job-1" in client.request("POST", EXPORT, body={"limit": 1})


def test_http_client_reads_an_answer_through_a_reader_made_of_its_socket() -> None:
    """The deadline sits in that reader; a version that reads in another way must not go unnoticed."""
    ours, theirs = socket.socketpair()
    ended = threading.Event()

    def drip() -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            if ended.wait(0.02):
                return
            theirs.sendall(bytes([byte]))

    with ours, theirs:
        ours.settimeout(5)
        dripping = threading.Thread(target=drip)
        dripping.start()
        begun = time.monotonic()
        answer = http.client.HTTPResponse(transport._DeadlineSocket(ours, 0.2))  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            answer.begin()
        assert time.monotonic() - begun < 2
        ended.set()
        dripping.join()
        answer.close()


@pytest.mark.parametrize("address", ["https://tenant.invalid/x", "http://tenant.invalid/x"])
@pytest.mark.parametrize("proxy", [None, "http://proxy.invalid:3128", "https://proxy.invalid:3128"])
def test_every_connection_of_the_library_keeps_the_deadline(address: str, proxy: str | None) -> None:
    adapter = transport._DeadlineAdapter(7.0)
    request = requests.Request("GET", address).prepare()
    proxies = None if proxy is None else {"http": proxy, "https": proxy}
    pool: Any = adapter.get_connection_with_tls_context(request, True, proxies=proxies)
    connection = pool.ConnectionCls("tenant.invalid")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection.sock = ours
        assert isinstance(connection.sock, transport._DeadlineSocket)
        assert connection.sock.fileno() == ours.fileno()
        assert connection.answer_seconds == 7.0
        connection.close()
        assert connection.sock is None
