"""Tests of `.xlsx` workbooks written by `save`."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import polars as pl
import pytest

import tpanalytics as tpa
from tpanalytics.measures._core.metadata import NULL_REASONS


def test_xlsx_stores_formulas_as_text_and_keeps_nulls_empty() -> None:
    families, hours = ["=1+1", "@SUM(A1)", "Ünïcode 研究", None, "x" * 40_000], [1.5, None, 0.0, -2.0, 1e9]
    frame = pl.DataFrame({"job_family": families, "hours": hours, "share": [0.5] * 5, "path": [["a", "b"]] * 5})
    sheet = openpyxl.load_workbook(tpa.save(frame, "table.xlsx"))["data"]
    rows = list(sheet.iter_rows(values_only=True))
    assert list(rows[0]) == frame.columns
    assert rows[1][0] == "=1+1"
    assert sheet["A2"].data_type == "s"
    assert rows[2][1] is None
    assert rows[3][1] == 0
    assert rows[5][0].endswith("[…shortened]")
    assert len(rows[5][0]) <= 32_767
    assert "%" in sheet["C2"].number_format


def test_too_many_rows_for_a_sheet_raise() -> None:
    with pytest.raises(tpa.ShareError, match=r"limited to 1,048,575 rows, but the data frame has 1,048,576"):
        tpa.save(pl.DataFrame({"a": pl.int_range(1_048_576, eager=True)}), "big.xlsx")
    assert not Path("big.xlsx").exists()


def test_columns_that_differ_only_in_case_raise() -> None:
    with pytest.raises(tpa.ShareError, match="differ only in case: 'h1 share'"):
        tpa.save(pl.DataFrame({"H1 share": [1.0], "h1 share": [2.0]}), "table.xlsx")
    assert not Path("table.xlsx").exists()


def test_workbook_documents_the_figures(sample: tpa.TaskProfiles) -> None:
    result = tpa.suppress(tpa.exposure(sample), sample, privacy=tpa.Privacy(min_jobs=14))
    book = openpyxl.load_workbook(tpa.save(result, "exposure.xlsx"))
    assert book.sheetnames == ["data", "how computed"]
    assert list(book["data"].tables) == ["Frame0"]
    rows = [row for row in book["how computed"].iter_rows(values_only=True) if any(row)]
    texts, meaning = {row[1] for row in rows}, tpa.about(result)
    assert {meaning.value, meaning.unit, meaning.numerator, meaning.denominator, *meaning.policy} <= texts
    assert set(meaning.warnings) <= texts
    assert f"tpanalytics {tpa.__version__}" in texts
    assert ("SUPPRESSED", NULL_REASONS["SUPPRESSED"]) in rows
    assert any(row[0] == "Grade" and row[1].startswith(f"{meaning.grade} (") for row in rows)
    assert book["how computed"].page_setup.fitToHeight == 0
    part = openpyxl.load_workbook(tpa.save(result.head(3), "part.xlsx"))
    notes = [str(row[1]) for row in part["how computed"].iter_rows(values_only=True)]
    assert any("full result" in note for note in notes)
    plain = openpyxl.load_workbook(tpa.save(pl.DataFrame(result), "plain.xlsx"))
    assert plain.sheetnames == ["data"]


@pytest.mark.parametrize(
    ("measure", "formats"),
    [
        ("hours", {"jobs": "#,##0", "hours": "#,##0.0", "hours_p50": "#,##0.0", "coverage": "0.0%"}),
        ("exposure", {"exposure": "#,##0.00", "numerator": "#,##0.0", "coverage": "0.0%", "tasks": "#,##0"}),
        (
            "impact",
            {
                "amount": "#,##0.0",
                "share": "0.0%",
                "share_low": "0.0%",
                "hours": "#,##0.0",
                "ai_impact_level": "General",
            },
        ),
        ("automation_candidates", {"h1_hours": "#,##0.0", "share_of_h1": "0.0%", "level_agreement": "0.0%"}),
        ("concentration", {"gini": "#,##0.00", "share_of_top_10": "0.0%", "tasks_for_80": "#,##0"}),
    ],
)
def test_number_formats_follow_the_column(sample: tpa.TaskProfiles, measure: str, formats: dict[str, str]) -> None:
    sheet = openpyxl.load_workbook(tpa.save(getattr(tpa, measure)(sample), "table.xlsx"))["data"]
    actual = {head.value: cell.number_format for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert {name: actual[name] for name in formats} == formats
