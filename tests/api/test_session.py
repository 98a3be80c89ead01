"""Requests of a client, and what they send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tpanalytics as tpa
from tests.api.conftest import CREDENTIAL, EXPORT, TOKEN, ask, error_of, exports, service, settings_of
from tests.helpers.scripted_server import Host, Received, instead, make_client, said
from tpanalytics.demo.handlers import Rules

if TYPE_CHECKING:
    from tpanalytics.demo.server import Reply, Tenant


def test_requests_have_expected_headers_and_body() -> None:
    with Host(service) as host:
        with make_client(settings_of(host)) as client:
            ask(client)
        first, second = host.received
    assert (first.method, first.target) == TOKEN
    assert first.headers["content-type"] == "application/json"
    assert "authorization" not in first.headers
    assert json.loads(first.body) == {"grant_type": "client_credentials", **CREDENTIAL}
    assert second.headers["authorization"] == "Bearer tok-POST"
    assert second.headers["accept"] == "application/json"
    assert second.headers["user-agent"] == f"tpanalytics/{tpa.__version__}"
    assert "x-api-version" not in second.headers
    assert CREDENTIAL["client_secret"].encode() not in second.body
    assert "client_secret" not in second.target


def test_403_raises_without_retry(tenant: Tenant) -> None:
    tenant.faults[0] = instead(403, [{"title": "403 Forbidden", "description": "Scope read is missing."}])
    error = error_of(tenant, tpa.AuthError)
    assert (exports(tenant), tenant.tokens_issued) == (1, 1)
    assert all(part in str(error) for part in ("403", "Scope read is missing", EXPORT))


@pytest.mark.parametrize(
    "path", ["https://evil.invalid/x", "@evil.invalid/x", ".evil.invalid/x", ":80/x", "version", ""]
)
def test_path_on_another_host_raises(tenant: Tenant, path: str) -> None:
    with (
        make_client(tenant.settings) as client,
        pytest.raises(tpa.ConfigError, match="must start with '/' and be on the tenant's host"),
    ):
        client.request("GET", path)
    assert tenant.requests == []


@pytest.mark.parametrize(
    "path", ["//evil.invalid/x", "/\\evil.invalid/x", "/../..//evil.invalid", "/x?u=http://evil.invalid"]
)
def test_path_resembling_a_host_stays_on_the_tenant(tenant: Tenant, path: str) -> None:
    with make_client(tenant.settings) as client, pytest.raises(tpa.ApiError) as exc_info:
        client.request("GET", path)
    assert exc_info.value.status == 405
    assert len(tenant.requests) == 2


def test_version_is_returned(tenant: Tenant) -> None:
    tenant.rules = Rules(version="2026-02-03")
    with make_client(tenant.settings) as client:
        assert client.version() == "2026-02-03"


@pytest.mark.parametrize(
    "reply",
    [said(404), said(405), said(200, "<html>"), said(200, []), said(200, {}), said(200, {"version": None}), said(200)],
)
def test_missing_version_returns_none(reply: Reply) -> None:
    def answer(received: Received) -> Reply:
        return reply if received.target == "/version" else service(received)

    with Host(answer) as host, make_client(settings_of(host)) as client:
        assert client.version() is None


def test_version_without_permission_raises() -> None:
    def answer(received: Received) -> Reply:
        return said(403) if received.target == "/version" else service(received)

    with Host(answer) as host, make_client(settings_of(host)) as client, pytest.raises(tpa.AuthError):
        client.version()


def test_client_repr_shows_tenant_and_url(tenant: Tenant) -> None:
    with tpa.connect(**tenant.settings) as client:
        assert repr(client) == f"Client(tenant='alderbrook', base_url='{tenant.base_url}')"
