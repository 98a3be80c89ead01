"""Sources and validation of connection settings."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tpanalytics.api.settings import SETTINGS, Secret, find_settings, is_loopback, resolve

COMPLETE = {
    "base_url": "https://northwind.eu3.techwolf.ai",
    "token_url": "https://techwolf.eu.auth0.com/oauth/token",
    "client_id": "cid-7f3a",
    "client_secret": "not-a-real-secret",
    "audience": "eu3.techwolf.ai",
    "tenant": "northwind",
}
ORIGINS = {
    "argument": "argument",
    "environment": "environment variable TPANALYTICS_{}",
    ".env": "TPANALYTICS_{} in .env",
    "keyring": "keyring entry 'tpanalytics' / '{}'",
}


class Keyring:
    """Minimal replacement for the keyring package."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.error: Exception | None = None

    def get_password(self, service: str, name: str) -> str | None:
        if self.error is not None:
            raise self.error
        return self.entries.get((service, name))


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    keyring = Keyring()
    package, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    package.get_password = keyring.get_password  # type: ignore[attr-defined]
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return keyring


def provide(source: str, name: str, value: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Provide a setting through a source and return it if it is passed as an argument."""
    variable = f"TPANALYTICS_{name.upper()}"
    if source == "environment":
        monkeypatch.setenv(variable, value)
    elif source == ".env":
        Path(".env").write_text(f"{variable}={value}\n", encoding="utf-8")
    elif source == "keyring":
        keyring.entries["tpanalytics", name] = value
    return {name: value} if source == "argument" else {}


SOURCES = [sources for n in range(1, 5) for sources in itertools.combinations(ORIGINS, n)]


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("sources", SOURCES, ids="+".join)
def test_first_source_of_a_setting_is_used(
    sources: tuple[str, ...], name: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, str | None] = {**COMPLETE, name: None}
    for source in sources:
        arguments.update(provide(source, name, f"https://{source.strip('.')}.invalid", keyring, monkeypatch))
    settings = resolve(arguments)
    value = getattr(settings, name)
    value = value.reveal() if isinstance(value, Secret) else value
    assert value == f"https://{sources[0].strip('.')}.invalid"
    assert settings.origins[name] in {ORIGINS[sources[0]].format(name.upper()), ORIGINS[sources[0]].format(name)}


def test_settings_can_have_different_sources(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.entries["tpanalytics", "client_secret"] = COMPLETE["client_secret"]
    monkeypatch.setenv("TPANALYTICS_CLIENT_ID", COMPLETE["client_id"])
    Path(".env").write_text(f"TPANALYTICS_TENANT='{COMPLETE['tenant']}'\n# a comment\n", encoding="utf-8")
    settings = tpa.connect(**{name: COMPLETE[name] for name in ("base_url", "token_url", "audience")}).settings
    assert settings.client_secret.reveal() == COMPLETE["client_secret"]
    assert (settings.client_id, settings.tenant) == (COMPLETE["client_id"], COMPLETE["tenant"])
    assert set(settings.origins) == set(COMPLETE)


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_blank_values_are_ignored(blank: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPANALYTICS_TENANT", blank)
    keyring.entries["tpanalytics", "tenant"] = "from the keyring"
    assert resolve({**COMPLETE, "tenant": blank}).tenant == "from the keyring"


def test_whitespace_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPANALYTICS_CLIENT_SECRET", " s3cret\n")
    assert resolve({**COMPLETE, "client_secret": None}).client_secret.reveal() == "s3cret"


@pytest.mark.parametrize(
    "missing", [names for n in (1, 2, 6) for names in itertools.combinations(COMPLETE, n)], ids="+".join
)
def test_error_lists_all_missing_settings(missing: tuple[str, ...]) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({name: value for name, value in COMPLETE.items() if name not in missing})
    message = str(exc_info.value)
    assert f"{len(missing)} setting" in message
    for name, value in COMPLETE.items():
        assert (f"TPANALYTICS_{name.upper()}" in message) == (name in missing)
        assert f"\n  {name}: " in message or name not in missing
        if name not in missing:
            assert value not in message.replace(SETTINGS["audience"], "").replace(SETTINGS["base_url"], "")
    assert all(source in message for source in ("connect()", "environment variable", ".env", "keyring"))


def test_api_version_is_optional() -> None:
    assert resolve(COMPLETE).api_version is None
    assert resolve({**COMPLETE, "api_version": "2026-01-29"}).api_version == "2026-01-29"


@pytest.mark.parametrize("version", ["latest", "2026", "2026-1-29", "2026-01-29\r\nX-Evil: 1", "\uff12026-01-29"])
def test_invalid_api_version_raises(version: str) -> None:
    with pytest.raises(tpa.ConfigError, match="YYYY-MM-DD"):
        resolve({**COMPLETE, "api_version": version})


# Credentials


CREDENTIALS = ("client_secret", "private_key", "private_key_file")


@pytest.mark.parametrize(("first", "second"), [*itertools.permutations(CREDENTIALS, 2)])
@pytest.mark.parametrize(("first_source", "second_source"), [*itertools.combinations(ORIGINS, 2)])
def test_first_credential_is_used(
    first: str, second: str, first_source: str, second_source: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("key.pem").write_text("from the file", encoding="utf-8")
    arguments = {**COMPLETE, "client_secret": None}
    for source, name in ((second_source, second), (first_source, first)):
        value = "key.pem" if name == "private_key_file" else f"a {name}"
        arguments.update(provide(source, name, value, keyring, monkeypatch))
    settings = resolve(arguments)
    secret, key = settings.client_secret, settings.private_key
    expected = {"client_secret": "a client_secret", "private_key": "a private_key", "private_key_file": "from the file"}
    assert (secret is None) == (first != "client_secret")
    assert (secret or key).reveal() == expected[first]  # type: ignore[union-attr]
    assert [name for name in CREDENTIALS if name in settings.origins] == [first]


@pytest.mark.parametrize("source", ORIGINS)
@pytest.mark.parametrize("names", [*itertools.combinations(CREDENTIALS, 2), CREDENTIALS], ids="+".join)
def test_several_credentials_in_one_source_raise(
    names: tuple[str, ...], source: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, str | None] = {**COMPLETE, "client_secret": None}
    lines = ""
    for name in names:
        arguments.update(provide(source, name, "s3cr3t-value", keyring, monkeypatch))
        lines += f"TPANALYTICS_{name.upper()}=s3cr3t-value\n"
    if source == ".env":
        Path(".env").write_text(lines, encoding="utf-8")
    with pytest.raises(tpa.ConfigError, match="cannot be used together") as exc_info:
        resolve(arguments)
    origin = ORIGINS[source].split()[0]
    assert all(f"`{name}` (from {origin}" in str(exc_info.value) or source == ".env" for name in names)
    assert all(name.upper() in str(exc_info.value).upper() for name in names)
    assert "s3cr3t-value" not in str(exc_info.value)


def test_error_without_credential_mentions_all_kinds() -> None:
    with pytest.raises(tpa.ConfigError, match="1 setting is missing") as exc_info:
        resolve({**COMPLETE, "client_secret": None})
    assert all(f"TPANALYTICS_{name.upper()}" in str(exc_info.value) for name in CREDENTIALS)


@pytest.mark.parametrize("source", ORIGINS)
def test_key_id_is_ignored_without_private_key(source: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = provide(source, "key_id", "key-7", keyring, monkeypatch)
    assert resolve({**COMPLETE, "client_secret": None, "private_key": "pem", **arguments}).key_id == "key-7"
    assert resolve({**COMPLETE, **arguments}).key_id is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), (..., "cannot be read"), ("kéy".encode("utf-16"), "is not a text file")],
    ids=["missing", "folder", "utf-16"],
)
def test_unreadable_key_file_raises(content: Any, problem: str) -> None:
    path = Path("s3cr3t-name.pem")
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**COMPLETE, "client_secret": None, "private_key_file": str(path)})
    assert f"`private_key_file` (from argument) {problem}" in str(exc_info.value)
    assert "s3cr3t" not in str(exc_info.value)


PEM = "-----BEGIN PRIVATE KEY-----\nS3CR3T\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("name", ["private_key_file", "key_id", "tenant", "base_url"])
def test_private_key_in_wrong_setting_is_not_revealed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", PEM)
    key = {"private_key": "pem"} if name == "key_id" else {}
    arguments = {**COMPLETE, "client_secret": None, **key, name: None}
    assert "S3CR3T" not in repr(find_settings(arguments))
    if name in {"tenant", "base_url"}:
        arguments["client_secret"] = "s"
    with pytest.raises(tpa.ConfigError, match=f"`{name}` .* contains a private key") as exc_info:
        resolve(arguments)
    assert "S3CR3T" not in str(exc_info.value)


# .env file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_env_file_can_have_byte_order_mark(encoding: str) -> None:
    text = "".join(f"TPANALYTICS_{name.upper()}={value}\n" for name, value in COMPLETE.items())
    Path(".env").write_text(text, encoding=encoding)
    assert resolve({}).base_url == COMPLETE["base_url"]


def test_env_file_in_other_encoding_raises() -> None:
    Path(".env").write_text("TPANALYTICS_CLIENT_SECRET=s3cret-Vögel\n", encoding="utf-16")
    with pytest.raises(tpa.ConfigError, match=r"\.env.*UTF-8") as exc_info:
        resolve({})
    assert exc_info.value.__context__ is None, "the original exception contains the file"


@pytest.mark.parametrize("secret", ["a${HOME}b", "a$HOME", 'quo"te', "per%cent", "Vögel", "a=b", "a#b"])
def test_env_file_is_read_without_interpolation(secret: str) -> None:
    Path(".env").write_text(f"TPANALYTICS_CLIENT_SECRET={secret}\n", encoding="utf-8")
    assert resolve({**COMPLETE, "client_secret": None}).client_secret.reveal() == secret


def test_env_file_in_parent_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TPANALYTICS_TENANT=above\n", encoding="utf-8")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert find_settings({}) == {}


def test_folder_named_env_is_ignored() -> None:
    Path(".env").mkdir()
    assert resolve(COMPLETE).tenant == "northwind"


def test_env_file_does_not_change_environment() -> None:
    Path(".env").write_text("TPANALYTICS_TENANT=elsewhere\nOTHER=1\n", encoding="utf-8")
    before = dict(os.environ)
    assert find_settings({})["tenant"][0] == "elsewhere"
    assert dict(os.environ) == before


# Keyring


def test_keyring_package_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert resolve(COMPLETE).tenant == "northwind"
    with pytest.raises(tpa.ConfigError, match="client_secret"):
        resolve({**COMPLETE, "client_secret": None})


def test_locked_keyring_is_ignored(keyring: Keyring) -> None:
    keyring.error = sys.modules["keyring.errors"].KeyringError("locked")
    with pytest.raises(tpa.ConfigError, match="client_secret"):
        resolve({**COMPLETE, "client_secret": None})


def test_keyring_is_only_used_for_missing_settings(keyring: Keyring) -> None:
    keyring.error = AssertionError("the keyring was used")
    assert resolve(COMPLETE).tenant == "northwind"


# URLs

INVALID_URLS = [
    ("http://northwind.eu3.techwolf.ai", "uses http"),
    ("HTTP://northwind.eu3.techwolf.ai", "uses http"),
    ("http://127.0.0.1.evil.invalid", "uses http"),
    ("http://localhost.evil.invalid", "uses http"),
    ("http://localhost@evil.invalid", "uses http"),
    ("http://0.0.0.0:8000", "uses http"),
    ("http://192.168.1.10", "uses http"),
    ("http://[2001:db8::1]", "uses http"),
    ("northwind.eu3.techwolf.ai", "https://"),
    ("ftp://northwind.eu3.techwolf.ai", "https://"),
    ("https://", "https://"),
    ("https:///path", "https://"),
    ("https://host:port", "is not a valid URL"),
    ("https://host:99999", "is not a valid URL"),
    ("https://[::1", "is not a valid URL"),
    ("https://user@host", "must not contain a user"),
    ("https://user:password@host", "password"),
    ("https://host?tenant=1", "query"),
    ("https://host#top", "fragment"),
]


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize(("url", "problem"), INVALID_URLS)
def test_invalid_url_raises_without_quoting_it(name: str, url: str, problem: str) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**COMPLETE, name: url})
    message = str(exc_info.value)
    assert message.startswith(f"`{name}` (from argument)")
    assert problem in message
    assert url not in message.replace("https://", "")
    assert exc_info.value.__context__ is None, "the original exception quotes the value"


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000/x", "http://LOCALHOST", "https://a.b/c"]
)
def test_https_and_localhost_are_accepted(name: str, url: str) -> None:
    assert getattr(resolve({**COMPLETE, name: url}), name) == url


def test_trailing_slash_of_base_url_is_removed() -> None:
    assert resolve({**COMPLETE, "base_url": "https://host/api//"}).base_url == "https://host/api"


@pytest.mark.parametrize("url", ["http://127.0.0.2", "http://localhost.", "http://localhostess", "", "http://:80"])
def test_other_hosts_are_not_loopback(url: str) -> None:
    assert not is_loopback(url)


# Secrets


@hypothesis.given(value=st.text(min_size=4).map("s3cret-{}".format))
def test_secret_is_masked_in_every_repr(value: str) -> None:
    settings = resolve({**COMPLETE, "client_secret": value})
    secret = settings.client_secret
    assert secret.reveal() == value.strip()
    texts = [
        repr(secret),
        str(secret),
        f"{secret}",
        repr([secret]),
        repr(settings),
        str(settings),
        repr(tpa.Client(settings)),
    ]
    assert not any(value.strip() in text for text in texts)
    assert all("***" in text for text in texts[:6])


@pytest.mark.parametrize("function", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_secret_cannot_be_pickled_or_copied(function: Any) -> None:
    with pytest.raises(TypeError, match="secret"):
        function(resolve(COMPLETE).client_secret)


def test_empty_secret_is_falsy() -> None:
    assert not Secret("")
    assert Secret("x")
