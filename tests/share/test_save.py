"""Tests of `save`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.by_job import hours_by_job

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<svg", ".pdf": b"%PDF-", ".html": b"<!doctype html>", ".json": b"{"}


@pytest.fixture(scope="module")
def chart() -> Any:
    return tpa.plot_impact(tpa.load_sample())


@pytest.mark.parametrize("suffix", MAGIC)
def test_chart_format_follows_the_suffix(chart: Any, suffix: str) -> None:
    path = tpa.save(chart, f"deep/down/chart{suffix.upper() if suffix == '.png' else suffix}")
    assert path.read_bytes().startswith(MAGIC[suffix])
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_scale_multiplies_the_png_size(chart: Any) -> None:
    widths = [int.from_bytes(tpa.save(chart, f"{n}.png", scale=n).read_bytes()[16:20], "big") for n in (1, 2)]
    assert abs(widths[1] - 2 * widths[0]) <= 2


def test_html_makes_no_external_requests(chart: Any) -> None:
    page = tpa.save(chart, "chart.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert "default-src 'none'" in page
    assert page.count("</script") == 1, "the library must not close its own script"
    assert "<noscript><svg" in page
    assert len(page) < 1_500_000


def test_markup_in_names_is_escaped_in_html() -> None:
    from tests.helpers.random_profiles import profiles_of

    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": "H1"}
    name = "</script><img src=x onerror=alert(1)><!--"
    family = {"job_family": name, "headcount": None, "contract_hours": None, "tasks": [task]}
    page = tpa.save(tpa.plot_impact(profiles_of([family])), "odd.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert page.count("</script") == 1


def test_json_contains_the_vega_lite_specification(chart: Any) -> None:
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


def test_csv_escapes_formulas_and_keeps_nulls_empty(frame: pl.DataFrame) -> None:
    table = pl.read_csv(tpa.save(frame, "table.csv"))
    assert table["job_family"].to_list()[:5] == ["'=1+1", "'@SUM(A1)", "'-2+3", "'+4", "'\tTab"]
    assert table["job_family"].to_list()[5:] == ["Ünïcode 研究", None]
    assert_frame_equal(table.select("hours", "share", "tasks"), frame.select("hours", "share", "tasks"))
    assert table["path"].to_list()[0] == '["a", "b"]'


def test_parquet_and_json_round_trip(frame: pl.DataFrame) -> None:
    assert_frame_equal(pl.read_parquet(tpa.save(frame.lazy(), "table.parquet")), frame)
    assert json.loads(tpa.save(frame, "table.json").read_text(encoding="utf-8"))[1]["hours"] is None


def test_results_of_measures_are_saved_in_every_format(sample: tpa.TaskProfiles) -> None:
    for measure in (tpa.hours, tpa.impact, tpa.coverage, hours_by_job):
        for suffix in (".csv", ".xlsx", ".parquet", ".json"):
            assert tpa.save(measure(sample), f"table{suffix}").stat().st_size > 100


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        (pl.DataFrame({"a": [1]}), "a.png", "a data frame cannot be saved as .png. Use one of .csv, .xlsx"),
        (pl.DataFrame({"a": [1]}), "a", "cannot be saved without a suffix"),
        (None, "a.csv", "`what` must be a chart or a data frame, not NoneType"),
        ("chart", "a.png", "`what` must be a chart or a data frame, not str"),
    ],
)
def test_unsupported_objects_and_suffixes_raise(what: Any, name: str, message: str) -> None:
    with pytest.raises(tpa.ShareError, match=re.escape(message)):
        tpa.save(what, name)
    assert list(Path().iterdir()) == []


def test_task_profiles_raise(sample: tpa.TaskProfiles, chart: Any) -> None:
    with pytest.raises(tpa.ShareError, match=r"Pass a chart .* or profiles.tasks"):
        tpa.save(sample, "all.parquet")
    with pytest.raises(tpa.ShareError, match=r"a chart cannot be saved as \.csv"):
        tpa.save(chart, "chart.csv")


def test_failed_write_keeps_the_existing_file() -> None:
    path = tpa.save(pl.DataFrame({"a": [1]}), "table.parquet")
    before = path.read_bytes()
    with pytest.raises(tpa.ShareError, match=r"Column 'a' contains Python objects\. Convert it to text or numbers"):
        tpa.save(pl.DataFrame({"a": [object()]}), "table.parquet")
    assert path.read_bytes() == before
    assert [entry.name for entry in Path().iterdir()] == ["table.parquet"]


def test_folder_with_the_same_name_raises() -> None:
    Path("table.csv").mkdir()
    with pytest.raises(tpa.ShareError, match=r"table\.csv cannot be written"):
        tpa.save(pl.DataFrame({"a": [1]}), "table.csv")
    assert [entry.name for entry in Path().iterdir()] == ["table.csv"]


def test_categorical_columns_are_escaped() -> None:
    frame = pl.DataFrame({"a": ["=1+1"]}).with_columns(
        b=pl.col("a").cast(pl.Categorical), c=pl.Series(["=x"], dtype=pl.Enum(["=x"]))
    )
    row = pl.read_csv(tpa.save(frame, "table.csv")).row(0)
    assert row == ("'=1+1", "'=1+1", "'=x")


def test_text_cells_are_quoted() -> None:
    text = tpa.save(pl.DataFrame({"a": ["foo;=1+1"], "n": [1]}), "table.csv").read_text(encoding="utf-8")
    assert text == '"a","n"\n"foo;=1+1",1\n'


def test_swapped_arguments_raise() -> None:
    with pytest.raises(tpa.ShareError, match=r"`path` must be a file path like 'chart.svg', not DataFrame"):
        tpa.save("out.csv", pl.DataFrame({"a": [1]}))  # type: ignore[arg-type]


def test_pandas_frames_are_saved() -> None:
    import pandas as pd

    assert pl.read_csv(tpa.save(pd.DataFrame({"a": ["x", None]}), "table.csv"))["a"].to_list() == ["x", None]


FORMULAS = ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u3000=1", "\ufeff=1"]
FORMULAS += ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20a", " \uff1d1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_in_cells_and_headers_are_escaped(text: str) -> None:
    frame = pl.DataFrame({text: [text, "plain", "a=b", "–", None], "n": [-1.0, 2.0, 3.0, 4.0, 5.0]})  # noqa: RUF001
    table = pl.read_csv(tpa.save(frame, "table.csv"))
    assert table.columns == [f"'{text}", "n"]
    assert table.to_series().to_list() == [f"'{text}", "plain", "a=b", "–", None]  # noqa: RUF001
    assert table["n"].to_list()[0] == -1
    sheet = openpyxl.load_workbook(tpa.save(frame, "table.xlsx"))["data"]
    assert {sheet["A1"].data_type, sheet["A2"].data_type} == {"s"}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".json"])
def test_nan_is_null_and_infinite_numbers_raise(suffix: str) -> None:
    frame = pl.DataFrame({"a": [1.0, float("nan")], "b": [[1.0, float("nan")], []]})
    path = tpa.save(frame, f"table{suffix}")
    content = path.read_bytes()
    if suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            content = book.read("xl/worksheets/sheet1.xml") + book.read("xl/sharedStrings.xml")
    assert not re.search(rb"(?i)\bnan\b", content)
    if suffix == ".parquet":
        assert pl.read_parquet(path).rows() == [(1.0, [1.0, None]), (None, [])]
    Path(path).unlink()
    for wrong in (pl.DataFrame({"a": [float("inf"), 1.0]}), pl.DataFrame({"a": [[float("-inf")]]})):
        with pytest.raises(tpa.ShareError, match=r"Column 'a' contains an infinite number"):
            tpa.save(wrong, f"table{suffix}")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("suffix", MAGIC)
def test_nan_is_null_and_infinite_numbers_raise_in_charts(suffix: str) -> None:
    import altair as alt

    def bar(value: float) -> Any:
        return alt.Chart(pl.DataFrame({"a": [1.0, value]})).mark_bar().encode(x="a")

    text = tpa.save(bar(float("nan")), f"chart{suffix}").read_text("utf-8", errors="replace")
    assert suffix != ".json" or json.loads(text)["datasets"].popitem()[1] == [{"a": 1.0}, {"a": None}]
    with pytest.raises(tpa.ShareError, match="The chart contains an infinite number"):
        tpa.save(bar(float("inf")), f"infinite{suffix}")


def test_chart_with_too_many_rows_raises() -> None:
    import altair as alt

    chart = alt.Chart(pl.DataFrame({"a": range(5001)})).mark_bar()
    with pytest.raises(tpa.ShareError, match=r"more rows than Altair allows \(5,000 by default\)"):
        tpa.save(chart, "chart.svg")


SCRIPT = """
import sys, tpanalytics as tpa
profiles = tpa.load_sample()
chart, frame = tpa.plot_hours(profiles), tpa.exposure(profiles)
for name in sys.argv[1:]:
    tpa.save(chart if name.startswith("chart") else frame, name, scale=0.5, bundle=name == "chart.svg")
"""


@pytest.mark.slow
def test_files_contain_no_timestamp_or_machine_details(tmp_path: Path) -> None:
    names = [*(f"chart{suffix}" for suffix in MAGIC), *(f"frame{s}" for s in (".csv", ".xlsx", ".parquet", ".json"))]
    names.remove("chart.json")  # part of the bundle
    runs = []
    for person, zone in (("anna-canary", "UTC"), ("bert-canary", "Asia/Tokyo")):
        folder = tmp_path / person
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(Path(tpa.__file__).parents[1])}
        environment |= {"USER": person, "LOGNAME": person, "HOME": str(folder), "TZ": zone}
        subprocess.run([sys.executable, "-c", SCRIPT, *names], cwd=folder, env=environment, check=True)
        runs.append({entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.suffix})
    assert len(runs[0]) > len(names) + 2
    assert runs[0] == runs[1]
    for name, content in runs[0].items():
        assert b"canary" not in content, name
        assert not re.search(rb"CreationDate|ModDate|tIME|dc:creator>[^<]", content), name
    assert not tpa.check_share(tmp_path / "anna-canary" / "chart.pdf").filter(pl.col("severity") != "note").height
    with zipfile.ZipFile(tmp_path / "anna-canary" / "frame.xlsx") as book:
        properties = book.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", properties)) == {"2000-01-01T00:00:00Z"}
