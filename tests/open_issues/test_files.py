"""Issue 20: file names, mapping files, records and saved files."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import subprocess
import sys
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair as alt
import openpyxl
import pandas as pd
import polars as pl
import pytest
from narwhals.exceptions import NarwhalsError

import tpanalytics as tpa
from tests.helpers.scripted_server import jobs
from tests.open_issues.companies import company, similar_jobs
from tests.open_issues.expected_failures import inputs, not_raised
from tests.open_issues.files import write_file
from tpanalytics.demo.server import Tenant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    """Return a company whose first job is A-0."""
    return company(A=similar_jobs(*[10.0] * 4), B=similar_jobs(*[20.0] * 4))


#: Unusual file names, and another file that the name matches as a pattern.
FILE_NAMES = {
    "jobs[1].csv": "other.csv",
    "j[12].csv": "j1.csv",
    "jobs*.csv": "jobs-old.csv",
    "what?.csv": "whats.csv",
    "jobs (1).csv": "jobs 1.csv",
    "jobs{a,b}.csv": "jobsa.csv",
    "100%20.csv": "100 .csv",
    "a#b.csv": "a.csv",
    "jöbs ü.csv": "jobs u.csv",
    "file:x.csv": "x.csv",
}
FOLDER_NAMES = {
    "data[1]": "data1",
    "[!a]": "b",
    "a*b": "a-b",
    "what?": "whats",
    "x{y}": "xy",
    "2026-11 (copy)": "2026-11 copy",
    "#1": "1",
    "50%": "50",
    "100%20": "100 ",
    "ü 1": "u 1",
    "s3:x": "x",
}


@pytest.mark.parametrize("names", FILE_NAMES.items(), ids=FILE_NAMES)
def test_mapping_file_can_have_any_name(profiles: tpa.TaskProfiles, names: tuple[str, str]) -> None:
    name, neighbour = names
    write_file(neighbour, "job_id,job_family_id\nA-0,wrong\n")
    with not_raised(tpa.SchemaError):
        assigned = tpa.assign_families(profiles, write_file(name, "job_id,job_family_id\nA-0,right\n"))
    assert assigned.jobs["job_family"][0] == "right"


def copy_with_other_hours(snapshot: Path, neighbour: Path) -> None:
    """Copy a snapshot to another folder with different hours."""
    neighbour.mkdir()
    for file in snapshot.glob("*.parquet"):
        table = pl.read_parquet(file.read_bytes())
        if "weekly_hours" in table.columns:
            table = table.with_columns(weekly_hours=pl.lit(99.0))
        table.write_parquet(neighbour / file.name)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize(
    "names",
    inputs(
        {name: (name, neighbour) for name, neighbour in FOLDER_NAMES.items()},
        failing=["data[1]", "[!a]", "a*b", "what?"],
        reason="Issue 20: The name of a snapshot is read as a pattern, so files of another folder are loaded.",
    ),
)
def test_snapshot_folder_can_have_any_name(profiles: tpa.TaskProfiles, names: tuple[str, str], lazy: bool) -> None:
    name, neighbour = (Path(path) for path in names)
    tpa.write_profiles(profiles, name)
    copy_with_other_hours(name, neighbour)
    with not_raised(pl.exceptions.PolarsError, NarwhalsError):
        read = tpa.read_profiles(name, lazy=lazy).tasks.lazy().collect()
    assert read.equals(profiles.tasks)


@pytest.mark.parametrize(
    "name",
    inputs(
        {name: name for name in (".DS_Store", "desktop.ini", "Thumbs.db")},
        failing=["desktop.ini", "Thumbs.db"],
        reason="Issue 20: A folder that contains only a system file of Windows is not treated as empty.",
    ),
)
def test_snapshot_can_be_written_to_a_folder_with_only_a_system_file(profiles: tpa.TaskProfiles, name: str) -> None:
    Path("folder").mkdir()
    write_file(f"folder/{name}", "x")
    with not_raised(tpa.SnapshotError):
        tpa.write_profiles(profiles, "folder")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder that is not the working directory."""
    folder, work = tmp_path / "home", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


def test_save_writes_to_the_home_folder(home: Path) -> None:
    tpa.save(pl.DataFrame({"a": [1]}), "~/table.csv")
    assert (home / "table.csv").is_file()


def test_records_are_read_from_the_home_folder(home: Path) -> None:
    (home / "records.jsonl").write_text('{"external_id": "job-1", "tasks": []}', encoding="utf-8")
    with not_raised(tpa.ConfigError):
        assert tpa.read_records("~/records.jsonl").jobs.height == 1


def test_mapping_files_are_read_from_the_home_folder(profiles: tpa.TaskProfiles, home: Path) -> None:
    (home / "jobs.csv").write_text("job_id,job_family_id\nA-0,right\n", encoding="utf-8")
    with not_raised(tpa.ConfigError):
        assert tpa.assign_families(profiles, "~/jobs.csv").jobs["job_family"][0] == "right"


def test_snapshots_are_written_to_the_home_folder(profiles: tpa.TaskProfiles, home: Path) -> None:
    tpa.write_profiles(profiles, "~/snapshot")
    assert [path.name for path in home.iterdir()] == ["snapshot"]
    assert list(Path().iterdir()) == []


def test_snapshots_are_read_from_the_home_folder(profiles: tpa.TaskProfiles, home: Path) -> None:
    tpa.write_profiles(profiles, home / "snapshot")
    with not_raised(tpa.SnapshotError):
        assert tpa.read_profiles("~/snapshot").tasks.equals(profiles.tasks)


def test_snapshots_are_listed_in_the_home_folder(profiles: tpa.TaskProfiles, home: Path) -> None:
    tpa.write_profiles(profiles, home / "snapshot")
    with not_raised(tpa.ConfigError):
        assert tpa.list_snapshots("~").height == 1


def test_exports_are_written_to_the_home_folder(home: Path) -> None:
    with Tenant(jobs(3)) as tenant, not_raised(FileNotFoundError):
        tpa.load_task_profiles(tpa.connect(**tenant.settings), snapshot="~/snapshot", progress=False)
    assert [path.name for path in home.iterdir()] == ["snapshot"]


def test_files_are_checked_in_the_home_folder(home: Path) -> None:
    (home / "note.txt").write_text("nothing to see", encoding="utf-8")
    with not_raised(tpa.ShareError):
        tpa.check_share("~/note.txt")


@pytest.mark.parametrize(
    "end",
    ["\n", ",,\n,,\n", "\njob-x,Y,fam-b\n"],
    ids=["a blank line", "rows of empty cells", "a blank line between"],
)
def test_empty_rows_of_a_mapping_file_are_ignored(profiles: tpa.TaskProfiles, end: str) -> None:
    path = write_file("jobs.csv", f"job_id,job_name,job_family_id\nA-0,Clerk,fam-a\n{end}")
    with not_raised(tpa.SchemaError):
        assert tpa.assign_families(profiles, path).jobs["job_family"][0] == "fam-a"


MAPPING = "job_id,job_name,job_family_id\nA-0,Müller,fam-a\n"


def workbook() -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(MAPPING.splitlines()):
        book.active.append(row)
    book.save(content)
    return content.getvalue()


#: Mapping files written by spreadsheet programs and databases, and words that an error must contain.
MAPPING_FILES: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    "separator line of Excel": ("jobs.csv", "sep=;\r\n" + MAPPING.replace(",", ";"), ("sep=",)),
    "Unicode text of Excel": ("jobs.txt", MAPPING.replace(",", "\t").encode("utf-16"), ("UTF-16",)),
    "CSV of Excel on Windows": ("jobs.csv", MAPPING.encode("cp1252"), ("UTF-8", "encoding")),
    "blanks around headings": ("jobs.csv", MAPPING.replace(",", " , ", 2), ()),
    "pipes": ("jobs.csv", MAPPING.replace(",", "|"), ("separator",)),
    "a quoted heading with commas": (
        "jobs.csv",
        '"job_id";"job_family_id";"note, long, and, free"\nA-0;fam-a;x\n',
        (),
    ),
    "gzip": ("jobs.csv.gz", gzip.compress(MAPPING.encode()), ()),
    "an inch sign in a name": (
        "jobs.csv",
        MAPPING + 'job-x,Fitter 3" valve,fam-b\njob-y,Clerk,fam-b\n',
        ("line 3", "quot"),
    ),
    "a comma too many": ("jobs.csv", MAPPING + "job-x,Clerk, senior,fam-b\n", ("line 3",)),
    "workbook": ("jobs.xlsx", workbook(), ("xlsx",)),
    "line ends of an old Mac": ("jobs.csv", MAPPING.replace("\n", "\r"), ("line",)),
}


@pytest.mark.parametrize("file", MAPPING_FILES.values(), ids=MAPPING_FILES)
def test_mapping_file_is_read_or_refused_with_the_cause(
    profiles: tpa.TaskProfiles, file: tuple[str, str | bytes, tuple[str, ...]]
) -> None:
    name, content, causes = file
    try:
        families = tpa.assign_families(profiles, write_file(name, content)).jobs["job_family"]
    except tpa.SchemaError as error:
        message = str(error).removeprefix(name).lower()
        assert [cause for cause in causes if cause.lower() in message]
    else:
        assert families[0] == "fam-a"


#: Frames of pandas and Polars, and the expected families of the first two jobs, if they can be determined.
MAPPING_FRAMES: dict[str, tuple[Any, list[str | None] | None]] = {
    "numbers and text in one column": (
        pd.DataFrame({"job_id": ["A-0", "A-1"], "job_family_id": [11, "HQ"]}),
        ["11", "HQ"],
    ),
    "NaN among numbers": (
        pl.DataFrame({"job_id": ["A-0", "A-1"], "job_family_id": [11.0, float("nan")]}),
        ["11", None],
    ),
    "a number beyond 64 bits": (pl.DataFrame({"job_id": ["A-0", "A-1"], "job_family_id": [11.0, 1e20]}), None),
    "two columns of one name": (
        pd.DataFrame([["A-0", "x", "y"]], columns=["job_id", "job_family_id", "job_family_id"]),
        None,
    ),
}


@pytest.mark.parametrize("case", MAPPING_FRAMES.values(), ids=MAPPING_FRAMES)
def test_mapping_frame_is_read_or_raises_a_schema_error(
    profiles: tpa.TaskProfiles, case: tuple[Any, list[str | None] | None]
) -> None:
    frame, expected = case
    try:
        with not_raised(TypeError, pl.exceptions.PolarsError, NarwhalsError):
            families = tpa.assign_families(profiles, frame).jobs["job_family"].head(2).to_list()
    except tpa.SchemaError:
        return
    assert expected in (None, families)


RECORDS = [{"external_id": f"job-{n}", "tasks": []} for n in (1, 2)]
PAGES = [
    {"has_next": True, "next_starting_after": "job-1", "records": RECORDS[:1]},
    {"has_next": False, "records": RECORDS[1:]},
]
LINES = [json.dumps(page) for page in PAGES]


def zipped(content: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pages.jsonl", content)
    return packed.getvalue()


#: Files of records saved by shells and editors, and a word that the error must contain, or None if they must be read.
RECORD_FILES: dict[str, tuple[str | bytes, str | None]] = {
    "no line break between pages": ("".join(LINES), None),
    "indented pages one after another": ("\n".join(json.dumps(page, indent=2) for page in PAGES), None),
    "list of pages": (json.dumps(PAGES), None),
    "joined files with a byte order mark": (b"\n".join(codecs.BOM_UTF8 + line.encode() for line in LINES), None),
    "UTF-16 of Windows PowerShell": ("\r\n".join(LINES).encode("utf-16"), "UTF-8"),
    "zip": (zipped("\n".join(LINES)), "zip"),
    "bz2": (bz2.compress("\n".join(LINES).encode()), "pack"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "zst"),
    "errors of a failed request": (json.dumps([{"title": "401 Unauthorized", "description": "Expired."}]), "401"),
    "login page": ("<!doctype html><title>Sign in</title>", "HTML"),
}


@pytest.mark.parametrize(
    "file",
    inputs(
        RECORD_FILES,
        failing=RECORD_FILES,
        reason="Issue 20: A saved export is mistaken for a mapping file or an error of the service.",
    ),
)
def test_file_of_records_is_read_or_refused_with_the_cause(file: tuple[str | bytes, str | None]) -> None:
    content, word = file
    try:
        job_ids = tpa.read_records(write_file("export.json", content)).jobs["job_id"].to_list()
    except (tpa.ConfigError, tpa.RecordError) as error:
        assert word is not None, error  # noqa: PT017  both outcomes are allowed
        assert word.lower() in str(error).lower()  # noqa: PT017
    else:
        assert job_ids == ["job-1", "job-2"]


#: Code of a process whose memory can grow by 2 GiB.
LIMITED = """
import resource, sys
from pathlib import Path
import tpanalytics as tpa
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30),) * 2)
try:
    getattr(tpa, sys.argv[1])(sys.argv[2])
except tpa.TpAnalyticsError:
    print("refused")
except MemoryError:
    print("out of memory")
else:
    print("read")
"""


def with_limited_memory(function: str, path: Path) -> str:
    command = [sys.executable, "-c", LIMITED, function, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


needs_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited through Linux")


@needs_linux
@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A small gzip file is decompressed completely, until the memory is exhausted.",
)
def test_gzip_bomb_does_not_exhaust_the_memory() -> None:
    blanks = gzip.compress(b" " * 5_000_000)
    path = write_file("bomb.jsonl.gz", gzip.compress(b'{"external_id":"a","tasks":[]}\n') + 600 * blanks)
    assert with_limited_memory("read_records", path) != "out of memory"


@needs_linux
def test_parquet_bomb_does_not_exhaust_the_memory() -> None:
    pl.select(a=pl.repeat("x" * 6000, 600_000)).write_parquet("bomb.parquet", row_group_size=40_000)
    assert Path("bomb.parquet").stat().st_size < 1_000_000
    assert with_limited_memory("check_share", Path("bomb.parquet")) != "out of memory"


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A .csv has no byte order mark, so Excel garbles umlauts.",
)
def test_csv_has_a_byte_order_mark() -> None:
    table = pl.DataFrame({"job_family": ["Büro & Empfang"], "jobs": [3]})
    assert tpa.save(table, "table.csv").read_bytes().startswith(codecs.BOM_UTF8)


@pytest.mark.parametrize(
    "frame",
    inputs(
        {
            "a time with a zone": pl.DataFrame({"at": [datetime(2026, 11, 30, 8, tzinfo=UTC)]}),
            "17,000 columns": pl.DataFrame({f"c{i}": [1] for i in range(17_000)}),
        },
        failing=["a time with a zone", "17,000 columns"],
        reason="Issue 20: A frame that does not fit a sheet raises an exception of another library.",
    ),
)
def test_frame_is_saved_as_workbook_or_raises_a_share_error(frame: pl.DataFrame) -> None:
    with suppress(tpa.ShareError), not_raised(TypeError, pl.exceptions.PolarsError):
        assert tpa.save(frame, "table.xlsx").stat().st_size


SETTINGS = ("json", "csv", "vegafusion")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A data transformer enabled in Altair makes saved charts empty or stops them.",
)
@pytest.mark.parametrize("suffix", [".svg", ".html", ".json"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_saved_chart_does_not_depend_on_altair_settings(profiles: tpa.TaskProfiles, setting: str, suffix: str) -> None:
    expected = tpa.save(tpa.plot_hours(profiles), f"expected{suffix}").read_bytes()
    with alt.data_transformers.enable(setting), not_raised(tpa.ShareError):
        saved = tpa.save(tpa.plot_hours(profiles), f"saved{suffix}").read_bytes()
    assert len(saved) == len(expected)
    assert saved == expected


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A data transformer enabled in Altair writes data files or stops a chart.",
)
@pytest.mark.parametrize("setting", SETTINGS)
def test_displayed_chart_writes_no_files(profiles: tpa.TaskProfiles, setting: str) -> None:
    with alt.data_transformers.enable(setting), not_raised(ValueError):
        assert tpa.plot_hours(profiles)._repr_mimebundle_()
    assert list(Path().iterdir()) == []
