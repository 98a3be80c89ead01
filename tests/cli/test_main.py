"""Usage errors, error messages and output of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import run
from tpanalytics.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "snap"], "6 settings are missing"),
        (["summary", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["summary", "."], "is not a snapshot: it has no manifest.json"),
        (["export", "snap", "--filter", "{"], "--filter must be a JSON object"),
        (["export", "snap", "--limit", "0"], "6 settings are missing"),
        (["serve", "--records", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["summary", "--jobs", "nowhere.csv"], "nowhere.csv cannot be read"),
    ],
)
def test_errors_are_printed_without_traceback(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(*arguments, capsys=capsys)
    assert status == 1
    assert err.startswith("tpanalytics: ")
    assert message in err
    assert "Traceback" not in err + out


def test_errors_suggest_options_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text('[{"external_id": 1}]', encoding="utf-8")
    assert "on_bad_record" not in run("summary", "bad.json", capsys=capsys)[2]
    error = run("doctor", capsys=capsys)[2]
    assert "Set the environment variable" in error
    assert "connect()" not in error
    assert "`private_key`" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["export"],
        ["export", "snap", "--include", "everything"],
        ["serve", "--fault", "earthquake"],
        ["serve", "--fault", "cut:twice"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_families_without_jobs_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["summary", "--family-names", "nowhere.csv"])
    assert caught.value.code == 2
    assert "--family-names requires --jobs" in capsys.readouterr().err


def test_closed_output_pipe_is_not_an_error() -> None:
    command = f"{sys.executable} -m tpanalytics summary | head -n 1"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert process.stderr == ""


def test_unsupported_characters_do_not_stop_the_output() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "tpanalytics", "summary"]
    process = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"Customer Service" in process.stdout
