"""`tpanalytics export`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.command_line import run
from tpanalytics.cli.main import main

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.filterwarnings("always")
def test_export_with_families_filters_and_includes(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    only = json.dumps({"filter": "job_family_id_is_in_list", "job_family_ids": ["fam-fin", "fam-hr", "fam-it"]})
    families = ["--families", "Finance", "--families", "fam-hr", "Sales"]
    more = ["--include", "weekly_hours", "--include", "rejected_tasks", "--response-format", "hierarchy"]
    status, out, err = run("export", "snap", "--filter", only, *families, *more, capsys=capsys)
    assert (status, "complete for the requested job families" in out) == (0, True)
    assert "Family 'fam-sales' has no jobs in this export" in err
    profiles = tpa.read_profiles("snap")
    assert profiles.jobs["job_family_id"].unique().sort().to_list() == ["fam-fin", "fam-hr"]
    assert "Finance" in set(profiles.jobs["job_family"])
    assert "rejected" in set(profiles.tasks["validation_state"])
    assert profiles.tasks["ai_impact_level"].null_count() == profiles.tasks.height
    assert profiles.tasks["hierarchy"].list.len().max() == 4


def test_other_jobs_and_states(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--families", "Finance", "--other-jobs", "keep", "--states", "validated"]
    assert run("export", "snap", *options, capsys=capsys)[0] == 0
    profiles = tpa.read_profiles("snap")
    assert (profiles.jobs.height, profiles.jobs["job_family"].null_count() > 200) == (240, True)
    assert profiles.manifest["states"] == ["validated"]


def test_summary_by_a_column(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--include", "weekly_hours", "--by", "validation_state"]
    status, out, _ = run("export", "snap", *options, capsys=capsys)
    assert status == 0
    assert re.search(r"validation state +jobs", out)
    status, out, _ = run("export", "snap", *options, "--json", "--no-resume", capsys=capsys)
    assert status == 0
    assert {row["validation_state"] for row in json.loads(out)["summary"]["hours"]} == {"validated", "suggested"}


def test_unknown_family_suggests_names(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run("export", "snap", "--families", "Finanse", capsys=capsys)
    assert status == 1
    assert "--families: 'Finanse' is not a job family of this tenant (did you mean 'Finance'" in err
    assert not list(Path("snap").glob("*.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--families", "Finance", "--family-lists"], "not allowed with argument --families"),
        (["--other-jobs", "keep"], "--other-jobs requires --families"),
    ],
)
def test_contradicting_options_exit_with_2(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", "snap", *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_export_with_mapping_files(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    pl.DataFrame(tenant.catalogue.jobs).write_csv("jobs.csv")
    pl.DataFrame(tenant.catalogue.families).write_csv("families.csv")
    mapping = ["--jobs", "jobs.csv", "--family-names", "families.csv"]
    assert run("export", "snap", *mapping, capsys=capsys)[0] == 0
    assert "headcount" in tpa.read_profiles("snap").jobs.columns
    assert "Finance" in run("summary", "snap", capsys=capsys)[1]


def test_export_with_mapping_files_of_the_repository(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    jobs, families = REPOSITORY / "data" / "jobs.csv", REPOSITORY / "data" / "job_families.csv"
    status, _, _ = run("export", "snap", "--jobs", str(jobs), "--family-names", str(families), capsys=capsys)
    assert status == 0
    profiles = tpa.read_profiles("snap")
    assert profiles.tasks["job_family"].n_unique() == 17
    assert profiles.jobs["headcount"].null_count() == 0
    assert profiles.manifest["families"]["source"] == "jobs.csv"


def test_invalid_mapping_is_reported_before_the_export(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("JOB_ID;family\n1;2\n", encoding="utf-8")
    status, _, err = run("export", "snap", "--jobs", "bad.csv", capsys=capsys)
    assert status == 1
    assert "bad.csv has no columns 'job_id', 'job_family_id'" in err
    assert tenant.requests == []


def test_interrupted_export_resumes_with_the_same_command(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("export", "snap", "--limit", "20", "--family-lists", "--workers", "2")
    tenant.faults[7] = lambda reply: replace(reply, status=403, body=b"[]")
    status, _, err = run(*arguments, capsys=capsys)
    assert status == 1
    assert "saved. Run the same command again to resume" in err
    tenant.faults.clear()
    status, _, err = run("summary", "snap", capsys=capsys)
    assert status == 1
    assert "unfinished export" in err
    status, _, err = run("export", "snap", "--limit", "30", capsys=capsys)
    assert status == 1
    assert "limit was 20 and is now 30" in err
    assert "--no-resume" in err
    status, out, _ = run(*arguments, capsys=capsys)
    assert (status, "240 jobs" in out) == (0, True)
    assert re.search(r"Resumed after [1-9]\d* pages?\.", out)
    assert "240 jobs" in run("summary", "snap", capsys=capsys)[1]


def test_interrupted_export_prints_how_to_resume(tenant: Tenant) -> None:
    tenant.page_seconds = 0.2
    command = [sys.executable, "-m", "tpanalytics", "export", "snap", "--limit", "5"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    # The first page is recorded before the second one is written.
    while len(list(Path.cwd().glob("snap/tasks-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert re.search(r"interrupted\n\d+ pages? (is|are) saved\. Run the same command again to resume", err)
    assert "Traceback" not in err
