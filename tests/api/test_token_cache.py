"""Sharing tokens between clients and processes through the cache file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import hypothesis
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.api.conftest import traceback_with_locals
from tests.helpers.scripted_server import change_fields, instead
from tpanalytics.api import tokens
from tpanalytics.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Clock
    from tpanalytics.demo.server import Tenant

QUICK = tpa.RetryPolicy(tries=2, base=0)
posix = pytest.mark.skipif(os.name == "nt", reason="requires POSIX permissions")


@pytest.fixture(autouse=True)
def _fast_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash the secret quickly, because each client hashes it again for the file name."""
    monkeypatch.setattr(tokens, "_ITERATIONS", 1000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def n_requested(tenant: Tenant, cache: Any, /, **settings: Any) -> int:
    """Connect, send a request and return the number of tokens that were requested for it."""
    with tpa.connect(**{**tenant.settings, **settings}, retry=QUICK, token_cache=cache) as client:
        assert client.version() == "2025-01-29"
        return client.tokens_fetched


def token_file(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Sharing


def test_clients_share_a_cached_token(tenant: Tenant, folder: Path) -> None:
    assert [n_requested(tenant, cache) for cache in (folder, str(folder), folder)] == [1, 0, 0]
    assert tenant.tokens_issued == 1


def test_threads_of_one_client_request_one_token(tenant: Tenant, folder: Path) -> None:
    barrier = threading.Barrier(8)
    with tpa.connect(**tenant.settings, token_cache=folder) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: (barrier.wait(), client.version()), range(8)))
    assert tenant.tokens_issued == 1


def test_clients_in_threads_request_one_token(tenant: Tenant, folder: Path) -> None:
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        requested = list(pool.map(lambda _: (barrier.wait(), n_requested(tenant, folder))[1], range(8)))
    assert (sum(requested), tenant.tokens_issued) == (1, 1)


PROCESS = """
import json, sys
import tpanalytics as tpa
from tpanalytics.api import tokens
tokens._ITERATIONS = 1000  # the same file name as in the test
settings = json.loads(sys.argv[1])
client = tpa.connect(**settings, token_cache=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
client.version()
print(client.tokens_fetched)
"""


@pytest.mark.parametrize("before", ["no token", "a rejected token"])
def test_processes_request_one_token(tenant: Tenant, folder: Path, before: str) -> None:
    if before == "a rejected token":
        n_requested(tenant, folder)
        tenant.expire_tokens()
    issued = tenant.tokens_issued

    def slow(reply: Any) -> Any:
        time.sleep(0.3)  # long enough for both processes to need a token
        return reply

    tenant.token_faults[0] = slow
    command = [sys.executable, "-c", PROCESS, json.dumps(tenant.settings), str(folder)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    requested = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(list(folder.glob("*.json"))) == 1
    assert sorted(requested) == [0, 1]
    assert tenant.tokens_issued == issued + 1


def test_waiting_for_lock_times_out(tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_LOCK_SECONDS", 0.2)
    n_requested(tenant, folder)
    token_file(folder).unlink()
    (lock,) = folder.glob("*.lock")
    with filelock.FileLock(lock), ThreadPoolExecutor(1) as pool:
        assert pool.submit(n_requested, tenant, folder).result(timeout=30) == 1


@pytest.mark.parametrize("error", [OSError, PermissionError, NotImplementedError])
def test_file_system_without_locks_is_supported(
    tenant: Tenant, folder: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 0]


# Settings


@pytest.mark.parametrize("name", ["client_id", "client_secret", "audience", "tenant"])
def test_token_is_not_used_with_other_settings(tenant: Tenant, folder: Path, name: str) -> None:
    n_requested(tenant, folder)
    with pytest.raises(tpa.AuthError):
        n_requested(tenant, folder, **{name: "another"})
    assert n_requested(tenant, folder) == 0


def test_token_is_not_used_with_other_token_endpoint(tenant: Tenant, folder: Path) -> None:
    n_requested(tenant, folder)
    assert n_requested(tenant, folder, token_url=tenant.settings["token_url"].replace("127.0.0.1", "localhost")) == 1
    assert len(list(folder.glob("*.json"))) == 2


def test_doctor_detects_wrong_secret_despite_cached_token(
    tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TPANALYTICS_TOKEN_CACHE", str(folder))
    for name, value in tenant.settings.items():
        monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
    assert main(["doctor"]) == 0
    assert "granted\n" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    assert "from the cache" in capsys.readouterr().out
    assert main(["doctor", "--no-token-cache"]) == 0
    assert "granted\n" in capsys.readouterr().out
    assert tenant.tokens_issued == 2
    monkeypatch.setenv("TPANALYTICS_CLIENT_SECRET", "wrong")
    assert main(["doctor"]) == 1
    assert "returned 401" in capsys.readouterr().err


def test_export_can_disable_cache(
    tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TPANALYTICS_TOKEN_CACHE", str(folder))
    for name, value in tenant.settings.items():
        monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
    assert main(["export", "snap", "--no-token-cache", "--json"]) == 0
    assert not folder.exists()
    for _ in range(2):
        assert main(["export", "snap", "--json"]) == 0
    assert tenant.tokens_issued == 2


# Files


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_created_with_private_permissions(
    tenant: Tenant, folder: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    original = os.open

    def recording_open(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        descriptor = original(path, flags, mode, **options)
        if flags & os.O_CREAT and Path(path).parent == folder:
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", recording_open)
    before = os.umask(umask)
    try:
        n_requested(tenant, folder)
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert set(modes) == {0o600}


def test_files_do_not_contain_settings(tenant: Tenant, folder: Path) -> None:
    n_requested(tenant, folder)
    names = " ".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    content = b"".join(path.read_bytes() for path in folder.rglob("*"))
    for value in tenant.settings.values():
        assert value not in names
        assert value.encode() not in content
        assert hashlib.sha256(value.encode()).hexdigest() not in names
    assert set(json.loads(token_file(folder).read_bytes())) == {"access_token", "received_at", "expires_at"}
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".lock"}


def test_cached_token_is_not_in_messages_logs_or_reprs(
    tenant: Tenant, folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    n_requested(tenant, folder)
    token = json.loads(token_file(folder).read_bytes())["access_token"]
    tenant.faults[0] = instead(400, [{"title": "No", "description": f"You sent {token}."}])
    with tpa.connect(**tenant.settings, token_cache=folder) as client:
        with pytest.raises(tpa.ApiError) as exc_info:
            client.request("POST", "/job_architecture/export/jobs/task_profiles", body={"limit": 1})
        assert client.tokens_fetched == 0
        texts = [repr(client), repr(vars(client)), repr(vars(client._tokens)), repr(client._tokens._current)]
    texts += [traceback_with_locals(exc_info.value), caplog.text, *capfd.readouterr()]
    assert "***" in str(exc_info.value)
    assert not any(token in text for text in texts)


@pytest.mark.parametrize("cache", [False, True])
def test_nothing_is_written_without_cache_or_for_localhost(tenant: Tenant, cache: bool) -> None:
    assert [n_requested(tenant, cache), n_requested(tenant, cache)] == [1, 1]
    assert list(Path().rglob("*")) == []


def test_default_is_the_user_cache_folder() -> None:
    folder = tokens._cache_folder(True, "https://techwolf.eu.auth0.com/oauth/token")
    assert folder == Path("user-cache/tokens").absolute()


def test_folder_can_be_set_by_environment_variable(
    tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPANALYTICS_TOKEN_CACHE", str(folder))
    assert [n_requested(tenant, True), n_requested(tenant, True), n_requested(tenant, False)] == [
        1,
        0,
        1,
    ]
    assert token_file(folder)
    monkeypatch.setenv("TPANALYTICS_TOKEN_CACHE", " ")
    assert n_requested(tenant, True) == 1


@pytest.mark.parametrize("cache", ["", " ", None, 1, b"x"])
def test_invalid_folder_raises(tenant: Tenant, cache: Any) -> None:
    with pytest.raises(tpa.ConfigError, match="token_cache"):
        tpa.connect(**tenant.settings, token_cache=cache)


# Expiry


@pytest.mark.parametrize(("lifetime", "leeway"), [(10800, 60), (600, 60), (100, 10), (10, 1)])
def test_cached_token_is_renewed_before_it_expires(
    tenant: Tenant, folder: Path, clock: Clock, lifetime: float, leeway: float
) -> None:
    tenant.token_faults[0] = change_fields(expires_in=lifetime)
    n_requested(tenant, folder)
    start = clock.now
    clock.now = start + lifetime - leeway - 0.5
    assert n_requested(tenant, folder) == 0
    clock.now = start + lifetime - leeway + 0.5
    assert n_requested(tenant, folder) == 1
    assert n_requested(tenant, folder) == 0


@pytest.mark.parametrize("lifetime", [None, 0])
def test_token_without_lifetime_is_not_cached(tenant: Tenant, folder: Path, lifetime: Any) -> None:
    tenant.token_faults[0] = change_fields(expires_in=lifetime)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 1]
    assert list(folder.glob("*.json")) == []


@pytest.mark.parametrize(("skew", "requested"), [(-86400, 1), (-301, 1), (-180, 0), (180, 0), (86400, 1)])
def test_clock_skew_is_tolerated_up_to_five_minutes(
    tenant: Tenant, folder: Path, clock: Clock, skew: float, requested: int
) -> None:
    n_requested(tenant, folder)
    clock.now += skew
    assert n_requested(tenant, folder) == requested
    assert n_requested(tenant, folder) == 0


# Rejected tokens


def test_rejected_token_is_replaced_in_cache(tenant: Tenant, folder: Path) -> None:
    n_requested(tenant, folder)
    old = token_file(folder).read_bytes()
    tenant.expire_tokens()
    assert n_requested(tenant, folder) == 1
    assert token_file(folder).read_bytes() != old
    assert n_requested(tenant, folder) == 0
    assert tenant.tokens_issued == 2


def test_token_rejected_twice_is_not_cached(tenant: Tenant, folder: Path) -> None:
    n_requested(tenant, folder)
    tenant.faults[0] = instead(401)
    with tpa.connect(**tenant.settings, token_cache=folder) as client, pytest.raises(tpa.AuthError):
        client.request("POST", "/job_architecture/export/jobs/task_profiles", body={"limit": 1})
    assert tenant.tokens_issued == 2
    assert list(folder.glob("*.json")) == []


def test_token_renewed_by_another_process_is_used(tenant: Tenant, folder: Path) -> None:
    with tpa.connect(**tenant.settings, token_cache=folder) as client:
        client.version()
        tenant.expire_tokens()
        assert n_requested(tenant, folder) == 1
        renewed = token_file(folder).read_bytes()
        client.version()
        assert client.tokens_fetched == 1
    assert token_file(folder).read_bytes() == renewed
    assert tenant.tokens_issued == 2


def test_close_keeps_the_cached_token(tenant: Tenant, folder: Path) -> None:
    client = tpa.connect(**tenant.settings, token_cache=folder)
    client.version()
    client.close()
    assert client._tokens._current is None
    assert n_requested(tenant, folder) == 0


# Invalid files and folders


def edit(**changes: Any) -> Callable[[Path], None]:
    """Return a function that changes fields of a file, or removes them if the value is `...`."""

    def damage(file: Path) -> None:
        entry = {**json.loads(file.read_bytes()), **changes}
        file.write_text(json.dumps({name: value for name, value in entry.items() if value is not ...}))

    return damage


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-5]),
    "deeply nested": lambda file: file.write_bytes(b"[" * 60_000),
    "huge": lambda file: file.write_bytes(b" " * 100_000 + file.read_bytes()),
    "no token": edit(access_token=...),
    "a null token": edit(access_token=None),
    "an empty token": edit(access_token=""),
    "a token with a line break": edit(access_token="tok\r\nX-Evil: 1"),
    "a token with Cyrillic letters": edit(access_token="ключ"),
    "no times": edit(received_at=..., expires_at=...),
    "a time as text": edit(expires_at="soon"),
    "a NaN time": edit(received_at=float("nan")),
    "an infinite expiry": edit(expires_at=float("inf")),
    "an infinite receive time": edit(received_at=float("-inf")),
    "a number out of range": edit(expires_at=10**400),
    "expired before it was received": edit(expires_at=0),
    "from the future": edit(received_at=time.time() + 4000, expires_at=time.time() + 9000),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_replaced(tenant: Tenant, folder: Path, damage: Callable[[Path], Any]) -> None:
    n_requested(tenant, folder)
    damage(token_file(folder))
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 0]
    if os.name != "nt":
        assert mode(token_file(folder)) == 0o600


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ENTRIES = st.fixed_dictionaries(dict.fromkeys(("access_token", "received_at", "expires_at"), VALUES))


@hypothesis.given(raw=st.binary() | st.recursive(VALUES | ENTRIES, st.lists).map(json.dumps).map(str.encode))
def test_invalid_content_never_raises(raw: bytes) -> None:
    token = tokens._parse_entry(raw)
    assert token is None or token.token.reveal().isascii()


@posix
@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o660, 0o666])
def test_file_with_unsafe_permissions_is_replaced(tenant: Tenant, folder: Path, permissions: int) -> None:
    n_requested(tenant, folder)
    token_file(folder).chmod(permissions)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 0]
    assert mode(token_file(folder)) == 0o600


@posix
def test_file_of_another_user_is_ignored(tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_requested(tenant, folder)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 1]


@posix
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_links_pipes_and_folders_are_not_read(tenant: Tenant, folder: Path, kind: str) -> None:
    n_requested(tenant, folder)
    file = token_file(folder)
    elsewhere = folder.parent / "elsewhere.json"
    file.replace(elsewhere)
    if kind == "link":
        file.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    assert n_requested(tenant, folder) == 1
    assert n_requested(tenant, folder) == (kind == "folder"), "a folder cannot be replaced"


@posix
def test_world_writable_folder_is_not_used(tenant: Tenant, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 1]
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_created_is_ignored(tenant: Tenant, folder: Path) -> None:
    folder.write_text("not a folder")
    assert [n_requested(tenant, folder), n_requested(tenant, folder / "inside")] == [1, 1]


@posix
def test_rejected_token_in_read_only_file_is_not_used_again(
    tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_requested(tenant, folder)
    old = token_file(folder).read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", fail)
    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    tenant.expire_tokens()
    assert n_requested(tenant, folder) == 1
    assert old in [file.read_bytes() for file in folder.glob("*.json")]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can write to read-only folders")
def test_read_only_folder_is_ignored(tenant: Tenant, folder: Path) -> None:
    folder.mkdir(mode=0o500)
    assert [n_requested(tenant, folder), n_requested(tenant, folder)] == [1, 1]
