"""Deadlines, redirects, proxies and callbacks of requests."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

import tpanalytics as tpa
from tests.api.conftest import EXPORT, TOKEN, ask, error_of, exports, service, settings_of
from tests.helpers.scripted_server import Host, Received, instead, make_client, said
from tpanalytics.api.http import transport
from tpanalytics.demo import faults
from tpanalytics.demo.server import Reply

if TYPE_CHECKING:
    from tpanalytics.demo.server import Reply, Tenant


def test_on_request_sent_is_called_before_the_response() -> None:
    sent, seen = threading.Event(), []

    def answer(received: Received) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": "tok"})
        seen.append((sent.wait(5), received.body))
        sent.clear()
        return said(503) if len(seen) == 1 else said(200, {"records": []})

    with Host(answer) as host, make_client(settings_of(host)) as client:
        client.request("POST", "/x", body={"limit": 1}, on_request_sent=sent.set)
    assert seen == [(True, b'{"limit": 1}')] * 2


def test_large_body_is_sent_completely() -> None:
    calls: list[None] = []
    with Host(lambda _: said(200, {"access_token": "tok"})) as host:
        with make_client(settings_of(host)) as client:
            body = {"filters": ["x" * 300_000]}
            client.request("POST", "/x", body=body, on_request_sent=lambda: calls.append(None))
        assert len(host.received[-1].body) > 300_000
        assert host.received[-1].headers["content-length"] == str(len(host.received[-1].body))
        assert "transfer-encoding" not in host.received[-1].headers
    assert len(calls) == 1


def test_on_wait_of_request_overrides_client(tenant: Tenant) -> None:
    tenant.token_faults[1] = tenant.faults[1] = instead(503)
    client_waits: list[str] = []
    request_waits: list[str] = []
    with make_client(tenant.settings) as client:
        client.on_wait = client_waits.append
        client.request("POST", EXPORT, body={"limit": 1}, on_wait=request_waits.append)
    assert client_waits == []
    assert len(request_waits) == 2, "one for the token and one for the page"


def test_optional_request_is_not_retried(tenant: Tenant) -> None:
    tenant.faults[0] = instead(503)
    waits: list[float] = []
    with make_client(tenant.settings, waits) as client, pytest.raises(tpa.ApiError):
        client.request("POST", EXPORT, body={"limit": 1}, optional=True)
    assert (tenant.requests.count(("POST", EXPORT)), waits) == (1, [])


def test_optional_request_times_out_early(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpanalytics.api.http.sender._OPTIONAL_SILENCE_SECONDS", 0.2)
    tenant.faults[0] = faults.slow(1)
    with make_client(tenant.settings) as client:
        with pytest.raises(tpa.Unreachable, match=r"no response within 0\.2 s \(attempt 1 of 1\)"):
            client.request("POST", EXPORT, body={"limit": 1}, optional=True)
        assert b"job-1" in client.request("POST", EXPORT, body={"limit": 1})


def test_http_client_reads_through_makefile() -> None:
    """The deadline relies on this implementation detail of the standard library."""
    client_socket, server_socket = socket.socketpair()
    finished = threading.Event()

    def send_slowly() -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            if finished.wait(0.02):
                return
            server_socket.sendall(bytes([byte]))

    with client_socket, server_socket:
        client_socket.settimeout(5)
        sender = threading.Thread(target=send_slowly)
        sender.start()
        start = time.monotonic()
        response = http.client.HTTPResponse(transport._DeadlineSocket(client_socket, 0.2))  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            response.begin()
        assert time.monotonic() - start < 2
        finished.set()
        sender.join()
        response.close()


@pytest.mark.parametrize("url", ["https://tenant.invalid/x", "http://tenant.invalid/x"])
@pytest.mark.parametrize("proxy", [None, "http://proxy.invalid:3128", "https://proxy.invalid:3128"])
def test_all_connection_classes_have_a_deadline(url: str, proxy: str | None) -> None:
    adapter = transport._DeadlineAdapter(7.0)
    request = requests.Request("GET", url).prepare()
    proxies = None if proxy is None else {"http": proxy, "https": proxy}
    pool: Any = adapter.get_connection_with_tls_context(request, True, proxies=proxies)
    connection = pool.ConnectionCls("tenant.invalid")
    client_socket, server_socket = socket.socketpair()
    with client_socket, server_socket:
        connection.sock = client_socket
        assert isinstance(connection.sock, transport._DeadlineSocket)
        assert connection.sock.fileno() == client_socket.fileno()
        assert connection.answer_seconds == 7.0
        connection.close()
        assert connection.sock is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(tenant: Tenant, status: int) -> None:
    with Host(service) as other:
        tenant.faults[0] = instead(status, b"", Location=f"{other.address}/steal")
        error = error_of(tenant, tpa.ApiError)
        assert other.received == []
    assert exports(tenant) == 1
    assert error.status == status
    assert "redirects to 127.0.0.1" in str(error)
    assert "where the token is not sent" in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_token_endpoint_are_not_followed(tenant: Tenant, status: int) -> None:
    with Host(service) as other:
        tenant.token_faults[0] = instead(status, b"", Location=f"{other.address}/steal")
        assert str(status) in str(error_of(tenant, tpa.AuthError))
        assert other.received == []
    assert tenant.requests == [TOKEN]


@pytest.mark.parametrize(
    "headers", [{}, {"Location": ""}, {"Location": "/elsewhere"}, {"Location": "http://[broken"}, {"Location": "\xff"}]
)
def test_redirect_without_valid_location_raises(tenant: Tenant, headers: dict[str, str]) -> None:
    tenant.faults[0] = instead(302, b"", **headers)
    assert "redirects to an unknown host" in str(error_of(tenant, tpa.ApiError))
    assert exports(tenant) == 1


def test_http_is_limited_to_one_port() -> None:
    with Host(service) as other:
        settings = {**settings_of(other), "base_url": other.address[:-1]}  # prefix of the other host's URL
        settings["token_url"] = settings["token_url"].replace("http://", "https://")
        with make_client(settings) as client, pytest.raises(tpa.Unreachable, match="TLS connection"):
            ask(client)
        assert other.received == []


def test_uppercase_url_works(tenant: Tenant) -> None:
    settings = {**tenant.settings, "base_url": tenant.base_url.replace("http://127.0.0.1", "HTTP://LOCALHOST")}
    with make_client(settings) as client:
        assert len(ask(client)["records"]) == 3


def test_path_of_base_url_is_kept() -> None:
    with Host(service) as host, make_client({**settings_of(host), "base_url": f"{host.address}/api/"}) as client:
        client.request("GET", "/version", query=[("include", "a"), ("include", "b&c")])
        assert host.received[-1].target == "/api/version?include=a&include=b%26c"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
def test_proxy_is_not_used_for_localhost(tenant: Tenant, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    with Host(service) as proxy:
        monkeypatch.setenv(name, proxy.address)
        with make_client(tenant.settings) as client:
            assert len(ask(client)["records"]) == 3
        assert proxy.received == []


def test_certificate_bundle_is_not_used_for_http(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    with make_client(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3


def test_netrc_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("netrc").write_text("machine 127.0.0.1\nlogin someone\npassword else\ndefault login a password b\n")
    monkeypatch.setenv("NETRC", str(Path("netrc").resolve()))
    with Host(service) as host:
        with make_client(settings_of(host)) as client:
            ask(client)
        token, export = host.received
    assert "authorization" not in token.headers
    assert export.headers["authorization"] == "Bearer tok-POST"


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_environment_variables_are_not_changed(
    tenant: Tenant, before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT", raising=False)
    if before is not None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", before)
    seen = []
    tenant.faults[0] = lambda reply: seen.append(dict(os.environ)) or reply  # type: ignore[func-returns-value]
    variables = dict(os.environ)
    with tpa.connect(**tenant.settings) as client:
        ask(client)
    assert seen == [variables], "changed during a request"
    assert dict(os.environ) == variables
