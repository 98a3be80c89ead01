"""Every fault this project knows, and what the client must make of it: the one place to see them all.

A case is a pull of three jobs, one to a page, from the embedded tenant over a socket.
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

WHOLE = ["job-1", "job-2", "job-3"]
OTHER = "http://other.invalid"  # stands for a second server, whose port is not known yet
QUICK = tpa.Limits(silence_seconds=0.25)
SHORT = tpa.Limits(silence_seconds=0.25, answer_seconds=0.3)
SMALL = tpa.Limits(answer_bytes=1 << 20)
A_LONG_TIME_AGO = formatdate(0, usegmt=True)


@dataclass(frozen=True)
class Whole:
    """Every job arrives, after so many requests for pages and for tokens; `waits` are those not of 0 seconds."""

    requests: int = 3
    tokens: int = 1
    waits: tuple[float, ...] = ()
    jobs: list[str] = field(default_factory=lambda: WHOLE)
    manifest: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fails:
    """The pull ends with exactly this error, which says these words."""

    kind: type[tpa.TpAnalyticsError]
    words: tuple[str, ...]
    requests: int = 1
    tokens: int = 1


@dataclass(frozen=True)
class Case:
    """What goes wrong, and with what end; `body` asks for one page by itself, in place of a pull."""

    then: Whole | Fails
    export: dict[int, Fault] = field(default_factory=dict)
    token: dict[int, Fault] = field(default_factory=dict)
    records: list[dict[str, Any]] | None = None
    rules: Rules = field(default_factory=Rules)
    limits: tpa.Limits = field(default_factory=tpa.Limits)
    asked: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    @property
    def catalogue(self) -> Catalogue:
        """Give the data to serve."""
        return jobs(3) if self.records is None else Catalogue(self.records)


def job(*tasks: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Make the records of one job whose tasks have these fields."""
    plain = {"task": "Reconcile supplier invoices", "validation_state": "validated"}
    named = [{"task_id": f"t{n}", **plain, **task} for n, task in enumerate(tasks, 1)]
    return [{"external_id": "job-1", "tasks": named, **more}]


def one(requests: int = 1, **tasks: list[Any]) -> Whole:
    """Expect one job whose tasks have these columns."""
    return Whole(requests, jobs=["job-1"], tasks=tasks)


def level(value: Any) -> dict[str, Any]:
    """Make the fields of a task with this level of AI impact."""
    return {"ai_impact": {"level": value, "rationale": "Rule-bound."}}


TOKEN = {
    "the token expires in the middle of a pull: one new token, nothing is lost": Case(
        Whole(4, tokens=2), {2: faults.expired()}
    ),
    "every fresh token is refused: given up after the second": Case(
        Fails(tpa.AuthError, ("refused a fresh token (401)",), requests=2, tokens=2), {0: faults.expired()}
    ),
    "the credential may not export: given up": Case(
        Fails(tpa.AuthError, ("403", "scope 'read'")), {0: faults.refused()}
    ),
    "the token endpoint refuses: given up at once, in its words": Case(
        Fails(tpa.AuthError, ("refused (403)", "access_denied: Unauthorized"), requests=0), token={0: faults.refused()}
    ),
    "the token endpoint answers HTML with 200: given up, the page is quoted": Case(
        Fails(tpa.AuthError, ("200 without a token", "Gateway of Alderbrook", "token_url"), requests=0),
        token={0: faults.html(200)},
    ),
    "the token endpoint answers HTML with 502 once: waited out": Case(Whole(tokens=2), token={1: faults.html(502)}),
    "the token endpoint answers nothing with 200: given up": Case(
        Fails(tpa.AuthError, ("200 without a token", "empty"), requests=0), token={0: faults.empty_body(200)}
    ),
    "the token endpoint redirects: the secret does not follow": Case(
        Fails(tpa.AuthError, ("refused (307)",), requests=0), token={0: faults.redirect(OTHER, 307)}
    ),
    "the token endpoint is cut off once: tried again": Case(Whole(tokens=2), token={1: faults.cut(5)}),
    "the token endpoint drips: given up after the limit": Case(
        Fails(tpa.Unreachable, ("token endpoint", "not complete within 0.3 s", "try 2 of 2"), requests=0, tokens=2),
        token={0: faults.dripping(20)},
        limits=SHORT,
    ),
    "the token endpoint sends a gzip bomb: refused unread": Case(
        Fails(tpa.ApiError, ("token endpoint", "larger than 1 MiB"), requests=0),
        token={0: faults.gzip_bomb(8)},
        limits=SMALL,
    ),
    "the token endpoint's clock is 10 minutes fast: no matter": Case(Whole(), token={0: faults.clock_off(10)}),
    "the token endpoint's clock is 10 minutes slow: no matter": Case(Whole(), token={0: faults.clock_off(-10)}),
}

PASSING = {
    "429 with Retry-After in seconds: waited as asked": Case(Whole(4, waits=(3,)), {2: faults.rate_limited(3)}),
    "429 with Retry-After as a date: waited until then": Case(
        Whole(4, waits=(30,)), {2: faults.clock_off(0, after=30)}
    ),
    "429 with Retry-After as a date, host's clock 10 minutes fast: waited as long as meant": Case(
        Whole(4, waits=(30,)), {2: faults.clock_off(10, after=30)}
    ),
    "429 with Retry-After as a date, host's clock 10 minutes slow: waited as long as meant": Case(
        Whole(4, waits=(30,)), {2: faults.clock_off(-10, after=30)}
    ),
    "429 with a date an hour ahead: waited no longer than the cap": Case(
        Whole(4, waits=(300,)), {2: faults.clock_off(0, after=3600)}
    ),
    "429 with a date long past: tried again at once": Case(Whole(4), {2: faults.rate_limited(A_LONG_TIME_AGO)}),
    "429 without Retry-After: tried again": Case(Whole(4), {2: faults.rate_limited()}),
    "429 for ever: given up, with what was asked": Case(
        Fails(tpa.RateLimited, ("quota is used up", "asks to wait 3 s", "Tried 2 times"), requests=2),
        {0: faults.rate_limited(3)},
    ),
    "503 once: waited out": Case(Whole(4), {2: faults.unavailable()}),
    "503 for ever: given up after the last try": Case(
        Fails(tpa.ApiError, ("503", "Down for maintenance", "Tried 2 times"), requests=2), {0: faults.unavailable()}
    ),
    "the host's clock is 10 minutes fast: no matter": Case(Whole(), {0: faults.clock_off(10)}),
    "the host's clock is 10 minutes slow: no matter": Case(Whole(), {0: faults.clock_off(-10)}),
}

CONNECTIONS = {
    "the connection is cut in the middle of a body: tried again": Case(Whole(4), {2: faults.cut()}),
    "the connection is cut before the body: tried again": Case(Whole(4), {2: faults.cut(0)}),
    "the connection is always cut: given up after the last try": Case(
        Fails(tpa.Unreachable, ("broke in the middle", "try 2 of 2"), requests=2), {0: faults.cut()}
    ),
    "a page is slow: waited for": Case(Whole(), {2: faults.slow(0.1)}, limits=QUICK),
    "a page is slower than the limit: tried again": Case(Whole(4), {2: faults.slow(0.5)}, limits=QUICK),
    "pages are always too slow: given up, the limit is named": Case(
        Fails(tpa.Unreachable, ("no answer within 0.25 s", "try 2 of 2"), requests=2),
        {0: faults.slow(0.5)},
        limits=QUICK,
    ),
    "a body drips once (slow loris): tried again": Case(Whole(4), {2: faults.dripping(20)}, limits=SHORT),
    "bodies always drip: given up, the limit is named": Case(
        Fails(tpa.Unreachable, ("not complete within 0.3 s", "try 2 of 2"), requests=2),
        {0: faults.dripping(20)},
        limits=SHORT,
    ),
    "the head drips once: tried again": Case(Whole(4), {2: faults.slow_head(20)}, limits=SHORT),
    "heads always drip: given up, the limit is named": Case(
        Fails(tpa.Unreachable, ("not complete within 0.3 s",), requests=2), {0: faults.slow_head(20)}, limits=SHORT
    ),
    "Content-Length is too large, the connection stays open: tried again": Case(
        Whole(4), {2: faults.wrong_length(10)}, limits=QUICK
    ),
    "Content-Length is too small: given up, since the JSON is cut": Case(
        Fails(tpa.ApiError, ("not valid JSON",), requests=2), {2: faults.wrong_length(-10)}
    ),
    "more follows after the body: the next request survives it": Case(Whole(), {2: faults.rubbish_after()}),
    "junk follows after every body: the next request survives it": Case(
        Whole(), {0: faults.rubbish_after(b"\0junk" * 5000)}
    ),
    "a redirect to another host: the token does not follow": Case(
        Fails(tpa.ApiError, ("redirects to 127.0.0.1", "token is not sent there")), {0: faults.redirect(OTHER)}
    ),
    "a redirect that keeps the method: the token does not follow": Case(
        Fails(tpa.ApiError, ("redirects to 127.0.0.1", "(308)")), {0: faults.redirect(OTHER, 308)}
    ),
}

BODIES = {
    "an error as the documented list: its words are told": Case(
        Fails(tpa.ApiError, ("400 Bad Request: The request cannot be served", "limit=1")), {0: faults.bad_request()}
    ),
    "422: given up, with what was asked": Case(
        Fails(tpa.ApiError, ("422", "cannot be served", "include=")), {0: faults.bad_request(422)}
    ),
    "an error as an object: its words are told": Case(
        Fails(tpa.ApiError, ("Bad Request: The request cannot be served",)), {0: faults.error_object()}
    ),
    "an error as HTML: waited out": Case(Whole(4), {2: faults.html()}),
    "an error as HTML for ever: quoted": Case(
        Fails(tpa.ApiError, ("502", "Gateway of Alderbrook"), requests=2), {0: faults.html()}
    ),
    "an error without a body: told as such": Case(
        Fails(tpa.ApiError, ("404", "(empty body)")), {0: faults.empty_body(404)}
    ),
    "HTML with status 200: given up, quoted": Case(
        Fails(tpa.ApiError, ("answered 200, but", "Gateway of Alderbrook", "base_url")), {0: faults.html(200)}
    ),
    "nothing with status 200: given up": Case(Fails(tpa.ApiError, ("answered 200, but",)), {0: faults.empty_body(200)}),
    "JSON cut, all lengths right: given up": Case(
        Fails(tpa.ApiError, ("not valid JSON",), requests=2), {2: faults.cut_json()}
    ),
    "gzip cut, all lengths right: tried again": Case(Whole(4), {2: faults.cut_gzip()}),
    "gzip that is none: tried again": Case(Whole(4), {2: faults.packed_as("gzip")}),
    "gzip that is none, for ever: given up": Case(
        Fails(tpa.Unreachable, ("could not be unpacked",), requests=2), {0: faults.packed_as("gzip")}
    ),
    "packed in a way nobody asked for: given up": Case(Fails(tpa.ApiError, ("200", "'br'")), {0: faults.packed_as()}),
    "packed twice, as nested bombs are: refused unread": Case(
        Fails(tpa.ApiError, ("200", "'gzip, gzip'")), {0: faults.packed_as("gzip, gzip")}
    ),
    "a gzip bomb: refused at the limit, not tried again": Case(
        Fails(tpa.ApiError, ("answered 200", "larger than 1 MiB")), {0: faults.gzip_bomb(64)}, limits=SMALL
    ),
}

PAGES = {
    "no record but more to come, without cursor: given up": Case(
        Fails(tpa.PaginationError, ("Page 2", "no cursor"), requests=2), {2: faults.empty_page_with_more()}
    ),
    "no record but more to come, with cursor: gone on from there": Case(
        Whole(jobs=["job-2", "job-3"]), {1: faults.empty_page_with_more("job-1")}
    ),
    "more to come without cursor: taken from the last record": Case(Whole(), {2: faults.no_cursor()}),
    "the cursor does not move: given up, no endless loop": Case(
        Fails(tpa.PaginationError, ("cursor seen before, 'job-1'",), requests=2), {0: faults.stuck_cursor()}
    ),
    "the same job on two pages: kept once and counted": Case(
        Whole(manifest={"duplicates": 2}), {0: faults.repeated_job()}
    ),
}

DATA = {
    "a job without tasks: kept": Case(one(task_id=[]), records=job()),
    "a task without hours: null": Case(one(weekly_hours=[None, 2.0]), records=job({}, {"weekly_hours": 2})),
    "hours 0, fractional and null: kept apart": Case(
        one(weekly_hours=[0.0, 6.5, None]),
        records=job({"weekly_hours": 0}, {"weekly_hours": 6.5}, {"weekly_hours": None}),
    ),
    "no AI impact, or null: not assessed": Case(
        one(ai_impact_level=[None, None, "H1"]), records=job({}, {"ai_impact": None}, level("H1"))
    ),
    "a level nobody knows: kept as it came": Case(
        one(ai_impact_level=["H9", "H2"]), records=job(level("H9"), level("H2"))
    ),
    "a validation state nobody knows: kept as it came": Case(
        one(validation_state=["archived"]), records=job({"validation_state": "archived"})
    ),
    "fields nobody knows: no matter": Case(
        one(task_id=["t1"]), records=job({"mood": {"of": "the day"}}, valid_from="2027-01-01")
    ),
    "a tree of named levels, with a task outside and an empty profile": Case(
        Whole(2, jobs=["job-1", "job-2"], tasks={"hierarchy": [list("abcd"), []]}),
        records=[*job({"hierarchy": list("abcd")}, {"hierarchy": None}), {"external_id": "job-2", "tasks": []}],
        asked={"response_format": "hierarchy"},
    ),
    "a tree of uniform nodes, with a task outside and an empty profile": Case(
        Whole(2, jobs=["job-1", "job-2"], tasks={"hierarchy": [list("abcd"), []]}),
        records=[*job({"hierarchy": list("abcd")}, {"hierarchy": None}), {"external_id": "job-2", "tasks": []}],
        rules=Rules(hierarchy_shape="nodes"),
        asked={"response_format": "hierarchy"},
    ),
}

ASKED = {
    "an include value this deployment does not know: refused, nothing is dropped in silence": Case(
        Fails(tpa.ApiError, ("400", "linked_skills", "older deployment")),
        rules=Rules(older=True),
        asked={"include": ["linked_skills"]},
    ),
    "limit 0: refused before anything is sent": Case(
        Fails(tpa.ConfigError, ("limit=0",), requests=0, tokens=0), asked={"limit": 0}
    ),
    "limit 101: refused before anything is sent": Case(
        Fails(tpa.ConfigError, ("limit=101",), requests=0, tokens=0), asked={"limit": 101}
    ),
    "limit 0, sent all the same: the service's words": Case(
        Fails(tpa.ApiError, ("limit must lie between 1 and 100",)), body={"limit": 0}
    ),
    "limit 101, sent all the same: the service's words": Case(
        Fails(tpa.ApiError, ("limit must lie between 1 and 100",)), body={"limit": 101}
    ),
    "limit missing: the service's words": Case(Fails(tpa.ApiError, ("limit is required",)), body={}),
    "limit as text: the service's words": Case(
        Fails(tpa.ApiError, ("limit is required and must be an integer",)), body={"limit": "5"}
    ),
    "a cursor on a job that is gone: the service's words": Case(
        Fails(tpa.ApiError, ("400", "does not name a job")), body={"limit": 1, "starting_after": "job-gone"}
    ),
    "a cursor that is too long: the service's words": Case(
        Fails(tpa.ApiError, ("400", "at most 100 characters")), body={"limit": 1, "starting_after": "j" * 101}
    ),
    "the lists of jobs and families are switched off: told as such": Case(
        Fails(tpa.ApiError, ("not available on this tenant",), requests=0),
        rules=Rules(lists=False),
        asked={"families": "lists"},
    ),
}

CASES: dict[str, Case] = {**TOKEN, **PASSING, **CONNECTIONS, **BODIES, **PAGES, **DATA, **ASKED}
