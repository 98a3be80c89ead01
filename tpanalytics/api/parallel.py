"""An export walked in several chains of pages side by side.

A chain may begin after any job that the export has. It is cut where it meets the first jobs of another, so that
together they are the one chain of the whole export, whatever order their beginnings were guessed in.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tpanalytics.api.export import export_pages
from tpanalytics.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from tpanalytics.api.export import ExportRequest, Page
    from tpanalytics.api.session import Client
    from tpanalytics.api.wire import Batch

__all__ = ["Chain", "CursorLost", "DecodedPage", "Walk"]

#: How the service says that it does not know the job to start after.
_CURSOR_REFUSED = {400, 422}
#: First jobs of a chain by which another that comes to them knows it.
_HEAD = 100


@dataclass(frozen=True)
class Chain:
    """A run of pages that begins after one job and ends with the export, or where it meets another chain.

    Attributes
    ----------
    number
        Its place among the chains; 0 begins at the first job.
    starting_after
        The job it begins after.
    pages
        How many of its pages are held.
    following
        The cursor of the page after those.
    head
        Its first jobs, once they are known; another chain that meets them has come to its end.
    finished
        Nothing is left to ask for.
    """

    number: int = 0
    starting_after: str | None = None
    pages: int = 0
    following: str | None = None
    head: tuple[str, ...] = ()
    finished: bool = False

    @property
    def cursor(self) -> str | None:
        """What to ask with next."""
        return self.following if self.pages else self.starting_after

    def advance(self, pages: int, following: str | None, met: int | None, job_ids: Sequence[str]) -> Chain:
        """Return the chain with its pages up to number `pages` held, the last of which have these jobs."""
        finished = met is not None or following is None
        head = self.head or tuple(job_ids[:_HEAD])
        return replace(self, pages=pages, following=following, finished=finished, head=head)


class DecodedPage(NamedTuple):
    """The checked columns of a page, cut where another chain begins, and what it takes to resume after it.

    Attributes
    ----------
    chain
        Number of its chain.
    number
        Its place in the chain, counted from 1.
    following
        Cursor of the next page; None where the export ended.
    met
        The chain that goes on from here instead of a next page, if any.
    batch
        Its jobs and tasks.
    """

    chain: int
    number: int
    following: str | None
    met: int | None
    batch: Batch


class CursorLost(Exception):  # noqa: N818  it never leaves the package; the export starts over
    """The service no longer knows the job that a broken-off export resumes after; the text is its message."""


class Walk:
    """Walks the chains of an export, `workers` at a time, and asks for the next page while the caller is at this one.

    Iterate over it once: pages of one chain come in order, those of different chains as they arrive. A chain moves on
    when the next page is taken, so keep a page before that. A chain that would begin after a job the service does not
    know gives no page, and the chain before it walks through its jobs.

    Parameters
    ----------
    client, request
        Whom to ask, and for what.
    chains
        Where to begin or resume, in the order of their numbers.
    decode
        Turns a page into columns, given its name for messages.
    workers
        How many chains are walked at a time.
    on_wait
        Told why, before each wait of a request.

    Raises
    ------
    CursorLost
        If the service no longer knows the cursor of a chain of which pages are held.
    PaginationError, ApiError, AuthError
        As `export_pages`; the other chains are left.
    RecordError
        As `decode`.
    """

    def __init__(
        self,
        client: Client,
        request: ExportRequest,
        chains: Iterable[Chain],
        *,
        decode: Callable[[Page, str], Batch],
        workers: int = 1,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._request = request
        self._chains = list(chains)
        self._decode = decode
        self._workers = workers
        self._on_wait = on_wait

    def __iter__(self) -> Generator[DecodedPage]:
        relay = _Relay(self._workers)
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for chain in self._chains:
            if not chain.finished:
                todo.put(chain.number)
        at_work = min(self._workers, todo.qsize())
        threads = [threading.Thread(target=self._work, args=(todo, relay), daemon=True) for _ in range(at_work)]
        for thread in threads:
            thread.start()
        try:
            while at_work:
                item = relay.receive()
                if item is None:
                    at_work -= 1
                elif not self._chains[item[0]].finished:  # it may have met another while this page was on its way
                    page = self._decoded(*item)
                    yield page
                    chain, jobs = self._chains[page.chain], page.batch.jobs["job_id"]
                    self._chains[page.chain] = chain.advance(page.number, page.following, page.met, jobs)
        finally:
            relay.close()
            for thread in threads:  # so that no request is under way behind the caller's back, unless it takes long
                thread.join(1.0)

    def _decoded(self, number: int, page: Page) -> DecodedPage:
        where = f"page {page.number}"
        if number:
            where += f" after {self._chains[number].starting_after}"
        batch, met = self._decode(page, where), None
        ids = batch.jobs["job_id"]
        for other in self._chains:
            if other.number != number and other.head and (place := _meeting(ids, other.head)) is not None:
                batch, met = batch.first_jobs(place), other.number
                break
        return DecodedPage(number, page.number, page.following, met, batch)

    def _work(self, todo: queue.SimpleQueue[int], relay: _Relay) -> None:
        """Walk the chains in `todo`, one after another."""
        ready: list[tuple[int, Page]] = []

        def hand_over() -> None:
            relay.check()
            if ready:
                relay.send(ready.pop())

        try:
            while not todo.empty():
                with suppress(queue.Empty):
                    number = todo.get_nowait()
                    # A page is handed over when the request for the next has left: who decodes it would be in its way.
                    for page in self._pages(number, hand_over):
                        hand_over()
                        ready.append((number, page))
            hand_over()
            relay.send(None)
        except _Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            with suppress(_Abandoned):
                hand_over()
                relay.send(error)

    def _pages(self, number: int, on_request_sent: Callable[[], None]) -> Iterator[Page]:
        """Walk one chain until the export ends, or it has met another."""
        chain, doubted = self._chains[number], False
        while True:
            first = True
            pages = export_pages(
                self._client,
                self._request,
                chain.cursor,
                pages=chain.pages,
                on_request_sent=on_request_sent,
                on_wait=self._on_wait,
            )
            try:
                for page in pages:
                    first = False
                    if self._chains[number].finished:
                        return
                    yield page
            except ApiError as error:
                if not first or chain.cursor is None or error.status not in _CURSOR_REFUSED:
                    raise
                if not chain.pages:
                    self._chains[number] = replace(chain, finished=True)  # without a head no other chain ends here
                    return
                if doubted:
                    raise CursorLost(str(error)) from None
                doubted = True  # pages that are kept depend on it, so it is asked for once more
            else:
                return


class _Abandoned(Exception):  # noqa: N818  it never leaves the thread it ends
    """No one takes pages any more."""


class _Relay:
    """Hands pages from the threads that ask for them to the one that takes them, few at a time."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[int, Page] | BaseException | None] = queue.Queue(size)
        self._closed = threading.Event()

    def send(self, item: tuple[int, Page] | BaseException | None) -> None:
        """Wait until there is space."""
        while True:
            self.check()
            with suppress(queue.Full):
                return self._items.put(item, timeout=0.1)

    def check(self) -> None:
        """End the calling thread once the relay is closed."""
        if self._closed.is_set():
            raise _Abandoned

    def receive(self) -> tuple[int, Page] | None:
        """Wait for the next item, and raise it if it is an error."""
        item = self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Take no more."""
        self._closed.set()


def _meeting(ids: list[str], head: tuple[str, ...]) -> int | None:
    """Return the place where the jobs of another chain begin."""
    # One job proves nothing: it may be one that moved, or that the service gave twice, and to cut there would lose what
    # lies between. Where no more of the other chain is seen, this one walks through its jobs, and both are whole.
    if head[0] not in ids:
        return None
    place = ids.index(head[0])
    both = min(len(head), len(ids) - place)
    return place if both > 1 and tuple(ids[place : place + both]) == head[:both] else None
