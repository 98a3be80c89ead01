"""Recordings and their comparison."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.helpers.public_measures import public
from tests.recordings.calls import MEASURES
from tests.recordings.compare import compare
from tests.recordings.record import Recorder

if TYPE_CHECKING:
    from pathlib import Path

FRAME = {"columns": {"grade": {"values": ["A", None]}, "share": {"values": [0.1 + 0.2, float("nan")]}}}
OLD = {
    "result": {**FRAME, "order": ["grade", "share"], "about": {"coverage": {"grade": 1}, "measure": "old_name"}},
    "warnings": ["5 of 1,200 tasks have no grade, says old_name; see old_names."],
}


def compare_with(tmp_path: Path, new: Any, renamed: dict[str, Any] | None = None, **options: Any) -> int:
    for side, content in (("old", OLD), ("new", new)):
        path = tmp_path / side / "measures" / "sample" / "levels.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    defaults = {"texts": True, "relative": 0.0, "most": 20}
    return compare([tmp_path / "old", tmp_path / "new"], ["measures"], renamed or {}, **{**defaults, **options})


def replaced(old: str, new: str) -> Any:
    return json.loads(json.dumps(OLD).replace(old, new))


def test_equal_recordings_have_no_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_with(tmp_path, OLD) == 0
    assert capsys.readouterr().out == "0 of 1 recordings differ.\n"


def test_difference_is_printed_with_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_with(tmp_path, replaced("0.30000000000000004", "0.3")) == 1
    assert capsys.readouterr().out.splitlines() == [
        "measures/sample/levels",
        "    result.columns.share.values[0]: 0.30000000000000004 -> 0.3",
        "1 of 1 recordings differ.",
    ]
    assert compare_with(tmp_path, replaced('"order": [', '"order": ["added", ')) == 1
    assert "    result.order[0]: (absent) -> added\n" in capsys.readouterr().out


def test_relative_tolerance_of_floats(tmp_path: Path) -> None:
    assert compare_with(tmp_path, replaced("0.30000000000000004", "0.3"), relative=1e-12) == 0
    assert compare_with(tmp_path, replaced("0.30000000000000004", "0.31"), relative=1e-12) == 1
    assert compare_with(tmp_path, replaced('"grade": 1', '"grade": 1.0')) == 1


def test_ignoring_texts_compares_only_numbers(tmp_path: Path) -> None:
    reworded = replaced("5 of 1,200 tasks have no grade", "Of 1200 tasks, 5 lack a grade")
    assert compare_with(tmp_path, reworded) == 1
    assert compare_with(tmp_path, reworded, texts=False) == 0
    assert compare_with(tmp_path, replaced("5 of 1,200 tasks", "6 of 1,200 tasks"), texts=False) == 1


def test_renamed_columns_and_texts_are_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = replaced('"grade"', '"data_grade"')
    new["result"]["about"] = {"coverage": {"grade": 1}, "measure": "new_name"}
    new["warnings"] = [new["warnings"][0].replace("old_name;", "new_name;")]
    assert compare_with(tmp_path, new, {"columns": {"grade": "data_grade"}, "texts": {"old_name": "new_name"}}) == 0
    assert compare_with(tmp_path, new, {"columns": {"grade": "data_grade"}}) == 1
    assert compare_with(tmp_path, OLD, {"texts": {"old_name": "new_name"}}) == 1, "the name was not changed"
    capsys.readouterr()


def test_missing_recording_differs_unless_dropped(tmp_path: Path) -> None:
    assert compare_with(tmp_path, OLD) == 0
    (tmp_path / "old" / "measures" / "sample" / "heatmap.json").write_text("{}", encoding="utf-8")
    assert compare_with(tmp_path, OLD) == 1
    assert compare_with(tmp_path, OLD, {"dropped": ["measures/*/heat*"]}) == 0


def test_comparing_empty_folders_returns_2(tmp_path: Path) -> None:
    assert compare([tmp_path, tmp_path], ["measures"], {}, texts=True, relative=0.0, most=20) == 2


def test_all_public_measures_are_recorded() -> None:
    assert public() - {function.__name__ for function, _, _ in MEASURES.values()} == {"impute_hours"}


def test_recording_contains_result_metadata_and_error(tmp_path: Path, sample: tpa.TaskProfiles) -> None:
    for side in ("a", "b"):
        recorder = Recorder(tmp_path / side / "measures", {str(tmp_path): "<home>"})
        result = recorder("levels", tpa.impact, sample)
        assert recorder("refused", tpa.read_profiles, tmp_path / "nowhere") is None
        recorder("drawn", lambda: tpa.plot_hours(sample).to_dict())
        assert recorder.counts == {"results": 2, "errors": 1}
    levels = json.loads((tmp_path / "a" / "measures" / "levels.json").read_text(encoding="utf-8"))["result"]
    assert levels["columns"]["share"]["values"] == result["share"].to_list()
    assert levels["about"]["tasks"] == tpa.about(result).tasks
    refused = json.loads((tmp_path / "a" / "measures" / "refused.json").read_text(encoding="utf-8"))["error"]
    assert refused["type"] == "SnapshotError"
    assert refused["message"].startswith("<home>/nowhere ")
    assert compare([tmp_path / "a", tmp_path / "b"], ["measures"], {}, texts=True, relative=0.0, most=20) == 0
    with pytest.raises(FileExistsError, match="a unique ID"):
        recorder("levels", tpa.impact, sample)
