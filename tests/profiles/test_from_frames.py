"""Task profiles from CSV files, workbooks and frames."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies
from tests.profiles.conftest import write
from tpanalytics.schema import JOBS, TASKS, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = {"Job code": "job_id", "Activity": "task", "Hours / week": "weekly_hours", "Family": "job_family"}
TABLE = """Job code,Activity,Hours / week,Family,Site
0101,Plan,3.5,Finance,A
0101,Report,,Finance,A
0202,Sell,2,Sales,B
"""


def error_of(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    with pytest.raises(tpa.SchemaError) as exc_info:
        call(*arguments, **named)
    return str(exc_info.value)


def check(profiles: tpa.TaskProfiles) -> None:
    assert profiles.jobs.select(*JOBS, "Site").rows() == [
        ("0101", None, None, "Finance", None, 2, "A"),
        ("0202", None, None, "Sales", None, 1, "B"),
    ]
    assert profiles.tasks.select("job_id", "job_family", "task", "weekly_hours", "Site").rows() == [
        ("0101", "Finance", "Plan", 3.5, "A"),
        ("0101", "Finance", "Report", None, "A"),
        ("0202", "Sales", "Sell", 2.0, "B"),
    ]
    assert dict(list(profiles.jobs.schema.items())[:6]) == JOBS
    assert dict(list(profiles.tasks.schema.items())[:11]) == TASKS


def test_table_of_a_colleague_is_measured() -> None:
    profiles = tpa.from_frames(write("tasks.csv", TABLE), columns=COLUMNS)
    check(profiles)
    hours = tpa.hours(profiles, by="Site", states=["(no state)"])
    assert hours.select("Site", "jobs", "tasks", "hours").rows() == [("A", 1, 2, 3.5), ("B", 1, 1, 2.0)]


FORMS: dict[str, tuple[str, bytes]] = {
    "byte order mark": ("t.csv", b"\xef\xbb\xbf" + TABLE.encode()),
    "separator line": ("t.csv", b"sep=;\r\n" + TABLE.replace(",", ";").replace("\n", "\r\n").encode()),
    "tabs in UTF-16": ("t.txt", TABLE.replace(",", "\t").encode("utf-16")),
    "UTF-16 without a mark": ("t.txt", TABLE.encode("utf-16-le")),
    "pipes": ("t.csv", TABLE.replace(",", "|").encode()),
    "gzip": ("t.csv.gz", gzip.compress(TABLE.encode())),
    "blank rows": ("t.csv", b"\n,,,,\n" + TABLE.replace("\n", "\n\n,,,,\n \n").encode()),
    "formulas that keep zeros": ("t.csv", re.sub(r"^(0\d+)", r'="\1"', TABLE, flags=re.MULTILINE).encode()),
    "formulas in quotes": ("t.csv", re.sub(r"^(0\d+)", r'"=""\1"""', TABLE, flags=re.MULTILINE).encode()),
    "untrimmed headings": ("t.csv", TABLE.replace("Hours / week", '" Hours  /\nweek "').encode()),
    "index of pandas": ("t.csv", pd.read_csv(io.StringIO(TABLE), dtype=str).to_csv().encode()),
    "trailing separators": ("t.csv", TABLE.replace("\n", ",,\n").encode()),
    "old Mac": ("t.csv", TABLE.replace("\n", "\r").encode()),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms_of_csv_files_are_read(form: tuple[str, bytes]) -> None:
    check(tpa.from_frames(write(*form), columns=COLUMNS))


_cell = st.text(st.sampled_from("a0é研 ,;|\t\"'=\n\\#"), max_size=6)


@given(
    st.lists(st.tuples(_cell.map(lambda text: f"x{text}"), _cell, _cell), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_cells_are_read_as_the_csv_module_writes_them(
    rows: list[tuple[str, str, str]], separator: str, quoting: Any, end: str, encoding: str
) -> None:
    with Path("cells.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
        writer.writerows([("job_id", "task", "note"), *rows])

    def clean(text: str) -> str | None:
        text = re.sub('^="(.*)"$', r"\1", text.strip()).strip()
        return text or None

    expected = [tuple(map(clean, row)) for row in rows]
    tasks = tpa.from_frames("cells.csv").tasks.select("job_id", "task", "note").rows()
    assert tasks == [row for row in expected if row[1] is not None]


@pytest.mark.filterwarnings("ignore:.*values other than H1 to H5")
@given(companies)
def test_saved_tables_give_the_same_profiles(company: tpa.TaskProfiles) -> None:
    jobs = company.jobs
    tpa.save(company.tasks, "tasks.csv")
    tpa.save(jobs, "jobs.csv")
    read = tpa.from_frames("tasks.csv", "jobs.csv")
    assert_frame_equal(read.tasks, company.tasks)
    assert_frame_equal(read.jobs, jobs, check_column_order=False)


@pytest.mark.parametrize("lazy", [False, True])
def test_levels_other_than_h1_to_h5_are_reported(lazy: bool) -> None:
    levels = ["High", "Medium", "Low", None]
    tasks = pl.DataFrame(
        {"job_id": ["1"] * 20, "task": [f"t{i}" for i in range(20)], "weekly_hours": 1.0, "ai_impact_level": levels * 5}
    ).with_columns(pl.col("ai_impact_level").fill_null("1 - H2"))
    listed = r"'1 - H2' \(5 tasks\), 'High' \(5 tasks\), 'Low' \(5 tasks\) and 'Medium' \(5 tasks\)"
    expected = rf"{listed}.*'1 - H2': 'H2', 'High': '...'"
    with pytest.warns(tpa.TpAnalyticsWarning, match=expected):
        profiles = tpa.from_frames(tasks.lazy() if lazy else tasks)
    impact, coverage = tpa.impact(profiles, by=None), tpa.coverage(profiles, by=None)
    assert impact["coverage"].unique().to_list() == [1.0]
    assert {*impact["data_grade"], *coverage["data_grade"], tpa.about(impact).grade} == {"C"}
    assert "No task has a level from H1 to H5" in str(tpa.about(impact))
    title = str(tpa.plot_impact(profiles, privacy=None).to_dict()["title"])
    assert "AI impact cannot be shown: no task has a level from H1 to H5" in title
    mapped = tasks.with_columns(pl.col("ai_impact_level").replace({"High": "H1"}))
    with pytest.warns(tpa.TpAnalyticsWarning, match="values other than H1 to H5"):
        assert tpa.about(tpa.impact(tpa.from_frames(mapped))).grade == "A"


ENGINES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "polars lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: pd.DataFrame(frame.to_dict(as_series=False)),
    "pandas, nullable": lambda frame: pd.DataFrame(frame.to_dict(as_series=False)).convert_dtypes(),
    "pandas, arrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "arrow": lambda frame: frame.to_arrow(),
    "duckdb": lambda frame: duckdb.sql("from frame"),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_of_all_engines_are_accepted(sample: tpa.TaskProfiles, engine: str) -> None:
    jobs = sample.jobs
    tasks = sample.tasks.rename({"weekly_hours": "h"}).with_columns(site=pl.lit("A"))
    read = tpa.from_frames(ENGINES[engine](tasks), ENGINES[engine](jobs), columns={"h": "weekly_hours"})
    assert_frame_equal(read.jobs, jobs)
    assert_frame_equal(tpa.hours(read), tpa.hours(replace(sample, jobs=jobs)))
    assert read.manifest["tasks"] == sample.tasks.height
    if engine == "duckdb":
        assert isinstance(read.tasks, duckdb.DuckDBPyRelation)
    else:
        assert isinstance(read.tasks, pl.LazyFrame) is (engine == "polars lazy")
        assert_frame_equal(read.tasks.lazy().collect(), sample.tasks.with_columns(site=pl.lit("A")))


@pytest.mark.parametrize("engine", ["polars", "polars lazy", "duckdb"])
def test_jobs_are_derived_from_tasks(engine: str) -> None:
    rows = [
        {"job_id": "b", "task": "Plan", "job_name": "Buyer", "site": "A", "tool": "x", "remote": True, "headcount": 3},
        {"job_id": "b", "task": "Order", "job_name": None, "site": "A", "tool": "y", "remote": True, "headcount": 3},
        {
            "job_id": "a",
            "task": None,
            "job_name": "Clerk",
            "site": "B",
            "tool": None,
            "remote": False,
            "headcount": None,
        },
    ]
    read = tpa.from_frames(ENGINES[engine](pl.DataFrame(rows)))
    assert read.jobs.sort("job_id").select("job_id", "job_name", "n_tasks", "headcount", "site", "remote").rows() == [
        ("a", "Clerk", 0, None, "B", False),
        ("b", "Buyer", 2, 3, "A", True),
    ]
    assert "tool" not in read.jobs.columns  # it differs between the tasks of a job
    assert tpa.hours(read, by="tool", states=["(no state)"]).select("tool", "tasks").rows() == [("x", 1), ("y", 1)]


def test_jobs_without_tasks_and_jobs_that_are_not_listed_are_kept() -> None:
    tasks = pl.DataFrame({"job_id": ["1", "2"], "task": ["a", "b"], "job_name": ["One", "Two"]})
    jobs = pl.DataFrame({"job_id": [1, 3], "job_family_id": ["f", "g"], "site": ["A", "B"], "active": [1, 0]})
    with pytest.warns(tpa.TpAnalyticsWarning, match="1 of 2 jobs in the tasks table are not in the jobs table.*'2'"):
        read = tpa.from_frames(tasks, jobs)
    assert read.jobs.select("job_id", "job_name", "job_family", "n_tasks", "active", "site").rows() == [
        ("1", "One", "f", 1, True, "A"),
        ("3", None, "g", 0, False, "B"),
        ("2", "Two", None, 1, None, None),
    ]
    assert read.tasks["job_family"].to_list() == ["f", None]
    assert "1 of them not in the jobs table" in repr(read)


def test_source_and_date_are_stated() -> None:
    path = write("tasks.csv", TABLE)
    assert "2 jobs and 3 tasks from tasks.csv; unknown" in repr(tpa.from_frames(path, columns=COLUMNS))
    for as_of in ("2026-11-30", dt.date(2026, 11, 30), dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)):
        read = tpa.from_frames(path, columns=COLUMNS, source="HR, Anna", as_of=as_of)
        assert read.manifest["source"] == {"kind": "frames", "name": "HR, Anna", "as_of": "2026-11-30"}
        assert "from HR, Anna, as of 2026-11-30; unknown" in repr(read)
    again = tpa.read_profiles(tpa.write_profiles(read, "snapshot"))
    assert again.manifest["source"] == read.manifest["source"]
    for invalid in ("November", "2026-13", 2026, ""):
        with pytest.raises(tpa.ArgumentError, match="`as_of` must be a date like"):
            tpa.from_frames(path, columns=COLUMNS, as_of=invalid)


def test_states_are_only_ignored_if_there_are_none() -> None:
    tasks = pl.DataFrame({"job_id": ["1"], "task": ["a"]})
    assert tpa.from_frames(tasks).manifest["states"] == ["(no state)"]
    assert "states" not in tpa.from_frames(tasks.with_columns(validation_state=pl.lit("validated"))).manifest


@pytest.mark.parametrize(
    "headings",
    [
        ("Job Code", "Activity", "Hours / week"),
        ("JobID", "Tasks", "weeklyHours"),
        ("JOB_ID", "task_text", "hours_per_week"),
        ("job id", "TASK", "Weekly  hours"),
    ],
    ids=" ".join,
)
def test_error_for_missing_columns_shows_the_call_that_works(headings: tuple[str, ...]) -> None:
    tasks = pl.DataFrame(dict(zip(headings, (["1"], ["Plan"], [2.5]), strict=True)))
    message = error_of(tpa.from_frames, tasks)
    call = re.search(r"from_frames\(.*\)", message)
    assert call, message
    read = eval(call[0], {"from_frames": tpa.from_frames, "tasks": tasks})
    assert read.tasks.select("job_id", "task", "weekly_hours").rows() == [("1", "Plan", 2.5)]


def test_unknown_headings_are_left_open() -> None:
    message = error_of(tpa.from_frames, pl.DataFrame({"x": [1], "task": ["a"]}))
    assert message.endswith('like from_frames(tasks, columns={"...": "job_id"}).')
    assert "'x' and 'task'" in message


def test_similar_headings_of_optional_columns_warn() -> None:
    with pytest.warns(tpa.TpAnalyticsWarning, match=re.escape('columns={"Hours / week": "weekly_hours"}')):
        read = tpa.from_frames(write("t.csv", TABLE), columns={"Job code": "job_id", "Activity": "task"})
    assert read.tasks["weekly_hours"].null_count() == 3


HOURS = "job_id,task,weekly_hours\n1,a,2\n"
#: Contents of a file and parts of the error message.
INVALID_FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "hours as text": (
        HOURS + "2,b,many\n",
        ["t.csv, line 3", "`weekly_hours` of job '2'", "'many'", "(1 invalid row)"],
    ),
    "decimal comma": (
        HOURS + '2,b,"1.234,5"\n',
        ["line 3", "'1.234,5'", "decimal point instead of a comma", "'1234.5'"],
    ),
    "line after line breaks and blank rows": (
        'sep=,\n\njob_id,task,weekly_hours\n1,"a\nb",2\n\n,,\n2,b,x\n',
        ["t.csv, line 8", "'x'"],
    ),
    "negative hours": (HOURS + "2,b,-1\n", ["'-1'", "0 or more"]),
    "NaN": (HOURS + "2,b,NaN\n", ["'NaN'"]),
    "empty job": (HOURS + ",b,1\n", ["t.csv, line 3", "`job_id` is empty"]),
    "hours without a task": (HOURS + "2,,1\n", ["job '2'", "no task"]),
    "too many cells": (HOURS + "2,b,c,1\n", ["line 3", "more cells than headings", "quotes"]),
    "open quote": (HOURS + '2,"b,1\n3,c,1\n', ["t.csv, line 3", "quote"]),
    "text after a quote": (HOURS + '2,"b"c,1\n', ["t.csv, line 3", "quote"]),
    "repeated heading": ("job_id,task, job_id\n1,a,1\n", ["'job_id'", "columns 1, 3"]),
    "Latin-1": (HOURS.encode() + "2,Prüfen,1\n".encode("latin-1"), ["line 3", "UTF-8", "Latin-1", "encoding='cp1252'"]),
    "damaged UTF-16": (HOURS.encode("utf-16")[:-1], ["UTF-16"]),
    "empty": ("", ["t.csv is empty"]),
    "blank": (" \n,,\n", ["t.csv is empty"]),
    "JSON": ('[{"job_id": 1}]', ["JSON", "read_records"]),
    "Parquet": (b"PAR1....", ["Parquet", "scan_parquet"]),
    "two families": (
        "job_id,task,job_family\n1,a,Finance\n1,b,Sales\n",
        ["`job_family`", "job '1'", "'Finance'", "'Sales'"],
    ),
    "fractional headcount": (
        "job_id,task,headcount\n1,a,1.5\n",
        ["line 2", "whole number of people, not '1.5'", 'columns={"headcount": "fte"}'],
    ),
    "flag": ("job_id,task,active\n1,a,maybe\n", ["line 2", "`active`", "true or false"]),
    "hierarchy": ("job_id,task,hierarchy\n1,a,Finance > Sales\n", ["line 2", "`hierarchy`", "list in JSON"]),
}


@pytest.mark.parametrize(("content", "parts"), INVALID_FILES.values(), ids=INVALID_FILES)
def test_invalid_file_raises(content: str | bytes, parts: list[str]) -> None:
    message = error_of(tpa.from_frames, write("t.csv", content))
    assert [part for part in parts if part not in message] == []
    assert str(Path.cwd()) not in message
    assert message.count(". ") <= 1


TASK = pl.DataFrame({"job_id": ["1"], "task": ["a"]})
INVALID_FRAMES: dict[str, tuple[Any, list[str]]] = {
    "list": ([1], ["`tasks` must be a path or a data frame, not list"]),
    "float ids": (TASK.with_columns(job_id=1.5), ["`job_id` must be text or a whole number, not 1.5"]),
    "float ids, lazy": (TASK.lazy().with_columns(job_id=1.0), ["`job_id` must be text or whole numbers, not Float64"]),
    "dates as hours": (TASK.with_columns(weekly_hours=dt.date(2026, 1, 1)), ["`weekly_hours` must be a number"]),
    "text as hours, lazy": (
        TASK.lazy().with_columns(weekly_hours=pl.lit("1,5")),
        ["`weekly_hours` of job '1'", "'1,5'", "instead of a comma"],
    ),
    "text as hours, DuckDB": (duckdb.sql("select 1 job_id, 'a' task, 'x' weekly_hours"), ["job '1'", "'x'"]),
    "list as job": (TASK.with_columns(job_id=["1"]), ["`job_id` must be text"]),
    "empty id, lazy": (TASK.lazy().with_columns(job_id=pl.lit(None, pl.String)), ["`job_id` is empty (1 row)"]),
    "missing file": (pl.scan_csv("nowhere.csv"), ["`tasks` cannot be read by polars"]),
    "two columns of one name": (pd.DataFrame([["1", "a", "b"]], columns=["job_id", "task", "task"]), ["'task'"]),
    "no columns": (pl.DataFrame(), ["no columns 'job_id' and 'task'"]),
}


@pytest.mark.parametrize(("frame", "parts"), INVALID_FRAMES.values(), ids=INVALID_FRAMES)
def test_invalid_frame_raises(frame: Any, parts: list[str]) -> None:
    message = error_of(tpa.from_frames, frame)
    assert [part for part in parts if part not in message] == []


def test_invalid_columns_raise() -> None:
    path = write("t.csv", TABLE)
    assert "did you mean 'Hours / week'?" in error_of(tpa.from_frames, path, columns={**COLUMNS, "Hours/week": "h"})
    message = error_of(tpa.from_frames, path, columns={**COLUMNS, "Site": "job_family"})
    assert "'Family' and 'Site' would have the same name, 'job_family'" in message
    with pytest.raises(tpa.ArgumentError, match="`columns` must be a dict"):
        tpa.from_frames(path, columns=["job_id"])  # type: ignore[arg-type]
    with pytest.raises(tpa.ConfigError, match=r"nowhere\.csv cannot be read"):
        tpa.from_frames("nowhere.csv")


def test_invalid_jobs_raise() -> None:
    jobs = pl.DataFrame({"job_id": ["01", "01"], "headcount": [1, 2]})
    assert "rows 0, 1 (from 0)" in error_of(tpa.from_frames, TASK, jobs)
    message = error_of(tpa.from_frames, TASK, jobs.head(1))
    assert "none of the 1 jobs" in message
    assert "'1', in the jobs table: '01'" in message


def test_empty_tables_give_empty_profiles() -> None:
    read = tpa.from_frames(write("t.csv", "job_id,task\n"))
    assert (read.jobs.schema, read.tasks.schema) == (pl.Schema(JOBS), pl.Schema(TASKS))
    assert tpa.from_frames(TASK.clear().lazy()).tasks.collect().height == 0


def workbook(name: str, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(name)
    return Path(name)


BOOK_ROWS: list[list[Any]] = [
    [],
    [None, "Job code", " Activity ", "Hours / week", "Family", "Site", "Day"],
    [],
    [None, "0101", "Plan", 3.5, "Finance", "A", dt.date(2026, 1, 31)],
    [None, "0101", "Report", None, "Finance", "A", None],
    [None, None, "  "],
    [None, "0202", "Sell", 2, "Sales", "B", None],
]


def test_workbook_is_read() -> None:
    path = workbook("book.xlsx", Tasks=BOOK_ROWS, Other=[["job_id", "task"], [101, "Plan"]])
    check(tpa.from_frames(path, columns=COLUMNS))
    assert tpa.from_frames(path, columns=COLUMNS).tasks["Day"].to_list() == ["2026-01-31", None, None]
    for sheet in ("Other", 2):
        assert tpa.from_frames(path, sheet=sheet).tasks.select("job_id", "task").rows() == [("101", "Plan")]
    path.rename("book.csv")  # the content decides
    check(tpa.from_frames("book.csv", columns=COLUMNS))


def test_workbooks_can_be_mapping_files(sample: tpa.TaskProfiles) -> None:
    jobs, families = sample.jobs, sample.jobs.unique("job_family_id").drop_nulls("job_family_id")
    jobs.select("job_id", "job_name", "job_family_id").write_excel("jobs.xlsx")
    families.select("job_family_id", job_family_name="job_family").write_excel("families.xlsx")
    assigned = tpa.assign_families(sample, "jobs.xlsx", "families.xlsx")
    assert_frame_equal(assigned.jobs.select("job_id", "job_family"), jobs.select("job_id", "job_family"))


def test_invalid_workbook_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*BOOK_ROWS, [None, "0303", "Sell", "two"]]
    path = workbook("book.xlsx", Tasks=rows, Empty=[])
    assert "book.xlsx (sheet 'Tasks'), row 8: `weekly_hours`" in error_of(tpa.from_frames, path, columns=COLUMNS)
    assert "'Tasks' and 'Empty'" in error_of(tpa.from_frames, path, sheet="Task")
    assert "the sheet 'Empty' is empty" in error_of(tpa.from_frames, path, sheet="Empty")
    assert "`sheet` must be None" in error_of(tpa.from_frames, write("t.csv", TABLE), sheet=1)
    damaged = write("damaged.xlsx", path.read_bytes()[:900])
    assert "damaged.xlsx cannot be read as a workbook" in error_of(tpa.from_frames, damaged)
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(tpa.ConfigError, match=r"book\.xlsx is a workbook.*pip install \"tpanalytics\[excel\]\""):
        tpa.from_frames(path)


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_of_all_engines_can_be_written(sample: tpa.TaskProfiles, engine: str) -> None:
    profiles = replace(sample, jobs=ENGINES[engine](sample.jobs), tasks=ENGINES[engine](sample.tasks))
    read = tpa.read_profiles(tpa.write_profiles(profiles, "snapshot"))
    assert_frame_equal(read.tasks, sample.tasks)
    assert_frame_equal(read.jobs, sample.jobs)


def test_columns_without_lists_can_be_written(sample: tpa.TaskProfiles) -> None:
    tasks = sample.tasks.drop("job_family", "source_data", "linked_skills", "hierarchy")
    read = tpa.read_profiles(tpa.write_profiles(replace(sample, tasks=ENGINES["duckdb"](tasks)), "snapshot"))
    assert_frame_equal(read.tasks.select(tasks.columns), tasks)
    assert read.tasks["job_family"].equals(sample.tasks["job_family"])
    message = error_of(tpa.write_profiles, replace(sample, tasks=tasks.with_columns(task_id=0.5)), "snapshot")
    assert message.startswith("`task_id` of `tasks` must be String, not Float64.")


def test_families_can_be_assigned_to_tasks_of_an_engine(sample: tpa.TaskProfiles) -> None:
    read = tpa.from_frames(ENGINES["duckdb"](sample.tasks.drop("job_family")))
    mapping = sample.jobs.select("job_id", "contract_hours", job_family_id="job_family")
    assert_frame_equal(
        tpa.impact(tpa.assign_families(read, mapping)).drop("jobs"), tpa.impact(sample).drop("jobs"), check_dtypes=False
    )


@pytest.mark.parametrize("engine", ["polars", "polars lazy", "duckdb"])
def test_levels_in_small_letters_are_read_as_levels(engine: str) -> None:
    levels = ["h1", "H1", " h3 ", "High", None]
    tasks = pl.DataFrame({"job_id": ["1"] * 5, "task": list("abcde"), "ai_impact_level": levels})
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"values other than H1 to H5: 'High' \(1 task\)\."):
        read = tpa.from_frames(ENGINES[engine](tasks))
    assert to_polars(read.tasks)["ai_impact_level"].to_list() == ["H1", "H1", "H3", "High", None]
    impact = tpa.impact(read, weight="tasks", by=None)
    assert impact.filter(ai_impact_level="H1")["tasks"].to_list() == [2]
