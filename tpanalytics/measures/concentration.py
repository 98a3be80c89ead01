"""Concentration of weekly hours on a few tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import ALL_JOBS, BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.task_identity import DIGITS, task_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.task_identity import TaskMatrix
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["concentration", "concentration_curve"]

_MOST_HOURS, _TOP = 0.8, 10
#: Number of steps to divide a curve's length and slope into, keeping one point per step.
_STEPS = 95


@cached
def concentration(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute how concentrated each job family's hours are on a few tasks.

    Missing hours are excluded, not counted as zero. Tasks with 0 hours are included.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` from `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. A job counts once in every group that has it, so groups by a column of people or tasks overlap. With a
        column of tasks, these are the groups where it has such a task. Jobs without people are in a group such as
        ``(no country)``.
    same_task
        Match tasks by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are compared. The
        hours of matching rows are added up.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group in `jobs`, sorted by name with missing values last. Each task counts once per group, with
        hours summed over the group's jobs (one incumbent per job).

        =======================  =======  ===================================================================
        ``job_family``           String   the columns in `by`
        ``tasks_with_hours``     UInt32   distinct tasks with known hours
        ``tasks_without_hours``  UInt32   distinct tasks without known hours
        ``hours``                Float64  known hours per week; null if none are known
        ``gini``                 Float64  Gini index, 0 if all tasks have equal hours; null below 2 tasks
        ``gini_corrected``       Float64  ``gini * n / (n - 1)``, 1 if one of n tasks has all hours
        ``hhi``                  Float64  sum of the squared shares of hours, 1/n to 1
        ``hhi_normalised``       Float64  ``hhi`` scaled to 0 to 1; null below 2 tasks
        ``effective_tasks``      Float64  ``1 / hhi``, number of tasks with equal hours and this ``hhi``
        ``tasks_for_80``         UInt32   minimum number of tasks with 80% of the hours
        ``share_of_top_10``      Float64  share of hours in the 10 tasks with the most hours, 0 to 1
        ``reason``               String   why figures are null: ``NO_TASKS``, ``NO_HOURS`` (none known, or
                                          all 0) or ``TOO_FEW``
        =======================  =======  ===================================================================

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
    For n hours x in ascending order: ``gini = 2 Σ i·x_i / (n Σ x) - (n + 1) / n``. For shares s: ``hhi = Σ s²``
    (Herfindahl and Hirschman) and ``hhi_normalised = (hhi - 1/n) / (1 - 1/n)``.

    Examples
    --------
    >>> from tpanalytics import concentration, load_sample
    >>> table = concentration(load_sample())
    >>> table.select("job_family", "tasks_with_hours", pl.col("gini").round(3), "tasks_for_80").row(0)
    ('Customer Service', 116, 0.467, 55)
    """
    matrix = task_matrix(profiles, states, same_task, by=by)
    groups = matrix.reduced.groups
    return attach_metadata(
        groups.named(_figures(matrix)),
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="concentration",
            value=f"concentration of {groups.a_group}'s known hours on its tasks",
            unit="index, 0 to 1",
            basis="hours",
            policy=(
                f"Each task counts once per {groups.noun}, with its hours in all jobs, for one incumbent of each job.",
                "Missing hours are excluded, not counted as zero.",
            ),
            warnings=matrix.warnings,
        ),
    )


def _figures(matrix: TaskMatrix) -> pl.DataFrame:
    hours, count = pl.col("hours"), pl.col("n")
    several = (count > 1) & (hours > 0)
    gini = (2 * pl.col("moment") / (count * hours) - (count + 1) / count).clip(0.0, 1.0)
    counts = ("tasks_with_hours", "tasks_without_hours")
    return (
        matrix.reduced.groups.table.select("group")
        .join(_sums(matrix.rows, matrix.reduced.jobs), on="group", how="left", maintain_order="left")
        .with_columns(gini=pl.when(several).then(gini))
        .select(
            "group",
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
    """Compute the sums behind each family's figures."""
    by_key = (
        rows.join(jobs.select("job", "group"), on="job", how="left", maintain_order="left")
        .group_by("group", "key", maintain_order=True)
        .agg(hours=known_sum("hours"))
        .sort("group", "hours", "key")
    )
    x, n = pl.col("hours").drop_nulls(), pl.col("hours").count()
    total = x.sum()
    rank = pl.int_range(1, n + 1)
    descending = x.sort(descending=True)
    reached = descending.cum_sum() >= (_MOST_HOURS - 1e-12) * total
    return (
        by_key.group_by("group", maintain_order=True)
        .agg(
            tasks_with_hours=n,
            tasks_without_hours=pl.col("hours").null_count(),
            hours=known_sum("hours"),
            moment=(rank * x).sum(),
            hhi=pl.when(total > 0).then(((x / total) ** 2).sum()),
            tasks_for_80=reached.arg_true().first() + 1,
            top=descending.head(_TOP).sum(),
        )
        .with_columns(n=pl.col("tasks_with_hours").cast(pl.Float64))
    )


@cached
def concentration_curve(
    profiles: TaskProfiles,
    *,
    by: By = None,
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return the cumulative share of hours over tasks, for all hours and for H1 hours.

    Tasks are sorted by hours in descending order. The curve for highly automatable (H1) hours only includes tasks at
    that level. Missing hours are excluded, not counted as zero.

    Parameters
    ----------
    profiles
        Task profiles with the columns used by `concentration`.
    by
        Columns of the jobs, people or tasks to group by, or None for all jobs together. With a column of the people, a
        job counts in each of its groups. With a column of the tasks, a group has the tasks of that group.
    same_task
        Match tasks by ``"id"`` or by ``"text"``, as in `concentration`.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        The points of both curves of each group, with ``all`` first, sorted by ``k``. The columns in `by` come first.
        Each task counts once per group, with hours summed over the group's jobs (one incumbent per job). Long curves
        are reduced to fewer than 200 points. The line through these points deviates from the full curve by less than
        0.0002 of the curve's height.

        =======================  =======  ===================================================================
        ``part``                 String   ``all``, or ``H1`` for highly automatable hours
        ``k``                    UInt32   number of tasks, most hours first
        ``share_of_tasks``       Float64  share of the tasks with known hours, 0 to 1
        ``share_of_hours``       Float64  share of the known hours, 0 to 1
        ``tasks_with_hours``     UInt32   distinct tasks with known hours in this part
        ``tasks_without_hours``  UInt32   distinct tasks without known hours in this part
        ``tasks_for_80``         UInt32   minimum number of tasks with 80% of the hours; always one of the points
        =======================  =======  ===================================================================

        If all of a part's hours are unknown or 0, the part has a single row with only the task counts.

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
    Between two adjacent points, the full curve is either straight, or it turns by less than one degree and covers at
    most 1% of the total length.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> curve = concentration_curve(load_sample())
    >>> curve.group_by("part", maintain_order=True).last().select("part", "k", "tasks_for_80").rows()
    [('all', 1034, 561), ('H1', 325, 169)]
    """
    matrix = task_matrix(profiles, states, same_task, by=by)
    groups = matrix.reduced.groups
    names = groups.table.select("group") if groups.columns.by else pl.DataFrame({"group": [ALL_JOBS]})
    rows = matrix.rows.join(matrix.reduced.jobs.select("job", "group"), on="job", how="left", maintain_order="left")
    parts = {"all": rows, "H1": rows.filter(level="H1")}
    curves = pl.concat([_curve(name, rows, names) for name, rows in parts.items()])
    order = names.with_row_index("order")
    result = curves.join(order, on="group", maintain_order="left").sort("order", maintain_order=True).drop("order")
    each = f" per {groups.noun}" if groups.columns.by else ""
    return attach_metadata(
        groups.named(result),
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="concentration_curve",
            value="share of the known hours of the k tasks with most hours",
            unit="share, 0 to 1",
            basis="hours",
            numerator="known hours of the k tasks with most hours",
            denominator="known hours of all tasks, or known H1 hours",
            policy=(
                f"Each task counts once{each}, with its hours in all jobs, for one incumbent of each job.",
                "Missing hours are excluded, not counted as zero.",
            ),
            warnings=matrix.warnings,
        ),
    )


def _curve(part: str, rows: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return the points of each group's curve, or a row with the task counts if there are no hours."""
    by_key = rows.group_by("group", "key").agg(hours=known_sum("hours"))
    known = by_key.drop_nulls("hours").sort(
        "group", pl.col("hours").round(DIGITS), "key", descending=[False, True, False]
    )
    n, total = pl.len().over("group"), pl.col("hours").sum().over("group")
    points = known.with_columns(
        k=pl.int_range(1, pl.len() + 1).over("group"), share=pl.col("hours").cum_sum().over("group") / total
    ).select(
        "group",
        "k",
        share_of_tasks=pl.col("k") / n,
        share_of_hours=pl.col("share").clip(upper_bound=1.0),
        slope_step=((pl.col("hours") * n / total).arctan() * (_STEPS * 2 / math.pi)).round(DIGITS).floor(),
        tasks_for_80=pl.col("k").filter(pl.col("share") >= _MOST_HOURS - 1e-12).min().over("group"),
        measured=total > 0,
    )
    length = ((pl.col("share_of_tasks") + pl.col("share_of_hours")) * (_STEPS / 2)).round(DIGITS).floor()
    is_last = [
        (pl.col(step) != pl.col(step).shift(-1).over("group")).fill_null(value=True)
        for step in ("length_step", "slope_step")
    ]
    selected = points.filter("measured").with_columns(length_step=length)
    selected = selected.filter(pl.any_horizontal(is_last) | (pl.col("k") == pl.col("tasks_for_80")))
    counts = by_key.group_by("group").agg(
        tasks_with_hours=pl.col("hours").count(), tasks_without_hours=pl.col("hours").null_count()
    )
    return (
        groups.join(counts, on="group", how="left", maintain_order="left")
        .join(selected, on="group", how="left", maintain_order="left_right")
        .select(
            "group",
            pl.lit(part).alias("part"),
            pl.col("k").cast(pl.UInt32),
            *("share_of_tasks", "share_of_hours"),
            *(pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("tasks_with_hours", "tasks_without_hours")),
            pl.col("tasks_for_80").cast(pl.UInt32),
        )
    )
