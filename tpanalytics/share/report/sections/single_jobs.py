"""Tables of individual jobs and rationales, only included on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.measures.privacy.suppress import suppressed_jobs
from tpanalytics.schema import NO_FAMILY
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["JOBS", "RATIONALES", "jobs", "jobs_requested", "rationales", "rationales_requested"]

#: Maximum number of rationales in a report.
_MAX_ROWS = 40


#: Python code for each table. See `Section.code`.
JOBS = (
    "tpa.exposure_by_job(part, level_weights=level_weights, contract_hours=contract_hours, states=states)"
    '.filter(~pl.col("job_family").is_in(SUPPRESSED_FAMILIES))'
)
RATIONALES = (
    f'part.tasks.with_columns(pl.col("job_family").fill_null({NO_FAMILY!r}))'
    '.filter(pl.col("ai_impact_level") == "H1", pl.col("validation_state").is_in(states), '
    'pl.col("ai_impact_rationale").is_not_null(), ~pl.col("job_family").is_in(SUPPRESSED_FAMILIES))'
    '.group_by("job_family", "task", "ai_impact_rationale").agg(hours=pl.col("weekly_hours").sum())'
    '.sort("hours", "job_family", "task", "ai_impact_rationale", descending=[True, False, False, False])'
    f".head({_MAX_ROWS})"
)


def jobs_requested(scope: ReportScope) -> bool:
    """Return whether job rows were requested."""
    return scope.jobs


def rationales_requested(scope: ReportScope) -> bool:
    """Return whether rationales were requested."""
    return scope.rationales


def jobs(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return one row per job, omitting suppressed families. Jobs with few people are suppressed."""
    meaning = about(frame)
    shown = frame.filter(~pl.col("job_family").is_in(list(scope.suppressed)))
    suppressed = pl.col("job_id").is_in(
        suppressed_jobs(scope.profiles, states=scope.states, privacy=scope.privacy).to_list()
    )
    keys = ("job_id", "job_name", "job_family", "reason")
    rows = shown.with_columns(
        *(pl.when(~suppressed).then(pl.col(name)).alias(name) for name in shown.columns if name not in keys),
        reason=pl.when(suppressed).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        job_name=pl.col("job_name").fill_null(pl.col("job_id")),
    ).sort("job_family", "job_name", "job_id")
    columns = (
        Column("job_name", "Job", "text"),
        Column("job_family", "Job family", "text"),
        Column("tasks", "Tasks"),
        Column("hours", "Weekly hours", "hours"),
        Column("exposure", "Exposure", "index"),
        Column("bound_low", "Bounds", "index", "bound_high"),
        Column("coverage", "Coverage", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    n = frame.height - shown.height
    omitted = [f"{plural(n, 'job')} in suppressed families {'is' if n == 1 else 'are'} not shown."] if n else []
    caption = "Jobs by family and name, with the exposure index from 0 to 1."
    return ReportTable(rows, columns, caption, meaning, (*omitted, *meaning.warnings), 2, "All jobs are suppressed.")


def rationales(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the rationales of the H1 tasks with the most hours, omitting suppressed families."""
    family = pl.col("job_family").fill_null(NO_FAMILY)
    tasks = scope.shown.tasks
    if "ai_impact_rationale" not in tasks.columns:
        tasks = tasks.with_columns(ai_impact_rationale=pl.lit(None, dtype=pl.String))
    rows = (
        tasks.with_columns(family)
        .filter(
            pl.col("ai_impact_level") == "H1",
            pl.col("validation_state").is_in(list(scope.states)),
            pl.col("ai_impact_rationale").is_not_null(),
            ~pl.col("job_family").is_in(list(scope.suppressed)),
        )
        .group_by("job_family", "task", "ai_impact_rationale")
        .agg(jobs=pl.col("job_id").n_unique(), hours=pl.col("weekly_hours").sum())
        .sort("hours", "job_family", "task", "ai_impact_rationale", descending=[True, False, False, False])
    )
    columns = (
        Column("job_family", "Job family", "text"),
        Column("task", "Task", "text"),
        Column("ai_impact_rationale", "Rationale", "text"),
    )
    more = rows.height - _MAX_ROWS
    notes = (f"{plural(more, 'more rationale')} {'is' if more == 1 else 'are'} not shown.",) if more > 0 else ()
    caption = "Rationales of tasks at H1, most hours first."
    return ReportTable(rows.head(_MAX_ROWS), columns, caption, about(frame), notes, 2, "No task at H1 has a rationale.")
