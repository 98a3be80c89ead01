"""Calls to public functions that can be run or formatted as Python code."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.errors import SnapshotError
from tpanalytics.measures._core.groups import BY_FAMILY, SEPARATOR
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.measures.privacy.release import release
from tpanalytics.schema import NO_STATE, to_polars

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.schema import TaskProfiles

__all__ = ["Call", "Source", "Table", "as_python", "call", "readable"]


@dataclass(frozen=True)
class Source:
    """Snapshots passed to a call. `before` is the earlier snapshot, if any."""

    profiles: TaskProfiles
    before: TaskProfiles | None = None

    def snapshots(self, names: tuple[str, ...]) -> list[Any]:
        """Return the snapshots with the given names."""
        return [getattr(self, name) for name in names]


@dataclass(frozen=True)
class Call:
    """A call to a public function.

    The positional arguments are `snapshots`, followed by `positional`. Arguments named in `choices`, such as
    ``states``, are looked up on the object passed to `of`.
    """

    name: str
    snapshots: tuple[str, ...] = ("profiles",)
    positional: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def of(self, source: Source, choices: Any = None) -> Any:
        """Make the call and return the result."""
        with readable():
            return _function(self.name)(*source.snapshots(self.snapshots), *self.positional, **self.keywords(choices))

    def keywords(self, choices: Any = None) -> dict[str, Any]:
        """Return the keyword arguments, including those read from `choices`."""
        return {**self.arguments, **{name: getattr(choices, name) for name in self.choices}}

    def released(self, source: Source, privacy: Privacy | None, choices: Any = None) -> pl.DataFrame:
        """Make the call and suppress small groups in the result."""
        measure, before = _function(self.name), source.before if "before" in self.snapshots else None
        names = list(inspect.signature(measure).parameters)[len(self.snapshots) :]
        positional = dict(zip(names, self.positional, strict=False))
        keywords = self.keywords(choices)
        with readable():
            return release(measure, source.profiles, before=before, privacy=privacy, **positional, **keywords)

    def text(self, **names: str) -> str:
        """Format the call as Python code, using `names` to rename snapshots."""
        parts = [names.get(name, name) for name in self.snapshots] + [as_python(value) for value in self.positional]
        parts += [f"{name}={as_python(value)}" for name, value in self.arguments.items()]
        parts += [f"{name}={name}" for name in self.choices]
        return f"tpa.{self.name}({', '.join(parts)})"

    def __str__(self) -> str:
        return self.text()


def call(name: str, *positional: str, snapshots: tuple[str, ...] = ("profiles",), **arguments: Any) -> Call:
    """Return a `Call` without the arguments left at their default."""
    parameters = inspect.signature(_function(name)).parameters
    changed = {key: value for key, value in arguments.items() if as_python(value) != as_python(parameters[key].default)}
    return Call(name, snapshots, positional, changed)


@dataclass(frozen=True)
class Table:
    """Table behind a chart: a measure's result, or the tasks if `measure` is None.

    `filters` selects rows by column, or by the label of the groups with the key ``group``.
    """

    measure: Call | None
    privacy: Privacy | None = None
    filters: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    rationales: bool = False
    by: tuple[str, ...] = (BY_FAMILY,)

    def marks(self, source: Source, column: str) -> list[str]:
        """Return the distinct values of a column, or the labels of the groups for the column ``group``."""
        return self.of(source).select(self._labels(column)).to_series().unique().to_list()

    def _labels(self, column: str) -> pl.Expr:
        if column != "group":
            return pl.col(column)
        return pl.concat_str(self.by, separator=SEPARATOR) if len(self.by) > 1 else pl.col(self.by[0])

    def _labels_code(self, column: str) -> str:
        if column == "group" and len(self.by) > 1:
            return f"pl.concat_str({as_python(self.by)}, separator={as_python(SEPARATOR)})"
        return f"pl.col({as_python(self.by[0] if column == 'group' else column)})"

    def of(self, source: Source) -> pl.DataFrame:
        """Return the table after suppression and filtering."""
        with readable():
            return self._of(source)

    def _of(self, source: Source) -> pl.DataFrame:
        if self.measure is None:
            tasks = nw.from_native(source.profiles.tasks)
            for column, values in self.filters.items():
                filled = nw.col(column).fill_null(NO_STATE) if NO_STATE in (values or ()) else nw.col(column)
                tasks = tasks.filter(filled.is_in(list(values or ())))
            rows = to_polars(tasks.to_native())
            return rows if self.rationales else rows.drop("ai_impact_rationale")
        frame = self.measure.of(source) if self.privacy is None else self.measure.released(source, self.privacy)
        filters = {column: values for column, values in self.filters.items() if values is not None}
        meaning = get_metadata(frame)
        for column, values in filters.items():
            frame = frame.filter(self._labels(column).is_in(values))
        if not filters or meaning is None:
            return frame
        note = "Only the selected rows are shown. The numbers of jobs and tasks describe all rows."
        return attach_metadata(frame, replace(without_totals(meaning), policy=(*meaning.policy, note)))

    def __str__(self) -> str:
        filters = "".join(
            f".filter({self._labels_code(column)}{_filled(values)}.is_in({as_python(values)}))"
            for column, values in self.filters.items()
            if values is not None
        )
        if self.measure is None:
            return f"profiles.tasks{filters}" + '.drop("ai_impact_rationale")' * (not self.rationales)
        suppressed = self._suppressed(str(self.measure))
        return str(self.measure if suppressed is None else suppressed) + filters

    def _suppressed(self, frame: str) -> Call | None:
        if self.privacy is None or self.measure is None:
            return None
        return call("suppress", snapshots=(frame, *reversed(self.measure.snapshots)), privacy=self.privacy)


def _filled(values: tuple[str, ...]) -> str:
    return f".fill_null({as_python(NO_STATE)})" * (NO_STATE in values)


def as_python(value: Any) -> str:
    """Format a value as Python code."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_python(key)}: {as_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_python, value)) + "]"
    return f"tpa.{value!r}" if isinstance(value, Privacy) else repr(value)


@contextmanager
def readable() -> Iterator[None]:
    """Raise a `SnapshotError` if a lazy snapshot's files can't be read."""
    try:
        yield
    except OSError as error:  # the message contains a local path
        raise SnapshotError(
            f"A file of the snapshot cannot be read ({type(error).__name__}). "
            "Restore the folder, or call read_profiles again."
        ) from None


@cache
def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module("tpanalytics"), name)
    return function
