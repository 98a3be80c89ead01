"""The benchmarks of groups and histories run and compare the same figures. Times are not tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import groups, history_groups

if TYPE_CHECKING:
    from tests.bench.measure import Row

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_TOGETHER", "1")


def assert_complete(rows: list[Row], ratios: int) -> None:
    assert sum(row.target is not None for row in rows) == ratios
    for row in rows:
        assert row.counted, row.subject
        assert all(value > 0 for value in row.values)
        assert len(row.values) == 1


def test_one_and_two_columns_count_the_same_tasks() -> None:
    assert_complete(groups.rows(jobs=240, pairs=1), ratios=len(groups.COLUMNS) * len(groups.MEASURES))


def test_sql_returns_the_figures_of_a_history() -> None:
    pytest.importorskip("duckdb")
    rows = history_groups.rows(copies=1, pairs=1, months=2)
    assert_complete(rows, ratios=len(history_groups.FIGURES) * len(history_groups.SIDES))
