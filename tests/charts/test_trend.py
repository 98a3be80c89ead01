"""The chart of a measure over time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tests.charts.test_all_charts import assert_fields_are_columns
from tests.helpers.builders import job, task
from tests.helpers.chart_specs import layers, rows_of, text_of
from tests.helpers.histories import DAYS, history_of
from tests.helpers.random_profiles import profiles_of


def company(a: float, b: float, *, unknown: int = 0, families: str = "AB", jobs: int = 3) -> tpa.TaskProfiles:
    """Return families with `a` or `b` hours at H1, and ten tasks of an hour at H3, some of them unknown."""
    rest = [task("H3", None if i < unknown else 1.0, key=f"k{i}") for i in range(10)]
    return profiles_of(
        [
            job(task("H1", hours), *rest, family=family, headcount=9.0)
            for family, hours in zip(families, (a, b, *[a] * len(families)), strict=False)
            for _ in range(jobs)
        ]
    )


def over_time(*snapshots: tpa.TaskProfiles, tenant: str = "acme") -> tpa.History:
    return history_of({(tenant, day): one for day, one in zip(DAYS, snapshots, strict=False)})


def segments(spec: dict[str, Any]) -> list[tuple[bool, dict[str, Any]]]:
    """Return whether each drawn change is dotted, and its ends."""
    return [
        ("strokeDash" in layer["mark"], row)
        for layer in layers(spec)
        for row in rows_of(spec, layer)
        if "before" in row
    ]


@pytest.mark.parametrize("measure", ["exposure", "hours", "impact", "coverage"])
def test_lines_are_drawn_with_a_finding_and_alt_text(measure: Any) -> None:
    history = over_time(company(2, 5), company(4, 5), company(8, 5))
    chart = tpa.plot_trend(history, measure=measure)
    spec = chart.to_dict()
    assert isinstance(chart, alt.LayerChart)
    assert_fields_are_columns(spec)
    assert len(segments(spec)) == 4
    assert "3 dates, May 2026 to Aug 2026" in spec["title"]["subtitle"]
    assert spec["title"]["text"][0] in vl_convert.vegalite_to_svg(spec)
    assert " of tasks in May 2026" in text_of(spec)
    assert "Line chart of the" in spec["description"]
    assert "in May 2026" in spec["description"]


def test_the_title_states_the_largest_comparable_change() -> None:
    history = over_time(company(2, 5), company(8, 5))
    table = tpa.trend(history, measure="hours").filter(job_family="A").get_column("hours").to_list()
    assert table == [36.0, 54.0]
    spec = tpa.plot_trend(history, measure="hours").to_dict()
    assert spec["title"]["text"] == ["Weekly hours changed most in A: 36\u00a0h to 54\u00a0h"]
    assert tpa.plot_trend(history, by=None).to_dict()["title"]["text"] == [
        "Exposure rose from 0.26 in May 2026 to 0.39 in Jun 2026"
    ]
    same = tpa.plot_trend(over_time(company(2, 5), company(2, 5))).to_dict()
    assert same["title"]["text"] == ["Exposure hardly changed from May 2026 to Jun 2026"]


def test_the_line_is_broken_where_coverage_changed() -> None:
    history = over_time(company(2, 5, unknown=4), company(2, 5), company(3, 6))
    spec = tpa.plot_trend(history).to_dict()
    assert sorted(dotted for dotted, _ in segments(spec)) == [False, False, True, True]
    assert "Dotted line: coverage changed by more than 5 percentage points" in text_of(spec).replace('", "', " ")
    assert "(coverage changed)" in spec["description"]
    title = tpa.plot_trend(over_time(company(2, 5, unknown=4), company(2, 5))).to_dict()["title"]["text"][0]
    assert title == "Coverage changed in every job family, so exposure in May 2026 and Jun 2026 is not comparable"


def test_one_date_no_jobs_and_no_figures() -> None:
    one = tpa.plot_trend(over_time(company(2, 5))).to_dict()
    assert one["title"]["text"] == ["One snapshot, of May 2026: no change over time to show"]
    assert not segments(one)
    assert "0.17" in vl_convert.vegalite_to_svg(one)
    empty = tpa.plot_trend(over_time(profiles_of([]))).to_dict()
    assert empty["title"]["text"] == ["No jobs in this history"]
    no_tasks = tpa.plot_trend(over_time(profiles_of([job(headcount=9.0)] * 3))).to_dict()
    assert no_tasks["title"]["text"] == ["No exposure can be computed at any date"]
    assert "No figure at some dates for A (there are no tasks)" in text_of(no_tasks)


def test_small_groups_are_suppressed_at_all_dates() -> None:
    large = company(2, 5, families="ABCD")
    is_kept = pl.col("job_id") != "j000"
    small = replace(large, jobs=large.jobs.filter(is_kept), tasks=large.tasks.filter(is_kept))
    history = over_time(large, small)
    spec = tpa.plot_trend(history).to_dict()
    names = {row["line"] for layer in layers(spec) for row in rows_of(spec, layer) if "line" in row}
    assert names == {"C", "D"}
    assert "2 of 4 job families are suppressed" in text_of(spec)
    everything = tpa.plot_trend(history, privacy=tpa.Privacy(min_jobs=50)).to_dict()
    assert everything["title"]["text"] == ["All job families are suppressed (too few jobs or people)"]
    assert "% of tasks" not in json.dumps(everything)
    shown = tpa.plot_trend(history, privacy=None).to_dict()
    assert "uppressed" not in json.dumps(shown)


def test_tenants_and_days_are_told_apart() -> None:
    snapshots = {
        (tenant, day): company(2, 5) for tenant in ("acme", "globex") for day in (date(2026, 5, 1), date(2026, 5, 20))
    }
    spec = tpa.plot_trend(history_of(snapshots)).to_dict()
    text = text_of(spec)
    assert "acme \u00b7 A" in text
    assert "globex \u00b7 B" in text
    assert "1 May 2026 to 20 May 2026" in spec["title"]["subtitle"]
    selected = tpa.plot_trend(history_of(snapshots), groups=["acme \u00b7 A"]).to_dict()
    assert "globex" not in text_of(selected)
    with pytest.raises(tpa.ArgumentError, match=r"`groups`: 'Acme' is not a tenant and job family"):
        tpa.plot_trend(history_of(snapshots), groups=["Acme"])
    with pytest.raises(
        tpa.ArgumentError, match=r"`groups` must be a list of lines like \['acme . A'\], or None for all"
    ):
        tpa.plot_trend(history_of(snapshots), groups="A")


def test_many_lines_are_drawn_but_not_all_of_them_named() -> None:
    families = [f"Family {i}" for i in range(60)]
    many = profiles_of(
        [
            job(task("H1", 1.0 + i % 7), task("H3", 3.0, key="u"), family=f, headcount=9.0)
            for i, f in enumerate(families)
        ]
        * 3
    )
    spec = tpa.plot_trend(over_time(many, many), measure="hours").to_dict()
    assert_fields_are_columns(spec)
    assert len(text_of(spec["datasets"]).encode()) < 150_000
    labels = [row for layer in layers(spec) for row in rows_of(spec, layer) if "name" in row]
    assert 0 < len({row["name"] for row in labels}) <= 18


def test_ticks_of_a_small_range_have_different_labels() -> None:
    spec = tpa.plot_trend(over_time(company(2.0, 2.1), company(2.1, 2.2)), measure="impact").to_dict()
    axis = next(layer["encoding"]["y"]["axis"] for layer in layers(spec) if "axis" in layer["encoding"].get("y", {}))
    assert axis["tickMinStep"] == 0.01


def test_no_line_is_named_if_the_largest_changes_are_equal() -> None:
    spec = tpa.plot_trend(over_time(company(2, 2), company(8, 8)), measure="hours").to_dict()
    assert spec["title"]["text"] == ["Weekly hours changed by up to 18\xa0h from May 2026 to Jun 2026"]


def test_groups_of_people_and_of_several_columns_are_explained() -> None:
    def in_countries(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
        people = profiles.jobs.select("job_id", country=pl.lit("BE"), grade=pl.lit("7"), headcount=pl.lit(9))
        return replace(profiles, people=pl.concat([people, people.with_columns(country=pl.lit("FR"))]))

    history = over_time(in_countries(company(2, 5)), in_countries(company(4, 5)))
    spec = tpa.plot_trend(history, by=["country", "grade"]).to_dict()
    assert "2 groups by country and grade" in spec["title"]["subtitle"]
    assert "Each job is counted in every country and grade that has people in it at the time." in text_of(spec)


def test_the_title_does_not_call_comparable_lines_incomparable() -> None:
    before, after = ([company(a, 5, families="A"), company(5, 5, unknown=8, families="B")] for a in (2, 8))
    join = lambda two: tpa.TaskProfiles(  # noqa: E731
        pl.concat([one.jobs.with_columns(job_id=pl.col("job_id") + name) for one, name in zip(two, "ab", strict=True)]),
        pl.concat(
            [one.tasks.with_columns(job_id=pl.col("job_id") + name) for one, name in zip(two, "ab", strict=True)]
        ),
    )
    spec = tpa.plot_trend(over_time(join(before), join(after))).to_dict()
    title = " ".join(spec["title"]["text"])
    assert title.startswith("A: exposure rose by 0.28 to 0.44")
    assert title.endswith("; other job families have grade C or changed coverage")
    assert sorted(dotted for dotted, _ in segments(spec)) == [False, False]


def test_the_title_agrees_with_the_change_in_the_chart() -> None:
    history = over_time(company(15.257, 5, families="A"), company(16.008, 5, families="A"))
    spec = tpa.plot_trend(history).to_dict()
    assert spec["title"]["text"] == ["Exposure rose by 0.01 to 0.62 from May 2026 to Jun 2026"]
    assert "+0.01" in json.dumps(spec, ensure_ascii=False)
    less = over_time(company(15.257, 5, families="A"), company(15.5, 5, families="A"))
    assert tpa.plot_trend(less).to_dict()["title"]["text"][0].startswith("Exposure hardly changed")


def test_equal_sources_are_stated_once() -> None:
    history = over_time(company(2, 5), company(8, 5))
    entries = [
        {"as_of": day.isoformat(), "tenant": "acme", "manifest": {"source": {"kind": "file"}}} for day in DAYS[:2]
    ]
    history = replace(history, manifest={"snapshots": entries})
    assert tpa.plot_trend(history).to_dict()["description"].count("Data: records from a file.") == 1
