"""Reader for notebooks."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import ShareError
from tpanalytics.share.inspect.findings import Finding, Piece, table_of
from tpanalytics.share.inspect.readers.html import markup_pieces
from tpanalytics.share.inspect.readers.json import value_pieces
from tpanalytics.share.inspect.readers.png import png_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["notebook_pieces"]

_VIEW = "application/vnd.jupyter.widget-view+json"


def notebook_pieces(notebook: Any) -> Iterator[Piece | Finding]:
    """Yield a notebook's pieces, cell by cell."""
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ShareError("not a notebook in format 4. Open it in Jupyter and save it again.")
    metadata = notebook.get("metadata") or {}
    if widgets := metadata.get("widgets"):
        yield Finding("notebook", "widget state", f"{len(str(widgets)) // 1000:,} kB", "look")
        yield from value_pieces(widgets, "widget state")
    yield from value_pieces({key: value for key, value in metadata.items() if key != "widgets"}, "notebook metadata")
    for n, cell in enumerate(cells, 1):
        where = f"cell {n}"
        yield Piece(f"{where}, source", text=_joined(cell.get("source")), listed=False)
        if cell.get("metadata"):
            yield from value_pieces(cell["metadata"], f"{where}, metadata")
        for name, bundle in (cell.get("attachments") or {}).items():
            yield from _bundle(bundle, f"{where}, attachment {name}")
        for output in cell.get("outputs") or []:
            yield from _output(output, f"{where}, output")


def _output(output: dict[str, Any], where: str) -> Iterator[Piece | Finding]:
    if output.get("output_type") == "stream":
        yield from _plain(_joined(output.get("text")), where)
    elif output.get("output_type") == "error":
        lines = [output.get("ename"), output.get("evalue"), *(output.get("traceback") or [])]
        text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(map(str, lines)))
        yield Piece(f"{where}, traceback", text=text)
    else:
        yield from _bundle(output.get("data") or {}, where)


def _bundle(bundle: dict[str, Any], where: str) -> Iterator[Piece | Finding]:
    """Yield an output's pieces for each MIME type, skipping plain text if there is HTML."""
    for kind, content in bundle.items():
        if kind == "image/png":
            try:
                yield from png_pieces(base64.b64decode(_joined(content)), where)
            except (binascii.Error, ShareError):
                yield Finding(where, "not read", "invalid PNG image", "look")
        elif kind in {"text/html", "image/svg+xml", "text/markdown"}:
            yield from markup_pieces(_joined(content), where)
        elif kind == _VIEW:
            yield Finding(where, "widget state", "widget view", "note")
        elif kind.endswith("json"):
            yield from value_pieces(content, where)
        elif kind.startswith("text/") and not (kind == "text/plain" and "text/html" in bundle):
            yield from _plain(_joined(content), where)
        elif kind.startswith("image/"):
            yield Finding(where, "picture", f"{kind}, not read", "note")


def _plain(text: str, where: str) -> Iterator[Piece]:
    """Yield printed text and any printed Polars tables."""
    yield Piece(where, text=text)
    header: list[str] = []
    rows: list[list[str]] = []
    in_body = False
    for line in text.split("\n"):
        if line.startswith(("╞", "├")) and header:
            in_body = True
        elif line.startswith(("│", "|")):
            cells = [cell.strip() for cell in re.split("[│┆|]", line)[1:-1]]
            if not in_body:
                header = header or cells
            elif rows and "" in cells:  # continuation of a wrapped cell
                rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=False)]
            else:
                rows.append(cells)
        elif line.startswith("└") and rows:
            yield Piece(f"{where}, printed table", table=table_of(header, rows))
            header, rows, in_body = [], [], False


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
