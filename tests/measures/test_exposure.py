"""Tests of exposure by job family and by job."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import (
    TASKS_WITH_WEIGHTS,
    as_pandas,
    check_row_order,
    close,
    job,
    query,
    task,
    with_staffing,
)
from tests.helpers.by_job import exposure_by_job
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures._core.metadata import NULL_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "exposure": tpa.exposure,
    "exposure, assumed contract hours": lambda p: tpa.exposure(p, contract_hours=40),
    "exposure by headcount": lambda p: tpa.exposure(p, weight="headcount"),
    "exposure by job": exposure_by_job,
    "hours at stake": tpa.hours_at_stake,
    "break-even": tpa.break_even,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}
EXAMPLE = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]


def test_worked_example() -> None:
    profiles = profiles_of([job(*EXAMPLE, week=40.0)])
    row = tpa.exposure(profiles).row(0, named=True)
    assert row["exposure"] == pytest.approx(16 / 22)
    assert (row["bound_low"], row["bound_high"]) == pytest.approx((16 / 40, 20 / 26))
    assert (row["weight_low"], row["weight_high"]) == pytest.approx((10 / 22, 1.0))
    assert (row["coverage"], row["data_grade"], row["reason"]) == (0.5, "C", None)
    assert (row["numerator"], row["denominator"], row["tasks_in_index"]) == (16.0, 22.0, 2)
    job_row = exposure_by_job(profiles).row(0, named=True)
    assert job_row["exposure"] == pytest.approx(16 / 22)
    assert (job_row["bound_low"], job_row["bound_high"]) == pytest.approx((16 / 40, 20 / 26))


_some_task = st.tuples(st.sampled_from(["H1", "H2", "H3", "H4", None]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_some_job = st.tuples(st.lists(_some_task, max_size=3), st.sampled_from([5.0, 20.0, 40.0]), st.sampled_from([0, 1, 3]))
_some_weights = st.sampled_from([WEIGHTS, {"H1": 0.9, "H2": 0.4, "H3": 0.1}, {"H1": 1.0, "H2": 0.0}])


def brute_force(jobs: list[Any], level_weights: Mapping[str, float], *, staffed: bool) -> tuple[float, float] | None:
    """Try all extremes: each unknown level has the lowest or highest weight, one open task or none takes the rest."""
    ends = min(level_weights.values()), max(level_weights.values())
    job_outcomes = []
    for tasks, week, staff in jobs:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        outcomes = set()
        for weights in itertools.product(*([level_weights[x]] if x in level_weights else ends for x, _ in tasks)):
            for open_task in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]:
                hours = [(h or 0.0) + (rest if i == open_task else 0.0) for i, (_, h) in enumerate(tasks)]
                scale = staff if staffed else 1
                outcomes.add((sum(h * w for h, w in zip(hours, weights, strict=True)) * scale, sum(hours) * scale))
        job_outcomes.append(sorted(outcomes))
    indices = []
    for combination in itertools.product(*job_outcomes):
        part, total = (sum(column) for column in zip(*combination, strict=True))
        if total > 0:
            indices.append(part / total)
    return (min(indices), max(indices)) if indices else None


@hypothesis.given(jobs=st.lists(_some_job, min_size=1, max_size=3), level_weights=_some_weights, staffed=st.booleans())
def test_bounds_equal_brute_force(jobs: list[Any], level_weights: dict[str, float], staffed: bool) -> None:
    profiles = profiles_of(
        [job(*(task(x, h) for x, h in tasks), week=week, headcount=float(staff)) for tasks, week, staff in jobs]
    )
    row = tpa.exposure(profiles, level_weights=level_weights, weight="headcount" if staffed else "hours").row(
        0, named=True
    )
    low, high = brute_force(jobs, level_weights, staffed=staffed) or (None, None)
    assert close(row["bound_low"], low)
    assert close(row["bound_high"], high)


@hypothesis.given(jobs=st.lists(_some_job, max_size=5), level_weights=_some_weights)
def test_job_bounds_equal_brute_force(jobs: list[Any], level_weights: dict[str, float]) -> None:
    profiles = profiles_of([job(*(task(x, h) for x, h in tasks), week=week) for tasks, week, _ in jobs])
    rows = exposure_by_job(profiles, level_weights=level_weights).select("bound_low", "bound_high").rows()
    for bounds, (tasks, week, _) in zip(rows, jobs, strict=True):
        expected = brute_force([(tasks, week, 1)], level_weights, staffed=False) or (None, None)
        assert all(map(close, bounds, expected))


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    profiles = with_cache(profiles)
    index = """sum(h * b * {n}) part, sum(h * {n}) filter (b is not null) total, sum(h * b0 * {n}) low,
        sum(h * b1 * {n}) high, count(*) filter (h is not null and b is not null and {n} is not null) weighed,
        count(*) tasks"""
    weights = {"hours": "1", "headcount": "fte"}
    rows = query(
        profiles,
        " union all ".join(
            f"from ({TASKS_WITH_WEIGHTS} select '{weight}' weight, family, {index.format(n=n)} from t group by family)"
            for weight, n in weights.items()
        ),
    )
    for weight in weights:
        expected = {row["family"]: row for row in rows if row["weight"] == weight}
        table = tpa.exposure(profiles, weight=weight)  # type: ignore[arg-type]
        assert set(table["job_family"]) == set(profiles.jobs["job_family"].fill_null("(no job family)"))
        for row in table.iter_rows(named=True):
            other = expected.get(row["job_family"], {"tasks": 0, "weighed": 0})
            total = other.get("total")
            assert (row["tasks"], row["tasks_in_index"]) == (other["tasks"], other["weighed"])
            assert close(row["coverage"], other["weighed"] / other["tasks"] if other["tasks"] else None)
            assert close(row["denominator"], total)
            for name, part in (("exposure", "part"), ("weight_low", "low"), ("weight_high", "high")):
                assert close(row[name], other[part] / total if total else None)


def test_figures_equal_sql(company: tpa.TaskProfiles) -> None:
    check_against_sql(with_staffing(company))


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


@hypothesis.given(profiles=companies, b=st.floats(0, 1))
def test_index_is_within_its_weight_range_and_bounds(profiles: tpa.TaskProfiles, b: float) -> None:
    profiles = with_cache(profiles)
    for measure in (tpa.exposure, exposure_by_job):
        for row in measure(profiles, level_weights={**WEIGHTS, "H2": b}).iter_rows(named=True):
            if row["exposure"] is not None:
                assert row["weight_low"] - 1e-9 <= row["exposure"] <= row["weight_high"] + 1e-9
                assert row["bound_low"] is None or row["bound_low"] <= row["exposure"] + 1e-9
                assert row["bound_high"] is None or row["exposure"] <= row["bound_high"] + 1e-9
            assert row["exposure"] is not None or row["reason"] in NULL_REASONS


@hypothesis.given(
    measure=st.sampled_from(list(MEASURES.values())),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_row_order_does_not_matter(
    profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Callable[..., Any]
) -> None:
    result = check_row_order(measure, profiles, seed, cut, tolerance=1e-7)
    for name in ("coverage", "exposure", "bound_low", "bound_high", "polarisation", "dispersion"):
        if name in result.columns:
            assert result[name].drop_nulls().is_between(0, 1).all()


def test_assumed_contract_hours_are_the_same_on_every_backend(sample: tpa.TaskProfiles) -> None:
    expected = tpa.exposure(sample, contract_hours=40)
    frames = [as_pandas(frame) for frame in (sample.jobs, sample.tasks)]
    for profiles in (tpa.TaskProfiles(*frames), tpa.TaskProfiles(*map(duckdb.from_df, frames))):
        assert_frame_equal(tpa.exposure(profiles, contract_hours=40), expected, abs_tol=1e-9)


@every_measure
def test_no_jobs_return_an_empty_table(measure: Callable[..., Any]) -> None:
    empty = measure(profiles_of([]))
    assert empty.height == 0
    assert_frame_equal(empty, measure(profiles_of([job(task(), headcount=1.0)])).clear())
    assert tpa.about(empty).grade is None


@pytest.mark.parametrize(
    ("tasks", "reason"),
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
def test_null_exposure_has_a_reason(tasks: list[Any], reason: str | None) -> None:
    profiles = profiles_of([job(*tasks)])
    for measure in (tpa.exposure, exposure_by_job):
        row = measure(profiles).row(0, named=True)
        assert row["reason"] == reason
        assert (row["exposure"] is None) == (reason not in (None, "NO_CONTRACT_HOURS"))
    no_headcount = tpa.exposure(profiles_of([job(task())]), weight="headcount").row(0, named=True)
    assert (no_headcount["exposure"], no_headcount["reason"], no_headcount["coverage"]) == (None, "NO_HEADCOUNT", 0.0)


def test_bound_is_null_only_if_it_requires_missing_contract_hours() -> None:
    open_low = profiles_of([job(task("H1", 10.0), task("H2", 10.0), task("H3", None))])
    row = tpa.exposure(open_low).row(0, named=True)
    assert (row["bound_low"], row["bound_high"], row["reason"]) == (None, 0.75, "NO_CONTRACT_HOURS")
    assumed = tpa.exposure(open_low, contract_hours=40)
    assert (assumed.item(0, "bound_low"), assumed.item(0, "bound_high")) == (15 / 40, 0.75)
    assert any(
        "The bounds assume 40 h per week for jobs without contract hours (1 of 1)" in warning
        for warning in tpa.about(assumed).warnings
    )
    own = profiles_of([job(task("H1", 10.0), task("H3", None), week=20.0)])
    assert tpa.exposure(own, contract_hours=40).item(0, "bound_low") == 0.5
    no_level = profiles_of([job(task("H1", 10.0), task(None, 10.0))])
    assert tpa.exposure(no_level).select("bound_low", "bound_high").row(0) == (0.5, 1.0)


@pytest.mark.parametrize("level", ["H4", "H9", "höchst"])
def test_level_without_a_weight_counts_as_unknown_and_warns(level: str) -> None:
    profiles = profiles_of([job(task("H1", 10.0), task(level, 10.0))])
    unmapped = tpa.exposure(profiles)
    assert unmapped.select("exposure", "bound_low", "bound_high", "coverage").row(0) == (1.0, 0.5, 1.0, 0.5)
    assert f"Levels without a weight count as not assessed: {level} (1 task)." in tpa.about(unmapped).warnings
    assert tpa.about(unmapped).coverage["level"] == 0.5
    mapped = tpa.exposure(profiles, level_weights={**WEIGHTS, level: 0.0})
    assert mapped.select("exposure", "bound_low", "bound_high", "coverage").row(0) == (0.5, 0.5, 0.5, 1.0)
    assert tpa.about(mapped).warnings == ()


def test_jobs_without_tasks_do_not_change_the_index() -> None:
    before = tpa.exposure(profiles_of([job(*EXAMPLE, week=40.0)]))
    after = tpa.exposure(profiles_of([job(*EXAMPLE, week=40.0), job(week=40.0), job(family="Empty", week=40.0)]))
    names = ["exposure", "bound_low", "bound_high", "coverage", "jobs_in_index"]
    assert after.filter(job_family="A").select(names).row(0) == before.select(names).row(0)
    assert after.row(1, named=True)["reason"] == "NO_TASKS"
    assert after.select(names).row(1) == (None, None, None, None, 0)


def test_headcount_weights_jobs_and_excludes_those_without() -> None:
    profiles = profiles_of(
        [job(task("H1", 1.0), headcount=3.0), job(task("H3", 1.0), headcount=1.0), job(task("H3", 90.0))]
    )
    row = tpa.exposure(profiles, weight="headcount").row(0, named=True)
    assert (row["exposure"], row["denominator"], row["jobs"], row["jobs_in_index"]) == (0.75, 4.0, 3, 2)
    assert row["coverage"] == pytest.approx(2 / 3)


def check_against_loops(profiles: tpa.TaskProfiles, level_weights: dict[str, float]) -> None:
    tasks = profiles.tasks.filter(pl.col("validation_state") != "rejected").select(
        "job_id", "ai_impact_level", "weekly_hours"
    )
    pairs: dict[str, list[tuple[float, float]]] = {job_id: [] for job_id in profiles.jobs["job_id"]}
    for job_id, level, h in tasks.iter_rows():
        if level in level_weights and h is not None:
            pairs[job_id].append((level_weights[level], h))
    table = exposure_by_job(profiles, level_weights=level_weights)
    assert table["job_id"].to_list() == sorted(pairs)
    for row in table.iter_rows(named=True):
        weighted = pairs[row["job_id"]]
        total = math.fsum(h for _, h in weighted)
        if total == 0:
            assert (row["exposure"], row["dispersion"], row["polarisation"]) == (None, None, None)
            continue
        mean = math.fsum(w * h for w, h in weighted) / total
        variance = math.fsum(h * (w - mean) ** 2 for w, h in weighted) / total
        assert math.isclose(row["exposure"], mean, abs_tol=1e-9)
        assert math.isclose(row["dispersion"], math.sqrt(variance), abs_tol=1e-7)
        if len(weighted) < 3 or row["exposure"] in (0.0, 1.0):
            assert row["polarisation"] is None
        elif 1e-9 < mean < 1 - 1e-9:
            assert math.isclose(row["polarisation"], variance / (mean * (1 - mean)), abs_tol=1e-6)


@hypothesis.given(profiles=companies, b=st.floats(0, 1))
def test_job_figures_equal_loops_for_random_profiles(profiles: tpa.TaskProfiles, b: float) -> None:
    check_against_loops(profiles, {"H1": 1.0, "H2": b, "H3": 0.0})


def test_job_figures_equal_loops(company: tpa.TaskProfiles) -> None:
    check_against_loops(company, WEIGHTS)


def job_of(*tasks: tuple[str | None, float | None]) -> dict[str, Any]:
    return job(*(task(level, hours) for level, hours in tasks))


def test_polarisation_separates_split_jobs_from_uniform_jobs() -> None:
    table = exposure_by_job(
        profiles_of(
            [
                job_of(("H1", 4.0), ("H1", 6.0), ("H3", 10.0)),
                job_of(("H2", 5.0), ("H2", 5.0), ("H2", 5.0)),
                job_of(("H1", 4.0), ("H3", 4.0)),
                job_of(("H1", 4.0), ("H3", 4.0), ("H3", None), (None, 3.0), ("H9", 3.0)),
                job_of(("H1", 5.0), ("H1", 5.0), ("H1", 5.0)),
                job_of(("H3", 0.0), ("H3", 0.0), ("H1", 0.0)),
            ]
        )
    )
    assert table["exposure"].to_list() == [0.5, 0.5, 0.5, 0.5, 1.0, None]
    assert table["dispersion"].to_list() == [0.5, 0.0, 0.5, 0.5, 0.0, None]
    assert table["polarisation"].to_list() == [1.0, 0.0, None, None, None, None]


@hypothesis.given(split=st.lists(st.sampled_from([("H1", 2.0), ("H3", 5.0)]), min_size=3, max_size=8))
def test_polarisation_is_1_only_for_weights_0_and_1(split: list[tuple[str, float]]) -> None:
    hypothesis.assume(len(set(split)) == 2)
    jobs = profiles_of([job_of(*split), job_of(*split, ("H2", 4.0))])
    alone, mixed = exposure_by_job(jobs)["polarisation"]
    assert alone == pytest.approx(1.0)
    assert 0 < mixed < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.exposure(p, level_weights={}), "`level_weights` must be a dict of level and weight"),
        (
            lambda p: exposure_by_job(p, level_weights={"H1": 2}),
            "weight of 'H1' in `level_weights` must be a number from 0 to 1, not 2",
        ),
        (
            lambda p: tpa.exposure(p, level_weights={"H1": float("nan")}),
            "weight of 'H1' in `level_weights` must be a number from 0 to 1, not nan",
        ),
        (lambda p: tpa.exposure(p, level_weights={"not assessed": 0}), "must not contain 'not assessed'"),
        (lambda p: tpa.exposure(p, weight="tasks"), "must be 'hours', 'headcount' or 'fte', not"),
        (lambda p: tpa.exposure(p, contract_hours=0), "`contract_hours` must be above 0 .*, not 0"),
        (
            lambda p: exposure_by_job(p, contract_hours=True),
            "`contract_hours` must be above 0 .*, not True",
        ),
        (
            lambda p: tpa.exposure(tpa.TaskProfiles(p.jobs.drop("headcount"), p.tasks), weight="headcount"),
            "`jobs` has no column 'headcount'",
        ),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(profiles_of([job(task())]))
