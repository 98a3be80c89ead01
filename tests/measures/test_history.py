"""Measures of a history: each snapshot counts on its own."""

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
from tests.helpers.builders import job, task
from tests.helpers.by_job import exposure_by_job
from tests.helpers.engines import SLOW_READERS, read_tables, write_tables
from tests.helpers.histories import DAYS, ENGINES, HISTORY_CALLS, ODD, Snapshots, histories, history_of, lazily
from tests.helpers.public_measures import odd
from tests.helpers.random_profiles import profiles_of
from tpanalytics.measures._core.cache import with_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEASURES: dict[str, Callable[..., pl.DataFrame]] = {
    "coverage": tpa.coverage,
    "exposure": tpa.exposure,
    "hours": tpa.hours,
    # The levels of all snapshots have a row in each of them.
    "impact": lambda profiles, by: tpa.impact(profiles, by=by).filter(pl.col("tasks") > 0),
    "impact by tasks": lambda profiles, by: tpa.impact(profiles, by=by, weight="tasks").filter(pl.col("tasks") > 0),
    "concentration": tpa.concentration,
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


def assert_each_snapshot(result: pl.DataFrame, snapshots: Snapshots, measure: Any, by: list[str]) -> None:
    """Check that the rows of each snapshot are those of the measure for this snapshot alone."""
    expected = []
    for (tenant, day), profiles in snapshots.items():
        own = pl.DataFrame(measure(profiles, by=by))
        expected.append(
            own.select(pl.lit(tenant or "(no tenant)").alias("tenant"), pl.lit(str(day)).alias("as_of"), pl.all())
        )
    together = pl.concat(expected)
    assert_frame_equal(pl.DataFrame(result).select(together.columns), together, check_row_order=False, abs_tol=1e-9)


@every_measure
@hypothesis.given(snapshots=histories, by=st.sampled_from([[], ["job_family"], ["job_id"], ["job_family", "job_id"]]))
@hypothesis.settings(max_examples=8)
def test_each_snapshot_counts_on_its_own(snapshots: Snapshots, by: list[str], measure: Any) -> None:
    result = measure(history_of(snapshots), by=["tenant", "as_of", *by])
    assert_each_snapshot(result, snapshots, measure, by)


@pytest.mark.parametrize("engine", ENGINES)
@every_measure
def test_every_engine_returns_the_same_result(engine: str, measure: Any, tmp_path: Path) -> None:
    by = ["tenant", "as_of", "job_family"]
    history = ENGINES[engine](history_of(ODD), tmp_path)
    assert_each_snapshot(measure(history, by=by), ODD, measure, ["job_family"])


@pytest.mark.slow
@pytest.mark.parametrize("call", HISTORY_CALLS)
@pytest.mark.parametrize("engine", [*ENGINES, *SLOW_READERS])
def test_every_measure_takes_a_history_of_every_engine(engine: str, call: str, tmp_path: Path) -> None:
    history = history_of(ODD)
    if engine in ENGINES:
        other = ENGINES[engine](history, tmp_path)
    else:
        write_tables(history, tmp_path)
        other = read_tables(tpa.History, tmp_path, SLOW_READERS[engine])
    assert_frame_equal(HISTORY_CALLS[call](other), HISTORY_CALLS[call](history), abs_tol=1e-9)


def test_tasks_are_summed_by_snapshot_and_family_only_if_these_agree_with_the_jobs() -> None:
    history = history_of(ODD)
    moved = replace(history, tasks=history.tasks.with_columns(job_family=pl.lit("Sales")))
    dated = replace(history, tasks=history.tasks.with_columns(as_of=pl.col("as_of").cast(pl.Datetime)))
    by = ["tenant", "as_of", "job_family"]
    for changed in (moved, dated, replace(history, jobs=history.jobs.drop("n_tasks"))):
        assert_frame_equal(tpa.coverage(changed, by=by), tpa.coverage(history, by=by))


CALLS: dict[str, Callable[[tpa.History], Any]] = {
    "by default": tpa.hours,
    "without a group": lambda history: tpa.exposure(history, by=None),
    "by job": lambda history: tpa.impact(history, by="job_id"),
    "without by": exposure_by_job,
    "quality": tpa.quality_report,
    "shared": tpa.shared_tasks,
    "claim": lambda history: tpa.check_claim(history, "A > B", rounds=100),
    "found": lambda history: tpa.find_tasks(history, "care"),
    "cached": lambda history: tpa.hours(with_cache(history)),
    "chart": tpa.plot_hours,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_snapshots_are_never_added_up(call: Any) -> None:
    one_tenant = {key: profiles for key, profiles in ODD.items() if key[0] == "acme"}
    with pytest.raises(
        tpa.ArgumentError, match=r"`by` must include 'as_of' for a history, or its snapshots would be add"
    ):
        call(history_of(one_tenant))
    with pytest.raises(tpa.ArgumentError, match="`by` must include 'tenant' and 'as_of' for a history"):
        call(history_of(ODD))


def test_the_error_shows_a_call_that_works() -> None:
    with pytest.raises(tpa.ArgumentError) as error:
        tpa.hours(history_of(ODD), by=["job_family", "as_of"])
    assert "Pass by=['tenant', 'as_of', 'job_family'], or one snapshot with history.at('2026-06-01')." in str(
        error.value
    )


def test_candidates_take_a_single_snapshot() -> None:
    history = history_of(ODD)
    for by in ("job_family", ["tenant", "as_of", "job_family"]):
        with pytest.raises(tpa.ArgumentError, match="`profiles` must be one snapshot, not a history"):
            tpa.automation_candidates(history, by=by, rounds=0)


@pytest.mark.parametrize("call", [tpa.compare, tpa.compare_exposure, tpa.changed_tasks, tpa.transitions])
def test_comparisons_take_single_snapshots(call: Any) -> None:
    history = history_of(ODD)
    with pytest.raises(tpa.ArgumentError, match="`after` must be one snapshot, not a history"):
        call(odd(), history)
    assert call(history.at(DAYS[0]), history.at(DAYS[1], "acme")).height


def test_people_count_in_their_own_snapshot() -> None:
    profiles = profiles_of([job(task("H1", 10.0)), job(task("H2", 10.0))])
    profiles = replace(profiles, jobs=profiles.jobs.drop("headcount", "fte", strict=False))

    def staffed(*people: tuple[str, str, int]) -> tpa.TaskProfiles:
        schema = {"job_id": pl.String, "country": pl.String, "headcount": pl.Int64}
        return replace(profiles, people=pl.DataFrame(people, schema=schema, orient="row"))

    snapshots: Snapshots = {
        ("acme", DAYS[0]): staffed(("j000", "BE", 3), ("j001", "BE", 1)),
        ("acme", DAYS[1]): staffed(("j000", "BE", 1), ("j000", "NL", 5), ("j001", "BE", 1)),
    }
    table = tpa.exposure(history_of(snapshots), by=["as_of", "country"])
    assert sorted(table.select("as_of", "country", "exposure", "jobs").rows()) == [
        ("2026-05-01", "BE", 0.875, 2),
        ("2026-06-01", "BE", 0.75, 2),
        ("2026-06-01", "NL", 1.0, 1),
    ]


def test_small_groups_are_suppressed_in_each_snapshot() -> None:
    large, small = [
        profiles_of([job(task(), family=f) for f in families]) for families in ("AAAABBBBCCCC", "AABBBBCCCC")
    ]
    history = history_of({("acme", DAYS[0]): large, ("acme", DAYS[1]): small})
    by = ["as_of", "job_family"]
    shown = tpa.suppress(tpa.hours(history, by=by), history)
    suppressed = shown.filter(reason="SUPPRESSED").select("as_of", "job_family").sort("job_family").rows()
    # A second group of the same snapshot protects the small one from totals.
    assert suppressed == [("2026-06-01", "A"), ("2026-06-01", "B")]
    over_time = tpa.suppress(tpa.trend(history, measure="hours"), history)
    hidden = over_time.filter(reason="SUPPRESSED")
    assert set(hidden.select("as_of", "job_family").rows()) == {(day, family) for day in DAYS[:2] for family in "AB"}
    assert hidden.select("hours", "change", "coverage").null_count().row(0) == (4, 4, 4)
    assert tpa.about(over_time).policy[-1].startswith("2 of 3 job families are suppressed")
    assert tpa.suppress(tpa.trend(history, by=None), history).get_column("exposure").null_count() == 0


def test_wrong_keys_are_reported_with_plain_job_ids() -> None:
    history, by = history_of(ODD), ["tenant", "as_of"]
    twice = replace(history, jobs=pl.concat([history.jobs, history.jobs.head(1)]))
    with pytest.raises(tpa.SchemaError, match="must be unique in each snapshot, but 'j000' is repeated"):
        tpa.hours(twice, by=by)
    later = history.tasks.with_columns(as_of=pl.lit(date(2027, 1, 1)))
    with pytest.raises(tpa.SchemaError, match=r"`tasks` has jobs that `jobs` does not have, for example 'j0\d\d'"):
        tpa.exposure(replace(history, tasks=later), by=by)
    with pytest.raises(tpa.SchemaError, match="`tasks` has no column 'as_of'"):
        tpa.hours(replace(history, tasks=history.tasks.drop("as_of")), by=by)
    one = history_of({("acme", DAYS[0]): odd()})
    undated = replace(one, jobs=one.jobs.with_columns(as_of=pl.lit(None, pl.Date)))
    with pytest.raises(
        tpa.SchemaError, match="`as_of` of `jobs` must be a date like '2026-05-01' in every row, not No"
    ):
        tpa.hours(undated, by=by)


def test_a_cached_history_stays_a_history(tmp_path: Path) -> None:
    history = with_cache(lazily(history_of(ODD), tmp_path))
    assert isinstance(history, tpa.History)
    first = tpa.hours(history, by=["tenant", "as_of"])
    assert_frame_equal(tpa.hours(history, by=["tenant", "as_of"]), first)


@pytest.mark.parametrize("measure", [tpa.hours, tpa.exposure, tpa.hours_at_stake, tpa.coverage, tpa.impact])
def test_dates_are_in_order_of_time(measure: Any) -> None:
    # The hours fall over time, so that a sort by hours would reverse the dates.
    days = [date(2026, month, 1) for month in (1, 2, 3)]
    companies = [
        profiles_of([job(task(hours=hours), family="A"), job(task(hours=hours + 1), family="B")])
        for hours in (9.0, 6.0, 3.0)
    ]
    history = history_of({("company", day): profiles for day, profiles in zip(days, companies, strict=True)})
    texts = [day.isoformat() for day in days]
    assert measure(history, by="as_of")["as_of"].cast(pl.String).unique(maintain_order=True).to_list() == texts
    by_both = measure(history, by=["as_of", "job_family"])
    assert by_both["as_of"].cast(pl.String).is_sorted()
    per_family = measure(history, by=["job_family", "as_of"])
    assert per_family.select("job_family", pl.col("as_of").cast(pl.String)).rows() == sorted(
        per_family.select("job_family", pl.col("as_of").cast(pl.String)).rows()
    )
    if measure is tpa.hours:
        assert by_both["job_family"].to_list() == ["B", "A"] * 3
