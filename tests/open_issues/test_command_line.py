"""Issue 20: terminals, and secrets on the command line."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.reports import one_chart_only
from tests.helpers.scripted_server import jobs
from tests.open_issues.companies import company, similar_jobs
from tests.open_issues.expected_failures import inputs, not_raised
from tests.open_issues.files import write_file
from tpanalytics.cli.main import main
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tpanalytics as tpa
    from tpanalytics.demo.server import Reply

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    """Return a company."""
    return company(A=similar_jobs(*[10.0] * 4), B=similar_jobs(*[20.0] * 4))


class Terminal(io.TextIOWrapper):
    """A terminal with a limited encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
@pytest.mark.parametrize(
    "command",
    inputs(
        {command: command for command in ("report", "export", "summary", "check-share")},
        failing=["report", "export", "summary"],
        reason="Issue 20: --help raises a UnicodeEncodeError if the terminal does not support '…'.",
    ),
)
def test_help_is_printed_in_any_encoding(command: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as exit_, not_raised(UnicodeEncodeError):
        main([command, "--help"])
    terminal.flush()
    assert exit_.value.code == 0
    assert b"usage:" in terminal.buffer.getvalue()


CONTROLS = "Evil\x1b[31m\x1b]0;owned\x07\x1b[2J\u202egpj"


@pytest.fixture
def control_characters() -> list[str]:
    """Return arguments for records and mappings with control characters in their names."""
    ids = [f"../../j{i}\n\x1b[1mX" for i in range(6)]
    task = {"task": "t\x1b[5m", "validation_state": "validated", "weekly_hours": 10}
    records = [
        {
            "external_id": job_id,
            "tasks": [
                {**task, "task_id": str(k), "ai_impact": {"level": level, "rationale": "r"}}
                for k, level in enumerate(["H1", "H1\x1b[7m", "H1\x1b[7m"])
            ],
        }
        for job_id in ids
    ]
    write_file("records.jsonl", "\n".join(json.dumps(record) for record in records))
    tables = {
        "jobs.csv": [["job_id", "job_name", "job_family_id"], *([job_id, CONTROLS, "f1"] for job_id in ids)],
        "families.csv": [["job_family_id", "job_family_name"], ["f1", CONTROLS]],
    }
    for name, rows in tables.items():
        with Path(name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return ["records.jsonl", "--jobs", "jobs.csv", "--family-names", "families.csv"]


@pytest.mark.parametrize(
    "arguments",
    inputs(
        {
            "summary": ["summary"],
            "summary as JSON": ["summary", "--json"],
            "report": ["report", "--out", "report.html"],
            "report of each group": ["report", "--out", "all", "--all-groups"],
        },
        failing=["summary", "report of each group"],
        reason="Issue 20: Control characters in names are printed to the terminal.",
    ),
)
def test_control_characters_are_not_printed(
    control_characters: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with one_chart_only():
        assert main([arguments[0], *control_characters, *arguments[1:]]) == 0
    printed = "".join(capsys.readouterr())
    assert printed
    assert not set("\x1b\x07\u202e") & set(printed)


SECRET = "Kanarie5517-kanari8823"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEcanarycanarycanary\n-----END PRIVATE KEY-----"


@pytest.fixture
def tenant_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Tenant, list[str]]]:
    """Yield a tenant whose settings are in the environment, and its tokens."""
    tokens: list[str] = []

    def record_token(reply: Reply) -> Reply:
        if reply.status == 200:
            tokens.append(json.loads(reply.body)["access_token"])
        return reply

    with Tenant(jobs(3), client_secret=SECRET) as tenant:
        tenant.token_faults[0] = record_token
        for name, value in tenant.settings.items():
            monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
        yield tenant, tokens


#: Commands with changed settings in the environment.
COMMANDS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "doctor": (["doctor"], {}),
    "doctor as JSON": (["doctor", "--json"], {}),
    "wrong secret": (["doctor"], {"client_secret": f"wr0ng-{SECRET}"}),
    "secret with a line break": (["doctor"], {"client_secret": f"{SECRET}\n"}),
    "secret with other letters": (["doctor"], {"client_secret": f"{SECRET}é\u2028"}),
    "key for the file of a key": (["doctor"], {"client_secret": None, "private_key_file": KEY}),
    "broken key": (["doctor"], {"client_secret": None, "private_key": KEY}),
    "key for the client": (["doctor"], {"client_id": KEY}),
    "secret as a password in the address": (["doctor"], {"base_url": f"http://user:{SECRET}@127.0.0.1:1"}),
    "secret in the query of the address": (["doctor"], {"base_url": f"http://127.0.0.1:1/?key={SECRET}"}),
    "closed port": (["doctor"], {"base_url": "http://127.0.0.1:1", "token_url": "http://127.0.0.1:1/token"}),
    "export": (["export", "snapshot"], {}),
    "export as JSON": (["export", "snapshot", "--json"], {}),
    "filter that is not JSON": (["export", "snapshot", "--filter", '{"x":'], {}),
    "unknown filter": (["export", "snapshot", "--filter", '{"filter": "x"}'], {}),
}


@pytest.mark.parametrize(
    "command",
    inputs(
        COMMANDS,
        failing=["secret in the query of the address"],
        reason="Issue 20: doctor prints the query of an address, which can contain a secret.",
    ),
)
def test_command_line_prints_no_secrets(
    tenant_of_the_environment: tuple[Tenant, list[str]],
    command: tuple[list[str], dict[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, tokens = tenant_of_the_environment
    arguments, changed = command
    for name, value in changed.items():
        variable = f"TPANALYTICS_{name.upper()}"
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
    assert main(arguments) in (0, 1)
    files = [path.read_bytes().decode("latin-1") for path in Path().rglob("*") if path.is_file()]
    text = "".join([*capsys.readouterr(), *files])
    assert text
    assert not [word for word in (SECRET, "MIIEcanary", *tokens) if word in text]
