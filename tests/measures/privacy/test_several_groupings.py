"""Test that tables by one column, by another and by both don't reveal a suppressed group together."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tpanalytics.measures._core.cache import with_cache
from tpanalytics.measures.privacy.policy import SUPPRESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

COUNTRIES, BANDS = ("BE", "DE", "LU"), ("junior", "senior")
#: For each job: whether it is active, and the people by country and band.
companies = st.lists(
    st.tuples(st.booleans(), st.lists(st.sampled_from([None, 1, 4, 9, 30]), min_size=6, max_size=6)),
    min_size=3,
    max_size=14,
)


def company(rows: Sequence[tuple[bool, Sequence[int | None]]]) -> tpa.TaskProfiles:
    ids = [str(i) for i in range(len(rows))]
    active = ["yes" if is_active else "no" for is_active, _ in rows]
    jobs = pl.DataFrame({"job_id": ids, "job_name": ids, "job_family": "A", "active": active})
    tasks = pl.DataFrame({"job_id": ids, "task": ids, "weekly_hours": [float(3 + 2 * i) for i in range(len(rows))]})
    people = [
        {"job_id": job_id, "country": COUNTRIES[i // 2], "band": BANDS[i % 2], "headcount": people}
        for job_id, (_, counts) in zip(ids, rows, strict=True)
        for i, people in enumerate(counts)
        if people is not None
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tpa.TpAnalyticsWarning)  # some jobs have no people
        return tpa.assign_people(tpa.from_frames(tasks, jobs), pl.DataFrame(people), by=["country", "band"])


def truth(profiles: tpa.TaskProfiles, by: Sequence[str]) -> dict[tuple[str, ...], float]:
    table = pl.DataFrame(tpa.hours(profiles, by=list(by), weight="headcount"))
    return {row[:-1]: row[-1] for row in table.select(*by, "headcount_hours").iter_rows()}


def find_revealed_groups(profiles: tpa.TaskProfiles, first: str, second: str) -> set[tuple[str, str]]:
    """Return the suppressed groups by one column whose figure follows from the released tables."""
    cells = sorted(truth(profiles, [first, second]))
    equations: list[Any] = []
    hidden: list[tuple[tuple[str, str], Any]] = []
    for by in ([], [first], [second], [first, second]):
        table = tpa.suppress(tpa.hours(profiles, by=by or None, weight="headcount"), profiles)
        for row in table.iter_rows(named=True):
            position = {first: 0, second: 1}
            parts = np.array([float(all(cell[position[name]] == row[name] for name in by)) for cell in cells])
            if row["reason"] != SUPPRESSED:
                equations.append(parts)
            elif len(by) == 1 and parts.any():  # a group without people has no figure
                hidden.append(((by[0], row[by[0]]), parts))
    known = np.array(equations).reshape(-1, len(cells))
    rank = np.linalg.matrix_rank(known) if known.size else 0
    return {group for group, parts in hidden if np.linalg.matrix_rank(np.vstack([known, parts])) == rank}


@pytest.mark.parametrize("columns", [("country", "active"), ("country", "band"), ("band", "active")])
@hypothesis.given(rows=companies)
def test_tables_by_two_columns_do_not_reveal_groups_by_one(
    columns: tuple[str, str], rows: list[tuple[bool, list[int | None]]]
) -> None:
    hypothesis.assume(any(people is not None for _, counts in rows for people in counts))
    assert find_revealed_groups(with_cache(company(rows)), *columns) == set()


JOB_TABLES = ("job_family", "job_id", ["active", "job_id"], ["country", "job_id"], ["country", "band", "job_id"])


@hypothesis.given(rows=companies)
def test_tables_by_job_do_not_reveal_few_people(rows: list[tuple[bool, list[int | None]]]) -> None:
    hypothesis.assume(any(people is not None for _, counts in rows for people in counts))
    profiles = with_cache(company(rows))
    jobs = profiles.jobs.select("job_id", "job_family", pl.col("active").cast(pl.String))
    people = profiles.people.join(jobs, on="job_id").sort("job_id", "country", "band")  # type: ignore[union-attr]
    equations = []
    for by in JOB_TABLES:
        table = pl.DataFrame(tpa.suppress(tpa.hours(profiles, by=by, weight="headcount"), profiles))
        for row in table.filter(pl.col("headcount_hours").is_not_null()).iter_rows(named=True):
            keys = [by] if isinstance(by, str) else by
            equations.append(people.select(pl.all_horizontal(pl.col(key) == row[key] for key in keys)).to_series())
    known = np.array([parts.to_numpy() for parts in equations], dtype=float).reshape(-1, people.height)
    rank = np.linalg.matrix_rank(known) if known.size else 0
    for keys in (["job_id"], ["job_id", "country"], ["job_id", "country", "band"]):
        for row in people.group_by(keys).agg(pl.col("headcount").sum()).filter(pl.col("headcount") < 5).to_dicts():
            few = people.select(pl.all_horizontal(pl.col(key) == row[key] for key in keys)).to_series().to_numpy()
            assert np.linalg.matrix_rank(np.vstack([known, few.astype(float)])) > rank, row
