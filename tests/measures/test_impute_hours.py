"""Hours are put in only by a named rule, marked to the row; and each rule does the harm it is said to do."""

from __future__ import annotations

import json
import random
import statistics
from typing import TYPE_CHECKING, Any, get_args

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.public_measures import MEASURES, odd
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures.about import about
from tpanalytics.measures.exposure import exposure as measure_exposure
from tpanalytics.measures.impute_hours import impute_hours
from tpanalytics.schema import provenance
from tpanalytics.typing import ImputeMethod

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = get_args(ImputeMethod)
each_method = pytest.mark.parametrize("method", METHODS)


def impute(profiles: tpa.TaskProfiles, method: Any, **more: Any) -> tpa.TaskProfiles:
    return impute_hours(profiles, method, **{"contract_hours": 40, "seed": 7, **more})


def task(hours: float | None, level: str | None = "H1", key: str = "t", state: str = "validated") -> dict[str, Any]:
    return {"task_id": key, "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], week: float | None = 40.0, family: str = "A") -> dict[str, Any]:
    return {"job_family": family, "headcount": None, "contract_hours": week, "tasks": list(tasks)}


def hours(profiles: tpa.TaskProfiles) -> list[float | None]:
    return profiles.tasks["weekly_hours"].to_list()


@each_method
@hypothesis.given(profiles=companies)
def test_only_gaps_of_tasks_that_count_are_filled_and_all_are_marked(profiles: tpa.TaskProfiles, method: Any) -> None:
    filled = impute(profiles, method)
    others = [name for name in profiles.tasks.columns if name != "weekly_hours"]
    assert_frame_equal(filled.tasks.select(others), profiles.tasks.select(others))
    assert_frame_equal(filled.jobs, profiles.jobs)
    table = profiles.tasks.select("validation_state", before="weekly_hours").with_columns(
        after=filled.tasks["weekly_hours"], marked=filled.tasks["hours_imputed"]
    )
    assert table["marked"].null_count() == 0
    assert table["after"].drop_nulls().is_finite().all()
    assert (table["after"].drop_nulls() >= 0).all()
    unmarked, marked = table.filter(~pl.col("marked")), table.filter("marked")
    assert unmarked["before"].equals(unmarked["after"], null_equal=True)
    assert marked["after"].null_count() == 0
    assert "rejected" not in marked["validation_state"]
    assert (marked["before"].null_count() == marked.height) == (method != "validated_scale" or marked.is_empty())
    if method == "equal_residual":
        assert (marked["after"] > 0).all()  # a zero is put in by its own option alone
    said = filled.manifest["imputation"]
    counted = table.filter(pl.col("validation_state") != "rejected")
    assert (said["method"], said["rows"], said["left"]) == (method, marked.height, counted["after"].null_count())
    assert said["hours"] == pytest.approx(marked["after"].sum())
    assert json.loads(json.dumps(said)) == said
    assert "imputation" not in profiles.manifest


@each_method
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_changes_nothing(profiles: tpa.TaskProfiles, seed: int, method: Any) -> None:
    numbered = profiles.tasks.with_row_index("was")
    mixed = numbered.sample(fraction=1, shuffle=True, seed=seed)
    ours = impute(tpa.TaskProfiles(profiles.jobs, numbered), method).tasks
    theirs = impute(tpa.TaskProfiles(profiles.jobs.lazy(), mixed.lazy()), method).tasks
    # Two rows that are alike in all that is read may change places.
    key = ["job_id", "task_id", "validation_state", "ai_impact_level", "weekly_hours", "hours_imputed"]
    assert theirs["was"].equals(mixed["was"])
    assert_frame_equal(ours.select(key).sort(key), theirs.select(key).sort(key), abs_tol=1e-9)


@each_method
def test_figures_made_of_it_carry_a_warning(sample: tpa.TaskProfiles, method: Any) -> None:
    filled = impute(sample, method)
    assert filled.tasks["hours_imputed"].any()
    if method == "zero_i_know_what_i_do":
        assert set(filled.tasks.filter("hours_imputed")["weekly_hours"]) == {0.0}
    share = filled.tasks.filter("hours_imputed")["weekly_hours"].sum() / (
        filled.tasks.filter(pl.col("validation_state") != "rejected")["weekly_hours"].sum()
    )
    for measure in (tpa.hours, tpa.impact, measure_exposure):
        meaning = about(measure(filled))
        assert meaning.share_imputed == pytest.approx(share)
        assert any(said.startswith(f"{share:.1%} of the hours are imputed") for said in meaning.warnings)
        before = about(measure(sample))
        assert (meaning.coverage["hours"] or 0) <= (before.coverage["hours"] or 0) + 1e-9
    assert about(tpa.hours(sample)).share_imputed == 0.0


def test_equal_parts_of_what_the_contract_leaves() -> None:
    full = job(task(50.0), task(None))
    unknown = job(task(1.0), task(None), week=None)
    rejected = job(task(30.0), task(None), task(None, state="rejected"), task(9.0, state="rejected"))
    profiles = profiles_of([job(task(10.0), task(None), task(None)), full, unknown, rejected])
    assert hours(impute_hours(profiles, "equal_residual")) == [
        *(10.0, 15.0, 15.0),
        *(50.0, None),
        *(1.0, None),
        *(30.0, 10.0, None, 9.0),
    ]
    assert hours(impute_hours(profiles, "equal_residual", contract_hours=20))[5:7] == [1.0, 19.0]


def test_the_same_task_then_its_place_then_its_family_and_level() -> None:
    others = [job(task(float(h), key="a"), task(10.0 * h, "H2", key=f"k{h}")) for h in (1, 2, 6)]
    profiles = profiles_of([*others, job(task(None, "H2", key="a"), task(None, "H2", key="new"), task(None, "H3"))])
    assert hours(impute_hours(profiles, "same_task"))[-3:] == [2.0, 20.0, None]
    place = pl.when(pl.col("task_id").is_in(["k1", "k2", "a", "new"])).then(pl.lit("here")).otherwise(pl.lit("there"))
    placed = tpa.TaskProfiles(
        profiles.jobs, profiles.tasks.with_columns(hierarchy=pl.concat_list(pl.lit("top"), place))
    )
    assert hours(impute_hours(placed, "same_task"))[-3:] == [2.0, statistics.median([1, 2, 6, 10, 20]), None]
    spelled = profiles.tasks.with_columns(task_id=pl.format("{}-{}", "job_id", "task_id"))
    texts = tpa.TaskProfiles(profiles.jobs, spelled.with_columns(pl.col("task").str.replace(" ", "  ")))
    assert hours(impute_hours(texts, "same_task", same_task="text"))[-3:] == [2.0, 20.0, None]


def test_what_was_put_in_before_gives_no_hours_and_stays_marked() -> None:
    profiles = profiles_of(
        [job(task(8.0, key="a"), task(None, key="a")), *(job(task(None, key="a")) for _ in range(3))]
    )
    once = impute_hours(profiles, "equal_residual", contract_hours=40)
    assert once.tasks["hours_imputed"].to_list() == [False, *[True] * 4]
    stripped = tpa.TaskProfiles(once.jobs, once.tasks[:-1].vstack(once.tasks[-1:].with_columns(weekly_hours=None)))
    twice = impute_hours(tpa.TaskProfiles(stripped.jobs, stripped.tasks, once.manifest), "same_task")
    assert hours(twice)[-1] is None
    assert twice.manifest["imputation"]["before"]["method"] == "equal_residual"


def test_a_draw_takes_hours_that_are_there_and_can_be_repeated() -> None:
    donors = [job(task(float(h), key="a")) for h in range(1, 10)]
    profiles = profiles_of([*donors, *(job(task(None, key="a")) for _ in range(200))])
    drawn = hours(impute_hours(profiles, "hot_deck", seed=1))[9:]
    assert hours(impute_hours(profiles, "hot_deck", seed=1))[9:] == drawn
    assert hours(impute_hours(profiles, "hot_deck", seed=2))[9:] != drawn
    assert set(drawn) == set(map(float, range(1, 10)))
    assert statistics.fmean(h for h in drawn if h is not None) == pytest.approx(5.0, abs=0.7)


def test_scaling_changes_complete_jobs_alone_and_marks_what_it_changed() -> None:
    exact, over = job(task(15.0), task(25.0)), job(task(20.0), task(60.0), task(0.0))
    profiles = profiles_of([over, exact, job(task(10.0), task(None)), job(task(0.0)), job()])
    scaled = impute_hours(profiles, "validated_scale")
    assert hours(scaled) == [10.0, 30.0, 0.0, 15.0, 25.0, 10.0, None, 0.0]
    assert scaled.tasks["hours_imputed"].to_list() == [True, True, *[False] * 6]


def invented(seed: int, described: float, missing: float, *, long_ones: bool = False) -> tuple[tpa.TaskProfiles, float]:
    """Give 40 jobs of 6 to 14 tasks, some of whose hours are not stated, and what their H1 hours are in truth."""
    draw = random.Random(seed)
    jobs, truth = [], 0.0
    for _ in range(40):
        raw = [draw.lognormvariate(0, 0.6) for _ in range(draw.randint(6, 14))]
        tasks = []
        for h in (40 * described * x / sum(raw) for x in raw):
            level = draw.choice(["H1", "H2", "H3"])
            truth += h if level == "H1" else 0.0
            chance = missing * (h / (40 * described / len(raw))) ** 1.5 if long_ones else missing
            tasks.append(task(None if draw.random() < chance else h, level))
        jobs.append(job(*tasks))
    return profiles_of(jobs), truth


@pytest.mark.parametrize(
    ("method", "described", "missing", "harm"),
    [
        ("equal_residual", 1.0, 0.3, 0.0),
        ("equal_residual", 0.8, 0.1, 0.16),
        ("equal_residual", 0.8, 0.3, 0.24),
        ("equal_residual", 1.15, 0.3, -0.13),
        ("zero_i_know_what_i_do", 0.8, 0.1, -0.1),
        ("zero_i_know_what_i_do", 1.0, 0.3, -0.3),
        ("zero_i_know_what_i_do", 1.15, 0.5, -0.5),
    ],
)
def test_each_rule_does_the_harm_it_is_said_to_do(method: Any, described: float, missing: float, harm: float) -> None:
    off = []
    for seed in range(12):
        profiles, truth = invented(seed, described, missing)
        filled = impute_hours(profiles, method).tasks
        off.append(filled.filter(ai_impact_level="H1")["weekly_hours"].sum() / truth - 1)
    assert statistics.fmean(off) == pytest.approx(harm, abs=0.04)


def test_zeros_do_more_harm_where_long_tasks_lack_hours() -> None:
    off = []
    for seed in range(12):
        profiles, truth = invented(seed, 1.0, 0.1, long_ones=True)
        filled = impute_hours(profiles, "zero_i_know_what_i_do").tasks
        off.append(filled.filter(ai_impact_level="H1")["weekly_hours"].sum() / truth - 1)
    assert statistics.fmean(off) < -0.14


@each_method
def test_no_jobs_are_no_error(method: Any) -> None:
    filled = impute(profiles_of([]), method)
    assert filled.tasks.height == 0
    assert filled.tasks.schema["hours_imputed"] == pl.Boolean
    assert filled.manifest["imputation"]["rows"] == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda p: impute_hours(p, "zero"),
            "`method` must be 'equal_residual', .*or 'zero_i_know_what_i_do', not 'zero'",
        ),
        (lambda p: impute_hours(p, "hot_deck"), "`seed` must be a whole number for method='hot_deck', not None"),
        (lambda p: impute_hours(p, "same_task", same_task="name"), "must be 'id' or 'text', not"),
        (lambda p: impute_hours(p, "equal_residual", contract_hours=-1), "`contract_hours` must be above 0 .*, not -1"),
        (lambda p: impute_hours(p, "same_task", states=["rejected"]), "Rejected tasks are never counted"),
        (lambda p: impute_hours(p, "equal_residual"), "equal_residual needs contract hours and no job has any"),
        (lambda p: impute_hours(p.tasks, "same_task"), "impute_hours needs Polars frames, and jobs is none"),
        (
            lambda p: impute_hours(tpa.TaskProfiles(p.jobs, {"job_id": []}), "same_task"),
            "impute_hours needs Polars frames, and tasks is none",
        ),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_do(call: Callable[..., Any], said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(profiles_of([job(task(None), week=None)]))
    with pytest.raises(TypeError):
        impute_hours(profiles_of([]))  # type: ignore[call-arg]


def test_provenance_says_what_was_put_in_in_the_order_it_was(sample: tpa.TaskProfiles) -> None:
    before = provenance(sample.manifest)
    once = tpa.impute_hours(sample, "equal_residual")
    rows = once.manifest["imputation"]["rows"]
    said = f"; hours that were not stated were put in or changed: those of {rows} tasks by equal_residual"
    assert provenance(once.manifest) == f"{before[:-1]}{said}."
    twice = tpa.impute_hours(once, "zero_i_know_what_i_do")
    left = twice.manifest["imputation"]["rows"]
    assert provenance(twice.manifest) == f"{before[:-1]}{said}, then those of {left} tasks by zero_i_know_what_i_do."
    assert "of 1 task by" in provenance({"imputation": {"method": "hot_deck", "rows": 1}})


#: The columns that say how much is known, and those by which rows are the same before and after.
KNOWN = ("coverage", "hours_coverage", "level_coverage", "both_coverage", "jobs_complete_share", "data_grade")
KEYS = ("job_id", "job_family", "family_a", "family_b", "category", "level", "block_hours", "scope")
#: Its hours_coverage is that of the hours it adds up.
NOT_ALIKE = "automation_candidates"


@pytest.mark.parametrize("name", [name for name in MEASURES if not name.startswith(NOT_ALIKE)])
@pytest.mark.parametrize("method", ["equal_residual", "zero_i_know_what_i_do"])
def test_hours_that_were_put_in_buy_neither_coverage_nor_a_grade(name: str, method: ImputeMethod) -> None:
    before = odd()
    after = impute_hours(before, method, contract_hours=168)
    one, other = (MEASURES[name](profiles) for profiles in (before, after))
    said = [column for column in one.columns if column in KNOWN or column.startswith("coverage_")]
    keys = [key for key in KEYS if key in one.columns]
    if not said:
        return
    both = other.join(one, on=keys, how="inner", nulls_equal=True, suffix="_without")
    assert both.height == min(one.height, other.height)
    for column in said:
        old = both[f"{column}_without"]
        # Where nothing is known there may be no row, or no figure to grade; then there is still none that is known.
        assert both.filter(old.is_not_null())[column].to_list() == old.drop_nulls().to_list()
        assert set(both.filter(old.is_null())[column].to_list()) <= {None, 0.0, "C"}
    if name != "check_claim":
        assert about(other).grade == about(one).grade


@hypothesis.given(profiles=companies, method=st.sampled_from(["equal_residual", "zero_i_know_what_i_do"]))
def test_no_family_is_known_better_by_what_was_put_in(profiles: tpa.TaskProfiles, method: ImputeMethod) -> None:
    after = impute_hours(profiles, method, contract_hours=40.0)
    figures = [
        "hours_coverage",
        "level_coverage",
        "both_coverage",
        "jobs_complete_share",
        "validated_share",
        "data_grade",
    ]
    one, other = (tpa.coverage(of).select("job_family", *figures) for of in (profiles, after))
    assert_frame_equal(other, one)
    one, other = (tpa.exposure(of).select("job_family", "coverage", "data_grade") for of in (profiles, after))
    assert_frame_equal(other, one, check_row_order=False)


def test_a_claim_is_graded_by_what_was_stated() -> None:
    before = odd()
    after = impute_hours(before, "zero_i_know_what_i_do")
    one, other = (tpa.check_claim(of, "Finance > (no family)", rounds=100) for of in (before, after))
    assert (other.grade_left, other.grade_right) == (one.grade_left, one.grade_right)
