"""Results kept beside the profiles they were taken of, for those who ask the same again: explorers and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from tpanalytics.errors import SchemaError
from tpanalytics.schema import TaskProfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["check_profiles", "recall", "remembering"]

#: Results that are kept at most; beyond that those go that nobody has asked for longest.
_MOST = 1_000


def check_profiles(profiles: Any) -> None:
    """Refuse what is not task profiles."""
    if not isinstance(profiles, TaskProfiles):
        raise SchemaError(
            f"This takes TaskProfiles, not a {type(profiles).__name__}; pass profiles, not profiles.tasks, or build "
            "TaskProfiles(jobs, tasks)."
        )


@dataclass(frozen=True, repr=False, eq=False)
class _Remembering(TaskProfiles):
    """Task profiles beside which what was measured of them is kept; their tables must not change meanwhile.

    What is made of them by `dataclasses.replace` has other tables, and so begins with nothing to remember.
    """

    results: dict[Hashable, tuple[Any, tuple[TaskProfiles, ...]]] = field(init=False, default_factory=dict)


def remembering(profiles: TaskProfiles) -> TaskProfiles:
    """Give the same profiles with room to keep results in; they go when the profiles do.

    Raises
    ------
    SchemaError
        If these are no profiles.
    """
    check_profiles(profiles)
    if isinstance(profiles, _Remembering):
        return profiles
    return _Remembering(**{one.name: getattr(profiles, one.name) for one in fields(TaskProfiles)})


def recall(measure: Callable[..., Any], /, *profiles: TaskProfiles, **how: Any) -> Any:
    """Give what `measure` gives of `profiles`, without measuring again where they remember it."""
    last = profiles[-1]
    if not isinstance(last, _Remembering):
        return measure(*profiles, **how)
    key = (measure.__module__, measure.__qualname__, *map(id, profiles), _frozen(how))
    found = last.results.pop(key, None)
    if found is None:
        found = measure(*profiles, **how), profiles[:-1]  # those beside stay, so that none takes their id
    last.results[key] = found  # last, so that what nobody has asked for longest is first
    while len(last.results) > _MOST:
        del last.results[next(iter(last.results))]
    return found[0]


def _frozen(value: Any) -> Hashable:
    """Make a key of arguments, whatever order their names came in."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _frozen(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    hashable: Hashable = value
    return hashable
