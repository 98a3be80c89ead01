"""What to automate first equals SQL and brute force, no gap moves a task up, and resamples are the same everywhere."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from hashlib import blake2b
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
from tpanalytics.measures._core.bootstrap import poisson_weights
from tpanalytics.measures.automation_candidates import automation_candidates
from tpanalytics.measures.automation_curve import automation_curve


def task(
    key: str = "a", level: str | None = "H1", hours: float | None = 1.0, state: str = "validated"
) -> dict[str, Any]:
    return {"task_id": key, "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], family: str | None = "A", staff: float | None = 1.0, week: float | None = None) -> Any:
    return {"job_family": family, "headcount": staff, "contract_hours": week, "tasks": list(tasks)}


def near(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def rows_of(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Give the counted tasks of each key and job, with the level that the task has there as ``level``."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected":
            grouped.setdefault((row["task_id"], row["job_id"]), []).append(row)
    for rows in grouped.values():
        levels = {row["ai_impact_level"] for row in rows} - {None}
        sure = {row["ai_impact_level"] for row in rows if row["validation_state"] == "validated"} - {None}
        held = next(iter(levels)) if len(levels) == 1 else next(iter(sure)) if len(sure) == 1 else None
        for row in rows:
            row["level"] = held
    return grouped


def bounds_by_hand(mine: Any, jobs: Any, described: Any, *, staffed: bool) -> tuple[float | None, float | None]:
    low, more, bounded, known, someone = 0.0, 0.0, True, False, False
    for job_id, rows in mine.items():
        staff = jobs[job_id]["headcount"] if staffed else 1.0
        if staff is None:
            continue
        for row in rows:
            if row["level"] == "H1":
                someone = True
                low += (row["weekly_hours"] or 0.0) * staff
                known = known or row["weekly_hours"] is not None
            elif row["level"] is None:
                more += (row["weekly_hours"] or 0.0) * staff
        if any(row["weekly_hours"] is None and row["level"] in ("H1", None) for row in rows):
            week = jobs[job_id]["contract_hours"]
            bounded = bounded and week is not None
            more += max(0.0, (week or 0.0) - described[job_id]) * staff
    return (low if known else None), (low + more if bounded and someone else None)


def by_hand(profiles: tpa.TaskProfiles, *, staffed: bool) -> dict[str, dict[str, Any]]:
    grouped = rows_of(profiles)
    jobs = {row["job_id"]: row for row in profiles.jobs.iter_rows(named=True)}
    described: Counter[str] = Counter()
    for (_, job_id), rows in grouped.items():
        described[job_id] += sum(row["weekly_hours"] or 0.0 for row in rows)
    found = {}
    for key in sorted({key for key, _ in grouped}):
        mine = {job_id: rows for (other, job_id), rows in grouped.items() if other == key}
        if not any(row["level"] == "H1" for rows in mine.values() for row in rows):
            continue
        rated = Counter(
            next(row["level"] for row in rows if row["level"])
            for rows in mine.values()
            if any(r["level"] for r in rows)
        )
        pairs = math.comb(rated.total(), 2)
        agreed = sum(math.comb(n, 2) for n in rated.values()) / pairs if pairs else None
        if agreed is not None and agreed < 0.5:
            continue
        low, high = bounds_by_hand(mine, jobs, described, staffed=staffed)
        every = [row for rows in mine.values() for row in rows]
        found[key] = {
            "jobs": len(mine),
            "jobs_h1": sum(any(row["level"] == "H1" for row in rows) for rows in mine.values()),
            "families": len({jobs[job_id]["job_family"] for job_id in mine}),
            "tasks": len(every),
            "h1_hours": low,
            "h1_hours_high": high,
            "level_agreement": agreed,
            "validated_share": sum(row["validation_state"] == "validated" for row in every) / len(every),
            "hours_coverage": sum(row["weekly_hours"] is not None for row in every) / len(every),
        }
    return found


@pytest.mark.parametrize("weight", ["hours", "headcount"])
@hypothesis.given(profiles=companies)
def test_candidates_equal_a_count_by_hand(profiles: tpa.TaskProfiles, weight: Any) -> None:
    ours = automation_candidates(profiles, weight=weight, rounds=0)
    theirs = by_hand(profiles, staffed=weight == "headcount")
    assert set(ours["task_key"]) == set(theirs)
    for row in ours.iter_rows(named=True):
        for name, value in theirs[row["task_key"]].items():
            assert near(row[name], value), (row["task_key"], name)
        if row["h1_hours"] is None:
            assert row["rank"] is None
            assert row["reason"] in ("NO_HOURS", "NO_HEADCOUNT")
        else:
            assert row["h1_hours_high"] is None or row["h1_hours_high"] >= row["h1_hours"] - 1e-9
            assert (row["reason"] == "NO_CONTRACT_HOURS") == (row["h1_hours_high"] is None)
    hours = ours["h1_hours"].drop_nulls()
    assert hours.round(9).is_sorted(descending=True)
    assert ours["rank"].drop_nulls().to_list() == [1 + (hours.round(9) > round(x, 9)).sum() for x in hours]


def test_candidates_equal_sql_on_the_real_data(real: tpa.TaskProfiles) -> None:
    profiles = real.tasks.select("job_id", "task", "ai_impact_level", "validation_state", "weekly_hours")
    profiles.write_parquet("tasks.parquet")
    theirs = duckdb.execute(
        """with t as (select trim(regexp_replace(lower(task), '\\s+', ' ', 'g')) k, job_id j, ai_impact_level l,
               weekly_hours h from 'tasks.parquet' where validation_state <> 'rejected'),
        rated as (select k, l, count(distinct j) n from t where l is not null group by all),
        agreed as (select k, sum(n * (n - 1)) / nullif(sum(n) * (sum(n) - 1), 0) a from rated group by k)
        select k, sum(h) filter (l = 'H1'), count(distinct j) from t join agreed using (k)
        where k not in (select k from t group by k, j having count(distinct l) > 1)
        group by k, a having count(*) filter (l = 'H1') > 0 and coalesce(a, 1) >= 0.5"""
    ).fetchall()
    ours = automation_candidates(real, same_task="text", rounds=0)
    found = {key: (hours, jobs) for key, hours, jobs in ours.select("task_key", "h1_hours", "jobs").rows()}
    assert len(theirs) > 2000
    for key, hours, jobs in theirs:
        assert near(found[key][0], hours)
        assert found[key][1] == jobs


def test_what_is_not_known_moves_no_task_up() -> None:
    profiles = profiles_of(
        [
            job(task("sure", "H1", 3.0), week=40.0),
            job(task("gap", "H1", 1.0), task("dark", "H1", None), task("open", None, 30.0), week=40.0),
            job(task("gap", "H1", None), week=40.0),
        ]
    )
    found = automation_candidates(profiles, rounds=0)
    assert found.select("task_key", "rank", "h1_hours", "h1_hours_high", "reason").rows() == [
        ("sure", 1, 3.0, 3.0, None),
        ("gap", 2, 1.0, 41.0, None),
        ("dark", None, None, 9.0, "NO_HOURS"),
    ]


def test_a_level_in_contradiction_within_a_job_is_unknown_unless_one_is_validated() -> None:
    doubt = profiles_of([job(task("a", "H1", 2.0), task("a", "H3", 5.0)), job(task("a", "H1", 1.0))])
    row = automation_candidates(doubt, rounds=0).row(0, named=True)
    assert (row["h1_hours"], row["h1_hours_high"], row["jobs_h1"]) == (1.0, 8.0, 1)
    assert any("conflicting levels" in said for said in tpa.about(automation_candidates(doubt, rounds=0)).warnings)
    settled = profiles_of([job(task("a", "H1", 2.0), task("a", "H3", 5.0, "suggested"))])
    assert automation_candidates(settled, rounds=0).item(0, "h1_hours") == 7.0


def test_tasks_on_which_jobs_disagree_are_left_out_and_counted() -> None:
    jobs = [job(task("split", level, 4.0), task("clear", "H1", 1.0)) for level in ("H1", "H2", "H3")]
    found = automation_candidates(profiles_of(jobs), rounds=0)
    assert found["task_key"].to_list() == ["clear"]
    assert found.item(0, "share_of_h1") == pytest.approx(3 / 7)
    assert any("1 tasks with 4.0 hours at H1 are left out" in said for said in tpa.about(found).policy)


def test_tasks_without_identity_are_not_one_task() -> None:
    profiles = profiles_of([job(task("a", "H1", 1.0), task("b", "H1", 9.0)) for _ in range(3)])
    blank = profiles.tasks.with_columns(pl.when(pl.col("task_id") != "b").then("task_id"))
    found = automation_candidates(tpa.TaskProfiles(profiles.jobs, blank), rounds=0)
    assert found.select("task_key", "h1_hours").rows() == [("a", 3.0)]
    assert any("3 tasks have no id" in said for said in tpa.about(found).warnings)


def test_ids_that_carry_the_same_text_are_told_of(sample: tpa.TaskProfiles) -> None:
    profiles = profiles_of([job(task("a", "H1", 1.0)), job(task("b", "H1", 2.0))])
    tasks = profiles.tasks.with_columns(task=pl.Series(["Write  minutes ", "write MINUTES"]))
    same = tpa.TaskProfiles(profiles.jobs, tasks)
    assert any("same_task='text'" in said for said in tpa.about(automation_candidates(same)).warnings)
    assert automation_candidates(same, same_task="text").select("jobs", "h1_hours").rows() == [(2, 3.0)]
    assert not any("same_task='text'" in said for said in tpa.about(automation_candidates(sample, rounds=0)).warnings)


def mixed_by_hand(word: int) -> int:
    for shift, weight in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = ((word ^ (word >> shift)) * weight) % 2**64
    return word ^ (word >> 31)


def test_weights_are_those_of_the_generator_worked_by_hand_and_poisson() -> None:
    start, golden = int.from_bytes(blake2b(b"7", digest_size=8).digest(), "little"), 0x9E3779B97F4A7C15
    reached = list(itertools.accumulate(math.exp(-1) / math.factorial(k) for k in range(20)))

    def by_hand(place: int, number: int) -> int:
        word = mixed_by_hand((mixed_by_hand((start + place * golden) % 2**64) + (number // 4 + 1) * golden) % 2**64)
        lane = (word >> 16 * (number % 4)) % 65536
        return next(k for k, upto in enumerate(reached) if lane < round(upto * 65536))

    places = pl.Series([0, 3, 99_999])
    drawn = [level_weights.to_list() for level_weights in poisson_weights(places, 10, seed=7)]
    assert drawn == [[by_hand(place, number) for place in places] for number in range(10)]
    many = pl.concat(list(poisson_weights(pl.Series(range(2000)), 50, seed=1))).cast(pl.Float64)
    assert many.mean() == pytest.approx(1.0, abs=0.015)
    assert many.var() == pytest.approx(1.0, abs=0.03)


def test_rank_intervals_equal_resamples_by_hand() -> None:
    hours = [[5.0, 1.0, None], [0.5, 3.0, 2.0], [4.0, None, 2.0], [2.0, 2.0, 2.0], [1.0, 6.0, None], [3.0, 1.0, 2.5]]
    profiles = profiles_of([job(*(task(key, "H1", h) for key, h in zip("abc", row, strict=True))) for row in hours])
    ranks: dict[str, list[int]] = {key: [] for key in "abc"}
    for level_weights in poisson_weights(pl.Series(range(6)), 200, seed=3):
        sums = [
            round(sum(w * (row[i] or 0.0) for w, row in zip(level_weights.to_list(), hours, strict=True)), 9)
            for i in range(3)
        ]
        for key, mine in zip("abc", sums, strict=True):
            ranks[key].append(1 + sum(other > mine for other in sums))
    for row in automation_candidates(profiles, rounds=200, seed=3).iter_rows(named=True):
        drawn = sorted(ranks[row["task_key"]])
        assert (row["rank_low"], row["rank_high"]) == (drawn[math.floor(0.025 * 199)], drawn[math.ceil(0.975 * 199)])


def test_intervals_do_not_hang_on_how_many_are_shown_and_need_jobs(sample: tpa.TaskProfiles) -> None:
    shown = automation_candidates(sample, top=5, rounds=100)
    assert_frame_equal(shown, automation_candidates(sample, rounds=100).head(5))
    assert shown["rank_low"].null_count() == 0
    assert "100 Poisson resamples" in tpa.about(shown).interval
    four = automation_candidates(profiles_of([job(task()) for _ in range(4)]), rounds=100)
    assert four.select("rank", "rank_low", "rank_high").rows() == [(1, None, None)]
    assert tpa.about(four).interval == ""


@hypothesis.given(profiles=companies, weight=st.sampled_from(["hours", "headcount"]))
def test_the_curve_is_that_of_the_candidates(profiles: tpa.TaskProfiles, weight: Any) -> None:
    known = automation_candidates(profiles, weight=weight, rounds=0).filter(pl.col("h1_hours").is_not_null())
    curve = automation_curve(profiles, weight=weight)
    assert curve["task_key"].to_list() == known["task_key"].to_list()
    assert curve["k"].to_list() == list(range(1, curve.height + 1))
    for row, total in zip(curve.iter_rows(named=True), itertools.accumulate(known["h1_hours"]), strict=True):
        assert near(row["h1_hours_cumulative"], total)
    shares = known["share_of_h1"].drop_nulls()
    assert curve.height == 0 or not shares.len() or near(curve["share_cumulative"].to_list()[-1], shares.sum())


_block_jobs = st.lists(
    st.tuples(
        st.lists(st.sampled_from([None, 0.0, 1.0, 2.5, 6.0]), min_size=5, max_size=5), st.sampled_from([1.0, 3.0])
    ),
    min_size=1,
    max_size=5,
)


@hypothesis.given(jobs=_block_jobs, block=st.sampled_from([1.0, 4.0, 7.5]))
def test_blocks_are_filled_within_the_promise_of_the_best_set(jobs: list[Any], block: float) -> None:
    profiles = profiles_of(
        [job(*(task(key, "H1", h) for key, h in zip("abcde", hours, strict=True)), staff=n) for hours, n in jobs]
    )

    def filled(chosen: Any) -> float:
        return sum(n * min(block, sum(hours["abcde".index(key)] or 0.0 for key in chosen)) for hours, n in jobs)

    curve = automation_curve(profiles, weight="headcount", block_hours=block)
    chosen: list[str] = []
    for row in curve.iter_rows(named=True):
        gains = {key: filled([*chosen, key]) - filled(chosen) for key in "abcde" if key not in chosen}
        assert near(gains[row["task_key"]], max(gains.values()))
        chosen.append(row["task_key"])
        assert near(row["block_hours_filled"], filled(chosen))
        best = max(filled(some) for some in itertools.combinations("abcde", len(chosen)))
        assert filled(chosen) >= (1 - 1 / math.e) * best - 1e-9
        relieved = sum(sum(hours["abcde".index(key)] or 0.0 for key in chosen) >= block - 1e-9 for hours, _ in jobs)
        assert row["jobs_relieved"] == relieved
        with_hours = sum(any(h is not None for h in hours) for hours, _ in jobs)
        assert near(row["share_relieved"], relieved / with_hours)
    assert near(filled(chosen), filled("abcde"))


MEASURES = {
    "candidates": lambda p: automation_candidates(p, rounds=100),
    "candidates by headcount": lambda p: automation_candidates(p, weight="headcount", rounds=100, contract_hours=40),
    "curve": automation_curve,
    "curve of blocks": lambda p: automation_curve(p, block_hours=4, weight="headcount"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


@every_measure
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_parts_change_nothing(profiles: tpa.TaskProfiles, seed: int, measure: Any) -> None:
    ours = measure(profiles)
    for column in ours.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = seed % (tasks.height + 1)
    parts = pl.concat([tasks[at:].lazy(), tasks[:at].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(jobs.lazy(), parts)), ours, abs_tol=1e-9)


# As they are called by default they are among those of test_engines.
@pytest.mark.parametrize("measure", [MEASURES["candidates by headcount"], MEASURES["curve of blocks"]])
def test_every_engine_gives_the_same(sample: tpa.TaskProfiles, measure: Any) -> None:
    flat = [frame.select(pl.col(pl.String, pl.Float64)) for frame in (sample.jobs, sample.tasks)]
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    assert_frame_equal(measure(tpa.TaskProfiles(*frames)), measure(sample), abs_tol=1e-9)
    assert_frame_equal(measure(tpa.TaskProfiles(*map(duckdb.from_df, frames))), measure(sample), abs_tol=1e-9)


@every_measure
def test_nothing_gives_an_empty_table_with_all_columns(measure: Any) -> None:
    full = measure(profiles_of([job(task()) for _ in range(6)]))
    assert full.height == 1
    for nothing in ([], [job()], [job(task("a", "H2"))], [job(task("a", None))]):
        assert_frame_equal(measure(profiles_of(nothing)), full.clear())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: automation_candidates(p, weight="fte"), "`weight` must be 'hours' or 'headcount', not 'fte'"),
        (lambda p: automation_candidates(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
        (lambda p: automation_candidates(p, top=0), "`top` must be a whole number, 1 or more, not 0"),
        (lambda p: automation_candidates(p, rounds=20), "`rounds` must be a whole number from 100 to .*, not 20"),
        (lambda p: automation_candidates(p, seed="x"), "`seed` must be a whole number, not 'x'"),
        (lambda p: automation_candidates(p, contract_hours=0), "`contract_hours` must be above 0"),
        (lambda p: automation_candidates(p, states=["rejected"]), "Rejected tasks are never counted"),
        (lambda p: automation_curve(p, block_hours=0), "block_hours=0: give the hours per person"),
        (lambda p: automation_curve(p, block_hours=float("nan")), "block_hours=nan: give the hours"),
        (lambda p: automation_curve(p, top=True), "`top` must be a whole number, 1 or more, not True"),
        (
            lambda p: automation_curve(tpa.TaskProfiles(p.jobs.drop("headcount"), p.tasks), weight="headcount"),
            "`jobs` has no column 'headcount'",
        ),
        (lambda p: automation_candidates(tpa.TaskProfiles(p.jobs, p.tasks.drop("task"))), "tasks lacks 'task'"),
        (lambda p: automation_candidates(p.tasks), "must be TaskProfiles, not DataFrame"),
    ],
)
def test_wrong_arguments_are_refused_with_the_choices(call: Any, said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(profiles_of([job(task())]))
