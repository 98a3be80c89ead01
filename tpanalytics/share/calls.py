"""A call of a public function as data: it is made, and it is printed as it would be typed."""

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
from tpanalytics.measures._core.aggregate import NO_STATE
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata, without_totals
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.measures.privacy.release import release
from tpanalytics.schema import to_polars

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.schema import TaskProfiles

__all__ = ["Call", "Source", "Table", "call", "readable", "typed"]


@dataclass(frozen=True)
class Source:
    """The snapshots that calls are made with: one, or two of which `profiles` is the later."""

    profiles: TaskProfiles
    before: TaskProfiles | None = None

    def snapshots(self, names: tuple[str, ...]) -> list[Any]:
        """Return the snapshots of these names."""
        return [getattr(self, name) for name in names]


@dataclass(frozen=True)
class Call:
    """A call of a public function: it can be made, and it prints itself as Python.

    Attributes
    ----------
    name
        The public function.
    takes
        The snapshots it takes, ``"profiles"`` and ``"before"``, in its order.
    given
        Further positional arguments.
    arguments
        Arguments with their values.
    choices
        Arguments whose values the caller holds under the same name, such as the ``states`` of a report.
    """

    name: str
    takes: tuple[str, ...] = ("profiles",)
    given: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def of(self, source: Source, choices: Any = None) -> Any:
        """Make the call; `choices` is an object that has the arguments named in ``self.choices``."""
        with readable():
            return _function(self.name)(*source.snapshots(self.takes), *self.given, **self.keywords(choices))

    def keywords(self, choices: Any = None) -> dict[str, Any]:
        """Return the keyword arguments, with those of `choices`."""
        return {**self.arguments, **{name: getattr(choices, name) for name in self.choices}}

    def released(self, source: Source, privacy: Privacy | None, choices: Any = None) -> pl.DataFrame:
        """Make the call and suppress small groups in its result."""
        measure, before = _function(self.name), source.before if "before" in self.takes else None
        names = list(inspect.signature(measure).parameters)[len(self.takes) :]
        given = dict(zip(names, self.given, strict=False))
        with readable():
            return release(measure, source.profiles, before=before, privacy=privacy, **given, **self.keywords(choices))

    def text(self, **names: str) -> str:
        """Write the call as it is typed, with other names for the snapshots where given."""
        parts = [names.get(name, name) for name in self.takes] + [typed(value) for value in self.given]
        parts += [f"{name}={typed(value)}" for name, value in self.arguments.items()]
        parts += [f"{name}={name}" for name in self.choices]
        return f"tpa.{self.name}({', '.join(parts)})"

    def __str__(self) -> str:
        return self.text()


def call(name: str, *given: str, takes: tuple[str, ...] = ("profiles",), **arguments: Any) -> Call:
    """Write a `Call` like one; arguments that are as usual are left out."""
    usual = inspect.signature(_function(name)).parameters
    unusual = {key: value for key, value in arguments.items() if typed(value) != typed(usual[key].default)}
    return Call(name, takes, given, unusual)


@dataclass(frozen=True)
class Table:
    """The figures behind a chart: a measure, or the tasks themselves; what of it is hidden; which rows are kept."""

    measure: Call | None
    privacy: Privacy | None = None
    keep: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    rationales: bool = False

    def of(self, source: Source) -> pl.DataFrame:
        """Measure, hide, choose."""
        with readable():
            return self._of(source)

    def _of(self, source: Source) -> pl.DataFrame:
        if self.measure is None:
            tasks = nw.from_native(source.profiles.tasks)
            for column, values in self.keep.items():
                known = nw.col(column).fill_null(NO_STATE) if NO_STATE in (values or ()) else nw.col(column)
                tasks = tasks.filter(known.is_in(list(values or ())))
            rows = to_polars(tasks.to_native())
            return rows if self.rationales else rows.drop("ai_impact_rationale")
        frame = self.measure.of(source) if self.privacy is None else self.measure.released(source, self.privacy)
        kept = {column: values for column, values in self.keep.items() if values is not None}
        meaning = get_metadata(frame)
        for column, values in kept.items():
            frame = frame.filter(pl.col(column).is_in(values))
        if not kept or meaning is None:
            return frame
        said = "Only rows that were chosen are here; of how many jobs and tasks is said of all."
        return attach_metadata(frame, replace(without_totals(meaning), policy=(*meaning.policy, said)))

    def __str__(self) -> str:
        kept = "".join(
            f'.filter(pl.col("{column}"){_known(values)}.is_in({typed(values)}))'
            for column, values in self.keep.items()
            if values is not None
        )
        if self.measure is None:
            return f"profiles.tasks{kept}" + '.drop("ai_impact_rationale")' * (not self.rationales)
        hidden = self._hidden(str(self.measure))
        text = str(self.measure if hidden is None else hidden)
        return text + kept

    def _hidden(self, frame: str) -> Call | None:
        if self.privacy is None or self.measure is None:
            return None
        return call("suppress", takes=(frame, *reversed(self.measure.takes)), privacy=self.privacy)


def _known(values: tuple[str, ...]) -> str:
    return f".fill_null({typed(NO_STATE)})" * (NO_STATE in values)


def typed(value: Any) -> str:
    """Write a value as it would be typed."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{typed(key)}: {typed(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(typed, value)) + "]"
    return f"tpa.{value!r}" if isinstance(value, Privacy) else repr(value)


@contextmanager
def readable() -> Iterator[None]:
    """Say in a sentence that a snapshot is gone of which nothing was read before."""
    try:
        yield
    except OSError as error:  # what it says names folders of this machine
        raise SnapshotError(
            f"A file of the snapshot cannot be read ({type(error).__name__}). Put the folder back where it was, or "
            "read the profiles again; what was drawn before still works."
        ) from None


@cache
def _function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(import_module("tpanalytics"), name)
    return found
