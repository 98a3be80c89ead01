"""Tests of charts by other groups than job families: by country, by two columns, by validation state and overall."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.charts.test_all_charts import assert_fields_are_columns
from tests.helpers.chart_specs import CANARY_FIGURES, layers_of, rows_of, text_of, title_of
from tests.helpers.companies import in_countries, many
from tests.helpers.plots import GROUP_PLOTS
from tpanalytics.charts._core.grouping import grouping
from tpanalytics.formatting import plural_of
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

TWO = ["job_family_group", "country"]
#: Groupings, with the number of groups as printed in the subtitle.
GROUPINGS: dict[str, tuple[Any, str]] = {
    "country": ("country", "3 countries"),
    "two columns": (TWO, "5 groups by job family group and country"),
    "validation state": ("validation_state", "2 validation states"),
    "all jobs": (None, ""),
}
#: Charts that compare groups or draw a bridge without `by`.
NEED_GROUPS = {"change of hours", "change of exposure"}
each_plot = pytest.mark.parametrize("plot", GROUP_PLOTS.values(), ids=GROUP_PLOTS)
OVERLAP = "A job counts in every country that has people in it, so countries overlap."


@pytest.fixture(scope="module")
def company() -> tpa.TaskProfiles:
    return with_cache(in_countries())


@pytest.fixture(scope="module")
def with_small_countries() -> tpa.TaskProfiles:
    return with_cache(in_countries("LU", "FR", "IE"))


def subtitle_of(chart: Any) -> str:
    subtitle: str = chart.to_dict()["title"]["subtitle"]
    return subtitle


@pytest.mark.parametrize(
    ("plot", "by", "groups"),
    [
        pytest.param(plot, by, groups, id=f"{name}, {grouping}")
        for name, plot in GROUP_PLOTS.items()
        for grouping, (by, groups) in GROUPINGS.items()
        if by is not None or name not in NEED_GROUPS
    ],
)
def test_charts_name_the_groups_and_not_job_families(
    plot: Callable[..., Any], by: Any, groups: str, company: tpa.TaskProfiles
) -> None:
    spec = plot(company, by=by).to_dict()
    text = text_of(spec)
    assert not re.findall(r".{0,30}(?:job family(?! group)|families|a family|no family).{0,20}", text, re.IGNORECASE)
    assert f"{groups}, 12 jobs, ".removeprefix(", ") in spec["title"]["subtitle"]
    if by is not None:
        assert plural_of(by if isinstance(by, str) else "group").replace("_", " ") in text
        labels = {row["group"] for rows in spec["datasets"].values() for row in rows if "group" in row}
        expected = tpa.coverage(company, by=by).select(pl.concat_str(by, separator=" · ")).to_series()
        assert labels in ({*expected}, set())
        assert all(label in text for label in expected)
    assert_fields_are_columns(spec)


@each_plot
def test_small_countries_are_suppressed(plot: Callable[..., Any], with_small_countries: tpa.TaskProfiles) -> None:
    text = text_of(plot(with_small_countries, by="country").to_dict()).replace('", "', " ")
    assert (
        "3 of 6 countries are suppressed: fewer than 3 jobs or 5 people, or needed to protect another country" in text
    )
    assert "Suppressed (small group): FR, IE and LU." in text
    assert not [figure for figure in CANARY_FIGURES if figure in text]
    assert "uppressed" not in text_of(plot(with_small_countries, by="job_family").to_dict())


@each_plot
def test_all_small_groups_give_a_chart_without_figures(plot: Callable[..., Any], company: tpa.TaskProfiles) -> None:
    spec = plot(company, by="country", privacy=tpa.Privacy(min_jobs=50)).to_dict()
    assert spec["title"]["text"] == ["All countries are suppressed (too few jobs or people)"]
    assert "72 tasks" not in text_of(spec)


@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount", "fte"])
def test_impact_by_country_matches_the_measure(company: tpa.TaskProfiles, weight: Any) -> None:
    chart = tpa.plot_impact(company, by="country", weight=weight)
    spec = chart.to_dict()
    bars = {(row["group"], row["level"], row["share"]) for row in rows_of(spec, layers_of(spec, "bar")[0])}
    impact = tpa.impact(company, by="country", weight=weight).filter(pl.col("share") > 0)
    assert bars == set(impact.select("country", "ai_impact_level", "share").rows())
    assert (OVERLAP in text_of(spec)) == (weight in {"tasks", "hours"})
    default = tpa.plot_impact(company, by="country").to_dict()
    assert (default == spec) == (weight == "headcount")


def test_exposure_is_weighted_by_people_in_each_country(company: tpa.TaskProfiles) -> None:
    spec = tpa.plot_exposure(company, by="country", rounds=100).to_dict()
    assert "of all people" in spec["title"]["subtitle"]
    assert OVERLAP not in text_of(spec)
    assert OVERLAP in text_of(tpa.plot_exposure(company, by="country", weight="hours", rounds=100).to_dict())
    assert OVERLAP in text_of(tpa.plot_hours(company, by="country").to_dict())


def test_tasks_of_a_state_count_where_a_job_has_one(company: tpa.TaskProfiles) -> None:
    text = text_of(tpa.plot_hours(company, by="validation_state").to_dict())
    assert "Jobs are counted in every validation state where they have at least one such task." in text


def test_a_job_in_two_selected_countries_is_counted_once(company: tpa.TaskProfiles) -> None:
    for plot in (tpa.plot_impact, tpa.plot_hours):
        assert "1 country, 8 jobs, 48 tasks" in subtitle_of(plot(company, by="country", groups=["BE"]))
        assert "2 countries, 12 jobs, 72 tasks" in subtitle_of(plot(company, by="country", groups=["BE", "NL"]))
        title = title_of(plot(company, by="country", groups=["BE", "NL"]))
        assert title.startswith("2 selected countries · ")


def test_jobs_are_labelled_with_their_names() -> None:
    profiles = in_countries()
    jobs = profiles.jobs.with_columns(
        job_name=pl.format("Job {}", pl.int_range(pl.len()) // 2), headcount=pl.int_range(pl.len()).cast(pl.Float64) + 3
    )
    spec = tpa.plot_impact(tpa.TaskProfiles(jobs, profiles.tasks), by="job_id").to_dict()
    labels = {row["group"] for rows in spec["datasets"].values() for row in rows if "group" in row}
    assert labels == {f"Job {n // 2} (j{n:03d})" for n in range(12)}
    assert "12 jobs, 72 tasks" in spec["title"]["subtitle"]
    assert "jobs are suppressed" in text_of(spec)
    suppressed = {row["group"] for rows in spec["datasets"].values() for row in rows if "missing" in row}
    drawn = {row["group"] for row in rows_of(spec, layers_of(spec, "bar")[0])}
    assert {"Job 0 (j000)", "Job 0 (j001)"} <= suppressed
    assert not suppressed & drawn
    assert suppressed | drawn == labels


def test_two_snapshots_without_job_families_are_compared() -> None:
    profiles = in_countries()
    before = tpa.TaskProfiles(
        profiles.jobs.drop("job_family"), profiles.tasks.drop("job_family"), profiles.manifest, people=profiles.people
    )
    assert "12 jobs, 72 tasks after" in subtitle_of(tpa.plot_compare(before, before))
    assert "3 countries, 12 jobs" in subtitle_of(tpa.plot_compare(before, before, by="country"))


def test_unknown_columns_and_groups_raise(company: tpa.TaskProfiles) -> None:
    for plot in (tpa.plot_impact, tpa.plot_overlap):
        with pytest.raises(tpa.SchemaError, match=r"`by`: 'contry' is not a column .*did you mean 'country'"):
            plot(company, by="contry")
    with pytest.raises(tpa.ArgumentError, match=r"`groups`: 'DK' is not a country \(did you mean 'DE'\?\)"):
        tpa.plot_impact(company, by="country", groups=["DK"])
    with pytest.raises(tpa.ArgumentError, match="`groups` must be a list of countries, or None for all, not 'BE'"):
        tpa.plot_impact(company, by="country", groups="BE")


@pytest.mark.parametrize(
    ("word", "plural"),
    [("country", "countries"), ("day", "days"), ("pay grade", "pay grades"), ("business", "businesses")],
)
def test_plural_nouns(word: str, plural: str) -> None:
    assert plural_of(word) == plural


def test_groups_with_a_missing_value_are_not_named(company: tpa.TaskProfiles) -> None:
    labels = pl.DataFrame({"group": ["BE", "(no country)", "BE · (no country)", "(no job family group) · BE"]})
    for by, named in (("country", [True, False, True, True]), (TWO, [True, False, False, False])):
        words = grouping(company, by)
        assert labels.select(words.is_named()).to_series().to_list() == named


#: Charts with an argument `top`, with the column that it sorts by.
LIMITED: dict[str, Callable[..., Any]] = {
    name: GROUP_PLOTS[name]
    for name in ("impact", "hours", "exposure", "quality", "found tasks", "change of hours", "change of exposure")
}


@pytest.mark.parametrize("name", LIMITED)
def test_only_the_largest_of_many_groups_are_drawn(name: str) -> None:
    plot, profiles = LIMITED[name], with_cache(many(45, jobs=1))
    spec = plot(profiles, privacy=None, by="job_family").to_dict()
    labels = spec["layer"][0]["encoding"]["y"]["sort"] if name == "impact" else None
    drawn = {row["group"] for rows in spec["datasets"].values() for row in rows if "group" in row}
    assert len(drawn) == len(labels or drawn) == 40
    assert spec["title"]["text"][0].startswith("40 largest families · ")
    text = text_of(spec).replace('", "', " ")
    assert re.search(r"40 of 45 job families are drawn, those with the (most|largest) [a-z ]+\. Pass top=None to", text)
    everything = plot(profiles, privacy=None, by="job_family", top=None).to_dict()
    assert len({row["group"] for rows in everything["datasets"].values() for row in rows if "group" in row}) == 45
    assert everything == plot(profiles, privacy=None, by="job_family", top=45).to_dict()
    assert "top=None" not in text_of(everything)
    for wrong in (0, 2.5, True):
        with pytest.raises(tpa.ArgumentError, match="`top` must be a whole number, 1 or more, or None to draw all"):
            plot(profiles, privacy=None, by="job_family", top=wrong)


def test_the_drawn_groups_have_the_most_hours(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_impact(sample, top=3).to_dict()
    largest = tpa.hours(sample).sort("hours", descending=True)["job_family"].head(3).to_list()
    assert {row["group"] for row in rows_of(spec, layers_of(spec, "bar")[0])} == set(largest)
    # A selection is drawn as a whole.
    names = tpa.hours(sample)["job_family"].head(5).to_list()
    spec = tpa.plot_impact(sample, top=3, groups=names).to_dict()
    assert {row["group"] for row in rows_of(spec, layers_of(spec, "bar")[0])} == set(names)
