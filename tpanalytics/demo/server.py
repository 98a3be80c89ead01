"""Local HTTP server that mimics a tenant's API, for demos and tests."""

from __future__ import annotations

import gzip
import json
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from tpanalytics.demo.client_assertion import Assertions
from tpanalytics.demo.company import invent
from tpanalytics.demo.handlers import Catalogue, Rules, answer, error_list

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reply", "Tenant"]

_EXPORTS = {"/job_architecture/export/jobs/task_profiles", "/export/employees/match_assigned_position"}
_TOKEN = "/oauth/token"  # noqa: S105  a path
#: Seconds between checks whether to stop. Leaving the context of a `Tenant` takes up to this long.
_STOP_CHECK_SECONDS = 0.01


@dataclass(frozen=True)
class Reply:
    """Response to send, before or after applying a fault."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    slow_head: bool = False
    trailing_bytes: bytes = b""


class Tenant:
    """Demo server on localhost. Use it as a context manager.

    Parameters
    ----------
    catalogue
        Data to serve. Defaults to the fictional company.
    rules
        Behavior that differs between deployments.
    port
        Port on 127.0.0.1. If 0, use any free port.
    client_id, client_secret, audience, name
        Credentials the server accepts, and the tenant's name.
    public_key
        Public key in PEM format. If given, clients sign in with the private key instead of a secret. Requires PyJWT.
    clock_skew_seconds
        How many seconds the server's clock is ahead when checking client assertions.
    token_lifetime_seconds
        Lifetime of access tokens.
    page_seconds
        Delay before each page of an export.
    compress
        Whether to compress responses for clients that accept gzip.

    Attributes
    ----------
    faults
        Faults from `tpanalytics.demo.faults`, by number of the request for jobs or headcounts starting at 1, or 0 for
        all of them.
    token_faults, task_faults
        Faults for token requests and for requests for a single task, with the same keys as `faults`.
    requests
        Method and path of each request received.
    tokens_issued
        Number of access tokens issued.

    Examples
    --------
    >>> from tpanalytics import connect
    >>> with Tenant() as tenant:
    ...     connect(**tenant.settings).version()
    '2025-01-29'
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        *,
        rules: Rules | None = None,
        port: int = 0,
        client_id: str = "demo-client",
        client_secret: str = "not-a-real-secret",  # noqa: S107  the demo data are not secret
        audience: str = "demo.alderbrook.invalid",
        name: str = "alderbrook",
        public_key: str | None = None,
        clock_skew_seconds: float = 0.0,
        token_lifetime_seconds: float = 10800,
        page_seconds: float = 0.0,
        compress: bool = True,
    ) -> None:
        if catalogue is None:
            company = invent()
            catalogue = Catalogue(company.records, company.jobs, company.families)
        self.catalogue = catalogue
        self.rules = rules or Rules()
        self.token_lifetime_seconds = token_lifetime_seconds
        self.page_seconds = page_seconds
        self.compress = compress
        self.faults: dict[int, Callable[[Reply], Reply]] = {}
        self.token_faults: dict[int, Callable[[Reply], Reply]] = {}
        self.task_faults: dict[int, Callable[[Reply], Reply]] = {}
        self.requests: list[tuple[str, str]] = []
        self.tokens_issued = 0
        self._credential = {
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": audience,
            "tenant": name,
        }
        self._assertions = None
        if public_key is not None:
            del self._credential["client_secret"]
            self._assertions = Assertions(public_key, clock_skew_seconds)
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self._exports = 0
        self._tasks = 0
        self._token_requests = 0
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.tenant = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_CHECK_SECONDS,), daemon=True)

    @property
    def base_url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments for `connect`, excluding the private key."""
        return {"base_url": self.base_url, "token_url": self.base_url + _TOKEN, **self._credential}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        """Serve requests in the current thread until interrupted."""
        self._server.serve_forever()

    def expire_tokens(self) -> None:
        """Invalidate all access tokens."""
        with self._lock:
            self._tokens.clear()

    def reply(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
        """Return the response to a request."""
        parts = urlsplit(target)
        path = parts.path
        with self._lock:
            self.requests.append((method, path))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        if (method, path) == ("POST", _TOKEN):
            with self._lock:
                self._token_requests += 1
                number = self._token_requests
            return self._with_faults(self.token_faults, number, self._token(headers, body))
        is_export = method == "POST" and path in _EXPORTS
        if not self._is_authorized(headers):
            reply = _as_reply(401, error_list(401, "The access token is missing, unknown or expired."))
        else:
            if is_export:
                time.sleep(self.page_seconds)
            reply = _as_reply(*answer(self.catalogue, self.rules, method, path, parse_qs(parts.query), body))
        if method == "GET" and path.startswith("/tasks/"):
            with self._lock:
                self._tasks += 1
                number = self._tasks
            return self._with_faults(self.task_faults, number, reply)
        if not is_export:
            return reply
        with self._lock:
            self._exports += 1
            number = self._exports
        return self._with_faults(self.faults, number, reply)

    @staticmethod
    def _with_faults(faults: dict[int, Callable[[Reply], Reply]], number: int, reply: Reply) -> Reply:
        for key in (0, number):
            if key in faults:
                reply = faults[key](reply)
        return reply

    def _token(self, headers: dict[str, str], body: Any) -> Reply:
        error = {"error": "invalid_request", "error_description": "The body must be a JSON object."}
        if not isinstance(body, dict) or "json" not in headers.get("content-type", ""):
            return _as_reply(400, error)
        if body.get("grant_type") != "client_credentials":
            return _as_reply(400, {**error, "error_description": "grant_type must be client_credentials."})
        for name in ("client_id", "client_secret"):
            if name in self._credential and body.get(name) != self._credential[name]:
                return _as_reply(401, {"error": "access_denied", "error_description": "Unauthorized"})
        if self._assertions is not None:
            reason = self._assertions.refusal(body, self.base_url + _TOKEN)
            if reason is not None:
                return _as_reply(401, {"error": "invalid_client", "error_description": reason})
        for name in ("audience", "tenant"):
            if body.get(name) != self._credential[name]:
                reason = f"Client is not authorised for this {name}."
                return _as_reply(403, {"error": "access_denied", "error_description": reason})
        token = f"tok-{secrets.token_urlsafe(24)}"
        with self._lock:
            self.tokens_issued += 1
            self._tokens[token] = time.monotonic() + self.token_lifetime_seconds
        scope = " ".join(body.get("scopes") or ["read", "write"])
        lifetime = self.token_lifetime_seconds
        return _as_reply(200, {"access_token": token, "expires_in": lifetime, "scope": scope, "token_type": "Bearer"})

    def _is_authorized(self, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        with self._lock:
            return scheme == "Bearer" and self._tokens.get(token, 0.0) > time.monotonic()


def _as_reply(status: int, body: Any) -> Reply:
    return Reply(status, json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    tenant: Tenant

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors caused by clients that close the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Respond to a request."""
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  names required by http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  name required by http.server
        """Disable request logging."""

    def _answer(self) -> None:
        tenant = self.server.tenant
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = tenant.reply(self.command, self.path, headers, raw)
        unchanged = reply.cut_at is not None or {"Content-Encoding", "Content-Length"} & reply.headers.keys()
        if tenant.compress and "gzip" in headers.get("accept-encoding", "") and not unchanged:
            compressed = gzip.compress(reply.body, compresslevel=1)
            reply = replace(reply, body=compressed, headers={**reply.headers, "Content-Encoding": "gzip"})
        if reply.delay_seconds:
            time.sleep(reply.delay_seconds)
        with suppress(ConnectionError, TimeoutError):
            rate, slow_head = reply.bytes_per_second, reply.slow_head
            self._send(self._head(reply), rate if slow_head else None)
            self._send(reply.body[: reply.cut_at] + reply.trailing_bytes, rate)
            self.wfile.flush()
            if reply.cut_at is not None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

    def _head(self, reply: Reply) -> bytes:
        defaults = {"Server": self.version_string(), "Date": self.date_time_string()}
        headers = {**defaults, "Content-Length": str(len(reply.body)), **reply.headers}
        lines = [f"{self.protocol_version} {reply.status} {self.responses.get(reply.status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")

    def _send(self, data: bytes, bytes_per_second: float | None) -> None:
        step = len(data) if bytes_per_second is None else max(1, int(bytes_per_second / 20))
        for start in range(0, len(data), step or 1):
            self.wfile.write(data[start : start + step])
            if bytes_per_second is not None:
                self.wfile.flush()
                time.sleep(step / bytes_per_second)
