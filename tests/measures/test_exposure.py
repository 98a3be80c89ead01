"""Exposure equals what SQL written apart says; its bounds equal trying every way to fill the gaps."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.about import about
from tpanalytics.measures.break_even import break_even
from tpanalytics.measures.exposure import exposure as measure_exposure, exposure_by_job
from tpanalytics.measures.hours_at_stake import hours_at_stake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "exposure": measure_exposure,
    "exposure, 40 hours taken": lambda p: measure_exposure(p, contract_hours=40),
    "exposure by headcount": lambda p: measure_exposure(p, weight="headcount"),
    "exposure by job": exposure_by_job,
    "hours at stake": hours_at_stake,
    "break-even": break_even,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}


def task(level: str | None = "H1", hours: float | None = 1.0, state: str = "validated") -> dict[str, Any]:
    return {"task_id": "t", "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(
    *tasks: dict[str, Any], family: str | None = "A", headcount: float | None = None, week: float | None = None
) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": week, "tasks": list(tasks)}


def close(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


EXAMPLE = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]


def test_the_worked_example() -> None:
    profiles = profiles_of([job(*EXAMPLE, week=40.0)])
    row = measure_exposure(profiles).row(0, named=True)
    assert row["exposure"] == pytest.approx(16 / 22)
    assert (row["bound_low"], row["bound_high"]) == pytest.approx((16 / 40, 20 / 26))
    assert (row["weight_low"], row["weight_high"]) == pytest.approx((10 / 22, 1.0))
    assert (row["coverage"], row["data_grade"], row["reason"]) == (0.5, "C", None)
    assert (row["numerator"], row["denominator"], row["tasks_weighed"]) == (16.0, 22.0, 2)
    stake = hours_at_stake(profiles).row(0, named=True)
    assert (stake["hours"], stake["hours_low"], stake["hours_high"]) == (10.0, 10.0, 14.0)
    of_job = exposure_by_job(profiles).row(0, named=True)
    assert of_job["exposure"] == pytest.approx(16 / 22)
    assert (of_job["bound_low"], of_job["bound_high"]) == pytest.approx((16 / 40, 20 / 26))


_some_task = st.tuples(st.sampled_from(["H1", "H2", "H3", "H4", None]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_some_job = st.tuples(st.lists(_some_task, max_size=3), st.sampled_from([5.0, 20.0, 40.0]), st.sampled_from([0, 1, 3]))
_some_weights = st.sampled_from([WEIGHTS, {"H1": 0.9, "H2": 0.4, "H3": 0.1}, {"H1": 1.0, "H2": 0.0}])


def brute_force(jobs: list[Any], level_weights: Mapping[str, float], *, staffed: bool) -> tuple[float, float] | None:
    """Try every corner: an unknown level weighs least or most, an undescribed week goes to one open task or nowhere."""
    ends = min(level_weights.values()), max(level_weights.values())
    ways_of_jobs = []
    for tasks, week, staff in jobs:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        ways = set()
        for filled in itertools.product(*([level_weights[x]] if x in level_weights else ends for x, _ in tasks)):
            for taker in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]:
                hours = [(h or 0.0) + (rest if i == taker else 0.0) for i, (_, h) in enumerate(tasks)]
                scale = staff if staffed else 1
                ways.add((sum(h * w for h, w in zip(hours, filled, strict=True)) * scale, sum(hours) * scale))
        ways_of_jobs.append(sorted(ways))
    found = []
    for combination in itertools.product(*ways_of_jobs):
        part, whole = (sum(column) for column in zip(*combination, strict=True))
        if whole > 0:
            found.append(part / whole)
    return (min(found), max(found)) if found else None


@hypothesis.given(jobs=st.lists(_some_job, min_size=1, max_size=3), level_weights=_some_weights, staffed=st.booleans())
def test_bounds_equal_brute_force(jobs: list[Any], level_weights: dict[str, float], staffed: bool) -> None:
    profiles = profiles_of(
        [job(*(task(x, h) for x, h in tasks), week=week, headcount=float(staff)) for tasks, week, staff in jobs]
    )
    row = measure_exposure(profiles, level_weights=level_weights, weight="headcount" if staffed else "hours").row(
        0, named=True
    )
    low, high = brute_force(jobs, level_weights, staffed=staffed) or (None, None)
    assert close(row["bound_low"], low)
    assert close(row["bound_high"], high)


@hypothesis.given(jobs=st.lists(_some_job, max_size=5), level_weights=_some_weights)
def test_bounds_of_each_job_equal_brute_force(jobs: list[Any], level_weights: dict[str, float]) -> None:
    profiles = profiles_of([job(*(task(x, h) for x, h in tasks), week=week) for tasks, week, _ in jobs])
    found = exposure_by_job(profiles, level_weights=level_weights).select("bound_low", "bound_high").rows()
    for bounds, (tasks, week, _) in zip(found, jobs, strict=True):
        expected = brute_force([(tasks, week, 1)], level_weights, staffed=False) or (None, None)
        assert all(map(close, bounds, expected))


def sql(profiles: tpa.TaskProfiles, query: str) -> list[dict[str, Any]]:
    connection = duckdb.connect()
    wanted = ["job_id", "validation_state", "weekly_hours", "ai_impact_level"]
    for name, frame in (("jobs", profiles.jobs), ("tasks", profiles.tasks.select(wanted))):
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create table {name} as from '{name}.parquet'")
    result = connection.execute(
        """with person as (select *, coalesce(job_family, '(no family)') as family from jobs),
        w as (from (values ('H1', 1.0, 1.0, 1.0), ('H2', 0.5, 0.0, 1.0), ('H3', 0.0, 0.0, 0.0)) v(level, b, b0, b1)),
        t as (select p.family, p.job_id, p.headcount fte, p.contract_hours c, x.weekly_hours h,
                     x.ai_impact_level as level, w.b::double b, w.b0::double b0, w.b1::double b1
              from tasks x join person p using (job_id) left join w on w.level = x.ai_impact_level
              where x.validation_state in ('validated', 'suggested')) """
        + query
    )
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def check(profiles: tpa.TaskProfiles) -> None:
    index = """sum(h * b * {n}) part, sum(h * {n}) filter (b is not null) whole, sum(h * b0 * {n}) low,
        sum(h * b1 * {n}) high, count(*) filter (h is not null and b is not null and {n} is not null) weighed,
        count(*) tasks"""
    for weight, n in (("hours", "1"), ("headcount", "fte")):
        theirs = {
            row["family"]: row for row in sql(profiles, f"select family, {index.format(n=n)} from t group by family")
        }
        ours = measure_exposure(profiles, weight=weight)  # type: ignore[arg-type]
        assert set(ours["job_family"]) == set(profiles.jobs["job_family"].fill_null("(no family)"))
        for row in ours.iter_rows(named=True):
            other = theirs.get(row["job_family"], {"tasks": 0, "weighed": 0})
            whole = other.get("whole")
            assert (row["tasks"], row["tasks_weighed"]) == (other["tasks"], other["weighed"])
            assert close(row["coverage"], other["weighed"] / other["tasks"] if other["tasks"] else None)
            assert close(row["denominator"], whole)
            for name, part in (("exposure", "part"), ("weight_low", "low"), ("weight_high", "high")):
                assert close(row[name], other[part] / whole if whole else None)
    stake = {
        row["family"]: row
        for row in sql(
            profiles,
            """, j as (select job_id, any_value(fte) fte,
                         case when any_value(c) is not null then greatest(any_value(c) - coalesce(sum(h), 0), 0) end r,
                         bool_or(h is null and (level = 'H1' or level is null)) takes from t group by job_id),
            r as (select family, sum(r) filter (takes) r, count(*) filter (takes and r is null) open,
                         sum(case when j.fte = 0 then 0 else r * j.fte end) filter (takes and j.fte is not null) rn,
                         count(*) filter (takes and j.fte <> 0 and r is null) open_n
                  from j join person using (job_id) group by family)
            select t.family, coalesce(sum(h) filter (level = 'H1'), 0) low, sum(h) filter (level is null) gap,
                   coalesce(sum(h * fte) filter (level = 'H1'), 0) low_n, sum(h * fte) filter (level is null) gap_n,
                   count(fte) staffed, any_value(r.r) r, any_value(open) open, any_value(rn) rn,
                   any_value(open_n) open_n
            from t join r using (family) group by t.family""",
        )
    }
    for row in hours_at_stake(profiles).iter_rows(named=True):
        one = stake.get(row["job_family"])
        assert close(row["hours_low"], one and one["low"])
        if row["hours"] is not None:
            assert row["hours"] == row["hours_low"]
        high = one and not one["open"] and one["low"] + (one["gap"] or 0) + (one["r"] or 0)
        assert close(row["hours_high"], None if one is None or one["open"] else high)
        if not one or not one["staffed"]:
            assert row["headcount_hours_low"] is None
            continue
        assert close(row["headcount_hours_low"], one["low_n"])
        high = one["low_n"] + (one["gap_n"] or 0) + (one["rn"] or 0)
        assert close(row["headcount_hours_high"], None if one["open_n"] else high)


def test_figures_equal_sql_on_the_companies(company: tpa.TaskProfiles) -> None:
    fte, n = pl.int_range(pl.len()).cast(pl.Float64) % 7, pl.int_range(pl.len()) % 5
    with_all = company.jobs.with_columns(
        headcount=pl.when(fte > 0).then(fte), contract_hours=pl.when(n > 0).then(pl.lit(38.5))
    )
    check(tpa.TaskProfiles(with_all, company.tasks))


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_on_any_profiles(profiles: tpa.TaskProfiles) -> None:
    check(profiles)


@hypothesis.given(profiles=companies, b=st.floats(0, 1))
def test_the_index_lies_in_its_range_and_its_bounds(profiles: tpa.TaskProfiles, b: float) -> None:
    for measure in (measure_exposure, exposure_by_job):
        for row in measure(profiles, level_weights={**WEIGHTS, "H2": b}).iter_rows(named=True):
            if row["exposure"] is not None:
                assert row["weight_low"] - 1e-9 <= row["exposure"] <= row["weight_high"] + 1e-9
                assert row["bound_low"] is None or row["bound_low"] <= row["exposure"] + 1e-9
                assert row["bound_high"] is None or row["exposure"] <= row["bound_high"] + 1e-9
            assert row["exposure"] is not None or row["reason"] in NONE_BECAUSE


@hypothesis.given(profiles=companies)
def test_break_even_finds_each_pair_that_turns(profiles: tpa.TaskProfiles) -> None:
    lines = measure_exposure(profiles).filter(pl.col("exposure").is_not_null()).rows_by_key("job_family", named=True)
    expected = {}
    for one, two in itertools.combinations(sorted(lines), 2):
        a, b = lines[one][0], lines[two][0]
        low, high = a["weight_low"] - b["weight_low"], a["weight_high"] - b["weight_high"]
        if min(abs(low), abs(high)) > 1e-12 and (low > 0) != (high > 0):
            expected[frozenset((one, two))] = low / (low - high)
    found = break_even(profiles)
    assert {frozenset(pair) for pair in found.select("family_a", "family_b").rows()} == set(expected)
    for row in found.iter_rows(named=True):
        b = row["break_even"]
        assert math.isclose(b, expected[frozenset((row["family_a"], row["family_b"]))], abs_tol=1e-9)
        assert 0 < b < 1
        at_b = [row[f"weight_low_{x}"] * (1 - b) + row[f"weight_high_{x}"] * b for x in "ab"]
        assert math.isclose(*at_b, abs_tol=1e-9)
        assert row["exposure_a"] >= row["exposure_b"] - 1e-12
        assert (row["a_leads"] == "above") == (row["weight_high_a"] > row["weight_high_b"])


def test_break_even_of_two_families_by_hand() -> None:
    steep, flat = [task("H1", 1.0), task("H2", 9.0)], [task("H1", 4.0), task("H3", 6.0)]
    other = [task("H1", 10.0)]
    profiles = profiles_of([job(*steep, family="S"), job(*flat, family="F"), job(*other, family="Top")])
    row = break_even(profiles).row(0, named=True)
    assert break_even(profiles).height == 1
    assert (row["family_a"], row["family_b"], row["a_leads"]) == ("S", "F", "above")
    assert row["break_even"] == pytest.approx(1 / 3)
    low = break_even(profiles, level_weights={**WEIGHTS, "H2": 0.1}).row(0, named=True)
    assert (low["family_a"], low["a_leads"], low["break_even"]) == ("F", "below", pytest.approx(1 / 3))


@every_measure
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1))
def test_order_of_rows_and_parts_change_nothing(
    profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Callable[..., Any]
) -> None:
    mixed = profiles.tasks.sample(fraction=1, shuffle=True, seed=seed)
    at = int(mixed.height * cut)
    jobs = profiles.jobs.sample(fraction=1, shuffle=True, seed=seed).lazy()
    parts = tpa.TaskProfiles(jobs, pl.concat([mixed[at:].lazy(), mixed[:at].lazy()]))
    result = measure(profiles)
    assert_frame_equal(measure(parts), result, abs_tol=1e-7)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    for name in ("coverage", "exposure", "bound_low", "bound_high", "polarisation", "dispersion"):
        if name in result.columns:
            assert result[name].drop_nulls().is_between(0, 1).all()


def test_every_engine_takes_the_same_hours_where_none_are_known(sample: tpa.TaskProfiles) -> None:
    measure = MEASURES["exposure, 40 hours taken"]
    ours = measure(sample)
    frames = [
        pd.DataFrame(frame.select(pl.col(pl.String, pl.Float64)).to_dict(as_series=False))
        for frame in (sample.jobs, sample.tasks)
    ]
    assert_frame_equal(measure(tpa.TaskProfiles(*frames)), ours, abs_tol=1e-9)
    assert_frame_equal(measure(tpa.TaskProfiles(*map(duckdb.from_df, frames))), ours, abs_tol=1e-9)


@every_measure
def test_no_jobs_give_an_empty_table_with_all_columns(measure: Callable[..., Any]) -> None:
    nothing = measure(profiles_of([]))
    assert nothing.height == 0
    assert_frame_equal(nothing, measure(profiles_of([job(task(), headcount=1.0)])).clear())
    assert about(nothing).grade is None


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "NO_TASKS"),
        ([task(hours=None)], "NO_HOURS"),
        ([task(hours=0.0)], "NO_HOURS"),
        ([task(None, 4.0)], "NO_LEVELS"),
        ([task("H9", 4.0), task(hours=None)], "NO_LEVELS"),
        ([task("H2", 4.0), task(hours=None)], "NO_CONTRACT_HOURS"),
        ([task("H2", 4.0), task("H3", 4.0, "rejected")], None),
    ],
)
def test_a_figure_that_is_null_says_why(tasks: list[Any], said: str | None) -> None:
    profiles = profiles_of([job(*tasks)])
    for measure in (measure_exposure, exposure_by_job):
        row = measure(profiles).row(0, named=True)
        assert row["reason"] == said
        assert (row["exposure"] is None) == (said not in (None, "NO_CONTRACT_HOURS"))
    nobody = measure_exposure(profiles_of([job(task())]), weight="headcount").row(0, named=True)
    assert (nobody["exposure"], nobody["reason"], nobody["coverage"]) == (None, "NO_HEADCOUNT", 0.0)


def test_without_contract_hours_a_bound_is_null_only_where_it_would_need_them() -> None:
    open_low = profiles_of([job(task("H1", 10.0), task("H2", 10.0), task("H3", None))])
    row = measure_exposure(open_low).row(0, named=True)
    assert (row["bound_low"], row["bound_high"], row["reason"]) == (None, 0.75, "NO_CONTRACT_HOURS")
    taken = measure_exposure(open_low, contract_hours=40)
    assert (taken.item(0, "bound_low"), taken.item(0, "bound_high")) == (15 / 40, 0.75)
    assert any("1 of 1 jobs have no contract hours; their bounds take 40" in said for said in about(taken).warnings)
    own = profiles_of([job(task("H1", 10.0), task("H3", None), week=20.0)])
    assert measure_exposure(own, contract_hours=40).item(0, "bound_low") == 0.5
    no_level = profiles_of([job(task("H1", 10.0), task(None, 10.0))])
    assert measure_exposure(no_level).select("bound_low", "bound_high").row(0) == (0.5, 1.0)
    stake = hours_at_stake(profiles_of([job(task("H1", 3.0), task(None, None))])).row(0, named=True)
    assert (stake["hours"], stake["hours_high"], stake["reason"]) == (3.0, None, "NO_CONTRACT_HOURS")


@pytest.mark.parametrize("level", ["H4", "H9", "höchst"])
def test_a_level_without_weight_is_unknown_aloud_until_it_has_one(level: str) -> None:
    profiles = profiles_of([job(task("H1", 10.0), task(level, 10.0))])
    found = measure_exposure(profiles)
    assert found.select("exposure", "bound_low", "bound_high", "coverage").row(0) == (1.0, 0.5, 1.0, 0.5)
    assert any(f"1 tasks are at {level}" in said for said in about(found).warnings)
    assert about(found).coverage["level"] == 0.5
    mapped = measure_exposure(profiles, level_weights={**WEIGHTS, level: 0.0})
    assert mapped.select("exposure", "bound_low", "bound_high", "coverage").row(0) == (0.5, 0.5, 0.5, 1.0)
    assert about(mapped).warnings == ()


def test_a_job_without_tasks_lowers_nothing_and_an_empty_family_is_there() -> None:
    before = measure_exposure(profiles_of([job(*EXAMPLE, week=40.0)]))
    after = measure_exposure(profiles_of([job(*EXAMPLE, week=40.0), job(week=40.0), job(family="Empty", week=40.0)]))
    names = ["exposure", "bound_low", "bound_high", "coverage", "jobs_weighed"]
    assert after.filter(job_family="A").select(names).row(0) == before.select(names).row(0)
    assert after.row(1, named=True)["reason"] == "NO_TASKS"
    assert after.select(names).row(1) == (None, None, None, None, 0)


def test_headcount_weighs_jobs_and_leaves_out_those_without() -> None:
    profiles = profiles_of(
        [job(task("H1", 1.0), headcount=3.0), job(task("H3", 1.0), headcount=1.0), job(task("H3", 90.0))]
    )
    row = measure_exposure(profiles, weight="headcount").row(0, named=True)
    assert (row["exposure"], row["denominator"], row["jobs"], row["jobs_weighed"]) == (0.75, 4.0, 3, 2)
    assert row["coverage"] == pytest.approx(2 / 3)
    stake = hours_at_stake(profiles).row(0, named=True)
    assert (stake["hours"], stake["headcount_hours"], stake["jobs_with_headcount"]) == (1.0, 3.0, 2)


@hypothesis.given(profiles=companies)
def test_the_gap_of_count_and_time_is_on_the_same_tasks(profiles: tpa.TaskProfiles) -> None:
    theirs = {
        (row["family"], row["level"]): row["gap"]
        for row in sql(
            profiles,
            """select one.family, level, one.hours / nullif(everything.hours, 0) - one.n / everything.n as gap
               from (select family, level, sum(h) as hours, count(*) as n
                     from t where h is not null and level is not null group by family, level) as one
               join (select family, sum(h) as hours, count(*) as n
                     from t where h is not null and level is not null group by family) as everything
               on one.family = everything.family""",
        )
    }
    timed = {family for (family, _), gap in theirs.items() if gap is not None}
    for weight in ("tasks", "hours", "headcount"):
        for row in tpa.impact(profiles, weight=weight).iter_rows(named=True):  # type: ignore[arg-type]
            known = row["level"] not in (None, "not assessed") and row["job_family"] in timed
            gap = theirs.get((row["job_family"], row["level"]), 0.0) if known else None
            assert close(row["count_time_gap"], gap)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: measure_exposure(p, level_weights={}), "give a weight from 0 to 1"),
        (lambda p: exposure_by_job(p, level_weights={"H1": 2}), "weight of 'H1' is 2"),
        (lambda p: measure_exposure(p, level_weights={"H1": float("nan")}), "weight of 'H1' is nan"),
        (lambda p: measure_exposure(p, level_weights={"not assessed": 0}), "have no weight"),
        (lambda p: measure_exposure(p, weight="tasks"), "choose from hours, headcount"),
        (lambda p: measure_exposure(p, contract_hours=0), "contract_hours=0"),
        (lambda p: exposure_by_job(p, contract_hours=True), "contract_hours=True"),
        (lambda p: hours_at_stake(p, contract_hours="40"), "contract_hours='40'"),
        (lambda p: hours_at_stake(p, level="not assessed"), "level='not assessed'"),
        (lambda p: break_even(p, level_weights={"H1": 1}), "must include a weight for 'H2'"),
        (lambda p: break_even(p, states="validated"), "give a list"),
        (
            lambda p: measure_exposure(tpa.TaskProfiles(p.jobs.drop("headcount"), p.tasks), weight="headcount"),
            "jobs lacks 'headcount'",
        ),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_do(call: Callable[..., Any], said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(profiles_of([job(task())]))
