"""Everything a report measures, measured once and passed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures.about import about

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section

__all__ = ["Results", "measure_all"]

#: Sections whose measure the cards also need for all jobs together.
_ON_CARDS = ("mix", "exposure", "hours")


@dataclass(frozen=True)
class Results:
    """What a report measured.

    Attributes
    ----------
    frames
        The result behind each section's table, by the section's key.
    totals, company
        The figures of the cards for what the report is about, and for the company where that is one family; each a
        frame of one family, by the section's key.
    """

    frames: Mapping[str, pl.DataFrame]
    totals: Mapping[str, pl.DataFrame]
    company: Mapping[str, pl.DataFrame]


def measure_all(scope: ReportScope, sections: Sequence[Section]) -> Results:
    """Make every section's call, and those of the cards."""
    totalled = {section.key: section.measure for section in sections if section.key in _ON_CARDS}
    return Results(
        frames={section.key: _measured(scope, section) for section in sections},
        totals={key: scope.as_one(measure) for key, measure in totalled.items()},
        company={}
        if scope.family is None
        else {key: scope.as_one(measure, company=True) for key, measure in totalled.items()},
    )


def _measured(scope: ReportScope, section: Section) -> pl.DataFrame:
    if section.cut == "family":
        return scope.by_family(section.measure)
    result: pl.DataFrame = section.measure.of(scope.part if section.cut == "part" else scope.company, scope)
    if section.cut == "part" or scope.family is None:
        return result
    own = result.filter(pl.col("job_family") == scope.family)
    return attach_metadata(own, about(section.measure.of(scope.part, scope)))
