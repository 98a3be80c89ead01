"""What `tpanalytics app` says before there is a page: what is missing, what cannot be, what is hidden."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path

import pytest

import tpanalytics as tpa
from tpanalytics.cli import app as app_command
from tpanalytics.cli.main import main
from tpanalytics.cli.parser import parser


def test_without_voila_it_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "voila" else found(name, *rest)
    )
    assert main(["app"]) == 1
    assert "pip install 'tpanalytics[app]'" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["nowhere"], ["--before", "nowhere"], ["--min-jobs", "-1"]])
def test_what_cannot_be_shown_is_said_before_there_is_a_page(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("voila")
    assert main(["app", "--no-browser", *wrong]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("tpanalytics: ")
    assert "http" not in said.out


def test_a_port_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("voila")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert main(["app", "--no-browser", "--port", str(port)]) == 1
    assert f"Port {port} cannot be used" in capsys.readouterr().err
    assert main(["app", "--no-browser", "--port", "70000"]) == 1
    assert "Port 70000 cannot be used" in capsys.readouterr().err


def page_of(*options: str) -> list[str]:
    arguments = parser().parse_args(["app", *options])
    privacy = tpa.Privacy(min_jobs=arguments.min_jobs, min_headcount=arguments.min_headcount)
    notebook = app_command._notebook(arguments, [app_command._suppression_note(privacy)])
    assert json.loads(json.dumps(notebook)) == notebook
    return [cell["source"] for cell in notebook["cells"]]


def test_the_page_says_what_is_hidden_and_when_it_is_less_than_usual() -> None:
    assert "fewer than 3 jobs or 5 people are suppressed.</p>" in page_of()[0]
    assert "below the defaults (3 and 5)" in page_of("--min-jobs", "2")[0]
    assert "below the defaults" not in page_of("--min-jobs", "9")[0]
    assert "Nothing is suppressed" in page_of("--min-jobs", "0", "--min-headcount", "0")[0]


def test_a_title_is_text() -> None:
    assert "<h1>&lt;script&gt; &amp; co</h1>" in page_of("--title", "<script> & co")[0]


def test_the_page_opens_what_was_named() -> None:
    tpa.write_profiles(tpa.load_sample("2026-11"), 'an "odd"\\name')
    tpa.write_profiles(tpa.load_sample(), "before")
    code = page_of('an "odd"\\name', "--before", "before", "--min-jobs", "16", "--min-headcount", "0")[1]
    assert str(Path.cwd()) in code.replace("\\\\", "\\"), "the page's Python runs elsewhere"
    names: dict[str, object] = {}
    exec(code.replace("explorer(**", "shown = explorer(**"), names)
    explorer = names["shown"]
    assert isinstance(explorer, tpa.Explorer)
    assert explorer._source.before is not None
    assert explorer._facts.privacy == tpa.Privacy(min_jobs=16, min_headcount=0)
