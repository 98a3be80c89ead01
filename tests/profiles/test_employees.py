"""One job by itself; employees only under pseudonyms, with a warning, and with no id anywhere."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a key of some length"
ID = re.compile(r"emp-\d")


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant() as tenant:
        yield tenant


def employees(tenant: Tenant, **asked: Any) -> tpa.TaskProfiles:
    with tpa.connect(**tenant.settings) as client, pytest.warns(tpa.TpAnalyticsWarning, match="personal data"):
        return tpa.load_employee_task_profiles(client, progress=False, **asked)


def test_one_job_is_as_in_the_export(tenant: Tenant) -> None:
    include = ("ai_impact", "weekly_hours", "source_data", "rejected_tasks")
    with tpa.connect(**tenant.settings) as client:
        whole = tpa.load_task_profiles(client, include=include, progress=False)
        one = tpa.load_job(client, "job-0007", include=include)
        tree = tpa.load_job(client, "job-0007", response_format="hierarchy")
    assert_frame_equal(one.jobs, whole.jobs.filter(job_id="job-0007"))
    assert_frame_equal(one.tasks, whole.tasks.filter(job_id="job-0007"))
    assert tree.tasks["hierarchy"].list.len().max() == 4
    assert "loaded individually" in repr(one)


@pytest.mark.parametrize("job_id", ["no such job", "../jobs", "job-0007?limit=1", "ä/b"])
def test_a_job_nobody_knows_is_said(tenant: Tenant, job_id: str) -> None:
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ApiError, match="404") as caught:
        tpa.load_job(client, job_id)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("job_id", "asked"),
    [("", {}), (7, {}), ("job-0007", {"include": ["linked_skills"]}), ("x", {"include": "ai_impact"})],
)
def test_a_wrong_question_about_a_job_is_refused_before_it_is_asked(tenant: Tenant, job_id: Any, asked: Any) -> None:
    before = len(tenant.requests)
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ConfigError):
        tpa.load_job(client, job_id, **asked)
    assert len(tenant.requests) == before


def test_an_answer_that_is_no_job_is_one_of_our_errors() -> None:
    bad = {"external_id": "job-1", "tasks": [{"task_id": "t", "task": None, "validation_state": "validated"}]}
    with Tenant(Catalogue([bad])) as tenant, tpa.connect(**tenant.settings) as client:
        with pytest.raises(tpa.RecordError, match=r"tasks\[0\].task"):
            tpa.load_job(client, "job-1")
        plain = tenant.reply
        tenant.reply = lambda *request: replace(plain(*request), body=b"<html>")  # type: ignore[method-assign]
        client.sign_in()
    with Tenant() as tenant, tpa.connect(**tenant.settings) as client:
        client.sign_in()
        tenant.reply = lambda *_: Reply(200, b"<html>Sign in</html>")  # type: ignore[method-assign]
        with pytest.raises(tpa.ApiError, match="no record of a job"):
            tpa.load_job(client, "job-0007")


def test_employees_come_under_pseudonyms_and_no_id_is_left(tenant: Tenant) -> None:
    profiles = employees(tenant, include=("weekly_hours", "source_events"), limit=50)
    assert profiles.jobs.height == 480
    assert profiles.jobs["job_id"].str.contains(r"^p-[0-9a-f]{16}$").all()
    assert profiles.jobs["job_id"].is_unique().all()
    assert set(profiles.tasks["job_id"]) <= set(profiles.jobs["job_id"])
    assert profiles.tasks["source_data"].list.len().min() == 1
    assert not ID.search(json.dumps(profiles.manifest) + profiles.tasks.write_json() + profiles.jobs.write_json())
    assert "with pseudonyms" in repr(profiles)
    tpa.write_profiles(profiles, "kept")
    assert "with pseudonyms" in repr(tpa.read_profiles("kept"))


def test_a_key_gives_the_same_pseudonyms_again_and_no_key_never_does(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, again = (employees(tenant, key=KEY).jobs["job_id"] for _ in range(2))
    assert one.equals(again)
    assert not set(one) & set(employees(tenant, key=KEY + "!").jobs["job_id"])
    assert not set(employees(tenant).jobs["job_id"]) & set(employees(tenant).jobs["job_id"])
    monkeypatch.setenv("TPANALYTICS_PSEUDONYM_KEY", KEY)
    assert employees(tenant).jobs["job_id"].equals(one)


def test_ids_are_kept_when_that_is_asked_for(tenant: Tenant) -> None:
    profiles = employees(tenant, pseudonymise=False)
    assert profiles.jobs["job_id"].str.starts_with("emp-").all()
    assert "with employee IDs" in repr(profiles)


def test_filters_are_passed_on(tenant: Tenant) -> None:
    active = employees(tenant, filters=[{"filter": "is_active", "is_active": True}])
    assert 0 < active.jobs.height < 480


@pytest.mark.parametrize(
    "asked", [{"key": "short"}, {"include": ("source_data",)}, {"include": "weekly_hours"}, {"on_bad_record": "skip"}]
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(tenant: Tenant, asked: dict[str, Any]) -> None:
    before = len(tenant.requests)
    with tpa.connect(**tenant.settings) as client, pytest.raises(tpa.ConfigError) as caught:
        tpa.load_employee_task_profiles(client, progress=False, **asked)
    assert len(tenant.requests) == before
    assert "short" not in str(caught.value)


def bad(record: dict[str, Any]) -> None:
    record["tasks"] = [{"task_id": "t", "task": None, "validation_state": "validated"}]


def no_id(record: dict[str, Any]) -> None:
    record["external_id"] = 1.5


@pytest.mark.parametrize("harm", [bad, no_id])
def test_a_bad_record_names_no_employee(harm: Any) -> None:
    with Tenant() as tenant:
        plain = tenant.reply

        def harmed(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
            reply = plain(method, target, headers, raw)
            if not target.startswith("/export/employees"):
                return reply
            page = json.loads(reply.body)
            harm(page["records"][1])
            return replace(reply, body=json.dumps(page).encode())

        tenant.reply = harmed  # type: ignore[method-assign]
        with pytest.raises(tpa.RecordError) as caught:
            employees(tenant)
        assert not ID.search(str(caught.value))
        assert caught.value.__context__ is None
        with pytest.warns(tpa.TpAnalyticsWarning, match="left out") as warned:
            profiles = employees(tenant, on_bad_record="collect")
    assert not any(ID.search(str(warning.message)) for warning in warned)
    assert profiles.rejects.height == 5
    assert profiles.rejects["raw"].null_count() == 5
    assert not ID.search(profiles.rejects.write_json())
    assert "1.5" not in profiles.rejects.write_json()


@pytest.mark.parametrize("fault", ["stuck", "refused"])
def test_a_broken_cursor_names_no_employee(fault: str) -> None:
    with Tenant() as tenant:
        plain = tenant.reply

        def broken(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
            reply = plain(method, target, headers, raw)
            after = json.loads(raw).get("starting_after") if target.startswith("/export/employees") else None
            if after is None:
                return reply
            if fault == "refused":
                return replace(reply, status=400, body=b"[]")
            return replace(reply, body=json.dumps({**json.loads(reply.body), "next_starting_after": after}).encode())

        tenant.reply = broken  # type: ignore[method-assign]
        with pytest.raises(tpa.PaginationError if fault == "stuck" else tpa.ApiError) as caught:
            employees(tenant)
    assert not ID.search(str(caught.value))
    assert not ID.search(str(caught.value.__dict__))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("status", [400, 403, 404, 422])
@pytest.mark.parametrize("quoted", ["'emp-00007'", '"emp-00007"', "emp-00007"])
def test_what_the_service_says_of_an_employee_is_not_repeated(status: int, quoted: str) -> None:
    with Tenant() as tenant:
        plain = tenant.reply

        def refused(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
            said = json.dumps([{"title": f"No {quoted}", "description": f"There is no {quoted}."}]).encode()
            reply = plain(method, target, headers, raw)
            return replace(reply, status=status, body=said) if target.startswith("/export/employees") else reply

        tenant.reply = refused  # type: ignore[method-assign]
        with pytest.raises((tpa.ApiError, tpa.AuthError)) as caught:
            employees(tenant)
    assert not ID.search("".join(traceback.format_exception(caught.value)))
    assert not ID.search(str(caught.value.__dict__))
