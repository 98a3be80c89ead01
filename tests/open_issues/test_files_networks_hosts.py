"""Issue 20, The world outside: files, networks and programs as people have them, which cause faults today."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import socket
import subprocess
import sys
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import openpyxl
import pandas as pd
import polars as pl
import pytest
from narwhals.exceptions import NarwhalsError

import tpanalytics as tpa
from tests.faults.test_tls import encrypted
from tests.helpers.reports import one_chart_only
from tests.helpers.scripted_server import Host, instead, jobs, said
from tests.open_issues.companies import company, similar_jobs
from tests.open_issues.expected_failures import inputs, not_raised
from tpanalytics.cli.main import main
from tpanalytics.demo.server import Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tpanalytics.demo.server import Reply

__all__ = ["encrypted"]

EXPORT = "/job_architecture/export/jobs/task_profiles"


@pytest.fixture(scope="module")
def profiles() -> tpa.TaskProfiles:
    """Return a company of which the first job is called A-0."""
    return company(A=similar_jobs(*[10.0] * 4), B=similar_jobs(*[20.0] * 4))


def written(name: str, content: str | bytes) -> Path:
    path = Path(name).resolve()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Names of files and folders

#: Names that mail programs and people give, and a neighbour that the name would match as a pattern.
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
def test_a_mapping_file_may_have_any_name(profiles: tpa.TaskProfiles, names: tuple[str, str]) -> None:
    name, neighbour = names
    written(neighbour, "job_id,job_family_id\nA-0,wrong\n")
    with not_raised(tpa.SchemaError):
        assigned = tpa.assign_families(profiles, written(name, "job_id,job_family_id\nA-0,right\n"))
    assert assigned.jobs["job_family"][0] == "right"


def as_other_folder(snapshot: Path, neighbour: Path) -> None:
    """Put files of the same names but other hours into a neighbouring folder."""
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
def test_a_snapshot_is_read_from_its_own_folder_whatever_its_name(
    profiles: tpa.TaskProfiles, names: tuple[str, str], lazy: bool
) -> None:
    name, neighbour = (Path(one) for one in names)
    tpa.write_profiles(profiles, name)
    as_other_folder(name, neighbour)
    with not_raised(pl.exceptions.PolarsError, NarwhalsError):
        read = tpa.read_profiles(name, lazy=lazy).tasks.lazy().collect()
    assert read.equals(profiles.tasks)


@pytest.mark.parametrize(
    "name",
    inputs(
        {name: name for name in (".DS_Store", "desktop.ini", "Thumbs.db")},
        failing=["desktop.ini", "Thumbs.db"],
        reason="Issue 20: A folder that holds only a file of Windows itself does not count as empty.",
    ),
)
def test_a_folder_with_only_a_file_of_the_system_takes_a_snapshot(profiles: tpa.TaskProfiles, name: str) -> None:
    Path("folder").mkdir()
    written(f"folder/{name}", "x")
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


def test_an_export_is_saved_to_the_home_folder(home: Path) -> None:
    with Tenant(jobs(3)) as tenant, not_raised(FileNotFoundError):
        tpa.load_task_profiles(tpa.connect(**tenant.settings), snapshot="~/snapshot", progress=False)
    assert [path.name for path in home.iterdir()] == ["snapshot"]


def test_files_are_checked_in_the_home_folder(home: Path) -> None:
    (home / "note.txt").write_text("nothing to see", encoding="utf-8")
    with not_raised(tpa.ShareError):
        tpa.check_share("~/note.txt")


# Mapping files


@pytest.mark.parametrize(
    "end",
    inputs(
        {"a blank line": "\n", "rows of empty cells": ",,\n,,\n", "a blank line between": "\njob-x,Y,fam-b\n"},
        failing=["a blank line", "rows of empty cells", "a blank line between"],
        reason="Issue 20: A row of a mapping file without any value counts as a row without job_id.",
    ),
)
def test_rows_without_any_value_are_not_rows_of_a_mapping(profiles: tpa.TaskProfiles, end: str) -> None:
    path = written("jobs.csv", f"job_id,job_name,job_family_id\nA-0,Clerk,fam-a\n{end}")
    with not_raised(tpa.SchemaError):
        assert tpa.assign_families(profiles, path).jobs["job_family"][0] == "fam-a"


MAPPING = "job_id,job_name,job_family_id\nA-0,Müller,fam-a\n"


def workbook() -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in csv.reader(MAPPING.splitlines()):
        book.active.append(row)
    book.save(content)
    return content.getvalue()


#: Mapping files as spreadsheet programs and databases write them; where one is refused, a word for the real cause.
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


@pytest.mark.parametrize(
    "file",
    inputs(
        MAPPING_FILES,
        failing=MAPPING_FILES.keys() - {"CSV of Excel on Windows", "gzip"},
        reason="Issue 20: A mapping file of a common kind is refused with a message that does not name the cause.",
    ),
)
def test_a_mapping_file_is_read_or_refused_with_the_cause(
    profiles: tpa.TaskProfiles, file: tuple[str, str | bytes, tuple[str, ...]]
) -> None:
    name, content, causes = file
    try:
        families = tpa.assign_families(profiles, written(name, content)).jobs["job_family"]
    except tpa.SchemaError as error:
        message = str(error).removeprefix(name).lower()
        assert [cause for cause in causes if cause.lower() in message]
    else:
        assert families[0] == "fam-a"


#: Frames as pandas and NumPy give them, and the families of the first two jobs where there is only one right answer.
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


@pytest.mark.parametrize(
    "given",
    inputs(
        MAPPING_FRAMES,
        failing=MAPPING_FRAMES,
        reason="Issue 20: A mapping frame with odd values or columns raises an exception of another library.",
    ),
)
def test_a_mapping_frame_is_read_or_refused_in_our_own_words(
    profiles: tpa.TaskProfiles, given: tuple[Any, list[str | None] | None]
) -> None:
    frame, right = given
    try:
        with not_raised(TypeError, pl.exceptions.PolarsError, NarwhalsError):
            families = tpa.assign_families(profiles, frame).jobs["job_family"].head(2).to_list()
    except tpa.SchemaError:
        return
    assert right in (None, families)


# Files of records

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


#: Files of pages as shells and editors save them, and a word that a refusal must hold; None must be read.
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
        reason="Issue 20: A saved export is taken for a mapping file or for the service's fault, not for what it is.",
    ),
)
def test_a_file_of_records_is_read_or_refused_as_what_it_is(file: tuple[str | bytes, str | None]) -> None:
    content, word = file
    try:
        found = tpa.read_records(written("export.json", content)).jobs["job_id"].to_list()
    except (tpa.ConfigError, tpa.RecordError) as error:
        assert word is not None, error  # noqa: PT017  either is right
        assert word.lower() in str(error).lower()  # noqa: PT017
    else:
        assert found == ["job-1", "job-2"]


#: A child process whose memory may grow by 2 GiB.
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
    reason="Issue 20: A small gzip file is unpacked whole, until the memory is exhausted.",
)
def test_a_gzip_file_that_unpacks_to_gigabytes_does_not_exhaust_the_memory() -> None:
    blanks = gzip.compress(b" " * 5_000_000)
    path = written("bomb.jsonl.gz", gzip.compress(b'{"external_id":"a","tasks":[]}\n') + 600 * blanks)
    assert with_limited_memory("read_records", path) != "out of memory"


@needs_linux
def test_a_parquet_file_that_unpacks_to_gigabytes_does_not_exhaust_the_memory() -> None:
    pl.select(a=pl.repeat("x" * 6000, 600_000)).write_parquet("bomb.parquet", row_group_size=40_000)
    assert Path("bomb.parquet").stat().st_size < 1_000_000
    assert with_limited_memory("check_share", Path("bomb.parquet")) != "out of memory"


# Files that are saved


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A .csv has no byte order mark, so Excel garbles umlauts.",
)
def test_a_csv_begins_with_the_mark_that_excel_needs() -> None:
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
        reason="Issue 20: A frame that a sheet cannot hold raises an exception of another library.",
    ),
)
def test_a_frame_becomes_a_workbook_or_is_refused_in_our_own_words(frame: pl.DataFrame) -> None:
    with suppress(tpa.ShareError), not_raised(TypeError, pl.exceptions.PolarsError):
        assert tpa.save(frame, "table.xlsx").stat().st_size


SETTINGS = ("json", "csv", "vegafusion")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A data transformer that the user enabled in Altair empties saved charts or stops them.",
)
@pytest.mark.parametrize("suffix", [".svg", ".html", ".json"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_saved_chart_does_not_depend_on_settings_of_altair(
    profiles: tpa.TaskProfiles, setting: str, suffix: str
) -> None:
    right = tpa.save(tpa.plot_hours(profiles), f"right{suffix}").read_bytes()
    with alt.data_transformers.enable(setting), not_raised(tpa.ShareError):
        saved = tpa.save(tpa.plot_hours(profiles), f"saved{suffix}").read_bytes()
    assert len(saved) == len(right)
    assert saved == right


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A data transformer that the user enabled in Altair writes data files or stops a chart.",
)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_chart_shown_in_a_notebook_leaves_no_data_beside_it(profiles: tpa.TaskProfiles, setting: str) -> None:
    with alt.data_transformers.enable(setting), not_raised(ValueError):
        assert tpa.plot_hours(profiles)._repr_mimebundle_()
    assert list(Path().iterdir()) == []


# The terminal


class Terminal(io.TextIOWrapper):
    """A terminal of an encoding that lacks many characters."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
@pytest.mark.parametrize(
    "verb",
    inputs(
        {verb: verb for verb in ("report", "export", "summary", "check-share")},
        failing=["report", "export", "summary"],
        reason="Issue 20: --help stops with a UnicodeEncodeError where the terminal has no '…'.",
    ),
)
def test_help_is_printed_in_any_encoding(verb: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as ended, not_raised(UnicodeEncodeError):
        main([verb, "--help"])
    terminal.flush()
    assert ended.value.code == 0
    assert b"usage:" in terminal.buffer.getvalue()


CONTROLS = "Evil\x1b[31m\x1b]0;owned\x07\x1b[2J\u202egpj"


@pytest.fixture
def controlled() -> list[str]:
    """Return arguments for records and mappings whose names hold control characters of terminals."""
    ids = [f"../../j{i}\n\x1b[1mX" for i in range(6)]
    task = {"task": "t\x1b[5m", "validation_state": "validated", "weekly_hours": 10}
    records = [
        {
            "external_id": job_id,
            "tasks": [
                {**task, "task_id": str(k), "ai_impact": {"level": level, "rationale": "r"}}
                for k, level in enumerate(["H1", "H1\x1b[7m", "H1\x1b[7m"])
            ],
        }
        for job_id in ids
    ]
    written("records.jsonl", "\n".join(json.dumps(record) for record in records))
    tables = {
        "jobs.csv": [["job_id", "job_name", "job_family_id"], *([job_id, CONTROLS, "f1"] for job_id in ids)],
        "families.csv": [["job_family_id", "job_family_name"], ["f1", CONTROLS]],
    }
    for name, rows in tables.items():
        with Path(name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return ["records.jsonl", "--jobs", "jobs.csv", "--families", "families.csv"]


@pytest.mark.parametrize(
    "arguments",
    inputs(
        {
            "summary": ["summary"],
            "summary as JSON": ["summary", "--json"],
            "report": ["report", "--out", "report.html"],
            "report of each family": ["report", "--out", "all", "--all-families"],
        },
        failing=["summary", "report of each family"],
        reason="Issue 20: Names from a file reach the terminal with their control characters.",
    ),
)
def test_names_do_not_control_the_terminal(
    controlled: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with one_chart_only():
        assert main([arguments[0], *controlled, *arguments[1:]]) == 0
    printed = "".join(capsys.readouterr())
    assert printed
    assert not set("\x1b\x07\u202e") & set(printed)


# Networks

PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def certificate(encrypted: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the self-signed certificate of the encrypted tenant; no variable names it, or a proxy."""
    for name in (*PROXIES, *BUNDLES):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "own.pem"


def connect(tenant: Tenant, tries: int = 1, **addresses: str) -> Any:
    """Return a client that speaks TLS to the tenant."""
    settings = {name: value.replace("http://", "https://") for name, value in tenant.settings.items()}
    return tpa.connect(**{**settings, **addresses}, token_cache=False, retry=tpa.RetryPolicy(tries=tries, base=0))


def refusal(tenant: Tenant) -> str:
    """Return the message of a client that cannot sign in."""
    with connect(tenant) as client, pytest.raises(tpa.TpAnalyticsError) as caught:
        client.sign_in()
    assert tenant.requests == []
    return str(caught.value)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_certificate_of_the_company_can_be_named_by_either_variable(
    encrypted: Tenant, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BUNDLES:
        with monkeypatch.context() as patch, connect(encrypted) as client:
            patch.setenv(name, str(certificate))
            assert tpa.load_task_profiles(client, progress=False).jobs.height == 3


@pytest.mark.parametrize("variable", BUNDLES)
@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A certificate file that is not there ends in an OSError that does not name the variable.",
)
def test_a_certificate_file_that_is_not_there_is_named_with_its_variable(
    encrypted: Tenant, certificate: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate.with_name("company-ca.pem")))
    with not_raised(OSError):
        assert variable in refusal(encrypted)


#: What a variable for certificates can wrongly name, made from the file of the certificate and its key.
WRONG_BUNDLES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: "",
    "a folder": lambda certificate: certificate.parent,
    "a file of something else": lambda _: written("other.pem", "not a certificate"),
    "a file of a key": lambda certificate: written(
        "key.pem", "-----BEGIN" + certificate.read_text("ascii").rpartition("-----BEGIN")[2]
    ),
}


@pytest.mark.parametrize("variable", BUNDLES)
@pytest.mark.parametrize("make", WRONG_BUNDLES.values(), ids=WRONG_BUNDLES)
def test_nothing_is_sent_with_certificates_that_do_not_fit(
    encrypted: Tenant, certificate: Path, variable: str, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(make(certificate)))
    assert refusal(encrypted)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PYTHONHTTPSVERIFY", "0"),
        *(("HTTPS_PROXY", value) for value in ("http://[bad", "http://", "ftp://x:1", "http://127.0.0.1:99999")),
        ("HTTPS_PROXY", "http://user:password@127.0.0.1:1"),
    ],
)
def test_nothing_is_sent_with_an_environment_that_is_broken(
    encrypted: Tenant, certificate: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert "password" not in refusal(encrypted)


def test_an_odd_list_of_hosts_without_proxy_is_no_fault(
    encrypted: Tenant, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "[::1,*,//")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    assert refusal(encrypted)


@pytest.mark.parametrize(
    "content",
    [b"TPANALYTICS_CLIENT_SECRET=a\0b\n", b"A=1\n" * 20_000, b"TPANALYTICS_CLIENT_SECRET='abc\n"],
    ids=["a null byte", "20,000 lines", "a quote without an end"],
)
def test_an_odd_env_file_is_no_fault(content: bytes) -> None:
    written(".env", content)
    with pytest.raises(tpa.ConfigError):
        tpa.connect()


NOT_NAMED = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: The message of a failed connection names neither the certificate nor the proxy.",
)


@NOT_NAMED
def test_a_certificate_of_an_unknown_authority_is_named(encrypted: Tenant, certificate: Path) -> None:
    message = refusal(encrypted)
    assert "certificate" in message
    assert "REQUESTS_CA_BUNDLE" in message


@NOT_NAMED
@pytest.mark.parametrize(
    ("proxy", "word"),
    [
        ("http://127.0.0.1:{closed_port}", "proxy"),
        ("http://127.0.0.1:{closed_port}a", "proxy"),
        ("socks5://127.0.0.1:{closed_port}", "socks"),
    ],
    ids=["it does not answer", "its address is broken", "PySocks is missing"],
)
def test_a_proxy_that_cannot_be_used_is_named(
    encrypted: Tenant, certificate: Path, proxy: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(closed_port=closed_port()))
    assert word in refusal(encrypted).lower()


@NOT_NAMED
@pytest.mark.parametrize("status", [407, 403], ids=["it asks for a password", "it forbids the host"])
def test_a_proxy_that_refuses_is_named_with_its_status(
    encrypted: Tenant, certificate: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Host(lambda _: said(status, Proxy_Authenticate="NTLM")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        message = refusal(encrypted).lower()
        assert proxy.received
    assert "proxy" in message
    assert str(status) in message


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A status that passes, such as 408 or 520, ends the export at once.",
)
@pytest.mark.parametrize("status", [408, 520, 522, 524])
@pytest.mark.parametrize("place", ["export", "token endpoint"])
def test_a_fault_that_passes_is_tried_again(place: str, status: int) -> None:
    with Tenant(jobs(3)) as tenant:
        faults = tenant.faults if place == "export" else tenant.token_faults
        faults[1] = instead(status, {})
        client = tpa.connect(**tenant.settings, token_cache=False, retry=tpa.RetryPolicy(tries=3, base=0))
        with not_raised(tpa.ApiError, tpa.AuthError):
            loaded = tpa.load_task_profiles(client, progress=False)
    assert loaded.jobs["job_id"].to_list() == ["job-1", "job-2", "job-3"]


def cut_handshake(tenant: Tenant, number: int) -> None:
    """Close this connection, counted from 1, before its handshake, as a load balancer does while it is renewed."""
    accept, seen = tenant._server.get_request, count(1)

    def get_request() -> Any:
        if next(seen) == number:
            connection, _ = accept()
            socket.socket.recv(connection, 4096)
            socket.socket.close(connection)
            raise ConnectionAbortedError
        return accept()

    tenant._server.get_request = get_request


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 20: A handshake that is cut once ends the export at once.",
)
@pytest.mark.parametrize("place", ["token endpoint", "export"])
def test_a_handshake_that_is_cut_once_is_tried_again(encrypted: Tenant, place: str) -> None:
    cut_handshake(encrypted, 1 if place == "token endpoint" else 2)
    at_another_name = encrypted.base_url.replace("http://127.0.0.1", "https://localhost")
    with connect(encrypted, tries=3, base_url=at_another_name) as client, not_raised(tpa.Unreachable):
        answer = client.request("POST", EXPORT, body={"limit": 3})
    assert answer.count(b"external_id") == 3


# Secrets on the command line

SECRET = "Kanarie5517-kanari8823"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEcanarycanarycanary\n-----END PRIVATE KEY-----"


@pytest.fixture
def tenant_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Tenant, list[str]]]:
    """Yield a tenant whose settings are in the environment, and the tokens that it issues."""
    tokens: list[str] = []

    def kept(reply: Reply) -> Reply:
        if reply.status == 200:
            tokens.append(json.loads(reply.body)["access_token"])
        return reply

    with Tenant(jobs(3), client_secret=SECRET) as tenant:
        tenant.token_faults[0] = kept
        for name, value in tenant.settings.items():
            monkeypatch.setenv(f"TPANALYTICS_{name.upper()}", value)
        yield tenant, tokens


#: A command and what it finds in its environment instead of the right settings.
COMMANDS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "doctor": (["doctor"], {}),
    "doctor as JSON": (["doctor", "--json"], {}),
    "wrong secret": (["doctor"], {"client_secret": f"wr0ng-{SECRET}"}),
    "secret with a line break": (["doctor"], {"client_secret": f"{SECRET}\n"}),
    "secret with other letters": (["doctor"], {"client_secret": f"{SECRET}é\u2028"}),
    "key for the file of a key": (["doctor"], {"client_secret": None, "private_key_file": KEY}),
    "broken key": (["doctor"], {"client_secret": None, "private_key": KEY}),
    "key for the client": (["doctor"], {"client_id": KEY}),
    "secret as a password in the address": (["doctor"], {"base_url": f"http://user:{SECRET}@127.0.0.1:1"}),
    "secret in the query of the address": (["doctor"], {"base_url": f"http://127.0.0.1:1/?key={SECRET}"}),
    "closed port": (["doctor"], {"base_url": "http://127.0.0.1:1", "token_url": "http://127.0.0.1:1/token"}),
    "export": (["export", "snapshot"], {}),
    "export as JSON": (["export", "snapshot", "--json"], {}),
    "filter that is not JSON": (["export", "snapshot", "--filter", '{"x":'], {}),
    "unknown filter": (["export", "snapshot", "--filter", '{"filter": "x"}'], {}),
}


@pytest.mark.parametrize(
    "command",
    inputs(
        COMMANDS,
        failing=["secret in the query of the address"],
        reason="Issue 20: doctor prints the query of an address, although a secret can be in it.",
    ),
)
def test_the_command_line_shows_no_secret_key_or_token(
    tenant_of_the_environment: tuple[Tenant, list[str]],
    command: tuple[list[str], dict[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, tokens = tenant_of_the_environment
    arguments, changed = command
    for name, value in changed.items():
        variable = f"TPANALYTICS_{name.upper()}"
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
    assert main(arguments) in (0, 1)
    files = [path.read_bytes().decode("latin-1") for path in Path().rglob("*") if path.is_file()]
    text = "".join([*capsys.readouterr(), *files])
    assert text
    assert not [word for word in (SECRET, "MIIEcanary", *tokens) if word in text]
