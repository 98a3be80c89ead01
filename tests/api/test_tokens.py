"""Requesting and renewing access tokens."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.api.conftest import EXPORT, NOW, TOKEN, Clock, ask, error_of, exports, settings_of
from tests.helpers.scripted_server import Host, Received, change_fields, instead, make_client, said
from tpanalytics.api.export import ExportRequest, export_pages

if TYPE_CHECKING:
    from tpanalytics.api.session import Client
    from tpanalytics.demo.server import Reply, Tenant


def test_token_is_requested_lazily(tenant: Tenant) -> None:
    with tpa.connect(**tenant.settings) as client:
        assert client.tokens_fetched == 0
    assert tenant.requests == []


def test_export_uses_one_token(tenant: Tenant) -> None:
    with make_client(tenant.settings) as client:
        assert len(list(export_pages(client, ExportRequest(limit=1)))) == 3
        client.version()
        assert client.tokens_fetched == 1
    assert tenant.requests.count(TOKEN) == tenant.tokens_issued == 1


def test_threads_share_one_token(tenant: Tenant) -> None:
    barrier = threading.Barrier(8)

    def count_records(client: Client) -> int:
        barrier.wait()
        return len(ask(client)["records"])

    with make_client(tenant.settings) as client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count_records, [client] * 8)) == [3] * 8
        assert tenant.tokens_issued == 1
        tenant.expire_tokens()
        assert list(pool.map(count_records, [client] * 8)) == [3] * 8
        assert tenant.tokens_issued == 2


@pytest.mark.parametrize(("lifetime", "leeway"), [(10800, 60), (600, 60), (100, 10), (10, 1), ("10800", 60)])
def test_token_is_renewed_before_it_expires(tenant: Tenant, clock: Clock, lifetime: Any, leeway: float) -> None:
    tenant.token_faults[0] = change_fields(expires_in=lifetime)
    with make_client(tenant.settings) as client:
        ask(client)
        clock.now = NOW + float(lifetime) - leeway - 0.5
        ask(client)
        assert tenant.tokens_issued == 1
        clock.now = NOW + float(lifetime) - leeway + 0.5
        ask(client)
        assert tenant.tokens_issued == 2
        ask(client)
        assert tenant.tokens_issued == 2


@pytest.mark.parametrize("lifetime", [None, 0])
def test_token_without_lifetime_is_used_until_rejected(tenant: Tenant, clock: Clock, lifetime: Any) -> None:
    tenant.token_faults[0] = change_fields(expires_in=lifetime)
    with make_client(tenant.settings) as client:
        ask(client)
        clock.now += 10 * 365 * 86400
        ask(client)
        assert tenant.tokens_issued == 1
        tenant.expire_tokens()
        ask(client)
        assert tenant.tokens_issued == 2


def test_token_that_expires_during_export_is_renewed(tenant: Tenant) -> None:
    seen = []
    with make_client(tenant.settings) as client:
        for page in export_pages(client, ExportRequest(limit=1)):
            seen += [record["external_id"] for record in json.loads(page.body)["records"]]
            tenant.expire_tokens()
    assert seen == ["job-1", "job-2", "job-3"]
    assert tenant.tokens_issued == 3


def test_401_is_retried_once_with_a_new_token() -> None:
    def answer(received: Received) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": f"tok-{len(host.received)}"})
        expired = received.headers["authorization"] == "Bearer tok-1"
        return said(401, []) if expired else said(200, {"records": []})

    with Host(answer) as host, make_client(settings_of(host)) as client:
        ask(client)
        received = host.received
    assert [request.target for request in received] == ["/oauth/token", EXPORT, "/oauth/token", EXPORT]
    assert received[1].body == received[3].body
    assert [received[i].headers["authorization"] for i in (1, 3)] == ["Bearer tok-1", "Bearer tok-3"]


def test_second_401_raises(tenant: Tenant) -> None:
    tenant.faults[0] = instead(401, [{"title": "401 Unauthorized", "description": "Wrong audience."}])
    waits: list[float] = []
    error = error_of(tenant, tpa.AuthError, waits)
    assert (exports(tenant), tenant.tokens_issued, waits) == (2, 2, [])
    assert all(part in str(error) for part in ("401", "Wrong audience", "rejected a new token", EXPORT))


def test_every_request_can_be_retried_after_401(tenant: Tenant) -> None:
    for number in (1, 3, 5):
        tenant.faults[number] = instead(401)
    with make_client(tenant.settings) as client:
        for _ in range(3):
            ask(client)
    assert (exports(tenant), tenant.tokens_issued) == (6, 4)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_secret": "guessed"}, ("401", "access_denied", "Unauthorized", "client_secret")),
        ({"client_id": "guessed"}, ("401", "Unauthorized", "client_id")),
        ({"audience": "elsewhere"}, ("403", "not authorised for this audience", "audience")),
        ({"tenant": "elsewhere"}, ("403", "not authorised for this tenant", "tenant")),
    ],
)
def test_wrong_credential_raises_auth_error(tenant: Tenant, wrong: dict[str, str], words: tuple[str, ...]) -> None:
    waits: list[float] = []
    with make_client({**tenant.settings, **wrong}, waits) as client, pytest.raises(tpa.AuthError) as exc_info:
        ask(client)
    assert all(word in str(exc_info.value) for word in words)
    assert tenant.requests == [TOKEN]
    assert waits == []


NO_TOKEN = {
    "empty": b"",
    "a login page": "<html>Sign in</html>",
    "an empty object": {},
    "a list": [],
    "null": None,
    "text": b'"token"',
    "a number": 7,
    "deep nesting": b"[" * 100_000,
    "other field name": {"token": "live-token-value"},
    "an empty token": {"access_token": ""},
    "a null token": {"access_token": None},
    "a token that is a number": {"access_token": 5},
    "a token that is a list": {"access_token": ["live-token-value"]},
    "a token with a line break": {"access_token": "live-token-value\r\nX-Evil: 1"},
    "a token with Cyrillic letters": {"access_token": "live-token-value-ключ"},
    "a lifetime as text": {"access_token": "live-token-value", "expires_in": "soon"},
    "an infinite lifetime": b'{"access_token": "live-token-value", "expires_in": 1e999}',
    "a NaN lifetime": b'{"access_token": "live-token-value", "expires_in": NaN}',
    "a list of lifetimes": {"access_token": "live-token-value", "expires_in": [60]},
}


@pytest.mark.parametrize("body", NO_TOKEN.values(), ids=NO_TOKEN)
def test_response_without_usable_token_raises_auth_error(tenant: Tenant, body: Any) -> None:
    tenant.token_faults[0] = instead(200, body)
    error = error_of(tenant, tpa.AuthError)
    assert "returned 200 without a valid token" in str(error)
    assert "live-token-value" not in str(error)
    assert tenant.requests == [TOKEN]


def test_error_quotes_login_page(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, "<html><title>Corporate proxy</title></html>")
    assert "Corporate proxy" in str(error_of(tenant, tpa.AuthError))


def test_error_lists_fields_of_response_without_token(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, {"jwt": "live-token-value", "ttl": 60})
    assert "jwt, ttl" in str(error_of(tenant, tpa.AuthError))


def test_error_quotes_oauth_error_with_status_200(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, {"error": "invalid_client", "error_description": "Client is disabled."})
    assert "Client is disabled" in str(error_of(tenant, tpa.AuthError))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_token_request_is_retried(tenant: Tenant, status: int) -> None:
    tenant.token_faults[1] = instead(status, "<html>busy</html>")
    with make_client(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3
    assert tenant.requests.count(TOKEN) == 2


@pytest.mark.parametrize(("status", "kind"), [(429, tpa.RateLimited), (503, tpa.ApiError)])
def test_token_request_raises_after_last_attempt(tenant: Tenant, status: int, kind: Any) -> None:
    tenant.token_faults[0] = instead(status, "<html>busy</html>")
    error = error_of(tenant, kind)
    assert error.status == status
    assert "token endpoint" in str(error)
    assert tenant.requests == [TOKEN] * 5


def test_closed_client_discards_token(tenant: Tenant) -> None:
    client = make_client(tenant.settings)
    ask(client)
    client.close()
    ask(client)
    client.close()
    assert tenant.tokens_issued == 2
