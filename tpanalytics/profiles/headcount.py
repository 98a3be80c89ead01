"""Count the employees in each job. Employee ids are dropped as soon as a page is counted, and never written to disk."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from tpanalytics.api.export import ExportRequest, export_pages
from tpanalytics.errors import ApiError, AuthError, ConfigError, warn
from tpanalytics.formatting import plural
from tpanalytics.profiles.load import check_client, progress_bar
from tpanalytics.schema import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.api.session import Client

__all__ = ["load_headcount"]

_ACTIVE = {"filter": "is_active", "is_active": True}


class _Employee(msgspec.Struct):
    employee_id: str | int
    job_id: str | int | None = None


class _Page(msgspec.Struct):
    records: list[_Employee]


_decode_page = msgspec.json.Decoder(_Page, strict=True).decode


def load_headcount(
    client: Client, *, filters: Sequence[dict[str, Any]] = (_ACTIVE,), limit: int = 100, progress: bool = True
) -> pl.DataFrame:
    """Count the employees in each job, using the export that matches employees to jobs.

    The service may not list every employee, so the counts are not the whole workforce. Only counts are kept: no
    employee id is returned or written to disk. Pass the result to `assign_people`.

    Parameters
    ----------
    client
        A client returned by `connect`.
    filters
        Filters to pass to the service. By default, only active employees are counted.
    limit
        The number of employees per page, from 1 to 100.
    progress
        If True, show a progress bar in a terminal or notebook.

    Returns
    -------
    pl.DataFrame
        A table with one row per job, sorted by job id. Jobs without employees have no row.

        =============  ======  =====================================================
        ``job_id``     String  job id; null for employees whose job is unknown
        ``headcount``  Int64   number of employees
        =============  ======  =====================================================

    Raises
    ------
    ApiError
        If the export is not available on this tenant (status 403 or 404), or if the service refuses a request or can't
        be reached.
    AuthError, PaginationError
        If the service rejects the credentials or returns an invalid cursor.
    ArgumentError
        If `client` is not a Client.
    ConfigError
        If another argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If an employee is returned more than once. The first job is counted.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> from tpanalytics.demo.server import Tenant
    >>> with Tenant() as tenant:
    ...     load_headcount(connect(**tenant.settings), progress=False).head(2).rows()
    [('job-0002', 22), ('job-0003', 7)]
    """
    check_client(client)
    if isinstance(filters, (str, dict)):
        raise ConfigError(f"`filters` must be a list of dicts like [{_ACTIVE}], not {filters!r}.")
    request = ExportRequest(filters=tuple(filters), include=(), limit=limit, of="positions")
    counts: Counter[str | None] = Counter()
    # A keyed hash is enough to recognize an employee on a later page. The key is lost when the function returns.
    key, seen, repeated = secrets.token_bytes(16), set[bytes](), 0
    with progress_bar("Employees", " pages", show=progress) as bar:
        for employees in _pages(client, request, bar):
            for employee in employees:
                digest = hashlib.blake2b(str(employee.employee_id).encode(), key=key, digest_size=16).digest()
                if digest in seen:
                    repeated += 1
                    continue
                seen.add(digest)
                counts[None if employee.job_id is None else str(employee.job_id)] += 1
            bar.set_postfix_str(f"{len(seen):,} employees", refresh=False)
            bar.update()
    if repeated:
        warn(f"{plural(repeated, 'record')} of employees on an earlier page skipped. Their first job is counted.")
    schema = {name: PEOPLE[name] for name in ("job_id", "headcount")}
    return pl.DataFrame(list(counts.items()), schema=schema, orient="row").sort("job_id", nulls_last=True)


def _pages(client: Client, request: ExportRequest, bar: Any) -> Any:
    """Yield the employees of each page."""
    refusal: AuthError | ApiError | None = None
    try:
        for page in export_pages(client, request, on_wait=bar.set_postfix_str):
            try:
                employees = _decode_page(page.body).records
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                reason = f"not in the documented format: {error}"
            else:
                reason = ""
            if reason:
                raise client.not_understood("POST", request.path, page.body, reason)
            yield employees
    except (ApiError, AuthError) as error:
        refusal = error
        if error.status in {403, 404, 405}:
            refusal = ApiError(
                f"POST {request.path}: not available on this tenant ({error.status}). "
                "Count people with assign_people and an HR roster, or ask the owner of the service for this export.",
                status=error.status,
                path=request.path,
            )
    if refusal is not None:  # raise outside the handler: the original error may name an employee
        raise refusal
