"""Listing and pruning of snapshots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tpanalytics as tpa
from tests.profiles.snapshot.conftest import exports, interrupt, pull
from tests.profiles.snapshot.test_read_write import names

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant


def test_snapshots_are_listed_and_pruned(tenant: Tenant) -> None:
    for month in ("2026-08", "2026-09", "2026-10", "2026-11"):
        pull(tenant, f"data/{month}", limit=100)
        manifest = json.loads(Path("data", month, "manifest.json").read_text())
        manifest.update(started=f"{month}-01T00:00:00+00:00", finished=f"{month}-01T01:00:00+00:00")
        Path("data", month, "manifest.json").write_text(json.dumps(manifest))
    interrupt(tenant, 2, folder="data/unfinished")
    state = Path("data", "unfinished", "unfinished.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "started": "2026-09-02T00:00:00+00:00"}))
    tpa.write_profiles(tpa.load_sample(), "data/sample")
    Path("data/damaged").mkdir()
    Path("data/damaged/manifest.json").write_text("{")
    Path("data/damaged/tasks-01234567.parquet").write_bytes(b"")
    Path("data/app").mkdir()
    Path("data/app/manifest.json").write_text('{"name": "other program"}')
    Path("data/2026-08/notes.txt").write_text("mine")

    listed = tpa.list_snapshots("data")
    assert dict(listed.select("folder", "state").rows()) == {
        **{f"data/2026-{month}": "sealed" for month in ("08", "09", "10", "11")},
        "data/sample": "sealed",
        "data/unfinished": "unfinished",
        "data/damaged": "damaged",
    }
    assert listed.row(0, named=True)["tenant"] == "alderbrook"
    assert listed.row(0, named=True)["folder"] == "data/2026-11"
    assert (listed["bytes"].head(5) > 0).all()

    deleted = ["data/2026-09", "data/2026-08", "data/unfinished"]
    assert tpa.prune_snapshots("data", keep=2, dry_run=True)["folder"].to_list() == deleted
    assert tpa.list_snapshots("data").height == 7
    assert tpa.prune_snapshots("data", keep=2)["folder"].to_list() == deleted
    assert sorted(path.name for path in Path("data").iterdir()) == [
        *("2026-08", "2026-10", "2026-11", "app", "damaged", "sample"),
    ]
    assert names("data/2026-08") == ["notes.txt"]
    with pytest.raises(tpa.ConfigError, match="`keep` must be 1 or more, not 0"):
        tpa.prune_snapshots("data", keep=0)
    with pytest.raises(tpa.ConfigError, match="is not a folder"):
        tpa.list_snapshots("nowhere")


def test_snapshot_with_pending_export_is_not_pruned(tenant: Tenant) -> None:
    for name in ("data/old", "data/new"):
        pull(tenant, name, limit=100)
    interrupt(tenant, 5, folder="data/old")
    assert tpa.prune_snapshots("data", keep=1).height == 0
    pull(tenant, "data/old")
    assert exports(tenant) == 2 + 5 + 8


def test_damaged_snapshots_are_listed_but_not_pruned(tenant: Tenant) -> None:
    for name in ("data/valid", "data/damaged"):
        pull(tenant, name, limit=100)
    next(Path("data/damaged").glob("tasks-*")).write_bytes(b"")
    assert dict(tpa.list_snapshots("data").select("folder", "state").rows()) == {
        "data/valid": "sealed",
        "data/damaged": "damaged",
    }
    assert tpa.prune_snapshots("data", keep=1).height == 0
