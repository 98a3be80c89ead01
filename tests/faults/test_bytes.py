"""Whatever bytes come back in place of an answer, a pull ends soon and with an error of ours, or reads them."""

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


class Raw:
    """A server that sends the same bytes to every request for a page, or for a token, and hangs up."""

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
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(65536)
            for_token = b"/oauth/token" in asked
            while b'"limit"' not in asked and b'"tenant"' not in asked:
                asked += connection.recv(65536)
            connection.sendall(self.token if for_token else self.page)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass
        connection.close()


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    with Raw() as made:
        yield made


def outcome(raw: Raw) -> bytes | tpa.TpAnalyticsError:
    """Ask for a page; anything but a body and an error of ours goes up and fails the test."""
    address = f"http://127.0.0.1:{raw.socket.getsockname()[1]}"
    given = {"base_url": address, "token_url": f"{address}/oauth/token", "client_id": "c", "client_secret": SECRET}
    limits = tpa.Limits(silence_seconds=1, answer_seconds=2, answer_bytes=1 << 20)
    policy = tpa.RetryPolicy(tries=2, base=0)
    start = time.monotonic()
    with Client(
        resolve({**given, "audience": "a", "tenant": "t"}), retry=policy, limits=limits, sleep=lambda _: None
    ) as client:
        try:
            return client.request("POST", "/x", body={"limit": 1})
        except tpa.TpAnalyticsError as error:
            found = error
    assert time.monotonic() - start < 10
    assert SECRET not in str(found)
    assert "tok-canary" not in str(found)
    return found


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"", body])


def length(n: int) -> bytes:
    return b"Content-Length: %d" % n


WHOLE = answer(PAGE, length(len(PAGE)))
PACKED = gzip.compress(PAGE)
ODD = {
    "whole": (WHOLE, PAGE),
    "no length": (answer(PAGE), PAGE),
    "an older protocol": (WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"), PAGE),
    "a length that is no number": (answer(PAGE, b"Content-Length: many"), PAGE),
    "a negative length": (answer(PAGE, b"Content-Length: -5"), PAGE),
    "two lengths that differ": (answer(PAGE, length(3), length(len(PAGE))), tpa.Unreachable),
    "chunks": (answer(b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE), b"Transfer-Encoding: chunked"), PAGE),
    "chunks without end": (answer(b"%x\r\n%s\r\n" % (len(PAGE), PAGE), b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a chunk cut off": (answer(b"ff\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a chunk of no size": (answer(b"zz\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a chunk of negative size": (answer(b"-5\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a chunk larger than memory": (answer(b"f" * 15 + b"\r\n" + PAGE, b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a chunk larger than numbers go": (answer(b"f" * 40 + b"\r\n", b"Transfer-Encoding: chunked"), tpa.Unreachable),
    "a length larger than memory": (answer(PAGE, length(10**18)), tpa.Unreachable),
    "packed without length": (answer(PACKED, b"Content-Encoding: gzip"), PAGE),
    "packed without length, end missing": (answer(PACKED[:-3], b"Content-Encoding: gzip"), tpa.Unreachable),
    "packed, in capitals": (answer(PACKED, b"Content-Encoding: GZIP"), PAGE),
    "packed, with nothing in it": (answer(b"", b"Content-Encoding: gzip", length(0)), b""),
    "nothing": (b"", tpa.Unreachable),
    "no protocol": (b"hello\r\n\r\n", tpa.Unreachable),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", tpa.Unreachable),
    "an encrypted greeting": (b"\x15\x03\x01\x00\x02\x02\x46", tpa.Unreachable),
    "a status that is no number": (WHOLE.replace(b"200 OK", b"OK"), tpa.Unreachable),
    "a status of four digits": (WHOLE.replace(b"200 OK", b"2000 OK"), tpa.Unreachable),
    "a thousand headers": (answer(PAGE, *[b"X: y"] * 1000), tpa.Unreachable),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6, tpa.Unreachable),
    "a line that is no header": (b"HTTP/1.1 200 OK\r\nhello\r\n\r\n" + PAGE, PAGE),
    "provisional answers without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, tpa.Unreachable),
    "an unknown character set": (
        answer(b"\xff\xfe", b"Content-Type: text/html; charset=klingon", status=b"404 No"),
        tpa.ApiError,
    ),
    "a character set with a null": (
        answer(b"\xff", b"Content-Type: text/html; charset=a\0b", status=b"404 No"),
        tpa.ApiError,
    ),
    "a character set that is no text": (
        answer(b"\xff", b"Content-Type: text/html; charset=base64", status=b"404 No"),
        tpa.ApiError,
    ),
}


@pytest.mark.parametrize(("sent", "expected"), ODD.values(), ids=ODD)
def test_unusual_responses_are_read_or_raise(raw: Raw, sent: bytes, expected: bytes | type[Exception]) -> None:
    raw.token, raw.page = answer(TOKEN, length(len(TOKEN))), sent
    found = outcome(raw)
    assert found == expected if isinstance(expected, bytes) else type(found) is expected, found


@pytest.mark.parametrize("sent", [sent for sent, _ in ODD.values()], ids=ODD)
def test_unusual_token_responses_raise(raw: Raw, sent: bytes) -> None:
    raw.token = sent
    assert isinstance(outcome(raw), tpa.AuthError | tpa.ApiError)


@hypothesis.given(st.data())
def test_damaged_responses_are_read_or_raise(raw: Raw, data: st.DataObject) -> None:
    """A few bytes of a good answer are changed, left out or doubled; also of the token's."""
    whole = data.draw(st.sampled_from([WHOLE, ODD["chunks"][0], answer(PACKED, b"Content-Encoding: gzip")]))
    for name in data.draw(st.sampled_from([("page",), ("token",), ("page", "token")])):
        sent = bytearray(whole if name == "page" else answer(TOKEN, length(len(TOKEN))))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(sent) - 1))
            sent[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        setattr(raw, name, bytes(sent))
    if not raw.token:
        raw.token = answer(TOKEN, length(len(TOKEN)))
    outcome(raw)
