"""Tables of two snapshots."""

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

__all__ = ["given", "hours_bridge", "index", "levels", "validation"]

_ALL = "All"


def given(scope: ReportScope) -> bool:
    """Say whether there is an earlier snapshot."""
    return scope.before is not None


def hours_bridge(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print what leads from the hours at H1 before to those after."""
    rows, meaning = _by_family(scope, frame)
    columns = (
        Column("job_family", "Job family", "text"),
        Column("before", "Before", "hours"),
        Column("added", "Tasks added", "change"),
        Column("removed", "Tasks removed", "change"),
        Column("relevelled", "Other level", "change"),
        Column("hours_changed", "Other hours", "change"),
        Column("newly_measured", "Newly measured", "change"),
        Column("after", "After", "hours"),
        Column("coverage_before", "Known before", "known"),
        Column("coverage_after", "after", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    said = "Weekly hours at H1, for one incumbent of each job. Before and the five steps add up to after."
    return ReportTable(rows, columns, said, meaning, meaning.warnings, empty="There is no job in either snapshot.")


def index(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print what each family contributes to the change of the index."""
    rows, meaning = _by_family(scope, frame)
    columns = (
        Column("job_family", "Job family", "text"),
        Column("exposure_before", "Exposure before", "index"),
        Column("exposure_after", "after", "index"),
        Column("within", "Change within", "index change"),
        Column("mix", "of mix", "index change"),
        Column("entry", "by entry", "index change"),
        Column("exit", "by exit", "index change"),
        Column("contribution", "All together", "index change"),
        Column("coverage_before", "Known before", "known"),
        Column("coverage_after", "after", "known"),
    )
    said = "Contributions to the change of the exposure index; they add up to the change of all."
    warnings = tuple(said for said in meaning.warnings if "the bridge," not in said)
    return ReportTable(rows, columns, said, meaning, warnings, empty="There is no job in either snapshot.")


def levels(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print how many tasks went from each level to each; pairs that stand in few jobs are hidden."""
    rows, meaning = _by_pair(scope, frame)
    columns = (
        Column("move", "What happened", "text"),
        Column("level_before", "Level before", "text"),
        Column("level_after", "after", "text"),
        Column("tasks", "Tasks"),
        Column("jobs", "in jobs"),
        Column("tasks_with_hours", "with hours"),
        Column("hours_before", "Hours before", "hours"),
        Column("hours_after", "after", "hours"),
        Column("share", "Of the level before", "share"),
    )
    said = "Tasks of a job by AI impact level before and after."
    return ReportTable(
        rows, columns, said, meaning, (), 3, "No task is in either snapshot, or all families are hidden."
    )


def validation(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print how many tasks went from each validation state to each."""
    rows, meaning = _by_pair(scope, frame)
    columns = (
        Column("state_before", "State before", "text"),
        Column("state_after", "State after", "text"),
        Column("tasks", "Tasks"),
        Column("jobs", "in jobs"),
        Column("share", "Of the state before", "share"),
    )
    said = "Tasks of a job by validation state before and after; a dash where the task was not there."
    return ReportTable(
        rows, columns, said, meaning, (), 2, "No task is in either snapshot, or all families are hidden."
    )


def _by_family(scope: ReportScope, frame: pl.DataFrame) -> tuple[pl.DataFrame, Meaning]:
    """Return the rows of families, suppressed where either snapshot suppresses them, and of all unless all is."""
    meaning = about(frame)
    hidden = pl.col("job_family").is_in(list(scope.hidden)).fill_null(value=scope.all_hidden)
    kept = ("scope", "job_family", "reason")
    rows = frame.with_columns(
        *(pl.when(~hidden).then(pl.col(name)).alias(name) for name in frame.columns if name not in kept),
        reason=pl.when(hidden).then(pl.lit(SUPPRESSED)).otherwise("reason"),
        job_family=pl.col("job_family").fill_null(_ALL),
    )
    if scope.all_hidden:
        meaning = replace(meaning, coverage={}, warnings=(), policy=meaning.policy[1:], jobs=0, tasks=0)
    return rows, meaning


def _by_pair(scope: ReportScope, frame: pl.DataFrame) -> tuple[pl.DataFrame, Meaning]:
    meaning = about(frame)
    if scope.all_hidden:
        return frame.clear(), replace(meaning, coverage={}, warnings=(), policy=meaning.policy[1:], jobs=0, tasks=0)
    return suppress_moves(frame, scope.limits), meaning
