"""Frames of other libraries, and the error for those that measures do not accept."""

from __future__ import annotations

from typing import Any

import polars as pl

from tpanalytics.errors import SchemaError

__all__ = ["check_engine", "unknown_engine", "without_arrow"]

_FRAMES = "a Polars, pandas, Arrow, DuckDB, Spark, Dask or Ibis frame"
#: Methods with which other libraries return an Arrow table.
_TO_ARROW = ("to_arrow", "to_arrow_table", "toArrow")


def without_arrow(native: Any) -> Any:
    """Return an Arrow table as a Polars frame, because Arrow lacks operations that measures need."""
    kind = type(native)
    is_table = kind.__name__ == "Table" and kind.__module__.partition(".")[0] == "pyarrow"
    return pl.from_arrow(native) if is_table else native


def check_engine(name: str, frame: Any) -> None:
    """Raise an error if measures do not accept the frame."""
    import narwhals as nw

    try:
        nw.from_native(frame)
    except TypeError:
        raise unknown_engine(f"`{name}`", frame) from None
    except nw.exceptions.NarwhalsError:  # duplicate columns, which are reported when the frame is read
        return


def unknown_engine(name: str, frame: Any, expected: str = _FRAMES) -> SchemaError:
    """Return the error for an object that is not a frame, or for a frame of an engine that is not supported."""
    kind, method = type(frame), next((method for method in _TO_ARROW if hasattr(frame, method)), None)
    if method is None:
        return SchemaError(f"{name} must be {expected}, not {kind.__name__}.")
    library = kind.__module__.partition(".")[0]
    return SchemaError(
        f"{name} must be {expected}, not a {kind.__name__} of {library}. Convert it to an Arrow table with .{method}()."
    )
