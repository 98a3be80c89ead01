"""Table of the work per skill."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.skill_counts import has_skills
from tpanalytics.measures._core.staff import NEEDED
from tpanalytics.measures.about import about
from tpanalytics.measures.skills import ALL_TASKS, NO_SKILL
from tpanalytics.schema import NOT_ASSESSED, level_order
from tpanalytics.share.calls import Call
from tpanalytics.share.report.evidence import rows_of_group
from tpanalytics.share.report.sections.snapshot import MAX_ROWS
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section

__all__ = ["are_known", "code", "of_scope", "table"]

#: Rows that are not skills.
_REST = (ALL_TASKS, NO_SKILL)


def are_known(scope: ReportScope) -> bool:
    """Return whether any task has a skill, and not every group is suppressed."""
    return has_skills(scope.profiles) and not scope.all_suppressed


def of_scope(section: Section, scope: ReportScope) -> Section:
    """Return the section for one group, whose skills are suppressed as in a report on the company."""
    if scope.group is None:
        return section
    chart = Call("plot_skills", choices=("by", "weight", "states", "privacy"), arguments={"groups": (scope.group,)})
    charts = tuple(chart for _ in section.charts)
    return replace(section, measure=Call("skills", choices=("by", "weight", "states")), charts=charts)


def code(scope: ReportScope) -> str:
    """Return the Python code of the table. See `Section.code`."""
    by, rows = "None", ""
    if scope.group is not None:
        by, rows = "by", f".filter({rows_of_group(scope)})"
    return (
        f"tpa.suppress(tpa.skills(profiles, by={by}, weight=weight, states=states), profiles, privacy=privacy){rows}"
        '.group_by("skill_id", "skill", maintain_order=True)'
        '.agg(pl.col("jobs").first(), pl.col("tasks", "hours").sum(), '
        'pl.col("skill_share", "coverage", "data_grade").first())'
        f".head({MAX_ROWS + 1})"
    )


def table(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the skills with the most work, after the row of all tasks."""
    levels = level_order(frame.filter(pl.col("tasks") > 0).get_column("ai_impact_level").to_list())
    at_level = {level: pl.col("share").filter(pl.col("ai_impact_level") == level).first() for level in levels}
    wide = frame.group_by("skill_id", "skill", maintain_order=True).agg(
        pl.col("jobs").first(),
        known_sum("tasks"),
        known_sum("hours"),
        *(share.alias(f"share_{level}") for level, share in at_level.items()),
        pl.col("skill_share", "coverage", "data_grade").first(),
    )
    more = wide.filter(~pl.col("skill").is_in(_REST)).height - MAX_ROWS
    meaning = about(frame)
    columns = (
        Column("skill", "Skill", "text"),
        Column("jobs", "Jobs"),
        Column("tasks", "Tasks"),
        Column("hours", "Weekly hours", "hours"),
        Column("skill_share", "Share of all work", "share"),
        *(Column(f"share_{level}", level if level != NOT_ASSESSED else "Not assessed", "share") for level in levels),
        Column("coverage", "Coverage", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    suppressed = [note for note in meaning.policy if "suppressed (" in note and not note.startswith("0 ")]
    rest = (
        [f"{plural(more, 'more skill')} with less work {'is' if more == 1 else 'are'} not shown."] if more > 0 else []
    )
    return ReportTable(
        attach_metadata(wide.head(MAX_ROWS + 1), meaning),
        columns,
        f"Shares of {scope.work} by skill and AI impact level. Coverage: tasks with {NEEDED[scope.weight]}.",
        meaning,
        (*rest, *suppressed, *meaning.warnings),
        empty="All skills are suppressed.",
    )
