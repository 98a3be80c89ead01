"""Tests of the data quality checks."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers import builders
from tests.helpers.builders import in_parts, query, task
from tests.helpers.random_profiles import companies, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

REASONS = {"NO_JOBS", "NO_TASKS", "NO_HOURS", "NO_CONTRACT_HOURS", "TOO_FEW", "NOT_REQUESTED", "NOT_RECORDED"}
REASONS |= {"NO_VARIATION"}


def job(*tasks: dict[str, Any], family: str | None = "A", week: float | None = 40.0) -> dict[str, Any]:
    return {"job_name": "n", **builders.job(*tasks, family=family, headcount=1.0, week=week)}


def checked(profiles: tpa.TaskProfiles, **arguments: Any) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in tpa.quality_report(profiles, **arguments).iter_rows(named=True)}


#: SQL for each check: number affected, number checked, known hours affected.
QUERIES = {
    "hours_missing": "select count(*) filter (h is null), count(*), null from t",
    "levels_missing": "select count(*) filter (l is null), count(*), sum(h) filter (l is null) from t",
    "hours_and_levels_missing": "select count(*) filter (l is null and h is null), count(*), null from t",
    "levels_unknown": """select count(*) filter (not regexp_full_match(l, 'H[1-5]')), count(*),
        sum(h) filter (not regexp_full_match(l, 'H[1-5]')) from t""",
    "not_validated": """select count(*) filter (state = 'suggested'), count(*),
        sum(h) filter (state = 'suggested') from t""",
    "zero_hours": "select count(*) filter (h = 0), count(h), 0 from t",
    "tasks_over_contract": "select count(*) filter (h > c), count(h), sum(h) filter (h > c) from t where c > 0",
    "jobs_without_tasks": "select count(*) filter (n = 0), count(*), 0 from j",
    "jobs_incomplete": """select count(*) filter (known < n), count(*), sum(h) filter (known < n)
        from j where n > 0""",
    "weeks_over_described": """select count(*) filter (h / c > 1.1 + 1e-9), count(*),
        sum(h) filter (h / c > 1.1 + 1e-9) from j where c > 0 and known > 0""",
    "weeks_under_described": """select count(*) filter (h / c < 0.5 - 1e-9), count(*),
        sum(h) filter (h / c < 0.5 - 1e-9) from j where c > 0 and n > 0 and known = n""",
    "headcount_missing": "select count(*) filter (fte is null), count(*), sum(h) filter (fte is null) from j",
    "contract_hours_missing": "select count(*) filter (c is null), count(*), sum(h) filter (c is null) from j",
    "jobs_without_name": "select count(*) filter (called is null), count(*), sum(h) filter (called is null) from j",
    "jobs_without_family": "select count(*) filter (f is null), count(*), sum(h) filter (f is null) from j",
    "families_without_tasks": """select count(*) filter (n = 0), count(*), 0
        from (select sum(n) n from j where f is not null group by f)""",
    "repeated_tasks": "select sum(n) filter (n > 1), sum(n), sum(h) filter (n > 1) from p",
    "repeated_hours": "select count(*) filter (n > 1), count(*), sum(h) filter (n > 1) from p",
}


VIEWS = """t as (select job_id, task_id, validation_state as state, weekly_hours as h, ai_impact_level as l,
        contract_hours as c from tasks join jobs using (job_id) where validation_state <> 'rejected'),
    j as (select any_value(job_family) as f, any_value(contract_hours) as c, any_value(headcount) as fte,
        any_value(job_name) as called, count(task_id) as n, count(h) as known, sum(h) as h
        from jobs left join t using (job_id) group by job_id),
    p as (select job_id, task_id, count(*) n, sum(h) as h from t group by all)"""


def expected_counts(profiles: tpa.TaskProfiles) -> dict[str, tuple[int, int, float | None]]:
    """Return the number affected, the number checked and their known hours by check."""
    counts = [f"select '{name}' as name, * from ({sql}) as q(affected, n, hours)" for name, sql in QUERIES.items()]
    rows = query(profiles, f"with {VIEWS} {' union all '.join(counts)}")
    return {row["name"]: (row["affected"] or 0, row["n"] or 0, row["hours"]) for row in rows}


def check_counts(profiles: tpa.TaskProfiles, report: dict[str, dict[str, Any]]) -> None:
    known = profiles.tasks.filter(pl.col("validation_state") != "rejected")["weekly_hours"].sum()
    for name, (affected, of, hours) in expected_counts(profiles).items():
        row = report[name]
        if row["reason"]:
            assert (row["value"], row["affected"], row["share_hours"]) == (None, None, None)
            assert not of, name
            continue
        assert (row["affected"], row["of"]) == (affected, of), name
        if name != "repeated_hours":
            assert math.isclose(row["value"], affected / of), name
        if affected and hours is not None and known:
            assert math.isclose(row["share_hours"], hours / known, abs_tol=1e-9), name
        assert (row["severity"] == "ok") == (affected == 0), name
        if name == "jobs_incomplete":
            assert re.match(rf"Of {of:,} jobs? with tasks, {affected:,} \(", row["finding"])
        else:
            assert f"{affected:,} of {of:,} " in row["finding"], name


def levels_by_key(profiles: tpa.TaskProfiles) -> dict[str, dict[str, str | None]]:
    """Resolve the level of each task in each job, None if it is missing or contradictory."""
    stated: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    resolved: dict[str, dict[str, str | None]] = defaultdict(dict)
    for row in profiles.tasks.filter(pl.col("validation_state") != "rejected").iter_rows(named=True):
        resolved[row["task_id"]][row["job_id"]] = None
        if row["ai_impact_level"] is not None:
            stated[row["task_id"], row["job_id"]].append(
                (row["ai_impact_level"], row["validation_state"] == "validated")
            )
    for (key, job_id), levels in stated.items():
        all_levels, validated = (
            {level for level, _ in levels},
            {level for level, is_validated in levels if is_validated},
        )
        agreed = all_levels if len(all_levels) == 1 else validated
        resolved[key][job_id] = agreed.pop() if len(agreed) == 1 else None
    return resolved


def check_shared_tasks(profiles: tpa.TaskProfiles, report: dict[str, dict[str, Any]]) -> None:
    rated = [
        levels
        for jobs in levels_by_key(profiles).values()
        if len(levels := [level for level in jobs.values() if level is not None]) > 1
    ]
    row = report["rated_differently"]
    if rated:
        assert (row["affected"], row["of"]) == (sum(len(set(levels)) > 1 for levels in rated), len(rated))
    else:
        assert row["reason"] in {"TOO_FEW", "NO_TASKS"}


@functools.cache
def all_checks() -> list[str]:
    return sorted(tpa.quality_report(profiles_of([]))["check"])


def check_rows(report: pl.DataFrame) -> None:
    """Check that the columns of each row agree with each other."""
    assert sorted(report["check"]) == all_checks()
    assert report["check"].is_unique().all()
    for row in report.iter_rows(named=True):
        assert (row["value"] is None) == (row["reason"] is not None) == (row["affected"] is None)
        assert row["reason"] is None or row["reason"] in REASONS
        assert re.fullmatch(r"[A-Z\d].*\.", row["finding"], re.DOTALL)
        assert not re.search(r"\{|\}|nan|inf\b|None(?! of)", row["finding"])
        assert len(row["examples"]) <= 5
        assert (row["severity"] == "ok") <= (row["reason"] is None)
        for name in ("value", "share_hours"):
            assert row[name] is None or math.isfinite(row[name])
        assert row["share_hours"] is None or 0 <= row["share_hours"] <= 1
        if row["unit"] == "share, 0 to 1" and row["value"] is not None:
            assert 0 <= row["value"] <= 1


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_and_loops_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    report = tpa.quality_report(profiles)
    check_rows(report)
    rows = {row["check"]: row for row in report.iter_rows(named=True)}
    check_counts(profiles, rows)
    check_shared_tasks(profiles, rows)


def test_agreement_is_the_share_of_equal_pairs_of_at_least_20_tasks() -> None:
    def company(keys: int) -> tpa.TaskProfiles:
        levels = {1: ["H1", "H1", "H2"], 2: ["H3", None, "H3"]}
        return profiles_of(
            [job(*(task(levels[1 + k % 2][j], 1.0, key=f"k{k:02d}") for k in range(keys))) for j in range(3)]
        )

    report = checked(company(20))
    # In 10 tasks with 3 ratings, 1 of 3 pairs agrees; 10 tasks with 2 ratings agree.
    assert report["level_agreement"]["value"] == pytest.approx(20 / 40)
    assert (report["level_agreement"]["affected"], report["level_agreement"]["of"]) == (20, 40)
    assert report["rated_differently"]["value"] == pytest.approx(0.5)
    assert report["rated_differently"]["examples"] == ["k00", "k02", "k04", "k06", "k08"]
    assert report["level_alpha"]["value"] is not None
    too_few = checked(company(19))
    for name in ("level_agreement", "level_alpha"):
        assert (too_few[name]["value"], too_few[name]["severity"], too_few[name]["reason"]) == (None, "note", "TOO_FEW")
        assert "19 tasks" in too_few[name]["finding"]


def test_alpha_is_null_if_all_levels_are_equal() -> None:
    tasks = [task("H2", 1.0, key=f"k{k:02d}") for k in range(25)]
    report = checked(profiles_of([job(*tasks), job(*tasks)]))
    assert report["level_agreement"]["value"] == 1.0
    assert (report["level_alpha"]["value"], report["level_alpha"]["reason"]) == (None, "NO_VARIATION")


def test_number_of_pairs_may_exceed_32_bits() -> None:
    base = profiles_of([job(*(task("H1", key=f"k{i}") for i in range(20)))] * 2)
    n = 93_000
    job_ids = pl.select(job_id=pl.format("j{}", pl.int_range(1000, 1000 + n)))
    jobs = pl.concat([base.jobs, base.jobs.head(1).drop("job_id").join(job_ids, how="cross")], how="diagonal")
    tasks = pl.concat([base.tasks, base.tasks.head(1).drop("job_id").join(job_ids, how="cross")], how="diagonal")
    row = checked(tpa.TaskProfiles(jobs, tasks))["level_agreement"]
    assert row["of"] == math.comb(n + 2, 2) + 19 > 2**32


def test_defects_are_reported() -> None:
    profiles = profiles_of(
        [
            job(task("H1", 10.0, key="a"), task("H2", 6.0, key="a"), task("H9", 45.0, key="b")),
            job(task("H1", None, key="a"), task(None, 0.0, "suggested", key="b"), family="B"),
            job(task("H3", 1.0, "rejected", key="c"), family="C"),
        ]
    )
    report = checked(profiles)
    assert report["levels_unknown"]["finding"] == (
        "1 of 5 tasks (20.0%) has a level other than H1 to H5: 'H9' 1. Without a weight they count as not assessed."
    )
    assert report["tasks_over_contract"]["examples"] == ["j000"]
    assert report["weeks_over_described"]["examples"] == ["j000"]
    assert report["hours_missing"]["examples"] == ["j001"]
    assert report["zero_hours"]["examples"] == ["j001"]
    assert report["jobs_without_tasks"]["examples"] == ["j002"]
    assert report["families_without_tasks"]["examples"] == ["C"]
    assert report["rejected"]["affected"] == 1
    assert report["rejected"]["of"] == 5
    assert report["levels_in_conflict"]["examples"] == ["a"]
    assert report["levels_in_conflict"]["share_hours"] == pytest.approx(16 / 61)
    assert report["repeated_hours"]["value"] == 6.0
    assert (
        "16.0 hours per week if every row counts, 10.0 if only the longest row counts, and 16.0 if the rows are parts"
        in (report["repeated_hours"]["finding"])
    )


def test_sum_of_repeated_tasks_is_unknown_if_hours_are_missing() -> None:
    report = checked(profiles_of([job(task("H1", 4.0), task("H1", None))]))
    assert "0.0 if the rows are parts of one task (unknown for 1 of them)." in (report["repeated_hours"]["finding"])
    assert report["repeated_hours"]["value"] == 0.0


def test_clean_profiles_have_no_findings() -> None:
    keys = [f"k{k:02d}" for k in range(30)]
    tasks = [task(f"H{1 + k % 3}", 1.0, key=key) for k, key in enumerate(keys)]
    profiles = profiles_of([job(*tasks), job(*tasks)])
    tasks_with_sources = profiles.tasks.with_columns(source_data=pl.lit(["x"], dtype=pl.List(pl.String)))
    manifest = {"complete": True, "jobs": 2, "tasks": 60, "request": {"include": ["rejected_tasks"]}}
    report = tpa.quality_report(tpa.TaskProfiles(profiles.jobs, tasks_with_sources, manifest))
    assert set(report["severity"]) == {"ok"}
    assert report["value"].null_count() == 0
    assert set(report["affected"]) == {0}
    assert not tpa.about(report).warnings


@pytest.mark.parametrize(("missing", "severity"), [(0, "ok"), (1, "note"), (2, "warning"), (4, "error")])
def test_severity_depends_on_the_share_affected(missing: int, severity: str) -> None:
    tasks = [task("H1", None if i < missing else 2.0, key=f"k{i}") for i in range(10)]
    row = checked(profiles_of([job(*tasks)]))["hours_missing"]
    assert (row["severity"], row["value"]) == (severity, missing / 10)


def test_checks_are_sorted_by_severity_and_affected_hours() -> None:
    tasks = [task("H1" if i < 5 else None, None if i % 2 else 2.0, key=f"k{i}") for i in range(10)]
    report = tpa.quality_report(profiles_of([job(*tasks)]))
    ranks = [["error", "warning", "note", "ok"].index(severity) for severity in report["severity"]]
    assert ranks == sorted(ranks)
    errors = report.filter(severity="error")
    assert errors["check"].to_list() == ["hours_missing", "levels_missing"]
    assert tpa.about(report).warnings == ("Read first: hours_missing, levels_missing.",)


def test_unevenly_missing_hours_are_reported() -> None:
    tasks = [task("H1", 1.0, key=f"v{i}") for i in range(100)]
    tasks += [task("H1", None if i % 2 else 1.0, "suggested", key=f"s{i}") for i in range(100)]
    row = checked(profiles_of([job(*tasks)]))["missing_hours_uneven"]
    assert row["finding"] == (
        "Missing hours are not random. Share of tasks with hours: 50% for validation state suggested, "
        "100% for all others."
    )
    assert (row["severity"], row["value"], row["affected"], row["examples"]) == ("warning", 0.5, 100, ["suggested"])
    too_few = checked(profiles_of([job(*tasks[:2], *tasks[100:102])]))["missing_hours_uneven"]
    assert (too_few["severity"], too_few["value"]) == ("ok", 0.0)


def test_checks_of_data_that_was_not_requested_are_null() -> None:
    profiles = profiles_of([job(task())])
    report = checked(profiles)
    for name in ("rejected", "evidence_missing"):
        assert (report[name]["value"], report[name]["affected"], report[name]["severity"]) == (None, None, "note")
        assert report[name]["reason"] == "NOT_REQUESTED"
        assert "include=[" in report[name]["finding"]
    requested = dataclasses.replace(profiles, manifest={"request": {"include": ["rejected_tasks"]}})
    assert checked(requested)["rejected"]["value"] == 0.0


def test_tasks_without_a_source_are_counted(sample: tpa.TaskProfiles) -> None:
    included = sample.tasks["validation_state"] != "rejected"
    no_source = pl.int_range(pl.len()) % 4 == 0
    sources = pl.when(~no_source).then(pl.col("source_data").list.concat(pl.col("source_data")))
    tasks = sample.tasks.with_columns(source_data=sources)
    row = checked(tpa.TaskProfiles(sample.jobs, tasks))["evidence_missing"]
    tasks_included = tasks.filter(included)
    assert row["affected"] == tasks_included["source_data"].null_count()
    distinct = tasks_included["source_data"].drop_nulls().list.n_unique().mean()
    assert f"{distinct:.1f} different ones" in row["finding"]
    known = tasks_included["weekly_hours"].sum()
    assert row["share_hours"] == pytest.approx(
        tasks_included.filter(pl.col("source_data").is_null())["weekly_hours"].sum() / known
    )


def test_skipped_records_and_incomplete_exports_are_errors() -> None:
    profiles = profiles_of([job(task())])
    rejects = pl.DataFrame([("page 1", "j9", "$.tasks", "no list", "{}")], schema=profiles.rejects.schema, orient="row")
    report = checked(
        dataclasses.replace(profiles, rejects=rejects, manifest={"complete": False, "jobs": 1, "tasks": 1})
    )
    assert (report["records_left_out"]["severity"], report["records_left_out"]["examples"]) == ("error", ["j9"])
    assert (report["records_left_out"]["affected"], report["records_left_out"]["of"]) == (1, 2)
    assert report["export_complete"]["severity"] == "error"
    assert "NOT complete" in report["export_complete"]["finding"]
    assert checked(profiles)["export_complete"]["reason"] == "NOT_RECORDED"


def test_unknown_state_is_reported_with_one_warning() -> None:
    profiles = profiles_of([job(*(task(key=f"k{i}") for i in range(19)), task(state="draft"))])
    with pytest.warns(tpa.TpAnalyticsWarning, match="1 in state 'draft'") as caught:
        row = checked(profiles)["states_not_counted"]
    assert len(caught) == 1
    assert (row["affected"], row["of"], row["severity"]) == (1, 20, "warning")
    assert "'draft' 1" in row["finding"]


def test_tasks_without_an_id_are_different_tasks() -> None:
    profiles = profiles_of([job(task("H1"), task("H2"))])
    for task_id in (None, "", " "):
        tasks = profiles.tasks.with_columns(task_id=pl.lit(task_id, dtype=pl.String))
        report = checked(tpa.TaskProfiles(profiles.jobs, tasks))
        assert report["identity_missing"]["affected"] == 2
        assert report["repeated_tasks"]["affected"] in (None, 0)
        assert report["levels_in_conflict"]["affected"] in (None, 0)


def test_tasks_can_be_matched_by_text() -> None:
    profiles = profiles_of([job(task("H1", key="a")), job(task("H2", key="b"))])
    tasks = profiles.tasks.with_columns(task=pl.Series(["Close the  Books", "close the books "]))
    profiles = tpa.TaskProfiles(profiles.jobs, tasks)
    assert checked(profiles)["rated_differently"]["reason"] == "NO_TASKS"
    assert "same_task" in checked(profiles)["rated_differently"]["finding"]
    by_text = checked(profiles, same_task="text")["rated_differently"]
    assert (by_text["affected"], by_text["examples"]) == (1, ["close the books"])


def test_braces_in_names_are_not_formatted() -> None:
    tasks = [task("{level}", 1.0, key=f"v{i}") for i in range(100)]
    tasks += [task("{n}", None, "suggested", key="{key}") for i in range(100)]
    report = checked(profiles_of([job(*tasks, family="{have}"), job(family="研究開発 {0}")]))
    assert "'{n}' 100" in report["levels_unknown"]["finding"]
    assert "{n}" in report["missing_hours_uneven"]["finding"]
    assert report["families_without_tasks"]["examples"] == ["研究開発 {0}"]


def test_no_jobs_return_every_check() -> None:
    empty, report = tpa.quality_report(profiles_of([])), tpa.quality_report(profiles_of([job(task())]))
    assert empty.schema == report.schema
    assert set(empty["severity"]) <= {"note", "ok"}
    assert empty.filter(check="hours_missing").select("value", "of", "reason").row(0) == (None, 0, "NO_TASKS")
    assert empty.filter(check="jobs_without_tasks").item(0, "reason") == "NO_JOBS"


@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1))
def test_row_order_does_not_matter(profiles: tpa.TaskProfiles, seed: int, cut: float) -> None:
    shuffled = in_parts(profiles, seed, cut)
    assert_frame_equal(tpa.quality_report(shuffled), tpa.quality_report(profiles), abs_tol=1e-9)


def test_database_with_lists_returns_the_same_report(sample: tpa.TaskProfiles) -> None:
    sample.jobs.write_parquet("jobs.parquet")
    sample.tasks.write_parquet("tasks.parquet")
    profiles = tpa.TaskProfiles(*map(duckdb.read_parquet, ("jobs.parquet", "tasks.parquet")), manifest=sample.manifest)
    assert_frame_equal(tpa.quality_report(profiles), tpa.quality_report(sample), abs_tol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.quality_report(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
        (lambda p: tpa.quality_report(p, states="validated"), "`states` must be a list of validation states like"),
        (lambda p: tpa.quality_report(p, states=["rejected"]), "Rejected tasks are never counted"),
        (
            lambda p: tpa.quality_report(tpa.TaskProfiles(p.jobs, p.tasks.drop("task_id"))),
            "`tasks` has no column 'task_id'",
        ),
        (lambda p: tpa.quality_report(p.tasks), "must be TaskProfiles"),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(profiles_of([job(task())]))


def test_states_can_be_limited_to_validated(sample: tpa.TaskProfiles) -> None:
    report = checked(sample, states=["validated"])
    validated = sample.tasks.filter(validation_state="validated")
    assert report["hours_missing"]["of"] == validated.height
    assert report["not_validated"]["affected"] == 0
    assert report["states_not_counted"]["affected"] == 0


def test_findings_of_the_sample_and_the_real_data(sample: tpa.TaskProfiles, real: tpa.TaskProfiles) -> None:
    sample_report, real_report = checked(sample), checked(real, same_task="text")
    assert sample_report["hours_missing"]["affected"] == 760
    assert sample_report["weeks_over_described"]["affected"] == 2
    assert real_report["jobs_without_tasks"]["affected"] == 93
    assert real_report["families_without_tasks"]["examples"] == ["Military Specific Occupations"]
    assert real_report["rated_differently"]["of"] == 395
    assert real_report["missing_hours_uneven"]["severity"] == "warning"
    assert real_report["headcount_missing"]["value"] == 1.0
