"""Everything a report measures, measured once and passed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures.about import about
from tpanalytics.share.calls import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section

__all__ = ["CARD_CALLS", "Results", "measure_all"]

#: The calls behind the cards; the sections of the same keys print them by family.
CARD_CALLS = {
    "mix": Call("impact", choices=("states",), arguments={"weight": "hours"}),
    "exposure": Call("exposure", choices=("level_weights", "contract_hours", "states")),
    "hours": Call("hours", choices=("states",)),
}


@dataclass(frozen=True)
class Results:
    """What a report measured.

    Attributes
    ----------
    frames
        The result behind each section's table, by the section's key.
    families, totals, company
        The results of `CARD_CALLS` by family, for all that the report is about as one family, and likewise for the
        company where the report is about one family.
    """

    frames: Mapping[str, pl.DataFrame]
    families: Mapping[str, pl.DataFrame]
    totals: Mapping[str, pl.DataFrame]
    company: Mapping[str, pl.DataFrame]


def measure_all(scope: ReportScope, sections: Sequence[Section]) -> Results:
    """Make every section's call, and those of the cards."""
    families = {key: scope.by_family(measure) for key, measure in CARD_CALLS.items()}
    totals = {key: scope.as_one(measure) for key, measure in CARD_CALLS.items()}
    company = (
        {} if scope.family is None else {key: scope.as_one(call, company=True) for key, call in CARD_CALLS.items()}
    )
    return Results({section.key: _measured(scope, section) for section in sections}, families, totals, company)


def _measured(scope: ReportScope, section: Section) -> pl.DataFrame:
    if section.cut == "family":
        return scope.by_family(section.measure)
    result: pl.DataFrame = section.measure.of(scope.part if section.cut == "part" else scope.company, scope)
    if section.cut == "part" or scope.family is None:
        return result
    own = result.filter(pl.col("job_family") == scope.family)
    return attach_metadata(own, about(section.measure.of(scope.part, scope)))
