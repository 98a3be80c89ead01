"""Which work jobs and families share equals SQL and a count by hand, and what has no hours is counted apart."""

from __future__ import annotations

import math
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
from tpanalytics.measures.overlap import overlap as measure_overlap
from tpanalytics.measures.shared_tasks import shared_tasks

MEASURES = {
    "shared": shared_tasks,
    "shared by text": lambda p: shared_tasks(p, same_task="text", min_jobs=1),
    "overlap": measure_overlap,
    "overlap with weeks": lambda p: measure_overlap(p, contract_hours=40, same_task="text"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def task(key: str = "a", hours: float | None = 1.0, level: str | None = "H1") -> dict[str, Any]:
    return {"task_id": key, "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], family: str | None = "A", staff: float | None = 1.0, week: float | None = None) -> Any:
    return {"job_family": family, "headcount": staff, "contract_hours": week, "tasks": list(tasks)}


def near(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def check_shared(profiles: tpa.TaskProfiles, min_jobs: int) -> None:
    jobs = profiles.jobs
    if "headcount" not in jobs.columns:
        jobs = jobs.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
    jobs.select("job_id", "job_family", "headcount").write_parquet("jobs.parquet")
    profiles.tasks.select("job_id", "task_id", "validation_state", "weekly_hours", "ai_impact_level").write_parquet(
        "tasks.parquet"
    )
    theirs = duckdb.execute(
        """with t as (select task_id k, job_id j, coalesce(job_family, '') f, weekly_hours h, headcount c,
                      ai_impact_level l
                      from 'tasks.parquet' join 'jobs.parquet' using (job_id) where validation_state <> 'rejected'),
        people as (select k, sum(c) c from (select distinct k, j, c from t) group by k)
        select k, count(distinct j), count(distinct f), count(*), count(h), sum(h),
               sum(h) / nullif((select sum(h) from t), 0), any_value(people.c), sum(h * t.c),
               count(distinct coalesce(l, '-'))
        from t join people using (k) group by k having count(distinct j) >= ?""",
        [min_jobs],
    ).fetchall()
    ours = shared_tasks(profiles, min_jobs=min_jobs)
    found = {row["task_key"]: row for row in ours.iter_rows(named=True)}
    assert set(found) == {row[0] for row in theirs}
    names = ("jobs", "families", "tasks", "tasks_with_hours", "hours", "share_of_hours", "headcount", "headcount_hours")
    for key, *values, levels in theirs:
        for name, value in zip(names, values, strict=True):
            assert near(found[key][name], value), (key, name)
        assert found[key]["levels"].count(", ") + 1 == levels
        assert found[key]["reason"] == (None if found[key]["hours"] is not None else "NO_HOURS")
    order = ours.select(pl.col("jobs"), pl.col("hours").round(9).fill_null(-1), "task_key").rows()
    assert order == sorted(order, key=lambda row: (-row[0], -row[1], row[2]))


@hypothesis.given(profiles=companies, min_jobs=st.integers(1, 3))
def test_shared_tasks_equal_sql_on_any_profiles(profiles: tpa.TaskProfiles, min_jobs: int) -> None:
    check_shared(profiles, min_jobs)


def test_shared_tasks_equal_sql_on_the_sample(sample: tpa.TaskProfiles) -> None:
    check_shared(sample, 2)


def test_the_meaning_says_how_much_families_share_and_that_it_is_a_lower_bound() -> None:
    profiles = profiles_of(
        [
            job(task("a", 3.0), task("b", None), task("c", 4.0)),
            job(task("a", 1.0), task("b", None), family="B"),
            job(task("c", 2.0)),
        ]
    )
    found = shared_tasks(profiles)
    assert found.select("task_key", "families", "hours", "reason").rows() == [
        ("c", 1, 6.0, None),
        ("a", 2, 4.0, None),
        ("b", 2, None, "NO_HOURS"),
    ]
    meaning = tpa.about(found)
    assert "40.0% of all known hours are in tasks of 2 or more families." in meaning.policy
    assert "1 of the listed tasks have no known hours." in meaning.policy
    assert any("lower bound" in said for said in meaning.warnings)


def test_levels_are_listed_as_they_came_and_in_order() -> None:
    jobs = [job(task("a", 1.0, level)) for level in (None, "höchst", "H3", "H1", "H1")]
    row = shared_tasks(profiles_of(jobs)).row(0, named=True)
    assert row["levels"] == "H1, H3, höchst, not assessed"
    assert row["level_agreement"] == pytest.approx(1 / 6)
    assert any("höchst" in said for said in tpa.about(shared_tasks(profiles_of(jobs))).warnings)


def inside(side: dict[str, float | None], both: set[str], total: float) -> float | None:
    known = [side[key] for key in both if side[key] is not None]
    return sum(hours or 0.0 for hours in known) / total if total and (known or not both) else None


def by_hand(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], dict[str, Any]]:
    """Compare families as the formulas say, key by key."""
    families = {row["job_id"]: row["job_family"] or "(no family)" for row in profiles.jobs.iter_rows(named=True)}
    held: dict[str, dict[str, float | None]] = {family: {} for family in families.values()}
    for row in profiles.tasks.filter(pl.col("validation_state") != "rejected").iter_rows(named=True):
        mine, key, hours = held[families[row["job_id"]]], row["task_id"], row["weekly_hours"]
        mine[key] = hours if mine.get(key) is None else mine[key] + (hours or 0.0)
    order = sorted(held, key=lambda family: (family == "(no family)", family))
    found = {}
    for i, left in enumerate(order):
        for right in order[i + 1 :]:
            a, b = held[left], held[right]
            both = a.keys() & b.keys()
            dark = {key for key in both if a[key] is None or b[key] is None}
            kept = sorted((a.keys() | b.keys()) - dark)
            sides = [[x.get(key) or 0.0 for key in kept] for x in (a, b)]
            sums = [sum(h or 0.0 for h in x.values()) for x in (a, b)]
            norms = [math.hypot(*(h or 0.0 for h in x.values())) for x in (a, b)]
            greater = sum(map(max, *sides)) if kept else 0.0
            measured, filled, seen = min(sums) > 0, bool(a and b), not both or len(dark) < len(both)
            cosine = sum((a[k] or 0.0) * (b[k] or 0.0) for k in both) / (math.prod(norms) or 1.0)
            found[left, right] = {
                "tasks_a": len(a),
                "tasks_b": len(b),
                "tasks_shared": len(both),
                "shared_without_hours": len(dark),
                "jaccard": len(both) / len(a.keys() | b.keys()) if filled else None,
                "sorensen": 2 * len(both) / (len(a) + len(b)) if filled else None,
                "ruzicka": sum(map(min, *sides)) / greater if measured and seen and greater > 1e-9 else None,
                "cosine": cosine if measured and seen else None,
                "containment_a_in_b": inside(a, both, sums[0]) if filled else None,
                "containment_b_in_a": inside(b, both, sums[1]) if filled else None,
            }
    return found


def sane_hours(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Leave out hours so small that no computer can square them."""
    hours = pl.when((pl.col("weekly_hours") == 0) | (pl.col("weekly_hours") > 1e-3)).then("weekly_hours")
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(weekly_hours=hours))


@hypothesis.given(profiles=companies.map(sane_hours))
def test_overlap_equals_a_count_by_hand(profiles: tpa.TaskProfiles) -> None:
    ours, theirs = measure_overlap(profiles), by_hand(profiles)
    assert list(ours.select("family_a", "family_b").rows()) == list(theirs)
    for row in ours.iter_rows(named=True):
        for name, value in theirs[row["family_a"], row["family_b"]].items():
            assert near(row[name], value), name
        if min(row["tasks_a"], row["tasks_b"]) == 0:
            assert row["reason"] == "NO_TASKS"
        reason = row.pop("reason")
        assert (reason is None) == (None not in row.values())


def test_overlap_equals_a_count_by_hand_on_the_sample(sample: tpa.TaskProfiles) -> None:
    theirs = by_hand(sample)
    for row in measure_overlap(sample).iter_rows(named=True):
        for name, value in theirs[row["family_a"], row["family_b"]].items():
            assert near(row[name], value), name


def test_shared_tasks_without_hours_are_no_overlap_of_zero() -> None:
    profiles = profiles_of([job(task("a", 5.0), family="A"), job(task("a", None), task("b", 3.0), family="B")])
    row = measure_overlap(profiles, contract_hours=40).row(0, named=True)
    assert (row["jaccard"], row["tasks_shared"], row["shared_without_hours"]) == (0.5, 1, 1)
    assert row["ruzicka"] is row["cosine"] is row["containment_b_in_a"] is None
    assert (row["containment_a_in_b"], row["ruzicka_low"], row["ruzicka_high"]) == (1.0, 0.0, 1.0)
    assert row["reason"] == "NO_HOURS"


def test_containment_has_a_direction() -> None:
    profiles = profiles_of([job(task("a", 2.0), family="Small"), job(task("a", 2.0), task("b", 6.0), family="Vast")])
    row = measure_overlap(profiles).row(0, named=True)
    assert (row["containment_a_in_b"], row["containment_b_in_a"]) == (1.0, 0.25)
    assert (row["jaccard"], row["sorensen"], row["ruzicka"]) == (0.5, pytest.approx(2 / 3), 0.25)
    assert row["cosine"] == pytest.approx(4 / (2 * math.hypot(2, 6)))


_hours = st.sampled_from([None, 0.0, 2.0, 9.0])


@hypothesis.given(sides=st.tuples(st.tuples(_hours, _hours), st.tuples(_hours, _hours)), split=st.floats(0, 1))
def test_no_way_to_fill_the_weeks_leaves_the_bounds(sides: Any, split: float) -> None:
    jobs = [
        job(*(task(key, h) for key, h in zip("ab", side, strict=True)), family=f, week=10.0)
        for f, side in zip("AB", sides, strict=True)
    ]
    row = measure_overlap(profiles_of(jobs)).row(0, named=True)
    for used in (0.0, 0.4, 1.0):
        full = []
        for side in sides:
            rest = max(0.0, 10.0 - sum(h or 0.0 for h in side)) * used
            gaps = [i for i, h in enumerate(side) if h is None]
            parts = {
                i: rest * part for i, part in zip(gaps, (split, 1 - split) if len(gaps) > 1 else (1,), strict=False)
            }
            full.append([parts[i] if h is None else h for i, h in enumerate(side)])
        greater = sum(map(max, *full))
        if greater > 1e-9:
            true = sum(map(min, *full)) / greater
            assert row["ruzicka_low"] - 1e-9 <= true <= row["ruzicka_high"] + 1e-9


def test_without_contract_hours_there_is_no_bound_to_invent() -> None:
    jobs = [job(task("a", 2.0), task("b", None)), job(task("a", 4.0), family="B"), job(task("z", 1.0), family="C")]
    found = {
        (row[0], row[1]): row[2:]
        for row in measure_overlap(profiles_of(jobs))
        .select("family_a", "family_b", "ruzicka", "ruzicka_low", "ruzicka_high", "reason")
        .rows()
    }
    assert found["A", "B"] == (0.5, None, None, "NO_CONTRACT_HOURS")
    assert found["A", "C"] == (0.0, 0.0, 0.0, None)
    taken = measure_overlap(profiles_of(jobs), contract_hours=6)
    assert taken.select("ruzicka_low", "ruzicka_high").row(0) == (0.25, 1.0)
    assert any("6 h per week are assumed" in said for said in tpa.about(taken).warnings)


def test_a_family_without_tasks_is_there_with_nulls() -> None:
    row = measure_overlap(profiles_of([job(task()), job(family="Empty")])).row(0, named=True)
    assert (row["tasks_b"], row["tasks_shared"], row["reason"]) == (0, 0, "NO_TASKS")
    assert row["jaccard"] is row["ruzicka"] is row["containment_a_in_b"] is row["ruzicka_high"] is None


@every_measure
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_parts_change_nothing(profiles: tpa.TaskProfiles, seed: int, measure: Any) -> None:
    ours = measure(profiles)
    for column in ours.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    for column in ours.select(pl.col("^(share_of|jaccard|sorensen|ruzicka|cosine|containment|level_agreement).*$")):
        assert column.drop_nulls().is_between(0, 1 + 1e-9).all()
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = seed % (tasks.height + 1)
    parts = pl.concat([tasks[at:].lazy(), tasks[:at].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(jobs.lazy(), parts)), ours, abs_tol=1e-9)


def test_every_engine_takes_the_same_weeks_where_none_are_known(sample: tpa.TaskProfiles) -> None:
    measure = MEASURES["overlap with weeks"]
    flat = [frame.select(pl.col(pl.String, pl.Float64)) for frame in (sample.jobs, sample.tasks)]
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    assert_frame_equal(measure(tpa.TaskProfiles(*frames)), measure(sample), abs_tol=1e-9)
    assert_frame_equal(measure(tpa.TaskProfiles(*map(duckdb.from_df, frames))), measure(sample), abs_tol=1e-9)


@every_measure
def test_nothing_gives_an_empty_table_with_all_columns(measure: Any) -> None:
    full = measure(profiles_of([job(task()), job(task(), family="B")]))
    assert full.height == 1
    for nothing in ([], [job()]):
        assert_frame_equal(measure(profiles_of(nothing)), full.clear())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: shared_tasks(p, min_jobs=0), "`min_jobs` must be a whole number, 1 or more, not 0"),
        (lambda p: shared_tasks(p, min_jobs=2.5), "`min_jobs` must be a whole number, 1 or more, not 2.5"),
        (lambda p: shared_tasks(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
        (lambda p: measure_overlap(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
        (lambda p: measure_overlap(p, contract_hours=True), "`contract_hours` must be above 0 .*, not True"),
        (lambda p: measure_overlap(p, states="validated"), "`states` must be a list of validation states like"),
    ],
)
def test_wrong_arguments_are_refused_with_the_choices(call: Any, said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(profiles_of([job(task())]))
