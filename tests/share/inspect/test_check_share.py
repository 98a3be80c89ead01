"""Tests of `check_share`."""

from __future__ import annotations

import base64
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import nbformat
import openpyxl
import polars as pl
import pytest
from openpyxl.comments import Comment
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.grouped import with_countries
from tests.helpers.random_profiles import profiles_of
from tpanalytics.cli.main import main
from tpanalytics.share.inspect.readers.by_suffix import READERS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]


def with_chunk(picture: bytes, kind: bytes, data: bytes) -> bytes:
    """Insert a chunk before the end of a PNG image."""
    block = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return picture[:-12] + block + picture[-12:]


def chart_with(suffix: str, text: str) -> Path:
    chart = alt.Chart(pl.DataFrame({"a": [1]})).mark_text(text="x").properties(title=text)
    return tpa.save(chart, f"carrier{suffix}")


def png_with(text: str) -> Path:
    path = chart_with(".png", "x")
    path.write_bytes(with_chunk(path.read_bytes(), b"tEXt", b"Comment\0" + text.encode()))
    return path


def notebook_with(text: str) -> Path:
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", text=text)])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), "carrier.ipynb")
    return Path("carrier.ipynb")


def text_file(text: str) -> Path:
    Path("file.txt").write_text(text, encoding="utf-8")
    return Path("file.txt")


#: Functions that write a file with a given text, by suffix.
WRITERS: dict[str, Callable[[str], Path]] = {
    **{s: lambda text, s=s: tpa.save(pl.DataFrame({"note": [text]}), f"file{s}") for s in (".csv", ".parquet")},
    ".xlsx": lambda text: tpa.save(pl.DataFrame({"a": [text], "b": [1]}), "file.xlsx"),
    ".json": lambda text: tpa.save(pl.DataFrame({"a": [[{"deep": text}]]}), "file.json"),
    **{s: lambda text, s=s: chart_with(s, text) for s in (".svg", ".html", ".pdf")},
    ".png": png_with,
    ".ipynb": notebook_with,
    ".txt": text_file,
}
every_format = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
#: Secrets, and the part of each that findings must not contain.
SECRETS = [
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ", "eyJzdWIiOiJtZSJ9"),
    ("Authorization: Bearer 0a9s8d7f6g5h4j3k2l1q", "9s8d7f6g5h4j3k2l"),
    ("-----BEGIN RSA PRIVATE KEY-----", "RSA PRIVATE"),
    ('client_secret = "hunter2-hunter"', "hunter2-hunter"),
    ("TPANALYTICS_CLIENT_SECRET=Zx81kQp0mWv73Lt9", "kQp0mWv73Lt9"),
    ("https://anna:open-sesame@tenant.invalid/api", "open-sesame"),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "456789abcdef"),
]


def kinds(findings: pl.DataFrame, severity: str) -> set[str]:
    return set(findings.filter(severity=severity)["what"])


def test_every_reader_has_a_writer() -> None:
    assert set(WRITERS) == set(READERS)


@every_format
def test_secrets_are_found_and_not_repeated(write: Callable[[str], Path]) -> None:
    found = tpa.check_share(write(" and then ".join(text for text, _ in SECRETS))).filter(what="secret")
    assert set(found["severity"]) == {"stop"}
    assert {text.split(":")[0] for text in found["found"]} == {
        *("signed token", "bearer token", "private key", "field named like a secret", "password in a URL", "API key")
    }
    assert any("field" in text and text.endswith("and 1 more") for text in found["found"])
    assert not [secret for _, secret in SECRETS if secret in str(found.rows())]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_each_secret_is_found_alone(text: str, secret: str) -> None:
    found = tpa.check_share(text_file(f"see {text} there"))
    assert "secret" in kinds(found, "stop")
    assert secret not in str(found.rows())


@every_format
@pytest.mark.parametrize(
    ("text", "what", "personal"),
    [
        ("kept in /home/anna/work/tasks.csv today", "absolute path", "anna"),
        ("kept in /Users/anna/tasks.csv today", "absolute path", "anna"),
        (r"kept in C:\Users\anna\tasks.csv today", "absolute path", "anna"),
        ("kept at file:///srv/anna/tasks.csv today", "absolute path", "anna"),
        ("ask anna.berg@alderbrook.co.uk about it", "personal data", "anna.berg"),
    ],
)
def test_paths_and_people_are_found_and_not_repeated(
    write: Callable[[str], Path], text: str, what: str, personal: str
) -> None:
    found = tpa.check_share(write(text))
    assert what in kinds(found, "look") | kinds(found, "stop")
    assert personal not in str(found.rows())


@pytest.mark.parametrize(
    "text",
    [
        "Tokens used: 1. The password policy asks for a client_secret: see the manual.",
        'client_secret="..."',
        'client_secret = "<your secret>"',
        "client_secret=os.environ['TPANALYTICS_CLIENT_SECRET']",
        "https://tenant.invalid/home/anna/tasks.csv and/or https://x.invalid:8080/tmp/y",
        "hours/week, input/output, 1/2, n/a, w/o, C: 3 hours, a:b, 10:30, km/h",
        "icon@2x.png and someone@example.org, or @handle and a @ b",
        "sha256 0f1d894dfc7680857ba827ef36a1696c29dcc3df55add4c802e3d631e82f6de1",
        "\\n is a line break, \\\\ a backslash",
    ],
)
def test_ordinary_text_has_no_findings(text: str) -> None:
    found = tpa.check_share(text_file(text))
    assert found["what"].to_list() == ["text"]


def test_rationales_are_found_under_any_name(sample: tpa.TaskProfiles) -> None:
    tasks = sample.tasks.select("task", "ai_impact_rationale").drop_nulls().unique(maintain_order=True).head(120)
    for name in ("ai_impact_rationale", "Rationale", "aiImpactRationale", "why"):
        found = tpa.check_share(tpa.save(tasks.rename({"ai_impact_rationale": name}), "tasks.csv"))
        assert found.row(0)[:2] == (f"table, {name}", "free text"), name
        assert found.row(0)[3] == "stop"
        assert not any(text in str(found.rows()) for text in tasks["ai_impact_rationale"])
    assert not kinds(tpa.check_share(tpa.save(tasks.select("task"), "names.csv")), "stop")


def test_nested_records_are_read() -> None:
    task = {
        "external_id": "t",
        "name": "Sort the mail",
        "ai_impact": {"level": "H1", "rationale": "It is easily done."},
    }
    Path("raw.json").write_text(json.dumps({"data": [{"external_id": "j", "tasks": [task, task]}] * 3}), "utf-8")
    found = tpa.check_share("raw.json")
    assert found.row(0)[:2] == ("data[].tasks[].ai_impact, rationale", "free text")
    assert "job-level rows" in kinds(found, "look")


def test_single_jobs_and_tasks_are_found(sample: tpa.TaskProfiles) -> None:
    found = tpa.check_share(tpa.save(sample.tasks.drop("ai_impact_rationale"), "tasks.parquet"))
    assert kinds(found, "stop") == set()
    assert kinds(found, "look") == {"task-level rows", "job-level rows"}
    assert "5,825 rows for 232 jobs, by job_id" in found["found"].to_list()


def profiles_with_small_families() -> tpa.TaskProfiles:
    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": 30.0, "ai_impact_level": "H1"}
    sizes = {"Big": 9, "Middle": 5, "Small": 2, "Single": 1}
    return profiles_of(
        [
            {"job_family": family, "headcount": 9.0, "contract_hours": 38.0, "tasks": [task]}
            for family, n in sizes.items()
            for _ in range(n)
        ]
    )


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".json"])
@pytest.mark.parametrize("measure", [tpa.hours, tpa.impact, tpa.coverage])
def test_small_groups_are_found_unless_suppressed(measure: Callable[..., pl.DataFrame], suffix: str) -> None:
    profiles = profiles_with_small_families()
    found = tpa.check_share(tpa.save(measure(profiles), f"full{suffix}"))
    assert kinds(found, "stop") == {"small groups"}
    suppressed = tpa.check_share(tpa.save(tpa.suppress(measure(profiles), profiles), f"suppressed{suffix}"))
    assert kinds(suppressed, "stop") == set()
    assert kinds(tpa.check_share(f"full{suffix}", privacy=tpa.Privacy(min_jobs=0, min_headcount=0)), "stop") == set()


@pytest.mark.parametrize("by", ["country", ["country", "pay_grade"]])
def test_small_groups_of_any_column_are_found_unless_suppressed(by: Any) -> None:
    profiles = with_countries(tpa.load_sample())
    privacy = tpa.Privacy(min_jobs=10)
    for measure in (tpa.hours, tpa.impact):
        path = tpa.save(measure(profiles, by=by), "full.csv")
        assert kinds(tpa.check_share(path, privacy=privacy), "stop") == {"small groups"}
        path = tpa.save(tpa.suppress(measure(profiles, by=by), profiles, privacy=privacy), "suppressed.csv")
        assert kinds(tpa.check_share(path, privacy=privacy), "stop") == set()


def test_small_groups_are_found_in_formatted_numbers() -> None:
    head = "<tr><th>Job family</th><th>Jobs</th><th>Headcount</th><th>Hours</th></tr>"

    def page(*cells: str) -> Path:
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        Path("page.html").write_text(f"<table>{head}<tr>{row}</tr></table>", encoding="utf-8")
        return Path("page.html")

    assert kinds(tpa.check_share(page("Sales", "2", "1,200", "1,030.5 h")), "stop") == {"small groups"}
    assert kinds(tpa.check_share(page("Sales", "9", "4.5", "30 %")), "stop") == {"small groups"}
    assert kinds(tpa.check_share(page("Sales", "2", "·", "·")), "stop") == set()
    assert kinds(tpa.check_share(page("Sales", "1,002", "1,200", "30 h")), "stop") == set()


def test_parts_of_a_larger_family_are_not_a_stop() -> None:
    bins = pl.DataFrame({"job_family": ["A", "A", "B", "B"], "hours": [10.0, 20.0, 10.0, 30.0], "jobs": [1, 5, 2, 9]})
    found = tpa.check_share(tpa.save(bins, "bins.csv"))
    assert kinds(found, "stop") == set()
    assert "2 rows with fewer than 3 jobs or 5 people, part of a larger group" in found["found"].to_list()
    few = tpa.check_share(tpa.save(bins.with_columns(jobs=pl.Series([1, 1, 2, 9])), "few.csv"))
    assert kinds(few, "stop") == {"small groups"}
    levels = tpa.check_share(tpa.save(bins.with_columns(level=pl.Series(["H1", "H2"] * 2)), "levels.csv"))
    assert kinds(levels, "stop") == {"small groups"}


def test_columns_of_personal_data_are_found() -> None:
    for name in ("employee_id", "Employee ID", "firstName", "e-mail", "worker_number"):
        found = tpa.check_share(tpa.save(pl.DataFrame({name: ["x1"], "hours": [1.0]}), "persons.csv"))
        assert ("personal data", "stop") in found.select("what", "severity").rows(), name
    found = tpa.check_share(tpa.save(pl.DataFrame({"who": ["anna@alderbrook.co.uk"]}), "persons.csv"))
    assert kinds(found, "stop") == {"personal data"}


def test_findings_are_sorted_by_severity(sample: tpa.TaskProfiles) -> None:
    path = tpa.save(sample.tasks, "tasks.csv")
    findings = tpa.check_share(path)
    assert_frame_equal(findings, tpa.check_share(str(path)))
    assert findings.columns == ["where", "what", "found", "severity"]
    ranks = findings["severity"].replace_strict({"stop": 0, "look": 1, "note": 2}).to_list()
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}


@pytest.mark.parametrize("suffix", sorted(READERS.keys() - {".txt", ".csv"}))
@pytest.mark.parametrize("content", [b"", b"\x00\x01garbage", b"hello", b"PK\x03\x04 not a zip"])
def test_invalid_file_raises_with_its_name(suffix: str, content: bytes) -> None:
    Path(f"odd{suffix}").write_bytes(content)
    with pytest.raises(tpa.ShareError, match=rf"odd\{suffix}"):
        tpa.check_share(f"odd{suffix}")


@every_format
def test_truncated_file_is_read_or_raises_a_share_error(write: Callable[[str], Path]) -> None:
    path = write("x")
    content = path.read_bytes()
    for part in (2, 3, 5, 9):
        path.write_bytes(content[: len(content) * (part - 1) // part])
        try:
            tpa.check_share(path)
        except tpa.ShareError as error:
            assert path.name in str(error)  # noqa: PT017  the error is optional


def test_error_does_not_quote_an_invalid_file() -> None:
    Path("odd.json").write_text('{"ai_impact_rationale": "CANARY-WHY" oops', encoding="utf-8")
    with pytest.raises(tpa.ShareError) as caught:
        tpa.check_share("odd.json")
    assert "CANARY" not in str(caught.value)


def test_missing_or_unsupported_file_raises() -> None:
    for name in ("missing.csv", "missing"):
        with pytest.raises(tpa.ShareError, match=rf"^{name} cannot be read: No such file"):
            tpa.check_share(name)
    for name, kind in (("file.docx", r"of type \.docx"), ("file", "without a suffix")):
        Path(name).touch()
        with pytest.raises(tpa.ShareError, match=rf"{name}: files {kind} cannot be checked. Supported types: \.html"):
            tpa.check_share(name)
    Path("folder.csv").mkdir()
    with pytest.raises(tpa.ShareError, match=r"folder\.csv cannot be read: Is a directory"):
        tpa.check_share("folder.csv")


def test_workbook_that_is_too_large_when_decompressed_raises() -> None:
    with zipfile.ZipFile("bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
        with book.open("xl/media/zeros.bin", "w", force_zip64=True) as file:
            for _ in range(310):
                file.write(bytes(1_000_000))
    assert Path("bomb.xlsx").stat().st_size < 1_000_000
    with pytest.raises(tpa.ShareError, match="larger than 300 MB"):
        tpa.check_share("bomb.xlsx")


def test_hidden_parts_of_a_workbook_are_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["job_family", "jobs", "hours"])
    sheet.append(["Sales", 40, 900])
    sheet["A2"].comment = Comment("kept in /home/anna/x.csv", "Anna Berg")
    sheet["D2"] = '=WEBSERVICE("https://example.org/" & A2)'
    hidden = book.create_sheet("staff")
    hidden.append(["employee_id", "salary"])
    hidden.append(["e1", 70_000])
    hidden.sheet_state = "hidden"
    book.properties.creator = "Anna Berg"
    book.save("book.xlsx")
    found = tpa.check_share("book.xlsx")
    rows = set(found.select("where", "what", "severity").rows())
    assert {
        ("sheet staff, employee_id", "personal data", "stop"),
        ("sheet staff", "hidden content", "look"),
        ("docProps/core.xml", "personal data", "look"),
        ("sheet Sheet", "external request", "look"),
    } <= rows
    assert any(what == "absolute path" and "comment" in where for where, what, _ in rows)
    assert "Anna" not in str(found.rows())


def test_external_requests_of_a_page_are_found_unless_blocked() -> None:
    alt.Chart(pl.DataFrame({"a": [1]})).mark_bar().save("cdn.html")
    found = tpa.check_share("cdn.html")
    assert "external request" in kinds(found, "look")
    assert "script" in kinds(found, "look")
    assert "cdn.jsdelivr.net" in str(found.rows())
    page = Path("cdn.html").read_text("utf-8")
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'\">"
    Path("offline.html").write_text(page.replace("<head>", f"<head>{policy}"), encoding="utf-8")
    assert kinds(tpa.check_share("offline.html"), "look") == set()


def test_rows_in_a_page_and_a_specification_are_found() -> None:
    frame = pl.DataFrame(
        {"job_id": ["j1", "j2"], "ai_impact_rationale": ["Because it is easy.", "Because it is hard."]}
    )
    chart = alt.Chart(frame).mark_bar().encode(x="job_id")  # Altair embeds every column
    for suffix in (".html", ".json"):
        found = tpa.check_share(tpa.save(chart, f"all{suffix}"))
        assert found.row(0)[1] == "free text"
        assert "job-level rows" in kinds(found, "look")
    external = alt.Chart("https://tenant.invalid/rows.csv").mark_bar().encode(x="a:N")
    assert "external request" in kinds(tpa.check_share(tpa.save(external, "external.json")), "look")


def notebook_of(*outputs: Any, **metadata: Any) -> Path:
    cell = nbformat.v4.new_code_cell("look()", outputs=list(outputs))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), "n.ipynb")
    return Path("n.ipynb")


def test_every_kind_of_notebook_output_is_read(sample: tpa.TaskProfiles) -> None:
    tasks = sample.tasks.select("job_id", "ai_impact_rationale").drop_nulls().head(4)
    displayed = nbformat.v4.new_output(
        "display_data", data={"text/html": tasks._repr_html_(), "text/plain": str(tasks)}
    )
    printed = nbformat.v4.new_output("stream", text=str(tasks))
    for output in (displayed, printed):
        found = tpa.check_share(notebook_of(output))
        assert found.row(0)[1:] == ("free text", found.row(0)[2], "stop")
        assert "job-level rows" in kinds(found, "look")
    error = nbformat.v4.new_output(
        "error", ename="KeyError", evalue="x", traceback=["\x1b[31mFile\x1b[0m /home/anna/x.py"]
    )
    assert "absolute path" in kinds(tpa.check_share(notebook_of(error)), "look")
    spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "datasets": {"d": tasks.to_dicts()}}
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {"state": {"spec": spec}}}}}
    found = tpa.check_share(notebook_of(widgets=state))
    assert "widget state" in kinds(found, "look")
    assert "free text" in kinds(found, "stop")
    image = with_chunk(chart_with(".png", "x").read_bytes(), b"tEXt", b"Source\0/home/anna/x.py")
    output = nbformat.v4.new_output("display_data", data={"image/png": base64.b64encode(image).decode()})
    assert "absolute path" in kinds(tpa.check_share(notebook_of(output)), "look")


def test_hidden_content_of_an_image_is_found() -> None:
    image = chart_with(".png", "x").read_bytes()
    Path("tail.png").write_bytes(image + b'client_secret="hunter2-hunter"')
    found = tpa.check_share("tail.png")
    assert "secret" in kinds(found, "stop")
    assert "hidden content" in kinds(found, "look")
    compressed = b"Comment\0\0" + zlib.compress(b"/home/anna/x")
    Path("compressed.png").write_bytes(with_chunk(image, b"zTXt", compressed))
    assert "absolute path" in kinds(tpa.check_share("compressed.png"), "look")


def test_committed_notebooks_have_no_stop() -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        assert kinds(tpa.check_share(path), "stop") == set(), path.name


def test_command_line_prints_findings_and_fails_on_a_stop(
    sample: tpa.TaskProfiles, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tpa.save(tpa.hours(sample), "good.csv"), tpa.save(sample.tasks, "bad.csv")
    assert main(["check-share", str(good)]) == 0
    assert "1 file checked, no blocking findings" in capsys.readouterr().out
    assert main(["check-share", str(good), str(bad)]) == 1
    out = capsys.readouterr().out
    assert "  stop  free text" in out
    assert "2 files checked, 1 blocking finding" in out
    assert main(["check-share", "--json", str(bad)]) == 1
    assert json.loads(capsys.readouterr().out)["bad.csv"][0]["severity"] == "stop"
    assert main(["check-share", "gone.csv"]) == 1
    assert "tpanalytics: gone.csv cannot be read" in capsys.readouterr().err
