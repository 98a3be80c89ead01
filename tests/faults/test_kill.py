"""The plug may be pulled at any moment: what is left opens or resumes, and loses no page that was kept."""

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

if not hasattr(os, "fork"):
    pytest.skip("processes cannot be forked here", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


class Forge:
    """Starts pulls in processes of their own."""

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
        """Start a pull; gives its process."""
        order = {"settings": self.settings, "limit": limit, "workers": workers, "die_at": die_at}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**order, "folder": str(Path(folder).resolve())}) + "\n")
        self._process.stdin.flush()
        return self._line()

    def ended(self) -> int:
        """Wait for it; gives its status, negative for the signal that ended it."""
        return self._line()

    def _line(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(30) == 0


def same(one: tpa.TaskProfiles, other: tpa.TaskProfiles) -> None:
    assert_frame_equal(one.jobs, other.jobs)
    assert_frame_equal(one.tasks, other.tasks)
    assert one.manifest["duplicates"] == other.manifest["duplicates"] == 0


def kept_pages(folder: str) -> int:
    """Count the pages on disk; joined files and their own may both be there for a moment."""
    pages = set()
    for path in Path(folder).glob("tasks-*-*.parquet"):
        _, pull, chain, first, last, _ = path.stem.split("-")
        pages |= {(pull, chain, page) for page in range(int(first), int(last) + 1)}
    return len(pages)


def nothing_else_in(folder: str) -> None:
    manifest = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))
    parts = {part["file"] for table in manifest["parts"].values() for part in table}
    assert {path.name for path in Path(folder).iterdir()} - {".lock"} == {"manifest.json", *parts}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


@pytest.fixture
def forge(tenant: Tenant) -> Iterator[Forge]:
    forge = Forge(tenant.settings)
    yield forge
    forge.close()


@pytest.mark.parametrize(("workers", "step"), [(1, 1), (3, 4)])
def test_export_killed_at_any_file_operation_can_be_resumed(
    tenant: Tenant, forge: Forge, workers: int, step: int
) -> None:
    company = invent()
    tenant.catalogue = Catalogue(company.records[40:44], company.jobs, company.families)
    asked: dict[str, Any] = {"families": "lists", "workers": workers} if workers > 1 else {}
    client = tpa.connect(**tenant.settings)
    old = tpa.load_task_profiles(client, snapshot="old", limit=3, progress=False, **asked)
    tenant.catalogue = Catalogue(company.records[:5], company.jobs, company.families)
    new = tpa.load_task_profiles(client, limit=1, progress=False, **asked)

    die_at, before = 0, 0
    while True:
        die_at += step
        shutil.copytree("old", "snapshot")
        forge.start("snapshot", limit=1, workers=workers, die_at=die_at)
        status = forge.ended()
        held = tpa.read_profiles("snapshot")
        same(held, old if held.jobs.height == old.jobs.height else new)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        resumed = tpa.load_task_profiles(client, snapshot="snapshot", limit=1, progress=False, **asked)
        same(resumed, new)
        same(tpa.read_profiles("snapshot"), new)
        nothing_else_in("snapshot")
        shutil.rmtree("snapshot")
        before = die_at
    assert before > 40, "a pull has many operations on files"


@pytest.mark.parametrize("workers", [1, 3])
def test_export_killed_at_random_times_loses_no_page(
    tenant: Tenant, forge: Forge, workers: int
) -> None:
    dice = random.Random(20261125 + workers)
    tenant.page_seconds = 0.002
    asked: dict[str, Any] = {"families": "lists", "workers": workers} if workers > 1 else {}
    whole = tpa.load_task_profiles(tpa.connect(**tenant.settings), progress=False, **asked)
    kills = finished = pages = 0
    while kills < 15:
        process = forge.start("snapshot", limit=4, workers=workers)
        time.sleep(dice.uniform(0.0, 0.4))
        with suppress(ProcessLookupError):  # it was quicker
            os.kill(process, dice.choice([signal.SIGKILL, signal.SIGINT]))
        status = forge.ended()
        assert status in {0, 130, -signal.SIGKILL, -signal.SIGINT}
        if Path("snapshot", "manifest.json").exists():
            same(tpa.read_profiles("snapshot"), whole)
            shutil.rmtree("snapshot")
            finished, pages = finished + 1, 0
        else:
            kills += 1
            assert kept_pages("snapshot") >= pages, "a page that was kept is lost"
            pages = kept_pages("snapshot")
            with pytest.raises(tpa.SnapshotError):
                tpa.read_profiles("snapshot")
    if Path("snapshot").exists():
        client = tpa.connect(**tenant.settings)
        same(tpa.load_task_profiles(client, snapshot="snapshot", limit=4, progress=False, **asked), whole)
        nothing_else_in("snapshot")
