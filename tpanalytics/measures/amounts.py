"""Which numbers of people and hours a job can have, and how they are counted and divided."""

from __future__ import annotations

import polars as pl

from tpanalytics.errors import SchemaError

__all__ = ["check_amounts", "share_of", "stated"]

#: The tasks whose hours are stated, not put in: no rule of imputation buys coverage, nor a better grade.
stated = pl.col("n_known") - pl.col("n_imputed")

_CAN_BE = {
    "headcount": "full-time equivalents are 0 or more",
    "contract_hours": "hours per week of a contract are above 0",
}


def check_amounts(jobs: pl.DataFrame) -> None:
    """Refuse headcounts and contract hours that cannot be; a contract of 0 hours could not be divided by.

    Raises
    ------
    SchemaError
        If a headcount is negative, contract hours are 0 or less, or either is infinite.
    """
    for name in (name for name in _CAN_BE if name in jobs.columns):
        amount = pl.col(name)
        wrong = jobs.filter((amount < 0 if name == "headcount" else amount <= 0) | amount.is_infinite())
        if wrong.height:
            job, found = wrong.select("job_id", name).row(0)
            raise SchemaError(
                f"jobs: {name} of job {job!r} is {found}; {_CAN_BE[name]}, and finite. "
                "Correct it, or make it null where it is not known."
            )


def share_of(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Divide, giving null instead of NaN where there is nothing to divide by."""
    return pl.when(whole > 0).then(part / whole)
