"""The bridge: why the hours at one level are more or fewer than they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import (
    match_warnings,
    meaning_of_both,
    pull_warnings,
)
from tpanalytics.measures._core.decomposition import why_nothing
from tpanalytics.measures._core.metadata import attach_metadata, grade
from tpanalytics.measures._core.snapshot_pairs import families_last, match_tasks
from tpanalytics.schema import COUNTED_STATES, LEVELS, NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpanalytics.measures._core.aggregate import TaskCounts
    from tpanalytics.measures._core.snapshot_pairs import Pair
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["TERMS", "compare"]

#: What leads from the hours before to the hours after.
TERMS = ("added", "removed", "relevelled", "hours_changed", "newly_measured")


@cached
def compare(
    before: TaskProfiles,
    after: TaskProfiles,
    *,
    level: str = "H1",
    same_task: SameTask = "id",
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Lead from the hours at one level before to those after, by what happened to the tasks.

    ``before + added + removed + relevelled + hours_changed + newly_measured = after`` in every row, a null being
    nothing there. With h the hours of a task and z whether it is at the level (1 or 0), for a task measured on both
    sides (its hours and its level known): relevelled is ``(h1 + h2) / 2 * (z2 - z1)`` and hours changed is
    ``(z1 + z2) / 2 * (h2 - h1)``, which share what both did together evenly. All else is newly measured: a fact about
    the data, not about the work. A missing hour is never a zero: a task that loses its hours has not become short.

    Parameters
    ----------
    before, after
        The two snapshots. Reads ``job_id, job_family`` of `jobs`, and ``job_id, task_id, task, ai_impact_level,
        validation_state, weekly_hours`` (hours per week) of `tasks`.
    level
        The level whose hours are led over: one of H1 to H5, or another that the tasks have.
    same_task
        By what a task of a job is the same before and after: its ``"id"``, or its ``"text"`` without case and spacing.
        Rows of one job that are the same task are one task, by the rule of `_core.task_identity`.
    states
        Validation states that count. A task that was rejected in between counts as removed; see `transitions`
        with ``of="state"``.

    Returns
    -------
    pl.DataFrame
        One row per family of either snapshot by name, ``(no family)`` after them, and then one row of all; no row
        where there is no job. A job that is in both counts on both sides in its family after, so that moving it is no
        change in work. Hours are per week, for one incumbent of each job.

        ============================  =======  ============================================================
        ``scope``                     String   ``family``, or ``all`` for the last row
        ``job_family``                String   the family; null in the row of all
        ``level``                     String   the `level`
        ``before``                    Float64  hours at the level before; null where no task had hours and a level
        ``added``                     Float64  hours of tasks that were not there before
        ``removed``                   Float64  hours of tasks that are not there any more, as 0 or less
        ``relevelled``                Float64  by tasks that came to the level or left it
        ``hours_changed``             Float64  by tasks at the level that got longer or shorter
        ``newly_measured``            Float64  by hours or levels that were or are not known
        ``after``                     Float64  hours at the level after; null where no task has hours and a level
        ``moved``                     Float64  part of ``before`` that jobs brought from the family they were in then,
                                               less what others took along; ``before - moved`` is what
                                               `impact` says of the earlier snapshot where no job repeats a task
        ``jobs_before``               UInt32   jobs before
        ``jobs_after``                UInt32   jobs after
        ``jobs_both``                 UInt32   jobs that are in both
        ``tasks_before``              UInt32   tasks that count before
        ``tasks_after``               UInt32   tasks that count after
        ``tasks_both``                UInt32   tasks of a job that are in both, whatever their level
        ``tasks_both_measured``       UInt32   those of them whose hours and level are known on both sides
        ``tasks_added``               UInt32   tasks that were not there before, whatever their level
        ``tasks_added_unmeasured``    UInt32   those of them without hours; nothing in the bridge tells of them
        ``tasks_removed``             UInt32   tasks that are not there any more, whatever their level
        ``tasks_removed_unmeasured``  UInt32   those of them without hours
        ``churn``                     Float64  tasks added and removed as a share of all tasks of either side, 0 to 1
        ``coverage_before``           Float64  share of the tasks with stated hours and a level before, 0 to 1
        ``coverage_after``            Float64  the same after
        ``data_grade``                String   of the lower coverage: A from 0.9, B from 0.7, C below
        ``reason``                    String   why ``before`` or else ``after`` is null: a word of
                                               `metadata.NONE_BECAUSE`
        ============================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a column is missing, no task has the `level` and it is none of H1 to H5, or `same_task` is none of its
        values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> bridge = compare(load_sample("2026-05"), load_sample("2026-11"))
    >>> bridge.filter(scope="all").select("before", "added", "removed", "newly_measured", "after").row(0)
    (1797.25, 82.75, -97.75, 203.0, 2111.25)
    """
    if not isinstance(level, str) or not level or level == NOT_ASSESSED:
        raise SchemaError(f"level={level!r}: give the level whose hours are led over, like 'H1'.")
    pair = match_tasks(before, after, states, same_task=same_task, level=level)
    if pair.levels and level not in {*LEVELS, *pair.levels}:
        raise SchemaError(f"level={level!r}: no task has it; the tasks have {', '.join(pair.levels)}.")
    families = _by_family(pair, level)
    whole = families.select(
        pl.lit("all").alias("scope"),
        pl.lit(None, dtype=pl.String).alias("job_family"),
        *(pl.col(name).sum() for name in families.columns if name not in ("scope", "job_family")),
    )
    result = _figures(pl.concat([families, whole.head(min(families.height, 1))]), level)
    return attach_metadata(
        result.sort(families_last()),
        meaning_of_both(
            pair.before,
            pair.after,
            measure="compare",
            value=f"hours at {level} before and after, and what lies between them, for one incumbent of each job",
            unit="hours per week",
            basis="hours",
            policy=(
                f"A task is the same before and after if its job and its {'id' if same_task == 'id' else 'text'} are.",
                "Newly measured tells of the data, not of the work: of hours or levels that were or are not known.",
                "Tasks without hours add nothing to hours; they are counted beside the bridge, and are not zero.",
                "A job that is in both counts in its family after.",
                "A task that was rejected in between counts as removed.",
            ),
            warnings=(*pull_warnings(before, after), *match_warnings(pair)),
        ),
    )


def _by_family(pair: Pair, level: str) -> pl.DataFrame:
    """Add up the terms and all counts by family; sums only, so that they add up once more to the row of all."""
    here, there, named = pl.col("n_before").is_not_null(), pl.col("n_after").is_not_null(), pl.col("named")
    both, new, gone = here & there & named, there & ~here & named, here & ~there & named
    measured = both & pl.col("measured_before") & pl.col("measured_after")
    was, now = pl.col("at_before").fill_null(0.0), pl.col("at_after").fill_null(0.0)
    h1, h2 = pl.col("hours_before"), pl.col("hours_after")
    z1, z2 = ((pl.col(f"level_{side}") == level).cast(pl.Float64) for side in ("before", "after"))
    tasks = pair.tasks.join(pair.jobs, on="job_id", how="left", maintain_order="left").with_columns(
        was=was,
        now=now,
        added=pl.when(new).then(now),
        removed=pl.when(gone).then(-was),
        relevelled=pl.when(measured).then((h1 + h2) / 2 * (z2 - z1)),
        hours_changed=pl.when(measured).then((z1 + z2) / 2 * (h2 - h1)),
        newly_measured=pl.when(~(new | gone | measured)).then(now - was),
        brought=pl.when(pl.col("job_family") != pl.col("family_before")).then("at_before"),
    )
    sums = tasks.group_by("job_family", maintain_order=True).agg(
        pl.col("was").sum().alias("before"),
        *(pl.col(term).sum() for term in TERMS),
        pl.col("now").sum().alias("after"),
        pl.col("brought").sum(),
        tasks_both=both.sum(),
        tasks_both_measured=measured.sum(),
        tasks_added=new.sum(),
        tasks_added_unmeasured=(new & (pl.col("n_known_after") < pl.col("n_after"))).sum(),
        tasks_removed=gone.sum(),
        tasks_removed_unmeasured=(gone & (pl.col("n_known_before") < pl.col("n_before"))).sum(),
        tasks_of_either=named.sum(),
    )
    left = tasks.group_by(job_family="family_before").agg(taken=pl.col("brought").sum())
    jobs = pair.jobs.group_by("job_family").agg(
        jobs_before=pl.col("family_before").count(),
        jobs_after=pl.col("family_after").count(),
        jobs_both=(pl.col("family_before").is_not_null() & pl.col("family_after").is_not_null()).sum(),
    )
    families = pl.concat([pair.jobs.get_column("job_family"), pair.jobs.get_column("family_before").drop_nulls()])
    table = pl.DataFrame({"job_family": families.unique().sort()}, schema={"job_family": pl.String})
    for part in (sums, left, jobs, _known(pair.before, pair.jobs, "before"), _known(pair.after, pair.jobs, "after")):
        table = table.join(part, on="job_family", how="left")
    return (
        table.select(pl.lit("family").alias("scope"), pl.all().fill_null(0))
        .with_columns(moved=pl.col("brought") - pl.col("taken"))
        .drop("brought", "taken")
    )


def _known(side: TaskCounts, jobs: pl.DataFrame, when: str) -> pl.DataFrame:
    """Count, in the families of the comparison, the tasks of one snapshot and what is known of them."""
    family = side.jobs.select("job", "job_id").join(jobs, on="job_id", how="left").select("job", "job_family")
    assessed = pl.col("level") != NOT_ASSESSED
    sums = (
        side.cells.drop("job_family")
        .join(family, on="job", how="left")
        .group_by("job_family")
        .agg(
            tasks=pl.col("n").sum(),
            with_hours=pl.col("n_known").sum(),
            with_both=pl.col("n_known").filter(assessed).sum(),
            put_in=pl.col("n_imputed").filter(assessed).sum(),
        )
    )
    return sums.rename({name: f"{name}_{when}" for name in sums.columns if name != "job_family"})


def _figures(sums: pl.DataFrame, level: str) -> pl.DataFrame:
    """Divide what is to be divided, and make null what is not known."""
    known = {when: pl.col(f"with_both_{when}") > 0 for when in ("before", "after")}
    either = known["before"] | known["after"]
    coverage = {
        when: share_of(pl.col(f"with_both_{when}").cast(pl.Float64) - pl.col(f"put_in_{when}"), pl.col(f"tasks_{when}"))
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
        "job_family",
        pl.lit(level).alias("level"),
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
        .then(why_nothing("before", pl.col("with_hours_before") == 0))
        .when(~known["after"])
        .then(why_nothing("after", pl.col("with_hours_after") == 0)),
    )
