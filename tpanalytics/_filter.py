"""Filter the tables of task profiles together."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError, warn

__all__ = ["filter_tables"]

_COUNTS = ("headcount", "fte")
#: Columns that are less similar are not suggested.
_SIMILAR = 0.7


def filter_tables(
    jobs: Any, tasks: Any, people: Any, predicates: Sequence[Any], values: Mapping[str, Any], keys: Sequence[str]
) -> tuple[Any, Any, Any]:
    """Return the matching jobs, and the tasks and people of these jobs. `keys` identify a job."""
    tables = {"jobs": jobs, "tasks": tasks, **({} if people is None else {"people": people})}
    for name, frame in tables.items():
        if not isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
            raise SchemaError(
                f"`{name}` must be a Polars frame to be filtered, not {type(frame).__name__}. "
                "Filter the tables of other libraries directly."
            )
    of_jobs: list[Any] = []
    of_people: list[Any] = []
    columns = {name: frame.collect_schema().names() for name, frame in tables.items() if name != "tasks"}
    for condition in [*predicates, *(_condition(name, value) for name, value in values.items())]:
        if not isinstance(condition, (pl.Expr, pl.Series, bool)):
            raise ArgumentError(
                f"A condition of `filter` must be an expression like pl.col('n_tasks') > 0, not {condition!r}."
            )
        names = condition.meta.root_names() if isinstance(condition, pl.Expr) else []
        for name in names:
            _check_column(name, columns)
        (of_jobs if set(names) <= set(columns["jobs"]) else of_people).append(condition)
    try:
        filtered = _filtered(tables, of_jobs, of_people, list(keys))
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise ArgumentError(f"The conditions of `filter` do not fit the columns: {reason}.") from None
    _warn_of_unknown(tables, columns, values)
    return filtered


def _filtered(
    tables: Mapping[str, Any], of_jobs: Sequence[Any], of_people: Sequence[Any], keys: list[str]
) -> tuple[Any, Any, Any]:
    jobs, people = tables["jobs"].lazy().filter(*of_jobs), tables.get("people")
    same: Any = {"on": keys, "how": "semi", "nulls_equal": len(keys) > 1, "maintain_order": "left"}
    if people is not None:
        people = people.lazy().join(jobs.select(keys), **same)
        if of_people:
            jobs, people = _filter_people(jobs, people, of_people, keys)
        people = _like(tables["people"], people)
    jobs = _like(tables["jobs"], jobs)
    tasks = tables["tasks"].lazy().join(jobs.lazy().select(keys), **same)
    return jobs, _like(tables["tasks"], tasks), people


def _like(before: Any, after: pl.LazyFrame) -> Any:
    """Collect the frame, unless it was lazy before."""
    if not isinstance(before, pl.LazyFrame):
        return after.collect()
    after.collect_schema()  # raise errors of column types now
    return after


def _condition(name: str, value: Any) -> pl.Expr:
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return pl.col(name).is_in(list(value))
    condition: pl.Expr = pl.col(name) == value
    return condition


def _filter_people(
    jobs: pl.LazyFrame, people: pl.LazyFrame, conditions: Sequence[pl.Expr], keys: list[str]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return the matching people and the jobs that have some. Count the matching people of jobs that lost others."""
    order, own = jobs.collect_schema(), people.collect_schema().names()
    named = {name for condition in conditions for name in condition.meta.root_names()}
    of_jobs = [name for name in order if name in named and name not in keys]
    # Attributes are read from the jobs if both tables have them.
    rows = people.with_row_index("row").collect()
    of_same_job: Any = {"on": keys, "nulls_equal": len(keys) > 1}
    attributes = rows.lazy().drop(of_jobs, strict=False).join(jobs.select(*keys, *of_jobs), how="left", **of_same_job)
    kept = rows.lazy().join(attributes.filter(*conditions).select("row"), on="row", how="semi", maintain_order="left")
    # A sum with an unknown part is unknown.
    counts = [name for name in _COUNTS if name in own and name in order]
    sums = {f"kept {name}": pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()) for name in counts}
    totals = kept.group_by(keys).agg(**sums, kept=pl.len())
    totals = totals.join(people.group_by(keys).len("rows"), **of_same_job)
    matching = jobs.join(totals, how="inner", maintain_order="left", **of_same_job).with_columns(
        pl.when(pl.col("kept") < pl.col("rows")).then(f"kept {name}").otherwise(name).cast(order[name]).alias(name)
        for name in counts
    )
    return matching.select(order.names()), kept.select(own)


def _check_column(name: str, columns: Mapping[str, Sequence[str]]) -> None:
    if any(name in present for present in columns.values()):
        return
    present = list(dict.fromkeys(column for of_table in columns.values() for column in of_table))
    similar = difflib.get_close_matches(name, present, n=1, cutoff=_SIMILAR)
    hint = f"did you mean {similar[0]!r}?" if similar else f"there are {', '.join(map(repr, present))}"
    tables = "the jobs or people" if "people" in columns else "the jobs, and there are no people"
    raise SchemaError(
        f"{name!r} is not a column of {tables} ({hint}). Attributes of people are added by assign_people."
    )


def _warn_of_unknown(
    tables: Mapping[str, Any], columns: Mapping[str, Sequence[str]], values: Mapping[str, Any]
) -> None:
    """Warn of values that no row has."""
    for name, value in values.items():
        frame = tables["jobs" if name in columns["jobs"] else "people"]
        several = isinstance(value, Collection) and not isinstance(value, str | bytes)
        wanted = [one for one in (value if several else [value]) if isinstance(one, str)]
        if not wanted:
            continue
        present = frame.lazy().select(pl.col(name).unique()).collect().to_series().drop_nulls().to_list()
        for one in wanted:
            if present and one not in present:
                similar = difflib.get_close_matches(one, filter(lambda text: isinstance(text, str), present), n=1)
                hint = f" Did you mean {similar[0]!r}?" if similar else ""
                warn(f"No row has the {name.replace('_', ' ')} {one!r}.{hint}")
