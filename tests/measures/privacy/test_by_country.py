"""Results by country are suppressed by country, not by job family."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tpanalytics as tpa
from tests.helpers.companies import in_countries
from tests.helpers.histories import DAYS, history_of
from tests.helpers.plots import half_a_year_later
from tests.helpers.public_names import public_functions
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

#: Countries with a single job each.
SMALL = ["FR", "IE", "LU"]
LARGE = ["BE", "DE", "NL"]
FREED = {"H1": (0.4, 0.7), "H2": 0.2, "H3": 0.0}
Measure = tuple[tpa.TaskProfiles, tpa.TaskProfiles]


def history(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> tpa.History:
    return history_of({("company", DAYS[0]): before, ("company", DAYS[1]): after})


#: Every public measure with `by`, from the later snapshot `p` and the earlier one `b`.
BY_COUNTRY: dict[str, Callable[..., Any]] = {
    "break_even": lambda b, p, by: tpa.break_even(p, by=by),
    "capacity": lambda b, p, by: tpa.capacity(
        p, by=by, freed=FREED, adoption=0.5, realisation=0.5, contract_hours=40, weight="headcount"
    ),
    "changed_tasks": lambda b, p, by: tpa.changed_tasks(b, p, by=by),
    "compare": lambda b, p, by: tpa.compare(b, p, by=by, level="H3"),
    "compare_exposure": lambda b, p, by: tpa.compare_exposure(b, p, by=by),
    "concentration": lambda b, p, by: tpa.concentration(p, by=by),
    "concentration_curve": lambda b, p, by: tpa.concentration_curve(p, by=by),
    "coverage": lambda b, p, by: tpa.coverage(p, by=by),
    "exposure": lambda b, p, by: tpa.exposure(p, by=by),
    "exposure_curve": lambda b, p, by: tpa.exposure_curve(p, by=by),
    "find_tasks": lambda b, p, by: tpa.find_tasks(p, "care", by=by),
    "fragmentation": lambda b, p, by: tpa.fragmentation(p, by=by, freed=FREED, realisation=1, weight="headcount"),
    "hours": lambda b, p, by: tpa.hours(p, by=by),
    "hours_at_stake": lambda b, p, by: tpa.hours_at_stake(p, by=by, level="H3", weight="headcount"),
    "impact": lambda b, p, by: tpa.impact(p, by=by),
    "overlap": lambda b, p, by: tpa.overlap(p, by=by),
    "skills": lambda b, p, by: tpa.skills(p, by=by),
    "trend": lambda b, p, by: tpa.trend(history(b, p), by=by),
}
#: Measures with `by` that `suppress` cannot protect, with a part of the error.
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "automation_candidates": (
        lambda p: tpa.automation_candidates(p, by="country", rounds=0),
        "cannot protect the result of automation_candidates",
    ),
    "check_claim": (lambda p: tpa.check_claim(p, "BE > LU", by="country", rounds=100), "must be a Polars DataFrame"),
    "compare_groups": (
        lambda p: tpa.compare_groups(p, "BE", "LU", category="task_id", by="country"),
        "cannot protect the result of compare_groups, .* shows both groups in a result by country",
    ),
    "exposure_ranking": (lambda p: tpa.exposure_ranking(p, by="country", rounds=100), "columns about single jobs"),
}
#: Results about all jobs together that name single tasks.
OF_TASKS: dict[str, Callable[..., pl.DataFrame]] = {
    "automation_candidates": lambda p: tpa.automation_candidates(p, rounds=0),
    "automation_curve": tpa.automation_curve,
    "shared_tasks": tpa.shared_tasks,
}
OF_TWO = {"changed_tasks", "compare", "compare_exposure"}
#: Columns of a suppressed row that may have a value, besides the groups.
KEPT = {"ai_impact_level", "as_of", "basis", "block_hours", "group_a", "group_b", "jobs", "previous", "reason", "scope"}
KEPT |= {"level", "part", "work"}


def with_skills(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    skill = pl.concat_list(pl.struct(skill_id=pl.lit("s"), skill=pl.lit("Writing")))
    return with_cache(replace(profiles, tasks=profiles.tasks.with_columns(linked_skills=skill)))


def of_jobs(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the same small countries as a column of the jobs."""
    people = profiles.people.group_by("job_id").agg(pl.col("country").min(), pl.col("headcount", "fte").sum())
    jobs = profiles.jobs.drop("headcount", "fte").join(people, on="job_id", how="left", maintain_order="left")
    return with_cache(replace(profiles, jobs=jobs, people=None))


@pytest.fixture(scope="module")
def companies() -> dict[str, tuple[tpa.TaskProfiles, tpa.TaskProfiles]]:
    before = with_skills(in_countries(*SMALL))
    people = (before, with_cache(half_a_year_later(before)))
    return {"people": people, "jobs": (of_jobs(people[0]), of_jobs(people[1]))}


def test_every_measure_by_group_is_listed() -> None:
    with_by = {
        name
        for name, function in public_functions("measures").items()
        if "by" in inspect.signature(function).parameters
    }
    assert with_by == {*BY_COUNTRY, *REFUSED}


@pytest.mark.parametrize("table", ["people", "jobs"])
@pytest.mark.parametrize("name", BY_COUNTRY)
def test_no_figure_of_a_small_country_remains(companies: dict[str, Measure], name: str, table: str) -> None:
    before, after = companies[table]
    result = BY_COUNTRY[name](before, after, "country")
    profiles = history(before, after) if name == "trend" else after
    shown = tpa.suppress(result, profiles, before if name in OF_TWO else None, privacy=tpa.Privacy(min_headcount=3))
    countries = [name for name in ("country", "group_a", "group_b") if name in shown.columns]
    in_small = pl.any_horizontal(pl.col(countries).is_in(SMALL)).fill_null(value=False)
    if name not in {"break_even", "changed_tasks"}:  # there the small countries have no rows
        assert result.filter(in_small).height, "the small countries are in the result"
    if "job_id" in shown.columns:
        assert not shown.filter(in_small).height
    figures = shown.filter(in_small).drop(*KEPT, "country", strict=False)
    assert all(column.null_count() == figures.height for column in figures), name
    in_large = pl.all_horizontal(pl.col(countries).is_in(LARGE))
    large = shown.filter(in_large).drop(*KEPT, *countries, strict=False)
    assert name == "break_even" or any(column.count() for column in large), "other countries are shown"


@pytest.mark.parametrize("name", REFUSED)
def test_results_that_cannot_be_protected_raise(companies: dict[str, Measure], name: str) -> None:
    _, after = companies["people"]
    measure, message = REFUSED[name]
    with pytest.raises(tpa.SchemaError, match=message):
        tpa.suppress(measure(after), after)


@pytest.mark.parametrize("name", OF_TASKS)
def test_rankings_of_tasks_name_the_way_out(companies: dict[str, Measure], name: str) -> None:
    _, after = companies["people"]
    result = OF_TASKS[name](after)
    with pytest.raises(tpa.SchemaError, match=rf"cannot protect the result of {name}, .* Pass .* to {name}"):
        tpa.suppress(result, after)
    assert tpa.about(result).by == ()


def test_tasks_of_few_jobs_are_left_out_of_rankings_without_job_families() -> None:
    company = in_countries(*SMALL)
    company = replace(company, jobs=company.jobs.drop("job_family"), tasks=company.tasks.drop("job_family"))
    for measure in (tpa.automation_candidates, tpa.automation_curve):
        assert "x" not in measure(company, privacy=tpa.Privacy())["task_key"]
    candidates = tpa.automation_candidates(company, rounds=0)
    assert candidates.height
    assert candidates["families"].null_count() == candidates.height


def test_results_of_all_jobs_are_suppressed_by_all_jobs(companies: dict[str, Measure]) -> None:
    before, after = companies["people"]
    names = [f"F{n}" for n in range(after.jobs.height)]
    one_job_each = [
        with_cache(replace(side, jobs=side.jobs.with_columns(job_family=pl.Series(names)))) for side in (before, after)
    ]
    moves, curve = tpa.transitions(*one_job_each), tpa.concentration_curve(one_job_each[1])
    shown = tpa.suppress(moves, one_job_each[1], one_job_each[0])
    assert shown.filter(pl.col("reason").is_null()).height > 0
    points = tpa.suppress(curve, one_job_each[1])
    assert points.filter(part="all").equals(curve.filter(part="all").with_columns(reason=pl.lit(None, pl.String)))
    few = tpa.Privacy(min_jobs=50)
    assert not tpa.suppress(moves, one_job_each[1], one_job_each[0], privacy=few).height
    none = tpa.suppress(curve, one_job_each[1], privacy=few)
    assert none.select("part", "k", "share_of_hours", "tasks_for_80", "reason").rows() == [
        ("all", None, None, None, "SUPPRESSED"),
        ("H1", None, None, None, "SUPPRESSED"),
    ]
    bridge = tpa.plot_compare(*one_job_each).to_dict()
    assert "uppressed" not in str(bridge)
    assert "All figures are suppressed" in str(tpa.plot_compare(*one_job_each, privacy=few).to_dict()["title"])


def test_curve_of_a_part_with_few_jobs_is_suppressed() -> None:
    company = in_countries()
    first = company.jobs["job_id"][0]
    level = pl.when((pl.col("job_id") != first) & (pl.col("ai_impact_level") == "H1")).then(pl.lit("H2"))
    tasks = company.tasks.with_columns(ai_impact_level=level.otherwise("ai_impact_level"))
    company = replace(company, tasks=tasks)
    shown = tpa.suppress(tpa.concentration_curve(company), company)
    assert shown.filter(part="H1").drop("part").row(0) == (None,) * 6 + ("SUPPRESSED",)
    assert shown.filter(part="all")["reason"].null_count() == shown.height - 1
    text = str(tpa.plot_concentration(company).to_dict())
    assert "suppressed (small group)" in text
    assert "H1 hours" not in text


def test_jobs_are_suppressed_within_their_country(companies: dict[str, Measure]) -> None:
    _, after = companies["people"]
    result = tpa.hours(after, by=["country", "job_id"])
    shown = tpa.suppress(result, after)
    assert not set(SMALL) & set(shown["country"])
    # Each job has 4 people in a country, so all rows are too small by themselves.
    assert not shown.height
    lenient = tpa.Privacy(min_headcount=3)
    by_country = tpa.suppress(result, after, privacy=lenient)
    assert set(by_country["country"]) == set(LARGE)
    assert "their countries have fewer than 3 people" in tpa.about(by_country).policy[-1]
    by_family = tpa.suppress(tpa.hours(after, by="job_id"), after, privacy=lenient)
    in_shown_jobs = pl.col("job_id").is_in(by_family["job_id"].implode())
    assert by_country.height == result.filter(pl.col("country").is_in(LARGE) & in_shown_jobs).height
    assert "their families have fewer than 3 people" in tpa.about(by_family).policy[-1]
    single = replace(after, jobs=after.jobs.drop("job_family"), tasks=after.tasks.drop("job_family"))
    everything = tpa.suppress(tpa.hours(single, by="job_id"), single, privacy=lenient)
    assert "they have fewer than 3 people" in tpa.about(everything).policy[-1]


def test_release_next_to_an_earlier_result_compares_the_same_countries(companies: dict[str, Measure]) -> None:
    _, after = companies["people"]
    first = after.jobs["job_id"][0]
    fewer = with_cache(after.filter(job_id=[job for job in after.jobs["job_id"] if job != first]))
    privacy = tpa.Privacy(min_headcount=0)
    released = tpa.suppress(tpa.coverage(after, by="country"), after, privacy=privacy)
    later = tpa.suppress(tpa.coverage(fewer, by="country"), fewer, released=(released, after), privacy=privacy)
    shown = set(later.filter(pl.col("reason").is_null())["country"])
    changed = set(after.people.filter(job_id=first)["country"])
    assert not shown & changed, "the difference reveals a single job"
    assert shown
    with pytest.raises(tpa.ArgumentError, match="must have the same groups as `result`"):
        tpa.suppress(tpa.coverage(after, by="country"), after, released=tpa.coverage(after))


def test_pairs_with_a_suppressed_group_are_removed(sample: tpa.TaskProfiles) -> None:
    pairs, privacy = tpa.break_even(sample), tpa.Privacy(min_jobs=8)
    hidden = tpa.suppress(tpa.coverage(sample), sample, privacy=privacy).filter(reason="SUPPRESSED")["job_family"]
    in_hidden = pl.any_horizontal(pl.col("group_a", "group_b").is_in(hidden.to_list()))
    assert pairs.filter(in_hidden).height
    assert tpa.suppress(pairs, sample, privacy=privacy).equals(pairs.filter(~in_hidden))
    assert tpa.suppress(pairs, sample, privacy=None).equals(pairs)
    with pytest.raises(tpa.SchemaError, match="compares single jobs"):
        tpa.suppress(tpa.overlap(sample.filter(job_family="Finance"), by="job_id"), sample)


@pytest.mark.parametrize("people", ["headcount", "fte"])
def test_full_time_equivalents_count_where_people_are_unknown_and_say_so(people: str) -> None:
    company = in_countries()
    other = "fte" if people == "headcount" else "headcount"
    company = replace(company, people=company.people.with_columns(pl.lit(None).cast(pl.Float64).alias(other)))
    note = "Full-time equivalents count as people in jobs whose people are unknown."
    # There are 32 people, or 24 full-time equivalents, in each country.
    privacy = tpa.Privacy(min_headcount=30)
    shown = tpa.suppress(tpa.coverage(company, by="country"), company, privacy=privacy)
    assert (shown["reason"].to_list() == ["SUPPRESSED"] * 3) == (people == "fte")
    chart = tpa.plot_coverage(company, by="country", privacy=privacy).to_dict()
    for text in (str(tpa.about(shown)), str(chart).replace("', '", " ")):
        assert (note in text) == (people == "fte")
    only_jobs = tpa.Privacy(min_headcount=0)
    assert note not in str(tpa.about(tpa.suppress(tpa.coverage(company, by="country"), company, privacy=only_jobs)))
