"""Calls of every public measure, for tests of their common behaviour.

The key up to the first comma is the public name of the measure.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import polars as pl

import tpanalytics as tpa
from tests.helpers.public_names import public_functions
from tests.helpers.random_profiles import LEVELS, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

#: Share of task time freed at each level.
FREED: dict[str, Any] = {"H1": (0.4, 0.7), "H2": (0.1, 0.3), **dict.fromkeys(["H3", "H4", "H5", "H9", "höchst"], 0)}


def odd(*, later: bool = False) -> tpa.TaskProfiles:
    """Return a company with missing, repeated and unusual values, or a later snapshot of it."""
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
            "headcount": [None, 0, 3, 100, 1][i % 5],
            "fte": [None, 0.0, 2.5, 80.0, 1.0][i % 5],
            "contract_hours": [None, 20.0, 38.5][i % 3],
            "tasks": tasks(i),
        }
        for i in range(40)
    ]
    without_tasks = {"job_family": "Empty", "headcount": 3, "fte": 2.5, "contract_hours": 40.0, "tasks": []}
    return profiles_of([*jobs, without_tasks])


_LATER = odd(later=True)


def _claim(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    claim = tpa.check_claim(profiles, "Finance > (no job family)", rounds=100)
    columns = {"verdict": claim.verdict, "resamples": claim.resamples_agree}
    return claim.specifications.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def _quality(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    # These checks read list columns or the manifest, which some engines do not have.
    engine_dependent = ["evidence_missing", "rejected", "records_left_out", "export_complete"]
    return tpa.quality_report(profiles).filter(~pl.col("check").is_in(engine_dependent))


MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "automation_candidates": lambda profiles: tpa.automation_candidates(profiles, rounds=100),
    "automation_candidates, by headcount": lambda p: tpa.automation_candidates(p, weight="headcount", rounds=0),
    "break_even": tpa.break_even,
    "automation_curve": tpa.automation_curve,
    "capacity": lambda profiles: tpa.capacity(
        profiles, freed=FREED, adoption=(0.3, 0.6), realisation=0.7, contract_hours=40
    ),
    "capacity, of one person": lambda profiles: tpa.capacity(profiles, freed=FREED),
    "changed_tasks": lambda profiles: tpa.changed_tasks(profiles, _LATER),
    "check_claim": _claim,
    "compare": lambda profiles: tpa.compare(profiles, _LATER),
    "compare_exposure": lambda profiles: tpa.compare_exposure(profiles, _LATER),
    "compare_groups": lambda profiles: tpa.compare_groups(profiles, "Finance", category="task_id"),
    "concentration": tpa.concentration,
    "concentration_curve": tpa.concentration_curve,
    "concentration_curve, by family": lambda profiles: tpa.concentration_curve(profiles, by="job_family"),
    "coverage": tpa.coverage,
    "exposure": tpa.exposure,
    "exposure, by headcount": lambda profiles: tpa.exposure(profiles, weight="headcount"),
    "exposure, by job": lambda profiles: tpa.exposure(profiles, by=["job_family", "job_id"]),
    "exposure_curve": tpa.exposure_curve,
    "exposure_curve, of jobs by tasks": lambda p: tpa.exposure_curve(p, by="job_family", weight="jobs", work="tasks"),
    "exposure_ranking": lambda profiles: tpa.exposure_ranking(profiles, rounds=100),
    "overlap": tpa.overlap,
    "find_tasks": lambda profiles: tpa.find_tasks(profiles, "re"),
    "find_tasks, the first": lambda profiles: tpa.find_tasks(profiles, "CARE with", top=3),
    "fragmentation": lambda p: tpa.fragmentation(p, freed=FREED, realisation=0.7),
    "hours_at_stake": tpa.hours_at_stake,
    "hours": tpa.hours,
    "hours, complete jobs": lambda profiles: tpa.hours(profiles, complete_only=True),
    "hours, over people": lambda profiles: tpa.hours(profiles, weight="headcount"),
    "hours, by job": lambda profiles: tpa.hours(profiles, by=["job_family", "job_id"]),
    "impact, by tasks": lambda profiles: tpa.impact(profiles, weight="tasks"),
    "impact, by hours": lambda profiles: tpa.impact(profiles, weight="hours"),
    "impact, by headcount": lambda profiles: tpa.impact(profiles, weight="headcount"),
    "impact, validated": lambda profiles: tpa.impact(profiles, states=["validated"]),
    "quality_report": _quality,
    "shared_tasks": tpa.shared_tasks,
    "shared_tasks, by text": lambda profiles: tpa.shared_tasks(profiles, same_task="text"),
    "skills": tpa.skills,
    "transitions": lambda profiles: tpa.transitions(profiles, _LATER),
    "transitions, of states": lambda profiles: tpa.transitions(profiles, _LATER, of="state"),
    "data_gaps": tpa.data_gaps,
}
#: Measures that are not called here, with the reason.
NOT_MEASURES = {"impute_hours": "returns profiles and accepts only Polars frames"}


def public() -> set[str]:
    """Return the names of the public measures whose first argument is task profiles."""
    return {
        name
        for name, function in public_functions("measures").items()
        if next(iter(inspect.signature(function).parameters.values())).annotation == "TaskProfiles"
    }
