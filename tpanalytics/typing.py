"""The values that arguments and columns may take, for annotations in your own code."""

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

#: What a share is a share of.
Weight = Literal["tasks", "hours", "headcount"]
#: What an index or a ranking is a mean over: the hours of one person in each job, or of everyone in it.
StaffWeight = Literal["hours", "headcount"]
#: What is counted where people play no part.
CountWeight = Literal["tasks", "hours"]
#: How two tasks are recognised as the same: by their id, or by their text without case and spacing.
SameTask = Literal["id", "text"]
#: Whether each job counts once in a mean and a quantile, or as many times as it has people.
SpreadOver = Literal["jobs", "headcount"]
#: What `transitions` follows from one snapshot to the next.
TransitionOf = Literal["level", "state"]
#: The rules by which `impute_hours` fills missing hours.
ImputeMethod = Literal["equal_residual", "same_task", "hot_deck", "validated_scale", "zero_i_know_what_i_do"]
#: The figures that `check_claim` compares.
ClaimMeasure = Literal["exposure", "hours", "hours_per_job", "h1_share"]
#: What `check_claim` concludes.
Verdict = Literal["robust", "fragile", "undetermined"]
#: How the service lists the tasks of a record.
ResponseFormat = Literal["list", "hierarchy"]
#: Whose ids the service uses.
Vendor = Literal["techwolf", "workday", "sap_attribute_library"]
#: What happens to a record that is not as documented.
OnBadRecord = Literal["raise", "collect"]
#: The snapshots of the sample.
SampleState = Literal["2026-05", "2026-11"]
