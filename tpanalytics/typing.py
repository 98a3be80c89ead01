"""Type annotations for arguments and columns."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "ClaimMeasure",
    "CountWeight",
    "ImputeMethod",
    "OnBadRecord",
    "ResponseFormat",
    "SameTask",
    "SampleState",
    "SpreadOver",
    "StaffWeight",
    "TransitionOf",
    "Vendor",
    "Verdict",
    "Weight",
]

#: Quantity used to compute shares.
Weight = Literal["tasks", "hours", "headcount"]
#: Job weight in an index or ranking: one person's weekly hours, or those of everyone in the job.
StaffWeight = Literal["hours", "headcount"]
#: Quantity for results that don't depend on headcount.
CountWeight = Literal["tasks", "hours"]
#: How to match tasks: by ID, or by text, ignoring case and whitespace.
SameTask = Literal["id", "text"]
#: Job weight in means and quantiles: either 1 or the headcount.
SpreadOver = Literal["jobs", "headcount"]
#: Task attribute compared by `transitions`.
TransitionOf = Literal["level", "state"]
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
