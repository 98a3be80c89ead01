"""Tests of the imputation of missing hours."""

from __future__ import annotations

import functools
import json
import random
import statistics
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers import builders
from tests.helpers.public_measures import MEASURES, odd
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.schema import provenance
from tpanalytics.typing import ImputeMethod

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = get_args(ImputeMethod)
every_method = pytest.mark.parametrize("method", METHODS)


def impute(profiles: tpa.TaskProfiles, method: Any, **more: Any) -> tpa.TaskProfiles:
    return tpa.impute_hours(profiles, method, **{"contract_hours": 40, "seed": 7, **more})


def task(hours: float | None, level: str | None = "H1", key: str = "t", state: str = "validated") -> dict[str, Any]:
    return builders.task(level, hours, state, key)


job = partial(builders.job, week=40.0)


def hours(profiles: tpa.TaskProfiles) -> list[float | None]:
    return profiles.tasks["weekly_hours"].to_list()


@hypothesis.given(method=st.sampled_from(list(METHODS)), profiles=companies)
def test_only_missing_hours_are_imputed_and_flagged(profiles: tpa.TaskProfiles, method: Any) -> None:
    imputed = impute(profiles, method)
    other_columns = [name for name in profiles.tasks.columns if name != "weekly_hours"]
    assert_frame_equal(imputed.tasks.select(other_columns), profiles.tasks.select(other_columns))
    assert_frame_equal(imputed.jobs, profiles.jobs)
    table = profiles.tasks.select("validation_state", before="weekly_hours").with_columns(
        after=imputed.tasks["weekly_hours"], marked=imputed.tasks["hours_imputed"]
    )
    assert table["marked"].null_count() == 0
    assert table["after"].drop_nulls().is_finite().all()
    assert (table["after"].drop_nulls() >= 0).all()
    unchanged, changed = table.filter(~pl.col("marked")), table.filter("marked")
    assert unchanged["before"].equals(unchanged["after"], null_equal=True)
    assert changed["after"].null_count() == 0
    assert "rejected" not in changed["validation_state"]
    assert (changed["before"].null_count() == changed.height) == (method != "validated_scale" or changed.is_empty())
    if method == "equal_residual":
        assert (changed["after"] > 0).all()
    record = imputed.manifest["imputation"]
    included = table.filter(pl.col("validation_state") != "rejected")
    assert (record["method"], record["rows"], record["left"]) == (
        method,
        changed.height,
        included["after"].null_count(),
    )
    assert record["hours"] == pytest.approx(changed["after"].sum())
    assert json.loads(json.dumps(record)) == record
    assert "imputation" not in profiles.manifest


@hypothesis.given(method=st.sampled_from(list(METHODS)), profiles=companies, seed=st.integers(0, 2**32 - 1))
def test_row_order_does_not_matter(profiles: tpa.TaskProfiles, seed: int, method: Any) -> None:
    numbered = profiles.tasks.with_row_index("original")
    rows = numbered.sample(fraction=1, shuffle=True, seed=seed)
    expected = impute(tpa.TaskProfiles(profiles.jobs, numbered), method).tasks
    shuffled = impute(tpa.TaskProfiles(profiles.jobs.lazy(), rows.lazy()), method).tasks
    # Rows with equal values may be swapped.
    key = ["job_id", "task_id", "validation_state", "ai_impact_level", "weekly_hours", "hours_imputed"]
    assert shuffled["original"].equals(rows["original"])
    assert_frame_equal(expected.select(key).sort(key), shuffled.select(key).sort(key), abs_tol=1e-9)


@every_method
def test_figures_from_imputed_hours_have_a_warning(sample: tpa.TaskProfiles, method: Any) -> None:
    imputed = impute(sample, method)
    assert imputed.tasks["hours_imputed"].any()
    if method == "zero_i_know_what_i_do":
        assert set(imputed.tasks.filter("hours_imputed")["weekly_hours"]) == {0.0}
    share = imputed.tasks.filter("hours_imputed")["weekly_hours"].sum() / (
        imputed.tasks.filter(pl.col("validation_state") != "rejected")["weekly_hours"].sum()
    )
    for measure in (tpa.hours, tpa.impact, tpa.exposure):
        meaning = tpa.about(measure(imputed))
        assert meaning.share_imputed == pytest.approx(share)
        assert any(text.startswith(f"{share:.1%} of the hours are imputed") for text in meaning.warnings)
        before = tpa.about(measure(sample))
        assert (meaning.coverage["hours"] or 0) <= (before.coverage["hours"] or 0) + 1e-9
    assert tpa.about(tpa.hours(sample)).share_imputed == 0.0


def test_equal_residual_divides_the_undocumented_hours() -> None:
    documented = job(task(50.0), task(None))
    no_contract = job(task(1.0), task(None), week=None)
    with_rejected = job(task(30.0), task(None), task(None, state="rejected"), task(9.0, state="rejected"))
    profiles = profiles_of([job(task(10.0), task(None), task(None)), documented, no_contract, with_rejected])
    assert hours(tpa.impute_hours(profiles, "equal_residual")) == [
        *(10.0, 15.0, 15.0),
        *(50.0, None),
        *(1.0, None),
        *(30.0, 10.0, None, 9.0),
    ]
    assert hours(tpa.impute_hours(profiles, "equal_residual", contract_hours=20))[5:7] == [1.0, 19.0]


def test_same_task_falls_back_to_the_hierarchy_and_to_the_family() -> None:
    others = [job(task(float(h), key="a"), task(10.0 * h, "H2", key=f"k{h}")) for h in (1, 2, 6)]
    profiles = profiles_of([*others, job(task(None, "H2", key="a"), task(None, "H2", key="new"), task(None, "H3"))])
    assert hours(tpa.impute_hours(profiles, "same_task"))[-3:] == [2.0, 20.0, None]
    place = pl.when(pl.col("task_id").is_in(["k1", "k2", "a", "new"])).then(pl.lit("here")).otherwise(pl.lit("there"))
    with_hierarchy = tpa.TaskProfiles(
        profiles.jobs, profiles.tasks.with_columns(hierarchy=pl.concat_list(pl.lit("top"), place))
    )
    assert hours(tpa.impute_hours(with_hierarchy, "same_task"))[-3:] == [
        2.0,
        statistics.median([1, 2, 6, 10, 20]),
        None,
    ]
    with_new_ids = profiles.tasks.with_columns(task_id=pl.format("{}-{}", "job_id", "task_id"))
    texts = tpa.TaskProfiles(profiles.jobs, with_new_ids.with_columns(pl.col("task").str.replace(" ", "  ")))
    assert hours(tpa.impute_hours(texts, "same_task", same_task="text"))[-3:] == [2.0, 20.0, None]


def test_imputed_hours_are_not_used_as_donors() -> None:
    profiles = profiles_of(
        [job(task(8.0, key="a"), task(None, key="a")), *(job(task(None, key="a")) for _ in range(3))]
    )
    once = tpa.impute_hours(profiles, "equal_residual", contract_hours=40)
    assert once.tasks["hours_imputed"].to_list() == [False, *[True] * 4]
    incomplete = tpa.TaskProfiles(once.jobs, once.tasks[:-1].vstack(once.tasks[-1:].with_columns(weekly_hours=None)))
    twice = tpa.impute_hours(tpa.TaskProfiles(incomplete.jobs, incomplete.tasks, once.manifest), "same_task")
    assert hours(twice)[-1] is None
    assert twice.manifest["imputation"]["before"]["method"] == "equal_residual"


def test_hot_deck_draws_from_the_donors_reproducibly() -> None:
    donors = [job(task(float(h), key="a")) for h in range(1, 10)]
    profiles = profiles_of([*donors, *(job(task(None, key="a")) for _ in range(200))])
    drawn = hours(tpa.impute_hours(profiles, "hot_deck", seed=1))[9:]
    assert hours(tpa.impute_hours(profiles, "hot_deck", seed=1))[9:] == drawn
    assert hours(tpa.impute_hours(profiles, "hot_deck", seed=2))[9:] != drawn
    assert set(drawn) == set(map(float, range(1, 10)))
    assert statistics.fmean(h for h in drawn if h is not None) == pytest.approx(5.0, abs=0.7)


def test_validated_scale_changes_only_complete_jobs() -> None:
    exact, too_long = job(task(15.0), task(25.0)), job(task(20.0), task(60.0), task(0.0))
    profiles = profiles_of([too_long, exact, job(task(10.0), task(None)), job(task(0.0)), job()])
    scaled = tpa.impute_hours(profiles, "validated_scale")
    assert hours(scaled) == [10.0, 30.0, 0.0, 15.0, 25.0, 10.0, None, 0.0]
    assert scaled.tasks["hours_imputed"].to_list() == [True, True, *[False] * 6]


def simulated(
    seed: int, documented: float, missing: float, *, long_tasks: bool = False
) -> tuple[tpa.TaskProfiles, float]:
    """Return 40 jobs with 6 to 14 tasks each, some without hours, and their true H1 hours."""
    rng = random.Random(seed)
    jobs, truth = [], 0.0
    for _ in range(40):
        lengths = [rng.lognormvariate(0, 0.6) for _ in range(rng.randint(6, 14))]
        tasks = []
        for h in (40 * documented * x / sum(lengths) for x in lengths):
            level = rng.choice(["H1", "H2", "H3"])
            truth += h if level == "H1" else 0.0
            probability = missing * (h / (40 * documented / len(lengths))) ** 1.5 if long_tasks else missing
            tasks.append(task(None if rng.random() < probability else h, level))
        jobs.append(job(*tasks))
    return profiles_of(jobs), truth


@pytest.mark.parametrize(
    ("method", "documented", "missing", "bias"),
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
def test_bias_of_each_method_is_as_documented(method: Any, documented: float, missing: float, bias: float) -> None:
    errors = []
    for seed in range(12):
        profiles, truth = simulated(seed, documented, missing)
        tasks = tpa.impute_hours(profiles, method).tasks
        errors.append(tasks.filter(ai_impact_level="H1")["weekly_hours"].sum() / truth - 1)
    assert statistics.fmean(errors) == pytest.approx(bias, abs=0.04)


def test_bias_of_zeros_is_larger_if_long_tasks_lack_hours() -> None:
    errors = []
    for seed in range(12):
        profiles, truth = simulated(seed, 1.0, 0.1, long_tasks=True)
        tasks = tpa.impute_hours(profiles, "zero_i_know_what_i_do").tasks
        errors.append(tasks.filter(ai_impact_level="H1")["weekly_hours"].sum() / truth - 1)
    assert statistics.fmean(errors) < -0.14


@every_method
def test_no_jobs_are_allowed(method: Any) -> None:
    imputed = impute(profiles_of([]), method)
    assert imputed.tasks.height == 0
    assert imputed.tasks.schema["hours_imputed"] == pl.Boolean
    assert imputed.manifest["imputation"]["rows"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: tpa.impute_hours(p, "zero"),
            "`method` must be 'equal_residual', .*or 'zero_i_know_what_i_do', not 'zero'",
        ),
        (lambda p: tpa.impute_hours(p, "hot_deck"), "`seed` must be a whole number for method='hot_deck', not None"),
        (lambda p: tpa.impute_hours(p, "same_task", same_task="name"), "must be 'id' or 'text', not"),
        (
            lambda p: tpa.impute_hours(p, "equal_residual", contract_hours=-1),
            "`contract_hours` must be above 0 .*, not -1",
        ),
        (lambda p: tpa.impute_hours(p, "same_task", states=["rejected"]), "Rejected tasks are never counted"),
        (
            lambda p: tpa.impute_hours(p, "equal_residual"),
            "method='equal_residual' requires contract hours, but no job has any",
        ),
        (lambda p: tpa.impute_hours(p.tasks, "same_task"), "`profiles` must be TaskProfiles, not DataFrame"),
        (
            lambda p: tpa.impute_hours(tpa.TaskProfiles(p.jobs, pd.DataFrame({"job_id": []})), "same_task"),
            "impute_hours requires Polars frames. Convert `tasks` first",
        ),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(profiles_of([job(task(None), week=None)]))
    with pytest.raises(TypeError):
        tpa.impute_hours(profiles_of([]))  # type: ignore[call-arg]


def test_provenance_lists_the_imputations_in_order(sample: tpa.TaskProfiles) -> None:
    before = provenance(sample.manifest)
    once = tpa.impute_hours(sample, "equal_residual")
    rows = once.manifest["imputation"]["rows"]
    imputed = f"; hours imputed or adjusted: {rows} tasks by equal_residual"
    assert provenance(once.manifest) == f"{before[:-1]}{imputed}."
    twice = tpa.impute_hours(once, "zero_i_know_what_i_do")
    left = twice.manifest["imputation"]["rows"]
    assert provenance(twice.manifest) == f"{before[:-1]}{imputed}, then {left} tasks by zero_i_know_what_i_do."
    assert ": 1 task by" in provenance({"imputation": {"method": "hot_deck", "rows": 1}})


#: Columns that depend on how much is known, and columns that identify a row.
COVERAGE_COLUMNS = (
    "coverage",
    "hours_coverage",
    "level_coverage",
    "both_coverage",
    "jobs_complete_share",
    "data_grade",
)
KEYS = (
    *("job_id", "job_family", "group_a", "group_b", "category", "ai_impact_level", "block_hours", "scope"),
    *("skill_id", "skill", "at_least"),
)


@functools.cache
def figures_without_imputation(name: str) -> pl.DataFrame:
    return MEASURES[name](odd())


@functools.cache
def imputed_odd(method: ImputeMethod) -> tpa.TaskProfiles:
    return with_cache(tpa.impute_hours(odd(), method, contract_hours=168))


#: Its hours_coverage includes imputed hours.
EXCLUDED = "automation_candidates"


@pytest.mark.parametrize("name", [name for name in MEASURES if not name.startswith(EXCLUDED)])
@pytest.mark.parametrize("method", ["equal_residual", "zero_i_know_what_i_do"])
def test_imputed_hours_increase_neither_coverage_nor_grade(name: str, method: ImputeMethod) -> None:
    expected, actual = figures_without_imputation(name), MEASURES[name](imputed_odd(method))
    columns = [column for column in expected.columns if column in COVERAGE_COLUMNS or column.startswith("coverage_")]
    keys = [key for key in KEYS if key in expected.columns]
    if not columns:
        return
    both = actual.join(expected, on=keys, how="inner", nulls_equal=True, suffix="_without")
    assert both.height == min(expected.height, actual.height)
    for column in columns:
        old = both[f"{column}_without"]
        # Coverage may change from null to 0.
        assert both.filter(old.is_not_null())[column].to_list() == old.drop_nulls().to_list()
        assert set(both.filter(old.is_null())[column].to_list()) <= {None, 0.0, "C"}
    if name != "check_claim":
        assert tpa.about(actual).grade == tpa.about(expected).grade


@hypothesis.given(profiles=companies, method=st.sampled_from(["equal_residual", "zero_i_know_what_i_do"]))
def test_imputed_hours_do_not_change_coverage_for_random_profiles(
    profiles: tpa.TaskProfiles, method: ImputeMethod
) -> None:
    profiles, after = map(with_cache, (profiles, tpa.impute_hours(profiles, method, contract_hours=40.0)))
    figures = [
        "hours_coverage",
        "level_coverage",
        "both_coverage",
        "jobs_complete_share",
        "validated_share",
        "data_grade",
    ]
    expected, actual = (tpa.coverage(p).select("job_family", *figures) for p in (profiles, after))
    assert_frame_equal(actual, expected)
    expected, actual = (tpa.exposure(p).select("job_family", "coverage", "data_grade") for p in (profiles, after))
    assert_frame_equal(actual, expected, check_row_order=False)


def test_imputed_hours_do_not_change_the_grade_of_a_claim() -> None:
    before = odd()
    after = tpa.impute_hours(before, "zero_i_know_what_i_do")
    expected, actual = (tpa.check_claim(p, "Finance > (no job family)", rounds=100) for p in (before, after))
    assert (actual.grade_left, actual.grade_right) == (expected.grade_left, expected.grade_right)
