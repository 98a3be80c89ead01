"""A signed-in connection to one tenant: requests that only read, signed, and secrets that never get out.

The token is signed onto a request by `requests_oauthlib.OAuth2` at the last moment, not by `OAuth2Session`: that class
writes token and secret to the debug log and cannot renew a client-credentials token. Plain http to this machine (the
embedded tenant) needs no process-wide switch here: the library sees https, and an adapter mounted on that one address
speaks http.
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
from tpanalytics.api.http.transport import origin, plain_session
from tpanalytics.api.settings import Secret, Settings, resolve
from tpanalytics.api.tokens import Tokens
from tpanalytics.errors import ApiError, AuthError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Client", "RetryPolicy", "connect"]


class Client:
    """A connection to one tenant; made by `connect`, safe to share between threads.

    Attributes
    ----------
    settings
        The settings in force; the secret prints as ``***``.
    on_wait
        Told why, before each wait of a request that brings no listener of its own.
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
        self._http = plain_session((settings.base_url, settings.token_url), limits or Limits())
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
        """How many tokens the token endpoint was asked for; one found in the cache is not counted."""
        return self._tokens.fetched

    def close(self) -> None:
        """Close the connections and forget the token; a token in the cache stays there for the next process."""
        self._http.close()
        self._tokens.clear()

    def sign_in(self) -> None:
        """Get a token now, if there is none that is still good.

        Raises
        ------
        AuthError, ApiError
            If there is none to be had.
        """
        self._tokens.get(self.on_wait)

    def version(self) -> str | None:
        """Ask which version of the API the tenant is pinned to; None where it does not say."""
        try:
            answer = json.loads(self.request("GET", "/version"))
        except ApiError as error:
            if error.status in {404, 405}:
                return None
            raise
        except (ValueError, RecursionError):
            return None
        version = answer.get("version") if isinstance(answer, dict) else None
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
        """Send a request that only reads, signed, and return the body of the answer.

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
        on_request_sent
            Called each time the request, which needs a body, has left and its answer is to be waited for.
        on_wait
            Told why, before each wait; by default the client's own.
        optional
            Try once and give up after 10 seconds of silence, for what can be done without.

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
        on_wait = on_wait or self.on_wait
        for last in (False, True):
            token = self._tokens.get(on_wait)  # a Secret: tracebacks with local variables end up in notebooks
            response = self._sender.send(
                method,
                url,
                path,
                on_request_sent=on_request_sent,
                on_wait=on_wait,
                optional=optional,
                json=None if body is None else dict(body),
                params=list(query),
                auth=_signed_with(token),
            )
            if response.status_code != 401:
                break
            self._tokens.forget(token)
            if last:
                raise AuthError(
                    f"{method} {path}: the service refused a fresh token (401): {self._sender.quote(response)}. "
                    "Check audience, tenant and the credential's rights."
                )
        if response.status_code == 403:
            raise AuthError(
                f"{method} {path}: the credential may not do this (403): {self._sender.quote(response)}. "
                "Ask for a credential with the scope 'read' on this tenant."
            )
        if response.status_code != 200:
            raise self._sender.refusal(response, method, path)
        return response.content

    def not_understood(self, method: str, path: str, body: bytes, why: str) -> ApiError:
        """Return the error for an answer 200 that is not what was asked for; quotes its beginning, without secrets."""
        start = self._sender.redact(body[:4000].decode("utf-8", "replace")).strip()[:200]
        quoted = f" It begins: {start!r}." if start[:1] not in {"{", "["} else ""  # a record's text is not quoted
        return ApiError(
            f"{method} {path}: the service answered 200, but its body is {why}.{quoted} "
            "Check base_url; a gateway or login page may stand in between.",
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
    private_key, private_key_file, key_id
        In place of `client_secret`, where the credential has a key: its private half (RSA, unencrypted) as PEM text or
        as the path of a file, and its id if the tenant wants one. Needs ``pip install "tpanalytics[jwt]"``.
    api_version
        Version to ask for, ``YYYY-MM-DD``; by default the one the tenant is pinned to.
    retry, limits
        How often and how long to try again, and how long and large an answer may be; by default 5 tries, waits up to
        60 seconds, or up to 300 where the service asks for it, answers of 600 seconds and 256 MiB.
    token_cache
        Whether a token is kept in a file that only you can read and shared by all your processes until shortly before
        it expires, since their number is limited. The file lies in the folder of the environment variable
        ``TPANALYTICS_TOKEN_CACHE``, otherwise in your user cache folder; a path names another folder. In the user
        cache folder tokens of this machine (the embedded tenant) are not kept: they die with the process that issued
        them. False keeps the token in memory alone.

    Returns
    -------
    Client
        For `load_task_profiles`.

    Raises
    ------
    ConfigError
        If a setting is missing, contradicts another, or is no safe address, or the private key cannot be used; says
        which and where it may be put.

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
    key_file = None if private_key_file is None else Secret(str(private_key_file))  # or the key itself, by mistake
    del client_secret, private_key, private_key_file  # tracebacks with local variables end up in notebooks
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


def _signed_with(token: Secret) -> OAuth2:
    # Only the type and the token: oauthlib would compare an expiry of its own with a clock of its own.
    signed = {"token_type": "Bearer", "access_token": token.reveal()}
    return OAuth2(client=BackendApplicationClient(""), token=signed)
