"""Tables of coverage and data quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures.about import about
from tpanalytics.measures.privacy.policy import SUPPRESSED_MARK
from tpanalytics.share.report.tables import Column, ReportTable

if TYPE_CHECKING:
    from tpanalytics.share.report.scope import ReportScope

__all__ = ["checks", "checks_code", "coverage"]

#: Checks of job families, omitted if the report is by another column.
_FAMILY_CHECKS = ["families_without_tasks", "jobs_without_family"]
#: Findings about missing hours without the names of job families.
_UNEVEN = "Missing hours are not random. The share of tasks with hours differs by more than 10 percentage points."
_EVEN = "The share of tasks with hours does not differ by more than 10 percentage points and more than chance."


def checks_code(scope: ReportScope) -> str:
    """Return Python code for the `checks` table. See `Section.code`."""
    omitted = "" if scope.grouping.by_family else f'.filter(~pl.col("check").is_in({_FAMILY_CHECKS!r}))'
    return f"tpa.quality_report(part, states=states){omitted}"


def coverage(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return each group's coverage."""
    columns = (
        Column("group", scope.grouping.heading, "text"),
        Column("jobs", "Jobs"),
        Column("tasks", "Tasks"),
        Column("hours_coverage", "With hours", "known"),
        Column("level_coverage", "With a level", "known"),
        Column("both_coverage", "With both", "known"),
        Column("validated_share", "Validated", "known"),
        Column("jobs_complete_share", "Jobs with all hours", "known"),
        Column("data_grade", "Grade", "letter"),
    )
    caption = "Coverage: shares of tasks and jobs. Grade A: at least 90%, B: at least 70%, C: below 70%."
    return ReportTable(frame, columns, caption, about(frame), about(frame).warnings)


def checks(scope: ReportScope, frame: pl.DataFrame) -> ReportTable:
    """Return the check results, suppressing findings that mention a suppressed group."""
    meaning = about(frame)
    columns = (
        Column("check", "Check", "text"),
        Column("severity", "Severity", "text"),
        Column("finding", "Finding", "text"),
        Column("share_hours", "Share of known hours", "share"),
    )
    rows = frame.clear() if scope.all_suppressed else frame
    if not scope.grouping.by_family:  # other groups may be small where families are not
        uneven = pl.when(pl.col("severity") == "ok").then(pl.lit(_EVEN)).otherwise(pl.lit(_UNEVEN))
        rows = rows.filter(~pl.col("check").is_in(_FAMILY_CHECKS)).with_columns(
            finding=pl.when(pl.col("check") == "missing_hours_uneven").then(uneven).otherwise("finding")
        )
    names_suppressed = pl.any_horizontal(
        [pl.col("finding").str.contains(name, literal=True) for name in scope.suppressed] or [pl.lit(value=False)]
    )
    rows = rows.with_columns(
        finding=pl.when(names_suppressed).then(pl.lit(SUPPRESSED_MARK)).otherwise("finding"),
        share_hours=pl.when(~names_suppressed).then("share_hours"),
    ).with_columns(pl.col("check").map_elements(_label, return_dtype=pl.String))
    caption = "Data checks, most severe first, with the share of known hours affected."
    return ReportTable(
        rows.drop("reason"), columns, caption, meaning, (), 1, f"All {scope.grouping.many} are suppressed."
    )


_LABELS = {"weeks_over_described": "Hours above contract", "weeks_under_described": "Hours below contract"}


def _label(check: str) -> str:
    return _LABELS.get(check, check.replace("_", " ").capitalize())
