"""The command line does the whole journey, says what went wrong in a sentence, and never shows a secret."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.conftest import REAL
from tests.helpers.reports import one_chart_only
from tpanalytics.cli.main import main
from tpanalytics.demo.handlers import Rules
from tpanalytics.demo.sample import catalogue_of
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-CANARY-%&\"'ü"


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    with Tenant(client_secret=SECRET) as running:
        for name, value in running.settings.items():
            monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
        yield running


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(arguments)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    return status, said.out, said.err


def test_demo_does_the_whole_journey(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("demo", capsys=capsys)
    assert status == 0
    assert "240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete" in out
    assert "Tokens used: 1." in out
    folder = Path("tpanalytics-demo")
    assert str(folder.resolve()) in out
    for name in re.findall(r"^  (\S+)$", out, flags=re.MULTILINE):
        assert (folder / name).exists(), name
    profiles = tpa.read_profiles(folder / "snapshot")
    for family in tpa.hours(profiles)["job_family"]:
        assert family in out
    with one_chart_only():
        status, out, _ = run("demo", "--json", capsys=capsys)
    said = json.loads(out)
    assert status == 0, "it runs again over its own folder"
    assert (said["tokens"], said["manifest"]["complete"]) == (1, True)
    assert len(said["hours"]) == 17
    assert {Path(path).parent for path in said["written"]} == {folder}


def test_demo_writes_where_it_is_told_to(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpa, "save_report", lambda _, path: path)
    monkeypatch.setattr(tpa, "save", lambda _, path: path)
    assert run("demo", "--out", "there", capsys=capsys)[0] == 0
    assert [path.name for path in Path("there").iterdir()] == ["snapshot"]
    assert not Path("tpanalytics-demo").exists()


def test_export_and_summary(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("export", "snap", "--family-lists", capsys=capsys)
    assert status == 0
    assert out.startswith("snap: 240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete")
    assert tenant.tokens_issued == 1
    status, out, _ = run("summary", "snap", capsys=capsys)
    assert status == 0
    assert out.splitlines()[0].endswith("may be a subset of the tenant.")
    assert "they are not zero" in out
    figures = json.loads(run("summary", "snap", "--json", capsys=capsys)[1])
    ours = tpa.hours(tpa.read_profiles("snap"))
    assert figures["hours"] == [{**row, "reason": None} for row in json.loads(ours.write_json())]


def test_summary_hides_small_families_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    usual = run("summary", capsys=capsys)[1]
    assert "hidden" not in usual
    out = run("summary", "--min-jobs", "8", capsys=capsys)[1]
    lines = {line[:12].strip(): line for line in out.splitlines()}
    assert lines["(no family)"].split()[2:] == ["7", *["\u00b7"] * 11]
    assert lines["Field Servic"].split()[-11:] == ["\u00b7"] * 11, "the next smallest"
    assert "2 of 17 families are hidden (\u00b7): fewer than 8 jobs or 5 people" in out
    figures = json.loads(run("summary", "--min-jobs", "8", "--json", capsys=capsys)[1])
    assert figures["privacy"] == {"min_jobs": 8, "min_headcount": 5}
    for name in ("hours", "impact", "coverage"):
        hidden = [row for row in figures[name] if row["reason"] == "SUPPRESSED"]
        assert {row["job_family"] for row in hidden} == {"(no family)", "Field Service and Installation"}
        known = {key for row in hidden for key, value in row.items() if value is not None}
        assert known <= {"job_family", "level", "jobs", "basis", "reason"}
    assert run("summary", "--min-jobs", "-1", capsys=capsys)[0] == 1


def test_summary_of_one_small_family_tells_nothing_unless_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    task = {"task_id": "t", "task": "Do", "validation_state": "validated", "weekly_hours": 77.25}
    Path("one.json").write_text(json.dumps([{"external_id": "j", "tasks": [task]}]), encoding="utf-8")
    out = run("summary", "one.json", capsys=capsys)[1]
    assert "1 of 1 families are hidden" not in out
    assert "1 of 1 families is hidden (\u00b7)" in out
    assert "77" not in out
    assert "100\xa0%" not in out
    said = run("summary", "one.json", "--json", capsys=capsys)[1]
    assert "77" not in said
    assert json.loads(said)["quality_report"] is None
    assert "Read first" not in out
    assert "77.2" in run("summary", "one.json", "--min-jobs", "0", "--min-headcount", "0", capsys=capsys)[1]


def findings(out: str) -> dict[str, list[str]]:
    """Read the printed findings by check: severity, share of the hours, examples."""
    lines = out.split("\nRead first what is missing")[1].splitlines()[3:]
    rows = [re.split(r" {2,}", line) for line in lines]
    return {row[1]: [row[0], *row[2:]] for row in rows}


def test_summary_says_what_was_found_and_names_examples(capsys: pytest.CaptureFixture[str]) -> None:
    report = tpa.quality_report(tpa.load_sample()).filter(pl.col("severity") != "ok")
    printed = findings(run("summary", capsys=capsys)[1])
    assert list(printed) == report["check"].to_list()
    assert printed["hours_missing"] == ["warning", "\u2013", "job-0002, job-0003, job-0005"]
    assert printed["jobs_without_tasks"] == ["note", "0\xa0%", "job-0059, job-0077, job-0080"]
    assert printed["weeks_over_described"] == ["warning", "\u00b7", "job-0068, job-0136"], "it would be theirs"
    rows = json.loads(run("summary", "--json", capsys=capsys)[1])["quality_report"]
    assert [row["check"] for row in rows] == report["check"].to_list()
    assert {row["finding"] for row in rows if row["reason"] != "SUPPRESSED"} < set(report["finding"])
    everything = json.loads(run("summary", "--min-jobs", "0", "--min-headcount", "0", "--json", capsys=capsys)[1])
    assert everything["quality_report"] == report.to_dicts()


def test_findings_tell_nothing_of_a_hidden_family(capsys: pytest.CaptureFixture[str]) -> None:
    profiles = tpa.load_sample()
    hidden = profiles.jobs.filter(
        pl.col("job_family").is_null() | (pl.col("job_family") == "Field Service and Installation")
    )["job_id"]
    assert findings(run("summary", "--min-jobs", "8", capsys=capsys)[1])["jobs_without_family"][1:] == ["·", "\u2013"]
    rows = json.loads(run("summary", "--min-jobs", "8", "--json", capsys=capsys)[1])["quality_report"]
    assert not {example for row in rows for example in row["examples"]} & set(hidden)
    whole = next(row for row in rows if row["check"] == "jobs_without_family")
    assert (whole["affected"], whole["share_hours"], whole["finding"], whole["reason"]) == (7, None, None, "SUPPRESSED")


def test_findings_name_no_employee(capsys: pytest.CaptureFixture[str]) -> None:
    sample = tpa.load_sample()
    manifest = {**sample.manifest, "source": {"kind": "employees"}}
    tpa.write_profiles(replace(sample, manifest=manifest), "people")
    out = run("summary", "people", capsys=capsys)[1]
    assert "job-0" not in out
    assert findings(out)["not_validated"][1].endswith("%")
    assert findings(out)["missing_hours_uneven"][2].startswith("suggested")


def test_summary_says_when_all_is_in_order(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fine = tpa.quality_report(tpa.load_sample()).filter(severity="ok")
    monkeypatch.setattr(tpa, "quality_report", lambda _: fine)
    assert run("summary", capsys=capsys)[1].endswith("Nothing was found that is missing, contradictory or odd.\n")


def test_export_by_family_ids_filters_and_includes(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    only = json.dumps({"filter": "job_family_id_is_in_list", "job_family_ids": ["fam-fin", "fam-hr"]})
    ids = ["--family-id", "fam-fin", "--family-id", "fam-hr"]
    more = ["--include", "weekly_hours", "--include", "rejected_tasks", "--response-format", "hierarchy"]
    assert run("export", "snap", "--filter", only, *ids, *more, capsys=capsys)[0] == 0
    profiles = tpa.read_profiles("snap")
    assert set(profiles.jobs["job_family"]) == {"fam-fin", "fam-hr"}
    assert "rejected" in set(profiles.tasks["validation_state"])
    assert profiles.tasks["ai_impact_level"].null_count() == profiles.tasks.height
    assert profiles.tasks["hierarchy"].list.len().max() == 4


def test_mapping_files_can_be_given(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    pl.DataFrame(tenant.catalogue.jobs).write_csv("jobs.csv")
    pl.DataFrame(tenant.catalogue.families).write_csv("families.csv")
    mapping = ["--jobs", "jobs.csv", "--families", "families.csv"]
    assert run("export", "snap", *mapping, capsys=capsys)[0] == 0
    assert "headcount" in tpa.read_profiles("snap").jobs.columns
    assert "Finance" in run("summary", "snap", capsys=capsys)[1]


def test_summary_of_the_sample_of_files_and_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invented data" in run("summary", capsys=capsys)[1]
    Path("export.jsonl").write_text('{"external_id": "j", "tasks": []}', encoding="utf-8")
    status, out, _ = run("summary", "export.jsonl", capsys=capsys)
    assert (status, "(no family)" in out) == (0, True)
    Path("empty.json").write_text("[]", encoding="utf-8")
    assert "There are no jobs." in run("summary", "empty.json", capsys=capsys)[1]


def test_doctor_says_where_each_setting_came_from(
    tenant: Tenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TPANALYTICS_TENANT")
    Path(".env").write_text("TPANALYTICS_TENANT=alderbrook\n", encoding="utf-8")
    status, out, _ = run("doctor", "--audience", tenant.settings["audience"], capsys=capsys)
    assert status == 0
    assert re.search(r"client_secret +\*\*\* +\(environment variable TPANALYTICS_CLIENT_SECRET\)", out)
    assert re.search(r"tenant +alderbrook +\(TPANALYTICS_TENANT in \.env\)", out)
    assert re.search(r"audience .*\(argument\)", out)
    assert re.search(r"version +2025-01-29", out)


def test_doctor_reports_a_refusal(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run("doctor", "--client-id", "somebody-else", capsys=capsys)
    assert status == 1
    assert "returned 401: access_denied: Unauthorized" in err
    said = json.loads(run("doctor", "--client-id", "somebody-else", "--json", capsys=capsys)[1])
    assert said["settings"]["client_secret"]["value"] == "***"
    assert "access_denied" in said["problem"]
    assert tenant.tokens_issued == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_what_goes_wrong_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(*arguments, capsys=capsys)
    assert status == 1
    assert err.startswith("tpanalytics: ")
    assert said in err
    assert "Traceback" not in err + out


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


def served(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    command = [sys.executable, "-m", "tpanalytics", "serve", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    settings: dict[str, str] = {}
    while len(settings) < 6:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        if found := re.match(r"  export (TPANALYTICS_\w+)=(\S+)", line):
            settings[found[1]] = found[2]
    return process, settings


@pytest.mark.parametrize("source", ["invented", "real"])
def test_serve_export_summary_in_processes_of_their_own(source: str) -> None:
    """The journey of the README over a real socket, from one process to another."""
    arguments, mapping, families, sentence = [], [], 17, "240 jobs and 5,516 tasks in 3 pages"
    if source == "real":
        if not REAL.is_dir():
            pytest.skip("the real data are not beside the project")
        mapping = ["--jobs", str(REAL / "csv" / "jobs.csv"), "--families", str(REAL / "csv" / "job_families.csv")]
        arguments = ["--records", str(REAL / "data" / "task_profiles.jsonl.gz"), *mapping]
        families, sentence = 23, "1,016 jobs and 18,796 tasks in 11 pages"
    process, settings = served(*arguments)
    try:
        environment = {**os.environ, **settings}

        def call(*words: str) -> Any:
            command = [sys.executable, "-m", "tpanalytics", *words]
            return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout

        assert f"snap: {sentence}, 0 duplicates, complete" in call("export", "snap", "--family-lists", *mapping)
        figures = json.loads(call("summary", "snap", "--json"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
    assert len(figures["coverage"]) == families
    assert sum(row["jobs_without_tasks"] for row in figures["coverage"]) == {17: 8, 23: 93}[families]


def test_one_pull_of_the_real_data_takes_one_token_and_eleven_requests(real: tpa.TaskProfiles) -> None:
    mapping = [REAL / "csv" / "jobs.csv", REAL / "csv" / "job_families.csv"]
    with Tenant(catalogue_of(REAL / "data" / "task_profiles.jsonl.gz", *mapping), rules=Rules(lists=False)) as tenant:
        loaded = tpa.load_task_profiles(tpa.connect(**tenant.settings), progress=False)
        exports = [path for method, path in tenant.requests if path.endswith("/export/jobs/task_profiles")]
    assert (tenant.tokens_issued, len(exports)) == (1, 11)
    assert loaded.tasks.height == real.tasks.height == 18796


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m tpanalytics.cli summary | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_output_for_a_console_that_knows_few_characters_is_not_lost() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [sys.executable, "-m", "tpanalytics", "summary"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"Customer Service" in done.stdout


def test_a_bad_mapping_is_said_before_the_export(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("JOB_ID;family\n1;2\n", encoding="utf-8")
    status, _, err = run("export", "snap", "--jobs", "bad.csv", capsys=capsys)
    assert status == 1
    assert "bad.csv lacks 'job_id', 'job_family_id'" in err
    assert tenant.requests == []


def test_a_user_in_an_address_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run("doctor", "--base-url", "https://u:hunter2@host.example", capsys=capsys)
    assert "hunter2" not in out + err


def test_what_was_not_asked_for_is_said(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", "snap", "--include", "ai_impact", capsys=capsys)
    assert "weekly_hours was not asked for" in run("summary", "snap", capsys=capsys)[1]
    assert re.search(r"32 %|32\xa0%", run("summary", "--weight", "tasks", capsys=capsys)[1])


def test_families_without_jobs_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["summary", "--families", "nowhere.csv"])
    assert caught.value.code == 2
    assert "--families needs --jobs" in capsys.readouterr().err


def test_a_port_in_use_is_said(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    port = tenant.base_url.rsplit(":", 1)[1]
    assert f"Port {port} cannot be used" in run("serve", "--port", port, capsys=capsys)[2]


def test_faults_can_be_tried_by_hand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    process, settings = served("--token-fault", "cut:1", "--fault", "html:1", "--fault", "bad_request:2")
    try:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("tpanalytics.api.http.retry.RetryPolicy.wait", lambda *_: 0)
        status, _, err = run("export", "snap", capsys=capsys)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert status == 1
    assert "the service returned 400" in err


def test_a_broken_off_export_goes_on_with_the_same_command(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("export", "kept", "--limit", "20", "--family-lists", "--workers", "2")
    tenant.faults[7] = lambda reply: replace(reply, status=403, body=b"[]")
    status, _, err = run(*words, capsys=capsys)
    assert status == 1
    assert "saved. Run the same call again to resume" in err
    tenant.faults.clear()
    status, _, err = run("summary", "kept", capsys=capsys)
    assert status == 1
    assert "contains an unfinished export" in err
    status, _, err = run("export", "kept", "--limit", "30", capsys=capsys)
    assert status == 1
    assert "limit was 20 and is now 30" in err
    assert "--no-resume" in err
    status, out, _ = run(*words, capsys=capsys)
    assert (status, "240 jobs" in out) == (0, True)
    assert re.search(r"Went on after [1-9]\d* pages?\.", out)
    assert "240 jobs" in run("summary", "kept", capsys=capsys)[1]


def test_an_interrupted_export_says_how_to_go_on(tenant: Tenant) -> None:
    tenant.page_seconds = 0.2
    command = [sys.executable, "-m", "tpanalytics", "export", "kept", "--limit", "5"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while not list(Path.cwd().glob("kept/tasks-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert re.search(r"interrupted\n\d+ pages? (is|are) saved\. Run the same call again to resume", err)
    assert "Traceback" not in err


def test_mapping_files_and_an_export_meet_without_loading_all_tasks(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, families = REPOSITORY / "data" / "jobs.csv", REPOSITORY / "data" / "job_families.csv"
    status, _, _ = run("export", "kept", "--jobs", str(jobs), "--families", str(families), capsys=capsys)
    assert status == 0
    profiles = tpa.read_profiles("kept")
    assert profiles.tasks["job_family"].n_unique() == 17
    assert profiles.jobs["headcount"].null_count() == 0
    assert profiles.manifest["families"]["source"] == "jobs.csv"


def test_snapshots_are_listed_and_pruned(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        assert run("export", f"data/{name}", capsys=capsys)[0] == 0
    status, out, _ = run("snapshots", capsys=capsys)
    assert status == 0
    assert out.count("sealed") == 2
    assert "5,516" in out
    assert len(json.loads(run("snapshots", "data", "--json", capsys=capsys)[1])) == 2
    assert "Would be removed" in run("snapshots", "--prune", "1", "--dry-run", capsys=capsys)[1]
    assert tpa.list_snapshots("data").height == 2
    assert "Removed" in run("snapshots", "--prune", "1", capsys=capsys)[1]
    assert "nothing to remove" in run("snapshots", "--prune", "1", capsys=capsys)[1]
    assert tpa.list_snapshots("data").height == 1
    Path("empty").mkdir()
    assert "no snapshot" in run("snapshots", "empty", capsys=capsys)[1]
    assert run("snapshots", "nowhere", capsys=capsys)[0] == 1
