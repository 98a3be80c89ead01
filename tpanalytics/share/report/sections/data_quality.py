"""Tables of what is known, and of what is missing or odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import HIDDEN
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["checks", "coverage"]


def coverage(_: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print how much is known of each family."""
    columns = (
        Column("job_family", "Job family", "text"),
        Column("jobs", "Jobs"),
        Column("tasks", "Tasks"),
        Column("hours_coverage", "With hours", "known"),
        Column("level_coverage", "With a level", "known"),
        Column("both_coverage", "With both", "known"),
        Column("validated_share", "Validated", "known"),
        Column("jobs_complete_share", "Jobs with all hours", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    said = "Coverage: shares of tasks, and of jobs, of which something is known. A from 90 %, B from 70 %, C below."
    return ReportTable(frame, columns, said, about(frame), about(frame).warnings, empty="There are no jobs.")


def checks(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Print each check in a sentence; one that names a hidden family is hidden."""
    meaning = about(frame)
    columns = (
        Column("check", "Check", "text"),
        Column("severity", "Severity", "text"),
        Column("finding", "Finding", "text"),
        Column("share_hours", "Touches of known hours", "share"),
    )
    told = frame.clear() if scope.all_hidden else frame
    names_hidden = pl.any_horizontal(
        [pl.col("finding").str.contains(name, literal=True) for name in scope.hidden] or [pl.lit(value=False)]
    )
    told = told.with_columns(
        finding=pl.when(names_hidden).then(pl.lit(HIDDEN)).otherwise("finding"),
        share_hours=pl.when(~names_hidden).then("share_hours"),
    ).with_columns(frame.get_column("check").head(told.height).map_elements(_words, return_dtype=pl.String))
    said = "Checks of the data, worst first, with the share of the known hours that each touches."
    return ReportTable(told.drop("reason"), columns, said, meaning, (), 1, "Hidden, as all families are.")


def _words(check: str) -> str:
    return check.replace("_", " ").capitalize()
