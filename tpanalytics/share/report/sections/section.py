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
    """A section with a question as its heading, a table and charts.

    `measure` is the call for the table, and `when` determines whether a report includes the section. `cut` is how the
    rows are computed: ``family`` measures all families and suppresses small ones, ``rows`` measures all families
    without suppression, and ``part`` only measures the jobs in the family. `code` is the Python code for the table, if
    it differs from `measure`. It can contain the placeholders ``part`` (the data that the report covers) and
    ``SUPPRESSED_FAMILIES`` (the suppressed families).
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
