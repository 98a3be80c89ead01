"""Poisson bootstrap over jobs."""

from __future__ import annotations

import math
from hashlib import blake2b

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tpanalytics.measures._core import bootstrap
from tpanalytics.measures._core.bootstrap import resample


def table(*families: str, jobs: int = 6) -> pl.DataFrame:
    rows = [(family, f"j{i:02d}", float(i % 5), 5.0 + i % 3) for family in families for i in range(jobs)]
    return pl.DataFrame(rows, schema=["group", "job_id", "part", "whole"], orient="row")


def mixed(word: int) -> int:
    """Apply the published finalizer of SplitMix64 to an integer."""
    word &= 2**64 - 1
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)


def count_of_job(seed: int, family: str, place: int, at: int) -> int:
    """Return the count of a job, by inverting the Poisson distribution step by step."""
    golden = 0x9E3779B97F4A7C15
    start = int.from_bytes(blake2b(f"{seed}\0{family}".encode(), digest_size=8).digest(), "little")
    word = mixed(mixed(start + place * golden) + (at // 4 + 1) * golden)
    u, k, reached = (word >> 16 * (at % 4)) % 2**16, 0, math.exp(-1)
    while u >= round(reached * 2**16):
        k += 1
        reached += math.exp(-1) / math.factorial(k)
    return k


@pytest.mark.parametrize("seed", [0, -3, 2**70])
def test_resamples_equal_a_loop_over_jobs(seed: int) -> None:
    jobs = table("A", "研究開発")
    result = resample(jobs.sample(fraction=1, shuffle=True, seed=1), rounds=103, seed=seed)
    assert result.height == 2 * 103
    for family, at, part, whole in result.rows():
        rows = jobs.filter(pl.col("group") == family).rows()
        counts = [count_of_job(seed, family, place, at) for place in range(len(rows))]
        assert part == pytest.approx(sum(n * row[2] for n, row in zip(counts, rows, strict=True)))
        assert whole == pytest.approx(sum(n * row[3] for n, row in zip(counts, rows, strict=True)))


def test_counts_are_independent_poisson_variables() -> None:
    jobs = pl.DataFrame({"group": [f"f{i}" for i in range(300)], "job_id": "j", "part": 1.0, "whole": 1.0})
    counts = resample(jobs, rounds=1000, seed=5).get_column("part")
    for k in range(5):
        assert (counts == k).mean() == pytest.approx(math.exp(-1) / math.factorial(k), abs=0.004)
    wide = resample(jobs, rounds=1000, seed=5).pivot("group", index="round", values="part").drop("round")
    pairs = [wide.select(pl.corr(f"f{i}", f"f{i + 1}")).item() for i in range(0, 300, 2)]
    assert abs(sum(pairs) / 150) < 0.01  # 150 correlations of standard deviation 0.032 each
    assert max(map(abs, pairs)) < 0.15
    by_round = [wide.select(pl.corr(pl.col("f0"), pl.col("f0").shift(lag))).item() for lag in range(1, 9)]
    assert max(map(abs, by_round)) < 0.13


def test_other_families_and_chunks_do_not_change_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = resample(table("A"), rounds=150, seed=1)
    with_others = resample(table("0", "A", "B"), rounds=150, seed=1)
    assert_frame_equal(with_others.filter(pl.col("group") == "A"), alone)
    monkeypatch.setattr(bootstrap, "_CHUNK_SIZE", 1)
    assert_frame_equal(resample(table("A"), rounds=150, seed=1), alone)
    assert not resample(table("A"), rounds=150, seed=2).equals(alone)
    assert resample(table("A").head(0), rounds=150, seed=1).schema == alone.schema
