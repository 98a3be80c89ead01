"""Handwritten queries for the figures of some measures in Polars and pandas, without bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QUERIES"]

_WEIGHTS = {"H1": 1.0, "H2": 0.5, "H3": 0.0}
_STATES = ["validated", "suggested"]


def _counted(tasks: pl.DataFrame) -> pl.LazyFrame:
    return (
        tasks.lazy()
        .filter(pl.col("validation_state").is_in(_STATES))
        .with_columns(
            pl.col("job_family").fill_null("(no job family)"), pl.col("ai_impact_level").fill_null("not assessed")
        )
    )


def _pandas_counted(tasks: Any) -> Any:
    tasks = tasks[tasks["validation_state"].isin(_STATES)]
    return tasks.fillna({"job_family": "(no job family)", "ai_impact_level": "not assessed"})


def _coverage(jobs: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    hours, assessed = pl.col("weekly_hours"), pl.col("ai_impact_level") != "not assessed"
    validated = pl.col("validation_state") == "validated"
    of_job = (
        _counted(tasks)
        .group_by("job_id")
        .agg(
            tasks=pl.len(),
            with_hours=hours.count(),
            with_level=assessed.sum(),
            with_both=hours.filter(assessed).count(),
            validated=validated.sum(),
            hours=hours.sum(),
            hours_assessed=hours.filter(assessed).sum(),
            hours_validated=hours.filter(validated).sum(),
        )
    )
    n, known = pl.col("tasks"), pl.col("with_hours")
    return (
        jobs.lazy()
        .select("job_id", pl.col("job_family").fill_null("(no job family)"))
        .join(of_job, on="job_id", how="left")
        .group_by("job_family")
        .agg(
            n.sum(),
            jobs=pl.len(),
            jobs_profiled_share=n.is_not_null().mean(),
            jobs_complete_share=(known == n).fill_null(value=False).mean(),
            hours_coverage=known.sum() / n.sum(),
            level_coverage=pl.col("with_level").sum() / n.sum(),
            both_coverage=pl.col("with_both").sum() / n.sum(),
            level_coverage_hours=pl.col("hours_assessed").sum() / pl.col("hours").sum(),
            validated_share=pl.col("validated").sum() / n.sum(),
            validated_share_hours=pl.col("hours_validated").sum() / pl.col("hours").sum(),
        )
        .sort("job_family")
        .collect()
    )


def _pandas_coverage(jobs: Any, tasks: Any) -> Any:
    tasks = _pandas_counted(tasks)
    hours, assessed = tasks["weekly_hours"], tasks["ai_impact_level"] != "not assessed"
    validated = tasks["validation_state"] == "validated"
    tasks = tasks.assign(
        with_level=assessed,
        with_both=assessed & hours.notna(),
        validated=validated,
        hours_assessed=hours.where(assessed),
        hours_validated=hours.where(validated),
    )
    sums = {
        name: (name, "sum") for name in ("with_level", "with_both", "validated", "hours_assessed", "hours_validated")
    }
    hours_of = {"tasks": ("job_id", "size"), "with_hours": ("weekly_hours", "count"), "hours": ("weekly_hours", "sum")}
    of_job = tasks.groupby("job_id").agg(**hours_of, **sums).reset_index()
    wide = jobs.fillna({"job_family": "(no job family)"}).merge(of_job, on="job_id", how="left")
    wide["complete"], wide["profiled"] = wide["tasks"] == wide["with_hours"], wide["tasks"].notna()
    shares = {name: (name, "mean") for name in ("complete", "profiled")}
    totals = {name: (name, "sum") for name in (*hours_of, *sums)}
    result = wide.groupby("job_family").agg(**shares, **totals).reset_index()
    for name, part, whole in (
        ("hours_coverage", "with_hours", "tasks"),
        ("level_coverage", "with_level", "tasks"),
        ("both_coverage", "with_both", "tasks"),
        ("level_coverage_hours", "hours_assessed", "hours"),
        ("validated_share", "validated", "tasks"),
        ("validated_share_hours", "hours_validated", "hours"),
    ):
        result[name] = result[part] / result[whole]
    return result


_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def _hours(jobs: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    hours = pl.col("weekly_hours")
    known = pl.when(hours.count() > 0).then(hours.sum())
    of_job = _counted(tasks).group_by("job_id").agg(tasks=pl.len(), with_hours=hours.count(), hours=known)
    return (
        jobs.lazy()
        .select("job_id", pl.col("job_family").fill_null("(no job family)"))
        .join(of_job, on="job_id", how="left")
        .group_by("job_family")
        .agg(
            pl.col("tasks", "with_hours", "hours").sum(),
            jobs=pl.len(),
            jobs_with_hours=pl.col("hours").count(),
            jobs_complete=(pl.col("tasks") == pl.col("with_hours")).sum(),
            hours_per_job=pl.col("hours").mean(),
            **{f"hours_{q}": pl.col("hours").quantile(q, interpolation="linear") for q in _QUANTILES},
        )
        .sort("hours", descending=True)
        .collect()
    )


def _pandas_hours(jobs: Any, tasks: Any) -> Any:
    tasks = _pandas_counted(tasks)
    of_job = tasks.groupby("job_id").agg(tasks=("job_id", "size"), with_hours=("weekly_hours", "count"))
    of_job["hours"] = tasks.groupby("job_id")["weekly_hours"].sum(min_count=1)
    of_job = of_job.reset_index()
    wide = jobs.fillna({"job_family": "(no job family)"}).merge(of_job, on="job_id", how="left")
    by_family = wide.groupby("job_family")
    result = by_family[["tasks", "with_hours", "hours"]].sum()
    result["jobs"], result["jobs_with_hours"] = by_family.size(), by_family["hours"].count()
    result["hours_per_job"] = by_family["hours"].mean()
    quantiles = by_family["hours"].quantile(list(_QUANTILES)).unstack()
    return result.join(quantiles).sort_values("hours", ascending=False)


def _impact(share_of: str) -> Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    def query(_: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
        hours, whole = pl.col("weekly_hours"), pl.col(share_of)
        return (
            _counted(tasks)
            .group_by("job_family", level="ai_impact_level")
            .agg(tasks=pl.len(), tasks_with_hours=hours.count(), hours=hours.sum())
            .with_columns(share=whole / whole.sum().over("job_family"))
            .sort("job_family", "level")
            .collect()
        )

    return query


def _pandas_impact(share_of: str) -> Callable[[Any, Any], Any]:
    def query(_: Any, tasks: Any) -> Any:
        groups = _pandas_counted(tasks).groupby(["job_family", "ai_impact_level"])["weekly_hours"]
        result = groups.agg(tasks="size", tasks_with_hours="count", hours="sum").reset_index()
        result["share"] = result[share_of] / result.groupby("job_family")[share_of].transform("sum")
        return result

    return query


def _exposure(_: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    weight = pl.col("ai_impact_level").replace_strict(_WEIGHTS, default=None, return_dtype=pl.Float64)
    weighted = pl.col("weekly_hours").filter(pl.col("weight").is_not_null())
    return (
        _counted(tasks)
        .with_columns(weight=weight)
        .group_by("job_family")
        .agg(
            tasks=pl.len(),
            exposed=(pl.col("weekly_hours") * pl.col("weight")).sum(),
            weighted=weighted.sum(),
            tasks_weighted=weighted.count(),
        )
        .with_columns(exposure=pl.col("exposed") / pl.col("weighted"))
        .sort("exposure", descending=True)
        .collect()
    )


def _pandas_exposure(_: Any, tasks: Any) -> Any:
    tasks = _pandas_counted(tasks)
    weight = tasks["ai_impact_level"].map(_WEIGHTS)
    hours = tasks["weekly_hours"]
    tasks = tasks.assign(exposed=hours * weight, weighted=hours.where(weight.notna()))
    sums = {name: (name, "sum") for name in ("exposed", "weighted")}
    result = tasks.groupby("job_family").agg(tasks=("job_id", "size"), tasks_weighted=("weighted", "count"), **sums)
    result["exposure"] = result["exposed"] / result["weighted"]
    return result.sort_values("exposure", ascending=False).reset_index()


#: Queries in Polars and pandas.
QUERIES: dict[str, tuple[Callable[..., pl.DataFrame], Callable[..., Any]]] = {
    "coverage": (_coverage, _pandas_coverage),
    "hours": (_hours, _pandas_hours),
    "impact by tasks": (_impact("tasks"), _pandas_impact("tasks")),
    "impact by hours": (_impact("hours"), _pandas_impact("hours")),
    "exposure": (_exposure, _pandas_exposure),
}
