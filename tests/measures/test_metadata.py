"""Metadata of results."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tpanalytics as tpa

if TYPE_CHECKING:
    from collections.abc import Callable

SAME_ROWS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "clone": lambda frame: frame.clone(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda frame: pickle.loads(pickle.dumps(frame)),
    "sort": lambda frame: frame.sort("jobs", "job_family", descending=True),
    "pipe": lambda frame: frame.pipe(lambda same: same.sort("jobs")),
}
OTHER_ROWS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "filter": lambda frame: frame.filter(pl.col("jobs") > 3),
    "head": lambda frame: frame.head(2),
    "slice": lambda frame: frame[1:3],
    "select": lambda frame: frame.select("job_family", "jobs"),
    "columns": lambda frame: frame[["job_family", "jobs"]],
    "with_columns": lambda frame: frame.with_columns(double=pl.col("jobs") * 2),
    "drop": lambda frame: frame.drop("jobs"),
    "join": lambda frame: frame.join(pl.DataFrame({"job_family": ["Sales"]}), on="job_family"),
    "vstack": lambda frame: frame.vstack(frame.head(1)),
    "remove": lambda frame: frame.remove(pl.col("jobs") > 3),
    "filter, sort, pickle": lambda frame: pickle.loads(pickle.dumps(frame.filter(pl.col("jobs") > 3).sort("jobs"))),
}


@pytest.mark.parametrize("name", SAME_ROWS)
def test_metadata_is_unchanged_if_all_rows_are_kept(sample: tpa.TaskProfiles, name: str) -> None:
    result = tpa.coverage(sample)
    assert tpa.about(SAME_ROWS[name](result)) == tpa.about(result)


@pytest.mark.parametrize("name", OTHER_ROWS)
def test_changed_rows_add_a_warning(sample: tpa.TaskProfiles, name: str) -> None:
    result = tpa.coverage(sample)
    changed = OTHER_ROWS[name](result)
    meaning, full = tpa.about(changed), tpa.about(result)
    assert (meaning.measure, meaning.unit, meaning.coverage) == (full.measure, full.unit, full.coverage)
    assert meaning.warnings[:-1] == full.warnings
    assert "describe the full result" in meaning.warnings[-1]


@pytest.mark.parametrize("name", {**SAME_ROWS, **OTHER_ROWS})
def test_result_behaves_like_a_plain_frame(sample: tpa.TaskProfiles, name: str) -> None:
    result = tpa.coverage(sample)
    change = {**SAME_ROWS, **OTHER_ROWS}[name]
    assert_frame_equal(pl.DataFrame(change(result)), change(pl.DataFrame(result)))


IN_PLACE: dict[str, Callable[[pl.DataFrame], Any]] = {
    "a cell": lambda frame: frame.__setitem__((0, "jobs"), 99),
    "a removed column": lambda frame: frame.drop_in_place("jobs"),
    "more rows": lambda frame: frame.extend(pl.DataFrame(frame.head(1))),
    "stacked rows": lambda frame: frame.vstack(pl.DataFrame(frame.head(1)), in_place=True),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_change_in_place_adds_a_warning(sample: tpa.TaskProfiles, name: str) -> None:
    result = tpa.coverage(sample).clone()
    IN_PLACE[name](result)
    assert "describe the full result" in tpa.about(result).warnings[-1]


def test_filter_does_not_change_the_original_result(sample: tpa.TaskProfiles) -> None:
    result = tpa.coverage(sample)
    meaning = tpa.about(result)
    result.filter(pl.col("jobs") > 3)
    assert tpa.about(result) == meaning


@pytest.mark.parametrize(
    "frame",
    [
        lambda profiles: profiles.jobs,
        lambda profiles: tpa.coverage(profiles).group_by("jobs").len(),
        lambda profiles: pl.DataFrame(tpa.coverage(profiles)),
        lambda profiles: tpa.coverage(profiles).transpose(),
        lambda profiles: tpa.coverage(profiles).lazy().collect(),
    ],
    ids=["jobs", "grouped", "plain frame", "transposed", "lazy"],
)
def test_frame_without_metadata_raises(
    sample: tpa.TaskProfiles, frame: Callable[[tpa.TaskProfiles], pl.DataFrame]
) -> None:
    with pytest.raises(tpa.SchemaError, match="`result` must be a data frame returned by a measure"):
        tpa.about(frame(sample))


def test_profiles_claims_and_metadata_have_html_output(sample: tpa.TaskProfiles) -> None:
    with_markup = tpa.TaskProfiles(sample.jobs.rename({"job_name": "<b>name</b>"}), sample.tasks)
    for value in (with_markup, tpa.check_claim(sample, "Finance > Sales", rounds=100), tpa.about(tpa.coverage(sample))):
        page = value._repr_html_()
        assert page.startswith("<div><strong>")
        assert "<b>" not in page
    assert "<td>tasks</td><td>5,825</td>" in sample._repr_html_()
    assert not any(text in sample._repr_html_() for text in sample.tasks["ai_impact_rationale"].drop_nulls().head(50))
