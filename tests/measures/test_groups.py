"""Groups by columns of the jobs, people and tasks, and how their figures add up."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.companies import in_countries
from tests.helpers.plots import half_a_year_later
from tests.helpers.public_measures import odd
from tests.helpers.public_names import public_functions
from tests.helpers.random_profiles import companies
from tests.helpers.regroupings import all_unknown
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

FREED: dict[str, Any] = {"H1": (0.4, 0.7), "H2": 0.2, **dict.fromkeys(["H3", "H4", "H5", "H9", "höchst"], 0)}
#: Every public measure with `weight`, for all jobs together or by a column.
WEIGHTED: dict[str, Callable[..., pl.DataFrame]] = {
    "automation_candidates": lambda p, by, weight: tpa.automation_candidates(p, weight=weight, rounds=0),
    "automation_curve": lambda p, by, weight: tpa.automation_curve(p, weight=weight),
    "capacity": lambda p, by, weight: tpa.capacity(
        p, by=by, weight=weight, freed=FREED, adoption=0.5, realisation=0.5, contract_hours=40
    ),
    "exposure": lambda p, by, weight: tpa.exposure(p, by=by, weight=weight),
    "exposure_curve": lambda p, by, weight: tpa.exposure_curve(p, by=by, weight=weight),
    "exposure_ranking": lambda p, by, weight: tpa.exposure_ranking(p, by=by, weight=weight, rounds=100),
    "fragmentation": lambda p, by, weight: tpa.fragmentation(p, by=by, weight=weight, freed=FREED, realisation=0.5),
    "hours": lambda p, by, weight: tpa.hours(p, by=by, weight=weight),
    "hours_at_stake": lambda p, by, weight: tpa.hours_at_stake(p, by=by, weight=weight),
    "impact": lambda p, by, weight: tpa.impact(p, by=by, weight=weight),
    "skills": lambda p, by, weight: tpa.skills(p, by=by, weight=weight),
}
#: Sums of people-weighted figures, with the default weight.
SUMS = {
    "capacity": ["people", "headcount_hours", "capacity_low", "capacity_most"],
    "hours": ["headcount_hours"],
    "hours_at_stake": ["headcount_hours"],
    "impact": ["amount"],
    "skills": ["headcount", "amount"],
}
OVERLAP = "A job counts in every country that has people in it, so countries overlap."


def with_people(profiles: tpa.TaskProfiles, shares: list[int]) -> tpa.TaskProfiles:
    """Return the profiles with the people of each job in as many countries as there are shares."""
    counts = profiles.jobs.select("job_id", pl.col("headcount").cast(pl.Int64), "fte")
    total, parts = sum(shares), []
    for n, share in enumerate(shares):
        rest = pl.col("headcount") - sum((pl.col("headcount") * other // total for other in shares[1:]), pl.lit(0))
        headcount = rest if n == 0 else pl.col("headcount") * share // total
        parts.append(
            counts.select("job_id", country=pl.lit("ABC"[n]), headcount=headcount, fte=pl.col("fte") * share / total)
        )
    return with_cache(replace(profiles, people=pl.concat(parts)))


@pytest.fixture(scope="module")
def company() -> tpa.TaskProfiles:
    return with_cache(in_countries())


def test_every_measure_with_a_weight_is_listed() -> None:
    functions = public_functions("measures").items()
    weighted = {name for name, function in functions if "weight" in inspect.signature(function).parameters}
    assert weighted == {*WEIGHTED}


def check_split(profiles: tpa.TaskProfiles, shares: list[int], weight: Any) -> None:
    """Check that all figures for all jobs stay the same if people are split over countries."""
    together, split = with_people(profiles, [1]), with_people(profiles, shares)
    for measure in WEIGHTED.values():
        assert_frame_equal(measure(split, None, weight), measure(together, None, weight), abs_tol=1e-9)


@pytest.mark.parametrize("weight", ["headcount", "fte"])
def test_splitting_people_over_countries_leaves_company_figures_unchanged(weight: str) -> None:
    check_split(odd(), [3, 1, 1], weight)


@pytest.mark.slow
@hypothesis.given(
    profiles=companies,
    shares=st.lists(st.integers(1, 4), min_size=2, max_size=3),
    weight=st.sampled_from(["headcount", "fte"]),
)
def test_splitting_people_of_any_company(profiles: tpa.TaskProfiles, shares: list[int], weight: str) -> None:
    hypothesis.assume(not all_unknown(with_people(profiles, shares), weight))
    check_split(profiles, shares, weight)


@pytest.mark.parametrize("weight", ["headcount", "fte"])
@pytest.mark.parametrize("name", SUMS)
def test_people_weighted_figures_of_groups_add_up(company: tpa.TaskProfiles, name: str, weight: str) -> None:
    measure, columns = WEIGHTED[name], SUMS[name]
    columns = [weight if column == "people" else column.replace("headcount", weight) for column in columns]
    total = measure(company, None, weight).select(pl.col(columns).sum())
    by_country = measure(company, "country", weight)
    assert_frame_equal(by_country.select(pl.col(columns).sum()), total)
    by_both = measure(company, ["country", "job_family"], weight)
    over_families = by_both.group_by("country", maintain_order=True).agg(pl.col(columns).sum())
    expected = by_country.group_by("country").agg(pl.col(columns).sum())
    assert_frame_equal(over_families, expected, check_row_order=False)


def test_groups_by_two_columns_of_people_add_up_to_one() -> None:
    company = in_countries()
    grades = [
        company.people.with_columns(pay_grade=pl.lit(grade), headcount=pl.lit(n), fte=pl.lit(n / 2))
        for grade, n in ((6, 3), (7, 1))
    ]
    company = with_cache(replace(company, people=pl.concat(grades)))
    for measure, figure in ((tpa.impact, "amount"), (tpa.hours, "headcount_hours")):
        level = ["ai_impact_level"] * (measure is tpa.impact)
        both, one = measure(company, by=["country", "pay_grade"]), measure(company, by="country")
        sums = both.group_by("country", *level, maintain_order=True).agg(pl.col(figure).sum())
        expected = one.select("country", *level, pl.col(figure).fill_null(0))
        assert_frame_equal(sums, expected, check_row_order=False)
        assert_frame_equal(
            sums.select(pl.col(figure).sum()),
            measure(company, by=None, weight="headcount").select(pl.col(figure).sum()),
        )


@hypothesis.settings(max_examples=10)
@hypothesis.given(profiles=companies, seed=st.integers(1, 5))
def test_groups_by_two_columns_of_jobs_add_up_to_one(profiles: tpa.TaskProfiles, seed: int) -> None:
    site = ((pl.int_range(pl.len()) * seed) % 3).replace_strict([0, 1, 2], ["X", "Y", None], return_dtype=pl.String)
    profiles = with_cache(replace(profiles, jobs=profiles.jobs.with_columns(site=site)))
    for measure, counts in (
        (tpa.hours, ["jobs", "jobs_without_tasks", "tasks", "tasks_with_hours", "hours"]),
        (tpa.impact, ["tasks", "hours", "amount"]),
        (tpa.coverage, ["jobs", "tasks"]),
    ):
        keys = ["job_family", *(["ai_impact_level"] if measure is tpa.impact else [])]
        both = measure(profiles, by=["job_family", "site"]).group_by(keys).agg(pl.col(counts).sum())
        one = measure(profiles, by="job_family").group_by(keys).agg(pl.col(counts).sum())
        used = pl.col(counts[0]) > 0
        assert_frame_equal(both.filter(used), one.filter(used), check_row_order=False, abs_tol=1e-9)


@hypothesis.settings(max_examples=10)
@hypothesis.given(profiles=companies)
def test_jobs_count_in_each_group_of_tasks_where_they_have_one(profiles: tpa.TaskProfiles) -> None:
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    expected = counted.group_by("validation_state").agg(
        pl.col("job_id").n_unique().alias("jobs"), pl.len().alias("tasks")
    )
    for measure in (tpa.coverage, tpa.hours):
        result = measure(profiles, by="validation_state").select("validation_state", "jobs", "tasks")
        assert_frame_equal(result, expected, check_row_order=False, check_dtypes=False)
        note = "Jobs are counted in every validation state where they have at least one such task."
        assert note in tpa.about(measure(profiles, by="validation_state")).policy


# Candidates are counted by group, but their hours are of all jobs together.
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in WEIGHTED
        if "by" in inspect.signature(getattr(tpa, name)).parameters and name != "automation_candidates"
    ],
)
def test_people_are_the_default_weight_with_a_column_of_people(company: tpa.TaskProfiles, name: str) -> None:
    measure: Callable[..., pl.DataFrame] = WEIGHTED[name]
    default = inspect.signature(getattr(tpa, name)).parameters["weight"].default
    assert_frame_equal(measure(company, "country", default), measure(company, "country", "headcount"))
    meaning = tpa.about(measure(company, "country", default))
    assert meaning.basis == ("hours" if name == "hours_at_stake" else "headcount")
    fte = tpa.about(measure(company, "country", "fte"))
    assert fte.basis == ("hours" if name == "hours_at_stake" else "fte")
    if name not in {"exposure_curve", "hours_at_stake"}:
        assert OVERLAP not in fte.policy
        assert not [text for text in (str(fte),) if "headcount" in text.replace("headcount reduction", "")]


@pytest.mark.parametrize("weight", ["tasks", "hours"])
def test_metadata_count_each_task_once_if_groups_overlap(company: tpa.TaskProfiles, weight: Any) -> None:
    by_country, together = (tpa.about(tpa.impact(company, by=by, weight=weight)) for by in ("country", None))
    assert OVERLAP in by_country.policy
    for name in ("jobs", "tasks", "share_suggested", "share_imputed", "coverage", "grade"):
        assert getattr(by_country, name) == getattr(together, name), name
    assert by_country.share_suggested == pytest.approx(1 / 6)
    for measure in (tpa.coverage, tpa.concentration, tpa.overlap, tpa.skills):
        first, second = (tpa.about(measure(company, by=by)) for by in ("country", None))
        assert (first.jobs, first.tasks, first.share_suggested) == (12, 72, second.share_suggested)
        assert first.warnings == second.warnings
        assert (OVERLAP in first.policy) == (first.basis != "headcount")


def test_imputed_and_repeated_tasks_are_noted_once(company: tpa.TaskProfiles) -> None:
    tasks = company.tasks.with_columns(weekly_hours=pl.when(pl.int_range(pl.len()) % 6 > 0).then("weekly_hours"))
    tasks = tasks.with_columns(task_id=pl.col("task_id").replace("1", "2"))
    gaps = replace(company, tasks=tasks)
    imputed = tpa.impute_hours(gaps, method="equal_residual")
    by_country, together = (tpa.about(tpa.impact(imputed, by=by, weight="hours")) for by in ("country", None))
    assert by_country.warnings == together.warnings != ()
    by_country, together = (tpa.about(tpa.concentration(gaps, by=by)) for by in ("country", None))
    assert by_country.warnings == together.warnings != ()


def test_total_of_a_comparison_counts_each_job_once(company: tpa.TaskProfiles) -> None:
    later = half_a_year_later(company)
    by_country, together = (tpa.compare(company, later, by=by) for by in ("country", None))
    total = by_country.filter(scope="all").drop("country")
    assert_frame_equal(total, together)
    assert total["jobs_before"].item() == 12
    assert by_country.filter(scope="group")["jobs_before"].sum() == 24
    first, second = tpa.about(by_country), tpa.about(together)
    assert (first.jobs, first.tasks, first.coverage, first.warnings) == (
        second.jobs,
        second.tasks,
        second.coverage,
        second.warnings,
    )
    assert OVERLAP in first.policy
    one_country = company.filter(country="BE"), later.filter(country="BE")
    alone = tpa.compare(*one_country, by=None).drop("scope", "moved")
    assert_frame_equal(by_country.filter(country="BE").drop("country", "scope", "moved"), alone)


def test_total_change_in_exposure_counts_each_job_once(company: tpa.TaskProfiles) -> None:
    later = half_a_year_later(company)
    by_country, together = (tpa.compare_exposure(company, later, by=by) for by in ("country", None))
    total = by_country.filter(scope="all").row(0, named=True)
    expected = together.row(0, named=True)
    for name in ("exposure_before", "exposure_after", "change", "jobs_before", "tasks_after", "coverage_after"):
        assert total[name] == expected[name], name
    assert (total["contribution"], total["reason"]) == (None, "GROUPS_OVERLAP")
    groups = by_country.filter(scope="group")
    assert groups["contribution"].null_count() == 0
    assert OVERLAP in tpa.about(by_country).policy
    assert by_country.filter(country="BE").select("exposure_before", "exposure_after").row(0) == pytest.approx(
        tpa.compare_exposure(company.filter(country="BE"), later.filter(country="BE"), by=None)
        .select("exposure_before", "exposure_after")
        .row(0)
    )


# hierarchy ------------------------------------------------------------------------------------------------------------

PATHS = [["Finance", "Pay", "Payroll", "Run the payroll"], ["Finance"], [], None]


def placed(paths: list[list[str] | None]) -> tpa.TaskProfiles:
    """Return one job with a task for each path."""
    profiles = in_countries()
    first = profiles.jobs.head(1)
    tasks = profiles.tasks.filter(job_id=first["job_id"][0]).head(len(paths))
    hierarchy = pl.Series("hierarchy", paths, dtype=pl.List(pl.String))
    return tpa.TaskProfiles(first, tasks.with_columns(hierarchy))


def flat(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(frame.select(pl.col(pl.String, pl.Float64, pl.Int64)).to_dict(as_series=False))


def with_lists(profiles: tpa.TaskProfiles, lists: Any) -> tpa.TaskProfiles:
    return tpa.TaskProfiles(flat(profiles.jobs), flat(profiles.tasks).assign(hierarchy=lists))


def duck(frame: pl.DataFrame, name: str) -> Any:
    frame.write_parquet(name)
    return duckdb.read_parquet(name)


ENGINES: dict[str, Callable[[tpa.TaskProfiles], tpa.TaskProfiles]] = {
    "polars": lambda p: p,
    "polars lazy": lambda p: tpa.TaskProfiles(p.jobs.lazy(), p.tasks.lazy()),
    "duckdb": lambda p: tpa.TaskProfiles(duck(p.jobs, "jobs.parquet"), duck(p.tasks, "tasks.parquet")),
    "pandas": lambda p: with_lists(p, pd.Series(p.tasks["hierarchy"].to_list(), dtype=object)),
    "pandas, arrow": lambda p: with_lists(p, p.tasks["hierarchy"].to_pandas(use_pyarrow_extension_array=True)),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_tasks_without_a_place_have_no_domain(engine: str) -> None:
    profiles = ENGINES[engine](placed(PATHS))
    domains = tpa.impact(profiles, by="domain", weight="tasks")
    counts = domains.group_by("domain", maintain_order=True).agg(pl.col("tasks").sum())
    assert counts.rows() == [("Finance", 2), ("(no domain)", 2)]
    clusters = tpa.hours(profiles, by=["domain", "cluster"])
    assert set(clusters.select("domain", "cluster", "tasks").rows()) == {
        ("Finance", "Payroll", 1),
        ("Finance", "(no cluster)", 1),
        ("(no domain)", "(no cluster)", 2),
    }
    for paths in ([[], []], [None, None]):
        none = tpa.coverage(ENGINES[engine](placed(paths)), by="domain")
        assert none.select("domain", "tasks").rows() == [("(no domain)", 2)]


def test_hierarchy_that_is_no_list_raises() -> None:
    profiles = placed(PATHS)
    text = replace(profiles, tasks=profiles.tasks.with_columns(hierarchy=pl.lit("Finance > Pay")))
    for wrong in (text, tpa.TaskProfiles(flat(text.jobs), flat(text.tasks))):
        with pytest.raises(tpa.SchemaError, match=r"`hierarchy` of `tasks` must be lists of text, not (String|str)\."):
            tpa.impact(wrong, by="domain")
    empty = replace(profiles, tasks=profiles.tasks.with_columns(hierarchy=pl.lit(None)))
    assert tpa.coverage(empty, by="domain")["domain"].to_list() == ["(no domain)"]


# real data ------------------------------------------------------------------------------------------------------------


def made_up_roster(profiles: tpa.TaskProfiles) -> pl.DataFrame:
    """Return a row per person: 1 to 40 people in each job, in four countries and three pay grades."""
    jobs = profiles.jobs.select("job_id", n=pl.int_range(pl.len()) * 7 % 40 + 1)
    people = jobs.select(pl.col("job_id").repeat_by("n")).explode("job_id").with_row_index("person")
    number = pl.col("person") * 11 % 97
    return people.select(
        "job_id",
        employee_id=pl.format("e{}", "person"),
        country=pl.when(number < 50).then(pl.lit("US")).when(number < 80).then(pl.lit("CA")).otherwise(pl.lit("MX")),
        pay_grade=number % 3,
        fte=pl.when(number % 5 == 0).then(0.5).otherwise(1.0),
    )


@pytest.mark.slow
def test_real_data_with_a_made_up_roster_go_through_every_new_function(real: tpa.TaskProfiles) -> None:
    roster = made_up_roster(real)
    company = with_cache(tpa.assign_people(real, roster, by=["country", "pay_grade"]))
    assert company.people is not None
    assert company.people["headcount"].sum() == roster.height
    assert company.people["fte"].sum() == pytest.approx(roster["fte"].sum())
    us = company.filter(country="US")
    by_country = tpa.impact(company, by="country")
    alone = tpa.impact(us, by=None, weight="headcount")
    assert_frame_equal(
        by_country.filter(country="US").select("tasks", "amount", "share"), alone.select("tasks", "amount", "share")
    )
    for name, measure in WEIGHTED.items():
        if name in SUMS:
            columns = ["headcount" if column == "people" else column for column in SUMS[name]]
            total = measure(company, None, "headcount").select(pl.col(columns).sum())
            assert_frame_equal(measure(company, "country", "headcount").select(pl.col(columns).sum()), total)
            both = measure(company, ["country", "pay_grade"], "headcount").select(pl.col(columns).sum())
            assert_frame_equal(both, total)
        elif name != "exposure_ranking":
            shown = measure(company, "country", "fte")
            assert shown.height, name
    later = half_a_year_later(company)
    for change in (tpa.compare, tpa.compare_exposure, tpa.changed_tasks):
        shown = tpa.suppress(change(company, later, by="country"), later, company)
        assert set(shown["country"].drop_nulls()) <= {"CA", "MX", "US"}
        assert shown.height
    # These tasks have no skills.
    for plot in (tpa.plot_impact, tpa.plot_exposure, tpa.plot_exposure_curve, tpa.plot_overlap):
        text = str(plot(company, by="country").to_dict())
        assert "country" in text or "countries" in text
    assert "countries" in str(tpa.plot_compare(company, later, by="country").to_dict())
    for state, profiles in (("2026-05", company), ("2026-11", later)):
        source = {"kind": "sample", "state": state}
        tpa.write_profiles(replace(profiles, manifest={**profiles.manifest, "source": source}), f"history/{state}")
    history = tpa.read_history("history")
    trend = tpa.trend(history, by="country", measure="hours")
    assert trend.group_by("as_of").len()["len"].to_list() == [3, 3]
    assert tpa.suppress(trend, history).height == trend.height
    tpa.plot_trend(history, by="country", measure="hours")
    tables = tpa.from_frames(company.tasks.drop("job_family"), company.jobs)
    assert_frame_equal(
        tpa.hours(tables, by="job_family").select("job_family", "tasks"),
        tpa.hours(real, by="job_family").select("job_family", "tasks"),
    )
    assert tpa.save_report(company, "report.html", by="country", before=None).stat().st_size > 0
