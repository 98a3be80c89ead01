"""Read the body of an answer within a limit of size, and whole or not at all; `transport` limits its time."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
import urllib3

from tpanalytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DeadlineExceeded", "Limits", "ResponseRejected", "read_body"]

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


class DeadlineExceeded(requests.Timeout):
    """No connection, no answer, or not all of it in time; the text says which and is safe to print."""


class ResponseRejected(requests.RequestException):
    """The service answered, but the answer is not read, and a second try would not change that."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"the service answered {status}, but {why}")
        self.status = status


def read_body(response: requests.Response, limits: Limits) -> None:
    """Read the body into `response` and return or close its connection; of a refusal only the beginning is read."""
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
    except ResponseRejected:
        if wanted:
            raise
    finally:
        if not whole:  # a connection with a rest in it cannot be used again
            response.raw.close()
        response.raw.release_conn()
    if size > most and wanted:
        raise ResponseRejected(200, f"its body is larger than {_in_units(most)}, the most that is read")
    if "\0" in (response.encoding or ""):  # the one name of a character set that is no LookupError
        response.encoding = None
    response.raw = io.BytesIO(b"".join(pieces)[:most])  # content, text and json() read it from there


def _pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield the unpacked body piece by piece, and raise whatever breaks it as an exception of requests."""
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in {"", "identity", "gzip", "x-gzip"}:
        raise ResponseRejected(response.status_code, f"its body is packed as {packing[:40]!r}, which was not asked for")
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
    """Unpack gzip, several members included, in pieces of at most `most` bytes and one."""
    # Not left to urllib3: up to 2.5 it unpacks a piece whole, however large it becomes, and a cut end goes unseen.
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
