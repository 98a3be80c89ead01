"""What a result means, read from the result itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.metadata import get_metadata

if TYPE_CHECKING:
    import polars as pl

    from tpanalytics.measures._core.metadata import Meaning

__all__ = ["about"]


def about(result: pl.DataFrame) -> Meaning:
    """Return what a measure's result means: units, denominators, coverage, rules, data grade, warnings.

    Parameters
    ----------
    result
        What a measure returned, also after it was filtered, sorted, copied or pickled. Where rows or columns have
        changed since, a warning says that counts, coverage and data grade describe the full result.

    Returns
    -------
    Meaning
        Print it, or read its attributes.

    Raises
    ------
    SchemaError
        If `result` does not come from a measure, or was aggregated or read from a file since.

    Examples
    --------
    >>> import polars as pl
    >>> from tpanalytics import impact, load_sample
    >>> sales = impact(load_sample()).filter(pl.col("job_family") == "Sales")
    >>> print(about(sales).unit)
    share, 0 to 1
    """
    found = get_metadata(result)
    if found is None:
        raise SchemaError(
            "This frame does not come from a measure, so it carries no information about itself. Pass what a measure "
            "returned; grouping, reshaping or reading it from a file loses the information."
        )
    return found
