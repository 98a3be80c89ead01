"""Charts of two snapshots and of one job draw what the measures say, and nothing of whom they must not tell."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import vl_convert

import tpanalytics as tpa
from tests.charts.test_all_charts import NAMES, family_of, layers, rows_of, with_small
from tests.helpers.plots import half_a_year_later
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable


def by_family(before: tpa.TaskProfiles, after: tpa.TaskProfiles, **how: Any) -> Any:
    return tpa.plot_compare(before, after, by="job_family", **how)


PAIRS: list[Callable[..., Any]] = [by_family, tpa.plot_compare, tpa.plot_transitions]


@pytest.fixture(scope="module")
def later() -> tpa.TaskProfiles:
    """Give the invented company half a year later."""
    return tpa.load_sample("2026-11")


def rows_with(spec: dict[str, Any], *fields: str) -> list[dict[str, Any]]:
    """Give the rows of the first dataset that has these fields."""
    return next(rows for rows in spec["datasets"].values() if rows and set(fields) <= set(rows[0]))


def title_of(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


@pytest.mark.parametrize("value", ["hours", "exposure"])
def test_arrows_are_the_measure(sample: tpa.TaskProfiles, later: tpa.TaskProfiles, value: Any) -> None:
    spec = tpa.plot_compare(sample, later, by="job_family", measure=value).to_dict()
    if value == "hours":
        measured = tpa.compare(sample, later).select("scope", "job_family", was="before", now="after")
    else:
        measured = tpa.compare_exposure(sample, later).select(
            "scope", "job_family", was="exposure_before", now="exposure_after"
        )
    expected = {row[1]: row[2:] for row in measured.filter(scope="family").rows()}
    drawn = rows_with(spec, "was", "now")
    assert {row["job_family"]: (row["was"], row["now"]) for row in drawn} == expected
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    assert order == sorted(expected, key=lambda f: (-round(expected[f][1] - expected[f][0], 9), f))
    for family, (was, now) in expected.items():
        write = hours if value == "hours" else "{:.2f}".format
        assert f"{family} from {write(was)} to {write(now)}" in spec["description"]


def test_an_arrow_says_measurement_where_coverage_moved(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    spec = tpa.plot_compare(sample, later, by="job_family").to_dict()
    said = {row["job_family"]: row["shows"] for row in rows_with(spec, "job_family", "shows")}
    for family, was, now in (
        tpa.compare(sample, later)
        .filter(scope="family")
        .select("job_family", "coverage_before", "coverage_after")
        .rows()
    ):
        assert said[family] == ("measurement" if abs(now - was) > 0.05 else "work")
    assert set(said.values()) == {"measurement", "work"}
    assert "Where about as much is known as before, H1 hours rose in Supply Chain" in title_of(
        tpa.plot_compare(sample, later, by="job_family")
    )


def three(name: str, *tasks: tuple[str | None, float | None], **job: Any) -> list[dict[str, Any]]:
    return [family_of(name, *tasks, **{"headcount": 4.0, **job})] * 3


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([("H1", 2.0)], [("H1", 4.0)], "H1 hours rose in A: from 6\xa0h to 12\xa0h (+100\xa0%)"),
        ([("H1", 4.0)], [("H1", 1.0)], "H1 hours fell in A: from 12\xa0h to 3\xa0h (\u221275\xa0%)"),
        ([("H1", 4.0)], [("H1", 4.0)], "No family has other H1 hours than before"),
        ([("H2", 4.0)], [("H1", 4.0)], "H1 hours rose in A: from 0\xa0h to 12\xa0h"),
        ([("H1", None)], [("H1", 4.0)], "No family has H1 hours that are known both before and after"),
        (
            [("H1", 4.0), ("H1", None), ("H2", None)],
            [("H1", 4.0), ("H1", None), ("H2", None)],
            "Too little is known to say how the H1 hours of job families changed",
        ),
        ([("H1", 4.0)] * 9 + [("H1", None)], [("H1", 4.0)] * 10, "In every family what is known moved by more than 5"),
        ([], [], "No task is described, before or after"),
    ],
)
def test_the_headline_of_a_change_is_true(before: list[Any], after: list[Any], said: str) -> None:
    chart = tpa.plot_compare(profiles_of(three("A", *before)), profiles_of(three("A", *after)), by="job_family")
    assert title_of(chart).startswith(said)
    assert "nan" not in json.dumps(chart.to_dict()).lower().replace("finance", "")


def test_ties_are_said() -> None:
    before = profiles_of([*three("A", ("H1", 2.0)), *three("B", ("H1", 5.0)), *three("C", ("H1", 5.0))])
    after = profiles_of([*three("A", ("H1", 4.0)), *three("B", ("H1", 7.0)), *three("C", ("H1", 5.0))])
    assert title_of(tpa.plot_compare(before, after, by="job_family")) == "H1 hours rose most in A and B: +6\xa0h each"


def test_a_family_without_a_figure_on_one_side_says_why() -> None:
    before = profiles_of([*three("A", ("H1", 2.0)), *three("B", ("H1", None))])
    after = profiles_of([*three("A", ("H1", 3.0)), *three("B", ("H1", 5.0))])
    spec = tpa.plot_compare(before, after, by="job_family").to_dict()
    assert "before \u2013, after 15\xa0h: no hours are known, or all are zero" in json.dumps(spec, ensure_ascii=False)
    assert "No figure can be shown for B." in spec["description"]


def test_what_either_snapshot_must_hide_is_hidden() -> None:
    few = profiles_of([*three("A", ("H1", 2.0)), *three("B", ("H1", 2.0)), family_of("C", ("H1", 77.25))])
    many = profiles_of([*three("A", ("H1", 3.0)), *three("B", ("H1", 3.0)), *three("C", ("H1", 77.25))])
    for before, after in ((few, many), (many, few)):
        spec = tpa.plot_compare(before, after, by="job_family").to_dict()
        assert "A and C." in spec["description"]
        assert "77" not in json.dumps(spec)


def test_the_bridge_adds_up_to_what_is_drawn(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    spec = tpa.plot_compare(sample, later).to_dict()
    whole = tpa.compare(sample, later).filter(scope="all").row(0, named=True)
    bars = rows_with(spec, "start", "end", "kind")
    assert [bar["end"] - bar["start"] for bar in bars] == pytest.approx([whole[term] for term in TERMS])
    assert bars[0]["start"] == whole["before"]
    assert math.isclose(bars[-1]["end"], whole["after"])
    assert all(one["end"] == other["start"] for one, other in itertools.pairwise(bars))
    assert bars[-1]["kind"] == "measured"
    hatching = next(layer for layer in layers(spec) if layer["mark"].get("shape"))
    assert {row["term"] for row in rows_of(spec, hatching)} == {"Newly measured"}
    for row in rows_with(spec, "term", "figure", "most"):
        assert f"{row['term']} {row['figure']}" in spec["description"]
    assert "80\xa0% of tasks before and 90\xa0% after" in spec["description"]


def test_hours_known_no_more_are_not_called_new(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    spec = tpa.plot_compare(later, sample).to_dict()
    assert "no longer measured" in " ".join(spec["title"]["text"])
    assert "No longer measured" in {row["term"] for row in rows_with(spec, "term")}


@pytest.mark.parametrize("plot", PAIRS)
def test_a_chart_says_what_makes_a_change_seem_one(plot: Any) -> None:
    may, november = tpa.load_sample("2026-05"), tpa.load_sample("2026-11")
    only, order = "Only validated tasks are counted", "The later snapshot is older"
    for given, states, said in (
        ((may, november), ["validated", "suggested"], set()),
        ((may, november), ["validated"], {only}),
        ((november, may), ["validated", "suggested"], {order}),
    ):
        drawn = json.dumps(plot(*given, states=states).to_dict())
        assert {text for text in (only, order) if text in drawn} == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([("H1", 2.0)], [("H1", 4.0)], "Hours at H1 rose from 6\xa0h to 12\xa0h a week: +6\xa0h, all of it by changes"),
        ([("H1", 4.0)], [("H1", 4.0)], "The hours at H1 are what they were: 12\xa0h a week"),
        ([("H1", None)], [("H1", 4.0)], "How the hours at H1 changed cannot be shown: before, no task has hours and"),
        ([("H1", 4.0)], [("H1", None)], "How the hours at H1 changed cannot be shown: after, no task has hours and"),
        ([("H1", 4.0), (None, None)], [("H1", 4.0)], "Too little is known to say how the hours at H1 changed"),
        ([], [], "No task is described, before or after"),
    ],
)
def test_the_headline_of_a_bridge_is_true(before: list[Any], after: list[Any], said: str) -> None:
    chart = tpa.plot_compare(profiles_of(three("A", *before)), profiles_of(three("A", *after)))
    assert title_of(chart).startswith(said)


def test_a_total_that_is_not_known_is_no_zero() -> None:
    spec = tpa.plot_compare(profiles_of(three("A", ("H1", None))), profiles_of(three("A", ("H1", 4.0)))).to_dict()
    assert {row["term"]: row["figure"] for row in rows_with(spec, "term", "figure", "most")}["Before"] == "not known"
    ticks = next(layer for layer in layers(spec) if layer["mark"]["type"] == "tick")
    assert [row["term"] for row in rows_of(spec, ticks)] == ["After"]


@pytest.mark.parametrize("by", ["tasks", "hours"])
def test_the_table_of_moves_is_the_measure(sample: tpa.TaskProfiles, later: tpa.TaskProfiles, by: Any) -> None:
    spec = tpa.plot_transitions(sample, later, weight=by).to_dict()
    drawn = {}
    for layer in layers(spec):
        for row in rows_of(spec, layer):
            if {"before", "after", "figure"} <= set(row):
                drawn[row["before"][:2], row["after"]] = row["figure"]
    moves = tpa.transitions(sample, later).filter(pl.col("move").is_in(["stayed", "relevelled"]))
    for start, end, n, amount in moves.select("level_before", "level_after", "tasks", "hours_before").rows():
        assert drawn[start[:2], end] == (f"{n:,}" if by == "tasks" else hours(amount))
    assert drawn["H1", "H3"] == "0"
    ribbons = {}
    for layer in layers(spec):
        if layer["mark"]["type"] == "area":
            for row in rows_of(spec, layer):
                if row["x"] == 0:
                    ribbons[row["n"]] = row["end"] - row["top"]
    figures = tpa.transitions(sample, later).select(
        pl.col("tasks").cast(pl.Float64) if by == "tasks" else pl.coalesce("hours_before", "hours_after")
    )
    total, amounts = figures.to_series().sum(), sorted(figures.to_series())
    unit = sum(ribbons.values()) / total
    assert sorted(ribbons.values()) == pytest.approx([amount * unit for amount in amounts], abs=0.11)


def test_the_largest_moves_are_named(sample: tpa.TaskProfiles, later: tpa.TaskProfiles) -> None:
    chart = tpa.plot_transitions(sample, later)
    assert title_of(chart) == (
        "219 of 4,810 tasks (5\xa0%) were rated otherwise; the largest move is from H2 to H1 (113)"
    )
    assert {row["label"] for row in rows_with(chart.to_dict(), "label")} == {"H2 to H1: 113", "H3 to H2: 106"}
    assert "The largest moves: H2 to H1 (113) and H3 to H2 (106)." in chart.to_dict()["description"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            [("H2", 2.0)],
            [("H1", 4.0)],
            "3 of 3 tasks (100\xa0%) were rated otherwise; the largest move is from H2 to H1",
        ),
        ([("H2", 2.0)], [("H2", 4.0)], "No task was rated otherwise than before"),
        ([(None, 2.0)], [("H2", 4.0)], "Too little is known to say how tasks were rated otherwise"),
        ([("H2", 2.0)], [], "No task is in both snapshots"),
        ([], [], "No task is described, before or after"),
    ],
)
@pytest.mark.parametrize("by", ["tasks", "hours"])
def test_the_headline_of_moves_is_true(before: list[Any], after: list[Any], said: str, by: Any) -> None:
    chart = tpa.plot_transitions(profiles_of(three("A", *before)), profiles_of(three("A", *after)), weight=by)
    if by == "hours":
        said = said.replace("3 of 3 tasks", "6 of 6 described hours a week")
    assert title_of(chart).startswith(said)


def test_a_move_of_few_jobs_is_hidden_and_so_is_what_would_tell_it() -> None:
    stay = three("A", ("H1", 2.0), ("H2", 2.0), ("H3", 2.0)) * 2
    moved = [family_of("A", ("H1", 2.0), ("H1", 2.0), ("H3", 2.0), headcount=4.0), *stay[1:]]
    spec = tpa.plot_transitions(profiles_of(stay), profiles_of(moved)).to_dict()
    figures = {
        (row["before"][:2], row["after"]): row["figure"]
        for layer in layers(spec)
        for row in rows_of(spec, layer)
        if {"before", "after", "figure"} <= set(row)
    }
    assert figures["H2", "H1"] == "\u00b7"
    assert figures["H2", "all"] == "\u2013"
    assert "hidden (\u00b7): fewer than 3 jobs" in json.dumps(spec, ensure_ascii=False)
    assert figures["H3", "H3"] == "6"
    assert spec["title"]["text"] == ["No task that may be shown was rated otherwise than before"]
    open_ = tpa.plot_transitions(profiles_of(stay), profiles_of(moved), privacy=None)
    assert title_of(open_).startswith("1 of 18 tasks (6\xa0%) were rated otherwise; the largest move is from H2 to H1")


def test_no_name_of_a_level_breaks_the_table_or_the_ribbons(capfd: pytest.CaptureFixture[str]) -> None:
    for odd in (NAMES[:4], NAMES):  # few enough for ribbons, and more
        tasks = [(level, 2.0) for level in ("H1", *odd)]
        moved = [(level, 2.0) for level in (odd[0], *odd)]
        pair = profiles_of(three("A", *tasks)), profiles_of(three("A", *moved))
        picture = vl_convert.vegalite_to_svg(tpa.plot_transitions(*pair, privacy=None).to_dict())
        assert "constructor" in picture
        assert "toString" in picture
        assert (": 3</text>" in picture) == (len(odd) == 4)
    assert "ERROR" not in capfd.readouterr().err


@pytest.mark.parametrize("plot", PAIRS)
def test_both_snapshots_are_named_and_neither_is_told_where_all_is_hidden(plot: Callable[..., Any]) -> None:
    text = json.dumps(plot(tpa.load_sample(), tpa.load_sample("2026-11")).to_dict())
    assert "Before: the sample, an invented company, as of 2026-05." in text
    assert "After: the sample, an invented company, as of 2026-11." in text
    tiny = with_small("Tiny", "Small", jobs=0)
    spec = plot(tiny, half_a_year_later(tiny)).to_dict()
    assert spec["title"]["text"] == ["Every job family is hidden: its figures tell of too few jobs or people"]
    assert not [said for said in ("77.2", "154", "% of", "2 jobs", "2 tasks") if said in json.dumps(spec)]
    assert "hidden" not in json.dumps(plot(tiny, tiny, privacy=None).to_dict())


def test_where_every_move_is_hidden_none_is_told() -> None:
    stay = three("A", ("H1", 2.0), ("H2", 2.0)) * 2
    moved = [family_of("A", ("H1", 2.0), ("H1", 2.0), headcount=4.0), *stay[1:]]
    spec = tpa.plot_transitions(profiles_of(stay), profiles_of(moved)).to_dict()
    assert spec["title"]["text"] == ["Every move is hidden: it would tell of too few jobs"]
    assert "H2" not in json.dumps(spec)


def test_what_is_not_offered_is_refused(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match="`measure` must be 'hours' or 'exposure', not 'cost'"):
        tpa.plot_compare(sample, sample, by="job_family", measure="cost")  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="by='job': choose None or 'job_family'"):
        tpa.plot_compare(sample, sample, by="job")  # type: ignore[arg-type]
    with pytest.raises(tpa.SchemaError, match="measure='exposure' has no bridge: pass by='job_family'"):
        tpa.plot_compare(sample, sample, measure="exposure")
    with pytest.raises(tpa.SchemaError, match="`weight` must be 'tasks' or 'hours', not 'cost'"):
        tpa.plot_transitions(sample, sample, weight="cost")  # type: ignore[arg-type]
