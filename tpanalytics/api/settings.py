"""Connection settings for a tenant.

Settings are looked up in this order: arguments, environment variables, ``.env`` in the working directory, and the
system keyring (if the keyring package is installed). The first value found is used. The client secret and the private
key count as a single setting.
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

__all__ = ["OPTIONAL", "SECRETS", "SETTINGS", "Secret", "Settings", "is_loopback", "resolve"]

#: Setting descriptions. Environment variables are named ``TPANALYTICS_`` plus the setting in upper case.
SETTINGS = {
    "base_url": "URL of the tenant's API, like https://northwind.eu3.techwolf.ai",
    "token_url": "URL of the token endpoint",
    "client_id": "client id of the API credential",
    "client_secret": "client secret of the API credential",
    "private_key": "private key of the API credential as PEM text, instead of a client secret",
    "private_key_file": "PEM file with the private key, instead of a client secret",
    "key_id": "id of the private key, if the tenant requires it",
    "audience": "audience of the token, like eu3.techwolf.ai",
    "tenant": "name of the tenant",
    "api_version": "API version to request, YYYY-MM-DD",
}
#: Settings whose values are never displayed.
SECRETS = ("client_secret", "private_key")
_CREDENTIALS = ("client_secret", "private_key", "private_key_file")
#: Optional settings.
OPTIONAL = ("private_key", "private_key_file", "key_id", "api_version")
_SERVICE = "tpanalytics"
_PRIVATE_KEY_ADVICE = (
    "To sign in with a private key, pass its PEM text as `private_key` (TPANALYTICS_PRIVATE_KEY) or the path of its "
    "file as `private_key_file` (TPANALYTICS_PRIVATE_KEY_FILE)."
)


class Secret:
    """A string that is displayed as ``***``. Use `reveal` to get the actual value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the actual value."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("A secret cannot be pickled.")


@dataclass(frozen=True)
class Settings:
    """Validated settings for a tenant. Either a client secret or a private key is set."""

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


def _reveal(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def is_loopback(url: str) -> bool:
    """Return `True` if `url` points to this machine, where plain http is safe."""
    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}


def find_settings(
    arguments: Mapping[str, str | Secret | None], dotenv: Path | None = None
) -> dict[str, tuple[str | Secret, str]]:
    """Return all available settings, with a description of where each value was found."""
    file = dotenv or Path.cwd() / ".env"
    lines = _read_dotenv(file) if file.is_file() else {}

    def candidates(name: str) -> Iterator[tuple[str | None, str]]:
        variable = f"TPANALYTICS_{name.upper()}"
        yield _reveal(arguments.get(name)), "argument"
        yield os.environ.get(variable), f"environment variable {variable}"
        yield lines.get(variable), f"{variable} in {file.name}"
        yield None if name == "api_version" else _from_keyring(name), f"keyring entry '{_SERVICE}' / '{name}'"

    def first(names: tuple[str, ...]) -> dict[str, tuple[str | Secret, str]]:
        for source in zip(*map(candidates, names), strict=True):
            entries = zip(names, source, strict=True)
            matches = {
                name: (_wrap(name, value), origin) for name, (value, origin) in entries if value and value.strip()
            }
            if matches:
                return matches
        return {}

    available = first(_CREDENTIALS)
    for name in SETTINGS:
        if name not in _CREDENTIALS and (name != "key_id" or "client_secret" not in available):
            available.update(first((name,)))
    return available


def _wrap(name: str, value: str) -> str | Secret:
    """Strip whitespace from a value, and wrap secrets and private keys in `Secret`."""
    return Secret(value.strip()) if name in SECRETS or "PRIVATE KEY" in value else value.strip()


def resolve(arguments: Mapping[str, str | Secret | None], dotenv: Path | None = None) -> Settings:
    """Collect and validate the settings."""
    available = find_settings(arguments, dotenv)
    credentials = [name for name in _CREDENTIALS if name in available]
    missing = [name for name in SETTINGS if name not in available and name not in OPTIONAL]
    if credentials and "client_secret" in missing:
        missing.remove("client_secret")
    if missing:
        listed = "".join(f"\n  {name}: {SETTINGS[name]} (TPANALYTICS_{name.upper()})" for name in missing)
        raise ConfigError(
            f"{len(missing)} setting{'s are' if len(missing) > 1 else ' is'} missing:{listed}\n"
            "Pass each one to connect(), or set the environment variable in parentheses, add it to a .env file in the "
            f"working directory, or store it in the system keyring under the service '{_SERVICE}'."
            + (f" {_PRIVATE_KEY_ADVICE}" if "client_secret" in missing else "")
        )
    if len(credentials) > 1:
        listed = " and ".join(f"`{name}` (from {available[name][1]})" for name in credentials)
        raise ConfigError(f"{listed} cannot be used together. Remove all but one.")
    for name, (value, origin) in available.items():
        if isinstance(value, Secret) and name not in SECRETS:
            raise ConfigError(f"`{name}` (from {origin}) contains a private key. {_PRIVATE_KEY_ADVICE}")
    values = {name: value for name, (value, _) in available.items() if isinstance(value, str)}
    for name in ("base_url", "token_url"):
        _check_url(name, values[name], available[name][1])
    if "api_version" in values and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", values["api_version"]):
        raise ConfigError(f"`api_version` (from {available['api_version'][1]}) must be a date (YYYY-MM-DD).")
    values["base_url"] = values["base_url"].rstrip("/")
    secrets = {name: value for name, (value, _) in available.items() if isinstance(value, Secret)}
    key_file = values.pop("private_key_file", None)
    return Settings(
        client_secret=secrets.get("client_secret"),
        private_key=_read_key(key_file, available["private_key_file"][1]) if key_file else secrets.get("private_key"),
        origins={name: origin for name, (_, origin) in available.items()},
        **values,
    )


def _read_key(file: str, origin: str) -> Secret:
    problem = "is not a text file"
    try:
        return Secret(Path(file).expanduser().read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except (ValueError, RuntimeError):  # a binary file, an invalid path, or a user without a home folder
        pass
    # Raise outside the handler. The original exception may contain the file content.
    raise ConfigError(f"The file in `private_key_file` (from {origin}) {problem}. Pass the path of a PEM file.")


def _read_dotenv(file: Path) -> dict[str, str | None]:
    try:  # don't interpolate (secrets may contain ``${``); some editors add a byte order mark
        return dotenv_values(file, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Same here, the original exception contains the file content.
    raise ConfigError(f"{file.name} is not encoded as UTF-8. Save it as UTF-8.")


def _check_url(name: str, url: str, origin: str) -> None:
    valid = False
    with suppress(ValueError):  # the message quotes the value
        parts = urlsplit(url)
        valid = parts.port is None or parts.port >= 0  # accessing an invalid port raises ValueError
    if not valid:
        raise ConfigError(f"`{name}` (from {origin}) is not a valid URL. Check its host name and port.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"`{name}` (from {origin}) is not a valid URL. Start it with https:// and a host name.")
    if parts.scheme == "http" and not is_loopback(url):
        raise ConfigError(
            f"`{name}` (from {origin}) uses http, which would send secrets unencrypted. "
            "Use https; http is only allowed for localhost."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"`{name}` (from {origin}) must not contain a user name, password, query (?) or fragment (#). Remove it."
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
