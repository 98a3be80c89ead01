"""What is needed to reach a tenant, and where each value came from.

Order: arguments, then environment, then ``.env`` in the working directory, then the system's keyring where the
package keyring is installed. Nothing else is searched. The ways to sign in count as one setting: the first place that
has a secret or a key decides.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dotenv import dotenv_values

from tpanalytics.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SECRETS", "SETTINGS", "Secret", "Settings", "is_loopback", "resolve"]

#: Setting → what it is, in words. The environment variable is ``TPANALYTICS_`` and the name in capitals.
SETTINGS = {
    "base_url": "address of the tenant's API, like https://northwind.eu3.techwolf.ai",
    "token_url": "address of the token endpoint",
    "client_id": "client id of the API credential",
    "client_secret": "client secret of the API credential",
    "private_key": "private key of the API credential as PEM text, instead of a client secret",
    "private_key_file": "file with the private key, PEM, instead of a client secret",
    "key_id": "id of the private key, where the tenant asks for one",
    "audience": "audience of the token, like eu3.techwolf.ai",
    "tenant": "name of the tenant",
    "api_version": "version of the API to ask for, YYYY-MM-DD",
}
#: Settings whose value is never shown.
SECRETS = ("client_secret", "private_key")
_CREDENTIALS = ("client_secret", "private_key", "private_key_file")
_OPTIONAL = ("private_key", "private_key_file", "key_id", "api_version")
_SERVICE = "tpanalytics"
_KEY_INSTEAD = (
    "Instead of client_secret a private key does: its PEM text as private_key (TPANALYTICS_PRIVATE_KEY), or the path "
    "of its file as private_key_file (TPANALYTICS_PRIVATE_KEY_FILE)."
)


class Secret:
    """A value that prints as ``***``; `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written to a file")


@dataclass(frozen=True)
class Settings:
    """Settings of one tenant, complete and checked: either a client secret or a private key is there."""

    base_url: str
    token_url: str
    client_id: str
    client_secret: Secret | None
    audience: str
    tenant: str
    api_version: str | None = None
    private_key: Secret | None = None
    key_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)


def _plain(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def is_loopback(url: str) -> bool:
    """Return whether `url` points at this machine, where plain http carries no risk."""
    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}


def look_up(
    arguments: Mapping[str, str | Secret | None], dotenv: Path | None = None
) -> dict[str, tuple[str | Secret, str]]:
    """Return the value of each setting that is found, and a description of where it came from."""
    file = dotenv or Path.cwd() / ".env"
    lines = _lines(file) if file.is_file() else {}

    def candidates(name: str) -> Iterator[tuple[str | None, str]]:
        variable = f"TPANALYTICS_{name.upper()}"
        yield _plain(arguments.get(name)), "argument"
        yield os.environ.get(variable), f"environment variable {variable}"
        yield lines.get(variable), f"{variable} in {file.name}"
        yield None if name == "api_version" else _from_keyring(name), f"keyring entry '{_SERVICE}' / '{name}'"

    def first(names: tuple[str, ...]) -> dict[str, tuple[str | Secret, str]]:
        for place in zip(*map(candidates, names), strict=True):
            here = zip(names, place, strict=True)
            hits = {name: (_shown(name, value), origin) for name, (value, origin) in here if value and value.strip()}
            if hits:
                return hits
        return {}

    found = first(_CREDENTIALS)
    for name in SETTINGS:
        if name not in _CREDENTIALS and (name != "key_id" or "client_secret" not in found):
            found.update(first((name,)))
    return found


def _shown(name: str, value: str) -> str | Secret:
    """Hide a secret, and a key that was put into the wrong place."""
    return Secret(value.strip()) if name in SECRETS or "PRIVATE KEY" in value else value.strip()


def resolve(arguments: Mapping[str, str | Secret | None], dotenv: Path | None = None) -> Settings:
    """Gather the settings and check them."""
    found = look_up(arguments, dotenv)
    ways = [name for name in _CREDENTIALS if name in found]
    missing = [name for name in SETTINGS if name not in found and name not in _OPTIONAL]
    if ways and "client_secret" in missing:
        missing.remove("client_secret")  # a key does as well
    if missing:
        listed = "".join(f"\n  {name}: {SETTINGS[name]} (TPANALYTICS_{name.upper()})" for name in missing)
        raise ConfigError(
            f"{len(missing)} setting{'s are' if len(missing) > 1 else ' is'} missing:{listed}\n"
            "Give each as an argument of connect(), as the environment variable in brackets, as a line of a file "
            f".env in the working directory, or as a keyring entry of the service '{_SERVICE}'."
            + (f" {_KEY_INSTEAD}" if "client_secret" in missing else "")
        )
    if len(ways) > 1:
        both = " and ".join(f"{name} (from {found[name][1]})" for name in ways)
        raise ConfigError(f"{both} are given, but one alone signs in. Take out all but one.")
    for name, (value, origin) in found.items():
        if isinstance(value, Secret) and name not in SECRETS:
            raise ConfigError(f"{name} (from {origin}) holds a private key. {_KEY_INSTEAD}")
    values = {name: value for name, (value, _) in found.items() if isinstance(value, str)}
    for name in ("base_url", "token_url"):
        _check_address(name, values[name], found[name][1])
    if "api_version" in values and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", values["api_version"]):
        raise ConfigError(f"api_version (from {found['api_version'][1]}) must be a date, YYYY-MM-DD.")
    values["base_url"] = values["base_url"].rstrip("/")
    secrets = {name: value for name, (value, _) in found.items() if isinstance(value, Secret)}
    key_file = values.pop("private_key_file", None)
    return Settings(
        client_secret=secrets.get("client_secret"),
        private_key=_key_in(key_file, found["private_key_file"][1]) if key_file else secrets.get("private_key"),
        origins={name: origin for name, (_, origin) in found.items()},
        **values,
    )


def _key_in(file: str, origin: str) -> Secret:
    why = "is no text file"
    try:
        return Secret(Path(file).expanduser().read_text(encoding="utf-8-sig"))
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except (ValueError, RuntimeError):  # no text, no path, or a user without a home
        pass
    # Raised outside the handler: the library's exception may carry the whole file.
    raise ConfigError(f"The file named by private_key_file (from {origin}) {why}.")


def _lines(file: Path) -> dict[str, str | None]:
    try:  # as it stands: a secret may hold ``${``, and some editors begin a file with a byte order mark
        return dotenv_values(file, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Raised outside the handler: the library's exception carries the whole file.
    raise ConfigError(f"{file.name} is not written in UTF-8; save it anew in that encoding.")


def _check_address(name: str, url: str, origin: str) -> None:
    readable = False
    with suppress(ValueError):  # its message quotes the value
        parts = urlsplit(url)
        readable = parts.port is None or parts.port >= 0  # reading it is the check
    if not readable:
        raise ConfigError(f"{name} (from {origin}) is no address.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{name} (from {origin}) is no address: it must start with https:// and name a host.")
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigError(
            f"{name} (from {origin}) is plain http; a secret would cross the network unencrypted. "
            "Use https; http is allowed to this machine only."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"{name} (from {origin}) must be an address alone, without a user, password, query or fragment."
        )


def _from_keyring(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        value: str | None = keyring.get_password(_SERVICE, name)
    except KeyringError:
        return None
    return value
