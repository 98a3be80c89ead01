"""Messages and attributes of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.api.conftest import EXPORT, error_of
from tests.helpers.scripted_server import instead

if TYPE_CHECKING:
    from tpanalytics.demo.server import Tenant

BODIES = {
    "list": ([{"title": "404 Not Found", "description": "No such job."}], ["404 Not Found: No such job"]),
    "two in a list": ([{"title": "A", "description": "B"}, {"title": "C", "description": "D"}], ["A: B"]),
    "object": ({"title": "Not Found", "description": "Gone."}, ["Not Found: Gone"]),
    "oauth object": ({"error": "not_found", "error_description": "Gone."}, ["not_found: Gone"]),
    "only title": ([{"title": "Not Found"}], ["returned 404: Not Found."]),
    "only description": ([{"description": "Gone"}], ["returned 404: Gone."]),
    "nulls": ([{"title": None, "description": None}], ["null"]),
    "other object": ({"message": "No route"}, ["No route"]),
    "nested": ({"error": {"code": 7, "reason": "No route"}}, ["No route"]),
    "list of texts": (["No route"], ["No route"]),
    "empty list": ([], ["'[]'"]),
    "number": (b"404", ["'404'"]),
    "html": ("<html><h1>Bad gateway of Contoso</h1></html>", ["Bad gateway of Contoso"]),
    "empty": (b"", ["(empty body)"]),
    "binary": (b"\xff\xfe\x00\x81", ["404"]),
    "deep nesting": (b"[" * 100_000, ["404"]),
}


@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES)
def test_error_quotes_body_in_any_format(tenant: Tenant, body: Any, words: list[str]) -> None:
    tenant.faults[0] = instead(404, body)
    error = error_of(tenant, tpa.ApiError)
    assert str(error).startswith(f"POST {EXPORT}: the service returned 404")
    assert all(word in str(error) for word in words)
    assert len(str(error)) < 500


def test_error_has_attributes(tenant: Tenant) -> None:
    tenant.faults[0] = instead(404, [{"title": "404 Not Found", "description": "No such job."}], X_Request_ID="req-77")
    error = error_of(tenant, tpa.ApiError)
    assert (error.status, error.path, error.request_id) == (404, EXPORT, "req-77")
    assert (error.title, error.description) == ("404 Not Found", "No such job.")
    assert "(request req-77)" in str(error)


def test_long_request_id_is_truncated(tenant: Tenant) -> None:
    tenant.faults[0] = instead(404, b"", X_Request_ID="r" * 100)
    assert error_of(tenant, tpa.ApiError).request_id == "r" * 80


@pytest.mark.parametrize("body", ["x" * 5000, [{"title": "T", "description": "x" * 5000}]], ids=["text", "list"])
def test_long_body_is_truncated(tenant: Tenant, body: Any) -> None:
    tenant.faults[0] = instead(400, body)
    assert len(str(error_of(tenant, tpa.ApiError))) < 600
