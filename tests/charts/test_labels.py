"""Tests of the placement of labels, leading lines, and groups of overlapping ranks."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import layers_of, rows_of
from tests.helpers.companies import many
from tpanalytics.charts._core.labels import leaders, spread, ties


@pytest.mark.parametrize("seed", range(8))
def test_leaders_are_the_highest_lines_at_each_weight(seed: int) -> None:
    values = pl.DataFrame({"at": pl.arange(0, 24, eager=True)}).select(pl.col("at").hash(seed) % 97 / 97).to_series()
    ends = list(zip(values[:12], values[12:], strict=True))
    lines = pl.DataFrame(
        {
            "group": [f"f{i:02d}" for i in range(12)],
            "weight_low": [min(end) for end in ends],
            "weight_high": [max(end) for end in ends],
        }
    )
    crossings = []
    for (a, a_low, a_high), (b, b_low, b_high) in itertools.combinations(lines.rows(), 2):
        low, high = a_low - b_low, a_high - b_high
        if low * high < 0:
            crossings.append((a, b, low / (low - high)))
    pairs = pl.DataFrame(crossings, schema=["group_a", "group_b", "break_even"], orient="row")
    leading = leaders(lines, pairs)
    ends_of = {family: (low, high) for family, low, high in lines.rows()}
    for weight in (step / 100 for step in range(101)):
        leader = [leader for leader in leading if leader.since <= weight][-1]
        index = {family: low + weight * (high - low) for family, (low, high) in ends_of.items()}
        assert index[leader.group] == pytest.approx(max(index.values()))


@pytest.mark.parametrize(
    "positions", [[5.0] * 6, [0.0, 1, 2, 3, 4, 200], [190.0, 191, 192, 193, 199, 200], [10.0, 50, 90, 120, 160, 190]]
)
def test_labels_keep_their_order_without_overlap(positions: list[float]) -> None:
    heights = [16.0, 28.0, 16.0, 16.0, 40.0, 16.0]
    edges = [
        (position - height / 2, position + height / 2)
        for position, height in zip(spread(positions, heights, 200), heights, strict=True)
    ]
    assert all(upper[1] <= lower[0] + 1e-9 for upper, lower in itertools.pairwise(edges))
    assert edges[0][0] >= -1e-9
    assert edges[-1][1] <= 200 + 1e-9


def test_labels_move_only_if_they_overlap() -> None:
    positions = [20.0, 60.0, 100.0, 125.0, 160.0, 190.0]
    assert spread(positions, [16.0, 28.0, 16.0, 16.0, 40.0, 16.0], 200) == pytest.approx(positions)
    assert spread([50.0, 50.0], [10.0, 10.0], 200) == pytest.approx([45.0, 55.0])


@pytest.mark.parametrize("families", [6, 60])
def test_labels_of_lines_fit_next_to_the_plot(families: int) -> None:
    spec = tpa.plot_weight_sensitivity(many(families)).to_dict()
    pixel = None
    for layer in layers_of(spec, "text"):
        rows = rows_of(spec, layer)
        if not rows or "label" not in rows[0] or layer["encoding"]["y"]["field"] != "label":
            continue
        low, high = layer["encoding"]["y"]["scale"]["domain"]
        pixel = (high - low) / spec["height"]
        positions = sorted(row["label"] for row in rows)
        assert all(upper - lower > 15.5 * pixel for lower, upper in itertools.pairwise(positions))
        assert low <= positions[0] <= positions[-1] <= high
    assert pixel


def test_tied_groups_contain_all_pairs_that_overlap(sample: tpa.TaskProfiles) -> None:
    ranks = tpa.exposure_ranking(sample, rounds=200)
    groups = ties(ranks.rename({"job_family": "group"}))
    expected = {
        (family, other) for family, others in ranks.select("job_family", "tied_with").rows() for other in others
    }
    assert {pair for group in groups for pair in itertools.permutations(group, 2)} == expected
    assert not [group for group in groups for other in groups if set(group) < set(other)]
    spec = tpa.plot_exposure(sample, rounds=200).to_dict()
    ends = [row for layer in layers_of(spec, "rule") for row in rows_of(spec, layer) if "last" in row]
    assert {(row["group"], row["last"]) for row in ends} == {(group[0], group[-1]) for group in groups}
