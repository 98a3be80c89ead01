"""Definition of a report section."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tpanalytics.charts._core.grouping import capitalized

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
    rows: ``group`` measures all groups and suppresses small groups, ``rows`` measures all groups without suppression,
    and ``part`` only measures the jobs in the report. `code` is the table's Python code, if different from `measure`.
    The placeholders are ``part`` for the report's data, ``GROUP`` for the label of each job's group, and
    ``SUPPRESSED_GROUPS``. `question` and `lead` can contain the words for the groups, such as ``{words}``.
    """

    key: str
    question: str
    lead: str
    measure: Call
    table: Callable[[ReportScope, pl.DataFrame], ReportTable]
    charts: tuple[Call, ...] = ()
    when: Callable[[ReportScope], bool] = _always
    cut: Literal["group", "rows", "part"] = "group"
    code: str | Callable[[ReportScope], str] = ""
    group: str = "answer"
    #: Returns the section with calls that depend on the report.
    adapt: Callable[[Section, ReportScope], Section] | None = None
    #: The profiles to draw the charts from.
    drawn: Literal["part", "company"] = "part"

    def worded(self, scope: ReportScope) -> Section:
        """Return the section with the words for the groups of the report."""
        grouping = scope.grouping
        several = scope.by is not None
        words = {
            "word": grouping.one,
            "words": grouping.many,
            "Words": capitalized(grouping.many),
            "nouns": grouping.nouns,
            "work": scope.work,
            "each": f"Each bar shows the {scope.work} of a {grouping.one}"
            if several
            else f"The bar shows the {scope.work}",
            "of_each": f" of each {grouping.one}" if several else "",
            "tasks_of": f"a {grouping.one}'s" if several else "all",
        }
        # Without groups, two calls of the same function draw the same chart.
        charts = tuple(
            chart
            for n, chart in enumerate(self.charts)
            if (several or chart.name not in {other.name for other in self.charts[:n]})
            # This chart has no weight. It shows the index for one incumbent of each job.
            and (scope.weight == "hours" or chart.name != "plot_weight_sensitivity")
        )
        worded = replace(self, charts=charts, question=self.question.format(**words), lead=self.lead.format(**words))
        return worded if self.adapt is None else self.adapt(worded, scope)
