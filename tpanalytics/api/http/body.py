"""Read response bodies within size and time limits."""

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

_CHUNK_BYTES = 1 << 20  # a whole page; the default of 10 KiB is slower
_ERROR_BODY_BYTES = 1 << 16  # error bodies are only quoted in messages
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Limits:
    """Time and size limits for a single response. Retries start again from zero.

    Attributes
    ----------
    connect_seconds
        Maximum time to connect.
    silence_seconds
        Maximum time between two bytes of the response.
    answer_seconds
        Maximum time from the end of the request to the last byte of the response.
    answer_bytes
        Maximum size of the decompressed body, 256 MiB by default. A page of 100 jobs is about 1 MB.

    Raises
    ------
    ConfigError
        If a limit is not greater than 0.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 120.0
    answer_seconds: float = 600.0
    answer_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"`{name}` must be greater than 0, not {value!r}.")


class DeadlineExceeded(requests.Timeout):
    """A time limit was exceeded. The message contains no secrets."""


class ResponseRejected(requests.RequestException):
    """The response cannot be read, and a retry would not help."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the service returned {status}, but {reason}")
        self.status = status


def read_body(response: requests.Response, limits: Limits) -> None:
    """Read the body into `response` and release its connection. The bodies of error responses are truncated."""
    success = response.status_code == 200
    max_bytes = limits.answer_bytes if success else _ERROR_BODY_BYTES
    chunks: list[bytes] = []
    size, complete = 0, False
    try:
        for chunk in _iter_bytes(response, max_bytes):
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                break
        else:
            complete = True
    except ResponseRejected:
        if success:
            raise
    finally:
        if not complete:  # a connection with unread data cannot be reused
            response.raw.close()
        response.raw.release_conn()
    if size > max_bytes and success:
        raise ResponseRejected(200, f"the body is larger than the limit of {_format_size(max_bytes)}")
    if "\0" in (response.encoding or ""):  # would raise a ValueError instead of the LookupError that requests handles
        response.encoding = None
    response.raw = io.BytesIO(b"".join(chunks)[:max_bytes])  # read by content, text and json()


def _iter_bytes(response: requests.Response, max_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed body in chunks and convert errors to exceptions of requests."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise ResponseRejected(response.status_code, f"the body has the unsupported Content-Encoding {encoding[:40]!r}")
    try:
        raw = response.raw.stream(_CHUNK_BYTES, decode_content=False)
        yield from _gunzip(raw, max_bytes) if "gzip" in encoding else raw
        if response.raw.length_remaining:  # not checked by older versions of urllib3
            raise EOFError
    except urllib3.exceptions.ReadTimeoutError:
        raise requests.ReadTimeout from None
    except zlib.error:
        raise requests.exceptions.ContentDecodingError from None
    # This includes TLS errors in the middle of the body and invalid chunk sizes.
    except (urllib3.exceptions.HTTPError, EOFError, ValueError, OverflowError):
        raise requests.exceptions.ChunkedEncodingError from None


def _gunzip(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompress gzip data with one or more members, in chunks of at most ``max_bytes + 1`` bytes."""
    # urllib3 up to 2.5 decompresses a chunk to any size and does not detect truncated data.
    member, started, padding = zlib.decompressobj(_GZIP), False, False
    for chunk in chunks:
        rest = chunk
        while rest and not padding:
            started = True
            if member.eof:
                padding = rest[0] != 0x1F
                member = member if padding else zlib.decompressobj(_GZIP)
                continue
            data = member.decompress(rest, max_bytes + 1)
            rest = member.unused_data
            yield data
    if started and not member.eof:
        raise EOFError


def _format_size(size: int) -> str:
    return f"{size >> 20:,} MiB" if size >= 1 << 20 else f"{size:,} bytes"
