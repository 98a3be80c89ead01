"""Exceptions and warnings.

::

    TpAnalyticsError
    ├─ ConfigError (ValueError)     missing or contradictory setting
    ├─ AuthError                    no token, or the API rejected a new token
    ├─ ApiError                     any other failed request
    │  ├─ RateLimited                 still 429 after the last retry
    │  └─ Unreachable                 still no connection after the last retry
    ├─ PaginationError              missing or repeated cursor
    ├─ RecordError (ValueError)     invalid record in an export
    ├─ SnapshotError                missing or damaged snapshot
    ├─ SchemaError (ValueError)     missing column or invalid values
    │  └─ ArgumentError               invalid argument
    └─ ShareError (ValueError)      a file cannot be written as requested

Error messages never contain secrets.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ApiError",
    "ArgumentError",
    "AuthError",
    "ConfigError",
    "PaginationError",
    "RateLimited",
    "RecordError",
    "SchemaError",
    "ShareError",
    "SnapshotError",
    "TpAnalyticsError",
    "TpAnalyticsWarning",
    "Unreachable",
    "collect_warnings",
    "warn",
]


class TpAnalyticsError(Exception):
    """Base class for all errors raised by tpanalytics."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Skip __init__. Some subclasses require keyword arguments, but the message already includes them.
        return _rebuild, (type(self), *self.args), self.__dict__


def _rebuild(kind: type[TpAnalyticsError], *args: object) -> TpAnalyticsError:
    return kind.__new__(kind, *args)


class TpAnalyticsWarning(UserWarning):
    """Data were excluded from a result, or need attention."""


class ConfigError(TpAnalyticsError, ValueError):
    """A setting is missing, or conflicts with another setting."""


class AuthError(TpAnalyticsError):
    """The token endpoint refused the credentials, or the API rejected a new token (401) or denied access (403).

    ``status`` is the API's HTTP status code, or None.
    """

    status: int | None = None


class ApiError(TpAnalyticsError):
    """The service refused a request or returned an invalid response.

    Parameters
    ----------
    message
        Error message, without secrets.
    status
        HTTP status code, or None if the service did not respond.
    path
        Request path, without the host.
    title
        Title of the first error, if the response body has the documented format.
    description
        Description of the first error.
    request_id
        Request ID returned by the service, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        path: str | None = None,
        title: str | None = None,
        description: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.path = path
        self.title = title
        self.description = description
        self.request_id = request_id


class RateLimited(ApiError):  # noqa: N818  public name
    """The service still responded with 429 after the last retry.

    ``retry_after_seconds`` is the last delay that the service requested, or None.
    """

    retry_after_seconds: float | None = None


class Unreachable(ApiError):  # noqa: N818  public name
    """The connection still failed or timed out after the last retry."""


class PaginationError(TpAnalyticsError):
    """The service reported more pages but returned no new cursor.

    Parameters
    ----------
    message
        Error message.
    starting_after
        Cursor used to request the page, or None for the first page.
    """

    def __init__(self, message: str, *, starting_after: str | None = None) -> None:
        super().__init__(message)
        self.starting_after = starting_after


class RecordError(TpAnalyticsError, ValueError):
    """A record in an export is invalid.

    Parameters
    ----------
    where
        Page or line containing the record.
    job_id
        Job ID, or None if it couldn't be read.
    path
        Location within the record, e.g. ``$.tasks[3].weekly_hours``.
    reason
        Expected and actual type or value.
    found
        The invalid value as truncated JSON, excluding free text.
    """

    def __init__(self, *, where: str, job_id: str | None, path: str, reason: str, found: str | None = None) -> None:
        job = f"job '{job_id}'" if job_id is not None else "a record without a readable external_id"
        value = f"; found {found}" if found is not None else ""
        super().__init__(
            f"{where}, {job}, at {path}: {reason}{value}. "
            "Report it to the owner of the service, or pass on_bad_record='collect' to skip the record."
        )
        self.where = where
        self.job_id = job_id
        self.path = path
        self.reason = reason
        self.found = found


class SnapshotError(TpAnalyticsError):
    """A folder is not a snapshot, or the snapshot is damaged."""


class SchemaError(TpAnalyticsError, ValueError):
    """A frame or mapping file is missing a column or contains invalid values."""


class ArgumentError(SchemaError):
    """An argument is not one of the allowed values."""


class ShareError(TpAnalyticsError, ValueError):
    """A file cannot be written as requested. Nothing was written."""


_COLLECTED: ContextVar[list[str] | None] = ContextVar("collected_warnings", default=None)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect warnings from the current thread instead of issuing them."""
    # We can't use warnings.catch_warnings here because it affects all threads.
    texts: list[str] = []
    token = _COLLECTED.set(texts)
    try:
        yield texts
    finally:
        _COLLECTED.reset(token)


def warn(text: str) -> None:
    """Issue a warning that points to the first caller outside the package."""
    texts = _COLLECTED.get()
    if texts is not None:
        texts.append(text)
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, TpAnalyticsWarning, stacklevel=level)
