"""Job names and families from mapping tables and from the tenant."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.profiles.conftest import invented, small_company
from tpanalytics.demo.handlers import Catalogue
from tpanalytics.demo.server import Reply, Tenant
from tpanalytics.schema import JOBS, OPTIONAL_JOBS, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

JOB_ROWS = [
    ("007", "Clerk", "0", "10"),
    ("8", "Buyer", "1", "10"),
    ("job-c", "Käufer, groß", "", "fam-b"),
    ("job-d", "", "0", ""),
]
FAMILY_ROWS = [("10", "Finance", "Corporate"), ("fam-b", "Procurement", "")]
JOB_HEAD = ("job_id", "job_name", "job_inactive", "job_family_id")
FAMILY_HEAD = ("job_family_id", "job_family_name", "job_family_group_name")


def csv(name: str, head: tuple[str, ...], *rows: tuple[str, ...], separator: str = ",", mark: bytes = b"") -> Path:
    """Write a CSV file in which cells with a comma are quoted."""
    lines = [separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in (head, *rows)]
    path = Path(name)
    path.write_bytes(mark + "\n".join(lines).encode())
    return path


@pytest.fixture
def profiles() -> tpa.TaskProfiles:
    """Return five jobs with up to two tasks. The last job is not in the mapping."""
    task = {"task": "Do work", "validation_state": "validated", "weekly_hours": 1}
    records = [
        {"external_id": job_id, "tasks": [{**task, "task_id": f"t{i}"} for i in range(n)]}
        for job_id, n in (("007", 2), ("8", 1), ("job-c", 0), ("job-d", 1), ("job-e", 1))
    ]
    path = Path("records.json")
    path.write_text(json.dumps(records), encoding="utf-8")
    return tpa.read_records(path)


def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the mapping as frames with null instead of empty cells."""
    tables = (pl.DataFrame(JOB_ROWS, JOB_HEAD, orient="row"), pl.DataFrame(FAMILY_ROWS, FAMILY_HEAD, orient="row"))
    jobs, families = (table.with_columns(pl.all().replace("", None)) for table in tables)
    return jobs, families


def check(assigned: tpa.TaskProfiles) -> None:
    assert assigned.jobs.select(*list(JOBS)[:5], "active").rows() == [
        ("007", "Clerk", "10", "Finance", "Corporate", True),
        ("8", "Buyer", "10", "Finance", "Corporate", False),
        ("job-c", "Käufer, groß", "fam-b", "Procurement", None, True),
        ("job-d", None, None, None, None, True),
        ("job-e", None, None, None, None, None),
    ]
    assert assigned.jobs["n_tasks"].to_list() == [2, 1, 0, 1, 1]
    assert assigned.tasks["job_id"].to_list() == ["007", "007", "8", "job-d", "job-e"]
    assert assigned.tasks["job_family"].to_list() == ["Finance", "Finance", "Finance", None, None]
    assert assigned.jobs.schema == pl.Schema({**JOBS, "active": OPTIONAL_JOBS["active"]})
    assert assigned.tasks.schema == pl.Schema(TASKS)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_csv_separator_is_detected(profiles: tpa.TaskProfiles, separator: str, mark: bytes) -> None:
    jobs = csv("jobs.csv", JOB_HEAD, *JOB_ROWS, separator=separator, mark=mark)
    families = csv("families.csv", FAMILY_HEAD, *FAMILY_ROWS, separator=separator, mark=mark)
    check(tpa.assign_families(profiles, jobs, families))
    check(tpa.assign_families(profiles, str(jobs), str(families)))


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_mapping_can_be_a_data_frame(profiles: tpa.TaskProfiles, lazy: bool) -> None:
    jobs, families = (frame.lazy() if lazy else frame for frame in frames())
    if lazy:
        profiles = replace(profiles, jobs=profiles.jobs.lazy(), tasks=profiles.tasks.lazy())
    assigned = tpa.assign_families(profiles, jobs, families)
    check(replace(assigned, tasks=assigned.tasks.lazy().collect()))
    assert isinstance(assigned.tasks, pl.LazyFrame) is lazy


def test_cells_are_stripped(profiles: tpa.TaskProfiles) -> None:
    jobs = csv("jobs.csv", JOB_HEAD, *[tuple(f"  {cell} " for cell in row) for row in JOB_ROWS])
    families = csv("families.csv", FAMILY_HEAD, *[tuple(f" {cell}  " for cell in row) for row in FAMILY_ROWS])
    check(tpa.assign_families(profiles, jobs, families))


def test_numeric_ids_are_compared_as_text(profiles: tpa.TaskProfiles) -> None:
    jobs = pl.DataFrame({"job_id": [8, 9], "job_family_id": [10, None]})
    families = pl.DataFrame({"job_family_id": [10], "job_family_name": ["Finance"]})
    assigned = tpa.assign_families(profiles, jobs, families)
    assert assigned.jobs["job_family"].to_list() == [None, "Finance", None, None, None]
    assert assigned.jobs["job_family_id"].to_list() == [None, "10", None, None, None]


def test_leading_zeros_are_kept(profiles: tpa.TaskProfiles) -> None:
    wrong = csv("jobs.csv", ("job_id", "job_family_id"), ("7", "01"), ("8", "02"))
    assert tpa.assign_families(profiles, wrong).manifest["families"]["jobs_listed"] == 1
    assigned = tpa.assign_families(profiles, csv("jobs.csv", ("job_id", "job_family_id"), ("007", "01")))
    assert assigned.jobs["job_family_id"].to_list() == ["01", None, None, None, None]


def test_family_ids_are_used_without_family_table(profiles: tpa.TaskProfiles) -> None:
    assigned = tpa.assign_families(profiles, csv("jobs.csv", JOB_HEAD, *JOB_ROWS))
    assert assigned.jobs["job_family"].to_list() == ["10", "10", "fam-b", None, None]
    assert assigned.jobs["job_family_group"].null_count() == 5


def test_family_without_name_is_shown_by_id(profiles: tpa.TaskProfiles) -> None:
    rows = [("10", "", "Corporate"), ("fam-b", "", "")]
    assigned = tpa.assign_families(
        profiles, csv("jobs.csv", JOB_HEAD, *JOB_ROWS), csv("families.csv", FAMILY_HEAD, *rows)
    )
    assert assigned.jobs["job_family"].to_list() == ["10", "10", "fam-b", None, None]
    assert assigned.jobs["job_family_group"].to_list() == ["Corporate", "Corporate", None, None, None]


def test_families_with_equal_names_are_distinguished_by_id(profiles: tpa.TaskProfiles) -> None:
    rows = [("10", "Finance", "North"), ("fam-b", "Finance", "South"), ("fam-c", "Sales", "")]
    assigned = tpa.assign_families(
        profiles, csv("jobs.csv", JOB_HEAD, *JOB_ROWS), csv("families.csv", FAMILY_HEAD, *rows)
    )
    assert assigned.jobs["job_family"].to_list() == ["Finance (10)", "Finance (10)", "Finance (fam-b)", None, None]


def test_unmatched_jobs_are_counted(profiles: tpa.TaskProfiles) -> None:
    jobs = csv("jobs.csv", JOB_HEAD, *JOB_ROWS, ("gone-1", "Smith", "0", "10"), ("gone-2", "Miller", "1", ""))
    assigned = tpa.assign_families(profiles, jobs, csv("families.csv", FAMILY_HEAD, *FAMILY_ROWS))
    check(assigned)
    assert assigned.manifest["families"] == {
        "source": "jobs.csv",
        "jobs_listed": 4,
        "jobs_not_listed": 1,
        "jobs_without_family": 2,
        "listed_but_not_exported": 2,
    }


@pytest.mark.parametrize("families", [None, "families"])
def test_mapping_without_matching_jobs_raises(profiles: tpa.TaskProfiles, families: Any) -> None:
    empty = csv("jobs.csv", ("job_id", "job_family_id"))
    table = csv("families.csv", ("job_family_id", "job_family_name")) if families else None
    with pytest.raises(tpa.SchemaError, match=r"jobs\.csv: none of the 5 jobs .* is listed .* in the table: none\)"):
        tpa.assign_families(profiles, empty, table)
    other = csv("jobs.csv", ("job_id", "job_family_id"), ("7", ""))
    with pytest.raises(tpa.SchemaError, match=r"first id in the profiles: '007', in the table: '7'"):
        tpa.assign_families(profiles, other)


def test_empty_profiles_accept_any_mapping(profiles: tpa.TaskProfiles) -> None:
    empty = tpa.TaskProfiles(profiles.jobs.clear(), profiles.tasks.clear())
    assert tpa.assign_families(empty, csv("jobs.csv", ("job_id", "job_family_id"))).jobs.height == 0


def test_existing_names_are_kept_without_job_name_column(profiles: tpa.TaskProfiles) -> None:
    named = tpa.assign_families(profiles, csv("a.csv", ("job_id", "job_family_id", "job_name"), ("8", "f", "Eight")))
    again = tpa.assign_families(named, csv("b.csv", ("job_id", "job_family_id"), ("8", "g")))
    assert again.jobs.filter(job_id="8").select("job_name", "job_family").row(0) == ("Eight", "g")
    assert "4 of them not in b.csv" in repr(again)


def test_headcount_and_hours_are_kept_by_a_new_mapping(profiles: tpa.TaskProfiles) -> None:
    head = ("job_id", "job_family_id", "headcount", "fte", "contract_hours", "job_inactive")
    first = tpa.assign_families(
        profiles, csv("jobs.csv", head, ("007", "10", "2.0", "1.5", "38.5", "1"), ("8", "10", "", "", "40", "0"))
    )
    again = tpa.assign_families(first, csv("moved.csv", ("job_id", "job_family_id"), ("8", "fam-b")))
    assert again.jobs.select("headcount", "fte", "contract_hours", "active").rows() == [
        (2, 1.5, 38.5, False),
        (None, None, 40.0, True),
        *[(None, None, None, None)] * 3,
    ]
    assert again.jobs["job_family"].to_list() == [None, "fam-b", None, None, None]
    assert again.tasks["job_family"].to_list() == [None, None, "fam-b", None, None]
    assert again.jobs.schema == pl.Schema({**JOBS, **OPTIONAL_JOBS})
    assert again.manifest["families"]["source"] == "moved.csv"


def test_assign_families_is_idempotent(sample: tpa.TaskProfiles) -> None:
    company = invented()
    again = tpa.assign_families(sample, pl.DataFrame(company.jobs), pl.DataFrame(company.families))
    assert_frame_equal(again.jobs, sample.jobs)
    assert_frame_equal(again.tasks, sample.tasks)


def test_assign_families_does_not_change_its_input(profiles: tpa.TaskProfiles) -> None:
    jobs, tasks, manifest = profiles.jobs.clone(), profiles.tasks.clone(), dict(profiles.manifest)
    tpa.assign_families(profiles, *frames())
    assert_frame_equal(profiles.jobs, jobs)
    assert_frame_equal(profiles.tasks, tasks)
    assert profiles.manifest == manifest


# Header and rows of an invalid mapping, and parts of the error message.
INVALID_JOBS = {
    "similar names": (("job_ID", "family_id"), [("007", "10")], ["jobs.csv", "'job_id'", "did you mean 'job_ID'"]),
    "missing column": (("job_id", "job_name"), [("007", "Clerk")], ["jobs.csv", "'job_family_id'", "'job_name'"]),
    "repeated id": (
        ("job_id", "job_family_id"),
        [("007", "10"), ("8", "10"), ("007", "fam-b")],
        ["jobs.csv", "job_id", "'007'", "lines 2, 4"],
    ),
    "several repeated ids": (
        ("job_id", "job_family_id"),
        [("007", "10"), ("007", "10"), ("8", ""), ("8", "")],
        ["'007'", "lines 2, 3", "(1 more repeated id)"],
    ),
    "repeated id with spaces": (("job_id", "job_family_id"), [("8", ""), (" 8 ", "10")], ["'8'", "lines 2, 3"]),
    "empty id": (("job_id", "job_family_id"), [("007", "10"), ("", "10"), (" ", "10")], ["job_id", "2 rows"]),
    "unknown family": (
        ("job_id", "job_family_id"),
        [("007", "fam-x"), ("8", "fam-x"), ("job-c", "10")],
        ["jobs.csv", "families.csv", "'fam-x' (2 jobs)", "leave `job_family_id` empty"],
    ),
    "many unknown families": (
        ("job_id", "job_family_id"),
        [(str(i), f"fam-{i}") for i in range(7)],
        ["'fam-0' (1 job)", "and 2 more"],
    ),
    "headcount as text": (
        ("job_id", "job_family_id", "headcount"),
        [("007", "10", "1"), ("8", "10", "two")],
        ["headcount", "job '8'", "'two'", "(1 invalid row)"],
    ),
    "decimal comma": (("job_id", "job_family_id", "headcount"), [("8", "10", "1,5")], ["'1,5'", "decimal point"]),
    "fractions of people": (
        ("job_id", "job_family_id", "headcount"),
        [("007", "10", "1"), ("8", "10", "1.5")],
        ["jobs.csv", "`headcount` of job '8'", "whole number of people, not '1.5'", "rename it to `fte`"],
    ),
    "negative fte": (("job_id", "job_family_id", "fte"), [("8", "10", "-0.5")], ["fte", "'-0.5'"]),
    "negative hours": (("job_id", "job_family_id", "contract_hours"), [("8", "10", "-1")], ["contract_hours", "'-1'"]),
    "infinite hours": (("job_id", "job_family_id", "contract_hours"), [("8", "10", "inf")], ["contract_hours", "inf"]),
    "NaN": (("job_id", "job_family_id", "headcount"), [("8", "10", "NaN")], ["headcount", "NaN"]),
}


@pytest.mark.parametrize(("head", "rows", "parts"), INVALID_JOBS.values(), ids=INVALID_JOBS.keys())
def test_invalid_job_mapping_raises(
    profiles: tpa.TaskProfiles, head: tuple[str, ...], rows: list[tuple[str, ...]], parts: list[str]
) -> None:
    families = csv("families.csv", FAMILY_HEAD, *FAMILY_ROWS)
    with pytest.raises(tpa.SchemaError) as exc_info:
        tpa.assign_families(profiles, csv("jobs.csv", head, *rows), families)
    for part in parts:
        assert part in str(exc_info.value)


@pytest.mark.parametrize(
    ("head", "rows", "parts"),
    [
        (("job_family_id", "name"), [("10", "Finance")], ["families.csv", "'job_family_name'"]),
        (FAMILY_HEAD[:2], [("10", "Finance"), ("fam-b", "B"), ("10", "X")], ["job_family_id", "'10'", "lines 2, 4"]),
        (FAMILY_HEAD[:2], [("10", "Finance"), ("fam-b", "B"), ("", "X")], ["job_family_id", "1 row (line 4)"]),
    ],
    ids=["missing column", "repeated id", "empty id"],
)
def test_invalid_family_mapping_raises(
    profiles: tpa.TaskProfiles, head: tuple[str, ...], rows: list[tuple[str, ...]], parts: list[str]
) -> None:
    with pytest.raises(tpa.SchemaError) as exc_info:
        tpa.assign_families(profiles, csv("jobs.csv", JOB_HEAD, *JOB_ROWS), csv("families.csv", head, *rows))
    for part in parts:
        assert part in str(exc_info.value)


def test_error_names_the_invalid_data_frame(profiles: tpa.TaskProfiles) -> None:
    jobs, families = frames()
    with pytest.raises(tpa.SchemaError, match="the jobs table"):
        tpa.assign_families(profiles, jobs.drop("job_id"), families)
    with pytest.raises(tpa.SchemaError, match="the families table"):
        tpa.assign_families(profiles, jobs, families.drop("job_family_id"))
    with pytest.raises(tpa.SchemaError, match="`jobs` must be a path or a data frame, not list"):
        tpa.assign_families(profiles, [("007", "10")])


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", tpa.SchemaError),
        (b"job_id,job_family_id\n007,10,more,fields\n", tpa.SchemaError),
        ("job_id,job_family_id\nK\u00e4ufer,10\n".encode("latin-1"), tpa.SchemaError),
        ("job_id,job_family_id\n007,10\n".encode("utf-16")[:-1], tpa.SchemaError),
        (None, tpa.ConfigError),
    ],
    ids=["empty", "ragged", "latin-1", "damaged utf-16", "missing"],
)
def test_unreadable_mapping_file_raises(profiles: tpa.TaskProfiles, raw: bytes | None, error: type[Exception]) -> None:
    path = Path.cwd() / "mapping.csv"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(error, match=r"^`?mapping\.csv") as exc_info:
        tpa.assign_families(profiles, path)
    assert str(path.parent) not in str(exc_info.value)


_ids = st.text("ab01 ", min_size=1, max_size=3).filter(str.strip)


@given(st.dictionaries(_ids.map(str.strip), st.none() | st.sampled_from(["f1", "f2", "f3"]), max_size=8))
def test_mapping_does_not_change_number_of_jobs_and_tasks(mapping: dict[str, str | None]) -> None:
    jobs = [{"job_id": f"{a}{b}".strip(), "n_tasks": 1} for a in "ab01" for b in ("", "0", "b")]
    base = tpa.TaskProfiles(
        jobs=pl.DataFrame({name: [row.get(name) for row in jobs] for name in JOBS}, schema=JOBS),
        tasks=pl.DataFrame({name: [row.get(name) for row in jobs] for name in TASKS}, schema=TASKS),
    )
    mapping = {"a0": None, **mapping}  # a mapping without matching jobs raises
    table = pl.DataFrame(
        {"job_id": list(mapping), "job_family_id": list(mapping.values())},
        schema={"job_id": pl.String, "job_family_id": pl.String},
    )
    assigned = tpa.assign_families(base, table)
    assert assigned.jobs["job_id"].to_list() == [row["job_id"] for row in jobs]
    assert assigned.jobs["job_family"].to_list() == [mapping.get(str(row["job_id"])) for row in jobs]
    assert assigned.tasks["job_family"].to_list() == assigned.jobs["job_family"].to_list()
    counts = assigned.manifest["families"]
    assert counts["jobs_listed"] + counts["jobs_not_listed"] == len(jobs)
    assert counts["jobs_listed"] + counts["listed_but_not_exported"] == len(mapping)


def load(tenant: Tenant, **options: Any) -> tpa.TaskProfiles:
    client = tpa.connect(**tenant.settings, retry=tpa.RetryPolicy(tries=2, base=0))
    return tpa.load_task_profiles(client, **{"include": (), "progress": False, **options})


EXPORT = ("POST", "/job_architecture/export/jobs/task_profiles")
FAMILY_LIST = ("GET", "/job_architecture/job_families")


def calls(tenant: Tenant) -> dict[tuple[str, str], int]:
    """Return the number of requests by method and path, except for tokens and the version."""
    counts = Counter(tenant.requests)
    return {call: n for call, n in counts.items() if call[1] not in {"/oauth/token", "/version"}}


def family_of_jobs() -> dict[str, str | None]:
    return {row["job_id"]: row["job_family_id"] for row in small_company().jobs}


def test_all_families_are_labelled_and_other_jobs_are_dropped(serve: Callable[..., Tenant]) -> None:
    tenant, company = serve(lists=False), small_company()
    ids = [family["job_family_id"] for family in company.families]
    profiles = load(tenant, families=ids, limit=2)
    expected = {job: family for job, family in family_of_jobs().items() if family is not None}
    assert dict(profiles.jobs.select("job_id", "job_family_id").rows()) == expected
    assert profiles.jobs["job_family"].to_list() == profiles.jobs["job_family_id"].to_list()
    assert profiles.jobs["job_name"].null_count() == profiles.jobs.height == len(expected) < 40
    assert profiles.manifest["families"]["source"] == "the requested families"


@given(
    st.sets(st.sampled_from([family["job_family_id"] for family in small_company().families]), min_size=1, max_size=3)
)
def test_dropping_other_jobs_equals_filtering_all_jobs(tenant: Tenant, families: set[str]) -> None:
    tenant.catalogue = small_company()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some families have no jobs
        everything = load(tenant, families="lists")
        dropped, kept = (load(tenant, families=sorted(families), other_jobs=choice) for choice in ("drop", "keep"))
    labels = ("job_family_id", "job_family", "job_family_group")
    expected = everything.jobs.filter(pl.col("job_family_id").is_in(families))
    assert_frame_equal(dropped.jobs.drop("job_name"), expected.select(dropped.jobs.drop("job_name").columns))
    assert_frame_equal(dropped.tasks, everything.tasks.filter(pl.col("job_id").is_in(expected["job_id"].implode())))
    labelled = everything.jobs.with_columns(pl.when(pl.col("job_family_id").is_in(families)).then(pl.col(*labels)))
    assert_frame_equal(kept.jobs.select("job_id", *labels, "n_tasks"), labelled.select("job_id", *labels, "n_tasks"))
    assert_frame_equal(kept.tasks.drop("job_family"), everything.tasks.drop("job_family"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"families": ["Finance"]}, {FAMILY_LIST: 1, EXPORT: 1}),
        ({"families": ["Finance"], "other_jobs": "keep"}, {FAMILY_LIST: 1, EXPORT: 1 + 4}),
        ({"families": ["Finance", "fam-hr"]}, {FAMILY_LIST: 1, EXPORT: 2 + 1}),
        ({"families": ["fam-fin", "Finance"], "workers": 2}, {FAMILY_LIST: 1, EXPORT: 1 + 2}),
        ({"families": None}, {("GET", "/job_architecture/jobs"): 1, EXPORT: 4}),
        ({"families": "lists"}, {("GET", "/job_architecture/jobs"): 1, FAMILY_LIST: 1, EXPORT: 4}),
    ],
    ids=["one", "keep", "two", "workers", "none", "lists"],
)
def test_number_of_requests(
    serve: Callable[..., Tenant], options: dict[str, Any], expected: dict[tuple[str, str], int]
) -> None:
    tenant = serve()
    load(tenant, limit=10, **options)
    assert calls(tenant) == expected


@pytest.mark.parametrize("other_jobs", ["drop", "keep"])
def test_ids_work_without_lists(serve: Callable[..., Tenant], other_jobs: str) -> None:
    expected = [family if family == "fam-fin" else None for family in family_of_jobs().values()]
    expected = [family for family in expected if other_jobs == "keep" or family]
    profiles = load(serve(lists=False), families=["fam-fin"], other_jobs=other_jobs)
    assert profiles.jobs["job_family"].to_list() == expected
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"Family 'fam-nowhere' has no jobs.*no list to look up names in"):
        profiles = load(serve(lists=False), families=["fam-fin", "fam-nowhere"], other_jobs=other_jobs)
    assert profiles.jobs["job_family"].to_list() == expected


def answer_list(tenant: Tenant, path: str, reply: Reply) -> None:
    """Replace the response to one list."""
    original = tenant.reply

    def replaced(method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
        normal = original(method, target, headers, raw)
        return reply if target.startswith(path) else normal

    tenant.reply = replaced  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, b"[]"),
        Reply(405, b""),
        Reply(403, b"[]"),
        Reply(400, b"<html>"),
        Reply(200, b"<html>"),
        Reply(200, b'{"count": 1, "results": [{"id": 7}]}'),
    ],
    ids=lambda reply: f"{reply.status} {reply.body!r}",
)
def test_unexpected_list_of_families_does_not_stop_the_export(serve: Callable[..., Tenant], reply: Reply) -> None:
    tenant = serve()
    answer_list(tenant, FAMILY_LIST[1], reply)
    assert set(load(tenant, families=["fam-fin"]).jobs["job_family"]) == {"fam-fin"}


def test_failing_list_of_families_raises(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    answer_list(tenant, FAMILY_LIST[1], Reply(503, b"[]"))
    with pytest.raises(tpa.ApiError, match="job_families: the service returned 503"):
        load(tenant, families=["Finance"])
    assert EXPORT not in tenant.requests


def with_families(tenant: Tenant, *rows: tuple[str, str]) -> Tenant:
    families = [{"job_family_id": family_id, "job_family_name": name} for family_id, name in rows]
    tenant.catalogue = Catalogue(tenant.catalogue.records, tenant.catalogue.jobs, families)
    return tenant


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (["Finanse"], r"`families`: 'Finanse' is not a job family of this tenant \(did you mean 'Finance'"),
        (["finance"], r"'finance' is not a job family of this tenant \(did you mean 'Finance'"),
        (["fam-fni"], "did you mean 'fam-fin'"),
        (
            ["fam-hr"],
            "'fam-hr' is the id of one job family and the name of another, 'fam-it'. Pass the id of the second",
        ),
        (["Sales"], r"'Sales' is the name of 2 job families \('fam-sales', 'fam-cs'\). Pass their ids."),
    ],
    ids=lambda value: value[0],
)
def test_unknown_and_ambiguous_families_raise(serve: Callable[..., Tenant], families: list[str], message: str) -> None:
    tenant = with_families(
        serve(),
        ("fam-fin", "Finance"),
        ("fam-hr", "People"),
        ("fam-it", "fam-hr"),
        ("fam-sales", "Sales"),
        ("fam-cs", "Sales"),
    )
    with pytest.raises(tpa.ArgumentError, match=message):
        load(tenant, families=families)
    assert calls(tenant).get(EXPORT, 0) <= 1


def test_family_can_be_named_as_in_results(serve: Callable[..., Tenant]) -> None:
    rows = ("fam-it", "fam-it"), ("fam-sales", "Sales"), ("fam-cs", "Sales")
    profiles = load(with_families(serve(), *rows), families=["Sales (fam-cs)", "fam-it"])
    assert dict(profiles.jobs.select("job_family_id", "job_family").rows()) == {
        "fam-cs": "Sales (fam-cs)",
        "fam-it": "fam-it",
    }


def test_id_missing_in_the_list_is_accepted_if_it_has_jobs(serve: Callable[..., Tenant]) -> None:
    tenant = with_families(serve(), ("fam-hr", "People"))
    assert set(load(tenant, families=["fam-fin", "People"]).jobs["job_family"]) == {"fam-fin", "People"}


@pytest.mark.parametrize("families", [[], "Finance", ["fam-fin", 7], [""], {"fam-fin"}, 5], ids=repr)
def test_invalid_families_raise_before_any_request(serve: Callable[..., Tenant], families: Any) -> None:
    tenant = serve()
    with pytest.raises(tpa.ConfigError, match="`families` must be a list of ids or names like"):
        load(tenant, families=families)
    with pytest.raises(tpa.ArgumentError, match="`other_jobs` must be 'drop' or 'keep', not 'ignore'"):
        load(tenant, families=["fam-fin"], other_jobs="ignore")
    assert tenant.requests == []


def test_repr_states_that_other_jobs_are_dropped(serve: Callable[..., Tenant]) -> None:
    text = repr(load(serve(), families=["Finance"]))
    assert text.endswith("complete for the requested job families; may be a subset of the tenant.")
    assert "requested" not in repr(load(serve(), families="lists"))


@pytest.mark.parametrize("families", [["Finance"], ["fam-fin", "Sales"]], ids=repr)
@pytest.mark.parametrize("other_jobs", ["drop", "keep"])
def test_interrupted_export_of_families_can_be_resumed(
    serve: Callable[..., Tenant], families: list[str], other_jobs: str
) -> None:
    tenant = serve()
    options: dict[str, Any] = {"families": families, "other_jobs": other_jobs, "limit": 1}
    expected = load(tenant, **options)
    n = calls(tenant)[EXPORT]
    tenant.faults[2 * n - 1] = lambda reply: replace(reply, status=400, body=b"[]")
    with pytest.raises(tpa.ApiError):
        load(tenant, snapshot="snapshot", **options)
    for change, message in (
        ({"families": ["fam-hr"]}, 'families was ["fam-fin'),
        ({"other_jobs": "keep" if other_jobs == "drop" else "drop"}, "other_jobs was"),
        ({"families": None}, "families was"),
    ):
        with pytest.raises(tpa.SnapshotError, match=re.escape(message)):
            load(tenant, snapshot="snapshot", **{**options, **change})
    tenant.faults.clear()
    ids = ["fam-fin", *(["fam-sales"] if "Sales" in families else [])]
    resumed = load(tenant, snapshot="snapshot", **{**options, "families": ids})  # ids and names are the same request
    assert_frame_equal(resumed.jobs, expected.jobs)
    assert_frame_equal(resumed.tasks, expected.tasks)
    assert resumed.manifest["resumed_pages"] > 0
    request = tpa.read_profiles("snapshot").manifest["request"]
    assert (request["families"], request["other_jobs"], request["filters"]) == (ids, other_jobs, [])


@pytest.mark.parametrize("snapshot", [None, "snapshot"])
def test_states_are_stored_in_the_manifest(serve: Callable[..., Tenant], snapshot: str | None) -> None:
    tenant = serve()
    profiles = load(tenant, states=["validated"], snapshot=snapshot)
    assert profiles.manifest["states"] == ["validated"]
    assert profiles.tasks["validation_state"].n_unique() == 2
    if snapshot:
        assert tpa.read_profiles(snapshot).manifest["states"] == ["validated"]
    assert "states" not in load(tenant).manifest
    tenant.requests.clear()
    for states in ("validated", ["rejected"], []):
        with pytest.raises(tpa.ArgumentError, match="`states` must"):
            load(tenant, states=states)
    assert tenant.requests == []


def test_filters_also_apply_to_family_exports(serve: Callable[..., Tenant]) -> None:
    family_filter = {"filter": "job_family_id_is_in_list", "job_family_ids": ["fam-hr"]}
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"Family 'fam-fin' has no jobs in this export\.$"):
        profiles = load(serve(), filters=[family_filter], families=["fam-hr", "fam-fin"])
    assert profiles.jobs["job_family_id"].unique().to_list() == ["fam-hr"]
    assert profiles.manifest["families"]["listed_but_not_exported"] == 0
    with pytest.warns(tpa.TpAnalyticsWarning, match="Family 'fam-fin' has no jobs"):
        assert load(serve(), filters=[family_filter], families=["fam-fin"]).jobs.height == 0


def test_invalid_record_does_not_stop_family_exports(serve: Callable[..., Tenant]) -> None:
    tenant, task = serve(), {"task_id": "t", "task": 5, "validation_state": "validated"}
    records = [
        {**record, "tasks": [task]} if record["external_id"] == "job-0002" else record
        for record in tenant.catalogue.records
    ]
    tenant.catalogue = Catalogue(records, tenant.catalogue.jobs, tenant.catalogue.families)
    ids = [family["job_family_id"] for family in tenant.catalogue.families]
    with pytest.warns(tpa.TpAnalyticsWarning, match="job-0002"):
        profiles = load(tenant, families=ids, other_jobs="keep", on_bad_record="collect")
    assert profiles.jobs.height == 39
    family_of = {row["job_id"]: row["job_family_id"] for row in tenant.catalogue.jobs if row["job_id"] != "job-0002"}
    assert dict(profiles.jobs.select("job_id", "job_family_id").rows()) == family_of


def test_lists_provide_names_and_families(serve: Callable[..., Tenant]) -> None:
    company = small_company()
    profiles = load(serve(), families="lists")
    names = {family["job_family_id"]: family["job_family_name"] for family in company.families}
    groups = {family["job_family_id"]: family["job_family_group_name"] for family in company.families}
    assert profiles.jobs.select(*list(JOBS)[:5], "active").rows() == [
        (
            row["job_id"],
            row["job_name"],
            row["job_family_id"],
            names.get(row["job_family_id"]),
            groups.get(row["job_family_id"]),
            str(row["job_inactive"]) != "1",
        )
        for row in company.jobs
    ]
    assert profiles.manifest["families"]["source"] == "lists of the service"


def test_family_missing_in_list_is_shown_by_id(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    tenant.catalogue = Catalogue(tenant.catalogue.records, tenant.catalogue.jobs, [])
    profiles = load(tenant, families="lists")
    assert profiles.jobs["job_family"].to_list() == profiles.jobs["job_family_id"].to_list()
    assert profiles.jobs["job_family"].null_count() < 40


def test_repeated_list_entries_are_ignored(serve: Callable[..., Tenant]) -> None:
    tenant = serve()
    jobs = [*tenant.catalogue.jobs, {**tenant.catalogue.jobs[0], "job_name": "Another name", "job_family_id": None}]
    tenant.catalogue = Catalogue(tenant.catalogue.records, jobs, tenant.catalogue.families * 2)
    profiles = load(tenant, families="lists")
    assert profiles.jobs.height == 40
    assert profiles.jobs["job_name"][0] == jobs[0]["job_name"]


def test_missing_lists_raise(serve: Callable[..., Tenant]) -> None:
    with pytest.raises(tpa.ApiError, match="this tenant has no such list") as exc_info:
        load(serve(lists=False), families="lists")
    assert exc_info.value.status == 404
    assert "assign_families" in str(exc_info.value)


@pytest.mark.parametrize("fields", [{"job_name": 5}, {"job_family_id": 1.5}], ids=repr)
def test_invalid_list_entry_raises(serve: Callable[..., Tenant], fields: dict[str, Any]) -> None:
    tenant = serve()
    tenant.catalogue = Catalogue(tenant.catalogue.records, [{**tenant.catalogue.jobs[0], **fields}], [])
    with pytest.raises(tpa.ApiError, match="unexpected entry in the list"):
        load(tenant, families="lists")


def test_failed_family_export_raises_before_main_export(serve: Callable[..., Tenant]) -> None:
    def refuse(reply: Reply) -> Reply:
        return replace(reply, status=400, body=b'[{"title": "Bad Request", "description": "no such filter"}]')

    tenant = serve()
    tenant.faults[2] = refuse  # the first family has one page
    with pytest.raises(tpa.ApiError, match="no such filter"):
        load(tenant, families=["fam-fin", "fam-hr"], snapshot="snapshot")
    assert len([path for _, path in tenant.requests if "export" in path]) == 2
    assert load(tenant, families=["fam-fin", "fam-hr"], snapshot="snapshot").jobs["job_family"].n_unique() == 2
