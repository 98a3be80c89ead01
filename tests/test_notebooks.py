"""Every example notebook runs, shows what is committed, stays small, and carries nothing of a machine or widget."""

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
from tests.notebooks import MOST, NOT_HERE, NOTEBOOKS, faults, lacking, run, written

if TYPE_CHECKING:
    from collections.abc import Callable

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
#: What libraries of other versions warn of in this process, not in the notebook's.
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")


def committed(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_the_notebooks_are_there() -> None:
    numbers = [path.stem[:2] for path in NOTEBOOKS]
    assert numbers == [f"{n:02}" for n in range(1, 10)]


@every_notebook
@quiet
def test_the_run_notebooks_and_shows_what_is_committed(path: Path, tmp_path: Path) -> None:
    executed = run(path, tmp_path)
    assert faults(committed(path), executed) == []
    assert list(tmp_path.iterdir()) == [], "it leaves files behind"
    java = shutil.which("java") or "JAVA_HOME" in os.environ
    if os.environ.get("NEEDS_SPARK") or (java and find_spec("pyspark") and find_spec("pyarrow")):
        assert lacking(executed) == []


@every_notebook
def test_the_committed_notebook_may_be_shared(path: Path) -> None:
    assert len(path.read_bytes()) <= MOST
    assert path.read_text(encoding="utf-8") == written(committed(path)), "not as `python -m tests.notebooks` writes it"
    found = tpa.check_share(path)
    assert found.filter(severity="stop").rows() == []
    assert {"absolute path", "external request", "script", "widget state"}.isdisjoint(found["what"])


@every_notebook
def test_the_notebook_is_an_essay_with_pictures(path: Path) -> None:
    notebook = committed(path)
    assert notebook.cells[0].source.startswith("# ")
    assert lacking(notebook) == []
    assert all(cell.id.replace("-", "").isalnum() and not cell.id.isdigit() for cell in notebook.cells)
    pictures = [
        base64.b64decode(output.data["image/png"])
        for output in outputs_of(notebook)
        if "image/png" in output.get("data", {})
    ]
    assert pictures
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@every_notebook
def test_the_notebook_checks_its_figures(path: Path) -> None:
    assert any("assert " in cell.source for cell in committed(path).cells if cell.cell_type == "code")


@quiet
def test_without_duckdb_and_spark_the_notebook_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("08"))
    hidden, folder = tmp_path / "hidden", tmp_path / "folder"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules |= {'duckdb': None, 'pyspark': None}\n")
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")]))
    executed = run(path, folder)
    assert len(lacking(executed)) == 2
    assert faults(committed(path), executed) == []


def notebook_of(*sources: str, outputs: Any = ()) -> Any:
    cells = [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    cells[0].outputs = list(outputs)
    return v4.new_notebook(cells=cells)


FAULTS: dict[str, Callable[[], Any]] = {
    "an error": lambda: v4.new_output("error", ename="ValueError", evalue="no", traceback=[]),
    "a warning": lambda: v4.new_output("stream", name="stderr", text="UserWarning: careful"),
    "an absolute path": lambda: v4.new_output("stream", name="stdout", text=f"read {Path.home()}/x.csv"),
    "an absolute path: ": lambda: v4.new_output("display_data", {"text/plain": f"'{tempfile.gettempdir()}/x'"}),
    "a script": lambda: v4.new_output("display_data", {"text/html": "<script>1</script>", "text/plain": ""}),
    "outputs of the kind": lambda: v4.new_output("display_data", {"image/svg+xml": "<svg/>", "text/plain": ""}),
    "are more than": lambda: v4.new_output("display_data", {"text/plain": "x" * MOST}),
}


@pytest.mark.parametrize("said", FAULTS)
def test_each_fault_of_a_notebook_is_found(said: str) -> None:
    notebook = notebook_of("1", outputs=[FAULTS[said]()])
    found = faults(notebook, copy.deepcopy(notebook))
    assert len(found) == 1
    assert said in found[0]


def test_a_changed_output_and_growth_are_found() -> None:
    picture = {"image/png": base64.b64encode(b"\x89PNG").decode(), "text/plain": "bars"}
    shown = v4.new_output("display_data", picture, metadata={"image/png": {"width": 400, "height": 300}})
    before = notebook_of("1", outputs=[shown])
    assert faults(before, copy.deepcopy(before)) == []
    for change, said in (
        ({"data": {**picture, "text/plain": "more bars"}}, "shows something else"),
        ({"data": {"text/plain": "bars"}, "metadata": {}}, "shows something else"),
        ({"metadata": {"image/png": {"width": 400, "height": 380}}}, "shows something else"),
        ({"data": {**picture, "image/png": "A" * 500}}, "grew from"),
    ):
        after = copy.deepcopy(before)
        after.cells[0].outputs[0].update(nbformat.from_dict(change))
        assert said in " ".join(faults(before, after)), change
    other_pixels = copy.deepcopy(before)
    other_pixels.cells[0].outputs[0].data["image/png"] = base64.b64encode(b"\x89PNX").decode()
    assert faults(before, other_pixels) == []


def test_what_may_lack_a_package_must_say_so() -> None:
    before = notebook_of("1", outputs=[v4.new_output("stream", name="stdout", text="the same on Spark")])
    before.cells[0].metadata["tags"] = ["may-lack-a-package"]
    for text, found in ((f"{NOT_HERE}: Spark.", 0), ("nothing", 1)):
        after = copy.deepcopy(before)
        after.cells[0].outputs[0].text = text
        assert len(faults(before, after)) == found
    before.cells[0].metadata["tags"] = []
    assert faults(before, after) != []


@quiet
def test_a_notebook_that_hangs_is_killed(tmp_path: Path) -> None:
    source = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\nwhile True: pass"
    path = tmp_path / "hangs.ipynb"
    path.write_text(written(notebook_of(source)))
    with pytest.raises(TimeoutError):
        run(path, tmp_path, seconds=6)
    pid = tmp_path / "pid"
    if pid.exists():  # on a very busy machine it may have been killed while it still started
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


@quiet
def test_the_state_of_widgets_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "widget.ipynb"
    path.write_text(written(notebook_of("import ipywidgets\nipywidgets.IntSlider()")))
    executed = run(path, tmp_path)
    assert "widgets" not in executed.metadata
    assert [list(output.data) for output in outputs_of(executed)] == [["text/plain"]]
    assert "IntSlider" in json.dumps(executed)
