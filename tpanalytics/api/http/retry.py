"""Whether to try a request again, and how long to wait: pure decisions, no sleeping."""

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

__all__ = ["RETRIED", "RetryPolicy", "in_words", "is_passing", "seconds_asked"]

#: Statuses after which the same request may succeed.
RETRIED = {429, 500, 502, 503, 504}
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try again; times in seconds.

    Attributes
    ----------
    tries
        Attempts in all, the first included.
    base, factor, cap
        The n-th wait is drawn evenly from 0 to ``min(cap, base * factor ** n)`` (full jitter).
    retry_after_cap
        Longest wait the service may ask for with ``Retry-After``; a longer one is cut to this.
    """

    tries: int = 5
    base: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    retry_after_cap: float = 300.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ConfigError(f"tries={self.tries!r}: a request must be tried once at least.")

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Return the seconds to wait after the failed try number `attempt`, counted from 0."""
        if retry_after is not None:
            return min(max(retry_after, 0.0), self.retry_after_cap)
        return random.uniform(0.0, min(self.cap, self.base * self.factor**attempt))  # noqa: S311


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """Read the header ``Retry-After``, seconds or an HTTP date; None where it is unreadable."""
    value = headers.get("Retry-After", "")
    try:
        return float(value) if float(value) >= 0 else None
    except ValueError:
        pass
    until, now = _instant(value), _instant(headers.get("Date", ""))
    # From the service's own clock where it tells the time: this machine's may be minutes off.
    return None if until is None else max(0.0, until - (time.time() if now is None else now))


def _instant(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def is_passing(error: requests.RequestException) -> bool:
    """Return whether the same request may succeed later; a certificate does not mend itself."""
    return isinstance(error, _PASSING) and not isinstance(error, requests.exceptions.SSLError)


def in_words(error: requests.RequestException) -> str:
    """Describe what broke, without the request, which may hold a secret."""
    if isinstance(error, ResponseRejected | DeadlineExceeded):
        return str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return "the encrypted connection could not be set up"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of the answer"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "the answer could not be unpacked"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or it was closed without an answer"
    return f"the request failed ({type(error).__name__})"
