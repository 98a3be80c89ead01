"""Results of the measures used in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.labels import with_labels
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures.about import about
from tpanalytics.share.calls import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.share.report.scope import ReportScope
    from tpanalytics.share.report.sections.section import Section

__all__ = ["CARD_CALLS", "Results", "measure_all"]

#: Calls for the cards. Sections with the same key show the results by group.
CARD_CALLS = {
    "mix": Call("impact", choices=("by", "weight", "states")),
    "exposure": Call("exposure", choices=("by", "weight", "level_weights", "contract_hours", "states")),
    "hours": Call("hours", choices=("by", "states"), arguments={"weight": "hours"}),
}


@dataclass(frozen=True)
class Results:
    """Results for a report's sections and cards.

    `frames` maps section keys to results. The others are the results of `CARD_CALLS`: by group, in total and, in
    group reports, for the whole company.
    """

    frames: Mapping[str, pl.DataFrame]
    groups: Mapping[str, pl.DataFrame]
    totals: Mapping[str, pl.DataFrame]
    company: Mapping[str, pl.DataFrame]


def measure_all(scope: ReportScope, sections: Sequence[Section]) -> Results:
    """Run the calls for all sections and cards."""
    groups = {key: scope.by_group(measure) for key, measure in CARD_CALLS.items()}
    totals = {key: scope.as_one(measure) for key, measure in CARD_CALLS.items()}
    company = {} if scope.group is None else {key: scope.as_one(call, company=True) for key, call in CARD_CALLS.items()}
    return Results({section.key: _measured(scope, section) for section in sections}, groups, totals, company)


def _measured(scope: ReportScope, section: Section) -> pl.DataFrame:
    if section.cut == "group":
        return scope.by_group(section.measure)
    result: pl.DataFrame = section.measure.of(scope.part if section.cut == "part" else scope.company, scope)
    result = with_labels(result) if "by" in section.measure.choices else result
    if section.cut == "part" or scope.group is None:
        return result
    rows = result.filter(pl.col("group") == scope.group)
    return attach_metadata(rows, about(section.measure.of(scope.part, scope)))
