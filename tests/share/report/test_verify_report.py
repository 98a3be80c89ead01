"""Tests of `verify_report`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.reports import cached_images, evidence, few_resamples, one_chart, scope_key, small
from tests.helpers.unvalidated_charts import unvalidated_charts
from tpanalytics.share.report import verify_report
from tpanalytics.share.report.embed import script_safe
from tpanalytics.share.report.evidence import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tpanalytics.share.report.scope import ReportScope

__all__ = ["cached_images", "few_resamples", "one_chart", "unvalidated_charts"]

pytestmark = pytest.mark.usefixtures("one_chart", "few_resamples")


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    return small(tpa.load_sample("2026-11"))


@pytest.fixture(scope="module")
def earlier() -> tpa.TaskProfiles:
    return small(tpa.load_sample())


@pytest.fixture(scope="module")
def report(
    profiles: tpa.TaskProfiles, one_chart: None, few_resamples: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    arguments = {"title": "Würden & <b>Wägen</b>", "jobs": True, "rationales": True, "contract_hours": 38.5}
    return tpa.save_report(profiles, tmp_path_factory.mktemp("verify") / "report.html", **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def comparison(
    profiles: tpa.TaskProfiles,
    earlier: tpa.TaskProfiles,
    one_chart: None,
    few_resamples: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    return tpa.save_report(profiles, tmp_path_factory.mktemp("verify") / "two.html", before=earlier, groups="Finance")


@pytest.fixture(scope="module")
def pages() -> dict[object, tuple[str, ReportScope]]:
    """Return a cache of recomputed pages."""
    return {}


@pytest.fixture
def cached_pages(pages: dict[object, tuple[str, ReportScope]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Render each page once for tests that edit the same report."""
    render = verify_report.render

    def cached(scope: ReportScope, made: str) -> str:
        key = scope_key(scope), made
        if key not in pages:
            pages[key] = render(scope, made), scope  # keep a reference, so that ids are not reused
        return pages[key][0]

    monkeypatch.setattr(verify_report, "render", cached)


edited = pytest.mark.usefixtures("cached_pages")


def differences(compared: pl.DataFrame) -> list[str]:
    return compared.filter(~pl.col("equal")).get_column("what").to_list()


def test_unchanged_report_is_equal(report: Path, profiles: tpa.TaskProfiles) -> None:
    compared = tpa.verify_report(report, profiles)
    assert compared.columns == ["what", "in_report", "recomputed", "equal"]
    what = compared.get_column("what")
    assert what.is_unique().all()
    assert differences(compared) == []
    for pattern in (
        r"^mix: row 1, Finance",
        "^card hours-value",
        "^chart image 1$",
        "^evidence block",
        "^jobs: row 20,",
    ):
        assert what.str.contains(pattern).any(), pattern


def test_two_snapshots_are_compared_in_order(
    comparison: Path, profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles
) -> None:
    assert differences(tpa.verify_report(comparison, profiles, before=earlier)) == []
    with pytest.raises(tpa.ShareError, match=r"compares two snapshots\. Pass the earlier one as `before`"):
        tpa.verify_report(comparison, profiles)
    swapped = differences(tpa.verify_report(comparison, earlier, before=profiles))
    assert {"snapshot: hash of the tables", "earlier snapshot: hash of the tables"} <= set(swapped)


def test_written_and_read_snapshot_is_equal(report: Path, profiles: tpa.TaskProfiles) -> None:
    tpa.write_profiles(profiles, "folder")
    saved = tpa.read_profiles("folder")
    assert differences(tpa.verify_report(report, saved)) == []
    assert saved.manifest["content_sha256"]
    assert differences(tpa.verify_report(tpa.save_report(saved, "of-folder.html"), profiles)) == []


def test_order_of_rows_and_columns_is_ignored(report: Path, profiles: tpa.TaskProfiles) -> None:
    shuffled = tpa.TaskProfiles(
        jobs=profiles.jobs.sample(fraction=1.0, shuffle=True, seed=5),
        tasks=profiles.tasks.sample(fraction=1.0, shuffle=True, seed=6).select(reversed(profiles.tasks.columns)),
        manifest=profiles.manifest,
    )
    assert not shuffled.tasks["task_id"].equals(profiles.tasks["task_id"])
    assert differences(tpa.verify_report(report, shuffled)) == []


def test_different_data_are_found(report: Path, profiles: tpa.TaskProfiles, earlier: tpa.TaskProfiles) -> None:
    found = differences(tpa.verify_report(report, earlier))
    assert found[0] == "snapshot: hash of the tables"
    assert any(what.startswith("hours: row") for what in found)
    state = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("validated")).otherwise(pl.lit("suggested"))
    dtype = profiles.tasks.schema["validation_state"]
    changed = tpa.TaskProfiles(
        jobs=profiles.jobs,
        tasks=profiles.tasks.with_columns(validation_state=state.cast(dtype)),
        manifest=profiles.manifest,
    )
    assert "snapshot: hash of the tables" in differences(tpa.verify_report(report, changed))


def first(pattern: str, new: str) -> Callable[[str], str]:
    """Return a function that replaces the first match of a pattern."""

    def change(text: str) -> str:
        changed, n = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
        assert n == 1
        assert changed != text
        return changed

    return change


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "cell": (first(r'(data-figure="hours">.*?<td[^>]*>)[^<]+', r"\g<1>999"), "hours: row 1, Finance: 2 "),
    "family": (first(r'(data-figure="hours">.*?<th scope="row"[^>]*>)[^<]+', r"\1Other"), "hours: row 1"),
    "header": (first(r'(data-figure="hours">.*?<th scope="col"[^>]*>)[^<]+', r"\1Other"), "hours: heads"),
    "row": (first(r'(data-figure="hours">.*?<tbody>)\s*<tr>.*?</tr>', r"\1"), "hours: row"),
    "table": (first(r'<table data-figure="hours">.*?</table>', ""), "hours: row"),
    "card": (first(r'(data-figure="card-exposure-value">)[^<]+', r"\g<1>0.01"), "card exposure-value"),
    "range": (first(r'(data-figure="card-hours-range">)[^<]+', r"\g<1>1 to 2"), "card hours-range"),
    "sentence": (first("<li>Exposure estimates", "<li>Exposure hardly estimates"), "text of the page"),
    "comment": (first("<main", "<!-- comment --><main"), "text of the page"),
    "second card": (first("<main", '<p data-figure="card-exposure-value">0.01</p><main'), "card exposure-value"),
    "image": (first(r"(<img[^>]*data:image/svg[^']{600})", r"\1%3Cg/%3E"), "chart image 1"),
    "alternative text": (first(r'(<img[^>]*alt=")', r"\1No "), "chart image 1"),
    "script": (first("</body>", "<script>alert(1)</script></body>"), "script"),
    "style": (first("</style>", "td { display: none }</style>"), "text of the style sheet"),
    "interactive chart": (first(r'(data-spec="mix">\{)', r'\1"padding":9,'), "chart mix, interactive"),
    "evidence": (first(r'("tables":\{"mix":.*?"rows":\[\[[^,]+,)\d+', r"\g<1>77"), "hash of the evidence block"),
    "time": (first(r'("made":")20\d\d', r"\g<1>2001"), "hash of the evidence block"),
}


@edited
@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_found(edit: str, report: Path, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    change, where = EDITS[edit]
    edited = tmp_path / "edited.html"
    edited.write_text(change(report.read_text(encoding="utf-8")), encoding="utf-8")
    found = differences(tpa.verify_report(edited, profiles))
    assert any(what.startswith(where) for what in found), found


@edited
def test_edited_number_is_reported_with_both_values(report: Path, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    edited = tmp_path / "edited.html"
    edited.write_text(EDITS["cell"][0](report.read_text(encoding="utf-8")), encoding="utf-8")
    (row,) = tpa.verify_report(edited, profiles).filter(~pl.col("equal")).to_dicts()
    assert row["in_report"] == "999"
    assert row["recomputed"] == str(profiles.jobs.filter(pl.col("job_family") == "Finance").height)


def with_evidence(report: Path, folder: Path, **changed: object) -> Path:
    """Change the evidence block and its hash."""
    block = {**evidence(report), **changed}
    block["sha256"] = digest(block)
    text = report.read_text(encoding="utf-8")
    pattern = r'(id="evidence-block">).*?(</script>)'
    path = folder / "rewritten.html"
    path.write_text(
        re.sub(pattern, lambda m: m[1] + script_safe(block) + m[2], text, flags=re.DOTALL), encoding="utf-8"
    )
    return path


@edited
def test_changed_evidence_with_a_new_hash_is_found(report: Path, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    tables = json.loads(json.dumps(evidence(report)["tables"]))
    tables["mix"]["rows"][0][1] += 1
    compared = tpa.verify_report(with_evidence(report, tmp_path, tables=tables), profiles)
    assert compared.row(by_predicate=pl.col("what") == "hash of the evidence block", named=True)["equal"]
    assert "evidence block" in differences(compared)


@edited
@pytest.mark.parametrize("groups", ["Finance", "no such family"])
def test_changed_arguments_are_found(groups: str, report: Path, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    choices = {**evidence(report)["choices"], "groups": groups}
    assert differences(tpa.verify_report(with_evidence(report, tmp_path, choices=choices), profiles))


@edited
def test_charts_from_other_versions_are_neither_equal_nor_different(
    report: Path, profiles: tpa.TaskProfiles, tmp_path: Path
) -> None:
    path = with_evidence(report, tmp_path, versions={"tpanalytics": "0.0.1"})
    path.write_text(EDITS["image"][0](path.read_text(encoding="utf-8")), encoding="utf-8")
    compared = tpa.verify_report(path, profiles)
    image = compared.row(by_predicate=pl.col("what") == "chart image 1", named=True)
    assert image["equal"] is None
    assert differences(compared) == []
    path.write_text(EDITS["card"][0](path.read_text(encoding="utf-8")), encoding="utf-8")
    assert differences(tpa.verify_report(path, profiles)) == ["card exposure-value"]


NOT_A_REPORT: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "other page": b"<!doctype html><title>Other</title><p>3 jobs",
    "not text": b"\x89PNG\r\n\xff\xfe",
    "not JSON": b'<script id="evidence-block">{</script>',
    "list": b'<script id="evidence-block">[1]</script>',
    "other version": b'<script id="evidence-block">{"report": 3}</script>',
    "incomplete": b'<script id="evidence-block">{"report": 2, "made": "2026-01-01T00:00:00+00:00"}</script>',
}


@pytest.mark.parametrize("case", NOT_A_REPORT)
def test_other_files_raise(case: str, profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    path, content = tmp_path / "file.html", NOT_A_REPORT[case]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(tpa.ShareError, match=r"is not a report|is not a tpanalytics report|cannot be read"):
        tpa.verify_report(path, profiles)


INVALID_EVIDENCE: dict[str, dict[str, object]] = {
    "made": {"made": "yesterday"},
    "unknown argument": {"choices": {"states": ["validated"], "unknown": 1}},
    "unknown privacy field": {"privacy": {"limit": 3}},
    "privacy as text": {"privacy": "none"},
    "weights as list": {"level_weights": [1, 2]},
    "states as number": {"states": 3},
    "title as number": {"title": 3},
}


@edited
@pytest.mark.parametrize("case", INVALID_EVIDENCE)
def test_invalid_evidence_is_found_or_raises_a_share_error(
    case: str, report: Path, profiles: tpa.TaskProfiles, tmp_path: Path
) -> None:
    changed = INVALID_EVIDENCE[case]
    if not changed.keys() & {"made", "choices"}:
        changed = {"choices": {**evidence(report)["choices"], **changed}}
    path = with_evidence(report, tmp_path, **changed)
    try:
        found = differences(tpa.verify_report(path, profiles))
    except tpa.ShareError as error:
        found = ["error"] if "rewritten.html" in str(error) else []
    assert found
