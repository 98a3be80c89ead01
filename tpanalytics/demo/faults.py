"""What can go wrong between a client and a service, each a switch of the embedded tenant.

A switch makes a fault; put it under the number of a request in ``Tenant.faults`` or ``Tenant.token_faults``, 0 for all.
What goes wrong with the data rather than on the way, like an unknown level, is a record of the catalogue instead.

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

#: Turns what would have been sent into what is sent.
Fault = Callable[[Reply], Reply]


# Refusals


def expired() -> Fault:
    """Refuse the token (401)."""
    return _instead(401, error_list(401, "The access token is missing, unknown or expired."))


def refused() -> Fault:
    """Refuse access (403), in the words of a token endpoint."""
    return _instead(403, {"error": "access_denied", "error_description": "Unauthorized"})


def bad_request(status: int = 400) -> Fault:
    """Refuse the request for good, with the documented list of errors."""
    return _instead(status, error_list(status, "The request cannot be served."))


def error_object(status: int = 400) -> Fault:
    """Refuse with an object where the list is documented."""
    return _instead(status, {"title": "Bad Request", "description": "The request cannot be served."})


def html(status: int = 502) -> Fault:
    """Answer with a web page, as a gateway or a login page does."""
    page = b"<html><title>Gateway of Alderbrook</title></html>"
    return lambda _: Reply(status, page, {"Content-Type": "text/html"})


def empty_body(status: int = 502) -> Fault:
    """Answer with nothing but a status."""
    return lambda _: Reply(status, b"")


def redirect(to: str = "https://elsewhere.invalid/", status: int = 302) -> Fault:
    """Send the client to another address."""
    return lambda _: Reply(status, b"", {"Location": to})


# To be waited out


def rate_limited(after: float | str | None = None) -> Fault:
    """Answer 429; `after` is ``Retry-After`` in seconds or as any text, like an HTTP date."""
    wish = {} if after is None else {"Retry-After": after if isinstance(after, str) else f"{after:g}"}
    return _instead(429, error_list(429, "The quota is used up."), **wish)


def unavailable(status: int = 503) -> Fault:
    """Answer that the service is down."""
    return _instead(status, error_list(status, "Down for maintenance."))


def clock_off(minutes: float = 10, after: float | None = None) -> Fault:
    """Have a clock that is off; with `after`, answer 429 and ask for so many seconds as a date of that clock."""

    def fault(reply: Reply) -> Reply:
        now = time.time() + 60 * minutes
        sent = reply if after is None else rate_limited(formatdate(now + after, usegmt=True))(reply)
        return replace(sent, headers={**sent.headers, "Date": formatdate(now, usegmt=True)})

    return fault


# Connections


def cut(at: int = 20) -> Fault:
    """Close the connection after so many bytes of the body."""
    return lambda reply: replace(reply, cut_at=at)


def slow(seconds: float = 5) -> Fault:
    """Send nothing for some time, then all."""
    return lambda reply: replace(reply, delay_seconds=seconds)


def dripping(bytes_per_second: float = 1) -> Fault:
    """Send the body drop by drop (slow loris): never silent, never done."""
    return lambda reply: replace(reply, bytes_per_second=bytes_per_second)


def slow_head(bytes_per_second: float = 1) -> Fault:
    """Send status and headers drop by drop too."""
    return lambda reply: replace(reply, bytes_per_second=bytes_per_second, slow_head=True)


def wrong_length(by: int = 10) -> Fault:
    """Announce a body longer than the one sent, or shorter where `by` is negative."""
    return lambda reply: _headed(reply, Content_Length=str(len(reply.body) + by))


def rubbish_after(rubbish: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") -> Fault:
    """Send more after the announced end of the body."""
    return lambda reply: replace(_headed(reply, Content_Length=str(len(reply.body))), rubbish=rubbish)


# Bodies


def cut_json() -> Fault:
    """Send half of the body as if it were all."""
    return lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2])


def cut_gzip() -> Fault:
    """Send half of the packed body as if it were all."""

    def fault(reply: Reply) -> Reply:
        packed = gzip.compress(reply.body)
        return _headed(replace(reply, body=packed[: len(packed) // 2]), Content_Encoding="gzip")

    return fault


def packed_as(name: str = "br") -> Fault:
    """Claim that the body is packed in this way."""
    return lambda reply: _headed(reply, Content_Encoding=name)


def gzip_bomb(megabytes: int = 1024) -> Fault:
    """Send zeros, a thousandth of their size on the wire."""
    return lambda reply: _headed(replace(reply, body=_zeros(megabytes)), Content_Encoding="gzip")


# Pages


def no_cursor() -> Fault:
    """Say that there is more, without the cursor to ask for it."""
    return _page(lambda page: {k: v for k, v in page.items() if k != "next_starting_after"} | {"has_next": True})


def stuck_cursor() -> Fault:
    """Give the cursor of the first page again on every page, and always more to come."""
    first: list[Any] = []

    def change(page: dict[str, Any]) -> dict[str, Any]:
        first.append(page.get("next_starting_after"))
        return {**page, "has_next": True, "next_starting_after": first[0]}

    return _page(change)


def empty_page_with_more(cursor: str | None = None) -> Fault:
    """Send no record but say that there is more, with this cursor or none."""
    given = {} if cursor is None else {"next_starting_after": cursor}
    return _page(lambda _: {"has_next": True, "records": [], **given})


def repeated_job() -> Fault:
    """Send the last job of a page again on the next, as when jobs move during a pull."""
    before: list[Any] = []

    def change(page: dict[str, Any]) -> dict[str, Any]:
        records, last = page["records"], before[-1:]
        before.extend(records)
        return {**page, "records": last + records}

    return _page(change)


def _instead(status: int, body: Any, **headers: str) -> Fault:
    sent = Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return lambda _: _headed(sent, **headers)


def _headed(reply: Reply, **headers: str) -> Reply:
    return replace(reply, headers={**reply.headers, **{k.replace("_", "-"): v for k, v in headers.items()}})


def _page(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    return lambda reply: replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())


@cache
def _zeros(megabytes: int) -> bytes:
    """Pack so many MiB of zeros into one gzip member, quickly: one packed MiB is repeated."""
    zeros = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(megabytes):
        crc = zlib.crc32(zeros, crc)
    tail = crc.to_bytes(4, "little") + ((megabytes << 20) & 0xFFFFFFFF).to_bytes(4, "little")
    return gzip.compress(b"")[:10] + block * megabytes + packer.flush() + tail
