"""Fast server of a generated export in a separate process, with a configurable latency per page.

Latency is the time from the last byte of the request to the first byte of the response. The server reports its sum.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.bench.generate import PAGE, Export, job_number, lists

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Service", "serving"]

_EXPORT = "/job_architecture/export/jobs/task_profiles"
_LISTS = {"/job_architecture/jobs": 0, "/job_architecture/job_families": 1}
_CONTROL = "/bench"
_TOKEN = "tok-bench"


class Latency(NamedTuple):
    """Number of pages served and sum of their latencies in seconds."""

    pages: int
    seconds: float


class Service:
    """Client of a running server."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.settings = {
            "base_url": self.base_url,
            "token_url": f"{self.base_url}/oauth/token",
            "client_id": "bench",
            "client_secret": "not-a-real-secret",
            "audience": "bench.invalid",
            "tenant": "bench",
        }

    def behave(self, *, page_seconds: float, gzip: bool) -> None:
        """Set the time per page and compression, and reset the counters."""
        self._control({"page_seconds": page_seconds, "gzip": gzip})

    def latency(self) -> Latency:
        """Return the counters."""
        return Latency(**self._control(None))

    def _control(self, body: dict[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            urllib.request.Request(self.base_url + _CONTROL, data), timeout=60
        ) as response:
            return json.load(response)


@contextmanager
def serving(export: Path) -> Iterator[Service]:
    """Serve an export from a separate process."""
    command = [sys.executable, "-m", "tests.bench.server", str(export)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Service(int(process.stdout.readline()))
        finally:
            process.stdin.close()  # the process exits at the end of its input


class _Handler:
    """Handler of requests, shared by all connections."""

    def __init__(self, folder: str) -> None:
        self.export = Export(folder)
        self.lists: tuple[list[dict[str, Any]], ...] | None = None
        self.packed: dict[tuple[int, int], bytes] = {}
        self.page_seconds, self.gzip = 0.0, False
        self.pages, self.seconds = 0, 0.0
        self.lock = threading.Lock()

    def answer(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> tuple[int, bytes, bool]:
        """Return status, body and whether the body is compressed."""
        received = time.perf_counter()
        parts = urlsplit(target)
        if parts.path == _CONTROL:
            return 200, self._control(json.loads(raw) if raw else None), False
        if parts.path == "/oauth/token":
            token = {"access_token": _TOKEN, "expires_in": 10800, "scope": "read", "token_type": "Bearer"}
            return 200, json.dumps(token).encode(), False
        if headers.get("authorization") != f"Bearer {_TOKEN}":
            return 401, _errors("401 Unauthorized", "The token is missing."), False
        if (method, parts.path) == ("POST", _EXPORT):
            status, body, packed = self._page(json.loads(raw), "gzip" in headers.get("accept-encoding", ""))
            rest = received + self.page_seconds - time.perf_counter()
            if rest > 0:
                time.sleep(rest)
            with self.lock:
                self.pages += 1
                self.seconds += time.perf_counter() - received
            return status, body, packed
        if method == "GET" and parts.path in _LISTS:
            return 200, self._listing(_LISTS[parts.path], parse_qs(parts.query)), False
        if parts.path == "/version":
            return 200, b'{"version": "2025-01-29"}', False
        return 405, _errors("405 Method Not Allowed", f"{method} {parts.path} is not supported."), False

    def _page(self, request: dict[str, Any], accepted: bool) -> tuple[int, bytes, bool]:
        if request.get("filters"):
            return 400, _errors("400 Bad Request", "Filters are not supported."), False
        limit, first = int(request["limit"]), 0
        if "starting_after" in request:
            try:
                first = job_number(request["starting_after"]) + 1
            except ValueError:
                first = -1
            if not 0 < first <= self.export.jobs:
                return 400, _errors("400 Bad Request", "starting_after is not the id of a job."), False
        if not (self.gzip and accepted):
            return 200, self.export.page(first, limit), False
        if (first, limit) not in self.packed:  # compress other pages on first use, within the latency
            self.packed[first, limit] = gzip.compress(self.export.page(first, limit), compresslevel=6, mtime=0)
        return 200, self.packed[first, limit], True

    def _listing(self, which: int, query: dict[str, list[str]]) -> bytes:
        with self.lock:
            self.lists = self.lists or lists(self.export.jobs)
        rows = self.lists[which]
        limit, offset = (int(query.get(name, [default])[-1]) for name, default in (("limit", "100"), ("offset", "0")))
        return json.dumps({"count": len(rows), "results": rows[offset : offset + limit]}).encode()

    def _control(self, body: dict[str, Any] | None) -> bytes:
        with self.lock:
            counters = {"pages": self.pages, "seconds": self.seconds}
            if body is not None:
                self.page_seconds, self.gzip = body["page_seconds"], body["gzip"]
                self.pages, self.seconds = 0, 0.0
                if self.gzip and not self.packed:
                    packed = self.export.packed_pages()
                    self.packed = {(number * PAGE, PAGE): page for number, page in enumerate(packed)}
            return json.dumps(counters).encode()


def _errors(title: str, description: str) -> bytes:
    return json.dumps([{"title": title, "description": description}]).encode()


def _serve_connection(connection: socket.socket, handler: _Handler) -> None:
    """Answer requests until the client closes the connection."""
    with connection, connection.makefile("rb") as reader, suppress(ConnectionError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while line := reader.readline():
            method, target, _ = line.decode("ascii").split()
            headers = {}
            while line := reader.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            raw = reader.read(int(headers.get("content-length", 0)))
            status, body, packed = handler.answer(method, target, headers, raw)
            head = f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            if packed:
                head += "Content-Encoding: gzip\r\n"
            connection.sendall(head.encode() + b"\r\n" + body)


def _serve(folder: str) -> None:
    handler = _Handler(folder)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_serve_connection, args=(connection, handler), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()
        os._exit(0)  # do not wait for open connections


if __name__ == "__main__":
    _serve(sys.argv[1])
