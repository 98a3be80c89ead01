"""What comes first, who shares work, what could be freed: the charts draw the measures, and say what is missing."""

from __future__ import annotations

import itertools
import json
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.charts.test_all_charts import CANARY, FIGURES, fields, layers, many, rows_of, with_small
from tests.helpers.plots import fragmentation
from tests.helpers.random_profiles import profiles_of
from tpanalytics.formatting import hours, percent
from tpanalytics.measures.overlap import by_likeness

FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0.0, "H4": 0.0}
ASSUMED: dict[str, Any] = {"freed": FREED, "realisation": (0.5, 0.8), "adoption": (0.3, 0.6), "contract_hours": 38.5}


SIX = [(f"t{i}", "H1", 2.0) for i in range(6)]


def job(family: str | None, *tasks: tuple[Any, ...], staff: float | None = 4.0, week: float | None = 40.0) -> Any:
    """Make a job of tasks (id, level, hours)."""
    rows = [
        {"task_id": key, "validation_state": "validated", "weekly_hours": h, "ai_impact_level": level}
        for key, level, h in tasks
    ]
    return {"job_family": family, "headcount": staff, "contract_hours": week, "tasks": rows}


def title(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def drawn(spec: dict[str, Any], mark: str, field: str) -> list[dict[str, Any]]:
    """Give the rows behind all marks of a kind that encode a field."""
    found = [
        rows_of(spec, layer)
        for layer in layers(spec)
        if layer["mark"]["type"] == mark and field in fields(layer["encoding"])
    ]
    return [row for rows in found for row in rows]


def test_the_curves_are_the_measure(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_concentration(sample).to_dict()
    lines = [rows_of(spec, layer) for layer in layers(spec) if layer["mark"]["type"] == "line"]
    curve = tpa.concentration_curve(sample)
    for part, rows in zip(("H1", "all"), lines[1:], strict=True):
        mine = curve.filter(part=part)
        assert [row["k"] for row in rows] == [0, *mine["k"]]
        assert [row["share_of_hours"] for row in rows[1:]] == pytest.approx(mine["share_of_hours"].to_list(), abs=1e-5)
        assert len(rows) < 200
    for part in ("H1", "all"):
        row = curve.filter(part=part).row(-1, named=True)
        for number in ("tasks_for_80", "tasks_with_hours", "tasks_without_hours"):
            assert f"{row[number]:,}" in spec["description"]
            assert f"{row[number]:,}" in json.dumps(spec)
    most = curve.filter(part="H1").row(0, named=True)
    share = percent(most["tasks_for_80"] / most["tasks_with_hours"])
    assert title(tpa.plot_concentration(sample)).startswith(
        f"{most['tasks_for_80']} of {most['tasks_with_hours']} tasks ({share}) hold 80\xa0% of the H1 hours"
    )


def test_thinning_does_not_move_the_curve() -> None:
    rows = [(f"t{i:05d}", "H1", 0.25 + (i * i % 9973) / 500 + (90.0 if i < 3 else 0.0)) for i in range(4000)]
    profiles = profiles_of([job("A", *rows)])
    curve = tpa.concentration_curve(profiles).filter(part="all")
    assert curve.height < 200
    known = sorted((h for _, _, h in rows), reverse=True)
    total = sum(known)
    points = [(0, 0.0), *curve.select("k", "share_of_hours").rows()]
    at, worst = 0, 0.0
    for k, reached in enumerate(itertools.accumulate(known), 1):
        at += points[at + 1][0] < k
        (left, low), (right, high) = points[at], points[at + 1]
        worst = max(worst, abs(low + (high - low) * (k - left) / (right - left) - reached / total))
    assert worst < 0.0002
    assert points[-1][0] == 4000
    assert curve.filter(pl.col("k") == pl.col("tasks_for_80")).height == 1


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job("A", ("a", "H2", 4.0), ("b", "H2", 1.0))], "1 of 2 tasks (50\xa0%) hold 80\xa0% of all described hours"),
        ([job("A", ("a", "H1", 4.0), ("b", "H2", 1.0))], "1 of 1 task (100\xa0%) hold 80\xa0% of the H1 hours"),
        ([job("A", ("a", "H1", None))], "Whether few tasks hold most hours cannot be said: no hours are known"),
        ([job("A", ("a", "H1", 0.0))], "Whether few tasks hold most hours cannot be said: no hours but zero are known"),
        (
            [job("A", ("a", "H1", 2.0), ("b", "H1", None), ("c", "H1", None))],
            "Too little is known to say whether few tasks hold most hours: 33\xa0% of tasks have hours",
        ),
        ([job("A")], "No task is described"),
    ],
)
def test_what_is_missing_leaves_the_headline_of_the_curve_true(jobs: list[Any], said: str) -> None:
    chart = tpa.plot_concentration(profiles_of(jobs), privacy=None)
    assert title(chart).startswith(said)
    assert chart.to_dict()["description"]


def test_candidates_are_the_measures_and_each_number_is_told(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_automation_candidates(sample, rounds=100)
    spec, text = chart.to_dict(), chart.to_dict()["description"]
    found = tpa.automation_candidates(sample, top=15, rounds=100, privacy=tpa.Privacy())
    curve = tpa.automation_curve(sample, top=15, privacy=tpa.Privacy())
    dots = drawn(spec, "point", "h1_hours")
    assert [row["h1_hours"] for row in dots] == found["h1_hours"].to_list()
    assert [row["h1_hours_high"] for row in dots] == found["h1_hours_high"].to_list()
    for row, share in zip(found.iter_rows(named=True), curve["share_cumulative"], strict=True):
        more = row["h1_hours_high"] > row["h1_hours"]
        most = f" to {hours(row['h1_hours_high'])}" if more else ""
        assert f"{row['task']}: {hours(row['h1_hours'])}{most}, {percent(share)}" in text
        families = "1 family" if row["families"] == 1 else f"{row['families']} families"
        assert f"{row['jobs']} jobs in {families}, {percent(row['level_agreement'])} alike" in text
        tie = "=" * (found["rank"].to_list().count(row["rank"]) > 1)
        assert f"rank {row['rank']}{tie} ({row['rank_low']}\u2013{row['rank_high']})" in text
    ten = curve.row(9, named=True)
    assert title(chart) == (
        f"The first 10 candidates serve {ten['jobs_cumulative']} of 240 jobs: "
        f"at least {hours(ten['h1_hours_cumulative'])} a week, {percent(ten['share_cumulative'])} of the H1 hours known"
    )


def test_the_first_tasks_serve_each_job_once() -> None:
    shared = [job("A", ("a", "H1", 5.0), ("b", "H1", 4.0)), job("A", ("a", "H1", 5.0)), job("B", ("c", "H1", 1.0))]
    curve = tpa.automation_curve(profiles_of(shared))
    assert curve.select("k", "jobs", "jobs_cumulative").rows() == [(1, 2, 2), (2, 1, 2), (3, 1, 3)]
    blocks = tpa.automation_curve(profiles_of(shared), block_hours=1)
    assert blocks.select("task_key", "jobs_cumulative").rows() == [("a", 2), ("c", 3)]
    said = title(tpa.plot_automation_candidates(profiles_of(shared), privacy=None))
    assert said == "The first 3 candidates serve 3 of 3 jobs: at least 15\xa0h a week, 100\xa0% of the H1 hours known"


def test_no_rationale_and_no_job_is_among_the_candidates(sample: tpa.TaskProfiles) -> None:
    marked = sample.tasks.with_columns(ai_impact_rationale=pl.lit("CANARY"))
    jobs = sample.jobs.with_columns(job_name=pl.lit("CANARY"))
    text = json.dumps(tpa.plot_automation_candidates(tpa.TaskProfiles(jobs, marked), rounds=0).to_dict())
    assert "CANARY" not in text
    assert not [key for key in (*sample.jobs["job_id"], *sample.tasks["task_id"]) if f'"{key}"' in text]


def test_tasks_that_tell_of_few_are_left_out_with_the_next_smallest_and_counted() -> None:
    usual = [job("A", ("a", "H1", 5.0), ("b", "H1", 4.0), ("c", "H1", 3.0)) for _ in range(4)]
    lone = job("A", ("secret", "H1", CANARY["hours"]), staff=2.0)
    company = profiles_of([*usual, lone])
    spec = tpa.plot_automation_candidates(company, rounds=0).to_dict()
    text = json.dumps(spec)
    assert "secret" not in text
    assert not [figure for figure in FIGURES if figure in text]
    assert "2 tasks are left out because too few jobs or people" in text
    shown = tpa.automation_candidates(company, rounds=0, privacy=tpa.Privacy())
    assert shown.select("rank", "task_key").rows() == [(1, "b"), (2, "c")]
    everything = tpa.automation_candidates(company, rounds=0)
    assert everything.select("rank", "task_key").rows() == [(1, "secret"), (2, "a"), (3, "b"), (4, "c")]
    assert "secret" in json.dumps(tpa.plot_automation_candidates(company, rounds=0, privacy=None).to_dict())


def test_employees_are_people_one_each() -> None:
    company = profiles_of([job("A", ("a", "H1", 5.0), staff=None) for _ in range(4)])
    people = tpa.TaskProfiles(company.jobs, company.tasks, {"source": {"kind": "employees"}})
    assert tpa.automation_candidates(company, rounds=0, privacy=tpa.Privacy()).height == 1
    assert tpa.automation_candidates(people, rounds=0, privacy=tpa.Privacy()).height == 0
    assert title(tpa.plot_automation_candidates(people)) == "No task rated H1 can be named as a candidate"


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job("A", ("a", "H2", 4.0))], "No task is rated H1, highly automatable"),
        ([job("A")], "No task is rated H1, highly automatable"),
        ([job("A", ("a", "H1", None))], "Candidates for automation cannot be weighed: no hours are known at H1"),
        ([job("A", ("a", "H1", 0.0))], "The first candidate serves 1 of 1 job: at least 0\xa0h a week"),
    ],
)
def test_what_is_missing_leaves_the_headline_of_candidates_true(jobs: list[Any], said: str) -> None:
    assert title(tpa.plot_automation_candidates(profiles_of(jobs), privacy=None)) == said


def test_a_task_without_a_most_has_a_dashed_line_and_one_without_hours_a_remark() -> None:
    company = profiles_of([job("A", ("a", "H1", 5.0), ("a", "H1", None), ("b", "H1", None), week=None)])
    spec = tpa.plot_automation_candidates(company, privacy=None).to_dict()
    assert len(drawn(spec, "rule", "end")) == 1
    assert "Dashed without end (1 shown)" in json.dumps(spec)
    assert "no hours known at H1" in json.dumps(spec["datasets"])


def test_how_many_candidates_is_checked(sample: tpa.TaskProfiles) -> None:
    for top in (0, 41, True, "5"):
        with pytest.raises(tpa.SchemaError, match="give a whole number of tasks from 1 to 40"):
            tpa.plot_automation_candidates(sample, top=top, rounds=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["hours", "tasks"])
def test_squares_are_the_measure(sample: tpa.TaskProfiles, by: Any) -> None:
    spec = tpa.plot_overlap(sample, weight=by).to_dict()
    names = next(layer["encoding"]["y"]["axis"]["labelExpr"] for layer in layers(spec) if "y" in layer["encoding"])
    order = [" ".join(lines).rsplit("\u2002", 1)[0] for lines in json.loads(names.removesuffix("[datum.value - 1]"))]
    assert sorted(order) == sorted({*sample.jobs["job_family"].drop_nulls(), "(no family)"})
    assert order[-1] == "(no family)"
    shares = {(order[row["row"] - 1], order[row["col"] - 1]): row["share"] for row in drawn(spec, "rect", "share")}
    overlap = tpa.overlap(sample)
    for row in overlap.iter_rows(named=True):
        pair = (row["family_a"], row["family_b"])
        there = row["jaccard"] if by == "tasks" else row["containment_a_in_b"]
        back = row["jaccard"] if by == "tasks" else row["containment_b_in_a"]
        assert shares[pair] == pytest.approx(there, abs=1e-4)
        assert shares[pair[::-1]] == pytest.approx(back, abs=1e-4)
    assert len(shares) == 2 * overlap.height
    assert percent(max(s for pair, s in shares.items() if "(no family)" not in pair)) in spec["description"]


def test_families_that_are_alike_stand_beside_each_other() -> None:
    alike = {("A", "D"): 0.9, ("B", "D"): 0.6, ("C", "B"): 0.5}
    assert by_likeness("ABCD", alike) == ["A", "D", "B", "C"]
    assert by_likeness("ABCD", {(b, a): share for (a, b), share in alike.items()}) == ["A", "D", "B", "C"]
    assert by_likeness("ABC", {}) == ["A", "B", "C"]
    assert by_likeness("A", {}) == ["A"]
    assert by_likeness("", {}) == []


def test_pairs_that_share_too_little_have_a_sign_and_no_figure() -> None:
    many_tasks = [(f"t{i}", "H1", 2.0) for i in range(8)]
    jobs = [job("A", *many_tasks), job("B", *many_tasks[:6], ("x", "H1", 2.0)), job("C", *many_tasks[:3]), job("D")]
    spec = tpa.plot_overlap(profiles_of(jobs), privacy=None).to_dict()
    signs = [row["sign"] for row in drawn(spec, "text", "sign")]
    assert signs.count("\u25e6") == 4
    assert signs.count("\u2013") == 6
    assert "fewer than 5 tasks shared" in json.dumps(spec)
    assert len(drawn(spec, "rect", "share")) == 2
    assert title(tpa.plot_overlap(profiles_of(jobs), privacy=None)) == (
        "B and A share most: 86\xa0% of the hours of B are in tasks of both; 2 squares are above 50\xa0%"
    )


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job("A", ("a", "H1", 1.0))], "There is one job family, A: none to share its work with"),
        ([job("A", ("a", "H1", 1.0)), job("B", ("b", "H1", 1.0))], "No two job families share a task"),
        ([job("A"), job("B")], "What job families share cannot be said: too little is known of their work"),
        ([job("A", ("a", "H1", 1.0)), job("B", ("a", "H1", 1.0))], "No two job families share enough tasks to be"),
        ([job(f, *SIX, ("x", "H1", None), ("y", "H1", None), ("z", "H1", None)) for f in "AB"], "Too little is known"),
        ([job(f, *SIX) for f in ("A", None)], "Too little is known to say which job families share most"),
        (
            [job(f, *SIX) for f in "ABC"],
            "3 pairs of families share most: 100\xa0% of one's hours are in tasks of the other",
        ),
    ],
)
def test_what_is_missing_leaves_the_headline_of_shared_work_true(jobs: list[Any], said: str) -> None:
    assert title(tpa.plot_overlap(profiles_of(jobs), privacy=None)).startswith(said)


def test_of_many_families_the_largest_are_compared() -> None:
    spec = tpa.plot_overlap(many(64, jobs=1), privacy=None).to_dict()
    assert "The 60 families with most tasks are drawn; 4 more are not." in json.dumps(spec)
    assert len(drawn(spec, "rect", "share")) == 60 * 59


def test_panels_are_the_measure(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_fragmentation(sample, **ASSUMED)
    spec = chart.to_dict()
    found = tpa.fragmentation(sample, **ASSUMED, block_hours=[0.5, *map(float, range(1, 17))])
    ours = sorted(tuple(row.values()) for row in drawn(spec, "area", "low"))
    theirs = found.select("block_hours", "usable_share_low", "usable_share_high").rows()
    assert ours == [pytest.approx(row, abs=1e-4) for row in sorted(theirs)]
    half = found.filter(block_hours=4.0)
    low, high = (half[f"usable_weeks_{end}"].sum() for end in ("low", "high"))
    assert f"hours equal to {low:.1f} to {high:.0f} of " in title(chart)
    for row in half.iter_rows(named=True):
        assert row["job_family"] in spec["description"]
        assert f"of {row['full_time_weeks_low']:.1f}\u2013" in spec["description"]
    text = json.dumps(spec)
    assert "Hours equal to n full-time weeks are not n posts" in text.replace('", "', " ")
    assert "H1 0.4 to 0.7" in text


def test_full_time_weeks_are_those_of_capacity(sample: tpa.TaskProfiles) -> None:
    found = tpa.fragmentation(sample, **ASSUMED, block_hours=[0.001, 4.0])
    capacity = tpa.capacity(sample, **ASSUMED)
    for end in ("low", "high"):
        weeks = capacity[f"full_time_weeks_{end}"].to_list()
        each = found.filter(block_hours=0.001)
        assert each[f"full_time_weeks_{end}"].to_list() == pytest.approx(weeks)
        assert each[f"usable_weeks_{end}"].to_list() == pytest.approx(weeks)  # a block of nothing: all is usable
    without = {name: given for name, given in ASSUMED.items() if name != "adoption"}
    assert not [name for name in tpa.fragmentation(sample, **without).columns if "weeks" in name]


def test_assumptions_have_no_default(sample: tpa.TaskProfiles) -> None:
    for name in ASSUMED:
        with pytest.raises(TypeError, match=name):
            tpa.plot_fragmentation(sample, **{n: given for n, given in ASSUMED.items() if n != name})


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job("A", ("a", "H3", 4.0))], "Nothing is freed under these assumptions"),
        ([job("A", ("a", "H1", None))], "In what blocks time is freed cannot be said: no task has hours above 0"),
        ([job("A")], "In what blocks time is freed cannot be said: there are no tasks"),
        (
            [job("A", ("a", "H1", 4.0), staff=None)],
            "In what blocks time is freed cannot be said: no job has a headcount",
        ),
        ([job("A", ("a", "H1", 40.0), staff=9.0)], "At half a day (4\xa0h), hours equal to 0.6 to 3.0 of 0.6 to 3.0"),
        (
            [job("A", ("a", "H1", 4.0), ("b", None, 4.0))],
            "Too little is known to say in what blocks time is freed: 50\xa0% of tasks have hours, level and staff",
        ),
    ],
)
def test_what_is_missing_leaves_the_headline_of_blocks_true(jobs: list[Any], said: str) -> None:
    assert title(fragmentation(profiles_of(jobs), privacy=None)).startswith(said)


def test_of_many_families_the_largest_have_panels() -> None:
    company = many(25)
    spec = fragmentation(company).to_dict()
    assert len(spec["concat"][0]["concat"]) == 12
    assert "The 12 families with most usable hours are drawn; 13 more are not." in json.dumps(spec)
    assert len(fragmentation(many(24)).to_dict()["concat"][0]["concat"]) == 24


@pytest.mark.parametrize("plot", [tpa.plot_overlap, fragmentation])
def test_hidden_families_keep_their_place_and_tell_nothing(plot: Any) -> None:
    spec = plot(with_small("Tiny", "Small", "Little")).to_dict()
    text = json.dumps(spec, ensure_ascii=False)
    assert "3 of 5 job families are suppressed: fewer than 3 jobs or 5 people" in text
    assert "Hidden, to protect small groups of jobs or people: Little, Small and Tiny." in spec["description"]
    assert not [figure for figure in FIGURES if figure in text]
    assert text.index("Little") < text.index("Small") < text.index("Tiny")
    assert "77.2" not in text
    shown = json.dumps(plot(with_small("Tiny", "Small", "Little"), privacy=None).to_dict())
    assert "hidden" not in shown


@pytest.mark.parametrize("plot", [tpa.plot_concentration, tpa.plot_overlap, fragmentation])
def test_where_everything_is_hidden_no_total_tells_it(plot: Any) -> None:
    spec = plot(with_small("Tiny", "Small", jobs=0)).to_dict()
    assert spec["title"]["text"] == ["Every job family is hidden: its figures tell of too few jobs or people"]
    text = json.dumps(spec)
    assert not [said for said in (*FIGURES, '"H3"', "% of", "a level", "2 jobs", "2 tasks") if said in text]
