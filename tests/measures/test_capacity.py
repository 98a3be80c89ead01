"""What could be freed equals SQL and brute force; nothing is assumed that nobody said, or known that is not."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import LEVELS, companies, profiles_of
from tpanalytics.measures._core.metadata import NONE_BECAUSE
from tpanalytics.measures.capacity import capacity as measure_capacity
from tpanalytics.measures.fragmentation import fragmentation as measure_fragmentation

if TYPE_CHECKING:
    from collections.abc import Callable

#: The least and the most a level frees; H3 more than H2, so that nothing can lean on their order.
FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": (0.25, 0.5), "H4": 0, "H5": 1, "H9": (0.0, 0.1), "höchst": 0.05}
LOW = {level: share[0] if isinstance(share, tuple) else share for level, share in FREED.items()}
HIGH = {level: share[1] if isinstance(share, tuple) else share for level, share in FREED.items()}
capacity = partial(measure_capacity, freed=FREED, adoption=(0.3, 0.6), realisation=(0.5, 0.8), contract_hours=37.0)
fragmentation = partial(measure_fragmentation, freed=FREED, realisation=(0.5, 0.8))
MEASURES: dict[str, Callable[..., pl.DataFrame]] = {
    "capacity": capacity,
    "capacity of one person": partial(measure_capacity, freed=FREED),
    "fragmentation": fragmentation,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def task(level: str | None = "H1", hours: float | None = 10.0, state: str = "validated") -> dict[str, Any]:
    return {"task_id": "t", "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(
    *tasks: dict[str, Any], headcount: float | None = 1.0, week: float | None = 40.0, family: str = "A"
) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": week, "tasks": list(tasks)}


def equal(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def with_headcount(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Give people to every job but each seventh, where the data have none."""
    if "headcount" in profiles.jobs.columns:
        return profiles
    fte = pl.int_range(pl.len()).cast(pl.Float64) % 7
    jobs = profiles.jobs.with_columns(headcount=pl.when(fte > 0).then(fte), contract_hours=pl.lit(None, pl.Float64))
    return tpa.TaskProfiles(jobs, profiles.tasks)


def sql(profiles: tpa.TaskProfiles) -> dict[str, dict[str, Any]]:
    """Work everything out by family from the raw rows, in one query written apart from our code."""
    connection = duckdb.connect()
    wanted = ["job_id", "validation_state", "weekly_hours", "ai_impact_level"]
    rates = pl.DataFrame(
        {"level": list(FREED), "lo": LOW.values(), "hi": HIGH.values()}, schema_overrides={"lo": float, "hi": float}
    )
    frames = {"jobs": profiles.jobs, "tasks": profiles.tasks.select(wanted), "rates": rates}
    for name, frame in frames.items():
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create or replace table {name} as from '{name}.parquet'")
    result = connection.execute(
        """
        with person as (select job_id, coalesce(job_family, '(no family)') as family, headcount as n,
                               coalesce(contract_hours, 37) as week from jobs),
        t as (select job_id, weekly_hours h, ai_impact_level lvl, lo, hi
              from tasks left join rates on level = ai_impact_level
              where validation_state in ('validated', 'suggested')),
        j as (select job_id, count(*) tasks, sum(h) as hours, count(*) filter (h is not null and lvl is not null) known,
                     sum(h) filter (lvl is not null) rated,
                     sum(h * lo) filter (lvl is not null) lo, sum(h * hi) filter (lvl is not null) hi,
                     coalesce(sum(h) filter (lvl is null), 0) * 1.0 unrated,
                     max(case when lvl is null then 1.0 else hi end) filter (h is null) open_rate
              from t group by job_id)
        select family, count(*) jobs, count(n) staffed, count(*) filter (n is not null and known > 0) measured,
               count(*) filter (known > 0) measured_one, sum(n) filter (known > 0) people, sum(n * hours) staff_hours,
               sum(n * lo) lo, sum(n * hi) hi, sum(n * lo / week) weeks_lo, sum(n * hi / week) weeks_hi,
               sum(n * (coalesce(hi, 0) + unrated
                        + case when open_rate is null then 0
                          else greatest(0, week - coalesce(hours, 0)) * open_rate end)) filter (tasks > 0) most,
               coalesce(sum(known) filter (n is not null), 0) / nullif(sum(tasks), 0) coverage,
               sum(known) / nullif(sum(tasks), 0) coverage_one, sum(rated) rated, sum(lo) one_lo, sum(hi) one_hi
        from person left join j using (job_id) group by family"""
    )
    names = [column[0] for column in result.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in result.fetchall()}


def check_against_sql(profiles: tpa.TaskProfiles) -> None:
    profiles = with_headcount(profiles)
    theirs = sql(profiles)
    ours = capacity(profiles)
    assert ours["job_family"].to_list() == sorted(theirs, key=lambda family: (family == "(no family)", family))
    low, high = 0.3 * 0.5, 0.6 * 0.8
    scaled = {
        "people": ("people", 1),
        "headcount_hours": ("staff_hours", 1),
        "headcount_freed_low": ("lo", 1),
        "headcount_freed_high": ("hi", 1),
        "capacity_low": ("lo", low),
        "capacity_high": ("hi", high),
        "capacity_most": ("most", high),
        "full_time_weeks_low": ("weeks_lo", low),
        "full_time_weeks_high": ("weeks_hi", high),
        "capacity_coverage": ("coverage", 1),
    }
    for row in ours.iter_rows(named=True):
        other = theirs[row["job_family"]]
        assert (row["jobs"], row["jobs_with_headcount"], row["jobs_measured_with_headcount"]) == (
            other["jobs"],
            other["staffed"],
            other["measured"],
        )
        for name, (key, factor) in scaled.items():
            assert equal(row[name], None if other[key] is None else other[key] * factor), name
        assert (row["capacity_reason"] is None) == (row["headcount_freed_low"] is not None)
        assert (row["reason"] is None) == (row["freed_low"] is not None)
        assert (row["jobs"], row["jobs_measured"]) == (other["jobs"], other["measured_one"])
        pairs = {"hours": "rated", "freed_low": "one_lo", "freed_high": "one_hi", "coverage": "coverage_one"}
        for name, key in pairs.items():
            assert equal(row[name], other[key]), name
        for end in ("low", "high"):
            assert equal(row[f"share_{end}"], row[f"freed_{end}"] / other["rated"] if other["rated"] else None)
            mean = row[f"freed_{end}"] / other["measured_one"] if other["measured_one"] else None
            assert equal(row[f"per_job_{end}"], mean)


def test_figures_equal_sql_on_the_companies(company: tpa.TaskProfiles) -> None:
    check_against_sql(company)


@hypothesis.given(profiles=companies)
def test_figures_equal_sql_on_any_profiles(profiles: tpa.TaskProfiles) -> None:
    check_against_sql(profiles)


_few_tasks = st.lists(
    st.tuples(st.sampled_from(["H1", "H2", "H4", None]), st.sampled_from([None, 0.0, 3.0, 12.0])), max_size=3
)


@hypothesis.given(jobs=st.lists(st.tuples(_few_tasks, st.sampled_from([0.0, 1.0, 3.5])), min_size=1, max_size=3))
def test_the_most_is_the_best_way_to_fill_every_gap(jobs: list[Any]) -> None:
    best = 0.0
    for tasks, people in jobs:
        rest = max(0.0, 20.0 - sum(hours or 0.0 for _, hours in tasks))
        ways = [0.0]
        for filled in itertools.product(*([level] if level else list(FREED) for level, _ in tasks)):
            for taker in [None, *(i for i, (_, hours) in enumerate(tasks) if hours is None)]:
                hours = [rest if i == taker else h or 0.0 for i, (_, h) in enumerate(tasks)]
                ways.append(sum(h * HIGH[level] for h, level in zip(hours, filled, strict=True)))
        best += people * max(ways)
    made = profiles_of([job(*(task(*one) for one in tasks), headcount=people, week=20.0) for tasks, people in jobs])
    row = measure_capacity(made, freed=FREED, adoption=1, realisation=1).row(0, named=True)
    if any(tasks for tasks, _ in jobs):
        assert equal(row["capacity_most"], best)
        assert row["capacity_high"] is None or row["capacity_high"] <= row["capacity_most"] + 1e-9
    else:
        assert (row["capacity_most"], row["capacity_reason"]) == (None, "NO_TASKS")


def per_person(profiles: tpa.TaskProfiles, shares: dict[str, float]) -> dict[str, list[tuple[float, float]]]:
    """Give each measured job's people and freed hours of one of them, by family, in plain Python."""
    freed: dict[str, float] = {}
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected" and None not in (row["weekly_hours"], row["ai_impact_level"]):
            hours = row["weekly_hours"] * shares[row["ai_impact_level"]]
            freed[row["job_id"]] = freed.get(row["job_id"], 0.0) + hours
    found: dict[str, list[tuple[float, float]]] = {}
    for row in profiles.jobs.iter_rows(named=True):
        of_family = found.setdefault(row["job_family"] or "(no family)", [])
        if row["headcount"] is not None and row["job_id"] in freed:
            of_family.append((row["headcount"], freed[row["job_id"]]))
    return found


@hypothesis.given(profiles=companies, block=st.sampled_from([0.05, 1.0, 2.5, 8.0]))
def test_blocks_equal_the_formula_where_numbers_are_given(profiles: tpa.TaskProfiles, block: float) -> None:
    theirs = per_person(profiles, {level: share * 0.5 for level, share in LOW.items()})
    ours = measure_fragmentation(profiles, freed=LOW, realisation=0.5, block_hours=block)
    assert ours["job_family"].to_list() == sorted(theirs, key=lambda family: (family == "(no family)", family))
    for row in ours.iter_rows(named=True):
        jobs = theirs[row["job_family"]]
        whole = sum(people * hours for people, hours in jobs)
        usable = sum(people * hours for people, hours in jobs if hours >= block - 1e-9)
        assert row["jobs_measured"] == len(jobs)
        for end in ("low", "high"):
            assert equal(row[f"gained_{end}"], whole if jobs else None)
            assert equal(row[f"usable_hours_{end}"], usable if jobs else None)
            assert equal(row[f"usable_share_{end}"], usable / whole if whole else None)
            assert equal(row[f"median_gained_{end}"], weighted_median(jobs))
        assert (row["reason"] is None) == (whole > 0)
        assert (row["reason"] == "NOTHING_FREED") == (bool(jobs) and whole == 0)


def weighted_median(jobs: list[tuple[float, float]]) -> float | None:
    half, so_far = sum(people for people, _ in jobs) / 2, 0.0
    for people, hours in sorted((job for job in jobs if job[0] > 0), key=lambda job: job[1]):
        so_far += people
        if so_far >= half - 1e-9:
            return hours
    return None


_hours = st.sampled_from([0.0, 2.0, 5.0, 10.0, 20.0])
_people = st.sampled_from([0.0, 1.0, 4.0])


@hypothesis.given(jobs=st.lists(st.tuples(_hours, _hours, _people), min_size=1, max_size=4))
def test_shares_of_blocks_are_bounded_by_every_place_in_the_ranges(jobs: list[tuple[float, float, float]]) -> None:
    freed: dict[str, Any] = {"H1": (0.2, 0.6), "H3": (0.0, 0.1)}
    made = profiles_of([job(task("H1", one), task("H3", other), headcount=n) for one, other, n in jobs])
    row = measure_fragmentation(made, freed=freed, realisation=(0.5, 1), block_hours=2).row(0, named=True)
    places, shares = [], []
    for one, other, people in jobs:
        low, high = 0.5 * 0.2 * one, 0.6 * one + 0.1 * other
        near = [place for place in (2.0 - 1e-7, 2.0, 1e-7) if low <= place <= high]
        places.append([(people, place) for place in (low, high, *near)])
    for chosen in itertools.product(*places):
        whole = sum(people * hours for people, hours in chosen)
        if whole > 0:
            shares.append(sum(people * hours for people, hours in chosen if hours >= 2.0 - 1e-9) / whole)
    if not shares:
        assert (row["usable_share_low"], row["usable_share_high"], row["reason"]) == (None, None, "NOTHING_FREED")
    else:
        assert row["usable_share_low"] == pytest.approx(min(shares), abs=1e-5)
        assert row["usable_share_high"] == pytest.approx(max(shares), abs=1e-5)


@hypothesis.given(profiles=companies)
def test_larger_blocks_are_never_easier_to_fill(profiles: tpa.TaskProfiles) -> None:
    for _, curve in fragmentation(profiles, block_hours=[8, 0.5, 4, 2, 0.5]).group_by("job_family"):
        assert curve["block_hours"].to_list() == [0.5, 2.0, 4.0, 8.0]
        for name in ("usable_hours_low", "usable_hours_high", "usable_share_low", "usable_share_high"):
            steps = curve[name].drop_nulls().to_list()
            assert all(later <= sooner + 1e-9 for sooner, later in itertools.pairwise(steps))
        for low, high in curve.select("usable_share_low", "usable_share_high").drop_nulls().rows():
            assert -1e-9 <= low <= high + 1e-9 <= 1 + 2e-9


def test_a_block_that_is_just_reached_is_reached_on_every_engine() -> None:
    thirds = profiles_of([job(*(task("H1", 0.1) for _ in range(30)), headcount=5)])  # adds up to just below or above 3
    row = measure_fragmentation(thirds, freed={"H1": 1}, realisation=1, block_hours=3.0).row(0, named=True)
    assert row["usable_share_low"] == 1.0


def test_the_scenario_is_the_product_of_what_was_said() -> None:
    made = profiles_of(
        [job(task("H1", 10.0), task("H2", 5.0), task("H3", 20.0), headcount=8), job(task("H1", 4.0), headcount=None)]
    )
    row = measure_capacity(
        made, freed={"H1": (0.4, 0.6), "H2": 0.2, "H3": 0}, adoption=(0.5, 1.0), realisation=0.5
    ).row(0, named=True)
    # One person is freed of 5 to 7 hours, eight of 40 to 56; of those a quarter to a half remains.
    freed = (row["headcount_freed_low"], row["headcount_freed_high"])
    assert (*freed, row["headcount_hours"]) == pytest.approx((40.0, 56.0, 280.0))
    # One person in either job: 5 to 7 hours, and 1.6 to 2.4 of the job without a headcount.
    assert (row["freed_low"], row["freed_high"], row["hours"]) == pytest.approx((6.6, 9.4, 39.0))
    assert (row["capacity_low"], row["capacity_high"]) == pytest.approx((10.0, 28.0))
    assert (row["full_time_weeks_low"], row["full_time_weeks_high"]) == pytest.approx((0.25, 0.7))
    assert (row["capacity_coverage"], row["coverage"], row["people"]) == (0.75, 1.0, 8.0)


def test_what_is_not_known_is_no_zero_and_has_its_reason() -> None:
    def said(*jobs: dict[str, Any]) -> tuple[Any, ...]:
        return (
            capacity(profiles_of(list(jobs))).select("headcount_freed_low", "capacity_high", "capacity_reason").row(0)
        )

    assert said(job()) == (None, None, "NO_TASKS")
    assert said(job(task(state="rejected"))) == (None, None, "NO_TASKS")
    assert said(job(task(), headcount=None)) == (None, None, "NO_HEADCOUNT")
    assert said(job(task(), headcount=None), job()) == (None, None, "NO_TASKS")
    assert said(job(task(hours=None))) == (None, None, "NO_HOURS")
    assert said(job(task(None, 4.0))) == (None, None, "NO_LEVELS")
    assert said(job(task("H4", 4.0))) == (0.0, 0.0, None)  # said to free nothing: that is known
    assert said(job(task("H1", 0.0))) == (0.0, 0.0, None)
    assert said(job(task("H1"), headcount=0.0)) == (0.0, 0.0, None)
    unstaffed = capacity(profiles_of([job(task(), headcount=None)]))
    assert unstaffed.select("freed_low", "reason").row(0) == (4.0, None)  # one person needs no headcount


@hypothesis.given(profiles=companies)
def test_every_reason_has_words(profiles: tpa.TaskProfiles) -> None:
    for measure in MEASURES.values():
        found = measure(profiles)
        reasons = {reason for name in found.columns if name.endswith("reason") for reason in found[name].drop_nulls()}
        assert reasons <= {*NONE_BECAUSE, "NOTHING_FREED"}


@every_measure
@hypothesis.given(profiles=companies)
def test_jobs_without_tasks_or_people_change_no_figure(
    profiles: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]
) -> None:
    more = profiles_of([job(headcount=None, family="Finance"), job(headcount=50.0, family="Finance")]).jobs
    more = more.with_columns(job_id=pl.concat_str(pl.lit("more "), "job_id"))
    both = measure(tpa.TaskProfiles(pl.concat([profiles.jobs, more]), profiles.tasks))
    counted = ("jobs", "jobs_with_headcount", "reason", "capacity_reason")
    before, after = (frame.drop(counted, strict=False) for frame in (measure(profiles), both))
    had = before["job_family"].unique().to_list()
    assert_frame_equal(after.filter(pl.col("job_family").is_in(had)), before, abs_tol=1e-9)


@every_measure
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1), cut=st.floats(0, 1))
def test_order_of_rows_and_parts_change_nothing(
    profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Callable[..., pl.DataFrame]
) -> None:
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = int(tasks.height * cut)
    parts = pl.concat([tasks[at:].lazy(), tasks[:at].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(jobs.lazy(), parts)), measure(profiles), abs_tol=1e-9)


@every_measure
@hypothesis.given(profiles=companies)
def test_no_figure_is_nan_or_infinite(profiles: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]) -> None:
    for column in measure(profiles).select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
        assert (column.drop_nulls() >= 0).all()


@every_measure
def test_no_jobs_give_an_empty_table_with_all_columns(measure: Callable[..., pl.DataFrame]) -> None:
    nothing = measure(profiles_of([]))
    assert nothing.height == 0
    assert_frame_equal(nothing, measure(profiles_of([job(task())])).clear())


def test_a_level_that_nobody_spoke_of_is_refused() -> None:
    made = profiles_of([job(task("H1"), task("H9"), task("höchst", None), task(None))])
    with pytest.raises(tpa.SchemaError, match="`freed` has no share for 'H9', 'höchst', only for 'H1', 'H3'"):
        measure_capacity(made, freed={"H1": 0.5, "H3": 0})
    only_rejected = profiles_of([job(task("H1"), task("H9", state="rejected"))])
    assert measure_capacity(only_rejected, freed={"H1": 0.5}).item(0, "freed_low") == 5.0


@pytest.mark.parametrize("measure", [capacity, fragmentation], ids=["capacity", "fragmentation"])
def test_people_are_never_made_up(measure: Callable[..., pl.DataFrame]) -> None:
    made = profiles_of([job(task())])
    with pytest.raises(tpa.SchemaError, match=r"`jobs` has no column 'headcount'.*capacity without adoption"):
        measure(tpa.TaskProfiles(made.jobs.drop("headcount"), made.tasks))
    with pytest.raises(tpa.SchemaError, match="`headcount` of job 'j000' must be 0 or more and finite, not -1"):
        measure(profiles_of([job(task(), headcount=-1.0)]))
    with pytest.raises(tpa.SchemaError, match="`contract_hours` of job 'j000' must be above 0 and finite, not -40"):
        measure(profiles_of([job(task(), week=-40.0)]))


def test_people_are_not_needed_for_one_person_in_each_job() -> None:
    made = profiles_of([job(task())])
    bare = tpa.TaskProfiles(made.jobs.drop("headcount"), made.tasks)
    row = measure_capacity(bare, freed=FREED).row(0, named=True)
    assert (row["freed_low"], row["freed_high"], row["reason"]) == (4.0, 7.0, None)
    assert (row["people"], row["headcount_freed_low"], row["capacity_reason"]) == (None, None, "NO_HEADCOUNT")
    for given in ({"adoption": 1}, {"realisation": 1}):
        with pytest.raises(tpa.SchemaError, match="`jobs` has no column 'headcount'"):
            measure_capacity(bare, freed=FREED, **given)


def test_a_week_is_never_made_up() -> None:
    asked = partial(measure_capacity, freed=FREED, adoption=1, realisation=1)
    needs_a_week = ("full_time_weeks_low", "full_time_weeks_high", "capacity_most", "capacity_reason")
    made = profiles_of([job(task(), task(hours=None)), job(task(), task(hours=None), week=None)])
    row = asked(made).row(0, named=True)
    assert [row[name] for name in needs_a_week] == [None, None, None, "NO_CONTRACT_HOURS"]
    assert row["capacity_high"] == pytest.approx(14.0)
    with pytest.raises(tpa.SchemaError, match=r"Jobs with a headcount have no contract_hours.*'j001' \(1 in total\)"):
        fragmentation(made, adoption=1)
    assert asked(made, contract_hours=20.0).item(0, "full_time_weeks_high") == pytest.approx(7 / 40 + 7 / 20)
    unstaffed = profiles_of([job(task()), job(task(), week=None, headcount=None)])
    assert asked(unstaffed).item(0, "full_time_weeks_high") == pytest.approx(7 / 40)
    assert asked(unstaffed).item(0, "capacity_reason") is None
    without_gaps = asked(profiles_of([job(task()), job(task(), week=None)])).row(0, named=True)
    assert (without_gaps["capacity_most"], without_gaps["full_time_weeks_high"]) == (pytest.approx(14.0), None)


@pytest.mark.parametrize("left_out", ["adoption", "realisation"])
def test_no_assumption_has_a_default(left_out: str) -> None:
    with pytest.raises(TypeError, match="freed"):
        measure_capacity(profiles_of([job(task())]), adoption=1, realisation=1)  # type: ignore[call-arg]
    given: dict[str, Any] = {"adoption": 1, "realisation": 1, "contract_hours": 40}
    del given[left_out]
    row = measure_capacity(profiles_of([job(task())]), freed=FREED, **given).row(0, named=True)
    after = [name for name in row if name.startswith(("capacity_", "full_time_weeks_"))]
    known = {"capacity_coverage": 1.0, "capacity_data_grade": "A", "capacity_reason": "NOT_ASSUMED"}
    assert {name: row[name] for name in after} == {**dict.fromkeys(after), **known}
    assert (row["headcount_freed_low"], row["freed_low"]) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"freed": {}}, r"`freed` must be a dict of level and share .*, not \{\}"),
        ({"freed": 0.5}, r"`freed` must be a dict of level and share .*, not 0\.5"),
        (
            {"freed": {"H1": 1.5}},
            r"`freed\['H1'\]` must be a number from 0 to 1 or a pair like \(0\.4, 0\.7\), not 1\.5",
        ),
        ({"freed": {"H1": (0.7, 0.4)}}, r"`freed\['H1'\]` must be .*, not \(0\.7, 0\.4\)"),
        ({"freed": {"H1": (0.1, 0.2, 0.3)}}, r"`freed\['H1'\]` must be .*, not \(0\.1, 0\.2, 0\.3\)"),
        ({"freed": {"H1": None}}, r"`freed\['H1'\]` must be .*, not None"),
        ({"freed": {"H1": 1, "not assessed": 0}}, "`freed` must not contain 'not assessed'"),
        ({"adoption": True}, "`adoption` must be a number from 0 to 1 .*, not True"),
        ({"adoption": "half"}, "`adoption` must be a number from 0 to 1 .*, not 'half'"),
        ({"realisation": float("nan")}, "`realisation` must be a number from 0 to 1 .*, not nan"),
        ({"realisation": (-0.1, 0.5)}, r"`realisation` must be a number from 0 to 1 .*, not \(-0\.1, 0\.5\)"),
        ({"contract_hours": 0}, "`contract_hours` must be above 0 and up to 168 .hours of a full-time week.*, not 0"),
        ({"contract_hours": 200}, "`contract_hours` must be above 0 .*, not 200"),
        ({"contract_hours": "40"}, "`contract_hours` must be above 0 .*, not '40'"),
    ],
)
def test_wrong_assumptions_are_refused_by_name(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(tpa.SchemaError, match=says):
        capacity(profiles_of([job(task())]), **wrong)


@pytest.mark.parametrize("blocks", [[], 0, -1.0, [1, 0], "4", [float("inf")], None])
def test_wrong_blocks_are_refused(blocks: Any) -> None:
    with pytest.raises(tpa.SchemaError, match="`block_hours` must be hours per person and week above 0"):
        fragmentation(profiles_of([job(task())]), block_hours=blocks)


@every_measure
def test_the_sentences_that_must_stand_beside_a_figure_do(
    sample: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]
) -> None:
    said = str(tpa.about(measure(sample)))
    assert "Freed hours are capacity, not a headcount reduction." in said
    assert "Assumed, not measured: share of task time freed H1 0.4 to 0.7, H2 0.2" in said
    if measure is capacity:
        assert "hours equal to so many full-time weeks, not so many posts" in said
        assert "adoption 0.3 to 0.6; realisation 0.5 to 0.8" in said
        assert "37 hours where they are not known" in said


def test_the_grade_goes_down_where_headcounts_lack_and_what_lacks_is_said() -> None:
    staffed = [job(task(), headcount=2.0) for _ in range(9)]
    full = tpa.about(capacity(profiles_of(staffed)))
    assert (full.grade, full.warnings) == ("A", ())
    lacking = tpa.about(capacity(profiles_of([*staffed, *(job(task(), headcount=None) for _ in range(11))])))
    assert (lacking.grade, lacking.coverage["hours, level and headcount"]) == ("C", 9 / 20)
    assert lacking.warnings == ("11 of 20 jobs have no headcount and are excluded.",)
    long = tpa.about(capacity(profiles_of([job(task(hours=44.1)), job(task(hours=43.9))])))
    assert [warning.split(" documented")[0] for warning in long.warnings] == ["1 job has"]


def test_the_levels_of_the_random_companies_are_all_spoken_of() -> None:
    assert set(FREED) == set(LEVELS) - {None}
