"""Difference in exposure between two job families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from tpanalytics.errors import ArgumentError, SchemaError
from tpanalytics.measures._core.aggregate import (
    TaskCounts,
    check_hours,
    check_states,
    group_jobs,
    known_sum,
    of_jobs,
    read_inputs,
    sum_tasks,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import weight_warnings
from tpanalytics.measures._core.checks import unknown_group_message
from tpanalytics.measures._core.decomposition import (
    EXCLUDED_NOTE,
    INDEX_DIFFERENCE,
    decompose,
    only_weighted_levels,
    weighted_sums,
)
from tpanalytics.measures._core.groups import BY_FAMILY
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import counted_states, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.measures._core.groups import Groups
    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import By

__all__ = ["NO_CATEGORY", "compare_groups"]

#: Category name for tasks without a category.
NO_CATEGORY = "(no category)"
#: Warn if the two families' coverage differs by more than this.
_MAX_COVERAGE_GAP = 0.05
#: New names for the `decompose` columns. The other family is passed as "before", and the family as "after".
_NAMES = {
    **{f"{name}_after": name for name in ("exposure", "share", "tasks", "coverage")},
    **{f"{name}_before": f"{name}_other" for name in ("exposure", "share", "tasks", "coverage")},
    "change": "difference",
    "entry": "only_family",
    "exit": "only_other",
}


@cached
def compare_groups(
    profiles: TaskProfiles,
    family: str,
    other: str | None = None,
    *,
    category: str,
    by: By = BY_FAMILY,
    level_weights: Mapping[str, float] = WEIGHTS,
    states: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Break down the difference in exposure between two job families by task category.

    Let s be a category's share of a family's weighted hours, and e its exposure index in that family. Categories in
    both families have two contributions (Kitagawa, 1955):

    - within, ``(s_other + s) / 2 * (e - e_other)``, if it is rated differently
    - mix, ``((e_other + e) / 2 - mean) * (s - s_other)``, if its share differs; mean is the index of both families over
      the shared categories

    A category in only one family contributes its share times the difference between its index and that family's index
    over the shared categories. All contributions add up to the total difference.

    Parameters
    ----------
    profiles
        Task profiles. Uses ``job_id, job_family`` from `jobs`, and ``job_id, ai_impact_level, validation_state,
        weekly_hours`` (hours per week) and the `category` from `tasks`.
    family
        Name of the job family, or ``(no job family)``.
    other
        Name of the job family to compare with. If None, compare with all other families.
    by
        Group columns, as in `impact`.
    category
        Column in `tasks` that identifies comparable work, such as ``task_id``, a cluster or a grade. Numbers are
        converted to strings. Tasks without a category are grouped as ``(no category)``.
    level_weights
        Weight of each level, 0 to 1. Levels without a weight count as not assessed.
    states
        Validation states to include. None means ``profiles.manifest["states"]``, or validated and suggested.

    Returns
    -------
    pl.DataFrame
        One row per category in either family, followed by a row with the total. Categories are sorted by total hours in
        both families in descending order, and then by name. If there are no tasks, the result is empty.

        ====================  =======  ============================================================
        ``scope``             String   ``category``, or ``all`` in the last row
        ``category``          String   category; null in the last row
        ``exposure``          Float64  index of the family, 0 to 1; null if no hours have a weight
        ``exposure_other``    Float64  index of the other family
        ``difference``        Float64  ``exposure - exposure_other``
        ``share``             Float64  share of the family's weighted hours, 0 to 1
        ``share_other``       Float64  share of the other family's weighted hours, 0 to 1
        ``within``            Float64  contribution from a different rating
        ``mix``               Float64  contribution from a different share, for categories in both
        ``only_family``       Float64  contribution if only the family has the category
        ``only_other``        Float64  contribution if only the other family has the category
        ``contribution``      Float64  ``within + mix + only_family + only_other``; equals
                                       ``difference`` in the last row
        ``weight_low``        Float64  contribution with an H2 weight of 0
        ``weight_high``       Float64  contribution with an H2 weight of 1
        ``tasks``             UInt32   the family's tasks in the selected states
        ``tasks_other``       UInt32   the other family's tasks in the selected states
        ``coverage``          Float64  share of tasks with documented hours and a weighted level
        ``coverage_other``    Float64  coverage of the other family
        ``reason``            String   why an index is null (``NO_JOBS``, ``NO_TASKS``, ``NO_HOURS``,
                                       ``NO_LEVELS``) or the terms are (``TOO_FEW``: no category in
                                       both families has an index)
        ====================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a required column is missing or `category` has nested values.
    ArgumentError
        If a family does not exist or an argument is invalid.

    Warns
    -----
    TpAnalyticsWarning
        If tasks with an unrecognised validation state are ignored.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> split = compare_groups(load_sample(), "Finance", "Sales", category="task_id")
    >>> split.filter(scope="all").select(pl.col("exposure", "exposure_other", "difference").round(2)).row(0)
    (0.6, 0.48, 0.13)
    """
    level_weights, counted = checked_weights(level_weights), counted_states(states, profiles)
    inputs = read_inputs(profiles, by)
    tasks, columns = inputs.tasks, inputs.columns
    jobs, groups = group_jobs(inputs.jobs, columns)
    if not isinstance(category, str):
        raise ArgumentError(f"`category` must be the name of a column of `tasks`, not {category!r}.")
    require(profiles.tasks, category, name="tasks")
    if isinstance(tasks.collect_schema()[category], nw.List | nw.Array | nw.Struct):
        raise SchemaError(f"`category` must be a column of text or numbers, not the nested column {category!r}.")
    if columns.tasks:
        raise ArgumentError(f"`by` must name columns of the jobs or people, not the task column {columns.tasks[0]!r}.")
    _check_groups(groups, family, other)
    sums = sum_tasks(tasks.with_columns(category=nw.col(category)), "category", "job_id", "level", "state")
    check_hours(tasks, sums)
    check_states(sums, counted)
    in_family = pl.col("group") == family
    in_other = ~in_family if other is None else pl.col("group") == other
    cells = (
        of_jobs(sums.filter(pl.col("state").is_in(counted)), jobs)
        .filter(in_family | in_other)
        .with_columns(pl.col("category").fill_null(NO_CATEGORY))
        .sort("category", "job", "level", "state")
    )
    split = decompose(_sides(cells, jobs, level_weights, in_family=in_family, in_other=in_other), "category")
    result = split.rename(_NAMES).select(
        *("scope", "category", "exposure", "exposure_other", "difference", "share", "share_other", "within", "mix"),
        *("only_family", "only_other", "contribution", "weight_low", "weight_high", "tasks", "tasks_other"),
        *("coverage", "coverage_other", "reason"),
    )
    reduced = _task_counts(cells, jobs.filter(in_family | in_other), counted, groups)
    comparison = "the rest of the company" if other is None else other
    coverage = result.filter(scope="all").select("coverage", "coverage_other").drop_nulls().rows()
    return attach_metadata(
        result,
        meaning_of(
            only_weighted_levels(reduced, level_weights),
            measure="compare_groups",
            value=f"contribution of each {category} to the exposure index of {family} minus that of {comparison}",
            **INDEX_DIFFERENCE,
            level_weights=level_weights,
            policy=(
                f"Tasks are compared by {category}.",
                EXCLUDED_NOTE,
            ),
            warnings=(
                *weight_warnings(level_weights, reduced.cells),
                *(
                    f"Coverage (hours and a weighted level) is {a:.1%} for {family} and {b:.1%} for {comparison}. "
                    "Missing data may explain part of the difference."
                    for a, b in coverage
                    if abs(a - b) > _MAX_COVERAGE_GAP + 1e-12
                ),
            ),
        ),
    )


def _task_counts(rows: pl.DataFrame, jobs: pl.DataFrame, counted: list[str], groups: Groups) -> TaskCounts:
    """Return both groups' tasks in the format used by `aggregate_tasks`."""
    cells = (
        rows.group_by("job", "group", "level", maintain_order=True)
        .agg(pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed"))
        .sort("job", "level")
    )
    states = rows.group_by("state").agg(pl.col("n").sum()).sort("state")
    return TaskCounts(jobs.drop("n_tasks", strict=False), cells, states, counted, groups)


def _check_groups(groups: Groups, family: str, other: str | None) -> None:
    present = groups.table.get_column("group").to_list()
    for name, value in (("family", family), ("other", other)):
        if value not in present and (name == "family" or value is not None):
            raise ArgumentError(f"`{name}`: {unknown_group_message(str(value), present, groups.noun)}.")
    if family == other:
        raise ArgumentError(f"`other` must be a different {groups.noun} or None, not {family!r} again.")


def _sides(
    rows: pl.DataFrame, jobs: pl.DataFrame, level_weights: Mapping[str, float], *, in_family: pl.Expr, in_other: pl.Expr
) -> pl.DataFrame:
    """Join both families' sums by category, with the other family as "before" and the family as "after"."""
    sides = [
        weighted_sums(rows.filter(in_group), level_weights, "category").select(
            "category", pl.exclude("category").name.suffix(side)
        )
        for in_group, side in ((in_other, "_before"), (in_family, "_after"))
    ]
    return (
        sides[0]
        .join(sides[1], on="category", how="full", coalesce=True)
        .with_columns(
            jobs_before=pl.lit(jobs.filter(in_other).height), jobs_after=pl.lit(jobs.filter(in_family).height)
        )
        # Round the hours so that floating-point errors don't affect the order.
        .with_columns(hours=pl.sum_horizontal("weighed_before", "weighed_after").round(9))
        .sort("hours", "category", descending=[True, False], nulls_last=True)
        .drop("hours")
    )
