"""Expansion of ~ in path arguments."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.helpers.companies import many
from tests.helpers.unvalidated_charts import unvalidated_charts
from tpanalytics._paths import local_path
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["unvalidated_charts"]

RECORD = {"external_id": "job-1", "tasks": []}
NOTEBOOK: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _load(folder: str) -> object:
    with Tenant() as tenant, tpa.connect(**tenant.settings, token_cache=False) as client:
        return tpa.load_task_profiles(client, snapshot=folder, limit=1)


def _load_taxonomy(path: str) -> object:
    record = {"external_id": "job-1", "tasks": [{"task_id": "t", "task": "Work", "validation_state": "validated"}]}
    with (
        Tenant(Catalogue([record])) as tenant,
        tpa.connect(**tenant.settings, token_cache=False) as client,
        pytest.warns(tpa.TpAnalyticsWarning, match="has a place"),
    ):
        return tpa.load_taxonomy(client, tpa.load_task_profiles(client, progress=False), cache=path, progress=False)


def _save_explorer(page: str) -> object:
    return tpa.explore(many(1)).save(page)


def _not_a_report() -> None:
    with pytest.raises(tpa.ShareError, match="evidence"):  # the file was read
        tpa.verify_report("~/report.html", tpa.load_sample())


#: Files in the home folder and a call, for each public function that takes a path.
CALLS: dict[str, tuple[dict[str, str], Callable[[], object]]] = {
    "assign_families": (
        {"*.csv": "job_id,job_family_id\njob-0002,f\n", "f.csv": "job_family_id,job_family_name\nf,Finance\n"},
        lambda: tpa.assign_families(tpa.load_sample(), "~/*.csv", "~/f.csv"),
    ),
    "assign_people": (
        {"*.csv": "job_id\njob-0002\n"},
        lambda: tpa.assign_people(tpa.load_sample().filter(job_id="job-0002"), "~/*.csv"),
    ),
    "check_share": ({"table.csv": "a\n1\n"}, lambda: tpa.check_share("~/table.csv")),
    "clean_notebook": ({"n.ipynb": json.dumps(NOTEBOOK)}, lambda: tpa.clean_notebook("~/n.ipynb", "~/clean.ipynb")),
    "explore": ({}, lambda: _save_explorer("~/hours.csv")),
    "from_frames": ({"*.csv": "job_id,task\n1,Plan\n"}, lambda: tpa.from_frames("~/*.csv")),
    "list_snapshots": ({}, lambda: tpa.list_snapshots("~")),
    "load_task_profiles": ({}, lambda: _load("~/loaded")),
    "load_taxonomy": ({}, lambda: _load_taxonomy("~/taxonomy.jsonl")),
    "prune_snapshots": ({}, lambda: tpa.prune_snapshots("~")),
    "read_history": ({}, lambda: tpa.read_history([tpa.write_profiles(tpa.load_sample(), "~/snapshot")])),
    "read_profiles": ({}, lambda: tpa.read_profiles(tpa.write_profiles(many(1), "~/snapshot"))),
    "read_records": ({"*.jsonl": json.dumps(RECORD)}, lambda: tpa.read_records("~/*.jsonl")),
    "save": ({}, lambda: tpa.save(tpa.hours(tpa.load_sample()), "~/hours.csv")),
    "save_report": ({}, lambda: tpa.save_report(many(1), "~/report.html")),
    "save_workbook": ({}, lambda: tpa.save_workbook(many(1), "~/company.xlsx")),
    "verify_report": ({"report.html": "<p>"}, _not_a_report),
    "write_profiles": ({}, lambda: tpa.write_profiles(many(1), "~/snapshot")),
}
#: Tested in tests/api.
EXCLUDED = {"Client", "connect"}


def test_every_function_with_a_path_is_tested() -> None:
    functions = {
        name
        for name in tpa.__all__
        if callable(value := getattr(tpa, name)) and not (isinstance(value, type) and issubclass(value, Exception))
        for parameter in inspect.signature(value).parameters.values()
        if "Path" in str(parameter.annotation)
    }
    assert functions - EXCLUDED == CALLS.keys() - {"explore"}


@pytest.mark.parametrize("name", CALLS)
def test_tilde_is_the_home_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, working = tmp_path / "home", tmp_path / "working"
    home.mkdir()
    working.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(working)
    files, call = CALLS[name]
    for file, text in files.items():
        (home / file).write_text(text, encoding="utf-8")
    call()
    assert list(working.iterdir()) == []
    assert len(list(home.iterdir())) > 0 or name in {"list_snapshots", "prune_snapshots"}


def test_tilde_in_a_name_is_not_expanded() -> None:
    assert str(local_path("~$report.xlsx")) == "~$report.xlsx"
    assert local_path("folder/~").as_posix() == "folder/~"
