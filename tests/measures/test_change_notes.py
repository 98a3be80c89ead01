"""Tests of the warnings about comparing two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tpanalytics as tpa
from tests.helpers.builders import one_job, task
from tests.helpers.snapshot_pairs import (
    COMPARISONS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl


def with_manifest(profiles: tpa.TaskProfiles, **manifest: Any) -> tpa.TaskProfiles:
    return tpa.TaskProfiles(profiles.jobs, profiles.tasks, manifest)


def with_coverage(share: float) -> tpa.TaskProfiles:
    """Return 100 tasks with this share of hours."""
    return one_job(*(task(hours=1.0 if i < round(share * 100) else None, key=f"t{i}") for i in range(100)))


@pytest.mark.parametrize(
    ("coverage_before", "coverage_after", "warns"), [(0.90, 0.95, False), (0.90, 0.96, True), (0.96, 0.90, True)]
)
@pytest.mark.parametrize("measure", [tpa.compare, tpa.compare_exposure], ids=["bridge", "exposure"])
def test_changed_coverage_warns(
    coverage_before: float, coverage_after: float, measure: Callable[..., pl.DataFrame], *, warns: bool
) -> None:
    meaning = tpa.about(measure(with_coverage(coverage_before), with_coverage(coverage_after)))
    coverage_warnings = [text for text in meaning.warnings if text.startswith("Coverage changed: ")]
    assert len(coverage_warnings) == warns  # one for hours and for hours with a level
    assert all("Quote the terms from `compare`" in text for text in coverage_warnings)
    assert all("instead of the difference" in text for text in coverage_warnings)
    assert (meaning.coverage["hours before"], meaning.coverage["hours after"]) == (coverage_before, coverage_after)
    assert meaning.grade == "A"
    assert f"{coverage_before:.1%} with hours and a level" in meaning.policy[0]
    assert tpa.about(measure(with_coverage(0.95), with_coverage(0.5))).grade == "C"  # the worse of the two


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (("2026-05-01T00:00:00+00:00", "2026-05-01T06:00:00+00:00"), ("2026-05-01T08:00:00+00:00", None), "6.0 hours"),
        (("2026-05-01T00:00:00+00:00", "2026-05-01T00:10:00+00:00"), ("2026-06-01T00:00:00+00:00", None), None),
        (("2026-06-01T00:00:00+00:00", None), ("2026-05-01T00:00:00+00:00", None), "The later snapshot is older"),
        (("yesterday", None), (None, "2026-05-01T00:00:00"), None),
    ],
)
def test_overlapping_or_swapped_snapshots_warn(before: Any, after: Any, message: str | None) -> None:
    pair = [with_manifest(one_job(task()), started=start, finished=end) for start, end in (before, after)]
    for measure in COMPARISONS.values():
        warnings = [w for w in tpa.about(measure(*pair)).warnings if "An export took" in w or "is older" in w]
        assert warnings == ([] if message is None else [w for w in warnings if message in w])
        assert bool(warnings) == (message is not None)


def test_incomplete_exports_warn() -> None:
    incomplete = with_manifest(one_job(task()), complete=False)
    assert any(
        "so added jobs and tasks may" in text for text in tpa.about(tpa.compare(incomplete, one_job(task()))).warnings
    )
    assert any(
        "so removed jobs and tasks may" in text for text in tpa.about(tpa.compare(one_job(task()), incomplete)).warnings
    )
    assert not tpa.about(tpa.compare(one_job(task()), with_manifest(one_job(task()), complete=True))).warnings
