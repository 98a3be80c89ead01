"""The charts that somebody looks around with: the jobs of a family, and the tasks that hold some words."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.charts.test_all_charts import family_of, layers, rows_of
from tests.helpers.companies import many
from tests.helpers.random_profiles import profiles_of
from tpanalytics.charts._core.render import png
from tpanalytics.formatting import hours, percent
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.find_tasks import found_by_family
from tpanalytics.measures.privacy.policy import Privacy


def title_of(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def marks(spec: dict[str, Any], kind: str) -> list[list[dict[str, Any]]]:
    return [rows_of(spec, layer) for layer in layers(spec) if layer["mark"]["type"] == kind and "data" in layer]


def texts(spec: dict[str, Any]) -> str:
    return json.dumps(spec, ensure_ascii=False)


# --- the tasks that hold some words


@pytest.mark.parametrize("text", ["customer", "Customer ORDER", "e"])
def test_bars_are_the_tasks_that_are_found(company: tpa.TaskProfiles, text: str) -> None:
    spec = tpa.plot_find_tasks(company, text).to_dict()
    found = tpa.find_tasks(company, text)
    counted = dict(tpa.impact(company).group_by("job_family").agg(pl.col("tasks").sum()).rows())
    bars = marks(spec, "bar")[0]
    assert {row["job_family"] for row in bars} == set(found["job_family"])
    for family in found["job_family"].unique():
        own = found.filter(job_family=family)
        parts = {row["part"]: row for row in bars if row["job_family"] == family}
        assert sum(part["tasks"] for part in parts.values()) == own.height
        assert parts.get("hours not known", {"tasks": 0})["tasks"] == own["weekly_hours"].null_count()
        ends = [(row["start"], row["end"]) for row in bars if row["job_family"] == family]
        assert ends[0][0] == 0
        assert all(one[1] == pytest.approx(two[0]) for one, two in itertools.pairwise(ends))
        assert ends[-1][1] == pytest.approx(own.height / counted[family])
        known = own["weekly_hours"].drop_nulls()
        amount = hours(float(known.sum())) if known.len() else "hours not known"
        said = f"{family} {own.height:,} tasks, {percent(own.height / counted[family])}, {amount}"
        assert said in spec["description"]
    beside = {r["job_family"]: r["seen"] for rows in marks(spec, "text") for r in rows if "seen" in r}
    assert beside == {f: f"{found.filter(job_family=f).height:,} of {n:,}" for f, n in counted.items()}
    order = next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))
    shares = {family: found.filter(job_family=family).height / n if n else -1 for family, n in counted.items()}
    assert [round(shares[f], 9) for f in order] == sorted((round(s, 9) for s in shares.values()), reverse=True)


def test_no_text_of_a_task_is_in_the_chart_whatever_is_found(sample: tpa.TaskProfiles) -> None:
    marked = replace(sample, tasks=sample.tasks.with_columns(task=pl.format("CANARY {}", "task")))
    spec = tpa.plot_find_tasks(marked, "customer").to_dict()
    assert "CANARY" not in texts(spec)
    assert marks(spec, "bar")[0]
    ids = {*sample.tasks["task_id"].unique(), *sample.jobs["job_id"]}
    assert not [one for one in ids if f'"{one}"' in texts(spec)]


@pytest.mark.parametrize(
    ("tasks", "text", "said"),
    [
        ([[("H1", 2.0)], [("H1", 2.0)]], "zzz", "No task holds “zzz”"),
        ([[], []], "do", "No task is described"),
        ([[("H1", None)], []], "do", "“do” is in 1 of 1 task, of none of which hours are known; most in A, 100\xa0%"),
        (
            [[("H1", 2.0)], [("H1", 3.0)]],
            "care do",
            "“care” and “do” are in 2 of 2 tasks, with 5\xa0h a week known; the",
        ),
        (
            [[("H1", 2.0)], [("H1", 3.0)]],
            "do",
            "“do” is in 2 of 2 tasks, with 5\xa0h a week known; the largest share, 1",
        ),
        ([[("H1", 2.0)]], "do", "“do” is in 1 of 1 task, with 2\xa0h a week known"),
    ],
)
def test_the_headline_of_what_is_found_is_true(tasks: list[Any], text: str, said: str) -> None:
    profiles = profiles_of([family_of(name, *some) for name, some in zip("AB", tasks, strict=False)])
    spec = tpa.plot_find_tasks(profiles, text, privacy=None).to_dict()
    assert " ".join(spec["title"]["text"]).startswith(said)
    assert png(spec, 1.0).startswith(b"\x89PNG")


def test_words_of_any_kind_and_length_are_named(sample: tpa.TaskProfiles) -> None:
    for text in ("constructor", "x\x07", "<b>", "a" * 500, " ".join(f"word{i}" for i in range(90)), "研究 開発", '"'):
        spec = tpa.plot_find_tasks(sample, text).to_dict()
        assert len(" ".join(spec["title"]["text"])) < 220
        assert "\x07" not in texts(spec)
        assert png(spec, 1.0).startswith(b"\x89PNG")
    assert "and 85 more words" in title_of(
        tpa.plot_find_tasks(sample, " ".join(f"word{i:02d}{'x' * 6}" for i in range(90)))
    )


def test_what_is_not_found_for_want_of_text_is_said() -> None:
    profiles = profiles_of([family_of("A", ("H1", 2.0), ("H1", 2.0))] * 3)
    row = pl.int_range(pl.len())
    tasks = profiles.tasks.with_columns(task=pl.when(row > 0).then("task"))
    said = texts(tpa.plot_find_tasks(replace(profiles, tasks=tasks), "do", privacy=None).to_dict())
    assert "1 task has no text to be found by." in said
    assert "no text to be found by" not in texts(tpa.plot_find_tasks(profiles, "do", privacy=None).to_dict())


def test_some_families_stand_as_among_all(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_find_tasks(sample, "customer", families=["Sales", "Finance"]).to_dict()
    everything = tpa.plot_find_tasks(sample, "customer").to_dict()
    assert {row["job_family"] for row in marks(spec, "bar")[0]} == {"Sales", "Finance"}
    assert [r for r in marks(everything, "bar")[0] if r["job_family"] in {"Sales", "Finance"}] == marks(spec, "bar")[0]
    ends = [
        next(la for la in layers(s) if la["mark"]["type"] == "bar")["encoding"]["x"]["scale"]
        for s in (spec, everything)
    ]
    assert ends[0] == ends[1]
    counted = found_by_family(sample, "customer").filter(pl.col("job_family").is_in(["Sales", "Finance"]))
    said = f"2 chosen families · “customer” is in {counted['found'].sum()} of {counted['tasks'].sum()} tasks"
    assert " ".join(spec["title"]["text"]).startswith(said)
    with pytest.raises(tpa.SchemaError, match=r"'Sale' is not a job family \(did you mean 'Sales'\?\)"):
        tpa.plot_find_tasks(sample, "customer", families=["Sale"])
    with pytest.raises(tpa.SchemaError, match="give a word"):
        tpa.plot_find_tasks(sample, " ")


# --- the jobs of a family


def ids_in(spec: dict[str, Any]) -> list[str]:
    return next(layer["encoding"]["y"]["sort"] for layer in layers(spec) if "sort" in layer["encoding"].get("y", {}))


def test_bars_are_the_hours_of_the_jobs(company: tpa.TaskProfiles) -> None:
    for family in ("Finance", "Legal Occupations"):
        everyone = tpa.hours_by_job(company).filter(job_family=family)
        if not everyone.height:
            continue
        spec = tpa.plot_jobs(company, family, privacy=None).to_dict()
        bars = marks(spec, "bar")[0]
        own = company.tasks.filter(
            pl.col("job_id").is_in(everyone["job_id"].implode()), pl.col("validation_state") != "rejected"
        ).with_columns(pl.col("ai_impact_level").fill_null("not assessed"))
        sums = own.group_by("job_id", "ai_impact_level").agg(
            pl.col("weekly_hours").sum(), tasks=pl.col("weekly_hours").count()
        )
        expected = {(job, level): (amount, n) for job, level, amount, n in sums.rows() if amount > 0}
        drawn = {(row["job_id"], row["level"]): (row["hours"], row["tasks"]) for row in bars}
        assert drawn.keys() == expected.keys()
        assert all(drawn[key] == (pytest.approx(expected[key][0]), expected[key][1]) for key in drawn)
        for job in everyone["job_id"]:
            parts = [row for row in bars if row["job_id"] == job]
            assert [row["level"] for row in parts] == sorted(row["level"] for row in parts)
            assert [row["start"] for row in parts[:1]] == [0] * bool(parts)
            assert all(one["end"] == pytest.approx(two["start"]) for one, two in itertools.pairwise(parts))
        long = dict(everyone.select("job_id", pl.col("hours").round(2).fill_null(-1.0)).rows())
        assert [long[job] for job in ids_in(spec)] == sorted(long.values(), reverse=True)
        without = {r["job_id"]: r["open"] for rows in marks(spec, "text") for r in rows if "open" in r}
        gaps = everyone.select("job_id", n=pl.col("tasks") - pl.col("tasks_with_hours")).rows()
        assert without == {job: str(n) if n else "\u2013" for job, n in gaps}
        weeks = {row["job_id"]: row["contract_hours"] for rows in marks(spec, "tick") for row in rows}
        assert weeks == dict(everyone.drop_nulls("contract_hours").select("job_id", "contract_hours").rows())
        for name, amount in everyone.select("job_name", "hours").rows():
            assert f"{name} {'hours not known' if amount is None else hours(amount)}" in spec["description"]


def test_hours_without_a_level_are_hatched(sample: tpa.TaskProfiles) -> None:
    spec = tpa.plot_jobs(sample, "Finance", privacy=None).to_dict()
    dark = [row for row in marks(spec, "bar")[0] if row["level"] == "not assessed"]
    strokes = marks(spec, "point")[0]
    wide = {row["job_id"] for row in dark if row["hours"] > 2}
    assert wide <= {row["job_id"] for row in strokes} <= {row["job_id"] for row in dark}
    ends = {row["job_id"]: (row["start"], row["end"]) for row in dark}
    assert all(ends[row["job_id"]][0] < row["at"] < ends[row["job_id"]][1] for row in strokes)


def test_jobs_have_names_and_no_task_has(sample: tpa.TaskProfiles) -> None:
    marked = replace(
        sample, tasks=sample.tasks.with_columns(task=pl.lit("CANARY"), ai_impact_rationale=pl.lit("CANARY"))
    )
    spec = tpa.plot_jobs(marked, "Finance", privacy=None).to_dict()
    assert "CANARY" not in texts(spec)
    own = sample.jobs.filter(pl.col("job_family") == "Finance")
    assert all(name in texts(spec) for name in own["job_name"])
    others = sample.jobs.filter(pl.col("job_family") != "Finance")
    assert not [job for job in others["job_id"] if job in texts(spec)]


def test_of_many_jobs_those_with_most_hours_are_drawn() -> None:
    profiles = profiles_of([family_of("A", ("H1", 1.0 + i), headcount=9.0) for i in range(64)])
    spec = tpa.plot_jobs(profiles, "A").to_dict()
    assert ids_in(spec) == [f"j{i:03d}" for i in reversed(range(24, 64))]
    assert f"The 40 jobs with most hours are drawn; 24 more jobs with {hours(sum(range(1, 25)))} a week not." in texts(
        spec
    )
    assert "from 100\xa0% to 100\xa0% in single jobs" in title_of(tpa.plot_jobs(profiles, "A"))
    dark = profiles_of([family_of("A", (None, 40.0), headcount=9.0) for i in range(64)])
    assert sum(map(len, tpa.plot_jobs(dark, "A").to_dict()["datasets"].values())) < 3000


def test_jobs_of_the_same_name_are_two(sample: tpa.TaskProfiles) -> None:
    same = replace(sample, jobs=sample.jobs.with_columns(job_name=pl.lit("Clerk")))
    spec = tpa.plot_jobs(same, "Finance", privacy=None).to_dict()
    assert len(ids_in(spec)) == len(set(ids_in(spec))) == 15
    assert {row["name"] for row in marks(spec, "bar")[0]} == {"Clerk"}
    nameless = replace(sample, jobs=sample.jobs.with_columns(job_name=pl.lit(None, dtype=pl.String)))
    assert {r["name"] for r in marks(tpa.plot_jobs(nameless, "Finance").to_dict(), "bar")[0]} <= set(
        sample.jobs["job_id"]
    )


def test_a_family_that_is_hidden_shows_no_job() -> None:
    profiles = profiles_of([*[family_of("A", ("H1", 7.25), headcount=9.0)] * 2, *[family_of("B", headcount=9.0)] * 9])
    spec = tpa.plot_jobs(profiles, "A").to_dict()
    assert spec["title"]["text"] == ["The jobs of A are hidden"]
    assert "7.2" not in texts(spec)
    assert "j000" not in texts(spec)
    assert "7.2" in texts(tpa.plot_jobs(profiles, "A", privacy=None).to_dict())


def test_a_job_of_few_people_is_left_out_as_its_sheet_is_refused(sample: tpa.TaskProfiles) -> None:
    for family in sample.jobs["job_family"].drop_nulls().unique().sort()[::2]:
        spec = tpa.plot_jobs(sample, family).to_dict()
        own = sample.jobs.filter(pl.col("job_family") == family)
        few = own.filter(pl.col("headcount") < 5)
        shown = {row["job_id"] for rows in spec["datasets"].values() for row in rows if "job_id" in row}
        left = own.height - len(shown)
        assert left == few.height or (left > few.height and (few.height == 1 or few["headcount"].sum() < 5))
        assert f"{left} jobs are left out: those of fewer than 5 people" in texts(spec)
        assert not shown or f"{len(shown)} of {own.height} jobs" in spec["title"]["subtitle"]
        for job, name in few.select("job_id", "job_name").rows():
            assert job not in texts(spec)
            assert f"{name} " not in spec["description"]
            with pytest.raises(tpa.SchemaError, match="personal data"):
                tpa.plot_job(sample, job)
        assert "left out" not in texts(tpa.plot_jobs(sample, family, privacy=Privacy(min_headcount=0)).to_dict())


def test_where_every_job_is_left_out_the_chart_says_so() -> None:
    profiles = profiles_of([family_of("A", ("H1", 7.25), headcount=2.0)] * 3)
    spec = tpa.plot_jobs(profiles, "A").to_dict()
    assert spec["title"]["text"] == ["No job of A can be shown"]
    assert "3 jobs are left out: those of fewer than 5 people" in texts(spec)
    assert "7.2" not in texts(spec)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([[], []], "A: no task is described"),
        ([[("H1", None)], []], "A: no hours are known of 1 task"),
        ([[("H1", 0.0)], []], "A: all hours that are known are zero"),
        ([[("H1", 2.0), ("H1", None)], []], "A: too little is known to say how much of its hours is highly"),
        (
            [[("H1", 40.0)], [("H2", 40.0)]],
            "A: 50\xa0% (50\xa0% to 50\xa0%) of described weekly hours are highly automatable, from 0\xa0% to",
        ),
        ([[("H2", 40.0)]], "A: 0\xa0% of described weekly hours are highly automatable"),
    ],
)
def test_the_headline_of_the_jobs_is_true(tasks: list[Any], said: str) -> None:
    profiles = profiles_of([family_of("A", *some, headcount=9.0) for some in tasks])
    spec = tpa.plot_jobs(profiles, "A", privacy=None).to_dict()
    assert " ".join(spec["title"]["text"]).startswith(said)
    assert len(ids_in(spec)) == len(tasks), "a job of which nothing is known keeps its row"
    assert png(spec, 1.0).startswith(b"\x89PNG")


def test_an_unknown_family_gives_near_names(sample: tpa.TaskProfiles) -> None:
    with pytest.raises(
        tpa.SchemaError, match=r"family='Finanz': 'Finanz' is not a job family \(did you mean 'Finance'\?\)"
    ):
        tpa.plot_jobs(sample, "Finanz")


def test_a_family_is_known_by_its_name_as_charts_print_it() -> None:
    names = ["constructor", "line\x0bbreak"]
    profiles = profiles_of([family_of(name, ("H1", 3.0), headcount=9.0) for name in names for _ in range(3)])
    for row in marks(tpa.plot_impact(profiles).to_dict(), "bar")[0]:
        assert "100\xa0%" in title_of(tpa.plot_jobs(profiles, row["job_family"]))


def test_looking_around_reads_the_tasks_once(sample: tpa.TaskProfiles) -> None:
    """Only what is remembered makes a click quick; and it is the same as what is measured anew."""
    kept = with_cache(sample)
    before = tpa.plot_jobs(kept, "Finance").to_dict()
    object.__setattr__(kept, "tasks", None)
    assert tpa.plot_jobs(kept, "Finance").to_dict() == before == tpa.plot_jobs(sample, "Finance").to_dict()
    assert tpa.plot_jobs(kept, "Sales").to_dict() == tpa.plot_jobs(sample, "Sales").to_dict()


@pytest.mark.parametrize("families", [1, 60])
def test_names_of_any_script_are_drawn(families: int) -> None:
    profiles = many(families)
    names = ["計測機器の校正担当者", "מנהל קשרי לקוחות", "constructor", "a\x00b", "x" * 300]
    jobs = profiles.jobs.with_columns(job_name=pl.Series([names[i % 5] for i in range(profiles.jobs.height)]))
    spec = tpa.plot_jobs(replace(profiles, jobs=jobs), profiles.jobs["job_family"][0], privacy=None).to_dict()
    assert "\x00" not in json.dumps(spec, ensure_ascii=False)
    assert png(spec, 1.0).startswith(b"\x89PNG")
