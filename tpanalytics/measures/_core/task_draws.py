"""How often each job counts in each resample: the same on any machine, in any order, for any part of the jobs.

The Poisson bootstrap (Hanley and MacGibbon, 2006, *Creating non-parametric bootstrap samples using Poisson
frequencies*, Computer Methods and Programs in Biomedicine 83): a job counts as often as a Poisson variable of mean 1.
"""

from __future__ import annotations

import functools
import math
from hashlib import blake2b
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["poisson_weights"]

#: Draws from one number of 64 bits, of 16 bits each: probabilities are met to 1/65,536.
_LANES, _STEPS = 4, 1 << 16
#: The finaliser of SplitMix64 (Steele, Lea and Flood, 2014, *Fast splittable pseudorandom number generators*).
_GOLDEN, _WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31


def poisson_weights(places: pl.Series, rounds: int, seed: int) -> Iterator[pl.Series]:
    """Give, round after round, how often each job counts.

    Parameters
    ----------
    places
        Each job's place by id among all jobs; its weights hang on nothing else, so that any part may be asked for.
    rounds
        How many.
    seed
        Any whole number; the same one gives the same weights.

    Yields
    ------
    pl.Series
        UInt8, one per job, in the order of `places`.
    """
    start = int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest(), "little")
    place = pl.col("place").cast(pl.UInt64)
    jobs = pl.DataFrame({"place": places}).select(key=_mixed(pl.lit(start, dtype=pl.UInt64) + place * _word(_GOLDEN)))
    for first in range(0, rounds, _LANES):
        step = _word((first // _LANES + 1) * _GOLDEN & _WORD)
        word = jobs.select(_mixed(pl.col("key") + step)).to_series()
        for lane in range(min(_LANES, rounds - first)):
            yield _counts().gather(word // _STEPS**lane % _STEPS)


def _word(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt64)


def _mixed(word: pl.Expr) -> pl.Expr:
    """Spread a number over all of 64 bits; products and sums wrap."""
    for shift, multiplier in _MIXERS:
        word = (word ^ (word // (1 << shift))) * _word(multiplier)
    return word ^ (word // (1 << _LAST_SHIFT))


@functools.cache
def _counts() -> pl.Series:
    """Give the count for each number of 16 bits: the inverse distribution of a Poisson variable of mean 1."""
    counts: list[int] = []
    reached, chance, k = 0.0, math.exp(-1), 0
    while len(counts) < _STEPS:
        reached += chance
        counts.extend([k] * (round(reached * _STEPS) - len(counts)))
        k += 1
        chance /= k
    return pl.Series(counts, dtype=pl.UInt8)
