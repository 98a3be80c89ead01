"""Retry policy for requests to the tenant."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests

from tpanalytics.api.http.body import DeadlineExceeded, ResponseRejected
from tpanalytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RETRY_STATUSES", "RetryPolicy", "describe_error", "is_transient", "parse_retry_after"]

RETRY_STATUSES = {429, 500, 502, 503, 504}
_TRANSIENT_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How often to retry, and how long to wait in between. All times are in seconds.

    Attributes
    ----------
    tries
        The maximum number of attempts, including the first one.
    base, factor, cap
        The n-th wait is a random time between 0 and ``min(cap, base * factor ** n)`` (full jitter).
    retry_after_cap
        The maximum time to wait if the response has a ``Retry-After`` header, even if the header asks for longer.

    Raises
    ------
    ConfigError
        If `tries` is less than 1.
    """

    tries: int = 5
    base: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    retry_after_cap: float = 300.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ConfigError(f"`tries` must be 1 or more, not {self.tries!r}.")

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Return the number of seconds to wait after a failed attempt. Attempts are numbered from 0."""
        if retry_after is not None:
            return min(max(retry_after, 0.0), self.retry_after_cap)
        return random.uniform(0.0, min(self.cap, self.base * self.factor**attempt))  # noqa: S311


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse the ``Retry-After`` header (either seconds or an HTTP date), returning seconds or None if it's invalid."""
    value = headers.get("Retry-After", "")
    try:
        return float(value) if float(value) >= 0 else None
    except ValueError:
        pass
    until, now = _parse_date(value), _parse_date(headers.get("Date", ""))
    # Prefer the server's clock, since the local one might be off by minutes.
    return None if until is None else max(0.0, until - (time.time() if now is None else now))


def _parse_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def is_transient(error: requests.RequestException) -> bool:
    """Return `True` if a retry may succeed. Certificate errors are considered permanent."""
    return isinstance(error, _TRANSIENT_ERRORS) and not isinstance(error, requests.exceptions.SSLError)


def describe_error(error: requests.RequestException) -> str:
    """Describe an error without quoting the request, which might contain a secret."""
    if isinstance(error, ResponseRejected | DeadlineExceeded):
        return str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS connection could not be established"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was closed in the middle of the response"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "the response could not be decompressed"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed or was closed without a response"
    return f"the request failed ({type(error).__name__})"
