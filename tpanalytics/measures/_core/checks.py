"""Checks of arguments, hours, headcounts and states, and how amounts are counted and divided."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError, warn
from tpanalytics.schema import COUNTED_STATES, to_polars

__all__ = [
    "check_amounts",
    "check_choice",
    "check_flag",
    "check_headcount",
    "check_hours",
    "check_numbers",
    "check_states",
    "check_whole",
    "checked_families",
    "checked_states",
    "checked_week",
    "is_number",
    "is_whole",
    "n_stated",
    "no_family",
    "share_of",
]

#: The tasks whose hours are stated, not put in: no rule of imputation buys coverage, nor a better grade.
n_stated = pl.col("n_known") - pl.col("n_imputed")

_CAN_BE = {
    "headcount": "full-time equivalents are 0 or more",
    "contract_hours": "hours per week of a contract are above 0",
}


#: No list is longer than an index of 32 bits can count.
_LARGEST = 2**31 - 1


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name}={value!r}: give True or False.")


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Any) -> None:
    """Refuse what is not among the allowed values, which may be those of a `Literal`."""
    values: Iterable[Any] = get_args(allowed) or allowed
    if not isinstance(value, str) or value not in values:
        raise ArgumentError(f"{name}={value!r}: choose from {', '.join(values)}.")


def check_whole(name: str, value: Any, advice: str = "", *, least: float = -math.inf, most: float = math.inf) -> None:
    """Refuse what is not a whole number from `least` to `most`."""
    if not is_whole(value) or not least <= value <= min(most, _LARGEST):
        raise ArgumentError(f"{name}={value!r}: {advice or f'give a whole number, {least} or more.'}")


_WEEK_ADVICE = (
    "give the hours per week of a contract, a number above 0 and up to 168, or None to use only what the jobs say."
)


def checked_week(contract_hours: Any, advice: str = _WEEK_ADVICE) -> float | None:
    """Return contract hours of more than 0 and at most the 168 hours of a week; None stays None."""
    if contract_hours is None:
        return None
    if not is_number(contract_hours) or not 0 < contract_hours <= 168:
        raise ArgumentError(f"contract_hours={contract_hours!r}: {advice}")
    return float(contract_hours)


def check_headcount(columns: Sequence[str], otherwise: str = "weight='hours'") -> None:
    """Refuse jobs without the column of headcounts."""
    if "headcount" not in columns:
        raise SchemaError(
            "jobs lacks 'headcount' (full-time equivalents); give it as a column of the mapping file of "
            f"assign_families, or use {otherwise}."
        )


def check_amounts(jobs: pl.DataFrame) -> None:
    """Refuse negative headcounts, contract hours of 0 or less, and infinite ones."""
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


def checked_states(states: Sequence[str]) -> list[str]:
    """Refuse what is no list of states that can count."""
    some = isinstance(states, Sequence) and not isinstance(states, str) and len(states) > 0
    if not some or not all(isinstance(state, str) for state in states):
        raise ArgumentError(f"states={states!r}: give a list of validation states, like ['validated'].")
    if "rejected" in states:
        raise ArgumentError("states holds 'rejected'; a rejected task never counts.")
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
        raise ArgumentError(f"states: no task is in state {', '.join(map(repr, lost))}; the tasks have {found}.")
    known = {*COUNTED_STATES, "rejected", *states}
    others = seen.filter(~pl.col("state").is_in(known))
    if others.height:
        listed = ", ".join(f"{n:,} in state {state!r}" for state, n in others.rows())
        warn(f"Tasks left out because their state is not counted: {listed}. Pass states=[...] to count them.")


def checked_families(families: Any, present: Iterable[str]) -> list[str]:
    """Return the names of job families as a list; refuse those that the data do not have."""
    if isinstance(families, str) or not isinstance(families, Iterable):
        raise ArgumentError(f"families={families!r}: give a list of job families, also for a single one; None for all.")
    names, there = list(families), list(present)
    strangers = [name for name in names if name not in there]
    if strangers:
        raise ArgumentError(f"families: {'; '.join(no_family(str(name), there) for name in strangers)}.")
    return names


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
