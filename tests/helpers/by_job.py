"""Hours and exposure of single jobs, sorted by job id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tpanalytics as tpa

if TYPE_CHECKING:
    import polars as pl

_BY = ["job_family", "job_id"]


def hours_by_job(profiles: tpa.TaskProfiles, **arguments: Any) -> pl.DataFrame:
    return tpa.hours(profiles, by=_BY, **arguments).sort("job_id")


def exposure_by_job(profiles: tpa.TaskProfiles, **arguments: Any) -> pl.DataFrame:
    return tpa.exposure(profiles, by=_BY, **arguments).sort("job_id")
