from __future__ import annotations

import itertools
from typing import Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of

WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}
_task = st.tuples(st.sampled_from(["H1", "H2", "H3", None, "H4"]), st.sampled_from([None, 0.0, 3.0, 10.0]))
_jobs = st.lists(st.tuples(st.lists(_task, max_size=3), st.sampled_from([5.0, 20.0, 40.0])), min_size=1, max_size=3)


def company(jobs: list[Any]) -> tpa.TaskProfiles:
    return profiles_of(
        [
            {
                "job_family": "A",
                "contract_hours": week,
                "tasks": [
                    {"task_id": str(i), "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
                    for i, (level, h) in enumerate(tasks)
                ],
            }
            for tasks, week in jobs
        ]
    )


def width_of_bounds(jobs: list[Any]) -> float | None:
    """Try all extreme values: unknown levels have weight 0 or 1, undocumented hours belong to one task or to none."""
    options_by_job = []
    for tasks, week in jobs:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        options = set()
        for weights in itertools.product(*([WEIGHTS[x]] if x in WEIGHTS else [0.0, 1.0] for x, _ in tasks)):
            for filled in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]:
                hours = [(h or 0.0) + (rest if i == filled else 0.0) for i, (_, h) in enumerate(tasks)]
                options.add((sum(h * w for h, w in zip(hours, weights, strict=True)), sum(hours)))
        options_by_job.append(sorted(options))
    indices = []
    for combination in itertools.product(*options_by_job):
        exposed, total = (sum(column) for column in zip(*combination, strict=True))
        if total > 0:
            indices.append(exposed / total)
    return max(indices) - min(indices) if indices else None


def answers(jobs: list[Any], index: int, kind: str) -> list[list[Any]]:
    """Return the jobs after each extreme answer: all levels lowest or highest, or all hours at one task or none."""
    tasks, week = jobs[index]
    if kind == "level":
        answered = [[(x if x in WEIGHTS or h is None else level, h) for x, h in tasks] for level in ("H1", "H3")]
    else:
        rest = max(0.0, week - sum(h for _, h in tasks if h is not None))
        answered = [
            [(x, (rest if i == filled else 0.0) if h is None else h) for i, (x, h) in enumerate(tasks)]
            for filled in [None, *(i for i, (_, h) in enumerate(tasks) if h is None)]
        ]
    return [[*jobs[:index], (answer, week), *jobs[index + 1 :]] for answer in answered]


@hypothesis.given(jobs=_jobs)
def test_narrowing_matches_brute_force(jobs: list[Any]) -> None:
    result = tpa.data_gaps(company(jobs))
    width = width_of_bounds(jobs) or 0.0
    gaps = {}
    for i, (tasks, _) in enumerate(jobs):
        gaps[f"j{i:03d}", "hours"] = sum(h is None for _, h in tasks)
        gaps[f"j{i:03d}", "level"] = sum(h is not None and x not in WEIGHTS for x, h in tasks)
    rows = {(row["job_id"], row["kind"]): row for row in result.iter_rows(named=True)}
    assert {key: row["tasks_to_ask"] for key, row in rows.items()} == {key: n for key, n in gaps.items() if n}
    for (job_id, kind), row in rows.items():
        widths = [width_of_bounds(answer) for answer in answers(jobs, int(job_id[1:]), kind)]
        widest = max(width if left is None else left for left in widths)
        assert row["narrowing"] == pytest.approx(max(0.0, width - widest), abs=1e-9)
    narrowing = result["narrowing"].to_list()
    assert result["narrowing"].round(9).is_sorted(descending=True)
    assert result["cumulative"].to_list() == pytest.approx(list(itertools.accumulate(narrowing)))


@hypothesis.given(profiles=companies)
def test_narrowing_is_a_share_of_tasks_without_contract_hours(profiles: tpa.TaskProfiles) -> None:
    profiles = tpa.TaskProfiles(profiles.jobs.drop("contract_hours"), profiles.tasks)
    result = tpa.data_gaps(profiles, top=1000)
    tasks = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    one_family = tpa.TaskProfiles(*(df.with_columns(job_family=pl.lit("A")) for df in (profiles.jobs, profiles.tasks)))
    bounds = tpa.exposure(one_family).select("bound_low", "bound_high").rows()
    if tasks["weekly_hours"].null_count() == 0 or None not in bounds[0]:
        assert result["room"].to_list() == ["bounds"] * result.height
        return
    assert result["room"].unique().to_list() == ["share of tasks"]
    missing = pl.col("weekly_hours").is_null() | ~pl.col("ai_impact_level").is_in(list(WEIGHTS)).fill_null(value=False)
    share = tasks.filter(missing).height / tasks.height
    assert result["narrowing"].sum() == pytest.approx(share)
    assert result["cumulative"].to_list()[-1] == pytest.approx(share)
    assert_frame_equal(tpa.data_gaps(profiles, top=2), result.head(2))


def test_complete_data_return_no_rows(sample: tpa.TaskProfiles) -> None:
    complete = tpa.data_gaps(company([([("H1", 3.0)], None), ([], None)]))
    assert complete.height == 0
    assert "Nothing is missing" in str(tpa.about(complete))
    empty = tpa.data_gaps(company([]))
    assert "No tasks to check" in str(tpa.about(empty))
    assert complete.schema == empty.schema == tpa.data_gaps(sample).schema


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 0}, "`top` must be a whole number, 1 or more, not 0"),
        ({"top": True}, "`top` must be a whole number, 1 or more, not True"),
        ({"contract_hours": float("nan")}, "`contract_hours` must be above 0 and up to 168"),
        ({"level_weights": {"H1": 2}}, "`level_weights"),
    ],
)
def test_invalid_arguments_raise(sample: tpa.TaskProfiles, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.data_gaps(sample, **arguments)
