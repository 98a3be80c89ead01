"""Validated report arguments and data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ShareError
from tpanalytics.formatting import not_profiles
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.checks import check_choice
from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.snapshots import check_one_snapshot
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures._core.weights import checked_weights
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.group_counts import members
from tpanalytics.measures.privacy.policy import OFF, Privacy
from tpanalytics.measures.privacy.suppress import families_in_change
from tpanalytics.measures.privacy.suppress_groups import are_all_suppressed, small_groups, suppressed_families
from tpanalytics.schema import TaskProfiles, counted_states, to_polars
from tpanalytics.share.calls import Source
from tpanalytics.share.grouping import PageGrouping, default_weight, grouping_of
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.share.calls import Call
    from tpanalytics.typing import By

__all__ = ["ReportScope", "resolve_scope"]


#: Nouns for what each weight adds up.
_WORK = {
    "hours": "documented weekly hours",
    "headcount": "weekly hours of all people",
    "fte": "weekly hours of all full-time equivalents",
}


@dataclass(frozen=True, kw_only=True)
class ReportScope:
    """A report's data and arguments. All tables are Polars data frames."""

    profiles: TaskProfiles
    before: TaskProfiles | None
    grouping: PageGrouping
    #: Label of the group to report on, or None for all groups.
    group: str | None
    #: The weight that was asked for, or None for the default.
    asked_weight: StaffWeight | None
    states: tuple[str, ...]
    level_weights: Mapping[str, float]
    contract_hours: float | None
    privacy: Privacy | None
    title: str | None
    rationales: bool
    jobs: bool

    @property
    def by(self) -> By:
        """Columns that define the groups, as passed to measures and charts."""
        return self.grouping.argument

    @cached_property
    def weight(self) -> str:
        """What shares and the index add up: hours, or hours times people if the groups are groups of people."""
        return str(self.asked_weight or default_weight(self.profiles, self.grouping))

    @property
    def work(self) -> str:
        """What `weight` adds up, as a noun."""
        return _WORK[self.weight]

    @cached_property
    def limits(self) -> Privacy:
        """Privacy setting, or `OFF` if it is None."""
        return self.privacy or OFF

    @cached_property
    def members(self) -> pl.DataFrame:
        """Each job's groups: ``job_id, group``."""
        return members(self.profiles, self.states, self.by).select("job_id", "group")

    @cached_property
    def suppressed(self) -> frozenset[str]:
        """Groups suppressed in either snapshot."""
        if self.before is None:
            staffed = self.weight in STAFF
            how: dict[str, Any] = {"by": self.by, "states": self.states, "privacy": self.limits, "staffed": staffed}
            return frozenset(small_groups(self.profiles, **how))
        groups = families_in_change(self.before, self.profiles, by=self.by, states=self.states, privacy=self.privacy)
        return frozenset(suppressed_families(groups))

    @cached_property
    def suppressed_jobs(self) -> pl.DataFrame:
        """The ``job_id`` of each job in a suppressed group."""
        return self.members.filter(pl.col("group").is_in(list(self.suppressed))).select("job_id").unique()

    @cached_property
    def all_suppressed(self) -> bool:
        """Whether all groups are suppressed. If so, totals must be suppressed too."""
        groups = {self.group} if self.group is not None else set(self.members.get_column("group"))
        return bool(groups) and groups <= self.suppressed

    @cached_property
    def has_charts_of_all(self) -> bool:
        """Whether charts of all jobs together have figures. They have none if there are too few jobs or people."""
        if self.all_suppressed:
            return False
        profiles, before = self.part.profiles, self.part.before
        if before is None:
            return not small_groups(profiles, by=None, states=self.states, privacy=self.limits)
        all_jobs = families_in_change(before, profiles, by=None, states=self.states, privacy=self.privacy)
        return not are_all_suppressed(all_jobs)

    @cached_property
    def shown(self) -> TaskProfiles:
        """Profiles in the report: the whole company or a single group."""
        if self.group is None:
            return self.profiles
        return _of_jobs(self.profiles, self.members.filter(group=self.group))

    @cached_property
    def shown_before(self) -> TaskProfiles:
        """Earlier profiles, filtered like `shown`."""
        before = self.before
        if before is None:
            raise AssertionError("the report has no earlier snapshot")
        if self.group is None:
            return before
        # As in `compare`, use a job's current group, or the earlier group if the job was removed.
        formerly = members(before, self.states, self.by).filter(group=self.group).select("job_id")
        removed = formerly.join(self.profiles.jobs, on="job_id", how="anti")
        return _of_jobs(before, pl.concat([self.shown.jobs.select("job_id"), removed]))

    @cached_property
    def company(self) -> Source:
        """Company-wide snapshots."""
        return Source(self.profiles, self.before)

    @cached_property
    def part(self) -> Source:
        """Snapshots with only the jobs in the report."""
        return Source(self.shown, None if self.before is None else self.shown_before)

    def by_group(self, measure: Call) -> pl.DataFrame:
        """Measure all groups, suppress small groups and return the rows for the report, with a ``group`` label."""
        result = with_labels(measure.released(self.company, self.privacy, self))
        if self.group is None:
            return result
        rows = result.filter(pl.col("group") == self.group)
        if self.group in suppressed_families(result):
            return attach_metadata(rows, without_figures(about(result)))
        return attach_metadata(rows, about(measure.released(self.part, self.privacy, self)))

    def as_one(self, measure: Call, *, company: bool = False) -> pl.DataFrame:
        """Measure all jobs in the report or the company together."""
        together = replace(measure, choices=tuple(name for name in measure.choices if name != "by"))
        together = replace(together, arguments={**measure.arguments, "by": None})
        result: pl.DataFrame = together.of(Source(self.profiles if company else self.shown), self)
        return result


def resolve_scope(
    profiles: Any,
    *,
    by: Any,
    groups: Any,
    weight: Any = None,
    before: Any,
    states: Sequence[str] | None,
    level_weights: Mapping[str, float],
    contract_hours: float | None,
    privacy: Privacy | None,
    title: Any,
    rationales: bool,
    jobs: bool,
) -> ReportScope:
    """Validate the `save_report` arguments and return a scope."""
    for name, value in (("profiles", profiles), ("before", before)):
        if not isinstance(value, TaskProfiles) and (name == "profiles" or value is not None):
            raise ShareError(not_profiles(name, value))
        if value is not None:
            check_one_snapshot(**{name: value})
    if privacy is not None and not isinstance(privacy, Privacy):
        raise ShareError(f"`privacy` must be a Privacy, like Privacy(min_jobs=3), or None, not {privacy!r}.")
    if title is not None and not isinstance(title, str):
        raise ShareError(f"`title` must be a string or None, not {title!r}.")
    if weight is not None:
        check_choice("weight", weight, StaffWeight)
    profiles, before = _collected(profiles), None if before is None else _collected(before)
    grouping = grouping_of(profiles, by)
    if before is not None:
        grouping_of(before, by)
    if grouping.overlap:
        _check_overlapping(grouping, groups=groups is not None, jobs=jobs, rationales=rationales)
    sides = [profiles] if before is None else [profiles, before]
    scope = ReportScope(
        profiles=profiles,
        before=before,
        grouping=grouping,
        group=_one_group(groups, grouping.noun),
        asked_weight=weight,
        states=tuple(counted_states(states, *sides)),
        level_weights=checked_weights(level_weights),
        contract_hours=contract_hours,
        privacy=privacy,
        title=title,
        rationales=rationales,
        jobs=jobs,
    )
    if scope.group is not None:
        _check_group(scope.group, scope)
    return scope


def _one_group(groups: Any, noun: str) -> Any:
    """Return the group to report on, which can be in a list, as for charts."""
    if not isinstance(groups, list | tuple):
        return groups
    if len(groups) != 1:
        raise ShareError(
            f"`groups` must be the name of one {noun} or None, not {len(groups)} names. Write a report for each of "
            "them, or select them with profiles.filter."
        )
    return groups[0]


def _check_group(group: Any, scope: ReportScope) -> None:
    if scope.by is None:
        raise ShareError(f"`groups` must be None without `by`, not {group!r}.")
    names = scope.members.get_column("group").unique().sort().to_list()
    if isinstance(group, str) and group in names:
        return
    matches = difflib.get_close_matches(group, names, n=3, cutoff=0.5) if isinstance(group, str) else []
    hint = f" (did you mean {' or '.join(map(repr, matches))}?)" if matches else ""
    raise ShareError(f"`groups` must be the name of one {scope.grouping.noun} or None, not {group!r}{hint}.")


def _check_overlapping(grouping: PageGrouping, **given: bool) -> None:
    """Raise an error for arguments that require every job to be in one group."""
    for name, is_given in given.items():
        if is_given:
            columns = grouping.columns
            column, table = (*columns.people, *columns.tasks)[0], "people" if columns.people else "tasks"
            raise ShareError(
                f"`{name}` requires groups by columns of the jobs, and {column!r} is a column of the {table}. "
                f"Leave out `{name}`, or use another `by`."
            )


def without_figures(meaning: Meaning) -> Meaning:
    """Remove figures that describe suppressed data."""
    return replace(meaning, coverage={}, share_suggested=None, grade=None, jobs=0, tasks=0, warnings=())


def _collected(profiles: TaskProfiles) -> TaskProfiles:
    """Convert the profiles to Polars, with a cache shared by charts, tables and cards."""
    frames = {"jobs": profiles.jobs, "tasks": profiles.tasks, "people": profiles.people}
    changed: dict[str, Any] = {
        name: to_polars(frame)
        for name, frame in frames.items()
        if frame is not None and not isinstance(frame, pl.DataFrame)
    }
    return with_cache(replace(profiles, **changed) if changed else profiles)


def _of_jobs(profiles: TaskProfiles, ids: pl.DataFrame) -> TaskProfiles:
    jobs, tasks, people = (
        None if frame is None else frame.join(ids, on="job_id", how="semi")
        for frame in (profiles.jobs, profiles.tasks, profiles.people)
    )
    return replace(profiles, jobs=jobs, tasks=tasks, people=people)
