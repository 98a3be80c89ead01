"""Coverage of hours by group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import hypothesis
import polars as pl

from tests.helpers.random_profiles import companies
from tpanalytics.measures._core.aggregate import aggregate_tasks
from tpanalytics.measures.coverage import uneven_hours

if TYPE_CHECKING:
    import tpanalytics as tpa


@hypothesis.given(profiles=companies)
def test_groups_are_compared_with_all_other_tasks(profiles: tpa.TaskProfiles) -> None:
    result = uneven_hours(aggregate_tasks(profiles, by_state=True).cells)
    counted = profiles.tasks.filter(pl.col("validation_state") != "rejected")
    columns = {
        "validation state": counted["validation_state"],
        "AI impact level": counted["ai_impact_level"].fill_null("not assessed"),
        "job family": counted["job_family"].fill_null("(no family)"),
    }
    groups = {
        (by, value) for by, column in columns.items() if column.n_unique() > 1 for value in column.unique().to_list()
    }
    assert set(result.select("by", "group").rows()) == groups
    has_hours = counted["weekly_hours"].is_not_null()
    for row in result.iter_rows(named=True):
        inside = columns[row["by"]] == row["group"]
        shares = has_hours.filter(inside).mean(), has_hours.filter(~inside).mean()
        assert row["tasks"] == inside.sum()
        assert math.isclose(row["coverage"], shares[0], abs_tol=1e-9)
        assert math.isclose(row["others"], shares[1], abs_tol=1e-9)
        if row["stands_out"]:
            assert abs(shares[0] - shares[1]) > 0.1
