"""How far each next automation carries, if each task is automated once for all jobs that have it."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.task_identity import DIGITS, task_matrix
from tpanalytics.measures.automation_candidates import Candidates, candidates_of, checked_people, left_out, without_few
from tpanalytics.measures.privacy.policy import check_privacy
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures.privacy.policy import Privacy
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask, StaffWeight

__all__ = ["automation_curve"]

_NOTHING = 10**-DIGITS


@cached
def automation_curve(
    profiles: TaskProfiles,
    *,
    weight: StaffWeight = "hours",
    block_hours: float | None = None,
    same_task: SameTask = "id",
    top: int | None = None,
    states: Sequence[str] = COUNTED_STATES,
    privacy: Privacy | None = None,
) -> pl.DataFrame:
    """Say how many highly automatable (H1) hours the first k tasks hold together, or how many jobs they relieve.

    Tasks are those of `automation_candidates`. Only known hours count: what has no hours is not zero, it is not on the
    curve, and the curve is the least it can be. Tasks on whose level jobs disagree are not on it either, but their
    hours are in the whole, so that the shares may end below 1.

    Parameters
    ----------
    profiles
        Reads what `automation_candidates` reads, without contract hours.
    weight
        ``"hours"`` adds up the hours of one incumbent of each job; ``"headcount"`` hours times the job's headcount,
        leaving out jobs whose headcount is not known.
    block_hours
        The smallest block of hours per person and week that is of use, like 4; tasks are then put in the order that
        relieves jobs by it soonest, and the curve ends where no further task helps. None puts most hours first. There
        is no default block, because it is an assumption.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. Rows of one job
        that are the same task are one task, by the rule of `_core.task_identity`.
    top
        End after so many tasks; None goes on to the last.
    states
        Validation states that count.
    privacy
        As for `automation_candidates`.

    Returns
    -------
    pl.DataFrame
        One row per task, in the order in which to automate; ties by ``task_key``. Hours are per week.

        ========================  =======  ==============================================================
        ``k``                     UInt32   how many tasks are automated, this one included
        ``task_key``              String   the task's identity, by `same_task`
        ``task``                  String   its text
        ``jobs``                  UInt32   jobs with hours of it at H1
        ``jobs_cumulative``       UInt32   different jobs with hours of one of the first ``k`` tasks at H1
        ``h1_hours``              Float64  hours known at H1
        ``h1_hours_cumulative``   Float64  those of the first ``k`` tasks
        ``share_cumulative``      Float64  share of all hours known at H1, 0 to 1; null where those are 0
        ``basis``                 String   the `by`
        ========================  =======  ==============================================================

        With `block_hours` also:

        ========================  =======  ==============================================================
        ``block_hours_filled``    Float64  hours of the first ``k`` tasks that count towards a block
        ``jobs_relieved``         UInt32   jobs that the first ``k`` tasks relieve by a block or more
        ``share_relieved``        Float64  their share of the jobs with known hours of a candidate, 0 to 1
        ========================  =======  ==============================================================

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    With blocks of s hours, S the tasks chosen, and N the headcount or 1, each step takes the task that adds most to
    ``f(S) = Σ_j N_j · min(s, Σ_{k in S} h_jk)``. Taking the best next is within ``1 - 1/e`` of the best there is for
    each number of tasks, in f (Nemhauser, Wolsey and Fisher, 1978, *An analysis of approximations for maximizing
    submodular set functions*); of ``jobs_relieved`` nothing so sharp holds.

    Examples
    --------
    >>> from tpanalytics import automation_curve, load_sample
    >>> curve = automation_curve(load_sample(), top=10)
    >>> curve.select("k", "jobs", "h1_hours", "h1_hours_cumulative", pl.col("share_cumulative").round(3)).rows()[::9]
    [(1, 15, 28.5, 28.5, 0.016), (10, 7, 17.0, 210.25, 0.117)]
    """
    checked_people(profiles, weight)
    block = None if block_hours is None else _checked_block(block_hours)
    if top is not None:
        check_whole("top", top, least=1)
    check_privacy(privacy)
    matrix = task_matrix(profiles, states, same_task)
    found = without_few(candidates_of(matrix, weight)[0], profiles, matrix, weight, privacy)
    table = found.table.filter(pl.col("h1_hours").is_not_null()).with_row_index("order")
    amounts = found.amounts.join(table.select("key", "order"), on="key", maintain_order="left").sort("order", "job")
    curve = table if block is None else _greedy(table, amounts, block, top)
    counts = amounts.group_by("order").agg(jobs=pl.len().cast(pl.UInt32))
    served = (
        amounts.join(curve.select("order").with_row_index("place"), on="order")
        .group_by("job")
        .agg(pl.col("place").min())
        .group_by("place")
        .agg(new_jobs=pl.len())
    )
    cumulative = pl.col("h1_hours").cum_sum()
    extra = [] if block is None else ["block_hours_filled", "jobs_relieved", "share_relieved"]
    result = (
        curve.drop("jobs")
        .with_row_index("place")
        .join(counts, on="order", how="left", maintain_order="left")
        .join(served, on="place", how="left", maintain_order="left")
        .select(
            pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias("k"),
            *("task_key", "task", "jobs"),
            pl.col("new_jobs").fill_null(0).cum_sum().cast(pl.UInt32).alias("jobs_cumulative"),
            "h1_hours",
            h1_hours_cumulative=cumulative,
            share_cumulative=cumulative / found.total if found.total else pl.lit(None, dtype=pl.Float64),
            basis=pl.lit(weight),
            **{name: pl.col(name) for name in extra},
        )
        .head(curve.height if top is None else top)
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            staffed=weight == "headcount",
            measure="automation_curve",
            value="known hours at H1 of the first k tasks" + ("" if block is None else ", and jobs they relieve"),
            unit="hours per week",
            basis=weight,
            numerator="hours known at H1 of the first k tasks",
            denominator="all hours known at H1",
            policy=(
                "Exposure says what could change, not who leaves.",
                *_said_order(block),
                *left_out(found),
                *_without_hours(found),
            ),
            warnings=matrix.warnings,
        ),
    )


def _checked_block(block_hours: Any) -> float:
    number = isinstance(block_hours, (int, float)) and not isinstance(block_hours, bool)
    if not number or not math.isfinite(block_hours) or block_hours <= 0:
        raise SchemaError(
            f"block_hours={block_hours!r}: give the hours per person and week that are of use, above 0, like 4."
        )
    return float(block_hours)


def _said_order(block: float | None) -> tuple[str, ...]:
    if block is None:
        return ("Tasks with most hours known at H1 come first.",)
    return (
        (
            f"Each next task adds most hours towards a block of {block:g} hours per person and week in each job; the "
            "best next is not always the best set."
        ),
    )


def _without_hours(found: Candidates) -> tuple[str, ...]:
    lacking = found.table.get_column("h1_hours").null_count()
    return (f"{lacking:,} tasks without known hours at H1 are not on the curve.",) if lacking else ()


def _greedy(table: pl.DataFrame, amounts: pl.DataFrame, block: float, top: int | None) -> pl.DataFrame:
    """Put tasks in the order in which each next one fills most of what the jobs lack to a block."""
    jobs = amounts.get_column("job").unique().sort()
    at, hours, staff = jobs.search_sorted(amounts.get_column("job")), amounts["hours"], amounts["staff"]
    lacks = pl.Series([block], dtype=pl.Float64).new_from_index(0, jobs.len())
    firsts = (
        amounts.with_row_index("first")
        .group_by("order")
        .agg(
            pl.col("first").min(),
            rows=pl.len(),
            gain=(pl.min_horizontal("hours", pl.lit(block)) * pl.col("staff")).sum().round(DIGITS),
        )
        .sort("order")
    )
    where = {order: (first, rows) for order, first, rows, _ in firsts.rows()}
    heap = [(-gain, order) for order, _, _, gain in firsts.rows() if gain > 0]
    heapq.heapify(heap)
    chosen: list[tuple[int, float, int]] = []
    filled, relieved = 0.0, 0
    while heap and len(chosen) < (top or len(where)):
        _, order = heapq.heappop(heap)
        mine, longest = at.slice(*where[order]), hours.slice(*where[order])
        lacking = lacks.gather(mine)
        added = lacking.zip_with(lacking < longest, longest)
        gain = float((added * staff.slice(*where[order])).sum())
        if gain <= _NOTHING:
            continue
        if heap and (-round(gain, DIGITS), order) > heap[0]:
            heapq.heappush(heap, (-round(gain, DIGITS), order))
            continue
        left = lacking - added
        relieved += int(((left <= _NOTHING) & (lacking > _NOTHING)).sum())
        lacks = lacks.scatter(mine, left)
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
