"""Access tokens. Threads share a token in memory, and processes share it through a cache file.

If the cache file can't be used, a new token is requested. Expiry is measured on the local clock from when the token
arrives, so the server's clock doesn't matter.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import stat
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from tpanalytics._atomic import atomic_write
from tpanalytics.api.http.refusals import outline
from tpanalytics.api.http.retry import RETRY_STATUSES
from tpanalytics.api.settings import Secret, Settings, is_loopback
from tpanalytics.errors import AuthError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tpanalytics.api.http.sender import Sender

__all__ = ["Tokens"]

_ENDPOINT = "the token endpoint"
_LEEWAY_SECONDS = 60.0
_CLOCK_SKEW_SECONDS = 300.0  # allowed between machines that share a home folder
_LOCK_SECONDS = 60.0
_MAX_BYTES = 1 << 16
_ITERATIONS = 100_000
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300
_BACKDATE_SECONDS = 60  # backdate assertions in case the endpoint's clock is behind
_MIN_KEY_BITS = 2048


@dataclass(frozen=True)
class _CachedToken:
    """A token, the local time it was received and the lifetime in seconds (infinite if unknown)."""

    token: Secret
    received_at: float
    lifetime: float = math.inf

    def is_valid(self) -> bool:
        # Renew tokens early, so they don't expire during a request. Use a smaller margin for short-lived tokens.
        margin = min(_LEEWAY_SECONDS, 0.1 * self.lifetime)
        return time.time() < self.received_at + self.lifetime - margin


class Tokens:
    """A thread-safe source of access tokens for a single credential."""

    def __init__(self, settings: Settings, sender: Sender, *, cache: bool | str | Path = True) -> None:
        self.fetched = 0
        self._settings = settings
        self._sender = sender
        self._lock = threading.Lock()
        self._current: _CachedToken | None = None
        self._rejected = deque[str](maxlen=16)  # digests; a read-only cache file may still contain rejected tokens
        self._key = None if settings.private_key is None else _signing_key(settings.private_key)
        folder = _cache_folder(cache, settings.token_url)
        self._file = None if folder is None else _TokenFile(folder, settings)

    def get(self, on_wait: Callable[[str], None] | None = None) -> Secret:
        """Return a valid token. Threads waiting for a new token all get the same one."""
        with self._lock:
            if self._current is None or not self._current.is_valid():
                self._current = self._read_cache() or self._renew(on_wait)
            return self._current.token

    def forget(self, token: Secret) -> None:
        """Discard a rejected token, both in memory and in the cache file. Newer tokens are not affected."""
        with self._lock:
            self._rejected.append(_digest(token))
            if self._current is not None and _digest(self._current.token) == _digest(token):
                self._current = None
            if self._file is not None:
                self._file.delete(token)

    def clear(self) -> None:
        """Discard the token in memory. The cache file is not deleted."""
        self._current = None

    def _read_cache(self) -> _CachedToken | None:
        """Return the token from the cache file if it is still valid."""
        cached = None if self._file is None else self._file.read()
        if cached is None or not cached.is_valid() or _digest(cached.token) in self._rejected:
            return None
        self._sender.hide(cached.token)
        return cached

    def _renew(self, on_wait: Callable[[str], None] | None) -> _CachedToken:
        if self._file is None:
            return self._fetch(on_wait)
        with self._file.locked():  # another process may have written a token while we waited for the lock
            cached = self._read_cache()
            if cached is None:
                cached = self._fetch(on_wait)
                self._file.write(cached)
            return cached

    def _fetch(self, on_wait: Callable[[str], None] | None) -> _CachedToken:
        settings = self._settings
        response = self._sender.send("POST", settings.token_url, _ENDPOINT, on_wait=on_wait, auth=self._add_body)
        self.fetched += 1
        if response.status_code in RETRY_STATUSES:
            raise self._sender.refusal(response, "POST", _ENDPOINT, may_have_token=True)
        host = urlsplit(settings.token_url).hostname
        if response.status_code != 200:
            quoted = self._sender.quote(response, may_have_token=True)
            raise AuthError(
                f"The token endpoint at {host} returned {response.status_code}: {quoted}. "
                + (
                    "Check `client_id`, `client_secret`, `audience` and `tenant`."
                    if self._key is None
                    else "Check `client_id`, the private key, `key_id`, `audience`, `tenant` and this machine's clock "
                    "(signatures expire after a few minutes)."
                )
            )
        problem = None
        try:
            received = _parse_response(response)
            if not _is_header_safe(received.token.reveal()):
                problem = "access_token contains characters that are not allowed in a header"
            elif received.lifetime <= 0:
                problem = "access_token has already expired"
        except OAuth2Error as error:
            problem = self._sender.redact(str(error.description or error.error))[:200].rstrip(".")
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, Warning):
            problem = "no usable access_token"
        if problem is not None:
            raise AuthError(
                f"The token endpoint at {host} returned 200 without a valid token ({problem}). "
                f"Check `token_url`; the body is {self._sender.redact(outline(response))}."
            )
        self._sender.hide(received.token)
        return received

    def _add_body(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the body just before sending, so that no other object holds the secret."""
        settings = self._settings
        body = {"client_id": settings.client_id}
        if settings.client_secret is not None:
            body["client_secret"] = settings.client_secret.reveal()
        if self._key is not None:
            body["client_assertion_type"] = _ASSERTION_TYPE
            body["client_assertion"] = self._assertion(self._key).reveal()
        body |= {"audience": settings.audience, "grant_type": "client_credentials", "tenant": settings.tenant}
        request.prepare_body(json.dumps(body).encode(), None)
        request.headers["Content-Type"] = "application/json"
        return request

    def _assertion(self, key: RSAPrivateKey) -> Secret:
        """Return a signed JWT assertion (RFC 7523) for use in a single attempt."""
        import jwt

        settings, now = self._settings, int(time.time())
        claims = {
            "iss": settings.client_id,
            "sub": settings.client_id,
            "aud": settings.token_url,
            "iat": now - _BACKDATE_SECONDS,
            "exp": now + _ASSERTION_SECONDS - _BACKDATE_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        headers = {"kid": settings.key_id} if settings.key_id else None
        signed = Secret(jwt.encode(claims, key, algorithm="RS256", headers=headers))
        self._sender.hide(signed)
        return signed


class _TokenFile:
    """A file for sharing a token between a user's processes. Methods never raise an `OSError`.

    The file name is a hash of the settings and the secret, so a new secret never matches an old file.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._cached_path: Path | None = None

    @property
    def _path(self) -> Path:
        if self._cached_path is None:  # the hash is slow by design, so only compute it when needed
            self._cached_path = self._folder / f"{_cache_key(self._settings)}.json"
        return self._cached_path

    def read(self) -> _CachedToken | None:
        """Return the token from the file, if the file is private and complete."""
        raw = b""
        with suppress(OSError):
            # Don't follow symlinks, block on pipes or read files owned by other users.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            with open(os.open(self._path, flags), "rb") as file:  # noqa: PTH123  a descriptor
                if _is_private(os.fstat(file.fileno())):
                    raw = file.read(_MAX_BYTES)
        return _parse_entry(raw)

    def write(self, token: _CachedToken) -> None:
        """Write the token to the file. Tokens with an unknown lifetime are not saved."""
        if not math.isfinite(token.lifetime) or not self._folder_is_safe():
            return
        with suppress(OSError), atomic_write(self._path) as draft:
            # Set the permissions on creation. Otherwise, the file would briefly be readable.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123  a descriptor
                json.dump(
                    {
                        "access_token": token.token.reveal(),
                        "received_at": token.received_at,
                        "expires_at": token.received_at + token.lifetime,
                    },
                    file,
                )

    def delete(self, token: Secret) -> None:
        """Delete the file if it still contains the given token."""
        cached = self.read()
        if cached is None or _digest(cached.token) != _digest(token):
            return
        with self.locked():
            cached = self.read()
            if cached is not None and _digest(cached.token) == _digest(token):
                with suppress(OSError):
                    self._path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the file. If locking fails or times out, continue without a lock."""
        lock = None
        if self._folder_is_safe():
            from filelock import FileLock

            lock = FileLock(self._path.with_suffix(".lock"), mode=0o600)
            try:
                lock.acquire(timeout=_LOCK_SECONDS)
            except (OSError, NotImplementedError):
                lock = None
        try:
            yield
        finally:
            if lock is not None:
                with suppress(OSError):
                    lock.release()

    def _folder_is_safe(self) -> bool:
        """Create the folder if needed, and return `True` unless other users can write to it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._folder.stat()
        except OSError:
            return False
        return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH)


def _cache_folder(cache: bool | str | Path, token_url: str) -> Path | None:  # noqa: FBT001  a path as well
    if cache is False:
        return None
    if cache is True:
        configured = os.environ.get("TPANALYTICS_TOKEN_CACHE", "").strip()
        if not configured:
            if is_loopback(token_url):
                return None
            import platformdirs

            folder = Path(platformdirs.user_cache_dir("tpanalytics")) / "tokens"
            return folder if folder.is_absolute() else None  # some users don't have a home folder
        cache = configured
    if not isinstance(cache, (str, Path)) or not str(cache).strip():
        raise ConfigError(f"`token_cache` must be True, False or the path of a folder, not {cache!r}.")
    return Path(os.path.expanduser(cache)).absolute()  # noqa: PTH111  Path.expanduser fails without a home folder


def _cache_key(settings: Settings) -> str:
    public = [settings.token_url, settings.client_id, settings.audience, settings.tenant]
    salt = json.dumps([*public, []]).encode()  # the empty list represents the scopes
    # Use a slow, salted hash, so the secret can't be guessed from the file name.
    secret = settings.client_secret or settings.private_key or Secret("")
    digest = hashlib.pbkdf2_hmac("sha256", secret.reveal().encode("utf-8", "surrogatepass"), salt, _ITERATIONS)
    return hashlib.sha256(salt + digest).hexdigest()


def _is_private(status: os.stat_result) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)


def _parse_entry(raw: bytes) -> _CachedToken | None:
    """Parse the contents of a cache file. Returns None if they are invalid."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        entry = json.loads(raw)
        received_at, expires_at = float(entry["received_at"]), float(entry["expires_at"])
        token = _CachedToken(Secret(entry["access_token"]), received_at, expires_at - received_at)
        usable = _is_header_safe(token.token.reveal()) and math.isfinite(received_at) and 0 < token.lifetime < math.inf
        if usable and received_at <= time.time() + _CLOCK_SKEW_SECONDS:
            return token
    return None


def _parse_response(response: requests.Response) -> _CachedToken:
    """Return the token in a response. The lifetime is infinite if ``expires_in`` is missing or 0."""
    body = dict(BackendApplicationClient("").parse_request_body_response(response.text))
    lifetime = body.get("expires_in")
    return _CachedToken(Secret(body["access_token"]), time.time(), float(lifetime) if lifetime else math.inf)


def _is_header_safe(token: str) -> bool:
    return re.fullmatch(r"[!-~]+", token) is not None


def _digest(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def _signing_key(pem: Secret) -> RSAPrivateKey:
    """Load the private key. Library errors may contain parts of the key, so they aren't quoted."""
    try:
        import jwt  # noqa: F401  fail early if it isn't installed
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigError(
            'Signing in with a private key requires optional packages. Run: pip install "tpanalytics[jwt]"'
        ) from None
    problem = "is not in PEM format"
    try:
        # Environment variables and .env files often use a literal \n for line breaks.
        key = load_pem_private_key(pem.reveal().replace("\\n", "\n").encode(), None)
        if not isinstance(key, RSAPrivateKey):
            problem = "is not an RSA key"
        elif key.key_size < _MIN_KEY_BITS:
            problem = f"has only {key.key_size} bits (at least {_MIN_KEY_BITS} are required)"
        else:
            return key
    except TypeError:
        problem = "is encrypted"
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise ConfigError(
        f"The private key {problem}. Pass an unencrypted RSA key, including the BEGIN and END lines, as `private_key` "
        "(TPANALYTICS_PRIVATE_KEY) or the path of its file as `private_key_file` (TPANALYTICS_PRIVATE_KEY_FILE)."
    )
