"""`tpanalytics demo`, `doctor` and `snapshots`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tpanalytics as tpa
from tests.helpers.command_line import run
from tests.helpers.reports import one_chart_only

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant


@pytest.mark.slow
def test_demo_writes_snapshot_charts_and_report(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("demo", capsys=capsys)
    assert status == 0
    assert "240 jobs and 5,516 tasks in 3 pages, 0 duplicates, complete" in out
    assert "Tokens requested: 1." in out
    folder = Path("tpanalytics-demo")
    assert str(folder.resolve()) in out
    for name in re.findall(r"^  (\S+)$", out, flags=re.MULTILINE):
        assert (folder / name).exists(), name
    profiles = tpa.read_profiles(folder / "snapshot")
    for family in tpa.hours(profiles)["job_family"]:
        assert family in out
    with one_chart_only():
        status, out, _ = run("demo", "--json", capsys=capsys)
    result = json.loads(out)
    assert status == 0, "the folder can be overwritten"
    assert (result["tokens"], result["manifest"]["complete"]) == (1, True)
    assert len(result["hours"]) == 17
    assert {Path(path).parent for path in result["written"]} == {folder}


def test_demo_writes_to_the_given_folder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpa, "save_report", lambda _, path: path)
    monkeypatch.setattr(tpa, "save", lambda _, path: path)
    assert run("demo", "--out", "output", capsys=capsys)[0] == 0
    assert [path.name for path in Path("output").iterdir()] == ["snapshot"]
    assert not Path("tpanalytics-demo").exists()


def test_doctor_prints_the_source_of_each_setting(
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


def test_doctor_reports_a_refused_credential(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run("doctor", "--client-id", "other-client", capsys=capsys)
    assert status == 1
    assert "returned 401: access_denied: Unauthorized" in err
    report = json.loads(run("doctor", "--client-id", "other-client", "--json", capsys=capsys)[1])
    assert report["settings"]["client_secret"]["value"] == "***"
    assert "access_denied" in report["problem"]
    assert tenant.tokens_issued == 0


def test_doctor_hides_passwords_in_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run("doctor", "--base-url", "https://u:hunter2@host.example", capsys=capsys)
    assert "hunter2" not in out + err


def test_snapshots_are_listed_and_pruned(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        assert run("export", f"data/{name}", capsys=capsys)[0] == 0
    status, out, _ = run("snapshots", capsys=capsys)
    assert status == 0
    assert out.count("sealed") == 2
    assert "5,516" in out
    assert len(json.loads(run("snapshots", "data", "--json", capsys=capsys)[1])) == 2
    assert "Would delete:" in run("snapshots", "--prune", "1", "--dry-run", capsys=capsys)[1]
    assert tpa.list_snapshots("data").height == 2
    assert "Deleted:" in run("snapshots", "--prune", "1", capsys=capsys)[1]
    assert "nothing to delete" in run("snapshots", "--prune", "1", capsys=capsys)[1]
    assert tpa.list_snapshots("data").height == 1
    Path("empty").mkdir()
    assert "no snapshots" in run("snapshots", "empty", capsys=capsys)[1]
    assert run("snapshots", "nowhere", capsys=capsys)[0] == 1
