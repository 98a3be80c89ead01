"""Tables of individual jobs and rationales, only included on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.measures.privacy.suppress_jobs import suppressed_jobs
from tpanalytics.schema import NO_STATE
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["JOBS", "RATIONALES", "jobs", "jobs_requested", "rationales", "rationales_requested"]

#: Maximum number of rationales in a report.
_MAX_ROWS = 40


#: Python code for each table. See `Section.code`.
JOBS = (
    'tpa.exposure(part, by="job_id", level_weights=level_weights, contract_hours=contract_hours, states=states)'
    '.join(part.jobs.select("job_id", group=GROUP), on="job_id").filter(~pl.col("group").is_in(SUPPRESSED_GROUPS))'
)
RATIONALES = (
    'part.tasks.join(part.jobs.select("job_id", group=GROUP), on="job_id")'
    '.filter(pl.col("ai_impact_level") == "H1", pl.col("validation_state").fill_null("(no state)").is_in(states), '
    'pl.col("ai_impact_rationale").is_not_null(), ~pl.col("group").is_in(SUPPRESSED_GROUPS))'
    '.group_by("group", "task", "ai_impact_rationale").agg(hours=pl.col("weekly_hours").sum())'
    '.sort("hours", "group", "task", "ai_impact_rationale", descending=[True, False, False, False])'
    f".head({_MAX_ROWS})"
)


def jobs_requested(scope: ReportScope) -> bool:
    """Return whether job rows were requested."""
    return scope.jobs


def rationales_requested(scope: ReportScope) -> bool:
    """Return whether rationales were requested."""
    return scope.rationales


def jobs(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return one row per job, omitting suppressed groups. Jobs with few people are suppressed."""
    meaning = about(frame)
    shown = frame.join(scope.suppressed_jobs, on="job_id", how="anti").join(scope.members, on="job_id", how="left")
    suppressed = pl.col("job_id").is_in(
        suppressed_jobs(scope.profiles, by=scope.by, states=scope.states, privacy=scope.privacy).to_list()
    )
    keys = ("job_id", "job_name", "group", "reason")
    rows = shown.with_columns(
        *(pl.when(~suppressed).then(pl.col(name)).alias(name) for name in shown.columns if name not in keys),
        reason=pl.when(suppressed).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        job_name=pl.col("job_name").fill_null(pl.col("job_id")),
    ).sort("group", "job_name", "job_id")
    columns = (
        Column("job_name", "Job", "text"),
        *([Column("group", scope.grouping.heading, "text")] if scope.by is not None else []),
        Column("tasks", "Tasks"),
        Column("hours", "Weekly hours", "hours"),
        Column("exposure", "Exposure", "index"),
        Column("bound_low", "Bounds", "index", "bound_high"),
        Column("coverage", "Coverage", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    n = frame.height - shown.height
    omitted = (
        [f"{plural(n, 'job')} in suppressed {scope.grouping.many} {'is' if n == 1 else 'are'} not shown."] if n else []
    )
    order = f"{scope.grouping.one} and name" if scope.by is not None else "name"
    caption = f"Jobs by {order}, with the exposure index from 0 to 1."
    return ReportTable(
        rows,
        columns,
        caption,
        meaning,
        (*omitted, *meaning.warnings),
        2 if scope.by is not None else 1,
        "All jobs are suppressed.",
    )


def rationales(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the rationales of the H1 tasks with the most hours, omitting suppressed groups."""
    tasks = scope.shown.tasks
    if "ai_impact_rationale" not in tasks.columns:
        tasks = tasks.with_columns(ai_impact_rationale=pl.lit(None, dtype=pl.String))
    rows = (
        tasks.join(scope.members, on="job_id", how="left")
        .filter(
            pl.col("ai_impact_level") == "H1",
            pl.col("validation_state").fill_null(NO_STATE).is_in(list(scope.states)),
            pl.col("ai_impact_rationale").is_not_null(),
            ~pl.col("group").is_in(list(scope.suppressed)),
        )
        .group_by("group", "task", "ai_impact_rationale")
        .agg(jobs=pl.col("job_id").n_unique(), hours=pl.col("weekly_hours").sum())
        .sort("hours", "group", "task", "ai_impact_rationale", descending=[True, False, False, False])
    )
    columns = (
        *([Column("group", scope.grouping.heading, "text")] if scope.by is not None else []),
        Column("task", "Task", "text"),
        Column("ai_impact_rationale", "Rationale", "text"),
    )
    more = rows.height - _MAX_ROWS
    notes = (f"{plural(more, 'more rationale')} {'is' if more == 1 else 'are'} not shown.",) if more > 0 else ()
    caption = "Rationales of tasks at H1, most hours first."
    return ReportTable(
        rows.head(_MAX_ROWS), columns, caption, about(frame), notes, len(columns) - 1, "No task at H1 has a rationale."
    )
