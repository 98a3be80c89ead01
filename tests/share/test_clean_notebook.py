"""Tests of `clean_notebook`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

import tpanalytics as tpa
from tests.share.inspect.test_check_share import with_chunk

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01_quickstart.ipynb"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def image() -> str:
    from tpanalytics.charts._core.render import png

    return base64.b64encode(png(tpa.plot_hours(tpa.load_sample()).to_dict(), 0.2)).decode()


def output(kind: str = "display_data", **data: Any) -> Any:
    return nbformat.v4.new_output(kind, data={name.replace("_", "/"): part for name, part in data.items()})


def write_notebook(*outputs: Any, name: str = "n.ipynb", **metadata: Any) -> Path:
    cell = nbformat.v4.new_code_cell("look()", outputs=list(outputs), execution_count=7)
    text = nbformat.v4.new_markdown_cell("# Heading")
    nbformat.write(nbformat.v4.new_notebook(cells=[text, cell], metadata=metadata), name)
    return Path(name)


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_text_and_images_are_kept_and_data_removed() -> None:
    before = read(NOTEBOOK)
    dropped = tpa.clean_notebook(NOTEBOOK, "clean.ipynb")
    after = read(Path("clean.ipynb"))
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    images = [out for cell in before.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    kept = [out for cell in after.cells for out in cell.get("outputs", [])]
    assert len(kept) == len(images) > 0
    for out, original in zip(kept, images, strict=True):
        assert set(out.data) == {"image/png", "text/plain"}
        assert out.data["text/plain"] == original.data["text/plain"]
        assert out.metadata == original.metadata
        assert out.data["image/png"].strip() == original.data["image/png"].replace("\n", "")
    assert all(cell.execution_count is None for cell in after.cells if cell.cell_type == "code")
    assert "output text/html" in dropped["what"].to_list()
    assert dropped["cell"].is_sorted()
    assert set(tpa.check_share("clean.ipynb")["what"]) == {"picture", "text"}


def test_cleaning_twice_changes_nothing() -> None:
    tpa.clean_notebook(NOTEBOOK, "clean.ipynb")
    once = Path("clean.ipynb").read_bytes()
    assert tpa.clean_notebook("clean.ipynb").height == 0
    assert Path("clean.ipynb").read_bytes() == once
    assert NOTEBOOK.read_bytes() != once
    assert [entry.name for entry in Path().iterdir()] == ["clean.ipynb"]


def test_tables_text_errors_and_widgets_are_removed(image: str) -> None:
    error = nbformat.v4.new_output("error", ename="E", evalue="CANARY", traceback=["/home/anna/CANARY.py"])
    path = write_notebook(
        nbformat.v4.new_output("stream", text="CANARY 31 h"),
        output(text_html="<table><tr><td>CANARY</td></tr></table>", text_plain="CANARY"),
        output("execute_result", text_plain="CANARY"),
        output("execute_result", image_png=image, text_plain="Dots of hours.", application_json={"a": "CANARY"}),
        output(**{"image/svg+xml": "<svg>CANARY</svg>"}),
        output(**{VIEW: {"model_id": "CANARY"}}),
        error,
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {"m": "CANARY"}}},
        papermill={"parameters": {"secret": "CANARY"}},
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python", "env": "CANARY"},
    )
    notebook = read(path)
    notebook.cells[1].metadata = {"tags": ["keep"], "execution": {"iopub.execute_input": "CANARY"}, "CANARY": 1}
    nbformat.write(notebook, path)
    dropped = tpa.clean_notebook(path)
    assert "CANARY" not in path.read_text("utf-8")
    cell = read(path).cells[1]
    assert cell.metadata == {"tags": ["keep"]}
    assert [dict(out.data) for out in cell.outputs] == [{"image/png": image, "text/plain": "Dots of hours."}]
    assert read(path).metadata == {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    assert set(dropped["what"]) >= {
        *("printed text", "traceback", "widget state", "execution count", "metadata execution", "metadata papermill"),
        *("output text/html", f"output {VIEW}", "output application/json", "output image/svg+xml"),
    }


@pytest.mark.parametrize("text", ["shape: (1, 1)\n┌───┐\n│ a │", "a  b  c\n1  2  3", "[{'a': 1}]", "/home/anna/x.png"])
def test_data_next_to_an_image_are_removed(text: str, image: str) -> None:
    path = write_notebook(output(image_png=image, text_plain=text))
    tpa.clean_notebook(path)
    assert [set(out.data) for out in read(path).cells[1].outputs] == [{"image/png"}]


def test_image_metadata_and_invalid_images_are_removed(image: str) -> None:
    with_text = with_chunk(base64.b64decode(image), b"tEXt", b"Source\0/home/anna/x.py")
    path = write_notebook(
        output(image_png=base64.b64encode(with_text).decode()), output(image_png="bm90IGEgcGljdHVyZQ==")
    )
    assert "image metadata" in tpa.clean_notebook(path)["what"].to_list()
    outputs = read(path).cells[1].outputs
    assert [out.data["image/png"] for out in outputs] == [image]


def test_attachments_other_than_images_are_removed(image: str) -> None:
    cell = nbformat.v4.new_markdown_cell("![a](attachment:a.png)")
    cell.attachments = {"a.png": {"image/png": image}, "b.csv": {"text/csv": "CANARY"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), "n.ipynb")
    tpa.clean_notebook("n.ipynb")
    assert read(Path("n.ipynb")).cells[0].attachments == {"a.png": {"image/png": image}}


def test_older_minor_format_stays_valid() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.nbformat_minor = 2
    for cell in notebook.cells:
        del cell["id"]
    Path("old.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    tpa.clean_notebook("old.ipynb")
    assert read(Path("old.ipynb")).nbformat_minor == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "it is not valid JSON"),
        ("[]", "not a notebook in format 4. Open it in Jupyter"),
        ('{"nbformat": 3, "worksheets": []}', "not a notebook in format 4"),
        ('{"nbformat": 4, "cells": [1]}', "not a notebook in format 4"),
    ],
)
def test_invalid_notebook_raises_and_is_not_changed(content: str, message: str) -> None:
    Path("n.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(tpa.ShareError, match=message):
        tpa.clean_notebook("n.ipynb")
    assert Path("n.ipynb").read_text("utf-8") == content


def test_invalid_paths_raise() -> None:
    with pytest.raises(tpa.ShareError, match=r"gone\.ipynb cannot be read: No such file"):
        tpa.clean_notebook("gone.ipynb")
    with pytest.raises(tpa.ShareError, match=r"not a notebook. Pass a path ending in \.ipynb"):
        tpa.clean_notebook("x.txt")
    Path("there.ipynb").mkdir()
    with pytest.raises(tpa.ShareError, match=r"there\.ipynb cannot be written"):
        tpa.clean_notebook(NOTEBOOK, "there.ipynb")
    assert [entry.name for entry in Path().iterdir()] == ["there.ipynb"]
