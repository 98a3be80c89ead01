"""Authenticated client for a tenant.

We don't use `OAuth2Session`. It writes the token and the secret to the debug log and can't renew client-credentials
tokens. `requests_oauthlib.OAuth2` adds the token to each request instead. The demo server uses plain http, but doesn't
need ``OAUTHLIB_INSECURE_TRANSPORT``, since oauthlib is passed an https URL (see `as_https`).
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
    """A thread-safe client for a tenant, as returned by `connect`.

    Attributes
    ----------
    settings
        The tenant settings. The secret is displayed as ``***``.
    on_wait
        The default callback, called with the reason before each wait.
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
        """The number of tokens requested from the token endpoint, excluding cached tokens."""
        return self._tokens.fetched

    def close(self) -> None:
        """Close all connections and discard the token in memory. The token cache file is not deleted."""
        self._http.close()
        self._tokens.clear()

    def sign_in(self) -> None:
        """Request a token, unless a valid token is already available.

        Raises
        ------
        AuthError, ApiError
            If the token endpoint returns an error or can't be reached.
        """
        self._tokens.get(self.on_wait)

    def version(self) -> str | None:
        """Return the tenant's API version, or None if the service doesn't report it."""
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
        """Send an authenticated request and return the response body.

        Requests are retried on a 429 or 5xx response and on connection errors. On a 401 response, they are retried once
        with a new token. Only use this method for requests that do not modify data.

        Parameters
        ----------
        method
            Either ``GET`` or ``POST``.
        path
            A path on the tenant, starting with ``/``.
        body
            The JSON request body.
        query
            The query parameters. Names can be repeated.
        on_request_sent
            A callback for every attempt, called once the request body has been sent.
        on_wait
            A callback that receives the reason before each wait. Defaults to the client's own callback.
        optional
            If True, do not retry, and give up after 10 seconds without data.

        Raises
        ------
        AuthError
            If no token is available, or if the service rejects a new token (401) or denies access (403).
        RateLimited, Unreachable, ApiError
            If the service returns any other error, or can't be reached.
        ConfigError
            If `path` is not on the tenant's host.
        """
        url = self.settings.base_url + path
        if not path.startswith("/") or origin(url) != origin(self.settings.base_url):
            raise ConfigError(f"`path` must start with '/' and be on the tenant's host, not {path!r}.")
        on_wait = on_wait or self.on_wait
        for last in (False, True):
            token = self._tokens.get(on_wait)  # a Secret, as tracebacks can include local variables
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
            denied = AuthError(
                f"{method} {path}: access denied (403): {self._sender.quote(response)}. "
                "Use a credential with the scope 'read' on this tenant."
            )
            denied.status = 403
            raise denied
        if response.status_code != 200:
            raise self._sender.refusal(response, method, path)
        return response.content

    def not_understood(self, method: str, path: str, body: bytes, reason: str) -> ApiError:
        """Return an error for a 200 response with an unexpected body."""
        start = self._sender.redact(body[:4000].decode("utf-8", "replace")).strip()[:200]
        excerpt = f" ({start!r}…)" if start[:1] not in {"{", "[", ""} else ""  # don't quote records
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

    Settings that are not passed as arguments are read from environment variables, from a ``.env`` file in the working
    directory, or from the system keyring (service ``tpanalytics``, if the keyring package is installed), in that order.
    For example, the environment variable for `base_url` is ``TPANALYTICS_BASE_URL``. No token is requested until the
    first request.

    Parameters
    ----------
    base_url
        The base URL of the tenant's API, e.g. ``https://northwind.eu3.techwolf.ai``.
    token_url
        The token endpoint URL.
    client_id, client_secret
        The API credentials. Do not store these in a notebook. Use the environment, ``.env`` or the keyring instead.
    audience
        The token audience, e.g. ``eu3.techwolf.ai``.
    tenant
        The tenant name.
    private_key, private_key_file, key_id
        An unencrypted RSA private key to use instead of `client_secret`, either as PEM text or as the path to a PEM
        file. Also pass the key id if the tenant requires one. Requires ``pip install "tpanalytics[jwt]"``.
    api_version
        The API version to request, as ``YYYY-MM-DD``. Defaults to the version configured for the tenant.
    retry, limits
        The retry policy and the response limits. By default, there are up to 5 attempts per request, with waits of up
        to 60 seconds (or 300 if requested by the service). A response can take up to 600 seconds and be up to 256 MiB.
    token_cache
        The number of tokens is limited. If True, processes share the token until shortly before it expires. The
        token is kept in a file that only you can read. The folder is set by the ``TPANALYTICS_TOKEN_CACHE`` environment
        variable, and defaults to your user cache folder. Pass a path to use another folder. Demo server tokens are not
        written to the user cache folder. If False, the token is only kept in memory.

    Returns
    -------
    Client
        A client that can be passed to `load_task_profiles`.

    Raises
    ------
    ConfigError
        If a setting is missing, invalid or conflicts with another setting, or if the private key can't be used.

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
    key_file = None if private_key_file is None else Secret(str(private_key_file))  # might be the key by mistake
    del client_secret, private_key, private_key_file  # tracebacks can include local variables
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
    # Omit the expiry time. `Tokens` already checks it, and oauthlib would check it again.
    fields = {"token_type": "Bearer", "access_token": token.reveal()}
    return OAuth2(client=BackendApplicationClient(""), token=fields)
