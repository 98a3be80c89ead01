"""What the data of an explorer offer: families, jobs and levels, and the choices of every control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.formatting import printable
from tpanalytics.measures._core.aggregate import aggregate_tasks, read_inputs
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures.impact import impact as measure_impact
from tpanalytics.measures.privacy.group_counts import below_threshold, group_counts
from tpanalytics.measures.privacy.policy import check_privacy
from tpanalytics.measures.privacy.suppress import apply_policy, families_in_change, hidden_families, jobs_left_out
from tpanalytics.schema import COUNTED_STATES, LEVELS, NO_FAMILY, NOT_ASSESSED, level_order
from tpanalytics.share.calls import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.share.calls import Source

__all__ = ["VALIDATED", "Facts", "facts_of"]

#: The validation states offered in addition to the usual ones.
VALIDATED = COUNTED_STATES[:1]
#: Longest list of jobs; the search finds the others.
_MAX_JOBS = 2_000


@dataclass(frozen=True)
class Facts:
    """What the snapshots of an explorer contain, and what may be shown of it."""

    source: Source
    #: By name, jobs without a family last.
    families: tuple[str, ...]
    #: Levels in the data, without ``not assessed``; H1, H2 and H3 always.
    levels: tuple[str, ...]
    has_headcount: bool
    #: Whether the validated tasks may be shown next to all tasks: the difference between both reveals no small group.
    offers_validated_only: bool
    privacy: Privacy | None

    def visible_families(self, states: Sequence[str]) -> tuple[str, ...]:
        """Return the families whose single jobs may be shown."""
        hidden = _hidden(self.source.profiles, states=list(states), privacy=self.privacy)
        return tuple(family for family in self.families if family not in hidden)

    def visible_jobs(self, family: str | None, states: Sequence[str]) -> list[tuple[str, str]]:
        """Return name and id of the jobs of a family that may be shown, by name."""
        if family is None or family not in self.visible_families(states):
            return []
        return _listed(self.source.profiles, family=family, states=list(states), privacy=self.privacy)

    def n_suppressed_jobs(self, states: Sequence[str]) -> int:
        """Return how many jobs no table of single jobs or tasks may contain."""
        return len(jobs_left_out(self.source.profiles, states=list(states), privacy=self.privacy))

    def compares_families(self, states: Sequence[str]) -> bool:
        """Return whether changes may be shown by family."""
        source, all_states = self.source, {COUNTED_STATES, VALIDATED, tuple(states)}
        if source.before is None or self.privacy is None:
            return True
        return all(
            _hidden_alike(source.before, source.profiles, states=list(one), privacy=self.privacy) for one in all_states
        )

    def options(self, states: Sequence[str]) -> dict[str, list[tuple[str, Any]]]:
        """Return label and value of every choice of every control, while tasks in these states count."""
        views = [("AI impact", "impact"), ("Weekly hours", "hours"), ("Tasks", "tasks")]
        return {
            "states": [
                ("validated and suggested", list(COUNTED_STATES)),
                *[("validated only", list(VALIDATED))] * self.offers_validated_only,
            ],
            "view": [*views, *[("What changed", "compare")] * (self.source.before is not None)],
            "show": [("shares of levels", "levels"), ("exposure by weight", "weights")],
            "weight": [("tasks", "tasks"), ("hours", "hours"), *[("headcount", "headcount")] * self.has_headcount],
            "change": [
                *[("bridge", "bridge"), ("moves of levels", "moves")],
                *[("job families", "families")] * self.compares_families(states),
            ],
            "level": [(level, level) for level in self.levels],
            "counted": [("tasks", "tasks"), ("hours", "hours")],
            "value": [("hours", "hours"), ("exposure", "exposure")],
            "family": [("all job families", None), *((family, family) for family in self.visible_families(states))],
        }


def facts_of(source: Source, privacy: Privacy | None) -> Facts:
    """Read what the snapshots contain; the one measure it needs is that of the first chart."""
    check_privacy(privacy)
    jobs, _ = read_inputs(source.profiles)
    impact = measure_impact(source.profiles, weight="hours", states=COUNTED_STATES)
    families = jobs.get_column("job_family").unique().sort().to_list()
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("level").to_list())
    snapshots = [one for one in (source.before, source.profiles) if one is not None]
    return Facts(
        source=source,
        families=(*(family for family in families if family != NO_FAMILY), *[NO_FAMILY] * (NO_FAMILY in families)),
        levels=tuple(dict.fromkeys([*LEVELS[:3], *(level for level in levels if level != NOT_ASSESSED)])),
        has_headcount="headcount" in jobs.columns and jobs.get_column("headcount").count() > 0,
        offers_validated_only=privacy is None or all(_reveals_no_small_group(one, privacy) for one in snapshots),
        privacy=privacy,
    )


@cached
@readable()
def _hidden(profiles: TaskProfiles, *, states: list[str], privacy: Privacy | None) -> set[str]:
    # The chart, which is drawn later, warns about the tasks.
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
    rows = own.select("job_id", name).sort("name", "job_id").head(_MAX_JOBS)
    twice = rows.get_column("name").is_duplicated()
    return [
        (f"{name} ({job})" if again else name, job)
        for (name, job), again in zip(rows.select("name", "job_id").rows(), twice, strict=True)
    ]


@cached
@readable()
def _hidden_alike(before: TaskProfiles, after: TaskProfiles, *, states: list[str], privacy: Privacy) -> bool:
    """Return whether two snapshots together hide the same families as the later one alone."""
    alone = group_counts(after, states=states)
    one = apply_policy(alone.select("job_family"), alone, privacy)
    other = families_in_change(before, after, states=states, privacy=privacy)
    return set(hidden_families(one)) == set(hidden_families(other))


def _reveals_no_small_group(profiles: TaskProfiles, privacy: Privacy) -> bool:
    """Return whether the suggested tasks of every family that is shown come from enough jobs and people."""
    between = group_counts(profiles, states=COUNTED_STATES[1:]).select(pl.exclude("^all_.*$"))
    few = between.filter(below_threshold(between.columns, privacy, staffed=True)).get_column("job_family")
    hidden = _hidden(profiles, states=list(COUNTED_STATES), privacy=privacy)
    return set(few) <= hidden
