"""Signing in with a private key."""

from __future__ import annotations

import json
import logging
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import tpanalytics as tpa
from tests.api.conftest import TOKEN, traceback_with_locals
from tests.helpers.scripted_server import Host, Received, instead, jobs, make_client, said
from tpanalytics.cli.main import main
from tpanalytics.demo.client_assertion import Assertions
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = serialization.NoEncryption()


def pem(key: Any, encryption: Any = PLAIN, form: str = "PKCS8") -> str:
    raw = key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)
    return str(raw.decode())


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(2), public_key=public(rsa_key())) as tenant:
        yield tenant


@pytest.fixture
def settings(tenant: Tenant) -> dict[str, Any]:
    return {**tenant.settings, "private_key": pem(rsa_key())}


def auth_error(settings: dict[str, Any]) -> str:
    with make_client(settings) as client, pytest.raises(tpa.AuthError) as exc_info:
        client.sign_in()
    return str(exc_info.value)


# Signing in


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_private_key_signs_in(tenant: Tenant, form: str) -> None:
    with tpa.connect(**tenant.settings, private_key=pem(rsa_key(), form=form)) as client:
        assert client.version() == "2025-01-29"
        assert client.tokens_fetched == tenant.tokens_issued == 1
    assert "client_secret" not in tenant.settings


@pytest.mark.parametrize("source", ["path", "text", "environment", "one line", "windows"])
def test_private_key_can_be_text_or_file(tenant: Tenant, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pem(rsa_key())
    file = Path("key.pem")
    file.write_text(text, encoding="utf-8")
    arguments: dict[str, Any] = {}
    match source:
        case "path":
            arguments["private_key_file"] = file
        case "text":
            arguments["private_key_file"] = str(file)
        case "environment":
            monkeypatch.setenv("TPANALYTICS_PRIVATE_KEY_FILE", "key.pem")
        case "one line":
            monkeypatch.setenv("TPANALYTICS_PRIVATE_KEY", text.replace("\n", "\\n"))
        case "windows":
            file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
            arguments["private_key_file"] = file
    with tpa.connect(**tenant.settings, **arguments) as client:
        client.sign_in()
    assert tenant.tokens_issued == 1


def test_assertion_has_expected_claims() -> None:
    def answer(_: Received) -> Reply:
        return said(200, {"access_token": "tok", "expires_in": 60, "token_type": "Bearer"})

    with Host(answer) as host:
        url = f"{host.address}/oauth/token"
        settings = {"base_url": host.address, "token_url": url, "client_id": "cid", "audience": "eu3", "tenant": "nw"}
        with make_client({**settings, "private_key": pem(rsa_key()), "key_id": "key-7"}) as client:
            client.sign_in()
        body = json.loads(host.received[0].body)
        assert host.received[0].headers["content-type"] == "application/json"
    assertion = body.pop("client_assertion")
    assert body == {
        "client_id": "cid",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "audience": "eu3",
        "grant_type": "client_credentials",
        "tenant": "nw",
    }
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": "key-7"}
    claims = jwt.decode(assertion, public(rsa_key()), algorithms=["RS256"], audience=url)
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti"}
    assert claims["iss"] == claims["sub"] == "cid"
    assert claims["aud"] == url
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert len(claims["jti"]) >= 16


def test_each_attempt_has_a_new_assertion() -> None:
    def answer(received: Received) -> Reply:
        return said(503 if len(host.received) < 4 else 200, {"access_token": "tok", "expires_in": 60})

    with Host(answer) as host:
        settings = {
            "base_url": host.address,
            "token_url": host.address,
            "client_id": "c",
            "audience": "a",
            "tenant": "t",
        }
        with make_client({**settings, "tenant": "t", "private_key": pem(rsa_key())}) as client:
            client.sign_in()
        assertions = [json.loads(request.body)["client_assertion"] for request in host.received]
    ids = {jwt.decode(assertion, options={"verify_signature": False})["jti"] for assertion in assertions}
    assert (len(assertions), len(ids)) == (4, 4)


def test_retry_after_503_is_accepted(tenant: Tenant, settings: dict[str, Any]) -> None:
    tenant.token_faults[1] = instead(503)  # sent after the jti was registered as used
    with make_client(settings) as client:
        assert client.version() == "2025-01-29"
    assert tenant.requests.count(TOKEN) == 2


def test_cached_token_belongs_to_one_private_key(tenant: Tenant, settings: dict[str, Any]) -> None:
    for expected in (1, 0):
        with tpa.connect(**settings, token_cache="tokens") as client:
            client.sign_in()
            assert client.tokens_fetched == expected
    other_settings = {**settings, "private_key": pem(rsa_key(1))}
    with tpa.connect(**other_settings, token_cache="tokens") as client, pytest.raises(tpa.AuthError):
        client.sign_in()
    content = b"".join(path.read_bytes() for path in Path("tokens").iterdir()).decode()
    assert "PRIVATE KEY" not in content
    assert settings["private_key"].splitlines()[1] not in content


def test_doctor_reads_private_key_from_environment(
    tenant: Tenant, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
    assert main(["doctor"]) == 0
    output = "".join(capsys.readouterr())
    assert "***   (environment variable TPANALYTICS_PRIVATE_KEY)" in output
    assert "BEGIN" not in output


# Rejected assertions


@pytest.mark.parametrize("skew", [-55, -200, 60, 200])
def test_small_clock_differences_are_tolerated(skew: float) -> None:
    with Tenant(jobs(1), public_key=public(rsa_key()), clock_skew_seconds=skew) as tenant:
        settings = {**tenant.settings, "private_key": pem(rsa_key())}
        if -120 < skew < 240:
            with make_client(settings) as client:
                client.sign_in()
        else:
            assert "from the future" in auth_error(settings)


@pytest.mark.parametrize(("skew", "words"), [(-600, "from the future"), (600, "expired")])
def test_wrong_clock_is_suggested_as_cause(skew: float, words: str) -> None:
    with Tenant(jobs(1), public_key=public(rsa_key()), clock_skew_seconds=skew) as tenant:
        message = auth_error({**tenant.settings, "private_key": pem(rsa_key())})
    assert words in message
    assert "clock" in message
    assert "private key" in message
    assert "client_secret" not in message


def test_wrong_credentials_are_rejected(tenant: Tenant, settings: dict[str, Any]) -> None:
    assert "not signed with this client's key" in auth_error({**settings, "private_key": pem(rsa_key(1))})
    assert "Unauthorized" in auth_error({**settings, "client_id": "other-client"})
    assert "client_assertion_type" in auth_error({**tenant.settings, "client_secret": "not-a-real-secret"})
    assert tenant.tokens_issued == 0


def test_tenant_with_secret_rejects_private_key() -> None:
    with Tenant(jobs(1)) as tenant:
        settings = {**tenant.settings, "private_key": pem(rsa_key())}
        del settings["client_secret"]
        assert "401" in auth_error(settings)


NOW = 1_800_000_000
VALID = {"iss": "cid", "sub": "cid", "aud": "https://x/token", "iat": NOW, "exp": NOW + 300, "jti": "a"}
INVALID = {
    "no iss": ({"iss": None}, "lacks iss"),
    "no jti": ({"jti": None}, "lacks jti"),
    "no exp": ({"exp": None}, "lacks exp"),
    "no iat": ({"iat": None}, "lacks iat"),
    "iss": ({"iss": "other"}, "iss and sub"),
    "sub": ({"sub": "other"}, "iss and sub"),
    "both": ({"iss": "other", "sub": "other"}, "iss and sub"),
    "aud": ({"aud": "https://y/token"}, "aud"),
    "expired": ({"iat": NOW - 300, "exp": NOW}, "expired"),
    "future": ({"iat": NOW + 61, "exp": NOW + 300}, "future"),
    "long": ({"exp": NOW + 301}, "5 minutes"),
    "words": ({"exp": "soon"}, "must be numbers"),
}


def check(claims: dict[str, Any], assertions: Assertions, key: Any = None, algorithm: str = "RS256") -> str | None:
    """Return the reason why claims are rejected, or None."""
    token = jwt.encode({k: v for k, v in claims.items() if v is not None}, key or rsa_key(), algorithm=algorithm)
    body = {
        "client_id": "cid",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": token,
    }
    return assertions.refusal(body, "https://x/token")


@pytest.mark.parametrize(("changes", "words"), INVALID.values(), ids=INVALID)
def test_demo_server_rejects_invalid_claims(
    changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    assertions = Assertions(public(rsa_key()))
    assert words in (check({**VALID, **changes}, assertions) or "not rejected")
    assert check(VALID, assertions) is None
    assert "used before" in (check(VALID, assertions) or "")
    assert check({**VALID, "iat": NOW + 60, "jti": "b"}, assertions) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", None, 7])
def test_demo_server_rejects_unsigned_assertions(text: Any) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    body = {"client_id": "cid", "client_assertion_type": kind, "client_assertion": text}
    assert "not signed" in (Assertions(public(rsa_key())).refusal(body, "x") or "")
    assertions = Assertions(public(rsa_key()))
    assert "not signed" in (check(VALID, assertions, key="x" * 64, algorithm="HS256") or ""), "wrong algorithm"


# Unusable keys


def unusable_key(kind: str) -> str:
    match kind:
        case "encrypted":
            return pem(rsa_key(), serialization.BestAvailableEncryption(b"s3cr3t-phrase"))
        case "not RSA":
            return pem(ec.generate_private_key(ec.SECP256R1()))
        case "short":
            return pem(rsa.generate_private_key(65537, 1024))
        case "public":
            return public(rsa_key())
        case "truncated":
            return pem(rsa_key())[:500]
        case _:
            return "not a key, but S3CR3T-canary"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("encrypted", "is encrypted"),
        ("not RSA", "is not an RSA key"),
        ("short", "has only 1024 bits"),
        ("public", "is not in PEM format"),
        ("truncated", "is not in PEM format"),
        ("text", "is not in PEM format"),
    ],
)
@pytest.mark.parametrize("source", ["text", "file"])
def test_unusable_private_key_raises_without_revealing_it(tenant: Tenant, kind: str, words: str, source: str) -> None:
    text = unusable_key(kind)
    Path("key.pem").write_text(text, encoding="utf-8")
    arguments: dict[str, Any] = {"private_key": text} if source == "text" else {"private_key_file": "key.pem"}
    with pytest.raises(tpa.ConfigError, match=words) as exc_info:
        tpa.connect(**tenant.settings, **arguments)
    output = traceback_with_locals(exc_info.value)
    for line in text.splitlines():
        assert line not in output or line.startswith("-----")
    assert "TPANALYTICS_PRIVATE_KEY_FILE" in output
    assert exc_info.value.__context__ is None
    assert tenant.requests == []


@pytest.mark.parametrize("package", ["jwt", "cryptography.hazmat.primitives.asymmetric.rsa"])
def test_missing_package_raises_with_install_command(
    settings: dict[str, Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tpa.ConfigError, match=r'pip install "tpanalytics\[jwt\]"'):
        tpa.connect(**settings)


# Secrets


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 503])
def test_echoed_assertion_and_key_are_redacted(
    tenant: Tenant,
    settings: dict[str, Any],
    status: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[str] = []
    original = Assertions.refusal

    def recording_refusal(self: Assertions, body: dict[str, Any], audience: str) -> str | None:
        sent.append(body["client_assertion"])
        return original(self, body, audience)

    monkeypatch.setattr(Assertions, "refusal", recording_refusal)
    tenant.token_faults[0] = lambda _: said(
        status, {"error": f"bad {sent[-1]}", "error_description": f"You sent {sent[-1]} {settings['private_key']}"}
    )
    with make_client(settings) as client, pytest.raises(tpa.TpAnalyticsError) as exc_info:
        client.sign_in()
    output = traceback_with_locals(exc_info.value) + caplog.text
    output += repr(client) + repr(client.settings) + repr(vars(client._tokens))
    assert sent
    for secret in (*sent, *(part for assertion in sent for part in assertion.split(".")[1:])):
        assert secret not in output
    assert not any(line in output for line in settings["private_key"].splitlines()[1:-1])
