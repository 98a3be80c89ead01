"""Secrets and tokens in messages, reprs, logs, tracebacks and files."""

from __future__ import annotations

import html
import json
import logging
import os
import traceback
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest

import tpanalytics as tpa
from tests.api.conftest import traceback_with_locals
from tests.helpers.scripted_server import cut, jobs, make_client, said
from tpanalytics.api.export import ExportRequest, export_pages, list_all
from tpanalytics.api.settings import resolve
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Contains characters that encodings change. Finding one of the two words means that the secret was revealed.
SECRET = "Kanarie5517\"'%41 ü€ß\\<&+/=\U0001f424kanari8823"
SECRET_WORDS = ("Kanarie5517", "kanari8823")

#: Formats in which a service may echo the request.
ECHOES: dict[str, Callable[[str], Any]] = {
    "list of errors": lambda text: [{"title": f"Refused {text}", "description": f"You sent {text}!"}],
    "oauth object": lambda text: {"error": f"bad {text}", "error_description": f"You sent {text}!"},
    "other object": lambda text: {"detail": text},
    "nested object": lambda text: {"error": {"reason": text, "again": [text]}, "description": {"it's": text}},
    "json with unicode": lambda text: json.dumps({"detail": text}, ensure_ascii=False).encode(),
    "nested json": lambda text: {"detail": json.dumps(json.dumps(text))},
    "html": lambda text: f"<html>{html.escape(text)}</html>",
    "html with numbers": lambda text: f"<html>{html.escape(text).encode('ascii', 'xmlcharrefreplace').decode()}</html>",
    "plain": lambda text: f"secret={text}",
    "utf-8 decoded as latin-1": lambda text: text.encode().decode("latin-1"),
    "latin-1": lambda text: text.encode("latin-1", "replace"),
    "utf-16": lambda text: text.encode("utf-16-le").replace(b"\0", b""),
    "query": lambda text: f"secret={quote(text)}&again={quote(text, safe='')}",
    "form": lambda text: f"secret={quote_plus(text)}",
    "lowercase percent-encoding": lambda text: "".join(
        f"%{byte:02x}" if byte > 126 or byte < 48 else chr(byte) for byte in text.encode()
    ),
    "repr": lambda text: repr({"it's": text}),
    "truncated": lambda text: "x" * 150 + text,
    "twice": lambda text: text + text,
}
HEADERS = {
    "X-Request-ID": "req-{}",
    "Location": "https://{}.invalid/x",
    "Retry-After": "{}",
    "WWW-Authenticate": "Bearer {}",
    "Set-Cookie": "token={}",
}


STATUSES = (200, 302, 400, 401, 403, 404, 422, 429, 503)
#: All statuses with one format, and all formats as a response and as an error.
ECHOED = [("list of errors", STATUSES), *((form, (200, 400)) for form in ECHOES if form != "list of errors")]


class Recorder:
    """Collection of all texts that a user or a program can read after a test."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, *objects: object) -> None:
        self.texts += [text for obj in objects for text in (str(obj), repr(obj))]

    def add_recursively(self, obj: object, depth: int = 0, seen: set[int] | None = None) -> None:
        """Add an object with its attributes, items, causes and notes."""
        seen = set() if seen is None else seen
        if id(obj) in seen or depth > 6:
            return
        seen.add(id(obj))
        self.add(obj)
        children: list[object] = [*getattr(obj, "__dict__", {}).values()]
        if isinstance(obj, BaseException):
            children += [obj.__cause__, obj.__context__, *obj.args, *getattr(obj, "__notes__", [])]
            children += [getattr(obj, name) for name in ("object", "doc") if hasattr(obj, name)]
            self.texts += traceback.format_exception(obj)
        elif isinstance(obj, dict):
            children += obj.values()
        elif isinstance(obj, (list, tuple, set)):
            children += obj
        for child in children:
            self.add_recursively(child, depth + 1, seen)

    def find(self, *words: str) -> list[str]:
        return [text for text in self.texts if any(word in text for word in words)]


@pytest.fixture
def recorder(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Recorder]:
    """Record all loggers at level DEBUG, the output, warnings and files, and check that they contain no secret."""
    recorder = Recorder()
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in root.manager.loggerDict)]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "propagate", True)
        logger.manager._clear_cache()  # type: ignore[attr-defined]
    caplog.handler.setLevel(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        yield recorder
    recorder.add(*(warning.message for warning in caught_warnings))
    for record in caplog.records:
        recorder.add_recursively(record)
    recorder.texts += [caplog.text, *capfd.readouterr()]
    for path in Path().rglob("*"):
        recorder.add(path)
        if path.is_file():
            recorder.texts.append(path.read_bytes().decode("utf-8", "replace"))
    assert any("/oauth/token" in text for text in recorder.texts), "the log was not recorded"
    assert recorder.find(*SECRET_WORDS) == []


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3), client_secret=SECRET) as tenant:
        yield tenant


class Tokens:
    """Fault that records all issued tokens."""

    def __init__(self, tenant: Tenant) -> None:
        self.issued: list[str] = []
        tenant.token_faults[0] = self

    def __call__(self, reply: Reply) -> Reply:
        if reply.status == 200:
            self.issued.append(json.loads(reply.body)["access_token"])
        return reply


def use_client(recorder: Recorder, tenant: Tenant, **settings: Any) -> list[BaseException]:
    """Call all methods of a client, record the results and return the errors."""
    reasons: list[str] = []
    errors: list[BaseException] = []
    with make_client({**tenant.settings, **settings}) as client:
        client.on_wait = reasons.append
        for function in (
            lambda: list(export_pages(client, ExportRequest(limit=1))),
            lambda: tpa.load_task_profiles(client, limit=1, snapshot="snapshot", progress=True),
            lambda: list_all(client, "/job_architecture/jobs"),
            client.version,
        ):
            try:
                recorder.add(function())
            except Exception as error:  # noqa: BLE001  checked below
                errors.append(error)
        recorder.add(client, client.settings, client.settings.origins, vars(client.settings))
    recorder.add(*reasons)
    for error in errors:
        recorder.add_recursively(error)
        assert isinstance(error, tpa.TpAnalyticsError), repr(error)
    return errors


def respond(status: int, body: Callable[[], Any], headers: Callable[[], dict[str, str]] = dict) -> Any:
    """Return a fault whose body is created when it is sent, so that it can echo the request."""
    return lambda _: said(status, body(), **headers())


def test_successful_export_reveals_nothing(tenant: Tenant, recorder: Recorder) -> None:
    tokens = Tokens(tenant)
    assert use_client(recorder, tenant) == []
    assert Path("snapshot").is_dir()
    assert len(tokens.issued) == 1
    assert recorder.find(*tokens.issued) == []


@pytest.mark.parametrize(("form", "statuses"), ECHOED, ids=[form for form, _ in ECHOED])
def test_echoed_token_and_secret_are_redacted(
    tenant: Tenant, recorder: Recorder, form: str, statuses: tuple[int, ...]
) -> None:
    tokens = Tokens(tenant)
    for status in statuses:
        tenant.faults[0] = respond(status, lambda: ECHOES[form](f"{SECRET} {tokens.issued[-1]}"))
        assert use_client(recorder, tenant), status
    assert len(tokens.issued) >= len(statuses)
    assert recorder.find(*tokens.issued) == []


def test_echoed_old_token_is_redacted(tenant: Tenant, recorder: Recorder) -> None:
    tokens = Tokens(tenant)
    tenant.faults[0] = lambda _: said(
        401 if len(tokens.issued) < 2 else 400, [{"title": "No", "description": tokens.issued[0]}]
    )
    assert use_client(recorder, tenant)
    assert len(tokens.issued) > 1
    assert recorder.find(*tokens.issued) == []


@pytest.mark.parametrize(("form", "statuses"), ECHOED, ids=[form for form, _ in ECHOED])
def test_secret_echoed_by_token_endpoint_is_redacted(
    tenant: Tenant, recorder: Recorder, form: str, statuses: tuple[int, ...]
) -> None:
    for status in statuses:
        tenant.token_faults[0] = respond(status, lambda: ECHOES[form](SECRET))
        assert use_client(recorder, tenant), status


def test_echoed_headers_are_redacted(tenant: Tenant, recorder: Recorder) -> None:
    tokens = Tokens(tenant)
    plain = quote(SECRET, safe="")

    def headers_with(text: str) -> dict[str, str]:
        return {name: value.format(text) for name, value in HEADERS.items()}

    for status in STATUSES:
        tenant.token_faults[0] = tokens
        tenant.faults[0] = respond(status, bytes, lambda: headers_with(f"{plain}-{tokens.issued[-1]}"))
        assert use_client(recorder, tenant), status
        tenant.token_faults[0] = respond(status, bytes, lambda: headers_with(plain))
        assert use_client(recorder, tenant), status
    assert recorder.find(*tokens.issued) == []


@pytest.mark.parametrize("tail", ["", "\r\n", "ключ", " ", "é"])
def test_unusable_token_is_redacted(tenant: Tenant, recorder: Recorder, tail: str) -> None:
    token = f"Kanarie5517{tail}"
    for fields in ({"expires_in": "soon"}, {"expires_in": [1]}, {"error": "odd"}, {"access_token": 1}):
        tenant.token_faults[0] = respond(200, lambda: {"access_token": token, "jwt": token, **fields})  # noqa: B023
        assert use_client(recorder, tenant), fields


@pytest.mark.parametrize("at", [0, 10])
def test_connection_errors_reveal_nothing(tenant: Tenant, recorder: Recorder, at: int) -> None:
    tokens = Tokens(tenant)
    tenant.faults[0] = cut(at)
    assert all(isinstance(error, tpa.Unreachable) for error in use_client(recorder, tenant)[:2])
    assert recorder.find(*tokens.issued) == []
    tenant.token_faults[0] = cut(at)
    assert use_client(recorder, tenant)


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://127.0.0.1:1", "https://{}", "https://%zz"])
def test_unreachable_services_reveal_nothing(tenant: Tenant, recorder: Recorder, name: str, address: str) -> None:
    tokens = Tokens(tenant)
    with Tenant(jobs(1)) as other:
        assert use_client(recorder, tenant, **{name: address.format(other.base_url.removeprefix("http://"))})
        assert other.requests == []
    assert recorder.find(*tokens.issued) == []
    assert use_client(recorder, tenant) == []


def test_wrong_secret_is_not_revealed(tenant: Tenant, recorder: Recorder) -> None:
    assert all(isinstance(error, tpa.AuthError) for error in use_client(recorder, tenant, client_secret=f"{SECRET}x"))


@pytest.mark.skipif(os.name == "nt", reason="environment variables are always valid text")
def test_undecodable_secret_is_not_revealed(tenant: Tenant, recorder: Recorder) -> None:
    secret = os.fsdecode(b"Kanarie5517\xff\xfekanari8823")
    assert all(isinstance(error, tpa.AuthError) for error in use_client(recorder, tenant, client_secret=secret))


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": f"https://host:{SECRET_WORDS[0]}"},
        {"base_url": f"https://user:{SECRET_WORDS[0]}@host"},
        {"base_url": SECRET},
        {"token_url": f"http://{SECRET_WORDS[0]}.invalid/"},
        {"token_url": f"https://[{SECRET_WORDS[0]}"},
        {"api_version": SECRET},
        {"tenant": ""},
    ],
)
def test_secret_in_wrong_setting_is_not_revealed(tenant: Tenant, recorder: Recorder, settings: dict[str, str]) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**tenant.settings, **settings})
    recorder.add_recursively(exc_info.value)
    assert use_client(recorder, tenant) == []


@pytest.mark.parametrize(
    "raw",
    [
        f"TPANALYTICS_CLIENT_SECRET={SECRET}".encode("utf-16"),
        f"TPANALYTICS_CLIENT_SECRET '{SECRET}\nTPANALYTICS_CLIENT_SECRET=\"{SECRET}".encode(),
        b"TPANALYTICS_CLIENT_SECRET=Kanarie5517\xff",
    ],
    ids=["utf-16", "malformed", "latin-1"],
)
def test_invalid_env_file_is_not_quoted(tenant: Tenant, recorder: Recorder, raw: bytes) -> None:
    Path(".env").write_bytes(raw)
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**tenant.settings, "client_secret": None, "tenant": None})
    recorder.add_recursively(exc_info.value)
    Path(".env").unlink()
    assert use_client(recorder, tenant) == []


def test_recorder_finds_secrets_in_nested_objects(tenant: Tenant) -> None:
    recorder = Recorder()
    cause = ValueError("x")
    cause.response = {"body": [SECRET]}  # type: ignore[attr-defined]
    try:
        try:
            raise cause
        except ValueError:
            raise RuntimeError("outer") from None
    except RuntimeError as error:
        recorder.add_recursively(error)
    assert recorder.find(*SECRET_WORDS)


QUICK = tpa.RetryPolicy(tries=2, base=0)


@pytest.mark.parametrize("fault", ["token endpoint", "export", "response", "setting", "url"])
def test_local_variables_in_tracebacks_reveal_nothing(fault: str) -> None:
    with Tenant(client_secret=SECRET) as tenant:
        settings = dict(tenant.settings)
        match fault:
            case "token endpoint":
                tenant.token_faults[0] = lambda reply: replace(reply, cut_at=0)
            case "export":
                tenant.faults[0] = lambda reply: replace(reply, status=400)
            case "response":
                tenant.faults[0] = lambda reply: replace(reply, body=b"<html>")
            case "setting":
                del settings["tenant"]
            case "url":
                settings["base_url"] = "http://elsewhere.example"
        with pytest.raises(tpa.TpAnalyticsError) as exc_info:
            tpa.load_task_profiles(tpa.connect(**settings, retry=QUICK), progress=False)
        output = traceback_with_locals(exc_info.value)
        assert not any(word in output for word in ("tok-", *SECRET_WORDS, *tenant._tokens))
