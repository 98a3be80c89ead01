"""Tests of the checks of arguments and values that all measures share."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import as_pandas, job, one_job, task
from tests.helpers.by_job import hours_by_job
from tests.helpers.random_profiles import profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("states", ["validated", []])
def test_invalid_states_raise(states: Any) -> None:
    with pytest.raises(tpa.SchemaError, match="`states` must be a list of validation states like"):
        tpa.hours(one_job(task()), states=states)


def test_rejected_state_raises() -> None:
    with pytest.raises(tpa.SchemaError, match="Rejected tasks are never counted"):
        tpa.hours(one_job(task()), states=["validated", "rejected"])


def test_unknown_state_is_excluded_with_a_warning() -> None:
    profiles = one_job(task("H1"), task("H2", 3.0, "initially_validated"))
    with pytest.warns(tpa.TpAnalyticsWarning, match="1 in state 'initially_validated'"):
        assert tpa.hours(profiles).item(0, "tasks") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tpa.hours(profiles, states=["validated", "initially_validated"]).item(0, "tasks") == 2


def test_missing_state_is_excluded_with_a_warning() -> None:
    profiles = one_job(task("H1"), task("H2"))
    tasks = profiles.tasks.with_columns(validation_state=pl.Series([None, "validated"]))
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"1 in state '\(no state\)'"):
        assert tpa.hours(tpa.TaskProfiles(profiles.jobs, tasks)).item(0, "tasks") == 1


def test_state_without_tasks_raises() -> None:
    with pytest.raises(tpa.SchemaError, match=r"no task is 'valid'\. The states of the tasks are 'validated'"):
        tpa.hours(one_job(task()), states=["valid"])


@pytest.mark.parametrize("hours", [-5.0, float("inf")])
def test_negative_or_infinite_hours_raise(hours: float) -> None:
    with pytest.raises(
        tpa.SchemaError, match=rf"`weekly_hours` of job 'j000' must be 0 or more and finite, not {hours}"
    ):
        tpa.hours(one_job(task("H1", hours), task("H2", 6.0)))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("headcount", -1.0, "0 or more"),
        ("headcount", float("inf"), "0 or more"),
        ("fte", -1.0, "0 or more"),
        ("fte", float("inf"), "0 or more"),
        ("contract_hours", 0.0, "above 0"),
        ("contract_hours", -40.0, "above 0"),
        ("contract_hours", float("-inf"), "above 0"),
    ],
)
@pytest.mark.parametrize("measure", [tpa.hours, tpa.impact, tpa.shared_tasks])
def test_invalid_headcount_or_contract_hours_raise(
    measure: Callable[..., pl.DataFrame], name: str, value: float, expected: str
) -> None:
    message = f"`{name}` of job 'j001' must be {expected} and finite, not {value}. Correct it, or set it to null"
    profiles = profiles_of([job(task()), {**job(task()), name: value}])
    with pytest.raises(tpa.SchemaError, match=re.escape(message)):
        measure(profiles)
    with pytest.raises(tpa.SchemaError, match=re.escape(message)):
        measure(tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks)))


def test_fractions_of_people_raise() -> None:
    profiles = profiles_of([job(task()), job(task(), headcount=2.5)])
    renaming = r"`headcount` of job 'j001' must be a whole number of people, not 2\.5.*\.rename\({'headcount': 'fte'}\)"
    with pytest.raises(tpa.SchemaError, match=renaming):
        tpa.hours(profiles)
    people = pl.DataFrame({"job_id": ["j000", "j001"], "headcount": [1, 2], "fte": [1.0, -0.5]})
    jobs = profiles.jobs.drop("headcount")
    with pytest.raises(tpa.SchemaError, match=r"`fte` of job 'j001' must be 0 or more and finite, not -0\.5"):
        tpa.hours(tpa.TaskProfiles(jobs, profiles.tasks, people=people))


def test_zero_headcount_and_nan_contract_hours_are_allowed() -> None:
    profiles = profiles_of([job(task("H1", 2.0), headcount=0.0)])
    jobs = profiles.jobs.with_columns(contract_hours=pl.lit(float("nan")))
    assert tpa.impact(tpa.TaskProfiles(jobs, profiles.tasks), weight="headcount")["share"].to_list() == [None]
    assert hours_by_job(tpa.TaskProfiles(jobs, profiles.tasks))["contract_hours"].to_list() == [None]


def test_text_hours_raise() -> None:
    profiles = one_job(task())
    with pytest.raises(tpa.SchemaError, match="`weekly_hours` of `tasks` must be numeric, not String"):
        tpa.hours(tpa.TaskProfiles(profiles.jobs, profiles.tasks.cast({"weekly_hours": pl.String})))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: tpa.TaskProfiles(p.jobs, p.tasks.drop("weekly_hours")), "`tasks` has no column 'weekly_hours'"),
        (
            lambda p: tpa.TaskProfiles(p.jobs, p.tasks.rename({"ai_impact_level": "ai_impact_lvl"})),
            r"no column 'ai_impact_level' \(did you mean 'ai_impact_lvl'\?\)",
        ),
        (
            lambda p: tpa.TaskProfiles(p.jobs.drop("job_family"), p.tasks.drop("job_family")),
            r"`by`: 'job_family' is not a column of the jobs, people or tasks \(did you mean 'job_family_id'",
        ),
        (lambda p: tpa.TaskProfiles(p.jobs.head(1), p.tasks), "`tasks` has jobs that `jobs` does not have"),
        (lambda p: tpa.TaskProfiles(pl.concat([p.jobs, p.jobs]), p.tasks), "`job_id` of `jobs` must be unique"),
        (
            lambda p: tpa.TaskProfiles("jobs.csv", p.tasks),
            "`jobs` must be a Polars, pandas, Arrow, DuckDB, Spark, Dask or Ibis frame, not str",
        ),
    ],
)
def test_invalid_frames_raise(change: Callable[..., Any], message: str) -> None:
    profiles = profiles_of([job(task()), job(task())])
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.hours(change(profiles))


def test_frame_instead_of_profiles_raises() -> None:
    with pytest.raises(tpa.SchemaError, match="must be TaskProfiles, not DataFrame"):
        tpa.hours(one_job(task()).tasks)  # type: ignore[arg-type]


def test_paths_are_answered_with_the_function_that_reads_them() -> None:
    profiles, path = one_job(task()), "data/2026-05"
    for call, message in (
        (lambda: tpa.changed_tasks(path, profiles), "`before` must be TaskProfiles, not str.*read_profiles.'data/2026"),
        (lambda: tpa.compare(profiles, path), "`after` must be TaskProfiles, not str.*read_profiles"),
        (lambda: tpa.plot_compare(path, profiles), "`before` must be TaskProfiles"),
        (lambda: tpa.plot_transitions(profiles, path), "`after` must be TaskProfiles"),
        (lambda: tpa.explore(path), "`profiles` must be TaskProfiles, not str.*read_profiles"),
        (lambda: tpa.explore(profiles, before=path), "`before` must be TaskProfiles"),
        (lambda: tpa.impact(Path("tasks.csv")), r"with from_frames\('tasks.csv'\)"),
        (lambda: tpa.hours("export.jsonl.gz"), r"with read_records\('export.jsonl.gz'\)"),
        (lambda: tpa.impute_hours(path, "same_task"), "`profiles` must be TaskProfiles"),
        (lambda: tpa.assign_families(path, "jobs.csv"), "`profiles` must be TaskProfiles"),
        (lambda: tpa.save_report(path, "report.html"), "`profiles` must be TaskProfiles, not str.*read_profiles"),
    ):
        with pytest.raises((tpa.SchemaError, tpa.ShareError), match=message):
            call()  # type: ignore[no-untyped-call]
