"""Leave out single jobs that tell of too few people, and others for their sake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.cache import cached, with_cache
from tpanalytics.measures._core.metadata import attach_metadata, get_metadata
from tpanalytics.measures.privacy.group_counts import below_threshold, group_counts, members, per_member_counts
from tpanalytics.measures.privacy.policy import Privacy
from tpanalytics.measures.privacy.suppress import apply_policy, filled, hidden_families, states_of
from tpanalytics.schema import COUNTED_STATES, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["jobs_left_out", "suppress_jobs"]


def suppress_jobs(
    result: pl.DataFrame, profiles: TaskProfiles, *, min_jobs: int = 3, min_headcount: float = 5
) -> pl.DataFrame:
    """Leave out the rows of jobs that tell of too few people.

    Left out are the jobs of families that `suppress` hides, and jobs of fewer than `min_headcount` people, where their
    headcount is known. With these goes the next smallest of the family, until those left out, and those of them with
    tasks and with hours, are together as many people: what a total of the family holds besides the rows that are shown
    never tells of one job. A job whose headcount is null stays.

    Parameters
    ----------
    result
        What a measure of single jobs or tasks gave: reads ``job_id``.
    profiles
        What it was made of: as for `hours_by_job`, and ``headcount`` (full-time equivalents) of `jobs` where present.
        Where a job is an employee, it is one person.
    min_jobs
        Fewest jobs of a family; 0 asks for none.
    min_headcount
        Fewest people (full-time equivalents) of a job, and of a family; 0 asks for none.

    Returns
    -------
    pl.DataFrame
        The rows of `result` that are left, in its order, with its columns. Its meaning says how many jobs are left out.

    Raises
    ------
    SchemaError
        If `result` lacks ``job_id`` or has a job that `profiles` do not have, or a limit is below 0.

    Examples
    --------
    >>> from tpanalytics import hours_by_job, load_sample
    >>> profiles = load_sample()
    >>> hours = hours_by_job(profiles)
    >>> hours.height, suppress_jobs(hours, profiles).height
    (240, 134)
    """
    profiles = with_cache(profiles)  # who stands behind what is asked three times
    require(result, "job_id", name="result")
    privacy, meaning = Privacy(min_jobs=min_jobs, min_headcount=min_headcount), get_metadata(result)
    known = members(profiles, states=states_of(result))
    left = jobs_left_out(profiles, states=states_of(result), privacy=privacy)
    strangers = result.join(known, on="job_id", how="anti")
    if strangers.height:
        raise SchemaError(
            f"result has the job {strangers.item(0, 'job_id')!r}, which profiles do not have; pass what it was made of."
        )
    shown = result.filter(~pl.col("job_id").is_in(left.to_list()))
    if meaning is None:
        return shown
    said = "Nothing is hidden, however few jobs or people it tells of."
    if not privacy.off:
        said = (
            f"{left.len():,} of {known.height:,} jobs are left out: they, or their families, tell of fewer than "
            f"{min_headcount:g} people or {min_jobs} jobs, or hide one that could be worked out from a total."
        )
    return attach_metadata(shown, replace(meaning, policy=(*meaning.policy, said)))


@cached
def jobs_left_out(
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, privacy: Privacy | None = None
) -> pl.Series:
    """List the ids of the jobs that `suppress_jobs` leaves out."""
    jobs = members(profiles, states=states)
    if privacy is None or privacy.off:
        return jobs.get_column("job_id").clear()
    behind = group_counts(profiles, states=states)
    families = hidden_families(apply_policy(behind.select("job_family"), behind, privacy))
    cells = per_member_counts(jobs)
    # A row tells of one job anyway, so that people alone are counted.
    few = below_threshold(cells.columns, replace(privacy, min_jobs=0), staffed=False)
    ordered = cells.with_columns(hidden=few).sort(
        "job_family", ~pl.col("hidden"), "headcount", "job_id", nulls_last=True
    )
    together = ordered.select(pl.col("^.*_(jobs|people|unknown)$").cum_sum().over("job_family"))
    closed = filled(ordered, "job_family", together.select(~few).to_series())
    return closed.filter(pl.col("hidden") | pl.col("job_family").is_in(families)).get_column("job_id").sort()
