"""Companies with any number of job families, awkward names and missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["many"]


def many(families: int, jobs: int = 3) -> tpa.TaskProfiles:
    """Return a company with this number of families, with long and non-Latin names."""
    names = [
        "Research, Development, Engineering and Prototyping of Flow Instruments",
        "研究開発部門",
        "קשרי לקוחות",
        'R&D "A/B" <x>',
    ]
    levels = ["H1", "H2", "H3", "H4", None, "H9"]
    return profiles_of(
        [
            {
                "job_family": f"{names[f % 4]} {f}",
                "headcount": 2,
                "contract_hours": 38.5,
                "tasks": [
                    {
                        "task_id": str(t),
                        "validation_state": "validated",
                        "weekly_hours": None if (f + j + t) % 5 == 0 else 1.5 * t + f % 3,
                        "ai_impact_level": levels[(f * 7 + t * 5 + j) % 6],
                    }
                    for t in range(6)
                ],
            }
            for f in range(families)
            for j in range(jobs)
        ]
    )
