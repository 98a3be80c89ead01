"""Tests of coverage by job family."""

from __future__ import annotations

import math

import hypothesis
import polars as pl
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import TASKS, check_row_order, close, job, one_job, query, task, with_headcount
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures.coverage import compare_hours_coverage


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    rows = query(
        profiles,
        f"""{TASKS} select p.family, count(distinct p.job_id) jobs, count(distinct t.job_id) filled,
             count(t.state) tasks,
             count(h) / nullif(count(state), 0) hours_coverage,
             count(*) filter (level <> 'not assessed') / nullif(count(state), 0) level_coverage,
             count(*) filter (level <> 'not assessed' and h is not null) / nullif(count(state), 0) both_coverage,
             count(*) filter (state = 'validated') / nullif(count(state), 0) validated_share,
             sum(h) filter (level <> 'not assessed') / nullif(sum(h), 0) assessed,
             sum(h) filter (state = 'validated') / nullif(sum(h), 0) settled, sum(h) total
           from family p left join t using (job_id) group by p.family""",
    )
    expected = {row["family"]: row for row in rows}
    table = tpa.coverage(profiles)
    assert table["job_family"].to_list() == sorted(expected, key=lambda family: (family == "(no job family)", family))
    for row in table.iter_rows(named=True):
        other = expected[row["job_family"]]
        assert (row["jobs"], row["tasks"]) == (other["jobs"], other["tasks"])
        assert row["jobs_without_tasks"] == other["jobs"] - other["filled"]
        for name in ("hours_coverage", "level_coverage", "both_coverage", "validated_share"):
            assert close(row[name], other[name])
        for name, key in (("level_coverage_hours", "assessed"), ("validated_share_hours", "settled")):
            assert close(row[name], (other[key] or 0.0) if other["total"] else None)


def test_figures_equal_sql(company: tpa.TaskProfiles) -> None:
    check_against_sql(with_headcount(company))


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1))
def test_row_order_does_not_matter(profiles: tpa.TaskProfiles, seed: int, cut: float) -> None:
    check_row_order(tpa.coverage, profiles, seed, cut)


def test_no_jobs_return_an_empty_table() -> None:
    empty = tpa.coverage(profiles_of([]))
    assert empty.height == 0
    assert_frame_equal(empty, tpa.coverage(one_job(task())).clear())


def test_real_data_match_their_documentation(real: tpa.TaskProfiles) -> None:
    coverage = tpa.coverage(real)
    assert coverage.height == 23
    assert coverage["jobs"].sum() == 1016
    assert coverage["tasks"].sum() == 18796
    assert coverage["jobs_without_tasks"].sum() == 93


def test_states_can_be_limited_to_validated(sample: tpa.TaskProfiles) -> None:
    n_tasks = tpa.coverage(sample)["tasks"].sum()
    validated = tpa.coverage(sample, states=["validated"])
    assert validated["tasks"].sum() == sample.tasks.filter(validation_state="validated").height < n_tasks
    assert set(validated["validated_share"]) == {1.0}


def test_family_without_tasks_has_null_coverage() -> None:
    profiles = profiles_of([job(task("H1")), job(family="Empty")])
    row = tpa.coverage(profiles).filter(job_family="Empty").row(0, named=True)
    assert (row["jobs"], row["tasks"], row["hours_coverage"], row["data_grade"]) == (1, 0, None, None)


def test_low_coverage_has_grade_c() -> None:
    tasks = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]
    assert tpa.coverage(one_job(*tasks)).item(0, "data_grade") == "C"


@hypothesis.given(profiles=companies)
def test_groups_are_compared_with_all_other_tasks(profiles: tpa.TaskProfiles) -> None:
    result = compare_hours_coverage(aggregate_tasks(profiles, by_state=True).cells)
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    columns = {
        "validation state": counted["validation_state"],
        "AI impact level": counted["ai_impact_level"].fill_null("not assessed"),
        "job family": counted["job_family"].fill_null("(no job family)"),
    }
    groups = {
        (by, value) for by, column in columns.items() if column.n_unique() > 1 for value in column.unique().to_list()
    }
    assert set(result.select("by", "group").rows()) == groups
    has_hours = counted["weekly_hours"].is_not_null()
    for row in result.iter_rows(named=True):
        inside = columns[row["by"]] == row["group"]
        shares = has_hours.filter(inside).mean(), has_hours.filter(~inside).mean()
        assert row["tasks"] == inside.sum()
        assert math.isclose(row["coverage"], shares[0], abs_tol=1e-9)
        assert math.isclose(row["others"], shares[1], abs_tol=1e-9)
        if row["stands_out"]:
            assert abs(shares[0] - shares[1]) > 0.1
