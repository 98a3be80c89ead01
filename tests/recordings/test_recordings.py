"""Recordings of the same results are equal, and a comparison finds what differs and nothing else."""

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


def compared(tmp_path: Path, new: Any, renamed: dict[str, Any] | None = None, **how: Any) -> int:
    for side, content in (("old", OLD), ("new", new)):
        path = tmp_path / side / "measures" / "sample" / "levels.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    given = {"texts": True, "relative": 0.0, "most": 20, **how}
    return compare([tmp_path / "old", tmp_path / "new"], ["measures"], renamed or {}, **given)


def changed(old: str, new: str) -> Any:
    return json.loads(json.dumps(OLD).replace(old, new))


def test_equal_recordings_are_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(tmp_path, OLD) == 0
    assert capsys.readouterr().out == "0 of 1 recordings differ.\n"


def test_a_difference_is_printed_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(tmp_path, changed("0.30000000000000004", "0.3")) == 1
    assert capsys.readouterr().out.splitlines() == [
        "measures/sample/levels",
        "    result.columns.share.values[0]: 0.30000000000000004 -> 0.3",
        "1 of 1 recordings differ.",
    ]
    assert compared(tmp_path, changed('"order": [', '"order": ["added", ')) == 1
    assert "    result.order[0]: (absent) -> added\n" in capsys.readouterr().out


def test_floats_may_differ_by_as_much_as_is_asked(tmp_path: Path) -> None:
    assert compared(tmp_path, changed("0.30000000000000004", "0.3"), relative=1e-12) == 0
    assert compared(tmp_path, changed("0.30000000000000004", "0.31"), relative=1e-12) == 1
    assert compared(tmp_path, changed('"grade": 1', '"grade": 1.0')) == 1


def test_other_words_are_no_other_numbers(tmp_path: Path) -> None:
    reworded = changed("5 of 1,200 tasks have no grade", "Of 1200 tasks, 5 lack a grade")
    assert compared(tmp_path, reworded) == 1
    assert compared(tmp_path, reworded, texts=False) == 0
    assert compared(tmp_path, changed("5 of 1,200 tasks", "6 of 1,200 tasks"), texts=False) == 1


def test_new_names_are_put_for_old_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = changed('"grade"', '"data_grade"')
    new["result"]["about"] = {"coverage": {"grade": 1}, "measure": "new_name"}
    new["warnings"] = [new["warnings"][0].replace("old_name;", "new_name;")]
    assert compared(tmp_path, new, {"columns": {"grade": "data_grade"}, "texts": {"old_name": "new_name"}}) == 0
    assert compared(tmp_path, new, {"columns": {"grade": "data_grade"}}) == 1
    assert compared(tmp_path, OLD, {"texts": {"old_name": "new_name"}}) == 1, "it should have been renamed"
    capsys.readouterr()


def test_a_recording_that_is_missing_differs_unless_it_was_dropped(tmp_path: Path) -> None:
    assert compared(tmp_path, OLD) == 0
    (tmp_path / "old" / "measures" / "sample" / "heatmap.json").write_text("{}", encoding="utf-8")
    assert compared(tmp_path, OLD) == 1
    assert compared(tmp_path, OLD, {"dropped": ["measures/*/heat*"]}) == 0


def test_nothing_is_not_equal_to_nothing(tmp_path: Path) -> None:
    assert compare([tmp_path, tmp_path], ["measures"], {}, texts=True, relative=0.0, most=20) == 2


def test_every_public_measure_is_recorded() -> None:
    assert public() - {function.__name__ for function, _, _ in MEASURES.values()} == {"impute_hours"}


def test_a_recording_holds_the_result_its_meaning_or_the_error(tmp_path: Path, sample: tpa.TaskProfiles) -> None:
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
    with pytest.raises(FileExistsError, match="its own id"):
        recorder("levels", tpa.impact, sample)
