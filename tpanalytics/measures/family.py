"""What is known of each job family, how many hours its jobs describe, and how far AI reaches into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures.reduce import Cells, reduce_tasks
from tpanalytics.schema import COUNTED_STATES, NO_FAMILY, NOT_ASSESSED, level_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["Weight", "coverage_by_family", "grade", "hours_by_family", "hours_by_job", "impact_by_family"]

Weight = Literal["tasks", "hours", "headcount"]
#: Below this many jobs a quantile says no more than the values themselves (M3).
_JOBS_FOR_QUANTILES = 5


def coverage_by_family(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Say per job family how much is known: hours, levels, validation (M5, M6).

    A share whose denominator is zero is null: a family without tasks has no coverage, not a coverage of 0.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs` and ``job_id, ai_impact_level, validation_state, weekly_hours`` of
        `tasks`.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, by name, ``(no family)`` last. Shares run from 0 to 1.

        ========================  =======  ==========================================================
        ``job_family``            String   the family
        ``jobs``                  UInt32   jobs
        ``jobs_without_tasks``    UInt32   jobs without a task that counts
        ``tasks``                 UInt32   tasks that count
        ``hours_coverage``        Float64  share of tasks with hours
        ``level_coverage``        Float64  share of tasks with a level
        ``both_coverage``         Float64  share of tasks with hours and level
        ``level_coverage_hours``  Float64  share of the known hours that lie in tasks with a level
        ``jobs_profiled``         Float64  share of jobs with at least one task
        ``jobs_complete``         Float64  share of jobs with tasks, all of which have hours
        ``validated_share``       Float64  share of tasks that are validated
        ``validated_share_hours``  Float64  the same by hours; too high if suggested tasks lack hours
        ``grade``                 String   A, B, C by ``both_coverage``; see `grade`
        ========================  =======  ==========================================================

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> coverage = coverage_by_family(load_sample())
    >>> coverage.select("job_family", "tasks", pl.col("hours_coverage").round(3)).head(2).rows()
    [('Customer Service', 293, 0.877), ('Data and Analytics', 326, 0.887)]
    """
    jobs, cells = reduce_tasks(profiles, states)
    known, assessed = pl.col("hours_known"), pl.col("level") != NOT_ASSESSED
    n, hours, validated = pl.col("n"), pl.col("hours"), pl.col("state") == "validated"
    by_family = cells.group_by("job_family").agg(
        tasks=n.sum(),
        hours_coverage=n.filter(known).sum() / n.sum(),
        level_coverage=n.filter(assessed).sum() / n.sum(),
        both_coverage=n.filter(known & assessed).sum() / n.sum(),
        level_coverage_hours=_share(hours.filter(assessed).sum(), hours.sum()),
        validated_share=n.filter(validated).sum() / n.sum(),
        validated_share_hours=_share(hours.filter(validated).sum(), hours.sum()),
    )
    per_job = _per_job(Cells(jobs, cells))
    return (
        per_job.group_by("job_family")
        .agg(
            jobs=pl.len(),
            jobs_without_tasks=(pl.col("tasks") == 0).sum(),
            jobs_profiled=(pl.col("tasks") > 0).mean(),
            jobs_complete=pl.col("complete").mean(),
        )
        .join(by_family, on="job_family", how="left")
        .with_columns(pl.col("tasks").fill_null(0), grade=grade(pl.col("both_coverage")))
        .select(
            "job_family",
            "jobs",
            "jobs_without_tasks",
            pl.col("tasks").cast(pl.UInt32),
            "hours_coverage",
            "level_coverage",
            "both_coverage",
            "level_coverage_hours",
            "jobs_profiled",
            "jobs_complete",
            "validated_share",
            "validated_share_hours",
            "grade",
        )
        .sort(pl.col("job_family") == NO_FAMILY, "job_family")
    )


def hours_by_job(profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES) -> pl.DataFrame:
    """Add up the described weekly hours of each job (M3 as values, M4).

    A job none of whose tasks has hours has null hours, not 0.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``job_name, contract_hours`` of `jobs`, and the columns of
        `tasks` that `hours_by_family` reads.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per job, by id.

        ====================  =======  ============================================================
        ``job_id``            String   the job
        ``job_name``          String   its name, or its id where it has none
        ``job_family``        String   its family
        ``tasks``             UInt32   tasks that count
        ``tasks_with_hours``  UInt32   those with hours
        ``hours``             Float64  described hours per week; null where no task has hours
        ``complete``          Boolean  it has tasks and all have hours
        ``contract_hours``    Float64  hours per week in the contract; null where not known
        ``described_week``    Float64  ``hours / contract_hours``; null where either is not known
        ====================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> hours_by_job(load_sample()).select("job_name", "tasks", "hours", "complete").row(0)
    ('Quotation Specialist', 20, 36.25, False)
    """
    jobs = _per_job(reduce_tasks(profiles, states))
    return jobs.select(
        "job_id",
        pl.coalesce("job_name", "job_id").alias("job_name"),
        "job_family",
        "tasks",
        "tasks_with_hours",
        "hours",
        "complete",
        "contract_hours",
        described_week=_share(pl.col("hours"), pl.col("contract_hours")),
    )


def hours_by_family(
    profiles: TaskProfiles, *, states: Sequence[str] = COUNTED_STATES, complete_only: bool = False
) -> pl.DataFrame:
    """Sum weekly hours per job family, show how they spread over its jobs, and how much is known (M1, M2, M3).

    A task without hours counts in ``tasks`` and adds nothing to ``hours``; read ``coverage`` before comparing two
    families. ``hours`` is null where no task of the family has hours. Jobs without tasks or without hours enter no
    mean and no quantile.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``contract_hours`` (hours per week) of `jobs`, and ``job_id,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    states
        Validation states that count.
    complete_only
        Take the mean and the quantiles over the jobs all of whose tasks have hours, instead of those with at least
        one; the counts and sums stay.

    Returns
    -------
    pl.DataFrame
        One row per family of `jobs`, most hours first, ties by name. Hours are per week, for one incumbent of each
        job. Quantiles are linear (type 7 of Hyndman and Fan, 1996) and null below 5 jobs; see `hours_by_job` then.

        ======================  =======  ================================================================
        ``job_family``          String   the family
        ``jobs``                UInt32   jobs
        ``jobs_without_tasks``  UInt32   jobs without a task that counts
        ``jobs_with_hours``     UInt32   jobs with hours for at least one task
        ``jobs_complete``       UInt32   jobs with tasks, all of which have hours
        ``tasks``               UInt32   tasks that count
        ``tasks_with_hours``    UInt32   those with hours
        ``hours``               Float64  described hours
        ``hours_high``          Float64  most it could be if undescribed contract hours belong to tasks without
                                         hours; null where such a job has no contract hours
        ``hours_per_job``       Float64  mean over jobs with hours
        ``hours_min`` …         Float64  ``hours_min, hours_p10, hours_p25, hours_p50, hours_p75, hours_p90,
                                         hours_max``: the spread over jobs with hours
        ``coverage``            Float64  share of tasks with hours, 0 to 1
        ======================  =======  ================================================================

    Raises
    ------
    SchemaError
        If a column is missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> hours = hours_by_family(load_sample())
    >>> hours.select("job_family", "hours", pl.col("coverage").round(3)).row(0)
    ('Finance', 519.25, 0.944)
    """
    per_job = _per_job(reduce_tasks(profiles, states))
    in_mean = pl.col("complete") & pl.col("hours").is_not_null() if complete_only else pl.col("hours").is_not_null()
    shown = pl.col("hours").filter(in_mean)
    enough = shown.len() >= _JOBS_FOR_QUANTILES
    quantiles = {"min": 0.0, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "max": 1.0}
    open_end = pl.col("tasks_with_hours") < pl.col("tasks")
    rest = pl.when(open_end).then((pl.col("contract_hours") - pl.col("hours").fill_null(0)).clip(lower_bound=0))
    return (
        per_job.with_columns(rest=rest.otherwise(0.0))
        .group_by("job_family")
        .agg(
            jobs=pl.len(),
            jobs_without_tasks=(pl.col("tasks") == 0).sum(),
            jobs_with_hours=pl.col("hours").count(),
            jobs_complete=pl.col("complete").sum(),
            tasks=pl.col("tasks").sum(),
            tasks_with_hours=pl.col("tasks_with_hours").sum(),
            hours=_known_sum("hours"),
            hours_high=pl.when((pl.col("tasks").sum() > 0) & (pl.col("rest").null_count() == 0)).then(
                pl.col("hours").sum() + pl.col("rest").sum()
            ),
            hours_per_job=shown.mean(),
            **{
                f"hours_{name}": pl.when(enough).then(shown.quantile(q, interpolation="linear"))
                for name, q in quantiles.items()
            },
        )
        .with_columns(coverage=_share(pl.col("tasks_with_hours"), pl.col("tasks")))
        .sort(["hours", "job_family"], descending=[True, False], nulls_last=True)
    )


def impact_by_family(
    profiles: TaskProfiles, *, weight: Weight = "hours", states: Sequence[str] = COUNTED_STATES
) -> pl.DataFrame:
    """Distribute each job family's work over AI impact levels (M11, M12).

    Tasks without a level form the level ``not assessed``; a level outside H1 to H5 stays as it came. By hours and
    by headcount only tasks with hours count, on both sides of the share; read ``coverage`` for how many those are.

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
        ``tasks``             UInt32   tasks of that level
        ``tasks_with_hours``  UInt32   those with hours
        ``hours``             Float64  their hours per week; null where none has hours
        ``share``             Float64  share of the family by `weight`, 0 to 1; null where nothing can be weighed
        ``share_assessed``    Float64  the same among tasks with a level; null for ``not assessed``
        ``coverage``          Float64  share of the family's tasks that could be weighed, 0 to 1
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
    >>> impact = impact_by_family(load_sample(), weight="hours")
    >>> finance = impact.filter(pl.col("job_family") == "Finance")
    >>> finance.select("level", "tasks", pl.col("share").round(3)).rows()
    [('H1', 168, 0.507), ('H2', 96, 0.243), ('H3', 44, 0.136), ('H4', 26, 0.063), ('not assessed', 25, 0.051)]
    """
    if weight not in get_args(Weight):
        raise SchemaError(f"weight={weight!r}: choose from {', '.join(get_args(Weight))}.")
    jobs, cells = reduce_tasks(profiles, states)
    if weight == "headcount":
        if "headcount" not in jobs.columns:
            raise SchemaError(
                "jobs lacks 'headcount' (full-time equivalents); give it as a column of the mapping file of "
                "assign_families, or use weight='hours'."
            )
        cells = cells.join(jobs.select("job_id", "headcount"), on="job_id").sort("job_id", "level", "state")
    else:
        cells = cells.with_columns(headcount=pl.lit(None, dtype=pl.Float64))
    amount = {
        "tasks": pl.col("n").cast(pl.Float64),
        "hours": pl.col("hours"),
        "headcount": pl.col("hours") * pl.col("headcount"),
    }[weight]
    cells = cells.with_columns(amount=amount)
    found = cells.group_by("job_family", "level").agg(
        tasks=pl.col("n").sum(),
        tasks_with_hours=pl.col("n").filter(pl.col("hours_known")).sum(),
        hours=_known_sum("hours"),
        amount=_known_sum("amount"),
        weighed=pl.col("n").filter(pl.col("amount").is_not_null()).sum(),
    )
    families = jobs.select(pl.col("job_family").unique())
    levels = level_order(cells.get_column("level").to_list())
    grid = families.join(pl.DataFrame({"level": pl.Series(levels or [None], dtype=pl.String)}), how="cross")
    in_family = pl.col("amount").sum().over("job_family")
    assessed = pl.col("level") != NOT_ASSESSED
    in_assessed = pl.col("amount").filter(assessed).sum().over("job_family")
    counts = ["tasks", "tasks_with_hours", "weighed"]
    return (
        grid.join(found, on=["job_family", "level"], how="left")
        .with_columns(pl.col(name).fill_null(0).cast(pl.UInt32) for name in counts)
        .with_columns(
            share=_share(pl.col("amount").fill_null(0.0), in_family),
            share_assessed=pl.when(assessed).then(_share(pl.col("amount").fill_null(0.0), in_assessed)),
            coverage=_share(pl.col("weighed").sum().over("job_family"), pl.col("tasks").sum().over("job_family")),
            basis=pl.lit(weight),
        )
        .sort(
            pl.col("job_family") == NO_FAMILY,
            "job_family",
            pl.col("level").replace_strict(levels, list(range(len(levels))), default=None, return_dtype=pl.Int64),
        )
        .rename({"amount": "headcount_hours"})
        .select(
            *("job_family", "level", "tasks", "tasks_with_hours", "hours", "share", "share_assessed"),
            *("coverage", "basis", *(["headcount_hours"] if weight == "headcount" else [])),
        )
    )


def grade(coverage: pl.Expr) -> pl.Expr:
    """Grade how much of a figure is known: A from 90 %, B from 70 %, C below; null where there is nothing to grade.

    Official statistics want more than 90 % real data in an aggregate, and imputed values marked (UNECE practice).
    """
    return (
        pl.when(coverage >= 0.9)
        .then(pl.lit("A"))
        .when(coverage >= 0.7)
        .then(pl.lit("B"))
        .when(coverage >= 0)
        .then(pl.lit("C"))
    )


def _per_job(reduced: Cells) -> pl.DataFrame:
    """Add up each job's tasks; a job without tasks keeps its row."""
    jobs, cells = reduced
    sums = cells.group_by("job_id").agg(
        tasks=pl.col("n").sum(),
        tasks_with_hours=pl.col("n").filter(pl.col("hours_known")).sum(),
        hours=_known_sum("hours"),
    )
    optional = {
        name: pl.col(name) if name in jobs.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in (
            ("job_name", pl.String),
            ("headcount", pl.Float64),
            ("contract_hours", pl.Float64),
        )
    }
    counts = (pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("tasks", "tasks_with_hours"))
    return (
        jobs.select("job_id", "job_family", *optional.values())
        .join(sums, on="job_id", how="left", maintain_order="left")
        .with_columns(counts)
        .with_columns(complete=(pl.col("tasks") > 0) & (pl.col("tasks") == pl.col("tasks_with_hours")))
    )


def _known_sum(column: str) -> pl.Expr:
    """Add up, giving null instead of 0 where no value is known."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum())


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Divide, giving null instead of NaN where there is nothing to divide by."""
    return pl.when(whole > 0).then(part / whole)
