"""Control options for an explorer, based on the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import clean_text
from tpanalytics.measures._core.aggregate import aggregate_tasks, read_inputs
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.group_jobs import jobs_of_group
from tpanalytics.measures._core.groups import ALL_JOBS
from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures._core.skill_counts import has_skills
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.group_counts import below_threshold, group_counts, groups_with_people
from tpanalytics.measures.privacy.policy import OFF, check_privacy
from tpanalytics.measures.privacy.suppress import families_in_change
from tpanalytics.measures.privacy.suppress_groups import (
    larger_groups,
    small_groups,
    suppress_groups,
    suppressed_families,
)
from tpanalytics.measures.privacy.suppress_jobs import groups_of_jobs, suppressed_jobs
from tpanalytics.schema import COUNTED_STATES, LEVELS, NOT_ASSESSED, counted_states, level_order
from tpanalytics.share.calls import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.calls import Source
    from tpanalytics.share.grouping import PageGrouping
    from tpanalytics.typing import By

__all__ = ["VALIDATED", "Facts", "facts_of"]

VALIDATED = COUNTED_STATES[:1]
#: Maximum number of jobs to list. Other jobs can be found by searching for tasks.
_MAX_JOBS = 2_000


@dataclass(frozen=True)
class Facts:
    """An explorer's groups, levels and control options, after suppression."""

    source: Source
    grouping: PageGrouping
    #: Labels of the groups, sorted by name with missing values last.
    groups: tuple[str, ...]
    #: Levels in the data, excluding "not assessed". Always includes H1, H2 and H3.
    levels: tuple[str, ...]
    #: The counts of people that are known: "headcount", "fte", both or none.
    staff: tuple[str, ...]
    #: Whether any task has a skill.
    has_skills: bool
    #: False if the difference between all tasks and validated tasks would reveal a small group.
    offers_validated_only: bool
    privacy: Privacy | None

    @property
    def default_weight(self) -> str:
        """The weight to start with: people if the groups are groups of people."""
        return self.staff[0] if self.grouping.columns.people and self.staff else "hours"

    @property
    def counted(self) -> str:
        """What the exposure curve counts: people if their number is known, or else jobs."""
        return self.staff[0] if self.staff else "jobs"

    def visible_groups(self, states: Sequence[str]) -> tuple[str, ...]:
        """Return the groups that are not suppressed."""
        profiles, by = self.source.profiles, self.grouping.argument
        suppressed = _suppressed_groups(profiles, by=by, states=list(states), privacy=self.privacy)
        return tuple(group for group in self.groups if group not in suppressed)

    def visible_jobs(self, group: str | None, states: Sequence[str]) -> list[tuple[str, str]]:
        """Return the name and id of each unsuppressed job in a group, or of all jobs without `by`, sorted by name."""
        group = group if self.grouping.by else ALL_JOBS
        if group is None or group not in self.visible_groups(states):
            return []
        by, profiles = self.grouping.argument, self.source.profiles
        return _job_options(profiles, group=group, by=by, states=list(states), privacy=self.privacy)

    def n_suppressed_jobs(self, states: Sequence[str]) -> int:
        """Return the number of jobs suppressed in job or task tables."""
        profiles = self.source.profiles
        by = groups_of_jobs(self.grouping.by, profiles)
        return len(suppressed_jobs(profiles, by=by, states=list(states), privacy=self.privacy))

    def compares_groups(self, states: Sequence[str]) -> bool:
        """Return True if changes can be shown by group."""
        source, all_states = self.source, {COUNTED_STATES, VALIDATED, tuple(states)}
        if not self.grouping.by:
            return False
        if source.before is None or self.privacy is None:
            return True
        return all(
            _same_suppression(
                source.before, source.profiles, by=self.grouping.argument, states=list(counted), privacy=self.privacy
            )
            for counted in all_states
        )

    @property
    def default_states(self) -> list[str]:
        """The validation states to start with."""
        return counted_states(None, *(each for each in (self.source.before, self.source.profiles) if each is not None))

    def _states(self) -> list[tuple[str, list[str]]]:
        default = self.default_states
        if set(default) != set(COUNTED_STATES):
            return [(" and ".join(default), default)]
        return [
            ("validated and suggested", list(COUNTED_STATES)),
            *[("validated only", list(VALIDATED))] * self.offers_validated_only,
        ]

    def options(self, states: Sequence[str]) -> dict[str, list[tuple[str, Any]]]:
        """Return the options for each control as (label, value) pairs, given the selected validation states."""
        views = [("AI impact", "impact"), ("Weekly hours", "hours"), *[("Skills", "skills")] * self.has_skills]
        return {
            "states": self._states(),
            "view": [*views, ("Tasks", "tasks"), *[("What changed", "compare")] * (self.source.before is not None)],
            "show": [("shares by level", "levels"), ("exposure by weight", "weights"), ("exposure curve", "curve")],
            "weight": [("tasks", "tasks"), ("hours", "hours"), *((_STAFF[name], name) for name in self.staff)],
            "change": [
                *[("bridge", "bridge"), ("level changes", "moves")],
                *[(self.grouping.nouns, "groups")] * self.compares_groups(states),
            ],
            "level": [(level, level) for level in self.levels],
            "counted": [("tasks", "tasks"), ("hours", "hours")],
            "value": [("hours", "hours"), ("exposure", "exposure")],
            "group": [
                (f"all {self.grouping.nouns}", None),
                *((group, group) for group in self.visible_groups(states) if self.grouping.by),
            ],
        }


#: Labels of the counts of people.
_STAFF = {"headcount": "headcount", "fte": "FTE"}


def facts_of(source: Source, grouping: PageGrouping, privacy: Privacy | None) -> Facts:
    """Collect facts about the snapshots. Uses the impact measure, since the first chart needs it anyway."""
    check_privacy(privacy)
    by = grouping.argument
    jobs = read_inputs(source.profiles, by).jobs
    impact = measure_impact(source.profiles, by=by, weight="hours")
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("ai_impact_level").to_list())
    snapshots = [profiles for profiles in (source.before, source.profiles) if profiles is not None]
    groups = with_labels(impact).get_column("group").unique(maintain_order=True)
    if grouping.columns.people:  # charts by people have no figures for jobs without people
        groups = groups.filter(groups.is_in(groups_with_people(source.profiles, by=by, states=None).implode()))
    return Facts(
        source=source,
        grouping=grouping,
        groups=tuple(groups),
        levels=tuple(dict.fromkeys([*LEVELS[:3], *(level for level in levels if level != NOT_ASSESSED)])),
        staff=tuple(name for name in STAFF if name in jobs.columns and jobs.get_column(name).count() > 0),
        has_skills=_has_skills(source.profiles),
        offers_validated_only=privacy is None or all(_reveals_no_small_group(each, by, privacy) for each in snapshots),
        privacy=privacy,
    )


@readable()
def _has_skills(profiles: TaskProfiles) -> bool:
    return has_skills(profiles)


@cached
@readable()
def _suppressed_groups(profiles: TaskProfiles, *, by: By, states: list[str], privacy: Privacy | None) -> set[str]:
    # We skip the checks here. Drawing the chart emits the same warnings.
    cells = aggregate_tasks(profiles, states, by=by, per="group", checked=True).cells
    levels = cells.select("group", ai_impact_level="level", tasks="n")
    limits, counts = privacy or OFF, group_counts(profiles, by=by, states=states)
    larger = larger_groups(profiles, by=by, states=states, privacy=limits, staffed=False)
    return set(suppressed_families(suppress_groups(levels, counts, limits, larger=larger)))


@cached
@readable()
def _job_options(
    profiles: TaskProfiles, *, group: str, by: By, states: list[str], privacy: Privacy | None
) -> list[tuple[str, str]]:
    jobs = jobs_of_group(profiles, group, by=by, states=states, privacy=privacy).jobs
    name = pl.col("job_name").map_elements(clean_text, return_dtype=pl.String).alias("name")
    rows = jobs.select("job_id", name).sort("name", "job_id").head(_MAX_JOBS)
    duplicated = rows.get_column("name").is_duplicated()
    return [
        (f"{name} ({job})" if ambiguous else name, job)
        for (name, job), ambiguous in zip(rows.select("name", "job_id").rows(), duplicated, strict=True)
    ]


@cached
@readable()
def _same_suppression(
    before: TaskProfiles, after: TaskProfiles, *, by: By, states: list[str], privacy: Privacy
) -> bool:
    """Return True if comparing the snapshots suppresses the same groups as the later snapshot alone."""
    single = small_groups(after, by=by, states=states, privacy=privacy)
    change = families_in_change(before, after, by=by, states=states, privacy=privacy)
    return set(single) == set(suppressed_families(change))


def _reveals_no_small_group(profiles: TaskProfiles, by: By, privacy: Privacy) -> bool:
    """Return True if the suggested tasks in each visible group come from enough jobs and people."""
    suggested = group_counts(profiles, by=by, states=COUNTED_STATES[1:]).select(pl.exclude("^all_.*$"))
    small = suggested.filter(below_threshold(suggested.columns, privacy, staffed=True)).get_column("group")
    return set(small) <= _suppressed_groups(profiles, by=by, states=list(COUNTED_STATES), privacy=privacy)
