"""`tpanalytics summary`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

import tpanalytics as tpa
from tests.helpers.command_line import run
from tests.helpers.grouped import with_countries, with_sites

if TYPE_CHECKING:
    import pytest

    from tpanalytics.demo.server import Tenant


def test_summary_of_an_export(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("export", "snap", "--family-lists", capsys=capsys)
    assert status == 0
    assert out.startswith("snap: 240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete")
    assert tenant.tokens_issued == 1
    status, out, _ = run("summary", "snap", capsys=capsys)
    assert status == 0
    assert out.splitlines()[0].endswith("may be a subset of the tenant.")
    assert "Missing hours are excluded." in out
    figures = json.loads(run("summary", "snap", "--json", capsys=capsys)[1])
    ours = tpa.hours(tpa.read_profiles("snap"))
    assert figures["hours"] == [{**row, "reason": None} for row in json.loads(ours.write_json())]


def test_summary_suppresses_small_families(capsys: pytest.CaptureFixture[str]) -> None:
    usual = run("summary", capsys=capsys)[1]
    assert usual.count("suppressed") == 1, "only the finding of a small group"
    assert usual.endswith("\u00b7 = suppressed (small group)\n")
    out = run("summary", "--min-jobs", "8", capsys=capsys)[1]
    lines = {line[:15].strip(): line for line in out.splitlines()}
    assert lines["(no job family)"].split()[3:] == ["7", *["\u00b7"] * 11]
    assert lines["Field Service a"].split()[-11:] == ["\u00b7"] * 11, "the next smallest"
    assert re.search(r"^· = suppressed\. 2 of 17 .*8 jobs or 5 people", out, re.MULTILINE)
    figures = json.loads(run("summary", "--min-jobs", "8", "--json", capsys=capsys)[1])
    assert figures["privacy"] == {"min_jobs": 8, "min_headcount": 5}
    for name in ("hours", "impact", "coverage"):
        hidden = [row for row in figures[name] if row["reason"] == "SUPPRESSED"]
        assert {row["job_family"] for row in hidden} == {"(no job family)", "Field Service and Installation"}
        known = {key for row in hidden for key, value in row.items() if value is not None}
        assert known <= {"job_family", "ai_impact_level", "jobs", "basis", "reason"}
    assert run("summary", "--min-jobs", "-1", capsys=capsys)[0] == 1


def test_summary_of_a_single_small_family_shows_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    task = {"task_id": "t", "task": "Do", "validation_state": "validated", "weekly_hours": 77.25}
    Path("small.json").write_text(json.dumps([{"external_id": "j", "tasks": [task]}]), encoding="utf-8")
    out = run("summary", "small.json", capsys=capsys)[1]
    assert "1 of 1 families are" not in out
    assert "· = suppressed. 1 of 1 job family is" in out
    assert "77" not in out
    assert "100%" not in out
    output = run("summary", "small.json", "--json", capsys=capsys)[1]
    assert "77" not in output
    assert json.loads(output)["quality_report"] is None
    assert "Data quality" not in out
    assert "77.2" in run("summary", "small.json", "--min-jobs", "0", "--min-headcount", "0", capsys=capsys)[1]


def findings(out: str) -> dict[str, list[str]]:
    """Read the printed findings by check: severity, share of the hours, examples."""
    lines = out.split("\nData quality (see ")[1].splitlines()[3:]
    rows = [re.split(r" {2,}", line) for line in lines if not line.startswith("\u00b7 = ")]
    return {row[1]: [row[0], *row[2:]] for row in rows}


def test_summary_lists_findings_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    report = tpa.quality_report(tpa.load_sample()).filter(pl.col("severity") != "ok")
    out = run("summary", capsys=capsys)[1]
    assert out.endswith("\n\u00b7 = suppressed (small group)\n")
    printed = findings(out)
    assert list(printed) == report["check"].to_list()
    assert printed["hours_missing"] == ["warning", "\u2013", "job-0002, job-0003, job-0005"]
    assert printed["jobs_without_tasks"] == ["note", "0%", "job-0059, job-0077, job-0080"]
    assert printed["weeks_over_described"] == ["warning", "\u00b7", "job-0068, job-0136"], "share of a small group"
    rows = json.loads(run("summary", "--json", capsys=capsys)[1])["quality_report"]
    assert [row["check"] for row in rows] == report["check"].to_list()
    assert {row["finding"] for row in rows if row["reason"] != "SUPPRESSED"} < set(report["finding"])
    everything = json.loads(run("summary", "--min-jobs", "0", "--min-headcount", "0", "--json", capsys=capsys)[1])
    assert everything["quality_report"] == report.to_dicts()


def test_findings_of_suppressed_families_are_suppressed(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = tpa.load_sample()
    hidden = profiles.jobs.filter(
        pl.col("job_family").is_null() | (pl.col("job_family") == "Field Service and Installation")
    )["job_id"]
    assert findings(run("summary", "--min-jobs", "8", capsys=capsys)[1])["jobs_without_family"][1:] == ["·", "\u2013"]
    rows = json.loads(run("summary", "--min-jobs", "8", "--json", capsys=capsys)[1])["quality_report"]
    assert not {example for row in rows for example in row["examples"]} & set(hidden)
    finding = next(row for row in rows if row["check"] == "jobs_without_family")
    assert (finding["affected"], finding["share_hours"], finding["finding"], finding["reason"]) == (
        7,
        None,
        None,
        "SUPPRESSED",
    )


def test_findings_contain_no_employee_ids(capsys: pytest.CaptureFixture[str]) -> None:
    sample = tpa.load_sample()
    manifest = {**sample.manifest, "source": {"kind": "employees"}}
    tpa.write_profiles(replace(sample, manifest=manifest), "people")
    out = run("summary", "people", capsys=capsys)[1]
    assert "job-0" not in out
    assert findings(out)["not_validated"][1].endswith("%")
    assert findings(out)["missing_hours_uneven"][2].startswith("suggested")


def test_summary_without_findings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fine = tpa.quality_report(tpa.load_sample()).filter(severity="ok")
    monkeypatch.setattr(tpa, "quality_report", lambda _: fine)
    assert run("summary", capsys=capsys)[1].endswith("Data quality: no problems found.\n")


def test_summary_of_sample_file_and_empty_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert "sample data" in run("summary", capsys=capsys)[1]
    Path("export.jsonl").write_text('{"external_id": "j", "tasks": []}', encoding="utf-8")
    status, out, _ = run("summary", "export.jsonl", capsys=capsys)
    assert (status, "(no job family)" in out) == (0, True)
    Path("empty.json").write_text("[]", encoding="utf-8")
    assert "There are no jobs." in run("summary", "empty.json", capsys=capsys)[1]


def test_summary_mentions_fields_that_were_not_requested(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", "snap", "--include", "ai_impact", capsys=capsys)
    assert "weekly_hours was not requested" in run("summary", "snap", capsys=capsys)[1]
    assert "32%" in run("summary", "--weight", "tasks", capsys=capsys)[1]


def test_summary_by_another_column(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = with_sites(with_countries(tpa.load_sample()))
    tpa.write_profiles(replace(profiles, people=None), "snap")
    out = run("summary", "snap", "--by", "country", capsys=capsys)[1]
    assert "job family" not in out
    assert [line.split("  ")[0] for line in out.splitlines()[1:]][:1] == ["country"]
    assert re.search(r"^LU +2( +·){11}$", out, re.MULTILINE)
    assert re.search(r"^· = suppressed\. 2 of 5 countries are", out, re.MULTILINE)
    out = run("summary", "snap", "--by", "country,pay_grade", "--min-jobs", "0", "--min-headcount", "0", capsys=capsys)[
        1
    ]
    assert "country and pay grade" in out.splitlines()[1]
    assert "\nBE · 6 " in out
    repeated = run("summary", "snap", "--by", "country", "--by", "pay_grade", "--json", capsys=capsys)[1]
    assert list(json.loads(repeated)["hours"][0])[:2] == ["country", "pay_grade"]
    figures = json.loads(run("summary", "snap", "--by", "none", "--json", capsys=capsys)[1])
    assert [row["hours"] for row in figures["hours"]] == tpa.hours(profiles, by=None)["hours"].to_list()
    assert "all jobs" in run("summary", "snap", "--by", "none", capsys=capsys)[1]


def test_invalid_columns_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    for by, message in (
        ("job_familly", "did you mean 'job_family'"),
        ("none,job_family", "--by must be column names, or 'none' alone"),
        (",", "--by must be column names"),
    ):
        status, _, err = run("summary", "--by", by, capsys=capsys)
        assert (status, message in err) == (1, True)
