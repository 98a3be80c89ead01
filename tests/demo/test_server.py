"""Tokens, connections and faults of the demo server."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.helpers.demo_client import (
    EVERYTHING,
    EXPORT,
    DemoClient,
    assert_error,
    edge_case_catalogue,
    family,
    request_token,
    token_body,
)
from tpanalytics.demo.sample import catalogue_of, write_sample
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from pathlib import Path


def test_token_response_has_documented_fields() -> None:
    with Tenant(edge_case_catalogue(), token_lifetime_seconds=7200) as tenant:
        response = request_token(tenant, scopes=["read"])
        token = response.json()
        assert response.status_code == 200
        assert "json" in response.headers["Content-Type"]
        assert set(token) == {"access_token", "expires_in", "scope", "token_type"}
        assert (token["expires_in"], token["scope"], token["token_type"]) == (7200, "read", "Bearer")


def test_token_has_all_scopes_by_default() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        scope = request_token(tenant).json()["scope"]
        assert isinstance(scope, str)
        assert "read" in scope.split(" ")


def test_each_token_is_new_and_counted() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        tokens = {request_token(tenant).json()["access_token"] for _ in range(3)}
        assert len(tokens) == tenant.tokens_issued == 3


@pytest.mark.parametrize(
    ("changes", "status", "description"),
    [
        ({"client_id": "someone else"}, 401, "Unauthorized"),
        ({"client_secret": "guessed"}, 401, "Unauthorized"),
        ({"client_secret": None}, 401, "Unauthorized"),
        ({"audience": "elsewhere"}, 403, "audience"),
        ({"tenant": None}, 403, "tenant"),
        ({"grant_type": "password"}, 400, "grant_type"),
        ({"grant_type": None}, 400, "grant_type"),
    ],
)
def test_wrong_credential_is_refused(changes: dict[str, Any], status: int, description: str) -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        response = request_token(tenant, **changes)
        assert response.status_code == status
        assert set(response.json()) == {"error", "error_description"}
        assert description in response.json()["error_description"]
        assert tenant.tokens_issued == 0


@pytest.mark.parametrize("body", [{"data": True}, {"json": ["client_credentials"]}, {"data": "{"}])
def test_token_request_must_be_a_json_object(body: dict[str, Any]) -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        if body.get("data") is True:
            body = {"data": token_body(tenant)}
        response = requests.post(tenant.settings["token_url"], timeout=10, **body)
        assert response.status_code == 400
        assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer tok-guessed", "Basic {}", "Token {}", "{}"])
@pytest.mark.parametrize(("method", "path"), [("POST", EXPORT), ("GET", "/version"), ("GET", "/no/such/path")])
def test_request_without_token_is_unauthorized(
    edge_cases: DemoClient, header: str | None, method: str, path: str
) -> None:
    token = edge_cases.headers["Authorization"].removeprefix("Bearer ")
    headers = {} if header is None else {"Authorization": header.format(token)}
    response = requests.request(
        method, edge_cases.tenant.base_url + path, headers=headers, json={"limit": 1}, timeout=10
    )
    assert_error((response.status_code, response.json()), 401, "token")


def test_token_expires() -> None:
    with Tenant(edge_case_catalogue(), token_lifetime_seconds=0) as tenant:
        assert_error(DemoClient(tenant).export(), 401, "expired")


def test_expire_tokens_invalidates_all_tokens() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        client = DemoClient(tenant)
        assert client.export()[0] == 200
        tenant.expire_tokens()
        assert_error(client.export(), 401)
        assert DemoClient(tenant).export()[0] == 200


def test_response_is_compressed_only_if_accepted(edge_cases: DemoClient) -> None:
    for encoding, expected in (("gzip", "gzip"), ("identity", None)):
        headers = {**edge_cases.headers, "Accept-Encoding": encoding}
        response = requests.get(edge_cases.tenant.base_url + "/version", headers=headers, timeout=10)
        assert response.headers.get("Content-Encoding") == expected
        assert response.json() == {"version": "2025-01-29"}
    with Tenant(edge_case_catalogue(), compress=False) as tenant:
        response = requests.get(tenant.base_url + "/version", headers=DemoClient(tenant).headers, timeout=10)
        assert "Content-Encoding" not in response.headers


def test_server_listens_on_localhost(edge_cases: DemoClient) -> None:
    assert urlsplit(edge_cases.tenant.base_url).hostname == "127.0.0.1"
    port = urlsplit(edge_cases.tenant.base_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_fault_affects_the_numbered_export_request() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        tenant.faults[2] = lambda reply: replace(reply, status=503, body=b"[]")
        client = DemoClient(tenant)
        assert client.get("/version")[0] == 200
        assert [client.export()[0] for _ in range(3)] == [200, 503, 200]
        tenant.faults[0] = lambda reply: replace(reply, status=429)
        assert [client.export()[0] for _ in range(2)] == [429, 429]
        assert client.get("/version")[0] == 200


def test_fault_affects_the_numbered_token_request() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        tenant.token_faults[1] = lambda _: Reply(502, b"<html>", {"Content-Type": "text/html"})
        first, second = request_token(tenant), request_token(tenant)
        assert (first.status_code, first.text) == (502, "<html>")
        assert second.status_code == 200


def test_fault_affects_the_numbered_task_request() -> None:
    with Tenant() as tenant:
        tenant.task_faults[2] = lambda reply: replace(reply, status=503, body=b"[]")
        client, task_id = DemoClient(tenant), next(iter(tenant.catalogue.task_of))
        assert client.export()[0] == 200
        statuses = [client.get(f"/tasks/{task_id}", include="hierarchy")[0] for _ in range(3)]
    assert statuses == [200, 503, 200]


@pytest.mark.parametrize("cut_at", [0, 1, 40])
def test_cut_connection_breaks_the_body(cut_at: int) -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        tenant.faults[1] = lambda reply: replace(reply, cut_at=cut_at)
        client = DemoClient(tenant)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            client.export()
        assert client.export()[0] == 200


def test_requests_are_recorded_in_order() -> None:
    with Tenant(edge_case_catalogue()) as tenant:
        client = DemoClient(tenant)
        client.export()
        client.get("/tasks/t-full", include=["hierarchy"])
        assert tenant.requests == [("POST", "/oauth/token"), ("POST", EXPORT), ("GET", "/tasks/t-full")]


def test_sample_files_are_served_like_the_sample(tmp_path: Path) -> None:
    write_sample(tmp_path)
    catalogue = catalogue_of(tmp_path / "sample-2026-05.jsonl.gz", tmp_path / "jobs.csv", tmp_path / "job_families.csv")
    with Tenant(catalogue) as from_files, Tenant() as from_sample:
        exports = (DemoClient(tenant).all_pages(100, include=EVERYTHING) for tenant in (from_files, from_sample))
        assert len({json.dumps(pages) for pages in exports}) == 1
        filters = [family("fam-fin")]
        assert DemoClient(from_files).ids(filters=filters) == DemoClient(from_sample).ids(filters=filters) != []


def test_records_without_mapping_have_no_job_list(tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text('{"external_id": "job-1", "tasks": []}\n\n', encoding="utf-8")
    with Tenant(catalogue_of(tmp_path / "export.jsonl")) as tenant:
        client = DemoClient(tenant)
        assert client.ids() == ["job-1"]
        assert client.get("/job_architecture/jobs") == (200, {"count": 0, "results": []})
