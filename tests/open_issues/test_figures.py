"""Issue 17, Figures that survive a hostile statistician: what a skeptical reader would refute today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.open_issues.companies import company, job

if TYPE_CHECKING:
    import altair as alt

#: Weights for all five levels, in the order that the levels state: H1 the most, H5 the least automatable.
ALL_LEVELS = {"H1": 1.0, "H2": 0.75, "H3": 0.5, "H4": 0.25, "H5": 0.0}


@pytest.fixture(scope="module")
def november() -> tpa.TaskProfiles:
    return tpa.load_sample("2026-11")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: H4 and H5 count as unknown by default, although levels below H3 (weight 0) can only weigh 0.",
)
@pytest.mark.parametrize("state", ["2026-05", "2026-11"])
def test_levels_below_h3_weigh_nothing_by_default(state: str) -> None:
    profiles = tpa.load_sample(state)
    forced = tpa.exposure(profiles, level_weights={"H1": 1, "H2": 0.5, "H3": 0, "H4": 0, "H5": 0})
    index = ["job_family", "exposure"]
    assert_frame_equal(tpa.exposure(profiles).select(index), forced.select(index), check_row_order=False, abs_tol=1e-9)


def mostly_unmeasured(hours: float | None, left: str | None, right: str | None) -> tpa.TaskProfiles:
    """Return a company whose jobs document 10 of 40 hours; one more task per job has these hours and these levels."""
    return company(
        A=[job(*[(1.0, "H1")] * 6, *[(1.0, "H3")] * 4, (hours, left)) for _ in range(12)],
        B=[job(*[(1.0, "H1")] * 3, *[(1.0, "H3")] * 7, (hours, right)) for _ in range(12)],
    )


def test_the_unmeasured_task_of_each_job_can_reverse_the_order() -> None:
    index = tpa.exposure(mostly_unmeasured(30.0, "H3", "H1"))
    assert dict(index.select("job_family", "exposure").rows()) == pytest.approx({"A": 0.15, "B": 0.825})


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: Grade A counts tasks, so a claim is robust although 75% of every contract week is unmeasured.",
)
def test_a_claim_is_not_robust_where_unmeasured_hours_can_reverse_it() -> None:
    claim = tpa.check_claim(mostly_unmeasured(None, None, None), "A > B", rounds=500)
    assert claim.verdict != "robust" or claim.bounds_separate


#: Jobs with much and with little work at H1.
HIGH = [job((9.0 + i, "H1"), (1.0, "H1"), (1.0, "H3")) for i in range(6)]
LOW = [job((1.0, "H1"), *[(1.0 + i, "H3")] * 19) for i in range(6)]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: A claim that the figures refute is called 'fragile', like a claim that holds but not surely.",
)
def test_a_refuted_claim_is_not_called_fragile() -> None:
    claim = tpa.check_claim(company(A=HIGH, B=LOW), "A < B", rounds=200)
    assert claim.verdict != "fragile"


def title(chart: alt.LayerChart) -> str:
    text = chart.to_dict()["title"]["text"]
    return text if isinstance(text, str) else " ".join(text)


def families_in(text: str, profiles: tpa.TaskProfiles) -> list[str]:
    return [family for family in profiles.jobs["job_family"].drop_nulls().unique(maintain_order=True) if family in text]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The title names one leading family although the ranges of others overlap with its range.",
)
@pytest.mark.parametrize("weight", ["tasks", "hours", "headcount"])
def test_a_title_names_no_leader_that_the_ranges_cannot_tell_from_others(
    november: tpa.TaskProfiles, weight: Any
) -> None:
    shares = tpa.impact(november, weight=weight).filter(pl.col("level") == "H1")
    leader = shares.filter(pl.col("job_family") != "(no family)").sort("share", descending=True).row(0, named=True)
    rivals = shares.filter(pl.col("share_high") >= leader["share_low"])["job_family"].to_list()
    named = families_in(title(tpa.plot_impact(november, weight=weight)), november)
    assert named != [leader["job_family"]] or rivals == named


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The weight lines name the leaders on both sides although the index itself can tell no leader.",
)
def test_titles_agree_on_whether_there_is_a_leader(november: tpa.TaskProfiles) -> None:
    of_index = families_in(title(tpa.plot_exposure(november)), november)
    of_lines = families_in(title(tpa.plot_weight_sensitivity(november)), november)
    assert bool(of_lines) == bool(of_index)


def test_bounds_of_a_share_need_no_contract_hours_where_all_tasks_have_one_level() -> None:
    profiles = company(F=[job((10.0, "H1"), (None, "H1"), contract_hours=None)])
    bounds = tpa.impact(profiles).filter(pl.col("level") == "H1").select("share_low", "share_high")
    assert bounds.rows() == [(1.0, 1.0)]


def test_bounds_of_the_index_need_no_contract_hours_where_all_tasks_have_one_level() -> None:
    profiles = company(F=[job((10.0, "H1"), (None, "H1"), contract_hours=None)])
    index = tpa.exposure(profiles, level_weights={"H1": 1, "H3": 0})
    assert index.select("bound_low", "bound_high").rows() == [(1.0, 1.0)]


H2_BELOW_H3 = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The weight of H2 ranges from 0 to 1 and so passes below the weights of H3 and H4.",
)


@H2_BELOW_H3
def test_the_range_of_the_index_keeps_the_order_of_the_levels(november: tpa.TaskProfiles) -> None:
    ranges = tpa.exposure(november, level_weights=ALL_LEVELS)
    lowest = tpa.exposure(november, level_weights={**ALL_LEVELS, "H2": ALL_LEVELS["H3"]})
    both = ranges.join(lowest.select("job_family", lowest="exposure"), on="job_family")
    assert both.height == ranges.height
    assert both.filter(pl.col("weight_low") < pl.col("lowest") - 1e-9)["job_family"].to_list() == []


@H2_BELOW_H3
def test_no_pair_turns_at_a_weight_below_that_of_h3(november: tpa.TaskProfiles) -> None:
    turns = tpa.break_even(november, level_weights=ALL_LEVELS)["break_even"]
    assert turns.filter(turns < ALL_LEVELS["H3"]).to_list() == []


@H2_BELOW_H3
def test_a_claim_is_checked_only_with_weights_that_keep_the_order(november: tpa.TaskProfiles) -> None:
    ways = tpa.check_claim(november, "Finance > Sales", level_weights=ALL_LEVELS, rounds=100).specifications[
        "h2_weight"
    ]
    assert ways.filter(ways < ALL_LEVELS["H3"]).to_list() == []
