"""Type annotations for arguments and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = [
    "By",
    "ClaimMeasure",
    "CountWeight",
    "CurveWeight",
    "ImputeMethod",
    "OnBadRecord",
    "OtherJobs",
    "ResponseFormat",
    "SameTask",
    "SampleState",
    "StaffCount",
    "StaffWeight",
    "TransitionOf",
    "TrendMeasure",
    "Vendor",
    "Verdict",
    "Weight",
]

#: Group columns: a column of the jobs, people or tasks, several of them, or None for all jobs together.
By = str | Sequence[str] | None
#: What to add up: tasks, weekly hours of one person per job, or weekly hours times people or full-time equivalents.
Weight = Literal["tasks", "hours", "headcount", "fte"]
#: Job weight in an index or ranking: one person's weekly hours, or those of everyone in the job.
StaffWeight = Literal["hours", "headcount", "fte"]
#: What counts as the people in a job: people, or full-time equivalents.
StaffCount = Literal["headcount", "fte"]
#: Quantity for results that don't depend on headcount.
CountWeight = Literal["tasks", "hours"]
#: What an exposure curve counts: people, full-time equivalents, or jobs.
CurveWeight = Literal["headcount", "fte", "jobs"]
#: How to match tasks: by ID, or by text, ignoring case and whitespace.
SameTask = Literal["id", "text"]
#: Task attribute compared by `transitions`.
TransitionOf = Literal["level", "state"]
#: Figure that `trend` follows over time.
TrendMeasure = Literal["exposure", "hours", "impact", "coverage"]
#: How `impute_hours` fills in missing hours.
ImputeMethod = Literal["equal_residual", "same_task", "hot_deck", "validated_scale", "zero_i_know_what_i_do"]
#: Figure compared by `check_claim`.
ClaimMeasure = Literal["exposure", "hours", "hours_per_job", "h1_share"]
#: Verdict returned by `check_claim`.
Verdict = Literal["robust", "fragile", "undetermined"]
#: How tasks are laid out in a response.
ResponseFormat = Literal["list", "hierarchy"]
#: Vendor to use for skill names.
Vendor = Literal["techwolf", "workday", "sap_attribute_library"]
#: How to handle an invalid record: raise an error, or skip and list it.
OnBadRecord = Literal["raise", "collect"]
#: Sample data snapshot.
SampleState = Literal["2026-05", "2026-11"]
#: What to do with jobs outside the requested families: don't load them, or load them without a family.
OtherJobs = Literal["drop", "keep"]
