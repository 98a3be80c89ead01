"""A notebook to be handed over: its text and its pictures stay, everything else that it shows or remembers goes."""

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

#: What a notebook and a cell may say of themselves; the rest is of the moment, of a machine, or of widgets.
_OF_NOTEBOOK = {"kernelspec": ("display_name", "language", "name"), "language_info": ("name",)}
_OF_CELL = ("collapsed", "deletable", "editable", "format", "jupyter", "name", "slideshow", "tags")
_PNG, _TEXT = "image/png", "text/plain"
#: Tables in lines of signs, or in columns kept apart by spaces.
_TABLE = re.compile(r"[│┆╞┌]|^\S.*(?:\s{2,}\S+){2,}$|^\s*[\[{(]", re.MULTILINE)


def clean_notebook(path: str | Path, out: str | Path | None = None) -> pl.DataFrame:
    """Keep the pictures of a notebook and drop its data.

    What stays: text and code as written, pictures (``image/png``) and the description beside a picture. What goes:
    tables and every other output, printed text and tracebacks, the state and views of widgets, execution counts and
    times, what a picture says beside its pixels, and attachments that are no pictures. Cleaning twice changes nothing
    more. Code and text may still tell something: `check_share` says what.

    Parameters
    ----------
    path
        The notebook, of format 4.
    out
        Where to write; by default the notebook itself is replaced. It is written whole or not at all.

    Returns
    -------
    pl.DataFrame
        What was dropped, in the notebook's order: ``cell``, counted from 1, null for the notebook itself; ``what``;
        and how many ``characters`` it had.

    Raises
    ------
    ShareError
        If the file is no notebook of format 4, or cannot be read or written.

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
            raise ShareError(f"{name.name} is no notebook: its name must end in .ipynb.")
    notebook = read_notebook(path)
    dropped: list[tuple[int | None, str, int]] = []
    cleaned = _notebook(notebook, dropped)
    text = json.dumps(cleaned, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    save_text(text, out)
    return pl.DataFrame(dropped, schema={"cell": pl.Int64, "what": pl.String, "characters": pl.Int64}, orient="row")


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook of format 4."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ShareError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError):
        raise ShareError(f"{path.name} is no notebook: it is no JSON.") from None
    known = isinstance(notebook, dict) and notebook.get("nbformat") == 4 and isinstance(notebook.get("cells"), list)
    if not known or not all(isinstance(cell, dict) and "cell_type" in cell for cell in notebook["cells"]):
        raise ShareError(f"{path.name} is no notebook of format 4; open it in Jupyter and save it anew.")
    return notebook  # type: ignore[no-any-return]  # checked


def _notebook(notebook: dict[str, Any], dropped: list[tuple[int | None, str, int]]) -> dict[str, Any]:
    said = notebook.get("metadata") or {}
    kept = {
        name: {key: said[name][key] for key in keys if key in said[name]}
        for name, keys in _OF_NOTEBOOK.items()
        if isinstance(said.get(name), dict)
    }
    for name, part in said.items():
        if part != kept.get(name):
            what = "widget state" if name == "widgets" else f"metadata {name}"
            dropped.append((None, what, _size(part) - _size(kept.get(name, ""))))
    cells = []
    for n, cell in enumerate(notebook["cells"], 1):
        gone: list[tuple[str, int]] = []
        cells.append(_cell(cell, gone))
        dropped += [(n, what, size) for what, size in gone]
    minor = notebook.get("nbformat_minor", 5)
    return {"cells": cells, "metadata": kept, "nbformat": 4, "nbformat_minor": minor}


def _cell(cell: dict[str, Any], gone: list[tuple[str, int]]) -> dict[str, Any]:
    said = cell.get("metadata") or {}
    kept = {name: part for name, part in said.items() if name in _OF_CELL}
    gone += [(f"metadata {name}", _size(part)) for name, part in said.items() if name not in kept]
    cleaned: dict[str, Any] = {name: cell[name] for name in ("cell_type", "id", "source") if name in cell}
    cleaned["metadata"] = kept
    if "attachments" in cell:
        pictures = {name: _picture(bundle, gone, "attachment") for name, bundle in cell["attachments"].items()}
        cleaned["attachments"] = {name: bundle for name, bundle in pictures.items() if bundle}
    if cell["cell_type"] == "code":
        if cell.get("execution_count") is not None:
            gone.append(("execution count", _size(cell["execution_count"])))
        cleaned["execution_count"] = None
        cleaned["outputs"] = [kept for output in cell.get("outputs") or [] for kept in _output(output, gone)]
    return cleaned


def _output(output: dict[str, Any], gone: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Give an output with its picture alone, or nothing."""
    kind = output.get("output_type")
    if kind not in {"display_data", "execute_result"}:
        text = output.get("text", "") if kind == "stream" else output.get("traceback", [])
        gone.append(({"stream": "printed text", "error": "traceback"}.get(str(kind), str(kind)), len(_joined(text))))
        return
    data = _picture(output.get("data") or {}, gone, "output")
    if not data:
        return
    size = (output.get("metadata") or {}).get(_PNG) or {}
    size = {name: size[name] for name in ("height", "width") if isinstance(size.get(name), (int, float))}
    kept = {"output_type": kind, "data": data, "metadata": {_PNG: size} if size else {}}
    yield {**kept, "execution_count": None} if kind == "execute_result" else kept


def _picture(bundle: dict[str, Any], gone: list[tuple[str, int]], what: str) -> dict[str, Any]:
    """Give of the forms of a thing the picture, without what it says beside its pixels, and its description."""
    kept = {}
    if _PNG in bundle and (picture := _bare(_joined(bundle[_PNG]))):
        kept[_PNG] = picture
        if len(picture) < len("".join(_joined(bundle[_PNG]).split())):
            gone.append(("texts in a picture", len(_joined(bundle[_PNG])) - len(picture)))
        text = _joined(bundle.get(_TEXT, ""))
        if text and not _TABLE.search(text) and not _tells(text):
            kept[_TEXT] = bundle[_TEXT]
    gone += [(f"{what} {form}", _size(content)) for form, content in bundle.items() if form not in kept]
    return kept


def _tells(text: str) -> bool:
    return any(finding.severity != "note" for finding in detected(Piece("description", text=text), USUAL))


def _bare(encoded: str) -> str:
    """Give a picture with the chunks it is made of alone; of what is no whole picture, nothing."""
    try:
        parts = [(kind, data) for kind, data in chunks(base64.b64decode(encoded)) if kind in KEPT_CHUNKS]
    except (binascii.Error, ShareError):
        return ""
    whole = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return base64.b64encode(SIGNATURE + whole).decode()


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _size(part: Any) -> int:
    return len(part) if isinstance(part, str) else len(json.dumps(part, ensure_ascii=False))
