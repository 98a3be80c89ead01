"""A private key signs in as a secret does: each try with an assertion of its own, and no key or assertion gets out."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import tpanalytics as tpa
from tests.helpers.scripted_server import Host, Received, instead, jobs, make_client, said
from tpanalytics.cli.main import main
from tpanalytics.demo.client_assertion import Assertions
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = ("POST", "/oauth/token")
PLAIN = serialization.NoEncryption()


def pem(key: Any, encryption: Any = PLAIN, form: str = "PKCS8") -> str:
    written = key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)
    return str(written.decode())


@cache
def made(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def public(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(2), public_key=public(made())) as started:
        yield started


@pytest.fixture
def given(tenant: Tenant) -> dict[str, Any]:
    return {**tenant.settings, "private_key": pem(made())}


def refused(settings: dict[str, Any]) -> str:
    with make_client(settings) as client, pytest.raises(tpa.AuthError) as exc_info:
        client.sign_in()
    return str(exc_info.value)


# It signs in


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_private_key_signs_in(tenant: Tenant, form: str) -> None:
    with tpa.connect(**tenant.settings, private_key=pem(made(), form=form)) as client:
        assert client.version() == "2025-01-29"
        assert client.tokens_fetched == tenant.tokens_issued == 1
    assert "client_secret" not in tenant.settings


@pytest.mark.parametrize("how", ["path", "text", "environment", "one line", "windows"])
def test_private_key_can_be_text_or_file(tenant: Tenant, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pem(made())
    file = Path("key.pem")
    file.write_text(text, encoding="utf-8")
    arguments: dict[str, Any] = {}
    match how:
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
        with make_client({**settings, "private_key": pem(made()), "key_id": "key-7"}) as client:
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
    claims = jwt.decode(assertion, public(made()), algorithms=["RS256"], audience=url)
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
        with make_client({**settings, "tenant": "t", "private_key": pem(made())}) as client:
            client.sign_in()
        sent = [json.loads(one.body)["client_assertion"] for one in host.received]
    ids = {jwt.decode(one, options={"verify_signature": False})["jti"] for one in sent}
    assert (len(sent), len(ids)) == (4, 4)


def test_retry_after_503_is_accepted(tenant: Tenant, given: dict[str, Any]) -> None:
    tenant.token_faults[1] = instead(503)  # it has seen the first one's jti by then
    with make_client(given) as client:
        assert client.version() == "2025-01-29"
    assert tenant.requests.count(TOKEN) == 2


def test_cached_token_belongs_to_one_private_key(tenant: Tenant, given: dict[str, Any]) -> None:
    for expected in (1, 0):
        with tpa.connect(**given, token_cache="tokens") as client:
            client.sign_in()
            assert client.tokens_fetched == expected
    another = {**given, "private_key": pem(made(which=1))}
    with tpa.connect(**another, token_cache="tokens") as client, pytest.raises(tpa.AuthError):
        client.sign_in()
    written = b"".join(path.read_bytes() for path in Path("tokens").iterdir()).decode()
    assert "PRIVATE KEY" not in written
    assert given["private_key"].splitlines()[1] not in written


def test_doctor_reads_private_key_from_environment(
    tenant: Tenant, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
    assert main(["doctor"]) == 0
    shown = "".join(capsys.readouterr())
    assert "***   (environment variable TPANALYTICS_PRIVATE_KEY)" in shown
    assert "BEGIN" not in shown


# What the tenant refuses


@pytest.mark.parametrize("skew", [-55, -200, 60, 200])
def test_small_clock_differences_are_tolerated(skew: float) -> None:
    with Tenant(jobs(1), public_key=public(made()), clock_skew_seconds=skew) as tenant:
        settings = {**tenant.settings, "private_key": pem(made())}
        if -120 < skew < 240:
            with make_client(settings) as client:
                client.sign_in()
        else:
            assert "from the future" in refused(settings)


@pytest.mark.parametrize(("skew", "words"), [(-600, "from the future"), (600, "expired")])
def test_wrong_clock_is_suggested_as_cause(skew: float, words: str) -> None:
    with Tenant(jobs(1), public_key=public(made()), clock_skew_seconds=skew) as tenant:
        message = refused({**tenant.settings, "private_key": pem(made())})
    assert words in message
    assert "clock" in message
    assert "private key" in message
    assert "client_secret" not in message


def test_wrong_credentials_are_rejected(tenant: Tenant, given: dict[str, Any]) -> None:
    assert "not signed with this client's key" in refused({**given, "private_key": pem(made(which=1))})
    assert "Unauthorized" in refused({**given, "client_id": "somebody-else"})
    assert "client_assertion_type" in refused({**tenant.settings, "client_secret": "not-a-real-secret"})
    assert tenant.tokens_issued == 0


def test_tenant_with_secret_rejects_private_key() -> None:
    with Tenant(jobs(1)) as tenant:
        settings = {**tenant.settings, "private_key": pem(made())}
        del settings["client_secret"]
        assert "401" in refused(settings)


NOW = 1_800_000_000
GOOD = {"iss": "cid", "sub": "cid", "aud": "https://x/token", "iat": NOW, "exp": NOW + 300, "jti": "a"}
BAD = {
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


def checked(claims: dict[str, Any], checks: Assertions, key: Any = None, algorithm: str = "RS256") -> str | None:
    token = jwt.encode({k: v for k, v in claims.items() if v is not None}, key or made(), algorithm=algorithm)
    body = {
        "client_id": "cid",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": token,
    }
    return checks.refusal(body, "https://x/token")


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_demo_server_rejects_invalid_claims(
    changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    checks = Assertions(public(made()))
    assert words in (checked({**GOOD, **changes}, checks) or "not refused")
    assert checked(GOOD, checks) is None
    assert "used before" in (checked(GOOD, checks) or "")
    assert checked({**GOOD, "iat": NOW + 60, "jti": "b"}, checks) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", None, 7])
def test_demo_server_rejects_unsigned_assertions(text: Any) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    body = {"client_id": "cid", "client_assertion_type": kind, "client_assertion": text}
    assert "not signed" in (Assertions(public(made())).refusal(body, "x") or "")
    assert "not signed" in (checked(GOOD, Assertions(public(made())), key="x" * 64, algorithm="HS256") or ""), (
        "the algorithm is not the sender's to choose"
    )


# Keys that cannot be used


def bad_key(kind: str) -> str:
    match kind:
        case "encrypted":
            return pem(made(), serialization.BestAvailableEncryption(b"s3cr3t-phrase"))
        case "another kind":
            return pem(ec.generate_private_key(ec.SECP256R1()))
        case "short":
            return pem(rsa.generate_private_key(65537, 1024))
        case "public":
            return public(made())
        case "cut":
            return pem(made())[:500]
        case _:
            return "not a key, but S3CR3T-canary"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("encrypted", "is encrypted"),
        ("another kind", "is no RSA key"),
        ("short", "1024 bits"),
        ("public", "no private key in PEM form"),
        ("cut", "no private key in PEM form"),
        ("text", "no private key in PEM form"),
    ],
)
@pytest.mark.parametrize("how", ["text", "file"])
def test_unusable_private_key_raises_without_revealing_it(tenant: Tenant, kind: str, words: str, how: str) -> None:
    text = bad_key(kind)
    Path("key.pem").write_text(text, encoding="utf-8")
    given: dict[str, Any] = {"private_key": text} if how == "text" else {"private_key_file": "key.pem"}
    with pytest.raises(tpa.ConfigError, match=words) as exc_info:
        tpa.connect(**tenant.settings, **given)
    shown = traceback.TracebackException.from_exception(exc_info.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "tests" not in frame.filename]
    told = "".join(f"{frame.name} {frame.locals}" for frame in ours) + str(exc_info.value)
    for line in text.splitlines():
        assert line not in told or line.startswith("-----")
    assert "TPANALYTICS_PRIVATE_KEY_FILE" in told
    assert exc_info.value.__context__ is None
    assert tenant.requests == []


@pytest.mark.parametrize("package", ["jwt", "cryptography.hazmat.primitives.asymmetric.rsa"])
def test_missing_package_raises_with_install_command(
    given: dict[str, Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tpa.ConfigError, match=r'pip install "tpanalytics\[jwt\]"'):
        tpa.connect(**given)


# Nothing gets out


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 503])
def test_echoed_assertion_and_key_are_redacted(
    tenant: Tenant,
    given: dict[str, Any],
    status: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[str] = []
    check = Assertions.refusal

    def watched(self: Assertions, body: dict[str, Any], audience: str) -> str | None:
        sent.append(body["client_assertion"])
        return check(self, body, audience)

    monkeypatch.setattr(Assertions, "refusal", watched)
    tenant.token_faults[0] = lambda _: said(
        status, {"error": f"bad {sent[-1]}", "error_description": f"You sent {sent[-1]} {given['private_key']}"}
    )
    with make_client(given) as client, pytest.raises(tpa.TpAnalyticsError) as exc_info:
        client.sign_in()
    shown = traceback.TracebackException.from_exception(exc_info.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "tests" not in frame.filename]
    told = "".join(f"{frame.name} {frame.locals}" for frame in ours) + str(exc_info.value) + caplog.text
    told += repr(client) + repr(client.settings) + repr(vars(client._tokens))
    assert sent
    for secret in (*sent, *(part for one in sent for part in one.split(".")[1:])):
        assert secret not in told
    assert not any(line in told for line in given["private_key"].splitlines()[1:-1])
