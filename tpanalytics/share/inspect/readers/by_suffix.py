"""Readers by file suffix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import polars as pl

from tpanalytics.errors import ShareError
from tpanalytics.share.inspect.findings import Piece, decoded
from tpanalytics.share.inspect.readers.html import markup_pieces
from tpanalytics.share.inspect.readers.json import value_pieces
from tpanalytics.share.inspect.readers.notebook import notebook_pieces
from tpanalytics.share.inspect.readers.pdf import pdf_pieces
from tpanalytics.share.inspect.readers.png import png_pieces
from tpanalytics.share.inspect.readers.tabular import csv_pieces, parquet_pieces
from tpanalytics.share.inspect.readers.xlsx import workbook_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tpanalytics.share.inspect.findings import Finding

__all__ = ["READERS", "pieces_of"]


def pieces_of(name: str, content: bytes) -> Iterator[Piece | Finding]:
    """Yield a file's pieces, and any findings from the reader."""
    suffix = name[name.rindex(".") :].lower()
    try:
        yield from READERS[suffix](content)
    except ShareError as error:
        raise ShareError(f"{name}: {error}") from None
    except (ValueError, LookupError, RecursionError, BadZipFile, EOFError, pl.exceptions.PolarsError) as error:
        # We can't include the error message because it may quote data from the file.
        raise ShareError(f"{name} is damaged or not a {suffix} file ({type(error).__name__}).") from None


def _json(content: bytes) -> Iterator[Piece | Finding]:
    yield from value_pieces(json.loads(decoded(content)), "")


def _notebook(content: bytes) -> Iterator[Piece | Finding]:
    yield from notebook_pieces(json.loads(decoded(content)))


def _markup(content: bytes) -> Iterator[Piece | Finding]:
    text = decoded(content)
    if "<" not in text:
        raise ShareError("not an HTML or SVG file.")
    yield from markup_pieces(text)


def _plain(content: bytes) -> Iterator[Piece]:
    yield Piece("text", text=decoded(content))


READERS: dict[str, Callable[[bytes], Iterator[Any]]] = {
    ".html": _markup,
    ".ipynb": _notebook,
    ".xlsx": workbook_pieces,
    ".json": _json,
    ".parquet": parquet_pieces,
    ".csv": csv_pieces,
    ".png": png_pieces,
    ".svg": _markup,
    ".pdf": pdf_pieces,
    ".txt": _plain,
}
