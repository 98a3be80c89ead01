"""Draw all jobs again a thousand times; beside it what drawing as many Poisson numbers costs."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, agree, installed, ratios, said, separately

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_TARGET = Target("at most", 3.0)
_ROUNDS, _FAMILIES, _SEED = 1000, 30, 0


def rows(jobs: int, pairs: int, rounds: int = _ROUNDS) -> list[Row]:
    """Measure the exposure of each of 30 families in so many resamples of so many jobs."""
    subject = f"bootstrap: {rounds:,} rounds of {jobs:,} jobs over numpy's draws alone"
    if not installed("numpy"):
        return [Row(subject, target=_TARGET, why="not installed: numpy")]
    said(f"bootstrap: {rounds:,} rounds of {jobs:,} jobs, {pairs} pairs")
    times, counted = separately("bootstrap:run", jobs=jobs, pairs=pairs, rounds=rounds)
    agree(counted, {"draws": jobs * rounds})
    return [Row(subject, ratios(times["ours"], times["numpy"]), _TARGET, counted)]


def run(jobs: int, pairs: int, rounds: int) -> tuple[dict[str, list[float]], dict[str, dict[str, int]]]:
    """Run both in turn, and give their times in seconds and how many numbers each drew."""
    import polars as pl

    place = pl.int_range(jobs, eager=True)
    table = pl.DataFrame({"place": place}).select(
        job_family=pl.format("family {}", pl.col("place") % _FAMILIES),
        job_id=pl.format("job {}", pl.col("place")),
        part=(pl.col("place") * 7 % 200) / 10,
        whole=20.0 + (pl.col("place") * 7 % 200) / 10,
    )
    ways: dict[str, Callable[[Any, int], int]] = {"ours": _ours, "numpy": _numpy}
    times: dict[str, list[float]] = {name: [] for name in ways}
    counted: dict[str, dict[str, int]] = {}
    for way in ways.values():  # what loads on first use is no part of it
        way(table.head(100), 100)
    for _ in range(pairs):
        for name, way in ways.items():
            gc.collect()
            start = time.perf_counter()
            drawn = way(table, rounds)
            times[name].append(time.perf_counter() - start)
            counted[name] = {"draws": drawn}
    return times, counted


def _ours(table: Any, rounds: int) -> int:
    """Draw, add up per family and divide."""
    import polars as pl

    from tpanalytics.measures._core.bootstrap import resample

    found = resample(table, rounds=rounds, seed=_SEED).with_columns(exposure=pl.col("part") / pl.col("whole"))
    drawn_in = found.get_column("round").n_unique()
    return int(drawn_in * table.height)


def _numpy(table: Any, rounds: int) -> int:
    """Only draw, and keep nothing: a hundred rounds at a time, as memory allows."""
    import numpy as np

    generator, drawn = np.random.default_rng(_SEED), 0
    for first in range(0, rounds, 100):
        drawn += generator.poisson(1.0, (min(100, rounds - first), table.height)).size
    return drawn
