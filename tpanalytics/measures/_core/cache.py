"""Cache results on the profiles they were computed from, for callers that ask the same again: charts and reports."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["cached", "check_profiles", "with_cache"]

P = ParamSpec("P")
R = TypeVar("R")

#: Results that are kept at most; beyond that the least recently used are dropped.
_MOST = 1_000
_LOCK = Lock()


def check_profiles(profiles: Any) -> None:
    """Refuse what is not task profiles."""
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(
            f"This takes TaskProfiles, not a {type(profiles).__name__}; pass profiles, not profiles.tasks, or build "
            "TaskProfiles(jobs, tasks)."
        )


@dataclass(frozen=True, repr=False, eq=False)
class _CachedProfiles(TaskProfiles):
    """Task profiles with a result cache; their tables must not change while they are in use.

    A copy made by `dataclasses.replace` has other tables and starts with an empty cache.
    """

    results: dict[Hashable, tuple[Any, tuple[TaskProfiles, ...]]] = field(init=False, default_factory=dict)


def with_cache(profiles: TaskProfiles) -> TaskProfiles:
    """Return the profiles with a result cache attached."""
    check_profiles(profiles)
    if isinstance(profiles, _CachedProfiles):
        return profiles
    return _CachedProfiles(**{one.name: getattr(profiles, one.name) for one in fields(TaskProfiles)})


def cached(measure: Callable[P, R]) -> Callable[P, R]:
    """Serve a measure's result from the cache of the (last) profiles it is called with, where they carry one."""
    signature = inspect.signature(measure)

    @wraps(measure)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not any(isinstance(one, _CachedProfiles) for one in (*args, *kwargs.values())):
            return measure(*args, **kwargs)
        try:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            snapshots = tuple(one for one in bound.arguments.values() if isinstance(one, TaskProfiles))
            key = (measure, _frozen(bound.arguments))
            hash(key)
        except TypeError:  # arguments that do not fit, which the measure itself reports, or that have no hash
            return measure(*args, **kwargs)
        last = snapshots[-1] if snapshots else None
        if not isinstance(last, _CachedProfiles):
            return measure(*args, **kwargs)
        found = last.results.get(key)
        if found is None:
            # Earlier snapshots are kept as well, so that no other takes their id.
            found = measure(*args, **kwargs), snapshots[:-1]
        with _LOCK:
            last.results.pop(key, None)
            last.results[key] = found  # at the end, so that the least recently used is first
            while len(last.results) > _MOST:
                del last.results[next(iter(last.results))]
        # A copy, so that a caller who changes a frame in place does not change later answers.
        return cast("R", found[0].clone() if isinstance(found[0], pl.DataFrame) else found[0])

    return call


def _frozen(value: Any) -> Hashable:
    """Make a key of arguments that does not depend on the order of names or the kind of list."""
    if isinstance(value, TaskProfiles):
        return TaskProfiles, id(value)
    if isinstance(value, Mapping):
        return Mapping, tuple(sorted((name, _frozen(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple, tuple(map(_frozen, value))
    hashable: Hashable = value
    return type(value), hashable
