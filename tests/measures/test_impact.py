"""Tests of the distribution of work over AI impact levels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import (
    TASKS,
    TASKS_WITH_WEIGHTS,
    check_row_order,
    close,
    job,
    one_job,
    query,
    task,
    with_headcount,
)
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "tasks": lambda profiles: tpa.impact(profiles, weight="tasks"),
    "hours": lambda profiles: tpa.impact(profiles, weight="hours"),
    "headcount": lambda profiles: tpa.impact(profiles, weight="headcount"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    rows = query(
        profiles,
        f"""{TASKS} select family, level, count(*) n, count(h) known, sum(h) as hours, sum(h * fte) as staffed,
             sum(count(*)) over (partition by family) as all_n, sum(sum(h)) over (partition by family) all_hours,
             sum(sum(h * fte)) over (partition by family) all_staffed,
             sum(count(*)) filter (level <> 'not assessed') over (partition by family) rated_n,
             sum(sum(h)) filter (level <> 'not assessed') over (partition by family) rated_hours
           from t group by family, level""",
    )
    expected = {(row["family"], row["level"]): row for row in rows}
    amounts = {"tasks": ("n", "all_n"), "hours": ("hours", "all_hours"), "headcount": ("staffed", "all_staffed")}
    for weight, (part, total_name) in amounts.items():
        table = tpa.impact(profiles, weight=weight)
        totals = {family: row for (family, _), row in expected.items()}
        assert set(table["job_family"]) == set(profiles.jobs["job_family"].fill_null("(no job family)"))
        levels = set()
        for (_,), of_family in table.group_by("job_family"):
            shares = of_family["share"]
            assert shares.null_count() == of_family.height or math.isclose(shares.sum(), 1.0, abs_tol=1e-9)
            assert of_family["coverage"].drop_nulls().is_between(0, 1).all()
        for row in table.iter_rows(named=True):
            other = expected.get((row["job_family"], row["ai_impact_level"]))
            total = totals.get(row["job_family"], {}).get(total_name)
            levels.add((row["job_family"], row["ai_impact_level"]))
            assert row["tasks"] == (other["n"] if other else 0)
            assert row["tasks_with_hours"] == (other["known"] if other else 0)
            assert close(row["hours"], other["hours"] if other else None)
            assert close(row["amount"], other[part] if other else None)
            assert close(row["share"], ((other[part] if other else None) or 0.0) / total if total else None)
            if weight != "headcount" and row["ai_impact_level"] != "not assessed":
                rated = totals.get(row["job_family"], {}).get("rated_n" if weight == "tasks" else "rated_hours")
                assert close(
                    row["share_assessed"], ((other[part] if other else None) or 0.0) / rated if rated else None
                )
        assert set(expected) <= levels


def test_figures_equal_sql(company: tpa.TaskProfiles) -> None:
    check_against_sql(with_headcount(company))


@hypothesis.given(
    measure=st.sampled_from(list(MEASURES.values())),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_row_order_does_not_matter(
    profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Callable[..., Any]
) -> None:
    check_row_order(measure, profiles, seed, cut)


@every_measure
def test_no_jobs_return_an_empty_table(measure: Callable[..., Any]) -> None:
    empty = measure(profiles_of([]))
    assert empty.height == 0
    assert_frame_equal(empty, measure(one_job(task())).clear())


def check_count_time_gap(profiles: tpa.TaskProfiles) -> None:
    expected = {
        (row["family"], row["level"]): row["gap"]
        for row in query(
            profiles,
            f"""{TASKS_WITH_WEIGHTS}
               select level_sums.family, level,
                      level_sums.hours / nullif(total.hours, 0) - level_sums.n / total.n as gap
               from (select family, level, sum(h) as hours, count(*) as n
                     from t where h is not null and level is not null group by family, level) as level_sums
               join (select family, sum(h) as hours, count(*) as n
                     from t where h is not null and level is not null group by family) as total
               on level_sums.family = total.family""",
        )
    }
    families_with_hours = {family for (family, _), gap in expected.items() if gap is not None}
    for weight in ("tasks", "hours", "headcount"):
        for row in tpa.impact(profiles, weight=weight).iter_rows(named=True):  # type: ignore[arg-type]
            has_gap = row["ai_impact_level"] not in (None, "not assessed") and row["job_family"] in families_with_hours
            gap = expected.get((row["job_family"], row["ai_impact_level"]), 0.0) if has_gap else None
            assert close(row["count_time_gap"], gap)


@hypothesis.given(profiles=companies.map(with_cache))
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)
    check_count_time_gap(profiles)


@pytest.mark.parametrize("level", ["H4", "H9", None])
def test_unknown_or_missing_level_does_not_change_other_levels(level: str | None) -> None:
    before = tpa.impact(one_job(task("H1"), task("H2")), weight="tasks")
    after = tpa.impact(one_job(task("H1"), task("H2"), task(level), task(level)), weight="tasks")
    shares = dict(after.select("ai_impact_level", "share").rows())
    assert shares == {"H1": 0.25, "H2": 0.25, level or "not assessed": 0.5}
    others = after.filter(pl.col("ai_impact_level").is_in(["H1", "H2"]))
    assert others["tasks"].to_list() == before["tasks"].to_list()


def test_level_without_hours_has_null_hours() -> None:
    impact = tpa.impact(one_job(task("H1", 4.0), task("H3", None)))
    assert impact.select("ai_impact_level", "tasks", "hours", "share").rows() == [
        ("H1", 1, 4.0, 1.0),
        ("H3", 1, None, 0.0),
    ]


def test_family_without_tasks_has_null_shares() -> None:
    profiles = profiles_of([job(task("H1")), job(family="Empty")])
    assert tpa.impact(profiles).filter(job_family="Empty")["share"].to_list() == [None]


def test_headcount_excludes_jobs_without_a_headcount() -> None:
    profiles = profiles_of([job(task("H1", 2.0), headcount=10.0), job(task("H2", 40.0), headcount=None)])
    impact = tpa.impact(profiles, weight="headcount")
    assert impact.select("ai_impact_level", "share", "amount", "coverage").rows() == [
        ("H1", 1.0, 20.0, 0.5),
        ("H2", 0.0, None, 0.5),
    ]


def test_rejected_tasks_are_excluded() -> None:
    impact = tpa.impact(one_job(task("H1"), task("H3", 30.0, "rejected")))
    assert impact.select("ai_impact_level", "hours").rows() == [("H1", 1.0)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.impact(p, weight="jobs"), "must be 'tasks', 'hours', 'headcount' or 'fte', not"),
        (
            lambda p: tpa.impact(tpa.TaskProfiles(p.jobs.drop("headcount"), p.tasks), weight="headcount"),
            "`jobs` has no column 'headcount'",
        ),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
