from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tests.helpers.scenarios import FREED, capacity, fragmentation, job, task
from tpanalytics.measures._core.metadata import NULL_REASONS
from tpanalytics.measures._core.scenario import CAPACITY_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES: dict[str, Callable[..., pl.DataFrame]] = {
    "capacity": capacity,
    "capacity of one person": partial(tpa.capacity, freed=FREED),
    "fragmentation": fragmentation,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


@hypothesis.given(measure=st.sampled_from(list(MEASURES.values())), profiles=companies)
def test_jobs_without_tasks_or_headcount_do_not_change_the_figures(
    profiles: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]
) -> None:
    more = profiles_of([job(headcount=None, family="Finance"), job(headcount=50.0, family="Finance")]).jobs
    more = more.with_columns(job_id=pl.concat_str(pl.lit("more "), "job_id"))
    both = measure(tpa.TaskProfiles(pl.concat([profiles.jobs, more]), profiles.tasks))
    counted = ("jobs", "jobs_with_fte", "reason", "capacity_reason")
    before, after = (frame.drop(counted, strict=False) for frame in (measure(profiles), both))
    families = before["job_family"].unique().to_list()
    assert_frame_equal(after.filter(pl.col("job_family").is_in(families)), before, abs_tol=1e-9)


@hypothesis.given(
    measure=st.sampled_from(list(MEASURES.values())),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_result_does_not_depend_on_the_order_of_rows(
    profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Callable[..., pl.DataFrame]
) -> None:
    jobs, tasks = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (profiles.jobs, profiles.tasks))
    index = int(tasks.height * cut)
    parts = pl.concat([tasks[index:].lazy(), tasks[:index].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(jobs.lazy(), parts)), measure(profiles), abs_tol=1e-9)


@hypothesis.given(measure=st.sampled_from(list(MEASURES.values())), profiles=companies)
def test_figures_are_finite_and_not_negative_or_have_a_documented_reason(
    profiles: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]
) -> None:
    result = measure(profiles)
    reasons = {reason for name in result.columns if name.endswith("reason") for reason in result[name].drop_nulls()}
    assert reasons <= set(NULL_REASONS)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
        assert (column.drop_nulls() >= 0).all()


@every_measure
def test_no_jobs_return_an_empty_table_with_all_columns(measure: Callable[..., pl.DataFrame]) -> None:
    result = measure(profiles_of([]))
    assert result.height == 0
    assert_frame_equal(result, measure(profiles_of([job(task())])).clear())


@pytest.mark.parametrize("measure", [capacity, fragmentation], ids=["capacity", "fragmentation"])
def test_missing_headcount_column_and_invalid_amounts_raise(measure: Callable[..., pl.DataFrame]) -> None:
    profiles = profiles_of([job(task())])
    with pytest.raises(tpa.SchemaError, match=r"`jobs` has no column 'fte'.*weight='headcount'"):
        measure(tpa.TaskProfiles(profiles.jobs.drop("fte"), profiles.tasks))
    with pytest.raises(tpa.SchemaError, match=r"`jobs` has no column 'fte'.*or use `?capacity"):
        measure(tpa.TaskProfiles(profiles.jobs.drop("headcount", "fte"), profiles.tasks))
    with pytest.raises(tpa.SchemaError, match=r"`headcount` of job 'j000' must be 0 or more and finite, not -1"):
        measure(profiles_of([job(task(), headcount=-1.0)]))
    with pytest.raises(tpa.SchemaError, match=r"`contract_hours` of job 'j000' must be above 0 and finite, not -40"):
        measure(profiles_of([job(task(), week=-40.0)]))


@every_measure
def test_metadata_state_the_assumptions(sample: tpa.TaskProfiles, measure: Callable[..., pl.DataFrame]) -> None:
    text = str(tpa.about(measure(sample)))
    assert CAPACITY_NOTE in text
    assert "Assumed, not measured: share of task time freed H1 0.4 to 0.7, H2 0.2" in text
    if measure is capacity:
        assert "adoption 0.3 to 0.6; realisation 0.5 to 0.8" in text
        assert "37 hours if they are missing" in text
