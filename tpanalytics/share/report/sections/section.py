"""A section of a report as data: its question, the call that answers it, the table and the charts of the answer."""

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
    """What a report says to one question.

    Attributes
    ----------
    key
        Anchor in the page; letters and hyphens.
    question, lead
        The heading, and what to know before reading.
    measure
        The call whose result the table prints.
    table
        Makes the table from that result, with what must not be shown already suppressed.
    charts
        The calls that draw the answer, the most important first; each takes what the report is about.
    when
        Whether a report has this section.
    cut
        How the rows of one family come about: ``family``, all families are measured and small ones suppressed;
        ``rows``, all are measured; ``part``, the measure is given the jobs of the family alone.
    code
        Python that gives the table where `measure` alone does not; ``part`` stands for what the report is about,
        ``HIDDEN`` for the families it leaves out.
    group
        ``answer``, ``change`` or ``quality``: the part of the page it belongs to.
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
