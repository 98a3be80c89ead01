"""Tests of `save_report`."""

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
    cached_charts,
    cached_images,
    code,
    evidence,
    one_chart_only,
    page,
    small,
    tables,
)
from tests.share.test_canary import found_canaries, marked
from tpanalytics.measures.privacy.policy import SUPPRESSED_MARK
from tpanalytics.share.report import save_report
from tpanalytics.share.report.tables import between

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

__all__ = ["cached_images"]

CANARIES = ("CANARYWHY", "CANARYSOURCE", "CANARYJOB", "CANARYID", "CANARYSKILL", "CANARYTREE")


@pytest.mark.parametrize(
    ("low", "high", "kind", "text"),
    [
        (None, None, "share", "\u2013"),
        (None, 0.06, "share", "at most 6%"),
        (0.4, None, "index", "at least 0.40"),
        (0.2, 0.31, "share", "20\u2009\u2013\u200931%"),
        (0.1201, 0.1199, "share", "12%"),
        (40.0, 40.0, "hours", "40.0"),
        (1, 1200, "count", "1\u2009\u2013\u20091,200"),
    ],
)
def test_interval_format(low: Any, high: Any, kind: Any, text: str) -> None:
    assert between(low, high, kind) == text


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    return marked(small(tpa.load_sample("2026-11")))


@pytest.fixture(scope="module")
def earlier() -> tpa.TaskProfiles:
    return marked(small(tpa.load_sample()))


@pytest.fixture(scope="module")
def reports(
    profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return a report of each kind, in separate folders."""
    kinds: dict[str, dict[str, Any]] = {
        "company": {"privacy": FEW},
        "family": {"privacy": FEW, "groups": "Finance"},
        "suppressed family": {"privacy": FEW, "groups": "Research and Development"},
        "jobs": {"jobs": True, "privacy": FEW},
        "rationales": {"rationales": True, "privacy": FEW},
        "everything": {"before": earlier, "groups": "Finance", "rationales": True, "jobs": True},
    }
    with cached_charts(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(save_report, "datetime", FixedClock)
        return {
            kind: tpa.save_report(profiles, tmp_path_factory.mktemp("report") / "report.html", **arguments)
            for kind, arguments in kinds.items()
        }


class FixedClock(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls(2026, 2, 3, 4, 5, 6, tzinfo=tz or UTC)


KINDS = ("company", "family", "suppressed family", "jobs", "rationales", "everything")


class _AddressParser(HTMLParser):
    """Collect the addresses that a browser would fetch or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.metas: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        names = ("src", "href", "srcset", "data", "action", "poster", "background", "ping", "formaction")
        self.addresses += [values[name] or "" for name in names if name in values]
        self.addresses += re.findall(r"url\(['\"]?([^'\")]+)", values.get("style") or "")
        if tag == "meta":
            self.metas.append(values)


def test_company_report_is_small_and_interactive() -> None:
    path = tpa.save_report(read_real() if REAL.is_dir() else tpa.load_sample(), "report.html")
    assert path.stat().st_size < 1_500_000
    assert 'id="library"' in page(path)
    assert page(path).count("<figure") > 4
    assert_offline(path)


@pytest.mark.parametrize("kind", KINDS)
def test_report_makes_no_requests(kind: str, reports: dict[str, Path]) -> None:
    assert_offline(reports[kind])


def assert_offline(path: Path) -> None:
    parser = _AddressParser()
    parser.feed(page(path))
    assert parser.addresses
    assert [address for address in parser.addresses if not address.startswith(("data:image/svg+xml", "#"))] == []
    (policy,) = (meta["content"] for meta in parser.metas if meta.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert not any(re.search(r"https?:|\*|\bself\b", rule) for rule in rules.values())
    assert "connect-src" not in rules, "default-src must apply"
    assert rules["img-src"] == "data:"
    style = "".join(re.findall(r"<style>(.*?)</style>", page(path), re.DOTALL))
    assert "@import" not in style
    assert "url(" not in style
    images = [html.unescape(address) for address in parser.addresses if address.startswith("data:")]
    assert not any(re.search(r"(?:href|src)=.?https?:|%3Cimage", image) for image in images)


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_rationales_are_included_only_on_request(kind: str, reports: dict[str, Path]) -> None:
    requested = {
        "jobs": {"CANARYJOB"},
        "rationales": {"CANARYWHY"},
        "everything": {"CANARYJOB", "CANARYWHY"},
    }
    skills = set() if kind == "suppressed family" else {"CANARYSKILL"}
    assert found_canaries(reports[kind], CANARIES) == skills | requested.get(kind, set())


def test_suppressed_families_have_a_row_without_figures(reports: dict[str, Path]) -> None:
    cells_of, block = tables(reports["company"]), evidence(reports["company"])["tables"]
    for key in ("mix", "exposure", "hours", "concentration", "coverage"):
        rows = {row[0]: row[1:] for row in cells_of[key]}
        assert rows.keys() == set(FAMILIES)
        suppressed = {family for family, cells in rows.items() if SUPPRESSED_MARK in cells}
        assert "Research and Development" in suppressed
        assert len(suppressed) == 2, "a second family protects the first"
        for family in suppressed:
            assert set(rows[family][1:]) == {SUPPRESSED_MARK}
        for family in rows.keys() - suppressed:
            assert SUPPRESSED_MARK not in rows[family]
        evidence_rows = {row[0]: row[2:] for row in block[key]["rows"]}
        for family in suppressed:
            assert all(value is None for value in evidence_rows[family]), (key, family)
        assert any(value is not None for value in evidence_rows["Finance"])


def test_lists_of_jobs_and_tasks_omit_suppressed_families(reports: dict[str, Path]) -> None:
    for kind, key, column in (("jobs", "jobs", 1), ("rationales", "rationales", 0)):
        families = {row[column] for row in tables(reports[kind])[key]}
        assert "Finance" in families
        assert "Research and Development" not in families


def test_family_report_names_no_other_family(reports: dict[str, Path]) -> None:
    rows = tables(reports["family"])
    assert {row[0] for key in ("mix", "exposure", "hours", "coverage") for row in rows[key]} == {"Finance"}
    assert "Research and Development" not in page(reports["family"])


def test_report_on_a_suppressed_family_has_no_figures(reports: dict[str, Path]) -> None:
    path = reports["suppressed family"]
    assert "This family is suppressed" in page(path)
    assert "<article" not in page(path)
    assert "<figure" not in page(path)
    for key, rows in tables(path).items():
        if key == "checks":
            continue
        for row in rows:
            assert not re.search(r"\d", "".join(row[2:])), (key, row)


def test_suppressed_family_does_not_affect_other_reports(profiles: tpa.TaskProfiles) -> None:
    factor = pl.when(pl.col("job_family") == "Research and Development").then(2.0).otherwise(1.0)
    changed = replace(profiles, tasks=profiles.tasks.with_columns(pl.col("weekly_hours") * factor))
    with one_chart_only():
        expected, actual = (
            tables(tpa.save_report(side, "report.html", groups="Finance", privacy=FEW)) for side in (profiles, changed)
        )
    assert actual == expected


def no_jobs(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(profiles, jobs=profiles.jobs.clear(), tasks=profiles.tasks.clear())


def no_tasks(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(profiles, tasks=profiles.tasks.clear())


def without(profiles: tpa.TaskProfiles, column: str) -> tpa.TaskProfiles:
    dtype = profiles.tasks.schema[column]
    return replace(profiles, tasks=profiles.tasks.with_columns(pl.lit(None, dtype=dtype).alias(column)))


INCOMPLETE: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no jobs": (no_jobs, {}, "These task profiles contain no jobs"),
    "no tasks": (no_tasks, {}, "The jobs have no tasks"),
    "no hours": (lambda p: without(p, "weekly_hours"), {}, "No task has hours"),
    "no levels": (lambda p: without(p, "ai_impact_level"), {}, "not assessed"),
    "all suppressed": (lambda p: p, {"privacy": tpa.Privacy(min_jobs=1000)}, "Every job family is suppressed"),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_report_notes_missing_data(case: str, profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles) -> None:
    change, arguments, note = INCOMPLETE[case]
    arguments = {**arguments, "before": change(earlier), "jobs": True, "rationales": True}
    with one_chart_only():
        path = tpa.save_report(change(profiles), "report.html", **arguments)
    assert note in page(path)
    if case in ("no jobs", "all suppressed"):
        assert "<article" not in page(path), "no cards"
    if case == "all suppressed":
        assert "CANARY" not in page(path)


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "similar family": ({"groups": "Finanse"}, "(did you mean 'Finance'?)"),
    "unknown family": ({"groups": "zzz"}, "`groups` must be the name of one job family or None, not 'zzz'."),
    "several families": (
        {"groups": ["Finance", "Sales"]},
        "`groups` must be the name of one job family or None, not 2 names",
    ),
    "suffix": ({"path": "out/report.htm"}, "`path` must end in .html, not 'report"),
    "no suffix": ({"path": "out/report"}, "`path` must end in .html, not 'report"),
    "path": ({"path": 5}, "`path` must be a file path like 'chart.svg', not int"),
    "profiles": ({"profiles": "sample"}, "`profiles` must be TaskProfiles, not str"),
    "before": ({"before": "2026-01"}, "`before` must be TaskProfiles, not str"),
    "privacy": ({"privacy": 3}, "`privacy` must be a Privacy, like Privacy(min_jobs=3), or None, not 3"),
    "states": ({"states": ["valid"]}, "valid"),
    "no states": ({"states": []}, "[]"),
    "level_weights": ({"level_weights": {"H9": 1.0}}, "H9"),
    "contract hours": ({"contract_hours": -1.0}, "contract_hours"),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_arguments_raise(case: str, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    changed, message = INVALID[case]
    arguments = {"profiles": profiles, "path": "out/report.html", **changed}
    with pytest.raises((tpa.ShareError, tpa.SchemaError), match=re.escape(message)):
        tpa.save_report(arguments.pop("profiles"), arguments.pop("path"), **arguments)
    assert list(tmp_path.rglob("*")) == []


def test_failed_write_keeps_the_existing_file(
    profiles: tpa.TaskProfiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing = tmp_path / "report.html"
    existing.write_text("old")
    monkeypatch.setattr(save_report, "render", lambda *_: "half a page \udc80")  # a lone surrogate cannot be encoded
    for path in (existing, tmp_path / "new.html"):
        with pytest.raises((tpa.ShareError, UnicodeError)):
            tpa.save_report(profiles, path)
    assert [file.name for file in tmp_path.rglob("*")] == ["report.html"]
    assert existing.read_text() == "old"


def test_unwritable_path_raises(profiles: tpa.TaskProfiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_report, "render", lambda *_: "a page")
    (tmp_path / "file").write_text("")
    with pytest.raises(tpa.ShareError, match="cannot be written"):
        tpa.save_report(profiles, tmp_path / "file" / "report.html")
    assert tpa.save_report(profiles, tmp_path / "a" / "b" / "report.HTML").read_text() == "a page"


def test_same_data_and_time_give_identical_bytes(
    reports: dict[str, Path], profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_report, "datetime", FixedClock)
    again = tpa.save_report(profiles, "again.html", before=earlier, groups="Finance", rationales=True, jobs=True)
    assert b"3 February 2026" in again.read_bytes()
    assert again.read_bytes() == reports["everything"].read_bytes()


@pytest.mark.parametrize("kind", ["company", "everything"])
def test_python_code_of_each_figure_runs(
    kind: str, reports: dict[str, Path], profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles
) -> None:
    tpa.write_profiles(profiles, "SNAPSHOT")
    tpa.write_profiles(earlier, "SNAPSHOT_BEFORE")
    first, *rest = code(reports[kind])
    names: dict[str, Any] = {}
    exec(first, names)
    blocks = evidence(reports[kind])["tables"]
    assert len(rest) == len(blocks) > 5
    for source, (key, table) in zip(rest, blocks.items(), strict=True):
        exec(source, names)
        result = names[key.replace("-", "_")]
        if key == "mix":  # the table has a row per family, the measure a row per level
            h1 = table["fields"].index("share_H1")
            shares = {row[0]: row[h1] for row in table["rows"] if row[h1] is not None}
            assert (
                dict(result.filter(ai_impact_level="H1").drop_nulls("share").select("job_family", "share").rows())
                == shares
            )
            result = result.unique("job_family")
        assert result.height == len(table["rows"]), source
