"""`tpanalytics app`, without a browser."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path

import pytest

import tpanalytics as tpa
from tests.helpers.grouped import with_countries
from tpanalytics.cli import app as app_command
from tpanalytics.cli.main import main
from tpanalytics.cli.parser import parser


def test_missing_voila_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "voila" else find_spec(name, *rest)
    )
    assert main(["app"]) == 1
    assert 'pip install "tpanalytics[app]"' in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nowhere"], ["--before", "nowhere"], ["--min-jobs", "-1"]])
def test_invalid_arguments_are_reported_before_the_page_opens(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("voila")
    assert main(["app", "--no-browser", *arguments]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("tpanalytics: ")
    assert "http" not in output.out


def test_port_in_use_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("voila")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
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


def test_page_describes_the_privacy_limits() -> None:
    assert "fewer than 3 jobs or 5 people are suppressed.</p>" in page_of()[0]
    assert "below the defaults (3 and 5)" in page_of("--min-jobs", "2")[0]
    assert "below the defaults" not in page_of("--min-jobs", "9")[0]
    assert "Nothing is suppressed" in page_of("--min-jobs", "0", "--min-headcount", "0")[0]


def test_title_is_escaped() -> None:
    assert "<h1>&lt;script&gt; &amp; co</h1>" in page_of("--title", "<script> & co")[0]


def test_page_opens_the_given_snapshots() -> None:
    tpa.write_profiles(tpa.load_sample("2026-11"), 'an "odd"\\name')
    tpa.write_profiles(tpa.load_sample(), "before")
    code = page_of('an "odd"\\name', "--before", "before", "--min-jobs", "16", "--min-headcount", "0")[1]
    assert str(Path.cwd()) in code.replace("\\\\", "\\"), "the kernel runs in another folder"
    names: dict[str, object] = {}
    exec(code.replace("explorer(**", "result = explorer(**"), names)
    explorer = names["result"]
    assert isinstance(explorer, tpa.Explorer)
    assert explorer._source.before is not None
    assert explorer._facts.privacy == tpa.Privacy(min_jobs=16, min_headcount=0)


def test_page_groups_by_the_given_columns() -> None:
    tpa.write_profiles(with_countries(tpa.load_sample()), "snap")
    head, code = page_of("snap", "--by", "country,pay_grade")
    assert "<h1>AI impact and weekly hours per country and pay grade</h1>" in head
    names: dict[str, object] = {}
    exec(code.replace("explorer(**", "result = explorer(**"), names)
    explorer = names["result"]
    assert isinstance(explorer, tpa.Explorer)
    assert explorer._facts.grouping.by == ("country", "pay_grade")
    assert "<h1>AI impact and weekly hours per job family</h1>" in page_of("snap")[0]
    assert "<h1>AI impact and weekly hours</h1>" in page_of("snap", "--by", "none")[0]
