"""Run the example notebooks; `python -m tests.notebooks` writes what they show, and the README's picture, anew."""

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
#: Bytes of a notebook, and by how much it may outgrow the committed one.
MOST, GROWTH = 600_000, 1.05
#: What a committed output may be; anything else is bulk, or shows nothing without a kernel.
KINDS = {"text/plain", "text/html", "image/png"}
#: Of a live widget; without its state, which is not kept, it shows nothing.
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: What a cell prints that lacks a package it needs, and goes on.
NOT_HERE = "Not run here"
_ABSOLUTE = re.compile(r"(?<![\w.:/~%-])/(?:home|root|Users|tmp|work|usr|opt|var|mnt)/|\b[A-Z]:\\{1,2}\w")


def run(path: Path, folder: Path, *, seconds: float = SECONDS) -> Any:
    """Run a notebook in `folder` and give it with its outputs, and nothing of the machine or the moment in it.

    After so many seconds its kernel is killed, whatever it is doing.

    Raises
    ------
    TimeoutError
        If a cell or all of them take too long.
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
                if limit.expired():  # it is dead because the time was up
                    raise TimeoutError from None
                raise

    asyncio.run(limited())
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        # The picture of an explorer is an output of its own, beside its widget.
        cell.get("outputs", [])[:] = [one for one in cell.get("outputs", []) if set(one.get("data", {})) != {_WIDGET}]
    for output in _outputs(notebook):
        output.get("data", {}).pop(_WIDGET, None)
    return notebook


def written(notebook: Any) -> str:
    """Give the text of a notebook's file."""
    return str(nbformat.writes(notebook)) + "\n"


def lacking(notebook: Any) -> list[str]:
    """Give what the cells of a notebook say that could not be run for want of a package."""
    return [output.text for output in _outputs(notebook) if NOT_HERE in output.get("text", "")]


def faults(committed: Any, executed: Any) -> list[str]:
    """Say what is wrong with a notebook that was run, beside what is committed of it; nothing if all is well."""
    found = [*_of_itself(executed), *_changed(committed, executed)]
    before, after = len(written(committed).encode()), len(written(executed).encode())
    if after > before * GROWTH:
        found.append(f"grew from {before:,} to {after:,} bytes")
    return found


def _of_itself(notebook: Any) -> list[str]:
    found = []
    size = len(written(notebook).encode())
    if size > MOST:
        found.append(f"{size:,} bytes are more than {MOST:,}")
    if "widgets" in notebook.metadata:
        found.append("state of widgets")
    for output in _outputs(notebook):
        if output.output_type == "error":
            found.append(f"an error: {output.ename}: {output.evalue}")
        if output.get("name") == "stderr":
            found.append(f"a warning: {output.text.strip()}")
        if other := output.get("data", {}).keys() - KINDS:
            found.append(f"outputs of the kind {', '.join(sorted(other))}")
        told = json.dumps({name: text for name, text in output.get("data", {}).items() if name != "image/png"})
        told += str(output.get("text", ""))
        if "<script" in told:
            found.append("a script")
        if path := _path_in(told):
            found.append(f"an absolute path: {path}")
    return found


def _path_in(text: str) -> str | None:
    here = [str(Path.home()), tempfile.gettempdir(), sys.prefix, str(FOLDER.parent)]
    known = next((path for path in here if len(path) > 3 and path in text), None)
    match = _ABSOLUTE.search(text)
    return known or (match[0] if match else None)


def _changed(committed: Any, executed: Any) -> list[str]:
    """Compare what the cells show; of pictures only that they are there and how large, since renderers differ."""
    found = []
    for cell, other in zip(committed.cells, executed.cells, strict=True):
        (before, sizes), (after, other_sizes) = _shown(cell), _shown(other)
        if "may-lack-a-package" in cell.metadata.get("tags", ()) and NOT_HERE in json.dumps(after):
            continue
        if before != after or any(abs(one - two) > 0.1 * one for one, two in zip(sizes, other_sizes, strict=True)):
            found.append(f"cell {cell.id!r} shows something else; run `python -m tests.notebooks`: {after}")
    return found


def _shown(cell: Any) -> tuple[list[dict[str, Any]], list[int]]:
    """Give what a cell shows, without the pixels of pictures, and the pictures' widths and heights."""
    shown, sizes = [], []
    for output in json.loads(json.dumps(cell.get("outputs", []))):
        picture = output.get("data", {}).pop("image/png", None)
        size = output.pop("metadata", {}).get("image/png", {})
        if picture is not None:
            sizes += [size["width"], size["height"]]
        shown.append({**output, "picture": picture is not None})
    return shown, sizes


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def main(names: list[str]) -> int:
    """Run each notebook, or those that are named, and write it back; draw the picture."""
    for path in NOTEBOOKS:
        if names and not any(name in path.stem for name in names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            executed = run(path, Path(folder))
        if lacking(executed):
            print(f"{path.name}: left as it is; a package that it needs is not on this machine")
            continue
        text = written(executed)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path.name}: {len(text.encode()) / 1000:.0f} kB")
    if not names:
        chart = tpa.plot_impact(tpa.load_sample(), weight="hours")
        print(tpa.save(chart, PICTURE, scale=1.5).name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
