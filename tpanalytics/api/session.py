"""Authenticated client for a tenant.

`OAuth2Session` is not used because it writes the token and the secret to the debug log and cannot renew
client-credentials tokens. Instead, `requests_oauthlib.OAuth2` adds the token to each request. The demo server uses
plain http without setting ``OAUTHLIB_INSECURE_TRANSPORT``, because oauthlib is given an https URL (see `as_https`).
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Self

from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2

from tpanalytics._version import __version__
from tpanalytics.api.http.body import Limits
from tpanalytics.api.http.retry import RetryPolicy
from tpanalytics.api.http.sender import Sender
from tpanalytics.api.http.transport import create_session, origin
from tpanalytics.api.settings import Secret, Settings, resolve
from tpanalytics.api.tokens import Tokens
from tpanalytics.errors import ApiError, AuthError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Client", "RetryPolicy", "connect"]


class Client:
    """Thread-safe client for a tenant, created by `connect`.

    Attributes
    ----------
    settings
        Settings of the tenant. The secret prints as ``***``.
    on_wait
        Default callback that receives the reason before each wait.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_wait: Callable[[str], None] | None = None,
        token_cache: bool | str | Path = True,
    ) -> None:
        self.settings = settings
        self._http = create_session((settings.base_url, settings.token_url), limits or Limits())
        self._http.headers.update({"Accept": "application/json", "User-Agent": f"tpanalytics/{__version__}"})
        if settings.api_version:
            self._http.headers["X-API-Version"] = settings.api_version
        secrets = [secret for secret in (settings.client_secret, settings.private_key) if secret is not None]
        self._sender = Sender(self._http, retry or RetryPolicy(), sleep, secrets)
        self.on_wait = on_wait
        self._tokens = Tokens(settings, self._sender, cache=token_cache)

    def __repr__(self) -> str:
        return f"Client(tenant={self.settings.tenant!r}, base_url={self.settings.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tokens_fetched(self) -> int:
        """Number of tokens requested from the token endpoint, not counting cached tokens."""
        return self._tokens.fetched

    def close(self) -> None:
        """Close the connections and discard the token in memory. A token in the cache file is kept."""
        self._http.close()
        self._tokens.clear()

    def sign_in(self) -> None:
        """Request a token unless a valid one is available.

        Raises
        ------
        AuthError, ApiError
            If the token endpoint returns an error or cannot be reached.
        """
        self._tokens.get(self.on_wait)

    def version(self) -> str | None:
        """Return the API version of the tenant, or None if the service does not report it."""
        try:
            body = json.loads(self.request("GET", "/version"))
        except ApiError as error:
            if error.status in {404, 405}:
                return None
            raise
        except (ValueError, RecursionError):
            return None
        version = body.get("version") if isinstance(body, dict) else None
        return str(version) if version else None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
        on_request_sent: Callable[[], None] | None = None,
        on_wait: Callable[[str], None] | None = None,
        optional: bool = False,
    ) -> bytes:
        """Send an authenticated request and return the body of the response.

        The request is retried on 429, on 5xx and on connection errors, and once with a new token on 401. Only use it
        for requests that do not change data.

        Parameters
        ----------
        method
            ``GET`` or ``POST``.
        path
            Path on the tenant, starting with ``/``.
        body
            JSON body.
        query
            Query parameters. Names may be repeated.
        on_request_sent
            Callback that is invoked after the body of each attempt was sent.
        on_wait
            Callback that receives the reason before each wait. Defaults to that of the client.
        optional
            If True, do not retry, and wait at most 10 seconds for a response.

        Raises
        ------
        AuthError
            If no token can be obtained, or the service rejects a new token (401) or denies access (403).
        RateLimited, Unreachable, ApiError
            If the service returns another error or cannot be reached.
        ConfigError
            If `path` is not on the tenant's host.
        """
        url = self.settings.base_url + path
        if not path.startswith("/") or origin(url) != origin(self.settings.base_url):
            raise ConfigError(f"`path` must be a path on the tenant's host, not {path!r}.")
        on_wait = on_wait or self.on_wait
        for last in (False, True):
            token = self._tokens.get(on_wait)  # a Secret, because tracebacks may include local variables
            response = self._sender.send(
                method,
                url,
                path,
                on_request_sent=on_request_sent,
                on_wait=on_wait,
                optional=optional,
                json=None if body is None else dict(body),
                params=list(query),
                auth=_bearer_auth(token),
            )
            if response.status_code != 401:
                break
            self._tokens.forget(token)
            if last:
                raise AuthError(
                    f"{method} {path}: the service rejected a new token (401): {self._sender.quote(response)}. "
                    "Check `audience`, `tenant` and the permissions of the credential."
                )
        if response.status_code == 403:
            raise AuthError(
                f"{method} {path}: access denied (403): {self._sender.quote(response)}. "
                "Use a credential with the scope 'read' on this tenant."
            )
        if response.status_code != 200:
            raise self._sender.refusal(response, method, path)
        return response.content

    def not_understood(self, method: str, path: str, body: bytes, reason: str) -> ApiError:
        """Return the error for a response with status 200 and an unexpected body."""
        start = self._sender.redact(body[:4000].decode("utf-8", "replace")).strip()[:200]
        excerpt = f" ({start!r}…)" if start[:1] not in {"{", "[", ""} else ""  # do not quote records
        return ApiError(
            f"{method} {path}: the service returned 200, but the body is {reason}{excerpt}. "
            "Check `base_url`; the response may come from a gateway or login page.",
            status=200,
            path=path,
        )


def connect(
    *,
    base_url: str | None = None,
    token_url: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    audience: str | None = None,
    tenant: str | None = None,
    private_key: str | None = None,
    private_key_file: str | Path | None = None,
    key_id: str | None = None,
    api_version: str | None = None,
    retry: RetryPolicy | None = None,
    limits: Limits | None = None,
    token_cache: bool | str | Path = True,
) -> Client:
    """Return a client for a tenant.

    Settings that are not passed are read from environment variables, then from ``.env`` in the working directory, then
    from the system keyring (service ``tpanalytics``, if the package keyring is installed). The variable of `base_url`
    is ``TPANALYTICS_BASE_URL``, and so on. The token is requested with the first request.

    Parameters
    ----------
    base_url
        URL of the tenant's API, like ``https://northwind.eu3.techwolf.ai``.
    token_url
        URL of the token endpoint.
    client_id, client_secret
        API credential. Do not store it in a notebook; use the environment, ``.env`` or the keyring instead.
    audience
        Audience of the token, like ``eu3.techwolf.ai``.
    tenant
        Name of the tenant.
    private_key, private_key_file, key_id
        Unencrypted RSA private key as PEM text or as the path of a PEM file, and its id if the tenant requires it.
        Use instead of `client_secret`. Requires ``pip install "tpanalytics[jwt]"``.
    api_version
        API version to request, ``YYYY-MM-DD``. Defaults to the version configured for the tenant.
    retry, limits
        Retry policy and response limits. By default a request is attempted 5 times with waits of up to 60 seconds
        (300 if the service requests it), and a response may take 600 seconds and contain 256 MiB.
    token_cache
        If True, share the token between your processes until shortly before it expires, because the number of tokens
        is limited. The token is stored in a file that only you can read, in the folder in the environment variable
        ``TPANALYTICS_TOKEN_CACHE`` or else in your user cache folder, or in the folder passed as a path. Tokens of the
        demo server are not written to the user cache folder. If False, keep the token in memory only.

    Returns
    -------
    Client
        Client to pass to `load_task_profiles`.

    Raises
    ------
    ConfigError
        If a setting is missing, invalid or in conflict with another, or the private key cannot be used.

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
    key = None if private_key is None else Secret(private_key)
    key_file = None if private_key_file is None else Secret(str(private_key_file))  # may be the key by mistake
    del client_secret, private_key, private_key_file  # tracebacks may include local variables
    arguments = {
        "base_url": base_url,
        "token_url": token_url,
        "client_id": client_id,
        "client_secret": secret,
        "audience": audience,
        "tenant": tenant,
        "private_key": key,
        "private_key_file": key_file,
        "key_id": key_id,
        "api_version": api_version,
    }
    return Client(resolve(arguments), retry=retry, limits=limits, token_cache=token_cache)


def _bearer_auth(token: Secret) -> OAuth2:
    # Omit the expiry, because `Tokens` checks it and oauthlib would check it again.
    fields = {"token_type": "Bearer", "access_token": token.reveal()}
    return OAuth2(client=BackendApplicationClient(""), token=fields)
