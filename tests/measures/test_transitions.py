"""What changed adds up exactly, and no gap in the data passes for a change in work."""

from __future__ import annotations

import math
import random
import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.random_profiles import LEVELS, STATES, _job as any_job, profiles_of
from tpanalytics.measures._core.decomposition import SPLIT, decompose
from tpanalytics.measures._core.weights import WEIGHTS
from tpanalytics.measures.compare import TERMS, compare
from tpanalytics.measures.compare_exposure import compare_exposure
from tpanalytics.measures.compare_groups import compare_groups
from tpanalytics.measures.transitions import transitions

if TYPE_CHECKING:
    from collections.abc import Callable


def rounded_profiles(jobs: list[Any]) -> tpa.TaskProfiles:
    """Build profiles without hours so near to zero that half of them, or a share of them, is no float any more."""
    profiles = profiles_of(jobs)
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks.with_columns(pl.col("weekly_hours").round(6)))


small = st.lists(any_job, max_size=3).map(rounded_profiles)
MEASURES: dict[str, Callable[[tpa.TaskProfiles, tpa.TaskProfiles], pl.DataFrame]] = {
    "bridge": compare,
    "exposure by family": compare_exposure,
    "exposure by job": lambda before, after: compare_exposure(before, after, by="job"),
    "level moves": transitions,
    "state moves": lambda before, after: transitions(before, after, of="state"),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
BRIDGE = ("before", *TERMS, "after")


def task(
    level: str | None = "H1", hours: float | None = 1.0, state: str = "validated", key: str | None = "t"
) -> dict[str, Any]:
    return {"task_id": key, "validation_state": state, "weekly_hours": hours, "ai_impact_level": level}


def job(*tasks: dict[str, Any], family: str | None = "A") -> dict[str, Any]:
    return {"job_family": family, "headcount": None, "contract_hours": None, "tasks": list(tasks)}


def one(*tasks: dict[str, Any], family: str | None = "A") -> tpa.TaskProfiles:
    return profiles_of([job(*tasks, family=family)])


def with_manifest(profiles: tpa.TaskProfiles, **manifest: Any) -> tpa.TaskProfiles:
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks, manifest)


def bridge_of(before: tpa.TaskProfiles, after: tpa.TaskProfiles, **how: Any) -> dict[str, Any]:
    """Give the terms that are not zero of the row of all."""
    row = compare(before, after, **how).filter(scope="all").row(0, named=True)
    return {name: row[name] for name in BRIDGE if row[name] not in (0.0, None)}


def near(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def adds_up(row: dict[str, Any]) -> bool:
    return near((row["before"] or 0.0) + sum(row[term] or 0.0 for term in TERMS), row["after"] or 0.0)


def random_job(draw: random.Random, families: list[str | None]) -> dict[str, Any]:
    return job(
        *(
            task(
                draw.choice(LEVELS),
                draw.choice([None, 0.0, round(draw.uniform(0, 40), 2), draw.uniform(0, 9)]),
                draw.choice(STATES),
                draw.choice("abcdef"),
            )
            for _ in range(draw.randrange(7))
        ),
        family=draw.choice(families),
    )


@pytest.fixture(scope="module")
def pairs() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    """Build 1,200 random pairs at once: each is a family of its own, but for jobs that move to the next one."""
    draw = random.Random(20)
    sides: list[tpa.TaskProfiles] = []
    for _ in range(2):
        numbers = [i for i in range(1200) for _ in range(3)]
        jobs = [random_job(draw, [f"pair {i + (draw.random() < 0.1):04d}"]) for i in numbers]
        profiles = profiles_of(jobs)
        kept = pl.Series([draw.random() < 0.85 for _ in jobs])
        left = profiles.jobs.filter(kept)
        sides.append(tpa.TaskProfiles(left, profiles.tasks.filter(pl.col("job_id").is_in(left["job_id"].implode()))))
    return sides[0], sides[1]


def tasks_by_hand(profiles: tpa.TaskProfiles, level: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Bring each job's tasks to one row each, by loops: its rows, hours, hours at the level, level, all known."""
    rows = defaultdict(list)
    for row in profiles.tasks.iter_rows(named=True):
        if row["validation_state"] != "rejected":
            rows[row["job_id"], row["task_id"]].append(row)
    found = {}
    for key, same in rows.items():
        settled = {r["ai_impact_level"] for r in same if r["validation_state"] == "validated"} - {None}
        said = settled or {r["ai_impact_level"] for r in same} - {None}
        hours = [r["weekly_hours"] for r in same]
        final, total = next(iter(said)) if len(said) == 1 else None, sum(h or 0.0 for h in hours)
        known = None not in hours and final is not None
        found[key] = (len(same), total, total if final == level else 0.0, final, known, None not in hours)
    return found


def bridge_by_hand(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> dict[str, dict[str, float]]:
    families = [
        dict(p.jobs.select("job_id", pl.col("job_family").fill_null("(no family)")).rows()) for p in (before, after)
    ]
    first, second = tasks_by_hand(before, level), tasks_by_hand(after, level)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for key in {*first, *second}:
        place = sums[families[1].get(key[0]) or families[0][key[0]]]
        if key not in first:
            place["added"] += second[key][2]
            place["tasks_added"] += 1
            place["tasks_added_unmeasured"] += not second[key][5]
        elif key not in second:
            place["removed"] -= first[key][2]
            place["tasks_removed"] += 1
            place["tasks_removed_unmeasured"] += not first[key][5]
        else:
            (_, h1, v1, l1, known1, _), (_, h2, v2, l2, known2, _) = first[key], second[key]
            place["tasks_both"] += 1
            if known1 and known2:
                place["tasks_both_measured"] += 1
                place["relevelled"] += (h1 + h2) / 2 * ((l2 == level) - (l1 == level))
                place["hours_changed"] += ((l1 == level) + (l2 == level)) / 2 * (h2 - h1)
            else:
                place["newly_measured"] += v2 - v1
    return sums


def test_the_bridge_adds_up_on_a_thousand_random_pairs(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    result = compare(*pairs)
    assert result.height > 1001
    moved = dict.fromkeys(TERMS, 0)
    for row in result.iter_rows(named=True):
        assert adds_up(row), row
        for term in TERMS:
            moved[term] += bool(row[term])
    assert min(moved.values()) > 30  # every term is at work, or this proves little


def check_loops(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> None:
    theirs = bridge_by_hand(before, after, level)
    for row in compare(before, after, level=level).filter(scope="family").iter_rows(named=True):
        other = theirs[row["job_family"]]
        assert adds_up(row)
        for name in ("tasks_both", "tasks_both_measured", "tasks_added", "tasks_removed"):
            assert row[name] == other[name]
        for name in ("tasks_added_unmeasured", "tasks_removed_unmeasured"):
            assert row[name] == other[name]
        for term in TERMS:
            assert near(row[term] or 0.0, other[term])


@hypothesis.given(before=small, after=small, level=st.sampled_from(["H1", "H2", "H5"]))
def test_the_bridge_equals_loops(before: tpa.TaskProfiles, after: tpa.TaskProfiles, level: str) -> None:
    check_loops(before, after, level)


def test_the_bridge_of_many_jobs_equals_loops(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    check_loops(*pairs, "H1")


def without_repeats(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Leave each task of a job one row that counts: `impact` counts rows, and `compare` tasks."""
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    tasks = counted.unique(["job_id", "task_id"], keep="first", maintain_order=True)
    return tpa.TaskProfiles(profiles.jobs, tasks)


def check_sums(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    result = compare(before, after)
    families, whole = result.filter(scope="family"), result.filter(scope="all")
    for profiles, side in ((before, "before"), (after, "after")):
        hours: dict[str, float] = defaultdict(float)
        of = {row["job_id"]: row["job_family"] or "(no family)" for row in profiles.jobs.iter_rows(named=True)}
        for (job_id, _), (_, _, at, *_) in tasks_by_hand(profiles, "H1").items():
            hours[of[job_id]] += at
        for row in families.iter_rows(named=True):
            moved = row["moved"] if side == "before" else 0.0
            assert near((row[side] or 0.0) - moved, hours[row["job_family"]])
    assert whole.height == (families.height > 0)
    mirror = {"added": "removed", "removed": "added"}
    for row, other in zip(
        whole.iter_rows(named=True), compare(after, before).filter(scope="all").iter_rows(named=True), strict=True
    ):
        assert near(row["moved"], 0.0)
        for name in (*BRIDGE, *(name for name in result.columns if name.startswith(("jobs_", "tasks_")))):
            assert near(row[name] or 0.0, families[name].sum())
        for term in TERMS:
            assert near(row[term] or 0.0, -(other[mirror.get(term, term)] or 0.0))


def check_ends_are_impact(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    bridge = {row["job_family"]: row for row in compare(before, after).filter(scope="family").iter_rows(named=True)}
    for profiles, side in ((before, "before"), (after, "after")):
        hours = dict(tpa.impact(profiles).filter(level="H1").select("job_family", "hours").rows())
        assert set(profiles.jobs["job_family"].fill_null("(no family)")) <= set(bridge)
        for family, row in bridge.items():
            moved = row["moved"] if side == "before" else 0.0
            assert near((row[side] or 0.0) - moved, hours.get(family) or 0.0)


@hypothesis.given(before=small, after=small)
def test_either_end_is_what_the_snapshot_says_and_all_is_the_sum_and_turned_round_the_signs_change(
    before: tpa.TaskProfiles, after: tpa.TaskProfiles
) -> None:
    check_sums(before, after)
    check_ends_are_impact(without_repeats(before), without_repeats(after))


def test_the_sums_of_many_jobs_hold_as_well(pairs: tuple[tpa.TaskProfiles, tpa.TaskProfiles]) -> None:
    check_sums(*pairs)
    check_ends_are_impact(*map(without_repeats, pairs))


@hypothesis.given(profiles=small)
def test_nothing_changed_between_a_snapshot_and_itself(profiles: tpa.TaskProfiles) -> None:
    for row in compare(profiles, profiles).iter_rows(named=True):
        assert row["before"] == row["after"]
        assert {row[term] for term in TERMS} <= {0.0, None}
        assert row["churn"] in (0.0, None)
    for row in compare_exposure(profiles, profiles).iter_rows(named=True):
        assert {round(row[term] or 0.0, 12) for term in SPLIT} == {0.0}
    assert set(transitions(profiles, profiles)["move"]) <= {"stayed"}


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
def test_each_term_says_what_happened(before: list[Any], after: list[Any], terms: dict[str, float]) -> None:
    assert bridge_of(one(*before), one(*after)) == pytest.approx(terms)


def test_hours_that_vanish_leave_null_and_not_zero() -> None:
    row = compare(one(task("H1", 4.0)), one(task("H1", None))).row(0, named=True)
    assert (row["after"], row["reason"], row["coverage_after"]) == (None, "NO_HOURS", 0.0)
    known_zero = compare(one(task("H1", 4.0)), one(task("H2", 3.0))).row(0, named=True)
    assert (known_zero["after"], known_zero["reason"]) == (0.0, None)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ([], [job(task())], "NO_JOBS"),
        ([job()], [job(task())], "NO_TASKS"),
        ([job(task("H1", None))], [job(task())], "NO_HOURS"),
        ([job(task(None, 3.0))], [job(task())], "NO_LEVELS"),
        ([job(task(None, 3.0), task("H1", None, key="u"))], [job(task())], "NO_LEVELS"),
        ([job(task())], [], "NO_JOBS"),
    ],
)
def test_a_side_of_which_nothing_is_known_says_why(before: list[Any], after: list[Any], reason: str) -> None:
    sides = profiles_of(before), profiles_of(after)
    for result in (compare(*sides), compare_exposure(*sides)):
        assert result["reason"].to_list() == [reason, reason]
    assert compare(*sides).row(0, named=True)["before" if before == [] or reason != "NO_JOBS" else "after"] is None


def test_a_family_without_any_task_is_there_with_nulls() -> None:
    before = profiles_of([job(task()), job(family="Empty")])
    row = compare(before, before).filter(job_family="Empty").row(0, named=True)
    assert [row[name] for name in BRIDGE] == [None] * len(BRIDGE)
    assert (row["reason"], row["churn"], row["jobs_both"], row["tasks_both"]) == ("NO_TASKS", None, 1, 0)
    row = compare_exposure(before, before).filter(job_family="Empty").row(0, named=True)
    assert [row[name] for name in ("exposure_before", "change", *SPLIT, "contribution")] == [None] * 7


def test_a_job_that_changes_its_family_is_no_change_in_work() -> None:
    before = profiles_of([job(task("H1", 5.0), family="Sales"), job(task("H1", 2.0), family="Sales")])
    after = profiles_of([job(task("H1", 6.0), family="研究開発"), job(task("H1", 2.0), family="Sales")])
    result = compare(before, after)
    rows = {row["job_family"]: row for row in result.iter_rows(named=True)}
    assert [rows["研究開発"][name] for name in ("before", "hours_changed", "after", "moved")] == [5.0, 1.0, 6.0, 5.0]
    assert [rows["Sales"][name] for name in ("before", "hours_changed", "after", "moved")] == [2.0, 0.0, 2.0, -5.0]
    assert (rows[None]["added"], rows[None]["removed"], rows[None]["moved"]) == (0.0, 0.0, 0.0)
    assert any("1 job changed family" in warning for warning in tpa.about(result).warnings)


def test_a_job_on_one_side_only_brings_or_takes_its_tasks() -> None:
    both = profiles_of([job(task("H1", 1.0)), job(task("H1", 4.0), task("H1", None, key="u"))])
    alone = profiles_of([job(task("H1", 1.0))])
    row = compare(alone, both).row(0, named=True)
    assert (row["added"], row["tasks_added"], row["tasks_added_unmeasured"], row["jobs_both"]) == (4.0, 2, 1, 1)
    row = compare(both, alone).row(0, named=True)
    assert (row["removed"], row["tasks_removed"], row["tasks_removed_unmeasured"]) == (-4.0, 2, 1)
    assert row["churn"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("before", "after", "terms"),
    [
        # Rows that agree are one task of their hours together.
        ([task(hours=2.0), task(hours=3.0)], [task(hours=5.0)], {"before": 5.0, "after": 5.0}),
        # Rows that contradict each other have no level: what comes of it is no change in work.
        ([task("H1", 2.0), task("H2", 3.0)], [task("H1", 5.0)], {"newly_measured": 5.0, "after": 5.0}),
        # A validated row settles it: the level was H1 all along, for both rows, and so is no relevelling.
        ([task("H1", 2.0), task("H2", 3.0, "suggested")], [task("H1", 5.0)], {"before": 5.0, "after": 5.0}),
        # It was H2, for both rows, and became H1.
        (
            [task("H1", 2.0, "suggested"), task("H2", 3.0)],
            [task("H1", 5.0)],
            {"relevelled": 5.0, "after": 5.0},
        ),
        # One of its rows has no hours: how long it is, is not known.
        ([task(hours=2.0), task(hours=None)], [task(hours=5.0)], {"before": 2.0, "newly_measured": 3.0, "after": 5.0}),
    ],
)
def test_a_task_that_stands_twice_is_one(before: list[Any], after: list[Any], terms: dict[str, float]) -> None:
    assert bridge_of(one(*before), one(*after)) == pytest.approx(terms)
    warned = tpa.about(compare(one(*before), one(*after))).warnings
    assert any("1 task stands more than once in a job" in warning for warning in warned)


def test_a_task_without_identity_is_never_added_or_removed() -> None:
    before, after = one(task(hours=2.0, key=None), task(hours=1.0)), one(task(hours=1.0))
    assert bridge_of(before, after) == {"before": 3.0, "newly_measured": -2.0, "after": 1.0}
    assert transitions(before, after)["tasks"].sum() == 1
    assert any("1 task has no id to match by" in warning for warning in tpa.about(compare(before, after)).warnings)


def test_tasks_with_new_ids_are_found_by_their_text() -> None:
    before, after = one(task(hours=2.0, key="a")), one(task(hours=3.0, key="a"))
    renamed = tpa.TaskProfiles(
        after.jobs, after.tasks.with_columns(task_id=pl.lit("new"), task=pl.lit("  DO a\twith\n care "))
    )
    assert bridge_of(before, renamed) == {"before": 2.0, "added": 3.0, "removed": -2.0, "after": 3.0}
    assert any("try same_task='text'" in warning for warning in tpa.about(compare(before, renamed)).warnings)
    by_text = {"before": 2.0, "hours_changed": 1.0, "after": 3.0}
    assert bridge_of(before, renamed, same_task="text") == by_text


def test_hours_that_were_put_in_are_not_measured() -> None:
    before, after = one(task(hours=2.0)), one(task(hours=3.0))
    guessed = tpa.TaskProfiles(before.jobs, before.tasks.with_columns(hours_imputed=pl.lit(value=True)))
    assert bridge_of(guessed, after) == {"before": 2.0, "newly_measured": 1.0, "after": 3.0}
    assert any("100.0% of the hours before were put in" in said for said in tpa.about(compare(guessed, after)).warnings)
    zero = one(task(hours=0.0))
    guessed = tpa.TaskProfiles(zero.jobs, zero.tasks.with_columns(hours_imputed=pl.lit(value=True)))
    assert bridge_of(guessed, after) == {"newly_measured": 3.0, "after": 3.0}
    for measure in (compare, compare_exposure):
        result = measure(guessed, after)
        assert result.select("coverage_before", "coverage_after").row(-1) == (0.0, 1.0)
        assert tpa.about(result).grade == "C"
    assert tpa.about(transitions(guessed, after, of="state")).tasks == 1
    assert compare_groups(guessed, "A", category="task_id")["coverage"].to_list() == [0.0, 0.0]


def covered(share: float) -> tpa.TaskProfiles:
    """Give 100 tasks, that share of them with hours."""
    return one(*(task(hours=1.0 if i < round(share * 100) else None, key=f"t{i}") for i in range(100)))


@pytest.mark.parametrize(("then", "now", "warned"), [(0.90, 0.95, False), (0.90, 0.96, True), (0.96, 0.90, True)])
@pytest.mark.parametrize("measure", [compare, compare_exposure], ids=["bridge", "exposure"])
def test_coverage_that_moved_makes_the_bridge_the_headline(
    then: float, now: float, measure: Callable[..., pl.DataFrame], *, warned: bool
) -> None:
    meaning = tpa.about(measure(covered(then), covered(now)))
    assert any("the bridge" in said and "is the headline" in said for said in meaning.warnings) == warned
    assert (meaning.coverage["hours before"], meaning.coverage["hours after"]) == (then, now)
    assert meaning.grade == "A"
    assert f"{then:.1%} of them with hours and a level" in meaning.policy[0]
    assert tpa.about(measure(covered(0.95), covered(0.5))).grade == "C"  # the worse of the two


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("2026-05-01T00:00:00+00:00", "2026-05-01T06:00:00+00:00"), ("2026-05-01T08:00:00+00:00", None), "6.0 hours"),
        (("2026-05-01T00:00:00+00:00", "2026-05-01T00:10:00+00:00"), ("2026-06-01T00:00:00+00:00", None), None),
        (("2026-06-01T00:00:00+00:00", None), ("2026-05-01T00:00:00+00:00", None), "the wrong way round"),
        (("yesterday", None), (None, "2026-05-01T00:00:00"), None),
    ],
)
def test_pulls_too_near_or_turned_round_are_said(before: Any, after: Any, said: str | None) -> None:
    sides = [with_manifest(one(task()), started=start, finished=end) for start, end in (before, after)]
    for measure in MEASURES.values():
        found = [w for w in tpa.about(measure(*sides)).warnings if "pull" in w or "wrong way" in w]
        assert found == ([] if said is None else [w for w in found if said in w])
        assert bool(found) == (said is not None)


def test_an_export_that_was_not_complete_is_said() -> None:
    half = with_manifest(one(task()), complete=False)
    assert any("what seems added may" in said for said in tpa.about(compare(half, one(task()))).warnings)
    assert any("what seems removed may" in said for said in tpa.about(compare(one(task()), half)).warnings)
    assert not tpa.about(compare(one(task()), with_manifest(one(task()), complete=True))).warnings


def sums_of(profiles: tpa.TaskProfiles, part: str, level_weights: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Give hours times weight, and hours with a weight, by family or job: SQL of its own."""
    weight = pl.DataFrame({"level": list(level_weights), "w": list(level_weights.values())})
    jobs = profiles.jobs.select("job_id", job_family=pl.col("job_family").fill_null("(no family)"))
    tasks = profiles.tasks.select("job_id", "task_id", "validation_state", h="weekly_hours", level="ai_impact_level")
    connection = duckdb.connect()
    for name, frame in (("weight", weight), ("jobs", jobs), ("tasks", tasks)):
        frame.write_parquet(f"{name}.parquet")
        connection.execute(f"create table {name} as from '{name}.parquet'")
    found = connection.execute(
        f"""select {part}, sum(h * w), sum(h) from tasks join jobs using (job_id) join weight using (level)
            where validation_state in ('validated', 'suggested') and h is not null group by 1 having sum(h) > 0"""
    ).fetchall()
    return {place: (exposed, hours) for place, exposed, hours in found}


def split_by_hand(first: dict[str, Any], second: dict[str, Any]) -> dict[str, float] | None:
    """Split as the formula is written, not as it is built: mix without taking the mean away."""
    c = first.keys() & second.keys()
    if not c:
        return None
    sum1, sum2 = (sum(side[k][1] for k in c) for side in (first, second))
    all1, all2 = (sum(hours for _, hours in side.values()) for side in (first, second))
    e1, e2 = ({k: exposed / hours for k, (exposed, hours) in side.items()} for side in (first, second))
    mean1, mean2 = sum(first[k][0] for k in c) / sum1, sum(second[k][0] for k in c) / sum2
    s1, s2 = {k: first[k][1] / sum1 for k in c}, {k: second[k][1] / sum2 for k in c}
    return {
        "within": sum((s1[k] + s2[k]) / 2 * (e2[k] - e1[k]) for k in c),
        "mix": sum((e1[k] + e2[k]) / 2 * (s2[k] - s1[k]) for k in c),
        "entry": sum(second[k][1] / all2 * (e2[k] - mean2) for k in second.keys() - c),
        "exit": sum(first[k][1] / all1 * (mean1 - e1[k]) for k in first.keys() - c),
    }


def settled(profiles: tpa.TaskProfiles, families: dict[str, str | None]) -> tpa.TaskProfiles:
    """Put the jobs into the families they have in another snapshot."""
    family = pl.col("job_id").replace_strict(families, default=pl.col("job_family"), return_dtype=pl.String)
    return tpa.TaskProfiles(profiles.jobs.with_columns(job_family=family), profiles.tasks)


@pytest.mark.parametrize("by", ["family", "job"])
@hypothesis.given(before=small, after=small)
def test_the_split_of_exposure_equals_the_formula(before: tpa.TaskProfiles, after: tpa.TaskProfiles, by: Any) -> None:
    part, families = (
        {"family": "job_family", "job": "job_id"}[by],
        dict(after.jobs.select("job_id", "job_family").rows()),
    )
    first, second = sums_of(settled(before, families), part, WEIGHTS), sums_of(after, part, WEIGHTS)
    expected = split_by_hand(first, second)
    result = compare_exposure(before, after, by=by)
    whole = result.filter(scope="all")
    for row in whole.iter_rows(named=True):
        for side, sums in (("before", first), ("after", second)):
            total = sum(hours for _, hours in sums.values())
            assert near(row[f"exposure_{side}"], sum(x for x, _ in sums.values()) / total if total else None)
        for term in SPLIT:
            assert near(row[term], expected[term] if expected else None)
        assert near(row["contribution"], row["change"] if expected else None)
    parts = result.filter(scope=by)
    assert near(parts["contribution"].sum(), whole["contribution"].sum())
    for row in parts.iter_rows(named=True):
        mine = [sums.get(row[part]) for sums in (first, second)]
        for side, found in zip(("before", "after"), mine, strict=True):
            assert near(row[f"exposure_{side}"], found[0] / found[1] if found else None)
        used = {term for term in SPLIT if row[term]}
        assert used <= {(True, True): {"within", "mix"}, (False, True): {"entry"}, (True, False): {"exit"}}.get(
            (mine[0] is not None, mine[1] is not None), set()
        )


def random_side(draw: random.Random, side: str) -> pl.DataFrame:
    """Give what some parts of a company weigh: hours, and what they come to with three sets of weights."""
    rows: list[dict[str, Any]] = []
    for part in draw.sample("abcdefg", 5):
        hours = draw.choice([None, 0.0, draw.uniform(0, 9), draw.uniform(0, 9), 40.0, 400.0])
        low, high = sorted((draw.random(), draw.random()))
        values = {"low": low, "point": (low + high) / 2, "high": high}
        sums = {name: None if hours is None else hours * value for name, value in values.items()}
        rows.append({"part": part, **sums, "weighed": hours, "jobs": 1, "tasks": 2, "with_hours": 2, "with_both": 1})
    names = {name: name if name == "part" else f"{name}_{side}" for name in rows[0]}
    hours_columns = dict.fromkeys(("low", "point", "high", "weighed"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides=hours_columns).rename(names)


def test_the_split_of_exposure_adds_up_on_hundreds_of_random_pairs() -> None:
    draw = random.Random(48)
    at_work = dict.fromkeys(SPLIT, 0)
    defined = 0
    while defined < 300:
        before, after = random_side(draw, "before"), random_side(draw, "after")
        row = decompose(before.join(after, on="part", how="full", coalesce=True), "part").row(-1, named=True)
        if row["contribution"] is None:
            assert row["reason"] is not None
            continue
        defined += 1
        assert near(row["contribution"], row["exposure_after"] - row["exposure_before"])
        assert near(sum(row[term] for term in SPLIT), row["change"])
        for term in SPLIT:
            at_work[term] += bool(row[term])
    assert min(at_work.values()) > 90


def test_without_a_part_on_both_sides_there_is_no_split() -> None:
    before, after = one(task("H1", 2.0), family="Sales"), one(task("H2", 2.0), family="Finance")
    after = tpa.TaskProfiles(*(frame.with_columns(job_id=pl.lit("other")) for frame in (after.jobs, after.tasks)))
    result = compare_exposure(before, after)
    assert result.filter(scope="all").select("exposure_before", "exposure_after", "change", "reason").row(0) == (
        1.0,
        0.5,
        -0.5,
        "TOO_FEW",
    )
    assert result.select(*SPLIT, "contribution").null_count().row(0) == (3,) * 5


def test_to_grow_raises_the_index_only_where_the_part_lies_above() -> None:
    low, high = job(task("H3", 10.0), family="Low"), job(task("H1", 10.0), family="High")
    grown = job(task("H3", 30.0), family="Low")
    rows = {
        row["job_family"]: row
        for row in compare_exposure(profiles_of([low, high]), profiles_of([grown, high])).iter_rows(named=True)
    }
    assert rows["Low"]["mix"] < 0
    assert rows["High"]["mix"] < 0
    assert rows[None]["change"] == pytest.approx(-0.25)


def test_weights_are_the_readers_and_their_range_is_shown() -> None:
    before, after = one(task("H2", 2.0), task("H3", 2.0, key="u")), one(task("H2", 4.0), task("H4", 4.0, key="u"))
    result = compare_exposure(before, after)
    row = result.row(-1, named=True)
    assert (row["contribution"], row["weight_low"], row["weight_high"]) == pytest.approx((0.25, 0.0, 0.5))
    assert (row["coverage_after"], tpa.about(result).grade) == (0.5, "C")
    assert any("1 task is at H4" in said for said in tpa.about(result).warnings)
    mapped = compare_exposure(before, after, level_weights={"H2": 0.2, "H3": 0.0, "H4": 1.0})
    assert mapped.row(-1, named=True)["exposure_after"] == pytest.approx(0.6)
    assert not tpa.about(mapped).warnings


@pytest.mark.parametrize("other", ["Sales", None])
@hypothesis.given(jobs=st.lists(any_job, min_size=2, max_size=5))
def test_the_split_between_families_equals_the_formula(jobs: list[Any], other: str | None) -> None:
    profiles = rounded_profiles([{**jobs[0], "job_family": "Finance"}, {**jobs[1], "job_family": "Sales"}, *jobs[2:]])
    family = pl.col("job_family").fill_null("(no family)")
    theirs = profiles.jobs.filter(family != "Finance" if other is None else family == other)
    mine = profiles.jobs.filter(family == "Finance")
    sides = [tpa.TaskProfiles(jobs, profiles.tasks.join(jobs, on="job_id", how="semi")) for jobs in (theirs, mine)]
    first, second = (sums_of(side, "task_id", WEIGHTS) for side in sides)
    expected = split_by_hand(first, second)
    result = compare_groups(profiles, "Finance", other, category="task_id")
    for row in result.filter(scope="all").iter_rows(named=True):
        for name, sums in (("exposure_other", first), ("exposure", second)):
            total = sum(hours for _, hours in sums.values())
            assert near(row[name], sum(x for x, _ in sums.values()) / total if total else None)
        for term, ours in zip(SPLIT, ("within", "mix", "only_family", "only_other"), strict=True):
            assert near(row[ours], expected[term] if expected else None)
        assert near(row["contribution"], row["difference"] if expected else None)
        assert near(result.filter(scope="category")["contribution"].sum(), row["contribution"] or 0.0)
        assert (row["reason"] is None) == (expected is not None)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()


def test_other_work_and_the_same_work_rated_otherwise_are_told_apart() -> None:
    mine = job(task("H1", 5.0, key="a"), task("H2", 5.0, key="b"))
    rated = job(task("H2", 5.0, key="a"), task("H2", 5.0, key="b"), family="B")
    other = job(task("H1", 2.0, key="a"), task("H2", 8.0, key="b"), family="C")
    profiles = profiles_of([mine, rated, other])
    whole = compare_groups(profiles, "A", "B", category="task_id").row(-1, named=True)
    assert (whole["within"], whole["mix"], whole["difference"]) == pytest.approx((0.25, 0.0, 0.25))
    whole = compare_groups(profiles, "A", "C", category="task_id").row(-1, named=True)
    assert (whole["within"], whole["mix"], whole["difference"]) == pytest.approx((0.0, 0.15, 0.15))


def test_an_only_family_has_no_rest_of_the_company() -> None:
    result = compare_groups(one(task()), "A", category="task_id")
    assert result.select("exposure", "exposure_other", "within", "reason").rows() == [(1.0, None, None, "NO_JOBS")] * 2
    assert compare_groups(one(), "A", category="task_id").rows() == []
    assert compare_groups(one(), "A", category="task_id").schema == result.schema


def test_tasks_without_category_are_one_of_their_own(half_a_year: Any) -> None:
    profiles = one(task("H1", 2.0), task("H2", 2.0, key=None))
    assert compare_groups(profiles, "A", category="task_id")["category"].to_list() == ["(no category)", "t", None]
    sample = half_a_year[0]
    ours = compare_groups(sample, "Finance", category="task_id")
    frames = as_pandas(sample.jobs), as_pandas(sample.tasks)
    for elsewhere in (tpa.TaskProfiles(*frames), tpa.TaskProfiles(*map(duckdb.from_df, frames))):
        assert_frame_equal(compare_groups(elsewhere, "Finance", category="task_id"), ours, abs_tol=1e-9)


def test_a_part_of_zero_hours_has_no_index() -> None:
    before = profiles_of([job(task("H1", 0.0)), job(task("H2", 1.0), family="B")])
    row = compare_exposure(before, before).row(0, named=True)
    assert (row["exposure_before"], row["share_before"], row["contribution"], row["reason"]) == (
        None,
        0.0,
        None,
        "NO_HOURS",
    )


@hypothesis.given(before=small, after=small)
def test_transitions_of_levels_count_every_task_once(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    first, second = tasks_by_hand(before, "H1"), tasks_by_hand(after, "H1")
    expected: dict[tuple[Any, Any], list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for key in {*first, *second}:
        levels = [(side[key][3] or "not assessed") if key in side else None for side in (first, second)]
        place = expected[levels[0], levels[1]]
        place[0] += 1
        if all(side[key][5] for side in (first, second) if key in side):
            place[1] += 1
            for i, side in ((2, first), (3, second)):
                place[i] += side[key][1] if key in side else 0.0
    result = transitions(before, after)
    assert set(result.select("level_before", "level_after").rows()) == set(expected)
    for row in result.iter_rows(named=True):
        tasks, known, then, now = expected[row["level_before"], row["level_after"]]
        assert (row["tasks"], row["tasks_with_hours"]) == (tasks, known)
        assert near(row["hours_before"], then if known and row["level_before"] else None)
        assert near(row["hours_after"], now if known and row["level_after"] else None)
        rated = [level not in (None, "not assessed") for level in (row["level_before"], row["level_after"])]
        assert (row["move"] == "relevelled") == (all(rated) and row["level_before"] != row["level_after"])
    for (_,), rows in result.filter(~pl.col("move").is_in(["added", "removed"])).group_by("level_before"):
        assert math.isclose(rows["share"].sum(), 1.0)


def states_by_hand(profiles: tpa.TaskProfiles) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for row in profiles.tasks.iter_rows(named=True):
        key = row["job_id"], row["task_id"]
        found[key] = min(row["validation_state"], found.get(key, "rejected"), key=STATES.index)
    return found


@hypothesis.given(before=small, after=small)
def test_transitions_of_states_count_every_task_once(before: tpa.TaskProfiles, after: tpa.TaskProfiles) -> None:
    first, second = states_by_hand(before), states_by_hand(after)
    expected = Counter((first.get(key), second.get(key)) for key in {*first, *second})
    result = transitions(before, after, of="state")
    assert {row[:2]: row[2] for row in result.select("state_before", "state_after", "tasks").rows()} == expected
    for (state,), rows in result.group_by("state_before"):
        assert rows["share"].null_count() == rows.height if state is None else math.isclose(rows["share"].sum(), 1.0)


def test_what_is_gone_by_rejection_is_told_apart() -> None:
    before, after = one(task(state="suggested"), task(key="u")), one(task(state="rejected"))
    assert transitions(before, after, of="state").select("state_before", "state_after", "tasks").rows() == [
        ("validated", None, 1),
        ("suggested", "rejected", 1),
    ]
    assert any("No rejected task" in said for said in tpa.about(transitions(before, before, of="state")).warnings)
    assert not tpa.about(transitions(before, after, of="state")).warnings


def test_rows_of_transitions_stand_in_order() -> None:
    before = one(task("höchst", key="a"), task("H1", key="b"), task(None, key="c"), task("H2", key="d"))
    after = one(task("H1", key="a"), task("H1", key="b"), task("H3", key="c"), task(None, key="d"), task("H9", key="e"))
    assert transitions(before, after).select("move", "level_before", "level_after").rows() == [
        ("stayed", "H1", "H1"),
        ("relevelled", "höchst", "H1"),
        ("newly assessed", "not assessed", "H3"),
        ("no longer assessed", "H2", "not assessed"),
        ("added", None, "H9"),
    ]


@every_measure
@hypothesis.given(before=small, after=small, seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_and_parts_change_nothing_and_no_figure_is_nan(
    before: tpa.TaskProfiles, after: tpa.TaskProfiles, seed: int, measure: Callable[..., pl.DataFrame]
) -> None:
    def mixed(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
        jobs, tasks = (f.sample(fraction=1, shuffle=True, seed=seed) for f in (profiles.jobs, profiles.tasks))
        half = tasks.height // 2
        return tpa.TaskProfiles(jobs.lazy(), pl.concat([tasks[half:].lazy(), tasks[:half].lazy()]))

    result = measure(before, after)
    assert_frame_equal(measure(mixed(before), mixed(after)), result, abs_tol=1e-9)
    for column in result.select(pl.col(pl.Float64)):
        assert column.drop_nulls().is_finite().all()
    for name in ("churn", "share", "coverage_before", "coverage_after", "exposure_before", "exposure_after"):
        if name in result.columns:
            assert result[name].drop_nulls().is_between(0, 1 + 1e-9).all()


@every_measure
def test_no_jobs_give_an_empty_table_with_all_columns(measure: Callable[..., pl.DataFrame]) -> None:
    nothing = measure(profiles_of([]), profiles_of([]))
    assert nothing.height == 0
    assert_frame_equal(nothing, measure(one(task()), one(task("H2"))).clear())
    assert tpa.about(nothing).grade is None


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(frame.select(pl.col(pl.String, pl.Float64)).to_dict(as_series=False))


@pytest.fixture(scope="module")
def half_a_year() -> tuple[tpa.TaskProfiles, tpa.TaskProfiles]:
    return tpa.load_sample("2026-05"), tpa.load_sample("2026-11")


@every_measure
def test_every_engine_gives_the_same(half_a_year: Any, measure: Callable[..., pl.DataFrame]) -> None:
    sides = half_a_year
    ours = measure(*sides)
    pandas = [(as_pandas(side.jobs), as_pandas(side.tasks)) for side in sides]
    for frames in (pandas, [tuple(map(duckdb.from_df, pair)) for pair in pandas]):
        assert_frame_equal(measure(*(tpa.TaskProfiles(*pair) for pair in frames)), ours, abs_tol=1e-9)
    before_elsewhere = measure(tpa.TaskProfiles(*pandas[0]), sides[1])
    assert_frame_equal(before_elsewhere, ours, abs_tol=1e-9)


def test_the_sample_moves_mostly_by_being_measured(half_a_year: Any) -> None:
    whole = compare(*half_a_year).row(-1, named=True)
    assert whole["newly_measured"] > (whole["after"] - whole["before"]) / 2


def test_validated_only_is_one_argument() -> None:
    before, after = one(task("H1", 4.0, "suggested")), one(task("H1", 4.0))
    assert bridge_of(before, after) == {"before": 4.0, "after": 4.0}
    assert bridge_of(before, after, states=["validated"]) == {"added": 4.0, "after": 4.0}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: compare(p, p, level="H7"), r"`level` must be a level of the tasks \(H1\), not 'H7'"),
        (lambda p: compare(p, p, level="not assessed"), "`level` must be an AI impact level"),
        (lambda p: compare(p, p, level=None), "`level` must be an AI impact level"),
        (lambda p: compare(p, p, same_task="name"), "choose from id, text"),
        (lambda p: compare(p, p, states="validated"), "give a list"),
        (lambda p: compare(p, p, states=["rejected"]), "rejected task never counts"),
        (lambda p: compare(p, p.tasks), "takes TaskProfiles, not a DataFrame"),
        (lambda p: compare(p, tpa.TaskProfiles(p.jobs, p.tasks.drop("task_id"))), "tasks lacks 'task_id'"),
        (lambda p: compare_exposure(p, p, by="task"), "choose from family, job"),
        (lambda p: compare_exposure(p, p, level_weights={"H1": 2}), "must be a number from 0 to 1"),
        (lambda p: compare_exposure(p, p, level_weights={}), "give a weight from 0 to 1 by level"),
        (lambda p: transitions(p, p, same_task="name"), "choose from id, text"),
        (lambda p: transitions(p, p, of="state", same_task="name"), "choose from id, text"),
        (lambda p: transitions(p, p, of="job"), "of='job': choose from level, state"),
        (lambda p: transitions(p, p, of="state", states=["validated"]), "with of='state' every state counts"),
        (lambda p: compare_groups(p, "A", category="cluster"), "tasks lacks 'cluster'"),
        (lambda p: compare_groups(p, "A", category="linked_skills"), "not the nested column 'linked_skills'"),
        (lambda p: compare_groups(p, "B", category="task_id"), "`family`: 'B' is not a job family .*'A'"),
        (lambda p: compare_groups(p, "A", "B", category="task_id"), "`other`: 'B' is not a job family"),
        (lambda p: compare_groups(p, "A", "A", category="task_id"), "`other` must be a different family or None"),
    ],
)
def test_wrong_arguments_are_refused_with_the_choices(call: Callable[..., Any], said: str) -> None:
    with pytest.raises(tpa.SchemaError, match=said):
        call(one(task()))


def test_a_state_that_is_not_counted_is_said_once_per_snapshot() -> None:
    odd = one(task(), task("H2", 3.0, "initially_validated", key="u"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compare(odd, odd)
    assert len(caught) == 2
