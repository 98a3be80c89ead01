"""Tests of `run_notebook`."""

from __future__ import annotations

import copy
import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from hypothesis import given, strategies as st
from nbformat import v4

import tpanalytics as tpa
from tests.helpers.notebooks_in_process import in_process
from tpanalytics.share import run_notebook as running
from tpanalytics.share.run_notebook import notebook_parameters, run_notebook

__all__ = ["in_process"]

#: Warnings of the Jupyter libraries.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def template(*sources: str, tags: Any = ("parameters",), first: str = "family = 'Sales'\nsnapshot = None") -> Path:
    cells = [v4.new_markdown_cell("# About <a family>", id="title")]
    cells.append(v4.new_code_cell(first, id="first", metadata={"tags": list(tags)}))
    cells += [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources, start=3)]
    path = Path("template.ipynb")
    path.write_text(nbformat.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def tagged(notebook: Any, tag: str) -> list[int]:
    return [n for n, cell in enumerate(notebook.cells) if tag in cell.metadata.get("tags", ())]


INVALID: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "missing file": (lambda: Path("none.ipynb"), "out.html", {}, "cannot be read"),
    "not a notebook": (lambda: Path("text.ipynb"), "out.html", {}, "is not a notebook in format 4"),
    "incomplete": (lambda: Path("half.ipynb"), "out.html", {}, "is not a valid notebook ('source' is a required"),
    "no parameters": (lambda: template(tags=()), "out.html", {}, "no cell tagged 'parameters'"),
    "not Python": (lambda: template(first="%time x = 1"), "out.html", {}, "must contain only Python assignments"),
    "unknown parameter": (
        template,
        "out.html",
        {"famly": "Sales"},
        "has no parameter 'famly'. Available parameters: family, snapshot.",
    ),
    "data frame": (template, "out.html", {"family": pl.DataFrame()}, "of these, not DataFrame"),
    "NaN": (template, "out.html", {"family": float("nan")}, "'family' must be a path, string, finite number"),
    "suffix": (template, "out.pdf", {}, ".ipynb or .html"),
}


@pytest.mark.parametrize(("make", "out", "values", "message"), INVALID.values(), ids=INVALID)
def test_invalid_notebook_or_parameter_raises(make: Any, out: str, values: dict[str, Any], message: str) -> None:
    Path("text.ipynb").write_text('{"cells": 1}', encoding="utf-8")
    half = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "raw", "metadata": {}}]}
    Path("half.ipynb").write_text(json.dumps(half), encoding="utf-8")
    path = make()
    with pytest.raises(tpa.ShareError, match=re.escape(message)):
        run_notebook(path, out, values)
    assert not Path(out).exists()


@pytest.mark.parametrize("package", ["ipykernel", "nbclient", "nbconvert", "nbformat"])
def test_missing_package_raises_with_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = template()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tpa.ConfigError, match=rf'requires {package}\. Run: pip install "tpanalytics\[report\]"'):
        run_notebook(path, "out.html")


FAILURES = {
    "error": ("import tpanalytics\nraise tpanalytics.ShareError('it is\\nhidden')", "ShareError: it is hidden."),
    "assertion": ("assert 1 > 2", "AssertionError without a message."),
    "dead kernel": ("import os\nos._exit(3)", "the kernel died"),
    "timeout": ("import time\ntime.sleep(600)", "the cell took longer than 4 seconds"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "message"), FAILURES.values(), ids=FAILURES)
def test_failing_cell_raises_and_keeps_the_existing_file(source: str, message: str) -> None:
    out = Path("out.ipynb")
    out.write_text("old", encoding="utf-8")
    with pytest.raises(tpa.ShareError) as caught:
        run_notebook(template("1", source, "2"), out, {"family": "Finance"}, seconds=4)
    assert str(caught.value).startswith(f"template.ipynb, cell 4 ('cell-4'): {message}")
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    assert out.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["out.ipynb", "template.ipynb"]


REVEALING = """
import os, sys, tempfile, warnings
from IPython.display import display
print(snapshot, repr(snapshot), os.getcwd(), sys.prefix, tempfile.gettempdir(), os.path.expanduser("~"))
display({"text/html": f"<p>{snapshot}</p>", "text/plain": snapshot}, raw=True)
warnings.warn("careful")
assert os.path.isdir(snapshot)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return the .ipynb and .html of a notebook that prints local paths and shows an image next to a widget."""
    folder = tmp_path_factory.mktemp("output")
    snapshot = folder / "of-anna" / "2026-11"
    snapshot.mkdir(parents=True)
    view = '"application/vnd.jupyter.widget-view+json": {"model_id": "1", "version_major": 2, "version_minor": 0}'
    shows = f'display({{"image/png": "{PIXEL}", "text/plain": "a <dot>", {view}}}, raw=True)'
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        path = template(REVEALING, shows, "print(family)")
        before = path.read_bytes()
        parameters = {"family": 'O\'Brien & "Söhne"', "snapshot": snapshot}
        executed: list[Any] = []
        execute = running._execute

        def execute_once(template: Path, notebook: Any, seconds: float) -> None:
            if not executed:
                execute(template, notebook, seconds)
                executed.append(copy.deepcopy(notebook))
            notebook.update(copy.deepcopy(executed[0]))

        patch.setattr(running, "_execute", execute_once)
        texts = [run_notebook(path, f"new/out{kind}", parameters).read_text("utf-8") for kind in (".ipynb", ".html")]
        assert path.read_bytes() == before
    return snapshot, texts[0], texts[1]


def test_output_contains_no_local_paths(outputs: tuple[Path, str, str]) -> None:
    snapshot, *texts = outputs
    for text in texts:
        assert "2026-11" in text
        for path in ("of-anna", str(snapshot), str(snapshot.parent.parent), sys.prefix, str(Path.home()) + "/"):
            assert path not in text, path
        assert "UserWarning: careful" in text
        assert not re.search(r"\.py:\d+", text)


def test_values_are_injected_after_the_defaults(outputs: tuple[Path, str, str]) -> None:
    notebook = nbformat.reads(outputs[1], as_version=4)
    nbformat.validate(notebook)
    assert tagged(notebook, "injected-parameters") == [tagged(notebook, "parameters")[0] + 1]
    injected = notebook.cells[tagged(notebook, "injected-parameters")[0]]
    names: dict[str, Any] = {}
    exec(injected.source, names)
    assert (names["family"], names["snapshot"]) == ('O\'Brien & "Söhne"', "2026-11")
    assert notebook.cells[-1].outputs[0].text == 'O\'Brien & "Söhne"\n'
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}
    assert "widget" not in outputs[1].replace("widget-view+json", "", 1), "only in the code"


@pytest.mark.usefixtures("in_process")
def test_running_an_output_again_changes_nothing() -> None:
    first = run_notebook(template("print(family)"), "first.ipynb", {"family": "Finance"})
    again = run_notebook(first, "again.ipynb", {"family": "Finance"})
    assert again.read_bytes() == first.read_bytes()
    assert len(tagged(nbformat.read(again, as_version=4), "injected-parameters")) == 1


def test_page_has_no_scripts_and_makes_no_requests(outputs: tuple[Path, str, str]) -> None:
    page = outputs[2]
    assert "<script" not in page.lower()
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", page)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page
    assert "<title>About &lt;a family&gt;</title>" in page
    assert f'alt="{html.escape("a <dot>")}"' in page
    assert page.count("<summary>Code</summary>") == 5
    Path("page.html").write_text(page, encoding="utf-8")
    findings = tpa.check_share("page.html")
    assert {"absolute path", "external request", "script", "secret"}.isdisjoint(findings["what"])


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
def test_plain_values_round_trip_through_source(value: Any) -> None:
    names: dict[str, Any] = {}
    exec(running._source({"value": value}), names)
    assert names["value"] == value
    assert json.dumps(names["value"]) == json.dumps(value)


def test_parameters_are_the_assigned_names() -> None:
    path = template(first="a = b = 1\nc, d = 2, 3\ne: int = 4\nprint(f)\ndel a")
    assert notebook_parameters(path) == {"a", "b", "c", "d", "e"}
