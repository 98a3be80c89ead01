"""What an explorer must know of the data before its controls can be built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures import impact_by_family
from tpanalytics.measures.privacy import guarded, hidden_families
from tpanalytics.measures.privacy.behind import both_behind, jobs_behind
from tpanalytics.measures.reduce import read_inputs
from tpanalytics.measures.remember import recall
from tpanalytics.schema import COUNTED_STATES, KNOWN_LEVELS, NO_FAMILY, NOT_ASSESSED, level_order
from tpanalytics.words import printable

if TYPE_CHECKING:
    from tpanalytics.explorers.view.calls import Source
    from tpanalytics.measures.privacy import Privacy

__all__ = ["Facts", "facts_of"]

#: Jobs that a list offers at most; the search finds the others.
_LISTED = 2_000


@dataclass(frozen=True)
class Facts:
    """What there is to choose from.

    Attributes
    ----------
    families
        All families, by name, jobs without one last.
    open
        Families whose jobs may be looked at one by one.
    levels
        Levels in the data, without ``not assessed``; H1, H2 and H3 always.
    staffed
        Some headcount is known.
    compared
        There is an earlier snapshot.
    change_by_family
        What changed may be told by family: the same families are hidden in it as in the later snapshot alone. If not,
        one view would tell what the other hides.
    jobs
        ``job_id, name, job_family`` of the jobs that may be looked at.
    privacy
        How few jobs or people a figure may tell of; None hides nothing.
    """

    families: tuple[str, ...]
    open: tuple[str, ...]
    levels: tuple[str, ...]
    staffed: bool
    compared: bool
    change_by_family: bool
    jobs: pl.DataFrame
    privacy: Privacy | None

    @property
    def of_jobs(self) -> Privacy | None:
        """What holds for rows of single jobs: where no headcount is known, nothing can be told of people."""
        return self.privacy if self.staffed else None

    def jobs_of(self, family: str | None) -> list[tuple[str, str]]:
        """List name and id of a family's jobs, by name."""
        if family is None:
            return []
        rows = self.jobs.filter(pl.col("job_family") == family).sort("name", "job_id").head(_LISTED)
        twice = rows.get_column("name").is_duplicated()
        return [
            (f"{name} ({job})" if again else name, job)
            for (name, job), again in zip(rows.select("name", "job_id").rows(), twice, strict=True)
        ]


def facts_of(source: Source, privacy: Privacy | None) -> Facts:
    """Read what there is; the measure it takes is the one that the first chart draws."""
    jobs, _ = read_inputs(source.profiles)
    impact = recall(impact_by_family, source.profiles, weight="hours", states=COUNTED_STATES)
    families = jobs.get_column("job_family").unique().sort().to_list()
    families = [*(family for family in families if family != NO_FAMILY), *[NO_FAMILY] * (NO_FAMILY in families)]
    levels = level_order(impact.filter(pl.col("tasks") > 0).get_column("level").to_list())
    hidden = set(hidden_families(guarded(impact, source.profiles, privacy)))
    staffed = "headcount" in jobs.columns
    may = pl.lit(value=True)
    if privacy is not None and staffed:
        may = (pl.col("headcount") >= privacy.min_headcount).fill_null(value=True)
    named = pl.col("job_name") if "job_name" in jobs.columns else pl.lit(None, dtype=pl.String)
    return Facts(
        families=tuple(families),
        open=tuple(family for family in families if family not in hidden),
        levels=tuple(dict.fromkeys([*KNOWN_LEVELS[:3], *(level for level in levels if level != NOT_ASSESSED)])),
        staffed=staffed and jobs.get_column("headcount").count() > 0,
        compared=source.before is not None,
        change_by_family=_as_hidden_in_change(source, privacy),
        jobs=jobs.filter(may, ~pl.col("job_family").is_in(list(hidden))).select(
            "job_id",
            pl.coalesce(named, "job_id").map_elements(printable, return_dtype=pl.String).alias("name"),
            "job_family",
        ),
        privacy=privacy,
    )


def _as_hidden_in_change(source: Source, privacy: Privacy | None) -> bool:
    """Say whether two snapshots together hide the families that the later one hides, whichever states count."""

    def hidden(behind: pl.DataFrame) -> set[str]:
        return set(hidden_families(guarded(behind.select("job_family"), behind, privacy)))

    if source.before is None or privacy is None:
        return True
    return all(
        hidden(recall(jobs_behind, source.profiles, states=states))
        == hidden(recall(both_behind, source.before, source.profiles, states=states))
        for states in (COUNTED_STATES, COUNTED_STATES[:1])
    )
