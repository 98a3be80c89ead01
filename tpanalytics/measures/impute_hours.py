"""Put hours where none are stated: never by default, always marked, each rule with its harm where it is wrong."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import NO_STATE, aggregate_tasks, checked_states, share_of
from tpanalytics.measures._core.checks import check_choice, check_whole, checked_week
from tpanalytics.schema import COUNTED_STATES, IMPUTED, NOT_ASSESSED, require
from tpanalytics.typing import ImputeMethod, SameTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.schema import TaskProfiles

__all__ = ["impute_hours"]


#: Fewer tasks with hours are no pool to take an hour from.
_DONORS = 3


def impute_hours(
    profiles: TaskProfiles,
    method: ImputeMethod,
    *,
    states: Sequence[str] = COUNTED_STATES,
    contract_hours: float | None = None,
    same_task: SameTask = "id",
    seed: int | None = None,
) -> TaskProfiles:
    """Put hours where tasks have none, by a rule you choose, and mark each of them.

    Nothing else in the toolkit does so. What no rule reaches stays null; rejected tasks stay as they are. Every figure
    made of the result rests on the rule: show it beside the bounds of `exposure`, never instead of them. No
    column ``coverage`` and no ``data_grade`` counts imputed hours as known; bounds take them as they are, so compute
    bounds from the profiles as they were.

    ==========================  ==========================================================================
    ``equal_residual``          the contract hours a job does not describe, in equal parts over its tasks without
                                hours. Fits where lists of tasks are complete. Where profiles describe 80 % of the
                                week and 10 to 30 % of tasks lack hours, H1 hours come out 16 to 24 % too high; where
                                they describe 115 %, up to 13 % too low. Where nothing is left the task stays null
    ``same_task``               the median hours of the same task; with less than 3 of those of its place in the
                                hierarchy, else of its family and level. Fits shared tasks; pulls towards the typical
                                job
    ``hot_deck``                the hours of one task drawn at random from the same pools. One draw by `seed`: repeat
                                it with m seeds for an interval (see Notes)
    ``validated_scale``         no gap is filled; the stated hours of jobs all of whose tasks have hours are scaled to
                                their contract hours, ``h * C / K``. Fits complete lists with inconsistent totals;
                                hides that they were too long or too short
    ``zero_i_know_what_i_do``   0. Only for tasks proven idle: with 10, 30 or 50 % of hours missing it takes as much
                                away from H1 hours, and more where it is the long tasks that lack hours
    ==========================  ==========================================================================

    Parameters
    ----------
    profiles
        Polars frames. Reads what the measures read, and by method ``contract_hours`` (hours per week) of `jobs`, and
        ``task_id`` or ``task`` and ``hierarchy`` of `tasks`.
    method
        One of the above; there is no default.
    states
        Validation states that count: only such tasks get, give and describe hours.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have; read by ``equal_residual`` and
        ``validated_scale``.
    same_task
        By what two tasks are the same: ``"id"``, or ``"text"`` without case and spacing.
    seed
        Of the draw; ``hot_deck`` needs one.

    Returns
    -------
    TaskProfiles
        The same rows in the same order, with a column ``hours_imputed`` in `tasks`: true where ``weekly_hours`` was
        put in or changed, false where it is as stated. ``tasks.filter("hours_imputed")`` is the table of them.
        ``manifest["imputation"]`` says ``method, rows``, ``hours`` (their sum per week), ``left`` (tasks that count
        and still have none) and what was given; of an earlier round, under ``before``.

    Raises
    ------
    SchemaError
        If an argument is none of its values, frames are not Polars, a column or the contract hours or seed that the
        method needs are missing.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    With m draws the estimate is the mean of the m figures, and its variance the mean of their own variances plus
    ``(1 + 1/m)`` times the variance between them (Rubin, 1987, *Multiple Imputation for Nonresponse in Surveys*).

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> filled = impute_hours(load_sample(), "equal_residual")
    >>> {name: filled.manifest["imputation"][name] for name in ("method", "rows", "left")}
    {'method': 'equal_residual', 'rows': 752, 'left': 8}
    """
    _check(profiles, method, same_task, seed)
    week, states = checked_week(contract_hours), checked_states(states)
    reduced = aggregate_tasks(profiles, states, by_level=False)
    tasks = _with_marks(profiles.tasks.lazy().collect(), states)
    if method in ("equal_residual", "validated_scale"):
        new = _by_contract(tasks, reduced, week, method)
    elif method == "zero_i_know_what_i_do":
        new = tasks.select("row", new=pl.when("_open").then(0.0))
    else:
        new = _by_donors(tasks, reduced, same_task, seed if method == "hot_deck" else None)
    changed = pl.col("new").is_not_null()
    filled = tasks.join(new, on="row", how="left").sort("row")
    done = filled.select(rows=changed.sum(), hours=pl.col("new").sum(), left=(pl.col("_open") & ~changed).sum()).row(
        0, named=True
    )
    said: dict[str, Any] = {"method": method, **done, "states": states}
    if method in ("equal_residual", "validated_scale"):
        said["contract_hours"] = week
    if method in ("same_task", "hot_deck"):
        said["same_task"] = same_task
    if method == "hot_deck":
        said["seed"] = seed
    if "imputation" in profiles.manifest:
        said["before"] = profiles.manifest["imputation"]
    return replace(
        profiles,
        tasks=filled.with_columns(
            pl.coalesce("new", "weekly_hours").alias("weekly_hours"), (pl.col(IMPUTED) | changed).alias(IMPUTED)
        ).drop("row", "new", "_counts", "_open"),
        manifest={**profiles.manifest, "imputation": said},
    )


def _check(profiles: TaskProfiles, method: str, same_task: str, seed: object) -> None:
    """Refuse what is none of the choices."""
    check_choice("method", method, ImputeMethod)
    check_choice("same_task", same_task, SameTask)
    if method == "hot_deck":
        check_whole("seed", seed, "a whole number for method='hot_deck'")
    for name in ("jobs", "tasks"):
        if not isinstance(getattr(profiles, name, None), pl.DataFrame | pl.LazyFrame):
            raise SchemaError(f"impute_hours needs Polars frames, and {name} is none; convert it first.")


def _with_marks(tasks: pl.DataFrame, states: list[str]) -> pl.DataFrame:
    """Add the row number, the mark of what was put in before, which tasks count, and which of those lack hours."""
    marked = pl.col(IMPUTED).fill_null(value=False) if IMPUTED in tasks.columns else pl.lit(value=False)
    counts = pl.col("validation_state").cast(pl.String).fill_null(NO_STATE).is_in(states)
    return (
        tasks.with_columns(pl.col("weekly_hours").cast(pl.Float64).fill_nan(None), _counts=counts, **{IMPUTED: marked})
        .with_columns(_open=pl.col("_counts") & pl.col("weekly_hours").is_null())
        .with_row_index("row")
    )


def _by_contract(tasks: pl.DataFrame, reduced: TaskCounts, week: float | None, method: ImputeMethod) -> pl.DataFrame:
    """Give ``row, new`` by what jobs describe of their contract hours; nothing where those are not known."""
    jobs = reduced.jobs
    known = pl.col("contract_hours") if "contract_hours" in jobs.columns else pl.lit(None, dtype=pl.Float64)
    jobs = jobs.select("job", "job_id", week=known if week is None else known.fill_null(week))
    if jobs.height and jobs.get_column("week").null_count() == jobs.height:
        raise SchemaError(
            f"{method} needs contract hours and no job has any: give contract_hours=..., hours per week, or a column "
            "'contract_hours' of jobs."
        )
    missing = pl.col("n") - pl.col("n_known")
    rest = pl.col("week") - pl.col("hours").fill_null(0.0)
    per_job = reduced.cells.join(jobs, on="job").select(
        "job_id",
        part=pl.when((missing > 0) & (rest > 0)).then(rest / missing),
        # Not the factor itself: it has no end where a job describes next to nothing.
        week=pl.when((missing == 0) & (pl.col("week") != pl.col("hours"))).then("week"),
        described="hours",
    )
    of_row = tasks.select("row", "job_id", "weekly_hours", "_counts", "_open").join(per_job, on="job_id", how="left")
    if method == "equal_residual":
        return of_row.select("row", new=pl.when("_open").then("part"))
    scaled = share_of(pl.col("weekly_hours"), pl.col("described")) * pl.col("week")
    return of_row.select("row", new=pl.when(pl.col("_counts") & (pl.col("weekly_hours") > 0)).then(scaled))


def _by_donors(tasks: pl.DataFrame, reduced: TaskCounts, same_task: SameTask, seed: int | None) -> pl.DataFrame:
    """Give ``row, new`` by tasks that are alike: their median, or one of them drawn at random if there is a seed."""
    require(tasks, "task_id", "task", name="tasks")
    text = pl.col("task").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    place = pl.col("hierarchy").list.last() if "hierarchy" in tasks.columns else pl.lit(None, dtype=pl.String)
    placed = tasks.join(
        reduced.jobs.select("job_id", family="job_family"), on="job_id", how="left", maintain_order="left"
    ).select(
        "row",
        "family",
        hours=pl.col("weekly_hours"),
        key=pl.col("task_id") if same_task == "id" else text,
        place=place,
        level=pl.col("ai_impact_level").cast(pl.String).fill_null(NOT_ASSESSED),
        gives=pl.col("_counts") & pl.col("weekly_hours").is_not_null() & ~pl.col(IMPUTED),
        takes=pl.col("_open"),
        **{name: pl.col(name) for name in ("job_id", "task_id", "task", "validation_state")},
    )
    donors = placed.filter("gives")
    # Drawn in an order that does not hang on that of the rows; equal rows may change places, and are equal.
    takers = placed.filter("takes").sort("job_id", "task_id", "task", "validation_state", "level", nulls_last=True)
    if seed is not None:
        draw = random.Random(seed)  # noqa: S311 - a draw that can be repeated, not a secret
        takers = takers.with_columns(luck=pl.Series([draw.random() for _ in range(takers.height)], dtype=pl.Float64))
    found = []
    for keys in (["key"], ["place"], ["family", "level"]):
        giving = donors.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in keys))
        pools = (
            giving.group_by(keys)
            .agg(median=pl.col("hours").median(), donors=pl.len())
            .filter(pl.col("donors") >= _DONORS)
            .with_row_index("pool")
        )
        offered = takers.join(pools, on=keys, how="left", maintain_order="left")
        if seed is None:
            found.append(offered.get_column("median"))
            continue
        ranked = giving.join(pools.select("pool", *keys), on=keys).select("pool", "hours").sort("pool", "hours")
        ranked = ranked.with_columns(nth=pl.int_range(pl.len()).over("pool"))
        nth = pl.min_horizontal((pl.col("luck") * pl.col("donors")).floor(), pl.col("donors") - 1)
        drawn = offered.select("pool", nth=nth.cast(pl.Int64))
        found.append(drawn.join(ranked, on=["pool", "nth"], how="left", maintain_order="left").get_column("hours"))
    return takers.select("row", new=pl.coalesce(found))
