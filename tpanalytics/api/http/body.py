"""Read the body of an answer: within bounds of size and time, and whole or not at all.

The library alone bounds neither: its timeout is for silence between two bytes, and it unpacks whatever it is sent.
"""

from __future__ import annotations

import http.client
import io
import time
import zlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from tpanalytics.errors import ConfigError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Limits", "NotTaken", "TimedAnswer", "TooLate", "read_body", "when_sent"]

_PIECE = 1 << 16
_BODY_PIECE = 1 << 20  # a page at once: the library's 10 KiB cost more time than they save memory
_REFUSAL_BYTES = 1 << 16  # of an answer that is quoted, not used
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Limits:
    """How long and how large one answer may be; each try of a request starts afresh.

    Attributes
    ----------
    connect_seconds
        Time to connect.
    silence_seconds
        Time between two bytes; exports can be slow.
    answer_seconds
        Time from the end of the request to the last byte of its answer.
    answer_bytes
        Size of an answer's body, unpacked. A page of 100 jobs has about 1 MB; the default is 256 MiB.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 120.0
    answer_seconds: float = 600.0
    answer_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"{name}={value!r}: a limit must be greater than 0.")


class TooLate(requests.Timeout):
    """No connection, no answer, or not all of it in time; says which in words that are safe to print."""


_SENT: ContextVar[Callable[[], None] | None] = ContextVar("sent", default=None)


@contextmanager
def when_sent(call: Callable[[], None]) -> Iterator[None]:
    """Let this thread make a call each time a request of its own has left and its answer is to be waited for."""
    before = _SENT.set(call)
    try:
        yield
    finally:
        _SENT.reset(before)


class NotTaken(requests.RequestException):
    """An answer came that is not read; the next would be no other."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"the service answered {status}, but {why}")
        self.status = status


class TimedAnswer(http.client.HTTPResponse):
    """An answer whose head and body must have come `seconds` after the request."""

    def __init__(self, sock: socket.socket, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedSocket(sock, seconds), _PIECE)
        if (call := _SENT.get()) is not None:
            call()


class _TimedSocket(io.RawIOBase):
    """Lower the socket's own timeout towards the end, so that no single wait lasts longer than what is left."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        silence = self._sock.gettimeout()
        if silence is None or left < silence:
            self._sock.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_body(response: requests.Response, limits: Limits) -> None:
    """Read the body of `response` into it and give its connection back, or close it.

    Of a refusal, which is quoted alone, no more than its beginning is read.

    Raises
    ------
    NotTaken
        If the body is larger than agreed, or packed in a way that was not asked for.
    requests.RequestException
        If the connection breaks, as the library says it.
    """
    wanted = response.status_code == 200
    most = limits.answer_bytes if wanted else _REFUSAL_BYTES
    pieces: list[bytes] = []
    size, whole = 0, False
    try:
        for piece in _pieces(response, most):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                break
        else:
            whole = True
    except NotTaken:
        if wanted:
            raise
    finally:
        if not whole:  # a connection with a rest in it cannot be used again
            response.raw.close()
        response.raw.release_conn()
    if size > most and wanted:
        raise NotTaken(200, f"its body is larger than {_in_units(most)}, the most that is read")
    if "\0" in (response.encoding or ""):  # the one name of a character set that is no LookupError
        response.encoding = None
    # Where requests keeps a body once it is read; content, text and json() take it from there.
    vars(response).update(_content=b"".join(pieces)[:most], _content_consumed=True)


def _pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    """Give a body unpacked and piece by piece; what breaks it comes as requests' own exceptions."""
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip", "x-gzip"}:
        raise NotTaken(response.status_code, f"its body is packed as {packing[:40]!r}, which was not asked for")
    try:
        raw = response.raw.stream(_BODY_PIECE, decode_content=False)
        yield from _unpacked(raw, most) if "gzip" in packing else raw
        if response.raw.length_remaining:  # older urllib3 do not look
            raise EOFError
    except urllib3.exceptions.ReadTimeoutError:
        raise requests.ReadTimeout from None
    except zlib.error:
        raise requests.exceptions.ContentDecodingError from None
    # Also faults of TLS, whose certificate was good a moment ago, and chunks of impossible sizes.
    except (urllib3.exceptions.HTTPError, EOFError, ValueError, OverflowError):
        raise requests.exceptions.ChunkedEncodingError from None


def _unpacked(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Unpack gzip, of several members too, in pieces that add up to little more than `most` before the first over it.

    Not left to urllib3: up to 2.5 it unpacks a piece whole, however large it becomes, and a cut end goes unseen.
    """
    member, begun, padding = zlib.decompressobj(_GZIP), False, False
    for packed in pieces:
        rest = packed
        while rest and not padding:
            begun = True
            if member.eof:
                padding = rest[0] != 0x1F
                member = member if padding else zlib.decompressobj(_GZIP)
                continue
            piece = member.decompress(rest, most + 1)
            rest = member.unused_data
            yield piece
    if begun and not member.eof:
        raise EOFError


def _in_units(size: int) -> str:
    return f"{size >> 20:,} MiB" if size >= 1 << 20 else f"{size:,} bytes"
