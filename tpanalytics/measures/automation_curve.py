"""Cumulative hours and relieved jobs as tasks are automated one by one."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.formatting import plural
from tpanalytics.measures._core.aggregate import family_or_none
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_whole
from tpanalytics.measures._core.groups import group_columns
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.scenario import CAPACITY_NOTE
from tpanalytics.measures._core.staff import STAFF
from tpanalytics.measures._core.task_identity import DIGITS, task_matrix
from tpanalytics.measures.automation_candidates import (
    Candidates,
    exclusion_notes,
    find_candidates,
    suppress_small_groups,
    with_weight,
)
from tpanalytics.measures.privacy.policy import check_privacy
from tpanalytics.typing import StaffWeight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["automation_curve"]

_TOLERANCE = 10**-DIGITS


@cached
def automation_curve(
    profiles: TaskProfiles,
    *,
    weight: StaffWeight = "hours",
    block_hours: float | None = None,
    same_task: SameTask = "id",
    top: int | None = None,
    states: Sequence[str] | None = None,
    privacy: Privacy | None = None,
) -> pl.DataFrame:
    """Return the cumulative H1 hours, or the jobs relieved, as tasks are automated one by one.

    Tasks come from `automation_candidates`. Each is automated for every job that has it. Missing hours are excluded,
    not counted as zero, so the curve is a lower bound. Tasks with a contested level are not on the curve but still
    count in the denominator, so shares may not reach 1.

    Parameters
    ----------
    profiles
        Task profiles with the columns used by `automation_candidates`. Contract hours are not needed.
    weight
        ``"hours"`` counts each job once. ``"headcount"`` multiplies each job's hours by its people and ``"fte"`` by its
        full-time equivalents, excluding jobs without them.
    block_hours
        Smallest useful block of hours per person and week, such as 4. If set, tasks are sorted by how soon they free
        such blocks, and the curve ends when no further task adds hours to a block. If None, tasks are sorted by hours.
    same_task
        Match tasks by ``"id"`` or by ``"text"``, as in `automation_candidates`.
    top
        Maximum number of tasks to return. If None, all tasks are returned.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
    privacy
        Suppress tasks that involve fewer jobs or people than these limits. If None, no tasks are suppressed.

    Returns
    -------
    pl.DataFrame
        One row per task, in order of automation. Ties are sorted by ``task_key``. Hours are per week.

        ========================  =======  ==============================================================
        ``k``                     UInt32   number of tasks automated so far
        ``task_key``              String   task id or normalised text, depending on `same_task`
        ``task``                  String   task text
        ``jobs``                  UInt32   jobs with known H1 hours for the task
        ``jobs_cumulative``       UInt32   jobs with known H1 hours for any of the first ``k`` tasks
        ``h1_hours``              Float64  known H1 hours
        ``h1_hours_cumulative``   Float64  known H1 hours of the first ``k`` tasks
        ``share_cumulative``      Float64  share of all known H1 hours, 0 to 1; null if these are 0
        ``basis``                 String   the `weight`
        ========================  =======  ==============================================================

        If `block_hours` is set, the result also has these columns:

        ========================  =======  ==============================================================
        ``block_hours_filled``    Float64  hours of the first ``k`` tasks that count towards a block
        ``jobs_relieved``         UInt32   jobs where the first ``k`` tasks free at least one block
        ``share_relieved``        Float64  share of the jobs with known H1 hours for any candidate, 0 to 1
        ========================  =======  ==============================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Notes
    -----
    Let s be the block size in hours, S a set of tasks, and N the people or full-time equivalents (or 1). Each step adds
    the task with the largest increase in ``f(S) = Σ_j N_j · min(s, Σ_{k in S} h_jk)``. For any number of tasks, this
    greedy algorithm reaches at least ``1 - 1/e`` of the optimum (Nemhauser, Wolsey and Fisher, 1978, *An analysis of
    approximations for maximizing submodular set functions*). This guarantee does not apply to ``jobs_relieved``.

    Examples
    --------
    >>> from tpanalytics import automation_curve, load_sample
    >>> curve = automation_curve(load_sample(), top=10)
    >>> curve.select("k", "jobs", "h1_hours", "h1_hours_cumulative", pl.col("share_cumulative").round(3)).rows()[::9]
    [(1, 15, 28.5, 28.5, 0.016), (10, 7, 17.0, 210.25, 0.117)]
    """
    check_choice("weight", weight, StaffWeight)
    block = None if block_hours is None else _checked_block(block_hours)
    if top is not None:
        check_whole("top", top, least=1)
    check_privacy(privacy)
    matrix = with_weight(task_matrix(profiles, states, same_task, by=family_or_none(profiles)), weight)
    candidates = suppress_small_groups(find_candidates(matrix, weight)[0], profiles, matrix, weight, privacy)
    table = candidates.table.filter(pl.col("h1_hours").is_not_null()).with_row_index("order")
    amounts = candidates.amounts.join(table.select("key", "order"), on="key", maintain_order="left").sort(
        "order", "job"
    )
    curve = table if block is None else _greedy(table, amounts, block, top)
    counts = amounts.group_by("order").agg(jobs=pl.len().cast(pl.UInt32))
    served = (
        amounts.join(curve.select("order").with_row_index("place"), on="order")
        .group_by("job")
        .agg(pl.col("place").min())
        .group_by("place")
        .agg(newly_served=pl.len())
    )
    cumulative = pl.col("h1_hours").cum_sum()
    block_columns = [] if block is None else ["block_hours_filled", "jobs_relieved", "share_relieved"]
    result = (
        curve.drop("jobs")
        .with_row_index("place")
        .join(counts, on="order", how="left", maintain_order="left")
        .join(served, on="place", how="left", maintain_order="left")
        .select(
            pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("k"),
            *("task_key", "task", "jobs"),
            pl.col("newly_served").fill_null(0).cum_sum().cast(pl.UInt32).alias("jobs_cumulative"),
            "h1_hours",
            h1_hours_cumulative=cumulative,
            share_cumulative=cumulative / candidates.total if candidates.total else pl.lit(None, dtype=pl.Float64),
            basis=pl.lit(weight),
            **{name: pl.col(name) for name in block_columns},
        )
        .head(curve.height if top is None else top)
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            columns=group_columns(profiles, None),
            staffed=weight in STAFF,
            measure="automation_curve",
            value="known H1 hours of the first k tasks" + ("" if block is None else ", and jobs they relieve"),
            unit="hours per week",
            basis=weight,
            numerator="known H1 hours of the first k tasks",
            denominator="all known H1 hours",
            policy=(
                CAPACITY_NOTE,
                _order_note(block),
                *exclusion_notes(candidates),
                *_without_hours(candidates),
            ),
            warnings=matrix.warnings,
        ),
    )


def _checked_block(block_hours: Any) -> float:
    number = isinstance(block_hours, (int, float)) and not isinstance(block_hours, bool)
    if not number or not math.isfinite(block_hours) or block_hours <= 0:
        raise ArgumentError(
            f"`block_hours` must be above 0 and finite (hours per person and week), or None, not {block_hours!r}."
        )
    return float(block_hours)


def _order_note(block: float | None) -> str:
    if block is None:
        return "Tasks are sorted by known H1 hours."
    return (
        f"Each next task adds the most hours to blocks of {block:g} hours per person and week. This greedy order is "
        "not always the best set of tasks."
    )


def _without_hours(candidates: Candidates) -> tuple[str, ...]:
    n = candidates.table.get_column("h1_hours").null_count()
    return (f"{plural(n, 'task')} without known H1 hours {'is' if n == 1 else 'are'} not on the curve.",) if n else ()


def _greedy(table: pl.DataFrame, amounts: pl.DataFrame, block: float, top: int | None) -> pl.DataFrame:
    """Sort the tasks greedily. Each step picks the task that adds the most hours to the blocks."""
    jobs = amounts.get_column("job").unique().sort()
    index, hours, staff = jobs.search_sorted(amounts.get_column("job")), amounts["hours"], amounts["staff"]
    missing = pl.Series([block], dtype=pl.Float64).new_from_index(0, jobs.len())
    first_rows = (
        amounts.with_row_index("first")
        .group_by("order")
        .agg(
            pl.col("first").min(),
            rows=pl.len(),
            gain=(pl.min_horizontal("hours", pl.lit(block)) * pl.col("staff")).sum().round(DIGITS),
        )
        .sort("order")
    )
    slices = {order: (first, rows) for order, first, rows, _ in first_rows.rows()}
    heap = [(-gain, order) for order, _, _, gain in first_rows.rows() if gain > 0]
    heapq.heapify(heap)
    chosen: list[tuple[int, float, int]] = []
    filled, relieved = 0.0, 0
    while heap and len(chosen) < (top or len(slices)):
        _, order = heapq.heappop(heap)
        task_jobs, task_hours = index.slice(*slices[order]), hours.slice(*slices[order])
        missing_before = missing.gather(task_jobs)
        added = missing_before.zip_with(missing_before < task_hours, task_hours)
        gain = float((added * staff.slice(*slices[order])).sum())
        if gain <= _TOLERANCE:
            continue
        if heap and (-round(gain, DIGITS), order) > heap[0]:
            heapq.heappush(heap, (-round(gain, DIGITS), order))
            continue
        missing_after = missing_before - added
        relieved += int(((missing_after <= _TOLERANCE) & (missing_before > _TOLERANCE)).sum())
        missing = missing.scatter(task_jobs, missing_after)
        filled += gain
        chosen.append((order, filled, relieved))
    steps = pl.DataFrame(
        chosen,
        schema={"order": pl.UInt32, "block_hours_filled": pl.Float64, "jobs_relieved": pl.UInt32},
        orient="row",
    )
    return steps.join(table, on="order", how="left", maintain_order="left").with_columns(
        share_relieved=pl.col("jobs_relieved") / max(jobs.len(), 1)
    )
