"""Every example notebook runs, shows what is committed, stays small, and carries nothing of a machine or widget."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, run

if TYPE_CHECKING:
    from pathlib import Path

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def shown(notebook: Any) -> list[list[dict[str, Any]]]:
    """Give the outputs by cell; of pictures only that they are there, since fonts and renderer may differ."""
    outputs = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        plain = json.loads(json.dumps(cell.outputs))
        for output in plain:
            picture = output.get("data", {}).pop("image/png", None)
            output["has_picture"] = picture is not None
            output.pop("metadata", None)
        outputs.append(plain)
    return outputs


def test_there_are_notebooks() -> None:
    assert "01_quickstart" in [path.stem for path in NOTEBOOKS]


@every_notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")
def test_the_notebook_runs_and_shows_what_is_committed(path: Path, tmp_path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    executed = run(path, tmp_path)
    kinds = {output.get("name") for cell in shown(executed) for output in cell}
    assert "stderr" not in kinds, "a warning"
    assert shown(executed) == shown(committed), "stale: run `python -m tests.notebooks`"
    assert list(tmp_path.iterdir()) == [], "it leaves files behind"


@every_notebook
def test_the_notebook_is_small_and_carries_pictures_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < 600_000
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"]
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert {kind for output in outputs for kind in output.get("data", {})} == {"text/plain", "text/html", "image/png"}
    assert "<script" not in text
    assert not re.search(r"(?<![\w.])/(root|work|home/\w+|tmp/\w+)/|[A-Z]:\\\\Users", text)
    pictures = [
        base64.b64decode(output["data"]["image/png"]) for output in outputs if "image/png" in output.get("data", {})
    ]
    assert pictures
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@every_notebook
def test_the_notebook_checks_its_figures(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert any("assert " in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
