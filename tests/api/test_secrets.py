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
from tests.helpers.scripted_server import cut, jobs, make_client, said
from tpanalytics.api.export import ExportRequest, export_pages, list_all
from tpanalytics.api.settings import resolve
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: With everything between its two words that some encoding writes otherwise; a word alone shows that it got out.
SECRET = "Kanarie5517\"'%41 ü€ß\\<&+/=\U0001f424kanari8823"
SECRET_WORDS = ("Kanarie5517", "kanari8823")

#: Ways in which a service may throw back what it was sent.
ECHOES: dict[str, Callable[[str], Any]] = {
    "list of errors": lambda text: [{"title": f"Refused {text}", "description": f"You sent {text}!"}],
    "oauth object": lambda text: {"error": f"bad {text}", "error_description": f"You sent {text}!"},
    "other object": lambda text: {"detail": text},
    "nested object": lambda text: {"error": {"reason": text, "again": [text]}, "description": {"it's": text}},
    "json beyond ascii": lambda text: json.dumps({"detail": text}, ensure_ascii=False).encode(),
    "json within json": lambda text: {"detail": json.dumps(json.dumps(text))},
    "html": lambda text: f"<html>{html.escape(text)}</html>",
    "html with numbers": lambda text: f"<html>{html.escape(text).encode('ascii', 'xmlcharrefreplace').decode()}</html>",
    "plain": lambda text: f"secret={text}",
    "utf-8 read as latin-1": lambda text: text.encode().decode("latin-1"),
    "another encoding": lambda text: text.encode("latin-1", "replace"),
    "utf-16": lambda text: text.encode("utf-16-le").replace(b"\0", b""),
    "query": lambda text: f"secret={quote(text)}&again={quote(text, safe='')}",
    "form": lambda text: f"secret={quote_plus(text)}",
    "small percent": lambda text: "".join(
        f"%{byte:02x}" if byte > 126 or byte < 48 else chr(byte) for byte in text.encode()
    ),
    "repr": lambda text: repr({"it's": text}),
    "cut short": lambda text: "x" * 150 + text,
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


class Witness:
    """All that somebody could read afterwards."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def hears(self, *things: object) -> None:
        self.texts += [text for thing in things for text in (str(thing), repr(thing))]

    def examines(self, thing: object, depth: int = 0, seen: set[int] | None = None) -> None:
        """Look into an object as deep as anybody could without reading frames."""
        seen = set() if seen is None else seen
        if id(thing) in seen or depth > 6:
            return
        seen.add(id(thing))
        self.hears(thing)
        inner: list[object] = [*getattr(thing, "__dict__", {}).values()]
        if isinstance(thing, BaseException):
            inner += [thing.__cause__, thing.__context__, *thing.args, *getattr(thing, "__notes__", [])]
            inner += [getattr(thing, name) for name in ("object", "doc") if hasattr(thing, name)]
            self.texts += traceback.format_exception(thing)
        elif isinstance(thing, dict):
            inner += thing.values()
        elif isinstance(thing, (list, tuple, set)):
            inner += thing
        for one in inner:
            self.examines(one, depth + 1, seen)

    def finds(self, *words: str) -> list[str]:
        return [text for text in self.texts if any(word in text for word in words)]


@pytest.fixture
def witness(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Witness]:
    """Listen at level DEBUG to every logger there is, to the screen and to warnings; read every file at the end."""
    made = Witness()
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in root.manager.loggerDict)]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        monkeypatch.setattr(logger, "disabled", False)
        monkeypatch.setattr(logger, "propagate", True)
        logger.manager._clear_cache()  # type: ignore[attr-defined]
    caplog.handler.setLevel(logging.DEBUG)
    with warnings.catch_warnings(record=True) as exc_info:
        warnings.simplefilter("always")
        yield made
    made.hears(*(warning.message for warning in exc_info))
    for record in caplog.records:
        made.examines(record)
    made.texts += [caplog.text, *capfd.readouterr()]
    for path in Path().rglob("*"):
        made.hears(path)
        if path.is_file():
            made.texts.append(path.read_bytes().decode("utf-8", "replace"))
    assert any("/oauth/token" in text for text in made.texts), "the log was not heard"
    assert made.finds(*SECRET_WORDS) == []


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(3), client_secret=SECRET) as made:
        yield made


class Tokens:
    """Write down every token handed out and give each a form that is easy to recognise."""

    def __init__(self, tenant: Tenant) -> None:
        self.issued: list[str] = []
        tenant.token_faults[0] = self

    def __call__(self, reply: Reply) -> Reply:
        if reply.status == 200:
            self.issued.append(json.loads(reply.body)["access_token"])
        return reply


def go(witness: Witness, tenant: Tenant, **more: Any) -> list[BaseException]:
    """Do all a client can do, and show the witness what comes of it."""
    told: list[str] = []
    errors: list[BaseException] = []
    with make_client({**tenant.settings, **more}) as client:
        client.on_wait = told.append
        for act in (
            lambda: list(export_pages(client, ExportRequest(limit=1))),
            lambda: tpa.load_task_profiles(client, limit=1, snapshot="snapshot", progress=True),
            lambda: list_all(client, "/job_architecture/jobs"),
            client.version,
        ):
            try:
                witness.hears(act())
            except Exception as error:  # noqa: BLE001  whatever comes is examined
                errors.append(error)
        witness.hears(client, client.settings, client.settings.origins, vars(client.settings))
    witness.hears(*told)
    for error in errors:
        witness.examines(error)
        assert isinstance(error, tpa.TpAnalyticsError), repr(error)
    return errors


def answering(status: int, body: Callable[[], Any], headers: Callable[[], dict[str, str]] = dict) -> Any:
    """Make the fault whose answer is made when it is sent, for it quotes what was sent."""
    return lambda _: said(status, body(), **headers())


def test_successful_export_reveals_nothing(tenant: Tenant, witness: Witness) -> None:
    tokens = Tokens(tenant)
    assert go(witness, tenant) == []
    assert Path("snapshot").is_dir()
    assert len(tokens.issued) == 1
    assert witness.finds(*tokens.issued) == []


@pytest.mark.parametrize("form", ECHOES)
def test_echoed_token_and_secret_are_redacted(tenant: Tenant, witness: Witness, form: str) -> None:
    tokens = Tokens(tenant)
    for status in STATUSES:
        tenant.faults[0] = answering(status, lambda: ECHOES[form](f"{SECRET} {tokens.issued[-1]}"))
        assert go(witness, tenant), status
    assert len(tokens.issued) >= len(STATUSES)
    assert witness.finds(*tokens.issued) == []


def test_echoed_old_token_is_redacted(tenant: Tenant, witness: Witness) -> None:
    tokens = Tokens(tenant)
    tenant.faults[0] = lambda _: said(
        401 if len(tokens.issued) < 2 else 400, [{"title": "No", "description": tokens.issued[0]}]
    )
    assert go(witness, tenant)
    assert len(tokens.issued) > 1
    assert witness.finds(*tokens.issued) == []


@pytest.mark.parametrize("form", ECHOES)
def test_secret_echoed_by_token_endpoint_is_redacted(tenant: Tenant, witness: Witness, form: str) -> None:
    for status in STATUSES:
        tenant.token_faults[0] = answering(status, lambda: ECHOES[form](SECRET))
        assert go(witness, tenant), status


@pytest.mark.parametrize("header", HEADERS)
def test_echoed_headers_are_redacted(tenant: Tenant, witness: Witness, header: str) -> None:
    tokens = Tokens(tenant)
    plain = quote(SECRET, safe="")
    for status in STATUSES:
        tenant.token_faults[0] = tokens
        tenant.faults[0] = answering(
            status, bytes, lambda: {header: HEADERS[header].format(f"{plain}-{tokens.issued[-1]}")}
        )
        assert go(witness, tenant), status
        tenant.token_faults[0] = answering(status, bytes, lambda: {header: HEADERS[header].format(plain)})
        assert go(witness, tenant), status
    assert witness.finds(*tokens.issued) == []


@pytest.mark.parametrize("tail", ["", "\r\n", "ключ", " ", "é"])
def test_unusable_token_is_redacted(tenant: Tenant, witness: Witness, tail: str) -> None:
    token = f"Kanarie5517{tail}"
    for more in ({"expires_in": "soon"}, {"expires_in": [1]}, {"error": "odd"}, {"access_token": 1}):
        tenant.token_faults[0] = answering(200, lambda: {"access_token": token, "jwt": token, **more})  # noqa: B023
        assert go(witness, tenant), more


@pytest.mark.parametrize("at", [0, 10])
def test_connection_errors_reveal_nothing(tenant: Tenant, witness: Witness, at: int) -> None:
    tokens = Tokens(tenant)
    tenant.faults[0] = cut(at)
    assert all(isinstance(error, tpa.Unreachable) for error in go(witness, tenant)[:2])
    assert witness.finds(*tokens.issued) == []
    tenant.token_faults[0] = cut(at)
    assert go(witness, tenant)


@pytest.mark.parametrize("name", ["base_url", "token_url"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://127.0.0.1:1", "https://{}", "https://%zz"])
def test_unreachable_services_reveal_nothing(tenant: Tenant, witness: Witness, name: str, address: str) -> None:
    tokens = Tokens(tenant)
    with Tenant(jobs(1)) as other:
        assert go(witness, tenant, **{name: address.format(other.base_url.removeprefix("http://"))})
        assert other.requests == []
    assert witness.finds(*tokens.issued) == []
    assert go(witness, tenant) == []


def test_wrong_secret_is_not_revealed(tenant: Tenant, witness: Witness) -> None:
    assert all(isinstance(error, tpa.AuthError) for error in go(witness, tenant, client_secret=f"{SECRET}x"))


@pytest.mark.skipif(os.name == "nt", reason="the environment holds text there")
def test_undecodable_secret_is_not_revealed(tenant: Tenant, witness: Witness) -> None:
    odd = os.fsdecode(b"Kanarie5517\xff\xfekanari8823")
    assert all(isinstance(error, tpa.AuthError) for error in go(witness, tenant, client_secret=odd))


@pytest.mark.parametrize(
    "given",
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
def test_secret_in_wrong_setting_is_not_revealed(tenant: Tenant, witness: Witness, given: dict[str, str]) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**tenant.settings, **given})
    witness.examines(exc_info.value)
    assert go(witness, tenant) == []


@pytest.mark.parametrize(
    "raw",
    [
        f"TPANALYTICS_CLIENT_SECRET={SECRET}".encode("utf-16"),
        f"TPANALYTICS_CLIENT_SECRET '{SECRET}\nTPANALYTICS_CLIENT_SECRET=\"{SECRET}".encode(),
        b"TPANALYTICS_CLIENT_SECRET=Kanarie5517\xff",
    ],
    ids=["utf-16", "malformed", "latin-1"],
)
def test_invalid_env_file_is_not_quoted(tenant: Tenant, witness: Witness, raw: bytes) -> None:
    Path(".env").write_bytes(raw)
    with pytest.raises(tpa.ConfigError) as exc_info:
        resolve({**tenant.settings, "client_secret": None, "tenant": None})
    witness.examines(exc_info.value)
    Path(".env").unlink()
    assert go(witness, tenant) == []


def test_recorder_finds_secrets_in_nested_objects(tenant: Tenant) -> None:
    witness = Witness()
    inner = ValueError("x")
    inner.response = {"body": [SECRET]}  # type: ignore[attr-defined]
    try:
        try:
            raise inner
        except ValueError:
            raise RuntimeError("outer") from None
    except RuntimeError as error:
        witness.examines(error)
    assert witness.finds(*SECRET_WORDS)


QUICK = tpa.RetryPolicy(tries=2, base=0)


def told(act: Callable[[], Any]) -> str:
    """Give the whole traceback of what `act` raises, with the variables of our own frames."""
    with pytest.raises(tpa.TpAnalyticsError) as exc_info:
        act()
    shown = traceback.TracebackException.from_exception(exc_info.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "tpanalytics" in frame.filename and "tests" not in frame.filename]
    assert ours
    return "".join(f"{frame.name} {frame.locals}" for frame in ours) + str(exc_info.value)


@pytest.mark.parametrize("broken", ["token endpoint", "export", "answer", "setting", "address"])
def test_local_variables_in_tracebacks_reveal_nothing(broken: str) -> None:
    with Tenant(client_secret=SECRET) as tenant:
        settings = dict(tenant.settings)
        match broken:
            case "token endpoint":
                tenant.token_faults[0] = lambda reply: replace(reply, cut_at=0)
            case "export":
                tenant.faults[0] = lambda reply: replace(reply, status=400)
            case "answer":
                tenant.faults[0] = lambda reply: replace(reply, body=b"<html>")
            case "setting":
                del settings["tenant"]
            case "address":
                settings["base_url"] = "http://elsewhere.example"
        said = told(lambda: tpa.load_task_profiles(tpa.connect(**settings, retry=QUICK), progress=False))
        assert SECRET not in said
        assert "tok-" not in said
        assert all(token not in said for token in tenant._tokens)
