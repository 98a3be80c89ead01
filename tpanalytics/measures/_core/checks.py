"""Validation of arguments and table values."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, get_args

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError, warn
from tpanalytics.formatting import listed, one_of, plural_of, unknown_group_message
from tpanalytics.schema import COUNTED_STATES, to_polars

__all__ = [
    "check_amounts",
    "check_choice",
    "check_flag",
    "check_hours",
    "check_numbers",
    "check_options",
    "check_states",
    "check_whole",
    "checked_groups",
    "checked_week",
    "is_number",
    "is_whole",
    "n_stated",
    "share_of",
    "unknown_group_message",
]

#: Number of tasks with documented hours. Imputed hours don't raise the coverage or the data grade.
n_stated = pl.col("n_known") - pl.col("n_imputed")

#: Counts and row numbers are stored as 32-bit integers.
_LARGEST = 2**31 - 1


def check_flag(name: str, value: Any) -> None:
    """Raise an error if the value is not a bool."""
    if not isinstance(value, bool):
        raise ArgumentError(f"`{name}` must be True or False, not {value!r}.")


def is_number(value: Any) -> bool:
    """Return `True` if the value is a finite int or float, but not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Return `True` if the value is an int, but not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Any) -> None:
    """Raise an error if the value is not one of the allowed strings, given as a collection or a `Literal`."""
    values: Iterable[str] = get_args(allowed) or allowed
    if not isinstance(value, str) or value not in values:
        hint = " People are counted by 'headcount'." if value == "people" and "headcount" in values else ""
        raise ArgumentError(f"`{name}` must be {one_of(values)}, not {value!r}.{hint}")


def check_options(name: str, options: Iterable[str], measure: Callable[..., Any], known: Iterable[str]) -> None:
    """Raise an error for options that are neither arguments of the measure nor `known`. Suggests near names."""
    parameters = inspect.signature(measure).parameters.values()
    allowed = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name not in known]
    for option in options:
        if option not in allowed:
            near = difflib.get_close_matches(option, [*allowed, *known], n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Its options are {listed(map(repr, allowed))}."
            raise ArgumentError(f"{name}() of {measure.__name__} has no argument {option!r}. {hint}")


def check_whole(name: str, value: Any, expected: str = "", *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise an error if the value is not an integer from `least` to `most`. The message includes `expected`."""
    if not is_whole(value) or not least <= value <= min(most, _LARGEST):
        raise ArgumentError(f"`{name}` must be {expected or f'a whole number, {least} or more'}, not {value!r}.")


_WEEK = "above 0 and up to 168 (hours per week), or None"


def checked_week(contract_hours: Any, expected: str = _WEEK) -> float | None:
    """Return the contract hours per week as a float, or None. Raise an error unless above 0 and at most 168."""
    if contract_hours is None:
        return None
    if not is_number(contract_hours) or not 0 < contract_hours <= 168:
        raise ArgumentError(f"`contract_hours` must be {expected}, not {contract_hours!r}.")
    return float(contract_hours)


#: Amounts of a job, or of the people in it, and their valid values.
_ALLOWED_AMOUNTS = {"headcount": "0 or more", "fte": "0 or more", "contract_hours": "above 0"}


def check_amounts(frame: pl.DataFrame, table: str = "jobs") -> None:
    """Raise an error if a headcount, full-time equivalents or contract hours are impossible."""
    for name, allowed in _ALLOWED_AMOUNTS.items():
        if name not in frame.columns:
            continue
        amount = pl.col(name)
        invalid = frame.filter((amount <= 0 if name == "contract_hours" else amount < 0) | amount.is_infinite())
        if invalid.height:
            _raise_for_amount(name, allowed, *invalid.select("job_id", name).row(0))
        fractional = frame.filter(amount != amount.floor()) if name == "headcount" else invalid
        if fractional.height:
            job, value = fractional.select("job_id", name).row(0)
            raise SchemaError(
                f"`headcount` of job {job!r} must be a whole number of people, not {value}. If the column counts "
                f"full-time equivalents, rename it: profiles.{table}.rename({{'headcount': 'fte'}})."
            )


def _raise_for_amount(name: str, allowed: str, job: str, value: float) -> NoReturn:
    raise SchemaError(
        f"`{name}` of job {job!r} must be {allowed} and finite, not {value}. "
        "Correct it, or set it to null if it is unknown."
    )


def share_of(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Return part / whole, or null instead of NaN if the whole is 0."""
    return pl.when(whole > 0).then(part / whole)


def check_hours(tasks: Any, sums: pl.DataFrame) -> None:
    """Raise an error if any weekly hours are negative or infinite. All validation states are checked."""
    invalid = sums.filter((pl.col("least") < 0) | pl.col("most").is_infinite())
    if invalid.height:
        least, most = invalid.select("least", "most").row(0)
        hours = least if least < 0 else most
        job = to_polars(tasks.filter(nw.col("weekly_hours") == hours).select("job_id").head(1).to_native()).item()
        _raise_for_amount("weekly_hours", "0 or more", job, hours)


def check_numbers(frame: Any, name: str, column: str) -> None:
    """Raise an error if the column is not numeric."""
    dtype = frame.collect_schema().get(column)
    if dtype not in (nw.String, nw.Categorical, nw.Boolean):
        return
    n_values = to_polars(frame.select(n=(~nw.col(column).is_null()).sum()).to_native()).item()
    if n_values:  # pandas treats all-null columns as text
        raise SchemaError(f"`{column}` of `{name}` must be numeric, not {dtype}. Cast it first.")


def check_states(sums: pl.DataFrame, states: list[str]) -> None:
    """Raise an error if a requested state has no tasks, and warn about ignored states other than 'rejected'."""
    counts = sums.group_by("state").agg(pl.col("n").sum()).sort("state")
    present = counts.get_column("state").to_list()
    unknown = [state for state in states if state not in {*COUNTED_STATES, *present}]
    if unknown and present:
        raise ArgumentError(
            f"`states`: no task is {one_of(unknown)}. The states of the tasks are {', '.join(map(repr, present))}."
        )
    ignored = counts.filter(~pl.col("state").is_in({*COUNTED_STATES, "rejected", *states}))
    if ignored.height:
        listed = ", ".join(f"{n:,} in state {state!r}" for state, n in ignored.rows())
        warn(f"Tasks in other validation states are ignored: {listed}. Pass states=[...] to count them.")


def checked_groups(
    groups: Any, present: Iterable[str], noun: str = "job family", argument: str = "families"
) -> list[str]:
    """Return the group names as a list. Raise an error if a group is not in the data."""
    if isinstance(groups, str) or not isinstance(groups, Iterable):
        hint = f" Pass [{groups!r}]." if isinstance(groups, str) else ""
        raise ArgumentError(f"`{argument}` must be a list of {plural_of(noun)}, or None for all, not {groups!r}.{hint}")
    names, available = list(groups), list(present)
    unknown = [name for name in names if name not in available]
    if unknown:
        listed = "; ".join(unknown_group_message(str(name), available, noun) for name in unknown)
        raise ArgumentError(f"`{argument}`: {listed}.")
    return names
