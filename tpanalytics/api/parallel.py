"""Load an export in parallel by splitting it into chains of pages.

A chain can start after any job in the export, and ends at the first jobs of another chain. Together, the chains cover
the export exactly once, even if the starting jobs were passed in the wrong order.
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

#: Status codes returned for an unknown cursor.
_CURSOR_ERRORS = {400, 422}
#: Number of jobs to compare at the start of each chain.
_HEAD_SIZE = 100


@dataclass(frozen=True)
class Chain:
    """Consecutive export pages, and how many of them have been loaded.

    Chain 0 starts at the first job. `following` is the cursor for the next page. Once the first jobs are loaded, they
    are stored in `head`. Any other chain that reaches these jobs is finished.
    """

    number: int = 0
    starting_after: str | None = None
    pages: int = 0
    following: str | None = None
    head: tuple[str, ...] = ()
    finished: bool = False

    @property
    def cursor(self) -> str | None:
        """The cursor to use for the next request."""
        return self.following if self.pages else self.starting_after

    def advance(self, pages: int, following: str | None, met: int | None, job_ids: Sequence[str]) -> Chain:
        """Return the chain after loading all pages up to number `pages`."""
        finished = met is not None or following is None
        head = self.head or tuple(job_ids[:_HEAD_SIZE])
        return replace(self, pages=pages, following=following, finished=finished, head=head)


class DecodedPage(NamedTuple):
    """A decoded page. Pages are numbered from 1 within each chain.

    `following` is the cursor for the next page. If another chain continues from here, `met` is that chain's number, and
    the batch ends before its first job.
    """

    chain: int
    number: int
    following: str | None
    met: int | None
    batch: Batch


class CursorLost(Exception):  # noqa: N818  internal
    """The service no longer recognises the job that an export would resume from."""


class Walk:
    """Iterate over the decoded pages, loading up to `workers` chains in parallel and a page ahead in each.

    Pages are yielded in order within each chain. Save each page before advancing the iterator. If the service doesn't
    recognise a chain's starting job, the chain is skipped and the previous chain loads those jobs instead.
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
                elif not self._chains[item[0]].finished:  # the chain may have ended while the page was loading
                    page = self._decode_page(*item)
                    yield page
                    chain, jobs = self._chains[page.chain], page.batch.jobs["job_id"]
                    self._chains[page.chain] = chain.advance(page.number, page.following, page.met, jobs)
        finally:
            relay.close()
            for thread in threads:  # let requests in progress finish, but don't wait long
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
        """Load chains from the queue, one at a time."""
        ready: list[tuple[int, Page]] = []

        def flush() -> None:
            relay.check()
            if ready:
                relay.send(ready.pop())

        try:
            while not pending.empty():
                with suppress(queue.Empty):
                    number = pending.get_nowait()
                    # Only pass a page on once the next request has been sent. Decoding would delay the request.
                    for page in self._pages(number, flush):
                        flush()
                        ready.append((number, page))
            flush()
            relay.send(None)
        except _RelayClosed:
            pass
        except BaseException as error:  # noqa: BLE001  raised again in the receiver
            with suppress(_RelayClosed):
                flush()
                relay.send(error)

    def _pages(self, number: int, on_request_sent: Callable[[], None]) -> Iterator[Page]:
        """Request pages until the chain is finished."""
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
                    self._chains[number] = replace(chain, finished=True)  # it has no head, so no chain can end here
                    return
                if retried:
                    raise CursorLost(str(error)) from None
                retried = True  # starting over is expensive, so try the page again first
            else:
                return


class _RelayClosed(Exception):  # noqa: N818  internal
    """The receiver has stopped."""


class _Relay:
    """A bounded queue for passing pages and errors from worker threads to the consumer."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[int, Page] | BaseException | None] = queue.Queue(size)
        self._closed = threading.Event()

    def send(self, item: tuple[int, Page] | BaseException | None) -> None:
        """Add an item, waiting until there is space in the queue."""
        while True:
            self.check()
            with suppress(queue.Full):
                return self._items.put(item, timeout=0.1)

    def check(self) -> None:
        """Raise an exception if the relay has been closed."""
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
    """Return the position in `ids` where another chain starts, if any."""
    # A single common job isn't enough. Jobs can move or appear twice, and ending the chain there would lose others.
    # If nothing matches, this chain simply continues and also loads the other chain's jobs.
    if head[0] not in ids:
        return None
    start = ids.index(head[0])
    length = min(len(head), len(ids) - start)
    return start if length > 1 and tuple(ids[start : start + length]) == head[:length] else None
