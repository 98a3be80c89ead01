"""Bootstrap resamples compared with drawing the same number of Poisson values in NumPy."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Row, Target, check_counts, installed, log, ratios, run_in_process

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rows"]

_TARGET = Target("at most", 3.0)
_ROUNDS, _FAMILIES, _SEED = 1000, 30, 0


def rows(jobs: int, pairs: int, rounds: int = _ROUNDS) -> list[Row]:
    """Measure bootstrap resamples of the exposure of 30 families."""
    subject = f"bootstrap: {rounds:,} rounds of {jobs:,} jobs over drawing with numpy"
    if not installed("numpy"):
        return [Row(subject, target=_TARGET, why="not installed: numpy")]
    log(f"bootstrap: {rounds:,} rounds of {jobs:,} jobs, {pairs} pairs")
    times, counted = run_in_process("bootstrap:run", jobs=jobs, pairs=pairs, rounds=rounds)
    check_counts(counted, {"draws": jobs * rounds})
    return [Row(subject, ratios(times["ours"], times["numpy"]), _TARGET, counted)]


def run(jobs: int, pairs: int, rounds: int) -> tuple[dict[str, list[float]], dict[str, dict[str, int]]]:
    """Run both alternately and return times in seconds and numbers of draws."""
    import polars as pl

    row = pl.int_range(jobs, eager=True)
    table = pl.DataFrame({"row": row}).select(
        job_family=pl.format("family {}", pl.col("row") % _FAMILIES),
        job_id=pl.format("job {}", pl.col("row")),
        part=(pl.col("row") * 7 % 200) / 10,
        whole=20.0 + (pl.col("row") * 7 % 200) / 10,
    )
    functions: dict[str, Callable[[Any, int], int]] = {"ours": _ours, "numpy": _numpy}
    times: dict[str, list[float]] = {name: [] for name in functions}
    counted: dict[str, dict[str, int]] = {}
    for function in functions.values():  # exclude imports on first use
        function(table.head(100), 100)
    for _ in range(pairs):
        for name, function in functions.items():
            gc.collect()
            start = time.perf_counter()
            drawn = function(table, rounds)
            times[name].append(time.perf_counter() - start)
            counted[name] = {"draws": drawn}
    return times, counted


def _ours(table: Any, rounds: int) -> int:
    import polars as pl

    from tpanalytics.measures._core.bootstrap import resample

    exposure = resample(table, rounds=rounds, seed=_SEED).with_columns(exposure=pl.col("part") / pl.col("whole"))
    return int(exposure.get_column("round").n_unique() * table.height)


def _numpy(table: Any, rounds: int) -> int:
    """Draw 100 rounds at a time to limit memory."""
    import numpy as np

    generator, drawn = np.random.default_rng(_SEED), 0
    for first in range(0, rounds, 100):
        drawn += generator.poisson(1.0, (min(100, rounds - first), table.height)).size
    return drawn
