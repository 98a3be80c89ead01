"""The streaming benchmark runs. Memory at full size is not tested."""

from __future__ import annotations

import pytest

from tests.bench import streaming

pytestmark = pytest.mark.slow

pytest.importorskip("resource", reason="peak memory is not available")


def test_more_copies_need_no_more_memory() -> None:
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
