"""Poisson bootstrap over jobs.

In each round, every job is counted a Poisson-distributed number of times (mean 1). Counts are derived from the seed,
the round and the job id's rank, so row order and chunk size don't matter.

Hanley, J. A. and MacGibbon, B. (2006), Creating non-parametric bootstrap samples using Poisson frequencies, Computer
Methods and Programs in Biomedicine 83.
"""

from __future__ import annotations

import functools
import math
from hashlib import blake2b
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.checks import check_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENOUGH_JOBS", "checked_rounds", "poisson_weights", "resample"]

#: Minimum number of jobs for a meaningful interval.
ENOUGH_JOBS = 5
_FEWEST_ROUNDS, _MOST_ROUNDS = 100, 100_000
#: Each 64-bit number provides four 16-bit draws, so probabilities are multiples of 1/65,536.
_LANES, _STEPS = 4, 1 << 16
#: Maximum number of weights per chunk, to limit memory use.
_CHUNK_SIZE = 6_400_000
#: SplitMix64 finaliser constants (Steele, Lea and Flood, 2014, *Fast splittable pseudorandom number generators*).
_GOLDEN = 0x9E3779B97F4A7C15
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
_WORD = (1 << 64) - 1


def checked_rounds(rounds: int, seed: int) -> None:
    """Raise an error if the number of resamples or the seed is invalid."""
    expected = f"a whole number from {_FEWEST_ROUNDS} to {_MOST_ROUNDS:,}"
    check_whole("rounds", rounds, expected, least=_FEWEST_ROUNDS, most=_MOST_ROUNDS)
    check_whole("seed", seed, "a whole number")


def resample(jobs: pl.DataFrame, *, rounds: int, seed: int) -> pl.DataFrame:
    """Return the sums of ``part`` and ``whole`` for each family and bootstrap resample."""
    keyed = _with_keys(jobs, seed)
    chunk_rounds = max(_LANES, min(rounds, _CHUNK_SIZE // max(keyed.height, 1)) // _LANES * _LANES)
    chunks = [
        _chunk(keyed, range(first, min(first + chunk_rounds, rounds))) for first in range(0, rounds, chunk_rounds)
    ]
    return pl.concat(chunks).sort("group", "round")


def poisson_weights(ranks: pl.Series, rounds: int, seed: int) -> Iterator[pl.Series]:
    """Yield the job counts (UInt8) for each round. `ranks` are the job ids' positions in sorted order."""
    keys = pl.DataFrame({"rank": ranks}).select(key=_key(pl.lit(_hash(str(seed)), dtype=pl.UInt64), pl.col("rank")))
    yield from _counts(keys, range(rounds))


def _with_keys(jobs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Derive each job's key from the seed, the family and the job id's rank within the family."""
    families = jobs.get_column("group").unique().sort()
    starts = pl.Series([_hash(f"{seed}\0{family}") for family in families.to_list()], dtype=pl.UInt64)
    rank = pl.int_range(pl.len(), dtype=pl.UInt64).over("group")
    return (
        jobs.sort("group", "job_id")
        .join(pl.DataFrame({"group": families, "start": starts}), "group", "left", maintain_order="left")
        .select("group", "part", "whole", key=_key(pl.col("start"), rank))
    )


def _chunk(keyed: pl.DataFrame, rounds: range) -> pl.DataFrame:
    """Return the sums for consecutive rounds. The first round must be a multiple of `_LANES`."""
    drawn = [counts.cast(pl.Float64).alias(str(at)) for at, counts in zip(rounds, _counts(keyed, rounds), strict=True)]
    sums = (
        keyed.select("group", "part", "whole")
        .hstack(drawn)
        .group_by("group", maintain_order=True)
        .agg(
            *((pl.col(str(at)) * pl.col("part")).sum().alias(f"part {at}") for at in rounds),
            *((pl.col(str(at)) * pl.col("whole")).sum().alias(f"whole {at}") for at in rounds),
        )
    )
    return sums.select(
        "group",
        pl.Series("round", [list(rounds)] * sums.height, dtype=pl.List(pl.UInt32)),
        part=pl.concat_list(f"part {at}" for at in rounds),
        whole=pl.concat_list(f"whole {at}" for at in rounds),
    ).explode("round", "part", "whole")


def _counts(keyed: pl.DataFrame, rounds: range) -> Iterator[pl.Series]:
    """Yield the counts for each ``key``, one round at a time. The first round must be a multiple of `_LANES`."""
    table = _poisson_table()
    for first in rounds[::_LANES]:
        step = pl.lit((first // _LANES + 1) * _GOLDEN & _WORD, dtype=pl.UInt64)
        word = keyed.select(_mix(pl.col("key") + step)).to_series()
        for lane in range(min(_LANES, rounds.stop - first)):
            yield table.gather((word // _STEPS**lane % _STEPS).cast(pl.UInt16))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _key(start: pl.Expr, rank: pl.Expr) -> pl.Expr:
    return _mix(start + rank.cast(pl.UInt64) * pl.lit(_GOLDEN, dtype=pl.UInt64))


def _mix(word: pl.Expr) -> pl.Expr:
    """Mix the bits of a 64-bit number. Products wrap around on overflow."""
    for shift, multiplier in _MIXERS:
        word = (word ^ (word // (1 << shift))) * pl.lit(multiplier, dtype=pl.UInt64)
    return word ^ (word // (1 << _LAST_SHIFT))


@functools.cache
def _poisson_table() -> pl.Series:
    """Return the Poisson count (mean 1) for each 16-bit number, using the inverse distribution function."""
    counts: list[int] = []
    reached, chance, k = 0.0, math.exp(-1), 0
    while len(counts) < _STEPS:
        reached += chance
        counts.extend([k] * (round(reached * _STEPS) - len(counts)))
        k += 1
        chance /= k
    return pl.Series(counts, dtype=pl.UInt8)
