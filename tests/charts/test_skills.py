"""The chart of skills shows the figures of the measure, and explains what it cannot show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tpanalytics.formatting import percent
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.schema import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def few(sample: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return two families, in which some tasks have no skill."""
    some = pl.when(pl.int_range(pl.len()) % 7 > 0).then("linked_skills").alias("linked_skills")
    part = sample.filter(job_family=["Finance", "Sales"])
    return with_cache(replace(part, tasks=part.tasks.with_columns(some)))


@pytest.fixture(scope="module")
def drawn(few: tpa.TaskProfiles) -> dict[str, Any]:
    spec: dict[str, Any] = tpa.plot_skills(few, top=5).to_dict()
    return spec


def title(spec: dict[str, Any]) -> str:
    return " ".join(spec["title"]["text"])


def labels(spec: dict[str, Any]) -> list[str]:
    """Return the names of the rows, in order."""
    names = {row["name"]: row["place"] for rows in spec["datasets"].values() for row in rows if "name" in row}
    text = json.dumps(spec)
    assert all(name.split(", ")[0] in text for name in names)
    return sorted(names, key=lambda name: names[name])


def test_rows_are_all_tasks_and_the_skills_with_the_most_hours(few: tpa.TaskProfiles, drawn: dict[str, Any]) -> None:
    shown = tpa.suppress(tpa.skills(few, by=None), few)
    largest = shown["skill"].unique(maintain_order=True).to_list()
    assert labels(drawn) == ["all tasks", *largest[1:6], "no skill"]


def test_the_headline_names_the_skill_with_the_largest_share(few: tpa.TaskProfiles, drawn: dict[str, Any]) -> None:
    h1 = tpa.skills(few, by=None).filter(ai_impact_level="H1")
    names, safe = labels(drawn)[1:-1], pl.col("data_grade").is_in(["A", "B"])
    largest = h1.filter(pl.col("skill").is_in(names) & safe).sort("share").row(-1, named=True)
    overall = h1.filter(skill="(all tasks)").item(0, "share")
    assert title(drawn).startswith(f"{largest['skill']} has the largest highly automatable share of the ")
    expected = f"{percent(largest['share'])} of documented weekly hours (all tasks: {percent(overall)})"
    assert title(drawn).endswith(expected)


def test_suppressed_skills_are_not_named(few: tpa.TaskProfiles) -> None:
    jobs = tpa.skills(few, by=None).filter(pl.col("skill_id").is_not_null()).unique("skill")
    rare = jobs.filter(pl.col("jobs") < 3)["skill"].to_list()
    spec = json.dumps(tpa.plot_skills(few, by=None, top=40, weight="tasks").to_dict())
    assert rare
    assert "skills are suppressed (fewer than 3 jobs or 5 people" in spec
    assert not [skill for skill in rare if f'"{skill}"' in spec]


def test_rows_are_pairs_of_family_and_skill(few: tpa.TaskProfiles) -> None:
    spec = tpa.plot_skills(few, by="job_family", top=6).to_dict()
    assert all(name.endswith((", Finance", ", Sales")) for name in labels(spec))
    assert "the 6 of " in spec["title"]["subtitle"]
    assert "pairs of job family and skill with the most hours" in spec["title"]["subtitle"]


def test_a_group_is_drawn_on_its_own(few: tpa.TaskProfiles) -> None:
    spec = tpa.plot_skills(few, by="job_family", groups=["Finance"], top=3).to_dict()
    assert labels(spec)[0] == "all tasks"
    assert "Finance, the 3 of " in spec["title"]["subtitle"]


def with_column(profiles: tpa.TaskProfiles, **columns: pl.Expr) -> tpa.TaskProfiles:
    return replace(profiles, tasks=profiles.tasks.with_columns(**columns))


def without_skills(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return replace(profiles, tasks=profiles.tasks.drop("linked_skills"))


def with_empty_lists(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    return with_column(profiles, linked_skills=pl.lit([], dtype=TASKS["linked_skills"]))


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (lambda p: tpa.plot_skills(without_skills(p), by=None), "Skills were not requested when loading"),
        (lambda p: tpa.plot_skills(with_empty_lists(p), by=None, privacy=None), "No task has a skill"),
        (lambda p: tpa.plot_skills(p, by=None, privacy=tpa.Privacy(min_jobs=10_000)), "All skills are suppressed"),
        (
            lambda p: tpa.plot_skills(with_column(p, weekly_hours=pl.lit(None, pl.Float64)), by=None),
            "AI impact of skills cannot be shown: no task has hours above 0",
        ),
        (
            lambda p: tpa.plot_skills(with_column(p, ai_impact_level=pl.lit("H4")), by=None, top=3),
            "No task of these skills is rated H1, highly automatable",
        ),
    ],
)
def test_the_title_says_why_there_is_nothing_to_show(
    few: tpa.TaskProfiles, draw: Callable[[tpa.TaskProfiles], Any], text: str
) -> None:
    assert title(draw(few).to_dict()).startswith(text)


@pytest.mark.parametrize("top", [0, 41, True, "5"])
def test_invalid_numbers_of_skills_raise(few: tpa.TaskProfiles, top: Any) -> None:
    with pytest.raises(tpa.ArgumentError, match="`top` must be a whole number from 1 to 40, not"):
        tpa.plot_skills(few, top=top)


def test_jobs_are_groups_as_well(few: tpa.TaskProfiles) -> None:
    one = few.filter(pl.col("job_id").is_in(few.jobs.head(3)["job_id"].to_list()))
    job = one.jobs.item(0, "job_id")
    skills = tpa.plot_skills(one, by="job_id", groups=[job], privacy=None, top=3).to_dict()
    assert labels(skills)[0] == "all tasks"
    curve = tpa.plot_exposure_curve(one, by="job_id", groups=[job], privacy=None).to_dict()
    assert title(curve).startswith(f"{one.jobs.item(0, 'job_name')}: ")
