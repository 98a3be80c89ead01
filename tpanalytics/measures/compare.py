"""Change in weekly hours at an AI impact level between two snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import ArgumentError
from tpanalytics.measures._core.aggregate import share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import (
    match_warnings,
    meaning_of_both,
    pull_warnings,
)
from tpanalytics.measures._core.decomposition import missing_difference_reason
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.snapshot_pairs import match_tasks, total_last
from tpanalytics.schema import LEVELS, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.snapshot_pairs import Pair
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["TERMS", "all_together", "compare", "match_at_level", "with_terms"]

#: Columns that add up to the change from before to after.
TERMS = ("added", "removed", "relevelled", "hours_changed", "newly_measured")


@cached
def compare(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Break down the change in hours at an AI impact level between two snapshots.

    Every row satisfies ``before + added + removed + relevelled + hours_changed + newly_measured = after`` if nulls are
    replaced by 0. Let h be a task's hours, and let z be 1 if the task is at the level and 0 otherwise. For tasks whose
    hours and level are known in both snapshots, ``relevelled`` is ``(h1 + h2) / 2 * (z2 - z1)`` and ``hours_changed``
    is ``(z1 + z2) / 2 * (h2 - h1)``. Except for added and removed tasks, all other changes count as ``newly_measured``.
    These come from hours or levels missing in one of the snapshots, so they reflect the data rather than the work.
    Missing hours are excluded, not counted as zero.

    Parameters
    ----------
    before, after
        The two snapshots to compare. Uses ``job_id, job_family`` from `jobs`, and ``job_id, task_id, task,
        ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns, as in `impact`. A job in several groups, as with a column of people, is matched in each of them.
        The total counts it once, so the rows of groups do not add up to the total.
    level
        AI impact level, either H1 to H5 or any other level in the data.
    same_task
        Match the tasks of a job by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are
        compared. Matching rows of the same job are merged and their hours added up. Conflicting levels count as not
        assessed unless the validated rows agree.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.
        Tasks that have since been rejected count as removed. To see them, use
        `transitions` with ``of="state"``.

    Returns
    -------
    pl.DataFrame
        One row per group in either snapshot, sorted by name with ``(no job family)`` last, followed by a row with the
        total. Jobs in both snapshots are listed under their later family, so moving a job to another family does not
        count as a change. Hours are per week, for one incumbent per job. If there are no jobs, the result is empty.

        ============================  =======  ============================================================
        ``scope``                     String   ``group``, or ``all`` in the last row
        ``job_family``                String   the columns in `by`; null in the last row
        ``ai_impact_level``           String   the `level`
        ``before``                    Float64  hours at the level before; null if no task had hours and a level
        ``added``                     Float64  hours of added tasks
        ``removed``                   Float64  hours of removed tasks, 0 or negative
        ``relevelled``                Float64  change from tasks re-rated to or from the level
        ``hours_changed``             Float64  change in the hours of tasks at the level
        ``newly_measured``            Float64  change from hours or levels missing in one snapshot
        ``after``                     Float64  hours at the level after; null if no task has hours and a level
        ``moved``                     Float64  ``before`` hours of jobs that joined the family, minus those of
                                               jobs that left it; if no tasks are repeated, ``before - moved``
                                               equals the hours that `impact` reports for the earlier snapshot
        ``jobs_before``               UInt32   jobs before
        ``jobs_after``                UInt32   jobs after
        ``jobs_both``                 UInt32   jobs in both snapshots
        ``tasks_before``              UInt32   tasks before, in the selected states
        ``tasks_after``               UInt32   tasks after, in the selected states
        ``tasks_both``                UInt32   tasks in both snapshots, at any level
        ``tasks_both_measured``       UInt32   tasks with known hours and level in both snapshots
        ``tasks_added``               UInt32   added tasks, at any level
        ``tasks_added_unmeasured``    UInt32   added tasks without hours, which do not contribute to ``added``
        ``tasks_removed``             UInt32   removed tasks, at any level
        ``tasks_removed_unmeasured``  UInt32   removed tasks without hours
        ``churn``                     Float64  added and removed tasks as a share of the tasks in either snapshot
        ``coverage_before``           Float64  share of tasks with documented hours and a level before, 0 to 1
        ``coverage_after``            Float64  share of tasks with documented hours and a level after, 0 to 1
        ``data_grade``                String   grade of the lower coverage: A (at least 0.9), B (at least 0.7) or C
        ``reason``                    String   why ``before`` or ``after`` is null: ``NO_JOBS``, ``NO_TASKS``,
                                               ``NO_HOURS`` or ``NO_LEVELS``
        ============================  =======  ============================================================

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
    >>> bridge = compare(load_sample("2026-05"), load_sample("2026-11"))
    >>> bridge.filter(scope="all").select("before", "added", "removed", "newly_measured", "after").row(0)
    (1797.25, 82.75, -97.75, 203.0, 2111.25)
    """
    pair = match_at_level(before, after, states, by=by, same_task=same_task, level=level)
    groups = company = _by_group(pair, level)
    everything = all_together(pair, before, after, states, same_task=same_task, level=level)
    if everything is not pair:
        company = _by_group(everything, level)
    total = company.select(
        pl.lit("all").alias("scope"),
        pl.lit(None, dtype=pl.String).alias("group"),
        *(pl.col(name).sum() for name in groups.columns if name not in ("scope", "group")),
    )
    parts = [groups] if pair.groups.columns.by else []
    result = _figures(pl.concat([*parts, total.head(min(company.height, 1))]), level)
    return attach_metadata(
        pair.groups.named(result.sort(total_last(pair.groups))),
        meaning_of_both(
            everything.before,
            everything.after,
            columns=pair.groups.columns,
            measure="compare",
            value=f"hours at {level} before and after, and the causes of the change, for one incumbent of each job",
            unit="hours per week",
            basis="hours",
            policy=(
                f"Tasks are matched by job and {pair.matched_by}.",
                "Newly measured hours reflect hours or levels missing in one snapshot, not changes in the work.",
                "Missing hours are excluded, not counted as zero.",
                f"Jobs in both snapshots are counted in their {pair.groups.noun} of the later one.",
                "Tasks that were rejected in the meantime count as removed.",
            ),
            warnings=(*pull_warnings(before, after), *match_warnings(everything)),
        ),
    )


def match_at_level(
    before: TaskProfiles, after: TaskProfiles, states: Sequence[str] | None, *, by: By, same_task: SameTask, level: str
) -> Pair:
    """Match the tasks of two snapshots. Raise an error if the level is neither H1 to H5 nor a level of the tasks."""
    if not isinstance(level, str) or not level or level == NOT_ASSESSED:
        raise ArgumentError(f"`level` must be an AI impact level like 'H1', not {level!r}.")
    pair = match_tasks(before, after, states, by=by, same_task=same_task, level=level)
    if pair.levels and level not in {*LEVELS, *pair.levels}:
        raise ArgumentError(
            f"`level` must be a level of the tasks ({', '.join(map(repr, pair.levels))}), not {level!r}."
        )
    return pair


def all_together(
    pair: Pair,
    before: TaskProfiles,
    after: TaskProfiles,
    states: Sequence[str] | None,
    *,
    same_task: SameTask,
    level: str,
) -> Pair:
    """Return the pair for all jobs together if groups overlap, in which each job and task counts once."""
    if not pair.groups.columns.overlap:
        return pair
    return match_at_level(before, after, states, by=None, same_task=same_task, level=level)


def _positive_zero(term: pl.Expr) -> pl.Expr:
    # Polars removes `+ 0.0` from expressions.
    return pl.when(term == 0).then(0.0).otherwise(term)


def with_terms(tasks: pl.DataFrame, level: str) -> pl.DataFrame:
    """Add each task's `TERMS`, its hours at the level (``was``, ``now``), and how it changed (``is_added`` ...)."""
    in_before, in_after, named = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null(), pl.col("named")
    both, added, removed = in_before & in_after & named, in_after & ~in_before & named, in_before & ~in_after & named
    measured = both & pl.col("measured_before") & pl.col("measured_after")
    was, now = pl.col("at_before").fill_null(0.0), pl.col("at_after").fill_null(0.0)
    h1, h2 = pl.col("hours_before"), pl.col("hours_after")
    z1, z2 = ((pl.col(f"level_{side}") == level).cast(pl.Float64) for side in ("before", "after"))
    return tasks.with_columns(
        was=was,
        now=now,
        added=pl.when(added).then(now),
        removed=pl.when(removed).then(_positive_zero(-was)),
        relevelled=pl.when(measured).then(_positive_zero((h1 + h2) / 2 * (z2 - z1))),
        hours_changed=pl.when(measured).then(_positive_zero((z1 + z2) / 2 * (h2 - h1))),
        newly_measured=pl.when(~(added | removed | measured)).then(now - was),
        is_added=added,
        is_removed=removed,
        is_both=both,
        is_measured=measured,
    )


def _by_group(pair: Pair, level: str) -> pl.DataFrame:
    """Return the sums for each family, from which the totals are computed."""
    added, removed, both, measured = (pl.col(f"is_{name}") for name in ("added", "removed", "both", "measured"))
    tasks = with_terms(pair.tasks, level).join(pair.jobs, on="job_id", how="left", maintain_order="left")
    tasks = tasks.with_columns(moved_in=pl.when(pl.col("group") != pl.col("family_before")).then("at_before"))
    sums = tasks.group_by("group", maintain_order=True).agg(
        pl.col("was").sum().alias("before"),
        *(pl.col(term).sum() for term in TERMS),
        pl.col("now").sum().alias("after"),
        pl.col("moved_in").sum(),
        tasks_both=both.sum(),
        tasks_both_measured=measured.sum(),
        tasks_added=added.sum(),
        tasks_added_unmeasured=(added & (pl.col("n_known_after") < pl.col("n_after"))).sum(),
        tasks_removed=removed.sum(),
        tasks_removed_unmeasured=(removed & (pl.col("n_known_before") < pl.col("n_before"))).sum(),
        tasks_of_either=pl.col("named").sum(),
    )
    leavers = tasks.group_by(group="family_before").agg(moved_out=pl.col("moved_in").sum())
    jobs = pair.jobs.group_by("group").agg(
        jobs_before=pl.col("family_before").count(),
        jobs_after=pl.col("family_after").count(),
        jobs_both=(pl.col("family_before").is_not_null() & pl.col("family_after").is_not_null()).sum(),
    )
    families = pl.concat([pair.jobs.get_column("group"), pair.jobs.get_column("family_before").drop_nulls()])
    table = pl.DataFrame({"group": families.unique().sort()}, schema={"group": pl.String})
    for part in (
        sums,
        leavers,
        jobs,
        _counts(pair.before, pair.jobs, "before"),
        _counts(pair.after, pair.jobs, "after"),
    ):
        table = table.join(part, on="group", how="left")
    return (
        table.select(pl.lit("group").alias("scope"), pl.all().fill_null(0))
        .with_columns(moved=pl.col("moved_in") - pl.col("moved_out"))
        .drop("moved_in", "moved_out")
    )


def _counts(side: TaskCounts, jobs: pl.DataFrame, when: str) -> pl.DataFrame:
    """Count a snapshot's tasks by family, and those with hours and a level."""
    family = side.jobs.select("job", "job_id").join(jobs, on="job_id", how="left").select("job", "group")
    assessed = pl.col("level") != NOT_ASSESSED
    sums = (
        side.cells.drop("group")
        .join(family, on="job", how="left")
        .group_by("group")
        .agg(
            tasks=pl.col("n").sum(),
            with_hours=pl.col("n_known").sum(),
            with_both=pl.col("n_known").filter(assessed).sum(),
            imputed=pl.col("n_imputed").filter(assessed).sum(),
        )
    )
    return sums.rename({name: f"{name}_{when}" for name in sums.columns if name != "group"})


def _figures(sums: pl.DataFrame, level: str) -> pl.DataFrame:
    """Compute shares from the sums, and set the sums of unknown hours to null."""
    known = {when: pl.col(f"with_both_{when}") > 0 for when in ("before", "after")}
    either = known["before"] | known["after"]
    coverage = {
        when: share_of(
            pl.col(f"with_both_{when}").cast(pl.Float64) - pl.col(f"imputed_{when}"), pl.col(f"tasks_{when}")
        )
        for when in known
    }
    counts = [
        *(f"{what}_{when}" for what in ("jobs", "tasks") for when in ("before", "after", "both")),
        "tasks_both_measured",
        *(f"tasks_{what}{rest}" for what in ("added", "removed") for rest in ("", "_unmeasured")),
    ]
    changed = pl.col("tasks_added") + pl.col("tasks_removed")
    return sums.select(
        "scope",
        "group",
        pl.lit(level).alias("ai_impact_level"),
        pl.when(known["before"]).then("before"),
        *(pl.when(either).then(pl.col(term)) for term in TERMS),
        pl.when(known["after"]).then("after"),
        "moved",
        *(pl.col(name).cast(pl.UInt32) for name in counts),
        churn=share_of(changed.cast(pl.Float64), pl.col("tasks_of_either")),
        coverage_before=coverage["before"],
        coverage_after=coverage["after"],
        data_grade=grade(pl.min_horizontal(coverage["before"], coverage["after"])),
        reason=pl.when(~known["before"])
        .then(missing_difference_reason("before", pl.col("with_hours_before") == 0))
        .when(~known["after"])
        .then(missing_difference_reason("after", pl.col("with_hours_after") == 0)),
    )
