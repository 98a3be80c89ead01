"""Client of the demo server that does not use tpanalytics, and a catalogue of edge cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from tpanalytics.demo.handlers import Catalogue

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant

EXPORT = "/job_architecture/export/jobs/task_profiles"
POSITIONS = "/export/employees/match_assigned_position"
EVERYTHING = ["ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours"]
FINANCE = ["Finance", "Payables", "Invoice handling", "Match invoices to orders"]


def task(task_id: str, state: str = "validated", hierarchy: list[str] | None = None, **more: Any) -> dict[str, Any]:
    text = f"Reconcile the invoices of {task_id} with orders"
    return {"task_id": task_id, "task": text, "validation_state": state, "hierarchy": hierarchy, **more}


def edge_case_catalogue() -> Catalogue:
    """Return a catalogue with missing, unknown and unusual values."""
    skills = [{"skill_id": "sk-1", "skill": "Payables"}]
    records = [
        {
            "external_id": "job-a",
            "tasks": [
                task(
                    "t-full", hierarchy=FINANCE, weekly_hours=6.5, ai_impact={"level": "H1", "rationale": "Rule-bound"}
                ),
                task("t-skilled", "suggested", FINANCE, linked_skills=skills, source_data=[{"external_id": "jd-1"}]),
                task("t-refused", "rejected", weekly_hours=1),
            ],
        },
        {"external_id": "job-empty", "tasks": []},
        {
            "external_id": "job-odd",
            "valid_from": "2027-01-01",
            "tasks": [
                task("t-null", weekly_hours=None, ai_impact=None),
                task("t-zero", "archived", weekly_hours=0, ai_impact={"level": "H9", "rationale": "?"}),
                task("t-bare"),
            ],
        },
        {
            "external_id": "job-unmapped",
            "tasks": [task("t-far", hierarchy=["People", "Pay", "Payroll", "Run the payroll"])],
        },
    ]
    jobs = [
        {"job_id": "job-a", "job_name": "Clerk", "job_family_id": "fam-1", "last_updated": "2026-05-01"},
        {"job_id": "job-empty", "job_name": "Ghost", "job_family_id": "fam-2", "last_updated": "2026-05-02"},
        {
            "job_id": "job-odd",
            "job_name": None,
            "job_family_id": None,
            "job_inactive": 1,
            "last_updated": "2026-05-03",
        },
    ]
    families = [
        {"job_family_id": "fam-1", "job_family_name": "Finance", "job_family_group_name": "Corporate"},
        {"job_family_id": "fam-2", "job_family_name": "Ghosts", "job_family_inactive": "1"},
    ]
    return Catalogue(records, jobs, families)


def token_body(tenant: Tenant, /, **changes: Any) -> dict[str, Any]:
    names = ("client_id", "client_secret", "audience", "tenant")
    body = {"grant_type": "client_credentials", **{name: tenant.settings[name] for name in names}, **changes}
    return {name: value for name, value in body.items() if value is not None}


def request_token(tenant: Tenant, /, **changes: Any) -> requests.Response:
    return requests.post(tenant.settings["token_url"], json=token_body(tenant, **changes), timeout=10)


class DemoClient:
    """Authorized client of the demo server."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.headers = {"Authorization": f"Bearer {request_token(tenant).json()['access_token']}"}

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return self.call("GET", path, params=query)

    def export(self, query: dict[str, str] | None = None, /, **body: Any) -> tuple[int, Any]:
        return self.call("POST", EXPORT, params=query, json={"limit": 100, **body})

    def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        url = self.tenant.base_url + path
        response = requests.request(method, url, headers=self.headers, timeout=10, **kwargs)
        return response.status_code, response.json()

    def ids(self, **body: Any) -> list[str]:
        status, page = self.export(**body)
        assert status == 200, page
        return [record["external_id"] for record in page["records"]]

    def all_pages(self, limit: int, query: dict[str, str] | None = None, /, **body: Any) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            status, page = self.export(query, **{**body, "limit": limit, **cursor})
            assert status == 200, page
            pages.append(page)
            if not page["has_next"]:
                return pages
            cursor = {"starting_after": page["next_starting_after"]}


def assert_error(response: tuple[int, Any], status: int, *words: str) -> None:
    """Check that a response is a documented list of errors that contains the words."""
    actual_status, body = response
    assert actual_status == status, body
    assert isinstance(body, list)
    assert body
    for entry in body:
        assert set(entry) == {"title", "description"}
        assert entry["title"].startswith(f"{status} ")
    assert all(word in body[0]["description"] for word in words), body


def family(*ids: str) -> dict[str, Any]:
    return {"filter": "job_family_id_is_in_list", "job_family_ids": list(ids)}
