"""What an explorer must know of the data before its controls can be built, and what may be chosen in a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.explorers.calls import readable
from tpanalytics.formatting import printable
from tpanalytics.measures._core.aggregate import aggregate_tasks, read_inputs
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.group_counts import below_threshold, group_counts
from tpanalytics.measures.privacy.policy import check_privacy
from tpanalytics.measures.privacy.suppress import apply_policy, families_in_change, hidden_families, jobs_left_out
from tpanalytics.schema import COUNTED_STATES, KNOWN_LEVELS, NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.explorers.calls import Source
    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles

__all__ = ["VALIDATED", "Facts", "facts_of"]

#: The other states that are offered, beside the usual ones.
VALIDATED = COUNTED_STATES[:1]
#: Jobs that a list offers at most; the search finds the others.
_LISTED = 2_000


@dataclass(frozen=True)
class Facts:
    """What there is to choose from.

    Attributes
    ----------
    source
        The snapshots.
    families
        All families, by name, jobs without one last.
    levels
        Levels in the data, without ``not assessed``; H1, H2 and H3 always.
    staffed
        Some headcount is known.
    states_apart
        One may go from the usual states to those validated and back: the tasks between are in no family those of too
        few. If not, two charts together would tell what each of them alone does not.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.
    """

    source: Source
    families: tuple[str, ...]
    levels: tuple[str, ...]
    staffed: bool
    states_apart: bool
    privacy: Privacy | None

    def open(self, states: Sequence[str]) -> tuple[str, ...]:
        """Name the families whose jobs may be looked at one by one."""
        hidden = _hidden(self.source.profiles, states=list(states), privacy=self.privacy)
        return tuple(family for family in self.families if family not in hidden)

    def jobs_of(self, family: str | None, states: Sequence[str]) -> list[tuple[str, str]]:
        """List name and id of the jobs of a family that may be looked at, by name."""
        if family is None or family not in self.open(states):
            return []
        return _listed(self.source.profiles, family=family, states=list(states), privacy=self.privacy)

    def left_out(self, states: Sequence[str]) -> int:
        """Count the jobs that no table of single jobs or tasks may tell of."""
        return len(jobs_left_out(self.source.profiles, states=list(states), privacy=self.privacy))

    def change_by_family(self, states: Sequence[str]) -> bool:
        """Say whether what changed may be told by family.

        It may if the same families are hidden in it as in the later snapshot alone, in these states and in those that
        are offered; one view would tell otherwise what the other hides.
        """
        source, all_states = self.source, {COUNTED_STATES, VALIDATED, tuple(states)}
        if source.before is None or self.privacy is None:
            return True
        return all(
            _hidden_alike(source.before, source.profiles, states=list(one), privacy=self.privacy) for one in all_states
        )


def facts_of(source: Source, privacy: Privacy | None) -> Facts:
    """Read what there is; the measure it takes is the one that the first chart draws."""
    check_privacy(privacy)
    jobs, _ = read_inputs(source.profiles)
    impact = measure_impact(source.profiles, weight="hours", states=COUNTED_STATES)
    families = jobs.get_column("job_family").unique().sort().to_list()
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("level").to_list())
    snapshots = [one for one in (source.before, source.profiles) if one is not None]
    return Facts(
        source=source,
        families=(*(family for family in families if family != NO_FAMILY), *[NO_FAMILY] * (NO_FAMILY in families)),
        levels=tuple(dict.fromkeys([*KNOWN_LEVELS[:3], *(level for level in levels if level != NOT_ASSESSED)])),
        staffed="headcount" in jobs.columns and jobs.get_column("headcount").count() > 0,
        states_apart=privacy is None or all(_states_apart(one, privacy) for one in snapshots),
        privacy=privacy,
    )


@cached
@readable()
def _hidden(profiles: TaskProfiles, *, states: list[str], privacy: Privacy | None) -> set[str]:
    # What is odd about the tasks is for the chart to say, which comes later.
    cells = aggregate_tasks(profiles, states, per="family", checked=True).cells
    levels = cells.select("job_family", "level", tasks="n")
    return set(hidden_families(apply_policy(levels, group_counts(profiles, states=states), privacy)))


@cached
@readable()
def _listed(
    profiles: TaskProfiles, *, family: str, states: list[str], privacy: Privacy | None
) -> list[tuple[str, str]]:
    jobs, _ = read_inputs(profiles)
    left = jobs_left_out(profiles, states=states, privacy=privacy)
    own = jobs.filter(pl.col("job_family") == family).filter(~pl.col("job_id").is_in(left.to_list()))
    named = pl.col("job_name") if "job_name" in jobs.columns else pl.lit(None, dtype=pl.String)
    name = pl.coalesce(named, "job_id").map_elements(printable, return_dtype=pl.String).alias("name")
    rows = own.select("job_id", name).sort("name", "job_id").head(_LISTED)
    twice = rows.get_column("name").is_duplicated()
    return [
        (f"{name} ({job})" if again else name, job)
        for (name, job), again in zip(rows.select("name", "job_id").rows(), twice, strict=True)
    ]


@cached
@readable()
def _hidden_alike(before: TaskProfiles, after: TaskProfiles, *, states: list[str], privacy: Privacy) -> bool:
    """Say whether two snapshots together hide the families that the later one hides."""
    alone = group_counts(after, states=states)
    one = apply_policy(alone.select("job_family"), alone, privacy)
    other = families_in_change(before, after, states=states, privacy=privacy)
    return set(hidden_families(one)) == set(hidden_families(other))


def _states_apart(profiles: TaskProfiles, privacy: Privacy) -> bool:
    """Say whether what is suggested only is of enough jobs and people wherever there is any and a family is shown."""
    between = group_counts(profiles, states=COUNTED_STATES[1:]).select(pl.exclude("^all_.*$"))
    few = between.filter(below_threshold(between.columns, privacy, staffed=True)).get_column("job_family")
    hidden = _hidden(profiles, states=list(COUNTED_STATES), privacy=privacy)
    return set(few) <= hidden
