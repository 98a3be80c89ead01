"""Definition of a report section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from tpanalytics.share.calls import Call
    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.tables import ReportTable

__all__ = ["Section"]


def _always(_: ReportScope) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section with a question as heading, a table and charts.

    `measure` is the call for the table. `when` determines whether a report includes the section. `cut` controls the
    rows: ``family`` measures all families and suppresses small families, ``rows`` measures all families without
    suppression, and ``part`` only measures the jobs in the report. `code` is the table's Python code, if different from
    `measure`. The placeholders are ``part`` for the report's data and ``SUPPRESSED_FAMILIES``.
    """

    key: str
    question: str
    lead: str
    measure: Call
    table: Callable[[ReportScope, pl.DataFrame], ReportTable]
    charts: tuple[Call, ...] = ()
    when: Callable[[ReportScope], bool] = _always
    cut: Literal["family", "rows", "part"] = "family"
    code: str = ""
    group: str = "answer"
