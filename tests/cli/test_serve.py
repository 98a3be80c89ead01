"""`tpanalytics serve`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

import tpanalytics as tpa
from tests.conftest import REAL
from tests.helpers.command_line import run
from tpanalytics.demo.handlers import Rules
from tpanalytics.demo.sample import catalogue_of
from tpanalytics.demo.server import Tenant


def start_server(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    command = [sys.executable, "-m", "tpanalytics", "serve", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    settings: dict[str, str] = {}
    while len(settings) < 6:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        if match := re.match(r"  export (TPANALYTICS_\w+)=(\S+)", line):
            settings[match[1]] = match[2]
    return process, settings


@pytest.mark.slow
@pytest.mark.parametrize("source", ["sample", "real"])
def test_serve_export_and_summary_in_separate_processes(source: str) -> None:
    arguments, mapping, families, sentence = [], [], 17, "240 jobs and 5,516 tasks in 3 pages"
    if source == "real":
        if not REAL.is_dir():
            pytest.skip("the real data are not available")
        mapping = ["--jobs", str(REAL / "csv" / "jobs.csv"), "--family-names", str(REAL / "csv" / "job_families.csv")]
        arguments = ["--records", str(REAL / "data" / "task_profiles.jsonl.gz"), *mapping]
        families, sentence = 23, "1,016 jobs and 18,796 tasks in 11 pages"
    process, settings = start_server(*arguments)
    try:
        environment = {**os.environ, **settings}

        def call(*arguments: str) -> Any:
            command = [sys.executable, "-m", "tpanalytics", *arguments]
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


def test_export_of_the_real_data_takes_one_token_and_eleven_requests(real: tpa.TaskProfiles) -> None:
    mapping = [REAL / "csv" / "jobs.csv", REAL / "csv" / "job_families.csv"]
    with Tenant(catalogue_of(REAL / "data" / "task_profiles.jsonl.gz", *mapping), rules=Rules(lists=False)) as tenant:
        loaded = tpa.load_task_profiles(tpa.connect(**tenant.settings), progress=False)
        exports = [path for method, path in tenant.requests if path.endswith("/export/jobs/task_profiles")]
    assert (tenant.tokens_issued, len(exports)) == (1, 11)
    assert loaded.tasks.height == real.tasks.height == 18796


def test_serve_reports_a_port_in_use(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    port = tenant.base_url.rsplit(":", 1)[1]
    assert f"Port {port} cannot be used" in run("serve", "--port", port, capsys=capsys)[2]


def test_serve_with_faults(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    process, settings = start_server("--token-fault", "cut:1", "--fault", "html:1", "--fault", "bad_request:2")
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
