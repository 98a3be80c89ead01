"""Every measure returns the same result on Spark, classic and Connect."""

from __future__ import annotations

import gc
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.engines import read_tables, spark_sessions, write_tables
from tests.helpers.histories import HISTORY_CALLS, ODD, history_of
from tests.helpers.public_measures import MEASURES, odd
from tests.helpers.regroupings import assert_equals_sql, companies_with_groups, groupings, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    # Spark leaves closing its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
SESSIONS = ("spark", "spark connect")
every_session = pytest.mark.parametrize("session", SESSIONS)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with spark_sessions(tmp_path_factory.mktemp("spark")) as started:
        yield started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # close the sockets here, not during another test


@pytest.fixture(scope="module")
def profiles(sessions: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tpa.TaskProfiles]:
    """Return the odd company in each session. Spark is slow, so the larger sample is not used."""
    folder = tmp_path_factory.mktemp("odd")
    write_tables(odd(), folder)
    return {name: read_tables(tpa.TaskProfiles, folder, session.read.parquet) for name, session in sessions.items()}


@pytest.fixture(scope="module")
def histories(sessions: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tpa.History]:
    folder = tmp_path_factory.mktemp("history")
    write_tables(history_of(ODD), folder)
    return {name: read_tables(tpa.History, folder, session.read.parquet) for name, session in sessions.items()}


@pytest.mark.parametrize("measure", MEASURES)
@every_session
def test_spark_returns_the_same_result(profiles: dict[str, tpa.TaskProfiles], session: str, measure: str) -> None:
    assert_frame_equal(MEASURES[measure](profiles[session]), MEASURES[measure](odd()), abs_tol=1e-9)


@pytest.mark.parametrize("call", HISTORY_CALLS)
@every_session
def test_every_measure_takes_a_history_on_spark(histories: dict[str, tpa.History], session: str, call: str) -> None:
    assert_frame_equal(HISTORY_CALLS[call](histories[session]), HISTORY_CALLS[call](history_of(ODD)), abs_tol=1e-9)


@every_session
@hypothesis.given(profiles=companies_with_groups, by=groupings, weight=weights)
@hypothesis.settings(max_examples=4)
def test_groups_equal_sql(
    sessions: dict[str, Any], session: str, profiles: tpa.TaskProfiles, by: list[str], weight: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_tables(profiles, Path(folder))
        on_spark = read_tables(tpa.TaskProfiles, Path(folder), sessions[session].read.parquet)
        assert_equals_sql(profiles, on_spark, by, weight)


def test_partitions_do_not_change_the_result(sessions: dict[str, Any], profiles: dict[str, tpa.TaskProfiles]) -> None:
    # Code generation is off in the other tests because it is slow.
    spark = sessions["spark"]
    code_generation = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
    defaults = {name: spark.conf.get(name) for name in code_generation}
    for name, value in code_generation.items():
        spark.conf.set(name, value)
    try:
        whole = profiles["spark"]
        parts = tpa.TaskProfiles(whole.jobs.repartition(3), whole.tasks.repartition(7))
        assert_frame_equal(tpa.impact(parts), tpa.impact(odd()), abs_tol=1e-9)
    finally:
        for name, value in defaults.items():
            spark.conf.set(name, value)


def test_sessions_are_of_both_kinds(profiles: dict[str, tpa.TaskProfiles]) -> None:
    modules = {name: type(one.tasks).__module__ for name, one in profiles.items()}
    assert modules == {"spark": "pyspark.sql.classic.dataframe", "spark connect": "pyspark.sql.connect.dataframe"}
