"""Run the example notebooks. `python -m tests.notebooks` updates their outputs and the picture of the README."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

import tpanalytics as tpa

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PICTURE = FOLDER / "pictures" / "impact.png"
SECONDS_PER_CELL, SECONDS = 100, 180
#: Maximum size in bytes, and maximum growth over the committed notebook.
MAX_BYTES, MAX_GROWTH = 600_000, 1.05
#: Allowed MIME types of outputs.
MIME_TYPES = {"text/plain", "text/html", "image/png"}
#: Removed from outputs, because the state of widgets is not stored.
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Start of the text that a cell prints if an optional package is missing.
NOT_RUN = "Not run here"
_ABSOLUTE = re.compile(r"(?<![\w.:/~%-])/(?:home|root|Users|tmp|work|usr|opt|var|mnt)/|\b[A-Z]:\\{1,2}\w")


def run(path: Path, folder: Path, *, seconds: float = SECONDS) -> Any:
    """Run a notebook in `folder` and return it with reproducible outputs.

    Raises a `TimeoutError` and kills the kernel if a cell or the notebook takes too long.
    """
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=min(SECONDS_PER_CELL, seconds),
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    )

    async def limited() -> None:
        async with asyncio.timeout(seconds) as limit:
            try:
                await client.async_execute()
            except DeadKernelError:
                if limit.expired():  # the kernel was killed after the timeout
                    raise TimeoutError from None
                raise

    asyncio.run(limited())
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        # An explorer has a separate output with its picture.
        outputs = cell.get("outputs", [])
        outputs[:] = [output for output in outputs if set(output.get("data", {})) != {_WIDGET}]
    for output in _outputs(notebook):
        output.get("data", {}).pop(_WIDGET, None)
    return notebook


def to_text(notebook: Any) -> str:
    """Return the text of a notebook's file."""
    return str(nbformat.writes(notebook)) + "\n"


def skipped(notebook: Any) -> list[str]:
    """Return the messages of cells that were not run because a package is missing."""
    return [output.text for output in _outputs(notebook) if NOT_RUN in output.get("text", "")]


def problems(committed: Any, executed: Any) -> list[str]:
    """Return the problems of an executed notebook and its differences from the committed one."""
    result = [*_output_problems(executed), *_differences(committed, executed)]
    before, after = len(to_text(committed).encode()), len(to_text(executed).encode())
    if after > before * MAX_GROWTH:
        result.append(f"grew from {before:,} to {after:,} bytes")
    return result


def _output_problems(notebook: Any) -> list[str]:
    result = []
    size = len(to_text(notebook).encode())
    if size > MAX_BYTES:
        result.append(f"{size:,} bytes are more than {MAX_BYTES:,}")
    if "widgets" in notebook.metadata:
        result.append("widget state")
    for output in _outputs(notebook):
        if output.output_type == "error":
            result.append(f"an error: {output.ename}: {output.evalue}")
        if output.get("name") == "stderr":
            result.append(f"a warning: {output.text.strip()}")
        if other := output.get("data", {}).keys() - MIME_TYPES:
            result.append(f"outputs of type {', '.join(sorted(other))}")
        text = json.dumps({name: value for name, value in output.get("data", {}).items() if name != "image/png"})
        text += str(output.get("text", ""))
        if "<script" in text:
            result.append("a script")
        if path := _absolute_path(text):
            result.append(f"an absolute path: {path}")
    return result


def _absolute_path(text: str) -> str | None:
    prefixes = [str(Path.home()), tempfile.gettempdir(), sys.prefix, str(FOLDER.parent)]
    prefix = next((path for path in prefixes if len(path) > 3 and path in text), None)
    match = _ABSOLUTE.search(text)
    return prefix or (match[0] if match else None)


def _differences(committed: Any, executed: Any) -> list[str]:
    # Compare only the size of pictures, because renderers differ.
    result = []
    for cell, other in zip(committed.cells, executed.cells, strict=True):
        (before, sizes), (after, other_sizes) = _comparable(cell), _comparable(other)
        if "may-lack-a-package" in cell.metadata.get("tags", ()) and NOT_RUN in json.dumps(after):
            continue
        if before != after or any(abs(old - new) > 0.1 * old for old, new in zip(sizes, other_sizes, strict=True)):
            result.append(f"cell {cell.id!r} has different outputs, run `python -m tests.notebooks`: {after}")
    return result


def _comparable(cell: Any) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the outputs of a cell without pixels, and the widths and heights of its pictures."""
    outputs, sizes = [], []
    for output in json.loads(json.dumps(cell.get("outputs", []))):
        picture = output.get("data", {}).pop("image/png", None)
        size = output.pop("metadata", {}).get("image/png", {})
        if picture is not None:
            sizes += [size["width"], size["height"]]
        outputs.append({**output, "picture": picture is not None})
    return outputs, sizes


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def main(names: list[str]) -> int:
    """Run all notebooks or those with the given names, and update their files."""
    for path in NOTEBOOKS:
        if names and not any(name in path.stem for name in names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            executed = run(path, Path(folder))
        if skipped(executed):
            print(f"{path.name}: not updated, because an optional package is missing")
            continue
        text = to_text(executed)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path.name}: {len(text.encode()) / 1000:.0f} kB")
    if not names:
        chart = tpa.plot_impact(tpa.load_sample(), weight="hours")
        print(tpa.save(chart, PICTURE, scale=1.5).name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
