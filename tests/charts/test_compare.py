"""Tests of the charts of the change between two snapshots."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.helpers.chart_specs import (
    NOTHING_SHOWN,
    company_with_small_families,
    job_in,
    layers,
    layers_of,
    rows_of,
    rows_with,
    text_of,
    three_jobs_in,
    title_of,
)
from tests.helpers.plots import half_a_year_later
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours, percent
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable


def plot_by_family(before: tpa.TaskProfiles, after: tpa.TaskProfiles, **arguments: Any) -> Any:
    return tpa.plot_compare(before, after, by="job_family", **arguments)


CHANGE_PLOTS: list[Callable[..., Any]] = [plot_by_family, tpa.plot_compare, tpa.plot_transitions]


@pytest.mark.parametrize("measure", ["hours", "exposure"])
def test_arrows_match_the_measure(sample: tpa.TaskProfiles, later: tpa.TaskProfiles, measure: Any) -> None:
    spec = plot_by_family(sample, later, measure=measure).to_dict()
    if measure == "hours":
        measured = tpa.compare(sample, later).select("scope", "job_family", was="before", now="after")
    else:
        measured = tpa.compare_exposure(sample, later).select(
            "scope", "job_family", was="exposure_before", now="exposure_after"
        )
    expected = {row[1]: row[2:] for row in measured.filter(scope="group").rows()}
    assert {row["group"]: (row["was"], row["now"]) for row in rows_with(spec, "was", "now")} == expected
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    assert order == sorted(expected, key=lambda f: (-round(expected[f][1] - expected[f][0], 9), f))
    for family, (was, now) in expected.items():
        write = hours if measure == "hours" else "{:.2f}".format
        assert f"{family} from {write(was)} to {write(now)}" in spec["description"]


def test_families_with_changed_coverage_are_marked_as_measurement(
    sample: tpa.TaskProfiles, later: tpa.TaskProfiles
) -> None:
    chart = plot_by_family(sample, later)
    marks = {row["group"]: row["shows"] for row in rows_with(chart.to_dict(), "group", "shows")}
    coverage = tpa.compare(sample, later).filter(scope="group")
    for family, was, now in coverage.select("job_family", "coverage_before", "coverage_after").rows():
        assert marks[family] == ("measurement" if abs(now - was) > 0.05 else "work")
    assert set(marks.values()) == {"measurement", "work"}
    assert title_of(chart).startswith("Among families with stable coverage, H1 hours rose in Supply Chain")


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        ([("H1", 2.0)], [("H1", 4.0)], f"H1 hours rose in A: from 6\xa0h to 12\xa0h (+{percent(1.0)})"),
        ([("H1", 4.0)], [("H1", 1.0)], f"H1 hours fell in A: from 12\xa0h to 3\xa0h (\u2212{percent(0.75)})"),
        ([("H1", 4.0)], [("H1", 4.0)], "H1 hours did not change in any family"),
        ([("H2", 4.0)], [("H1", 4.0)], "H1 hours rose in A: from 0\xa0h to 12\xa0h"),
        ([("H1", None)], [("H1", 4.0)], "H1 hours cannot be compared: no job family has a figure in both snapshots"),
        (
            [("H1", 4.0), ("H1", None), ("H2", None)],
            [("H1", 4.0), ("H1", None), ("H2", None)],
            "There is not enough data to say how the H1 hours of job families changed",
        ),
        (
            [("H1", 4.0)] * 9 + [("H1", None)],
            [("H1", 4.0)] * 10,
            "Changes in H1 hours partly reflect new data: every family's coverage changed by over 5 points",
        ),
        ([], [], "No tasks in either snapshot"),
    ],
)
def test_headline_by_family_allows_for_missing_data(before: list[Any], after: list[Any], title: str) -> None:
    chart = plot_by_family(three_jobs_in("A", *before), three_jobs_in("A", *after))
    assert title_of(chart).startswith(title)
    assert "nan" not in json.dumps(chart.to_dict()).lower().replace("finance", "")


def snapshot(**h1_hours: float | None) -> tpa.TaskProfiles:
    """Return a company of three equal jobs per family, with the H1 hours of each job."""
    return profiles_of([job_in(name, ("H1", hours), headcount=4.0) for name, hours in h1_hours.items() for _ in "123"])


def test_headline_lists_tied_families() -> None:
    chart = plot_by_family(snapshot(A=2.0, B=5.0, C=5.0), snapshot(A=4.0, B=7.0, C=5.0))
    assert title_of(chart) == "H1 hours rose most in A and B: +6\xa0h each"


def test_family_without_a_figure_in_one_snapshot_states_the_reason() -> None:
    spec = plot_by_family(snapshot(A=2.0, B=None), snapshot(A=3.0, B=5.0)).to_dict()
    assert "before \u2013, after 15\xa0h: no hours, or all hours are zero" in text_of(spec)
    assert "No figure is available for B." in spec["description"]


def test_families_suppressed_in_either_snapshot_are_suppressed() -> None:
    large = [job_in(family, ("H1", 2.0), headcount=4.0) for family in "AAABBB"]
    few = profiles_of([*large, job_in("C", ("H1", 77.25))])
    more = profiles_of([*large, *[job_in("C", ("H1", 77.25), headcount=4.0)] * 3])
    for before, after in ((few, more), (more, few)):
        spec = plot_by_family(before, after).to_dict()
        assert "A and C." in spec["description"]
        assert "77" not in json.dumps(spec)


def test_bridge_matches_the_measure(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    spec = tpa.plot_compare(sample, later).to_dict()
    company = tpa.compare(sample, later).filter(scope="all").row(0, named=True)
    bars = rows_with(spec, "start", "end", "kind")
    assert [bar["end"] - bar["start"] for bar in bars] == pytest.approx([company[term] for term in TERMS])
    assert bars[0]["start"] == company["before"]
    assert math.isclose(bars[-1]["end"], company["after"])
    assert all(bar["end"] == following["start"] for bar, following in itertools.pairwise(bars))
    assert bars[-1]["kind"] == "measured"
    hatching = next(layer for layer in layers(spec) if layer["mark"].get("shape"))
    assert {row["term"] for row in rows_of(spec, hatching)} == {"Newly measured"}
    for row in rows_with(spec, "term", "figure", "most"):
        assert f"{row['term']} {row['figure']}" in spec["description"]
    assert f"{percent(0.8)} of tasks before and {percent(0.9)} after" in spec["description"]


def test_hours_missing_in_the_later_snapshot_are_no_longer_measured(
    sample: tpa.TaskProfiles, later: tpa.TaskProfiles
) -> None:
    chart = tpa.plot_compare(later, sample)
    assert "no longer measured" in title_of(chart)
    assert "No longer measured" in {row["term"] for row in rows_with(chart.to_dict(), "term")}


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        ([("H1", 2.0)], [("H1", 4.0)], "Hours at H1 rose from 6\xa0h to 12\xa0h a week: +6\xa0h, all from changes"),
        ([("H1", 4.0)], [("H1", 4.0)], "Hours at H1 are unchanged: 12\xa0h a week"),
        ([("H1", None)], [("H1", 4.0)], "Change in hours at H1 cannot be shown: no task before has hours and"),
        ([("H1", 4.0)], [("H1", None)], "Change in hours at H1 cannot be shown: no task after has hours and"),
        ([("H1", 4.0), (None, None)], [("H1", 4.0)], "There is not enough data to say how hours at H1 changed"),
        ([], [], "No tasks in either snapshot"),
    ],
)
def test_headline_of_a_bridge_allows_for_missing_data(before: list[Any], after: list[Any], title: str) -> None:
    assert title_of(tpa.plot_compare(three_jobs_in("A", *before), three_jobs_in("A", *after))).startswith(title)


def test_unknown_totals_are_not_drawn_as_zero() -> None:
    spec = tpa.plot_compare(three_jobs_in("A", ("H1", None)), three_jobs_in("A", ("H1", 4.0))).to_dict()
    assert {row["term"]: row["figure"] for row in rows_with(spec, "term", "figure", "most")}["Before"] == "unknown"
    assert [row["term"] for row in rows_of(spec, layers_of(spec, "tick")[0])] == ["After"]


@pytest.mark.parametrize("plot", CHANGE_PLOTS)
def test_charts_of_two_snapshots_warn_about_states_and_order(
    plot: Any, sample: tpa.TaskProfiles, later: tpa.TaskProfiles
) -> None:
    # The notes depend on the manifests, so a few jobs are enough.
    may, november = (company.filter(job_family="Finance") for company in (sample, later))
    state_note, order_note = "Only validated tasks are counted", "Check the order of the arguments."
    for snapshots, states, expected in (
        ((may, november), ["validated", "suggested"], set()),
        ((may, november), ["validated"], {state_note}),
        ((november, may), ["validated", "suggested"], {order_note}),
    ):
        text = json.dumps(plot(*snapshots, states=states).to_dict()).replace('", "', " ")
        assert {note for note in (state_note, order_note) if note in text} == expected


@pytest.mark.parametrize("plot", CHANGE_PLOTS)
def test_charts_of_two_snapshots_name_both_sources(
    plot: Callable[..., Any], sample: tpa.TaskProfiles, later: tpa.TaskProfiles
) -> None:
    text = json.dumps(plot(sample, later).to_dict())
    assert "Before: sample of a fictional company, as of 2026-05." in text
    assert "After: sample of a fictional company, as of 2026-11." in text


@pytest.mark.parametrize("plot", CHANGE_PLOTS)
def test_totals_are_not_shown_if_all_families_are_suppressed(plot: Callable[..., Any]) -> None:
    small = company_with_small_families("Tiny", "Small", jobs=0)
    spec = plot(small, half_a_year_later(small)).to_dict()
    assert spec["title"]["text"] == [NOTHING_SHOWN[plot is not plot_by_family]]
    assert not [total for total in ("77.2", "154", "% of", "2 jobs", "2 tasks") if total in json.dumps(spec)]
    assert "uppressed" not in json.dumps(plot(small, small, privacy=None).to_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "job_family", "measure": "cost"}, "`measure` must be 'hours' or 'exposure', not 'cost'"),
        ({"by": "job_familly"}, r"`by`: 'job_familly' is not a column .*did you mean 'job_family'"),
        ({"measure": "exposure"}, "measure='exposure' cannot be drawn as a bridge. Pass `by`, like by='job_family'"),
    ],
)
def test_invalid_arguments_raise(sample: tpa.TaskProfiles, arguments: Any, message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.plot_compare(sample, sample, **arguments)
