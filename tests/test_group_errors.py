"""Errors and warnings about `by`, in measures, charts, the explorer, the report and the command line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.builders import job, task
from tests.helpers.command_line import run
from tests.helpers.companies import in_countries
from tests.helpers.random_profiles import profiles_of
from tpanalytics.share.report import save_report

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: dict[str, Callable[..., Any]] = {
    "measure": lambda profiles, by: tpa.impact(profiles, by=by),
    "chart": lambda profiles, by: tpa.plot_impact(profiles, by=by),
    "explorer": lambda profiles, by: tpa.explore(profiles, by=by),
    "report": lambda profiles, by: tpa.save_report(profiles, "report.html", by=by),
}
each_call = pytest.mark.parametrize("call", [*CALLS, "command line"])


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> tpa.TaskProfiles:
    """Return a company with group columns whose names are those of results. Reports have no charts."""
    monkeypatch.setattr(save_report, "SECTIONS", tuple(replace(each, charts=()) for each in save_report.SECTIONS))
    profiles = in_countries()
    assert profiles.people is not None
    jobs = profiles.jobs.with_columns(tasks=pl.lit("few"), share=pl.lit("all"))
    return replace(profiles, jobs=jobs, people=profiles.people.with_columns(hours=pl.lit("day")))


def message_of(call: str, profiles: tpa.TaskProfiles, by: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error of a call."""
    if call == "command line":
        tpa.write_profiles(profiles, "snapshot")
        status, _, err = run("summary", "snapshot", "--by", by, capsys=capsys)
        assert status == 1
        return err
    with pytest.raises(tpa.SchemaError) as error:
        CALLS[call](profiles, by)
    return str(error.value)


@each_call
@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("tasks", "'tasks' is also a column of the result. Rename it when loading, like from_frames(..., columns={"),
        ("share", "from_frames(..., columns={'share': 'share_group'})"),
        ("hours", "'hours' is also a column of the result. Rename it when loading, like assign_people(..., columns={"),
        ("contry", "'contry' is not a column of the jobs, people or tasks (did you mean 'country'?)"),
        ("ai_impact_level", "`impact` returns a row per group and level anyway. Use impact(profiles, by=None)"),
        ("pay_grade", "added by assign_people(profiles, roster, by=['country', 'hours', 'pay_grade'])"),
        ("height", "'height' is not a column of the jobs, people or tasks (there are 'job_id',"),
    ],
)
def test_error_shows_the_way_out(
    call: str, by: str, message: str, company: tpa.TaskProfiles, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in message_of(call, company, by, capsys)


def test_renaming_makes_the_column_usable(company: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.ArgumentError, match=r"columns=\{'tasks': 'tasks_group'\}"):
        tpa.impact(company, by="tasks")
    jobs, tasks = company.jobs, company.tasks.drop("job_family")
    renamed = tpa.from_frames(tasks, jobs, columns={"tasks": "tasks_group"})
    assert tpa.impact(renamed, by="tasks_group")["tasks_group"].unique().to_list() == ["few"]


def test_names_of_columns_in_one_result_only_raise_there(company: tpa.TaskProfiles) -> None:
    jobs = company.jobs.with_columns(gini=pl.lit("a"), level=pl.lit("junior"), rank=pl.lit("b"))
    company = replace(company, jobs=jobs)
    with pytest.raises(tpa.ArgumentError, match=r"'gini' is also a column of the result\. .*'gini_group'"):
        tpa.concentration(company, by="gini")
    for by in ("gini", "level", "rank"):
        assert tpa.hours(company, by=by).columns[0] == by
    tasks = company.tasks.with_columns(state=pl.lit("x"))
    with pytest.raises(tpa.ArgumentError, match="'state' is also a name used while tasks are summed"):
        tpa.hours(replace(company, tasks=tasks), by="state")


@pytest.mark.filterwarnings("always:`by` gives:tpanalytics.TpAnalyticsWarning")
@each_call
def test_more_than_500_groups_warn(call: str, capsys: pytest.CaptureFixture[str], company: tpa.TaskProfiles) -> None:
    many = profiles_of([job(task(), family="A") for _ in range(501)])
    many = replace(many, jobs=many.jobs.with_columns(code=pl.format("c{}", pl.int_range(pl.len()))))
    text = (
        "`by` gives 501 groups (code), and more than 500 are hard to read. "
        "Keep some with profiles.filter, or group by a column with fewer values."
    )
    if call == "command line":
        tpa.write_profiles(many, "snapshot")
        assert text in run("summary", "snapshot", "--by", "code", capsys=capsys)[2]
        return
    with pytest.warns(tpa.TpAnalyticsWarning, match=re.escape(text)):
        CALLS[call](many, "code")
    assert tpa.impact(many.filter(job_id=many.jobs["job_id"].head(500).to_list()), by="code").height > 0


def test_error_names_the_snapshot_without_the_column(company: tpa.TaskProfiles) -> None:
    without = replace(company, people=None)
    for function in (tpa.changed_tasks, tpa.compare, tpa.compare_exposure):
        for sides, name in (((without, company), "before"), ((company, without), "after")):
            with pytest.raises(tpa.SchemaError, match=rf"tasks of `{name}` \(.*assign_people\(.*by='country'\)"):
                function(*sides, by="country")


def test_people_are_counted_with_the_weight_headcount(company: tpa.TaskProfiles) -> None:
    with pytest.raises(tpa.ArgumentError, match=r"not 'people'\. People are counted by 'headcount'"):
        tpa.impact(company, weight="people")  # type: ignore[arg-type]
