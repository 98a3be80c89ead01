"""Overlap between job families in tasks and hours."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.scenario import undocumented_hours
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, task_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By, SameTask

__all__ = ["order_by_similarity", "overlap"]


@cached
def overlap(
    profiles: TaskProfiles,
    *,
    by: By = BY_FAMILY,
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Compute how much each pair of job families overlaps in tasks and hours.

    Shared tasks without hours in one of the families are included in the task shares and ``shared_without_hours``, but
    excluded from the hour shares. Hour shares are null if a family has no hours, or if there are shared tasks but none
    have hours in both families.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` and, if present, ``contract_hours`` (hours per week) from `jobs`, and
        ``job_id, task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) from `tasks`.
    by
        Group columns: a column of the jobs, people or tasks, several of them, ``"job_id"``, or None for all jobs
        together. A job counts once in every group that has it, so groups by a column of people or tasks overlap. With a
        column of tasks, these are the groups where it has such a task. Jobs without people are in a group such as
        ``(no country)``.
    same_task
        Match tasks by ``"id"``, or by ``"text"`` ignoring case and whitespace. Without ids, texts are compared.
        Matching rows of the same job are merged. Differently worded tasks do not match, so the overlap is a lower
        bound.
    contract_hours
        Weekly contract hours to assume for jobs without any. This only affects the bounds. If None, nothing is assumed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per unordered pair of families, sorted by name with ``(no job family)`` last. Each task counts once per
        family, with hours summed over the family's jobs (one incumbent per job). Shares range from 0 to 1.

        ========================  =======  ===============================================================
        ``group_a``              String   first job family
        ``group_b``              String   second job family
        ``tasks_a``               UInt32   distinct tasks in the first family
        ``tasks_b``               UInt32   distinct tasks in the second family
        ``tasks_shared``          UInt32   distinct tasks in both families
        ``shared_without_hours``  UInt32   shared tasks without hours in at least one of the families
        ``jaccard``               Float64  ``tasks_shared / (tasks_a + tasks_b - tasks_shared)``
        ``sorensen``              Float64  ``2 tasks_shared / (tasks_a + tasks_b)``
        ``ruzicka``               Float64  ``Σ min(a, b) / Σ max(a, b)`` of the hours per task; depends on family size
        ``ruzicka_low``           Float64  lower bound, allowing for undocumented contract hours; null if they are
                                           missing
        ``ruzicka_high``          Float64  upper bound; the bounds are not always sharp
        ``cosine``                Float64  cosine similarity of the shares of hours per task; independent of family size
        ``containment_a_in_b``    Float64  share of the first family's hours in shared tasks
        ``containment_b_in_a``    Float64  share of the second family's hours in shared tasks
        ``reason``                String   why figures are null: ``NO_TASKS``, ``NO_HOURS`` or
                                           ``NO_CONTRACT_HOURS``
        ========================  =======  ===============================================================

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

    Notes
    -----
    The indices are from Jaccard (1901), Sørensen (1948) and Ružička (1958). For the bounds, let a and b be a task's
    documented hours in the two families (0 if missing), and let R be the undocumented contract hours of all jobs in
    both families that have missing hours. With ``m = Σ min(a, b)`` and ``M = Σ max(a, b)``, the index is between
    ``m / (M + R)`` and ``(m + R) / M``. Since ``ruzicka`` excludes shared tasks that have no hours in one family, it
    can exceed the upper bound if R is 0.

    Examples
    --------
    >>> from tpanalytics import overlap, load_sample
    >>> table = overlap(load_sample()).sort("jaccard", descending=True)
    >>> table.select("group_a", "group_b", "tasks_shared", pl.col("jaccard").round(3)).row(0)
    ('Research and Development', '(no job family)', 52, 0.371)
    """
    matrix = task_matrix(profiles, states, same_task, by=by)
    rest, week_notes = undocumented_hours(matrix.reduced, contract_hours)
    groups = _groups(matrix, rest)
    columns = groups.select("number", "group", "tasks", "hours", "squares", "rest", "no_week")
    left = columns.rename(lambda name: f"{name}_a")
    right = columns.rename(lambda name: f"{name}_b")
    by_task = _by_task(matrix, groups)
    empty = pl.DataFrame(schema={"number_a": pl.UInt32, "number_b": pl.UInt32} | dict.fromkeys(_SHARED, pl.Float64))
    shared = pl.concat([empty, *(_shared_with(by_task, number) for number in groups.get_column("number"))])
    pairs = (
        left.join(right, how="cross")
        .filter(pl.col("number_a") < pl.col("number_b"))
        .join(shared, on=["number_a", "number_b"], how="left")
        .with_columns(pl.col(name).fill_null(0) for name in _SHARED)
        .sort("number_a", "number_b")
    )
    result = pairs.select(
        *("group_a", "group_b"),
        *(pl.col(name).cast(pl.UInt32) for name in ("tasks_a", "tasks_b")),
        *(pl.col(name).cast(pl.UInt32) for name in ("tasks_shared", "shared_without_hours")),
        **_figures(),
    )
    return attach_metadata(
        result,
        meaning_of(
            matrix.reduced,
            covered="hours",
            measure="overlap",
            value="overlap of two groups in tasks and in hours",
            unit="share, 0 to 1",
            basis="task and hours",
            policy=(
                f"Each task counts once per {matrix.reduced.groups.noun}; hours are for one incumbent of each job.",
                "Shared tasks without hours in one of the groups are excluded from shares of hours, not set to zero.",
            ),
            warnings=(
                "Differently worded tasks do not match, so the overlap is a lower bound.",
                *week_notes,
                *matrix.warnings,
            ),
        ),
    )


_SHARED = (
    "tasks_shared",
    "shared_without_hours",
    "known_a",
    "known_b",
    "min_hours",
    "excluded_hours",
    "product",
    "a_in_b",
    "b_in_a",
)


def _groups(matrix: TaskMatrix, rest: pl.DataFrame) -> pl.DataFrame:
    """Assign each family a number, and add its distinct tasks, hours and undocumented contract hours."""
    jobs = matrix.reduced.jobs
    open_jobs = (
        matrix.reduced.cells.filter(pl.col("n_known") < pl.col("n"))
        .select(pl.col("job").unique())
        .join(rest, on="job", how="left")
        .join(jobs.select("job", "group"), on="job", how="left")
        .sort("job")
        .group_by("group", maintain_order=True)
        .agg(pl.col("rest").sum(), no_week=pl.col("rest").null_count())
    )
    groups = matrix.reduced.groups.table.select("group").with_row_index("number")
    sums = (
        _by_task(matrix, groups)
        .group_by("number", maintain_order=True)
        .agg(tasks=pl.len(), hours=pl.col("hours").sum(), squares=(pl.col("share") ** 2).sum())
    )
    return (
        groups.join(sums, on="number", how="left", maintain_order="left")
        .join(open_jobs, on="group", how="left", maintain_order="left")
        .with_columns(pl.col(name).fill_null(0) for name in ("tasks", "hours", "squares", "rest", "no_week"))
    )


def _by_task(matrix: TaskMatrix, groups: pl.DataFrame) -> pl.DataFrame:
    """Return each task's hours and share of the family's hours, both null if hours are missing."""
    jobs = matrix.reduced.jobs.select("job", "group").join(groups.select("number", "group"), on="group", how="left")
    return (
        matrix.rows.select("key", "job", "hours")
        .join(jobs.select("job", "number"), on="job", how="left", maintain_order="left")
        .group_by("number", "key", maintain_order=True)
        .agg(hours=known_sum("hours"))
        .sort("number", "key")
        .with_columns(share=share_of(pl.col("hours"), pl.col("hours").sum().over("number")))
    )


def _shared_with(by_task: pl.DataFrame, number: int) -> pl.DataFrame:
    """Compare a single family with all later groups. Handling one family at a time limits memory use."""
    in_both = pl.col("hours").is_not_null() & pl.col("hours_b").is_not_null()
    hours_a, hours_b = pl.col("hours").fill_null(0.0), pl.col("hours_b").fill_null(0.0)
    return (
        by_task.filter(pl.col("number") > number)
        .rename({"number": "number_b", "hours": "hours_b", "share": "share_b"})
        .join(
            by_task.filter(pl.col("number") == number).drop("number"),
            on="key",
            how="inner",
            maintain_order="left",
        )
        .group_by("number_b", maintain_order=True)
        .agg(
            tasks_shared=pl.len(),
            shared_without_hours=(~in_both).sum(),
            known_a=pl.col("hours").count(),
            known_b=pl.col("hours_b").count(),
            min_hours=pl.min_horizontal(hours_a, hours_b).sum(),
            excluded_hours=pl.max_horizontal(hours_a, hours_b).filter(~in_both).sum(),
            product=(pl.col("share") * pl.col("share_b")).sum(),
            a_in_b=hours_a.sum(),
            b_in_a=hours_b.sum(),
        )
        .select(
            pl.lit(number, dtype=pl.UInt32).alias("number_a"),
            "number_b",
            *(pl.col(name).cast(pl.Float64) for name in _SHARED),
        )
    )


def _figures() -> dict[str, pl.Expr]:
    shared, a, b = pl.col("tasks_shared"), pl.col("tasks_a"), pl.col("tasks_b")
    hours_a, hours_b = pl.col("hours_a"), pl.col("hours_b")
    min_hours = pl.col("min_hours")
    # This works because min(a, b) + max(a, b) == a + b.
    max_hours = hours_a + hours_b - min_hours
    included = max_hours - pl.col("excluded_hours")
    rest = pl.when((pl.col("no_week_a") + pl.col("no_week_b")) == 0).then(pl.col("rest_a") + pl.col("rest_b"))
    high = pl.when(max_hours > 0).then(((min_hours + rest) / max_hours).clip(upper_bound=1.0))
    has_tasks, has_hours = (a > 0) & (b > 0), (hours_a > 0) & (hours_b > 0)
    # If no shared task has hours in both groups, the overlap in hours is unknown rather than 0.
    comparable = (shared == 0) | (pl.col("shared_without_hours") < shared)
    measured = has_hours & comparable & (included.round(DIGITS) > 0)
    # If there are no shared tasks, the overlap is 0 even if contract hours are missing.
    disjoint = has_hours & (shared == 0)
    unbounded = ((pl.col("no_week_a") + pl.col("no_week_b")) > 0) & ~disjoint
    reason = pl.when(~has_tasks).then(pl.lit("NO_TASKS")).when(~measured).then(pl.lit("NO_HOURS"))
    norms = (pl.col("squares_a") * pl.col("squares_b")).sqrt()
    return {
        "jaccard": pl.when(has_tasks).then(share_of(shared, a + b - shared)),
        "sorensen": pl.when(has_tasks).then(share_of(2 * shared, a + b)),
        "ruzicka": pl.when(measured).then((min_hours / included).clip(upper_bound=1.0)),
        "ruzicka_low": pl.when(disjoint).then(0.0).when(has_tasks).then(share_of(min_hours, max_hours + rest)),
        "ruzicka_high": pl.when(disjoint).then(0.0).when(has_tasks).then(high.otherwise(pl.when(rest > 0).then(1.0))),
        "cosine": pl.when(has_hours & comparable).then((pl.col("product") / norms).clip(upper_bound=1.0)),
        "containment_a_in_b": pl.when(has_tasks & ((shared == 0) | (pl.col("known_a") > 0))).then(
            share_of(pl.col("a_in_b"), hours_a)
        ),
        "containment_b_in_a": pl.when(has_tasks & ((shared == 0) | (pl.col("known_b") > 0))).then(
            share_of(pl.col("b_in_a"), hours_b)
        ),
        "reason": reason.when(unbounded).then(pl.lit("NO_CONTRACT_HOURS")),
    }


def order_by_similarity(groups: Sequence[str], similarities: Mapping[tuple[str, str], float]) -> list[str]:
    """Sort the groups greedily, so similar groups are next to each other.

    >>> order_by_similarity(["A", "B", "C", "D"], {("A", "C"): 0.5, ("B", "C"): 0.2, ("B", "D"): 0.3})
    ['A', 'C', 'B', 'D']
    """

    def similarity(a: str, b: str) -> float:
        return similarities.get((a, b), similarities.get((b, a), 0.0))

    remaining = list(groups)
    pairs = list(combinations(remaining, 2))
    if not pairs:
        return remaining
    ordered = list(max(pairs, key=lambda pair: similarity(*pair)))
    remaining = [family for family in remaining if family not in ordered]
    while remaining:
        first, last = (max(remaining, key=lambda family: similarity(ordered[end], family)) for end in (0, -1))
        if similarity(ordered[0], first) > similarity(ordered[-1], last):
            ordered.insert(0, first)
            remaining.remove(first)
        else:
            ordered.append(last)
            remaining.remove(last)
    return ordered
