"""`tpanalytics report` and `verify`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa
from tests.helpers.grouped import with_countries
from tests.helpers.reports import FAMILIES, small
from tpanalytics.cli.main import main
from tpanalytics.cli.report_commands import file_names
from tpanalytics.share.report import save_report

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def no_charts() -> Iterator[None]:
    """Omit charts, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            save_report, "SECTIONS", tuple(replace(section, charts=()) for section in save_report.SECTIONS[:6])
        )
        yield


@pytest.fixture
def snapshot() -> str:
    tpa.write_profiles(small(tpa.load_sample()), "snap")
    return "snap"


def test_report_is_written_and_verified(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", snapshot, "--out", "r.html", "--group", "Finance"]) == 0
    assert capsys.readouterr().out.split() == ["r.html", "Finance"]
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 0
    assert re.match(r"r\.html: all \d+ figures are equal\.", capsys.readouterr().out)
    page = Path("r.html")
    text = page.read_text(encoding="utf-8")
    assert "<li>Exposure estimates" in text
    page.write_text(text.replace("<li>Exposure estimates", "<li>Exposure hardly estimates", 1), encoding="utf-8")
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 1
    assert "text of the page" in capsys.readouterr().out
    assert main(["verify", "r.html", "--snapshot", snapshot, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {"what", "in_report", "recomputed", "equal"} == rows[0].keys()
    assert [row["what"] for row in rows if row["equal"] is False] == ["text of the page"]


def test_all_families_writes_a_file_per_family(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", snapshot, "--out", "all", "--all-groups", "--min-jobs", "14", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"written", "suppressed"}
    assert len(result["suppressed"]) == 2
    assert {row["group"] for row in result["written"]} == set(FAMILIES) - set(result["suppressed"])
    assert sorted(row["file"] for row in result["written"]) == sorted(map(str, Path("all").iterdir()))


def test_reports_by_another_column(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = with_countries(small(tpa.load_sample()))
    tpa.write_profiles(profiles, "snap")
    assert main(["report", "snap", "--out", "all", "--by", "country", "--all-groups", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["suppressed"]) == 2
    assert {row["group"] for row in result["written"]} == {"BE", "DE", "FR"} - {*result["suppressed"]}
    path = result["written"][0]["file"]
    assert main(["verify", path, "--snapshot", "snap"]) == 0
    assert f"<h1>{result['written'][0]['group']}: AI impact</h1>" in Path(path).read_text(encoding="utf-8")


def test_reports_by_several_columns_and_another_weight(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = with_countries(small(tpa.load_sample()))
    tpa.write_profiles(profiles, "snap")
    for by in (["--by", "country,active"], ["--by", "country", "--by", "active"]):
        limits = ["--min-jobs", "0", "--min-headcount", "0"]
        assert main(["report", "snap", "--out", "r.html", *by, "--weight", "headcount", *limits]) == 0
        page = Path("r.html").read_text(encoding="utf-8")
        assert "weekly hours of all people" in page
        assert re.search(r"\d+ groups by country and active with", page)
    assert main(["verify", "r.html", "--snapshot", "snap"]) == 0
    with pytest.raises(SystemExit):
        main(["report", "snap", "--out", "r.html", "--weight", "tasks"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "r.html", "--group", "Finanse"],
        ["--out", "r.pdf"],
        ["--out", "r.html", "--all-groups"],
        ["--out", "r.html", "--all-groups", "--group", "Finance"],
        ["--out", "r.html", "--before", "nowhere"],
    ],
)
def test_invalid_arguments_write_no_file(
    arguments: list[str], snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["report", snapshot, *arguments])
    except SystemExit as exit_:
        status = int(str(exit_.code))
    assert status == (2 if "--group" in arguments and "--all-groups" in arguments else 1)
    assert capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["snap"]


def test_verifying_another_file_exits_with_1(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("r.html").write_text("<p>hello")
    assert main(["verify", "r.html", "--snapshot", snapshot]) == 1
    assert "is not a" in capsys.readouterr().err


@given(st.lists(st.text() | st.sampled_from(["CON", "con", "A/B", "a b", "..", "", "İ", "ß" * 200]), unique=True))
def test_file_names_are_portable_stable_and_unique(families: list[str]) -> None:
    names = file_names(families)
    assert list(names) == families
    assert names == file_names(families)
    assert len({name.casefold() for name in names.values()}) == len(families)
    for name in names.values():
        assert re.fullmatch(r"[\w-]+", name)
        assert len(f"{name}.html".encode()) < 200
        assert name.lower() not in {"con", "nul", "aux", "prn", "com1", "lpt1"}
