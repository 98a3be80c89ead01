"""Distribution of each job family's work over AI impact levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, columns_of_jobs, known_sum, n_stated, share_of
from tpanalytics.measures._core.bounds import share_bounds
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.level_sums import attach_staffing, groups_as_jobs
from tpanalytics.measures._core.metadata import attach_metadata, grade, has_usable_levels, meaning_of, no_known_level
from tpanalytics.measures._core.staff import STAFF, checked_weight, with_staff, without_staff_note
from tpanalytics.schema import NOT_ASSESSED, level_order
from tpanalytics.typing import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["impact"]


@cached
def impact(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    weight: Weight | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute how each job family's work is distributed over AI impact levels.

    Tasks without a level are grouped as ``not assessed``. Levels other than H1 to H5 are kept. Unless
    ``weight="tasks"``, tasks without hours are excluded. Check ``coverage`` to see what share of the tasks remains.
    Tasks that a job lists twice are counted twice.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``contract_hours`` (hours per week) from `jobs`, and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
        The weights ``"headcount"`` and ``"fte"`` also use that column of `jobs` or `people`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. With a column of people, figures count the people in each group by default, and jobs without people
        are in no group. With the weights ``"tasks"`` and ``"hours"``, a job counts once in every group that has it, so
        groups overlap. With a column of tasks, a job counts in every group where it has such a task.
    weight
        What to add up: ``"tasks"``, ``"hours"``, ``"headcount"`` (hours times people) or ``"fte"`` (hours times
        full-time equivalents). The last two exclude jobs without them. None means ``"headcount"`` if `by` has a column
        of people, and ``"hours"`` otherwise.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per group and level. Groups are sorted by name with missing values, such as ``(no job family)``, last.
        Levels are sorted from H1 to H5, followed by unknown levels and ``not assessed``. A group's shares add up to 1,
        or are all null.

        ====================  =======  ================================================================
        ``job_family``        String   the columns in `by`
        ``ai_impact_level``   String   null only if no family has a task
        ``jobs``              UInt32   jobs in the family, at any level
        ``tasks``             UInt32   tasks at the level
        ``tasks_with_hours``  UInt32   tasks at the level with hours
        ``hours``             Float64  hours per week at the level for one person per job, with any `weight`; null if
                                       no task has hours
        ``amount``            Float64  what `weight` adds up: tasks, hours per week, or hours per week times people or
                                       full-time equivalents; null if it is unknown for all tasks
        ``share``             Float64  share of the family's total by `weight`, 0 to 1; null if the total is 0
        ``share_assessed``    Float64  share among tasks with a level; null for ``not assessed``
        ``share_low``         Float64  lower bound of the share, allowing for missing levels and undocumented contract
                                       hours; null if required contract hours are missing
        ``share_high``        Float64  upper bound of the share
        ``count_time_gap``    Float64  share of hours minus share of tasks, -1 to 1, among tasks with hours and a level;
                                       positive if tasks at this level are longer than average; null for ``not
                                       assessed`` and without such hours
        ``coverage``          Float64  share of the family's tasks with a level and, unless tasks are counted, stated
                                       hours (and a headcount), 0 to 1
        ``data_grade``        String   A (coverage of at least 0.9), B (at least 0.7) or C: do not quote on its own
        ``basis``             String   the `weight`
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
    >>> from tpanalytics import load_sample
    >>> table = impact(load_sample(), weight="hours")
    >>> finance = table.filter(pl.col("job_family") == "Finance")
    >>> finance.select("ai_impact_level", "tasks", pl.col("share").round(3)).rows()
    [('H1', 80, 0.313), ('H2', 113, 0.415), ('H3', 57, 0.133), ('H4', 46, 0.069), ('not assessed', 20, 0.07)]
    """
    weight = checked_weight(profiles, by, weight, Weight)
    staffed = weight in STAFF
    # Staffing and contract hours differ between jobs. If neither is needed, sums by group are enough.
    by_job = staffed or (weight == "hours" and "contract_hours" in columns_of_jobs(profiles))
    reduced = with_staff(aggregate_tasks(profiles, states, by=by, per="job" if by_job else "group"), weight)
    jobs, cells = reduced.jobs, reduced.cells
    levels = level_order(cells.get_column("level").to_list())
    families = jobs.group_by("group").agg(jobs=pl.len())
    grid = families.join(pl.DataFrame({"level": pl.Series(levels or [None], dtype=pl.String)}), how="cross")
    keys, counts = ["group", "level"], ["tasks", "tasks_with_hours", "tasks_covered"]
    result = (
        grid.join(_sums(jobs, cells, weight), on=keys, how="left")
        .join(_bounds(jobs, cells, weight, by_job=by_job), on=keys, how="left")
        .with_columns(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts)
        .with_columns(**_shares(), basis=pl.lit(weight))
        .with_columns(data_grade=grade(pl.col("coverage"), usable=has_usable_levels("tasks").over("group")))
        .sort(
            reduced.groups.order,
            pl.col("level").replace_strict(levels, list(range(len(levels))), default=None, return_dtype=pl.Int64),
        )
        .rename({"level": "ai_impact_level"})
        .select(
            *("group", "ai_impact_level", "jobs", "tasks", "hours", "amount", "share", "share_assessed"),
            *("share_low", "share_high", "coverage", "data_grade", "tasks_with_hours", "count_time_gap", "basis"),
        )
    )
    return attach_metadata(
        reduced.groups.named(result),
        meaning_of(
            reduced,
            staffed=staffed,
            usable=not no_known_level(levels),
            covered="level" if weight == "tasks" else "both",
            measure="impact",
            value=f"share of {reduced.groups.a_group}'s {_AMOUNT[weight]} at an AI impact level",
            unit="share, 0 to 1",
            basis={"tasks": "task"}.get(weight, weight),
            numerator=f"{_AMOUNT[weight]} at the level",
            denominator=f"all {_AMOUNT[weight]} of the {reduced.groups.noun}",
            policy=(
                "Tasks without a level are grouped as 'not assessed' and excluded from shares among assessed tasks.",
                *(() if weight == "tasks" else ("Tasks without hours are excluded, not counted as zero.",)),
                *without_staff_note(weight),
            ),
        ),
    )


def _sums(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Sum tasks, hours and ``amount`` by family and level. Shares are computed from ``amount``."""
    amount = {"tasks": pl.col("n").cast(pl.Float64), "hours": pl.col("hours")}
    if weight in STAFF:
        cells = cells.join(jobs.select("job", "headcount"), on="job", maintain_order="left")
        amount[weight] = pl.col("hours") * pl.col("headcount")
    return (
        cells.with_columns(amount=amount[weight])
        .group_by("group", "level")
        .agg(
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            hours=known_sum("hours"),
            amount=known_sum("amount"),
            tasks_covered=(pl.col("n") if weight == "tasks" else n_stated).filter(pl.col("amount").is_not_null()).sum(),
        )
    )


def _bounds(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight, *, by_job: bool) -> pl.DataFrame:
    if by_job:
        return share_bounds(attach_staffing(jobs, cells, by_headcount=weight in STAFF))
    cells = groups_as_jobs(cells)
    if weight == "tasks":  # treat every task as one known hour
        cells = cells.with_columns(hours=pl.col("n").cast(pl.Float64), n_known="n")
    return share_bounds(cells)


def _shares() -> dict[str, pl.Expr]:
    """Return expressions for all columns that relate a level to its family."""
    amount, assessed = pl.col("amount").fill_null(0.0), pl.col("level") != NOT_ASSESSED
    hours, with_hours = pl.col("hours").fill_null(0.0), pl.col("tasks_with_hours")

    def share_of_family(part: pl.Expr, total: pl.Expr) -> pl.Expr:
        return share_of(part, total.sum().over("group"))

    # Use the same tasks for both shares so that missing hours don't affect the gap.
    gap = share_of_family(hours, hours.filter(assessed)) - share_of_family(with_hours, with_hours.filter(assessed))
    return {
        "share": share_of_family(amount, amount),
        "share_assessed": pl.when(assessed).then(share_of_family(amount, amount.filter(assessed))),
        "coverage": share_of(
            pl.col("tasks_covered").filter(assessed).sum().over("group"), pl.col("tasks").sum().over("group")
        ),
        "count_time_gap": pl.when(assessed).then(gap),
    }


_AMOUNT = {
    "tasks": "tasks",
    "hours": "weekly hours",
    "headcount": "weekly hours times people",
    "fte": "weekly hours times full-time equivalents",
}
