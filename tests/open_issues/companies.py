"""Small companies for the tests of open issues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["company", "job", "similar_jobs"]


def job(
    *tasks: tuple[float | None, str | None],
    headcount: float | None = None,
    contract_hours: float | None = 40.0,
    state: str = "validated",
) -> dict[str, Any]:
    """Return a job whose tasks are pairs of weekly hours and AI impact level."""
    return {
        "headcount": headcount,
        "contract_hours": contract_hours,
        "tasks": [
            {"task_id": f"t{i}", "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}
            for i, (hours, level) in enumerate(tasks)
        ],
    }


def similar_jobs(*headcounts: float | None, state: str = "validated") -> list[dict[str, Any]]:
    """Return one job per headcount, each with a ten-hour task at each of the levels H1 to H4."""
    tasks = [(10.0, level) for level in ("H1", "H2", "H3", "H4")]
    return [job(*tasks, headcount=headcount, state=state) for headcount in headcounts]


def company(**families: list[dict[str, Any]]) -> tpa.TaskProfiles:
    """Return profiles of job families. Job IDs consist of the family and a number."""
    return profiles_of(
        [
            {"job_id": f"{family}-{i}", "job_family": family, **fields}
            for family, jobs in families.items()
            for i, fields in enumerate(jobs)
        ]
    )
