"""How requests travel: no redirect is followed, and plain http goes to this machine alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tpanalytics.api.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["disguised", "origin", "plain_session"]


class _LoopbackAdapter(HTTPAdapter):
    """Speak http to this machine where the library was shown https."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        kwargs["proxies"] = {}  # a proxy cannot reach this machine's loopback
        return super().send(request, *args, **kwargs)


class _NoRedirects(requests.Session):
    """Follow no redirect; the library would read its address, and trip over a broken one, all the same."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  the library's signature
        return None


def plain_session(addresses: Iterable[str]) -> requests.Session:
    """Give a session without token that reaches `addresses`, also those on this machine that speak http."""
    session = _NoRedirects()
    session.auth = lambda request: request  # keeps a .netrc from replacing the token
    for address in {origin(address) for address in addresses}:
        if address.startswith("http://"):
            session.mount(disguised(address) + "/", _LoopbackAdapter())
    return session


def origin(url: str) -> str:
    """Give scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def disguised(url: str) -> str:
    """Give the address as the library is shown it."""
    return f"https{url[4:]}" if urlsplit(url).scheme == "http" and is_loopback(url) else url
