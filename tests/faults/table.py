"""All faults of the demo server and their expected results.

Unless stated otherwise, a case is an export of three jobs, one per page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import tpanalytics as tpa
from tests.helpers.scripted_server import jobs
from tpanalytics.demo import faults
from tpanalytics.demo.handlers import Catalogue, Rules

if TYPE_CHECKING:
    from tpanalytics.demo.faults import Fault

ALL_JOBS = ["job-1", "job-2", "job-3"]
OTHER = "http://other.invalid"  # replaced with the URL of a second server
QUICK = tpa.Limits(silence_seconds=0.25)
SHORT = tpa.Limits(silence_seconds=0.25, answer_seconds=0.3)
SMALL = tpa.Limits(answer_bytes=1 << 20)
EPOCH = formatdate(0, usegmt=True)


@dataclass(frozen=True)
class Succeeds:
    """The export succeeds after this number of page and token requests. Waits of 0 seconds are not listed."""

    requests: int = 3
    tokens: int = 1
    waits: tuple[float, ...] = ()
    jobs: list[str] = field(default_factory=lambda: ALL_JOBS)
    manifest: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fails:
    """The export fails with exactly this kind of error, and its message contains these words."""

    kind: type[tpa.TpAnalyticsError]
    words: tuple[str, ...]
    requests: int = 1
    tokens: int = 1


@dataclass(frozen=True)
class Case:
    """Faults and the expected result. If `body` is given, send it as a single request instead of an export."""

    expected: Succeeds | Fails
    export: dict[int, Fault] = field(default_factory=dict)
    token: dict[int, Fault] = field(default_factory=dict)
    records: list[dict[str, Any]] | None = None
    rules: Rules = field(default_factory=Rules)
    limits: tpa.Limits = field(default_factory=tpa.Limits)
    options: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    @property
    def catalogue(self) -> Catalogue:
        """Data of the tenant."""
        return jobs(3) if self.records is None else Catalogue(self.records)


def job(*tasks: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Return the records of a job whose tasks have these fields."""
    defaults = {"task": "Reconcile supplier invoices", "validation_state": "validated"}
    task_records = [{"task_id": f"t{n}", **defaults, **task} for n, task in enumerate(tasks, 1)]
    return [{"external_id": "job-1", "tasks": task_records, **more}]


def one_job(requests: int = 1, **tasks: list[Any]) -> Succeeds:
    """Expect a single job whose tasks have these columns."""
    return Succeeds(requests, jobs=["job-1"], tasks=tasks)


def level(value: Any) -> dict[str, Any]:
    """Return the fields of a task with this AI impact level."""
    return {"ai_impact": {"level": value, "rationale": "Rule-bound."}}


TOKEN = {
    "token expires during the export: renewed": Case(Succeeds(4, tokens=2), {2: faults.expired()}),
    "new tokens are rejected: fails after the second": Case(
        Fails(tpa.AuthError, ("rejected a new token (401)",), requests=2, tokens=2), {0: faults.expired()}
    ),
    "credential without permission: fails": Case(Fails(tpa.AuthError, ("403", "scope 'read'")), {0: faults.refused()}),
    "token endpoint returns an error: fails with its message": Case(
        Fails(tpa.AuthError, ("returned 403", "access_denied: Unauthorized"), requests=0), token={0: faults.refused()}
    ),
    "token endpoint returns HTML with status 200: fails and quotes the page": Case(
        Fails(tpa.AuthError, ("200 without a valid token", "Gateway of Alderbrook", "token_url"), requests=0),
        token={0: faults.html(200)},
    ),
    "token endpoint returns HTML with status 502 once: retried": Case(Succeeds(tokens=2), token={1: faults.html(502)}),
    "token endpoint returns an empty body: fails": Case(
        Fails(tpa.AuthError, ("200 without a valid token", "empty"), requests=0), token={0: faults.empty_body(200)}
    ),
    "token endpoint redirects: not followed": Case(
        Fails(tpa.AuthError, ("returned 307",), requests=0), token={0: faults.redirect(OTHER, 307)}
    ),
    "token response is interrupted once: retried": Case(Succeeds(tokens=2), token={1: faults.cut(5)}),
    "token response is sent slowly: times out": Case(
        Fails(tpa.Unreachable, ("token endpoint", "not complete within 0.3 s", "attempt 2 of 2"), requests=0, tokens=2),
        token={0: faults.dripping(20)},
        limits=SHORT,
    ),
    "token endpoint sends a gzip bomb: fails at the limit": Case(
        Fails(tpa.ApiError, ("token endpoint", "larger than the limit of 1 MiB"), requests=0),
        token={0: faults.gzip_bomb(8)},
        limits=SMALL,
    ),
    "clock of the token endpoint is 10 minutes fast: succeeds": Case(Succeeds(), token={0: faults.clock_off(10)}),
    "clock of the token endpoint is 10 minutes slow: succeeds": Case(Succeeds(), token={0: faults.clock_off(-10)}),
}

RETRIES = {
    "429 with Retry-After in seconds: waits": Case(Succeeds(4, waits=(3,)), {2: faults.rate_limited(3)}),
    "429 with Retry-After as a date: waits": Case(Succeeds(4, waits=(30,)), {2: faults.clock_off(0, after=30)}),
    "429 with Retry-After as a date, clock of the host 10 minutes fast: waits as intended": Case(
        Succeeds(4, waits=(30,)), {2: faults.clock_off(10, after=30)}
    ),
    "429 with Retry-After as a date, clock of the host 10 minutes slow: waits as intended": Case(
        Succeeds(4, waits=(30,)), {2: faults.clock_off(-10, after=30)}
    ),
    "429 with Retry-After in an hour: waits up to the cap": Case(
        Succeeds(4, waits=(300,)), {2: faults.clock_off(0, after=3600)}
    ),
    "429 with Retry-After in the past: retried immediately": Case(Succeeds(4), {2: faults.rate_limited(EPOCH)}),
    "429 without Retry-After: retried": Case(Succeeds(4), {2: faults.rate_limited()}),
    "always 429: fails with the requested wait": Case(
        Fails(tpa.RateLimited, ("quota is used up", "try again after 3 s", "Gave up after 2 attempts"), requests=2),
        {0: faults.rate_limited(3)},
    ),
    "503 once: retried": Case(Succeeds(4), {2: faults.unavailable()}),
    "always 503: fails after the last attempt": Case(
        Fails(tpa.ApiError, ("503", "Down for maintenance", "Gave up after 2 attempts"), requests=2),
        {0: faults.unavailable()},
    ),
    "clock of the host is 10 minutes fast: succeeds": Case(Succeeds(), {0: faults.clock_off(10)}),
    "clock of the host is 10 minutes slow: succeeds": Case(Succeeds(), {0: faults.clock_off(-10)}),
}

CONNECTIONS = {
    "connection closed in the middle of a body: retried": Case(Succeeds(4), {2: faults.cut()}),
    "connection closed before the body: retried": Case(Succeeds(4), {2: faults.cut(0)}),
    "connection always closed: fails after the last attempt": Case(
        Fails(tpa.Unreachable, ("closed in the middle", "attempt 2 of 2"), requests=2), {0: faults.cut()}
    ),
    "page slower than usual: succeeds": Case(Succeeds(), {2: faults.slow(0.1)}, limits=QUICK),
    "page slower than the limit: retried": Case(Succeeds(4), {2: faults.slow(0.5)}, limits=QUICK),
    "pages always slower than the limit: fails": Case(
        Fails(tpa.Unreachable, ("no response within 0.25 s", "attempt 2 of 2"), requests=2),
        {0: faults.slow(0.5)},
        limits=QUICK,
    ),
    "body sent slowly once: retried": Case(Succeeds(4), {2: faults.dripping(20)}, limits=SHORT),
    "bodies always sent slowly: fails": Case(
        Fails(tpa.Unreachable, ("not complete within 0.3 s", "attempt 2 of 2"), requests=2),
        {0: faults.dripping(20)},
        limits=SHORT,
    ),
    "headers sent slowly once: retried": Case(Succeeds(4), {2: faults.slow_head(20)}, limits=SHORT),
    "headers always sent slowly: fails": Case(
        Fails(tpa.Unreachable, ("not complete within 0.3 s",), requests=2), {0: faults.slow_head(20)}, limits=SHORT
    ),
    "Content-Length too large: retried": Case(Succeeds(4), {2: faults.wrong_length(10)}, limits=QUICK),
    "Content-Length too small: fails because the JSON is truncated": Case(
        Fails(tpa.ApiError, ("not valid JSON",), requests=2), {2: faults.wrong_length(-10)}
    ),
    "data after the body: ignored": Case(Succeeds(), {2: faults.rubbish_after()}),
    "data after every body: ignored": Case(Succeeds(), {0: faults.rubbish_after(b"\0junk" * 5000)}),
    "redirect to another host: not followed": Case(
        Fails(tpa.ApiError, ("redirects to 127.0.0.1", "where the token is not sent")), {0: faults.redirect(OTHER)}
    ),
    "redirect with status 308: not followed": Case(
        Fails(tpa.ApiError, ("redirects to 127.0.0.1", "(308)")), {0: faults.redirect(OTHER, 308)}
    ),
}

BODIES = {
    "error as a list: fails with its message": Case(
        Fails(tpa.ApiError, ("400 Bad Request: The request cannot be served", "limit=1")), {0: faults.bad_request()}
    ),
    "422: fails with the request parameters": Case(
        Fails(tpa.ApiError, ("422", "cannot be served", "include=")), {0: faults.bad_request(422)}
    ),
    "error as an object: fails with its message": Case(
        Fails(tpa.ApiError, ("Bad Request: The request cannot be served",)), {0: faults.error_object()}
    ),
    "error as HTML: retried": Case(Succeeds(4), {2: faults.html()}),
    "always an error as HTML: fails and quotes the page": Case(
        Fails(tpa.ApiError, ("502", "Gateway of Alderbrook"), requests=2), {0: faults.html()}
    ),
    "error without a body: fails": Case(Fails(tpa.ApiError, ("404", "(empty body)")), {0: faults.empty_body(404)}),
    "HTML with status 200: fails and quotes the page": Case(
        Fails(tpa.ApiError, ("returned 200, but", "Gateway of Alderbrook", "base_url")), {0: faults.html(200)}
    ),
    "empty body with status 200: fails": Case(Fails(tpa.ApiError, ("returned 200, but",)), {0: faults.empty_body(200)}),
    "truncated JSON with valid length: fails": Case(
        Fails(tpa.ApiError, ("not valid JSON",), requests=2), {2: faults.cut_json()}
    ),
    "truncated gzip with valid length: retried": Case(Succeeds(4), {2: faults.cut_gzip()}),
    "invalid gzip: retried": Case(Succeeds(4), {2: faults.packed_as("gzip")}),
    "always invalid gzip: fails": Case(
        Fails(tpa.Unreachable, ("could not be decompressed",), requests=2), {0: faults.packed_as("gzip")}
    ),
    "unsupported encoding: fails": Case(Fails(tpa.ApiError, ("200", "'br'")), {0: faults.packed_as()}),
    "compressed twice: fails": Case(Fails(tpa.ApiError, ("200", "'gzip, gzip'")), {0: faults.packed_as("gzip, gzip")}),
    "gzip bomb: fails at the limit without retry": Case(
        Fails(tpa.ApiError, ("returned 200", "larger than the limit of 1 MiB")), {0: faults.gzip_bomb(64)}, limits=SMALL
    ),
}

PAGES = {
    "empty page with next page but without cursor: fails": Case(
        Fails(tpa.PaginationError, ("Page 2", "no cursor"), requests=2), {2: faults.empty_page_with_more()}
    ),
    "empty page with cursor: continues": Case(
        Succeeds(jobs=["job-2", "job-3"]), {1: faults.empty_page_with_more("job-1")}
    ),
    "next page without cursor: uses the last record": Case(Succeeds(), {2: faults.no_cursor()}),
    "cursor does not change: fails": Case(
        Fails(tpa.PaginationError, ("repeated cursor 'job-1'",), requests=2), {0: faults.stuck_cursor()}
    ),
    "same job on two pages: dropped and counted": Case(
        Succeeds(manifest={"duplicates": 2}), {0: faults.repeated_job()}
    ),
}

DATA = {
    "job without tasks: kept": Case(one_job(task_id=[]), records=job()),
    "task without hours: null": Case(one_job(weekly_hours=[None, 2.0]), records=job({}, {"weekly_hours": 2})),
    "hours zero, fractional and null: kept": Case(
        one_job(weekly_hours=[0.0, 6.5, None]),
        records=job({"weekly_hours": 0}, {"weekly_hours": 6.5}, {"weekly_hours": None}),
    ),
    "AI impact missing or null: not assessed": Case(
        one_job(ai_impact_level=[None, None, "H1"]), records=job({}, {"ai_impact": None}, level("H1"))
    ),
    "unknown level: kept": Case(one_job(ai_impact_level=["H9", "H2"]), records=job(level("H9"), level("H2"))),
    "unknown validation state: kept": Case(
        one_job(validation_state=["archived"]), records=job({"validation_state": "archived"})
    ),
    "unknown fields: ignored": Case(
        one_job(task_id=["t1"]), records=job({"mood": {"of": "the day"}}, valid_from="2027-01-01")
    ),
    "tree of named levels, with a task outside the tree and a job without tasks": Case(
        Succeeds(2, jobs=["job-1", "job-2"], tasks={"hierarchy": [list("abcd"), []]}),
        records=[*job({"hierarchy": list("abcd")}, {"hierarchy": None}), {"external_id": "job-2", "tasks": []}],
        options={"response_format": "hierarchy"},
    ),
    "tree of uniform nodes, with a task outside the tree and a job without tasks": Case(
        Succeeds(2, jobs=["job-1", "job-2"], tasks={"hierarchy": [list("abcd"), []]}),
        records=[*job({"hierarchy": list("abcd")}, {"hierarchy": None}), {"external_id": "job-2", "tasks": []}],
        rules=Rules(hierarchy_shape="nodes"),
        options={"response_format": "hierarchy"},
    ),
}

PARAMETERS = {
    "include value unknown to an older deployment: fails": Case(
        Fails(tpa.ApiError, ("400", "linked_skills", "older deployment")),
        rules=Rules(older=True),
        options={"include": ["linked_skills"]},
    ),
    "limit 0: fails before any request": Case(
        Fails(tpa.ConfigError, ("`limit` must be", "not 0."), requests=0, tokens=0), options={"limit": 0}
    ),
    "limit 101: fails before any request": Case(
        Fails(tpa.ConfigError, ("`limit` must be", "not 101."), requests=0, tokens=0), options={"limit": 101}
    ),
    "limit 0 is sent: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("limit must be between 1 and 100",)), body={"limit": 0}
    ),
    "limit 101 is sent: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("limit must be between 1 and 100",)), body={"limit": 101}
    ),
    "limit is missing: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("limit is required",)), body={}
    ),
    "limit as text: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("limit is required and must be an integer",)), body={"limit": "5"}
    ),
    "cursor of a deleted job: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("400", "is not the id of a job")), body={"limit": 1, "starting_after": "job-gone"}
    ),
    "cursor too long: fails with the message of the service": Case(
        Fails(tpa.ApiError, ("400", "at most 100 characters")), body={"limit": 1, "starting_after": "j" * 101}
    ),
    "lists of jobs and families are not available: fails": Case(
        Fails(tpa.ApiError, ("this tenant has no such list",), requests=0),
        rules=Rules(lists=False),
        options={"families": "lists"},
    ),
}

CASES: dict[str, Case] = {**TOKEN, **RETRIES, **CONNECTIONS, **BODIES, **PAGES, **DATA, **PARAMETERS}
