"""Assumptions and small companies for tests of capacity and fragmentation."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import tpanalytics as tpa

#: H3 frees more than H2, so that no test depends on the order of the levels.
FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": (0.25, 0.5), "H4": 0, "H5": 1, "H9": (0.0, 0.1), "höchst": 0.05}
LOW = {level: share[0] if isinstance(share, tuple) else share for level, share in FREED.items()}
HIGH = {level: share[1] if isinstance(share, tuple) else share for level, share in FREED.items()}
capacity = partial(tpa.capacity, freed=FREED, adoption=(0.3, 0.6), realisation=(0.5, 0.8), contract_hours=37.0)
fragmentation = partial(tpa.fragmentation, freed=FREED, realisation=(0.5, 0.8))


def task(level: str | None = "H1", hours: float | None = 10.0, state: str = "validated") -> dict[str, Any]:
    return {"task_id": "t", "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(
    *tasks: dict[str, Any], headcount: float | None = 1.0, week: float | None = 40.0, family: str = "A"
) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": week, "tasks": list(tasks)}


def approx(expected: float | None) -> Any:
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)
