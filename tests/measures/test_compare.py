"""Tests of the change in hours at a level between two snapshots."""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.builders import close, job, one_job, task
from tests.helpers.random_profiles import LEVELS, STATES, profiles_of
from tests.helpers.snapshot_pairs import (
    resolved_tasks,
    small_profiles,
)
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable

#: Each of the 1,200 pairs is a group.
many_groups = pytest.mark.filterwarnings("ignore:`by` gives:tpanalytics.TpAnalyticsWarning")
BRIDGE = ("before", *TERMS, "after")


def bridge_of(before: tpa.TaskProfiles, after: tpa.TaskProfiles, **arguments: Any) -> dict[str, Any]:
    """Return the nonzero terms of the row for the whole company."""
    row = tpa.compare(before, after, **arguments).filter(scope="all").row(0, named=True)
    return {name: row[name] for name in BRIDGE if row[name] not in (0.0, None)}


def adds_up(row: dict[str, Any]) -> bool:
    return close((row["before"] or 0.0) + sum(row[term] or 0.0 for term in TERMS), row["after"] or 0.0)


def random_job(rng: random.Random, families: list[str | None]) -> dict[str, Any]:
    return job(
        *(
            task(
                rng.choice(LEVELS),
                rng.choice([None, 0.0, round(rng.uniform(0, 40), 2), rng.uniform(0, 9)]),
                rng.choice(STATES),
                rng.choice("abcdef"),
            )
            for _ in range(rng.randrange(7))
        ),
        family=rng.choice(families),
    )


@pytest.fixture(scope="module")
def pairs() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    """Return 1,200 random pairs as one: each pair is a job family, and some jobs move to the next family."""
    rng = random.Random(20)
    sides: list[tpa.TaskProfiles] = []
    for _ in range(2):
        numbers = [i for i in range(1200) for _ in range(3)]
        jobs = [random_job(rng, [f"pair {i + (rng.random() < 0.1):04d}"]) for i in numbers]
        profiles = profiles_of(jobs)
        remaining = pl.Series([rng.random() < 0.85 for _ in jobs])
        rest = profiles.jobs.filter(remaining)
        sides.append(tpa.TaskProfiles(rest, profiles.tasks.filter(pl.col("job_id").is_in(rest["job_id"].implode()))))
    return sides[0], sides[1]


def expected_bridge(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> dict[str, dict[str, float]]:
    families = [
        dict(p.jobs.select("job_id", pl.col("job_family").fill_null("(no job family)")).rows()) for p in (before, after)
    ]
    tasks_before, tasks_after = resolved_tasks(before, level), resolved_tasks(after, level)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for key in {*tasks_before, *tasks_after}:
        family = sums[families[1].get(key[0]) or families[0][key[0]]]
        if key not in tasks_before:
            second = tasks_after[key]
            family["added"] += second.hours_at_level
            family["tasks_added"] += 1
            family["tasks_added_unmeasured"] += not second.with_hours
        elif key not in tasks_after:
            first = tasks_before[key]
            family["removed"] -= first.hours_at_level
            family["tasks_removed"] += 1
            family["tasks_removed_unmeasured"] += not first.with_hours
        else:
            first, second = tasks_before[key], tasks_after[key]
            family["tasks_both"] += 1
            at_level = [task.level == level for task in (first, second)]
            if first.measured and second.measured:
                family["tasks_both_measured"] += 1
                family["relevelled"] += (first.hours + second.hours) / 2 * (at_level[1] - at_level[0])
                family["hours_changed"] += sum(at_level) / 2 * (second.hours - first.hours)
            else:
                family["newly_measured"] += second.hours_at_level - first.hours_at_level
    return sums


@many_groups
def test_terms_add_up_for_1200_pairs(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    result = tpa.compare(*pairs)
    assert result.height > 1001
    nonzero = dict.fromkeys(TERMS, 0)
    for row in result.iter_rows(named=True):
        assert adds_up(row), row
        for term in TERMS:
            nonzero[term] += bool(row[term])
    assert min(nonzero.values()) > 30


def check_against_loops(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> None:
    expected = expected_bridge(before, after, level)
    for row in tpa.compare(before, after, level=level).filter(scope="group").iter_rows(named=True):
        other = expected[row["job_family"]]
        assert adds_up(row)
        for name in ("tasks_both", "tasks_both_measured", "tasks_added", "tasks_removed"):
            assert row[name] == other[name]
        for name in ("tasks_added_unmeasured", "tasks_removed_unmeasured"):
            assert row[name] == other[name]
        for term in TERMS:
            assert close(row[term] or 0.0, other[term])


@hypothesis.given(before=small_profiles, after=small_profiles, level=st.sampled_from(["H1", "H2", "H5"]))
def test_terms_equal_loops_for_random_profiles(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> None:
    check_against_loops(before, after, level)


@many_groups
def test_terms_equal_loops(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    check_against_loops(*pairs, "H1")


def without_repeats(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Keep one row per task of a job, because `impact` counts rows."""
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    tasks = counted.unique(["job_id", "task_id"], keep="first", maintain_order=True)
    return tpa.TaskProfiles(profiles.jobs, tasks)


def check_sums(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    result = tpa.compare(before, after)
    families, total = result.filter(scope="group"), result.filter(scope="all")
    for profiles, side in ((before, "before"), (after, "after")):
        hours: dict[str, float] = defaultdict(float)
        family_of = {
            row["job_id"]: row["job_family"] or "(no job family)" for row in profiles.jobs.iter_rows(named=True)
        }
        for (job_id, _), resolved in resolved_tasks(profiles, "H1").items():
            hours[family_of[job_id]] += resolved.hours_at_level
        for row in families.iter_rows(named=True):
            moved = row["moved"] if side == "before" else 0.0
            assert close((row[side] or 0.0) - moved, hours[row["job_family"]])
    assert total.height == (families.height > 0)
    opposite = {"added": "removed", "removed": "added"}
    for row, other in zip(
        total.iter_rows(named=True), tpa.compare(after, before).filter(scope="all").iter_rows(named=True), strict=True
    ):
        assert close(row["moved"], 0.0)
        for name in (*BRIDGE, *(name for name in result.columns if name.startswith(("jobs_", "tasks_")))):
            assert close(row[name] or 0.0, families[name].sum())
        for term in TERMS:
            assert close(row[term] or 0.0, -(other[opposite.get(term, term)] or 0.0))


def check_totals_equal_impact(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    bridge = {row["job_family"]: row for row in tpa.compare(before, after).filter(scope="group").iter_rows(named=True)}
    for profiles, side in ((before, "before"), (after, "after")):
        hours = dict(tpa.impact(profiles).filter(ai_impact_level="H1").select("job_family", "hours").rows())
        assert set(profiles.jobs["job_family"].fill_null("(no job family)")) <= set(bridge)
        for family, row in bridge.items():
            moved = row["moved"] if side == "before" else 0.0
            assert close((row[side] or 0.0) - moved, hours.get(family) or 0.0)


@hypothesis.given(before=small_profiles, after=small_profiles)
def test_totals_and_signs_are_consistent_for_random_profiles(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    check_sums(with_cache(before), with_cache(after))
    check_totals_equal_impact(with_cache(without_repeats(before)), with_cache(without_repeats(after)))


@many_groups
def test_totals_and_signs_are_consistent(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    check_sums(*pairs)
    check_totals_equal_impact(*map(without_repeats, pairs))


@pytest.mark.parametrize(
    ("before", "after", "terms"),
    [
        ([task("H1", 4.0)], [task("H1", 6.0)], {"before": 4.0, "hours_changed": 2.0, "after": 6.0}),
        ([task("H2", 4.0)], [task("H1", 6.0)], {"relevelled": 5.0, "hours_changed": 1.0, "after": 6.0}),
        ([task("H1", 4.0)], [task("H1", None)], {"before": 4.0, "newly_measured": -4.0}),
        ([task("H1", None)], [task("H1", 4.0)], {"newly_measured": 4.0, "after": 4.0}),
        ([task(None, 4.0)], [task("H1", 4.0)], {"newly_measured": 4.0, "after": 4.0}),
        ([task("H1", 4.0)], [task("H9", 4.0)], {"before": 4.0, "relevelled": -4.0}),
        ([], [task("H1", 4.0)], {"added": 4.0, "after": 4.0}),
        ([task("H1", 4.0)], [], {"before": 4.0, "removed": -4.0}),
        ([task("H1", 4.0)], [task("H1", 4.0, "rejected")], {"before": 4.0, "removed": -4.0}),
        ([task("H1", 0.0)], [task("H1", 3.0)], {"hours_changed": 3.0, "after": 3.0}),
    ],
)
def test_each_change_is_in_its_own_term(before: list[Any], after: list[Any], terms: dict[str, float]) -> None:
    assert bridge_of(one_job(*before), one_job(*after)) == pytest.approx(terms)


def test_total_is_null_if_hours_are_missing_afterwards() -> None:
    row = tpa.compare(one_job(task("H1", 4.0)), one_job(task("H1", None))).row(0, named=True)
    assert (row["after"], row["reason"], row["coverage_after"]) == (None, "NO_HOURS", 0.0)
    zero = tpa.compare(one_job(task("H1", 4.0)), one_job(task("H2", 3.0))).row(0, named=True)
    assert (zero["after"], zero["reason"]) == (0.0, None)


def test_jobs_that_change_family_are_moved() -> None:
    before = profiles_of([job(task("H1", 5.0), family="Sales"), job(task("H1", 2.0), family="Sales")])
    after = profiles_of([job(task("H1", 6.0), family="研究開発"), job(task("H1", 2.0), family="Sales")])
    result = tpa.compare(before, after)
    rows = {row["job_family"]: row for row in result.iter_rows(named=True)}
    assert [rows["研究開発"][name] for name in ("before", "hours_changed", "after", "moved")] == [5.0, 1.0, 6.0, 5.0]
    assert [rows["Sales"][name] for name in ("before", "hours_changed", "after", "moved")] == [2.0, 0.0, 2.0, -5.0]
    assert (rows[None]["added"], rows[None]["removed"], rows[None]["moved"]) == (0.0, 0.0, 0.0)
    assert any("1 job changed job family" in text for text in tpa.about(result).warnings)


def test_tasks_of_added_and_removed_jobs_are_added_and_removed() -> None:
    both = profiles_of([job(task("H1", 1.0)), job(task("H1", 4.0), task("H1", None, key="u"))])
    one_side = profiles_of([job(task("H1", 1.0))])
    row = tpa.compare(one_side, both).row(0, named=True)
    assert (row["added"], row["tasks_added"], row["tasks_added_unmeasured"], row["jobs_both"]) == (4.0, 2, 1, 1)
    row = tpa.compare(both, one_side).row(0, named=True)
    assert (row["removed"], row["tasks_removed"], row["tasks_removed_unmeasured"]) == (-4.0, 2, 1)
    assert row["churn"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("before", "after", "terms"),
    [
        # The hours of rows with the same level are added up.
        ([task(hours=2.0), task(hours=3.0)], [task(hours=5.0)], {"before": 5.0, "after": 5.0}),
        # Rows with contradictory levels have no level, so a later level is newly measured.
        ([task("H1", 2.0), task("H2", 3.0)], [task("H1", 5.0)], {"newly_measured": 5.0, "after": 5.0}),
        # The level of a validated row applies to all rows of the task.
        ([task("H1", 2.0), task("H2", 3.0, "suggested")], [task("H1", 5.0)], {"before": 5.0, "after": 5.0}),
        # The validated level was H2 and is now H1.
        (
            [task("H1", 2.0, "suggested"), task("H2", 3.0)],
            [task("H1", 5.0)],
            {"relevelled": 5.0, "after": 5.0},
        ),
        # The hours of a task are unknown if one of its rows has no hours.
        ([task(hours=2.0), task(hours=None)], [task(hours=5.0)], {"before": 2.0, "newly_measured": 3.0, "after": 5.0}),
    ],
)
def test_repeated_task_is_one_task(before: list[Any], after: list[Any], terms: dict[str, float]) -> None:
    assert bridge_of(one_job(*before), one_job(*after)) == pytest.approx(terms)
    notes = tpa.about(tpa.compare(one_job(*before), one_job(*after))).warnings
    assert any("1 task is repeated in a job" in text for text in notes)


def test_tasks_without_an_id_are_neither_added_nor_removed() -> None:
    before, after = one_job(task(hours=2.0, key=None), task(hours=1.0)), one_job(task(hours=1.0))
    assert bridge_of(before, after) == {"before": 3.0, "newly_measured": -2.0, "after": 1.0}
    assert tpa.transitions(before, after)["tasks"].sum() == 1
    assert any("1 task has no id to match by" in text for text in tpa.about(tpa.compare(before, after)).warnings)


def test_tasks_with_new_ids_can_be_matched_by_text() -> None:
    before, after = one_job(task(hours=2.0, key="a")), one_job(task(hours=3.0, key="a"))
    renamed = tpa.TaskProfiles(
        after.jobs, after.tasks.with_columns(task_id=pl.lit("new"), task=pl.lit("  DO a\twith\n care "))
    )
    assert bridge_of(before, renamed) == {"before": 2.0, "added": 3.0, "removed": -2.0, "after": 3.0}
    assert any("Try same_task='text'" in text for text in tpa.about(tpa.compare(before, renamed)).warnings)
    by_text = {"before": 2.0, "hours_changed": 1.0, "after": 3.0}
    assert bridge_of(before, renamed, same_task="text") == by_text


def test_imputed_hours_are_newly_measured() -> None:
    before, after = one_job(task(hours=2.0)), one_job(task(hours=3.0))
    imputed = tpa.TaskProfiles(before.jobs, before.tasks.with_columns(hours_imputed=pl.lit(value=True)))
    assert bridge_of(imputed, after) == {"before": 2.0, "newly_measured": 1.0, "after": 3.0}
    assert any(
        "100.0% of the hours before are imputed" in text for text in tpa.about(tpa.compare(imputed, after)).warnings
    )
    zero = one_job(task(hours=0.0))
    imputed = tpa.TaskProfiles(zero.jobs, zero.tasks.with_columns(hours_imputed=pl.lit(value=True)))
    assert bridge_of(imputed, after) == {"newly_measured": 3.0, "after": 3.0}
    for measure in (tpa.compare, tpa.compare_exposure):
        result = measure(imputed, after)
        assert result.select("coverage_before", "coverage_after").row(-1) == (0.0, 1.0)
        assert tpa.about(result).grade == "C"
    assert tpa.about(tpa.transitions(imputed, after, of="state")).tasks == 1
    assert tpa.compare_groups(imputed, "A", category="task_id")["coverage"].to_list() == [0.0, 0.0]


def test_most_of_the_change_in_the_sample_is_newly_measured() -> None:
    total = tpa.compare(tpa.load_sample("2026-05"), tpa.load_sample("2026-11")).row(-1, named=True)
    assert total["newly_measured"] > (total["after"] - total["before"]) / 2


def test_states_can_be_limited_to_validated() -> None:
    before, after = one_job(task("H1", 4.0, "suggested")), one_job(task("H1", 4.0))
    assert bridge_of(before, after) == {"before": 4.0, "after": 4.0}
    assert bridge_of(before, after, states=["validated"]) == {"added": 4.0, "after": 4.0}


def test_unknown_state_warns_once_per_snapshot() -> None:
    profiles = one_job(task(), task("H2", 3.0, "initially_validated", key="u"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tpa.compare(profiles, profiles)
    assert len(caught) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.compare(p, p, level="H7"), r"`level` must be a level of the tasks \('H1'\), not 'H7'"),
        (lambda p: tpa.compare(p, p, level="not assessed"), "`level` must be an AI impact level"),
        (lambda p: tpa.compare(p, p, level=None), "`level` must be an AI impact level"),
        (lambda p: tpa.compare(p, p, same_task="name"), "must be 'id' or 'text', not"),
        (lambda p: tpa.compare(p, p, states="validated"), "`states` must be a list of validation states like"),
        (lambda p: tpa.compare(p, p, states=["rejected"]), "Rejected tasks are never counted"),
        (lambda p: tpa.compare(p, p.tasks), "must be TaskProfiles, not DataFrame"),
        (
            lambda p: tpa.compare(p, tpa.TaskProfiles(p.jobs, p.tasks.drop("task_id"))),
            "`tasks` has no column 'task_id'",
        ),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
