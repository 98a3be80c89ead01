"""Faults that the demo server can simulate.

Set ``Tenant.faults[n]`` (exports), ``Tenant.token_faults[n]`` or ``Tenant.task_faults[n]`` (single tasks) to change the
response to request ``n``, or every response if ``n`` is 0.

>>> from tpanalytics.demo.server import Tenant
>>> with Tenant() as tenant:
...     tenant.faults[2] = rate_limited(after=3)
...     tenant.token_faults[0] = html()
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from typing import Any

from tpanalytics.demo.handlers import error_list
from tpanalytics.demo.server import Reply

__all__ = [
    "bad_request",
    "clock_off",
    "cut",
    "cut_gzip",
    "cut_json",
    "dripping",
    "empty_body",
    "empty_page_with_more",
    "error_object",
    "expired",
    "gzip_bomb",
    "html",
    "no_cursor",
    "packed_as",
    "rate_limited",
    "redirect",
    "refused",
    "repeated_job",
    "rubbish_after",
    "slow",
    "slow_head",
    "stuck_cursor",
    "unavailable",
    "wrong_length",
]

#: Function that modifies a response before it is sent.
Fault = Callable[[Reply], Reply]


# Error responses


def expired() -> Fault:
    """Reject the access token with a 401 response."""
    return _instead(401, error_list(401, "The access token is missing, unknown or expired."))


def refused() -> Fault:
    """Deny access with a 403 response, as a token endpoint would."""
    return _instead(403, {"error": "access_denied", "error_description": "Unauthorized"})


def bad_request(status: int = 400) -> Fault:
    """Respond with a permanent error and the documented list of errors."""
    return _instead(status, error_list(status, "The request cannot be served."))


def error_object(status: int = 400) -> Fault:
    """Respond with an error object instead of the documented list."""
    return _instead(status, {"title": "Bad Request", "description": "The request cannot be served."})


def html(status: int = 502) -> Fault:
    """Respond with an HTML page, as a gateway or login page would."""
    page = b"<html><title>Gateway of Alderbrook</title></html>"
    return lambda _: Reply(status, page, {"Content-Type": "text/html"})


def empty_body(status: int = 502) -> Fault:
    """Respond with an empty body."""
    return lambda _: Reply(status, b"")


def redirect(to: str = "https://elsewhere.invalid/", status: int = 302) -> Fault:
    """Redirect to another host."""
    return lambda _: Reply(status, b"", {"Location": to})


# Retryable errors


def rate_limited(after: float | str | None = None) -> Fault:
    """Respond with 429. `after` is the ``Retry-After`` header, in seconds or as text such as an HTTP date."""
    headers = {} if after is None else {"Retry-After": after if isinstance(after, str) else f"{after:g}"}
    return _instead(429, error_list(429, "The quota is used up."), **headers)


def unavailable(status: int = 503) -> Fault:
    """Respond as if the service were down for maintenance."""
    return _instead(status, error_list(status, "Down for maintenance."))


def clock_off(minutes: float = 10, after: float | None = None) -> Fault:
    """Send a ``Date`` header that is off by `minutes`.

    If `after` is set, respond with 429 and a ``Retry-After`` date that many seconds after the wrong date.
    """

    def fault(reply: Reply) -> Reply:
        now = time.time() + 60 * minutes
        changed = reply if after is None else rate_limited(formatdate(now + after, usegmt=True))(reply)
        return replace(changed, headers={**changed.headers, "Date": formatdate(now, usegmt=True)})

    return fault


# Connections


def cut(at: int = 20) -> Fault:
    """Close the connection after sending `at` bytes of the body."""
    return lambda reply: replace(reply, cut_at=at)


def slow(seconds: float = 5) -> Fault:
    """Wait before sending the response."""
    return lambda reply: replace(reply, delay_seconds=seconds)


def dripping(bytes_per_second: float = 1) -> Fault:
    """Send the body very slowly (slow loris)."""
    return lambda reply: replace(reply, bytes_per_second=bytes_per_second)


def slow_head(bytes_per_second: float = 1) -> Fault:
    """Send the status line, headers and body very slowly."""
    return lambda reply: replace(reply, bytes_per_second=bytes_per_second, slow_head=True)


def wrong_length(by: int = 10) -> Fault:
    """Send a ``Content-Length`` that is `by` bytes too large, or too small if negative."""
    return lambda reply: _with_headers(reply, Content_Length=str(len(reply.body) + by))


def rubbish_after(rubbish: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") -> Fault:
    """Send extra bytes after the end of the body."""
    return lambda reply: replace(_with_headers(reply, Content_Length=str(len(reply.body))), trailing_bytes=rubbish)


# Bodies


def cut_json() -> Fault:
    """Send only the first half of the body."""
    return lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2])


def cut_gzip() -> Fault:
    """Send only the first half of the compressed body."""

    def fault(reply: Reply) -> Reply:
        compressed = gzip.compress(reply.body)
        return _with_headers(replace(reply, body=compressed[: len(compressed) // 2]), Content_Encoding="gzip")

    return fault


def packed_as(name: str = "br") -> Fault:
    """Send the body with an incorrect ``Content-Encoding``."""
    return lambda reply: _with_headers(reply, Content_Encoding=name)


def gzip_bomb(megabytes: int = 1024) -> Fault:
    """Send compressed zeros that decompress to about 1,000 times their size."""
    return lambda reply: _with_headers(replace(reply, body=_zeros(megabytes)), Content_Encoding="gzip")


# Pages


def no_cursor() -> Fault:
    """Report that there is another page, but omit the cursor."""
    return _page(lambda page: {k: v for k, v in page.items() if k != "next_starting_after"} | {"has_next": True})


def stuck_cursor() -> Fault:
    """Report another page every time, repeating the first page's cursor."""
    first: list[Any] = []

    def change(page: dict[str, Any]) -> dict[str, Any]:
        first.append(page.get("next_starting_after"))
        return {**page, "has_next": True, "next_starting_after": first[0]}

    return _page(change)


def empty_page_with_more(cursor: str | None = None) -> Fault:
    """Send an empty page that reports another one, with a cursor if given."""
    next_cursor = {} if cursor is None else {"next_starting_after": cursor}
    return _page(lambda _: {"has_next": True, "records": [], **next_cursor})


def repeated_job() -> Fault:
    """Repeat a page's last job on the next page, as if jobs had moved during the export."""
    sent: list[Any] = []

    def change(page: dict[str, Any]) -> dict[str, Any]:
        records, repeated = page["records"], sent[-1:]
        sent.extend(records)
        return {**page, "records": repeated + records}

    return _page(change)


def _instead(status: int, body: Any, **headers: str) -> Fault:
    reply = Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return lambda _: _with_headers(reply, **headers)


def _with_headers(reply: Reply, **headers: str) -> Reply:
    return replace(reply, headers={**reply.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


def _page(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    return lambda reply: replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())


@cache
def _zeros(megabytes: int) -> bytes:
    """Compress zeros by repeating a single compressed MiB."""
    zeros = bytes(1 << 20)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(zeros) + compressor.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(megabytes):
        crc = zlib.crc32(zeros, crc)
    tail = crc.to_bytes(4, "little") + ((megabytes << 20) & 0xFFFFFFFF).to_bytes(4, "little")
    return gzip.compress(b"")[:10] + block * megabytes + compressor.flush() + tail
