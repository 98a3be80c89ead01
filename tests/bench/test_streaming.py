"""The bench of streaming runs, and counts every copy; what it takes at full size is not asserted here."""

from __future__ import annotations

import pytest

from tests.bench import streaming

pytest.importorskip("resource", reason="the system tells a process its peak memory")


def test_each_copy_is_counted_and_a_copy_more_is_no_memory_more() -> None:
    rows = streaming.rows(jobs=200, pairs=1)
    assert [row.subject.split(" of ")[1].split(",")[0] for row in rows] == [
        *["impact"] * 2,
        *["hours"] * 2,
    ]
    for row in rows:
        assert row.counted["large"] == {"jobs": 200, "tasks": 400_000}
        (value,) = row.values
        assert row.target is not None
        assert row.target.met(value), f"{row.subject}: {value}"
