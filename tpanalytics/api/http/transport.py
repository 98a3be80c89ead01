"""How requests travel: no redirect is followed, plain http goes to this machine alone, and no answer is endless."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tpanalytics.api.http.body import Limits, TimedAnswer, TooLate, read_body
from tpanalytics.api.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["disguised", "origin", "plain_session"]


class _TimedAdapter(HTTPAdapter):
    """Give each answer, its head included, no more than so many seconds."""

    def __init__(self, seconds: float) -> None:
        # Not a plain partial: from Python 3.14 on that would bind to the connection like a method.
        self._answer = staticmethod(partial(TimedAnswer, seconds=seconds))
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Give the pool of connections to a host, or to the proxy before it, with connections of our kind."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        if kind.__dict__.get("response_class") is not self._answer:
            pool.ConnectionCls = type(kind.__name__, (kind,), {"response_class": self._answer})
        return pool


class _LoopbackAdapter(_TimedAdapter):
    """Speak http to this machine where the library was shown https."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        kwargs["proxies"] = {}  # a proxy cannot reach this machine's loopback
        return super().send(request, *args, **kwargs)


class _Session(requests.Session):
    """Read every answer within limits, and follow no redirect."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._surroundings: dict[str, dict[str, Any]] = {}
        self.headers["Accept-Encoding"] = "gzip"  # the one packing that is read
        self.mount("https://", _TimedAdapter(limits.answer_seconds))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request and read what comes back."""
        limits, begun = self._limits, time.monotonic()
        sent = {**kwargs, "stream": True, "timeout": (limits.connect_seconds, limits.silence_seconds)}
        try:
            response = super().send(request, **sent)
            read_body(response, limits)
        except requests.ConnectTimeout:
            why = f"no connection within {limits.connect_seconds:g} s"
        except requests.ReadTimeout:
            why = f"no answer within {limits.silence_seconds:g} s"
            if time.monotonic() - begun >= limits.answer_seconds:
                why = f"the answer was not complete within {limits.answer_seconds:g} s"
        else:
            return response
        raise TooLate(why)

    def merge_environment_settings(self, url: Any, *given: Any) -> Any:
        """Look once a host for proxies and certificates in the environment, which costs a millisecond each time."""
        host = origin(str(url))
        if host not in self._surroundings:
            self._surroundings[host] = dict(super().merge_environment_settings(url, *given))
        return dict(self._surroundings[host])

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  the library's signature
        """Give none: the library would read the address, and trip over a broken one, even where it does not follow."""
        return None


def plain_session(addresses: Iterable[str], limits: Limits) -> requests.Session:
    """Give a session without token that reaches `addresses`, also those on this machine that speak http."""
    session = _Session(limits)
    session.auth = lambda request: request  # keeps a .netrc from replacing the token
    for address in {origin(address) for address in addresses}:
        if address.startswith("http://"):
            session.mount(disguised(address) + "/", _LoopbackAdapter(limits.answer_seconds))
    return session


def origin(url: str) -> str:
    """Give scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def disguised(url: str) -> str:
    """Give the address as the library is shown it."""
    return f"https{url[4:]}" if urlsplit(url).scheme == "http" and is_loopback(url) else url
