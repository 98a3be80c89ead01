"""Remove data from notebooks."""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics._paths import local_path
from tpanalytics.errors import ShareError
from tpanalytics.measures.privacy.policy import USUAL
from tpanalytics.share.inspect.detectors import detected
from tpanalytics.share.inspect.findings import Piece
from tpanalytics.share.inspect.readers.png import KEPT_CHUNKS, SIGNATURE, chunks
from tpanalytics.share.save import save_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["clean_notebook", "read_notebook"]

#: Notebook metadata to keep. Other metadata can contain timestamps, machine details or widget state.
_NOTEBOOK_METADATA = {"kernelspec": ("display_name", "language", "name"), "language_info": ("name",)}
_CELL_METADATA = ("collapsed", "deletable", "editable", "format", "jupyter", "name", "slideshow", "tags")
_PNG, _TEXT = "image/png", "text/plain"
#: Matches text that looks like a table or a Python container.
_TABLE = re.compile(r"[│┆╞┌]|^\S.*(?:\s{2,}\S+){2,}$|^\s*[\[{(]", re.MULTILINE)


def clean_notebook(path: str | Path, out: str | Path | None = None) -> pl.DataFrame:
    """Remove data from a notebook, but keep the text, code and images.

    Keeps Markdown and code cells, PNG images and image descriptions. Everything else is removed: tables and other
    outputs, printed text, tracebacks, widget state, execution counts, timestamps, image metadata and attachments other
    than PNG images. Code and text are not edited and can still contain data, so run `check_share` on the result.

    Parameters
    ----------
    path
        Notebook in format 4.
    out
        Output file, written atomically. By default, the notebook is overwritten.

    Returns
    -------
    pl.DataFrame
        One row per removed item, in notebook order.

        ==============  ======  ==================================================
        ``cell``        Int64   cell number from 1; null for notebook metadata
        ``what``        String  kind of item, such as ``printed text``
        ``characters``  Int64   length of the item
        ==============  ======  ==================================================

    Raises
    ------
    ShareError
        If the file is not a notebook in format 4, or cannot be read or written.

    Examples
    --------
    >>> import json, pathlib
    >>> printed = {"output_type": "stream", "name": "stdout", "text": "job-0002  31 h"}
    >>> cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "look()", "outputs": [printed]}
    >>> notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    >>> pathlib.Path("look.ipynb").write_text(json.dumps(notebook)) > 0
    True
    >>> clean_notebook("look.ipynb").rows()
    [(1, 'execution count', 1), (1, 'printed text', 14)]
    """
    path, out = local_path(path), local_path(path if out is None else out)
    for name in (path, out):
        if name.suffix.lower() != ".ipynb":
            raise ShareError(f"{name.name} is not a notebook. Pass a path ending in .ipynb.")
    notebook = read_notebook(path)
    dropped: list[tuple[int | None, str, int]] = []
    cleaned = _notebook(notebook, dropped)
    text = json.dumps(cleaned, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    save_text(text, out)
    return pl.DataFrame(dropped, schema={"cell": pl.Int64, "what": pl.String, "characters": pl.Int64}, orient="row")


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook in format 4."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError):
        raise ShareError(f"{path.name} is not a notebook: it is not valid JSON.") from None
    supported = isinstance(notebook, dict) and notebook.get("nbformat") == 4 and isinstance(notebook.get("cells"), list)
    if not supported or not all(isinstance(cell, dict) and "cell_type" in cell for cell in notebook["cells"]):
        raise ShareError(f"{path.name} is not a notebook in format 4. Open it in Jupyter and save it again.")
    return notebook  # type: ignore[no-any-return]  # checked


def _notebook(notebook: dict[str, Any], dropped: list[tuple[int | None, str, int]]) -> dict[str, Any]:
    metadata = notebook.get("metadata") or {}
    kept = {
        name: {key: metadata[name][key] for key in keys if key in metadata[name]}
        for name, keys in _NOTEBOOK_METADATA.items()
        if isinstance(metadata.get(name), dict)
    }
    for name, value in metadata.items():
        if value != kept.get(name):
            what = "widget state" if name == "widgets" else f"metadata {name}"
            dropped.append((None, what, _size(value) - _size(kept.get(name, ""))))
    cells = []
    for n, cell in enumerate(notebook["cells"], 1):
        removed: list[tuple[str, int]] = []
        cells.append(_cell(cell, removed))
        dropped += [(n, what, size) for what, size in removed]
    minor = notebook.get("nbformat_minor", 5)
    return {"cells": cells, "metadata": kept, "nbformat": 4, "nbformat_minor": minor}


def _cell(cell: dict[str, Any], removed: list[tuple[str, int]]) -> dict[str, Any]:
    metadata = cell.get("metadata") or {}
    kept = {name: value for name, value in metadata.items() if name in _CELL_METADATA}
    removed += [(f"metadata {name}", _size(value)) for name, value in metadata.items() if name not in kept]
    cleaned: dict[str, Any] = {name: cell[name] for name in ("cell_type", "id", "source") if name in cell}
    cleaned["metadata"] = kept
    if "attachments" in cell:
        images = {name: _image(bundle, removed, "attachment") for name, bundle in cell["attachments"].items()}
        cleaned["attachments"] = {name: bundle for name, bundle in images.items() if bundle}
    if cell["cell_type"] == "code":
        if cell.get("execution_count") is not None:
            removed.append(("execution count", _size(cell["execution_count"])))
        cleaned["execution_count"] = None
        cleaned["outputs"] = [image for output in cell.get("outputs") or [] for image in _output(output, removed)]
    return cleaned


def _output(output: dict[str, Any], removed: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Remove everything but the image from an output. Yield nothing if there's no image."""
    kind = output.get("output_type")
    if kind not in {"display_data", "execute_result"}:
        text = output.get("text", "") if kind == "stream" else output.get("traceback", [])
        removed.append(({"stream": "printed text", "error": "traceback"}.get(str(kind), str(kind)), len(_joined(text))))
        return
    data = _image(output.get("data") or {}, removed, "output")
    if not data:
        return
    size = (output.get("metadata") or {}).get(_PNG) or {}
    size = {name: size[name] for name in ("height", "width") if isinstance(size.get(name), (int, float))}
    kept = {"output_type": kind, "data": data, "metadata": {_PNG: size} if size else {}}
    yield {**kept, "execution_count": None} if kind == "execute_result" else kept


def _image(bundle: dict[str, Any], removed: list[tuple[str, int]], what: str) -> dict[str, Any]:
    """Return a MIME bundle's image and text description, without metadata."""
    kept = {}
    if _PNG in bundle and (image := _without_metadata(_joined(bundle[_PNG]))):
        kept[_PNG] = image
        if len(image) < len("".join(_joined(bundle[_PNG]).split())):
            removed.append(("image metadata", len(_joined(bundle[_PNG])) - len(image)))
        text = _joined(bundle.get(_TEXT, ""))
        if text and not _TABLE.search(text) and not _has_findings(text):
            kept[_TEXT] = bundle[_TEXT]
    removed += [
        (f"{what} {mime_type}", _size(content)) for mime_type, content in bundle.items() if mime_type not in kept
    ]
    return kept


def _has_findings(text: str) -> bool:
    return any(finding.severity != "note" for finding in detected(Piece("description", text=text), USUAL))


def _without_metadata(encoded: str) -> str:
    """Remove the metadata from a base64-encoded PNG. Return an empty string if it isn't a valid PNG."""
    try:
        parts = [(kind, data) for kind, data in chunks(base64.b64decode(encoded)) if kind in KEPT_CHUNKS]
    except (binascii.Error, ShareError):
        return ""
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return base64.b64encode(SIGNATURE + content).decode()


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))
