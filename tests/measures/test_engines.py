"""Every measure by family gives the same on whatever engine holds the tasks."""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.measures.random_profiles import LEVELS, companies, profiles_of
from tpanalytics.measures.privacy import suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Spark leaves the sockets it talks to its own process with for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "coverage": tpa.coverage_by_family,
    "hours": tpa.hours_by_family,
    "hours, complete jobs": lambda profiles: tpa.hours_by_family(profiles, complete_only=True),
    "hours by job": tpa.hours_by_job,
    "impact by tasks": lambda profiles: tpa.impact_by_family(profiles, weight="tasks"),
    "impact by hours": lambda profiles: tpa.impact_by_family(profiles, weight="hours"),
    "impact by headcount": lambda profiles: tpa.impact_by_family(profiles, weight="headcount"),
    "impact, validated": lambda profiles: tpa.impact_by_family(profiles, states=["validated"]),
    "exposure": tpa.exposure_by_family,
    "exposure, no contract hours": lambda profiles: tpa.exposure_by_family(without_contract_hours(profiles)),
    "hours, small families hidden": lambda profiles: suppress(tpa.hours_by_family(profiles), profiles, min_jobs=8),
}


def without_contract_hours(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    jobs = nw.from_native(profiles.jobs).drop("contract_hours", strict=False)
    return tpa.TaskProfiles(jobs.to_native(), profiles.tasks)


every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def odd() -> tpa.TaskProfiles:
    """Make a company with everything that can be odd about one, each of it once at least."""
    hours = [None, 0.0, 0.25, 40.0]
    states = ["validated", "suggested", "rejected"]

    def tasks(number: int) -> list[dict[str, Any]]:
        return [
            {
                "task_id": str(i % 5),
                "validation_state": states[(number + i) % 3],
                "weekly_hours": hours[(number + 3 * i) % 4],
                "ai_impact_level": LEVELS[(number + i) % len(LEVELS)],
            }
            for i in range(number % 8)
        ]

    families = [None, "Finance", "研究開発", "R&D / Labor"]
    jobs = [
        {
            "job_family": families[i % 4],
            "headcount": [None, 0.0, 2.5, 100.0, 1.0][i % 5],
            "contract_hours": [None, 20.0, 38.5][i % 3],
            "tasks": tasks(i),
        }
        for i in range(40)
    ]
    bare = {"job_family": "Empty", "headcount": 3.0, "contract_hours": 40.0, "tasks": []}
    return profiles_of([*jobs, bare])


@pytest.fixture(scope="module", params=["sample", "odd"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[tpa.TaskProfiles, Path]:
    """Give profiles and a folder that holds them, as two Parquet files and as a snapshot."""
    profiles = request.getfixturevalue("sample") if request.param == "sample" else odd()
    folder = tmp_path_factory.mktemp("held")
    profiles.jobs.write_parquet(folder / "jobs.parquet")
    profiles.tasks.write_parquet(folder / "tasks.parquet")
    tpa.write_profiles(profiles, folder / "snapshot")
    return profiles, folder


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    flat = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    return pd.DataFrame(frame.select(flat).to_dict(as_series=False))


def two_files(folder: Path, read: Callable[[str], Any]) -> tpa.TaskProfiles:
    return tpa.TaskProfiles(*(read(str(folder / f"{name}.parquet")) for name in ("jobs", "tasks")))


ENGINES: dict[str, Callable[[tpa.TaskProfiles, Path], tpa.TaskProfiles]] = {
    "polars lazy": lambda profiles, _: tpa.TaskProfiles(profiles.jobs.lazy(), profiles.tasks.lazy()),
    "polars over files": lambda _, folder: two_files(folder, pl.scan_parquet),
    "snapshot": lambda _, folder: tpa.read_profiles(folder / "snapshot"),
    "lazy snapshot": lambda _, folder: tpa.read_profiles(folder / "snapshot", lazy=True),
    "duckdb": lambda _, folder: two_files(folder, duckdb.read_parquet),
    "pandas": lambda profiles, _: tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks)),
    "pandas, nullable": lambda profiles, _: tpa.TaskProfiles(
        *(as_pandas(frame).convert_dtypes() for frame in (profiles.jobs, profiles.tasks))
    ),
    "mixed": lambda profiles, folder: tpa.TaskProfiles(
        profiles.jobs, duckdb.read_parquet(str(folder / "tasks.parquet"))
    ),
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@every_measure
def test_every_engine_gives_the_same(
    held: tuple[tpa.TaskProfiles, Path],
    engine: Callable[[tpa.TaskProfiles, Path], tpa.TaskProfiles],
    measure: Callable[[tpa.TaskProfiles], pl.DataFrame],
) -> None:
    profiles, folder = held
    assert_frame_equal(measure(engine(profiles, folder)), measure(profiles), abs_tol=1e-9)


@pytest.mark.parametrize("states", [["validated", "suggested"], ["validated"], ["suggested", "(no state)"]])
@hypothesis.given(profiles=companies)
@hypothesis.settings(deadline=None, max_examples=30)
def test_families_add_up_as_their_jobs_do(profiles: tpa.TaskProfiles, states: list[str]) -> None:
    rejected = pl.col("validation_state") == "rejected"
    tasks = profiles.tasks.with_columns(validation_state=pl.when(~rejected).then("validation_state"))
    hypothesis.assume("(no state)" not in states or tasks["validation_state"].null_count())
    by_job = tpa.TaskProfiles(profiles.jobs.with_columns(contract_hours=pl.lit(None, pl.Float64)), tasks)
    by_family = without_contract_hours(by_job)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)  # of tasks without state
        for measure in (tpa.exposure_by_family, tpa.impact_by_family):
            assert_frame_equal(
                measure(by_family, states=states), measure(by_job, states=states), abs_tol=1e-9, rel_tol=1e-9
            )


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Spark on this machine; without it the test is skipped, unless the environment says NEEDS_SPARK."""
    missing = [name for name in ("pyspark", "pyarrow") if find_spec(name) is None]
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        missing.append("Java")
    if missing:
        reason = f"not on this machine: {', '.join(missing)} (pip install '.[spark]', and Java 17 or newer)"
        if os.environ.get("NEEDS_SPARK"):
            pytest.fail(f"Spark must not be skipped here: {reason}")
        pytest.skip(reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of newer versions of its own dependencies
        from pyspark.sql import SparkSession

        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.driver.memory": "512m",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark")),
        }
        session = SparkSession.builder.master("local[1]").appName("tests").config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # here, not in the midst of another test


@every_measure
def test_spark_gives_the_same(
    held: tuple[tpa.TaskProfiles, Path], spark: Any, measure: Callable[[tpa.TaskProfiles], pl.DataFrame]
) -> None:
    profiles, folder = held
    assert_frame_equal(measure(two_files(folder, spark.read.parquet)), measure(profiles), abs_tol=1e-9)


def test_spark_adds_up_parts_as_one(spark: Any, held: tuple[tpa.TaskProfiles, Path]) -> None:
    profiles, folder = held
    whole = two_files(folder, spark.read.parquet)
    parts = tpa.TaskProfiles(whole.jobs.repartition(3), whole.tasks.repartition(7))
    assert_frame_equal(tpa.impact_by_family(parts), tpa.impact_by_family(profiles), abs_tol=1e-9)
