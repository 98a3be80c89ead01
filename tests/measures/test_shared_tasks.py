"""Tests of the tasks that several jobs share."""

from __future__ import annotations

from functools import partial
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers import builders
from tests.helpers.builders import check_row_order, close, query
from tests.helpers.random_profiles import companies, profiles_of

MEASURES = {
    "by id": tpa.shared_tasks,
    "by text": lambda p: tpa.shared_tasks(p, same_task="text", min_jobs=1),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def task(key: str = "a", hours: float | None = 1.0, level: str | None = "H1") -> dict[str, Any]:
    return builders.task(level, hours, key=key)


job = partial(builders.job, headcount=1.0)


def check_against_sql(profiles: tpa.TaskProfiles, min_jobs: int) -> None:
    if "headcount" not in profiles.jobs.columns:
        jobs = profiles.jobs.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
        profiles = tpa.TaskProfiles(jobs, profiles.tasks)
    rows = query(
        profiles,
        f"""with t as (select task_id k, job_id j, coalesce(job_family, '') f, weekly_hours h, headcount c,
                   ai_impact_level l from tasks join jobs using (job_id) where validation_state <> 'rejected'),
        people as (select k, sum(c) c from (select distinct k, j, c from t) group by k)
        select k as task_key, count(distinct j) jobs, count(distinct f) families, count(*) tasks,
               count(h) tasks_with_hours, sum(h) as hours, sum(h) / nullif((select sum(h) from t), 0) share_of_hours,
               any_value(people.c) headcount, sum(h * t.c) headcount_hours, count(distinct coalesce(l, '-')) levels
        from t join people using (k) group by k having count(distinct j) >= {min_jobs}""",
    )
    table = tpa.shared_tasks(profiles, min_jobs=min_jobs)
    actual = {row["task_key"]: row for row in table.iter_rows(named=True)}
    assert set(actual) == {row["task_key"] for row in rows}
    for expected in rows:
        row = actual[expected.pop("task_key")]
        assert row["levels"].count(", ") + 1 == expected.pop("levels")
        assert all(close(row[name], value) for name, value in expected.items()), row
        assert row["reason"] == (None if row["hours"] is not None else "NO_HOURS")
    order = table.select(pl.col("jobs"), pl.col("hours").round(9).fill_null(-1), "task_key").rows()
    assert order == sorted(order, key=lambda row: (-row[0], -row[1], row[2]))


@hypothesis.given(profiles=companies, min_jobs=st.integers(1, 3))
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles, min_jobs: int) -> None:
    check_against_sql(profiles, min_jobs)


def test_figures_equal_sql(sample: tpa.TaskProfiles) -> None:
    check_against_sql(sample, 2)


def test_metadata_report_the_share_of_hours_in_shared_tasks() -> None:
    profiles = profiles_of(
        [
            job(task("a", 3.0), task("b", None), task("c", 4.0)),
            job(task("a", 1.0), task("b", None), family="B"),
            job(task("c", 2.0)),
        ]
    )
    table = tpa.shared_tasks(profiles)
    assert table.select("task_key", "families", "hours", "reason").rows() == [
        ("c", 1, 6.0, None),
        ("a", 2, 4.0, None),
        ("b", 2, None, "NO_HOURS"),
    ]
    meaning = tpa.about(table)
    assert "40.0% of all known hours are in tasks of 2 or more families." in meaning.policy
    assert "Listed tasks without known hours: 1." in meaning.policy
    assert any("lower bound" in text for text in meaning.warnings)


def test_levels_are_listed_in_order_with_their_agreement() -> None:
    jobs = [job(task("a", 1.0, level)) for level in (None, "höchst", "H3", "H1", "H1")]
    row = tpa.shared_tasks(profiles_of(jobs)).row(0, named=True)
    assert row["levels"] == "H1, H3, höchst, not assessed"
    assert row["level_agreement"] == pytest.approx(1 / 6)
    assert any("höchst" in text for text in tpa.about(tpa.shared_tasks(profiles_of(jobs))).warnings)


@hypothesis.given(
    measure=st.sampled_from(list(MEASURES.values())),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_row_order_does_not_matter(profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Any) -> None:
    result = check_row_order(measure, profiles, seed, cut)
    for column in result.select(pl.col("^(share_of|level_agreement).*$")):
        assert column.drop_nulls().is_between(0, 1 + 1e-9).all()


@every_measure
def test_no_tasks_return_an_empty_table(measure: Any) -> None:
    full = measure(profiles_of([job(task()), job(task(), family="B")]))
    assert full.height == 1
    for jobs in ([], [job()]):
        assert_frame_equal(measure(profiles_of(jobs)), full.clear())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.shared_tasks(p, min_jobs=0), "`min_jobs` must be a whole number, 1 or more, not 0"),
        (lambda p: tpa.shared_tasks(p, min_jobs=2.5), "`min_jobs` must be a whole number, 1 or more, not 2.5"),
        (lambda p: tpa.shared_tasks(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
    ],
)
def test_invalid_arguments_raise(call: Any, message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(profiles_of([job(task())]))
