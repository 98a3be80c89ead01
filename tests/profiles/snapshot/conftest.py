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
    said = [
        {
            "task_id": f"t-{number}-{i}",
            "task": "Check the books",
            "validation_state": "validated",
            "weekly_hours": i + 0.5,
        }
        for i in range(tasks)
    ]
    return {"external_id": f"job-{number:03d}", "tasks": said}


def refused(reply: Reply) -> Reply:
    return replace(reply, status=403, body=b"[]")


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """Give a tenant of 70 jobs, which are 70 pages for `pull`."""
    with Tenant(Catalogue([job(i, tasks=i % 3) for i in range(70)])) as tenant:
        yield tenant


def pull(tenant: Tenant, folder: str | None = "snapshot", **asked: Any) -> tpa.TaskProfiles:
    with tpa.connect(**tenant.settings) as client:
        return tpa.load_task_profiles(client, snapshot=folder, **{"limit": 1, "progress": False, **asked})


def exports(tenant: Tenant) -> int:
    return sum(path == EXPORT for _, path in tenant.requests)


def broken_off(tenant: Tenant, page: int, **asked: Any) -> None:
    """Let an export of `tenant` fail at a page."""
    tenant.faults[exports(tenant) + page] = refused
    with pytest.raises(tpa.AuthError) as exc_info:
        pull(tenant, **asked)
    assert page == 1 or "asking again goes on from there" in exc_info.value.__notes__[0]
    tenant.faults.clear()


def same(one: tpa.TaskProfiles, other: tpa.TaskProfiles) -> None:
    assert_frame_equal(one.jobs, other.jobs)
    assert_frame_equal(one.tasks, other.tasks)
    counts = ("jobs", "tasks", "pages", "duplicates", "rejects", "repeated_tasks", "unknown_levels", "unknown_fields")
    assert {name: one.manifest[name] for name in counts} == {name: other.manifest[name] for name in counts}
