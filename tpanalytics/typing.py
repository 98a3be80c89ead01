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

#: Quantity that shares are computed from.
Weight = Literal["tasks", "hours", "headcount"]
#: Weight of a job in an index or ranking: weekly hours of one person, or of all people in the job.
StaffWeight = Literal["hours", "headcount"]
#: Quantity for results that don't depend on headcount.
CountWeight = Literal["tasks", "hours"]
#: How to match tasks: by ID, or by text, ignoring case and whitespace.
SameTask = Literal["id", "text"]
#: Weight of a job in means and quantiles: either 1 or its headcount.
SpreadOver = Literal["jobs", "headcount"]
#: Task attribute that `transitions` compares between two snapshots.
TransitionOf = Literal["level", "state"]
#: Method that `impute_hours` uses to fill in missing hours.
ImputeMethod = Literal["equal_residual", "same_task", "hot_deck", "validated_scale", "zero_i_know_what_i_do"]
#: Figure that `check_claim` compares.
ClaimMeasure = Literal["exposure", "hours", "hours_per_job", "h1_share"]
#: Conclusion of `check_claim`.
Verdict = Literal["robust", "fragile", "undetermined"]
#: Layout of the tasks in a response.
ResponseFormat = Literal["list", "hierarchy"]
#: Vendor whose skill names are used in a response.
Vendor = Literal["techwolf", "workday", "sap_attribute_library"]
#: How to handle an invalid record: raise an error, or skip and list it.
OnBadRecord = Literal["raise", "collect"]
#: Snapshot of the sample data.
SampleState = Literal["2026-05", "2026-11"]
