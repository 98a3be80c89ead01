"""Whether few tasks carry most of the hours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import families_in_order, known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.task_identity import DIGITS, task_matrix
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["concentration", "concentration_curve"]

_MOST, _TOP = 0.8, 10
#: Parts of the curve's length, and of its turn from upright to flat; a point stands where one of them changes.
_PARTS = 95


@cached
def concentration(
    profiles: TaskProfiles, *, same_task: SameTask = "id", states: Sequence[str] = COUNTED_STATES
) -> pl.DataFrame:
    """Say per job family how unevenly its hours lie on its tasks, and how many tasks matter.

    Tasks without known hours are left out and counted; they are not zero. Tasks of zero hours stay.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs`, and ``job_id, task_id, task, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) of `tasks`.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. Rows of one job
        that are the same task are one task, by the rule of `_core.task_identity`.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, by name, ``(no family)`` last. A task counts once, with its hours in all jobs of
        the family, for one incumbent of each.

        =======================  =======  ===================================================================
        ``job_family``           String   the family
        ``tasks_with_hours``     UInt32   different tasks with known hours
        ``tasks_without_hours``  UInt32   different tasks none of whose hours are known
        ``hours``                Float64  known hours per week; null where none are known
        ``gini``                 Float64  0: all tasks alike, towards 1: one has all; null below 2 tasks
        ``gini_corrected``       Float64  times ``n / (n - 1)``: 1 where one of n tasks has all the hours
        ``hhi``                  Float64  sum of the squared shares of hours, 1/n to 1
        ``hhi_normalised``       Float64  the same from 0 to 1; null below 2 tasks
        ``effective_tasks``      Float64  ``1 / hhi``: so many tasks of equal hours would be as concentrated
        ``tasks_for_80``         UInt32   fewest tasks that hold 80 % of the hours
        ``share_of_top_10``      Float64  share of hours in the 10 tasks with most, 0 to 1
        ``reason``               String   why there are null figures: a word of
                                          `metadata.NONE_BECAUSE`
        =======================  =======  ===================================================================

        Where all hours are 0 there is nothing to share out, and the reason is ``NO_HOURS``.

    Raises
    ------
    SchemaError
        If a column is missing, or `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    With hours x in ascending order, i from 1 to n: ``gini = 2 Σ i·x_i / (n Σ x) - (n + 1) / n``, and with shares s:
    ``hhi = Σ s²`` (Herfindahl and Hirschman), ``hhi_normalised = (hhi - 1/n) / (1 - 1/n)``.

    Examples
    --------
    >>> from tpanalytics import concentration, load_sample
    >>> found = concentration(load_sample())
    >>> found.select("job_family", "tasks_with_hours", pl.col("gini").round(3), "tasks_for_80").row(0)
    ('Customer Service', 116, 0.467, 55)
    """
    matrix = task_matrix(profiles, states, same_task)
    result = _figures(matrix.rows, matrix.reduced.jobs)
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="concentration",
            value="how unevenly a family's known hours lie on its tasks",
            unit="index, 0 to 1",
            basis="hours",
            policy=(
                "A task counts once per family, with its hours in all jobs, for one incumbent of each.",
                "Tasks without known hours are left out and counted; they are not zero.",
            ),
            warnings=matrix.warnings,
        ),
    )


def _figures(rows: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
    """Compute the measures of concentration by family."""
    hours, count = pl.col("hours"), pl.col("n")
    several = (count > 1) & (hours > 0)
    gini = (2 * pl.col("moment") / (count * hours) - (count + 1) / count).clip(0.0, 1.0)
    counts = ("tasks_with_hours", "tasks_without_hours")
    return (
        families_in_order(jobs)
        .join(_sums(rows, jobs), on="job_family", how="left", maintain_order="left")
        .with_columns(gini=pl.when(several).then(gini))
        .select(
            "job_family",
            *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts),
            "hours",
            "gini",
            (pl.col("gini") * count / (count - 1)).clip(upper_bound=1.0).alias("gini_corrected"),
            "hhi",
            pl.when(several)
            .then(((pl.col("hhi") - 1 / count) / (1 - 1 / count)).clip(0.0, 1.0))
            .alias("hhi_normalised"),
            (1 / pl.col("hhi")).alias("effective_tasks"),
            pl.when(hours > 0).then(pl.col("tasks_for_80")).cast(pl.UInt32).alias("tasks_for_80"),
            share_of(pl.col("top"), hours).clip(upper_bound=1.0).alias("share_of_top_10"),
            pl.when(count.is_null())
            .then(pl.lit("NO_TASKS"))
            .when(hours.is_null() | (hours == 0))
            .then(pl.lit("NO_HOURS"))
            .when(count == 1)
            .then(pl.lit("TOO_FEW"))
            .alias("reason"),
        )
    )


def _sums(rows: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
    """Add up by family what the measures of concentration are made of."""
    by_key = (
        rows.join(jobs.select("job", "job_family"), on="job", how="left", maintain_order="left")
        .group_by("job_family", "key", maintain_order=True)
        .agg(hours=known_sum("hours"))
        .sort("job_family", "hours", "key")
    )
    x, n = pl.col("hours").drop_nulls(), pl.col("hours").count()
    total = x.sum()
    place = pl.int_range(1, n + 1)
    most_first = x.sort(descending=True)
    reached = most_first.cum_sum() >= (_MOST - 1e-12) * total
    return (
        by_key.group_by("job_family", maintain_order=True)
        .agg(
            tasks_with_hours=n,
            tasks_without_hours=pl.col("hours").null_count(),
            hours=known_sum("hours"),
            moment=(place * x).sum(),
            hhi=pl.when(total > 0).then(((x / total) ** 2).sum()),
            tasks_for_80=reached.arg_true().first() + 1,
            top=most_first.head(_TOP).sum(),
        )
        .with_columns(n=pl.col("tasks_with_hours").cast(pl.Float64))
    )


@cached
def concentration_curve(
    profiles: TaskProfiles, *, same_task: SameTask = "id", states: Sequence[str] = COUNTED_STATES
) -> pl.DataFrame:
    """Say how much of the hours the k tasks with most hold, for every k: for all work, and for the part at H1.

    The curve of all work and that of its highly automatable (H1) part are each over their own tasks. Tasks without
    known hours are left out and counted; they are not zero.

    Parameters
    ----------
    profiles
        Reads what `concentration` reads.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. Rows of one job
        that are the same task are one task, by the rule of `_core.task_identity`.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        Points of the two curves, ``all`` first, each from most hours to least, from its first task to its last. A task
        counts once, with its hours in all jobs, for one incumbent of each. Of thousands of tasks fewer than 200 points
        are given, so chosen that the line through them leaves the curve by less than 0.0002 of its height.

        =======================  =======  ===================================================================
        ``part``                 String   ``all``, or ``H1``: hours rated so
        ``k``                    UInt32   how many tasks, those with most hours
        ``share_of_tasks``       Float64  their share of the part's tasks with known hours, 0 to 1
        ``share_of_hours``       Float64  their share of its hours, 0 to 1
        ``tasks_with_hours``     UInt32   different tasks of the part with known hours
        ``tasks_without_hours``  UInt32   different tasks of it none of whose hours are known
        ``tasks_for_80``         UInt32   fewest tasks that hold 80 % of its hours; there is a point for it
        =======================  =======  ===================================================================

        A part whose hours are all unknown, or 0, has one row: null but for the counts of tasks.

    Raises
    ------
    SchemaError
        If a column is missing, or `same_task` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    Between two points the curve turns by less than a degree and is no longer than a hundredth of its whole length, or
    it is straight.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> curve = concentration_curve(load_sample())
    >>> curve.group_by("part", maintain_order=True).last().select("part", "k", "tasks_for_80").rows()
    [('all', 1034, 561), ('H1', 325, 169)]
    """
    matrix = task_matrix(profiles, states, same_task)
    parts = {"all": matrix.rows, "H1": matrix.rows.filter(level="H1")}
    result = pl.concat([_curve(name, rows) for name, rows in parts.items()])
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="concentration_curve",
            value="share of the known hours that the k tasks with most hold",
            unit="share, 0 to 1",
            basis="hours",
            numerator="known hours of the k tasks with most",
            denominator="known hours of all tasks, or of those at H1",
            policy=(
                "A task counts once, with its hours in all jobs, for one incumbent of each.",
                "Tasks without known hours are left out and counted; they are not zero.",
            ),
            warnings=matrix.warnings,
        ),
    )


def _curve(part: str, rows: pl.DataFrame) -> pl.DataFrame:
    by_key = rows.group_by("key").agg(hours=known_sum("hours"))
    known = by_key.drop_nulls("hours").sort(pl.col("hours").round(DIGITS), "key", descending=[True, False])
    n, total = known.height, float(known.get_column("hours").sum())
    share = pl.col("hours").cum_sum() / total
    points = known.select(
        k=pl.int_range(1, pl.len() + 1),
        share_of_tasks=pl.int_range(1, pl.len() + 1) / max(n, 1),
        share_of_hours=share.clip(upper_bound=1.0),
        turn=((pl.col("hours") * n / total).arctan() * (_PARTS * 2 / math.pi)).round(DIGITS).floor(),
    )
    most = points.filter(pl.col("share_of_hours") >= _MOST - 1e-12).get_column("k")
    last = points.with_columns(
        at=((pl.col("share_of_tasks") + pl.col("share_of_hours")) * (_PARTS / 2)).round(DIGITS).floor(),
    ).filter(
        (pl.col("at") != pl.col("at").shift(-1)).fill_null(value=True)
        | (pl.col("turn") != pl.col("turn").shift(-1))
        | (pl.col("k") == (most[0] if most.len() else 0))
    )
    if not total:
        nothing = [pl.lit(None, dtype=kind).alias(name) for name, kind in last.schema.items()]
        last = pl.DataFrame({"part": [part]}).select(nothing)
    return last.select(
        pl.lit(part).alias("part"),
        pl.col("k").cast(pl.UInt32),
        *("share_of_tasks", "share_of_hours"),
        tasks_with_hours=pl.lit(n, dtype=pl.UInt32),
        tasks_without_hours=pl.lit(by_key.height - n, dtype=pl.UInt32),
        tasks_for_80=pl.lit(most[0] if most.len() and total else None, dtype=pl.UInt32),
    )
