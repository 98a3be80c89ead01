"""Tasks shared by several jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import family_or_none, known_sum
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_whole
from tpanalytics.measures._core.groups import group_columns
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, level_agreement, per_task, task_matrix
from tpanalytics.schema import level_order

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
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return the tasks shared by several jobs, with the number of jobs, families and hours.

    Tasks without known hours are included, with null ``hours`` rather than 0. Use `about` to see what share of all
    known hours is spent on tasks in two or more families.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``headcount`` (people) from `jobs`,
        and ``job_id, task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    same_task
        Match tasks by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are compared.
        Matching rows of the same job are merged. Differently worded tasks do not match, so the shared work is a lower
        bound.
    min_jobs
        Minimum number of jobs with the task.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per task, sorted by the number of jobs and the hours in descending order, and then by ``task_key``.

        ====================  =======  ================================================================
        ``task_key``          String   task id or normalised text, depending on `same_task`
        ``task``              String   task text; the alphabetically first if they differ
        ``jobs``              UInt32   jobs with the task
        ``families``          UInt32   job families of these jobs; null if `jobs` has no families
        ``tasks``             UInt32   task rows in these jobs
        ``tasks_with_hours``  UInt32   task rows with hours
        ``hours``             Float64  hours per week, for one incumbent per job; null if none are known
        ``share_of_hours``    Float64  share of all known hours, 0 to 1
        ``headcount``         Float64  people in jobs with a headcount; null if there are none
        ``headcount_hours``   Float64  hours times headcount, over jobs with both; null if there are none
        ``levels``            String   AI impact levels of the task, separated by commas
        ``level_agreement``   Float64  share of job pairs that agree on the level, 0 to 1; null if fewer than 2
                                       jobs rate it
        ``reason``            String   why ``hours`` is null: ``NO_HOURS``
        ====================  =======  ================================================================

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

    Examples
    --------
    >>> from tpanalytics import load_sample, shared_tasks
    >>> shared_tasks(load_sample()).select("task", "jobs", "families", "hours").row(0)
    ('Wear and inspect personal protective equipment before entering marked zones', 46, 16, 26.5)
    """
    check_whole("min_jobs", min_jobs, least=1)
    matrix = task_matrix(profiles, states, same_task, by=family_or_none(profiles))
    all_tasks = per_task(matrix)
    total = float(matrix.reduced.cells.get_column("hours").sum())
    shared = all_tasks.filter(pl.col("jobs") >= min_jobs)
    null = pl.lit(None, dtype=pl.Float64)
    result = (
        shared.join(_people(matrix, shared), on="key", how="left", maintain_order="left")
        .join(level_agreement(matrix), on="key", how="left", maintain_order="left")
        .join(_levels(matrix, shared), on="key", how="left", maintain_order="left")
        .join(matrix.keys, on="key", how="left", maintain_order="left")
        .sort("jobs", pl.col("hours").round(DIGITS), "name", descending=[True, True, False], nulls_last=True)
        .select(
            pl.col("name").alias("task_key"),
            *("task", "jobs", "families", "tasks", "tasks_with_hours", "hours"),
            (pl.col("hours") / total if total else null).alias("share_of_hours"),
            *("headcount", "headcount_hours", "levels", "level_agreement"),
            pl.when(pl.col("hours").is_null()).then(pl.lit("NO_HOURS")).alias("reason"),
        )
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            columns=group_columns(profiles, None),
            covered="hours",
            measure="shared_tasks",
            value=f"known hours of a task in {min_jobs} or more jobs",
            unit="hours per week",
            basis="hours",
            policy=(
                "Hours are for one incumbent of each job. Missing hours are excluded, not counted as zero.",
                *_notes(all_tasks, shared, total, has_families=bool(matrix.reduced.groups.columns.by)),
            ),
            warnings=(
                "Differently worded tasks do not match, so the shared work is a lower bound.",
                *matrix.warnings,
            ),
        ),
    )


def _people(matrix: TaskMatrix, shared: pl.DataFrame) -> pl.DataFrame:
    """Return the headcount and the hours times headcount for each shared task."""
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
    """Return each shared task's distinct levels, before conflicts are resolved."""
    order = level_order(matrix.levels.get_column("level").unique().to_list())
    positions = pl.DataFrame({"level": pl.Series(order, dtype=pl.String)}).with_row_index("position")
    return (
        matrix.levels.join(shared.select("key"), on="key", how="semi")
        .join(positions, on="level", how="left")
        .sort("key", "position")
        .group_by("key", maintain_order=True)
        .agg(levels=pl.col("level").str.join(", "))
    )


def _notes(all_tasks: pl.DataFrame, shared: pl.DataFrame, total: float, *, has_families: bool) -> tuple[str, ...]:
    across = all_tasks.filter(pl.col("families") >= 2)
    no_hours = shared.get_column("hours").null_count()
    share = float(across.get_column("hours").sum()) / total if total and has_families else None
    in_families = f" Tasks in 2 or more families: {across.height:,}." * has_families
    return (
        f"Tasks listed: {shared.height:,} of {all_tasks.height:,}.{in_families}",
        *(() if share is None else (f"{share:.1%} of all known hours are in tasks of 2 or more families.",)),
        *((f"Listed tasks without known hours: {no_hours:,}.",) * bool(no_hours)),
    )
