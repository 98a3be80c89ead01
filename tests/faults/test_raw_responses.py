"""Unusual and damaged HTTP responses."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "S3CR3T-canary"
PAGE = b'{"has_next": false, "records": []}'
TOKEN = json.dumps({"access_token": "tok-canary", "expires_in": 3600}).encode()


class RawServer:
    """Server that responds to all requests for a page or a token with the same bytes and closes the connection."""

    def __init__(self) -> None:
        self.page = self.token = b""
        self.socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            for_token = b"/oauth/token" in request
            while b'"limit"' not in request and b'"tenant"' not in request:
                request += connection.recv(65536)
            connection.sendall(self.token if for_token else self.page)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass
        connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


def request_page(server: RawServer) -> bytes | tpa.TpAnalyticsError:
    """Request a page and return the body or the error. Other exceptions are not caught."""
    url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    settings = {"base_url": url, "token_url": f"{url}/oauth/token", "client_id": "c", "client_secret": SECRET}
    limits = tpa.Limits(silence_seconds=1, answer_seconds=2, answer_bytes=1 << 20)
    policy = tpa.RetryPolicy(tries=2, base=0)
    start = time.monotonic()
    with Client(
        resolve({**settings, "audience": "a", "tenant": "t"}), retry=policy, limits=limits, sleep=lambda _: None
    ) as client:
        try:
            return client.request("POST", "/x", body={"limit": 1})
        except tpa.TpAnalyticsError as exc:
            error = exc
    assert time.monotonic() - start < 10
    assert SECRET not in str(error)
    assert "tok-canary" not in str(error)
    return error


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"", body])


def length(n: int) -> bytes:
    return b"Content-Length: %d" % n


VALID = response(PAGE, length(len(PAGE)))
GZIPPED = gzip.compress(PAGE)
RESPONSES = {
    "valid": (VALID, PAGE),
    "no length": (response(PAGE), PAGE),
    "HTTP 1.0": (VALID.replace(b"HTTP/1.1", b"HTTP/1.0"), PAGE),
    "non-numeric length": (response(PAGE, b"Content-Length: many"), PAGE),
    "negative length": (response(PAGE, b"Content-Length: -5"), PAGE),
    "two different lengths": (response(PAGE, length(3), length(len(PAGE))), tpa.Unreachable),
    "chunks": (response(b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE), b"Transfer-Encoding: chunked"), PAGE),
    "chunks without a last chunk": (
        response(b"%x\r\n%s\r\n" % (len(PAGE), PAGE), b"Transfer-Encoding: chunked"),
        tpa.Unreachable,
    ),
    "truncated chunk": (response(b"ff\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "chunk with non-numeric size": (response(b"zz\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "chunk with negative size": (response(b"-5\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "chunk larger than memory": (response(b"f" * 15 + b"\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "chunk size out of range": (response(b"f" * 40 + b"\r\n", b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "length larger than memory": (response(PAGE, length(10**18)), tpa.Unreachable),
    "gzip without length": (response(GZIPPED, b"Content-Encoding: gzip"), PAGE),
    "truncated gzip without length": (response(GZIPPED[:-3], b"Content-Encoding: gzip"), tpa.Unreachable),
    "gzip in capitals": (response(GZIPPED, b"Content-Encoding: GZIP"), PAGE),
    "empty gzip": (response(b"", b"Content-Encoding: gzip", length(0)), b""),
    "empty": (b"", tpa.Unreachable),
    "no protocol": (b"hello\r\n\r\n", tpa.Unreachable),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", tpa.Unreachable),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", tpa.Unreachable),
    "non-numeric status": (VALID.replace(b"200 OK", b"OK"), tpa.Unreachable),
    "status with four digits": (VALID.replace(b"200 OK", b"2000 OK"), tpa.Unreachable),
    "1,000 headers": (response(PAGE, *[b"X: y"] * 1000), tpa.Unreachable),
    "very long header": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6, tpa.Unreachable),
    "invalid header": (b"HTTP/1.1 200 OK\r\nhello\r\n\r\n" + PAGE, PAGE),
    "many provisional responses": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, tpa.Unreachable),
    "unknown charset": (
        response(b"\xff\xfe", b"Content-Type: text/html; charset=klingon", status=b"404 No"),
        tpa.ApiError,
    ),
    "charset with a null character": (
        response(b"\xff", b"Content-Type: text/html; charset=a\0b", status=b"404 No"),
        tpa.ApiError,
    ),
    "charset that is not a text encoding": (
        response(b"\xff", b"Content-Type: text/html; charset=base64", status=b"404 No"),
        tpa.ApiError,
    ),
}


@pytest.mark.parametrize(("sent", "expected"), RESPONSES.values(), ids=RESPONSES)
def test_unusual_responses_are_read_or_raise(server: RawServer, sent: bytes, expected: bytes | type[Exception]) -> None:
    server.token, server.page = response(TOKEN, length(len(TOKEN))), sent
    result = request_page(server)
    assert result == expected if isinstance(expected, bytes) else type(result) is expected, result


@pytest.mark.parametrize("sent", [sent for sent, _ in RESPONSES.values()], ids=RESPONSES)
def test_unusual_token_responses_raise(server: RawServer, sent: bytes) -> None:
    server.token = sent
    assert isinstance(request_page(server), tpa.AuthError | tpa.ApiError)


@pytest.mark.parametrize("status", [b"404 No", b"503 Busy"])
@pytest.mark.parametrize("damaged", [b"<", b"\xff", b""])
def test_damaged_token_with_an_error_status_is_not_quoted(server: RawServer, status: bytes, damaged: bytes) -> None:
    body = damaged + TOKEN[1:]
    server.token = response(body, length(len(body)), status=status)
    assert isinstance(request_page(server), tpa.AuthError | tpa.ApiError)


@hypothesis.given(st.data())
def test_damaged_responses_are_read_or_raise(server: RawServer, data: st.DataObject) -> None:
    valid = data.draw(st.sampled_from([VALID, RESPONSES["chunks"][0], response(GZIPPED, b"Content-Encoding: gzip")]))
    for name in data.draw(st.sampled_from([("page",), ("token",), ("page", "token")])):
        sent = bytearray(valid if name == "page" else response(TOKEN, length(len(TOKEN))))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(sent) - 1))
            sent[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        setattr(server, name, bytes(sent))
    if not server.token:
        server.token = response(TOKEN, length(len(TOKEN)))
    request_page(server)
