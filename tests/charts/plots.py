"""Every chart there is, by the name its tests and its picture go by; another chart is another line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAMILY_ROWS", "NAMELESS", "NAMES_WORK", "PLOTS", "fragmentation"]


def fragmentation(profiles: tpa.TaskProfiles, **how: Any) -> Any:
    """Assume something of each level there is, so that any profiles can be drawn."""
    levels = ["H1", *profiles.tasks.get_column("ai_impact_level").drop_nulls().unique().sort()]
    freed = {level: {"H1": (0.4, 0.7), "H2": (0.15, 0.3)}.get(level, 0.0) for level in levels}
    return tpa.plot_fragmentation(
        profiles, freed=freed, realisation=(0.6, 0.8), adoption=(0.3, 0.6), week_hours=38.5, **how
    )


#: Each takes profiles and gives the chart; one of two snapshots makes the other from them.
PLOTS: dict[str, Callable[[tpa.TaskProfiles], Any]] = {
    "impact by tasks": lambda profiles: tpa.plot_impact_by_family(profiles, weight="tasks"),
    "impact by hours": lambda profiles: tpa.plot_impact_by_family(profiles, weight="hours"),
    "impact by headcount": lambda profiles: tpa.plot_impact_by_family(profiles, weight="headcount"),
    "hours": tpa.plot_hours_by_family,
    "weight lines": tpa.plot_weight_lines,
    "exposure": lambda profiles: tpa.plot_exposure_by_family(profiles, rounds=100),
    "heatmap": tpa.plot_level_heatmap,
    "heatmap by tasks": lambda profiles: tpa.plot_level_heatmap(profiles, weight="tasks"),
    "exposure of jobs": tpa.plot_exposure_by_job,
    "exposure of jobs by name": lambda profiles: tpa.plot_exposure_by_job(profiles, names=True),
    "concentration": tpa.plot_concentration,
    "candidates": tpa.plot_automation_candidates,
    "candidates by headcount": lambda profiles: tpa.plot_automation_candidates(profiles, by="headcount"),
    "family overlap": tpa.plot_family_overlap,
    "family overlap by tasks": lambda profiles: tpa.plot_family_overlap(profiles, by="tasks"),
    "fragmentation": fragmentation,
}
#: Charts with a row per family, in which a hidden family keeps its row.
FAMILY_ROWS = ["impact by tasks", "impact by hours", "impact by headcount", "hours", "exposure", "heatmap"]
#: Charts that name jobs or tasks, because that is what was asked; no chart holds a rationale or an id unasked.
NAMES_WORK = {"exposure of jobs by name", "candidates", "candidates by headcount"}
#: Charts of the whole company, which name no family.
NAMELESS = {"concentration", "candidates", "candidates by headcount"}
