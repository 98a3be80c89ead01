"""How requests travel: no redirect is followed, plain http goes to this machine alone, and no answer is endless.

The timeout of the libraries limits the silence between two bytes only, so an answer that drips would never end. Here
the reader through which ``http.client`` takes an answer from its socket also keeps a deadline, for the head, the body
and the answer of a proxy.
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

__all__ = ["BoundedSession", "disguised", "origin", "plain_session"]

_BUFFER = 1 << 16


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, and lowers its timeout so that no wait lasts beyond `seconds` from now."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        silence = self._sock.gettimeout()
        if silence is None or left < silence:
            self._sock.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _DeadlineSocket:
    """A connected socket; ``http.client`` makes one reader of it per answer, when the request has been sent."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._seconds), _BUFFER)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _DeadlineConnection:
    """Mixed into a connection class of urllib3: gives its socket, plain or encrypted, the deadline of an answer."""

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
    """Limits the time of each answer, its head included."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of connections to a host, or to the proxy before it, with connections that keep deadlines."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _DeadlineConnection):
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls, self._seconds)
        return pool


class _LoopbackAdapter(_DeadlineAdapter):
    """Speaks http to this machine where the library was shown https."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        kwargs["proxies"] = {}  # a proxy cannot reach this machine's loopback
        return super().send(request, *args, **kwargs)


class _AnnouncedBody(io.BytesIO):
    """The body of a request, which the library reads to its end while it sends it: a call follows the last byte."""

    def __init__(self, body: bytes, call: Callable[[], None]) -> None:
        super().__init__(body)
        self._call = call

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            self._call()
        return piece


class BoundedSession(requests.Session):
    """Reads every answer within limits, and follows no redirect."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._environments: dict[str, dict[str, Any]] = {}
        self.headers["Accept-Encoding"] = "gzip"  # the one packing that is read
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
        """Send a request of these `parts`, as `requests.Request` takes them, and read its answer."""
        limits, begun = self._limits, time.monotonic()
        silence = min(limits.silence_seconds, silence_seconds or limits.silence_seconds)
        request = self.prepare_request(requests.Request(method, url, **parts))
        if on_request_sent is not None and isinstance(request.body, bytes):
            request.body = _AnnouncedBody(request.body, on_request_sent)  # type: ignore[assignment]  # a file will do
        timeout = limits.connect_seconds, silence
        try:
            response = self.send(request, timeout=timeout, allow_redirects=False, **self._environment(url))
            read_body(response, limits)
        except requests.ConnectTimeout:
            why = f"no connection within {limits.connect_seconds:g} s"
        except requests.ReadTimeout:
            why = f"no answer within {silence:g} s"
            if time.monotonic() - begun >= limits.answer_seconds:
                why = f"the answer was not complete within {limits.answer_seconds:g} s"
        else:
            return response
        raise DeadlineExceeded(why)

    def _environment(self, url: str) -> dict[str, Any]:
        """Look once a host for proxies and certificates in the environment, which costs a millisecond each time."""
        host = origin(url)
        if host not in self._environments:
            self._environments[host] = dict(
                self.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
            )
        return dict(self._environments[host])

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  the library's signature
        """Return None: the library would trip over a broken address even where it does not follow."""
        return None


def plain_session(addresses: Iterable[str], limits: Limits) -> BoundedSession:
    """Return a session without token that reaches `addresses`, also those on this machine that speak http."""
    session = BoundedSession(limits)
    session.auth = lambda request: request  # keeps a .netrc from replacing the token
    for address in {origin(address) for address in addresses}:
        if address.startswith("http://"):
            session.mount(disguised(address) + "/", _LoopbackAdapter(limits.answer_seconds))
    return session


def origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def disguised(url: str) -> str:
    """Return the address as the library is shown it."""
    return f"https{url[4:]}" if urlsplit(url).scheme == "http" and is_loopback(url) else url
