"""Reports by any group of jobs."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.grouped import with_countries, with_sites
from tests.helpers.histories import ODD, history_of
from tests.helpers.reports import cached_images, code, evidence, few_resamples, page, small, tables
from tests.helpers.unvalidated_charts import unvalidated_charts
from tpanalytics.measures.privacy.policy import SUPPRESSED_MARK
from tpanalytics.share.report import save_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["cached_images", "few_resamples", "unvalidated_charts"]

pytestmark = pytest.mark.usefixtures("few_resamples", "no_charts")


@pytest.fixture(scope="module")
def no_charts() -> Iterator[None]:
    """Omit charts, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(save_report, "SECTIONS", tuple(replace(section, charts=()) for section in save_report.SECTIONS))
        yield


@pytest.fixture(scope="module")
def snapshots() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    before, after = (with_sites(with_countries(small(tpa.load_sample(date)))) for date in ("2026-05", "2026-11"))
    return before, after


BY: dict[str, dict[str, Any]] = {
    "country": {"by": "country", "jobs": True, "rationales": True},
    "one country": {"by": "country", "groups": ["BE"], "jobs": True, "rationales": True},
    "country and pay grade": {"by": ["country", "pay_grade"]},
    "site of the people": {"by": "site"},
    "state of the tasks": {"by": "validation_state"},
    "all jobs": {"by": None, "jobs": True},
}


@pytest.mark.parametrize("case", BY)
def test_report_by_any_group_is_verified_and_reproduced_by_its_code(
    case: str, snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]
) -> None:
    before, after = snapshots
    path = tpa.save_report(after, "report.html", before=before, privacy=None, **BY[case])
    text = re.sub(r"<style>.*?</style>", "", html.unescape(page(path)), flags=re.DOTALL)
    assert not re.search(r"job famil|\bfamil(y|ies)\b", text, re.IGNORECASE)
    assert tpa.verify_report(path, after, before=before)["equal"].all()
    tpa.write_profiles(tpa.TaskProfiles(after.jobs, after.tasks, after.manifest), "SNAPSHOT")
    first, *rest = code(path)
    names: dict[str, Any] = {"after": after, "before_": before}
    exec(
        first.replace('tpa.read_profiles("SNAPSHOT")', "after").replace(
            'tpa.read_profiles("SNAPSHOT_BEFORE")', "before_"
        ),
        names,
    )
    for source, (key, table) in zip(rest, evidence(path)["tables"].items(), strict=True):
        exec(source, names)
        result = names[key.replace("-", "_")]
        groups = [name for name in ("country", "pay_grade", "site", "validation_state") if name in result.columns]
        if key == "mix":  # the table has a row per group, the measure a row per level
            result = result.unique(groups) if groups else result.head(1)
        assert result.height == len(table["rows"]), source


def test_groups_are_suppressed_by_the_same_column(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    before, after = snapshots
    path = tpa.save_report(after, "report.html", by="country", before=before, jobs=True, rationales=True)
    small_country = after.jobs.filter(country="LU")
    blocks, cells = evidence(path)["tables"], tables(path)
    for key in ("bridge", "index", "mix", "exposure", "hours", "concentration", "coverage"):
        rows = {row[0]: row[1:] for row in blocks[key]["rows"]}
        assert {"BE", "DE", "FR", "LU", "(no country)"} <= rows.keys()
        assert all(value is None for value in rows["LU"][1:]), key
        suppressed = {row[0] for row in cells[key] if SUPPRESSED_MARK in row}
        assert "LU" in suppressed
        assert len(suppressed) == 2, "another country protects the small one"
    assert "LU" not in {row[1] for row in cells["jobs"]} | {row[0] for row in cells["rationales"]}
    assert not set(small_country["job_name"]) - set(after.jobs.filter(pl.col("country") != "LU")["job_name"]) & {
        row[0] for row in cells["jobs"]
    }
    assert "1 of 5 countries" not in page(path)
    assert "2 of 5 countries are suppressed" in page(path)
    assert re.search(r'class="standfirst">\s*4 countries with \d+ jobs and', page(path))


def test_skills_of_one_group_are_suppressed_as_for_all_groups(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    profiles = snapshots[1]
    path = tpa.save_report(profiles, "report.html", by="country", groups="BE")
    shown = tpa.suppress(tpa.skills(profiles, by="country"), profiles).filter(country="BE")
    names = shown["skill"].unique(maintain_order=True).to_list()
    assert [row[0] for row in tables(path)["skills"]] == names[:21]
    alone = profiles.filter(country="BE")
    assert set(names) < set(tpa.suppress(tpa.skills(alone, by=None), alone)["skill"]), "totals protect other countries"
    assert tpa.verify_report(path, profiles)["equal"].all()


def test_skills_are_only_in_reports_on_tasks_with_skills(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles],
) -> None:
    profiles = snapshots[1]
    without = replace(profiles, tasks=profiles.tasks.drop("linked_skills"))
    for each, expected in ((profiles, True), (without, False)):
        path = tpa.save_report(each, "report.html", by="country")
        assert ("skills" in evidence(path)["tables"]) == expected


def test_small_company_has_no_figures(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    before, after = snapshots
    path = tpa.save_report(after, "report.html", by=None, before=before, privacy=tpa.Privacy(min_jobs=1000))
    assert "All figures are suppressed" in page(path)
    assert "<article" not in page(path)
    for key, rows in tables(path).items():
        assert not [row for row in rows if re.search(r"\d", "".join(row[2:]))], key


def test_people_are_counted_in_groups_of_people(snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    profiles = snapshots[1]
    path = tpa.save_report(profiles, "report.html", by="site", privacy=None)
    exposure = tpa.exposure(profiles, by="site", weight="headcount")
    assert {row[0]: row[2] for row in evidence(path)["tables"]["exposure"]["rows"]} == dict(
        exposure.select("site", "exposure").rows()
    )
    assert "A job counts in every site that has people in it, so sites overlap." in page(path)
    assert "weekly hours of all people" in page(path)
    unknown = replace(profiles, people=profiles.people.drop("headcount", "fte"))  # type: ignore[union-attr]
    assert "of all people" not in page(tpa.save_report(unknown, "report.html", by="site", privacy=None))


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "unknown column": ({"by": "contry"}, "`by`: 'contry' is not a column of the jobs, people or tasks (did you mean"),
    "number": ({"by": 3}, "`by` must be a column name, a list of different names, or None, not 3."),
    "jobs": ({"by": "job_id"}, "`by` must name columns that group jobs, not 'job_id'."),
    "unknown country": (
        {"by": "country", "groups": "BEE"},
        "`groups` must be the name of one country or None, not 'BEE' (did",
    ),
    "two countries": (
        {"by": "country", "groups": ["BE", "FR"]},
        "`groups` must be the name of one country or None, not 2 names. Write a report for each of them",
    ),
    "group of people": (
        {"by": "site", "groups": "Lyon"},
        "`groups` requires groups by columns of the jobs, and 'site' is",
    ),
    "jobs of people": ({"by": "site", "jobs": True}, "`jobs` requires groups by columns of the jobs, and 'site' is"),
    "group of all jobs": ({"by": None, "groups": "Finance"}, "`groups` must be None without `by`, not 'Finance'."),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_groups_raise(case: str, snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles], tmp_path: Path) -> None:
    arguments, message = INVALID[case]
    with pytest.raises((tpa.ShareError, tpa.SchemaError), match=re.escape(message)):
        tpa.save_report(snapshots[1], tmp_path / "report.html", **arguments)
    assert not list(tmp_path.iterdir())


def test_report_of_an_older_format_is_refused(
    snapshots: tuple[tpa.TaskProfiles, tpa.TaskProfiles], tmp_path: Path
) -> None:
    (tmp_path / "old.html").write_text('<script id="evidence-block">{"report": 1, "made": ""}</script>')
    with pytest.raises(tpa.ShareError, match=r"has evidence in format 1.* Verify it with the version that wrote it"):
        tpa.verify_report(tmp_path / "old.html", snapshots[1])


def test_a_history_is_refused() -> None:
    history = history_of(ODD)
    with pytest.raises(tpa.ArgumentError, match=r"`profiles` must be one snapshot, not a history. Pass history.at"):
        tpa.save_report(history, "report.html", by="as_of")
