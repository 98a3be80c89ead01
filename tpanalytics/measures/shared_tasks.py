"""Which work several jobs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, level_agreement, per_task, task_matrix
from tpanalytics.schema import COUNTED_STATES, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["shared_tasks"]


@cached
def shared_tasks(
    profiles: TaskProfiles,
    *,
    same_task: SameTask = "id",
    min_jobs: int = 2,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """List the tasks that several jobs have, how far each reaches, and how much of the work it is.

    A task none of whose hours are known has null hours, not 0, and stays in the list. The meaning says what share of
    all known hours lies in tasks that two or more families have.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``headcount`` (full-time equivalents) of `jobs`, and ``job_id,
        task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. The same work in
        other words is not seen, so that what is shared is a lower bound. Rows of one job that are the same task are one
        task, by the rule of `_core.task_identity`.
    min_jobs
        List tasks of so many jobs or more.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per task, most jobs first, then most hours, then by ``task_key``. Hours are per week.

        ====================  =======  ================================================================
        ``task_key``          String   the task's identity, by `same_task`
        ``task``              String   its text; the first in order where there are several
        ``jobs``              UInt32   jobs that have it
        ``families``          UInt32   their job families
        ``tasks``             UInt32   tasks in these jobs
        ``tasks_with_hours``  UInt32   those with hours
        ``hours``             Float64  hours of one incumbent of each job; null where none are known
        ``share_of_hours``    Float64  share of all known hours, 0 to 1
        ``headcount``         Float64  full-time equivalents in the jobs that have a headcount; null where none has
        ``headcount_hours``   Float64  hours times headcount, over jobs that have both; null where none has
        ``levels``            String   levels it was given, H1 to H5, unknown ones, ``not assessed``
        ``level_agreement``   Float64  share of pairs of jobs with a level for it that gave it the same, 0 to 1; null
                                       where fewer than 2 did
        ``reason``            String   why ``hours`` is null: a word of `metadata.NONE_BECAUSE`
        ====================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample, shared_tasks
    >>> shared_tasks(load_sample()).select("task", "jobs", "families", "hours").row(0)
    ('Wear and inspect personal protective equipment before entering marked zones', 46, 16, 26.5)
    """
    check_whole("min_jobs", min_jobs, least=1)
    matrix = task_matrix(profiles, states, same_task)
    reached = per_task(matrix)
    total = float(matrix.reduced.cells.get_column("hours").sum())
    shared = reached.filter(pl.col("jobs") >= min_jobs)
    nothing = pl.lit(None, dtype=pl.Float64)
    result = (
        shared.join(_people(matrix, shared), on="key", how="left", maintain_order="left")
        .join(level_agreement(matrix), on="key", how="left", maintain_order="left")
        .join(_levels(matrix, shared), on="key", how="left", maintain_order="left")
        .join(matrix.keys, on="key", how="left", maintain_order="left")
        .sort("jobs", pl.col("hours").round(DIGITS), "name", descending=[True, True, False], nulls_last=True)
        .select(
            pl.col("name").alias("task_key"),
            *("task", "jobs", "families", "tasks", "tasks_with_hours", "hours"),
            (pl.col("hours") / total if total else nothing).alias("share_of_hours"),
            *("headcount", "headcount_hours", "levels", "level_agreement"),
            pl.when(pl.col("hours").is_null()).then(pl.lit("NO_HOURS")).alias("reason"),
        )
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="shared_tasks",
            value=f"known hours of a task that {min_jobs} or more jobs have",
            unit="hours per week",
            basis="hours",
            policy=(
                "Hours are for one incumbent of each job; tasks without hours add nothing and are not zero.",
                *_said(reached, shared, total),
            ),
            warnings=(
                "The same work in other words counts as another task, so that what is shared is a lower bound.",
                *matrix.warnings,
            ),
        ),
    )


def _people(matrix: TaskMatrix, shared: pl.DataFrame) -> pl.DataFrame:
    """Return ``key, headcount, headcount_hours``."""
    jobs = matrix.reduced.jobs
    staff = pl.col("headcount") if "headcount" in jobs.columns else pl.lit(None, dtype=pl.Float64).alias("headcount")
    return (
        matrix.rows.join(shared.select("key"), on="key", how="semi", maintain_order="left")
        .join(jobs.select("job", staff), on="job", how="left", maintain_order="left")
        .with_columns(headcount_hours=pl.col("hours") * pl.col("headcount"))
        .group_by("key", maintain_order=True)
        .agg(headcount=known_sum("headcount"), headcount_hours=known_sum("headcount_hours"))
    )


def _levels(matrix: TaskMatrix, shared: pl.DataFrame) -> pl.DataFrame:
    """Return ``key, levels``, as they came."""
    order = level_order(matrix.levels.get_column("level").unique().to_list())
    place = pl.DataFrame({"level": pl.Series(order, dtype=pl.String)}).with_row_index("place")
    return (
        matrix.levels.join(shared.select("key"), on="key", how="semi")
        .join(place, on="level", how="left")
        .sort("key", "place")
        .group_by("key", maintain_order=True)
        .agg(levels=pl.col("level").str.join(", "))
    )


def _said(reached: pl.DataFrame, shared: pl.DataFrame, total: float) -> tuple[str, ...]:
    across = reached.filter(pl.col("families") >= 2)
    dark = shared.get_column("hours").null_count()
    share = float(across.get_column("hours").sum()) / total if total else None
    return (
        f"{shared.height:,} of {reached.height:,} tasks are listed; {across.height:,} tasks are in 2 or more families.",
        *(() if share is None else (f"{share:.1%} of all known hours are in tasks of 2 or more families.",)),
        *((f"{dark:,} of the listed tasks have no known hours.",) * bool(dark)),
    )
