"""Tests of the chart of AI impact levels."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import company_with_small_families, job_in, layers_of, rows_of, title_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import percent


@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount"])
def test_bars_match_the_measure(sample: tpa.TaskProfiles, weight: Any) -> None:
    spec = tpa.plot_impact(sample, weight=weight).to_dict()
    bars = rows_of(spec, layers_of(spec, "bar")[0])
    impact = tpa.impact(sample, weight=weight).filter(pl.col("share") > 0)
    assert {(row["group"], row["level"]): row["share"] for row in bars} == {
        (family, level): share
        for family, level, share in impact.select("job_family", "ai_impact_level", "share").rows()
    }
    for family in impact["job_family"].unique():
        segments = [row for row in bars if row["group"] == family]
        assert segments[0]["level"] == "H1"
        assert segments[0]["start"] == 0.0
        assert math.isclose(segments[-1]["end"], 1.0)
        assert all(math.isclose(a["end"], b["start"]) for a, b in itertools.pairwise(segments))


def test_work_without_a_level_is_hatched(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_impact(sample).to_dict()
    strokes = rows_of(spec, layers_of(spec, "point")[0])
    impact = tpa.impact(sample).filter(pl.col("ai_impact_level") == "not assessed", pl.col("share") > 0.02)
    assert {row["group"] for row in strokes} >= set(impact["job_family"])


def test_families_are_sorted_by_h1_share(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_impact(sample).to_dict()
    shares = dict(tpa.impact(sample).filter(ai_impact_level="H1").select("job_family", "share").rows())
    order = layers_of(spec, "bar")[0]["encoding"]["y"]["sort"]
    assert order == sorted(shares, key=lambda family: (-shares[family], family))


def test_alt_text_contains_every_share(sample: tpa.TaskProfiles) -> None:
    description = tpa.plot_impact(sample).to_dict()["description"]
    for family, share in tpa.impact(sample).filter(ai_impact_level="H1").select("job_family", "share").rows():
        assert f"{family} {percent(share)}" in description
    assert "have hours" in description


def test_family_with_grade_c_is_not_the_headline() -> None:
    def family(name: str, level: str, missing: int) -> dict[str, Any]:
        return job_in(name, (level, 4.0), *[(level, None)] * missing, headcount=None)

    both = profiles_of([family("Sparse", "H1", 5), family("Complete", "H2", 0)])
    assert "Sparse" not in title_of(tpa.plot_impact(both, privacy=None))
    alone = profiles_of([family("Sparse", "H1", 5)])
    expected = "There is not enough data to compare the AI impact of job families"
    assert title_of(tpa.plot_impact(alone, privacy=None)) == expected


@pytest.mark.parametrize(
    ("jobs", "weight", "title"),
    [
        ([job_in("A", ("H1", None), ("H2", 5.0))], "hours", "H1 (highly automatable) tasks have no hours to add up"),
        ([job_in("A", (None, 3.0), (None, 5.0))], "hours", "AI impact cannot be shown: no task has a level"),
        ([job_in("A", ("H1", None))], "hours", "AI impact cannot be shown: no hours, or all hours are zero"),
        ([job_in("A", ("H1", 3.0), headcount=None)], "headcount", "AI impact cannot be shown: no hours with a head"),
        ([job_in("A", ("H2", 3.0))], "tasks", "No task is rated H1"),
        ([job_in(None, ("H1", 3.0), ("H2", 1.0))], "hours", f"{percent(0.75)} of documented weekly hours are highly"),
        (
            [job_in(None, ("H1", 9.0)), job_in("A", ("H1", 1.0), ("H2", 1.0))],
            "hours",
            f"A: {percent(0.5)} of documented",
        ),
        ([job_in("A")], "hours", "No tasks in these task profiles"),
    ],
)
def test_headline_allows_for_missing_data(jobs: list[dict[str, Any]], weight: Any, title: str) -> None:
    assert title_of(tpa.plot_impact(profiles_of(jobs), weight=weight, privacy=None)).startswith(title)


def test_headline_is_about_the_families_shown() -> None:
    title = title_of(tpa.plot_impact(company_with_small_families("Tiny", "Small", "Little")))
    assert title == f"{percent(1 / 3)} of documented weekly hours are highly automatable in every family shown"
    large = [job_in(family, ("H2", 3.0), headcount=4.0) for family in "AAABBB"]
    small = [job_in(family, ("H1", 9.0)) for family in "TU"]
    spec = tpa.plot_impact(profiles_of([*large, *small])).to_dict()
    assert "No task in the families shown is rated H1" in json.dumps(spec["title"])


@pytest.mark.parametrize(
    ("hours", "title"),
    [
        ((50, 40), "A has the largest highly automatable share: 50% of documented weekly hours"),
        ((50, 49.5), "50% of documented weekly hours are highly automatable in every family"),
        ((50, 49.5, 30), "30% to 50% of documented weekly hours are highly automatable, depending on the family"),
    ],
)
def test_small_differences_are_not_a_finding(hours: tuple[float, ...], title: str) -> None:
    jobs = [job_in("ABC"[at], ("H1", h1), ("H2", 100 - h1)) for at, h1 in enumerate(hours)]
    spec = tpa.plot_impact(profiles_of(jobs), privacy=None).to_dict()
    assert " ".join(spec["title"]["text"]).replace("\xa0", " ").startswith(title)
    assert ("range in brackets" in json.dumps(spec)) == ("(" in " ".join(spec["title"]["text"]))


def test_a_number_or_a_yes_has_its_noun_in_the_title() -> None:
    profiles = profiles_of([job_in(family, ("H1", h1), ("H2", 100 - h1)) for family, h1 in (("A", 60), ("B", 30))])
    grades = pl.Series([2, 1])
    jobs = profiles.jobs.with_columns(pay_grade=grades, active=grades == 2)
    numbered = tpa.TaskProfiles(jobs, profiles.tasks)
    titles = [title_of(tpa.plot_impact(numbered, by=by, privacy=None)) for by in ("pay_grade", "active")]
    assert [text.partition(" has")[0] for text in titles] == ["pay grade 2", "active = true"]
    both = title_of(tpa.plot_impact(numbered, by=["pay_grade", "job_family"], privacy=None))
    assert both.startswith("pay grade 2 · A has")
