"""Where a token comes from and how long it is kept: one for all threads, and through a file one for all processes.

The file is a convenience: if anything is wrong with it or its folder, a token is fetched instead. Time is the local
clock's, counted from the receipt of a token, so that a clock that differs from the service's does not matter.
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
from tpanalytics.api.http.retry import RETRIED
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
_CLOCK_SECONDS = 300.0  # by so much may the clocks of two machines differ that share a home folder
_LOCK_SECONDS = 60.0
_MOST_BYTES = 1 << 16
_ROUNDS = 100_000
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300
_BEFORE_SECONDS = 60  # an assertion counts from so much earlier, for the endpoint's clock may be behind ours
_LEAST_BITS = 2048


@dataclass(frozen=True)
class _HeldToken:
    """A token and its times by the local clock; without a lifetime it is used until it is refused."""

    token: Secret
    received_at: float
    lifetime: float = math.inf

    def is_good(self) -> bool:
        # Early, so that a request never leaves with a token that dies on the way; but a short-lived token is used too.
        early = min(_LEEWAY_SECONDS, 0.1 * self.lifetime)
        return time.time() < self.received_at + self.lifetime - early


class Tokens:
    """The tokens of one credential; safe to share between threads.

    Parameters
    ----------
    settings
        The credential, and what the token is for.
    sender
        Sends the request to the token endpoint, and keeps every token out of messages.
    cache
        Whether to share tokens with other processes through files; a path names the folder. See `connect`.

    Attributes
    ----------
    fetched
        How many tokens the endpoint was asked for.
    """

    def __init__(self, settings: Settings, sender: Sender, *, cache: bool | str | Path = True) -> None:
        self.fetched = 0
        self._settings = settings
        self._sender = sender
        self._lock = threading.Lock()
        self._held: _HeldToken | None = None
        self._refused = deque[str](maxlen=16)  # digests: the file may still hold them where it cannot be changed
        self._key = None if settings.private_key is None else _signing_key(settings.private_key)
        folder = _cache_folder(cache, settings.token_url)
        self._file = None if folder is None else _TokenFile(folder, settings)

    def get(self, on_wait: Callable[[str], None] | None = None) -> Secret:
        """Return a token that is valid now; all threads that wait for one get the same."""
        with self._lock:
            if self._held is None or not self._held.is_good():
                self._held = self._kept() or self._renewed(on_wait)
            return self._held.token

    def forget(self, token: Secret) -> None:
        """Drop a token that was refused, from the file as well; one that took its place meanwhile stays."""
        with self._lock:
            self._refused.append(_digest(token))
            if self._held is not None and _digest(self._held.token) == _digest(token):
                self._held = None
            if self._file is not None:
                self._file.drop(token)

    def clear(self) -> None:
        """Forget the token in memory; the file keeps it for the next process."""
        self._held = None

    def _kept(self) -> _HeldToken | None:
        """Return the token another process has left, if it is still valid."""
        held = None if self._file is None else self._file.read()
        if held is None or not held.is_good() or _digest(held.token) in self._refused:
            return None
        self._sender.hide(held.token)
        return held

    def _renewed(self, on_wait: Callable[[str], None] | None) -> _HeldToken:
        if self._file is None:
            return self._fetch(on_wait)
        with self._file.locked():  # who waited here finds the token of the one who did not
            held = self._kept()
            if held is None:
                held = self._fetch(on_wait)
                self._file.write(held)
            return held

    def _fetch(self, on_wait: Callable[[str], None] | None) -> _HeldToken:
        settings = self._settings
        response = self._sender.send("POST", settings.token_url, _ENDPOINT, on_wait=on_wait, auth=self._asking)
        self.fetched += 1
        if response.status_code in RETRIED:
            raise self._sender.refusal(response, "POST", _ENDPOINT)
        host = urlsplit(settings.token_url).hostname
        if response.status_code != 200:
            raise AuthError(
                f"The token endpoint at {host} refused ({response.status_code}): {self._sender.quote(response)}. "
                + (
                    "Check client_id, client_secret, audience and tenant."
                    if self._key is None
                    else "Check client_id, the private key and its key_id, audience, tenant, and this machine's clock: "
                    "what is signed is good for a few minutes only."
                )
            )
        why = None
        try:
            held = _token_in(response)
            if not _fits_a_header(held.token.reveal()):
                why = "its access_token cannot stand in a header"
            elif held.lifetime <= 0:
                why = "its access_token has expired already"
        except OAuth2Error as error:
            why = self._sender.redact(str(error.description or error.error))[:200].rstrip(".")
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, Warning):
            why = "it holds no usable access_token"
        if why is not None:
            raise AuthError(
                f"The token endpoint at {host} answered 200 without a token: {why}; "
                f"the body is {self._sender.redact(outline(response))}. Check token_url."
            )
        self._sender.hide(held.token)
        return held

    def _asking(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Write the body of one try at the last moment, out of sight of everything above."""
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
        """Sign that we are who we say; each is good for one try."""
        import jwt

        settings, now = self._settings, int(time.time())
        claims = {
            "iss": settings.client_id,
            "sub": settings.client_id,
            "aud": settings.token_url,
            "iat": now - _BEFORE_SECONDS,
            "exp": now + _ASSERTION_SECONDS - _BEFORE_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        headers = {"kid": settings.key_id} if settings.key_id else None
        signed = Secret(jwt.encode(claims, key, algorithm="RS256", headers=headers))
        self._sender.hide(signed)
        return signed


class _TokenFile:
    """The file in which processes of one user share the tokens of one credential; nothing here raises an OSError.

    Its name changes with whatever the token depends on, the secret too: a wrong secret finds nothing. The name tells
    none of it.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._known: Path | None = None

    @property
    def _path(self) -> Path:
        if self._known is None:  # made on first use, for it is slow on purpose
            self._known = self._folder / f"{_key(self._settings)}.json"
        return self._known

    def read(self) -> _HeldToken | None:
        """Return what another process has left, if the file is private and complete."""
        raw = b""
        with suppress(OSError):
            # Neither through a link nor from a pipe, and from no other user's file.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            with open(os.open(self._path, flags), "rb") as file:  # noqa: PTH123  a descriptor
                if _is_private(os.fstat(file.fileno())):
                    raw = file.read(_MOST_BYTES)
        return _parsed(raw)

    def write(self, held: _HeldToken) -> None:
        """Leave a token for other processes, unless its lifetime is unknown."""
        if not math.isfinite(held.lifetime) or not self._folder_is_safe():
            return
        with suppress(OSError), atomic_write(self._path) as draft:
            # Private from the start: a file made readable and changed later was readable for a moment.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123  a descriptor
                json.dump(
                    {
                        "access_token": held.token.reveal(),
                        "received_at": held.received_at,
                        "expires_at": held.received_at + held.lifetime,
                    },
                    file,
                )

    def drop(self, token: Secret) -> None:
        """Remove the file if it still holds this token."""
        kept = self.read()
        if kept is None or _digest(kept.token) != _digest(token):
            return
        with self.locked():
            kept = self.read()
            if kept is not None and _digest(kept.token) == _digest(token):
                with suppress(OSError):
                    self._path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, as far as that can be had: who waits too long, or cannot lock, goes on without."""
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
        """Make the folder if need be, and return whether this user alone can put files or links there."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.stat()
        except OSError:
            return False
        return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH)


def _cache_folder(cache: bool | str | Path, token_url: str) -> Path | None:  # noqa: FBT001  a path as well
    if cache is False:
        return None
    if cache is True:
        named = os.environ.get("TPANALYTICS_TOKEN_CACHE", "").strip()
        if not named:
            if is_loopback(token_url):
                return None
            import platformdirs

            folder = Path(platformdirs.user_cache_dir("tpanalytics")) / "tokens"
            return folder if folder.is_absolute() else None  # there are users without a home
        cache = named
    if not isinstance(cache, (str, Path)) or not str(cache).strip():
        raise ConfigError(f"token_cache={cache!r} is neither True nor False nor the path of a folder.")
    return Path(os.path.expanduser(cache)).absolute()  # noqa: PTH111  Path's own fails for users without a home


def _key(settings: Settings) -> str:
    public = [settings.token_url, settings.client_id, settings.audience, settings.tenant]
    salt = json.dumps([*public, []]).encode()  # the list: sorted scopes, of which none are asked for by name
    # Slow and salted, so that the name of a file does not help to guess a secret.
    secret = settings.client_secret or settings.private_key or Secret("")
    digest = hashlib.pbkdf2_hmac("sha256", secret.reveal().encode("utf-8", "surrogatepass"), salt, _ROUNDS)
    return hashlib.sha256(salt + digest).hexdigest()


def _is_private(found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)


def _parsed(raw: bytes) -> _HeldToken | None:
    """Read the content of a token file, which may be anything."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        entry = json.loads(raw)
        received_at, expires_at = float(entry["received_at"]), float(entry["expires_at"])
        held = _HeldToken(Secret(entry["access_token"]), received_at, expires_at - received_at)
        usable = _fits_a_header(held.token.reveal()) and math.isfinite(received_at) and 0 < held.lifetime < math.inf
        if usable and received_at <= time.time() + _CLOCK_SECONDS:
            return held
    return None


def _token_in(response: requests.Response) -> _HeldToken:
    """Read the token and its lifetime in seconds; without one, or with 0, it is used until it is refused."""
    answer = dict(BackendApplicationClient("").parse_request_body_response(response.text))
    lifetime = answer.get("expires_in")
    return _HeldToken(Secret(answer["access_token"]), time.time(), float(lifetime) if lifetime else math.inf)


def _fits_a_header(token: str) -> bool:
    return re.fullmatch(r"[!-~]+", token) is not None


def _digest(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def _signing_key(pem: Secret) -> RSAPrivateKey:
    """Read the private key; what the libraries say of a wrong one is not passed on, for it may hold parts of it."""
    try:
        import jwt  # noqa: F401  needed later, and missed now
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ConfigError(
            'To sign in with a private key two packages are missing: pip install "tpanalytics[jwt]".'
        ) from None
    why = "is no private key in PEM form"
    try:
        # In a variable or on one line of a file, line breaks are often written as \\n.
        key = load_pem_private_key(pem.reveal().replace("\\n", "\n").encode(), None)
        if not isinstance(key, RSAPrivateKey):
            why = "is no RSA key"
        elif key.key_size < _LEAST_BITS:
            why = f"is too short: {key.key_size} bits, where {_LEAST_BITS} are needed"
        else:
            return key
    except TypeError:
        why = "is encrypted"
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise ConfigError(
        f"The private key {why}. Give an unencrypted RSA key, from -----BEGIN to the end of the last line, as "
        "private_key (TPANALYTICS_PRIVATE_KEY) or in the file private_key_file (TPANALYTICS_PRIVATE_KEY_FILE)."
    )
