"""Each setting comes from the first place that has it, what is missing or unsafe is named, and no value is shown."""

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
from tpanalytics.api.settings import SETTINGS, Secret, is_loopback, look_up, resolve

GIVEN = {
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
    """A keyring as far as we use one."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.error: Exception | None = None

    def get_password(self, service: str, name: str) -> str | None:
        if self.error is not None:
            raise self.error
        return self.entries.get((service, name))


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    made = Keyring()
    package, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    package.get_password = made.get_password  # type: ignore[attr-defined]
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return made


def put(place: str, name: str, value: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Write a value to a place; give the arguments that carry it there."""
    variable = f"TPANALYTICS_{name.upper()}"
    if place == "environment":
        monkeypatch.setenv(variable, value)
    elif place == ".env":
        Path(".env").write_text(f"{variable}={value}\n", encoding="utf-8")
    elif place == "keyring":
        keyring.entries["tpanalytics", name] = value
    return {name: value} if place == "argument" else {}


PLACES = [places for n in range(1, 5) for places in itertools.combinations(ORIGINS, n)]


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("places", PLACES, ids="+".join)
def test_first_source_of_a_setting_is_used(
    places: tuple[str, ...], name: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, str | None] = {**GIVEN, name: None}
    for place in places:
        arguments.update(put(place, name, f"https://{place.strip('.')}.invalid", keyring, monkeypatch))
    settings = resolve(arguments)
    value = getattr(settings, name)
    value = value.reveal() if isinstance(value, Secret) else value
    assert value == f"https://{places[0].strip('.')}.invalid"
    assert settings.origins[name] in {ORIGINS[places[0]].format(name.upper()), ORIGINS[places[0]].format(name)}


def test_settings_can_have_different_sources(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.entries["tpanalytics", "client_secret"] = GIVEN["client_secret"]
    monkeypatch.setenv("TPANALYTICS_CLIENT_ID", GIVEN["client_id"])
    Path(".env").write_text(f"TPANALYTICS_TENANT='{GIVEN['tenant']}'\n# a comment\n", encoding="utf-8")
    given = {name: GIVEN[name] for name in ("base_url", "token_url", "audience")}
    settings = tpa.connect(**given).settings
    assert settings.client_secret.reveal() == GIVEN["client_secret"]
    assert (settings.client_id, settings.tenant) == (GIVEN["client_id"], GIVEN["tenant"])
    assert set(settings.origins) == set(GIVEN)


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_blank_values_are_ignored(blank: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPANALYTICS_TENANT", blank)
    keyring.entries["tpanalytics", "tenant"] = "from the keyring"
    assert resolve({**GIVEN, "tenant": blank}).tenant == "from the keyring"


def test_whitespace_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPANALYTICS_CLIENT_SECRET", " s3cret\n")
    assert resolve({**GIVEN, "client_secret": None}).client_secret.reveal() == "s3cret"


@pytest.mark.parametrize("gone", [names for n in (1, 2, 6) for names in itertools.combinations(GIVEN, n)], ids="+".join)
def test_error_lists_all_missing_settings(gone: tuple[str, ...]) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({name: value for name, value in GIVEN.items() if name not in gone})
    message = str(exc_info.value)
    assert f"{len(gone)} setting" in message
    for name, value in GIVEN.items():
        assert (f"TPANALYTICS_{name.upper()}" in message) == (name in gone)
        assert f"\n  {name}: " in message or name not in gone
        if name not in gone:
            assert value not in message.replace(SETTINGS["audience"], "").replace(SETTINGS["base_url"], "")
    assert all(place in message for place in ("argument", "environment variable", ".env", "keyring"))


def test_api_version_is_optional() -> None:
    assert resolve(GIVEN).api_version is None
    assert resolve({**GIVEN, "api_version": "2026-01-29"}).api_version == "2026-01-29"


@pytest.mark.parametrize("version", ["latest", "2026", "2026-1-29", "2026-01-29\r\nX-Evil: 1", "\uff12026-01-29"])
def test_invalid_api_version_raises(version: str) -> None:
    with pytest.raises(tpa.ConfigError, match="YYYY-MM-DD"):
        resolve({**GIVEN, "api_version": version})


# Secret or key


WAYS = ("client_secret", "private_key", "private_key_file")


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(WAYS, 2)])
@pytest.mark.parametrize(("early", "late"), [*itertools.combinations(ORIGINS, 2)])
def test_first_credential_is_used(
    one: str, other: str, early: str, late: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("key.pem").write_text("from the file", encoding="utf-8")
    arguments = {**GIVEN, "client_secret": None}
    for place, name in ((late, other), (early, one)):
        arguments.update(
            put(place, name, "key.pem" if name == "private_key_file" else f"a {name}", keyring, monkeypatch)
        )
    settings = resolve(arguments)
    secret, key = settings.client_secret, settings.private_key
    expected = {"client_secret": "a client_secret", "private_key": "a private_key", "private_key_file": "from the file"}
    assert (secret is None) == (one != "client_secret")
    assert (secret or key).reveal() == expected[one]  # type: ignore[union-attr]
    assert [name for name in WAYS if name in settings.origins] == [one]


@pytest.mark.parametrize("place", ORIGINS)
@pytest.mark.parametrize("names", [*itertools.combinations(WAYS, 2), WAYS], ids="+".join)
def test_several_credentials_in_one_source_raise(
    names: tuple[str, ...], place: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, str | None] = {**GIVEN, "client_secret": None}
    lines = ""
    for name in names:
        arguments.update(put(place, name, "s3cr3t-value", keyring, monkeypatch))
        lines += f"TPANALYTICS_{name.upper()}=s3cr3t-value\n"
    if place == ".env":
        Path(".env").write_text(lines, encoding="utf-8")
    with pytest.raises(tpa.ConfigError, match="one alone signs in") as exc_info:
        resolve(arguments)
    assert all(f"{name} (from {ORIGINS[place].split()[0]}" in str(exc_info.value) or place == ".env" for name in names)
    assert all(name.upper() in str(exc_info.value).upper() for name in names)
    assert "s3cr3t-value" not in str(exc_info.value)


def test_error_without_credential_mentions_all_kinds() -> None:
    with pytest.raises(tpa.ConfigError, match="1 setting is missing") as exc_info:
        resolve({**GIVEN, "client_secret": None})
    assert all(f"TPANALYTICS_{name.upper()}" in str(exc_info.value) for name in WAYS)


@pytest.mark.parametrize("place", ORIGINS)
def test_key_id_is_ignored_without_private_key(place: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    given = put(place, "key_id", "key-7", keyring, monkeypatch)
    assert resolve({**GIVEN, "client_secret": None, "private_key": "pem", **given}).key_id == "key-7"
    assert resolve({**GIVEN, **given}).key_id is None


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), (..., "cannot be read"), ("kéy".encode("utf-16"), "is no text file")],
    ids=["missing", "folder", "utf-16"],
)
def test_unreadable_key_file_raises(content: Any, said: str) -> None:
    path = Path("s3cr3t-name.pem")
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**GIVEN, "client_secret": None, "private_key_file": str(path)})
    assert f"private_key_file (from argument) {said}" in str(exc_info.value)
    assert "s3cr3t" not in str(exc_info.value)


PEM = "-----BEGIN PRIVATE KEY-----\nS3CR3T\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("name", ["private_key_file", "key_id", "tenant", "base_url"])
def test_private_key_in_wrong_setting_is_not_revealed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", PEM)
    given = {"private_key": "pem"} if name == "key_id" else {}
    arguments = {**GIVEN, "client_secret": None, **given, name: None}
    assert "S3CR3T" not in repr(look_up(arguments))
    if name in {"tenant", "base_url"}:
        arguments["client_secret"] = "s"
    with pytest.raises(tpa.ConfigError, match=f"{name} .* holds a private key") as exc_info:
        resolve(arguments)
    assert "S3CR3T" not in str(exc_info.value)


# The file .env


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_env_file_can_have_byte_order_mark(encoding: str) -> None:
    text = "".join(f"TPANALYTICS_{name.upper()}={value}\n" for name, value in GIVEN.items())
    Path(".env").write_text(text, encoding=encoding)
    assert resolve({}).base_url == GIVEN["base_url"]


def test_env_file_in_other_encoding_raises() -> None:
    Path(".env").write_text("TPANALYTICS_CLIENT_SECRET=s3cret-Vögel\n", encoding="utf-16")
    with pytest.raises(tpa.ConfigError, match=r"\.env.*UTF-8") as exc_info:
        resolve({})
    assert exc_info.value.__context__ is None, "the library's exception carries the file"


@pytest.mark.parametrize("secret", ["a${HOME}b", "a$HOME", 'quo"te', "per%cent", "Vögel", "a=b", "a#b"])
def test_env_file_is_read_without_interpolation(secret: str) -> None:
    Path(".env").write_text(f"TPANALYTICS_CLIENT_SECRET={secret}\n", encoding="utf-8")
    assert resolve({**GIVEN, "client_secret": None}).client_secret.reveal() == secret


def test_env_file_in_parent_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TPANALYTICS_TENANT=above\n", encoding="utf-8")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert look_up({}) == {}


def test_folder_named_env_is_ignored() -> None:
    Path(".env").mkdir()
    assert resolve(GIVEN).tenant == "northwind"


def test_env_file_does_not_change_environment() -> None:
    Path(".env").write_text("TPANALYTICS_TENANT=elsewhere\nOTHER=1\n", encoding="utf-8")
    before = dict(os.environ)
    assert look_up({})["tenant"][0] == "elsewhere"
    assert dict(os.environ) == before


# The keyring


def test_keyring_package_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert resolve(GIVEN).tenant == "northwind"
    with pytest.raises(tpa.ConfigError, match="client_secret"):
        resolve({**GIVEN, "client_secret": None})


def test_locked_keyring_is_ignored(keyring: Keyring) -> None:
    keyring.error = sys.modules["keyring.errors"].KeyringError("locked")
    with pytest.raises(tpa.ConfigError, match="client_secret"):
        resolve({**GIVEN, "client_secret": None})


def test_keyring_is_only_used_for_missing_settings(keyring: Keyring) -> None:
    keyring.error = AssertionError("asked without need")
    assert resolve(GIVEN).tenant == "northwind"


# Addresses

BAD_ADDRESSES = [
    ("http://northwind.eu3.techwolf.ai", "plain http"),
    ("HTTP://northwind.eu3.techwolf.ai", "plain http"),
    ("http://127.0.0.1.evil.invalid", "plain http"),
    ("http://localhost.evil.invalid", "plain http"),
    ("http://localhost@evil.invalid", "plain http"),
    ("http://0.0.0.0:8000", "plain http"),
    ("http://192.168.1.10", "plain http"),
    ("http://[2001:db8::1]", "plain http"),
    ("northwind.eu3.techwolf.ai", "https://"),
    ("ftp://northwind.eu3.techwolf.ai", "https://"),
    ("https://", "https://"),
    ("https:///path", "https://"),
    ("https://host:port", "no address"),
    ("https://host:99999", "no address"),
    ("https://[::1", "no address"),
    ("https://user@host", "without a user"),
    ("https://user:password@host", "password"),
    ("https://host?tenant=1", "query"),
    ("https://host#top", "fragment"),
]


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize(("address", "said"), BAD_ADDRESSES)
def test_invalid_url_raises_without_quoting_it(name: str, address: str, said: str) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**GIVEN, name: address})
    message = str(exc_info.value)
    assert message.startswith(f"{name} (from argument)")
    assert said in message
    assert address not in message.replace("https://", "")
    assert exc_info.value.__context__ is None, "the library's exception quotes the value"


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize(
    "address", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000/x", "http://LOCALHOST", "https://a.b/c"]
)
def test_https_and_localhost_are_accepted(name: str, address: str) -> None:
    assert getattr(resolve({**GIVEN, name: address}), name) == address


def test_trailing_slash_of_base_url_is_removed() -> None:
    assert resolve({**GIVEN, "base_url": "https://host/api//"}).base_url == "https://host/api"


@pytest.mark.parametrize("url", ["http://127.0.0.2", "http://localhost.", "http://localhostess", "", "http://:80"])
def test_other_hosts_are_not_loopback(url: str) -> None:
    assert not is_loopback(url)


# The secret


@hypothesis.given(value=st.text(min_size=4).map("s3cret-{}".format))
def test_secret_is_masked_in_every_repr(value: str) -> None:
    settings = resolve({**GIVEN, "client_secret": value})
    secret = settings.client_secret
    assert secret.reveal() == value.strip()
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        repr([secret]),
        repr(settings),
        str(settings),
        repr(tpa.Client(settings)),
    ]
    assert not any(value.strip() in text for text in shown)
    assert all("***" in text for text in shown[:6])


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_secret_cannot_be_pickled_or_copied(write: Any) -> None:
    with pytest.raises(TypeError, match="secret"):
        write(resolve(GIVEN).client_secret)


def test_empty_secret_is_falsy() -> None:
    assert not Secret("")
    assert Secret("x")
