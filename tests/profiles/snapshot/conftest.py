"""Fixtures and helpers for tests of exports to a snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORT = "/job_architecture/export/jobs/task_profiles"


def job(number: int, tasks: int = 2) -> dict[str, Any]:
    task_records = [
        {
            "task_id": f"t-{number}-{i}",
            "task": "Check the books",
            "validation_state": "validated",
            "weekly_hours": i + 0.5,
        }
        for i in range(tasks)
    ]
    return {"external_id": f"job-{number:03d}", "tasks": task_records}


def refuse(reply: Reply) -> Reply:
    return replace(reply, status=403, body=b"[]")


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """Return a tenant with 12 jobs, which are 12 pages in `pull`."""
    with Tenant(Catalogue([job(i, tasks=i % 3) for i in range(12)])) as tenant:
        yield tenant


def pull(tenant: Tenant, folder: str | None = "snapshot", **options: Any) -> tpa.TaskProfiles:
    with tpa.connect(**tenant.settings) as client:
        return tpa.load_task_profiles(client, snapshot=folder, **{"limit": 1, "progress": False, **options})


def exports(tenant: Tenant) -> int:
    return sum(path == EXPORT for _, path in tenant.requests)


def interrupt(tenant: Tenant, page: int, **options: Any) -> None:
    """Start an export that fails at a page."""
    tenant.faults[exports(tenant) + page] = refuse
    with pytest.raises(tpa.AuthError) as exc_info:
        pull(tenant, **options)
    assert page == 1 or "Run the same call again to resume" in exc_info.value.__notes__[0]
    tenant.faults.clear()


def assert_same(left: tpa.TaskProfiles, right: tpa.TaskProfiles) -> None:
    assert_frame_equal(left.jobs, right.jobs)
    assert_frame_equal(left.tasks, right.tasks)
    counts = ("jobs", "tasks", "pages", "duplicates", "rejects", "repeated_tasks", "unknown_levels", "unknown_fields")
    assert {name: left.manifest[name] for name in counts} == {name: right.manifest[name] for name in counts}
