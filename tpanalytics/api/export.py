"""The cursor loop: asks for page after page and proves that each one leads on; knows no tables.

A chain of pages may begin after any job that the export has. Several chains side by side are cut where one meets the
first job of another, so that together they are the one chain, whatever order their first jobs were guessed in.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from tpanalytics.api.wire import Envelope, NotAPage, ResponseFormat, read_envelope
from tpanalytics.errors import ApiError, ConfigError, PaginationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tpanalytics.api.session import Client

__all__ = [
    "EMPLOYEE_INCLUDES",
    "INCLUDES",
    "Chain",
    "CursorLost",
    "ExportRequest",
    "Page",
    "Vendor",
    "export_pages",
    "list_all",
    "walk",
]

#: What the export of jobs can add to a task, and what that of employees can.
INCLUDES = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")
EMPLOYEE_INCLUDES = ("ai_impact", "source_events", "linked_skills", "rejected_tasks", "weekly_hours")
Vendor = Literal["techwolf", "workday", "sap_attribute_library"]
_PATHS = {
    "jobs": "/job_architecture/export/jobs/task_profiles",
    "employees": "/export/employees/task_profiles",
}
#: How the service says that it does not know the job to start after.
_CURSOR_REFUSED = {400, 404, 410, 422}
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
    """One page as it came, and what it says about the next; `met` is the chain that goes on after it, if any."""

    number: int
    starting_after: str | None
    envelope: Envelope
    body: bytes
    met: int | None = None


@dataclass
class Chain:
    """A run of pages that begins after one job and ends with the export, or where it meets another chain.

    Attributes
    ----------
    number
        Its place among the chains; 0 begins at the first job.
    starting_after
        The job it begins after.
    cursor
        What to ask with next.
    pages
        How many of its pages are held.
    head
        The jobs of its first page, once they are known; another chain that meets them has come to its end.
    finished
        Nothing is left to ask for.
    """

    number: int = 0
    starting_after: str | None = None
    cursor: str | None = field(default=None)
    pages: int = 0
    head: tuple[str, ...] = ()
    finished: bool = False

    def __post_init__(self) -> None:
        if not self.pages:
            self.cursor = self.starting_after


class CursorLost(Exception):  # noqa: N818  it never leaves the package; the export starts over
    """The service no longer knows the job that a broken-off export goes on after; the text is what it said."""


class _ListPage(msgspec.Struct):
    count: int
    results: list[dict[str, Any]]


def export_pages(
    client: Client, request: ExportRequest, starting_after: str | None = None, *, pages: int = 0
) -> Iterator[Page]:
    """Ask for one page after another until the service says there is no more.

    Parameters
    ----------
    client
        From `connect`.
    request
        What to ask for.
    starting_after
        Cursor to go on from; None starts at the first job.
    pages
        How many pages came before; the next has the number after that.

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
    number = pages
    while True:
        number += 1
        try:
            body = client.request("POST", request.path, body=request.body(starting_after), query=request.query())
        except ApiError as error:
            raise _explained(error, request, starting_after) from None
        try:
            envelope = read_envelope(body)
        except NotAPage as error:
            why = str(error)
        else:
            why = ""
        if why:
            raise client.not_understood("POST", request.path, body, why)
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


def walk(
    client: Client, request: ExportRequest, chains: Sequence[Chain], *, workers: int = 1
) -> Iterator[tuple[Chain, Page]]:
    """Walk chains side by side, `workers` at a time, asking for the next page while the caller is at this one.

    The caller keeps the chains up to date: it sets `Chain.head` with the first page of a chain, and `Chain.finished`
    where a page holds the head of another. A chain that would begin after a job the service does not know gives no
    page, and the chain before it goes on through its jobs.

    Yields
    ------
    tuple[Chain, Page]
        The pages of one chain in order, those of different chains as they come.

    Raises
    ------
    CursorLost
        If the service no longer knows the cursor of a chain of which pages are held.
    PaginationError, ApiError, AuthError
        As `export_pages`; the other chains are left.
    """
    relay = _Relay(workers)
    todo: queue.SimpleQueue[Chain] = queue.SimpleQueue()
    for chain in chains:
        if not chain.finished:
            todo.put(chain)

    def work() -> None:
        try:
            while not todo.empty():
                with suppress(queue.Empty):
                    chain = todo.get_nowait()
                    for page in _pages_of(client, request, chain, chains):
                        relay.send((chain, page))
            relay.send(None)
        except _Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            with suppress(_Abandoned):
                relay.send(error)

    at_work = min(workers, todo.qsize())
    for _ in range(at_work):
        threading.Thread(target=work, name="tpanalytics-export", daemon=True).start()
    try:
        while at_work:
            item = relay.receive()
            if item is None:
                at_work -= 1
            else:
                yield item
    finally:
        relay.close()


class _Abandoned(Exception):  # noqa: N818  it never leaves the thread it ends
    """Nobody takes pages any more."""


class _Relay:
    """Hands pages from the threads that ask for them to the one that takes them, few at a time."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[Chain, Page] | BaseException | None] = queue.Queue(size)
        self._closed = threading.Event()

    def send(self, item: tuple[Chain, Page] | BaseException | None) -> None:
        """Wait for room."""
        while not self._closed.is_set():
            with suppress(queue.Full):
                return self._items.put(item, timeout=0.1)
        raise _Abandoned

    def receive(self) -> tuple[Chain, Page] | None:
        """Wait for the next item; an error is raised."""
        item = self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Take no more."""
        self._closed.set()


def _pages_of(client: Client, request: ExportRequest, chain: Chain, chains: Collection[Chain]) -> Iterator[Page]:
    """Walk one chain until the export ends, the caller finishes it, or the next page is another chain's first."""
    first, resumed = True, chain.pages > 0
    try:
        for page in export_pages(client, request, chain.cursor, pages=chain.pages):
            first = False
            if chain.finished:
                return
            following = page.envelope.next_starting_after
            ahead = [other.number for other in chains if other.head and other.starting_after == following]
            met = ahead[0] if ahead and page.envelope.has_next else None
            yield page._replace(met=met)
            if met is not None:
                return
    except ApiError as error:
        if not first or chain.cursor is None or error.status not in _CURSOR_REFUSED:
            raise
        if resumed:
            raise CursorLost(str(error)) from None
        chain.finished = True  # without a head no other chain ends here


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
