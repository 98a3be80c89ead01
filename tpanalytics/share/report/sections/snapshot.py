"""Tables of one snapshot, by family and by task."""

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

__all__ = ["OVERLAP", "TOP", "candidates", "concentration", "exposure", "hours", "mix", "of_company", "overlap"]

#: Rows of the tables that would otherwise go on for pages.
TOP = 20
_FAMILY = Column("job_family", "Job family", "text")
_GRADE = Column("data_grade", "Grade", "letter")


def of_company(scope: ReportScope) -> bool:
    """Say whether the report is about all families: some questions have no answer within one."""
    return scope.family is None


def mix(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print the share of each level in a row per family."""
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
        Column("hours", "Hours a\u00a0week", "hours"),
        *(Column(f"share_{level}", level if level != NOT_ASSESSED else "Not assessed", "share") for level in levels),
        *([Column("h1_low", "H1 can be", "share", "h1_high")] if "H1" in levels else []),
        Column("coverage", "Known", "known"),
        _GRADE,
    )
    return ReportTable(
        wide,
        columns,
        "Shares of described weekly hours by AI impact level. Known: tasks with hours and a level.",
        about(frame),
        empty="There are no jobs.",
    )


def exposure(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print the index with what it can be at most and at least."""
    columns = (
        _FAMILY,
        Column("jobs", "Jobs"),
        Column("exposure", "Exposure", "index"),
        Column("weight_low", "H2 counting 0\u00a0to\u00a01", "index", "weight_high"),
        Column("bound_low", "Can be", "index", "bound_high"),
        Column("tasks_weighed", "Tasks weighed"),
        Column("coverage", "Known", "known"),
        _GRADE,
    )
    said = "Exposure index, 0 to 1, most exposed first. Of a family of grade C quote only the bounds."
    return ReportTable(frame, columns, said, about(frame), about(frame).warnings, empty="There are no jobs.")


def hours(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print the hours and how they spread over the jobs."""
    columns = (
        _FAMILY,
        Column("jobs", "Jobs"),
        Column("jobs_without_tasks", "Without any task"),
        Column("hours", "Hours a\u00a0week", "hours"),
        Column("hours_high", "At most", "hours"),
        Column("hours_per_job", "Per job", "hours"),
        Column("hours_p50", "Median job", "hours"),
        Column("hours_p25", "Middle half of\u00a0jobs", "hours", "hours_p75"),
        Column("coverage", "Tasks with hours", "known"),
    )
    said = "Described weekly hours, for one incumbent of each job. At most: if undescribed contract hours are added."
    return ReportTable(frame, columns, said, about(frame), about(frame).warnings, empty="There are no jobs.")


def concentration(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print how unevenly hours lie on tasks."""
    columns = (
        _FAMILY,
        Column("tasks_with_hours", "Different tasks with hours"),
        Column("tasks_without_hours", "Without hours"),
        Column("tasks_for_80", "Tasks for 80\u00a0% of hours"),
        Column("share_of_top_10", "In the ten longest", "share"),
        Column("gini", "Gini", "index"),
    )
    said = "How many different tasks carry a family's hours. Gini: 0 is evenly spread, 1 is all in one task."
    return ReportTable(frame, columns, said, about(frame), about(frame).warnings, empty="There are no jobs.")


def candidates(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print the first tasks; those that tell of few jobs or people the measure leaves out, and says so."""
    meaning = about(frame)
    kept = frame if not scope.all_hidden else frame.clear()
    columns = (
        Column("rank", "Rank"),
        Column("task", "Task", "text"),
        Column("rank_low", "Place lies within", "count", "rank_high"),
        Column("jobs_h1", "Jobs at\u00a0H1"),
        Column("families", "Families"),
        Column("h1_hours", "Hours at\u00a0H1", "hours"),
        Column("h1_hours_high", "At most", "hours"),
        Column("validated_share", "Validated", "share"),
    )
    left = [line for line in meaning.policy if "left out" in line] * (not scope.all_hidden)
    said = "Tasks by the weekly hours known to be highly automatable, for one incumbent of each job."
    empty = "No task is known to be highly automatable." if not scope.all_hidden else "Hidden, as all families are."
    return ReportTable(kept, columns, said, meaning, (*left, *meaning.warnings), 2, empty)


#: The table of `overlap` in Python as a reader runs it; see `Section.code`.
OVERLAP = (
    "tpa.overlap(profiles, states=states)"
    f'.filter(~pl.col("family_a", "family_b").is_in([*HIDDEN, {NO_FAMILY!r}]), pl.col("tasks_shared") > 0)'
    '.sort("ruzicka", "tasks_shared", "family_a", "family_b", '
    "descending=[True, True, False, False], nulls_last=True)"
    f".head({TOP})"
)


def overlap(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print the pairs of families that share the most; none with a hidden family."""
    meaning, left = about(frame), [*scope.hidden, NO_FAMILY]
    pairs = frame.filter(
        ~pl.col("family_a").is_in(left), ~pl.col("family_b").is_in(left), pl.col("tasks_shared") > 0
    ).sort("ruzicka", "tasks_shared", "family_a", "family_b", descending=[True, True, False, False], nulls_last=True)
    columns = (
        Column("family_a", "Job family", "text"),
        Column("family_b", "and", "text"),
        Column("tasks_shared", "Tasks shared"),
        Column("shared_without_hours", "Without hours"),
        Column("containment_a_in_b", "Of the first's hours", "share"),
        Column("containment_b_in_a", "Of the second's", "share"),
        Column("ruzicka", "Alike by hours", "share"),
    )
    more = pairs.height - TOP
    notes = (f"{plural(more, 'more pair')} share less." if more > 0 else "", *meaning.warnings)
    return ReportTable(
        attach_metadata(pairs.head(TOP), meaning),
        columns,
        "Pairs of families by the share of their hours that lies in the same tasks.",
        meaning,
        tuple(filter(None, notes)),
        2,
        "No two families that are shown have a task in common.",
    )
