"""A request is signed, renewed, waited for and given up as agreed, and token and secret go to no other host."""

from __future__ import annotations

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.api.conftest import NOW
from tests.helpers.scripted_server import Host, Received, changed, client_of, cut, instead, jobs, said
from tpanalytics.api.export import ExportRequest, export_pages
from tpanalytics.demo.handlers import Rules
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Clock
    from tpanalytics.api.session import Client

EXPORT = "/job_architecture/export/jobs/task_profiles"
TOKEN = ("POST", "/oauth/token")
CREDENTIAL = {"client_id": "cid", "client_secret": 's3cr"et-Vögel', "audience": "eu3", "tenant": "northwind"}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3)) as made:
        yield made


def ask(client: Client) -> Any:
    """Ask for the first page."""
    return json.loads(client.request("POST", EXPORT, body={"limit": 100}))


def settings_of(host: Host) -> dict[str, Any]:
    return {"base_url": host.address, "token_url": f"{host.address}/oauth/token", **CREDENTIAL}


def service(received: Received) -> Reply:
    """Answer as a service does that accepts everyone."""
    if received.target == "/oauth/token":
        return said(200, {"access_token": f"tok-{received.method}", "expires_in": 60, "token_type": "Bearer"})
    return said(200, {"has_next": False, "records": []})


def refused(tenant: Tenant, kind: type[tpa.TpAnalyticsError], waits: list[float] | None = None, **policy: Any) -> Any:
    """Ask for a page and give the error."""
    with client_of(tenant.settings, waits, **policy) as client, pytest.raises(kind) as caught:
        ask(client)
    assert type(caught.value) is kind
    return caught.value


def exports(tenant: Tenant) -> int:
    return tenant.requests.count(("POST", EXPORT))


# The token


def test_the_credential_goes_as_json_to_the_token_endpoint_and_the_token_as_a_header_to_the_tenant() -> None:
    with Host(service) as host:
        with client_of(settings_of(host)) as client:
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


def test_no_token_is_asked_for_before_it_is_needed(tenant: Tenant) -> None:
    with tpa.connect(**tenant.settings) as client:
        assert client.tokens_fetched == 0
    assert tenant.requests == []


def test_one_pull_takes_one_token(tenant: Tenant) -> None:
    with client_of(tenant.settings) as client:
        assert len(list(export_pages(client, ExportRequest(limit=1)))) == 3
        client.version()
        assert client.tokens_fetched == 1
    assert tenant.requests.count(TOKEN) == tenant.tokens_issued == 1


def test_threads_share_one_token_and_one_renewal(tenant: Tenant) -> None:
    together = threading.Barrier(8)

    def pull(client: Client) -> int:
        together.wait()
        return len(ask(client)["records"])

    with client_of(tenant.settings) as client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(pull, [client] * 8)) == [3] * 8
        assert tenant.tokens_issued == 1
        tenant.expire_tokens()
        assert list(pool.map(pull, [client] * 8)) == [3] * 8
        assert tenant.tokens_issued == 2


@pytest.mark.parametrize(("lifetime", "leeway"), [(10800, 60), (600, 60), (100, 10), (10, 1), ("10800", 60)])
def test_a_token_is_renewed_early_but_a_short_one_is_used_too(
    tenant: Tenant, clock: Clock, lifetime: Any, leeway: float
) -> None:
    tenant.token_faults[0] = changed(expires_in=lifetime)
    with client_of(tenant.settings) as client:
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
def test_a_token_without_lifetime_is_used_until_it_is_refused(tenant: Tenant, clock: Clock, lifetime: Any) -> None:
    tenant.token_faults[0] = changed(expires_in=lifetime)
    with client_of(tenant.settings) as client:
        ask(client)
        clock.now += 10 * 365 * 86400
        ask(client)
        assert tenant.tokens_issued == 1
        tenant.expire_tokens()
        ask(client)
        assert tenant.tokens_issued == 2


def test_a_token_that_dies_in_the_middle_of_a_pull_is_renewed_and_nothing_is_lost(tenant: Tenant) -> None:
    seen = []
    with client_of(tenant.settings) as client:
        for page in export_pages(client, ExportRequest(limit=1)):
            seen += [record["external_id"] for record in json.loads(page.body)["records"]]
            tenant.expire_tokens()
    assert seen == ["job-1", "job-2", "job-3"]
    assert tenant.tokens_issued == 3


def test_a_401_is_replayed_exactly_once_with_a_new_token() -> None:
    def answer(received: Received) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": f"tok-{len(host.received)}"})
        old = received.headers["authorization"] == "Bearer tok-1"
        return said(401, []) if old else said(200, {"records": []})

    with Host(answer) as host, client_of(settings_of(host)) as client:
        ask(client)
        received = host.received
    assert [one.target for one in received] == ["/oauth/token", EXPORT, "/oauth/token", EXPORT]
    assert received[1].body == received[3].body
    assert [received[i].headers["authorization"] for i in (1, 3)] == ["Bearer tok-1", "Bearer tok-3"]


def test_a_second_401_is_final_and_says_what_the_service_said(tenant: Tenant) -> None:
    tenant.faults[0] = instead(401, [{"title": "401 Unauthorized", "description": "Wrong audience."}])
    waits: list[float] = []
    error = refused(tenant, tpa.AuthError, waits)
    assert (exports(tenant), tenant.tokens_issued, waits) == (2, 2, [])
    assert all(part in str(error) for part in ("401", "Wrong audience", "fresh token", EXPORT))


def test_every_request_may_be_replayed_once(tenant: Tenant) -> None:
    for number in (1, 3, 5):
        tenant.faults[number] = instead(401)
    with client_of(tenant.settings) as client:
        for _ in range(3):
            ask(client)
    assert (exports(tenant), tenant.tokens_issued) == (6, 4)


def test_a_403_is_final_at_once(tenant: Tenant) -> None:
    tenant.faults[0] = instead(403, [{"title": "403 Forbidden", "description": "Scope read is missing."}])
    error = refused(tenant, tpa.AuthError)
    assert (exports(tenant), tenant.tokens_issued) == (1, 1)
    assert all(part in str(error) for part in ("403", "Scope read is missing", EXPORT))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_secret": "guessed"}, ("401", "access_denied", "Unauthorized", "client_secret")),
        ({"client_id": "guessed"}, ("401", "Unauthorized", "client_id")),
        ({"audience": "elsewhere"}, ("403", "not authorised for this audience", "audience")),
        ({"tenant": "elsewhere"}, ("403", "not authorised for this tenant", "tenant")),
    ],
)
def test_a_wrong_credential_is_an_auth_error_in_the_services_words(
    tenant: Tenant, wrong: dict[str, str], words: tuple[str, ...]
) -> None:
    waits: list[float] = []
    with client_of({**tenant.settings, **wrong}, waits) as client, pytest.raises(tpa.AuthError) as caught:
        ask(client)
    assert all(word in str(caught.value) for word in words)
    assert tenant.requests == [TOKEN]
    assert waits == []


NO_TOKEN = {
    "nothing": b"",
    "a login page": "<html>Sign in</html>",
    "an empty object": {},
    "a list": [],
    "null": None,
    "a text": b'"token"',
    "a number": 7,
    "deep brackets": b"[" * 100_000,
    "another name": {"token": "live-token-value"},
    "an empty token": {"access_token": ""},
    "a null token": {"access_token": None},
    "a token that is a number": {"access_token": 5},
    "a token that is a list": {"access_token": ["live-token-value"]},
    "a token with a line break": {"access_token": "live-token-value\r\nX-Evil: 1"},
    "a token in another alphabet": {"access_token": "live-token-value-ключ"},
    "a lifetime in words": {"access_token": "live-token-value", "expires_in": "soon"},
    "an endless lifetime": b'{"access_token": "live-token-value", "expires_in": 1e999}',
    "a lifetime that is no number": b'{"access_token": "live-token-value", "expires_in": NaN}',
    "a list of lifetimes": {"access_token": "live-token-value", "expires_in": [60]},
}


@pytest.mark.parametrize("body", NO_TOKEN.values(), ids=NO_TOKEN)
def test_a_200_without_a_usable_token_is_an_auth_error_and_nothing_is_sent_unsigned(tenant: Tenant, body: Any) -> None:
    tenant.token_faults[0] = instead(200, body)
    error = refused(tenant, tpa.AuthError)
    assert "answered 200 without a token" in str(error)
    assert "live-token-value" not in str(error)
    assert tenant.requests == [TOKEN]


def test_a_login_page_in_place_of_a_token_is_shown(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, "<html><title>Corporate proxy</title></html>")
    assert "Corporate proxy" in str(refused(tenant, tpa.AuthError))


def test_the_names_in_an_answer_without_a_token_are_shown(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, {"jwt": "live-token-value", "ttl": 60})
    assert "jwt, ttl" in str(refused(tenant, tpa.AuthError))


def test_an_oauth_error_with_status_200_is_told(tenant: Tenant) -> None:
    tenant.token_faults[0] = instead(200, {"error": "invalid_client", "error_description": "Client is disabled."})
    assert "Client is disabled" in str(refused(tenant, tpa.AuthError))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_token_endpoint_that_stumbles_is_asked_again(tenant: Tenant, status: int) -> None:
    tenant.token_faults[1] = instead(status, "<html>busy</html>")
    with client_of(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3
    assert tenant.requests.count(TOKEN) == 2


@pytest.mark.parametrize(("status", "kind"), [(429, tpa.RateLimited), (503, tpa.ApiError)])
def test_a_token_endpoint_that_stays_down_is_given_up(tenant: Tenant, status: int, kind: Any) -> None:
    tenant.token_faults[0] = instead(status, "<html>busy</html>")
    error = refused(tenant, kind)
    assert error.status == status
    assert "token endpoint" in str(error)
    assert tenant.requests == [TOKEN] * 5


# Waiting


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)


RETRY_AFTER = [
    ("7", 7),
    (" 7 ", 7),
    ("0", 0),
    ("2.5", 2.5),
    ("86400", 300),
    ("9" * 400, 300),
    ("inf", 300),
    (http_date(120), 120),
    (http_date(-3600), 0),
    (http_date(10 * 365 * 86400), 300),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_the_wait_is_the_one_asked_for_up_to_300_seconds(
    tenant: Tenant, clock: Clock, status: int, header: str, seconds: float
) -> None:
    tenant.faults[1] = instead(status, [], Retry_After=header)
    waits: list[float] = []
    with client_of(tenant.settings, waits, base=1000, cap=1000) as client:
        assert len(ask(client)["records"]) == 3
    assert waits == [seconds]
    assert exports(tenant) == 2


@pytest.mark.parametrize("header", ["", "soon", "-5", "nan", "Mon, 99 Foo 2026 25:61:61 GMT", "1h"])
def test_an_unreadable_wish_counts_as_none(tenant: Tenant, header: str) -> None:
    tenant.faults[1] = instead(429, [], Retry_After=header)
    waits: list[float] = []
    with client_of(tenant.settings, waits, base=4, factor=1) as client:
        assert len(ask(client)["records"]) == 3
    assert len(waits) == 1
    assert 0 <= waits[0] <= 4


def test_without_a_wish_the_waits_grow_and_are_spread(tenant: Tenant) -> None:
    tenant.faults[0] = instead(503)
    drawn = []
    for _ in range(20):
        waits: list[float] = []
        refused(tenant, tpa.ApiError, waits, base=1, factor=2, cap=60)
        assert len(waits) == 4
        assert all(0 <= wait <= 2**n for n, wait in enumerate(waits))
        drawn.append(tuple(waits))
    assert len(set(drawn)) == 20, "clients that failed together must not come back together"


@hypothesis.given(
    attempt=st.integers(0, 50),
    asked=st.none() | st.floats(allow_nan=False),
    base=st.floats(0, 1e6),
    cap=st.floats(0, 1e6),
)
def test_no_wait_is_negative_or_longer_than_its_cap(attempt: int, asked: float | None, base: float, cap: float) -> None:
    wait = tpa.RetryPolicy(base=base, cap=cap).wait(attempt, asked)
    assert 0 <= wait <= (cap if asked is None else 300)


@pytest.mark.parametrize("tries", [0, -1])
def test_a_policy_that_never_tries_is_refused(tries: int) -> None:
    with pytest.raises(tpa.ConfigError, match="tries"):
        tpa.RetryPolicy(tries=tries)


def test_a_429_for_ever_says_how_long_the_service_wants_to_rest(tenant: Tenant) -> None:
    tenant.faults[0] = instead(429, [{"title": "429 Slow down", "description": "Quota used up."}], Retry_After="3600")
    waits: list[float] = []
    error = refused(tenant, tpa.RateLimited, waits)
    assert (exports(tenant), waits) == (5, [300.0] * 4)
    assert (error.status, error.retry_after_seconds) == (429, 3600)
    assert all(part in str(error) for part in ("Quota used up", "3600 s", "5 times"))


def test_a_429_for_ever_without_a_wish_says_so(tenant: Tenant) -> None:
    tenant.faults[0] = instead(429)
    error = refused(tenant, tpa.RateLimited)
    assert error.retry_after_seconds is None
    assert "does not say how long" in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_server_is_waited_out(tenant: Tenant, status: int) -> None:
    tenant.faults[1] = tenant.faults[2] = instead(status, "<html>down</html>")
    waits: list[float] = []
    with client_of(tenant.settings, waits) as client:
        assert len(ask(client)["records"]) == 3
    assert (exports(tenant), len(waits), tenant.tokens_issued) == (3, 2, 1)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_503_for_ever_is_given_up_after_the_last_try(tenant: Tenant, tries: int) -> None:
    tenant.faults[0] = instead(503, [{"title": "503 Maintenance", "description": "Back at noon."}])
    waits: list[float] = []
    error = refused(tenant, tpa.ApiError, waits, tries=tries)
    assert (exports(tenant), len(waits)) == (tries, tries - 1)
    assert error.status == 503
    assert all(part in str(error) for part in ("Back at noon", f"Tried {tries} times"))


@pytest.mark.parametrize("status", [400, 404, 405, 409, 418, 422, 501, 201, 204])
def test_what_cannot_get_better_is_not_tried_again(tenant: Tenant, status: int) -> None:
    tenant.faults[0] = instead(status, b"" if status == 204 else [{"title": "No", "description": "Because."}])
    waits: list[float] = []
    error = refused(tenant, tpa.ApiError, waits)
    assert (exports(tenant), waits, error.status) == (1, [], status)


def test_who_waits_is_told_why(tenant: Tenant) -> None:
    tenant.faults[1], tenant.faults[2] = instead(429, [], Retry_After="8"), cut(10)
    told: list[str] = []
    with client_of(tenant.settings) as client:
        client.on_wait = told.append
        ask(client)
    assert told == [
        "the service answered 429; trying again in 8 s",
        "the connection broke in the middle of the answer; trying again in 0 s",
    ]


# Broken connections


@pytest.mark.parametrize("at", [0, 1, 50])
def test_a_connection_cut_in_the_middle_of_a_body_is_tried_again(tenant: Tenant, at: int) -> None:
    tenant.faults[1] = cut(at)
    with client_of(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3
    assert exports(tenant) == 2


def test_a_connection_that_is_always_cut_is_given_up(tenant: Tenant) -> None:
    tenant.faults[0] = cut(30)
    error = refused(tenant, tpa.Unreachable)
    assert exports(tenant) == 5
    assert error.status is None
    assert all(part in str(error) for part in ("broke in the middle", "try 5 of 5", EXPORT))


def test_a_body_that_cannot_be_unpacked_is_tried_again(tenant: Tenant) -> None:
    tenant.compress = False
    tenant.faults[1] = instead(200, b"no gzip at all", Content_Encoding="gzip")
    with client_of(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize(("down", "what"), [("base_url", EXPORT), ("token_url", "the token endpoint")])
def test_a_service_that_is_down_is_unreachable(tenant: Tenant, down: str, what: str) -> None:
    given = {**tenant.settings, down: f"http://127.0.0.1:{free_port()}"}
    waits: list[float] = []
    with client_of(given, waits) as client, pytest.raises(tpa.Unreachable) as caught:
        ask(client)
    assert len(waits) == 4
    assert caught.value.path == what
    assert all(part in str(caught.value) for part in (what, "127.0.0.1", "no connection", "try 5 of 5"))


def test_encryption_that_cannot_be_set_up_is_final(tenant: Tenant) -> None:
    waits: list[float] = []
    given = {**tenant.settings, "token_url": tenant.settings["token_url"].replace("http://", "https://")}
    given["base_url"] = "https://127.0.0.1:9"
    with client_of(given, waits) as client, pytest.raises(tpa.Unreachable, match="encrypted connection"):
        ask(client)
    assert (waits, tenant.requests) == ([], [])


# What a refusal says

BODIES = {
    "list": ([{"title": "404 Not Found", "description": "No such job."}], ["404 Not Found: No such job"]),
    "two in a list": ([{"title": "A", "description": "B"}, {"title": "C", "description": "D"}], ["A: B"]),
    "object": ({"title": "Not Found", "description": "Gone."}, ["Not Found: Gone"]),
    "oauth object": ({"error": "not_found", "error_description": "Gone."}, ["not_found: Gone"]),
    "title alone": ([{"title": "Not Found"}], ["Not Found"]),
    "nulls": ([{"title": None, "description": None}], ["null"]),
    "other object": ({"message": "No route"}, ["No route"]),
    "nested": ({"error": {"code": 7, "reason": "No route"}}, ["No route"]),
    "list of texts": (["No route"], ["No route"]),
    "empty list": ([], ["'[]'"]),
    "number": (b"404", ["'404'"]),
    "html": ("<html><h1>Bad gateway of Contoso</h1></html>", ["Bad gateway of Contoso"]),
    "empty": (b"", ["(empty body)"]),
    "no text": (b"\xff\xfe\x00\x81", ["404"]),
    "deep brackets": (b"[" * 100_000, ["404"]),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_a_refusal_says_what_the_body_says_whatever_its_form(tenant: Tenant, body: Any, words: list[str]) -> None:
    tenant.faults[0] = instead(404, body)
    error = refused(tenant, tpa.ApiError)
    assert str(error).startswith(f"POST {EXPORT}: the service answered 404")
    assert all(word in str(error) for word in words)
    assert len(str(error)) < 500


def test_a_refusal_keeps_its_parts(tenant: Tenant) -> None:
    tenant.faults[0] = instead(404, [{"title": "404 Not Found", "description": "No such job."}], X_Request_ID="req-77")
    error = refused(tenant, tpa.ApiError)
    assert (error.status, error.path, error.request_id) == (404, EXPORT, "req-77")
    assert (error.title, error.description) == ("404 Not Found", "No such job.")
    assert "(request req-77)" in str(error)


@pytest.mark.parametrize("body", ["x" * 5000, [{"title": "T", "description": "x" * 5000}]], ids=["text", "list"])
def test_a_long_body_is_cut(tenant: Tenant, body: Any) -> None:
    tenant.faults[0] = instead(400, body)
    assert len(str(refused(tenant, tpa.ApiError))) < 600


# Where the token goes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(tenant: Tenant, status: int) -> None:
    with Host(service) as other:
        tenant.faults[0] = instead(status, b"", Location=f"{other.address}/steal")
        error = refused(tenant, tpa.ApiError)
        assert other.received == []
    assert exports(tenant) == 1
    assert error.status == status
    assert "redirects to 127.0.0.1" in str(error)
    assert "not sent there" in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_secret_follows_no_redirect(tenant: Tenant, status: int) -> None:
    with Host(service) as other:
        tenant.token_faults[0] = instead(status, b"", Location=f"{other.address}/steal")
        assert str(status) in str(refused(tenant, tpa.AuthError))
        assert other.received == []
    assert tenant.requests == [TOKEN]


@pytest.mark.parametrize(
    "headers", [{}, {"Location": ""}, {"Location": "/elsewhere"}, {"Location": "http://[broken"}, {"Location": "\xff"}]
)
def test_a_redirect_to_nowhere_is_not_followed_either(tenant: Tenant, headers: dict[str, str]) -> None:
    tenant.faults[0] = instead(302, b"", **headers)
    assert "redirects to elsewhere" in str(refused(tenant, tpa.ApiError))
    assert exports(tenant) == 1


@pytest.mark.parametrize(
    "path", ["https://evil.invalid/x", "@evil.invalid/x", ".evil.invalid/x", ":80/x", "version", ""]
)
def test_a_path_that_would_leave_the_tenant_is_refused_before_a_token_is_fetched(tenant: Tenant, path: str) -> None:
    with client_of(tenant.settings) as client, pytest.raises(tpa.ConfigError, match="its host only"):
        client.request("GET", path)
    assert tenant.requests == []


@pytest.mark.parametrize(
    "path", ["//evil.invalid/x", "/\\evil.invalid/x", "/../..//evil.invalid", "/x?u=http://evil.invalid"]
)
def test_a_path_that_looks_like_a_host_stays_on_the_tenant(tenant: Tenant, path: str) -> None:
    with client_of(tenant.settings) as client, pytest.raises(tpa.ApiError) as caught:
        client.request("GET", path)
    assert caught.value.status == 405
    assert len(tenant.requests) == 2


def test_plain_http_to_one_port_does_not_spread_to_another() -> None:
    with Host(service) as other:
        given = {**settings_of(other), "base_url": other.address[:-1]}  # the address is a prefix of the other's
        given["token_url"] = given["token_url"].replace("http://", "https://")
        with client_of(given) as client, pytest.raises(tpa.Unreachable, match="encrypted connection"):
            ask(client)
        assert other.received == []


def test_an_address_in_capitals_works(tenant: Tenant) -> None:
    given = {**tenant.settings, "base_url": tenant.base_url.replace("http://127.0.0.1", "HTTP://LOCALHOST")}
    with client_of(given) as client:
        assert len(ask(client)["records"]) == 3


def test_a_base_with_a_path_keeps_it() -> None:
    with Host(service) as host, client_of({**settings_of(host), "base_url": f"{host.address}/api/"}) as client:
        client.request("GET", "/version", query=[("include", "a"), ("include", "b&c")])
        assert host.received[-1].target == "/api/version?include=a&include=b%26c"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    tenant: Tenant, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    with Host(service) as proxy:
        monkeypatch.setenv(name, proxy.address)
        with client_of(tenant.settings) as client:
            assert len(ask(client)["records"]) == 3
        assert proxy.received == []


def test_a_bundle_of_certificates_of_the_environment_does_not_matter_here(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    with client_of(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3


def test_a_netrc_replaces_neither_token_nor_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("netrc").write_text("machine 127.0.0.1\nlogin someone\npassword else\ndefault login a password b\n")
    monkeypatch.setenv("NETRC", str(Path("netrc").resolve()))
    with Host(service) as host:
        with client_of(settings_of(host)) as client:
            ask(client)
        token, export = host.received
    assert "authorization" not in token.headers
    assert export.headers["authorization"] == "Bearer tok-POST"


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_no_environment_variable_is_left_or_changed(
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
    assert seen == [variables], "not even while a request is under way"
    assert dict(os.environ) == variables


# The client itself


def test_the_version_is_told(tenant: Tenant) -> None:
    tenant.rules = Rules(version="2026-02-03")
    with client_of(tenant.settings) as client:
        assert client.version() == "2026-02-03"


@pytest.mark.parametrize(
    "reply",
    [said(404), said(405), said(200, "<html>"), said(200, []), said(200, {}), said(200, {"version": None}), said(200)],
)
def test_a_version_that_is_not_told_is_none(reply: Reply) -> None:
    def answer(received: Received) -> Reply:
        return reply if received.target == "/version" else service(received)

    with Host(answer) as host, client_of(settings_of(host)) as client:
        assert client.version() is None


def test_a_version_that_may_not_be_asked_is_an_error() -> None:
    def answer(received: Received) -> Reply:
        return said(403) if received.target == "/version" else service(received)

    with Host(answer) as host, client_of(settings_of(host)) as client, pytest.raises(tpa.AuthError):
        client.version()


def test_a_closed_client_has_forgotten_its_token(tenant: Tenant) -> None:
    client = client_of(tenant.settings)
    ask(client)
    client.close()
    ask(client)
    client.close()
    assert tenant.tokens_issued == 2


def test_a_client_shows_tenant_and_address_alone(tenant: Tenant) -> None:
    with tpa.connect(**tenant.settings) as client:
        assert repr(client) == f"Client(tenant='alderbrook', base_url='{tenant.base_url}')"
