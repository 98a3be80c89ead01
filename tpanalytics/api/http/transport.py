"""HTTP session with a deadline for each response. Redirects are disabled, and plain http is only used for localhost.

The timeouts in requests and urllib3 only limit the time between two bytes, so a slow response could take forever. The
classes below add a deadline to the reader that ``http.client`` uses for headers, bodies and proxy responses.
"""

from __future__ import annotations

import io
import time
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tpanalytics.api.http.body import DeadlineExceeded, Limits, read_body
from tpanalytics.api.settings import is_loopback

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

__all__ = ["BoundedSession", "as_https", "create_session", "origin"]

_BUFFER = 1 << 16


class _DeadlineReader(io.RawIOBase):
    """A socket reader that adjusts the socket timeout, so that all reads end within `seconds` of its creation."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        timeout = self._sock.gettimeout()
        if timeout is None or remaining < timeout:
            self._sock.settimeout(remaining)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _DeadlineSocket:
    """A connected socket. ``http.client`` calls `makefile` once for each response, after sending the request."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._seconds), _BUFFER)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _DeadlineConnection:
    """A mixin for urllib3 connection classes that adds a deadline to the socket."""

    answer_seconds: float
    _wrapped: _DeadlineSocket | None = None

    @property
    def sock(self) -> _DeadlineSocket | None:
        return self._wrapped

    @sock.setter
    def sock(self, sock: socket.socket | None) -> None:
        self._wrapped = None if sock is None else _DeadlineSocket(sock, self.answer_seconds)


@cache
def _with_deadline(connection: type, seconds: float) -> type:
    return type(connection.__name__, (_DeadlineConnection, connection), {"answer_seconds": seconds})


class _DeadlineAdapter(HTTPAdapter):
    """An adapter with a deadline for each response, including the response headers."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the connection pool for a host or proxy. Connections in the pool have a deadline."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _DeadlineConnection):
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls, self._seconds)
        return pool


class _LoopbackAdapter(_DeadlineAdapter):
    """An adapter that sends requests to localhost over http, even though the URL uses https."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        kwargs["proxies"] = {}  # a proxy can't reach localhost on this machine
        return super().send(request, *args, **kwargs)


class _NotifyingBody(io.BytesIO):
    """A request body that calls a callback once the last byte has been read."""

    def __init__(self, body: bytes, callback: Callable[[], None]) -> None:
        super().__init__(body)
        self._callback = callback

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        if not chunk:
            self._callback()
        return chunk


class BoundedSession(requests.Session):
    """A session that applies `Limits` to each response and doesn't follow redirects."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._environments: dict[str, dict[str, Any]] = {}
        self.headers["Accept-Encoding"] = "gzip"  # read_body doesn't support any other encoding
        self.mount("https://", _DeadlineAdapter(limits.answer_seconds))

    def exchange(
        self,
        method: str,
        url: str,
        *,
        on_request_sent: Callable[[], None] | None = None,
        silence_seconds: float | None = None,
        **parts: Any,
    ) -> requests.Response:
        """Send a request and read the response. Additional keyword arguments are passed to `requests.Request`."""
        limits, start = self._limits, time.monotonic()
        silence = min(limits.silence_seconds, silence_seconds or limits.silence_seconds)
        request = self.prepare_request(requests.Request(method, url, **parts))
        if on_request_sent is not None and isinstance(request.body, bytes):
            request.body = _NotifyingBody(request.body, on_request_sent)  # type: ignore[assignment]  # file-like
        timeout = limits.connect_seconds, silence
        try:
            response = self.send(request, timeout=timeout, allow_redirects=False, **self._environment(url))
            read_body(response, limits)
        except requests.ConnectTimeout:
            reason = f"no connection within {limits.connect_seconds:g} s"
        except requests.ReadTimeout:
            reason = f"no response within {silence:g} s"
            if time.monotonic() - start >= limits.answer_seconds:
                reason = f"the response was not complete within {limits.answer_seconds:g} s"
        else:
            return response
        raise DeadlineExceeded(reason)

    def _environment(self, url: str) -> dict[str, Any]:
        """Return proxies and certificates from the environment. Lookups take 1 ms, so they're cached by host."""
        host = origin(url)
        if host not in self._environments:
            self._environments[host] = dict(
                self.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
            )
        return dict(self._environments[host])

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  signature of requests
        """Return None, since requests would parse the redirect location even if redirects are disabled."""
        return None


def create_session(urls: Iterable[str], limits: Limits) -> BoundedSession:
    """Return a session for requests to `urls`. Plain http is allowed for localhost."""
    session = BoundedSession(limits)
    session.auth = lambda request: request  # prevent requests from replacing the token with a .netrc entry
    for url in {origin(url) for url in urls}:
        if url.startswith("http://"):
            session.mount(as_https(url) + "/", _LoopbackAdapter(limits.answer_seconds))
    return session


def origin(url: str) -> str:
    """Return the scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def as_https(url: str) -> str:
    """Convert a localhost URL from http to https, as required by oauthlib."""
    return f"https{url[4:]}" if urlsplit(url).scheme == "http" and is_loopback(url) else url
