"""Tests of bundles written by `save`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa


@pytest.fixture(scope="module")
def chart() -> Any:
    return tpa.plot_impact(tpa.load_sample())


def test_chart_bundle_contains_data_text_and_evidence(chart: Any) -> None:
    path = tpa.save(chart, "out/impact.svg", bundle=True)
    assert path == Path("out/impact.svg")
    names = {entry.name for entry in path.parent.iterdir()}
    tables = {name for name in names if name.endswith(".csv")}
    assert names - tables == {"impact.svg", "impact.json", "impact.txt", "impact.evidence.json"}
    assert tables == {f"impact-{n}.csv" for n in range(1, len(tables) + 1)}
    spec = chart.to_dict()
    drawn = [rows for rows in spec["datasets"].values() if any(rows)]
    saved = [pl.read_csv(path.with_name(f"impact-{n}.csv")) for n in range(1, len(tables) + 1)]
    assert sorted(map(len, drawn)) == sorted(table.height for table in saved)
    bars = next(table for table in saved if "share" in table.columns)
    assert bars["share"].to_list() == [row["share"] for row in drawn[0]]
    assert json.loads((path.parent / "impact.json").read_text("utf-8")) == spec
    text = (path.parent / "impact.txt").read_text("utf-8")
    assert text.endswith(f"\n\n{spec['description']}\n")
    evidence = json.loads((path.parent / "impact.evidence.json").read_text("utf-8"))
    assert evidence["source"] == "Data: sample of a fictional company, as of 2026-05."
    assert any("have hours" in line for line in evidence["policy"])
    assert evidence["title"] == " ".join(spec["title"]["text"])
    assert evidence["made_with"]["tpanalytics"] == tpa.__version__
    assert {file["name"] for file in evidence["files"]} == names - {"impact.evidence.json"}
    for file in evidence["files"]:
        content = (path.parent / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_json_chart_bundle_with_one_table_has_four_files() -> None:
    import altair as alt

    chart = alt.Chart(pl.DataFrame({"a": ["=1+1"], "b": [1.0]})).mark_bar().encode(x="b", y="a")
    tpa.save(chart, "plain.json", bundle=True)
    assert {entry.name for entry in Path().iterdir()} == {
        *("plain.csv", "plain.json", "plain.txt", "plain.evidence.json")
    }
    assert pl.read_csv("plain.csv").rows() == [("'=1+1", 1)]


def test_frame_bundle_contains_the_meaning(sample: tpa.TaskProfiles) -> None:
    result = tpa.exposure(sample)
    tpa.save(result, "exposure.csv", bundle=True)
    assert Path("exposure.txt").read_text("utf-8") == f"{tpa.about(result)}\n"
    evidence = json.loads(Path("exposure.evidence.json").read_text("utf-8"))
    assert evidence["meaning"]["measure"] == "exposure"
    assert [file["name"] for file in evidence["files"]] == ["exposure.csv", "exposure.txt"]


@pytest.mark.parametrize("exists", [False, True])
def test_failed_bundle_keeps_existing_files(chart: Any, exists: bool) -> None:
    if exists:
        tpa.save(chart, "impact.svg", bundle=True)
        Path("impact.svg").write_text("old", encoding="utf-8")
        Path("impact.txt").unlink()
    Path("impact.txt").mkdir()
    before = {entry.name: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()}
    with pytest.raises(tpa.ShareError, match=r"impact\.svg cannot be written"):
        tpa.save(chart, "impact.svg", bundle=True)
    assert {entry.name: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()} == before
    assert Path("impact.txt").is_dir()


def test_bundle_that_fails_while_writing_leaves_no_files(chart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(tpa.ShareError, match="No space left on device"):
        tpa.save(chart, "impact.svg", bundle=True)
    assert list(Path().iterdir()) == []
