"""HTTP server with scripted responses, and helpers to define faults."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tpanalytics.api.http.retry import RetryPolicy
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve
from tpanalytics.demo.faults import cut  # noqa: F401  re-exported for tests
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable


class Received(NamedTuple):
    """Request received by a `Host`."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Host:
    """Context manager for a server on localhost that records requests."""

    def __init__(self, answer: Callable[[Received], Reply]) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.host = self

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    host: Host

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, body)
        self.server.host.received.append(received)
        reply = self.server.host.answer(received)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_POST = do_CONNECT = do_GET  # noqa: N815  names required by http.server

    def log_message(self, *args: Any) -> None:
        pass


def said(status: int, body: Any = b"", **headers: str) -> Reply:
    """Return a reply with a body of bytes, HTML or JSON."""
    if isinstance(body, str):
        raw, content_type = body.encode(), "text/html; charset=utf-8"
    elif isinstance(body, bytes):
        raw, content_type = body, "application/octet-stream"
    else:
        raw, content_type = json.dumps(body).encode(), "application/json"
    return Reply(status, raw, {"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}})


def instead(status: int, body: Any = b"", **headers: str) -> Callable[[Reply], Reply]:
    """Return a fault that replaces the reply."""
    return lambda _: said(status, body, **headers)


def change_fields(**changes: Any) -> Callable[[Reply], Reply]:
    """Return a fault that changes fields of a JSON reply, or removes them if the value is None."""

    def fault(reply: Reply) -> Reply:
        body = {**json.loads(reply.body), **changes}
        return replace(reply, body=json.dumps({k: v for k, v in body.items() if v is not None}).encode())

    return fault


def jobs(n: int) -> Catalogue:
    """Return a catalogue of `n` jobs without tasks."""
    return Catalogue([{"external_id": f"job-{i}", "tasks": []} for i in range(1, n + 1)])


def make_client(settings: dict[str, Any], waits: list[float] | None = None, **policy: Any) -> Client:
    """Return a client that appends its waits to a list instead of sleeping."""
    recorded = [] if waits is None else waits
    return Client(resolve(settings), retry=RetryPolicy(**{"base": 0, **policy}), sleep=recorded.append)
