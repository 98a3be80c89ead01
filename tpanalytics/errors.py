"""Every error the toolkit raises on purpose, so that one ``except`` catches them all.

::

    TpAnalyticsError
    ├─ ConfigError (ValueError)     a setting is missing or contradictory
    ├─ AuthError                    no token to be had, or the API refused the token twice
    ├─ ApiError                     any other refusal by the service
    │  ├─ RateLimited                 429 after the last try
    │  └─ Unreachable                 timeouts and broken connections after the last try
    ├─ PaginationError              the cursor is missing or does not move
    ├─ RecordError (ValueError)     a record is not as documented
    ├─ SnapshotError                a folder is no snapshot, or is damaged
    ├─ SchemaError (ValueError)     a frame or file lacks a column, or holds what it must not
    │  └─ ArgumentError               an argument is not one of the allowed values
    └─ ShareError (ValueError)      a file cannot be written as asked

A message says what happened, where, what was found and what to do next. It never holds a secret.
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
    "collected",
    "warn",
]


class TpAnalyticsError(Exception):
    """Any error this toolkit raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Without __init__, whose arguments are keyword-only in some classes and already part of the message.
        return _rebuild, (type(self), *self.args), self.__dict__


def _rebuild(kind: type[TpAnalyticsError], *args: object) -> TpAnalyticsError:
    return kind.__new__(kind, *args)


class TpAnalyticsWarning(UserWarning):
    """Something in the data was left out or set apart, and the result says less than it seems to."""


class ConfigError(TpAnalyticsError, ValueError):
    """You meet it when a setting is missing or contradictory; it names the setting, never its value."""


class AuthError(TpAnalyticsError):
    """You meet it when the token endpoint refuses, or the API refuses a fresh token (401) or the scope (403)."""


class ApiError(TpAnalyticsError):
    """You meet it when the service refuses a request, or answers with something that is no answer.

    Parameters
    ----------
    message
        The whole sentence, already free of secrets.
    status
        HTTP status, or None when no answer came.
    path
        Path of the request on the tenant, without the host.
    title
        Title of the first error object in the body, if the body had the documented form.
    description
        Its description.
    request_id
        The service's id of the request, where it gave one.
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


class RateLimited(ApiError):  # noqa: N818  a name of the contract
    """You meet it when the service still answers 429 after the last try.

    ``retry_after_seconds`` holds the wait it asked for last, or None.
    """

    retry_after_seconds: float | None = None


class Unreachable(ApiError):  # noqa: N818  a name of the contract
    """You meet it when timeouts or broken connections outlast every try."""


class PaginationError(TpAnalyticsError):
    """You meet it when the service says there is more but gives no new cursor to ask with.

    Parameters
    ----------
    message
        The whole sentence.
    starting_after
        The cursor of the page that could not be followed, to go on from by hand; None is the first page.
    """

    def __init__(self, message: str, *, starting_after: str | None = None) -> None:
        super().__init__(message)
        self.starting_after = starting_after


class RecordError(TpAnalyticsError, ValueError):
    """You meet it when a record of the export is not as documented.

    Parameters
    ----------
    where
        Page or line the record stands in, in words.
    job_id
        The job's id, or None where it could not be read.
    path
        Place inside the record, like ``$.tasks[3].weekly_hours``.
    reason
        What was expected and what was found, in words.
    found
        The offending value as JSON, cut short, without any free text of the record.
    """

    def __init__(self, *, where: str, job_id: str | None, path: str, reason: str, found: str | None = None) -> None:
        job = f"job '{job_id}'" if job_id is not None else "a record without a readable external_id"
        seen = f"; found {found}" if found is not None else ""
        super().__init__(
            f"{where}, {job}, at {path}: {reason}{seen}. "
            "Report it to the service's owner, or pass on_bad_record='collect' to go on without this record."
        )
        self.where = where
        self.job_id = job_id
        self.path = path
        self.reason = reason
        self.found = found


class SnapshotError(TpAnalyticsError):
    """You meet it when a folder is no snapshot, holds something else, or is damaged."""


class SchemaError(TpAnalyticsError, ValueError):
    """You meet it when a frame or mapping file lacks a column, or holds values it must not hold."""


class ArgumentError(SchemaError):
    """You meet it when an argument is not one of the allowed values."""


class ShareError(TpAnalyticsError, ValueError):
    """You meet it when a file cannot be written as asked; nothing was written then."""


#: Where warnings go that somebody collects.
_COLLECTED: ContextVar[list[str] | None] = ContextVar("collected", default=None)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect what would be warned of, in this thread alone; `warnings` itself would take it from every thread."""
    texts: list[str] = []
    token = _COLLECTED.set(texts)
    try:
        yield texts
    finally:
        _COLLECTED.reset(token)


def warn(text: str) -> None:
    """Warn at the line outside this package that led here, so that it is told once for each such line."""
    texts = _COLLECTED.get()
    if texts is not None:
        texts.append(text)
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, TpAnalyticsWarning, stacklevel=level)
