"""Explorers of a small part of the sample."""

from __future__ import annotations

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.unvalidated_charts import unvalidated_charts

__all__ = ["unvalidated_charts"]

FAMILIES = ["Finance", "Sales", "Procurement", "Manufacturing", "Human Resources"]


@pytest.fixture(scope="session")
def snapshots() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    """Return six jobs of each of five families, before and after."""
    before, after = tpa.load_sample("2026-05"), tpa.load_sample("2026-11")
    jobs = after.jobs.filter(pl.col("job_family").is_in(FAMILIES))
    jobs = jobs.filter(pl.int_range(pl.len()).over("job_family") < 6)
    small = [
        tpa.TaskProfiles(*(table.join(jobs, on="job_id", how="semi") for table in (profiles.jobs, profiles.tasks)))
        for profiles in (before, after)
    ]
    return small[0], small[1]


@pytest.fixture
def profiles(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tpa.TaskProfiles:
    return snapshots[1]


@pytest.fixture
def explorer(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> tpa.Explorer:
    return tpa.explore(snapshots[1], snapshots[0])
