"""Over a plain socket the embedded tenant answers as the contract says, whoever asks and however wrongly."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import requests
from hypothesis import strategies as st

from tpanalytics.demo.handlers import Catalogue, Rules
from tpanalytics.demo.sample import catalogue_of, write_sample
from tpanalytics.demo.server import Reply, Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPORT = "/job_architecture/export/jobs/task_profiles"
EVERYTHING = ["ai_impact", "source_data", "linked_skills", "rejected_tasks", "weekly_hours"]
LEVELS = ("domain", "subdomain", "cluster", "canonical_task")
FINANCE = ["Finance", "Payables", "Invoice handling", "Match invoices to orders"]


def task(task_id: str, state: str = "validated", place: list[str] | None = None, **more: Any) -> dict[str, Any]:
    sentence = f"Reconcile the invoices of {task_id} with orders"
    return {"task_id": task_id, "task": sentence, "validation_state": state, "hierarchy": place, **more}


def small() -> Catalogue:
    """Make a catalogue with every gap and oddity a client must survive."""
    skills = [{"skill_id": "sk-1", "skill": "Payables"}]
    records = [
        {
            "external_id": "job-a",
            "tasks": [
                task("t-full", place=FINANCE, weekly_hours=6.5, ai_impact={"level": "H1", "rationale": "Rule-bound"}),
                task("t-skilled", "suggested", FINANCE, linked_skills=skills, source_data=[{"external_id": "jd-1"}]),
                task("t-refused", "rejected", weekly_hours=1),
            ],
        },
        {"external_id": "job-empty", "tasks": []},
        {
            "external_id": "job-odd",
            "valid_from": "2027-01-01",
            "tasks": [
                task("t-null", weekly_hours=None, ai_impact=None),
                task("t-zero", "archived", weekly_hours=0, ai_impact={"level": "H9", "rationale": "?"}),
                task("t-bare"),
            ],
        },
        {
            "external_id": "job-unmapped",
            "tasks": [task("t-far", place=["People", "Pay", "Payroll", "Run the payroll"])],
        },
    ]
    jobs = [
        {"job_id": "job-a", "job_name": "Clerk", "job_family_id": "fam-1", "last_updated": "2026-05-01"},
        {"job_id": "job-empty", "job_name": "Ghost", "job_family_id": "fam-2", "last_updated": "2026-05-02"},
        {"job_id": "job-odd", "job_name": None, "job_family_id": None, "job_inactive": 1, "last_updated": "2026-05-03"},
    ]
    families = [
        {"job_family_id": "fam-1", "job_family_name": "Finance", "job_family_group_name": "Corporate"},
        {"job_family_id": "fam-2", "job_family_name": "Ghosts", "job_family_inactive": "1"},
    ]
    return Catalogue(records, jobs, families)


def token_body(tenant: Tenant, /, **changes: Any) -> dict[str, Any]:
    names = ("client_id", "client_secret", "audience", "tenant")
    body = {"grant_type": "client_credentials", **{name: tenant.settings[name] for name in names}, **changes}
    return {name: value for name, value in body.items() if value is not None}


def ask_token(tenant: Tenant, /, **changes: Any) -> requests.Response:
    return requests.post(tenant.settings["token_url"], json=token_body(tenant, **changes), timeout=10)


class Caller:
    """Someone with a token and nothing of our own code."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.headers = {"Authorization": f"Bearer {ask_token(tenant).json()['access_token']}"}

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return self.call("GET", path, params=query)

    def export(self, query: dict[str, str] | None = None, /, **body: Any) -> tuple[int, Any]:
        return self.call("POST", EXPORT, params=query, json={"limit": 100, **body})

    def call(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        url = self.tenant.base_url + path
        response = requests.request(method, url, headers=self.headers, timeout=10, **kwargs)
        return response.status_code, response.json()

    def ids(self, **body: Any) -> list[str]:
        status, page = self.export(**body)
        assert status == 200, page
        return [record["external_id"] for record in page["records"]]

    def all_pages(self, limit: int, query: dict[str, str] | None = None, /, **body: Any) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            status, page = self.export(query, **{**body, "limit": limit, **cursor})
            assert status == 200, page
            pages.append(page)
            if not page["has_next"]:
                return pages
            cursor = {"starting_after": page["next_starting_after"]}


def refused(answer: tuple[int, Any], status: int, *words: str) -> None:
    """Check that an answer is the documented list of errors and says the words."""
    said, body = answer
    assert said == status, body
    assert isinstance(body, list)
    assert body
    for entry in body:
        assert set(entry) == {"title", "description"}
        assert entry["title"].startswith(f"{status} ")
    assert all(word in body[0]["description"] for word in words), body


@pytest.fixture(scope="module")
def odd() -> Iterator[Caller]:
    with Tenant(small(), rules=Rules()) as tenant:
        yield Caller(tenant)


@pytest.fixture(scope="module")
def alderbrook() -> Iterator[Caller]:
    with Tenant() as tenant:
        yield Caller(tenant)


def tasks_of(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["task_id"]: one for record in page["records"] for one in record["tasks"]}


# Contract 2.1 and 2.3: the token


def test_a_token_comes_as_documented() -> None:
    with Tenant(small(), token_lifetime_seconds=7200) as tenant:
        response = ask_token(tenant, scopes=["read"])
        said = response.json()
        assert response.status_code == 200
        assert "json" in response.headers["Content-Type"]
        assert set(said) == {"access_token", "expires_in", "scope", "token_type"}
        assert (said["expires_in"], said["scope"], said["token_type"]) == (7200, "read", "Bearer")


def test_without_scopes_a_token_carries_all_in_one_text() -> None:
    with Tenant(small()) as tenant:
        scope = ask_token(tenant).json()["scope"]
        assert isinstance(scope, str)
        assert "read" in scope.split(" ")


def test_every_token_is_a_new_one_and_counted() -> None:
    with Tenant(small()) as tenant:
        tokens = {ask_token(tenant).json()["access_token"] for _ in range(3)}
        assert len(tokens) == tenant.tokens_issued == 3


@pytest.mark.parametrize(
    ("changes", "status", "said"),
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
def test_a_wrong_credential_is_refused_in_oauth_form(changes: dict[str, Any], status: int, said: str) -> None:
    with Tenant(small()) as tenant:
        response = ask_token(tenant, **changes)
        assert response.status_code == status
        assert set(response.json()) == {"error", "error_description"}
        assert said in response.json()["error_description"]
        assert tenant.tokens_issued == 0


@pytest.mark.parametrize("how", [{"data": True}, {"json": ["client_credentials"]}, {"data": "{"}])
def test_a_token_is_given_for_a_json_object_only(how: dict[str, Any]) -> None:
    with Tenant(small()) as tenant:
        if how.get("data") is True:
            how = {"data": token_body(tenant)}
        response = requests.post(tenant.settings["token_url"], timeout=10, **how)
        assert response.status_code == 400
        assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer tok-guessed", "Basic {}", "Token {}", "{}"])
@pytest.mark.parametrize(("method", "path"), [("POST", EXPORT), ("GET", "/version"), ("GET", "/no/such/path")])
def test_nothing_is_answered_without_a_token(odd: Caller, header: str | None, method: str, path: str) -> None:
    token = odd.headers["Authorization"].removeprefix("Bearer ")
    headers = {} if header is None else {"Authorization": header.format(token)}
    response = requests.request(method, odd.tenant.base_url + path, headers=headers, json={"limit": 1}, timeout=10)
    refused((response.status_code, response.json()), 401, "token")


def test_a_token_dies_after_its_lifetime() -> None:
    with Tenant(small(), token_lifetime_seconds=0) as tenant:
        refused(Caller(tenant).export(), 401, "expired")


def test_tokens_can_be_made_invalid_in_the_middle_of_a_pull() -> None:
    with Tenant(small()) as tenant:
        caller = Caller(tenant)
        assert caller.export()[0] == 200
        tenant.expire_tokens()
        refused(caller.export(), 401)
        assert Caller(tenant).export()[0] == 200


# The version


def test_the_version_is_the_one_pinned() -> None:
    with Tenant(small(), rules=Rules(version="2026-02-03")) as tenant:
        assert Caller(tenant).get("/version") == (200, {"version": "2026-02-03"})


# Contract 3.3: the export as a list


def test_every_job_is_in_the_export_those_without_tasks_too(odd: Caller) -> None:
    status, page = odd.export()
    assert status == 200
    assert page["has_next"] is False
    assert "next_starting_after" not in page
    assert [record["external_id"] for record in page["records"]] == ["job-a", "job-empty", "job-odd", "job-unmapped"]
    assert page["records"][1]["tasks"] == []


@pytest.mark.parametrize("include", [[], *([name] for name in EVERYTHING), EVERYTHING])
def test_optional_fields_are_sent_exactly_when_included(alderbrook: Caller, include: list[str]) -> None:
    body = {"include": include} if include else {}
    tasks = [one for page in alderbrook.all_pages(100, **body) for r in page["records"] for one in r["tasks"]]
    always = {"task_id", "task", "validation_state"}
    assert set().union(*tasks) == always | set(include) - {"rejected_tasks"}
    assert all(always <= set(one) for one in tasks)
    states = {one["validation_state"] for one in tasks}
    assert states == {"validated", "suggested"} | ({"rejected"} if "rejected_tasks" in include else set())


def test_gaps_and_oddities_are_sent_as_they_are(odd: Caller) -> None:
    page = odd.export(include=EVERYTHING)[1]
    tasks = tasks_of(page)
    assert tasks["t-null"]["weekly_hours"] is None
    assert tasks["t-null"]["ai_impact"] is None
    assert tasks["t-zero"]["weekly_hours"] == 0
    assert tasks["t-zero"]["ai_impact"]["level"] == "H9"
    assert tasks["t-zero"]["validation_state"] == "archived"
    assert set(tasks["t-bare"]) == {"task_id", "task", "validation_state"}
    assert page["records"][2]["valid_from"] == "2027-01-01"


def test_fields_have_the_documented_types(alderbrook: Caller) -> None:
    for page in alderbrook.all_pages(100, include=EVERYTHING):
        for one in tasks_of(page).values():
            assert isinstance(one.get("weekly_hours", 0), (int, float))
            if "ai_impact" in one:
                assert set(one["ai_impact"]) == {"level", "rationale"}
            assert all(set(source) == {"external_id"} for source in one["source_data"])
            assert all(set(skill) == {"skill_id", "skill"} for skill in one["linked_skills"])


def test_a_generous_deployment_sends_hours_unasked() -> None:
    with Tenant(small(), rules=Rules(generous=True)) as tenant:
        page = Caller(tenant).export()[1]
    assert tasks_of(page)["t-full"]["weekly_hours"] == 6.5
    assert "ai_impact" not in tasks_of(page)["t-full"]


def test_names_of_skills_follow_the_vendor(odd: Caller) -> None:
    own, other = (
        tasks_of(odd.export({"external_vendor": vendor}, include=["linked_skills"])[1])["t-skilled"]["linked_skills"]
        for vendor in ("techwolf", "workday")
    )
    assert [skill["skill_id"] for skill in own] == [skill["skill_id"] for skill in other]
    assert own[0]["skill"] == "Payables" != other[0]["skill"]


# Contract 3.2 and 3.5: body and paging


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"limit": None}, "limit"),
        ({"limit": 0}, "between 1 and 100"),
        ({"limit": 101}, "between 1 and 100"),
        ({"limit": -1}, "between 1 and 100"),
        ({"limit": "50"}, "integer"),
        ({"limit": 5.0}, "integer"),
        ({"limit": True}, "integer"),
        ({"starting_after": "job-gone"}, "starting_after"),
        ({"starting_after": "j" * 101}, "100 characters"),
        ({"starting_after": ""}, "starting_after"),
        ({"starting_after": 7}, "string"),
        ({"include": "ai_impact"}, "list"),
        ({"include": ["ai_impact", "salary"]}, "salary"),
        ({"include": [["ai_impact"]]}, "include"),
        ({"includes": []}, "Unknown field includes"),
        ({"filters": {"filter": "last_updated"}}, "list of objects"),
        ({"filters": ["last_updated"]}, "list of objects"),
        ({"filters": [{"filter": "is_active", "is_active": True}]}, "Unknown filter 'is_active'"),
        ({"filters": [{}]}, "Unknown filter"),
        ({"filters": [{"filter": ["last_updated"], "value": "2026-05-01", "operator": "gt"}]}, "Unknown filter"),
        ({"filters": [{"filter": "job_family_id_is_in_list", "job_family_ids": []}]}, "at least one"),
        ({"filters": [{"filter": "job_family_id_is_in_list", "job_family_ids": "fam-1"}]}, "list"),
        ({"filters": [{"filter": "job_family_id_is_in_list"}]}, "Unknown filter"),
        ({"filters": [{"filter": "job_family_id_is_in_list", "job_family_ids": ["a"], "not": True}]}, "not"),
        ({"filters": [{"filter": "last_updated", "value": "2026-05-01", "operator": "ne"}]}, "operator"),
        ({"filters": [{"filter": "last_updated", "value": "2026-05-01", "operator": ["gt"]}]}, "operator"),
        ({"filters": [{"filter": "last_updated", "value": "last week", "operator": "gt"}]}, "timestamp"),
        ({"filters": [{"filter": "last_updated", "value": 20260501, "operator": "gt"}]}, "timestamp"),
    ],
)
def test_a_wrong_body_is_refused_with_the_list_of_errors(odd: Caller, body: dict[str, Any], said: str) -> None:
    refused(odd.export(**body), 400, said)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"limit"', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(odd: Caller, raw: bytes) -> None:
    refused(odd.call("POST", EXPORT, data=raw), 400, "object")


@pytest.mark.parametrize(
    "query",
    [{"response_format": "tree"}, {"external_vendor": "oracle"}, {"external_vendor": "sap_attribute_library"}],
)
def test_a_wrong_or_inactive_choice_is_refused(odd: Caller, query: dict[str, str]) -> None:
    refused(odd.export(query), 400, next(iter(query)))


def test_every_page_size_gives_the_same_jobs_in_order_of_creation(alderbrook: Caller) -> None:
    created = [record["external_id"] for record in alderbrook.tenant.catalogue.records]
    for limit in (1, 7, 99, 100):
        pages = alderbrook.all_pages(limit)
        assert [r["external_id"] for page in pages for r in page["records"]] == created
        assert all(len(page["records"]) == limit for page in pages[:-1])
        for page in pages[:-1]:
            assert page["next_starting_after"] == page["records"][-1]["external_id"]
        assert "next_starting_after" not in pages[-1]


def test_a_full_last_page_says_that_it_is_the_last(odd: Caller) -> None:
    pages = odd.all_pages(2)
    assert [len(page["records"]) for page in pages] == [2, 2]
    assert odd.export(limit=4)[1]["has_next"] is False


def test_a_cursor_on_the_last_job_gives_an_empty_last_page(odd: Caller) -> None:
    assert odd.export(starting_after="job-unmapped") == (200, {"has_next": False, "records": []})


def test_an_older_deployment_knows_fewer_values() -> None:
    with Tenant(small(), rules=Rules(older=True)) as tenant:
        caller = Caller(tenant)
        assert caller.export(include=["ai_impact", "source_data", "weekly_hours"])[0] == 200
        refused(caller.export(include=["weekly_hours", "linked_skills"]), 400, "linked_skills")
        refused(caller.export(include=["rejected_tasks"]), 400, "rejected_tasks")
        refused(caller.export({"external_vendor": "techwolf"}), 400, "external_vendor")


# Contract 3.4: the export as a hierarchy


def leaves_of_groups(node: Any, depth: int = 0, above: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if depth == len(LEVELS):
        return [(above, one) for one in node]
    below = "tasks" if depth == len(LEVELS) - 1 else f"{LEVELS[depth + 1]}s"
    found = []
    for group in node:
        assert set(group) == {LEVELS[depth], below}
        found += leaves_of_groups(group[below], depth + 1, (*above, group[LEVELS[depth]]))
    return found


def leaves_of_nodes(nodes: Any, above: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    found = []
    for node in nodes:
        assert set(node) == {"name", "level", "children", "tasks"}
        if node["name"] is not None:
            assert node["level"] == LEVELS[len(above)]
        here = (*above, node["name"])
        found += [(here, one) for one in node["tasks"]] + leaves_of_nodes(node["children"], here)
    return found


SHAPES = {"groups": ("hierarchy", leaves_of_groups), "nodes": ("tree", leaves_of_nodes)}
labels = st.sampled_from(["A", "B", "C"])
places = st.none() | st.lists(labels, min_size=4, max_size=4)


@pytest.mark.parametrize("shape", SHAPES)
@hypothesis.given(jobs=st.lists(st.lists(places, max_size=6), max_size=4))
def test_the_tree_holds_the_tasks_of_the_list_each_in_its_place(shape: Any, jobs: list[list[list[str] | None]]) -> None:
    records = [
        {"external_id": f"job-{i}", "tasks": [task(f"t-{i}-{k}", place=place) for k, place in enumerate(job)]}
        for i, job in enumerate(jobs)
    ]
    key, leaves = SHAPES[shape]
    with Tenant(Catalogue(records), rules=Rules(hierarchy_shape=shape)) as tenant:
        caller = Caller(tenant)
        flat, tree = (caller.export({"response_format": form})[1]["records"] for form in ("list", "hierarchy"))
    for stored, plain, nested in zip(records, flat, tree, strict=True):
        assert set(nested) == {"external_id", key}
        found = {one["task_id"]: (path, one) for path, one in leaves(nested[key])}
        assert {name: one for name, (_, one) in found.items()} == {one["task_id"]: one for one in plain["tasks"]}
        for one in stored["tasks"]:
            assert found[one["task_id"]][0] == tuple(one["hierarchy"] or [None] * 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_empty_profile_is_an_empty_tree(shape: Any) -> None:
    with Tenant(small(), rules=Rules(hierarchy_shape=shape)) as tenant:
        records = Caller(tenant).export({"response_format": "hierarchy"})[1]["records"]
    assert records[1] == {"external_id": "job-empty", SHAPES[shape][0]: []}


def test_each_label_of_a_tree_stands_once(alderbrook: Caller) -> None:
    def check(groups: list[dict[str, Any]], depth: int) -> None:
        names = [group[LEVELS[depth]] for group in groups]
        assert len(names) == len(set(names))
        for group in groups:
            if depth < len(LEVELS) - 1:
                check(group[f"{LEVELS[depth + 1]}s"], depth + 1)

    for record in alderbrook.export({"response_format": "hierarchy"})[1]["records"]:
        check(record["hierarchy"], 0)


# Contract 4.1 and 4.2: one job, one task


@pytest.mark.parametrize("form", ["list", "hierarchy"])
def test_one_job_is_its_record_in_the_export(odd: Caller, form: str) -> None:
    include = ["ai_impact", "weekly_hours", "rejected_tasks"]
    for record in odd.export({"response_format": form}, include=include)[1]["records"]:
        path = f"/job_architecture/jobs/{record['external_id']}/task_profile"
        assert odd.get(path, include=include, response_format=form) == (200, record)


def test_one_job_knows_only_its_own_include_values(odd: Caller) -> None:
    path = "/job_architecture/jobs/job-a/task_profile"
    assert odd.get(path, include=["ai_impact", "source_data", "rejected_tasks", "weekly_hours"])[0] == 200
    refused(odd.get(path, include=["linked_skills"]), 400, "linked_skills")
    refused(odd.get(path, response_format="tree"), 400, "response_format")


@pytest.mark.parametrize("path", ["/job_architecture/jobs/job-gone/task_profile", "/tasks/t-gone"])
def test_what_is_unknown_is_not_found(odd: Caller, path: str) -> None:
    refused(odd.get(path), 404, "not found")


def test_one_task_shows_what_was_included(odd: Caller) -> None:
    bare = {"task_id": "t-full", "task": "Reconcile the invoices of t-full with orders"}
    extra = {
        "ai_impact": {"level": "H1", "rationale": "Rule-bound"},
        "hierarchy": dict(zip(LEVELS, FINANCE, strict=True)),
        "task_source": "vocabulary",
        "enrichment_status": "complete",
    }
    assert odd.get("/tasks/t-full") == (200, bare)
    assert odd.get("/tasks/t-full", include=list(extra)) == (200, {**bare, **extra})
    for name, value in extra.items():
        assert odd.get("/tasks/t-full", include=[name]) == (200, {**bare, name: value})
    refused(odd.get("/tasks/t-full", include=["weekly_hours"]), 400, "weekly_hours")


def test_a_task_outside_the_taxonomy_has_no_place(odd: Caller) -> None:
    said = odd.get("/tasks/t-bare", include=["ai_impact", "hierarchy", "task_source", "enrichment_status"])[1]
    assert said["hierarchy"] is None
    assert said["ai_impact"] is None
    assert (said["task_source"], said["enrichment_status"]) == ("custom", "pending")


# Contract 5: the two lists


@pytest.mark.parametrize("name", ["jobs", "job_families"])
def test_a_list_comes_in_parts_that_add_up(alderbrook: Caller, name: str) -> None:
    path = f"/job_architecture/{name}"
    rows = getattr(alderbrook.tenant.catalogue, "jobs" if name == "jobs" else "families")
    whole: list[Any] = []
    while len(whole) < len(rows):
        status, part = alderbrook.get(path, limit=100, offset=len(whole))
        assert status == 200
        assert set(part) == {"count", "results"}
        assert part["count"] == len(rows)
        assert part["results"]
        whole += part["results"]
    first = alderbrook.get(path)[1]["results"]
    assert first == whole[:100]
    assert alderbrook.get(path, offset=len(rows))[1] == {"count": len(rows), "results": []}
    assert len({row["external_id"] for row in whole}) == len(rows)


def test_the_lists_carry_names_families_and_activity(odd: Caller) -> None:
    jobs = odd.get("/job_architecture/jobs")[1]["results"]
    assert jobs[0] == {
        "external_id": "job-a",
        "job_name": "Clerk",
        "job_family_id": "fam-1",
        "active": True,
        "last_updated": "2026-05-01",
    }
    assert (jobs[2]["job_name"], jobs[2]["job_family_id"], jobs[2]["active"]) == (None, None, False)
    families = odd.get("/job_architecture/job_families")[1]["results"]
    assert [(f["job_family_name"], f["job_family_group"], f["active"]) for f in families] == [
        ("Finance", "Corporate", True),
        ("Ghosts", None, False),
    ]
    assert set(families[0]) == {"external_id", "job_family_name", "job_family_group", "active", "last_updated"}


@pytest.mark.parametrize("name", ["jobs", "job_families"])
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"limit": "all"}, {"offset": "x"}])
def test_a_wrong_part_of_a_list_is_refused(odd: Caller, name: str, query: dict[str, Any]) -> None:
    refused(odd.get(f"/job_architecture/{name}", **query), 400, next(iter(query)))


@pytest.mark.parametrize("name", ["jobs", "job_families"])
def test_the_lists_can_be_missing(name: str) -> None:
    with Tenant(small(), rules=Rules(lists=False)) as tenant:
        caller = Caller(tenant)
        refused(caller.get(f"/job_architecture/{name}"), 404)
        assert caller.export()[0] == 200


# Contract 6: filters


def family(*ids: str) -> dict[str, Any]:
    return {"filter": "job_family_id_is_in_list", "job_family_ids": list(ids)}


def updated(operator: str, value: str) -> dict[str, Any]:
    return {"filter": "last_updated", "value": value, "operator": operator}


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ([], ["job-a", "job-empty", "job-odd", "job-unmapped"]),
        ([family("fam-1")], ["job-a"]),
        ([family("fam-2", "fam-1")], ["job-a", "job-empty"]),
        ([family("fam-unknown")], []),
        ([family("fam-1"), family("fam-2")], []),
        ([updated("gt", "2026-05-02")], ["job-odd"]),
        ([updated("gte", "2026-05-02")], ["job-empty", "job-odd"]),
        ([updated("lt", "2026-05-02")], ["job-a"]),
        ([updated("lte", "2026-05-02")], ["job-a", "job-empty"]),
        ([updated("exact", "2026-05-02")], ["job-empty"]),
        ([updated("gt", "2026-05-01T23:59:59Z")], ["job-empty", "job-odd"]),
        ([updated("exact", "2026-05-02T02:00:00+02:00")], ["job-empty"]),
        ([updated("gte", "2026-05-01"), family("fam-2")], ["job-empty"]),
        ([updated("gt", "2026-05-01"), updated("lt", "2026-05-03")], ["job-empty"]),
    ],
)
def test_filters_keep_what_satisfies_all_of_them(odd: Caller, filters: list[Any], kept: list[str]) -> None:
    assert odd.ids(filters=filters) == kept


@hypothesis.given(data=st.data(), limit=st.integers(1, 100))
def test_paging_through_a_filter_loses_and_repeats_nothing(alderbrook: Caller, data: Any, limit: int) -> None:
    catalogue = alderbrook.tenant.catalogue
    known = sorted({job["job_family_id"] for job in catalogue.jobs if job["job_family_id"]})
    wanted = data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    pages = alderbrook.all_pages(limit, filters=[family(*wanted)])
    jobs = [job["job_id"] for job in catalogue.jobs if job["job_family_id"] in wanted]
    assert [record["external_id"] for page in pages for record in page["records"]] == jobs


# Contract 8: errors, and what is no call


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", EXPORT),
        ("POST", "/version"),
        ("GET", "/"),
        ("GET", "/employees"),
        ("POST", "/tasks"),
        ("PUT", "/tasks/t-full"),
        ("PATCH", "/job_architecture/jobs/job-a/task_profile"),
        ("DELETE", "/job_architecture/jobs/job-a"),
    ],
)
def test_what_is_no_call_is_refused(odd: Caller, method: str, path: str) -> None:
    refused(odd.call(method, path), 405, method)


# The server itself


def test_packed_answers_go_only_to_those_who_accept_them(odd: Caller) -> None:
    for encoding, packed in (("gzip", "gzip"), ("identity", None)):
        headers = {**odd.headers, "Accept-Encoding": encoding}
        response = requests.get(odd.tenant.base_url + "/version", headers=headers, timeout=10)
        assert response.headers.get("Content-Encoding") == packed
        assert response.json() == {"version": "2025-01-29"}
    with Tenant(small(), compress=False) as tenant:
        response = requests.get(tenant.base_url + "/version", headers=Caller(tenant).headers, timeout=10)
        assert "Content-Encoding" not in response.headers


def test_it_listens_on_this_machine_only(odd: Caller) -> None:
    assert urlsplit(odd.tenant.base_url).hostname == "127.0.0.1"
    port = urlsplit(odd.tenant.base_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_a_fault_changes_the_export_request_it_is_for() -> None:
    with Tenant(small()) as tenant:
        tenant.faults[2] = lambda reply: replace(reply, status=503, body=b"[]")
        caller = Caller(tenant)
        assert caller.get("/version")[0] == 200
        assert [caller.export()[0] for _ in range(3)] == [200, 503, 200]
        tenant.faults[0] = lambda reply: replace(reply, status=429)
        assert [caller.export()[0] for _ in range(2)] == [429, 429]
        assert caller.get("/version")[0] == 200


def test_a_fault_changes_the_token_request_it_is_for() -> None:
    with Tenant(small()) as tenant:
        tenant.token_faults[1] = lambda _: Reply(502, b"<html>", {"Content-Type": "text/html"})
        first, second = ask_token(tenant), ask_token(tenant)
        assert (first.status_code, first.text) == (502, "<html>")
        assert second.status_code == 200


@pytest.mark.parametrize("cut_at", [0, 1, 40])
def test_a_connection_can_break_in_the_middle_of_a_body(cut_at: int) -> None:
    with Tenant(small()) as tenant:
        tenant.faults[1] = lambda reply: replace(reply, cut_at=cut_at)
        caller = Caller(tenant)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            caller.export()
        assert caller.export()[0] == 200


def test_requests_are_counted_in_order() -> None:
    with Tenant(small()) as tenant:
        caller = Caller(tenant)
        caller.export()
        caller.get("/tasks/t-full", include=["hierarchy"])
        assert tenant.requests == [("POST", "/oauth/token"), ("POST", EXPORT), ("GET", "/tasks/t-full")]


def test_files_of_records_and_mappings_are_served_as_they_are(tmp_path: Path) -> None:
    write_sample(tmp_path)
    catalogue = catalogue_of(tmp_path / "sample-2026-05.jsonl.gz", tmp_path / "jobs.csv", tmp_path / "job_families.csv")
    with Tenant(catalogue) as served, Tenant() as made:
        mine, theirs = (Caller(tenant).all_pages(100, include=EVERYTHING) for tenant in (served, made))
        assert json.dumps(mine) == json.dumps(theirs)
        filtered = [family("fam-fin")]
        assert Caller(served).ids(filters=filtered) == Caller(made).ids(filters=filtered) != []


def test_records_alone_are_served_without_names(tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text('{"external_id": "job-1", "tasks": []}\n\n', encoding="utf-8")
    with Tenant(catalogue_of(tmp_path / "export.jsonl")) as tenant:
        caller = Caller(tenant)
        assert caller.ids() == ["job-1"]
        assert caller.get("/job_architecture/jobs") == (200, {"count": 0, "results": []})
