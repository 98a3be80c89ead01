"""The shares of each copy of the sample in a history are exactly those of the sample, on each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import history
from tests.bench.measure import run_in_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is not available"),
]
COPIES = 1
#: Peak memory in MB. The imports, and for Spark the Java process with a heap of 1 GB, take most of it.
LIMITS = {"polars": 600, "duckdb": 800, "spark": 2000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 24 months of 3 tenants, each with a copy of the sample: 424,000 tasks."""
    path = tmp_path_factory.mktemp("history")
    counted = history.written(str(path), history.MONTHS, COPIES)
    assert counted["tasks"] + counted["rejected"] == COPIES * history.TENANTS * history.MONTHS // 2 * (5825 + 5955)
    return path


@pytest.mark.parametrize("engine", history.ENGINES)
def test_each_copy_has_the_shares_of_the_sample(engine: str, folder: Path) -> None:
    run = run_in_process("history:shares", folder=str(folder), engine=engine)
    assert run["different"] == 0
    assert run["groups"] == history.TENANTS * history.MONTHS * COPIES
    assert run["megabytes"] < LIMITS[engine]
