"""Run a notebook with other parameters, and write it as a notebook or a page that tells nothing of the machine.

The convention is papermill's: a cell tagged ``parameters`` holds the defaults, and one tagged ``injected-parameters``
is put after it. So the same notebook runs under papermill too.
"""

from __future__ import annotations

import ast
import copy
import html
import json
import logging
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpanalytics._paths import local_path
from tpanalytics.errors import ConfigError, ShareError
from tpanalytics.share.clean_notebook import read_notebook
from tpanalytics.share.save import save_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["parameters_of", "run_notebook"]

_SHOWN = "# Parameters; of a file or folder its name alone"
_TAG, _INJECTED = "parameters", "injected-parameters"
_PNG, _WIDGET = "image/png", "application/vnd.jupyter.widget-view+json"
#: Where a warning stands in a file of the kernel's, and the line of code it is about.
_PLACE = re.compile(r"(?m)^\S+:\d+: (\w+: .*\n)(?: +\S.*\n)?")
_BODY = """{%- extends "basic/index.html.j2" -%}
{% block input_group %}<details><summary>Code</summary>{{ super() }}</details>{% endblock %}"""
#: Nothing is fetched from anywhere and nothing is run: the policy forbids it to the page itself.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 2rem auto; max-width: 66rem; padding: 0 1.2rem; color: #1b1b1f }}
body {{ font: 16px/1.55 "Liberation Sans", Arial, sans-serif }}
h1, h2, h3 {{ line-height: 1.25; margin: 2rem 0 .6rem }}
p, li {{ max-width: 46rem }}
img {{ max-width: 100%; height: auto }}
table {{ border: 0; border-collapse: collapse; font-size: .85rem; margin: .6rem 0 }}
th, td {{ border: 0; border-bottom: 1px solid #dce4e5; padding: .25rem .7rem; text-align: right }}
.output_html {{ overflow-x: auto }}
pre {{ white-space: pre-wrap; font-size: .85rem; overflow-wrap: anywhere }}
details {{ margin: .4rem 0; color: #5a5a60; font-size: .85rem }}
summary {{ cursor: pointer }}
details pre {{ background: #f4f6f6; padding: .7rem; color: #1b1b1f }}
@media print {{ details {{ display: none }} body {{ margin: 0 }} .output_png {{ break-inside: avoid }} }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def parameters_of(notebook: str | Path) -> frozenset[str]:
    """Give the names that a notebook lets one set: those its cell tagged ``parameters`` assigns."""
    path = local_path(notebook)
    cells = _read(path).cells
    return _assigned(path, cells[_place(path, cells)])


def run_notebook(
    notebook: str | Path,
    out: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    title: str | None = None,
    seconds: float = 600,
) -> Path:
    """Run a notebook with other parameters, and write it with what it then shows.

    It runs in a kernel of its own, in the working directory. What is written holds no state of widgets, no time and no
    path: of a `pathlib.Path` among the parameters, and wherever it is printed, the last part alone.

    Parameters
    ----------
    notebook
        An ``.ipynb`` file with a cell tagged ``parameters``; it is not changed.
    out
        ``.ipynb``, or ``.html``: one page without scripts that asks nothing of any host, the code folded away. It is
        written whole or not at all.
    parameters
        Name → value: a path, text, number, truth value or None, or a list, tuple or dict of such.
    title
        Of the page; by default the notebook's first heading.
    seconds
        How long a cell may take.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        If what runs notebooks is not installed.
    ShareError
        If it is no such notebook, a parameter is not among its own, a cell fails or takes too long, or the file cannot
        be written.

    Examples
    --------
    >>> import json, pathlib
    >>> cells = [
    ...     {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "family = 'Sales'"},
    ...     {"cell_type": "code", "metadata": {}, "source": "print(f'About {family}.')"},
    ... ]
    >>> cells = [{**cell, "execution_count": None, "outputs": []} for cell in cells]
    >>> text = json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})
    >>> pathlib.Path("about.ipynb").write_text(text) > 0
    True
    >>> page = run_notebook("about.ipynb", "finance.html", {"family": "Finance"})
    >>> "About Finance." in page.read_text(encoding="utf-8")
    True
    """
    path, out = local_path(notebook), local_path(out)
    if out.suffix.lower() not in {".ipynb", ".html"}:
        raise ShareError(f"{out.name}: a notebook is written as .ipynb or .html; give a path that ends so.")
    given = dict(parameters or {})
    made = _read(path)
    shown = _injected(path, made, given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the machinery that runs notebooks
        _execute(path, made, seconds)
        made.cells[shown].source = _source({name: _name_alone(value) for name, value in given.items()}, _SHOWN)
        _clean(made, _told_instead(given))
        text = _page(made, title) if out.suffix.lower() == ".html" else _text(made)
    return save_text(text, out)


def _needed() -> tuple[Any, Any, Any]:
    """Give what runs, reads and converts notebooks."""
    try:
        import ipykernel  # noqa: F401  the kernel is another process, which would fail less clearly
        import nbclient
        import nbconvert
        import nbformat
    except ImportError as error:
        raise ConfigError(f'Running a notebook needs {error.name}: pip install "tpanalytics[report]".') from None
    return nbclient, nbformat, nbconvert


def _read(path: Path) -> Any:
    _, nbformat, _ = _needed()
    told = read_notebook(path)
    for n, cell in enumerate(told["cells"], start=1):
        cell.setdefault("id", f"cell-{n}")  # older ones have none
    told["nbformat_minor"] = max(told.get("nbformat_minor", 0), 5)
    try:
        nbformat.validate(told)
    except nbformat.ValidationError as error:
        what = str(error).splitlines()[0]
        raise ShareError(f"{path.name} is no whole notebook ({what}); open it in Jupyter and save it anew.") from None
    return nbformat.reads(json.dumps(told), as_version=4)


def _place(path: Path, cells: list[Any]) -> int:
    for n, cell in enumerate(cells):
        if cell.cell_type == "code" and _TAG in cell.metadata.get("tags", ()):
            return n
    raise ShareError(f"{path.name} has no cell tagged {_TAG!r}; tag the one that sets what may be set from outside.")


def _assigned(path: Path, cell: Any) -> frozenset[str]:
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        raise ShareError(f"{path.name}: the cell tagged {_TAG!r} is no Python; it may hold assignments only.") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(names)


def _injected(path: Path, made: Any, given: Mapping[str, Any]) -> int:
    """Put the values after the defaults, and say where."""
    _, nbformat, _ = _needed()
    made.cells = [cell for cell in made.cells if _INJECTED not in cell.metadata.get("tags", ())]
    place = _place(path, made.cells)
    known = _assigned(path, made.cells[place])
    if unknown := sorted(given.keys() - known):
        names, there = ", ".join(map(repr, unknown)), ", ".join(sorted(known)) or "none"
        raise ShareError(f"{path.name} has no parameter {names}; it has {there}.")
    cell = nbformat.v4.new_code_cell(_source(given), metadata={"tags": [_INJECTED]})
    cell.id = _INJECTED
    made.cells.insert(place + 1, cell)
    return place + 1


def _source(given: Mapping[str, Any], head: str = "# Parameters") -> str:
    lines = [head]
    for name, value in given.items():
        literal = repr(str(value.resolve()) if isinstance(value, Path) else value)
        try:
            ast.literal_eval(literal)
        except (ValueError, SyntaxError):
            said = "give a path, text, a finite number, True, False, None, or a list or dict of such."
            raise ShareError(f"The parameter {name!r} is a {type(value).__name__}; {said}") from None
        lines.append(f"{name} = {literal}")
    return "\n".join(lines)


def _name_alone(value: Any) -> Any:
    return value.resolve().name if isinstance(value, Path) else value


def _execute(path: Path, made: Any, seconds: float) -> None:
    """Run the cells, or say which one failed and with what."""
    nbclient, _, _ = _needed()
    from jupyter_client.kernelspec import NoSuchKernel

    begun: list[Any] = []
    client = nbclient.NotebookClient(
        made,
        timeout=seconds,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        on_cell_start=lambda cell, **_: begun.append(cell),
        log=_silent(),
    )
    try:
        # What the kernel's own process prints is about its sockets and files, not about the notebook.
        client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except nbclient.exceptions.CellExecutionError as error:
        said = " ".join(str(error.evalue).split())[:600]
        why = f"{error.ename}: {said}" if said else f"{error.ename}, without a word"
    except nbclient.exceptions.CellTimeoutError:
        why = f"it took more than {seconds:g} seconds"
    except nbclient.exceptions.DeadKernelError:
        why = "its kernel died, perhaps for want of memory"
    except NoSuchKernel:
        raise ConfigError('There is no Python kernel: pip install "tpanalytics[report]".') from None
    else:
        return
    cells = [cell for cell in made.cells if cell.id != _INJECTED]  # as they are counted in the notebook itself
    where = [f"cell {n} ({cell.id!r})" for n, cell in enumerate(cells, start=1) if begun and cell is begun[-1]]
    raise ShareError(f"{path.name}, {where[0] if where else 'before its first cell'}: {why}. Nothing was written.")


def _silent() -> logging.Logger:
    """Give a logger that nobody hears: what goes wrong is said by the error."""
    silent = logging.getLogger(__name__)
    silent.handlers, silent.propagate = [logging.NullHandler()], False
    return silent


def _told_instead(given: Mapping[str, Any]) -> dict[str, str]:
    """Give what is printed in place of each path of this machine, the longest first."""
    paths = [value.resolve() for value in given.values() if isinstance(value, Path)]
    told = {str(path): path.name for path in paths}
    folders = (*(path.parent for path in paths), Path.cwd(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix))
    told |= {str(folder): "…" for folder in folders if folder != Path(folder.anchor) and str(folder) not in told}
    told |= {repr(path)[1:-1]: name for path, name in told.items()}  # as text within text doubles what parts a path
    return dict(sorted(told.items(), key=lambda pair: -len(pair[0])))


def _clean(made: Any, told: Mapping[str, str]) -> None:
    """Take out what tells of the machine or needs a kernel."""
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in made.cells:
        # The picture of an explorer is an output of its own, beside its widget.
        cell.get("outputs", [])[:] = [one for one in cell.get("outputs", []) if set(one.get("data", {})) != {_WIDGET}]
    for output in _outputs(made):
        if output.get("name") == "stderr":
            output.text = _PLACE.sub(r"\1", output.text)
        if "text" in output:
            output.text = _without_paths(output.text, told)
        data = output.get("data", {})
        if _WIDGET in data and _PNG in data:
            del data[_WIDGET]
        for kind, content in data.items():
            if isinstance(content, str) and not kind.startswith("image/png"):
                data[kind] = _without_paths(content, told)


def _without_paths(text: str, told: Mapping[str, str]) -> str:
    for path, instead in told.items():
        text = text.replace(path, instead)
    return text


def _outputs(made: Any) -> Iterator[Any]:
    for cell in made.cells:
        yield from cell.get("outputs", ())


def _text(made: Any) -> str:
    _, nbformat, _ = _needed()
    return f"{nbformat.writes(made)}\n"


def _page(made: Any, title: str | None) -> str:
    _, _, nbconvert = _needed()
    made = copy.deepcopy(made)
    for output in _outputs(made):
        if _PNG in output.get("data", {}):
            size = output.setdefault("metadata", {}).setdefault(_PNG, {})
            size["alt"] = output.data.get("text/plain", "Picture")
    exporter = nbconvert.HTMLExporter(
        template_name="basic",
        raw_template=_BODY,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        log=_silent(),
    )
    body, _ = exporter.from_notebook_node(made)
    said = (re.search(r"(?m)^#+ +(.+)$", cell.source) for cell in made.cells if cell.cell_type == "markdown")
    heading = next((match[1] for match in said if match), "Report")
    return _PAGE.format(title=html.escape(title or heading), body=body)
