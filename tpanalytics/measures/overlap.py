"""How much of their work two families share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tpanalytics.measures._core.aggregate import families_in_order, known_sum, share_of
from tpanalytics.measures._core.cache import cached
from tpanalytics.measures._core.metadata import attach_metadata, meaning_of
from tpanalytics.measures._core.scenario import undocumented_hours
from tpanalytics.measures._core.task_identity import DIGITS, TaskMatrix, task_matrix
from tpanalytics.schema import COUNTED_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tpanalytics.schema import TaskProfiles
    from tpanalytics.typing import SameTask

__all__ = ["by_likeness", "overlap"]


@cached
def overlap(
    profiles: TaskProfiles,
    *,
    same_task: SameTask = "id",
    contract_hours: float | None = None,
    states: Sequence[str] = COUNTED_STATES,
) -> pl.DataFrame:
    """Compare every two job families by the tasks they share and by the hours these take.

    A shared task without known hours on one side or both is in the shares of tasks, and in none of hours: it is counted
    in ``shared_without_hours``. Where that is all they share, the shares of hours are null. A family without tasks, or
    without hours, has null figures with a reason.

    Parameters
    ----------
    profiles
        Reads ``job_id, job_family`` and where present ``contract_hours`` (hours per week) of `jobs`, and ``job_id,
        task_id, task, ai_impact_level, validation_state, weekly_hours`` (hours per week) of `tasks`.
    same_task
        By what two tasks are the same: their ``"id"``, or their ``"text"`` without case and spacing. The same work in
        other words is not seen, so that what is shared is a lower bound. Rows of one job that are the same task are one
        task, by the rule of `_core.task_identity`.
    contract_hours
        Hours per week that jobs without contract hours of their own are taken to have, for the bounds; None takes none.
    states
        Validation states that count.

    Returns
    -------
    pl.DataFrame
        One row per pair of families, each pair once, by name, ``(no family)`` last. Tasks count once per family,
        however many jobs have them; hours are of one incumbent of each job. Shares run from 0 to 1.

        ========================  =======  ===============================================================
        ``family_a``              String   one family
        ``family_b``              String   the other
        ``tasks_a``               UInt32   different tasks of the one
        ``tasks_b``               UInt32   of the other
        ``tasks_shared``          UInt32   those both have
        ``shared_without_hours``  UInt32   those of them without known hours in one family or both
        ``jaccard``               Float64  ``tasks_shared`` / different tasks of both together
        ``sorensen``              Float64  ``2 tasks_shared / (tasks_a + tasks_b)``
        ``ruzicka``               Float64  sum of the lesser hours / sum of the greater, by task; a small family is
                                           never like a large one
        ``ruzicka_low``           Float64  it is no less, wherever undescribed contract hours belong; null where they
                                           are needed and missing
        ``ruzicka_high``          Float64  it is no more; the true range may be narrower
        ``cosine``                Float64  of the shares of hours by task; does not see size
        ``containment_a_in_b``    Float64  share of the hours of the one in tasks that the other has as well
        ``containment_b_in_a``    Float64  the other way
        ``reason``                String   why there are null figures: a word of
                                           `metadata.NONE_BECAUSE`
        ========================  =======  ===============================================================

    Raises
    ------
    SchemaError
        If a column is missing, or an argument is none of its values.

    Warns
    -----
    TpAnalyticsWarning
        If tasks are in a state that is neither counted nor ``rejected``.

    Notes
    -----
    Sources: Jaccard (1901), Sørensen (1948), Ružička (1958). With a and b the known hours by task, 0 where none are
    known, and R the contract hours that jobs with tasks without hours do not describe, in both families: the lesser
    hours add up to at least ``m = Σ min(a, b)`` and at most ``m + R``, the greater to at least ``M = Σ max(a, b)`` and
    at most ``M + R``, so that ``ruzicka`` lies within ``m / (M + R)`` and ``(m + R) / M``. ``ruzicka`` itself leaves
    out shared tasks whose hours one side does not know, and so may lie above where weeks are described in full.

    Examples
    --------
    >>> from tpanalytics import overlap, load_sample
    >>> table = overlap(load_sample()).sort("jaccard", descending=True)
    >>> table.select("family_a", "family_b", "tasks_shared", pl.col("jaccard").round(3)).row(0)
    ('Research and Development', '(no family)', 52, 0.371)
    """
    matrix = task_matrix(profiles, states, same_task)
    rest, week_notes = undocumented_hours(matrix.reduced, contract_hours)
    of_family = _of_families(matrix, rest)
    places = of_family.select("family", "job_family", "tasks", "hours", "squares", "rest", "no_week")
    left = places.rename(lambda name: f"{name}_a")
    right = places.rename(lambda name: f"{name}_b")
    by_key = _family_keys(matrix, of_family)
    none = pl.DataFrame(schema={"family_a": pl.UInt32, "family_b": pl.UInt32} | dict.fromkeys(_SHARED, pl.Float64))
    shared = pl.concat([none, *(_shared_with(by_key, place) for place in of_family.get_column("family"))])
    pairs = (
        left.join(right, how="cross")
        .filter(pl.col("family_a") < pl.col("family_b"))
        .join(shared, on=["family_a", "family_b"], how="left")
        .with_columns(pl.col(name).fill_null(0) for name in _SHARED)
        .sort("family_a", "family_b")
    )
    result = pairs.select(
        pl.col("job_family_a").alias("family_a"),
        pl.col("job_family_b").alias("family_b"),
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
            value="how alike two families are in tasks, and in hours",
            unit="share, 0 to 1",
            basis="task and hours",
            policy=(
                "A task counts once per family; hours are for one incumbent of each job.",
                "Shared tasks without known hours in one of the families are in no figure of hours; they are not zero.",
            ),
            warnings=(
                "The same work in other words counts as another task, so that what is shared is a lower bound.",
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
    "lesser",
    "lost",
    "product",
    "a_in_b",
    "b_in_a",
)


def _of_families(matrix: TaskMatrix, rest: pl.DataFrame) -> pl.DataFrame:
    """Return each family its place in order and what it has: different tasks, hours, undescribed hours."""
    jobs = matrix.reduced.jobs
    open_jobs = (
        matrix.reduced.cells.filter(pl.col("n_known") < pl.col("n"))
        .select(pl.col("job").unique())
        .join(rest, on="job", how="left")
        .join(jobs.select("job", "job_family"), on="job", how="left")
        .sort("job")
        .group_by("job_family", maintain_order=True)
        .agg(pl.col("rest").sum(), no_week=pl.col("rest").null_count())
    )
    families = families_in_order(jobs).with_row_index("family")
    sums = (
        _family_keys(matrix, families)
        .group_by("family", maintain_order=True)
        .agg(tasks=pl.len(), hours=pl.col("hours").sum(), squares=(pl.col("share") ** 2).sum())
    )
    return (
        families.join(sums, on="family", how="left", maintain_order="left")
        .join(open_jobs, on="job_family", how="left", maintain_order="left")
        .with_columns(pl.col(name).fill_null(0) for name in ("tasks", "hours", "squares", "rest", "no_week"))
    )


def _family_keys(matrix: TaskMatrix, families: pl.DataFrame) -> pl.DataFrame:
    """Return ``family, key, hours`` and the ``share`` of the family's; both are null where no hours are known."""
    place = matrix.reduced.jobs.select("job", "job_family").join(
        families.select("family", "job_family"), on="job_family", how="left"
    )
    return (
        matrix.rows.select("key", "job", "hours")
        .join(place.select("job", "family"), on="job", how="left", maintain_order="left")
        .group_by("family", "key", maintain_order=True)
        .agg(hours=known_sum("hours"))
        .sort("family", "key")
        .with_columns(share=share_of(pl.col("hours"), pl.col("hours").sum().over("family")))
    )


def _shared_with(by_key: pl.DataFrame, place: int) -> pl.DataFrame:
    """Compare one family with all later ones, task by task; no more rows at a time than tasks and families."""
    hours = pl.col("hours"), pl.col("other")
    both = hours[0].is_not_null() & hours[1].is_not_null()
    mine, other = hours[0].fill_null(0.0), hours[1].fill_null(0.0)
    return (
        by_key.filter(pl.col("family") > place)
        .rename({"family": "family_b", "hours": "other", "share": "other_share"})
        .join(
            by_key.filter(pl.col("family") == place).drop("family"),
            on="key",
            how="inner",
            maintain_order="left",
        )
        .group_by("family_b", maintain_order=True)
        .agg(
            tasks_shared=pl.len(),
            shared_without_hours=(~both).sum(),
            known_a=hours[0].count(),
            known_b=hours[1].count(),
            lesser=pl.min_horizontal(mine, other).sum(),
            lost=pl.max_horizontal(mine, other).filter(~both).sum(),
            product=(pl.col("share") * pl.col("other_share")).sum(),
            a_in_b=mine.sum(),
            b_in_a=other.sum(),
        )
        .select(
            pl.lit(place, dtype=pl.UInt32).alias("family_a"),
            "family_b",
            *(pl.col(name).cast(pl.Float64) for name in _SHARED),
        )
    )


def _figures() -> dict[str, pl.Expr]:
    shared, a, b = pl.col("tasks_shared"), pl.col("tasks_a"), pl.col("tasks_b")
    hours_a, hours_b = pl.col("hours_a"), pl.col("hours_b")
    # Of tasks that one family has alone the greater hours are its own.
    greater = hours_a + hours_b - pl.col("lesser")
    kept = greater - pl.col("lost")
    rest = pl.when((pl.col("no_week_a") + pl.col("no_week_b")) == 0).then(pl.col("rest_a") + pl.col("rest_b"))
    high = pl.when(greater > 0).then(((pl.col("lesser") + rest) / greater).clip(upper_bound=1.0))
    tasks, measured = (a > 0) & (b > 0), (hours_a > 0) & (hours_b > 0)
    # Shared tasks none of which has hours on both sides say nothing of hours; that is no overlap of 0.
    seen = (shared == 0) | (pl.col("shared_without_hours") < shared)
    alike = measured & seen & (kept.round(DIGITS) > 0)
    # Where no task is shared, no hour can be: that needs no contract.
    apart = measured & (shared == 0)
    unbounded = ((pl.col("no_week_a") + pl.col("no_week_b")) > 0) & ~apart
    reason = pl.when(~tasks).then(pl.lit("NO_TASKS")).when(~alike).then(pl.lit("NO_HOURS"))
    norms = (pl.col("squares_a") * pl.col("squares_b")).sqrt()
    return {
        "jaccard": pl.when(tasks).then(share_of(shared, a + b - shared)),
        "sorensen": pl.when(tasks).then(share_of(2 * shared, a + b)),
        "ruzicka": pl.when(alike).then((pl.col("lesser") / kept).clip(upper_bound=1.0)),
        "ruzicka_low": pl.when(apart).then(0.0).when(tasks).then(share_of(pl.col("lesser"), greater + rest)),
        "ruzicka_high": pl.when(apart).then(0.0).when(tasks).then(high.otherwise(pl.when(rest > 0).then(1.0))),
        "cosine": pl.when(measured & seen).then((pl.col("product") / norms).clip(upper_bound=1.0)),
        "containment_a_in_b": pl.when(tasks & ((shared == 0) | (pl.col("known_a") > 0))).then(
            share_of(pl.col("a_in_b"), hours_a)
        ),
        "containment_b_in_a": pl.when(tasks & ((shared == 0) | (pl.col("known_b") > 0))).then(
            share_of(pl.col("b_in_a"), hours_b)
        ),
        "reason": reason.when(unbounded).then(pl.lit("NO_CONTRACT_HOURS")),
    }


def by_likeness(families: Sequence[str], likeness: Mapping[tuple[str, str], float]) -> list[str]:
    """Put families in a row so that those like each other stand beside each other; the same input, the same order.

    It starts with the two most alike and goes on at whichever end of the row has the family most like it. That is
    simple, not the best of all orders.

    Parameters
    ----------
    families
        In the order that decides ties.
    likeness
        Of pairs, in either order; a pair that is missing is not alike.

    Examples
    --------
    >>> by_likeness(["A", "B", "C", "D"], {("A", "C"): 0.5, ("B", "C"): 0.2, ("B", "D"): 0.3})
    ['A', 'C', 'B', 'D']
    """

    def alike(one: str, other: str) -> float:
        return likeness.get((one, other), likeness.get((other, one), 0.0))

    left = list(families)
    pairs = [(one, other) for at, one in enumerate(left) for other in left[at + 1 :]]
    if not pairs:
        return left
    row = list(max(pairs, key=lambda pair: alike(*pair)))  # the first of equals
    left = [family for family in left if family not in row]
    while left:
        before, after = (max(left, key=lambda family: alike(row[end], family)) for end in (0, -1))
        if alike(row[0], before) > alike(row[-1], after):
            row.insert(0, before)
        else:
            row.append(after)
        left.remove(row[0] if row[0] in left else row[-1])
    return row
