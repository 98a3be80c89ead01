"""Retries, waits and connection errors."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.api.conftest import EXPORT, NOW, Clock, ask, error_of, exports
from tests.helpers.scripted_server import cut, instead, make_client

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant


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
def test_retry_after_is_respected_up_to_300_seconds(
    tenant: Tenant, clock: Clock, status: int, header: str, seconds: float
) -> None:
    tenant.faults[1] = instead(status, [], Retry_After=header)
    waits: list[float] = []
    with make_client(tenant.settings, waits, base=1000, cap=1000) as client:
        assert len(ask(client)["records"]) == 3
    assert waits == [seconds]
    assert exports(tenant) == 2


@pytest.mark.parametrize("header", ["", "soon", "-5", "nan", "Mon, 99 Foo 2026 25:61:61 GMT", "1h"])
def test_invalid_retry_after_is_ignored(tenant: Tenant, header: str) -> None:
    tenant.faults[1] = instead(429, [], Retry_After=header)
    waits: list[float] = []
    with make_client(tenant.settings, waits, base=4, factor=1) as client:
        assert len(ask(client)["records"]) == 3
    assert len(waits) == 1
    assert 0 <= waits[0] <= 4


def test_waits_grow_with_jitter(tenant: Tenant) -> None:
    tenant.faults[0] = instead(503)
    drawn = []
    for _ in range(20):
        waits: list[float] = []
        error_of(tenant, tpa.ApiError, waits, base=1, factor=2, cap=60)
        assert len(waits) == 4
        assert all(0 <= wait <= 2**n for n, wait in enumerate(waits))
        drawn.append(tuple(waits))
    assert len(set(drawn)) == 20, "clients that failed together must not retry together"


@hypothesis.given(
    attempt=st.integers(0, 50),
    retry_after=st.none() | st.floats(allow_nan=False),
    base=st.floats(0, 1e6),
    cap=st.floats(0, 1e6),
)
def test_wait_is_between_zero_and_cap(attempt: int, retry_after: float | None, base: float, cap: float) -> None:
    wait = tpa.RetryPolicy(base=base, cap=cap).wait(attempt, retry_after)
    assert 0 <= wait <= (cap if retry_after is None else 300)


@pytest.mark.parametrize("tries", [0, -1])
def test_policy_without_attempts_raises(tries: int) -> None:
    with pytest.raises(tpa.ConfigError, match=f"`tries` must be 1 or more, not {tries}"):
        tpa.RetryPolicy(tries=tries)


def test_rate_limit_error_contains_retry_after(tenant: Tenant) -> None:
    tenant.faults[0] = instead(429, [{"title": "429 Slow down", "description": "Quota used up."}], Retry_After="3600")
    waits: list[float] = []
    error = error_of(tenant, tpa.RateLimited, waits)
    assert (exports(tenant), waits) == (5, [300.0] * 4)
    assert (error.status, error.retry_after_seconds) == (429, 3600)
    assert all(part in str(error) for part in ("Quota used up", "3600 s", "5 attempts"))


def test_rate_limit_error_without_retry_after(tenant: Tenant) -> None:
    tenant.faults[0] = instead(429)
    error = error_of(tenant, tpa.RateLimited)
    assert error.retry_after_seconds is None
    assert "try again later" in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_retried(tenant: Tenant, status: int) -> None:
    tenant.faults[1] = tenant.faults[2] = instead(status, "<html>down</html>")
    waits: list[float] = []
    with make_client(tenant.settings, waits) as client:
        assert len(ask(client)["records"]) == 3
    assert (exports(tenant), len(waits), tenant.tokens_issued) == (3, 2, 1)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_server_error_raises_after_last_attempt(tenant: Tenant, tries: int) -> None:
    tenant.faults[0] = instead(503, [{"title": "503 Maintenance", "description": "Back at noon."}])
    waits: list[float] = []
    error = error_of(tenant, tpa.ApiError, waits, tries=tries)
    assert (exports(tenant), len(waits)) == (tries, tries - 1)
    assert error.status == 503
    assert all(part in str(error) for part in ("Back at noon", f"Gave up after {tries} attempts"))


@pytest.mark.parametrize("status", [400, 404, 405, 409, 418, 422, 501, 201, 204])
def test_other_statuses_are_not_retried(tenant: Tenant, status: int) -> None:
    tenant.faults[0] = instead(status, b"" if status == 204 else [{"title": "No", "description": "Because."}])
    waits: list[float] = []
    error = error_of(tenant, tpa.ApiError, waits)
    assert (exports(tenant), waits, error.status) == (1, [], status)


def test_on_wait_receives_the_reason(tenant: Tenant) -> None:
    tenant.faults[1], tenant.faults[2] = instead(429, [], Retry_After="8"), cut(10)
    reasons: list[str] = []
    with make_client(tenant.settings) as client:
        client.on_wait = reasons.append
        ask(client)
    assert reasons == [
        "the service returned 429; retrying in 8 s",
        "the connection was closed in the middle of the response; retrying in 0 s",
    ]


@pytest.mark.parametrize("at", [0, 1, 50])
def test_interrupted_response_is_retried(tenant: Tenant, at: int) -> None:
    tenant.faults[1] = cut(at)
    with make_client(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3
    assert exports(tenant) == 2


def test_interrupted_response_raises_after_last_attempt(tenant: Tenant) -> None:
    tenant.faults[0] = cut(30)
    error = error_of(tenant, tpa.Unreachable)
    assert exports(tenant) == 5
    assert error.status is None
    assert all(part in str(error) for part in ("closed in the middle", "attempt 5 of 5", EXPORT))


def test_invalid_gzip_is_retried(tenant: Tenant) -> None:
    tenant.compress = False
    tenant.faults[1] = instead(200, b"not gzip", Content_Encoding="gzip")
    with make_client(tenant.settings) as client:
        assert len(ask(client)["records"]) == 3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize(("setting", "path"), [("base_url", EXPORT), ("token_url", "the token endpoint")])
def test_unavailable_service_raises_unreachable(tenant: Tenant, setting: str, path: str) -> None:
    settings = {**tenant.settings, setting: f"http://127.0.0.1:{free_port()}"}
    waits: list[float] = []
    with make_client(settings, waits) as client, pytest.raises(tpa.Unreachable) as exc_info:
        ask(client)
    assert len(waits) == 4
    assert exc_info.value.path == path
    assert all(part in str(exc_info.value) for part in (path, "127.0.0.1", "connection failed", "attempt 5 of 5"))


def test_tls_error_is_not_retried(tenant: Tenant) -> None:
    waits: list[float] = []
    settings = {**tenant.settings, "token_url": tenant.settings["token_url"].replace("http://", "https://")}
    settings["base_url"] = "https://127.0.0.1:9"
    with make_client(settings, waits) as client, pytest.raises(tpa.Unreachable, match="TLS connection"):
        ask(client)
    assert (waits, tenant.requests) == ([], [])
