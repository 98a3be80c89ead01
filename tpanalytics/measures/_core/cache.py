"""Result cache for charts and reports, attached to the profiles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import polars as pl

from tpanalytics.schema import History, TaskProfiles, check_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["cached", "with_cache"]

P = ParamSpec("P")
R = TypeVar("R")

#: Maximum number of results to cache. The least recently used results are dropped first.
_MAX_RESULTS = 1_000
_LOCK = Lock()


@dataclass(frozen=True, repr=False, eq=False)
class _CachedProfiles(TaskProfiles):
    """Task profiles with a result cache. Don't modify the tables, or cached results become stale.

    A copy made with `dataclasses.replace` starts with an empty cache.
    """

    results: dict[Hashable, tuple[Any, tuple[TaskProfiles, ...]]] = field(init=False, default_factory=dict)


class _CachedHistory(_CachedProfiles, History):
    """A history with a result cache."""


def with_cache(profiles: TaskProfiles, argument: str = "profiles") -> TaskProfiles:
    """Return the profiles with a result cache attached."""
    check_profiles(profiles, argument)
    if isinstance(profiles, _CachedProfiles):
        return profiles
    kind = _CachedHistory if isinstance(profiles, History) else _CachedProfiles
    return kind(**{attribute.name: getattr(profiles, attribute.name) for attribute in fields(TaskProfiles)})


def cached(measure: Callable[P, R]) -> Callable[P, R]:
    """Cache a measure's results on the last `TaskProfiles` argument, if that has a cache."""
    signature = inspect.signature(measure)

    @wraps(measure)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not any(isinstance(value, _CachedProfiles) for value in (*args, *kwargs.values())):
            return measure(*args, **kwargs)
        try:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            snapshots = tuple(value for value in bound.arguments.values() if isinstance(value, TaskProfiles))
            key = (measure, _frozen(bound.arguments))
            hash(key)
        except TypeError:  # unhashable arguments, or invalid ones that the measure will report
            return measure(*args, **kwargs)
        last = snapshots[-1] if snapshots else None
        if not isinstance(last, _CachedProfiles):
            return measure(*args, **kwargs)
        entry = last.results.get(key)
        if entry is None:
            # The key contains `id(snapshot)`, so keep the earlier snapshots alive.
            entry = measure(*args, **kwargs), snapshots[:-1]
        with _LOCK:
            last.results.pop(key, None)
            last.results[key] = entry  # move to the end, so the least recently used result comes first
            while len(last.results) > _MAX_RESULTS:
                del last.results[next(iter(last.results))]
        # Return a copy, so modifying the frame in place doesn't affect the cached result.
        return cast("R", entry[0].clone() if isinstance(entry[0], pl.DataFrame) else entry[0])

    return call


def _frozen(value: Any) -> Hashable:
    """Return a hashable key for the arguments, ignoring name order and sequence types."""
    if isinstance(value, TaskProfiles):
        return TaskProfiles, id(value)
    if isinstance(value, Mapping):
        return Mapping, tuple(sorted((name, _frozen(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple, tuple(map(_frozen, value))
    hashable: Hashable = value
    return type(value), hashable
