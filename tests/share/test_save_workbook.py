"""Workbooks with several tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import job, task
from tests.helpers.random_profiles import profiles_of

SMALL = profiles_of([job(task("H1", 2.0), task("H2", 1.0, key="u"), family=f, headcount=4) for f in "AAABBBC"])


def rows(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))


def test_the_sheets_are_the_suppressed_results() -> None:
    path = tpa.save_workbook(SMALL, "company.xlsx")
    assert openpyxl.load_workbook(path).sheetnames == ["Impact", "Exposure", "Hours", "Coverage", "how computed"]
    for name, measure in (("Exposure", tpa.exposure), ("Hours", tpa.hours), ("Coverage", tpa.coverage)):
        expected = tpa.suppress(measure(SMALL), SMALL)
        header, *cells = rows(path, name)
        assert list(header) == expected.columns
        assert [row[0] for row in cells] == expected["job_family"].to_list()
        assert [row[header.index("tasks")] for row in cells] == expected["tasks"].to_list()
    assert {row[0] for row in rows(path, "how computed")} >= {"Impact: Figure", "Hours: Coverage"}
    assert "SUPPRESSED" in str(rows(path, "Impact"))


def test_the_weight_and_the_groups_are_those_asked_for() -> None:
    path = tpa.save_workbook(SMALL, "people.xlsx", by=None, weight="headcount", privacy=None)
    header, first = rows(path, "Impact")[:2]
    assert (first[header.index("ai_impact_level")], first[header.index("amount")]) == ("H1", 7 * 2.0 * 4)
    assert "headcount_hours" in rows(path, "Hours")[0]
    assert "SUPPRESSED" not in str(rows(path, "Hours"))


def test_any_frames_can_be_sheets() -> None:
    frames = {"Impact": tpa.impact(SMALL), "Plain": pl.DataFrame({"a": ["=1", None]}).to_pandas()}
    path = tpa.save(frames, "boss.xlsx")
    assert openpyxl.load_workbook(path).sheetnames == ["Impact", "Plain", "how computed"]
    assert rows(path, "Plain") == [("a",), ("=1",), (None,)]


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ({"a": SMALL.tasks}, "a.csv", "several data frames can only be saved as .xlsx, not .csv"),
        ({"a": 3}, "a.xlsx", "`what`: 'a' must be a data frame, not int"),
        ({}, "a.xlsx", "`what` contains no data frame"),
        ({"a/b": SMALL.jobs}, "a.xlsx", "'a/b' cannot be the name of a sheet"),
        ({"x" * 32: SMALL.jobs}, "a.xlsx", "cannot be the name of a sheet. Use 1 to 31 characters"),
        ({"a": SMALL.jobs, "A": SMALL.jobs}, "a.xlsx", "The sheet name 'a' is used twice or reserved"),
        ({"How computed": SMALL.jobs}, "a.xlsx", "The sheet name 'How computed' is used twice or reserved"),
    ],
)
def test_invalid_sheets_raise(what: Any, name: str, message: str) -> None:
    with pytest.raises(tpa.ShareError, match=re.escape(message)):
        tpa.save(what, name)
    assert not Path(name).exists()


def test_invalid_workbooks_raise() -> None:
    with pytest.raises(tpa.ShareError, match=r"a workbook must end in \.xlsx"):
        tpa.save_workbook(SMALL, "company.csv")
    with pytest.raises(tpa.ArgumentError, match="`weight` must be 'hours', 'headcount' or 'fte', not 'people'"):
        tpa.save_workbook(SMALL, "company.xlsx", weight="people")  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="`profiles` must be TaskProfiles, not str"):
        tpa.save_workbook("data", "company.xlsx")  # type: ignore[arg-type]
    assert not Path("company.xlsx").exists()
