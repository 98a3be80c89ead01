"""Issue 20: certificates, proxies and interrupted connections."""

from __future__ import annotations

import socket
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.faults.test_tls import encrypted
from tests.helpers.scripted_server import Host, instead, jobs, said
from tests.open_issues.expected_failures import not_raised
from tests.open_issues.files import write_file
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


__all__ = ["encrypted"]

EXPORT = "/job_architecture/export/jobs/task_profiles"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def certificate(encrypted: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the self-signed certificate of the tenant, with no proxy or certificate variables set."""
    for name in (*PROXIES, *BUNDLES):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "own.pem"


def connect(tenant: Tenant, tries: int = 1, **addresses: str) -> Any:
    """Return a client that connects to the tenant over TLS."""
    settings = {name: value.replace("http://", "https://") for name, value in tenant.settings.items()}
    return tpa.connect(**{**settings, **addresses}, token_cache=False, retry=tpa.RetryPolicy(tries=tries, base=0))


def refusal(tenant: Tenant) -> str:
    """Return the error message of a failed sign-in."""
    with connect(tenant) as client, pytest.raises(tpa.TpAnalyticsError) as caught:
        client.sign_in()
    assert tenant.requests == []
    return str(caught.value)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_both_certificate_variables_are_used(
    encrypted: Tenant, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BUNDLES:
        with monkeypatch.context() as patch, connect(encrypted) as client:
            patch.setenv(name, str(certificate))
            assert tpa.load_task_profiles(client, progress=False).jobs.height == 3


@pytest.mark.parametrize("variable", BUNDLES)
@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A missing certificate file raises an OSError that does not name the variable.",
)
def test_missing_certificate_file_is_reported_with_its_variable(
    encrypted: Tenant, certificate: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate.with_name("company-ca.pem")))
    with not_raised(OSError):
        assert variable in refusal(encrypted)


#: Invalid values of a certificate variable, by the file of the certificate and its key.
WRONG_BUNDLES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: "",
    "a folder": lambda certificate: certificate.parent,
    "a file of something else": lambda _: write_file("other.pem", "not a certificate"),
    "a file of a key": lambda certificate: write_file(
        "key.pem", "-----BEGIN" + certificate.read_text("ascii").rpartition("-----BEGIN")[2]
    ),
}


@pytest.mark.parametrize("variable", BUNDLES)
@pytest.mark.parametrize("make", WRONG_BUNDLES.values(), ids=WRONG_BUNDLES)
def test_nothing_is_sent_with_an_invalid_certificate_file(
    encrypted: Tenant, certificate: Path, variable: str, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(make(certificate)))
    assert refusal(encrypted)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHTTPSVERIFY", "0"),
        *(("HTTPS_PROXY", value) for value in ("http://[bad", "http://", "ftp://x:1", "http://127.0.0.1:99999")),
        ("HTTPS_PROXY", "http://user:password@127.0.0.1:1"),
    ],
)
def test_nothing_is_sent_with_invalid_environment_variables(
    encrypted: Tenant, certificate: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert "password" not in refusal(encrypted)


def test_invalid_no_proxy_variable_is_ignored(
    encrypted: Tenant, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "[::1,*,//")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert refusal(encrypted)


@pytest.mark.parametrize(
    "content",
    [b"TPANALYTICS_CLIENT_SECRET=a\0b\n", b"A=1\n" * 20_000, b"TPANALYTICS_CLIENT_SECRET='abc\n"],
    ids=["a null byte", "20,000 lines", "an unclosed quote"],
)
def test_unusual_env_file_raises_a_config_error(content: bytes) -> None:
    write_file(".env", content)
    with pytest.raises(tpa.ConfigError):
        tpa.connect()


NOT_NAMED = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: The message of a failed connection names neither the certificate nor the proxy.",
)


@NOT_NAMED
def test_unknown_certificate_authority_is_reported(encrypted: Tenant, certificate: Path) -> None:
    message = refusal(encrypted)
    assert "certificate" in message
    assert "REQUESTS_CA_BUNDLE" in message


@NOT_NAMED
@pytest.mark.parametrize(
    ("proxy", "word"),
    [
        ("http://127.0.0.1:{closed_port}", "proxy"),
        ("http://127.0.0.1:{closed_port}a", "proxy"),
        ("socks5://127.0.0.1:{closed_port}", "socks"),
    ],
    ids=["no response", "invalid address", "PySocks is missing"],
)
def test_unusable_proxy_is_reported(
    encrypted: Tenant, certificate: Path, proxy: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(closed_port=closed_port()))
    assert word in refusal(encrypted).lower()


@NOT_NAMED
@pytest.mark.parametrize("status", [407, 403], ids=["password required", "host forbidden"])
def test_refusing_proxy_is_reported_with_its_status(
    encrypted: Tenant, certificate: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Host(lambda _: said(status, Proxy_Authenticate="NTLM")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        message = refusal(encrypted).lower()
        assert proxy.received
    assert "proxy" in message
    assert str(status) in message


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A temporary status, such as 408 or 520, ends the export without a retry.",
)
@pytest.mark.parametrize("status", [408, 520, 522, 524])
@pytest.mark.parametrize("endpoint", ["export", "token endpoint"])
def test_temporary_error_is_retried(endpoint: str, status: int) -> None:
    with Tenant(jobs(3)) as tenant:
        faults = tenant.faults if endpoint == "export" else tenant.token_faults
        faults[1] = instead(status, {})
        client = tpa.connect(**tenant.settings, token_cache=False, retry=tpa.RetryPolicy(tries=3, base=0))
        with not_raised(tpa.ApiError, tpa.AuthError):
            loaded = tpa.load_task_profiles(client, progress=False)
    assert loaded.jobs["job_id"].to_list() == ["job-1", "job-2", "job-3"]


def cut_handshake(tenant: Tenant, number: int) -> None:
    """Close the connection with this number, starting at 1, before its handshake."""
    accept, numbers = tenant._server.get_request, count(1)

    def get_request() -> Any:
        if next(numbers) == number:
            connection, _ = accept()
            socket.socket.recv(connection, 4096)
            socket.socket.close(connection)
            raise ConnectionAbortedError
        return accept()

    tenant._server.get_request = get_request


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: An interrupted handshake ends the export without a retry.",
)
@pytest.mark.parametrize("endpoint", ["token endpoint", "export"])
def test_interrupted_handshake_is_retried(encrypted: Tenant, endpoint: str) -> None:
    cut_handshake(encrypted, 1 if endpoint == "token endpoint" else 2)
    other_address = encrypted.base_url.replace("http://127.0.0.1", "https://localhost")
    with connect(encrypted, tries=3, base_url=other_address) as client, not_raised(tpa.Unreachable):
        response = client.request("POST", EXPORT, body={"limit": 3})
    assert response.count(b"external_id") == 3
