"""The charts of what is known: data quality by family, and the sheet of one job."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

import tpanalytics as tpa
from tests.charts.test_all_charts import family_of, layers, rows_of
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.frame import hours_column
from tpanalytics.formatting import NONE, covered, hours

FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0, "H4": 0}


def title_of(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def test_the_matrix_is_the_measure(company: tpa.TaskProfiles) -> None:
    spec = tpa.plot_coverage(company).to_dict()
    coverage = tpa.coverage(company)
    cells = {
        (row["job_family"], row["what"]): (row["known"] - row["from"]) / (row["to"] - row["from"])
        for rows in spec["datasets"].values()
        for row in rows
        if "what" in row
    }
    names = {
        "hours_coverage": "hours",
        "level_coverage": "level",
        "validated_share": "validated",
        "both_coverage": "hours and level",
    }
    for column, name in names.items():
        for family, share in coverage.filter(pl.col(column).is_not_null()).select("job_family", column).rows():
            assert cells[family, name] == pytest.approx(share)
            assert covered(share) in spec["description"]
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    both = dict(coverage.select("job_family", "both_coverage").rows())
    assert order == sorted(both, key=lambda f: (both[f] is None, round(both[f] or 0, 9), f))
    verdicts = {
        row["job_family"]: row["verdict"] for rows in spec["datasets"].values() for row in rows if "verdict" in row
    }
    words = {"A": "safe to quote", "B": "quote with its gaps", "C": "not to quote alone", None: "\u2013"}
    assert verdicts == {family: words[grade] for family, grade in coverage.select("job_family", "data_grade").rows()}
    bare = {row["job_family"]: row["bare"] for rows in spec["datasets"].values() for row in rows if "bare" in row}
    counts = coverage.select("job_family", pl.format("{} of {}", "jobs_without_tasks", "jobs")).rows()
    assert bare == dict(counts)


def test_the_share_with_a_source_is_what_the_report_says(sample: tpa.TaskProfiles) -> None:
    source = pl.col("source_data")
    gaps = sample.tasks.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit([], dtype=source_dtype(sample))).otherwise(source)
        .alias("source_data")
    )  # fmt: skip
    profiles = tpa.TaskProfiles(sample.jobs, gaps, sample.manifest)
    report = tpa.quality_report(profiles).filter(check="evidence_missing").item(0, "value")
    assert f"{covered(1 - report)} a source" in tpa.plot_coverage(profiles).to_dict()["description"]


def source_dtype(profiles: tpa.TaskProfiles) -> Any:
    return profiles.tasks.schema["source_data"]


def test_what_was_not_requested_is_no_zero(sample: tpa.TaskProfiles) -> None:
    tasks = sample.tasks.with_columns(
        pl.lit(None, dtype=pl.Float64).alias("weekly_hours"),
        pl.lit(None, dtype=source_dtype(sample)).alias("source_data"),
    )
    asked = {**sample.manifest, "request": {"include": ["ai_impact"]}}
    spec = tpa.plot_coverage(tpa.TaskProfiles(sample.jobs, tasks, asked)).to_dict()
    heads = [layer["mark"]["text"] for layer in layers(spec) if isinstance(layer["mark"].get("text"), list)]
    assert ["hours", "(not requested)"] in heads
    assert ["source", "(not requested)"] in heads
    drawn = {row["what"] for rows in spec["datasets"].values() for row in rows if "what" in row}
    assert drawn == {"level", "validated"}
    assert spec["title"]["text"] == ["No figure that needs hours can be quoted: not requested when loading"]
    assert "Not asked for when loading, so not known, and not 0%: hours and source." in json.dumps(spec)
    unsaid = tpa.plot_coverage(tpa.TaskProfiles(sample.jobs, tasks, {})).to_dict()
    assert '"(no task has", "hours)"' in json.dumps(unsaid)


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([family_of("A", ("H1", 2.0))], "A: 100\xa0% of tasks have hours and a level, safe to quote"),
        ([family_of(None, ("H1", 2.0))], "Hours and a level are known for 100\xa0% of tasks: safe to quote"),
        ([family_of("A")], "No task is described"),
        (
            [family_of("A", ("H1", None)), family_of("B", ("H1", None))],
            "Too little is known of every family to quote its figures alone",
        ),
        (
            [family_of("A", ("H1", None)), family_of("B", ("H1", 1.0))],
            "Too little is known of A to quote its figures alone",
        ),
        (
            [*[family_of(f, ("H1", None)) for f in "ABCD"], family_of("E", ("H1", 1.0))],
            "Too little is known of 4 of 5 families to quote their figures alone, least of A: 0\xa0% of tasks have",
        ),
        (
            [family_of("A", ("H1", 1.0)), family_of("B", ("H1", 1.0)), family_of("C")],
            "Figures of all 2 families that are described are safe to quote",
        ),
        (
            [family_of("A", ("H1", 1.0)), family_of("B", *[("H1", 1.0)] * 3, ("H1", None))],
            "Figures of 1 of 2 families are safe to quote, those of the others with their gaps",
        ),
        (
            [family_of(f, *[("H1", 1.0)] * 3, ("H1", None)) for f in "AB"],
            "Figures of all 2 families are to be quoted with their gaps",
        ),
    ],
)
def test_the_headline_of_quality_is_true(jobs: list[dict[str, Any]], said: str) -> None:
    assert title_of(tpa.plot_coverage(profiles_of(jobs), privacy=None)).startswith(said)


def test_a_sheet_draws_every_hour_and_lists_every_task(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_job(sample, "job-0002").to_dict()
    own = sample.tasks.filter(pl.col("job_id") == "job-0002", pl.col("validation_state") != "rejected")
    blocks = next(rows for rows in spec["datasets"].values() if rows and {"start", "end", "task"} <= set(rows[0]))
    timed = own.filter(pl.col("weekly_hours") > 0)
    assert sorted((b["task"], b["end"] - b["start"]) for b in blocks) == sorted(
        timed.select("task", "weekly_hours").rows()
    )
    assert [b["level"] for b in blocks] == sorted(b["level"] for b in blocks)
    listed = [row["task"].replace("\n", " ") for rows in spec["datasets"].values() for row in rows if "task" in row]
    assert set(listed) == set(own["task"])
    assert spec["description"].count("hours not known") == own["weekly_hours"].null_count()
    known, week = own["weekly_hours"].sum(), 38.5
    assert (
        f"{hours(known)} described of a contract week of 38.5\xa0h, {hours(week - known)} not described"
        in json.dumps(spec, ensure_ascii=False)
    )
    rest = next(rows for rows in spec["datasets"].values() if rows and set(rows[0]) == {"start", "end", "paint"})
    assert [(row["start"], row["end"]) for row in rest] == [(known, week)]


def test_a_sheet_says_what_a_scenario_leaves(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_job(sample, "job-0002", freed=FREED).to_dict()
    own = sample.tasks.filter(
        pl.col("job_id") == "job-0002",
        pl.col("validation_state") != "rejected",
        pl.col("ai_impact_level").is_not_null(),
    )
    by = dict(own.group_by("ai_impact_level").agg(pl.col("weekly_hours").sum()).rows())
    low, high = by["H1"] * 0.4 + by["H2"] * 0.2, by["H1"] * 0.7 + by["H2"] * 0.2
    said = f"Under the scenario {low:.1f} to {hours(high)} of {hours(sum(by.values()))} with a level would be freed"
    assert said in spec["description"]
    assert "Assumed, not measured: share of task time freed H1 0.4 to 0.7" in spec["description"]
    assert "not a headcount reduction" in spec["description"]
    assert "scenario" not in tpa.plot_job(sample, "job-0002").to_dict()["description"]
    with pytest.raises(tpa.SchemaError, match="`freed` has no share for 'H2'"):
        tpa.plot_job(sample, "job-0002", freed={"H1": 0.5})


def test_rationales_are_quoted_only_when_asked(sample: tpa.TaskProfiles) -> None:
    marked = sample.tasks.with_columns(ai_impact_rationale=pl.format("CANARY-{}", pl.int_range(pl.len())))
    profiles = tpa.TaskProfiles(sample.jobs, marked, sample.manifest)
    assert "CANARY" not in json.dumps(tpa.plot_job(profiles, "job-0002").to_dict())
    spec = tpa.plot_job(profiles, "job-0002", rationales=True).to_dict()
    longest = (
        marked.filter(pl.col("job_id") == "job-0002", pl.col("validation_state") != "rejected")
        .sort(pl.col("weekly_hours"), "task", descending=[True, False], nulls_last=True)
        .head(3)
    )
    quoted = {word.strip(".,") for word in spec["description"].split() if "CANARY" in word}
    assert quoted == set(longest["ai_impact_rationale"])


def test_a_sheet_holds_no_other_job_but_as_a_mark(sample: tpa.TaskProfiles) -> None:
    jobs = sample.jobs.with_columns(
        job_name=pl.when(pl.col("job_id") == "job-0002").then("job_name").otherwise(pl.lit("CANARY-JOB"))
    )
    text = json.dumps(tpa.plot_job(tpa.TaskProfiles(jobs, sample.tasks), "job-0002").to_dict())
    assert "CANARY-JOB" not in text
    assert not [job_id for job_id in jobs["job_id"] if job_id in text]
    exposure = tpa.exposure_by_job(sample).filter(job_family="Sales").drop_nulls("exposure")
    strips = [rows for rows in json.loads(text)["datasets"].values() if rows and set(rows[0]) == {"exposure"}]
    assert sorted(row["exposure"] for rows in strips for row in rows) == sorted(exposure["exposure"].round(3))


def test_no_such_job_gives_near_names(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.SchemaError, match=r"job_id='job-0002x': there is no such job; did you mean job-0002"):
        tpa.plot_job(sample, "job-0002x")
    with pytest.raises(tpa.SchemaError, match=r"did you mean job-0002 \(Quotation Specialist\)"):
        tpa.plot_job(sample, "Quotation Specialist")
    with pytest.raises(tpa.SchemaError, match="there are 240, like job-"):
        tpa.plot_job(sample, "\u4e0d\u5728")


def test_a_job_of_few_people_is_personal_data() -> None:
    few = profiles_of([family_of("A", ("H1", 2.0), headcount=1.0)] * 5)
    with pytest.raises(tpa.SchemaError, match=r"fewer than 5 people .* personal data\. Pass privacy=None"):
        tpa.plot_job(few, "j000")
    assert "100\xa0% of 2\xa0h" in title_of(tpa.plot_job(few, "j000", privacy=None))
    assert title_of(tpa.plot_job(few, "j000", privacy=tpa.Privacy(min_headcount=1)))
    unknown = profiles_of([family_of("A", ("H1", 2.0), headcount=None)] * 5)
    assert title_of(tpa.plot_job(unknown, "j000"))
    persons = tpa.TaskProfiles(unknown.jobs, unknown.tasks, {"source": {"kind": "employees"}})
    with pytest.raises(tpa.SchemaError, match="personal data"):
        tpa.plot_job(persons, "j000")


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "no task is described"),
        ([("H1", None)], "1 task, of none of which hours are known"),
        ([("H1", 2.0), ("H1", None)], "too little is known to say how much of the week is highly automatable"),
        ([("H2", 2.0)], "0\xa0% (0\xa0% to 95\xa0%) of 2\xa0h a week described are highly automatable"),
        ([("H1", 50.0)], "100\xa0% of 50\xa0h a week described are highly automatable"),
    ],
)
def test_the_headline_of_a_sheet_is_true(tasks: list[Any], said: str) -> None:
    profiles = profiles_of([family_of("A", *tasks, headcount=9.0)] * 3)
    chart = tpa.plot_job(profiles, "j000", freed=FREED)
    assert title_of(chart).startswith("j000: ")
    if not said.startswith("0"):
        assert said in title_of(chart)
    else:
        assert "of 2\xa0h a week described are highly automatable" in title_of(chart)
    if tasks == [("H1", 50.0)]:
        assert "10\xa0h more than that" in chart.to_dict()["description"]


def test_peers_of_a_hidden_family_are_not_drawn() -> None:
    profiles = profiles_of([family_of("A", ("H1", 2.0), headcount=9.0)] * 2)
    text = json.dumps(tpa.plot_job(profiles, "j000").to_dict())
    assert "The other jobs of A are hidden" in text
    assert '"exposure"' not in text
    alone = profiles_of([family_of(None, ("H1", 2.0), headcount=9.0)] * 4)
    assert "has no family" in json.dumps(tpa.plot_job(alone, "j000").to_dict())


def test_a_long_list_says_what_it_leaves_out() -> None:
    profiles = profiles_of([family_of("A", *[("H1", 0.5)] * 60, headcount=9.0)])
    spec = tpa.plot_job(profiles, "j000").to_dict()
    listed = [row for rows in spec["datasets"].values() for row in rows if "task" in row and "start" not in row]
    assert len(listed) == 40
    assert "and 20 more tasks with 10\xa0h" in json.dumps(spec, ensure_ascii=False)
    assert rows_of(spec, next(layer for layer in layers(spec) if layer["mark"]["type"] == "rect"))


@given(st.lists(st.none() | st.floats(0, 5000), max_size=12))
def test_hours_of_a_column_stand_below_each_other_and_a_little_is_not_none(amounts: list[float | None]) -> None:
    said = hours_column(pl.Series(amounts, dtype=pl.Float64)).to_list()
    places = {len(text.removesuffix("\u00a0h").partition(".")[2]) for text in said if text != NONE}
    assert len(places) <= 1
    for amount, text in zip(amounts, said, strict=True):
        assert (text == NONE) == (amount is None)
        if amount is not None:
            printed = float(text.removesuffix("\u00a0h").replace(",", ""))
            assert abs(printed - amount) <= 0.5 + 1e-9
            assert (printed == 0) == (round(amount, 1) == 0)


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        (
            [family_of("A", ("H1", None)), family_of("B", ("H1", None))],
            "The hours of jobs are not known: no task has any",
        ),
        ([family_of("A"), family_of("B")], "No task is described"),
        ([family_of("A", ("H1", 2.0)), family_of("B", ("H1", 3.0))], "Too few jobs are known to compare the hours"),
        (
            [family_of("A", ("H1", 2.0), ("H1", None)), family_of("B", ("H1", 3.0), ("H1", None))],
            "Too little is known to compare the hours",
        ),
    ],
)
def test_the_headline_of_hours_says_why_nothing_is_compared(jobs: list[Any], said: str) -> None:
    chart = tpa.plot_hours(profiles_of(jobs), privacy=None).to_dict()
    assert " ".join(chart["title"]["text"]).startswith(said)
    rows = [row for rows in chart["datasets"].values() for row in rows if "missing" in row]
    timed = any(task["weekly_hours"] for one in jobs for task in one["tasks"])
    assert len(rows) == (0 if timed else len(jobs))
