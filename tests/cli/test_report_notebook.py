"""`tpanalytics report --notebook`: which notebook gets which parameters, and what its file carries."""

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
from tests.helpers.reports import FAMILIES, small
from tests.notebooks import FOLDER
from tpanalytics.cli.main import main

#: What libraries of other versions warn of in this process.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

FAMILY_REPORT = FOLDER / "09_family_report.ipynb"
DATA = FOLDER.parent / "data"


def own(source: str, *names: str) -> str:
    """Write a notebook that has these parameters and runs this."""
    cells = [v4.new_code_cell("\n".join(f"{name} = None" for name in names), metadata={"tags": ["parameters"]})]
    cells.append(v4.new_code_cell(source))
    Path("own.ipynb").write_text(nbformat.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    return "own.ipynb"


def printed(path: str) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [output.text for cell in cells if cell.cell_type == "code" for output in cell.outputs if "text" in output]


def marked(profiles: tpa.TaskProfiles, folder: str) -> str:
    """Write a small company with a mark in its free texts."""
    profiles = small(profiles)
    tasks = profiles.tasks.with_columns(ai_impact_rationale=pl.lit("CANARYWHY"), source_data=pl.lit(["CANARYSOURCE"]))
    tpa.write_profiles(tpa.TaskProfiles(profiles.jobs, tasks, profiles.manifest), folder)
    return folder


@pytest.fixture
def snapshot() -> str:
    return marked(tpa.load_sample(), "of-anna/2026-05")


def test_the_page_of_a_family_carries_what_it_shows(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, where = "out/finance.html", str(Path(snapshot).resolve())
    assert main(["report", where, "--notebook", str(FAMILY_REPORT), "--family", "Finance", "--out", out]) == 0
    assert capsys.readouterr().out.split() == [out, "Finance"]
    text = Path(out).read_text(encoding="utf-8")
    assert "15 jobs with 316 tasks that count" in text
    for kept_out in ("CANARYWHY", "CANARYSOURCE", "of-anna", str(Path.cwd())):
        assert kept_out not in text
    found = tpa.check_share(out)
    assert found.filter(severity="stop").rows() == []
    assert {"absolute path", "external request", "script", "job-level rows"}.isdisjoint(found["what"])
    assert "<title>Finance</title>" in text
    assert len(re.findall(r'<img\b[^>]*\balt="[^"]{40}', text)) == text.count("data:image/png;base64,") == 3
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", text)


def test_what_is_asked_for_comes_in(snapshot: str) -> None:
    later = marked(tpa.load_sample("2026-11"), "later")
    asked = (
        f"report {later} --before {snapshot} --family Finance --with-jobs --with-rationales --out r.ipynb --notebook"
    )
    assert main([*asked.split(), str(FAMILY_REPORT)]) == 0
    shown = [output for cell in nbformat.read("r.ipynb", as_version=4).cells for output in cell.get("outputs", [])]
    text = json.dumps([{**output.get("data", {}), "image/png": ""} for output in shown])
    assert "CANARYWHY" in text
    assert "CANARYSOURCE" not in text
    assert "job_name" in text
    assert "newly measured" in text
    assert sum("image/png" in output.get("data", {}) for output in shown) == 4


def test_each_shown_family_gets_a_page_with_the_limits(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = own(
        "print(family, min_jobs, min_headcount, sep=', ')", "snapshot", "family", "min_jobs", "min_headcount"
    )
    asked = f"report {snapshot} --out all --all-families --min-jobs 14 --min-headcount 0 --json --notebook {notebook}"
    assert main(asked.split()) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["hidden"]) == 2
    assert sorted(row["family"] for row in told["written"]) == sorted(set(FAMILIES) - set(told["hidden"]))
    for row in told["written"]:
        assert f"<pre>{row['family']}, 14, 0.0\n</pre>" in Path(row["file"]).read_text(encoding="utf-8")


def test_records_and_mappings_come_as_a_snapshot_that_is_gone_afterwards() -> None:
    source = "import tpanalytics as tpa\nread = tpa.read_profiles(snapshot)\nprint(read.jobs['job_family'].n_unique())"
    notebook = own(f"{source}\nprint(snapshot)", "snapshot")
    files = [str(DATA / name) for name in ("sample-2026-05.jsonl.gz", "jobs.csv", "job_families.csv")]
    limits = ["--min-jobs", "0", "--min-headcount", "0"]
    mapped = ["--jobs", files[1], "--families", files[2]]
    assert main(["report", files[0], *mapped, *limits, "--notebook", notebook, "--out", "r.ipynb"]) == 0
    assert printed("r.ipynb") == ["17\nsample-2026-05\n"]
    assert sorted(path.name for path in Path().iterdir()) == ["own.ipynb", "r.ipynb"]


REFUSED = {
    f"--notebook {FAMILY_REPORT} --out r.html": "reports on a job family. Pass --family or --all-families",
    f"--notebook {FAMILY_REPORT} --family Finance --out r.pdf": "--out must be a .html or .ipynb file",
    f"--notebook {FAMILY_REPORT} --all-families --out r.ipynb": "--out must be a .html or .ipynb file",
    f"--notebook {FAMILY_REPORT} --family Finance --contract-hours 40 --out r.html": "no parameter contract_hours",
    "--notebook none.ipynb --family Finance --out r.html": "none.ipynb cannot be read",
    "--family Finance --out r.ipynb": "--out must be a .html file,",
}


@pytest.mark.parametrize(("asked", "said"), REFUSED.items())
def test_what_cannot_be_is_said_before_anything_is_run(
    asked: str, said: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", snapshot, *shlex.split(asked)]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["of-anna"]


def test_limits_that_a_notebook_cannot_keep_are_not_passed_over(
    snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = own("print(1)", "snapshot", "min_jobs")
    assert main(["report", snapshot, "--notebook", notebook, "--out", "r.html"]) == 1
    assert "no parameter min_headcount" in capsys.readouterr().err


@pytest.mark.parametrize(("family", "said"), [("Finance", "is hidden"), ("Finanse", "no job is in a family")])
def test_a_family_that_is_hidden_or_not_there_gets_no_file(
    family: str, said: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = f"report {snapshot} --family {family} --min-jobs 99 --out r.html --notebook {FAMILY_REPORT}"
    assert main(asked.split()) == 1
    err = capsys.readouterr().err
    assert err.startswith("tpanalytics: 09_family_report.ipynb, cell 3 ('open'): ShareError:")
    assert said in err
    assert "Traceback" not in err
    assert not Path("r.html").exists()
