"""Which hours, headcounts and states there can be, and how amounts are counted and divided."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError, warn
from tpanalytics.schema import COUNTED_STATES, to_polars

__all__ = [
    "check_amounts",
    "check_hours",
    "check_numbers",
    "check_states",
    "checked_count",
    "checked_states",
    "no_family",
    "share_of",
    "stated",
]

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


def checked_count(name: str, value: Any, *, least: int = 1) -> None:
    """Refuse a value that is not a whole number from `least` up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SchemaError(f"{name}={value!r}: give a whole number, {least} or more.")


def checked_states(states: Sequence[str]) -> list[str]:
    """Refuse what is no list of states that can count."""
    some = isinstance(states, Sequence) and not isinstance(states, str) and len(states) > 0
    if not some or not all(isinstance(state, str) for state in states):
        raise SchemaError(f"states={states!r}: give a list of validation states, like ['validated'].")
    if "rejected" in states:
        raise SchemaError("states holds 'rejected'; a rejected task never counts.")
    return list(states)


def check_hours(tasks: Any, sums: pl.DataFrame) -> None:
    """Refuse hours that cannot be, whatever the state of their task."""
    wrong = sums.filter((pl.col("least") < 0) | pl.col("most").is_infinite())
    if wrong.height:
        least, most = wrong.select("least", "most").row(0)
        found = least if least < 0 else most
        job = to_polars(tasks.filter(nw.col("weekly_hours") == found).select("job_id").head(1).to_native()).item()
        raise SchemaError(
            f"tasks: weekly_hours of job {job!r} is {found}; hours per week are 0 or more, and finite. "
            "Correct it, or make it null where it is not known."
        )


def check_numbers(frame: Any, name: str, column: str) -> None:
    """Refuse a column that holds something else than numbers."""
    dtype = frame.collect_schema().get(column)
    if dtype not in (nw.String, nw.Categorical, nw.Boolean):
        return
    known = to_polars(frame.select(known=(~nw.col(column).is_null()).sum()).to_native()).item()
    if known:  # pandas calls a column without any value text
        raise SchemaError(f"{name}: {column} must be numbers, and is {dtype}. Cast it first.")


def check_states(sums: pl.DataFrame, states: list[str]) -> None:
    """Refuse a state nobody knows, and say aloud which tasks are left out although they are not rejected."""
    seen = sums.group_by("state").agg(pl.col("n").sum()).sort("state")
    found = seen.get_column("state").to_list()
    lost = [state for state in states if state not in {*COUNTED_STATES, *found}]
    if lost and found:
        raise SchemaError(f"states: no task is in state {', '.join(map(repr, lost))}; the tasks have {found}.")
    known = {*COUNTED_STATES, "rejected", *states}
    others = seen.filter(~pl.col("state").is_in(known))
    if others.height:
        listed = ", ".join(f"{n:,} in state {state!r}" for state, n in others.rows())
        warn(f"Tasks left out because their state is not counted: {listed}. Pass states=[...] to count them.")


def no_family(text: str, families: list[str]) -> str:
    """Describe a job family that does not exist, with those of similar names."""
    by_fold = {family.casefold(): family for family in families}
    holding = [fold for fold in by_fold if text.casefold() and text.casefold() in fold]
    alike = difflib.get_close_matches(text.casefold(), by_fold, n=3, cutoff=0.5)
    near = [by_fold[fold] for fold in [*dict.fromkeys([*holding, *alike])][:5]]
    shown = near or families[:10]
    more = f" and {len(families) - len(shown)} more" if not near and len(families) > len(shown) else ""
    listed = ("near it is" if len(near) == 1 else "near it are") if near else "there are"
    return f"no family is called {text!r}; {listed} {', '.join(map(repr, shown)) or 'none'}{more}"
