from __future__ import annotations

from typing import Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of


def approx(expected: float | None) -> Any:
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def job(hours: dict[str, float | None], family: str | None = "A") -> dict[str, Any]:
    tasks = [
        {"task_id": key, "validation_state": "validated", "weekly_hours": h, "ai_impact_level": "H1"}
        for key, h in hours.items()
    ]
    return {"job_family": family, "tasks": tasks}


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    """Compare with SQL, where the Gini index is the mean difference of all pairs of tasks over twice the mean."""
    profiles.jobs.select("job_id", "job_family").write_parquet("jobs.parquet")
    profiles.tasks.select("job_id", "task_id", "validation_state", "weekly_hours").write_parquet("tasks.parquet")
    expected = duckdb.execute(
        """with x as (select coalesce(job_family, '(no job family)') f, task_id k, sum(weekly_hours) h
              from 'tasks.parquet' join 'jobs.parquet' using (job_id)
              where validation_state <> 'rejected' group by all),
        known as (select f, k, h, row_number() over (partition by f order by h desc, k) as place,
              sum(h) over (partition by f order by h desc, k rows unbounded preceding) reached,
              sum(h) over (partition by f) as total from x where h is not null),
        pairs as (select a.f, sum(abs(a.h - b.h)) gaps from known a join known b using (f) group by a.f),
        by_family as (select f, count(*) n, any_value(total) as total, sum((h / nullif(total, 0)) ** 2) hhi,
              min(place) filter (reached >= 0.8 * total - 1e-9) k80, sum(h) filter (place <= 10) top
              from known group by f)
        select f, coalesce(n, 0), missing, total, hhi, k80, top, gaps
        from (select distinct coalesce(job_family, '(no job family)') f from 'jobs.parquet')
        left join by_family using (f) left join pairs using (f)
        left join (select f, count(*) filter (h is null) as missing from x group by f) using (f)"""
    ).fetchall()
    rows = {row["job_family"]: row for row in tpa.concentration(profiles).iter_rows(named=True)}
    assert list(rows) == sorted((row[0] for row in expected), key=lambda family: (family == "(no job family)", family))
    for family, n, missing, total, hhi, k80, top, gaps in expected:
        row, has_hours = rows[family], bool(total)
        several = has_hours and n > 1
        gini = gaps / (2 * n * total) if several else None
        figures = {
            "tasks_with_hours": n,
            "tasks_without_hours": missing or 0,
            "hours": total,
            "gini": gini,
            "gini_corrected": gini * n / (n - 1) if several else None,
            "hhi": hhi if has_hours else None,
            "hhi_normalised": (hhi - 1 / n) / (1 - 1 / n) if several else None,
            "effective_tasks": 1 / hhi if has_hours else None,
            "tasks_for_80": k80 if has_hours else None,
            "share_of_top_10": top / total if has_hours else None,
        }
        for name, value in figures.items():
            assert row[name] == approx(value), (family, name)
        reason = "NO_TASKS" if missing is None else "NO_HOURS" if not has_hours else "TOO_FEW" if n == 1 else None
        assert row["reason"] == reason


def without_tiny_hours(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Replace hours close to 0 by null, because rounding errors make their shares meaningless."""
    hours = pl.when((pl.col("weekly_hours") == 0) | (pl.col("weekly_hours") > 1e-3)).then("weekly_hours")
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(weekly_hours=hours))


@hypothesis.given(profiles=companies.map(without_tiny_hours))
def test_concentration_matches_sql_on_random_companies(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


def test_concentration_matches_sql_on_sample_companies(company: tpa.TaskProfiles) -> None:
    check_against_sql(company)


def test_gini_ranges_from_equal_hours_to_one_task_with_all_hours() -> None:
    equal = tpa.concentration(profiles_of([job(dict.fromkeys("abcde", 2.0))])).row(0, named=True)
    assert (equal["gini"], equal["hhi_normalised"]) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert (equal["effective_tasks"], equal["tasks_for_80"]) == (pytest.approx(5.0), 4)
    alone = tpa.concentration(profiles_of([job({"a": 7.0, "b": 0.0, "c": 0.0, "d": None})])).row(0, named=True)
    assert (alone["gini"], alone["gini_corrected"], alone["hhi"]) == pytest.approx((2 / 3, 1.0, 1.0))
    assert (alone["tasks_with_hours"], alone["tasks_without_hours"], alone["tasks_for_80"]) == (3, 1, 1)


def test_gini_is_null_for_a_single_task() -> None:
    row = tpa.concentration(profiles_of([job({"a": 3.0}), job({"a": 4.0})])).row(0, named=True)
    assert (row["gini"], row["hhi"], row["hhi_normalised"], row["reason"]) == (None, 1.0, None, "TOO_FEW")
    assert (row["hours"], row["tasks_with_hours"], row["share_of_top_10"]) == (7.0, 1, 1.0)


def test_reason_distinguishes_missing_hours_from_missing_tasks() -> None:
    jobs = [job({"a": None}, "Unknown"), job({"a": 0.0, "b": 0.0}, "Idle"), job({}, "Empty")]
    result = tpa.concentration(profiles_of(jobs)).select("job_family", "hours", "tasks_with_hours", "gini", "reason")
    assert result.rows() == [
        ("Empty", None, 0, None, "NO_TASKS"),
        ("Idle", 0.0, 2, None, "NO_HOURS"),
        ("Unknown", None, 0, None, "NO_HOURS"),
    ]


def test_jobs_without_tasks_do_not_change_the_figures() -> None:
    jobs = [job({"a": 3.0, "b": 1.0}), job({"a": 1.0})]
    assert_frame_equal(tpa.concentration(profiles_of([*jobs, job({})])), tpa.concentration(profiles_of(jobs)))


@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_result_does_not_depend_on_the_order_of_rows(profiles: tpa.TaskProfiles, seed: int) -> None:
    result = tpa.concentration(profiles)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    for column in result.select("gini", "gini_corrected", "hhi", "hhi_normalised", "share_of_top_10"):
        assert column.drop_nulls().is_between(0, 1 + 1e-9).all()
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = seed % (tasks.height + 1)
    parts = pl.concat([tasks[at:].lazy(), tasks[:at].lazy()])
    assert_frame_equal(tpa.concentration(tpa.TaskProfiles(jobs.lazy(), parts)), result, abs_tol=1e-9)
    curve = tpa.concentration_curve(profiles)
    for column in curve.select("share_of_tasks", "share_of_hours"):
        assert column.drop_nulls().is_between(0, 1).all()
    assert_frame_equal(tpa.concentration_curve(tpa.TaskProfiles(jobs.lazy(), parts)), curve, abs_tol=1e-9)


def test_results_are_the_same_for_all_dataframe_engines(sample: tpa.TaskProfiles) -> None:
    flat = [frame.select(pl.col(pl.String, pl.Float64)) for frame in (sample.jobs, sample.tasks)]
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    result = tpa.concentration(sample, same_task="text")
    curve = tpa.concentration_curve(sample, same_task="text")
    for tables in (frames, list(map(duckdb.from_df, frames))):
        assert_frame_equal(tpa.concentration_curve(tpa.TaskProfiles(*tables), same_task="text"), curve, abs_tol=1e-9)
        assert_frame_equal(tpa.concentration(tpa.TaskProfiles(*tables), same_task="text"), result, abs_tol=1e-9)


def test_curve_matches_the_figures_of_the_family() -> None:
    profiles = profiles_of([job({"a": 6.0, "b": 2.5, "c": None}), job({"a": 1.0, "d": 0.5, "e": 0.0})])
    curve = tpa.concentration_curve(profiles)
    assert curve.filter(part="all").equals(curve.filter(part="H1").with_columns(part=pl.lit("all")))
    assert curve.filter(part="H1").select("k", "share_of_tasks", pl.col("share_of_hours").round(9)).rows() == [
        (1, 0.25, 0.7),
        (2, 0.5, 0.95),
        (3, 0.75, 1.0),
        (4, 1.0, 1.0),
    ]
    family = tpa.concentration(profiles).row(0, named=True)
    for name in ("tasks_with_hours", "tasks_without_hours", "tasks_for_80"):
        assert curve[name].unique().to_list() == [family[name]]
    for hours, counts in (({"a": None}, (0, 1)), ({"a": 0.0}, (1, 0)), ({}, (0, 0))):
        empty = tpa.concentration_curve(profiles_of([job(hours)]))
        assert empty.rows() == [(part, None, None, None, *counts, None) for part in ("all", "H1")]
    assert empty.schema == curve.schema


def test_no_jobs_give_an_empty_table_with_all_columns() -> None:
    full = tpa.concentration(profiles_of([job({"a": 1.0})]))
    assert_frame_equal(tpa.concentration(profiles_of([])), full.clear())
    assert tpa.about(full).measure == "concentration"


def test_invalid_arguments_raise() -> None:
    with pytest.raises(tpa.SchemaError, match="`same_task` must be 'id' or 'text', not 'name'"):
        tpa.concentration(profiles_of([]), same_task="name")  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="Rejected tasks are never counted"):
        tpa.concentration(profiles_of([]), states=["rejected"])


def check_curves_against_sql(profiles: tpa.TaskProfiles, by: str, table: str) -> None:
    """Compare the curves of each group with running sums in SQL."""
    profiles.jobs.select("job_id", "site").write_parquet("jobs.parquet")
    profiles.people.select("job_id", "country").write_parquet("people.parquet")
    profiles.tasks.select("job_id", "task_id", "validation_state", "weekly_hours", "ai_impact_level").write_parquet(
        "tasks.parquet"
    )
    groups = f"(select distinct job_id, coalesce({by}, '(no {by})') g from '{table}.parquet')"
    curves = tpa.concentration_curve(profiles, by=by)
    assert curves.columns[:3] == [by, "part", "k"]
    for part, level in (("all", "true"), ("H1", "ai_impact_level = 'H1'")):
        expected = duckdb.execute(
            f"""with x as (select g, task_id, sum(weekly_hours) h from 'tasks.parquet' join {groups} using (job_id)
                  where validation_state <> 'rejected' and {level} group by all)
            select g, row_number() over w, sum(h) over w / sum(h) over (partition by g), count(*) over (partition by g)
            from x where h is not null window w as (partition by g order by h desc, task_id rows unbounded preceding)"""
        ).fetchall()
        found = curves.filter(pl.col("part") == part, pl.col("k").is_not_null())
        wanted = {(g, k): (share, k / n) for g, k, share, n in expected if share is not None}
        assert set(found[by]) == {g for g, _ in wanted}
        for g, k, share, of_tasks in found.select(by, "k", "share_of_hours", "share_of_tasks").rows():
            assert (share, of_tasks) == pytest.approx(wanted[g, k], abs=1e-9)
        assert {(g, k) for g, k in wanted if (g, k + 1) not in wanted} <= set(found.select(by, "k").rows())


@pytest.mark.parametrize(("by", "table"), [("site", "jobs"), ("country", "people")])
def test_curves_by_group_match_sql(sample: tpa.TaskProfiles, by: str, table: str) -> None:
    number = pl.int_range(pl.len())
    jobs = sample.jobs.with_columns(site=pl.when(number % 7 > 0).then(pl.format("S{}", number % 3)))
    people = pl.concat(
        [
            jobs.select("job_id", country=pl.lit("BE"), headcount=pl.lit(5), fte=pl.lit(4.0)),
            jobs[::3].select("job_id", country=pl.lit("NL"), headcount=pl.lit(5), fte=pl.lit(4.0)),
        ]
    )
    tasks = sample.tasks.with_columns(pl.col("weekly_hours") + pl.int_range(pl.len()) / 1e4)
    check_curves_against_sql(tpa.TaskProfiles(jobs, tasks, people=people), by, table)


def test_curve_of_a_group_is_the_curve_of_its_jobs_alone(sample: tpa.TaskProfiles) -> None:
    curves = tpa.concentration_curve(sample, by="job_family")
    for family in ("Finance", "Sales"):
        alone = tpa.concentration_curve(sample.filter(job_family=family))
        assert_frame_equal(curves.filter(job_family=family).drop("job_family"), alone, abs_tol=1e-12)
    of_80 = curves.filter(part="all").unique("job_family", maintain_order=True)
    assert of_80.select("job_family", "tasks_for_80").equals(
        pl.DataFrame(tpa.concentration(sample).select("job_family", "tasks_for_80"))
    )
    by_job = tpa.concentration_curve(sample, by="job_id")
    assert by_job.columns[:3] == ["job_id", "job_name", "part"]
    assert by_job["job_id"].n_unique() == sample.jobs.height
