"""A notebook run with other parameters: what it says when it fails, and what its file does not tell."""

from __future__ import annotations

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
from tpanalytics.share import run_notebook as running
from tpanalytics.share.run_notebook import parameters_of, run_notebook

#: What libraries of other versions warn of in this process.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def template(*sources: str, tags: Any = ("parameters",), first: str = "family = 'Sales'\nsnapshot = None") -> Path:
    cells = [v4.new_markdown_cell("# About <a family>", id="title")]
    cells.append(v4.new_code_cell(first, id="first", metadata={"tags": list(tags)}))
    cells += [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources, start=3)]
    path = Path("template.ipynb")
    path.write_text(nbformat.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def tagged(made: Any, tag: str) -> list[int]:
    return [n for n, cell in enumerate(made.cells) if tag in cell.metadata.get("tags", ())]


REFUSED: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "no file": (lambda: Path("none.ipynb"), "out.html", {}, "cannot be read"),
    "no notebook": (lambda: Path("text.ipynb"), "out.html", {}, "is no notebook"),
    "half a notebook": (lambda: Path("half.ipynb"), "out.html", {}, "is no whole notebook ('source' is a required"),
    "no parameters": (lambda: template(tags=()), "out.html", {}, "no cell tagged 'parameters'"),
    "no Python": (lambda: template(first="%time x = 1"), "out.html", {}, "is no Python"),
    "another parameter": (
        template,
        "out.html",
        {"famly": "Sales"},
        "has no parameter 'famly'; it has family, snapshot",
    ),
    "a frame": (template, "out.html", {"family": pl.DataFrame()}, "'family' is a DataFrame"),
    "no number": (template, "out.html", {"family": float("nan")}, "'family' is a float"),
    "another suffix": (template, "out.pdf", {}, ".ipynb or .html"),
}


@pytest.mark.parametrize(("made", "out", "given_", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_run_is_refused_before_it_is(made: Any, out: str, given_: dict[str, Any], said: str) -> None:
    Path("text.ipynb").write_text('{"cells": 1}', encoding="utf-8")
    half = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "raw", "metadata": {}}]}
    Path("half.ipynb").write_text(json.dumps(half), encoding="utf-8")
    path = made()
    with pytest.raises(tpa.ShareError, match=re.escape(said)):
        run_notebook(path, out, given_)
    assert not Path(out).exists()


@pytest.mark.parametrize("package", ["ipykernel", "nbclient", "nbconvert", "nbformat"])
def test_without_what_runs_notebooks_the_extra_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = template()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tpa.ConfigError, match=rf'{package}: pip install "tpanalytics\[report\]"'):
        run_notebook(path, "out.html")


FAILURES = {
    "an error": ("import tpanalytics\nraise tpanalytics.ShareError('it is\\nhidden')", "ShareError: it is hidden."),
    "a check": ("assert 1 > 2", "AssertionError, without a word."),
    "the kernel died": ("import os\nos._exit(3)", "its kernel died"),
    "too long": ("import time\ntime.sleep(600)", "it took more than 4 seconds"),
}


@pytest.mark.parametrize(("source", "said"), FAILURES.values(), ids=FAILURES)
def test_a_failing_cell_is_named_without_a_traceback_and_leaves_what_was_there(source: str, said: str) -> None:
    out = Path("out.ipynb")
    out.write_text("as it was", encoding="utf-8")
    with pytest.raises(tpa.ShareError) as caught:
        run_notebook(template("1", source, "2"), out, {"family": "Finance"}, seconds=4)
    assert str(caught.value).startswith(f"template.ipynb, cell 4 ('cell-4'): {said}")
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    assert out.read_text(encoding="utf-8") == "as it was"
    assert sorted(path.name for path in Path().iterdir()) == ["out.ipynb", "template.ipynb"]


TELLING = """
import os, sys, tempfile, warnings
from IPython.display import display
print(snapshot, repr(snapshot), os.getcwd(), sys.prefix, tempfile.gettempdir(), os.path.expanduser("~"))
display({"text/html": f"<p>{snapshot}</p>", "text/plain": snapshot}, raw=True)
warnings.warn("careful")
assert os.path.isdir(snapshot)
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Run a notebook that tells all it can of the machine and shows a picture beside a widget, as both kinds."""
    folder = tmp_path_factory.mktemp("kept")
    place = folder / "of-anna" / "2026-11"
    place.mkdir(parents=True)
    view = '"application/vnd.jupyter.widget-view+json": {"model_id": "1", "version_major": 2, "version_minor": 0}'
    shows = f'display({{"image/png": "{PIXEL}", "text/plain": "a <dot>", {view}}}, raw=True)'
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        path = template(TELLING, shows, "print(family)")
        before = path.read_bytes()
        parameters = {"family": 'O\'Brien & "Söhne"', "snapshot": place}
        texts = [run_notebook(path, f"new/out{kind}", parameters).read_text("utf-8") for kind in (".ipynb", ".html")]
        assert path.read_bytes() == before
    return place, texts[0], texts[1]


def test_no_path_of_the_machine_is_in_the_file(both: tuple[Path, str, str]) -> None:
    place, *texts = both
    for text in texts:
        assert "2026-11" in text
        for secret in ("of-anna", str(place), str(place.parent.parent), sys.prefix, str(Path.home()) + "/"):
            assert secret not in text, secret
        assert "UserWarning: careful" in text
        assert not re.search(r"\.py:\d+", text)


def test_the_values_come_after_the_defaults(both: tuple[Path, str, str]) -> None:
    made = nbformat.reads(both[1], as_version=4)
    nbformat.validate(made)
    assert tagged(made, "injected-parameters") == [tagged(made, "parameters")[0] + 1]
    put_in = made.cells[tagged(made, "injected-parameters")[0]]
    names: dict[str, Any] = {}
    exec(put_in.source, names)
    assert (names["family"], names["snapshot"]) == ('O\'Brien & "Söhne"', "2026-11")
    assert made.cells[-1].outputs[0].text == 'O\'Brien & "Söhne"\n'
    assert made.metadata.keys() == {"kernelspec", "language_info"}
    assert "widget" not in both[1].replace("widget-view+json", "", 1), "in the code alone"


def test_a_run_run_notebooks_again_and_is_the_same() -> None:
    first = run_notebook(template("print(family)"), "first.ipynb", {"family": "Finance"})
    again = run_notebook(first, "again.ipynb", {"family": "Finance"})
    assert again.read_bytes() == first.read_bytes()
    assert len(tagged(nbformat.read(again, as_version=4), "injected-parameters")) == 1


def test_the_page_needs_no_script_and_no_other_host(both: tuple[Path, str, str]) -> None:
    page = both[2]
    assert "<script" not in page.lower()
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", page)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page
    assert "<title>About &lt;a family&gt;</title>" in page
    assert f'alt="{html.escape("a <dot>")}"' in page
    assert page.count("<summary>Code</summary>") == 5
    Path("page.html").write_text(page, encoding="utf-8")
    found = tpa.check_share("page.html")
    assert {"absolute path", "external request", "script", "secret"}.isdisjoint(found["what"])


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)))
def test_any_plain_value_arrives_as_it_is(value: Any) -> None:
    names: dict[str, Any] = {}
    exec(running._source({"value": value}), names)
    assert names["value"] == value
    assert json.dumps(names["value"]) == json.dumps(value)


def test_the_names_that_can_be_set_are_known() -> None:
    path = template(first="a = b = 1\nc, d = 2, 3\ne: int = 4\nprint(f)\ndel a")
    assert parameters_of(path) == {"a", "b", "c", "d", "e"}
