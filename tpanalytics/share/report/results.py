"""Results of the measures used in a report."""

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

#: Calls for the cards. Sections with the same key show the results by family.
CARD_CALLS = {
    "mix": Call("impact", choices=("states",), arguments={"weight": "hours"}),
    "exposure": Call("exposure", choices=("level_weights", "contract_hours", "states")),
    "hours": Call("hours", choices=("states",)),
}


@dataclass(frozen=True)
class Results:
    """Results for a report's sections and cards.

    `frames` maps section keys to results. The others are the results of `CARD_CALLS`: by family, in total and, in
    family reports, for the whole company.
    """

    frames: Mapping[str, pl.DataFrame]
    families: Mapping[str, pl.DataFrame]
    totals: Mapping[str, pl.DataFrame]
    company: Mapping[str, pl.DataFrame]


def measure_all(scope: ReportScope, sections: Sequence[Section]) -> Results:
    """Run the calls for all sections and cards."""
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
    rows = result.filter(pl.col("job_family") == scope.family)
    return attach_metadata(rows, about(section.measure.of(scope.part, scope)))
