"""`tpanalytics report --notebook`."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import nbformat
import polars as pl
import pytest
from nbformat import v4

import tpanalytics as tpa
from tests.helpers.notebooks_in_process import in_process
from tests.helpers.reports import FAMILIES, small
from tests.notebooks import FOLDER
from tpanalytics.cli.main import main

__all__ = ["in_process"]

#: Other versions of the libraries warn here.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

FAMILY_REPORT = FOLDER / "09_family_report.ipynb"
DATA = FOLDER.parent / "data"


def write_notebook(source: str, *names: str) -> str:
    """Write a notebook with parameters and a code cell."""
    cells = [v4.new_code_cell("\n".join(f"{name} = None" for name in names), metadata={"tags": ["parameters"]})]
    cells.append(v4.new_code_cell(source))
    Path("custom.ipynb").write_text(nbformat.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    return "custom.ipynb"


def printed_text(path: str) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [output.text for cell in cells if cell.cell_type == "code" for output in cell.outputs if "text" in output]


def write_with_canaries(profiles: tpa.TaskProfiles, folder: str) -> str:
    """Write a small company with canaries in its free text."""
    profiles = small(profiles)
    tasks = profiles.tasks.with_columns(ai_impact_rationale=pl.lit("CANARYWHY"), source_data=pl.lit(["CANARYSOURCE"]))
    tpa.write_profiles(tpa.TaskProfiles(profiles.jobs, tasks, profiles.manifest), folder)
    return folder


@pytest.fixture
def snapshot() -> str:
    return write_with_canaries(tpa.load_sample(), "of-anna/2026-05")


@pytest.mark.slow
def test_family_page_contains_only_its_output(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, where = "out/finance.html", str(Path(snapshot).resolve())
    assert main(["report", where, "--notebook", str(FAMILY_REPORT), "--group", "Finance", "--out", out]) == 0
    assert capsys.readouterr().out.split() == [out, "Finance"]
    text = Path(out).read_text(encoding="utf-8")
    assert "15 jobs with 316 tasks that count" in text
    for text_to_omit in ("CANARYWHY", "CANARYSOURCE", "of-anna", str(Path.cwd())):
        assert text_to_omit not in text
    findings = tpa.check_share(out)
    assert findings.filter(severity="stop").rows() == []
    assert {"absolute path", "external request", "script", "job-level rows"}.isdisjoint(findings["what"])
    assert "<title>Finance</title>" in text
    assert len(re.findall(r'<img\b[^>]*\balt="[^"]{40}', text)) == text.count("data:image/png;base64,") == 3
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", text)


@pytest.mark.usefixtures("in_process")
def test_options_are_passed_as_parameters(snapshot: str) -> None:
    names = ("snapshot", "before", "family", "jobs", "rationales", "min_jobs", "min_headcount")
    notebook = write_notebook(f"print({', '.join(names)}, sep='|')", *names)
    later = write_with_canaries(tpa.load_sample("2026-11"), "later")
    command = f"report {later} --before {snapshot} --group Finance --with-jobs --with-rationales --out r.ipynb"
    assert main([*command.split(), "--notebook", notebook]) == 0
    assert printed_text("r.ipynb") == ["later|2026-05|Finance|True|True|3|5\n"]


@pytest.mark.slow
def test_family_page_uses_the_options(snapshot: str) -> None:
    later = write_with_canaries(tpa.load_sample("2026-11"), "later")
    command = (
        f"report {later} --before {snapshot} --group Finance --with-jobs --with-rationales --out r.ipynb --notebook"
    )
    assert main([*command.split(), str(FAMILY_REPORT)]) == 0
    shown = [output for cell in nbformat.read("r.ipynb", as_version=4).cells for output in cell.get("outputs", [])]
    text = json.dumps([{**output.get("data", {}), "image/png": ""} for output in shown])
    assert "CANARYWHY" in text
    assert "CANARYSOURCE" not in text
    assert "job_name" in text
    assert "newly measured" in text
    assert sum("image/png" in output.get("data", {}) for output in shown) == 4


@pytest.mark.usefixtures("in_process")
def test_all_families_writes_a_page_per_family(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = write_notebook(
        "print(family, min_jobs, min_headcount, sep=', ')", "snapshot", "family", "min_jobs", "min_headcount"
    )
    command = f"report {snapshot} --out all --all-groups --min-jobs 14 --min-headcount 0 --json --notebook {notebook}"
    assert main(command.split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["suppressed"]) == 2
    assert sorted(row["group"] for row in result["written"]) == sorted(set(FAMILIES) - set(result["suppressed"]))
    for row in result["written"]:
        assert f"<pre>{row['group']}, 14, 0.0\n</pre>" in Path(row["file"]).read_text(encoding="utf-8")


@pytest.mark.usefixtures("in_process")
def test_records_are_passed_as_a_temporary_snapshot() -> None:
    source = "import tpanalytics as tpa\nread = tpa.read_profiles(snapshot)\nprint(read.jobs['job_family'].n_unique())"
    notebook = write_notebook(f"{source}\nprint(snapshot)", "snapshot")
    files = [str(DATA / name) for name in ("sample-2026-05.jsonl.gz", "jobs.csv", "job_families.csv")]
    limits = ["--min-jobs", "0", "--min-headcount", "0"]
    mapped = ["--jobs", files[1], "--family-names", files[2]]
    assert main(["report", files[0], *mapped, *limits, "--notebook", notebook, "--out", "r.ipynb"]) == 0
    assert printed_text("r.ipynb") == ["17\nsample-2026-05\n"]
    assert sorted(path.name for path in Path().iterdir()) == ["custom.ipynb", "r.ipynb"]


INVALID = {
    f"--notebook {FAMILY_REPORT} --out r.html": "reports on one group of jobs. Pass --group or --all-groups",
    f"--notebook {FAMILY_REPORT} --group Finance --out r.pdf": "--out must be a .html or .ipynb file",
    f"--notebook {FAMILY_REPORT} --all-groups --out r.ipynb": "--out must be a .html or .ipynb file",
    f"--notebook {FAMILY_REPORT} --group Finance --contract-hours 40 --out r.html": "no parameter 'contract_hours'",
    "--notebook none.ipynb --group Finance --out r.html": "none.ipynb cannot be read",
    "--group Finance --out r.ipynb": "--out must be a .html file,",
}


@pytest.mark.parametrize(("options", "message"), INVALID.items())
def test_invalid_arguments_are_reported_before_the_notebook_runs(
    options: str, message: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", snapshot, *shlex.split(options)]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["of-anna"]


def test_notebook_without_a_limit_parameter_is_refused(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = write_notebook("print(1)", "snapshot", "min_jobs")
    assert main(["report", snapshot, "--notebook", notebook, "--out", "r.html"]) == 1
    assert "no parameter 'min_headcount'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("family", "message"), [("Finance", "is hidden"), ("Finanse", "no job is in a family")])
def test_suppressed_or_unknown_family_writes_no_file(
    family: str, message: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"report {snapshot} --group {family} --min-jobs 99 --out r.html --notebook {FAMILY_REPORT}"
    assert main(command.split()) == 1
    err = capsys.readouterr().err
    assert err.startswith("tpanalytics: 09_family_report.ipynb, cell 3 ('open'): ShareError:")
    assert message in err
    assert "Traceback" not in err
    assert not Path("r.html").exists()
