"""Every figure of a report can be worked out again, and what was changed in it is found."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.reports import asked_for, evidence, one_chart, quick_pen, small
from tpanalytics.share.report import verify_report
from tpanalytics.share.report.embed import script_safe
from tpanalytics.share.report.evidence import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tpanalytics.share.report.scope import ReportScope

__all__ = ["one_chart", "quick_pen"]

pytestmark = pytest.mark.usefixtures("one_chart")


@pytest.fixture(scope="module")
def now() -> tpa.TaskProfiles:
    return small(tpa.load_sample("2026-11"))


@pytest.fixture(scope="module")
def then() -> tpa.TaskProfiles:
    return small(tpa.load_sample())


@pytest.fixture(scope="module")
def report(now: tpa.TaskProfiles, one_chart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    how = {"title": "Würden & <b>Wägen</b>", "jobs": True, "rationales": True, "contract_hours": 38.5}
    return tpa.save_report(now, tmp_path_factory.mktemp("verify") / "report.html", **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def of_two(
    now: tpa.TaskProfiles, then: tpa.TaskProfiles, one_chart: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return tpa.save_report(now, tmp_path_factory.mktemp("verify") / "two.html", before=then, families="Finance")


@pytest.fixture(scope="module")
def once() -> dict[object, tuple[str, ReportScope]]:
    """Gather what was worked out again, so that the same report is worked out again once."""
    return {}


@pytest.fixture
def worked_out_once(once: dict[object, tuple[str, ReportScope]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold many edits of a report against the same recomputation; that it is right the other tests say."""
    render = verify_report.render

    def rendered(asked: ReportScope, made: str) -> str:
        key = asked_for(asked), made
        if key not in once:
            once[key] = render(asked, made), asked  # kept, so that no other frames take their ids
        return once[key][0]

    monkeypatch.setattr(verify_report, "render", rendered)


edited = pytest.mark.usefixtures("worked_out_once")


def other(compared: pl.DataFrame) -> list[str]:
    return compared.filter(~pl.col("equal")).get_column("what").to_list()


def test_the_right_snapshot_is_equal(report: Path, now: tpa.TaskProfiles) -> None:
    compared = tpa.verify_report(report, now)
    assert compared.columns == ["what", "in_report", "recomputed", "equal"]
    assert compared.get_column("what").is_unique().all()
    assert other(compared) == []
    cells = compared.get_column("what")
    for what in (
        r"^mix: row 1, Finance",
        "^card hours-value",
        "^chart picture 1$",
        "^evidence block",
        "^jobs: row 20,",
    ):
        assert cells.str.contains(what).any(), what


def test_two_snapshots_are_equal_in_their_order_only(
    of_two: Path, now: tpa.TaskProfiles, then: tpa.TaskProfiles
) -> None:
    assert other(tpa.verify_report(of_two, now, before=then)) == []
    with pytest.raises(tpa.ShareError, match="pass before="):
        tpa.verify_report(of_two, now)
    swapped = other(tpa.verify_report(of_two, then, before=now))
    assert {"snapshot: hash of both tables", "snapshot before: hash of both tables"} <= set(swapped)


def test_a_snapshot_that_was_written_and_read_is_equal(report: Path, now: tpa.TaskProfiles) -> None:
    tpa.write_profiles(now, "folder")
    assert other(tpa.verify_report(report, tpa.read_profiles("folder"))) == []
    written = tpa.read_profiles("folder")
    assert written.manifest["content_sha256"]
    assert other(tpa.verify_report(tpa.save_report(written, "of-folder.html"), now)) == []


def test_the_order_of_rows_is_no_figure(report: Path, now: tpa.TaskProfiles) -> None:
    shuffled = tpa.TaskProfiles(
        jobs=now.jobs.sample(fraction=1.0, shuffle=True, seed=5),
        tasks=now.tasks.sample(fraction=1.0, shuffle=True, seed=6).select(reversed(now.tasks.columns)),
        manifest=now.manifest,
    )
    assert not shuffled.tasks["task_id"].equals(now.tasks["task_id"])
    assert other(tpa.verify_report(report, shuffled)) == []


def test_other_data_are_found(report: Path, now: tpa.TaskProfiles, then: tpa.TaskProfiles) -> None:
    found = other(tpa.verify_report(report, then))
    assert found[0] == "snapshot: hash of both tables"
    assert any(what.startswith("hours: row") for what in found)
    more = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("validated")).otherwise(pl.lit("suggested"))
    dtype = now.tasks.schema["validation_state"]
    one_state = tpa.TaskProfiles(
        jobs=now.jobs, tasks=now.tasks.with_columns(validation_state=more.cast(dtype)), manifest=now.manifest
    )
    assert "snapshot: hash of both tables" in other(tpa.verify_report(report, one_state))


def first(pattern: str, new: str) -> Callable[[str], str]:
    """Change the first place where a pattern is, which must be there."""

    def change(text: str) -> str:
        changed, times = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
        assert times == 1
        assert changed != text
        return changed

    return change


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "a cell": (first(r'(data-figure="hours">.*?<td[^>]*>)[^<]+', r"\g<1>999"), "hours: row 1, Finance: 2 "),
    "a family": (first(r'(data-figure="hours">.*?<th scope="row"[^>]*>)[^<]+', r"\1Else"), "hours: row 1"),
    "a head": (first(r'(data-figure="hours">.*?<th scope="col"[^>]*>)[^<]+', r"\1Else"), "hours: heads"),
    "a row": (first(r'(data-figure="hours">.*?<tbody>)\s*<tr>.*?</tr>', r"\1"), "hours: row"),
    "a table": (first(r'<table data-figure="hours">.*?</table>', ""), "hours: row"),
    "a card": (first(r'(data-figure="card-exposure-value">)[^<]+', r"\g<1>0.01"), "card exposure-value"),
    "a range": (first(r'(data-figure="card-hours-range">)[^<]+', r"\1between 1 and 2"), "card hours-range"),
    "a sentence": (first("<li>Exposure says", "<li>Exposure hardly says"), "text of the page"),
    "a hidden remark": (first("<main", "<!-- remark --><main"), "text of the page"),
    "a second card": (first("<main", '<p data-figure="card-exposure-value">0.01</p><main'), "card exposure-value"),
    "a picture": (first(r"(<img[^>]*data:image/svg[^']{600})", r"\1%3Cg/%3E"), "chart picture 1"),
    "a text of a picture": (first(r'(<img[^>]*alt=")', r"\1No "), "chart picture 1"),
    "a script": (first("</body>", "<script>alert(1)</script></body>"), "script"),
    "a style": (first("</style>", "td { display: none }</style>"), "text of the style sheet"),
    "a drawn chart": (first(r'(data-spec="mix">\{)', r'\1"padding":9,'), "chart mix, drawn by scripts"),
    "evidence": (first(r'("tables":\{"mix":.*?"rows":\[\[[^,]+,)\d+', r"\g<1>77"), "hash of the evidence block"),
    "when": (first(r'("made":")20\d\d', r"\g<1>2001"), "hash of the evidence block"),
}


@edited
@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_found(edit: str, report: Path, now: tpa.TaskProfiles, tmp_path: Path) -> None:
    change, where = EDITS[edit]
    edited = tmp_path / "edited.html"
    edited.write_text(change(report.read_text(encoding="utf-8")), encoding="utf-8")
    found = other(tpa.verify_report(edited, now))
    assert any(what.startswith(where) for what in found), found


@edited
def test_an_edited_number_is_named_with_both_values(report: Path, now: tpa.TaskProfiles, tmp_path: Path) -> None:
    edited = tmp_path / "edited.html"
    edited.write_text(EDITS["a cell"][0](report.read_text(encoding="utf-8")), encoding="utf-8")
    (row,) = tpa.verify_report(edited, now).filter(~pl.col("equal")).to_dicts()
    assert row["in_report"] == "999"
    assert row["recomputed"] == str(now.jobs.filter(pl.col("job_family") == "Finance").height)


def with_evidence(report: Path, folder: Path, **changed: object) -> Path:
    """Change evidence as somebody would who knows how: with the hash worked out anew."""
    told = {**evidence(report), **changed}
    told["sha256"] = digest(told)
    text = report.read_text(encoding="utf-8")
    pattern = r'(id="evidence-block">).*?(</script>)'
    path = folder / "rewritten.html"
    path.write_text(re.sub(pattern, lambda m: m[1] + script_safe(told) + m[2], text, flags=re.DOTALL), encoding="utf-8")
    return path


@edited
def test_evidence_with_a_new_hash_is_found(report: Path, now: tpa.TaskProfiles, tmp_path: Path) -> None:
    tables = json.loads(json.dumps(evidence(report)["tables"]))
    tables["mix"]["rows"][0][1] += 1
    compared = tpa.verify_report(with_evidence(report, tmp_path, tables=tables), now)
    assert compared.row(by_predicate=pl.col("what") == "hash of the evidence block", named=True)["equal"]
    assert "evidence block" in other(compared)


@edited
@pytest.mark.parametrize("families", ["Finance", "no such family"])
def test_other_choices_than_those_of_the_page_are_found(
    families: str, report: Path, now: tpa.TaskProfiles, tmp_path: Path
) -> None:
    chosen = {**evidence(report)["choices"], "families": families}
    assert other(tpa.verify_report(with_evidence(report, tmp_path, choices=chosen), now))


@edited
def test_other_versions_leave_pictures_open_and_figures_proven(
    report: Path, now: tpa.TaskProfiles, tmp_path: Path
) -> None:
    path = with_evidence(report, tmp_path, versions={"tpanalytics": "0.0.1"})
    path.write_text(EDITS["a picture"][0](path.read_text(encoding="utf-8")), encoding="utf-8")
    compared = tpa.verify_report(path, now)
    picture = compared.row(by_predicate=pl.col("what") == "chart picture 1", named=True)
    assert picture["equal"] is None
    assert other(compared) == []
    path.write_text(EDITS["a card"][0](path.read_text(encoding="utf-8")), encoding="utf-8")
    assert other(tpa.verify_report(path, now)) == ["card exposure-value"]


NO_REPORT: dict[str, bytes | None] = {
    "not there": None,
    "empty": b"",
    "a page": b"<!doctype html><title>Else</title><p>3 jobs",
    "no text": b"\x89PNG\r\n\xff\xfe",
    "no json": b'<script id="evidence-block">{</script>',
    "a list": b'<script id="evidence-block">[1]</script>',
    "another kind": b'<script id="evidence-block">{"report": 2}</script>',
    "half": b'<script id="evidence-block">{"report": 1, "made": "2026-01-01T00:00:00+00:00"}</script>',
}


@pytest.mark.parametrize("case", NO_REPORT)
def test_what_is_no_report_is_said_to_be_none(case: str, now: tpa.TaskProfiles, tmp_path: Path) -> None:
    path, content = tmp_path / "file.html", NO_REPORT[case]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(tpa.ShareError, match=r"is no report|cannot be read"):
        tpa.verify_report(path, now)


BROKEN: dict[str, dict[str, object]] = {
    "made": {"made": "yesterday"},
    "unknown choice": {"choices": {"states": ["validated"], "nonsense": 1}},
    "privacy of else": {"privacy": {"limit": 3}},
    "privacy as text": {"privacy": "none"},
    "weights as list": {"level_weights": [1, 2]},
    "states as number": {"states": 3},
    "title as number": {"title": 3},
}


@edited
@pytest.mark.parametrize("case", BROKEN)
def test_evidence_of_nonsense_is_found_and_breaks_nothing(
    case: str, report: Path, now: tpa.TaskProfiles, tmp_path: Path
) -> None:
    changed = BROKEN[case]
    if not changed.keys() & {"made", "choices"}:
        changed = {"choices": {**evidence(report)["choices"], **changed}}
    path = with_evidence(report, tmp_path, **changed)
    try:
        found = other(tpa.verify_report(path, now))
    except tpa.ShareError as error:
        found = ["refused"] if "rewritten.html" in str(error) else []
    assert found
