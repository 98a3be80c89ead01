"""Every public measure, chart and page for a table of tasks with few columns, such as a colleague's CSV file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.plots import PLOTS
from tests.helpers.public_measures import MEASURES
from tests.helpers.unvalidated_charts import unvalidated_charts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["unvalidated_charts"]

UNKNOWN = "The validation state of the tasks is unknown."
COLUMNS = {
    "no states": ["job_id", "job_name", "job_family", "task", "weekly_hours", "ai_impact_level"],
    "ids and texts": ["job_id", "task"],
}
FAMILIES = ["Finance", "Sales", "Research"]
TABLE = pl.DataFrame(
    [
        {
            "job_id": f"{job:03}",
            "job_name": f"Job {job}",
            "job_family": FAMILIES[job % 3],
            "task": f"Prepare report {(job + task) % 7}",
            "weekly_hours": [None, 2.5, 4.0, 1.25][(job + 3 * task) % 4],
            "ai_impact_level": ["H1", "H2", None, "H5"][(job * task) % 4],
        }
        for job in range(12)
        for task in range(5)
    ]
)
#: These need people, or a second snapshot with the same states, which the table does not have.
REFUSALS = (
    r"no column '(headcount|fte)'|`states` must be given, because the snapshots|is not a job family|measure="
    r"|no task of .* has an id|`result` must be"
)
#: Calls that count no task of the table, or compare it with tasks whose states are known.
KNOWN = {"compare_exposure", "impact, validated", "transitions, of states"}


@pytest.fixture(scope="module", params=COLUMNS)
def profiles(request: pytest.FixtureRequest) -> tpa.TaskProfiles:
    """Return the task profiles of a table with few columns."""
    return tpa.from_frames(TABLE.select(COLUMNS[request.param]))


def texts(chart: object) -> str:
    return json.dumps(chart.to_dict(), ensure_ascii=False)  # type: ignore[attr-defined]


def states_no_share(text: str) -> bool:
    return not re.search(r"\d%?( of tasks)? (is|are|not) (not )?validated|Rejected tasks are excluded", text)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tpanalytics.TpAnalyticsWarning")
@pytest.mark.parametrize("name", MEASURES)
def test_measures_state_that_the_validation_states_are_unknown(profiles: tpa.TaskProfiles, name: str) -> None:
    try:
        result = MEASURES[name](profiles)
        meaning = str(tpa.about(result))
    except tpa.SchemaError as error:
        assert re.search(REFUSALS, str(error))  # noqa: PT017
        return
    if name in KNOWN:
        return
    assert UNKNOWN in meaning
    assert states_no_share(meaning)
    assert "(no state)" not in meaning
    for column in {"validated_share", "validated_share_hours"} & {*result.columns}:
        assert result.get_column(column).null_count() == result.height


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tpanalytics.TpAnalyticsWarning")
@pytest.mark.parametrize("name", PLOTS)
def test_charts_state_that_the_validation_states_are_unknown(profiles: tpa.TaskProfiles, name: str) -> None:
    try:
        drawn = texts(PLOTS[name](profiles))
    except tpa.SchemaError as error:
        assert re.search(REFUSALS, str(error))  # noqa: PT017
        return
    assert states_no_share(drawn)


@pytest.mark.slow
def test_reports_state_that_the_validation_states_are_unknown(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    page = tpa.save_report(profiles, tmp_path / "report.html", privacy=None).read_text(encoding="utf-8")
    assert UNKNOWN in page
    assert states_no_share(page)


def test_workbooks_state_that_the_validation_states_are_unknown(tmp_path: Path) -> None:
    profiles = tpa.from_frames(TABLE)
    path = tpa.save(tpa.hours(profiles), tmp_path / "hours.xlsx")
    cells = pl.read_excel(path, sheet_name="how computed", has_header=False, infer_schema_length=0)
    assert UNKNOWN in str(cells.rows())
    assert "Not validated" not in str(cells.rows())


@pytest.mark.slow
def test_explorers_show_the_tasks(profiles: tpa.TaskProfiles, tmp_path: Path) -> None:
    page = tpa.explore(profiles).save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert states_no_share(page)


def test_jobs_show_their_tasks() -> None:
    drawn = texts(tpa.plot_job(tpa.from_frames(TABLE), "001", privacy=None))
    assert "Prepare report 1" in drawn
    assert UNKNOWN in drawn


def test_the_quality_report_does_not_call_unknown_states_not_validated() -> None:
    checks = tpa.quality_report(tpa.from_frames(TABLE))
    row = checks.filter(check="not_validated").row(0, named=True)
    assert (row["finding"], row["value"], row["affected"], row["reason"]) == (UNKNOWN, None, None, "NO_STATES")


def test_advice_is_about_the_table() -> None:
    profiles = tpa.from_frames(TABLE)
    texts_of = {
        "skills": str(tpa.about(tpa.skills(profiles))),
        "chart": texts(tpa.plot_skills(profiles, privacy=None)),
        "quality": str(tpa.quality_report(profiles)["finding"].to_list()),
    }
    for key, text in texts_of.items():
        assert "include=" not in text, key
    assert "Skills are not in the table. Add a column 'linked_skills'." in texts_of["skills"]


def test_known_states_are_described_as_shares_of_the_tasks_that_have_one() -> None:
    states = pl.Series("validation_state", [None, "validated", "suggested", "validated"] * 15)
    profiles = tpa.from_frames(TABLE.with_columns(states))
    meaning = tpa.about(tpa.hours(profiles, states=["validated", "suggested", "(no state)"]))
    assert meaning.tasks == TABLE.height
    assert meaning.share_suggested == pytest.approx(1 / 3)
    assert UNKNOWN not in str(meaning)
