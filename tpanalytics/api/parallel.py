"""Several chains of pages side by side.

A chain may begin after any job that the export has. It is cut where it meets the first jobs of another, so that
together they are the one chain of the whole export, whatever order their beginnings were guessed in.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tpanalytics.api.export import export_pages
from tpanalytics.api.http.body import when_sent
from tpanalytics.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tpanalytics.api.export import ExportRequest, Page
    from tpanalytics.api.session import Client

__all__ = ["Chain", "CursorLost", "walk"]

#: How the service says that it does not know the job to start after.
_CURSOR_REFUSED = {400, 422}


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
    cursor: str | None = None
    pages: int = 0
    head: tuple[str, ...] = ()
    finished: bool = False

    def __post_init__(self) -> None:
        if not self.pages:
            self.cursor = self.starting_after


class CursorLost(Exception):  # noqa: N818  it never leaves the package; the export starts over
    """The service no longer knows the job that a broken-off export goes on after; the text is what it said."""


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
    at_work = min(workers, todo.qsize())
    arguments = (client, request, todo, relay)
    threads = [threading.Thread(target=_work, args=arguments, daemon=True) for _ in range(at_work)]
    for thread in threads:
        thread.start()
    try:
        while at_work:
            item = relay.receive()
            if item is None:
                at_work -= 1
            elif not item[0].finished:  # it may have met another chain while this page was on its way
                yield item
    finally:
        relay.close()
        for thread in threads:  # so that no request is under way behind the caller's back, unless it takes long
            thread.join(1.0)


def _work(client: Client, request: ExportRequest, todo: queue.SimpleQueue[Chain], relay: _Relay) -> None:
    """Walk the chains to do, one after another."""
    ready: list[tuple[Chain, Page]] = []

    def hand_over() -> None:
        relay.check()
        if ready:
            relay.send(ready.pop())

    try:
        # A page is handed over only when the request for the next has left: who decodes it would be in its way.
        with when_sent(hand_over):
            while not todo.empty():
                with suppress(queue.Empty):
                    chain = todo.get_nowait()
                    for page in _pages_of(client, request, chain):
                        hand_over()
                        ready.append((chain, page))
        hand_over()
        relay.send(None)
    except _Abandoned:
        pass
    except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
        with suppress(_Abandoned):
            hand_over()
            relay.send(error)


class _Abandoned(Exception):  # noqa: N818  it never leaves the thread it ends
    """Nobody takes pages any more."""


class _Relay:
    """Hands pages from the threads that ask for them to the one that takes them, few at a time."""

    def __init__(self, size: int) -> None:
        self._items: queue.Queue[tuple[Chain, Page] | BaseException | None] = queue.Queue(size)
        self._closed = threading.Event()

    def send(self, item: tuple[Chain, Page] | BaseException | None) -> None:
        """Wait for room."""
        while True:
            self.check()
            with suppress(queue.Full):
                return self._items.put(item, timeout=0.1)

    def check(self) -> None:
        """End the thread that asks where nobody takes any more."""
        if self._closed.is_set():
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


def _pages_of(client: Client, request: ExportRequest, chain: Chain) -> Iterator[Page]:
    """Walk one chain until the export ends, or the caller finishes it."""
    doubted = False
    while True:
        first = True
        try:
            for page in export_pages(client, request, chain.cursor, pages=chain.pages):
                first = False
                if chain.finished:
                    return
                yield page
        except ApiError as error:
            if not first or chain.cursor is None or error.status not in _CURSOR_REFUSED:
                raise
            if not chain.pages:
                chain.finished = True  # without a head no other chain ends here
                return
            if doubted:
                raise CursorLost(str(error)) from None
            doubted = True  # pages that are kept hang on it, so it is asked for once more
        else:
            return
