"""Tests of documented hours by job family and by job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import TASKS, check_row_order, close, job, one_job, query, task, with_headcount
from tests.helpers.by_job import hours_by_job
from tests.helpers.random_profiles import companies, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "hours": tpa.hours,
    "hours, complete jobs": lambda profiles: tpa.hours(profiles, complete_only=True),
    "hours, by headcount": lambda profiles: tpa.hours(profiles, weight="headcount"),
    "hours by job": hours_by_job,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
QUANTILES = {"min": 0.0, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0}


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    rows = query(
        profiles,
        f"""{TASKS}, k as (select family, job_id, count(*) n, count(h) known, sum(h) as hours from t group by all),
        q as (select family, count(*) jobs, count(k.job_id) filled, count(k.hours) with_hours, sum(k.n) tasks,
                     sum(k.known) known, sum(k.hours) total, avg(k.hours) mean,
                     quantile_cont(k.hours, [0.25, 0.5, 0.75]) qs
              from family left join k using (family, job_id) group by family)
        select *, qs[1] q25, qs[2] q50, qs[3] q75 from q""",
    )
    expected = {row["family"]: row for row in rows}
    table = tpa.hours(profiles)
    assert set(table["job_family"]) == set(expected)
    for row in table.iter_rows(named=True):
        other = expected[row["job_family"]]
        assert row["jobs"] == other["jobs"]
        assert row["jobs_without_tasks"] == other["jobs"] - other["filled"]
        assert row["jobs_with_hours"] == other["with_hours"]
        assert row["tasks"] == (other["tasks"] or 0)
        assert row["tasks_with_hours"] == (other["known"] or 0)
        assert close(row["hours"], other["total"])
        assert close(row["hours_per_job"], other["mean"])
        assert close(row["coverage"], other["known"] / other["tasks"] if other["tasks"] else None)
        for name in ("25", "50", "75"):
            assert close(row[f"hours_p{name}"], other[f"q{name}"] if other["with_hours"] >= 5 else None)


def test_figures_equal_sql(company: tpa.TaskProfiles) -> None:
    check_against_sql(with_headcount(company))


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


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


@hypothesis.given(profiles=companies)
def test_hours_add_up_to_the_hours_of_the_tasks(profiles: tpa.TaskProfiles) -> None:
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    assert math.isclose(tpa.hours(profiles)["hours"].sum(), counted["weekly_hours"].sum(), abs_tol=1e-6)
    assert math.isclose(hours_by_job(profiles)["hours"].sum(), counted["weekly_hours"].sum(), abs_tol=1e-6)


def test_missing_hours_are_null_and_zero_hours_are_zero() -> None:
    missing = tpa.hours(one_job(task(hours=None), task(hours=None))).row(0, named=True)
    assert (missing["hours"], missing["hours_per_job"], missing["coverage"]) == (None, None, 0.0)
    zero = tpa.hours(one_job(task(hours=0.0), task(hours=None))).row(0, named=True)
    assert (zero["hours"], zero["jobs_with_hours"], zero["coverage"]) == (0.0, 1, 0.5)


@hypothesis.given(profiles=companies, family=st.sampled_from(["Finance", "Sales", None]))
def test_jobs_without_tasks_do_not_change_the_mean(profiles: tpa.TaskProfiles, family: str | None) -> None:
    no_tasks = profiles_of([job(family=family)]).jobs.with_columns(job_id=pl.lit("no tasks"))
    before = {row["job_family"]: row for row in tpa.hours(profiles).iter_rows(named=True)}
    after = tpa.hours(tpa.TaskProfiles(pl.concat([profiles.jobs, no_tasks]), profiles.tasks))
    for row in after.iter_rows(named=True):
        unchanged = before.get(row["job_family"], {"hours_per_job": None, "hours_p50": None, "hours": None})
        for name in ("hours_per_job", "hours_p50", "hours"):
            assert close(row[name], unchanged[name])


def test_upper_bound_adds_undocumented_contract_hours() -> None:
    tasks = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]
    row = tpa.hours(profiles_of([job(*tasks, week=40.0)])).row(0, named=True)
    assert (row["hours"], row["hours_high"]) == (26.0, 40.0)
    assert tpa.hours(one_job(*tasks)).item(0, "hours_high") is None


def test_jobs_have_a_flag_and_a_reason() -> None:
    profiles = profiles_of(
        [
            job(task(hours=44.5), week=40.0),
            job(task(hours=44.0), week=40.0),
            job(task(hours=19.0), week=40.0),
            job(task(hours=19.0), task(hours=None), week=40.0),
            job(task(hours=None), week=40.0),
            job(week=40.0),
        ]
    )
    rows = hours_by_job(profiles).select("flag", "reason").rows()
    assert rows[:4] == [("over-described", None), (None, None), ("under-described", None), (None, None)]
    assert rows[4:] == [(None, "NO_HOURS"), (None, "NO_TASKS")]


@pytest.mark.parametrize(("tasks", "reason"), [([task()], None), ([task(hours=None)], "NO_HOURS"), ([], "NO_TASKS")])
def test_null_hours_have_a_reason(tasks: list[dict[str, Any]], reason: str | None) -> None:
    profiles = one_job(*tasks)
    assert tpa.hours(profiles).select("hours", "reason").rows() == [(None if reason else 1.0, reason)]
    assert tpa.coverage(profiles)["reason"].to_list() == [reason]


def family_of(*jobs: tuple[float | None, float | None]) -> tpa.TaskProfiles:
    """Return a family from pairs of hours and headcount, one per job."""
    return profiles_of([job(task(hours=hours), headcount=headcount) for hours, headcount in jobs])


def spread(profiles: tpa.TaskProfiles, **arguments: Any) -> dict[str, Any]:
    return tpa.hours(profiles, weight="headcount", **arguments).row(0, named=True)


def test_headcount_weights_the_quantiles_and_excludes_jobs_without_it() -> None:
    row = spread(family_of((10.0, 1.0), (20.0, 1.0), (30.0, 6.0), (40.0, 1.0), (50.0, 1.0), (99.0, None), (99.0, 0.0)))
    assert row["hours_per_job"] == pytest.approx((10 + 20 + 180 + 40 + 50) / 10)
    assert [row[f"hours_{name}"] for name in QUANTILES] == [10.0, 10.0, 30.0, 30.0, 30.0, 40.0, 50.0]
    assert (row["hours"], row["jobs_with_hours"]) == (348.0, 7)


@hypothesis.given(profiles=companies)
def test_weighted_quantiles_equal_brute_force(profiles: tpa.TaskProfiles) -> None:
    staff = dict(profiles.jobs.select("job_id", "headcount").rows())
    by_job = hours_by_job(profiles)
    for row in tpa.hours(profiles, weight="headcount").iter_rows(named=True):
        jobs = by_job.filter(job_family=row["job_family"]).select("job_id", "hours").rows()
        people = sorted((hours, staff[name]) for name, hours in jobs if hours is not None and staff[name])
        total = sum(n for _, n in people)
        if not people:
            assert row["hours_per_job"] is None
            assert row["reason"] in {"NO_TASKS", "NO_HOURS", "NO_HEADCOUNT"}
            continue
        assert row["reason"] is None
        assert math.isclose(row["hours_per_job"], sum(hours * n for hours, n in people) / total, abs_tol=1e-9)
        for name, q in QUANTILES.items():
            expected = next(
                hours
                for i, (hours, _) in enumerate(people)
                if sum(n for _, n in people[: i + 1]) >= q * total - 1e-9 * total
            )
            assert row[f"hours_{name}"] == (expected if len(people) >= 5 else None)


@hypothesis.given(profiles=companies)
def test_equal_headcounts_change_only_the_interpolation_of_quantiles(profiles: tpa.TaskProfiles) -> None:
    equal = tpa.TaskProfiles(profiles.jobs.with_columns(headcount=pl.lit(1.0)), profiles.tasks)
    interpolated = [*(f"hours_{name}" for name in QUANTILES if name not in ("min", "max")), "complete_p50"]
    weighted = tpa.hours(equal, weight="headcount").drop("headcount_hours", *interpolated)
    assert_frame_equal(weighted, tpa.hours(equal).drop(interpolated), abs_tol=1e-9)


def test_null_mean_has_a_reason() -> None:
    assert spread(family_of((10.0, None)))["reason"] == "NO_HEADCOUNT"
    assert spread(family_of((None, 1.0)))["reason"] == "NO_HOURS"
    incomplete = family_of((10.0, 1.0))
    incomplete = tpa.TaskProfiles(
        incomplete.jobs,
        pl.concat([incomplete.tasks, incomplete.tasks.with_columns(weekly_hours=pl.lit(None, pl.Float64))]),
    )
    assert spread(incomplete, complete_only=True)["reason"] == "BELOW_COVERAGE"
    assert tpa.hours(incomplete, complete_only=True).item(0, "reason") == "BELOW_COVERAGE"
    assert tpa.hours(incomplete).item(0, "reason") is None


def test_invalid_weight_raises() -> None:
    profiles = family_of((10.0, 1.0))
    with pytest.raises(tpa.SchemaError, match="`jobs` has no column 'headcount'"):
        spread(tpa.TaskProfiles(profiles.jobs.drop("headcount"), profiles.tasks))
    with pytest.raises(tpa.SchemaError, match="`weight` must be 'hours', 'headcount' or 'fte', not 'kg'"):
        tpa.hours(profiles, weight="kg")  # type: ignore[arg-type]


def test_columns_begin_with_those_of_every_table_of_hours(sample: tpa.TaskProfiles) -> None:
    counts = ["jobs", "jobs_without_tasks", "jobs_with_hours", "jobs_complete", "tasks", "tasks_with_hours", "hours"]
    statistics = ["hours_per_job", "hours_p25", "hours_p50", "hours_p75", "complete_p50", "coverage", "data_grade"]
    for weight, people in (("hours", []), ("headcount", ["headcount_hours"]), ("fte", [])):
        columns = tpa.hours(sample, weight=weight).columns
        first = ["job_family", *counts, *people, *statistics]
        assert columns[: len(first)] == first
        assert ("fte_hours" in columns) == (weight == "fte")
        assert columns[-1] == "reason"


@pytest.mark.parametrize("weight", ["hours", "headcount", "fte"])
def test_complete_p50_is_the_median_of_complete_jobs(sample: tpa.TaskProfiles, weight: Any) -> None:
    result = tpa.hours(sample, weight=weight)
    complete = tpa.hours(sample, weight=weight, complete_only=True)
    assert result["complete_p50"].count()
    assert result["complete_p50"].equals(complete["hours_p50"].alias("complete_p50"), null_equal=True)
