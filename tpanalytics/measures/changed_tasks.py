"""The tasks that changed between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.formatting import plural
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import match_warnings, meaning_of_both, pull_warnings
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata
from tpanalytics.measures._core.task_identity import DIGITS
from tpanalytics.measures.compare import TERMS, all_together, match_at_level, with_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.snapshot_pairs import Pair
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["CHANGES", "changed_tasks"]

#: Values of the column ``change``, in order.
CHANGES = ("added", "removed", "re-rated", "re-rated, hours changed", "hours changed", "newly measured")


@cached
def changed_tasks(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """List the tasks that were added, removed, re-rated, newly measured, or changed in hours between two snapshots.

    The last columns show how each task contributed to the change in hours at one AI impact level. Their sums by group
    equal the terms in `compare` with the same arguments. A task that was re-rated between two other levels contributes
    0. Missing hours are excluded, not counted as zero.

    Parameters
    ----------
    before, after
        The two snapshots to compare. Uses ``job_id`` and, if present, ``job_name`` from `jobs`, the columns in `by`,
        and ``job_id, task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Column or columns of the jobs, people or tasks to group by, or None for all jobs together. Jobs in both
        snapshots are listed in their later group. A job in several groups has rows in each of them.
    level
        AI impact level of the last columns.
    same_task
        Match the tasks of a job by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are
        compared. Matching rows of the same job are merged and their hours added up.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
        Tasks that have since been rejected count as removed.

    Returns
    -------
    pl.DataFrame
        One row per changed task, sorted by group, job and change. Hours are per week, for one incumbent per job.

        ==================  =======  ===================================================================
        (group)             String   the columns in `by`
        ``job_id``          String   job id
        ``job_name``        String   job name, the later one if it changed, or the id if there is none
        ``task_id``         String   task id; null if tasks are matched by text
        ``task``            String   task; null in the row of a job's tasks that have no id (or text)
        ``change``          String   ``added``, ``removed``, ``re-rated``, ``re-rated, hours changed``,
                                     ``hours changed``, or ``newly measured``: hours or levels missing in one snapshot
        ``level_before``    String   level before; null if missing or conflicting
        ``level_after``     String   level after; null if missing or conflicting
        ``hours_before``    Float64  hours before; null if missing
        ``hours_after``     Float64  hours after; null if missing
        ``added``           Float64  hours at `level` of an added task; null for other changes
        ``removed``         Float64  hours at `level` of a removed task, 0 or negative
        ``relevelled``      Float64  change in hours at `level` because the task was re-rated
        ``hours_changed``   Float64  change in hours at `level` because its hours changed
        ``newly_measured``  Float64  change in hours at `level` from missing hours or levels
        ==================  =======  ===================================================================

    Raises
    ------
    SchemaError
        If a required column is missing.
    ArgumentError
        If `level` is neither H1 to H5 nor a level of the tasks, or another argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> changed = changed_tasks(load_sample("2026-05"), load_sample("2026-11"))
    >>> finance = changed.filter(job_family="Finance")
    >>> finance.group_by("change").len().sort("change").head(3).rows()
    [('added', 25), ('hours changed', 26), ('newly measured', 16)]
    """
    pair = match_at_level(before, after, states, by=by, same_task=same_task, level=level)
    everything = all_together(pair, before, after, states, same_task=same_task, level=level)
    tasks = with_terms(pair.tasks, level).with_columns(change=_change())
    named = pair.groups.named(_named_rows(tasks.filter(pl.col("change").is_not_null()), pair))
    result = named.sort([f"order {name}" for name in ("group", "job", "change", "task")], nulls_last=True)
    result = result.drop("^order .*$")
    return attach_metadata(
        result,
        meaning_of_both(
            everything.before,
            everything.after,
            columns=pair.groups.columns,
            measure="changed_tasks",
            value=f"changed tasks, and their part in the change in hours at {level}, for one incumbent of each job",
            unit="hours per week",
            basis="hours",
            policy=(
                f"Tasks are matched by job and {pair.matched_by}.",
                _summary(result),
                "The sums of the last columns equal the terms of `compare`.",
                "Newly measured tasks have hours or levels missing in one snapshot, and are not changes in the work.",
                "Missing hours are excluded, not counted as zero.",
                f"Jobs in both snapshots are counted in their {pair.groups.noun} of the later one.",
            ),
            warnings=(*pull_warnings(before, after), *match_warnings(everything)),
        ),
    )


def _summary(result: pl.DataFrame) -> str:
    """Count the changed tasks, in total and by kind of change."""
    counts = dict(result.group_by("change").len().rows())
    kinds = [f"{counts[change]:,} {change.replace(', ', ' with ')}" for change in CHANGES if change in counts]
    return f"{plural(result.height, 'changed task')}{': ' * bool(kinds)}{', '.join(kinds)}."


def _change() -> pl.Expr:
    """Return how a task changed, or null if it did not."""
    relevelled = pl.col("level_before").ne_missing(pl.col("level_after"))
    # Sums of floats depend on the order of rows.
    same_hours = pl.col("hours_before").round(DIGITS).eq_missing(pl.col("hours_after").round(DIGITS))
    other = relevelled | ~same_hours | pl.col("measured_before").ne_missing(pl.col("measured_after"))
    other |= (pl.col("now") - pl.col("was")).round(DIGITS) != 0
    return (
        pl.when("is_added")
        .then(pl.lit("added"))
        .when("is_removed")
        .then(pl.lit("removed"))
        .when(pl.col("is_measured") & relevelled & ~same_hours)
        .then(pl.lit("re-rated, hours changed"))
        .when(pl.col("is_measured") & relevelled)
        .then(pl.lit("re-rated"))
        .when(pl.col("is_measured") & ~same_hours)
        .then(pl.lit("hours changed"))
        .when(~pl.col("is_measured").fill_null(value=False) & other)
        .then(pl.lit("newly measured"))
    )


def _named_rows(tasks: pl.DataFrame, pair: Pair) -> pl.DataFrame:
    """Add the group, the names of job and task, and the columns to sort by."""
    jobs = pl.concat([_job_names(side.jobs) for side in (pair.after, pair.before)]).unique("job_id", keep="first")
    texts = pl.concat([pair.texts[1], pair.texts[0]]).unique("name", keep="first", maintain_order=True)
    own = [name for name in ("job_id", "job_name") if name not in pair.groups.table.columns]
    rows = (
        tasks.join(pair.jobs.select("job_id", "group"), on="job_id", how="left", maintain_order="left")
        .join(jobs, on="job_id", how="left", maintain_order="left")
        .join(texts, on="name", how="left", maintain_order="left")
    )
    task_id = pl.col("name") if pair.matched_by == "id" else pl.lit(None, dtype=pl.String)
    named = pl.col("named")
    return rows.select(
        "group",
        *({"job_id": pl.col("plain_id").alias("job_id"), "job_name": pl.col("job_name")}[name] for name in own),
        *(pl.when(named).then(task_id).alias("task_id"), pl.when(named).then("task").alias("task"), "change"),
        *("level_before", "level_after", "hours_before", "hours_after", *TERMS),
        pair.groups.order.alias("order group"),
        pl.col("job_id").alias("order job"),
        pl.col("change").replace_strict(CHANGES, range(len(CHANGES)), return_dtype=pl.UInt8).alias("order change"),
        pl.col("name").alias("order task"),
    )


def _job_names(jobs: pl.DataFrame) -> pl.DataFrame:
    # The id of a job in several groups is followed by the group.
    plain = pl.col("job_id").str.split("\0").list.first()
    name = pl.coalesce("job_name", plain) if "job_name" in jobs.columns else plain
    return jobs.select("job_id", plain_id=plain, job_name=name.cast(pl.String))
