"""A frame as a file; no cell is run as a formula, and none holds what is no number."""

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

#: A cell that begins so is run as a formula by spreadsheet programs; spaces before the sign do not hinder all of them,
#: and East Asian versions read full-width signs as the usual ones.
_FORMULA = r"^([\t\r\n]|[\p{White_Space}\u{200B}\u{FEFF}]*[=+\-@＝＋－＠﹢﹣﹦﹫])"  # noqa: RUF001
#: What Polars cannot put into any of the files.
_NO_VALUES = (pl.Object, pl.Binary)


def finite(value: Any, name: str) -> Any:
    """Give nested values with null for what is not a number (NaN)."""
    if isinstance(value, float):
        if math.isinf(value):
            raise ShareError(f"{name} holds an infinite number, which a file cannot; replace it first.")
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: finite(part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part, name) for part in value]
    return value


def finite_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Do what `finite` does with every column, those that nest numbers too; its meaning stays."""
    cleaned = []
    for name, dtype in frame.schema.items():
        column = frame.get_column(name)
        if dtype in _NO_VALUES:
            held = "Python objects" if dtype == pl.Object else "bytes"
            raise ShareError(f"Column {name!r} holds {held}; make text or numbers of them, or drop it.")
        if dtype.is_float():
            infinite = int(column.is_infinite().sum())
            if infinite:
                n = "an infinite number" if infinite == 1 else f"{infinite:,} infinite numbers"
                raise ShareError(f"Column {name!r} holds {n}, which a file cannot; replace them first.")
            column = column.fill_nan(None)
        elif dtype.is_nested() and "Float" in str(dtype):
            column = pl.Series(name, [finite(value, f"Column {name!r}") for value in column.to_list()], dtype=dtype)
        cleaned.append(column)
    whole = pl.DataFrame(cleaned)
    with suppress(SchemaError):  # nothing is known of what it means
        return attach_metadata(whole, about(frame))
    return whole


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Write nested and categorical columns out as text, which is all that a cell can hold."""
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
    """Write text for any program; a cell or header that would be a formula begins with an apostrophe."""
    texts = flat(frame)
    defused = pl.col(pl.String).str.replace(_FORMULA, "'${0}")
    headers = pl.Series(texts.columns, dtype=pl.String).str.replace(_FORMULA, "'${0}").to_list()
    # Quoted, because a spreadsheet may take another character than the comma for the end of a cell.
    renamed = texts.with_columns(defused).rename(dict(zip(texts.columns, headers, strict=True)))
    renamed.write_csv(path, quote_style="non_numeric")


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write for another engine; types stay as they are."""
    with path.open("wb") as file:  # a full disk is then an OSError, as for every other kind
        frame.write_parquet(file)


def write_json(frame: pl.DataFrame, path: Path) -> None:
    """Write a list of rows."""
    frame.write_json(path)
