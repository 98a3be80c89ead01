"""Ranking of job families by exposure, with bootstrap intervals."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import query
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.bootstrap import resample
from tpanalytics.measures.exposure_ranking import exposure_ranking


def job(*tasks: tuple[str | None, float | None], family: str | None = "A", **more: Any) -> dict[str, Any]:
    rows = [
        {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
        for i, (level, h) in enumerate(tasks)
    ]
    return {"job_family": family, "headcount": None, "contract_hours": None, **more, "tasks": rows}


def checked_ranking(profiles: tpa.TaskProfiles, **how: Any) -> pl.DataFrame:
    result = exposure_ranking(profiles, rounds=100, **how)
    numbers = result.select(pl.col(pl.Float64))
    for column in numbers.iter_columns():
        assert column.drop_nulls().is_finite().all()
    families = profiles.jobs.get_column("job_family").fill_null("(no job family)").unique()
    assert sorted(result["job_family"].to_list()) == sorted(families.to_list())
    for row in result.iter_rows(named=True):
        has_interval = row["interval_low"] is not None
        assert has_interval == (row["jobs"] >= 5)
        for name in ("rank_low", "tied_with", "method"):
            assert has_interval == (row[name] is not None)
        assert (row["exposure"] is None) == (row["jobs"] == 0) == (row["rank"] is None)
        assert (row["reason"] is None) == has_interval
        assert (row["influence"] is None) == (row["jobs"] < 2)
        if has_interval:
            assert 0 <= row["interval_low"] <= row["interval_high"] <= 1
            assert 1 <= row["rank_low"] <= row["rank_high"] <= result["rank"].count()
    return result


@hypothesis.given(profiles=companies, weight=st.sampled_from(["hours", "headcount"]))
def test_ranks_equal_sql_on_random_companies(profiles: tpa.TaskProfiles, weight: Any) -> None:
    result = checked_ranking(profiles, weight=weight)
    staff = "headcount" if weight == "headcount" else "1"
    sql = f"""with w(l, w) as (values ('H1', 1.0), ('H2', 0.5), ('H3', 0.0)),
        j as (select coalesce(job_family, '(no job family)') f, job_id, sum(weekly_hours * w * {staff}) x,
                     sum(weekly_hours * {staff}) y
              from tasks join jobs using (job_id) join w on l = ai_impact_level
              where validation_state <> 'rejected' and weekly_hours is not null group by all having y > 0),
        e as (select f, sum(x) / sum(y) e, count(*) n from j group by f),
        o as (select f, e, n, rank() over (order by round(e, 9) desc) r from e)
        select o.*, job_id, x, y from o join j using (f) order by job_id"""
    expected = [tuple(row.values()) for row in query(profiles, sql)]
    rows = {row["job_family"]: row for row in result.iter_rows(named=True)}
    assert {row[0] for row in expected} == {family for family, row in rows.items() if row["exposure"] is not None}
    for family, exposure, n, rank, *_ in expected:
        assert rows[family]["exposure"] == pytest.approx(exposure)
        assert (rows[family]["jobs"], rows[family]["rank"]) == (n, rank)
        jobs_of = {row[4]: row[5:] for row in expected if row[0] == family}
        changes = {}
        for left_out in jobs_of if n > 1 else ():
            rest = [xy for name, xy in jobs_of.items() if name != left_out]
            changes[left_out] = sum(x for x, _ in rest) / sum(y for _, y in rest) - exposure
        if changes:
            assert rows[family]["influence"] == pytest.approx(changes[rows[family]["most_influential_job"]], abs=1e-9)
            assert abs(rows[family]["influence"]) == pytest.approx(max(map(abs, changes.values())), abs=1e-9)


@hypothesis.given(profiles=companies, parts=st.integers(1, 4))
def test_result_does_not_depend_on_order_or_chunks(profiles: tpa.TaskProfiles, parts: int) -> None:
    expected = exposure_ranking(profiles, rounds=100)
    chunks = [profiles.tasks.reverse()[i::parts].lazy() for i in range(parts)]
    result = exposure_ranking(tpa.TaskProfiles(profiles.jobs.reverse(), pl.concat(chunks)), rounds=100)
    assert_frame_equal(result, expected, abs_tol=1e-9)


def bca(values: list[float], figure: float, without: list[float], level: float) -> tuple[float, float]:
    """Return Efron's BCa interval."""
    normal = NormalDist()
    below = sum(v < figure - 1e-9 for v in values) + sum(abs(v - figure) <= 1e-9 for v in values) / 2
    z0 = normal.inv_cdf(below / len(values))
    mean = sum(without) / len(without)
    skew = sum((mean - v) ** 3 for v in without) / (6 * sum((mean - v) ** 2 for v in without) ** 1.5)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + normal.inv_cdf(tail)
        place = normal.cdf(z0 + z / (1 - skew * z)) * (len(values) - 1)
        low, high = sorted(values)[math.floor(place)], sorted(values)[math.ceil(place)]
        ends.append(low + (high - low) * (place - math.floor(place)))
    return ends[0], ends[1]


@pytest.mark.parametrize(("jobs", "level"), [(5, 0.95), (19, 0.9), (20, 0.95), (40, 0.66)])
def test_intervals_equal_the_textbook_formula(jobs: int, level: float) -> None:
    hours = [(1.0 + i * i % 13, 2.0 + i % 5) for i in range(jobs)]
    profiles = profiles_of([job(("H1", x), ("H3", y)) for x, y in hours])
    row = exposure_ranking(profiles, rounds=400, seed=3, confidence=level).row(0, named=True)
    jobs_table = pl.DataFrame(
        [("A", f"j{i:03d}", x, x + y) for i, (x, y) in enumerate(hours)],
        schema=["group", "job_id", "part", "whole"],
        orient="row",
    )
    values = [part / whole for _, _, part, whole in resample(jobs_table, rounds=400, seed=3).rows() if whole]
    figure = sum(x for x, _ in hours) / sum(x + y for x, y in hours)
    if jobs >= 20:
        pairs = [[pair for j, pair in enumerate(hours) if j != i] for i in range(jobs)]
        without = [sum(x for x, _ in rest) / sum(x + y for x, y in rest) for rest in pairs]
        expected, method = bca(values, figure, without, level), "BCa"
    else:
        series, method = pl.Series(values), "percentile"
        low, high = (series.quantile((1 + sign * level) / 2, interpolation="linear") for sign in (-1, 1))
        assert low is not None
        assert high is not None
        expected = low, high
    assert row["method"] == method
    assert (row["interval_low"], row["interval_high"]) == pytest.approx(expected)
    narrow = exposure_ranking(profiles, rounds=400, seed=3, confidence=0.66).row(0, named=True)
    assert (row["inner_low"], row["inner_high"]) == (narrow["interval_low"], narrow["interval_high"])
    assert row["interval_low"] <= row["inner_low"] < row["inner_high"] <= row["interval_high"]
    half = exposure_ranking(profiles, rounds=400, seed=3, confidence=0.5).row(0, named=True)
    assert (half["inner_low"], half["inner_high"]) == (half["interval_low"], half["interval_high"])


def test_ranking_of_some_families_ignores_the_others(sample: tpa.TaskProfiles) -> None:
    families = exposure_ranking(sample, rounds=100).get_column("job_family").to_list()[1::2]
    result = exposure_ranking(sample, rounds=100, families=families)
    selected = pl.col("job_family").fill_null("(no job family)").is_in(families)
    alone = tpa.TaskProfiles(sample.jobs.filter(selected), sample.tasks.filter(selected))
    assert result.get_column("job_family").to_list() == families
    assert_frame_equal(result, exposure_ranking(alone, rounds=100))
    assert exposure_ranking(sample, rounds=100, families=[]).height == 0


def test_interval_width_matches_the_standard_error(real: tpa.TaskProfiles) -> None:
    ranks = exposure_ranking(real)
    widths = dict(ranks.select("job_family", pl.col("interval_high") - pl.col("interval_low")).rows())
    weight = pl.col("ai_impact_level").replace_strict({"H1": 1.0, "H2": 0.5, "H3": 0.0}, default=None)
    tasks = real.tasks.filter(pl.col("validation_state") != "rejected").with_columns(w=weight)
    jobs = tasks.filter(pl.col("w").is_not_null() & pl.col("weekly_hours").is_not_null())
    jobs = jobs.group_by("job_family", "job_id").agg(
        x=(pl.col("w") * pl.col("weekly_hours")).sum(), y=pl.col("weekly_hours").sum()
    )
    for (family,), rows in jobs.filter(pl.len().over("job_family") >= 20).group_by("job_family"):
        index = rows["x"].sum() / rows["y"].sum()
        error = math.sqrt(((rows["x"] - index * rows["y"]) ** 2).sum()) / rows["y"].sum()
        assert widths[str(family)] == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_equal_families_are_tied() -> None:
    jobs = [job(("H1", 1.0 + i), ("H3", 3.0), family=family) for family in ("B", "A") for i in range(5)]
    jobs += [job(("H3", 3.0), family="Z") for _ in range(5)]
    result = exposure_ranking(profiles_of(jobs), rounds=200)
    assert result.select("job_family", "rank", "tied_with").rows() == [("A", 1, ["B"]), ("B", 1, ["A"]), ("Z", 3, [])]
    assert result.select("rank_low", "rank_high").rows() == [(1, 2), (1, 2), (3, 3)]
    equal = exposure_ranking(profiles_of([job(("H1", 1.0), family=f) for f in "AB" for _ in range(5)]), rounds=200)
    assert equal.select("interval_low", "interval_high", "rank_low", "rank_high").rows() == [(1.0, 1.0, 1, 2)] * 2


def test_jobs_without_index_do_not_change_the_ranking() -> None:
    jobs = [job(("H1", 1.0 + i), ("H3", 3.0)) for i in range(6)]
    expected = exposure_ranking(profiles_of(jobs), rounds=200)
    without_index = [job(), job(("H1", None)), job((None, 4.0)), job(("H9", 4.0)), job(("H1", 0.0))]
    assert_frame_equal(exposure_ranking(profiles_of([*jobs, *without_index]), rounds=200), expected)


def test_reason_states_why_index_or_interval_is_missing() -> None:
    families = {
        "NO_TASKS": [job()],
        "NO_HOURS": [job(("H1", None))],
        "NO_LEVELS": [job((None, 1.0), ("H4", 2.0))],
        "TOO_FEW": [job(("H1", 1.0))] * 4,
        "NO_HEADCOUNT": [job(("H1", 1.0))],
    }
    staff = {name: None if name == "NO_HEADCOUNT" else 2.0 for name in families}
    profiles = profiles_of(
        [{**row, "job_family": name, "headcount": staff[name]} for name, rows in families.items() for row in rows]
    )
    result = exposure_ranking(profiles, rounds=100, weight="headcount")
    assert dict(result.select("job_family", "reason").rows()) == {name: name for name in families}
    assert "H4" in str(tpa.about(result))


def test_no_jobs_return_the_same_schema(sample: tpa.TaskProfiles) -> None:
    result = exposure_ranking(profiles_of([]), rounds=100)
    assert result.height == 0
    assert result.schema == exposure_ranking(sample, rounds=100).schema


@pytest.mark.parametrize(
    "argument",
    [
        {"confidence": 0.4},
        {"confidence": True},
        {"rounds": 99},
        {"rounds": 100.0},
        {"seed": 1.5},
        {"weight": "tasks"},
        {"level_weights": {}},
        {"weight": "headcount"},
        {"families": ["No such family"]},
        {"families": "Sales"},
    ],
)
def test_invalid_argument_raises(sample: tpa.TaskProfiles, argument: dict[str, Any]) -> None:
    without_headcount = tpa.TaskProfiles(sample.jobs.drop("headcount", strict=False), sample.tasks)
    with pytest.raises(tpa.SchemaError, match=next(iter(argument))):
        exposure_ranking(without_headcount, **argument)
