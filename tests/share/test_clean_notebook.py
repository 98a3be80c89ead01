"""A cleaned notebook keeps its words and pictures, carries no data, and is the same when cleaned again."""

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
def picture() -> str:
    from tpanalytics.charts._core.render import png

    return base64.b64encode(png(tpa.plot_hours(tpa.load_sample()).to_dict(), 0.2)).decode()


def output(kind: str = "display_data", **data: Any) -> Any:
    return nbformat.v4.new_output(kind, data={name.replace("_", "/"): part for name, part in data.items()})


def written(*outputs: Any, name: str = "n.ipynb", **metadata: Any) -> Path:
    cell = nbformat.v4.new_code_cell("look()", outputs=list(outputs), execution_count=7)
    text = nbformat.v4.new_markdown_cell("# Words stay")
    nbformat.write(nbformat.v4.new_notebook(cells=[text, cell], metadata=metadata), name)
    return Path(name)


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_words_and_pictures_stay_and_data_go() -> None:
    before = read(NOTEBOOK)
    dropped = tpa.clean_notebook(NOTEBOOK, "clean.ipynb")
    after = read(Path("clean.ipynb"))
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    shown = [out for cell in before.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    kept = [out for cell in after.cells for out in cell.get("outputs", [])]
    assert len(kept) == len(shown) > 0
    for out, whole in zip(kept, shown, strict=True):
        assert set(out.data) == {"image/png", "text/plain"}
        assert out.data["text/plain"] == whole.data["text/plain"], "the description of a picture stays"
        assert out.metadata == whole.metadata
        assert out.data["image/png"].strip() == whole.data["image/png"].replace("\n", "")
    assert all(cell.execution_count is None for cell in after.cells if cell.cell_type == "code")
    assert "output text/html" in dropped["what"].to_list()
    assert dropped["cell"].is_sorted()
    found = tpa.check_share("clean.ipynb")
    assert set(found["what"]) == {"picture", "text"}


def test_cleaning_again_changes_no_byte() -> None:
    tpa.clean_notebook(NOTEBOOK, "clean.ipynb")
    once = Path("clean.ipynb").read_bytes()
    assert tpa.clean_notebook("clean.ipynb").height == 0
    assert Path("clean.ipynb").read_bytes() == once
    assert NOTEBOOK.read_bytes() != once
    assert [entry.name for entry in Path().iterdir()] == ["clean.ipynb"]


def test_tables_texts_errors_and_widgets_go(picture: str) -> None:
    error = nbformat.v4.new_output("error", ename="E", evalue="CANARY", traceback=["/home/anna/CANARY.py"])
    path = written(
        nbformat.v4.new_output("stream", text="CANARY 31 h"),
        output(text_html="<table><tr><td>CANARY</td></tr></table>", text_plain="CANARY"),
        output("execute_result", text_plain="CANARY"),
        output("execute_result", image_png=picture, text_plain="Dots of hours.", application_json={"a": "CANARY"}),
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
    assert [dict(out.data) for out in cell.outputs] == [{"image/png": picture, "text/plain": "Dots of hours."}]
    assert read(path).metadata == {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    gone = set(dropped["what"])
    assert {
        "printed text",
        "output text/html",
        f"output {VIEW}",
        "traceback",
        "widget state",
        "execution count",
    } <= gone
    assert {"metadata execution", "metadata papermill", "output application/json", "output image/svg+xml"} <= gone


@pytest.mark.parametrize("text", ["shape: (1, 1)\n┌───┐\n│ a │", "a  b  c\n1  2  3", "[{'a': 1}]", "/home/anna/x.png"])
def test_data_beside_a_picture_go_and_the_picture_stays(text: str, picture: str) -> None:
    path = written(output(image_png=picture, text_plain=text))
    tpa.clean_notebook(path)
    assert [set(out.data) for out in read(path).cells[1].outputs] == [{"image/png"}]


def test_what_a_picture_says_beside_its_pixels_goes(picture: str) -> None:
    told = with_chunk(base64.b64decode(picture), b"tEXt", b"Source\0/home/anna/x.py")
    path = written(output(image_png=base64.b64encode(told).decode()), output(image_png="bm90IGEgcGljdHVyZQ=="))
    assert "texts in a picture" in tpa.clean_notebook(path)["what"].to_list()
    outputs = read(path).cells[1].outputs
    assert [out.data["image/png"] for out in outputs] == [picture], "what is no picture goes as well"


def test_attachments_are_pictures_or_go(picture: str) -> None:
    cell = nbformat.v4.new_markdown_cell("![a](attachment:a.png)")
    cell.attachments = {"a.png": {"image/png": picture}, "b.csv": {"text/csv": "CANARY"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), "n.ipynb")
    tpa.clean_notebook("n.ipynb")
    assert read(Path("n.ipynb")).cells[0].attachments == {"a.png": {"image/png": picture}}


def test_older_minor_formats_stay_valid() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.nbformat_minor = 2
    for cell in notebook.cells:
        del cell["id"]
    Path("old.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    tpa.clean_notebook("old.ipynb")
    assert read(Path("old.ipynb")).nbformat_minor == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "it is no JSON"),
        ("[]", "no notebook of format 4; open it in Jupyter"),
        ('{"nbformat": 3, "worksheets": []}', "no notebook of format 4"),
        ('{"nbformat": 4, "cells": [1]}', "no notebook of format 4"),
    ],
)
def test_what_is_no_notebook_is_said_and_left_alone(content: str, said: str) -> None:
    Path("n.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(tpa.ShareError, match=said):
        tpa.clean_notebook("n.ipynb")
    assert Path("n.ipynb").read_text("utf-8") == content


def test_files_that_cannot_be_are_said() -> None:
    with pytest.raises(tpa.ShareError, match=r"gone\.ipynb cannot be read: No such file"):
        tpa.clean_notebook("gone.ipynb")
    with pytest.raises(tpa.ShareError, match=r"its name must end in \.ipynb"):
        tpa.clean_notebook("x.txt")
    Path("there.ipynb").mkdir()
    with pytest.raises(tpa.ShareError, match=r"there\.ipynb cannot be written"):
        tpa.clean_notebook(NOTEBOOK, "there.ipynb")
    assert [entry.name for entry in Path().iterdir()] == ["there.ipynb"]
