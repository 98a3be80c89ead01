"""Tests of the change in exposure between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.builders import close, job, one_job, task
from tests.helpers.random_profiles import profiles_of
from tests.helpers.snapshot_pairs import (
    expected_split,
    exposure_sums,
    small_profiles,
)
from tpanalytics.measures._core.decomposition import SPLIT
from tpanalytics.measures._core.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable


def with_families(profiles: tpa.TaskProfiles, families: dict[str, str | None]) -> tpa.TaskProfiles:
    """Replace the job families with those of another snapshot."""
    family = pl.col("job_id").replace_strict(families, default=pl.col("job_family"), return_dtype=pl.String)
    return tpa.TaskProfiles(profiles.jobs.with_columns(job_family=family), profiles.tasks)


@hypothesis.given(by=st.sampled_from(["job_family", "job_id"]), before=small_profiles, after=small_profiles)
def test_terms_equal_the_formula_for_random_profiles(
    before: tpa.TaskProfiles, after: tpa.TaskProfiles, by: Any
) -> None:
    part = by
    families = dict(after.jobs.select("job_id", "job_family").rows())
    first, second = exposure_sums(with_families(before, families), part, WEIGHTS), exposure_sums(after, part, WEIGHTS)
    expected = expected_split(first, second)
    result = tpa.compare_exposure(before, after, by=by)
    total_rows = result.filter(scope="all")
    for row in total_rows.iter_rows(named=True):
        for side, sums in (("before", first), ("after", second)):
            total = sum(hours for _, hours in sums.values())
            assert close(row[f"exposure_{side}"], sum(x for x, _ in sums.values()) / total if total else None)
        for term in SPLIT:
            assert close(row[term], expected[term] if expected else None)
        assert close(row["contribution"], row["change"] if expected else None)
    parts = result.filter(scope="group")
    assert close(parts["contribution"].sum(), total_rows["contribution"].sum())
    for row in parts.iter_rows(named=True):
        part_sums = [sums.get(row[part]) for sums in (first, second)]
        for side, expected_sums in zip(("before", "after"), part_sums, strict=True):
            assert close(row[f"exposure_{side}"], expected_sums[0] / expected_sums[1] if expected_sums else None)
        used = {term for term in SPLIT if row[term]}
        assert used <= {(True, True): {"within", "mix"}, (False, True): {"entry"}, (True, False): {"exit"}}.get(
            (part_sums[0] is not None, part_sums[1] is not None), set()
        )


def test_terms_are_null_without_a_family_in_both_snapshots() -> None:
    before, after = one_job(task("H1", 2.0), family="Sales"), one_job(task("H2", 2.0), family="Finance")
    after = tpa.TaskProfiles(*(frame.with_columns(job_id=pl.lit("other")) for frame in (after.jobs, after.tasks)))
    result = tpa.compare_exposure(before, after)
    assert result.filter(scope="all").select("exposure_before", "exposure_after", "change", "reason").row(0) == (
        1.0,
        0.5,
        -0.5,
        "TOO_FEW",
    )
    assert result.select(*SPLIT, "contribution").null_count().row(0) == (3,) * 5


def test_growth_raises_the_index_only_above_the_mean() -> None:
    low, high = job(task("H3", 10.0), family="Low"), job(task("H1", 10.0), family="High")
    grown = job(task("H3", 30.0), family="Low")
    rows = {
        row["job_family"]: row
        for row in tpa.compare_exposure(profiles_of([low, high]), profiles_of([grown, high])).iter_rows(named=True)
    }
    assert rows["Low"]["mix"] < 0
    assert rows["High"]["mix"] < 0
    assert rows[None]["change"] == pytest.approx(-0.25)


def test_level_weights_can_be_changed() -> None:
    before = one_job(task("H2", 2.0), task("H3", 2.0, key="u"))
    after = one_job(task("H2", 4.0), task("H4", 4.0, key="u"))
    result = tpa.compare_exposure(before, after)
    row = result.row(-1, named=True)
    assert (row["contribution"], row["weight_low"], row["weight_high"]) == pytest.approx((0.25, 0.0, 0.5))
    assert (row["coverage_after"], tpa.about(result).grade) == (0.5, "C")
    assert "Levels without a weight count as not assessed: H4 (1 task)." in tpa.about(result).warnings
    mapped = tpa.compare_exposure(before, after, level_weights={"H2": 0.2, "H3": 0.0, "H4": 1.0})
    assert mapped.row(-1, named=True)["exposure_after"] == pytest.approx(0.6)
    assert not tpa.about(mapped).warnings


def test_family_with_zero_hours_has_no_index() -> None:
    before = profiles_of([job(task("H1", 0.0)), job(task("H2", 1.0), family="B")])
    row = tpa.compare_exposure(before, before).row(0, named=True)
    assert (row["exposure_before"], row["share_before"], row["contribution"], row["reason"]) == (
        None,
        0.0,
        None,
        "NO_HOURS",
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tpa.compare_exposure(p, p, by="family"), "`by`: 'family' is not a column .*job_family"),
        (lambda p: tpa.compare_exposure(p, p, level_weights={"H1": 2}), "must be a number from 0 to 1"),
        (lambda p: tpa.compare_exposure(p, p, level_weights={}), "`level_weights` must be a dict of level and weight"),
    ],
)
def test_invalid_arguments_raise(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(tpa.SchemaError, match=message):
        call(one_job(task()))
