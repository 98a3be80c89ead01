"""The chart of skills shows the figures of the measure, and explains what it cannot show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tpanalytics.formatting import percent
from tpanalytics.schema import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable


def title(chart: Any) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def labels(chart: Any) -> list[str]:
    """Return the names of the rows, in order."""
    spec = json.dumps(chart.to_dict())
    names = {
        row["name"]: row["place"] for rows in chart.to_dict()["datasets"].values() for row in rows if "name" in row
    }
    assert all(name.split(", ")[0] in spec for name in names)
    return sorted(names, key=lambda name: names[name])


def test_rows_are_all_tasks_and_the_skills_with_the_most_hours(sample: tpa.TaskProfiles) -> None:
    table = tpa.skills(sample)
    largest = table["skill"].unique(maintain_order=True).to_list()
    assert labels(tpa.plot_skills(sample, top=4)) == ["all tasks", *largest[1:5]]


def test_the_headline_is_a_range_of_shares_in_the_table(sample: tpa.TaskProfiles) -> None:
    names = labels(tpa.plot_skills(sample, top=5))
    h1 = tpa.skills(sample).filter(ai_impact_level="H1")
    shares = h1.filter(pl.col("skill").is_in(names[1:]) & pl.col("data_grade").is_in(["A", "B"]))["share"].sort()
    overall = h1.filter(skill="(all tasks)").item(0, "share")
    expected = f"{percent(shares[0])} to {percent(shares[-1])} of documented weekly hours are highly automatable"
    assert title(tpa.plot_skills(sample, top=5)).endswith(f"{expected} (all tasks: {percent(overall)})")


def test_tasks_without_skills_are_the_last_row(sample: tpa.TaskProfiles) -> None:
    some = pl.when(pl.int_range(pl.len()) % 3 > 0).then("linked_skills").alias("linked_skills")
    assert labels(tpa.plot_skills(replace(sample, tasks=sample.tasks.with_columns(some)), top=3))[-1] == "no skill"


def test_suppressed_skills_are_not_named(sample: tpa.TaskProfiles) -> None:
    jobs = tpa.skills(sample).filter(pl.col("skill_id").is_not_null()).unique("skill")
    rare = jobs.filter(pl.col("jobs") < 3)["skill"].to_list()
    spec = json.dumps(tpa.plot_skills(sample, top=40, weight="tasks").to_dict())
    assert rare
    assert "skills are suppressed (fewer than 3 jobs or 5 people" in spec
    assert not [skill for skill in rare if f'"{skill}"' in spec]


def test_a_group_is_drawn_on_its_own(sample: tpa.TaskProfiles) -> None:
    chart = tpa.plot_skills(sample, by="job_family", groups=["Finance"], top=3)
    assert labels(chart)[0] == "all tasks"
    assert "Finance, the 3 of " in chart.to_dict()["title"]["subtitle"]
    pairs = labels(tpa.plot_skills(sample, by="job_family", groups=["Finance", "Sales"], top=6))
    assert all(name.endswith((", Finance", ", Sales")) for name in pairs)


def without_skills(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(sample, tasks=sample.tasks.drop("linked_skills"))


def with_empty_lists(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    empty = pl.lit([], dtype=TASKS["linked_skills"])
    return replace(sample, tasks=sample.tasks.with_columns(linked_skills=empty))


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (lambda p: tpa.plot_skills(without_skills(p)), "Skills were not requested when loading"),
        (lambda p: tpa.plot_skills(with_empty_lists(p), privacy=None), "No task has a skill"),
        (lambda p: tpa.plot_skills(p, privacy=tpa.Privacy(min_jobs=10_000)), "All skills are suppressed"),
        (
            lambda p: tpa.plot_skills(replace(p, tasks=p.tasks.with_columns(weekly_hours=pl.lit(None, pl.Float64)))),
            "AI impact of skills cannot be shown: no task has hours above 0",
        ),
        (
            lambda p: tpa.plot_skills(replace(p, tasks=p.tasks.with_columns(ai_impact_level=pl.lit("H4")))),
            "No task of these skills is rated H1, highly automatable",
        ),
    ],
)
def test_the_title_says_why_there_is_nothing_to_show(
    sample: tpa.TaskProfiles, draw: Callable[[tpa.TaskProfiles], Any], text: str
) -> None:
    assert title(draw(sample)).startswith(text)


@pytest.mark.parametrize("top", [0, 41, True, "5"])
def test_invalid_numbers_of_skills_raise(sample: tpa.TaskProfiles, top: Any) -> None:
    with pytest.raises(tpa.ArgumentError, match="`top` must be a whole number from 1 to 40, not"):
        tpa.plot_skills(sample, top=top)


def test_jobs_are_groups_as_well(sample: tpa.TaskProfiles) -> None:
    one = sample.filter(job_family="Finance")
    job = one.jobs.item(0, "job_id")
    assert labels(tpa.plot_skills(one, by="job_id", groups=[job], privacy=None, top=3))[0] == "all tasks"
    curve = tpa.plot_exposure_curve(one, by="job_id", groups=[job], privacy=None)
    assert title(curve).startswith(f"{job}: ")
