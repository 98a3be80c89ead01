"""Loading of single jobs and of employees."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.scripted_server import said
from tests.profiles.conftest import small_company
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a key of some length"
ID = re.compile(r"emp-\d")


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant(small_company()) as tenant:
        yield tenant


def employees(tenant: Tenant, **options: Any) -> tpa.TaskProfiles:
    with tpa.connect(**tenant.settings) as client, pytest.warns(tpa.TpAnalyticsWarning, match="personal data"):
        return tpa.load_employee_task_profiles(client, progress=False, **options)


def test_single_job_equals_job_in_export(tenant: Tenant) -> None:
    include = ("ai_impact", "weekly_hours", "source_data", "rejected_tasks")
    with tpa.connect(**tenant.settings) as client:
        export = tpa.load_task_profiles(client, include=include, progress=False)
        single = tpa.load_job(client, "job-0008", include=include)
        tree = tpa.load_job(client, "job-0008", response_format="hierarchy")
    assert_frame_equal(single.jobs, export.jobs.filter(job_id="job-0008"))
    assert_frame_equal(single.tasks, export.tasks.filter(job_id="job-0008"))
    assert tree.tasks["hierarchy"].list.len().max() == 4
    assert "loaded individually" in repr(single)


@pytest.mark.parametrize("job_id", ["no such job", "../jobs", "job-0008?limit=1", "ä/b"])
def test_unknown_job_raises(tenant: Tenant, job_id: str) -> None:
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ApiError, match="404") as exc_info:
        tpa.load_job(client, job_id)
    assert exc_info.value.status == 404


@pytest.mark.parametrize(
    ("job_id", "options"),
    [("", {}), (7, {}), ("job-0008", {"include": ["linked_skills"]}), ("x", {"include": "ai_impact"})],
)
def test_load_job_validates_arguments(tenant: Tenant, job_id: Any, options: Any) -> None:
    before = len(tenant.requests)
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ConfigError):
        tpa.load_job(client, job_id, **options)
    assert len(tenant.requests) == before


def test_load_job_raises_on_invalid_response() -> None:
    invalid = {"external_id": "job-1", "tasks": [{"task_id": "t", "task": None, "validation_state": "validated"}]}
    with Tenant(Catalogue([invalid])) as tenant, tpa.connect(**tenant.settings) as client:
        with pytest.raises(tpa.RecordError, match=r"tasks\[0\].task"):
            tpa.load_job(client, "job-1")
        original = tenant.reply
        tenant.reply = lambda *request: replace(original(*request), body=b"<html>")  # type: ignore[method-assign]
        client.sign_in()
    with Tenant() as tenant, tpa.connect(**tenant.settings) as client:
        client.sign_in()
        tenant.reply = lambda *_: Reply(200, b"<html>Sign in</html>")  # type: ignore[method-assign]
        with pytest.raises(tpa.ApiError, match="not a job record"):
            tpa.load_job(client, "job-0008")


def test_employee_ids_are_pseudonymised(tenant: Tenant) -> None:
    profiles = employees(tenant, include=("weekly_hours", "source_events"), limit=30)
    assert profiles.jobs.height == 80
    assert profiles.jobs["job_id"].str.contains(r"^p-[0-9a-f]{16}$").all()
    assert profiles.jobs["job_id"].is_unique().all()
    assert set(profiles.tasks["job_id"]) <= set(profiles.jobs["job_id"])
    assert profiles.tasks["source_data"].list.len().min() == 1
    assert not ID.search(json.dumps(profiles.manifest) + profiles.tasks.write_json() + profiles.jobs.write_json())
    assert "with pseudonyms" in repr(profiles)
    tpa.write_profiles(profiles, "snapshot")
    assert "with pseudonyms" in repr(tpa.read_profiles("snapshot"))


def test_pseudonyms_depend_on_the_key(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (employees(tenant, key=KEY).jobs["job_id"] for _ in range(2))
    assert first.equals(second)
    assert not set(first) & set(employees(tenant, key=KEY + "!").jobs["job_id"])
    assert not set(employees(tenant).jobs["job_id"]) & set(employees(tenant).jobs["job_id"])
    monkeypatch.setenv("TPANALYTICS_PSEUDONYM_KEY", KEY)
    assert employees(tenant).jobs["job_id"].equals(first)


def test_pseudonymisation_can_be_disabled(tenant: Tenant) -> None:
    profiles = employees(tenant, pseudonymise=False)
    assert profiles.jobs["job_id"].str.starts_with("emp-").all()
    assert "with employee IDs" in repr(profiles)


def test_filters_are_sent(tenant: Tenant) -> None:
    active = employees(tenant, filters=[{"filter": "is_active", "is_active": True}])
    assert 0 < active.jobs.height < 80


@pytest.mark.parametrize(
    "options", [{"key": "short"}, {"include": ("source_data",)}, {"include": "weekly_hours"}, {"on_bad_record": "skip"}]
)
def test_invalid_arguments_raise_before_any_request(tenant: Tenant, options: dict[str, Any]) -> None:
    before = len(tenant.requests)
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ConfigError) as exc_info:
        tpa.load_employee_task_profiles(client, progress=False, **options)
    assert len(tenant.requests) == before
    assert "short" not in str(exc_info.value)


@pytest.mark.parametrize(
    "fields",
    [{"tasks": [{"task_id": "t", "task": None, "validation_state": "validated"}]}, {"external_id": 1.5}],
    ids=["invalid task", "invalid id"],
)
def test_invalid_record_does_not_reveal_employee(fields: dict[str, Any]) -> None:
    with Tenant(small_company()) as tenant:
        original = tenant.reply

        def reply_with_fields(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
            reply = original(method, target, headers, raw)
            if not target.startswith("/export/employees"):
                return reply
            page = json.loads(reply.body)
            page["records"][1] |= fields
            return replace(reply, body=json.dumps(page).encode())

        tenant.reply = reply_with_fields  # type: ignore[method-assign]
        with pytest.raises(tpa.RecordError) as exc_info:
            employees(tenant, limit=40)
        assert not ID.search(str(exc_info.value))
        assert exc_info.value.__context__ is None
        with pytest.warns(tpa.TpAnalyticsWarning, match="skipped") as caught_warnings:
            profiles = employees(tenant, limit=40, on_bad_record="collect")
    assert not any(ID.search(str(warning.message)) for warning in caught_warnings)
    assert profiles.rejects.height == 2
    assert profiles.rejects["raw"].null_count() == 2
    assert not ID.search(profiles.rejects.write_json())
    assert "1.5" not in profiles.rejects.write_json()


@pytest.mark.parametrize("fault", ["stuck", "refused"])
def test_invalid_cursor_does_not_reveal_employee(fault: str) -> None:
    with Tenant(small_company()) as tenant:
        original = tenant.reply

        def reply_with_fault(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
            reply = original(method, target, headers, raw)
            after = json.loads(raw).get("starting_after") if target.startswith("/export/employees") else None
            if after is None:
                return reply
            if fault == "refused":
                return replace(reply, status=400, body=b"[]")
            return replace(reply, body=json.dumps({**json.loads(reply.body), "next_starting_after": after}).encode())

        tenant.reply = reply_with_fault  # type: ignore[method-assign]
        with pytest.raises(tpa.PaginationError if fault == "stuck" else tpa.ApiError) as exc_info:
            employees(tenant, limit=20)
    assert not ID.search(str(exc_info.value))
    assert not ID.search(str(exc_info.value.__dict__))
    assert exc_info.value.__context__ is None


@pytest.mark.parametrize("status", [400, 403, 404, 422])
@pytest.mark.parametrize("quoted", ["'emp-00007'", '"emp-00007"', "emp-00007"])
def test_error_text_does_not_reveal_employee(status: int, quoted: str) -> None:
    with Tenant(Catalogue([])) as tenant:
        original = tenant.reply
        error = said(status, [{"title": f"No {quoted}", "description": f"There is no {quoted}."}])
        tenant.reply = lambda method, target, *rest: (  # type: ignore[method-assign]
            error if target.startswith("/export/employees") else original(method, target, *rest)
        )
        with pytest.raises((tpa.ApiError, tpa.AuthError)) as exc_info:
            employees(tenant)
    assert not ID.search("".join(traceback.format_exception(exc_info.value)))
    assert not ID.search(str(exc_info.value.__dict__))
