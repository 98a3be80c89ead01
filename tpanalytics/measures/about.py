"""Metadata of a measure's result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.metadata import get_metadata

if TYPE_CHECKING:
    import polars as pl

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["about"]


def about(result: pl.DataFrame) -> Meaning:
    """Return the metadata of a result: unit, denominator, coverage, assumptions, data grade and warnings.

    Filtering, sorting, copying and pickling a result keep its metadata. If rows or columns were changed, a warning in
    the metadata says that counts, coverage and data grade describe the full result.

    Parameters
    ----------
    result
        The data frame returned by a measure.

    Returns
    -------
    Meaning
        The metadata, which can be printed or read by attribute.

    Raises
    ------
    SchemaError
        If `result` was not returned by a measure, or was aggregated, reshaped or read from a file.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import impact, load_sample
    >>> sales = impact(load_sample()).filter(pl.col("job_family") == "Sales")
    >>> print(about(sales).unit)
    share, 0 to 1
    """
    metadata = get_metadata(result)
    if metadata is None:
        raise SchemaError(
            "`result` must be a data frame returned by a measure. Grouping, reshaping or writing it to a file removes "
            "its metadata."
        )
    return metadata
