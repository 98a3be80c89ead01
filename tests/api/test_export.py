"""Pagination of exports and lists."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.api.conftest import EXPORT, settings_of
from tests.helpers.scripted_server import Host, change_fields, instead, jobs, make_client, said
from tpanalytics.api.export import INCLUDES, ExportRequest, export_pages, list_all
from tpanalytics.demo.handlers import Rules
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpanalytics.api.export import Page


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with Tenant(jobs(7)) as tenant:
        yield tenant


def pull(tenant: Tenant, starting_after: str | None = None, **parameters: Any) -> list[Page]:
    with make_client(tenant.settings) as client:
        return list(export_pages(client, ExportRequest(**parameters), starting_after))


def ids(pages: list[Page]) -> list[str]:
    return [record["external_id"] for page in pages for record in json.loads(page.body)["records"]]


# Pages


def test_every_page_size_returns_all_jobs_in_order() -> None:
    with Tenant(jobs(101)) as tenant:
        for limit in range(1, 101):
            pages = pull(tenant, limit=limit)
            assert ids(pages) == [f"job-{n}" for n in range(1, 102)]
            assert len(pages) == -(-101 // limit)


def test_pages_have_number_and_cursor(tenant: Tenant) -> None:
    pages = pull(tenant, limit=3)
    assert [(page.number, page.starting_after) for page in pages] == [(1, None), (2, "job-3"), (3, "job-6")]
    assert [json.loads(page.body)["has_next"] for page in pages] == [True, True, False]


def test_empty_tenant_returns_one_empty_page() -> None:
    with Tenant(jobs(0)) as tenant:
        assert [len(json.loads(page.body)["records"]) for page in pull(tenant)] == [0]


def test_export_starts_after_cursor(tenant: Tenant) -> None:
    assert ids(pull(tenant, "job-5", limit=1)) == ["job-6", "job-7"]


def test_pages_are_requested_lazily(tenant: Tenant) -> None:
    with make_client(tenant.settings) as client:
        pages = export_pages(client, ExportRequest(limit=1))
        assert tenant.requests == []
        next(pages)
        next(pages)
        assert tenant.requests.count(("POST", EXPORT)) == 2
        pages.close()


def test_only_the_cursor_changes_between_pages() -> None:
    bodies = iter([{"has_next": True, "records": [], "next_starting_after": "j-1"}, {"has_next": False, "records": []}])

    def answer(received: Any) -> Reply:
        return said(200, {"access_token": "tok"} if received.target == "/oauth/token" else next(bodies))

    filters = ({"filter": "of a later version", "n": 1},)
    request = ExportRequest(("weekly_hours",), filters, "hierarchy", "workday", 5)
    with Host(answer) as host, make_client({**settings_of(host), "api_version": "2026-02-03"}) as client:
        assert len(list(export_pages(client, request))) == 2
    _, first, second = host.received
    assert first.target == second.target == f"{EXPORT}?response_format=hierarchy&external_vendor=workday"
    body = {"limit": 5, "include": ["weekly_hours"], "filters": list(filters)}
    assert json.loads(first.body) == body
    assert json.loads(second.body) == {**body, "starting_after": "j-1"}
    for received in (first, second):
        assert received.headers["content-type"] == "application/json"
        assert received.headers["x-api-version"] == "2026-02-03"


def test_defaults_are_not_sent() -> None:
    assert ExportRequest(include=()).body(None) == {"limit": 100}
    assert ExportRequest().query() == [("response_format", "list")]


# Cursors


@pytest.mark.parametrize("cursor", ["missing", "null"])
def test_missing_cursor_defaults_to_last_record(tenant: Tenant, cursor: str) -> None:
    def fault(reply: Reply) -> Reply:
        body = json.loads(reply.body)
        body.pop("next_starting_after", None)
        return said(200, body if cursor == "missing" else {**body, "next_starting_after": None})

    tenant.faults[0] = fault
    assert ids(pull(tenant, limit=2)) == [f"job-{n}" for n in range(1, 8)]


def test_empty_page_with_cursor_continues(tenant: Tenant) -> None:
    tenant.faults[1] = change_fields(records=[], next_starting_after="job-2")
    pages = pull(tenant, limit=2)
    assert [len(json.loads(page.body)["records"]) for page in pages] == [0, 2, 2, 1]


@pytest.mark.parametrize("records", [[], [{}], [{"external_id": None}], [{"external_id": ""}], [7], [None]])
def test_next_page_without_cursor_raises(tenant: Tenant, records: list[Any]) -> None:
    tenant.faults[2] = instead(200, {"has_next": True, "records": records})
    with pytest.raises(tpa.PaginationError, match=r"Page 2 .*starting_after='job-2'.*no cursor") as exc_info:
        pull(tenant, limit=2)
    assert exc_info.value.starting_after == "job-2"


def test_unchanged_cursor_raises(tenant: Tenant) -> None:
    tenant.faults[2] = change_fields(next_starting_after="job-2")
    with pytest.raises(tpa.PaginationError, match=r"Page 2 .*repeated cursor 'job-2'") as exc_info:
        pull(tenant, limit=2)
    assert exc_info.value.starting_after == "job-2"
    assert tenant.requests.count(("POST", EXPORT)) == 2


@pytest.mark.parametrize("length", [2, 3])
def test_cursor_cycle_raises(tenant: Tenant, length: int) -> None:
    tenant.faults[length + 1] = change_fields(next_starting_after="job-1")
    with pytest.raises(tpa.PaginationError, match="repeated cursor 'job-1'"):
        pull(tenant, limit=1)
    assert tenant.requests.count(("POST", EXPORT)) == length + 1


def test_cursor_equal_to_start_raises(tenant: Tenant) -> None:
    tenant.faults[1] = change_fields(next_starting_after="job-3")
    with pytest.raises(tpa.PaginationError, match="Page 1 "):
        pull(tenant, "job-3", limit=1)


def test_pages_before_invalid_cursor_are_yielded(tenant: Tenant) -> None:
    tenant.faults[3] = change_fields(next_starting_after="job-4")
    with make_client(tenant.settings) as client:
        pages = export_pages(client, ExportRequest(limit=2))
        assert ids([next(pages), next(pages)]) == ["job-1", "job-2", "job-3", "job-4"]
        with pytest.raises(tpa.PaginationError):
            next(pages)


def test_cursor_on_last_page_is_ignored(tenant: Tenant) -> None:
    tenant.faults[1] = change_fields(has_next=False, next_starting_after="job-2")
    assert len(pull(tenant, limit=2)) == 1


def test_numeric_cursor_is_sent_as_text(tenant: Tenant) -> None:
    tenant.faults[1] = change_fields(next_starting_after=2)
    with pytest.raises(tpa.ApiError, match="starting_after='2'"):
        pull(tenant, limit=2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"has_next": 1, "records": []}',
        b'{"has_next": true}',
        b"<html>",
        b"\xff\xfe",
    ],
)
def test_invalid_page_raises(tenant: Tenant, body: bytes) -> None:
    tenant.faults[2] = instead(200, body)
    with pytest.raises(tpa.ApiError, match="returned 200, but the body is not") as exc_info:
        pull(tenant, limit=2)
    assert (exc_info.value.status, exc_info.value.path) == (200, EXPORT)


def test_error_quotes_login_page_but_not_records(tenant: Tenant) -> None:
    tenant.faults[1] = instead(200, "<html><title>Sign in to the proxy</title>")
    with pytest.raises(tpa.ApiError, match="Sign in to the proxy"):
        pull(tenant)
    tenant.faults[2] = instead(200, {"records": [{"task": "Negotiate the merger with Contoso"}]})
    with pytest.raises(tpa.ApiError) as exc_info:
        pull(tenant)
    assert "Contoso" not in str(exc_info.value)


# Error messages


def test_unknown_cursor_suggests_starting_again(tenant: Tenant) -> None:
    with pytest.raises(tpa.ApiError) as exc_info:
        pull(tenant, "job-gone")
    message = str(exc_info.value)
    parts = ("400", "is not the id of a job", "'job-gone'", "start again from the first page")
    assert all(part in message for part in parts)


def test_unsupported_include_error_lists_parameters() -> None:
    with Tenant(jobs(1), rules=Rules(older=True)) as tenant:
        assert len(pull(tenant, include=("ai_impact", "weekly_hours"))) == 1
        with pytest.raises(tpa.ApiError) as exc_info:
            pull(tenant, include=("weekly_hours", "linked_skills"), filters=())
    message = str(exc_info.value)
    assert "include=['weekly_hours', 'linked_skills']" in message
    assert "older deployment" in message
    assert exc_info.value.title == "400 Bad Request"
    assert exc_info.value.status == 400


@pytest.mark.parametrize("status", [400, 422])
def test_client_error_lists_parameters(tenant: Tenant, status: int) -> None:
    tenant.faults[1] = instead(
        status, [{"title": f"{status} No", "description": "Unknown filter."}], X_Request_ID="r-1"
    )
    with pytest.raises(tpa.ApiError) as exc_info:
        pull(tenant, filters=({"filter": "is_green"},), limit=3)
    message = str(exc_info.value)
    assert all(part in message for part in ("Unknown filter", "{'filter': 'is_green'}", "limit=3", "r-1"))
    error = exc_info.value
    assert (error.status, error.path, error.description, error.request_id) == (status, EXPORT, "Unknown filter.", "r-1")


def test_other_errors_do_not_list_parameters(tenant: Tenant) -> None:
    tenant.faults[1] = instead(404, [{"title": "404 Not Found", "description": "No such tenant."}])
    with pytest.raises(tpa.ApiError, match="No such tenant") as exc_info:
        pull(tenant)
    assert "include=" not in str(exc_info.value)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"include": ("ai_impact", "salary")}, ["salary", *INCLUDES]),
        ({"response_format": "tree"}, ["'tree'", "list", "hierarchy"]),
        ({"external_vendor": "oracle"}, ["'oracle'", "techwolf", "workday", "sap_attribute_library"]),
        ({"limit": 0}, ["`limit`", "1 to 100, not 0."]),
        ({"limit": 101}, ["`limit`", "1 to 100, not 101."]),
        ({"limit": True}, ["`limit`", "1 to 100, not True."]),
        ({"limit": "50"}, ["`limit`", "1 to 100, not '50'."]),
        ({"limit": 5.0}, ["`limit`", "1 to 100, not 5.0."]),
        ({"filters": ("last_updated",)}, ["filters", "list of dicts"]),
        ({"filters": ({"filter": "last_updated", "value": dt.date(2026, 5, 1)},)}, ["filters", "JSON"]),
        ({"filters": ({"filter": "of a later version", "value": float("nan")},)}, ["filters", "JSON"]),
    ],
)
def test_invalid_arguments_raise(parameters: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(tpa.ConfigError) as exc_info:
        ExportRequest(**parameters)
    assert all(word in str(exc_info.value) for word in words)


# Lists


def test_list_is_read_completely() -> None:
    with Tenant() as tenant, make_client(tenant.settings) as client:
        rows = list_all(client, "/job_architecture/jobs")
        assert rows is not None
        assert [row["external_id"] for row in rows] == [job["job_id"] for job in tenant.catalogue.jobs]
        assert len(rows) > 200, "more than one page"


def test_missing_list_returns_none() -> None:
    with Tenant(jobs(1), rules=Rules(lists=False)) as tenant, make_client(tenant.settings) as client:
        assert list_all(client, "/job_architecture/jobs") is None
        assert list_all(client, "/no/such/list") is None


def read_list(*bodies: Any) -> Any:
    """Read a list from a server that returns these bodies, and return it with the number of requests."""
    remaining = list(bodies)

    def answer(received: Any) -> Reply:
        if received.target == "/oauth/token":
            return said(200, {"access_token": "tok"})
        return said(200, remaining.pop(0) if len(remaining) > 1 else remaining[0])

    with Host(answer) as host, make_client(settings_of(host)) as client:
        return list_all(client, "/job_architecture/jobs"), len(host.received) - 1


def test_list_ends_with_empty_page() -> None:
    rows, n_requests = read_list({"count": 99, "results": [{"external_id": "1"}]}, {"count": 99, "results": []})
    assert (rows, n_requests) == ([{"external_id": "1"}], 2)


@pytest.mark.parametrize("body", ["<html>", [], {}, {"count": "1", "results": []}, {"count": 1, "results": [1]}])
def test_invalid_list_raises(body: Any) -> None:
    with pytest.raises(tpa.ApiError, match=r"GET /job_architecture/jobs: .* not a list in the documented format"):
        read_list(body)
