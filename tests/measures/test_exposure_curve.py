"""Share of people, or of jobs, in jobs where at least a given share of the work is exposed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.by_job import exposure_by_job
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable

LINEAR = {"H1": 1.0, "H2": 0.75, "H3": 0.5, "H4": 0.25, "H5": 0.0}
_weights = st.sampled_from([{"H1": 1, "H2": 0.5, "H3": 0}, LINEAR, {"H1": 1, "H2": 0.3}])


@hypothesis.given(profiles=companies, level_weights=_weights, weight=st.sampled_from(["jobs", "headcount"]))
def test_shares_equal_a_loop_over_the_jobs(profiles: tpa.TaskProfiles, level_weights: Any, weight: Any) -> None:
    jobs = exposure_by_job(profiles, level_weights=level_weights).join(
        profiles.jobs.select("job_id", "headcount"), on="job_id"
    )
    people = [
        (index, 1.0 if weight == "jobs" else headcount)
        for index, headcount in jobs.select("exposure", "headcount").rows()
        if index is not None and (weight == "jobs" or headcount is not None)
    ]
    total = sum(count for _, count in people)
    curve = tpa.exposure_curve(profiles, weight=weight, level_weights=level_weights)
    assert curve.height == (101 if profiles.jobs.height else 0)
    assert curve["at_least"].to_list() == [place / 100 for place in range(curve.height)]
    for place in range(0, curve.height, 5):
        row = curve.row(place, named=True)
        reached = [count for index, count in people if index >= place / 100 - 1e-9]
        assert row["jobs_at_least"] == len(reached)
        assert row["amount"] == pytest.approx(sum(reached))
        assert row["share"] == (pytest.approx(sum(reached) / total) if total else None)


@hypothesis.given(
    profiles=companies,
    by=st.sampled_from([None, "job_family"]),
    weight=st.just("headcount"),
    work=st.sampled_from(["hours", "tasks"]),
    contract_hours=st.sampled_from([None, 40.0]),
)
def test_curves_start_at_1_never_increase_and_lie_within_their_bounds(profiles: tpa.TaskProfiles, **how: Any) -> None:
    curves = tpa.exposure_curve(profiles, **how)
    for _, curve in curves.group_by(how["by"] or pl.lit("all")):
        known = curve.sort("at_least").drop_nulls("share")
        assert known.height in (0, 101)
        if not known.height:
            assert curve["reason"].null_count() == 0
            continue
        for name in ("share", "share_low", "share_high"):
            assert known[name].is_between(0, 1 + 1e-9).all()
            assert known[name].diff().fill_null(0).max() <= 0  # type: ignore[operator]
            assert known.item(0, name) == pytest.approx(1)
        inside = (known["share_low"] <= known["share"] + 1e-9) & (known["share"] <= known["share_high"] + 1e-9)
        assert inside.all()


@hypothesis.given(profiles=companies, data=st.data())
def test_bounds_contain_the_curve_for_any_missing_levels(profiles: tpa.TaskProfiles, data: st.DataObject) -> None:
    weights = {"H1": 1.0, "H2": 0.5, "H3": 0.0}
    curve = tpa.exposure_curve(profiles, weight="jobs", work="tasks", level_weights=weights)
    drawn = st.lists(st.sampled_from(list(weights)), min_size=profiles.tasks.height, max_size=profiles.tasks.height)
    levels = pl.Series(data.draw(drawn), dtype=pl.String)
    known = pl.col("ai_impact_level").is_in(list(weights))
    filled = pl.when(known).then("ai_impact_level").otherwise(pl.lit(levels))
    full = replace(profiles, tasks=profiles.tasks.with_columns(ai_impact_level=filled))
    completed = tpa.exposure_curve(full, weight="jobs", work="tasks", level_weights=weights)
    both = curve.select("share_low", "share_high").hstack([completed["share"]]).drop_nulls()
    assert (both["share"] >= both["share_low"] - 1e-9).all()
    assert (both["share"] <= both["share_high"] + 1e-9).all()


def test_tasks_count_like_equal_hours(sample: tpa.TaskProfiles) -> None:
    jobs = sample.jobs.with_columns(contract_hours=pl.lit(None, pl.Float64))
    equal = tpa.TaskProfiles(jobs, sample.tasks.with_columns(weekly_hours=pl.lit(2.0)))
    columns = ["at_least", "share", "share_low", "share_high", "jobs_at_least", "coverage"]
    by_tasks = tpa.exposure_curve(sample, weight="jobs", work="tasks").select(columns)
    assert_frame_equal(by_tasks, tpa.exposure_curve(equal, weight="jobs").select(columns), abs_tol=1e-9)


def company(*levels: str, headcount: float = 10.0, family: str = "A") -> tpa.TaskProfiles:
    """Return a company with one job per text of levels, such as "123" for a task each at H1, H2 and H3."""
    jobs = []
    for number, text in enumerate(levels):
        tasks = [
            {"task_id": f"{n}", "validation_state": "validated", "weekly_hours": 1.0, "ai_impact_level": f"H{level}"}
            for n, level in enumerate(text)
        ]
        jobs.append({"job_family": family, "headcount": headcount + number, "tasks": tasks})
    return profiles_of(jobs)


def test_a_curve_computed_by_hand() -> None:
    # Exposed: 100%, 50%, 25% and 0% of the work of 10, 11, 12 and 13 people.
    curve = tpa.exposure_curve(company("11", "13", "2333", "33"))
    shares = {
        at: share for at, share in curve.select("at_least", "share").rows() if at in (0, 0.01, 0.12, 0.13, 0.5, 1)
    }
    assert shares == pytest.approx({0: 1, 0.01: 33 / 46, 0.12: 33 / 46, 0.13: 21 / 46, 0.5: 21 / 46, 1: 10 / 46})


def test_people_of_a_country_are_counted_there() -> None:
    profiles = company("1", "3")
    people = {"job_id": ["j000", "j000", "j001"], "country": ["BE", "FR", "BE"], "headcount": [30, 5, 10]}
    curve = tpa.exposure_curve(replace(profiles, people=pl.DataFrame(people)), by="country").filter(at_least=0.5)
    assert curve.select("country", "amount", "share").rows() == [("BE", 30.0, 0.75), ("FR", 5.0, 1.0)]


def test_groups_without_an_index_have_a_reason() -> None:
    no_levels = company("9", "9")
    assert set(tpa.exposure_curve(no_levels)["reason"]) == {"NO_LEVELS"}
    no_tasks = profiles_of([{"job_family": "A", "headcount": 3.0, "tasks": []}])
    assert set(tpa.exposure_curve(no_tasks)["reason"]) == {"NO_TASKS"}
    no_people = company("1", "3")
    no_people = replace(no_people, jobs=no_people.jobs.with_columns(headcount=pl.lit(None, pl.Float64)))
    assert set(tpa.exposure_curve(no_people)["reason"]) == {"NO_HEADCOUNT"}
    assert tpa.exposure_curve(profiles_of([])).height == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.exposure_curve(p, weight="hours"), "`weight` must be 'headcount', 'fte' or 'jobs', not 'hours'"),
        (lambda p: tpa.exposure_curve(p, work="days"), "`work` must be 'tasks' or 'hours', not 'days'"),
        (lambda p: tpa.exposure_curve(replace(p, jobs=p.jobs.drop("fte")), weight="fte"), "no column 'fte'"),
        (
            lambda p: tpa.exposure_curve(replace(p, jobs=p.jobs.drop("headcount", "fte"))),
            "no column 'headcount' (people). Add it with assign_people or assign_families, or use weight='jobs'",
        ),
        (lambda p: tpa.exposure_curve(p, by="at_least"), "'at_least' is also a column of the result"),
        (lambda p: tpa.exposure_curve(p, contract_hours=0), "`contract_hours` must be above 0"),
        (lambda p: tpa.exposure_curve(p, level_weights={}), "level_weights"),
        (lambda p: tpa.suppress(tpa.exposure_curve(p)), "Pass the `profiles`"),
        (lambda p: tpa.suppress(pl.DataFrame(tpa.exposure_curve(p)), p), "Pass the unchanged result"),
    ],
)
def test_invalid_input_raises(call: Callable[[tpa.TaskProfiles], Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError) as error:
        call(company("1", "3"))
    assert message in str(error.value)


# suppression ----------------------------------------------------------------------------------------------------------


@hypothesis.given(
    profiles=companies,
    by=st.sampled_from([None, "job_family"]),
    work=st.sampled_from(["hours", "tasks"]),
    contract_hours=st.sampled_from([None, 40.0]),
)
def test_no_small_group_lies_between_two_shown_points(profiles: tpa.TaskProfiles, **how: Any) -> None:
    privacy = tpa.Privacy(min_jobs=3, min_headcount=0)
    profiles = with_cache(profiles)
    curves = tpa.exposure_curve(profiles, weight="jobs", **how)
    shown = tpa.suppress(curves, profiles, privacy=privacy)
    for _, curve in shown.group_by(how["by"] or pl.lit("all")):
        visible = curve.filter(pl.col("share").is_not_null()).sort("at_least", descending=True)
        jobs = [0, *visible["jobs_at_least"].to_list()]
        steps = [after - before for before, after in pairwise(jobs)]
        # With few jobs in total, only the threshold 0% is shown, which is always 100%.
        assert len(steps) <= 1 or all(step == 0 or step >= 3 for step in steps)
    keys = [*([how["by"]] if how["by"] else []), "at_least"]
    both = shown.drop_nulls("share").join(curves, on=keys)
    assert (both["share"] == both["share_right"]).all()


def test_round_thresholds_are_shown_first() -> None:
    # One job each at 40%, 45%, 50%, 55%, 60% and 65%.
    levels = ["1" * n + "3" * (20 - n) for n in range(8, 14)]
    profiles = company(*levels)
    shown = tpa.suppress(tpa.exposure_curve(profiles), profiles, privacy=tpa.Privacy(min_jobs=2, min_headcount=0))
    visible = shown.drop_nulls("share").select((pl.col("at_least") * 100).round().cast(pl.Int64), "jobs_at_least")
    steps = visible.unique("jobs_at_least", keep="last", maintain_order=True).rows()
    assert steps == [(40, 6), (50, 4), (60, 2), (100, 0)]


def test_small_groups_have_no_curve() -> None:
    profiles = company("1", "3")
    shown = tpa.suppress(tpa.exposure_curve(profiles), profiles)
    assert shown.select("share", "reason").rows() == [(None, "SUPPRESSED")]
