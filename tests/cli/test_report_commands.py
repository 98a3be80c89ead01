"""The verbs that write reports and prove them: exit status, files, and what they print."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa
from tests.helpers.reports import FAMILIES, small
from tpanalytics.cli.main import main
from tpanalytics.cli.report_commands import file_names
from tpanalytics.share.report import save_report as making

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def no_charts() -> Iterator[None]:
    """Leave charts out; they take most of the time, and no verb knows of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "SECTIONS", tuple(replace(section, charts=()) for section in making.SECTIONS[:6]))
        yield


@pytest.fixture
def snapshot() -> str:
    tpa.write_profiles(small(tpa.load_sample()), "snap")
    return "snap"


def test_a_report_is_written_and_proven(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", snapshot, "--out", "r.html", "--family", "Finance"]) == 0
    assert capsys.readouterr().out.split() == ["r.html", "Finance"]
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 0
    assert re.match(r"r\.html: all \d+ figures are equal\.", capsys.readouterr().out)
    page = Path("r.html")
    page.write_text(
        page.read_text(encoding="utf-8").replace("<li>Exposure says", "<li>Exposure hardly says", 1), encoding="utf-8"
    )
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 1
    assert "text of the page" in capsys.readouterr().out
    assert main(["verify", "r.html", "--snapshot", snapshot, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {"what", "in_report", "recomputed", "equal"} == rows[0].keys()
    assert [row["what"] for row in rows if row["equal"] is False] == ["text of the page"]


def test_each_shown_family_gets_a_file(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", snapshot, "--out", "all", "--all-families", "--min-jobs", "14", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"written", "hidden"}
    assert len(told["hidden"]) == 2
    assert {row["family"] for row in told["written"]} == set(FAMILIES) - set(told["hidden"])
    assert sorted(row["file"] for row in told["written"]) == sorted(map(str, Path("all").iterdir()))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--out", "r.html", "--family", "Finanse"],
        ["--out", "r.pdf"],
        ["--out", "r.html", "--all-families"],
        ["--out", "r.html", "--all-families", "--family", "Finance"],
        ["--out", "r.html", "--before", "nowhere"],
    ],
)
def test_what_cannot_be_is_said_and_leaves_no_file(
    wrong: list[str], snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["report", snapshot, *wrong])
    except SystemExit as left:
        status = int(str(left.code))
    assert status == (2 if "--family" in wrong and "--all-families" in wrong else 1)
    assert capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["snap"]


def test_what_is_no_report_ends_with_1(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.html").write_text("<p>hello")
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 1
    assert "is not a" in capsys.readouterr().err


@given(st.lists(st.text() | st.sampled_from(["CON", "con", "A/B", "a b", "..", "", "İ", "ß" * 200]), unique=True))
def test_names_of_files_are_safe_stable_and_their_own(families: list[str]) -> None:
    names = file_names(families)
    assert list(names) == families
    assert names == file_names(families)
    assert len({name.casefold() for name in names.values()}) == len(families)
    for name in names.values():
        assert re.fullmatch(r"[\w-]+", name)
        assert len(f"{name}.html".encode()) < 200
        assert name.lower() not in {"con", "nul", "aux", "prn", "com1", "lpt1"}
