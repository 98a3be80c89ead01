"""Tests of the overlap of job families."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import duckdb
import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers import builders
from tests.helpers.builders import as_pandas, check_row_order, close
from tests.helpers.random_profiles import companies, profiles_of

MEASURES = {
    "by id": tpa.overlap,
    "by text": lambda p: tpa.overlap(p, contract_hours=40, same_task="text"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def task(key: str = "a", hours: float | None = 1.0, level: str | None = "H1") -> dict[str, Any]:
    return builders.task(level, hours, key=key)


job = partial(builders.job, headcount=1.0)


def share_in(hours: dict[str, float | None], shared: set[str], total: float) -> float | None:
    known = [value for key in shared if (value := hours[key]) is not None]
    return sum(known) / total if total and (known or not shared) else None


def expected_overlap(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], dict[str, Any]]:
    """Compute the figures of each pair of families task by task."""
    families = {row["job_id"]: row["job_family"] or "(no job family)" for row in profiles.jobs.iter_rows(named=True)}
    hours_of: dict[str, dict[str, float | None]] = {family: {} for family in families.values()}
    for row in profiles.tasks.filter(pl.col("validation_state") != "rejected").iter_rows(named=True):
        family_hours, key, hours = hours_of[families[row["job_id"]]], row["task_id"], row["weekly_hours"]
        family_hours[key] = hours if family_hours.get(key) is None else family_hours[key] + (hours or 0.0)
    order = sorted(hours_of, key=lambda family: (family == "(no job family)", family))
    expected = {}
    for i, left in enumerate(order):
        for right in order[i + 1 :]:
            a, b = hours_of[left], hours_of[right]
            shared = a.keys() & b.keys()
            no_hours = {key for key in shared if a[key] is None or b[key] is None}
            included = sorted((a.keys() | b.keys()) - no_hours)
            pairs = [[x.get(key) or 0.0 for key in included] for x in (a, b)]
            sums = [sum(h or 0.0 for h in x.values()) for x in (a, b)]
            norms = [math.hypot(*(h or 0.0 for h in x.values())) for x in (a, b)]
            max_hours = sum(map(max, *pairs)) if included else 0.0
            has_hours, has_tasks, comparable = min(sums) > 0, bool(a and b), not shared or len(no_hours) < len(shared)
            cosine = sum((a[k] or 0.0) * (b[k] or 0.0) for k in shared) / (math.prod(norms) or 1.0)
            expected[left, right] = {
                "tasks_a": len(a),
                "tasks_b": len(b),
                "tasks_shared": len(shared),
                "shared_without_hours": len(no_hours),
                "jaccard": len(shared) / len(a.keys() | b.keys()) if has_tasks else None,
                "sorensen": 2 * len(shared) / (len(a) + len(b)) if has_tasks else None,
                "ruzicka": sum(map(min, *pairs)) / max_hours if has_hours and comparable and max_hours > 1e-9 else None,
                "cosine": cosine if has_hours and comparable else None,
                "containment_a_in_b": share_in(a, shared, sums[0]) if has_tasks else None,
                "containment_b_in_a": share_in(b, shared, sums[1]) if has_tasks else None,
            }
    return expected


def without_tiny_hours(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Set hours to null whose square would underflow."""
    hours = pl.when((pl.col("weekly_hours") == 0) | (pl.col("weekly_hours") > 1e-3)).then("weekly_hours")
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(weekly_hours=hours))


@hypothesis.given(profiles=companies.map(without_tiny_hours))
def test_figures_equal_loops_for_random_profiles(profiles: tpa.TaskProfiles) -> None:
    table, expected = tpa.overlap(profiles), expected_overlap(profiles)
    assert list(table.select("group_a", "group_b").rows()) == list(expected)
    for row in table.iter_rows(named=True):
        for name, value in expected[row["group_a"], row["group_b"]].items():
            assert close(row[name], value), name
        if min(row["tasks_a"], row["tasks_b"]) == 0:
            assert row["reason"] == "NO_TASKS"
        reason = row.pop("reason")
        assert (reason is None) == (None not in row.values())


def test_figures_equal_loops(sample: tpa.TaskProfiles) -> None:
    expected = expected_overlap(sample)
    for row in tpa.overlap(sample).iter_rows(named=True):
        for name, value in expected[row["group_a"], row["group_b"]].items():
            assert close(row[name], value), name


def test_overlap_in_hours_is_null_if_no_shared_task_has_hours() -> None:
    profiles = profiles_of([job(task("a", 5.0), family="A"), job(task("a", None), task("b", 3.0), family="B")])
    row = tpa.overlap(profiles, contract_hours=40).row(0, named=True)
    assert (row["jaccard"], row["tasks_shared"], row["shared_without_hours"]) == (0.5, 1, 1)
    assert row["ruzicka"] is row["cosine"] is row["containment_b_in_a"] is None
    assert (row["containment_a_in_b"], row["ruzicka_low"], row["ruzicka_high"]) == (1.0, 0.0, 1.0)
    assert row["reason"] == "NO_HOURS"


def test_containment_depends_on_the_direction() -> None:
    profiles = profiles_of([job(task("a", 2.0), family="Small"), job(task("a", 2.0), task("b", 6.0), family="Vast")])
    row = tpa.overlap(profiles).row(0, named=True)
    assert (row["containment_a_in_b"], row["containment_b_in_a"]) == (1.0, 0.25)
    assert (row["jaccard"], row["sorensen"], row["ruzicka"]) == (0.5, pytest.approx(2 / 3), 0.25)
    assert row["cosine"] == pytest.approx(4 / (2 * math.hypot(2, 6)))


_hours = st.sampled_from([None, 0.0, 2.0, 9.0])


@hypothesis.given(sides=st.tuples(st.tuples(_hours, _hours), st.tuples(_hours, _hours)), split=st.floats(0, 1))
def test_bounds_contain_every_distribution_of_undocumented_hours(sides: Any, split: float) -> None:
    jobs = [
        job(*(task(key, h) for key, h in zip("ab", side, strict=True)), family=f, week=10.0)
        for f, side in zip("AB", sides, strict=True)
    ]
    row = tpa.overlap(profiles_of(jobs)).row(0, named=True)
    for used_share in (0.0, 0.4, 1.0):
        filled = []
        for side in sides:
            rest = max(0.0, 10.0 - sum(h or 0.0 for h in side)) * used_share
            missing = [i for i, h in enumerate(side) if h is None]
            parts = {
                i: rest * part
                for i, part in zip(missing, (split, 1 - split) if len(missing) > 1 else (1,), strict=False)
            }
            filled.append([parts[i] if h is None else h for i, h in enumerate(side)])
        max_hours = sum(map(max, *filled))
        if max_hours > 1e-9:
            ruzicka = sum(map(min, *filled)) / max_hours
            assert row["ruzicka_low"] - 1e-9 <= ruzicka <= row["ruzicka_high"] + 1e-9


def test_bounds_are_null_without_contract_hours() -> None:
    jobs = [job(task("a", 2.0), task("b", None)), job(task("a", 4.0), family="B"), job(task("z", 1.0), family="C")]
    rows = {
        (row[0], row[1]): row[2:]
        for row in tpa.overlap(profiles_of(jobs))
        .select("group_a", "group_b", "ruzicka", "ruzicka_low", "ruzicka_high", "reason")
        .rows()
    }
    assert rows["A", "B"] == (0.5, None, None, "NO_CONTRACT_HOURS")
    assert rows["A", "C"] == (0.0, 0.0, 0.0, None)
    assumed = tpa.overlap(profiles_of(jobs), contract_hours=6)
    assert assumed.select("ruzicka_low", "ruzicka_high").row(0) == (0.25, 1.0)
    assert any("assume 6 h per week" in text for text in tpa.about(assumed).warnings)


def test_family_without_tasks_has_null_figures() -> None:
    row = tpa.overlap(profiles_of([job(task()), job(family="Empty")])).row(0, named=True)
    assert (row["tasks_b"], row["tasks_shared"], row["reason"]) == (0, 0, "NO_TASKS")
    assert row["jaccard"] is row["ruzicka"] is row["containment_a_in_b"] is row["ruzicka_high"] is None


@hypothesis.given(
    measure=st.sampled_from(list(MEASURES.values())),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    cut=st.floats(0, 1),
)
def test_row_order_does_not_matter(profiles: tpa.TaskProfiles, seed: int, cut: float, measure: Any) -> None:
    result = check_row_order(measure, profiles, seed, cut)
    for column in result.select(pl.col("^(jaccard|sorensen|ruzicka|cosine|containment).*$")):
        assert column.drop_nulls().is_between(0, 1 + 1e-9).all()


def test_assumed_contract_hours_are_the_same_on_every_backend(sample: tpa.TaskProfiles) -> None:
    measure = MEASURES["by text"]
    expected = measure(sample)
    frames = [as_pandas(frame) for frame in (sample.jobs, sample.tasks)]
    for profiles in (tpa.TaskProfiles(*frames), tpa.TaskProfiles(*map(duckdb.from_df, frames))):
        assert_frame_equal(measure(profiles), expected, abs_tol=1e-9)


@every_measure
def test_no_tasks_return_an_empty_table(measure: Any) -> None:
    full = measure(profiles_of([job(task()), job(task(), family="B")]))
    assert full.height == 1
    for jobs in ([], [job()]):
        assert_frame_equal(measure(profiles_of(jobs)), full.clear())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.overlap(p, same_task="name"), "`same_task` must be 'id' or 'text', not 'name'"),
        (
            lambda p: tpa.overlap(p, contract_hours=True),
            "`contract_hours` must be above 0 .*, not True",
        ),
        (lambda p: tpa.overlap(p, states="validated"), "`states` must be a list of validation states like"),
    ],
)
def test_invalid_arguments_raise(call: Any, message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(profiles_of([job(task())]))
