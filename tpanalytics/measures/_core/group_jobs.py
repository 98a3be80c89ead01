"""Jobs in a group, with hours by AI impact level."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, n_stated, per_job, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import grade, no_known_level
from tpanalytics.measures.privacy.group_counts import counts_fte, people_of
from tpanalytics.measures.privacy.policy import OFF
from tpanalytics.measures.privacy.suppress_jobs import groups_of_jobs, suppressed_members
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["GroupJobs", "jobs_of_group"]


class GroupJobs(NamedTuple):
    """A group's unsuppressed jobs, with hours by level, the number of suppressed jobs, and whether FTE count."""

    jobs: pl.DataFrame
    levels: pl.DataFrame
    left_out: int
    counts_fte: bool


@cached
def jobs_of_group(
    profiles: TaskProfiles,
    group: str,
    *,
    by: By = BY_FAMILY,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = None,
) -> GroupJobs:
    """Return a group's jobs and documented hours by AI impact level, omitting suppressed jobs."""
    reduced = aggregate_tasks(profiles, states=states, by=by)
    own = pl.col("group") == group
    cells = reduced.cells.filter(own)
    all_jobs = people_of(profiles, per_job(reduced._replace(jobs=reduced.jobs.filter(own), cells=cells)))
    suppressed = _suppressed_in_group(profiles, all_jobs, reduced.groups.columns.by, states, privacy)
    usable = not no_known_level(cells.get_column("level"))
    cells, rated = cells.filter(~pl.col("job").is_in(suppressed)), pl.col("level") != NOT_ASSESSED
    sums = cells.group_by("job").agg(
        tasks_with_level=pl.col("n").filter(rated).sum(),
        stated_and_rated=n_stated.filter(rated).sum(),
        of_h1=pl.col("hours").filter(pl.col("level") == "H1").sum(),
    )
    jobs = (
        all_jobs.filter(~pl.col("job").is_in(suppressed))
        .join(sums, on="job", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("job_name", "job_id").alias("job_name"),
            pl.col("tasks_with_level").fill_null(0),
            h1=share_of(pl.col("of_h1"), pl.col("hours")),
            coverage=share_of(pl.col("stated_and_rated"), pl.col("tasks")),
        )
        .with_columns(data_grade=grade(pl.col("coverage"), usable=usable))
        .sort(pl.col("hours").round(2), "job_name", "job_id", descending=[True, False, False], nulls_last=True)
    )
    columns = ("job", "job_id", "job_name", "tasks", "tasks_with_hours", "tasks_with_level", "hours", "contract_hours")
    levels = cells.select("job", "level", "n", "n_known", "hours")
    return GroupJobs(
        jobs.select(*columns, "h1", "coverage", "data_grade"), levels, len(suppressed), counts_fte(profiles, by)
    )


def _suppressed_in_group(
    profiles: TaskProfiles, jobs: pl.DataFrame, by: Sequence[str], states: Sequence[str] | None, privacy: Privacy | None
) -> list[int]:
    """Return the numbers of the suppressed jobs. All jobs together are suppressed by family, as in tables by job."""
    removed = suppressed_members(profiles, by=groups_of_jobs(by, profiles), states=states, privacy=privacy or OFF)
    numbers: list[int] = jobs.join(removed, on=["job_id", *["group"] * bool(by)]).get_column("job").unique().to_list()
    return numbers
