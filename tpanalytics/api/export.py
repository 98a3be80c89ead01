"""The cursor loop: asks for page after page and proves that each one leads on; knows no tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from tpanalytics.api.wire import NotAPage, ResponseFormat, decode_page, read_cursor, read_envelope
from tpanalytics.errors import ApiError, AuthError, ConfigError, PaginationError
from tpanalytics.typing import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

#: What the export of jobs can add to a task, and what that of employees can.
INCLUDES = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")
EMPLOYEE_INCLUDES = ("ai_impact", "source_events", "linked_skills", "rejected_tasks", "weekly_hours")
_PATHS = {
    "jobs": "/job_architecture/export/jobs/task_profiles",
    "employees": "/export/employees/task_profiles",
}
_LIST_LIMIT = 200


@dataclass(frozen=True)
class ExportRequest:
    """What is asked of the export, of jobs or of employees; the same over all its pages."""

    include: tuple[str, ...] = ("ai_impact", "weekly_hours")
    filters: tuple[dict[str, Any], ...] = ()
    response_format: ResponseFormat = "list"
    external_vendor: Vendor | None = None
    limit: int = 100
    of: Literal["jobs", "employees"] = "jobs"

    def __post_init__(self) -> None:
        known = INCLUDES if self.of == "jobs" else EMPLOYEE_INCLUDES
        if any(name not in known for name in self.include):
            raise ConfigError(f"include={self.include!r}: choose from {', '.join(known)}.")
        if self.response_format not in get_args(ResponseFormat):
            raise ConfigError(f"response_format={self.response_format!r}: choose 'list' or 'hierarchy'.")
        if self.external_vendor is not None and self.external_vendor not in get_args(Vendor):
            raise ConfigError(f"external_vendor={self.external_vendor!r}: choose from {', '.join(get_args(Vendor))}.")
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or not 1 <= self.limit <= 100:
            raise ConfigError(f"limit={self.limit!r}: the service gives 1 to 100 jobs per page.")
        if not all(isinstance(entry, dict) for entry in self.filters):
            raise ConfigError(
                "filters must be a list of objects, like "
                "[{'filter': 'job_family_id_is_in_list', 'job_family_ids': ['fam-fin']}]."
            )
        try:
            json.dumps(self.filters, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"filters cannot be written as JSON: {error}. Give dates as text, YYYY-MM-DD.") from None

    @property
    def path(self) -> str:
        """Path of the export on the tenant."""
        return _PATHS[self.of]

    def unnamed(self, text: str, cursor: str | None) -> str:
        """Take the cursor out of a message where it is an employee's id."""
        return text if self.of == "jobs" or not cursor else text.replace(repr(cursor), "(an employee)")

    def body(self, starting_after: str | None) -> dict[str, Any]:
        """Return the body of the request for the page after `starting_after`."""
        body: dict[str, Any] = {"limit": self.limit}
        if self.include:
            body["include"] = list(self.include)
        if self.filters:
            body["filters"] = list(self.filters)
        if starting_after is not None:
            body["starting_after"] = starting_after
        return body

    def query(self) -> list[tuple[str, str]]:
        """Return the query parameters of the request."""
        query: list[tuple[str, str]] = [("response_format", self.response_format)]
        if self.external_vendor is not None:
            query.append(("external_vendor", self.external_vendor))
        return query


class Page(NamedTuple):
    """One page undecoded: its place in its chain, the cursor it was asked for with, and the next, if any."""

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
) -> Iterator[Page]:
    """Ask for one page after another, from after the job `starting_after`, until the service says there is no more."""
    seen = {starting_after}
    number = pages
    while True:
        number += 1
        refused: AuthError | ApiError | None = None
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
            refused = _explained(error, request, starting_after)
        if refused is not None:  # raised outside the handler, whose error may name an employee
            raise refused
        try:
            has_next, following = read_cursor(body)
        except NotAPage as error:
            why = str(error)
        else:
            why = ""
        if why:
            raise client.not_understood("POST", request.path, body, why)
        if has_next and (following is None or following in seen):
            fault = "no cursor to ask for it with" if following is None else f"a cursor seen before, {following!r}"
            fault = request.unnamed(fault, following)
            after = request.unnamed(repr(starting_after), starting_after)
            raise PaginationError(
                f"Page {number} (starting_after={after}) says there is more but gives {fault}. The export cannot be "
                "completed; report it to the service's owner.",
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
    """Decode the records of a page and check the type of every field."""
    try:
        envelope = read_envelope(page.body)
    except NotAPage as error:
        why = str(error)
    else:
        return decode_page(envelope, where=where, response_format=request.response_format, on_bad_record=on_bad_record)
    raise client.not_understood("POST", request.path, page.body, why)


def list_all(client: Client, path: str) -> list[dict[str, Any]] | None:
    """Read a whole list endpoint, or return None where this tenant does not have it."""
    results: list[dict[str, Any]] = []
    while True:
        query = [("limit", str(_LIST_LIMIT)), ("offset", str(len(results)))]
        try:
            body = client.request("GET", path, query=query)
        except ApiError as error:
            if error.status in {404, 405}:  # such lists are an assumption about the service
                return None
            raise
        try:
            page = msgspec.json.decode(body, type=_ListPage)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = f"not a list of the assumed form: {error}"
        else:
            why = ""
        if why:
            raise client.not_understood("GET", path, body, why)
        results += page.results
        if not page.results or len(results) >= page.count:
            return results


def _explained(error: ApiError | AuthError, request: ExportRequest, starting_after: str | None) -> ApiError | AuthError:
    """Add to a refusal what was asked for, since the service may not know all of it; quote nothing about employees."""
    status = getattr(error, "status", None)
    if request.of == "employees":
        outcome = f"answered {status}" if status is not None else "refused, or gave no answer"
        hidden = f"POST {request.path}: the service {outcome}. What it said is left out, for it may name an employee."
        return AuthError(hidden) if isinstance(error, AuthError) else ApiError(hidden, status=status, path=request.path)
    if isinstance(error, AuthError) or status not in {400, 422}:
        return error
    hint = f"Asked for include={list(request.include)}, filters={list(request.filters)}, limit={request.limit}"
    if starting_after is not None:
        hint += f", starting_after={starting_after!r}. If that job is gone, start again from the first page"
    elif "include" in str(error):
        hint += ". An older deployment may not know every include value"
    return ApiError(
        f"{error} {hint}.",
        status=status,
        path=error.path,
        title=error.title,
        description=error.description,
        request_id=error.request_id,
    )
