"""Request handlers for the demo server, independent of sockets.

Behavior that the public API documentation doesn't specify follows this package's assumptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

__all__ = ["Answer", "Catalogue", "Rules", "answer"]

#: Query parameters, as lists of values by name.
Query = Mapping[str, Sequence[str]]

_EXPORT_INCLUDES = ("ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours")
_EMPLOYEE_INCLUDES = ("ai_impact", "source_events", "linked_skills", "rejected_tasks", "weekly_hours")
_OLDER_INCLUDES = ("ai_impact", "source_data", "weekly_hours")
_ONE_JOB_INCLUDES = ("ai_impact", "source_data", "rejected_tasks", "weekly_hours")
_VENDORS = ("techwolf", "workday", "sap_attribute_library")
_TREE_KEYS = ("domain", "subdomain", "cluster", "canonical_task")
_COMPARE = {
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "lte": lambda a, b: a <= b,
    "gte": lambda a, b: a >= b,
    "exact": lambda a, b: a == b,
}


class Answer(NamedTuple):
    """Response status and decoded body."""

    status: int
    body: Any


class Refusal(Exception):  # noqa: N818  an expected response
    """Raised to respond to a request with an error status."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.description = description


@dataclass
class Rules:
    """Behavior that differs between deployments.

    Attributes
    ----------
    lists
        Whether jobs and job families can be listed.
    positions
        Whether employees matched to jobs can be exported.
    hierarchy_shape
        ``"groups"`` for nested named levels, ``"nodes"`` for uniform nodes under the key ``tree``.
    generous
        Whether to send ``weekly_hours`` even if not requested, as in the public documentation's example.
    older
        Whether to accept only the ``include`` values that earlier deployments supported.
    vendors
        Skill vendors enabled for the tenant.
    version
        API version reported by the tenant.
    """

    lists: bool = True
    positions: bool = True
    hierarchy_shape: Literal["groups", "nodes"] = "groups"
    generous: bool = False
    older: bool = False
    vendors: tuple[str, ...] = ("techwolf", "workday")
    version: str = "2025-01-29"


@dataclass
class Catalogue:
    """Data served by a tenant.

    Attributes
    ----------
    records
        One record per job, in order of creation. Tasks are stored as a list and include all optional fields.
    jobs, families
        Rows of the mapping tables. May be empty.
    of_people
        Whether the records describe employees. If so, `jobs` lists which of them are active.
    """

    records: list[dict[str, Any]]
    jobs: list[dict[str, Any]] = field(default_factory=list)
    families: list[dict[str, Any]] = field(default_factory=list)
    of_people: bool = False

    def __post_init__(self) -> None:
        self.position = {record["external_id"]: i for i, record in enumerate(self.records)}
        self.job_of = {str(job["job_id"]): job for job in self.jobs}
        self.task_of = {task["task_id"]: task for record in self.records for task in record["tasks"]}

    @cached_property
    def staff(self) -> Catalogue:
        """Catalogue of fictional employees, some of them inactive. Each job's tasks are split between two employees."""
        records, people = [], []
        for number, record in enumerate(self.records, start=1):
            for half in (0, 1):
                employee = f"emp-{2 * number + half:05d}"
                tasks = [
                    {**task, "source_events": [{"external_id": f"{employee}-p{i}", "event_type": "project"}]}
                    for i, task in enumerate(record["tasks"])
                    if i % 2 == half
                ]
                records.append({"external_id": employee, "tasks": tasks})
                people.append({"job_id": employee, "active": number % 20 != 0, "last_updated": "2026-05-01"})
        return Catalogue(records, people, of_people=True)

    @cached_property
    def positions(self) -> Catalogue:
        """Catalogue of fictional employees matched to jobs, with one inactive employee in every twentieth job."""
        records, people = [], []
        for number, record in enumerate(self.records, start=1):
            job_id = record["external_id"]
            active = int(float(self.job_of.get(job_id, {}).get("headcount") or 2))
            for i in range(active + (number % 20 == 0)):
                employee = f"emp-{number:05d}-{i:03d}"
                match = {"job_id": job_id, "employee_id": employee, "score": round(0.99 - 0.01 * (i % 50), 2)}
                records.append({"external_id": employee, "tasks": [], "match": match})
                people.append({"job_id": employee, "active": i < active, "last_updated": "2026-05-01"})
        return Catalogue(records, people, of_people=True)


def answer(catalogue: Catalogue, rules: Rules, method: str, path: str, query: Query, body: Any) -> Answer:
    """Return the response to an authorized request."""
    try:
        return Answer(200, _route(catalogue, rules, method, path, query, body))
    except Refusal as refusal:
        return Answer(refusal.status, error_list(refusal.status, refusal.description))


def error_list(status: int, description: str) -> list[dict[str, str]]:
    """Return the body of an error response."""
    from http import HTTPStatus

    return [{"title": f"{status} {HTTPStatus(status).phrase}", "description": description}]


def _route(catalogue: Catalogue, rules: Rules, method: str, path: str, query: Query, body: Any) -> Any:
    parts = [unquote(part) for part in path.strip("/").split("/")]
    match method, parts:
        case "GET", ["version"]:
            return {"version": rules.version}
        case "POST", ["job_architecture", "export", "jobs", "task_profiles"]:
            return _export(catalogue, rules, query, body)
        case "POST", ["export", "employees", "task_profiles"]:
            return _export(catalogue.staff, rules, query, body, _EMPLOYEE_INCLUDES)
        case "POST", ["export", "employees", "match_assigned_position"]:
            return _positions(catalogue, rules, query, body)
        case "GET", ["job_architecture", "jobs", job_id, "task_profile"]:
            return _one_job(catalogue, rules, job_id, query)
        case "GET", ["tasks", task_id]:
            return _one_task(catalogue, task_id, query)
        case "GET", ["job_architecture", ("jobs" | "job_families") as name] if rules.lists:
            return _listing(catalogue, name, query)
        case "GET", ["job_architecture", "jobs" | "job_families"]:
            raise Refusal(404, "Not found.")
    raise Refusal(405, f"{method} {path} is not supported.")


def _export(
    catalogue: Catalogue, rules: Rules, query: Query, body: Any, includes: tuple[str, ...] = _EXPORT_INCLUDES
) -> dict[str, Any]:
    _check_body(body, {"limit", "starting_after", "include", "filters"})
    known = tuple(name for name in includes if name in _OLDER_INCLUDES) if rules.older else includes
    include = _checked_include(body.get("include", []), known)
    return _page(catalogue, body, _response_format(rules, include, query))


def _positions(catalogue: Catalogue, rules: Rules, query: Query, body: Any) -> dict[str, Any]:
    if not rules.positions:
        raise Refusal(404, "Not found.")
    _check_body(body, {"limit", "starting_after", "filters"})
    if query.get("response_format", ["simple"])[-1] not in {"simple", "explained"}:
        raise Refusal(400, "response_format must be simple or explained.")
    return _page(catalogue.positions, body, lambda record: record["match"])


def _check_body(body: Any, fields: set[str]) -> None:
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.")
    unknown = body.keys() - fields
    if unknown:
        raise Refusal(400, f"Unknown field {', '.join(sorted(unknown))}.")
    limit = body.get("limit")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise Refusal(400, "limit is required and must be an integer.")
    if not 1 <= limit <= 100:
        raise Refusal(400, "limit must be between 1 and 100.")


def _page(catalogue: Catalogue, body: Mapping[str, Any], to_response: Any) -> dict[str, Any]:
    first = _first(catalogue, body.get("starting_after"))
    matches = _filters(catalogue, body.get("filters", []))
    page: list[dict[str, Any]] = []
    has_next = False
    for record in catalogue.records[first:]:
        if not matches(record["external_id"]):
            continue
        if len(page) == body["limit"]:
            has_next = True
            break
        page.append(record)
    response: dict[str, Any] = {"has_next": has_next, "records": [to_response(record) for record in page]}
    if has_next:
        response["next_starting_after"] = page[-1]["external_id"]
    return response


def _first(catalogue: Catalogue, after: Any) -> int:
    if after is None:
        return 0
    if not isinstance(after, str) or len(after) > 100:
        raise Refusal(400, "starting_after must be a string of at most 100 characters.")
    if after not in catalogue.position:
        raise Refusal(400, "starting_after is not the id of a job.")
    return catalogue.position[after] + 1


def _one_job(catalogue: Catalogue, rules: Rules, job_id: str, query: Query) -> dict[str, Any]:
    if job_id not in catalogue.position:
        raise Refusal(404, "Job not found.")
    include = _checked_include(list(query.get("include", [])), _ONE_JOB_INCLUDES)
    response: dict[str, Any] = _response_format(rules, include, query)(catalogue.records[catalogue.position[job_id]])
    return response


def _one_task(catalogue: Catalogue, task_id: str, query: Query) -> dict[str, Any]:
    known = ("ai_impact", "hierarchy", "task_source", "enrichment_status")
    include = _checked_include(list(query.get("include", [])), known)
    task = catalogue.task_of.get(task_id)
    if task is None:
        raise Refusal(404, "Task not found.")
    path = task.get("hierarchy")
    extra = {
        "ai_impact": task.get("ai_impact"),
        "hierarchy": dict(zip(_TREE_KEYS, path, strict=True)) if path else None,
        "task_source": "vocabulary" if path else "custom",
        "enrichment_status": "complete" if task.get("ai_impact") else "pending",
    }
    return {
        "task_id": task_id,
        "task": task["task"],
        **{name: extra[name] for name in known if name in include},
    }


def _listing(catalogue: Catalogue, name: str, query: Query) -> dict[str, Any]:
    limit, offset = (_integer(query, *bounds) for bounds in (("limit", 100, 1, 200), ("offset", 0, 0, 10**9)))
    if name == "jobs":
        rows = [
            {
                "external_id": str(job["job_id"]),
                "job_name": job.get("job_name"),
                "job_family_id": job.get("job_family_id"),
                "active": str(job.get("job_inactive", "0")) != "1",
                "last_updated": job.get("last_updated"),
            }
            for job in catalogue.jobs
        ]
    else:
        rows = [
            {
                "external_id": str(family["job_family_id"]),
                "job_family_name": family.get("job_family_name"),
                "job_family_group": family.get("job_family_group_name"),
                "active": str(family.get("job_family_inactive", "0")) != "1",
                "last_updated": None,
            }
            for family in catalogue.families
        ]
    return {"count": len(rows), "results": rows[offset : offset + limit]}


def _integer(query: Query, name: str, default: int, low: int, high: int) -> int:
    try:
        value = int(query.get(name, [str(default)])[-1])
    except ValueError:
        raise Refusal(400, f"{name} must be an integer.") from None
    if not low <= value <= high:
        raise Refusal(400, f"{name} must be between {low} and {high}.")
    return value


def _checked_include(include: Any, known: tuple[str, ...]) -> set[str]:
    if not isinstance(include, list):
        raise Refusal(400, "include must be a list.")
    for name in include:
        if name not in known:
            raise Refusal(400, f"include must be one of {', '.join(known)}, not {name!r}.")
    return set(include)


def _filters(catalogue: Catalogue, filters: Any) -> Any:
    """Return a function that checks whether a job ID matches all filters."""
    if not isinstance(filters, list) or not all(isinstance(entry, dict) for entry in filters):
        raise Refusal(400, "filters must be a list of objects.")
    tests = [_filter(entry, of_people=catalogue.of_people) for entry in filters]
    return lambda job_id: all(test(catalogue.job_of.get(job_id, {})) for test in tests)


def _filter(entry: dict[str, Any], *, of_people: bool) -> Any:
    keys = entry.keys() - {"filter"}
    if entry.get("filter") == "job_family_id_is_in_list" and keys == {"job_family_ids"}:
        ids = entry["job_family_ids"]
        if not isinstance(ids, list) or not ids:
            raise Refusal(400, "job_family_ids must be a list with at least one id.")
        return lambda job: job.get("job_family_id") in ids
    if of_people and entry.get("filter") == "is_active" and keys == {"is_active"}:
        return lambda person: person.get("active") is entry["is_active"]
    if entry.get("filter") == "last_updated" and keys == {"value", "operator"}:
        compare = _COMPARE.get(str(entry["operator"]))
        if compare is None:
            raise Refusal(400, f"operator must be one of {', '.join(_COMPARE)}.")
        value = _instant(entry["value"])
        return lambda job: bool(job.get("last_updated")) and compare(_instant(job["last_updated"]), value)
    raise Refusal(400, f"Unknown filter {entry.get('filter')!r} with {', '.join(sorted(keys)) or 'no value'}.")


def _instant(text: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Refusal(400, "last_updated: value must be a date or a timestamp.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _response_format(rules: Rules, include: set[str], query: Query) -> Any:
    """Return a function that converts a stored record to the requested response format."""
    form = query.get("response_format", ["list"])[-1]
    if form not in {"list", "hierarchy"}:
        raise Refusal(400, "response_format must be list or hierarchy.")
    vendor = query.get("external_vendor", ["techwolf"])[-1]
    if vendor not in _VENDORS or vendor not in rules.vendors or (rules.older and "external_vendor" in query):
        raise Refusal(400, f"external_vendor {vendor!r} is not enabled for this tenant.")
    fields = {"task_id", "task", "validation_state"} | (include - {"rejected_tasks"})
    if rules.generous:
        fields.add("weekly_hours")

    def task(stored: dict[str, Any]) -> dict[str, Any]:
        included = {name: value for name, value in stored.items() if name in fields}
        if vendor != "techwolf" and "linked_skills" in included:
            included["linked_skills"] = [{**s, "skill": f"{s['skill']} ({vendor})"} for s in included["linked_skills"]]
        return included

    def record(stored: dict[str, Any]) -> dict[str, Any]:
        tasks = [t for t in stored["tasks"] if "rejected_tasks" in include or t["validation_state"] != "rejected"]
        # Tests add fields from later API versions.
        others = {name: value for name, value in stored.items() if name != "tasks"}
        if form == "list":
            return {**others, "tasks": [task(t) for t in tasks]}
        placed = [(tuple(t.get("hierarchy") or (None,) * 4), task(t)) for t in tasks]
        if rules.hierarchy_shape == "nodes":
            return {**others, "tree": _nodes(placed, 0)}
        return {**others, "hierarchy": _groups(placed, 0)}

    return record


_Placed = list[tuple[tuple[str | None, ...], dict[str, Any]]]


def _split(placed: _Placed, depth: int) -> dict[str | None, _Placed]:
    groups: dict[str | None, _Placed] = defaultdict(list)
    for path, task in placed:
        groups[path[depth]].append((path, task))
    return groups


def _groups(placed: _Placed, depth: int) -> list[dict[str, Any]]:
    if depth == len(_TREE_KEYS) - 1:
        return [
            {"canonical_task": label, "tasks": [task for _, task in group]}
            for label, group in _split(placed, depth).items()
        ]
    below = f"{_TREE_KEYS[depth + 1]}s"
    return [
        {_TREE_KEYS[depth]: label, below: _groups(group, depth + 1)} for label, group in _split(placed, depth).items()
    ]


def _nodes(placed: _Placed, depth: int) -> list[dict[str, Any]]:
    last = depth == len(_TREE_KEYS) - 1
    return [
        {
            "name": label,
            "level": _TREE_KEYS[depth] if label is not None else None,
            "children": [] if last else _nodes(group, depth + 1),
            "tasks": [task for _, task in group] if last else [],
        }
        for label, group in _split(placed, depth).items()
    ]
