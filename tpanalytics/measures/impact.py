"""How far AI reaches into the work of each job family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import aggregate_tasks, columns_of_jobs, known_sum, n_stated, share_of
from tpanalytics.measures._core.bounds import share_bounds
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.checks import check_choice, check_headcount
from tpanalytics.measures._core.level_sums import attach_staffing, families_as_jobs
from tpanalytics.measures._core.metadata import attach_metadata, grade, meaning_of
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, level_order
from tpanalytics.typing import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["impact"]


@cached
def impact(profiles: TaskProfiles, *, weight: Weight = "hours", states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Distribute each job family's work over AI impact levels.

    Tasks without a level form the level ``not assessed``; a level outside H1 to H5 stays as it came. By hours and
    by headcount only tasks with hours count, on both sides of the share; read ``coverage`` for how many those are. Rows
    are counted as they are, also where a job lists the same task more than once.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs`, for headcount also ``headcount`` (full-time equivalents), and
        ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    weight
        What a share is a share of: ``"tasks"`` counts tasks; ``"hours"`` adds up their hours; ``"headcount"`` adds
        up hours times the job's headcount, leaving out jobs whose headcount is not known.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs` and level in the data, families by name with ``(no family)`` last, levels H1 to
        H5, then unknown ones, then ``not assessed``. The shares of a family add up to 1 or are all null.

        ====================  =======  ================================================================
        ``job_family``        String   the family
        ``level``             String   the level; null only where no family has a task
        ``jobs``              UInt32   jobs of the family, whatever their levels
        ``tasks``             UInt32   tasks of that level
        ``tasks_with_hours``  UInt32   those with hours
        ``hours``             Float64  their hours per week; null where none has hours
        ``share``             Float64  share of the family by `weight`, 0 to 1; null where nothing can be weighed
        ``share_assessed``    Float64  the same among tasks with a level; null for ``not assessed``
        ``share_low``         Float64  least it can be, whatever the missing levels are and wherever the contract hours
                                       that are not described belong; null where contract hours are needed and missing
        ``share_high``        Float64  most it can be; see `_core.bounds`
        ``count_time_gap``    Float64  share of the hours less share of the tasks, among the tasks that have hours and
                                       a level, -1 to 1: above 0 where tasks of the level are long ones; null for
                                       ``not assessed`` and where there are no such hours
        ``coverage``          Float64  share of the family's tasks that have a level and can be weighed, 0 to 1
        ``data_grade``        String   A from 0.9 of ``coverage``, B from 0.7, C below; quote no C alone
        ``basis``             String   the `weight`
        ====================  =======  ================================================================

        With ``weight="headcount"`` also ``headcount_hours``, Float64: hours per week times full-time equivalents.

    Raises
    ------
    SchemaError
        If a column is missing, ``headcount`` included when asked for, or `weight` is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> table = impact(load_sample(), weight="hours")
    >>> finance = table.filter(pl.col("job_family") == "Finance")
    >>> finance.select("level", "tasks", pl.col("share").round(3)).rows()
    [('H1', 80, 0.313), ('H2', 113, 0.415), ('H3', 57, 0.133), ('H4', 46, 0.069), ('not assessed', 20, 0.07)]
    """
    check_choice("weight", weight, Weight)
    # Single jobs matter only for what belongs to a job: people and undocumented contract hours.
    by_job = weight == "headcount" or (weight == "hours" and "contract_hours" in columns_of_jobs(profiles))
    reduced = aggregate_tasks(profiles, states, per="job" if by_job else "family")
    jobs, cells = reduced.jobs, reduced.cells
    if weight == "headcount":
        check_headcount(jobs.columns)
    levels = level_order(cells.get_column("level").to_list())
    families = jobs.group_by("job_family").agg(jobs=pl.len())
    grid = families.join(pl.DataFrame({"level": pl.Series(levels or [None], dtype=pl.String)}), how="cross")
    keys, counts = ["job_family", "level"], ["tasks", "tasks_with_hours", "weighed"]
    result = (
        grid.join(_sums(jobs, cells, weight), on=keys, how="left")
        .join(_bounds(jobs, cells, weight, by_job=by_job), on=keys, how="left")
        .with_columns(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts)
        .with_columns(**_shares(), basis=pl.lit(weight))
        .with_columns(data_grade=grade(pl.col("coverage")))
        .sort(
            pl.col("job_family") == NO_FAMILY,
            "job_family",
            pl.col("level").replace_strict(levels, list(range(len(levels))), default=None, return_dtype=pl.Int64),
        )
        .rename({"amount": "headcount_hours"})
        .select(
            *("job_family", "level", "jobs", "tasks", "tasks_with_hours", "hours", "share", "share_assessed"),
            *("share_low", "share_high", "count_time_gap", "coverage", "data_grade", "basis"),
            *(["headcount_hours"] if weight == "headcount" else []),
        )
    )
    return attach_metadata(
        result,
        meaning_of(
            reduced,
            staffed=weight == "headcount",
            covered="level" if weight == "tasks" else "both",
            measure="impact",
            value=f"share of a family's {_AMOUNT[weight]} at an AI impact level",
            unit="share, 0 to 1",
            basis={"tasks": "task"}.get(weight, weight),
            numerator=f"{_AMOUNT[weight]} at the level",
            denominator=f"all {_AMOUNT[weight]} of the family",
            policy=(
                "Tasks without a level are the level 'not assessed'; share_assessed leaves them out.",
                *(() if weight == "tasks" else ("Tasks without hours are left out of shares; they are not zero.",)),
                *(("Jobs without a headcount are left out.",) if weight == "headcount" else ()),
            ),
        ),
    )


def _sums(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight) -> pl.DataFrame:
    """Add up each family's tasks and hours by level, and as ``amount`` what its shares are shares of."""
    amount = {"tasks": pl.col("n").cast(pl.Float64), "hours": pl.col("hours")}
    if weight == "headcount":
        cells = cells.join(jobs.select("job", "headcount"), on="job", maintain_order="left")
        amount["headcount"] = pl.col("hours") * pl.col("headcount")
    return (
        cells.with_columns(amount=amount[weight])
        .group_by("job_family", "level")
        .agg(
            tasks=pl.col("n").sum(),
            tasks_with_hours=pl.col("n_known").sum(),
            hours=known_sum("hours"),
            amount=known_sum("amount"),
            weighed=(pl.col("n") if weight == "tasks" else n_stated).filter(pl.col("amount").is_not_null()).sum(),
        )
    )


def _bounds(jobs: pl.DataFrame, cells: pl.DataFrame, weight: Weight, *, by_job: bool) -> pl.DataFrame:
    if by_job:
        return share_bounds(attach_staffing(jobs, cells, by_headcount=weight == "headcount"))
    cells = families_as_jobs(cells)
    if weight == "tasks":  # every task counts once, so nothing is open
        cells = cells.with_columns(hours=pl.col("n").cast(pl.Float64), n_known="n")
    return share_bounds(cells)


def _shares() -> dict[str, pl.Expr]:
    """Return the columns that relate a level to the other levels of its family."""
    amount, assessed = pl.col("amount").fill_null(0.0), pl.col("level") != NOT_ASSESSED
    hours, timed = pl.col("hours").fill_null(0.0), pl.col("tasks_with_hours")

    def of_family(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
        return share_of(part, whole.sum().over("job_family"))

    # On the same tasks on both sides, or else it would measure which tasks lack hours.
    gap = of_family(hours, hours.filter(assessed)) - of_family(timed, timed.filter(assessed))
    return {
        "share": of_family(amount, amount),
        "share_assessed": pl.when(assessed).then(of_family(amount, amount.filter(assessed))),
        "coverage": share_of(
            pl.col("weighed").filter(assessed).sum().over("job_family"), pl.col("tasks").sum().over("job_family")
        ),
        "count_time_gap": pl.when(assessed).then(gap),
    }


_AMOUNT = {
    "tasks": "tasks",
    "hours": "weekly hours",
    "headcount": "weekly hours times full-time equivalents",
}
