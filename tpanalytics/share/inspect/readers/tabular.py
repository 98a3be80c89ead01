"""Readers for .csv and .parquet files."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ShareError
from tpanalytics.share.frames import flat
from tpanalytics.share.inspect.findings import Piece, decoded, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["csv_pieces", "parquet_pieces"]


def csv_pieces(content: bytes) -> Iterator[Piece]:
    """Yield the table in a .csv file, detecting the separator."""
    text = decoded(content)
    if "\0" in text:
        raise ShareError("not a text file.")
    first = text.partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    csv.field_size_limit(10_000_000)
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:
        raise ShareError("a quotation mark is missing.") from None
    except ValueError:  # an empty file
        return
    yield Piece("table", table=table_of(header, rows))


def parquet_pieces(content: bytes) -> Iterator[Piece]:
    """Yield the table and metadata in a .parquet file."""
    frame = pl.read_parquet(io.BytesIO(content))
    texts = flat(frame.select(pl.exclude(pl.Binary)))
    yield Piece("table", table=texts.select(pl.all().cast(pl.String)))
    metadata = pl.read_parquet_metadata(io.BytesIO(content))
    lines = [f"{key}={value}" for key, value in metadata.items() if key != "ARROW:schema"]
    if lines:
        yield Piece("metadata", text="\n".join(lines), listed=False)
