"""A report is one file that asks nothing of a network, tells nothing it must not, and can be repeated."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.conftest import REAL, read_real
from tests.helpers.reports import (
    FAMILIES,
    FEW,
    code,
    each_chart_once,
    evidence,
    one_chart_only,
    page,
    quick_pen,
    small,
    tables,
)
from tests.share.test_canary import carried, marked
from tpanalytics.measures.privacy.policy import HIDDEN
from tpanalytics.share.report import save_report as making
from tpanalytics.share.report.tables import between

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["quick_pen"]

MARKS = ("CANARYWHY", "CANARYSOURCE", "CANARYJOB", "CANARYID", "CANARYSKILL", "CANARYTREE")


@pytest.mark.parametrize(
    ("low", "high", "kind", "said"),
    [
        (None, None, "share", "\u2013"),
        (None, 0.06, "share", "at most 6\u00a0%"),
        (0.4, None, "index", "at least 0.40"),
        (0.2, 0.31, "share", "20\u2009\u2013\u200931\u00a0%"),
        (0.1201, 0.1199, "share", "12\u00a0%"),
        (40.0, 40.0, "hours", "40.0"),
        (1, 1200, "count", "1\u2009\u2013\u20091,200"),
    ],
)
def test_an_interval_says_which_of_its_ends_is_known(low: Any, high: Any, kind: Any, said: str) -> None:
    assert between(low, high, kind) == said


@pytest.fixture(scope="module")
def now() -> tpa.TaskProfiles:
    return marked(small(tpa.load_sample("2026-11")))


@pytest.fixture(scope="module")
def then() -> tpa.TaskProfiles:
    return marked(small(tpa.load_sample()))


@pytest.fixture(scope="module")
def reports(now: tpa.TaskProfiles, then: tpa.TaskProfiles, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of report, in a folder of its own."""
    kinds: dict[str, dict[str, Any]] = {
        "company": {"privacy": FEW},
        "family": {"privacy": FEW, "families": "Finance"},
        "hidden family": {"privacy": FEW, "families": "Research and Development"},
        "jobs": {"jobs": True, "privacy": FEW},
        "rationales": {"rationales": True, "privacy": FEW},
        "everything": {"before": then, "families": "Finance", "rationales": True, "jobs": True},
    }
    with each_chart_once(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "datetime", Clock)
        return {
            kind: tpa.save_report(now, tmp_path_factory.mktemp("report") / "report.html", **how)
            for kind, how in kinds.items()
        }


class Clock(datetime):
    """Stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls(2026, 2, 3, 4, 5, 6, tzinfo=tz or UTC)


KINDS = ("company", "family", "hidden family", "jobs", "rationales", "everything")


class _Fetched(HTMLParser):
    """Gathers what a browser would fetch or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.metas: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        names = ("src", "href", "srcset", "data", "action", "poster", "background", "ping", "formaction")
        self.addresses += [given[name] or "" for name in names if name in given]
        self.addresses += re.findall(r"url\(['\"]?([^'\")]+)", given.get("style") or "")
        if tag == "meta":
            self.metas.append(given)


def fetched(path: Path) -> _Fetched:
    reader = _Fetched()
    reader.feed(page(path))
    return reader


def test_a_report_of_a_whole_company_is_small() -> None:
    """The largest there is; the example of `save_report` is one of the sample."""
    path = tpa.save_report(read_real() if REAL.is_dir() else tpa.load_sample(), "report.html")
    assert path.stat().st_size < 1_500_000
    assert 'id="library"' in page(path), "charts answer to the pointer"
    assert page(path).count("<figure") > 4
    assert_silent(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_asks_nothing_of_a_network(kind: str, reports: dict[str, Path]) -> None:
    assert_silent(reports[kind])


def assert_silent(path: Path) -> None:
    found = fetched(path)
    assert found.addresses
    assert [address for address in found.addresses if not address.startswith(("data:image/svg+xml", "#"))] == []
    (policy,) = (meta["content"] for meta in found.metas if meta.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert not any(re.search(r"https?:|\*|\bself\b", rule) for rule in rules.values())
    assert "connect-src" not in rules, "what is not named falls under default-src"
    assert rules["img-src"] == "data:"
    style = "".join(re.findall(r"<style>(.*?)</style>", page(path), re.DOTALL))
    assert "@import" not in style
    assert "url(" not in style
    pictures = [html.unescape(address) for address in found.addresses if address.startswith("data:")]
    assert not any(re.search(r"(?:href|src)=.?https?:|%3Cimage", picture) for picture in pictures)


@pytest.mark.parametrize("kind", KINDS)
def test_marks_are_only_where_they_were_asked_for(kind: str, reports: dict[str, Path]) -> None:
    asked = {
        "jobs": {"CANARYJOB"},
        "rationales": {"CANARYWHY"},
        "everything": {"CANARYJOB", "CANARYWHY"},
    }
    assert carried(reports[kind], MARKS) == asked.get(kind, set())


def test_hidden_families_keep_their_row_and_tell_nothing(reports: dict[str, Path]) -> None:
    told, block = tables(reports["company"]), evidence(reports["company"])["tables"]
    for key in ("mix", "exposure", "hours", "concentration", "coverage"):
        rows = {row[0]: row[1:] for row in told[key]}
        assert rows.keys() == set(FAMILIES)
        closed = {family for family, cells in rows.items() if HIDDEN in cells}
        assert "Research and Development" in closed
        assert len(closed) == 2, "a second one, or the first could be worked out"
        for family in closed:
            assert set(rows[family][1:]) == {HIDDEN}
        for family in rows.keys() - closed:
            assert HIDDEN not in rows[family]
        of_block = {row[0]: row[2:] for row in block[key]["rows"]}
        for family in closed:
            assert all(value is None for value in of_block[family]), (key, family)
        assert any(value is not None for value in of_block["Finance"])


def test_lists_of_work_leave_hidden_families_out(reports: dict[str, Path]) -> None:
    for kind, key, column in (("jobs", "jobs", 1), ("rationales", "rationales", 0)):
        families = {row[column] for row in tables(reports[kind])[key]}
        assert "Finance" in families
        assert "Research and Development" not in families


def test_a_familys_report_is_about_it_alone(reports: dict[str, Path]) -> None:
    told = tables(reports["family"])
    assert {row[0] for key in ("mix", "exposure", "hours", "coverage") for row in told[key]} == {"Finance"}
    assert "Research and Development" not in page(reports["family"])


def test_a_hidden_familys_report_says_so_and_holds_no_figure(reports: dict[str, Path]) -> None:
    path = reports["hidden family"]
    assert "This family is hidden" in page(path)
    assert "<article" not in page(path)
    assert "<figure" not in page(path)
    for key, rows in tables(path).items():
        if key == "checks":
            continue
        for row in rows:
            assert not re.search(r"\d", "".join(row[2:])), (key, row)


def test_a_hidden_family_may_change_and_no_other_report_tells(now: tpa.TaskProfiles, then: tpa.TaskProfiles) -> None:
    """What only the hidden ones know is in no other family's figures, and in no row of the company's but totals."""
    doubled = pl.when(pl.col("job_family") == "Research and Development").then(2.0).otherwise(1.0)
    other = replace(now, tasks=now.tasks.with_columns(pl.col("weekly_hours") * doubled))
    with one_chart_only():
        ones, others = (
            tables(tpa.save_report(profiles, "report.html", families="Finance", privacy=FEW))
            for profiles in (now, other)
        )
    assert ones == others


def no_jobs(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(profiles, jobs=profiles.jobs.clear(), tasks=profiles.tasks.clear())


def no_tasks(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(profiles, tasks=profiles.tasks.clear())


def without(profiles: tpa.TaskProfiles, column: str) -> tpa.TaskProfiles:
    dtype = profiles.tasks.schema[column]
    return replace(profiles, tasks=profiles.tasks.with_columns(pl.lit(None, dtype=dtype).alias(column)))


ODD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no jobs": (no_jobs, {}, "There are no jobs in these task profiles"),
    "no tasks": (no_tasks, {}, "No task is described"),
    "no hours": (lambda p: without(p, "weekly_hours"), {}, "No task has hours"),
    "no levels": (lambda p: without(p, "ai_impact_level"), {}, "not assessed"),
    "all hidden": (lambda p: p, {"privacy": tpa.Privacy(min_jobs=1000)}, "Every job family is hidden"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_companies_give_a_report_that_says_so(case: str, now: tpa.TaskProfiles, then: tpa.TaskProfiles) -> None:
    make, how, said = ODD[case]
    how = {**how, "before": make(then), "jobs": True, "rationales": True}
    with one_chart_only():  # what each chart says then is tested with the charts
        path = tpa.save_report(make(now), "odd.html", **how)
    assert said in page(path)
    if case in ("no jobs", "all hidden"):
        assert "<article" not in page(path), "no card"
    if case == "all hidden":
        assert "CANARY" not in page(path)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "near": ({"families": "Finanse"}, "Perhaps 'Finance'"),
    "far": ({"families": "zzz"}, "no job is in such a family"),
    "several": ({"families": ["Finance"]}, "one name"),
    "suffix": ({"path": "out/report.htm"}, "ends so"),
    "no suffix": ({"path": "out/report"}, "ends so"),
    "no path": ({"path": 5}, "The path is where to write"),
    "no profiles": ({"profiles": "sample"}, "made of TaskProfiles"),
    "before": ({"before": "2026-01"}, "before is a str"),
    "privacy": ({"privacy": 3}, "give a Privacy"),
    "states": ({"states": ["valid"]}, "valid"),
    "no states": ({"states": []}, "`states` must be a list of validation states"),
    "level_weights": ({"level_weights": {"H9": 1.0}}, "H9"),
    "contract hours": ({"contract_hours": -1.0}, "contract_hours"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_said_and_leaves_no_file(case: str, now: tpa.TaskProfiles, tmp_path: Path) -> None:
    wrong, said = WRONG[case]
    given = {"profiles": now, "path": "out/report.html", **wrong}
    with pytest.raises((tpa.ShareError, tpa.SchemaError), match=re.escape(said)):
        tpa.save_report(given.pop("profiles"), given.pop("path"), **given)
    assert list(tmp_path.rglob("*")) == []


def test_a_file_is_whole_or_not_there(now: tpa.TaskProfiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "report.html"
    old.write_text("what was there")
    monkeypatch.setattr(making, "render", lambda *_: "half a page \udc80")  # no file can hold the last letter
    for path in (old, tmp_path / "new.html"):
        with pytest.raises((tpa.ShareError, UnicodeError)):
            tpa.save_report(now, path)
    assert [file.name for file in tmp_path.rglob("*")] == ["report.html"]
    assert old.read_text() == "what was there"


def test_where_nothing_can_be_written_a_sentence_says_so(
    now: tpa.TaskProfiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "render", lambda *_: "a page")
    (tmp_path / "file").write_text("")
    with pytest.raises(tpa.ShareError, match="cannot be written"):
        tpa.save_report(now, tmp_path / "file" / "report.html")
    assert tpa.save_report(now, tmp_path / "a" / "b" / "report.HTML").read_text() == "a page"


def test_the_same_data_at_the_same_time_give_the_same_bytes(
    reports: dict[str, Path], now: tpa.TaskProfiles, then: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "datetime", Clock)
    again = tpa.save_report(now, "again.html", before=then, families="Finance", rationales=True, jobs=True)
    assert b"3 February 2026" in again.read_bytes()
    assert again.read_bytes() == reports["everything"].read_bytes()


# Rows of jobs are in the last one too.
@pytest.mark.parametrize("kind", ["company", "everything"])
def test_the_python_behind_each_figure_runs(
    kind: str, reports: dict[str, Path], now: tpa.TaskProfiles, then: tpa.TaskProfiles
) -> None:
    tpa.write_profiles(now, "SNAPSHOT")
    tpa.write_profiles(then, "SNAPSHOT_BEFORE")
    first, *rest = code(reports[kind])
    names: dict[str, Any] = {}
    exec(first, names)
    told = evidence(reports[kind])["tables"]
    assert len(rest) == len(told) > 5
    for part, (key, table) in zip(rest, told.items(), strict=True):
        exec(part, names)
        result = names[key.replace("-", "_")]
        if key == "mix":  # the table has a row per family, the measure one per level
            of_h1 = table["fields"].index("share_H1")
            shares = {row[0]: row[of_h1] for row in table["rows"] if row[of_h1] is not None}
            assert dict(result.filter(level="H1").drop_nulls("share").select("job_family", "share").rows()) == shares
            result = result.unique("job_family")
        assert result.height == len(table["rows"]), part
