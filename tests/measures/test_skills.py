"""Tasks, hours and people per skill and AI impact level."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.schema import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL_TASKS, NO_SKILL = "(all tasks)", "(no skill)"

_entry = st.none() | st.fixed_dictionaries(
    {"skill_id": st.sampled_from([None, "s1", "s2", "s3"]), "skill": st.sampled_from([None, " ", "Excel", "SQL"])}
)
_list = st.none() | st.lists(_entry, max_size=3)


@st.composite
def with_skills(draw: st.DrawFn) -> tpa.TaskProfiles:
    """Return a random company whose tasks have lists of skills, some of them empty or with missing values."""
    profiles = draw(companies)
    n = profiles.tasks.height
    lists = draw(st.lists(_list, min_size=n, max_size=n))
    column = pl.Series("linked_skills", lists, dtype=TASKS["linked_skills"])
    return replace(profiles, tasks=profiles.tasks.with_columns(column))


def identities(entries: list[dict[str, str | None]] | None) -> set[tuple[str | None, str | None]]:
    """Return the distinct skills of a task: the id, or the name if there is no id."""
    found = set()
    for entry in entries or []:
        key, name = (((entry or {}).get(field) or "").strip() or None for field in ("skill_id", "skill"))
        if key or name:
            found.add((key, None if key else name))
    return found


def by_loops(profiles: tpa.TaskProfiles, weight: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Compute the figures per family, skill and level in plain Python."""
    jobs = {row["job_id"]: row for row in profiles.jobs.iter_rows(named=True)}
    cells: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(
        lambda: {"tasks": 0, "tasks_with_hours": 0, "hours": None, "amount": None, "at_level": set()}
    )
    for task in profiles.tasks.iter_rows(named=True):
        if task["validation_state"] == "rejected":
            continue
        job, hours = jobs[task["job_id"]], task["weekly_hours"]
        amount = {
            "tasks": 1.0,
            "hours": hours,
            "headcount": None if None in (hours, job["headcount"]) else hours * job["headcount"],
        }[weight]
        for skill in [(ALL_TASKS,), *(identities(task["linked_skills"]) or [(NO_SKILL,)])]:
            family = job["job_family"] or "(no job family)"
            cell = cells[family, skill, task["ai_impact_level"] or "not assessed"]
            cell["tasks"] += 1
            cell["tasks_with_hours"] += hours is not None
            cell["at_level"].add(task["job_id"])
            for name, value in (("hours", hours), ("amount", amount)):
                if value is not None:
                    cell[name] = (cell[name] or 0.0) + value
    return cells


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the identity of the skill in a row of the result."""
    if row["skill_id"] is not None:
        return (row["skill_id"], None)
    return (row["skill"],) if row["skill"] in (ALL_TASKS, NO_SKILL) else (None, row["skill"])


@hypothesis.given(profiles=with_skills(), weight=st.sampled_from(["tasks", "hours", "headcount"]))
def test_figures_equal_loops_over_the_tasks(profiles: tpa.TaskProfiles, weight: Any) -> None:
    expected = by_loops(profiles, weight)
    requested = profiles.tasks["linked_skills"].count() > 0
    if not requested:
        expected = {key: cell for key, cell in expected.items() if key[1] == (ALL_TASKS,)}
    headcounts = dict(profiles.jobs.select("job_id", "headcount").rows())
    rows = tpa.skills(profiles, by="job_family", weight=weight).filter(pl.col("tasks") > 0).rows(named=True)
    assert len(rows) == len(expected)
    for row in rows:
        family, skill = row["job_family"], key_of(row)
        cell = expected[family, skill, row["ai_impact_level"]]
        known = [headcounts[job] for job in cell["at_level"] if headcounts[job] is not None]
        assert (row["tasks"], row["tasks_with_hours"]) == (cell["tasks"], cell["tasks_with_hours"])
        assert row["hours"] == pytest.approx(cell["hours"])
        assert row["amount"] == pytest.approx(cell["amount"])
        assert row["jobs_at_level"] == len(cell["at_level"])
        assert row["headcount_at_level"] == (pytest.approx(sum(known)) if known else None)
        jobs = set().union(*(c["at_level"] for (f, s, _), c in expected.items() if (f, s) == (family, skill)))
        assert row["jobs"] == len(jobs)


@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount"])
def test_all_tasks_counts_each_task_once_as_impact_does(mixed: tpa.TaskProfiles, weight: Any) -> None:
    totals = tpa.skills(mixed, by="job_family", weight=weight).filter(skill=ALL_TASKS)
    impact = tpa.impact(mixed, weight=weight)
    columns = ["tasks", "tasks_with_hours", "hours", "share", "share_assessed", "coverage", "data_grade"]
    assert_frame_equal(totals.select("job_family", *columns), impact.select("job_family", *columns), abs_tol=1e-9)


def company(*lists: Any, hours: float | None = 2.0) -> tpa.TaskProfiles:
    """Return a company with a job per list of skills, with one task each."""
    task = {"task_id": "t", "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": "H1"}
    jobs = [{"job_family": "A", "headcount": 10.0, "tasks": [{**task, "linked_skills": names}]} for names in lists]
    return profiles_of([{**job, "tasks": [_linked(t) for t in job["tasks"]]} for job in jobs])


def _linked(task: dict[str, Any]) -> dict[str, Any]:
    names = task["linked_skills"]
    entries = None if names is None else [{"skill_id": f"id {name}", "skill": name} for name in names]
    return {**task, "linked_skills": entries}


def test_a_skill_listed_twice_counts_once() -> None:
    table = tpa.skills(company(["Excel", "Excel", "SQL"]))
    assert table.select("skill", "tasks", "hours", "skill_share").rows() == [
        (ALL_TASKS, 1, 2.0, 1.0),
        ("Excel", 1, 2.0, 1.0),
        ("SQL", 1, 2.0, 1.0),
    ]


def test_tasks_without_skills_are_listed_last() -> None:
    table = tpa.skills(company(None, [], ["Excel"]))
    assert table.select("skill", "skill_id", "tasks").rows()[1:] == [("Excel", "id Excel", 1), (NO_SKILL, None, 2)]


@pytest.mark.parametrize("lists", [[None, None], "no column"])
def test_skills_that_were_not_requested_have_a_reason(lists: Any) -> None:
    profiles = company(None, None)
    if lists == "no column":
        profiles = replace(profiles, tasks=profiles.tasks.drop("linked_skills"))
    table = tpa.skills(profiles)
    assert table.select("skill", "tasks", "reason").rows() == [(ALL_TASKS, 2, None), (None, None, "NOT_REQUESTED")]
    assert any("include=[..., 'linked_skills']" in warning for warning in tpa.about(table).warnings)


def test_empty_lists_are_tasks_without_skills() -> None:
    assert tpa.skills(company([], []))["skill"].to_list() == [ALL_TASKS, NO_SKILL]


def test_profiles_without_tasks_have_no_figures() -> None:
    table = tpa.skills(profiles_of([{"job_family": "A", "tasks": []}]))
    assert table.select("skill", "tasks", "hours", "reason").rows() == [(ALL_TASKS, 0, None, "NO_TASKS")]
    assert tpa.skills(profiles_of([])).height == 0


def test_missing_amounts_have_a_reason() -> None:
    without_hours = company(["Excel"], hours=None)
    assert set(tpa.skills(without_hours)["reason"]) == {"NO_HOURS"}
    unknown = company(["Excel"])
    unknown = replace(unknown, jobs=unknown.jobs.with_columns(headcount=pl.lit(None, pl.Float64)))
    assert set(tpa.skills(unknown, weight="headcount")["reason"]) == {"NO_HEADCOUNT"}


def test_people_over_countries_add_up_to_the_company() -> None:
    profiles = company(["Excel", "SQL"], ["SQL"], [])
    people = pl.DataFrame(
        {
            "job_id": ["j000", "j000", "j001", "j002"],
            "country": ["BE", "FR", "BE", "FR"],
            "headcount": [4, 6, 10, 3],
        }
    )
    split = replace(profiles, people=people)
    total, parts = tpa.skills(split, weight="headcount"), tpa.skills(split, by="country")
    assert set(parts["basis"]) == {"headcount"}
    summed = parts.group_by("skill").agg(pl.col("amount", "headcount").sum()).sort("skill")
    assert_frame_equal(summed, total.select("skill", "amount", "headcount").sort("skill"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.skills(p, weight="people"), "`weight` must be 'tasks', 'hours', 'headcount' or 'fte', not 'pe"),
        (lambda p: tpa.skills(p, by="famly"), "'famly' is not a column"),
        (lambda p: tpa.skills(p, by="skill"), "'skill' is also a column of the result"),
        (lambda p: tpa.skills(replace(p, jobs=p.jobs.drop("fte")), weight="fte"), "no column 'fte'"),
        (lambda p: tpa.skills(p, states=["rejected"]), "must not contain 'rejected'"),
        (lambda p: tpa.skills(p.tasks), "`profiles` must be TaskProfiles"),
        (
            lambda p: tpa.skills(replace(p, tasks=p.tasks.with_columns(linked_skills=pl.lit("Excel")))),
            "`linked_skills` of `tasks` must be lists of structs with `skill_id` and `skill`, not String",
        ),
        (
            lambda p: tpa.skills(replace(p, tasks=p.tasks.with_columns(linked_skills=pl.lit(["Excel"])))),
            "must be lists of structs",
        ),
        (
            lambda p: tpa.skills(replace(p, tasks=as_pandas(p.tasks).assign(linked_skills="Excel"))),
            "must be lists of structs with `skill_id` and `skill`, not str",
        ),
        (
            lambda p: tpa.skills(replace(p, tasks=as_pandas(p.tasks).assign(linked_skills=[["Excel"], ["Excel"]]))),
            "not lists of str",
        ),
        (lambda p: tpa.suppress(tpa.skills(p)), "`result` is by skill. Pass the `profiles`"),
    ],
)
def test_invalid_input_raises(call: Callable[[tpa.TaskProfiles], Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError) as error:
        call(company(["Excel"], ["SQL"]))
    assert message in str(error.value)


def as_pandas(frame: pl.DataFrame, entries: Any = lambda value: value) -> pd.DataFrame:
    columns = frame.drop("source_data", "hierarchy", strict=False).to_dict(as_series=False)
    if "linked_skills" in columns:
        columns["linked_skills"] = [None if value is None else entries(value) for value in columns["linked_skills"]]
    return pd.DataFrame(columns)


def from_files(profiles: tpa.TaskProfiles, folder: Path, read: Callable[[str], Any]) -> tpa.TaskProfiles:
    frames = {"jobs": profiles.jobs, "tasks": profiles.tasks}
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return tpa.TaskProfiles(*(read(str(folder / f"{name}.parquet")) for name in frames))


ENGINES: dict[str, Callable[[tpa.TaskProfiles, Any], tpa.TaskProfiles]] = {
    "polars lazy": lambda p, _: tpa.TaskProfiles(p.jobs.lazy(), p.tasks.lazy()),
    "polars over files": lambda p, folder: from_files(p, folder, pl.scan_parquet),
    "duckdb": lambda p, folder: from_files(p, folder, duckdb.read_parquet),
    "pandas": lambda p, _: tpa.TaskProfiles(as_pandas(p.jobs), as_pandas(p.tasks)),
    "pandas with arrays": lambda p, _: tpa.TaskProfiles(p.jobs, as_pandas(p.tasks, lambda v: np.array(v, object))),
    "other fields": lambda p, _: tpa.TaskProfiles(p.jobs, p.tasks.with_columns(_reordered())),
}


def _reordered() -> pl.Expr:
    fields = [pl.element().struct.field("skill"), pl.lit(1).alias("n"), pl.element().struct.field("skill_id")]
    return pl.col("linked_skills").list.eval(pl.struct(fields))


@pytest.fixture(scope="module")
def mixed() -> tpa.TaskProfiles:
    """Return a part of the sample in which some tasks have no skills, and some lists are null."""
    sample = tpa.load_sample().filter(job_family=["Finance", "Sales", "Procurement"])
    row = pl.int_range(pl.len())
    empty = pl.lit([], dtype=TASKS["linked_skills"])
    lists = pl.when(row % 5 == 0).then(None).when(row % 7 == 0).then(empty).otherwise("linked_skills")
    return tpa.TaskProfiles(sample.jobs, sample.tasks.with_columns(linked_skills=lists))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", [{}, {"by": ["job_family"], "weight": "headcount"}], ids=["all", "families"])
def test_every_engine_returns_the_same_result(
    mixed: tpa.TaskProfiles, tmp_path: Path, engine: str, how: dict[str, Any]
) -> None:
    result = tpa.skills(ENGINES[engine](mixed, tmp_path), **how)
    assert_frame_equal(result, tpa.skills(mixed, **how), abs_tol=1e-9)


# suppression ----------------------------------------------------------------------------------------------------------


@hypothesis.given(profiles=with_skills(), by=st.sampled_from([None, "job_family"]))
def test_shown_skills_have_enough_jobs_and_a_suppressed_skill_is_never_alone(
    profiles: tpa.TaskProfiles, by: Any
) -> None:
    profiles = with_cache(profiles)
    table = tpa.skills(profiles, by=by, weight="tasks")
    shown = tpa.suppress(table, profiles, privacy=tpa.Privacy(min_jobs=2, min_headcount=0))
    assert shown.columns == table.columns
    in_group = [by] if by else []
    keys = [*in_group, "skill_id", "skill", "ai_impact_level"]
    skills = shown.filter((pl.col("skill") != ALL_TASKS) & (pl.col("tasks") > 0))
    assert skills.filter(pl.col("jobs") < 2).height == 0
    # Figures that are shown do not change.
    assert_frame_equal(skills, table.join(skills, on=keys, how="semi", nulls_equal=True), check_row_order=False)
    hidden = table.filter(pl.col("tasks") > 0).join(shown, on=keys[:-1], how="anti", nulls_equal=True)
    for name in skills.get_column(by).unique() if by else [None]:
        of_group = hidden.filter(pl.col(by) == name) if by else hidden
        assert of_group.select("skill_id", "skill").n_unique() != 1 or not skills.height


def test_small_skills_are_removed_and_counted() -> None:
    profiles = company(*[["Excel", "SQL"]] * 5, ["Excel", "Rare"], ["Excel", "Odd"], ["Excel", "Odd"])
    shown = tpa.suppress(tpa.skills(profiles), profiles)
    assert set(shown["skill"]) == {ALL_TASKS, "Excel", "SQL"}
    assert tpa.about(shown).policy[-1].startswith("2 of 4 skills are suppressed (fewer than 3 jobs or 5 people")


def test_all_skills_of_a_small_group_are_suppressed() -> None:
    profiles = company(*[["Excel"]] * 6)
    family = pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("Large")).otherwise(pl.lit("Small"))
    profiles = replace(profiles, jobs=profiles.jobs.with_columns(job_family=family, country=family))
    shown = tpa.suppress(tpa.skills(profiles, by="country"), profiles)
    small = shown.filter(country="Small")
    assert small.select("skill", "tasks", "reason").rows() == [(None, None, "SUPPRESSED")]


def test_nothing_is_suppressed_without_limits() -> None:
    profiles = company(["Excel"])
    assert tpa.suppress(tpa.skills(profiles), profiles, privacy=None).equals(tpa.skills(profiles))
