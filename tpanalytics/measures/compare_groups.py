"""Why one family is more exposed than another: other work, or the same work rated otherwise."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from tpanalytics.errors import SchemaError
from tpanalytics.measures._core.aggregate import (
    TaskCounts,
    check_hours,
    check_states,
    checked_states,
    known_sum,
    of_jobs,
    read_inputs,
    sum_tasks,
)
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.change_notes import weight_warnings
from tpanalytics.measures._core.decomposition import INDEX_DIFFERENCE, LEFT_OUT, decompose, weighed_by, with_weight
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.weights import WEIGHTS, checked_weights
from tpanalytics.schema import COUNTED_STATES, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles

__all__ = ["NO_CATEGORY", "compare_groups"]

#: How tasks without a category are called.
NO_CATEGORY = "(no category)"
#: The coverage of two families that is further apart makes them two measurements.
_COVERAGE_APART = 0.05
#: How the columns of `decompose` are called here: the other family is what is before, the family what is after.
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
    level_weights: Mapping[str, float] = WEIGHTS,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Split the difference in exposure between two families into other work, and the same work rated otherwise.

    With s the share of a category among a family's hours and e its index there, a category of both adds within,
    ``(s_other + s) / 2 * (e - e_other)``: it is rated otherwise; and mix, ``((e_other + e) / 2 - the mean of both
    families over such categories) * (s - s_other)``: there is more or less of it (Kitagawa, 1955). A category that
    only one of them has adds the difference of its index to that family's mean over the shared ones, times its share.
    All contributions add up to the difference.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` of `jobs`, and ``job_id, ai_impact_level, validation_state, weekly_hours`` (hours
        per week) and the `category` of `tasks`.
    family
        The family, as `jobs` have it, or ``(no family)``.
    other
        The family it is compared with; None takes the rest of the company, without the family itself.
    category
        The column of `tasks` that says what work is the same, such as ``task_id``, or a cluster or grade of your own;
        numbers count as text. Tasks without one are a category of their own, ``(no category)``.
    level_weights
        Weight of each level, 0 to 1. A level that is not among them counts as unknown.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per category of either, most hours in both together first, ties by name; then one row of all; no row
        where neither has a task that counts.

        ====================  =======  ============================================================
        ``scope``             String   ``category``, or ``all`` for the last row
        ``category``          String   the category; null in the row of all
        ``exposure``          Float64  the family's index, 0 to 1; null where no hours have a weight
        ``exposure_other``    Float64  the other's
        ``difference``        Float64  the family's less the other's; null where either is
        ``share``             Float64  share of the family's hours that have a weight, 0 to 1
        ``share_other``       Float64  of the other's
        ``within``            Float64  part of the difference because the category is rated otherwise
        ``mix``               Float64  because there is more or less of it, among categories of both
        ``only_family``       Float64  because only the family has it
        ``only_other``        Float64  because only the other has it
        ``contribution``      Float64  the four together; in the row of all equal to ``difference``
        ``weight_low``        Float64  the contribution with a weight of 0 for H2
        ``weight_high``       Float64  the contribution with a weight of 1 for H2
        ``tasks``             UInt32   tasks of the family that count
        ``tasks_other``       UInt32   of the other
        ``coverage``          Float64  share of the family's tasks that have stated hours and a weight, 0 to 1
        ``coverage_other``    Float64  of the other's
        ``reason``            String   why an index, first the other's, or else the split is null: a word of
                                       `metadata.NONE_BECAUSE`; ``TOO_FEW`` where no category is
                                       in both
        ====================  =======  ============================================================

    Raises
    ------
    SchemaError
        If a column is missing or `category` holds lists, there is no such family, both are the same, or a weight is
        not as above.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Examples
    --------
    >>> from tpanalytics import load_sample
    >>> split = compare_groups(load_sample(), "Finance", "Sales", category="task_id")
    >>> split.filter(scope="all").select(pl.col("exposure", "exposure_other", "difference").round(2)).row(0)
    (0.6, 0.48, 0.13)
    """
    level_weights, counted = checked_weights(level_weights), checked_states(states)
    jobs, tasks = read_inputs(profiles)
    if not isinstance(category, str):
        raise SchemaError(f"category={category!r}: name a column of tasks.")
    require(profiles.tasks, category, name="tasks")
    if isinstance(tasks.collect_schema()[category], nw.List | nw.Array | nw.Struct):
        raise SchemaError(f"category={category!r} holds lists; give a column with one text or number per task.")
    _check_families(jobs.get_column("job_family").unique().sort().to_list(), family, other)
    sums = sum_tasks(tasks.with_columns(category=nw.col(category)), "category", "job_id", "level", "state")
    check_hours(tasks, sums)
    check_states(sums, counted)
    mine = pl.col("job_family") == family
    theirs = ~mine if other is None else pl.col("job_family") == other
    kept = (
        of_jobs(sums.filter(pl.col("state").is_in(counted)), jobs)
        .filter(mine | theirs)
        .with_columns(pl.col("category").fill_null(NO_CATEGORY))
        .sort("category", "job", "level", "state")
    )
    split = decompose(_sides(kept, jobs, level_weights, mine=mine, theirs=theirs), "category")
    result = split.rename(_NAMES).select(
        *("scope", "category", "exposure", "exposure_other", "difference", "share", "share_other", "within", "mix"),
        *("only_family", "only_other", "contribution", "weight_low", "weight_high", "tasks", "tasks_other"),
        *("coverage", "coverage_other", "reason"),
    )
    reduced = _cells(kept, jobs.filter(mine | theirs), counted)
    against = "the rest of the company" if other is None else other
    covered = result.filter(scope="all").select("coverage", "coverage_other").drop_nulls().rows()
    return attach_metadata(
        result,
        meaning_of(
            with_weight(reduced, level_weights),
            measure="compare_groups",
            value=f"what each {category} contributes to the exposure index of {family} less that of {against}",
            **INDEX_DIFFERENCE,
            level_weights=level_weights,
            policy=(
                f"Work is the same where {category} is.",
                LEFT_OUT,
            ),
            warnings=(
                *weight_warnings(level_weights, reduced.cells),
                *(
                    f"Hours and a level with a weight are known for {a:.1%} of the tasks of {family} and {b:.1%} of "
                    f"{against}: part of the difference may be what is known."
                    for a, b in covered
                    if abs(a - b) > _COVERAGE_APART + 1e-12
                ),
            ),
        ),
    )


def _cells(kept: pl.DataFrame, jobs: pl.DataFrame, counted: list[str]) -> TaskCounts:
    """Give the tasks of both families as `aggregate.aggregate_tasks` would."""
    cells = (
        kept.group_by("job", "job_family", "level", maintain_order=True)
        .agg(pl.col("n", "n_known", "n_imputed").sum(), known_sum("hours"), known_sum("imputed"))
        .sort("job", "level")
    )
    in_states = kept.group_by("state").agg(pl.col("n").sum()).sort("state")
    return TaskCounts(jobs.drop("n_tasks", strict=False), cells, in_states, counted)


def _check_families(families: list[str], family: str, other: str | None) -> None:
    for name, asked in (("family", family), ("other", other)):
        if asked not in families and (name == "family" or asked is not None):
            near = difflib.get_close_matches(str(asked), families, n=3) or families[:10]
            raise SchemaError(
                f"{name}={asked!r}: there is no such family; there are {', '.join(near) or 'none at all'}."
            )
    if family == other:
        raise SchemaError(f"family and other are both {family!r}; give two families, or other=None.")


def _sides(
    kept: pl.DataFrame, jobs: pl.DataFrame, level_weights: Mapping[str, float], *, mine: pl.Expr, theirs: pl.Expr
) -> pl.DataFrame:
    """Put the categories of both families side by side: the other is what is before, the family what is after."""
    sides = [
        weighed_by(kept.filter(which), level_weights, "category").select(
            "category", pl.exclude("category").name.suffix(side)
        )
        for which, side in ((theirs, "_before"), (mine, "_after"))
    ]
    return (
        sides[0]
        .join(sides[1], on="category", how="full", coalesce=True)
        .with_columns(jobs_before=pl.lit(jobs.filter(theirs).height), jobs_after=pl.lit(jobs.filter(mine).height))
        # Rounded, so that the order does not hang on how floats were added up.
        .with_columns(most=pl.sum_horizontal("weighed_before", "weighed_after").round(9))
        .sort("most", "category", descending=[True, False], nulls_last=True)
        .drop("most")
    )
