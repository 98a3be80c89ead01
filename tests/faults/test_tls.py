"""Limits for responses over TLS and through a proxy."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.helpers.scripted_server import jobs
from tpanalytics.api.session import Client
from tpanalytics.api.settings import resolve
from tpanalytics.demo import faults
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXPORT = "/job_architecture/export/jobs/task_profiles"


def write_certificate(path: Path) -> None:
    """Write a self-signed certificate for localhost and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private_key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + private_key)


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """Return a tenant that only accepts TLS, with a trusted certificate."""
    write_certificate(tmp_path / "own.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "own.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    tenant = Tenant(jobs(3))
    server = tenant._server
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with tenant:
        yield tenant


def make_client(tenant: Tenant, **limits: Any) -> Client:
    settings = {name: value.replace("http://", "https://") for name, value in tenant.settings.items()}
    policy = tpa.RetryPolicy(tries=2, base=0)
    return Client(resolve(settings), retry=policy, limits=tpa.Limits(**limits), sleep=lambda _: None)


def ask(client: Client) -> bytes:
    return client.request("POST", EXPORT, body={"limit": 100})


SLOW = {"body": faults.dripping(20), "head": faults.slow_head(20)}


@pytest.mark.parametrize("part", SLOW)
def test_slow_tls_response_times_out(encrypted: Tenant, part: str) -> None:
    encrypted.faults[0] = SLOW[part]
    with (
        make_client(encrypted, answer_seconds=0.4) as client,
        pytest.raises(tpa.Unreachable, match=r"not complete within 0\.4 s"),
    ):
        ask(client)


def test_interrupted_tls_response_is_retried(encrypted: Tenant) -> None:
    encrypted.faults[1] = faults.cut(10)
    with make_client(encrypted) as client:
        assert ask(client).count(b"external_id") == 3
    assert encrypted.requests.count(("POST", EXPORT)) == 2


def test_silent_tls_connection_times_out(encrypted: Tenant) -> None:
    encrypted.faults[0] = faults.slow(1)
    with make_client(encrypted, silence_seconds=0.2) as client, pytest.raises(tpa.Unreachable, match=r"within 0\.2 s"):
        ask(client)


class Proxy:
    """HTTP proxy that opens tunnels. `before_response` is called before it responds."""

    def __init__(self, before_response: Callable[[socket.socket], None]) -> None:
        self.before_response = before_response
        self.n_requests = 0
        self.socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _serve(self) -> None:
        while True:
            try:
                inner, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(inner,), daemon=True).start()

    def _tunnel(self, inner: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += inner.recv(4096)
        self.n_requests += 1
        try:
            self.before_response(inner)
            host, port = request.split()[1].decode().split(":")
            outer = socket.create_connection((host, int(port)))
            inner.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            thread = threading.Thread(target=_forward, args=(outer, inner), daemon=True)
            thread.start()
            _forward(inner, outer)
            thread.join()
            outer.close()
        except OSError:
            pass
        inner.close()


def _forward(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def send_header(inner: socket.socket) -> None:
    inner.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        inner.sendall(b"x")
        time.sleep(0.05)


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the proxy in the environment."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda url: monkeypatch.setenv("HTTPS_PROXY", url)


def test_limits_apply_behind_a_proxy(encrypted: Tenant, use_proxy: Callable[[str], None]) -> None:
    proxy = Proxy(lambda _: None)
    with proxy as url:
        use_proxy(url)
        with make_client(encrypted, answer_seconds=0.4) as client:
            ask(client)
            encrypted.faults[0] = faults.dripping(20)
            with pytest.raises(tpa.Unreachable, match=r"not complete within 0\.4 s"):
                ask(client)
    assert proxy.n_requests > 0


def test_slow_proxy_response_times_out(encrypted: Tenant, use_proxy: Callable[[str], None]) -> None:
    with Proxy(send_header) as url:
        use_proxy(url)
        with (
            make_client(encrypted, answer_seconds=0.4) as client,
            pytest.raises(tpa.Unreachable, match="attempt 2 of 2"),
        ):
            ask(client)
    assert encrypted.requests == []
