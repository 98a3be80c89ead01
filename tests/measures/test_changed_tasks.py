"""The tasks that changed between two snapshots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis
import polars as pl
import pytest
from hypothesis import strategies as st

import tpanalytics as tpa
from tests.helpers.builders import close, one_job, task
from tests.helpers.random_profiles import profiles_of
from tests.helpers.snapshot_pairs import small_profiles
from tpanalytics.measures.changed_tasks import CHANGES
from tpanalytics.measures.compare import TERMS

if TYPE_CHECKING:
    from collections.abc import Sequence


@hypothesis.given(
    before=small_profiles,
    after=small_profiles,
    by=st.sampled_from(["job_family", "job_id", None, ("job_family", "validation_state")]),
    level=st.sampled_from(["H1", "H2"]),
    same_task=st.sampled_from(["id", "text"]),
)
def test_the_sums_by_group_equal_a_comparison(
    before: tpa.TaskProfiles,
    after: tpa.TaskProfiles,
    by: str | Sequence[str] | None,
    level: str,
    same_task: Any,
) -> None:
    how: Any = {"by": by, "level": level, "same_task": same_task}
    changed, compared = tpa.changed_tasks(before, after, **how), tpa.compare(before, after, **how)
    names = [by] if isinstance(by, str) else list(by or ())
    sums = {row[: len(names)]: row[len(names) :] for row in _sums(pl.DataFrame(changed), names).rows()}
    rows = compared.filter(scope="group" if names else "all")
    for row in rows.iter_rows(named=True):
        terms = sums.get(tuple(row[name] for name in names), (0.0,) * (len(TERMS) + 2))
        assert all(close(term, row[name] or 0.0) for term, name in zip(terms, TERMS, strict=False))
        assert terms[-2:] == (row["tasks_added"], row["tasks_removed"])
    assert set(changed.get_column("change")) <= set(CHANGES)
    own = ["job_id", "task_id" if same_task == "id" else "task"]
    assert not changed.select(
        pl.struct(*names, *(name for name in own if name not in names)).is_duplicated().any()
    ).item()


def _sums(changed: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    added, removed = ((pl.col("change") == name).sum().alias(f"n {name}") for name in ("added", "removed"))
    totals = [pl.col(TERMS).sum(), added, removed]
    return changed.group_by(names).agg(totals) if names else changed.select(totals)


def test_each_kind_of_change() -> None:
    before = one_job(
        task("H1", 2.0, key="same"),
        task("H1", 2.0, key="gone"),
        task("H2", 2.0, key="rated"),
        task("H2", 2.0, key="both"),
        task("H1", 2.0, key="longer"),
        task("H1", None, key="measured"),
        task(None, None, key="still unknown"),
    )
    after = one_job(
        task("H1", 2.0, key="same"),
        task("H1", 1.0, key="new"),
        task("H1", 2.0, key="rated"),
        task("H1", 4.0, key="both"),
        task("H1", 3.0, key="longer"),
        task("H1", 5.0, key="measured"),
        task(None, None, key="still unknown"),
    )
    table = tpa.changed_tasks(before, after)
    assert table.columns[:5] == ["job_family", "job_id", "job_name", "task_id", "task"]
    columns = ("task_id", "change", "level_before", "level_after", "hours_before", "hours_after", *TERMS)
    assert table.select(columns).rows() == [
        ("new", "added", None, "H1", None, 1.0, 1.0, None, None, None, None),
        ("gone", "removed", "H1", None, 2.0, None, None, -2.0, None, None, None),
        ("rated", "re-rated", "H2", "H1", 2.0, 2.0, None, None, 2.0, 0.0, None),
        ("both", "re-rated, hours changed", "H2", "H1", 2.0, 4.0, None, None, 3.0, 1.0, None),
        ("longer", "hours changed", "H1", "H1", 2.0, 3.0, None, None, 0.0, 1.0, None),
        ("measured", "newly measured", "H1", "H1", None, 5.0, None, None, None, None, 5.0),
    ]
    assert table.select("task", "job_name").row(0) == ("Do new with care", "j000")
    assert "6 changed tasks: 1 added, 1 removed, 1 re-rated, 1 re-rated with hours changed, 1 hours changed, 1" in str(
        tpa.about(table)
    )


def test_groups_names_and_tasks_without_an_id() -> None:
    same = task("H1", 1.0, key="same")
    before, after = one_job(same, task("H1", 2.0, key=None)), one_job(same, task("H1", 5.0, key=None), family="B")
    row = tpa.changed_tasks(before, after).row(0, named=True)
    assert (row["job_family"], row["task_id"], row["task"], row["change"]) == ("B", None, None, "newly measured")
    assert row["newly_measured"] == 3.0
    by_job = tpa.changed_tasks(before, after, by="job_id")
    assert by_job.columns[:4] == ["job_id", "job_name", "task_id", "task"]
    assert tpa.changed_tasks(before, before).height == 0
    assert tpa.changed_tasks(profiles_of([]), profiles_of([])).height == 0


def test_no_term_is_a_negative_zero() -> None:
    before = one_job(task("H1", 0.0, key="gone"), task("H2", 5.0, key="shorter"), task("H1", 0.0, key="rated"))
    after = one_job(task("H2", 2.0, key="shorter"), task("H2", 0.0, key="rated"))
    table = tpa.changed_tasks(before, after)
    terms = [value for name in TERMS for value in table.get_column(name).drop_nulls()]
    assert terms == [0.0] * 5
    assert "-0.0" not in str(terms)


def test_tasks_are_matched_by_text_if_a_snapshot_has_no_ids() -> None:
    tasks = pl.DataFrame(
        {
            "job_id": ["1", "1", "1"],
            "task": ["Plan", "Report", "Archive"],
            "weekly_hours": [2.0, 3.0, 4.0],
            "ai_impact_level": ["H2", "H1", "H3"],
        }
    )
    before = tpa.from_frames(tasks)
    after = tpa.from_frames(tasks.with_columns(ai_impact_level=pl.Series(["H1", "H1", "H3"])))
    with_ids = replace(after, tasks=after.tasks.with_columns(task_id=pl.Series(["a", "b", "c"])))
    for later in (after, with_ids):
        changed = tpa.changed_tasks(before, later)
        assert changed.select("task", "change", "relevelled").rows() == [("Plan", "re-rated", 2.0)]
        assert "Tasks are matched by text, because ids are missing." in tpa.about(changed).warnings
        assert tpa.compare(before, later, by=None)["relevelled"].to_list() == [2.0]
        moves = tpa.transitions(before, later)
        assert moves.filter(move="relevelled")["tasks"].sum() == 1
        assert tpa.transitions(before, later, of="state").rows() == [("(no state)", "(no state)", 3, 1, 1.0)]
    both = with_ids, replace(with_ids, tasks=with_ids.tasks.reverse())
    assert tpa.changed_tasks(*both).height == 0
    assert "matched by text" not in str(tpa.about(tpa.changed_tasks(*both)))
    copy = pl.concat([tasks, tasks.with_columns(job_id=pl.lit("2"))])
    shared = tpa.shared_tasks(tpa.from_frames(copy))
    assert shared.height == 3
    assert "Tasks are matched by text, because ids are missing." in tpa.about(shared).warnings


def test_invalid_arguments() -> None:
    profiles = one_job(task())
    with pytest.raises(tpa.ArgumentError, match=r"`level` must be a level of the tasks \('H1'\), not 'H7'"):
        tpa.changed_tasks(profiles, profiles, level="H7")
    with pytest.raises(tpa.ArgumentError, match="`same_task` must be 'id' or 'text', not 'name'"):
        tpa.changed_tasks(profiles, profiles, same_task="name")  # type: ignore[arg-type]
