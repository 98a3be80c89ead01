"""Example notebooks."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat import v4

import tpanalytics as tpa
from tests.notebooks import MAX_BYTES, NOT_RUN, NOTEBOOKS, problems, run, skipped, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
#: Other versions of the libraries warn in this process.
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")


def committed(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_notebooks_are_numbered() -> None:
    numbers = [path.stem[:2] for path in NOTEBOOKS]
    assert numbers == [f"{n:02}" for n in range(1, 10)]


@every_notebook
@quiet
def test_notebook_reproduces_its_outputs(path: Path, tmp_path: Path) -> None:
    executed = run(path, tmp_path)
    assert problems(committed(path), executed) == []
    assert list(tmp_path.iterdir()) == [], "the notebook left files"
    java = shutil.which("java") or "JAVA_HOME" in os.environ
    if os.environ.get("NEEDS_SPARK") or (java and find_spec("pyspark") and find_spec("pyarrow")):
        assert skipped(executed) == []


@every_notebook
def test_committed_notebook_is_safe_to_share(path: Path) -> None:
    assert len(path.read_bytes()) <= MAX_BYTES
    assert path.read_text(encoding="utf-8") == to_text(committed(path)), "not as `python -m tests.notebooks` writes it"
    findings = tpa.check_share(path)
    assert findings.filter(severity="stop").rows() == []
    assert {"absolute path", "external request", "script", "widget state"}.isdisjoint(findings["what"])


@every_notebook
def test_notebook_has_a_title_and_pictures(path: Path) -> None:
    notebook = committed(path)
    assert notebook.cells[0].source.startswith("# ")
    assert skipped(notebook) == []
    assert all(cell.id.replace("-", "").isalnum() and not cell.id.isdigit() for cell in notebook.cells)
    pictures = [
        base64.b64decode(output.data["image/png"])
        for output in outputs_of(notebook)
        if "image/png" in output.get("data", {})
    ]
    assert pictures
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@every_notebook
def test_notebook_asserts_its_figures(path: Path) -> None:
    assert any("assert " in cell.source for cell in committed(path).cells if cell.cell_type == "code")


@quiet
def test_notebook_runs_without_duckdb_and_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("08"))
    hidden, folder = tmp_path / "hidden", tmp_path / "folder"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules |= {'duckdb': None, 'pyspark': None}\n")
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")]))
    executed = run(path, folder)
    assert len(skipped(executed)) == 2
    assert problems(committed(path), executed) == []


def notebook_of(*sources: str, outputs: Any = ()) -> Any:
    cells = [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    cells[0].outputs = list(outputs)
    return v4.new_notebook(cells=cells)


PROBLEMS: dict[str, Callable[[], Any]] = {
    "an error": lambda: v4.new_output("error", ename="ValueError", evalue="no", traceback=[]),
    "a warning": lambda: v4.new_output("stream", name="stderr", text="UserWarning: careful"),
    "an absolute path": lambda: v4.new_output("stream", name="stdout", text=f"read {Path.home()}/x.csv"),
    "an absolute path: ": lambda: v4.new_output("display_data", {"text/plain": f"'{tempfile.gettempdir()}/x'"}),
    "a script": lambda: v4.new_output("display_data", {"text/html": "<script>1</script>", "text/plain": ""}),
    "outputs of type": lambda: v4.new_output("display_data", {"image/svg+xml": "<svg/>", "text/plain": ""}),
    "are more than": lambda: v4.new_output("display_data", {"text/plain": "x" * MAX_BYTES}),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_problem_is_found(problem: str) -> None:
    notebook = notebook_of("1", outputs=[PROBLEMS[problem]()])
    result = problems(notebook, copy.deepcopy(notebook))
    assert len(result) == 1
    assert problem in result[0]


def test_changed_outputs_and_growth_are_found() -> None:
    picture = {"image/png": base64.b64encode(b"\x89PNG").decode(), "text/plain": "bars"}
    output = v4.new_output("display_data", picture, metadata={"image/png": {"width": 400, "height": 300}})
    before = notebook_of("1", outputs=[output])
    assert problems(before, copy.deepcopy(before)) == []
    for change, problem in (
        ({"data": {**picture, "text/plain": "more bars"}}, "has different outputs"),
        ({"data": {"text/plain": "bars"}, "metadata": {}}, "has different outputs"),
        ({"metadata": {"image/png": {"width": 400, "height": 380}}}, "has different outputs"),
        ({"data": {**picture, "image/png": "A" * 500}}, "grew from"),
    ):
        after = copy.deepcopy(before)
        after.cells[0].outputs[0].update(nbformat.from_dict(change))
        assert problem in " ".join(problems(before, after)), change
    other_pixels = copy.deepcopy(before)
    other_pixels.cells[0].outputs[0].data["image/png"] = base64.b64encode(b"\x89PNX").decode()
    assert problems(before, other_pixels) == []


def test_skipped_cell_must_print_the_reason() -> None:
    before = notebook_of("1", outputs=[v4.new_output("stream", name="stdout", text="the same on Spark")])
    before.cells[0].metadata["tags"] = ["may-lack-a-package"]
    for text, expected in ((f"{NOT_RUN}: Spark.", 0), ("nothing", 1)):
        after = copy.deepcopy(before)
        after.cells[0].outputs[0].text = text
        assert len(problems(before, after)) == expected
    before.cells[0].metadata["tags"] = []
    assert problems(before, after) != []


@quiet
def test_hanging_notebook_is_killed(tmp_path: Path) -> None:
    source = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\nwhile True: pass"
    path = tmp_path / "hangs.ipynb"
    path.write_text(to_text(notebook_of(source)))
    with pytest.raises(TimeoutError):
        run(path, tmp_path, seconds=6)
    pid = tmp_path / "pid"
    if pid.exists():  # on a busy machine the kernel may have been killed while starting
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


@quiet
def test_widget_state_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "widget.ipynb"
    path.write_text(to_text(notebook_of("import ipywidgets\nipywidgets.IntSlider()")))
    executed = run(path, tmp_path)
    assert "widgets" not in executed.metadata
    assert [list(output.data) for output in outputs_of(executed)] == [["text/plain"]]
    assert "IntSlider" in json.dumps(executed)
