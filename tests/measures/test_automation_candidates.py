from __future__ import annotations

import itertools
import json
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


def approx(expected: float | None) -> Any:
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)


def task(
    key: str = "a", level: str | None = "H1", hours: float | None = 1.0, state: str = "validated"
) -> dict[str, Any]:
    return {"task_id": key, "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], family: str | None = "A", staff: float | None = 1.0, week: float | None = None) -> Any:
    return {"job_family": family, "headcount": staff, "contract_hours": week, "tasks": list(tasks)}


def rows_of(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Group the counted tasks by key and job, with the level of the task in the job as ``level``."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected":
            grouped.setdefault((row["task_id"], row["job_id"]), []).append(row)
    for rows in grouped.values():
        levels = {row["ai_impact_level"] for row in rows} - {None}
        validated = {row["ai_impact_level"] for row in rows if row["validation_state"] == "validated"} - {None}
        level = next(iter(levels)) if len(levels) == 1 else next(iter(validated)) if len(validated) == 1 else None
        for row in rows:
            row["level"] = level
    return grouped


def expected_bounds(rows_by_job: Any, jobs: Any, documented: Any, *, weight: str) -> tuple[float | None, float | None]:
    low, extra, bounded, known, has_staff = 0.0, 0.0, True, False, False
    for job_id, rows in rows_by_job.items():
        staff = 1.0 if weight == "hours" else jobs[job_id][weight]
        if staff is None:
            continue
        for row in rows:
            if row["level"] == "H1":
                has_staff = True
                low += (row["weekly_hours"] or 0.0) * staff
                known = known or row["weekly_hours"] is not None
            elif row["level"] is None:
                extra += (row["weekly_hours"] or 0.0) * staff
        if any(row["weekly_hours"] is None and row["level"] in ("H1", None) for row in rows):
            week = jobs[job_id]["contract_hours"]
            bounded = bounded and week is not None
            extra += max(0.0, (week or 0.0) - documented[job_id]) * staff
    return (low if known else None), (low + extra if bounded and has_staff else None)


def expected_candidates(profiles: tpa.TaskProfiles, *, weight: str) -> dict[str, dict[str, Any]]:
    grouped = rows_of(profiles)
    jobs = {row["job_id"]: row for row in profiles.jobs.iter_rows(named=True)}
    documented: Counter[str] = Counter()
    for (_, job_id), rows in grouped.items():
        documented[job_id] += sum(row["weekly_hours"] or 0.0 for row in rows)
    expected = {}
    for key in sorted({key for key, _ in grouped}):
        rows_by_job = {job_id: rows for (other, job_id), rows in grouped.items() if other == key}
        if not any(row["level"] == "H1" for rows in rows_by_job.values() for row in rows):
            continue
        rated = Counter(
            next(row["level"] for row in rows if row["level"])
            for rows in rows_by_job.values()
            if any(r["level"] for r in rows)
        )
        pairs = math.comb(rated.total(), 2)
        agreed = sum(math.comb(n, 2) for n in rated.values()) / pairs if pairs else None
        if agreed is not None and agreed < 0.5:
            continue
        low, high = expected_bounds(rows_by_job, jobs, documented, weight=weight)
        all_rows = [row for rows in rows_by_job.values() for row in rows]
        expected[key] = {
            "jobs": len(rows_by_job),
            "jobs_h1": sum(any(row["level"] == "H1" for row in rows) for rows in rows_by_job.values()),
            "families": len({jobs[job_id]["job_family"] for job_id in rows_by_job}),
            "tasks": len(all_rows),
            "h1_hours": low,
            "h1_hours_high": high,
            "level_agreement": agreed,
            "validated_share": sum(row["validation_state"] == "validated" for row in all_rows) / len(all_rows),
            "hours_coverage": sum(row["weekly_hours"] is not None for row in all_rows) / len(all_rows),
        }
    return expected


@hypothesis.given(weight=st.sampled_from(["hours", "headcount", "fte"]), profiles=companies)
def test_candidates_match_a_plain_python_computation(profiles: tpa.TaskProfiles, weight: Any) -> None:
    result = tpa.automation_candidates(profiles, weight=weight, rounds=0)
    expected = expected_candidates(profiles, weight=weight)
    assert set(result["task_key"]) == set(expected)
    for row in result.iter_rows(named=True):
        for name, value in expected[row["task_key"]].items():
            assert row[name] == approx(value), (row["task_key"], name)
        if row["h1_hours"] is None:
            assert row["rank"] is None
            assert row["reason"] in ("NO_HOURS", "NO_HEADCOUNT")
        else:
            assert row["h1_hours_high"] is None or row["h1_hours_high"] >= row["h1_hours"] - 1e-9
            assert (row["reason"] == "NO_CONTRACT_HOURS") == (row["h1_hours_high"] is None)
    hours = result["h1_hours"].drop_nulls()
    assert hours.round(9).is_sorted(descending=True)
    assert result["rank"].drop_nulls().to_list() == [1 + (hours.round(9) > round(x, 9)).sum() for x in hours]


def test_candidates_match_sql_on_real_data(real: tpa.TaskProfiles) -> None:
    tasks = real.tasks.select("job_id", "task", "ai_impact_level", "validation_state", "weekly_hours")
    tasks.write_parquet("tasks.parquet")
    expected = duckdb.execute(
        """with t as (select trim(regexp_replace(lower(task), '\\s+', ' ', 'g')) k, job_id j, ai_impact_level l,
               weekly_hours h from 'tasks.parquet' where validation_state <> 'rejected'),
        rated as (select k, l, count(distinct j) n from t where l is not null group by all),
        agreed as (select k, sum(n * (n - 1)) / nullif(sum(n) * (sum(n) - 1), 0) a from rated group by k)
        select k, sum(h) filter (l = 'H1'), count(distinct j) from t join agreed using (k)
        where k not in (select k from t group by k, j having count(distinct l) > 1)
        group by k, a having count(*) filter (l = 'H1') > 0 and coalesce(a, 1) >= 0.5"""
    ).fetchall()
    result = tpa.automation_candidates(real, same_task="text", rounds=0)
    rows = {key: (hours, jobs) for key, hours, jobs in result.select("task_key", "h1_hours", "jobs").rows()}
    assert len(expected) > 2000
    for key, hours, jobs in expected:
        assert rows[key][0] == approx(hours)
        assert rows[key][1] == jobs


def test_missing_data_do_not_raise_the_rank() -> None:
    profiles = profiles_of(
        [
            job(task("known", "H1", 3.0), week=40.0),
            job(task("gap", "H1", 1.0), task("missing", "H1", None), task("open", None, 30.0), week=40.0),
            job(task("gap", "H1", None), week=40.0),
        ]
    )
    result = tpa.automation_candidates(profiles, rounds=0)
    assert result.select("task_key", "rank", "h1_hours", "h1_hours_high", "reason").rows() == [
        ("known", 1, 3.0, 3.0, None),
        ("gap", 2, 1.0, 41.0, None),
        ("missing", None, None, 9.0, "NO_HOURS"),
    ]


def test_conflicting_levels_in_a_job_are_unknown_unless_one_is_validated() -> None:
    conflicting = profiles_of([job(task("a", "H1", 2.0), task("a", "H3", 5.0)), job(task("a", "H1", 1.0))])
    result = tpa.automation_candidates(conflicting, rounds=0)
    row = result.row(0, named=True)
    assert (row["h1_hours"], row["h1_hours_high"], row["jobs_h1"]) == (1.0, 8.0, 1)
    assert any("conflicting levels" in warning for warning in tpa.about(result).warnings)
    validated = profiles_of([job(task("a", "H1", 2.0), task("a", "H3", 5.0, "suggested"))])
    assert tpa.automation_candidates(validated, rounds=0).item(0, "h1_hours") == 7.0


def test_contested_tasks_are_excluded_and_counted() -> None:
    jobs = [job(task("split", level, 4.0), task("clear", "H1", 1.0)) for level in ("H1", "H2", "H3")]
    result = tpa.automation_candidates(profiles_of(jobs), rounds=0)
    assert result["task_key"].to_list() == ["clear"]
    assert result.item(0, "share_of_h1") == pytest.approx(3 / 7)
    assert any("1 task with 4.0 hours at H1 is left out" in note for note in tpa.about(result).policy)


def test_tasks_without_id_are_not_merged() -> None:
    profiles = profiles_of([job(task("a", "H1", 1.0), task("b", "H1", 9.0)) for _ in range(3)])
    blank = profiles.tasks.with_columns(pl.when(pl.col("task_id") != "b").then("task_id"))
    result = tpa.automation_candidates(tpa.TaskProfiles(profiles.jobs, blank), rounds=0)
    assert result.select("task_key", "h1_hours").rows() == [("a", 3.0)]
    assert any("Tasks without id are excluded (3)" in warning for warning in tpa.about(result).warnings)


def test_ids_with_the_same_text_raise_a_warning(sample: tpa.TaskProfiles) -> None:
    profiles = profiles_of([job(task("a", "H1", 1.0)), job(task("b", "H1", 2.0))])
    tasks = profiles.tasks.with_columns(task=pl.Series(["Write  minutes ", "write MINUTES"]))
    profiles = tpa.TaskProfiles(profiles.jobs, tasks)
    assert any("same_task='text'" in warning for warning in tpa.about(tpa.automation_candidates(profiles)).warnings)
    assert tpa.automation_candidates(profiles, same_task="text").select("jobs", "h1_hours").rows() == [(2, 3.0)]
    assert not any(
        "same_task='text'" in warning for warning in tpa.about(tpa.automation_candidates(sample, rounds=0)).warnings
    )


def mixed(word: int) -> int:
    for shift, weight in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = ((word ^ (word >> shift)) * weight) % 2**64
    return word ^ (word >> 31)


def test_resample_weights_match_a_manual_computation() -> None:
    start, golden = int.from_bytes(blake2b(b"7", digest_size=8).digest(), "little"), 0x9E3779B97F4A7C15
    cumulative = list(itertools.accumulate(math.exp(-1) / math.factorial(k) for k in range(20)))

    def expected(place: int, number: int) -> int:
        word = mixed((mixed((start + place * golden) % 2**64) + (number // 4 + 1) * golden) % 2**64)
        lane = (word >> 16 * (number % 4)) % 65536
        return next(k for k, probability in enumerate(cumulative) if lane < round(probability * 65536))

    places = pl.Series([0, 3, 99_999])
    weights = [job_weights.to_list() for job_weights in poisson_weights(places, 10, seed=7)]
    assert weights == [[expected(place, number) for place in places] for number in range(10)]


def test_rank_intervals_match_manual_resamples() -> None:
    hours = [[5.0, 1.0, None], [0.5, 3.0, 2.0], [4.0, None, 2.0], [2.0, 2.0, 2.0], [1.0, 6.0, None], [3.0, 1.0, 2.5]]
    profiles = profiles_of([job(*(task(key, "H1", h) for key, h in zip("abc", row, strict=True))) for row in hours])
    ranks: dict[str, list[int]] = {key: [] for key in "abc"}
    for job_weights in poisson_weights(pl.Series(range(6)), 200, seed=3):
        sums = [
            round(sum(w * (row[i] or 0.0) for w, row in zip(job_weights.to_list(), hours, strict=True)), 9)
            for i in range(3)
        ]
        for key, hours_of_key in zip("abc", sums, strict=True):
            ranks[key].append(1 + sum(other > hours_of_key for other in sums))
    for row in tpa.automation_candidates(profiles, rounds=200, seed=3).iter_rows(named=True):
        resampled = sorted(ranks[row["task_key"]])
        assert (row["rank_low"], row["rank_high"]) == (
            resampled[math.floor(0.025 * 199)],
            resampled[math.ceil(0.975 * 199)],
        )


def test_intervals_do_not_depend_on_top_and_require_five_jobs(sample: tpa.TaskProfiles) -> None:
    first = tpa.automation_candidates(sample, top=5, rounds=100)
    assert_frame_equal(first, tpa.automation_candidates(sample, rounds=100).head(5))
    assert first["rank_low"].null_count() == 0
    assert "100 Poisson resamples" in tpa.about(first).interval
    four = tpa.automation_candidates(profiles_of([job(task()) for _ in range(4)]), rounds=100)
    assert four.select("rank", "rank_low", "rank_high").rows() == [(1, None, None)]
    assert tpa.about(four).interval == ""


MEASURES = {
    "candidates": lambda p: tpa.automation_candidates(p, rounds=100),
    "candidates by headcount": lambda p: tpa.automation_candidates(
        p, weight="headcount", rounds=100, contract_hours=40
    ),
    "curve": tpa.automation_curve,
    "curve of blocks": lambda p: tpa.automation_curve(p, block_hours=4, weight="headcount"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


@hypothesis.given(measure=st.sampled_from(list(MEASURES.values())), profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_result_does_not_depend_on_the_order_of_rows(profiles: tpa.TaskProfiles, seed: int, measure: Any) -> None:
    result = measure(profiles)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    at = seed % (tasks.height + 1)
    parts = pl.concat([tasks[at:].lazy(), tasks[:at].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(jobs.lazy(), parts)), result, abs_tol=1e-9)


# Default arguments are tested in test_engines.py.
@pytest.mark.parametrize("measure", [MEASURES["candidates by headcount"], MEASURES["curve of blocks"]])
def test_results_are_the_same_for_all_dataframe_engines(sample: tpa.TaskProfiles, measure: Any) -> None:
    flat = [frame.select(pl.col(pl.String, pl.Float64, pl.Int64)) for frame in (sample.jobs, sample.tasks)]
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    assert_frame_equal(measure(tpa.TaskProfiles(*frames)), measure(sample), abs_tol=1e-9)
    assert_frame_equal(measure(tpa.TaskProfiles(*map(duckdb.from_df, frames))), measure(sample), abs_tol=1e-9)


@every_measure
def test_no_candidates_return_an_empty_table_with_all_columns(measure: Any) -> None:
    full = measure(profiles_of([job(task()) for _ in range(6)]))
    assert full.height == 1
    for jobs in ([], [job()], [job(task("a", "H2"))], [job(task("a", None))]):
        assert_frame_equal(measure(profiles_of(jobs)), full.clear())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": "people"}, "`weight` must be 'hours', 'headcount' or 'fte', not 'people'"),
        ({"same_task": "name"}, "`same_task` must be 'id' or 'text', not 'name'"),
        ({"top": 0}, "`top` must be a whole number, 1 or more, not 0"),
        ({"rounds": 20}, "`rounds` must be a whole number from 100 to 100,000, or 0 for no intervals, not 20"),
        ({"seed": "x"}, "`seed` must be a whole number, not 'x'"),
        ({"contract_hours": 0}, "`contract_hours` must be above 0"),
        ({"states": ["rejected"]}, "Rejected tasks are never counted"),
    ],
)
def test_invalid_arguments_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.automation_candidates(profiles_of([job(task())]), **arguments)


def test_missing_columns_raise() -> None:
    profiles = profiles_of([job(task())])
    with pytest.raises(tpa.SchemaError, match="`tasks` has no column 'task'"):
        tpa.automation_candidates(tpa.TaskProfiles(profiles.jobs, profiles.tasks.drop("task")))
    with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not DataFrame"):
        tpa.automation_candidates(profiles.tasks)


def test_groups_with_a_task_are_counted_by_any_column(sample: tpa.TaskProfiles) -> None:
    jobs = sample.jobs.select("job_id")
    countries = [pl.lit("BE"), pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("NL"))]
    people = pl.concat([jobs.with_columns(country=country, headcount=pl.lit(5)) for country in countries])
    company = tpa.TaskProfiles(sample.jobs, sample.tasks, people=people.drop_nulls("country"))
    result = tpa.automation_candidates(company, by="country", rounds=0)
    rows = company.tasks.filter(pl.col("validation_state") != "rejected").join(company.people, on="job_id")
    expected = rows.group_by(task_key="task_id").agg(pl.col("country").n_unique().cast(pl.UInt32).alias("groups"))
    assert (
        result.join(expected, on="task_key", maintain_order="left")["groups_right"].to_list()
        == result["groups"].to_list()
    )
    usual = tpa.automation_candidates(sample, rounds=0)
    assert result.drop("groups").equals(pl.DataFrame(usual.drop("families")))
    assert usual.columns.index("families") == result.columns.index("groups")
    spec = tpa.plot_automation_candidates(company, by="country", top=3, rounds=0).to_dict()
    assert '"countries"' in json.dumps(spec)
    assert "famil" not in json.dumps(spec)
    assert '"families"' not in json.dumps(tpa.plot_automation_candidates(sample, by=None, top=3, rounds=0).to_dict())
