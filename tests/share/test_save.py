"""A saved file is what its suffix says, whole or not there, carries what it shows, and asks nothing of the network."""

from __future__ import annotations

import hashlib
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

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<svg", ".pdf": b"%PDF-", ".html": b"<!doctype html>", ".json": b"{"}


@pytest.fixture(scope="module")
def chart() -> Any:
    return tpa.plot_impact(tpa.load_sample())


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
    from tests.helpers.random_profiles import profiles_of

    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": "H1"}
    name = "</script><img src=x onerror=alert(1)><!--"
    family = {"job_family": name, "headcount": None, "contract_hours": None, "tasks": [task]}
    page = tpa.save(tpa.plot_impact(profiles_of([family])), "odd.html").read_text(encoding="utf-8")
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
    for measure in (tpa.hours, tpa.impact, tpa.coverage, tpa.hours_by_job):
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
    with pytest.raises(tpa.ShareError, match=r"The path is where to write"):
        tpa.save("out.csv", pl.DataFrame({"a": [1]}))  # type: ignore[arg-type]


def test_frames_of_other_engines_are_written() -> None:
    import pandas as pd

    assert pl.read_csv(tpa.save(pd.DataFrame({"a": ["x", None]}), "table.csv"))["a"].to_list() == ["x", None]


def test_a_chart_travels_with_its_data_text_and_evidence(chart: Any) -> None:
    path = tpa.save(chart, "out/impact.svg", bundle=True)
    assert path == Path("out/impact.svg")
    names = {entry.name for entry in path.parent.iterdir()}
    tables = {name for name in names if name.endswith(".csv")}
    assert names - tables == {"impact.svg", "impact.json", "impact.txt", "impact.evidence.json"}
    assert tables == {f"impact-{n}.csv" for n in range(1, len(tables) + 1)}
    spec = chart.to_dict()
    drawn = [rows for rows in spec["datasets"].values() if any(rows)]
    read = [pl.read_csv(path.with_name(f"impact-{n}.csv")) for n in range(1, len(tables) + 1)]
    assert sorted(map(len, drawn)) == sorted(table.height for table in read)
    whole = next(table for table in read if "share" in table.columns)
    assert whole["share"].to_list() == [row["share"] for row in drawn[0]]
    assert json.loads((path.parent / "impact.json").read_text("utf-8")) == spec
    text = (path.parent / "impact.txt").read_text("utf-8")
    assert text.endswith(f"\n\n{spec['description']}\n")
    said = json.loads((path.parent / "impact.evidence.json").read_text("utf-8"))
    assert said["source"] == "Data: the sample, an invented company, as of 2026-05."
    assert any("have hours" in line for line in said["policy"])
    assert said["title"] == " ".join(spec["title"]["text"])
    assert said["made_with"]["tpanalytics"] == tpa.__version__
    assert {file["name"] for file in said["files"]} == names - {"impact.evidence.json"}
    for file in said["files"]:
        content = (path.parent / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_one_table_has_the_name_of_the_chart_and_a_specification_is_its_own_main_file() -> None:
    import altair as alt

    chart = alt.Chart(pl.DataFrame({"a": ["=1+1"], "b": [1.0]})).mark_bar().encode(x="b", y="a")
    tpa.save(chart, "plain.json", bundle=True)
    assert {entry.name for entry in Path().iterdir()} == {
        *("plain.csv", "plain.json", "plain.txt", "plain.evidence.json")
    }
    assert pl.read_csv("plain.csv").rows() == [("'=1+1", 1)]


def test_a_frame_travels_with_its_meaning(sample: tpa.TaskProfiles) -> None:
    result = tpa.exposure(sample)
    tpa.save(result, "exposure.csv", bundle=True)
    assert Path("exposure.txt").read_text("utf-8") == f"{tpa.about(result)}\n"
    said = json.loads(Path("exposure.evidence.json").read_text("utf-8"))
    assert said["meaning"]["measure"] == "exposure"
    assert [file["name"] for file in said["files"]] == ["exposure.csv", "exposure.txt"]


@pytest.mark.parametrize("there", [False, True])
def test_a_bundle_is_whole_or_not_there(chart: Any, there: bool) -> None:
    if there:
        tpa.save(chart, "impact.svg", bundle=True)
        Path("impact.svg").write_text("old", encoding="utf-8")
        Path("impact.txt").unlink()
    Path("impact.txt").mkdir()  # in the way of the last but two
    before = {entry.name: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()}
    with pytest.raises(tpa.ShareError, match=r"impact\.svg cannot be written"):
        tpa.save(chart, "impact.svg", bundle=True)
    assert {entry.name: entry.read_bytes() for entry in Path().iterdir() if entry.is_file()} == before
    assert Path("impact.txt").is_dir()


def test_a_bundle_that_fails_while_written_leaves_nothing(chart: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(tpa.ShareError, match="No space left on device"):
        tpa.save(chart, "impact.svg", bundle=True)
    assert list(Path().iterdir()) == []


FORMULAS = ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u3000=1", "\ufeff=1"]
FORMULAS += ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20a", " \uff1d1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_and_no_header_is_a_formula(text: str) -> None:
    frame = pl.DataFrame({text: [text, "plain", "a=b", "–", None], "n": [-1.0, 2.0, 3.0, 4.0, 5.0]})  # noqa: RUF001
    read = pl.read_csv(tpa.save(frame, "table.csv"))
    assert read.columns == [f"'{text}", "n"]
    assert read.to_series().to_list() == [f"'{text}", "plain", "a=b", "–", None]  # noqa: RUF001
    assert read["n"].to_list()[0] == -1
    sheet = openpyxl.load_workbook(tpa.save(frame, "table.xlsx"))["data"]
    assert {sheet["A1"].data_type, sheet["A2"].data_type} == {"s"}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".json"])
def test_what_is_no_number_is_null_and_what_is_infinite_is_refused(suffix: str) -> None:
    frame = pl.DataFrame({"a": [1.0, float("nan")], "b": [[1.0, float("nan")], []]})
    path = tpa.save(frame, f"table{suffix}")
    held = path.read_bytes()
    if suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            held = book.read("xl/worksheets/sheet1.xml") + book.read("xl/sharedStrings.xml")
    assert not re.search(rb"(?i)\bnan\b", held)
    if suffix == ".parquet":
        assert pl.read_parquet(path).rows() == [(1.0, [1.0, None]), (None, [])]
    Path(path).unlink()
    for wrong in (pl.DataFrame({"a": [float("inf"), 1.0]}), pl.DataFrame({"a": [[float("-inf")]]})):
        with pytest.raises(tpa.ShareError, match=r"Column 'a' holds an infinite number"):
            tpa.save(wrong, f"table{suffix}")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("suffix", MAGIC)
def test_charts_hold_no_odd_numbers(suffix: str) -> None:
    import altair as alt

    def of(value: float) -> Any:
        return alt.Chart(pl.DataFrame({"a": [1.0, value]})).mark_bar().encode(x="a")

    text = tpa.save(of(float("nan")), f"chart{suffix}").read_text("utf-8", errors="replace")
    assert suffix != ".json" or json.loads(text)["datasets"].popitem()[1] == [{"a": 1.0}, {"a": None}]
    with pytest.raises(tpa.ShareError, match="The chart holds an infinite number"):
        tpa.save(of(float("inf")), f"infinite{suffix}")


def test_a_chart_of_too_many_rows_is_refused_with_a_reason() -> None:
    import altair as alt

    chart = alt.Chart(pl.DataFrame({"a": range(5001)})).mark_bar()
    with pytest.raises(tpa.ShareError, match="more rows than Altair draws"):
        tpa.save(chart, "chart.svg")


def test_a_workbook_says_how_it_was_computed(sample: tpa.TaskProfiles) -> None:
    result = tpa.suppress(tpa.exposure(sample), sample, privacy=tpa.Privacy(min_jobs=14))
    book = openpyxl.load_workbook(tpa.save(result, "exposure.xlsx"))
    assert book.sheetnames == ["data", "how computed"]
    assert list(book["data"].tables) == ["Frame0"]
    said = [row for row in book["how computed"].iter_rows(values_only=True) if any(row)]
    texts, meaning = {row[1] for row in said}, tpa.about(result)
    assert {meaning.value, meaning.unit, meaning.numerator, meaning.denominator, *meaning.policy} <= texts
    assert set(meaning.warnings) <= texts
    assert f"tpanalytics {tpa.__version__}" in texts
    assert ("SUPPRESSED", "suppressed (small group)") in said
    assert any(row[0] == "Grade" and row[1].startswith(f"{meaning.grade} (") for row in said)
    assert book["how computed"].page_setup.fitToHeight == 0
    part = openpyxl.load_workbook(tpa.save(result.head(3), "part.xlsx"))
    notes = [str(row[1]) for row in part["how computed"].iter_rows(values_only=True)]
    assert any("describe the full result" in note for note in notes)
    plain = openpyxl.load_workbook(tpa.save(pl.DataFrame(result), "plain.xlsx"))
    assert plain.sheetnames == ["data"], "a plain frame carries no information"


@pytest.mark.parametrize(
    ("measure", "formats"),
    [
        ("hours", {"jobs": "#,##0", "hours": "#,##0.0", "hours_p50": "#,##0.0", "coverage": "0.0%"}),
        ("exposure", {"exposure": "0.0%", "numerator": "#,##0.0", "coverage": "0.0%", "tasks": "#,##0"}),
        ("impact", {"share": "0.0%", "share_low": "0.0%", "hours": "#,##0.0", "level": "General"}),
        ("automation_candidates", {"h1_hours": "#,##0.0", "share_of_h1": "0.0%", "level_agreement": "0.0%"}),
        ("concentration", {"gini": "#,##0.00", "share_of_top_10": "0.0%", "tasks_for_80": "#,##0"}),
    ],
)
def test_numbers_look_like_what_they_are(sample: tpa.TaskProfiles, measure: str, formats: dict[str, str]) -> None:
    sheet = openpyxl.load_workbook(tpa.save(getattr(tpa, measure)(sample), "table.xlsx"))["data"]
    shown = {head.value: cell.number_format for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert {name: shown[name] for name in formats} == formats


SAVED = """
import sys, tpanalytics as tpa
profiles = tpa.load_sample()
chart, frame = tpa.plot_hours(profiles), tpa.exposure(profiles)
for name in sys.argv[1:]:
    tpa.save(chart if name.startswith("chart") else frame, name, scale=0.5, bundle=name == "chart.svg")
"""


def test_files_tell_neither_of_the_machine_nor_of_the_moment(tmp_path: Path) -> None:
    names = [*(f"chart{suffix}" for suffix in MAGIC), *(f"frame{s}" for s in (".csv", ".xlsx", ".parquet", ".json"))]
    names.remove("chart.json")  # it comes with the bundle
    made = []
    for person, zone in (("anna-canary", "UTC"), ("bert-canary", "Asia/Tokyo")):
        folder = tmp_path / person
        folder.mkdir()
        seen = {**os.environ, "PYTHONPATH": str(Path(tpa.__file__).parents[1])}
        seen |= {"USER": person, "LOGNAME": person, "HOME": str(folder), "TZ": zone}
        subprocess.run([sys.executable, "-c", SAVED, *names], cwd=folder, env=seen, check=True)
        made.append({entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.suffix})
    assert len(made[0]) > len(names) + 2
    assert made[0] == made[1]
    for name, content in made[0].items():
        assert b"canary" not in content, name
        assert not re.search(rb"CreationDate|ModDate|tIME|dc:creator>[^<]", content), name
    assert not tpa.check_share(tmp_path / "anna-canary" / "chart.pdf").filter(pl.col("severity") != "note").height
    with zipfile.ZipFile(tmp_path / "anna-canary" / "frame.xlsx") as book:
        properties = book.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", properties)) == {"2000-01-01T00:00:00Z"}
