"""Tests of the decomposition of a change in exposure."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

from tests.helpers.builders import close
from tpanalytics.measures._core.decomposition import SPLIT, decompose


def random_parts(rng: random.Random, side: str) -> pl.DataFrame:
    """Return random parts of a company with hours and the sums of hours times weight."""
    rows: list[dict[str, Any]] = []
    for part in rng.sample("abcdefg", 5):
        hours = rng.choice([None, 0.0, rng.uniform(0, 9), rng.uniform(0, 9), 40.0, 400.0])
        low, high = sorted((rng.random(), rng.random()))
        values = {"low": low, "point": (low + high) / 2, "high": high}
        sums = {name: None if hours is None else hours * value for name, value in values.items()}
        rows.append({"part": part, **sums, "weighed": hours, "jobs": 1, "tasks": 2, "with_hours": 2, "with_both": 1})
    names = {name: name if name == "part" else f"{name}_{side}" for name in rows[0]}
    hours_columns = dict.fromkeys(("low", "point", "high", "weighed"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=hours_columns).rename(names)


def test_terms_add_up_for_300_random_pairs() -> None:
    rng = random.Random(48)
    nonzero = dict.fromkeys(SPLIT, 0)
    n = 0
    while n < 300:
        before, after = random_parts(rng, "before"), random_parts(rng, "after")
        row = decompose(before.join(after, on="part", how="full", coalesce=True), "part").row(-1, named=True)
        if row["contribution"] is None:
            assert row["reason"] is not None
            continue
        n += 1
        assert close(row["contribution"], row["exposure_after"] - row["exposure_before"])
        assert close(sum(row[term] for term in SPLIT), row["change"])
        for term in SPLIT:
            nonzero[term] += bool(row[term])
    assert min(nonzero.values()) > 90
