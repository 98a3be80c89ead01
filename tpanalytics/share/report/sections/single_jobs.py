"""Tables that name jobs or quote rationales; a report has them only when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.measures.privacy.suppress import jobs_left_out
from tpanalytics.schema import NO_FAMILY
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["JOBS", "RATIONALES", "jobs", "jobs_asked", "rationales", "rationales_asked"]

#: Most rationales a report quotes; more would be a data extract and not a report.
_MOST = 40


#: Each table in Python as a reader runs it; see `Section.code`.
JOBS = (
    "tpa.exposure_by_job(part, level_weights=level_weights, contract_hours=contract_hours, states=states)"
    '.filter(~pl.col("job_family").is_in(HIDDEN))'
)
RATIONALES = (
    f'part.tasks.with_columns(pl.col("job_family").fill_null({NO_FAMILY!r}))'
    '.filter(pl.col("ai_impact_level") == "H1", pl.col("validation_state").is_in(states), '
    'pl.col("ai_impact_rationale").is_not_null(), ~pl.col("job_family").is_in(HIDDEN))'
    '.group_by("job_family", "task", "ai_impact_rationale").agg(hours=pl.col("weekly_hours").sum())'
    '.sort("hours", "job_family", "task", "ai_impact_rationale", descending=[True, False, False, False])'
    f".head({_MOST})"
)


def jobs_asked(scope: ReportScope) -> bool:
    """Say whether rows of jobs were asked for."""
    return scope.jobs


def rationales_asked(scope: ReportScope) -> bool:
    """Say whether rationales were asked for."""
    return scope.rationales


def jobs(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print a row per job of the families shown; a job of few people keeps its row and tells nothing."""
    meaning = about(frame)
    shown = frame.filter(~pl.col("job_family").is_in(list(scope.hidden)))
    few = pl.col("job_id").is_in(jobs_left_out(scope.profiles, states=scope.states, privacy=scope.privacy).to_list())
    kept = ("job_id", "job_name", "job_family", "reason")
    rows = shown.with_columns(
        *(pl.when(~few).then(pl.col(name)).alias(name) for name in shown.columns if name not in kept),
        reason=pl.when(few).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        job_name=pl.col("job_name").fill_null(pl.col("job_id")),
    ).sort("job_family", "job_name", "job_id")
    columns = (
        Column("job_name", "Job", "text"),
        Column("job_family", "Job family", "text"),
        Column("tasks", "Tasks"),
        Column("hours", "Hours a\u00a0week", "hours"),
        Column("exposure", "Exposure", "index"),
        Column("bound_low", "Can be", "index", "bound_high"),
        Column("coverage", "Known", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    away = frame.height - shown.height
    notes = (f"{plural(away, 'job')} of hidden families left out." if away else "", *meaning.warnings)
    said = "Jobs by family and name; exposure index from 0 to 1."
    return ReportTable(rows, columns, said, meaning, tuple(filter(None, notes)), 2, "No job may be shown.")


def rationales(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Quote the rationales of the tasks at H1 with the most hours, of families that are shown."""
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
            ~pl.col("job_family").is_in(list(scope.hidden)),
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
    more = rows.height - _MOST
    notes = (f"{plural(more, 'more rationale')} left out." if more > 0 else "",)
    meaning = about(frame)
    said = "Rationales of tasks at H1, most hours first."
    return ReportTable(
        rows.head(_MOST), columns, said, meaning, tuple(filter(None, notes)), 2, "No task at H1 has a rationale."
    )
