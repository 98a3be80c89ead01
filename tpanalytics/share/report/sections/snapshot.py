"""Tables for a single snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.staff import NEEDED
from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.schema import NOT_ASSESSED, level_order
from tpanalytics.share.report.cards import MISSING
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = [
    "MAX_ROWS",
    "OVERLAP",
    "candidates",
    "concentration",
    "exposure",
    "hours",
    "mix",
    "of_company",
    "of_several_groups",
    "overlap",
]

#: Maximum number of rows in long tables.
MAX_ROWS = 20
_GRADE = Column("data_grade", "Grade", "letter")


def of_company(scope: ReportScope) -> bool:
    """Return whether the report covers all groups."""
    return scope.group is None


def of_several_groups(scope: ReportScope) -> bool:
    """Return whether the report compares groups."""
    return scope.group is None and scope.by is not None


def _group(scope: ReportScope) -> Column:
    return Column("group", scope.grouping.heading, "text")


def mix(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return each group's shares by level."""
    levels = level_order(frame.filter(pl.col("tasks") > 0).get_column("ai_impact_level").to_list())
    h1 = pl.col("ai_impact_level") == "H1"
    wide = frame.group_by("group", maintain_order=True).agg(
        pl.col("jobs").first(),
        known_sum("tasks"),
        known_sum("hours"),
        *(
            pl.col("share").filter(pl.col("ai_impact_level") == level).first().alias(f"share_{level}")
            for level in levels
        ),
        h1_low=pl.col("share_low").filter(h1).first(),
        h1_high=pl.col("share_high").filter(h1).first(),
        coverage=pl.col("coverage").first(),
        data_grade=pl.col("data_grade").first(),
        reason=pl.col("reason").filter(pl.col("reason") == SUPPRESSED).first(),
    )
    columns = (
        _group(scope),
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
        f"Shares of {scope.work} by AI impact level. Coverage: tasks with {NEEDED[scope.weight]}.",
        about(frame),
    )


def exposure(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the exposure index with bounds."""
    columns = (
        _group(scope),
        Column("jobs", "Jobs"),
        Column("exposure", "Exposure", "index"),
        Column("weight_low", "H2 weight 0\u00a0to\u00a01", "index", "weight_high"),
        Column("bound_low", "Bounds", "index", "bound_high"),
        Column("tasks_in_index", "Weighted tasks"),
        Column("coverage", "Coverage", "known"),
        _GRADE,
    )
    caption = "Exposure index from 0 to 1, most exposed first. For grade C, quote only the bounds."
    return ReportTable(frame, columns, caption, about(frame), about(frame).warnings)


def hours(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return documented hours and how they vary across jobs."""
    columns = (
        _group(scope),
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


def concentration(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return how concentrated hours are in a few tasks."""
    columns = (
        _group(scope),
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
        *([Column("families", "Families")] * scope.grouping.by_family),
        Column("h1_hours", "Hours at\u00a0H1", "hours"),
        Column("h1_hours_high", "Upper bound", "hours"),
        Column("validated_share", "Validated", "share"),
    )
    notes = [line for line in meaning.policy if "left out" in line] * (not scope.all_suppressed)
    caption = "Tasks by weekly hours known to be highly automatable (H1), for one incumbent per job."
    empty = (
        "No task is known to be highly automatable."
        if not scope.all_suppressed
        else f"All {scope.grouping.many} are suppressed."
    )
    return ReportTable(rows, columns, caption, meaning, (*notes, *meaning.warnings), 2, empty)


#: Python code for the `overlap` table. See `Section.code`.
OVERLAP = (
    "tpa.overlap(profiles, by=by, states=states)"
    '.filter(~pl.col("group_a", "group_b").is_in(SUPPRESSED_GROUPS), '
    f'~pl.col("group_a", "group_b").str.contains({MISSING!r}), pl.col("tasks_shared") > 0)'
    '.sort("ruzicka", "tasks_shared", "group_a", "group_b", '
    "descending=[True, True, False, False], nulls_last=True)"
    f".head({MAX_ROWS})"
)


def overlap(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the pairs of groups with the most overlap in hours, omitting suppressed groups."""
    meaning, sides, grouping = about(frame), pl.col("group_a", "group_b"), scope.grouping
    pairs = frame.filter(
        ~sides.is_in(list(scope.suppressed)), ~sides.str.contains(MISSING), pl.col("tasks_shared") > 0
    ).sort("ruzicka", "tasks_shared", "group_a", "group_b", descending=[True, True, False, False], nulls_last=True)
    columns = (
        Column("group_a", f"First {grouping.one}", "text"),
        Column("group_b", f"Second {grouping.one}", "text"),
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
        f"Pairs of {grouping.many} by the share of their hours in common tasks.",
        meaning,
        tuple(filter(None, notes)),
        2,
        f"No two {grouping.many} shown have a task in common.",
    )
