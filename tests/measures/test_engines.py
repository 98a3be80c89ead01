"""Every measure returns the same result on every engine."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.engines import SLOW_READERS, read_tables
from tests.helpers.public_measures import MEASURES, NOT_MEASURES, odd, public
from tests.helpers.random_profiles import companies
from tpanalytics.measures.privacy.suppress import suppress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def without_contract_hours(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    jobs = nw.from_native(profiles.jobs).drop("contract_hours", strict=False)
    return tpa.TaskProfiles(jobs.to_native(), profiles.tasks)


ALL = {
    **MEASURES,
    "exposure, no contract hours": lambda profiles: tpa.exposure(without_contract_hours(profiles)),
    "hours, small families suppressed": lambda profiles: suppress(
        tpa.hours(profiles), profiles, privacy=tpa.Privacy(min_jobs=8)
    ),
}
every_measure = pytest.mark.parametrize("measure", ALL)


COMPANIES = {"sample": functools.cache(tpa.load_sample), "odd": functools.cache(odd)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder for each company, with its profiles as Parquet files and as a snapshot."""
    folders = {}
    for name, company in COMPANIES.items():
        folders[name] = tmp_path_factory.mktemp(name)
        company().jobs.write_parquet(folders[name] / "jobs.parquet")
        company().tasks.write_parquet(folders[name] / "tasks.parquet")
        tpa.write_profiles(company(), folders[name] / "snapshot")
    return folders


@functools.cache
def expected(measure: str, company: str) -> pl.DataFrame:
    return ALL[measure](COMPANIES[company]())


@functools.cache
def on_engine(engine: str, company: str, folder: Path) -> tpa.TaskProfiles:
    return ENGINES[engine](COMPANIES[company](), folder)


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    # pandas has no lists of structs. Lists of skills are stored as objects.
    flat = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    flat += [name for name in frame.columns if name == "linked_skills" and frame[name].count()]
    return pd.DataFrame(frame.select(flat).to_dict(as_series=False))


def two_files(folder: Path, read: Callable[[str], Any]) -> tpa.TaskProfiles:
    return read_tables(tpa.TaskProfiles, folder, read)


ENGINES: dict[str, Callable[[tpa.TaskProfiles, Path], tpa.TaskProfiles]] = {
    "polars lazy": lambda profiles, _: tpa.TaskProfiles(profiles.jobs.lazy(), profiles.tasks.lazy()),
    "polars over files": lambda _, folder: two_files(folder, pl.scan_parquet),
    "snapshot": lambda _, folder: tpa.read_profiles(folder / "snapshot", lazy=True),
    "duckdb": lambda _, folder: two_files(folder, duckdb.read_parquet),
    "pandas": lambda profiles, _: tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks)),
    "pandas, nullable": lambda profiles, _: tpa.TaskProfiles(
        *(as_pandas(frame).convert_dtypes() for frame in (profiles.jobs, profiles.tasks))
    ),
    **{
        name: functools.partial(lambda read, _, folder: two_files(folder, read), read)
        for name, read in SLOW_READERS.items()
    },
    "duckdb over pandas, and polars": lambda profiles, _: tpa.TaskProfiles(
        profiles.jobs, duckdb.from_df(as_pandas(profiles.tasks))
    ),
}


def test_every_public_measure_is_tested() -> None:
    assert {name.split(",")[0] for name in MEASURES} == public() - set(NOT_MEASURES)


SLOW = {"polars over files", *SLOW_READERS}
#: The larger sample once per kind of engine, and the odd company on every engine. The quick run skips Parquet files
#: without a snapshot, because a snapshot is read in the same way.
CASES = [
    *(pytest.param("sample", name, marks=pytest.mark.slow) for name in ("snapshot", "duckdb", "pandas")),
    *(pytest.param("odd", name, marks=[pytest.mark.slow] if name in SLOW else []) for name in ENGINES),
]


@pytest.mark.parametrize(("company", "engine"), CASES)
@every_measure
def test_every_engine_returns_the_same_result(
    folders: dict[str, Path], company: str, engine: str, measure: str
) -> None:
    result = ALL[measure](on_engine(engine, company, folders[company]))
    assert_frame_equal(result, expected(measure, company), abs_tol=1e-9)


@hypothesis.given(
    states=st.sampled_from([["validated", "suggested"], ["validated"], ["suggested", "(no state)"]]), profiles=companies
)
def test_sums_by_family_equal_sums_by_job(profiles: tpa.TaskProfiles, states: list[str]) -> None:
    rejected = pl.col("validation_state") == "rejected"
    tasks = profiles.tasks.with_columns(validation_state=pl.when(~rejected).then("validation_state"))
    hypothesis.assume("(no state)" not in states or tasks["validation_state"].null_count())
    by_job = tpa.TaskProfiles(profiles.jobs.with_columns(contract_hours=pl.lit(None, pl.Float64)), tasks)
    by_family = without_contract_hours(by_job)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)  # tasks without state
        for measure in (tpa.exposure, tpa.impact):
            assert_frame_equal(
                measure(by_family, states=states), measure(by_job, states=states), abs_tol=1e-9, rel_tol=1e-9
            )
