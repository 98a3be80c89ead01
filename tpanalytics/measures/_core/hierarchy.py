"""Levels of the task hierarchy, such as the domain, as columns to group by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.schema import HIERARCHY, to_polars

__all__ = ["with_hierarchy_levels"]

_LISTS = "hierarchy"
#: Engines in which Narwhals reads an item of a list, and lists can be shorter than its position.
_READS_ITEMS = ("duckdb", "ibis", "pyspark", "pyspark[connect]")


def with_hierarchy_levels(tasks: Any, names: Sequence[str]) -> Any:
    """Add levels of the hierarchy as columns, null for tasks whose list is null, empty or shorter."""
    if not names:
        return tasks
    places, engine = {name: HIERARCHY.index(name) for name in names}, tasks.implementation.value
    is_list = isinstance(tasks.collect_schema()[_LISTS], nw.List)
    if is_list and engine == "polars":
        levels = {name: pl.col(_LISTS).list.get(place, null_on_oob=True) for name, place in places.items()}
        return nw.from_native(tasks.to_native().with_columns(**levels)).lazy()
    if is_list and engine in _READS_ITEMS:
        lists = nw.col(_LISTS)
        # Some engines raise an error if the list is shorter.
        items = {name: nw.when(lists.list.len() > place).then(lists.list.get(place)) for name, place in places.items()}
        return tasks.with_columns(**items)
    if engine not in ("polars", *_READS_ITEMS):
        return _read_in_python(tasks.collect(), places).lazy()
    if to_polars(tasks.select(n=(~nw.col(_LISTS).is_null()).sum()).to_native()).item() in (None, 0):
        return tasks.with_columns(nw.lit(None, dtype=nw.String).alias(name) for name in names)
    raise _wrong_type(tasks.collect_schema()[_LISTS])


def _read_in_python(tasks: nw.DataFrame[Any], places: dict[str, int]) -> nw.DataFrame[Any]:
    column = tasks.get_column(_LISTS)
    values = zip(column.to_list(), column.is_null().to_list(), strict=True)
    lists = [[] if is_null else _as_list(value) for value, is_null in values]
    items = {name: [None if len(path) <= place else path[place] for path in lists] for name, place in places.items()}
    return tasks.with_columns(
        nw.new_series(name, values, nw.String, backend=tasks.implementation) for name, values in items.items()
    )


def _as_list(value: Any) -> list[str | None]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _wrong_type(type(value).__name__)
    return list(value)


def _wrong_type(found: Any) -> SchemaError:
    return SchemaError(f"`hierarchy` of `tasks` must be lists of text, not {found}. Load or convert it as lists.")
