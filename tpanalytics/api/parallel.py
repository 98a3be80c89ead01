"""Load an export as several chains of pages in parallel.

A chain can start after any job of the export. It ends where it reaches the first jobs of another chain, so that all
chains together cover the export once, even if their starting jobs were passed in the wrong order.
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

#: Statuses for an unknown cursor.
_CURSOR_ERRORS = {400, 422}
#: Number of jobs at the start of a chain that are compared with other chains.
_HEAD_SIZE = 100


@dataclass(frozen=True)
class Chain:
    """Consecutive pages of an export and the state of loading them.

    Chain 0 starts at the first job. `following` is the cursor of the next page, and `head` contains the first jobs of
    the chain once they are loaded. Another chain that reaches them is finished.
    """

    number: int = 0
    starting_after: str | None = None
    pages: int = 0
    following: str | None = None
    head: tuple[str, ...] = ()
    finished: bool = False

    @property
    def cursor(self) -> str | None:
        """Cursor of the next request."""
        return self.following if self.pages else self.starting_after

    def advance(self, pages: int, following: str | None, met: int | None, job_ids: Sequence[str]) -> Chain:
        """Return the chain after loading its pages up to number `pages`."""
        finished = met is not None or following is None
        head = self.head or tuple(job_ids[:_HEAD_SIZE])
        return replace(self, pages=pages, following=following, finished=finished, head=head)


class DecodedPage(NamedTuple):
    """Decoded page, numbered from 1 within its chain.

    `following` is the cursor of the next page. If another chain continues from here, `met` is its number and the batch
    ends before the first job of that chain.
    """

    chain: int
    number: int
    following: str | None
    met: int | None
    batch: Batch


class CursorLost(Exception):  # noqa: N818  internal
    """The service no longer knows the job after which an export should resume."""


class Walk:
    """Iterable over the decoded pages of all chains, loading `workers` chains in parallel and one page ahead.

    Pages of a chain are yielded in order, and each must be saved before the iterator is advanced. If the service does
    not know the starting job of a chain, that chain is skipped and the previous chain covers its jobs.
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
        pending: queue.SimpleQueue[int] = queue.SimpleQueue()
        for chain in self._chains:
            if not chain.finished:
                pending.put(chain.number)
        running = min(self._workers, pending.qsize())
        threads = [threading.Thread(target=self._work, args=(pending, relay), daemon=True) for _ in range(running)]
        for thread in threads:
            thread.start()
        try:
            while running:
                item = relay.receive()
                if item is None:
                    running -= 1
                elif not self._chains[item[0]].finished:  # its chain may have ended while the page was loading
                    page = self._decode_page(*item)
                    yield page
                    chain, jobs = self._chains[page.chain], page.batch.jobs["job_id"]
                    self._chains[page.chain] = chain.advance(page.number, page.following, page.met, jobs)
        finally:
            relay.close()
            for thread in threads:  # let requests in progress finish, but do not wait long
                thread.join(1.0)

    def _decode_page(self, number: int, page: Page) -> DecodedPage:
        where = f"page {page.number}"
        if number:
            where += f" after {self._chains[number].starting_after}"
        batch, met = self._decode(page, where), None
        ids = batch.jobs["job_id"]
        for other in self._chains:
            if other.number != number and other.head and (start := _find_overlap(ids, other.head)) is not None:
                batch, met = batch.first_jobs(start), other.number
                break
        return DecodedPage(number, page.number, page.following, met, batch)

    def _work(self, pending: queue.SimpleQueue[int], relay: _Relay) -> None:
        """Load the chains in the queue, one after another."""
        ready: list[tuple[int, Page]] = []

        def flush() -> None:
            relay.check()
            if ready:
                relay.send(ready.pop())

        try:
            while not pending.empty():
                with suppress(queue.Empty):
                    number = pending.get_nowait()
                    # Pass a page on after the next request was sent, because decoding would delay that request.
                    for page in self._pages(number, flush):
                        flush()
                        ready.append((number, page))
            flush()
            relay.send(None)
        except _RelayClosed:
            pass
        except BaseException as error:  # noqa: BLE001  raised again by the receiver
            with suppress(_RelayClosed):
                flush()
                relay.send(error)

    def _pages(self, number: int, on_request_sent: Callable[[], None]) -> Iterator[Page]:
        """Request the pages of a chain until the chain is finished."""
        chain, retried = self._chains[number], False
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
                if not first or chain.cursor is None or error.status not in _CURSOR_ERRORS:
                    raise
                if not chain.pages:
                    self._chains[number] = replace(chain, finished=True)  # has no head, so no chain ends here
                    return
                if retried:
                    raise CursorLost(str(error)) from None
                retried = True  # starting over is expensive, so request the page again first
            else:
                return


class _RelayClosed(Exception):  # noqa: N818  internal
    """The receiver has stopped."""


class _Relay:
    """Bounded queue that passes pages and errors from the worker threads to the consumer."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[int, Page] | BaseException | None] = queue.Queue(size)
        self._closed = threading.Event()

    def send(self, item: tuple[int, Page] | BaseException | None) -> None:
        """Add an item, waiting until there is space."""
        while True:
            self.check()
            with suppress(queue.Full):
                return self._items.put(item, timeout=0.1)

    def check(self) -> None:
        """Raise an exception if the relay is closed."""
        if self._closed.is_set():
            raise _RelayClosed

    def receive(self) -> tuple[int, Page] | None:
        """Wait for the next item and return it, or raise it if it is an error."""
        item = self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Stop all senders."""
        self._closed.set()


def _find_overlap(ids: list[str], head: tuple[str, ...]) -> int | None:
    """Return the position in `ids` where another chain starts, or None."""
    # A single common job is not enough, because a job can move or appear twice, and cutting there would lose jobs.
    # Without a match this chain simply continues through the jobs of the other.
    if head[0] not in ids:
        return None
    start = ids.index(head[0])
    length = min(len(head), len(ids) - start)
    return start if length > 1 and tuple(ids[start : start + length]) == head[:length] else None
