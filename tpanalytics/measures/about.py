"""Metadata for measure results."""

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

    The metadata is kept when a result is filtered, sorted, copied or pickled. If rows or columns have changed, it
    includes a warning that the counts, coverage and data grade describe the full result.

    Parameters
    ----------
    result
        The data frame returned by a measure.

    Returns
    -------
    Meaning
        The metadata. Print it, or access its individual attributes.

    Raises
    ------
    SchemaError
        If `result` was not returned by a measure, or if it has been aggregated, reshaped or read from a file.

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
