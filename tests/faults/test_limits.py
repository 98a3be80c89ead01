"""Limits of time and memory for responses, and reuse of connections."""

from __future__ import annotations

import gzip
import resource
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.api.conftest import EXPORT, settings_of
from tests.helpers.scripted_server import Host, Received, instead, jobs, said
from tpanalytics.api.http.body import _gunzip
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve
from tpanalytics.demo import faults
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.demo.server import Reply

MIB = 1 << 20


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3)) as tenant:
        yield tenant


def make_client(settings: dict[str, Any], tries: int = 2, **limits: Any) -> Client:
    policy = tpa.RetryPolicy(tries=tries, base=0)
    return Client(resolve(settings), retry=policy, limits=tpa.Limits(**limits), sleep=lambda _: None)


def ask(client: Client) -> bytes:
    return client.request("POST", EXPORT, body={"limit": 100})


# Size


@pytest.mark.parametrize("compress", [True, False])
def test_body_size_is_limited(tenant: Tenant, compress: bool) -> None:
    tenant.compress = compress
    with make_client(tenant.settings, answer_bytes=100_000) as client:
        for size in (99_999, 100_000):
            tenant.faults[0] = instead(200, b"x" * size)
            assert len(ask(client)) == size
        tenant.faults[0] = instead(200, b"x" * 100_001)
        with pytest.raises(
            tpa.ApiError, match="returned 200, but the body is larger than the limit of 100,000"
        ) as exc_info:
            ask(client)
    assert (exc_info.value.status, exc_info.value.path) == (200, EXPORT)
    assert tenant.requests.count(("POST", EXPORT)) == 3


def test_large_error_body_is_truncated(tenant: Tenant) -> None:
    tenant.faults[0] = lambda reply: replace(faults.gzip_bomb(512)(reply), status=404)
    with make_client(tenant.settings) as client, pytest.raises(tpa.ApiError, match="the service returned 404"):
        ask(client)


def test_error_body_with_unknown_encoding_is_ignored(tenant: Tenant) -> None:
    tenant.faults[0] = instead(404, b"...", Content_Encoding="br")
    with make_client(tenant.settings) as client, pytest.raises(tpa.ApiError, match=r"404: \(empty body\)"):
        ask(client)


PULL = """
import resource, sys
import tpanalytics as tpa
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve
_, base_url, token_url, mib = sys.argv
settings = {"base_url": base_url, "token_url": token_url, "client_id": "demo-client", "tenant": "alderbrook"}
settings |= {"client_secret": "not-a-real-secret", "audience": "demo.alderbrook.invalid"}
with Client(resolve(settings), limits=tpa.Limits(answer_bytes=int(mib) << 20)) as client:
    try:
        client.request("POST", "/job_architecture/export/jobs/task_profiles", body={"limit": 1})
    except tpa.ApiError as error:
        print(str(error).replace("\\n", " "))
    else:
        print("read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 if sys.platform == "darwin" else 1024))
"""


def peak_mib(tenant: Tenant, mib: int) -> tuple[str, int]:
    """Request a page in a separate process and return its output and peak memory."""
    settings = tenant.settings
    command = [sys.executable, "-c", PULL, settings["base_url"], settings["token_url"], str(mib)]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    output, peak = process.stdout.splitlines()
    return output, int(peak)


@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="requires resource.getrusage")
def test_gzip_bomb_does_not_exceed_memory_limit(tenant: Tenant) -> None:
    tenant.faults[2] = tenant.faults[3] = faults.gzip_bomb(512)
    (output, base), (output_16, peak_16), (output_128, peak_128) = (peak_mib(tenant, mib) for mib in (16, 16, 128))
    print(f"peak memory: {base} MiB without bomb, {peak_16} with a limit of 16 MiB, {peak_128} with 128")
    assert output == "read"
    assert "larger than the limit of 16 MiB" in output_16
    assert "larger than the limit of 128 MiB" in output_128
    assert peak_16 - base < 2 * 16 + 16
    assert peak_128 - base < 128 + 2 * 64 + 16, "a chunk of 64 KiB can expand to 64 MiB"


# Compression


@hypothesis.given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50), st.integers(1, 2000))
def test_gunzip_handles_any_chunk_size(parts: list[bytes], step: int, max_bytes: int) -> None:
    compressed, plain = b"".join(map(gzip.compress, parts)), b"".join(parts)
    chunks = [compressed[i : i + step] for i in range(0, len(compressed), step)]
    assert b"".join(_gunzip(chunks, len(plain) + 1)) == plain
    assert b"".join(_gunzip([*chunks, b"\0" * 20], len(plain) + 1)) == plain, "padding must be ignored"
    assert all(len(chunk) <= max_bytes + 1 for chunk in islice(_gunzip(chunks, max_bytes), 1))
    with pytest.raises(EOFError):
        list(_gunzip([compressed[:-1]], len(plain) + 1))


# Time


def test_deadline_includes_headers_and_body(tenant: Tenant) -> None:
    tenant.faults[0] = lambda reply: faults.slow(0.3)(faults.dripping(100)(reply))
    with make_client(tenant.settings, tries=1, silence_seconds=5, answer_seconds=0.6) as client:
        start = time.monotonic()
        with pytest.raises(tpa.Unreachable, match=r"not complete within 0\.6 s"):
            ask(client)
        assert 0.55 < time.monotonic() - start < 1.5


def test_slow_body_within_the_limits_is_read(tenant: Tenant) -> None:
    tenant.faults[0] = faults.dripping(150)
    with make_client(tenant.settings, tries=1, silence_seconds=0.3, answer_seconds=30) as client:
        start = time.monotonic()
        assert ask(client).endswith(b"}")
        assert time.monotonic() - start > 0.3, "expected to take longer than silence_seconds"


def test_deadline_restarts_with_each_request(tenant: Tenant) -> None:
    with make_client(tenant.settings, tries=1, answer_seconds=0.3) as client:
        first = ask(client)
        time.sleep(0.4)
        assert ask(client) == first


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse connections if the queue is full")
def test_connection_attempt_times_out(tenant: Tenant) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(server.getsockname())
        settings = {**tenant.settings, "token_url": f"http://127.0.0.1:{server.getsockname()[1]}/oauth/token"}
        with (
            make_client(settings, connect_seconds=0.2) as client,
            pytest.raises(tpa.Unreachable, match=r"no connection within 0\.2 s \(attempt 2 of 2\)"),
        ):
            ask(client)


@pytest.mark.parametrize("name", ["connect_seconds", "silence_seconds", "answer_seconds", "answer_bytes"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limits_must_be_positive(name: str, value: Any) -> None:
    with pytest.raises(tpa.ConfigError, match=name):
        tpa.Limits(**{name: value})


def test_connect_accepts_limits(tenant: Tenant) -> None:
    limits = tpa.Limits(answer_bytes=10)
    with tpa.connect(**tenant.settings, limits=limits) as client, pytest.raises(tpa.ApiError, match="10 bytes"):
        client.sign_in()


# Clocks


@pytest.mark.parametrize("minutes", [-10, 10])
def test_clock_change_during_export_is_harmless(tenant: Tenant, minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.token_lifetime_seconds = 300
    now = time.time
    with make_client(tenant.settings) as client:
        ask(client)
        monkeypatch.setattr("time.time", lambda: now() + 60 * minutes)
        ask(client)
        tenant.expire_tokens()
        ask(client)
    assert tenant.tokens_issued <= 3


@pytest.mark.parametrize("minutes", [-10, 10])
def test_token_lifetime_starts_when_it_is_received(
    tenant: Tenant, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.token_lifetime_seconds = 3600
    tenant.token_faults[0] = faults.clock_off(minutes)
    now = time.time
    with make_client(tenant.settings) as client:
        for after, issued in ((0, 1), (3500, 1), (3590, 2)):
            monkeypatch.setattr("time.time", lambda after=after: now() + after)
            ask(client)
            assert tenant.tokens_issued == issued


# Connections


@pytest.mark.parametrize("first_response", ["complete", "too large", "truncated"])
def test_connection_is_reused_after_complete_response_only(tenant: Tenant, first_response: str) -> None:
    connections: list[Any] = []
    server = tenant._server
    process = server.process_request
    server.process_request = lambda *args: (connections.append(args[1]), process(*args))[1]  # type: ignore[method-assign]
    tenant.compress = False
    if first_response == "too large":
        tenant.faults[1] = instead(200, b"x" * 3_000_000)
    if first_response == "truncated":
        tenant.faults[1] = faults.cut()
    with make_client(tenant.settings, answer_bytes=50_000) as client:
        if first_response == "too large":
            with pytest.raises(tpa.ApiError, match="larger than"):
                ask(client)
        for _ in range(3):
            ask(client)
    assert len(connections) == (1 if first_response == "complete" else 2)


def test_chunked_body_is_read() -> None:
    def answer(received: Received) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": "tok"})
        body = b'{"records": []}'
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return said(200, chunked, Transfer_Encoding="chunked")

    with Host(answer) as host, make_client(settings_of(host)) as client:
        assert [ask(client) for _ in range(2)] == [b'{"records": []}'] * 2


def test_threads_read_in_parallel(tenant: Tenant) -> None:
    tenant.faults[0] = faults.dripping(2000)
    with make_client(tenant.settings) as client:
        ask(client)
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(4)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - start < 5
    assert tenant.requests.count(("POST", EXPORT)) == 5
