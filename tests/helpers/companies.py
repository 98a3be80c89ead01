"""Companies with any number of job families, awkward names and missing values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    import tpanalytics as tpa

__all__ = ["in_countries", "many"]


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


def in_countries(*only_job: str) -> tpa.TaskProfiles:
    """Return a company of 12 jobs with people in two countries each, in three, and in countries with a single job.

    The job in the countries of `only_job` documents 77.25 hours, all at the level H3. Its people are in no other
    country.
    """
    levels = ["H1", "H2", "H3", None]
    jobs: list[dict[str, Any]] = []
    for n in range(12):
        tasks = [
            {
                "task_id": f"{(n + t) % 7}",
                "validation_state": "suggested" if t == 1 else "validated",
                "weekly_hours": 3.0 + t + n / 8,
                "ai_impact_level": levels[(n + t) % (4 if t == 3 and n % 3 == 0 else 3)],
            }
            for t in range(6)
        ]
        jobs.append({"job_family": "ABC"[n % 3], "contract_hours": 40.0, "headcount": None, "tasks": tasks})
    single = [
        {"task_id": key, "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": "H3"}
        for key, hours in (("x", 77.25), ("y", None))
    ]
    for n, _ in enumerate(only_job):
        jobs.append({"job_family": "ABC"[n % 3], "contract_hours": 61.5, "headcount": None, "tasks": single})
    profiles = profiles_of(jobs)
    ids = profiles.jobs.get_column("job_id").to_list()
    rows = [(ids[n], country, 4.0) for n in range(12) for country in (("BE", "NL"), ("NL", "DE"), ("DE", "BE"))[n % 3]]
    rows += [(job_id, country, 2.0) for job_id, country in zip(ids[12:], only_job, strict=True)]
    people = pl.DataFrame(
        [(job_id, country, int(n), 0.75 * n) for job_id, country, n in rows],
        schema={"job_id": pl.String, "country": pl.String, "headcount": pl.Int64, "fte": pl.Float64},
        orient="row",
    )
    group = pl.when(pl.col("job_family") == "A").then(pl.lit("Commercial")).otherwise(pl.lit("Technology"))
    return replace(profiles, jobs=profiles.jobs.with_columns(job_family_group=group), people=people)
