"""Responses of the demo server."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.helpers.demo_client import (
    EVERYTHING,
    EXPORT,
    FINANCE,
    POSITIONS,
    DemoClient,
    assert_error,
    edge_case_catalogue,
    family,
    task,
)
from tpanalytics.demo.handlers import Catalogue, Rules
from tpanalytics.demo.server import Tenant

LEVELS = ("domain", "subdomain", "cluster", "canonical_task")


def tasks_of(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["task_id"]: item for record in page["records"] for item in record["tasks"]}


def test_version_is_the_version_of_the_rules() -> None:
    with Tenant(edge_case_catalogue(), rules=Rules(version="2026-02-03")) as tenant:
        assert DemoClient(tenant).get("/version") == (200, {"version": "2026-02-03"})


def test_export_includes_jobs_without_tasks(edge_cases: DemoClient) -> None:
    status, page = edge_cases.export()
    assert status == 200
    assert page["has_next"] is False
    assert "next_starting_after" not in page
    assert [record["external_id"] for record in page["records"]] == [
        "job-a",
        "job-empty",
        "job-odd",
        "job-unmapped",
    ]
    assert page["records"][1]["tasks"] == []


@pytest.mark.parametrize("include", [[], *([name] for name in EVERYTHING), EVERYTHING])
def test_optional_fields_are_sent_only_if_included(sample_company: DemoClient, include: list[str]) -> None:
    body = {"include": include} if include else {}
    tasks = [item for page in sample_company.all_pages(100, **body) for r in page["records"] for item in r["tasks"]]
    always = {"task_id", "task", "validation_state"}
    assert set().union(*tasks) == always | set(include) - {"rejected_tasks"}
    assert all(always <= set(item) for item in tasks)
    states = {item["validation_state"] for item in tasks}
    assert states == {"validated", "suggested"} | ({"rejected"} if "rejected_tasks" in include else set())


def test_missing_and_unusual_values_are_sent_unchanged(edge_cases: DemoClient) -> None:
    page = edge_cases.export(include=EVERYTHING)[1]
    tasks = tasks_of(page)
    assert tasks["t-null"]["weekly_hours"] is None
    assert tasks["t-null"]["ai_impact"] is None
    assert tasks["t-zero"]["weekly_hours"] == 0
    assert tasks["t-zero"]["ai_impact"]["level"] == "H9"
    assert tasks["t-zero"]["validation_state"] == "archived"
    assert set(tasks["t-bare"]) == {"task_id", "task", "validation_state"}
    assert page["records"][2]["valid_from"] == "2027-01-01"


def test_fields_have_documented_types(sample_company: DemoClient) -> None:
    for page in sample_company.all_pages(100, include=EVERYTHING):
        for item in tasks_of(page).values():
            assert isinstance(item.get("weekly_hours", 0), (int, float))
            if "ai_impact" in item:
                assert set(item["ai_impact"]) == {"level", "rationale"}
            assert all(set(source) == {"external_id"} for source in item["source_data"])
            assert all(set(skill) == {"skill_id", "skill"} for skill in item["linked_skills"])


def test_generous_deployment_sends_hours_unrequested() -> None:
    with Tenant(edge_case_catalogue(), rules=Rules(generous=True)) as tenant:
        page = DemoClient(tenant).export()[1]
    assert tasks_of(page)["t-full"]["weekly_hours"] == 6.5
    assert "ai_impact" not in tasks_of(page)["t-full"]


def test_skill_names_depend_on_the_vendor(edge_cases: DemoClient) -> None:
    own, other = (
        tasks_of(edge_cases.export({"external_vendor": vendor}, include=["linked_skills"])[1])["t-skilled"][
            "linked_skills"
        ]
        for vendor in ("techwolf", "workday")
    )
    assert [skill["skill_id"] for skill in own] == [skill["skill_id"] for skill in other]
    assert own[0]["skill"] == "Payables" != other[0]["skill"]


@pytest.mark.parametrize(
    ("body", "description"),
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
def test_invalid_body_is_refused(edge_cases: DemoClient, body: dict[str, Any], description: str) -> None:
    assert_error(edge_cases.export(**body), 400, description)


@pytest.mark.parametrize(
    ("body", "description"),
    [
        ({}, "limit is required"),
        ({"limit": 101}, "limit must be between"),
        ({"limit": 1, "include": ["ai_impact"]}, "Unknown field include"),
        ({"limit": 1, "starting_after": "emp-x"}, "starting_after"),
        ({"limit": 1, "filters": [{"filter": "is_active"}]}, "Unknown filter 'is_active'"),
    ],
)
def test_invalid_body_of_the_export_of_positions_is_refused(
    sample_company: DemoClient, body: dict[str, Any], description: str
) -> None:
    assert_error(sample_company.call("POST", POSITIONS, json=body), 400, description)
    query = {"response_format": "list"}
    assert_error(sample_company.call("POST", POSITIONS, json={"limit": 1}, params=query), 400, "simple or explained")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"limit"', b"\xff\xfe"])
def test_body_must_be_an_object(edge_cases: DemoClient, raw: bytes) -> None:
    assert_error(edge_cases.call("POST", EXPORT, data=raw), 400, "object")


@pytest.mark.parametrize(
    "query",
    [{"response_format": "tree"}, {"external_vendor": "oracle"}, {"external_vendor": "sap_attribute_library"}],
)
def test_unknown_or_disabled_query_values_are_refused(edge_cases: DemoClient, query: dict[str, str]) -> None:
    assert_error(edge_cases.export(query), 400, next(iter(query)))


def test_page_size_does_not_change_the_jobs_or_their_order(sample_company: DemoClient) -> None:
    created = [record["external_id"] for record in sample_company.tenant.catalogue.records]
    for limit in (7, 99, 100):
        pages = sample_company.all_pages(limit)
        assert [r["external_id"] for page in pages for r in page["records"]] == created
        assert all(len(page["records"]) == limit for page in pages[:-1])
        for page in pages[:-1]:
            assert page["next_starting_after"] == page["records"][-1]["external_id"]
        assert "next_starting_after" not in pages[-1]


def test_full_last_page_has_no_next_page(edge_cases: DemoClient) -> None:
    pages = edge_cases.all_pages(2)
    assert [len(page["records"]) for page in pages] == [2, 2]
    assert edge_cases.export(limit=4)[1]["has_next"] is False


def test_cursor_of_the_last_job_returns_an_empty_page(edge_cases: DemoClient) -> None:
    assert edge_cases.export(starting_after="job-unmapped") == (200, {"has_next": False, "records": []})


def test_older_deployment_supports_fewer_include_values() -> None:
    with Tenant(edge_case_catalogue(), rules=Rules(older=True)) as tenant:
        client = DemoClient(tenant)
        assert client.export(include=["ai_impact", "source_data", "weekly_hours"])[0] == 200
        assert_error(client.export(include=["weekly_hours", "linked_skills"]), 400, "linked_skills")
        assert_error(client.export(include=["rejected_tasks"]), 400, "rejected_tasks")
        assert_error(client.export({"external_vendor": "techwolf"}), 400, "external_vendor")


def leaves_of_groups(node: Any, depth: int = 0, parents: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if depth == len(LEVELS):
        return [(parents, item) for item in node]
    below = "tasks" if depth == len(LEVELS) - 1 else f"{LEVELS[depth + 1]}s"
    leaves: list[tuple[tuple[Any, ...], Any]] = []
    for group in node:
        assert set(group) == {LEVELS[depth], below}
        leaves += leaves_of_groups(group[below], depth + 1, (*parents, group[LEVELS[depth]]))
    return leaves


def leaves_of_nodes(nodes: Any, parents: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    leaves: list[tuple[tuple[Any, ...], Any]] = []
    for node in nodes:
        assert set(node) == {"name", "level", "children", "tasks"}
        if node["name"] is not None:
            assert node["level"] == LEVELS[len(parents)]
        path = (*parents, node["name"])
        leaves += [(path, item) for item in node["tasks"]] + leaves_of_nodes(node["children"], path)
    return leaves


SHAPES = {"groups": ("hierarchy", leaves_of_groups), "nodes": ("tree", leaves_of_nodes)}
labels = st.sampled_from(["A", "B", "C"])
hierarchies = st.none() | st.lists(labels, min_size=4, max_size=4)


@hypothesis.given(shape=st.sampled_from(list(SHAPES)), jobs=st.lists(st.lists(hierarchies, max_size=6), max_size=4))
def test_hierarchy_contains_the_same_tasks_as_the_list(shape: Any, jobs: list[list[list[str] | None]]) -> None:
    records = [
        {
            "external_id": f"job-{i}",
            "tasks": [task(f"t-{i}-{k}", hierarchy=hierarchy) for k, hierarchy in enumerate(job)],
        }
        for i, job in enumerate(jobs)
    ]
    key, leaves = SHAPES[shape]
    with Tenant(Catalogue(records), rules=Rules(hierarchy_shape=shape)) as tenant:
        client = DemoClient(tenant)
        flat, tree = (client.export({"response_format": form})[1]["records"] for form in ("list", "hierarchy"))
    for stored, plain, nested in zip(records, flat, tree, strict=True):
        assert set(nested) == {"external_id", key}
        nested_tasks = {item["task_id"]: (path, item) for path, item in leaves(nested[key])}
        assert {name: item for name, (_, item) in nested_tasks.items()} == {
            item["task_id"]: item for item in plain["tasks"]
        }
        for item in stored["tasks"]:
            assert nested_tasks[item["task_id"]][0] == tuple(item["hierarchy"] or [None] * 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_job_without_tasks_has_an_empty_hierarchy(shape: Any) -> None:
    with Tenant(edge_case_catalogue(), rules=Rules(hierarchy_shape=shape)) as tenant:
        records = DemoClient(tenant).export({"response_format": "hierarchy"})[1]["records"]
    assert records[1] == {"external_id": "job-empty", SHAPES[shape][0]: []}


def test_labels_of_a_hierarchy_level_are_unique(sample_company: DemoClient) -> None:
    def check(groups: list[dict[str, Any]], depth: int) -> None:
        names = [group[LEVELS[depth]] for group in groups]
        assert len(names) == len(set(names))
        for group in groups:
            if depth < len(LEVELS) - 1:
                check(group[f"{LEVELS[depth + 1]}s"], depth + 1)

    for record in sample_company.export({"response_format": "hierarchy"})[1]["records"]:
        check(record["hierarchy"], 0)


@pytest.mark.parametrize("form", ["list", "hierarchy"])
def test_single_job_equals_its_record_in_the_export(edge_cases: DemoClient, form: str) -> None:
    include = ["ai_impact", "weekly_hours", "rejected_tasks"]
    for record in edge_cases.export({"response_format": form}, include=include)[1]["records"]:
        path = f"/job_architecture/jobs/{record['external_id']}/task_profile"
        assert edge_cases.get(path, include=include, response_format=form) == (200, record)


def test_single_job_refuses_include_values_of_the_export(edge_cases: DemoClient) -> None:
    path = "/job_architecture/jobs/job-a/task_profile"
    assert edge_cases.get(path, include=["ai_impact", "source_data", "rejected_tasks", "weekly_hours"])[0] == 200
    assert_error(edge_cases.get(path, include=["linked_skills"]), 400, "linked_skills")
    assert_error(edge_cases.get(path, response_format="tree"), 400, "response_format")


@pytest.mark.parametrize("path", ["/job_architecture/jobs/job-gone/task_profile", "/tasks/t-gone"])
def test_unknown_job_or_task_is_not_found(edge_cases: DemoClient, path: str) -> None:
    assert_error(edge_cases.get(path), 404, "not found")


def test_single_task_contains_only_included_fields(edge_cases: DemoClient) -> None:
    bare = {"task_id": "t-full", "task": "Reconcile the invoices of t-full with orders"}
    extra = {
        "ai_impact": {"level": "H1", "rationale": "Rule-bound"},
        "hierarchy": dict(zip(LEVELS, FINANCE, strict=True)),
        "task_source": "vocabulary",
        "enrichment_status": "complete",
    }
    assert edge_cases.get("/tasks/t-full") == (200, bare)
    assert edge_cases.get("/tasks/t-full", include=list(extra)) == (200, {**bare, **extra})
    for name, value in extra.items():
        assert edge_cases.get("/tasks/t-full", include=[name]) == (200, {**bare, name: value})
    assert_error(edge_cases.get("/tasks/t-full", include=["weekly_hours"]), 400, "weekly_hours")


def test_custom_task_has_no_hierarchy(edge_cases: DemoClient) -> None:
    item = edge_cases.get("/tasks/t-bare", include=["ai_impact", "hierarchy", "task_source", "enrichment_status"])[1]
    assert item["hierarchy"] is None
    assert item["ai_impact"] is None
    assert (item["task_source"], item["enrichment_status"]) == ("custom", "pending")


@pytest.mark.parametrize("name", ["jobs", "job_families"])
def test_pages_of_a_list_are_complete_and_unique(sample_company: DemoClient, name: str) -> None:
    path = f"/job_architecture/{name}"
    rows = getattr(sample_company.tenant.catalogue, "jobs" if name == "jobs" else "families")
    results: list[Any] = []
    while len(results) < len(rows):
        status, part = sample_company.get(path, limit=100, offset=len(results))
        assert status == 200
        assert set(part) == {"count", "results"}
        assert part["count"] == len(rows)
        assert part["results"]
        results += part["results"]
    first = sample_company.get(path)[1]["results"]
    assert first == results[:100]
    assert sample_company.get(path, offset=len(rows))[1] == {"count": len(rows), "results": []}
    assert len({row["external_id"] for row in results}) == len(rows)


def test_lists_contain_names_families_and_activity(edge_cases: DemoClient) -> None:
    jobs = edge_cases.get("/job_architecture/jobs")[1]["results"]
    assert jobs[0] == {
        "external_id": "job-a",
        "job_name": "Clerk",
        "job_family_id": "fam-1",
        "active": True,
        "last_updated": "2026-05-01",
    }
    assert (jobs[2]["job_name"], jobs[2]["job_family_id"], jobs[2]["active"]) == (None, None, False)
    families = edge_cases.get("/job_architecture/job_families")[1]["results"]
    assert [(f["job_family_name"], f["job_family_group"], f["active"]) for f in families] == [
        ("Finance", "Corporate", True),
        ("Ghosts", None, False),
    ]
    assert set(families[0]) == {"external_id", "job_family_name", "job_family_group", "active", "last_updated"}


@pytest.mark.parametrize("name", ["jobs", "job_families"])
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"offset": -1}, {"limit": "all"}, {"offset": "x"}])
def test_invalid_limit_or_offset_of_a_list_is_refused(edge_cases: DemoClient, name: str, query: dict[str, Any]) -> None:
    assert_error(edge_cases.get(f"/job_architecture/{name}", **query), 400, next(iter(query)))


@pytest.mark.parametrize("name", ["jobs", "job_families"])
def test_lists_can_be_disabled(name: str) -> None:
    with Tenant(edge_case_catalogue(), rules=Rules(lists=False)) as tenant:
        client = DemoClient(tenant)
        assert_error(client.get(f"/job_architecture/{name}"), 404)
        assert client.export()[0] == 200


def updated(operator: str, value: str) -> dict[str, Any]:
    return {"filter": "last_updated", "value": value, "operator": operator}


@pytest.mark.parametrize(
    ("filters", "expected"),
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
def test_filters_are_combined_with_and(edge_cases: DemoClient, filters: list[Any], expected: list[str]) -> None:
    assert edge_cases.ids(filters=filters) == expected


@hypothesis.given(data=st.data(), limit=st.integers(1, 100))
def test_filtered_pages_are_complete_and_unique(sample_company: DemoClient, data: Any, limit: int) -> None:
    catalogue = sample_company.tenant.catalogue
    known = sorted({job["job_family_id"] for job in catalogue.jobs if job["job_family_id"]})
    family_ids = data.draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    pages = sample_company.all_pages(limit, filters=[family(*family_ids)])
    jobs = [job["job_id"] for job in catalogue.jobs if job["job_family_id"] in family_ids]
    assert [record["external_id"] for page in pages for record in page["records"]] == jobs


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
def test_unsupported_methods_and_paths_are_refused(edge_cases: DemoClient, method: str, path: str) -> None:
    assert_error(edge_cases.call(method, path), 405, method)
