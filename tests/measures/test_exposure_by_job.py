"""A job's dispersion and polarisation equal what comes of its tasks one by one, and tell split jobs from even ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures.exposure import exposure_by_job

if TYPE_CHECKING:
    import tpanalytics as tpa


def job(*tasks: tuple[str | None, float | None]) -> dict[str, Any]:
    return {
        "job_family": "A",
        "headcount": None,
        "contract_hours": None,
        "tasks": [
            {"task_id": "t", "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
            for level, h in tasks
        ],
    }


def one_by_one(profiles: tpa.TaskProfiles, level_weights: dict[str, float]) -> None:
    tasks = profiles.tasks.filter(pl.col("validation_state") != "rejected").select(
        "job_id", "ai_impact_level", "weekly_hours"
    )
    pairs: dict[str, list[tuple[float, float]]] = {job_id: [] for job_id in profiles.jobs["job_id"]}
    for job_id, level, h in tasks.iter_rows():
        if level in level_weights and h is not None:
            pairs[job_id].append((level_weights[level], h))
    found = exposure_by_job(profiles, level_weights=level_weights)
    assert found["job_id"].to_list() == sorted(pairs)
    for row in found.iter_rows(named=True):
        known = pairs[row["job_id"]]
        whole = math.fsum(h for _, h in known)
        if whole == 0:
            assert (row["exposure"], row["dispersion"], row["polarisation"]) == (None, None, None)
            continue
        mean = math.fsum(w * h for w, h in known) / whole
        variance = math.fsum(h * (w - mean) ** 2 for w, h in known) / whole
        assert math.isclose(row["exposure"], mean, abs_tol=1e-9)
        assert math.isclose(row["dispersion"], math.sqrt(variance), abs_tol=1e-7)
        if len(known) < 3 or row["exposure"] in (0.0, 1.0):
            assert row["polarisation"] is None
        elif 1e-9 < mean < 1 - 1e-9:
            assert math.isclose(row["polarisation"], variance / (mean * (1 - mean)), abs_tol=1e-6)


@hypothesis.given(profiles=companies, b=st.floats(0, 1))
def test_figures_equal_the_tasks_one_by_one(profiles: tpa.TaskProfiles, b: float) -> None:
    one_by_one(profiles, {"H1": 1.0, "H2": b, "H3": 0.0})


def test_figures_equal_the_tasks_one_by_one_on_the_companies(company: tpa.TaskProfiles) -> None:
    one_by_one(company, {"H1": 1.0, "H2": 0.5, "H3": 0.0})


def test_split_jobs_are_told_from_even_ones() -> None:
    found = exposure_by_job(
        profiles_of(
            [
                job(("H1", 4.0), ("H1", 6.0), ("H3", 10.0)),
                job(("H2", 5.0), ("H2", 5.0), ("H2", 5.0)),
                job(("H1", 4.0), ("H3", 4.0)),
                job(("H1", 4.0), ("H3", 4.0), ("H3", None), (None, 3.0), ("H9", 3.0)),
                job(("H1", 5.0), ("H1", 5.0), ("H1", 5.0)),
                job(("H3", 0.0), ("H3", 0.0), ("H1", 0.0)),
            ]
        )
    )
    assert found["exposure"].to_list() == [0.5, 0.5, 0.5, 0.5, 1.0, None]
    assert found["dispersion"].to_list() == [0.5, 0.0, 0.5, 0.5, 0.0, None]
    assert found["polarisation"].to_list() == [1.0, 0.0, None, None, None, None]


@hypothesis.given(split=st.lists(st.sampled_from([("H1", 2.0), ("H3", 5.0)]), min_size=3, max_size=8))
def test_only_tasks_of_weight_0_and_1_polarise_whole(split: list[tuple[str, float]]) -> None:
    hypothesis.assume(len(set(split)) == 2)
    assert exposure_by_job(profiles_of([job(*split)])).item(0, "polarisation") == pytest.approx(1.0)
    mixed = exposure_by_job(profiles_of([job(*split, ("H2", 4.0))])).item(0, "polarisation")
    assert 0 < mixed < 1
