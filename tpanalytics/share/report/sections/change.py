"""Tables that compare two snapshots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED
from tpanalytics.measures.privacy.suppress import suppress_moves
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.measures._core.metadata import Meaning
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["compares_groups", "has_earlier_snapshot", "hours_bridge", "index", "levels", "validation"]

_ALL = "All"
_NO_JOBS = "Neither snapshot contains jobs."
_NO_TASKS = "Neither snapshot contains tasks, or all groups are suppressed."


def has_earlier_snapshot(scope: ReportScope) -> bool:
    """Return whether the report compares two snapshots."""
    return scope.before is not None


def compares_groups(scope: ReportScope) -> bool:
    """Return whether the report compares two snapshots by group."""
    return scope.before is not None and scope.by is not None


def hours_bridge(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the changes in weekly hours at H1."""
    rows, meaning = _by_group(scope, frame)
    columns = (
        Column("group", scope.grouping.heading, "text"),
        Column("before", "Before", "hours"),
        Column("added", "Tasks added", "change"),
        Column("removed", "Tasks removed", "change"),
        Column("relevelled", "Re-rated", "change"),
        Column("hours_changed", "Hours changed", "change"),
        Column("newly_measured", "Newly measured", "change"),
        Column("after", "After", "hours"),
        Column("coverage_before", "Coverage before", "known"),
        Column("coverage_after", "Coverage after", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    caption = "Weekly hours at H1, for one incumbent per job. The five changes add up from before to after."
    return ReportTable(rows, columns, caption, meaning, meaning.warnings, empty=_NO_JOBS)


def index(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return each group's contribution to the change in the exposure index."""
    rows, meaning = _by_group(scope, frame)
    columns = (
        Column("group", scope.grouping.heading, "text"),
        Column("exposure_before", "Exposure before", "index"),
        Column("exposure_after", "Exposure after", "index"),
        Column("within", f"Within {scope.grouping.one}", "index change"),
        Column("mix", "Mix", "index change"),
        Column("entry", "Entry", "index change"),
        Column("exit", "Exit", "index change"),
        Column("contribution", "Total", "index change"),
        Column("coverage_before", "Coverage before", "known"),
        Column("coverage_after", "Coverage after", "known"),
    )
    caption = "Contributions to the change in the exposure index. Entry and exit: only one snapshot has an index."
    warnings = tuple(warning for warning in meaning.warnings if "the bridge," not in warning)
    return ReportTable(rows, columns, caption, meaning, warnings, empty=_NO_JOBS)


def levels(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the number of tasks that moved between levels. Small groups are suppressed."""
    rows, meaning = _by_pair(scope, frame)
    columns = (
        Column("move", "Change", "text"),
        Column("level_before", "Level before", "text"),
        Column("level_after", "Level after", "text"),
        Column("tasks", "Tasks"),
        Column("jobs", "Jobs"),
        Column("tasks_with_hours", "Tasks with hours"),
        Column("hours_before", "Hours before", "hours"),
        Column("hours_after", "Hours after", "hours"),
        Column("share", "Share of level before", "share"),
    )
    return ReportTable(rows, columns, "Tasks by AI impact level before and after.", meaning, (), 3, _NO_TASKS)


def validation(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the number of tasks that moved between validation states."""
    rows, meaning = _by_pair(scope, frame)
    columns = (
        Column("state_before", "State before", "text"),
        Column("state_after", "State after", "text"),
        Column("tasks", "Tasks"),
        Column("jobs", "Jobs"),
        Column("share", "Share of state before", "share"),
    )
    caption = "Tasks by validation state before and after. A dash: the task was added or removed."
    return ReportTable(rows, columns, caption, meaning, (), 2, _NO_TASKS)


def _by_group(scope: ReportScope, frame: pl.DataFrame) -> tuple[pl.DataFrame, Meaning]:
    """Suppress groups that are suppressed in either snapshot."""
    meaning = about(frame)
    suppressed = pl.col("group").is_in(list(scope.suppressed)).fill_null(value=scope.all_suppressed)
    keys = ("scope", "group", "reason")
    rows = frame.with_columns(
        *(pl.when(~suppressed).then(pl.col(name)).alias(name) for name in frame.columns if name not in keys),
        reason=pl.when(suppressed).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        group=pl.col("group").fill_null(_ALL),
    )
    if scope.all_suppressed:
        meaning = replace(meaning, coverage={}, warnings=(), policy=meaning.policy[1:], jobs=0, tasks=0)
    return rows, meaning


def _by_pair(scope: ReportScope, frame: pl.DataFrame) -> tuple[pl.DataFrame, Meaning]:
    meaning = about(frame)
    if scope.all_suppressed:
        return frame.clear(), replace(meaning, coverage={}, warnings=(), policy=meaning.policy[1:], jobs=0, tasks=0)
    return suppress_moves(frame, scope.limits), meaning
