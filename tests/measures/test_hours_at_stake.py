"""Tests of the hours of highly automatable work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

import tpanalytics as tpa
from tests.helpers.builders import TASKS_WITH_WEIGHTS, close, job, one_job, query, task, with_staffing
from tests.helpers.random_profiles import companies, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    stake = {
        row["family"]: row
        for row in query(
            profiles,
            f"""{TASKS_WITH_WEIGHTS}, j as (select job_id, any_value(fte) fte,
                         case when any_value(c) is not null then greatest(any_value(c) - coalesce(sum(h), 0), 0) end r,
                         bool_or(h is null and (level = 'H1' or level is null)) takes from t group by job_id),
            r as (select family, sum(r) filter (takes) r, count(*) filter (takes and r is null) open,
                         sum(case when j.fte = 0 then 0 else r * j.fte end) filter (takes and j.fte is not null) rn,
                         count(*) filter (takes and j.fte <> 0 and r is null) open_n
                  from j join family using (job_id) group by family)
            select t.family, coalesce(sum(h) filter (level = 'H1'), 0) low, sum(h) filter (level is null) gap,
                   coalesce(sum(h * fte) filter (level = 'H1'), 0) low_n, sum(h * fte) filter (level is null) gap_n,
                   count(fte) staffed, any_value(r.r) r, any_value(open) open, any_value(rn) rn,
                   any_value(open_n) open_n
            from t join r using (family) group by t.family""",
        )
    }
    for row in tpa.hours_at_stake(profiles, weight="headcount").iter_rows(named=True):
        expected = stake.get(row["job_family"])
        assert close(row["hours_low"], expected and expected["low"])
        if row["hours"] is not None:
            assert row["hours"] == row["hours_low"]
        high = expected and not expected["open"] and expected["low"] + (expected["gap"] or 0) + (expected["r"] or 0)
        assert close(row["hours_high"], None if expected is None or expected["open"] else high)
        if not expected or not expected["staffed"]:
            assert row["headcount_hours_low"] is None
            continue
        assert close(row["headcount_hours_low"], expected["low_n"])
        high = expected["low_n"] + (expected["gap_n"] or 0) + (expected["rn"] or 0)
        assert close(row["headcount_hours_high"], None if expected["open_n"] else high)


def test_figures_equal_sql(company: tpa.TaskProfiles) -> None:
    check_against_sql(with_staffing(company))


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


def test_worked_example() -> None:
    tasks = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]
    row = tpa.hours_at_stake(profiles_of([job(*tasks, week=40.0)])).row(0, named=True)
    assert (row["hours"], row["hours_low"], row["hours_high"]) == (10.0, 10.0, 14.0)


def test_upper_bound_is_null_if_it_requires_missing_contract_hours() -> None:
    row = tpa.hours_at_stake(one_job(task("H1", 3.0), task(None, None))).row(0, named=True)
    assert (row["hours"], row["hours_high"], row["reason"]) == (3.0, None, "NO_CONTRACT_HOURS")


def test_headcount_hours_exclude_jobs_without_a_headcount() -> None:
    profiles = profiles_of([job(task("H1", 1.0), headcount=3.0), job(task("H3", 1.0), headcount=1.0), job(task("H3"))])
    row = tpa.hours_at_stake(profiles, weight="headcount").row(0, named=True)
    assert (row["hours"], row["headcount_hours"], row["jobs_with_headcount"]) == (1.0, 3.0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: tpa.hours_at_stake(p, contract_hours="40"),
            "`contract_hours` must be above 0 .*, not '40'",
        ),
        (
            lambda p: tpa.hours_at_stake(p, level="not assessed"),
            "`level` must be an AI impact level like 'H1', not 'not assessed'",
        ),
        (lambda p: tpa.hours_at_stake(p, level="H9"), r"`level` must be a level of the tasks \('H1'\), not 'H9'"),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
