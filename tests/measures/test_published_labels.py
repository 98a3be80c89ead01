"""Tests of exposure against the published scores of Eloundou, Manning, Mishkin and Rock (2023), *GPTs are GPTs*.

Alpha counts E1, beta adds half of E2 and zeta adds all of E2. Core tasks have twice the weight of supplemental tasks.
The published scores use O*NET 27.2. Our data contain the labels of tasks that are unchanged in O*NET 30.1, so scores
differ slightly for occupations that were revised since.
"""

from __future__ import annotations

import math
from typing import Any

import duckdb
import polars as pl
import pytest

import tpanalytics as tpa
from tests.conftest import REAL
from tests.helpers.by_job import exposure_by_job

TASKS = REAL / "csv" / "tasks.csv.gz"
SCORES = {"alpha": 0.0, "beta": 0.5, "zeta": 1.0}
#: By occupation: alpha, beta and zeta of GPT-4 and of the human annotators, rounded, from the authors' data.
PUBLISHED = {
    "11-1011.00": ((0.1, 0.46, 0.82), (0.18, 0.35, 0.52)),
    "11-2021.00": ((0.0625, 0.5, 0.9375), (0.21875, 0.578125, 0.9375)),
    "11-3031.00": ((0.0, 0.481481, 0.962963), (0.037037, 0.425926, 0.814815)),
    "11-3121.00": ((0.04, 0.48, 0.92), (0.14, 0.45, 0.76)),
    "11-9032.00": ((0.018182, 0.418182, 0.818182), (0.272727, 0.454545, 0.636364)),
    "13-1041.00": ((0.454545, 0.681818, 0.909091), (0.454545, 0.613636, 0.772727)),
    "13-2011.00": ((0.12, 0.56, 1.0), (0.2, 0.52, 0.84)),
    "13-2082.00": ((0.25, 0.625, 1.0), (0.25, 0.625, 1.0)),
    "15-1242.00": ((0.870968, 0.935484, 1.0), (0.290323, 0.596774, 0.903226)),
    "15-1251.00": ((0.9, 0.95, 1.0), (0.433333, 0.683333, 0.933333)),
}
#: Occupations whose tasks did not change.
UNCHANGED = ("11-2021.00", "13-1041.00", "13-2082.00", "15-1251.00")
#: Published means over occupations.
MEANS = {"gpt4_label": (0.14, 0.34, 0.55), "human_label": (0.14, 0.30, 0.46)}

pytestmark = pytest.mark.skipif(not TASKS.is_file(), reason="real data not available")


def profiles(label: str) -> tpa.TaskProfiles:
    tasks = pl.read_csv(TASKS, infer_schema=False).select(
        job_id="external_id",
        job_family=pl.col("external_id").str.slice(0, 2),
        task_id="task_id",
        task="task",
        validation_state=pl.lit("validated"),
        weekly_hours=pl.when(pl.col("task_type") == "Core").then(1.0).otherwise(0.5),
        ai_impact_level=pl.when(pl.col(label) != "").then(label),
    )
    jobs = tasks.group_by("job_id", "job_family", maintain_order=True).agg(n_tasks=pl.len())
    return tpa.TaskProfiles(jobs, tasks)


def scores(label: str) -> dict[str, tuple[float | None, ...]]:
    task_profiles = profiles(label)
    columns = [
        exposure_by_job(task_profiles, level_weights={"E1": 1, "E2": b, "E0": 0}).select(
            "job_id", pl.col("exposure").alias(name)
        )
        for name, b in SCORES.items()
    ]
    table = pl.concat([columns[0], *(column.drop("job_id") for column in columns[1:])], how="horizontal")
    return {row[0]: row[1:] for row in table.rows()}


@pytest.mark.parametrize("label", MEANS)
def test_scores_equal_sql(label: str) -> None:
    rows = duckdb.execute(
        f"""with t as (select external_id id, {label} l, case task_type when 'Core' then 1 else 0.5 end w
                       from read_csv($file, all_varchar = true))
        select id, sum(w) filter (l = 'E1') a, sum(w) filter (l = 'E2') b, sum(w) filter (l in ('E0', 'E1', 'E2')) n
        from t group by id""",
        {"file": str(TASKS)},
    ).fetchall()
    actual = scores(label)
    assert set(actual) == {row[0] for row in rows}
    for job, e1, e2, total in rows:
        for score, b in zip(actual[job], SCORES.values(), strict=True):
            # All values are multiples of 0.25, so sums are exact.
            assert score == ((float(e1 or 0) + b * float(e2 or 0)) / float(total) if total else None)


@pytest.mark.parametrize("label", MEANS)
def test_scores_equal_the_published_scores(label: str) -> None:
    actual = scores(label)
    for job, published in PUBLISHED.items():
        for score, expected in zip(actual[job], published[label == "human_label"], strict=True):
            assert score is not None
            assert math.isclose(score, expected, abs_tol=1e-6 if job in UNCHANGED else 0.05), job


@pytest.mark.parametrize("label", MEANS)
def test_means_are_close_to_the_published_means(label: str, record_property: Any) -> None:
    actual = scores(label)
    assert len(actual) == 923
    for i, (name, expected) in enumerate(zip(SCORES, MEANS[label], strict=True)):
        known = [score for row in actual.values() if (score := row[i]) is not None]
        mean = math.fsum(known) / len(known)
        record_property(f"{label} {name}", round(mean, 4))
        print(f"{label} {name}: {mean:.4f} over {len(known)} occupations, published {expected}")
        assert mean == pytest.approx(expected, abs=0.01)
