"""Figures by people if some of them are unknown, or if jobs have no people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.companies import in_countries
from tests.helpers.random_profiles import profiles_of
from tests.helpers.regroupings import all_unknown, companies_with_groups

if TYPE_CHECKING:
    from collections.abc import Callable

#: Measures whose sums over groups are those of all jobs, with the names of these sums for the weight "headcount".
SUMS: dict[str, tuple[Callable[..., pl.DataFrame], str]] = {
    "hours": (tpa.hours, "headcount_hours"),
    "hours_at_stake": (tpa.hours_at_stake, "headcount_hours_low"),
    "impact": (tpa.impact, "amount"),
}


def company(*jobs: dict[str, Any], people: list[tuple[Any, ...]]) -> tpa.TaskProfiles:
    """Return a company with a validated H1 task in each job, and a row of people per tuple (job, country, …)."""
    profiles = profiles_of(
        [
            {
                "job_family": "A",
                "tasks": [{"task_id": "a", "validation_state": "validated", "ai_impact_level": "H1", **job}],
            }
            for job in jobs
        ]
    )
    schema = {"job_id": pl.String, "country": pl.String, "headcount": pl.Int64, "fte": pl.Float64}
    return replace(profiles, people=pl.DataFrame(people, schema=schema, orient="row"))


def notes(result: pl.DataFrame) -> list[str]:
    return [text for text in tpa.about(result).policy if "people" in text]


@pytest.mark.parametrize("name", ["hours", *(pytest.param(name, marks=pytest.mark.slow) for name in [*SUMS][1:])])
@hypothesis.settings(max_examples=12)
@hypothesis.given(profiles=companies_with_groups, weight=st.sampled_from(["headcount", "fte"]))
def test_parts_add_up_if_some_people_are_unknown(name: str, profiles: tpa.TaskProfiles, weight: str) -> None:
    hypothesis.assume(not all_unknown(profiles, weight))
    measure, column = SUMS[name]
    figure = column.replace("headcount", weight)

    def summed(by: list[str], over: list[str]) -> dict[Any, float]:
        rows = pl.DataFrame(measure(profiles, by=by or None, weight=weight))
        sums = rows.group_by(over or pl.lit(0)).agg(pl.col(figure).sum())
        return {row[:-1]: pytest.approx(row[-1]) for row in sums.rows() if row[-1]}

    for parts, whole in (
        (["country"], []),
        (["job_family"], []),
        (["country", "contract"], ["country"]),
        (["country", "job_id"], ["country"]),
        (["job_family", "contract"], ["job_family"]),
    ):
        assert summed(parts, whole) == summed(whole, whole)


@hypothesis.settings(max_examples=15)
@hypothesis.given(profiles=companies_with_groups, by=st.sampled_from([None, "country", "job_family"]))
def test_unknown_people_never_count_as_zero(profiles: tpa.TaskProfiles, by: Any) -> None:
    hypothesis.assume(not all_unknown(profiles, "fte"))
    result = pl.DataFrame(tpa.hours(profiles, by=by, weight="fte"))
    documented = tpa.hours(profiles, by="job_id")
    with_hours = documented.filter(pl.col("hours") > 0)["job_id"]
    jobs = profiles.jobs.select("job_id", "job_family")
    people = profiles.people.join(jobs, on="job_id").filter(pl.col("job_id").is_in(with_hours.implode()))
    labels = {} if by is None else {by: pl.col(by).fill_null(f"(no {by.replace('_', ' ')})")}
    counted = (
        people.with_columns(**labels)
        .group_by(by or pl.lit(0))
        .agg(pl.col("fte").sum().alias("known"), unknown=pl.col("fte").is_null().any())
    )
    only_unknown = counted.filter(pl.col("unknown") & (pl.col("known") == 0))
    rows = (
        result
        if by is None and only_unknown.height
        else result.clear()
        if by is None
        else result.join(only_unknown, on=by)
    )
    assert rows["fte_hours"].is_null().all()
    assert (rows["reason"] == "NO_HEADCOUNT").all()


def test_unknown_counts_are_left_out_of_every_grouping() -> None:
    profiles = company(
        {"weekly_hours": 20.0},
        {"weekly_hours": 10.0},
        people=[("j000", "BE", 3, 1.0), ("j000", "FI", None, None), ("j001", "BE", 2, 0.5), ("j001", "FI", 1, 0.0)],
    )
    by_country, together = tpa.hours(profiles, by="country"), tpa.hours(profiles, by=None, weight="headcount")
    assert by_country.select("country", "headcount_hours").rows() == [("BE", 80.0), ("FI", 10.0)]
    assert together["headcount_hours"].to_list() == [90.0]
    assert "1 of 4 rows of people have no headcount and are excluded." in notes(together)
    assert "1 of 4 rows of people have no headcount and are excluded." in notes(by_country)
    in_fte = tpa.hours(profiles, by="country", weight="fte")
    assert in_fte.select("country", "fte_hours", "reason").rows() == [("BE", 25.0, None), ("FI", None, "NO_HEADCOUNT")]
    assert tpa.impact(profiles, by="country", weight="fte")["amount"].to_list() == [25.0, None]
    assert "1 of 4 rows of people have no full-time equivalents and are excluded." in notes(in_fte)
    assert notes(tpa.hours(profiles, by=None)) == []


def without_people_in_one_job() -> tpa.TaskProfiles:
    profiles = in_countries()
    first = profiles.jobs["job_id"][0]
    return replace(profiles, people=profiles.people.filter(pl.col("job_id") != first))


@pytest.mark.parametrize(
    "measure", [tpa.hours, tpa.impact, tpa.exposure, tpa.hours_at_stake, tpa.exposure_ranking, tpa.skills]
)
def test_jobs_without_people_are_in_no_group_of_people(measure: Callable[..., pl.DataFrame]) -> None:
    profiles = without_people_in_one_job()
    result = measure(profiles, by="country")
    assert "(no country)" not in result["country"]
    assert "1 job has no people and is in no country." in notes(result)
    everyone = tpa.about(tpa.hours(profiles, by=None))
    assert tpa.about(result).jobs == everyone.jobs - 1
    # The metadata describe the jobs that are counted.
    job = profiles.jobs["job_id"][0]
    expected = tpa.about(measure(profiles.filter(pl.col("job_id") != job), by="country"))
    assert tpa.about(result).share_suggested == pytest.approx(expected.share_suggested)
    assert tpa.about(result).tasks == expected.tasks


@pytest.mark.parametrize("weight", ["tasks", "hours"])
def test_jobs_without_people_keep_their_group_if_people_are_not_counted(weight: Any) -> None:
    result = tpa.impact(without_people_in_one_job(), by="country", weight=weight)
    assert result.filter(country="(no country)")["jobs"].unique().to_list() == [1]
    assert notes(result) == ["A job counts in every country that has people in it, so countries overlap."]


def test_people_without_a_country_keep_their_group() -> None:
    profiles = without_people_in_one_job()
    some = pl.col("job_id").is_in(profiles.jobs["job_id"].tail(9).implode())
    people = profiles.people.with_columns(country=pl.when(~some).then("country"))
    result = tpa.hours(replace(profiles, people=people), by="country")
    assert result.filter(country="(no country)")["jobs"].to_list() == [9]


def test_jobs_without_people_suppress_no_country() -> None:
    profiles = without_people_in_one_job()
    for measure in (tpa.hours, tpa.impact, tpa.exposure, tpa.hours_at_stake):
        shown = tpa.suppress(measure(profiles, by="country"), profiles)
        expected = tpa.suppress(measure(in_countries(), by="country"), in_countries())
        assert (
            shown.filter(reason="SUPPRESSED")["country"].unique().sort().to_list()
            == expected.filter(reason="SUPPRESSED")["country"].unique().sort().to_list()
        )


def test_charts_state_the_jobs_without_people() -> None:
    profiles = without_people_in_one_job()
    note = "1 job has no people and is in no country."
    for plot in (tpa.plot_impact, tpa.plot_exposure_curve):
        chart = plot(profiles, by="country").to_dict()
        assert note in str(chart), plot.__name__


def test_a_weight_that_no_row_of_people_knows_raises() -> None:
    profiles = in_countries()
    profiles = replace(profiles, people=profiles.people.with_columns(fte=pl.lit(None, dtype=pl.Float64)))
    for call in (
        lambda: tpa.impact(profiles, by="country", weight="fte"),
        lambda: tpa.skills(profiles, by=None, weight="fte"),
        lambda: tpa.exposure_curve(profiles, weight="fte"),
    ):
        with pytest.raises(tpa.SchemaError, match=r"`fte` is unknown in all rows .*or use weight='headcount'"):
            call()


@pytest.mark.parametrize("name", ["headcount_band", "people", "fte_band"])
def test_group_columns_keep_their_name_with_any_weight(name: str) -> None:
    profiles = in_countries()
    profiles = replace(profiles, jobs=profiles.jobs.with_columns(pl.lit("a").alias(name)))
    freed = {"H1": 0.5, "H2": 0.2, "H3": 0.0}
    for weight in ("headcount", "fte"):
        for result in (
            tpa.hours_at_stake(profiles, by=name, weight=weight),
            tpa.capacity(profiles, by=name, weight=weight, freed=freed),
            tpa.fragmentation(profiles, by=name, weight=weight, freed=freed, realisation=0.5),
        ):
            assert result.columns[0] == name
            assert any(column.startswith(weight) for column in result.columns[1:])


def test_a_value_like_a_missing_one_is_a_group_of_its_own() -> None:
    profiles = in_countries()
    values = pl.Series("Pay Grade", [None, "(no Pay Grade)", "A"] * 4)
    profiles = replace(profiles, jobs=profiles.jobs.with_columns(values))
    result = tpa.hours(profiles, by="Pay Grade")
    assert sorted(result["Pay Grade"]) == ['"(no Pay Grade)"', "(no Pay Grade)", "A"]
    assert result["jobs"].to_list() == [4, 4, 4]
    shown = tpa.suppress(tpa.hours(profiles, by=["Pay Grade", "country"]), profiles)
    assert not shown.select("Pay Grade", "country").is_duplicated().any()


@pytest.mark.parametrize("weight", ["headcount", "hours"])
def test_jobs_without_people_suppress_no_skill_or_curve(weight: Any) -> None:
    profiles, complete = without_people_in_one_job(), in_countries()
    skill = pl.lit([{"skill_id": "s", "skill": "Excel"}], dtype=complete.tasks.schema["linked_skills"])
    profiles, complete = (
        replace(each, tasks=each.tasks.with_columns(linked_skills=skill)) for each in (profiles, complete)
    )
    results = [tpa.suppress(tpa.skills(each, by="country", weight=weight), each) for each in (profiles, complete)]
    hidden = [set(each.filter(reason="SUPPRESSED")["country"]) for each in results]
    assert hidden[1] == set()
    if weight == "headcount":
        assert hidden[0] == set()
        for by in ("country", ["job_family_group", "country"]):
            curve, skills = tpa.exposure_curve(profiles, by=by), tpa.skills(profiles, by=by)
            assert tpa.suppress(curve, profiles).filter(at_least=0)["share"].null_count() == 0
            assert tpa.suppress(skills, profiles)["reason"].null_count() == skills.height
    else:
        assert "(no country)" in hidden[0]
