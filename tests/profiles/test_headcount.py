"""Counting of employees from the service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.profiles.conftest import invented, small_company
from tpanalytics.demo import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tpanalytics.demo.server import Reply, Tenant

_PATH = "/export/employees/match_assigned_position"


def load(tenant: Tenant, **arguments: Any) -> pl.DataFrame:
    retry = tpa.RetryPolicy(tries=2, base=0)
    with tpa.connect(**tenant.settings, retry=retry) as client:
        return tpa.load_headcount(client, progress=False, **arguments)


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())


@pytest.fixture(scope="module")
def expected() -> dict[str, int]:
    return {job["job_id"]: job["headcount"] for job in invented().jobs[::6]}


def test_employees_are_counted_per_job(serve: Callable[..., Tenant], expected: dict[str, int]) -> None:
    tenant = serve()
    counts = load(tenant)
    assert counts.schema == {"job_id": pl.String, "headcount": pl.Int64}
    assert dict(counts.rows()) == expected
    assert counts["job_id"].is_sorted()
    assert counts.equals(load(tenant, limit=7))
    assert sum(path == _PATH for _, path in tenant.requests) > 2
    everyone = load(tenant, filters=())
    inactive = load(tenant, filters=[{"filter": "is_active", "is_active": False}])
    assert everyone["headcount"].sum() == counts["headcount"].sum() + inactive["headcount"].sum()
    assert inactive["headcount"].sum() == 2
    assert list(Path().iterdir()) in ([], [Path("user-cache")]), "nothing is written to disk"


def test_counts_can_be_assigned(serve: Callable[..., Tenant], sample: tpa.TaskProfiles) -> None:
    part = sample.filter(job_id=[job["job_id"] for job in small_company().jobs])
    assigned = tpa.assign_people(part, load(serve()))
    assert assigned.jobs["headcount"].to_list() == part.jobs["headcount"].to_list()
    assert assigned.people is not None
    assert assigned.people.columns == ["job_id", "headcount", "fte"]


def test_employees_without_a_job_are_a_row(serve: Callable[..., Tenant], expected: dict[str, int]) -> None:
    tenant = serve()
    tenant.faults[1] = changed(
        lambda page: {
            **page,
            "records": [*page["records"], {"employee_id": 5, "score": 0.1}, {"employee_id": "six", "job_id": None}],
        }
    )
    counts = load(tenant)
    assert counts.row(-1) == (None, 2)
    assert dict(counts.head(-1).rows()) == expected


def test_repeated_employees_are_counted_once(serve: Callable[..., Tenant], expected: dict[str, int]) -> None:
    tenant = serve()
    tenant.faults[0] = faults.repeated_job()
    with pytest.warns(tpa.TpAnalyticsWarning, match="records of employees on an earlier page skipped"):
        assert dict(load(tenant).rows()) == expected


@pytest.mark.parametrize("fault", [faults.refused(), faults.bad_request(404), faults.bad_request(405)])
def test_unavailable_export_raises(serve: Callable[..., Tenant], fault: Any) -> None:
    tenant = serve()
    tenant.faults[0] = fault
    with pytest.raises(
        tpa.ApiError, match=r"not available on this tenant \(40[345]\)\. Count people with assign_people"
    ):
        load(tenant)
    with pytest.raises(tpa.ApiError, match=r"not available on this tenant \(404\)"):
        load(serve(positions=False))


FAULTS: dict[str, tuple[Any, type[Exception], str]] = {
    "other refusal": (faults.bad_request(400), tpa.ApiError, "returned 400 .response not shown because"),
    "stuck cursor": (faults.stuck_cursor(), tpa.PaginationError, "repeated cursor"),
    "no cursor": (faults.no_cursor(), tpa.PaginationError, "no cursor"),
    "web page": (faults.html(200), tpa.ApiError, "not valid JSON"),
    "half a page": (faults.cut_json(), tpa.ApiError, "not valid JSON"),
    "no employee id": (
        changed(lambda page: {**page, "records": [{"job_id": "j"}]}),
        tpa.ApiError,
        "not in the documented format",
    ),
    "no records": (changed(lambda page: {"has_next": False}), tpa.ApiError, "not in the documented format"),
    "out of service": (faults.unavailable(), tpa.ApiError, "503"),
    "signed out": (faults.expired(), tpa.AuthError, "response not shown"),
}


@pytest.mark.parametrize(("fault", "error", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_raise_without_naming_an_employee(
    serve: Callable[..., Tenant], fault: Any, error: type[Exception], message: str
) -> None:
    tenant = serve()
    tenant.faults[0] = fault
    with pytest.raises(error, match=message) as exc_info:
        load(tenant)
    exception: BaseException | None = exc_info.value
    while exception is not None:
        assert "emp-" not in str(exception)
        exception = exception.__cause__ or exception.__context__


def test_temporary_faults_are_retried(serve: Callable[..., Tenant], expected: dict[str, int]) -> None:
    tenant = serve()
    tenant.faults[2] = faults.unavailable()
    tenant.faults[4] = faults.cut()
    assert dict(load(tenant).rows()) == expected


def test_arguments_are_checked(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    for arguments in ({"limit": 0}, {"limit": 101}, {"filters": ["active"]}, {"filters": {"filter": "is_active"}}):
        with pytest.raises(tpa.ConfigError):
            load(tenant, **arguments)
    with pytest.raises(tpa.ArgumentError, match="`client` must be a Client"):
        tpa.load_headcount(None)  # type: ignore[arg-type]
    assert not [path for _, path in tenant.requests if path == _PATH]
