"""Issue 17: figures that a skeptical reader would refute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa
from tests.open_issues.companies import company, job

if TYPE_CHECKING:
    import altair as alt

pytestmark = pytest.mark.slow

#: Weights of all levels, from most to least automatable.
ALL_LEVELS = {"H1": 1.0, "H2": 0.75, "H3": 0.5, "H4": 0.25, "H5": 0.0}


@pytest.fixture(scope="module")
def november() -> tpa.TaskProfiles:
    return tpa.load_sample("2026-11")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: H4 and H5 have no default weight, although their weight can only be 0 like that of H3.",
)
@pytest.mark.parametrize("state", ["2026-05", "2026-11"])
def test_levels_below_h3_have_weight_0_by_default(state: str) -> None:
    profiles = tpa.load_sample(state)
    forced = tpa.exposure(profiles, level_weights={"H1": 1, "H2": 0.5, "H3": 0, "H4": 0, "H5": 0})
    index = ["job_family", "exposure"]
    assert_frame_equal(tpa.exposure(profiles).select(index), forced.select(index), check_row_order=False, abs_tol=1e-9)


def mostly_unmeasured(hours: float | None, left: str | None, right: str | None) -> tpa.TaskProfiles:
    """Return a company whose jobs document 10 of 40 hours, with another task of the given hours and levels per job."""
    return company(
        A=[job(*[(1.0, "H1")] * 6, *[(1.0, "H3")] * 4, (hours, left)) for _ in range(12)],
        B=[job(*[(1.0, "H1")] * 3, *[(1.0, "H3")] * 7, (hours, right)) for _ in range(12)],
    )


def test_unmeasured_tasks_can_reverse_the_order() -> None:
    index = tpa.exposure(mostly_unmeasured(30.0, "H3", "H1"))
    assert dict(index.select("job_family", "exposure").rows()) == pytest.approx({"A": 0.15, "B": 0.825})


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: Grade A is based on tasks, so a claim is robust although 75% of contract hours are unmeasured.",
)
def test_claim_is_not_robust_if_unmeasured_hours_can_reverse_it() -> None:
    claim = tpa.check_claim(mostly_unmeasured(None, None, None), "A > B", rounds=500)
    assert claim.verdict != "robust" or claim.bounds_separate


#: Jobs with many and with few hours at H1.
HIGH = [job((9.0 + i, "H1"), (1.0, "H1"), (1.0, "H3")) for i in range(6)]
LOW = [job((1.0, "H1"), *[(1.0 + i, "H3")] * 19) for i in range(6)]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: A refuted claim is called 'fragile', like a true but uncertain one.",
)
def test_refuted_claim_is_not_fragile() -> None:
    claim = tpa.check_claim(company(A=HIGH, B=LOW), "A < B", rounds=200)
    assert claim.verdict != "fragile"


def title(chart: alt.LayerChart) -> str:
    text = chart.to_dict()["title"]["text"]
    return text if isinstance(text, str) else " ".join(text)


def families_in(text: str, profiles: tpa.TaskProfiles) -> list[str]:
    return [family for family in profiles.jobs["job_family"].drop_nulls().unique(maintain_order=True) if family in text]


_LEADER = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The title names one leading family although the ranges of others overlap with its range.",
)


@pytest.mark.parametrize("weight", [pytest.param("tasks", marks=_LEADER), "hours", "headcount"])
def test_title_names_no_leader_if_ranges_overlap(november: tpa.TaskProfiles, weight: Any) -> None:
    shares = tpa.impact(november, weight=weight).filter(pl.col("ai_impact_level") == "H1")
    leader = shares.filter(pl.col("job_family") != "(no job family)").sort("share", descending=True).row(0, named=True)
    overlapping = shares.filter(pl.col("share_high") >= leader["share_low"])["job_family"].to_list()
    named = families_in(title(tpa.plot_impact(november, weight=weight)), november)
    assert named != [leader["job_family"]] or overlapping == named


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The weight lines name leaders on both sides although the index has no clear leader.",
)
def test_titles_agree_on_whether_there_is_a_leader(november: tpa.TaskProfiles) -> None:
    in_index = families_in(title(tpa.plot_exposure(november)), november)
    in_lines = families_in(title(tpa.plot_weight_sensitivity(november)), november)
    assert bool(in_lines) == bool(in_index)


def test_bounds_of_shares_need_no_contract_hours_if_all_tasks_have_the_same_level() -> None:
    profiles = company(F=[job((10.0, "H1"), (None, "H1"), contract_hours=None)])
    bounds = tpa.impact(profiles).filter(pl.col("ai_impact_level") == "H1").select("share_low", "share_high")
    assert bounds.rows() == [(1.0, 1.0)]


def test_bounds_of_the_index_need_no_contract_hours_if_all_tasks_have_the_same_level() -> None:
    profiles = company(F=[job((10.0, "H1"), (None, "H1"), contract_hours=None)])
    index = tpa.exposure(profiles, level_weights={"H1": 1, "H3": 0})
    assert index.select("bound_low", "bound_high").rows() == [(1.0, 1.0)]


H2_BELOW_H3 = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="Issue 17: The weight of H2 ranges from 0 to 1, below the weights of H3 and H4.",
)


@H2_BELOW_H3
def test_range_of_the_index_keeps_the_order_of_the_levels(november: tpa.TaskProfiles) -> None:
    ranges = tpa.exposure(november, level_weights=ALL_LEVELS)
    lowest = tpa.exposure(november, level_weights={**ALL_LEVELS, "H2": ALL_LEVELS["H3"]})
    joined = ranges.join(lowest.select("job_family", lowest="exposure"), on="job_family")
    assert joined.height == ranges.height
    assert joined.filter(pl.col("weight_low") < pl.col("lowest") - 1e-9)["job_family"].to_list() == []


@H2_BELOW_H3
def test_break_even_weights_are_not_below_h3(november: tpa.TaskProfiles) -> None:
    weights = tpa.break_even(november, level_weights=ALL_LEVELS)["break_even"]
    assert weights.filter(weights < ALL_LEVELS["H3"]).to_list() == []


@H2_BELOW_H3
def test_claim_is_checked_with_weights_that_keep_the_order(november: tpa.TaskProfiles) -> None:
    weights = tpa.check_claim(november, "Finance > Sales", level_weights=ALL_LEVELS, rounds=100).specifications[
        "h2_weight"
    ]
    assert weights.filter(weights < ALL_LEVELS["H3"]).to_list() == []
