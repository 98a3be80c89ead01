"""What a report is asked for, checked once, and the data cut to it."""

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
from tpanalytics.measures.privacy.suppress import apply_policy, families_in_change, hidden_families
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
    """Data and choices of one report.

    Attributes
    ----------
    profiles, before
        The company's data, and those of the earlier snapshot; Polars frames.
    family
        The family that the report is about; None for all.
    states, level_weights, contract_hours, privacy, title, rationales, jobs
        As in `save_report`.
    """

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
        """The privacy setting, where nothing is to be hidden as one that hides nothing."""
        return self.privacy or OFF

    @cached_property
    def behind(self) -> pl.DataFrame:
        """The jobs and people behind each family."""
        return group_counts(self.profiles, states=self.states)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """The families hidden in whatever is counted by family; in either snapshot, where there are two."""
        if self.before is None:
            return frozenset(hidden_families(apply_policy(_families(self.profiles), self.behind, self.privacy)))
        families = families_in_change(self.before, self.profiles, states=self.states, privacy=self.privacy)
        return frozenset(hidden_families(families))

    @cached_property
    def all_hidden(self) -> bool:
        """Nothing may be shown, totals included: they would tell what is hidden."""
        families = {self.family} if self.family is not None else set(_families(self.profiles)["job_family"])
        return bool(families) and families <= self.hidden

    @cached_property
    def shown(self) -> TaskProfiles:
        """The data that the report is about: all of them, or those of its family."""
        return self.profiles if self.family is None else _of_family(self.profiles, self.family)

    @cached_property
    def shown_before(self) -> TaskProfiles:
        """The same of the earlier snapshot."""
        before = self.before
        if before is None:
            raise AssertionError("asked for what was not given")
        if self.family is None:
            return before
        # A job counts in the family it is in now, as in `compare`; one that is gone in the family it was in.
        here = self.profiles.jobs.get_column("job_id")
        now = self.shown.jobs.get_column("job_id")
        was = before.jobs.filter(_is_family(self.family)).get_column("job_id")
        ids = {*now, *(set(was) - set(here))}
        return _of_jobs(before, pl.col("job_id").is_in(list(ids)))

    @cached_property
    def company(self) -> Source:
        """The snapshots of the whole company."""
        return Source(self.profiles, self.before)

    @cached_property
    def part(self) -> Source:
        """The snapshots cut to what the report is about."""
        return Source(self.shown, None if self.before is None else self.shown_before)

    def by_family(self, measure: Call) -> pl.DataFrame:
        """Measure all families, suppress small ones, and return the rows that the report is about."""
        result = measure.released(self.company, self.privacy, self)
        if self.family is None:
            return result
        rows = result.filter(pl.col("job_family") == self.family)
        if self.family in hidden_families(result):
            return attach_metadata(rows, without_figures(about(result)))
        return attach_metadata(rows, about(measure.released(self.part, self.privacy, self)))

    def as_one(self, measure: Call, *, company: bool = False) -> pl.DataFrame:
        """Measure what the report is about, or the company, as one family."""
        profiles = self.profiles if company else self.shown
        one = pl.lit(_ALL).alias("job_family")
        whole = replace(profiles, jobs=profiles.jobs.with_columns(one), tasks=profiles.tasks.with_columns(one))
        result: pl.DataFrame = measure.of(Source(whole), self)
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
    """Check what is asked for; parameters as in `save_report`."""
    for name, given in (("profiles", profiles), ("before", before)):
        if not isinstance(given, TaskProfiles) and (name == "profiles" or given is not None):
            raise ShareError(f"{name} is a {type(given).__name__}; a report is made of TaskProfiles.")
    if privacy is not None and not isinstance(privacy, Privacy):
        raise ShareError(f"privacy is a {type(privacy).__name__}; give a Privacy, or None to hide nothing.")
    if title is not None and not isinstance(title, str):
        raise ShareError(f"title is a {type(title).__name__}; give text, or None for the usual heading.")
    profiles, before = _held(profiles), None if before is None else _held(before)
    if families is not None:
        present = _families(profiles).get_column("job_family").to_list()
        if not isinstance(families, str) or families not in present:
            near = difflib.get_close_matches(families, present, n=3, cutoff=0.5) if isinstance(families, str) else []
            said = f" Perhaps {' or '.join(map(repr, near))}." if near else ""
            raise ShareError(
                f"families={families!r}: no job is in such a family; give one name, or None for all.{said}"
            )
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
    """Take out of a meaning what is counted over data that are hidden."""
    return replace(meaning, coverage={}, share_suggested=None, grade=None, jobs=0, tasks=0, warnings=())


def _held(profiles: TaskProfiles) -> TaskProfiles:
    """Hold the tables here, and what is measured of them: charts, tables and cards ask for the same."""
    if isinstance(profiles.jobs, pl.DataFrame) and isinstance(profiles.tasks, pl.DataFrame):
        return with_cache(profiles)
    return with_cache(replace(profiles, jobs=to_polars(profiles.jobs), tasks=to_polars(profiles.tasks)))


def _families(profiles: TaskProfiles) -> pl.DataFrame:
    named = pl.col("job_family").fill_null(NO_FAMILY)
    counted: pl.DataFrame = profiles.jobs.select(named).group_by("job_family", maintain_order=True).agg(jobs=pl.len())
    return counted


def _is_family(family: str) -> pl.Expr:
    return pl.col("job_family").fill_null(NO_FAMILY) == family


def _of_family(profiles: TaskProfiles, family: str) -> TaskProfiles:
    return _of_jobs(profiles, _is_family(family))


def _of_jobs(profiles: TaskProfiles, these: pl.Expr) -> TaskProfiles:
    jobs = profiles.jobs.filter(these)
    return replace(profiles, jobs=jobs, tasks=profiles.tasks.join(jobs.select("job_id"), on="job_id", how="semi"))
