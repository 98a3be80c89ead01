"""What is hidden cannot be had back: not from its row, nor a total, nor an earlier export; all else is there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.public_measures import MEASURES, odd
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures.privacy.group_counts import group_counts
from tpanalytics.measures.privacy.policy import SUPPRESSED, Privacy
from tpanalytics.measures.privacy.suppress import apply_policy, hidden_families, suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COUNTED = ("validated", "suggested")
#: Measures with a family in each row that are not by family, and which rule they fall under.
OTHER_RULES = {
    "compare": "two snapshots",
    "compare_exposure": "two snapshots",
    "exposure_by_job": "job",
    "find_tasks": "job",
    "exposure_ranking": "none: it names a job of each family, and what it alone changes",
    "hours_by_job": "job",
    "data_gaps": "job",
}
RESULTS = {
    name: measure
    for name, measure in MEASURES.items()
    if name.split(",")[0] not in OTHER_RULES and "job_family" in measure(odd()).columns
}
#: Those by people, of which one job must not be the most; and those of validated tasks alone.
STAFFED = {
    *("capacity", "capacity, of one person", "exposure, by headcount", "fragmentation"),
    *("hours_at_stake", "hours, over people", "impact, by headcount"),
}
VALIDATED = {"impact, validated"}
every_result = pytest.mark.parametrize("name", RESULTS)
some_results = pytest.mark.parametrize("name", ["hours", "coverage", "impact, by headcount", "fragmentation"])
limits = st.fixed_dictionaries({"min_jobs": st.integers(0, 4), "min_headcount": st.sampled_from([0, 1, 2.5, 5, 50])})


def task(level: str | None = "H1", hours: float | None = 1.0) -> dict[str, Any]:
    return {"task_id": "t", "validation_state": "validated", "weekly_hours": hours, "ai_impact_level": level}


def job(family: str | None, *tasks: dict[str, Any], headcount: float | None = None) -> dict[str, Any]:
    return {"job_family": family, "headcount": headcount, "contract_hours": None, "tasks": list(tasks)}


def family(name: str | None, jobs: int, headcount: float | None = None, hours: float = 1.0) -> list[dict[str, Any]]:
    return [job(name, task("H1", hours), task("H2", 2.0), headcount=headcount) for _ in range(jobs)]


def hidden_of(result: pl.DataFrame) -> set[str]:
    return set(hidden_families(result))


def tells(
    jobs: list[dict[str, Any]], min_jobs: int, min_headcount: float, *, staffed: bool, states: Sequence[str] = COUNTED
) -> bool:
    """Say by the definition, job by job, whether a figure over these jobs tells of too few."""

    def few(some: list[dict[str, Any]]) -> bool:
        known = [j["headcount"] for j in some if j["headcount"] is not None]
        unknown = len(some) - len(known)
        return len(some) < min_jobs or bool(known and unknown < max(min_jobs, 1) and sum(known) < min_headcount)

    counted = [(j, [t for t in j["tasks"] if t["validation_state"] in states]) for j in jobs]
    described = [j for j, tasks in counted if tasks]
    measured = [j for j, tasks in counted if any(t["weekly_hours"] is not None for t in tasks)]
    known = [j for j in measured if j["headcount"] is not None]
    if staffed and known:
        people = [j["headcount"] for j in known]
        if few(known) or (min_headcount and max(people) > 0.85 * sum(people)):
            return True
    return any(few(some) for some in (jobs, described, measured) if some)


def nested(profiles: tpa.TaskProfiles) -> dict[str, list[dict[str, Any]]]:
    """Put the tasks back into their jobs, and the jobs into their families."""
    tasks = profiles.tasks.rows_by_key("job_id", named=True, include_key=False)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in profiles.jobs.iter_rows(named=True):
        found.setdefault(row["job_family"] or "(no family)", []).append({**row, "tasks": tasks.get(row["job_id"], [])})
    return found


@every_result
@hypothesis.given(profiles=companies, limits=limits)
def test_neither_a_row_nor_a_total_tells_of_too_few(
    profiles: tpa.TaskProfiles, limits: dict[str, Any], name: str
) -> None:
    few = {**limits, "staffed": name in STAFFED, "states": ["validated"] if name in VALIDATED else COUNTED}
    jobs = nested(profiles)
    hidden = hidden_of(suppress(RESULTS[name](profiles), profiles, privacy=Privacy(**limits)))
    small = {family for family in jobs if tells(jobs[family], **few)}
    assert small <= hidden
    if not small:
        assert not hidden
    elif hidden != set(jobs):
        assert len(hidden) > 1
        together = [job for family in hidden for job in jobs[family]]
        assert not tells(together, **few)


@hypothesis.given(profiles=companies, limits=limits)
def test_no_more_is_hidden_than_must_be(profiles: tpa.TaskProfiles, limits: dict[str, Any]) -> None:
    jobs = nested(profiles)
    hidden = hidden_of(suppress(tpa.hours(profiles), profiles, privacy=Privacy(**limits)))
    small = {name for name in jobs if tells(jobs[name], **limits, staffed=False)}
    for name in hidden - small:
        fewer = hidden - {name}
        larger = [n for n in hidden - small if (len(jobs[n]), n) > (len(jobs[name]), name)]
        together = [job for other in fewer for job in jobs[other]]
        assert larger or len(fewer) < 2 or tells(together, **limits, staffed=False)


@every_result
@hypothesis.given(profiles=companies, limits=limits)
def test_what_is_shown_is_unchanged_and_what_is_hidden_is_gone(
    profiles: tpa.TaskProfiles, limits: dict[str, Any], name: str
) -> None:
    result = RESULTS[name](profiles)
    found = suppress(result, profiles, privacy=Privacy(**limits))
    assert found.schema == {**result.schema, "reason": pl.String}
    hidden = found.filter(reason=SUPPRESSED)
    shown = found.filter(pl.col("reason").ne_missing(SUPPRESSED))
    unchanged = result.filter(~pl.col("job_family").is_in(hidden_families(found)))
    assert_frame_equal(shown.select(result.columns), unchanged)
    assert set(found["job_family"]) == set(result["job_family"])
    assert_frame_equal(pl.concat([shown, hidden]), found)
    figures = hidden.drop("job_family", "level", "block_hours", "jobs", "basis", "reason", strict=False)
    assert all(column.null_count() == hidden.height for column in figures)
    assert hidden["job_family"].to_list() == sorted(hidden["job_family"], key=lambda f: (f == "(no family)", f))
    counts = dict(nested(profiles))
    assert all(row.get("jobs") in (None, len(counts[row["job_family"]])) for row in found.iter_rows(named=True))
    assert "jobs" not in found.columns or not found["jobs"].null_count()


@some_results
@hypothesis.given(profiles=companies, seed=st.integers(0, 2**32 - 1), limits=limits)
def test_order_of_rows_engine_and_a_second_time_change_nothing(
    profiles: tpa.TaskProfiles, seed: int, limits: dict[str, Any], name: str
) -> None:
    measure = RESULTS[name]
    once = suppress(measure(profiles), profiles, privacy=Privacy(**limits))
    shuffled = tpa.TaskProfiles(
        profiles.jobs.sample(fraction=1, shuffle=True, seed=seed).lazy(),
        profiles.tasks.sample(fraction=1, shuffle=True, seed=seed).lazy(),
    )
    assert_frame_equal(suppress(measure(shuffled), shuffled, privacy=Privacy(**limits)), once, abs_tol=1e-9)
    assert_frame_equal(apply_policy(measure(profiles), group_counts(profiles), Privacy(**limits)), once)
    if hidden_of(once) != set(once["job_family"]):
        assert_frame_equal(suppress(once, profiles, privacy=Privacy(**limits)), once)


@some_results
def test_profiles_of_any_engine_do(sample: tpa.TaskProfiles, name: str) -> None:
    result = RESULTS[name](sample)
    flat = [frame.select(pl.col(pl.String, pl.Float64)) for frame in (sample.jobs, sample.tasks)]
    ours = suppress(result, sample, privacy=Privacy(min_jobs=8))
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    assert_frame_equal(suppress(result, tpa.TaskProfiles(*frames), privacy=Privacy(min_jobs=8)), ours)
    relations = [duckdb.from_df(frame) for frame in frames]
    assert_frame_equal(suppress(result, tpa.TaskProfiles(*relations), privacy=Privacy(min_jobs=8)), ours)
    assert hidden_of(ours) == {"(no family)", "Field Service and Installation"}


@pytest.mark.parametrize("name", OTHER_RULES)
def test_what_cannot_be_protected_is_refused(sample: tpa.TaskProfiles, name: str) -> None:
    result = MEASURES[name](sample)
    assert "job_family" in result.columns, "it need not be listed"
    for profiles in (sample, None):
        if OTHER_RULES[name] == "job" and profiles is not None:
            assert suppress(result, profiles).height < result.height
            continue
        with pytest.raises(tpa.SchemaError, match=r"single jobs|is of two snapshots"):
            suppress(result, profiles)


def test_of_two_snapshots_a_family_too_small_in_either_is_hidden() -> None:
    others = [*family("Big", 9), *family("Other", 9), *family("Third", 8)]
    few, many = profiles_of([*others, *family("F", 2)]), profiles_of([*others, *family("F", 4)])
    for before, after in ((few, many), (many, few)):
        for measure in (tpa.compare, tpa.compare_exposure):
            found = suppress(measure(before, after), after, before)
            assert hidden_of(found) == {"F", "Third"}
            assert found.filter(scope="all").height == 1
            assert found.filter(reason=SUPPRESSED).select(pl.col("^.*(before|after)$")).null_count().row(0) == (
                2,
            ) * len(found.select(pl.col("^.*(before|after)$")).columns)
    openly = suppress(tpa.compare(few, many), many, few, privacy=None)
    assert hidden_of(openly) == set()


def test_a_family_that_was_small_before_its_jobs_moved_is_hidden_as_well() -> None:
    """The earlier snapshot by itself shows it small, though its jobs count in another family after."""
    before = profiles_of([*family("Old", 2), *family("New", 4), *family("Big", 9), *family("Other", 9)])
    renamed = pl.col("job_family").replace("Old", "New")
    after = replace(before, jobs=before.jobs.with_columns(renamed))
    change = tpa.compare(before, after)
    assert "New" in set(change["job_family"])
    assert "New" in hidden_of(suppress(change, after, before)), "New less Old is what Old was"


def test_of_single_jobs_in_two_snapshots_those_of_small_groups_are_removed() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    change = tpa.compare_exposure(profiles, profiles, by="job")
    shown = suppress(change, profiles, profiles)
    assert shown["job_family"].unique().drop_nulls().to_list() == ["Big"]
    assert shown.filter(scope="all").height == 1
    tiny = profiles_of(family("Tiny", 1))
    assert suppress(tpa.compare_exposure(tiny, tiny, by="job"), tiny, tiny).height == 0


@pytest.mark.parametrize(
    ("measure", "side"), [(tpa.transitions, "level"), (partial(tpa.transitions, of="state"), "state")]
)
def test_of_moves_no_total_reveals_what_is_hidden(measure: Callable[..., pl.DataFrame], side: str) -> None:
    one = pl.lit("One").alias("job_family")
    before, after = (
        replace(sample, jobs=sample.jobs.with_columns(one), tasks=sample.tasks.with_columns(one))
        for sample in (tpa.load_sample("2026-05"), tpa.load_sample("2026-11"))
    )
    moves = measure(before, after)
    found = suppress(moves, after, before, privacy=Privacy(min_jobs=30))
    hidden = found.filter(reason=SUPPRESSED)
    small = moves.filter(pl.col("jobs") < 30)
    keys = [f"{side}_before", f"{side}_after"]
    assert 0 < small.height <= hidden.height < found.height == moves.height
    assert set(small.select(keys).rows()) <= set(hidden.select(keys).rows())
    for key in keys:
        assert hidden.group_by(key).len()["len"].min() > 1, "one hidden cell is the rest of its total"
    assert hidden["tasks"].null_count() == hidden["share"].null_count() == hidden.height


def test_blocks_of_one_family_hide_no_other() -> None:
    profiles = profiles_of([*family("Tiny", 1, 9.0), *family("Small", 4, 9.0), *family("Big", 9, 9.0)])
    result = MEASURES["fragmentation"](profiles)
    found = suppress(result, profiles)
    assert hidden_of(found) == {"Small", "Tiny"}
    assert found["block_hours"].null_count() == 0
    with pytest.raises(tpa.SchemaError, match=r"several rows of the family 'Big'; name .* keys=\[...\]"):
        suppress(result, profiles, keys=[])


def test_one_hidden_cell_hides_two() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    for measure in RESULTS.values():
        assert hidden_of(suppress(measure(profiles), profiles)) == {"Small", "Tiny"}
        if "jobs" in measure(profiles).columns:
            assert hidden_of(suppress(measure(profiles))) == {"Small", "Tiny"}, "by its own columns"


def test_two_hidden_cells_that_are_small_together_hide_a_third() -> None:
    profiles = profiles_of([*family("One", 1), *family("Two", 1), *family("Three", 3), *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == {"One", "Two", "Three"}
    enough = profiles_of([*family("One", 1), *family("Two", 2), *family("Three", 3), *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(enough), enough)) == {"One", "Two"}


def test_a_family_without_figures_protects_nobody() -> None:
    bare = [job("Bare") for _ in range(4)]
    profiles = profiles_of([*family("Tiny", 1), *bare, *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == {"Tiny", "Big"}
    shown = suppress(tpa.hours(profiles), profiles).filter(job_family="Bare")
    assert shown.select("jobs", "tasks", "hours", "reason").rows() == [(4, 0, None, "NO_TASKS")]


@pytest.mark.parametrize(
    ("headcounts", "hidden"),
    [
        ([1.0, 1.0, 2.0, 0.5], True),
        ([1.0, 1.0, 3.0], False),
        ([None, None, None], False),
        ([1.0, 1.0, None], True),  # the people known of are few, and one job cannot hide them
        ([1.0, None, None, None], False),  # three jobs of unknown size pass by themselves
        ([0.0, 0.0, 0.0], True),
    ],
)
def test_people_count_where_they_are_known(headcounts: list[float | None], hidden: bool) -> None:
    small = [job("F", task(), headcount=n) for n in headcounts]
    profiles = profiles_of([*small, *family("Big", 9, 9.0), *family("Other", 10, 9.0)])
    for measure in (tpa.hours, tpa.coverage, tpa.impact):
        assert ("F" in hidden_of(suppress(measure(profiles), profiles))) == hidden


def test_jobs_that_say_nothing_hide_nobody() -> None:
    gaps = [job("Gaps", task(hours=None)) for _ in range(5)]
    profiles = profiles_of([*gaps, job("Gaps", task(hours=30.0)), *family("Big", 9), *family("Other", 9)])
    assert "Gaps" in hidden_of(suppress(tpa.impact(profiles), profiles))
    assert "Gaps" in hidden_of(suppress(tpa.hours(profiles)))
    bare = [job("Bare") for _ in range(5)]
    profiles = profiles_of([*bare, job("Bare", task()), *family("Big", 9), *family("Other", 9)])
    assert "Bare" in hidden_of(suppress(tpa.coverage(profiles)))


def test_one_job_must_not_be_most_of_a_headcount_figure() -> None:
    jobs = [*family("Giant", 4, 1.0), *family("Giant", 1, 96.0), *family("B", 9, 9.0), *family("C", 9, 9.0)]
    profiles = profiles_of(jobs)
    assert hidden_of(suppress(tpa.impact(profiles), profiles)) == set()
    by_headcount = tpa.impact(profiles, weight="headcount")
    assert hidden_of(suppress(by_headcount, profiles)) == {"B", "Giant"}
    assert hidden_of(suppress(by_headcount, profiles, privacy=Privacy(min_headcount=0))) == set()


def test_where_all_is_hidden_no_total_and_no_level_is_left() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family(None, 1)])
    found = suppress(tpa.impact(profiles), profiles)
    assert found.select("job_family", "level", "reason").rows() == [
        ("Tiny", None, SUPPRESSED),
        ("(no family)", None, SUPPRESSED),
    ]
    said = tpa.about(found)
    assert (dict(said.coverage), said.share_suggested, said.grade) == ({}, None, None)


def grid_of(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    schema = {"job_family": pl.String, "level": pl.String, "jobs": pl.UInt32, "tasks": pl.UInt32}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(hours=pl.col("tasks") * 1.5)


@hypothesis.given(counts=st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=1, max_size=6))
def test_of_rows_and_columns_neither_has_one_hidden_cell(counts: list[list[int]]) -> None:
    rows = [(f"f{i}", f"H{k + 1}", n, 2 * n) for i, row in enumerate(counts) for k, n in enumerate(row)]
    found = suppress(grid_of(rows))
    if found["level"].is_null().all():
        return  # all is hidden
    hidden = found.filter(reason=SUPPRESSED)
    assert {(f, k) for f, k, n, _ in rows if 0 < n < 3} <= set(hidden.select("job_family", "level").rows())
    jobs = {(f, k): n for f, k, n, _ in rows}
    for (level,), column in hidden.group_by("level"):
        whole = column.height == len(counts)
        assert whole or column.height > 1
        assert whole or sum(jobs[f, level] for f in column["job_family"]) >= 3
    for (_,), row in hidden.group_by("job_family"):
        assert row.height > 1
    if hidden.height and any(len(set(row)) > 1 for row in counts):
        assert hidden["jobs"].null_count() == hidden.height, "a count of a cell is a figure as others are"


def test_the_next_smallest_of_a_row_is_hidden_with_it() -> None:
    rows = [
        ("A", "H1", 9, 9),
        ("A", "H2", 1, 1),
        ("A", "H3", 4, 4),
        ("B", "H1", 9, 9),
        ("B", "H2", 7, 7),
        ("B", "H3", 5, 5),
    ]
    found = suppress(grid_of(rows))
    assert set(found.filter(reason=SUPPRESSED).select("job_family", "level").rows()) == {
        *(("A", "H2"), ("A", "H3")),
        *(("B", "H2"), ("B", "H3")),
    }


def test_nothing_is_hidden_in_the_companies(company: tpa.TaskProfiles) -> None:
    for name, measure in RESULTS.items():
        if "headcount" in company.jobs.columns or name not in STAFFED:
            assert hidden_of(suppress(measure(company), company)) == set()


def test_the_meaning_travels_and_says_what_is_hidden() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    result = tpa.hours(profiles)
    before, after = tpa.about(result), tpa.about(suppress(result, profiles))
    assert after.policy[:-1] == before.policy
    assert after.policy[-1].startswith("2 of 3 job families are suppressed: fewer than 3 jobs or 5 people")
    assert replace(after, policy=before.policy) == before
    assert "not headcounts" in tpa.about(suppress(result)).warnings[-1]
    untouched = tpa.about(suppress(result, profiles, privacy=Privacy(min_jobs=1, min_headcount=0)))
    assert untouched.policy[-1] == "No family is hidden: none tells of fewer than 1 jobs, as far as is known."
    assert tpa.about(apply_policy(result, profiles, None)).policy[-1].startswith("Nothing is hidden")
    assert tpa.about(result) == before, "the result itself is as it was"
    assert result["reason"].null_count() == result.height


def test_an_earlier_reason_stays() -> None:
    result = grid_of([("A", "H1", 9, 9), ("B", "H1", 9, 9)]).with_columns(reason=pl.Series(["NO_HOURS", None]))
    assert suppress(result)["reason"].to_list() == ["NO_HOURS", None]


def test_a_result_read_from_a_file_is_hidden_as_well(tmp_path: Any) -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    tpa.hours(profiles).write_csv(tmp_path / "hours.csv")
    assert hidden_of(suppress(pl.read_csv(tmp_path / "hours.csv"))) == {"Small", "Tiny"}


def test_an_employee_is_one_person() -> None:
    profiles = profiles_of([*family("Four", 4), *family("Big", 9), *family("Other", 9)])
    people = tpa.TaskProfiles(profiles.jobs, profiles.tasks, {"source": {"kind": "employees"}})
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == set()
    assert "Four" in hidden_of(suppress(tpa.hours(people), people))


@pytest.mark.parametrize("measure", ["hours_by_job", "exposure_by_job", "find_tasks"])
@hypothesis.given(profiles=companies, limits=limits)
def test_neither_a_job_nor_what_its_family_has_besides_tells_of_too_few(
    profiles: tpa.TaskProfiles, limits: dict[str, Any], measure: str
) -> None:
    hours = tpa.hours_by_job(profiles)
    result = tpa.find_tasks(profiles, "a") if measure == "find_tasks" else getattr(tpa, measure)(profiles)
    shown = suppress(result, profiles, privacy=Privacy(**limits))
    left = set(hours["job_id"]) - set(suppress(hours, profiles, privacy=Privacy(**limits))["job_id"])
    assert_frame_equal(shown, result.filter(~pl.col("job_id").is_in(list(left))))
    hidden = hidden_of(suppress(tpa.hours(profiles), profiles, privacy=Privacy(**limits)))
    for name, jobs in nested(profiles).items():
        gone = [one for one in jobs if one["job_id"] in left]
        small = [one for one in jobs if one["headcount"] is not None and one["headcount"] < limits["min_headcount"]]
        if name in hidden:
            assert len(gone) == len(jobs)
            continue
        assert all(one in gone for one in small)
        assert bool(gone) == bool(small), "where none is small, none is left out"
        if gone and len(gone) < len(jobs):
            assert len(gone) > 1
            assert not tells(gone, 0, limits["min_headcount"], staffed=False)


def test_who_is_left_out_is_counted_in_the_meaning() -> None:
    profiles = profiles_of([*family("A", 6, 9.0), job("A", task(), headcount=1.0), job("A", task())])
    hours = tpa.hours_by_job(profiles)
    shown = suppress(hours, profiles)
    assert hours.height - shown.height == 2
    assert "2 of 8 jobs are left out" in str(tpa.about(shown))
    unknown = profiles.jobs.filter(pl.col("headcount").is_null())["job_id"][0]
    assert unknown in shown["job_id"].to_list()
    openly = suppress(hours, profiles, privacy=Privacy(min_jobs=0, min_headcount=0))
    assert openly.height == hours.height
    assert "Nothing is hidden" in str(tpa.about(openly))


@every_result
def test_no_jobs_are_no_error(name: str) -> None:
    nothing = profiles_of([])
    found = suppress(RESULTS[name](nothing), nothing)
    assert found.height == 0
    some = profiles_of(family("A", 9))
    assert_frame_equal(found, suppress(RESULTS[name](some), some, privacy=Privacy(min_jobs=1)).clear())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda r, p: suppress(r.drop("job_family"), p), "result lacks 'job_family'"),
        (lambda r, p: suppress(r.drop("jobs")), "result lacks 'jobs'.*pass profiles"),
        (lambda r, p: suppress(r, tpa.filter_jobs(p, pl.col("job_family") == "A")), "has the family 'B', which"),
        (lambda r, p: suppress(r, p, privacy=Privacy(min_jobs=-1)), "min_jobs=-1: give a whole number from 0 up"),
        (lambda r, p: suppress(r, p, privacy=Privacy(min_jobs=2.5)), "min_jobs=2.5: give a whole number"),
        (lambda r, p: suppress(r, p, privacy=Privacy(min_headcount=float("nan"))), "min_headcount=nan: give a number"),
        (lambda r, p: suppress(r, p, privacy=Privacy(min_headcount=True)), "min_headcount=True: give a number"),
        (lambda r, p: suppress(r, released=(r, p)), "released comes with its profiles"),
        (lambda r, p: suppress(r, released=r.drop("jobs")), "released lacks 'jobs'"),
        (lambda r, p: Privacy(min_headcount="5"), "min_headcount='5': give a number"),
        (lambda r, p: apply_policy(r, p, 5), "privacy=5: give a Privacy"),  # type: ignore[arg-type]
        (lambda r, p: suppress(tpa.hours_by_job(p)), "pass profiles to suppress as well"),
        (lambda r, p: suppress(tpa.hours_by_job(p), p, released=r), "released is for results by family"),
        (lambda r, p: suppress(r, p, p), "before is for a result of two snapshots"),
        (lambda r, p: suppress(tpa.compare(p, p), p), "pass the later one as profiles, the earlier as before"),
        (lambda r, p: suppress(tpa.compare(p, p).drop("scope"), p), "several rows|has the family None"),
        (lambda r, p: suppress(tpa.hours_by_job(p), r), "TaskProfiles"),
        (
            lambda r, p: suppress(tpa.hours_by_job(p), p, privacy=Privacy(min_jobs=-1)),
            "min_jobs=-1: give a whole number",
        ),
        (lambda r, p: suppress(tpa.hours_by_job(p), tpa.filter_jobs(p, job_family="A")), "which profiles do not"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[..., Any], said: str) -> None:
    profiles = profiles_of([*family("A", 9), *family("B", 9)])
    with pytest.raises(tpa.SchemaError, match=said):
        call(tpa.hours(profiles), profiles)


def without(profiles: tpa.TaskProfiles, *job_ids: str) -> tpa.TaskProfiles:
    gone = pl.col("job_id").is_in(list(job_ids))
    return tpa.TaskProfiles(profiles.jobs.filter(~gone), profiles.tasks.filter(~gone))


USUAL = [*family("A", 6, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0)]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("gone", "hidden"),
    [
        ([], set()),
        (["j006"], {"A", "B"}),  # B is a job smaller: that job would be the difference; A hides it from a total
        (["j006", "j007", "j008"], set()),
        (["j000", "j006"], {"A", "B"}),
    ],
)
def test_two_exports_must_not_differ_by_few(gone: list[str], hidden: set[str], given: bool) -> None:
    before = profiles_of(USUAL)
    now = without(before, *gone)
    for measure in (tpa.hours, tpa.impact):
        released = measure(before)
        if given:
            found = suppress(measure(now), now, released=(released, before))
        else:
            found = suppress(measure(now), released=released)
        assert hidden_of(found) == hidden
        warned = any("no total" in said for said in tpa.about(found).warnings)
        assert warned == bool(hidden)
        assert (tpa.about(found).grade is None) == warned


def test_people_tell_exports_apart_where_jobs_do_not() -> None:
    before = profiles_of([*family("A", 9, 1.0), *family("B", 9, 9.0), *family("C", 9, 9.0)])
    now = without(before, "j000", "j001", "j002")  # three jobs, three people
    pair = tpa.hours(now), tpa.hours(before)
    assert hidden_of(suppress(pair[0], now, released=(pair[1], before))) == {"A", "B"}
    assert hidden_of(suppress(pair[0], released=pair[1])) == set(), "headcounts are not in the tables"
    staffed = [result.with_columns(headcount=pl.col("jobs") * 1.0) for result in pair]
    assert "A" in hidden_of(suppress(staffed[0], released=staffed[1]))


def test_a_job_in_the_place_of_another_is_seen_with_profiles() -> None:
    before = profiles_of([*USUAL, *family("B", 1, 3.0)])
    now, before = without(before, "j024"), without(before, "j006")
    pair = tpa.hours(now), tpa.hours(before)
    assert pair[0]["jobs"].to_list() == pair[1]["jobs"].to_list()
    assert hidden_of(suppress(pair[0], released=pair[1])) == set()
    assert "B" in hidden_of(suppress(pair[0], now, released=(pair[1], before)))


def test_a_headcount_figure_tells_of_few_who_came() -> None:
    before = profiles_of(USUAL)
    now = tpa.TaskProfiles(
        before.jobs.with_columns(headcount=pl.col("headcount") + (pl.col("job_id") == "j006").cast(pl.Float64)),
        before.tasks,
    )
    by_hours = tpa.impact(now), tpa.impact(before)
    assert hidden_of(suppress(by_hours[0], now, released=(by_hours[1], before))) == set(), (
        "hours of one incumbent are the same"
    )
    by_headcount = [tpa.impact(of, weight="headcount") for of in (now, before)]
    assert "B" in hidden_of(suppress(by_headcount[0], now, released=(by_headcount[1], before)))
    with_column = [r.with_columns(headcount=pl.lit(n)) for r, n in zip(by_headcount, (28.0, 27.0), strict=True)]
    assert "B" in hidden_of(suppress(with_column[0], released=with_column[1]))


def test_what_was_hidden_before_tells_nothing_now() -> None:
    before = profiles_of([*family("A", 2, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0), *family("D", 9, 3.0)])
    now = profiles_of([*family("A", 3, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0), *family("D", 9, 3.0)])
    released = suppress(tpa.hours(before), before)
    assert hidden_of(released) == {"A", "B"}
    assert hidden_of(suppress(tpa.hours(now), released=released)) == set()


@hypothesis.given(profiles=companies, data=st.data(), limits=limits)
def test_no_family_shown_twice_differs_by_few(profiles: tpa.TaskProfiles, data: Any, limits: dict[str, Any]) -> None:
    ids = profiles.jobs["job_id"].to_list()
    now = without(profiles, *(data.draw(st.sets(st.sampled_from(ids))) if ids else ()))
    released = suppress(tpa.hours(profiles), profiles, privacy=Privacy(**limits))
    found = suppress(tpa.hours(now), now, released=(released, profiles), privacy=Privacy(**limits))
    jobs, left = nested(profiles), nested(now)
    both = set(left) - hidden_of(found) - hidden_of(released)
    for name in both:
        ids_left = {job["job_id"] for job in left[name]}
        gone = [job for job in jobs[name] if job["job_id"] not in ids_left]
        assert not gone or not tells(gone, **limits, staffed=False)
