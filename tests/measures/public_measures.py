"""Every public measure as it is called on any company, for what all of them promise; another measure is another line.

What stands before a comma is the measure's public name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tests.measures.random_profiles import LEVELS, profiles_of
from tests.public_names import public_functions

if TYPE_CHECKING:
    from collections.abc import Callable

#: What can be freed of each level that there is.
FREED: dict[str, Any] = {"H1": (0.4, 0.7), "H2": (0.1, 0.3), **dict.fromkeys(["H3", "H4", "H5", "H9", "höchst"], 0)}


def odd(*, later: bool = False) -> tpa.TaskProfiles:
    """Make a company with everything that can be odd about one, each of it once at least; later, some of it changed."""
    hours = [None, 0.0, 0.25, 40.0]
    states = ["validated", "suggested", "rejected"]

    def tasks(number: int) -> list[dict[str, Any]]:
        return [
            {
                "task_id": str((i + later) % 5),
                "validation_state": states[(number + i) % 3],
                "weekly_hours": hours[(number + 3 * i) % 4],
                "ai_impact_level": LEVELS[(number + i) % len(LEVELS)],
            }
            for i in range(number % 8)
        ]

    families = [None, "Finance", "研究開発", "R&D / Labor"]
    jobs = [
        {
            "job_family": families[i % 4],
            "headcount": [None, 0.0, 2.5, 100.0, 1.0][i % 5],
            "contract_hours": [None, 20.0, 38.5][i % 3],
            "tasks": tasks(i),
        }
        for i in range(40)
    ]
    bare = {"job_family": "Empty", "headcount": 3.0, "contract_hours": 40.0, "tasks": []}
    return profiles_of([*jobs, bare])


_LATER = odd(later=True)


def _claim(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    found = tpa.check_claim(profiles, "Finance > (no family)", rounds=100)
    said = {"verdict": found.verdict, "resamples": found.resamples_agree}
    return found.specifications.with_columns(**{name: pl.lit(value) for name, value in said.items()})


def _quality(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    # These tell of lists and of the manifest, which frames of an engine may be without.
    not_of_tables = ["evidence_missing", "rejected", "records_left_out", "export_complete"]
    return tpa.quality_report(profiles).filter(~pl.col("check").is_in(not_of_tables))


MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "automation_candidates": lambda profiles: tpa.automation_candidates(profiles, rounds=100),
    "automation_candidates, by headcount": lambda p: tpa.automation_candidates(p, by="headcount", rounds=0),
    "break_even": tpa.break_even,
    "build_once_curve": tpa.build_once_curve,
    "capacity_by_family": lambda profiles: tpa.capacity_by_family(
        profiles, freed=FREED, adoption=(0.3, 0.6), realisation=0.7, week_hours=40
    ),
    "check_claim": _claim,
    "compare": lambda profiles: tpa.compare(profiles, _LATER),
    "compare_exposure": lambda profiles: tpa.compare_exposure(profiles, _LATER),
    "compare_families": lambda profiles: tpa.compare_families(profiles, "Finance", category="task_id"),
    "concentration_by_family": tpa.concentration_by_family,
    "concentration_curve": tpa.concentration_curve,
    "coverage_by_family": tpa.coverage_by_family,
    "exposure_by_family": tpa.exposure_by_family,
    "exposure_by_family, by headcount": lambda profiles: tpa.exposure_by_family(profiles, weight="headcount"),
    "exposure_by_job": tpa.exposure_by_job,
    "exposure_ranks": lambda profiles: tpa.exposure_ranks(profiles, rounds=100),
    "family_overlap": tpa.family_overlap,
    "find_tasks": lambda profiles: tpa.find_tasks(profiles, "re"),
    "find_tasks, the first": lambda profiles: tpa.find_tasks(profiles, "CARE with", top=3),
    "fragmentation_by_family": lambda p: tpa.fragmentation_by_family(p, freed=FREED, realisation=0.7),
    "freed_by_family": lambda profiles: tpa.freed_by_family(profiles, freed=FREED),
    "hours_at_stake_by_family": tpa.hours_at_stake_by_family,
    "hours_by_family": tpa.hours_by_family,
    "hours_by_family, complete jobs": lambda profiles: tpa.hours_by_family(profiles, complete_only=True),
    "hours_by_family, over people": lambda profiles: tpa.hours_by_family(profiles, spread_over="headcount"),
    "hours_by_job": tpa.hours_by_job,
    "impact_by_family, by tasks": lambda profiles: tpa.impact_by_family(profiles, weight="tasks"),
    "impact_by_family, by hours": lambda profiles: tpa.impact_by_family(profiles, weight="hours"),
    "impact_by_family, by headcount": lambda profiles: tpa.impact_by_family(profiles, weight="headcount"),
    "impact_by_family, validated": lambda profiles: tpa.impact_by_family(profiles, states=["validated"]),
    "level_moves": lambda profiles: tpa.level_moves(profiles, _LATER),
    "quality_report": _quality,
    "shared_tasks": tpa.shared_tasks,
    "shared_tasks, by text": lambda profiles: tpa.shared_tasks(profiles, same_task="text"),
    "state_moves": lambda profiles: tpa.state_moves(profiles, _LATER),
    "what_to_measure_next": tpa.what_to_measure_next,
}
#: Those that are not called here, and why.
NOT_MEASURES = {"impute_hours": "it gives profiles, and takes Polars frames alone"}


def public() -> set[str]:
    """List the public functions that take task profiles first."""
    return {
        name
        for name, function in public_functions("measures").items()
        if next(iter(inspect.signature(function).parameters.values())).annotation == "TaskProfiles"
    }
