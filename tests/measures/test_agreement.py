"""Agreement of jobs on the level of shared tasks, and Krippendorff's alpha."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

from tpanalytics.measures._core.agreement import agreement, ordinal_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence


def ratings_of(units: Sequence[Sequence[str]]) -> pl.DataFrame:
    rows = [(key, level, n) for key, levels in enumerate(units) for level, n in sorted(Counter(levels).items())]
    return pl.DataFrame(rows, schema={"key": pl.UInt32, "level": pl.String, "jobs": pl.Int64}, orient="row")


def alpha_by_pairs(units: Sequence[Sequence[str]]) -> float | None:
    """Compute alpha by its definition, over all ordered pairs of ratings."""
    pairable = [[int(level[1]) for level in levels] for levels in units if len(levels) > 1]
    values = [value for levels in pairable for value in levels]
    frequency = Counter(values)

    def distance(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        return float(sum(frequency[g] for g in range(low, high + 1)) - (frequency[a] + frequency[b]) / 2) ** 2

    n = len(values)
    expected = sum(distance(a, b) for a, b in itertools.permutations(values, 2)) / (n * (n - 1)) if n > 1 else 0.0
    if not expected:
        return None
    observed = sum(
        sum(distance(a, b) for a, b in itertools.permutations(levels, 2)) / (len(levels) - 1) for levels in pairable
    )
    return 1 - observed / n / expected


def test_alpha_equals_the_published_example() -> None:
    # Krippendorff (2011): four observers, twelve units and missing data give an ordinal alpha of 0.815.
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [[f"H{row[unit]}" for row in observers if row[unit] != "."] for unit in range(12)]
    assert ordinal_alpha(ratings_of(units)) == pytest.approx(0.815, abs=0.0005)


@hypothesis.given(units=st.lists(st.lists(st.sampled_from(["H1", "H2", "H3", "H4", "H5"]), max_size=5), max_size=12))
def test_alpha_equals_brute_force(units: list[list[str]]) -> None:
    alpha, expected = ordinal_alpha(ratings_of(units)), alpha_by_pairs(units)
    assert (alpha is None) == (expected is None)
    if alpha is not None and expected is not None:
        assert math.isclose(alpha, expected, abs_tol=1e-9)


def test_other_levels_do_not_change_alpha() -> None:
    units = [["H1", "H1", "H2"], ["H3", "H3"], ["H2", "H1"]]
    with_others = [["H1", "H9", "H1", "H2"], ["H3", "H3", "höchst"], ["H2", "H1"], ["H9", "H9"]]
    assert ordinal_alpha(ratings_of(with_others)) == pytest.approx(ordinal_alpha(ratings_of(units)))


def test_alpha_decreases_with_the_distance_of_levels() -> None:
    equal = [["H1", "H1"], ["H2", "H2"], ["H3", "H3"]]
    near, far = ordinal_alpha(ratings_of([*equal, ["H1", "H2"]])), ordinal_alpha(ratings_of([*equal, ["H1", "H3"]]))
    assert near is not None
    assert far is not None
    assert far < near < 1


@hypothesis.given(units=st.lists(st.lists(st.sampled_from(["H1", "H2", "H9"]), max_size=6), max_size=8))
def test_pairs_equal_brute_force(units: list[list[str]]) -> None:
    unique = pl.DataFrame({"key": [key for key, levels in enumerate(units) for _ in levels]}, schema={"key": pl.UInt32})
    result = agreement(unique, ratings_of(units))
    pairs = [pair for levels in units for pair in itertools.combinations(levels, 2)]
    assert (result.pairs, result.equal) == (len(pairs), sum(a == b for a, b in pairs))
    assert result.rated == result.shared == sum(len(levels) > 1 for levels in units)
    assert result.differing == sum(len(set(levels)) > 1 for levels in units)


def test_many_jobs_do_not_overflow() -> None:
    rated = pl.DataFrame({"key": [0], "level": ["H1"], "jobs": [100_000]})
    assert agreement(pl.DataFrame({"key": [0, 0]}), rated).pairs == 4_999_950_000
