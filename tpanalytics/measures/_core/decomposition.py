"""Decompose the difference between two means into changed values, changed shares, and added and removed parts.

With shares s and values e for each part, the difference between the means E is::

    E2 - E1 = sum over c of (s1 + s2) / 2 * (e2 - e1)                        within
            + sum over c of ((e1 + e2) / 2 - (Ec1 + Ec2) / 2) * (s2 - s1)    mix
            + sum over added parts of s2 * (e2 - Ec2)                        entry
            + sum over removed parts of s1 * (Ec1 - e1)                      exit

Here c is the set of parts on both sides. For these parts, shares are relative to c, and Ec is the mean over c. Ec
cancels out in the mix total. It is subtracted so that a growing part only contributes positively if its value is above
the mean.

Kitagawa, E. M. (1955), Components of a difference between two rates; Melitz, M. and Polanec, S. (2015) for added and
removed parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tpanalytics.measures._core.aggregate import known_sum, share_of
from tpanalytics.measures._core.weights import at
from tpanalytics.schema import NOT_ASSESSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tpanalytics.measures._core.aggregate import TaskCounts

__all__ = ["EXCLUDED_NOTE", "INDEX_DIFFERENCE", "SPLIT", "decompose", "only_weighted_levels", "weighted_sums"]

#: Metadata shared by all differences between two exposure indices.
INDEX_DIFFERENCE: dict[str, Any] = {
    "unit": "difference of two indices that run from 0 to 1",
    "basis": "hours",
    "numerator": "hours times weight",
    "denominator": "hours with a weight",
}
EXCLUDED_NOTE = "Tasks without hours, without a level or at a level without a weight are excluded."
#: Decomposition terms.
SPLIT = ("within", "mix", "entry", "exit")


def weighted_sums(cells: pl.DataFrame, level_weights: Mapping[str, float], *by: str) -> pl.DataFrame:
    """Return the sums needed for each part's exposure index."""
    parts = {"point": level_weights, "low": at(level_weights, 0.0), "high": at(level_weights, 1.0)}
    weight = {
        name: pl.col("level").replace_strict(dict(weights), default=None, return_dtype=pl.Float64)
        for name, weights in parts.items()
    }
    has_weight = weight["point"].is_not_null()
    return (
        cells.with_columns(
            weighed=pl.when(has_weight).then("hours"),
            with_both=pl.when(has_weight).then(pl.col("n_known") - pl.col("n_imputed")).otherwise(0),
            **{name: pl.col("hours") * factor for name, factor in weight.items()},
        )
        .group_by(*by, maintain_order=True)
        .agg(
            *(known_sum(name) for name in (*parts, "weighed")),
            tasks=pl.col("n").sum(),
            with_hours=pl.col("n_known").sum(),
            with_both=pl.col("with_both").sum(),
        )
    )


def decompose(sides: pl.DataFrame, scope: str) -> pl.DataFrame:
    """Return the decomposition by part, with an extra row for the total."""
    names = [name for name in sides.columns if not name.endswith(("_before", "_after"))]
    numbers = [name for name in sides.columns if name not in names]
    counts = [name for name in numbers if name.startswith(("jobs", "tasks", "with"))]
    sides = sides.with_columns(pl.col(counts).fill_null(0))
    sides = sides.with_columns(**_shares()).with_columns(
        term for variant in ("point", "low", "high") for term in _split(variant)
    )
    split = [f"{term}_{variant}" for variant in ("point", "low", "high") for term in SPLIT]
    total = sides.select(
        *(pl.lit(None, dtype=sides.schema[name]).alias(name) for name in names),
        *(known_sum(name).alias(name) for name in (*numbers, *split)),
    ).head(min(sides.height, 1))
    return pl.concat(
        [
            _figures(part, row_scope, names)
            for part, row_scope in (
                (
                    sides.with_columns(in_all_before=_weighed_total("before"), in_all_after=_weighed_total("after")),
                    scope,
                ),
                (total.with_columns(in_all_before="weighed_before", in_all_after="weighed_after"), "all"),
            )
        ]
    )


def _weighed_total(side: str) -> pl.Expr:
    return pl.col(f"weighed_{side}").sum()


def _shares() -> dict[str, pl.Expr]:
    """Return where each part has an index, and its share among parts on both sides or among all parts."""
    w1, w2 = pl.col("weighed_before"), pl.col("weighed_after")
    # Parts with only zero-hour tasks have no index or share.
    in_before, in_after = (w1 > 0).fill_null(value=False), (w2 > 0).fill_null(value=False)
    c = in_before & in_after
    return {
        "is_both": c,
        "is_added": in_after & ~in_before,
        "is_removed": in_before & ~in_after,
        "s1": pl.when(c).then(w1 / w1.filter(c).sum()).otherwise(w1 / w1.sum()),
        "s2": pl.when(c).then(w2 / w2.filter(c).sum()).otherwise(w2 / w2.sum()),
    }


def _split(variant: str) -> list[pl.Expr]:
    """Return the four terms for each part with a single set of weights, or null if no part is on both sides."""
    c, added, removed, s1, s2 = (pl.col(name) for name in ("is_both", "is_added", "is_removed", "s1", "s2"))
    e1, e2 = (pl.col(f"{variant}_{side}") / pl.col(f"weighed_{side}") for side in ("before", "after"))
    mean1, mean2 = (s1 * e1).filter(c).sum(), (s2 * e2).filter(c).sum()
    terms = {
        "within": pl.when(c).then((s1 + s2) / 2 * (e2 - e1)),
        "mix": pl.when(c).then(((e1 + e2) / 2 - (mean1 + mean2) / 2) * (s2 - s1)),
        "entry": pl.when(added).then(s2 * (e2 - mean2)),
        "exit": pl.when(removed).then(s1 * (mean1 - e1)),
    }
    return [
        pl.when(c.any() & (c | added | removed)).then(term.otherwise(0.0)).alias(f"{name}_{variant}")
        for name, term in terms.items()
    ]


def _figures(sides: pl.DataFrame, scope: str, names: list[str]) -> pl.DataFrame:
    both_sides = ("before", "after")
    value = {side: share_of(pl.col(f"point_{side}"), pl.col(f"weighed_{side}")) for side in both_sides}
    unsplit = value["before"].is_not_null() & pl.col("within_point").is_null()
    return sides.select(
        pl.lit(scope).alias("scope"),
        *names,
        *(value[side].alias(f"exposure_{side}") for side in both_sides),
        (value["after"] - value["before"]).alias("change"),
        *(share_of(pl.col(f"weighed_{side}"), pl.col(f"in_all_{side}")).alias(f"share_{side}") for side in both_sides),
        **{term: pl.col(f"{term}_point") for term in SPLIT},
        **{
            name: sum((pl.col(f"{term}_{variant}") for term in SPLIT[1:]), pl.col(f"{SPLIT[0]}_{variant}"))
            for name, variant in (("contribution", "point"), ("weight_low", "low"), ("weight_high", "high"))
        },
        **{
            f"{what}_{side}": pl.col(f"{what}_{side}").cast(pl.UInt32)
            for what in ("jobs", "tasks")
            for side in both_sides
        },
        **{
            f"coverage_{side}": share_of(pl.col(f"with_both_{side}").cast(pl.Float64), pl.col(f"tasks_{side}"))
            for side in both_sides
        },
        reason=pl.when(value["before"].is_null())
        .then(why_no_index("before"))
        .when(value["after"].is_null())
        .then(why_no_index("after"))
        .when(unsplit)
        .then(pl.lit("TOO_FEW")),
    )


def why_no_index(when: str) -> pl.Expr:
    """Return why one side has no index."""
    return missing_difference_reason(when, (pl.col(f"with_hours_{when}") == 0) | (pl.col(f"weighed_{when}") == 0))


def missing_difference_reason(when: str, no_hours: pl.Expr) -> pl.Expr:
    """Return the first reason why one side has no figure: no jobs, no tasks, no hours, or no levels."""
    return (
        pl.when(pl.col(f"jobs_{when}") == 0)
        .then(pl.lit("NO_JOBS"))
        .when(pl.col(f"tasks_{when}") == 0)
        .then(pl.lit("NO_TASKS"))
        .when(no_hours)
        .then(pl.lit("NO_HOURS"))
        .otherwise(pl.lit("NO_LEVELS"))
    )


def only_weighted_levels(reduced: TaskCounts, level_weights: Mapping[str, float]) -> TaskCounts:
    """Replace levels without a weight with 'not assessed'."""
    level = pl.when(pl.col("level").is_in(list(level_weights))).then("level").otherwise(pl.lit(NOT_ASSESSED))
    return reduced._replace(cells=reduced.cells.with_columns(level=level))
