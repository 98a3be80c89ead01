"""Run parameterized notebooks.

Parameters work as in papermill: a cell tagged ``parameters`` contains the defaults, and a cell tagged
``injected-parameters`` is inserted after it.
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

__all__ = ["notebook_parameters", "run_notebook"]

_SHOWN = "# Parameters (paths shortened to the last part)"
_TAG, _INJECTED = "parameters", "injected-parameters"
_PNG, _WIDGET = "image/png", "application/vnd.jupyter.widget-view+json"
#: Matches a warning's location and source line, which contain a local path.
_WARNING = re.compile(r"(?m)^\S+:\d+: (\w+: .*\n)(?: +\S.*\n)?")
_BODY = """{%- extends "basic/index.html.j2" -%}
{% block input_group %}<details><summary>Code</summary>{{ super() }}</details>{% endblock %}"""
#: Template for a page without scripts. The content security policy blocks all requests.
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


def notebook_parameters(notebook: str | Path) -> frozenset[str]:
    """Return the parameter names assigned in the notebook cell tagged ``parameters``."""
    path = local_path(notebook)
    cells = _read(path).cells
    return _assigned(path, cells[_position(path, cells)])


def run_notebook(
    notebook: str | Path,
    out: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    title: str | None = None,
    seconds: float = 600,
) -> Path:
    """Run a notebook with the given parameters and write the result as ``.ipynb`` or ``.html``.

    The notebook runs in a new kernel in the working directory. Widget state and timestamps are removed from the output,
    and paths are shortened to the last part. `seconds` is the timeout per cell.

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
        raise ShareError(f"{out.name}: a notebook can only be saved as .ipynb or .html.")
    values = dict(parameters or {})
    content = _read(path)
    position = _inject(path, content, values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hide warnings from nbclient and nbconvert
        _execute(path, content, seconds)
        content.cells[position].source = _source({name: _last_part(value) for name, value in values.items()}, _SHOWN)
        _clean(content, _replacements(values))
        text = _page(content, title) if out.suffix.lower() == ".html" else _text(content)
    return save_text(text, out)


def _import_packages() -> tuple[Any, Any, Any]:
    try:
        import ipykernel  # noqa: F401  fail here, with a clearer error than the kernel process
        import nbclient
        import nbconvert
        import nbformat
    except ImportError as error:
        raise ConfigError(f'Running a notebook requires {error.name}. Run: pip install "tpanalytics[report]"') from None
    return nbclient, nbformat, nbconvert


def _read(path: Path) -> Any:
    _, nbformat, _ = _import_packages()
    content = read_notebook(path)
    for n, cell in enumerate(content["cells"], start=1):
        cell.setdefault("id", f"cell-{n}")  # cell IDs were added in format 4.5
    content["nbformat_minor"] = max(content.get("nbformat_minor", 0), 5)
    try:
        nbformat.validate(content)
    except nbformat.ValidationError as error:
        reason = str(error).splitlines()[0]
        raise ShareError(
            f"{path.name} is not a valid notebook ({reason}). Open it in Jupyter and save it again."
        ) from None
    return nbformat.reads(json.dumps(content), as_version=4)


def _position(path: Path, cells: list[Any]) -> int:
    for n, cell in enumerate(cells):
        if cell.cell_type == "code" and _TAG in cell.metadata.get("tags", ()):
            return n
    raise ShareError(f"{path.name} has no cell tagged {_TAG!r}. Add the tag to the cell that assigns the parameters.")


def _assigned(path: Path, cell: Any) -> frozenset[str]:
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        raise ShareError(f"{path.name}: the cell tagged {_TAG!r} must contain only Python assignments.") from None
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(names)


def _inject(path: Path, notebook: Any, values: Mapping[str, Any]) -> int:
    """Insert a cell with the parameter values after the defaults and return its position."""
    _, nbformat, _ = _import_packages()
    notebook.cells = [cell for cell in notebook.cells if _INJECTED not in cell.metadata.get("tags", ())]
    position = _position(path, notebook.cells)
    parameters = _assigned(path, notebook.cells[position])
    if unknown := sorted(values.keys() - parameters):
        names, available = ", ".join(map(repr, unknown)), ", ".join(sorted(parameters)) or "none"
        raise ShareError(f"{path.name} has no parameter {names}. Available parameters: {available}.")
    cell = nbformat.v4.new_code_cell(_source(values), metadata={"tags": [_INJECTED]})
    cell.id = _INJECTED
    notebook.cells.insert(position + 1, cell)
    return position + 1


def _source(values: Mapping[str, Any], head: str = "# Parameters") -> str:
    lines = [head]
    for name, value in values.items():
        literal = repr(str(value.resolve()) if isinstance(value, Path) else value)
        try:
            ast.literal_eval(literal)
        except (ValueError, SyntaxError):
            raise ShareError(
                f"Parameter {name!r} must be a path, string, finite number, bool or None, or a list, tuple or dict of "
                f"these, not {type(value).__name__}."
            ) from None
        lines.append(f"{name} = {literal}")
    return "\n".join(lines)


def _last_part(value: Any) -> Any:
    return value.resolve().name if isinstance(value, Path) else value


def _execute(path: Path, notebook: Any, seconds: float) -> None:
    nbclient, _, _ = _import_packages()
    from jupyter_client.kernelspec import NoSuchKernel

    started: list[Any] = []
    client = nbclient.NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        on_cell_start=lambda cell, **_: started.append(cell),
        log=_silent_logger(),
    )
    try:
        # Discard the kernel's messages about sockets and files.
        client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except nbclient.exceptions.CellExecutionError as error:
        text = " ".join(str(error.evalue).split())[:600]
        reason = f"{error.ename}: {text}" if text else f"{error.ename} without a message"
    except nbclient.exceptions.CellTimeoutError:
        reason = f"the cell took longer than {seconds:g} seconds"
    except nbclient.exceptions.DeadKernelError:
        reason = "the kernel died, possibly because it ran out of memory"
    except NoSuchKernel:
        raise ConfigError(
            'Running a notebook requires a Python kernel. Run: pip install "tpanalytics[report]"'
        ) from None
    else:
        return
    cells = [cell for cell in notebook.cells if cell.id != _INJECTED]  # number cells as in the original notebook
    where = [f"cell {n} ({cell.id!r})" for n, cell in enumerate(cells, start=1) if started and cell is started[-1]]
    raise ShareError(f"{path.name}, {where[0] if where else 'before the first cell'}: {reason}. No file was written.")


def _silent_logger() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    return logger


def _replacements(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the replacements for local paths, longest paths first."""
    paths = [value.resolve() for value in values.values() if isinstance(value, Path)]
    texts = {str(path): path.name for path in paths}
    folders = (*(path.parent for path in paths), Path.cwd(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix))
    texts |= {str(folder): "…" for folder in folders if folder != Path(folder.anchor) and str(folder) not in texts}
    texts |= {repr(path)[1:-1]: text for path, text in texts.items()}  # also match paths with escaped backslashes
    return dict(sorted(texts.items(), key=lambda pair: -len(pair[0])))


def _clean(notebook: Any, replacements: Mapping[str, str]) -> None:
    """Remove machine details, local paths and widget outputs."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        # An explorer's image is a separate output, so drop the widget output.
        outputs = cell.get("outputs", [])
        outputs[:] = [output for output in outputs if set(output.get("data", {})) != {_WIDGET}]
    for output in _outputs(notebook):
        if output.get("name") == "stderr":
            output.text = _WARNING.sub(r"\1", output.text)
        if "text" in output:
            output.text = _without_paths(output.text, replacements)
        data = output.get("data", {})
        if _WIDGET in data and _PNG in data:
            del data[_WIDGET]
        for kind, content in data.items():
            if isinstance(content, str) and not kind.startswith("image/png"):
                data[kind] = _without_paths(content, replacements)


def _without_paths(text: str, replacements: Mapping[str, str]) -> str:
    for path, replacement in replacements.items():
        text = text.replace(path, replacement)
    return text


def _outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def _text(notebook: Any) -> str:
    _, nbformat, _ = _import_packages()
    return f"{nbformat.writes(notebook)}\n"


def _page(notebook: Any, title: str | None) -> str:
    _, _, nbconvert = _import_packages()
    notebook = copy.deepcopy(notebook)
    for output in _outputs(notebook):
        if _PNG in output.get("data", {}):
            size = output.setdefault("metadata", {}).setdefault(_PNG, {})
            size["alt"] = output.data.get("text/plain", "Picture")
    exporter = nbconvert.HTMLExporter(
        template_name="basic",
        raw_template=_BODY,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        log=_silent_logger(),
    )
    body, _ = exporter.from_notebook_node(notebook)
    matches = (re.search(r"(?m)^#+ +(.+)$", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    heading = next((match[1] for match in matches if match), "Report")
    return _PAGE.format(title=html.escape(title or heading), body=body)
