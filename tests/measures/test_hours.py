"""Every figure per family equals what SQL written apart from our code says, on any data, and no gap becomes a zero."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import companies, profiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES: dict[str, Callable[[tpa.TaskProfiles], pl.DataFrame]] = {
    "coverage": tpa.coverage,
    "hours": tpa.hours,
    "hours, complete jobs": lambda profiles: tpa.hours(profiles, complete_only=True),
    "impact by tasks": lambda profiles: tpa.impact(profiles, weight="tasks"),
    "impact by hours": lambda profiles: tpa.impact(profiles, weight="hours"),
    "impact by headcount": lambda profiles: tpa.impact(profiles, weight="headcount"),
    "hours by job": tpa.hours_by_job,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def task(level: str | None = "H1", hours: float | None = 1.0, state: str = "validated") -> dict[str, Any]:
    return {"task_id": "t", "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], family: str | None = "A", headcount: float | None = None) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": None, "tasks": list(tasks)}


def sql(profiles: tpa.TaskProfiles, query: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Run a query over both tables and key its rows by family, and level where there is one."""
    connection = duckdb.connect()
    wanted = ["job_id", "validation_state", "weekly_hours", "ai_impact_level"]
    for name, frame in (("jobs", with_headcount(profiles).jobs), ("tasks", profiles.tasks.select(wanted))):
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create table {name} as from '{name}.parquet'")
    result = connection.execute(
        """with person as (select *, coalesce(job_family, '(no family)') as family from jobs),
        t as (select p.family, p.job_id, x.weekly_hours as h, coalesce(x.ai_impact_level, 'not assessed') as level,
                     x.validation_state as state, p.headcount as fte
              from tasks x join person p using (job_id) where x.validation_state in ('validated', 'suggested')) """
        + query
    )
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    keys = [name for name in ("family", "level") if name in names]
    return {tuple(row.pop(key) for key in keys): row for row in rows}


def equal(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if isinstance(ours, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return bool(ours == theirs)


def with_headcount(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    if "headcount" in profiles.jobs.columns:
        return profiles
    fte = pl.int_range(pl.len()).cast(pl.Float64) % 7
    return tpa.TaskProfiles(profiles.jobs.with_columns(headcount=pl.when(fte > 0).then(fte)), profiles.tasks)


def check_hours(profiles: tpa.TaskProfiles) -> None:
    theirs = sql(
        profiles,
        """, k as (select family, job_id, count(*) n, count(h) known, sum(h) as hours from t group by all),
        q as (select family, count(*) jobs, count(k.job_id) filled, count(k.hours) with_hours, sum(k.n) tasks,
                     sum(k.known) known, sum(k.hours) total, avg(k.hours) mean,
                     quantile_cont(k.hours, [0.25, 0.5, 0.75]) qs
              from person left join k using (family, job_id) group by family)
        select *, qs[1] q25, qs[2] q50, qs[3] q75 from q""",
    )
    ours = tpa.hours(profiles)
    assert {(family,) for family in ours["job_family"]} == set(theirs)
    for row in ours.iter_rows(named=True):
        other = theirs[row["job_family"],]
        assert row["jobs"] == other["jobs"]
        assert row["jobs_without_tasks"] == other["jobs"] - other["filled"]
        assert row["jobs_with_hours"] == other["with_hours"]
        assert row["tasks"] == (other["tasks"] or 0)
        assert row["tasks_with_hours"] == (other["known"] or 0)
        assert equal(row["hours"], other["total"])
        assert equal(row["hours_per_job"], other["mean"])
        assert equal(row["coverage"], other["known"] / other["tasks"] if other["tasks"] else None)
        for name in ("25", "50", "75"):
            assert equal(row[f"hours_p{name}"], other[f"q{name}"] if other["with_hours"] >= 5 else None)


def check_coverage(profiles: tpa.TaskProfiles) -> None:
    theirs = sql(
        profiles,
        """select p.family, count(distinct p.job_id) jobs, count(distinct t.job_id) filled, count(t.state) tasks,
             count(h) / nullif(count(state), 0) hours_coverage,
             count(*) filter (level <> 'not assessed') / nullif(count(state), 0) level_coverage,
             count(*) filter (level <> 'not assessed' and h is not null) / nullif(count(state), 0) both_coverage,
             count(*) filter (state = 'validated') / nullif(count(state), 0) validated_share,
             sum(h) filter (level <> 'not assessed') / nullif(sum(h), 0) assessed,
             sum(h) filter (state = 'validated') / nullif(sum(h), 0) settled, sum(h) total
           from person p left join t using (job_id) group by p.family""",
    )
    ours = tpa.coverage(profiles)
    assert ours["job_family"].to_list() == sorted(
        (key[0] for key in theirs), key=lambda family: (family == "(no family)", family)
    )
    for row in ours.iter_rows(named=True):
        other = theirs[row["job_family"],]
        assert (row["jobs"], row["tasks"]) == (other["jobs"], other["tasks"])
        assert row["jobs_without_tasks"] == other["jobs"] - other["filled"]
        for name in ("hours_coverage", "level_coverage", "both_coverage", "validated_share"):
            assert equal(row[name], other[name])
        for name, key in (("level_coverage_hours", "assessed"), ("validated_share_hours", "settled")):
            assert equal(row[name], (other[key] or 0.0) if other["total"] else None)


def check_impact(profiles: tpa.TaskProfiles) -> None:
    profiles = with_headcount(profiles)
    theirs = sql(
        profiles,
        """select family, level, count(*) n, count(h) known, sum(h) as hours, sum(h * fte) as staffed,
             sum(count(*)) over (partition by family) as all_n, sum(sum(h)) over (partition by family) all_hours,
             sum(sum(h * fte)) over (partition by family) all_staffed,
             sum(count(*)) filter (level <> 'not assessed') over (partition by family) rated_n,
             sum(sum(h)) filter (level <> 'not assessed') over (partition by family) rated_hours
           from t group by family, level""",
    )
    amounts = {"tasks": ("n", "all_n"), "hours": ("hours", "all_hours"), "headcount": ("staffed", "all_staffed")}
    for weight, (part, whole) in amounts.items():
        ours = tpa.impact(profiles, weight=weight)
        totals = {family: row for (family, _), row in theirs.items()}
        assert set(ours["job_family"]) == set(profiles.jobs["job_family"].fill_null("(no family)"))
        found = set()
        for row in ours.iter_rows(named=True):
            other = theirs.get((row["job_family"], row["level"]))
            total = totals.get(row["job_family"], {}).get(whole)
            found.add((row["job_family"], row["level"]))
            assert row["tasks"] == (other["n"] if other else 0)
            assert row["tasks_with_hours"] == (other["known"] if other else 0)
            assert equal(row["hours"], other["hours"] if other else None)
            assert equal(row["share"], ((other[part] if other else None) or 0.0) / total if total else None)
            if weight != "headcount" and row["level"] != "not assessed":
                rated = totals.get(row["job_family"], {}).get("rated_n" if weight == "tasks" else "rated_hours")
                assert equal(
                    row["share_assessed"], ((other[part] if other else None) or 0.0) / rated if rated else None
                )
        assert set(theirs) <= found


CHECKS = {"hours": check_hours, "coverage": check_coverage, "impact": check_impact}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_figures_equal_sql_on_the_companies(company: tpa.TaskProfiles, check: Callable[..., None]) -> None:
    check(company)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@hypothesis.given(profiles=companies)
def test_figures_equal_sql_on_any_profiles(profiles: tpa.TaskProfiles, check: Callable[..., None]) -> None:
    check(profiles)


def test_the_real_data_are_counted_as_their_readme_says(real: tpa.TaskProfiles) -> None:
    coverage = tpa.coverage(real)
    assert coverage.height == 23
    assert coverage["jobs"].sum() == 1016
    assert coverage["tasks"].sum() == 18796
    assert coverage["jobs_without_tasks"].sum() == 93


@every_measure
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_changes_nothing(profiles: tpa.TaskProfiles, seed: int, measure: Callable[..., Any]) -> None:
    shuffled = tpa.TaskProfiles(
        profiles.jobs.sample(fraction=1, shuffle=True, seed=seed),
        profiles.tasks.sample(fraction=1, shuffle=True, seed=seed),
    )
    assert_frame_equal(measure(shuffled), measure(profiles), abs_tol=1e-9)


@every_measure
@hypothesis.given(profiles=companies, cut=st.floats(0, 1))
def test_splitting_into_parts_changes_nothing(
    profiles: tpa.TaskProfiles, cut: float, measure: Callable[..., Any]
) -> None:
    at = int(profiles.tasks.height * cut)
    parts = pl.concat([profiles.tasks[at:].lazy(), profiles.tasks[:at].lazy()])
    assert_frame_equal(measure(tpa.TaskProfiles(profiles.jobs.lazy(), parts)), measure(profiles), abs_tol=1e-9)


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    flat = frame.select(pl.col(pl.String, pl.Float64))
    return pd.DataFrame(flat.to_dict(as_series=False))


@hypothesis.given(profiles=companies)
def test_shares_add_up_or_are_all_null(profiles: tpa.TaskProfiles) -> None:
    for weight in ("tasks", "hours", "headcount"):
        for (_,), rows in tpa.impact(profiles, weight=weight).group_by("job_family"):
            shares = rows["share"]
            assert shares.null_count() == rows.height or math.isclose(shares.sum(), 1.0, abs_tol=1e-9)
            assert rows["coverage"].drop_nulls().is_between(0, 1).all()


@hypothesis.given(profiles=companies)
def test_hours_of_families_add_up_to_the_tasks(profiles: tpa.TaskProfiles) -> None:
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    assert math.isclose(tpa.hours(profiles)["hours"].sum(), counted["weekly_hours"].sum(), abs_tol=1e-6)
    assert math.isclose(tpa.hours_by_job(profiles)["hours"].sum(), counted["weekly_hours"].sum(), abs_tol=1e-6)


@hypothesis.given(profiles=companies)
def test_no_figure_is_nan_or_infinite(profiles: tpa.TaskProfiles) -> None:
    for measure in MEASURES.values():
        for column in measure(profiles).select(pl.col(pl.Float64)):
            assert column.drop_nulls().is_finite().all()


@hypothesis.given(profiles=companies, family=st.sampled_from(["Finance", "Sales", None]))
def test_a_job_without_tasks_lowers_no_mean(profiles: tpa.TaskProfiles, family: str | None) -> None:
    nobody = profiles_of([job(family=family)]).jobs.with_columns(job_id=pl.lit("nobody"))
    before = {row["job_family"]: row for row in tpa.hours(profiles).iter_rows(named=True)}
    after = tpa.hours(tpa.TaskProfiles(pl.concat([profiles.jobs, nobody]), profiles.tasks))
    for row in after.iter_rows(named=True):
        unchanged = before.get(row["job_family"], {"hours_per_job": None, "hours_p50": None, "hours": None})
        for name in ("hours_per_job", "hours_p50", "hours"):
            assert equal(row[name], unchanged[name])


@pytest.mark.parametrize("level", ["H4", "H9", None])
def test_a_new_or_missing_level_changes_no_other_level_silently(level: str | None) -> None:
    before = tpa.impact(profiles_of([job(task("H1"), task("H2"))]), weight="tasks")
    after = tpa.impact(profiles_of([job(task("H1"), task("H2"), task(level), task(level))]), weight="tasks")
    shares = dict(after.select("level", "share").rows())
    assert shares == {"H1": 0.25, "H2": 0.25, level or "not assessed": 0.5}
    known = after.filter(pl.col("level").is_in(["H1", "H2"]))
    assert known["tasks"].to_list() == before["tasks"].to_list()


def test_unknown_hours_are_null_and_known_zero_hours_are_zero() -> None:
    unknown = tpa.hours(profiles_of([job(task(hours=None), task(hours=None))])).row(0, named=True)
    assert (unknown["hours"], unknown["hours_per_job"], unknown["coverage"]) == (None, None, 0.0)
    zero = tpa.hours(profiles_of([job(task(hours=0.0), task(hours=None))])).row(0, named=True)
    assert (zero["hours"], zero["jobs_with_hours"], zero["coverage"]) == (0.0, 1, 0.5)


def test_a_level_without_known_hours_has_null_hours() -> None:
    impact = tpa.impact(profiles_of([job(task("H1", 4.0), task("H3", None))]))
    assert impact.select("level", "tasks", "hours", "share").rows() == [("H1", 1, 4.0, 1.0), ("H3", 1, None, 0.0)]


def test_a_family_without_tasks_is_there_with_nulls() -> None:
    profiles = profiles_of([job(task("H1")), job(family="Empty")])
    assert tpa.impact(profiles).filter(job_family="Empty")["share"].to_list() == [None]
    assert tpa.hours(profiles).filter(job_family="Empty").row(0, named=True)["hours"] is None
    empty = tpa.coverage(profiles).filter(job_family="Empty").row(0, named=True)
    assert (empty["jobs"], empty["tasks"], empty["hours_coverage"], empty["data_grade"]) == (1, 0, None, None)


def test_rejected_tasks_never_count_and_cannot_be_asked_for() -> None:
    rejected = profiles_of([job(task("H1"), task("H3", 30.0, "rejected"))])
    assert tpa.impact(rejected).select("level", "hours").rows() == [("H1", 1.0)]
    with pytest.raises(tpa.SchemaError, match="Rejected tasks are never counted"):
        tpa.hours(rejected, states=["validated", "rejected"])


def test_a_state_nobody_knows_is_left_out_aloud() -> None:
    profiles = profiles_of([job(task("H1"), task("H2", 3.0, "initially_validated"))])
    with pytest.warns(tpa.TpAnalyticsWarning, match="1 in state 'initially_validated'"):
        assert tpa.hours(profiles).item(0, "tasks") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tpa.hours(profiles, states=["validated", "initially_validated"]).item(0, "tasks") == 2


def test_validated_only_is_one_argument(sample: tpa.TaskProfiles) -> None:
    all_tasks = tpa.coverage(sample)["tasks"].sum()
    validated = tpa.coverage(sample, states=["validated"])
    assert validated["tasks"].sum() == sample.tasks.filter(validation_state="validated").height < all_tasks
    assert set(validated["validated_share"]) == {1.0}


def test_bounds_of_a_family_are_those_of_the_worked_example() -> None:
    tasks = [task("H1", 10.0), task("H2", 12.0), task("H3", None), task(None, 4.0)]
    example = {**job(*tasks), "contract_hours": 40.0}
    row = tpa.hours(profiles_of([example])).row(0, named=True)
    assert (row["hours"], row["hours_high"]) == (26.0, 40.0)
    assert tpa.hours(profiles_of([job(*tasks)])).item(0, "hours_high") is None
    assert tpa.coverage(profiles_of([example])).item(0, "data_grade") == "C"


def test_headcount_leaves_out_jobs_whose_headcount_is_not_known() -> None:
    profiles = profiles_of([job(task("H1", 2.0), headcount=10.0), job(task("H2", 40.0), headcount=None)])
    impact = tpa.impact(profiles, weight="headcount")
    assert impact.select("level", "share", "headcount_hours", "coverage").rows() == [
        ("H1", 1.0, 20.0, 0.5),
        ("H2", 0.0, None, 0.5),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: tpa.TaskProfiles(p.jobs, p.tasks.drop("weekly_hours")), "tasks lacks 'weekly_hours'"),
        (
            lambda p: tpa.TaskProfiles(p.jobs, p.tasks.rename({"ai_impact_level": "ai_impact_lvl"})),
            "'ai_impact_lvl' for",
        ),
        (lambda p: tpa.TaskProfiles(p.jobs.drop("job_family"), p.tasks), "jobs lacks 'job_family'"),
        (lambda p: tpa.TaskProfiles(p.jobs.head(1), p.tasks), "`tasks` has jobs that `jobs` does not have"),
        (lambda p: tpa.TaskProfiles(pl.concat([p.jobs, p.jobs]), p.tasks), "`job_id` of `jobs` must be unique"),
        (lambda p: tpa.TaskProfiles("jobs.csv", p.tasks), "jobs is a str, not a data frame"),
    ],
)
def test_wrong_frames_are_refused_by_name(change: Callable[..., Any], said: str) -> None:
    profiles = profiles_of([job(task()), job(task())])
    with pytest.raises(tpa.SchemaError, match=said):
        tpa.hours(change(profiles))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: tpa.impact(p, weight="fte"), "must be 'tasks', 'hours' or 'headcount', not"),
        (lambda p: tpa.hours(p, states="validated"), "`states` must be a list of validation states like"),
        (lambda p: tpa.hours(p, states=[]), "`states` must be a list of validation states like"),
        (
            lambda p: tpa.impact(tpa.TaskProfiles(p.jobs.drop("headcount"), p.tasks), weight="headcount"),
            "`jobs` has no column 'headcount'",
        ),
    ],
)
def test_wrong_arguments_are_refused_with_the_choices(call: Callable[..., Any], said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(profiles_of([job(task())]))


@every_measure
def test_no_jobs_give_an_empty_table_with_all_columns(measure: Callable[..., Any]) -> None:
    nothing = measure(profiles_of([]))
    assert nothing.height == 0
    assert_frame_equal(nothing, measure(profiles_of([job(task())])).clear())


@pytest.mark.parametrize("engine", ["polars", "pandas", "duckdb"])
def test_hours_that_are_not_a_number_are_unknown(engine: str) -> None:
    profiles = profiles_of([job(task("H1", 4.0), task("H2", None))])
    tasks = profiles.tasks.with_columns(pl.col("weekly_hours").fill_null(float("nan")))
    frames = {
        "polars": (profiles.jobs, tasks),
        "pandas": (as_pandas(profiles.jobs), as_pandas(tasks)),
        "duckdb": tuple(duckdb.from_df(as_pandas(frame)) for frame in (profiles.jobs, tasks)),
    }[engine]
    row = tpa.hours(tpa.TaskProfiles(*frames)).row(0, named=True)
    assert (row["hours"], row["tasks_with_hours"], row["coverage"]) == (4.0, 1, 0.5)


@pytest.mark.parametrize("wrong", [-5.0, float("inf")])
def test_absurd_hours_are_refused_by_job(wrong: float) -> None:
    with pytest.raises(
        tpa.SchemaError, match=rf"`weekly_hours` of job 'j000' must be 0 or more and finite, not {wrong}"
    ):
        tpa.hours(profiles_of([job(task("H1", wrong), task("H2", 6.0))]))


@pytest.mark.parametrize(
    ("name", "wrong", "can_be"),
    [
        ("headcount", -1.0, "0 or more"),
        ("headcount", float("inf"), "0 or more"),
        ("contract_hours", 0.0, "above 0"),
        ("contract_hours", -40.0, "above 0"),
        ("contract_hours", float("-inf"), "above 0"),
    ],
)
@pytest.mark.parametrize("measure", [tpa.hours, tpa.impact, tpa.shared_tasks])
def test_absurd_amounts_of_a_job_are_refused(
    measure: Callable[..., pl.DataFrame], name: str, wrong: float, can_be: str
) -> None:
    said = f"`{name}` of job 'j001' must be {can_be} and finite, not {wrong}. Correct it, or set it to null"
    profiles = profiles_of([job(task()), {**job(task()), name: wrong}])
    with pytest.raises(tpa.SchemaError, match=re.escape(said)):
        measure(profiles)
    with pytest.raises(tpa.SchemaError, match=re.escape(said)):
        measure(tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks)))


def test_no_people_and_unknown_amounts_are_no_error() -> None:
    nobody = profiles_of([job(task("H1", 2.0), headcount=0.0)])
    jobs = nobody.jobs.with_columns(contract_hours=pl.lit(float("nan")))
    assert tpa.impact(tpa.TaskProfiles(jobs, nobody.tasks), weight="headcount")["share"].to_list() == [None]
    assert tpa.hours_by_job(tpa.TaskProfiles(jobs, nobody.tasks))["contract_hours"].to_list() == [None]


def test_hours_that_are_text_are_refused() -> None:
    profiles = profiles_of([job(task())])
    with pytest.raises(tpa.SchemaError, match="`weekly_hours` of `tasks` must be numeric, not String"):
        tpa.hours(tpa.TaskProfiles(profiles.jobs, profiles.tasks.cast({"weekly_hours": pl.String})))


def test_a_task_without_state_is_left_out_aloud() -> None:
    profiles = profiles_of([job(task("H1"), task("H2"))])
    tasks = profiles.tasks.with_columns(validation_state=pl.Series([None, "validated"]))
    with pytest.warns(tpa.TpAnalyticsWarning, match=r"1 in state '\(no state\)'"):
        assert tpa.hours(tpa.TaskProfiles(profiles.jobs, tasks)).item(0, "tasks") == 1


def test_a_state_that_no_task_has_is_a_mistake() -> None:
    with pytest.raises(tpa.SchemaError, match=r"no task is 'valid'\. The states of the tasks are 'validated'"):
        tpa.hours(profiles_of([job(task())]), states=["valid"])


def test_empty_pandas_frames_are_no_error() -> None:
    profiles = profiles_of([job(task())])
    empty = tpa.TaskProfiles(as_pandas(profiles.jobs), as_pandas(profiles.tasks).head(0))
    assert tpa.hours(empty).select("jobs", "tasks", "hours").rows() == [(1, 0, None)]


def test_a_frame_in_place_of_profiles_is_told_apart() -> None:
    with pytest.raises(tpa.SchemaError, match=r"must be TaskProfiles, not DataFrame"):
        tpa.hours(profiles_of([job(task())]).tasks)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["polars enum", "polars text", "pandas category", "pandas text", "duckdb"])
def test_a_missing_state_counts_when_asked_for_on_every_engine(sample: tpa.TaskProfiles, kind: str) -> None:
    third = pl.int_range(pl.len()) % 3 == 0
    tasks = sample.tasks.with_columns(validation_state=pl.when(~third).then("validation_state")).drop(
        "source_data", "linked_skills", "hierarchy"
    )
    expected = tasks.filter(pl.col("validation_state").is_null() | (pl.col("validation_state") == "validated")).height
    state = pl.col("validation_state")
    frames = {
        "polars enum": lambda: tasks.with_columns(state.cast(pl.Enum(["validated", "suggested", "rejected"]))),
        "polars text": lambda: tasks,
        "pandas category": lambda: as_pandas(tasks).astype({"validation_state": "category"}),
        "pandas text": lambda: as_pandas(tasks),
        "duckdb": lambda: duckdb.from_df(as_pandas(tasks)),
    }
    profiles = tpa.TaskProfiles(sample.jobs, frames[kind]())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counted = tpa.impact(profiles, weight="tasks", states=["validated", "(no state)"])
        missing = tpa.impact(profiles, weight="tasks", states=["(no state)"])
    assert counted["tasks"].sum() == expected
    assert missing["tasks"].sum() == tasks["validation_state"].null_count()
