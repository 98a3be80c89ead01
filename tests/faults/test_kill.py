"""Exports of killed processes can be read or resumed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tpanalytics.demo.company import invent
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

if not hasattr(os, "fork"):
    pytest.skip("requires os.fork", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


class ForkServer:
    """Starts exports in separate processes."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.killed_pull"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def start(self, folder: str, *, limit: int, workers: int = 1, die_at: int = 0) -> int:
        """Start an export and return its process id."""
        command = {"settings": self.settings, "limit": limit, "workers": workers, "die_at": die_at}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**command, "folder": str(Path(folder).resolve())}) + "\n")
        self._process.stdin.flush()
        return self._read_int()

    def wait(self) -> int:
        """Wait for the process and return its exit code, which is negative for a signal."""
        return self._read_int()

    def _read_int(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(30) == 0


def assert_same(left: tpa.TaskProfiles, right: tpa.TaskProfiles) -> None:
    assert_frame_equal(left.jobs, right.jobs)
    assert_frame_equal(left.tasks, right.tasks)
    assert left.manifest["duplicates"] == right.manifest["duplicates"] == 0


def saved_pages(folder: str) -> int:
    """Count the pages on disk, counting pages in both merged and single files once."""
    pages = set()
    for path in Path(folder).glob("tasks-*-*.parquet"):
        _, export_id, chain, first, last, _ = path.stem.split("-")
        pages |= {(export_id, chain, page) for page in range(int(first), int(last) + 1)}
    return len(pages)


def assert_no_other_files(folder: str) -> None:
    manifest = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    parts = {part["file"] for table in manifest["parts"].values() for part in table}
    assert {path.name for path in Path(folder).iterdir()} - {".lock"} == {"manifest.json", *parts}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def server(tenant: Tenant) -> Iterator[ForkServer]:
    server = ForkServer(tenant.settings)
    yield server
    server.close()


@pytest.mark.parametrize(("workers", "step"), [(1, 1), (3, 4)])
def test_export_killed_at_any_file_operation_can_be_resumed(
    tenant: Tenant, server: ForkServer, workers: int, step: int
) -> None:
    company = invent()
    tenant.catalogue = Catalogue(company.records[40:44], company.jobs, company.families)
    options: dict[str, Any] = {"families": "lists", "workers": workers} if workers > 1 else {}
    client = tpa.connect(**tenant.settings)
    old = tpa.load_task_profiles(client, snapshot="old", limit=3, progress=False, **options)
    tenant.catalogue = Catalogue(company.records[:5], company.jobs, company.families)
    new = tpa.load_task_profiles(client, limit=1, progress=False, **options)

    die_at, before = 0, 0
    while True:
        die_at += step
        shutil.copytree("old", "snapshot")
        server.start("snapshot", limit=1, workers=workers, die_at=die_at)
        status = server.wait()
        profiles = tpa.read_profiles("snapshot")
        assert_same(profiles, old if profiles.jobs.height == old.jobs.height else new)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        resumed = tpa.load_task_profiles(client, snapshot="snapshot", limit=1, progress=False, **options)
        assert_same(resumed, new)
        assert_same(tpa.read_profiles("snapshot"), new)
        assert_no_other_files("snapshot")
        shutil.rmtree("snapshot")
        before = die_at
    assert before > 40, "expected more file operations"


@pytest.mark.parametrize("workers", [1, 3])
def test_export_killed_at_random_times_loses_no_page(tenant: Tenant, server: ForkServer, workers: int) -> None:
    rng = random.Random(20261125 + workers)
    tenant.page_seconds = 0.002
    options: dict[str, Any] = {"families": "lists", "workers": workers} if workers > 1 else {}
    expected = tpa.load_task_profiles(tpa.connect(**tenant.settings), progress=False, **options)
    kills = pages = 0
    while kills < 15:
        process = server.start("snapshot", limit=4, workers=workers)
        time.sleep(rng.uniform(0.0, 0.4))
        with suppress(ProcessLookupError):  # already finished
            os.kill(process, rng.choice([signal.SIGKILL, signal.SIGINT]))
        status = server.wait()
        assert status in {0, 130, -signal.SIGKILL, -signal.SIGINT}
        if Path("snapshot", "manifest.json").exists():
            assert_same(tpa.read_profiles("snapshot"), expected)
            shutil.rmtree("snapshot")
            pages = 0
        else:
            kills += 1
            assert saved_pages("snapshot") >= pages, "a saved page was lost"
            pages = saved_pages("snapshot")
            with pytest.raises(tpa.SnapshotError):
                tpa.read_profiles("snapshot")
    if Path("snapshot").exists():
        client = tpa.connect(**tenant.settings)
        assert_same(tpa.load_task_profiles(client, snapshot="snapshot", limit=4, progress=False, **options), expected)
        assert_no_other_files("snapshot")
