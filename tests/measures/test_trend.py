"""Figures over the snapshots of a history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.helpers.builders import close, job, one_job, task
from tests.helpers.histories import DAYS, ENGINES, Snapshots, histories, history_of
from tests.helpers.public_measures import odd
from tests.helpers.random_profiles import profiles_of
from tests.helpers.snapshot_pairs import small_profiles

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = {"exposure": "exposure", "hours": "hours", "impact": "share", "coverage": "coverage"}
every_measure = pytest.mark.parametrize("measure", FIGURES)


def without_repeats(profiles: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Keep one row per task, because comparisons merge the rows of a task."""
    return replace(profiles, tasks=profiles.tasks.unique(["job_id", "task_id"], keep="first", maintain_order=True))


def with_families_of(later: tpa.TaskProfiles, before: tpa.TaskProfiles) -> tpa.TaskProfiles:
    """Return the later snapshot without jobs that changed their family."""
    known = dict(before.jobs.select("job_id", "job_family").rows())
    ids, own = later.jobs.get_column("job_id"), later.jobs.get_column("job_family")
    families = [known.get(job_id, family) for job_id, family in zip(ids, own, strict=True)]
    jobs = later.jobs.with_columns(job_family=pl.Series(families, dtype=pl.String))
    tasks = later.tasks.drop("job_family").join(jobs.select("job_id", "job_family"), on="job_id", how="left")
    return replace(later, jobs=jobs, tasks=tasks)


pairs = st.tuples(small_profiles, small_profiles).map(
    lambda pair: (without_repeats(pair[0]), without_repeats(with_families_of(pair[1], pair[0])))
)


def by_group(table: pl.DataFrame, by: str | None, *columns: str) -> dict[Any, tuple[Any, ...]]:
    groups = table.get_column(by) if by else [None] * table.height
    return dict(zip(groups, table.select(columns).rows(), strict=True))


@hypothesis.given(pair=pairs, by=st.sampled_from(["job_family", "job_id", None]), level=st.sampled_from(["H1", "H3"]))
def test_two_dates_equal_a_comparison(
    pair: tuple[tpa.TaskProfiles, tpa.TaskProfiles], by: str | None, level: str
) -> None:
    before, after = pair
    history = history_of({("acme", day): side for day, side in zip(DAYS, pair, strict=False)})
    scope = "group" if by else "all"
    index = by_group(
        tpa.compare_exposure(before, after, by=by).filter(scope=scope),
        by,
        "exposure_before",
        "exposure_after",
        "change",
    )
    at_level = by_group(tpa.compare(before, after, by=by, level=level).filter(scope=scope), by, "before", "after")
    exposures, hours = tpa.trend(history, by=by), tpa.trend(history, measure="impact", level=level, by=by)
    for place, day in enumerate(DAYS[:2]):
        for group, (figure, change) in by_group(exposures.filter(as_of=day), by, "exposure", "change").items():
            assert close(figure, index[group][place])
            if place == 1 and None not in index[group]:
                assert close(change, index[group][2])
        for group, (known,) in by_group(hours.filter(as_of=day), by, "hours").items():
            assert close(known or 0.0, at_level[group][place] or 0.0)


@every_measure
@hypothesis.given(snapshots=histories)
@hypothesis.settings(max_examples=15)
def test_each_date_equals_the_measure_and_changes_add_up(snapshots: Snapshots, measure: Any) -> None:
    table = tpa.trend(history_of(snapshots), measure=measure)
    snapshots = {key: profiles for key, profiles in snapshots.items() if profiles.jobs.height}
    several = len({tenant for tenant, _ in snapshots}) > 1
    assert ("tenant" in table.columns) == several
    for (tenant, day), profiles in snapshots.items():
        rows = table.filter(as_of=day)
        rows = rows.filter(tenant=tenant or "(no tenant)") if several else rows
        own = getattr(tpa, measure)(profiles)
        if measure == "impact":
            own = own.filter(pl.col("ai_impact_level") == "H1")
        figure = "both_coverage" if measure == "coverage" else FIGURES[measure]
        expected = by_group(own, "job_family", figure)
        for group, (value,) in by_group(rows, "job_family", FIGURES[measure]).items():
            assert close(value or 0.0, (expected.get(group) or (None,))[0] or 0.0)
    figure = pl.col(FIGURES[measure])
    for line in table.partition_by([*(["tenant"] if several else []), "job_family"]):
        whole = line.sort("as_of")
        changes = whole.get_column("change").drop_nulls()
        if changes.len() == whole.height - 1:  # no gap in between
            ends = whole.select(figure.last() - figure.first()).item()
            assert close(changes.sum(), ends or 0.0)


@pytest.mark.parametrize("engine", ENGINES)
@every_measure
def test_every_engine_returns_the_same_result(engine: str, measure: Any, tmp_path: Path) -> None:
    history = history_of({("acme", DAYS[0]): odd(), ("acme", DAYS[1]): odd(later=True)})
    by = ["job_family", "job_id"]
    expected = tpa.trend(history, measure=measure, by=by)
    assert_frame_equal(tpa.trend(ENGINES[engine](history, tmp_path), measure=measure, by=by), expected, abs_tol=1e-9)


def test_a_change_of_coverage_is_not_a_change_of_the_work() -> None:
    known = [task("H1", 8.0, key=f"k{i}") for i in range(9)]
    first, second, third = (one_job(*known, task("H3", hours, key="x"), family="A") for hours in (None, 8.0, 8.0))
    table = tpa.trend(history_of({("acme", day): one for day, one in zip(DAYS, (first, second, third), strict=True)}))
    assert table.select("as_of", "previous", "change", "comparable", "reason").rows() == [
        (DAYS[0], None, None, None, None),
        (DAYS[1], DAYS[0], pytest.approx(-0.1), False, "COVERAGE_CHANGED"),
        (DAYS[2], DAYS[1], 0.0, True, None),
    ]
    assert "Coverage changed by more than 5% in 1 row" in tpa.about(table).warnings[-1]
    measured = tpa.trend(history_of({("acme", DAYS[0]): first, ("acme", DAYS[1]): second}), measure="coverage")
    assert measured.get_column("comparable").to_list() == [None, True]
    assert measured.get_column("change").to_list() == [None, pytest.approx(0.1)]


def test_a_group_that_skips_a_date_has_no_change() -> None:
    both, only_b = (
        [job(task("H1", 2.0), family="A"), job(task("H2", 2.0), family="B")],
        [job(task("H2", 2.0), family="B")],
    )
    table = tpa.trend(
        history_of({("x", day): profiles_of(jobs) for day, jobs in zip(DAYS, (both, only_b, both), strict=True)})
    )
    assert table.filter(job_family="A").select("as_of", "previous", "change").rows() == [
        (DAYS[0], None, None),
        (DAYS[2], DAYS[1], None),
    ]
    assert table.filter(job_family="B").get_column("change").to_list() == [None, 0.0, 0.0]


def test_missing_figures_have_a_reason_and_absent_levels_a_share_of_zero() -> None:
    jobs = [job(task("H2", 4.0), family="A"), job(task("H2", None), family="B"), job(family="C")]
    history = history_of({("x", DAYS[0]): profiles_of(jobs)})
    for measure, figure in (
        ("impact", "share"),
        ("hours", "hours"),
        ("exposure", "exposure"),
        ("coverage", "coverage"),
    ):
        table = tpa.trend(history, measure=measure)  # type: ignore[arg-type]
        assert table.filter(job_family="C").select(figure, "reason").row(0) == (None, "NO_TASKS")
    shares = tpa.trend(history, measure="impact", level="H1")
    assert shares.select("job_family", "share", "reason").rows()[:2] == [("A", 0.0, None), ("B", None, "NO_HOURS")]
    assert shares.get_column("tasks").to_list() == [0, 0, 0]


def test_options_are_passed_to_the_measure() -> None:
    history = history_of({("x", DAYS[0]): odd()})
    validated = tpa.trend(history, states=["validated"], level_weights={"H1": 1.0, "H2": 1.0}, by=None)
    expected = tpa.exposure(odd(), states=["validated"], level_weights={"H1": 1.0, "H2": 1.0}, by=None)
    assert validated.select("exposure", "coverage").row(0) == pytest.approx(
        expected.select("exposure", "coverage").row(0)
    )
    people = tpa.trend(history, measure="hours", weight="headcount")
    assert people.columns[:5] == ["as_of", "job_family", "jobs", "tasks", "headcount_hours"]
    for options, message in (
        ({"complete_only": True}, "trend.. of exposure has no argument 'complete_only'. Its options are 'weight'"),
        ({"weigth": "fte"}, "trend.. of exposure has no argument 'weigth'. Did you mean 'weight'"),
        ({"measure": "hours", "level_weights": {}}, "trend.. of hours has no argument 'level_weights'"),
    ):
        with pytest.raises(tpa.ArgumentError, match=message):
            tpa.trend(history, **options)  # type: ignore[arg-type]
        with pytest.raises(tpa.ArgumentError, match=message):
            tpa.plot_trend(history, **options)  # type: ignore[arg-type]


def test_invalid_arguments() -> None:
    history: Any = history_of({("x", DAYS[0]): odd()})
    with pytest.raises(tpa.SchemaError, match="`history` must be a History from read_history, not TaskProfiles"):
        tpa.trend(odd())  # type: ignore[arg-type]
    for options, message in (
        ({"measure": "hour"}, "`measure` must be 'exposure', 'hours', 'impact' or 'coverage', not 'hour'"),
        ({"level": "H1"}, "`level` must be omitted unless measure='impact', not 'H1'"),
        ({"measure": "impact", "level": "H7"}, r"`level` must be a level of the tasks \('H1', .*\), not 'H7'"),
        ({"measure": "impact", "level": "not assessed"}, "`level` must be a level of the tasks"),
        ({"by": "countri"}, "`by`: 'countri' is not a column of the jobs, people or tasks"),
    ):
        with pytest.raises(tpa.SchemaError, match=message):
            tpa.trend(history, **options)


def test_no_jobs_give_no_rows() -> None:
    table = tpa.trend(history_of({("x", date(2026, 1, 31)): profiles_of([])}))
    assert table.height == 0
    assert table.columns[:3] == ["as_of", "job_family", "jobs"]
    assert table.schema["as_of"] == pl.Date
