"""A saved file is what its suffix says, whole or not there, carries what it shows, and asks nothing of the network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<svg", ".pdf": b"%PDF-", ".html": b"<!doctype html>", ".json": b"{"}


@pytest.fixture(scope="module")
def chart() -> Any:
    return tpa.plot_impact_by_family(tpa.load_sample())


@pytest.mark.parametrize("suffix", MAGIC)
def test_a_chart_is_written_by_suffix(chart: Any, suffix: str) -> None:
    path = tpa.save(chart, f"deep/down/chart{suffix.upper() if suffix == '.png' else suffix}")
    assert path.read_bytes().startswith(MAGIC[suffix])
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_png_scale_is_pixels_per_pixel(chart: Any) -> None:
    widths = [int.from_bytes(tpa.save(chart, f"{n}.png", scale=n).read_bytes()[16:20], "big") for n in (1, 2)]
    assert abs(widths[1] - 2 * widths[0]) <= 2


def test_html_names_no_other_host_and_is_forbidden_to_ask_one(chart: Any) -> None:
    page = tpa.save(chart, "chart.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "default-src 'none'" in page
    assert page.count("</script") == 1, "the library must not close its own script"
    assert "<noscript><svg" in page
    assert len(page) < 1_500_000


def test_names_with_markup_are_text_in_html() -> None:
    from tests.measures.random_profiles import profiles_of

    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": "H1"}
    name = "</script><img src=x onerror=alert(1)><!--"
    family = {"job_family": name, "headcount": None, "contract_hours": None, "tasks": [task]}
    page = tpa.save(tpa.plot_impact_by_family(profiles_of([family])), "odd.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert page.count("</script") == 1


def test_vega_lite_comes_back_as_it_was(chart: Any) -> None:
    assert json.loads(tpa.save(chart, "chart.json").read_text(encoding="utf-8")) == chart.to_dict()


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "job_family": ["=1+1", "@SUM(A1)", "-2+3", "+4", "\tTab", "Ünïcode 研究", None],
            "hours": [1.5, None, -2.0, 0.0, 1e9, 2.25, None],
            "share": [0.5, None, 0.0, 1.0, 0.25, 0.125, None],
            "tasks": [1, 2, 3, None, 5, 6, 7],
            "path": [["a", "b"], [], None, ["=x"], ["c"], ["d"], ["e"]],
        }
    )


def test_csv_runs_no_formula_and_keeps_gaps_empty(frame: pl.DataFrame) -> None:
    read = pl.read_csv(tpa.save(frame, "table.csv"))
    assert read["job_family"].to_list()[:5] == ["'=1+1", "'@SUM(A1)", "'-2+3", "'+4", "'\tTab"]
    assert read["job_family"].to_list()[5:] == ["Ünïcode 研究", None]
    assert_frame_equal(read.select("hours", "share", "tasks"), frame.select("hours", "share", "tasks"))
    assert read["path"].to_list()[0] == '["a", "b"]'


def test_xlsx_runs_no_formula_and_keeps_gaps_empty(frame: pl.DataFrame) -> None:
    long = pl.concat([frame, frame.clear().vstack(frame.head(1).with_columns(job_family=pl.lit("x" * 40_000)))])
    sheet = openpyxl.load_workbook(tpa.save(long, "table.xlsx"))["data"]
    rows = list(sheet.iter_rows(values_only=True))
    assert list(rows[0]) == frame.columns
    assert rows[1][0] == "=1+1"
    assert sheet["A2"].data_type == "s", "text, not a formula"
    assert rows[2][1] is None
    assert rows[4][1] == 0
    assert rows[8][0].endswith("[…shortened]")
    assert len(rows[8][0]) <= 32_767
    assert "%" in sheet["C2"].number_format


def test_parquet_and_json_come_back_as_they_were(frame: pl.DataFrame) -> None:
    assert_frame_equal(pl.read_parquet(tpa.save(frame.lazy(), "table.parquet")), frame)
    assert json.loads(tpa.save(frame, "table.json").read_text(encoding="utf-8"))[1]["hours"] is None


def test_tables_of_measures_can_be_written_everywhere(sample: tpa.TaskProfiles) -> None:
    for measure in (tpa.hours_by_family, tpa.impact_by_family, tpa.coverage_by_family, tpa.hours_by_job):
        for suffix in (".csv", ".xlsx", ".parquet", ".json"):
            assert tpa.save(measure(sample), f"table{suffix}").stat().st_size > 100


@pytest.mark.parametrize(
    ("what", "name", "said"),
    [
        (pl.DataFrame({"a": [1]}), "a.png", "a frame cannot be written as .png; choose from .csv, .xlsx"),
        (pl.DataFrame({"a": [1]}), "a", "as a file without suffix"),
        (None, "a.csv", "A NoneType is neither a chart nor a data frame"),
        ("chart", "a.png", "A str is neither"),
    ],
)
def test_what_cannot_be_written_is_refused(what: Any, name: str, said: str) -> None:
    with pytest.raises(tpa.ShareError, match=re.escape(said)):
        tpa.save(what, name)
    assert list(Path().iterdir()) == []


def test_task_profiles_are_not_saved_by_accident(sample: tpa.TaskProfiles, chart: Any) -> None:
    with pytest.raises(tpa.ShareError, match=r"Pass a chart .* or profiles.tasks"):
        tpa.save(sample, "all.parquet")
    with pytest.raises(tpa.ShareError, match=r"a chart cannot be written as \.csv"):
        tpa.save(chart, "chart.csv")


def test_a_failed_write_leaves_what_was_there() -> None:
    good = tpa.save(pl.DataFrame({"a": [1]}), "table.parquet")
    before = good.read_bytes()
    with pytest.raises(tpa.ShareError, match="Column 'a' holds Python objects; make text or numbers of them"):
        tpa.save(pl.DataFrame({"a": [object()]}), "table.parquet")
    assert good.read_bytes() == before
    assert [entry.name for entry in Path().iterdir()] == ["table.parquet"]


def test_a_folder_in_the_way_is_said() -> None:
    Path("table.csv").mkdir()
    with pytest.raises(tpa.ShareError, match=r"table\.csv cannot be written"):
        tpa.save(pl.DataFrame({"a": [1]}), "table.csv")
    assert [entry.name for entry in Path().iterdir()] == ["table.csv"]


def test_too_many_rows_for_a_sheet_are_refused() -> None:
    with pytest.raises(tpa.ShareError, match=r"A sheet holds 1,048,575 rows"):
        tpa.save(pl.DataFrame({"a": pl.int_range(1_048_576, eager=True)}), "big.xlsx")
    assert not Path("big.xlsx").exists()


def test_categories_are_text_too() -> None:
    frame = pl.DataFrame({"a": ["=1+1"]}).with_columns(
        b=pl.col("a").cast(pl.Categorical), c=pl.Series(["=x"], dtype=pl.Enum(["=x"]))
    )
    row = pl.read_csv(tpa.save(frame, "table.csv")).row(0)
    assert row == ("'=1+1", "'=1+1", "'=x")


def test_cells_with_other_separators_are_quoted() -> None:
    text = tpa.save(pl.DataFrame({"a": ["foo;=1+1"], "n": [1]}), "table.csv").read_text(encoding="utf-8")
    assert text == '"a","n"\n"foo;=1+1",1\n'


def test_columns_alike_but_for_case_cannot_be_a_sheet() -> None:
    with pytest.raises(tpa.ShareError, match="differ in case only: h1 share"):
        tpa.save(pl.DataFrame({"H1 share": [1.0], "h1 share": [2.0]}), "table.xlsx")
    assert not Path("table.xlsx").exists()


def test_swapped_arguments_are_told() -> None:
    with pytest.raises(tpa.ShareError, match=r"The second argument is where to write"):
        tpa.save("out.csv", pl.DataFrame({"a": [1]}))  # type: ignore[arg-type]


def test_frames_of_other_engines_are_written() -> None:
    import pandas as pd

    assert pl.read_csv(tpa.save(pd.DataFrame({"a": ["x", None]}), "table.csv"))["a"].to_list() == ["x", None]
