"""Validated report arguments and data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ShareError
from tpanalytics.measures._core.aggregate import checked_states
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.weights import checked_weights
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.group_counts import group_counts
from tpanalytics.measures.privacy.policy import OFF, Privacy
from tpanalytics.measures.privacy.suppress import apply_policy, families_in_change, suppressed_families
from tpanalytics.schema import NO_FAMILY, TaskProfiles, to_polars
from tpanalytics.share.calls import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.share.calls import Call

__all__ = ["ReportScope", "resolve_scope"]

_ALL = "All jobs"


@dataclass(frozen=True, kw_only=True)
class ReportScope:
    """A report's data and arguments. All tables are Polars data frames."""

    profiles: TaskProfiles
    before: TaskProfiles | None
    family: str | None
    states: tuple[str, ...]
    level_weights: Mapping[str, float]
    contract_hours: float | None
    privacy: Privacy | None
    title: str | None
    rationales: bool
    jobs: bool

    @cached_property
    def limits(self) -> Privacy:
        """Privacy setting, or `OFF` if it is None."""
        return self.privacy or OFF

    @cached_property
    def suppressed(self) -> frozenset[str]:
        """Families suppressed in either snapshot."""
        if self.before is None:
            counts = group_counts(self.profiles, states=self.states)
            return frozenset(suppressed_families(apply_policy(_families(self.profiles), counts, self.privacy)))
        families = families_in_change(self.before, self.profiles, states=self.states, privacy=self.privacy)
        return frozenset(suppressed_families(families))

    @cached_property
    def all_suppressed(self) -> bool:
        """Whether all families are suppressed. If so, totals must be suppressed too."""
        families = {self.family} if self.family is not None else set(_families(self.profiles)["job_family"])
        return bool(families) and families <= self.suppressed

    @cached_property
    def shown(self) -> TaskProfiles:
        """Profiles in the report: the whole company or a single family."""
        return self.profiles if self.family is None else _of_family(self.profiles, self.family)

    @cached_property
    def shown_before(self) -> TaskProfiles:
        """Earlier profiles, filtered like `shown`."""
        before = self.before
        if before is None:
            raise AssertionError("the report has no earlier snapshot")
        if self.family is None:
            return before
        # As in `compare`, use a job's current family, or the earlier family if the job was removed.
        current = self.profiles.jobs.get_column("job_id")
        in_family = self.shown.jobs.get_column("job_id")
        formerly = before.jobs.filter(_is_family(self.family)).get_column("job_id")
        ids = {*in_family, *(set(formerly) - set(current))}
        return _of_jobs(before, pl.col("job_id").is_in(list(ids)))

    @cached_property
    def company(self) -> Source:
        """Company-wide snapshots."""
        return Source(self.profiles, self.before)

    @cached_property
    def part(self) -> Source:
        """Snapshots with only the jobs in the report."""
        return Source(self.shown, None if self.before is None else self.shown_before)

    def by_family(self, measure: Call) -> pl.DataFrame:
        """Measure all families, suppress small families and return the rows for the report."""
        result = measure.released(self.company, self.privacy, self)
        if self.family is None:
            return result
        rows = result.filter(pl.col("job_family") == self.family)
        if self.family in suppressed_families(result):
            return attach_metadata(rows, without_figures(about(result)))
        return attach_metadata(rows, about(measure.released(self.part, self.privacy, self)))

    def as_one(self, measure: Call, *, company: bool = False) -> pl.DataFrame:
        """Measure all jobs in the report or the company as a single family."""
        profiles = self.profiles if company else self.shown
        family = pl.lit(_ALL).alias("job_family")
        merged = replace(profiles, jobs=profiles.jobs.with_columns(family), tasks=profiles.tasks.with_columns(family))
        result: pl.DataFrame = measure.of(Source(merged), self)
        return result


def resolve_scope(
    profiles: Any,
    *,
    families: Any,
    before: Any,
    states: Sequence[str],
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
            raise ShareError(f"`{name}` must be TaskProfiles, not {type(value).__name__}.")
    if privacy is not None and not isinstance(privacy, Privacy):
        raise ShareError(f"`privacy` must be a Privacy, like Privacy(min_jobs=3), or None, not {privacy!r}.")
    if title is not None and not isinstance(title, str):
        raise ShareError(f"`title` must be a string or None, not {title!r}.")
    profiles, before = _collected(profiles), None if before is None else _collected(before)
    if families is not None:
        names = _families(profiles).get_column("job_family").to_list()
        if not isinstance(families, str) or families not in names:
            matches = difflib.get_close_matches(families, names, n=3, cutoff=0.5) if isinstance(families, str) else []
            hint = f" (did you mean {' or '.join(map(repr, matches))}?)" if matches else ""
            raise ShareError(f"`families` must be the name of one job family or None, not {families!r}{hint}.")
    return ReportScope(
        profiles=profiles,
        before=before,
        family=families,
        states=tuple(checked_states(states)),
        level_weights=checked_weights(level_weights),
        contract_hours=contract_hours,
        privacy=privacy,
        title=title,
        rationales=rationales,
        jobs=jobs,
    )


def without_figures(meaning: Meaning) -> Meaning:
    """Remove figures that describe suppressed data."""
    return replace(meaning, coverage={}, share_suggested=None, grade=None, jobs=0, tasks=0, warnings=())


def _collected(profiles: TaskProfiles) -> TaskProfiles:
    """Convert the profiles to Polars, with a cache shared by charts, tables and cards."""
    if isinstance(profiles.jobs, pl.DataFrame) and isinstance(profiles.tasks, pl.DataFrame):
        return with_cache(profiles)
    return with_cache(replace(profiles, jobs=to_polars(profiles.jobs), tasks=to_polars(profiles.tasks)))


def _families(profiles: TaskProfiles) -> pl.DataFrame:
    family = pl.col("job_family").fill_null(NO_FAMILY)
    counts: pl.DataFrame = profiles.jobs.select(family).group_by("job_family", maintain_order=True).agg(jobs=pl.len())
    return counts


def _is_family(family: str) -> pl.Expr:
    return pl.col("job_family").fill_null(NO_FAMILY) == family


def _of_family(profiles: TaskProfiles, family: str) -> TaskProfiles:
    return _of_jobs(profiles, _is_family(family))


def _of_jobs(profiles: TaskProfiles, predicate: pl.Expr) -> TaskProfiles:
    jobs = profiles.jobs.filter(predicate)
    return replace(profiles, jobs=jobs, tasks=profiles.tasks.join(jobs.select("job_id"), on="job_id", how="semi"))
