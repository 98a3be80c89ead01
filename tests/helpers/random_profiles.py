"""Random small companies with missing, repeated and unusual values."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import strategies as st

import tpanalytics as tpa
from tpanalytics.schema import JOBS, TASKS

LEVELS = [None, "H1", "H2", "H3", "H4", "H5", "H9", "höchst"]
STATES = ["validated", "suggested", "rejected"]
FAMILIES = [None, "Finance", "Sales", "研究開発", "R&D / Labor"]

_hours = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 2.5, 40.0]), st.floats(0, 100, allow_nan=False))
_task = st.fixed_dictionaries(
    {
        "task_id": st.sampled_from(["a", "b", "c", "d"]),  # a job can have the same task twice
        "validation_state": st.sampled_from(STATES),
        "weekly_hours": _hours,
        "ai_impact_level": st.sampled_from(LEVELS),
    }
)
_job = st.fixed_dictionaries(
    {
        "job_family": st.sampled_from(FAMILIES),
        "headcount": st.one_of(st.none(), st.sampled_from([0, 1, 3, 100])),
        "fte": st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.5, 80.0])),
        "contract_hours": st.one_of(st.none(), st.sampled_from([20.0, 38.5, 40.0])),
        "tasks": st.lists(_task, max_size=6),
    }
)


def profiles_of(jobs: list[dict[str, Any]]) -> tpa.TaskProfiles:
    """Build task profiles from a list of jobs with their tasks. The FTE is the headcount, unless it is given."""
    job_rows = [
        {"job_id": f"j{i:03d}", "n_tasks": len(job["tasks"]), "fte": job.get("headcount"), **job}
        for i, job in enumerate(jobs)
    ]
    task_rows = [
        {"job_id": row["job_id"], "job_family": row["job_family"], "task": f"Do {task['task_id']} with care", **task}
        for row in job_rows
        for task in row["tasks"]
    ]
    # Tests of invalid data have infinite headcounts or fractions.
    whole = all(float(row.get("headcount") or 0).is_integer() for row in job_rows)
    job_schema = {
        **JOBS,
        "headcount": pl.Int64 if whole else pl.Float64,
        "fte": pl.Float64,
        "contract_hours": pl.Float64,
    }
    return tpa.TaskProfiles(
        jobs=pl.DataFrame(
            {name: [row.get(name) for row in job_rows] for name in job_schema}, schema=job_schema, strict=False
        ),
        tasks=pl.DataFrame({name: [row.get(name) for row in task_rows] for name in TASKS}, schema=TASKS),
    )


companies = st.lists(_job, max_size=12).map(profiles_of)
