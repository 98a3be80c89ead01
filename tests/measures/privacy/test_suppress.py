"""Suppression of small groups."""

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
from tests.helpers.by_job import exposure_by_job, hours_by_job
from tests.helpers.public_measures import MEASURES, odd
from tests.helpers.random_profiles import companies, profiles_of
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import SUPPRESSED, Privacy
from tpanalytics.measures.privacy.suppress import suppress
from tpanalytics.measures.privacy.suppress_groups import suppressed_families

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COUNTED = ("validated", "suggested")
#: Measures with a column job_family whose rows are not families, with the rule that applies.
OTHER_RULES = {
    "changed_tasks": "two snapshots",
    "compare": "two snapshots",
    "compare_exposure": "two snapshots",
    "concentration_curve, by family": "parts",
    "exposure, by job": "job",
    "exposure_curve, of jobs by tasks": "curve",
    "find_tasks": "job",
    "exposure_ranking": "none, because it identifies a job of each family",
    "hours, by job": "job",
    "data_gaps": "job",
    "skills": "skills",
}
RESULTS = {
    name: measure
    for name, measure in MEASURES.items()
    if not {name, name.split(",")[0]} & OTHER_RULES.keys() and "job_family" in measure(odd()).columns
}
#: Results by headcount, and results of validated tasks only.
STAFFED = {
    *("capacity", "capacity, of one person", "exposure, by headcount", "fragmentation"),
    *("hours_at_stake", "hours, over people", "impact, by headcount"),
}
VALIDATED = {"impact, validated"}
#: Results with a row per job.
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
    return set(suppressed_families(result))


def people_in(job: dict[str, Any]) -> Any:
    """Return the people in a job, or its FTE if people are unknown."""
    return job["fte"] if job["headcount"] is None else job["headcount"]


def is_small(
    jobs: list[dict[str, Any]], min_jobs: int, min_headcount: float, *, staffed: bool, states: Sequence[str] = COUNTED
) -> bool:
    """Return whether a figure over these jobs is too small, by the definition."""

    def is_few(group: list[dict[str, Any]]) -> bool:
        known = [people_in(j) for j in group if people_in(j) is not None]
        unknown = len(group) - len(known)
        return len(group) < min_jobs or bool(known and unknown < max(min_jobs, 1) and sum(known) < min_headcount)

    counted = [(j, [t for t in j["tasks"] if t["validation_state"] in states]) for j in jobs]
    with_tasks = [j for j, tasks in counted if tasks]
    with_hours = [j for j, tasks in counted if any(t["weekly_hours"] is not None for t in tasks)]
    for count in ("headcount", "fte") if staffed else ():
        staffed_jobs = [j for j in with_hours if j[count] is not None]
        amounts = [j[count] for j in staffed_jobs]
        if amounts and (
            len(amounts) < min_jobs
            or sum(map(people_in, staffed_jobs)) < min_headcount
            or (min_headcount and max(amounts) > 0.85 * sum(amounts))
        ):
            return True
    return any(is_few(group) for group in (jobs, with_tasks, with_hours) if group)


def nested(profiles: tpa.TaskProfiles) -> dict[str, list[dict[str, Any]]]:
    """Return the jobs by family, each with its tasks."""
    tasks = profiles.tasks.rows_by_key("job_id", named=True, include_key=False)
    jobs: dict[str, list[dict[str, Any]]] = {}
    for row in profiles.jobs.iter_rows(named=True):
        jobs.setdefault(row["job_family"] or "(no job family)", []).append(
            {**row, "tasks": tasks.get(row["job_id"], [])}
        )
    return jobs


@hypothesis.given(name=st.sampled_from(list(RESULTS)), profiles=companies, limits=limits)
def test_suppressed_rows_and_totals_do_not_reveal_small_groups(
    profiles: tpa.TaskProfiles, limits: dict[str, Any], name: str
) -> None:
    result = RESULTS[name](profiles)
    suppressed = suppress(result, profiles, privacy=Privacy(**limits))
    assert_suppressed_rows_have_no_figures_and_others_are_unchanged(suppressed, result)
    jobs, hidden = nested(profiles), hidden_of(suppressed)
    assert all(row.get("jobs") in (None, len(jobs[row["job_family"]])) for row in suppressed.iter_rows(named=True))
    how = {**limits, "staffed": name in STAFFED, "states": ["validated"] if name in VALIDATED else COUNTED}
    small = {family for family in jobs if is_small(jobs[family], **how)}
    assert small <= hidden
    if not small:
        assert not hidden
    elif hidden != set(jobs):
        assert len(hidden) > 1
        together = [job for family in hidden for job in jobs[family]]
        assert not is_small(together, **how)


def assert_suppressed_rows_have_no_figures_and_others_are_unchanged(
    suppressed: pl.DataFrame, result: pl.DataFrame
) -> None:
    assert suppressed.schema == {**result.schema, "reason": pl.String}
    hidden = suppressed.filter(reason=SUPPRESSED)
    shown = suppressed.filter(pl.col("reason").ne_missing(SUPPRESSED))
    unchanged = result.filter(~pl.col("job_family").is_in(suppressed_families(suppressed)))
    assert_frame_equal(shown.select(result.columns), unchanged)
    assert set(suppressed["job_family"]) == set(result["job_family"])
    assert_frame_equal(pl.concat([shown, hidden]), suppressed)
    figures = hidden.drop("job_family", "ai_impact_level", "block_hours", "jobs", "basis", "reason", strict=False)
    assert all(column.null_count() == hidden.height for column in figures)
    assert hidden["job_family"].to_list() == sorted(hidden["job_family"], key=lambda f: (f == "(no job family)", f))
    assert "jobs" not in suppressed.columns or not suppressed["jobs"].null_count()


@hypothesis.given(profiles=companies, limits=limits)
def test_no_more_than_necessary_is_suppressed(profiles: tpa.TaskProfiles, limits: dict[str, Any]) -> None:
    jobs = nested(profiles)
    hidden = hidden_of(suppress(tpa.hours(profiles), profiles, privacy=Privacy(**limits)))
    small = {name for name in jobs if is_small(jobs[name], **limits, staffed=False)}
    for name in hidden - small:
        fewer = hidden - {name}
        larger = [n for n in hidden - small if (len(jobs[n]), n) > (len(jobs[name]), name)]
        together = [job for other in fewer for job in jobs[other]]
        assert larger or len(fewer) < 2 or is_small(together, **limits, staffed=False)


@hypothesis.given(
    name=st.sampled_from(["hours", "coverage", "impact, by headcount", "fragmentation"]),
    profiles=companies,
    seed=st.integers(0, 2**32 - 1),
    limits=limits,
)
def test_result_does_not_depend_on_row_order_or_repetition(
    profiles: tpa.TaskProfiles, seed: int, limits: dict[str, Any], name: str
) -> None:
    measure, privacy = RESULTS[name], Privacy(**limits)
    result = measure(profiles)
    once = suppress(result, profiles, privacy=privacy)
    shuffled = tpa.TaskProfiles(
        profiles.jobs.sample(fraction=1, shuffle=True, seed=seed).lazy(),
        profiles.tasks.sample(fraction=1, shuffle=True, seed=seed).lazy(),
    )
    assert_frame_equal(suppress(measure(shuffled), shuffled, privacy=privacy), once, abs_tol=1e-9)
    if hidden_of(once) != set(once["job_family"]):
        assert_frame_equal(suppress(once, profiles, privacy=privacy), once)


@some_results
def test_profiles_of_every_engine_are_accepted(sample: tpa.TaskProfiles, name: str) -> None:
    result = RESULTS[name](sample)
    flat = [frame.select(pl.col(pl.String, pl.Float64)) for frame in (sample.jobs, sample.tasks)]
    ours = suppress(result, sample, privacy=Privacy(min_jobs=8))
    frames = [pd.DataFrame(frame.to_dict(as_series=False)) for frame in flat]
    assert_frame_equal(suppress(result, tpa.TaskProfiles(*frames), privacy=Privacy(min_jobs=8)), ours)
    relations = [duckdb.from_df(frame) for frame in frames]
    assert_frame_equal(suppress(result, tpa.TaskProfiles(*relations), privacy=Privacy(min_jobs=8)), ours)
    assert hidden_of(ours) == {"(no job family)", "Field Service and Installation"}


@pytest.mark.parametrize("name", OTHER_RULES)
def test_result_that_cannot_be_protected_raises(sample: tpa.TaskProfiles, name: str) -> None:
    result = MEASURES[name](sample)
    assert "job_family" in result.columns, "it is not needed in OTHER_RULES"
    for profiles in (sample, None):
        if OTHER_RULES[name] == "job" and profiles is not None:
            assert suppress(result, profiles).height < result.height
            continue
        if OTHER_RULES[name] == "skills" and profiles is not None:
            assert suppress(result, profiles).height < result.height
            continue
        if OTHER_RULES[name] == "curve" and profiles is not None:
            assert suppress(result, profiles)["share"].null_count() > result["share"].null_count()
            continue
        if OTHER_RULES[name] == "parts" and profiles is not None:
            curves = suppress(result, profiles, privacy=Privacy(min_jobs=8))
            assert hidden_of(curves) == {"(no job family)", "Field Service and Installation"}
            continue
        with pytest.raises(tpa.SchemaError, match=r"single jobs|is by (job|degree|skill|part)|compares two snapshots"):
            suppress(result, profiles)


def test_family_too_small_in_either_snapshot_is_suppressed() -> None:
    others = [*family("Big", 9), *family("Other", 9), *family("Third", 8)]
    few, many = profiles_of([*others, *family("F", 2)]), profiles_of([*others, *family("F", 4)])
    for before, after in ((few, many), (many, few)):
        for measure in (tpa.compare, tpa.compare_exposure):
            suppressed = suppress(measure(before, after), after, before)
            assert hidden_of(suppressed) == {"F", "Third"}
            assert suppressed.filter(scope="all").height == 1
            assert suppressed.filter(reason=SUPPRESSED).select(pl.col("^.*(before|after)$")).null_count().row(0) == (
                2,
            ) * len(suppressed.select(pl.col("^.*(before|after)$")).columns)
    unsuppressed = suppress(tpa.compare(few, many), many, few, privacy=None)
    assert hidden_of(unsuppressed) == set()


def test_family_too_small_before_its_jobs_moved_is_suppressed() -> None:
    before = profiles_of([*family("Old", 2), *family("New", 4), *family("Big", 9), *family("Other", 9)])
    renamed = pl.col("job_family").replace("Old", "New")
    after = replace(before, jobs=before.jobs.with_columns(renamed))
    change = tpa.compare(before, after)
    assert "New" in set(change["job_family"])
    assert "New" in hidden_of(suppress(change, after, before)), "the difference of the snapshots reveals Old"


def test_jobs_of_small_families_are_removed_from_comparisons_by_job() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    change = tpa.compare_exposure(profiles, profiles, by="job_id")
    shown = suppress(change, profiles, profiles)
    families = shown.join(profiles.jobs.select("job_id", "job_family"), on="job_id")["job_family"]
    assert families.value_counts().rows() == [("Big", 9)]
    assert shown.filter(scope="all").height == 1
    tiny = profiles_of(family("Tiny", 1))
    assert suppress(tpa.compare_exposure(tiny, tiny, by="job_id"), tiny, tiny).height == 0


@pytest.mark.parametrize(
    ("measure", "side"), [(tpa.transitions, "level"), (partial(tpa.transitions, of="state"), "state")]
)
def test_totals_do_not_reveal_suppressed_moves(measure: Callable[..., pl.DataFrame], side: str) -> None:
    one_family = pl.lit("One").alias("job_family")
    before, after = (
        replace(sample, jobs=sample.jobs.with_columns(one_family), tasks=sample.tasks.with_columns(one_family))
        for sample in (tpa.load_sample("2026-05"), tpa.load_sample("2026-11"))
    )
    moves = measure(before, after)
    suppressed = suppress(moves, after, before, privacy=Privacy(min_jobs=30))
    hidden = suppressed.filter(reason=SUPPRESSED)
    small = moves.filter(pl.col("jobs") < 30)
    keys = [f"{side}_before", f"{side}_after"]
    assert 0 < small.height <= hidden.height < suppressed.height == moves.height
    assert set(small.select(keys).rows()) <= set(hidden.select(keys).rows())
    for key in keys:
        assert hidden.group_by(key).len()["len"].min() > 1, "a total reveals a single suppressed cell"
    assert hidden["tasks"].null_count() == hidden["share"].null_count() == hidden.height


def test_rows_of_one_family_do_not_suppress_other_families() -> None:
    profiles = profiles_of([*family("Tiny", 1, 9.0), *family("Small", 4, 9.0), *family("Big", 9, 9.0)])
    result = MEASURES["fragmentation"](profiles)
    suppressed = suppress(result, profiles)
    assert hidden_of(suppressed) == {"Small", "Tiny"}
    assert suppressed["block_hours"].null_count() == 0
    with pytest.raises(tpa.SchemaError, match=r"several rows for the family 'Big'.* keys=\[...\]"):
        suppress(result, profiles, keys=[])


def test_one_small_family_suppresses_a_second() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    for measure in RESULTS.values():
        result = measure(profiles)
        assert hidden_of(suppress(result, profiles)) == {"Small", "Tiny"}
        if "jobs" in result.columns:
            assert hidden_of(suppress(result)) == {"Small", "Tiny"}, "without profiles"
    curves = suppress(tpa.concentration_curve(profiles, by="job_family"), profiles)
    assert hidden_of(curves) == {"Small", "Tiny"}


def test_two_families_that_are_small_together_suppress_a_third() -> None:
    profiles = profiles_of([*family("One", 1), *family("Two", 1), *family("Three", 3), *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == {"One", "Two", "Three"}
    enough = profiles_of([*family("One", 1), *family("Two", 2), *family("Three", 3), *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(enough), enough)) == {"One", "Two"}


def test_family_without_figures_protects_no_other_family() -> None:
    without_tasks = [job("Bare") for _ in range(4)]
    profiles = profiles_of([*family("Tiny", 1), *without_tasks, *family("Big", 9)])
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == {"Tiny", "Big"}
    shown = suppress(tpa.hours(profiles), profiles).filter(job_family="Bare")
    assert shown.select("jobs", "tasks", "hours", "reason").rows() == [(4, 0, None, "NO_TASKS")]


@pytest.mark.parametrize(
    ("headcounts", "hidden"),
    [
        ([1, 1, 2, 0], True),
        ([1, 1, 3], False),
        ([None, None, None], False),
        ([1, 1, None], True),  # few known people, and one job of unknown headcount is not enough
        ([1, None, None, None], False),  # three jobs of unknown headcount are enough
        ([0, 0, 0], True),
    ],
)
def test_families_of_few_people_are_suppressed(headcounts: list[float | None], hidden: bool) -> None:
    small = [job("F", task(), headcount=n) for n in headcounts]
    profiles = profiles_of([*small, *family("Big", 9, 9.0), *family("Other", 10, 9.0)])
    for measure in (tpa.hours, tpa.coverage, tpa.impact):
        assert ("F" in hidden_of(suppress(measure(profiles), profiles))) == hidden


def test_jobs_without_tasks_or_hours_protect_no_other_job() -> None:
    gaps = [job("Gaps", task(hours=None)) for _ in range(5)]
    profiles = profiles_of([*gaps, job("Gaps", task(hours=30.0)), *family("Big", 9), *family("Other", 9)])
    assert "Gaps" in hidden_of(suppress(tpa.impact(profiles), profiles))
    assert "Gaps" in hidden_of(suppress(tpa.hours(profiles)))
    without_tasks = [job("Bare") for _ in range(5)]
    profiles = profiles_of([*without_tasks, job("Bare", task()), *family("Big", 9), *family("Other", 9)])
    assert "Bare" in hidden_of(suppress(tpa.coverage(profiles)))


def test_family_dominated_by_one_job_is_suppressed_by_headcount() -> None:
    jobs = [*family("Giant", 4, 1.0), *family("Giant", 1, 96.0), *family("B", 9, 9.0), *family("C", 9, 9.0)]
    profiles = profiles_of(jobs)
    assert hidden_of(suppress(tpa.impact(profiles), profiles)) == set()
    by_headcount = tpa.impact(profiles, weight="headcount")
    assert hidden_of(suppress(by_headcount, profiles)) == {"B", "Giant"}
    assert hidden_of(suppress(by_headcount, profiles, privacy=Privacy(min_headcount=0))) == set()


def test_no_totals_or_levels_are_left_if_all_families_are_suppressed() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family(None, 1)])
    suppressed = suppress(tpa.impact(profiles), profiles)
    assert suppressed.select("job_family", "ai_impact_level", "reason").rows() == [
        ("Tiny", None, SUPPRESSED),
        ("(no job family)", None, SUPPRESSED),
    ]
    meaning = tpa.about(suppressed)
    assert (dict(meaning.coverage), meaning.share_suggested, meaning.grade) == ({}, None, None)


def grid_of(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    schema = {"job_family": pl.String, "ai_impact_level": pl.String, "jobs": pl.UInt32, "tasks": pl.UInt32}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(hours=pl.col("tasks") * 1.5)


@hypothesis.given(counts=st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=4), min_size=1, max_size=6))
@hypothesis.example(counts=[[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 2]])
def test_no_row_or_column_has_a_single_suppressed_cell(counts: list[list[int]]) -> None:
    rows = [(f"f{i}", f"H{k + 1}", n, 2 * n) for i, row in enumerate(counts) for k, n in enumerate(row)]
    suppressed = suppress(grid_of(rows))
    if suppressed["ai_impact_level"].is_null().all():
        return  # everything is suppressed
    hidden = suppressed.filter(reason=SUPPRESSED)
    assert {(f, k) for f, k, n, _ in rows if 0 < n < 3} <= set(hidden.select("job_family", "ai_impact_level").rows())
    jobs = {(f, k): n for f, k, n, _ in rows}
    for (level,), column in hidden.group_by("ai_impact_level"):
        is_complete = column.height == len(counts)
        assert is_complete or column.height > 1
        assert is_complete or sum(jobs[f, level] for f in column["job_family"]) >= 3
    for (_,), row in hidden.group_by("job_family"):
        assert row.height > 1
    if hidden.height and any(len(set(row)) > 1 for row in counts):
        assert hidden["jobs"].null_count() == hidden.height, "counts of cells are figures as well"


def test_next_smallest_cell_of_a_row_is_suppressed() -> None:
    rows = [
        ("A", "H1", 9, 9),
        ("A", "H2", 1, 1),
        ("A", "H3", 4, 4),
        ("B", "H1", 9, 9),
        ("B", "H2", 7, 7),
        ("B", "H3", 5, 5),
    ]
    suppressed = suppress(grid_of(rows))
    assert set(suppressed.filter(reason=SUPPRESSED).select("job_family", "ai_impact_level").rows()) == {
        *(("A", "H2"), ("A", "H3")),
        *(("B", "H2"), ("B", "H3")),
    }


def test_nothing_is_suppressed_in_the_companies(company: tpa.TaskProfiles) -> None:
    company = with_cache(company)
    for name, measure in RESULTS.items():
        if "headcount" in company.jobs.columns or name not in STAFFED:
            assert hidden_of(suppress(measure(company), company)) == set()


def test_metadata_states_the_number_of_suppressed_families() -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    result = tpa.hours(profiles)
    before, after = tpa.about(result), tpa.about(suppress(result, profiles))
    assert after.policy[:-1] == before.policy
    assert after.policy[-1].startswith("2 of 3 job families are suppressed: fewer than 3 jobs or 5 people")
    assert replace(after, policy=before.policy) == before
    assert "by number of jobs only" in tpa.about(suppress(result)).warnings[-1]
    untouched = tpa.about(suppress(result, profiles, privacy=Privacy(min_jobs=1, min_headcount=0)))
    assert untouched.policy[-1] == "No job family is suppressed (fewer than 1 jobs)."
    assert tpa.about(suppress(result, profiles, privacy=None)).policy[-1].startswith("Nothing is suppressed")
    assert tpa.about(result) == before, "the result is unchanged"
    assert result["reason"].null_count() == result.height


def test_existing_reason_is_kept() -> None:
    result = grid_of([("A", "H1", 9, 9), ("B", "H1", 9, 9)]).with_columns(reason=pl.Series(["NO_HOURS", None]))
    assert suppress(result)["reason"].to_list() == ["NO_HOURS", None]


def test_result_read_from_a_file_is_suppressed(tmp_path: Any) -> None:
    profiles = profiles_of([*family("Tiny", 1), *family("Small", 4), *family("Big", 9)])
    tpa.hours(profiles).write_csv(tmp_path / "hours.csv")
    assert hidden_of(suppress(pl.read_csv(tmp_path / "hours.csv"))) == {"Small", "Tiny"}


def test_full_time_equivalents_count_where_people_are_unknown() -> None:
    def fte(name: str, *amounts: float) -> list[dict[str, Any]]:
        return [{**job(name, task()), "fte": amount} for amount in amounts]

    others = [*family("Big", 9, 9), *family("Other", 10, 9)]
    for amounts, hidden in (([1.0, 1.0, 2.5], True), ([1.0, 1.5, 2.5], False)):
        profiles = profiles_of([*fte("F", *amounts), *others])
        assert ("F" in hidden_of(suppress(tpa.hours(profiles), profiles))) == hidden
    both = {**job("F", task(), headcount=5), "fte": 0.5}
    profiles = profiles_of([both, *fte("F", 0.5, 0.5), *others])
    assert "F" not in hidden_of(suppress(tpa.hours(profiles), profiles)), "five people"


def test_full_time_equivalents_hide_no_job_in_figures_by_headcount() -> None:
    jobs = [{**job("F", task(), headcount=people), "fte": 50.0} for people in (50, None, None, None)]
    profiles = profiles_of([*jobs, *family("Big", 9, 9), *family("Other", 10, 9)])
    for weight in ("headcount", "fte"):
        assert "F" in hidden_of(suppress(tpa.impact(profiles, weight=weight), profiles)), "one job has all the people"
    assert hidden_of(suppress(tpa.impact(profiles), profiles)) == set()


def test_changed_tasks_of_small_families_and_jobs_are_removed() -> None:
    jobs = [*family("Tiny", 1, 9), *family("Small", 4, 9), *family("Big", 9, 9)]
    before = profiles_of([*jobs, *family("Gone", 1, 9), *family("Kept", 9, 9)])
    changed = pl.when(pl.col("ai_impact_level") == "H2").then(7.0).otherwise("weekly_hours")
    after = without(replace(before, tasks=before.tasks.with_columns(weekly_hours=changed)), "j014")
    result = tpa.changed_tasks(before, after)
    assert set(result["job_family"]) == {"Tiny", "Small", "Big", "Gone", "Kept"}
    shown = suppress(result, after, before)
    assert set(shown["job_family"]) == {"Big", "Kept"}
    assert_frame_equal(shown, result.filter(pl.col("job_family").is_in(["Big", "Kept"])))
    assert tpa.about(shown).policy[-1].startswith("The tasks of 6 of 24 jobs are suppressed")
    assert suppress(result, after, before, privacy=None).equals(result)


def test_employee_counts_as_one_person() -> None:
    profiles = profiles_of([*family("Four", 4), *family("Big", 9), *family("Other", 9)])
    people = tpa.TaskProfiles(profiles.jobs, profiles.tasks, {"source": {"kind": "employees"}})
    assert hidden_of(suppress(tpa.hours(profiles), profiles)) == set()
    assert "Four" in hidden_of(suppress(tpa.hours(people), people))


@hypothesis.given(
    measure=st.sampled_from([hours_by_job, exposure_by_job, partial(tpa.find_tasks, text="a")]),
    profiles=companies,
    limits=limits,
)
def test_results_by_job_do_not_reveal_small_jobs(
    profiles: tpa.TaskProfiles, limits: dict[str, Any], measure: Callable[..., pl.DataFrame]
) -> None:
    profiles, privacy = with_cache(profiles), Privacy(**limits)
    hours = hours_by_job(profiles)
    result = measure(profiles)
    shown = suppress(result, profiles, privacy=privacy)
    removed = set(hours["job_id"]) - set(suppress(hours, profiles, privacy=privacy)["job_id"])
    assert_frame_equal(shown, result.filter(~pl.col("job_id").is_in(list(removed))))
    hidden = hidden_of(suppress(tpa.hours(profiles), profiles, privacy=privacy))
    for name, jobs in nested(profiles).items():
        removed_jobs = [row for row in jobs if row["job_id"] in removed]
        known = [row for row in jobs if people_in(row) is not None]
        small = [row for row in known if people_in(row) < limits["min_headcount"]]
        if name in hidden:
            assert len(removed_jobs) == len(jobs)
            continue
        assert all(row in removed_jobs for row in small)
        assert bool(removed_jobs) == bool(small)
        if removed_jobs and len(removed_jobs) < len(jobs):
            assert len(removed_jobs) > 1
            assert not is_small(removed_jobs, 0, limits["min_headcount"], staffed=False)


def test_metadata_states_the_number_of_suppressed_jobs() -> None:
    profiles = profiles_of([*family("A", 6, 9.0), job("A", task(), headcount=1.0), job("A", task())])
    hours = hours_by_job(profiles)
    shown = suppress(hours, profiles)
    assert hours.height - shown.height == 2
    assert "2 of 8 jobs are suppressed" in str(tpa.about(shown))
    unknown = profiles.jobs.filter(pl.col("headcount").is_null())["job_id"][0]
    assert unknown in shown["job_id"].to_list()
    unsuppressed = suppress(hours, profiles, privacy=Privacy(min_jobs=0, min_headcount=0))
    assert unsuppressed.height == hours.height
    assert "Nothing is suppressed" in str(tpa.about(unsuppressed))


@every_result
def test_no_jobs_return_an_empty_result(name: str) -> None:
    empty = profiles_of([])
    suppressed = suppress(RESULTS[name](empty), empty)
    assert suppressed.height == 0
    profiles = profiles_of(family("A", 9))
    assert_frame_equal(suppressed, suppress(RESULTS[name](profiles), profiles, privacy=Privacy(min_jobs=1)).clear())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, p: suppress(r.drop("job_family"), p), "`result` of hours has no column 'job_family'"),
        (lambda r, p: suppress(r.drop("jobs")), "`result` has no column 'jobs'.*pass `profiles`"),
        (lambda r, p: suppress(r, p.filter(pl.col("job_family") == "A")), "has the family 'B', which"),
        (lambda r, p: Privacy(min_jobs=-1), "`min_jobs` must be a whole number, 0 or more, not -1"),
        (lambda r, p: Privacy(min_jobs=2.5), "`min_jobs` must be a whole number, 0 or more, not 2.5"),
        (lambda r, p: Privacy(min_headcount=float("nan")), "`min_headcount` must be a number, 0 or more, not nan"),
        (lambda r, p: Privacy(min_headcount=True), "`min_headcount` must be a number, 0 or more, not True"),
        (lambda r, p: suppress(r, released=(r, p)), "`released` has profiles but `result` does not"),
        (lambda r, p: suppress(r, released=r.drop("jobs")), "`released` has no column 'jobs'"),
        (lambda r, p: Privacy(min_headcount="5"), "`min_headcount` must be a number, 0 or more, not '5'"),
        (lambda r, p: suppress(r, p, privacy=5), "`privacy` must be a Privacy, .*, not 5"),  # type: ignore[arg-type]
        (lambda r, p: suppress(hours_by_job(p)), "by job. Pass the `profiles`"),
        (lambda r, p: suppress(hours_by_job(p), p, released=r), "`released` is only for results by family"),
        (lambda r, p: suppress(r, p, p), "`before` is only for results that compare two snapshots"),
        (lambda r, p: suppress(tpa.compare(p, p), p), "later one as `profiles` and the earlier one as `before`"),
        (lambda r, p: suppress(tpa.compare(p, p).drop("scope"), p), "several rows|has the family None"),
        (lambda r, p: suppress(hours_by_job(p), r), "TaskProfiles"),
        (
            lambda r, p: suppress(hours_by_job(p), p.filter(job_family="A")),
            "which `profiles` does not have",
        ),
    ],
)
def test_invalid_argument_raises(call: Callable[..., Any], message: str) -> None:
    profiles = profiles_of([*family("A", 9), *family("B", 9)])
    with pytest.raises(tpa.SchemaError, match=message):
        call(tpa.hours(profiles), profiles)


def without(profiles: tpa.TaskProfiles, *job_ids: str) -> tpa.TaskProfiles:
    is_removed = pl.col("job_id").is_in(list(job_ids))
    return tpa.TaskProfiles(profiles.jobs.filter(~is_removed), profiles.tasks.filter(~is_removed))


USUAL = [*family("A", 6, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0)]


@pytest.mark.parametrize("with_profiles", [True, False])
@pytest.mark.parametrize(
    ("removed", "hidden"),
    [
        ([], set()),
        (["j006"], {"A", "B"}),  # the difference would reveal the job of B; A is suppressed to protect B
        (["j006", "j007", "j008"], set()),
        (["j000", "j006"], {"A", "B"}),
    ],
)
def test_families_differing_by_few_jobs_are_suppressed(
    removed: list[str], hidden: set[str], with_profiles: bool
) -> None:
    before = profiles_of(USUAL)
    now = without(before, *removed)
    for measure in (tpa.hours, tpa.impact):
        released = measure(before)
        if with_profiles:
            suppressed = suppress(measure(now), now, released=(released, before))
        else:
            suppressed = suppress(measure(now), released=released)
        assert hidden_of(suppressed) == hidden
        warned = any("Do not show a total" in warning for warning in tpa.about(suppressed).warnings)
        assert warned == bool(hidden)
        assert (tpa.about(suppressed).grade is None) == warned


@pytest.mark.parametrize(("people", "warned"), [(100.0, True), (3.0, False)])
def test_total_is_withheld_if_one_job_dominates_the_difference(people: float, warned: bool) -> None:
    jobs = [*family("A", 8, 2.0), *family("B", 9, 3.0), job("B", task(), headcount=people), *family("C", 12, 3.0)]
    before = profiles_of(jobs)
    now = without(before, "j000", "j001", "j002", "j003", "j017")
    first, second = (tpa.impact(profiles, weight="headcount") for profiles in (before, now))
    suppressed = suppress(second, now, released=(first, before))
    assert hidden_of(suppressed) == {"A", "B"}
    assert any("Do not show a total" in warning for warning in tpa.about(suppressed).warnings) == warned


def test_families_that_differ_by_few_people_are_suppressed() -> None:
    before = profiles_of([*family("A", 9, 1.0), *family("B", 9, 9.0), *family("C", 9, 9.0)])
    now = without(before, "j000", "j001", "j002")  # three jobs, three people
    pair = tpa.hours(now), tpa.hours(before)
    assert hidden_of(suppress(pair[0], now, released=(pair[1], before))) == {"A", "B"}
    assert hidden_of(suppress(pair[0], released=pair[1])) == set(), "the results have no headcounts"
    staffed = [result.with_columns(headcount=pl.col("jobs") * 1.0) for result in pair]
    assert "A" in hidden_of(suppress(staffed[0], released=staffed[1]))


def test_replaced_job_is_detected_with_profiles() -> None:
    before = profiles_of([*USUAL, *family("B", 1, 3.0)])
    now, before = without(before, "j024"), without(before, "j006")
    pair = tpa.hours(now), tpa.hours(before)
    assert pair[0]["jobs"].to_list() == pair[1]["jobs"].to_list()
    assert hidden_of(suppress(pair[0], released=pair[1])) == set()
    assert "B" in hidden_of(suppress(pair[0], now, released=(pair[1], before)))


def test_changed_headcount_is_detected_in_results_by_headcount() -> None:
    before = profiles_of(USUAL)
    now = tpa.TaskProfiles(
        before.jobs.with_columns(headcount=pl.col("headcount") + (pl.col("job_id") == "j006").cast(pl.Float64)),
        before.tasks,
    )
    by_hours = tpa.impact(now), tpa.impact(before)
    assert hidden_of(suppress(by_hours[0], now, released=(by_hours[1], before))) == set(), (
        "hours do not depend on headcount"
    )
    by_headcount = [tpa.impact(snapshot, weight="headcount") for snapshot in (now, before)]
    assert "B" in hidden_of(suppress(by_headcount[0], now, released=(by_headcount[1], before)))
    with_column = [r.with_columns(headcount=pl.lit(n)) for r, n in zip(by_headcount, (28.0, 27.0), strict=True)]
    assert "B" in hidden_of(suppress(with_column[0], released=with_column[1]))


def test_previously_suppressed_family_is_not_compared() -> None:
    before = profiles_of([*family("A", 2, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0), *family("D", 9, 3.0)])
    now = profiles_of([*family("A", 3, 3.0), *family("B", 9, 3.0), *family("C", 9, 3.0), *family("D", 9, 3.0)])
    released = suppress(tpa.hours(before), before)
    assert hidden_of(released) == {"A", "B"}
    assert hidden_of(suppress(tpa.hours(now), released=released)) == set()


@hypothesis.given(profiles=companies, data=st.data(), limits=limits)
def test_families_shown_twice_do_not_differ_by_few_jobs(
    profiles: tpa.TaskProfiles, data: Any, limits: dict[str, Any]
) -> None:
    ids = profiles.jobs["job_id"].to_list()
    now = without(profiles, *(data.draw(st.sets(st.sampled_from(ids))) if ids else ()))
    released = suppress(tpa.hours(profiles), profiles, privacy=Privacy(**limits))
    suppressed = suppress(tpa.hours(now), now, released=(released, profiles), privacy=Privacy(**limits))
    jobs, remaining = nested(profiles), nested(now)
    both = set(remaining) - hidden_of(suppressed) - hidden_of(released)
    for name in both:
        remaining_ids = {job["job_id"] for job in remaining[name]}
        removed = [job for job in jobs[name] if job["job_id"] not in remaining_ids]
        assert not removed or not is_small(removed, **limits, staffed=False)
