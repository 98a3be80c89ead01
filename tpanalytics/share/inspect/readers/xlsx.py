"""Reader for .xlsx workbooks."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # safe: the input size is limited, and Expat limits entity expansion
from zipfile import ZipFile

from tpanalytics.errors import ShareError
from tpanalytics.formatting import plural
from tpanalytics.share.inspect.findings import MAX_SIZE, Finding, Piece, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

__all__ = ["workbook_pieces"]

_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
#: Parts of a workbook that aren't shown in any sheet.
_HIDDEN = {
    "comments": "comments",
    "threadedComments": "comments",
    "persons": "names of comment authors",
    "pivotCache": "cached rows of a pivot table",
    "externalLinks": "links to other workbooks",
    "customXml": "custom XML data",
    "vbaProject": "VBA macros",
    "embeddings": "embedded file",
    "media": "image, not read",
}
_EXTERNAL = re.compile(r"(?i)\b(?:WEBSERVICE|IMAGE|HYPERLINK|RTD|IMPORT\w+)\s*\(|\[[^\]]*\.xls|\bcmd\s*\|")


def workbook_pieces(content: bytes) -> Iterator[Piece | Finding]:
    """Yield each sheet as a table or text, then the other parts of the workbook."""
    with ZipFile(io.BytesIO(content)) as book:
        parts = {entry.filename: entry for entry in book.infolist()}
        if "xl/workbook.xml" not in parts:
            raise ShareError("not an .xlsx workbook.")
        if sum(entry.file_size for entry in parts.values()) > MAX_SIZE:
            raise ShareError(f"larger than {MAX_SIZE // 1_000_000} MB when decompressed.")
        yield from _sheets(book, set(parts))
        for name in parts:
            yield from _other_part(book, name)


def _sheets(book: ZipFile, parts: set[str]) -> Iterator[Piece | Finding]:
    shared = []
    if "xl/sharedStrings.xml" in parts:
        shared = [_text(entry) for entry in _root(book, "xl/sharedStrings.xml")]
    targets = {
        relation.get("Id"): relation.get("Target", "").removeprefix("/xl/")
        for relation in _root(book, "xl/_rels/workbook.xml.rels")
    }
    for entry in _root(book, "xl/workbook.xml").iter():
        if _tag(entry) == "definedName" and entry.text:
            yield Piece("named range", text=entry.text, listed=False)
        target = targets.get(entry.get(_ID))
        if _tag(entry) != "sheet" or f"xl/{target}" not in parts:
            continue
        where = f"sheet {entry.get('name')}"
        if entry.get("state", "visible") != "visible":
            yield Finding(where, "hidden content", "hidden sheet", "look")
        rows, formulas = _rows(_root(book, f"xl/{target}"), shared)
        if external := [formula for formula in formulas if _EXTERNAL.search(formula)]:
            description = f"{plural(len(external), 'formula')} with external data"
            yield Finding(where, "external request", description, "look")
        if formulas:
            yield Piece(f"{where}, formulas", text="\n".join(formulas), listed=False)
        yield from _table_or_page(where, rows)


def _table_or_page(where: str, rows: list[list[str | None]]) -> Iterator[Piece]:
    """Yield the text above the header row, then the table. If there is no header row, yield only text."""
    rows = [row for row in rows if any(row)]
    filled = [sum(cell is not None for cell in row) for row in rows]
    header = next(
        (i for i, n in enumerate(filled[:-1]) if n >= 2 and filled[i + 1] >= 2 and (i == 0 or n >= 3)),
        None,
    )
    above = rows if header is None else rows[:header]
    if above:
        yield Piece(where, text="\n".join(" ".join(cell for cell in row if cell) for row in above))
    if header is not None:
        yield Piece(where, table=table_of([cell or "" for cell in rows[header]], rows[header + 1 :]))


def _rows(sheet: Element, shared: list[str]) -> tuple[list[list[str | None]], list[str]]:
    rows: list[list[str | None]] = []
    formulas: list[str] = []
    for row in (entry for entry in sheet.iter() if _tag(entry) == "row"):
        cells: list[str | None] = []
        for cell in row:
            index = _column(cell.get("r", "")) if cell.get("r") else len(cells)
            cells += [None] * (min(index, 20_000) - len(cells))
            value = None
            for part in cell:
                if _tag(part) == "f" and part.text:
                    formulas.append(part.text)
                elif _tag(part) == "v" and part.text is not None:
                    value = shared[int(part.text)] if cell.get("t") == "s" else part.text
                elif _tag(part) == "is":
                    value = _text(part)
            cells.append(value or None)
        rows.append(cells)
    return rows, formulas


def _other_part(book: ZipFile, name: str) -> Iterator[Piece | Finding]:
    if name.startswith("docProps/") and name.endswith(".xml"):
        yield from _properties(_root(book, name), name)
    elif name.endswith(".rels"):
        for relation in _root(book, name):
            address = relation.get("Target", "")
            if relation.get("TargetMode") == "External":
                yield Finding(name, "external request", f"link to {address[:60]}", "note")
                yield Piece(name, text=address, listed=False)
        return
    description = next((text for part, text in _HIDDEN.items() if f"/{part}" in f"/{name}"), None)
    if description and not name.endswith("/"):
        yield Finding(name, "hidden content", description, "look")
        if name.endswith(".xml"):
            yield Piece(name, text="\n".join(_root(book, name).itertext()))


def _properties(root: Element, name: str) -> Iterator[Piece | Finding]:
    for entry in root.iter():
        text = (entry.text or "").strip()
        if text and _tag(entry) in {"creator", "lastModifiedBy", "Manager", "Company"}:
            yield Finding(name, "personal data", f"{_tag(entry)}, {len(text)} characters", "look")
        elif text:
            yield Piece(name, text=f"{_tag(entry)}={text}", listed=False)


def _root(book: ZipFile, name: str) -> Element:
    try:
        return ET.fromstring(book.read(name))  # noqa: S314  see the import
    except ET.ParseError:
        raise ShareError(f"part {name} is not valid XML.") from None


def _tag(entry: Element) -> str:
    return entry.tag.rpartition("}")[2]


def _text(entry: Element) -> str:
    return "".join(part.text or "" for part in entry.iter() if _tag(part) == "t")


def _column(reference: str) -> int:
    n = 0
    for letter in reference.rstrip("0123456789$"):
        n = n * 26 + ord(letter.upper()) - 64
    return n - 1
