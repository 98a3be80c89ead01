"""Rows in files of rows: .csv and .parquet."""

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
    """Take a .csv apart, whatever parts its cells."""
    text = decoded(content)
    if "\0" in text:
        raise ShareError("it is no text, and so no .csv.")
    first = text.partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    csv.field_size_limit(10_000_000)
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:
        raise ShareError("its quotes do not match.") from None
    except ValueError:
        return  # an empty file carries nothing
    yield Piece("table", table=table_of(header, rows))


def parquet_pieces(content: bytes) -> Iterator[Piece]:
    """Take a .parquet apart, and what its writer says of it."""
    frame = pl.read_parquet(io.BytesIO(content))
    texts = flat(frame.select(pl.exclude(pl.Binary)))
    yield Piece("table", table=texts.select(pl.all().cast(pl.String)))
    said = {key: value for key, value in pl.read_parquet_metadata(io.BytesIO(content)).items() if key != "ARROW:schema"}
    if said:
        yield Piece("metadata", text="\n".join(f"{key}={value}" for key, value in said.items()), listed=False)
