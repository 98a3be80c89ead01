"""Coverage of hours, levels and validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from tpanalytics.measures._core.aggregate import (
    aggregate_jobs,
    aggregate_tasks,
    n_stated,
    of_jobs,
    per_job,
    read_inputs,
    share_of,
    sum_tasks,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, grade, has_usable_levels, meaning_of, no_known_level
from tpanalytics.schema import NO_STATE, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.groups import GroupColumns
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["GROUPS", "compare_hours_coverage", "coverage", "source_coverage", "sources_by_job"]

#: Columns to compare hours coverage by, with their labels.
GROUPS = {"state": "validation state", "level": "AI impact level", "group": "job family"}
_MIN_DIFFERENCE = 0.1
_MIN_STANDARD_ERRORS = 3.0


@cached
def coverage(profiles: TaskProfiles, *, by: By = BY_FAMILY, states: Sequence[str] | None = None) -> pl.DataFrame:
    """Compute the coverage of hours, levels and validation for each job family.

    Shares are null if their denominator is 0, for example if a family has no tasks. Imputed hours are only included in
    ``level_coverage_hours`` and ``validated_share_hours``.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` from `jobs` and ``job_id, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. A job counts once in every group that has it, so groups by a column of people or tasks overlap. With a
        column of tasks, these are the groups where it has such a task. Jobs without people are in a group such as
        ``(no country)``.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group in `jobs`, sorted by name with ``(no job family)`` last. Shares range from 0 to 1.

        =========================  =======  ==========================================================
        ``job_family``             String   the columns in `by`
        ``jobs``                   UInt32   jobs
        ``jobs_without_tasks``     UInt32   jobs without tasks in the selected states
        ``tasks``                  UInt32   tasks in the selected states
        ``hours_coverage``         Float64  share of tasks with hours
        ``level_coverage``         Float64  share of tasks with a level
        ``both_coverage``          Float64  share of tasks with hours and a level
        ``level_coverage_hours``   Float64  share of the known hours in tasks with a level
        ``jobs_profiled_share``    Float64  share of jobs with at least one task
        ``jobs_complete_share``    Float64  share of jobs that have tasks, all of them with hours
        ``validated_share``        Float64  share of tasks with a validation state that are validated
        ``validated_share_hours``  Float64  share of the known hours of these tasks in validated tasks;
                                            overestimated if suggested tasks lack hours
        ``data_grade``             String   A (``both_coverage`` of at least 0.9), B (at least 0.7) or C
        ``reason``                 String   why shares of tasks (``NO_TASKS``), shares of hours (``NO_HOURS``)
                                            or validated shares (``NO_STATES``) are null
        =========================  =======  ==========================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = coverage(load_sample())
    >>> table.select("job_family", "tasks", pl.col("hours_coverage").round(3)).head(2).rows()
    [('Customer Service', 366, 0.891), ('Data and Analytics', 355, 0.901)]
    """
    reduced = aggregate_tasks(profiles, states, by=by, per="group", by_state=True)
    cells = reduced.cells
    assessed = pl.col("level") != NOT_ASSESSED
    n, hours, state = pl.col("n"), pl.col("hours"), pl.col("state")
    validated, has_state = state == "validated", state != NO_STATE
    by_family = cells.group_by("group").agg(
        tasks=n.sum(),
        usable=has_usable_levels("n"),
        hours_coverage=n_stated.sum() / n.sum(),
        level_coverage=n.filter(assessed).sum() / n.sum(),
        both_coverage=n_stated.filter(assessed).sum() / n.sum(),
        level_coverage_hours=share_of(hours.filter(assessed).sum(), hours.sum()),
        validated_share=share_of(n.filter(validated).sum(), n.filter(has_state).sum()),
        validated_share_hours=share_of(hours.filter(validated).sum(), hours.filter(has_state).sum()),
    )
    jobs_summed = per_job(reduced._replace(cells=aggregate_jobs(profiles, reduced)))
    result = (
        jobs_summed.group_by("group")
        .agg(
            jobs=pl.len(),
            jobs_without_tasks=(pl.col("tasks") == 0).sum(),
            jobs_profiled_share=(pl.col("tasks") > 0).mean(),
            jobs_complete_share=((pl.col("tasks") > 0) & (pl.col("tasks") == pl.col("tasks_stated"))).mean(),
        )
        .join(by_family, on="group", how="left")
        .with_columns(pl.col("tasks").fill_null(0), data_grade=grade(pl.col("both_coverage"), usable=pl.col("usable")))
        .select(
            *("group", "jobs", "jobs_without_tasks"),
            pl.col("tasks").cast(pl.UInt32),
            *("hours_coverage", "level_coverage", "both_coverage", "level_coverage_hours", "jobs_profiled_share"),
            *("jobs_complete_share", "validated_share", "validated_share_hours", "data_grade"),
            reason=pl.when(pl.col("tasks") == 0)
            .then(pl.lit("NO_TASKS"))
            .when(pl.col("level_coverage_hours").is_null())
            .then(pl.lit("NO_HOURS"))
            .when(pl.col("validated_share").is_null())
            .then(pl.lit("NO_STATES")),
        )
        .sort(reduced.groups.order)
    )
    return attach_metadata(
        reduced.groups.named(result),
        meaning_of(
            reduced,
            usable=not no_known_level(cells.get_column("level")),
            measure="coverage",
            value=f"share of {reduced.groups.a_group}'s tasks that have hours, have a level or are validated",
            unit="share, 0 to 1",
            basis="task",
            numerator="tasks with the attribute",
            denominator="all tasks",
            policy=("Shares with a denominator of 0 are null.",),
        ),
    )


def sources_by_job(
    tasks: Any, jobs: pl.DataFrame, counts: pl.Expr, columns: GroupColumns | None = None
) -> pl.DataFrame | None:
    """Count tasks by job and by number of distinct sources, or return None if sources were not requested."""
    if tasks.collect_schema().get("source_data") != nw.List:
        return None
    sources = nw.col("source_data").list.unique().list.len()
    own = columns.tasks if columns else ()
    sums = sum_tasks(tasks.with_columns(sources=sources), "job_id", *own, "sources", "state")
    if sums.get_column("sources").null_count() == sums.height:
        return None
    number = pl.col("sources").cast(pl.UInt32).fill_null(0)
    return (
        of_jobs(sums.filter(counts), jobs, columns)
        .group_by("job", number)
        .agg(pl.col("n").sum(), pl.col("hours").sum())
        .sort("job", "sources")
    )


def source_coverage(
    profiles: TaskProfiles, *, by: By = BY_FAMILY, states: Sequence[str] | None = None
) -> pl.DataFrame | None:
    """Return the share of each group's tasks with a source, or None if sources were not requested."""
    reduced = aggregate_tasks(profiles, states, by=by, by_level=False)
    jobs, columns = reduced.jobs, reduced.groups.columns
    tasks = read_inputs(profiles, by).tasks
    evidence = sources_by_job(tasks, jobs, pl.col("state").is_in(reduced.counted), columns)
    if evidence is None:
        return None
    n = pl.col("n")
    return (
        evidence.join(jobs.select("job", "group"), on="job", how="left")
        .group_by("group")
        .agg(evidence_coverage=n.filter(pl.col("sources") > 0).sum() / n.sum())
        .sort("group")
    )


def compare_hours_coverage(cells: pl.DataFrame) -> pl.DataFrame:
    """Compare hours coverage for each validation state, level and family with that of all other tasks."""
    n, known = (int(cells.get_column(name).sum()) for name in ("n", "n_known"))
    p = known / n if n else 0.0
    groups = pl.concat(
        cells.group_by(pl.col(column).alias("group"))
        .agg(tasks=pl.col("n").sum().cast(pl.Int64), known=pl.col("n_known").sum().cast(pl.Int64))
        .with_columns(by=pl.lit(label), order=pl.lit(order))
        for order, (column, label) in enumerate(GROUPS.items())
    ).filter(pl.col("tasks") < n)
    error = (p * (1 - p) * (1 / pl.col("tasks") + 1 / (n - pl.col("tasks")))).sqrt()
    difference = pl.col("difference").abs()
    return (
        groups.with_columns(
            coverage=pl.col("known") / pl.col("tasks"), others=(known - pl.col("known")) / (n - pl.col("tasks"))
        )
        .with_columns(difference=pl.col("coverage") - pl.col("others"))
        .with_columns(
            stands_out=(difference > _MIN_DIFFERENCE)
            & (difference > _MIN_STANDARD_ERRORS * error)
            & ((pl.len().over("by") > 2) | (pl.col("difference") < 0))
        )
        # Round the differences so that floating-point errors don't affect the order.
        .sort("order", -difference.round(9), "group")
        .select("by", "group", pl.col("tasks").cast(pl.UInt32), "coverage", "others", "difference", "stands_out")
    )
