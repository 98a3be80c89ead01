"""Read response bodies, subject to size and time limits."""

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

_CHUNK_BYTES = 1 << 20  # large enough for a whole page; the default of 10 KiB is slower
_ERROR_BODY_BYTES = 1 << 16  # the body of an error response is only quoted in messages
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Limits:
    """Time and size limits for a response. They apply to each attempt separately.

    Attributes
    ----------
    connect_seconds
        The maximum time to wait for a connection.
    silence_seconds
        The maximum time to wait between two bytes of the response.
    answer_seconds
        The maximum time from sending the request to receiving the full response.
    answer_bytes
        The maximum size of the decompressed body. Defaults to 256 MiB. A page of 100 jobs is about 1 MB.

    Raises
    ------
    ConfigError
        If any limit is 0 or less.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 120.0
    answer_seconds: float = 600.0
    answer_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"`{name}` must be above 0, not {value!r}.")


class DeadlineExceeded(requests.Timeout):
    """A time limit was exceeded. The message does not contain any secrets."""


class ResponseRejected(requests.RequestException):
    """The response can't be read, and retrying wouldn't help."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the service returned {status}, but {reason}")
        self.status = status


def read_body(response: requests.Response, limits: Limits) -> None:
    """Read the body into `response` and release the connection. Error response bodies are truncated."""
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
        if not complete:  # connections with unread data can't be reused
            response.raw.close()
        response.raw.release_conn()
    if size > max_bytes and success:
        raise ResponseRejected(200, f"the body is larger than the limit of {_format_size(max_bytes)}")
    if "\0" in (response.encoding or ""):  # raises ValueError, but requests only handles LookupError
        response.encoding = None
    response.raw = io.BytesIO(b"".join(chunks)[:max_bytes])  # used by content, text and json()


def _iter_bytes(response: requests.Response, max_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed body in chunks, mapping errors to requests exceptions."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise ResponseRejected(response.status_code, f"the body has the unsupported Content-Encoding {encoding[:40]!r}")
    try:
        raw = response.raw.stream(_CHUNK_BYTES, decode_content=False)
        yield from _gunzip(raw, max_bytes) if "gzip" in encoding else raw
        if response.raw.length_remaining:  # older versions of urllib3 don't check this
            raise EOFError
    except urllib3.exceptions.ReadTimeoutError:
        raise requests.ReadTimeout from None
    except zlib.error:
        raise requests.exceptions.ContentDecodingError from None
    # This also covers TLS errors partway through the body, and invalid chunk sizes.
    except (urllib3.exceptions.HTTPError, EOFError, ValueError, OverflowError):
        raise requests.exceptions.ChunkedEncodingError from None


def _gunzip(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompress gzip data with one or more members, in chunks of up to ``max_bytes + 1`` bytes."""
    # urllib3 up to 2.5 doesn't limit the size of a decompressed chunk, and doesn't detect truncated data.
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
