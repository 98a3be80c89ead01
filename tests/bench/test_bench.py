"""The benchmarks run and compare the same rows. Times are not tested."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.generate import Export, generated
from tests.bench.measures import MEASURES

pytestmark = pytest.mark.slow

pytest.importorskip("resource", reason="peak memory is not available")

ROOT = Path(__file__).resolve().parents[2]
JOBS, TASKS = 200, 4000
#: Only the first runs in separate processes, because their imports take most of the time.
PARTS = {"open": {}, "decode,pull,workers,memory,measures": {"BENCH_TOGETHER": "1"}}
SUBJECTS = {
    "decode": ["ours", "rows", "polars", "pandas", "dlt"],
    "pull": ["snapshot", "memory", "bare", "floor", "rows"] * 2,
    "workers": ["4"],
    "memory": ["large", "large", "small", "rows"],
    "open": ["eager", "eager", "lazy", "lazy"],
    "measures": [
        *(side for measure in MEASURES.values() if measure.checked for side in ["ours"] * (2 + measure.bounded)),
        *(["small", "large", "large"] * 2 * len(MEASURES)),
    ],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the printed and written output of each part."""
    folder = tmp_path_factory.mktemp("bench")
    generated(JOBS, folder / "data")
    command = [sys.executable, "-m", "tests.bench", "--jobs", str(JOBS), "--pairs", "1", "--data", folder / "data"]
    started = {
        only: subprocess.Popen(
            [*command, "--only", only, "--json", folder / f"{only}.json"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for only, environment in PARTS.items()
    }
    outputs = {}
    for only, process in started.items():
        printed, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        outputs[only] = (printed, json.loads((folder / f"{only}.json").read_text(encoding="utf-8")))
    return outputs


@pytest.mark.parametrize("subject", SUBJECTS)
def test_benchmark_has_all_figures_and_compares_the_same_rows(
    subject: str, runs: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    printed, written = next(run for only, run in runs.items() if subject in only.split(","))
    rows = [row for row in written["rows"] if row["subject"].startswith(f"{subject}: ")]
    assert len(rows) == len(SUBJECTS[subject])
    for name, row in zip(SUBJECTS[subject], rows, strict=True):
        assert f"| {row['subject']} " in printed
        if row["why"]:  # a library is not installed or a measure is not available
            assert not row["values"]
            assert row["why"] in printed
        else:
            assert len(row["values"]) == 1
            assert math.isfinite(row["values"][0])
            # A slope can be negative, because times of small inputs are noisy.
            assert row["values"][0] > 0 or "log-log slope" in row["subject"]
            assert name in row["counted"]
        for counts in row["counted"].values():
            assert counts["tasks"] in {10 * TASKS, TASKS, TASKS // 2, TASKS // 10}


def test_checked_measures_have_a_handwritten_query() -> None:
    from tests.bench.by_hand import QUERIES

    assert {name for name, measure in MEASURES.items() if measure.checked} == set(QUERIES)


def test_different_row_counts_exit() -> None:
    from tests.bench.measure import check_counts

    check_counts({"ours": {"jobs": 2, "tasks": 40}, "baseline": {"tasks": 40}}, {"jobs": 2, "tasks": 40})
    with pytest.raises(SystemExit, match="baseline computed"):
        check_counts({"baseline": {"tasks": 39}}, {"jobs": 2, "tasks": 40})


def test_pages_of_a_generated_export_are_complete(tmp_path: Path) -> None:
    export = Export(generated(JOBS, tmp_path))
    pages = [json.loads(page) for page in export.pages()]
    records = [record for page in pages for record in page["records"]]
    assert [page["has_next"] for page in pages] == [True, False]
    assert pages[0]["next_starting_after"] == records[99]["external_id"]
    assert len(records) == JOBS
    assert sum(len(record["tasks"]) for record in records) == export.tasks == TASKS
    assert any(not record["tasks"] for record in records)
    assert json.loads(export.page(37, 5))["records"] == records[37:42]
    assert json.loads(export.page(JOBS, 5)) == {"has_next": False, "records": []}
    assert 400 < export.size / export.tasks < 500
