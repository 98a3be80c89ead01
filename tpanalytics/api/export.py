"""The cursor loop: asks for page after page and proves that each one leads on; knows no tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from tpanalytics.api.wire import Envelope, NotAPage, ResponseFormat, read_envelope
from tpanalytics.errors import ApiError, ConfigError, PaginationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.api.session import Client

__all__ = ["INCLUDES", "ExportRequest", "Page", "Vendor", "export_pages", "list_all"]

#: What the export can add to a task.
INCLUDES = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")
Vendor = Literal["techwolf", "workday", "sap_attribute_library"]
_PATH = "/job_architecture/export/jobs/task_profiles"
_LIST_LIMIT = 200


@dataclass(frozen=True)
class ExportRequest:
    """What is asked of the export; the same over all its pages."""

    include: tuple[str, ...] = ("ai_impact", "weekly_hours")
    filters: tuple[dict[str, Any], ...] = ()
    response_format: ResponseFormat = "list"
    external_vendor: Vendor | None = None
    limit: int = 100

    def __post_init__(self) -> None:
        if any(name not in INCLUDES for name in self.include):
            raise ConfigError(f"include={self.include!r}: choose from {', '.join(INCLUDES)}.")
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

    def body(self, starting_after: str | None) -> dict[str, Any]:
        """Give the body of the request for the page after `starting_after`."""
        body: dict[str, Any] = {"limit": self.limit}
        if self.include:
            body["include"] = list(self.include)
        if self.filters:
            body["filters"] = list(self.filters)
        if starting_after is not None:
            body["starting_after"] = starting_after
        return body

    def query(self) -> list[tuple[str, str]]:
        """Give the query parameters of the request."""
        query: list[tuple[str, str]] = [("response_format", self.response_format)]
        if self.external_vendor is not None:
            query.append(("external_vendor", self.external_vendor))
        return query


class Page(NamedTuple):
    """One page as it came, and what it says about the next."""

    number: int
    starting_after: str | None
    envelope: Envelope
    body: bytes


class _ListPage(msgspec.Struct):
    count: int
    results: list[dict[str, Any]]


def export_pages(client: Client, request: ExportRequest, starting_after: str | None = None) -> Iterator[Page]:
    """Ask for one page after another until the service says there is no more.

    Parameters
    ----------
    client
        From `connect`.
    request
        What to ask for.
    starting_after
        Cursor to go on from; None starts at the first job.

    Yields
    ------
    Page
        In the service's order, jobs created first coming first.

    Raises
    ------
    PaginationError
        If there is more but the cursor is missing or was seen before; it would loop for ever.
    ApiError
        If the service refuses, or answers with something that is no page.
    """
    seen = {starting_after}
    number = 0
    while True:
        number += 1
        try:
            body = client.request("POST", _PATH, body=request.body(starting_after), query=request.query())
        except ApiError as error:
            raise _explained(error, request, starting_after) from None
        try:
            envelope = read_envelope(body)
        except NotAPage as error:
            why = str(error)
        else:
            why = ""
        if why:
            raise client.not_understood("POST", _PATH, body, why)
        following = envelope.next_starting_after
        if envelope.has_next and (following is None or following in seen):
            fault = "no cursor to ask for it with" if following is None else f"a cursor seen before, {following!r}"
            raise PaginationError(
                f"Page {number} (starting_after={starting_after!r}, {len(envelope.records)} records) says there is "
                f"more but gives {fault}. The export cannot be completed; report it to the service's owner.",
                starting_after=starting_after,
            )
        yield Page(number, starting_after, envelope, body)
        if not envelope.has_next:
            return
        starting_after = str(following)
        seen.add(starting_after)


def list_all(client: Client, path: str) -> list[dict[str, Any]] | None:
    """Read a whole list endpoint; None where this tenant does not have it.

    These calls are an assumption (contract section 5): a 404 or 405 is an answer, not an error.
    """
    results: list[dict[str, Any]] = []
    while True:
        query = [("limit", str(_LIST_LIMIT)), ("offset", str(len(results)))]
        try:
            body = client.request("GET", path, query=query)
        except ApiError as error:
            if error.status in {404, 405}:
                return None
            raise
        try:
            said = msgspec.json.decode(body, type=_ListPage)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = f"not a list of the assumed form: {error}"
        else:
            why = ""
        if why:
            raise client.not_understood("GET", path, body, why)
        results += said.results
        if not said.results or len(results) >= said.count:
            return results


def _explained(error: ApiError, request: ExportRequest, starting_after: str | None) -> ApiError:
    """Add to a refusal what was asked for, since the service may not know all of it."""
    if error.status not in {400, 422}:
        return error
    hint = f"Asked for include={list(request.include)}, filters={list(request.filters)}, limit={request.limit}"
    if starting_after is not None:
        hint += f", starting_after={starting_after!r}. If that job is gone, start again from the first page"
    elif "include" in str(error):
        hint += ". An older deployment may not know every include value"
    return ApiError(
        f"{error} {hint}.",
        status=error.status,
        path=error.path,
        title=error.title,
        description=error.description,
        request_id=error.request_id,
    )
