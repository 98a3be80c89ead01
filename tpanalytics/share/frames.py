"""Data frame writers."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError, ShareError
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures.about import about

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["finite", "finite_frame", "flat", "write_csv", "write_json", "write_parquet"]

#: Matches the start of a cell that a spreadsheet would run as a formula. Some programs ignore leading spaces, and East
#: Asian versions accept full-width signs.
_FORMULA = r"^([\t\r\n]|[\p{White_Space}\u{200B}\u{FEFF}]*[=+\-@＝＋－＠﹢﹣﹦﹫])"  # noqa: RUF001
#: Data types that no file format supports.
_UNSUPPORTED = (pl.Object, pl.Binary)


def finite(value: Any, name: str) -> Any:
    """Replace NaN with null in nested values. Raise a `ShareError` for infinite numbers."""
    if isinstance(value, float):
        if math.isinf(value):
            raise ShareError(f"{name} contains an infinite number. Replace it before saving.")
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: finite(part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part, name) for part in value]
    return value


def finite_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Apply `finite` to all columns, including nested columns, and keep the metadata."""
    cleaned = []
    for name, dtype in frame.schema.items():
        column = frame.get_column(name)
        if dtype in _UNSUPPORTED:
            values = "Python objects" if dtype == pl.Object else "bytes"
            raise ShareError(f"Column {name!r} contains {values}. Convert it to text or numbers, or drop it.")
        if dtype.is_float():
            infinite = int(column.is_infinite().sum())
            if infinite:
                n, them = ("an infinite number", "it") if infinite == 1 else (f"{infinite:,} infinite numbers", "them")
                raise ShareError(f"Column {name!r} contains {n}. Replace {them} before saving.")
            column = column.fill_nan(None)
        elif dtype.is_nested() and "Float" in str(dtype):
            column = pl.Series(name, [finite(value, f"Column {name!r}") for value in column.to_list()], dtype=dtype)
        cleaned.append(column)
    result = pl.DataFrame(cleaned)
    with suppress(SchemaError):  # not the result of a measure
        return attach_metadata(result, about(frame))
    return result


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert nested columns to JSON text and categorical columns to text."""
    texts = [name for name, dtype in frame.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    return frame.with_columns(pl.col(texts).cast(pl.String)).with_columns(
        pl.col(name).map_elements(
            lambda value: json.dumps(
                value.to_list() if isinstance(value, pl.Series) else value, ensure_ascii=False, default=str
            ),
            return_dtype=pl.String,
        )
        for name, dtype in frame.schema.items()
        if dtype.is_nested()
    )


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a .csv file, escaping formulas in cells and headers with an apostrophe."""
    texts = flat(frame)
    escaped = pl.col(pl.String).str.replace(_FORMULA, "'${0}")
    headers = pl.Series(texts.columns, dtype=pl.String).str.replace(_FORMULA, "'${0}").to_list()
    # We quote all text. In some locales, spreadsheets split cells at semicolons.
    renamed = texts.with_columns(escaped).rename(dict(zip(texts.columns, headers, strict=True)))
    renamed.write_csv(path, quote_style="non_numeric")


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a .parquet file."""
    with path.open("wb") as file:  # raises OSError if the disk is full, like the other formats
        frame.write_parquet(file)


def write_json(frame: pl.DataFrame, path: Path) -> None:
    """Write the rows to a .json file as a list of objects."""
    frame.write_json(path)
