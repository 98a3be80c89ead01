"""Tables for a single snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.schema import NO_FAMILY, NOT_ASSESSED, level_order
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["MAX_ROWS", "OVERLAP", "candidates", "concentration", "exposure", "hours", "mix", "of_company", "overlap"]

#: Maximum number of rows in long tables.
MAX_ROWS = 20
_FAMILY = Column("job_family", "Job family", "text")
_GRADE = Column("data_grade", "Grade", "letter")


def of_company(scope: ReportScope) -> bool:
    """Return whether the report covers all families."""
    return scope.family is None


def mix(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return each family's shares by level."""
    levels = level_order(frame.filter(pl.col("tasks") > 0).get_column("level").to_list())
    h1 = pl.col("level") == "H1"
    wide = frame.group_by("job_family", maintain_order=True).agg(
        pl.col("jobs").first(),
        known_sum("tasks"),
        known_sum("hours"),
        *(pl.col("share").filter(pl.col("level") == level).first().alias(f"share_{level}") for level in levels),
        h1_low=pl.col("share_low").filter(h1).first(),
        h1_high=pl.col("share_high").filter(h1).first(),
        coverage=pl.col("coverage").first(),
        data_grade=pl.col("data_grade").first(),
        reason=pl.col("reason").filter(pl.col("reason") == SUPPRESSED).first(),
    )
    columns = (
        _FAMILY,
        Column("jobs", "Jobs"),
        Column("tasks", "Tasks"),
        Column("hours", "Weekly hours", "hours"),
        *(Column(f"share_{level}", level if level != NOT_ASSESSED else "Not assessed", "share") for level in levels),
        *([Column("h1_low", "H1 bounds", "share", "h1_high")] if "H1" in levels else []),
        Column("coverage", "Coverage", "known"),
        _GRADE,
    )
    return ReportTable(
        wide,
        columns,
        "Shares of documented weekly hours by AI impact level. Coverage: tasks with hours and a level.",
        about(frame),
    )


def exposure(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the exposure index with bounds."""
    columns = (
        _FAMILY,
        Column("jobs", "Jobs"),
        Column("exposure", "Exposure", "index"),
        Column("weight_low", "H2 weight 0\u00a0to\u00a01", "index", "weight_high"),
        Column("bound_low", "Bounds", "index", "bound_high"),
        Column("tasks_weighed", "Weighted tasks"),
        Column("coverage", "Coverage", "known"),
        _GRADE,
    )
    caption = "Exposure index from 0 to 1, most exposed first. For grade C, quote only the bounds."
    return ReportTable(frame, columns, caption, about(frame), about(frame).warnings)


def hours(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return documented hours and how they vary across jobs."""
    columns = (
        _FAMILY,
        Column("jobs", "Jobs"),
        Column("jobs_without_tasks", "Jobs without tasks"),
        Column("hours", "Weekly hours", "hours"),
        Column("hours_high", "Upper bound", "hours"),
        Column("hours_per_job", "Per job", "hours"),
        Column("hours_p50", "Median job", "hours"),
        Column("hours_p25", "Middle 50% of\u00a0jobs", "hours", "hours_p75"),
        Column("coverage", "Tasks with hours", "known"),
    )
    caption = "Documented weekly hours for one incumbent per job. The upper bound adds undocumented contract hours."
    return ReportTable(frame, columns, caption, about(frame), about(frame).warnings)


def concentration(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return how concentrated hours are in a few tasks."""
    columns = (
        _FAMILY,
        Column("tasks_with_hours", "Distinct tasks with hours"),
        Column("tasks_without_hours", "Without hours"),
        Column("tasks_for_80", "Tasks for 80% of\u00a0hours"),
        Column("share_of_top_10", "Share of ten longest", "share"),
        Column("gini", "Gini", "index"),
    )
    caption = "Concentration of hours on tasks. Gini coefficient: 0 if evenly spread, 1 if all hours are in one task."
    return ReportTable(frame, columns, caption, about(frame), about(frame).warnings)


def candidates(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the tasks with the most hours at H1. The measure already suppresses small groups."""
    meaning = about(frame)
    rows = frame if not scope.all_suppressed else frame.clear()
    columns = (
        Column("rank", "Rank"),
        Column("task", "Task", "text"),
        Column("rank_low", "Rank (95%\u00a0interval)", "count", "rank_high"),
        Column("jobs_h1", "Jobs at\u00a0H1"),
        Column("families", "Families"),
        Column("h1_hours", "Hours at\u00a0H1", "hours"),
        Column("h1_hours_high", "Upper bound", "hours"),
        Column("validated_share", "Validated", "share"),
    )
    notes = [line for line in meaning.policy if "left out" in line] * (not scope.all_suppressed)
    caption = "Tasks by weekly hours known to be highly automatable (H1), for one incumbent per job."
    empty = "No task is known to be highly automatable." if not scope.all_suppressed else "All families are suppressed."
    return ReportTable(rows, columns, caption, meaning, (*notes, *meaning.warnings), 2, empty)


#: Python code for the `overlap` table. See `Section.code`.
OVERLAP = (
    "tpa.overlap(profiles, states=states)"
    f'.filter(~pl.col("family_a", "family_b").is_in([*SUPPRESSED_FAMILIES, {NO_FAMILY!r}]), pl.col("tasks_shared") > 0)'
    '.sort("ruzicka", "tasks_shared", "family_a", "family_b", '
    "descending=[True, True, False, False], nulls_last=True)"
    f".head({MAX_ROWS})"
)


def overlap(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the family pairs with the most overlap in hours, omitting suppressed families."""
    meaning, excluded = about(frame), [*scope.suppressed, NO_FAMILY]
    pairs = frame.filter(
        ~pl.col("family_a").is_in(excluded), ~pl.col("family_b").is_in(excluded), pl.col("tasks_shared") > 0
    ).sort("ruzicka", "tasks_shared", "family_a", "family_b", descending=[True, True, False, False], nulls_last=True)
    columns = (
        Column("family_a", "First family", "text"),
        Column("family_b", "Second family", "text"),
        Column("tasks_shared", "Shared tasks"),
        Column("shared_without_hours", "Without hours"),
        Column("containment_a_in_b", "Share of first's hours", "share"),
        Column("containment_b_in_a", "Share of second's hours", "share"),
        Column("ruzicka", "Similarity by hours", "share"),
    )
    more = pairs.height - MAX_ROWS
    notes = (f"{plural(more, 'more pair')} with less overlap not shown." if more > 0 else "", *meaning.warnings)
    return ReportTable(
        attach_metadata(pairs.head(MAX_ROWS), meaning),
        columns,
        "Pairs of families by the share of their hours in common tasks.",
        meaning,
        tuple(filter(None, notes)),
        2,
        "No two families shown have a task in common.",
    )
