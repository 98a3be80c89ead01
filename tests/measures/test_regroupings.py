"""Figures of random groups equal those computed by SQL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

import tpanalytics as tpa
from tests.helpers.builders import as_pandas
from tests.helpers.engines import READERS, SLOW_READERS, read_tables, write_tables
from tests.helpers.regroupings import assert_equals_sql, companies_with_groups, groupings, weights

if TYPE_CHECKING:
    from collections.abc import Callable


def in_pandas(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    # Without nullable types, pay grades with missing values become floats such as 7.0.
    jobs, tasks, people = (
        as_pandas(frame).convert_dtypes() for frame in (profiles.jobs, profiles.tasks, profiles.people)
    )
    return tpa.TaskProfiles(jobs, tasks, people=people)


def check_on(read: Callable[[str], Any] | None, profiles: tpa.TaskProfiles, by: list[str], weight: str | None) -> None:
    if read is None:
        assert_equals_sql(profiles, in_pandas(profiles), by, weight)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_tables(profiles, Path(folder))
        assert_equals_sql(profiles, read_tables(tpa.TaskProfiles, Path(folder), read), by, weight)


@pytest.mark.parametrize("engine", ["polars lazy", "duckdb", "pandas"])
@hypothesis.given(profiles=companies_with_groups, by=groupings, weight=weights)
@hypothesis.settings(max_examples=8)
def test_groups_equal_sql(engine: str, profiles: tpa.TaskProfiles, by: list[str], weight: str | None) -> None:
    check_on(READERS.get(engine), profiles, by, weight)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [*READERS, "pandas"])
@hypothesis.given(profiles=companies_with_groups, by=groupings, weight=weights)
@hypothesis.settings(max_examples=20)
def test_groups_equal_sql_in_more_examples(
    engine: str, profiles: tpa.TaskProfiles, by: list[str], weight: str | None
) -> None:
    check_on(READERS.get(engine), profiles, by, weight)


@pytest.mark.slow
@pytest.mark.parametrize("engine", SLOW_READERS)
@hypothesis.given(profiles=companies_with_groups, by=groupings, weight=weights)
@hypothesis.settings(max_examples=5)
def test_groups_equal_sql_on_slow_engines(
    engine: str, profiles: tpa.TaskProfiles, by: list[str], weight: str | None
) -> None:
    check_on(SLOW_READERS[engine], profiles, by, weight)
