"""Cursor pagination for the export endpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from tpanalytics.api.wire import InvalidPage, ResponseFormat, decode_page, read_cursor, read_envelope
from tpanalytics.errors import ApiError, AuthError, ConfigError, PaginationError
from tpanalytics.typing import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import Batch

__all__ = [
    "EMPLOYEE_INCLUDES",
    "INCLUDES",
    "ExportRequest",
    "Page",
    "decode",
    "export_pages",
    "list_all",
]

#: Supported ``include`` values for job and employee exports.
INCLUDES = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")
EMPLOYEE_INCLUDES = ("ai_impact", "source_events", "linked_skills", "rejected_tasks", "weekly_hours")
_PATHS = {
    "jobs": "/job_architecture/export/jobs/task_profiles",
    "employees": "/export/employees/task_profiles",
    "positions": "/export/employees/match_assigned_position",
}
_LIST_LIMIT = 200


@dataclass(frozen=True)
class ExportRequest:
    """Parameters for exporting jobs, employees or the positions of employees, validated on creation."""

    include: tuple[str, ...] = ("ai_impact", "weekly_hours")
    filters: tuple[dict[str, Any], ...] = ()
    response_format: ResponseFormat = "list"
    external_vendor: Vendor | None = None
    limit: int = 100
    of: Literal["jobs", "employees", "positions"] = "jobs"

    def __post_init__(self) -> None:
        known = INCLUDES if self.of == "jobs" else EMPLOYEE_INCLUDES
        if any(name not in known for name in self.include):
            raise ConfigError(
                f"`include` must be a list of any of {', '.join(map(repr, known))}, not {list(self.include)}."
            )
        if self.response_format not in get_args(ResponseFormat):
            raise ConfigError(f"`response_format` must be 'list' or 'hierarchy', not {self.response_format!r}.")
        if self.external_vendor is not None and self.external_vendor not in get_args(Vendor):
            raise ConfigError(
                "`external_vendor` must be 'techwolf', 'workday' or 'sap_attribute_library', "
                f"not {self.external_vendor!r}."
            )
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or not 1 <= self.limit <= 100:
            raise ConfigError(f"`limit` must be a whole number from 1 to 100, not {self.limit!r}.")
        if not all(isinstance(entry, dict) for entry in self.filters):
            raise ConfigError(
                "`filters` must be a list of dicts like [{'filter': 'job_family_id_is_in_list', "
                f"'job_family_ids': ['fam-fin']}}], not {list(self.filters)!r}."
            )
        try:
            json.dumps(self.filters, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"`filters` cannot be converted to JSON: {error}. Pass dates as text (YYYY-MM-DD)."
            ) from None

    @property
    def path(self) -> str:
        """The export endpoint's path."""
        return _PATHS[self.of]

    def redact_cursor(self, text: str, cursor: str | None) -> str:
        """Remove the cursor from a message if cursors are employee ids."""
        return text if self.of == "jobs" or not cursor else text.replace(repr(cursor), "(an employee)")

    def body(self, starting_after: str | None) -> dict[str, Any]:
        """Return the request body for the page after `starting_after`."""
        body: dict[str, Any] = {"limit": self.limit}
        if self.include:
            body["include"] = list(self.include)
        if self.filters:
            body["filters"] = list(self.filters)
        if starting_after is not None:
            body["starting_after"] = starting_after
        return body

    def query(self) -> list[tuple[str, str]]:
        """Return the query parameters."""
        if self.of == "positions":
            return [("response_format", "simple")]
        query: list[tuple[str, str]] = [("response_format", self.response_format)]
        if self.external_vendor is not None:
            query.append(("external_vendor", self.external_vendor))
        return query


class Page(NamedTuple):
    """An undecoded page, with the page number, the cursor used to request it and the next cursor, if any."""

    number: int
    starting_after: str | None
    following: str | None
    body: bytes


class _ListPage(msgspec.Struct):
    count: int
    results: list[dict[str, Any]]


def export_pages(
    client: Client,
    request: ExportRequest,
    starting_after: str | None = None,
    *,
    pages: int = 0,
    on_request_sent: Callable[[], None] | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Generator[Page]:
    """Request pages, starting after `starting_after`, until the service reports no more."""
    seen = {starting_after}
    number = pages
    while True:
        number += 1
        refusal: AuthError | ApiError | None = None
        try:
            body = client.request(
                "POST",
                request.path,
                body=request.body(starting_after),
                query=request.query(),
                on_request_sent=on_request_sent,
                on_wait=on_wait,
            )
        except (ApiError, AuthError) as error:
            refusal = _add_request_details(error, request, starting_after)
        if refusal is not None:  # raise outside the handler: the original error may name an employee
            raise refusal
        try:
            has_next, following = read_cursor(body)
        except InvalidPage as error:
            reason = str(error)
        else:
            reason = ""
        if reason:
            raise client.not_understood("POST", request.path, body, reason)
        if has_next and (following is None or following in seen):
            problem = "no cursor" if following is None else f"the repeated cursor {following!r}"
            problem = request.redact_cursor(problem, following)
            after = request.redact_cursor(repr(starting_after), starting_after)
            raise PaginationError(
                f"Page {number} (starting_after={after}) has a next page but {problem}, so the export cannot be "
                "completed. Report it to the owner of the service.",
                starting_after=starting_after if request.of == "jobs" else None,
            )
        yield Page(number, starting_after, following if has_next else None, body)
        if not has_next:
            return
        starting_after = following
        seen.add(starting_after)


def decode(
    client: Client, request: ExportRequest, page: Page, where: str, *, on_bad_record: Literal["raise", "collect"]
) -> Batch:
    """Decode the records in a page."""
    try:
        envelope = read_envelope(page.body)
    except InvalidPage as error:
        reason = str(error)
    else:
        return decode_page(envelope, where=where, response_format=request.response_format, on_bad_record=on_bad_record)
    raise client.not_understood("POST", request.path, page.body, reason)


def list_all(client: Client, path: str) -> list[dict[str, Any]] | None:
    """Return all entries from a list endpoint, or None if the tenant doesn't provide it."""
    results: list[dict[str, Any]] = []
    while True:
        query = [("limit", str(_LIST_LIMIT)), ("offset", str(len(results)))]
        try:
            body = client.request("GET", path, query=query)
        except ApiError as error:
            if error.status in {404, 405}:  # list endpoints are optional
                return None
            raise
        try:
            page = msgspec.json.decode(body, type=_ListPage)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = f"not a list in the documented format: {error}"
        else:
            reason = ""
        if reason:
            raise client.not_understood("GET", path, body, reason)
        results += page.results
        if not page.results or len(results) >= page.count:
            return results


def _add_request_details(
    error: ApiError | AuthError, request: ExportRequest, starting_after: str | None
) -> ApiError | AuthError:
    """Add the request parameters to an error, or drop the response text if it may name an employee."""
    status = getattr(error, "status", None)
    if request.of != "jobs":
        outcome = f"returned {status}" if status is not None else "refused the request or did not respond"
        text = (
            f"POST {request.path}: the service {outcome} (response not shown because it may name an employee). "
            "Check the arguments, the credential and the network."
        )
        if not isinstance(error, AuthError):
            return ApiError(text, status=status, path=request.path)
        refusal = AuthError(text)
        refusal.status = status
        return refusal
    if isinstance(error, AuthError) or status not in {400, 422}:
        return error
    details = f"The request had include={list(request.include)}, filters={list(request.filters)}, limit={request.limit}"
    if starting_after is not None:
        details += f", starting_after={starting_after!r}; if this job was deleted, start again from the first page"
    elif "include" in str(error):
        details += "; an older deployment may not support every `include` value"
    return ApiError(
        f"{error} {details}.",
        status=status,
        path=error.path,
        title=error.title,
        description=error.description,
        request_id=error.request_id,
    )
