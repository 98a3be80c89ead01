"""Tests of the chart of block sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import rows_encoding, task_job, title_of
from tests.helpers.companies import many
from tests.helpers.plots import fragmentation
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import percent

FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0.0, "H4": 0.0}
ASSUMPTIONS: dict[str, Any] = {
    "freed": FREED,
    "weight": "headcount",
    "realisation": (0.5, 0.8),
    "adoption": (0.3, 0.6),
    "contract_hours": 38.5,
}


def test_panels_match_the_measure(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_fragmentation(sample, **ASSUMPTIONS)
    spec = chart.to_dict()
    blocks = tpa.fragmentation(sample, **ASSUMPTIONS, block_hours=[0.5, *map(float, range(1, 17))])
    drawn = sorted(tuple(row.values()) for row in rows_encoding(spec, "area", "low"))
    expected = blocks.select("block_hours", "usable_share_low", "usable_share_high").rows()
    assert drawn == [pytest.approx(row, abs=1e-4) for row in sorted(expected)]
    half_day = blocks.filter(block_hours=4.0)
    low, high = (half_day[f"usable_weeks_{end}"].sum() for end in ("low", "high"))
    assert title_of(chart).startswith(f"{low:.1f} to {high:.0f} of ")
    for row in half_day.iter_rows(named=True):
        assert row["job_family"] in spec["description"]
        assert f"of {row['full_time_weeks_low']:.1f}\u2013" in spec["description"]
    text = json.dumps(spec).replace('", "', " ")
    assert "not a headcount reduction" in text
    assert "H1 0.4 to 0.7" in text


def test_full_time_equivalents_match_capacity(sample: tpa.TaskProfiles) -> None:
    blocks = tpa.fragmentation(sample, **ASSUMPTIONS, block_hours=[0.001, 4.0])
    capacity = tpa.capacity(sample, **ASSUMPTIONS)
    for end in ("low", "high"):
        weeks = capacity[f"full_time_weeks_{end}"].to_list()
        smallest = blocks.filter(block_hours=0.001)
        assert smallest[f"full_time_weeks_{end}"].to_list() == pytest.approx(weeks)
        assert smallest[f"usable_weeks_{end}"].to_list() == pytest.approx(weeks)  # everything is usable
    without_adoption = {name: value for name, value in ASSUMPTIONS.items() if name != "adoption"}
    assert not [name for name in tpa.fragmentation(sample, **without_adoption).columns if "weeks" in name]


@pytest.mark.parametrize("name", [name for name in ASSUMPTIONS if name != "weight"])
def test_assumptions_have_no_default(sample: tpa.TaskProfiles, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        tpa.plot_fragmentation(sample, **{key: value for key, value in ASSUMPTIONS.items() if key != name})


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (task_job("A", ("a", "H3", 4.0)), "No hours are freed under these assumptions"),
        (task_job("A", ("a", "H1", None)), "The block sizes of freed hours are unknown: no task has hours above 0"),
        (task_job("A"), "The block sizes of freed hours are unknown: there are no tasks"),
        (
            task_job("A", ("a", "H1", 4.0), headcount=None),
            "The block sizes of freed hours are unknown: no job has a headcount",
        ),
        (
            task_job("A", ("a", "H1", 40.0), headcount=9.0),
            "0.6 to 3.0 of 0.6 to 3.0 freed full-time equivalents come in blocks of half a day (4\xa0h) or more",
        ),
        (
            task_job("A", ("a", "H1", 4.0), ("b", None, 4.0)),
            f"There is not enough data on block sizes: {percent(0.5)} of tasks have hours, a level and a headcount",
        ),
    ],
)
def test_headline_allows_for_missing_data(job: Any, title: str) -> None:
    assert title_of(fragmentation(profiles_of([job]), privacy=None)).startswith(title)


def test_texts_name_the_count_of_people() -> None:
    company = profiles_of([task_job("A", ("a", "H1", 4.0), ("b", None, 4.0))])
    for weight, needed in (("headcount", "a headcount"), ("fte", "an FTE")):
        text = json.dumps(fragmentation(company, weight=weight, privacy=None).to_dict()).replace('", "', " ")
        assert text.count(f"tasks have hours, a level and {needed}") >= 3


@pytest.mark.slow
def test_the_largest_of_many_families_have_panels() -> None:
    spec = fragmentation(many(25)).to_dict()
    assert len(spec["concat"][0]["concat"]) == 12
    assert "Only the 12 families with the most usable hours are drawn, not 13 others." in json.dumps(spec)
    assert len(fragmentation(many(24)).to_dict()["concat"][0]["concat"]) == 24
