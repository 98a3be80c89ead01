"""Jobs, tasks and families of the fictional company Alderbrook Instruments at two points in time.

Texts come from ``catalogue.json``. Hours, validation states and missing values are pseudorandom and only depend on IDs,
so the company is the same on every machine, and unrelated values are the same at both points in time.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from tpanalytics.errors import ArgumentError
from tpanalytics.typing import SampleState

__all__ = ["Company", "invent"]


#: Probability that a job includes a task from its first, second, third and fourth cluster.
_CLUSTER_PROBABILITIES = (0.95, 0.82, 0.55, 0.4)
#: Number of tasks to take from each cluster of common work, by seniority.
_COMMON = {
    "junior": {"com-admin": 2, "com-compliance": 2, "com-meet": 1},
    "professional": {"com-admin": 1, "com-compliance": 2, "com-meet": 1, "com-improve": 1},
    "senior": {"com-report": 1, "com-compliance": 1, "com-project": 2, "com-train": 1, "com-improve": 1},
    "lead": {"com-lead": 4, "com-report": 2, "com-meet": 2, "com-train": 1, "com-compliance": 1},
    "manager": {"com-lead": 6, "com-report": 2, "com-meet": 1, "com-project": 1, "com-compliance": 1},
}
#: Cluster from another family, used by some of the family's jobs.
_BORROWED_CLUSTER = {
    "fam-fin": "data-reporting",
    "fam-hr": "leg-privacy",
    "fam-legal": "proc-risk",
    "fam-proc": "fin-payables",
    "fam-mfg": "qual-insp",
    "fam-qual": "fs-calibrate",
    "fam-scm": "proc-orders",
    "fam-fac": "mfg-shift",
    "fam-rnd": "prod-requirements",
    "fam-it": "data-governance",
    "fam-data": "it-development",
    "fam-prod": "mkt-insight",
    "fam-sales": "cs-enquiries",
    "fam-mkt": "prod-launch",
    "fam-cs": "sal-quotes",
    "fam-fs": "cs-technical",
}
#: Relative frequency of missing hours by family. The default is 1.
_MISSING_HOURS = {"fam-rnd": 3.0, "fam-prod": 4.5, "fam-fs": 2.0, "fam-fin": 0.4, "fam-scm": 0.6}
#: Relative frequency of validated tasks by family. The default is 1.
_VALIDATED_TASKS = {"fam-it": 0.7, "fam-mkt": 0.6, "fam-prod": 0.75}
_LEVELS = ("H1", "H2", "H3", "H4")


@dataclass(frozen=True)
class Company:
    """A company's records and mapping tables."""

    records: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    families: list[dict[str, Any]]


def invent(state: SampleState = "2026-05") -> Company:
    """Return the fictional company as of `state`."""
    if state not in get_args(SampleState):
        raise ArgumentError(f"`state` must be {' or '.join(map(repr, get_args(SampleState)))}, not {state!r}.")
    catalogue = _catalogue()
    later = state == "2026-11"
    records, jobs = [], []
    for number, (family, job) in enumerate(_positions(catalogue), start=1):
        job_id = f"job-{number:04d}"
        if _chance(job_id, "created later") < 0.022 and not later:
            continue
        if _chance(job_id, "given up") < 0.012 and later:
            continue
        records.append({"external_id": job_id, "tasks": _profile(catalogue, job_id, job, family, later=later)})
        growth = 1.0 if not later else 0.94 + 0.1 * _chance(job_id, "growth")
        fte = max(1.0, round(job["headcount"] * growth * 2) / 2)
        jobs.append(
            {
                "job_id": job_id,
                "job_name": job["name"],
                "job_inactive": 0,
                "job_family_id": family,
                "headcount": math.ceil(fte),
                "fte": fte,
                "contract_hours": float(job["contract_hours"]),
                "last_updated": f"2026-{(9 if later else 3) + number % 3:02d}-{number % 28 + 1:02d}",
            }
        )
    families = [
        {
            "job_family_id": family["id"],
            "job_family_name": family["family"],
            "job_family_inactive": 0,
            "job_family_group_name": family["group"],
        }
        for family in catalogue["families"]
    ]
    return Company(records, jobs, families)


@cache
def _catalogue() -> dict[str, Any]:
    """Load the catalogue, add task IDs and index its clusters by key."""
    catalogue: dict[str, Any] = json.loads(files("tpanalytics.demo").joinpath("catalogue.json").read_text("utf-8"))
    index: dict[str, list[dict[str, Any]]] = {}
    slugs: set[str] = set()
    domains = [(family["domain"], family["clusters"]) for family in catalogue["families"]]
    for domain, clusters in [*domains, ("Common work", catalogue["common"])]:
        for cluster in clusters:
            index[cluster["key"]] = cluster["tasks"]
            for task in cluster["tasks"]:
                _add_task_id(task, slugs)
                hierarchy = [domain, cluster["subdomain"], cluster["cluster"], task["canonical"]]
                task["hierarchy"] = hierarchy if _chance(task["task"], "custom") >= 0.06 else None
    for task in catalogue["new_tasks"]:
        _add_task_id(task, slugs)
        task["hierarchy"] = None  # new tasks are not in the taxonomy yet
    catalogue["index"] = index
    return catalogue


def _add_task_id(task: dict[str, Any], slugs: set[str]) -> None:
    words = re.findall(r"[a-z0-9]+", task["task"].lower())
    length = 6
    while (slug := "-".join(words[:length])) in slugs:
        length += 1
    slugs.add(slug)
    opaque = _chance(task["task"], "opaque id") < 0.2
    task["task_id"] = str(uuid.UUID(bytes=_digest(task["task"], "id"), version=4)) if opaque else slug[:100]


def _positions(catalogue: dict[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    """Return pairs of family ID and job, in pseudorandom order of creation."""
    positions: list[tuple[str | None, dict[str, Any]]] = [
        (family["id"], job) for family in catalogue["families"] for job in family["jobs"]
    ]
    positions += [(None, job) for job in catalogue["unassigned_jobs"]]
    return sorted(positions, key=lambda entry: _chance(f"{entry[0]}{entry[1]['name']}", "order"))


def _profile(
    catalogue: dict[str, Any], job_id: str, job: dict[str, Any], family: str | None, *, later: bool
) -> list[dict[str, Any]]:
    has_no_tasks = _chance(job_id, "undescribed") < (0.03 if later else 0.05)
    if has_no_tasks:
        return []
    tasks = _tasks_of_job(catalogue, job_id, job, family)
    week = job["contract_hours"] * (0.8 + 0.32 * _chance(job_id, "described week"))
    if _chance(job_id, "over-described") < 0.04:
        week *= 1.25
    hours = {task["task_id"]: task["hours"] * (0.7 + 0.6 * _chance(job_id, task["task_id"])) for task in tasks}
    scale = week / sum(hours.values())
    if later:
        tasks = [task for task in tasks if _chance(job_id, task["task_id"], "dropped") >= 0.04]
        tasks += [
            task
            for task in catalogue["new_tasks"]
            if task["family"] == family and _chance(job_id, task["task_id"], "taken up") < 0.4
        ]
    return [_task(job_id, family, task, scale, later=later) for task in tasks]


def _tasks_of_job(
    catalogue: dict[str, Any], job_id: str, job: dict[str, Any], family: str | None
) -> list[dict[str, Any]]:
    """Select tasks from the job's clusters, from common work and sometimes from another family."""
    index = catalogue["index"]
    tasks = [
        task
        for probability, key in zip(_CLUSTER_PROBABILITIES, job["clusters"], strict=False)
        for task in index[key]
        if _chance(job_id, task["task_id"], "part of it") < probability
    ]
    extra = {key: n for key, n in _COMMON[job["seniority"]].items() if key not in job["clusters"]}
    if family is not None and _chance(job_id, "neighbour") < 0.45:
        extra[_BORROWED_CLUSTER[family]] = 2
    for key, n in extra.items():
        tasks += sorted(index[key], key=lambda task: _chance(job_id, task["task_id"], "extra"))[:n]
    return sorted(tasks, key=lambda task: _chance(job_id, task["task_id"], "place"))


def _task(job_id: str, family: str | None, task: dict[str, Any], scale: float, *, later: bool) -> dict[str, Any]:
    key = (job_id, str(task["task_id"]))
    state = _state(key, family, later=later)
    hours = round(4 * task["hours"] * scale * (0.7 + 0.6 * _chance(*key))) / 4 or 0.25
    if later and _chance(*key, "hours moved") < 0.1:
        hours = max(0.25, round(4 * hours * (0.6 + 0.7 * _chance(*key, "how far"))) / 4)
    if _chance(*key, "dormant") < 0.004:
        hours = 0.0
    gap = _MISSING_HOURS.get(family or "", 1.0) * (0.4 if state == "suggested" else 0.06)
    if _chance(job_id, "filled in with care") < 0.3:
        gap = 0.0
    if later:
        gap *= 0.55  # some missing hours have been filled in since then
    level = _level(key, task, later=later)
    entry = {
        "task_id": task["task_id"],
        "task": task["task"],
        "validation_state": state,
        "weekly_hours": None if _chance(*key, "hours missing") < min(gap, 0.8) else hours,
        "ai_impact": level,
        "source_data": [{"external_id": f"jd-{job_id[4:]}-{n}"} for n in range(1, 2 + (_chance(*key, "two") < 0.3))],
        "linked_skills": [{"skill_id": f"sk-{_digest(s, 'skill').hex()[:8]}", "skill": s} for s in task["skills"]],
        "hierarchy": task["hierarchy"] and [*task["hierarchy"]],  # copy, the catalogue is cached
    }
    return {name: value for name, value in entry.items() if value is not None or name == "hierarchy"}


def _state(key: tuple[str, str], family: str | None, *, later: bool) -> str:
    draw = _chance(*key, "state")
    if draw < 0.05:
        return "rejected"
    validated = draw > 1 - 0.72 * _VALIDATED_TASKS.get(family or "", 1.0)
    if later and not validated:
        change = _chance(*key, "state moved")
        if change < 0.06:
            return "rejected"
        validated = change > 0.65
    return "validated" if validated else "suggested"


def _level(key: tuple[str, str], task: dict[str, Any], *, later: bool) -> dict[str, str] | None:
    if _chance(*key, "not assessed") < (0.035 if later else 0.06):
        return None
    rank, rationale = _LEVELS.index(task["level"]), task["rationale"]
    draw = _chance(*key, "seen otherwise")
    if draw < 0.03 and rank < 3:
        rank, rationale = rank + 1, f"In this job the cases are less standard than elsewhere. {rationale}"
    elif draw > 0.97 and rank > 0:
        rank, rationale = rank - 1, f"In this job the cases are standard and well documented. {rationale}"
    # Improved tools affect a task in every job, so this draw doesn't depend on the job.
    if later and rank in {1, 2} and _chance(task["task"], "tools improved") < 0.09:
        rank, rationale = rank - 1, f"Re-assessed after the spring pilots. {rationale}"
    return {"level": _LEVELS[rank], "rationale": rationale}


def _digest(*key: str) -> bytes:
    return hashlib.blake2b("\x1f".join(key).encode(), digest_size=16).digest()


def _chance(*key: str) -> float:
    """Return a pseudorandom number from 0 to 1 for `key`. Changing a key changes the sample data."""
    return int.from_bytes(_digest(*key)[:7], "big") / 2**56
