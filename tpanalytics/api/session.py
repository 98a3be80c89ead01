"""A signed-in connection to one tenant: token, renewal, retries, and secrets that never get out.

The token is signed onto a request by `requests_oauthlib.OAuth2` at the last moment, not by `OAuth2Session`: that class
writes token and secret to the debug log and cannot renew a client-credentials token. Plain http to this machine (the
embedded tenant) needs no process-wide switch here: the library sees https, and an adapter mounted on that one address
speaks http.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests_oauthlib import OAuth2

from tpanalytics.api.http.answers import error_text, host_named, outline, traces
from tpanalytics.api.http.reading import Limits, NotTaken
from tpanalytics.api.http.retry import RETRIED, RetryPolicy, in_words, is_passing, seconds_asked
from tpanalytics.api.http.transport import disguised, origin, plain_session
from tpanalytics.api.settings import Secret, Settings, resolve
from tpanalytics.errors import ApiError, AuthError, ConfigError, RateLimited, TpAnalyticsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Client", "RetryPolicy", "connect"]

_LEEWAY_SECONDS = 60.0


class Client:
    """A connection to one tenant; made by `connect`, safe to share between threads.

    Attributes
    ----------
    settings
        The settings in force; the secret prints as ``***``.
    tokens_fetched
        How many tokens this client has asked for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        from tpanalytics import __version__

        self.settings = settings
        self.tokens_fetched = 0
        self.on_wait = on_wait
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._token: Secret | None = None
        self._unspoken = deque[Secret](maxlen=16)  # tokens given out lately, to be kept out of messages
        self._renew_at = 0.0
        self._lock = threading.Lock()
        self._http = plain_session((settings.base_url, settings.token_url), limits or Limits())
        self._http.headers.update({"Accept": "application/json", "User-Agent": f"tpanalytics/{__version__}"})
        if settings.api_version:
            self._http.headers["X-API-Version"] = settings.api_version

    def __repr__(self) -> str:
        return f"Client(tenant={self.settings.tenant!r}, base_url={self.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and forget the token."""
        self._http.close()
        self._token = None

    def sign_in(self) -> None:
        """Fetch a token now, if there is none that is still good.

        Raises
        ------
        AuthError, ApiError
            If there is none to be had.
        """
        self._fresh_token()

    def version(self) -> str | None:
        """Ask which version of the API the tenant is pinned to; None where it does not say."""
        try:
            said = json.loads(self.request("GET", "/version"))
        except ApiError as error:
            if error.status in {404, 405}:
                return None
            raise
        except (ValueError, RecursionError):
            return None
        version = said.get("version") if isinstance(said, dict) else None
        return str(version) if version else None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Send a request that only reads, signed, and give the body of the answer.

        It is tried again on 429, on 5xx and on broken connections, and once with a new token on 401.

        Parameters
        ----------
        method
            ``GET`` or ``POST``.
        path
            Path on the tenant, starting with ``/``; the token goes to no other host.
        body
            Sent as JSON.
        query
            Query parameters; a name may be repeated.

        Raises
        ------
        AuthError
            If no token is to be had, or the service refuses a fresh one (401), or refuses access (403).
        RateLimited, Unreachable, ApiError
            If the service refuses for another reason, or cannot be reached.
        ConfigError
            If `path` would leave the tenant's host.
        """
        url = self.settings.base_url + path
        if not path.startswith("/") or origin(url) != origin(self.settings.base_url):
            raise ConfigError(f"{path!r} is no path on the tenant; the token is sent to its host only.")
        for last in (False, True):
            token = self._fresh_token()  # a Secret: tracebacks with local variables end up in notebooks
            response = self._send(
                method,
                disguised(url),
                path,
                json=None if body is None else dict(body),
                params=list(query),
                auth=_signed_with(token),
            )
            if response.status_code != 401:
                break
            self._forget(token)
            if last:
                raise AuthError(
                    f"{method} {path}: the service refused a fresh token (401): {self._said(response)}. "
                    "Check audience, tenant and the credential's rights."
                )
        if response.status_code == 403:
            raise AuthError(
                f"{method} {path}: the credential may not do this (403): {self._said(response)}. "
                "Ask for a credential with the scope 'read' on this tenant."
            )
        if response.status_code != 200:
            raise self._refusal(response, method, path)
        return response.content

    def not_understood(self, method: str, path: str, body: bytes, why: str) -> ApiError:
        """Make the error for an answer 200 that is not what was asked for; quotes its beginning, without secrets."""
        start = self._redact(body[:4000].decode("utf-8", "replace")).strip()[:200]
        quoted = f" It begins: {start!r}." if start[:1] not in {"{", "["} else ""  # a record's text is not quoted
        return ApiError(
            f"{method} {path}: the service answered 200, but its body is {why}.{quoted} "
            "Check base_url; a gateway or login page may stand in between.",
            status=200,
            path=path,
        )

    def _fresh_token(self) -> Secret:
        with self._lock:
            if self._token is None or time.time() >= self._renew_at:
                self._token = self._fetch_token()
            return self._token

    def _forget(self, token: Secret) -> None:
        with self._lock:
            if self._token is token:  # another thread may have renewed it already
                self._token = None

    def _fetch_token(self) -> Secret:
        settings = self.settings
        response = self._send(
            "POST",
            disguised(settings.token_url),
            "the token endpoint",
            auth=_asking_for_token(settings),
        )
        self.tokens_fetched += 1
        if response.status_code in RETRIED:
            raise self._refusal(response, "POST", "the token endpoint")
        if response.status_code != 200:
            raise AuthError(
                f"The token endpoint at {urlsplit(settings.token_url).hostname} refused ({response.status_code}): "
                f"{self._said(response)}. Check client_id, client_secret, audience and tenant."
            )
        why = None
        try:
            token, lifetime = _token_in(response)
            if not re.fullmatch(r"[!-~]+", token.reveal()):
                why = "its access_token cannot stand in a header"
            elif lifetime <= 0:
                why = "its access_token has expired already"
        except OAuth2Error as error:
            why = self._redact(str(error.description or error.error))[:200].rstrip(".")
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, Warning):
            why = "it holds no usable access_token"
        if why is not None:
            raise AuthError(
                f"The token endpoint at {urlsplit(settings.token_url).hostname} answered 200 without a token: {why}; "
                f"the body is {self._redact(outline(response))}. Check token_url."
            )
        self._unspoken.append(token)
        # Early, so that a request never leaves with a token that dies on the way; but a short-lived token is used too.
        self._renew_at = time.time() + lifetime - min(_LEEWAY_SECONDS, 0.1 * lifetime)
        return token

    def _send(self, method: str, url: str, what: str, **kwargs: Any) -> requests.Response:
        for attempt in range(self._retry.tries):
            response, broken, final = None, "", attempt + 1 == self._retry.tries
            try:
                response = self._http.request(method, url, allow_redirects=False, **kwargs)
                broken = f"the service answered {response.status_code}"
            except requests.RequestException as error:
                broken, status = in_words(error), error.status if isinstance(error, NotTaken) else None
                final = final or not is_passing(error)
            if response is not None and response.status_code not in RETRIED:
                return response
            if final:
                break
            wait = self._retry.wait(attempt, None if response is None else seconds_asked(response.headers))
            if self.on_wait is not None:
                self.on_wait(f"{broken}; trying again in {wait:.0f} s")
            self._sleep(wait)
        if response is not None:
            return response
        # Raised outside the handler: the library's exception carries the request, and with it the secret.
        kind = Unreachable if status is None else ApiError
        tried = f"{method} {what} on {urlsplit(url).netloc}: {broken} (try {attempt + 1} of {self._retry.tries})"
        raise kind(f"{tried}. Check the address and the network.", status=status, path=what)

    def _refusal(self, response: requests.Response, method: str, path: str) -> TpAnalyticsError:
        status = response.status_code
        title, description = error_text(response)
        request_id = self._redact(response.headers.get("X-Request-ID", ""))[:80] or None
        message = f"{method} {path}: the service answered {status}: {self._said(response)}"
        if request_id:
            message += f" (request {request_id})"
        details: dict[str, Any] = {
            "status": status,
            "path": path,
            "title": self._redact(title) if title else None,
            "description": self._redact(description) if description else None,
            "request_id": request_id,
        }
        if status == 429:
            asked = seconds_asked(response.headers)
            wish = f"it asks to wait {asked:.0f} s" if asked is not None else "it does not say how long to wait"
            limited = RateLimited(f"{message}; {wish}. Tried {self._retry.tries} times.", **details)
            limited.retry_after_seconds = asked
            return limited
        if 300 <= status < 400:
            return ApiError(
                f"{method} {path}: the service redirects to {self._redact(host_named(response))} ({status}); "
                "the token is not sent there. Check base_url.",
                **details,
            )
        tried = f". Tried {self._retry.tries} times" if status in RETRIED else ""
        return ApiError(f"{message}{tried}.", **details)

    def _said(self, response: requests.Response) -> str:
        title, description = error_text(response)
        if title or description:
            return self._redact(": ".join(part for part in (title, description) if part))[:300].rstrip(".")
        return repr(self._redact(response.text).strip()[:200]) if response.content else "(empty body)"

    def _redact(self, text: str) -> str:
        for secret in (self.settings.client_secret, *self._unspoken):
            text = traces(secret.reveal()).sub("***", text)
        return text


def connect(
    *,
    base_url: str | None = None,
    token_url: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    audience: str | None = None,
    tenant: str | None = None,
    api_version: str | None = None,
    retry: RetryPolicy | None = None,
    limits: Limits | None = None,
) -> Client:
    """Connect to a tenant; the token is fetched with the first request.

    What is not given is read from the environment variable ``TPANALYTICS_…``, then from ``.env`` in the working
    directory, then from the system's keyring (service ``tpanalytics``) where the package keyring is installed.

    Parameters
    ----------
    base_url
        Address of the tenant's API, like ``https://northwind.eu3.techwolf.ai``.
    token_url
        Address of the token endpoint.
    client_id, client_secret
        The API credential. Better kept out of notebooks: use the environment, ``.env`` or the keyring.
    audience
        Audience of the token, like ``eu3.techwolf.ai``.
    tenant
        Name of the tenant.
    api_version
        Version to ask for, ``YYYY-MM-DD``; by default the one the tenant is pinned to.
    retry, limits
        How often and how long to try again, and how long and large an answer may be; by default 5 tries, waits up to
        60 seconds, or up to 300 where the service asks for it, answers of 600 seconds and 256 MiB.

    Returns
    -------
    Client
        For `load_task_profiles`.

    Raises
    ------
    ConfigError
        If a setting is missing, or is no safe address; says which and where it may be put.

    Examples
    --------
    >>> client = connect(
    ...     base_url="https://northwind.eu3.techwolf.ai",
    ...     token_url="https://techwolf.eu.auth0.com/oauth/token",
    ...     client_id="cid-7f3a",
    ...     client_secret="not-a-real-secret",
    ...     audience="eu3.techwolf.ai",
    ...     tenant="northwind",
    ... )
    >>> client
    Client(tenant='northwind', base_url='https://northwind.eu3.techwolf.ai')
    """
    secret = None if client_secret is None else Secret(client_secret)
    del client_secret
    arguments = {
        "base_url": base_url,
        "token_url": token_url,
        "client_id": client_id,
        "client_secret": secret,
        "audience": audience,
        "tenant": tenant,
        "api_version": api_version,
    }
    return Client(resolve(arguments), retry=retry, limits=limits)


def _signed_with(token: Secret) -> OAuth2:
    # Only the type and the token: oauthlib would compare an expiry of its own with a clock of its own.
    signed = {"token_type": "Bearer", "access_token": token.reveal()}
    return OAuth2(client=BackendApplicationClient(""), token=signed)


def _asking_for_token(settings: Settings) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Write the body of the request for a token at the last moment, out of sight of everything above."""

    def write(request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.reveal(),
            "audience": settings.audience,
            "grant_type": "client_credentials",
            "tenant": settings.tenant,
        }
        request.prepare_body(json.dumps(body).encode(), None)
        request.headers["Content-Type"] = "application/json"
        return request

    return write


def _token_in(response: requests.Response) -> tuple[Secret, float]:
    """Read the token and its lifetime in seconds; without one, or with 0, it is used until it is refused."""
    said = dict(BackendApplicationClient("").parse_request_body_response(response.text))
    lifetime = said.get("expires_in")
    return Secret(said["access_token"]), float(lifetime) if lifetime else float("inf")
